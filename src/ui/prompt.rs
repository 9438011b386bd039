//! The desk of a server that cannot list: one line, and what helps to fill it.
//!
//! Letters are text here. Where a name to fetch is typed, it narrows the
//! remembered names, and an arrow chooses one of them instead; where a file to
//! send or a new name is typed, a few words say how.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

use crate::model::Model;

use super::desk::Mode;
use super::format;
use super::paint;
use super::screen::{Hit, Pane, Screen};

/// Draws the pane; tells where the terminal's cursor belongs while a name is typed.
pub(super) fn draw(
    buf: &mut Buffer,
    area: Rect,
    model: &Model,
    screen: &mut Screen,
) -> Option<(u16, u16)> {
    let theme = screen.theme;
    let inner = paint::inside(area);
    let offers = screen.desk.offers;
    let about = match (offers.gets, offers.puts) {
        (false, true) => "  this server only takes files",
        _ => "  this server does not list its files",
    };
    let about = about.to_owned();
    let title = [("remote".to_owned(), theme.strong()), (about, theme.dim())];
    paint::title(buf, area, 1, &title);
    let cursor = line(buf, paint::row(inner, 0), screen);
    if screen.desk.mode != Mode::Get {
        hints(buf, inner, model, screen);
        return cursor;
    }
    let known = !model.remote.folder.entries.is_empty();
    let words = match (known, screen.files.rows.is_empty()) {
        (false, _) => "names that worked will be kept here",
        (true, true) => "no remembered name has this in it",
        (true, false) => "names that worked before, ↓ chooses:",
    };
    let place = paint::part(paint::row(inner, 2), 1, inner.width.saturating_sub(1));
    paint::put(buf, place, words, theme.dim());
    let above = 3.min(inner.height);
    let body = Rect::new(inner.x, inner.y + above, inner.width, inner.height - above);
    names(buf, body, model, screen);
    cursor
}

/// The line being typed.
fn line(buf: &mut Buffer, line: Rect, screen: &Screen) -> Option<(u16, u16)> {
    let theme = screen.theme;
    let label = screen.desk.mode.label();
    let after = 1 + paint::put(buf, paint::part(line, 1, line.width), label, theme.key());
    let place = paint::part(line, after, line.width.saturating_sub(after + 1));
    let (text, cursor) = screen.files.prompt.shown(place.width);
    paint::put(buf, place, &text, theme.strong());
    let typing = screen.focus == Pane::Files && !screen.files.picking && place.width > 0;
    typing.then_some((place.x + cursor, place.y))
}

/// How the line is filled; under it the newest answer to a rename.
fn hints(buf: &mut Buffer, inner: Rect, model: &Model, screen: &Screen) {
    let theme = screen.theme;
    let hints: &[&str] = match screen.desk.mode {
        Mode::Get => &[],
        Mode::Put => &[
            "a path on this machine; it keeps its last name there",
            "FILE NAME sends it as NAME; blanks go into quotes",
            "a ~ is not made into a folder",
        ],
        Mode::Rename => &["the name it has, a blank, the name it gets"],
    };
    let room = inner.width.saturating_sub(2);
    let answer = model.remote.answer.as_ref();
    let told = answer.filter(|answer| screen.desk.mode == Mode::Rename && answer.cause != "help");
    let mut lines: Vec<(String, Style)> = hints
        .iter()
        .map(|hint| ((*hint).to_owned(), theme.dim()))
        .collect();
    if let Some(answer) = told {
        let (sign, style) = match answer.cause {
            "renamed" => ("✓", theme.good()),
            _ => ("✗", theme.bad()),
        };
        lines.push((String::new(), theme.text()));
        let words = format!("{sign} {}", answer.detail);
        let words = paint::wrap(&words, room.max(1)).into_iter();
        lines.extend(words.map(|line| (line, style)));
    }
    for (n, (words, style)) in (2..inner.height).zip(&lines) {
        let place = paint::part(paint::row(inner, n), 1, room);
        paint::put(buf, place, words, *style);
    }
}

fn names(buf: &mut Buffer, body: Rect, model: &Model, screen: &mut Screen) {
    let theme = screen.theme;
    let window = screen.files.cursor.window(body.height);
    let first = window.start;
    screen.hit(
        body,
        Hit::Rows {
            pane: Pane::Files,
            first,
        },
    );
    for (n, row) in (0..body.height).zip(window) {
        let Some(entry) = screen.files.entry(&model.remote.folder.entries, row) else {
            continue;
        };
        let line = paint::row(body, n);
        let chosen = screen.files.picking && row == screen.files.cursor.index();
        let over = (chosen && screen.focus == Pane::Files).then(|| theme.selected());
        if let Some(style) = over {
            buf.set_style(line.intersection(buf.area), style);
        }
        if chosen {
            let style = over.unwrap_or(theme.key());
            paint::put(buf, paint::part(line, 0, 1), "▸", style);
        }
        let place = paint::part(line, 2, line.width.saturating_sub(3));
        let name = entry.shown();
        let text = format::cut_name(name.as_str(), place.width);
        paint::put(buf, place, &text, over.unwrap_or(theme.text()));
    }
}
