//! One reader's end of the broadcast, and the end of the broadcast itself.
//!
//! A reader that fell behind resynchronises here: it takes its snapshot under
//! the registry's lock, so what follows it is neither missed nor told twice
//! (law 2). It knows the hub and its registry; it must never know who reads,
//! nor what an event is good for.

use std::sync::Arc;

use jiff::Timestamp;
use tokio::sync::broadcast::{self, error::RecvError, error::TryRecvError};

use super::Hub;
use crate::event::{Event, What};
use crate::meter::Totals;

/// Ends the broadcast when it is dropped: readers hear that an engine is over,
/// however it ended.
#[derive(Debug)]
pub struct Closing(pub Arc<Hub>);

impl Drop for Closing {
    fn drop(&mut self) {
        self.0.close();
    }
}

/// One reader of events.
#[derive(Debug)]
pub struct Feed {
    pub(super) hub: Arc<Hub>,
    pub(super) receiver: broadcast::Receiver<Event>,
}

impl Feed {
    /// The next event; a [`What::Reset`] after a lag; `None` once the engine is over.
    /// Cancel safe.
    pub async fn next(&mut self) -> Option<Event> {
        match self.receiver.recv().await {
            Ok(event) => Some(event),
            Err(RecvError::Lagged(missed)) => Some(self.resynchronise(missed)),
            Err(RecvError::Closed) => None,
        }
    }

    /// The next event if it is here already.
    pub fn ready(&mut self) -> Option<Event> {
        match self.receiver.try_recv() {
            Ok(event) => Some(event),
            Err(TryRecvError::Lagged(missed)) => Some(self.resynchronise(missed)),
            Err(TryRecvError::Empty | TryRecvError::Closed) => None,
        }
    }

    fn resynchronise(&mut self, missed: u64) -> Event {
        let registry = self.hub.lock();
        // What still lies in the ring is older than the snapshot: skip it too.
        let skipped = u64::try_from(self.receiver.len()).unwrap_or(u64::MAX);
        self.receiver = self.receiver.resubscribe();
        let lost = missed.saturating_add(skipped);
        let snapshot = registry.snapshot(lost);
        drop(registry);
        Totals::add(&self.hub.totals.lost, lost);
        Event {
            at: Timestamp::now(),
            what: What::Reset(snapshot),
        }
    }
}
