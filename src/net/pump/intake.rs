//! Coming in: a stretch of a file from the socket to the disk.
//!
//! Two buffers, one at the socket and one at the disk. The thread that writes a
//! buffer hashes it first where that is wanted: no second pass over the bytes.
//! It knows a pipe, what is written to and how long the peer may be silent; it
//! says how far the disk got. It must never know what the file is called, whose it
//! is or which dialect brought it, and it writes nothing behind a write that failed.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use tokio::task::{JoinHandle, spawn_blocking};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::net::pipe::Pipe;
use crate::net::store::landing::{Parcel, Part, Unlanded};
use crate::net::tree::BlockHasher;

/// Bytes received before they are handed to the disk, where few streams come in: each
/// holds two of these, 2 MiB. Each hand-over is two wake-ups, and on a busy machine two waits for a processor: half
/// of it was a third slower there (tmpfs, median of 7 rounds, load 12).
pub(super) const INTAKE: usize = 1 << 20;
/// Bytes in the buffers of all streams that come in, as far as [`LEAST`] allows: more than
/// eight of them take less at once.
const BUDGET: usize = 16 << 20;
/// The least a stream receives before it is handed to the disk, in bytes.
const LEAST: usize = 64 << 10;

/// How many streams come in, so that a hundred of them do not hold a hundred times as much
/// memory as one.
#[derive(Debug, Default)]
pub struct Crowd(AtomicUsize);

impl Crowd {
    /// Bytes one stream may receive before they are handed on.
    fn share(&self) -> usize {
        let streams = self.0.load(Relaxed).max(1);
        let share = BUDGET / (2 * streams);
        // Whole pages.
        (share & !0xFFF).clamp(LEAST, INTAKE)
    }
}

/// One of the crowd, until it is dropped.
struct Member<'c>(&'c Crowd);

impl<'c> Member<'c> {
    fn of(crowd: &'c Crowd) -> Self {
        crowd.0.fetch_add(1, Relaxed);
        Self(crowd)
    }
}

impl Drop for Member<'_> {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Relaxed);
    }
}

/// Why a file stopped coming in.
#[derive(Debug)]
pub enum Unreceived {
    /// The socket failed.
    Socket(io::Error),
    /// The peer closed too early.
    Short,
    /// Nothing came for as long as the peer may be silent.
    Stalled,
    /// The disk said no.
    Disk(Unlanded),
    /// We were told to stop; what had come is written.
    Stopped,
}

/// What a stretch is written to: one stream's own part, or a handle on one that several
/// streams fill side by side.
pub trait Sink: Send + 'static {
    /// The file, for writing at offsets.
    fn file(&self) -> &Arc<File>;

    /// Called before the bytes from `from` to `to` are written.
    ///
    /// # Errors
    /// The disk has no room for them, or said no.
    fn make_room(&mut self, from: u64, to: u64) -> Result<(), Unlanded>;
}

impl Sink for Part {
    fn file(&self) -> &Arc<File> {
        Part::file(self)
    }

    fn make_room(&mut self, _: u64, to: u64) -> Result<(), Unlanded> {
        Part::make_room(self, to)
    }
}

impl Sink for Arc<Parcel> {
    fn file(&self) -> &Arc<File> {
        Parcel::file(self)
    }

    fn make_room(&mut self, from: u64, to: u64) -> Result<(), Unlanded> {
        Parcel::make_room(self, from, to)
    }
}

/// One stretch of a file on its way in.
#[derive(Debug)]
pub struct Order<'c, F> {
    /// The file offset of its first byte.
    pub at: u64,
    /// Its bytes.
    pub len: u64,
    /// The longest silence of the peer.
    pub patience: Duration,
    /// Cancelled when we are to stop.
    pub stop: &'c CancellationToken,
    /// Counts bytes as they arrive.
    pub count: F,
    /// Hashes the stretch on its way, if that is wanted.
    pub hasher: Option<BlockHasher>,
}

/// How far a stretch came.
#[derive(Debug)]
pub struct Taken<S = Part> {
    /// What was written to; `None` only if the thread that wrote panicked.
    pub part: Option<S>,
    /// The file offset behind the last byte the disk took.
    pub at: u64,
    /// The order's hasher with every byte up to `at` in it; `None` if a write failed.
    pub hasher: Option<BlockHasher>,
    /// Whether all of it came.
    pub outcome: Result<(), Unreceived>,
}

/// The receiving end of one stream: two buffers, one at the socket, one at the disk.
#[derive(Debug, Default)]
pub struct Intake {
    crowd: Arc<Crowd>,
    /// Empty buffers; with those in use there are never more than two.
    spare: Vec<Vec<u8>>,
}

impl Intake {
    /// One of these streams.
    pub fn among(crowd: &Arc<Crowd>) -> Self {
        Self {
            crowd: Arc::clone(crowd),
            spare: Vec::new(),
        }
    }

    /// Takes a stretch off the socket (what is left over in `input` first) into the part.
    pub async fn run<S: Sink, F: Fn(u64)>(
        &mut self,
        pipe: &Pipe,
        input: &mut Vec<u8>,
        part: S,
        mut order: Order<'_, F>,
    ) -> Taken<S> {
        let crowd = Arc::clone(&self.crowd);
        let _member = Member::of(&crowd);
        let end = order.at.saturating_add(order.len);
        let mut taken = Taken {
            part: Some(part),
            at: order.at,
            hasher: order.hasher.take(),
            outcome: Ok(()),
        };
        let mut filling = self.spare.pop().unwrap_or_default();
        let mut writing = None;
        while taken.at < end && taken.outcome.is_ok() {
            let goal = usize::try_from(end - taken.at).unwrap_or(INTAKE);
            let goal = goal.min(crowd.share());
            taken.outcome = fill(pipe, input, &mut filling, goal, &order).await;
            // One write at a time keeps them in order and the memory at two buffers.
            self.settle(&mut writing, &mut taken).await;
            if filling.is_empty() || matches!(taken.outcome, Err(Unreceived::Disk(_))) {
                continue;
            }
            let Some(sink) = taken.part.take() else { break };
            let empty = self.spare.pop().unwrap_or_default();
            let buffer = std::mem::replace(&mut filling, empty);
            let filled = buffer.len() as u64;
            let load = Load {
                sink,
                buffer,
                hasher: taken.hasher.take(),
            };
            writing = Some((taken.at, write_behind(load, taken.at)));
            taken.at += filled;
        }
        self.settle(&mut writing, &mut taken).await;
        // For the next stretch: nothing is asked of the allocator between two.
        filling.clear();
        self.spare.push(filling);
        taken
    }

    /// The bytes of its buffers while nothing runs.
    #[cfg(test)]
    pub(super) fn held(&self) -> usize {
        self.spare.iter().map(Vec::capacity).sum()
    }

    /// Waits for the write behind, and takes back what travelled with it.
    async fn settle<S>(
        &mut self,
        writing: &mut Option<(u64, JoinHandle<Written<S>>)>,
        taken: &mut Taken<S>,
    ) {
        let Some((from, task)) = writing.take() else {
            return;
        };
        let failed = match task.await {
            Ok((load, done)) => {
                taken.part = Some(load.sink);
                taken.hasher = load.hasher;
                self.spare.push(load.buffer);
                done.err()
            }
            Err(gone) => Some(Unlanded::Disk(io::Error::other(gone))),
        };
        if let Some(error) = failed {
            // The disk's word goes before the socket's: it is the one that cannot be retried.
            // From here on nothing is written: what comes later would stand behind a hole.
            taken.at = from;
            // It has seen bytes that the disk has not.
            taken.hasher = None;
            taken.outcome = Err(Unreceived::Disk(error));
        }
    }
}

/// What travels to the thread that writes, and back.
#[derive(Debug)]
pub(super) struct Load<S> {
    pub(super) sink: S,
    /// Full on the way there, empty on the way back.
    pub(super) buffer: Vec<u8>,
    pub(super) hasher: Option<BlockHasher>,
}

/// A write that is done, and how it went.
pub(super) type Written<S> = (Load<S>, Result<(), Unlanded>);

/// Hashes a buffer if that is wanted and writes it at an offset, on a blocking thread.
pub(super) fn write_behind<S: Sink>(mut load: Load<S>, at: u64) -> JoinHandle<Written<S>> {
    // std's File on a blocking thread: tokio's own loses the error of a full disk.
    spawn_blocking(move || {
        if let Some(hasher) = &mut load.hasher {
            hasher.update(&load.buffer);
        }
        let end = at + load.buffer.len() as u64;
        let done = load
            .sink
            .make_room(at, end)
            .and_then(|()| Ok(load.sink.file().write_all_at(&load.buffer, at)?));
        load.buffer.clear();
        (load, done)
    })
}

/// Fills an empty buffer up to `goal` bytes: few large writes beat many small ones.
async fn fill<F: Fn(u64)>(
    pipe: &Pipe,
    input: &mut Vec<u8>,
    buffer: &mut Vec<u8>,
    goal: usize,
    order: &Order<'_, F>,
) -> Result<(), Unreceived> {
    // What it held while fewer streams came in goes back.
    buffer.shrink_to(goal.max(LEAST));
    // Exactly: growing by doubling could take twice the bound.
    buffer.reserve_exact(goal);
    if !input.is_empty() {
        let take = input.len().min(goal);
        buffer.extend(input.drain(..take));
        (order.count)(take as u64);
    }
    while buffer.len() < goal {
        let room = goal - buffer.len();
        let read = tokio::select! {
            read = timeout(order.patience, pipe.read_some(buffer, room)) => read,
            () = order.stop.cancelled() => return Err(Unreceived::Stopped),
        };
        match read {
            Err(_) => return Err(Unreceived::Stalled),
            Ok(Err(error)) => return Err(Unreceived::Socket(error)),
            Ok(Ok(0)) => return Err(Unreceived::Short),
            Ok(Ok(read)) => (order.count)(read as u64),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_streams_hold_less_each() {
        let crowd = Crowd::default();
        let mut members = Vec::new();
        for (streams, share) in [
            (1, INTAKE),
            (8, INTAKE),
            (16, INTAKE / 2),
            (100, 80 << 10),
            (1_000, LEAST),
        ] {
            members.resize_with(streams, || Member::of(&crowd));
            assert_eq!(crowd.share(), share, "{streams}");
        }
        drop(members);
        assert_eq!(crowd.share(), INTAKE);
    }
}
