//! What a bundle still has to fetch, and who of it was given up meanwhile.
//!
//! It knows its files in their order, and how many answers have come. It must never know
//! a line: what is asked for and not here is only told from the rest.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::Good;
use super::lander::Arrived;
use crate::net::client::Teller;
use crate::net::client::fetch::Finish;

/// Files handed to the landing thread at once, while more lie in the input,
const HAND: usize = 64;
/// or such files of so many bytes: what is written soon still lies in the cache, and its
/// memory is the next ones'.
const HAND_BYTES: usize = 512 << 10;
/// A line on which nothing has come for so long is silent.
const SILENCE: Duration = Duration::from_millis(500);

/// What was wrong with a file that came.
#[derive(Clone, Copy, Debug)]
pub(super) enum Spoilt {
    Corrupt,
    Changed,
}

impl Spoilt {
    /// One fixed word.
    pub(super) const fn cause(self) -> &'static str {
        match self {
            Self::Corrupt => "corrupt",
            Self::Changed => "changed",
        }
    }

    /// What a person reads.
    pub(super) const fn words(self) -> &'static str {
        match self {
            Self::Corrupt => "the file does not agree with its hash",
            Self::Changed => "the file changed on the server while it was sent",
        }
    }
}

/// What is still to come.
#[derive(Debug)]
pub(super) struct Work {
    pub(super) left: VecDeque<Good>,
    /// Asked for, in order, and not yet here.
    pub(super) open: VecDeque<Good>,
    /// Here, and not yet handed to the landing thread: waking it for each costs
    /// more than landing it.
    pub(super) here: Vec<Arrived>,
    /// Answers that have come.
    pub(super) moved: Arc<AtomicU64>,
}

impl Work {
    pub(super) fn new(left: VecDeque<Good>) -> Self {
        Self {
            left,
            open: VecDeque::new(),
            here: Vec::new(),
            moved: Arc::default(),
        }
    }

    /// Whether so much is here that it goes to the landing thread, whatever follows.
    pub(super) fn is_handful(&self) -> bool {
        let bytes = self.here.iter().map(|arrived| arrived.bytes.len());
        self.here.len() >= HAND || bytes.sum::<usize>() >= HAND_BYTES
    }

    /// A line broke: what was asked for has to be asked for again.
    pub(super) fn reopen(&mut self) {
        while let Some(good) = self.open.pop_back() {
            self.left.push_front(good);
        }
    }

    /// Ends those that are meant; the others wait on.
    pub(super) fn stop(&mut self, teller: &Teller, meant: impl Fn(&Good) -> bool) {
        self.left.retain(|good| {
            let stops = meant(good);
            if stops {
                teller.of(good.job).ended(Finish::Stopped);
            }
            !stops
        });
    }
}

/// Looks after the stops of a bundle's files while nothing comes.
#[derive(Debug)]
pub(super) struct Watch {
    stops: Vec<CancellationToken>,
    /// How many of them have been heeded.
    heeded: usize,
}

impl Watch {
    pub(super) fn new(work: &Work) -> Self {
        Self {
            stops: work.left.iter().map(|good| good.stop.clone()).collect(),
            heeded: 0,
        }
    }

    /// Waits until another file was given up and the line is silent.
    pub(super) async fn given_up(&mut self, moved: &AtomicU64) {
        loop {
            let before = moved.load(Relaxed);
            sleep(SILENCE).await;
            let stopped = self.stops.iter().filter(|stop| stop.is_cancelled()).count();
            if stopped > self.heeded && moved.load(Relaxed) == before {
                self.heeded = stopped;
                return;
            }
        }
    }
}
