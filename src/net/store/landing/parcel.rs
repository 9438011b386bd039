//! A file on its way in that outlives a cut: a part, its state, and at last its name.
//!
//! Both stand beside the target under a reserved name and are held under a lock while
//! in use. Blocks come in any order, from several streams at once; whatever fails, the
//! next try goes on from the blocks that are done. It must never know who sends, and
//! never trust what the state says: that is hashed again first.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileExt as _;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustix::fs::{
    AtFlags, FallocateFlags, FileType, FlockOperation, Mode, OFlags, fallocate, flock, fstat,
    openat, renameat, unlinkat,
};
use rustix::io::Errno;

use super::state::{Mark, Said, State};
use super::{Floor, Ground, Landing, Unlanded, ground, rename_free, room, set_mtime};
use crate::event::Clash;
use crate::net::store::{BLOCK, RESERVED};
use crate::net::wire::codec::Value;

/// Disk space is reserved at most so far ahead of the bytes that are here, per stream. On tmpfs
/// a reservation makes every page: 64 MiB take 18 ms, in which nothing is written, 8 MiB
/// take 2.4 ms; on ext4 both are nothing.
const AHEAD: u64 = 8 << 20;
/// A part that was landed or swept while it was opened is looked for again.
const TRIES: usize = 16;

/// What stood beside the target when a parcel was begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// Nothing of use.
    Fresh,
    /// Blocks of the same content: see [`Parcel::claims`].
    Unfinished,
    /// Blocks of another content, which were dropped.
    Changed,
}

/// A resumable file on its way in; several streams use it at once.
///
/// Dropped before it has landed, part and state stay if at least one block is done,
/// otherwise they go.
#[derive(Debug)]
pub struct Parcel {
    file: Arc<File>,
    size: u64,
    dir: Arc<OwnedFd>,
    ground: Arc<Ground>,
    floor: Floor,
    part: String,
    /// The state file's name.
    note: String,
    state: Mutex<State>,
    /// Stretches of disk that are asked for: first byte, byte behind the last.
    reserved: Mutex<BTreeMap<u64, u64>>,
    /// Landed or discarded: there is nothing left to clear up.
    over: Mutex<Over>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Over {
    No,
    Yes,
}

impl Landing {
    /// Removes what an earlier try for a name has left, unless somebody holds it.
    pub fn forget(&self, name: &str) {
        let hash = blake3::hash(name.as_bytes()).to_hex();
        let part = format!("{RESERVED}{}.part", &hash[..16]);
        let note = format!("{RESERVED}{}.state", &hash[..16]);
        let flags = OFlags::RDWR | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let Ok(held) = openat(&*self.dir, part.as_str(), flags, Mode::empty()) else {
            return;
        };
        // It may have landed since it was opened, and another one may stand there.
        let is_held = flock(&held, FlockOperation::NonBlockingLockExclusive).is_ok();
        if is_held && fstat(&held).is_ok_and(|stat| ground::names(&self.dir, &part, &stat)) {
            let _ = unlinkat(&*self.dir, note.as_str(), AtFlags::empty());
            let _ = unlinkat(&*self.dir, part.as_str(), AtFlags::empty());
        }
    }

    /// Begins a file of exactly `size` bytes, or goes on with one that was begun with
    /// the same mark. Whatever else stands under the reserved names is replaced.
    ///
    /// # Errors
    /// [`Unlanded::Busy`] while anybody else has the same file open for this.
    pub fn resume(&self, name: &str, mark: &Mark, size: u64) -> Result<(Parcel, Found), Unlanded> {
        if let Some(why) = self.refuses(name) {
            return Err(Unlanded::Name(why));
        }
        let hash = blake3::hash(name.as_bytes()).to_hex();
        let part = format!("{RESERVED}{}.part", &hash[..16]);
        let note = format!("{RESERVED}{}.state", &hash[..16]);
        let file = open_own(&self.dir, &part, Lock::Held)?;
        let said = State::read(open_own(&self.dir, &note, Lock::None)?, mark, size)?;
        // A part without bytes has lost what its state speaks of.
        let is_empty = file.metadata()?.len() == 0;
        let (state, found) = match said {
            Said::Ours(state) if !is_empty => (state, Found::Unfinished),
            Said::Ours(_) | Said::Nothing => (self.anew(&file, &note, mark, size)?, Found::Fresh),
            Said::Others => (self.anew(&file, &note, mark, size)?, Found::Changed),
        };
        let here = (state.blocks().len() as u64).saturating_mul(BLOCK);
        let parcel = Parcel {
            file: Arc::new(file),
            size,
            dir: Arc::clone(&self.dir),
            ground: Arc::clone(&self.ground),
            floor: self.floor,
            part,
            note,
            state: Mutex::new(state),
            reserved: Mutex::default(),
            over: Mutex::new(Over::No),
        };
        self.room_for(size.saturating_sub(here))?;
        Ok((parcel, found))
    }

    fn anew(&self, part: &File, note: &str, mark: &Mark, size: u64) -> Result<State, Unlanded> {
        part.set_len(0)?;
        let note = open_own(&self.dir, note, Lock::None)?;
        Ok(State::begin(note, mark, size)?)
    }
}

impl Parcel {
    /// The file, for writing at offsets. Nobody else can resume it before the last copy
    /// of this is gone.
    pub const fn file(&self) -> &Arc<File> {
        &self.file
    }

    /// The blocks the state lists as done, in order; not to be trusted before
    /// [`Self::recheck`].
    pub fn claims(&self) -> Vec<(u64, Value)> {
        let state = self.state();
        let blocks = state.blocks().iter();
        blocks.map(|(&index, &value)| (index, value)).collect()
    }

    /// Whether a block on disk has this value. Reads and hashes all of it.
    pub fn recheck(&self, index: u64, value: &Value) -> io::Result<bool> {
        let start = index.saturating_mul(BLOCK);
        if start >= self.size {
            return Ok(false);
        }
        let len = BLOCK.min(self.size - start);
        let mut hasher = blake3::Hasher::new();
        blake3::hazmat::HasherExt::set_input_offset(&mut hasher, start);
        let mut buffer = vec![0; 256 << 10];
        let mut done = 0;
        while done < len {
            let want = usize::try_from(len - done).unwrap_or(usize::MAX);
            let want = want.min(buffer.len());
            match self.file.read_at(&mut buffer[..want], start + done) {
                Ok(0) => return Ok(false),
                Ok(got) => {
                    hasher.update(&buffer[..got]);
                    done += got as u64;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        let found = if self.size <= BLOCK {
            *hasher.finalize().as_bytes()
        } else {
            blake3::hazmat::HasherExt::finalize_non_root(&hasher)
        };
        Ok(found == *value)
    }

    /// Called before bytes `from..to` are written: keeps the floor and reserves ahead,
    /// never beyond the end.
    pub fn make_room(&self, from: u64, to: u64) -> Result<(), Unlanded> {
        if to > self.size {
            return Err(io::Error::from(io::ErrorKind::InvalidInput).into());
        }
        let mut reserved = lock(&self.reserved);
        // What is asked for already, as far as it reaches on from here.
        let before = reserved.range(..=from).next_back();
        let start = before.map_or(from, |(_, &end)| end.max(from));
        if start >= to {
            return Ok(());
        }
        let next = reserved.range(start..).next().map(|(&next, _)| next);
        let goal = start.saturating_add(AHEAD).min(self.size);
        let goal = goal.min(next.unwrap_or(u64::MAX)).max(to);
        let goal = match self.reserve(start, goal) {
            // Too little for a long stretch ahead may be enough for what is here.
            Err(_) if goal > to => self.reserve(start, to),
            done => done,
        };
        // Where nothing can be reserved, only what is written now is promised.
        let goal = goal?.unwrap_or(to);
        let first = before_of(&reserved, start).unwrap_or(start);
        let last = reserved.remove(&goal).unwrap_or(goal);
        reserved.retain(|&at, _| at < first || at >= last);
        reserved.insert(first, last);
        Ok(())
    }

    /// Takes room and tells up to which byte; `None` where a disk reserves none.
    fn reserve(&self, from: u64, to: u64) -> Result<Option<u64>, Unlanded> {
        let _brink = self.ground.brink();
        room(&self.dir, self.floor, to - from)?;
        match fallocate(&*self.file, FallocateFlags::KEEP_SIZE, from, to - from) {
            Ok(()) => Ok(Some(to)),
            Err(Errno::OPNOTSUPP | Errno::NOSYS | Errno::INTR) => Ok(None),
            Err(errno) => Err(errno.into()),
        }
    }

    /// Notes that a block is here and was checked.
    pub fn done(&self, index: u64, value: Value) -> Result<(), Unlanded> {
        Ok(self.state().done(index, value)?)
    }

    /// Takes that back.
    pub fn undo(&self, index: u64) -> Result<(), Unlanded> {
        Ok(self.state().undo(index)?)
    }

    /// Makes the file durable under its own name, with its time in seconds since 1970
    /// UTC, and returns the name.
    ///
    /// `None` for `clash` means that a taken name is an error ([`Unlanded::Taken`]). On
    /// every error before the name is given, part and state are still there and another
    /// answer can be tried.
    pub fn land(
        &self,
        landing: &Landing,
        name: &str,
        clash: Option<Clash>,
        mtime: Option<i64>,
    ) -> Result<String, Unlanded> {
        let mut over = lock(&self.over);
        if *over == Over::Yes {
            return Err(io::Error::from(io::ErrorKind::NotFound).into());
        }
        if let Some(why) = landing.refuses(name) {
            return Err(Unlanded::Name(why));
        }
        let length = self.file.metadata()?.len();
        if length < self.size {
            return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
        }
        // Also gives back what was reserved and not used.
        self.file.set_len(self.size)?;
        if let Some(mtime) = mtime {
            set_mtime(&self.file, mtime);
        }
        self.file.sync_all()?;
        self.ground.settle()?;
        let name = self.christen(landing, name, clash)?;
        *over = Over::Yes;
        // The next of this name may have begun: its own state is not ours to remove.
        if self.state().is_at(&self.dir, &self.note) {
            let _ = unlinkat(&*self.dir, self.note.as_str(), AtFlags::empty());
        }
        rustix::fs::fsync(&*landing.dir)?;
        Ok(name)
    }

    fn christen(
        &self,
        landing: &Landing,
        name: &str,
        clash: Option<Clash>,
    ) -> Result<String, Unlanded> {
        let (dir, there, part) = (&*self.dir, &*landing.dir, self.part.as_str());
        if clash == Some(Clash::Overwrite) {
            renameat(dir, part, there, name)?;
            return Ok(name.to_owned());
        }
        let mut free = name.to_owned();
        loop {
            match (rename_free(dir, part, there, &free), clash) {
                (Ok(()), _) => return Ok(free),
                (Err(Errno::EXIST), Some(Clash::Rename)) => {
                    free = landing.free_name(name).ok_or(Unlanded::Taken)?;
                }
                (Err(Errno::EXIST), _) => return Err(Unlanded::Taken),
                (Err(errno), _) => return Err(errno.into()),
            }
        }
    }

    /// Removes part and state: nobody wants them any more.
    pub fn discard(&self) {
        let mut over = lock(&self.over);
        if *over == Over::No {
            self.remove();
            *over = Over::Yes;
        }
    }

    fn remove(&self) {
        // The part is what is locked: it goes last.
        let _ = unlinkat(&*self.dir, self.note.as_str(), AtFlags::empty());
        let _ = unlinkat(&*self.dir, self.part.as_str(), AtFlags::empty());
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }
}

impl Drop for Parcel {
    fn drop(&mut self) {
        if *lock(&self.over) == Over::No && self.state().blocks().is_empty() {
            self.remove();
        }
        // Closing would do, but for a child that is just being started and has a copy.
        if Arc::strong_count(&self.file) == 1 {
            let _ = flock(&*self.file, FlockOperation::Unlock);
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The first byte of the stretch that ends at `start`, if one does.
fn before_of(reserved: &BTreeMap<u64, u64>, start: u64) -> Option<u64> {
    let (&first, &end) = reserved.range(..=start).next_back()?;
    (end == start).then_some(first)
}

/// Whether a file is opened for one alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lock {
    /// It is held until it is closed.
    Held,
    /// Whoever holds the part may have it.
    None,
}

/// Opens a file under one of ferrydeck's own names. What is no regular file of this user
/// with this one name was planted, or left by a link that was cut short: its name goes.
fn open_own(dir: &OwnedFd, name: &str, lock: Lock) -> Result<File, Unlanded> {
    let flags = OFlags::RDWR
        | OFlags::CREATE
        | OFlags::NOFOLLOW
        | OFlags::NONBLOCK
        | OFlags::NOCTTY
        | OFlags::CLOEXEC;
    for _ in 0..TRIES {
        match openat(dir, name, flags, Mode::from_raw_mode(0o666)) {
            Ok(fd) => {
                if lock == Lock::Held {
                    // Before it is looked at: its holder may just be giving it its name.
                    match flock(&fd, FlockOperation::NonBlockingLockExclusive) {
                        Err(Errno::WOULDBLOCK) => return Err(Unlanded::Busy),
                        held => held?,
                    }
                }
                let stat = fstat(&fd)?;
                if !ground::names(dir, name, &stat) {
                    // Landed, discarded or swept since it was opened.
                    continue;
                }
                let is_file = FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile;
                let is_ours = stat.st_uid == rustix::process::geteuid().as_raw();
                if is_file && is_ours && stat.st_nlink == 1 {
                    return Ok(File::from(fd));
                }
            }
            Err(Errno::LOOP | Errno::MLINK | Errno::NXIO | Errno::NODEV) => {}
            Err(errno) => return Err(errno.into()),
        }
        match unlinkat(dir, name, AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => {}
            Err(errno) => return Err(errno.into()),
        }
    }
    Err(Unlanded::Busy)
}

#[cfg(test)]
#[path = "parcel_tests.rs"]
mod tests;
