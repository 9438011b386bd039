//! A local tree that is to be sent: every file and folder in it, one at a time.
//!
//! It goes down through open handles and follows no link below its root, tells a
//! folder before what is in it and keeps nothing but the way it came. It must never
//! decide what is sent under which name: that is for who asked.

use std::ffi::CStr;
use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::fs::{AtFlags, CWD, Dir, FileType, Mode, OFlags, openat, statat};

use super::landing::MAX_DEPTH;
use super::{Dotfiles, RESERVED};
use crate::entity::{Kind, RemotePath};

/// Entries told of one tree at the most.
pub const MAX_ENTRIES: u64 = 10_000_000;

/// A file or a folder of a local tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LocalEntry {
    /// From the root on, `/` between components; UTF-8 without control characters.
    pub path: RemotePath,
    /// File or folder.
    pub kind: Kind,
    /// Bytes; 0 for a folder.
    pub size: u64,
    /// Seconds since 1970 UTC.
    pub mtime: i64,
}

/// How a walk goes on behind an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Walking {
    /// On, into the folder if it is one.
    On,
    /// On, past what is in the folder.
    Past,
    /// It is over.
    Stop,
}

/// What a walk did not tell, by count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Untold {
    /// Names that are not UTF-8, or hold control characters.
    pub names: u64,
    /// Links, sockets, devices.
    pub others: u64,
    /// What this user may not look at, or what vanished meanwhile.
    pub unread: u64,
    /// Folders that lie too deep: their content is not told.
    pub deep: u64,
}

/// A folder on the way down.
struct Level {
    names: Dir,
    handle: OwnedFd,
    path: RemotePath,
}

/// Walks a tree, folders before what is in them, in the folders' own order. Names that
/// begin with a dot are told if `dotfiles` says so, ferrydeck's own never; links are
/// not followed, except that `root` may be one.
///
/// # Errors
/// The root is not there, is no folder or may not be read; or the tree has more than
/// [`MAX_ENTRIES`].
pub fn walk(
    root: &Path,
    dotfiles: Dotfiles,
    each: &mut dyn FnMut(LocalEntry) -> Walking,
) -> io::Result<Untold> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let handle = openat(CWD, root, flags, Mode::empty())?;
    let mut way = vec![Level::new(handle, RemotePath::root())?];
    let (mut untold, mut told) = (Untold::default(), 0);
    while let Some(level) = way.last_mut() {
        let Some(found) = level.names.read() else {
            way.pop();
            continue;
        };
        let Ok(found) = found else {
            untold.unread += 1;
            way.pop();
            continue;
        };
        let Some(entry) = level.look(found.file_name(), dotfiles, &mut untold) else {
            continue;
        };
        told += 1;
        if told > MAX_ENTRIES {
            return Err(io::Error::other("more than 10,000,000 entries"));
        }
        let (kind, path) = (entry.kind, entry.path.clone());
        match each(entry) {
            Walking::Stop => break,
            Walking::On if kind == Kind::Dir => {}
            Walking::On | Walking::Past => continue,
        }
        let below = level.below(found.file_name(), path);
        if way.len() > MAX_DEPTH {
            untold.deep += 1;
        } else if let Ok(below) = below {
            way.push(below);
        } else {
            untold.unread += 1;
        }
    }
    Ok(untold)
}

impl Level {
    fn new(handle: OwnedFd, path: RemotePath) -> io::Result<Self> {
        Ok(Self {
            names: Dir::read_from(&handle)?,
            handle,
            path,
        })
    }

    fn below(&self, name: &CStr, path: RemotePath) -> io::Result<Self> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        Self::new(openat(&self.handle, name, flags, Mode::empty())?, path)
    }

    fn look(&self, name: &CStr, dotfiles: Dotfiles, untold: &mut Untold) -> Option<LocalEntry> {
        let bytes = name.to_bytes();
        if bytes == b"." || bytes == b".." || bytes.starts_with(RESERVED.as_bytes()) {
            return None;
        }
        if bytes.starts_with(b".") && dotfiles == Dotfiles::Hidden {
            return None;
        }
        let Some(text) = std::str::from_utf8(bytes)
            .ok()
            .filter(|text| !text.chars().any(char::is_control))
        else {
            untold.names += 1;
            return None;
        };
        let Ok(stat) = statat(&self.handle, name, AtFlags::SYMLINK_NOFOLLOW) else {
            untold.unread += 1;
            return None;
        };
        let (kind, size) = match FileType::from_raw_mode(stat.st_mode) {
            FileType::RegularFile => (Kind::File, u64::try_from(stat.st_size).unwrap_or(0)),
            FileType::Directory => (Kind::Dir, 0),
            _ => {
                untold.others += 1;
                return None;
            }
        };
        Some(LocalEntry {
            path: self.path.join(text),
            kind,
            size,
            mtime: stat.st_mtime,
        })
    }
}

#[cfg(test)]
#[path = "walk_tests.rs"]
mod tests;
