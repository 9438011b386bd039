//! All that crosses between the wings: events out of the net, commands into it.
//!
//! A channel carries births, ends and notes, never progress (law 1): a birth
//! hands over the dials, and whoever draws reads them once a frame. This floor
//! knows nouns and dials; it knows neither who sends nor who looks.

mod command;
mod look;

use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use jiff::Timestamp;

pub use self::command::{Clash, Command, Doomed, Outgoing, Restore, Scope, Wanted};
pub use self::look::{Counted, Hashed, Invite, Local, Offers, Saved, Secret, Who};

use crate::entity::{
    ConnId, Dialect, Direction, DisplayName, End, Entry, JobId, Kind, Outcome, Peer, Phase, Pin,
    RemotePath, Rights, Speak, XferId,
};
use crate::meter::{Dials, Progress, Walk};

/// One thing that happened, with the wall clock of when.
#[derive(Clone, Debug)]
pub struct Event {
    /// Wall-clock time, UTC.
    pub at: Timestamp,
    /// What happened.
    pub what: What,
}

/// Everything that can happen, in either mode.
#[derive(Clone, Debug)]
pub enum What {
    /// A listener is open.
    Listening(Listening),
    /// A connection was born; `Closed` is its pair.
    Accepted(Arc<Birth>),
    /// A request was understood.
    Request(Fact),
    /// A transfer was born; `TransferEnded` is its pair.
    TransferStarted(Arc<Started>),
    /// A transfer ended.
    TransferEnded(Ended),
    /// The clock ended a connection; `cause` names the rule.
    Timeout(Fact),
    /// A peer broke its protocol.
    Malformed(Fact),
    /// A request was answered with no; `cause` and `detail` tell the operator why.
    Refused(Fact),
    /// A silent connection made room for a newcomer.
    Displaced(Fact),
    /// The operator ended a connection.
    Kicked(Fact),
    /// Something worth a line that ends nothing.
    Note(Fact),
    /// A connection is gone; `cause` is the [`End`]'s label.
    Closed(Fact),
    /// The engine began to leave: no new connections from here on.
    Shutdown(Fact),
    /// Client: the state of the browsing connection changed.
    Link(Link),
    /// Client: a part of a folder's listing arrived.
    Listing(Listing),
    /// Client: an item of the queue, as it now stands.
    Job(Arc<Job>),
    /// Client: these items left the queue for good.
    Removed(Arc<[JobId]>),
    /// Server: what lets a newcomer in, as it now stands. For a screen, never for a log.
    Invite(Invite),
    /// Client: a folder of this machine, to send from.
    Local(Local),
    /// Client: how much a choice holds, counted for a question.
    Counted(Counted),
    /// Client: a remote file's hash, or why there is none.
    Hashed(Hashed),
    /// Client: a queue that an earlier run left unfinished.
    Saved(Saved),
    /// The reader fell behind: this is what lives now, and how much was missed.
    Reset(Snapshot),
}

/// What there is to say of an event; each field where it applies.
///
/// The names are those of JSON, the ledger and the table.
#[derive(Clone, Debug, Default)]
pub struct Fact {
    /// Whose.
    pub conn: Option<ConnId>,
    /// Of which transfer.
    pub xfer: Option<XferId>,
    /// The other end.
    pub peer: Option<Peer>,
    /// In which protocol, once known.
    pub dialect: Option<Dialect>,
    /// Where the connection stood.
    pub phase: Option<Phase>,
    /// Which path was meant.
    pub path: Option<RemotePath>,
    /// Bytes so far: of the head while a head was read, else of the payload.
    pub bytes: Option<u64>,
    /// Bytes expected, if that is known.
    pub size: Option<u64>,
    /// Seconds it lasted.
    pub seconds: Option<f64>,
    /// One fixed word, fit for a script: a rule, an end, a refusal.
    pub cause: &'static str,
    /// A sentence for a person; already clean.
    pub detail: DisplayName,
}

/// A listener that is open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listening {
    /// The address as bound: a port of 0 has become a real one.
    pub addr: SocketAddr,
    /// What it takes.
    pub speak: Speak,
}

/// A connection at its birth.
#[derive(Debug)]
pub struct Birth {
    /// Its id.
    pub conn: ConnId,
    /// The other end.
    pub peer: Peer,
    /// Our end.
    pub addr: SocketAddr,
    /// Wall-clock time of accept, UTC.
    pub at: Timestamp,
    /// The dials, read once a frame.
    pub dials: Arc<Dials>,
    /// Who the peer is, once it has proved it (`deck+tls` only).
    pub who: OnceLock<Who>,
}

/// A transfer at its birth.
#[derive(Debug)]
pub struct Started {
    /// Its id.
    pub xfer: XferId,
    /// Over which connection.
    pub conn: ConnId,
    /// For which item of the queue (client).
    pub job: Option<JobId>,
    /// The other end.
    pub peer: Peer,
    /// In which protocol.
    pub dialect: Dialect,
    /// Which way.
    pub direction: Direction,
    /// Which path on the serving side.
    pub path: RemotePath,
    /// The whole file's bytes, if known.
    pub size: Option<u64>,
    /// The byte it starts from; more than 0 when resumed.
    pub offset: u64,
    /// The stretch of the file it carries, first byte and the one behind the last,
    /// where that is not all from `offset` on: one of several streams. The dial
    /// then runs from the first to the second.
    pub range: Option<(u64, u64)>,
    /// Wall-clock time of the start, UTC.
    pub at: Timestamp,
    /// The dial, read once a frame.
    pub progress: Arc<Progress>,
}

impl Started {
    /// Whether the file is across once this has gone well: of several streams the one
    /// that carries the file's end counts for all.
    pub fn ends_the_file(&self) -> bool {
        self.range
            .is_none_or(|(_, until)| self.direction == Direction::Out && Some(until) == self.size)
    }
}

/// A transfer at its end.
#[derive(Clone, Debug)]
pub struct Ended {
    /// The birth it belongs to.
    pub started: Arc<Started>,
    /// How it ended.
    pub outcome: Outcome,
    /// Bytes that crossed in this transfer.
    pub bytes: u64,
    /// How long it took.
    pub took: Duration,
    /// One fixed word when it did not go well, else empty.
    pub cause: &'static str,
    /// A sentence for a person; empty when all went well.
    pub detail: DisplayName,
}

impl Ended {
    /// Bytes a second from start to end; `None` when it took no time.
    pub fn rate(&self) -> Option<f64> {
        let seconds = self.took.as_secs_f64();
        (seconds > 0.0).then(|| self.bytes as f64 / seconds)
    }
}

/// Client: how the browsing connection stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Link {
    /// Being opened.
    Connecting,
    /// Open and greeted (for a dialect that cannot list: nothing is kept open).
    Ready {
        /// The server's name for itself, if it gave one.
        server: DisplayName,
        /// What can be asked of it.
        offers: Offers,
        /// What we may do there, where the server says so.
        rights: Option<Rights>,
        /// The server's key, inside TLS.
        pin: Option<Pin>,
    },
    /// Gone; the next request opens it anew.
    Lost {
        /// Why, for a person.
        why: DisplayName,
        /// In how long it is tried again by itself, from this word on.
        again: Option<Duration>,
    },
}

/// Client: a part of a folder's listing, in the server's order.
#[derive(Clone, Debug)]
pub struct Listing {
    /// Which folder.
    pub path: RemotePath,
    /// Counts the client's list requests; a page of an older request is stale.
    pub request: u64,
    /// This page.
    pub entries: Arc<[Entry]>,
    /// Entries whose names are not UTF-8: counted, not listed.
    pub unlisted: u64,
    /// Whether more, or no more, follows; or why it could not be read.
    pub state: ListingState,
}

/// Whether a listing is whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ListingState {
    /// More pages are on their way.
    More,
    /// This was the last page.
    Whole,
    /// The server refused or the connection broke.
    Failed(DisplayName),
}

/// Client: one item of the queue, as it stands. The newest word replaces the older ones.
#[derive(Clone, Debug)]
pub struct Job {
    /// Its id.
    pub job: JobId,
    /// Its place in the queue, counted from 0.
    pub place: usize,
    /// Which way: fetched or sent.
    pub direction: Direction,
    /// A file, or a folder whose files are being looked for.
    pub kind: Kind,
    /// The path on the server.
    pub path: RemotePath,
    /// The name it gets: the local one of a download (last component only), the
    /// server's of an upload.
    pub target: DisplayName,
    /// The folder a download goes into, below the one everything lands in; empty for that
    /// one itself.
    pub folder: DisplayName,
    /// The whole file's bytes, if known.
    pub size: Option<u64>,
    /// Whether a pause keeps what has arrived.
    pub resumes: bool,
    /// Bytes a second it may take, if it is held back.
    pub limit: Option<u64>,
    /// Where it stands.
    pub state: JobState,
}

/// Client: where an item of the queue stands.
#[derive(Clone, Debug)]
pub enum JobState {
    /// Waits for its turn.
    Queued,
    /// Waits for the server to come back; goes on by itself.
    Waiting {
        /// What went wrong, for a person.
        why: DisplayName,
        /// Bytes that are kept.
        done: u64,
    },
    /// A folder: its files are being looked for, and join the queue behind it.
    Walking {
        /// The count, read once a frame.
        walk: Arc<Walk>,
    },
    /// The connection is being opened or the file asked for.
    Asking,
    /// Bytes flow; the dial counts them.
    Running {
        /// The transfer's birth.
        started: Arc<Started>,
    },
    /// Held by its user at so many bytes.
    Paused {
        /// Bytes that are kept.
        done: u64,
    },
    /// The local name is taken; the user has to say what to do.
    Clash,
    /// At its end.
    Ended {
        /// How.
        outcome: Outcome,
        /// Bytes that arrived.
        bytes: u64,
        /// How long it took, pauses left out.
        took: Duration,
        /// One fixed word when it did not go well, else empty.
        cause: &'static str,
        /// Why, when it did not go well.
        detail: DisplayName,
    },
}

/// All that lives, for a reader who missed something.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    /// Events lost since the last one read.
    pub lost: u64,
    /// Open listeners.
    pub listening: Vec<Listening>,
    /// Living connections.
    pub births: Vec<Arc<Birth>>,
    /// Running transfers.
    pub transfers: Vec<Arc<Started>>,
    /// The client's queue.
    pub jobs: Vec<Arc<Job>>,
    /// The client's link.
    pub link: Option<Link>,
    /// What lets a newcomer in.
    pub invite: Option<Invite>,
}

impl What {
    /// Whether only a screen reads it: it has no line and no record.
    pub const fn is_for_screens(&self) -> bool {
        self.label().is_none()
    }

    /// The event's word in JSON and text; `None` for what only a screen reads.
    pub const fn label(&self) -> Option<&'static str> {
        Some(match self {
            Self::Listening(_) => "listening",
            Self::Accepted(_) => "accepted",
            Self::Request(_) => "request",
            Self::TransferStarted(_) => "transfer_started",
            Self::TransferEnded(_) => "transfer_ended",
            Self::Timeout(_) => "timeout",
            Self::Malformed(_) => "malformed",
            Self::Refused(_) => "refused",
            Self::Displaced(_) => "displaced",
            Self::Kicked(_) => "kicked",
            Self::Note(_) => "note",
            Self::Closed(_) => "closed",
            Self::Shutdown(_) => "shutdown",
            Self::Link(_)
            | Self::Listing(_)
            | Self::Job(_)
            | Self::Removed(_)
            | Self::Invite(_)
            | Self::Local(_)
            | Self::Counted(_)
            | Self::Hashed(_)
            | Self::Saved(_)
            | Self::Reset(_) => {
                return None;
            }
        })
    }
}

impl Fact {
    /// The end a `closed` event tells.
    pub fn end(&self) -> Option<End> {
        End::ALL
            .iter()
            .copied()
            .find(|end| end.label() == self.cause)
    }
}
