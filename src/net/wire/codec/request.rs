//! What a client may ask, in any dialect, and the mark it may ask by.
//!
//! Nouns only: what a request is, what it is called, which path it is about. How
//! a dialect writes one is the dialect's; who may ask it and what the answer is,
//! this room must never know. No bytes of a wire, no clock, no file.

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
    /// The content of a file.
    Get {
        /// Which file.
        path: RemotePath,
        /// The byte to start from; may equal the size, never more.
        offset: u64,
        /// The content the client believes in; another one is refused as changed.
        version: Option<Version>,
    },
    /// A file to be stored: its payload follows, and [`Payload::take`](super::Payload::take) tells its end.
    Put {
        /// Under which name.
        path: RemotePath,
        /// How many bytes are announced; a wish, not a fact.
        size: Option<u64>,
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
            Self::Get { .. } => "get",
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
            | Self::Rename { from: path, .. } => Some(path),
            Self::Hello { .. }
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
