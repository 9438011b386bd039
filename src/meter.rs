//! The dials: bytes, phase, verdict. Births travel, dials turn (law 1).
//!
//! A dial is handed over once, at birth, and read once a frame. Turning one is
//! a relaxed atomic add: nanoseconds, no channel, no clock. This floor knows
//! the nouns and std's atomics only.

use std::sync::atomic::{AtomicU8, AtomicU16, AtomicU32, AtomicU64, Ordering::Relaxed};

use crate::entity::{Dialect, End, Phase, Rule};

const NONE: u8 = u8::MAX;

/// The dials of one connection.
#[derive(Debug)]
pub struct Dials {
    phase: AtomicU8,
    dialect: AtomicU8,
    /// End in the low byte, rule in the high one: a sentence is read whole.
    verdict: AtomicU16,
    bytes_in: AtomicU64,
    bytes_out: AtomicU64,
    requests: AtomicU64,
    stirs: AtomicU64,
}

impl Default for Dials {
    fn default() -> Self {
        Self {
            phase: AtomicU8::new(Phase::Opening.to_byte()),
            dialect: AtomicU8::new(NONE),
            verdict: AtomicU16::new(u16::MAX),
            bytes_in: AtomicU64::new(0),
            bytes_out: AtomicU64::new(0),
            requests: AtomicU64::new(0),
            stirs: AtomicU64::new(0),
        }
    }
}

impl Dials {
    /// Where the connection stands now.
    pub fn phase(&self) -> Phase {
        Phase::from_byte(self.phase.load(Relaxed)).unwrap_or(Phase::Opening)
    }

    /// Moves to another phase.
    pub fn set_phase(&self, phase: Phase) {
        self.phase.store(phase.to_byte(), Relaxed);
    }

    /// The dialect, once the first bytes have told it.
    pub fn dialect(&self) -> Option<Dialect> {
        Dialect::ALL
            .get(usize::from(self.dialect.load(Relaxed)))
            .copied()
    }

    /// Fixes the dialect.
    pub fn set_dialect(&self, dialect: Dialect) {
        let at = Dialect::ALL.iter().position(|&d| d == dialect);
        let byte = at.and_then(|at| u8::try_from(at).ok()).unwrap_or(NONE);
        self.dialect.store(byte, Relaxed);
    }

    /// Bytes read from the peer so far, heads included.
    pub fn bytes_in(&self) -> u64 {
        self.bytes_in.load(Relaxed)
    }

    /// Bytes written to the peer so far, heads included.
    pub fn bytes_out(&self) -> u64 {
        self.bytes_out.load(Relaxed)
    }

    /// Whole requests understood so far.
    pub fn requests(&self) -> u64 {
        self.requests.load(Relaxed)
    }

    /// Counts a whole request.
    pub fn add_request(&self) {
        self.requests.fetch_add(1, Relaxed);
    }

    /// Signs of life that are no bytes of ours: the peer's kernel took some.
    pub fn stirs(&self) -> u64 {
        self.stirs.load(Relaxed)
    }

    /// Counts such a sign.
    pub fn stir(&self) {
        self.stirs.fetch_add(1, Relaxed);
    }

    /// Counts bytes read from the peer.
    pub fn add_in(&self, bytes: u64) {
        self.bytes_in.fetch_add(bytes, Relaxed);
    }

    /// Counts bytes written to the peer.
    pub fn add_out(&self, bytes: u64) {
        self.bytes_out.fetch_add(bytes, Relaxed);
    }

    /// Sentences the connection; the first sentence stands. True if this was it.
    pub fn condemn(&self, end: End, rule: Option<Rule>) -> bool {
        let rule = rule.map_or(NONE, Rule::to_byte);
        let sentence = u16::from_le_bytes([end.to_byte(), rule]);
        self.verdict
            .compare_exchange(u16::MAX, sentence, Relaxed, Relaxed)
            .is_ok()
    }

    /// The sentence, if there is one: the end, and the rule if the clock spoke it.
    pub fn verdict(&self) -> Option<(End, Option<Rule>)> {
        let [end, rule] = self.verdict.load(Relaxed).to_le_bytes();
        Some((End::from_byte(end)?, Rule::from_byte(rule)))
    }
}

/// The dials of one transfer.
#[derive(Debug, Default)]
pub struct Progress {
    done: AtomicU64,
    beside: AtomicU64,
    verified: AtomicU64,
    streams: AtomicU32,
}

impl Progress {
    /// Starts a dial that already stands at `done` bytes (a resumed transfer).
    pub fn starting_at(done: u64) -> Self {
        Self {
            done: AtomicU64::new(done),
            ..Self::default()
        }
    }

    /// Payload bytes of the file that are across, resumed ones included.
    pub fn done(&self) -> u64 {
        self.done.load(Relaxed)
    }

    /// Counts payload bytes.
    pub fn add(&self, bytes: u64) {
        self.done.fetch_add(bytes, Relaxed);
    }

    /// Takes bytes back that have to come again: a block that failed its check.
    pub fn take_back(&self, bytes: u64) {
        // Nobody adds less than is taken back: the bytes were counted before.
        self.done.fetch_sub(bytes, Relaxed);
    }

    /// Those of the bytes across that other transfers have carried: shares of this one.
    pub fn beside(&self) -> u64 {
        self.beside.load(Relaxed)
    }

    /// Counts payload bytes that a share has carried.
    pub fn add_beside(&self, bytes: u64) {
        self.beside.fetch_add(bytes, Relaxed);
        self.add(bytes);
    }

    /// Takes such bytes back.
    pub fn take_back_beside(&self, bytes: u64) {
        self.take_back(bytes);
        self.beside.fetch_sub(bytes, Relaxed);
    }

    /// Bytes whose blocks agree with the tree's values, resumed ones included.
    pub fn verified(&self) -> u64 {
        self.verified.load(Relaxed)
    }

    /// Counts bytes of a block that agrees.
    pub fn verify(&self, bytes: u64) {
        self.verified.fetch_add(bytes, Relaxed);
    }

    /// Connections that carry this transfer now; 0 where nobody counts them.
    pub fn streams(&self) -> u32 {
        self.streams.load(Relaxed)
    }

    /// One connection more carries it.
    pub fn join(&self) {
        self.streams.fetch_add(1, Relaxed);
    }

    /// One less.
    pub fn part(&self) {
        self.streams.fetch_sub(1, Relaxed);
    }
}

/// How far the walk through a folder has come.
#[derive(Debug, Default)]
pub struct Walk {
    files: AtomicU64,
    folders: AtomicU64,
    bytes: AtomicU64,
}

impl Walk {
    /// Files found so far.
    pub fn files(&self) -> u64 {
        self.files.load(Relaxed)
    }

    /// Folders found so far, the first one not counted.
    pub fn folders(&self) -> u64 {
        self.folders.load(Relaxed)
    }

    /// Bytes in the files found so far.
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Relaxed)
    }

    /// Counts a file.
    pub fn add_file(&self, bytes: u64) {
        self.files.fetch_add(1, Relaxed);
        self.bytes.fetch_add(bytes, Relaxed);
    }

    /// Counts a folder.
    pub fn add_folder(&self) {
        self.folders.fetch_add(1, Relaxed);
    }
}

/// What the whole engine has done since its start; right even when events were lost.
#[derive(Debug, Default)]
pub struct Totals {
    /// Payload bytes sent.
    pub bytes_out: AtomicU64,
    /// Payload bytes received.
    pub bytes_in: AtomicU64,
    /// Transfers out that went well.
    pub files_out: AtomicU64,
    /// Transfers in that went well.
    pub files_in: AtomicU64,
    /// Connections accepted.
    pub accepted: AtomicU64,
    /// Connections ended by the clock.
    pub timeouts: AtomicU64,
    /// Heads and frames that broke their protocol.
    pub malformed: AtomicU64,
    /// Requests answered with no.
    pub refused: AtomicU64,
    /// Transfers that failed, were cut, or ran out of time.
    pub failed: AtomicU64,
    /// Events that found no room in the ring and were lost to a slow reader.
    pub lost: AtomicU64,
}

impl Totals {
    /// Adds to one of the counters.
    pub fn add(counter: &AtomicU64, n: u64) {
        counter.fetch_add(n, Relaxed);
    }

    /// Reads one of the counters.
    pub fn get(counter: &AtomicU64) -> u64 {
        counter.load(Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_verdict_stands() {
        let dials = Dials::default();
        assert_eq!(dials.verdict(), None);
        assert!(dials.condemn(End::Timeout, Some(Rule::Stall)));
        assert!(!dials.condemn(End::Kicked, None));
        assert_eq!(dials.verdict(), Some((End::Timeout, Some(Rule::Stall))));
    }

    #[test]
    fn a_dial_knows_its_dialect() {
        let dials = Dials::default();
        assert_eq!(dials.dialect(), None);
        dials.set_dialect(Dialect::Deck);
        assert_eq!(dials.dialect(), Some(Dialect::Deck));
    }
}
