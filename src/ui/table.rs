//! The server's main pane: tabs, headings, and the rows that are in view.
//!
//! Draws connections and transfers alike; which columns there are, they say.
//! Only the window of rows that fits is made into cells, so ten thousand rows
//! cost what forty cost. Reads the order of rows from the grid.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Modifier, Style};

use crate::entity::{Dialect, Direction, Phase, Speak};
use crate::event::Listening;
use crate::model::{Connection, Model};

use super::columns::{self, Column, Side, Slot};
use super::fields::{self, Field};
use super::format;
use super::paint;
use super::screen::{Hit, Pane, Screen, SortBy, View};
use super::theme::Theme;

/// Cells before the first column: the cursor's mark.
const MARK: u16 = 2;
/// A transfer that moves nothing for so long is worth a colour.
const SLOW_SECONDS: u64 = 5;

/// Draws the view's table.
pub(super) fn draw(buf: &mut Buffer, area: Rect, model: &Model, screen: &mut Screen) {
    let theme = screen.theme;
    let focused = screen.focus == Pane::Table;
    let inner = paint::inside(area);
    screen.hit(area, Hit::Pane(Pane::Table));
    let after = tabs(buf, area, model, screen);
    state(buf, area, after, screen);
    let all = match screen.view {
        View::Transfers => super::transfers::COLUMNS,
        View::Connections | View::Events => super::connections::COLUMNS,
    };
    let slots = fit(all, inner.width);
    headings(buf, paint::row(inner, 0), &slots, screen);
    let body = Rect::new(
        inner.x,
        inner.y.saturating_add(1),
        inner.width,
        inner.height.saturating_sub(1),
    );
    if screen.grid().rows.is_empty() {
        empty(buf, body, model, screen);
        return;
    }
    let window = screen.grid_mut().cursor.window(body.height);
    screen.hit(
        body,
        Hit::Rows {
            pane: Pane::Table,
            first: window.start,
        },
    );
    let chosen = screen.grid().cursor.index();
    for (n, row) in (0..body.height).zip(window) {
        let connection = screen
            .grid()
            .rows
            .get(row)
            .and_then(|id| model.connections.get(id));
        if let Some(connection) = connection {
            let look = match (row == chosen, focused) {
                (true, true) => Look::Chosen,
                (true, false) => Look::Remembered,
                _ => Look::Plain,
            };
            draw_row(
                buf,
                paint::row(body, n),
                &slots,
                connection,
                model,
                theme,
                look,
            );
        }
    }
}

fn fit(all: &[Column<Field>], width: u16) -> Vec<Slot<Field>> {
    let gap = if width >= 150 { 2 } else { 1 };
    // One cell stays free before the border.
    let mut slots = columns::fit(all, width.saturating_sub(MARK + 1), gap);
    for slot in &mut slots {
        slot.x += MARK;
    }
    slots
}

/// Writes the tabs into the top border; tells the column after them.
pub(super) fn tabs(buf: &mut Buffer, area: Rect, model: &Model, screen: &mut Screen) -> u16 {
    let theme = screen.theme;
    let tabs = [
        (
            View::Connections,
            format!("1 connections ({})", format::count(model.living() as u64)),
        ),
        (
            View::Transfers,
            format!("2 transfers ({})", format::count(model.active() as u64)),
        ),
        (View::Events, "3 events".to_owned()),
    ];
    let mut x = 2;
    for (view, words) in tabs {
        let style = match (view == screen.view, view) {
            (true, _) => theme.strong().add_modifier(Modifier::UNDERLINED),
            (false, _) => theme.dim(),
        };
        let begin = x;
        x = paint::title(buf, area, x, &[(words, style)]);
        let place = paint::part(paint::row(area, 0), begin, x - begin);
        screen.hit(place, Hit::Tab(view));
        x += 1;
    }
    x
}

/// Writes sort and filter into the top border, at the right.
fn state(buf: &mut Buffer, area: Rect, after: u16, screen: &Screen) {
    let (grid, theme) = (screen.grid(), screen.theme);
    let sort = (
        format!("sort: {} {}", grid.sort.name(), grid.order.sign()),
        theme.dim(),
    );
    let text = grid.filter.line.text();
    let mut pieces = Vec::new();
    if !text.is_empty() {
        let room = area.width.saturating_sub(after + 40).max(12);
        let text = format::cut(text, room);
        pieces.push(match grid.filter.wrong {
            Some(_) => (format!("filter ✗ {text}"), theme.bad()),
            None => (
                format!("filter: {text}  {} of {}", grid.rows.len(), grid.all),
                theme.warn(),
            ),
        });
    }
    let with_sort = paint::apart(pieces.iter().cloned().chain([sort]).collect());
    let fits = paint::pieces_width(&with_sort) + 4 + after <= area.width;
    let shown = if fits { &with_sort } else { &pieces };
    paint::title_right(buf, area, after, shown);
}

fn headings(buf: &mut Buffer, line: Rect, slots: &[Slot<Field>], screen: &mut Screen) {
    let theme = screen.theme;
    let (sort, order) = (screen.grid().sort, screen.grid().order);
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
        screen.hit(place, Hit::Header(Pane::Table, SortBy::Field(slot.field)));
    }
}

fn empty(buf: &mut Buffer, body: Rect, model: &Model, screen: &Screen) {
    let theme = screen.theme;
    if screen.grid().filter.narrows() {
        let words = format!("none of {} matches the filter", screen.grid().all);
        paint::message(
            buf,
            body,
            &[
                (&words, theme.text()),
                ("Esc clears it, / changes it", theme.dim()),
            ],
        );
        return;
    }
    if screen.view == View::Transfers {
        paint::message(buf, body, &[("nothing is being transferred", theme.dim())]);
        return;
    }
    let Some(how) = way_in(&model.listening) else {
        paint::message(buf, body, &[("no listener is open yet", theme.dim())]);
        return;
    };
    paint::message(
        buf,
        body,
        &[
            ("nobody is connected", theme.text()),
            ("", theme.dim()),
            ("from another terminal:", theme.dim()),
            (&how, theme.key()),
        ],
    );
}

/// What to type to get at the server: over the first listener that can list, else over the first.
fn way_in(listening: &[Listening]) -> Option<String> {
    let dialect = |speak| match speak {
        Speak::Auto => Dialect::Deck,
        Speak::Only(dialect) => dialect,
    };
    let lists = |listener: &&Listening| dialect(listener.speak).lists();
    if let Some(Listening { addr, speak }) = listening.iter().find(lists) {
        let scheme = dialect(*speak).label();
        return Some(format!("ferrydeck connect {scheme}://{addr}/"));
    }
    let addr = listening.first()?.addr;
    Some(format!("ferrydeck get {} {} NAME", addr.ip(), addr.port()))
}

/// How a row stands out.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Look {
    Plain,
    Chosen,
    Remembered,
}

fn draw_row(
    buf: &mut Buffer,
    line: Rect,
    slots: &[Slot<Field>],
    row: &Connection,
    model: &Model,
    theme: Theme,
    look: Look,
) {
    let over = match look {
        Look::Chosen => Some(theme.selected()),
        Look::Plain | Look::Remembered => None,
    };
    if let Some(style) = over {
        buf.set_style(line.intersection(buf.area), style);
    }
    if look != Look::Plain {
        paint::put(
            buf,
            paint::part(line, 0, 1),
            "▸",
            over.unwrap_or(theme.key()),
        );
    }
    for slot in slots {
        let place = paint::part(line, slot.x, slot.width);
        let mut style = cell_style(slot.field, row, model, theme);
        if row.gone.is_some() {
            style = style.patch(theme.dim());
        }
        if look == Look::Remembered {
            style = style.patch(theme.remembered());
        }
        let style = over.unwrap_or(style);
        if slot.field == Field::Progress {
            progress(buf, place, row, style, over.unwrap_or(theme.text()));
            continue;
        }
        let text = fields::cell(slot.field, row, model.now, slot.width);
        match slot.side {
            Side::Left => {
                paint::put(buf, place, &text, style);
            }
            Side::Right => paint::put_right(buf, place, &text, style),
        }
    }
}

/// Bar and percent while it runs, the end's words afterwards.
fn progress(buf: &mut Buffer, place: Rect, row: &Connection, ink: Style, text: Style) {
    let Some(transfer) = &row.transfer else {
        return;
    };
    if let Some(outcome) = fields::verdict(row) {
        let words = outcome.words();
        if format::width(words) <= place.width {
            paint::put(buf, place, words, ink);
            return;
        }
    }
    let ratio = transfer.ratio();
    if ratio.is_none() {
        // Without a size there is no share: what is across is all there is to say.
        paint::put_right(buf, place, &format::size(transfer.done), text);
        return;
    }
    let room = place.width.saturating_sub(format::PERCENT + 1);
    if room >= 3 {
        bar(buf, paint::part(place, 0, room), ratio, ink);
    }
    paint::put_right(buf, place, &format::percent(ratio), text);
}

/// A bar on its track.
pub(super) fn bar(buf: &mut Buffer, place: Rect, ratio: Option<f64>, ink: Style) {
    let full = format::bar(ratio.unwrap_or(0.0), place.width);
    let used = paint::put(buf, place, &full, ink);
    let rest = paint::part(place, used, place.width);
    let track = "·".repeat(usize::from(rest.width));
    paint::put(buf, rest, &track, ink.add_modifier(Modifier::DIM));
}

fn cell_style(field: Field, row: &Connection, model: &Model, theme: Theme) -> Style {
    let running = row.running();
    let flow = |direction: Option<Direction>| direction.map_or(theme.text(), |it| theme.flow(it));
    match field {
        Field::Phase => match (&row.gone, row.phase) {
            (Some(_), _) => match fields::phase_sign(row) {
                "✓" => theme.good(),
                "✗" => theme.bad(),
                _ => theme.text(),
            },
            (None, Phase::Sending) => theme.flow(Direction::Out),
            (None, Phase::Receiving) => theme.flow(Direction::In),
            (None, _) => theme.dim(),
        },
        Field::Progress => match fields::verdict(row) {
            Some(outcome) if outcome.went_well() => theme.good(),
            Some(_) => theme.bad(),
            None => flow(row.direction()),
        },
        Field::Rate if running.is_some() => theme.strong(),
        Field::Stall => match row.stall(model.now).as_secs() {
            SLOW_SECONDS.. if running.is_some() => theme.warn(),
            _ => theme.dim(),
        },
        Field::Age | Field::Dialect | Field::Id | Field::Transfer => theme.dim(),
        _ => theme.text(),
    }
}
