//! The 1 Hz sweep: who stood still, or ran over, is sentenced (law 8).
//!
//! It reads dials and compares them with the round before; which limit runs is
//! said by the phase. It knows the hub's living and the limits. It must never
//! touch a socket or a task: a sentence in the dials and a cancelled token are
//! all it does.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, MissedTickBehavior, interval};

use super::stance::is_busy;
use super::{Engine, Limits};
use crate::entity::{ConnId, Dialect, End, Phase, Rule};
use crate::net::hub::Living;

/// What the sweep remembers of a connection between two rounds.
#[derive(Debug)]
struct Watch {
    phase: Phase,
    dialect: Option<Dialect>,
    requests: u64,
    bytes: u64,
    /// Since when phase, requests and, while payload runs, bytes are what they are.
    since: Instant,
}

impl Watch {
    /// On a port of one dialect the head's limit is absolute from accept: its first
    /// byte begins no new time.
    fn is_still_its_first_head(&self, seen: &Self) -> bool {
        self.dialect.is_some()
            && self.requests == seen.requests
            && (self.phase, seen.phase) == (Phase::Opening, Phase::Request)
    }
}

/// Once a second (more often under short limits): reads every dial, sentences what is over.
pub(super) async fn sweep(engine: Arc<Engine>) {
    let limits = &engine.context.limits;
    let shortest = [limits.first_byte, limits.head, limits.stall, limits.idle]
        .into_iter()
        .fold(Duration::from_secs(4), Duration::min);
    let mut round = interval((shortest / 4).max(Duration::from_millis(50)));
    round.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut watched: HashMap<ConnId, Watch> = HashMap::new();
    loop {
        let now = round.tick().await;
        let living = engine.hub.living();
        watched.retain(|conn, _| living.binary_search_by_key(conn, |l| l.birth.conn).is_ok());
        for one in &living {
            let dials = &one.birth.dials;
            let seen = Watch {
                phase: dials.phase(),
                dialect: dials.dialect(),
                requests: dials.requests(),
                bytes: dials
                    .bytes_in()
                    .wrapping_add(dials.bytes_out())
                    .wrapping_add(dials.stirs()),
                since: now,
            };
            let watch = watched.entry(one.birth.conn).or_insert(Watch {
                since: one.since,
                ..seen
            });
            // Bytes of a head do not count: its limit is absolute.
            let moved = is_busy(seen.phase) && watch.bytes != seen.bytes;
            if watch.is_still_its_first_head(&seen) {
                watch.phase = seen.phase;
            } else if moved || watch.phase != seen.phase || watch.requests != seen.requests {
                *watch = seen;
            }
            if let Some(rule) = overdue(watch, one, now, limits) {
                one.condemn(End::Timeout, Some(rule));
            }
        }
    }
}

fn overdue(watch: &Watch, living: &Living, now: Instant, limits: &Limits) -> Option<Rule> {
    let stood = now.saturating_duration_since(watch.since);
    let known = living.birth.dials.dialect();
    match watch.phase {
        // Still two things it could become: the wait is absolute from accept.
        Phase::Request
            if known.is_none()
                && now.saturating_duration_since(living.since) >= limits.first_byte =>
        {
            Some(Rule::FirstByte)
        }
        // A person types there, and may think for minutes.
        Phase::Opening if known.is_some_and(Dialect::waits_for_a_person) => {
            (stood >= limits.idle).then_some(Rule::Idle)
        }
        // A listener of one dialect knows it at accept: the head's own limit runs.
        Phase::Opening if known.is_some_and(|dialect| !dialect.times_request()) => {
            (stood >= limits.head).then_some(Rule::Head)
        }
        Phase::Opening => (stood >= limits.first_byte).then_some(Rule::FirstByte),
        Phase::Request => (stood >= limits.head).then_some(Rule::Head),
        Phase::Idle => (stood >= limits.idle).then_some(Rule::Idle),
        Phase::Sending | Phase::Receiving => (stood >= limits.stall).then_some(Rule::Stall),
        // Bounded by its own exact clock.
        Phase::Lingering => None,
    }
}
