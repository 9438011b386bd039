//! A file to be sent: one descriptor, and what it was when it was opened.
//!
//! It takes size, times and identity before the first byte and compares them after
//! the last. It knows an open file and the wall clock, which it holds a change's age
//! against. It must never know how the file was found: that is the gate's (`super`).

use std::fs::{File, Metadata};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

use rustix::fs::{Mode, OFlags};

use super::Denied;
use crate::net::wire::codec::{Refusal, Version};

/// Seconds after which a change shows in a file's times for sure.
const SETTLED: i64 = 2;

/// A file opened for sending. One descriptor for the whole transfer.
#[derive(Debug)]
pub struct Source {
    /// The file; share it, read it with offsets.
    pub file: Arc<File>,
    /// Bytes, as of the opening.
    pub size: u64,
    /// Seconds since 1970 UTC, as of the opening.
    pub mtime: i64,
    /// The mark of the content, as of the opening.
    pub version: Version,
    settled: bool,
}

impl Source {
    /// Opens a file of this machine's own user for sending: no fence, no dotfile
    /// rule, but a regular file it must be.
    pub fn open_own(path: &Path) -> Result<Self, Denied> {
        // A FIFO must not hang the thread.
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        let fd = rustix::fs::open(path, flags, Mode::empty())
            .map_err(|errno| Denied::of_error(&errno.into()))?;
        Self::new(File::from(fd))
    }

    pub(super) fn new(file: File) -> Result<Self, Denied> {
        let meta = file.metadata().map_err(|error| Denied::of_error(&error))?;
        if meta.is_dir() {
            return Err(Denied::unseen("folder", "a folder, not a file"));
        }
        if !meta.is_file() {
            return Err(Denied::unseen("not_a_file", "not a regular file"));
        }
        Ok(Self {
            size: meta.len(),
            mtime: meta.mtime(),
            version: version(&meta),
            settled: is_settled(&meta),
            file: Arc::new(file),
        })
    }

    /// Whether its last change was at least 2 s before the opening: only then does the
    /// mark tell every later change, for clocks of filesystems tick slowly.
    pub const fn is_settled(&self) -> bool {
        self.settled
    }

    /// What became of the file since its opening.
    pub fn fate(&self) -> Fate {
        match self.file.metadata() {
            Ok(meta) if version(&meta) == self.version => Fate::Same,
            Ok(meta) if meta.len() > self.size => Fate::Grew,
            Ok(_) => Fate::Changed,
            Err(_) => Fate::Lost,
        }
    }
}

/// What became of a file while it was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// Size, times and identity are what they were.
    Same,
    /// It is longer now; what was announced is still what was sent.
    Grew,
    /// Something else about it changed: what was sent may be a mixture.
    Changed,
    /// The disk does not tell any more.
    Lost,
}

impl Fate {
    /// The refusal it amounts to; `None` where what was sent is what was announced.
    pub const fn refusal(self) -> Option<Refusal> {
        match self {
            Self::Same | Self::Grew => None,
            Self::Changed => Some(Refusal::Changed),
            Self::Lost => Some(Refusal::Failed),
        }
    }
}

/// Device, inode, size, mtime and ctime to the nanosecond, as one opaque mark.
pub(super) fn version(meta: &Metadata) -> Version {
    let words = [
        meta.dev(),
        meta.ino(),
        meta.size(),
        meta.mtime().cast_unsigned(),
        meta.mtime_nsec().cast_unsigned(),
        meta.ctime().cast_unsigned(),
        meta.ctime_nsec().cast_unsigned(),
    ];
    let mut mark = [0; 56];
    for (slot, word) in mark.chunks_exact_mut(8).zip(words) {
        slot.copy_from_slice(&word.to_be_bytes());
    }
    Version::from(mark)
}

fn is_settled(meta: &Metadata) -> bool {
    // A time that lies ahead of this clock has not passed by it either.
    let now = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    let whole = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
    let now = (whole, i64::from(now.subsec_nanos()));
    (meta.ctime().saturating_add(SETTLED), meta.ctime_nsec()) <= now
}
