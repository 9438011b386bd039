//! The wing that draws: one pure model in, one screen out.
//!
//! `view` draws a frame, `Screen::react` answers an input, `terminal` borrows
//! the terminal and gives it back. Nothing in here knows the net, a runtime or
//! a clock: time is `model.now`. Nothing here changes what is; what a key asks
//! for leaves as a `Command`.

pub mod keys;
pub mod screen;
pub mod terminal;
pub mod theme;

mod columns;
mod connections;
mod desk;
mod details;
mod events;
mod fields;
mod file_list;
mod file_sort;
mod files;
mod filter;
mod footer;
mod format;
mod grid;
mod header;
mod invite;
mod line_input;
mod marks;
mod paint;
mod popup;
mod prompt;
mod question;
mod queue;
mod rows;
mod select;
mod standing;
mod table;
mod throughput;
mod transfers;

#[cfg(test)]
mod tests;

use ratatui::Frame;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::model::{Model, Role};

pub use screen::{Reaction, Screen};

use paint::Focus;
use screen::{Pane, View};

/// Below this many columns there is nothing to line up.
pub const LEAST_WIDTH: u16 = 60;
/// Below this many lines the panes do not fit.
pub const LEAST_HEIGHT: u16 = 16;
/// From here on a desk and the queue stand side by side.
const SIDE_BY_SIDE: u16 = 160;
/// From here on the remote folder and the local one stand side by side.
const TWO_FOLDERS: u16 = 100;

/// Draws one frame.
pub fn view(frame: &mut Frame<'_>, model: &Model, screen: &mut Screen) {
    let area = frame.area();
    screen.hits.clear();
    screen.spins = false;
    screen.refresh(model, file_list::FRAME_WORK);
    if area.width < LEAST_WIDTH || area.height < LEAST_HEIGHT {
        too_small(frame.buffer_mut(), area, screen);
        return;
    }
    let buf = frame.buffer_mut();
    let line = |n: u16| Rect::new(area.x, area.y + n, area.width, 1);
    header::draw(buf, line(0), model, screen);
    let body = Rect::new(area.x, area.y + 1, area.width, area.height - 2);
    let cursor = match screen.role {
        Role::Serve => {
            server(buf, body, model, screen);
            None
        }
        Role::Dial => client(buf, body, model, screen),
    };
    screen.spins = spins(model, screen);
    let on_top = popup::draw(buf, body, model, screen);
    let typed = footer::draw(buf, line(area.height - 1), model, screen);
    let covered = screen.popup.is_some() || screen.clash_shows(model);
    if let Some(cursor) = on_top.or(typed).or(cursor.filter(|_| !covered)) {
        frame.set_cursor_position(cursor);
    }
}

/// A pane and its place.
type Placed = (Pane, Rect);

fn server(buf: &mut Buffer, area: Rect, model: &Model, screen: &mut Screen) {
    if screen.large {
        panes(buf, &[(screen.focus, area)], model, screen);
        return;
    }
    let area = invite::strip(buf, area, model, screen);
    let flow = match area.height {
        0..18 => 3,
        18..28 => 4,
        28..38 => 6,
        38..60 => 8,
        _ => 10,
    };
    let (top, rest) = split(area, flow);
    throughput::draw(buf, top, model, screen);
    if screen.view == View::Events {
        panes(buf, &[(Pane::Events, rest)], model, screen);
        return;
    }
    let lines = (rest.height * 3 / 10).clamp(4, 16);
    let (upper, lower) = split(rest, rest.height - lines);
    panes(
        buf,
        &[(Pane::Table, upper), (Pane::Events, lower)],
        model,
        screen,
    );
}

fn client(buf: &mut Buffer, area: Rect, model: &Model, screen: &mut Screen) -> Option<(u16, u16)> {
    if screen.large {
        return panes(buf, &[(screen.focus, area)], model, screen);
    }
    let desk = screen.asks_for_names(model);
    let (files, queue) = if area.width >= SIDE_BY_SIDE && desk {
        halves(area)
    } else {
        let wants = queue::wants(model).clamp(6, (area.height * 9 / 20).max(6));
        split(area, area.height - wants)
    };
    let mut placed = vec![(Pane::Queue, queue)];
    if desk {
        placed.push((Pane::Files, files));
    } else if area.width >= TWO_FOLDERS {
        let (left, right) = halves(files);
        placed.extend([(Pane::Files, left), (Pane::Local, right)]);
    } else {
        placed.push((screen.side, files));
    }
    panes(buf, &placed, model, screen)
}

/// Two areas beside each other that share a border.
fn halves(area: Rect) -> (Rect, Rect) {
    let left = area.width / 2;
    (
        Rect::new(area.x, area.y, left, area.height),
        Rect::new(
            area.x + left - 1,
            area.y,
            area.width - left + 1,
            area.height,
        ),
    )
}

/// Draws panes with their borders; tells where the terminal's cursor belongs, if somewhere.
fn panes(
    buf: &mut Buffer,
    placed: &[Placed],
    model: &Model,
    screen: &mut Screen,
) -> Option<(u16, u16)> {
    // All borders come before any title, and that of the pane with the keys last:
    // where two share a line it is whole.
    let (here, elsewhere): (Vec<&Placed>, Vec<&Placed>) =
        placed.iter().partition(|(pane, _)| *pane == screen.focus);
    for (_, area) in elsewhere {
        paint::border(buf, *area, screen.theme, Focus::Elsewhere);
    }
    for (_, area) in here {
        paint::border(buf, *area, screen.theme, Focus::Here);
    }
    let mut cursor = None;
    for &(pane, area) in placed {
        match pane {
            Pane::Table => table::draw(buf, area, model, screen),
            Pane::Events => events::draw(buf, area, model, screen),
            Pane::Queue => queue::draw(buf, area, model, screen),
            Pane::Files => cursor = files::draw(buf, area, model, screen),
            Pane::Local => files::draw_local(buf, area, model, screen),
        }
    }
    cursor
}

/// Two areas above each other; the lower begins on the upper's last line.
fn split(area: Rect, upper: u16) -> (Rect, Rect) {
    let upper = upper.min(area.height);
    let shared = upper.saturating_sub(1);
    (
        Rect::new(area.x, area.y, area.width, upper),
        Rect::new(area.x, area.y + shared, area.width, area.height - shared),
    )
}

/// Whether a spinner is on the screen.
fn spins(model: &Model, screen: &Screen) -> bool {
    let counts = model.remote.queue.counts();
    screen.role == Role::Dial
        && (Screen::is_connecting(model)
            || (files::is_loading(model) && !screen.asks_for_names(model))
            || screen.files.opening.is_some()
            || screen.local.opening.is_some()
            || counts.asking + counts.walking > 0
            || question::spins(model, screen))
}

/// Says that there is no room, in as many words as there is room for.
fn too_small(buf: &mut Buffer, area: Rect, screen: &Screen) {
    let words = format!(
        "This terminal is too small for ferrydeck: it has {} columns and {} lines, \
         {LEAST_WIDTH} and {LEAST_HEIGHT} are needed. Nothing stopped; q leaves.",
        area.width, area.height
    );
    for (n, line) in (0..area.height).zip(paint::wrap(&words, area.width.max(1))) {
        paint::put(buf, paint::row(area, n), &line, screen.theme.text());
    }
}
