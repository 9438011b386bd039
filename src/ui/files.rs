//! The two file panes: a remote folder (or the line that asks for a name), a local one.
//!
//! Folders first, one line an entry, only the window that fits. Where there is
//! nothing to show it says why and what to do. Names reach the screen by
//! `Entry::shown` alone.

mod titles;

use std::hash::Hash;
use std::path::PathBuf;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

use crate::entity::{DisplayName, Entry, Kind};
use crate::event::{Link, ListingState};
use crate::model::Model;

use super::columns::{self, Column, Side, Slot, Width};
use super::format;
use super::header::{again, spinner};
use super::paint;
use super::screen::{Hit, Pane, Screen, SortBy};

use super::fields::Order;
use super::file_list::{FileList, Listed};
use super::file_sort::FileSort;

/// Cells before the name: cursor and mark.
const MARK: u16 = 4;

const COLUMNS: [Column<FileSort>; 3] = [
    Column {
        field: FileSort::Name,
        title: "name",
        width: Width::Room(16, 16, 200),
        side: Side::Left,
        rank: 0,
    },
    Column {
        field: FileSort::Size,
        title: "size",
        width: Width::Fixed(format::SIZE),
        side: Side::Right,
        rank: 1,
    },
    Column {
        field: FileSort::Time,
        title: "modified",
        width: Width::Fixed(16),
        side: Side::Left,
        rank: 2,
    },
];

/// Draws the remote pane; tells where the terminal's cursor belongs, if a name is typed.
pub(super) fn draw(
    buf: &mut Buffer,
    area: Rect,
    model: &Model,
    screen: &mut Screen,
) -> Option<(u16, u16)> {
    screen.hit(area, Hit::Pane(Pane::Files));
    if screen.asks_for_names(model) {
        return super::prompt::draw(buf, area, model, screen);
    }
    titles::remote(buf, area, model, screen);
    // Out of the screen while it is drawn, which notes where everything is.
    let mut files = std::mem::take(&mut screen.files);
    let folder = (&model.remote.folder).into();
    if files.rows.is_empty() {
        let words = empty_remote(model, &files);
        empty(buf, paint::inside(area), words, screen);
    } else {
        let away = away(buf, paint::inside(area), model, screen);
        let part = Part {
            pane: Pane::Files,
            below: away,
        };
        list(buf, area, part, (&mut files, folder), screen);
    }
    screen.files = files;
    None
}

/// Draws the local pane.
pub(super) fn draw_local(buf: &mut Buffer, area: Rect, model: &Model, screen: &mut Screen) {
    screen.hit(area, Hit::Pane(Pane::Local));
    titles::local(buf, area, model, screen);
    let mut local = std::mem::take(&mut screen.local);
    let here = (&model.remote.here).into();
    if local.rows.is_empty() {
        let words = empty_local(model, &local);
        empty(buf, paint::inside(area), words, screen);
    } else {
        let part = Part {
            pane: Pane::Local,
            below: 0,
        };
        list(buf, area, part, (&mut local, here), screen);
    }
    screen.local = local;
}

/// Which pane is drawn, and the lines at its end that are taken.
#[derive(Clone, Copy)]
struct Part {
    pane: Pane,
    below: u16,
}

/// Why the link is gone, under a list that is from before; tells the lines it takes.
///
/// A changed key is said here too: it must not pass for a cable.
fn away(buf: &mut Buffer, inner: Rect, model: &Model, screen: &Screen) -> u16 {
    let Link::Lost { .. } = &model.remote.link else {
        return 0;
    };
    let (why, then, _) = empty_remote(model, &screen.files);
    let theme = screen.theme;
    let room = inner.width.saturating_sub(3).max(1);
    let mut lines: Vec<(String, Style)> = paint::wrap(&why, room)
        .into_iter()
        .map(|line| (line, theme.bad()))
        .collect();
    lines.push((then, theme.dim()));
    let rows = u16::try_from(lines.len())
        .unwrap_or(u16::MAX)
        .min(inner.height.saturating_sub(3));
    for (n, (line, style)) in (inner.height - rows..inner.height).zip(&lines) {
        let place = paint::part(paint::row(inner, n), 2, room);
        paint::put(buf, place, line, *style);
    }
    rows
}

/// Headings and the entries in view.
fn list<P: Clone + Eq + Hash>(
    buf: &mut Buffer,
    area: Rect,
    Part { pane, below: taken }: Part,
    (files, folder): (&mut FileList<P>, Listed<'_, P>),
    screen: &mut Screen,
) {
    let theme = screen.theme;
    let focused = screen.focus == pane;
    let inner = paint::inside(area);
    let slots = slots(inner.width);
    let sorted = (files.sort, files.order);
    headings(buf, paint::row(inner, 0), &slots, (pane, sorted), screen);
    let mut body = below(inner);
    body.height = body.height.saturating_sub(taken);
    if let ListingState::Failed(why) = folder.state {
        let line = paint::row(body, body.height.saturating_sub(1));
        let words = format!("✗ not all of it: {why}");
        paint::put(buf, paint::part(line, 2, line.width), &words, theme.bad());
        body.height = body.height.saturating_sub(1);
    }
    let window = files.cursor.window(body.height);
    let first = window.start;
    screen.hit(body, Hit::Rows { pane, first });
    let span = files.span(folder.entries);
    let rows = files.rows.window(window);
    for (n, (row, at)) in (0..body.height).zip((first..).zip(rows)) {
        let Some(entry) = folder.entries.get(at) else {
            continue;
        };
        let state = State {
            chosen: row == files.cursor.index(),
            marked: files.marks.holds(entry) || span.contains(&row),
            focused,
        };
        draw_entry(buf, paint::row(body, n), &slots, entry, screen, state);
    }
}

fn below(inner: Rect) -> Rect {
    Rect::new(
        inner.x,
        inner.y.saturating_add(1),
        inner.width,
        inner.height.saturating_sub(1),
    )
}

fn slots(width: u16) -> Vec<Slot<FileSort>> {
    let mut slots = columns::fit(&COLUMNS, width.saturating_sub(MARK + 1), 2);
    for slot in &mut slots {
        slot.x += MARK;
    }
    slots
}

/// Whether more of the folder is on its way.
pub(super) fn is_loading(model: &Model) -> bool {
    matches!(model.remote.folder.state, ListingState::More)
        && matches!(model.remote.link, Link::Ready { .. })
}

fn headings(
    buf: &mut Buffer,
    line: Rect,
    slots: &[Slot<FileSort>],
    (pane, (sort, order)): (Pane, (FileSort, Order)),
    screen: &mut Screen,
) {
    let theme = screen.theme;
    for slot in slots {
        let place = paint::part(line, slot.x, slot.width);
        let (words, style) = if slot.field == sort {
            (
                format!("{}{}", slot.title, order.sign()),
                theme.heading_sorted(),
            )
        } else {
            (slot.title.to_owned(), theme.heading())
        };
        match slot.side {
            Side::Left => {
                paint::put(buf, place, &words, style);
            }
            Side::Right => paint::put_right(buf, place, &words, style),
        }
        screen.hit(place, Hit::Header(pane, SortBy::File(slot.field)));
    }
}

#[derive(Clone, Copy)]
struct State {
    chosen: bool,
    marked: bool,
    focused: bool,
}

fn draw_entry(
    buf: &mut Buffer,
    line: Rect,
    slots: &[Slot<FileSort>],
    entry: &Entry,
    screen: &Screen,
    state: State,
) {
    let theme = screen.theme;
    let over = (state.chosen && state.focused).then(|| theme.selected());
    let pick = |style: Style| over.unwrap_or(style);
    if let Some(style) = over {
        buf.set_style(line.intersection(buf.area), style);
    }
    if state.chosen {
        paint::put(buf, paint::part(line, 0, 1), "▸", pick(theme.key()));
    }
    if state.marked {
        paint::put(buf, paint::part(line, 2, 1), "●", pick(theme.mark()));
    }
    let folder = entry.kind == Kind::Dir;
    for slot in slots {
        let place = paint::part(line, slot.x, slot.width);
        let (text, style) = match slot.field {
            FileSort::Name => {
                let name = entry.shown();
                let style = match (folder, state.marked) {
                    (_, true) => theme.mark(),
                    (true, false) => theme.folder(),
                    (false, false) => theme.text(),
                };
                let slash = if folder { "/" } else { "" };
                let room = slot.width.saturating_sub(u16::from(folder));
                (
                    format!("{}{slash}", format::cut_name(name.as_str(), room)),
                    style,
                )
            }
            FileSort::Size if folder => (format!("{:>4}    ", format::NOTHING), theme.dim()),
            FileSort::Size => (format::size(entry.size), theme.text()),
            FileSort::Time => (format::file_time(entry.mtime, &screen.tz), theme.dim()),
        };
        paint::put(buf, place, &text, pick(style));
    }
}

/// How bad an empty pane is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Tone {
    Calm,
    Bad,
}

/// What an empty pane says, and what can be done about it.
type Why = (String, String, Tone);

fn empty_remote(model: &Model, files: &FileList) -> Why {
    let folder = &model.remote.folder;
    let wait = spinner(model);
    match (&model.remote.link, &folder.state) {
        (Link::Lost { why, .. }, _) => {
            let again_in = model.remote.again(model.now);
            let then = match again_in {
                Some(left) => format!("{}; ctrl-r tries now", again(left)),
                None => "ctrl-r tries again".to_owned(),
            };
            let words = match &model.remote.lost {
                // Why it went says more than why it is not back; what ends all says it all.
                Some(first) if first != why && again_in.is_some() => {
                    format!("✗ {first}; now: {why}")
                }
                _ => format!("✗ {why}"),
            };
            (words, then, Tone::Bad)
        }
        (_, ListingState::Failed(why)) => bad(why, "ctrl-r tries again, h goes out"),
        (Link::Connecting, _) => {
            let words = format!("{wait} connecting to {}", model.about.subject);
            (words, String::new(), Tone::Calm)
        }
        (_, ListingState::More) => calm(&format!("{wait} loading"), ""),
        (_, ListingState::Whole) if !folder.entries.is_empty() => {
            none_matches(files, folder.entries.len(), wait)
        }
        (_, ListingState::Whole) if folder.path.is_root() => {
            calm("this server has nothing to fetch", "ctrl-r looks again")
        }
        (_, ListingState::Whole) => calm("this folder is empty", "h goes out"),
    }
}

fn empty_local(model: &Model, local: &FileList<PathBuf>) -> Why {
    let here = &model.remote.here;
    let wait = spinner(model);
    match &here.state {
        ListingState::Failed(why) => bad(why, "ctrl-r tries again, h goes out"),
        ListingState::More => calm(&format!("{wait} reading"), ""),
        ListingState::Whole if !here.entries.is_empty() => {
            none_matches(local, here.entries.len(), wait)
        }
        ListingState::Whole => calm("this folder is empty", "h goes out"),
    }
}

fn calm(words: &str, then: &str) -> Why {
    (words.to_owned(), then.to_owned(), Tone::Calm)
}

fn bad(why: &DisplayName, then: &str) -> Why {
    (format!("✗ {why}"), then.to_owned(), Tone::Bad)
}

fn none_matches<P: Clone + Eq + Hash>(list: &FileList<P>, of: usize, wait: &str) -> Why {
    let of = format::count(of as u64);
    if list.is_behind() {
        return calm(&format!("{wait} looking through {of}"), "");
    }
    let words = format!("none of {of} matches the filter");
    calm(&words, "Esc clears it, / changes it")
}

fn empty(buf: &mut Buffer, area: Rect, (first, second, tone): Why, screen: &Screen) {
    let theme = screen.theme;
    let style = match tone {
        Tone::Calm => theme.text(),
        Tone::Bad => theme.bad(),
    };
    let room = area.width.saturating_sub(4).max(1);
    let wrapped = paint::wrap(&first, room);
    let mut lines: Vec<(&str, Style)> = wrapped.iter().map(|line| (line.as_str(), style)).collect();
    lines.push((&second, theme.dim()));
    paint::message(buf, area, &lines);
}
