//! The guards: a connection and a transfer live as long as theirs does.
//!
//! Dropping one is the death of what it stands for, and tells it (law 6); what
//! was not said before is read from the sentence in the dials. They know the
//! hub and its registry. They must never know a socket, a file or a dialect's
//! bytes: how something ended is said to them.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Instant;

use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use super::{Hub, Living};
use crate::entity::{
    ConnId, Dialect, Direction, DisplayName, End, JobId, Outcome, Peer, RemotePath, Rule, XferId,
};
use crate::event::{Ended, Fact, Started, What, Who};
use crate::meter::{Dials, Progress, Totals};

/// A living connection; dropping it is its death.
#[derive(Debug)]
pub struct ConnGuard {
    pub(super) hub: Arc<Hub>,
    pub(super) living: Living,
    pub(super) end: Option<(End, DisplayName)>,
    pub(super) side: Side,
}

/// Who opened a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    /// The peer; we accepted it.
    Server,
    /// We did.
    Client,
}

impl ConnGuard {
    /// The hub it is registered with.
    pub fn hub(&self) -> &Arc<Hub> {
        &self.hub
    }

    /// Its id.
    pub fn conn(&self) -> ConnId {
        self.living.birth.conn
    }

    /// The other end.
    pub fn peer(&self) -> Peer {
        self.living.birth.peer
    }

    /// Its dials.
    pub fn dials(&self) -> &Dials {
        &self.living.birth.dials
    }

    /// Its dials, to keep.
    pub fn dials_arc(&self) -> Arc<Dials> {
        Arc::clone(&self.living.birth.dials)
    }

    /// Cancelled once it is condemned.
    pub fn cancel(&self) -> &CancellationToken {
        &self.living.cancel
    }

    /// When it was accepted.
    pub fn since(&self) -> tokio::time::Instant {
        self.living.since
    }

    /// The peer has proved who it is; the first word stands.
    pub fn meet(&self, who: Who) {
        let _ = self.living.birth.who.set(who);
    }

    /// Fixes how it ended, for the `closed` event; the first word stands.
    pub fn end(&mut self, end: End, detail: &str) {
        self.end
            .get_or_insert_with(|| (end, DisplayName::from(detail)));
    }

    /// A fact about this connection, to be filled in.
    pub fn fact(&self) -> Fact {
        Fact {
            conn: Some(self.conn()),
            peer: Some(self.peer()),
            dialect: self.dials().dialect(),
            phase: Some(self.dials().phase()),
            ..Fact::default()
        }
    }

    /// Registers a transfer on this connection. It runs until the guard is dropped.
    pub fn start(&self, order: TransferOrder) -> XferGuard {
        let started = Arc::new(Started {
            xfer: XferId(self.hub.next_xfer.fetch_add(1, Relaxed)),
            conn: self.conn(),
            job: order.job,
            peer: self.peer(),
            dialect: order.dialect,
            direction: order.direction,
            path: order.path,
            size: order.size,
            offset: order.offset,
            range: order.range,
            at: Timestamp::now(),
            progress: Arc::new(Progress::starting_at(order.offset)),
        });
        let mut registry = self.hub.lock();
        registry
            .transfers
            .insert(started.xfer, Arc::clone(&started));
        registry.send(What::TransferStarted(Arc::clone(&started)));
        drop(registry);
        XferGuard {
            hub: Arc::clone(&self.hub),
            dials: self.dials_arc(),
            started,
            began: Instant::now(),
            proof: order.proof,
            ended: false,
        }
    }
}

impl Drop for ConnGuard {
    fn drop(&mut self) {
        if self.side == Side::Client {
            return;
        }
        let (end, detail) = self.end.take().unwrap_or_else(|| {
            if std::thread::panicking() {
                (End::Panicked, DisplayName::from("its task panicked"))
            } else {
                let end = self.dials().verdict().map_or(End::Shutdown, |(end, _)| end);
                (end, DisplayName::default())
            }
        });
        if end == End::Panicked {
            self.hub.tell(What::Note(Fact {
                cause: End::Panicked.label(),
                detail: DisplayName::from("a fault in ferrydeck: its task panicked and is gone"),
                ..self.fact()
            }));
        }
        let dials = self.dials();
        let fact = Fact {
            bytes: Some(dials.bytes_in().saturating_add(dials.bytes_out())),
            seconds: Some(self.living.since.elapsed().as_secs_f64()),
            cause: end.label(),
            detail,
            ..self.fact()
        };
        let mut registry = self.hub.lock();
        registry.living.remove(&self.living.birth.conn);
        registry.send(What::Closed(fact));
    }
}

/// What a transfer is at its birth.
#[derive(Debug)]
pub struct TransferOrder {
    /// For which item of the queue.
    pub job: Option<JobId>,
    /// In which dialect.
    pub dialect: Dialect,
    /// Which way.
    pub direction: Direction,
    /// How sure its end will be if it goes well.
    pub proof: Outcome,
    /// Which path on the serving side.
    pub path: RemotePath,
    /// The whole file's bytes, if known.
    pub size: Option<u64>,
    /// The byte it starts from.
    pub offset: u64,
    /// The stretch it carries, where that is not all from `offset` on.
    pub range: Option<(u64, u64)>,
}

/// A running transfer; dropping it unended is a failure.
#[derive(Debug)]
pub struct XferGuard {
    hub: Arc<Hub>,
    dials: Arc<Dials>,
    started: Arc<Started>,
    began: Instant,
    proof: Outcome,
    ended: bool,
}

impl XferGuard {
    /// Its birth.
    pub fn started(&self) -> &Arc<Started> {
        &self.started
    }

    /// Counts payload bytes in every dial they belong to.
    pub fn add(&self, bytes: u64) {
        self.started.progress.add(bytes);
        let counter = match self.started.direction {
            Direction::Out => &self.hub.totals.bytes_out,
            Direction::In => &self.hub.totals.bytes_in,
        };
        Totals::add(counter, bytes);
    }

    /// How long it has run.
    pub fn took(&self) -> std::time::Duration {
        self.began.elapsed()
    }

    /// Ends it well, with the word its dialect allows.
    pub fn end_well(self) {
        let proof = self.proof;
        self.end(proof, "", "");
    }

    /// Ends it.
    pub fn end(mut self, outcome: Outcome, cause: &'static str, detail: &str) {
        self.bury(outcome, cause, detail);
    }

    fn bury(&mut self, outcome: Outcome, cause: &'static str, detail: &str) {
        if std::mem::replace(&mut self.ended, true) {
            return;
        }
        let totals = &self.hub.totals;
        // A file that went over several streams is one file: the stretch with its end counts.
        let whole = |started: &Started| {
            started
                .range
                .is_none_or(|(_, until)| started.size.is_none_or(|size| until >= size))
        };
        let counter = match (outcome, self.started.direction) {
            (outcome, _) if outcome.went_well() && !whole(&self.started) => None,
            (outcome, Direction::Out) if outcome.went_well() => Some(&totals.files_out),
            (outcome, Direction::In) if outcome.went_well() => Some(&totals.files_in),
            (Outcome::Cancelled, _) => None,
            _ => Some(&totals.failed),
        };
        if let Some(counter) = counter {
            Totals::add(counter, 1);
        }
        let done = self.started.progress.done();
        let ended = Ended {
            outcome,
            bytes: done.saturating_sub(self.started.offset),
            took: self.began.elapsed(),
            cause,
            detail: DisplayName::from(detail),
            started: Arc::clone(&self.started),
        };
        let mut registry = self.hub.lock();
        registry.transfers.remove(&self.started.xfer);
        registry.send(What::TransferEnded(ended));
    }
}

impl Drop for XferGuard {
    /// A transfer dropped in the middle ended as its connection was sentenced.
    fn drop(&mut self) {
        let (outcome, cause, detail) = match self.dials.verdict() {
            Some((End::Timeout, rule)) => (
                Outcome::TimedOut,
                rule.map_or(End::Timeout.label(), Rule::label),
                "the clock ended it",
            ),
            Some((End::Kicked, _)) => (
                Outcome::Kicked,
                End::Kicked.label(),
                "the operator ended it",
            ),
            Some((End::Shutdown, _)) => (
                Outcome::Cancelled,
                End::Shutdown.label(),
                "the program is leaving",
            ),
            _ => (Outcome::Failed, "aborted", "its task ended without a word"),
        };
        self.bury(outcome, cause, detail);
    }
}
