//! What a row of the queue says beside its numbers: streams, checks, limit, where it went on.
//!
//! One short text of what fits, the most telling first. Reads an item; knows no
//! screen.

use crate::event::JobState;
use crate::model;
use crate::remote::Item;

use super::super::format;

/// How many bytes a stream what is checked may be behind what is here before it is worth a word.
const LAG: u64 = 16 << 20;

/// What else there is to say of an item, the most telling first; what does not fit is left out.
pub(in super::super) fn more(item: &Item, room: u16) -> String {
    let mut out = String::new();
    let mut say = |words: String| {
        let gap = if out.is_empty() { "" } else { "  " };
        if format::width(&out) + format::width(gap) + format::width(&words) <= room {
            out.push_str(gap);
            out.push_str(&words);
        }
    };
    // What a person asked for comes before what the machine does.
    if let Some(limit) = item.job.limit.filter(|_| item.is_unfinished()) {
        say(format!("≤ {}", format::limit_words(limit)));
    }
    let streams = item.streams();
    if streams > 1 {
        say(format!("{streams} streams"));
    }
    if let Some(verified) = item.verified() {
        let share = format::percent(model::ratio(verified, item.size()));
        let lags = item.done.saturating_sub(verified) > LAG * u64::from(streams.max(1));
        say(match (lags, room) {
            (true, _) => format!("hashing {}", share.trim()),
            (false, 0..24) => format!("✓ {}", share.trim()),
            (false, _) => format!("✓ verified {}", share.trim()),
        });
    }
    if let JobState::Running { started } = &item.job.state
        && started.offset > 0
    {
        say(format!("from {}", format::size_words(started.offset)));
    }
    out
}
