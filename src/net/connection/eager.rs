//! Small files that come unasked, one behind the other: taken together, made durable
//! together, answered in order.
//!
//! Their content is held in memory until it is whole and its hash agrees, at most
//! [`BYTES`] of it; then a batch lands them on a blocking thread with one flush of the
//! disk. It knows the codec's words and the store's batches; it must never know a path
//! of the disk.

use std::sync::Arc;

use futures_util::FutureExt as _;
use tokio::task::spawn_blocking;

use super::incoming::{Order, Place, kept};
use super::keep::Gate;
use super::leave::lost;
use super::receive::{Unkept, at_work};
use super::right::Right;
use super::store::{begin_transfer, corrupt, cut_off};
use super::tell::{stored_words, tell_refusal, tell_request};
use super::{Over, Talk};
use crate::entity::{Outcome, Phase, RemotePath, Rights, Root};
use crate::net::hub::{ConnGuard, XferGuard};
use crate::net::store::Denied;
use crate::net::store::landing::Batch;
use crate::net::tree::hash_small;
use crate::net::wire::codec::{
    After, Check, Pace, Piece, Refusal, Reply, Request, ServerCodec, Stored, Upcoming, Value,
};

/// The longest file that counts as small, in bytes.
pub(super) const SMALL: u64 = 256 << 10;
/// Content of all files of a batch, in bytes.
const BYTES: u64 = 2 << 20;
/// Files of a batch.
const MOST: usize = 64;
/// Bytes read ahead for puts that may have come together.
const AHEAD: usize = 64 << 10;

/// A small file that has come whole.
#[derive(Debug)]
struct Came {
    order: Order,
    content: Vec<u8>,
    /// What the sender says of it.
    value: Option<Value>,
    root: Option<Root>,
    /// Why it is not to land, if it is not.
    denied: Option<Denied>,
}

/// How one of a batch came out.
#[derive(Debug)]
struct Landed {
    path: RemotePath,
    /// How sure its end is, if it went well.
    proof: Outcome,
    result: Result<Stored, Denied>,
}

impl Order {
    /// Whether it goes the small files' road.
    pub(super) fn is_small(&self) -> bool {
        self.terms.pace == Pace::Eager && self.size <= SMALL
    }
}

impl Talk {
    /// Takes a small file in, and those that came right behind it.
    pub(super) async fn eager(
        &mut self,
        guard: &ConnGuard,
        codec: &mut dyn ServerCodec,
        first: Order,
    ) -> Result<After, Over> {
        guard.dials().set_phase(Phase::Receiving);
        let allowed = self.allows(Right::Upload).is_ok();
        let mut came: Vec<Came> = Vec::new();
        let mut xfers: Vec<Option<XferGuard>> = Vec::new();
        let mut next = Some(first);
        let mut bytes = 0;
        while let Some(order) = next.take() {
            let xfer = allowed.then(|| begin_transfer(guard, codec, &order, 0, None));
            bytes += order.size;
            let one = match self.take_small(guard, codec, order, xfer.as_ref()).await {
                Ok(one) => one,
                Err(over) => {
                    fail(xfers.into_iter().flatten().chain(xfer), &over);
                    return Err(over);
                }
            };
            came.push(one);
            xfers.push(xfer);
            if came.len() < MOST && bytes + SMALL <= BYTES {
                next = match self.next_small(guard, codec) {
                    Ok(next) => next,
                    Err(over) => {
                        fail(xfers.into_iter().flatten(), &over);
                        return Err(over);
                    }
                };
            }
        }
        // A sender may take its time: what is granted now is what counts.
        if let Err(denied) = self.still_allows(Right::Upload) {
            for xfer in xfers.into_iter().flatten() {
                xfer.end(Outcome::Failed, denied.cause, &denied.detail);
            }
            for one in came {
                self.refuse(guard, codec, one.order.path, denied.clone())
                    .await?;
            }
            return Ok(After::Next);
        }
        let gate = self.gate();
        let rights = self.rights();
        let landing = spawn_blocking(move || land(&gate, rights, came));
        let landed = at_work(guard, landing)
            .await
            .map_err(|gone| Over::Failed("disk", gone.to_string()))?;
        self.tell_landed(guard, codec, landed, xfers).await
    }

    /// Reads one small payload to its end. What is wrong with it is told at its turn.
    async fn take_small(
        &mut self,
        guard: &ConnGuard,
        codec: &mut dyn ServerCodec,
        order: Order,
        xfer: Option<&XferGuard>,
    ) -> Result<Came, Over> {
        let mut came = Came {
            order,
            content: Vec::new(),
            value: None,
            root: None,
            denied: None,
        };
        self.last = xfer.map(|xfer| Arc::clone(xfer.started()));
        loop {
            match self.next_piece(guard, codec).await? {
                Piece::Run { len, .. } => {
                    self.take_content(guard, &mut came.content, len).await?;
                    if let Some(xfer) = xfer {
                        xfer.add(len);
                    }
                }
                Piece::Sealed { value } => came.value = value,
                Piece::End { root } => {
                    came.root = root;
                    return Ok(came);
                }
                Piece::GivenUp(refusal) => {
                    came.denied = Some(super::store::given_up(refusal));
                    return Ok(came);
                }
            }
        }
    }

    async fn take_content(
        &mut self,
        guard: &ConnGuard,
        content: &mut Vec<u8>,
        len: u64,
    ) -> Result<(), Unkept> {
        let mut left = usize::try_from(len).unwrap_or(usize::MAX);
        loop {
            let here = left.min(self.input.len());
            content.extend_from_slice(&self.input[..here]);
            self.input.drain(..here);
            left -= here;
            if left == 0 {
                return Ok(());
            }
            self.read_more(guard, left.clamp(4 << 10, AHEAD)).await?;
        }
    }

    /// The next small put, if it has begun to come; nobody is waited for.
    fn next_small(
        &mut self,
        guard: &ConnGuard,
        codec: &mut dyn ServerCodec,
    ) -> Result<Option<Order>, Over> {
        if codec.upcoming(&self.input) == Upcoming::Unclear && self.input.len() < codec.head_limit()
        {
            match self.pipe.read_some(&mut self.input, AHEAD).now_or_never() {
                None | Some(Ok(0)) => return Ok(None),
                Some(Ok(read)) => guard.dials().add_in(read as u64),
                Some(Err(error)) => return Err(lost(&error)),
            }
        }
        // Only what goes this road is taken: for another the codec must not have begun.
        if !matches!(codec.upcoming(&self.input), Upcoming::Eager { size } if size <= SMALL) {
            return Ok(None);
        }
        let (used, request) = match codec.decode(&self.input) {
            Ok(Some(decoded)) => decoded,
            Ok(None) => return Ok(None),
            Err(malformed) => {
                // Told when what came before it has been answered.
                self.ahead = Some(malformed);
                return Ok(None);
            }
        };
        self.input.drain(..used);
        guard.dials().add_request();
        tell_request(guard, &request);
        let whose = self.whose(guard);
        Ok(match request {
            Request::Store { path, size, terms } => Some(Order {
                path,
                size,
                terms,
                whose,
            }),
            _ => None,
        })
    }

    /// Tells how each came out, in the order of the requests, in one go.
    async fn tell_landed(
        &mut self,
        guard: &ConnGuard,
        codec: &mut dyn ServerCodec,
        landed: Vec<Landed>,
        xfers: Vec<Option<XferGuard>>,
    ) -> Result<After, Over> {
        for (one, xfer) in landed.into_iter().zip(xfers) {
            let reply = match one.result {
                Ok(stored) => {
                    if let Some(xfer) = xfer {
                        let words = stored_words(&one.path, &stored.name);
                        xfer.end(one.proof, "", &words);
                    }
                    Reply::Stored(stored)
                }
                Err(denied) => {
                    if let Some(xfer) = xfer {
                        xfer.end(Outcome::Failed, denied.cause, &denied.detail);
                    }
                    tell_refusal(guard, one.path, &denied);
                    Reply::Refused(denied.refusal)
                }
            };
            codec.encode(&reply, &mut self.outlet.head);
        }
        self.last = None;
        guard.dials().set_phase(Phase::Sending);
        self.outlet.flush().await.map_err(super::leave::broken)?;
        Ok(After::Next)
    }
}

fn fail(xfers: impl Iterator<Item = XferGuard>, over: &Over) {
    for xfer in xfers {
        cut_off(xfer, over);
    }
}

/// Checks and lands files, all of them with one flush. Blocks.
fn land(gate: &Gate, rights: Rights, came: Vec<Came>) -> Vec<Landed> {
    let mut batch = None;
    // The root of each that was added, or why it was not.
    let added: Vec<_> = came
        .into_iter()
        .map(|one| {
            let (path, proof) = (one.order.path.clone(), one.order.proof());
            (path, proof, add(gate, rights, one, &mut batch))
        })
        .collect();
    let mut names = batch.map_or_else(Vec::new, Batch::commit).into_iter();
    let lost = || Denied {
        refusal: Refusal::Failed,
        cause: "disk",
        detail: "the batch has no word for it".to_owned(),
    };
    let landed = added.into_iter().map(|(path, proof, added)| {
        let result = added.and_then(|root| match names.next() {
            Some(Ok(name)) => Ok(Stored {
                name: name.into(),
                root,
            }),
            Some(Err(error)) => Err(kept(&error)),
            None => Err(lost()),
        });
        Landed {
            path,
            proof,
            result,
        }
    });
    landed.collect()
}

/// Checks one file and adds it to the batch.
fn add(
    gate: &Gate,
    rights: Rights,
    one: Came,
    batch: &mut Option<Batch>,
) -> Result<Option<Root>, Denied> {
    if let Some(denied) = one.denied {
        return Err(denied);
    }
    let checked = one.order.terms.check != Check::None;
    let root = checked.then(|| hash_small(&one.content));
    if one.content.len() as u64 != one.order.size {
        return Err(corrupt("it is shorter than it was said to be"));
    }
    let said = [one.value.map(Root), one.root];
    if checked && said.into_iter().flatten().any(|said| Some(said) != root) {
        return Err(corrupt("the content does not agree with its hash"));
    }
    let place = Place::find(gate, &one.order, rights)?;
    let batch = batch.get_or_insert_with(|| place.landing.batch());
    batch
        .add_in(
            &place.landing,
            &place.name,
            &one.content,
            one.order.terms.mtime,
            place.clash,
        )
        .map_err(|error| kept(&error))?;
    Ok(root)
}
