//! deck's serving half: which request is due, and how an answer is framed.
//!
//! Knows the order of a connection: hello first and once, then requests. The
//! bodies are `body.rs`'s and its neighbours'. It must never know a folder or a
//! socket: what to answer is the connection's to say.

use super::Cover;
use super::frame::{self, HEAD, Type};
use super::{BLOCK_MAX, SMALL_BODY_MAX, body, listable, listing, payload};
use crate::entity::Dialect;
use crate::net::wire::codec::{
    After, Malformed, Payload, Refusal, Reply, Request, ServerCodec, Version,
};
use body::Common;

/// The serving half of deck, one a connection.
#[derive(Clone, Debug, Default)]
pub struct Server {
    /// Inside TLS or in the open: the bytes are the same.
    cover: Cover,
    greeting: Greeting,
    /// The mark of the content under way; every block names it.
    version: Option<Version>,
    block: Block,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Greeting {
    #[default]
    Awaited,
    Heard,
    /// No version in common: only a refusal can be said.
    Foreign,
}

/// Whether a block's run was announced and its end not yet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Block {
    #[default]
    Closed,
    Open,
}

impl Server {
    /// A fresh one for `deck` or `deck+tls`.
    pub fn over(dialect: Dialect) -> Self {
        Self {
            cover: Cover::of(dialect),
            ..Self::default()
        }
    }

    const fn due(&self) -> &'static [Type] {
        match self.greeting {
            Greeting::Awaited => &[Type::Hello],
            Greeting::Heard => &[Type::List, Type::Stat, Type::Get, Type::Ping],
            Greeting::Foreign => &[],
        }
    }

    fn close_block(&mut self, spoilt: Option<Refusal>, out: &mut Vec<u8>) {
        if self.block == Block::Open {
            payload::put_end(Type::BlockEnd, spoilt, out);
            self.block = Block::Closed;
        }
    }
}

impl Payload for Server {}

impl ServerCodec for Server {
    fn dialect(&self) -> Dialect {
        self.cover.dialect()
    }

    fn head_limit(&self) -> usize {
        HEAD + SMALL_BODY_MAX
    }

    fn decode(&mut self, input: &[u8]) -> Result<Option<(usize, Request)>, Malformed> {
        let Some(frame) = frame::take(input, self.due())? else {
            return Ok(None);
        };
        let request = match frame.kind {
            Type::Hello => {
                let (common, name) = body::hello(frame.body)?;
                self.greeting = match common {
                    Common::Deck1 => Greeting::Heard,
                    Common::Nothing => Greeting::Foreign,
                };
                Request::Hello { name }
            }
            Type::List => Request::List {
                path: body::only_path(frame.body)?,
            },
            Type::Stat => Request::Stat {
                path: body::only_path(frame.body)?,
            },
            Type::Get => {
                let (path, offset, version) = body::get(frame.body)?;
                Request::Get {
                    path,
                    offset,
                    version,
                }
            }
            Type::Ping => Request::Ping {
                token: body::token(frame.body)?,
            },
            Type::Welcome
            | Type::Page
            | Type::Entry
            | Type::Content
            | Type::Block
            | Type::BlockEnd
            | Type::End
            | Type::Pong
            | Type::Refused => return Err(Malformed::new("order", "an answer from a client")),
        };
        Ok(Some((frame.used, request)))
    }

    fn wants(&self, input: &[u8]) -> Option<usize> {
        match frame::measure(input, self.due()) {
            Ok(known) => Some(known.map_or(HEAD, |(_, len)| len)),
            Err(_) => None,
        }
    }

    fn eof(&self, input: &[u8]) -> Result<(), Malformed> {
        if input.is_empty() {
            return Ok(());
        }
        let want = frame::measure(input, self.due())?.map_or(HEAD, |(_, len)| len);
        if input.len() >= want {
            return Ok(());
        }
        Err(Malformed::new(
            "short",
            format!("request incomplete: {} of {want} bytes", input.len()),
        ))
    }

    fn encode(&mut self, reply: &Reply, out: &mut Vec<u8>) -> After {
        if self.greeting == Greeting::Foreign {
            body::put_refused(Refusal::Unsupported, out);
            return After::Close;
        }
        match reply {
            Reply::Welcome(welcome) => body::put_welcome(welcome, out),
            Reply::Page(page) => listing::put_page(page, out),
            // The client would take such a name for an attack.
            Reply::Stat { entry, .. } if !entry.name.is_empty() && !listable(&entry.name) => {
                body::put_refused(Refusal::NotFound, out);
            }
            Reply::Stat { entry, version } => listing::put_entry(entry, version.as_ref(), out),
            Reply::Content(content) => {
                self.version.clone_from(&content.version);
                self.block = Block::Closed;
                payload::put_content(content, out);
            }
            Reply::Pong { token } => body::put_token(Type::Pong, *token, out),
            Reply::Refused(refusal) => body::put_refused(*refusal, out),
            // deck/1 has no requests yet that are answered so.
            Reply::Proof(_)
            | Reply::Values(_)
            | Reply::Stretch { .. }
            | Reply::Here { .. }
            | Reply::Again { .. }
            | Reply::Stored(_)
            | Reply::Done
            | Reply::Wait { .. }
            | Reply::Ready
            | Reply::Renamed
            | Reply::Help
            | Reply::Heard => {
                body::put_refused(Refusal::Unsupported, out);
            }
        }
        After::Next
    }

    fn size_limit(&self) -> u64 {
        u64::MAX
    }

    fn next_run(&mut self, at: u64, left: u64, out: &mut Vec<u8>) -> u64 {
        self.close_block(None, out);
        let len = left.min(BLOCK_MAX);
        if len > 0 {
            payload::put_block(at, len, self.version.as_ref(), out);
            self.block = Block::Open;
        }
        len
    }

    fn finish(&mut self, spoilt: Option<Refusal>, out: &mut Vec<u8>) -> After {
        self.close_block(spoilt, out);
        payload::put_end(Type::End, spoilt, out);
        self.version = None;
        After::Next
    }
}

#[cfg(test)]
#[path = "server_tests.rs"]
mod tests;
