//! What every dialect must answer: requests, replies, refusals, and two traits.
//!
//! Sans-io: bytes in, bytes out. Nothing here or in any dialect may name
//! tokio, a socket, a file or a clock. A codec sees heads only; payload passes
//! it by as a *run* of raw bytes whose length it announced or learned (law 3).

use crate::entity::{Dialect, Entry, RemotePath};

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
            Self::Ping { .. } => "ping",
        }
    }

    /// The path it is about, if it is about one.
    pub const fn path(&self) -> Option<&RemotePath> {
        match self {
            Self::List { path } | Self::Stat { path } | Self::Get { path, .. } => Some(path),
            Self::Hello { .. } | Self::Ping { .. } => None,
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

/// What is said of a file before its payload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Content {
    /// The whole file's bytes.
    pub size: u64,
    /// The byte the payload starts from.
    pub offset: u64,
    /// Seconds since 1970 UTC, where the dialect tells.
    pub mtime: Option<i64>,
    /// The mark of this content, where the dialect has one.
    pub version: Option<Version>,
}

/// What a server may answer, in any dialect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// To `Hello`.
    Welcome(Welcome),
    /// To `List`, as often as it takes.
    Page(Page),
    /// To `Stat`.
    Stat {
        /// Name, kind, size and time; the root has an empty name.
        entry: Entry,
        /// The mark of a file's content.
        version: Option<Version>,
    },
    /// To `Get`: payload follows, framed by `next_run` and `finish`.
    Content(Content),
    /// To `Ping`.
    Pong {
        /// As it came.
        token: u64,
    },
    /// To anything: no.
    Refused(Refusal),
}

/// A server's greeting.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Welcome {
    /// The server's name for itself; may be dirty.
    pub name: Box<str>,
    /// What this peer may do.
    pub rights: Rights,
}

/// What a peer may do here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "four rights, each its own")]
pub struct Rights {
    /// List and fetch.
    pub read: bool,
    /// Store new files.
    pub upload: bool,
    /// Rename.
    pub rename: bool,
    /// Delete.
    pub delete: bool,
}

/// A part of a folder.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// In the folder's own order.
    pub entries: Vec<Entry>,
    /// Names that are not UTF-8: counted, not listed.
    pub unlisted: u64,
    /// Whether another page follows.
    pub more: bool,
}

/// Why the answer is no, as far as the peer may know.
///
/// Not there, not allowed, a folder, outside the root: the peer sees one answer
/// (`NotFound`); the operator sees which.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Refusal {
    /// There is no such file for this peer.
    NotFound,
    /// The content is not the one the client believes in.
    Changed,
    /// `offset` lies behind the end.
    BadOffset,
    /// The dialect cannot carry a file of this size.
    TooLarge,
    /// The request exists but this server does not do it.
    Unsupported,
    /// The disk failed.
    Failed,
    /// The server is leaving.
    Leaving,
}

impl Refusal {
    /// Every refusal.
    pub const ALL: [Self; 7] = [
        Self::NotFound,
        Self::Changed,
        Self::BadOffset,
        Self::TooLarge,
        Self::Unsupported,
        Self::Failed,
        Self::Leaving,
    ];

    /// One word for scripts: JSON's `cause`.
    pub const fn label(self) -> &'static str {
        match self {
            Self::NotFound => "not_found",
            Self::Changed => "changed",
            Self::BadOffset => "bad_offset",
            Self::TooLarge => "too_large",
            Self::Unsupported => "unsupported",
            Self::Failed => "failed",
            Self::Leaving => "leaving",
        }
    }

    /// A sentence for a person.
    pub const fn words(self) -> &'static str {
        match self {
            Self::NotFound => "not found, or not served",
            Self::Changed => "the file has changed",
            Self::BadOffset => "the file is shorter than that",
            Self::TooLarge => "the file is larger than this protocol can carry",
            Self::Unsupported => "this server does not do that",
            Self::Failed => "the server could not read it",
            Self::Leaving => "the server is shutting down",
        }
    }
}

/// A peer broke its protocol.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Malformed {
    /// One fixed word for scripts: `magic`, `type`, `length`, `short`, `cbor`, …
    pub cause: &'static str,
    /// A sentence for a person; may quote the peer, so it is cleaned before it is shown.
    pub detail: String,
}

impl Malformed {
    /// A broken rule with its words.
    pub fn new(cause: &'static str, detail: impl Into<String>) -> Self {
        Self {
            cause,
            detail: detail.into(),
        }
    }
}

/// Whether a connection goes on after a reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum After {
    /// The next request may come.
    Next,
    /// The dialect has one request a connection, or nothing more can be said.
    Close,
}

/// The serving half of a dialect, one instance a connection.
pub trait ServerCodec: Send {
    /// Which dialect.
    fn dialect(&self) -> Dialect;

    /// The most bytes a head can take; the connection buffers no more than this
    /// before `decode` has said something.
    fn head_limit(&self) -> usize;

    /// Reads one request from the front of `input`: the bytes it used and the request.
    ///
    /// `Ok(None)` means more bytes are needed. It is called again with the same
    /// bytes and more behind them; it must not depend on how they were cut.
    /// It never reads beyond the request, and never allocates by a length the
    /// peer announced.
    fn decode(&mut self, input: &[u8]) -> Result<Option<(usize, Request)>, Malformed>;

    /// How many bytes the unfinished head in `input` needs in all, if that can
    /// be told yet; for "3 of 10 bytes".
    fn wants(&self, input: &[u8]) -> Option<usize>;

    /// The peer closed with `input` unread: a clean end, or a request cut short.
    fn eof(&self, input: &[u8]) -> Result<(), Malformed>;

    /// Appends a reply's bytes. For [`Reply::Content`] only what precedes the payload.
    fn encode(&mut self, reply: &Reply, out: &mut Vec<u8>) -> After;

    /// The largest file this dialect can carry, in bytes.
    fn size_limit(&self) -> u64;

    /// Frames the payload: appends what stands before the next raw run and
    /// returns the run's length, 1..=`left`. Called while bytes are left; `at`
    /// is the file offset of the run's first byte.
    fn next_run(&mut self, at: u64, left: u64, out: &mut Vec<u8>) -> u64;

    /// Appends what stands behind the last run. `spoilt` says that the content
    /// changed while it was sent, for dialects that have words for it.
    fn finish(&mut self, spoilt: Option<Refusal>, out: &mut Vec<u8>) -> After;
}

/// What a client hears.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// To `Hello`.
    Welcome(Welcome),
    /// A part of a folder.
    Page(Page),
    /// To `Stat`.
    Stat {
        /// Name, kind, size and time.
        entry: Entry,
        /// The mark of a file's content.
        version: Option<Version>,
    },
    /// A file follows.
    Content(Content),
    /// `len` raw bytes follow, the file's from `offset` on. The codec has
    /// checked that runs follow each other without a gap and never pass the
    /// announced size. The caller takes them off the stream before it calls
    /// `decode` again.
    Run {
        /// Where they belong.
        offset: u64,
        /// How many, at least 1.
        len: u64,
    },
    /// The file is whole: as many bytes as announced, and the end was told.
    End,
    /// To `Ping`.
    Pong {
        /// As it went.
        token: u64,
    },
    /// No.
    Refused {
        /// The reason, as far as the dialect tells it.
        refusal: Refusal,
    },
}

/// The asking half of a dialect, one instance a connection.
pub trait ClientCodec: Send + Sync {
    /// Which dialect.
    fn dialect(&self) -> Dialect;

    /// Appends what a client says before anything else; nothing in most dialects.
    /// True if an answer ([`Answer::Welcome`]) must be awaited before asking.
    fn greet(&mut self, name: &str, out: &mut Vec<u8>) -> bool;

    /// Appends a request's bytes.
    ///
    /// # Errors
    /// The dialect has no such request, or cannot carry this name: said before
    /// anything is sent.
    fn ask(&mut self, request: &Request, out: &mut Vec<u8>) -> Result<(), Malformed>;

    /// Reads one answer from the front of `input`: the bytes it used (may be 0) and the
    /// answer. `Ok(None)` means more bytes are needed.
    fn decode(&mut self, input: &[u8]) -> Result<Option<(usize, Answer)>, Malformed>;

    /// The server closed with `input` unread: an answer where close is one
    /// (classic's [`Answer::End`]), else what is missing.
    fn eof(&mut self, input: &[u8]) -> Result<Answer, Malformed>;

    /// The server has been silent for as long as it may, with all it sent read:
    /// an answer where silence can be one, else `None`.
    fn quiet(&mut self) -> Option<Answer>;

    /// The most bytes an answer's head can take.
    fn head_limit(&self) -> usize;
}
