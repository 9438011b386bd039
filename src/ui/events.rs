//! The pane of events: time, word, whose, what; newest at the bottom.
//!
//! It follows the newest line until somebody scrolls up, and again when they
//! come back to the end. Lines are known by their number, so old ones may fall
//! off the front meanwhile. The words are `line`'s.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

use crate::line::Weight;
use crate::model::{Entered, Model};

use super::format;
use super::line_input::LineInput;
use super::paint;
use super::screen::{Hit, Pane, Screen, View};
use super::select::{Cursor, Step};

/// The state of the pane.
#[derive(Clone, Debug)]
pub(super) struct EventList {
    pub cursor: Cursor<u64>,
    pub filter: LineInput,
    pub typing: bool,
    follows: bool,
    /// Numbers of the lines that match, oldest first.
    rows: Vec<u64>,
}

impl Default for EventList {
    fn default() -> Self {
        Self {
            cursor: Cursor::default(),
            filter: LineInput::default(),
            typing: false,
            follows: true,
            rows: Vec::new(),
        }
    }
}

impl EventList {
    pub(super) fn refresh(&mut self, model: &Model) {
        let wanted = self.filter.text().to_lowercase();
        self.rows.clear();
        self.rows.extend(
            model
                .lines
                .iter()
                .filter(|entered| matches(entered, &wanted))
                .map(|entered| entered.number),
        );
        let rows = &self.rows;
        self.cursor.settle(
            rows.len(),
            |row, number| rows[row] == *number,
            |row| rows[row],
        );
        if self.follows {
            self.step(Step::Last);
        }
    }

    pub(super) fn step(&mut self, step: Step) {
        let rows = &self.rows;
        self.cursor.step(step, |row| rows[row]);
        self.follows = self.cursor.index() + 1 >= rows.len();
    }

    pub(super) fn go(&mut self, row: usize) {
        let rows = &self.rows;
        self.cursor.go(row, |row| rows[row]);
        self.follows = self.cursor.index() + 1 >= rows.len();
    }

    /// Ends the filter; true if there was one.
    pub(super) fn escape(&mut self) -> bool {
        let had = self.typing || !self.filter.is_empty();
        self.typing = false;
        self.filter.clear();
        had
    }

    fn entered<'m>(&self, model: &'m Model, row: usize) -> Option<&'m Entered> {
        let first = model.lines.front()?.number;
        let at = self.rows.get(row)?.checked_sub(first)?;
        model.lines.get(usize::try_from(at).ok()?)
    }

    /// The line the cursor is on.
    pub(super) fn chosen<'m>(&self, model: &'m Model) -> Option<&'m Entered> {
        self.cursor.current()?;
        self.entered(model, self.cursor.index())
    }
}

fn matches(entered: &Entered, wanted: &str) -> bool {
    let line = &entered.line;
    wanted.split_whitespace().all(|word| {
        line.word.contains(word)
            || line.who.to_lowercase().contains(word)
            || line.said.to_lowercase().contains(word)
    })
}

const fn sign(weight: Weight) -> &'static str {
    match weight {
        Weight::Plain => "·",
        Weight::Good => "✓",
        Weight::Warn => "!",
        Weight::Bad => "✗",
    }
}

/// Draws the pane.
pub(super) fn draw(buf: &mut Buffer, area: Rect, model: &Model, screen: &mut Screen) {
    let theme = screen.theme;
    let focused = screen.focus == Pane::Events;
    let inner = paint::inside(area);
    screen.hit(area, Hit::Pane(Pane::Events));
    let shown = screen.events.rows.len();
    let after = titles(buf, area, model, screen);
    let mut state = Vec::new();
    if !screen.events.filter.is_empty() {
        let text = format::cut(screen.events.filter.text(), 30);
        let words = format!("filter: {text}  {shown} of {}", model.lines.len());
        state.push((words, theme.warn()));
    } else if !screen.events.follows {
        let below = shown.saturating_sub(screen.events.cursor.index() + 1);
        let words = format!("{} newer below, G follows", format::count(below as u64));
        state.push((words, theme.dim()));
    }
    paint::title_right(buf, area, after, &state);
    if shown == 0 {
        let words = if screen.events.filter.is_empty() {
            "nothing has happened yet"
        } else {
            "no event matches; Esc clears the filter"
        };
        paint::message(buf, inner, &[(words, theme.dim())]);
        return;
    }
    let window = screen.events.cursor.window(inner.height);
    let first = window.start;
    screen.hit(
        inner,
        Hit::Rows {
            pane: Pane::Events,
            first,
        },
    );
    for (n, row) in (0..inner.height).zip(window) {
        let line = paint::row(inner, n);
        if let Some(entered) = screen.events.entered(model, row) {
            let chosen = focused && row == screen.events.cursor.index();
            draw_line(buf, line, entered, screen, chosen.then(|| theme.selected()));
        }
    }
}

/// Writes the pane's name, or the tabs where it is the main pane; tells the column after it.
fn titles(buf: &mut Buffer, area: Rect, model: &Model, screen: &mut Screen) -> u16 {
    if screen.view == View::Events {
        return super::table::tabs(buf, area, model, screen);
    }
    let style = match screen.focus {
        Pane::Events => screen.theme.strong(),
        _ => screen.theme.text(),
    };
    paint::title(buf, area, 2, &[("events".to_owned(), style)])
}

/// The least columns for what stands before the point of a line.
const LEAST_NAMES: u16 = 13;

/// A line in its room: names give way in their middle before the point, up to its first comma.
fn fit(said: &str, point: usize, room: u16) -> String {
    let (names, rest) = said.split_at_checked(point).unwrap_or(("", said));
    if names.is_empty() || format::width(said) <= room {
        return said.to_owned();
    }
    // Its comma, or the sign that there was more, needs a column too.
    let core = format::width(rest.split(',').next().unwrap_or(rest)) + 1;
    let least = LEAST_NAMES.min(format::width(names)).min(room);
    let names = format::cut_name(names, room.saturating_sub(core).max(least));
    format!("{names}{rest}")
}

/// Columns of the word, `transfer_` left out: what is said names the file.
const WORD: u16 = 9;

fn draw_line(
    buf: &mut Buffer,
    line: Rect,
    entered: &Entered,
    screen: &Screen,
    over: Option<Style>,
) {
    let theme = screen.theme;
    let said = &entered.line;
    let pick = |style: Style| over.unwrap_or(style);
    if let Some(style) = over {
        buf.set_style(line.intersection(buf.area), style);
    }
    // `#38 10.0.0.7:50122` and `#12345 192.168.100.100:50122`
    let (word, who) = match line.width {
        0..90 => (WORD, 22),
        _ => (WORD, 28),
    };
    let time = format::time_of_day(entered.at, &screen.tz);
    let words = said.word.trim_start_matches("transfer_");
    let weight = theme.weight(said.weight);
    paint::put(buf, paint::part(line, 1, 8), &time, pick(theme.dim()));
    paint::put(
        buf,
        paint::part(line, 10, 1),
        sign(said.weight),
        pick(weight),
    );
    paint::put(buf, paint::part(line, 12, word), words, pick(weight));
    let whose = format::cut_name(&said.who, who);
    paint::put(
        buf,
        paint::part(line, 13 + word, who),
        &whose,
        pick(theme.text()),
    );
    // Where the room is short, what is nobody's needs no blank place for a name.
    let said_at = match (line.width, said.who.is_empty()) {
        (0..90, true) => 13 + word,
        _ => 14 + word + who,
    };
    let rest = paint::part(line, said_at, line.width);
    let plain = match said.weight {
        Weight::Plain => theme.dim(),
        _ => theme.text(),
    };
    let words = fit(&said.said, said.point, rest.width);
    paint::put(buf, rest, &words, pick(plain));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_point_outlasts_the_names() {
        let said = "out iso/debian-12.9.0-amd64-netinst.iso: complete (hash), 1 B in 0.0 s";
        let point = said.find(": ").map_or(0, |at| at + 1);
        assert_eq!(fit(said, point, 80), said);
        assert_eq!(
            fit(said, point, 66),
            said,
            "what is behind the comma is cut by paint"
        );
        let cut = fit(said, point, 40);
        assert_eq!(cut, "out iso/deb…etinst.iso: complete (hash), 1 B in 0.0 s");
        assert!(fit(said, point, 10).contains("….iso: complete"));
        assert_eq!(fit("deck list /", 0, 4), "deck list /");
        assert_eq!(fit("one: two", 99, 4), "one: two");
    }
}
