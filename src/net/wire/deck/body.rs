//! The bodies of deck's requests and of the short answers to them.
//!
//! Knows the keys of the CDDL in `deck.rs`, both ways. Listings are next door in
//! `listing.rs`, payload in `payload.rs`, values that stand in several bodies in
//! `value.rs`. It must never know what was asked or what came before: order is
//! `server.rs`'s and `client.rs`'s.

use minicbor::Decoder;

use super::cbor::{self, Fields, Took, bad, need};
use super::frame::{self, Type};
use super::value::{
    check, check_code, code, cut, hash, label, mark, put_version, refusal, remote_path,
};
use super::{BLOCK, BLOCK_MAX, SMALL_BODY_MAX, VERSION};
use crate::entity::{RemotePath, Rights};
use crate::net::wire::codec::{Check, Mac, Malformed, Refusal, Request, Version, Welcome};

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
                limits
                    .uint(0, SMALL_BODY_MAX as u64)
                    .uint(1, BLOCK_MAX)
                    .uint(2, BLOCK);
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
            3 => limits(decoder)?,
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

/// Passes over the limits: this client stays below them by itself. Only where files
/// are cut both sides must agree.
fn limits(decoder: &mut Decoder<'_>) -> Result<(), Malformed> {
    cbor::map(decoder, |key, decoder| {
        if key != 2 {
            return Ok(Took::No);
        }
        match cbor::uint(decoder)? {
            BLOCK => Ok(Took::Yes),
            other => Err(bad(format_args!("blocks of {other} bytes"))),
        }
    })
}

/// Appends a proof: a client's with its name, a server's without.
pub(super) fn put_prove(proof: &Mac, name: Option<&str>, out: &mut Vec<u8>) {
    frame::put(out, Type::Prove, |out| {
        let mut fields = Fields::new(out);
        fields.bytes(0, proof);
        if let Some(name) = name {
            fields.text(1, cut(name));
        }
    });
}

/// Reads a proof, and the name where there is one.
pub(super) fn prove(body: &[u8]) -> Result<(Mac, Box<str>), Malformed> {
    let (mut proof, mut name) = (None, "");
    cbor::body(body, |key, decoder| {
        match key {
            0 => proof = Some(hash(decoder)?),
            1 => name = label(decoder)?,
            _ => return Ok(Took::No),
        }
        Ok(Took::Yes)
    })?;
    Ok((need(proof, "proof")?, name.into()))
}

/// Appends a list, a stat, a mkdir or a delete.
pub(super) fn put_path(kind: Type, path: &str, out: &mut Vec<u8>) {
    frame::put(out, kind, |out| {
        Fields::new(out).text(0, path);
    });
}

/// Reads a list, a stat, a mkdir or a delete.
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

pub(super) fn put_rename(from: &str, to: &str, out: &mut Vec<u8>) {
    frame::put(out, Type::Rename, |out| {
        Fields::new(out).text(0, from).text(1, to);
    });
}

/// Reads a rename: from, to.
pub(super) fn rename(body: &[u8]) -> Result<(RemotePath, RemotePath), Malformed> {
    let (mut from, mut to) = (None, None);
    cbor::body(body, |key, decoder| {
        match key {
            0 => from = Some(remote_path(decoder)?),
            1 => to = Some(remote_path(decoder)?),
            _ => return Ok(Took::No),
        }
        Ok(Took::Yes)
    })?;
    Ok((need(from, "name")?, need(to, "new name")?))
}

pub(super) fn put_get(path: &str, offset: u64, version: Option<&Version>, out: &mut Vec<u8>) {
    frame::put(out, Type::Get, |out| {
        let mut fields = Fields::new(out);
        fields.text(0, path).uint(1, offset);
        put_version(2, version, &mut fields);
    });
}

/// Appends a get of a stretch; `check` is always said, and by that it is one.
pub(super) fn put_fetch(
    path: &str,
    (offset, until): (u64, Option<u64>),
    version: Option<&Version>,
    check: Check,
    out: &mut Vec<u8>,
) {
    frame::put(out, Type::Get, |out| {
        let mut fields = Fields::new(out);
        fields.text(0, path).uint(1, offset);
        put_version(2, version, &mut fields);
        if let Some(until) = until {
            fields.uint(3, until);
        }
        fields.uint(4, check_code(check));
    });
}

/// Reads a get: with `until` or `check` it asks for a stretch in blocks.
pub(super) fn get(body: &[u8]) -> Result<Request, Malformed> {
    let (mut path, mut offset, mut version) = (None, None, None);
    let (mut until, mut checked) = (None, None);
    cbor::body(body, |key, decoder| {
        match key {
            0 => path = Some(remote_path(decoder)?),
            1 => offset = Some(cbor::uint(decoder)?),
            2 => version = Some(mark(decoder)?),
            3 => until = Some(cbor::uint(decoder)?),
            4 => checked = Some(check(decoder)?),
            _ => return Ok(Took::No),
        }
        Ok(Took::Yes)
    })?;
    let (path, offset) = (need(path, "path")?, need(offset, "offset")?);
    if (until, checked) == (None, None) {
        return Ok(Request::Get {
            path,
            offset,
            version,
        });
    }
    check_stretch(offset, until)?;
    Ok(Request::Fetch {
        path,
        offset,
        until,
        version,
        check: checked.unwrap_or(Check::None),
    })
}

/// Refuses a stretch that ends before it begins.
pub(super) fn check_stretch(offset: u64, until: Option<u64>) -> Result<(), Malformed> {
    match until {
        Some(until) if until < offset => Err(Malformed::new(
            "offset",
            format!("a stretch from byte {offset} to {until}"),
        )),
        _ => Ok(()),
    }
}

pub(super) fn put_done(out: &mut Vec<u8>) {
    frame::put(out, Type::Done, |out| {
        Fields::new(out);
    });
}

pub(super) fn done(body: &[u8]) -> Result<(), Malformed> {
    cbor::body(body, |_, _| Ok(Took::No))
}

pub(super) fn put_wait(done: u64, of: u64, out: &mut Vec<u8>) {
    frame::put(out, Type::Wait, |out| {
        Fields::new(out).uint(0, done.min(of)).uint(1, of);
    });
}

/// Reads a wait: done, of.
pub(super) fn wait(body: &[u8]) -> Result<(u64, u64), Malformed> {
    let (mut done, mut of) = (None, None);
    cbor::body(body, |key, decoder| {
        match key {
            0 => done = Some(cbor::uint(decoder)?),
            1 => of = Some(cbor::uint(decoder)?),
            _ => return Ok(Took::No),
        }
        Ok(Took::Yes)
    })?;
    match (need(done, "bytes done")?, need(of, "bytes in all")?) {
        (done, of) if done <= of => Ok((done, of)),
        (done, of) => Err(bad(format_args!("{done} of {of} bytes done"))),
    }
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
