//! Rates: bytes a second over a short window, and a minute of history.
//!
//! Pure arithmetic over samples somebody else takes; time comes in as a
//! `Duration` since the program's start, so a test turns the clock by hand.

use std::collections::VecDeque;
use std::time::Duration;

/// The window of a live rate.
pub const WINDOW: Duration = Duration::from_secs(3);
const SPACING: Duration = Duration::from_millis(250);
const SLOTS: usize = 13;

/// A rate over about the last three seconds.
#[derive(Clone, Debug, Default)]
pub struct Rate {
    /// (milliseconds since start, bytes so far), oldest first.
    samples: VecDeque<(u64, u64)>,
    latest: Option<(u64, u64)>,
}

impl Rate {
    /// Takes the dial's value. Values closer than 250 ms replace each other.
    pub fn sample(&mut self, now: Duration, total: u64) {
        let now = millis(now);
        self.latest = Some((now, total));
        let due = self
            .samples
            .back()
            .is_none_or(|&(at, _)| now.saturating_sub(at) >= millis(SPACING));
        if due {
            self.samples.push_back((now, total));
        }
        while self.samples.len() > 1
            && (self.samples.len() > SLOTS
                || self
                    .samples
                    .get(1)
                    .is_some_and(|&(at, _)| now.saturating_sub(at) >= millis(WINDOW)))
        {
            self.samples.pop_front();
        }
    }

    /// Bytes a second over the window; 0 before there are two samples.
    pub fn per_second(&self) -> f64 {
        let (Some(&(then, old)), Some((now, new))) = (self.samples.front(), self.latest) else {
            return 0.0;
        };
        if now <= then {
            return 0.0;
        }
        new.saturating_sub(old) as f64 * 1000.0 / (now - then) as f64
    }
}

/// Sixty seconds of bytes a second, one value a second.
#[derive(Clone, Debug, Default)]
pub struct History {
    seconds: VecDeque<u64>,
    at: Option<(u64, u64)>,
}

impl History {
    /// Seconds kept.
    pub const LENGTH: usize = 60;

    /// Takes the dial's value; every whole second that passed gets its share.
    pub fn sample(&mut self, now: Duration, total: u64) {
        let now = now.as_secs();
        let Some((then, old)) = self.at else {
            self.at = Some((now, total));
            return;
        };
        if now <= then {
            return;
        }
        let gap = (now - then).min(Self::LENGTH as u64);
        let share = total.saturating_sub(old) / (now - then);
        for _ in 0..gap {
            self.seconds.push_back(share);
        }
        while self.seconds.len() > Self::LENGTH {
            self.seconds.pop_front();
        }
        self.at = Some((now, total));
    }

    /// Bytes in each past second, oldest first, at most sixty.
    pub fn values(&self) -> impl ExactSizeIterator<Item = u64> + '_ {
        self.seconds.iter().copied()
    }

    /// The largest value kept: the scale of the graph.
    pub fn peak(&self) -> u64 {
        self.seconds.iter().copied().max().unwrap_or(0)
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn a_steady_stream_has_a_steady_rate() {
        let mut rate = Rate::default();
        for step in 0..200 {
            rate.sample(at(step * 66), step * 66 * 1000);
        }
        assert!((rate.per_second() - 1_000_000.0).abs() < 1.0);
    }

    #[test]
    fn silence_brings_the_rate_to_nothing_within_the_window() {
        let mut rate = Rate::default();
        rate.sample(at(0), 0);
        rate.sample(at(1000), 5_000_000);
        assert!(rate.per_second() > 4_000_000.0);
        for step in 0..20 {
            rate.sample(at(1000 + step * 250), 5_000_000);
        }
        assert!(rate.per_second() < 1.0, "{}", rate.per_second());
    }

    #[test]
    fn two_samples_at_one_instant_divide_by_nothing() {
        let mut rate = Rate::default();
        rate.sample(at(5), 0);
        rate.sample(at(5), 100);
        assert!(rate.per_second().abs() < f64::EPSILON);
    }

    #[test]
    fn memory_of_a_rate_is_bounded() {
        let mut rate = Rate::default();
        for step in 0..100_000 {
            rate.sample(at(step), step);
        }
        assert!(rate.samples.len() <= SLOTS + 1);
    }

    #[test]
    fn a_late_sample_is_spread_over_the_seconds_it_covers() {
        let mut history = History::default();
        history.sample(at(0), 0);
        history.sample(at(1000), 10);
        history.sample(at(4000), 40);
        assert_eq!(history.values().collect::<Vec<_>>(), [10, 10, 10, 10]);
        history.sample(at(1_000_000), 40);
        assert_eq!(history.values().len(), History::LENGTH);
        assert_eq!(history.peak(), 0);
    }
}
