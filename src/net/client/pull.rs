//! One file from a deck server: verified block by block, resumable, over several lines.
//!
//! A part beside the target keeps what has been checked, so a cut costs at most
//! the blocks under way. What is missing is split among a few lines (`stretch`);
//! which block is where, and how often it was bad, is the `plan`'s. Nothing
//! stands under the final name before the root agrees. It knows no queue.

mod begin;
pub(super) mod plan;
mod root;
mod stretch;

use std::sync::{Arc, Mutex};

use tokio::task::{JoinSet, spawn_blocking};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use self::plan::Plan;
use self::stretch::{Goods, Stretch};
use super::Teller;
use super::dial::Failure;
use super::fetch::{Finish, unlanded};
use super::limit::Limits;
use super::pool::{Endurance, Pool, is_passing};
use super::tap::Tap;
use crate::entity::{Direction, JobId, Kind, Outcome, RemotePath};
use crate::event::{Clash, Started};
use crate::meter::Totals;
use crate::net::hub::{Hub, XferGuard};
use crate::net::store::landing::{Landing, Missing, Parcel, Unlanded};
use crate::net::wire::codec::{Answer, Check, Request, Version};

/// How often a file may change under our hands before it is given up.
const CHANGES: u32 = 5;

/// One download to be done.
#[derive(Debug)]
pub(super) struct Pull {
    pub(super) job: JobId,
    pub(super) path: RemotePath,
    /// The local folder, below the landing; empty for the landing itself.
    pub(super) folder: String,
    /// The local name.
    pub(super) name: String,
    /// What to do if it is taken; `None` asks.
    pub(super) clash: Option<Clash>,
    pub(super) check: Check,
    /// Lines for one large file.
    pub(super) streams: usize,
    pub(super) landing: Arc<Landing>,
    pub(super) pool: Arc<Pool>,
    pub(super) hub: Arc<Hub>,
    pub(super) limits: Limits,
    pub(super) stop: CancellationToken,
    pub(super) teller: Teller,
}

/// What the server says of the file.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    pub(super) size: u64,
    pub(super) mtime: i64,
    pub(super) version: Option<Version>,
}

/// What a stream counts on.
#[derive(Clone, Debug)]
pub(super) struct Meter {
    pub(super) started: Arc<Started>,
    pub(super) totals: Arc<Totals>,
}

impl Meter {
    /// Counts payload bytes in every dial they belong to.
    pub(super) fn add(&self, bytes: u64) {
        self.started.progress.add(bytes);
        let counter = match self.started.direction {
            Direction::Out => &self.totals.bytes_out,
            Direction::In => &self.totals.bytes_in,
        };
        Totals::add(counter, bytes);
    }
}

/// Why a stretch, or all of them, stopped.
#[derive(Debug)]
pub(super) enum Stop {
    /// The line broke; another may do.
    Broke(Failure),
    /// The file is another one now.
    Changed,
    /// There is no use in going on.
    Failed(Failure),
}

impl From<Failure> for Stop {
    fn from(failure: Failure) -> Self {
        if is_passing(&failure) {
            Self::Broke(failure)
        } else {
            Self::Failed(failure)
        }
    }
}

/// What there is of a download while it runs.
#[derive(Debug, Default)]
struct Course {
    parcel: Option<Arc<Parcel>>,
    xfer: Option<XferGuard>,
}

impl Pull {
    /// Runs it. What has arrived comes back unless it landed.
    pub(super) async fn run(self) -> (Finish, Option<(Arc<Parcel>, u64)>) {
        let mut course = Course::default();
        let stop = self.stop.clone();
        let fetched = tokio::select! {
            biased;
            () = stop.cancelled() => Ok(Err(Finish::Stopped)),
            fetched = self.attempt(&mut course) => fetched,
        };
        let done = match fetched {
            // Not to be stopped any more: it would stand there and be called cancelled.
            Ok(Ok((landing, seen))) => self.land(&course, &landing, &seen).await,
            Ok(Err(finish)) => Ok(finish),
            Err(failure) => Err(failure),
        };
        let verified = |xfer: &XferGuard| xfer.started().progress.verified();
        let at = course.xfer.as_ref().map_or(0, verified);
        if let Some(xfer) = course.xfer.take() {
            match &done {
                Ok(Finish::Landed { outcome, .. }) => xfer.end(*outcome, "", ""),
                Ok(Finish::Clash | Finish::Skipped) => {
                    xfer.end(Outcome::Cancelled, "exists", "the name is taken");
                }
                Ok(_) => xfer.end(Outcome::Cancelled, "stopped", "stopped here"),
                Err(failure) => xfer.end(Outcome::Failed, failure.cause, &failure.detail),
            }
        }
        let held = course.parcel.map(|parcel| (parcel, at));
        (done.unwrap_or_else(Finish::Failed), held)
    }

    /// Fetches all of it: where it is to land and what it is, or why it is not to.
    async fn attempt(
        &self,
        course: &mut Course,
    ) -> Result<Result<(Arc<Landing>, Seen), Finish>, Failure> {
        let landing = match self.look_first().await? {
            Ok(landing) => landing,
            Err(finish) => return Ok(Err(finish)),
        };
        let mut endurance = self.pool.endurance();
        for _ in 0..CHANGES {
            let (seen, tap) = self.stat(&mut endurance).await?;
            let plan = self.prepare(course, &landing, &seen, &tap).await?;
            match self
                .fetch_all(course, &seen, &plan, tap, &mut endurance)
                .await
            {
                Ok(()) => return Ok(Ok((landing, seen))),
                Err(Stop::Changed) => self.begin_anew(course).await,
                Err(Stop::Failed(failure) | Stop::Broke(failure)) => return Err(failure),
            }
        }
        let words = "the file changes on the server faster than it can be fetched";
        Err(Failure::new("changed", words))
    }

    /// The folder it goes into; a taken name is noticed before the server is asked.
    async fn look_first(&self) -> Result<Result<Arc<Landing>, Finish>, Failure> {
        let (landing, folder) = (Arc::clone(&self.landing), self.folder.clone());
        let name = self.name.clone();
        let looked = off_the_loop(move || {
            if let Some(why) = landing.refuses(&name) {
                return Err(Unlanded::Name(why));
            }
            let landing = landing.folder(&folder, Missing::Make)?;
            let taken = landing.is_taken(&name);
            Ok((landing, taken))
        });
        let (landing, taken) = looked.await?.map_err(|error| unlanded(&error))?;
        Ok(match (taken, self.clash) {
            (true, None) => Err(Finish::Clash),
            (true, Some(Clash::Skip)) => Err(Finish::Skipped),
            _ => Ok(landing),
        })
    }

    /// What the server says of the file, waiting for the server if that may be.
    async fn stat(&self, endurance: &mut Endurance) -> Result<(Seen, Tap), Failure> {
        loop {
            match self.ask_stat().await {
                Ok(seen) => return Ok(seen),
                Err(failure) if self.pool.passes(&failure) => {
                    self.wait(endurance, failure, 0).await?;
                }
                Err(failure) => return Err(failure),
            }
        }
    }

    async fn ask_stat(&self) -> Result<(Seen, Tap), Failure> {
        let mut tap = self.pool.line().await?;
        let path = self.path.clone();
        match tap.ask_for(&Request::Stat { path }).await? {
            Answer::Stat { entry, version } if entry.kind == Kind::File => {
                let seen = Seen {
                    size: entry.size,
                    mtime: entry.mtime,
                    version,
                };
                Ok((seen, tap))
            }
            Answer::Stat { .. } => Err(Failure::new(
                "folder",
                "a folder, not a file; -r fetches it with all that is in it",
            )),
            _ => Err(Failure::unexpected()),
        }
    }

    /// Says that it waits, and waits; fails when it was tried often enough.
    async fn wait(
        &self,
        endurance: &mut Endurance,
        failure: Failure,
        done: u64,
    ) -> Result<(), Failure> {
        let Some(pause) = endurance.next() else {
            return Err(failure);
        };
        self.teller.waiting(&failure, done);
        sleep(pause).await;
        Ok(())
    }

    /// Round after round until every block is here and the root agrees.
    async fn fetch_all(
        &self,
        course: &Course,
        seen: &Seen,
        plan: &Arc<Mutex<Plan>>,
        tap: Tap,
        endurance: &mut Endurance,
    ) -> Result<(), Stop> {
        let (Some(parcel), Some(xfer)) = (&course.parcel, &course.xfer) else {
            return Err(Stop::Failed(Failure::unexpected()));
        };
        let goods = Arc::new(Goods {
            path: self.path.clone(),
            seen: seen.clone(),
            check: self.check,
            plan: Arc::clone(plan),
            parcel: Arc::clone(parcel),
            pool: Arc::clone(&self.pool),
            limits: self.limits.clone(),
            meter: Meter {
                started: Arc::clone(xfer.started()),
                totals: Arc::clone(self.hub.totals()),
            },
        });
        let mut first = Some(tap);
        loop {
            let before = goods.plan().done_bytes();
            let round = self.round(&goods, first.take()).await;
            let done = goods.plan().done_bytes();
            if done > before {
                endurance.refresh();
            }
            match round {
                Err(Stop::Broke(failure)) if self.pool.passes(&failure) => {
                    self.wait(endurance, failure, done).await?;
                    self.teller.begun(Arc::clone(xfer.started()));
                }
                Err(why) => return Err(why),
                Ok(()) => return Ok(()),
            }
        }
    }

    /// Splits what is missing among lines, and waits for all of them.
    async fn gather(&self, goods: &Arc<Goods>, first: Option<Tap>) -> Result<(), Stop> {
        let missing = goods.plan().missing_bytes();
        let mut streams = JoinSet::new();
        let lines = Pool::lines(self.streams, missing);
        goods.plan().share(lines);
        if !goods.plan().is_done() || goods.seen.size == 0 {
            let stretch = Stretch::new(Arc::clone(goods));
            streams.spawn(stretch.run(first));
        } else if let Some(tap) = first {
            self.pool.keep(tap);
        }
        let enough = CancellationToken::new();
        for _ in 1..lines {
            let (pool, enough) = (Arc::clone(&self.pool), enough.clone());
            let stretch = Stretch::new(Arc::clone(goods));
            streams.spawn(async move {
                match pool.extra(&enough).await {
                    Some(_extra) => stretch.run(None).await,
                    None => Ok(()),
                }
            });
        }
        let mut broke = None;
        while let Some(done) = streams.join_next().await {
            // Nothing is left to be taken, or the server is gone: no line more.
            enough.cancel();
            match done {
                Ok(Ok(())) => {}
                // The others go on with what they have, and take up its rest.
                Ok(Err(Stop::Broke(failure))) => broke = Some(failure),
                Ok(Err(why)) => return Err(why),
                Err(gone) => {
                    let words = format!("a fault in ferrydeck: {gone}");
                    return Err(Stop::Failed(Failure::new("panicked", words)));
                }
            }
        }
        match broke {
            // Of an empty file nothing is missing, and only the end says that it is one.
            Some(failure) if !goods.plan().is_done() || goods.seen.size == 0 => {
                Err(Stop::Broke(failure))
            }
            _ => Ok(()),
        }
    }

    async fn land(
        &self,
        course: &Course,
        landing: &Arc<Landing>,
        seen: &Seen,
    ) -> Result<Finish, Failure> {
        let Some(parcel) = course.parcel.clone() else {
            return Err(Failure::unexpected());
        };
        let (landing, name, clash) = (Arc::clone(landing), self.name.clone(), self.clash);
        let mtime = Some(seen.mtime);
        let landed = off_the_loop(move || parcel.land(&landing, &name, clash, mtime));
        match landed.await? {
            Ok(name) => Ok(Finish::Landed {
                name,
                bytes: seen.size,
                outcome: proof(self.check),
            }),
            Err(Unlanded::Taken) if self.clash == Some(Clash::Skip) => Ok(Finish::Skipped),
            Err(Unlanded::Taken) => Ok(Finish::Clash),
            Err(error) => Err(unlanded(&error)),
        }
    }
}

/// How sure the end of a transfer is that was checked so.
pub(super) const fn proof(check: Check) -> Outcome {
    match check {
        Check::None => Outcome::CompleteLength,
        Check::Blocks | Check::Anew => Outcome::CompleteHash,
    }
}

/// Does what blocks where it may.
pub(super) async fn off_the_loop<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Failure> {
    spawn_blocking(work)
        .await
        .map_err(|gone| Failure::new("panicked", format!("a fault in ferrydeck: {gone}")))
}
