//! deck's asking half: what was asked, and whether the answers are answers to it.
//!
//! Knows the requests that are open, in order, and where the content under way
//! stands. The server is a stranger: an answer nobody asked for, a gap, a byte
//! too many, another content than the one believed in are malformed. It must
//! never know where the payload goes.

use std::collections::VecDeque;

use super::Cover;
use super::frame::{self, HEAD, Type};
use super::{BLOCK_MAX, BODY_MAX, OPEN_MAX, PATH_MAX, body, listing, payload};
use crate::entity::{Dialect, RemotePath};
use crate::net::wire::codec::{
    Answer, ClientCodec, Content, Malformed, Page, Payload, Refusal, Request, Version,
};

/// The asking half of deck, one a connection.
#[derive(Clone, Debug, Default)]
pub struct Client {
    /// Inside TLS or in the open: the bytes are the same.
    cover: Cover,
    greeted: Greeted,
    /// What was asked and is not answered; the oldest in front.
    open: VecDeque<Asked>,
    /// The content that is the answer to the oldest, once it has begun.
    transfer: Option<Transfer>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Greeted {
    #[default]
    NotYet,
    Yes,
}

/// As much of a request as its answer is held against.
#[derive(Clone, Debug)]
enum Asked {
    Hello,
    List,
    Stat {
        path: RemotePath,
    },
    Get {
        offset: u64,
        version: Option<Version>,
    },
    Ping {
        token: u64,
    },
}

#[derive(Clone, Debug)]
struct Transfer {
    size: u64,
    /// Where the next block must begin.
    next: u64,
    version: Option<Version>,
    block: Block,
}

/// Whether a block's run was handed on and its end not yet heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Block {
    Closed,
    Open,
}

impl Asked {
    const fn answers(&self) -> &'static [Type] {
        match self {
            Self::Hello => &[Type::Welcome, Type::Refused],
            Self::List => &[Type::Page, Type::Refused],
            Self::Stat { .. } => &[Type::Entry, Type::Refused],
            Self::Get { .. } => &[Type::Content, Type::Refused],
            Self::Ping { .. } => &[Type::Pong, Type::Refused],
        }
    }

    /// Reads the frame as the answer to this.
    fn hear(&self, frame: &frame::Frame<'_>) -> Result<Answer, Malformed> {
        if frame.kind == Type::Refused {
            let refusal = body::refused(frame.body)?;
            return Ok(Answer::Refused { refusal });
        }
        match self {
            Self::Hello => body::welcome(frame.body).map(Answer::Welcome),
            Self::List => listing::page(frame.body).map(Answer::Page),
            Self::Stat { path } => {
                let (entry, version) = listing::entry(frame.body)?;
                if !(path.is_root() && entry.name.is_empty()) {
                    listing::check_name(&entry.name)?;
                }
                Ok(Answer::Stat { entry, version })
            }
            Self::Get { offset, version } => {
                let content = payload::content(frame.body)?;
                check_content(&content, *offset, version.as_ref())?;
                Ok(Answer::Content(content))
            }
            Self::Ping { token: asked } => match body::token(frame.body)? {
                token if token == *asked => Ok(Answer::Pong { token }),
                token => Err(Malformed::new(
                    "order",
                    format!("pong {token} where {asked} was due"),
                )),
            },
        }
    }
}

fn check_content(
    content: &Content,
    offset: u64,
    version: Option<&Version>,
) -> Result<(), Malformed> {
    if content.offset != offset {
        return Err(Malformed::new(
            "offset",
            format!(
                "content from byte {} where {offset} was asked",
                content.offset
            ),
        ));
    }
    if content.offset > content.size {
        return Err(Malformed::new(
            "offset",
            format!("content from byte {offset} of {}", content.size),
        ));
    }
    if version.is_some() && content.version.as_ref() != version {
        let detail = "another content than the one asked for";
        return Err(Malformed::new("version", detail));
    }
    Ok(())
}

impl Transfer {
    const fn new(content: &Content, version: Option<Version>) -> Self {
        Self {
            size: content.size,
            next: content.offset,
            version,
            block: Block::Closed,
        }
    }

    /// Reads what stands before the next run, or behind the last. A block-end
    /// says nothing by itself, so it is taken together with the frame behind it.
    fn hear(&self, input: &[u8]) -> Result<Option<(usize, Answer)>, Malformed> {
        let (mut used, mut spoilt) = (0, None);
        if self.block == Block::Open {
            let Some(frame) = frame::take(input, &[Type::BlockEnd])? else {
                return Ok(None);
            };
            used = frame.used;
            spoilt = payload::end(frame.body)?;
        }
        let due: &[Type] = match spoilt {
            None if self.next < self.size => &[Type::Block, Type::End],
            _ => &[Type::End],
        };
        let rest = input.get(used..).unwrap_or_default();
        let Some(frame) = frame::take(rest, due)? else {
            return Ok(None);
        };
        let answer = match frame.kind {
            Type::Block => self.run(frame.body)?,
            _ => self.end(spoilt, payload::end(frame.body)?)?,
        };
        Ok(Some((used + frame.used, answer)))
    }

    fn run(&self, body: &[u8]) -> Result<Answer, Malformed> {
        let (offset, len, version) = payload::block(body)?;
        let fault = |detail: String| Err(Malformed::new("block", detail));
        if offset != self.next {
            return fault(format!("a block at {offset} where {} was due", self.next));
        }
        if !(1..=BLOCK_MAX).contains(&len) {
            return fault(format!("a block of {len} bytes"));
        }
        if len > self.size - self.next {
            return fault(format!("a block of {len} bytes passes the end"));
        }
        if version != self.version {
            let detail = "a block of another content";
            return Err(Malformed::new("version", detail));
        }
        Ok(Answer::Run { offset, len })
    }

    fn end(&self, block: Option<Refusal>, end: Option<Refusal>) -> Result<Answer, Malformed> {
        match (block, end) {
            (_, Some(refusal)) => Ok(Answer::Refused { refusal }),
            (Some(_), None) => Err(Malformed::new("end", "a good end behind a spoilt block")),
            (None, None) if self.next == self.size => Ok(Answer::End),
            (None, None) => Err(Malformed::new(
                "short",
                format!("the end after {} of {} bytes", self.next, self.size),
            )),
        }
    }
}

impl Client {
    /// A fresh one for `deck` or `deck+tls`.
    pub fn over(dialect: Dialect) -> Self {
        Self {
            cover: Cover::of(dialect),
            ..Self::default()
        }
    }

    fn check_room(&self) -> Result<(), Malformed> {
        if self.open.len() < OPEN_MAX {
            return Ok(());
        }
        let detail = format!("{OPEN_MAX} requests are open");
        Err(Malformed::new("order", detail))
    }

    /// Notes what an answer changes.
    fn note(&mut self, answer: &Answer) {
        match answer {
            Answer::Page(Page { more: true, .. }) => {}
            Answer::Content(content) => {
                self.transfer = Some(Transfer::new(content, content.version.clone()));
            }
            Answer::Run { len, .. } => {
                if let Some(transfer) = &mut self.transfer {
                    transfer.next += len;
                    transfer.block = Block::Open;
                }
            }
            Answer::Welcome(_)
            | Answer::Page(_)
            | Answer::Stat { .. }
            | Answer::Stream
            | Answer::Ready
            | Answer::Renamed
            | Answer::Help { .. }
            | Answer::End
            | Answer::Pong { .. }
            | Answer::Stretch { .. }
            | Answer::Sealed { .. }
            | Answer::Proof(_)
            | Answer::Values(_)
            | Answer::Here { .. }
            | Answer::Again { .. }
            | Answer::Stored(_)
            | Answer::Done
            | Answer::Wait { .. }
            | Answer::Closed { .. }
            | Answer::Refused { .. } => {
                self.transfer = None;
                self.open.pop_front();
            }
        }
    }

    /// What must be asked, and what its answer is held against.
    fn put(request: &Request, out: &mut Vec<u8>) -> Result<Asked, Malformed> {
        match request {
            Request::Hello { name } => {
                body::put_hello(name, out);
                Ok(Asked::Hello)
            }
            Request::List { path } => {
                body::put_path(Type::List, text(path)?, out);
                Ok(Asked::List)
            }
            Request::Stat { path } => {
                body::put_path(Type::Stat, text(path)?, out);
                let path = path.clone();
                Ok(Asked::Stat { path })
            }
            Request::Get {
                path,
                offset,
                version,
            } => {
                body::put_get(text(path)?, *offset, version.as_ref(), out);
                Ok(Asked::Get {
                    offset: *offset,
                    version: version.clone(),
                })
            }
            Request::Ping { token } => {
                body::put_token(Type::Ping, *token, out);
                Ok(Asked::Ping { token: *token })
            }
            Request::Prove { .. }
            | Request::Fetch { .. }
            | Request::Tree { .. }
            | Request::Store { .. }
            | Request::MakeFolder { .. }
            | Request::Delete { .. }
            | Request::Put { .. }
            | Request::Rename { .. }
            | Request::Help
            | Request::Bye
            | Request::Aside
            | Request::Other => Err(Malformed::new(
                "unsupported",
                format!("deck has no {}", request.label()),
            )),
        }
    }
}

/// A path as deck carries it.
fn text(path: &RemotePath) -> Result<&str, Malformed> {
    match path.as_str() {
        Some(text) if text.len() <= PATH_MAX => Ok(text),
        Some(text) => Err(Malformed::new(
            "path",
            format!("a path of {} bytes; deck takes {PATH_MAX}", text.len()),
        )),
        None => Err(Malformed::new("path", "a path that is not UTF-8")),
    }
}

impl Payload for Client {}

impl ClientCodec for Client {
    fn dialect(&self) -> Dialect {
        self.cover.dialect()
    }

    fn greet(&mut self, name: &str, out: &mut Vec<u8>) -> bool {
        if self.greeted == Greeted::NotYet {
            body::put_hello(name, out);
            self.greeted = Greeted::Yes;
            self.open.push_back(Asked::Hello);
        }
        true
    }

    fn ask(&mut self, request: &Request, out: &mut Vec<u8>) -> Result<(), Malformed> {
        let greeting = matches!(request, Request::Hello { .. });
        match (self.greeted, greeting) {
            (Greeted::NotYet, false) => return Err(Malformed::new("order", "hello comes first")),
            (Greeted::Yes, true) => return Err(Malformed::new("order", "hello comes once")),
            (Greeted::NotYet, true) => self.greeted = Greeted::Yes,
            (Greeted::Yes, false) => {}
        }
        self.check_room()?;
        let asked = Self::put(request, out)?;
        self.open.push_back(asked);
        Ok(())
    }

    fn decode(&mut self, input: &[u8]) -> Result<Option<(usize, Answer)>, Malformed> {
        if input.is_empty() {
            return Ok(None);
        }
        let Some(asked) = self.open.front() else {
            return Err(Malformed::new("order", "an answer nobody asked for"));
        };
        let heard = match &self.transfer {
            Some(transfer) => transfer.hear(input)?,
            None => match frame::take(input, asked.answers())? {
                Some(frame) => Some((frame.used, asked.hear(&frame)?)),
                None => None,
            },
        };
        if let Some((_, answer)) = &heard {
            self.note(answer);
        }
        Ok(heard)
    }

    fn eof(&mut self, input: &[u8]) -> Result<Answer, Malformed> {
        let detail = match (&self.transfer, self.open.len()) {
            (Some(transfer), _) => {
                format!(
                    "closed after {} of {} bytes, before the end",
                    transfer.next, transfer.size
                )
            }
            (None, 0) => return Err(Malformed::new("closed", "the server has closed")),
            (None, _) if input.is_empty() => "closed before the answer".to_owned(),
            (None, _) => format!(
                "closed within the answer, after {} bytes of it",
                input.len()
            ),
        };
        Err(Malformed::new("short", detail))
    }

    /// deck says its ends: silence is never one.
    fn quiet(&mut self) -> Option<Answer> {
        None
    }

    fn head_limit(&self) -> usize {
        // A page's; a block-end and the frame behind it together are shorter.
        HEAD + BODY_MAX
    }
}

#[cfg(test)]
#[path = "client_tests.rs"]
mod tests;
