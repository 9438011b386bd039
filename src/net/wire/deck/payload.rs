//! The bodies around a payload: content, block, block-end, end.
//!
//! Knows their keys, both ways. The payload itself passes this floor by. It must
//! never know where in a file a transfer stands: `client.rs` checks that.

use super::cbor::{self, Fields, Took, need};
use super::frame::{self, Type};
use super::value::{code, hash, mark, put_version, refusal};
use crate::net::wire::codec::{Content, Malformed, Refusal, Value, Version};

/// Appends a content; `until` only where a stretch was asked for.
pub(super) fn put_content(content: &Content, until: Option<u64>, out: &mut Vec<u8>) {
    frame::put(out, Type::Content, |out| {
        let mut fields = Fields::new(out);
        fields.uint(0, content.size).uint(1, content.offset);
        if let Some(mtime) = content.mtime {
            fields.int(2, mtime);
        }
        put_version(3, content.version.as_ref(), &mut fields);
        if let Some(until) = until {
            fields.uint(4, until);
        }
    });
}

/// Reads a content, and where its stretch ends.
pub(super) fn content(body: &[u8]) -> Result<(Content, Option<u64>), Malformed> {
    let (mut size, mut offset, mut mtime, mut version) = (None, None, None, None);
    let mut until = None;
    cbor::body(body, |key, decoder| {
        match key {
            0 => size = Some(cbor::uint(decoder)?),
            1 => offset = Some(cbor::uint(decoder)?),
            2 => mtime = Some(cbor::int(decoder)?),
            3 => version = Some(mark(decoder)?),
            4 => until = Some(cbor::uint(decoder)?),
            _ => return Ok(Took::No),
        }
        Ok(Took::Yes)
    })?;
    let content = Content {
        size: need(size, "size")?,
        offset: need(offset, "offset")?,
        mtime,
        version,
    };
    Ok((content, until))
}

pub(super) fn put_block(offset: u64, len: u64, version: Option<&Version>, out: &mut Vec<u8>) {
    frame::put(out, Type::Block, |out| {
        let mut fields = Fields::new(out);
        fields.uint(0, offset).uint(1, len);
        put_version(2, version, &mut fields);
    });
}

pub(super) fn block(body: &[u8]) -> Result<(u64, u64, Option<Version>), Malformed> {
    let (mut offset, mut len, mut version) = (None, None, None);
    cbor::body(body, |key, decoder| {
        match key {
            0 => offset = Some(cbor::uint(decoder)?),
            1 => len = Some(cbor::uint(decoder)?),
            2 => version = Some(mark(decoder)?),
            _ => return Ok(Took::No),
        }
        Ok(Took::Yes)
    })?;
    Ok((need(offset, "offset")?, need(len, "length")?, version))
}

/// What a block-end or an end says: a hash, if there is one, or what spoilt it.
pub(super) type Ending = Result<Option<Value>, Refusal>;

/// Appends a block-end or an end.
pub(super) fn put_end(kind: Type, ending: Ending, out: &mut Vec<u8>) {
    frame::put(out, kind, |out| {
        let mut fields = Fields::new(out);
        match ending {
            Ok(Some(hash)) => fields.bytes(0, &hash),
            Ok(None) => &mut fields,
            Err(refusal) => fields.uint(1, code(refusal)),
        };
    });
}

/// Reads a block-end or an end; a hash beside a code says nothing.
pub(super) fn end(body: &[u8]) -> Result<Ending, Malformed> {
    let (mut value, mut spoilt) = (None, None);
    cbor::body(body, |key, decoder| {
        match key {
            0 => value = Some(hash(decoder)?),
            1 => spoilt = Some(refusal(decoder)?),
            _ => return Ok(Took::No),
        }
        Ok(Took::Yes)
    })?;
    Ok(spoilt.map_or(Ok(value), Err))
}

/// Reads a block-end; one that says what spoilt its block is taken together with the
/// end behind it, which must say so too.
pub(super) fn sealed(input: &[u8]) -> Result<Option<(usize, Ending)>, Malformed> {
    let Some(seal) = frame::take(input, &[Type::BlockEnd])? else {
        return Ok(None);
    };
    let ending = end(seal.body)?;
    if ending.is_ok() {
        return Ok(Some((seal.used, ending)));
    }
    let rest = input.get(seal.used..).unwrap_or_default();
    let Some(last) = frame::take(rest, &[Type::End])? else {
        return Ok(None);
    };
    match end(last.body)? {
        Ok(_) => Err(Malformed::new("end", "a good end behind a spoilt block")),
        spoilt => Ok(Some((seal.used + last.used, spoilt))),
    }
}
