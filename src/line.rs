//! One event as one line: the sentence a person reads and the record a script reads.
//!
//! Every reader of events (the screen's event list, `--format text`, `--format
//! json`) gets its words here, so they never differ. Knows events and nouns;
//! writes nothing anywhere.

mod record;

use std::fmt::Write as _;

pub use self::record::{json, json_of_job, plain_json};
use crate::entity::{Outcome, Peer};
use crate::event::{Ended, Event, Fact, Started, What};

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
    /// The byte of `said` behind the names, where the point begins: what is in front of it
    /// may give way where the room is short.
    pub point: usize,
    /// How much it matters.
    pub weight: Weight,
}

/// The line for an event; `None` for what only a screen reads.
pub fn line(event: &Event) -> Option<Line> {
    let word = event.what.label()?;
    let mut point = 0;
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
            ended_words(ended, &mut point),
            outcome_weight(ended.outcome),
        ),
        What::Request(fact) => (who_of(fact), request_words(fact), Weight::Plain),
        What::Closed(fact) => (who_of(fact), closed_words(fact), Weight::Plain),
        What::Timeout(fact) | What::Malformed(fact) => {
            (who_of(fact), fact_words(fact, &mut point), Weight::Bad)
        }
        What::Refused(fact)
        | What::Displaced(fact)
        | What::Kicked(fact)
        | What::Note(fact)
        | What::Shutdown(fact) => (who_of(fact), fact_words(fact, &mut point), Weight::Warn),
        what => {
            debug_assert!(what.is_for_screens(), "an event without words: {what:?}");
            return None;
        }
    };
    Some(Line {
        word,
        who,
        said,
        point,
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

/// Bytes in words, binary units, `1.50 MiB`.
pub fn size_words(bytes: u64) -> String {
    humansize::format_size(bytes, humansize::BINARY)
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
        // A rule's own name where there is no sentence: `unknown_opening`.
        let detail = fact.detail.as_str();
        if detail.contains(' ') {
            let _ = write!(said, ": {detail}");
        } else {
            let _ = write!(said, ": {}", detail.replace('_', " "));
        }
    }
    said
}

fn fact_words(fact: &Fact, point: &mut usize) -> String {
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
        *point = said.len();
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
    let from = match started.range {
        Some((from, until)) => format!(", {} to {}", size_words(from), size_words(until)),
        None if started.offset > 0 => format!(", from {}", size_words(started.offset)),
        None => String::new(),
    };
    format!(
        "{} {} {} ({size}{from})",
        started.dialect.label(),
        started.direction.label(),
        started.path.shown(),
    )
}

fn ended_words(ended: &Ended, point: &mut usize) -> String {
    let mut said = format!(
        "{} {}:",
        ended.started.direction.label(),
        ended.started.path.shown(),
    );
    *point = said.len();
    let _ = write!(
        said,
        " {}, {} in {:.1} s",
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
    use crate::entity::{ConnId, Dialect, DisplayName, Phase, RemotePath, Rule};
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
    fn what_only_a_screen_reads_has_neither_line_nor_record() {
        let told = |what| Event {
            at: Timestamp::UNIX_EPOCH,
            what,
        };
        let removed = What::Removed([].into());
        assert!(removed.is_for_screens());
        let removed = told(removed);
        assert!(text(&removed).is_none() && json(&removed).is_none());
        let note = What::Note(Fact::default());
        assert!(!note.is_for_screens());
        let note = told(note);
        assert!(text(&note).is_some() && json(&note).is_some());
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
