//! What a person has done on the server beside the queue: folders, deletions, hashes.
//!
//! Each is a few questions over a kept line and an answer that is told as an event.
//! To delete a folder is to walk it: files first, folders from the bottom up, each
//! counted. It knows lines, walks and events; the queue it must never know.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::sync::mpsc::UnboundedReceiver;

use super::dial::{Failure, Patience, Target};
use super::limit::Limit;
use super::pool::{Manner, Pool};
use super::pull::off_the_loop;
use super::tap::Tap;
use super::trip::stat;
use super::walk::Tour;
use crate::entity::{DisplayName, Entry, Kind, RemotePath, Root};
use crate::event::{Counted, Doomed, Hashed, ListingState, Local, What};
use crate::meter::Walk;
use crate::net::hub::Hub;
use crate::net::store::{Dotfiles, Store};
use crate::net::wire::codec::{Answer, Detail, Refusal, Request};

/// Questions asked before the first is answered.
const AHEAD: usize = 64;
/// Names told of a local folder in one go.
const PAGE: usize = 1_000;
/// Names told of a local folder at the most.
const NAMES: usize = 1_000_000;

/// What was deleted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Deleted {
    /// Files.
    pub files: u64,
    /// Folders.
    pub folders: u64,
}

impl Deleted {
    /// The sentence: `3 files and 1 folder`.
    pub fn words(&self) -> String {
        let count = |number: u64, noun: &str| match number {
            1 => format!("1 {noun}"),
            more => format!("{more} {noun}s"),
        };
        match (self.files, self.folders) {
            (files, 0) => count(files, "file"),
            (0, folders) => count(folders, "folder"),
            (files, folders) => {
                format!("{} and {}", count(files, "file"), count(folders, "folder"))
            }
        }
    }
}

/// Makes a folder, over a connection of its own.
pub async fn make_folder(
    target: &Target,
    patience: Patience,
    name: &str,
    path: &RemotePath,
) -> Result<(), Failure> {
    make(&pool(target, patience, name), path).await
}

/// Makes a folder and those it lies in, as far as they are missing.
pub async fn make_way(
    target: &Target,
    patience: Patience,
    name: &str,
    path: &RemotePath,
) -> Result<(), Failure> {
    let pool = pool(target, patience, name);
    let mut missing = Vec::new();
    let mut at = path.clone();
    while !at.is_root() && stat(&pool, &at).await.is_err() {
        missing.push(at.clone());
        at = at.parent();
    }
    for folder in missing.iter().rev() {
        match make(&pool, folder).await {
            // Somebody else was faster.
            Err(failure) if failure.cause == Refusal::Exists.label() => {}
            done => done?,
        }
    }
    Ok(())
}

/// Deletes one thing, over a connection of its own; `Recursion::Whole` takes folders
/// with all that is in them.
pub async fn remove(
    target: &Target,
    patience: Patience,
    name: &str,
    path: &RemotePath,
    recursion: Recursion,
) -> Result<Deleted, Failure> {
    let pool = pool(target, patience, name);
    let kind = stat(&pool, path).await?.kind;
    let doomed = Doomed {
        path: path.clone(),
        kind,
    };
    let mut deleted = Deleted::default();
    if (kind, recursion) == (Kind::Dir, Recursion::None) {
        ask(&pool, &Request::Delete { path: doomed.path }).await?;
        deleted.folders = 1;
    } else {
        delete(&pool, vec![doomed], &mut deleted).await?;
    }
    Ok(deleted)
}

/// How far a deletion goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recursion {
    /// A file or an empty folder.
    None,
    /// A folder with all that is in it.
    Whole,
}

/// Whether a path is a folder there; what cannot be told is none.
pub async fn is_folder(target: &Target, patience: Patience, name: &str, path: &RemotePath) -> bool {
    let found = stat(&pool(target, patience, name), path).await;
    found.is_ok_and(|entry| entry.kind == Kind::Dir)
}

fn pool(target: &Target, patience: Patience, name: &str) -> Arc<Pool> {
    Arc::new(Pool::new(
        target.clone(),
        patience,
        name.into(),
        Manner::Brief,
        0,
        Arc::new(Limit::new(None)),
    ))
}

/// Asks what is answered with `Done`.
async fn ask(pool: &Pool, request: &Request) -> Result<(), Failure> {
    let mut tap = pool.line().await?;
    let answer = tap.ask_for(request).await;
    pool.keep(tap);
    match answer? {
        Answer::Done | Answer::Renamed => Ok(()),
        _ => Err(Failure::unexpected()),
    }
}

async fn make(pool: &Pool, path: &RemotePath) -> Result<(), Failure> {
    ask(pool, &Request::MakeFolder { path: path.clone() }).await
}

/// Makes a folder; the answer is a note.
pub(super) async fn tell_made(pool: Arc<Pool>, hub: Arc<Hub>, path: RemotePath) {
    let shown = path.shown();
    match make(&pool, &path).await {
        Ok(()) => hub.note("made", &format!("{shown} is there")),
        Err(failure) => {
            let words = format!("{shown} was not made: {}", failure.detail);
            hub.note("not_made", &words);
        }
    }
}

/// Renames; the answer is a note.
pub(super) async fn tell_renamed(pool: Arc<Pool>, hub: Arc<Hub>, from: RemotePath, to: RemotePath) {
    let (old, new) = (from.shown(), to.shown());
    match ask(&pool, &Request::Rename { from, to }).await {
        Ok(()) => hub.note("renamed", &format!("{old} is now {new}")),
        Err(failure) => {
            let words = format!("{old} was not renamed: {}", failure.detail);
            hub.note("not_renamed", &words);
        }
    }
}

/// Deletes; the answer is a note.
pub(super) async fn tell_deleted(pool: Arc<Pool>, hub: Arc<Hub>, doomed: Vec<Doomed>) {
    let mut deleted = Deleted::default();
    match delete(&pool, doomed, &mut deleted).await {
        Ok(()) => hub.note("deleted", &format!("deleted {}", deleted.words())),
        Err(failure) => {
            let mut words = format!("not deleted: {}", failure.detail);
            if deleted != Deleted::default() {
                words = format!("{words}; {} are gone", deleted.words());
            }
            hub.note("not_deleted", &words);
        }
    }
}

/// What a walk over a choice found.
#[derive(Default)]
struct Choice {
    files: Vec<RemotePath>,
    /// Each behind the one it lies in.
    folders: Vec<RemotePath>,
}

/// Walks a choice; the first folder that cannot be read ends it.
async fn survey(pool: &Arc<Pool>, what: Vec<Doomed>, counts: &Walk) -> Result<Choice, Failure> {
    let mut choice = Choice::default();
    for Doomed { path, kind } in what {
        if kind == Kind::File {
            let size = stat(pool, &path).await?.size;
            counts.add_file(size);
            choice.files.push(path);
            continue;
        }
        choice.folders.push(path.clone());
        let mut tour = Tour::new(Arc::clone(pool), path);
        while let Some((place, listed)) = tour.next(&|_| {}).await {
            for entry in listed? {
                let path = place.path.join(&entry.name);
                match entry.kind {
                    Kind::File => {
                        counts.add_file(entry.size);
                        choice.files.push(path);
                    }
                    Kind::Dir => {
                        counts.add_folder();
                        choice.folders.push(path);
                        tour.enter(&place, &entry.name)?;
                    }
                }
            }
        }
    }
    Ok(choice)
}

async fn delete(
    pool: &Arc<Pool>,
    doomed: Vec<Doomed>,
    deleted: &mut Deleted,
) -> Result<(), Failure> {
    let choice = survey(pool, doomed, &Walk::default()).await?;
    let mut tap = pool.line().await?;
    strike(&mut tap, &choice.files, &mut deleted.files).await?;
    let bottom_up: Vec<RemotePath> = choice.folders.into_iter().rev().collect();
    strike(&mut tap, &bottom_up, &mut deleted.folders).await?;
    pool.keep(tap);
    Ok(())
}

/// Deletes one after the other, asked for ahead of the answers. What is refused does
/// not stop the others; the first refusal is the answer.
async fn strike(tap: &mut Tap, paths: &[RemotePath], count: &mut u64) -> Result<(), Failure> {
    let mut refused = None;
    for some in paths.chunks(AHEAD) {
        let mut out = Vec::new();
        for path in some {
            tap.put(&Request::Delete { path: path.clone() }, &mut out)?;
        }
        tap.line.send(&out).await?;
        for path in some {
            let answer = tap.hear().await?;
            tap.close();
            match answer {
                Answer::Done => *count += 1,
                Answer::Refused { refusal } => {
                    refused.get_or_insert_with(|| {
                        let words = match paths {
                            // The only one has been named already.
                            [_] => refusal.words().to_owned(),
                            _ => format!("{}: {}", path.shown(), refusal.words()),
                        };
                        Failure::new(refusal.label(), words)
                    });
                }
                _ => return Err(Failure::unexpected()),
            }
        }
    }
    refused.map_or(Ok(()), Err)
}

/// Counts what a choice holds, for a question.
pub(super) async fn count(pool: Arc<Pool>, hub: Arc<Hub>, request: u64, what: Vec<Doomed>) {
    let walk = Arc::new(Walk::default());
    let tell = |state| {
        hub.tell(What::Counted(Counted {
            request,
            walk: Arc::clone(&walk),
            state,
        }));
    };
    tell(ListingState::More);
    tell(match survey(&pool, what, &walk).await {
        Ok(_) => ListingState::Whole,
        Err(failure) => ListingState::Failed(DisplayName::from(failure.detail.as_str())),
    });
}

/// Tells hashes, as they are asked for, many questions ahead of their answers.
pub(super) async fn hashes(
    pool: Arc<Pool>,
    hub: Arc<Hub>,
    mut asked: UnboundedReceiver<RemotePath>,
) {
    let mut some = Vec::new();
    while asked.recv_many(&mut some, AHEAD).await > 0 {
        let paths = std::mem::take(&mut some);
        let mut told = 0;
        let done = hash_some(&pool, &paths, &mut told, &hub).await;
        if let Err(failure) = done {
            for path in paths.into_iter().skip(told) {
                let root = Err(DisplayName::from(failure.detail.as_str()));
                hub.tell(What::Hashed(Hashed { path, root }));
            }
        }
    }
}

async fn hash_some(
    pool: &Pool,
    paths: &[RemotePath],
    told: &mut usize,
    hub: &Hub,
) -> Result<(), Failure> {
    let mut tap = pool.line().await?;
    let mut out = Vec::new();
    for path in paths {
        let request = Request::Tree {
            path: path.clone(),
            version: None,
            detail: Detail::Root,
        };
        tap.put(&request, &mut out)?;
    }
    tap.line.send(&out).await?;
    for path in paths {
        let answer = tap.hear().await?;
        tap.close();
        let root: Result<Root, DisplayName> = match answer {
            Answer::Values(values) => values
                .root
                .ok_or_else(|| DisplayName::from("the server told no hash")),
            Answer::Refused { refusal } => Err(DisplayName::from(refusal.words())),
            _ => return Err(Failure::unexpected()),
        };
        *told += 1;
        let path = path.clone();
        hub.tell(What::Hashed(Hashed { path, root }));
    }
    pool.keep(tap);
    Ok(())
}

/// Reads a folder of this machine.
pub(super) async fn look_local(hub: Arc<Hub>, path: PathBuf) {
    let whole = std::path::absolute(&path).unwrap_or(path);
    let folder = whole.clone();
    let read = off_the_loop(move || read_folder(&folder)).await;
    let (entries, unlisted, state) = match read {
        Ok(Ok((entries, unlisted))) => (entries, unlisted, ListingState::Whole),
        Ok(Err(why)) => (
            Vec::new(),
            0,
            ListingState::Failed(DisplayName::from(why.as_str())),
        ),
        Err(failure) => {
            let why = DisplayName::from(failure.detail.as_str());
            (Vec::new(), 0, ListingState::Failed(why))
        }
    };
    hub.tell(What::Local(Local {
        path: whole,
        entries: entries.into(),
        unlisted,
        state,
    }));
}

fn read_folder(folder: &Path) -> Result<(Vec<Entry>, u64), String> {
    let store = Store::open(folder, Dotfiles::Hidden).map_err(|error| error.to_string())?;
    let opened = Arc::new(store).list(&RemotePath::root());
    let mut lister = opened.map_err(|denied| denied.detail)?;
    let (mut entries, mut unlisted) = (Vec::new(), 0);
    loop {
        let page = lister
            .page(PAGE, usize::MAX)
            .map_err(|denied| denied.detail)?;
        entries.extend(page.entries);
        unlisted += page.unlisted;
        if !page.more || entries.len() >= NAMES {
            return Ok((entries, unlisted));
        }
    }
}
