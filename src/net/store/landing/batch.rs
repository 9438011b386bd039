//! Small files on their way in, durable together.
//!
//! Each is written whole to a temporary of its own; one sync of the filesystem makes
//! all of them durable, then each gets its name, then each folder that was touched is
//! synced once. It must never know who sends, and it never waits for a peer: content
//! is here as a whole when it is added.

use std::collections::HashMap;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileExt as _;
use std::sync::Arc;

use super::{Landing, Part, Place, Unlanded, room};
use crate::event::Clash;

/// So few files are synced one by one: a sync of the filesystem also waits for whatever
/// else is being written to it.
const FEW: usize = 4;
/// A file takes whole pages of a disk.
const PAGE: u64 = 4_096;
/// Free space is looked at again when so much has been written on the strength of one look,
const LOOK: u64 = 16 << 20;
/// or such a part of what was free above the floor: as many batches may go by their own look.
const SHARE: u64 = 512;

/// Small files into one folder, or into several of one tree. Dropped without `commit`,
/// it leaves nothing behind. Each file holds a descriptor: hundreds, not tens of thousands.
#[derive(Debug)]
pub struct Batch {
    home: Arc<Landing>,
    folders: Vec<Arc<Landing>>,
    known: HashMap<Place, usize>,
    /// Bytes that may still be written before the floor is looked at again, by device.
    room: HashMap<u64, u64>,
    items: Vec<Item>,
}

#[derive(Debug)]
struct Item {
    part: Part,
    folder: usize,
    name: String,
    clash: Option<Clash>,
}

impl Batch {
    pub(super) fn new(home: Arc<Landing>) -> Self {
        Self {
            home,
            folders: Vec::new(),
            known: HashMap::new(),
            room: HashMap::new(),
            items: Vec::new(),
        }
    }

    /// Files added so far.
    pub const fn len(&self) -> usize {
        self.items.len()
    }

    /// Whether there is none.
    pub const fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// Writes a file to a temporary in the batch's own folder.
    ///
    /// # Errors
    /// The name must not be written, or the disk has no room: then the file is not in
    /// the batch, and the others still are.
    pub fn add(
        &mut self,
        name: &str,
        content: &[u8],
        mtime: Option<i64>,
        clash: Option<Clash>,
    ) -> Result<(), Unlanded> {
        self.add_in(&Arc::clone(&self.home), name, content, mtime, clash)
    }

    /// As [`Self::add`], in another folder: one below the batch's own, or beside it.
    pub fn add_in(
        &mut self,
        folder: &Arc<Landing>,
        name: &str,
        content: &[u8],
        mtime: Option<i64>,
        clash: Option<Clash>,
    ) -> Result<(), Unlanded> {
        if let Some(why) = folder.refuses(name) {
            return Err(Unlanded::Name(why));
        }
        let part = folder.temporary(None)?;
        self.write(folder, &part, content)?;
        if let Some(mtime) = mtime {
            part.date(mtime);
        }
        let folders = &mut self.folders;
        let folder = *self.known.entry(folder.place).or_insert_with(|| {
            folders.push(Arc::clone(folder));
            folders.len() - 1
        });
        self.items.push(Item {
            part,
            folder,
            name: name.to_owned(),
            clash,
        });
        Ok(())
    }

    /// Writes the content, if the floor is kept.
    fn write(&mut self, folder: &Landing, part: &Part, content: &[u8]) -> Result<(), Unlanded> {
        let bytes = (content.len() as u64).next_multiple_of(PAGE).max(PAGE);
        let (device, _) = folder.place;
        let left = self.room.get(&device).copied().unwrap_or(0);
        if let Some(left) = left.checked_sub(bytes) {
            self.room.insert(device, left);
            return Ok(part.file().write_all_at(content, 0)?);
        }
        let _brink = folder.ground.brink();
        let left = room(&folder.dir, folder.floor, bytes)?;
        self.room.insert(device, (left / SHARE).min(LOOK));
        Ok(part.file().write_all_at(content, 0)?)
    }

    /// Makes all of it durable and gives each file its name; one result for each file
    /// that was added, in that order, with the name it got.
    pub fn commit(mut self) -> Vec<Result<String, Unlanded>> {
        if let Err(error) = self.sync() {
            return self
                .items
                .iter()
                .map(|_| Err(again(&error).into()))
                .collect();
        }
        let mut landed: Vec<_> = self
            .items
            .iter_mut()
            .map(|item| {
                let folder = &self.folders[item.folder];
                item.part.christen(folder, &item.name, item.clash)
            })
            .collect();
        let synced: Vec<_> = self
            .folders
            .iter()
            .map(|folder| rustix::fs::fsync(&*folder.dir).err())
            .collect();
        for (result, item) in landed.iter_mut().zip(&self.items) {
            if let (Ok(_), Some(errno)) = (&*result, synced[item.folder]) {
                *result = Err(errno.into());
            }
        }
        landed
    }

    /// Makes the content durable, and the names of new folders on the way to it.
    fn sync(&self) -> io::Result<()> {
        let all = cfg!(target_os = "linux") && self.items.len() > FEW;
        if all {
            self.sync_disks()
        } else {
            for item in &self.items {
                item.part.file().sync_all()?;
            }
            self.folders
                .iter()
                .try_for_each(|folder| folder.ground.settle())
        }
    }

    #[cfg(target_os = "linux")]
    fn sync_disks(&self) -> io::Result<()> {
        let sync = |dir: &OwnedFd| rustix::fs::syncfs(dir);
        let mut disks = HashMap::new();
        for folder in &self.folders {
            disks.entry(folder.place.0).or_insert(folder);
        }
        self.home
            .ground
            .settle_by(|_| disks.values().try_for_each(|folder| Ok(sync(&folder.dir)?)))?;
        // A folder from elsewhere settles on ground of its own.
        let elsewhere = |folder: &&Arc<Landing>| !Arc::ptr_eq(&folder.ground, &self.home.ground);
        let mut others = self.folders.iter().filter(elsewhere);
        others.try_for_each(|folder| folder.ground.settle())
    }

    #[cfg(not(target_os = "linux"))]
    fn sync_disks(&self) -> io::Result<()> {
        self.home.ground.settle()
    }
}

fn again(error: &io::Error) -> io::Error {
    error
        .raw_os_error()
        .map_or_else(|| error.kind().into(), io::Error::from_raw_os_error)
}

#[cfg(test)]
#[path = "batch_tests.rs"]
mod tests;
