//! Where deck cuts a file: blocks of one length, and stretches of them.
//!
//! Arithmetic on announced sizes, each step safe for any size. It must never
//! know a frame or a hash.

use super::BLOCK;
use crate::net::wire::codec::Span;

/// How many blocks a file of `size` bytes has; an empty one has none.
pub(super) const fn count(size: u64) -> u64 {
    size.div_ceil(BLOCK)
}

/// How many of `left` bytes belong to the block that the byte at `at` is in.
pub(super) fn reach(at: u64, left: u64) -> u64 {
    left.min(BLOCK - at % BLOCK)
}

/// Whether a block may begin or a stretch end here: at a block's first byte or the file's end.
pub(super) const fn is_edge(at: u64, size: u64) -> bool {
    at == size || (at < size && at.is_multiple_of(BLOCK))
}

/// The bytes of a stretch of blocks that lies in the file: the first, the one behind the last.
pub(super) const fn bytes(span: Span, size: u64) -> (u64, u64) {
    let from = span.first.saturating_mul(BLOCK);
    let until = span.first.saturating_add(span.count).saturating_mul(BLOCK);
    (from, if until < size { until } else { size })
}

/// What is wrong with stretches of a file of so many blocks, if anything is: they
/// ascend without overlap, none is empty, none passes the end.
pub(super) fn fault(spans: &[Span], blocks: u64) -> Option<&'static str> {
    let mut next = 0;
    for span in spans {
        if span.count == 0 {
            return Some("an empty stretch");
        }
        if span.first < next {
            return Some("stretches that do not ascend");
        }
        match span.first.checked_add(span.count) {
            Some(end) if end <= blocks => next = end,
            _ => return Some("a stretch beyond the end"),
        }
    }
    None
}

/// How many blocks stretches have in all.
pub(super) fn total(spans: &[Span]) -> u64 {
    spans
        .iter()
        .fold(0, |sum, span| sum.saturating_add(span.count))
}
