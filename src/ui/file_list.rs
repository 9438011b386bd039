//! What the user looks at in a remote folder: choice, marks, sort, filter, names typed.
//!
//! Entries are known by name, folders by path; the listing itself is the
//! model's. Listings come in pages and folders come late, so a wish (land on
//! the folder one came from) waits until its row is there. Draws nothing.

use std::collections::HashMap;
use std::time::Duration;

use crossterm::event::Event;

use crate::entity::{Entry, Kind, RemotePath};
use crate::event::{Link, ListingState};
use crate::remote::{Folder, Remote};

use super::fields::Order;
use super::file_sort::{FileSort, sort};
use super::line_input::LineInput;
use super::marks::Marks;
use super::select::{Cursor, Step};

/// While pages stream in, the rows are put in order no more often than this.
const RESORT: Duration = Duration::from_millis(300);

/// All the order of rows hangs on.
#[derive(Clone, Debug, PartialEq)]
struct Stamp {
    request: u64,
    edition: u64,
    sort: FileSort,
    order: Order,
    filter: String,
}

/// The state of the remote pane.
#[derive(Clone, Debug)]
pub(super) struct FileList {
    pub cursor: Cursor<Box<str>>,
    pub sort: FileSort,
    pub order: Order,
    pub filter: LineInput,
    pub typing: bool,
    /// The name being typed, where nothing can be listed.
    pub prompt: LineInput,
    /// Whether a remembered name is chosen instead of the typed one.
    pub picking: bool,
    /// Whether the server was last seen unable to list.
    pub asks: bool,
    /// Indices into the folder's entries, in view order.
    pub rows: Vec<usize>,
    /// The folder asked for and not there yet, and the request there was before.
    pub opening: Option<(RemotePath, u64)>,
    pub marks: Marks,
    anchor: Option<Box<str>>,
    path: RemotePath,
    request: u64,
    wish: Option<Box<str>>,
    left_at: HashMap<RemotePath, Box<str>>,
    stamp: Option<Stamp>,
    /// How many entries have been asked whether they become rows.
    placed: usize,
    /// When the rows were last put in order.
    arranged: Duration,
}

impl Default for FileList {
    fn default() -> Self {
        Self {
            cursor: Cursor::default(),
            sort: FileSort::Name,
            order: FileSort::Name.order(),
            filter: LineInput::default(),
            typing: false,
            prompt: LineInput::default(),
            picking: false,
            asks: false,
            rows: Vec::new(),
            opening: None,
            marks: Marks::default(),
            anchor: None,
            path: RemotePath::root(),
            request: 0,
            wish: None,
            left_at: HashMap::new(),
            stamp: None,
            placed: 0,
            arranged: Duration::ZERO,
        }
    }
}

impl FileList {
    /// Follows the model: a new folder, a new page, a new order.
    pub(super) fn refresh(&mut self, remote: &Remote, asks: bool, now: Duration) {
        let folder = &remote.folder;
        self.asks = asks;
        if let Some((_, before)) = &self.opening
            && (folder.request != *before || matches!(remote.link, Link::Lost { .. }))
        {
            self.opening = None;
        }
        if folder.request != self.request {
            self.request = folder.request;
            self.marks.forget_sizes();
            if folder.path != self.path {
                self.enter(&folder.path);
            }
        }
        self.marks.look_at(&folder.entries);
        self.arrange(folder, now);
        self.grant_wish(folder);
        let rows = &self.rows;
        let name = |row: usize| &folder.entries[rows[row]].name;
        self.cursor.settle(
            rows.len(),
            |row, at| name(row) == at,
            |row| name(row).clone(),
        );
    }

    fn enter(&mut self, path: &RemotePath) {
        self.path = path.clone();
        self.marks.clear();
        self.anchor = None;
        self.filter.clear();
        self.typing = false;
        self.cursor.reset();
        if self.wish.is_none() {
            self.wish = self.left_at.get(path).cloned();
        }
    }

    fn grant_wish(&mut self, folder: &Folder) {
        let Some(wish) = &self.wish else { return };
        if folder.path != self.path || self.opening.is_some() {
            return;
        }
        // Among the rows: what has arrived may not have its place yet.
        let is_there = |&at: &usize| folder.entries[at].name == *wish;
        if self.rows.iter().any(is_there) {
            self.cursor.seek(wish.clone());
            self.wish = None;
        } else if !matches!(folder.state, ListingState::More) {
            self.wish = None;
        }
    }

    fn arrange(&mut self, folder: &Folder, now: Duration) {
        let filter = if self.asks && !self.picking {
            self.prompt.text()
        } else {
            self.filter.text()
        };
        let stamp = Stamp {
            request: folder.request,
            edition: folder.edition,
            sort: self.sort,
            order: self.order,
            filter: filter.to_lowercase(),
        };
        let only_grew = match &self.stamp {
            Some(old) if *old == stamp => return,
            Some(old) => {
                *old == Stamp {
                    edition: old.edition,
                    ..stamp.clone()
                }
            }
            None => false,
        };
        if self.picking && self.asks {
            // What one picks from must not narrow under the cursor.
            self.rows.retain(|&at| at < folder.entries.len());
            return;
        }
        let streaming = matches!(folder.state, ListingState::More) && !self.rows.is_empty();
        if only_grew && streaming && now.saturating_sub(self.arranged) < RESORT {
            return;
        }
        if !only_grew {
            self.rows.clear();
            self.placed = 0;
        }
        let new = self.placed..folder.entries.len();
        let wanted = &stamp.filter;
        self.rows
            .extend(new.filter(|&at| matches(&folder.entries[at].name, wanted)));
        self.placed = folder.entries.len();
        if !self.asks {
            sort(&mut self.rows, &folder.entries, self.sort, self.order);
        }
        self.arranged = now;
        self.stamp = Some(stamp);
    }

    /// The entry in a row.
    pub(super) fn entry<'m>(&self, folder: &'m Folder, row: usize) -> Option<&'m Entry> {
        folder.entries.get(*self.rows.get(row)?)
    }

    /// The entry the cursor is on.
    pub(super) fn chosen<'m>(&self, folder: &'m Folder) -> Option<&'m Entry> {
        self.cursor.current()?;
        self.entry(folder, self.cursor.index())
    }

    pub(super) fn step(&mut self, step: Step, remote: &Remote) {
        if self.asks && !self.picking {
            self.picking = !self.rows.is_empty();
            return;
        }
        if self.asks && step == Step::Up && self.cursor.index() == 0 {
            self.picking = false;
            return;
        }
        self.wish = None;
        let rows = &self.rows;
        self.cursor
            .step(step, |row| remote.folder.entries[rows[row]].name.clone());
    }

    pub(super) fn go(&mut self, row: usize, folder: &Folder) {
        self.wish = None;
        self.picking = self.asks && row < self.rows.len();
        let rows = &self.rows;
        self.cursor
            .go(row, |row| folder.entries[rows[row]].name.clone());
    }

    /// Notes that a folder is being opened, and where to land in it.
    pub(super) fn depart(&mut self, to: RemotePath, land_on: Option<Box<str>>, folder: &Folder) {
        if let Some(at) = self.cursor.current() {
            self.left_at.insert(folder.path.clone(), at.clone());
        }
        self.wish = land_on;
        self.opening = Some((to, folder.request));
    }

    pub(super) fn sort_by(&mut self, by: FileSort) {
        self.order = if by == self.sort {
            self.order.reversed()
        } else {
            by.order()
        };
        self.sort = by;
    }

    /// Marks or unmarks the chosen entry and goes down.
    pub(super) fn mark(&mut self, remote: &Remote) {
        if self.anchor.is_some() {
            self.end_range(&remote.folder);
            return;
        }
        if let Some(entry) = self.chosen(&remote.folder)
            && !self.marks.remove(entry)
        {
            self.marks.add(entry);
        }
        self.step(Step::Down, remote);
    }

    /// Marks all files in view; if they are all marked, none.
    pub(super) fn mark_all(&mut self, folder: &Folder) {
        self.anchor = None;
        let files = self
            .rows
            .iter()
            .filter_map(|&at| folder.entries.get(at))
            .filter(|entry| entry.kind == Kind::File);
        if files.clone().all(|entry| self.marks.holds(entry)) {
            for entry in files {
                self.marks.remove(entry);
            }
        } else {
            files.for_each(|entry| self.marks.add(entry));
        }
    }

    /// Begins a range at the cursor, or marks the one that was begun.
    pub(super) fn range(&mut self, folder: &Folder) {
        if self.anchor.is_some() {
            self.end_range(folder);
        } else {
            self.anchor = self.cursor.current().cloned();
        }
    }

    fn end_range(&mut self, folder: &Folder) {
        for row in self.span(folder) {
            if let Some(entry) = self.rows.get(row).and_then(|&at| folder.entries.get(at)) {
                self.marks.add(entry);
            }
        }
        self.anchor = None;
    }

    /// The rows between a range's anchor and the cursor; none without an anchor.
    pub(super) fn span(&self, folder: &Folder) -> std::ops::Range<usize> {
        let anchor = self.anchor.as_ref().and_then(|anchor| {
            (0..self.rows.len()).find(|&row| {
                self.entry(folder, row)
                    .is_some_and(|entry| entry.name == *anchor)
            })
        });
        anchor.map_or(0..0, |anchor| {
            let at = self.cursor.index();
            anchor.min(at)..(anchor.max(at) + 1).min(self.rows.len())
        })
    }

    /// The marked entries, in the folder's order of view; those a filter hides among them.
    ///
    /// It sorts them: for a key, not for a frame.
    pub(super) fn marked<'m>(&self, folder: &'m Folder) -> Vec<&'m Entry> {
        let mut rows: Vec<usize> = (0..folder.entries.len())
            .filter(|&at| self.marks.holds(&folder.entries[at]))
            .collect();
        sort(&mut rows, &folder.entries, self.sort, self.order);
        rows.into_iter().map(|at| &folder.entries[at]).collect()
    }

    pub(super) fn unmark(&mut self) {
        self.marks.clear();
        self.anchor = None;
    }

    pub(super) const fn is_ranging(&self) -> bool {
        self.anchor.is_some()
    }

    /// Gives an input to the name being typed.
    pub(super) fn type_name(&mut self, input: &Event) -> bool {
        let changed = self.prompt.take(input);
        if changed {
            self.picking = false;
        }
        changed
    }

    /// Undoes the nearest thing: a range, the filter, the marks. True if there was one.
    pub(super) fn escape(&mut self) -> bool {
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

    pub(super) fn has_escape(&self) -> bool {
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

/// Whether a name has all the words of a filter in it, in any case; `wanted` is in small letters.
fn matches(name: &str, wanted: &str) -> bool {
    if wanted.is_empty() {
        return true;
    }
    let name = name.to_lowercase();
    wanted.split_whitespace().all(|word| name.contains(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_matches_words_in_any_case() {
        assert!(matches("Debian-12.ISO", "iso deb"));
        assert!(!matches("Debian-12.ISO", "iso ubuntu"));
        assert!(matches("anything", ""));
    }
}
