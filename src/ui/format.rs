//! Numbers, times and names as text of a known width: pure functions.
//!
//! A number keeps its column: each form below has one width, whatever the
//! value, and its unit starts at one place. Widths are those of the terminal,
//! counted in cells by grapheme, exactly as ratatui counts them. Knows nothing
//! of models, styles or screens.

use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use ratatui::buffer::CellWidth;
use unicode_segmentation::UnicodeSegmentation;

/// What stands where a value is zero or not known.
pub const NOTHING: &str = "–";
/// Columns of [`size`].
pub const SIZE: u16 = 8;
/// Columns of [`rate`].
pub const RATE: u16 = 10;
/// Columns of [`percent`].
pub const PERCENT: u16 = 5;
/// Columns of [`clock`].
pub const CLOCK: u16 = 7;

const UNITS: [&str; 7] = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
/// More characters in one cell are a prank, not a letter.
const MAX_CHARS_IN_CELL: usize = 8;

/// Three digits that count, at most four columns, and the unit they are in.
fn scaled(value: f64) -> (String, &'static str) {
    let mut left = value.max(0.0);
    let mut unit = 0;
    while left >= 999.5 && unit + 1 < UNITS.len() {
        left /= 1024.0;
        unit += 1;
    }
    let digits = match left {
        _ if unit == 0 => format!("{left:.0}"),
        v if v < 9.995 => format!("{v:.2}"),
        v if v < 99.95 => format!("{v:.1}"),
        v => format!("{v:.0}"),
    };
    (digits, UNITS[unit])
}

/// Bytes in eight columns: `1.21 GiB`, ` 512 B  `.
pub fn size(bytes: u64) -> String {
    let (digits, unit) = scaled(bytes as f64);
    format!("{digits:>4} {unit:<3}")
}

/// Bytes in eight columns; a dash under the digits where they are not known.
pub fn size_or(bytes: Option<u64>) -> String {
    bytes.map_or_else(|| format!("{NOTHING:>4}    "), size)
}

/// Bytes a second in ten columns: ` 112 MiB/s`; a dash for nothing.
pub fn rate(per_second: f64) -> String {
    if per_second < 0.5 || !per_second.is_finite() {
        return format!("{NOTHING:>4}      ");
    }
    let (digits, unit) = scaled(per_second);
    let unit = format!("{unit}/s");
    format!("{digits:>4} {unit:<5}")
}

/// Bytes in a sentence: `1.21 GiB`.
pub fn size_words(bytes: u64) -> String {
    size(bytes).trim().to_owned()
}

/// A rate in a sentence: `112 MiB/s`, `0 B/s`.
pub fn rate_words(per_second: f64) -> String {
    if per_second < 0.5 || !per_second.is_finite() {
        return "0 B/s".to_owned();
    }
    rate(per_second).trim().to_owned()
}

/// A share in five columns: ` 62 %`. It says 100 only when nothing is left.
pub fn percent(ratio: Option<f64>) -> String {
    let Some(ratio) = ratio.filter(|ratio| ratio.is_finite()) else {
        return format!("{NOTHING:>3}  ");
    };
    // Rounding up would call 99.7 % whole.
    format!("{:>3.0} %", (ratio.clamp(0.0, 1.0) * 100.0).floor())
}

/// A time in at most seven columns: `0:14`, `1:02:03`, `23h 59m`, `12d 3h`.
pub fn clock_words(time: Duration) -> String {
    let seconds = time.as_secs();
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
    match hours {
        0 => format!("{minutes}:{:02}", seconds % 60),
        1..=9 => format!("{hours}:{:02}:{:02}", minutes % 60, seconds % 60),
        10..=23 => format!("{hours}h {:02}m", minutes % 60),
        _ if days < 1000 => format!("{days}d {}h", hours % 24),
        _ => format!("{}d", days.min(999_999)),
    }
}

/// [`clock_words`] in seven columns; a dash where the time is not known.
pub fn clock(time: Option<Duration>) -> String {
    let words = time.map_or_else(|| NOTHING.to_owned(), clock_words);
    format!("{words:>7}")
}

/// A time in four columns: `12s`, `3m`, `2h`, `9d`.
pub fn short(time: Duration) -> String {
    let seconds = time.as_secs();
    let words = match seconds {
        0..60 => format!("{seconds}s"),
        60..3600 => format!("{}m", seconds / 60),
        3600..86_400 => format!("{}h", seconds / 3600),
        _ => format!("{}d", (seconds / 86_400).min(999)),
    };
    format!("{words:>4}")
}

/// A running time: `02:14:09`, `3d 02:14:09`.
pub fn uptime(time: Duration) -> String {
    let seconds = time.as_secs();
    let days = seconds / 86_400;
    let hms = format!(
        "{:02}:{:02}:{:02}",
        seconds / 3600 % 24,
        seconds / 60 % 60,
        seconds % 60
    );
    match days {
        0 => hms,
        _ => format!("{days}d {hms}"),
    }
}

/// A count with its thousands apart: `9,412`.
pub fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// A count and its noun: `1 file`, `2 files`.
pub fn plural(number: u64, noun: &str) -> String {
    let s = if number == 1 { "" } else { "s" };
    format!("{} {noun}{s}", count(number))
}

/// So many files and folders, of each what there is: `3 files and 2 folders`.
pub fn kinds(files: u64, folders: u64) -> String {
    match (files, folders) {
        (files, 0) => plural(files, "file"),
        (0, folders) => plural(folders, "folder"),
        (files, folders) => format!(
            "{} and {}",
            plural(files, "file"),
            plural(folders, "folder")
        ),
    }
}

/// A number and the unit behind it, in small letters: `1.5G` is 1.5 and `g`.
pub fn split_unit(text: &str) -> Option<(f64, String)> {
    let end = text
        .find(|ch: char| !ch.is_ascii_digit() && ch != '.')
        .unwrap_or(text.len());
    let number = text[..end].parse().ok()?;
    Some((number, text[end..].to_lowercase()))
}

/// Bytes as typed: `10k` is 10,000 and `10KiB` is 10,240, as on the command line.
pub fn read_bytes(text: &str) -> Option<f64> {
    let (number, unit) = split_unit(text)?;
    let scale = match unit.as_str() {
        "" | "b" => 1.0,
        "k" | "kb" => 1e3,
        "m" | "mb" => 1e6,
        "g" | "gb" => 1e9,
        "t" | "tb" => 1e12,
        "ki" | "kib" => 1024.0,
        "mi" | "mib" => 1_048_576.0,
        "gi" | "gib" => 1_073_741_824.0,
        "ti" | "tib" => 1_099_511_627_776.0,
        _ => return None,
    };
    Some(number * scale)
}

/// That something typed cannot be meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unmeant;

/// A limit as typed, in bytes a second; `None` lifts it (`0`, nothing, `none`).
pub fn read_limit(text: &str) -> Result<Option<u64>, Unmeant> {
    let text = text.trim();
    if text.is_empty() || text.eq_ignore_ascii_case("none") {
        return Ok(None);
    }
    let text = text.strip_suffix("/s").unwrap_or(text).trim_end();
    let bytes = read_bytes(&text.replace(' ', "")).ok_or(Unmeant)?;
    if bytes <= 0.0 {
        return Ok(None);
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a float-to-int cast saturates; it is more than 0"
    )]
    let bytes = bytes.round() as u64;
    Ok(Some(bytes.max(1)))
}

/// A limit as one would type it, so that `read_limit` gives the same again: `10M`, `2MiB`.
pub fn write_limit(rate: u64) -> String {
    const UNITS: [(u64, &str); 6] = [
        (1 << 30, "GiB"),
        (1_000_000_000, "G"),
        (1 << 20, "MiB"),
        (1_000_000, "M"),
        (1 << 10, "KiB"),
        (1_000, "k"),
    ];
    let whole = UNITS
        .iter()
        .find(|(unit, _)| rate > 0 && rate.is_multiple_of(*unit));
    whole.map_or_else(
        || rate.to_string(),
        |(unit, word)| format!("{}{word}", rate / unit),
    )
}

/// A limit in a sentence, in the unit it was asked in: `10 MB/s`, `2 MiB/s`.
pub fn limit_words(rate: u64) -> String {
    let typed = write_limit(rate);
    match typed.find(|ch: char| ch.is_ascii_alphabetic()) {
        Some(at) => {
            let (digits, unit) = typed.split_at(at);
            format!("{digits} {}B/s", unit.trim_end_matches('B'))
        }
        None => rate_words(rate as f64),
    }
}

/// The time of day of an event: `14:02:10`.
pub fn time_of_day(at: Timestamp, zone: &TimeZone) -> String {
    at.to_zoned(zone.clone()).strftime("%H:%M:%S").to_string()
}

/// Date and time of an event: `2026-10-02 14:02:10`.
pub fn date_time(at: Timestamp, zone: &TimeZone) -> String {
    at.to_zoned(zone.clone())
        .strftime("%Y-%m-%d %H:%M:%S")
        .to_string()
}

/// Date and minute of a file, sixteen columns; blank where the time means nothing.
pub fn file_time(mtime: i64, zone: &TimeZone) -> String {
    Timestamp::from_second(mtime).map_or_else(
        |_| format!("{NOTHING:<16}"),
        |at| {
            at.to_zoned(zone.clone())
                .strftime("%Y-%m-%d %H:%M")
                .to_string()
        },
    )
}

/// The letters of a text with their widths; what has no width or would command the terminal is left out.
pub fn letters(text: &str) -> impl DoubleEndedIterator<Item = (&str, u16)> {
    text.graphemes(true)
        .filter(|letter| !letter.contains(char::is_control))
        .map(|letter| {
            let end = letter
                .char_indices()
                .nth(MAX_CHARS_IN_CELL)
                .map_or(letter.len(), |(at, _)| at);
            &letter[..end]
        })
        .map(|letter| (letter, letter.cell_width()))
        .filter(|&(_, width)| width > 0)
}

/// The columns a text takes.
pub fn width(text: &str) -> u16 {
    letters(text).fold(0, |sum, (_, width)| sum.saturating_add(width))
}

fn head(text: &str, room: u16) -> String {
    let mut left = room;
    letters(text)
        .map_while(|(letter, width)| {
            left = left.checked_sub(width)?;
            Some(letter)
        })
        .collect()
}

fn tail(text: &str, room: u16) -> String {
    let mut left = room;
    let mut kept: Vec<&str> = letters(text)
        .rev()
        .map_while(|(letter, width)| {
            left = left.checked_sub(width)?;
            Some(letter)
        })
        .collect();
    kept.reverse();
    kept.concat()
}

/// The text in at most `room` columns, cut at its end with `…`.
pub fn cut(text: &str, room: u16) -> String {
    match room {
        0 => String::new(),
        _ if width(text) <= room => head(text, room),
        _ => head(text, room - 1) + "…",
    }
}

/// A path in at most `room` columns: its folders go before a letter of its name goes.
pub fn cut_path(path: &str, room: u16) -> String {
    let Some((_, name)) = path.rsplit_once('/').filter(|_| width(path) > room) else {
        return cut_name(path, room);
    };
    let short = format!("…/{name}");
    if width(&short) <= room {
        return short;
    }
    cut_name(name, room)
}

/// A name in at most `room` columns, cut in its middle: the ending tells what a file is.
pub fn cut_name(name: &str, room: u16) -> String {
    match room {
        0 => String::new(),
        _ if width(name) <= room => head(name, room),
        1..=4 => cut(name, room),
        _ => {
            let end = tail(name, room / 2);
            let used = width(&end) + 1;
            format!("{}…{end}", head(name, room - used))
        }
    }
}

const EIGHTHS: [&str; 8] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];

/// A bar of full and part blocks, at most `room` columns, as long as `ratio` (0 to 1) says.
pub fn bar(ratio: f64, room: u16) -> String {
    let ratio = if ratio.is_finite() {
        ratio.clamp(0.0, 1.0)
    } else {
        0.0
    };
    let eighths = (f64::from(room) * 8.0 * ratio).floor();
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "between 0 and 8 * u16::MAX by the clamp above"
    )]
    let eighths = eighths as usize;
    "█".repeat(eighths / 8) + EIGHTHS[eighths % 8]
}

#[cfg(test)]
#[path = "format_tests.rs"]
mod tests;
