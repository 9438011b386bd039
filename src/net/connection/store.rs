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
use super::receive::{Unkept, at_work};
use super::right::Right;
use super::tab::Whose;
use super::tell::{stored_words, tell_again, tell_restart, tell_resumed, tell_surfeit};
use super::tree::WORD;
use super::{Over, Talk};
use crate::entity::{Direction, Outcome, Phase, RemotePath};
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

/// How an upload came out, and what is told of it.
enum Verdict {
    Stored(Stored),
    /// No, told to the peer at the end of its payload.
    No(Denied),
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
        let path = order.path.clone();
        let eager = order.terms.pace == Pace::Eager;
        let mut incoming = match self.begin_upload(guard, order).await {
            Ok(incoming) => incoming,
            Err(denied) => {
                if eager {
                    self.forget_payload(guard, codec).await?;
                }
                return self.refuse(guard, codec, path, denied).await;
            }
        };
        self.recheck(guard, codec, &mut incoming).await?;
        let blocks = incoming.spans();
        self.say(guard, codec, &Reply::Here { blocks }).await?;
        let xfer = begin_transfer(guard, codec, &incoming);
        self.last = Some(Arc::clone(xfer.started()));
        let verdict = self.take_upload(guard, codec, &mut incoming, &xfer).await;
        self.last = None;
        match verdict {
            Ok(verdict) => self.tell(guard, codec, incoming, xfer, verdict).await,
            Err(over) => {
                if let Over::Failed(cause, detail) = &over {
                    xfer.end(Outcome::Failed, cause, detail);
                } else if let Over::Malformed(malformed) = &over {
                    xfer.end(Outcome::Failed, malformed.cause, &malformed.detail);
                }
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

    async fn begin_upload(&mut self, guard: &ConnGuard, order: Order) -> Result<Incoming, Denied> {
        self.allows(Right::Upload)?;
        let gate = self.gate();
        let tab = Arc::clone(&self.context.tab);
        let rights = self.rights();
        let begin = off_loop(move || Incoming::begin(&gate, &tab, order, rights));
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
        incoming: &mut Incoming,
    ) -> Result<(), Over> {
        if !incoming.remembers() {
            return Ok(());
        }
        let claims = incoming.parcel.claims();
        if claims.is_empty() {
            return Ok(());
        }
        let of = claims.len() as u64 * crate::net::tree::BLOCK;
        let forest = Arc::clone(&self.context.forest);
        for (turn, slice) in (0..).zip(claims.chunks(SLICE)) {
            let parcel = Arc::clone(&incoming.parcel);
            let slice = slice.to_vec();
            let done = turn * SLICE as u64 * crate::net::tree::BLOCK;
            let _seat = self
                .waiting(guard, codec, (done, of), forest.seat())
                .await?;
            let work = spawn_blocking(move || super::incoming::recheck(&parcel, slice));
            let good = self.waiting(guard, codec, (done, of), work).await?;
            for (index, value) in good.unwrap_or_default() {
                incoming.known.set(index, value);
            }
        }
        let here = incoming.here();
        if here > 0 {
            tell_resumed(guard, &incoming.order.path, here, incoming.order.size);
        }
        Ok(())
    }

    /// Waits for work of our own; the peer hears every second that we are at it.
    async fn waiting<T>(
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

    /// The payload, round by round, and the landing.
    async fn take_upload(
        &mut self,
        guard: &ConnGuard,
        codec: &mut dyn ServerCodec,
        incoming: &mut Incoming,
        xfer: &XferGuard,
    ) -> Result<Verdict, Over> {
        let mut round = 0;
        let said = loop {
            guard.dials().set_phase(Phase::Receiving);
            let said = match self.take_round(guard, codec, incoming, xfer).await {
                Ok(Ok(said)) => said,
                Ok(Err(refusal)) => return Ok(Verdict::No(given_up(refusal))),
                Err(Unkept::Disk(error)) => return Ok(Verdict::Midway(kept(&error))),
                Err(why) => return Err(why.into()),
            };
            let blocks = incoming.known.missing();
            if blocks.is_empty() {
                break said;
            }
            round += 1;
            if round > ROUNDS || incoming.order.terms.pace == Pace::Eager {
                return Ok(Verdict::No(corrupt(
                    "blocks do not agree with their values",
                )));
            }
            let wrong: u64 = blocks.iter().map(|span| span.count).sum();
            tell_again(guard, xfer, wrong);
            self.say(guard, codec, &Reply::Again { blocks }).await?;
        };
        let root = incoming.root();
        if incoming.is_checked() && said.is_some() && said != root {
            // Each block agreed alone: what the sender read was not one content.
            incoming.parcel.discard();
            incoming.known = crate::net::tree::Growing::new(incoming.order.size);
            return Ok(Verdict::No(corrupt(
                "the blocks do not make the file's hash",
            )));
        }
        // It may have taken days: what is granted now is what counts.
        if let Err(denied) = self.still_allows(Right::Upload) {
            return Ok(Verdict::No(denied));
        }
        let size = incoming.order.size;
        let landing = spawn_blocking(incoming.land());
        let landed = self.waiting(guard, codec, (size, size), landing).await?;
        let landed = landed.unwrap_or_else(|gone| Err(std::io::Error::other(gone).into()));
        Ok(match landed {
            Ok(name) => Verdict::Stored(Stored {
                name: name.into(),
                root,
            }),
            Err(error) => Verdict::No(kept(&error)),
        })
    }

    /// Tells how it came out, to the operator and to the peer.
    async fn tell(
        &mut self,
        guard: &ConnGuard,
        codec: &mut dyn ServerCodec,
        incoming: Incoming,
        xfer: XferGuard,
        verdict: Verdict,
    ) -> Result<After, Over> {
        match verdict {
            Verdict::Stored(stored) => {
                let words = stored_words(&incoming.order.path, &stored.name);
                let proof = incoming.order.proof();
                incoming.forget();
                xfer.end(proof, "", &words);
                self.say(guard, codec, &Reply::Stored(stored)).await
            }
            Verdict::No(denied) => {
                xfer.end(Outcome::Failed, denied.cause, &denied.detail);
                drop(incoming);
                self.say(guard, codec, &Reply::Refused(denied.refusal))
                    .await
            }
            Verdict::Midway(denied) => {
                xfer.end(Outcome::Failed, denied.cause, &denied.detail);
                drop(incoming);
                let no = Reply::Refused(denied.refusal);
                self.say(guard, codec, &no).await?;
                self.forget_payload(guard, codec).await?;
                Ok(After::Next)
            }
        }
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

fn begin_transfer(guard: &ConnGuard, codec: &dyn ServerCodec, incoming: &Incoming) -> XferGuard {
    let here = incoming.here();
    let xfer = guard.start(TransferOrder {
        job: None,
        dialect: codec.dialect(),
        direction: Direction::In,
        proof: incoming.order.proof(),
        path: incoming.order.path.clone(),
        size: Some(incoming.order.size),
        offset: here,
        range: None,
    });
    xfer.started().progress.verify(here);
    xfer
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
