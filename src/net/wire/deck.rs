//! deck/1: ferrydeck's own protocol, on the same magic as classic.
//!
//! deck/1 may change until the issue "deck, whole" closes. Integers outside a
//! body are big-endian. Everything said is a frame:
//!
//! ```text
//! frame    u16 magic = 0x497E
//!          u8  type, 0x10 and up (below that it is classic)
//!          u32 body_len
//!          body_len bytes of body: one CBOR map (RFC 8949)
//! ```
//!
//! # Bodies
//!
//! A map has unsigned keys below 64, in any order, none twice. A key that is
//! not known is skipped, whatever its value, so that a later deck/1 may add
//! keys. Every length is definite: indefinite arrays, maps and strings are
//! malformed. Skipped values nest 8 deep at the most. Nothing may stand behind
//! the map. A `page` has a body of 262,144 bytes at the most, every other frame
//! 16,384; more is refused from the length alone.
//!
//! ```cddl
//! hello     = { 0: [1*16 uint], ? 1: label }       ; versions spoken; the client's name
//! welcome   = { 0: uint, ? 1: label,               ; the version chosen; the server's name
//!               2: uint,                           ; rights: 1 read, 2 upload, 4 rename, 8 delete
//!               ? 3: { 0: uint, 1: uint } }        ; limits: bytes of a request body, of a block
//! list      = { 0: path }
//! page      = { 0: [*1000 entry], ? 1: uint,       ; how many names are not listed, default 0
//!               ? 2: bool }                        ; whether another page follows, default false
//! stat      = { 0: path }
//! entry     = { 0: name, 1: kind, 2: uint, 3: int, ; name, kind, bytes, seconds since 1970 UTC
//!               ? 4: version }
//! get       = { 0: path, 1: uint, ? 2: version }   ; from which byte on; of which content
//! content   = { 0: uint, 1: uint, ? 2: int,        ; size of the whole file, first byte, time
//!               ? 3: version }
//! block     = { 0: uint, 1: 1..16777216,           ; offset in the file, raw bytes that follow
//!               ? 2: version }                     ; the one of content
//! block-end = { ? 0: hash, ? 1: code }             ; its chaining value, or why it is spoilt
//! end       = { ? 0: hash, ? 1: code }             ; the root, or why the content is spoilt
//! ping      = { 0: uint }
//! pong      = { 0: uint }                          ; the one of ping
//! refused   = { 0: code }
//!
//! label     = text .size (0..255)
//! path      = text .size (0..4096)                 ; components between "/", "" is the root
//! name      = text .size (0..255)
//! version   = bytes .size (0..64)                  ; opaque; changes whenever the content may have
//! kind      = 0 / 1                                ; file / folder
//! hash      = bytes .size 32                       ; not sent yet, not read yet
//! code      = 1..17      ; not found, changed, bad offset, too large, unsupported, failed, leaving,
//!                        ; not allowed, bad name, no room
//! ```
//!
//! # Who says what
//!
//! | type | frame | said by | answered by |
//! |---|---|---|---|
//! | 10 | hello | client, first and once | welcome |
//! | 11 | welcome | server | |
//! | 12 | list | client | page, as often as it takes |
//! | 13 | page | server | |
//! | 14 | stat | client | entry |
//! | 15 | entry | server | |
//! | 16 | get | client | content, payload, end |
//! | 17 | content | server | |
//! | 18 | block | server, `len` raw bytes behind it | |
//! | 19 | block-end | server | |
//! | 1A | end | server | |
//! | 1B | ping | client | pong |
//! | 1C | pong | server | |
//! | 1D | refused | server, in place of any answer or page | |
//!
//! Requests may be sent before the answers to earlier ones; answers come in the
//! order of the requests. The client's first frame is hello. If none of its
//! versions is spoken here (deck/1 is 1), the answer is refused with code 5 and a
//! close. One answer is given for what is not there, not allowed, a folder or
//! outside the root: code 1.
//!
//! **Payload.** Behind content come blocks without gap or overlap from
//! `content.1` up to the size: a block frame, its raw bytes, a block-end; then
//! an end. A get from the very end has no block. A block-end with a code is
//! followed by an end with a code; an end with a code may come after any block.
//! If the request named a version, content has that one or the answer is
//! refused with code 2.
//!
//! **Names** in an entry are 1 to 255 bytes without `/` and without U+0000 to
//! U+001F and U+007F, and not `.` or `..`; only the entry of the root has the
//! empty name. A server counts what has no such name as not listed.
//!
//! # Examples
//!
//! ```text
//! hello, version 1, "me"       49 7E 10 00 00 00 08  A2 00 81 01 01 62 6D 65
//! welcome, "srv", may read     49 7E 11 00 00 00 16  A4 00 01 01 63 73 72 76 02 01
//!                              03 A2 00 19 40 00 01 1A 01 00 00 00
//! list of the root             49 7E 12 00 00 00 03  A1 00 60
//! page: a.txt, 3 bytes, at 7   49 7E 13 00 00 00 11  A1 00 81
//!                              A4 00 65 61 2E 74 78 74 01 00 02 03 03 07
//! the last page, 2 unlisted    49 7E 13 00 00 00 05  A2 00 80 01 02
//! a page, and more follow      49 7E 13 00 00 00 05  A2 00 80 02 F5
//! stat of a.txt                49 7E 14 00 00 00 08  A1 00 65 61 2E 74 78 74
//! entry: folder d, version CA  49 7E 15 00 00 00 0D  A5 00 61 64 01 01 02 00 03 20 04 41 CA
//! get a.txt from 0             49 7E 16 00 00 00 0A  A2 00 65 61 2E 74 78 74 01 00
//! content: 3 bytes, from 0     49 7E 17 00 00 00 0A  A4 00 03 01 00 02 07 03 41 CA
//! block: 3 bytes at 0          49 7E 18 00 00 00 08  A3 00 00 01 03 02 41 CA
//! the bytes                    68 69 0A
//! block-end                    49 7E 19 00 00 00 01  A0
//! end                          49 7E 1A 00 00 00 01  A0
//! block-end, changed           49 7E 19 00 00 00 03  A1 01 02
//! end, changed                 49 7E 1A 00 00 00 03  A1 01 02
//! ping 300                     49 7E 1B 00 00 00 05  A1 00 19 01 2C
//! pong 300                     49 7E 1C 00 00 00 05  A1 00 19 01 2C
//! refused, not found           49 7E 1D 00 00 00 03  A1 00 01
//! ```

mod body;
mod cbor;
mod client;
mod frame;
mod listing;
mod payload;
mod server;
mod value;

pub use client::Client;
pub use server::Server;

use crate::entity::Dialect;

/// The version spoken here.
pub const VERSION: u64 = 1;

/// The longest body of any frame, in bytes; only a page may be that long.
pub const BODY_MAX: usize = 256 * 1024;

/// The longest body of every frame but a page, in bytes.
pub const SMALL_BODY_MAX: usize = 16 * 1024;

/// The longest block, in bytes.
pub const BLOCK_MAX: u64 = 16 * 1024 * 1024;

/// The longest path of a request, in bytes.
pub const PATH_MAX: usize = 4096;

/// The longest name of an entry, a client or a server, in bytes.
pub const NAME_MAX: usize = 255;

/// The most entries one page frame carries.
pub const PAGE_ENTRIES: usize = 1000;

/// The most bytes of entries one page frame carries, counting each as its
/// name's bytes and [`ENTRY_BYTES`]. A longer page leaves as several frames.
pub const PAGE_BYTES: usize = BODY_MAX - 64;

/// What an entry costs beside its name, in bytes, at the most.
pub const ENTRY_BYTES: usize = 32;

/// The most requests a client may have open at once.
pub const OPEN_MAX: usize = 256;

/// What lies around the frames.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Cover {
    #[default]
    Open,
    Tls,
}

impl Cover {
    const fn of(dialect: Dialect) -> Self {
        match dialect {
            Dialect::DeckTls => Self::Tls,
            _ => Self::Open,
        }
    }

    const fn dialect(self) -> Dialect {
        match self {
            Self::Open => Dialect::Deck,
            Self::Tls => Dialect::DeckTls,
        }
    }
}

/// Whether a name may stand in a listing; a page counts the others as unlisted.
pub fn listable(name: &str) -> bool {
    name_fault(name).is_none()
}

/// What is wrong with an entry's name, if anything is.
fn name_fault(name: &str) -> Option<&'static str> {
    match name {
        "" => Some("an empty name"),
        "." | ".." => Some("a name of dots alone"),
        _ if name.len() > NAME_MAX => Some("a name of more than 255 bytes"),
        _ if name.contains('/') => Some("a name with a slash in it"),
        _ if name.bytes().any(|byte| byte.is_ascii_control()) => {
            Some("a name with a control character in it")
        }
        _ => None,
    }
}

#[cfg(test)]
#[path = "deck/deck_tests.rs"]
mod tests;
