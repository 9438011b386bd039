//! Bytes a second, held to: one bucket for the whole client, one for each item.
//!
//! Whoever moves payload asks how much it may take in one go and says afterwards
//! how much it was; what is too fast waits. It knows a rate and a clock (tokio's,
//! so that tests may pause it). It must never know whose bytes these are.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

/// What may be moved in one go, and what may be caught up after a pause.
const SLICE: Duration = Duration::from_millis(50);

/// A bucket: so many bytes a second, or as many as come.
#[derive(Debug)]
pub struct Limit {
    bucket: Mutex<Bucket>,
}

#[derive(Debug)]
struct Bucket {
    rate: Option<u64>,
    /// When all that was moved so far has been paid for.
    paid: Instant,
}

impl Limit {
    /// A bucket of so many bytes a second; `None` holds nothing back.
    pub fn new(rate: Option<u64>) -> Self {
        Self {
            bucket: Mutex::new(Bucket {
                rate: rate.map(|rate| rate.max(1)),
                paid: Instant::now(),
            }),
        }
    }

    /// Another rate from here on.
    pub fn set(&self, rate: Option<u64>) {
        let mut bucket = self.lock();
        bucket.rate = rate.map(|rate| rate.max(1));
        bucket.paid = Instant::now();
    }

    /// The rate it holds to, in bytes a second.
    pub fn rate(&self) -> Option<u64> {
        self.lock().rate
    }

    /// How many bytes may be moved in one go, at most `most`.
    fn slice(&self, most: usize) -> usize {
        let Some(rate) = self.rate() else { return most };
        let slice = u128::from(rate) * SLICE.as_millis() / 1_000;
        usize::try_from(slice).unwrap_or(most).clamp(1, most.max(1))
    }

    /// Books bytes that were moved; the moment before which no more may be.
    fn book(&self, bytes: u64) -> Option<Instant> {
        let mut bucket = self.lock();
        let rate = bucket.rate?;
        let now = Instant::now();
        let floor = now.checked_sub(SLICE).unwrap_or(now);
        let cost = Duration::from_secs_f64(bytes as f64 / rate as f64);
        bucket.paid = bucket.paid.max(floor) + cost;
        Some(bucket.paid)
    }

    fn lock(&self) -> MutexGuard<'_, Bucket> {
        // Nothing panics under the lock; were it to, the numbers are still whole.
        self.bucket.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The buckets one transfer draws from.
#[derive(Clone, Debug)]
pub struct Limits {
    /// The whole client's.
    pub all: Arc<Limit>,
    /// The item's own.
    pub own: Arc<Limit>,
}

impl Limits {
    /// How many bytes may be moved in one go, at most `most` and at least 1.
    pub fn slice(&self, most: usize) -> usize {
        self.all.slice(most).min(self.own.slice(most))
    }

    /// Says that bytes were moved, and waits until more may be.
    pub async fn spend(&self, bytes: u64) {
        let until = self.all.book(bytes).max(self.own.book(bytes));
        if let Some(until) = until {
            sleep_until(until).await;
        }
    }
}

#[cfg(test)]
#[path = "limit_tests.rs"]
mod tests;
