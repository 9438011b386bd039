//! The client engine: the queue against one server.
//!
//! One task owns the queue and runs at most `parallel` downloads, each a task
//! with a connection of its own; browsing has another (see `browse`). A failed
//! item never stops the others. Every change of an item is told as the whole
//! item, so the newest word is always enough.

pub mod browse;
pub mod dial;
pub mod fetch;
mod item;
pub mod memory;
mod orders;
pub mod private;
pub mod send;

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use self::browse::{Browse, Question, Remembered};
use self::dial::{Patience, Target};
use self::fetch::{Finish, Kept};
use self::item::{Item, Running, Why, discard};
use self::memory::Memory;
use crate::entity::{Direction, DisplayName, End, JobId, Kind, Outcome};
use crate::event::{Clash, Command, Fact, Job, JobState, Offers, Started, What};
use crate::net::hub::{Closing, Hub};
use crate::net::store::landing::Landing;

/// What to do with taken names before anybody is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnClash {
    /// Ask the person at the screen.
    Ask,
    /// The item fails; nothing is touched.
    Fail,
    /// Always the same answer.
    Always(Clash),
}

/// Everything a client needs.
#[derive(Debug)]
pub struct Dial {
    /// The server.
    pub target: Target,
    /// How long it waits; the dialect's own unless a test says otherwise.
    pub patience: Patience,
    /// Where downloads land; `None` for a client that only looks.
    pub landing: Option<Arc<Landing>>,
    /// What to do with taken names.
    pub on_clash: OnClash,
    /// Downloads at once.
    pub parallel: usize,
    /// The client's name for itself.
    pub name: Box<str>,
    /// Where names that worked are remembered.
    pub state: Option<PathBuf>,
}

/// Runs a client to its end. Must be called inside a runtime.
pub async fn run(dial: Dial, hub: Arc<Hub>, mut commands: UnboundedReceiver<Command>) {
    // However this ends, a panic included: readers hear that it has.
    let _closing = Closing(Arc::clone(&hub));
    let (done, mut finished) = mpsc::unbounded_channel();
    let (ask, questions) = watch::channel(None);
    let tracker = TaskTracker::new();
    let mut queue = Queue::new(dial, Arc::clone(&hub), tracker.clone(), done, ask);
    queue.open_link(questions).await;
    loop {
        tokio::select! {
            command = commands.recv() => match command {
                Some(Command::Leave { .. } | Command::Abort) | None => break,
                Some(command) => queue.obey(command),
            },
            Some(report) = finished.recv() => queue.hear(report),
        }
        queue.schedule();
    }
    queue.close();
    tracker.close();
    let _ = tokio::time::timeout(Duration::from_secs(2), tracker.wait()).await;
}

/// What a running download says to the queue.
#[derive(Debug)]
enum Report {
    Begun(JobId, Arc<Started>),
    Finished(JobId, Finish, Option<Kept>),
}

struct Queue {
    dial: Dial,
    hub: Arc<Hub>,
    tracker: TaskTracker,
    done: UnboundedSender<Report>,
    ask: watch::Sender<Option<Question>>,
    remembered: Option<Remembered>,
    items: HashMap<JobId, Item>,
    order: Vec<JobId>,
    next_job: u64,
    requests: u64,
    /// The answer given for all later clashes.
    standing: Option<Clash>,
    running: usize,
}

impl Queue {
    fn new(
        dial: Dial,
        hub: Arc<Hub>,
        tracker: TaskTracker,
        done: UnboundedSender<Report>,
        ask: watch::Sender<Option<Question>>,
    ) -> Self {
        let standing = match dial.on_clash {
            OnClash::Always(clash) => Some(clash),
            OnClash::Ask | OnClash::Fail => None,
        };
        Self {
            dial,
            hub,
            tracker,
            done,
            ask,
            remembered: None,
            items: HashMap::new(),
            order: Vec::new(),
            next_job: 1,
            requests: 0,
            standing,
            running: 0,
        }
    }

    async fn open_link(&mut self, questions: watch::Receiver<Option<Question>>) {
        let target = self.dial.target.clone();
        if target.dialect.lists() {
            let browse = Browse {
                target,
                patience: self.dial.patience,
                client: self.dial.name.clone(),
                hub: Arc::clone(&self.hub),
                questions,
            };
            self.tracker.spawn(browse.run());
            return;
        }
        let offers = Offers::of(target.dialect);
        let state = self.dial.state.clone();
        let opened = tokio::task::spawn_blocking(move || Memory::open(state, &target)).await;
        if let Ok(memory) = opened {
            let mut remembered = Remembered::new(memory, Arc::clone(&self.hub), offers);
            remembered.show();
            self.remembered = Some(remembered);
        }
    }

    /// Starts what may start, in the order of the queue.
    fn schedule(&mut self) {
        while self.running < self.dial.parallel {
            let next = self.order.iter().copied().find(|job| {
                matches!(self.items.get(job), Some(item) if matches!(item.state, JobState::Queued))
            });
            let Some(job) = next else { return };
            self.start(job);
        }
    }

    fn start(&mut self, job: JobId) {
        let Some(item) = self.items.get_mut(&job) else {
            return;
        };
        let stop = CancellationToken::new();
        let Some(attempt) = item.attempt(job, &self.dial, &self.hub, self.standing, &stop) else {
            item.end(Outcome::Failed, 0, "unsupported", "this client only looks");
            return self.tell(job);
        };
        item.running = Some(Running {
            stop,
            why: None,
            since: Instant::now(),
        });
        item.state = JobState::Asking;
        self.running += 1;
        let (done, begun) = (self.done.clone(), self.done.clone());
        self.tracker.spawn(async move {
            let begun = Box::new(move |started| {
                let _ = begun.send(Report::Begun(job, started));
            });
            // Told even if the attempt panics: an item must not run for ever.
            let task = tokio::spawn(attempt.run(begun));
            let (finish, kept) = task.await.unwrap_or_else(|gone| {
                let failure =
                    dial::Failure::new("panicked", format!("a fault in ferrydeck: {gone}"));
                (Finish::Failed(failure), None)
            });
            let _ = done.send(Report::Finished(job, finish, kept));
        });
        self.tell(job);
    }

    fn hear(&mut self, report: Report) {
        match report {
            Report::Begun(job, started) => {
                let Some(item) = self.items.get_mut(&job) else {
                    return;
                };
                item.size = started.size.or(item.size);
                item.state = JobState::Running { started };
                self.tell(job);
            }
            Report::Finished(job, finish, kept) => self.finish(job, finish, kept),
        }
    }

    fn finish(&mut self, job: JobId, finish: Finish, kept: Option<Kept>) {
        self.running = self.running.saturating_sub(1);
        let ask = self.dial.on_clash;
        let Some(item) = self.items.get_mut(&job) else {
            return;
        };
        let why = item.running.as_ref().and_then(|running| running.why);
        if let Some(running) = item.running.take() {
            item.ran += running.since.elapsed();
        }
        let arrived = kept.as_ref().map_or(0, |kept| kept.at);
        item.kept = kept;
        match finish {
            Finish::Landed {
                name,
                bytes,
                outcome,
            } => {
                item.target = name;
                item.size = Some(bytes);
                item.end(outcome, bytes, "", "");
                let path = item.path.clone();
                let fetched = item.direction == Direction::In;
                if let Some(remembered) = self.remembered.as_mut().filter(|_| fetched) {
                    remembered.learn(&path, bytes);
                }
            }
            Finish::Skipped => item.give_up("exists", "skipped: the name is taken"),
            Finish::Clash if ask == OnClash::Fail => {
                let words = format!(
                    "{} exists already; nothing was touched",
                    DisplayName::from(item.target.as_str())
                );
                discard(item.kept.take());
                item.end(Outcome::Failed, 0, "exists", &words);
            }
            Finish::Clash | Finish::Failed(_) if why == Some(Why::Cancel) => {
                item.give_up("cancelled", "");
            }
            Finish::Clash => item.state = JobState::Clash,
            Finish::Stopped if why == Some(Why::Pause) => {
                item.state = JobState::Paused { done: arrived };
            }
            Finish::Stopped => item.give_up("cancelled", ""),
            Finish::Failed(failure) => {
                item.end(Outcome::Failed, arrived, failure.cause, &failure.detail);
            }
        }
        self.tell(job);
    }

    /// Stops everything that runs; nothing of it stays on the disk.
    fn close(&mut self) {
        self.hub.tell(What::Shutdown(Fact {
            cause: End::Shutdown.label(),
            ..Fact::default()
        }));
        for item in self.items.values_mut() {
            if let Some(running) = &item.running {
                running.stop.cancel();
            }
            item.kept = None;
        }
        // Nobody can ask any more: the browsing task ends.
        self.ask = watch::channel(None).0;
    }

    fn tell(&self, job: JobId) {
        if let Some(place) = self.order.iter().position(|one| *one == job) {
            self.tell_at(job, place);
        }
    }

    fn tell_at(&self, job: JobId, place: usize) {
        let Some(item) = self.items.get(&job) else {
            return;
        };
        self.hub.job(Job {
            job,
            place,
            direction: item.direction,
            kind: Kind::File,
            path: item.path.clone(),
            target: DisplayName::from(item.target.as_str()),
            size: item.size,
            resumes: self.dial.target.dialect.resumes(),
            limit: None,
            state: item.state.clone(),
        });
    }
}

#[cfg(test)]
#[path = "client_tests.rs"]
mod tests;
