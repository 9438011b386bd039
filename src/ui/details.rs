//! All that is known about one row, as lines for a popup.
//!
//! Both rates stand here with their names: over the last three seconds, and
//! since the transfer began.

mod file;
mod more;

use ratatui::style::Style;

pub(super) use self::file::file;
pub(super) use self::more::more;

use crate::entity::{Dialect, Direction, Kind, Outcome};
use crate::event::JobState;
use crate::model::{self, Connection, Entered, Model, Transfer};
use crate::remote::Item;

use super::fields;
use super::format;
use super::paint;
use super::screen::Screen;
use super::theme::Theme;

/// A line of the popup: label, words, how the words look.
pub(super) type Detail = (&'static str, String, Style);

/// A folder that was walked to its end: its files are items of their own, with ends of
/// their own.
pub(super) const SEARCHED: &str = "searched";

/// Columns of the labels.
pub(super) const LABEL: u16 = 12;
/// All about a connection and its transfer, wrapped to `room` columns of words.
pub(super) fn connection(
    row: &Connection,
    model: &Model,
    screen: &Screen,
    room: u16,
) -> Vec<Detail> {
    let theme = screen.theme;
    let text = theme.text();
    let mut out: Vec<Detail> = vec![
        ("connection", format!("#{}", row.id().0), theme.strong()),
        ("peer", row.peer().to_string(), theme.strong()),
        ("address", format!("{} (ours)", row.birth.addr), text),
        (
            "dialect",
            row.dialect
                .map_or("not known yet", Dialect::label)
                .to_owned(),
            text,
        ),
        ("phase", phase(row), text),
        (
            "accepted",
            format::date_time(row.birth.at, &screen.tz),
            text,
        ),
        ("age", format::clock_words(row.age(model.now)), text),
        (
            "last byte",
            format!("{} ago", format::short(row.stall(model.now)).trim()),
            text,
        ),
        ("bytes out", bytes(row.bytes_out), text),
        ("bytes in", bytes(row.bytes_in), text),
        ("transfers", row.transfers.to_string(), text),
    ];
    who(&mut out, row, theme, room);
    if let Some(transfer) = &row.transfer {
        out.push(("", String::new(), text));
        out.extend(about_transfer(row, transfer, model, screen));
        wrapped(&mut out, "path", transfer.path.as_str(), room, text);
    }
    if let Some(line) = &row.last_line {
        out.push(("", String::new(), text));
        let words = format!("{}: {}", line.word.replace('_', " "), line.said);
        wrapped(
            &mut out,
            "last line",
            &words,
            room,
            theme.weight(line.weight),
        );
    }
    out
}

/// Whether anybody can read along, and who it is where that was proved.
fn who(out: &mut Vec<Detail>, row: &Connection, theme: Theme, room: u16) {
    let text = theme.text();
    let (words, style) = match row.dialect {
        Some(Dialect::DeckTls) => ("inside TLS 1.3", theme.good()),
        Some(_) => ("in the open: plain TCP", text),
        None => return,
    };
    out.push(("private", words.to_owned(), style));
    let Some(who) = row.who() else { return };
    wrapped(out, "name", who.name.as_str(), room, theme.strong());
    wrapped(out, "pin", &who.pin.to_string(), room, text);
    let words: Vec<&str> = who.granted.words().collect();
    let words = match &words[..] {
        [] => "nothing".to_owned(),
        words => words.join(" "),
    };
    wrapped(out, "granted", &words, room, text);
}

fn phase(row: &Connection) -> String {
    let words = format!("{} {}", fields::phase_sign(row), fields::phase_words(row));
    let rest = if fields::is_waiting(row) {
        " for a command"
    } else {
        ""
    };
    format!("{}{rest}", words.trim())
}

/// How much is across, and the share of it where that can be said.
fn done(count: u64, ratio: Option<f64>) -> String {
    match ratio {
        Some(_) => format!("{}  {}", bytes(count), format::percent(ratio).trim()),
        None => bytes(count),
    }
}

fn about_transfer(
    row: &Connection,
    transfer: &Transfer,
    model: &Model,
    screen: &Screen,
) -> Vec<Detail> {
    let theme = screen.theme;
    let text = theme.text();
    let started = &transfer.started;
    let until = fields::until(row, model.now);
    let size = started.size.map_or_else(|| "not known".to_owned(), bytes);
    let mut out = vec![
        (
            "transfer",
            format!(
                "{} {}, number {}",
                fields::arrow(started.direction),
                started.direction.label(),
                started.xfer.0
            ),
            theme.strong(),
        ),
        ("started", format::date_time(started.at, &screen.tz), text),
        ("size", size, text),
    ];
    let (from, _) = transfer.stretch();
    if let Some((from, until)) = started.range {
        let words = format!(
            "{} to {}, one of several",
            format::size_words(from),
            format::size_words(until)
        );
        out.push(("stretch", words, text));
    }
    let across = transfer.done.saturating_sub(from);
    out.push(("done", done(across, transfer.ratio()), text));
    if started.offset > from {
        out.push(("resumed at", bytes(started.offset), text));
    }
    let verified = started.progress.verified();
    if verified > 0 {
        out.push(("verified", bytes(verified), theme.good()));
    }
    if let Some(outcome) = transfer.outcome {
        out.push(("ended", outcome.words().to_owned(), theme.strong()));
    } else {
        let window = format!(
            "{} over the last 3 s",
            format::rate_words(row.rate.per_second())
        );
        out.push(("rate", window, theme.strong()));
        let eta = row.eta();
        let eta = eta.map_or_else(|| "cannot be said".to_owned(), format::clock_words);
        out.push(("eta", eta, text));
    }
    let average = since_it_began(transfer.average(until));
    out.push(("average", average, text));
    out
}

/// All about an item of the queue, wrapped to `room` columns of words.
pub(super) fn item(item: &Item, model: &Model, screen: &Screen, room: u16) -> Vec<Detail> {
    let theme = screen.theme;
    let text = theme.text();
    let mut out = Vec::new();
    wrapped(
        &mut out,
        "path",
        item.job.path.shown().as_str(),
        room,
        theme.strong(),
    );
    let target = item.job.target.as_str();
    let (label, into) = match item.job.direction {
        Direction::In => ("local name", landing(item, model)),
        Direction::Out => ("name there", model.about.subject.to_string()),
    };
    wrapped(&mut out, label, target, room, text);
    wrapped(&mut out, "into", &into, room, text);
    let (state, style) = state(item, theme);
    wrapped(&mut out, "state", &state, room, style);
    if let JobState::Ended { cause, detail, .. } = &item.job.state {
        if !detail.as_str().is_empty() {
            wrapped(&mut out, "why", detail.as_str(), room, style);
        }
        if !cause.is_empty() {
            out.push(("cause", cause.replace('_', " "), text));
        }
    }
    out.push(("", String::new(), text));
    let size = item.size().map_or_else(|| "not known".to_owned(), bytes);
    out.push(("size", size, text));
    if item.job.kind == Kind::File {
        let share = model::ratio(item.done, item.size());
        out.push(("done", done(item.done, share), text));
    }
    if let Some(limit) = item.job.limit {
        let words = format!("held to {}", format::limit_words(limit));
        out.push(("limit", words, theme.warn()));
    }
    out.extend(course(item, model, theme, room));
    out
}

/// The local folder a download goes into.
pub(super) fn landing(item: &Item, model: &Model) -> String {
    let landing = model.about.landing.as_str();
    match item.job.folder.as_str() {
        "" => landing.to_owned(),
        folder => format!("{}/{folder}", landing.trim_end_matches('/')),
    }
}

/// What only an item's present state has to tell.
fn course(item: &Item, model: &Model, theme: Theme, room: u16) -> Vec<Detail> {
    let text = theme.text();
    let mut out = Vec::new();
    match &item.job.state {
        JobState::Walking { walk } => {
            let words = format!(
                "{}, {}",
                format::kinds(walk.files(), walk.folders()),
                format::size_words(walk.bytes())
            );
            out.push(("found so far", words, text));
        }
        JobState::Waiting { why, .. } => {
            wrapped(&mut out, "why", why.as_str(), room, theme.warn());
        }
        JobState::Running { started } => {
            if started.offset > 0 {
                out.push(("resumed at", bytes(started.offset), text));
            }
            if let Some(verified) = item.verified() {
                let share = model::ratio(verified, item.size());
                out.push(("verified", done(verified, share), theme.good()));
            }
            if item.streams() > 0 {
                let streams = u64::from(item.streams());
                out.push(("streams", streams.to_string(), text));
            }
            let rate = item.rate.per_second();
            let window = format!("{} over the last 3 s", format::rate_words(rate));
            out.push(("rate", window, theme.strong()));
            out.push(("average", since_it_began(item.average(model.now)), text));
            let eta = model::eta(item.done, item.size(), rate);
            let eta = eta.map_or_else(|| "cannot be said".to_owned(), format::clock_words);
            out.push(("eta", eta, text));
        }
        JobState::Ended { bytes, took, .. } if *bytes > 0 => {
            let seconds = took.as_secs_f64();
            if seconds > 0.0 {
                let average = since_it_began(item.fetched() as f64 / seconds);
                out.push(("average", average, theme.strong()));
            }
            out.push(("took", format::clock_words(*took), text));
        }
        _ => {}
    }
    out
}

/// An item's state in words, and how they look.
fn state(item: &Item, theme: Theme) -> (String, Style) {
    let (words, style) = match &item.job.state {
        JobState::Queued => ("waits for its turn", theme.text()),
        JobState::Waiting { .. } => ("waits for the server to come back", theme.warn()),
        JobState::Walking { .. } => ("its files are being looked for", theme.text()),
        JobState::Asking => ("the server is being asked", theme.text()),
        JobState::Running { .. } if item.job.resumes => ("running", theme.text()),
        JobState::Running { .. } => ("running; a pause would begin it again", theme.text()),
        JobState::Paused { .. } => ("paused", theme.warn()),
        JobState::Clash => ("waits for an answer: the name is taken", theme.warn()),
        JobState::Ended { outcome, .. } => {
            let style = match outcome {
                _ if outcome.went_well() => theme.good(),
                Outcome::Cancelled => theme.dim(),
                _ => theme.bad(),
            };
            let words = match item.job.kind {
                Kind::Dir if outcome.went_well() => SEARCHED,
                _ => outcome.words(),
            };
            (words, style)
        }
    };
    (words.to_owned(), style)
}

fn since_it_began(rate: f64) -> String {
    format!("{} since it began", format::rate_words(rate))
}

/// All of an event's line, wrapped to `room` columns of words.
pub(super) fn event(entered: &Entered, screen: &Screen, room: u16) -> Vec<Detail> {
    let theme = screen.theme;
    let line = &entered.line;
    let mut out = vec![
        (
            "time",
            format::date_time(entered.at, &screen.tz),
            theme.text(),
        ),
        (
            "event",
            line.word.replace('_', " "),
            theme.weight(line.weight),
        ),
    ];
    if !line.who.is_empty() {
        out.push(("whose", line.who.clone(), theme.text()));
    }
    wrapped(&mut out, "said", &line.said, room, theme.text());
    out
}

fn wrapped(out: &mut Vec<Detail>, label: &'static str, words: &str, room: u16, style: Style) {
    for (n, line) in paint::wrap(words, room.max(8)).into_iter().enumerate() {
        out.push((if n == 0 { label } else { "" }, line, style));
    }
}

fn bytes(count: u64) -> String {
    match count {
        0..1000 => format!("{count} B"),
        _ => format!(
            "{}  ({} B)",
            format::size_words(count),
            format::count(count)
        ),
    }
}
