//! One line's work for a file: lots of blocks, each block held against its value.
//!
//! While one buffer is hashed and written on a blocking thread, the next fills.
//! A block counts as here only when its value agrees and the state says so. It
//! knows a plan, a parcel and a line; what becomes of the file it must never know.

use std::os::unix::fs::FileExt as _;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::task::{JoinHandle, spawn_blocking};

use super::plan::{Lot, Plan, Verdict};
use super::{Meter, Seen, Stop, off_the_loop};
use crate::entity::RemotePath;
use crate::net::client::dial::Failure;
use crate::net::client::fetch::unlanded;
use crate::net::client::limit::Limits;
use crate::net::client::pool::Pool;
use crate::net::client::tap::Tap;
use crate::net::store::landing::{Parcel, Unlanded};
use crate::net::tree::{BLOCK, BlockHasher, block_len};
use crate::net::wire::codec::{Answer, Check, Content, Refusal, Request, Value};

/// Bytes received before they are handed to the disk.
const BUFFER: usize = 512 << 10;

/// What every line of one file shares.
#[derive(Debug)]
pub(super) struct Goods {
    pub(super) path: RemotePath,
    pub(super) seen: Seen,
    pub(super) check: Check,
    pub(super) plan: Arc<Mutex<Plan>>,
    pub(super) parcel: Arc<Parcel>,
    pub(super) pool: Arc<Pool>,
    pub(super) limits: Limits,
    pub(super) meter: Meter,
}

impl Goods {
    /// The plan; held for a few instructions only.
    pub(super) fn plan(&self) -> MutexGuard<'_, Plan> {
        self.plan.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One line at work.
#[derive(Debug)]
pub(super) struct Stretch {
    goods: Arc<Goods>,
    spare: Vec<u8>,
}

/// Counts a line in as long as it lives.
struct Joined<'g>(&'g Goods);

impl Drop for Joined<'_> {
    fn drop(&mut self) {
        self.0.meter.started.progress.part();
    }
}

/// A write under way: the hasher and the empty buffer come back.
type Written = (Option<BlockHasher>, Vec<u8>, Result<(), Unlanded>);

impl Stretch {
    pub(super) const fn new(goods: Arc<Goods>) -> Self {
        Self {
            goods,
            spare: Vec::new(),
        }
    }

    /// Takes lot after lot until none is left.
    pub(super) async fn run(mut self, first: Option<Tap>) -> Result<(), Stop> {
        let goods = Arc::clone(&self.goods);
        let mut tap = match first {
            Some(tap) => tap,
            None => goods.pool.line().await?,
        };
        goods.meter.started.progress.join();
        let _joined = Joined(&goods);
        loop {
            let Some(mut lot) = goods.plan().next() else {
                break;
            };
            let done = self.fetch(&mut tap, &mut lot).await;
            if let Err(why) = done {
                goods.plan().give_back(lot);
                return Err(why);
            }
        }
        goods.pool.keep(tap);
        Ok(())
    }

    /// Fetches a lot; what is done of it leaves it at the front.
    async fn fetch(&mut self, tap: &mut Tap, lot: &mut Lot) -> Result<(), Stop> {
        let goods = Arc::clone(&self.goods);
        let size = goods.seen.size;
        let (offset, until) = Plan::reach(size, lot);
        let check = lot.check(goods.check);
        tap.ask(&Request::Fetch {
            path: goods.path.clone(),
            offset,
            until,
            version: goods.seen.version.clone(),
            check,
        })
        .await?;
        match tap.hear().await? {
            Answer::Stretch { content, until: to } => {
                admit(&content, to, &goods.seen, until)?;
            }
            Answer::Refused { refusal } => return Err(refused(refusal)),
            _ => return Err(Stop::Failed(Failure::unexpected())),
        }
        while lot.count > 0 {
            let index = lot.first;
            let value = self.block(tap, index).await?;
            let Answer::Sealed { value: theirs } = self.heard(tap).await? else {
                return Err(Stop::Failed(Failure::unexpected()));
            };
            let unproved = lot.count == 1 && goods.check == Check::None;
            if unproved {
                // Nobody checks: the end alone says that it was one content all along.
                self.closed(tap).await.inspect_err(|_| {
                    let len = block_len(size, index);
                    goods.meter.started.progress.take_back(len);
                })?;
            }
            self.judge(index, value, theirs).await?;
            lot.first += 1;
            lot.count -= 1;
            if unproved {
                return Ok(());
            }
        }
        self.closed(tap).await
    }

    /// Hears the end of a stretch.
    async fn closed(&self, tap: &mut Tap) -> Result<(), Stop> {
        match self.heard(tap).await? {
            Answer::Closed { root } => {
                if let Some(root) = root {
                    self.goods.plan().hear_root(root);
                }
                tap.close();
                Ok(())
            }
            _ => Err(Stop::Failed(Failure::unexpected())),
        }
    }

    /// The next answer; a refusal in the middle is what it says.
    async fn heard(&self, tap: &mut Tap) -> Result<Answer, Stop> {
        match tap.hear().await? {
            Answer::Refused { refusal } => Err(refused(refusal)),
            answer => Ok(answer),
        }
    }

    /// Takes one block into the file; its value, where one is wanted.
    async fn block(&mut self, tap: &mut Tap, index: u64) -> Result<Option<Value>, Stop> {
        let goods = Arc::clone(&self.goods);
        let size = goods.seen.size;
        let (start, len) = (index * BLOCK, block_len(size, index));
        match self.heard(tap).await? {
            Answer::Run { offset, len: run } if offset == start && run == len => {}
            _ => return Err(Stop::Failed(Failure::unexpected())),
        }
        let mut hasher = (goods.check != Check::None).then(|| BlockHasher::new(size, index));
        let mut writing: Option<JoinHandle<Written>> = None;
        let (mut at, end) = (start, start + len);
        let mut counted = 0;
        let taken = loop {
            if at == end {
                break Ok(());
            }
            let mut buffer = std::mem::take(&mut self.spare);
            let goal = usize::try_from(end - at).unwrap_or(BUFFER).min(BUFFER);
            let filled = fill(tap, &goods, goal, &mut buffer).await;
            counted += buffer.len() as u64;
            if let Err(why) = self.settle(&mut writing, &mut hasher).await {
                break Err(why);
            }
            if let Err(failure) = filled {
                break Err(Stop::from(failure));
            }
            let filled = buffer.len() as u64;
            writing = Some(write(&goods.parcel, hasher.take(), buffer, at));
            at += filled;
        };
        let settled = self.settle(&mut writing, &mut hasher).await;
        if let Err(why) = taken.and(settled) {
            goods.meter.started.progress.take_back(counted);
            return Err(why);
        }
        Ok(hasher.map(|hasher| hasher.value()))
    }

    /// Waits for the write behind, and takes hasher and buffer back.
    async fn settle(
        &mut self,
        writing: &mut Option<JoinHandle<Written>>,
        hasher: &mut Option<BlockHasher>,
    ) -> Result<(), Stop> {
        let Some(task) = writing.take() else {
            return Ok(());
        };
        let (back, buffer, done) = task.await.map_err(|gone| {
            let words = format!("a fault in ferrydeck: {gone}");
            Stop::Failed(Failure::new("panicked", words))
        })?;
        *hasher = back;
        self.spare = buffer;
        done.map_err(|error| Stop::Failed(unlanded(&error)))
    }

    /// Holds a block's value against the server's and notes what follows.
    async fn judge(
        &self,
        index: u64,
        own: Option<Value>,
        theirs: Option<Value>,
    ) -> Result<(), Stop> {
        let goods = &self.goods;
        let len = block_len(goods.seen.size, index);
        let Some(own) = own else {
            // Nobody checks: it is here, and no later try may build on it.
            goods.plan().have(index, [0; 32]);
            return Ok(());
        };
        if theirs == Some(own) {
            let parcel = Arc::clone(&goods.parcel);
            let done = off_the_loop(move || parcel.done(index, own)).await?;
            done.map_err(|error| Stop::Failed(unlanded(&error)))?;
            goods.plan().have(index, own);
            goods.meter.started.progress.verify(len);
            return Ok(());
        }
        goods.meter.started.progress.take_back(len);
        match goods.plan().spoilt(index) {
            Verdict::Again => Ok(()),
            Verdict::Hopeless => Err(Stop::Failed(Failure::new(
                "corrupt",
                format!("block {index} does not agree with its hash, again and again"),
            ))),
        }
    }
}

/// Fills a buffer to `goal` bytes: few large writes beat many small ones.
async fn fill(
    tap: &mut Tap,
    goods: &Goods,
    goal: usize,
    buffer: &mut Vec<u8>,
) -> Result<(), Failure> {
    buffer.reserve(goal);
    while buffer.len() < goal {
        let room = goods.limits.slice(goal - buffer.len());
        let read = tap.read(room, buffer).await? as u64;
        goods.meter.add(read);
        goods.limits.spend(read).await;
    }
    Ok(())
}

/// Hashes and writes a buffer, on a blocking thread.
fn write(
    parcel: &Arc<Parcel>,
    mut hasher: Option<BlockHasher>,
    mut buffer: Vec<u8>,
    at: u64,
) -> JoinHandle<Written> {
    let parcel = Arc::clone(parcel);
    // std's File on a blocking thread: tokio's own loses the error of a full disk.
    spawn_blocking(move || {
        let done = parcel
            .make_room(at, at + buffer.len() as u64)
            .and_then(|()| Ok(parcel.file().write_all_at(&buffer, at)?));
        if let Some(hasher) = &mut hasher {
            hasher.update(&buffer);
        }
        buffer.clear();
        (hasher, buffer, done)
    })
}

/// Whether what is announced is the file we know, and all that was asked of it.
fn admit(content: &Content, to: u64, seen: &Seen, until: Option<u64>) -> Result<(), Stop> {
    if content.size != seen.size {
        let words = "the server announced another size for the same content";
        return Err(Stop::Failed(Failure::new("malformed", words)));
    }
    if to != until.unwrap_or(seen.size) {
        let words = "the server announced another stretch than the one asked for";
        return Err(Stop::Failed(Failure::new("malformed", words)));
    }
    Ok(())
}

fn refused(refusal: Refusal) -> Stop {
    match refusal {
        Refusal::Changed | Refusal::BadOffset => Stop::Changed,
        other => Failure::refused(other).into(),
    }
}
