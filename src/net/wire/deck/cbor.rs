//! CBOR for a stranger: maps with small integer keys, read without trust.
//!
//! Knows minicbor and bounds it. minicbor lets the last of two equal keys win,
//! ignores trailing bytes, takes indefinite lengths and skips values of any
//! depth; here each of these is malformed. Nothing is reserved by an announced
//! count. It must never know what a key means: `body.rs` does.

use std::fmt::Display;

use minicbor::data::Type;
use minicbor::{Decoder, Encoder};

use crate::net::wire::codec::Malformed;

/// How deep a value that is skipped may nest.
const DEPTH: u8 = 8;

/// Whether a key was known, and its value read.
pub(super) enum Took {
    Yes,
    No,
}

/// A body that is not what the CDDL says.
pub(super) fn bad(detail: impl Display) -> Malformed {
    Malformed::new("cbor", detail.to_string())
}

/// Reads a body: one map and nothing behind it. `take` reads the value of a key it knows.
pub(super) fn body<'b>(
    bytes: &'b [u8],
    take: impl FnMut(u64, &mut Decoder<'b>) -> Result<Took, Malformed>,
) -> Result<(), Malformed> {
    let mut decoder = Decoder::new(bytes);
    map(&mut decoder, take)?;
    match bytes.len() - decoder.position() {
        0 => Ok(()),
        more => Err(bad(format_args!("{more} bytes behind the body"))),
    }
}

/// Reads a map inside a body.
pub(super) fn map<'b>(
    decoder: &mut Decoder<'b>,
    mut take: impl FnMut(u64, &mut Decoder<'b>) -> Result<Took, Malformed>,
) -> Result<(), Malformed> {
    let pairs = definite(decoder.map())?;
    let mut seen = 0_u64;
    for _ in 0..pairs {
        let key = uint(decoder)?;
        // One bit a key: keys below 64 need no set that a stranger could grow.
        let bit = u32::try_from(key)
            .ok()
            .and_then(|key| 1_u64.checked_shl(key))
            .ok_or_else(|| bad(format_args!("key {key}")))?;
        if seen & bit != 0 {
            return Err(bad(format_args!("key {key} twice")));
        }
        seen |= bit;
        match take(key, decoder)? {
            Took::Yes => {}
            Took::No => skip(decoder, DEPTH)?,
        }
    }
    Ok(())
}

/// Reads the head of an array: its length.
pub(super) fn array(decoder: &mut Decoder<'_>) -> Result<u64, Malformed> {
    definite(decoder.array())
}

fn definite(length: Result<Option<u64>, minicbor::decode::Error>) -> Result<u64, Malformed> {
    length
        .map_err(bad)?
        .ok_or_else(|| bad("an indefinite length"))
}

/// Reads an unsigned integer.
pub(super) fn uint(decoder: &mut Decoder<'_>) -> Result<u64, Malformed> {
    decoder.u64().map_err(bad)
}

/// Reads a signed integer.
pub(super) fn int(decoder: &mut Decoder<'_>) -> Result<i64, Malformed> {
    decoder.i64().map_err(bad)
}

/// Reads true or false.
pub(super) fn truth(decoder: &mut Decoder<'_>) -> Result<bool, Malformed> {
    decoder.bool().map_err(bad)
}

/// Reads text in place.
pub(super) fn text<'b>(decoder: &mut Decoder<'b>) -> Result<&'b str, Malformed> {
    decoder.str().map_err(bad)
}

/// Reads bytes in place.
pub(super) fn bytes<'b>(decoder: &mut Decoder<'b>) -> Result<&'b [u8], Malformed> {
    decoder.bytes().map_err(bad)
}

/// A key that must be there.
pub(super) fn need<T>(value: Option<T>, what: &str) -> Result<T, Malformed> {
    value.ok_or_else(|| bad(format_args!("no {what}")))
}

/// Passes over a value. Every item costs a byte, so an announced count ends with the body.
fn skip(decoder: &mut Decoder<'_>, depth: u8) -> Result<(), Malformed> {
    let items = match decoder.datatype().map_err(bad)? {
        Type::Array => array(decoder)?,
        Type::Map => definite(decoder.map())?.saturating_mul(2),
        Type::Tag => {
            decoder.tag().map_err(bad)?;
            1
        }
        Type::ArrayIndef | Type::MapIndef | Type::BytesIndef | Type::StringIndef => {
            return Err(bad("an indefinite length"));
        }
        Type::Break => return Err(bad("a break that ends nothing")),
        // What is left nests no further, and minicbor refuses what it does not know.
        _ => return decoder.skip().map_err(bad),
    };
    let Some(deeper) = depth.checked_sub(1) else {
        return Err(bad("nested too deep"));
    };
    for _ in 0..items {
        skip(decoder, deeper)?;
    }
    Ok(())
}

/// Writes one map, counting its keys as they come: fewer than 24.
pub(super) struct Fields<'o> {
    out: &'o mut Vec<u8>,
    head_at: usize,
}

/// A map of no pairs in one byte; up to 23 more pairs add one each (RFC 8949, 3.1).
const EMPTY_MAP: u8 = 0xA0;

impl<'o> Fields<'o> {
    /// Opens a map; it is whole after every method.
    pub(super) fn new(out: &'o mut Vec<u8>) -> Self {
        let head_at = out.len();
        out.push(EMPTY_MAP);
        Self { out, head_at }
    }

    /// Counts a key and writes it; its value is the caller's to write.
    fn key(&mut self, key: u8) -> Encoder<&mut Vec<u8>> {
        self.out[self.head_at] += 1;
        let mut encoder = Encoder::new(&mut *self.out);
        // Writing to a Vec cannot fail, here and below.
        let _ = encoder.u8(key);
        encoder
    }

    pub(super) fn uint(&mut self, key: u8, value: u64) -> &mut Self {
        let _ = self.key(key).u64(value);
        self
    }

    pub(super) fn int(&mut self, key: u8, value: i64) -> &mut Self {
        let _ = self.key(key).i64(value);
        self
    }

    pub(super) fn truth(&mut self, key: u8) -> &mut Self {
        let _ = self.key(key).bool(true);
        self
    }

    pub(super) fn text(&mut self, key: u8, value: &str) -> &mut Self {
        let _ = self.key(key).str(value);
        self
    }

    pub(super) fn bytes(&mut self, key: u8, value: &[u8]) -> &mut Self {
        let _ = self.key(key).bytes(value);
        self
    }

    /// An array of byte strings.
    pub(super) fn hashes(&mut self, key: u8, values: &[[u8; 32]]) -> &mut Self {
        let mut encoder = self.key(key);
        let _ = encoder.array(values.len() as u64);
        for value in values {
            let _ = encoder.bytes(value);
        }
        self
    }

    /// An array of integers that are not at hand as a slice.
    pub(super) fn each(
        &mut self,
        key: u8,
        count: usize,
        values: impl Iterator<Item = u64>,
    ) -> &mut Self {
        let mut encoder = self.key(key);
        let _ = encoder.array(count as u64);
        for value in values.take(count) {
            let _ = encoder.u64(value);
        }
        self
    }

    pub(super) fn uints(&mut self, key: u8, values: &[u64]) -> &mut Self {
        let _ = self.key(key).encode(values);
        self
    }

    /// A map inside the map.
    pub(super) fn map(&mut self, key: u8, fill: impl FnOnce(&mut Fields<'_>)) -> &mut Self {
        self.key(key);
        fill(&mut Fields::new(self.out));
        self
    }

    /// An array of maps.
    pub(super) fn maps<T>(
        &mut self,
        key: u8,
        items: &[T],
        fill: impl Fn(&T, &mut Fields<'_>),
    ) -> &mut Self {
        let _ = self.key(key).array(items.len() as u64);
        for item in items {
            fill(item, &mut Fields::new(self.out));
        }
        self
    }
}
