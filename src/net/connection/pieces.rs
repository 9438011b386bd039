//! The pieces of a payload that comes in blocks: taken off the socket, hashed and
//! written on the way, held against the value behind them.
//!
//! A block that is here already is read and forgotten, so nothing grows by what is sent
//! twice. It knows the codec's pieces, the pump's intake and one [`Incoming`]; it must
//! never know where the file goes, and it decides nothing about its end.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;

use tokio::task::spawn_blocking;

use super::incoming::Incoming;
use super::leave::{lost, out_of_time};
use super::receive::{Unkept, at_work};
use super::{Over, Talk};
use crate::entity::{Root, Rule};
use crate::net::hub::{ConnGuard, XferGuard};
use crate::net::pump::{Order, Unreceived};
use crate::net::store::landing::Unlanded;
use crate::net::tree::{BLOCK, BlockHasher};
use crate::net::wire::codec::{Piece, Refusal, ServerCodec, Value};

/// Bytes read at once where frames are expected.
const FRAMES: usize = 16 << 10;
/// Bytes of a forgotten run that are read at once.
const FORGOTTEN: usize = 64 << 10;

/// What the run before a seal was.
enum Run {
    /// The block is here already; these bytes were forgotten.
    Known,
    /// Written; its value, where blocks are checked.
    Written {
        index: u64,
        len: u64,
        value: Option<Value>,
    },
}

impl Talk {
    /// Takes blocks until the sender says that these were all: the root it names, or
    /// why it gave up.
    pub(super) async fn take_round(
        &mut self,
        guard: &ConnGuard,
        codec: &mut dyn ServerCodec,
        incoming: &mut Incoming,
        xfer: &XferGuard,
    ) -> Result<Result<Option<Root>, Refusal>, Unkept> {
        let mut run = None;
        loop {
            match self.next_piece(guard, codec).await? {
                Piece::Run { offset, len } => {
                    run = Some(self.take_run(guard, incoming, (offset, len), xfer).await?);
                }
                Piece::Sealed { value } => {
                    if let Some(run) = run.take() {
                        seal(guard, incoming, run, value, xfer).await?;
                    }
                }
                Piece::End { root } => return Ok(Ok(root)),
                Piece::GivenUp(refusal) => return Ok(Err(refusal)),
            }
        }
    }

    /// The next piece, read as far as it takes.
    pub(super) async fn next_piece(
        &mut self,
        guard: &ConnGuard,
        codec: &mut dyn ServerCodec,
    ) -> Result<Piece, Unkept> {
        loop {
            if let Some((used, piece)) = codec.piece(&self.input).map_err(Unkept::Broken)? {
                self.input.drain(..used);
                return Ok(piece);
            }
            self.read_more(guard, FRAMES).await?;
        }
    }

    /// Reads and forgets the bytes of a run.
    pub(super) async fn forget_run(&mut self, guard: &ConnGuard, len: u64) -> Result<(), Unkept> {
        let mut left = len;
        loop {
            let here = usize::try_from(left).unwrap_or(usize::MAX);
            let here = here.min(self.input.len());
            self.input.drain(..here);
            left -= here as u64;
            if left == 0 {
                return Ok(());
            }
            self.read_more(guard, FORGOTTEN).await?;
        }
    }

    pub(super) async fn read_more(&mut self, guard: &ConnGuard, most: usize) -> Result<(), Unkept> {
        match self.pipe.read_some(&mut self.input, most).await {
            Ok(0) => Err(Unkept::Lost(gone())),
            Ok(read) => {
                guard.dials().add_in(read as u64);
                Ok(())
            }
            Err(error) => Err(Unkept::Lost(lost(&error))),
        }
    }

    async fn take_run(
        &mut self,
        guard: &ConnGuard,
        incoming: &Incoming,
        (offset, len): (u64, u64),
        xfer: &XferGuard,
    ) -> Result<Run, Unkept> {
        let index = offset / BLOCK;
        if incoming.known.get(index).is_some() {
            self.forget_run(guard, len).await?;
            return Ok(Run::Known);
        }
        // What lies in the input was counted when it was read.
        let early = self.input.len() as u64;
        let came = AtomicU64::new(0);
        let dials = guard.dials();
        let order = Order {
            at: offset,
            len,
            patience: self.context.limits.stall,
            stop: guard.cancel(),
            count: |read: u64| {
                let before = came.fetch_add(read, Relaxed);
                dials.add_in(read - read.min(early.saturating_sub(before)));
                xfer.add(read);
            },
            hasher: incoming
                .is_checked()
                .then(|| BlockHasher::new(incoming.order.size, index)),
        };
        let parcel = Arc::clone(&incoming.parcel);
        // The intake minds the peer's silence itself: what is waited for beside it is the disk.
        let run = self.intake.run(&self.pipe, &mut self.input, parcel, order);
        let taken = at_work(guard, run).await;
        match taken.outcome {
            Ok(()) => Ok(Run::Written {
                index,
                len,
                value: taken.hasher.map(|hasher| hasher.value()),
            }),
            Err(Unreceived::Socket(error)) => Err(Unkept::Lost(lost(&error))),
            Err(Unreceived::Short) => Err(Unkept::Lost(gone())),
            Err(Unreceived::Disk(error)) => {
                // Behind it come frames again.
                self.forget_run(guard, len - came.load(Relaxed)).await?;
                Err(Unkept::Disk(error))
            }
            Err(Unreceived::Stalled) => Err(Unkept::Lost(out_of_time(guard, Rule::Stall).await)),
            // Sentenced: the talk is over as soon as it looks.
            Err(Unreceived::Stopped) => std::future::pending().await,
        }
    }
}

/// Holds a block against the value behind it.
async fn seal(
    guard: &ConnGuard,
    incoming: &mut Incoming,
    run: Run,
    said: Option<Value>,
    xfer: &XferGuard,
) -> Result<(), Unkept> {
    let Run::Written { index, len, value } = run else {
        return Ok(());
    };
    if value != said && incoming.is_checked() {
        xfer.started().progress.take_back(len);
        return Ok(());
    }
    let Some(value) = value else {
        // Nothing is checked; that it came is all that is known.
        incoming.known.set(index, [0; 32]);
        return Ok(());
    };
    if incoming.remembers() {
        let keep = spawn_blocking(incoming.keep(index, value));
        let kept = at_work(guard, keep).await;
        kept.unwrap_or_else(|gone| Err(Unlanded::Disk(std::io::Error::other(gone))))
            .map_err(Unkept::Disk)?;
    }
    incoming.known.set(index, value);
    xfer.started().progress.verify(len);
    Ok(())
}

/// The peer went away in the middle of its payload.
fn gone() -> Over {
    Over::Failed(
        "peer_closed",
        "the peer closed in the middle of its upload".to_owned(),
    )
}
