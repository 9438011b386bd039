//! Small files to a deck server, many at once: sent ahead of the answers.
//!
//! Their payload follows the announcement without waiting (eager), up to 64 at a
//! time over one line; writing and reading go side by side, so neither end waits
//! for the other. Each answer is held against the file's own root. A file that is
//! refused, bad or gone stops no other.

mod given_up;
mod loaded;

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::Arc;

use tokio::sync::mpsc::Receiver;
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

use self::given_up::{SILENCE, Stops, given_up, is_given_up, let_go, wait};
use self::loaded::{Loaded, read};
use super::Teller;
use super::busy::{Busy, drips};
use super::dial::{Failure, broke};
use super::fetch::Finish;
use super::limit::Limits;
use super::pool::Pool;
use super::pull::proof;
use super::push::stands;
use super::tap::Tap;
use crate::entity::{Direction, JobId, Outcome, RemotePath, Root};
use crate::event::Clash;
use crate::net::hub::{ConnGuard, Hub, TransferOrder, XferGuard};
use crate::net::wire::codec::{Answer, Check, Refusal, Request};

/// Files sent before the first was answered.
const AHEAD: usize = 64;
/// Bytes that wait to be written before another file joins them.
const OUT: usize = 512 << 10;
/// How often a file comes again that arrived damaged.
const TRIES: u8 = 3;

/// One small file to send.
#[derive(Debug)]
pub(super) struct Ear {
    pub(super) job: JobId,
    pub(super) local: PathBuf,
    pub(super) path: RemotePath,
    pub(super) clash: Option<Clash>,
    pub(super) stop: CancellationToken,
    /// How often it arrived damaged.
    pub(super) bad: u8,
    pub(super) before: Before,
}

/// Whether a file was sent before and its answer lost with the line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Before {
    Never,
    Unanswered,
}

/// Small files to send together.
#[derive(Debug)]
pub(super) struct Sheaf {
    pub(super) ears: Vec<Ear>,
    pub(super) check: Check,
    pub(super) pool: Arc<Pool>,
    pub(super) hub: Arc<Hub>,
    pub(super) limits: Limits,
    /// Cancelled when the client leaves.
    pub(super) leaving: CancellationToken,
    pub(super) teller: Teller,
}

/// A file that is sent and not answered.
struct Open {
    ear: Ear,
    size: u64,
    root: Root,
    xfer: XferGuard,
}

/// What one line has under way.
struct Flow {
    tap: Tap,
    guard: ConnGuard,
    out: Vec<u8>,
    sent: usize,
    open: VecDeque<Open>,
    again: Vec<Ear>,
    /// Their names are taken, perhaps by themselves.
    doubted: Vec<Open>,
    busy: Busy,
    /// When bytes left or a whole answer came last. A piece of an answer is no progress.
    moved: Instant,
}

impl Sheaf {
    /// Sends all of them; each item's end is told as it is known.
    pub(super) async fn run(mut self) {
        let mut left: VecDeque<Ear> = std::mem::take(&mut self.ears).into();
        let leaving = self.leaving.clone();
        tokio::select! {
            biased;
            () = leaving.cancelled() => {}
            () = self.send(&mut left) => {}
        }
        // Those that were under way are told by whoever watches this task.
        for ear in left {
            self.teller.of(ear.job).ended(Finish::Stopped);
        }
    }

    async fn send(&self, left: &mut VecDeque<Ear>) {
        let mut endurance = self.pool.endurance();
        while !left.is_empty() {
            let before = left.len();
            let Err(failure) = self.pass(left).await else {
                continue;
            };
            if is_given_up(&failure) {
                let_go(left, &self.teller);
                continue;
            }
            if left.len() < before {
                endurance.refresh();
            }
            let pause = endurance.next().filter(|_| self.pool.passes(&failure));
            let Some(pause) = pause else {
                for ear in left.drain(..) {
                    let failure = Finish::Failed(failure.clone());
                    self.teller.of(ear.job).ended(failure);
                }
                return;
            };
            for ear in &*left {
                self.teller.of(ear.job).waiting(&failure, 0);
            }
            wait(left, pause, &self.teller).await;
        }
    }

    /// Sends what is left over one line. What is not answered comes back to `left`.
    async fn pass(&self, left: &mut VecDeque<Ear>) -> Result<(), Failure> {
        let stops = Stops::of(&*left);
        let tap = tokio::select! {
            tap = self.pool.line() => tap?,
            failure = stops.given_up() => return Err(failure),
        };
        let (peer, addr) = tap.line.ends()?;
        let mut flow = Flow {
            guard: self.hub.dial(peer, addr),
            tap,
            out: Vec::new(),
            sent: 0,
            open: VecDeque::new(),
            again: Vec::new(),
            doubted: Vec::new(),
            busy: Busy::default(),
            moved: Instant::now(),
        };
        let (mut loaded, reading) = read(std::mem::take(left), self.check, self.teller.clone());
        let done = self.flow(&mut flow, &mut loaded, &stops).await;
        left.extend(reading.stop(loaded).await);
        left.extend(flow.again);
        for open in flow.open {
            match &done {
                Err(failure) if is_given_up(failure) => {
                    (open.xfer).end(Outcome::Cancelled, failure.cause, &failure.detail);
                }
                _ => {
                    let words = "the connection broke before the answer";
                    open.xfer.end(Outcome::Failed, "connection", words);
                }
            }
            left.push_back(Ear {
                before: Before::Unanswered,
                ..open.ear
            });
        }
        if done.is_ok() {
            self.pool.keep(flow.tap);
        }
        let settled = self.settle(flow.doubted, left).await;
        done.and(settled)
    }

    async fn flow(
        &self,
        flow: &mut Flow,
        loaded: &mut Receiver<Loaded>,
        stops: &Stops,
    ) -> Result<(), Failure> {
        let mut more = true;
        let pipe = Arc::clone(flow.tap.pipe());
        loop {
            while let Some(answer) = flow.tap.here()? {
                self.hear(flow, answer)?;
            }
            let waiting = flow.sent < flow.out.len();
            let whole_by = flow.moved + flow.tap.gap();
            if !more && !waiting && flow.open.is_empty() {
                return Ok(());
            }
            let room = flow.open.len() < AHEAD && flow.out.len() - flow.sent < OUT;
            let slice = self.limits.slice(flow.out.len() - flow.sent);
            tokio::select! {
                biased;
                wrote = pipe.write_some(&flow.out[flow.sent..flow.sent + slice.min(flow.out.len() - flow.sent)]), if waiting => {
                    let wrote = wrote.map_err(|error| broke(&error))?;
                    flow.sent += wrote;
                    if flow.sent == flow.out.len() {
                        flow.out.clear();
                        flow.sent = 0;
                        let flushed = timeout(flow.tap.gap(), pipe.flush()).await;
                        flushed
                            .map_err(|_| Failure::new("timeout", "the server does not read"))?
                            .map_err(|error| broke(&error))?;
                    }
                    self.limits.spend(wrote as u64).await;
                    flow.moved = Instant::now();
                }
                () = sleep_until(whole_by), if flow.tap.unread() > 0 => return Err(drips()),
                heard = flow.tap.more(), if !flow.open.is_empty() => heard?,
                next = loaded.recv(), if more && room => match next {
                    Some(loaded) => self.begin(flow, loaded),
                    None => more = false,
                },
                // Anything that moves begins this anew.
                () = sleep(SILENCE) => if stops.any() {
                    return Err(given_up());
                },
            }
        }
    }

    /// Puts a file behind what waits to be written.
    fn begin(&self, flow: &mut Flow, loaded: Loaded) {
        let Loaded {
            ear,
            bytes,
            terms,
            root,
        } = loaded;
        if flow.sent > OUT {
            flow.out.drain(..flow.sent);
            flow.sent = 0;
        }
        let size = bytes.len() as u64;
        let request = Request::Store {
            path: ear.path.clone(),
            size,
            terms: Box::new(terms),
        };
        if let Err(failure) = flow.tap.put(&request, &mut flow.out) {
            self.teller.of(ear.job).ended(Finish::Failed(failure));
            return;
        }
        let xfer = flow.guard.start(TransferOrder {
            job: Some(ear.job),
            dialect: flow.tap.dialect(),
            direction: Direction::Out,
            proof: proof(self.check),
            path: ear.path.clone(),
            size: Some(size),
            offset: 0,
            range: None,
        });
        self.teller.of(ear.job).begun(Arc::clone(xfer.started()));
        let checked = self.check != Check::None;
        let codec = flow.tap.codec();
        if size > 0 {
            codec.block(0, size, &mut flow.out);
            flow.out.extend_from_slice(&bytes);
            codec.seal(checked.then_some(root.0), &mut flow.out);
        }
        codec.close(Ok(checked.then_some(root)), &mut flow.out);
        xfer.add(size);
        flow.open.push_back(Open {
            ear,
            size,
            root,
            xfer,
        });
    }

    /// Hears what became of the oldest.
    fn hear(&self, flow: &mut Flow, answer: Answer) -> Result<(), Failure> {
        flow.moved = Instant::now();
        if let Answer::Wait { done, .. } = answer {
            return flow.busy.hear(done);
        }
        flow.busy = Busy::default();
        if matches!(
            answer,
            Answer::Refused {
                refusal: Refusal::Leaving
            }
        ) {
            return Err(Failure::refused(Refusal::Leaving));
        }
        let Some(open) = flow.open.pop_front() else {
            return Err(Failure::unexpected());
        };
        flow.tap.close();
        match answer {
            Answer::Stored(stored)
                if self.check == Check::None || stored.root == Some(open.root) =>
            {
                self.landed(open, stored.name.to_string());
            }
            Answer::Stored(_) => {
                // It stands there all the same: sending it again would find its name taken.
                let ear = Ear {
                    bad: TRIES,
                    ..open.ear
                };
                self.refused(ear, Refusal::Corrupt, open.xfer);
            }
            Answer::Refused {
                refusal: Refusal::Exists,
            } if open.ear.before == Before::Unanswered => flow.doubted.push(open),
            Answer::Refused { refusal } => {
                flow.again
                    .extend(self.refused(open.ear, refusal, open.xfer));
            }
            _ => return Err(Failure::unexpected()),
        }
        Ok(())
    }

    fn landed(&self, open: Open, name: String) {
        open.xfer.started().progress.verify(open.size);
        open.xfer.end_well();
        self.teller.of(open.ear.job).ended(Finish::Landed {
            name,
            bytes: open.size,
            outcome: proof(self.check),
        });
    }

    /// Finds out of those whose names are taken whether it is they who stand there.
    async fn settle(&self, doubted: Vec<Open>, left: &mut VecDeque<Ear>) -> Result<(), Failure> {
        let mut broke = Ok(());
        let stops = Stops::of(doubted.iter().map(|open| &open.ear));
        for open in doubted {
            let told = match &broke {
                Ok(()) => tokio::select! {
                    told = stands(&self.pool, &open.ear.path, open.root) => told,
                    failure = stops.given_up() => Err(failure),
                },
                Err(failure) => Err(Failure::clone(failure)),
            };
            match told {
                Ok(true) => {
                    let name = String::from_utf8_lossy(open.ear.path.file_name()).into_owned();
                    self.landed(open, name);
                }
                Ok(false) => left.extend(self.refused(open.ear, Refusal::Exists, open.xfer)),
                Err(failure) => {
                    open.xfer
                        .end(Outcome::Failed, failure.cause, &failure.detail);
                    left.push_back(open.ear);
                    broke = Err(failure);
                }
            }
        }
        broke
    }

    /// Ends what was refused; what arrived damaged comes back to be sent again.
    fn refused(&self, mut ear: Ear, refusal: Refusal, xfer: XferGuard) -> Option<Ear> {
        let failure = Failure::refused(refusal);
        let finish = match (refusal, ear.clash) {
            (Refusal::Corrupt, _) if ear.bad < TRIES => {
                xfer.end(Outcome::Failed, failure.cause, &failure.detail);
                ear.bad += 1;
                return Some(ear);
            }
            (Refusal::Exists, Some(Clash::Skip)) => Finish::Skipped,
            (Refusal::Exists, None) => Finish::Clash,
            _ => Finish::Failed(failure.clone()),
        };
        let outcome = match finish {
            Finish::Failed(_) => Outcome::Failed,
            _ => Outcome::Cancelled,
        };
        xfer.end(outcome, failure.cause, &failure.detail);
        self.teller.of(ear.job).ended(finish);
        None
    }
}
