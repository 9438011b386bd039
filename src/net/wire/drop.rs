//! drop: a name and a size, then bytes until the close.
//!
//! One connection carries one file, from the client to the server, which never
//! says anything.
//!
//! ```text
//! client -> server   NAME SP SIZE     NAME is UTF-8 without SP and control characters
//!                                     SIZE is 1 to 19 ASCII digits; no delimiter follows
//! client -> server   SIZE bytes of content, then the close
//! ```
//!
//! | what | bytes |
//! |---|---|
//! | `a.txt` of 3 bytes, `hi\n` | `61 2E 74 78 74 20 33 68 69 0A` |
//! | `a.txt`, empty | `61 2E 74 78 74 20 30` |
//! | `a.txt` of 5 bytes, `12345` | `61 2E 74 78 74 20 35 31 32 33 34 35` |
//!
//! **Where the header ends** is known at the close: of the digits behind the first
//! SP as many are SIZE as leave exactly SIZE bytes of content. Each digit more
//! makes SIZE larger or leaves it, and the content shorter, so at most one reading
//! fits. If it takes all the digits there are in a row, the length is proven; if
//! digits are left to the content (the third example), an upload that was cut can
//! look like it: that end is not provable. If none fits, the upload failed.
//!
//! Until then the digits that came together are taken for SIZE. This is a guess:
//! what it says of the size is a wish and hangs on how the bytes were cut, the
//! outcome does not. At the close the server says what must be put before the
//! content, or cut off it.
//!
//! **Exceptions from the cut law.** 20 to 39 digits that came together, and then
//! silence or the close, are a size nobody can have (39 digits hold 128 bits) and
//! refused, even where a reading fits: `n 18446744073709551616` might be 18 bytes
//! of digits. And on a port of its own, a first read without SP is the name of an
//! older client that sends no size: all that follows is content, and its end is
//! not provable.

mod client;
mod digits;
mod server;

pub use client::Client;
pub use server::Server;

/// The longest header, in bytes.
pub const HEAD_MAX: usize = 4096;
/// The most digits of a size.
pub const DIGITS: usize = 19;
/// The largest size that 19 digits say, in bytes.
pub const SIZE_MAX: u64 = 9_999_999_999_999_999_999;

#[cfg(test)]
#[path = "drop/drop_tests.rs"]
mod tests;
