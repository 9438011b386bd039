//! The bodies of deck's listings: pages, and the answer to a stat.
//!
//! Knows how a folder is cut into frames that fit, and what a name may be. It
//! must never know a folder: what to list is the store's to say.

use minicbor::Decoder;

use super::cbor::{self, Fields, Took, bad, need};
use super::frame::{self, Type};
use super::value::{mark, put_version};
use super::{ENTRY_BYTES, PAGE_BYTES, PAGE_ENTRIES, listable, name_fault};
use crate::entity::{Entry, Kind};
use crate::net::wire::codec::{Malformed, Page, Version};

const FILE: u64 = 0;
const DIR: u64 = 1;

/// Appends a page as one frame, or as many as its length takes.
pub(super) fn put_page(page: &Page, out: &mut Vec<u8>) {
    let entries: Vec<&Entry> = page
        .entries
        .iter()
        .filter(|entry| listable(&entry.name))
        .collect();
    let dropped = page.entries.len() - entries.len();
    let unlisted = page.unlisted.saturating_add(dropped as u64);
    let mut rest = entries.as_slice();
    loop {
        let (now, later) = rest.split_at(fitting(rest));
        rest = later;
        let last = rest.is_empty();
        frame::put(out, Type::Page, |out| {
            let mut fields = Fields::new(out);
            fields.maps(0, now, |entry, fields| put_fields(entry, fields));
            if last && unlisted > 0 {
                fields.uint(1, unlisted);
            }
            if !last || page.more {
                fields.truth(2);
            }
        });
        if last {
            return;
        }
    }
}

/// How many of the entries one frame carries; at least 1 of any.
fn fitting(entries: &[&Entry]) -> usize {
    let mut bytes = 0;
    entries
        .iter()
        .take(PAGE_ENTRIES)
        .take_while(|entry| {
            bytes += entry.name.len() + ENTRY_BYTES;
            bytes <= PAGE_BYTES
        })
        .count()
}

pub(super) fn page(body: &[u8]) -> Result<Page, Malformed> {
    let mut entries = None;
    let (mut unlisted, mut more) = (0, false);
    cbor::body(body, |key, decoder| {
        match key {
            0 => entries = Some(page_entries(decoder)?),
            1 => unlisted = cbor::uint(decoder)?,
            2 => more = cbor::truth(decoder)?,
            _ => return Ok(Took::No),
        }
        Ok(Took::Yes)
    })?;
    Ok(Page {
        entries: need(entries, "entries")?,
        unlisted,
        more,
    })
}

fn page_entries(decoder: &mut Decoder<'_>) -> Result<Vec<Entry>, Malformed> {
    let count = cbor::array(decoder)?;
    if count > PAGE_ENTRIES as u64 {
        return Err(bad(format_args!("a page of {count} entries")));
    }
    // Grown as entries come: the count is only what the peer says.
    let mut entries = Vec::new();
    for _ in 0..count {
        let (entry, _) = fields(decoder)?;
        check_name(&entry.name)?;
        entries.push(entry);
    }
    Ok(entries)
}

fn put_fields(entry: &Entry, fields: &mut Fields<'_>) {
    let kind = match entry.kind {
        Kind::File => FILE,
        Kind::Dir => DIR,
    };
    fields
        .text(0, &entry.name)
        .uint(1, kind)
        .uint(2, entry.size)
        .int(3, entry.mtime);
}

pub(super) fn put_entry(entry: &Entry, version: Option<&Version>, out: &mut Vec<u8>) {
    frame::put(out, Type::Entry, |out| {
        let mut fields = Fields::new(out);
        put_fields(entry, &mut fields);
        put_version(4, version, &mut fields);
    });
}

/// Reads the answer to a stat; the name may be empty, which only the root's may be.
pub(super) fn entry(body: &[u8]) -> Result<(Entry, Option<Version>), Malformed> {
    let mut decoder = Decoder::new(body);
    let read = fields(&mut decoder)?;
    match body.len() - decoder.position() {
        0 => Ok(read),
        more => Err(bad(format_args!("{more} bytes behind the body"))),
    }
}

fn fields(decoder: &mut Decoder<'_>) -> Result<(Entry, Option<Version>), Malformed> {
    let (mut name, mut kind, mut size, mut mtime, mut version) = (None, None, None, None, None);
    cbor::map(decoder, |key, decoder| {
        match key {
            0 => name = Some(cbor::text(decoder)?),
            1 => kind = Some(entry_kind(decoder)?),
            2 => size = Some(cbor::uint(decoder)?),
            3 => mtime = Some(cbor::int(decoder)?),
            4 => version = Some(mark(decoder)?),
            _ => return Ok(Took::No),
        }
        Ok(Took::Yes)
    })?;
    let entry = Entry {
        name: need(name, "name")?.into(),
        kind: need(kind, "kind")?,
        size: need(size, "size")?,
        mtime: need(mtime, "time")?,
    };
    Ok((entry, version))
}

fn entry_kind(decoder: &mut Decoder<'_>) -> Result<Kind, Malformed> {
    match cbor::uint(decoder)? {
        FILE => Ok(Kind::File),
        DIR => Ok(Kind::Dir),
        kind => Err(bad(format_args!("kind {kind}"))),
    }
}

/// Refuses a name that could leave its folder or upset a screen.
pub(super) fn check_name(name: &str) -> Result<(), Malformed> {
    match name_fault(name) {
        None => Ok(()),
        Some(fault) => Err(Malformed::new("name", fault)),
    }
}
