//! From a plan to a running program: descriptors, folders, ports, runtime.
//!
//! Everything that can be refused is refused here, in one line on stderr and
//! before a screen is up. It opens and binds; what runs afterwards is the
//! engine's, the screen's and the errand's.

use std::io::{self, IsTerminal as _, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::runtime::Runtime;
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::timeout;

use crate::address::Url;
use crate::app::{self, Exit};
use crate::cli::{
    ClashArg, Cli, Common, ConnectArgs, Fault, GetArgs, Goal, LandingArgs, LsArgs, ServeArgs, Verb,
};
use crate::entity::{DisplayName, RemotePath, Speak};
use crate::errand::{self, Done, Listing, Voice};
use crate::event::Command;
use crate::headless;
use crate::model::{About, Badge, Role};
use crate::net::client::dial::{Patience, Target};
use crate::net::client::{Dial, OnClash};
use crate::net::fence::give_up_writing;
use crate::net::pump::Way;
use crate::net::server::{Door, Limits, Serve};
use crate::net::store::landing::{Floor, Landing, Make};
use crate::net::store::{Dotfiles, Store};
use crate::net::{self, Engine, Handle};

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
    done.unwrap_or_else(|fault| {
        // One line, whatever a name in it holds.
        let words = DisplayName::from(fault.words.as_str());
        let _ = writeln!(io::stderr(), "ferrydeck: {words}");
        ExitCode::from(fault.code)
    })
}

fn serve(args: &ServeArgs) -> Result<ExitCode, Fault> {
    let listeners = args.listeners()?;
    let dotfiles = dotfiles(args.hidden);
    let store = Store::open(&args.dir, dotfiles)
        .map_err(|error| Fault::failed(format!("cannot serve {}: {error}", args.dir.display())))?;
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
    let handle = start(&runtime, engine);
    let code = if screen {
        match screen_loop(handle, &about)? {
            Exit::Code(code) => code,
            Exit::NoScreen(why) => return Err(no_screen(&why)),
            Exit::ScreenLost(handle) => runtime.block_on(attend(*handle, args.format)),
        }
    } else {
        runtime.block_on(attend(handle, args.format))
    };
    runtime.shutdown_timeout(LAST_MOMENT);
    Ok(ExitCode::from(code))
}

/// Starts an engine on its runtime, from outside.
fn start(runtime: &Runtime, engine: Engine) -> Handle {
    let _inside = runtime.enter();
    net::start(engine)
}

/// Runs the screen on a runtime of its own, on this thread: its timers wait for
/// no worker that is busy with payload.
fn screen_loop(handle: Handle, about: &About) -> Result<Exit, Fault> {
    let screen = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Fault::failed(format!("cannot start: {error}")))?;
    Ok(screen.block_on(app::run_on_terminal(handle, about)))
}

fn no_screen(why: &io::Error) -> Fault {
    Fault::failed(format!("no screen: {why}"))
}

/// Runs a server without a screen to its end.
async fn attend(mut handle: Handle, format: crate::cli::Format) -> u8 {
    let commands = handle.commands.clone();
    let lines = headless::lines(handle.feed, format, io::stdout());
    let interrupts = tokio::spawn(async move {
        let Ok(mut signals) = Signals::new() else {
            return std::future::pending().await;
        };
        signals.any().await;
        let _ = commands.send(Command::Leave { grace: None });
        signals.any().await;
        let _ = commands.send(Command::Abort);
    });
    let over = tokio::select! {
        _ = &mut handle.task => 0,
        _ = interrupts => INTERRUPTED,
    };
    let _ = timeout(LAST_MOMENT, lines).await;
    over
}

/// SIGINT and SIGTERM; SIGHUP is heard and means nothing to a server.
struct Signals {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
    hang_up: tokio::signal::unix::Signal,
}

impl Signals {
    fn new() -> io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hang_up: signal(SignalKind::hangup())?,
        })
    }

    async fn any(&mut self) {
        loop {
            tokio::select! {
                _ = self.interrupt.recv() => return,
                _ = self.terminate.recv() => return,
                _ = self.hang_up.recv() => {}
            }
        }
    }
}

fn connect(args: &ConnectArgs) -> Result<ExitCode, Fault> {
    let url = crate::cli::url(&args.url, args.common.any_port)?;
    if !is_terminal() {
        return Err(Fault::usage(
            "connect needs a terminal; `ferrydeck get` and `ferrydeck ls` need none",
        ));
    }
    let landing = landing(&args.landing)?;
    let on_clash = on_clash(args.landing.on_clash, OnClash::Ask);
    let dial = dial(&url, &args.landing, &args.common, landing, on_clash);
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
    let handle = start(&runtime, Engine::Dial(dial));
    let _ = handle.commands.send(Command::Open(url.path.clone()));
    let code = match screen_loop(handle, &about)? {
        Exit::Code(code) => code,
        Exit::NoScreen(why) => return Err(no_screen(&why)),
        // Nobody looks and nobody can steer: a client has no more to do.
        Exit::ScreenLost(_) => 1,
    };
    runtime.shutdown_timeout(LAST_MOMENT);
    Ok(ExitCode::from(code))
}

fn get(args: &GetArgs) -> Result<ExitCode, Fault> {
    let goals = args.goals()?;
    let landing = landing(&args.landing)?;
    let voice = match (args.json, is_terminal() && io::stderr().is_terminal()) {
        (true, _) => Voice::Json,
        (false, true) => Voice::Bars,
        (false, false) => Voice::Plain,
    };
    let usual = if voice == Voice::Bars {
        OnClash::Ask
    } else {
        OnClash::Fail
    };
    let runtime = runtime()?;
    let code = runtime.block_on(async {
        let mut code = 0;
        for (url, wanted, never_clash) in by_server(goals) {
            let on_clash = if never_clash {
                OnClash::Fail
            } else {
                match on_clash(args.landing.on_clash, OnClash::Ask) {
                    // Nothing prompts without a person to answer.
                    OnClash::Ask if voice != Voice::Bars => OnClash::Fail,
                    OnClash::Ask if args.landing.on_clash.is_none() => usual,
                    other => other,
                }
            };
            let dial = dial(
                &url,
                &args.landing,
                &args.common,
                Arc::clone(&landing),
                on_clash,
            );
            let mut handle = net::start(Engine::Dial(dial));
            let (mut out, mut err) = (io::stdout(), io::stderr());
            let errand = errand::get(&mut handle, wanted, voice, &mut out, &mut err);
            match until_interrupted(errand).await {
                Some(Done::Well) => {}
                Some(Done::Badly) => code = 1,
                Some(Done::Unheard) => return code,
                None => code = INTERRUPTED,
            }
            let _ = handle.commands.send(Command::Abort);
            let _ = timeout(LAST_MOMENT * 2, handle.task).await;
            if code == INTERRUPTED {
                break;
            }
        }
        code
    });
    runtime.shutdown_timeout(LAST_MOMENT);
    Ok(ExitCode::from(code))
}

/// One engine a server: the goals in their order, those of one server together.
fn by_server(goals: Vec<Goal>) -> Vec<(Url, Vec<RemotePath>, bool)> {
    let mut groups: Vec<(Url, Vec<RemotePath>, bool)> = Vec::new();
    for Goal { url, never_clash } in goals {
        let (path, server) = (
            url.path.clone(),
            Url {
                path: RemotePath::root(),
                ..url
            },
        );
        match groups.iter_mut().find(|(known, ..)| *known == server) {
            Some((_, paths, _)) => paths.push(path),
            None => groups.push((server, vec![path], never_clash)),
        }
    }
    groups
}

fn ls(args: &LsArgs) -> Result<ExitCode, Fault> {
    let url = crate::cli::url(&args.url, args.common.any_port)?;
    if !url.dialect.lists() {
        return Err(Fault::failed(format!(
            "{} has no way to list files",
            url.dialect.label()
        )));
    }
    let how = if args.json {
        Listing::Json
    } else {
        Listing::Text
    };
    // `ls` lands nothing; the engine wants a folder all the same.
    let landing = Landing::open(Path::new("."), Dotfiles::Hidden, Floor::Usual, Make::Best)
        .map_err(|error| Fault::failed(format!("the current folder cannot be opened: {error}")))?;
    let usual = LandingArgs {
        dir: PathBuf::from("."),
        on_clash: None,
        hidden: false,
        min_free: None,
        parallel: 1,
    };
    let dial = dial(&url, &usual, &args.common, Arc::new(landing), OnClash::Fail);
    let runtime = runtime()?;
    let code = runtime.block_on(async {
        let mut handle = net::start(Engine::Dial(dial));
        let (mut out, mut err) = (io::stdout(), io::stderr());
        let errand = errand::ls(&mut handle, url.path.clone(), how, &mut out, &mut err);
        match until_interrupted(errand).await {
            Some(Done::Well | Done::Unheard) => 0,
            Some(Done::Badly) => 1,
            None => INTERRUPTED,
        }
    });
    runtime.shutdown_timeout(LAST_MOMENT);
    Ok(ExitCode::from(code))
}

async fn until_interrupted<T>(work: impl Future<Output = T>) -> Option<T> {
    let Ok(mut signals) = Signals::new() else {
        return Some(work.await);
    };
    tokio::select! {
        done = work => Some(done),
        () = signals.any() => None,
    }
}

fn dial(
    url: &Url,
    args: &LandingArgs,
    common: &Common,
    landing: Arc<Landing>,
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
        parallel: usize::from(args.parallel),
        name: host_name(),
        state: state_dir(common),
    }
}

fn landing(args: &LandingArgs) -> Result<Arc<Landing>, Fault> {
    let floor = args.min_free.map_or(Floor::Usual, Floor::Bytes);
    Landing::open(&args.dir, dotfiles(args.hidden), floor, Make::Best)
        .map(Arc::new)
        .map_err(|error| Fault::failed(format!("cannot land in {}: {error}", args.dir.display())))
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

fn is_terminal() -> bool {
    io::stdin().is_terminal() && io::stdout().is_terminal()
}

fn runtime() -> Result<Runtime, Fault> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Fault::failed(format!("cannot start: {error}")))
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

/// Raises the soft limit of descriptors to the hard one; what it is then.
fn raise_descriptors() -> u64 {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: maximum,
        maximum,
    };
    let now = match setrlimit(Resource::Nofile, raised) {
        Ok(()) => maximum,
        Err(_) => current,
    };
    now.unwrap_or(1 << 20)
}

fn host_name() -> Box<str> {
    let uname = rustix::system::uname();
    uname.nodename().to_string_lossy().into()
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

/// Where ferrydeck remembers things; `None` where there is no home.
fn state_dir(common: &Common) -> Option<PathBuf> {
    use etcetera::BaseStrategy as _;
    if let Some(dir) = &common.state_dir {
        return Some(dir.clone());
    }
    let base = etcetera::choose_base_strategy().ok()?;
    Some(base.state_dir()?.join("ferrydeck"))
}
