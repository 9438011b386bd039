//! What the queue is told: one method a command.
//!
//! Orders change items and tell each change; what may start afterwards is
//! `schedule`'s, next door. They know the queue and the commands. They must never
//! wait: no socket and no file is touched here.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::browse::Question;
use super::item::{Item, Why, discard};
use super::{Queue, dial};
use crate::entity::{Direction, JobId, RemotePath};
use crate::event::{Clash, Command, JobState, Outgoing, Scope, Wanted};

impl Queue {
    pub(super) fn obey(&mut self, command: Command) {
        match command {
            Command::Open(path) => self.open(path),
            Command::Fetch(wanted) => {
                for Wanted { path, size, .. } in wanted {
                    self.put(None, path, size);
                }
            }
            Command::Send(outgoing) => {
                for Outgoing { local, path } in outgoing {
                    self.put(Some(local), path, None);
                }
            }
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
            Command::MakeFolder(_)
            | Command::Delete(_)
            | Command::Count { .. }
            | Command::Hash(_)
            | Command::LookLocal(_)
            | Command::Limit { .. }
            | Command::Restore(_)
            // A server's, or handled by the loop.
            | Command::Kick(_) | Command::Leave { .. } | Command::Abort => {}
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

    /// Puts an item at the end: an upload of `local`, or a download.
    fn put(&mut self, local: Option<PathBuf>, path: RemotePath, size: Option<u64>) {
        let job = JobId(self.next_job);
        self.next_job += 1;
        let target = String::from_utf8_lossy(path.file_name()).into_owned();
        self.items.insert(
            job,
            Item {
                direction: match local {
                    Some(_) => Direction::Out,
                    None => Direction::In,
                },
                local,
                path,
                target,
                size,
                state: JobState::Queued,
                clash: None,
                kept: None,
                ran: Duration::ZERO,
                running: None,
            },
        );
        self.order.push(job);
        self.tell_at(job, self.order.len() - 1);
    }

    /// Renames beside the queue; the answer is a note.
    fn rename(&self, from: RemotePath, to: RemotePath) {
        let (target, patience) = (self.dial.target.clone(), self.dial.patience);
        let (name, hub) = (self.dial.name.clone(), Arc::clone(&self.hub));
        self.tracker.spawn(async move {
            match dial::rename(&target, patience, &name, &from, &to).await {
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
            match dial::help(&target, patience, &name).await {
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
                let done = item.kept.as_ref().map_or(0, |kept| kept.at);
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
            self.tell(job);
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
            }
            self.tell(job);
        }
    }

    fn shift(&mut self, job: JobId, shift: Shift) {
        let Some(at) = self.order.iter().position(|one| *one == job) else {
            return;
        };
        let to = match shift {
            Shift::Up => at.checked_sub(1),
            Shift::Down => Some(at + 1).filter(|to| *to < self.order.len()),
        };
        let Some(to) = to else { return };
        self.order.swap(at, to);
        let (one, other) = (self.order[at], self.order[to]);
        self.tell_at(one, at);
        self.tell_at(other, to);
    }

    fn clear_ended(&mut self) {
        let items = &mut self.items;
        let mut cleared = Vec::new();
        self.order.retain(|job| {
            let ended = matches!(items.get(job), Some(item) if matches!(item.state, JobState::Ended { .. }));
            if ended {
                discard(items.remove(job).and_then(|item| item.kept));
                cleared.push(*job);
            }
            !ended
        });
        if cleared.is_empty() {
            return;
        }
        self.hub.remove_jobs(cleared);
        for at in 0..self.order.len() {
            self.tell_at(self.order[at], at);
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shift {
    Up,
    Down,
}
