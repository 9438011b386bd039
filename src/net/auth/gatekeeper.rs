//! Who may try the code, how often, and what becomes of those who guess.
//!
//! A wrong code costs its address a growing wait, a handful of them cost it ten minutes,
//! and a hundred from anywhere cost the code itself. It remembers a bounded number of
//! addresses and is told the time; it must never sleep, and never know a connection.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::time::{Duration, Instant};

use super::{Code, Session, Side};
use crate::net::wire::codec::Mac;

/// Wrong codes an address has before it is banned.
pub const PATIENCE: u32 = 5;
/// How long a ban lasts, and how long wrong codes are remembered.
pub const BAN: Duration = Duration::from_mins(10);
/// Wrong codes in all before the code changes.
pub const TURN: u32 = 100;
/// The wait behind the first wrong code of an address; it doubles with each.
const WAIT: Duration = Duration::from_millis(250);
/// Addresses remembered.
const ADDRESSES: usize = 4_096;

/// What is known of the guesses of one address.
#[derive(Clone, Copy, Debug)]
struct Tally {
    wrong: u32,
    last: Instant,
}

impl Tally {
    fn is_banned(&self, now: Instant) -> bool {
        self.wrong >= PATIENCE && self.is_fresh(now)
    }

    fn is_fresh(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.last) < BAN
    }
}

/// What becomes of a proof.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is right: this is our own proof in return.
    Right(Mac),
    /// It is wrong.
    Wrong {
        /// What the answer waits.
        wait: Duration,
        /// Which wrong code of that address it is, counted from 1.
        count: u32,
        /// The code has just changed: that was the last wrong one it had.
        turned: bool,
    },
    /// It was not looked at: the address is banned for so long.
    Banned(Duration),
}

/// Keeps the code.
#[derive(Debug)]
pub struct Gatekeeper {
    /// `None` if no new one could be made: then nobody comes in.
    code: Option<Code>,
    turns: u64,
    wrong: u32,
    tallies: HashMap<IpAddr, Tally>,
}

impl Gatekeeper {
    /// Keeps this code.
    pub fn new(code: Code) -> Self {
        Self {
            code: Some(code),
            turns: 0,
            wrong: 0,
            tallies: HashMap::new(),
        }
    }

    /// The code that is right now.
    pub const fn code(&self) -> Option<&Code> {
        self.code.as_ref()
    }

    /// How often it has changed.
    pub const fn turns(&self) -> u64 {
        self.turns
    }

    /// How many addresses it remembers.
    pub fn remembers(&self) -> usize {
        self.tallies.len()
    }

    /// Looks at a client's proof. A wrong one counts before the answer leaves, so that
    /// guesses side by side gain nothing.
    pub fn judge(
        &mut self,
        from: IpAddr,
        session: &Session<'_>,
        proof: &Mac,
        now: Instant,
    ) -> Verdict {
        let from = neighbourhood(from);
        if let Some(tally) = self.tallies.get(&from)
            && tally.is_banned(now)
        {
            let over = tally.last + BAN;
            return Verdict::Banned(over.saturating_duration_since(now));
        }
        match &self.code {
            Some(code) if code.is_proved(Side::Client, session, proof) => {
                let answer = code.prove(Side::Server, session);
                self.tallies.remove(&from);
                Verdict::Right(answer)
            }
            _ => self.count(from, now),
        }
    }

    fn count(&mut self, from: IpAddr, now: Instant) -> Verdict {
        self.make_room(now);
        let tally = self.tallies.entry(from).or_insert(Tally {
            wrong: 0,
            last: now,
        });
        if !tally.is_fresh(now) {
            tally.wrong = 0;
        }
        tally.wrong += 1;
        tally.last = now;
        let count = tally.wrong;
        self.wrong += 1;
        let turned = self.wrong >= TURN;
        if turned {
            self.code = Code::make();
            self.turns += 1;
            self.wrong = 0;
        }
        Verdict::Wrong {
            wait: WAIT * 2_u32.pow(count.min(PATIENCE) - 1),
            count,
            turned,
        }
    }

    /// Forgets what is old; if all is young, the address that guessed the longest ago.
    fn make_room(&mut self, now: Instant) {
        if self.tallies.len() < ADDRESSES {
            return;
        }
        self.tallies.retain(|_, tally| tally.is_fresh(now));
        if self.tallies.len() >= ADDRESSES {
            let oldest = self.tallies.iter().min_by_key(|(_, tally)| tally.last);
            if let Some(oldest) = oldest.map(|(from, _)| *from) {
                self.tallies.remove(&oldest);
            }
        }
    }
}

/// Whom a guess is counted against: an IPv6 host has a whole /64 to guess from.
fn neighbourhood(from: IpAddr) -> IpAddr {
    match from.to_canonical() {
        IpAddr::V6(addr) => {
            let [a, b, c, d, ..] = addr.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
        v4 @ IpAddr::V4(_) => v4,
    }
}
