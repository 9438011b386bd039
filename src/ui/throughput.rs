//! The two graphs of payload, out and in, and the pane of counters beside them.
//!
//! A graph shows the last minute, one value a second, newest at the right; its
//! scale moves in round steps so that it does not twitch. Narrow panes put a few
//! seconds into a column, wide ones give a second more columns than one.

use std::time::Duration;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

use crate::entity::Direction;
use crate::model::{Flow, Model};
use crate::rate::History;

use super::fields;
use super::format;
use super::paint::{self, Focus};
use super::screen::Screen;
use super::theme::Theme;

/// Columns for the scale.
const SCALE: u16 = 10;
/// From this room on the scale is worth its columns.
const WITH_SCALE: u16 = 30;

/// Draws both graphs and the counters next to each other.
pub(super) fn draw(buf: &mut Buffer, area: Rect, model: &Model, screen: &Screen) {
    let now = match area.width {
        0..70 => 23,
        70..100 => 27,
        100..160 => 33,
        _ => 42,
    };
    // Each pane shares a border with the next.
    let left = area.width.saturating_sub(now) + 1;
    let out = left.div_ceil(2);
    let theme = screen.theme;
    let place = |x: u16, width: u16| Rect::new(area.x + x, area.y, width, area.height);
    let places = [
        place(0, out),
        place(out - 1, left - out + 1),
        place(left - 1, now),
    ];
    for place in places {
        paint::border(buf, place, theme, Focus::Elsewhere);
    }
    flow(buf, places[0], model, Direction::Out, theme);
    flow(buf, places[1], model, Direction::In, theme);
    counters(buf, places[2], model, theme);
}

fn flow(buf: &mut Buffer, area: Rect, model: &Model, direction: Direction, theme: Theme) {
    let inner = paint::inside(area);
    let flow = match direction {
        Direction::Out => &model.outward,
        Direction::In => &model.inward,
    };
    let ink = theme.flow(direction);
    let rate = flow.rate.per_second();
    let now = if rate < 0.5 {
        theme.dim()
    } else {
        theme.strong()
    };
    let after = paint::title(
        buf,
        area,
        1,
        &[
            (
                format!("{} {} ", fields::arrow(direction), direction.label()),
                ink,
            ),
            (rate_title(rate), now),
        ],
    );
    paint::title_right(buf, area, after, &[("60 s".to_owned(), theme.dim())]);
    let rows = match inner.height {
        0 => return,
        1 => 1,
        tall => tall - 1,
    };
    let scale_width = if inner.width >= WITH_SCALE { SCALE } else { 0 };
    let (peak, unit) = scale(flow.history.peak());
    let graph = Rect::new(
        inner.x + 1,
        inner.y,
        inner.width.saturating_sub(scale_width + 2),
        rows,
    );
    draw_graph(buf, graph, flow, model.now, ink, peak);
    if scale_width > 0 {
        let side = paint::part(inner, inner.width - scale_width, scale_width - 1);
        paint::put_right(buf, paint::row(side, 0), &unit, theme.dim());
        if rows > 2 {
            paint::put_right(buf, paint::row(side, rows - 1), "0", theme.dim());
        }
    }
    if inner.height > rows {
        let (bytes, files) = (
            format::size_words(flow.bytes),
            format::plural(flow.files, "file"),
        );
        let place = paint::part(paint::row(inner, rows), 1, inner.width - 1);
        paint::put(buf, place, &format!("{bytes} in {files}"), theme.text());
    }
}

/// A rate that keeps its width while something flows.
fn rate_title(rate: f64) -> String {
    if rate < 0.5 {
        return format::rate_words(rate);
    }
    format::rate(rate).trim_end().to_owned()
}

/// The next round number at or above a peak, and its words.
fn scale(peak: u64) -> (u64, String) {
    if peak == 0 {
        return (1, String::new());
    }
    let mut unit: u64 = 1;
    while peak / unit >= 500 && unit < 1 << 60 {
        unit = unit.saturating_mul(1024);
    }
    let steps = [1, 2, 5, 10, 20, 50, 100, 200, 500];
    let top = steps
        .into_iter()
        .map(|step| unit.saturating_mul(step))
        .find(|&top| top >= peak)
        .unwrap_or(peak);
    let unit_word = format::size_words(unit);
    let unit_word = unit_word.trim_start_matches(|ch: char| !ch.is_alphabetic());
    let words = format!("{} {unit_word}/s", top / unit);
    (top, words)
}

/// Fills an area with the minute's values, newest at the right.
fn draw_graph(buf: &mut Buffer, area: Rect, flow: &Flow, now: Duration, ink: Style, peak: u64) {
    let length = u16::try_from(History::LENGTH).unwrap_or(60);
    if area.is_empty() {
        return;
    }
    let (seconds, cells) = match area.width {
        narrow if narrow < length => (length.div_ceil(narrow), 1),
        wide => (1, (wide / length).min(3)),
    };
    let columns = columns(&flow.history, now.as_secs(), usize::from(seconds));
    for (n, &value) in (1u16..).zip(columns.iter().rev()) {
        let Some(x) = area.width.checked_sub(n * cells) else {
            break;
        };
        let high = level(value, peak, area.height * 8);
        for row in 0..area.height {
            let here = high.saturating_sub((area.height - 1 - row) * 8).min(8);
            let text = EIGHTHS[usize::from(here)].repeat(usize::from(cells));
            if here > 0 {
                paint::put(
                    buf,
                    paint::part(paint::row(area, row), x, cells),
                    &text,
                    ink,
                );
            }
        }
    }
}

/// The history in columns of so many seconds each: the mean of each, oldest first.
///
/// Columns begin at whole multiples of the program's seconds, so a value stays
/// in its column while the graph moves, and the picture does not shimmer.
fn columns(history: &History, now: u64, seconds: usize) -> Vec<u64> {
    let values: Vec<u64> = history.values().collect();
    if seconds <= 1 {
        return values;
    }
    let newest = usize::try_from(now % seconds as u64).unwrap_or(0);
    let (old, young) = values.split_at(values.len() - newest.min(values.len()));
    let mean = |values: &[u64]| {
        let sum: u128 = values.iter().copied().map(u128::from).sum();
        u64::try_from(sum / values.len().max(1) as u128).unwrap_or(u64::MAX)
    };
    let mut columns: Vec<u64> = old.rchunks(seconds).map(mean).collect();
    columns.reverse();
    if !young.is_empty() {
        columns.push(mean(young));
    }
    columns
}

/// How high a value stands, in `of` steps; what is not nothing stands at least one high.
fn level(value: u64, peak: u64, of: u16) -> u16 {
    if value == 0 {
        return 0;
    }
    let share = value as f64 / peak.max(1) as f64;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "between 0 and `of` by the clamp"
    )]
    let level = (share * f64::from(of)).round().clamp(0.0, f64::from(of)) as u16;
    level.max(1)
}

const EIGHTHS: [&str; 9] = [" ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"];

/// A graph of the last seconds in one line, for the client's header.
pub(super) fn sparkline(history: &History, columns: u16) -> String {
    let (peak, _) = scale(history.peak());
    let skip = history.values().len().saturating_sub(usize::from(columns));
    history
        .values()
        .skip(skip)
        .map(|value| EIGHTHS[usize::from(level(value, peak, 8).max(1))])
        .collect()
}

/// A counter: word, value, style of the value.
type Counter = (&'static str, String, Style);

fn counters(buf: &mut Buffer, area: Rect, model: &Model, theme: Theme) {
    let inner = paint::inside(area);
    paint::title(buf, area, 1, &[("now".to_owned(), theme.strong())]);
    let tally = &model.tally;
    let count = |word, value: u64, alarm: Style| -> Counter {
        let style = if value == 0 { theme.dim() } else { alarm };
        (word, format::count(value), style)
    };
    let open = format!(
        "{} / {}",
        format::count(model.living() as u64),
        format::count(model.about.max_connections as u64)
    );
    let word = if inner.width < 24 {
        "open"
    } else {
        "connections"
    };
    let lines = [
        vec![(word, open, theme.strong())],
        vec![
            count("active", model.active() as u64, theme.strong()),
            count("in all", tally.accepted, theme.text()),
        ],
        vec![
            count("timeouts", tally.timeouts, theme.warn()),
            count("failed", tally.failed, theme.bad()),
        ],
        vec![
            count("malformed", tally.malformed, theme.warn()),
            count("refused", tally.refused, theme.warn()),
        ],
    ];
    // What went wrong is worth more room than what was counted.
    let order: &[usize] = match inner.height {
        0 => &[],
        1 => &[0],
        2 => &[0, 2],
        3 => &[0, 2, 3],
        _ => &[0, 1, 2, 3],
    };
    for (n, &at) in (0u16..).zip(order) {
        let line = paint::row(inner, n);
        let line = paint::part(line, 1, line.width.saturating_sub(2));
        draw_counters(buf, line, &lines[at], theme);
    }
}

fn draw_counters(buf: &mut Buffer, line: Rect, counters: &[Counter], theme: Theme) {
    let many = u16::try_from(counters.len()).unwrap_or(1).max(1);
    let gap = 2 * (many - 1);
    let each = line.width.saturating_sub(gap) / many;
    for (n, (word, value, style)) in (0u16..).zip(counters) {
        let x = n * (each + 2);
        // The last one has what the division left over.
        let width = if n + 1 == many { line.width - x } else { each };
        let place = paint::part(line, x, width);
        let left = width.saturating_sub(format::width(value) + 1);
        paint::put(buf, paint::part(place, 0, left), word, theme.dim());
        paint::put_right(buf, place, value, *style);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scale_moves_in_round_steps() {
        assert_eq!(scale(1).1, "1 B/s");
        assert_eq!(scale(900).1, "1 KiB/s");
        assert_eq!(scale(1_300_000_000).1, "2 GiB/s");
        assert_eq!(scale(84 << 20).1, "100 MiB/s");
        assert_eq!(scale(0), (1, String::new()));
        let _ = scale(u64::MAX);
    }

    #[test]
    fn a_level_fits_and_shows_the_smallest_flow() {
        assert_eq!(level(0, 100, 8), 0);
        assert_eq!(level(1, 1_000_000, 8), 1);
        assert_eq!(level(u64::MAX, 1, 8), 8);
        assert_eq!(level(50, 100, 8), 4);
    }
}
