//! A cursor that holds on to a thing, not to a line number.
//!
//! Rows come, go and change places between two frames; what the user chose is
//! remembered by its key and found again. When it is gone its neighbour takes
//! its place. Also holds which part of a long list is in view, so only that is
//! drawn. Knows keys and numbers, no rows and no screen.

use std::ops::Range;

/// Where the user is in a list of things known by `K`.
#[derive(Clone, Debug)]
pub(super) struct Cursor<K> {
    at: Option<K>,
    index: usize,
    len: usize,
    top: usize,
    height: usize,
}

impl<K> Default for Cursor<K> {
    fn default() -> Self {
        Self {
            at: None,
            index: 0,
            len: 0,
            top: 0,
            height: 1,
        }
    }
}

/// Where a chosen thing is among the rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// In this row.
    At(usize),
    /// Perhaps among rows that are still to come.
    NotYet,
    /// Nowhere.
    Gone,
}

/// A step through a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    Up,
    Down,
    HalfUp,
    HalfDown,
    PageUp,
    PageDown,
    First,
    Last,
}

impl<K: PartialEq> Cursor<K> {
    /// Finds the chosen thing among `len` rows again, or its neighbour if it is gone.
    ///
    /// `is` tells whether a row is a thing, `key` gives a row's. It walks the rows
    /// when the thing has moved: for short lists.
    pub(super) fn settle(
        &mut self,
        len: usize,
        is: impl Fn(usize, &K) -> bool,
        key: impl Fn(usize) -> K,
    ) {
        let found = self.at.as_ref().and_then(|at| {
            // Mostly it is where it was.
            if self.index < len && is(self.index, at) {
                return Some(self.index);
            }
            (0..len).find(|&row| is(row, at))
        });
        self.settle_at(len, found.map_or(Found::Gone, Found::At), key);
    }

    /// Goes to where the chosen thing was found among `len` rows, or to its neighbour.
    pub(super) fn settle_at(&mut self, len: usize, found: Found, key: impl Fn(usize) -> K) {
        self.len = len;
        if len == 0 {
            return;
        }
        self.index = self.index.min(len - 1);
        match found {
            Found::At(row) => self.index = row.min(len - 1),
            // It is not given up, only stands elsewhere for now.
            Found::NotYet if self.at.is_some() => {}
            Found::NotYet | Found::Gone => self.at = Some(key(self.index)),
        }
    }

    /// What is held on to, there or not.
    pub(super) const fn held(&self) -> Option<&K> {
        self.at.as_ref()
    }

    /// The chosen thing; `None` in an empty list.
    pub(super) fn current(&self) -> Option<&K> {
        self.at.as_ref().filter(|_| self.len > 0)
    }

    /// The row of the chosen thing.
    pub(super) const fn index(&self) -> usize {
        self.index
    }

    /// Chooses a thing wherever it will be found; if nowhere, the row it would be near.
    pub(super) fn seek(&mut self, key: K) {
        self.at = Some(key);
    }

    /// Back to the top, holding on to nothing.
    pub(super) fn reset(&mut self) {
        (self.at, self.index, self.top) = (None, 0, 0);
    }

    /// Chooses the thing in a row.
    pub(super) fn go(&mut self, row: usize, key: impl Fn(usize) -> K) {
        if self.len > 0 {
            self.index = row.min(self.len - 1);
            self.at = Some(key(self.index));
        }
    }

    /// Moves a step.
    pub(super) fn step(&mut self, step: Step, key: impl Fn(usize) -> K) {
        let page = self.height.saturating_sub(1).max(1);
        let half = (self.height / 2).max(1);
        let row = match step {
            Step::Up => self.index.saturating_sub(1),
            Step::Down => self.index + 1,
            Step::HalfUp => self.index.saturating_sub(half),
            Step::HalfDown => self.index + half,
            Step::PageUp => self.index.saturating_sub(page),
            Step::PageDown => self.index + page,
            Step::First => 0,
            Step::Last => self.len.saturating_sub(1),
        };
        self.go(row, key);
    }

    /// The rows in view when `height` fit, with the chosen one among them.
    pub(super) fn window(&mut self, height: u16) -> Range<usize> {
        self.height = usize::from(height).max(1);
        // A line of context above and below, where there is room for it.
        let margin = usize::from(self.height > 4);
        let lowest = (self.index + margin + 1).min(self.len);
        self.top = self
            .top
            .max(lowest.saturating_sub(self.height))
            .min(self.index.saturating_sub(margin))
            .min(self.len.saturating_sub(self.height));
        self.top..(self.top + usize::from(height)).min(self.len)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settle(cursor: &mut Cursor<u32>, rows: &[u32]) {
        cursor.settle(rows.len(), |row, key| rows[row] == *key, |row| rows[row]);
    }

    #[test]
    fn the_choice_follows_its_thing() {
        let mut cursor = Cursor::default();
        settle(&mut cursor, &[10, 20, 30]);
        cursor.step(Step::Down, |row| [10, 20, 30][row]);
        assert_eq!(cursor.current(), Some(&20));
        settle(&mut cursor, &[30, 5, 10, 20]);
        assert_eq!((cursor.current(), cursor.index()), (Some(&20), 3));
        settle(&mut cursor, &[30, 5, 10]);
        assert_eq!(cursor.current(), Some(&10));
        settle(&mut cursor, &[]);
        assert_eq!(cursor.current(), None);
        settle(&mut cursor, &[7, 10]);
        assert_eq!(cursor.current(), Some(&10));
    }

    #[test]
    fn the_window_holds_the_choice_and_is_never_longer_than_the_list() {
        let rows: Vec<u32> = (0..100).collect();
        let mut cursor = Cursor::default();
        settle(&mut cursor, &rows);
        assert_eq!(cursor.window(10), 0..10);
        cursor.step(Step::Last, |row| rows[row]);
        assert_eq!(cursor.window(10), 90..100);
        cursor.step(Step::PageUp, |row| rows[row]);
        assert!(cursor.window(10).contains(&cursor.index()));
        settle(&mut cursor, &rows[..3]);
        assert_eq!(cursor.window(10), 0..3);
        assert_eq!(cursor.window(0), 2..2);
    }
}
