//! One upload as all its connections see it: which blocks are here, and which are in hand.
//!
//! A large file may come over several connections: one has announced it, the others
//! bring shares of it. No block is ever in two hands, so nobody writes where another
//! does. It knows block numbers, values and a parcel; it must never know a socket, a
//! codec or whose the upload is.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::incoming::Order;
use crate::entity::Root;
use crate::event::Started;
use crate::net::store::landing::{Parcel, Unlanded};
use crate::net::tree::{BLOCK, Growing, blocks};
use crate::net::wire::codec::{Check, Span, Value, Version};

/// Shares of one upload that may be open at once.
const SHARES: usize = 16;

/// An upload under way.
#[derive(Debug)]
pub(super) struct Joint {
    size: u64,
    check: Check,
    source: Version,
    parcel: Arc<Parcel>,
    blocks: Mutex<Blocks>,
    /// The transfer of the whole, once it has begun.
    whole: OnceLock<Arc<Started>>,
    /// Cancelled when no share has anything to bring any more.
    over: CancellationToken,
    /// Cancelled when its own connection is to bring no more.
    displaced: CancellationToken,
    /// When a byte of it moved last, in milliseconds since it began.
    moved: AtomicU64,
    began: Instant,
    /// Something in hand was let go.
    freed: Notify,
}

#[derive(Debug)]
struct Blocks {
    known: Growing,
    /// What is in hand now; no two overlap.
    held: Vec<Span>,
}

impl Joint {
    /// It ends with its connection, which `stop` tells.
    pub(super) fn new(order: &Order, parcel: Arc<Parcel>, stop: &CancellationToken) -> Self {
        Self {
            displaced: stop.child_token(),
            moved: AtomicU64::new(0),
            began: Instant::now(),
            size: order.size,
            check: order.terms.check,
            source: order.terms.source.clone(),
            parcel,
            blocks: Mutex::new(Blocks {
                known: Growing::new(order.size),
                held: Vec::new(),
            }),
            whole: OnceLock::new(),
            over: CancellationToken::new(),
            freed: Notify::new(),
        }
    }

    pub(super) const fn size(&self) -> u64 {
        self.size
    }

    pub(super) const fn parcel(&self) -> &Arc<Parcel> {
        &self.parcel
    }

    /// Whether blocks carry values.
    pub(super) fn is_checked(&self) -> bool {
        self.check != Check::None
    }

    /// Whether blocks are remembered one by one: a file of one block has none to go on from.
    pub(super) fn remembers(&self) -> bool {
        self.size > BLOCK && self.is_checked()
    }

    /// Whether this is what somebody wants to bring a share of.
    pub(super) fn is_for(&self, order: &Order) -> bool {
        (self.size, self.check, &self.source)
            == (order.size, order.terms.check, &order.terms.source)
    }

    /// The transfer of the whole has begun: from here on there may be shares.
    pub(super) fn begun(&self, whole: &Arc<Started>) {
        let _ = self.whole.set(Arc::clone(whole));
    }

    pub(super) fn whole(&self) -> Option<&Arc<Started>> {
        self.whole.get()
    }

    /// All of its blocks.
    pub(super) const fn all(&self) -> Span {
        Span {
            first: 0,
            count: blocks(self.size),
        }
    }

    /// A block is here and agrees with its value; or nobody checks.
    pub(super) fn learn(&self, index: u64, value: Value) {
        self.lock().known.set(index, value);
    }

    /// How many blocks are here.
    pub(super) fn known(&self) -> u64 {
        self.lock().known.known()
    }

    /// Nothing of it is to be believed, or to be gone on from.
    pub(super) fn forget(&self) {
        self.lock().known = Growing::new(self.size);
    }

    /// The root of what is here, once all of it is; none where nothing is checked.
    pub(super) fn root(&self) -> Option<Root> {
        self.is_checked()
            .then(|| self.lock().known.root())
            .flatten()
    }

    /// What of these blocks is not here.
    pub(super) fn missing(&self, of: Span) -> Vec<Span> {
        let end = of.first + of.count;
        let mut missing = self.lock().known.missing();
        missing.retain_mut(|gap| {
            let until = (gap.first + gap.count).min(end);
            gap.first = gap.first.max(of.first);
            gap.count = until.saturating_sub(gap.first);
            gap.count > 0
        });
        missing
    }

    /// What of these blocks is here.
    pub(super) fn here(&self, of: Span) -> Vec<Span> {
        let end = Span {
            first: of.first + of.count,
            count: 0,
        };
        let mut here = Vec::new();
        let mut next = of.first;
        for gap in self.missing(of).into_iter().chain([end]) {
            if next < gap.first {
                here.push(Span {
                    first: next,
                    count: gap.first - next,
                });
            }
            next = gap.first + gap.count;
        }
        here
    }

    /// Bytes of these blocks.
    pub(super) fn bytes(&self, of: &[Span]) -> u64 {
        let edge = |block: u64| block.saturating_mul(BLOCK).min(self.size);
        of.iter()
            .map(|span| edge(span.first + span.count) - edge(span.first))
            .sum()
    }

    /// Takes blocks in hand; `None` if one of them is in another's, or there are enough
    /// hands, or nothing is wanted any more.
    pub(super) fn hold(self: &Arc<Self>, wanted: Span) -> Option<Held> {
        let mut blocks = self.lock();
        let overlaps = |held: &Span| {
            held.first < wanted.first + wanted.count && wanted.first < held.first + held.count
        };
        // One hand is for who has announced it.
        let is_full = blocks.held.len() > SHARES;
        if is_full || blocks.held.iter().any(overlaps) {
            return None;
        }
        blocks.held.push(wanted);
        drop(blocks);
        Some(Held {
            joint: Arc::clone(self),
            span: wanted,
        })
    }

    /// Takes one block in hand that is not here yet.
    pub(super) fn hold_missing(self: &Arc<Self>, index: u64) -> Option<Held> {
        let one = Span {
            first: index,
            count: 1,
        };
        (!self.has(index)).then(|| self.hold(one)).flatten()
    }

    /// Whether a block is here.
    pub(super) fn has(&self, index: u64) -> bool {
        self.lock().known.get(index).is_some()
    }

    /// Ends when no share is wanted any more.
    pub(super) async fn over(&self) {
        self.over.cancelled().await;
    }

    /// Cancelled when no share is wanted any more.
    pub(super) const fn end(&self) -> &CancellationToken {
        &self.over
    }

    pub(super) fn is_over(&self) -> bool {
        self.over.is_cancelled()
    }

    /// Wants no share any more; those that are open are cut.
    pub(super) fn cut(&self) {
        self.over.cancel();
    }

    /// Wants no share any more, and waits until nothing is in hand.
    pub(super) async fn close(&self) {
        self.cut();
        loop {
            let freed = self.freed.notified();
            if self.lock().held.is_empty() {
                return;
            }
            freed.await;
        }
    }

    /// A byte of it has moved.
    pub(super) fn stir(&self) {
        let now = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.moved.store(now, Relaxed);
    }

    /// When one moved last, counted from its beginning, and how long ago that is.
    pub(super) fn moved(&self) -> (Duration, Duration) {
        let moved = Duration::from_millis(self.moved.load(Relaxed));
        (moved, self.began.elapsed().saturating_sub(moved))
    }

    /// Ends it: its sender goes on over another connection.
    pub(super) fn displace(&self) {
        self.displaced.cancel();
        self.cut();
    }

    /// Cancelled when its own connection is to bring no more.
    pub(super) const fn displaced(&self) -> &CancellationToken {
        &self.displaced
    }

    /// Writes down that a block is here, for the next try. Blocks.
    pub(super) fn keep(
        &self,
        index: u64,
        value: Value,
    ) -> impl FnOnce() -> Result<(), Unlanded> + Send + use<> {
        let parcel = self.remembers().then(|| Arc::clone(&self.parcel));
        move || match parcel {
            Some(parcel) => parcel.done(index, value),
            None => Ok(()),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Blocks> {
        // No code panics while it holds the lock; were it to, the data is still whole.
        self.blocks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Blocks in hand, until it is dropped.
#[derive(Debug)]
pub(super) struct Held {
    joint: Arc<Joint>,
    span: Span,
}

impl Drop for Held {
    fn drop(&mut self) {
        self.joint.lock().held.retain(|span| *span != self.span);
        self.joint.freed.notify_waiters();
    }
}

#[cfg(test)]
#[path = "joint_tests.rs"]
mod tests;
