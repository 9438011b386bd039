//! Coming in: a stretch of a file from the socket to the disk.
//!
//! Two buffers, one at the socket and one at the disk. It knows a socket, an
//! open part and how long the peer may be silent; it says how far the disk got.
//! It must never know what the file is called, whose it is or which dialect
//! brought it, and it writes nothing behind a write that failed.

use std::io;
use std::os::unix::fs::FileExt as _;
use std::time::Duration;

use tokio::task::{JoinHandle, spawn_blocking};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::net::pipe::Pipe;
use crate::net::store::landing::{Part, Unlanded};

/// Bytes received before they are handed to the disk.
pub(super) const INTAKE: usize = 512 << 10;

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
}

/// How far a stretch came.
#[derive(Debug)]
pub struct Taken {
    /// The part; `None` only if the thread that wrote it panicked.
    pub part: Option<Part>,
    /// The file offset behind the last byte the disk took.
    pub at: u64,
    /// Whether all of it came.
    pub outcome: Result<(), Unreceived>,
}

/// The receiving end of one file: two buffers, one at the socket, one at the disk.
#[derive(Debug, Default)]
pub struct Intake {
    spare: Vec<u8>,
}

impl Intake {
    /// Takes a stretch off the socket (what is left over in `input` first) into the part.
    pub async fn run<F: Fn(u64)>(
        &mut self,
        pipe: &Pipe,
        input: &mut Vec<u8>,
        part: Part,
        order: Order<'_, F>,
    ) -> Taken {
        let end = order.at + order.len;
        let mut taken = Taken {
            part: Some(part),
            at: order.at,
            outcome: Ok(()),
        };
        let mut filling = std::mem::take(&mut self.spare);
        let mut writing = None;
        while taken.at < end && taken.outcome.is_ok() {
            taken.outcome = fill(pipe, input, &mut filling, end - taken.at, &order).await;
            // One write at a time keeps them in order and the memory at two buffers.
            self.settle(&mut writing, &mut taken).await;
            if filling.is_empty() || matches!(taken.outcome, Err(Unreceived::Disk(_))) {
                continue;
            }
            let Some(part) = taken.part.take() else { break };
            let full = std::mem::replace(&mut filling, std::mem::take(&mut self.spare));
            let filled = full.len() as u64;
            writing = Some((taken.at, write_behind(part, full, taken.at)));
            taken.at += filled;
        }
        self.settle(&mut writing, &mut taken).await;
        taken
    }

    /// Waits for the write behind, and takes part and buffer back.
    async fn settle(
        &mut self,
        writing: &mut Option<(u64, JoinHandle<Written>)>,
        taken: &mut Taken,
    ) {
        let Some((from, task)) = writing.take() else {
            return;
        };
        let failed = match task.await {
            Ok((part, buffer, done)) => {
                taken.part = Some(part);
                self.spare = buffer;
                done.err()
            }
            Err(gone) => Some(Unlanded::Disk(io::Error::other(gone))),
        };
        if let Some(error) = failed {
            // The disk's word goes before the socket's: it is the one that cannot be retried.
            // From here on nothing is written: what comes later would stand behind a hole.
            taken.at = from;
            taken.outcome = Err(Unreceived::Disk(error));
        }
    }
}

/// A write that is done: the part, the empty buffer, and how it went.
pub(super) type Written = (Part, Vec<u8>, Result<(), Unlanded>);

/// Writes a buffer at an offset, on a blocking thread.
pub(super) fn write_behind(mut part: Part, mut buffer: Vec<u8>, at: u64) -> JoinHandle<Written> {
    // std's File on a blocking thread: tokio's own loses the error of a full disk.
    spawn_blocking(move || {
        let done = part
            .make_room(at + buffer.len() as u64)
            .and_then(|()| Ok(part.file().write_all_at(&buffer, at)?));
        buffer.clear();
        (part, buffer, done)
    })
}

/// Fills a buffer up to [`INTAKE`] or `want` bytes, whichever is less: few large
/// writes beat many small ones.
async fn fill<F: Fn(u64)>(
    pipe: &Pipe,
    input: &mut Vec<u8>,
    buffer: &mut Vec<u8>,
    want: u64,
    order: &Order<'_, F>,
) -> Result<(), Unreceived> {
    let goal = usize::try_from(want).unwrap_or(INTAKE).min(INTAKE);
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
