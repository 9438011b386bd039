//! The client engine: the queue against one server.
//!
//! One task owns the queue and runs at most `parallel` downloads, each a task
//! with a connection of its own; browsing has another (see `browse`). A failed
//! item never stops the others. Every change of an item is told as the whole
//! item, so the newest word is always enough.

pub mod browse;
pub mod dial;
pub mod fetch;
pub mod memory;

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
use self::fetch::{Fetch, Finish, Kept};
use self::memory::Memory;
use crate::entity::{DisplayName, End, JobId, Outcome, RemotePath};
use crate::event::{Clash, Command, Fact, Job, JobState, Scope, Started, Wanted, What};
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

/// Why a running download was told to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Why {
    Pause,
    Cancel,
}

#[derive(Debug)]
struct Item {
    path: RemotePath,
    target: String,
    size: Option<u64>,
    state: JobState,
    clash: Option<Clash>,
    kept: Option<Kept>,
    /// Time it ran before the attempt that runs now.
    ran: Duration,
    running: Option<Running>,
}

#[derive(Debug)]
struct Running {
    stop: CancellationToken,
    why: Option<Why>,
    since: Instant,
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
        let state = self.dial.state.clone();
        let opened = tokio::task::spawn_blocking(move || Memory::open(state, &target)).await;
        if let Ok(memory) = opened {
            let mut remembered = Remembered::new(memory, Arc::clone(&self.hub));
            remembered.show();
            self.remembered = Some(remembered);
        }
    }

    fn obey(&mut self, command: Command) {
        match command {
            Command::Open(path) => self.open(path),
            Command::Fetch(wanted) => wanted.into_iter().for_each(|wanted| self.put(wanted)),
            Command::Pause(job) => self.pause(job),
            Command::Resume(job) | Command::Retry(job) => self.requeue(job),
            Command::Cancel(job) => self.cancel(job),
            Command::MoveUp(job) => self.shift(job, Shift::Up),
            Command::MoveDown(job) => self.shift(job, Shift::Down),
            Command::ClearEnded => self.clear_ended(),
            Command::Answer { job, clash, scope } => self.answer(job, clash, scope),
            Command::Standing(clash) => self.standing = clash,
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

    fn put(&mut self, wanted: Wanted) {
        let job = JobId(self.next_job);
        self.next_job += 1;
        let target = String::from_utf8_lossy(wanted.path.file_name()).into_owned();
        self.items.insert(
            job,
            Item {
                path: wanted.path,
                target,
                size: wanted.size,
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
        let standing = self.standing;
        let Some(item) = self.items.get_mut(&job) else {
            return;
        };
        let Some(landing) = self.dial.landing.clone() else {
            item.end(Outcome::Failed, 0, "unsupported", "this client only looks");
            return self.tell(job);
        };
        let stop = CancellationToken::new();
        item.running = Some(Running {
            stop: stop.clone(),
            why: None,
            since: Instant::now(),
        });
        item.state = JobState::Asking;
        self.running += 1;
        let fetch = Fetch {
            job,
            path: item.path.clone(),
            name: item.target.clone(),
            clash: item.clash.or(standing),
            kept: item.kept.take(),
            target: self.dial.target.clone(),
            patience: self.dial.patience,
            client: self.dial.name.clone(),
            landing,
            hub: Arc::clone(&self.hub),
            stop,
        };
        let (done, begun) = (self.done.clone(), self.done.clone());
        self.tracker.spawn(async move {
            // Told even if the attempt panics: an item must not run for ever.
            let task = tokio::spawn(fetch.run(Box::new(move |started| {
                let _ = begun.send(Report::Begun(job, started));
            })));
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
            Finish::Landed { name, bytes } => {
                item.target = name;
                item.size = Some(bytes);
                item.end(Outcome::CompleteLength, bytes, "", "");
                let path = item.path.clone();
                if let Some(remembered) = &mut self.remembered {
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
            path: item.path.clone(),
            target: DisplayName::from(item.target.as_str()),
            size: item.size,
            resumes: self.dial.target.dialect.resumes(),
            state: item.state.clone(),
        });
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shift {
    Up,
    Down,
}

/// Lets go of what has arrived, off the loop: freeing gigabytes takes its time.
fn discard(kept: Option<Kept>) {
    if let Some(kept) = kept {
        tokio::task::spawn_blocking(move || drop(kept));
    }
}

impl Item {
    fn end(&mut self, outcome: Outcome, bytes: u64, cause: &'static str, detail: &str) {
        self.state = JobState::Ended {
            outcome,
            bytes,
            took: self.ran,
            cause,
            detail: DisplayName::from(detail),
        };
        self.ran = Duration::ZERO;
    }

    /// Ended by its user: what had arrived goes.
    fn give_up(&mut self, cause: &'static str, detail: &str) {
        discard(self.kept.take());
        self.clash = None;
        self.end(Outcome::Cancelled, 0, cause, detail);
    }
}

#[cfg(test)]
#[path = "client_tests.rs"]
mod tests;
