//! Where downloads land: a temporary first, its own name only when complete.
//!
//! The temporary is an `O_TMPFILE` (kill -9 leaves nothing behind) or, where the
//! filesystem has none, `.ferrydeck-<id>.tmp` under a lock; what can be resumed is
//! a [`Parcel`], what is small goes in a [`Batch`]. Each gets its name by a link or
//! rename that replaces nothing, after fsync, and the folder is synced behind it.
//! On every error the file under the final name, if any, is untouched.

mod batch;
mod folder;
mod ground;
mod parcel;
mod part;
mod state;

use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::sync::{Arc, OnceLock};

use rustix::fs::{
    AtFlags, CWD, FileType, FlockOperation, Mode, OFlags, RenameFlags, Timespec, Timestamps, flock,
    fstat, fstatvfs, futimens, linkat, openat, renameat_with, statat, unlinkat,
};
use rustix::io::Errno;

pub use self::batch::Batch;
pub use self::folder::{MAX_DEPTH, Missing};
pub(super) use self::ground::Ground;
pub use self::parcel::{Found, Parcel};
pub use self::part::Part;
pub use self::state::Mark;
use super::{Dotfiles, RESERVED, unportable, unwritable};

/// Bytes of an extension, with its dot; what is longer is a part of the name.
const EXTENSION: usize = 32;

/// What must stay free on the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Floor {
    /// The smaller of 1 % and 1 GiB.
    Usual,
    /// So many bytes.
    Bytes(u64),
}

/// Why a file could not land. Nothing was lost and nothing replaced.
#[derive(Debug, thiserror::Error)]
pub enum Unlanded {
    /// The name must not be written.
    #[error("{0}")]
    Name(&'static str),
    /// The name is taken.
    #[error("the name is taken")]
    Taken,
    /// The folder is not empty.
    #[error("the folder is not empty")]
    NotEmpty,
    /// Somebody else is writing the same file.
    #[error("somebody else is writing it")]
    Busy,
    /// The disk would fall below its floor.
    #[error("not enough room: {free} free, {floor} to be kept free (--min-free)")]
    Full {
        /// Free now, in words.
        free: String,
        /// The floor, in words.
        floor: String,
    },
    /// The disk failed.
    #[error("{0}")]
    Disk(#[from] io::Error),
}

impl From<Errno> for Unlanded {
    fn from(errno: Errno) -> Self {
        Self::Disk(errno.into())
    }
}

/// A folder that downloads land in.
#[derive(Clone, Debug)]
pub struct Landing {
    dir: Arc<OwnedFd>,
    place: Place,
    dotfiles: Dotfiles,
    floor: Floor,
    make: Make,
    ground: Arc<Ground>,
}

/// A folder's device and inode: which one it is, whatever it is called.
type Place = (u64, u64);

/// How a temporary is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Make {
    /// `O_TMPFILE` where the filesystem has it, else named.
    Best,
    /// Always named: what filesystems without `O_TMPFILE` get.
    Named,
}

impl Landing {
    /// Opens a folder that is there, and clears away what nobody holds any more:
    /// temporaries, and unfinished parts that are older than 7 days.
    pub fn open(dir: &Path, dotfiles: Dotfiles, floor: Floor, make: Make) -> io::Result<Self> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let dir = File::from(openat(CWD, dir, flags, Mode::empty())?);
        Self::on(dir, dotfiles, floor, make, Arc::default())
    }

    /// A folder that is open for reading, on common ground with others of its tree.
    pub(super) fn on(
        dir: File,
        dotfiles: Dotfiles,
        floor: Floor,
        make: Make,
        ground: Arc<Ground>,
    ) -> io::Result<Self> {
        let meta = dir.metadata()?;
        let place = (meta.dev(), meta.ino());
        let dir = Arc::new(OwnedFd::from(dir));
        ground.tidy(&dir, place);
        Ok(Self {
            dir,
            place,
            dotfiles,
            floor,
            make,
            ground,
        })
    }

    /// What it keeps free on its disk.
    pub const fn floor(&self) -> Floor {
        self.floor
    }

    /// Whether a name is taken here (a dangling link takes it too).
    pub fn is_taken(&self, name: &str) -> bool {
        statat(&*self.dir, name, AtFlags::SYMLINK_NOFOLLOW).is_ok()
    }

    /// Why a name must not be written here, if it must not.
    pub fn refuses(&self, name: &str) -> Option<&'static str> {
        unwritable(name, self.dotfiles)
    }

    /// Why a name that a peer gave must not be written here, if it must not: it has
    /// to be portable as well.
    pub fn refuses_from_peer(&self, name: &str) -> Option<&'static str> {
        self.refuses(name).or_else(|| unportable(name))
    }

    /// Gives a regular file in this folder another name; a taken one is not replaced.
    pub fn rename(&self, from: &str, to: &str) -> Result<(), Unlanded> {
        let dir = &*self.dir;
        let stat = statat(dir, from, AtFlags::SYMLINK_NOFOLLOW)?;
        if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
            return Err(Unlanded::Name("not a regular file"));
        }
        match rename_free(dir, from, dir, to) {
            Err(Errno::EXIST) => return Err(Unlanded::Taken),
            done => done?,
        }
        rustix::fs::fsync(dir)?;
        Ok(())
    }

    /// The first of `name (1).ext`, `name (2).ext`, … that is free.
    pub fn free_name(&self, name: &str) -> Option<String> {
        (1..10_000)
            .map(|n| numbered(name, n))
            .find(|name| !self.is_taken(name))
    }

    /// Begins a file of `size` bytes, if that is known.
    pub fn begin(&self, name: &str, size: Option<u64>) -> Result<Part, Unlanded> {
        if let Some(why) = self.refuses(name) {
            return Err(Unlanded::Name(why));
        }
        self.begin_unnamed(size)
    }

    fn begin_unnamed(&self, size: Option<u64>) -> Result<Part, Unlanded> {
        self.room_for(size.unwrap_or(0))?;
        self.temporary(size)
    }

    /// A temporary, without a look at the room there is.
    fn temporary(&self, size: Option<u64>) -> Result<Part, Unlanded> {
        let (file, temporary) = match self.make {
            Make::Best => match tmpfile(&self.dir)? {
                Some(file) => (file, None),
                None => named(&self.dir)?,
            },
            Make::Named => named(&self.dir)?,
        };
        Ok(Part {
            file: Arc::new(file),
            dir: Arc::clone(&self.dir),
            ground: Arc::clone(&self.ground),
            floor: self.floor,
            temporary,
            reserved: 0,
            size,
        })
    }

    fn room_for(&self, bytes: u64) -> Result<u64, Unlanded> {
        room(&self.dir, self.floor, bytes)
    }
}

/// Gives a file another name and replaces nothing: `EEXIST` where it is taken.
fn rename_free(dir: &OwnedFd, from: &str, there: &OwnedFd, to: &str) -> rustix::io::Result<()> {
    match renameat_with(dir, from, there, to, RenameFlags::NOREPLACE) {
        Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => {
            linkat(dir, from, there, to, AtFlags::empty())?;
            unlinkat(dir, from, AtFlags::empty())
        }
        done => done,
    }
}

/// Sets the time of the last change, in seconds since 1970 UTC.
fn set_mtime(file: &File, mtime: i64) {
    let times = Timestamps {
        last_access: Timespec {
            tv_sec: 0,
            tv_nsec: rustix::fs::UTIME_NOW,
        },
        last_modification: Timespec {
            tv_sec: mtime,
            tv_nsec: 0,
        },
    };
    // A filesystem that keeps no such time still keeps the file.
    let _ = futimens(file, &times);
}

/// Checks that the disk keeps its floor with so many bytes more; tells what is left above it.
fn room(dir: &OwnedFd, floor: Floor, bytes: u64) -> Result<u64, Unlanded> {
    let stat = fstatvfs(dir)?;
    let free = stat.f_bavail.saturating_mul(stat.f_frsize);
    let floor = match floor {
        Floor::Bytes(bytes) => bytes,
        Floor::Usual => (stat.f_blocks.saturating_mul(stat.f_frsize) / 100).min(1 << 30),
    };
    if free < bytes.saturating_add(floor) {
        return Err(Unlanded::Full {
            free: crate::line::size_words(free),
            floor: crate::line::size_words(floor),
        });
    }
    Ok(free - floor - bytes)
}

/// An `O_TMPFILE`; `None` where the filesystem or a missing /proc rules it out.
fn tmpfile(dir: &OwnedFd) -> io::Result<Option<File>> {
    #[cfg(target_os = "linux")]
    {
        let flags = OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC;
        let mode = Mode::from_raw_mode(0o666);
        match openat(dir, ".", flags, mode) {
            Ok(fd) if has_proc(&fd) => Ok(Some(File::from(fd))),
            Ok(_) | Err(Errno::OPNOTSUPP | Errno::ISDIR | Errno::INVAL | Errno::NOENT) => Ok(None),
            Err(errno) => Err(errno.into()),
        }
    }
    #[cfg(not(target_os = "linux"))]
    {
        let _ = dir;
        Ok(None)
    }
}

/// Whether open files can be named through /proc: looked at once.
fn has_proc(fd: &OwnedFd) -> bool {
    static FOUND: OnceLock<bool> = OnceLock::new();
    *FOUND.get_or_init(|| Path::new(&proc_path(fd)).exists())
}

fn proc_path(fd: &impl std::os::fd::AsRawFd) -> String {
    format!("/proc/self/fd/{}", fd.as_raw_fd())
}

fn named(dir: &Arc<OwnedFd>) -> io::Result<(File, Option<String>)> {
    for _ in 0..64 {
        let name = temporary_name();
        let flags = OFlags::CREATE | OFlags::EXCL | OFlags::RDWR | OFlags::CLOEXEC;
        match openat(&**dir, name.as_str(), flags, Mode::from_raw_mode(0o666)) {
            // Held until the end: an unlocked one is litter and may be removed. A sweep
            // that came between the making and the lock has taken it for that: once more.
            Ok(fd) => match flock(&fd, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) if fstat(&fd)?.st_nlink > 0 => return Ok((File::from(fd), Some(name))),
                Ok(()) | Err(Errno::WOULDBLOCK) => {}
                Err(errno) => return Err(errno.into()),
            },
            Err(Errno::EXIST) => {}
            Err(errno) => return Err(errno.into()),
        }
    }
    Err(Errno::EXIST.into())
}

/// A name nobody else picks: process, time and a counter. It need not be secret.
fn temporary_name() -> String {
    use std::hash::{BuildHasher as _, Hasher as _, RandomState};
    let mut hasher = RandomState::new().build_hasher();
    hasher.write_u32(std::process::id());
    format!("{RESERVED}{:016x}.tmp", hasher.finish())
}

/// `name (n).ext`; the stem gives way so that 255 bytes are never passed.
fn numbered(name: &str, n: u32) -> String {
    let cut = name
        .rfind('.')
        .filter(|&cut| cut > 0 && name.len() - cut <= EXTENSION)
        .unwrap_or(name.len());
    let (stem, extension) = name.split_at(cut);
    let tail = format!(" ({n}){extension}");
    let mut room = super::MAX_COMPONENT
        .saturating_sub(tail.len())
        .min(stem.len());
    while !stem.is_char_boundary(room) {
        room -= 1;
    }
    format!("{}{tail}", &stem[..room])
}

#[cfg(test)]
#[path = "landing_tests.rs"]
mod tests;
