//! The pieces of a payload that comes in blocks: taken off the socket, hashed and
//! written on the way, held against the value behind them.
//!
//! A block that is here already, or in another's hand, is read and forgotten, so nothing
//! grows by what is sent twice. It knows the codec's pieces, the pump's intake and one
//! [`Joint`]; it must never know where the file goes, and it decides nothing about its end.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;

use tokio::task::spawn_blocking;
use tokio::time::timeout;

use super::joint::{Held, Joint};
use super::leave::{lost, out_of_time};
use super::receive::{LIFE_LOOK, Unkept, at_work};
use super::{Over, Talk};
use crate::entity::{Root, Rule};
use crate::event::Started;
use crate::net::hub::{ConnGuard, XferGuard};
use crate::net::pump::{Order, Unreceived};
use crate::net::store::landing::Unlanded;
use crate::net::tree::{BLOCK, BlockHasher};
use crate::net::wire::codec::{Piece, Refusal, ServerCodec, Span, Value};

/// Bytes read at once where frames are expected.
const FRAMES: usize = 16 << 10;
/// Bytes of a forgotten run that are read at once.
const FORGOTTEN: usize = 64 << 10;

/// What the run before a seal was.
enum Run {
    /// Nobody needs it from here; these bytes were forgotten.
    Forgotten,
    /// Written; its value, where blocks are checked.
    Written {
        index: u64,
        len: u64,
        value: Option<Value>,
        /// Until it is sealed.
        _hand: Option<Held>,
    },
}

/// What one connection brings of an upload.
#[derive(Clone, Copy)]
pub(super) struct Stream<'a> {
    pub joint: &'a Arc<Joint>,
    pub xfer: &'a XferGuard,
    /// The blocks it may bring.
    pub scope: Span,
    pub part: Part<'a>,
}

/// Whether a connection brings an upload or a share of it.
#[derive(Clone, Copy)]
pub(super) enum Part<'a> {
    /// Whatever no share has in hand.
    Whole,
    /// Its blocks are in its hand for as long as it runs.
    Share(&'a Beside),
}

/// A share's mark on the dial of the whole, as long as it lives.
#[derive(Debug)]
pub(super) struct Beside {
    whole: Arc<Started>,
    /// Bytes of a block that is not sealed: they have to come again if it never is.
    unsealed: AtomicU64,
}

impl Beside {
    pub(super) fn new(whole: Arc<Started>) -> Self {
        whole.progress.join();
        Self {
            whole,
            unsealed: AtomicU64::new(0),
        }
    }

    fn count(&self, bytes: u64) {
        self.unsealed.fetch_add(bytes, Relaxed);
        self.whole.progress.add_beside(bytes);
    }

    fn settle(&self, bytes: u64) {
        self.unsealed.fetch_sub(bytes, Relaxed);
    }
}

impl Drop for Beside {
    fn drop(&mut self) {
        let unsealed = self.unsealed.load(Relaxed);
        self.whole.progress.take_back_beside(unsealed);
        self.whole.progress.part();
    }
}

impl Stream<'_> {
    /// The blocks that are still to come.
    pub(super) fn missing(&self) -> Vec<Span> {
        self.joint.missing(self.scope)
    }

    fn count(&self, bytes: u64) {
        self.joint.stir();
        self.xfer.add(bytes);
        if let Part::Share(beside) = self.part {
            beside.count(bytes);
        }
    }

    /// A block has to come again.
    fn take_back(&self, bytes: u64) {
        self.xfer.started().progress.take_back(bytes);
        if let Part::Share(beside) = self.part {
            beside.settle(bytes);
            beside.whole.progress.take_back_beside(bytes);
        }
    }

    /// A block is here; whether it agrees with its value.
    fn seal(&self, bytes: u64, agrees: bool) {
        let verify = |started: &Started| {
            if agrees {
                started.progress.verify(bytes);
            }
        };
        verify(self.xfer.started());
        if let Part::Share(beside) = self.part {
            beside.settle(bytes);
            verify(&beside.whole);
        }
    }
}

impl Talk {
    /// Takes blocks until the sender says that these were all: the root it names, or
    /// why it gave up.
    pub(super) async fn take_round(
        &mut self,
        guard: &ConnGuard,
        codec: &mut dyn ServerCodec,
        stream: Stream<'_>,
    ) -> Result<Result<Option<Root>, Refusal>, Unkept> {
        let mut run = None;
        loop {
            let piece = match stream.part {
                Part::Whole => tokio::select! {
                    biased;
                    () = stream.joint.displaced().cancelled() => {
                        return Err(Unkept::Lost(given_away(guard).await));
                    }
                    piece = self.next_beside(guard, codec, stream) => piece?,
                },
                Part::Share(_) => tokio::select! {
                    biased;
                    () = stream.joint.over() => return Err(Unkept::Lost(left_behind())),
                    piece = self.next_piece(guard, codec) => piece?,
                },
            };
            match piece {
                Piece::Run { offset, len } => {
                    run = Some(self.take_run(guard, stream, (offset, len)).await?);
                }
                Piece::Sealed { value } => {
                    if let Some(run) = run.take() {
                        seal(guard, stream, run, value).await?;
                    }
                }
                Piece::End { root } => return Ok(Ok(root)),
                Piece::GivenUp(refusal) => return Ok(Err(refusal)),
            }
        }
    }

    /// The next piece; who brings nothing while others bring shares is at work as well.
    async fn next_beside(
        &mut self,
        guard: &ConnGuard,
        codec: &mut dyn ServerCodec,
        stream: Stream<'_>,
    ) -> Result<Piece, Unkept> {
        let dial = &stream.xfer.started().progress;
        let mut seen = dial.beside();
        loop {
            // Cut off between two reads: what has come lies in the input.
            if let Ok(piece) = timeout(LIFE_LOOK, self.next_piece(guard, codec)).await {
                return piece;
            }
            let now = dial.beside();
            if now != seen {
                guard.dials().stir();
            }
            seen = now;
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
        stream: Stream<'_>,
        (offset, len): (u64, u64),
    ) -> Result<Run, Unkept> {
        let index = offset / BLOCK;
        let joint = stream.joint;
        let hand = match stream.part {
            Part::Whole => joint.hold_missing(index).map(Some),
            Part::Share(_) => (!joint.has(index)).then_some(None),
        };
        let Some(hand) = hand else {
            self.forget_run(guard, len).await?;
            return Ok(Run::Forgotten);
        };
        // What lies in the input was counted when it was read.
        let early = self.input.len() as u64;
        let came = AtomicU64::new(0);
        let dials = guard.dials();
        let order = Order {
            at: offset,
            len,
            patience: self.context.limits.stall,
            stop: match stream.part {
                Part::Whole => joint.displaced(),
                Part::Share(_) => joint.end(),
            },
            count: |read: u64| {
                let before = came.fetch_add(read, Relaxed);
                dials.add_in(read - read.min(early.saturating_sub(before)));
                stream.count(read);
            },
            hasher: joint
                .is_checked()
                .then(|| BlockHasher::new(joint.size(), index)),
        };
        let parcel = Arc::clone(joint.parcel());
        // The intake minds the peer's silence itself: what is waited for beside it is the disk.
        let run = self.intake.run(&self.pipe, &mut self.input, parcel, order);
        let taken = at_work(guard, run).await;
        match taken.outcome {
            Ok(()) => Ok(Run::Written {
                index,
                len,
                value: taken.hasher.map(|hasher| hasher.value()),
                _hand: hand,
            }),
            Err(Unreceived::Socket(error)) => Err(Unkept::Lost(lost(&error))),
            Err(Unreceived::Short) => Err(Unkept::Lost(gone())),
            Err(Unreceived::Disk(error)) => {
                // Behind it come frames again.
                self.forget_run(guard, len - came.load(Relaxed)).await?;
                Err(Unkept::Disk(error))
            }
            Err(Unreceived::Stalled) => Err(Unkept::Lost(out_of_time(guard, Rule::Stall).await)),
            Err(Unreceived::Stopped) => Err(Unkept::Lost(match stream.part {
                Part::Whole => given_away(guard).await,
                Part::Share(_) => left_behind(),
            })),
        }
    }
}

/// Holds a block against the value behind it.
async fn seal(
    guard: &ConnGuard,
    stream: Stream<'_>,
    run: Run,
    said: Option<Value>,
) -> Result<(), Unkept> {
    let Run::Written {
        index,
        len,
        value,
        _hand,
    } = run
    else {
        return Ok(());
    };
    let joint = stream.joint;
    if value != said && joint.is_checked() {
        stream.take_back(len);
        return Ok(());
    }
    let Some(value) = value else {
        // Nothing is checked; that it came is all that is known.
        joint.learn(index, [0; 32]);
        stream.seal(len, false);
        return Ok(());
    };
    if joint.remembers() {
        let keep = spawn_blocking(joint.keep(index, value));
        let kept = at_work(guard, keep).await;
        kept.unwrap_or_else(|gone| Err(Unlanded::Disk(std::io::Error::other(gone))))
            .map_err(Unkept::Disk)?;
    }
    joint.learn(index, value);
    stream.seal(len, true);
    Ok(())
}

/// The sender goes on over another connection.
async fn given_away(guard: &ConnGuard) -> Over {
    if guard.cancel().is_cancelled() {
        // Sentenced: the talk is over as soon as it looks.
        std::future::pending::<()>().await;
    }
    Over::Failed(
        "taken_over",
        "its sender goes on over another connection".to_owned(),
    )
}

/// The upload that it was a share of has ended.
pub(super) fn left_behind() -> Over {
    Over::Failed(
        "ended",
        "the upload that this was a share of has ended".to_owned(),
    )
}

/// The peer went away in the middle of its payload.
fn gone() -> Over {
    Over::Failed(
        "peer_closed",
        "the peer closed in the middle of its upload".to_owned(),
    )
}
