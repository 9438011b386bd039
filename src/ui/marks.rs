//! Which entries of a folder are marked, and how many bytes they are together.
//!
//! Names are marked, not places, so marks outlive a new order and a reload. Count
//! and size are kept as marks come and go and as pages arrive; a frame only
//! reads them. Knows entries and nothing of rows, filters or screens.

use std::collections::HashMap;

use crate::entity::Entry;

/// The size of a marked entry, once a listing has shown it.
type Seen = Option<u64>;

/// The marks of one folder.
#[derive(Clone, Debug, Default)]
pub(super) struct Marks {
    names: HashMap<Box<str>, Seen>,
    /// How many entries of the newest listing have been looked at.
    looked_at: usize,
    count: usize,
    bytes: u64,
}

impl Marks {
    /// Marked entries that are there.
    pub(super) const fn count(&self) -> usize {
        self.count
    }

    /// Their bytes.
    pub(super) const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Whether nothing is marked, here or in a listing on its way.
    pub(super) fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    pub(super) fn holds(&self, entry: &Entry) -> bool {
        !self.names.is_empty() && self.names.contains_key(&entry.name)
    }

    pub(super) fn add(&mut self, entry: &Entry) {
        let seen = self.names.entry(entry.name.clone()).or_default();
        if seen.is_none() {
            *seen = Some(entry.size);
            self.count += 1;
            self.bytes = self.bytes.saturating_add(entry.size);
        }
    }

    /// Takes a mark away; true if there was one.
    pub(super) fn remove(&mut self, entry: &Entry) -> bool {
        let Some(seen) = self.names.remove(&entry.name) else {
            return false;
        };
        if let Some(size) = seen {
            self.count -= 1;
            self.bytes = self.bytes.saturating_sub(size);
        }
        true
    }

    pub(super) fn clear(&mut self) {
        self.names.clear();
        (self.count, self.bytes) = (0, 0);
    }

    /// A listing begins anew: what is marked has yet to be seen in it.
    pub(super) fn forget_sizes(&mut self) {
        self.names.values_mut().for_each(|seen| *seen = None);
        (self.looked_at, self.count, self.bytes) = (0, 0, 0);
    }

    /// Looks at the entries that arrived since the last look.
    pub(super) fn look_at(&mut self, entries: &[Entry]) {
        let new = entries.get(self.looked_at..).unwrap_or_default();
        self.looked_at = entries.len();
        for entry in new {
            if self.holds(entry) {
                self.add(entry);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entity::Kind;

    fn entry(name: &str, size: u64) -> Entry {
        Entry {
            name: name.into(),
            kind: Kind::File,
            size,
            mtime: 0,
        }
    }

    #[test]
    fn count_and_bytes_follow_marks_and_pages() {
        let mut marks = Marks::default();
        let listed = [entry("a", 1), entry("b", 2), entry("c", 4)];
        marks.look_at(&listed);
        for entry in &listed {
            marks.add(entry);
        }
        marks.add(&listed[0]);
        assert_eq!((marks.count(), marks.bytes()), (3, 7));
        assert!(marks.remove(&listed[1]) && !marks.remove(&listed[1]));
        assert_eq!((marks.count(), marks.bytes()), (2, 5));
        // Listed again: c has grown, a is gone, and one name comes twice.
        marks.forget_sizes();
        assert_eq!((marks.count(), marks.is_empty()), (0, false));
        let page = [entry("b", 2), entry("c", 9), entry("c", 9)];
        marks.look_at(&page[..2]);
        marks.look_at(&page);
        assert_eq!((marks.count(), marks.bytes()), (1, 9));
        marks.clear();
        assert_eq!((marks.count(), marks.is_empty()), (0, true));
    }
}
