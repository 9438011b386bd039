//! Small files of this machine, each read whole before it is sent.
//!
//! What has grown goes another road, what changes while it is read is not sent. It knows
//! the file and its terms; it blocks, and no line may come here.

use std::collections::VecDeque;
use std::os::unix::fs::FileExt as _;

use tokio::sync::mpsc::{self, Receiver, UnboundedReceiver};
use tokio::task::{JoinHandle, spawn_blocking};

use super::Ear;
use crate::entity::Root;
use crate::net::client::Teller;
use crate::net::client::bundle::SMALL;
use crate::net::client::dial::Failure;
use crate::net::client::fetch::Finish;
use crate::net::client::push::{changed, terms};
use crate::net::store::{Fate, Source};
use crate::net::tree::hash_small;
use crate::net::wire::codec::{Check, Pace, Terms};

/// A file that was read whole.
#[derive(Debug)]
pub(super) struct Loaded {
    pub(super) ear: Ear,
    pub(super) bytes: Vec<u8>,
    pub(super) terms: Terms,
    pub(super) root: Root,
}

/// Files read before they can be sent.
const AHEAD: usize = 16;

/// A thread that reads files while others are sent.
#[derive(Debug)]
pub(super) struct Reading {
    task: JoinHandle<()>,
    /// What nobody took from it any more.
    unread: UnboundedReceiver<Ear>,
}

impl Reading {
    /// Ends it, and hands over what was not sent: what was read already and what was not.
    pub(super) async fn stop(mut self, mut loaded: Receiver<Loaded>) -> Vec<Ear> {
        loaded.close();
        let mut unsent = Vec::new();
        while let Some(loaded) = loaded.recv().await {
            unsent.push(loaded.ear);
        }
        let _ = self.task.await;
        while let Some(ear) = self.unread.recv().await {
            unsent.push(ear);
        }
        unsent
    }
}

/// Reads files in their order, a few ahead of who takes them; the end of each that is not
/// to be sent is told.
pub(super) fn read(
    ears: VecDeque<Ear>,
    check: Check,
    teller: Teller,
) -> (Receiver<Loaded>, Reading) {
    let (hand, loaded) = mpsc::channel(AHEAD);
    let (back, unread) = mpsc::unbounded_channel();
    let task = spawn_blocking(move || {
        for ear in ears {
            let told = teller.of(ear.job);
            if ear.stop.is_cancelled() {
                told.ended(Finish::Stopped);
                continue;
            }
            match load(ear, check) {
                Ok(loaded) => {
                    if let Err(lost) = hand.blocking_send(loaded) {
                        let _ = back.send(lost.0.ear);
                    }
                }
                Err(finish) => told.ended(finish),
            }
        }
    });
    (loaded, Reading { task, unread })
}

/// Reads a small file whole, and looks that it stayed what it was.
fn load(ear: Ear, check: Check) -> Result<Loaded, Finish> {
    let local = |words: String| Finish::Failed(Failure::new("local", words));
    let source = Source::open_own(&ear.local)
        .map_err(|denied| local(format!("cannot be read: {}", denied.detail)))?;
    if source.size > SMALL {
        // It has grown since it was counted: it goes by itself.
        return Err(Finish::Alone { size: source.size });
    }
    let mut bytes = vec![0; usize::try_from(source.size).unwrap_or(0)];
    let read = source.file.read_exact_at(&mut bytes, 0);
    read.map_err(|error| local(format!("cannot be read: {error}")))?;
    if source.fate() != Fate::Same {
        return Err(Finish::Failed(changed()));
    }
    Ok(Loaded {
        terms: terms(&source, ear.clash, check, Pace::Eager),
        root: hash_small(&bytes),
        bytes,
        ear,
    })
}
