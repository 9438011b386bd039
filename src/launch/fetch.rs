//! The client's verbs: connect, get, ls.
//!
//! From what was typed to an engine that dials, and from its end to an exit
//! code. It knows the command line, the client's engine, the screen's loop and
//! the errands. It must never know a server's listeners or limits, and it reads
//! and writes no file itself.

use std::io::{self, IsTerminal as _, Write as _};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context as _;
use tokio::runtime::Runtime;
use tokio::time::timeout;

use super::private::meet;
use super::{
    INTERRUPTED, LAST_MOMENT, dotfiles, folder_name, no_screen, runtime, screen_loop, signals,
    start,
};
use crate::address::Url;
use crate::app::Exit;
use crate::cli::{
    ClashArg, Common, ConnectArgs, Fault, GetArgs, Goal, LandingArgs, LsArgs, MeansArgs,
};
use crate::entity::{DisplayName, Kind, RemotePath};
use crate::errand::{self, Done, Listing, Shown, Voice};
use crate::event::{Command, Outgoing, Wanted};
use crate::model::{About, Role};
use crate::net::client::ask::knock;
use crate::net::client::dial::{Patience, Target};
use crate::net::client::private::Keys;
use crate::net::client::{Dial, Manner, Means, OnClash, queue_file};
use crate::net::store::landing::{Floor, Landing, Make};
use crate::net::wire::codec::Check;
use crate::net::{self, Engine};
use crate::system::{Signals, host_name, is_terminal, state_dir};

pub(super) fn connect(args: &ConnectArgs) -> anyhow::Result<ExitCode> {
    let url = args.goal()?;
    if !is_terminal() {
        return Err(Fault::usage(
            "connect needs a terminal; `ferrydeck get` and `ferrydeck ls` need none",
        )
        .into());
    }
    let landing = landing(&args.landing)?;
    let on_clash = on_clash(args.landing.on_clash, OnClash::Ask);
    let mut dial = dial(
        &url,
        args.landing.parallel,
        &args.common,
        Some(landing),
        on_clash,
    );
    let queue = |state| queue_file(state, &dial.target, &args.landing.dir);
    let queue = dial.state.as_deref().and_then(queue);
    dial.means = Means {
        streams: usize::from(args.streams.streams),
        manner: Manner::Lasting,
        queue: queue.filter(|_| url.dialect.is_deck()),
        ..means(&args.means)
    };
    let about = About {
        role: Role::Dial,
        subject: DisplayName::from(url.to_string().as_str()),
        landing: folder_name(&args.landing.dir),
        badges: Vec::new(),
        standing: match on_clash {
            OnClash::Always(clash) => Some(clash),
            OnClash::Ask | OnClash::Fail => None,
        },
        limit: args.means.limit,
        max_connections: 0,
    };
    let runtime = runtime()?;
    meet(&runtime, &dial, &args.common)?;
    // A server that is not there is one line, not a screen that says so.
    runtime.block_on(knock(&dial.target, dial.patience, &dial.name))?;
    let handle = start(&runtime, Engine::Dial(dial));
    let _ = handle.commands.send(Command::Open(url.path.clone()));
    let home = args.landing.dir.clone();
    let _ = handle.commands.send(Command::LookLocal(home));
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
    let voice = voice(args.json);
    let runtime = runtime()?;
    let batches = batches(args, goals, voice, &runtime)?;
    let mut signals = signals(&runtime)?;
    let code = runtime.block_on(async {
        let mut code = 0;
        for (dial, paths) in batches {
            // Whether it is a folder, the server knows.
            let kind = if args.recursive {
                Kind::Dir
            } else {
                Kind::File
            };
            let wanted = paths.into_iter().map(|path| Wanted {
                path,
                size: None,
                kind,
            });
            let errand = Errand::Get(wanted.collect());
            match run_errand(dial, errand, voice, &mut signals).await {
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

/// One client for each server, let in where a code is asked for; and what it fetches.
fn batches(
    args: &GetArgs,
    goals: Vec<Goal>,
    voice: Voice,
    runtime: &Runtime,
) -> anyhow::Result<Vec<(Dial, Vec<RemotePath>)>> {
    let landing = landing(&args.landing)?;
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
        let mut dial = dial(
            &server,
            args.landing.parallel,
            &args.common,
            landing,
            on_clash,
        );
        dial.means = Means {
            streams: usize::from(args.streams.streams),
            ..means(&args.means)
        };
        meet(runtime, &dial, &args.common)?;
        batches.push((dial, paths));
    }
    Ok(batches)
}

/// What to do with taken names: nothing prompts without a person to answer.
pub(super) fn clash_of(typed: Option<ClashArg>, voice: Voice) -> OnClash {
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
    let shown = if args.hash {
        Shown::Hashes
    } else {
        Shown::Usual
    };
    let dial = dial(&url, 1, &args.common, None, OnClash::Fail);
    let runtime = runtime()?;
    meet(&runtime, &dial, &args.common)?;
    let mut signals = signals(&runtime)?;
    let code = runtime.block_on(async {
        let mut handle = net::start(Engine::Dial(dial));
        let (mut out, mut err) = (io::BufWriter::new(io::stdout()), io::stderr());
        let errand = errand::ls(
            &mut handle,
            url.path.clone(),
            how,
            shown,
            &mut out,
            &mut err,
        );
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
pub(super) fn voice(json: bool) -> Voice {
    match (json, is_terminal() && io::stderr().is_terminal()) {
        (true, _) => Voice::Json,
        (false, true) => Voice::Bars,
        (false, false) => Voice::Plain,
    }
}

/// What is to be done at one server.
pub(super) enum Errand {
    Get(Vec<Wanted>),
    Put(Vec<Outgoing>),
}

/// Runs one errand to its end and lets go of the engine; `None` when a signal came first.
pub(super) async fn run_errand(
    dial: Dial,
    errand: Errand,
    voice: Voice,
    signals: &mut Signals,
) -> Option<Done> {
    let goes_on = dial.target.dialect.is_deck() && dial.means.check != Check::None;
    let mut handle = net::start(Engine::Dial(dial));
    let (mut out, mut err) = (io::BufWriter::new(io::stdout()), io::stderr());
    let work = async {
        match errand {
            Errand::Get(wanted) => {
                errand::get(&mut handle, wanted, voice, &mut out, &mut err).await
            }
            Errand::Put(files) => errand::put(&mut handle, files, voice, &mut out, &mut err).await,
        }
    };
    let done = tokio::select! {
        done = work => Some(done),
        () = signals.any() => None,
    };
    let _ = handle.commands.send(Command::Abort);
    let _ = timeout(LAST_MOMENT * 2, handle.task).await;
    if done.is_none() && goes_on {
        let words = "ferrydeck: interrupted; the same command goes on from what was checked";
        let _ = writeln!(io::stderr(), "{words}");
    }
    done
}

/// How deck is to be spoken, as far as it was typed.
pub(super) fn means(args: &MeansArgs) -> Means {
    Means {
        check: if args.no_verify {
            Check::None
        } else {
            Check::Blocks
        },
        limit: args.limit,
        ..Means::default()
    }
}

pub(super) fn dial(
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
        means: Means::default(),
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
