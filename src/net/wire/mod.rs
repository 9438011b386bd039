//! The dialects: telling them apart, and a codec for each.
//!
//! Knows the nouns and the dialects, one file each, both halves. Everything in
//! here is bytes in, bytes out: it must never know a socket, a file, a clock or
//! a runtime. A new dialect adds a variant to `Dialect`, a row to the openings
//! where its first bytes tell it or an arm to those without a magic, and its
//! two codecs below; the compiler names the rest.

pub mod classic;
pub mod codec;
pub mod colon;
pub mod deck;
pub mod drop;
#[cfg(test)]
mod laws;
#[cfg(test)]
mod payload_laws;
pub mod session;
#[cfg(test)]
mod store_laws;
mod text;

use std::ops::RangeInclusive;

use crate::entity::{Dialect, Speak};
use codec::{ClientCodec, Cue, ServerCodec};
use text::{Text, text};

/// What the first bytes of a connection say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Sniffed {
    /// Too few bytes yet; never after [`SNIFF_LIMIT`].
    More,
    /// One of the dialects spoken here.
    Is(Dialect),
    /// A TLS record with a handshake in it.
    Tls,
    /// A web browser, or what poses as one.
    Http,
    /// Nothing known.
    Unknown,
}

/// After this many bytes [`sniff`] has always decided.
pub const SNIFF_LIMIT: usize = 4096;

/// One way a connection may open: fixed bytes, then where needed a byte out of a range.
struct Opening {
    fixed: &'static [u8],
    then: Option<RangeInclusive<u8>>,
    means: Sniffed,
}

const fn opening(fixed: &'static [u8], means: Sniffed) -> Opening {
    Opening {
        fixed,
        then: None,
        means,
    }
}

/// Every opening there is. No two may claim the same bytes; the laws check it.
static OPENINGS: [Opening; 13] = [
    Opening {
        fixed: &[0x49, 0x7E],
        then: Some(0x00..=0x0F),
        means: Sniffed::Is(Dialect::Classic),
    },
    Opening {
        fixed: &[0x49, 0x7E],
        then: Some(0x10..=0xFF),
        means: Sniffed::Is(Dialect::Deck),
    },
    // RFC 8446, 5.1: content type handshake, legacy version 3.x.
    opening(&[0x16, 0x03], Sniffed::Tls),
    // RFC 9110, 9.1 and RFC 5789.
    opening(b"GET ", Sniffed::Http),
    opening(b"HEAD ", Sniffed::Http),
    opening(b"POST ", Sniffed::Http),
    opening(b"PUT ", Sniffed::Http),
    opening(b"DELETE ", Sniffed::Http),
    opening(b"OPTIONS ", Sniffed::Http),
    opening(b"PATCH ", Sniffed::Http),
    opening(b"CONNECT ", Sniffed::Http),
    opening(b"TRACE ", Sniffed::Http),
    // RFC 9113, 3.4: the preface of HTTP/2.
    opening(b"PRI ", Sniffed::Http),
];

/// How far some bytes agree with an opening.
enum Fit {
    No,
    SoFar,
    Whole,
}

impl Opening {
    fn fits(&self, first: &[u8]) -> Fit {
        if first.len() < self.fixed.len() {
            return if self.fixed.starts_with(first) {
                Fit::SoFar
            } else {
                Fit::No
            };
        }
        if !first.starts_with(self.fixed) {
            return Fit::No;
        }
        match (&self.then, first.get(self.fixed.len())) {
            (None, _) => Fit::Whole,
            (Some(_), None) => Fit::SoFar,
            (Some(range), Some(byte)) if range.contains(byte) => Fit::Whole,
            (Some(_), Some(_)) => Fit::No,
        }
    }
}

/// Tells from a connection's first bytes what the peer speaks; more bytes never change
/// a verdict other than [`Sniffed::More`].
///
/// Looks at [`SNIFF_LIMIT`] bytes at the most, each a few times. A server codec is
/// shown the reads one by one even so: first what the first read brought.
pub fn sniff(first: &[u8]) -> Sniffed {
    let mut open = None;
    for opening in &OPENINGS {
        match opening.fits(first) {
            Fit::Whole => return opening.means,
            Fit::SoFar => open = Some(Sniffed::More),
            Fit::No => {}
        }
    }
    open.unwrap_or_else(|| without_magic(first))
}

/// As [`sniff`], when the peer has fallen silent or closed behind these bytes.
pub fn sniff_on(first: &[u8], cue: Cue) -> Sniffed {
    match (sniff(first), first, cue) {
        // A session's client sends its 64 bytes at once: this is colon's count.
        (Sniffed::More, [b'0'..=b'9'], Cue::Quiet | Cue::Close) => Sniffed::Is(Dialect::Colon),
        (Sniffed::More, _, Cue::Close) => Sniffed::Unknown,
        (told, _, _) => told,
    }
}

/// The dialects that open with text: a length in digits, a name and a colon, or a
/// name, a space and a size.
fn without_magic(first: &[u8]) -> Sniffed {
    let more = if first.len() < SNIFF_LIMIT {
        Sniffed::More
    } else {
        Sniffed::Unknown
    };
    let first = &first[..first.len().min(SNIFF_LIMIT)];
    match session_header(first) {
        Fit::Whole => return Sniffed::Is(Dialect::Session),
        Fit::SoFar => return more,
        Fit::No => {}
    }
    let Some(stop) = first.iter().position(|byte| matches!(byte, b':' | b' ')) else {
        return match text(first) {
            Text::Whole | Text::Begun => more,
            Text::No => Sniffed::Unknown,
        };
    };
    let name = &first[..stop];
    match (text(name), first[stop], first.get(stop + 1)) {
        (Text::Whole, b':', _) => Sniffed::Is(Dialect::Colon),
        (Text::Whole, _, _) if name.is_empty() => Sniffed::Unknown,
        (Text::Whole, _, None) => more,
        (Text::Whole, _, Some(b'0'..=b'9')) => Sniffed::Is(Dialect::Drop),
        _ => Sniffed::Unknown,
    }
}

/// Whether the first 64 bytes are digits and then at least one space.
fn session_header(first: &[u8]) -> Fit {
    let head = &first[..first.len().min(session::HEADER)];
    let digits = head.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let padded = head[digits..].iter().all(|&byte| byte == b' ');
    match head.len() {
        _ if !padded || digits == 0 || digits == session::HEADER => Fit::No,
        session::HEADER => Fit::Whole,
        _ => Fit::SoFar,
    }
}

/// The serving half of a dialect, fresh for one connection. `speak` is what its
/// listener takes: on a port of its own a dialect may take more for its own.
pub fn server_codec(dialect: Dialect, speak: Speak) -> Box<dyn ServerCodec> {
    match dialect {
        Dialect::Classic => Box::new(classic::Server),
        Dialect::Deck | Dialect::DeckTls => Box::new(deck::Server::over(dialect)),
        Dialect::Session => Box::new(session::Server::default()),
        Dialect::Colon => Box::new(colon::Server::default()),
        Dialect::Drop => Box::new(drop::Server::new(speak)),
    }
}

/// The asking half of a dialect, fresh for one connection.
pub fn client_codec(dialect: Dialect) -> Box<dyn ClientCodec> {
    match dialect {
        Dialect::Classic => Box::new(classic::Client::default()),
        Dialect::Deck | Dialect::DeckTls => Box::new(deck::Client::over(dialect)),
        Dialect::Session => Box::new(session::Client::default()),
        Dialect::Colon => Box::new(colon::Client::default()),
        Dialect::Drop => Box::new(drop::Client::default()),
    }
}

/// The asking half, told how many clients will come: only colon says that.
///
/// # Errors
/// The dialect has no such count, or the number is none it can say.
pub fn client_codec_counting(
    dialect: Dialect,
    clients: Option<u8>,
) -> Result<Box<dyn ClientCodec>, codec::Malformed> {
    match (dialect, clients) {
        (dialect, None) => Ok(client_codec(dialect)),
        (Dialect::Colon, Some(clients)) => Ok(Box::new(colon::Client::with_clients(clients)?)),
        (dialect, Some(_)) => Err(codec::Malformed::new(
            "unsupported",
            format!("{} counts no clients", dialect.label()),
        )),
    }
}

/// Two rows that claim the same bytes, if there are any.
#[cfg(test)]
fn claimed_twice() -> Option<(&'static [u8], &'static [u8])> {
    for (at, one) in OPENINGS.iter().enumerate() {
        for two in &OPENINGS[at + 1..] {
            let shares = one.fixed.starts_with(two.fixed) || two.fixed.starts_with(one.fixed);
            let apart = one.fixed.len() == two.fixed.len()
                && match (&one.then, &two.then) {
                    (Some(a), Some(b)) => a.end() < b.start() || b.end() < a.start(),
                    _ => false,
                };
            if shares && !apart {
                return Some((one.fixed, two.fixed));
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    use Dialect::{Classic, Colon, Deck, Drop, Session};

    fn says(cases: &[(&[u8], Sniffed)]) {
        for &(first, means) in cases {
            assert_eq!(
                sniff(first),
                means,
                "{:?}",
                first.escape_ascii().to_string()
            );
        }
    }

    #[test]
    fn first_bytes_are_told_apart() {
        says(&[
            (b"", Sniffed::More),
            (b"\x49", Sniffed::More),
            (b"\x49\x7e", Sniffed::More),
            (b"\x49\x7e\x00", Sniffed::Is(Classic)),
            (b"\x49\x7e\x01", Sniffed::Is(Classic)),
            (b"\x49\x7e\x0f", Sniffed::Is(Classic)),
            (b"\x49\x7e\x10", Sniffed::Is(Deck)),
            (b"\x49\x7e\xff", Sniffed::Is(Deck)),
            (b"\x49\xff", Sniffed::Unknown),
            (b"\x16", Sniffed::More),
            (b"\x16\x03", Sniffed::Tls),
            (b"\x16\x03\x01\x02", Sniffed::Tls),
            (b"\x16\x02", Sniffed::Unknown),
            (b"G", Sniffed::More),
            (b"GET", Sniffed::More),
            (b"GET /", Sniffed::Http),
            (b"GET 5", Sniffed::Http),
            (b"CONNECT 1.2.3.4:443", Sniffed::Http),
            (b"PRI * HTTP/2.0", Sniffed::Http),
            (b"PATCH /", Sniffed::Http),
            (b"OPTIONS", Sniffed::More),
            (b"OPTIONS *", Sniffed::Http),
            (b"GETS", Sniffed::More),
            (b"get /", Sniffed::Unknown),
            (b"PROPFIND /5", Sniffed::Unknown),
            (b"\x00", Sniffed::Unknown),
            (b"SSH-2.0-x\r\n", Sniffed::Unknown),
        ]);
    }

    #[test]
    fn text_is_told_apart() {
        let header = |digits: &str| format!("{digits:<64}").into_bytes();
        let digits = |len| vec![b'7'; len];
        says(&[
            (b"a", Sniffed::More),
            (b"notes.txt:", Sniffed::Is(Colon)),
            (b"GET:GET", Sniffed::Is(Colon)),
            (b"2notes.txt:GET", Sniffed::Is(Colon)),
            ("\u{e9}:GET".as_bytes(), Sniffed::Is(Colon)),
            (b":GET", Sniffed::Is(Colon)),
            (b"\xc3", Sniffed::More),
            (b"\xc3:", Sniffed::Unknown),
            (b"\xc3\xa9", Sniffed::More),
            (b"\xc2\x85", Sniffed::Unknown),
            (b"a\tb:GET", Sniffed::Unknown),
            (b"a\n", Sniffed::Unknown),
            (b"a b:GET", Sniffed::Unknown),
            (b"a :GET", Sniffed::Unknown),
            (b"a.txt ", Sniffed::More),
            (b"a.txt 5", Sniffed::Is(Drop)),
            (b"a.txt 5:GET", Sniffed::Is(Drop)),
            (b"a.txt  5", Sniffed::Unknown),
            (b"a.txt -5", Sniffed::Unknown),
            ("a.txt \u{ff15}".as_bytes(), Sniffed::Unknown),
            (b" 5", Sniffed::Unknown),
            (b"5", Sniffed::More),
            (b"5 ", Sniffed::More),
            (b"5  ", Sniffed::More),
            (b"5 5", Sniffed::Is(Drop)),
            (b"5  x", Sniffed::Unknown),
            (&header("5")[..63], Sniffed::More),
            (&header("5"), Sniffed::Is(Session)),
            (&header("2049"), Sniffed::Is(Session)),
            (&header(" 5"), Sniffed::Unknown),
            (&header("-5"), Sniffed::Unknown),
            (&header(""), Sniffed::Unknown),
            (&digits(64), Sniffed::More),
            (&digits(SNIFF_LIMIT - 1), Sniffed::More),
            (&digits(SNIFF_LIMIT), Sniffed::Unknown),
            (&digits(5000), Sniffed::Unknown),
        ]);
    }

    #[test]
    fn silence_and_the_close_tell_what_bytes_do_not() {
        use Cue::{Bytes, Close, Quiet};
        let cases: [(&[u8], Cue, Sniffed); 9] = [
            (b"2", Bytes, Sniffed::More),
            (b"2", Quiet, Sniffed::Is(Colon)),
            (b"2", Close, Sniffed::Is(Colon)),
            (b"12", Quiet, Sniffed::More),
            (b"12", Close, Sniffed::Unknown),
            (b"a.txt", Quiet, Sniffed::More),
            (b"a.txt", Close, Sniffed::Unknown),
            (b"a.txt 5", Close, Sniffed::Is(Drop)),
            (b"", Quiet, Sniffed::More),
        ];
        for (first, cue, means) in cases {
            assert_eq!(sniff_on(first, cue), means, "{first:?} {cue:?}");
        }
    }

    #[test]
    fn no_opening_is_claimed_by_two() {
        assert_eq!(claimed_twice(), None);
    }

    #[test]
    fn every_opening_is_decided_within_the_limit() {
        for opening in &OPENINGS {
            let len = opening.fixed.len() + usize::from(opening.then.is_some());
            assert!(len <= SNIFF_LIMIT, "{:02x?}", opening.fixed);
        }
    }
}
