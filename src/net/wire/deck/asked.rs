//! A request that is open, as much of it as its answer is held against.
//!
//! Knows which frames may answer it and what they must agree with. It must never
//! know what was asked before or after: the order is `client.rs`'s.

use super::block::{self, count, is_edge};
use super::frame::{Frame, Type};
use super::{body, listing, payload, tree, upload};
use crate::entity::RemotePath;
use crate::net::wire::codec::{
    Answer, Check, Content, Detail, Malformed, Pace, Span, Values, Version,
};

#[derive(Clone, Debug)]
pub(super) enum Asked {
    Prove,
    Hello,
    List,
    Stat {
        path: RemotePath,
    },
    Get {
        offset: u64,
        version: Option<Version>,
    },
    Fetch {
        offset: u64,
        until: Option<u64>,
        version: Option<Version>,
        check: Check,
    },
    Tree {
        version: Option<Version>,
        detail: Detail,
        /// What the parts that have come say.
        seen: Option<Seen>,
    },
    Store {
        size: u64,
        check: Check,
        pace: Pace,
        payload: Sent,
    },
    Change,
    Rename,
    Ping {
        token: u64,
    },
}

/// The parts of a tree that have come.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    size: u64,
    version: Option<Version>,
    /// The number of the block whose value comes next.
    next: u64,
}

/// How far the payload of a put is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sent {
    Nothing,
    Some,
    All,
}

impl Asked {
    const fn answers(&self) -> &'static [Type] {
        match self {
            Self::Prove => &[Type::Prove, Type::Refused, Type::Wait],
            Self::Hello => &[Type::Welcome, Type::Refused, Type::Wait],
            Self::List => &[Type::Page, Type::Refused, Type::Wait],
            Self::Stat { .. } => &[Type::Entry, Type::Refused, Type::Wait],
            Self::Get { .. } | Self::Fetch { .. } => &[Type::Content, Type::Refused, Type::Wait],
            Self::Tree { .. } => &[Type::Values, Type::Refused, Type::Wait],
            Self::Store {
                payload: Sent::Nothing,
                ..
            } => &[Type::Here, Type::Refused, Type::Wait],
            Self::Store {
                payload: Sent::Some,
                ..
            } => &[Type::Refused, Type::Wait],
            Self::Store {
                pace: Pace::Asked, ..
            } => &[Type::Stored, Type::Again, Type::Refused, Type::Wait],
            Self::Store {
                pace: Pace::Share(_),
                ..
            } => &[Type::Done, Type::Again, Type::Refused, Type::Wait],
            Self::Store { .. } => &[Type::Stored, Type::Refused, Type::Wait],
            Self::Change | Self::Rename => &[Type::Done, Type::Refused, Type::Wait],
            Self::Ping { .. } => &[Type::Pong, Type::Refused, Type::Wait],
        }
    }

    /// Takes one frame that may answer this from the front of `input`, and reads it.
    pub(super) fn hear(&self, input: &[u8]) -> Result<Option<(usize, Answer)>, Malformed> {
        match super::frame::take(input, self.answers())? {
            Some(frame) => Ok(Some((frame.used, self.read(&frame)?))),
            None => Ok(None),
        }
    }

    fn read(&self, frame: &Frame<'_>) -> Result<Answer, Malformed> {
        match (frame.kind, self) {
            (Type::Refused, _) => {
                body::refused(frame.body).map(|refusal| Answer::Refused { refusal })
            }
            (Type::Wait, _) => body::wait(frame.body).map(|(done, of)| Answer::Wait { done, of }),
            (_, Self::Prove) => body::prove(frame.body).map(|(proof, _)| Answer::Proof(proof)),
            (_, Self::Hello) => body::welcome(frame.body).map(Answer::Welcome),
            (_, Self::List) => listing::page(frame.body).map(Answer::Page),
            (_, Self::Stat { path }) => {
                let (entry, version) = listing::entry(frame.body)?;
                if !(path.is_root() && entry.name.is_empty()) {
                    listing::check_name(&entry.name)?;
                }
                Ok(Answer::Stat { entry, version })
            }
            (_, Self::Get { offset, version }) => {
                let (content, _) = payload::content(frame.body)?;
                check_content(&content, *offset, version.as_ref())?;
                Ok(Answer::Content(content))
            }
            (
                _,
                Self::Fetch {
                    offset,
                    until,
                    version,
                    ..
                },
            ) => {
                let (content, said) = payload::content(frame.body)?;
                check_content(&content, *offset, version.as_ref())?;
                let until = check_stretch(&content, *until, said)?;
                Ok(Answer::Stretch { content, until })
            }
            (
                _,
                Self::Tree {
                    version,
                    detail,
                    seen,
                },
            ) => {
                let values = tree::values(frame.body)?;
                check_values(&values, version.as_ref(), *detail, seen.as_ref())?;
                Ok(Answer::Values(values))
            }
            (Type::Done, Self::Store { .. }) => body::done(frame.body).map(|()| Answer::Done),
            (
                kind,
                Self::Store {
                    size, check, pace, ..
                },
            ) => read_store(kind, frame.body, *size, (*check, *pace)),
            (_, Self::Change) => body::done(frame.body).map(|()| Answer::Done),
            (_, Self::Rename) => body::done(frame.body).map(|()| Answer::Renamed),
            (_, Self::Ping { token: asked }) => match body::token(frame.body)? {
                token if token == *asked => Ok(Answer::Pong { token }),
                token => Err(Malformed::new(
                    "order",
                    format!("pong {token} where {asked} was due"),
                )),
            },
        }
    }

    /// Notes a part of a tree that is not the last.
    pub(super) fn saw(&mut self, values: &Values) {
        if let Self::Tree { seen, .. } = self {
            *seen = Some(Seen {
                size: values.size,
                version: values.version.clone(),
                next: values.first + values.values.len() as u64,
            });
        }
    }

    /// Notes how far the payload is sent.
    pub(super) const fn sent(&mut self, now: Sent) {
        if let Self::Store { payload, .. } = self {
            *payload = now;
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

/// A stretch begins and ends at edges of blocks, and where it was asked to.
fn check_stretch(
    content: &Content,
    asked: Option<u64>,
    said: Option<u64>,
) -> Result<u64, Malformed> {
    let fault = |detail: String| Err(Malformed::new("offset", detail));
    let size = content.size;
    let Some(until) = said else {
        return fault("a stretch without an end".to_owned());
    };
    let due = asked.unwrap_or(size).min(size);
    if until != due {
        return fault(format!("a stretch to byte {until} where {due} was due"));
    }
    for edge in [content.offset, until] {
        if !is_edge(edge, size) {
            return fault(format!("a stretch cut at {edge}, within a block"));
        }
    }
    Ok(until)
}

fn check_values(
    part: &Values,
    asked: Option<&Version>,
    detail: Detail,
    seen: Option<&Seen>,
) -> Result<(), Malformed> {
    let fault = |detail: String| Err(Malformed::new("tree", detail));
    if asked.is_some() && part.version.as_ref() != asked {
        let detail = "another content than the one asked for";
        return Err(Malformed::new("version", detail));
    }
    if let Some(seen) = seen
        && (seen.size, &seen.version) != (part.size, &part.version)
    {
        let detail = "another content than in the part before";
        return Err(Malformed::new("version", detail));
    }
    let (next, blocks) = (seen.map_or(0, |seen| seen.next), count(part.size));
    let (first, here) = (part.first, part.values.len() as u64);
    if first != next {
        return fault(format!("values from block {first} where {next} was due"));
    }
    if here > blocks - next {
        return fault(format!("values of more than the {blocks} blocks"));
    }
    if part.more {
        return match (part.root, here, detail) {
            (Some(_), ..) => fault("a root before the last part".to_owned()),
            (None, 0, _) => fault("a part without a value".to_owned()),
            (None, _, Detail::Root) => fault("values where the root was asked".to_owned()),
            (None, _, Detail::Values) => Ok(()),
        };
    }
    let due = match detail {
        Detail::Root => 0,
        Detail::Values => blocks - next,
    };
    match part.root {
        None => fault("no root in the last part".to_owned()),
        Some(_) if here != due => fault(format!("{here} values where {due} were due")),
        Some(_) => Ok(()),
    }
}

fn read_store(
    kind: Type,
    body: &[u8],
    size: u64,
    (check, pace): (Check, Pace),
) -> Result<Answer, Malformed> {
    match kind {
        Type::Here => {
            let blocks = upload::spans(body)?;
            check_spans(&blocks, size, pace)?;
            Ok(Answer::Here { blocks })
        }
        Type::Again => {
            let blocks = upload::spans(body)?;
            check_spans(&blocks, size, pace)?;
            if blocks.is_empty() {
                return Err(Malformed::new("block", "nothing that must come again"));
            }
            Ok(Answer::Again { blocks })
        }
        _ => {
            let stored = upload::stored(body)?;
            if stored.root.is_none() && check != Check::None {
                return Err(Malformed::new("value", "stored without its root"));
            }
            Ok(Answer::Stored(stored))
        }
    }
}

fn check_spans(spans: &[Span], size: u64, pace: Pace) -> Result<(), Malformed> {
    if let Some(fault) = block::fault(spans, count(size)) {
        return Err(Malformed::new("block", fault));
    }
    let Pace::Share(share) = pace else {
        return Ok(());
    };
    let end = share.first.saturating_add(share.count);
    // None passes the file's end: the sum is known to fit.
    let lies_in = |span: &Span| span.first >= share.first && span.first + span.count <= end;
    if spans.iter().all(lies_in) {
        Ok(())
    } else {
        Err(Malformed::new("block", "a block that is not of the share"))
    }
}

#[cfg(test)]
#[path = "asked_tests.rs"]
mod tests;
