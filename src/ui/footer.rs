//! The last line: a note, the keys that are valid now, or a filter being typed.
//!
//! Keys come from the one table, in its order, as many as fit; the way out
//! stands at the right and stays. Reads the model, writes one line.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::model::Model;

use super::format;
use super::keys::{self, Action, Binding, Place};
use super::paint;
use super::screen::{Hit, Pane, Screen};

/// Draws the last line: a note, a line being typed, or the keys that are valid now.
pub(super) fn draw(
    buf: &mut Buffer,
    line: Rect,
    model: &Model,
    screen: &mut Screen,
) -> Option<(u16, u16)> {
    let place = screen.place(model);
    if place == Place::Filter {
        return Some(filter_line(buf, line, model, screen));
    }
    let theme = screen.theme;
    let mut x = 1;
    if let Some(note) = screen.noted() {
        let words = format!("{note}   ");
        x += paint::put(
            buf,
            paint::part(line, x, line.width.saturating_sub(2)),
            &words,
            theme.warn(),
        );
    }
    key_line(buf, line, x, model, screen);
    None
}

/// The keys in the table's order; the way out stands at the right and stays.
fn key_line(buf: &mut Buffer, line: Rect, from: u16, model: &Model, screen: &mut Screen) {
    let (out, bindings): (Vec<_>, Vec<_>) =
        keys::footer(screen, model).partition(|binding| binding.group == keys::LEAVE);
    let mut end = line.width.saturating_sub(1);
    for binding in out {
        let wants = key_width(binding, screen, model);
        if from + wants <= end {
            end -= wants;
            draw_key(buf, paint::part(line, end, wants), binding, screen, model);
            end = end.saturating_sub(3);
        }
    }
    // Where they do not all fit they stand closer: more of them do.
    let widths = bindings.iter().map(|it| key_width(it, screen, model) + 3);
    let gap = if from + widths.sum::<u16>() <= end + 3 {
        3
    } else {
        2
    };
    let mut x = from;
    for binding in bindings {
        let wants = key_width(binding, screen, model);
        if x + wants > end {
            break;
        }
        draw_key(buf, paint::part(line, x, wants), binding, screen, model);
        x += wants + gap;
    }
}

/// The first of a binding's keys, as the footer writes it.
fn first_key(binding: &Binding) -> &'static str {
    binding.shown.split(' ').next().unwrap_or_default()
}

fn key_width(binding: &Binding, screen: &Screen, model: &Model) -> u16 {
    format::width(first_key(binding)) + 1 + format::width(word(binding, screen, model))
}

/// What a binding does now: one key pauses and lets go on.
fn word(binding: &Binding, screen: &Screen, model: &Model) -> &'static str {
    if binding.action == Action::Pause && screen.is_paused(model) {
        return "go on";
    }
    binding.word
}

fn draw_key(buf: &mut Buffer, place: Rect, binding: &Binding, screen: &mut Screen, model: &Model) {
    let theme = screen.theme;
    let pieces = [
        (first_key(binding).to_owned(), theme.key()),
        (format!(" {}", word(binding, screen, model)), theme.dim()),
    ];
    paint::pieces(buf, place, &pieces);
    screen.hit(place, Hit::Key(binding.action));
}

/// The filter while it is typed, with what it finds or what is wrong with it.
fn filter_line(buf: &mut Buffer, line: Rect, model: &Model, screen: &mut Screen) -> (u16, u16) {
    let theme = screen.theme;
    let (input, told, style) = match screen.focus {
        Pane::Table | Pane::Queue => {
            let grid = screen.grid();
            match &grid.filter.wrong {
                Some(why) => (&grid.filter.line, why.clone(), theme.bad()),
                None if grid.filter.line.is_empty() => (
                    &grid.filter.line,
                    format!("words, or {}", super::filter::FIELDS),
                    theme.dim(),
                ),
                None => (
                    &grid.filter.line,
                    format!("{} of {}", grid.rows.len(), grid.all),
                    theme.dim(),
                ),
            }
        }
        Pane::Events => (&screen.events.filter, String::new(), theme.dim()),
        Pane::Local => (
            &screen.local.filter,
            format!(
                "{} of {}",
                screen.local.rows.len(),
                model.remote.here.entries.len()
            ),
            theme.dim(),
        ),
        Pane::Files => (
            &screen.files.filter,
            format!(
                "{} of {}",
                screen.files.rows.len(),
                model.remote.folder.entries.len()
            ),
            theme.dim(),
        ),
    };
    let told = format::cut(&told, (line.width * 2 / 3).saturating_sub(4));
    let room = line.width.saturating_sub(format::width(&told) + 6);
    let (text, cursor) = input.shown(room);
    paint::put(buf, paint::part(line, 1, 1), "/", theme.key());
    paint::put(buf, paint::part(line, 2, room), &text, theme.strong());
    paint::put_right(
        buf,
        paint::part(line, 0, line.width.saturating_sub(1)),
        &told,
        style,
    );
    (line.x + 2 + cursor, line.y)
}
