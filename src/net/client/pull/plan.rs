//! Which blocks of a file are here, who is to bring the others, and what was bad.
//!
//! Pure: numbers in, numbers out. Several lines share one plan behind a lock. It
//! knows block numbers and values; sockets, files and clocks it must never know.

use std::collections::{HashMap, VecDeque};

use crate::entity::Root;
use crate::net::tree::{BLOCK, Growing, block_len, blocks};
use crate::net::wire::codec::{Check, Value};

/// How often a bad block comes again before the server's own tree is doubted.
const AGAIN: u8 = 3;
/// The smallest part of a file that is asked for by itself, in blocks: a lot is a round trip.
const LEAST: u64 = 4;

/// Blocks that follow each other, for one line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lot {
    /// The first block's number.
    pub first: u64,
    /// How many; 0 only for an empty file.
    pub count: u64,
    /// How they are to be checked.
    pub doubt: Doubt,
}

/// Whether the server's tree is believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Doubt {
    /// It is.
    None,
    /// It has to be made anew.
    Tree,
}

impl Lot {
    /// The check to ask for, where `usual` is what was told.
    pub fn check(&self, usual: Check) -> Check {
        match self.doubt {
            Doubt::None => usual,
            Doubt::Tree => Check::Anew,
        }
    }
}

/// What becomes of a bad block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It comes again.
    Again,
    /// It was bad too often.
    Hopeless,
}

/// One file on its way.
#[derive(Debug)]
pub struct Plan {
    size: u64,
    growing: Growing,
    done: u64,
    todo: VecDeque<Lot>,
    /// How many lines bring them.
    lines: u64,
    bad: HashMap<u64, u8>,
    theirs: Option<Root>,
    doubted: bool,
}

impl Plan {
    /// Nothing is here yet.
    pub fn new(size: u64) -> Self {
        Self {
            size,
            growing: Growing::new(size),
            done: 0,
            todo: VecDeque::new(),
            lines: 1,
            bad: HashMap::new(),
            theirs: None,
            doubted: false,
        }
    }

    /// A block is here and checked.
    pub fn have(&mut self, index: u64, value: Value) {
        if self.growing.get(index).is_none() {
            self.done += block_len(self.size, index);
        }
        self.growing.set(index, value);
    }

    /// A block has to come again after all, and what is known of the root is void.
    pub fn lose(&mut self, index: u64) {
        if self.growing.get(index).is_some() {
            self.done -= block_len(self.size, index);
        }
        self.growing.clear(index);
        self.bad.insert(index, AGAIN);
        self.theirs = None;
    }

    /// A block's value, if the block is here.
    pub fn value(&self, index: u64) -> Option<Value> {
        self.growing.get(index)
    }

    /// Bytes of the blocks that are here.
    pub const fn done_bytes(&self) -> u64 {
        self.done
    }

    /// Bytes of the blocks that are not.
    pub const fn missing_bytes(&self) -> u64 {
        self.size - self.done
    }

    /// Whether every block is here.
    pub const fn is_done(&self) -> bool {
        self.done == self.size
    }

    /// Lays out what is missing for so many lines: see [`Self::next`].
    pub fn share(&mut self, lines: usize) {
        self.todo.clear();
        self.lines = lines.max(1) as u64;
        if self.size == 0 {
            self.todo.push_back(Lot {
                first: 0,
                count: 0,
                doubt: Doubt::None,
            });
            return;
        }
        for span in self.growing.missing() {
            let (mut first, end) = (span.first, span.first + span.count);
            while first < end {
                // Doubted blocks come alone: the others' tree is believed. Only what was
                // bad is looked through: a server may announce any number of blocks.
                let doubted = self.bad.iter().filter(|(_, bad)| **bad >= AGAIN);
                let next = doubted
                    .map(|(index, _)| *index)
                    .filter(|index| (first..end).contains(index))
                    .min();
                let (count, doubt) = match next {
                    Some(index) if index == first => (1, Doubt::Tree),
                    Some(index) => (index - first, Doubt::None),
                    None => (end - first, Doubt::None),
                };
                self.todo.push_back(Lot {
                    first,
                    count,
                    doubt,
                });
                first += count;
            }
        }
    }

    /// The next lot for a line that is free: its share of what is left, so that lots get
    /// smaller, and all lines are done at about the same time.
    pub fn next(&mut self) -> Option<Lot> {
        let left: u64 = self.todo.iter().map(|lot| lot.count).sum();
        let share = left.div_ceil(self.lines).max(LEAST);
        let mut lot = self.todo.pop_front()?;
        if lot.count > share {
            self.todo.push_front(Lot {
                first: lot.first + share,
                count: lot.count - share,
                doubt: lot.doubt,
            });
            lot.count = share;
        }
        Some(lot)
    }

    /// What a line could not bring.
    pub fn give_back(&mut self, lot: Lot) {
        if lot.count > 0 || self.size == 0 {
            self.todo.push_front(lot);
        }
    }

    /// A block did not agree with its value.
    pub fn spoilt(&mut self, index: u64) -> Verdict {
        let times = self.bad.entry(index).or_insert(0);
        *times += 1;
        if *times > AGAIN + 1 {
            return Verdict::Hopeless;
        }
        let doubt = if *times > AGAIN {
            Doubt::Tree
        } else {
            Doubt::None
        };
        self.todo.push_back(Lot {
            first: index,
            count: 1,
            doubt,
        });
        Verdict::Again
    }

    /// The root that follows from the blocks, once all are here.
    pub fn root(&self) -> Option<Root> {
        self.growing.root()
    }

    /// The server's word for the root, if it gave one.
    pub const fn theirs(&self) -> Option<Root> {
        self.theirs
    }

    /// The server has said the root.
    pub fn hear_root(&mut self, root: Root) {
        self.theirs = Some(root);
    }

    /// Says that the root did not agree; true if that was said before.
    pub fn doubted(&mut self) -> bool {
        std::mem::replace(&mut self.doubted, true)
    }

    /// Where a lot begins in the file, and the byte behind it, or `None` for the end.
    pub fn reach(size: u64, lot: &Lot) -> (u64, Option<u64>) {
        let end = lot.first + lot.count;
        let until = (end < blocks(size)).then_some(end * BLOCK);
        (lot.first * BLOCK, until)
    }
}

#[cfg(test)]
#[path = "plan_tests.rs"]
mod tests;
