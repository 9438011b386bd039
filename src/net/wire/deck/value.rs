//! Values that stand in several of deck's bodies: codes, paths, labels, versions, hashes.
//!
//! Knows the bounds of each. It must never know which frame it is in.

use minicbor::Decoder;

use super::cbor::{self, Fields, bad};
use super::{NAME_MAX, PATH_MAX};
use crate::entity::{RemotePath, Root};
use crate::net::wire::codec::{Check, Malformed, Refusal, Value, Version};

/// A refusal's number.
pub(super) fn code(refusal: Refusal) -> u64 {
    match refusal {
        Refusal::NotFound => 1,
        Refusal::Changed => 2,
        Refusal::BadOffset => 3,
        Refusal::TooLarge => 4,
        Refusal::Unsupported => 5,
        Refusal::Failed => 6,
        Refusal::Leaving => 7,
        Refusal::NotAllowed => 8,
        Refusal::BadName => 9,
        Refusal::NoRoom => 10,
        Refusal::Unpaired => 11,
        Refusal::WrongCode => 12,
        Refusal::Banned => 13,
        Refusal::Exists => 14,
        Refusal::NotEmpty => 15,
        Refusal::Busy => 16,
        Refusal::Corrupt => 17,
    }
}

/// Reads a refusal's number.
pub(super) fn refusal(decoder: &mut Decoder<'_>) -> Result<Refusal, Malformed> {
    let number = cbor::uint(decoder)?;
    Refusal::ALL
        .into_iter()
        .find(|refusal| code(*refusal) == number)
        .ok_or_else(|| bad(format_args!("code {number}")))
}

/// Reads a path; whether it may be opened is the store's to say.
pub(super) fn remote_path(decoder: &mut Decoder<'_>) -> Result<RemotePath, Malformed> {
    let path = cbor::text(decoder)?;
    if path.len() > PATH_MAX {
        let detail = format!("a path of {} bytes", path.len());
        return Err(Malformed::new("path", detail));
    }
    Ok(RemotePath::from(path))
}

/// Reads a peer's name for itself.
pub(super) fn label<'b>(decoder: &mut Decoder<'b>) -> Result<&'b str, Malformed> {
    let label = cbor::text(decoder)?;
    if label.len() > NAME_MAX {
        let detail = format!("a peer's name of {} bytes", label.len());
        return Err(Malformed::new("name", detail));
    }
    Ok(label)
}

/// The longest front of a name that may be sent.
pub(super) fn cut(name: &str) -> &str {
    &name[..name.floor_char_boundary(NAME_MAX)]
}

/// Writes a version if there is one.
pub(super) fn put_version(key: u8, version: Option<&Version>, fields: &mut Fields<'_>) {
    if let Some(version) = version {
        fields.bytes(key, version.as_bytes());
    }
}

/// Reads a version.
pub(super) fn mark(decoder: &mut Decoder<'_>) -> Result<Version, Malformed> {
    let mark = cbor::bytes(decoder)?;
    Version::new(mark).ok_or_else(|| {
        let detail = format!("a version of {} bytes", mark.len());
        Malformed::new("version", detail)
    })
}

/// Reads 32 bytes: a block's value, a root or a proof.
pub(super) fn hash(decoder: &mut Decoder<'_>) -> Result<Value, Malformed> {
    let bytes = cbor::bytes(decoder)?;
    Value::try_from(bytes).map_err(|_| bad(format_args!("a hash of {} bytes", bytes.len())))
}

/// Reads a file's root.
pub(super) fn root(decoder: &mut Decoder<'_>) -> Result<Root, Malformed> {
    hash(decoder).map(Root)
}

/// A check's number.
pub(super) const fn check_code(check: Check) -> u64 {
    match check {
        Check::None => 0,
        Check::Blocks => 1,
        Check::Anew => 2,
    }
}

/// Reads a check's number.
pub(super) fn check(decoder: &mut Decoder<'_>) -> Result<Check, Malformed> {
    match cbor::uint(decoder)? {
        0 => Ok(Check::None),
        1 => Ok(Check::Blocks),
        2 => Ok(Check::Anew),
        other => Err(bad(format_args!("check {other}"))),
    }
}
