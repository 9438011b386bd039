//! What was typed, and what was meant: arguments in, plans out.
//!
//! clap reads the words; this file gives them meaning (addresses, URLs, limits)
//! and refuses what must not start, with exit 2 for wrong usage and 1 for what
//! is right but not allowed. It binds nothing, opens nothing and prints nothing.

mod listen;
mod peers;
mod store;
mod words;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};

pub use self::peers::{PeersArgs, PeersVerb, RightArg};
pub use self::store::{MvArgs, PutArgs};
pub use self::words::Ports;
use self::words::{parse_grace, parse_listen, parse_size, parse_time};
use crate::address::{self, Unreadable, Url};
use crate::entity::{Dialect, RemotePath, Speak};
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

/// `ferrydeck connect`.
#[derive(Args, Debug)]
pub struct ConnectArgs {
    /// `deck://host[:port]/folder`, or `classic://`, `session://`, `colon://`, `drop://host[:port]`; `host:port` means deck
    pub url: String,
    /// How downloads land.
    #[command(flatten)]
    pub landing: LandingArgs,
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
    /// How downloads land.
    #[command(flatten)]
    pub landing: LandingArgs,
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
    /// The folder's URL
    pub url: String,
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

/// Where a client goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Goal {
    /// The server and the path on it.
    pub url: Url,
    /// Whether a taken local name always fails (classic's own three words).
    pub never_clash: bool,
}

impl GetArgs {
    /// What is to be fetched, in order.
    pub fn goals(&self) -> Result<Vec<Goal>, Fault> {
        if let Some(goal) = self.three_words()? {
            return Ok(vec![goal]);
        }
        self.what
            .iter()
            .map(|word| {
                let url = url(word, self.common.ports())?;
                if !url.dialect.gets() {
                    let words = format!("{} has no way to fetch files", url.dialect.label());
                    return Err(Fault::failed(words));
                }
                store::admit_clients(url.dialect, self.common.clients)?;
                if url.path.file_name().is_empty() {
                    return Err(Fault::usage(format!("{word} names no file")));
                }
                Ok(Goal {
                    url,
                    never_clash: false,
                })
            })
            .collect()
    }

    /// `HOST PORT NAME`: told by a second word that is all digits.
    fn three_words(&self) -> Result<Option<Goal>, Fault> {
        let digits = |word: &String| !word.is_empty() && word.bytes().all(|b| b.is_ascii_digit());
        if !self.what.get(1).is_some_and(digits) {
            return Ok(None);
        }
        let [host, port, name] = &self.what[..] else {
            return Err(Fault::usage("HOST PORT NAME takes exactly three words"));
        };
        let port: u16 = port
            .parse()
            .map_err(|_| Fault::failed(format!("port {port} is outside 1024..=64000")))?;
        admit_classic_port(port, self.common.ports())?;
        if name.is_empty() {
            return Err(Fault::usage("the NAME is empty"));
        }
        let host = host.trim_start_matches('[').trim_end_matches(']');
        Ok(Some(Goal {
            url: Url {
                dialect: Dialect::Classic,
                host: host.to_owned(),
                port,
                path: RemotePath::from(name.as_str()),
            },
            never_clash: true,
        }))
    }
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
