//! What a server may answer and a client hears, in any dialect; and every no.
//!
//! Nouns only. It knows entries and marks, and of a refusal what the peer may
//! know; the true reason is the operator's and must never come here. How a
//! dialect writes an answer is the dialect's. No bytes of a wire, no clock, no file.

use super::request::Version;
use crate::entity::Entry;

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
    /// To `Put`: send on. Where a dialect has no word for it, nothing is said.
    Ready,
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
}

impl Refusal {
    /// Every refusal.
    pub const ALL: [Self; 10] = [
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
