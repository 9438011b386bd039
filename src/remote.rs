//! The client's half of what is: link, remote folder, queue. Folded like the model.
//!
//! Called by the model alone; the same rules hold: no clock, no tokio, no
//! ratatui, and no knowledge of what the user has selected or marked.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use crate::entity::{DisplayName, Entry, JobId, RemotePath};
use crate::event::{Fact, Job, JobState, Link, Listing, ListingState, Snapshot, What};
use crate::rate::Rate;

/// What a client knows of its server and of its own queue.
#[derive(Clone, Debug)]
pub struct Remote {
    /// How the browsing connection stands.
    pub link: Link,
    /// The folder being looked at.
    pub folder: Folder,
    /// The server's newest answer to a rename or to a call for help.
    pub answer: Option<Answer>,
    /// What the server last said that can be asked.
    pub help: Option<DisplayName>,
    items: BTreeMap<JobId, Item>,
    order: Vec<JobId>,
}

impl Default for Remote {
    fn default() -> Self {
        Self {
            link: Link::Connecting,
            folder: Folder::default(),
            answer: None,
            help: None,
            items: BTreeMap::new(),
            order: Vec::new(),
        }
    }
}

/// An answer that belongs to no item of the queue.
#[derive(Clone, Debug)]
pub struct Answer {
    /// Counts the answers from 1: a cheap "is it new?".
    pub number: u64,
    /// `renamed`, `not_renamed` or `help`.
    pub cause: &'static str,
    /// The words; already clean.
    pub detail: DisplayName,
}

/// One remote folder, as far as it has arrived.
#[derive(Clone, Debug)]
pub struct Folder {
    /// Where it is.
    pub path: RemotePath,
    /// The list request it answers.
    pub request: u64,
    /// What has arrived, in the server's order.
    pub entries: Vec<Entry>,
    /// Names that are not UTF-8: counted, not listed.
    pub unlisted: u64,
    /// Whether it is whole.
    pub state: ListingState,
    /// Grows with every change; a cheap "has it changed?".
    pub edition: u64,
}

impl Default for Folder {
    fn default() -> Self {
        Self {
            path: RemotePath::root(),
            request: 0,
            entries: Vec::new(),
            unlisted: 0,
            state: ListingState::More,
            edition: 0,
        }
    }
}

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
}

impl Item {
    fn new(job: Arc<Job>, now: Duration) -> Self {
        let mut item = Self {
            job,
            done: 0,
            rate: Rate::default(),
            begun: now,
        };
        item.read_dial(now);
        item
    }

    fn read_dial(&mut self, now: Duration) {
        match &self.job.state {
            JobState::Running { started } => {
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

    /// Whether work is left on it.
    pub fn is_unfinished(&self) -> bool {
        !matches!(self.job.state, JobState::Ended { .. })
    }
}

impl Remote {
    /// The queue from the top.
    pub fn items(&self) -> impl ExactSizeIterator<Item = &Item> {
        // `order` holds exactly the keys of `items`; see `put` and `remove`.
        self.order.iter().map(|id| &self.items[id])
    }

    /// One item.
    pub fn item(&self, job: JobId) -> Option<&Item> {
        self.items.get(&job)
    }

    /// Items that run now.
    pub fn running(&self) -> usize {
        self.count(|state| matches!(state, JobState::Running { .. } | JobState::Asking))
    }

    /// Items that wait for their turn.
    pub fn queued(&self) -> usize {
        self.count(|state| matches!(state, JobState::Queued))
    }

    /// Items that are not at their end.
    pub fn unfinished(&self) -> usize {
        self.count(|state| !matches!(state, JobState::Ended { .. }))
    }

    /// The first item that waits for an answer about a taken name.
    pub fn clash(&self) -> Option<&Item> {
        self.items()
            .find(|item| matches!(item.job.state, JobState::Clash))
    }

    /// Bytes here and bytes wanted over all items that did not fail; sizes not known count as 0.
    pub fn total(&self) -> (u64, u64) {
        self.items
            .values()
            .filter(|item| match &item.job.state {
                JobState::Ended { outcome, .. } => outcome.went_well(),
                _ => true,
            })
            .fold((0, 0), |(done, size), item| {
                let of = item.size().unwrap_or(item.done).max(item.done);
                (done + item.done, size + of)
            })
    }

    fn count(&self, is: impl Fn(&JobState) -> bool) -> usize {
        self.items
            .values()
            .filter(|item| is(&item.job.state))
            .count()
    }

    /// Takes a client event; others are not sent here.
    pub(crate) fn apply(&mut self, what: &What, now: Duration) {
        match what {
            What::Link(link) => self.link = link.clone(),
            What::Listing(listing) => self.list(listing),
            What::Job(job) => self.put(job, now),
            What::Removed(jobs) => self.remove(jobs),
            What::Note(fact) => self.hear(fact),
            _ => {}
        }
    }

    pub(crate) fn sample(&mut self, now: Duration) {
        for item in self.items.values_mut() {
            item.read_dial(now);
        }
    }

    pub(crate) fn reset(&mut self, snapshot: &Snapshot, now: Duration) {
        if let Some(link) = &snapshot.link {
            self.link = link.clone();
        }
        if matches!(self.folder.state, ListingState::More) && snapshot.lost > 0 {
            // A page may be among the lost: never show a part as the whole.
            self.folder.state = ListingState::Failed(DisplayName::from(
                "a part of the listing was lost; open the folder again",
            ));
            self.folder.edition += 1;
        }
        let there: HashSet<JobId> = snapshot.jobs.iter().map(|job| job.job).collect();
        let gone: Vec<JobId> = self
            .order
            .iter()
            .filter(|id| !there.contains(id))
            .copied()
            .collect();
        self.remove(&gone);
        for job in &snapshot.jobs {
            self.put(job, now);
        }
    }

    /// Keeps a note that answers a rename or a call for help.
    fn hear(&mut self, fact: &Fact) {
        if !matches!(fact.cause, "renamed" | "not_renamed" | "help") {
            return;
        }
        if fact.cause == "help" {
            self.help = Some(fact.detail.clone());
        }
        self.answer = Some(Answer {
            number: self.answer.as_ref().map_or(0, |answer| answer.number) + 1,
            cause: fact.cause,
            detail: fact.detail.clone(),
        });
    }

    fn list(&mut self, listing: &Listing) {
        let folder = &mut self.folder;
        if listing.request < folder.request {
            return;
        }
        if listing.request > folder.request {
            *folder = Folder {
                path: listing.path.clone(),
                request: listing.request,
                edition: folder.edition,
                ..Folder::default()
            };
        }
        folder.entries.extend_from_slice(&listing.entries);
        folder.unlisted += listing.unlisted;
        folder.state = listing.state.clone();
        folder.edition += 1;
    }

    fn put(&mut self, job: &Arc<Job>, now: Duration) {
        let Some(item) = self.items.get_mut(&job.job) else {
            let last = self.order.last().map(|id| self.items[id].job.place);
            self.items.insert(job.job, Item::new(Arc::clone(job), now));
            self.order.push(job.job);
            if last.is_some_and(|last| last > job.place) {
                self.arrange();
            }
            return;
        };
        let ran = matches!(item.job.state, JobState::Running { .. });
        if matches!(job.state, JobState::Running { .. }) && !ran {
            item.begun = now;
            item.rate = Rate::default();
        }
        let held = matches!(item.job.state, JobState::Paused { .. });
        if matches!(job.state, JobState::Queued) && !held {
            item.done = 0;
        }
        let moved = item.job.place != job.place;
        item.job = Arc::clone(job);
        item.read_dial(now);
        if moved {
            self.arrange();
        }
    }

    fn remove(&mut self, jobs: &[JobId]) {
        for job in jobs {
            self.items.remove(job);
        }
        let items = &self.items;
        self.order.retain(|id| items.contains_key(id));
    }

    fn arrange(&mut self) {
        let items = &self.items;
        self.order.sort_by_key(|id| (items[id].job.place, *id));
    }
}
