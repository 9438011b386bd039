//! One event as one JSON object: the record a script reads.
//!
//! README's table of fields is this room's contract. It knows events and nouns;
//! it must never know a person's sentence (that is `line`'s) nor where the
//! record is written.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::Serialize;

use crate::entity::{DisplayName, RemotePath};
use crate::event::{Ended, Event, Fact, Job, JobState, Listening, Started, What};

/// RFC 3339 in UTC, to the millisecond.
const STAMP: &str = "%Y-%m-%dT%H:%M:%S%.3fZ";

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
        what => {
            debug_assert!(what.is_for_screens(), "an event without words: {what:?}");
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
        direction: Some(job.direction.label()),
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
