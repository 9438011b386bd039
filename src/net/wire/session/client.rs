//! session's asking half: one question at a time, and where a download ends.
//!
//! Knows the words the original server says; what it does not know it waits for
//! until silence tells that the line is whole. It must never know where the
//! content goes.

use super::marker::{leading, long_run, trailing};
use super::{GET_READY, HELP, MARKER, PUT_READY, RENAME_REFUSED, RENAMED, TEXT_MAX, put_message};
use crate::entity::{Dialect, Outcome, RemotePath};
use crate::net::wire::codec::{
    After, Answer, ClientCodec, Cue, Finale, Malformed, Payload, Refusal, Request, Take,
};

/// The asking half of session, one a connection.
#[derive(Clone, Copy, Debug, Default)]
pub struct Client {
    stage: Stage,
    spaces: Spaces,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Stage {
    /// Nothing is asked.
    #[default]
    Idle,
    Asked(Asked),
    /// A content comes; `take` tells its end.
    Taking,
    /// A content goes; `finish` tells its end.
    Sending,
    /// The server has nothing more to say but its close.
    Over,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asked {
    Get,
    Put,
    Rename,
    Help,
}

impl Asked {
    /// The lines that are known, with what they say.
    fn lines(self) -> &'static [(&'static str, Told)] {
        match self {
            Self::Get => &[(GET_READY, Told::Stream)],
            Self::Put => &[(PUT_READY, Told::Ready)],
            Self::Rename => &[(RENAMED, Told::Renamed), (RENAME_REFUSED, Told::NotFound)],
            Self::Help => &[],
        }
    }
}

#[derive(Clone, Copy, Debug)]
enum Told {
    Stream,
    Ready,
    Renamed,
    NotFound,
}

/// The run of spaces that a file's chunks end with so far.
#[derive(Clone, Copy, Debug, Default)]
struct Spaces {
    run: usize,
    /// Where the next chunk has to begin for the run to go on.
    at: u64,
}

impl Client {
    /// A known line at the front of `input`.
    fn known(&mut self, asked: Asked, input: &[u8]) -> Option<(usize, Answer)> {
        let &(line, told) = asked
            .lines()
            .iter()
            .find(|(line, _)| input.starts_with(line.as_bytes()))?;
        let (stage, answer) = match told {
            Told::Stream => (Stage::Taking, Answer::Stream),
            Told::Ready => (Stage::Sending, Answer::Ready),
            Told::Renamed => (Stage::Idle, Answer::Renamed),
            Told::NotFound => {
                let refusal = Refusal::NotFound;
                (Stage::Idle, Answer::Refused { refusal })
            }
        };
        self.stage = stage;
        Some((line.len(), answer))
    }

    /// A whole line that is not known.
    fn unknown(&mut self, asked: Asked, line: &[u8]) -> Result<(usize, Answer), Malformed> {
        let (stage, answer) = match asked {
            Asked::Get => {
                let detail = format!("something other than {GET_READY}");
                return Err(Malformed::new("reply", detail));
            }
            Asked::Put => {
                let refusal = Refusal::NotAllowed;
                (Stage::Over, Answer::Refused { refusal })
            }
            Asked::Rename => {
                let refusal = Refusal::Unsupported;
                (Stage::Idle, Answer::Refused { refusal })
            }
            Asked::Help => {
                let text = String::from_utf8_lossy(line).into_owned();
                (Stage::Idle, Answer::Help { text })
            }
        };
        self.stage = stage;
        Ok((line.len(), answer))
    }
}

/// Whether `input` may still become one of the known lines.
fn may_become_known(asked: Asked, input: &[u8]) -> bool {
    let mut lines = asked.lines().iter();
    lines.any(|(line, _)| line.as_bytes().starts_with(input))
}

/// A name as a message carries it.
fn name(path: &RemotePath) -> Result<&str, Malformed> {
    let fault = |detail: &str| Err(Malformed::new("name", detail));
    match path.as_str() {
        None => fault("a name that is not UTF-8"),
        Some("") => fault("a name of 0 bytes"),
        Some(text) if text.contains(' ') => fault("session has no names with spaces"),
        Some(text) if text.chars().any(char::is_control) => {
            fault("a name with a control character in it")
        }
        Some(text) => Ok(text),
    }
}

/// What must be said, and what its answer is held against.
fn message(request: &Request) -> Result<(String, Stage), Malformed> {
    let unsupported = |detail: String| Err(Malformed::new("unsupported", detail));
    let (text, stage) = match request {
        Request::Get {
            offset, version, ..
        } if *offset != 0 || version.is_some() => {
            return unsupported("session fetches whole files only, as they are".to_owned());
        }
        Request::Get { path, .. } => (format!("g {}", name(path)?), Stage::Asked(Asked::Get)),
        Request::Put { path, .. } => (format!("p {}", name(path)?), Stage::Asked(Asked::Put)),
        Request::Rename { from, to } => (
            format!("c {} {}", name(from)?, name(to)?),
            Stage::Asked(Asked::Rename),
        ),
        Request::Help => ("help".to_owned(), Stage::Asked(Asked::Help)),
        Request::Bye => ("!DISCONNECT".to_owned(), Stage::Over),
        Request::Hello { .. }
        | Request::List { .. }
        | Request::Stat { .. }
        | Request::Prove { .. }
        | Request::Fetch { .. }
        | Request::Tree { .. }
        | Request::Store { .. }
        | Request::MakeFolder { .. }
        | Request::Delete { .. }
        | Request::Aside
        | Request::Other
        | Request::Ping { .. } => {
            return unsupported(format!("session has no {}", request.label()));
        }
    };
    if text.len() > TEXT_MAX {
        let detail = format!(
            "a message of {} bytes; session takes {TEXT_MAX}",
            text.len()
        );
        return Err(Malformed::new("name", detail));
    }
    Ok((text, stage))
}

/// How many bytes at the end of `input` may belong to the marker and the text
/// behind it, and whether they are all of it.
fn tail(input: &[u8]) -> (usize, bool) {
    for len in (1..=HELP.len()).rev() {
        let Some(content) = input.strip_suffix(&HELP.as_bytes()[..len]) else {
            continue;
        };
        if trailing(content) == MARKER {
            return (MARKER + len, len == HELP.len());
        }
    }
    (trailing(input), false)
}

impl Payload for Client {
    fn take(&mut self, input: &[u8], cue: Cue) -> Result<Take, Malformed> {
        let (held, whole) = tail(input);
        let end = match cue {
            Cue::Quiet | Cue::Close if whole => {
                self.stage = Stage::Idle;
                Some(Finale::new(Outcome::EndedNotProvable, held))
            }
            Cue::Close => {
                let detail = "closed before the 1,024 spaces and the text of help";
                return Err(Malformed::new("marker", detail));
            }
            Cue::Bytes | Cue::Quiet => None,
        };
        let content = input.len() - held;
        Ok(Take { content, end })
    }
}

impl ClientCodec for Client {
    fn dialect(&self) -> Dialect {
        Dialect::Session
    }

    fn greet(&mut self, _name: &str, _out: &mut Vec<u8>) -> bool {
        false
    }

    fn ask(&mut self, request: &Request, out: &mut Vec<u8>) -> Result<(), Malformed> {
        let (text, stage) = message(request)?;
        match self.stage {
            Stage::Idle => {}
            Stage::Over => return Err(Malformed::new("order", "the talk is over")),
            Stage::Asked(_) | Stage::Taking | Stage::Sending => {
                let detail = "session has one question at a time";
                return Err(Malformed::new("order", detail));
            }
        }
        put_message(&text, out);
        if stage == Stage::Asked(Asked::Get) {
            // Its answer is how the end of the content is told.
            put_message("help", out);
        }
        self.stage = stage;
        Ok(())
    }

    fn decode(&mut self, input: &[u8]) -> Result<Option<(usize, Answer)>, Malformed> {
        let asked = match self.stage {
            Stage::Asked(asked) => asked,
            Stage::Idle | Stage::Sending if !input.is_empty() => {
                return Err(Malformed::new("order", "an answer nobody asked for"));
            }
            Stage::Idle | Stage::Sending | Stage::Taking => return Ok(None),
            Stage::Over => {
                // What a server says that is about to close; nobody waits for it.
                return Ok(None);
            }
        };
        if let Some(heard) = self.known(asked, input) {
            return Ok(Some(heard));
        }
        match input.get(..TEXT_MAX) {
            Some(line) => self.unknown(asked, line).map(Some),
            None if asked == Asked::Get && !may_become_known(asked, input) => {
                self.unknown(asked, input).map(Some)
            }
            None => Ok(None),
        }
    }

    fn answer_on(&mut self, input: &[u8], cue: Cue) -> Result<Option<(usize, Answer)>, Malformed> {
        match (self.stage, cue) {
            (Stage::Asked(asked), Cue::Quiet | Cue::Close)
                if !input.is_empty() && !may_become_known(asked, input) =>
            {
                self.unknown(asked, input).map(Some)
            }
            _ => Ok(None),
        }
    }

    fn minds_quiet(&self) -> bool {
        true
    }

    /// `at` is looked at only to tell the next chunk from the first of another file.
    fn vet(&mut self, chunk: &[u8], at: u64) -> Result<(), Malformed> {
        let Spaces { run, at: due } = self.spaces;
        let run = if at == due { run } else { 0 };
        let ahead = leading(chunk);
        let found = match long_run(chunk, 0) {
            _ if run + ahead >= MARKER => Some(at - run as u64),
            Some(found) => Some(at + found.start as u64),
            None => None,
        };
        if let Some(offset) = found {
            return Err(Malformed::new(
                "spaces",
                format!(
                    "1,024 spaces in a row from byte {offset} on: \
                     session would end the file there"
                ),
            ));
        }
        self.spaces = Spaces {
            run: if ahead == chunk.len() {
                run + ahead
            } else {
                trailing(chunk)
            },
            at: at + chunk.len() as u64,
        };
        Ok(())
    }

    fn vets(&self) -> bool {
        true
    }

    fn finish(&mut self, out: &mut Vec<u8>) -> After {
        out.resize(out.len() + MARKER, b' ');
        self.stage = Stage::Idle;
        After::Next
    }

    fn proof(&self) -> Outcome {
        Outcome::EndedNotProvable
    }

    fn eof(&mut self, input: &[u8]) -> Result<Answer, Malformed> {
        let stage = std::mem::replace(&mut self.stage, Stage::Over);
        let refused = |refusal| Ok(Answer::Refused { refusal });
        match stage {
            // A close without a word is all that is said of a missing file.
            Stage::Asked(Asked::Get) if input.is_empty() => refused(Refusal::NotFound),
            Stage::Asked(Asked::Put) => refused(Refusal::NotAllowed),
            Stage::Asked(_) => Err(Malformed::new(
                "short",
                format!("closed after {} bytes of the answer", input.len()),
            )),
            Stage::Taking => Err(Malformed::new("short", "closed within the content")),
            Stage::Sending => Err(Malformed::new("closed", "closed before it had everything")),
            Stage::Idle => Err(Malformed::new("closed", "the server has closed")),
            Stage::Over => Ok(Answer::End),
        }
    }

    fn quiet(&mut self) -> Option<Answer> {
        None
    }

    fn head_limit(&self) -> usize {
        TEXT_MAX
    }
}

#[cfg(test)]
#[path = "client_tests.rs"]
mod tests;
