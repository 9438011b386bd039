//! A file on its way in: room for it, its bytes, and at last its name.
//!
//! It holds an open file and the folder it will stand in. It keeps the floor of
//! the disk, makes the bytes durable and only then gives them a name, replacing
//! nothing unless told to. It must never know who sends, in which dialect, or
//! which names are allowed: the landing (`super`) has looked at those.

use std::fs::File;
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileExt as _;
use std::sync::Arc;

use rustix::fs::{
    AtFlags, CWD, FallocateFlags, FlockOperation, fallocate, flock, linkat, renameat, unlinkat,
};
use rustix::io::Errno;

use super::{
    Floor, Ground, Landing, Unlanded, proc_path, rename_free, room, set_mtime, temporary_name,
};
use crate::event::Clash;

/// Disk space is reserved at most so far ahead of the bytes that are here. On tmpfs
/// a reservation makes every page: 64 MiB take 18 ms, in which nothing is written, 8 MiB
/// take 2.4 ms; on ext4 both are nothing.
const AHEAD: u64 = 8 << 20;

/// A file on its way in. Dropped without `land`, it leaves nothing behind.
#[derive(Debug)]
pub struct Part {
    pub(super) file: Arc<File>,
    pub(super) dir: Arc<OwnedFd>,
    pub(super) ground: Arc<Ground>,
    pub(super) floor: Floor,
    pub(super) temporary: Option<String>,
    /// Bytes of disk asked for so far.
    pub(super) reserved: u64,
    pub(super) size: Option<u64>,
}

impl Part {
    /// The file, for writing at offsets.
    pub fn file(&self) -> &Arc<File> {
        &self.file
    }

    /// Sets the time of the last change, in seconds since 1970 UTC; the last thing to do
    /// before it lands.
    pub fn date(&self, mtime: i64) {
        set_mtime(&self.file, mtime);
    }

    /// Called before bytes up to `end` are written: keeps the floor and reserves ahead.
    pub fn make_room(&mut self, end: u64) -> Result<(), Unlanded> {
        if end <= self.reserved {
            return Ok(());
        }
        let goal = self
            .reserved
            .saturating_add(AHEAD)
            .min(self.size.unwrap_or(u64::MAX))
            .max(end);
        match self.reserve(goal) {
            // Too little for a long stretch ahead may be enough for what is here.
            Err(_) if goal > end => self.reserve(end),
            done => done,
        }
    }

    fn reserve(&mut self, goal: u64) -> Result<(), Unlanded> {
        let more = goal - self.reserved;
        room(&self.dir, self.floor, more)?;
        match fallocate(&*self.file, FallocateFlags::KEEP_SIZE, self.reserved, more) {
            Ok(()) | Err(Errno::OPNOTSUPP | Errno::NOSYS | Errno::INTR) => {}
            Err(errno) => return Err(errno.into()),
        }
        self.reserved = goal;
        Ok(())
    }

    /// Puts content before what was written, or takes bytes off its front: where
    /// a head turned out shorter or longer than it looked. Does nothing for nothing.
    pub fn reshape(&mut self, landing: &Landing, prepend: &[u8], cut: u64) -> Result<(), Unlanded> {
        if prepend.is_empty() && cut == 0 {
            return Ok(());
        }
        let mut fresh = landing.begin_unnamed(self.size)?;
        let length = self.file.metadata()?.len().saturating_sub(cut);
        let shift = prepend.len() as u64;
        fresh.make_room(length + shift)?;
        fresh.file.write_all_at(prepend, 0)?;
        let mut buffer = vec![0; 1 << 20];
        let mut done = 0;
        while done < length {
            let want = usize::try_from(length - done)
                .unwrap_or(buffer.len())
                .min(buffer.len());
            self.file.read_exact_at(&mut buffer[..want], cut + done)?;
            fresh.file.write_all_at(&buffer[..want], shift + done)?;
            done += want as u64;
        }
        *self = fresh;
        Ok(())
    }

    /// Makes the file durable under its own name and returns it.
    ///
    /// `None` for `clash` means that a taken name is an error ([`Unlanded::Taken`]);
    /// then the part is still there and another answer can be tried.
    pub fn land(
        &mut self,
        landing: &Landing,
        name: &str,
        clash: Option<Clash>,
    ) -> Result<String, Unlanded> {
        // What was reserved beyond the end goes back.
        let length = self.file.metadata()?.len();
        if length < self.reserved {
            self.file.set_len(length)?;
        }
        self.file.sync_all()?;
        self.ground.settle()?;
        let name = self.christen(landing, name, clash)?;
        rustix::fs::fsync(&*self.dir)?;
        Ok(name)
    }

    /// Gives the file its name, which is not durable yet, and returns it.
    pub(super) fn christen(
        &mut self,
        landing: &Landing,
        name: &str,
        clash: Option<Clash>,
    ) -> Result<String, Unlanded> {
        let mut free = name.to_owned();
        loop {
            match (self.enter(&free, clash), clash) {
                (Ok(()), _) => break,
                // Of the name that was asked for, also when a free one was lost to another.
                (Err(Errno::EXIST), Some(Clash::Rename)) => {
                    free = landing.free_name(name).ok_or(Unlanded::Taken)?;
                }
                (Err(Errno::EXIST), _) => return Err(Unlanded::Taken),
                (Err(errno), _) => return Err(errno.into()),
            }
        }
        self.temporary = None;
        Ok(free)
    }

    fn enter(&mut self, name: &str, clash: Option<Clash>) -> rustix::io::Result<()> {
        let dir = &*self.dir;
        if clash == Some(Clash::Overwrite) {
            if self.temporary.is_none() {
                let temporary = temporary_name();
                // Before it has a name: an unlocked one is swept as litter.
                flock(&*self.file, FlockOperation::NonBlockingLockExclusive)?;
                self.link(&temporary)?;
                self.temporary = Some(temporary);
            }
            let temporary = self.temporary.as_deref().unwrap_or_default();
            return renameat(dir, temporary, dir, name);
        }
        let Some(temporary) = self.temporary.as_deref() else {
            return self.link(name);
        };
        rename_free(dir, temporary, dir, name)
    }

    /// Gives an `O_TMPFILE` a name; a taken one is `EEXIST`.
    fn link(&self, name: &str) -> rustix::io::Result<()> {
        // By the descriptor itself, which Linux 6.10 allows its opener; before, and for
        // one that is not, that is `ENOENT` (linkat(2)), and /proc knows a way round.
        #[cfg(target_os = "linux")]
        match linkat(&*self.file, "", &*self.dir, name, AtFlags::EMPTY_PATH) {
            Err(Errno::NOENT | Errno::INVAL | Errno::PERM) => {}
            done => return done,
        }
        let path = proc_path(&*self.file);
        linkat(
            CWD,
            path.as_str(),
            &*self.dir,
            name,
            AtFlags::SYMLINK_FOLLOW,
        )
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        if let Some(temporary) = self.temporary.take() {
            let _ = unlinkat(&*self.dir, temporary.as_str(), AtFlags::empty());
        }
    }
}
