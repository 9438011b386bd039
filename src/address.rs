//! URLs: `scheme://host[:port]/path`, and `host:port/path` for deck.
//!
//! Pure text. The path is percent-decoded once and kept as bytes; what it may
//! open is the server's to say. A `?` or `#` must be encoded: ferrydeck gives
//! them no meaning and does not guess.

use std::fmt;

use crate::entity::{Dialect, RemotePath};

/// Where something is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Url {
    /// How to speak to the server.
    pub dialect: Dialect,
    /// Name or address, without brackets.
    pub host: String,
    /// The port, the dialect's own if none was given.
    pub port: u16,
    /// The path, decoded; empty for the root.
    pub path: RemotePath,
}

impl fmt::Display for Url {
    /// Server and dialect, without the path: `deck://[::1]:18814`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let dialect = self.dialect.label();
        if self.host.contains(':') {
            write!(f, "{dialect}://[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{dialect}://{}:{}", self.host, self.port)
        }
    }
}

/// Why a word is no URL.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// A scheme nobody here speaks.
    #[error(
        "no dialect is called {0:?}; there are deck, deck+tls, classic, session, colon and drop"
    )]
    Scheme(String),
    /// A code stands where everybody on this machine can read it.
    #[error(
        "a code must not stand in an argument, where others can read it: leave out the # and \
         what follows, and type the code when it is asked for (or use FERRYDECK_CODE or --code-file)"
    )]
    Code,
    /// No host.
    #[error("there is no host in it")]
    Host,
    /// A password has no place in an argument.
    #[error("`@` has no meaning here")]
    User,
    /// Not a port.
    #[error("{0:?} is not a port")]
    Port(String),
    /// A raw `?` or `#`.
    #[error("a `{0}` in a path must be written as %{code:02X}", code = u32::from(*.0))]
    Raw(char),
    /// A `%` without two hex digits.
    #[error("a `%` must be followed by two hex digits (itself is %25)")]
    Percent,
}

/// Reads a URL.
pub fn parse(word: &str) -> Result<Url, Unreadable> {
    let (dialect, rest) = match word.split_once("://") {
        Some((scheme, rest)) => {
            let known = Dialect::ALL.into_iter().find(|d| d.label() == scheme);
            (
                known.ok_or_else(|| Unreadable::Scheme(scheme.to_owned()))?,
                rest,
            )
        }
        None => (Dialect::Deck, word),
    };
    if dialect.is_deck()
        && rest
            .split_once('#')
            .is_some_and(|(_, tail)| is_like_a_code(tail))
    {
        return Err(Unreadable::Code);
    }
    let (place, path) = rest.split_once('/').unwrap_or((rest, ""));
    if let Some(raw) = rest.chars().find(|ch| matches!(ch, '?' | '#')) {
        return Err(Unreadable::Raw(raw));
    }
    let (host, port) = split_place(place)?;
    Ok(Url {
        dialect,
        host: host.to_owned(),
        port: port.unwrap_or_else(|| dialect.default_port()),
        path: decode(path.trim_end_matches('/'))?,
    })
}

/// Sixteen letters and digits, however they are grouped: what an invitation's QR holds.
fn is_like_a_code(text: &str) -> bool {
    let meant = text.chars().filter(|ch| !matches!(ch, '-' | ' '));
    text.chars()
        .all(|ch| ch.is_ascii_alphanumeric() || matches!(ch, '-' | ' '))
        && meant.count() == 16
}

fn split_place(place: &str) -> Result<(&str, Option<u16>), Unreadable> {
    if place.contains('@') {
        return Err(Unreadable::User);
    }
    let (host, port) = if let Some(inner) = place.strip_prefix('[') {
        let (host, tail) = inner.split_once(']').ok_or(Unreadable::Host)?;
        match tail.strip_prefix(':') {
            Some(port) => (host, Some(port)),
            None if tail.is_empty() => (host, None),
            None => return Err(Unreadable::Host),
        }
    } else {
        match place.split_once(':') {
            // Two colons without brackets: an IPv6 address nobody can cut right.
            Some((_, port)) if port.contains(':') => return Err(Unreadable::Host),
            Some((host, port)) => (host, Some(port)),
            None => (place, None),
        }
    };
    if host.is_empty() || host.chars().any(|ch| ch.is_control() || ch.is_whitespace()) {
        return Err(Unreadable::Host);
    }
    let port = port
        .map(|port| match port.parse() {
            Ok(0) | Err(_) => Err(Unreadable::Port(port.to_owned())),
            Ok(port) => Ok(port),
        })
        .transpose()?;
    Ok((host, port))
}

fn decode(path: &str) -> Result<RemotePath, Unreadable> {
    let mut out = Vec::with_capacity(path.len());
    let mut bytes = path.bytes();
    while let Some(byte) = bytes.next() {
        if byte != b'%' {
            out.push(byte);
            continue;
        }
        let mut digit = || {
            let digit = bytes.next().map(char::from)?.to_digit(16)?;
            u8::try_from(digit).ok()
        };
        let (Some(high), Some(low)) = (digit(), digit()) else {
            return Err(Unreadable::Percent);
        };
        out.push(high << 4 | low);
    }
    Ok(RemotePath::new(out))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ok(word: &str) -> (Dialect, String, u16, Vec<u8>) {
        let url = parse(word).unwrap_or_else(|why| unreachable!("{word}: {why}"));
        (
            url.dialect,
            url.host,
            url.port,
            url.path.as_bytes().to_vec(),
        )
    }

    #[test]
    fn urls_mean_what_they_say() {
        let deck = Dialect::Deck;
        assert_eq!(
            ok("deck://h/a/b"),
            (deck, "h".into(), 18_814, b"a/b".to_vec())
        );
        assert_eq!(ok("h:99/x"), (deck, "h".into(), 99, b"x".to_vec()));
        assert_eq!(ok("deck://[::1]:7/"), (deck, "::1".into(), 7, vec![]));
        assert_eq!(ok("deck://[::1]"), (deck, "::1".into(), 18_814, vec![]));
        assert_eq!(
            ok("classic://1.2.3.4:5000/a%20b%2525%ff"),
            (
                Dialect::Classic,
                "1.2.3.4".into(),
                5000,
                b"a b%25\xff".to_vec()
            )
        );
        assert_eq!(ok("h:1/dir/").3, b"dir");
        assert_eq!(
            ok("deck+tls://h/a"),
            (Dialect::DeckTls, "h".into(), 18_814, b"a".to_vec())
        );
    }

    #[test]
    fn what_is_no_url_says_why() {
        use Unreadable as U;
        for (word, why) in [
            ("ftp://h/x", U::Scheme("ftp".into())),
            ("deck+tls://h/#ABCD-EFGH-JKMN-PQRS", U::Code),
            ("h:1#abcdefghjkmnpqrs", U::Code),
            ("deck:///x", U::Host),
            ("deck://u@h/x", U::User),
            ("deck://h:0/x", U::Port("0".into())),
            ("deck://h:70000/x", U::Port("70000".into())),
            ("deck://h/x?y", U::Raw('?')),
            ("deck://h/x#y", U::Raw('#')),
            ("deck://h/%4", U::Percent),
            ("deck://h/%zz", U::Percent),
            ("::1/x", U::Host),
        ] {
            assert_eq!(parse(word), Err(why), "{word}");
        }
    }

    #[test]
    fn a_server_is_shown_without_its_path() {
        let shown = parse("deck://[::1]:9/a").map(|url| url.to_string());
        assert_eq!(shown, Ok("deck://[::1]:9".to_owned()));
    }
}
