//! One upload on its way in: where it goes, what of it is here, and how it ends.
//!
//! It knows the store's gate, a parcel and the values of its blocks; everything here
//! blocks and is called off the loop. It must never know a socket, a codec or who sends:
//! of whose it is only the mark tells.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use super::joint::Joint;
use super::keep::Gate;
use super::receive::unlanded;
use super::tab::{Left, Open, Tab, Whose};
use crate::entity::{Outcome, RemotePath, Rights};
use crate::event::{Clash, Started};
use crate::net::store::Denied;
use crate::net::store::landing::{Found, Landing, Mark, Parcel, Unlanded};
use crate::net::tree::BLOCK;
use crate::net::wire::codec::{Check, Pace, Refusal, Span, Taken, Terms, Value};

/// What a peer wants to store.
#[derive(Clone, Debug)]
pub(super) struct Order {
    pub path: RemotePath,
    pub size: u64,
    pub terms: Box<Terms>,
    pub whose: Whose,
}

impl Order {
    /// How sure its end is.
    pub(super) fn proof(&self) -> Outcome {
        match self.terms.check {
            Check::None => Outcome::CompleteLength,
            Check::Blocks | Check::Anew => Outcome::CompleteHash,
        }
    }

    /// Which content an unfinished part belongs to: the sender's mark, and whose it is.
    fn mark(&self) -> Option<Mark> {
        let mut bytes = Vec::with_capacity(128);
        match self.whose {
            Whose::Key(pin) => bytes.extend_from_slice(&pin.0),
            // In the open nobody is known: whoever has the mark goes on.
            Whose::Address(_) => {}
        }
        bytes.extend_from_slice(self.terms.source.as_bytes());
        Mark::new(&bytes)
    }
}

/// The place a file goes to, as far as it may.
#[derive(Debug)]
pub(super) struct Place {
    pub landing: Arc<Landing>,
    pub name: String,
    pub clash: Option<Clash>,
}

impl Place {
    /// Finds the place, and refuses a name that is taken before anything is sent.
    pub(super) fn find(gate: &Gate, order: &Order, rights: Rights) -> Result<Self, Denied> {
        let (landing, name) = gate.place(&order.path)?;
        let clash = match order.terms.taken {
            Taken::Rename => Some(Clash::Rename),
            // To replace is to delete what was there.
            Taken::Replace if rights.delete => Some(Clash::Overwrite),
            Taken::Replace if landing.is_taken(&name) => {
                return Err(Denied {
                    refusal: Refusal::NotAllowed,
                    cause: "not_allowed",
                    detail: "replacing is deleting; --allow-delete would allow it".to_owned(),
                });
            }
            Taken::Refuse | Taken::Replace => None,
        };
        if clash.is_none() && landing.is_taken(&name) {
            return Err(kept(&Unlanded::Taken));
        }
        Ok(Self {
            landing: Arc::new(landing),
            name,
            clash,
        })
    }
}

/// An upload that has been admitted.
#[derive(Debug)]
pub(super) struct Incoming {
    pub order: Order,
    pub place: Place,
    /// What has come of it, over all its connections.
    pub joint: Arc<Joint>,
    /// What an earlier try of another content had left, or not.
    pub found: Found,
    tab: Arc<Tab>,
    /// While it is here, shares of it are taken.
    open: Option<Open>,
}

impl Incoming {
    /// Opens the way, or says why not.
    pub(super) fn begin(
        gate: &Gate,
        tab: &Arc<Tab>,
        order: Order,
        rights: Rights,
        stop: &CancellationToken,
    ) -> Result<Self, Denied> {
        let place = Place::find(gate, &order, rights)?;
        if order.terms.pace == Pace::Eager && order.size > BLOCK {
            return Err(Denied {
                refusal: Refusal::TooLarge,
                cause: "too_large",
                detail: "a file of several blocks that nobody had asked for".to_owned(),
            });
        }
        if order.size > BLOCK {
            for left in tab.settle(order.whose, &order.path) {
                drop_left(gate, &left);
            }
        }
        // A version and a pin fit into every mark.
        let mark = order
            .mark()
            .ok_or_else(|| kept(&Unlanded::Name("its mark is too long")))?;
        let resumed = place.landing.resume(&place.name, &mark, order.size);
        let (parcel, found) = resumed.map_err(|error| kept(&error))?;
        Ok(Self {
            joint: Arc::new(Joint::new(&order, Arc::new(parcel), stop)),
            order,
            place,
            found,
            tab: Arc::clone(tab),
            open: None,
        })
    }

    /// The blocks that are here, as stretches.
    pub(super) fn here(&self) -> Vec<Span> {
        self.joint.here(self.joint.all())
    }

    /// It is under way: from here on others may bring shares of it.
    pub(super) fn open(&mut self, transfer: &Arc<Started>) {
        self.joint.begun(transfer);
        transfer.progress.join();
        if self.order.terms.pace == Pace::Asked && self.order.size > BLOCK {
            let (whose, path) = (self.order.whose, self.order.path.clone());
            self.open = Some(self.tab.open(whose, path, &self.joint));
        }
    }

    /// How it lands: with the name it got.
    pub(super) fn land(&self) -> impl FnOnce() -> Result<String, Unlanded> + Send + use<> {
        let parcel = Arc::clone(self.joint.parcel());
        let landing = Arc::clone(&self.place.landing);
        let (name, clash) = (self.place.name.clone(), self.place.clash);
        let mtime = self.order.terms.mtime;
        move || parcel.land(&landing, &name, clash, mtime)
    }

    /// It is over, well or for good: nothing is left to go on from.
    pub(super) fn forget(self) {
        self.joint.forget();
    }
}

impl Drop for Incoming {
    /// Cut with something here: noted, so that no peer leaves more than its share.
    fn drop(&mut self) {
        self.open = None;
        if self.joint.known() > 0 && self.joint.remembers() {
            let left = self.order.mark().map(|mark| Left {
                path: self.order.path.clone(),
                mark,
                size: self.order.size,
            });
            if let Some(left) = left {
                self.tab.note(self.order.whose, left);
            }
        }
    }
}

/// Hashes blocks again that are said to be here; those that agree. Blocks.
pub(super) fn recheck(parcel: &Parcel, claims: Vec<(u64, Value)>) -> Vec<(u64, Value)> {
    let mut claims = claims;
    claims.retain(|(index, value)| {
        let good = parcel.recheck(*index, value).unwrap_or(false);
        if !good {
            // Were it not struck, it would be hashed again at every try.
            let _ = parcel.undo(*index);
        }
        good
    });
    claims
}

/// The no of the disk in deck's words: a taken name has one of its own.
pub(super) fn kept(error: &Unlanded) -> Denied {
    let denied = unlanded(error);
    match error {
        Unlanded::Taken => Denied {
            refusal: Refusal::Exists,
            ..denied
        },
        _ => denied,
    }
}

/// Drops the part of an upload that was left too long ago.
fn drop_left(gate: &Gate, left: &Left) {
    let Ok((landing, name)) = gate.place(&left.path) else {
        return;
    };
    // Somebody may be at it, or another content lies there: then it is not ours to drop.
    if let Ok((parcel, Found::Unfinished)) = landing.resume(&name, &left.mark, left.size) {
        parcel.discard();
    }
}
