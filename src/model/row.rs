//! One row of the tables: a connection with its transfer, and the payload's two flows.
//!
//! A row is made from its birth and reads its dials when the model says so;
//! what it shows besides (ratio, rate, time left, age, stall) is worked out
//! here. It knows births, dials and rates. It must never know the other rows,
//! nor a clock: time comes in as a `Duration` since the program's start.

use std::sync::Arc;
use std::time::Duration;

use crate::entity::{ConnId, Dialect, Direction, DisplayName, End, Outcome, Peer, Phase, XferId};
use crate::event::{Birth, Started, Who};
use crate::line::Line;
use crate::meter::Totals;
use crate::rate::{History, Rate};

/// One direction of payload.
#[derive(Clone, Debug, Default)]
pub struct Flow {
    /// Over the last three seconds.
    pub rate: Rate,
    /// The last minute.
    pub history: History,
    /// Bytes since the start.
    pub bytes: u64,
    /// Files that went well since the start.
    pub files: u64,
}

/// One row of the table.
#[derive(Clone, Debug)]
pub struct Connection {
    /// Its birth, with the dials.
    pub birth: Arc<Birth>,
    /// When it was first seen here.
    pub opened: Duration,
    /// In which protocol, once known.
    pub dialect: Option<Dialect>,
    /// Where it stands.
    pub phase: Phase,
    /// Bytes from the peer.
    pub bytes_in: u64,
    /// Bytes to the peer.
    pub bytes_out: u64,
    /// When a byte last moved.
    pub moved: Duration,
    /// Bytes a second both ways over the last three seconds.
    pub rate: Rate,
    /// The running transfer, or the last one.
    pub transfer: Option<Transfer>,
    /// Transfers begun on it.
    pub transfers: u32,
    /// The newest line about it.
    pub last_line: Option<Line>,
    /// How it ended, once it has.
    pub gone: Option<Gone>,
}

/// The end of a row.
#[derive(Clone, Debug)]
pub struct Gone {
    /// When.
    pub at: Duration,
    /// How; `None` if its end was lost.
    pub end: Option<End>,
}

/// A transfer as a row shows it.
#[derive(Clone, Debug)]
pub struct Transfer {
    /// Its birth, with the dial.
    pub started: Arc<Started>,
    /// The path, clean.
    pub path: DisplayName,
    /// When it was first seen here.
    pub begun: Duration,
    /// Bytes of the file that are across.
    pub done: u64,
    /// How it ended, once it has.
    pub outcome: Option<Outcome>,
}

impl Transfer {
    pub(super) fn new(started: Arc<Started>, now: Duration) -> Self {
        Self {
            path: started.path.shown(),
            begun: now,
            done: started.progress.done(),
            outcome: None,
            started,
        }
    }

    /// Done over all it carries, 0 to 1: of a stretch its share. `None` if that is not known.
    pub fn ratio(&self) -> Option<f64> {
        ratio(self.carried(), self.load())
    }

    /// Bytes of what it carries that are there, those of an earlier run included.
    pub fn carried(&self) -> u64 {
        self.done.saturating_sub(self.stretch().0)
    }

    /// Bytes it carries in all: the file's, or its stretch's. `None` if that is not known.
    pub fn load(&self) -> Option<u64> {
        let (from, until) = self.stretch();
        until.map(|until| until.saturating_sub(from))
    }

    /// The bytes of the file it carries: from the first, to the one behind the last if known.
    ///
    /// A resumed transfer counts from the file's beginning; one of several streams
    /// from where its own stretch begins.
    pub fn stretch(&self) -> (u64, Option<u64>) {
        match self.started.range {
            Some((from, until)) => (from, Some(until)),
            None => (0, self.started.size),
        }
    }

    /// How many times faster it grows than its own connection carries: more than 1 while
    /// others carry shares of it.
    fn help(&self) -> f64 {
        let grown = self.done.saturating_sub(self.started.offset);
        let own = grown.saturating_sub(self.started.progress.beside());
        if own == 0 {
            return 1.0;
        }
        grown as f64 / own as f64
    }

    /// Bytes a second since the start, resumed bytes left out.
    pub fn average(&self, now: Duration) -> f64 {
        let took = now.saturating_sub(self.begun).as_secs_f64();
        if took <= 0.0 {
            return 0.0;
        }
        let from = self.stretch().0.max(self.started.offset);
        self.done.saturating_sub(from) as f64 / took
    }
}

/// Done over size, 0 to 1; an empty file is whole. `None` if the size is not known.
pub fn ratio(done: u64, size: Option<u64>) -> Option<f64> {
    match size? {
        0 => Some(1.0),
        size => Some((done as f64 / size as f64).clamp(0.0, 1.0)),
    }
}

/// The time the rest takes at `rate` bytes a second; `None` when it cannot be said.
pub fn eta(done: u64, size: Option<u64>, rate: f64) -> Option<Duration> {
    let left = size?.saturating_sub(done);
    if left == 0 {
        return Some(Duration::ZERO);
    }
    if rate < 1.0 {
        return None;
    }
    Duration::try_from_secs_f64(left as f64 / rate).ok()
}

impl Connection {
    pub(super) fn new(birth: Arc<Birth>, now: Duration) -> Self {
        Self {
            opened: now,
            dialect: None,
            phase: birth.dials.phase(),
            bytes_in: 0,
            bytes_out: 0,
            moved: now,
            rate: Rate::default(),
            transfer: None,
            transfers: 0,
            last_line: None,
            gone: None,
            birth,
        }
    }

    /// Its id.
    pub fn id(&self) -> ConnId {
        self.birth.conn
    }

    /// The other end.
    pub fn peer(&self) -> Peer {
        self.birth.peer
    }

    /// Who it is, once it has proved it.
    pub fn who(&self) -> Option<&Who> {
        self.birth.who.get()
    }

    /// The transfer that runs now.
    pub fn running(&self) -> Option<&Transfer> {
        self.transfer
            .as_ref()
            .filter(|transfer| transfer.outcome.is_none() && self.gone.is_none())
    }

    /// How long no byte has moved; frozen once it is gone.
    pub fn stall(&self, now: Duration) -> Duration {
        self.until(now).saturating_sub(self.moved)
    }

    /// How long it has been open; frozen once it is gone.
    pub fn age(&self, now: Duration) -> Duration {
        self.until(now).saturating_sub(self.opened)
    }

    /// The time the running transfer still takes, if that can be said.
    pub fn eta(&self) -> Option<Duration> {
        let transfer = self.running()?;
        let (_, until) = transfer.stretch();
        eta(
            transfer.done,
            until,
            self.rate.per_second() * transfer.help(),
        )
    }

    fn until(&self, now: Duration) -> Duration {
        self.gone.as_ref().map_or(now, |gone| gone.at)
    }

    pub(super) fn read_dials(&mut self, now: Duration) {
        let dials = &self.birth.dials;
        self.phase = dials.phase();
        self.dialect = dials.dialect();
        let (bytes_in, bytes_out) = (dials.bytes_in(), dials.bytes_out());
        if (bytes_in, bytes_out) != (self.bytes_in, self.bytes_out) {
            self.moved = now;
        }
        (self.bytes_in, self.bytes_out) = (bytes_in, bytes_out);
        self.rate.sample(now, bytes_in.saturating_add(bytes_out));
        if let Some(transfer) = &mut self.transfer
            && transfer.outcome.is_none()
        {
            transfer.done = transfer.started.progress.done();
        }
    }
}

impl Connection {
    pub(super) fn transfer_of(&mut self, xfer: XferId) -> Option<&mut Transfer> {
        self.transfer
            .as_mut()
            .filter(|transfer| transfer.started.xfer == xfer)
    }

    /// Which way the running or last transfer goes.
    pub fn direction(&self) -> Option<Direction> {
        self.transfer
            .as_ref()
            .map(|transfer| transfer.started.direction)
    }
}

impl Flow {
    pub(super) fn sample(
        &mut self,
        now: Duration,
        bytes: &std::sync::atomic::AtomicU64,
        files: &std::sync::atomic::AtomicU64,
    ) {
        self.bytes = Totals::get(bytes);
        self.files = Totals::get(files);
        self.rate.sample(now, self.bytes);
        self.history.sample(now, self.bytes);
    }
}
