//! drop's asking half: one header, one content, and no answer ever.
//!
//! Knows how far the one file is. It must never count what was sent: that it is
//! as much as was announced is the caller's to see to.

use super::{HEAD_MAX, SIZE_MAX};
use crate::entity::{Dialect, RemotePath};
use crate::net::wire::codec::{After, Answer, ClientCodec, Gait, Malformed, Payload, Request};

/// The asking half of drop, one a connection.
#[derive(Clone, Copy, Debug, Default)]
pub struct Client {
    stage: Stage,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Stage {
    #[default]
    Silent,
    /// The header is said; nobody will answer.
    Asked,
    Sending,
    /// All is said, and our half is shut.
    Sent,
    Over,
}

/// The header of a file.
fn header(path: &RemotePath, size: u64) -> Result<String, Malformed> {
    let fault = |detail: &str| Err(Malformed::new("name", detail));
    let name = match path.as_str() {
        None => return fault("a name that is not UTF-8"),
        Some("") => return fault("a name of 0 bytes"),
        Some(name) if name.contains(' ') => return fault("drop has no names with spaces"),
        Some(name) if name.chars().any(char::is_control) => {
            return fault("a name with a control character in it");
        }
        Some(name) => name,
    };
    if size > SIZE_MAX {
        let detail = format!("{size} bytes; a size has 19 digits at the most");
        return Err(Malformed::new("length", detail));
    }
    let header = format!("{name} {size}");
    if header.len() > HEAD_MAX {
        let detail = format!("a header of {} bytes; drop takes {HEAD_MAX}", header.len());
        return Err(Malformed::new("name", detail));
    }
    Ok(header)
}

impl Payload for Client {}

impl ClientCodec for Client {
    fn dialect(&self) -> Dialect {
        Dialect::Drop
    }

    fn greet(&mut self, _name: &str, _out: &mut Vec<u8>) -> bool {
        false
    }

    fn ask(&mut self, request: &Request, out: &mut Vec<u8>) -> Result<(), Malformed> {
        let Request::Put { path, size } = request else {
            let detail = format!("drop has no {}", request.label());
            return Err(Malformed::new("unsupported", detail));
        };
        let Some(size) = *size else {
            let detail = "drop sends files of a known size only";
            return Err(Malformed::new("length", detail));
        };
        let header = header(path, size)?;
        if self.stage != Stage::Silent {
            let detail = "drop has one file a connection";
            return Err(Malformed::new("order", detail));
        }
        out.extend_from_slice(header.as_bytes());
        self.stage = Stage::Asked;
        Ok(())
    }

    fn decode(&mut self, input: &[u8]) -> Result<Option<(usize, Answer)>, Malformed> {
        if self.stage == Stage::Asked {
            self.stage = Stage::Sending;
            return Ok(Some((0, Answer::Ready)));
        }
        if input.is_empty() {
            return Ok(None);
        }
        Err(Malformed::new("order", "a drop server has nothing to say"))
    }

    fn size_limit(&self) -> u64 {
        SIZE_MAX
    }

    fn finish(&mut self, _out: &mut Vec<u8>) -> After {
        self.stage = Stage::Sent;
        After::Close
    }

    fn eof(&mut self, input: &[u8]) -> Result<Answer, Malformed> {
        match self.stage {
            Stage::Sent if input.is_empty() => {
                self.stage = Stage::Over;
                Ok(Answer::End)
            }
            Stage::Asked | Stage::Sending => {
                Err(Malformed::new("closed", "closed before it had everything"))
            }
            Stage::Sent => Err(Malformed::new("order", "a drop server has nothing to say")),
            Stage::Silent | Stage::Over => Err(Malformed::new("closed", "the server has closed")),
        }
    }

    /// When our half is shut and the server is silent, there is nothing more to come.
    fn quiet(&mut self) -> Option<Answer> {
        (self.stage == Stage::Sent).then(|| {
            self.stage = Stage::Over;
            Answer::End
        })
    }

    /// The old program takes its first receive for the header and loses what came with it.
    fn gait(&self) -> Gait {
        Gait::Apart
    }

    fn head_limit(&self) -> usize {
        1
    }
}
