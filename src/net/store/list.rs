//! A folder, a page at a time, in the folder's own order.
//!
//! Memory is one page, whatever the folder holds. Entries are files and
//! folders; a link counts as what it leads to, and only if that stays inside.
//! Sockets, devices, links that leave and links to a folder on the way here are not
//! listed: who walks what is listed comes to an end.

use std::ffi::CStr;
use std::fs::{File, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::sync::Arc;

use rustix::fs::{AtFlags, Dir, FileType, statat};

use super::{Denied, Dotfiles, RESERVED, Store, Want};
use crate::entity::{Entry, Kind, RemotePath};
use crate::net::wire::codec::Page;

/// A folder being read.
#[derive(Debug)]
pub struct Lister {
    store: Arc<Store>,
    path: RemotePath,
    handle: File,
    names: Dir,
    /// Read ahead by one, so that the last page knows it is the last.
    next: Option<Entry>,
    unlisted: u64,
    /// Device and inode of the folders on the way here and of this one, once a link
    /// to a folder was met.
    way: Option<Vec<(u64, u64)>>,
}

impl Lister {
    pub(super) fn new(store: Arc<Store>, path: RemotePath, handle: File) -> Result<Self, Denied> {
        let deny = |error: io::Error| Denied::of_error(&error);
        let names = Dir::read_from(&handle).map_err(|errno| deny(errno.into()))?;
        let mut lister = Self {
            store,
            path,
            handle,
            names,
            next: None,
            unlisted: 0,
            way: None,
        };
        lister.next = lister.step().map_err(deny)?;
        Ok(lister)
    }

    /// The next page: at most `entries` names whose bytes (plus 32 each) stay within `bytes`.
    /// A page with `more == false` is the last.
    pub fn page(&mut self, entries: usize, bytes: usize) -> Result<Page, Denied> {
        let mut page = Page::default();
        let mut room = bytes;
        while page.entries.len() < entries.max(1) {
            let Some(entry) = self.next.take() else { break };
            let cost = entry.name.len() + 32;
            if cost > room && !page.entries.is_empty() {
                self.next = Some(entry);
                break;
            }
            room = room.saturating_sub(cost);
            page.entries.push(entry);
            self.next = self.step().map_err(|error| Denied::of_error(&error))?;
        }
        page.more = self.next.is_some();
        page.unlisted = std::mem::take(&mut self.unlisted);
        Ok(page)
    }

    fn step(&mut self) -> io::Result<Option<Entry>> {
        while let Some(found) = self.names.read() {
            let found = found?;
            if let Some(entry) = self.look(found.file_name(), found.file_type()) {
                return Ok(Some(entry));
            }
        }
        Ok(None)
    }

    fn look(&mut self, name: &CStr, hint: FileType) -> Option<Entry> {
        let bytes = name.to_bytes();
        if bytes == b"." || bytes == b".." || bytes.starts_with(RESERVED.as_bytes()) {
            return None;
        }
        if bytes.starts_with(b".") && self.store.dotfiles == Dotfiles::Hidden {
            return None;
        }
        let Some(text) = std::str::from_utf8(bytes)
            .ok()
            .filter(|text| !text.chars().any(char::is_control))
        else {
            self.unlisted += 1;
            return None;
        };
        match hint {
            FileType::Fifo
            | FileType::Socket
            | FileType::CharacterDevice
            | FileType::BlockDevice => None,
            FileType::Symlink => self.follow(text),
            FileType::RegularFile | FileType::Directory | FileType::Unknown => {
                self.stat(name, text)
            }
        }
    }

    fn stat(&mut self, name: &CStr, text: &str) -> Option<Entry> {
        // Gone since it was read: not an error, just not there.
        let stat = statat(&self.handle, name, AtFlags::SYMLINK_NOFOLLOW).ok()?;
        let kind = match FileType::from_raw_mode(stat.st_mode) {
            FileType::RegularFile => Kind::File,
            FileType::Directory => Kind::Dir,
            FileType::Symlink => return self.follow(text),
            _ => return None,
        };
        Some(entry(
            text,
            kind,
            u64::try_from(stat.st_size).unwrap_or(0),
            stat.st_mtime,
        ))
    }

    /// What a link leads to, through the same fence as any open.
    fn follow(&mut self, text: &str) -> Option<Entry> {
        let path = self.path.join(text);
        let file = self.store.root.open(path.as_str()?, Want::Read).ok()?;
        let meta = file.metadata().ok()?;
        let kind = if meta.is_dir() && !self.leads_back(&meta) {
            Kind::Dir
        } else if meta.is_file() {
            Kind::File
        } else {
            return None;
        };
        Some(entry(text, kind, meta.len(), meta.mtime()))
    }

    /// Whether a folder is this one, or one of those on the way here.
    fn leads_back(&mut self, folder: &Metadata) -> bool {
        let (store, path) = (&self.store, &self.path);
        let way = self.way.get_or_insert_with(|| {
            let text = path.as_str().unwrap_or_default();
            let cuts = text.match_indices('/').map(|(cut, _)| &text[..cut]);
            let here = (!text.is_empty()).then_some(text);
            std::iter::once(".")
                .chain(cuts)
                .chain(here)
                .filter_map(|place| store.root.open(place, Want::Folder).ok()?.metadata().ok())
                .map(|place| (place.dev(), place.ino()))
                .collect()
        });
        way.contains(&(folder.dev(), folder.ino()))
    }
}

fn entry(name: &str, kind: Kind, size: u64, mtime: i64) -> Entry {
    Entry {
        name: name.into(),
        kind,
        size: match kind {
            Kind::File => size,
            Kind::Dir => 0,
        },
        mtime,
    }
}
