//! Folders below a landing: found, made, emptied of a name, moved between.
//!
//! It goes down component by component through open handles and follows no link, so
//! whatever is swapped underneath, it never leaves the tree. Every name passes the
//! same rules as a file's. It must never know who asks, nor what is in a file.

use std::fs::File;
use std::os::fd::OwnedFd;
use std::sync::Arc;

use rustix::fs::{
    AtFlags, FileType, Mode, OFlags, RenameFlags, fstat, mkdirat, openat, renameat, renameat_with,
    statat, unlinkat,
};
use rustix::io::Errno;

use super::{Batch, Landing, Unlanded, rename_free};

/// Folders within each other that a path may have.
pub const MAX_DEPTH: usize = 128;

/// What a new folder takes of a disk, in bytes: a million of them is no little.
const FOLDER: u64 = 4_096;

/// What is done about a folder that is not there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Missing {
    /// It is made, with all that lead to it.
    Make,
    /// It is an error.
    Refuse,
}

impl Landing {
    /// A folder below this one, at most [`MAX_DEPTH`] deep; an empty path is this one.
    ///
    /// # Errors
    /// A component must not be written here, is no folder or is a link.
    pub fn folder(&self, path: &str, missing: Missing) -> Result<Arc<Self>, Unlanded> {
        let mut here = Arc::new(self.clone());
        if path.is_empty() {
            return Ok(here);
        }
        for (depth, name) in path.split('/').enumerate() {
            if depth >= MAX_DEPTH {
                return Err(Unlanded::Name("more than 128 folders within each other"));
            }
            here = Arc::new(here.step(name, missing)?);
        }
        Ok(here)
    }

    fn step(&self, name: &str, missing: Missing) -> Result<Self, Unlanded> {
        if let Some(why) = self.refuses(name) {
            return Err(Unlanded::Name(why));
        }
        let dir = match open_folder(&self.dir, name) {
            Err(Errno::NOENT) if missing == Missing::Make => {
                self.room_for(FOLDER)?;
                match mkdirat(&*self.dir, name, Mode::from_raw_mode(0o777)) {
                    // Made by another at the same moment: as good.
                    Ok(()) | Err(Errno::EXIST) => {}
                    Err(errno) => return Err(errno.into()),
                }
                self.ground.owe(&self.dir, self.place)?;
                open_folder(&self.dir, name)?
            }
            Err(Errno::NOTDIR | Errno::LOOP | Errno::MLINK) => {
                return Err(Unlanded::Name(
                    "a file or a link stands where a folder is due",
                ));
            }
            found => found?,
        };
        Ok(Self::on(
            File::from(dir),
            self.dotfiles,
            self.floor,
            self.make,
            Arc::clone(&self.ground),
        )?)
    }

    /// Makes a folder here. It is durable, at the latest, with the first file that lands in it.
    ///
    /// # Errors
    /// [`Unlanded::Taken`] where anything of that name is there already, and
    /// [`Unlanded::Full`] where the disk would fall below its floor.
    pub fn make_folder(&self, name: &str) -> Result<(), Unlanded> {
        if let Some(why) = self.refuses(name) {
            return Err(Unlanded::Name(why));
        }
        if !self.is_taken(name) {
            self.room_for(FOLDER)?;
        }
        match mkdirat(&*self.dir, name, Mode::from_raw_mode(0o777)) {
            Ok(()) => Ok(self.ground.owe(&self.dir, self.place)?),
            Err(Errno::EXIST) => Err(Unlanded::Taken),
            Err(errno) => Err(errno.into()),
        }
    }

    /// Removes a regular file or an empty folder, and never what a link leads to.
    ///
    /// # Errors
    /// [`Unlanded::NotEmpty`] for a folder with anything in it, hidden or not; links and
    /// devices are as good as not there.
    pub fn delete(&self, name: &str) -> Result<(), Unlanded> {
        let how = match self.kind(name)? {
            FileType::Directory => AtFlags::REMOVEDIR,
            _ => AtFlags::empty(),
        };
        match unlinkat(&*self.dir, name, how) {
            Ok(()) => {}
            Err(Errno::NOTEMPTY | Errno::EXIST) => return Err(Unlanded::NotEmpty),
            Err(errno) => return Err(errno.into()),
        }
        rustix::fs::fsync(&*self.dir)?;
        Ok(())
    }

    /// Moves a file or a folder to another name, here or in another folder of the same
    /// filesystem; nothing is replaced.
    ///
    /// # Errors
    /// [`Unlanded::Taken`] where the new name is; [`Unlanded::Name`] for a folder that
    /// would stand in itself, and for a move to another filesystem.
    pub fn rename_to(&self, from: &str, there: &Self, to: &str) -> Result<(), Unlanded> {
        let kind = self.kind(from)?;
        if let Some(why) = there.refuses(to) {
            return Err(Unlanded::Name(why));
        }
        let moved = if kind == FileType::Directory {
            self.move_folder(from, there, to)
        } else {
            rename_free(&self.dir, from, &there.dir, to)
        };
        match moved {
            Ok(()) => {}
            Err(Errno::EXIST | Errno::NOTEMPTY) => return Err(Unlanded::Taken),
            Err(Errno::XDEV) => return Err(Unlanded::Name("the new place is on another disk")),
            Err(Errno::INVAL) if kind == FileType::Directory => {
                return Err(Unlanded::Name("a folder cannot be moved into itself"));
            }
            Err(errno) => return Err(errno.into()),
        }
        // The new name first: a crash in between shows both, never none.
        rustix::fs::fsync(&*there.dir)?;
        if self.place != there.place {
            rustix::fs::fsync(&*self.dir)?;
        }
        Ok(())
    }

    fn move_folder(&self, from: &str, there: &Self, to: &str) -> rustix::io::Result<()> {
        match renameat_with(&*self.dir, from, &*there.dir, to, RenameFlags::NOREPLACE) {
            Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => {}
            done => return done,
        }
        if self.is_within(from, there) {
            return Err(Errno::INVAL);
        }
        self.swap_in(from, there, to)
    }

    /// A folder has no second link: an empty one of our own holds the new name, and the
    /// rename replaces that and nothing else.
    fn swap_in(&self, from: &str, there: &Self, to: &str) -> rustix::io::Result<()> {
        mkdirat(&*there.dir, to, Mode::from_raw_mode(0o700))?;
        renameat(&*self.dir, from, &*there.dir, to).inspect_err(|_| {
            let _ = unlinkat(&*there.dir, to, AtFlags::REMOVEDIR);
        })
    }

    /// Whether a folder is our folder `from`, or below it.
    fn is_within(&self, from: &str, there: &Self) -> bool {
        let Ok(moved) = statat(&*self.dir, from, AtFlags::SYMLINK_NOFOLLOW) else {
            return false;
        };
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let mut above = openat(&*there.dir, ".", flags, Mode::empty());
        let mut last = None;
        while let Ok(dir) = above {
            let Ok(stat) = fstat(&dir) else { return false };
            let here = (stat.st_dev, stat.st_ino);
            if here == (moved.st_dev, moved.st_ino) {
                return true;
            }
            // The root is its own parent.
            if last == Some(here) {
                return false;
            }
            last = Some(here);
            above = openat(&dir, "..", flags, Mode::empty());
        }
        false
    }

    /// What stands under a name, if it may be touched: a regular file or a folder.
    fn kind(&self, name: &str) -> Result<FileType, Unlanded> {
        if let Some(why) = self.refuses(name) {
            return Err(Unlanded::Name(why));
        }
        let stat = statat(&*self.dir, name, AtFlags::SYMLINK_NOFOLLOW)?;
        match FileType::from_raw_mode(stat.st_mode) {
            kind @ (FileType::RegularFile | FileType::Directory) => Ok(kind),
            _ => Err(Errno::NOENT.into()),
        }
    }

    /// Begins a batch of small files, in this folder or in others below it.
    pub fn batch(self: &Arc<Self>) -> Batch {
        Batch::new(Arc::clone(self))
    }
}

fn open_folder(dir: &OwnedFd, name: &str) -> rustix::io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    openat(dir, name, flags, Mode::empty())
}

#[cfg(test)]
#[path = "folder_tests.rs"]
mod tests;
