//! `ls` without a screen: one folder or one file, as columns or as JSON lines.
//!
//! Asks for the folder, waits for the last page, asks for hashes if they are wanted,
//! sorts and prints. It knows the
//! feed, the commands and what an entry is; how an errand ends is the errand's
//! (`super`). It opens no socket, and nothing of the queue may come here.

use std::collections::HashMap;
use std::io::{self, Write};

use serde::Serialize;

use super::{Done, say, unheard};
use crate::entity::{DisplayName, Entry, Kind, RemotePath, Root};
use crate::event::{Command, ListingState, What};
use crate::line::{self, size_words};
use crate::net::Handle;

/// Hashes asked for before the first was told.
const HASHES: usize = 1_024;

/// How `ls` talks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Listing {
    /// Columns.
    Text,
    /// One JSON object an entry.
    Json,
}

#[derive(Serialize)]
struct Row<'e> {
    name: &'e str,
    kind: &'static str,
    size: u64,
    mtime: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    hash: Option<String>,
}

/// What is told of each file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shown {
    /// Size and time.
    Usual,
    /// The hash too.
    Hashes,
}

/// Lists one folder, or one file.
pub async fn ls(
    handle: &mut Handle,
    path: RemotePath,
    how: Listing,
    shown: Shown,
    out: &mut (dyn Write + Send),
    err: &mut (dyn Write + Send),
) -> Done {
    let sought = path.shown();
    let _ = handle.commands.send(Command::Open(path.clone()));
    let mut entries: Vec<Entry> = Vec::new();
    let mut unlisted = 0;
    // Where the entries are: of a file's own path, in the folder it is in.
    let mut place = path.clone();
    let why = loop {
        let Some(event) = handle.feed.next().await else {
            break Some(DisplayName::from("the client ended"));
        };
        match event.what {
            What::Listing(listing) => {
                entries.extend_from_slice(&listing.entries);
                unlisted += listing.unlisted;
                place = listing.path;
                match listing.state {
                    ListingState::More => {}
                    ListingState::Whole => break None,
                    ListingState::Failed(why) => break Some(why),
                }
            }
            What::Reset(_) => break Some(DisplayName::from("a part of the listing was lost")),
            _ => {}
        }
    };
    if let Some(why) = why {
        let words = match sought.as_str() {
            "" | "/" => format!("ferrydeck: {why}"),
            _ => format!("ferrydeck: {sought}: {why}"),
        };
        let _ = say(err, &words);
        return Done::Badly;
    }
    if unlisted > 0 {
        let words = format!("ferrydeck: {unlisted} names that are no plain text are not listed");
        let _ = say(err, &words);
    }
    entries.sort_by(|a, b| (a.kind, &a.name).cmp(&(b.kind, &b.name)));
    let hashes = match shown {
        Shown::Usual => Some(Hashes::new()),
        Shown::Hashes => hash(handle, &place, &entries, err).await,
    };
    let Some(hashes) = hashes else {
        return Done::Badly;
    };
    match print(&entries, &hashes, how, out) {
        Ok(()) if hashes.values().any(Option::is_none) => Done::Badly,
        Ok(()) => Done::Well,
        Err(error) => unheard(&error, err),
    }
}

/// The hash of each file by its name; `None` where there is none.
type Hashes = HashMap<Box<str>, Option<Root>>;

/// Asks for every file's hash; each that cannot be told is one line.
async fn hash(
    handle: &mut Handle,
    folder: &RemotePath,
    entries: &[Entry],
    err: &mut (dyn Write + Send),
) -> Option<Hashes> {
    let files = || entries.iter().filter(|entry| entry.kind == Kind::File);
    let mut names: HashMap<RemotePath, &Entry> = files()
        .map(|entry| (folder.join(&entry.name), entry))
        .collect();
    let mut hashes = Hashes::new();
    let mut ahead = files();
    let ask = |entry: &Entry| {
        let _ = handle
            .commands
            .send(Command::Hash(folder.join(&entry.name)));
    };
    // Never more on their way than a reader may fall behind.
    ahead.by_ref().take(HASHES).for_each(ask);
    while !names.is_empty() {
        let Some(event) = handle.feed.next().await else {
            let _ = say(err, "ferrydeck: the client ended");
            return None;
        };
        let What::Hashed(answer) = event.what else {
            continue;
        };
        let Some(entry) = names.remove(&answer.path) else {
            continue;
        };
        ahead.next().into_iter().for_each(ask);
        if let Err(why) = &answer.root {
            let _ = say(err, &format!("ferrydeck: {}: {why}", entry.shown()));
        }
        hashes.insert(entry.name.clone(), answer.root.ok());
    }
    Some(hashes)
}

fn print(
    entries: &[Entry],
    hashes: &Hashes,
    how: Listing,
    out: &mut (dyn Write + Send),
) -> io::Result<()> {
    let mut out = io::BufWriter::new(out);
    for entry in entries {
        let time = jiff::Timestamp::from_second(entry.mtime).ok();
        let hash = hashes.get(&entry.name).copied().flatten();
        match how {
            Listing::Json => {
                let row = Row {
                    name: &entry.name,
                    kind: entry.kind.label(),
                    size: entry.size,
                    mtime: time.map(|time| time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()),
                    hash: hash.map(|hash| hash.to_string()),
                };
                writeln!(out, "{}", line::plain_json(&serde_json::to_string(&row)?))?;
            }
            Listing::Text => {
                let time = time.map_or(String::new(), |time| {
                    let local = time.to_zoned(jiff::tz::TimeZone::system());
                    local.strftime("%Y-%m-%d %H:%M").to_string()
                });
                let (size, tail) = match entry.kind {
                    Kind::File => (size_words(entry.size), ""),
                    Kind::Dir => ("-".to_owned(), "/"),
                };
                let hash = match hash {
                    Some(hash) => format!("{hash}  "),
                    // The names stay below each other.
                    None if !hashes.is_empty() => format!("{:64}  ", "-"),
                    None => String::new(),
                };
                writeln!(out, "{size:>12}  {time:16}  {hash}{}{tail}", entry.shown())?;
            }
        }
    }
    out.flush()
}
