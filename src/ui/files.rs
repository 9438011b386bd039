//! The remote pane: a folder with its marks, or the line that asks for a name.
//!
//! Folders first, one line an entry, only the window that fits. Where there is
//! nothing to show it says why and what to do. Names reach the screen by
//! `Entry::shown` alone.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

use crate::entity::{Entry, Kind};
use crate::event::{Link, ListingState};
use crate::model::Model;

use super::columns::{self, Column, Side, Slot, Width};
use super::format;
use super::header::spinner;
use super::paint::{self, Piece};
use super::screen::{Hit, Pane, Screen, SortBy};

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

/// Draws the pane; tells where the terminal's cursor belongs, if a name is typed.
pub(super) fn draw(
    buf: &mut Buffer,
    area: Rect,
    model: &Model,
    screen: &mut Screen,
) -> Option<(u16, u16)> {
    let theme = screen.theme;
    let focused = screen.focus == Pane::Files;
    let inner = paint::inside(area);
    screen.hit(area, Hit::Pane(Pane::Files));
    if screen.asks_for_names(model) {
        return super::prompt::draw(buf, area, model, screen);
    }
    titles(buf, area, model, screen);
    let folder = &model.remote.folder;
    let slots = slots(inner.width);
    if screen.files.rows.is_empty() {
        empty(buf, inner, model, screen);
        return None;
    }
    headings(buf, paint::row(inner, 0), &slots, screen);
    let mut body = below(inner);
    if let ListingState::Failed(why) = &folder.state {
        let line = paint::row(body, body.height.saturating_sub(1));
        let words = format!("✗ not all of it: {why}");
        paint::put(buf, paint::part(line, 2, line.width), &words, theme.bad());
        body.height = body.height.saturating_sub(1);
    }
    let window = screen.files.cursor.window(body.height);
    screen.hit(
        body,
        Hit::Rows {
            pane: Pane::Files,
            first: window.start,
        },
    );
    let span = screen.files.span(folder);
    for (n, row) in (0..body.height).zip(window) {
        if let Some(entry) = screen.files.entry(folder, row) {
            let chosen = row == screen.files.cursor.index();
            let marked = screen.files.marks.holds(entry) || span.contains(&row);
            let line = paint::row(body, n);
            draw_entry(
                buf,
                line,
                &slots,
                entry,
                screen,
                State {
                    chosen,
                    marked,
                    focused,
                },
            );
        }
    }
    None
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

/// `remote /iso (48)` at the left; marks, filter and sort at the right.
fn titles(buf: &mut Buffer, area: Rect, model: &Model, screen: &Screen) {
    let (theme, folder, files) = (screen.theme, &model.remote.folder, &screen.files);
    let room = (area.width / 2).saturating_sub(8).max(10);
    let path = format!("/{}", folder.path.shown());
    let mut left: Vec<Piece> = vec![
        ("remote ".to_owned(), theme.dim()),
        (format::cut_name(&path, room), theme.strong()),
    ];
    let whole = matches!(folder.state, ListingState::Whole)
        && !matches!(model.remote.link, Link::Lost { .. });
    // An empty folder counts 0 only when that is known.
    if !folder.entries.is_empty() || (folder.request > 0 && whole) {
        left.push((
            format!(" ({})", format::count(folder.entries.len() as u64)),
            theme.text(),
        ));
    }
    if folder.unlisted > 0 {
        let words = format!(
            "  {} not plain text, not listed",
            format::count(folder.unlisted)
        );
        left.push((words, theme.warn()));
    }
    if let Some((to, _)) = &files.opening {
        let words = format!(
            "  {} opening /{}",
            spinner(model),
            format::cut_name(to.shown().as_str(), 24)
        );
        left.push((words, theme.warn()));
    } else if is_loading(model) {
        left.push((format!("  {} loading", spinner(model)), theme.warn()));
    }
    let after = paint::title(buf, area, 1, &left);
    let mut right = paint::apart(state(model, screen));
    if after + paint::pieces_width(&right) + 4 > area.width {
        right.truncate(right.len().saturating_sub(2));
    }
    paint::title_right(buf, area, after, &right);
}

/// Marks, filter and sort in words; the sort last.
fn state(model: &Model, screen: &Screen) -> Vec<Piece> {
    let (theme, folder, files) = (screen.theme, &model.remote.folder, &screen.files);
    let mut right: Vec<Piece> = Vec::new();
    let marked = files.marks.count() as u64;
    if marked > 0 {
        let size = format::size_words(files.marks.bytes());
        let words = format!("● {} marked, {size}", format::count(marked));
        right.push((words, theme.mark()));
    } else if files.is_ranging() {
        right.push(("range: v ends it".to_owned(), theme.mark()));
    }
    if !files.filter.is_empty() {
        let text = format::cut(files.filter.text(), 20);
        let words = format!(
            "filter: {text}  {} of {}",
            files.rows.len(),
            folder.entries.len()
        );
        right.push((words, theme.warn()));
    }
    let sort = format!("sort: {} {}", files.sort.name(), files.order.sign());
    right.push((sort, theme.dim()));
    right
}

/// Whether more of the folder is on its way.
pub(super) fn is_loading(model: &Model) -> bool {
    matches!(model.remote.folder.state, ListingState::More)
        && matches!(model.remote.link, Link::Ready { .. })
}

fn headings(buf: &mut Buffer, line: Rect, slots: &[Slot<FileSort>], screen: &mut Screen) {
    let theme = screen.theme;
    let (sort, order) = (screen.files.sort, screen.files.order);
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
        screen.hit(place, Hit::Header(SortBy::File(slot.field)));
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

fn empty(buf: &mut Buffer, area: Rect, model: &Model, screen: &Screen) {
    let (theme, folder) = (screen.theme, &model.remote.folder);
    let wait = spinner(model);
    let (first, second, style) = match (&model.remote.link, &folder.state) {
        (Link::Lost { why, .. }, _) => (format!("✗ {why}"), "ctrl-r tries again", theme.bad()),
        (_, ListingState::Failed(why)) => (
            format!("✗ {why}"),
            "ctrl-r tries again, h goes out",
            theme.bad(),
        ),
        (Link::Connecting, _) => (
            format!("{wait} connecting to {}", model.about.subject),
            "",
            theme.text(),
        ),
        (_, ListingState::More) => (format!("{wait} loading"), "", theme.text()),
        (_, ListingState::Whole) if !folder.entries.is_empty() => (
            format!("none of {} matches the filter", folder.entries.len()),
            "Esc clears it, / changes it",
            theme.text(),
        ),
        (_, ListingState::Whole) if folder.path.is_root() => (
            "this server has nothing to fetch".to_owned(),
            "ctrl-r looks again",
            theme.text(),
        ),
        (_, ListingState::Whole) => (
            "this folder is empty".to_owned(),
            "h goes out",
            theme.text(),
        ),
    };
    let room = area.width.saturating_sub(4).max(1);
    let wrapped = paint::wrap(&first, room);
    let mut lines: Vec<(&str, Style)> = wrapped.iter().map(|line| (line.as_str(), style)).collect();
    lines.push((second, theme.dim()));
    paint::message(buf, area, &lines);
}
