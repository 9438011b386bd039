//! One file to a deck server: only what is not there yet, each block with its value.
//!
//! The server says what an earlier try has brought; the rest goes out while the
//! next bytes are read and hashed. It is complete when the server has made it
//! durable and says the same root. A large file goes over several lines: one announces it,
//! the others bring shares. What is sent is what was announced: a file that changes
//! meanwhile has failed. It knows no queue.

mod course;
mod freight;
mod local;
mod lots;
mod reader;
mod share;
mod stands;

use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use tokio::task::{JoinHandle, JoinSet};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use self::course::{Course, End, Rehashed, blocks_of, bytes};
use self::freight::{Freight, Hand, Supply, amid};
pub(super) use self::local::{changed, open, terms};
use self::lots::Lots;
use self::reader::rehash;
use self::share::Share;
pub(super) use self::stands::stands;
use super::Teller;
use super::dial::Failure;
use super::fetch::Finish;
use super::limit::Limits;
use super::pool::Pool;
use super::pull::{Meter, Stop, proof};
use super::tap::{Busy, Tap};
use crate::entity::{Direction, JobId, Outcome, RemotePath};
use crate::event::Clash;
use crate::net::hub::{Hub, TransferOrder};
use crate::net::store::Fate;
use crate::net::tree::blocks;
use crate::net::wire::codec::{Answer, Check, Pace, Refusal, Request, Stored};

/// How often blocks are sent again before the server is not believed any more.
const ROUNDS: u32 = 8;

/// One upload to be done.
#[derive(Debug)]
pub(super) struct Push {
    pub(super) job: JobId,
    pub(super) local: PathBuf,
    /// What it is to be called on the server.
    pub(super) path: RemotePath,
    /// What to do if that is taken; `None` asks.
    pub(super) clash: Option<Clash>,
    pub(super) check: Check,
    /// Lines for one large file.
    pub(super) streams: usize,
    pub(super) pool: Arc<Pool>,
    pub(super) hub: Arc<Hub>,
    pub(super) limits: Limits,
    pub(super) stop: CancellationToken,
    pub(super) teller: Teller,
}

/// What one try came to.
enum Sent {
    Finished(Finish),
    Stored(Stored),
}

impl Push {
    /// Runs it.
    pub(super) async fn run(self) -> Finish {
        let source = match open(self.local.clone()).await {
            Ok(source) => source,
            Err(failure) => return Finish::Failed(failure),
        };
        let mut course = Course::new(source);
        let stop = self.stop.clone();
        let done = tokio::select! {
            biased;
            () = stop.cancelled() => Ok(Finish::Stopped),
            done = self.attempt(&mut course) => done,
        };
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
        done.unwrap_or_else(Finish::Failed)
    }

    async fn attempt(&self, course: &mut Course) -> Result<Finish, Failure> {
        let mut endurance = self.pool.endurance();
        let mut most = 0;
        loop {
            let failure = match self.send(course).await {
                Ok(Sent::Finished(finish)) => return Ok(finish),
                Ok(Sent::Stored(stored)) => return self.compare(course, &stored),
                Err(Stop::Changed) => return Err(changed()),
                Err(Stop::Failed(failure)) => return Err(failure),
                Err(Stop::Broke(failure)) => failure,
            };
            // What is taken back and sent again and again is no progress.
            if course.done() > most {
                most = course.done();
                endurance.refresh();
            }
            let passes = failure.cause == Refusal::Busy.label() || self.pool.passes(&failure);
            let Some(pause) = endurance.next().filter(|_| passes) else {
                return Err(failure);
            };
            self.teller.waiting(&failure, course.done());
            sleep(pause).await;
        }
    }

    /// Announces the file, sends what is missing and hears what became of it.
    async fn send(&self, course: &mut Course) -> Result<Sent, Stop> {
        let mut tap = self.pool.line().await?;
        let terms = terms(&course.source, self.clash, self.check, Pace::Asked);
        tap.ask(&Request::Store {
            path: self.path.clone(),
            size: course.source.size,
            terms: Box::new(terms),
        })
        .await?;
        let here = match tap.hear().await? {
            Answer::Here { blocks } => blocks,
            Answer::Refused { refusal } => {
                tap.close();
                self.pool.keep(tap);
                return self.turned_away(course, refusal).await;
            }
            _ => return Err(Stop::Failed(Failure::unexpected())),
        };
        let here = blocks_of(&here, course.source.size)?;
        self.begin(course, &tap, &here)?;
        let all = 0..blocks(course.source.size);
        let mut missing: Vec<u64> = all
            .filter(|index| here.binary_search(index).is_err())
            .collect();
        // What is there already is read for the root alone, beside what is sent.
        let behind = self.hash_behind(course, &here);
        let mut rounds = 0;
        loop {
            if let Some(refusal) = self.payload(&mut tap, course, &missing).await? {
                return self.refused(refusal);
            }
            course.end = End::Said;
            match tap.hear().await? {
                Answer::Again { .. } if rounds == ROUNDS => {
                    let words = "the server wants the same blocks again and again";
                    return Err(Stop::Failed(Failure::new("corrupt", words)));
                }
                Answer::Again { blocks } => {
                    rounds += 1;
                    missing = blocks_of(&blocks, course.source.size)?;
                    if let Some(xfer) = &course.xfer {
                        let bytes = bytes(&missing, course.source.size);
                        xfer.started().progress.take_back(bytes);
                    }
                }
                Answer::Stored(stored) => {
                    tap.close();
                    self.pool.keep(tap);
                    if let Some(behind) = behind {
                        course.learn(behind.await)?;
                    }
                    return Ok(Sent::Stored(stored));
                }
                Answer::Refused { refusal } => {
                    tap.close();
                    self.pool.keep(tap);
                    return self.refused(refusal);
                }
                _ => return Err(Stop::Failed(Failure::unexpected())),
            }
        }
    }

    /// A refusal before the first byte: a taken name may be the file's own, of a try whose
    /// answer was lost.
    async fn turned_away(&self, course: &Course, refusal: Refusal) -> Result<Sent, Stop> {
        match (refusal, course.end, course.root()) {
            (Refusal::Exists, End::Said, Some(root))
                if stands(&self.pool, &self.path, root).await? =>
            {
                Ok(Sent::Finished(self.landed(course)))
            }
            // By our own line, very likely: the server has not seen yet that it broke.
            (Refusal::Busy, ..) if course.xfer.is_some() => {
                Err(Stop::Broke(Failure::refused(refusal)))
            }
            _ => self.refused(refusal),
        }
    }

    fn refused(&self, refusal: Refusal) -> Result<Sent, Stop> {
        match (refusal, self.clash) {
            (Refusal::Exists, Some(Clash::Skip)) => Ok(Sent::Finished(Finish::Skipped)),
            (Refusal::Exists, None) => Ok(Sent::Finished(Finish::Clash)),
            (Refusal::Changed, _) => Err(Stop::Changed),
            _ => Err(Failure::refused(refusal).into()),
        }
    }

    /// Begins the transfer, or sets its dial to where the server stands.
    fn begin(&self, course: &mut Course, tap: &Tap, here: &[u64]) -> Result<(), Stop> {
        let offset = bytes(here, course.source.size);
        if let Some(xfer) = &course.xfer {
            let progress = &xfer.started().progress;
            progress.take_back(progress.done());
            progress.add(offset);
        } else {
            let (peer, addr) = tap.line.ends()?;
            let xfer = self.hub.dial(peer, addr).start(TransferOrder {
                job: Some(self.job),
                dialect: tap.dialect(),
                direction: Direction::Out,
                proof: proof(self.check),
                path: self.path.clone(),
                size: Some(course.source.size),
                offset,
                range: None,
            });
            xfer.started().progress.join();
            course.xfer = Some(xfer);
        }
        if let Some(xfer) = &course.xfer {
            self.teller.begun(Arc::clone(xfer.started()));
        }
        Ok(())
    }

    fn hash_behind(&self, course: &Course, here: &[u64]) -> Option<JoinHandle<Rehashed>> {
        let values = course.values();
        let unknown: Vec<u64> = here
            .iter()
            .copied()
            .filter(|index| values.get(*index).is_none())
            .collect();
        drop(values);
        let source = Arc::clone(&course.source);
        (self.check != Check::None && !unknown.is_empty())
            .then(|| tokio::task::spawn_blocking(move || rehash(&source, &unknown)))
    }

    /// Sends blocks over one line and more, and the end behind them; a refusal in the
    /// middle comes back.
    async fn payload(
        &self,
        tap: &mut Tap,
        course: &Course,
        missing: &[u64],
    ) -> Result<Option<Refusal>, Stop> {
        let freight = self.freight(course, missing)?;
        let enough = CancellationToken::new();
        let mut shares = self.shares(&freight, bytes(missing, course.source.size), &enough);
        let sent = self.all(tap, &freight, &mut shares, &enough).await;
        // None is left behind: what it counts would be counted twice.
        shares.shutdown().await;
        if let Some(refusal) = sent? {
            return Ok(Some(refusal));
        }
        if matches!(course.source.fate(), Fate::Same) {
            return freight.end(tap, Ok(course.root())).await;
        }
        freight.end(tap, Err(Refusal::Changed)).await?;
        Err(Stop::Changed)
    }

    fn freight(&self, course: &Course, missing: &[u64]) -> Result<Arc<Freight>, Stop> {
        let Some(xfer) = &course.xfer else {
            return Err(Stop::Failed(Failure::unexpected()));
        };
        Ok(Arc::new(Freight {
            path: self.path.clone(),
            source: Arc::clone(&course.source),
            check: self.check,
            limits: self.limits.clone(),
            meter: Meter {
                started: Arc::clone(xfer.started()),
                totals: Arc::clone(self.hub.totals()),
            },
            lots: Mutex::new(Lots::of(missing)),
            values: Arc::clone(&course.values),
        }))
    }

    /// As many lines beside the first as a large file may have, each as soon as there is
    /// leave for it.
    fn shares(
        &self,
        freight: &Arc<Freight>,
        missing: u64,
        enough: &CancellationToken,
    ) -> JoinSet<Result<(), Stop>> {
        let mut shares = JoinSet::new();
        let lines = Pool::lines(self.streams, missing) - 1;
        for _ in 0..lines {
            let (pool, enough) = (Arc::clone(&self.pool), enough.clone());
            let share = Share {
                freight: Arc::clone(freight),
                pool: Arc::clone(&self.pool),
                lines,
            };
            shares.spawn(async move {
                match pool.extra(&enough).await {
                    Some(_extra) => share.run().await,
                    None => Ok(()),
                }
            });
        }
        shares
    }

    /// Sends until nothing is left, here and on the other lines.
    async fn all(
        &self,
        tap: &mut Tap,
        freight: &Freight,
        shares: &mut JoinSet<Result<(), Stop>>,
        enough: &CancellationToken,
    ) -> Result<Option<Refusal>, Stop> {
        let mut hand = Hand::new(freight, [], Supply::Lots);
        let mut busy = Busy::default();
        loop {
            if let Some(refusal) = freight.send(tap, &mut hand).await? {
                return Ok(Some(refusal));
            }
            // Nothing is left for who has not begun. Whoever ends may have left something to us.
            enough.cancel();
            let done = tokio::select! {
                done = shares.join_next() => done,
                heard = tap.listen() => {
                    heard?;
                    if let Some(refusal) = amid(tap, &mut busy)? {
                        return Ok(Some(refusal));
                    }
                    continue;
                }
            };
            match done {
                None if freight.lots().count() == 0 => return Ok(None),
                None => {}
                Some(Ok(done)) => done?,
                Some(Err(gone)) => {
                    let words = format!("a fault in ferrydeck: {gone}");
                    return Err(Stop::Failed(Failure::new("panicked", words)));
                }
            }
        }
    }

    /// It stands there under the name that was asked for, though nobody said so.
    fn landed(&self, course: &Course) -> Finish {
        if let Some(xfer) = &course.xfer {
            xfer.started().progress.verify(course.source.size);
        }
        Finish::Landed {
            name: String::from_utf8_lossy(self.path.file_name()).into_owned(),
            bytes: course.source.size,
            outcome: proof(self.check),
        }
    }

    /// Holds the root of what stands there against what was sent.
    fn compare(&self, course: &Course, stored: &Stored) -> Result<Finish, Failure> {
        let outcome = proof(self.check);
        if outcome == Outcome::CompleteHash {
            let root = course.root();
            if root.is_none() || stored.root != root {
                let words = "what stands on the server does not agree with the file's hash";
                return Err(Failure::new("corrupt", words));
            }
            if let Some(xfer) = &course.xfer {
                xfer.started().progress.verify(course.source.size);
            }
        }
        Ok(Finish::Landed {
            name: stored.name.to_string(),
            bytes: course.source.size,
            outcome,
        })
    }
}
