//! The registry of the living and the broadcast of events.
//!
//! Birth returns a guard; death is its `Drop` (law 6), so no row outlives its
//! task, whatever ended the task. Events are sent while the registry is
//! locked: a reader who fell behind takes a snapshot under the same lock and
//! misses nothing that follows it (law 2). Payload never comes here.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use jiff::Timestamp;
use tokio::sync::broadcast::{self, error::RecvError, error::TryRecvError};
use tokio_util::sync::CancellationToken;

use crate::entity::{
    ConnId, Dialect, Direction, DisplayName, End, JobId, Outcome, Peer, RemotePath, Rule, XferId,
};
use crate::event::{Birth, Ended, Event, Fact, Job, Link, Listening, Snapshot, Started, What};
use crate::meter::{Dials, Progress, Totals};

/// Events a reader may be behind before it has to resynchronise.
pub const RING: usize = 4_096;

/// Where births are registered and events are sent.
#[derive(Debug)]
pub struct Hub {
    registry: Mutex<Registry>,
    totals: Arc<Totals>,
    next_conn: AtomicU64,
    next_xfer: AtomicU64,
}

#[derive(Debug)]
struct Registry {
    /// `None` once the engine is over.
    sender: Option<broadcast::Sender<Event>>,
    listening: Vec<Listening>,
    living: BTreeMap<ConnId, Living>,
    transfers: BTreeMap<XferId, Arc<Started>>,
    jobs: BTreeMap<JobId, Arc<Job>>,
    link: Option<Link>,
}

/// A living connection as the sweep and the operator's commands see it.
#[derive(Clone, Debug)]
pub struct Living {
    /// Its birth, with the dials.
    pub birth: Arc<Birth>,
    /// Cancelled once it is condemned.
    pub cancel: CancellationToken,
    /// When it was accepted, on the engine's clock.
    pub since: tokio::time::Instant,
}

impl Living {
    /// Sentences the connection; the first sentence stands.
    pub fn condemn(&self, end: End, rule: Option<Rule>) {
        if self.birth.dials.condemn(end, rule) {
            self.cancel.cancel();
        }
    }
}

impl Hub {
    /// A hub whose readers may be `ring` events behind.
    pub fn new(ring: usize) -> Arc<Self> {
        Arc::new(Self {
            registry: Mutex::new(Registry {
                sender: Some(broadcast::Sender::new(ring)),
                listening: Vec::new(),
                living: BTreeMap::new(),
                transfers: BTreeMap::new(),
                jobs: BTreeMap::new(),
                link: None,
            }),
            totals: Arc::new(Totals::default()),
            next_conn: AtomicU64::new(1),
            next_xfer: AtomicU64::new(1),
        })
    }

    /// The engine's counters.
    pub fn totals(&self) -> &Arc<Totals> {
        &self.totals
    }

    /// A new reader; it hears everything from here on.
    pub fn feed(self: &Arc<Self>) -> Feed {
        let registry = self.lock();
        let receiver = registry
            .sender
            .as_ref()
            .map_or_else(|| broadcast::channel(1).1, broadcast::Sender::subscribe);
        drop(registry);
        Feed {
            hub: Arc::clone(self),
            receiver,
        }
    }

    /// Ends the broadcast: readers drain what is left and then hear the end.
    pub fn close(&self) {
        self.lock().sender = None;
    }

    /// Registers an open listener.
    pub fn listen(&self, listening: Listening) {
        let mut registry = self.lock();
        registry.listening.push(listening.clone());
        registry.send(What::Listening(listening));
    }

    /// Registers a connection. It lives until the guard is dropped.
    pub fn accept(
        self: &Arc<Self>,
        peer: SocketAddr,
        addr: SocketAddr,
        cancel: CancellationToken,
    ) -> ConnGuard {
        let birth = Arc::new(Birth {
            conn: ConnId(self.next_conn.fetch_add(1, Relaxed)),
            peer: Peer(peer),
            addr,
            at: Timestamp::now(),
            dials: Arc::new(Dials::default()),
        });
        Totals::add(&self.totals.accepted, 1);
        let living = Living {
            birth: Arc::clone(&birth),
            cancel,
            since: tokio::time::Instant::now(),
        };
        let mut registry = self.lock();
        registry.living.insert(birth.conn, living.clone());
        registry.send(What::Accepted(birth));
        drop(registry);
        ConnGuard {
            hub: Arc::clone(self),
            living,
            end: None,
            side: Side::Server,
        }
    }

    /// A connection this process opened: it carries transfers, and is no row of a table.
    pub fn dial(self: &Arc<Self>, peer: SocketAddr, addr: SocketAddr) -> ConnGuard {
        let birth = Arc::new(Birth {
            conn: ConnId(self.next_conn.fetch_add(1, Relaxed)),
            peer: Peer(peer),
            addr,
            at: Timestamp::now(),
            dials: Arc::new(Dials::default()),
        });
        ConnGuard {
            hub: Arc::clone(self),
            living: Living {
                birth,
                cancel: CancellationToken::new(),
                since: tokio::time::Instant::now(),
            },
            end: None,
            side: Side::Client,
        }
    }

    /// Every living connection.
    pub fn living(&self) -> Vec<Living> {
        self.lock().living.values().cloned().collect()
    }

    /// How many connections live.
    pub fn population(&self) -> usize {
        self.lock().living.len()
    }

    /// How many transfers run.
    pub fn transfers(&self) -> usize {
        self.lock().transfers.len()
    }

    /// One living connection.
    pub fn find(&self, conn: ConnId) -> Option<Living> {
        self.lock().living.get(&conn).cloned()
    }

    /// Sends an event that changes no registry.
    pub fn tell(&self, what: What) {
        let counter = match &what {
            What::Timeout(_) => Some(&self.totals.timeouts),
            What::Malformed(_) => Some(&self.totals.malformed),
            What::Refused(_) => Some(&self.totals.refused),
            _ => None,
        };
        if let Some(counter) = counter {
            Totals::add(counter, 1);
        }
        self.lock().send(what);
    }

    /// Sends a note that belongs to nobody.
    pub fn note(&self, cause: &'static str, detail: &str) {
        self.tell(What::Note(Fact {
            cause,
            detail: DisplayName::from(detail),
            ..Fact::default()
        }));
    }

    /// Client: the link changed.
    pub fn link(&self, link: Link) {
        let mut registry = self.lock();
        registry.link = Some(link.clone());
        registry.send(What::Link(link));
    }

    /// Client: an item of the queue as it now stands.
    pub fn job(&self, job: Job) {
        let job = Arc::new(job);
        let mut registry = self.lock();
        registry.jobs.insert(job.job, Arc::clone(&job));
        registry.send(What::Job(job));
    }

    /// Client: items left the queue.
    pub fn remove_jobs(&self, jobs: Vec<JobId>) {
        let mut registry = self.lock();
        for job in &jobs {
            registry.jobs.remove(job);
        }
        registry.send(What::Removed(jobs.into()));
    }

    fn lock(&self) -> MutexGuard<'_, Registry> {
        // No code panics while it holds the lock; were it to, the data is still whole.
        self.registry.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Registry {
    fn send(&self, what: What) {
        if let Some(sender) = &self.sender {
            // No reader is no fault: the engine runs on by itself.
            let _ = sender.send(Event {
                at: Timestamp::now(),
                what,
            });
        }
    }

    fn snapshot(&self, lost: u64) -> Snapshot {
        Snapshot {
            lost,
            listening: self.listening.clone(),
            births: self
                .living
                .values()
                .map(|living| Arc::clone(&living.birth))
                .collect(),
            transfers: self.transfers.values().cloned().collect(),
            jobs: self.jobs.values().cloned().collect(),
            link: self.link.clone(),
        }
    }
}

/// Ends the broadcast when it is dropped: readers hear that an engine is over,
/// however it ended.
#[derive(Debug)]
pub struct Closing(pub Arc<Hub>);

impl Drop for Closing {
    fn drop(&mut self) {
        self.0.close();
    }
}

/// One reader of events.
#[derive(Debug)]
pub struct Feed {
    hub: Arc<Hub>,
    receiver: broadcast::Receiver<Event>,
}

impl Feed {
    /// The next event; a [`What::Reset`] after a lag; `None` once the engine is over.
    /// Cancel safe.
    pub async fn next(&mut self) -> Option<Event> {
        match self.receiver.recv().await {
            Ok(event) => Some(event),
            Err(RecvError::Lagged(missed)) => Some(self.resynchronise(missed)),
            Err(RecvError::Closed) => None,
        }
    }

    /// The next event if it is here already.
    pub fn ready(&mut self) -> Option<Event> {
        match self.receiver.try_recv() {
            Ok(event) => Some(event),
            Err(TryRecvError::Lagged(missed)) => Some(self.resynchronise(missed)),
            Err(TryRecvError::Empty | TryRecvError::Closed) => None,
        }
    }

    fn resynchronise(&mut self, missed: u64) -> Event {
        let registry = self.hub.lock();
        // What still lies in the ring is older than the snapshot: skip it too.
        let skipped = u64::try_from(self.receiver.len()).unwrap_or(u64::MAX);
        self.receiver = self.receiver.resubscribe();
        let lost = missed.saturating_add(skipped);
        let snapshot = registry.snapshot(lost);
        drop(registry);
        Totals::add(&self.hub.totals.lost, lost);
        Event {
            at: Timestamp::now(),
            what: What::Reset(snapshot),
        }
    }
}

/// A living connection; dropping it is its death.
#[derive(Debug)]
pub struct ConnGuard {
    hub: Arc<Hub>,
    living: Living,
    end: Option<(End, DisplayName)>,
    side: Side,
}

/// Who opened a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Side {
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
    /// Which path on the serving side.
    pub path: RemotePath,
    /// The whole file's bytes, if known.
    pub size: Option<u64>,
    /// The byte it starts from.
    pub offset: u64,
}

/// A running transfer; dropping it unended is a failure.
#[derive(Debug)]
pub struct XferGuard {
    hub: Arc<Hub>,
    dials: Arc<Dials>,
    started: Arc<Started>,
    began: Instant,
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

    /// Ends it.
    pub fn end(mut self, outcome: Outcome, cause: &'static str, detail: &str) {
        self.bury(outcome, cause, detail);
    }

    fn bury(&mut self, outcome: Outcome, cause: &'static str, detail: &str) {
        if std::mem::replace(&mut self.ended, true) {
            return;
        }
        let totals = &self.hub.totals;
        let counter = match (outcome, self.started.direction) {
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

/// Whether an address is this machine's own.
pub fn is_loopback(addr: IpAddr) -> bool {
    addr.to_canonical().is_loopback()
}

#[cfg(test)]
#[path = "hub_tests.rs"]
mod tests;
