//! deck's serving half against clients that lie, and the frames it writes.

use super::super::tests::{broken, harmful, harmless, raw};
use super::super::{BLOCK, BODY_MAX, ENTRY_BYTES, PAGE_BYTES, PAGE_ENTRIES, PATH_MAX};
use super::*;
use crate::entity::{Entry, Kind, RemotePath};
use crate::net::wire::codec::{Answer, Check, ClientCodec, Content, Page};
use crate::net::wire::deck::Client;

const HELLO: &[u8] = b"\x49\x7E\x10\0\0\0\x04\xA1\x00\x81\x01";

type Heard = Result<Option<(usize, Request)>, &'static str>;

fn hear(server: &mut Server, input: &[u8]) -> Heard {
    server.decode(input).map_err(|fault| fault.cause)
}

fn greeted() -> Server {
    let mut server = Server::default();
    let hello = Request::Hello { name: "".into() };
    assert_eq!(hear(&mut server, HELLO), Ok(Some((HELLO.len(), hello))));
    server
}

fn list(path: &str) -> Vec<u8> {
    let mut out = Vec::new();
    body::put_path(Type::List, path, &mut out);
    out
}

#[test]
fn hello_is_first_and_once() {
    for kind in 0x11..=0x29 {
        let early = hear(&mut Server::default(), &[0x49, 0x7E, kind]);
        assert_eq!(early, Err("order"), "{kind:02X}");
    }
    assert_eq!(hear(&mut greeted(), HELLO), Err("order"));
    assert_eq!(hear(&mut greeted(), &HELLO[..3]), Err("order"));
    let due = [0x12, 0x14, 0x16, 0x1B, 0x1E, 0x20, 0x25, 0x27, 0x28];
    for kind in (0x10..=0x29).filter(|kind| !due.contains(kind)) {
        assert_eq!(hear(&mut greeted(), &[0x49, 0x7E, kind]), Err("order"));
    }
}

fn refuse(server: &mut Server, refusal: Refusal) -> After {
    server.encode(&Reply::Refused(refusal), &mut Vec::new())
}

#[test]
fn a_proof_is_for_tls_and_comes_before_hello() {
    let body = [&b"\xA2\x00\x58\x20"[..], &[7; 32], b"\x01\x62me"].concat();
    let prove = raw(0x29, &body);
    let proved = Request::Prove {
        proof: [7; 32],
        name: "me".into(),
    };
    let hello = Request::Hello { name: "".into() };
    assert_eq!(hear(&mut Server::default(), &prove), Err("order"));
    let mut server = Server::over(Dialect::DeckTls);
    for cut in 0..prove.len() {
        assert_eq!(hear(&mut server, &prove[..cut]), Ok(None));
    }
    // A wrong code may be followed by another one; the right one by hello.
    for refusal in [Refusal::WrongCode, Refusal::WrongCode] {
        let heard = hear(&mut server, &prove);
        assert_eq!(heard, Ok(Some((prove.len(), proved.clone()))));
        assert_eq!(refuse(&mut server, refusal), After::Next);
        assert_eq!(hear(&mut server, &list("")), Err("order"));
    }
    assert!(matches!(hear(&mut server, &prove), Ok(Some(_))));
    assert_eq!(refuse(&mut server.clone(), Refusal::Banned), After::Close);
    let mut out = Vec::new();
    assert_eq!(server.encode(&Reply::Proof([8; 32]), &mut out), After::Next);
    assert_eq!(hear(&mut server, &list("")), Err("order"));
    // A key that is not known: a proof or hello may follow.
    let heard = hear(&mut server, HELLO);
    assert_eq!(heard, Ok(Some((HELLO.len(), hello.clone()))));
    assert_eq!(refuse(&mut server, Refusal::Unpaired), After::Next);
    // What was sent behind that hello is heard, to be refused as well.
    let mut behind = server.clone();
    assert!(matches!(hear(&mut behind, &list("")), Ok(Some(_))));
    assert_eq!(refuse(&mut behind, Refusal::Unpaired), After::Next);
    assert!(matches!(hear(&mut behind, &prove), Ok(Some(_))));
    assert_eq!(hear(&mut behind, &list("")), Err("order"), "hello is due");
    assert_eq!(hear(&mut server, HELLO), Ok(Some((HELLO.len(), hello))));
    let welcome = Reply::Welcome(crate::net::wire::codec::Welcome::default());
    assert_eq!(server.encode(&welcome, &mut out), After::Next);
    assert_eq!(hear(&mut server, &prove), Err("order"));
    assert_eq!(hear(&mut server, HELLO), Err("order"));
    // A no to anything later leaves the greeting said.
    assert!(matches!(hear(&mut server, &list("")), Ok(Some(_))));
    assert_eq!(refuse(&mut server, Refusal::Unpaired), After::Next);
    assert!(matches!(hear(&mut server, &list("")), Ok(Some(_))));
    let tls = || Server::over(Dialect::DeckTls);
    for body in broken(&[&[0x58, 0x20][..], &[7; 32]].concat()) {
        assert_eq!(hear(&mut tls(), &raw(0x29, &body)), Err("cbor"));
    }
    let short = raw(0x29, &[&b"\xA1\x00\x58\x1F"[..], &[7; 31]].concat());
    assert_eq!(hear(&mut tls(), &short), Err("cbor"));
    let long = [&body[..36], b"\x01\x79\x01\x00", &[b'n'; 256]].concat();
    assert_eq!(hear(&mut tls(), &raw(0x29, &long)), Err("name"));
}

#[test]
fn a_foreign_version_is_refused_and_closed() {
    let hello = raw(0x10, &[0xA1, 0x00, 0x82, 0x02, 0x19, 0x01, 0x00]);
    let mut server = Server::default();
    assert!(matches!(hear(&mut server, &hello), Ok(Some(_))));
    let mut out = Vec::new();
    let welcome = Reply::Welcome(crate::net::wire::codec::Welcome::default());
    assert_eq!(server.encode(&welcome, &mut out), After::Close);
    assert_eq!(out, raw(0x1D, &[0xA1, 0x00, 0x05]));
    assert_eq!(hear(&mut server, &list("")), Err("order"));
    let among_others = raw(0x10, &[0xA1, 0x00, 0x83, 0x02, 0x01, 0x03]);
    let mut server = Server::default();
    assert!(matches!(hear(&mut server, &among_others), Ok(Some(_))));
    assert_eq!(server.encode(&welcome, &mut out), After::Next);
}

#[test]
fn a_wrong_head_is_heard_at_once() {
    let cases: [(&[u8], &str); 8] = [
        (b"\x00", "magic"),
        (b"\x49\x7F", "magic"),
        (b"\x49\x7E\x01", "type"),
        (b"\x49\x7E\x2A", "type"),
        (b"\x49\x7E\xFF\0\0\0\0", "type"),
        (b"\x49\x7E\x12\x01", "length"),
        (b"\x49\x7E\x12\x00\x00\x41", "length"),
        (b"\x49\x7E\x12\x00\x00\x40\x01", "length"),
    ];
    for (bytes, cause) in cases {
        let mut server = greeted();
        assert_eq!(server.wants(bytes), None);
        assert_eq!(hear(&mut server, bytes), Err(cause), "{bytes:02X?}");
    }
    let server = greeted();
    assert_eq!(
        server.wants(b"\x49\x7E\x12\x00\x00\x40\x00"),
        Some(7 + 16_384)
    );
}

#[test]
fn a_request_byte_by_byte_says_what_it_lacks() {
    let mut server = greeted();
    let whole = list("docs");
    assert_eq!(server.eof(b""), Ok(()));
    for cut in 0..whole.len() {
        let part = &whole[..cut];
        let want = if cut < 7 { 7 } else { whole.len() };
        assert_eq!(hear(&mut server, part), Ok(None));
        assert_eq!(server.wants(part), Some(want));
        if cut > 0 {
            let detail = format!("request incomplete: {cut} of {want} bytes");
            assert_eq!(server.eof(part), Err(Malformed::new("short", detail)));
        }
    }
    let path = "docs".into();
    let heard = hear(&mut server, &[whole.clone(), whole.clone()].concat());
    assert_eq!(heard, Ok(Some((whole.len(), Request::List { path }))));
}

#[test]
fn a_body_that_is_not_the_cddl_is_malformed() {
    for (kind, good) in [
        (0x12, &b"\x60"[..]),
        (0x14, b"\x61a"),
        (0x1B, b"\x05"),
        (0x25, b"\x61a"),
        (0x28, b"\x61a"),
    ] {
        for body in broken(good) {
            let heard = hear(&mut greeted(), &raw(kind, &body));
            assert_eq!(heard, Err("cbor"), "{kind:02X} {body:02X?}");
        }
    }
    for body in broken(b"\x81\x01") {
        let heard = hear(&mut Server::default(), &raw(0x10, &body));
        assert_eq!(heard, Err("cbor"), "{body:02X?}");
    }
    let hellos: [&[u8]; 4] = [
        b"\xA1\x00\x80",
        b"\xA1\x00\x01",
        b"\xA1\x00\x81\x20",
        b"\xA1\x00\x91\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01",
    ];
    for body in hellos {
        let heard = hear(&mut Server::default(), &raw(0x10, body));
        assert_eq!(heard, Err("cbor"), "{body:02X?}");
    }
    let others: [(u8, &[u8], &str); 27] = [
        (0x1E, b"\xA1\x00\x61a", "cbor"),
        (0x1E, b"\xA1\x02\x00", "cbor"),
        (0x1E, b"\xA2\x00\x61a\x02\x02", "cbor"),
        (0x1E, b"\xA3\x00\x61a\x01\x00\x02\x00", "cbor"),
        (0x20, b"\xA2\x00\x61a\x01\x03", "cbor"),
        (0x20, b"\xA2\x01\x03\x02\x40", "cbor"),
        (0x20, b"\xA2\x00\x61a\x02\x40", "cbor"),
        (0x20, b"\xA3\x00\x61a\x01\x20\x02\x40", "cbor"),
        (0x20, b"\xA4\x00\x61a\x01\x03\x02\x40\x03\x60", "cbor"),
        (0x20, b"\xA4\x00\x61a\x01\x03\x02\x40\x04\x03", "cbor"),
        (0x20, b"\xA4\x00\x61a\x01\x03\x02\x40\x05\x02", "cbor"),
        (0x20, b"\xA4\x00\x61a\x01\x03\x02\x40\x05\xF5", "cbor"),
        (0x20, b"\xA4\x00\x61a\x01\x03\x02\x40\x06\x02", "cbor"),
        (
            0x20,
            b"\xA5\x00\x61a\x01\x03\x02\x40\x06\x02\x07\x00",
            "cbor",
        ),
        (
            0x20,
            b"\xA5\x00\x61a\x01\x03\x02\x40\x06\x02\x08\x01",
            "cbor",
        ),
        (
            0x20,
            b"\xA6\x00\x61a\x01\x03\x02\x40\x06\x02\x07\x00\x08\x00",
            "cbor",
        ),
        (
            0x20,
            b"\xA6\x00\x61a\x01\x03\x02\x40\x06\x02\x07\x01\x08\x01",
            "cbor",
        ),
        (
            0x20,
            b"\xA6\x00\x61a\x01\x03\x02\x40\x06\x01\x07\x00\x08\x01",
            "cbor",
        ),
        (
            0x20,
            b"\xA5\x00\x61a\x01\x03\x02\x40\x07\x00\x08\x01",
            "cbor",
        ),
        (0x20, b"\xA4\x00\x61a\x01\x03\x02\x40\x06\x03", "cbor"),
        (0x20, b"\xA4\x00\x61a\x01\x03\x02\x40\x01\x03", "cbor"),
        (0x20, b"\xA3\x00\x61a\x01\x03\x02\x40\x00", "cbor"),
        (0x20, b"\xBF\x00\x61a\x01\x03\x02\x40\xFF", "cbor"),
        (0x27, b"\xA1\x00\x61a", "cbor"),
        (0x27, b"\xA1\x01\x61a", "cbor"),
        (0x27, b"\xA2\x00\x61a\x01\x41b", "cbor"),
        (0x27, b"\xA2\x00\x61a\x01\x7F\x61a\xFF", "cbor"),
    ];
    for (kind, body, cause) in others {
        let heard = hear(&mut greeted(), &raw(kind, body));
        assert_eq!(heard, Err(cause), "{kind:02X} {body:02X?}");
    }
    let gets: [(&[u8], &str); 9] = [
        (b"\xA3\x00\x61a\x01\x00\x04\x03", "cbor"),
        (b"\xA3\x00\x61a\x01\x00\x04\x20", "cbor"),
        (b"\xA3\x00\x61a\x01\x00\x03\x20", "cbor"),
        (b"\xA3\x00\x61a\x01\x05\x03\x04", "offset"),
        (b"\xA1\x00\x61a", "cbor"),
        (b"\xA1\x01\x00", "cbor"),
        (b"\xA2\x00\x61a\x01\x20", "cbor"),
        (b"\xA2\x00\x61\xFF\x01\x00", "cbor"),
        (b"\xA3\x00\x61a\x01\x00\x02\x61x", "cbor"),
    ];
    for (body, cause) in gets {
        assert_eq!(hear(&mut greeted(), &raw(0x16, body)), Err(cause));
    }
}

#[test]
fn a_get_with_an_end_or_a_check_is_a_fetch() {
    let cases: [(&[u8], Option<u64>, Check); 4] = [
        (b"\xA3\x00\x61a\x01\x05\x03\x05", Some(5), Check::None),
        (b"\xA3\x00\x61a\x01\x05\x04\x00", None, Check::None),
        (b"\xA3\x00\x61a\x01\x05\x04\x02", None, Check::Anew),
        (
            b"\xA4\x00\x61a\x01\x05\x03\x09\x04\x01",
            Some(9),
            Check::Blocks,
        ),
    ];
    for (body, until, check) in cases {
        let bytes = raw(0x16, body);
        let fetch = Request::Fetch {
            path: "a".into(),
            offset: 5,
            until,
            version: None,
            check,
        };
        let heard = hear(&mut greeted(), &bytes);
        assert_eq!(heard, Ok(Some((bytes.len(), fetch))));
    }
}

#[test]
fn a_length_that_lies_is_malformed() {
    let mut short = list("docs");
    short[6] -= 1;
    assert_eq!(hear(&mut greeted(), &short), Err("cbor"));
    let mut long = list("docs");
    long[6] += 1;
    long.push(0);
    assert_eq!(hear(&mut greeted(), &long), Err("cbor"));
}

#[test]
fn unknown_keys_are_skipped_with_bounds() {
    let with = |value: &[u8]| raw(0x12, &[&[0xA2, 0x18, 0x3F], value, &[0x00, 0x60]].concat());
    for value in harmless() {
        let heard = hear(&mut greeted(), &with(&value));
        assert!(matches!(heard, Ok(Some(_))), "{value:02X?}");
    }
    for value in harmful(8_000) {
        let heard = hear(&mut greeted(), &with(&value));
        assert_eq!(heard, Err("cbor"), "{} bytes", value.len());
    }
}

#[test]
fn values_out_of_bounds_are_malformed() {
    let get = |version: usize| {
        let mut body = b"\xA3\x00\x61a\x01\x00\x02\x58".to_vec();
        body.push(u8::try_from(version).unwrap_or(0));
        body.resize(body.len() + version, 7);
        raw(0x16, &body)
    };
    assert!(matches!(hear(&mut greeted(), &get(64)), Ok(Some(_))));
    assert_eq!(hear(&mut greeted(), &get(65)), Err("version"));
    let longest = list(&"x".repeat(PATH_MAX));
    assert!(matches!(hear(&mut greeted(), &longest), Ok(Some(_))));
    let longer = list(&"x".repeat(PATH_MAX + 1));
    assert_eq!(hear(&mut greeted(), &longer), Err("path"));
    let name = [b"\xA2\x00\x81\x01\x01\x79\x01\x00".as_slice(), &[b'n'; 256]].concat();
    let hello = raw(0x10, &name);
    assert_eq!(hear(&mut Server::default(), &hello), Err("name"));
    // What a path means is not this floor's: it is handed on as it is.
    for path in ["../x", "a//b", "a\0b", "/etc/passwd", "\u{1b}[2J"] {
        let heard = hear(&mut greeted(), &list(path));
        let request = Request::List { path: path.into() };
        assert_eq!(heard.map(|it| it.map(|it| it.1)), Ok(Some(request)));
    }
}

#[test]
fn a_long_name_of_ours_is_cut_between_characters() {
    let mut out = Vec::new();
    Client::default().greet(&"ü".repeat(200), &mut out);
    let mut server = Server::default();
    let heard = server.decode(&out).map(|it| it.map(|it| it.1));
    let name = "ü".repeat(127).into();
    assert_eq!(heard, Ok(Some(Request::Hello { name })));
}

#[test]
fn payload_is_framed_in_blocks() {
    let size = BLOCK_MAX + 5;
    let (mut server, mut out) = (greeted(), Vec::new());
    let content = Content {
        size,
        offset: 2,
        mtime: None,
        version: None,
    };
    server.encode(&Reply::Content(content), &mut out);
    out.clear();
    assert_eq!(server.next_run(2, size - 2, &mut out), BLOCK_MAX);
    assert_eq!(out, raw(0x18, b"\xA2\x00\x02\x01\x1A\x01\0\0\0"));
    out.clear();
    assert_eq!(server.next_run(2 + BLOCK_MAX, 3, &mut out), 3);
    let block = raw(0x18, b"\xA2\x00\x1A\x01\0\0\x02\x01\x03");
    assert_eq!(out, [raw(0x19, &[0xA0]), block].concat());
    out.clear();
    assert_eq!(server.finish(None, &mut out), After::Next);
    assert_eq!(out, [raw(0x19, &[0xA0]), raw(0x1A, &[0xA0])].concat());
    out.clear();
    // No block was open: an empty content has no block-end.
    assert_eq!(server.finish(Some(Refusal::Failed), &mut out), After::Next);
    assert_eq!(out, raw(0x1A, &[0xA1, 0x01, 0x06]));
}

#[test]
fn a_stretch_is_framed_block_by_block() {
    let (mut server, mut out) = (greeted(), Vec::new());
    let content = Content {
        size: 3 * BLOCK,
        offset: BLOCK,
        mtime: None,
        version: Version::new(b"v"),
    };
    let until = 3 * BLOCK;
    server.encode(&Reply::Stretch { content, until }, &mut out);
    out.clear();
    assert_eq!(server.next_run(BLOCK, 2 * BLOCK, &mut out), BLOCK);
    let head = |at: &[u8]| {
        let body = [b"\xA2\x00\x1A", at, b"\x01\x1A\x00\x40\0\0"].concat();
        raw(0x18, &body)
    };
    assert_eq!(out, head(b"\x00\x40\0\0"));
    out.clear();
    server.seal(Some([1; 32]), &mut out);
    let value = [&b"\xA1\x00\x58\x20"[..], &[1; 32]].concat();
    assert_eq!(out, raw(0x19, &value));
    out.clear();
    assert_eq!(server.next_run(2 * BLOCK, BLOCK, &mut out), BLOCK);
    assert_eq!(out, head(b"\x00\x80\0\0"));
    // What changed while it was sent spoils its block and the content.
    let mut spoilt = server.clone();
    out.clear();
    spoilt.close(Err(Refusal::Changed), &mut out);
    let code = |kind| raw(kind, &[0xA1, 0x01, 0x02]);
    assert_eq!(out, [code(0x19), code(0x1A)].concat());
    out.clear();
    server.seal(None, &mut out);
    server.seal(None, &mut out);
    server.close(Ok(Some(Root([1; 32]))), &mut out);
    assert_eq!(out, [raw(0x19, &[0xA0]), raw(0x1A, &value)].concat());
    out.clear();
    // A get afterwards is cut as ever, and names its version again.
    let content = Content {
        size: 9,
        offset: 2,
        mtime: None,
        version: Version::new(b"v"),
    };
    server.encode(&Reply::Content(content), &mut out);
    out.clear();
    assert_eq!(server.next_run(2, 7, &mut out), 7);
    server.seal(None, &mut out);
    assert_eq!(out, raw(0x18, b"\xA3\x00\x02\x01\x07\x02\x41v"));
}

#[test]
fn a_wait_never_has_more_done_than_there_is() {
    let mut out = Vec::new();
    greeted().encode(&Reply::Wait { done: 9, of: 7 }, &mut out);
    assert_eq!(out, raw(0x24, b"\xA2\x00\x07\x01\x07"));
}

/// What a client hears of a page, frame by frame.
fn pages(page: Page) -> Vec<(usize, Page)> {
    let (mut client, mut hello) = (Client::default(), Vec::new());
    client.greet("me", &mut hello);
    let mut out = Vec::new();
    let mut server = greeted();
    server.encode(
        &Reply::Welcome(crate::net::wire::codec::Welcome::default()),
        &mut out,
    );
    assert!(client.decode(&out).is_ok());
    let path = RemotePath::root();
    let mut asked = Vec::new();
    assert_eq!(client.ask(&Request::List { path }, &mut asked), Ok(()));
    out.clear();
    assert_eq!(server.encode(&Reply::Page(page), &mut out), After::Next);
    let (mut heard, mut rest) = (Vec::new(), out.as_slice());
    while let Ok(Some((used, Answer::Page(page)))) = client.decode(rest) {
        heard.push((used, page));
        rest = &rest[used..];
    }
    assert_eq!(rest, b"");
    heard
}

fn entries(count: usize, name: usize) -> Vec<Entry> {
    let entry = Entry {
        name: "x".repeat(name).into(),
        kind: Kind::File,
        size: u64::MAX,
        mtime: i64::MIN,
    };
    vec![entry; count]
}

#[test]
fn a_page_fits_its_frame_whatever_is_in_it() {
    let fits = PAGE_BYTES / (255 + ENTRY_BYTES);
    let cases = [
        (0, 1, 1),
        (1000, 1, 1),
        (1001, 1, 2),
        (2500, 9, 3),
        (fits, 255, 1),
        (1000, 255, 2),
    ];
    for (count, name, frames) in cases {
        let heard = pages(Page {
            entries: entries(count, name),
            unlisted: 4,
            more: false,
        });
        assert_eq!(heard.len(), frames, "{count} names of {name}");
        assert!(
            heard
                .iter()
                .all(|(used, page)| *used <= HEAD + BODY_MAX && page.entries.len() <= PAGE_ENTRIES)
        );
        let all: usize = heard.iter().map(|(_, page)| page.entries.len()).sum();
        let unlisted: u64 = heard.iter().map(|(_, page)| page.unlisted).sum();
        assert_eq!((all, unlisted), (count, 4));
    }
}

#[test]
fn a_name_that_may_not_be_listed_is_counted() {
    let mut entries = entries(2, 3);
    for name in ["", "..", "a\nb", "a/b"] {
        entries.push(Entry {
            name: name.into(),
            ..entries[0].clone()
        });
    }
    let heard = pages(Page {
        entries,
        unlisted: 1,
        more: false,
    });
    assert_eq!(heard.len(), 1);
    assert_eq!((heard[0].1.entries.len(), heard[0].1.unlisted), (2, 5));
    let mut out = Vec::new();
    let entry = Entry {
        name: "a\nb".into(),
        kind: Kind::File,
        size: 0,
        mtime: 0,
    };
    let version = None;
    greeted().encode(&Reply::Stat { entry, version }, &mut out);
    assert_eq!(out, raw(0x1D, &[0xA1, 0x00, 0x01]));
}
