//! colon's serving half: the count, the header, and how often it was not understood.
//!
//! Knows what the first read brought, because the count is told by that alone. It
//! must never know a folder: whether a name exists is the connection's to say.

use super::absent::Content;
use super::{Choice, DONE, ERROR, HEAD_MAX, Header, SENTENCE, TRIES, header};
use crate::entity::{Dialect, Outcome, RemotePath};
use crate::net::wire::codec::{
    After, Cue, Gait, Malformed, Payload, Refusal, Reply, Request, ServerCodec, Take,
};

/// The serving half of colon, one a connection.
#[derive(Clone, Debug, Default)]
pub struct Server {
    heard: Heard,
    asked: Asked,
    /// What the request may have meant instead.
    second: Option<RemotePath>,
    /// How often `Error` was said.
    errors: usize,
    epilogue: Epilogue,
    content: Content,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Heard {
    #[default]
    Nothing,
    /// Bytes that were not the count: it may be glued to the first header.
    Bytes,
    /// The count, or a header that was answered with `Error`.
    Count,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Asked {
    #[default]
    Nothing,
    Get,
    Put,
    /// A put, with content behind it in the same read.
    PutAndMore,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Epilogue {
    #[default]
    Nothing,
    Sentence,
}

fn get(path: RemotePath) -> Request {
    Request::Get {
        path,
        offset: 0,
        version: None,
    }
}

impl Server {
    fn request(&mut self, header: Header<'_>, more: usize) -> Request {
        let path = RemotePath::new(header.name);
        let glued = header.name.split_first();
        self.second = match (header.choice, self.heard, glued) {
            (Choice::Get, Heard::Bytes, Some((digit, rest)))
                if digit.is_ascii_digit() && !rest.is_empty() =>
            {
                Some(RemotePath::new(rest))
            }
            _ => None,
        };
        self.heard = Heard::Count;
        self.asked = match header.choice {
            _ if header.name.is_empty() => return Request::Other,
            Choice::Get => Asked::Get,
            Choice::Put if more > 0 => Asked::PutAndMore,
            Choice::Put => Asked::Put,
        };
        match header.choice {
            Choice::Get => get(path),
            Choice::Put => Request::Put { path, size: None },
        }
    }

    fn error(&mut self, out: &mut Vec<u8>) -> After {
        out.extend_from_slice(ERROR);
        self.errors += 1;
        let more = self.asked == Asked::PutAndMore;
        self.asked = Asked::Nothing;
        if more || self.errors >= TRIES {
            After::Close
        } else {
            After::Next
        }
    }
}

impl Payload for Server {
    fn take(&mut self, input: &[u8], cue: Cue) -> Result<Take, Malformed> {
        let words = "the client had no such file, or one that says exactly that";
        self.content.take(input, cue, words)
    }
}

impl ServerCodec for Server {
    fn dialect(&self) -> Dialect {
        Dialect::Colon
    }

    fn head_limit(&self) -> usize {
        HEAD_MAX
    }

    /// Named exception from the cut law: the first call shows what the first
    /// read brought, and one digit alone there is the count.
    fn decode(&mut self, input: &[u8]) -> Result<Option<(usize, Request)>, Malformed> {
        match (self.heard, input) {
            (_, []) => return Ok(None),
            (Heard::Nothing, [b'0'..=b'9']) => {
                self.heard = Heard::Count;
                return Ok(Some((1, Request::Aside)));
            }
            (Heard::Nothing, _) => self.heard = Heard::Bytes,
            (Heard::Bytes | Heard::Count, _) => {}
        }
        if let Some(header) = header(input) {
            let more = input.len() - header.used;
            return Ok(Some((header.used, self.request(header, more))));
        }
        if input.len() >= HEAD_MAX {
            let detail = format!("{HEAD_MAX} bytes without :GET or :PUT");
            return Err(Malformed::new("length", detail));
        }
        Ok(None)
    }

    fn decode_on(&mut self, input: &[u8], cue: Cue) -> Result<Option<(usize, Request)>, Malformed> {
        if input.is_empty() || cue != Cue::Quiet {
            return Ok(None);
        }
        self.heard = Heard::Count;
        self.asked = Asked::Nothing;
        Ok(Some((input.len(), Request::Other)))
    }

    fn minds_quiet(&self) -> bool {
        true
    }

    fn second_guess(&mut self) -> Option<Request> {
        self.second.take().map(get)
    }

    fn proof(&self) -> Outcome {
        Outcome::EndedNotProvable
    }

    fn gait(&self) -> Gait {
        Gait::Apart
    }

    fn wants(&self, _input: &[u8]) -> Option<usize> {
        None
    }

    fn eof(&self, input: &[u8]) -> Result<(), Malformed> {
        if input.is_empty() {
            return Ok(());
        }
        let detail = format!("closed after {} bytes of a header", input.len());
        Err(Malformed::new("short", detail))
    }

    fn encode(&mut self, reply: &Reply, out: &mut Vec<u8>) -> After {
        match (reply, self.asked) {
            (Reply::Content(_), _) => {
                out.extend_from_slice(DONE);
                After::Close
            }
            (Reply::Ready, _) => {
                out.extend_from_slice(DONE);
                After::Next
            }
            (Reply::Refused(_), Asked::Get) => {
                out.extend_from_slice(DONE);
                self.epilogue = Epilogue::Sentence;
                After::Close
            }
            _ => self.error(out),
        }
    }

    fn epilogue(&mut self, out: &mut Vec<u8>) {
        match std::mem::take(&mut self.epilogue) {
            Epilogue::Nothing => {}
            Epilogue::Sentence => out.extend_from_slice(SENTENCE),
        }
    }

    fn size_limit(&self) -> u64 {
        u64::MAX
    }

    fn next_run(&mut self, _at: u64, left: u64, _out: &mut Vec<u8>) -> u64 {
        left
    }

    fn finish(&mut self, _spoilt: Option<Refusal>, _out: &mut Vec<u8>) -> After {
        After::Close
    }
}

#[cfg(test)]
#[path = "server_tests.rs"]
mod tests;
