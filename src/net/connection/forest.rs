//! What a server knows of its files' trees, and the hashing of those it does not know.
//!
//! A file whose values somebody wants is hashed once however many ask for it, at most
//! [`SEATS`] files at a time in the whole server, slice by slice in turn, and no longer
//! than somebody waits.
//! It knows open files, versions and values; it must never know a peer, a path or a
//! dialect, and nothing is kept of a file that was touched a moment ago.

use std::collections::HashMap;
use std::os::unix::fs::FileExt as _;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::spawn_blocking;

use super::loan::{Loan, Shelf};
use crate::entity::Root;
use crate::net::store::{Fate, Source};
use crate::net::tree::{BlockHasher, Trees, blocks, merge};
use crate::net::wire::codec::{Refusal, Value, Version};

/// Bytes of memory for trees that are kept: some 30,000 small files, or 2 TiB of large ones.
const KEPT: usize = 16 << 20;
/// Files hashed at the same time, in the whole server.
const SEATS: usize = 2;
/// Turns of small files that may be held in memory at the same time, in the whole server:
/// some 1 MiB each, for as long as a peer takes to read or send them.
const TURNS: usize = 16;
/// Blocks hashed before it is looked whether anybody still waits.
const SLICE: u64 = 8;
/// Bytes read from the disk at once.
const CHUNK: usize = 1 << 20;

/// Known trees, and those that are being made.
#[derive(Debug)]
pub struct Forest {
    trees: Trees,
    seats: Arc<Semaphore>,
    turns: Arc<Semaphore>,
    shelf: Arc<Shelf>,
    making: Mutex<HashMap<Version, Weak<Making>>>,
}

/// How far the making of a tree has come.
#[derive(Clone, Copy, Debug)]
pub struct Told {
    /// Bytes hashed.
    pub done: u64,
    /// The root once all is hashed, or why there will be none.
    pub over: Option<Result<Root, Refusal>>,
}

/// A tree that is being made.
#[derive(Debug)]
struct Making {
    /// In the blocks' order, from the first on.
    values: Mutex<Vec<Value>>,
    told: watch::Sender<Told>,
}

/// Somebody who waits for a tree; when the last one has gone, the work stops.
#[derive(Debug)]
pub struct Asker {
    making: Arc<Making>,
    told: watch::Receiver<Told>,
}

impl Default for Forest {
    fn default() -> Self {
        Self {
            trees: Trees::new(KEPT),
            seats: Arc::new(Semaphore::new(SEATS)),
            turns: Arc::new(Semaphore::new(TURNS)),
            shelf: Arc::default(),
            making: Mutex::default(),
        }
    }
}

impl Forest {
    /// The trees that are known.
    pub const fn trees(&self) -> &Trees {
        &self.trees
    }

    /// Keeps a block's value, unless the file was touched too lately for its mark to be
    /// trusted.
    pub fn learn(&self, source: &Source, index: u64, value: Value) {
        if source.is_settled() {
            self.trees.learn(&source.version, source.size, index, value);
        }
    }

    /// One of the places for those that hash, for one slice; `None` never comes.
    pub async fn seat(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.seats).acquire_owned().await.ok()
    }

    /// Memory for one turn of small files; without it they go the road of large ones,
    /// which holds none.
    pub fn turn(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.turns).try_acquire_owned().ok()
    }

    /// A buffer for one turn of small files.
    pub(super) fn lend(&self, len: usize) -> Loan {
        Loan::of(&self.shelf, len)
    }

    /// Has a file hashed, or joins those who wait for it already.
    pub fn ask(self: &Arc<Self>, source: Source) -> Asker {
        let mut making = lock(&self.making);
        if let Some(begun) = making.get(&source.version).and_then(Weak::upgrade) {
            let told = begun.told.subscribe();
            return Asker {
                making: begun,
                told,
            };
        }
        let (sender, told) = watch::channel(Told {
            done: 0,
            over: None,
        });
        let begun = Arc::new(Making {
            values: Mutex::default(),
            told: sender,
        });
        making.insert(source.version.clone(), Arc::downgrade(&begun));
        drop(making);
        tokio::spawn(make(Arc::clone(self), Arc::clone(&begun), source));
        Asker {
            making: begun,
            told,
        }
    }

    /// Whether nobody waits any more; then the work is off the list.
    fn is_deserted(&self, making: &Making, version: &Version) -> bool {
        let mut list = lock(&self.making);
        // Under the lock: nobody joins in between.
        let deserted = making.told.receiver_count() == 0;
        if deserted {
            list.remove(version);
        }
        deserted
    }
}

impl Asker {
    /// Waits for news. Cancel safe.
    pub async fn news(&mut self) -> Told {
        // An error says that its task is gone: then what was told last stands.
        if self.told.changed().await.is_err() && self.told().over.is_none() {
            let done = self.told().done;
            return Told {
                done,
                over: Some(Err(Refusal::Failed)),
            };
        }
        self.told()
    }

    /// What was told last.
    pub fn told(&self) -> Told {
        *self.told.borrow()
    }

    /// At most `most` values from the block `first` on, as far as they are known.
    pub fn values(&self, first: u64, most: usize) -> Vec<Value> {
        let values = lock(&self.making.values);
        let from = usize::try_from(first).unwrap_or(usize::MAX);
        let known = values.get(from..).unwrap_or_default();
        known[..known.len().min(most)].to_vec()
    }

    /// How many values are known.
    pub fn known(&self) -> u64 {
        lock(&self.making.values).len() as u64
    }
}

/// Makes one tree, as long as somebody waits for it.
async fn make(forest: Arc<Forest>, making: Arc<Making>, source: Source) {
    let source = Arc::new(source);
    let mut first = 0;
    let over = loop {
        // A seat is for one slice, and who has had his waits behind the others: however
        // long some files are, a short one has its turn soon.
        let seat = tokio::select! {
            seat = forest.seat() => seat,
            () = making.told.closed() => None,
        };
        if forest.is_deserted(&making, &source.version) {
            return;
        }
        if seat.is_none() {
            continue;
        }
        let end = blocks(source.size).min(first + SLICE);
        let from = Arc::clone(&source);
        let slice = spawn_blocking(move || hash_slice(&from, first, end)).await;
        let Ok(Some(slice)) = slice else {
            break Err(spoilt(&source));
        };
        lock(&making.values).extend_from_slice(&slice);
        first = end;
        let done = source.size.min(first * crate::net::tree::BLOCK);
        making.told.send_replace(Told { done, over: None });
        if first == blocks(source.size) {
            break finish(&forest, &making, &source);
        }
    };
    lock(&forest.making).remove(&source.version);
    making.told.send_modify(|told| told.over = Some(over));
}

/// Every value is here: the root, if the file is still the one it was.
fn finish(forest: &Forest, making: &Making, source: &Source) -> Result<Root, Refusal> {
    if source.fate() != Fate::Same {
        return Err(Refusal::Changed);
    }
    let values: Arc<[Value]> = lock(&making.values).as_slice().into();
    if source.is_settled() {
        let whole = Arc::clone(&values);
        forest.trees.whole(&source.version, source.size, whole);
    }
    merge(source.size, &values).ok_or(Refusal::Failed)
}

fn spoilt(source: &Source) -> Refusal {
    match source.fate() {
        Fate::Same => Refusal::Failed,
        Fate::Grew | Fate::Changed | Fate::Lost => Refusal::Changed,
    }
}

/// The values of a few blocks; `None` where the file does not give them.
fn hash_slice(source: &Source, first: u64, end: u64) -> Option<Vec<Value>> {
    let mut buffer = vec![0; CHUNK];
    (first..end)
        .map(|index| hash_block(source, index, &mut buffer))
        .collect()
}

/// The value of one block, read through `buffer`; `None` where the file does not give it.
pub(super) fn hash_block(source: &Source, index: u64, buffer: &mut [u8]) -> Option<Value> {
    let mut hasher = BlockHasher::new(source.size, index);
    let mut at = index * crate::net::tree::BLOCK;
    let end = at + crate::net::tree::block_len(source.size, index);
    while at < end {
        let want = usize::try_from(end - at).unwrap_or(buffer.len());
        let want = want.min(buffer.len());
        source.file.read_exact_at(&mut buffer[..want], at).ok()?;
        hasher.update(&buffer[..want]);
        at += want as u64;
    }
    Some(hasher.value())
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // No code panics while it holds the lock; were it to, the data is still whole.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
#[path = "forest_tests.rs"]
mod tests;
