//! From a plan to a running program: descriptors, folders, ports, runtime.
//!
//! Everything that can be refused is refused here, in one line on stderr and
//! before a screen is up. It opens and binds; what runs afterwards is the
//! engine's, the screen's and the errand's.

use std::io::{self, IsTerminal as _, Write};
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use tokio::runtime::Runtime;
use tokio::time::timeout;

use crate::address::Url;
use crate::app::{self, Exit};
use crate::cli::{
    ClashArg, Cli, Common, ConnectArgs, Fault, Format, GetArgs, Goal, LandingArgs, LsArgs,
    ServeArgs, Verb,
};
use crate::entity::{DisplayName, RemotePath, Speak};
use crate::errand::{self, Done, Listing, Voice};
use crate::event::Command;
use crate::headless;
use crate::model::{About, Badge, Role};
use crate::net::client::dial::{Patience, Target, knock};
use crate::net::client::{Dial, OnClash};
use crate::net::fence::give_up_writing;
use crate::net::pump::Way;
use crate::net::server::{Door, Limits, Serve};
use crate::net::store::landing::{Floor, Landing, Make};
use crate::net::store::{Dotfiles, Store};
use crate::net::{self, Engine, Handle};
use crate::system::{Signals, host_name, is_terminal, raise_descriptors, state_dir};

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
        Verb::Ls(args) => ls(&args),
    };
    done.unwrap_or_else(|error| {
        let code = error.downcast_ref::<Fault>().map_or(1, |fault| fault.code);
        // One line, whatever a name in it holds.
        let words = DisplayName::from(format!("{error:#}").as_str());
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
    let listeners = args.listeners()?;
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
    // Before the runtime: the fence binds this thread and those it starts.
    let fence = give_up_writing();
    let engine = Engine::Serve(Serve {
        doors,
        store: Arc::new(store),
        limits,
        way: Way::BEST,
        name: host_name(),
        notes: vec![("fence", fence.words().to_owned())],
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
    let lines = headless::lines(handle.feed, format, io::stdout());
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

fn connect(args: &ConnectArgs) -> anyhow::Result<ExitCode> {
    let url = crate::cli::url(&args.url, args.common.any_port)?;
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

fn get(args: &GetArgs) -> anyhow::Result<ExitCode> {
    let goals = args.goals()?;
    let landing = landing(&args.landing)?;
    let voice = match (args.json, is_terminal() && io::stderr().is_terminal()) {
        (true, _) => Voice::Json,
        (false, true) => Voice::Bars,
        (false, false) => Voice::Plain,
    };
    let runtime = runtime()?;
    let mut signals = signals(&runtime)?;
    let code = runtime.block_on(async {
        let mut code = 0;
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
            let mut handle = net::start(Engine::Dial(dial));
            let (mut out, mut err) = (io::stdout(), io::stderr());
            let errand = errand::get(&mut handle, paths, voice, &mut out, &mut err);
            let done = tokio::select! {
                done = errand => Some(done),
                () = signals.any() => None,
            };
            let _ = handle.commands.send(Command::Abort);
            let _ = timeout(LAST_MOMENT * 2, handle.task).await;
            match done {
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

fn ls(args: &LsArgs) -> anyhow::Result<ExitCode> {
    let url = crate::cli::url(&args.url, args.common.any_port)?;
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
        max_connections: most,
        max_unidentified: usize::try_from(args.max_unidentified).unwrap_or(usize::MAX),
        max_unidentified_per_address: usize::try_from(args.max_unidentified_per_address)
            .unwrap_or(usize::MAX),
        ..usual
    }
}

fn about_server(args: &ServeArgs, doors: &[Door], limits: &Limits) -> About {
    let mut badges = vec![Badge::READ_ONLY];
    if args.hidden {
        badges.push(Badge::DOTFILES);
    }
    let open = doors
        .iter()
        .any(|door| !door.addr().ip().to_canonical().is_loopback() && door.speak() != Speak::Auto);
    if open {
        badges.push(Badge::PLAINTEXT);
    }
    About {
        role: Role::Serve,
        subject: folder_name(&args.dir),
        landing: DisplayName::default(),
        badges,
        standing: None,
        max_connections: limits.max_connections,
    }
}

/// A folder's whole path, for the screen.
fn folder_name(dir: &Path) -> DisplayName {
    let whole = dir.canonicalize().unwrap_or_else(|_| dir.to_owned());
    DisplayName::new(whole.as_os_str().as_encoded_bytes())
}
