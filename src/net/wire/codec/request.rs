//! What a client may ask, in any dialect, and the mark it may ask by.
//!
//! Nouns only: what a request is, what it is called, which path it is about. How
//! a dialect writes one is the dialect's; who may ask it and what the answer is,
//! this room must never know. No bytes of a wire, no clock, no file.

use super::Mac;
use crate::entity::RemotePath;

/// What a client may ask, in any dialect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// deck: who is there, and which versions it speaks.
    Hello {
        /// The client's name for itself, for the operator's screen; may be dirty.
        name: Box<str>,
    },
    /// The entries of a folder, streamed in pages.
    List {
        /// Which folder; empty for the root.
        path: RemotePath,
    },
    /// What a path stands for.
    Stat {
        /// Which path.
        path: RemotePath,
    },
    /// deck inside TLS, before all else: who knows the code proves it.
    Prove {
        /// Over both keys and this TLS session (deck, "Pairing").
        proof: Mac,
        /// The client's name for itself; may be dirty.
        name: Box<str>,
    },
    /// The content of a file.
    Get {
        /// Which file.
        path: RemotePath,
        /// The byte to start from; may equal the size, never more.
        offset: u64,
        /// The content the client believes in; another one is refused as changed.
        version: Option<Version>,
    },
    /// deck: a stretch of a file, in whole blocks that carry their values.
    Fetch {
        /// Which file.
        path: RemotePath,
        /// The byte to start from: a block's first, or the file's end.
        offset: u64,
        /// The byte behind the last one wanted: a block's first; `None` and what lies
        /// beyond the end mean the file's end.
        until: Option<u64>,
        /// The content the client believes in; another one is refused as changed.
        version: Option<Version>,
        /// Whether the blocks carry their values.
        check: Check,
    },
    /// deck: the values of a file's blocks, and its root.
    Tree {
        /// Which file.
        path: RemotePath,
        /// The content the client believes in.
        version: Option<Version>,
        /// Whether the values are wanted, or the root alone.
        detail: Detail,
    },
    /// A file to be stored: its payload follows, and [`Payload::take`](super::Payload::take) tells its end.
    Put {
        /// Under which name.
        path: RemotePath,
        /// How many bytes are announced; a wish, not a fact.
        size: Option<u64>,
    },
    /// deck: a file to be stored, in blocks that [`ServerCodec::piece`](super::ServerCodec::piece) tells.
    Store {
        /// Under which path.
        path: RemotePath,
        /// Its bytes, exactly.
        size: u64,
        /// What else there is to say of it.
        terms: Box<Terms>,
    },
    /// deck: a new folder.
    MakeFolder {
        /// Which; its parent must be there.
        path: RemotePath,
    },
    /// deck: a file or an empty folder, away for good.
    Delete {
        /// Which.
        path: RemotePath,
    },
    /// Another name for a file.
    Rename {
        /// The name it has.
        from: RemotePath,
        /// The name it gets.
        to: RemotePath,
    },
    /// What can one ask here?
    Help,
    /// The client leaves.
    Bye,
    /// Something that needs no answer: colon's count of clients.
    Aside,
    /// Something not understood that must be answered all the same, or the peer waits for ever.
    Other,
    /// Is anybody there?
    Ping {
        /// Comes back in the answer.
        token: u64,
    },
}

impl Request {
    /// The word for the operator's screen and JSON's `cause`.
    pub const fn label(&self) -> &'static str {
        match self {
            Self::Hello { .. } => "hello",
            Self::List { .. } => "list",
            Self::Stat { .. } => "stat",
            Self::Prove { .. } => "prove",
            Self::Get { .. } => "get",
            Self::Fetch { .. } => "fetch",
            Self::Store { .. } => "store",
            Self::Tree { .. } => "tree",
            Self::MakeFolder { .. } => "mkdir",
            Self::Delete { .. } => "delete",
            Self::Put { .. } => "put",
            Self::Rename { .. } => "rename",
            Self::Help => "help",
            Self::Bye => "bye",
            Self::Aside => "aside",
            Self::Other => "other",
            Self::Ping { .. } => "ping",
        }
    }

    /// The path it is about, if it is about one.
    pub const fn path(&self) -> Option<&RemotePath> {
        match self {
            Self::List { path }
            | Self::Stat { path }
            | Self::Get { path, .. }
            | Self::Put { path, .. }
            | Self::Fetch { path, .. }
            | Self::Store { path, .. }
            | Self::Tree { path, .. }
            | Self::MakeFolder { path }
            | Self::Delete { path }
            | Self::Rename { from: path, .. } => Some(path),
            Self::Hello { .. }
            | Self::Prove { .. }
            | Self::Help
            | Self::Bye
            | Self::Aside
            | Self::Other
            | Self::Ping { .. } => None,
        }
    }
}

/// An opaque mark of one state of one file: it changes whenever the content may have.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Version(Box<[u8]>);

impl Version {
    /// Bytes at the most.
    pub const MAX: usize = 64;

    /// Takes a mark; `None` when it is longer than [`Self::MAX`].
    pub fn new(bytes: &[u8]) -> Option<Self> {
        (bytes.len() <= Self::MAX).then(|| Self(bytes.into()))
    }

    /// The mark.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl From<[u8; 56]> for Version {
    fn from(mark: [u8; 56]) -> Self {
        Self(Box::new(mark))
    }
}

/// What deck says of a file that is to be stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Terms {
    /// Marks this content on the sender's side: the same mark goes on with what an
    /// earlier try has brought, another one begins anew.
    pub source: Version,
    /// Seconds since 1970 UTC, to be kept.
    pub mtime: Option<i64>,
    /// What happens if the name is taken.
    pub taken: Taken,
    /// Whether blocks carry their values.
    pub check: Check,
    /// Whether the payload follows without waiting for `Reply::Here`.
    pub pace: Pace,
}

/// Whether a payload is checked against the file's tree.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Check {
    /// No values: bytes alone.
    None,
    /// Every block carries its value, the end carries the root if it is known by then.
    #[default]
    Blocks,
    /// The same, and what the server has kept of the tree is doubted: it is made anew.
    Anew,
}

/// What is wanted of a tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Detail {
    /// The root.
    Root,
    /// Every block's value, and the root.
    Values,
}

/// When a payload leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// When the server has said which blocks it wants.
    Asked,
    /// At once, all of it: what is refused is read and forgotten.
    Eager,
    /// As asked, and only these blocks: a share of an asked one that is under way on
    /// another connection.
    Share(super::Span),
}

/// What happens if the name of a stored file is taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Taken {
    /// It is refused.
    #[default]
    Refuse,
    /// The file lands as `name (1).ext`.
    Rename,
    /// The file there is replaced once the new one is complete.
    Replace,
}
