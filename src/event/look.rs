//! What only a screen looks at: who a peer is, what lets one in, what a choice holds.
//!
//! None of it has a line in a log or in JSON: it answers a question somebody is
//! looking at. It knows entities and dials; secrets in it have no `Debug`.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use super::ListingState;
use crate::entity::{Dialect, DisplayName, Entry, Pin, RemotePath, Rights, Root};
use crate::meter::Walk;

/// Who a peer is: the key it proved, and what is known under it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Who {
    /// Its key.
    pub pin: Pin,
    /// The name it gave, or the one the operator gave it.
    pub name: DisplayName,
    /// What it was granted when it came; the server's own flags hold beside it.
    pub granted: Rights,
}

/// Text that must not reach a log: `Debug` shows that it is there, and no more.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Box<str>);

impl Secret {
    /// Wraps it.
    pub fn new(text: impl Into<Box<str>>) -> Self {
        Self(text.into())
    }

    /// The text, for the one place that needs it.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// What lets a newcomer in: where to, and the code to prove.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invite {
    /// Where the server is reached, one URL an address, without the code.
    pub urls: Vec<Box<str>>,
    /// Sixteen characters in groups of four.
    pub code: Secret,
    /// What the QR holds: the first URL with the code behind a `#`.
    pub qr: Secret,
    /// How often the code has changed since the start.
    pub turns: u64,
}

/// A folder of this machine, in its own order.
#[derive(Clone, Debug)]
pub struct Local {
    /// Which folder; absolute.
    pub path: PathBuf,
    /// Its regular files and folders.
    pub entries: Arc<[Entry]>,
    /// Names that are not UTF-8: counted, not listed.
    pub unlisted: u64,
    /// Whether it could be read.
    pub state: ListingState,
}

/// How much a choice holds. Told when the counting begins and when it ends.
#[derive(Clone, Debug)]
pub struct Counted {
    /// The question's number, as `Command::Count` gave it.
    pub request: u64,
    /// The count, read once a frame.
    pub walk: Arc<Walk>,
    /// Whether it is over.
    pub state: ListingState,
}

/// A remote file's hash.
#[derive(Clone, Debug)]
pub struct Hashed {
    /// Of which file.
    pub path: RemotePath,
    /// The hash, or why there is none.
    pub root: Result<Root, DisplayName>,
}

/// A queue that an earlier run left unfinished.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Saved {
    /// Items that are not at their end.
    pub items: u64,
    /// Bytes they are in all, as far as their sizes are known.
    pub bytes: u64,
}

/// What can be asked of a server, by its dialect.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "six things, each its own")]
pub struct Offers {
    /// List folders.
    pub lists: bool,
    /// Fetch a file by its name.
    pub gets: bool,
    /// Store a file.
    pub puts: bool,
    /// Rename a file.
    pub renames: bool,
    /// Say what can be asked (session's `help`).
    pub helps: bool,
    /// Delete files and folders, make folders, tell a file's hash: deck.
    pub keeps: bool,
}

impl Offers {
    /// What a dialect has requests for.
    pub const fn of(dialect: Dialect) -> Self {
        Self {
            lists: dialect.lists(),
            gets: dialect.gets(),
            puts: dialect.puts(),
            renames: dialect.renames(),
            helps: matches!(dialect, Dialect::Session),
            keeps: dialect.is_deck(),
        }
    }

    /// What is left of it where the server has said what we may.
    #[must_use]
    pub const fn within(self, rights: Rights) -> Self {
        Self {
            lists: self.lists && rights.read,
            gets: self.gets && rights.read,
            puts: self.puts && rights.upload,
            renames: self.renames && rights.rename,
            ..self
        }
    }
}
