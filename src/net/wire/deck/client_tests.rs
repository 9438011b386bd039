//! deck's asking half against servers that lie.

use super::super::tests::{broken, harmful, harmless, raw};
use super::*;
use crate::entity::{Entry, Kind};
use crate::net::wire::codec::Version;
use crate::net::wire::deck::listing;

type Heard = Result<Option<(usize, Answer)>, &'static str>;

fn hear(client: &mut Client, input: &[u8]) -> Heard {
    client.decode(input).map_err(|fault| fault.cause)
}

/// A client that was welcomed and has asked this.
fn asked(request: &Request) -> Client {
    let (mut client, mut out) = (Client::default(), Vec::new());
    assert!(client.greet("me", &mut out));
    let welcome = raw(0x11, b"\xA2\x00\x01\x02\x01");
    assert!(matches!(hear(&mut client, &welcome), Ok(Some(_))));
    assert_eq!(client.ask(request, &mut out), Ok(()));
    client
}

fn listing() -> Client {
    asked(&Request::List {
        path: RemotePath::root(),
    })
}

fn stat(path: &str) -> Client {
    asked(&Request::Stat { path: path.into() })
}

fn get(offset: u64, version: Option<&[u8]>) -> Client {
    asked(&Request::Get {
        path: "a".into(),
        offset,
        version: version.and_then(Version::new),
    })
}

/// A client that has heard that 9 bytes follow from 2 on, of version `v`.
fn fetching() -> Client {
    let mut client = get(2, None);
    let content = raw(0x17, b"\xA3\x00\x09\x01\x02\x03\x41v");
    assert!(matches!(hear(&mut client, &content), Ok(Some(_))));
    client
}

fn block(offset: u8, len: u8) -> Vec<u8> {
    raw(0x18, &[0xA3, 0x00, offset, 0x01, len, 0x02, 0x41, b'v'])
}

fn block_end() -> Vec<u8> {
    raw(0x19, &[0xA0])
}

fn end() -> Vec<u8> {
    raw(0x1A, &[0xA0])
}

#[test]
fn a_client_greets_first_and_once() {
    let (mut client, mut out) = (Client::default(), Vec::new());
    let ping = Request::Ping { token: 1 };
    let hello = Request::Hello { name: "me".into() };
    let cause = |said: Result<(), Malformed>| said.map_err(|fault| fault.cause);
    assert_eq!(cause(client.ask(&ping, &mut out)), Err("order"));
    assert_eq!(out, b"");
    assert_eq!(cause(client.ask(&hello, &mut out)), Ok(()));
    assert_eq!(cause(client.ask(&hello, &mut out)), Err("order"));
    let sent = out.len();
    assert!(client.greet("me", &mut out));
    assert_eq!(out.len(), sent);
    for path in [RemotePath::new(b"\xFF"), RemotePath::new(vec![b'x'; 4097])] {
        let said = client.ask(&Request::List { path }, &mut out);
        assert_eq!(cause(said), Err("path"));
    }
    assert_eq!(out.len(), sent);
    for _ in 1..OPEN_MAX {
        assert_eq!(cause(client.ask(&ping, &mut out)), Ok(()));
    }
    assert_eq!(cause(client.ask(&ping, &mut out)), Err("order"));
}

#[test]
fn answers_nobody_asked_for_are_malformed() {
    let mut silent = Client::default();
    assert_eq!(hear(&mut silent, b""), Ok(None));
    assert_eq!(hear(&mut silent, b"\x49"), Err("order"));
    let mut client = listing();
    for kind in [0x10, 0x11, 0x12, 0x15, 0x17, 0x18, 0x19, 0x1A, 0x1C] {
        assert_eq!(hear(&mut client, &[0x49, 0x7E, kind]), Err("order"));
    }
    let mut pinged = asked(&Request::Ping { token: 7 });
    assert_eq!(hear(&mut pinged, &raw(0x1C, b"\xA1\x00\x08")), Err("order"));
    let pong = raw(0x1C, b"\xA1\x00\x07");
    let answer = Answer::Pong { token: 7 };
    assert_eq!(hear(&mut pinged, &pong), Ok(Some((pong.len(), answer))));
    assert_eq!(hear(&mut pinged, &pong), Err("order"));
}

#[test]
fn answers_come_in_the_order_of_the_requests() {
    let mut client = listing();
    let mut out = Vec::new();
    assert_eq!(client.ask(&Request::Ping { token: 1 }, &mut out), Ok(()));
    assert_eq!(hear(&mut client, &raw(0x1C, b"\xA1\x00\x01")), Err("order"));
    let more = raw(0x13, b"\xA2\x00\x80\x02\xF5");
    assert!(matches!(hear(&mut client, &more), Ok(Some(_))));
    assert_eq!(hear(&mut client, &raw(0x1C, b"\xA1\x00\x01")), Err("order"));
    let last = raw(0x13, b"\xA1\x00\x80");
    assert!(matches!(hear(&mut client, &last), Ok(Some(_))));
    let pong = hear(&mut client, &raw(0x1C, b"\xA1\x00\x01"));
    assert!(matches!(pong, Ok(Some((_, Answer::Pong { token: 1 })))));
}

#[test]
fn a_body_that_is_not_the_cddl_is_malformed() {
    for body in broken(b"\x80") {
        let heard = hear(&mut listing(), &raw(0x13, &body));
        assert_eq!(heard, Err("cbor"), "{body:02X?}");
    }
    for body in broken(b"\x01") {
        let heard = hear(&mut listing(), &raw(0x1D, &body));
        assert_eq!(heard, Err("cbor"), "{body:02X?}");
    }
    for code in [0, 18, 0x17] {
        let heard = hear(&mut listing(), &raw(0x1D, &[0xA1, 0x00, code]));
        assert_eq!(heard, Err("cbor"));
    }
    let entries: [&[u8]; 7] = [
        b"\xA3\x00\x61a\x01\x00\x02\x00",
        b"\xA4\x00\x61a\x01\x02\x02\x00\x03\x00",
        b"\xA4\x00\x61a\x01\x00\x02\x20\x03\x00",
        b"\xA4\x00\x41a\x01\x00\x02\x00\x03\x00",
        b"\xA4\x00\x61a\x00\x61a\x02\x00\x03\x00",
        b"\xA4\x00\x61a\x01\x00\x02\x00\x03\x3B\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF",
        b"\xA4\x00\x61a\x01\x00\x02\x00\x03\x00\x00",
    ];
    for body in entries {
        assert_eq!(hear(&mut stat("a"), &raw(0x15, body)), Err("cbor"));
        let page = [b"\xA1\x00\x81", body].concat();
        assert_eq!(hear(&mut listing(), &raw(0x13, &page)), Err("cbor"));
    }
    let foreign = raw(0x11, b"\xA2\x00\x02\x02\x01");
    let (mut client, mut out) = (Client::default(), Vec::new());
    client.greet("me", &mut out);
    assert_eq!(hear(&mut client, &foreign), Err("version"));
}

#[test]
fn nothing_in_a_page_is_deep_or_long() {
    let with = |value: &[u8]| raw(0x13, &[&[0xA2, 0x18, 0x3F], value, &[0x00, 0x80]].concat());
    for value in harmless() {
        assert!(matches!(hear(&mut listing(), &with(&value)), Ok(Some(_))));
    }
    for value in harmful(100_000) {
        let heard = hear(&mut listing(), &with(&value));
        assert_eq!(heard, Err("cbor"), "{} bytes", value.len());
    }
    let announced: [&[u8]; 3] = [
        b"\xA1\x00\x9B\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF",
        b"\xA1\x00\x99\x03\xE9",
        b"\xA1\x00\x99\x03\xE8",
    ];
    for body in announced {
        assert_eq!(hear(&mut listing(), &raw(0x13, body)), Err("cbor"));
    }
    for head in [&b"\x49\x7E\x13\x00\x04\x00\x01"[..], b"\x49\x7E\x13\x01"] {
        assert_eq!(hear(&mut listing(), head), Err("length"));
    }
    assert_eq!(
        hear(&mut listing(), b"\x49\x7E\x13\x00\x04\x00\x00"),
        Ok(None)
    );
    assert_eq!(
        hear(&mut listing(), b"\x49\x7E\x1D\x00\x00\x41"),
        Err("length")
    );
}

#[test]
fn hostile_names_are_malformed() {
    let long = "x".repeat(256);
    let names = [
        "",
        ".",
        "..",
        "/",
        "a/b",
        "../a",
        "a\0",
        "\n",
        "\u{1b}[2J",
        "\x7f",
        &long,
    ];
    for name in names {
        let entry = Entry {
            name: name.into(),
            kind: Kind::File,
            size: 0,
            mtime: 0,
        };
        let mut bytes = Vec::new();
        listing::put_entry(&entry, None, &mut bytes);
        assert_eq!(hear(&mut stat("a"), &bytes), Err("name"), "{name:?}");
        if !name.is_empty() {
            assert_eq!(hear(&mut stat(""), &bytes), Err("name"), "{name:?}");
        }
        let page = [b"\xA1\x00\x81", &bytes[HEAD..]].concat();
        assert_eq!(hear(&mut listing(), &raw(0x13, &page)), Err("name"));
    }
    let root = raw(0x15, b"\xA4\x00\x60\x01\x01\x02\x00\x03\x00");
    assert!(matches!(hear(&mut stat(""), &root), Ok(Some(_))));
}

#[test]
fn content_is_the_one_asked_for() {
    type Case = (u64, Option<&'static [u8]>, &'static [u8], &'static str);
    let cases: [Case; 6] = [
        (0, None, b"\xA2\x00\x05\x01\x01", "offset"),
        (3, None, b"\xA2\x00\x05\x01\x00", "offset"),
        (6, None, b"\xA2\x00\x05\x01\x06", "offset"),
        (0, Some(b"v"), b"\xA2\x00\x05\x01\x00", "version"),
        (0, Some(b"v"), b"\xA3\x00\x05\x01\x00\x03\x41w", "version"),
        (0, None, b"\xA1\x00\x05", "cbor"),
    ];
    for (offset, version, body, cause) in cases {
        let heard = hear(&mut get(offset, version), &raw(0x17, body));
        assert_eq!(heard, Err(cause), "{body:02X?}");
    }
    let long = [b"\xA3\x00\x05\x01\x00\x03\x58\x41".as_slice(), &[7; 65]].concat();
    assert_eq!(hear(&mut get(0, None), &raw(0x17, &long)), Err("version"));
    let same = raw(0x17, b"\xA3\x00\x05\x01\x05\x03\x41v");
    let mut client = get(5, Some(b"v"));
    assert!(matches!(hear(&mut client, &same), Ok(Some(_))));
    // From the very end: nothing but the end.
    assert_eq!(hear(&mut client.clone(), &block(5, 1)), Err("order"));
    assert_eq!(hear(&mut client, &end()), Ok(Some((8, Answer::End))));
}

#[test]
fn blocks_follow_each_other_up_to_the_size() {
    let mut client = fetching();
    let run = |offset, len| Answer::Run { offset, len };
    let first = block(2, 3);
    assert_eq!(
        hear(&mut client, &first),
        Ok(Some((first.len(), run(2, 3))))
    );
    assert_eq!(hear(&mut client.clone(), &block(5, 4)), Err("order"));
    assert_eq!(hear(&mut client.clone(), &end()), Err("order"));
    let second = [block_end(), block(5, 4)].concat();
    for cut in 0..second.len() {
        assert_eq!(hear(&mut client, &second[..cut]), Ok(None));
    }
    assert_eq!(
        hear(&mut client, &second),
        Ok(Some((second.len(), run(5, 4))))
    );
    let third = [block_end(), block(9, 1)].concat();
    assert_eq!(hear(&mut client.clone(), &third), Err("order"));
    let last = [block_end(), end()].concat();
    assert_eq!(
        hear(&mut client, &last),
        Ok(Some((last.len(), Answer::End)))
    );
    assert_eq!(hear(&mut client, &end()), Err("order"));
}

#[test]
fn a_block_that_does_not_fit_is_malformed() {
    let long = raw(0x18, b"\xA3\x00\x02\x01\x1A\x01\0\0\x01\x02\x41v");
    let huge = raw(
        0x18,
        b"\xA3\x00\x02\x01\x1B\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x02\x41v",
    );
    let other = raw(0x18, b"\xA3\x00\x02\x01\x01\x02\x41w");
    let none = raw(0x18, b"\xA2\x00\x02\x01\x01");
    let cases = [
        (block(1, 1), "block"),
        (block(3, 1), "block"),
        (block(2, 0), "block"),
        (block(2, 8), "block"),
        (long, "block"),
        (huge, "block"),
        (other, "version"),
        (none, "version"),
        (block_end(), "order"),
        (end(), "short"),
        (raw(0x1D, b"\xA1\x00\x01"), "order"),
    ];
    for (bytes, cause) in cases {
        assert_eq!(hear(&mut fetching(), &bytes), Err(cause), "{bytes:02X?}");
    }
}

#[test]
fn a_spoilt_content_is_a_refusal() {
    let changed = |kind| raw(kind, b"\xA1\x01\x02");
    let refused = Answer::Refused {
        refusal: Refusal::Changed,
    };
    let early = changed(0x1A);
    let heard = hear(&mut fetching(), &early);
    assert_eq!(heard, Ok(Some((early.len(), refused.clone()))));
    let mut client = fetching();
    assert!(matches!(hear(&mut client, &block(2, 3)), Ok(Some(_))));
    for block_end in [changed(0x19), block_end()] {
        let both = [block_end, changed(0x1A)].concat();
        let mut client = client.clone();
        let heard = hear(&mut client, &both);
        assert_eq!(heard, Ok(Some((both.len(), refused.clone()))));
        // The connection goes on.
        let asked = client.ask(&Request::Ping { token: 1 }, &mut Vec::new());
        assert_eq!(asked, Ok(()));
    }
    let good = [changed(0x19), end()].concat();
    assert_eq!(hear(&mut client.clone(), &good), Err("end"));
    let next = [changed(0x19), block(5, 1)].concat();
    assert_eq!(hear(&mut client.clone(), &next), Err("order"));
    let code = [raw(0x19, b"\xA1\x01\x12"), end()].concat();
    assert_eq!(hear(&mut client, &code), Err("cbor"));
    // A hash is not read yet, and does not disturb.
    let hash = raw(0x1A, &[b"\xA1\x00\x58\x20".as_slice(), &[7; 32]].concat());
    let mut client = get(0, None);
    let content = raw(0x17, b"\xA2\x00\x00\x01\x00");
    assert!(matches!(hear(&mut client, &content), Ok(Some(_))));
    assert_eq!(
        hear(&mut client, &hash),
        Ok(Some((hash.len(), Answer::End)))
    );
}

#[test]
fn a_close_is_never_an_end() {
    let short = |detail: &str| Err(Malformed::new("short", detail));
    let mut client = listing();
    assert_eq!(client.eof(b""), short("closed before the answer"));
    let within = "closed within the answer, after 2 bytes of it";
    assert_eq!(client.eof(b"\x49\x7E"), short(within));
    let mut client = fetching();
    assert!(matches!(hear(&mut client, &block(2, 3)), Ok(Some(_))));
    let before = "closed after 5 of 9 bytes, before the end";
    assert_eq!(client.eof(b""), short(before));
    let closed = Client::default().eof(b"").map_err(|fault| fault.cause);
    assert_eq!(closed, Err("closed"));
}
