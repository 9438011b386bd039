//! Frames: the seven bytes before every body, and the table of their types.
//!
//! Knows the head, the types and how long each body may be. It refuses a wrong
//! byte as soon as it is there and a long body before any of it has come. It
//! must never know what a body means: `body.rs` does.

use super::{BODY_MAX, SMALL_BODY_MAX};
use crate::net::wire::codec::Malformed;

const MAGIC: [u8; 2] = [0x49, 0x7E];

/// Bytes before a body.
pub(super) const HEAD: usize = 7;

/// Every type of frame; the byte is its place in the table, from 0x10 on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Type {
    Hello = 0x10,
    Welcome,
    List,
    Page,
    Stat,
    Entry,
    Get,
    Content,
    Block,
    BlockEnd,
    End,
    Ping,
    Pong,
    Refused,
    Tree,
    Values,
    Put,
    Here,
    Again,
    Stored,
    Wait,
    Mkdir,
    Done,
    Rename,
    Delete,
    Prove,
}

impl Type {
    /// Type, word, longest body; in the order of their bytes.
    const TABLE: [(Self, &'static str, usize); 26] = [
        (Self::Hello, "hello", SMALL_BODY_MAX),
        (Self::Welcome, "welcome", SMALL_BODY_MAX),
        (Self::List, "list", SMALL_BODY_MAX),
        (Self::Page, "page", BODY_MAX),
        (Self::Stat, "stat", SMALL_BODY_MAX),
        (Self::Entry, "entry", SMALL_BODY_MAX),
        (Self::Get, "get", SMALL_BODY_MAX),
        (Self::Content, "content", SMALL_BODY_MAX),
        (Self::Block, "block", SMALL_BODY_MAX),
        (Self::BlockEnd, "block-end", SMALL_BODY_MAX),
        (Self::End, "end", SMALL_BODY_MAX),
        (Self::Ping, "ping", SMALL_BODY_MAX),
        (Self::Pong, "pong", SMALL_BODY_MAX),
        (Self::Refused, "refused", SMALL_BODY_MAX),
        (Self::Tree, "tree", SMALL_BODY_MAX),
        (Self::Values, "values", BODY_MAX),
        (Self::Put, "put", SMALL_BODY_MAX),
        (Self::Here, "here", BODY_MAX),
        (Self::Again, "again", BODY_MAX),
        (Self::Stored, "stored", SMALL_BODY_MAX),
        (Self::Wait, "wait", SMALL_BODY_MAX),
        (Self::Mkdir, "mkdir", SMALL_BODY_MAX),
        (Self::Done, "done", SMALL_BODY_MAX),
        (Self::Rename, "rename", SMALL_BODY_MAX),
        (Self::Delete, "delete", SMALL_BODY_MAX),
        (Self::Prove, "prove", SMALL_BODY_MAX),
    ];

    const fn byte(self) -> u8 {
        self as u8
    }

    fn row(byte: u8) -> Option<(Self, &'static str, usize)> {
        let place = byte.checked_sub(Self::Hello.byte())?;
        Self::TABLE.get(usize::from(place)).copied()
    }

    pub(super) fn label(self) -> &'static str {
        Self::row(self.byte()).map_or("", |(_, label, _)| label)
    }
}

/// A frame that has come whole.
#[derive(Debug)]
pub(super) struct Frame<'a> {
    pub(super) kind: Type,
    pub(super) body: &'a [u8],
    /// Bytes of head and body.
    pub(super) used: usize,
}

/// Takes one frame of a type that is due from the front of `input`; `None` if more is needed.
pub(super) fn take<'a>(input: &'a [u8], due: &[Type]) -> Result<Option<Frame<'a>>, Malformed> {
    let Some((kind, used)) = measure(input, due)? else {
        return Ok(None);
    };
    Ok(input.get(HEAD..used).map(|body| Frame { kind, body, used }))
}

/// Checks the head as far as it has come: the type and the length of head and body once it is whole.
pub(super) fn measure(input: &[u8], due: &[Type]) -> Result<Option<(Type, usize)>, Malformed> {
    for (&byte, due) in input.iter().zip(MAGIC) {
        if byte != due {
            return Err(Malformed::new(
                "magic",
                format!("byte 0x{byte:02X} where 0x{due:02X} of the magic was due"),
            ));
        }
    }
    let Some(&byte) = input.get(2) else {
        return Ok(None);
    };
    let Some((kind, label, max)) = Type::row(byte) else {
        return Err(Malformed::new("type", format!("type 0x{byte:02X}")));
    };
    if !due.contains(&kind) {
        let due: Vec<_> = due.iter().map(|kind| kind.label()).collect();
        let detail = match due.as_slice() {
            [] => format!("{label} where nothing more was due"),
            due => format!("{label} where {} was due", due.join(" or ")),
        };
        return Err(Malformed::new("order", detail));
    }
    let known = input.get(3..).unwrap_or_default();
    // The bytes not here yet count as 0, so a length can only turn out longer.
    let body = (0..4).fold(0, |len: usize, at| {
        len << 8 | known.get(at).map_or(0, |&byte| usize::from(byte))
    });
    if body > max {
        return Err(Malformed::new(
            "length",
            format!("{label} with a body of more than {max} bytes"),
        ));
    }
    Ok((known.len() >= 4).then_some((kind, HEAD + body)))
}

/// Appends a frame; `fill` appends its body.
pub(super) fn put(out: &mut Vec<u8>, kind: Type, fill: impl FnOnce(&mut Vec<u8>)) {
    out.extend_from_slice(&MAGIC);
    out.push(kind.byte());
    let length_at = out.len();
    out.extend_from_slice(&[0; 4]);
    let body_at = out.len();
    fill(out);
    let length = u32::try_from(out.len() - body_at).unwrap_or(u32::MAX);
    out[length_at..body_at].copy_from_slice(&length.to_be_bytes());
}
