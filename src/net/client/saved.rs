//! The queue between two runs: what was not at its end, in the state folder.
//!
//! One small file for a server and a landing folder, the user's alone, held under a
//! lock while a client uses it and replaced as a whole. Losing it costs some typing:
//! its failures are notes. What is read is bounded and believed in no more than what
//! a person types. It knows items as rows, and how to write them.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{FlockOperation, flock};
use serde::{Deserialize, Serialize};
use tokio::task::{JoinHandle, spawn_blocking};

use super::Queue;
use super::dial::{Failure, Target};
use super::item::Item;
use super::pull::off_the_loop;
use crate::entity::{Direction, JobId, Kind, RemotePath};
use crate::event::{JobState, Restore, Saved, What};
use crate::net::store::landing::{Landing, Missing};

/// Items that are kept.
const MOST: usize = 100_000;
/// Bytes read of the file at the most.
const MAX_FILE: u64 = 64 << 20;

/// Where the queue of a server and a landing folder is kept in a state folder; `None`
/// where the folder cannot be told.
pub fn queue_file(state: &Path, target: &Target, landing: &Path) -> Option<PathBuf> {
    let landing = std::path::absolute(landing).ok()?;
    let landing = landing.canonicalize().unwrap_or(landing);
    let mut hasher = blake3::Hasher::new();
    let place = format!(
        "{}://{}:{}\n",
        target.dialect.label(),
        target.host,
        target.port
    );
    hasher.update(place.as_bytes());
    hasher.update(landing.as_os_str().as_encoded_bytes());
    let name = hasher.finalize().to_hex();
    Some(state.join("queue").join(format!("{}.json", &name[..32])))
}

/// One item as it is kept.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
struct Row {
    /// On the server; only text can be kept.
    path: String,
    /// What is sent; absent for a download.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    local: Option<PathBuf>,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    folder: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    size: Option<u64>,
    #[serde(default, skip_serializing_if = "is_false")]
    dir: bool,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde asks for a reference"
)]
const fn is_false(flag: &bool) -> bool {
    !*flag
}

impl Row {
    fn of(item: &Item) -> Option<Self> {
        if matches!(item.state, JobState::Ended { .. }) {
            return None;
        }
        // A path that is no text cannot be asked for over deck either.
        let local = match &item.local {
            Some(local) => Some(std::path::absolute(local).ok()?),
            None => None,
        };
        if local.as_ref().is_some_and(|local| local.to_str().is_none()) {
            return None;
        }
        Some(Self {
            path: item.path.as_str()?.to_owned(),
            local,
            folder: item.folder.clone(),
            size: item.size,
            dir: item.kind == Kind::Dir,
        })
    }

    fn item(self) -> Item {
        let path = RemotePath::from(self.path.as_str());
        let target = String::from_utf8_lossy(path.file_name()).into_owned();
        let direction = match self.local {
            Some(_) => Direction::Out,
            None => Direction::In,
        };
        let kind = if self.dir { Kind::Dir } else { Kind::File };
        let mut item = Item::new(direction, path, target, kind, self.size);
        item.local = self.local;
        item.folder = self.folder;
        item
    }
}

/// The file of a queue, held.
#[derive(Debug)]
pub(super) struct Keep {
    file: PathBuf,
    /// Held until the end.
    _lock: File,
    /// Of an earlier run, until somebody has said what becomes of it.
    earlier: Vec<Row>,
    changed: Changed,
    writing: Option<JoinHandle<()>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Changed {
    No,
    Yes,
}

impl Keep {
    /// Waits for the last write.
    pub(super) async fn close(mut self) {
        if let Some(writing) = self.writing.take() {
            let _ = writing.await;
        }
    }
}

impl Queue {
    /// Takes the file of this queue, if one is to be kept, and says what is in it.
    pub(super) async fn open_saved(&mut self) {
        let Some(file) = self.dial.means.queue.clone() else {
            return;
        };
        match off_the_loop(move || open(file)).await {
            Ok(Ok(Some(keep))) => {
                if !keep.earlier.is_empty() {
                    let bytes = keep.earlier.iter().filter_map(|row| row.size).sum();
                    let items = keep.earlier.len() as u64;
                    self.hub.tell(What::Saved(Saved { items, bytes }));
                }
                self.keep = Some(keep);
            }
            Ok(Ok(None)) => self.hub.note(
                "queue_in_use",
                "another client holds this queue: what is begun here is not kept",
            ),
            Ok(Err(error)) => self.unkept(&error.to_string()),
            Err(failure) => self.unkept(&failure.detail),
        }
    }

    fn unkept(&self, why: &str) {
        let words = format!("the queue cannot be kept: {why}");
        self.hub.note("queue_not_kept", &words);
    }

    /// Something of the queue is another now.
    pub(super) const fn stir(&mut self) {
        if let Some(keep) = &mut self.keep {
            keep.changed = Changed::Yes;
        }
    }

    /// Writes the queue down, if it has changed and no write is under way.
    pub(super) fn write_down(&mut self) {
        let Some(keep) = &mut self.keep else { return };
        let busy = keep
            .writing
            .as_ref()
            .is_some_and(|task| !task.is_finished());
        if busy && !self.leaving.is_cancelled() || keep.changed == Changed::No {
            return;
        }
        let items = &self.items;
        let now = self.order.iter().filter_map(|job| Row::of(items.get(job)?));
        let rows: Vec<Row> = keep.earlier.iter().cloned().chain(now).take(MOST).collect();
        keep.changed = Changed::No;
        let (file, hub) = (keep.file.clone(), Arc::clone(&self.hub));
        let before = keep.writing.take();
        keep.writing = Some(tokio::spawn(async move {
            if let Some(before) = before {
                let _ = before.await;
            }
            let written = spawn_blocking(move || write(&file, &rows)).await;
            if let Ok(Err(error)) = written {
                hub.note(
                    "queue_not_kept",
                    &format!("the queue cannot be kept: {error}"),
                );
            }
        }));
    }

    /// Does with the earlier queue what was told.
    pub(super) fn restore(&mut self, restore: Restore) {
        let Some(keep) = &mut self.keep else { return };
        let rows = std::mem::take(&mut keep.earlier);
        keep.changed = Changed::Yes;
        match restore {
            Restore::TakeUp => {
                for row in rows {
                    let _: JobId = self.put(row.item());
                }
            }
            Restore::Forget => {
                let Some(landing) = self.dial.landing.clone() else {
                    return;
                };
                self.tracker.spawn(async move {
                    let _: Result<(), Failure> = off_the_loop(move || forget(&landing, rows)).await;
                });
            }
        }
    }
}

/// Removes what an earlier run has left of downloads.
fn forget(landing: &Landing, rows: Vec<Row>) {
    for row in rows
        .into_iter()
        .filter(|row| row.local.is_none() && !row.dir)
    {
        let item = row.item();
        if let Ok(folder) = landing.folder(&item.folder, Missing::Refuse) {
            folder.forget(&item.target);
        }
    }
}

/// Locks the file's neighbour and reads what is kept; `None` while another holds it.
fn open(file: PathBuf) -> io::Result<Option<Keep>> {
    let parent = file.parent().unwrap_or(Path::new("."));
    // Whoever may write here names files of this machine that are sent.
    crate::net::keep::folder(parent).map_err(io::Error::other)?;
    let lock = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(file.with_extension("lock"))?;
    if flock(&lock, FlockOperation::NonBlockingLockExclusive).is_err() {
        return Ok(None);
    }
    Ok(Some(Keep {
        earlier: read(&file),
        file,
        _lock: lock,
        changed: Changed::No,
        writing: None,
    }))
}

/// What is kept; what cannot be read is nothing.
fn read(file: &Path) -> Vec<Row> {
    let mut text = Vec::new();
    let Ok(file) = File::open(file) else {
        return Vec::new();
    };
    if file.take(MAX_FILE).read_to_end(&mut text).is_err() {
        return Vec::new();
    }
    let mut rows: Vec<Row> = serde_json::from_slice(&text).unwrap_or_default();
    rows.truncate(MOST);
    rows
}

/// Replaces the file as a whole; an empty queue has none.
fn write(file: &Path, rows: &[Row]) -> io::Result<()> {
    if rows.is_empty() {
        return match std::fs::remove_file(file) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            done => done,
        };
    }
    let fresh = file.with_extension("new");
    let mut out = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&fresh)?;
    out.write_all(&serde_json::to_vec(rows)?)?;
    out.sync_all()?;
    std::fs::rename(&fresh, file)
}

#[cfg(test)]
#[path = "saved_tests.rs"]
mod tests;
