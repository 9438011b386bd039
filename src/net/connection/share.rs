//! Taking in a share of a large upload that is under way on another connection.
//!
//! The other one has announced the file and lands it; here come some of its blocks, and
//! they are this connection's alone for as long as it runs. It knows the codec's words
//! and an upload in several hands (`joint`); it must never know the file's place, and it ends with the upload.

use std::sync::Arc;

use super::incoming::Order;
use super::pieces::{Beside, Part, Stream};
use super::right::Right;
use super::store::{begin_transfer, cut_off};
use super::{Over, Talk};
use crate::net::hub::ConnGuard;
use crate::net::store::Denied;
use crate::net::tree::BLOCK;
use crate::net::wire::codec::{After, Refusal, Reply, ServerCodec, Span};

impl Talk {
    /// Takes a share of an upload in.
    pub(super) async fn share(
        &mut self,
        guard: &ConnGuard,
        codec: &mut dyn ServerCodec,
        order: Order,
        share: Span,
    ) -> Result<After, Over> {
        let found = self.allows(Right::Upload).and_then(|()| {
            let joint = self.context.tab.find(&order).ok_or_else(no_upload)?;
            let whole = joint.whole().cloned().ok_or_else(no_upload)?;
            // Its hand is taken before it is said what is wanted of it.
            let hand = joint.hold(share).ok_or_else(in_hand)?;
            // Looked at with the hand on it: an end that comes later waits for that.
            if joint.is_over() {
                return Err(no_upload());
            }
            Ok((joint, whole, hand))
        });
        let (joint, whole, _hand) = match found {
            Ok(found) => found,
            Err(denied) => return self.refuse(guard, codec, order.path, denied).await,
        };
        let beside = Beside::new(whole);
        let blocks = joint.here(share);
        let from = share.first * BLOCK;
        let until = from + joint.bytes(&[share]);
        let offset = from + joint.bytes(&blocks);
        let xfer = begin_transfer(guard, codec, &order, offset, Some((from, until)));
        self.last = Some(Arc::clone(xfer.started()));
        let stream = Stream {
            joint: &joint,
            xfer: &xfer,
            scope: share,
            part: Part::Share(&beside),
        };
        let taken = match self.say(guard, codec, &Reply::Here { blocks }).await {
            Ok(_) => {
                self.take_rounds(guard, codec, stream, order.terms.pace)
                    .await
            }
            Err(over) => Err(over),
        };
        self.last = None;
        match taken {
            Ok(Ok(_)) => {
                xfer.end_well();
                self.say(guard, codec, &Reply::Done).await
            }
            Ok(Err(no)) => self.turn_down(guard, codec, xfer, no).await,
            Err(over) => {
                cut_off(xfer, &over);
                Err(over)
            }
        }
    }
}

fn no_upload() -> Denied {
    Denied {
        refusal: Refusal::NotFound,
        cause: "no_upload",
        detail: "a share of an upload that is not under way".to_owned(),
    }
}

fn in_hand() -> Denied {
    Denied {
        refusal: Refusal::Busy,
        cause: "busy",
        detail: "another connection brings these blocks".to_owned(),
    }
}

#[cfg(test)]
#[path = "share_tests.rs"]
mod tests;
