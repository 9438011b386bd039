//! What the queue is told: one method a command.
//!
//! Orders change items and tell each change; what may start afterwards is
//! `schedule`'s, next door. They know the queue and the commands. They must never
//! wait: no socket and no file is touched here.

use std::sync::Arc;

use tokio::sync::mpsc;

use super::browse::Question;
use super::item::{Held, Item, Why};
use super::limit::Limit;
use super::pool::Pool;
use super::trip::Found;
use super::{Queue, ask, chores};
use crate::entity::{Direction, JobId, Kind, RemotePath};
use crate::event::{Clash, Command, JobState, Outgoing, Scope, Wanted};
use crate::net::hub::Hub;

impl Queue {
    pub(super) fn obey(&mut self, command: Command) {
        match command {
            Command::Open(path) => self.open(path),
            Command::Fetch(wanted) => {
                for Wanted { path, size, kind } in wanted {
                    let name = String::from_utf8_lossy(path.file_name()).into_owned();
                    self.put(Item::new(Direction::In, path, name, kind, size));
                }
            }
            Command::Send(outgoing) => self.send(outgoing),
            Command::Rename { from, to } => self.rename(from, to),
            Command::Help => self.help(),
            Command::Pause(job) => self.pause(job),
            Command::Resume(job) | Command::Retry(job) => self.requeue(job),
            Command::Cancel(job) => self.cancel(job),
            Command::MoveUp(job) => self.shift(job, Shift::Up),
            Command::MoveDown(job) => self.shift(job, Shift::Down),
            Command::ClearEnded => self.clear_ended(),
            Command::Answer { job, clash, scope } => self.answer(job, clash, scope),
            Command::Standing(clash) => self.standing = clash,
            Command::MakeFolder(path) => {
                let (pool, hub) = self.chore();
                self.tracker.spawn(chores::tell_made(pool, hub, path));
            }
            Command::Delete(doomed) => {
                let (pool, hub) = self.chore();
                self.tracker.spawn(chores::tell_deleted(pool, hub, doomed));
            }
            Command::Count { request, what } => {
                let (pool, hub) = self.chore();
                self.tracker.spawn(chores::count(pool, hub, request, what));
            }
            Command::Hash(path) => self.hash(path),
            Command::LookLocal(path) => {
                let hub = Arc::clone(&self.hub);
                self.tracker.spawn(chores::look_local(hub, path));
            }
            Command::Limit { job, rate } => self.limit(job, rate),
            Command::Restore(restore) => self.restore(restore),
            // A server's, or handled by the loop.
            Command::Kick(_) | Command::Leave { .. } | Command::Abort => {}
        }
    }

    fn open(&mut self, path: RemotePath) {
        if let Some(remembered) = &mut self.remembered {
            return remembered.show();
        }
        self.requests += 1;
        let question = Question {
            request: self.requests,
            path,
        };
        self.ask.send_replace(Some(question));
    }

    /// Puts an item at the end.
    pub(super) fn put(&mut self, mut item: Item) -> JobId {
        let job = JobId(self.next_job);
        self.next_job += 1;
        item.place = self.order.len();
        self.from = self.from.min(item.place);
        self.items.insert(job, item);
        self.order.push(job);
        self.tell(job);
        self.stir();
        job
    }

    /// Queues what is to be sent. Over deck it is looked at first: a folder is walked,
    /// and what is small shares a line.
    fn send(&mut self, outgoing: Vec<Outgoing>) {
        if !self.dial.target.dialect.is_deck() {
            for Outgoing { local, path } in outgoing {
                let name = String::from_utf8_lossy(path.file_name()).into_owned();
                let mut item = Item::new(Direction::Out, path, name, Kind::File, None);
                item.local = Some(local);
                self.put(item);
            }
            return;
        }
        let teller = self.teller(JobId(0));
        self.tracker.spawn_blocking(move || {
            let found = outgoing.into_iter().map(|Outgoing { local, path }| {
                // What cannot be looked at cannot be opened either: that says why.
                let meta = local.metadata().ok();
                let is_dir = meta.as_ref().is_some_and(std::fs::Metadata::is_dir);
                Found {
                    path,
                    folder: String::new(),
                    size: meta.filter(|_| !is_dir).map(|meta| meta.len()),
                    kind: if is_dir { Kind::Dir } else { Kind::File },
                    local: Some(local),
                    failure: None,
                }
            });
            teller.found(found.collect());
        });
    }

    /// What a chore beside the queue needs.
    fn chore(&self) -> (Arc<Pool>, Arc<Hub>) {
        (Arc::clone(&self.pool), Arc::clone(&self.hub))
    }

    fn hash(&mut self, path: RemotePath) {
        let (pool, hub) = self.chore();
        let tracker = &self.tracker;
        let asked = self.hashes.get_or_insert_with(|| {
            let (asked, asking) = mpsc::unbounded_channel();
            tracker.spawn(chores::hashes(pool, hub, asking));
            asked
        });
        let _ = asked.send(path);
    }

    fn limit(&mut self, job: Option<JobId>, rate: Option<u64>) {
        let Some(job) = job else {
            return self.pool.limit.set(rate);
        };
        let Some(item) = self.items.get_mut(&job) else {
            return;
        };
        match &item.limit {
            Some(limit) => limit.set(rate),
            None => item.limit = Some(Arc::new(Limit::new(rate))),
        }
        self.tell(job);
    }

    /// Renames beside the queue; the answer is a note.
    fn rename(&self, from: RemotePath, to: RemotePath) {
        if self.dial.target.dialect.is_deck() {
            let (pool, hub) = self.chore();
            self.tracker
                .spawn(chores::tell_renamed(pool, hub, from, to));
            return;
        }
        let (target, patience) = (self.dial.target.clone(), self.dial.patience);
        let (name, hub) = (self.dial.name.clone(), Arc::clone(&self.hub));
        self.tracker.spawn(async move {
            match ask::rename(&target, patience, &name, &from, &to).await {
                Ok(()) => hub.note(
                    "renamed",
                    &format!("{} is now {}", from.shown(), to.shown()),
                ),
                Err(failure) => hub.note(
                    "not_renamed",
                    &format!("{} was not renamed: {}", from.shown(), failure.detail),
                ),
            }
        });
    }

    /// Asks what can be asked; the answer is a note.
    fn help(&self) {
        let (target, patience) = (self.dial.target.clone(), self.dial.patience);
        let (name, hub) = (self.dial.name.clone(), Arc::clone(&self.hub));
        self.tracker.spawn(async move {
            match ask::help(&target, patience, &name).await {
                Ok(text) => hub.note("help", &text),
                Err(failure) => hub.note("help", &format!("no help: {}", failure.detail)),
            }
        });
    }

    fn pause(&mut self, job: JobId) {
        let Some(item) = self.items.get_mut(&job) else {
            return;
        };
        match (&item.state, &mut item.running) {
            (_, Some(running)) => {
                running.why.get_or_insert(Why::Pause);
                running.stop.cancel();
            }
            (JobState::Queued, None) => {
                let done = item.kept.as_ref().map_or(0, Held::at);
                item.state = JobState::Paused { done };
                self.tell(job);
            }
            _ => {}
        }
    }

    fn requeue(&mut self, job: JobId) {
        let Some(item) = self.items.get_mut(&job) else {
            return;
        };
        let again = match &item.state {
            JobState::Paused { .. } => true,
            JobState::Ended { outcome, .. } => !outcome.went_well(),
            _ => false,
        };
        if again {
            item.state = JobState::Queued;
            self.from = self.from.min(item.place);
            self.tell(job);
            self.stir();
        }
    }

    fn cancel(&mut self, job: JobId) {
        let Some(item) = self.items.get_mut(&job) else {
            return;
        };
        if let Some(running) = &mut item.running {
            running.why = Some(Why::Cancel);
            running.stop.cancel();
        } else if !matches!(item.state, JobState::Ended { .. }) {
            item.give_up("cancelled", "");
            self.tell(job);
            self.stir();
        }
    }

    fn answer(&mut self, job: JobId, clash: Clash, scope: Scope) {
        let mut asked = vec![job];
        if scope == Scope::All {
            self.standing = Some(clash);
            let waiting = |job: &&JobId| matches!(self.items.get(job), Some(item) if matches!(item.state, JobState::Clash));
            asked = self.order.iter().filter(waiting).copied().collect();
        }
        for job in asked {
            let Some(item) = self.items.get_mut(&job) else {
                continue;
            };
            if !matches!(item.state, JobState::Clash) {
                continue;
            }
            item.clash = Some(clash);
            if clash == Clash::Skip {
                item.give_up("exists", "skipped: the name is taken");
            } else {
                item.state = JobState::Queued;
                self.from = self.from.min(item.place);
            }
            self.tell(job);
            self.stir();
        }
    }

    fn shift(&mut self, job: JobId, shift: Shift) {
        let Some(at) = self.items.get(&job).map(|item| item.place) else {
            return;
        };
        let to = match shift {
            Shift::Up => at.checked_sub(1),
            Shift::Down => Some(at + 1).filter(|to| *to < self.order.len()),
        };
        let Some(to) = to else { return };
        self.order.swap(at, to);
        self.from = self.from.min(at.min(to));
        self.stir();
        for place in [at, to] {
            self.set_place(place);
        }
    }

    /// Tells the item at a place where it is now.
    fn set_place(&mut self, place: usize) {
        let Some(job) = self.order.get(place).copied() else {
            return;
        };
        if let Some(item) = self.items.get_mut(&job) {
            item.place = place;
        }
        self.tell(job);
    }

    fn clear_ended(&mut self) {
        let items = &mut self.items;
        let mut cleared = Vec::new();
        self.order.retain(|job| {
            let ended = matches!(items.get(job), Some(item) if matches!(item.state, JobState::Ended { .. }));
            if ended {
                // A part on the disk stays for the same command; the others' goes.
                drop(items.remove(job));
                cleared.push(*job);
            }
            !ended
        });
        if cleared.is_empty() {
            return;
        }
        self.hub.remove_jobs(cleared);
        self.from = 0;
        for place in 0..self.order.len() {
            self.set_place(place);
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shift {
    Up,
    Down,
}
