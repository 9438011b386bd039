//! The client's half of what is: link, both folders, queue. Folded like the model.
//!
//! Called by the model alone; the same rules hold: no clock, no tokio, no
//! ratatui, and no knowledge of what the user has selected or marked.

mod queue;

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

pub use self::queue::{Counts, Item, Queue};
use crate::entity::{DisplayName, Entry, JobId, RemotePath};
use crate::event::{
    Counted, Fact, Hashed, Link, Listing, ListingState, Local, Saved, Snapshot, What,
};

/// What a client knows of its server and of its own queue.
#[derive(Clone, Debug)]
pub struct Remote {
    /// How the browsing connection stands.
    pub link: Link,
    /// When that was told.
    pub link_since: Duration,
    /// Why it was lost at first, since it was there last.
    pub lost: Option<DisplayName>,
    /// The folder being looked at.
    pub folder: Folder,
    /// The server's newest answer to a rename or to a call for help.
    pub answer: Option<Answer>,
    /// What the server last said that can be asked.
    pub help: Option<DisplayName>,
    /// The folder of this machine being looked at.
    pub here: Here,
    /// How much the last choice asked about holds.
    pub counted: Option<Counted>,
    /// The newest hash told.
    pub hashed: Option<Hashed>,
    /// How many have been told.
    pub hashes: u64,
    /// What an earlier run left unfinished.
    pub saved: Option<Told>,
    /// Grows with every answer after which the server's folder may be another.
    pub changes: u64,
    /// All that is to be transferred.
    pub queue: Queue,
}

impl Default for Remote {
    fn default() -> Self {
        Self {
            link: Link::Connecting,
            link_since: Duration::ZERO,
            lost: None,
            folder: Folder::default(),
            answer: None,
            help: None,
            here: Here::default(),
            counted: None,
            hashed: None,
            hashes: 0,
            saved: None,
            changes: 0,
            queue: Queue::default(),
        }
    }
}

/// An answer that belongs to no item of the queue.
#[derive(Clone, Debug)]
pub struct Answer {
    /// Counts the answers from 1: a cheap "is it new?".
    pub number: u64,
    /// The note's word, `renamed` or `not_made` among them.
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
    /// The list request that has begun to read it again; what is shown is from before.
    pub anew: Option<u64>,
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
            anew: None,
            edition: 0,
        }
    }
}

/// One folder of this machine, as it was last read.
#[derive(Clone, Debug)]
pub struct Here {
    /// Where it is; empty before the first was read.
    pub path: PathBuf,
    /// What it holds, in its own order.
    pub entries: Arc<[Entry]>,
    /// Names that are not UTF-8: counted, not listed.
    pub unlisted: u64,
    /// Whether it could be read.
    pub state: ListingState,
    /// Grows with every reading.
    pub edition: u64,
}

impl Default for Here {
    fn default() -> Self {
        Self {
            path: PathBuf::new(),
            entries: Arc::new([]),
            unlisted: 0,
            state: ListingState::More,
            edition: 0,
        }
    }
}

impl Here {
    fn look(&mut self, local: &Local) {
        *self = Self {
            path: local.path.clone(),
            entries: Arc::clone(&local.entries),
            unlisted: local.unlisted,
            state: local.state.clone(),
            edition: self.edition + 1,
        };
    }
}

/// An unfinished queue that was told of, and the how-manieth telling it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Told {
    /// Counts from 1.
    pub number: u64,
    /// What it holds.
    pub saved: Saved,
}

impl Remote {
    /// The queue from the top.
    pub fn items(&self) -> impl ExactSizeIterator<Item = &Item> {
        self.queue.items()
    }

    /// One item.
    pub fn item(&self, job: JobId) -> Option<&Item> {
        self.queue.item(job)
    }

    /// Items that run now, or are being asked for.
    pub fn running(&self) -> usize {
        let counts = self.queue.counts();
        counts.running + counts.asking
    }

    /// Items that wait for their turn.
    pub fn queued(&self) -> usize {
        self.queue.counts().queued
    }

    /// Items that are not at their end.
    pub fn unfinished(&self) -> usize {
        self.queue.len() - self.queue.counts().ended
    }

    /// The first item that waits for an answer about a taken name.
    pub fn clash(&self) -> Option<&Item> {
        self.queue.clash()
    }

    /// Bytes here and bytes wanted over all items that did not fail; sizes not known count as 0.
    pub fn total(&self) -> (u64, u64) {
        self.queue.total()
    }

    /// In how long the lost link is tried again by itself; `None` where it is not.
    pub fn again(&self, now: Duration) -> Option<Duration> {
        match &self.link {
            Link::Lost { again, .. } => {
                Some((*again)?.saturating_sub(now.saturating_sub(self.link_since)))
            }
            _ => None,
        }
    }

    /// Takes a client event; others are not sent here.
    pub(crate) fn apply(&mut self, what: &What, now: Duration) {
        match what {
            What::Link(link) => {
                match link {
                    Link::Ready { .. } => self.lost = None,
                    Link::Lost { why, .. } => drop(self.lost.get_or_insert_with(|| why.clone())),
                    Link::Connecting => {}
                }
                self.link = link.clone();
                self.link_since = now;
            }
            What::Listing(listing) => self.list(listing),
            What::Job(job) => self.queue.put(job, now),
            What::Removed(jobs) => self.queue.remove(jobs),
            What::Note(fact) => self.hear(fact),
            What::Local(local) => self.here.look(local),
            What::Counted(counted) => self.counted = Some(counted.clone()),
            What::Hashed(hashed) => {
                self.hashed = Some(hashed.clone());
                self.hashes += 1;
            }
            What::Saved(saved) => {
                self.saved = Some(Told {
                    number: self.saved.map_or(0, |told| told.number) + 1,
                    saved: *saved,
                });
            }
            _ => {}
        }
    }

    pub(crate) fn sample(&mut self, now: Duration) {
        self.queue.sample(now);
    }

    pub(crate) fn reset(&mut self, snapshot: &Snapshot, now: Duration) {
        if let Some(link) = &snapshot.link
            && *link != self.link
        {
            self.link = link.clone();
            self.link_since = now;
        }
        let coming = self.folder.state == ListingState::More || self.folder.anew.is_some();
        if coming && snapshot.lost > 0 {
            // A page may be among the lost: never show a part as the whole.
            self.folder.state = ListingState::Failed(DisplayName::from(
                "a part of the listing was lost; open the folder again",
            ));
            self.folder.edition += 1;
        }
        let there: HashSet<JobId> = snapshot.jobs.iter().map(|job| job.job).collect();
        let gone: Vec<JobId> = self
            .items()
            .map(|item| item.job.job)
            .filter(|id| !there.contains(id))
            .collect();
        self.queue.remove(&gone);
        for job in &snapshot.jobs {
            self.queue.put(job, now);
        }
    }

    /// Keeps a note that answers a command.
    fn hear(&mut self, fact: &Fact) {
        if !ANSWERS.contains(&fact.cause) {
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
        self.changes += u64::from(CHANGES.contains(&fact.cause));
    }

    fn list(&mut self, listing: &Listing) {
        let folder = &mut self.folder;
        if listing.request < folder.request {
            return;
        }
        let anew = listing.request > folder.request && listing.path == folder.path;
        if anew && listing.entries.is_empty() && listing.state == ListingState::More {
            // What is shown stays until something else is known.
            folder.anew = Some(listing.request);
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
}

/// Notes that answer a command of the client.
const ANSWERS: [&str; 7] = [
    "help",
    "renamed",
    "not_renamed",
    "made",
    "not_made",
    "deleted",
    "not_deleted",
];
/// Those after which the server's folder may hold something else.
const CHANGES: [&str; 6] = [
    "renamed",
    "not_renamed",
    "made",
    "not_made",
    "deleted",
    "not_deleted",
];
