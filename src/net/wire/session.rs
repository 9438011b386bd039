//! session: commands behind a 64-byte length.
//!
//! One connection carries as many requests as a person types; minutes may pass
//! before the first and between two. The client talks first. A message is its
//! length in ASCII decimal, left-aligned, padded with spaces to 64 bytes, then
//! its text. A reply is bare text without a length and leaves in one segment,
//! because the client reads it with one `recv(2048)`.
//!
//! ```text
//! message     64 bytes: 1 to 64 digits, then spaces; the value n is at most 2048
//!             n bytes of text, UTF-8, split at single spaces
//!
//! help        help              ->  the text of commands, below
//! put         p NAME            ->  [File was put]
//!             content, then 1,024 spaces, and no further reply
//! get         g NAME            ->  [Get File]
//!                               ->  content, then 1,024 spaces
//! change      c OLD NEW         ->  [Name was successfully changed]
//! bye         !DISCONNECT       ->  nothing; the server closes
//! anything else                 ->  [Not understood, try help]
//! ```
//!
//! | what | bytes |
//! |---|---|
//! | the message `help` | `34`, 63 times `20`, `68 65 6C 70` |
//! | the message `p a.txt` | `37`, 63 times `20`, `70 20 61 2E 74 78 74` |
//! | the message of one space | `31`, 63 times `20`, `20` |
//! | its end, content `hi\n` | `68 69 0A`, 1,024 times `20` |
//! | a change that is refused | `[Could not change file name because file was not found]` |
//! | a put that is refused | `[File was not put]`, then a close |
//! | a get that is refused | a close |
//!
//! The text of commands, without an end of line behind it:
//!
//! ```text
//! Possible Commands:
//!  put filename
//!  get filename
//!  change oldfilename newfilename␣
//!  help
//!  bye
//! ```
//!
//! (`␣` is a space.) A piece too many is ignored. Names have no spaces.
//!
//! **Serving.** Anything that is none of the commands is answered all the same:
//! after every get the client sends a single space and waits. `[Get File]` leaves
//! alone, because content in the same segment is printed, not saved. A put that
//! is refused ends the connection: the client sends its content regardless.
//!
//! **The end of a put** is in band: 1,024 spaces that are followed by a whole,
//! valid header, by silence or by the close. Exactly those are taken off: a run
//! of more is content up to its last 1,024. A content in which 1,024 spaces are
//! followed by something that reads like a header is cut there, and what follows
//! is read as messages; the connection guards against what could be smuggled so.
//! Which of the three it was is seen from the cue that brought the end.
//!
//! **Asking.** The end of a get can be told only by what comes behind it: `help`
//! is sent right behind `g NAME`, and the end is 1,024 spaces, the whole text of
//! commands, and then silence or the close. A missing file is a close without a
//! word. A content with 1,024 spaces in a row cannot be put: the server would
//! stop there and read the rest as messages. No end is provable.

mod client;
mod marker;
mod server;

pub use client::Client;
pub use server::Server;

use super::codec::Malformed;

/// Bytes of a message before its text.
pub const HEADER: usize = 64;
/// The longest text of a message, in bytes; a reply is not longer either.
pub const TEXT_MAX: usize = 2048;
/// Spaces behind a content.
pub const MARKER: usize = 1024;

const HELP: &str = "Possible Commands:\n put filename\n get filename\n \
                    change oldfilename newfilename \n help\n bye";
const PUT_READY: &str = "[File was put]";
const PUT_REFUSED: &str = "[File was not put]";
const GET_READY: &str = "[Get File]";
const RENAMED: &str = "[Name was successfully changed]";
const RENAME_REFUSED: &str = "[Could not change file name because file was not found]";
const HEARD: &str = "[Not understood, try help]";

/// Reads a header: the length of the text behind it once all 64 bytes are there.
/// The first byte that is wrong decides, however many follow.
fn header(input: &[u8]) -> Result<Option<usize>, Malformed> {
    let (mut length, mut padded) = (0_usize, false);
    for (at, &byte) in input.iter().take(HEADER).enumerate() {
        match byte {
            b'0'..=b'9' if !padded => {
                length = length * 10 + usize::from(byte - b'0');
                if length > TEXT_MAX {
                    let detail = format!("a message of more than {TEXT_MAX} bytes");
                    return Err(Malformed::new("length", detail));
                }
            }
            b' ' if at > 0 => padded = true,
            _ => {
                return Err(Malformed::new(
                    "header",
                    format!("byte 0x{byte:02X} at {at} of a length"),
                ));
            }
        }
    }
    Ok((input.len() >= HEADER).then_some(length))
}

/// Appends a message.
fn put_message(text: &str, out: &mut Vec<u8>) {
    let start = out.len();
    out.extend_from_slice(text.len().to_string().as_bytes());
    out.resize(start + HEADER, b' ');
    out.extend_from_slice(text.as_bytes());
}

#[cfg(test)]
#[path = "session/session_tests.rs"]
mod tests;
