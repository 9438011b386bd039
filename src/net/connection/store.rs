//! Taking a file in by blocks that carry their values, on top of what an earlier try
//! has brought.
//!
//! Rights first, place second; what is there already is hashed again before it is
//! trusted; then the missing blocks come in any order, wrong ones once more, and the
//! file lands when its root agrees. Small ones that came unasked go another road
//! (`eager`). It knows the codec's words and an [`Incoming`]; it must never know a path
//! of the disk.

use std::sync::Arc;

use tokio::task::spawn_blocking;
use tokio::time::timeout;

use super::answer::off_loop;
use super::incoming::{Incoming, Order, kept};
use super::pieces::{Part, Stream};
use super::receive::{Unkept, at_work};
use super::right::Right;
use super::tab::Whose;
use super::tell::{stored_words, tell_again, tell_restart, tell_resumed, tell_surfeit};
use super::tree::WORD;
use super::{Over, Talk};
use crate::entity::{Direction, Outcome, Phase, RemotePath, Root};
use crate::net::hub::{ConnGuard, TransferOrder, XferGuard};
use crate::net::store::Denied;
use crate::net::store::landing::Found;
use crate::net::wire::codec::{After, Pace, Piece, Refusal, Reply, ServerCodec, Stored, Terms};

/// How often wrong blocks are asked for again.
const ROUNDS: u32 = 3;
/// Blocks hashed again before it is looked whether the peer is still there.
const SLICE: usize = 8;
/// Bytes behind a refusal that are read and forgotten before the connection ends.
const FORGET: u64 = 64 << 20;

/// Why an upload comes to nothing.
pub(super) enum No {
    /// Told to the peer at the end of its payload.
    Behind(Denied),
    /// The disk said no in the middle: the payload is still on its way.
    Midway(Denied),
}

impl Talk {
    /// Takes a file in.
    pub(super) async fn store(
        &mut self,
        guard: &ConnGuard,
        codec: &mut dyn ServerCodec,
        path: RemotePath,
        size: u64,
        terms: Box<Terms>,
    ) -> Result<After, Over> {
        let order = Order {
            path,
            size,
            terms,
            whose: self.whose(guard),
        };
        if order.is_small()
            && let Some(_room) = self.context.forest.turn()
        {
            return self.eager(guard, codec, order).await;
        }
        guard.dials().set_phase(Phase::Receiving);
        if let Pace::Share(share) = order.terms.pace {
            return self.share(guard, codec, order, share).await;
        }
        let path = order.path.clone();
        let eager = order.terms.pace == Pace::Eager;
        let begun = match self.begin_upload(guard, order.clone()).await {
            Err(denied) if denied.refusal == Refusal::Busy => {
                self.take_over(guard, codec, order, denied).await?
            }
            begun => begun,
        };
        let mut incoming = match begun {
            Ok(incoming) => incoming,
            Err(denied) => {
                if eager {
                    self.forget_payload(guard, codec).await?;
                }
                return self.refuse(guard, codec, path, denied).await;
            }
        };
        self.recheck(guard, codec, &incoming).await?;
        let blocks = incoming.here();
        let here = incoming.joint.bytes(&blocks);
        let xfer = begin_transfer(guard, codec, &incoming.order, here, None);
        xfer.started().progress.verify(here);
        // Before the answer: who has heard it may bring shares.
        incoming.open(xfer.started());
        self.last = Some(Arc::clone(xfer.started()));
        let verdict = match self.say(guard, codec, &Reply::Here { blocks }).await {
            Ok(_) => self.take_upload(guard, codec, &incoming, &xfer).await,
            Err(over) => Err(over),
        };
        self.last = None;
        match verdict {
            Ok(verdict) => self.tell(guard, codec, incoming, xfer, verdict).await,
            Err(over) => {
                cut_off(xfer, &over);
                Err(over)
            }
        }
    }

    /// Whose uploads these are.
    pub(super) fn whose(&self, guard: &ConnGuard) -> Whose {
        match self.pipe.peer_pin() {
            Some(pin) => Whose::Key(pin),
            None => Whose::Address(guard.peer().0.ip()),
        }
    }

    pub(super) async fn begin_upload(
        &mut self,
        guard: &ConnGuard,
        order: Order,
    ) -> Result<Incoming, Denied> {
        self.allows(Right::Upload)?;
        let gate = self.gate();
        let tab = Arc::clone(&self.context.tab);
        let rights = self.rights();
        let stop = guard.cancel().clone();
        let begin = off_loop(move || Incoming::begin(&gate, &tab, order, rights, &stop));
        let incoming = at_work(guard, begin).await?;
        if incoming.found == Found::Changed {
            tell_restart(guard, &incoming.order.path);
        }
        Ok(incoming)
    }

    /// Hashes again what is said to be here; the peer hears now and then how far it is.
    async fn recheck(
        &mut self,
        guard: &ConnGuard,
        codec: &mut dyn ServerCodec,
        incoming: &Incoming,
    ) -> Result<(), Over> {
        if !incoming.joint.remembers() {
            return Ok(());
        }
        let claims = incoming.joint.parcel().claims();
        if claims.is_empty() {
            return Ok(());
        }
        let of = claims.len() as u64 * crate::net::tree::BLOCK;
        let forest = Arc::clone(&self.context.forest);
        for (turn, slice) in (0..).zip(claims.chunks(SLICE)) {
            let parcel = Arc::clone(incoming.joint.parcel());
            let slice = slice.to_vec();
            let done = turn * SLICE as u64 * crate::net::tree::BLOCK;
            let _seat = self
                .waiting(guard, codec, (done, of), forest.seat())
                .await?;
            let work = spawn_blocking(move || super::incoming::recheck(&parcel, slice));
            let good = self.waiting(guard, codec, (done, of), work).await?;
            for (index, value) in good.unwrap_or_default() {
                incoming.joint.learn(index, value);
            }
        }
        let here = incoming.joint.bytes(&incoming.here());
        if here > 0 {
            tell_resumed(guard, &incoming.order.path, here, incoming.order.size);
        }
        Ok(())
    }

    /// Waits for work of our own; the peer hears every second that we are at it.
    pub(super) async fn waiting<T>(
        &mut self,
        guard: &ConnGuard,
        codec: &mut dyn ServerCodec,
        (done, of): (u64, u64),
        work: impl Future<Output = T>,
    ) -> Result<T, Over> {
        tokio::pin!(work);
        loop {
            if let Ok(did) = timeout(WORD, at_work(guard, &mut work)).await {
                return Ok(did);
            }
            self.say(guard, codec, &Reply::Wait { done, of }).await?;
            guard.dials().set_phase(Phase::Receiving);
        }
    }

    /// The payload, round by round: the root that was said at its end, or why not.
    pub(super) async fn take_rounds(
        &mut self,
        guard: &ConnGuard,
        codec: &mut dyn ServerCodec,
        stream: Stream<'_>,
        pace: Pace,
    ) -> Result<Result<Option<Root>, No>, Over> {
        let mut round = 0;
        loop {
            guard.dials().set_phase(Phase::Receiving);
            // Boxed: it is the largest part of a talk.
            let taking = Box::pin(self.take_round(guard, codec, stream));
            let said = match taking.await {
                Ok(Ok(said)) => said,
                Ok(Err(refusal)) => return Ok(Err(No::Behind(given_up(refusal)))),
                Err(Unkept::Disk(error)) => return Ok(Err(No::Midway(kept(&error)))),
                Err(why) => return Err(why.into()),
            };
            if let Part::Whole = stream.part {
                // Its sender waits for its shares: those that are left have lost theirs.
                at_work(guard, stream.joint.close()).await;
            }
            let blocks = stream.missing();
            if blocks.is_empty() {
                return Ok(Ok(said));
            }
            round += 1;
            if round > ROUNDS || pace == Pace::Eager {
                return Ok(Err(No::Behind(corrupt(
                    "blocks do not agree with their values",
                ))));
            }
            let wrong: u64 = blocks.iter().map(|span| span.count).sum();
            tell_again(guard, stream.xfer, wrong);
            self.say(guard, codec, &Reply::Again { blocks }).await?;
        }
    }

    /// The payload and the landing.
    async fn take_upload(
        &mut self,
        guard: &ConnGuard,
        codec: &mut dyn ServerCodec,
        incoming: &Incoming,
        xfer: &XferGuard,
    ) -> Result<Result<Stored, No>, Over> {
        let joint = &incoming.joint;
        let stream = Stream {
            joint,
            xfer,
            scope: joint.all(),
            part: Part::Whole,
        };
        let pace = incoming.order.terms.pace;
        let said = match self.take_rounds(guard, codec, stream, pace).await? {
            Ok(said) => said,
            Err(no) => return Ok(Err(no)),
        };
        let root = joint.root();
        if joint.is_checked() && said.is_some() && said != root {
            // Each block agreed alone: what the sender read was not one content.
            joint.parcel().discard();
            joint.forget();
            let words = "the blocks do not make the file's hash";
            return Ok(Err(No::Behind(corrupt(words))));
        }
        // It may have taken days: what is granted now is what counts.
        if let Err(denied) = self.still_allows(Right::Upload) {
            return Ok(Err(No::Behind(denied)));
        }
        let size = incoming.order.size;
        let landing = spawn_blocking(incoming.land());
        let landed = self.waiting(guard, codec, (size, size), landing).await?;
        let landed = landed.unwrap_or_else(|gone| Err(std::io::Error::other(gone).into()));
        Ok(match landed {
            Ok(name) => Ok(Stored {
                name: name.into(),
                root,
            }),
            Err(error) => Err(No::Behind(kept(&error))),
        })
    }

    /// Tells how it came out, to the operator and to the peer.
    async fn tell(
        &mut self,
        guard: &ConnGuard,
        codec: &mut dyn ServerCodec,
        incoming: Incoming,
        xfer: XferGuard,
        verdict: Result<Stored, No>,
    ) -> Result<After, Over> {
        match verdict {
            Ok(stored) => {
                let words = stored_words(&incoming.order.path, &stored.name);
                let proof = incoming.order.proof();
                incoming.forget();
                xfer.end(proof, "", &words);
                self.say(guard, codec, &Reply::Stored(stored)).await
            }
            Err(no) => {
                // What is here is noted before the peer can come again.
                drop(incoming);
                self.turn_down(guard, codec, xfer, no).await
            }
        }
    }

    /// Tells that it came to nothing, to the operator and to the peer.
    pub(super) async fn turn_down(
        &mut self,
        guard: &ConnGuard,
        codec: &mut dyn ServerCodec,
        xfer: XferGuard,
        no: No,
    ) -> Result<After, Over> {
        let (No::Behind(denied) | No::Midway(denied)) = &no;
        xfer.end(Outcome::Failed, denied.cause, &denied.detail);
        let reply = Reply::Refused(denied.refusal);
        let after = self.say(guard, codec, &reply).await?;
        if let No::Midway(_) = no {
            self.forget_payload(guard, codec).await?;
            return Ok(After::Next);
        }
        Ok(after)
    }

    /// Reads what is left of a payload that nobody wants any more.
    pub(super) async fn forget_payload(
        &mut self,
        guard: &ConnGuard,
        codec: &mut dyn ServerCodec,
    ) -> Result<(), Over> {
        guard.dials().set_phase(Phase::Receiving);
        let mut forgotten = 0;
        loop {
            match self.next_piece(guard, codec).await? {
                Piece::Run { len, .. } => {
                    forgotten += len;
                    if forgotten > FORGET {
                        tell_surfeit(guard);
                        return Err(Over::Refused("surfeit"));
                    }
                    self.forget_run(guard, len).await?;
                }
                Piece::Sealed { .. } => {}
                Piece::End { .. } | Piece::GivenUp(_) => return Ok(()),
            }
        }
    }
}

/// Begins the transfer of what a peer stores, or of a stretch of it.
pub(super) fn begin_transfer(
    guard: &ConnGuard,
    codec: &dyn ServerCodec,
    order: &Order,
    offset: u64,
    range: Option<(u64, u64)>,
) -> XferGuard {
    guard.start(TransferOrder {
        job: None,
        dialect: codec.dialect(),
        direction: Direction::In,
        proof: order.proof(),
        path: order.path.clone(),
        size: Some(order.size),
        offset,
        range,
    })
}

/// The connection came to its end within a payload: so did the transfer. Of other ends
/// its guard tells.
pub(super) fn cut_off(xfer: XferGuard, over: &Over) {
    match over {
        Over::Failed(cause, detail) => xfer.end(Outcome::Failed, cause, detail),
        Over::Malformed(malformed) => {
            xfer.end(Outcome::Failed, malformed.cause, &malformed.detail);
        }
        _ => {}
    }
}

pub(super) fn given_up(refusal: Refusal) -> Denied {
    Denied {
        refusal,
        cause: refusal.label(),
        detail: format!("the sender gave up: {}", refusal.words()),
    }
}

pub(super) fn corrupt(words: &str) -> Denied {
    Denied {
        refusal: Refusal::Corrupt,
        cause: Refusal::Corrupt.label(),
        detail: words.to_owned(),
    }
}

#[cfg(test)]
#[path = "store_tests.rs"]
mod tests;
