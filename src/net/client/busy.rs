//! How long a server is waited for that is slow, or only says that it is at work.
//!
//! It knows the clock and how far the server says it is. It must never know a line, nor
//! what was asked.

use std::time::Duration;

use tokio::time::Instant;

use super::dial::Failure;

/// The longest a server may say that it is busy without getting on.
const BUSY: Duration = Duration::from_mins(10);

/// An answer comes byte by byte, too slowly to be waited for.
pub(super) fn drips() -> Failure {
    Failure::new("timeout", "the server's answer drips in and has no end")
}

/// A listing goes on and on, and tells nothing.
pub(super) fn nameless(_: Failure) -> Failure {
    let words = "the server's listing has no end and brings no name any more";
    Failure::new("timeout", words)
}

/// How long a server has said that it is busy without getting on.
#[derive(Debug, Default)]
pub(super) struct Busy {
    since: Option<(u64, Instant)>,
}

impl Busy {
    /// Hears how far it is; fails when nothing has moved for ten minutes.
    pub(super) fn hear(&mut self, done: u64) -> Result<(), Failure> {
        match self.since {
            Some((before, since)) if done <= before => {
                if since.elapsed() > BUSY {
                    let words = "the server says it is busy and does not get on";
                    return Err(Failure::new("timeout", words));
                }
            }
            _ => self.since = Some((done, Instant::now())),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_server_that_is_only_busy_comes_to_an_end() {
        let mut busy = Busy::default();
        for done in 0..30 {
            assert!(busy.hear(done).is_ok());
            tokio::time::advance(Duration::from_mins(1)).await;
        }
        assert!(busy.hear(29).is_ok());
        tokio::time::advance(BUSY).await;
        assert_eq!(
            busy.hear(29).map_err(|failure| failure.cause),
            Err("timeout")
        );
    }
}
