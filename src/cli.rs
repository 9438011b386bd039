//! What was typed, and what was meant: arguments in, plans out.
//!
//! clap reads the words; this file gives them meaning (addresses, URLs, limits)
//! and refuses what must not start, with exit 2 for wrong usage and 1 for what
//! is right but not allowed. It binds nothing, opens nothing and prints nothing.

mod goals;
mod listen;
mod peers;
mod store;
mod words;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};

pub use self::goals::Goal;
pub use self::peers::{PeersArgs, PeersVerb, RightArg};
pub use self::store::{MkdirArgs, MvArgs, PutArgs, RmArgs};
pub use self::words::Ports;
use self::words::{parse_grace, parse_listen, parse_rate, parse_size, parse_time};
use crate::address::{self, Unreadable, Url};
use crate::entity::{Dialect, Speak};
use crate::event::Clash;

/// Serve a folder under a live dashboard, fetch files from it under gauges.
#[derive(Debug, Parser)]
#[command(name = "ferrydeck", version, about, max_term_width = 100)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub verb: Verb,
}

/// The verbs.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Serve a folder: a dashboard on a terminal, event lines otherwise
    Serve(ServeArgs),
    /// Look around a server and fetch files from it, full screen
    Connect(ConnectArgs),
    /// Fetch files
    Get(GetArgs),
    /// Send files
    Put(PutArgs),
    /// List a remote folder
    Ls(LsArgs),
    /// Rename a remote file
    Mv(MvArgs),
    /// Make a remote folder
    Mkdir(MkdirArgs),
    /// Delete a remote file or folder
    Rm(RmArgs),
    /// Who may come to this machine's servers, and which servers are known
    Peers(PeersArgs),
}

/// `ferrydeck serve`.
#[derive(Args, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "flags of a command line")]
pub struct ServeArgs {
    /// The folder to serve
    #[arg(default_value = ".")]
    pub dir: PathBuf,
    /// Where to listen; repeatable. DIALECT is auto (default), classic, session, colon, drop, deck or deck+tls; off loopback auto means deck+tls; port 0 takes any free one; the default is auto@127.0.0.1:18814
    #[arg(long, value_name = "[DIALECT@]ADDR:PORT", value_parser = parse_listen)]
    pub listen: Vec<Listen>,
    /// Listen at every private address of this host too, deck inside TLS, code required [default port: 18814]
    #[arg(long, value_name = "PORT", num_args = 0..=1, require_equals = true, default_missing_value = "18814")]
    pub lan: Option<u16>,
    /// The folder for our key and the peers we know [default: `$XDG_STATE_HOME/ferrydeck`]
    #[arg(long, value_name = "DIR", env = "FERRYDECK_STATE_DIR")]
    pub state_dir: Option<PathBuf>,
    /// No screen: one line an event on stdout
    #[arg(long)]
    pub headless: bool,
    /// How event lines are written
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,
    /// Serve names that begin with a dot too
    #[arg(long)]
    pub hidden: bool,
    /// Let classic listeners use ports outside 1024..=64000
    #[arg(long)]
    pub any_port: bool,
    /// Let peers store new files and make folders (session, colon and drop: files, in DIR itself)
    #[arg(long)]
    pub allow_upload: bool,
    /// Let peers rename files (deck, session) and folders (deck)
    #[arg(long)]
    pub allow_rename: bool,
    /// Let peers delete files and empty folders, and replace files (deck)
    #[arg(long)]
    pub allow_delete: bool,
    /// Disk space uploads must leave free, as 500M or 2GiB [default: the smaller of 1 % and 1 GiB]
    #[arg(long, value_name = "SIZE", value_parser = parse_size)]
    pub min_free: Option<u64>,
    /// The moment between a session's reply and the data behind it
    #[arg(long, value_name = "TIME", default_value = "50ms", value_parser = parse_grace)]
    pub session_pause: Duration,
    /// How long a silence must be to end a session's upload
    #[arg(long, value_name = "TIME", default_value = "200ms", value_parser = parse_time)]
    pub session_quiet: Duration,
    /// What running transfers get when the server leaves
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = parse_grace)]
    pub grace: Duration,
    /// Connections at once [default: what the descriptor limit allows, at most 4096]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub max_connections: Option<u32>,
    /// Connections that have not said a whole request yet
    #[arg(long, value_name = "N", default_value_t = 256, value_parser = clap::value_parser!(u32).range(1..))]
    pub max_unidentified: u32,
    /// The same from one address (loopback has no such limit)
    #[arg(long, value_name = "N", default_value_t = 32, value_parser = clap::value_parser!(u32).range(1..))]
    pub max_unidentified_per_address: u32,
    /// Time to the first byte on an auto port
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = parse_time)]
    pub first_byte_timeout: Duration,
    /// Time for a request's head to be whole
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = parse_time)]
    pub head_timeout: Duration,
    /// Time for a whole classic request
    #[arg(long, value_name = "TIME", default_value = "1s", value_parser = parse_time)]
    pub request_timeout: Duration,
    /// The longest a transfer may stand still
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = parse_time)]
    pub stall_timeout: Duration,
    /// The longest pause between two requests
    #[arg(long, value_name = "TIME", default_value = "5m", value_parser = parse_time)]
    pub idle_timeout: Duration,
}

/// What clients share.
#[derive(Args, Debug)]
pub struct Common {
    /// Let classic URLs use ports outside 1024..=64000
    #[arg(long)]
    pub any_port: bool,
    /// Tell a colon server how many clients will come (1 to 9)
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(1..=9))]
    pub clients: Option<u8>,
    /// The folder for what ferrydeck remembers [default: `$XDG_STATE_HOME/ferrydeck`]
    #[arg(long, value_name = "DIR", env = "FERRYDECK_STATE_DIR")]
    pub state_dir: Option<PathBuf>,
    /// A file, readable by you alone, with the code of a server that is not known yet [else `FERRYDECK_CODE`, else it is asked for]
    #[arg(long, value_name = "FILE")]
    pub code_file: Option<PathBuf>,
}

/// How downloads land.
#[derive(Args, Debug)]
pub struct LandingArgs {
    /// The folder downloads land in; it must exist
    #[arg(short = 'o', long = "output", value_name = "DIR", default_value = ".")]
    pub dir: PathBuf,
    /// What to do when a local name is taken [default: ask on a terminal, else fail]
    #[arg(long, value_enum)]
    pub on_clash: Option<ClashArg>,
    /// Write names that begin with a dot too
    #[arg(long)]
    pub hidden: bool,
    /// Disk space to keep free, as 500M or 2GiB [default: the smaller of 1 % and 1 GiB]
    #[arg(long, value_name = "SIZE", value_parser = parse_size)]
    pub min_free: Option<u64>,
    /// Downloads at once
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u8).range(1..=64))]
    pub parallel: u8,
}

/// How deck moves payload.
#[derive(Args, Debug)]
pub struct MeansArgs {
    /// Take what comes as it is: deck checks every block against the file's hash otherwise
    #[arg(long)]
    pub no_verify: bool,
    /// Bytes a second in all, as 500k or 10M [default: as fast as it goes]
    #[arg(long, value_name = "RATE", value_parser = parse_rate)]
    pub limit: Option<u64>,
}

impl MeansArgs {
    /// Whether a dialect can do what was typed.
    fn admit(&self, dialect: Dialect) -> Result<(), Fault> {
        let typed = match (self.no_verify, self.limit) {
            _ if dialect.is_deck() => return Ok(()),
            (true, _) => "--no-verify",
            (_, Some(_)) => "--limit",
            (false, None) => return Ok(()),
        };
        let words = format!("{typed} is deck's; {} has nothing of it", dialect.label());
        Err(Fault::usage(words))
    }
}

/// How many connections a download may have.
#[derive(Args, Debug)]
pub struct StreamsArgs {
    /// Connections for one file of 64 MiB or more (deck)
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u8).range(1..=16))]
    pub streams: u8,
}

/// `ferrydeck connect`.
#[derive(Args, Debug)]
pub struct ConnectArgs {
    /// `deck://host[:port]/folder`, `deck+tls://`, or `classic://`, `session://`, `colon://`, `drop://host[:port]`; `host:port` means deck
    pub url: String,
    /// How downloads land.
    #[command(flatten)]
    pub landing: LandingArgs,
    /// How deck moves payload.
    #[command(flatten)]
    pub means: MeansArgs,
    /// How many connections a file may have.
    #[command(flatten)]
    pub streams: StreamsArgs,
    /// What clients share.
    #[command(flatten)]
    pub common: Common,
}

/// `ferrydeck get`.
#[derive(Args, Debug)]
pub struct GetArgs {
    /// URLs of files; or classic's own three words: HOST PORT NAME
    #[arg(required = true, value_name = "URL")]
    pub what: Vec<String>,
    /// Fetch folders with all that is in them (deck)
    #[arg(short, long)]
    pub recursive: bool,
    /// How downloads land.
    #[command(flatten)]
    pub landing: LandingArgs,
    /// How deck moves payload.
    #[command(flatten)]
    pub means: MeansArgs,
    /// How many connections a download may have.
    #[command(flatten)]
    pub streams: StreamsArgs,
    /// One JSON object an event on stdout
    #[arg(long)]
    pub json: bool,
    /// What clients share.
    #[command(flatten)]
    pub common: Common,
}

/// `ferrydeck ls`.
#[derive(Args, Debug)]
pub struct LsArgs {
    /// The folder's URL, or a file's
    pub url: String,
    /// Tell each file's BLAKE3 hash, which the server computes if it has to (deck)
    #[arg(long)]
    pub hash: bool,
    /// One JSON object an entry
    #[arg(long)]
    pub json: bool,
    /// What clients share.
    #[command(flatten)]
    pub common: Common,
}

/// How event lines are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For a person
    Text,
    /// One JSON object a line
    Json,
}

/// What to do with taken names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ClashArg {
    /// Ask (fails where there is no terminal)
    Ask,
    /// Fail; nothing is touched
    Fail,
    /// Leave it and go on
    Skip,
    /// Land as `name (1).ext`
    Rename,
    /// Replace it once the new one is complete
    Overwrite,
}

/// A listener as typed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Listen {
    /// What it takes.
    pub speak: Speak,
    /// Where.
    pub addr: SocketAddr,
}

/// What must not start, and with which exit code.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{words}")]
pub struct Fault {
    /// 2 wrong usage, 1 right but not allowed.
    pub code: u8,
    /// One line for stderr.
    pub words: String,
}

impl Fault {
    /// Wrong usage.
    pub fn usage(words: impl Into<String>) -> Self {
        Self {
            code: 2,
            words: words.into(),
        }
    }

    /// Right, but not to be had.
    pub fn failed(words: impl Into<String>) -> Self {
        Self {
            code: 1,
            words: words.into(),
        }
    }
}

fn admit_classic_port(port: u16, ports: Ports) -> Result<(), Fault> {
    if ports == Ports::Any || (1024..=64_000).contains(&port) {
        return Ok(());
    }
    Err(Fault::failed(format!(
        "port {port} is outside 1024..=64000, which classic programs accept (--any-port allows it)"
    )))
}

/// A URL with its port checked.
pub fn url(word: &str, ports: Ports) -> Result<Url, Fault> {
    let url = address::parse(word).map_err(|why| match why {
        // What must not be read is not said again.
        Unreadable::Code => Fault::usage(why.to_string()),
        why => Fault::usage(format!("{word}: {why}")),
    })?;
    if url.dialect == Dialect::Classic {
        admit_classic_port(url.port, ports)?;
    }
    Ok(url)
}

impl ClashArg {
    /// The answer it stands for, if it is one.
    pub const fn answer(self) -> Option<Clash> {
        match self {
            Self::Ask | Self::Fail => None,
            Self::Skip => Some(Clash::Skip),
            Self::Rename => Some(Clash::Rename),
            Self::Overwrite => Some(Clash::Overwrite),
        }
    }
}

#[cfg(test)]
#[path = "cli_tests.rs"]
mod tests;
