//! The asking half's side of a download: where its content stands, and what may follow.
//!
//! Knows the content that was announced, in runs (get) or in blocks that are cut
//! where everybody cuts them (a stretch). A gap, an overlap, a byte too many, a
//! block without its value are malformed. It must never know where the payload
//! goes, or whether a value is true.

use super::block::reach;
use super::frame::{self, Type};
use super::{BLOCK_MAX, payload};
use crate::entity::Root;
use crate::net::wire::codec::{Answer, Check, Content, Malformed, Version};

/// A content under way.
#[derive(Clone, Debug)]
pub(super) struct Transfer {
    /// Where the next block must begin.
    pub(super) next: u64,
    /// The byte behind the last one that comes.
    pub(super) until: u64,
    version: Option<Version>,
    cut: Cut,
    block: Block,
}

/// How the payload is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cut {
    /// Anyhow.
    Runs,
    /// In the file's own blocks.
    Blocks(Check),
}

/// Whether a block's run was handed on and its end not yet heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Block {
    Closed,
    Open,
}

type Heard = Result<Option<(usize, Answer)>, Malformed>;

impl Transfer {
    /// The answer to a get has begun.
    pub(super) fn runs(content: &Content) -> Self {
        Self {
            next: content.offset,
            until: content.size,
            version: content.version.clone(),
            cut: Cut::Runs,
            block: Block::Closed,
        }
    }

    /// The answer to a get of a stretch has begun.
    pub(super) fn blocks(content: &Content, until: u64, check: Check) -> Self {
        Self {
            until,
            cut: Cut::Blocks(check),
            ..Self::runs(content)
        }
    }

    /// Notes that a run was handed on.
    pub(super) const fn ran(&mut self, len: u64) {
        self.next += len;
        self.block = Block::Open;
    }

    /// Notes that a block is over.
    pub(super) const fn sealed(&mut self) {
        self.block = Block::Closed;
    }

    /// Reads what stands before the next run, or behind one.
    pub(super) fn hear(&self, input: &[u8]) -> Heard {
        match (self.cut, self.block) {
            (Cut::Runs, _) => self.hear_run(input),
            (Cut::Blocks(check), Block::Open) => hear_seal(input, check),
            (Cut::Blocks(_), Block::Closed) => self.hear_block(input),
        }
    }

    /// Where blocks have no values, a block-end says nothing by itself, so it is taken
    /// together with the frame behind it.
    fn hear_run(&self, input: &[u8]) -> Heard {
        let (mut used, mut spoilt) = (0, None);
        if self.block == Block::Open {
            let Some(frame) = frame::take(input, &[Type::BlockEnd])? else {
                return Ok(None);
            };
            used = frame.used;
            spoilt = payload::end(frame.body)?.err();
        }
        let due: &[Type] = match spoilt {
            None if self.next < self.until => &[Type::Block, Type::End],
            _ => &[Type::End],
        };
        let rest = input.get(used..).unwrap_or_default();
        let Some(frame) = frame::take(rest, due)? else {
            return Ok(None);
        };
        let answer = match frame.kind {
            Type::Block => self.run(frame.body)?,
            _ => match (spoilt, payload::end(frame.body)?) {
                (_, Err(refusal)) => Answer::Refused { refusal },
                (Some(_), Ok(_)) => {
                    return Err(Malformed::new("end", "a good end behind a spoilt block"));
                }
                (None, Ok(_)) => self.check_whole().map(|()| Answer::End)?,
            },
        };
        Ok(Some((used + frame.used, answer)))
    }

    fn hear_block(&self, input: &[u8]) -> Heard {
        let due: &[Type] = if self.next < self.until {
            &[Type::Block, Type::End]
        } else {
            &[Type::End]
        };
        let Some(frame) = frame::take(input, due)? else {
            return Ok(None);
        };
        let answer = match frame.kind {
            Type::Block => self.run(frame.body)?,
            _ => match payload::end(frame.body)? {
                Err(refusal) => Answer::Refused { refusal },
                Ok(root) => {
                    self.check_whole()?;
                    let root = root.map(Root);
                    Answer::Closed { root }
                }
            },
        };
        Ok(Some((frame.used, answer)))
    }

    fn run(&self, body: &[u8]) -> Result<Answer, Malformed> {
        let (offset, len, version) = payload::block(body)?;
        let fault = |detail: String| Err(Malformed::new("block", detail));
        if offset != self.next {
            return fault(format!("a block at {offset} where {} was due", self.next));
        }
        let left = self.until - self.next;
        match self.cut {
            Cut::Runs if !(1..=BLOCK_MAX).contains(&len) => {
                return fault(format!("a block of {len} bytes"));
            }
            Cut::Runs if len > left => {
                return fault(format!("a block of {len} bytes passes the end"));
            }
            Cut::Blocks(_) if len != reach(offset, left) => {
                let due = reach(offset, left);
                return fault(format!("a block of {len} bytes where {due} were due"));
            }
            Cut::Runs | Cut::Blocks(_) => {}
        }
        let agrees = version == self.version || version.is_none() && self.cut != Cut::Runs;
        if !agrees {
            let detail = "a block of another content";
            return Err(Malformed::new("version", detail));
        }
        Ok(Answer::Run { offset, len })
    }

    fn check_whole(&self) -> Result<(), Malformed> {
        if self.next == self.until {
            return Ok(());
        }
        let detail = format!("the end after {} of {} bytes", self.next, self.until);
        Err(Malformed::new("short", detail))
    }
}

fn hear_seal(input: &[u8], check: Check) -> Heard {
    let Some((used, ending)) = payload::sealed(input)? else {
        return Ok(None);
    };
    let answer = match ending {
        Err(refusal) => Answer::Refused { refusal },
        Ok(None) if check != Check::None => {
            return Err(Malformed::new("value", "a block without its value"));
        }
        Ok(value) => Answer::Sealed { value },
    };
    Ok(Some((used, answer)))
}

#[cfg(test)]
#[path = "transfer_tests.rs"]
mod tests;
