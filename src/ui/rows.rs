//! A long list kept in order while it grows: what the file panes show, by number.
//!
//! A million entries come a page at a time and every page belongs somewhere
//! into the middle. So the order lies in short blocks: a newcomer moves at most
//! one block, and a row is found by counting blocks. Every row holds the head of
//! what it is sorted by, so that names far away in memory are looked at only
//! where heads are equal. Knows numbers and a comparison; no entry, no screen.

use std::cmp::Ordering;
use std::ops::Range;

/// Rows in a block at the most; half of that after it is parted.
const BLOCK: usize = 256;
/// Bytes of a head.
pub(super) const HEAD: usize = 24;

/// An entry on its way to its row.
#[derive(Clone, Copy, Debug)]
pub(super) struct Row {
    /// How it sorts, as far as so many bytes tell.
    pub head: [u8; HEAD],
    /// The entry's number.
    pub entry: u32,
}

impl Row {
    /// Compares two; `tie` tells those apart whose heads are equal.
    fn compare(&self, other: &Self, tie: &impl Fn(u32, u32) -> Ordering) -> Ordering {
        let heads = self.head.cmp(&other.head);
        heads.then_with(|| tie(self.entry, other.entry))
    }
}

/// Numbers of entries in the order of view.
#[derive(Clone, Debug, Default)]
pub(super) struct Rows {
    /// None of them empty.
    blocks: Vec<Vec<Row>>,
    len: usize,
}

impl Rows {
    pub(super) const fn len(&self) -> usize {
        self.len
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.len == 0
    }

    pub(super) fn clear(&mut self) {
        self.blocks.clear();
        self.len = 0;
    }

    /// The entry in a row.
    pub(super) fn get(&self, row: usize) -> Option<usize> {
        self.window(row..row + 1).next()
    }

    /// The entries of some rows that follow each other.
    pub(super) fn window(&self, rows: Range<usize>) -> impl Iterator<Item = usize> + '_ {
        let mut skip = rows.start;
        let mut first = 0;
        for block in &self.blocks {
            if skip < block.len() {
                break;
            }
            skip -= block.len();
            first += 1;
        }
        let blocks = self.blocks.get(first..).unwrap_or_default();
        let entries = blocks.iter().flatten().skip(skip).take(rows.len());
        entries.map(|row| row.entry as usize)
    }

    /// All of them, from the top.
    #[cfg(test)]
    pub(super) fn iter(&self) -> impl Iterator<Item = usize> + '_ {
        self.window(0..self.len)
    }

    /// Puts new entries where they belong.
    pub(super) fn add(&mut self, new: &mut [Row], tie: impl Fn(u32, u32) -> Ordering) {
        new.sort_unstable_by(|a, b| a.compare(b, &tie));
        self.len += new.len();
        let mut from = 0;
        for row in &*new {
            // They come in order: none belongs before the one put last.
            let later = self.blocks.get(from..).unwrap_or_default();
            from += later.partition_point(|block| ends_before(block, row, &tie));
            if from == self.blocks.len() {
                // Behind all: the last block grows.
                from = from.saturating_sub(1);
            }
            self.insert(from, *row, &tie);
        }
    }

    fn insert(&mut self, at: usize, row: Row, tie: &impl Fn(u32, u32) -> Ordering) {
        let Some(block) = self.blocks.get_mut(at) else {
            self.blocks.push(vec![row]);
            return;
        };
        let place = block.partition_point(|other| other.compare(&row, tie).is_lt());
        block.insert(place, row);
        if block.len() >= BLOCK {
            let upper = block.split_off(BLOCK / 2);
            block.shrink_to_fit();
            self.blocks.insert(at + 1, upper);
        }
    }

    /// Which row an entry has; `None` if it has none.
    pub(super) fn position(&self, row: &Row, tie: impl Fn(u32, u32) -> Ordering) -> Option<usize> {
        let at = self
            .blocks
            .partition_point(|block| ends_before(block, row, &tie));
        let block = self.blocks.get(at)?;
        let place = block
            .binary_search_by(|other| other.compare(row, &tie))
            .ok()?;
        let before: usize = self.blocks[..at].iter().map(Vec::len).sum();
        Some(before + place)
    }

    /// Bytes it takes.
    #[cfg(test)]
    pub(super) fn bytes(&self) -> usize {
        let blocks = self.blocks.iter().map(Vec::capacity).sum::<usize>() * size_of::<Row>();
        blocks + self.blocks.capacity() * size_of::<Vec<Row>>()
    }
}

fn ends_before(block: &[Row], row: &Row, tie: &impl Fn(u32, u32) -> Ordering) -> bool {
    block
        .last()
        .is_some_and(|last| last.compare(row, tie).is_lt())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Numbers in no order, each once.
    fn shuffled(count: u32) -> Vec<u32> {
        let mut numbers: Vec<u32> = (0..count).collect();
        let mut state = 0x9e37_79b9_u32;
        for at in (1..numbers.len()).rev() {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            numbers.swap(at, state as usize % (at + 1));
        }
        numbers
    }

    /// Heads that tell a few apart, and leave the rest to the tie.
    fn row(entry: u32) -> Row {
        let mut head = [0; HEAD];
        head[..4].copy_from_slice(&(entry / 7).to_be_bytes());
        Row { head, entry }
    }

    #[test]
    fn what_comes_in_any_order_stands_in_order() {
        let numbers = shuffled(20_000);
        let mut rows = Rows::default();
        let mut sizes = [1_usize, 700, 3, 1500, 40].into_iter().cycle();
        let mut left = &numbers[..];
        while !left.is_empty() {
            let size = sizes.next().unwrap_or(1).min(left.len());
            let (page, rest) = left.split_at(size);
            let mut page: Vec<Row> = page.iter().map(|&entry| row(entry)).collect();
            rows.add(&mut page, |a, b| a.cmp(&b));
            left = rest;
        }
        assert_eq!(rows.len(), 20_000);
        assert!(rows.iter().eq(0..20_000));
        for at in [0, 511, 512, 1023, 9_999, 19_999] {
            assert_eq!(rows.get(at), Some(at));
            let entry = row(u32::try_from(at).unwrap_or(0));
            assert_eq!(rows.position(&entry, |a, b| a.cmp(&b)), Some(at));
        }
        assert_eq!(rows.get(20_000), None);
        assert_eq!(rows.position(&row(20_000), |a, b| a.cmp(&b)), None);
        assert_eq!(rows.window(1_020..1_030).count(), 10);
        assert_eq!(rows.window(19_995..20_010).count(), 5);
        rows.clear();
        assert!(rows.is_empty() && rows.get(0).is_none());
    }
}
