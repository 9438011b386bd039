//! What a server may answer and a client hears, in any dialect; and every no.
//!
//! Nouns only. It knows entries and marks, and of a refusal what the peer may
//! know; the true reason is the operator's and must never come here. How a
//! dialect writes an answer is the dialect's. No bytes of a wire, no clock, no file.

use super::request::Version;
use super::{Mac, Value};
use crate::entity::{Entry, Rights, Root};

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

/// A part of a file's tree.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Values {
    /// The number of the block the first value belongs to.
    pub first: u64,
    /// Values of blocks that follow each other; none where only the root was wanted.
    pub values: Vec<Value>,
    /// The file's root, with the last part.
    pub root: Option<Root>,
    /// The file's bytes, and the mark of this content.
    pub size: u64,
    /// The mark of this content.
    pub version: Option<Version>,
    /// Whether another part follows.
    pub more: bool,
}

/// A stretch of blocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Span {
    /// The first block's number.
    pub first: u64,
    /// How many, at least 1.
    pub count: u64,
}

/// A file that was stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// The name it got, last component only.
    pub name: Box<str>,
    /// The root of what stands there, if blocks were checked.
    pub root: Option<Root>,
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
    /// To `Prove`: the server's own proof.
    Proof(Mac),
    /// To `Tree`, as often as it takes.
    Values(Values),
    /// To `Fetch`: payload follows, framed by `next_run`, `seal` and `close`.
    Stretch {
        /// What is said of the file.
        content: Content,
        /// The byte behind the last one that comes.
        until: u64,
    },
    /// To `Put`: send on. Where a dialect has no word for it, nothing is said.
    Ready,
    /// To `Store`: send on, all but these blocks, which an earlier try has brought.
    /// Nothing is said where the payload follows at once.
    Here {
        /// In ascending order, without overlap.
        blocks: Vec<Span>,
    },
    /// To `Store`, behind the payload: these blocks did not agree; they alone come again.
    /// Only where the payload was asked for: an eager one leaves as refused (corrupt),
    /// because the next request stands behind it.
    Again {
        /// Which.
        blocks: Vec<Span>,
    },
    /// To `Store`: durable under its name.
    Stored(Stored),
    /// To `MakeFolder` and `Delete`: done.
    Done,
    /// Ahead of any answer that takes its time: still at it.
    Wait {
        /// Bytes done.
        done: u64,
        /// Of so many.
        of: u64,
    },
    /// To `Rename`: done.
    Renamed,
    /// To `Help`.
    Help,
    /// To `Other`: something short and fixed.
    Heard,
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
    /// This peer lacks the right (upload, rename).
    NotAllowed,
    /// The name must not be written here.
    BadName,
    /// The disk has no room for it.
    NoRoom,
    /// The disk failed.
    Failed,
    /// The server is leaving.
    Leaving,
    /// The server does not know this key: the code has to be proved.
    Unpaired,
    /// The code was not right.
    WrongCode,
    /// Too many wrong codes came from there.
    Banned,
    /// The name is taken.
    Exists,
    /// The folder is not empty.
    NotEmpty,
    /// Somebody else is writing it.
    Busy,
    /// What came does not agree with its values, again and again.
    Corrupt,
}

impl Refusal {
    /// Every refusal.
    pub const ALL: [Self; 17] = [
        Self::NotFound,
        Self::Changed,
        Self::BadOffset,
        Self::TooLarge,
        Self::Unsupported,
        Self::NotAllowed,
        Self::BadName,
        Self::NoRoom,
        Self::Failed,
        Self::Leaving,
        Self::Unpaired,
        Self::WrongCode,
        Self::Banned,
        Self::Exists,
        Self::NotEmpty,
        Self::Busy,
        Self::Corrupt,
    ];

    /// One word for scripts: JSON's `cause`.
    pub const fn label(self) -> &'static str {
        match self {
            Self::NotFound => "not_found",
            Self::Changed => "changed",
            Self::BadOffset => "bad_offset",
            Self::TooLarge => "too_large",
            Self::Unsupported => "unsupported",
            Self::NotAllowed => "not_allowed",
            Self::BadName => "bad_name",
            Self::NoRoom => "no_room",
            Self::Failed => "failed",
            Self::Leaving => "leaving",
            Self::Unpaired => "unpaired",
            Self::WrongCode => "wrong_code",
            Self::Banned => "banned",
            Self::Exists => "exists",
            Self::NotEmpty => "not_empty",
            Self::Busy => "busy",
            Self::Corrupt => "corrupt",
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
            Self::NotAllowed => "this server does not allow that",
            Self::BadName => "the server cannot store a file under that name",
            Self::NoRoom => "the server has no room for it",
            Self::Failed => "the server could not read it",
            Self::Leaving => "the server is shutting down",
            Self::Unpaired => "the server does not know this client: it asks for its code",
            Self::WrongCode => "the code is not right",
            Self::Banned => "too many wrong codes came from this address: try again later",
            Self::Exists => "the name is taken",
            Self::NotEmpty => "the folder is not empty",
            Self::Busy => "somebody else is writing it",
            Self::Corrupt => "what arrives does not agree with its hash, again and again",
        }
    }
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
    /// A stretch of a file follows.
    Stretch {
        /// What is said of the file.
        content: Content,
        /// The byte behind the last one that comes.
        until: u64,
    },
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
    /// Behind a run: its block is over. The value is the sender's word for the block's
    /// subtree; whether what came agrees is the caller's to check.
    Sealed {
        /// The value, where blocks are checked.
        value: Option<Value>,
    },
    /// To `Prove`.
    Proof(Mac),
    /// A part of a tree.
    Values(Values),
    /// To `Store`: send on, all but these blocks.
    Here {
        /// In ascending order, without overlap.
        blocks: Vec<Span>,
    },
    /// To `Store`, behind the payload: these blocks have to come again.
    Again {
        /// Which.
        blocks: Vec<Span>,
    },
    /// To `Store`: durable.
    Stored(Stored),
    /// To `MakeFolder` and `Delete`.
    Done,
    /// The server is still at it; the answer is yet to come. As many may come as the
    /// server likes: how long that is borne is the caller's to say.
    Wait {
        /// Bytes done.
        done: u64,
        /// Of so many.
        of: u64,
    },
    /// A file follows whose length is not announced: [`Payload::take`](super::Payload::take) tells its end.
    Stream,
    /// To `Put`: the server wants the payload now. In dialects where nothing is
    /// said, told at once.
    Ready,
    /// To `Rename`: done.
    Renamed,
    /// To `Help`: the server's own words; may be dirty.
    Help {
        /// Its text.
        text: String,
    },
    /// The file is whole: as many bytes as announced, and the end was told.
    End,
    /// The stretch of a `Fetch` is whole: as many bytes as announced, and the end was told.
    Closed {
        /// The whole file's root, if the server knows it by now.
        root: Option<Root>,
    },
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
