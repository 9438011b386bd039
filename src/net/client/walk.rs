//! A walk through a remote folder: one listing after the other, to the bottom.
//!
//! Depth and number are bounded, so no server can lead it on for ever. A folder is
//! handed on when its last page has come; whoever walks says where it goes down.
//! It knows lines and listings. What the names are good for it must never know.

use std::sync::Arc;

use tokio::time::sleep;

use super::busy::{Busy, nameless};
use super::dial::Failure;
use super::pool::{Endurance, Pool};
use crate::entity::{Entry, RemotePath};
use crate::net::wire::codec::{Answer, Request};

/// Folders within folders.
const DEEPEST: u32 = 128;
/// Names in a whole walk.
const NAMES: usize = 1_000_000;
/// Bytes of their paths: each is kept until its file is at its end, and names that
/// lie deep cost far more than their number tells.
const PATHS: usize = 256 << 20;
/// What a page counts for at the least, so that empty ones come to an end too.
const PAGE_COST: usize = 8;

/// A folder on the way.
#[derive(Clone, Debug)]
pub(super) struct Place {
    pub(super) path: RemotePath,
    /// Where it lies below the folder the walk began in; empty for that one.
    pub(super) below: String,
    depth: u32,
}

/// A walk that is under way.
#[derive(Debug)]
pub(super) struct Tour {
    pool: Arc<Pool>,
    ahead: Vec<Place>,
    room: usize,
    /// Bytes of paths that may still come.
    bytes: usize,
    unlisted: u64,
    endurance: Endurance,
}

impl Tour {
    /// Begins with a folder.
    pub(super) fn new(pool: Arc<Pool>, path: RemotePath) -> Self {
        let endurance = pool.endurance();
        Self {
            pool,
            ahead: vec![Place {
                path,
                below: String::new(),
                depth: 0,
            }],
            room: NAMES,
            bytes: PATHS,
            unlisted: 0,
            endurance,
        }
    }

    /// The next folder and what is in it, or why that cannot be told; `None` at the end.
    /// `waiting` hears of a server that has gone away.
    pub(super) async fn next(
        &mut self,
        waiting: &(dyn Fn(&Failure) + Sync),
    ) -> Option<(Place, Result<Vec<Entry>, Failure>)> {
        let place = self.ahead.pop()?;
        loop {
            let failure = match self.list(&place.path).await {
                Ok(entries) => {
                    self.endurance.refresh();
                    return Some((place, Ok(entries)));
                }
                Err(failure) => failure,
            };
            let passes = self.pool.passes(&failure);
            let Some(pause) = self.endurance.next().filter(|_| passes) else {
                if self.is_full() || super::pool::is_passing(&failure) {
                    // Nothing that lies ahead would fare better.
                    self.ahead.clear();
                }
                return Some((place, Err(failure)));
            };
            waiting(&failure);
            sleep(pause).await;
        }
    }

    /// Names the server has counted and not told, being no plain text.
    pub(super) const fn unlisted(&self) -> u64 {
        self.unlisted
    }

    /// Goes down into a folder of a place, later.
    pub(super) fn enter(&mut self, place: &Place, name: &str) -> Result<(), Failure> {
        if place.depth >= DEEPEST {
            let words = format!("folders are more than {DEEPEST} deep there");
            return Err(Failure::new("too_deep", words));
        }
        self.ahead.push(Place {
            path: place.path.join(name),
            below: below(&place.below, name),
            depth: place.depth + 1,
        });
        Ok(())
    }

    /// Counts a page of a folder; fails when the walk is as large as it may be.
    fn spend(&mut self, at: &RemotePath, entries: &[Entry]) -> Result<(), Failure> {
        let folder = at.as_bytes().len() + 1;
        let bytes: usize = entries.iter().map(|entry| folder + entry.name.len()).sum();
        self.room = self.room.saturating_sub(entries.len().max(PAGE_COST));
        self.bytes = self.bytes.saturating_sub(bytes);
        match (self.room, self.bytes) {
            (0, _) => {
                let words = format!("there are more than {NAMES} names, or no end");
                Err(Failure::new("too_many", words))
            }
            (_, 0) => {
                let most = PATHS >> 20;
                let words = format!("their paths are longer than {most} MiB in all, or no end");
                Err(Failure::new("too_many", words))
            }
            _ => Ok(()),
        }
    }

    const fn is_full(&self) -> bool {
        self.room == 0 || self.bytes == 0
    }

    async fn list(&mut self, path: &RemotePath) -> Result<Vec<Entry>, Failure> {
        let mut tap = self.pool.line().await?;
        let folder = path.clone();
        tap.ask(&Request::List { path: folder }).await?;
        let (mut entries, mut unlisted) = (Vec::new(), 0_u64);
        let mut names = Busy::default();
        loop {
            match tap.hear().await? {
                Answer::Page(page) => {
                    self.spend(path, &page.entries)?;
                    entries.extend(page.entries);
                    names.hear(entries.len() as u64).map_err(nameless)?;
                    unlisted = unlisted.saturating_add(page.unlisted);
                    if !page.more {
                        self.unlisted = self.unlisted.saturating_add(unlisted);
                        tap.close();
                        self.pool.keep(tap);
                        return Ok(entries);
                    }
                }
                Answer::Refused { refusal } => {
                    tap.close();
                    self.pool.keep(tap);
                    return Err(Failure::refused(refusal));
                }
                _ => return Err(Failure::unexpected()),
            }
        }
    }
}

/// A name below a folder that itself lies below the start.
pub(super) fn below(folder: &str, name: &str) -> String {
    if folder.is_empty() {
        name.to_owned()
    } else {
        format!("{folder}/{name}")
    }
}
