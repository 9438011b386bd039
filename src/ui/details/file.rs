//! All that is known about an entry of the remote folder, as lines for a popup.
//!
//! The hash stands in two lines of 32 digits, once the server has told it for
//! this very question. Reads the model; asks nothing.

use crate::entity::{Entry, Kind, RemotePath};
use crate::model::Model;

use super::super::format;
use super::super::header::spinner;
use super::super::screen::Screen;
use super::{Detail, bytes, wrapped};

/// All about an entry of the remote folder, and its hash once that was asked for.
pub(in super::super) fn file(
    (entry, path): (&Entry, &RemotePath),
    asked: Option<u64>,
    model: &Model,
    screen: &Screen,
    room: u16,
) -> Vec<Detail> {
    let theme = screen.theme;
    let text = theme.text();
    let mut out = Vec::new();
    let shown = format!("/{}", path.shown());
    wrapped(&mut out, "path", &shown, room, theme.strong());
    if entry.kind == Kind::Dir {
        out.push(("kind", "folder".to_owned(), text));
    } else {
        out.push(("size", bytes(entry.size), text));
    }
    let time = format::file_time(entry.mtime, &screen.tz);
    out.push(("modified", time.trim().to_owned(), text));
    let remote = &model.remote;
    let told = remote
        .hashed
        .as_ref()
        .filter(|hashed| asked.is_some_and(|asked| remote.hashes > asked) && hashed.path == *path);
    match (asked, told) {
        (None, _) => {}
        (Some(_), None) => {
            let words = format!("{} the server is asked", spinner(model));
            out.push(("BLAKE3", words, theme.warn()));
        }
        (Some(_), Some(hashed)) => match &hashed.root {
            Ok(hash) => {
                let digits = hash.to_string();
                let (first, second) = digits.split_at(32);
                out.push(("BLAKE3", first.to_owned(), theme.strong()));
                out.push(("", second.to_owned(), theme.strong()));
            }
            Err(why) => wrapped(&mut out, "BLAKE3", &format!("✗ {why}"), room, theme.bad()),
        },
    }
    out
}
