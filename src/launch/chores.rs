//! The client's verbs that move nothing: mv, mkdir, rm.
//!
//! One question, one answer, one exit code. It knows the command line and the client's
//! dialling; queues, screens and errands it must never know.

use std::io::{self, Write as _};
use std::process::ExitCode;

use super::fetch::dial;
use super::private::meet;
use super::{INTERRUPTED, LAST_MOMENT, runtime, signals};
use crate::cli::{MkdirArgs, MvArgs, RmArgs};
use crate::net::client::OnClash;
use crate::net::client::ask::rename;
use crate::net::client::chores::{self, Recursion};
use crate::net::client::dial::Failure;

/// Renames one file.
pub(super) fn mv(args: &MvArgs) -> anyhow::Result<ExitCode> {
    let (url, from, to) = args.plan()?;
    let dial = dial(&url, 1, &args.common, None, OnClash::Fail);
    let runtime = runtime()?;
    meet(&runtime, &dial, &args.common)?;
    let mut signals = signals(&runtime)?;
    let renamed = runtime.block_on(async {
        tokio::select! {
            renamed = rename(&dial.target, dial.patience, &dial.name, &from, &to) => Some(renamed),
            () = signals.any() => None,
        }
    });
    runtime.shutdown_timeout(LAST_MOMENT);
    said(renamed, || format!("{} was not renamed", from.shown()))
}

/// Makes one folder.
pub(super) fn mkdir(args: &MkdirArgs) -> anyhow::Result<ExitCode> {
    let url = args.plan()?;
    let dial = dial(&url, 1, &args.common, None, OnClash::Fail);
    let runtime = runtime()?;
    meet(&runtime, &dial, &args.common)?;
    let mut signals = signals(&runtime)?;
    let made = runtime.block_on(async {
        let (target, patience) = (&dial.target, dial.patience);
        tokio::select! {
            made = chores::make_folder(target, patience, &dial.name, &url.path) => Some(made),
            () = signals.any() => None,
        }
    });
    runtime.shutdown_timeout(LAST_MOMENT);
    said(made, || format!("{} was not made", url.path.shown()))
}

/// Deletes one file, or one folder.
pub(super) fn rm(args: &RmArgs) -> anyhow::Result<ExitCode> {
    let url = args.plan()?;
    let dial = dial(&url, 1, &args.common, None, OnClash::Fail);
    let recursion = if args.recursive {
        Recursion::Whole
    } else {
        Recursion::None
    };
    let runtime = runtime()?;
    meet(&runtime, &dial, &args.common)?;
    let mut signals = signals(&runtime)?;
    let gone = runtime.block_on(async {
        let (target, patience) = (&dial.target, dial.patience);
        tokio::select! {
            gone = chores::remove(target, patience, &dial.name, &url.path, recursion) => Some(gone),
            () = signals.any() => None,
        }
    });
    runtime.shutdown_timeout(LAST_MOMENT);
    if let Some(Ok(deleted)) = &gone {
        let _ = writeln!(io::stdout(), "deleted {}", deleted.words());
    }
    said(gone, || format!("{} was not deleted", url.path.shown()))
}

/// The exit code of one question; `None` when a signal came first.
fn said<T>(
    done: Option<Result<T, Failure>>,
    what: impl FnOnce() -> String,
) -> anyhow::Result<ExitCode> {
    match done {
        None => Ok(ExitCode::from(INTERRUPTED)),
        Some(Ok(_)) => Ok(ExitCode::SUCCESS),
        Some(Err(failure)) => Err(anyhow::Error::new(failure).context(what())),
    }
}
