//! Marks and ranges of a file pane, and the way out of what was begun.
//!
//! What is marked is known by name (`marks`); a range is what lies between the
//! entry it began at and the cursor. Knows the list and its entries, no screen.

use std::hash::Hash;

use crossterm::event::Event;

use super::{Entry, FileList, Kind, Listed, Step, compare, matches};

impl<P: Clone + Eq + Hash> FileList<P> {
    /// Marks or unmarks the chosen entry and goes down.
    pub(in super::super) fn mark(&mut self, entries: &[Entry]) {
        if self.anchor.is_some() {
            self.end_range(entries);
            return;
        }
        if let Some(entry) = self.chosen(entries)
            && !self.marks.remove(entry)
        {
            self.marks.add(entry);
        }
        self.step(Step::Down, entries);
    }

    /// Marks all files in view; if they are all marked, none.
    ///
    /// Those that have no place yet among them: for a key, not for a frame.
    pub(in super::super) fn mark_all(&mut self, entries: &[Entry]) {
        self.anchor = None;
        let wanted = self.filter.text().to_lowercase();
        let files = entries
            .iter()
            .filter(|entry| entry.kind == Kind::File && matches(&entry.name, &wanted));
        if files.clone().all(|entry| self.marks.holds(entry)) {
            for entry in files {
                self.marks.remove(entry);
            }
        } else {
            files.for_each(|entry| self.marks.add(entry));
        }
    }

    /// Begins a range at the cursor, or marks the one that was begun.
    pub(in super::super) fn range(&mut self, entries: &[Entry]) {
        if self.anchor.is_some() {
            self.end_range(entries);
        } else {
            let begun = self.chosen(entries).map(|entry| entry.name.clone());
            self.hold(entries);
            self.anchor = begun.map(|name| (name, self.at));
        }
    }

    fn end_range(&mut self, entries: &[Entry]) {
        for at in self.rows.window(self.span(entries)) {
            if let Some(entry) = entries.get(at) {
                self.marks.add(entry);
            }
        }
        self.anchor = None;
    }

    /// The rows between a range's anchor and the cursor; none without an anchor.
    pub(in super::super) fn span(&self, entries: &[Entry]) -> std::ops::Range<usize> {
        let anchor = self.anchor.as_ref().and_then(|(_, entry)| *entry);
        let anchor = anchor.and_then(|entry| self.row_of(entries, entry));
        anchor.map_or(0..0, |anchor| {
            let at = self.cursor.index();
            anchor.min(at)..(anchor.max(at) + 1).min(self.rows.len())
        })
    }

    /// The marked entries, in the folder's order of view; those a filter hides among them.
    /// Without marks the chosen one. Ends a range.
    ///
    /// It sorts them: for a key, not for a frame.
    pub(in super::super) fn meant<'m>(&mut self, folder: Listed<'m, P>) -> Vec<&'m Entry> {
        if self.anchor.is_some() {
            self.end_range(folder.entries);
        }
        let entries = folder.entries;
        let sort = (self.sort, self.order);
        let mut marked: Vec<u32> = (0..u32::try_from(entries.len()).unwrap_or(u32::MAX))
            .filter(|&at| {
                entries
                    .get(at as usize)
                    .is_some_and(|it| self.marks.holds(it))
            })
            .collect();
        marked.sort_unstable_by(|&a, &b| compare(entries, sort, a, b));
        if marked.is_empty() {
            return self.chosen(entries).into_iter().collect();
        }
        let entry = |at: u32| entries.get(at as usize);
        marked.into_iter().filter_map(entry).collect()
    }

    pub(in super::super) fn unmark(&mut self) {
        self.marks.clear();
        self.anchor = None;
    }

    pub(in super::super) const fn is_ranging(&self) -> bool {
        self.anchor.is_some()
    }

    /// Gives an input to the name being typed.
    pub(in super::super) fn type_name(&mut self, input: &Event) -> bool {
        let changed = self.prompt.take(input);
        if changed {
            self.picking = false;
        }
        changed
    }

    /// Undoes the nearest thing: a range, the filter, the marks. True if there was one.
    pub(in super::super) fn escape(&mut self) -> bool {
        if self.asks {
            let had = self.picking || !self.prompt.is_empty();
            self.picking = false;
            self.prompt.clear();
            return had;
        }
        if self.anchor.take().is_some() {
            return true;
        }
        if self.typing || !self.filter.is_empty() {
            self.typing = false;
            self.filter.clear();
            return true;
        }
        let had = !self.marks.is_empty();
        self.marks.clear();
        had
    }

    pub(in super::super) fn has_escape(&self) -> bool {
        if self.asks {
            self.picking || !self.prompt.is_empty()
        } else {
            self.anchor.is_some()
                || self.typing
                || !self.filter.is_empty()
                || !self.marks.is_empty()
        }
    }
}
