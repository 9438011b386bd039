//! What lies on top: help, details, the sort menu, questions.
//!
//! A popup is as large as its words and never larger than the screen; longer
//! ones scroll. Its keys stand in the footer, from the one table.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

use crate::entity::{Direction, DisplayName, Kind};
use crate::model::{Model, Role};

use super::details::{self, Detail};
use super::format;
use super::invite;
use super::keys;
use super::paint::{self, Focus};
use super::question;
use super::screen::{Ask, Hit, Popup, Screen};
use super::standing;
use super::theme::Theme;

/// Draws what lies on top, if anything does; tells where the cursor belongs if a line is typed.
pub(super) fn draw(
    buf: &mut Buffer,
    area: Rect,
    model: &Model,
    screen: &mut Screen,
) -> Option<(u16, u16)> {
    let Some(mut popup) = screen.popup.take() else {
        if screen.clash_shows(model) {
            clash(buf, area, model, screen);
        }
        return None;
    };
    let mut cursor = None;
    match &mut popup {
        Popup::Help { top } => help(buf, area, screen, top),
        Popup::Details { .. } | Popup::Event { .. } | Popup::Item { .. } | Popup::File { .. } => {
            closely(buf, area, &mut popup, model, screen);
        }
        Popup::Told { top } => told(buf, area, model, screen, top),
        Popup::Confirm(ask) => confirm(buf, area, ask, screen),
        Popup::Delete(doom) => question::delete(buf, area, doom, model, screen),
        Popup::Invite => invite::draw(buf, area, model, screen),
        Popup::Saved { .. } => question::saved(buf, area, model, screen),
        Popup::Line(asked) => cursor = Some(question::line(buf, area, asked, model, screen)),
        Popup::Sort { index } => {
            let (choices, now) = screen.sort_choices();
            let rows: Vec<Choice> = choices
                .into_iter()
                .map(|(by, name)| (name, by == now))
                .collect();
            menu(buf, area, "sort by", &rows, *index, screen);
        }
        Popup::Standing { index } => {
            let now = screen.standing_index(model);
            let rows: Vec<Choice> = (0..)
                .zip(standing::CHOICES)
                .map(|(row, (_, words))| (words, row == now))
                .collect();
            menu(buf, area, "every taken name", &rows, *index, screen);
        }
    }
    screen.popup = Some(popup);
    cursor
}

/// What is shown of one thing: a row, an event, an item, a file.
fn closely(buf: &mut Buffer, area: Rect, popup: &mut Popup, model: &Model, screen: &mut Screen) {
    let room = words_room(area);
    match popup {
        Popup::Details { row, top } => {
            let lines = details::connection(row, model, screen, room);
            let title = match row.gone {
                None => "details",
                Some(_) => "details (it is gone)",
            };
            draw_details(buf, area, title, &lines, top, screen);
        }
        Popup::Event { entered, top } => {
            let lines = details::event(entered, screen, room);
            draw_details(buf, area, "event", &lines, top, screen);
        }
        Popup::Item { item, top } => {
            let lines = details::item(item, model, screen, room);
            let known = model.remote.item(item.job.job).is_some();
            let title = match (item.job.direction, known) {
                (Direction::In, true) => "download",
                (Direction::In, false) => "download (off the list)",
                (Direction::Out, true) => "upload",
                (Direction::Out, false) => "upload (off the list)",
            };
            draw_details(buf, area, title, &lines, top, screen);
        }
        Popup::File { entry, path, asked } => {
            let lines = details::file((entry, path), *asked, model, screen, room);
            let title = match entry.kind {
                Kind::Dir => "folder",
                Kind::File => "file",
            };
            draw_details(buf, area, title, &lines, &mut 0, screen);
        }
        _ => {}
    }
}

/// A frame in the middle for so much text; gives the room inside, a cell free on each side.
pub(super) fn open(
    buf: &mut Buffer,
    area: Rect,
    size: (u16, usize),
    title: &str,
    screen: &mut Screen,
) -> Rect {
    let (width, lines) = size;
    let width = width.saturating_add(4).min(area.width);
    let height = u16::try_from(lines)
        .unwrap_or(u16::MAX)
        .saturating_add(2)
        .min(area.height);
    let place = Rect::new(
        area.x + (area.width - width) / 2,
        area.y + (area.height - height) / 2,
        width,
        height,
    );
    paint::wipe(buf, place);
    let theme = screen.theme;
    let inner = paint::border(buf, place, theme, Focus::Here);
    paint::title(buf, place, 1, &[(title.to_owned(), theme.strong())]);
    screen.hit(place, Hit::Popup);
    paint::part(inner, 1, inner.width.saturating_sub(2))
}

fn clash(buf: &mut Buffer, area: Rect, model: &Model, screen: &mut Screen) {
    let Some(item) = model.remote.clash() else {
        return;
    };
    let theme = screen.theme;
    let name = format::cut_name(
        item.job.target.as_str(),
        area.width.saturating_sub(30).max(8),
    );
    let room = area.width.saturating_sub(format::width(&name) + 16);
    let choices = "[s]kip   [r]ename   [o]verwrite";
    let question = match item.job.direction {
        Direction::In => format!(
            "{name} exists in {}",
            format::cut_name(&details::landing(item, model), room)
        ),
        Direction::Out => format!("{name} exists on the server"),
    };
    let width = format::width(&question)
        .max(format::width(choices) + 4)
        .max(40);
    let inner = open(buf, area, (width, 5), "name taken", screen);
    paint::put(buf, paint::row(inner, 0), &question, theme.strong());
    paint::put(buf, paint::row(inner, 2), choices, theme.key());
    paint::put(
        buf,
        paint::row(inner, 3),
        "capitals for this and every later one",
        theme.dim(),
    );
    paint::put(buf, paint::row(inner, 4), "Esc answers later", theme.dim());
}

/// What the server last said that can be asked, line by line.
fn told(buf: &mut Buffer, area: Rect, model: &Model, screen: &mut Screen, top: &mut usize) {
    let theme = screen.theme;
    let said = model.remote.help.as_ref().map_or("", DisplayName::as_str);
    let room = area.width.saturating_sub(4).clamp(1, 100);
    // Its ends of lines have been made visible; here they end lines again.
    let lines: Vec<String> = said
        .trim_end_matches("\\n")
        .split("\\n")
        .flat_map(|line| paint::wrap(line.trim_end_matches("\\r"), room))
        .collect();
    let widest = lines.iter().map(|line| format::width(line)).max();
    let size = (widest.unwrap_or(0).max(40), lines.len());
    let inner = open(buf, area, size, "what the server can be asked", screen);
    let shown = usize::from(inner.height);
    *top = (*top).min(lines.len().saturating_sub(shown));
    for (n, line) in (0..inner.height).zip(lines.iter().skip(*top)) {
        paint::put(buf, paint::row(inner, n), line, theme.text());
    }
    more(buf, inner, *top + shown, lines.len(), theme);
}

fn confirm(buf: &mut Buffer, area: Rect, ask: &Ask, screen: &mut Screen) {
    let theme = screen.theme;
    let room = area.width.saturating_sub(4).max(1);
    let lines: Vec<String> = ask
        .lines
        .iter()
        .flat_map(|line| paint::wrap(line, room.min(70)))
        .collect();
    let width = lines
        .iter()
        .map(|line| format::width(line))
        .max()
        .unwrap_or(0);
    let inner = open(
        buf,
        area,
        (width.max(30), lines.len() + 2),
        ask.title,
        screen,
    );
    for (n, line) in (0u16..).zip(&lines) {
        paint::put(buf, paint::row(inner, n), line, theme.text());
    }
    let last = paint::row(inner, inner.height.saturating_sub(1));
    paint::pieces(
        buf,
        last,
        &[
            ("y".to_owned(), theme.key()),
            (" yes     ".to_owned(), theme.text()),
            ("n".to_owned(), theme.key()),
            (" no".to_owned(), theme.text()),
        ],
    );
}

/// A row of a menu: its words, and whether it is what holds now.
type Choice = (&'static str, bool);

fn menu(
    buf: &mut Buffer,
    area: Rect,
    title: &str,
    rows: &[Choice],
    index: usize,
    screen: &mut Screen,
) {
    let theme = screen.theme;
    let inner = open(buf, area, (22, rows.len()), title, screen);
    let height = usize::from(inner.height);
    let top = (index + 1).saturating_sub(height);
    for (n, (row, (name, holds))) in (0..inner.height).zip(rows.iter().enumerate().skip(top)) {
        let line = paint::row(inner, n);
        let style = if row == index {
            theme.selected()
        } else {
            theme.text()
        };
        buf.set_style(line.intersection(buf.area), style);
        let sign = if *holds { "●" } else { " " };
        paint::put(buf, line, &format!(" {sign} {name}"), style);
        screen.hit(line, Hit::MenuRow(row));
    }
}

/// Columns for the words of a detail.
fn words_room(area: Rect) -> u16 {
    area.width.saturating_sub(details::LABEL + 8).min(76)
}

fn draw_details(
    buf: &mut Buffer,
    area: Rect,
    title: &str,
    lines: &[Detail],
    top: &mut usize,
    screen: &mut Screen,
) {
    let theme = screen.theme;
    let words = lines
        .iter()
        .map(|(_, text, _)| format::width(text))
        .max()
        .unwrap_or(0);
    let width = (details::LABEL + words).max(50);
    let inner = open(buf, area, (width, lines.len()), title, screen);
    *top = (*top).min(lines.len().saturating_sub(usize::from(inner.height)));
    more(
        buf,
        inner,
        *top + usize::from(inner.height),
        lines.len(),
        theme,
    );
    for (n, (label, text, style)) in (0..inner.height).zip(lines.iter().skip(*top)) {
        let line = paint::row(inner, n);
        paint::put(
            buf,
            paint::part(line, 0, details::LABEL - 1),
            label,
            theme.dim(),
        );
        paint::put(
            buf,
            paint::part(line, details::LABEL, line.width),
            text,
            *style,
        );
    }
}

fn help(buf: &mut Buffer, area: Rect, screen: &mut Screen, top: &mut usize) {
    let theme = screen.theme;
    let client = screen.role == Role::Dial;
    let mut lines: Vec<(String, &str, &str, Style)> = Vec::new();
    for (group, mut bindings) in keys::help(&screen.role) {
        bindings.retain(|binding| !client || !keys::is_foreign(binding, screen.files.asks));
        if bindings.is_empty() {
            continue;
        }
        if !lines.is_empty() {
            lines.push((String::new(), "", "", theme.text()));
        }
        lines.push((group.to_owned(), "", "", theme.strong()));
        for binding in bindings {
            let pane = keys::pane_of(binding);
            let keys = format!("  {}", binding.shown);
            lines.push((keys, pane, binding.help, theme.text()));
        }
    }
    let panes = client && area.width >= 76;
    let (key_width, pane_width) = if panes { (12, 7) } else { (14, 0) };
    let columns = usize::from(area.width >= 144) + 1;
    let width = if columns == 2 { 139 } else { 70 };
    let half = lines.len().div_ceil(columns);
    let inner = open(buf, area, (width, half), "help", screen);
    let shown = usize::from(inner.height);
    *top = (*top).min(half.saturating_sub(shown));
    for column in 0..columns {
        let x = u16::try_from(column).unwrap_or(0) * 70;
        let side = paint::part(inner, x, if columns == 2 { 69 } else { inner.width });
        let here = lines
            .iter()
            .skip(column * half + *top)
            .take(half.saturating_sub(*top));
        for (n, (key, pane, words, style)) in (0..inner.height).zip(here) {
            let line = paint::row(side, n);
            let (room, style) = if words.is_empty() {
                (line.width, *style)
            } else {
                (key_width, theme.key())
            };
            paint::put(buf, paint::part(line, 0, room), key, style);
            let place = paint::part(line, key_width, pane_width);
            paint::put(buf, place, pane, theme.dim());
            paint::put(
                buf,
                paint::part(line, key_width + pane_width + 1, line.width),
                words,
                theme.text(),
            );
        }
    }
    more(buf, inner, *top + shown, half, theme);
}

/// Says in the lower border that there is more to scroll to.
fn more(buf: &mut Buffer, inner: Rect, seen: usize, all: usize, theme: Theme) {
    if all > usize::from(inner.height) {
        let words = format!(" {} of {all}, j k scroll ", seen.min(all));
        let edge = Rect::new(inner.x, inner.bottom(), inner.width, 1);
        paint::put_right(buf, edge, &words, theme.dim());
    }
}
