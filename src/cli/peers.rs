//! `peers`: who may come, and which servers are known.
//!
//! A pin is given by its first digits, enough of them to mean one. Like the rest of the
//! command line it opens no file: which pins there are, the launch looks up.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use crate::entity::Rights;

/// `ferrydeck peers`.
#[derive(Args, Debug)]
pub struct PeersArgs {
    /// What to do.
    #[command(subcommand)]
    pub verb: PeersVerb,
    /// The folder for our key and the peers we know [default: `$XDG_STATE_HOME/ferrydeck`]
    #[arg(long, value_name = "DIR", env = "FERRYDECK_STATE_DIR", global = true)]
    pub state_dir: Option<PathBuf>,
}

/// What can be done with peers. PIN is a key's first 8 hex digits or more.
#[derive(Debug, Subcommand)]
pub enum PeersVerb {
    /// List the peers that may come and the servers that are known
    List {
        /// One JSON object a line
        #[arg(long)]
        json: bool,
    },
    /// Give a peer another name
    Name {
        /// The first 8 hex digits of its key, or more
        pin: String,
        /// Its name here
        name: String,
    },
    /// Grant a peer rights, beside those it has; the server's own flags still hold
    Grant {
        /// The first 8 hex digits of its key, or more
        pin: String,
        /// Which
        #[arg(required = true, value_name = "RIGHT")]
        rights: Vec<RightArg>,
    },
    /// Take rights from a peer; holds at its next request
    Revoke {
        /// The first 8 hex digits of its key, or more
        pin: String,
        /// Which
        #[arg(required = true, value_name = "RIGHT")]
        rights: Vec<RightArg>,
    },
    /// Forget a peer or a server: the code has to be proved again
    Forget {
        /// The first 8 hex digits of its key, or more
        pin: String,
    },
}

/// A right, as typed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum RightArg {
    /// List and fetch
    Read,
    /// Store new files, make folders
    Upload,
    /// Rename
    Rename,
    /// Delete
    Delete,
    /// Watch and steer the server
    Operate,
}

impl RightArg {
    /// All of these, and no other.
    pub fn together(rights: &[Self]) -> Rights {
        rights.iter().fold(Rights::default(), |all, right| {
            let one = match right {
                Self::Read => Rights { read: true, ..all },
                Self::Upload => Rights {
                    upload: true,
                    ..all
                },
                Self::Rename => Rights {
                    rename: true,
                    ..all
                },
                Self::Delete => Rights {
                    delete: true,
                    ..all
                },
                Self::Operate => Rights {
                    operate: true,
                    ..all
                },
            };
            Rights::from_bits(one.bits())
        })
    }
}
