//! From a plan to a running program: descriptors, folders, ports, runtime.
//!
//! Everything that can be refused is refused here, in one line on stderr and
//! before a screen is up. It opens and binds; what runs afterwards is the
//! engine's, the screen's and the errand's.

mod chores;
mod fetch;
mod peers;
mod private;
mod send;

use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use tokio::runtime::Runtime;
use tokio::time::timeout;

use self::fetch::{connect, get, ls};
use crate::app::{self, Exit};
use crate::cli::{Cli, Fault, Format, ServeArgs, Verb};
use crate::entity::Rights;
use crate::entity::{Dialect, DisplayName, Speak};
use crate::event::Command;
use crate::headless;
use crate::model::{About, Badge, Role};
use crate::net::fence::give_up_writing;
use crate::net::pump::Way;
use crate::net::server::{Door, Limits, Serve};
use crate::net::store::landing::{Floor, Landing, Make};
use crate::net::store::{Dotfiles, Store};
use crate::net::words::plainly;
use crate::net::{self, Engine, Handle};
use crate::system::{Signals, host_name, is_terminal, private_addresses, raise_descriptors};

/// Exit code of an interrupted errand.
const INTERRUPTED: u8 = 130;
/// What is left of the program may take this long once all is said.
const LAST_MOMENT: Duration = Duration::from_secs(1);

/// Does what was typed.
pub fn run(cli: Cli) -> ExitCode {
    let done = match cli.verb {
        Verb::Serve(args) => serve(&args),
        Verb::Connect(args) => connect(&args),
        Verb::Get(args) => get(&args),
        Verb::Put(args) => send::put(&args),
        Verb::Mv(args) => chores::mv(&args),
        Verb::Mkdir(args) => chores::mkdir(&args),
        Verb::Rm(args) => chores::rm(&args),
        Verb::Ls(args) => ls(&args),
        Verb::Peers(args) => peers::peers(&args),
    };
    done.unwrap_or_else(|error| {
        let code = error.downcast_ref::<Fault>().map_or(1, |fault| fault.code);
        // One line, whatever a name in it holds.
        let words = DisplayName::from(plainly(&format!("{error:#}")).as_str());
        let _ = writeln!(io::stderr(), "ferrydeck: {words}");
        ExitCode::from(code)
    })
}

/// Answers what clap could not read: help and version as they are, an error in one line.
pub fn misread(error: &clap::Error) -> ExitCode {
    if !error.use_stderr() {
        let _ = error.print();
        return ExitCode::SUCCESS;
    }
    if error.kind() == clap::error::ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        // Nothing was said at all: the whole help is the answer.
        let _ = error.print();
        return ExitCode::from(2);
    }
    let rendered = error.render().to_string();
    let told = rendered.trim_start_matches("error: ");
    // The first paragraph is the fault; what follows is usage and hints.
    let fault: Vec<&str> = told
        .lines()
        .map(str::trim)
        .take_while(|line| !line.is_empty())
        .collect();
    let words = DisplayName::from(fault.join(" ").as_str());
    let _ = writeln!(io::stderr(), "ferrydeck: {words}; --help tells more");
    ExitCode::from(2)
}

fn serve(args: &ServeArgs) -> anyhow::Result<ExitCode> {
    let private = args.lan.map(|_| private_addresses()).unwrap_or_default();
    let listeners = args.listeners(&private)?;
    let dotfiles = dotfiles(args.hidden);
    let store = Store::open(&args.dir, dotfiles)
        .with_context(|| format!("cannot serve {}", args.dir.display()))?;
    let limits = limits(args);
    let mut doors = Vec::new();
    for listen in listeners {
        let door = Door::bind(listen.addr, listen.speak);
        doors.push(door.map_err(|error| busy(&listen.addr.to_string(), &error))?);
    }
    let screen = !args.headless && is_terminal();
    let about = about_server(args, &doors, &limits);
    let rights = Rights {
        read: true,
        upload: args.allow_upload,
        rename: args.allow_rename,
        delete: args.allow_delete,
        operate: false,
    };
    let landing = served_landing(args)?;
    let (porter, state) = private::porter(&doors, args.state_dir.as_ref())?.unzip();
    // Before the runtime: the fence binds this thread and those it starts.
    let fence = || {
        let fence = give_up_writing(state.as_deref());
        vec![("fence", fence.words().to_owned())]
    };
    let notes = landing.as_ref().map_or_else(fence, |_| Vec::new());
    let engine = Engine::Serve(Serve {
        doors,
        store: Arc::new(store),
        limits,
        way: Way::BEST,
        name: host_name(),
        rights,
        landing,
        porter,
        notes,
    });
    let runtime = runtime()?;
    let signals = signals(&runtime)?;
    let handle = start(&runtime, engine);
    let code = if screen {
        match screen_loop(handle, &about)? {
            Exit::Code(code) => code,
            Exit::NoScreen(why) => return Err(no_screen(why)),
            Exit::ScreenLost(handle) => runtime.block_on(attend(*handle, args.format, signals)),
        }
    } else {
        runtime.block_on(attend(handle, args.format, signals))
    };
    runtime.shutdown_timeout(LAST_MOMENT);
    Ok(ExitCode::from(code))
}

/// Takes the signals over before anything runs: one that comes with the first
/// line of output is heard already.
fn signals(runtime: &Runtime) -> anyhow::Result<Signals> {
    let _inside = runtime.enter();
    Signals::new().context("cannot hear signals")
}

/// Where peers' files land: in the served folder, if they may write at all.
fn served_landing(args: &ServeArgs) -> anyhow::Result<Option<Arc<Landing>>> {
    if !args.allow_upload && !args.allow_rename && !args.allow_delete {
        return Ok(None);
    }
    let floor = args.min_free.map_or(Floor::Usual, Floor::Bytes);
    Landing::open(&args.dir, dotfiles(args.hidden), floor, Make::Best)
        .map(|landing| Some(Arc::new(landing)))
        .with_context(|| format!("cannot land in {}", args.dir.display()))
}

/// Starts an engine on its runtime, from outside.
fn start(runtime: &Runtime, engine: Engine) -> Handle {
    let _inside = runtime.enter();
    net::start(engine)
}

/// Runs the screen on a runtime of its own, on this thread: its timers wait for
/// no worker that is busy with payload.
fn screen_loop(handle: Handle, about: &About) -> anyhow::Result<Exit> {
    let screen = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start")?;
    Ok(screen.block_on(app::run_on_terminal(handle, about)))
}

fn no_screen(why: io::Error) -> anyhow::Error {
    anyhow::Error::new(why).context("no screen")
}

/// Runs a server without a screen to its end.
async fn attend(mut handle: Handle, format: Format, mut signals: Signals) -> u8 {
    let commands = handle.commands.clone();
    let lines = headless::lines(handle.feed, format, io::stdout(), io::stderr());
    let interrupts = async move {
        signals.any().await;
        let _ = commands.send(Command::Leave { grace: None });
        signals.any().await;
        let _ = commands.send(Command::Abort);
    };
    let over = tokio::select! {
        ended = &mut handle.task => u8::from(ended.is_err()),
        () = interrupts => INTERRUPTED,
    };
    let _ = timeout(LAST_MOMENT, lines).await;
    over
}

const fn dotfiles(hidden: bool) -> Dotfiles {
    if hidden {
        Dotfiles::Shown
    } else {
        Dotfiles::Hidden
    }
}

fn runtime() -> anyhow::Result<Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("cannot start")
}

fn busy(addr: &str, error: &io::Error) -> Fault {
    Fault::failed(match error.kind() {
        io::ErrorKind::AddrInUse => {
            format!("{addr} is in use already; --listen 127.0.0.1:0 takes any free port")
        }
        _ => format!("cannot listen on {addr}: {error}"),
    })
}

fn limits(args: &ServeArgs) -> Limits {
    let usual = Limits::default();
    let room = usize::try_from(raise_descriptors().saturating_sub(64) / 2).unwrap_or(usize::MAX);
    let most = args
        .max_connections
        .and_then(|typed| usize::try_from(typed).ok())
        .unwrap_or(usual.max_connections.min(room).max(16));
    Limits {
        first_byte: args.first_byte_timeout,
        head: args.head_timeout,
        request: args.request_timeout,
        stall: args.stall_timeout,
        idle: args.idle_timeout,
        grace: args.grace,
        session_pause: args.session_pause,
        session_quiet: args.session_quiet,
        max_connections: most,
        max_unidentified: usize::try_from(args.max_unidentified).unwrap_or(usize::MAX),
        max_unidentified_per_address: usize::try_from(args.max_unidentified_per_address)
            .unwrap_or(usize::MAX),
        ..usual
    }
}

fn about_server(args: &ServeArgs, doors: &[Door], limits: &Limits) -> About {
    let mut badges = Vec::new();
    if args.allow_upload {
        badges.push(Badge::UPLOADS);
    }
    if args.allow_rename {
        badges.push(Badge::RENAMES);
    }
    if args.allow_delete {
        badges.push(Badge::DELETES);
    }
    if badges.is_empty() {
        badges.push(Badge::READ_ONLY);
    }
    if args.hidden {
        badges.push(Badge::DOTFILES);
    }
    let open = doors
        .iter()
        .filter(|door| !door.addr().ip().to_canonical().is_loopback())
        .any(|door| door.speak() != Speak::Only(Dialect::DeckTls));
    if open {
        badges.push(Badge::PLAINTEXT);
    }
    About {
        role: Role::Serve,
        subject: folder_name(&args.dir),
        landing: DisplayName::default(),
        badges,
        standing: None,
        limit: None,
        max_connections: limits.max_connections,
    }
}

/// A folder's whole path, for the screen.
fn folder_name(dir: &Path) -> DisplayName {
    let whole = dir.canonicalize().unwrap_or_else(|_| dir.to_owned());
    DisplayName::new(whole.as_os_str().as_encoded_bytes())
}
