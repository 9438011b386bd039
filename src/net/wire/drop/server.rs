//! drop's serving half: the name, a guess at the size, and the count of what came.
//!
//! Knows whether the port is drop's own, because only there a name may come
//! without a size. It never has anything to say.

use super::digits::{Digits, too_long};
use super::{DIGITS, HEAD_MAX};
use crate::entity::{Dialect, Outcome, RemotePath, Speak};
use crate::net::wire::codec::{
    After, Cue, Finale, Malformed, Payload, Refusal, Reply, Request, ServerCodec, Take,
};
use crate::net::wire::text::{Text, text};

/// The most digits that are read as a size somebody meant: those of 128 bits.
const MEANT: usize = 39;

/// The serving half of drop, one a connection.
#[derive(Clone, Debug)]
pub struct Server {
    speak: Speak,
    stage: Stage,
}

#[derive(Clone, Debug)]
enum Stage {
    /// Nothing has come.
    Silent,
    /// A name has begun.
    Header,
    Sized(Digits),
    /// All that comes is content.
    Sizeless,
}

impl Server {
    /// For a port that speaks only drop, or one where it was told from others.
    pub const fn new(speak: Speak) -> Self {
        Self {
            speak,
            stage: Stage::Silent,
        }
    }

    /// The header of an older client, if the first read may be one.
    fn sizeless(&mut self, input: &[u8], first: &Stage) -> Option<(usize, Request)> {
        let alone = self.speak == Speak::Only(Dialect::Drop);
        if !(alone && matches!(first, Stage::Silent) && text(input) == Text::Whole) {
            return None;
        }
        self.stage = Stage::Sizeless;
        let path = RemotePath::new(input);
        Some((input.len(), Request::Put { path, size: None }))
    }
}

impl Payload for Server {
    fn take(&mut self, input: &[u8], cue: Cue) -> Result<Take, Malformed> {
        let end = match &mut self.stage {
            Stage::Silent | Stage::Header => {
                return Err(Malformed::new("order", "no payload is due"));
            }
            Stage::Sized(digits) => {
                digits.pass(input);
                match cue {
                    Cue::Close => Some(digits.settle()?),
                    Cue::Bytes | Cue::Quiet => None,
                }
            }
            Stage::Sizeless => {
                (cue == Cue::Close).then(|| Finale::new(Outcome::EndedNotProvable, 0))
            }
        };
        Ok(Take {
            content: input.len(),
            end,
        })
    }
}

impl ServerCodec for Server {
    fn dialect(&self) -> Dialect {
        Dialect::Drop
    }

    fn head_limit(&self) -> usize {
        HEAD_MAX
    }

    /// Named exception from the cut law: the size is a guess from the digits that
    /// came together, and on a port of its own the first read may be a whole name.
    fn decode(&mut self, input: &[u8]) -> Result<Option<(usize, Request)>, Malformed> {
        if input.is_empty() {
            return Ok(None);
        }
        let first = std::mem::replace(&mut self.stage, Stage::Header);
        let front = &input[..input.len().min(HEAD_MAX)];
        let Some(space) = front.iter().position(|&byte| byte == b' ') else {
            if text(front) == Text::No {
                return Err(name_fault());
            }
            if input.len() >= HEAD_MAX {
                let detail = format!("{HEAD_MAX} bytes without a size");
                return Err(Malformed::new("length", detail));
            }
            return Ok(self.sizeless(input, &first));
        };
        let (name, behind) = (&input[..space], &input[space + 1..]);
        if name.is_empty() || text(name) != Text::Whole {
            return Err(name_fault());
        }
        let run = behind.iter().take_while(|byte| byte.is_ascii_digit());
        let digits = &behind[..run.count()];
        match (digits.len(), behind.len()) {
            (0, 0) => return Ok(None),
            (0, _) => {
                let detail = format!("byte 0x{:02X} where a digit of the size was due", behind[0]);
                return Err(Malformed::new("length", detail));
            }
            // Either a size nobody can have, or content of which more follows.
            (run, all) if run == all && is_meant(run) => return Ok(None),
            _ => {}
        }
        let guess = Digits::guess(digits);
        let used = space + 1 + digits.len().min(DIGITS);
        let request = Request::Put {
            path: RemotePath::new(name),
            size: (digits.len() <= DIGITS).then(|| guess.size()),
        };
        self.stage = Stage::Sized(guess);
        Ok(Some((used, request)))
    }

    fn decode_on(&mut self, input: &[u8], cue: Cue) -> Result<Option<(usize, Request)>, Malformed> {
        match (cue, size_alone(input)) {
            (Cue::Quiet | Cue::Close, Some(digits)) => Err(too_long(digits)),
            _ => Ok(None),
        }
    }

    fn minds_quiet(&self) -> bool {
        true
    }

    fn wants(&self, _input: &[u8]) -> Option<usize> {
        None
    }

    fn eof(&self, input: &[u8]) -> Result<(), Malformed> {
        if input.is_empty() {
            return Ok(());
        }
        if let Some(digits) = size_alone(input) {
            return Err(too_long(digits));
        }
        let detail = format!("closed after {} bytes of a header", input.len());
        Err(Malformed::new("short", detail))
    }

    fn encode(&mut self, reply: &Reply, _out: &mut Vec<u8>) -> After {
        match reply {
            Reply::Ready => After::Next,
            Reply::Content(_)
            | Reply::Welcome(_)
            | Reply::Page(_)
            | Reply::Stat { .. }
            | Reply::Renamed
            | Reply::Help
            | Reply::Heard
            | Reply::Pong { .. }
            | Reply::Proof(_)
            | Reply::Values(_)
            | Reply::Stretch { .. }
            | Reply::Here { .. }
            | Reply::Again { .. }
            | Reply::Stored(_)
            | Reply::Done
            | Reply::Wait { .. }
            | Reply::Refused(_) => After::Close,
        }
    }

    fn size_limit(&self) -> u64 {
        super::SIZE_MAX
    }

    fn next_run(&mut self, _at: u64, left: u64, _out: &mut Vec<u8>) -> u64 {
        left
    }

    fn finish(&mut self, _spoilt: Option<Refusal>, _out: &mut Vec<u8>) -> After {
        After::Close
    }
}

/// Whether so many digits are too many for a size, and few enough to be meant for one.
fn is_meant(digits: usize) -> bool {
    (DIGITS + 1..=MEANT).contains(&digits)
}

/// How many digits, if a size of too many of them is all there is behind the name.
fn size_alone(input: &[u8]) -> Option<u64> {
    let space = input.iter().position(|&byte| byte == b' ')?;
    let digits = &input[space + 1..];
    let alone = is_meant(digits.len()) && digits.iter().all(u8::is_ascii_digit);
    alone.then_some(digits.len() as u64)
}

fn name_fault() -> Malformed {
    let detail = "a name that is empty, not UTF-8, or has a control character in it";
    Malformed::new("name", detail)
}
