//! deck/1: ferrydeck's own protocol, on the same magic as classic.
//!
//! This page is all of it. Fixed for good are the head of a frame, the meaning of
//! every key and code below, and where files are cut; a later deck/1 may add keys,
//! frames and codes. Integers outside a body are big-endian. Everything said is a
//! frame:
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
//! the map. A `page`, a `values`, a `here` and an `again` have a body of 262,144
//! bytes at the most, every other frame 16,384; more is refused from the length
//! alone.
//!
//! ```cddl
//! hello     = { 0: [1*16 uint], ? 1: label }       ; versions spoken; the client's name
//! welcome   = { 0: uint, ? 1: label,               ; the version chosen; the server's name
//!               2: uint,                           ; 1 read, 2 upload, 4 rename, 8 delete, 16 operate
//!               ? 3: { 0: uint, 1: uint,           ; limits: bytes of a request body, of a run
//!                      ? 2: 4194304 } }            ; bytes of a block
//! list      = { 0: path }
//! page      = { 0: [*1000 entry], ? 1: uint,       ; how many names are not listed, default 0
//!               ? 2: bool }                        ; whether another page follows, default false
//! stat      = { 0: path }
//! entry     = { 0: name, 1: kind, 2: uint, 3: int, ; name, kind, bytes, seconds since 1970 UTC
//!               ? 4: version }
//! get       = { 0: path, 1: uint, ? 2: version,    ; from which byte on; of which content
//!               ? 3: uint, ? 4: check }            ; up to which byte; with 3 or 4 it asks for a stretch
//! content   = { 0: uint, 1: uint, ? 2: int,        ; size of the whole file, first byte, time
//!               ? 3: version, ? 4: uint }          ; of a stretch: the byte behind its last
//! block     = { 0: uint, 1: 1..16777216,           ; offset in the file, raw bytes that follow
//!               ? 2: version }                     ; the one of content
//! block-end = { ? 0: hash, ? 1: code }             ; its value, or why it is spoilt
//! end       = { ? 0: hash, ? 1: code }             ; the root, or why the content is spoilt
//! ping      = { 0: uint }
//! pong      = { 0: uint }                          ; the one of ping
//! refused   = { 0: code }
//! tree      = { 0: path, ? 1: version, 2: 0 / 1 }  ; of which content; the root alone, or all values
//! values    = { 0: uint, 1: [*4096 hash],          ; the first one's block; in the order of the blocks
//!               ? 2: hash, 3: uint, ? 4: version,  ; the root; size of the whole file
//!               ? 5: bool }                        ; whether another part follows, default false
//! put       = { 0: path, 1: uint, 2: version,      ; size; marks the content on the sender's side
//!               ? 3: int, ? 4: 0..2,               ; time; a taken name: refuse, rename, replace
//!               ? 5: 0 / 1, ? 6: 0..2,           ; check; pace: asked, eager, share. Defaults are 0
//!               ? 7: uint, ? 8: uint }             ; of a share, and only there: first block, count
//! here      = { 0: spans }                         ; what an earlier try has brought
//! again     = { 0: spans }                         ; what did not agree
//! stored    = { 0: name, ? 1: hash }               ; the name it got; the root of what stands there
//! wait      = { 0: uint, 1: uint }                 ; bytes done, of so many
//! mkdir     = { 0: path }
//! done      = { }
//! rename    = { 0: path, 1: path }                 ; from, to
//! delete    = { 0: path }
//! prove     = { 0: hash, ? 1: label }              ; the proof; the client's name
//!
//! label     = text .size (0..255)
//! path      = text .size (0..4096)                 ; components between "/", "" is the root
//! name      = text .size (0..255)
//! version   = bytes .size (0..64)                  ; opaque; changes whenever the content may have
//! kind      = 0 / 1                                ; file / folder
//! hash      = bytes .size 32
//! check     = 0..2                                 ; no values, values, values of a tree made anew
//! spans     = [*16384 uint]                        ; first block, count, first block, count, ...
//! code      = 1..17
//! ```
//!
//! | code | | code | |
//! |---|---|---|---|
//! | 1 | not there, not allowed, a folder, outside the root | 10 | no room |
//! | 2 | the content has changed | 11 | this key is not known here: prove the code |
//! | 3 | the offset is wrong | 12 | the code is wrong |
//! | 4 | too large | 13 | too many wrong codes; a close follows |
//! | 5 | not done here | 14 | the name is taken |
//! | 6 | the disk failed | 15 | the folder is not empty |
//! | 7 | the server is leaving | 16 | somebody else is writing it |
//! | 8 | a right is missing | 17 | what came does not agree with its values |
//! | 9 | the name must not be written here | | |
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
//! | 18 | block | who sends, `len` raw bytes behind it | |
//! | 19 | block-end | who sends | |
//! | 1A | end | who sends | |
//! | 1B | ping | client | pong |
//! | 1C | pong | server | |
//! | 1D | refused | server, in place of any answer, page or values; code 7 unasked too | |
//! | 1E | tree | client | values, as often as it takes |
//! | 1F | values | server | |
//! | 20 | put | client | here, then again or stored; a share: done |
//! | 21 | here | server | payload, end |
//! | 22 | again | server | payload, end |
//! | 23 | stored | server | |
//! | 24 | wait | server, before any answer, page or values | |
//! | 25 | mkdir | client | done |
//! | 26 | done | server | |
//! | 27 | rename | client | done |
//! | 28 | delete | client | done |
//! | 29 | prove | client, before hello; server | prove |
//!
//! Requests may be sent before the answers to earlier ones; answers come in the
//! order of the requests. The client's first frame is hello, or inside TLS prove.
//! If none of its versions is spoken here (deck/1 is 1), the answer is refused with
//! code 5 and a close; after any other no, hello may come again. One answer is given
//! for what is not there, not allowed, a folder or outside the root: code 1.
//!
//! **Leaving.** Refused with code 7 may also come when nothing is asked: the server
//! leaves, and a close follows. Whoever asks then may find it in place of the answer.
//! What is under way by then goes on for a while.
//!
//! **Wait** says that an answer takes its time, and is none. It may come before any
//! answer and between parts of one, as often as it likes, never within a payload.
//! `wait.0` is `wait.1` at the most.
//!
//! **Payload.** Behind content come blocks without gap or overlap from
//! `content.1` up to the size: a block frame, its raw bytes, a block-end; then
//! an end. A get from the very end has no block. A block-end with a code is
//! followed by an end with a code; an end with a code may come after any block.
//! If the request named a version, content has that one or the answer is
//! refused with code 2.
//!
//! **Blocks and values.** A file is cut every 4,194,304 bytes; the last block is
//! shorter, an empty file has none. A block's value is the BLAKE3 chaining value of
//! its bytes where they stand, or the root where the file has one block alone;
//! values merge pairwise to the root as in BLAKE3, and the root is what `b3sum`
//! prints.
//!
//! **A stretch** is a get with key 3 or 4. It begins at a block's first byte or at
//! the file's end and ends likewise (`get.3` may lie beyond the end, and without it
//! is the end); else code 3. Content says in key 4 where it ends, and every block
//! frame is exactly one block, without a version. With check 1 and 2 each block-end
//! has the block's value, with 2 the server first drops what it has kept of them;
//! the end has the root if the server knows it by then.
//!
//! **A tree** comes in parts that follow each other from block 0 on, of one size and
//! version. Parts before the last have a value at least and no root; the last has
//! the root and ends with the last block. If the root alone was asked there is one
//! part, without values.
//!
//! **Put.** An asked put (pace 0) is answered with here: the blocks an earlier try with
//! the same `put.2` has brought. That wants all others: the client sends them as
//! payload in any order, each exactly one block and with its value if there is a
//! check, and an end; a version in a block says nothing. Then again wants what did not
//! agree, and only that, as payload and end once more; or stored is the answer, once
//! the file is durable, with its root if there is a check. Behind an asked put nothing
//! else is asked before its answer. Behind an eager one (pace 1) all blocks and the end
//! follow at once, and other requests behind them; it is never answered with here or
//! again, but with code 17 if something did not agree. Stretches of blocks ascend
//! without overlap, none is empty. No block comes more often than it was wanted, all
//! in all. A put has one answer: refused may come at any time, and if the payload was
//! wanted by then, it still goes on to an end, perhaps one with a code, and is
//! forgotten. If the client gives up (an end with a code) before that, refused with
//! the same code is the answer.
//!
//! **A share** of an asked put is a put with pace 2 on another connection, with the same
//! keys 0, 1, 2 and 5, by the same peer, once here has been heard. It is answered like an
//! asked one, with here and again naming blocks of the share alone, and with done in the
//! place of stored. While it is open its blocks are its own: two shares that overlap are
//! refused (code 16), and of another payload such a block is read and forgotten. Without a
//! put that it is a share of it is refused with code 1; when that put has its end, or its
//! connection ends, the shares still open end with their connections.
//!
//! **Pairing** is needed where the server does not know the client's key. Both show
//! self-signed certificates in TLS 1.3, ALPN `deck/1`. The client proves, before hello
//! or after it was refused with code 11, that its person knows the server's code:
//!
//! ```text
//! key    = HKDF-SHA-256(code, no salt, no info), 32 bytes (RFC 5869)
//! prove  = HMAC-SHA-256(key, "client" | exporter | server's key | client's key)
//! answer = HMAC-SHA-256(key, "server" | exporter | server's key | client's key)
//! ```
//!
//! The code is 16 characters of Crockford's base32 (80 bits), here in upper case and
//! without the hyphens it is shown with; the exporter is 32 bytes of this TLS session with
//! the label `EXPORTER-ferrydeck-deck-1` and no context (RFC 8446, 7.5); a key is its
//! `SubjectPublicKeyInfo`, DER. With the answer each pins the other's key, and hello follows. A wrong proof is refused with code 12,
//! and another may come; or with code 13 and a close. Outside TLS a prove is malformed.
//! What was sent behind a refused hello is refused likewise; an eager put with a close, and
//! its payload is not read.
//!
//! **Names** in an entry or stored are 1 to 255 bytes without `/` and without U+0000 to
//! U+001F and U+007F, and not `.` or `..`; only the entry of the root has the
//! empty name. A server counts what has no such name as not listed.
//!
//! # Examples
//!
//! ```text
//! hello, version 1, "me"       49 7E 10 00 00 00 08  A2 00 81 01 01 62 6D 65
//! welcome, "srv", may read     49 7E 11 00 00 00 1C  A4 00 01 01 63 73 72 76 02 01
//!                              03 A3 00 19 40 00 01 1A 01 00 00 00 02 1A 00 40 00 00
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
//! refused, taken               49 7E 1D 00 00 00 03  A1 00 0E
//! get all blocks of a.txt      49 7E 16 00 00 00 0C  A3 00 65 61 2E 74 78 74 01 00 04 01
//! get its second, anew         49 7E 16 00 00 00 19  A5 00 65 61 2E 74 78 74 01 1A 00
//!                              40 00 00 02 41 CA 03 1A 00 80 00 00 04 02
//! content: all blocks          49 7E 17 00 00 00 0C  A5 00 03 01 00 02 07 03 41 CA 04 03
//! block: the first and last    49 7E 18 00 00 00 05  A2 00 00 01 03
//! block-end, its value         49 7E 19 00 00 00 24  A1 00 58 20 0B 8B 60 24 8F AD 7A
//!                              C6 DF AC 22 1B 7E 01 A8 B9 1C 77 24 21 A1 5B 38 7D D1 FB
//!                              2D 6A 94 AE E4 38
//! end, the root                49 7E 1A 00 00 00 24  A1 00 58 20 0B 8B 60 24 8F AD 7A
//!                              C6 DF AC 22 1B 7E 01 A8 B9 1C 77 24 21 A1 5B 38 7D D1 FB
//!                              2D 6A 94 AE E4 38
//! tree of a.txt: the root      49 7E 1E 00 00 00 0A  A2 00 65 61 2E 74 78 74 02 00
//! tree of CA: the values       49 7E 1E 00 00 00 0D  A3 00 65 61 2E 74 78 74 01 41 CA 02 01
//! values: one, and the root    49 7E 1F 00 00 00 4F  A5 00 00 01 81 58 20 0B 8B 60 24
//!                              8F AD 7A C6 DF AC 22 1B 7E 01 A8 B9 1C 77 24 21 A1 5B 38
//!                              7D D1 FB 2D 6A 94 AE E4 38 02 58 20 0B 8B 60 24 8F AD 7A
//!                              C6 DF AC 22 1B 7E 01 A8 B9 1C 77 24 21 A1 5B 38 7D D1 FB
//!                              2D 6A 94 AE E4 38 03 03 04 41 CA
//! values: block 2, and more    49 7E 1F 00 00 00 2F  A4 00 02 01 81 58 20 0B 8B 60 24
//!                              8F AD 7A C6 DF AC 22 1B 7E 01 A8 B9 1C 77 24 21 A1 5B 38
//!                              7D D1 FB 2D 6A 94 AE E4 38 03 1A 01 00 00 00 05 F5
//! put a.txt, replacing         49 7E 20 00 00 00 13  A6 00 65 61 2E 74 78 74 01 03 02
//!                              41 CA 03 07 04 02 05 01
//! put a.txt, eager             49 7E 20 00 00 00 11  A5 00 65 61 2E 74 78 74 01 03 02
//!                              41 CA 05 01 06 01
//! put, its 2nd and 3rd block   49 7E 20 00 00 00 19  A7 00 65 61 2E 74 78 74 01 1A 00
//!                              C0 00 00 02 41 CA 05 01 06 02 07 01 08 02
//! put a.txt, unchecked         49 7E 20 00 00 00 0F  A4 00 65 61 2E 74 78 74 01 03 02
//!                              41 CA 04 01
//! here: 0, 1 and 4             49 7E 21 00 00 00 07  A1 00 84 00 02 04 01
//! again: 2                     49 7E 22 00 00 00 05  A1 00 82 02 01
//! stored, with its root        49 7E 23 00 00 00 2B  A2 00 65 61 2E 74 78 74 01 58 20
//!                              0B 8B 60 24 8F AD 7A C6 DF AC 22 1B 7E 01 A8 B9 1C 77 24
//!                              21 A1 5B 38 7D D1 FB 2D 6A 94 AE E4 38
//! stored, unchecked            49 7E 23 00 00 00 08  A1 00 65 61 2E 74 78 74
//! wait: 5 of 300               49 7E 24 00 00 00 07  A2 00 05 01 19 01 2C
//! mkdir d                      49 7E 25 00 00 00 04  A1 00 61 64
//! done                         49 7E 26 00 00 00 01  A0
//! rename d to e                49 7E 27 00 00 00 07  A2 00 61 64 01 61 65
//! delete d                     49 7E 28 00 00 00 04  A1 00 61 64
//! prove, "me"                  49 7E 29 00 00 00 28  A2 00 58 20 AB AB AB AB AB AB AB
//!                              AB AB AB AB AB AB AB AB AB AB AB AB AB AB AB AB AB AB AB
//!                              AB AB AB AB AB AB 01 62 6D 65
//! prove, the server            49 7E 29 00 00 00 24  A1 00 58 20 CD CD CD CD CD CD CD
//!                              CD CD CD CD CD CD CD CD CD CD CD CD CD CD CD CD CD CD CD
//!                              CD CD CD CD CD CD
//! ```

mod asked;
mod block;
mod body;
mod cbor;
mod client;
mod frame;
mod intake;
mod listing;
mod payload;
mod server;
mod transfer;
mod tree;
mod upload;
mod value;

pub use client::Client;
pub use server::Server;

use crate::entity::Dialect;

/// The version spoken here.
pub const VERSION: u64 = 1;

/// The longest body of any frame, in bytes; only a page, a values, a here and an again
/// may be that long.
pub const BODY_MAX: usize = 256 * 1024;

/// The longest body of every other frame, in bytes.
pub const SMALL_BODY_MAX: usize = 16 * 1024;

/// The longest run of raw bytes a get is answered with, in bytes.
pub const BLOCK_MAX: u64 = 16 * 1024 * 1024;

/// Where files are cut into blocks that have values, in bytes; the last block of a
/// file may be shorter, and an empty file has none.
pub const BLOCK: u64 = 4 << 20;

/// The most stretches of blocks one here or again carries. A longer here leaves some
/// out, a longer again takes in what lies between the last ones.
pub const SPANS_MAX: usize = 8192;

/// The most values one frame carries. A longer part of a tree leaves as several.
pub const VALUES_MAX: usize = 4096;

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
