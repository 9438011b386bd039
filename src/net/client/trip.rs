//! Whole folders, either way: walked, made on the other side, their files queued.
//!
//! The files join the queue as they are found and end each for itself; a name that
//! must not be written fails alone. It knows walks, the landing and the server's
//! folders. It moves no payload, and the queue's order it must never know.

use std::path::PathBuf;
use std::sync::Arc;

use tokio::sync::mpsc;
use tokio::task::spawn_blocking;
use tokio_util::sync::CancellationToken;

use super::Teller;
use super::dial::Failure;
use super::fetch::{Finish, unlanded};
use super::pool::Pool;
use super::pull::off_the_loop;
use super::walk::{Place, Tour, below};
use crate::entity::{DisplayName, Entry, Kind, RemotePath};
use crate::meter::Walk;
use crate::net::hub::Hub;
use crate::net::store::Dotfiles;
use crate::net::store::landing::{Landing, Missing};
use crate::net::store::walk::{LocalEntry, Walking, walk};
use crate::net::wire::codec::{Answer, Refusal, Request};

/// Local names gathered before the server is asked for their folders.
const CHUNK: usize = 256;

/// What a walk has found: an item for the queue.
#[derive(Debug)]
pub(super) struct Found {
    /// What is sent; nothing for a download.
    pub(super) local: Option<PathBuf>,
    pub(super) path: RemotePath,
    /// The local folder a download goes into, below the landing.
    pub(super) folder: String,
    pub(super) size: Option<u64>,
    pub(super) kind: Kind,
    /// Why it is at its end already, if it is.
    pub(super) failure: Option<Failure>,
}

/// A remote folder to be fetched.
#[derive(Debug)]
pub(super) struct Inward {
    pub(super) path: RemotePath,
    /// The local folder it goes into, below the landing.
    pub(super) folder: String,
    pub(super) landing: Arc<Landing>,
    pub(super) pool: Arc<Pool>,
    pub(super) stop: CancellationToken,
    pub(super) teller: Teller,
    pub(super) hub: Arc<Hub>,
}

impl Inward {
    /// Walks it to its end.
    pub(super) async fn run(self) -> Finish {
        unless_stopped(&self.stop, self.walk()).await
    }

    async fn walk(&self) -> Result<Finish, Failure> {
        let counts = Arc::new(Walk::default());
        self.teller.walking(Arc::clone(&counts));
        if !self.path.is_root()
            && let Some(size) = self.size_of_file().await?
        {
            return Ok(Finish::Alone { size });
        }
        let name = String::from_utf8_lossy(self.path.file_name()).into_owned();
        let base = below(&self.folder, &name).trim_end_matches('/').to_owned();
        let mut tour = Tour::new(Arc::clone(&self.pool), self.path.clone());
        let waiting = |failure: &Failure| self.teller.waiting(failure, 0);
        while let Some((place, listed)) = tour.next(&waiting).await {
            self.teller.walking(Arc::clone(&counts));
            let here = below(&base, &place.below);
            let here = here.trim_matches('/').to_owned();
            let listed = match listed {
                Ok(entries) => self.make(&here).await.map(|()| entries),
                Err(failure) => Err(failure),
            };
            let entries = match listed {
                Ok(entries) => entries,
                // Of the folder itself: that is this item's own end.
                Err(failure) if place.below.is_empty() => return Err(failure),
                Err(failure) => {
                    self.teller.found(vec![bad(&place.path, &here, failure)]);
                    continue;
                }
            };
            self.sort(&mut tour, &place, &here, entries, &counts);
        }
        let left = tour.unlisted();
        if left > 0 {
            let shown = self.path.shown();
            let words = format!("{left} names in {shown} are not fetched: no plain text");
            self.hub.note("not_fetched", &words);
        }
        Ok(Finish::Walked {
            bytes: counts.bytes(),
        })
    }

    /// Hands the files on and goes down into the folders.
    fn sort(&self, tour: &mut Tour, place: &Place, here: &str, entries: Vec<Entry>, counts: &Walk) {
        let mut found = Vec::new();
        for entry in entries {
            let path = place.path.join(&entry.name);
            match entry.kind {
                Kind::File => {
                    counts.add_file(entry.size);
                    found.push(Found {
                        local: None,
                        path,
                        folder: here.to_owned(),
                        size: Some(entry.size),
                        kind: Kind::File,
                        failure: None,
                    });
                }
                Kind::Dir => {
                    counts.add_folder();
                    if let Err(failure) = tour.enter(place, &entry.name) {
                        found.push(bad(&path, here, failure));
                    }
                }
            }
        }
        if !found.is_empty() {
            self.teller.found(found);
        }
    }

    /// The size, if the path is a file's after all.
    async fn size_of_file(&self) -> Result<Option<u64>, Failure> {
        let mut endurance = self.pool.endurance();
        loop {
            let failure = match stat(&self.pool, &self.path).await {
                Ok(entry) => return Ok((entry.kind == Kind::File).then_some(entry.size)),
                Err(failure) => failure,
            };
            let pause = endurance.next().filter(|_| self.pool.passes(&failure));
            let Some(pause) = pause else {
                return Err(failure);
            };
            self.teller.waiting(&failure, 0);
            tokio::time::sleep(pause).await;
        }
    }

    /// Makes a local folder: also of empty ones something remains.
    async fn make(&self, folder: &str) -> Result<(), Failure> {
        let (landing, folder) = (Arc::clone(&self.landing), folder.to_owned());
        off_the_loop(move || landing.folder(&folder, Missing::Make).map(drop))
            .await?
            .map_err(|error| unlanded(&error))
    }
}

/// Walks to the end, or to where somebody stops it.
async fn unless_stopped(
    stop: &CancellationToken,
    walk: impl Future<Output = Result<Finish, Failure>>,
) -> Finish {
    tokio::select! {
        biased;
        () = stop.cancelled() => Finish::Stopped,
        done = walk => done.unwrap_or_else(Finish::Failed),
    }
}

/// What a path stands for on the server.
pub(super) async fn stat(pool: &Pool, path: &RemotePath) -> Result<Entry, Failure> {
    let mut tap = pool.line().await?;
    let path = path.clone();
    match tap.ask_for(&Request::Stat { path }).await? {
        Answer::Stat { entry, .. } => {
            pool.keep(tap);
            Ok(entry)
        }
        _ => Err(Failure::unexpected()),
    }
}

fn bad(path: &RemotePath, folder: &str, failure: Failure) -> Found {
    Found {
        local: None,
        path: path.clone(),
        folder: folder.to_owned(),
        size: None,
        kind: Kind::Dir,
        failure: Some(failure),
    }
}

/// A folder of this machine to be sent.
#[derive(Debug)]
pub(super) struct Outward {
    pub(super) local: PathBuf,
    /// What it is to be called on the server.
    pub(super) path: RemotePath,
    pub(super) dotfiles: Dotfiles,
    pub(super) pool: Arc<Pool>,
    pub(super) hub: Arc<Hub>,
    pub(super) stop: CancellationToken,
    pub(super) teller: Teller,
}

impl Outward {
    /// Walks it to its end.
    pub(super) async fn run(self) -> Finish {
        unless_stopped(&self.stop, self.walk()).await
    }

    async fn walk(&self) -> Result<Finish, Failure> {
        let counts = Arc::new(Walk::default());
        self.teller.walking(Arc::clone(&counts));
        if !self.path.is_root() {
            let made = self.make_folders(vec![self.path.clone()]).await?;
            if let Some((_, failure)) = made.into_iter().next() {
                return Err(failure);
            }
        }
        let (hand, mut coming) = mpsc::channel::<LocalEntry>(CHUNK);
        let (root, stop, dotfiles) = (self.local.clone(), self.stop.clone(), self.dotfiles);
        let walking = spawn_blocking(move || {
            walk(&root, dotfiles, &mut |entry| {
                if stop.is_cancelled() || hand.blocking_send(entry).is_err() {
                    Walking::Stop
                } else {
                    Walking::On
                }
            })
        });
        let mut chunk = Vec::new();
        while coming.recv_many(&mut chunk, CHUNK).await > 0 {
            self.send_on(std::mem::take(&mut chunk), &counts).await?;
        }
        let walked = walking
            .await
            .map_err(|gone| Failure::new("local", gone.to_string()))?;
        let shown = DisplayName::new(self.local.as_os_str().as_encoded_bytes());
        let untold = walked
            .map_err(|error| Failure::new("local", format!("{shown} cannot be read: {error}")))?;
        let left = untold.names + untold.others + untold.unread + untold.deep;
        if left > 0 {
            let words = format!(
                "{left} names in {shown} are not sent: no plain text, no plain file, not readable, or too deep"
            );
            self.hub.note("not_sent", &words);
        }
        Ok(Finish::Walked {
            bytes: counts.bytes(),
        })
    }

    /// Makes the folders among them on the server, then lets the files queue.
    async fn send_on(&self, chunk: Vec<LocalEntry>, counts: &Walk) -> Result<(), Failure> {
        let mut folders = Vec::new();
        let mut found = Vec::new();
        for entry in chunk {
            // The walk tells plain text only.
            let Some(name) = entry.path.as_str() else {
                continue;
            };
            let path = self.path.join(name);
            match entry.kind {
                Kind::Dir => {
                    counts.add_folder();
                    folders.push(path);
                }
                Kind::File => {
                    counts.add_file(entry.size);
                    found.push(Found {
                        local: Some(self.local.join(name)),
                        path,
                        folder: String::new(),
                        size: Some(entry.size),
                        kind: Kind::File,
                        failure: None,
                    });
                }
            }
        }
        for (path, failure) in self.make_folders(folders).await? {
            found.push(Found {
                local: Some(self.local.clone()),
                ..bad(&path, "", failure)
            });
        }
        if !found.is_empty() {
            self.teller.found(found);
        }
        Ok(())
    }

    /// Makes folders, all asked for at once; those that failed come back.
    async fn make_folders(
        &self,
        paths: Vec<RemotePath>,
    ) -> Result<Vec<(RemotePath, Failure)>, Failure> {
        let mut endurance = self.pool.endurance();
        loop {
            let failure = match make_folders(&self.pool, &paths).await {
                Ok(failed) => return Ok(failed),
                Err(failure) => failure,
            };
            let pause = endurance.next().filter(|_| self.pool.passes(&failure));
            let Some(pause) = pause else {
                return Err(failure);
            };
            self.teller.waiting(&failure, 0);
            tokio::time::sleep(pause).await;
        }
    }
}

/// Makes folders over one line; a folder that is there is no failure.
async fn make_folders(
    pool: &Pool,
    paths: &[RemotePath],
) -> Result<Vec<(RemotePath, Failure)>, Failure> {
    if paths.is_empty() {
        return Ok(Vec::new());
    }
    let mut tap = pool.line().await?;
    let mut failed = Vec::new();
    for some in paths.chunks(64) {
        let mut out = Vec::new();
        let mut asked = Vec::new();
        for path in some {
            let request = Request::MakeFolder { path: path.clone() };
            match tap.put(&request, &mut out) {
                Ok(()) => asked.push(path),
                Err(failure) => failed.push((path.clone(), failure)),
            }
        }
        tap.line.send(&out).await?;
        for path in asked {
            let answer = tap.hear().await?;
            tap.close();
            match answer {
                Answer::Done
                | Answer::Refused {
                    refusal: Refusal::Exists,
                } => {}
                Answer::Refused { refusal } => {
                    failed.push((path.clone(), Failure::refused(refusal)));
                }
                _ => return Err(Failure::unexpected()),
            }
        }
    }
    pool.keep(tap);
    Ok(failed)
}
