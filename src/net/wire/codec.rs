//! What every dialect must answer: requests, replies, refusals, and two traits.
//!
//! Sans-io: bytes in, bytes out. Nothing here or in any dialect may name
//! tokio, a socket, a file or a clock. A codec sees heads only; payload passes
//! it by as a *run* of raw bytes whose length it announced or learned (law 3).

use crate::entity::{Dialect, Entry, Outcome, RemotePath};

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
    /// A file to be stored: its payload follows, and [`Payload::take`] tells its end.
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

/// A peer broke its protocol.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Malformed {
    /// One fixed word for scripts: `magic`, `type`, `length`, `short`, `cbor`, …
    pub cause: &'static str,
    /// A sentence for a person; may quote the peer, so it is cleaned before it is shown.
    pub detail: String,
}

impl Malformed {
    /// The cause when the payload is the peer's own sentence for "there is no
    /// such file": no rule is broken, and the detail says all there is to say.
    pub const ABSENT: &'static str = "absent";

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

/// What a codec is told besides bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Cue {
    /// These bytes have come; more may.
    Bytes,
    /// And then nothing for a while (the connection's `--session-quiet`, 200 ms).
    Quiet,
    /// And then the peer closed in good order. A reset is never told: it is a failure.
    Close,
}

/// How much of an incoming payload's bytes is content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Take {
    /// So many bytes at the front of the input are content, for sure. The rest
    /// is held back by the caller and shown again with more behind it.
    pub content: usize,
    /// Set when the payload is over.
    pub end: Option<Finale>,
}

/// The end of an incoming payload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finale {
    /// Bytes behind the content that are no content and no request (an end marker).
    pub skip: usize,
    /// How sure the dialect is: one of the three words for an end that went well.
    pub outcome: Outcome,
    /// drop, where the header turns out shorter than it looked: content that
    /// belongs before what was stored.
    pub prepend: Vec<u8>,
    /// drop, where the header turns out longer: stored bytes that are header.
    pub cut: u64,
}

impl Finale {
    /// An end behind `skip` bytes of marker, with everything stored where it belongs.
    pub const fn new(outcome: Outcome, skip: usize) -> Self {
        Self {
            skip,
            outcome,
            prepend: Vec::new(),
            cut: 0,
        }
    }
}

/// Tells content from framing in a payload whose length nobody announced for certain.
pub trait Payload {
    /// Looks at the payload's bytes that are not stored yet.
    ///
    /// What it returns depends on the bytes and the cue alone, not on how they
    /// were cut. It may hold back at most 4 KiB: with that much input and more,
    /// `content` is at least the excess. Bytes it called content count as taken:
    /// they are not shown again.
    ///
    /// # Errors
    /// The payload is broken: its end never came, it is shorter than announced,
    /// or it is the dialect's own sentence for "there is no such file". Nothing
    /// of it is kept.
    fn take(&mut self, input: &[u8], cue: Cue) -> Result<Take, Malformed> {
        let _ = (input, cue);
        Err(Malformed::new("order", "no payload is due"))
    }
}

/// The serving half of a dialect, one instance a connection.
pub trait ServerCodec: Payload + Send {
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

    /// Reads a request whose end is told by a cue other than bytes: by silence or
    /// by the close. Called after `decode` found none in the same bytes.
    fn decode_on(&mut self, input: &[u8], cue: Cue) -> Result<Option<(usize, Request)>, Malformed> {
        let _ = (input, cue);
        Ok(None)
    }

    /// Whether silence means something in this dialect: then [`Cue::Quiet`] is told,
    /// at most once for each silence.
    fn minds_quiet(&self) -> bool {
        false
    }

    /// Where a request's path does not exist: what the peer may have meant
    /// instead (colon's glued digit). Asked at most once a request.
    fn second_guess(&mut self) -> Option<Request> {
        None
    }

    /// How sure an end of a payload that was sent is.
    fn proof(&self) -> Outcome {
        Outcome::CompleteLength
    }

    /// How a content head leaves: with the payload, or as a segment of its own
    /// with a moment (`--session-pause`, 50 ms) behind it.
    fn gait(&self) -> Gait {
        Gait::Joined
    }

    /// How many bytes the unfinished head in `input` needs in all, if that can
    /// be told yet; for "3 of 10 bytes".
    fn wants(&self, input: &[u8]) -> Option<usize>;

    /// The peer closed with `input` unread: a clean end, or a request cut short.
    fn eof(&self, input: &[u8]) -> Result<(), Malformed>;

    /// Appends a reply's bytes. For [`Reply::Content`] only what precedes the payload.
    fn encode(&mut self, reply: &Reply, out: &mut Vec<u8>) -> After;

    /// Appends what belongs to the reply just encoded but must not share a
    /// segment with it: it leaves a moment (`--session-pause`) behind. Asked
    /// after every reply but [`Reply::Content`]; nothing in most dialects.
    fn epilogue(&mut self, out: &mut Vec<u8>) {
        let _ = out;
    }

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

/// How a head and its payload leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Gait {
    /// In one write.
    Joined,
    /// One after the other, with a moment between: the peer reads them apart.
    Apart,
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
    /// A file follows whose length is not announced: [`Payload::take`] tells its end.
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

/// The asking half of a dialect, one instance a connection.
pub trait ClientCodec: Payload + Send + Sync {
    /// Which dialect.
    fn dialect(&self) -> Dialect;

    /// Appends what a client says before anything else; nothing in most dialects.
    /// True if an answer ([`Answer::Welcome`]) must be awaited before asking. What
    /// is said and awaits no answer (colon's count) leaves as a segment of its
    /// own, with 300 ms behind it.
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

    /// Reads an answer whose end is told by a cue other than bytes. Called after
    /// `decode` found none in the same bytes; on [`Cue::Close`] before `eof`.
    fn answer_on(&mut self, input: &[u8], cue: Cue) -> Result<Option<(usize, Answer)>, Malformed> {
        let _ = (input, cue);
        Ok(None)
    }

    /// Whether silence means something in this dialect: then [`Cue::Quiet`] is
    /// told, at most once for each silence, to `answer_on` or to `take`.
    fn minds_quiet(&self) -> bool {
        false
    }

    /// Appends what must be said again before the answer can come (colon: the
    /// server did not understand). Asked whenever `decode` wants more bytes.
    fn again(&mut self, out: &mut Vec<u8>) {
        let _ = out;
    }

    /// Looks at a file that is to be sent, chunk after chunk, before anything is
    /// said: `at` is the chunk's offset. For dialects that cannot carry every content.
    ///
    /// # Errors
    /// The dialect cannot carry this content; the words name the offset.
    fn vet(&mut self, chunk: &[u8], at: u64) -> Result<(), Malformed> {
        let _ = (chunk, at);
        Ok(())
    }

    /// Whether every file has to be looked at with `vet` before it is sent.
    fn vets(&self) -> bool {
        false
    }

    /// The largest file this dialect can carry, in bytes.
    fn size_limit(&self) -> u64 {
        u64::MAX
    }

    /// Appends what stands behind the last byte of a payload that was sent.
    /// `Close` means that our half is shut down then; that is how the end is told.
    fn finish(&mut self, out: &mut Vec<u8>) -> After {
        let _ = out;
        After::Close
    }

    /// How sure the end of a payload that was sent is.
    fn proof(&self) -> Outcome {
        Outcome::CompleteLength
    }

    /// How a request and the payload behind it leave: together, or with 300 ms
    /// between them because the server reads each with one receive.
    fn gait(&self) -> Gait {
        Gait::Joined
    }

    /// The server closed with `input` unread: an answer where close is one
    /// (classic's [`Answer::End`]), else what is missing.
    fn eof(&mut self, input: &[u8]) -> Result<Answer, Malformed>;

    /// The server has been silent for as long as it may, with all it sent read:
    /// an answer where silence can be one, else `None`.
    fn quiet(&mut self) -> Option<Answer>;

    /// The most bytes an answer's head can take.
    fn head_limit(&self) -> usize;
}
