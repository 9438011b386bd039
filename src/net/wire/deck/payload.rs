//! The bodies around a payload: content, block, block-end, end.
//!
//! Knows their keys, both ways. The payload itself passes this floor by. It must
//! never know where in a file a transfer stands: `client.rs` checks that.

use super::cbor::{self, Fields, Took, need};
use super::frame::{self, Type};
use super::value::{code, mark, put_version, refusal};
use crate::net::wire::codec::{Content, Malformed, Refusal, Version};

pub(super) fn put_content(content: &Content, out: &mut Vec<u8>) {
    frame::put(out, Type::Content, |out| {
        let mut fields = Fields::new(out);
        fields.uint(0, content.size).uint(1, content.offset);
        if let Some(mtime) = content.mtime {
            fields.int(2, mtime);
        }
        put_version(3, content.version.as_ref(), &mut fields);
    });
}

pub(super) fn content(body: &[u8]) -> Result<Content, Malformed> {
    let (mut size, mut offset, mut mtime, mut version) = (None, None, None, None);
    cbor::body(body, |key, decoder| {
        match key {
            0 => size = Some(cbor::uint(decoder)?),
            1 => offset = Some(cbor::uint(decoder)?),
            2 => mtime = Some(cbor::int(decoder)?),
            3 => version = Some(mark(decoder)?),
            _ => return Ok(Took::No),
        }
        Ok(Took::Yes)
    })?;
    Ok(Content {
        size: need(size, "size")?,
        offset: need(offset, "offset")?,
        mtime,
        version,
    })
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

/// Appends a block-end or an end.
pub(super) fn put_end(kind: Type, spoilt: Option<Refusal>, out: &mut Vec<u8>) {
    frame::put(out, kind, |out| {
        let mut fields = Fields::new(out);
        if let Some(refusal) = spoilt {
            fields.uint(1, code(refusal));
        }
    });
}

/// Reads a block-end or an end: what spoilt it, if anything did.
pub(super) fn end(body: &[u8]) -> Result<Option<Refusal>, Malformed> {
    let mut spoilt = None;
    cbor::body(body, |key, decoder| {
        match key {
            1 => spoilt = Some(refusal(decoder)?),
            // Key 0 will be a hash.
            _ => return Ok(Took::No),
        }
        Ok(Took::Yes)
    })?;
    Ok(spoilt)
}
