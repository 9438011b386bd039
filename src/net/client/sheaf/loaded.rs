//! A small file of this machine, read whole before it is sent.
//!
//! What has grown goes another road, what changes while it is read is not sent. It knows
//! the file and its terms; it blocks, and no line may come here.

use std::os::unix::fs::FileExt as _;

use super::Ear;
use crate::entity::Root;
use crate::net::client::bundle::SMALL;
use crate::net::client::dial::Failure;
use crate::net::client::fetch::Finish;
use crate::net::client::push::{changed, terms};
use crate::net::store::{Fate, Source};
use crate::net::tree::hash_small;
use crate::net::wire::codec::{Check, Pace, Terms};

/// A file that was read whole.
#[derive(Debug)]
pub(super) struct Loaded {
    pub(super) ear: Ear,
    pub(super) bytes: Vec<u8>,
    pub(super) terms: Terms,
    pub(super) root: Root,
}

/// Reads a small file whole, and looks that it stayed what it was.
pub(super) fn load(ear: Ear, check: Check) -> Result<Loaded, Finish> {
    let local = |words: String| Finish::Failed(Failure::new("local", words));
    let source = Source::open_own(&ear.local)
        .map_err(|denied| local(format!("cannot be read: {}", denied.detail)))?;
    if source.size > SMALL {
        // It has grown since it was counted: it goes by itself.
        return Err(Finish::Alone { size: source.size });
    }
    let mut bytes = vec![0; usize::try_from(source.size).unwrap_or(0)];
    let read = source.file.read_exact_at(&mut bytes, 0);
    read.map_err(|error| local(format!("cannot be read: {error}")))?;
    if source.fate() != Fate::Same {
        return Err(Finish::Failed(changed()));
    }
    Ok(Loaded {
        terms: terms(&source, ear.clash, check, Pace::Eager),
        root: hash_small(&bytes),
        bytes,
        ear,
    })
}
