//! What a row of the server's tables is made of: one list for columns, sorting and filters.
//!
//! A field has a name (as it is typed in a filter and shown in the sort menu),
//! a value to sort by, and the text of its cell. Reads the model's rows; knows
//! no screen and draws nothing.

use std::cmp::Ordering;
use std::net::SocketAddr;
use std::time::Duration;

use crate::entity::{Dialect, Direction, End, Outcome, Phase};
use crate::model::Connection;

use super::format;

/// A property of a connection or of its transfer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Field {
    Id,
    Peer,
    Dialect,
    Phase,
    File,
    Progress,
    Done,
    Size,
    Rate,
    Average,
    Eta,
    Stall,
    Age,
    Transfer,
    Time,
}

/// What rows are ordered by.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Value {
    Number(u64),
    Address(SocketAddr),
    Word(String),
    /// Not known; always last.
    Unknown,
}

/// Which way a field is sorted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    Rising,
    Falling,
}

impl Order {
    pub(super) const fn reversed(self) -> Self {
        match self {
            Self::Rising => Self::Falling,
            Self::Falling => Self::Rising,
        }
    }

    pub(super) const fn sign(self) -> &'static str {
        match self {
            Self::Rising => "▲",
            Self::Falling => "▼",
        }
    }

    /// Compares two values; what is not known stays at the end either way.
    pub(super) fn compare(self, a: &Value, b: &Value) -> Ordering {
        match (a, b, self) {
            (Value::Unknown, _, _) | (_, Value::Unknown, _) | (_, _, Self::Rising) => a.cmp(b),
            (_, _, Self::Falling) => b.cmp(a),
        }
    }
}

impl Field {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Id => "id",
            Self::Peer => "peer",
            Self::Dialect => "dialect",
            Self::Phase => "phase",
            Self::File => "file",
            Self::Progress => "progress",
            Self::Done => "done",
            Self::Size => "size",
            Self::Rate => "rate",
            Self::Average => "average",
            Self::Eta => "eta",
            Self::Stall => "stall",
            Self::Age => "age",
            Self::Transfer => "transfer",
            Self::Time => "time",
        }
    }

    /// The way one wants it first: the busiest, the largest, the next to be done.
    pub(super) const fn order(self) -> Order {
        match self {
            Self::Id
            | Self::Transfer
            | Self::Peer
            | Self::Dialect
            | Self::Phase
            | Self::File
            | Self::Eta => Order::Rising,
            _ => Order::Falling,
        }
    }

    /// What to sort a row by.
    pub(super) fn value(self, row: &Connection, now: Duration) -> Value {
        let transfer = row.transfer.as_ref();
        let number = |known: Option<u64>| known.map_or(Value::Unknown, Value::Number);
        match self {
            Self::Id => Value::Number(row.id().0),
            Self::Peer => Value::Address(row.peer().0),
            Self::Dialect => row
                .dialect
                .map_or(Value::Unknown, |it| Value::Word(it.label().to_owned())),
            Self::Phase => Value::Word(phase_words(row)),
            Self::File => transfer.map_or(Value::Unknown, |it| {
                Value::Word(it.path.as_str().to_lowercase())
            }),
            Self::Progress => number(
                transfer
                    .and_then(crate::model::Transfer::ratio)
                    .map(|ratio| whole(ratio * 10_000.0)),
            ),
            Self::Done => number(transfer.map(crate::model::Transfer::carried)),
            Self::Size => number(transfer.and_then(crate::model::Transfer::load)),
            Self::Rate => Value::Number(coarse(row.rate.per_second())),
            Self::Average => number(transfer.map(|it| coarse(it.average(until(row, now))))),
            Self::Eta => number(row.eta().map(|eta| eta.as_secs())),
            Self::Stall => Value::Number(row.stall(now).as_secs()),
            Self::Age => Value::Number(row.age(now).as_secs()),
            Self::Transfer => number(transfer.map(|it| it.started.xfer.0)),
            Self::Time => {
                number(transfer.map(|it| until(row, now).saturating_sub(it.begun).as_secs()))
            }
        }
    }
}

/// When a row's clocks stand still: now, or at its end.
pub(super) fn until(row: &Connection, now: Duration) -> Duration {
    row.gone.as_ref().map_or(now, |gone| gone.at)
}

/// The rate a row shows: over the window while it lives, the average once it is gone.
pub(super) fn shown_rate(row: &Connection, now: Duration) -> f64 {
    match (&row.gone, &row.transfer) {
        (None, _) => row.rate.per_second(),
        (Some(_), Some(transfer)) => transfer.average(until(row, now)),
        (Some(_), None) => 0.0,
    }
}

/// Two digits of a rate: small changes shall not make rows change places.
fn coarse(rate: f64) -> u64 {
    let mut rate = whole(rate);
    let mut scale = 1;
    while rate >= 100 {
        rate /= 10;
        scale *= 10;
    }
    rate * scale
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a float-to-int cast saturates; rates and shares are never negative"
)]
fn whole(value: f64) -> u64 {
    value as u64
}

/// Where a row stands, in words: its phase, or how it ended.
pub(super) fn phase_words(row: &Connection) -> String {
    match &row.gone {
        // Session's is a person who types: the word says whose turn it is.
        None if is_waiting(row) => "waiting".to_owned(),
        None => row.phase.label().to_owned(),
        Some(gone) => gone
            .end
            .map_or_else(|| "gone".to_owned(), |end| end.label().replace('_', " ")),
    }
}

/// Whether the peer's next command is what is missing.
pub(super) fn is_waiting(row: &Connection) -> bool {
    row.gone.is_none()
        && row.dialect == Some(Dialect::Session)
        && matches!(row.phase, Phase::Idle | Phase::Opening)
}

/// The sign before a row's phase: a direction while bytes flow, a verdict at the end.
pub(super) fn phase_sign(row: &Connection) -> &'static str {
    match &row.gone {
        None => match row.phase {
            Phase::Sending => "↑",
            Phase::Receiving => "↓",
            _ => " ",
        },
        Some(gone) => match gone.end {
            Some(End::Done) => "✓",
            Some(End::PeerClosed | End::Shutdown | End::Displaced) | None => "·",
            Some(_) => "✗",
        },
    }
}

/// How well an ended row did; `None` while it lives or if nothing is to be said.
pub(super) fn verdict(row: &Connection) -> Option<Outcome> {
    row.transfer.as_ref().and_then(|transfer| transfer.outcome)
}

/// The arrow for a direction, seen from the server.
pub(super) const fn arrow(direction: Direction) -> &'static str {
    match direction {
        Direction::Out => "↑",
        Direction::In => "↓",
    }
}

/// The name and the pin of who proved them, and the address as far as there is room; else the address.
fn peer(row: &Connection, width: u16) -> String {
    let address = row.peer().to_string();
    let Some(who) = row.who() else {
        return format::cut_name(&address, width);
    };
    let pin = who.pin.short();
    let short = pin.get(..8).unwrap_or_default();
    let name = format::cut_name(who.name.as_str(), width.saturating_sub(9).max(4));
    let said = format!("{name} {short}");
    let whole = format!("{said} {address}");
    if format::width(&whole) <= width {
        whole
    } else {
        said
    }
}

/// The text of a cell; the progress bar is drawn elsewhere, its share is here.
pub(super) fn cell(field: Field, row: &Connection, now: Duration, width: u16) -> String {
    let transfer = row.transfer.as_ref();
    match field {
        Field::Id => row.id().0.to_string(),
        Field::Peer => peer(row, width),
        Field::Dialect => row
            .dialect
            .map_or_else(|| format::NOTHING.to_owned(), |it| it.label().to_owned()),
        Field::Phase => {
            // Eleven columns: the sign before it says the rest.
            let words = phase_words(row);
            format!("{} {}", phase_sign(row), words.trim_start_matches("peer "))
        }
        Field::File => transfer.map_or_else(String::new, |it| {
            let sign = arrow(it.started.direction);
            let name = format::cut_path(it.path.as_str(), width.saturating_sub(2));
            format!("{sign} {name}")
        }),
        Field::Progress => format::percent(transfer.and_then(crate::model::Transfer::ratio)),
        Field::Done => format::size_or(transfer.map(crate::model::Transfer::carried)),
        Field::Size => format::size_or(transfer.and_then(crate::model::Transfer::load)),
        Field::Rate => format::rate(shown_rate(row, now)),
        Field::Average => format::rate(transfer.map_or(0.0, |it| it.average(until(row, now)))),
        Field::Eta => format::clock(row.eta()),
        Field::Stall => format::short(row.stall(now)),
        Field::Age => format::clock(Some(row.age(now))),
        Field::Transfer => transfer.map_or_else(String::new, |it| it.started.xfer.0.to_string()),
        Field::Time => format::clock(transfer.map(|it| until(row, now).saturating_sub(it.begun))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_unknown_stays_last() {
        let (one, two, none) = (Value::Number(1), Value::Number(2), Value::Unknown);
        assert_eq!(Order::Rising.compare(&one, &two), Ordering::Less);
        assert_eq!(Order::Falling.compare(&one, &two), Ordering::Greater);
        for order in [Order::Rising, Order::Falling] {
            assert_eq!(order.compare(&none, &one), Ordering::Greater);
            assert_eq!(order.compare(&one, &none), Ordering::Less);
            assert_eq!(order.compare(&none, &none), Ordering::Equal);
        }
    }

    #[test]
    fn a_coarse_rate_has_two_digits() {
        assert_eq!(coarse(0.4), 0);
        assert_eq!(coarse(99.0), 99);
        assert_eq!(coarse(118_888.0), 110_000);
        assert_eq!(coarse(f64::INFINITY), coarse(1e30));
    }
}
