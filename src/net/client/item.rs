//! One item of the queue: what is wanted, where it stands, what has arrived.
//!
//! It knows its path, its local name, its state and, while it runs, how to stop
//! it. It must never know the other items of the queue, and it tells nobody: that
//! is the queue's.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use super::fetch::{Fetch, Finish, Kept};
use super::limit::{Limit, Limits};
use super::pool::Pool;
use super::pull::Pull;
use super::push::Push;
use super::send::Send;
use super::trip::{Found, Inward, Outward};
use super::{Dial, Teller};
use crate::entity::{Direction, DisplayName, JobId, Kind, Outcome, RemotePath};
use crate::event::{Clash, JobState};
use crate::net::hub::Hub;
use crate::net::store::landing::Parcel;

/// Why a running download was told to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Why {
    Pause,
    Cancel,
}

/// What has arrived of a download that does not run.
#[derive(Debug)]
pub(super) enum Held {
    /// Of the older dialects: a part that goes with this process.
    Kept(Kept),
    /// Of deck: a part on the disk, with so many bytes that were checked.
    Parcel(Arc<Parcel>, u64),
}

impl Held {
    /// Bytes that need not come again.
    pub(super) const fn at(&self) -> u64 {
        match self {
            Self::Kept(kept) => kept.at,
            Self::Parcel(_, at) => *at,
        }
    }
}

#[derive(Debug)]
pub(super) struct Item {
    pub(super) place: usize,
    pub(super) direction: Direction,
    pub(super) kind: Kind,
    /// What is sent, of an upload.
    pub(super) local: Option<PathBuf>,
    pub(super) path: RemotePath,
    /// The local folder of a download, below the landing.
    pub(super) folder: String,
    pub(super) target: String,
    pub(super) size: Option<u64>,
    pub(super) state: JobState,
    pub(super) clash: Option<Clash>,
    pub(super) kept: Option<Held>,
    /// Whether it must not share a line with its neighbours.
    pub(super) alone: bool,
    /// A bucket of its own, once somebody wanted one.
    pub(super) limit: Option<Arc<Limit>>,
    /// Time it ran before the attempt that runs now.
    pub(super) ran: Duration,
    pub(super) running: Option<Running>,
}

#[derive(Debug)]
pub(super) struct Running {
    pub(super) stop: CancellationToken,
    pub(super) why: Option<Why>,
    pub(super) since: Instant,
    /// The number of the task that runs it.
    pub(super) task: u64,
}

/// One try at an item, either way.
#[derive(Debug)]
pub(super) enum Attempt {
    Fetch(Box<Fetch>),
    Send(Box<Send>),
    Pull(Box<Pull>),
    Push(Box<Push>),
    Inward(Box<Inward>),
    Outward(Box<Outward>),
}

impl Attempt {
    /// Runs it; what has arrived of a download comes back.
    pub(super) async fn run(self, teller: Teller) -> (Finish, Option<Held>) {
        let begun = Box::new(move |started| teller.begun(started));
        match self {
            Self::Fetch(fetch) => {
                let (finish, kept) = fetch.run(begun).await;
                (finish, kept.map(Held::Kept))
            }
            Self::Send(send) => (send.run(begun).await, None),
            Self::Pull(pull) => {
                let (finish, parcel) = pull.run().await;
                (finish, parcel.map(|(parcel, at)| Held::Parcel(parcel, at)))
            }
            Self::Push(push) => (push.run().await, None),
            Self::Inward(inward) => (inward.run().await, None),
            Self::Outward(outward) => (outward.run().await, None),
        }
    }
}

/// What a try needs beside the item.
pub(super) struct Way<'q> {
    pub(super) job: JobId,
    pub(super) dial: &'q Dial,
    pub(super) pool: Arc<Pool>,
    pub(super) hub: Arc<Hub>,
    pub(super) limits: Limits,
    pub(super) standing: Option<Clash>,
    pub(super) stop: CancellationToken,
    pub(super) teller: Teller,
}

impl Item {
    /// An item that waits for its turn.
    pub(super) const fn new(
        direction: Direction,
        path: RemotePath,
        target: String,
        kind: Kind,
        size: Option<u64>,
    ) -> Self {
        Self {
            place: 0,
            direction,
            kind,
            local: None,
            path,
            folder: String::new(),
            target,
            size,
            state: JobState::Queued,
            clash: None,
            kept: None,
            alone: false,
            limit: None,
            ran: Duration::ZERO,
            running: None,
        }
    }

    /// The next try over deck; `None` for a download without a place to land.
    pub(super) fn attempt_deck(&self, way: Way<'_>) -> Option<Attempt> {
        let Way {
            job,
            dial,
            pool,
            hub,
            limits,
            standing,
            stop,
            teller,
        } = way;
        let clash = self.clash.or(standing);
        let check = dial.means.check;
        Some(match (&self.local, self.kind) {
            (Some(local), Kind::Dir) => Attempt::Outward(Box::new(Outward {
                local: local.clone(),
                path: self.path.clone(),
                dotfiles: dial.means.dotfiles,
                pool,
                hub,
                stop,
                teller,
            })),
            (Some(local), Kind::File) => Attempt::Push(Box::new(Push {
                job,
                local: local.clone(),
                path: self.path.clone(),
                clash,
                check,
                streams: dial.means.streams,
                pool,
                hub,
                limits,
                stop,
                teller,
            })),
            (None, Kind::Dir) => Attempt::Inward(Box::new(Inward {
                path: self.path.clone(),
                folder: self.folder.clone(),
                landing: dial.landing.clone()?,
                pool,
                stop,
                teller,
                hub,
            })),
            (None, Kind::File) => Attempt::Pull(Box::new(Pull {
                job,
                path: self.path.clone(),
                folder: self.folder.clone(),
                name: self.target.clone(),
                clash,
                check,
                streams: dial.means.streams,
                landing: dial.landing.clone()?,
                pool,
                hub,
                limits,
                stop,
                teller,
            })),
        })
    }

    /// The next try over an older dialect; `None` for a download without a place to land.
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
        let kept = self.kept.take().and_then(|held| match held {
            Held::Kept(kept) => Some(kept),
            Held::Parcel(..) => None,
        });
        Some(Attempt::Fetch(Box::new(Fetch {
            job,
            path: self.path.clone(),
            name: self.target.clone(),
            clash: self.clash.or(standing),
            landing: dial.landing.clone()?,
            kept,
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

    /// Ended well, under this name.
    pub(super) fn land(&mut self, name: String, bytes: u64, outcome: Outcome) {
        self.kept = None;
        self.target = name;
        self.size = Some(bytes);
        self.end(outcome, bytes, "", "");
    }

    /// Its name is taken and nobody is asked: what had arrived goes.
    pub(super) fn refuse_name(&mut self) {
        let place = match self.direction {
            Direction::In => "here",
            Direction::Out => "on the server",
        };
        let words = format!("the name is taken {place}; nothing was touched");
        discard(self.kept.take());
        self.end(Outcome::Failed, 0, "exists", &words);
    }

    /// It is a file after all, or no small one: it waits for a turn of its own.
    pub(super) fn set_apart(&mut self, size: u64) {
        self.kind = Kind::File;
        self.size = Some(size);
        self.alone = true;
        self.state = JobState::Queued;
    }

    /// Ended by its user: what had arrived goes.
    pub(super) fn give_up(&mut self, cause: &'static str, detail: &str) {
        discard(self.kept.take());
        self.clash = None;
        self.end(Outcome::Cancelled, 0, cause, detail);
    }
}

impl From<Found> for Item {
    fn from(found: Found) -> Self {
        let direction = match found.local {
            Some(_) => Direction::Out,
            None => Direction::In,
        };
        let target = String::from_utf8_lossy(found.path.file_name()).into_owned();
        let mut item = Self::new(direction, found.path, target, found.kind, found.size);
        item.local = found.local;
        item.folder = found.folder;
        item
    }
}

/// Removes what has arrived, off the loop: freeing gigabytes takes its time.
pub(super) fn discard(held: Option<Held>) {
    if let Some(held) = held {
        tokio::task::spawn_blocking(move || {
            if let Held::Parcel(parcel, _) = &held {
                parcel.discard();
            }
            drop(held);
        });
    }
}
