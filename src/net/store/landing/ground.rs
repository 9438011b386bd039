//! What the folders of one tree share: what was swept, and what is not durable yet.
//!
//! A folder is swept when it is first used and again after an hour: temporaries that
//! nobody holds, states that belong to nothing, unfinished parts older than a week.
//! A new folder's own name is made durable before anything in it is called landed.
//! It must never remove what a living process holds, nor any name but ferrydeck's own.

use std::collections::HashMap;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use rustix::fs::{
    AtFlags, Dir, FlockOperation, Mode, OFlags, Stat, flock, fstat, openat, statat, unlinkat,
};
use rustix::io::Errno;

use super::Place;
use crate::net::store::RESERVED;

/// Unfinished parts that nobody touched for so long are litter.
const OLD: Duration = Duration::from_hours(7 * 24);
/// A folder is swept at most so often.
const AGAIN: Duration = Duration::from_hours(1);
/// Folders remembered as swept at the most.
const REMEMBERED: usize = 4_096;
/// Folders held open at the most because a name in them is not durable yet.
const UNSETTLED: usize = 64;

/// Common ground of the folders of one tree.
#[derive(Debug, Default)]
pub(in crate::net::store) struct Ground {
    swept: Mutex<HashMap<Place, Instant>>,
    unsettled: Mutex<HashMap<Place, Arc<OwnedFd>>>,
    brink: Mutex<()>,
}

impl Ground {
    /// Held from the look at the room there is until it is taken: else several would
    /// take the same.
    pub(super) fn brink(&self) -> MutexGuard<'_, ()> {
        self.brink.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sweeps a folder, unless that was done within the last hour.
    pub(super) fn tidy(&self, dir: &OwnedFd, place: Place) {
        let now = Instant::now();
        {
            let mut swept = self.swept.lock().unwrap_or_else(PoisonError::into_inner);
            if swept.len() >= REMEMBERED {
                swept.clear();
            }
            let before = swept.insert(place, now);
            if let Some(before) = before.filter(|&before| now - before < AGAIN) {
                swept.insert(place, before);
                return;
            }
        }
        sweep(dir);
    }

    /// Notes that names in a folder have changed and are not durable yet.
    pub(super) fn owe(&self, dir: &Arc<OwnedFd>, place: Place) -> io::Result<()> {
        let full = {
            let mut unsettled = self.unsettled();
            unsettled.insert(place, Arc::clone(dir));
            unsettled.len() >= UNSETTLED
        };
        if full { self.settle() } else { Ok(()) }
    }

    /// Makes every name that is owed durable; nothing is called landed before that.
    pub(super) fn settle(&self) -> io::Result<()> {
        self.settle_by(|owed| {
            for dir in owed {
                rustix::fs::fsync(&**dir)?;
            }
            Ok(())
        })
    }

    /// The same, by another way than one fsync a folder.
    pub(super) fn settle_by(
        &self,
        sync: impl FnOnce(&mut dyn Iterator<Item = &Arc<OwnedFd>>) -> io::Result<()>,
    ) -> io::Result<()> {
        // Held all along: who comes second must not pass before it is done.
        let mut unsettled = self.unsettled();
        sync(&mut unsettled.values())?;
        unsettled.clear();
        Ok(())
    }

    fn unsettled(&self) -> MutexGuard<'_, HashMap<Place, Arc<OwnedFd>>> {
        self.unsettled
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// Removes what no living process holds.
pub(super) fn sweep(dir: &OwnedFd) {
    let Ok(names) = Dir::read_from(dir) else {
        return;
    };
    for entry in names.flatten() {
        let name = entry.file_name();
        let bytes = name.to_bytes();
        if !bytes.starts_with(RESERVED.as_bytes()) {
            continue;
        }
        if bytes.ends_with(b".tmp") {
            // Held until it is gone.
            if let Some(_held) = held(dir, name, OFlags::empty()) {
                let _ = unlinkat(dir, name, AtFlags::empty());
            }
        } else if let Some(stem) = stem(bytes, ".part") {
            if is_old(dir, &stem) {
                remove_unfinished(dir, &stem, OFlags::empty());
            }
        } else if let Some(stem) = stem(bytes, ".state")
            && statat(dir, format!("{stem}.part"), AtFlags::SYMLINK_NOFOLLOW).err()
                == Some(Errno::NOENT)
        {
            // What landed and was killed before it had cleared up. The part is made
            // and held meanwhile, so that nobody begins anew on this state.
            remove_unfinished(dir, &stem, OFlags::CREATE | OFlags::EXCL);
        }
    }
}

/// `.ferrydeck-<16 hex>` of a name with this ending.
fn stem(bytes: &[u8], ending: &str) -> Option<String> {
    let stem = std::str::from_utf8(bytes).ok()?.strip_suffix(ending)?;
    let digits = stem.strip_prefix(RESERVED)?;
    let is_ours = digits.len() == 16 && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_ours.then(|| stem.to_owned())
}

/// Whether a part and its state were both left alone for a week.
fn is_old(dir: &OwnedFd, stem: &str) -> bool {
    let age = |name: String| {
        let stat = statat(dir, name, AtFlags::SYMLINK_NOFOLLOW).ok()?;
        let changed = Duration::from_secs(u64::try_from(stat.st_mtime).ok()?);
        SystemTime::now()
            .duration_since(SystemTime::UNIX_EPOCH + changed)
            .ok()
    };
    let is_old = |age: Duration| age >= OLD;
    age(format!("{stem}.part")).is_some_and(is_old)
        && age(format!("{stem}.state")).is_none_or(is_old)
}

/// Removes a state and its part, if nobody holds the part.
fn remove_unfinished(dir: &OwnedFd, stem: &str, how: OFlags) {
    let part = format!("{stem}.part");
    if let Some(_held) = held(dir, part.as_str(), how) {
        let _ = unlinkat(dir, format!("{stem}.state"), AtFlags::empty());
        let _ = unlinkat(dir, part, AtFlags::empty());
    }
}

/// A file of ours under a lock, if nobody else has it, and only while its name is its own.
fn held(dir: &OwnedFd, name: impl rustix::path::Arg + Copy, how: OFlags) -> Option<OwnedFd> {
    let flags = OFlags::RDWR | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK | how;
    let fd = openat(dir, name, flags, Mode::from_raw_mode(0o666)).ok()?;
    flock(&fd, FlockOperation::NonBlockingLockExclusive).ok()?;
    names(dir, name, &fstat(&fd).ok()?).then_some(fd)
}

/// Whether a name still stands for this very file: it may have landed meanwhile,
/// and another have been begun.
pub(super) fn names(dir: &OwnedFd, name: impl rustix::path::Arg, file: &Stat) -> bool {
    statat(dir, name, AtFlags::SYMLINK_NOFOLLOW)
        .is_ok_and(|stat| (stat.st_dev, stat.st_ino) == (file.st_dev, file.st_ino))
}
