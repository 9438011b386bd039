//! The values of one file while they become known, in any order.
//!
//! Values that follow each other lie in one run: 32 bytes each and a few words a
//! run, however long the file is said to be. It may know values and spans; it must
//! never know where they came from, nor whether they are true.

use std::collections::{BTreeMap, VecDeque};

use super::{blocks, merge};
use crate::entity::Root;
use crate::net::wire::codec::{Span, Value};

/// What a run takes beside its values, in bytes, at the most: its place in the map
/// and the smallest allocation of a deque.
const RUN_BYTES: usize = 192;
/// A deque that grew by doubling has up to as much room again as values.
const VALUE_BYTES: usize = 2 * size_of::<Value>();

/// The values of one file as they become known. Memory follows what was set, not the
/// announced size.
#[derive(Clone, Debug, Default)]
pub struct Growing {
    size: u64,
    known: u64,
    /// By the first block's number; no two touch.
    runs: BTreeMap<u64, VecDeque<Value>>,
}

impl Growing {
    /// Of a file of `size` bytes, none is known.
    pub fn new(size: u64) -> Self {
        Self {
            size,
            ..Self::default()
        }
    }

    /// The file's bytes.
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// How many values are known.
    pub const fn known(&self) -> u64 {
        self.known
    }

    /// Whether every value is known; an empty file has none to know.
    pub const fn is_whole(&self) -> bool {
        self.known == blocks(self.size)
    }

    /// Keeps a block's value, in place of an earlier one; a block behind the file's end
    /// is ignored.
    pub fn set(&mut self, index: u64, value: Value) {
        if index >= blocks(self.size) {
            return;
        }
        if let Some(known) = self.slot(index) {
            *known = value;
            return;
        }
        self.known += 1;
        let right = self.runs.remove(&(index + 1));
        if let Some(run) = self.before(index) {
            run.push_back(value);
            join(run, right.unwrap_or_default());
        } else {
            let mut run = right.unwrap_or_default();
            run.push_front(value);
            self.runs.insert(index, run);
        }
        if self.is_whole() {
            self.settle();
        }
    }

    /// Forgets a block's value, if it was known.
    pub fn clear(&mut self, index: u64) {
        let Some((&first, run)) = self.runs.range_mut(..=index).next_back() else {
            return;
        };
        let Some(at) = place(first, run, index) else {
            return;
        };
        let right = run.split_off(at + 1);
        run.pop_back();
        run.shrink_to_fit();
        if run.is_empty() {
            self.runs.remove(&first);
        }
        if !right.is_empty() {
            self.runs.insert(index + 1, right);
        }
        self.known -= 1;
    }

    /// A block's value, if it is known.
    pub fn get(&self, index: u64) -> Option<Value> {
        let (&first, run) = self.runs.range(..=index).next_back()?;
        run.get(place(first, run, index)?).copied()
    }

    /// The blocks whose values are not known, in order; no two spans touch.
    pub fn missing(&self) -> Vec<Span> {
        let mut missing = Vec::new();
        let mut next = 0;
        let end = (blocks(self.size), 0);
        let runs = self
            .runs
            .iter()
            .map(|(first, run)| (*first, run.len() as u64));
        for (first, count) in runs.chain([end]) {
            if next < first {
                missing.push(Span {
                    first: next,
                    count: first - next,
                });
            }
            next = first + count;
        }
        missing
    }

    /// The file's root, once every value is known; a merge of all, each time it is asked.
    pub fn root(&self) -> Option<Root> {
        merge(self.size, self.values()?)
    }

    /// Every value in order, once all are known.
    pub fn values(&self) -> Option<&[Value]> {
        if !self.is_whole() {
            return None;
        }
        match self.runs.get(&0).map(VecDeque::as_slices) {
            None => Some(&[]),
            // Put in one piece when the last one came.
            Some((all, [])) => Some(all),
            Some(_) => None,
        }
    }

    /// The memory this takes, in bytes, at the most.
    pub(super) fn weight(&self) -> usize {
        let known = usize::try_from(self.known).unwrap_or(usize::MAX);
        known
            .saturating_mul(VALUE_BYTES)
            .saturating_add(self.runs.len() * RUN_BYTES)
    }

    fn slot(&mut self, index: u64) -> Option<&mut Value> {
        let (&first, run) = self.runs.range_mut(..=index).next_back()?;
        let at = place(first, run, index)?;
        run.get_mut(at)
    }

    /// The run that ends right before a block.
    fn before(&mut self, index: u64) -> Option<&mut VecDeque<Value>> {
        let (&first, run) = self.runs.range_mut(..index).next_back()?;
        (first + run.len() as u64 == index).then_some(run)
    }

    /// One run holds all: without room for more, and in one piece.
    fn settle(&mut self) {
        if let Some(run) = self.runs.get_mut(&0) {
            // In this order: giving room back may cut it in two.
            run.shrink_to_fit();
            run.make_contiguous();
        }
    }
}

/// Where in a run a block stands, if it does.
fn place(first: u64, run: &VecDeque<Value>, index: u64) -> Option<usize> {
    let at = usize::try_from(index.checked_sub(first)?).ok()?;
    (at < run.len()).then_some(at)
}

/// Puts two runs together; the shorter one is moved, so that no order of blocks makes
/// many long moves.
fn join(left: &mut VecDeque<Value>, mut right: VecDeque<Value>) {
    if left.len() >= right.len() {
        left.append(&mut right);
        return;
    }
    for value in left.drain(..).rev() {
        right.push_front(value);
    }
    *left = right;
}

#[cfg(test)]
#[path = "growing_tests.rs"]
mod tests;
