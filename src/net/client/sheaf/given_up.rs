//! Files of a sheaf that were given up while the line says nothing.
//!
//! Nobody would hear of it before the silence counts as one. It knows stops and how long
//! a silence is one; lines and files it must never know.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;

use super::Ear;
use crate::net::client::Teller;
use crate::net::client::dial::Failure;
use crate::net::client::fetch::Finish;

/// A line on which nothing has moved for so long is silent.
pub(super) const SILENCE: Duration = Duration::from_millis(500);

/// The stops of some files.
#[derive(Debug)]
pub(super) struct Stops(Vec<CancellationToken>);

impl Stops {
    pub(super) fn of<'e>(ears: impl IntoIterator<Item = &'e Ear>) -> Self {
        Self(ears.into_iter().map(|ear| ear.stop.clone()).collect())
    }

    pub(super) fn any(&self) -> bool {
        self.0.iter().any(CancellationToken::is_cancelled)
    }

    /// Waits until one was given up, and says so as the failure that ends a pass.
    pub(super) async fn given_up(&self) -> Failure {
        while !self.any() {
            sleep(SILENCE).await;
        }
        given_up()
    }
}

/// Ends a pass: the line goes, so that nobody waits for it in vain.
pub(super) fn given_up() -> Failure {
    Failure::new("cancelled", "a file on the same silent line was given up")
}

/// Whether a pass ended because a file of it was given up.
pub(super) fn is_given_up(failure: &Failure) -> bool {
    failure.cause == "cancelled"
}

/// Tells the end of those that were given up; the others stay.
pub(super) fn let_go(left: &mut VecDeque<Ear>, teller: &Teller) {
    left.retain(|ear| {
        let stops = ear.stop.is_cancelled();
        if stops {
            teller.of(ear.job).ended(Finish::Stopped);
        }
        !stops
    });
}

/// Waits before the server is tried again, with those that are not given up meanwhile.
pub(super) async fn wait(left: &mut VecDeque<Ear>, pause: Duration, teller: &Teller) {
    let until = Instant::now() + pause;
    while !left.is_empty() {
        let stops = Stops::of(&*left);
        tokio::select! {
            () = sleep_until(until) => return,
            _ = stops.given_up() => let_go(left, teller),
        }
    }
}
