//! deck's serving half: which request is due, and how an answer is framed.
//!
//! Knows the order of a connection: a proof where there is TLS, hello, then
//! requests, and behind a put its payload (`intake.rs`). The bodies are
//! `body.rs`'s and its neighbours'. It must never know a folder or a socket: what
//! to answer is the connection's to say.

use super::Cover;
use super::block::reach;
use super::frame::{self, HEAD, Type};
use super::intake::Intake;
use super::{BLOCK_MAX, SMALL_BODY_MAX, body, listable, listing, payload, tree, upload};
use crate::entity::{Dialect, Root};
use crate::net::wire::codec::{
    After, Malformed, Pace, Payload, Piece, Refusal, Reply, Request, ServerCodec, Upcoming, Value,
    Version,
};
use body::Common;

/// The serving half of deck, one a connection.
#[derive(Clone, Debug, Default)]
pub struct Server {
    /// Inside TLS or in the open: the bytes are the same.
    cover: Cover,
    greeting: Greeting,
    /// The mark of the content under way; every block of a get names it.
    version: Option<Version>,
    cut: Cut,
    block: Block,
    /// The upload that is not answered yet.
    intake: Option<Intake>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Greeting {
    #[default]
    Awaited,
    /// Hello was heard and not answered.
    Heard,
    /// Hello was refused: it may come again, and what was sent behind it may still arrive.
    Denied,
    Answered,
    /// No version in common: only a refusal can be said.
    Foreign,
}

/// How the content under way is cut: anyhow, or in the file's own blocks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Cut {
    #[default]
    Runs,
    Blocks,
}

/// Whether a block's run was announced and its end not yet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Block {
    #[default]
    Closed,
    Open,
}

/// What a client may ask; the first two come before a greeting is answered.
const ASKED: [Type; 11] = [
    Type::Hello,
    Type::Prove,
    Type::List,
    Type::Stat,
    Type::Get,
    Type::Tree,
    Type::Put,
    Type::Mkdir,
    Type::Rename,
    Type::Delete,
    Type::Ping,
];

impl Server {
    /// A fresh one for `deck` or `deck+tls`.
    pub fn over(dialect: Dialect) -> Self {
        Self {
            cover: Cover::of(dialect),
            ..Self::default()
        }
    }

    fn due(&self) -> &'static [Type] {
        match (self.greeting, self.cover) {
            _ if self.is_payload_due() => self.intake.map_or(&[], |intake| intake.due()),
            (Greeting::Awaited, Cover::Open) => &[Type::Hello],
            (Greeting::Awaited, Cover::Tls) => &[Type::Hello, Type::Prove],
            (Greeting::Heard | Greeting::Answered, _) => ASKED.get(2..).unwrap_or_default(),
            (Greeting::Denied, _) => &ASKED,
            (Greeting::Foreign, _) => &[],
        }
    }

    fn is_payload_due(&self) -> bool {
        self.intake.is_some_and(|intake| intake.is_due())
    }

    fn read(&mut self, kind: Type, body: &[u8]) -> Result<Request, Malformed> {
        match kind {
            Type::Prove if self.cover == Cover::Open => {
                Err(Malformed::new("order", "a proof outside TLS"))
            }
            Type::Prove => {
                self.greeting = Greeting::Awaited;
                body::prove(body).map(|(proof, name)| Request::Prove { proof, name })
            }
            Type::Hello => {
                let (common, name) = body::hello(body)?;
                self.greeting = match common {
                    Common::Deck1 => Greeting::Heard,
                    Common::Nothing => Greeting::Foreign,
                };
                Ok(Request::Hello { name })
            }
            Type::List => body::only_path(body).map(|path| Request::List { path }),
            Type::Stat => body::only_path(body).map(|path| Request::Stat { path }),
            Type::Mkdir => body::only_path(body).map(|path| Request::MakeFolder { path }),
            Type::Delete => body::only_path(body).map(|path| Request::Delete { path }),
            Type::Rename => body::rename(body).map(|(from, to)| Request::Rename { from, to }),
            Type::Get => body::get(body),
            Type::Tree => tree::tree(body).map(|(path, version, detail)| Request::Tree {
                path,
                version,
                detail,
            }),
            Type::Put => {
                let (path, size, terms) = upload::put(body)?;
                self.intake = Some(Intake::new(size, &terms));
                let terms = Box::new(terms);
                Ok(Request::Store { path, size, terms })
            }
            Type::Ping => body::token(body).map(|token| Request::Ping { token }),
            _ => Err(Malformed::new("order", "an answer from a client")),
        }
    }

    /// Writes a no, and what it changes.
    fn refuse(&mut self, refusal: Refusal, out: &mut Vec<u8>) -> After {
        body::put_refused(refusal, out);
        if self.greeting == Greeting::Heard {
            // Hello may come again, behind a proof perhaps.
            self.greeting = Greeting::Denied;
        }
        self.intake = self.intake.and_then(Intake::refused);
        match refusal {
            Refusal::Banned => After::Close,
            _ => After::Next,
        }
    }

    fn close_block(&mut self, ending: payload::Ending, out: &mut Vec<u8>) {
        if self.block == Block::Open {
            payload::put_end(Type::BlockEnd, ending, out);
            self.block = Block::Closed;
        }
    }

    fn end(&mut self, root: Result<Option<Root>, Refusal>, out: &mut Vec<u8>) {
        self.close_block(root.map(|_| None), out);
        payload::put_end(Type::End, root.map(|root| root.map(|root| root.0)), out);
        self.version = None;
    }
}

impl Payload for Server {}

impl ServerCodec for Server {
    fn dialect(&self) -> Dialect {
        self.cover.dialect()
    }

    fn head_limit(&self) -> usize {
        // A spoilt block-end and the end behind it are taken together.
        2 * (HEAD + SMALL_BODY_MAX)
    }

    fn decode(&mut self, input: &[u8]) -> Result<Option<(usize, Request)>, Malformed> {
        if self.is_payload_due() {
            return Err(Malformed::new("order", "the payload comes first"));
        }
        let Some(frame) = frame::take(input, self.due())? else {
            return Ok(None);
        };
        let request = self.read(frame.kind, frame.body)?;
        if self.greeting == Greeting::Heard && frame.kind != Type::Hello {
            self.greeting = Greeting::Answered;
        }
        Ok(Some((frame.used, request)))
    }

    fn upcoming(&self, input: &[u8]) -> Upcoming {
        let greeted = matches!(self.greeting, Greeting::Heard | Greeting::Answered);
        if !greeted || self.intake.is_some_and(|intake| intake.is_due()) {
            return Upcoming::Other;
        }
        let frame = match frame::take(input, &[Type::Get, Type::Put]) {
            Ok(Some(frame)) => frame,
            Ok(None) => return Upcoming::Unclear,
            Err(_) => return Upcoming::Other,
        };
        if frame.kind == Type::Get {
            return match body::get(frame.body) {
                Ok(Request::Fetch { .. }) => Upcoming::Fetch,
                _ => Upcoming::Other,
            };
        }
        match upload::put(frame.body) {
            Ok((_, size, terms)) if terms.pace == Pace::Eager => Upcoming::Eager { size },
            _ => Upcoming::Other,
        }
    }

    fn wants(&self, input: &[u8]) -> Option<usize> {
        let first = match frame::measure(input, self.due()) {
            Ok(known) => known.map_or(HEAD, |(_, len)| len),
            Err(_) => return None,
        };
        let rest = match input.get(first..) {
            Some(rest) if self.is_payload_due() => rest,
            _ => return Some(first),
        };
        match frame::measure(rest, &[Type::End]) {
            Ok(known) => Some(first + known.map_or(HEAD, |(_, len)| len)),
            Err(_) => None,
        }
    }

    fn eof(&self, input: &[u8]) -> Result<(), Malformed> {
        let short = |detail: String| Err(Malformed::new("short", detail));
        match (input.is_empty(), self.is_payload_due()) {
            (true, true) => return short("closed before the end of the payload".to_owned()),
            (true, false) => return Ok(()),
            (false, _) => {}
        }
        // What is wrong with the head is said before what is missing.
        frame::measure(input, self.due())?;
        match self.wants(input) {
            Some(want) if input.len() < want => short(format!(
                "request incomplete: {} of {want} bytes",
                input.len()
            )),
            _ => Ok(()),
        }
    }

    fn encode(&mut self, reply: &Reply, out: &mut Vec<u8>) -> After {
        if self.greeting == Greeting::Foreign {
            body::put_refused(Refusal::Unsupported, out);
            return After::Close;
        }
        match reply {
            Reply::Proof(proof) => body::put_prove(proof, None, out),
            Reply::Welcome(welcome) => {
                self.greeting = Greeting::Answered;
                body::put_welcome(welcome, out);
            }
            Reply::Page(page) => listing::put_page(page, out),
            // The client would take such a name for an attack.
            Reply::Stat { entry, .. } if !entry.name.is_empty() && !listable(&entry.name) => {
                body::put_refused(Refusal::NotFound, out);
            }
            Reply::Stat { entry, version } => listing::put_entry(entry, version.as_ref(), out),
            Reply::Content(content) => {
                self.version.clone_from(&content.version);
                (self.cut, self.block) = (Cut::Runs, Block::Closed);
                payload::put_content(content, None, out);
            }
            Reply::Stretch { content, until } => {
                (self.cut, self.block) = (Cut::Blocks, Block::Closed);
                payload::put_content(content, Some(*until), out);
            }
            Reply::Values(values) => tree::put_values(values, out),
            Reply::Here { blocks } => {
                if let Some(intake) = &mut self.intake {
                    intake.here(blocks, out);
                }
            }
            Reply::Again { blocks } => {
                let said = self.intake.as_mut().map(|intake| intake.again(blocks, out));
                if let Some(Err(refusal)) = said {
                    return self.refuse(refusal, out);
                }
            }
            Reply::Stored(stored) => {
                self.intake = None;
                upload::put_stored(stored, out);
            }
            Reply::Done | Reply::Renamed => {
                self.intake = None;
                body::put_done(out);
            }
            Reply::Wait { done, of } => body::put_wait(*done, *of, out),
            Reply::Pong { token } => body::put_token(Type::Pong, *token, out),
            Reply::Refused(refusal) => return self.refuse(*refusal, out),
            // deck has no requests that are answered so.
            Reply::Ready | Reply::Help | Reply::Heard => {
                return self.refuse(Refusal::Unsupported, out);
            }
        }
        After::Next
    }

    fn size_limit(&self) -> u64 {
        u64::MAX
    }

    fn next_run(&mut self, at: u64, left: u64, out: &mut Vec<u8>) -> u64 {
        self.close_block(Ok(None), out);
        let (len, version) = match self.cut {
            Cut::Runs => (left.min(BLOCK_MAX), self.version.as_ref()),
            // Said once, with the content: a block of a stretch is named by its place.
            Cut::Blocks => (reach(at, left), None),
        };
        if len > 0 {
            payload::put_block(at, len, version, out);
            self.block = Block::Open;
        }
        len
    }

    /// Where there are no values, a block-end is written once it is known whether it
    /// is a good one.
    fn seal(&mut self, value: Option<Value>, out: &mut Vec<u8>) {
        if self.cut == Cut::Blocks {
            self.close_block(Ok(value), out);
        }
    }

    fn finish(&mut self, spoilt: Option<Refusal>, out: &mut Vec<u8>) -> After {
        self.end(spoilt.map_or(Ok(None), Err), out);
        After::Next
    }

    fn close(&mut self, root: Result<Option<Root>, Refusal>, out: &mut Vec<u8>) {
        self.end(root, out);
    }

    fn piece(&mut self, input: &[u8]) -> Result<Option<(usize, Piece)>, Malformed> {
        match &mut self.intake {
            Some(intake) => intake.piece(input),
            None => Err(Malformed::new("order", "no payload is due")),
        }
    }
}

#[cfg(test)]
#[path = "server_tests.rs"]
mod tests;
