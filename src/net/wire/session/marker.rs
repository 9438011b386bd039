//! The 1,024 spaces: where a run of them ends, and what is held back meanwhile.
//!
//! Knows runs of spaces and nothing of messages. It must never look at a byte
//! more than a few times: whole uploads pass through here.

use std::ops::Range;

use super::MARKER;

/// The first run of at least 1,024 spaces that begins at `from` or later, whole
/// as far as `input` goes.
pub(super) fn long_run(input: &[u8], from: usize) -> Option<Range<usize>> {
    let mut at = from;
    while let Some(window) = input.get(at..at + MARKER) {
        match window.iter().rposition(|&byte| byte != b' ') {
            Some(last) => at += last + 1,
            None => return Some(at..at + leading(&input[at..])),
        }
    }
    None
}

/// How many spaces `input` begins with.
pub(super) fn leading(input: &[u8]) -> usize {
    input.iter().take_while(|&&byte| byte == b' ').count()
}

/// How many spaces `input` ends with; 1,024 at the most.
pub(super) fn trailing(input: &[u8]) -> usize {
    let spaces = input.iter().rev().take(MARKER);
    spaces.take_while(|&&byte| byte == b' ').count()
}
