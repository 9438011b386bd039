//! What is: a pure fold of events and dials into what both screens show.
//!
//! `apply(event, now)` takes births, ends and notes; `sample(now, totals)`
//! reads the dials, once a frame. No tokio, no clock, no ratatui in here: time
//! comes in as a `Duration` since the program's start. What the user looks at
//! (selection, sort, filter) is the screen's and not known here.

mod row;

use std::collections::{BTreeMap, HashSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

pub use self::row::{Connection, Flow, Gone, Transfer, eta, ratio};
use crate::entity::{ConnId, DisplayName, End, XferId};
use crate::event::{Birth, Clash, Ended, Event, Fact, Invite, Listening, Snapshot, Started, What};
use crate::line::{self, Line, Weight};
use crate::meter::Totals;
use crate::remote::Remote;

/// How long a finished connection stays on the table, greyed.
pub const AFTERGLOW: Duration = Duration::from_secs(5);
/// Finished rows kept at the most; the oldest goes first.
pub const MAX_GREY: usize = 500;
/// Event lines kept at the most.
pub const MAX_LINES: usize = 2_000;

/// Which of the two programs this is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Role {
    /// A server with its dashboard.
    Serve,
    /// A client.
    Dial,
}

/// What does not change while the program runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct About {
    /// Server or client.
    pub role: Role,
    /// The served folder, or the URL.
    pub subject: DisplayName,
    /// Client: the folder downloads land in.
    pub landing: DisplayName,
    /// What the first line always says: rights and warnings.
    pub badges: Vec<Badge>,
    /// Client: what was told beforehand to do with every taken name; `None` asks.
    pub standing: Option<Clash>,
    /// Client: bytes a second all transfers together were held to beforehand.
    pub limit: Option<u64>,
    /// Server: connections at the most.
    pub max_connections: usize,
}

/// A word or two that are always on the screen, and how loud they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Badge {
    /// The words, in capitals.
    pub words: &'static str,
    /// Plain is how things are; worse wants to be seen.
    pub weight: Weight,
}

impl Badge {
    /// Nobody can change what is served.
    pub const READ_ONLY: Self = Self::new("READ-ONLY", Weight::Plain);
    /// Peers may store new files.
    pub const UPLOADS: Self = Self::new("UPLOADS", Weight::Warn);
    /// Peers may rename files.
    pub const RENAMES: Self = Self::new("RENAMES", Weight::Warn);
    /// Peers may delete files.
    pub const DELETES: Self = Self::new("DELETES", Weight::Warn);
    /// Names with a leading dot are served too.
    pub const DOTFILES: Self = Self::new("DOTFILES", Weight::Warn);
    /// A listener takes anybody, and anybody on the way can read along.
    pub const PLAINTEXT: Self = Self::new("PLAINTEXT, ANYBODY", Weight::Bad);

    const fn new(words: &'static str, weight: Weight) -> Self {
        Self { words, weight }
    }
}

/// All there is to know at one moment.
#[derive(Clone, Debug)]
pub struct Model {
    /// What does not change.
    pub about: About,
    /// Time since the program's start, as of the last `apply` or `sample`.
    pub now: Duration,
    /// Open listeners.
    pub listening: Vec<Listening>,
    /// Server: what lets a newcomer in, if anybody may come.
    pub invite: Option<Invite>,
    /// Living and just finished connections.
    pub connections: BTreeMap<ConnId, Connection>,
    /// Payload going out.
    pub outward: Flow,
    /// Payload coming in.
    pub inward: Flow,
    /// Counters since the start.
    pub tally: Tally,
    /// The newest event lines, oldest first.
    pub lines: VecDeque<Entered>,
    /// How many lines there have been, dropped ones included.
    pub lines_seen: u64,
    /// Events lost to a slow reader, as the feed reported them.
    pub lost: u64,
    /// Since when the engine is leaving.
    pub leaving: Option<Duration>,
    /// Client: link, folder and queue.
    pub remote: Remote,
    grey: VecDeque<ConnId>,
}

/// An event line with its time.
#[derive(Clone, Debug)]
pub struct Entered {
    /// Wall clock, UTC.
    pub at: Timestamp,
    /// Its number, counted from 0 since the start.
    pub number: u64,
    /// Of which connection.
    pub conn: Option<ConnId>,
    /// The words.
    pub line: Line,
}

/// Counters since the start, copied from the engine's dials.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Connections accepted.
    pub accepted: u64,
    /// Ended by the clock.
    pub timeouts: u64,
    /// Broke their protocol.
    pub malformed: u64,
    /// Answered with no.
    pub refused: u64,
    /// Transfers that did not go well.
    pub failed: u64,
}

impl Model {
    /// Nothing has happened yet.
    pub fn new(about: About) -> Self {
        Self {
            about,
            now: Duration::ZERO,
            listening: Vec::new(),
            invite: None,
            connections: BTreeMap::new(),
            outward: Flow::default(),
            inward: Flow::default(),
            tally: Tally::default(),
            lines: VecDeque::new(),
            lines_seen: 0,
            lost: 0,
            leaving: None,
            remote: Remote::default(),
            grey: VecDeque::new(),
        }
    }

    /// Living connections.
    pub fn living(&self) -> usize {
        self.connections.len() - self.grey.len()
    }

    /// Connections with a running transfer.
    pub fn active(&self) -> usize {
        self.connections
            .values()
            .filter(|connection| connection.running().is_some())
            .count()
    }

    /// Whether something runs that quitting would cut: transfers, or a queue with work left.
    pub fn is_busy(&self) -> bool {
        self.active() > 0 || self.remote.unfinished() > 0
    }

    /// Whether a dial may turn without an event: then the screen wants frames.
    pub fn is_moving(&self) -> bool {
        self.active() > 0 || self.remote.running() > 0 || !self.grey.is_empty()
    }

    /// Takes one event.
    pub fn apply(&mut self, event: &Event, now: Duration) {
        self.now = now;
        let conn = match &event.what {
            What::Listening(listening) => {
                if !self.listening.contains(listening) {
                    self.listening.push(listening.clone());
                }
                None
            }
            What::Accepted(birth) => {
                self.be_born(birth, now);
                Some(birth.conn)
            }
            What::TransferStarted(started) => {
                self.start(started, now);
                Some(started.conn)
            }
            What::TransferEnded(ended) => {
                self.end_transfer(ended);
                Some(ended.started.conn)
            }
            What::Closed(fact) => {
                self.close(fact, now);
                fact.conn
            }
            What::Shutdown(_) => {
                self.leaving.get_or_insert(now);
                None
            }
            What::Request(fact)
            | What::Timeout(fact)
            | What::Malformed(fact)
            | What::Refused(fact)
            | What::Displaced(fact)
            | What::Kicked(fact) => fact.conn,
            What::Note(fact) => {
                self.remote.apply(&event.what, now);
                fact.conn
            }
            What::Reset(snapshot) => {
                self.reset(snapshot, now);
                None
            }
            What::Invite(invite) => self.let_in(invite),
            What::Link(_)
            | What::Listing(_)
            | What::Job(_)
            | What::Removed(_)
            | What::Local(_)
            | What::Counted(_)
            | What::Hashed(_)
            | What::Saved(_) => {
                self.remote.apply(&event.what, now);
                None
            }
        };
        self.enter(event, conn);
    }

    /// Reads every dial. Once a frame.
    pub fn sample(&mut self, now: Duration, totals: &Totals) {
        self.now = now;
        for connection in self.connections.values_mut() {
            if connection.gone.is_none() {
                connection.read_dials(now);
            }
        }
        self.fade(now);
        self.remote.sample(now);
        self.tally = Tally {
            accepted: Totals::get(&totals.accepted),
            timeouts: Totals::get(&totals.timeouts),
            malformed: Totals::get(&totals.malformed),
            refused: Totals::get(&totals.refused),
            failed: Totals::get(&totals.failed),
        };
        self.outward
            .sample(now, &totals.bytes_out, &totals.files_out);
        self.inward.sample(now, &totals.bytes_in, &totals.files_in);
    }

    /// Takes what lets newcomers in from now on; it is of no connection.
    fn let_in(&mut self, invite: &Invite) -> Option<ConnId> {
        self.invite = Some(invite.clone());
        None
    }

    fn be_born(&mut self, birth: &Arc<Birth>, now: Duration) {
        self.connections
            .entry(birth.conn)
            .or_insert_with(|| Connection::new(Arc::clone(birth), now));
    }

    fn start(&mut self, started: &Arc<Started>, now: Duration) {
        if let Some(connection) = self.connections.get_mut(&started.conn) {
            connection.transfers += 1;
            connection.transfer = Some(Transfer::new(Arc::clone(started), now));
        }
    }

    fn end_transfer(&mut self, ended: &Ended) {
        let Some(connection) = self.connections.get_mut(&ended.started.conn) else {
            return;
        };
        if let Some(transfer) = connection.transfer_of(ended.started.xfer) {
            transfer.done = ended.started.progress.done();
            transfer.outcome = Some(ended.outcome);
        }
    }

    fn close(&mut self, fact: &Fact, now: Duration) {
        let Some(id) = fact.conn else { return };
        self.bury(id, now, fact.end());
    }

    fn bury(&mut self, id: ConnId, now: Duration, end: Option<End>) {
        let Some(connection) = self.connections.get_mut(&id) else {
            return;
        };
        if connection.gone.is_some() {
            return;
        }
        connection.read_dials(now);
        connection.gone = Some(Gone { at: now, end });
        self.grey.push_back(id);
        if self.grey.len() > MAX_GREY
            && let Some(oldest) = self.grey.pop_front()
        {
            self.connections.remove(&oldest);
        }
    }

    fn fade(&mut self, now: Duration) {
        while let Some(&id) = self.grey.front() {
            let due = self
                .connections
                .get(&id)
                .and_then(|connection| connection.gone.as_ref())
                .is_none_or(|gone| now.saturating_sub(gone.at) >= AFTERGLOW);
            if !due {
                break;
            }
            self.grey.pop_front();
            self.connections.remove(&id);
        }
    }

    /// Makes the picture equal to what lives, whatever was missed (law 2).
    fn reset(&mut self, snapshot: &Snapshot, now: Duration) {
        self.lost = self.lost.saturating_add(snapshot.lost);
        self.listening.clone_from(&snapshot.listening);
        self.invite.clone_from(&snapshot.invite);
        for birth in &snapshot.births {
            self.be_born(birth, now);
        }
        let alive: HashSet<ConnId> = snapshot.births.iter().map(|birth| birth.conn).collect();
        let dead: Vec<ConnId> = self
            .connections
            .keys()
            .filter(|id| !alive.contains(id))
            .copied()
            .collect();
        for id in dead {
            self.bury(id, now, None);
        }
        let running: HashSet<XferId> = snapshot.transfers.iter().map(|one| one.xfer).collect();
        for connection in self.connections.values_mut() {
            if let Some(transfer) = &connection.transfer
                && transfer.outcome.is_none()
                && !running.contains(&transfer.started.xfer)
            {
                connection.transfer = None;
            }
        }
        for started in &snapshot.transfers {
            let known = self
                .connections
                .get_mut(&started.conn)
                .is_some_and(|connection| connection.transfer_of(started.xfer).is_some());
            if !known {
                self.start(started, now);
            }
        }
        self.remote.reset(snapshot, now);
    }

    fn enter(&mut self, event: &Event, conn: Option<ConnId>) {
        let Some(line) = line::line(event) else {
            return;
        };
        if let Some(connection) = conn.and_then(|conn| self.connections.get_mut(&conn)) {
            connection.last_line = Some(line.clone());
        }
        self.lines.push_back(Entered {
            at: event.at,
            number: self.lines_seen,
            conn,
            line,
        });
        self.lines_seen += 1;
        if self.lines.len() > MAX_LINES {
            self.lines.pop_front();
        }
    }
}

#[cfg(test)]
#[path = "model_tests.rs"]
mod tests;
