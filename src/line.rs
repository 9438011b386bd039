//! One event as one line: the sentence a person reads and the record a script reads.
//!
//! Every reader of events (the screen's event list, `--format text`, `--format
//! json`) gets its words here, so they never differ. Knows events and nouns;
//! writes nothing anywhere.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::Serialize;

use crate::entity::{Direction, DisplayName, Outcome, Peer, RemotePath};
use crate::event::{Ended, Event, Fact, Job, JobState, Listening, Started, What};

/// RFC 3339 in UTC, to the millisecond.
const STAMP: &str = "%Y-%m-%dT%H:%M:%S%.3fZ";

/// How much an event matters to somebody who watches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Weight {
    /// The daily bread: accepted, request, started, closed.
    Plain,
    /// Something ended well.
    Good,
    /// Somebody should know: refused, displaced, kicked, note.
    Warn,
    /// Something broke: timeout, malformed, failed.
    Bad,
}

/// The words for one event; everything in it is clean.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// The event's own word, at most 16 columns.
    pub word: &'static str,
    /// Whose it is, `#41 192.168.1.9:50122`; empty where it is nobody's.
    pub who: String,
    /// What there is to say.
    pub said: String,
    /// How much it matters.
    pub weight: Weight,
}

/// The line for an event; `None` for what only a screen reads.
pub fn line(event: &Event) -> Option<Line> {
    let word = event.what.label()?;
    let (who, said, weight) = match &event.what {
        What::Listening(listening) => (
            String::new(),
            format!("{} on {}", listening.speak.label(), listening.addr),
            Weight::Plain,
        ),
        What::Accepted(birth) => (
            whose(Some(birth.conn.0), Some(birth.peer)),
            format!("on {}", birth.addr),
            Weight::Plain,
        ),
        What::TransferStarted(started) => (
            whose(Some(started.conn.0), Some(started.peer)),
            started_words(started),
            Weight::Plain,
        ),
        What::TransferEnded(ended) => (
            whose(Some(ended.started.conn.0), Some(ended.started.peer)),
            ended_words(ended),
            outcome_weight(ended.outcome),
        ),
        What::Request(fact) => (who_of(fact), request_words(fact), Weight::Plain),
        What::Closed(fact) => (who_of(fact), closed_words(fact), Weight::Plain),
        What::Timeout(fact) | What::Malformed(fact) => {
            (who_of(fact), fact_words(fact), Weight::Bad)
        }
        What::Refused(fact)
        | What::Displaced(fact)
        | What::Kicked(fact)
        | What::Note(fact)
        | What::Shutdown(fact) => (who_of(fact), fact_words(fact), Weight::Warn),
        What::Link(_) | What::Listing(_) | What::Job(_) | What::Removed(_) | What::Reset(_) => {
            return None;
        }
    };
    Some(Line {
        word,
        who,
        said,
        weight,
    })
}

/// The whole line as `--format text` prints it, without a line end.
pub fn text(event: &Event) -> Option<String> {
    let line = line(event)?;
    let at = event.at.strftime("%Y-%m-%dT%H:%M:%SZ");
    let gap = if line.who.is_empty() { "" } else { "  " };
    Some(format!(
        "{at} {:<16} {}{gap}{}",
        line.word, line.who, line.said
    ))
}

/// The event as one JSON object without a line end, fields as README's table has them.
pub fn json(event: &Event) -> Option<String> {
    let mut record = match &event.what {
        What::Listening(listening) => Record::listening(listening),
        What::Accepted(birth) => Record {
            conn: Some(birth.conn.0),
            peer: Some(birth.peer.to_string()),
            addr: Some(birth.addr.to_string()),
            ..Record::default()
        },
        What::TransferStarted(started) => Record::started(started),
        What::TransferEnded(ended) => Record::ended(ended),
        What::Request(fact)
        | What::Timeout(fact)
        | What::Malformed(fact)
        | What::Refused(fact)
        | What::Displaced(fact)
        | What::Kicked(fact)
        | What::Note(fact)
        | What::Closed(fact)
        | What::Shutdown(fact) => Record::fact(fact),
        What::Link(_) | What::Listing(_) | What::Job(_) | What::Removed(_) | What::Reset(_) => {
            return None;
        }
    };
    record.event = event.what.label()?;
    record.ts = event.at.strftime(STAMP).to_string();
    serde_json::to_string(&record).ok()
}

/// The end of a queue's item as one JSON object, `transfer_ended`; `None` before its end.
/// `started` is the transfer it began, if it came so far.
pub fn json_of_job(at: jiff::Timestamp, job: &Job, started: Option<&Started>) -> Option<String> {
    let JobState::Ended {
        outcome,
        bytes,
        took,
        cause,
        detail,
    } = &job.state
    else {
        return None;
    };
    let seconds = took.as_secs_f64();
    let record = Record {
        ts: at.strftime(STAMP).to_string(),
        event: "transfer_ended",
        direction: Some(Direction::In.label()),
        bytes: Some(*bytes),
        size: Some(job.size),
        seconds: Some(thousandths(seconds)),
        rate: (seconds > 0.0).then(|| thousandths(*bytes as f64 / seconds)),
        cause,
        detail: detail.as_str().to_owned(),
        outcome: Some(outcome.label()),
        ..started.map_or_else(Record::default, Record::started)
    }
    .path(Some(&job.path));
    serde_json::to_string(&record).ok()
}

/// JSON with every character escaped that a terminal must not see raw (`\\uXXXX`
/// inside a string means the same).
pub fn plain_json(json: &str) -> String {
    let mut plain = String::with_capacity(json.len());
    for ch in json.chars() {
        if DisplayName::is_plain(ch) {
            plain.push(ch);
            continue;
        }
        for unit in ch.encode_utf16(&mut [0; 2]) {
            // Writing to a String cannot fail.
            let _ = write!(plain, "\\u{unit:04x}");
        }
    }
    plain
}

/// Bytes in words, binary units, `1.50 MiB`.
pub fn size_words(bytes: u64) -> String {
    humansize::format_size(bytes, humansize::BINARY)
}

#[derive(Default, Serialize)]
#[expect(
    clippy::option_option,
    reason = "absent and null differ: a size that does not apply, a size not known"
)]
struct Record {
    ts: String,
    event: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    conn: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    xfer: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    peer: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    dialect: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    addr: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    phase: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    direction: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    path: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    path_raw: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    bytes: Option<u64>,
    /// Outer `None`: does not apply. Inner: unknown, said as `null`.
    #[serde(skip_serializing_if = "Option::is_none")]
    size: Option<Option<u64>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    seconds: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rate: Option<f64>,
    #[serde(skip_serializing_if = "str::is_empty")]
    cause: &'static str,
    #[serde(skip_serializing_if = "String::is_empty")]
    detail: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    outcome: Option<&'static str>,
}

impl Record {
    fn listening(listening: &Listening) -> Self {
        Self {
            dialect: Some(listening.speak.label()),
            addr: Some(listening.addr.to_string()),
            ..Self::default()
        }
    }

    fn path(mut self, path: Option<&RemotePath>) -> Self {
        if let Some(path) = path {
            self.path = Some(path.shown().as_str().to_owned());
            if path.as_str().is_none() {
                self.path_raw = Some(BASE64.encode(path.as_bytes()));
            }
        }
        self
    }

    fn started(started: &Started) -> Self {
        Self {
            conn: Some(started.conn.0),
            xfer: Some(started.xfer.0),
            peer: Some(started.peer.to_string()),
            dialect: Some(started.dialect.label()),
            direction: Some(started.direction.label()),
            size: Some(started.size),
            bytes: (started.offset > 0).then_some(started.offset),
            ..Self::default()
        }
        .path(Some(&started.path))
    }

    fn ended(ended: &Ended) -> Self {
        Self {
            bytes: Some(ended.bytes),
            seconds: Some(thousandths(ended.took.as_secs_f64())),
            rate: ended.rate().map(thousandths),
            cause: ended.cause,
            detail: ended.detail.as_str().to_owned(),
            outcome: Some(ended.outcome.label()),
            ..Self::started(&ended.started)
        }
    }

    fn fact(fact: &Fact) -> Self {
        Self {
            conn: fact.conn.map(|conn| conn.0),
            xfer: fact.xfer.map(|xfer| xfer.0),
            peer: fact.peer.map(|peer| peer.to_string()),
            dialect: fact.dialect.map(crate::entity::Dialect::label),
            phase: fact.phase.map(crate::entity::Phase::label),
            bytes: fact.bytes,
            size: fact.size.map(Some),
            seconds: fact.seconds.map(thousandths),
            cause: fact.cause,
            detail: fact.detail.as_str().to_owned(),
            ..Self::default()
        }
        .path(fact.path.as_ref())
    }
}

fn thousandths(value: f64) -> f64 {
    (value * 1000.0).round() / 1000.0
}

fn whose(conn: Option<u64>, peer: Option<Peer>) -> String {
    match (conn, peer) {
        (Some(conn), Some(peer)) => format!("#{conn} {peer}"),
        (Some(conn), None) => format!("#{conn}"),
        (None, Some(peer)) => peer.to_string(),
        (None, None) => String::new(),
    }
}

fn who_of(fact: &Fact) -> String {
    whose(fact.conn.map(|conn| conn.0), fact.peer)
}

fn request_words(fact: &Fact) -> String {
    let mut said = String::new();
    push_word(
        &mut said,
        fact.dialect.map_or("", crate::entity::Dialect::label),
    );
    push_word(&mut said, fact.cause);
    if let Some(path) = &fact.path {
        let shown = path.shown();
        push_word(&mut said, if path.is_root() { "/" } else { shown.as_str() });
    }
    push_word(&mut said, fact.detail.as_str());
    said
}

fn closed_words(fact: &Fact) -> String {
    let mut said = fact.cause.replace('_', " ");
    if let Some(seconds) = fact.seconds {
        let _ = write!(said, " after {seconds:.1} s");
    }
    if !fact.detail.as_str().is_empty() {
        let _ = write!(said, ": {}", fact.detail);
    }
    said
}

fn fact_words(fact: &Fact) -> String {
    let mut said = String::new();
    if let Some(dialect) = fact.dialect {
        said.push_str(dialect.label());
    }
    if let Some(path) = &fact.path {
        push_word(&mut said, path.shown().as_str());
    }
    let detail = fact.detail.as_str();
    let tail = if detail.is_empty() {
        fact.cause.replace('_', " ")
    } else {
        detail.to_owned()
    };
    if !said.is_empty() && !tail.is_empty() {
        said.push(':');
    }
    push_word(&mut said, &tail);
    said
}

fn push_word(said: &mut String, word: &str) {
    if !said.is_empty() && !word.is_empty() {
        said.push(' ');
    }
    said.push_str(word);
}

fn started_words(started: &Started) -> String {
    let size = started
        .size
        .map_or_else(|| "size unknown".to_owned(), size_words);
    let from = if started.offset > 0 {
        format!(", from {}", size_words(started.offset))
    } else {
        String::new()
    };
    format!(
        "{} {} {} ({size}{from})",
        started.dialect.label(),
        started.direction.label(),
        started.path.shown(),
    )
}

fn ended_words(ended: &Ended) -> String {
    let mut said = format!(
        "{} {}: {}, {} in {:.1} s",
        ended.started.direction.label(),
        ended.started.path.shown(),
        ended.outcome.words(),
        size_words(ended.bytes),
        ended.took.as_secs_f64(),
    );
    if !ended.detail.as_str().is_empty() {
        said.push_str(": ");
        said.push_str(ended.detail.as_str());
    }
    said
}

const fn outcome_weight(outcome: Outcome) -> Weight {
    match outcome {
        _ if outcome.went_well() => Weight::Good,
        Outcome::Cancelled | Outcome::Kicked => Weight::Warn,
        _ => Weight::Bad,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entity::{ConnId, Dialect, DisplayName, Phase, Rule};
    use jiff::Timestamp;

    fn timeout() -> Event {
        Event {
            at: Timestamp::UNIX_EPOCH,
            what: What::Timeout(Fact {
                conn: Some(ConnId(38)),
                peer: Some(Peer(([10, 0, 0, 7], 4711).into())),
                dialect: Some(Dialect::Classic),
                phase: Some(Phase::Request),
                bytes: Some(3),
                size: Some(10),
                cause: Rule::Request.label(),
                detail: DisplayName::from("request incomplete after 1.0 s (3 of 10 bytes)"),
                ..Fact::default()
            }),
        }
    }

    #[test]
    fn a_timeout_reads_as_one_line() {
        assert_eq!(
            text(&timeout()).unwrap_or_default(),
            "1970-01-01T00:00:00Z timeout          #38 10.0.0.7:4711  \
             classic: request incomplete after 1.0 s (3 of 10 bytes)"
        );
    }

    #[test]
    fn a_timeout_is_one_object() {
        assert_eq!(
            json(&timeout()).unwrap_or_default(),
            r#"{"ts":"1970-01-01T00:00:00.000Z","event":"timeout","conn":38,"peer":"10.0.0.7:4711","dialect":"classic","phase":"request","bytes":3,"size":10,"cause":"request_timeout","detail":"request incomplete after 1.0 s (3 of 10 bytes)"}"#
        );
    }

    #[test]
    fn json_shows_no_terminal_what_it_must_not_see() {
        let raw = serde_json::to_string("a\u{202e}\u{9b}\u{e0001}\u{1b}é").unwrap_or_default();
        let plain = plain_json(&raw);
        assert_eq!(plain, r#""a\u202e\u009b\udb40\udc01\u001bé""#);
        let back: Result<String, _> = serde_json::from_str(&plain);
        assert_eq!(
            back.ok().as_deref(),
            Some("a\u{202e}\u{9b}\u{e0001}\u{1b}é")
        );
    }

    #[test]
    fn a_name_that_is_not_text_keeps_its_bytes_in_base64() {
        let event = Event {
            at: Timestamp::UNIX_EPOCH,
            what: What::Refused(Fact {
                path: Some(RemotePath::new(b"a\xff\x1b[2J".to_vec())),
                cause: "not_found",
                ..Fact::default()
            }),
        };
        let json = json(&event).unwrap_or_default();
        assert!(json.contains(r#""path":"a\\xff\\x1b[2J""#), "{json}");
        assert!(json.contains(r#""path_raw":"Yf8bWzJK""#), "{json}");
    }
}
