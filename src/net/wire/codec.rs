//! What every dialect must answer: requests, replies, refusals, and two traits.
//!
//! Sans-io: bytes in, bytes out. Nothing here or in any dialect may name
//! tokio, a socket, a file or a clock. A codec sees heads only; payload passes
//! it by as a *run* of raw bytes whose length it announced or learned (law 3).

mod reply;
mod request;

pub use self::reply::{Answer, Content, Page, Refusal, Reply, Span, Stored, Values, Welcome};
pub use self::request::{Check, Detail, Pace, Request, Taken, Terms, Version};
use crate::entity::{Dialect, Outcome, Root};

/// A proof of the code: HMAC-SHA-256.
pub type Mac = [u8; 32];

/// The value of one block in a file's tree: BLAKE3's chaining value of its subtree, or
/// the root where the file has one block alone.
pub type Value = [u8; 32];

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

    /// What stands at the front of `input`: looked at, not taken. For requests that
    /// are answered together, where `decode` must not go too far ahead of the answers.
    fn upcoming(&self, input: &[u8]) -> Upcoming {
        let _ = input;
        Upcoming::Other
    }

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

    /// Appends what stands behind a run: the block's value, where blocks are checked.
    /// Called after every run; nothing in most dialects.
    fn seal(&mut self, value: Option<Value>, out: &mut Vec<u8>) {
        let _ = (value, out);
    }

    /// Appends what stands behind the last run. `spoilt` says that the content
    /// changed while it was sent, for dialects that have words for it.
    fn finish(&mut self, spoilt: Option<Refusal>, out: &mut Vec<u8>) -> After;

    /// As `finish`, behind a [`Reply::Stretch`]: the whole file's root, if it is known,
    /// or what spoilt it.
    fn close(&mut self, root: Result<Option<Root>, Refusal>, out: &mut Vec<u8>) {
        let _ = (root, out);
    }

    /// Reads what frames the payload of a `Store`, which comes in blocks:
    /// the bytes used and what they say. `Ok(None)` means more bytes are needed.
    ///
    /// A payload is due behind an eager request, and behind `Here` and `Again`, until
    /// [`Piece::End`] or [`Piece::GivenUp`]: `decode` is not asked meanwhile. A refusal
    /// said meanwhile is the answer, and what is due is read all the same.
    ///
    /// # Errors
    /// The payload is broken (a block that is none of the file's, one too many, one
    /// without its value), or none is due.
    fn piece(&mut self, input: &[u8]) -> Result<Option<(usize, Piece)>, Malformed> {
        let _ = input;
        Err(Malformed::new("order", "no payload is due"))
    }
}

/// What a server's input begins with, as far as requests are answered together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Upcoming {
    /// More bytes are needed to tell.
    Unclear,
    /// A whole `Fetch`.
    Fetch,
    /// A whole `Store` whose payload follows at once.
    Eager {
        /// The file's bytes, as announced.
        size: u64,
    },
    /// Anything else, a broken frame included.
    Other,
}

/// What frames a payload that comes in blocks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// So many raw bytes follow, the file's from `offset` on; the caller takes them off
    /// the stream before it asks again. Never past the announced size; in any order of blocks.
    Run {
        /// Where they belong: the start of a block.
        offset: u64,
        /// How many: the whole block.
        len: u64,
    },
    /// The block is over.
    Sealed {
        /// Its value, where blocks are checked.
        value: Option<Value>,
    },
    /// All that was to come has come.
    End {
        /// The whole file's root, where blocks are checked.
        root: Option<Root>,
    },
    /// The sender gives up: its file changed, or it was told to stop.
    GivenUp(Refusal),
}

/// How a head and its payload leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Gait {
    /// In one write.
    Joined,
    /// One after the other, with a moment between: the peer reads them apart.
    Apart,
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

    /// Frames a payload that is sent in blocks (deck): appends what stands before
    /// the `len` raw bytes of the block at `offset`.
    fn block(&mut self, offset: u64, len: u64, out: &mut Vec<u8>) {
        let _ = (offset, len, out);
    }

    /// Appends what stands behind a block.
    fn seal(&mut self, value: Option<Value>, out: &mut Vec<u8>) {
        let _ = (value, out);
    }

    /// Appends what stands behind the last block: the root, or why there is no more.
    /// Said once for every payload that was wanted, even where the answer is a refusal
    /// by then; nothing else may be asked before.
    fn close(&mut self, root: Result<Option<Root>, Refusal>, out: &mut Vec<u8>) {
        let _ = (root, out);
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
