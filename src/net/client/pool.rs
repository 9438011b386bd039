//! Connections to one deck server: opened when wanted, kept for the next who asks.
//!
//! Many files do not mean many handshakes. It also says how many connections one
//! file may have beside its own, and how long a server that went away is waited
//! for. It knows lines and clocks. It must never know what is asked over a line.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::FutureExt as _;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::dial::{Failure, Line, Patience, Target};
use super::limit::Limit;
use super::tap::Tap;

/// From so many bytes on a file goes over several lines.
const LARGE: u64 = 64 << 20;
/// Lines kept while nobody needs them.
const IDLE: usize = 8;
/// The longest a line is kept unused: well below any server's own limit.
const KEPT: Duration = Duration::from_mins(1);
/// The first pause before a server is tried again, and the longest.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// Tries without progress before an errand gives up.
const TRIES: u32 = 5;

/// How a client treats a server that went away.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Manner {
    /// It gives up after a few tries: `get` and `put`.
    #[default]
    Brief,
    /// It waits for it, for ever: somebody looks at the screen.
    Lasting,
}

/// The connections to one server.
#[derive(Debug)]
pub(super) struct Pool {
    target: Target,
    patience: Patience,
    client: Box<str>,
    manner: Manner,
    idle: Mutex<Vec<(Tap, Instant)>>,
    /// Whether the server was ever there.
    met: AtomicBool,
    /// Connections beside each task's own.
    extras: Arc<Semaphore>,
    /// The whole client's bucket.
    pub(super) limit: Arc<Limit>,
}

impl Pool {
    pub(super) fn new(
        target: Target,
        patience: Patience,
        client: Box<str>,
        manner: Manner,
        extras: usize,
        limit: Arc<Limit>,
    ) -> Self {
        Self {
            target,
            patience,
            client,
            manner,
            idle: Mutex::new(Vec::new()),
            met: AtomicBool::new(false),
            extras: Arc::new(Semaphore::new(extras)),
            limit,
        }
    }

    pub(super) fn target(&self) -> &Target {
        &self.target
    }

    /// A line that is open and greeted: a kept one that still lives, or a new one.
    pub(super) async fn line(&self) -> Result<Tap, Failure> {
        while let Some(mut tap) = self.take() {
            // What has something to say when nobody asked is at its end.
            if tap.more().now_or_never().is_none() {
                return Ok(tap);
            }
        }
        let line = Line::open(&self.target, self.patience, &self.client).await?;
        self.met.store(true, Relaxed);
        Ok(Tap::new(line, self.patience.gap))
    }

    fn take(&self) -> Option<Tap> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.retain(|(_, since)| since.elapsed() < KEPT);
        idle.pop().map(|(tap, _)| tap)
    }

    /// Keeps a line on which nothing is asked and nothing unread.
    pub(super) fn keep(&self, tap: Tap) {
        if !tap.is_still() {
            return;
        }
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < IDLE {
            idle.push((tap, Instant::now()));
        }
    }

    /// How many lines a file may have in all that may have `streams` and of which so many
    /// bytes are missing.
    pub(super) const fn lines(streams: usize, missing: u64) -> usize {
        if missing < LARGE || streams == 0 {
            return 1;
        }
        streams
    }

    /// Leave for a line beside a file's first, as soon as another file gives it back;
    /// `None` if that takes until `enough`.
    pub(super) async fn extra(&self, enough: &CancellationToken) -> Option<OwnedSemaphorePermit> {
        tokio::select! {
            biased;
            () = enough.cancelled() => None,
            extra = Arc::clone(&self.extras).acquire_owned() => extra.ok(),
        }
    }

    /// Lets every kept line go.
    pub(super) fn clear(&self) {
        self.idle
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clear();
    }

    /// How a server that goes away is waited for, from here on.
    pub(super) fn endurance(&self) -> Endurance {
        Endurance {
            manner: self.manner,
            tries: 0,
            pause: FIRST_PAUSE,
        }
    }

    /// Whether it is worth trying again: the failure is the line's, and the server
    /// was there before or is waited for in any case.
    pub(super) fn passes(&self, failure: &Failure) -> bool {
        let met = self.met.load(Relaxed) || self.manner == Manner::Lasting;
        met && is_passing(failure)
    }
}

/// Whether a failure is the connection's rather than anybody's word.
pub(super) fn is_passing(failure: &Failure) -> bool {
    matches!(
        failure.cause,
        "connection" | "cut" | "timeout" | "unreachable" | "short" | "leaving"
    )
}

/// How often it was tried again, and how long the next pause is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Endurance {
    manner: Manner,
    tries: u32,
    pause: Duration,
}

impl Endurance {
    /// Something was achieved: the next failure is the first again.
    pub(super) fn refresh(&mut self) {
        self.tries = 0;
        self.pause = FIRST_PAUSE;
    }

    /// The pause before the next try; `None` when it was tried often enough.
    pub(super) fn next(&mut self) -> Option<Duration> {
        self.tries += 1;
        if self.manner == Manner::Brief && self.tries > TRIES {
            return None;
        }
        let pause = self.pause;
        self.pause = (pause * 2).min(LONGEST_PAUSE);
        Some(pause)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_half_a_minute() {
        let mut lasting = Endurance {
            manner: Manner::Lasting,
            tries: 0,
            pause: FIRST_PAUSE,
        };
        let pauses: Vec<f64> = (0..9)
            .filter_map(|_| lasting.next())
            .map(|pause| pause.as_secs_f64())
            .collect();
        assert_eq!(pauses, [0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0, 30.0]);
        let mut brief = Endurance {
            manner: Manner::Brief,
            ..lasting
        };
        brief.refresh();
        assert_eq!((0..9).filter_map(|_| brief.next()).count(), 5);
        brief.refresh();
        assert_eq!(brief.next(), Some(FIRST_PAUSE));
    }
}
