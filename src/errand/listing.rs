//! `ls` without a screen: one folder, as columns or as JSON lines.
//!
//! Asks for the folder, waits for the last page, sorts and prints. It knows the
//! feed, the commands and what an entry is; how an errand ends is the errand's
//! (`super`). It opens no socket, and nothing of the queue may come here.

use std::io::{self, Write};

use serde::Serialize;

use super::{Done, say, unheard};
use crate::entity::{DisplayName, Entry, Kind, RemotePath};
use crate::event::{Command, ListingState, What};
use crate::line::{self, size_words};
use crate::net::Handle;

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
}

/// Lists one folder.
pub async fn ls(
    handle: &mut Handle,
    path: RemotePath,
    how: Listing,
    out: &mut (dyn Write + Send),
    err: &mut (dyn Write + Send),
) -> Done {
    let shown = path.shown();
    let _ = handle.commands.send(Command::Open(path));
    let mut entries: Vec<Entry> = Vec::new();
    let mut unlisted = 0;
    let why = loop {
        let Some(event) = handle.feed.next().await else {
            break Some(DisplayName::from("the client ended"));
        };
        match event.what {
            What::Listing(listing) => {
                entries.extend_from_slice(&listing.entries);
                unlisted += listing.unlisted;
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
        let _ = say(err, &format!("ferrydeck: /{shown}: {why}"));
        return Done::Badly;
    }
    if unlisted > 0 {
        let words = format!("ferrydeck: {unlisted} names that are no plain text are not listed");
        let _ = say(err, &words);
    }
    entries.sort_by(|a, b| (a.kind, &a.name).cmp(&(b.kind, &b.name)));
    match print(&entries, how, out) {
        Ok(()) => Done::Well,
        Err(error) => unheard(&error, err),
    }
}

fn print(entries: &[Entry], how: Listing, out: &mut (dyn Write + Send)) -> io::Result<()> {
    let mut out = io::BufWriter::new(out);
    for entry in entries {
        let time = jiff::Timestamp::from_second(entry.mtime).ok();
        match how {
            Listing::Json => {
                let row = Row {
                    name: &entry.name,
                    kind: entry.kind.label(),
                    size: entry.size,
                    mtime: time.map(|time| time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()),
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
                writeln!(out, "{size:>12}  {time:16}  {}{tail}", entry.shown())?;
            }
        }
    }
    out.flush()
}
