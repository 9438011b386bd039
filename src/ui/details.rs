//! All that is known about one row, as lines for a popup.
//!
//! Both rates stand here with their names: over the last three seconds, and
//! since the transfer began.

use ratatui::style::Style;

use crate::model::{Connection, Entered, Model, Transfer};

use super::fields;
use super::format;
use super::paint;
use super::screen::Screen;

/// A line of the popup: label, words, how the words look.
pub(super) type Detail = (&'static str, String, Style);

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
                .map_or("not known yet", crate::entity::Dialect::label)
                .to_owned(),
            text,
        ),
        (
            "phase",
            format!("{} {}", fields::phase_sign(row), fields::phase_words(row))
                .trim()
                .to_owned(),
            text,
        ),
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
        (
            "done",
            format!(
                "{}  {}",
                bytes(transfer.done),
                format::percent(transfer.ratio()).trim()
            ),
            text,
        ),
    ];
    if started.offset > 0 {
        out.push(("resumed at", bytes(started.offset), text));
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
    let average = format!(
        "{} since it began",
        format::rate_words(transfer.average(until))
    );
    out.push(("average", average, text));
    out
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
