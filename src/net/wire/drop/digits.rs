//! The one reading of the digits: how many of them are the size.
//!
//! Knows the digits in a row behind the first SP, whoever they belong to, and
//! how many bytes have come behind that SP. It must never know a name.

use super::DIGITS;
use crate::entity::Outcome;
use crate::net::wire::codec::{Finale, Malformed};

/// The digits behind the SP and the bytes that follow.
#[derive(Clone, Debug)]
pub(super) struct Digits {
    /// The first of the run, 19 at the most.
    first: Vec<u8>,
    /// How long the run is.
    run: u64,
    open: Open,
    /// How many were taken for the size.
    guess: usize,
    /// Bytes that have come behind the SP, the digits among them.
    bytes: u64,
}

/// Whether the next byte may still belong to the run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Open {
    Yes,
    No,
}

/// What some digits say; 19 of them fit.
fn value(digits: &[u8]) -> u64 {
    digits
        .iter()
        .fold(0, |value, digit| value * 10 + u64::from(digit - b'0'))
}

impl Digits {
    /// Takes all these digits for the size, but no more than 19.
    pub(super) fn guess(digits: &[u8]) -> Self {
        let guess = digits.len().min(DIGITS);
        let mut new = Self {
            first: Vec::with_capacity(DIGITS),
            run: 0,
            open: Open::Yes,
            guess,
            bytes: 0,
        };
        new.pass(&digits[..guess]);
        new
    }

    /// The size, if the guess is right.
    pub(super) fn size(&self) -> u64 {
        value(&self.first[..self.guess])
    }

    /// Counts bytes behind the guess.
    pub(super) fn pass(&mut self, bytes: &[u8]) {
        self.bytes += bytes.len() as u64;
        if self.open == Open::No {
            return;
        }
        let digits = bytes.iter().take_while(|byte| byte.is_ascii_digit());
        let more = digits.count();
        let room = (DIGITS - self.first.len()).min(more);
        self.first.extend_from_slice(&bytes[..room]);
        self.run += more as u64;
        if more < bytes.len() {
            self.open = Open::No;
        }
    }

    /// All bytes have come: which reading fits.
    pub(super) fn settle(&self) -> Result<Finale, Malformed> {
        let fits = (1..=self.first.len())
            .find(|&len| self.bytes.checked_sub(len as u64) == Some(value(&self.first[..len])));
        let Some(len) = fits else {
            return Err(self.misfit());
        };
        let outcome = if len as u64 == self.run {
            Outcome::CompleteLength
        } else {
            Outcome::EndedNotProvable
        };
        let prepend = self.first.get(len..self.guess).unwrap_or_default();
        Ok(Finale {
            prepend: prepend.to_vec(),
            cut: len.saturating_sub(self.guess) as u64,
            ..Finale::new(outcome, 0)
        })
    }

    fn misfit(&self) -> Malformed {
        if self.run > DIGITS as u64 {
            return too_long(self.run);
        }
        let (size, came) = (value(&self.first), self.bytes - self.run);
        let cause = if came < size { "short" } else { "excess" };
        Malformed::new(cause, format!("{came} of {size} bytes came"))
    }
}

/// A size of more digits than a size has.
pub(super) fn too_long(digits: u64) -> Malformed {
    let detail = format!("a size of {digits} digits; drop has 1 to {DIGITS}");
    Malformed::new("length", detail)
}
