//! Which blocks of a file are still to be sent, and who takes the next.
//!
//! Pure: numbers in, numbers out. The line that has announced the file takes block by
//! block from the front, the others take lots from the back, each smaller than the one
//! before: so all are done at about the same time, and none waits for a slow one. It
//! knows block numbers; sockets, files and clocks it must never know.

use crate::net::wire::codec::Span;

/// The smallest lot, in blocks: a lot costs a round trip.
const LEAST: u64 = 4;

/// What is still to be sent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Lots {
    /// Ascending, without overlap.
    left: Vec<Span>,
}

impl Lots {
    /// All of these blocks, which ascend.
    pub(super) fn of(blocks: &[u64]) -> Self {
        let mut left: Vec<Span> = Vec::new();
        for &index in blocks {
            match left.last_mut() {
                Some(last) if last.first + last.count == index => last.count += 1,
                _ => left.push(Span {
                    first: index,
                    count: 1,
                }),
            }
        }
        Self { left }
    }

    /// How many blocks nobody has taken.
    pub(super) fn count(&self) -> u64 {
        self.left.iter().map(|span| span.count).sum()
    }

    /// The next block for the line that has announced the file.
    pub(super) fn block(&mut self) -> Option<u64> {
        let span = self.left.first_mut()?;
        let index = span.first;
        span.first += 1;
        span.count -= 1;
        if span.count == 0 {
            self.left.remove(0);
        }
        Some(index)
    }

    /// The next lot for one of so many other lines.
    pub(super) fn lot(&mut self, lines: usize) -> Option<Span> {
        // One part is for who takes block by block.
        let share = self.count() / (lines as u64 + 1);
        let span = self.left.last_mut()?;
        let count = share.max(LEAST).min(span.count);
        span.count -= count;
        let lot = Span {
            first: span.first + span.count,
            count,
        };
        if span.count == 0 {
            self.left.pop();
        }
        Some(lot)
    }

    /// What somebody took and did not bring; these blocks ascend.
    pub(super) fn give_back(&mut self, blocks: &[u64]) {
        for span in Self::of(blocks).left {
            let at = self.left.partition_point(|other| other.first < span.first);
            self.left.insert(at, span);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn span(first: u64, count: u64) -> Span {
        Span { first, count }
    }

    fn lots(blocks: std::ops::Range<u64>) -> Lots {
        Lots::of(&blocks.collect::<Vec<_>>())
    }

    #[test]
    fn blocks_come_from_the_front_and_lots_from_the_back() {
        let mut left = lots(0..256);
        assert_eq!(left.lot(3), Some(span(192, 64)));
        assert_eq!(left.block(), Some(0));
        assert_eq!(left.lot(3), Some(span(145, 47)));
        assert_eq!(left.lot(3), Some(span(109, 36)));
        assert_eq!(left.block(), Some(1));
        assert_eq!(left.count(), 107);
    }

    #[test]
    fn every_block_is_taken_once() {
        for lines in 0..5 {
            let wanted: Vec<u64> = (3..40).chain(50..51).chain(60..190).collect();
            let mut left = Lots::of(&wanted);
            let mut taken = Vec::new();
            while left.count() > 0 {
                taken.extend(left.block());
                if let Some(lot) = left.lot(lines) {
                    assert!(lot.count > 0);
                    taken.extend(lot.first..lot.first + lot.count);
                }
            }
            taken.sort_unstable();
            assert_eq!(taken, wanted);
            assert_eq!((left.block(), left.lot(lines)), (None, None));
        }
    }

    #[test]
    fn no_lot_reaches_over_a_gap() {
        let mut left = Lots::of(&[0, 1, 2, 3, 4, 7, 8]);
        assert_eq!(left.lot(1), Some(span(7, 2)));
        assert_eq!(left.lot(1), Some(span(1, 4)));
        assert_eq!(left.lot(1), Some(span(0, 1)));
        assert_eq!(left.lot(1), None);
    }

    #[test]
    fn what_comes_back_is_taken_again() {
        let mut left = lots(0..20);
        let lot = left.lot(3).map_or(span(0, 0), |lot| lot);
        assert_eq!(lot, span(15, 5));
        left.give_back(&[lot.first + 2, lot.first + 3, lot.first + 4]);
        left.give_back(&[]);
        let mut rest: Vec<u64> = std::iter::from_fn(|| left.block()).collect();
        rest.sort_unstable();
        assert_eq!(rest, (0..15).chain(17..20).collect::<Vec<_>>());
    }
}
