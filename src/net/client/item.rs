//! One item of the queue: what is wanted, where it stands, what has arrived.
//!
//! It knows its path, its local name, its state and, while it runs, how to stop
//! it. It must never know its place in the queue or the other items, and it
//! tells nobody: that is the queue's.

use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use super::fetch::Kept;
use crate::entity::{DisplayName, Outcome, RemotePath};
use crate::event::{Clash, JobState};

/// Why a running download was told to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Why {
    Pause,
    Cancel,
}

#[derive(Debug)]
pub(super) struct Item {
    pub(super) path: RemotePath,
    pub(super) target: String,
    pub(super) size: Option<u64>,
    pub(super) state: JobState,
    pub(super) clash: Option<Clash>,
    pub(super) kept: Option<Kept>,
    /// Time it ran before the attempt that runs now.
    pub(super) ran: Duration,
    pub(super) running: Option<Running>,
}

#[derive(Debug)]
pub(super) struct Running {
    pub(super) stop: CancellationToken,
    pub(super) why: Option<Why>,
    pub(super) since: Instant,
}

impl Item {
    pub(super) fn end(&mut self, outcome: Outcome, bytes: u64, cause: &'static str, detail: &str) {
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
    pub(super) fn give_up(&mut self, cause: &'static str, detail: &str) {
        discard(self.kept.take());
        self.clash = None;
        self.end(Outcome::Cancelled, 0, cause, detail);
    }
}

/// Lets go of what has arrived, off the loop: freeing gigabytes takes its time.
pub(super) fn discard(kept: Option<Kept>) {
    if let Some(kept) = kept {
        tokio::task::spawn_blocking(move || drop(kept));
    }
}
