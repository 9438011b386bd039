//! The thread that lands small files: written as they come, durable together.
//!
//! One batch, ended when nothing more comes or after two seconds, so that
//! a slow line does not keep what is here from being complete. It knows batches and
//! transfers' guards. It must never know a line, and it asks nobody anything.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::runtime::Handle;
use tokio::sync::mpsc::{self, Receiver, Sender};
use tokio::task::{JoinHandle, spawn_blocking};
use tokio::time::error::Elapsed;
use tokio::time::timeout;

use super::{Folders, Good};
use crate::entity::Outcome;
use crate::event::Clash;
use crate::net::client::Teller;
use crate::net::client::dial::Failure;
use crate::net::client::fetch::{Finish, unlanded};
use crate::net::client::pull::proof;
use crate::net::hub::XferGuard;
use crate::net::store::landing::{Batch, Landing, Missing, Unlanded};
use crate::net::wire::codec::Check;

/// Handfuls that wait for the thread.
const WAITING: usize = 2;
/// The longest a file waits for others to become durable with.
const PATIENCE: Duration = Duration::from_secs(2);

/// A small file that is here and checked.
#[derive(Debug)]
pub(super) struct Arrived {
    pub(super) good: Good,
    pub(super) bytes: Vec<u8>,
    pub(super) mtime: Option<i64>,
    pub(super) xfer: XferGuard,
}

/// The landing thread of one bundle.
#[derive(Debug)]
pub(super) struct Lander {
    thread: JoinHandle<()>,
}

impl Lander {
    /// Starts it; what is to land is handed over.
    pub(super) fn start(
        folders: Folders,
        check: Check,
        teller: Teller,
    ) -> (Self, Sender<Vec<Arrived>>) {
        let (hand, arriving) = mpsc::channel(WAITING);
        let shelf = Shelf {
            folders,
            proof: proof(check),
            teller,
            open: None,
            since: Instant::now(),
        };
        let thread = spawn_blocking(move || shelf.run(arriving));
        (Self { thread }, hand)
    }

    /// Waits until all that was handed over is at its end.
    pub(super) async fn finish(self) {
        // A panic there has dropped the guards, and each has told its end.
        let _ = self.thread.await;
    }
}

/// A file that is written and has no name yet.
#[derive(Debug)]
struct Written {
    good: Good,
    bytes: u64,
    xfer: XferGuard,
}

struct Shelf {
    folders: Folders,
    proof: Outcome,
    teller: Teller,
    open: Option<(Batch, Vec<Written>)>,
    since: Instant,
}

impl Shelf {
    fn run(mut self, mut arriving: Receiver<Vec<Arrived>>) {
        loop {
            let handful = if self.open.is_none() {
                arriving.blocking_recv()
            } else if let Ok(handful) = self.wait(&mut arriving) {
                handful
            } else {
                // A line may be silent for long; what is here is not to wait for it.
                self.commit();
                continue;
            };
            let Some(handful) = handful else { break };
            if self.open.is_none() {
                self.since = Instant::now();
            }
            for arrived in handful {
                self.add(arrived);
            }
            if self.since.elapsed() > PATIENCE {
                self.commit();
            }
        }
        self.commit();
    }

    /// The next handful, or that the first file of the batch has waited long enough.
    fn wait(&self, arriving: &mut Receiver<Vec<Arrived>>) -> Result<Option<Vec<Arrived>>, Elapsed> {
        let left = PATIENCE.saturating_sub(self.since.elapsed());
        Handle::current().block_on(async { timeout(left, arriving.recv()).await })
    }

    fn add(&mut self, arrived: Arrived) {
        let Arrived {
            good,
            bytes,
            mtime,
            xfer,
        } = arrived;
        if good.stop.is_cancelled() {
            xfer.end(Outcome::Cancelled, "stopped", "stopped here");
            return self.teller.of(good.job).ended(Finish::Stopped);
        }
        let Some(folder) = self.folders.get(&good.folder) else {
            return;
        };
        let (batch, written) = self
            .open
            .get_or_insert_with(|| (folder.batch(), Vec::new()));
        match batch.add_in(folder, &good.name, &bytes, mtime, good.clash) {
            Ok(()) => written.push(Written {
                bytes: bytes.len() as u64,
                good,
                xfer,
            }),
            Err(error) => end(&self.teller, &good, xfer, Err(error), 0, self.proof),
        }
    }

    fn commit(&mut self) {
        let Some((batch, written)) = self.open.take() else {
            return;
        };
        let mut landed = batch.commit().into_iter();
        for file in written {
            let Written { good, bytes, xfer } = file;
            let lost = || Err(Unlanded::Disk(std::io::Error::other("nobody landed it")));
            let landed = landed.next().unwrap_or_else(lost);
            end(&self.teller, &good, xfer, landed, bytes, self.proof);
        }
    }
}

/// Tells how one ended: its transfer first, then its item.
fn end(
    teller: &Teller,
    good: &Good,
    xfer: XferGuard,
    landed: Result<String, Unlanded>,
    bytes: u64,
    proof: Outcome,
) {
    let finish = match landed {
        Ok(name) => {
            xfer.end(proof, "", "");
            Finish::Landed {
                name,
                bytes,
                outcome: proof,
            }
        }
        Err(Unlanded::Taken) => {
            xfer.end(Outcome::Cancelled, "exists", "the name is taken");
            match good.clash {
                Some(Clash::Skip) => Finish::Skipped,
                _ => Finish::Clash,
            }
        }
        Err(error) => {
            let failure: Failure = unlanded(&error);
            xfer.end(Outcome::Failed, failure.cause, &failure.detail);
            Finish::Failed(failure)
        }
    };
    teller.of(good.job).ended(finish);
}

/// What becomes of a file before it is asked for; `None` if it is to be asked for.
pub(super) fn admit(landing: &Arc<Landing>, folders: &mut Folders, good: &Good) -> Option<Finish> {
    let failed = |error: &Unlanded| Some(Finish::Failed(unlanded(error)));
    if good.stop.is_cancelled() {
        return Some(Finish::Stopped);
    }
    if let Some(why) = landing.refuses(&good.name) {
        return failed(&Unlanded::Name(why));
    }
    let folder = match folders.get(&good.folder) {
        Some(folder) => folder,
        None => match landing.folder(&good.folder, Missing::Make) {
            Ok(folder) => folders.entry(good.folder.clone()).or_insert(folder),
            Err(error) => return failed(&error),
        },
    };
    match (folder.is_taken(&good.name), good.clash) {
        (true, None) => Some(Finish::Clash),
        (true, Some(Clash::Skip)) => Some(Finish::Skipped),
        _ => None,
    }
}
