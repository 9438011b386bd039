//! A file's BLAKE3 tree, cut at whole blocks of [`BLOCK`] bytes.
//!
//! What proves a block alone is its *value*, what proves the file is the root
//! they merge to: the very figure `b3sum` prints. Here is the arithmetic, the
//! values of one file as they become known ([`Growing`]), and what a server keeps
//! of them ([`Trees`]). It may know a value, a span and a version; it must never
//! know a file, a socket, a clock or who asks, and no size that a peer announced
//! makes it allocate: memory follows the values that are here.

mod growing;
mod kept;

use blake3::hazmat::{HasherExt as _, Mode, merge_subtrees_non_root, merge_subtrees_root};

pub use self::growing::Growing;
pub use self::kept::Trees;
use crate::entity::Root;
use crate::net::wire::codec::Value;

/// The length of every block but a file's last, in bytes: 4096 of BLAKE3's chunks, so
/// that each is a whole subtree (the BLAKE3 paper, 2.1).
pub const BLOCK: u64 = 4 << 20;

/// How many blocks a file of `size` bytes has; an empty file has none.
pub const fn blocks(size: u64) -> u64 {
    size.div_ceil(BLOCK)
}

/// The length of a block in bytes: 0 for one behind the file's end.
pub const fn block_len(size: u64, index: u64) -> u64 {
    len_in(size, index, BLOCK)
}

const fn len_in(size: u64, index: u64, block: u64) -> u64 {
    let left = size.saturating_sub(index.saturating_mul(block));
    if left < block { left } else { block }
}

/// Makes the value of one block out of its bytes, in pieces of any length.
///
/// About 2 KiB, never more. Pieces of 16 KiB and more are hashed at full speed, much smaller
/// ones are not: BLAKE3 takes many chunks side by side.
#[derive(Clone, Debug)]
pub struct BlockHasher {
    hasher: blake3::Hasher,
    /// The file has no other block: its value is the root itself.
    alone: bool,
    left: u64,
}

impl BlockHasher {
    /// Begins the block `index` of a file of `size` bytes.
    pub fn new(size: u64, index: u64) -> Self {
        Self::cut(size, index, BLOCK)
    }

    fn cut(size: u64, index: u64, block: u64) -> Self {
        let left = len_in(size, index, block);
        let mut hasher = blake3::Hasher::new();
        if left > 0 {
            hasher.set_input_offset(index * block);
        }
        Self {
            hasher,
            alone: size <= block,
            left,
        }
    }

    /// Takes the next bytes of the block; what lies behind its end is left out.
    pub fn update(&mut self, bytes: &[u8]) {
        let room = usize::try_from(self.left).unwrap_or(usize::MAX);
        let bytes = &bytes[..bytes.len().min(room)];
        self.hasher.update(bytes);
        self.left -= bytes.len() as u64;
    }

    /// Bytes that are still to come; the value says nothing before this is 0.
    pub const fn left(&self) -> u64 {
        self.left
    }

    /// The block's value; the root itself where the file is one block. Of a block
    /// that got no byte it is all zeros, which is no block's value.
    pub fn value(&self) -> Value {
        match (self.alone, self.hasher.count()) {
            (true, _) => *self.hasher.finalize().as_bytes(),
            (false, 0) => [0; 32],
            (false, _) => self.hasher.finalize_non_root(),
        }
    }
}

/// The root of a file whose block values these are, all of them and in order; `None`
/// if their number is not the file's. An empty file has a root of its own.
pub fn merge(size: u64, values: &[Value]) -> Option<Root> {
    if values.len() as u64 != blocks(size) {
        return None;
    }
    Some(match values {
        [] => hash_small(b""),
        [root] => Root(*root),
        _ => root_of(values),
    })
}

/// The root of a file that is here as a whole.
pub fn hash_small(content: &[u8]) -> Root {
    Root(*blake3::hash(content).as_bytes())
}

/// Merges two values and more. The left side of every pair is the largest complete
/// tree that leaves something for the right one (the BLAKE3 paper, 2.1).
fn root_of(values: &[Value]) -> Root {
    let (left, right) = halves(values);
    Root(*merge_subtrees_root(&value_of(left), &value_of(right), Mode::Hash).as_bytes())
}

fn value_of(values: &[Value]) -> Value {
    match values {
        // No caller has none: a half of two or more is never empty.
        [] => [0; 32],
        [value] => *value,
        _ => {
            let (left, right) = halves(values);
            merge_subtrees_non_root(&value_of(left), &value_of(right), Mode::Hash)
        }
    }
}

/// Splits two values and more where BLAKE3 does.
fn halves(values: &[Value]) -> (&[Value], &[Value]) {
    values.split_at(values.len().div_ceil(2).next_power_of_two())
}

#[cfg(test)]
#[path = "tree/tree_tests.rs"]
mod tests;
