//! The bodies of an upload: put, here, again, stored.
//!
//! Knows their keys, both ways, and how many stretches of blocks one frame says.
//! The payload's own frames are `payload.rs`'s. It must never know what has come
//! of a file: order is `intake.rs`'s and `asked.rs`'s.

use minicbor::Decoder;

use super::cbor::{self, Fields, Took, bad, need};
use super::frame::{self, Type};
use super::value::{check, mark, remote_path, root};
use super::{SPANS_MAX, block, listing};
use crate::entity::RemotePath;
use crate::net::wire::codec::{Check, Malformed, Pace, Span, Stored, Taken, Terms};

pub(super) fn put_put(path: &str, size: u64, terms: &Terms, out: &mut Vec<u8>) {
    frame::put(out, Type::Put, |out| {
        let mut fields = Fields::new(out);
        fields
            .text(0, path)
            .uint(1, size)
            .bytes(2, terms.source.as_bytes());
        if let Some(mtime) = terms.mtime {
            fields.int(3, mtime);
        }
        match terms.taken {
            Taken::Refuse => &mut fields,
            Taken::Rename => fields.uint(4, 1),
            Taken::Replace => fields.uint(4, 2),
        };
        if terms.check != Check::None {
            fields.uint(5, 1);
        }
        match terms.pace {
            Pace::Asked => {}
            Pace::Eager => {
                fields.uint(6, 1);
            }
            Pace::Share(blocks) => {
                fields
                    .uint(6, 2)
                    .uint(7, blocks.first)
                    .uint(8, blocks.count);
            }
        }
    });
}

pub(super) fn put(body: &[u8]) -> Result<(RemotePath, u64, Terms), Malformed> {
    let (mut path, mut size, mut source, mut mtime) = (None, None, None, None);
    let (mut taken, mut checked, mut pace) = (Taken::Refuse, Check::None, 0);
    let (mut first, mut count) = (None, None);
    cbor::body(body, |key, decoder| {
        match key {
            0 => path = Some(remote_path(decoder)?),
            1 => size = Some(cbor::uint(decoder)?),
            2 => source = Some(mark(decoder)?),
            3 => mtime = Some(cbor::int(decoder)?),
            4 => taken = taken_of(decoder)?,
            5 => checked = checked_of(decoder)?,
            6 => pace = cbor::uint(decoder)?,
            7 => first = Some(cbor::uint(decoder)?),
            8 => count = Some(cbor::uint(decoder)?),
            _ => return Ok(Took::No),
        }
        Ok(Took::Yes)
    })?;
    let size = need(size, "size")?;
    let terms = Terms {
        source: need(source, "source")?,
        mtime,
        taken,
        check: checked,
        pace: pace_of(pace, first.zip(count), size)?,
    };
    Ok((need(path, "path")?, size, terms))
}

fn taken_of(decoder: &mut Decoder<'_>) -> Result<Taken, Malformed> {
    match cbor::uint(decoder)? {
        0 => Ok(Taken::Refuse),
        1 => Ok(Taken::Rename),
        2 => Ok(Taken::Replace),
        other => Err(bad(format_args!("{other} for a taken name"))),
    }
}

/// There is nothing to make anew of a file that is yet to come.
fn checked_of(decoder: &mut Decoder<'_>) -> Result<Check, Malformed> {
    match check(decoder)? {
        Check::Anew => Err(bad("check 2 of a put")),
        check => Ok(check),
    }
}

fn pace_of(pace: u64, share: Option<(u64, u64)>, size: u64) -> Result<Pace, Malformed> {
    match (pace, share) {
        (0, None) => Ok(Pace::Asked),
        (1, None) => Ok(Pace::Eager),
        (2, Some((first, count))) => {
            let share = Span { first, count };
            match block::fault(&[share], block::count(size)) {
                None => Ok(Pace::Share(share)),
                Some(fault) => Err(bad(format_args!("a share: {fault}"))),
            }
        }
        (2, None) => Err(bad(format_args!("a share without its blocks"))),
        (other, _) => Err(bad(format_args!("pace {other}"))),
    }
}

/// Appends a here or an again: `spans` is short enough and in order.
pub(super) fn put_spans(kind: Type, spans: &[Span], out: &mut Vec<u8>) {
    frame::put(out, kind, |out| {
        let flat = spans.iter().flat_map(|span| [span.first, span.count]);
        Fields::new(out).each(0, 2 * spans.len(), flat);
    });
}

/// Reads a here or an again; whether the stretches are in order is not looked at.
pub(super) fn spans(body: &[u8]) -> Result<Vec<Span>, Malformed> {
    let mut spans = None;
    cbor::body(body, |key, decoder| {
        match key {
            0 => spans = Some(flat(decoder)?),
            _ => return Ok(Took::No),
        }
        Ok(Took::Yes)
    })?;
    need(spans, "stretches")
}

fn flat(decoder: &mut Decoder<'_>) -> Result<Vec<Span>, Malformed> {
    let numbers = cbor::array(decoder)?;
    if !numbers.is_multiple_of(2) || numbers / 2 > SPANS_MAX as u64 {
        return Err(bad(format_args!("{numbers} numbers of stretches")));
    }
    // Grown as they come: the count is only what the peer says.
    let mut spans = Vec::new();
    for _ in 0..numbers / 2 {
        let first = cbor::uint(decoder)?;
        let count = cbor::uint(decoder)?;
        spans.push(Span { first, count });
    }
    Ok(spans)
}

pub(super) fn put_stored(stored: &Stored, out: &mut Vec<u8>) {
    frame::put(out, Type::Stored, |out| {
        let mut fields = Fields::new(out);
        fields.text(0, &stored.name);
        if let Some(root) = &stored.root {
            fields.bytes(1, &root.0);
        }
    });
}

pub(super) fn stored(body: &[u8]) -> Result<Stored, Malformed> {
    let (mut name, mut hash) = (None, None);
    cbor::body(body, |key, decoder| {
        match key {
            0 => name = Some(cbor::text(decoder)?),
            1 => hash = Some(root(decoder)?),
            _ => return Ok(Took::No),
        }
        Ok(Took::Yes)
    })?;
    let name = need(name, "name")?;
    listing::check_name(name)?;
    Ok(Stored {
        name: name.into(),
        root: hash,
    })
}
