//! The bodies of deck's requests and of the short answers to them.
//!
//! Knows the keys of the CDDL in `deck.rs`, both ways. Listings are next door in
//! `listing.rs`, payload in `payload.rs`, values that stand in several bodies in
//! `value.rs`. It must never know what was asked or what came before: order is
//! `server.rs`'s and `client.rs`'s.

use minicbor::Decoder;

use super::cbor::{self, Fields, Took, bad, need};
use super::frame::{self, Type};
use super::value::{code, cut, label, mark, put_version, refusal, remote_path};
use super::{BLOCK_MAX, SMALL_BODY_MAX, VERSION};
use crate::entity::{RemotePath, Rights};
use crate::net::wire::codec::{Malformed, Refusal, Version, Welcome};

/// The most versions a hello may name.
const VERSIONS_MAX: u64 = 16;

/// Whether deck/1 is among the versions a client speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Common {
    Deck1,
    Nothing,
}

pub(super) fn put_hello(name: &str, out: &mut Vec<u8>) {
    frame::put(out, Type::Hello, |out| {
        Fields::new(out).uints(0, &[VERSION]).text(1, cut(name));
    });
}

pub(super) fn hello(body: &[u8]) -> Result<(Common, Box<str>), Malformed> {
    let (mut versions, mut name) = (None, "");
    cbor::body(body, |key, decoder| {
        match key {
            0 => versions = Some(common(decoder)?),
            1 => name = label(decoder)?,
            _ => return Ok(Took::No),
        }
        Ok(Took::Yes)
    })?;
    Ok((need(versions, "versions")?, name.into()))
}

fn common(decoder: &mut Decoder<'_>) -> Result<Common, Malformed> {
    let count = cbor::array(decoder)?;
    if !(1..=VERSIONS_MAX).contains(&count) {
        return Err(bad(format_args!("{count} versions")));
    }
    let mut common = Common::Nothing;
    for _ in 0..count {
        if cbor::uint(decoder)? == VERSION {
            common = Common::Deck1;
        }
    }
    Ok(common)
}

pub(super) fn put_welcome(welcome: &Welcome, out: &mut Vec<u8>) {
    frame::put(out, Type::Welcome, |out| {
        Fields::new(out)
            .uint(0, VERSION)
            .text(1, cut(&welcome.name))
            .uint(2, u64::from(welcome.rights.bits()))
            .map(3, |limits| {
                limits.uint(0, SMALL_BODY_MAX as u64).uint(1, BLOCK_MAX);
            });
    });
}

pub(super) fn welcome(body: &[u8]) -> Result<Welcome, Malformed> {
    let (mut version, mut name, mut rights) = (None, "", None);
    cbor::body(body, |key, decoder| {
        match key {
            0 => version = Some(cbor::uint(decoder)?),
            1 => name = label(decoder)?,
            2 => rights = Some(cbor::uint(decoder)?),
            // The limits are for others: this client stays below them by itself.
            _ => return Ok(Took::No),
        }
        Ok(Took::Yes)
    })?;
    let version = need(version, "version")?;
    if version != VERSION {
        let detail = format!("version {version} was not offered");
        return Err(Malformed::new("version", detail));
    }
    let bits = need(rights, "rights")?;
    Ok(Welcome {
        name: name.into(),
        // Bits that mean nothing yet are left out.
        rights: Rights::from_bits(u8::try_from(bits & 0x1F).unwrap_or(0)),
    })
}

/// Appends a list or a stat.
pub(super) fn put_path(kind: Type, path: &str, out: &mut Vec<u8>) {
    frame::put(out, kind, |out| {
        Fields::new(out).text(0, path);
    });
}

/// Reads a list or a stat.
pub(super) fn only_path(body: &[u8]) -> Result<RemotePath, Malformed> {
    let mut path = None;
    cbor::body(body, |key, decoder| {
        match key {
            0 => path = Some(remote_path(decoder)?),
            _ => return Ok(Took::No),
        }
        Ok(Took::Yes)
    })?;
    need(path, "path")
}

pub(super) fn put_get(path: &str, offset: u64, version: Option<&Version>, out: &mut Vec<u8>) {
    frame::put(out, Type::Get, |out| {
        let mut fields = Fields::new(out);
        fields.text(0, path).uint(1, offset);
        put_version(2, version, &mut fields);
    });
}

pub(super) fn get(body: &[u8]) -> Result<(RemotePath, u64, Option<Version>), Malformed> {
    let (mut path, mut offset, mut version) = (None, None, None);
    cbor::body(body, |key, decoder| {
        match key {
            0 => path = Some(remote_path(decoder)?),
            1 => offset = Some(cbor::uint(decoder)?),
            2 => version = Some(mark(decoder)?),
            _ => return Ok(Took::No),
        }
        Ok(Took::Yes)
    })?;
    Ok((need(path, "path")?, need(offset, "offset")?, version))
}

/// Appends a ping or a pong.
pub(super) fn put_token(kind: Type, token: u64, out: &mut Vec<u8>) {
    frame::put(out, kind, |out| {
        Fields::new(out).uint(0, token);
    });
}

/// Reads a ping or a pong.
pub(super) fn token(body: &[u8]) -> Result<u64, Malformed> {
    let mut token = None;
    cbor::body(body, |key, decoder| {
        match key {
            0 => token = Some(cbor::uint(decoder)?),
            _ => return Ok(Took::No),
        }
        Ok(Took::Yes)
    })?;
    need(token, "token")
}

pub(super) fn put_refused(refusal: Refusal, out: &mut Vec<u8>) {
    frame::put(out, Type::Refused, |out| {
        Fields::new(out).uint(0, code(refusal));
    });
}

pub(super) fn refused(body: &[u8]) -> Result<Refusal, Malformed> {
    let mut why = None;
    cbor::body(body, |key, decoder| {
        match key {
            0 => why = Some(refusal(decoder)?),
            _ => return Ok(Took::No),
        }
        Ok(Took::Yes)
    })?;
    need(why, "code")
}
