//! Buffers that are lent for one turn of small files, and used again.
//!
//! A fresh one of a megabyte is 256 page faults, each with a page to be zeroed: more than
//! the reading itself. Those that come back are kept for the whole server, a handful of
//! them, so no connection keeps one. It knows bytes alone, and leaves the old ones in:
//! whoever borrows writes before he reads.

use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Mutex, PoisonError};

/// Buffers kept, in the whole server: as many turns as a few cores have under way at once.
const KEPT: usize = 4;

/// Where buffers wait that nobody has borrowed; the one that came last goes first, for it
/// is the one that lies in the cache.
#[derive(Debug, Default)]
pub(super) struct Shelf(Mutex<Vec<Vec<u8>>>);

/// A borrowed buffer; dropped, it goes back.
#[derive(Debug)]
pub(super) struct Loan {
    shelf: Arc<Shelf>,
    bytes: Vec<u8>,
}

impl Loan {
    /// A buffer of `len` bytes, whatever stands in them.
    pub(super) fn of(shelf: &Arc<Shelf>, len: usize) -> Self {
        let kept = shelf.0.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut bytes = kept.unwrap_or_else(|| vec![0; len]);
        bytes.resize(len, 0);
        Self {
            shelf: Arc::clone(shelf),
            bytes,
        }
    }
}

impl Deref for Loan {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes
    }
}

impl DerefMut for Loan {
    fn deref_mut(&mut self) -> &mut [u8] {
        &mut self.bytes
    }
}

impl Drop for Loan {
    fn drop(&mut self) {
        let mut kept = self.shelf.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() < KEPT {
            kept.push(std::mem::take(&mut self.bytes));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_back_is_used_again_and_only_a_handful_is_kept() {
        let shelf = Arc::new(Shelf::default());
        let mut first = Loan::of(&shelf, 8);
        first[0] = 7;
        drop(first);
        assert_eq!(&*Loan::of(&shelf, 8), [7, 0, 0, 0, 0, 0, 0, 0]);
        assert_eq!(Loan::of(&shelf, 9).len(), 9);
        let many: Vec<_> = (0..2 * KEPT).map(|_| Loan::of(&shelf, 8)).collect();
        drop(many);
        assert_eq!(shelf.0.lock().map(|shelf| shelf.len()).ok(), Some(KEPT));
    }
}
