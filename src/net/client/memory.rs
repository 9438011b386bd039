//! Names that worked at a server that cannot list, kept in the state folder.
//!
//! One small file a server, one name a line, the newest first. Losing it costs
//! some typing, so its failures are silent; a damaged line is skipped.

use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use super::dial::Target;
use crate::entity::{Entry, Kind, RemotePath};

/// Names kept for one server.
const MOST: usize = 200;
/// Bytes read of one server's file at the most.
const MAX_FILE: u64 = 1 << 20;

/// The names of one server.
#[derive(Debug)]
pub struct Memory {
    /// `None`: nothing is kept beyond the session.
    file: Option<PathBuf>,
    names: Vec<Entry>,
}

impl Memory {
    /// What is known of a server. Reads a small file; call it off the loop.
    pub fn open(state: Option<PathBuf>, target: &Target) -> Self {
        let file = state.map(|state| state.join("names").join(file_name(target)));
        let names = file.as_deref().map(read).unwrap_or_default();
        Self { file, names }
    }

    pub(super) fn entries(&self) -> Vec<Entry> {
        self.names.clone()
    }

    pub(super) fn learn(&mut self, path: &RemotePath, size: u64) {
        let Some(name) = path.as_str().filter(|name| is_plain(name)) else {
            return;
        };
        self.names.retain(|known| &*known.name != name);
        self.names
            .insert(0, entry(name, size, jiff::Timestamp::now().as_second()));
        self.names.truncate(MOST);
        if let Some(file) = self.file.clone() {
            let names = self.names.clone();
            // A few hundred bytes; a slow disk must still not hold up the queue.
            tokio::task::spawn_blocking(move || write(&file, &names));
        }
    }
}

fn entry(name: &str, size: u64, mtime: i64) -> Entry {
    Entry {
        name: name.into(),
        kind: Kind::File,
        size,
        mtime,
    }
}

fn is_plain(name: &str) -> bool {
    !name.is_empty() && !name.chars().any(char::is_control)
}

fn file_name(target: &Target) -> String {
    let clean: String = target
        .host
        .chars()
        .map(|ch| match ch {
            'a'..='z' | 'A'..='Z' | '0'..='9' | '.' | '-' => ch,
            _ => '_',
        })
        .take(200)
        .collect();
    format!("{}_{clean}_{}", target.dialect.label(), target.port)
}

fn read(file: &Path) -> Vec<Entry> {
    let small = std::fs::metadata(file).is_ok_and(|meta| meta.len() <= MAX_FILE);
    let text = if small {
        std::fs::read_to_string(file).unwrap_or_default()
    } else {
        String::new()
    };
    text.lines()
        .filter_map(|line| {
            let mut fields = line.splitn(3, '\t');
            let (size, mtime, name) = (fields.next()?, fields.next()?, fields.next()?);
            let name = Some(name).filter(|name| is_plain(name))?;
            Some(entry(name, size.parse().ok()?, mtime.parse().ok()?))
        })
        .take(MOST)
        .collect()
}

/// One write at a time in this process; the newest names win.
static WRITING: Mutex<()> = Mutex::new(());

/// Writes a sibling and renames it: a reader sees the old names or the new ones.
/// Folder and file are the user's alone.
fn write(file: &Path, names: &[Entry]) -> Option<()> {
    let _one = WRITING.lock().unwrap_or_else(PoisonError::into_inner);
    let mut folder = std::fs::DirBuilder::new();
    folder
        .recursive(true)
        .mode(0o700)
        .create(file.parent()?)
        .ok()?;
    let fresh = file.with_extension(format!("{}.new", std::process::id()));
    let mut out = std::fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&fresh)
        .ok()?;
    for name in names {
        writeln!(out, "{}\t{}\t{}", name.size, name.mtime, name.name).ok()?;
    }
    std::fs::rename(&fresh, file).ok()
}
