//! What the system gives a program: descriptors, signals, names, folders.
//!
//! Small questions with small answers, asked once at the start. It knows
//! nothing of engines and screens.

mod addresses;
mod secret;

use std::io::{self, IsTerminal as _};
use std::path::PathBuf;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::signal::unix::{Signal, SignalKind, signal};

pub use self::addresses::private_addresses;
pub use self::secret::ask_secret;

/// Whether a person sits there: stdin and stdout are terminals.
pub fn is_terminal() -> bool {
    io::stdin().is_terminal() && io::stdout().is_terminal()
}

/// Raises the soft limit of descriptors to the hard one; what it is then.
pub fn raise_descriptors() -> u64 {
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

/// This host's name for itself.
pub fn host_name() -> Box<str> {
    let uname = rustix::system::uname();
    uname.nodename().to_string_lossy().into()
}

/// Where ferrydeck remembers things, `$XDG_STATE_HOME/ferrydeck` unless one is
/// given; `None` where there is no home.
pub fn state_dir(given: Option<&PathBuf>) -> Option<PathBuf> {
    use etcetera::BaseStrategy as _;
    if let Some(dir) = given {
        return Some(dir.clone());
    }
    let base = etcetera::choose_base_strategy().ok()?;
    Some(base.state_dir()?.join("ferrydeck"))
}

/// SIGINT and SIGTERM, heard from the moment this is made; SIGHUP is heard and
/// means nothing.
#[derive(Debug)]
pub struct Signals {
    interrupt: Signal,
    terminate: Signal,
    hang_up: Signal,
}

impl Signals {
    /// Takes them over. Must be called inside a runtime.
    pub fn new() -> io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hang_up: signal(SignalKind::hangup())?,
        })
    }

    /// Waits for the next one that means to end us. Cancel safe.
    pub async fn any(&mut self) {
        loop {
            tokio::select! {
                _ = self.interrupt.recv() => return,
                _ = self.terminate.recv() => return,
                _ = self.hang_up.recv() => {}
            }
        }
    }
}
