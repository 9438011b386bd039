//! The bodies about a file's tree: the question, and its values in frames that fit.
//!
//! Knows the keys, both ways, and how many values one frame carries. It must
//! never know how a value is made: whether values agree is `net::tree`'s to say.

use minicbor::Decoder;

use super::VALUES_MAX;
use super::cbor::{self, Fields, Took, bad, need};
use super::frame::{self, Type};
use super::value::{hash, mark, put_version, remote_path, root};
use crate::entity::RemotePath;
use crate::net::wire::codec::{Detail, Malformed, Value, Values, Version};

pub(super) fn put_tree(path: &str, version: Option<&Version>, detail: Detail, out: &mut Vec<u8>) {
    frame::put(out, Type::Tree, |out| {
        let mut fields = Fields::new(out);
        fields.text(0, path);
        put_version(1, version, &mut fields);
        fields.uint(
            2,
            match detail {
                Detail::Root => 0,
                Detail::Values => 1,
            },
        );
    });
}

pub(super) fn tree(body: &[u8]) -> Result<(RemotePath, Option<Version>, Detail), Malformed> {
    let (mut path, mut version, mut detail) = (None, None, None);
    cbor::body(body, |key, decoder| {
        match key {
            0 => path = Some(remote_path(decoder)?),
            1 => version = Some(mark(decoder)?),
            2 => detail = Some(detail_of(decoder)?),
            _ => return Ok(Took::No),
        }
        Ok(Took::Yes)
    })?;
    Ok((need(path, "path")?, version, need(detail, "detail")?))
}

fn detail_of(decoder: &mut Decoder<'_>) -> Result<Detail, Malformed> {
    match cbor::uint(decoder)? {
        0 => Ok(Detail::Root),
        1 => Ok(Detail::Values),
        other => Err(bad(format_args!("detail {other}"))),
    }
}

/// Appends a part of a tree as one frame, or as many as its values take.
pub(super) fn put_values(part: &Values, out: &mut Vec<u8>) {
    let (mut first, mut rest) = (part.first, part.values.as_slice());
    loop {
        let (now, later) = rest.split_at(rest.len().min(VALUES_MAX));
        rest = later;
        let last = rest.is_empty();
        frame::put(out, Type::Values, |out| {
            let mut fields = Fields::new(out);
            fields.uint(0, first).hashes(1, now);
            if let (true, Some(root)) = (last, &part.root) {
                fields.bytes(2, &root.0);
            }
            fields.uint(3, part.size);
            put_version(4, part.version.as_ref(), &mut fields);
            if !last || part.more {
                fields.truth(5);
            }
        });
        if last {
            return;
        }
        first += now.len() as u64;
    }
}

pub(super) fn values(body: &[u8]) -> Result<Values, Malformed> {
    let (mut first, mut values, mut hash, mut size) = (None, None, None, None);
    let (mut version, mut more) = (None, false);
    cbor::body(body, |key, decoder| {
        match key {
            0 => first = Some(cbor::uint(decoder)?),
            1 => values = Some(hashes(decoder)?),
            2 => hash = Some(root(decoder)?),
            3 => size = Some(cbor::uint(decoder)?),
            4 => version = Some(mark(decoder)?),
            5 => more = cbor::truth(decoder)?,
            _ => return Ok(Took::No),
        }
        Ok(Took::Yes)
    })?;
    Ok(Values {
        first: need(first, "first block")?,
        values: need(values, "values")?,
        root: hash,
        size: need(size, "size")?,
        version,
        more,
    })
}

fn hashes(decoder: &mut Decoder<'_>) -> Result<Vec<Value>, Malformed> {
    let count = cbor::array(decoder)?;
    if count > VALUES_MAX as u64 {
        return Err(bad(format_args!("{count} values")));
    }
    // Grown as they come: the count is only what the peer says.
    let mut values = Vec::new();
    for _ in 0..count {
        values.push(hash(decoder)?);
    }
    Ok(values)
}
