//! The serving half's side of an upload: which of its frames is due, and whether it fits.
//!
//! Knows what a put announced and where its payload stands: blocks in any order,
//! each whole, no more of them than were wanted. It counts blocks and remembers
//! none, so an announced size costs nothing. Which blocks have come, and whether
//! they agree with their values, it must never know: that is the store's.

use super::block::{bytes, count, is_edge, reach, total};
use super::frame::{self, Type};
use super::{SPANS_MAX, payload, upload};
use crate::entity::Root;
use crate::net::wire::codec::{Check, Malformed, Pace, Piece, Refusal, Span, Terms};

/// An upload that was asked for and is not answered.
#[derive(Clone, Copy, Debug)]
pub(super) struct Intake {
    size: u64,
    check: Check,
    pace: Pace,
    /// The bytes whose blocks may come: all, or those of a share.
    within: (u64, u64),
    stage: Stage,
    /// Blocks that may still come: a sender who repeats them would never end.
    left: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// Nothing is said yet; no payload before it is.
    Asked,
    /// A block or the end is due.
    Between,
    /// A run was handed on; its end is due.
    Within,
    /// All was said by the peer; the verdict is ours.
    Over,
}

impl Intake {
    pub(super) const fn new(size: u64, terms: &Terms) -> Self {
        Self {
            size,
            check: terms.check,
            pace: terms.pace,
            within: match terms.pace {
                Pace::Asked | Pace::Eager => (0, size),
                Pace::Share(share) => bytes(share, size),
            },
            stage: match terms.pace {
                Pace::Asked | Pace::Share(_) => Stage::Asked,
                Pace::Eager => Stage::Between,
            },
            left: wanted(size, terms.pace),
        }
    }

    /// Which frames of the payload are due; none where no payload is.
    pub(super) const fn due(&self) -> &'static [Type] {
        match self.stage {
            Stage::Asked | Stage::Over => &[],
            Stage::Between => &[Type::Block, Type::End],
            Stage::Within => &[Type::BlockEnd],
        }
    }

    /// Whether anything of the payload is due.
    pub(super) const fn is_due(&self) -> bool {
        matches!(self.stage, Stage::Between | Stage::Within)
    }

    /// Says what is here, and opens the payload. Where it is open already, nothing
    /// is said: the peer did not wait for it.
    pub(super) fn here(&mut self, blocks: &[Span], out: &mut Vec<u8>) {
        if self.stage != Stage::Asked {
            return;
        }
        // What is not said to be here comes once more: harmless.
        let blocks = &blocks[..blocks.len().min(SPANS_MAX)];
        self.left = wanted(self.size, self.pace).saturating_sub(total(blocks));
        self.stage = Stage::Between;
        upload::put_spans(Type::Here, blocks, out);
    }

    /// Says what must come again, and opens the payload for that.
    ///
    /// # Errors
    /// It cannot: behind an eager put the next request follows.
    pub(super) fn again(&mut self, blocks: &[Span], out: &mut Vec<u8>) -> Result<(), Refusal> {
        if self.pace == Pace::Eager || self.stage != Stage::Over {
            return Err(Refusal::Corrupt);
        }
        let mut blocks = blocks.to_vec();
        if let Some(rest) = blocks.get(SPANS_MAX..)
            && let Some(end) = rest
                .last()
                .map(|span| span.first.saturating_add(span.count))
        {
            // What comes once more than it must is harmless.
            blocks.truncate(SPANS_MAX);
            if let Some(last) = blocks.last_mut() {
                last.count = end.saturating_sub(last.first);
            }
        }
        self.left = total(&blocks);
        self.stage = Stage::Between;
        upload::put_spans(Type::Again, &blocks, out);
        Ok(())
    }

    /// What a refusal leaves: nothing where the peer has yet to be told to send or has
    /// sent all; else the payload, which is on its way.
    pub(super) fn refused(self) -> Option<Self> {
        self.is_due().then_some(self)
    }

    /// Reads the next frame of the payload.
    pub(super) fn piece(&mut self, input: &[u8]) -> Result<Option<(usize, Piece)>, Malformed> {
        let heard = match self.stage {
            Stage::Asked | Stage::Over => {
                return Err(Malformed::new("order", "no payload is due"));
            }
            Stage::Between => self.between(input)?,
            Stage::Within => self.within(input)?,
        };
        if let Some((_, piece)) = &heard {
            self.stage = match piece {
                Piece::Run { .. } => Stage::Within,
                Piece::Sealed { .. } => Stage::Between,
                Piece::End { .. } | Piece::GivenUp(_) => Stage::Over,
            };
            if let Piece::Run { .. } = piece {
                self.left -= 1;
            }
        }
        Ok(heard)
    }

    fn between(&self, input: &[u8]) -> Result<Option<(usize, Piece)>, Malformed> {
        let Some(frame) = frame::take(input, self.due())? else {
            return Ok(None);
        };
        let piece = match frame.kind {
            Type::Block => self.run(frame.body)?,
            _ => match payload::end(frame.body)? {
                Ok(root) => Piece::End {
                    root: root.map(Root),
                },
                Err(refusal) => Piece::GivenUp(refusal),
            },
        };
        Ok(Some((frame.used, piece)))
    }

    fn run(&self, body: &[u8]) -> Result<Piece, Malformed> {
        // A version says nothing here: the file is only coming into being.
        let (offset, len, _) = payload::block(body)?;
        let fault = |detail: String| Err(Malformed::new("block", detail));
        if offset >= self.size || !is_edge(offset, self.size) {
            return fault(format!("a block at {offset} of {} bytes", self.size));
        }
        let (from, until) = self.within;
        if offset < from || offset >= until {
            return fault(format!(
                "a block at {offset} in a share of bytes {from} to {until}"
            ));
        }
        let due = reach(offset, self.size - offset);
        if len != due {
            return fault(format!(
                "a block of {len} bytes at {offset} where {due} were due"
            ));
        }
        if self.left == 0 {
            return fault("a block more than was wanted".to_owned());
        }
        Ok(Piece::Run { offset, len })
    }

    fn within(&self, input: &[u8]) -> Result<Option<(usize, Piece)>, Malformed> {
        let Some((used, ending)) = payload::sealed(input)? else {
            return Ok(None);
        };
        let piece = match ending {
            Err(refusal) => Piece::GivenUp(refusal),
            Ok(None) if self.check != Check::None => {
                return Err(Malformed::new("value", "a block without its value"));
            }
            Ok(value) => Piece::Sealed { value },
        };
        Ok(Some((used, piece)))
    }
}

/// How many blocks may come at the most.
const fn wanted(size: u64, pace: Pace) -> u64 {
    match pace {
        Pace::Asked | Pace::Eager => count(size),
        Pace::Share(share) => share.count,
    }
}

#[cfg(test)]
#[path = "intake_tests.rs"]
mod tests;
