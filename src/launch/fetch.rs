//! The client's verbs: connect, get, ls.
//!
//! From what was typed to an engine that dials, and from its end to an exit
//! code. It knows the command line, the client's engine, the screen's loop and
//! the errands. It must never know a server's listeners or limits, and it reads
//! and writes no file itself.

use std::io::{self, IsTerminal as _};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context as _;
use tokio::time::timeout;

use super::private::meet;
use super::{
    INTERRUPTED, LAST_MOMENT, dotfiles, folder_name, no_screen, runtime, screen_loop, signals,
    start,
};
use crate::address::Url;
use crate::app::Exit;
use crate::cli::{
    ClashArg, Common, ConnectArgs, Fault, GetArgs, Goal, LandingArgs, LsArgs, MvArgs, PutArgs,
};
use crate::entity::{DisplayName, RemotePath};
use crate::errand::{self, Done, Listing, Voice};
use crate::event::{Command, Outgoing};
use crate::model::{About, Role};
use crate::net::client::dial::{Patience, Target, knock, rename};
use crate::net::client::private::Keys;
use crate::net::client::{Dial, OnClash};
use crate::net::store::landing::{Floor, Landing, Make};
use crate::net::{self, Engine};
use crate::system::{Signals, host_name, is_terminal, state_dir};

pub(super) fn connect(args: &ConnectArgs) -> anyhow::Result<ExitCode> {
    let url = crate::cli::url(&args.url, args.common.ports())?;
    if !is_terminal() {
        return Err(Fault::usage(
            "connect needs a terminal; `ferrydeck get` and `ferrydeck ls` need none",
        )
        .into());
    }
    let landing = landing(&args.landing)?;
    let on_clash = on_clash(args.landing.on_clash, OnClash::Ask);
    let dial = dial(
        &url,
        args.landing.parallel,
        &args.common,
        Some(landing),
        on_clash,
    );
    let about = About {
        role: Role::Dial,
        subject: DisplayName::from(url.to_string().as_str()),
        landing: folder_name(&args.landing.dir),
        badges: Vec::new(),
        standing: match on_clash {
            OnClash::Always(clash) => Some(clash),
            OnClash::Ask | OnClash::Fail => None,
        },
        max_connections: 0,
    };
    let runtime = runtime()?;
    meet(&runtime, &dial, &args.common)?;
    // A server that is not there is one line, not a screen that says so.
    runtime.block_on(knock(&dial.target, dial.patience, &dial.name))?;
    let handle = start(&runtime, Engine::Dial(dial));
    let _ = handle.commands.send(Command::Open(url.path.clone()));
    let code = match screen_loop(handle, &about)? {
        Exit::Code(code) => code,
        Exit::NoScreen(why) => return Err(no_screen(why)),
        // Nobody looks and nobody can steer: a client has no more to do.
        Exit::ScreenLost(_) => 1,
    };
    runtime.shutdown_timeout(LAST_MOMENT);
    Ok(ExitCode::from(code))
}

pub(super) fn get(args: &GetArgs) -> anyhow::Result<ExitCode> {
    let goals = args.goals()?;
    let landing = landing(&args.landing)?;
    let voice = voice(args.json);
    let runtime = runtime()?;
    let mut batches = Vec::new();
    for Batch {
        server,
        paths,
        taken,
    } in by_server(goals)
    {
        let on_clash = match taken {
            Taken::Fails => OnClash::Fail,
            Taken::AsTyped => clash_of(args.landing.on_clash, voice),
        };
        let landing = Some(Arc::clone(&landing));
        let dial = dial(
            &server,
            args.landing.parallel,
            &args.common,
            landing,
            on_clash,
        );
        meet(&runtime, &dial, &args.common)?;
        batches.push((dial, paths));
    }
    let mut signals = signals(&runtime)?;
    let code = runtime.block_on(async {
        let mut code = 0;
        for (dial, paths) in batches {
            match run_errand(dial, Errand::Get(paths), voice, &mut signals).await {
                Some(Done::Well) => {}
                Some(Done::Badly) => code = 1,
                Some(Done::Unheard) => break,
                None => {
                    code = INTERRUPTED;
                    break;
                }
            }
        }
        code
    });
    runtime.shutdown_timeout(LAST_MOMENT);
    Ok(ExitCode::from(code))
}

/// What to do with taken names: nothing prompts without a person to answer.
fn clash_of(typed: Option<ClashArg>, voice: Voice) -> OnClash {
    match on_clash(typed, OnClash::Ask) {
        OnClash::Ask if voice != Voice::Bars => OnClash::Fail,
        other => other,
    }
}

/// The files wanted of one server.
struct Batch {
    server: Url,
    paths: Vec<RemotePath>,
    taken: Taken,
}

/// Whether a taken name fails whatever was typed (classic's own three words).
#[derive(Clone, Copy, PartialEq, Eq)]
enum Taken {
    Fails,
    AsTyped,
}

/// One engine a server: the goals in their order, those of one server together.
fn by_server(goals: Vec<Goal>) -> Vec<Batch> {
    let mut batches: Vec<Batch> = Vec::new();
    for Goal { url, never_clash } in goals {
        let path = url.path.clone();
        let server = Url {
            path: RemotePath::root(),
            ..url
        };
        let taken = if never_clash {
            Taken::Fails
        } else {
            Taken::AsTyped
        };
        match batches.iter_mut().find(|known| known.server == server) {
            Some(known) => known.paths.push(path),
            None => batches.push(Batch {
                server,
                paths: vec![path],
                taken,
            }),
        }
    }
    batches
}

pub(super) fn ls(args: &LsArgs) -> anyhow::Result<ExitCode> {
    let url = crate::cli::url(&args.url, args.common.ports())?;
    if !url.dialect.lists() {
        let words = format!("{} has no way to list files", url.dialect.label());
        return Err(Fault::failed(words).into());
    }
    let how = if args.json {
        Listing::Json
    } else {
        Listing::Text
    };
    let dial = dial(&url, 1, &args.common, None, OnClash::Fail);
    let runtime = runtime()?;
    meet(&runtime, &dial, &args.common)?;
    let mut signals = signals(&runtime)?;
    let code = runtime.block_on(async {
        let mut handle = net::start(Engine::Dial(dial));
        let (mut out, mut err) = (io::stdout(), io::stderr());
        let errand = errand::ls(&mut handle, url.path.clone(), how, &mut out, &mut err);
        tokio::select! {
            done = errand => match done {
                Done::Well | Done::Unheard => 0,
                Done::Badly => 1,
            },
            () = signals.any() => INTERRUPTED,
        }
    });
    runtime.shutdown_timeout(LAST_MOMENT);
    Ok(ExitCode::from(code))
}

/// How an errand talks: bars where a person looks.
fn voice(json: bool) -> Voice {
    match (json, is_terminal() && io::stderr().is_terminal()) {
        (true, _) => Voice::Json,
        (false, true) => Voice::Bars,
        (false, false) => Voice::Plain,
    }
}

/// What is to be done at one server.
enum Errand {
    Get(Vec<RemotePath>),
    Put(Vec<Outgoing>),
}

/// Runs one errand to its end and lets go of the engine; `None` when a signal came first.
async fn run_errand(
    dial: Dial,
    errand: Errand,
    voice: Voice,
    signals: &mut Signals,
) -> Option<Done> {
    let mut handle = net::start(Engine::Dial(dial));
    let (mut out, mut err) = (io::stdout(), io::stderr());
    let work = async {
        match errand {
            Errand::Get(paths) => errand::get(&mut handle, paths, voice, &mut out, &mut err).await,
            Errand::Put(files) => errand::put(&mut handle, files, voice, &mut out, &mut err).await,
        }
    };
    let done = tokio::select! {
        done = work => Some(done),
        () = signals.any() => None,
    };
    let _ = handle.commands.send(Command::Abort);
    let _ = timeout(LAST_MOMENT * 2, handle.task).await;
    done
}

/// Sends files.
pub(super) fn put(args: &PutArgs) -> anyhow::Result<ExitCode> {
    let (url, outgoing) = args.plan()?;
    let voice = voice(args.json);
    let dial = dial(&url, args.parallel, &args.common, None, OnClash::Fail);
    let runtime = runtime()?;
    meet(&runtime, &dial, &args.common)?;
    let mut signals = signals(&runtime)?;
    let code = runtime.block_on(async {
        match run_errand(dial, Errand::Put(outgoing), voice, &mut signals).await {
            Some(Done::Well | Done::Unheard) => 0,
            Some(Done::Badly) => 1,
            None => INTERRUPTED,
        }
    });
    runtime.shutdown_timeout(LAST_MOMENT);
    Ok(ExitCode::from(code))
}

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
    match renamed {
        None => Ok(ExitCode::from(INTERRUPTED)),
        Some(Ok(())) => Ok(ExitCode::SUCCESS),
        Some(Err(failure)) => {
            Err(anyhow::Error::new(failure).context(format!("{} was not renamed", from.shown())))
        }
    }
}

fn dial(
    url: &Url,
    parallel: u8,
    common: &Common,
    landing: Option<Arc<Landing>>,
    on_clash: OnClash,
) -> Dial {
    Dial {
        target: Target {
            dialect: url.dialect,
            host: url.host.clone(),
            port: url.port,
            clients: common.clients,
            keys: Keys::at(state_dir(common.state_dir.as_ref())),
        },
        patience: Patience::of(url.dialect),
        landing,
        on_clash,
        parallel: usize::from(parallel),
        name: host_name(),
        state: state_dir(common.state_dir.as_ref()),
    }
}

fn landing(args: &LandingArgs) -> anyhow::Result<Arc<Landing>> {
    let floor = args.min_free.map_or(Floor::Usual, Floor::Bytes);
    Landing::open(&args.dir, dotfiles(args.hidden), floor, Make::Best)
        .map(Arc::new)
        .with_context(|| format!("cannot land in {}", args.dir.display()))
}

fn on_clash(typed: Option<ClashArg>, usual: OnClash) -> OnClash {
    match typed {
        None => usual,
        Some(ClashArg::Ask) => OnClash::Ask,
        Some(ClashArg::Fail) => OnClash::Fail,
        Some(other) => other.answer().map_or(usual, OnClash::Always),
    }
}
