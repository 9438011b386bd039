//! colon: `name:GET` and `name:PUT`.
//!
//! One connection carries one request. The client talks first; content has no
//! length, the close is its end.
//!
//! ```text
//! client -> server   [one ASCII digit: how many clients will come]
//! client -> server   NAME ":" CHOICE      CHOICE is GET or PUT, in any case
//! server -> client   Done                 understood
//!                    Error                not understood: the client says it again
//! GET                the server sends the content and closes
//! PUT                the client sends the content and closes
//! no such file       in place of a content, either way:  File not found. Try again.
//! ```
//!
//! | what | bytes |
//! |---|---|
//! | two clients will come | `32` |
//! | get `a.txt` | `61 2E 74 78 74 3A 47 45 54` |
//! | put `a.txt` | `61 2E 74 78 74 3A 50 55 54` |
//! | understood | `44 6F 6E 65` |
//! | not understood | `45 72 72 6F 72` |
//!
//! The header ends at the first colon that is followed by a choice: `a:b:GET` is
//! a get of `a:b`. Blanks around the colon do not count (`a.txt : get`). A header
//! is at most 4,096 bytes and has no end but its choice: what is not understood
//! by the time the client falls silent is answered with `Error`, and the fifth
//! `Error` is followed by a close. What stands behind `:PUT` is content already.
//!
//! **The count** is a segment of its own or glued to the name (`2notes.txt:GET`).
//! Here the cut law does not hold: a digit that is all the first read brought is
//! the count. Glued, on GET, the name is taken with the digit, and without it if
//! there is no such file; on PUT the digit is part of the name.
//!
//! **Serving.** `Done` leaves as a segment of its own: the client compares what one
//! `recv` brought. A get that is refused is `Done`, then the sentence; a put that
//! is refused is `Error`, and a close if content came with it, because that must
//! not be read as another header. A put whose content is the sentence, alone, means
//! that the client had no such file. That a put was cut cannot be told.
//!
//! **Asking.** No count is sent unless told to: a server that expects none takes it
//! for the header. A content that is the sentence cannot be told from a refusal.

mod absent;
mod client;
mod server;

pub use client::Client;
pub use server::Server;

/// The longest header, in bytes.
pub const HEAD_MAX: usize = 4096;
/// How often a header is said, or heard, before it is enough.
pub const TRIES: usize = 5;

const DONE: &[u8] = b"Done";
const ERROR: &[u8] = b"Error";
const SENTENCE: &[u8] = b"File not found. Try again.";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Choice {
    Get,
    Put,
}

impl Choice {
    const fn word(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Put => "PUT",
        }
    }
}

/// A header that is whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Header<'a> {
    name: &'a [u8],
    choice: Choice,
    /// Bytes, colon and choice among them.
    used: usize,
}

/// Finds a header at the front of `input`.
fn header(input: &[u8]) -> Option<Header<'_>> {
    let input = &input[..input.len().min(HEAD_MAX)];
    let colons = input.iter().enumerate().filter(|&(_, &byte)| byte == b':');
    colons.map(|(at, _)| at).find_map(|at| {
        let behind = &input[at + 1..];
        let blanks = behind.iter().take_while(|&&byte| byte == b' ').count();
        let word = behind.get(blanks..blanks + 3)?;
        let choice = [Choice::Get, Choice::Put]
            .into_iter()
            .find(|choice| word.eq_ignore_ascii_case(choice.word().as_bytes()))?;
        let blank = |&byte: &u8| byte != b' ';
        let name = input[..at]
            .iter()
            .rposition(blank)
            .map_or(0, |last| last + 1);
        Some(Header {
            name: &input[..name],
            choice,
            used: at + 1 + blanks + 3,
        })
    })
}

#[cfg(test)]
#[path = "colon/colon_tests.rs"]
mod tests;
