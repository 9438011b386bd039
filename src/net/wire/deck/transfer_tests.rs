//! A stretch from servers that lie: only whole blocks, in place, with their values.

use super::super::BLOCK;
use super::super::tests::{broken, raw};
use super::*;
use crate::net::wire::codec::{ClientCodec, Refusal, Request};
use crate::net::wire::deck::Client;

type Told = Result<Option<(usize, Answer)>, &'static str>;

const SIZE: u64 = 2 * BLOCK + 7;

fn hear(client: &mut Client, input: &[u8]) -> Told {
    client.decode(input).map_err(|fault| fault.cause)
}

/// A client that has asked for these bytes of a file.
fn asked(offset: u64, until: Option<u64>, version: Option<&[u8]>, check: Check) -> Client {
    let (mut client, mut out) = (Client::default(), Vec::new());
    client.greet("me", &mut out);
    let welcome = raw(0x11, b"\xA2\x00\x01\x02\x01");
    assert!(matches!(hear(&mut client, &welcome), Ok(Some(_))));
    let fetch = Request::Fetch {
        path: "a".into(),
        offset,
        until,
        version: version.and_then(Version::new),
        check,
    };
    assert_eq!(client.ask(&fetch, &mut out), Ok(()));
    client
}

/// What a server says of a file of version `v`.
fn content(size: u64, offset: u64, until: Option<u64>) -> Vec<u8> {
    let mut out = Vec::new();
    let content = Content {
        size,
        offset,
        mtime: None,
        version: Version::new(b"v"),
    };
    payload::put_content(&content, until, &mut out);
    out
}

fn block(offset: u64, len: u64, version: Option<&[u8]>) -> Vec<u8> {
    let mut out = Vec::new();
    let version = version.and_then(Version::new);
    payload::put_block(offset, len, version.as_ref(), &mut out);
    out
}

fn ending(kind: Type, ending: payload::Ending) -> Vec<u8> {
    let mut out = Vec::new();
    payload::put_end(kind, ending, &mut out);
    out
}

fn seal(value: u8) -> Vec<u8> {
    ending(Type::BlockEnd, Ok(Some([value; 32])))
}

fn end() -> Vec<u8> {
    ending(Type::End, Ok(Some([9; 32])))
}

/// A client that has heard that the second block and the rest follow.
fn fetching(check: Check) -> Client {
    let mut client = asked(BLOCK, None, None, check);
    let head = content(SIZE, BLOCK, Some(SIZE));
    assert!(matches!(hear(&mut client, &head), Ok(Some(_))));
    client
}

#[track_caller]
fn tells(client: &mut Client, bytes: &[u8], due: Answer) {
    for cut in 0..bytes.len() {
        assert_eq!(hear(client, &bytes[..cut]), Ok(None), "cut at {cut}");
    }
    let more = [bytes, &[0x00]].concat();
    assert_eq!(hear(client, &more), Ok(Some((bytes.len(), due))));
}

#[test]
fn a_stretch_is_told_block_by_block() {
    let mut client = asked(BLOCK, None, Some(b"v"), Check::Blocks);
    let head = content(SIZE, BLOCK, Some(SIZE));
    let said = Content {
        size: SIZE,
        offset: BLOCK,
        mtime: None,
        version: Version::new(b"v"),
    };
    tells(
        &mut client,
        &head,
        Answer::Stretch {
            content: said,
            until: SIZE,
        },
    );
    let run = |offset, len| Answer::Run { offset, len };
    let sealed = |value| Answer::Sealed {
        value: Some([value; 32]),
    };
    tells(&mut client, &block(BLOCK, BLOCK, None), run(BLOCK, BLOCK));
    tells(&mut client, &seal(1), sealed(1));
    // A version in a block is not needed; if it is there it agrees.
    let last = block(2 * BLOCK, 7, Some(b"v"));
    tells(&mut client, &last, run(2 * BLOCK, 7));
    tells(&mut client, &seal(2), sealed(2));
    let root = Some(Root([9; 32]));
    tells(&mut client, &end(), Answer::Closed { root });
    assert_eq!(hear(&mut client, &end()), Err("order"));
    let ping = client.ask(&Request::Ping { token: 1 }, &mut Vec::new());
    assert_eq!(ping, Ok(()));
}

#[test]
fn a_stretch_ends_where_it_was_asked_to() {
    let cases = [
        // Asked from, to; said from, to, of a file of so many bytes.
        (0, None, 0, Some(SIZE), SIZE, Ok(())),
        (0, Some(BLOCK), 0, Some(BLOCK), SIZE, Ok(())),
        (0, Some(u64::MAX), 0, Some(SIZE), SIZE, Ok(())),
        (SIZE, None, SIZE, Some(SIZE), SIZE, Ok(())),
        (0, None, 0, Some(0), 0, Ok(())),
        (BLOCK, Some(BLOCK), BLOCK, Some(BLOCK), SIZE, Ok(())),
        (0, None, 0, None, SIZE, Err("offset")),
        (0, None, 0, Some(BLOCK), SIZE, Err("offset")),
        (0, Some(BLOCK), 0, Some(2 * BLOCK), SIZE, Err("offset")),
        (0, Some(BLOCK), 0, Some(0), SIZE, Err("offset")),
        (0, None, 0, Some(SIZE + 1), SIZE, Err("offset")),
        (0, None, BLOCK, Some(SIZE), SIZE, Err("offset")),
        (7, None, 7, Some(SIZE), SIZE, Err("offset")),
        (0, Some(7), 0, Some(7), SIZE, Err("offset")),
        (2 * SIZE, None, 2 * SIZE, Some(SIZE), SIZE, Err("offset")),
    ];
    for (from, to, offset, until, size, due) in cases {
        let mut client = asked(from, to, None, Check::Blocks);
        let told = hear(&mut client, &content(size, offset, until));
        assert_eq!(told.map(|_| ()), due, "{from} {to:?} {offset} {until:?}");
    }
    let mut client = asked(0, None, Some(b"w"), Check::Blocks);
    let other = hear(&mut client, &content(SIZE, 0, Some(SIZE)));
    assert_eq!(other, Err("version"));
    let mut client = Client::default();
    client.greet("me", &mut Vec::new());
    let backwards = Request::Fetch {
        path: "a".into(),
        offset: BLOCK,
        until: Some(0),
        version: None,
        check: Check::None,
    };
    let mut out = Vec::new();
    let said = client.ask(&backwards, &mut out).map_err(|it| it.cause);
    assert_eq!((said, out), (Err("offset"), vec![]));
}

#[test]
fn a_block_that_is_not_the_next_one_is_malformed() {
    let cases = [
        (block(0, BLOCK, None), "block"),
        (block(2 * BLOCK, 7, None), "block"),
        (block(BLOCK - 1, BLOCK, None), "block"),
        (block(BLOCK, BLOCK - 1, None), "block"),
        (block(BLOCK, BLOCK + 1, None), "block"),
        (block(BLOCK, BLOCK + 7, None), "block"),
        (block(BLOCK, 0, None), "block"),
        (block(BLOCK, u64::MAX, None), "block"),
        (block(BLOCK, BLOCK, Some(b"w")), "version"),
        (seal(1), "order"),
        (end(), "short"),
        (raw(0x1D, b"\xA1\x00\x01"), "order"),
        (raw(0x24, b"\xA2\x00\x01\x01\x01"), "order"),
    ];
    for (bytes, cause) in cases {
        for check in [Check::None, Check::Blocks, Check::Anew] {
            let told = hear(&mut fetching(check), &bytes);
            assert_eq!(told, Err(cause), "{bytes:02X?}");
        }
    }
    let mut client = fetching(Check::None);
    assert!(matches!(
        hear(&mut client, &block(BLOCK, BLOCK, None)),
        Ok(Some(_))
    ));
    assert_eq!(hear(&mut client, &end()), Err("order"));
    assert_eq!(hear(&mut client, &block(2 * BLOCK, 7, None)), Err("order"));
    for body in broken(b"\x41\x00") {
        let told = hear(&mut client.clone(), &raw(0x19, &body));
        // An empty map is a block-end without a value, an unknown key is passed over.
        if matches!(told, Ok(Some(_))) {
            assert!(body == [0xA0] || body[1] == 0x17, "{body:02X?}");
        } else {
            assert_eq!(told, Err("cbor"), "{body:02X?}");
        }
    }
}

#[test]
fn a_checked_block_has_its_value() {
    let bare = ending(Type::BlockEnd, Ok(None));
    for (check, due) in [
        (Check::Blocks, Err("value")),
        (Check::Anew, Err("value")),
        (Check::None, Ok(true)),
    ] {
        let mut client = fetching(check);
        assert!(matches!(
            hear(&mut client, &block(BLOCK, BLOCK, None)),
            Ok(Some(_))
        ));
        let told = hear(&mut client, &bare);
        let sealed = |it: &(usize, Answer)| it.1 == Answer::Sealed { value: None };
        assert_eq!(told.map(|it| it.as_ref().is_some_and(sealed)), due);
    }
    for wrong in [&b"\xA1\x00\x41\x07"[..], b"\xA1\x00\x05", b"\xA1\x00\x60"] {
        let mut client = fetching(Check::Blocks);
        assert!(matches!(
            hear(&mut client, &block(BLOCK, BLOCK, None)),
            Ok(Some(_))
        ));
        assert_eq!(hear(&mut client, &raw(0x19, wrong)), Err("cbor"));
    }
    let long = [&b"\xA1\x00\x58\x21"[..], &[1; 33]].concat();
    let mut client = fetching(Check::Blocks);
    assert_eq!(hear(&mut client, &raw(0x1A, &long)), Err("cbor"));
}

#[test]
fn a_spoilt_stretch_is_a_refusal() {
    let refused = |refusal| Answer::Refused { refusal };
    let spoilt = |kind| ending(kind, Err(Refusal::Changed));
    tells(
        &mut fetching(Check::Blocks),
        &spoilt(Type::End),
        refused(Refusal::Changed),
    );
    let mut client = fetching(Check::Blocks);
    assert!(matches!(
        hear(&mut client, &block(BLOCK, BLOCK, None)),
        Ok(Some(_))
    ));
    let good = [spoilt(Type::BlockEnd), end()].concat();
    assert_eq!(hear(&mut client.clone(), &good), Err("end"));
    let next = [spoilt(Type::BlockEnd), block(2 * BLOCK, 7, None)].concat();
    assert_eq!(hear(&mut client.clone(), &next), Err("order"));
    let both = [spoilt(Type::BlockEnd), spoilt(Type::End)].concat();
    tells(&mut client, &both, refused(Refusal::Changed));
    assert_eq!(client.ask(&Request::Ping { token: 1 }, &mut vec![]), Ok(()));
}

#[test]
fn a_root_may_be_missing_and_nothing_else() {
    let mut client = asked(SIZE, None, None, Check::Blocks);
    let head = content(SIZE, SIZE, Some(SIZE));
    assert!(matches!(hear(&mut client, &head), Ok(Some(_))));
    let bare = ending(Type::End, Ok(None));
    tells(&mut client, &bare, Answer::Closed { root: None });
    let short = fetching(Check::Blocks).eof(b"").map_err(|it| it.detail);
    let words = format!("closed after {BLOCK} of {SIZE} bytes, before the end");
    assert_eq!(short, Err(words));
}
