//! Small files, many at once: asked for ahead of the answers, over one line.
//!
//! Ten thousand small files must not be ten thousand round trips, nor as many
//! waits for the disk. Up to 64 are asked for before the first has come; what has
//! come and agrees with its hash goes to a thread that writes and lands whole
//! batches (`lander`). A file that is bad, refused or gone stops no other.

mod lander;
mod work;

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use tokio::sync::mpsc::Sender;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use self::lander::{Arrived, Lander, admit};
use self::work::{Spoilt, Watch, Work};
use super::Teller;
use super::dial::Failure;
use super::fetch::Finish;
use super::limit::Limits;
use super::pool::Pool;
use super::pull::off_the_loop;
use super::tap::Tap;
use crate::entity::{Dialect, Direction, JobId, Outcome, RemotePath};
use crate::event::Clash;
use crate::net::hub::{ConnGuard, Hub, TransferOrder, XferGuard};
use crate::net::store::landing::Landing;
use crate::net::tree::{BLOCK, block_len, hash_small};
use crate::net::wire::codec::{Answer, Check, Content, Refusal, Request};

/// A file of at most so many bytes is small.
pub(super) const SMALL: u64 = 256 << 10;
/// Files in one bundle.
pub(super) const MOST: usize = 256;
/// Files asked for before the first has come.
const AHEAD: usize = 64;
/// Bytes of unread input below which what is here is handed over before more is read.
const DRY: usize = 2 << 10;
/// How often a bad file comes again; the last time the server's tree is doubted.
const TRIES: u8 = 4;

/// One small file to fetch.
#[derive(Debug)]
pub(super) struct Good {
    pub(super) job: JobId,
    pub(super) path: RemotePath,
    /// The local folder, below the landing.
    pub(super) folder: String,
    /// The local name.
    pub(super) name: String,
    pub(super) clash: Option<Clash>,
    pub(super) stop: CancellationToken,
    /// How often it was bad.
    pub(super) bad: u8,
}

/// Small files to fetch together.
#[derive(Debug)]
pub(super) struct Bundle {
    pub(super) goods: Vec<Good>,
    pub(super) check: Check,
    pub(super) landing: Arc<Landing>,
    pub(super) pool: Arc<Pool>,
    pub(super) hub: Arc<Hub>,
    pub(super) limits: Limits,
    /// Cancelled when the client leaves.
    pub(super) leaving: CancellationToken,
    pub(super) teller: Teller,
}

/// The folders a bundle goes into.
type Folders = HashMap<String, Arc<Landing>>;

/// What became of one answer.
enum Came {
    /// It is on its way to the disk, or at its end.
    Done,
    /// It has to come again.
    Again(Good, Spoilt),
}

impl Bundle {
    /// Fetches all of them; each item's end is told as it is known.
    pub(super) async fn run(mut self) {
        let goods = std::mem::take(&mut self.goods);
        // Where that panicked, whoever watches this task tells the items' end.
        let Ok((work, folders)) = self.look_first(goods).await else {
            return;
        };
        let (lander, hand) = Lander::start(folders, self.check, self.teller.clone());
        let mut work = Work::new(work);
        let mut watch = Watch::new(&work);
        let leaving = self.leaving.clone();
        loop {
            let moved = Arc::clone(&work.moved);
            tokio::select! {
                biased;
                () = leaving.cancelled() => {
                    work.reopen();
                    work.stop(&self.teller, |_| true);
                    break;
                }
                () = self.fetch(&mut work, &hand) => break,
                // On a silent line nobody would hear of it before the silence is over.
                () = watch.given_up(&moved) => {
                    work.reopen();
                    work.stop(&self.teller, |good| good.stop.is_cancelled());
                }
            }
        }
        self.hand_over(&mut work, &hand).await;
        drop(hand);
        lander.finish().await;
    }

    /// Names that are taken or must not be are at their end before the server is asked.
    async fn look_first(&self, goods: Vec<Good>) -> Result<(VecDeque<Good>, Folders), Failure> {
        let (landing, teller) = (Arc::clone(&self.landing), self.teller.clone());
        off_the_loop(move || {
            let (mut left, mut folders) = (VecDeque::new(), Folders::new());
            for good in goods {
                match admit(&landing, &mut folders, &good) {
                    None => left.push_back(good),
                    Some(finish) => teller.of(good.job).ended(finish),
                }
            }
            (left, folders)
        })
        .await
    }

    async fn fetch(&self, work: &mut Work, hand: &Sender<Vec<Arrived>>) {
        let mut endurance = self.pool.endurance();
        while !work.left.is_empty() {
            let before = work.left.len();
            let Err(failure) = self.pass(work, hand).await else {
                continue;
            };
            // Whoever was due when the line broke had been asked for first.
            let culprit = work.open.pop_front();
            work.reopen();
            if self.pool.passes(&failure) {
                if let Some(culprit) = culprit {
                    work.left.push_front(culprit);
                }
                if work.left.len() < before {
                    endurance.refresh();
                }
                let Some(pause) = endurance.next() else {
                    return self.fail(work, &failure);
                };
                for good in &work.left {
                    self.teller.of(good.job).waiting(&failure, 0);
                }
                sleep(pause).await;
            } else if let Some(culprit) = culprit {
                // Its answer was no answer: it alone has failed.
                self.teller.of(culprit.job).ended(Finish::Failed(failure));
            } else {
                return self.fail(work, &failure);
            }
        }
    }

    fn fail(&self, work: &mut Work, failure: &Failure) {
        for good in work.left.drain(..) {
            let failure = Finish::Failed(failure.clone());
            self.teller.of(good.job).ended(failure);
        }
    }

    /// Asks for what is left and takes what comes, over one line.
    async fn pass(&self, work: &mut Work, hand: &Sender<Vec<Arrived>>) -> Result<(), Failure> {
        let mut tap = self.pool.line().await?;
        let (peer, addr) = tap.line.ends()?;
        let guard = self.hub.dial(peer, addr);
        loop {
            if work.is_handful() || tap.unread() < DRY {
                self.hand_over(work, hand).await;
            }
            if work.open.len() <= AHEAD / 2 {
                self.ask(&mut tap, work).await?;
            }
            if work.open.is_empty() {
                break;
            }
            let Came::Again(mut good, spoilt) = self.take(&mut tap, work, &guard).await? else {
                continue;
            };
            good.bad += 1;
            if good.bad > TRIES {
                let words = format!("{}, again and again", spoilt.words());
                let failure = Failure::new(spoilt.cause(), words);
                self.teller.of(good.job).ended(Finish::Failed(failure));
            } else {
                work.left.push_front(good);
            }
        }
        self.pool.keep(tap);
        Ok(())
    }

    /// Asks for as many as may be open.
    async fn ask(&self, tap: &mut Tap, work: &mut Work) -> Result<(), Failure> {
        let mut out = Vec::new();
        while work.open.len() < AHEAD {
            let Some(good) = work.left.pop_front() else {
                break;
            };
            if good.stop.is_cancelled() {
                self.teller.of(good.job).ended(Finish::Stopped);
                continue;
            }
            let check = match self.check {
                Check::Blocks if good.bad >= TRIES => Check::Anew,
                usual => usual,
            };
            let request = Request::Fetch {
                path: good.path.clone(),
                offset: 0,
                // It may have grown since it was listed: no more than a block of it.
                until: Some(BLOCK),
                version: None,
                check,
            };
            match tap.put(&request, &mut out) {
                Ok(()) => work.open.push_back(good),
                Err(failure) => self.teller.of(good.job).ended(Finish::Failed(failure)),
            }
        }
        tap.line.send(&out).await
    }

    /// Takes the answer to the oldest question.
    async fn take(
        &self,
        tap: &mut Tap,
        work: &mut Work,
        guard: &ConnGuard,
    ) -> Result<Came, Failure> {
        let content = match tap.hear().await? {
            Answer::Stretch { content, until } if until == content.size.min(BLOCK) => content,
            Answer::Refused {
                refusal: Refusal::Leaving,
            } => return Err(Failure::refused(Refusal::Leaving)),
            Answer::Refused { refusal } => {
                tap.close();
                work.moved.fetch_add(1, Relaxed);
                if let Some(good) = work.open.pop_front() {
                    let failure = Failure::refused(refusal);
                    self.teller.of(good.job).ended(Finish::Failed(failure));
                }
                return Ok(Came::Done);
            }
            _ => return Err(Failure::unexpected()),
        };
        let Some(good) = work.open.front() else {
            return Err(Failure::unexpected());
        };
        let is_small = content.size <= SMALL;
        let xfer = is_small.then(|| self.begin(guard, tap.dialect(), good, &content));
        let taken = self.content(tap, &content, xfer.as_ref()).await?;
        let Some(good) = work.open.pop_front() else {
            return Err(Failure::unexpected());
        };
        work.moved.fetch_add(1, Relaxed);
        tap.close();
        let Some(xfer) = xfer else {
            // It is no small file any more: it comes by itself.
            let alone = Finish::Alone { size: content.size };
            self.teller.of(good.job).ended(alone);
            return Ok(Came::Done);
        };
        let bytes = match taken {
            Ok(bytes) => bytes,
            Err(spoilt) => {
                xfer.end(Outcome::Failed, spoilt.cause(), spoilt.words());
                return Ok(Came::Again(good, spoilt));
            }
        };
        work.here.push(Arrived {
            good,
            bytes,
            mtime: content.mtime,
            xfer,
        });
        Ok(Came::Done)
    }

    /// Hands what is here to the landing thread. Cancel safe: room comes first.
    async fn hand_over(&self, work: &mut Work, hand: &Sender<Vec<Arrived>>) {
        if work.here.is_empty() {
            return;
        }
        // The lander is gone only if it panicked; then whoever watches this task tells
        // the items' end.
        match hand.reserve().await {
            Ok(room) => room.send(std::mem::take(&mut work.here)),
            Err(_) => work.here.clear(),
        }
    }

    fn begin(
        &self,
        guard: &ConnGuard,
        dialect: Dialect,
        good: &Good,
        content: &Content,
    ) -> XferGuard {
        let xfer = guard.start(TransferOrder {
            job: Some(good.job),
            dialect,
            direction: Direction::In,
            proof: super::pull::proof(self.check),
            path: good.path.clone(),
            size: Some(content.size),
            offset: 0,
            range: None,
        });
        self.teller.of(good.job).begun(Arc::clone(xfer.started()));
        xfer
    }

    /// Takes the payload; of one that is not wanted nothing is kept.
    async fn content(
        &self,
        tap: &mut Tap,
        content: &Content,
        xfer: Option<&XferGuard>,
    ) -> Result<Result<Vec<u8>, Spoilt>, Failure> {
        let mut bytes = Vec::new();
        let mut sealed = None;
        let len = block_len(content.size, 0);
        if content.size > 0 {
            match tap.hear().await? {
                Answer::Run {
                    offset: 0,
                    len: run,
                } if run == len => {}
                _ => return Err(Failure::unexpected()),
            }
            let mut left = usize::try_from(len).unwrap_or(usize::MAX);
            while left > 0 {
                if xfer.is_none() {
                    bytes.clear();
                }
                let room = self.limits.slice(left);
                let read = match xfer {
                    Some(_) if room == left => tap.read_out(left, &mut bytes).await?,
                    _ => tap.read(room, &mut bytes).await?,
                };
                left -= read;
                if let Some(xfer) = xfer {
                    xfer.add(read as u64);
                }
                self.limits.spend(read as u64).await;
            }
            let Answer::Sealed { value } = tap.hear().await? else {
                return Err(Failure::unexpected());
            };
            sealed = value;
        }
        let root = match tap.hear().await? {
            Answer::Closed { root } => root,
            // It changed while it was sent: what comes next time is whole.
            Answer::Refused {
                refusal: Refusal::Changed,
            } => return Ok(Err(Spoilt::Changed)),
            Answer::Refused { refusal } => return Err(Failure::refused(refusal)),
            _ => return Err(Failure::unexpected()),
        };
        let Some(xfer) = xfer else {
            return Ok(Ok(Vec::new()));
        };
        if self.check == Check::None {
            return Ok(Ok(bytes));
        }
        let own = hash_small(&bytes);
        let block_agrees = content.size == 0 || sealed == Some(own.0);
        if !block_agrees || root.is_some_and(|root| root != own) {
            return Ok(Err(Spoilt::Corrupt));
        }
        xfer.started().progress.verify(content.size);
        Ok(Ok(bytes))
    }
}
