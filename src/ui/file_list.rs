//! What the user looks at in a folder, remote or local: choice, marks, sort, filter.
//!
//! Entries are known by name, folders by path; the listing itself is the
//! model's. Listings come in pages and folders come late, so a wish (land on
//! the folder one came from) waits until its row is there. However long a
//! folder is, a frame puts only so many entries in order and the next one goes
//! on. Draws nothing.

mod listed;
mod marking;

use std::cmp::Ordering;
use std::collections::HashMap;
use std::hash::Hash;
use std::time::Duration;

pub(super) use self::listed::Listed;
use crate::entity::{Entry, Kind, RemotePath};
use crate::event::ListingState;

use super::fields::Order;
use super::file_sort::{FileSort, compare, head};
use super::line_input::LineInput;
use super::marks::Marks;
use super::rows::{HEAD, Row, Rows};
use super::select::{Cursor, Found, Step};

/// While pages stream in, the rows are put in order no more often than this.
const RESORT: Duration = Duration::from_millis(300);
/// Entries put in order for one frame at the most: about ten milliseconds.
pub(super) const FRAME_WORK: usize = 8_000;
/// The same for one key: it has to be answered at once.
pub(super) const KEY_WORK: usize = 2_000;

/// All the order of rows hangs on, the pages left out.
#[derive(Clone, Debug, PartialEq)]
struct Stamp {
    request: u64,
    sort: FileSort,
    order: Order,
    filter: String,
    asks: bool,
}

/// The state of a file pane.
#[derive(Clone, Debug)]
pub(super) struct FileList<P = RemotePath> {
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
    /// Which entries are shown, in view order.
    pub rows: Rows,
    /// The folder asked for and not there yet, and the request there was before.
    pub opening: Option<(P, u64)>,
    pub marks: Marks,
    /// Where a range began: a name, and its entry once that is known.
    anchor: Option<(Box<str>, Option<u32>)>,
    path: P,
    request: u64,
    wish: Option<Box<str>>,
    left_at: HashMap<P, Box<str>>,
    stamp: Option<Stamp>,
    /// The entry the cursor holds on to, once it is known.
    at: Option<u32>,
    /// How many entries have been asked whether they become rows, and how many
    /// are to be asked in this round.
    placed: usize,
    goal: usize,
    /// When this round began.
    arranged: Duration,
}

impl<P: Default> Default for FileList<P> {
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
            rows: Rows::default(),
            opening: None,
            marks: Marks::default(),
            anchor: None,
            path: P::default(),
            request: 0,
            wish: None,
            left_at: HashMap::new(),
            stamp: None,
            at: None,
            placed: 0,
            goal: 0,
            arranged: Duration::ZERO,
        }
    }
}

impl<P: Clone + Eq + Hash> FileList<P> {
    /// Follows the model: a new folder, a new page, a new order; puts at most `work`
    /// entries in order.
    pub(super) fn refresh(&mut self, folder: Listed<'_, P>, now: Duration, work: usize) {
        if let Some((_, before)) = &self.opening
            && folder.request != *before
        {
            self.opening = None;
        }
        if folder.request != self.request {
            self.request = folder.request;
            self.marks.forget_sizes();
            self.at = None;
            if let Some((_, entry)) = &mut self.anchor {
                *entry = None;
            }
            if folder.path == &self.path {
                // Listed again: the choice waits until its name comes.
                let held = self.cursor.held().cloned();
                self.wish = self.wish.take().or(held);
            } else {
                self.enter(folder.path);
            }
        }
        self.marks.look_at(folder.entries);
        self.arrange(folder, now, work);
        self.settle(folder);
    }

    /// The folder that was asked for will not come.
    pub(super) fn give_up_opening(&mut self) {
        self.opening = None;
    }

    /// Whether entries wait for the next frame to get their place.
    pub(super) const fn is_behind(&self) -> bool {
        self.placed < self.goal
    }

    fn enter(&mut self, path: &P) {
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

    fn settle(&mut self, folder: Listed<'_, P>) {
        let found = self.at.and_then(|at| {
            let row = self.cursor.index();
            if self.rows.get(row) == Some(at as usize) {
                return Some(row);
            }
            self.row_of(folder.entries, at)
        });
        let coming = self.is_behind()
            || self.placed < folder.entries.len()
            || matches!(folder.state, ListingState::More);
        let found = match found {
            Some(row) => Found::At(row),
            None if coming && (self.at.is_some() || self.wish.is_some()) => Found::NotYet,
            None => Found::Gone,
        };
        if !coming && self.opening.is_none() {
            self.wish = None;
        }
        let (rows, entries) = (&self.rows, folder.entries);
        self.cursor
            .settle_at(rows.len(), found, |row| name_in(rows, entries, row));
        if found == Found::Gone {
            self.hold(folder.entries);
        }
    }

    /// Remembers which entry the cursor is on.
    fn hold(&mut self, entries: &[Entry]) {
        let entry = self.rows.get(self.cursor.index());
        self.at = entry
            .filter(|&at| at < entries.len())
            .and_then(|at| u32::try_from(at).ok());
    }

    /// An entry as the order of view knows it.
    fn row(&self, entry: &Entry, at: u32) -> Row {
        let head = if self.asks {
            [0; HEAD]
        } else {
            head(entry, (self.sort, self.order))
        };
        Row { head, entry: at }
    }

    /// The row an entry has, if it has one.
    fn row_of(&self, entries: &[Entry], at: u32) -> Option<usize> {
        let row = self.row(entries.get(at as usize)?, at);
        self.rows.position(&row, self.comparing(entries))
    }

    /// How two entries with one head are told apart in the order of view.
    fn comparing<'e>(&self, entries: &'e [Entry]) -> impl Fn(u32, u32) -> Ordering + use<'e, P> {
        let (sort, asks) = ((self.sort, self.order), self.asks);
        move |a, b| {
            if asks {
                // Remembered names stand as they come.
                a.cmp(&b)
            } else {
                compare(entries, sort, a, b)
            }
        }
    }

    fn arrange(&mut self, folder: Listed<'_, P>, now: Duration, work: usize) {
        let filter = if self.asks && !self.picking {
            self.prompt.text()
        } else {
            self.filter.text()
        };
        let stamp = Stamp {
            request: folder.request,
            sort: self.sort,
            order: self.order,
            filter: filter.to_lowercase(),
            asks: self.asks,
        };
        let listed_anew =
            |old: &Stamp| old.request != stamp.request || folder.entries.len() < self.placed;
        let only_grew = match &self.stamp {
            // What one picks from must not narrow under the cursor.
            Some(old) if self.picking && self.asks && !listed_anew(old) => return,
            Some(old) => *old == stamp && !listed_anew(old),
            None => false,
        };
        if !only_grew {
            self.rows.clear();
            (self.placed, self.goal) = (0, 0);
        }
        self.stamp = Some(stamp);
        if !self.is_behind() {
            let streaming = matches!(folder.state, ListingState::More) && !self.rows.is_empty();
            let soon = now.saturating_sub(self.arranged) < RESORT;
            if self.placed == folder.entries.len() || (only_grew && streaming && soon) {
                return;
            }
            (self.goal, self.arranged) = (folder.entries.len(), now);
        }
        self.place(folder, work);
    }

    /// Gives the next entries their places: so many, and no more than belong to this round.
    fn place(&mut self, folder: Listed<'_, P>, work: usize) {
        let wanted = self
            .stamp
            .as_ref()
            .map_or_else(String::new, |stamp| stamp.filter.clone());
        // To ask whether a name matches costs a fifth of finding its place.
        let (mut asked, mut new) = (0, Vec::new());
        while self.placed < self.goal && new.len() + asked / 5 < work {
            let Some(entry) = folder.entries.get(self.placed) else {
                break;
            };
            let at = u32::try_from(self.placed).unwrap_or(u32::MAX);
            self.placed += 1;
            self.recognise(entry, at);
            if matches(&entry.name, &wanted) {
                new.push(self.row(entry, at));
            } else {
                asked += 1;
            }
        }
        let order = self.comparing(folder.entries);
        self.rows.add(&mut new, order);
    }

    /// Notes an entry whose name is waited for.
    fn recognise(&mut self, entry: &Entry, at: u32) {
        if self.wish.as_ref() == Some(&entry.name) && self.opening.is_none() {
            self.wish = None;
            self.cursor.seek(entry.name.clone());
            self.at = Some(at);
        }
        if let Some((name, known @ None)) = &mut self.anchor
            && *name == entry.name
        {
            *known = Some(at);
        }
    }

    /// The entry in a row.
    pub(super) fn entry<'m>(&self, entries: &'m [Entry], row: usize) -> Option<&'m Entry> {
        entries.get(self.rows.get(row)?)
    }

    /// The entry the cursor is on.
    pub(super) fn chosen<'m>(&self, entries: &'m [Entry]) -> Option<&'m Entry> {
        self.cursor.current()?;
        self.entry(entries, self.cursor.index())
    }

    pub(super) fn step(&mut self, step: Step, entries: &[Entry]) {
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
        self.cursor.step(step, |row| name_in(rows, entries, row));
        self.hold(entries);
    }

    pub(super) fn go(&mut self, row: usize, entries: &[Entry]) {
        self.wish = None;
        self.picking = self.asks && row < self.rows.len();
        let rows = &self.rows;
        self.cursor.go(row, |row| name_in(rows, entries, row));
        self.hold(entries);
    }

    /// Notes that a folder is being opened, and where to land in it.
    pub(super) fn depart(&mut self, to: P, land_on: Option<Box<str>>, folder: Listed<'_, P>) {
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
}

fn name_in(rows: &Rows, entries: &[Entry], row: usize) -> Box<str> {
    let entry = rows.get(row).and_then(|at| entries.get(at));
    entry.map_or_else(Box::default, |entry| entry.name.clone())
}

/// Whether a name has all the words of a filter in it, in any case; `wanted` is in small letters.
fn matches(name: &str, wanted: &str) -> bool {
    wanted.is_empty() || {
        let has = |word: &str| {
            if name.is_ascii() {
                let word = word.as_bytes();
                name.as_bytes()
                    .windows(word.len())
                    .any(|part| part.eq_ignore_ascii_case(word))
            } else {
                name.to_lowercase().contains(word)
            }
        };
        wanted.split_whitespace().all(has)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_matches_words_in_any_case() {
        assert!(matches("Debian-12.ISO", "iso deb"));
        assert!(!matches("Debian-12.ISO", "iso ubuntu"));
        assert!(matches("anything", ""));
        assert!(matches("GRÖSSE.txt", "größe") || matches("GRÖSSE.txt", "grösse"));
        assert!(!matches("ab", "abc") && !matches("", "a"));
    }
}
