//! classic: `FileRequest` and `FileResponse` on the magic 0x497E.
//!
//! One connection carries one request and one response. The client talks
//! first. Integers are big-endian.
//!
//! ```text
//! FileRequest    u16 magic = 0x497E
//!                u8  type = 1
//!                u16 name_len, 1..=1024
//!                name_len bytes of name
//!
//! FileResponse   u16 magic = 0x497E
//!                u8  type = 2
//!                u8  status: 1 the file follows, 0 it is not served
//!                u32 data_len, 0 when the status is 0
//!                data_len bytes of content
//! ```
//!
//! | what | bytes |
//! |---|---|
//! | request for `a.txt` | `49 7E 01 00 05 61 2E 74 78 74` |
//! | response, content `hi\n` | `49 7E 02 01 00 00 00 03 68 69 0A` |
//! | response, an empty file | `49 7E 02 01 00 00 00 00` |
//! | response, not served | `49 7E 02 00 00 00 00 00` |
//!
//! **Serving.** A request with a wrong magic, type or length gets no reply, only
//! a close. The name may hold any bytes; what is not UTF-8, holds NUL, is not
//! there or may not be read is answered with status 0, and so is a file longer
//! than a u32 can say. There is one "no": every refusal is status 0. Bytes
//! behind the request belong to nobody: they are not read here, the connection
//! drains them. After the content the server closes.
//!
//! **Asking.** The content is whole when exactly `data_len` bytes came and then
//! the close: a byte more or less is an error. There is no listing, no offset,
//! no time and no version.

use super::codec::{
    After, Answer, ClientCodec, Content, Malformed, Payload, Refusal, Reply, Request, ServerCodec,
};
use crate::entity::{Dialect, RemotePath};

const MAGIC: [u8; 2] = [0x49, 0x7E];
const REQUEST: u8 = 1;
const RESPONSE: u8 = 2;
const REFUSED: u8 = 0;
const SERVED: u8 = 1;

/// The longest name a request can carry, in bytes.
pub const NAME_MAX: usize = 1024;

/// Bytes of a request before the name.
const REQUEST_HEAD: usize = 5;
/// Bytes of a response before the content.
const RESPONSE_HEAD: usize = 8;

/// The serving half: no state, because there is one request.
#[derive(Clone, Copy, Debug, Default)]
pub struct Server;

/// Checks the bytes there are; the request's whole length once it is known.
fn request_len(input: &[u8]) -> Result<Option<usize>, Malformed> {
    check_opening(input, REQUEST)?;
    let Some(&high) = input.get(3) else {
        return Ok(None);
    };
    // The first of the two bytes alone can already say more than 1024.
    let name_len = usize::from(u16::from_be_bytes([
        high,
        input.get(4).copied().unwrap_or(0),
    ]));
    match (name_len, input.get(4)) {
        (NAME_MAX.., _) if name_len > NAME_MAX => {
            Err(Malformed::new("length", "a name of more than 1024 bytes"))
        }
        (_, None) => Ok(None),
        (0, Some(_)) => Err(Malformed::new("length", "a name of 0 bytes")),
        (_, Some(_)) => Ok(Some(REQUEST_HEAD + name_len)),
    }
}

/// Checks magic and type as far as they have come.
fn check_opening(input: &[u8], kind: u8) -> Result<(), Malformed> {
    for (&byte, due) in input.iter().zip(MAGIC) {
        if byte != due {
            return Err(Malformed::new(
                "magic",
                format!("byte 0x{byte:02X} where 0x{due:02X} of the magic was due"),
            ));
        }
    }
    match input.get(2) {
        Some(&byte) if byte != kind => Err(Malformed::new(
            "type",
            format!("type {byte} where {kind} was due"),
        )),
        _ => Ok(()),
    }
}

impl Payload for Server {}

impl ServerCodec for Server {
    fn dialect(&self) -> Dialect {
        Dialect::Classic
    }

    fn head_limit(&self) -> usize {
        REQUEST_HEAD + NAME_MAX
    }

    fn decode(&mut self, input: &[u8]) -> Result<Option<(usize, Request)>, Malformed> {
        let Some(len) = request_len(input)? else {
            return Ok(None);
        };
        let Some(name) = input.get(REQUEST_HEAD..len) else {
            return Ok(None);
        };
        let request = Request::Get {
            path: RemotePath::new(name),
            offset: 0,
            version: None,
        };
        Ok(Some((len, request)))
    }

    fn wants(&self, input: &[u8]) -> Option<usize> {
        match request_len(input) {
            Ok(len) => Some(len.unwrap_or(REQUEST_HEAD)),
            Err(_) => None,
        }
    }

    fn eof(&self, input: &[u8]) -> Result<(), Malformed> {
        if input.is_empty() {
            return Ok(());
        }
        let want = request_len(input)?.unwrap_or(REQUEST_HEAD);
        if input.len() >= want {
            return Ok(());
        }
        Err(Malformed::new(
            "short",
            format!("request incomplete: {} of {want} bytes", input.len()),
        ))
    }

    fn encode(&mut self, reply: &Reply, out: &mut Vec<u8>) -> After {
        match reply {
            Reply::Content(content) => match u32::try_from(content.size) {
                Ok(size) if content.offset == 0 => response(SERVED, size, out),
                _ => response(REFUSED, 0, out),
            },
            Reply::Refused(_) => response(REFUSED, 0, out),
            // Answers to requests that classic does not have: nothing to say.
            Reply::Welcome(_)
            | Reply::Page(_)
            | Reply::Stat { .. }
            | Reply::Ready
            | Reply::Renamed
            | Reply::Help
            | Reply::Heard
            | Reply::Proof(_)
            | Reply::Values(_)
            | Reply::Stretch { .. }
            | Reply::Here { .. }
            | Reply::Again { .. }
            | Reply::Stored(_)
            | Reply::Done
            | Reply::Wait { .. }
            | Reply::Pong { .. } => {}
        }
        After::Close
    }

    fn size_limit(&self) -> u64 {
        u64::from(u32::MAX)
    }

    fn next_run(&mut self, _at: u64, left: u64, _out: &mut Vec<u8>) -> u64 {
        left
    }

    fn finish(&mut self, _spoilt: Option<Refusal>, _out: &mut Vec<u8>) -> After {
        After::Close
    }
}

fn response(status: u8, size: u32, out: &mut Vec<u8>) {
    out.extend_from_slice(&MAGIC);
    out.extend_from_slice(&[RESPONSE, status]);
    out.extend_from_slice(&size.to_be_bytes());
}

/// The asking half.
#[derive(Clone, Copy, Debug, Default)]
pub struct Client {
    stage: Stage,
}

/// How far the one request of a connection has come.
#[derive(Clone, Copy, Debug, Default)]
enum Stage {
    /// Nothing was asked.
    #[default]
    Silent,
    /// The head of the response is due.
    Asked,
    /// The head was heard; the content's run has not been announced.
    Headed { size: u64 },
    /// The whole content was handed on as a run; the close is due.
    Run,
    /// Refused, or ended: nothing more may come.
    Over,
}

/// Checks the bytes there are; status and length once they are whole.
fn response_head(input: &[u8]) -> Result<Option<(u8, u32)>, Malformed> {
    check_opening(input, RESPONSE)?;
    let Some(&status) = input.get(3) else {
        return Ok(None);
    };
    if status > SERVED {
        return Err(Malformed::new(
            "status",
            format!("status {status} where 0 or 1 was due"),
        ));
    }
    let length = input.iter().skip(4).take(4);
    if status == REFUSED && length.clone().any(|&byte| byte != 0) {
        return Err(Malformed::new("length", "a refusal with content"));
    }
    if length.len() < 4 {
        return Ok(None);
    }
    let size = length.fold(0, |size: u32, &byte| size << 8 | u32::from(byte));
    Ok(Some((status, size)))
}

fn excess() -> Malformed {
    Malformed::new("excess", "more bytes than announced")
}

impl Payload for Client {}

impl ClientCodec for Client {
    fn dialect(&self) -> Dialect {
        Dialect::Classic
    }

    fn greet(&mut self, _name: &str, _out: &mut Vec<u8>) -> bool {
        false
    }

    fn ask(&mut self, request: &Request, out: &mut Vec<u8>) -> Result<(), Malformed> {
        let Request::Get {
            path,
            offset,
            version,
        } = request
        else {
            return Err(Malformed::new(
                "unsupported",
                format!("classic has no {}", request.label()),
            ));
        };
        if version.is_some() {
            let detail = "classic cannot ask for one version of a file";
            return Err(Malformed::new("unsupported", detail));
        }
        if *offset != 0 {
            let detail = "classic fetches whole files only";
            return Err(Malformed::new("unsupported", detail));
        }
        if !matches!(self.stage, Stage::Silent) {
            let detail = "classic has one request a connection";
            return Err(Malformed::new("order", detail));
        }
        let name = path.as_bytes();
        let length = match u16::try_from(name.len()) {
            Ok(length) if (1..=NAME_MAX).contains(&name.len()) => length,
            _ => {
                return Err(Malformed::new(
                    "name",
                    format!("a name of {} bytes; classic takes 1 to 1024", name.len()),
                ));
            }
        };
        if name.contains(&0) {
            return Err(Malformed::new("name", "a name with a NUL in it"));
        }
        out.extend_from_slice(&MAGIC);
        out.push(REQUEST);
        out.extend_from_slice(&length.to_be_bytes());
        out.extend_from_slice(name);
        self.stage = Stage::Asked;
        Ok(())
    }

    fn decode(&mut self, input: &[u8]) -> Result<Option<(usize, Answer)>, Malformed> {
        match self.stage {
            Stage::Silent if !input.is_empty() => Err(Malformed::new(
                "order",
                "the server spoke before it was asked",
            )),
            Stage::Asked => {
                let Some((status, size)) = response_head(input)? else {
                    return Ok(None);
                };
                let answer = if status == REFUSED {
                    self.stage = Stage::Over;
                    Answer::Refused {
                        refusal: Refusal::NotFound,
                    }
                } else {
                    let size = u64::from(size);
                    self.stage = Stage::Headed { size };
                    Answer::Content(Content {
                        size,
                        offset: 0,
                        mtime: None,
                        version: None,
                    })
                };
                Ok(Some((RESPONSE_HEAD, answer)))
            }
            Stage::Headed { size } if size > 0 => {
                self.stage = Stage::Run;
                let offset = 0;
                Ok(Some((0, Answer::Run { offset, len: size })))
            }
            Stage::Headed { .. } | Stage::Run | Stage::Over if !input.is_empty() => Err(excess()),
            Stage::Silent | Stage::Headed { .. } | Stage::Run | Stage::Over => Ok(None),
        }
    }

    fn eof(&mut self, input: &[u8]) -> Result<Answer, Malformed> {
        match self.stage {
            Stage::Asked => Err(Malformed::new(
                "short",
                format!(
                    "response incomplete: {} of {RESPONSE_HEAD} bytes",
                    input.len()
                ),
            )),
            Stage::Headed { size } if size > 0 => Err(Malformed::new(
                "short",
                format!("content incomplete: {} of {size} bytes", input.len()),
            )),
            Stage::Headed { .. } | Stage::Run if input.is_empty() => {
                self.stage = Stage::Over;
                Ok(Answer::End)
            }
            Stage::Headed { .. } | Stage::Run => Err(excess()),
            Stage::Silent | Stage::Over => Err(Malformed::new("closed", "the server has closed")),
        }
    }

    /// All announced bytes are here and no more came: a server that keeps the
    /// line open has still said everything.
    fn quiet(&mut self) -> Option<Answer> {
        match self.stage {
            Stage::Headed { size: 0 } | Stage::Run => {
                self.stage = Stage::Over;
                Some(Answer::End)
            }
            _ => None,
        }
    }

    fn head_limit(&self) -> usize {
        RESPONSE_HEAD
    }
}

#[cfg(test)]
#[path = "classic_tests.rs"]
mod tests;
