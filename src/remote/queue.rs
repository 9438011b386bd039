//! The client's queue: what it holds, in its order, and sums that are never walked for.
//!
//! Forty thousand waiting items must cost a frame nothing: counts and bytes are
//! kept as items come, change and go, only running ones are sampled, and a
//! place in the order is a place in a list. No clock, no runtime, no screen.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use crate::entity::{Direction, JobId, Kind, Outcome};
use crate::event::{Job, JobState};
use crate::rate::Rate;

/// One item of the queue as the screen shows it.
#[derive(Clone, Debug)]
pub struct Item {
    /// As the engine last told it.
    pub job: Arc<Job>,
    /// Bytes that are here.
    pub done: u64,
    /// Over the last three seconds.
    pub rate: Rate,
    /// When the running transfer was first seen here.
    pub begun: Duration,
    /// Bytes an earlier run of the program left, once it ran in this one.
    left: Option<u64>,
}

impl Item {
    fn new(job: Arc<Job>, now: Duration) -> Self {
        let mut item = Self {
            job,
            done: 0,
            rate: Rate::default(),
            begun: now,
            left: None,
        };
        item.read_dial(now);
        item
    }

    fn read_dial(&mut self, now: Duration) {
        match &self.job.state {
            JobState::Running { started } => {
                self.left.get_or_insert(started.offset);
                self.done = started.progress.done();
                self.rate.sample(now, self.done);
            }
            JobState::Paused { done } | JobState::Waiting { done, .. } => self.done = *done,
            JobState::Ended { bytes, .. } => self.done = *bytes,
            JobState::Queued | JobState::Walking { .. } | JobState::Asking | JobState::Clash => {}
        }
    }

    /// The file's size as far as it is known.
    pub fn size(&self) -> Option<u64> {
        match &self.job.state {
            JobState::Running { started } => started.size.or(self.job.size),
            _ => self.job.size,
        }
    }

    /// Bytes whose blocks have been checked; `None` where nothing is checked, or not yet.
    pub fn verified(&self) -> Option<u64> {
        match &self.job.state {
            JobState::Running { started } => {
                Some(started.progress.verified()).filter(|&bytes| bytes > 0)
            }
            _ => None,
        }
    }

    /// Connections that carry it now; 0 where nobody counts them.
    pub fn streams(&self) -> u32 {
        match &self.job.state {
            JobState::Running { started } => started.progress.streams(),
            _ => 0,
        }
    }

    /// Bytes a second since the running transfer began, resumed bytes left out.
    pub fn average(&self, now: Duration) -> f64 {
        let JobState::Running { started } = &self.job.state else {
            return 0.0;
        };
        let took = now.saturating_sub(self.begun).as_secs_f64();
        if took <= 0.0 {
            return 0.0;
        }
        self.done.saturating_sub(started.offset) as f64 / took
    }

    /// Bytes that came in this run of the program: what an earlier one left took no time here.
    pub fn fetched(&self) -> u64 {
        self.done.saturating_sub(self.left.unwrap_or(0))
    }

    /// Whether work is left on it.
    pub fn is_unfinished(&self) -> bool {
        !matches!(self.job.state, JobState::Ended { .. })
    }

    /// Whether it failed by itself: what its user gave up or skipped stays so.
    pub fn broke_down(&self) -> bool {
        matches!(
            &self.job.state,
            JobState::Ended { outcome, .. }
                if !outcome.went_well() && *outcome != Outcome::Cancelled
        )
    }

    /// Whether its user gave it up or skipped it.
    pub fn was_cancelled(&self) -> bool {
        matches!(&self.job.state, JobState::Ended { outcome, .. } if *outcome == Outcome::Cancelled)
    }

    /// What it adds to the sums: bytes here, bytes wanted. Nothing once it ended badly.
    fn share(&self) -> (u128, u128) {
        if self.job.kind == Kind::Dir {
            // Its files are in the queue themselves.
            return (0, 0);
        }
        if let JobState::Ended { outcome, .. } = &self.job.state
            && !outcome.went_well()
        {
            return (0, 0);
        }
        let of = self.size().unwrap_or(self.done).max(self.done);
        (u128::from(self.done), u128::from(of))
    }

    fn key(&self) -> Key {
        (self.job.place, self.job.job)
    }

    fn runs(&self) -> bool {
        matches!(self.job.state, JobState::Running { .. })
    }
}

/// How many items stand where.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Wait for their turn.
    pub queued: usize,
    /// Wait for the server to come back.
    pub waiting: usize,
    /// Folders whose files are being looked for.
    pub walking: usize,
    /// Are being asked for.
    pub asking: usize,
    /// Run.
    pub running: usize,
    /// Are held by their user.
    pub paused: usize,
    /// Wait for an answer about a taken name.
    pub clashing: usize,
    /// Are at their end.
    pub ended: usize,
    /// Are at a bad end that their user did not ask for.
    pub broken: usize,
    /// Were given up by their user.
    pub cancelled: usize,
}

impl Counts {
    fn of(&mut self, state: &JobState) -> &mut usize {
        match state {
            JobState::Queued => &mut self.queued,
            JobState::Waiting { .. } => &mut self.waiting,
            JobState::Walking { .. } => &mut self.walking,
            JobState::Asking => &mut self.asking,
            JobState::Running { .. } => &mut self.running,
            JobState::Paused { .. } => &mut self.paused,
            JobState::Clash => &mut self.clashing,
            JobState::Ended { .. } => &mut self.ended,
        }
    }
}

/// Where an item stands in the order: its place, then its id.
type Key = (usize, JobId);

/// The queue.
#[derive(Clone, Debug, Default)]
pub struct Queue {
    items: HashMap<JobId, Item>,
    /// Every item, sorted.
    order: Vec<Key>,
    running: BTreeSet<Key>,
    clashing: BTreeSet<Key>,
    counts: Counts,
    /// Bytes here and wanted of all that do not run.
    still: (u128, u128),
    /// Uploads and downloads that ended well.
    landed: (u64, u64),
}

impl Queue {
    /// From the top.
    pub fn items(&self) -> impl ExactSizeIterator<Item = &Item> {
        // `order` holds exactly the keys of `items`; see `put` and `remove`.
        self.order.iter().map(|(_, id)| &self.items[id])
    }

    /// Items there are.
    pub fn len(&self) -> usize {
        self.order.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.order.is_empty()
    }

    /// One item.
    pub fn item(&self, job: JobId) -> Option<&Item> {
        self.items.get(&job)
    }

    /// The item in a row, counted from 0.
    pub fn at(&self, row: usize) -> Option<&Item> {
        self.items.get(&self.order.get(row)?.1)
    }

    /// The row of an item.
    pub fn row(&self, job: JobId) -> Option<usize> {
        self.order.binary_search(&self.items.get(&job)?.key()).ok()
    }

    /// How many stand where.
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// Items whose bytes flow, from the top.
    pub fn flowing(&self) -> impl Iterator<Item = &Item> {
        self.running.iter().map(|(_, id)| &self.items[id])
    }

    /// The first item that waits for an answer about a taken name.
    pub fn clash(&self) -> Option<&Item> {
        self.items.get(&self.clashing.first()?.1)
    }

    /// How many transfers of a direction have ended well: a cheap "is there something new?".
    pub fn landed(&self, direction: Direction) -> u64 {
        match direction {
            Direction::Out => self.landed.0,
            Direction::In => self.landed.1,
        }
    }

    /// Bytes here and bytes wanted over all items that did not fail; sizes not known count as 0.
    pub fn total(&self) -> (u64, u64) {
        let (done, size) = self.flowing().fold(self.still, |sum, item| {
            let share = item.share();
            (sum.0 + share.0, sum.1 + share.1)
        });
        let whole = |sum| u64::try_from(sum).unwrap_or(u64::MAX);
        (whole(done), whole(size))
    }

    pub(super) fn sample(&mut self, now: Duration) {
        for (_, id) in &self.running {
            if let Some(item) = self.items.get_mut(id) {
                item.read_dial(now);
            }
        }
    }

    /// Takes an item as it now stands.
    pub(super) fn put(&mut self, job: &Arc<Job>, now: Duration) {
        let id = job.job;
        let Some(mut item) = self.items.remove(&id) else {
            let item = Item::new(Arc::clone(job), now);
            self.enter(&item);
            let key = item.key();
            let at = self.order.binary_search(&key).unwrap_or_else(|at| at);
            self.order.insert(at, key);
            self.items.insert(id, item);
            return;
        };
        self.leave(&item);
        let before = item.key();
        let was_unfinished = item.is_unfinished();
        let ran = item.runs();
        let held = matches!(
            item.job.state,
            JobState::Paused { .. } | JobState::Waiting { .. }
        );
        item.job = Arc::clone(job);
        if item.runs() && !ran {
            item.begun = now;
            item.rate = Rate::default();
        }
        if matches!(job.state, JobState::Queued) && !held {
            item.done = 0;
            item.left = None;
        }
        item.read_dial(now);
        if was_unfinished {
            self.count_landed(&item);
        }
        self.enter(&item);
        self.arrange(before, item.key());
        self.items.insert(id, item);
    }

    pub(super) fn remove(&mut self, jobs: &[JobId]) {
        for job in jobs {
            if let Some(item) = self.items.remove(job) {
                self.leave(&item);
            }
        }
        let items = &self.items;
        self.order.retain(|(_, id)| items.contains_key(id));
    }

    /// Counts an item in.
    fn enter(&mut self, item: &Item) {
        *self.counts.of(&item.job.state) += 1;
        self.counts.broken += usize::from(item.broke_down());
        self.counts.cancelled += usize::from(item.was_cancelled());
        match &item.job.state {
            // The sums of what runs are read from its dial.
            JobState::Running { .. } => {
                self.running.insert(item.key());
                return;
            }
            JobState::Clash => {
                self.clashing.insert(item.key());
            }
            _ => {}
        }
        let (done, size) = item.share();
        self.still = (self.still.0 + done, self.still.1 + size);
    }

    /// Counts it out again, as it was counted in.
    fn leave(&mut self, item: &Item) {
        *self.counts.of(&item.job.state) -= 1;
        self.counts.broken -= usize::from(item.broke_down());
        self.counts.cancelled -= usize::from(item.was_cancelled());
        match &item.job.state {
            JobState::Running { .. } => {
                self.running.remove(&item.key());
                return;
            }
            JobState::Clash => {
                self.clashing.remove(&item.key());
            }
            _ => {}
        }
        let (done, size) = item.share();
        self.still = (self.still.0 - done, self.still.1 - size);
    }

    fn count_landed(&mut self, item: &Item) {
        let JobState::Ended { outcome, .. } = &item.job.state else {
            return;
        };
        if outcome.went_well() {
            match item.job.direction {
                Direction::Out => self.landed.0 += 1,
                Direction::In => self.landed.1 += 1,
            }
        }
    }

    /// Gives an item its new place in the order; mostly that is where it is.
    fn arrange(&mut self, before: Key, after: Key) {
        if before == after {
            return;
        }
        let Ok(at) = self.order.binary_search(&before) else {
            return;
        };
        let above = at.checked_sub(1).and_then(|at| self.order.get(at));
        let below = self.order.get(at + 1);
        if above.is_none_or(|above| *above < after) && below.is_none_or(|below| after < *below) {
            self.order[at] = after;
            return;
        }
        self.order.remove(at);
        let to = self.order.binary_search(&after).unwrap_or_else(|to| to);
        self.order.insert(to, after);
    }
}
