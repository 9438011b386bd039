//! The queue: one line a transfer with its gauge, and one line for all of them.
//!
//! What has ended says how in the words of `Outcome`; what failed says why.
//! Every number stands in its column whatever the state.

mod nothing;

use std::time::Duration;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

use crate::entity::{Direction, Kind, Outcome};
use crate::event::JobState;
use crate::model::{self, Model};
use crate::remote::Item;

use super::columns::{self, Column, Side, Slot, Width};
use super::details;
use super::fields;
use super::format;
use super::header::spinner;
use super::paint;
use super::screen::{Hit, Pane, Screen};
use super::standing;
use super::table;
use super::theme::Theme;

/// Cells before the name: cursor and sign.
const MARK: u16 = 4;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Name,
    Bar,
    Percent,
    /// How much of it is here, with the slash before the size.
    Done,
    Size,
    Rate,
    Eta,
    /// Streams, what is checked, from where it went on, how it is held back.
    More,
}

/// `403 MiB /`, before the size.
const DONE: u16 = format::SIZE + 2;

/// Where the room is short the name is worth more than the bytes done: the share tells those.
const COLUMNS: [Column<Part>; 8] = [
    column(Part::Name, Width::Room(15, 24, 60), 0),
    // With the share behind it as wide as `ended, not provable`, if there is room.
    column(Part::Bar, Width::Room(12, 13, 60), 3),
    column(Part::Percent, Width::Fixed(format::PERCENT), 1),
    column(Part::Done, Width::Fixed(DONE), 6),
    column(Part::Size, Width::Fixed(format::SIZE), 4),
    column(Part::Rate, Width::Fixed(format::RATE), 0),
    column(Part::Eta, Width::Fixed(format::CLOCK), 2),
    column(Part::More, Width::Room(9, 20, 60), 7),
];

const fn column(field: Part, width: Width, rank: u8) -> Column<Part> {
    Column {
        field,
        title: "",
        width,
        side: Side::Left,
        rank,
    }
}

/// Rows the pane would like, border and total included.
pub(super) fn wants(model: &Model) -> u16 {
    u16::try_from(model.remote.queue.len().max(1) + 3).unwrap_or(u16::MAX)
}

/// Draws the pane.
pub(super) fn draw(buf: &mut Buffer, area: Rect, model: &Model, screen: &mut Screen) {
    let theme = screen.theme;
    let focused = screen.focus == Pane::Queue;
    let inner = paint::inside(area);
    screen.hit(area, Hit::Pane(Pane::Queue));
    titles(buf, area, model, screen);
    if model.remote.queue.is_empty() {
        nothing::draw(buf, inner, model, screen);
        return;
    }
    let slots = fit(inner.width);
    let mut body = inner;
    if inner.height > 2 {
        body.height -= 1;
        total(
            buf,
            paint::row(inner, inner.height - 1),
            &slots,
            model,
            theme,
        );
    }
    let window = screen.queue.window(body.height);
    screen.hit(
        body,
        Hit::Rows {
            pane: Pane::Queue,
            first: window.start,
        },
    );
    for (n, row) in (0..body.height).zip(window) {
        let Some(item) = model.remote.queue.at(row) else {
            continue;
        };
        let chosen = row == screen.queue.index();
        draw_item(
            buf,
            paint::row(body, n),
            &slots,
            item,
            model,
            theme,
            Look { chosen, focused },
        );
    }
}

/// `queue (3)` at the left; where downloads land at the right.
fn titles(buf: &mut Buffer, area: Rect, model: &Model, screen: &Screen) {
    let theme = screen.theme;
    let name = match screen.focus {
        Pane::Queue => theme.strong(),
        _ => theme.text(),
    };
    let mut title = vec![("queue".to_owned(), name)];
    let count = model.remote.queue.len() as u64;
    if count > 0 {
        title.push((format!(" ({})", format::count(count)), theme.text()));
    }
    if let Some(rate) = screen.limit_of_all(model) {
        let words = format!("   all held to {}", format::limit_words(rate));
        title.push((words, theme.warn()));
    }
    if let Some(clash) = screen.standing_answer(model) {
        let words = format!("   every taken name: {}", standing::word(clash));
        title.push((words, theme.warn()));
    }
    let after = paint::title(buf, area, 1, &title);
    if screen.asks_for_names(model) && !screen.desk.offers.gets {
        // Nothing lands here.
        return;
    }
    let landing = format!("into {}", model.about.landing);
    let room = area.width.saturating_sub(after + 5).min(area.width / 2);
    let landing = format::cut_name(&landing, room.max(12));
    paint::title_right(buf, area, after, &[(landing, theme.dim())]);
}

fn fit(width: u16) -> Vec<Slot<Part>> {
    let gap = if width >= 90 { 2 } else { 1 };
    let mut slots = columns::fit(&COLUMNS, width.saturating_sub(MARK + 1), gap);
    for slot in &mut slots {
        slot.x += MARK;
        if slot.field == Part::Done {
            // One blank behind its slash, as before it.
            slot.x += gap - 1;
        }
    }
    slots
}

#[derive(Clone, Copy)]
struct Look {
    chosen: bool,
    focused: bool,
}

/// The sign of a state, its word where there is no gauge, and how both look.
fn state(item: &Item, model: &Model, theme: Theme) -> (&'static str, String, Style) {
    match &item.job.state {
        JobState::Queued => ("·", "queued".to_owned(), theme.dim()),
        JobState::Waiting { why, .. } => ("…", format!("waits: {why}"), theme.warn()),
        JobState::Walking { walk } => (
            spinner(model),
            format!(
                "{}, {} so far",
                format::plural(walk.files(), "file"),
                format::size_words(walk.bytes())
            ),
            theme.text(),
        ),
        JobState::Asking => (spinner(model), "asking".to_owned(), theme.warn()),
        JobState::Running { .. } => {
            let way = item.job.direction;
            (fields::arrow(way), String::new(), theme.flow(way))
        }
        JobState::Paused { .. } => ("‖", String::new(), theme.warn()),
        JobState::Clash => ("?", "taken; a answers".to_owned(), theme.warn()),
        JobState::Ended {
            outcome, detail, ..
        } => {
            let (sign, style) = match outcome {
                _ if outcome.went_well() => ("✓", theme.good()),
                Outcome::Cancelled => ("–", theme.dim()),
                _ => ("✗", theme.bad()),
            };
            let why = detail.as_str();
            let words = if item.job.kind == Kind::Dir && outcome.went_well() {
                details::SEARCHED.to_owned()
            } else if why.is_empty() {
                outcome.words().to_owned()
            } else {
                format!("{}: {why}", outcome.words())
            };
            (sign, words, style)
        }
    }
}

fn draw_item(
    buf: &mut Buffer,
    line: Rect,
    slots: &[Slot<Part>],
    item: &Item,
    model: &Model,
    theme: Theme,
    look: Look,
) {
    let over = (look.chosen && look.focused).then(|| theme.selected());
    let pick = |style: Style| over.unwrap_or(style);
    if let Some(style) = over {
        buf.set_style(line.intersection(buf.area), style);
    }
    if look.chosen {
        paint::put(buf, paint::part(line, 0, 1), "▸", pick(theme.key()));
    }
    let (sign, words, ink) = state(item, model, theme);
    paint::put(buf, paint::part(line, 2, 1), sign, pick(ink));
    let ended = match &item.job.state {
        JobState::Ended { outcome, took, .. } => Some((outcome.went_well(), *took)),
        _ => None,
    };
    // What ended badly and what is being looked through have more to say than numbers.
    let talks =
        matches!(ended, Some((false, _))) || matches!(item.job.state, JobState::Walking { .. });
    let tells_done = slots.iter().any(|slot| slot.field == Part::Done);
    for slot in slots {
        let place = paint::part(line, slot.x, slot.width);
        match slot.field {
            Part::Name => {
                let name = name(item, slot.width);
                paint::put(buf, place, &name, pick(theme.text()));
            }
            Part::Bar if words.is_empty() => {
                table::bar(buf, place, ratio(item), pick(ink));
            }
            Part::Percent if words.is_empty() => {
                let text = format::percent(ratio(item));
                paint::put(buf, place, &text, pick(theme.text()));
            }
            Part::More => {
                let words = details::more(item, slot.width);
                paint::put(buf, place, &words, pick(theme.dim()));
            }
            Part::Done | Part::Size | Part::Rate | Part::Eta if !talks => {
                let text = match (slot.field, item.size()) {
                    // Of an unknown size nothing else tells how far it is.
                    (Part::Size, None) if item.done > 0 && !tells_done => format::size(item.done),
                    _ => number(slot.field, item, ended.map(|(_, took)| took)),
                };
                let style = number_style(slot.field, item, ink, theme);
                paint::put(buf, place, &text, pick(style));
            }
            _ => {}
        }
    }
    let reach = first_number(slots, ended.is_some()).filter(|_| !talks);
    let reach = reach.unwrap_or(line.width);
    let from = slots.get(1).map_or(MARK, |slot| slot.x);
    let place = paint::part(line, from, reach.saturating_sub(from + 1));
    let cut = format::width(&words) > place.width;
    let words = match &item.job.state {
        // Half a reason tells nothing; the first line and the details say it whole.
        JobState::Waiting { .. } if cut => "waits for server",
        _ => &words,
    };
    paint::put(buf, place, words, pick(ink));
}

fn number_style(part: Part, item: &Item, ink: Style, theme: Theme) -> Style {
    match (part, &item.job.state) {
        (Part::Rate, JobState::Paused { .. }) => ink,
        (Part::Rate, _) => theme.strong(),
        _ => theme.text(),
    }
}

/// The name; an upload that is not running has its arrow here, as its sign says how it stands.
fn name(item: &Item, room: u16) -> String {
    let slash = if item.job.kind == Kind::Dir { "/" } else { "" };
    let name = &format!("{}{slash}", item.job.target);
    match (item.job.direction, &item.job.state) {
        (Direction::Out, JobState::Running { .. }) | (Direction::In, _) => {
            format::cut_name(name, room)
        }
        (Direction::Out, _) => {
            let arrow = fields::arrow(Direction::Out);
            format!("{arrow} {}", format::cut_name(name, room.saturating_sub(2)))
        }
    }
}

/// The column words must not run into.
fn first_number(slots: &[Slot<Part>], ended: bool) -> Option<u16> {
    slots.iter().find_map(|slot| match slot.field {
        // At its end an item has one size, and nothing before it.
        Part::Done if ended => None,
        Part::Done | Part::Size | Part::Rate | Part::Eta => Some(slot.x),
        Part::Name | Part::Bar | Part::Percent | Part::More => None,
    })
}

fn ratio(item: &Item) -> Option<f64> {
    model::ratio(item.done, item.size())
}

fn number(part: Part, item: &Item, took: Option<Duration>) -> String {
    let running = matches!(item.job.state, JobState::Running { .. });
    let is_folder = item.job.kind == Kind::Dir;
    match (part, took) {
        (Part::Size, Some(_)) if is_folder => {
            // What was found in it: nothing of that came with this item.
            format::size(item.size().unwrap_or(item.done))
        }
        (Part::Rate, Some(_)) if is_folder => String::new(),
        (Part::Done, None) if running || item.done > 0 => {
            format!("{} /", format::size(item.done))
        }
        (Part::Size, Some(_)) => format::size(item.done),
        (Part::Size, None) => format::size_or(item.size()),
        (Part::Rate, Some(took)) => {
            let seconds = took.as_secs_f64();
            format::rate(if seconds > 0.0 {
                item.fetched() as f64 / seconds
            } else {
                0.0
            })
        }
        (Part::Rate, None) if running => format::rate(item.rate.per_second()),
        (Part::Rate, None) if matches!(item.job.state, JobState::Paused { .. }) => {
            format!("{:>10}", "paused")
        }
        (Part::Eta, Some(took)) => format::clock(Some(took)),
        (Part::Eta, None) if running => {
            format::clock(model::eta(item.done, item.size(), item.rate.per_second()))
        }
        _ => String::new(),
    }
}

/// All of the queue as one gauge.
fn total(buf: &mut Buffer, line: Rect, slots: &[Slot<Part>], model: &Model, theme: Theme) {
    let (done, size) = model.remote.total();
    let ratio = (size > 0).then(|| model::ratio(done, Some(size))).flatten();
    let rate: f64 = model
        .remote
        .queue
        .flowing()
        .map(|item| item.rate.per_second())
        .sum();
    let queue = &model.remote.queue;
    let counts = queue.counts();
    // What was given up is wanted no more: it is in neither number.
    let well = format::count((counts.ended - counts.broken - counts.cancelled) as u64);
    let all = format::count((queue.len() - counts.cancelled) as u64);
    for slot in slots {
        let place = paint::part(line, slot.x, slot.width);
        let words = match slot.field {
            Part::Name => format!("total  {well} of {all}"),
            Part::Percent => format::percent(ratio),
            Part::Done => format!("{} /", format::size(done)),
            Part::Size => format::size(size),
            Part::Rate => format::rate(rate),
            Part::Eta => {
                let eta = model::eta(done, Some(size), rate).filter(|_| rate > 0.0);
                format::clock(eta)
            }
            Part::Bar => {
                table::bar(buf, place, ratio, theme.good());
                continue;
            }
            Part::More => continue,
        };
        paint::put(buf, place, &words, theme.strong());
    }
}
