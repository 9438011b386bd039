//! The client's verb put: files and folders to a server.
//!
//! From what was typed to an engine that dials, and from its end to an exit code;
//! folders the target lies in are made on the way, where folders are sent. It knows the
//! command line, the client's engine and the errands. It reads and writes no file itself.

use std::process::ExitCode;

use super::fetch::{Errand, clash_of, dial, means, run_errand, voice};
use super::private::meet;
use super::{INTERRUPTED, LAST_MOMENT, dotfiles, runtime, signals};
use crate::address::Url;
use crate::cli::{ClashArg, Fault, PutArgs};
use crate::errand::Done;
use crate::event::Outgoing;
use crate::net::client::chores;
use crate::net::client::{Dial, Means, OnClash};

/// Sends files, and folders with all that is in them.
pub(super) fn put(args: &PutArgs) -> anyhow::Result<ExitCode> {
    let (url, mut outgoing) = args.plan()?;
    let folder = outgoing.iter().find(|one| one.local.is_dir());
    if let Some(folder) = folder.filter(|_| !args.recursive) {
        let words = format!(
            "{} is a folder; -r sends it with all that is in it",
            folder.local.display()
        );
        return Err(Fault::failed(words).into());
    }
    let voice = voice(args.json);
    let on_clash = match clash_of(args.on_clash.or(Some(ClashArg::Fail)), voice) {
        // What the older dialects do with a taken name, the server says.
        _ if !url.dialect.is_deck() => OnClash::Fail,
        on_clash => on_clash,
    };
    let mut dial = dial(&url, args.parallel, &args.common, None, on_clash);
    dial.means = Means {
        dotfiles: dotfiles(args.hidden),
        streams: usize::from(args.streams.streams),
        ..means(&args.means)
    };
    let runtime = runtime()?;
    meet(&runtime, &dial, &args.common)?;
    let mut signals = signals(&runtime)?;
    let code = runtime.block_on(async {
        tokio::select! {
            () = find_way(&dial, &url, args, &mut outgoing) => {}
            () = signals.any() => return INTERRUPTED,
        }
        match run_errand(dial, Errand::Put(outgoing), voice, &mut signals).await {
            Some(Done::Well | Done::Unheard) => 0,
            Some(Done::Badly) => 1,
            None => INTERRUPTED,
        }
    });
    runtime.shutdown_timeout(LAST_MOMENT);
    Ok(ExitCode::from(code))
}

/// A URL that names a folder is where it goes; the folders that lead there are made.
async fn find_way(dial: &Dial, url: &Url, args: &PutArgs, outgoing: &mut [Outgoing]) {
    let (target, patience) = (&dial.target, dial.patience);
    if let [one] = &mut *outgoing
        && one.path == url.path
        && url.dialect.is_deck()
        && chores::is_folder(target, patience, &dial.name, &one.path).await
        && let Some(name) = one.local.file_name().and_then(|name| name.to_str())
    {
        one.path = one.path.join(name);
    }
    let folder = outgoing.first().map(|one| one.path.parent());
    if let Some(folder) = folder.filter(|_| args.recursive) {
        // What cannot be made, the transfers tell.
        let _ = chores::make_way(target, patience, &dial.name, &folder).await;
    }
}
