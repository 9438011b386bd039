//! deck's asking half: what was asked, and whether the answers are answers to it.
//!
//! Knows the requests that are open, in order, and whether a payload of ours is
//! due. The server is a stranger: an answer nobody asked for is malformed, and
//! what an answer must agree with is `asked.rs`'s and `transfer.rs`'s to say. It
//! must never know where the payload goes.

use std::collections::VecDeque;

use super::Cover;
use super::asked::{Asked, Sent};
use super::frame::{self, HEAD, Type};
use super::transfer::Transfer;
use super::{BODY_MAX, OPEN_MAX, PATH_MAX, body, payload, tree, upload};
use crate::entity::{Dialect, RemotePath, Root};
use crate::net::wire::codec::{
    Answer, ClientCodec, Malformed, Pace, Page, Payload, Refusal, Request, Value, Values,
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
    outgoing: Outgoing,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Greeted {
    #[default]
    NotYet,
    Yes,
}

/// Whether a payload of ours is due, before anything else may be asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Outgoing {
    #[default]
    Nothing,
    Between,
    /// A block's head is written and its end not yet.
    Within,
}

impl Client {
    /// A fresh one for `deck` or `deck+tls`.
    pub fn over(dialect: Dialect) -> Self {
        Self {
            cover: Cover::of(dialect),
            ..Self::default()
        }
    }

    /// Whether anything may be asked now.
    fn check_turn(&self, request: &Request) -> Result<(), Malformed> {
        let order = |detail: &str| Err(Malformed::new("order", detail));
        match (self.greeted, request) {
            (Greeted::Yes, Request::Hello { .. }) => return order("hello comes once"),
            (Greeted::Yes, Request::Prove { .. }) => return order("a proof comes before hello"),
            (Greeted::NotYet, Request::Prove { .. }) if self.cover == Cover::Open => {
                return order("a proof is for TLS");
            }
            (Greeted::NotYet, Request::Hello { .. } | Request::Prove { .. })
            | (Greeted::Yes, _) => {}
            (Greeted::NotYet, _) => return order("hello comes first"),
        }
        if self.outgoing != Outgoing::Nothing {
            return order("the payload comes first");
        }
        // It may have to come again, and then the server reads nothing else.
        if let Some(Asked::Store {
            pace: Pace::Asked | Pace::Share(_),
            ..
        }) = self.open.back()
        {
            return order("the answer to put comes first");
        }
        if self.open.len() >= OPEN_MAX {
            return order("too many requests are open");
        }
        Ok(())
    }

    /// What a server says when nobody asked: that it leaves, and nothing else.
    fn unasked(&self, input: &[u8]) -> Result<Option<(usize, Answer)>, Malformed> {
        let order = || Malformed::new("order", "an answer nobody asked for");
        if self.greeted == Greeted::NotYet {
            return Err(order());
        }
        let frame = frame::take(input, &[Type::Refused]).map_err(|_| order())?;
        let Some(frame) = frame else { return Ok(None) };
        match body::refused(frame.body)? {
            refusal @ Refusal::Leaving => Ok(Some((frame.used, Answer::Refused { refusal }))),
            _ => Err(order()),
        }
    }

    /// Notes what an answer changes.
    fn note(&mut self, answer: &Answer) {
        match answer {
            Answer::Page(Page { more: true, .. }) | Answer::Wait { .. } => {}
            Answer::Values(values @ Values { more: true, .. }) => {
                if let Some(asked) = self.open.front_mut() {
                    asked.saw(values);
                }
            }
            Answer::Content(content) => self.transfer = Some(Transfer::runs(content)),
            Answer::Stretch { content, until } => {
                if let Some(Asked::Fetch { check, .. }) = self.open.front() {
                    self.transfer = Some(Transfer::blocks(content, *until, *check));
                }
            }
            Answer::Run { len, .. } => {
                if let Some(transfer) = &mut self.transfer {
                    transfer.ran(*len);
                }
            }
            Answer::Sealed { .. } => {
                if let Some(transfer) = &mut self.transfer {
                    transfer.sealed();
                }
            }
            Answer::Here { .. } | Answer::Again { .. } => {
                self.outgoing = Outgoing::Between;
                if let Some(asked) = self.open.front_mut() {
                    asked.sent(Sent::Some);
                }
            }
            Answer::Refused { .. } => {
                self.transfer = None;
                if let Some(Asked::Hello) = self.open.pop_front() {
                    self.greeted = Greeted::NotYet;
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
            | Answer::Proof(_)
            | Answer::Values(_)
            | Answer::Stored(_)
            | Answer::Done
            | Answer::Closed { .. } => {
                self.transfer = None;
                self.open.pop_front();
            }
        }
    }

    /// Writes what is asked; what its answer is held against.
    fn put(request: &Request, out: &mut Vec<u8>) -> Result<Asked, Malformed> {
        match request {
            Request::Prove { proof, name } => {
                body::put_prove(proof, Some(name), out);
                Ok(Asked::Prove)
            }
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
            Request::MakeFolder { path } => {
                body::put_path(Type::Mkdir, text(path)?, out);
                Ok(Asked::Change)
            }
            Request::Delete { path } => {
                body::put_path(Type::Delete, text(path)?, out);
                Ok(Asked::Change)
            }
            Request::Rename { from, to } => {
                body::put_rename(text(from)?, text(to)?, out);
                Ok(Asked::Rename)
            }
            Request::Ping { token } => {
                body::put_token(Type::Ping, *token, out);
                Ok(Asked::Ping { token: *token })
            }
            Request::Get { .. }
            | Request::Fetch { .. }
            | Request::Tree { .. }
            | Request::Store { .. } => Self::put_file(request, out),
            Request::Put { .. }
            | Request::Help
            | Request::Bye
            | Request::Aside
            | Request::Other => Err(unsupported(request)),
        }
    }

    /// As `put`, of what is about a file's content.
    fn put_file(request: &Request, out: &mut Vec<u8>) -> Result<Asked, Malformed> {
        match request {
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
            Request::Fetch {
                path,
                offset,
                until,
                version,
                check,
            } => {
                let path = text(path)?;
                body::check_stretch(*offset, *until)?;
                body::put_fetch(path, (*offset, *until), version.as_ref(), *check, out);
                Ok(Asked::Fetch {
                    offset: *offset,
                    until: *until,
                    version: version.clone(),
                    check: *check,
                })
            }
            Request::Tree {
                path,
                version,
                detail,
            } => {
                tree::put_tree(text(path)?, version.as_ref(), *detail, out);
                Ok(Asked::Tree {
                    version: version.clone(),
                    detail: *detail,
                    seen: None,
                })
            }
            Request::Store { path, size, terms } => {
                upload::put_put(text(path)?, *size, terms, out);
                Ok(Asked::Store {
                    size: *size,
                    check: terms.check,
                    pace: terms.pace,
                    payload: match terms.pace {
                        Pace::Asked | Pace::Share(_) => Sent::Nothing,
                        Pace::Eager => Sent::Some,
                    },
                })
            }
            _ => Err(unsupported(request)),
        }
    }

    /// Writes the end of a block whose end nobody has said.
    fn close_block(&mut self, ending: payload::Ending, out: &mut Vec<u8>) {
        if self.outgoing == Outgoing::Within {
            payload::put_end(Type::BlockEnd, ending, out);
            self.outgoing = Outgoing::Between;
        }
    }
}

fn unsupported(request: &Request) -> Malformed {
    let detail = format!("deck has no {}", request.label());
    Malformed::new("unsupported", detail)
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
        self.check_turn(request)?;
        let asked = Self::put(request, out)?;
        match &asked {
            Asked::Hello => self.greeted = Greeted::Yes,
            Asked::Store {
                pace: Pace::Eager, ..
            } => self.outgoing = Outgoing::Between,
            _ => {}
        }
        self.open.push_back(asked);
        Ok(())
    }

    fn decode(&mut self, input: &[u8]) -> Result<Option<(usize, Answer)>, Malformed> {
        if input.is_empty() {
            return Ok(None);
        }
        let Some(asked) = self.open.front() else {
            return self.unasked(input);
        };
        let heard = match &self.transfer {
            Some(transfer) => transfer.hear(input)?,
            None => asked.hear(input)?,
        };
        if let Some((_, answer)) = &heard {
            self.note(answer);
        }
        Ok(heard)
    }

    fn block(&mut self, offset: u64, len: u64, out: &mut Vec<u8>) {
        payload::put_block(offset, len, None, out);
        self.outgoing = Outgoing::Within;
    }

    fn seal(&mut self, value: Option<Value>, out: &mut Vec<u8>) {
        self.close_block(Ok(value), out);
    }

    /// Must be said even where the put is refused by then: the server reads its
    /// payload to the end.
    fn close(&mut self, root: Result<Option<Root>, Refusal>, out: &mut Vec<u8>) {
        self.close_block(root.map(|_| None), out);
        payload::put_end(Type::End, root.map(|root| root.map(|root| root.0)), out);
        self.outgoing = Outgoing::Nothing;
        let is_under_way = |asked: &&mut Asked| {
            matches!(
                asked,
                Asked::Store {
                    payload: Sent::Some,
                    ..
                }
            )
        };
        if let Some(asked) = self.open.iter_mut().rev().find(is_under_way) {
            asked.sent(Sent::All);
        }
    }

    fn eof(&mut self, input: &[u8]) -> Result<Answer, Malformed> {
        let detail = match (&self.transfer, self.open.len()) {
            (Some(transfer), _) => {
                format!(
                    "closed after {} of {} bytes, before the end",
                    transfer.next, transfer.until
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
