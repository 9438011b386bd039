//! Files that are nobody else's: the identity, pins, codes.
//!
//! Read only if they are regular, ours alone and of a sane size; written whole or not at
//! all, through a temporary that is durable before it gets its name. One item is locked
//! while it changes, never the folder: several processes share it. Blocking, and small.
//! It must never know what is in a file, nor show a byte of it in an error.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use rustix::fs::{FlockOperation, OFlags, flock};

/// Bytes such a file has at the most.
pub const MOST: u64 = 64 << 10;
/// How long an item that is replaced under our lock again and again is locked anew: who
/// has just let go of it is often the first to have it back.
const PATIENCE: Duration = Duration::from_secs(20);

/// Why a private file is not used.
#[derive(Debug, thiserror::Error)]
pub enum Unsound {
    /// Others may read or write it.
    #[error("{path} can be read or written by others (mode {mode:03o}): chmod {want:03o} it first", path = .path.display(), want = .want)]
    Open {
        /// Which.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
        /// What they must be at the most.
        want: u32,
    },
    /// It is empty.
    #[error("{} is empty", .0.display())]
    Empty(PathBuf),
    /// It is no regular file, or no folder where one is needed.
    #[error("{path} is not {what}", path = .path.display())]
    Kind {
        /// Which.
        path: PathBuf,
        /// What it should be.
        what: &'static str,
    },
    /// It holds something else, or too little.
    #[error("{path} {why}", path = .path.display())]
    Content {
        /// Which.
        path: PathBuf,
        /// What is wrong; never a byte of it.
        why: &'static str,
    },
    /// The disk.
    #[error("{path}: {error}", path = .path.display())]
    Disk {
        /// Which.
        path: PathBuf,
        /// The system's word.
        error: io::Error,
    },
}

impl Unsound {
    /// A file that holds something else than it should.
    pub fn content(path: &Path, why: &'static str) -> Self {
        Self::Content {
            path: path.to_owned(),
            why,
        }
    }

    fn disk(path: &Path, error: io::Error) -> Self {
        Self::Disk {
            path: path.to_owned(),
            error,
        }
    }
}

/// Whether an item was made or had been there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Made {
    /// It is new.
    New,
    /// Somebody was before us; nothing was written.
    There,
}

/// Which state of a file it was: changes whenever the file is replaced or written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    inode: u64,
    size: u64,
    changed: (i64, i64),
}

/// Makes a folder and what is missing above it, 0700; one that is there must not be
/// writable by others.
///
/// # Errors
/// It cannot be made, is no folder, or others may write in it.
pub fn folder(path: &Path) -> Result<(), Unsound> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .map_err(|error| Unsound::disk(path, error))?;
    let found = fs::metadata(path).map_err(|error| Unsound::disk(path, error))?;
    if !found.is_dir() {
        return Err(Unsound::Kind {
            path: path.to_owned(),
            what: "a folder",
        });
    }
    closed_to_others(path, found.mode(), 0o022, 0o700)
}

/// What a private file holds; `None` if it is not there.
///
/// # Errors
/// It is empty, too large, no regular file, open to others, or cannot be read.
pub fn read(path: &Path) -> Result<Option<Vec<u8>>, Unsound> {
    let opened = OpenOptions::new()
        .read(true)
        // A FIFO must not hold up the start.
        .custom_flags(OFlags::NONBLOCK.bits().cast_signed())
        .open(path);
    match opened {
        Ok(file) => read_open(path, &file).map(Some),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Unsound::disk(path, error)),
    }
}

fn read_open(path: &Path, file: &File) -> Result<Vec<u8>, Unsound> {
    let disk = |error| Unsound::disk(path, error);
    let found = file.metadata().map_err(disk)?;
    if !found.is_file() {
        return Err(Unsound::Kind {
            path: path.to_owned(),
            what: "a regular file",
        });
    }
    closed_to_others(path, found.mode(), 0o077, 0o600)?;
    let mut bytes = Vec::new();
    let mut bounded = file.take(MOST + 1);
    bounded.read_to_end(&mut bytes).map_err(disk)?;
    match bytes.len() as u64 {
        0 => Err(Unsound::Empty(path.to_owned())),
        1..=MOST => Ok(bytes),
        _ => Err(Unsound::content(path, "is far too large")),
    }
}

fn closed_to_others(path: &Path, mode: u32, bits: u32, want: u32) -> Result<(), Unsound> {
    if mode & bits == 0 {
        return Ok(());
    }
    Err(Unsound::Open {
        path: path.to_owned(),
        mode: mode & 0o777,
        want,
    })
}

/// Makes a file, 0600, with all of its content or not at all; one that is there stays.
///
/// # Errors
/// The disk's.
pub fn create(path: &Path, bytes: &[u8]) -> Result<Made, Unsound> {
    let disk = |error| Unsound::disk(path, error);
    let temporary = write_aside(path, bytes)?;
    let linked = fs::hard_link(&temporary, path);
    let _ = fs::remove_file(&temporary);
    match linked {
        Ok(()) => {
            sync_folder(path).map_err(disk)?;
            Ok(Made::New)
        }
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(Made::There),
        Err(error) => Err(disk(error)),
    }
}

/// Makes or replaces a file, 0600, with all of its content or not at all.
///
/// # Errors
/// The disk's.
pub fn replace(path: &Path, bytes: &[u8]) -> Result<(), Unsound> {
    let disk = |error| Unsound::disk(path, error);
    let temporary = write_aside(path, bytes)?;
    fs::rename(&temporary, path)
        .inspect_err(|_| drop(fs::remove_file(&temporary)))
        .and_then(|()| sync_folder(path))
        .map_err(disk)
}

/// Changes a file that is there, under its lock: `change` says the new content, `None`
/// leaves it. False if there is no such file.
///
/// # Errors
/// As [`read`] and [`replace`], and what `change` says.
pub fn change(
    path: &Path,
    change: impl FnOnce(Vec<u8>) -> Result<Option<Vec<u8>>, Unsound>,
) -> Result<bool, Unsound> {
    let Some(held) = lock(path)? else {
        return Ok(false);
    };
    if let Some(fresh) = change(read_open(path, &held)?)? {
        replace(path, &fresh)?;
    }
    Ok(true)
}

/// Removes a file, under its lock. False if there is none.
///
/// # Errors
/// The disk's.
pub fn remove(path: &Path) -> Result<bool, Unsound> {
    let Some(_held) = lock(path)? else {
        return Ok(false);
    };
    fs::remove_file(path)
        .and_then(|()| sync_folder(path))
        .map(|()| true)
        .map_err(|error| Unsound::disk(path, error))
}

/// Which state of the file this is; `None` if it is not there.
///
/// # Errors
/// The disk's.
pub fn stamp(path: &Path) -> Result<Option<Stamp>, Unsound> {
    match fs::symlink_metadata(path) {
        Ok(found) => Ok(Some(Stamp {
            inode: found.ino(),
            size: found.size(),
            changed: (found.ctime(), found.ctime_nsec()),
        })),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Unsound::disk(path, error)),
    }
}

/// The names in a folder, temporaries left out; none if the folder is not there.
///
/// # Errors
/// The disk's.
pub fn names(folder: &Path) -> Result<Vec<String>, Unsound> {
    let disk = |error| Unsound::disk(folder, error);
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(disk(error)),
    };
    let mut names = Vec::new();
    for entry in entries {
        if let Ok(name) = entry.map_err(disk)?.file_name().into_string()
            && !name.starts_with('.')
        {
            names.push(name);
        }
    }
    names.sort_unstable();
    Ok(names)
}

/// The file under an exclusive lock, as it stands under its name now.
fn lock(path: &Path) -> Result<Option<File>, Unsound> {
    let disk = |error| Unsound::disk(path, error);
    let began = Instant::now();
    while began.elapsed() < PATIENCE {
        let file = match File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(disk(error)),
        };
        flock(&file, FlockOperation::LockExclusive).map_err(|errno| disk(errno.into()))?;
        let held = file.metadata().map_err(disk)?.ino();
        match stamp(path)? {
            Some(now) if now.inode == held => return Ok(Some(file)),
            // Replaced while we waited: the lock is on what nobody reads any more.
            Some(_) => {}
            None => return Ok(None),
        }
    }
    Err(Unsound::content(path, "is replaced all the time"))
}

/// Writes a temporary beside `path`, durable and 0600.
fn write_aside(path: &Path, bytes: &[u8]) -> Result<PathBuf, Unsound> {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let name = format!(
        ".new-{}-{}",
        std::process::id(),
        COUNT.fetch_add(1, Relaxed)
    );
    let temporary = path.with_file_name(name);
    // What a process of the same number left behind when it was killed.
    let _ = fs::remove_file(&temporary);
    let written = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&temporary)
        .and_then(|mut file| {
            file.write_all(bytes)?;
            file.sync_all()
        });
    match written {
        Ok(()) => Ok(temporary),
        Err(error) => {
            let _ = fs::remove_file(&temporary);
            Err(Unsound::disk(path, error))
        }
    }
}

fn sync_folder(path: &Path) -> io::Result<()> {
    let folder = path
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty());
    File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
}

#[cfg(test)]
#[path = "keep_tests.rs"]
mod tests;
