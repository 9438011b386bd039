//! Before the first byte: which part it goes on with, and what of that is believed.
//!
//! A part belongs to one content of one path of one server; of another it is dropped,
//! and that is said. What its state claims is hashed again from the disk. It knows a
//! download's part and its plan; no stretch and no landing.

use std::sync::{Arc, Mutex};

use tokio::task::spawn_blocking;

use super::plan::Plan;
use super::{Course, Pull, Seen, off_the_loop, proof};
use crate::entity::{Direction, Outcome};
use crate::net::client::dial::Failure;
use crate::net::client::fetch::unlanded;
use crate::net::client::tap::Tap;
use crate::net::hub::TransferOrder;
use crate::net::store::landing::{Found, Landing, Mark, Unlanded};
use crate::net::tree::blocks;
use crate::net::wire::codec::Version;

impl Pull {
    /// Opens the part, hashes again what it claims to have, and begins the transfer.
    pub(super) async fn prepare(
        &self,
        course: &mut Course,
        landing: &Arc<Landing>,
        seen: &Seen,
        tap: &Tap,
    ) -> Result<Arc<Mutex<Plan>>, Failure> {
        let mark = self.mark(seen)?;
        let (landing, name, size) = (Arc::clone(landing), self.name.clone(), seen.size);
        let stop = self.stop.clone();
        let opened = off_the_loop(move || -> Result<_, Unlanded> {
            let (parcel, found) = landing.resume(&name, &mark, size)?;
            let mut plan = Plan::new(size);
            for (index, value) in parcel.claims() {
                if stop.is_cancelled() {
                    // Nobody waits any more, and the part is wanted free for the next try.
                    return Err(Unlanded::Busy);
                }
                if index < blocks(size) && parcel.recheck(index, &value)? {
                    plan.have(index, value);
                } else {
                    parcel.undo(index)?;
                }
            }
            Ok((Arc::new(parcel), found, plan))
        });
        let (parcel, found, plan) = opened.await?.map_err(|error| unlanded(&error))?;
        if matches!(found, Found::Changed) {
            let path = self.path.shown();
            let words = format!("{path} has changed on the server: starting again");
            self.hub.note("changed", &words);
        }
        course.parcel = Some(parcel);
        let offset = plan.done_bytes();
        let (peer, addr) = tap.line.ends()?;
        let xfer = self.hub.dial(peer, addr).start(TransferOrder {
            job: Some(self.job),
            dialect: tap.dialect(),
            direction: Direction::In,
            proof: proof(self.check),
            path: self.path.clone(),
            size: Some(seen.size),
            offset,
            range: None,
        });
        xfer.started().progress.verify(offset);
        self.teller.begun(Arc::clone(xfer.started()));
        course.xfer = Some(xfer);
        Ok(Arc::new(Mutex::new(plan)))
    }

    /// Which content a part belongs to: the server's mark of it, and which server.
    fn mark(&self, seen: &Seen) -> Result<Mark, Failure> {
        let target = self.pool.target();
        let mut hasher = blake3::Hasher::new();
        let place = format!("{}\n{}\n", target.host, target.port);
        hasher.update(place.as_bytes()).update(self.path.as_bytes());
        let version = seen.version.as_ref().map_or(&[][..], Version::as_bytes);
        let mark = [hasher.finalize().as_bytes(), version].concat();
        Mark::new(&mark).ok_or_else(Failure::unexpected)
    }

    /// The content is another one now: what came of the old one goes.
    pub(super) async fn begin_anew(&self, course: &mut Course) {
        let words = "the file changed on the server while it was sent";
        if let Some(xfer) = course.xfer.take() {
            xfer.end(Outcome::Failed, "changed", words);
        }
        if let Some(parcel) = course.parcel.take() {
            let _ = spawn_blocking(move || parcel.discard()).await;
        }
        let path = self.path.shown();
        let words = format!("{path} has changed on the server: starting again");
        self.hub.note("changed", &words);
    }
}
