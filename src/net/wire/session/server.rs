//! session's serving half: which message it is, and where an upload ends.
//!
//! Knows the last request, because a refusal is said in its words. It must never
//! know who may do what: that is the connection's to say.

use super::marker::{long_run, trailing};
use super::{
    GET_READY, HEADER, HEARD, HELP, MARKER, PUT_READY, PUT_REFUSED, RENAME_REFUSED, RENAMED,
    TEXT_MAX, header,
};
use crate::entity::{Dialect, Outcome, RemotePath};
use crate::net::wire::codec::{
    After, Cue, Finale, Gait, Malformed, Payload, Refusal, Reply, Request, ServerCodec, Take,
};

/// The serving half of session, one a connection.
#[derive(Clone, Copy, Debug, Default)]
pub struct Server {
    asked: Asked,
}

/// What the last message was, as far as a refusal's words depend on it.
#[derive(Clone, Copy, Debug, Default)]
enum Asked {
    #[default]
    Other,
    Put,
    Rename,
}

/// What a message's text asks. Pieces beyond those needed are ignored, as its
/// own programs do.
fn request(text: &[u8]) -> Request {
    let Ok(text) = std::str::from_utf8(text) else {
        return Request::Other;
    };
    let mut pieces = text.split(' ');
    let command = pieces.next().unwrap_or_default();
    let mut name = || {
        let piece = pieces.next().filter(|piece| !piece.is_empty());
        piece.map(RemotePath::from)
    };
    let asked = match (text, command) {
        ("help", _) => Some(Request::Help),
        ("!DISCONNECT", _) => Some(Request::Bye),
        (_, "p") => name().map(|path| Request::Put { path, size: None }),
        (_, "g") => name().map(|path| Request::Get {
            path,
            offset: 0,
            version: None,
        }),
        (_, "c") => match (name(), name()) {
            (Some(from), Some(to)) => Some(Request::Rename { from, to }),
            _ => None,
        },
        _ => None,
    };
    asked.unwrap_or(Request::Other)
}

impl Payload for Server {
    fn take(&mut self, input: &[u8], cue: Cue) -> Result<Take, Malformed> {
        let mut from = 0;
        let held = loop {
            let Some(run) = long_run(input, from) else {
                break trailing(&input[from..]);
            };
            let behind = &input[run.end..];
            let ends = match header(behind) {
                Ok(Some(_)) => true,
                Ok(None) => behind.is_empty() && cue != Cue::Bytes,
                Err(_) => {
                    from = run.end;
                    continue;
                }
            };
            if ends {
                return Ok(Take {
                    content: run.end - MARKER,
                    end: Some(Finale::new(Outcome::EndedNotProvable, MARKER)),
                });
            }
            break MARKER + behind.len();
        };
        if cue == Cue::Close {
            let detail = "the upload ended without its 1,024 spaces";
            return Err(Malformed::new("marker", detail));
        }
        Ok(Take {
            content: input.len() - held,
            end: None,
        })
    }
}

impl ServerCodec for Server {
    fn dialect(&self) -> Dialect {
        Dialect::Session
    }

    fn head_limit(&self) -> usize {
        HEADER + TEXT_MAX
    }

    fn decode(&mut self, input: &[u8]) -> Result<Option<(usize, Request)>, Malformed> {
        let Some(length) = header(input)? else {
            return Ok(None);
        };
        let Some(text) = input.get(HEADER..HEADER + length) else {
            return Ok(None);
        };
        let request = request(text);
        self.asked = match request {
            Request::Put { .. } => Asked::Put,
            Request::Rename { .. } => Asked::Rename,
            _ => Asked::Other,
        };
        Ok(Some((HEADER + length, request)))
    }

    fn minds_quiet(&self) -> bool {
        true
    }

    fn proof(&self) -> Outcome {
        Outcome::EndedNotProvable
    }

    fn gait(&self) -> Gait {
        Gait::Apart
    }

    fn wants(&self, input: &[u8]) -> Option<usize> {
        match header(input) {
            Ok(length) => Some(HEADER + length.unwrap_or(0)),
            Err(_) => None,
        }
    }

    fn eof(&self, input: &[u8]) -> Result<(), Malformed> {
        if input.is_empty() {
            return Ok(());
        }
        let want = HEADER + header(input)?.unwrap_or(0);
        if input.len() >= want {
            return Ok(());
        }
        Err(Malformed::new(
            "short",
            format!("message incomplete: {} of {want} bytes", input.len()),
        ))
    }

    fn encode(&mut self, reply: &Reply, out: &mut Vec<u8>) -> After {
        let (words, after) = match (reply, self.asked) {
            (Reply::Content(_), _) => (GET_READY, After::Next),
            (Reply::Ready, _) => (PUT_READY, After::Next),
            (Reply::Renamed, _) => (RENAMED, After::Next),
            (Reply::Help, _) => (HELP, After::Next),
            (Reply::Refused(_), Asked::Rename) => (RENAME_REFUSED, After::Next),
            (Reply::Refused(_), Asked::Put) => (PUT_REFUSED, After::Close),
            (Reply::Refused(_), Asked::Other) => ("", After::Close),
            // These answer requests that session does not have.
            (
                Reply::Heard
                | Reply::Welcome(_)
                | Reply::Page(_)
                | Reply::Stat { .. }
                | Reply::Proof(_)
                | Reply::Values(_)
                | Reply::Stretch { .. }
                | Reply::Here { .. }
                | Reply::Again { .. }
                | Reply::Stored(_)
                | Reply::Done
                | Reply::Wait { .. }
                | Reply::Pong { .. },
                _,
            ) => (HEARD, After::Next),
        };
        out.extend_from_slice(words.as_bytes());
        after
    }

    fn size_limit(&self) -> u64 {
        u64::MAX
    }

    fn next_run(&mut self, _at: u64, left: u64, _out: &mut Vec<u8>) -> u64 {
        left
    }

    /// A content that is spoilt gets no marker: the client must not take it for whole.
    fn finish(&mut self, spoilt: Option<Refusal>, out: &mut Vec<u8>) -> After {
        if spoilt.is_some() {
            return After::Close;
        }
        out.resize(out.len() + MARKER, b' ');
        After::Next
    }
}

#[cfg(test)]
#[path = "server_tests.rs"]
mod tests;
