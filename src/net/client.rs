//! The client engine: the queue against one server.
//!
//! One task owns the queue and runs at most `parallel` tasks: a file each, or a
//! bundle of small ones, or the walk through a folder (`start`). Browsing has a
//! connection of its own (`browse`). A failed item never stops the others. Every
//! change of an item is told as the whole item, so the newest word is always enough.

pub mod ask;
pub mod browse;
mod bundle;
mod busy;
pub mod chores;
pub mod dial;
pub mod fetch;
mod item;
mod limit;
pub mod memory;
mod orders;
mod pool;
pub mod private;
mod pull;
mod push;
mod report;
mod saved;
pub mod send;
mod sheaf;
mod start;
mod tap;
mod trip;
mod walk;

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use self::browse::{Away, Browse, Question, Remembered};
use self::dial::{Patience, Target};
use self::item::Item;
use self::limit::Limit;
use self::memory::Memory;
pub use self::pool::Manner;
use self::pool::Pool;
use self::report::{Report, Teller};
use self::saved::Keep;
pub use self::saved::queue_file;
use crate::entity::{DisplayName, End, JobId, RemotePath};
use crate::event::{Clash, Command, Fact, Job, Offers, What};
use crate::net::hub::{Closing, Hub};
use crate::net::store::Dotfiles;
use crate::net::store::landing::Landing;
use crate::net::wire::codec::Check;

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
    /// How deck is spoken.
    pub means: Means,
}

/// How a client uses deck; the older dialects have none of it.
#[derive(Clone, Debug)]
pub struct Means {
    /// Connections for one large file, at least 1.
    pub streams: usize,
    /// Whether what is moved is checked against the file's tree.
    pub check: Check,
    /// Bytes a second for the whole client; `None` holds nothing back.
    pub limit: Option<u64>,
    /// What is done when the server goes away.
    pub manner: Manner,
    /// Where the queue is kept between runs; `None` keeps none.
    pub queue: Option<PathBuf>,
    /// Whether folders are sent with their dotfiles.
    pub dotfiles: Dotfiles,
}

impl Default for Means {
    fn default() -> Self {
        Self {
            streams: 4,
            check: Check::Blocks,
            limit: None,
            manner: Manner::Brief,
            queue: None,
            dotfiles: Dotfiles::Hidden,
        }
    }
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
    queue.open_saved().await;
    let mut beat = interval(KEEP_EVERY);
    beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            command = commands.recv() => match command {
                Some(Command::Leave { .. } | Command::Abort) | None => break,
                Some(command) => queue.obey(command),
            },
            Some(report) = finished.recv() => {
                queue.hear(report);
                // In a flood the items that may start are looked for once, not each time.
                for _ in 0..REPORTS {
                    let Ok(report) = finished.try_recv() else { break };
                    queue.hear(report);
                }
            }
            _ = beat.tick(), if queue.keep.is_some() => queue.write_down(),
        }
        queue.schedule();
    }
    queue.close().await;
    tracker.close();
    let _ = tokio::time::timeout(Duration::from_secs(2), tracker.wait()).await;
}

/// How often a queue that changed is written down.
const KEEP_EVERY: Duration = Duration::from_secs(1);
/// Reports heard in one go.
const REPORTS: usize = 256;

struct Queue {
    dial: Dial,
    hub: Arc<Hub>,
    tracker: TaskTracker,
    reports: UnboundedSender<Report>,
    ask: watch::Sender<Option<Question>>,
    remembered: Option<Remembered>,
    items: HashMap<JobId, Item>,
    order: Vec<JobId>,
    next_job: u64,
    requests: u64,
    /// The answer given for all later clashes.
    standing: Option<Clash>,
    /// Tasks that run: a file, a bundle or a walk each.
    running: usize,
    /// Tasks begun so far: the number of the newest.
    tasks: u64,
    /// No item before this place waits for its turn.
    from: usize,
    /// Connections, where they are kept: deck.
    pool: Arc<Pool>,
    /// Asked for hashes, once somebody asked.
    hashes: Option<UnboundedSender<RemotePath>>,
    keep: Option<Keep>,
    leaving: CancellationToken,
}

impl Queue {
    fn new(
        dial: Dial,
        hub: Arc<Hub>,
        tracker: TaskTracker,
        reports: UnboundedSender<Report>,
        ask: watch::Sender<Option<Question>>,
    ) -> Self {
        let standing = match dial.on_clash {
            OnClash::Always(clash) => Some(clash),
            OnClash::Ask | OnClash::Fail => None,
        };
        let pool = Arc::new(Pool::new(
            dial.target.clone(),
            dial.patience,
            dial.name.clone(),
            dial.means.manner,
            dial.means.streams.saturating_sub(1),
            Arc::new(Limit::new(dial.means.limit)),
        ));
        Self {
            dial,
            hub,
            tracker,
            reports,
            ask,
            remembered: None,
            items: HashMap::new(),
            order: Vec::new(),
            next_job: 1,
            requests: 0,
            standing,
            running: 0,
            tasks: 0,
            from: 0,
            pool,
            hashes: None,
            keep: None,
            leaving: CancellationToken::new(),
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
                away: Away::new(self.dial.means.manner),
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

    /// Stops everything that runs. What can be resumed stays on the disk, and the queue
    /// is written down a last time.
    async fn close(&mut self) {
        self.hub.tell(What::Shutdown(Fact {
            cause: End::Shutdown.label(),
            ..Fact::default()
        }));
        // First: who leaves writes behind a write that is under way.
        self.leaving.cancel();
        self.write_down();
        for item in self.items.values_mut() {
            if let Some(running) = &item.running {
                running.stop.cancel();
            }
            item.kept = None;
        }
        self.pool.clear();
        self.hashes = None;
        // Nobody can ask any more: the browsing task ends.
        self.ask = watch::channel(None).0;
        if let Some(keep) = self.keep.take() {
            keep.close().await;
        }
    }

    fn tell(&self, job: JobId) {
        let Some(item) = self.items.get(&job) else {
            return;
        };
        self.hub.job(Job {
            job,
            place: item.place,
            direction: item.direction,
            kind: item.kind,
            path: item.path.clone(),
            target: DisplayName::from(item.target.as_str()),
            folder: DisplayName::from(item.folder.as_str()),
            size: item.size,
            resumes: self.dial.target.dialect.resumes(),
            limit: item.limit.as_ref().and_then(|limit| limit.rate()),
            state: item.state.clone(),
        });
    }

    fn teller(&self, job: JobId) -> Teller {
        Teller::new(job, self.reports.clone())
    }
}

#[cfg(test)]
#[path = "client_tests.rs"]
mod tests;

#[cfg(test)]
#[path = "client/deck_tests.rs"]
mod deck_tests;
