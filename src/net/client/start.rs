//! What may start next, and the task that runs it.
//!
//! At most `parallel` tasks run; small files of deck that wait next to each other
//! share one. It knows the queue's items and every road a file can take. How a task
//! ended is heard elsewhere (`report`).

use std::sync::Arc;
use std::time::Instant;

use tokio_util::sync::CancellationToken;

use super::bundle::{Bundle, Good, MOST, SMALL};
use super::dial::Failure;
use super::fetch::Finish;
use super::item::{Attempt, Item, Running};
use super::limit::{Limit, Limits};
use super::sheaf::{Before, Ear, Sheaf};
use super::{Queue, Teller};
use crate::entity::{Direction, JobId, Kind, Outcome};
use crate::event::JobState;

impl Queue {
    /// Starts what may start, in the order of the queue.
    pub(super) fn schedule(&mut self) {
        while self.running < self.dial.parallel {
            let Some(job) = self.next_queued() else {
                return;
            };
            if self.items.get(&job).is_some_and(|item| self.is_small(item)) {
                self.start_many(job);
            } else {
                self.start(job);
            }
        }
    }

    fn next_queued(&mut self) -> Option<JobId> {
        let queued = |job: &JobId| matches!(self.items.get(job), Some(item) if matches!(item.state, JobState::Queued));
        let ahead = self.order.get(self.from..).unwrap_or_default();
        let found = ahead.iter().position(queued);
        self.from = found.map_or(self.order.len(), |at| self.from + at);
        self.order.get(self.from).copied()
    }

    /// Whether an item may share a line and a batch with its neighbours.
    fn is_small(&self, item: &Item) -> bool {
        self.dial.target.dialect.is_deck()
            && item.kind == Kind::File
            && !item.alone
            && item.limit.is_none()
            && item.size.is_some_and(|size| size <= SMALL)
            && (item.direction == Direction::Out || self.dial.landing.is_some())
    }

    /// Takes the small ones that wait next to each other, in the same direction.
    fn start_many(&mut self, first: JobId) {
        let Some(direction) = self.items.get(&first).map(|item| item.direction) else {
            return;
        };
        let mut jobs = Vec::new();
        for job in self.order.get(self.from..).unwrap_or_default() {
            let Some(item) = self.items.get(job) else {
                continue;
            };
            if !matches!(item.state, JobState::Queued) {
                continue;
            }
            if jobs.len() == MOST || item.direction != direction || !self.is_small(item) {
                break;
            }
            jobs.push(*job);
        }
        self.running += 1;
        self.tasks += 1;
        let task = self.tasks;
        let teller = self.teller(first);
        let done = match direction {
            Direction::In => self.bundle(&jobs, teller.clone()).map(|bundle| {
                self.tracker.spawn(async move {
                    // In a task of its own: a panic must not leave items running for ever.
                    (tokio::spawn(bundle.run()).await).err()
                })
            }),
            Direction::Out => {
                let sheaf = self.sheaf(&jobs, teller.clone());
                Some(
                    self.tracker
                        .spawn(async move { (tokio::spawn(sheaf.run()).await).err() }),
                )
            }
        };
        self.tracker.spawn(async move {
            let gone = match done {
                Some(done) => done.await.ok().flatten(),
                None => None,
            };
            let words = gone.map_or_else(
                || "its task ended without a word".to_owned(),
                |gone| format!("a fault in ferrydeck: {gone}"),
            );
            teller.over(task, jobs, Failure::new("panicked", words));
        });
    }

    fn bundle(&mut self, jobs: &[JobId], teller: Teller) -> Option<Bundle> {
        let landing = self.dial.landing.clone()?;
        let mut goods = Vec::new();
        for job in jobs {
            let Some((item, stop)) = self.set_running(*job) else {
                continue;
            };
            goods.push(Good {
                job: *job,
                path: item.path.clone(),
                folder: item.folder.clone(),
                name: item.target.clone(),
                clash: item.clash,
                stop,
                bad: 0,
            });
        }
        for good in &mut goods {
            good.clash = good.clash.or(self.standing);
        }
        Some(Bundle {
            goods,
            check: self.dial.means.check,
            landing,
            pool: Arc::clone(&self.pool),
            hub: Arc::clone(&self.hub),
            limits: self.limits(None),
            leaving: self.leaving.clone(),
            teller,
        })
    }

    fn sheaf(&mut self, jobs: &[JobId], teller: Teller) -> Sheaf {
        let standing = self.standing;
        let mut ears = Vec::new();
        for job in jobs {
            let Some((item, stop)) = self.set_running(*job) else {
                continue;
            };
            let Some(local) = item.local.clone() else {
                continue;
            };
            ears.push(Ear {
                job: *job,
                local,
                path: item.path.clone(),
                clash: item.clash.or(standing),
                stop,
                bad: 0,
                before: Before::Never,
            });
        }
        Sheaf {
            ears,
            check: self.dial.means.check,
            pool: Arc::clone(&self.pool),
            hub: Arc::clone(&self.hub),
            limits: self.limits(None),
            leaving: self.leaving.clone(),
            teller,
        }
    }

    /// Marks an item as running, with a stop of its own.
    fn set_running(&mut self, job: JobId) -> Option<(&mut Item, CancellationToken)> {
        let item = self.items.get_mut(&job)?;
        let stop = CancellationToken::new();
        item.running = Some(Running {
            stop: stop.clone(),
            why: None,
            since: Instant::now(),
            task: self.tasks,
        });
        item.state = JobState::Asking;
        Some((item, stop))
    }

    pub(super) fn limits(&self, own: Option<&Arc<Limit>>) -> Limits {
        Limits {
            all: Arc::clone(&self.pool.limit),
            own: own.map_or_else(|| Arc::new(Limit::new(None)), Arc::clone),
        }
    }

    fn start(&mut self, job: JobId) {
        let teller = self.teller(job);
        self.tasks += 1;
        let Some((_, stop)) = self.set_running(job) else {
            return;
        };
        let Some(attempt) = self.attempt(job, stop) else {
            if let Some(item) = self.items.get_mut(&job) {
                item.running = None;
                item.end(Outcome::Failed, 0, "unsupported", "this client only looks");
            }
            return self.tell(job);
        };
        self.running += 1;
        self.tracker.spawn(run(attempt, teller));
        self.tell(job);
    }

    /// The road an item takes; `None` for a download without a place to land.
    fn attempt(&mut self, job: JobId, stop: CancellationToken) -> Option<Attempt> {
        let teller = self.teller(job);
        let is_deck = self.dial.target.dialect.is_deck();
        // A bucket of its own in any case: it may be given a rate while it runs.
        let own = self.items.get_mut(&job).filter(|_| is_deck).map(|item| {
            let fresh = || Arc::new(Limit::new(None));
            Arc::clone(item.limit.get_or_insert_with(fresh))
        });
        let limits = self.limits(own.as_ref());
        let standing = self.standing;
        let item = self.items.get_mut(&job)?;
        if !is_deck {
            return item.attempt(job, &self.dial, &self.hub, standing, &stop);
        }
        // A part of an earlier try is found again on the disk, once nobody holds it.
        item.kept = None;
        let (dial, pool, hub) = (&self.dial, Arc::clone(&self.pool), Arc::clone(&self.hub));
        item.attempt_deck(super::item::Way {
            job,
            dial,
            pool,
            hub,
            limits,
            standing,
            stop,
            teller,
        })
    }
}

/// Runs one try. Its end is told even if it panics: an item must not run for ever.
async fn run(attempt: Attempt, teller: Teller) {
    let task = tokio::spawn(attempt.run(teller.clone()));
    let (finish, held) = task.await.unwrap_or_else(|gone| {
        let failure = Failure::new("panicked", format!("a fault in ferrydeck: {gone}"));
        (Finish::Failed(failure), None)
    });
    teller.finished(finish, held);
    teller.over(0, Vec::new(), Failure::new("panicked", ""));
}
