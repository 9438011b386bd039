//! What a running task says to the queue, and what the queue makes of it.
//!
//! A report names its item; what it changes is told as the whole item. It knows the
//! queue's items and how tasks end. What starts next is not its to say (`start`).

use std::sync::Arc;

use tokio::sync::mpsc::UnboundedSender;

use super::dial::Failure;
use super::fetch::Finish;
use super::item::{Held, Why, discard};
use super::trip::Found;
use super::{OnClash, Queue};
use crate::entity::{Direction, DisplayName, JobId, Outcome};
use crate::event::{JobState, Started};
use crate::meter::Walk;

/// What a running task says to the queue.
#[derive(Debug)]
pub(super) enum Report {
    /// Bytes flow.
    Begun(JobId, Arc<Started>),
    /// The server has gone; so many bytes are kept.
    Waiting(JobId, DisplayName, u64),
    /// A folder is being walked.
    Walking(JobId, Arc<Walk>),
    /// A walk has found these.
    Found(Vec<Found>),
    /// An item is at the end of this try.
    Finished(JobId, Finish, Option<Held>),
    /// A task is over; those of its items that have no end yet never will.
    Over(u64, Vec<JobId>, Failure),
}

/// A task's way to tell the queue about one item.
#[derive(Clone, Debug)]
pub(super) struct Teller {
    job: JobId,
    reports: UnboundedSender<Report>,
}

impl Teller {
    pub(super) const fn new(job: JobId, reports: UnboundedSender<Report>) -> Self {
        Self { job, reports }
    }

    /// The same for another item.
    pub(super) fn of(&self, job: JobId) -> Self {
        Self::new(job, self.reports.clone())
    }

    pub(super) fn begun(&self, started: Arc<Started>) {
        self.say(Report::Begun(self.job, started));
    }

    pub(super) fn waiting(&self, why: &Failure, done: u64) {
        let why = DisplayName::from(why.detail.as_str());
        self.say(Report::Waiting(self.job, why, done));
    }

    pub(super) fn walking(&self, walk: Arc<Walk>) {
        self.say(Report::Walking(self.job, walk));
    }

    pub(super) fn found(&self, found: Vec<Found>) {
        self.say(Report::Found(found));
    }

    pub(super) fn ended(&self, finish: Finish) {
        self.finished(finish, None);
    }

    pub(super) fn finished(&self, finish: Finish, held: Option<Held>) {
        self.say(Report::Finished(self.job, finish, held));
    }

    pub(super) fn over(&self, task: u64, jobs: Vec<JobId>, why: Failure) {
        self.say(Report::Over(task, jobs, why));
    }

    fn say(&self, report: Report) {
        // A queue that is gone has nobody to tell any more.
        let _ = self.reports.send(report);
    }
}

impl Queue {
    pub(super) fn hear(&mut self, report: Report) {
        let (job, state) = match report {
            Report::Begun(job, started) => (job, JobState::Running { started }),
            Report::Waiting(job, why, done) => (job, JobState::Waiting { why, done }),
            Report::Walking(job, walk) => (job, JobState::Walking { walk }),
            Report::Found(found) => return self.take_in(found),
            Report::Finished(job, finish, held) => return self.finish(job, finish, held),
            Report::Over(task, jobs, why) => {
                self.running = self.running.saturating_sub(1);
                for job in jobs {
                    let item = self.items.get(&job);
                    let running = item.and_then(|item| item.running.as_ref());
                    // By now another task may have it.
                    if running.is_some_and(|running| running.task == task) {
                        self.finish(job, Finish::Failed(why.clone()), None);
                    }
                }
                return;
            }
        };
        let Some(item) = self.items.get_mut(&job) else {
            return;
        };
        if item.running.is_none() {
            return;
        }
        if let JobState::Running { started } = &state {
            item.size = started.size.or(item.size);
        }
        item.state = state;
        self.tell(job);
    }

    /// Puts what a walk has found behind the rest.
    fn take_in(&mut self, found: Vec<Found>) {
        for one in found {
            let failure = one.failure.clone();
            let job = self.put(one.into());
            if let Some(failure) = failure {
                if let Some(item) = self.items.get_mut(&job) {
                    item.end(Outcome::Failed, 0, failure.cause, &failure.detail);
                }
                self.tell(job);
            }
        }
    }

    fn finish(&mut self, job: JobId, finish: Finish, held: Option<Held>) {
        let ask = self.dial.on_clash;
        let Some(item) = self.items.get_mut(&job) else {
            return discard(held);
        };
        let why = item.running.as_ref().and_then(|running| running.why);
        if let Some(running) = item.running.take() {
            item.ran += running.since.elapsed();
        }
        let arrived = held.as_ref().map_or(0, Held::at);
        item.kept = held;
        match finish {
            Finish::Landed {
                name,
                bytes,
                outcome,
            } => {
                item.land(name, bytes, outcome);
                let inward = item.direction == Direction::In;
                if let Some(remembered) = self.remembered.as_mut().filter(|_| inward) {
                    remembered.learn(&item.path, bytes);
                }
            }
            Finish::Walked { bytes } => {
                item.size = Some(bytes);
                // Its files have ends of their own.
                item.end(Outcome::CompleteLength, 0, "", "");
            }
            Finish::Alone { .. } if why == Some(Why::Cancel) => item.give_up("cancelled", ""),
            Finish::Alone { size } => {
                item.set_apart(size);
                if why == Some(Why::Pause) {
                    item.state = JobState::Paused { done: 0 };
                }
                self.from = self.from.min(item.place);
            }
            Finish::Skipped => item.give_up("exists", "skipped: the name is taken"),
            Finish::Clash if ask == OnClash::Fail => item.refuse_name(),
            Finish::Clash | Finish::Failed(_) if why == Some(Why::Cancel) => {
                item.give_up("cancelled", "");
            }
            Finish::Clash => item.state = JobState::Clash,
            Finish::Stopped if why == Some(Why::Pause) => {
                item.state = JobState::Paused { done: arrived };
            }
            Finish::Stopped => item.give_up("cancelled", ""),
            Finish::Failed(failure) => {
                if matches!(item.kept, Some(Held::Parcel(..))) {
                    // What was checked of it stays on the disk, and nobody holds it.
                    item.kept = None;
                }
                item.end(Outcome::Failed, arrived, failure.cause, &failure.detail);
            }
        }
        self.tell(job);
        self.stir();
    }
}
