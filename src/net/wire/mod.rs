//! The dialects: telling them apart, and a codec for each.
//!
//! Knows the nouns and the dialects, one file each, both halves. Everything in
//! here is bytes in, bytes out: it must never know a socket, a file, a clock or
//! a runtime. A new dialect adds a variant to `Dialect`, a row to the openings
//! where its first bytes tell it, and its two codecs below; the compiler names
//! the rest.

pub mod classic;
pub mod codec;
pub mod deck;
#[cfg(test)]
mod laws;

use std::ops::RangeInclusive;

use crate::entity::Dialect;
use codec::{ClientCodec, ServerCodec};

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
pub const SNIFF_LIMIT: usize = 8;

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
pub fn sniff(first: &[u8]) -> Sniffed {
    let mut open = Sniffed::Unknown;
    for opening in &OPENINGS {
        match opening.fits(first) {
            Fit::Whole => return opening.means,
            Fit::SoFar => open = Sniffed::More,
            Fit::No => {}
        }
    }
    open
}

/// The serving half of a dialect, fresh for one connection.
pub fn server_codec(dialect: Dialect) -> Box<dyn ServerCodec> {
    match dialect {
        Dialect::Classic => Box::new(classic::Server),
        Dialect::Deck => Box::new(deck::Server::default()),
    }
}

/// The asking half of a dialect, fresh for one connection.
pub fn client_codec(dialect: Dialect) -> Box<dyn ClientCodec> {
    match dialect {
        Dialect::Classic => Box::new(classic::Client::default()),
        Dialect::Deck => Box::new(deck::Client::default()),
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

    #[test]
    fn first_bytes_are_told_apart() {
        let cases: [(&[u8], Sniffed); 28] = [
            (b"", Sniffed::More),
            (b"\x49", Sniffed::More),
            (b"\x49\x7e", Sniffed::More),
            (b"\x49\x7e\x00", Sniffed::Is(Dialect::Classic)),
            (b"\x49\x7e\x01", Sniffed::Is(Dialect::Classic)),
            (b"\x49\x7e\x0f", Sniffed::Is(Dialect::Classic)),
            (b"\x49\x7e\x10", Sniffed::Is(Dialect::Deck)),
            (b"\x49\x7e\xff", Sniffed::Is(Dialect::Deck)),
            (b"\x49\x7f", Sniffed::Unknown),
            (b"\x16", Sniffed::More),
            (b"\x16\x03", Sniffed::Tls),
            (b"\x16\x03\x01\x02", Sniffed::Tls),
            (b"\x16\x02", Sniffed::Unknown),
            (b"G", Sniffed::More),
            (b"GET", Sniffed::More),
            (b"GET /", Sniffed::Http),
            (b"GETS", Sniffed::Unknown),
            (b"get /", Sniffed::Unknown),
            (b"P", Sniffed::More),
            (b"PR", Sniffed::More),
            (b"PRI * HTTP/2.0", Sniffed::Http),
            (b"PATCH /", Sniffed::Http),
            (b"OPTIONS", Sniffed::More),
            (b"OPTIONS *", Sniffed::Http),
            (b"CONNECTS", Sniffed::Unknown),
            (b"a", Sniffed::Unknown),
            (b"\x00", Sniffed::Unknown),
            (b"notes.txt:GET", Sniffed::Unknown),
        ];
        for (first, means) in cases {
            assert_eq!(sniff(first), means, "{first:02x?}");
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
