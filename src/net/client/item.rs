//! One item of the queue: what is wanted, where it stands, what has arrived.
//!
//! It knows its path, its local name, its state and, while it runs, how to stop
//! it. It must never know its place in the queue or the other items, and it
//! tells nobody: that is the queue's.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use super::Dial;
use super::fetch::{Begun, Fetch, Finish, Kept};
use super::send::Send;
use crate::entity::{Direction, DisplayName, JobId, Outcome, RemotePath};
use crate::event::{Clash, JobState};
use crate::net::hub::Hub;

/// Why a running download was told to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Why {
    Pause,
    Cancel,
}

#[derive(Debug)]
pub(super) struct Item {
    pub(super) direction: Direction,
    /// What is sent, of an upload.
    pub(super) local: Option<PathBuf>,
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

/// One try at an item, either way.
#[derive(Debug)]
pub(super) enum Attempt {
    Fetch(Box<Fetch>),
    Send(Box<Send>),
}

impl Attempt {
    /// Runs it; what has arrived of a download comes back.
    pub(super) async fn run(self, begun: Begun) -> (Finish, Option<Kept>) {
        match self {
            Self::Fetch(fetch) => fetch.run(begun).await,
            Self::Send(send) => (send.run(begun).await, None),
        }
    }
}

impl Item {
    /// The next try; `None` for a download without a place to land.
    pub(super) fn attempt(
        &mut self,
        job: JobId,
        dial: &Dial,
        hub: &Arc<Hub>,
        standing: Option<Clash>,
        stop: &CancellationToken,
    ) -> Option<Attempt> {
        if let Some(local) = &self.local {
            return Some(Attempt::Send(Box::new(Send {
                job,
                local: local.clone(),
                path: self.path.clone(),
                target: dial.target.clone(),
                patience: dial.patience,
                client: dial.name.clone(),
                hub: Arc::clone(hub),
                stop: stop.clone(),
            })));
        }
        Some(Attempt::Fetch(Box::new(Fetch {
            job,
            path: self.path.clone(),
            name: self.target.clone(),
            clash: self.clash.or(standing),
            landing: dial.landing.clone()?,
            kept: self.kept.take(),
            target: dial.target.clone(),
            patience: dial.patience,
            client: dial.name.clone(),
            hub: Arc::clone(hub),
            stop: stop.clone(),
            proof: Outcome::CompleteLength,
        })))
    }

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
