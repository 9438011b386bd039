//! The registry of the living and the broadcast of events.
//!
//! Birth returns a guard; death is its `Drop` (law 6), so no row outlives its
//! task, whatever ended the task. Events are sent while the registry is
//! locked: a reader who fell behind takes a snapshot under the same lock and
//! misses nothing that follows it (law 2). Payload never comes here.

mod feed;
mod guard;

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use jiff::Timestamp;
use tokio::sync::broadcast;
use tokio_util::sync::CancellationToken;

pub use self::feed::{Closing, Feed};
use self::guard::Side;
pub use self::guard::{ConnGuard, TransferOrder, XferGuard};
use crate::entity::{ConnId, DisplayName, End, JobId, Peer, Rule, XferId};
use crate::event::{Birth, Event, Fact, Invite, Job, Link, Listening, Snapshot, Started, What};
use crate::meter::{Dials, Totals};

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
    invite: Option<Invite>,
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
                invite: None,
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

    /// What lets a newcomer in from here on.
    pub fn invite(&self, invite: Invite) {
        let mut registry = self.lock();
        registry.invite = Some(invite.clone());
        registry.send(What::Invite(invite));
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
            who: OnceLock::new(),
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
            who: OnceLock::new(),
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
            invite: self.invite.clone(),
        }
    }
}

/// Whether an address is this machine's own.
pub fn is_loopback(addr: IpAddr) -> bool {
    addr.to_canonical().is_loopback()
}

#[cfg(test)]
#[path = "hub_tests.rs"]
mod tests;
