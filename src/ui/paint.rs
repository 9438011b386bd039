//! The brush: text and frames put into ratatui's buffer, never outside it.
//!
//! Every pane draws through here, because `Buffer::set_string` panics outside
//! its area and a pane of one cell must not. Text is cut to its place by
//! width; control characters are dropped even if one should get this far.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::symbols::merge::MergeStrategy;
use ratatui::widgets::{Block, Widget};

use super::format;
use super::theme::Theme;

/// A piece of a line.
pub(super) type Piece = (String, Style);

/// Line `n` of an area; empty when the area has no such line.
pub(super) fn row(area: Rect, n: u16) -> Rect {
    match area.height.checked_sub(n) {
        None | Some(0) => Rect::new(area.x, area.y, 0, 0),
        Some(_) => Rect::new(area.x, area.y + n, area.width, 1),
    }
}

/// The part of a line from column `x` on, at most `width` wide.
pub(super) fn part(line: Rect, x: u16, width: u16) -> Rect {
    let x = x.min(line.width);
    Rect::new(line.x + x, line.y, width.min(line.width - x), line.height)
}

/// The area without its border.
pub(super) fn inside(area: Rect) -> Rect {
    let (width, height) = (area.width.saturating_sub(2), area.height.saturating_sub(2));
    match width.min(height) {
        0 => Rect::new(area.x, area.y, 0, 0),
        _ => Rect::new(area.x + 1, area.y + 1, width, height),
    }
}

/// Puts a text at the left of a place; tells the columns it took.
pub(super) fn put(buf: &mut Buffer, place: Rect, text: &str, style: Style) -> u16 {
    let place = place.intersection(buf.area);
    if place.is_empty() {
        return 0;
    }
    let text = format::cut(text, place.width);
    let (end, _) = buf.set_stringn(place.x, place.y, text, usize::from(place.width), style);
    end - place.x
}

/// Puts a text at the right of a place.
pub(super) fn put_right(buf: &mut Buffer, place: Rect, text: &str, style: Style) {
    let width = format::width(text).min(place.width);
    put(buf, part(place, place.width - width, width), text, style);
}

/// Puts pieces one after the other; tells the columns they took.
pub(super) fn pieces(buf: &mut Buffer, place: Rect, pieces: &[Piece]) -> u16 {
    let mut x = 0;
    for (text, style) in pieces {
        x += put(buf, part(place, x, place.width), text, *style);
    }
    x
}

/// The columns the pieces want.
pub(super) fn pieces_width(pieces: &[Piece]) -> u16 {
    pieces
        .iter()
        .fold(0, |sum, (text, _)| sum.saturating_add(format::width(text)))
}

/// Whether a pane has the keys.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Focus {
    /// It has.
    Here,
    /// Another has.
    Elsewhere,
}

/// Draws a pane's border, joined to those it meets; gives the room inside.
pub(super) fn border(buf: &mut Buffer, area: Rect, theme: Theme, focus: Focus) -> Rect {
    let style = match focus {
        Focus::Here => theme.border_focused(),
        Focus::Elsewhere => theme.border(),
    };
    Block::bordered()
        .merge_borders(MergeStrategy::Exact)
        .border_style(Style::reset().patch(style))
        .render(area, buf);
    inside(area)
}

/// Writes a title into a border's top line; tells the column after it.
pub(super) fn title(buf: &mut Buffer, area: Rect, x: u16, text: &[Piece]) -> u16 {
    let room = part(row(area, 0), 0, area.width.saturating_sub(1));
    let place = part(room, x, room.width);
    if place.width < 3 {
        return x;
    }
    let mut padded = vec![(" ".to_owned(), Style::reset())];
    padded.extend(
        text.iter()
            .map(|(text, style)| (text.clone(), Style::reset().patch(*style))),
    );
    padded.push((" ".to_owned(), Style::reset()));
    x + pieces(buf, place, &padded)
}

/// Writes a title at the right of a border's top line, if it fits behind column `after`.
pub(super) fn title_right(buf: &mut Buffer, area: Rect, after: u16, text: &[Piece]) {
    let wants = pieces_width(text) + 2;
    let Some(x) = area.width.checked_sub(wants + 2) else {
        return;
    };
    if !text.is_empty() && x > after {
        title(buf, area, x, text);
    }
}

/// Puts blanks between pieces.
pub(super) fn apart(pieces: Vec<Piece>) -> Vec<Piece> {
    let mut out = Vec::new();
    for piece in pieces {
        if !out.is_empty() {
            out.push(("   ".to_owned(), Style::new()));
        }
        out.push(piece);
    }
    out
}

/// Puts a few lines in the middle of an area: what a pane says when it is empty.
pub(super) fn message(buf: &mut Buffer, area: Rect, lines: &[(&str, Style)]) {
    let wanted = u16::try_from(lines.len()).unwrap_or(u16::MAX);
    let top = area.height.saturating_sub(wanted) / 2;
    for (n, (text, style)) in (top..).zip(lines) {
        let line = row(area, n);
        let width = format::width(text).min(line.width);
        put(
            buf,
            part(line, (line.width - width) / 2, width),
            text,
            *style,
        );
    }
}

/// Empties an area, for what lies on top.
pub(super) fn wipe(buf: &mut Buffer, area: Rect) {
    let area = area.intersection(buf.area);
    for y in area.top()..area.bottom() {
        for x in area.left()..area.right() {
            buf[(x, y)].reset();
        }
    }
    // Half of a wide letter left standing would push the popup's border aside.
    if let Some(x) = area.left().checked_sub(1) {
        for y in area.top()..area.bottom() {
            if let Some(cell) = buf.cell_mut((x, y))
                && format::width(cell.symbol()) > 1
            {
                cell.reset();
            }
        }
    }
}

/// Writes words over as many lines as they need; gives the lines.
pub(super) fn wrap(text: &str, room: u16) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let mut word = word.to_owned();
        let used = lines.last().map_or(0, |line| format::width(line));
        if used > 0 && used + 1 + format::width(&word) <= room {
            if let Some(line) = lines.last_mut() {
                line.push(' ');
                line.push_str(&word);
            }
            continue;
        }
        if used > 0 {
            lines.push(String::new());
        }
        // A word longer than the line is cut into lines.
        loop {
            let (here, rest) = split_at_width(&word, room);
            if let Some(line) = lines.last_mut() {
                line.push_str(&here);
            }
            if rest.is_empty() || here.is_empty() {
                break;
            }
            lines.push(String::new());
            word = rest;
        }
    }
    lines
}

fn split_at_width(text: &str, room: u16) -> (String, String) {
    let (mut here, mut rest, mut used) = (String::new(), String::new(), 0u16);
    for (letter, width) in format::letters(text) {
        used = used.saturating_add(width);
        if used <= room && rest.is_empty() {
            here.push_str(letter);
        } else {
            rest.push_str(letter);
        }
    }
    (here, rest)
}
