//! Answers about trees and uploads from servers that lie.

use super::super::BLOCK;
use super::super::tests::{broken, harmful, harmless, raw};
use super::super::{BODY_MAX, SPANS_MAX, VALUES_MAX};
use super::*;
use crate::entity::Root;
use crate::net::wire::codec::{ClientCodec, Refusal, Request, Stored, Taken, Terms};
use crate::net::wire::deck::Client;

type Told = Result<Option<(usize, Answer)>, &'static str>;

fn hear(client: &mut Client, input: &[u8]) -> Told {
    client.decode(input).map_err(|fault| fault.cause)
}

/// A client that was welcomed and has asked this.
fn asked(request: &Request) -> Client {
    let (mut client, mut out) = (Client::default(), Vec::new());
    client.greet("me", &mut out);
    let welcome = raw(0x11, b"\xA2\x00\x01\x02\x01");
    assert!(matches!(hear(&mut client, &welcome), Ok(Some(_))));
    assert_eq!(client.ask(request, &mut out), Ok(()));
    client
}

fn tree(version: Option<&[u8]>, detail: Detail) -> Client {
    asked(&Request::Tree {
        path: "a".into(),
        version: version.and_then(Version::new),
        detail,
    })
}

fn put(size: u64, check: Check, pace: Pace) -> Client {
    asked(&Request::Store {
        path: "a".into(),
        size,
        terms: Box::new(Terms {
            source: Version::from([7; 56]),
            mtime: None,
            taken: Taken::Refuse,
            check,
            pace,
        }),
    })
}

/// A part of a tree of a file of 5 blocks and a bit, version `v`.
fn part(first: u64, count: usize) -> Values {
    Values {
        first,
        values: vec![[1; 32]; count],
        root: None,
        size: 5 * BLOCK + 1,
        version: Version::new(b"v"),
        more: true,
    }
}

fn last(first: u64, count: usize) -> Values {
    Values {
        root: Some(Root([2; 32])),
        more: false,
        ..part(first, count)
    }
}

fn bytes(values: &Values) -> Vec<u8> {
    let mut out = Vec::new();
    tree::put_values(values, &mut out);
    out
}

fn spans(kind: u8, numbers: &[u64]) -> Vec<u8> {
    let mut body = Vec::new();
    super::super::cbor::Fields::new(&mut body).uints(0, numbers);
    raw(kind, &body)
}

fn stored(name: &str, root: Option<u8>) -> Vec<u8> {
    let mut out = Vec::new();
    let stored = Stored {
        name: name.into(),
        root: root.map(|byte| Root([byte; 32])),
    };
    upload::put_stored(&stored, &mut out);
    out
}

#[test]
fn a_tree_comes_part_by_part() {
    let mut client = tree(Some(b"v"), Detail::Values);
    for values in [part(0, 2), part(2, 1), last(3, 3)] {
        let bytes = bytes(&values);
        for cut in 0..bytes.len() {
            assert_eq!(hear(&mut client, &bytes[..cut]), Ok(None));
        }
        let told = hear(&mut client, &bytes);
        assert_eq!(told, Ok(Some((bytes.len(), Answer::Values(values)))));
    }
    assert_eq!(hear(&mut client, &bytes(&last(6, 0))), Err("order"));
    let root = last(0, 0);
    let told = hear(&mut tree(None, Detail::Root), &bytes(&root));
    assert!(matches!(told, Ok(Some((_, Answer::Values(heard)))) if heard == root));
    let empty = Values {
        size: 0,
        ..last(0, 0)
    };
    for detail in [Detail::Root, Detail::Values] {
        let told = hear(&mut tree(None, detail), &bytes(&empty));
        assert!(matches!(told, Ok(Some(_))));
    }
}

#[test]
fn a_tree_that_does_not_fit_is_malformed() {
    let other = |values: Values, size| Values { size, ..values };
    let foreign = |values: Values| Values {
        version: Version::new(b"w"),
        ..values
    };
    let early = |values: Values| Values {
        root: Some(Root([2; 32])),
        ..values
    };
    let rootless = |values: Values| Values {
        root: None,
        ..values
    };
    let cases = [
        (part(1, 1), part(2, 1), "tree"),
        (part(0, 0), part(0, 1), "tree"),
        (part(0, 7), part(7, 1), "tree"),
        (last(0, 5), last(0, 5), "tree"),
        (last(0, 7), last(0, 7), "tree"),
        (last(0, 0), last(0, 0), "tree"),
        (rootless(last(0, 6)), last(0, 6), "tree"),
        (early(part(0, 2)), last(2, 4), "tree"),
        (part(0, 2), last(3, 3), "tree"),
        (part(0, 2), last(1, 5), "tree"),
        (part(0, 2), last(0, 6), "tree"),
        (part(0, 2), last(2, 3), "tree"),
        (part(0, 2), last(2, 5), "tree"),
        (part(0, 6), part(6, 0), "tree"),
        (part(0, 6), part(6, 1), "tree"),
        (part(0, 2), other(last(2, 4), 5 * BLOCK + 2), "version"),
        (part(0, 2), foreign(last(2, 4)), "version"),
        (foreign(part(0, 2)), foreign(part(2, 1)), "version"),
        (part(u64::MAX, 1), part(0, 1), "tree"),
        (other(last(0, 0), u64::MAX), last(0, 0), "tree"),
    ];
    for (one, two, cause) in cases {
        let mut client = tree(Some(b"v"), Detail::Values);
        let told = match hear(&mut client, &bytes(&one)) {
            Ok(_) => hear(&mut client, &bytes(&two)),
            fault => fault,
        };
        assert_eq!(told, Err(cause), "{one:?} {two:?}");
    }
    // Whichever content was asked for, it is one.
    for other in [foreign(last(2, 4)), other(last(2, 4), 5 * BLOCK + 2)] {
        let mut client = tree(None, Detail::Values);
        assert!(matches!(
            hear(&mut client, &bytes(&part(0, 2))),
            Ok(Some(_))
        ));
        assert_eq!(hear(&mut client, &bytes(&other)), Err("version"));
    }
    for wrong in [part(0, 1), last(0, 1), last(0, 6), part(0, 0)] {
        let told = hear(&mut tree(None, Detail::Root), &bytes(&wrong));
        assert_eq!(told, Err("tree"), "{wrong:?}");
    }
}

#[test]
fn a_part_carries_no_more_values_than_fit() {
    let count = 2 * VALUES_MAX + 1;
    let all = Values {
        values: vec![[1; 32]; count],
        size: count as u64 * BLOCK,
        ..last(0, 0)
    };
    let bytes = bytes(&all);
    let (mut client, mut rest, mut values) = (tree(None, Detail::Values), &bytes[..], 0);
    while let Ok(Some((used, Answer::Values(part)))) = client.decode(rest) {
        assert!(used <= 7 + BODY_MAX && part.values.len() <= VALUES_MAX);
        values += part.values.len();
        rest = &rest[used..];
    }
    assert_eq!((values, rest), (count, &b""[..]));
    let mut body = b"\xA3\x03\x00\x00\x00\x01\x99\x10\x01".to_vec();
    body.extend([&b"\x58\x20"[..], &[1; 32]].concat().repeat(4097));
    let told = hear(&mut tree(None, Detail::Values), &raw(0x1F, &body));
    assert_eq!(told, Err("cbor"));
    // What a count announces is not believed.
    for body in [
        &b"\xA3\x03\x00\x00\x00\x01\x99\x10\x00"[..],
        b"\xA3\x03\x00\x00\x00\x01\x9B\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF",
        b"\xA3\x03\x00\x00\x00\x01\x9F\xFF",
        b"\xA3\x03\x00\x00\x00\x01\x81\x58\x1F",
        b"\xA2\x00\x00\x01\x80",
        b"\xA2\x00\x00\x03\x00",
        b"\xA3\x03\x00\x00\x00\x01\x80\x00",
        b"\xA4\x03\x00\x00\x00\x01\x80\x01\x80",
    ] {
        let told = hear(&mut tree(None, Detail::Values), &raw(0x1F, body));
        assert_eq!(told, Err("cbor"), "{body:02X?}");
    }
    for head in [&b"\x49\x7E\x1F\x00\x04\x00\x01"[..], b"\x49\x7E\x1F\x01"] {
        let told = hear(&mut tree(None, Detail::Values), head);
        assert_eq!(told, Err("length"));
    }
}

#[test]
fn an_upload_is_answered_step_by_step() {
    let mut client = put(3 * BLOCK, Check::Blocks, Pace::Asked);
    assert_eq!(hear(&mut client, &spans(0x22, &[0, 1])), Err("order"));
    assert_eq!(hear(&mut client, &stored("a", Some(1))), Err("order"));
    let here = spans(0x21, &[0, 1, 2, 1]);
    for cut in 0..here.len() {
        assert_eq!(hear(&mut client, &here[..cut]), Ok(None));
    }
    let span = |first, count| Span { first, count };
    let blocks = vec![span(0, 1), span(2, 1)];
    let told = hear(&mut client, &here);
    assert_eq!(told, Ok(Some((here.len(), Answer::Here { blocks }))));
    // Before the payload is sent there is no verdict on it.
    for early in [&here, &spans(0x22, &[0, 1]), &stored("a", Some(1))] {
        assert_eq!(hear(&mut client, early), Err("order"));
    }
    let mut out = Vec::new();
    client.block(BLOCK, BLOCK, &mut out);
    client.seal(Some([1; 32]), &mut out);
    client.close(Ok(None), &mut out);
    assert_eq!(hear(&mut client, &here), Err("order"));
    let again = spans(0x22, &[1, 1]);
    let blocks = vec![span(1, 1)];
    let told = hear(&mut client, &again);
    assert_eq!(told, Ok(Some((again.len(), Answer::Again { blocks }))));
    assert_eq!(hear(&mut client, &stored("a", Some(1))), Err("order"));
    client.close(Ok(None), &mut out);
    assert!(matches!(
        hear(&mut client, &stored("a", Some(1))),
        Ok(Some((_, Answer::Stored(_))))
    ));
    assert_eq!(hear(&mut client, &stored("a", Some(1))), Err("order"));
}

#[test]
fn a_share_is_answered_with_its_own_blocks_and_done() {
    let share = || {
        let share = Span { first: 1, count: 2 };
        put(4 * BLOCK, Check::Blocks, Pace::Share(share))
    };
    for bad in [&[0, 1][..], &[0, 2], &[2, 2], &[3, 1], &[1, 3]] {
        let told = hear(&mut share(), &spans(0x21, bad));
        assert_eq!(told, Err("block"), "{bad:?}");
    }
    let mut client = share();
    assert!(matches!(
        hear(&mut client, &spans(0x21, &[1, 1])),
        Ok(Some(_))
    ));
    let done = raw(0x26, b"\xA0");
    assert_eq!(hear(&mut client, &done), Err("order"));
    let mut out = Vec::new();
    client.block(2 * BLOCK, BLOCK, &mut out);
    client.seal(Some([1; 32]), &mut out);
    // Nothing else is asked before the answer, and the whole file is not this one's to land.
    let ping = Request::Ping { token: 1 };
    assert!(client.ask(&ping, &mut out).is_err());
    client.close(Ok(None), &mut out);
    assert!(client.ask(&ping, &mut out).is_err());
    assert_eq!(hear(&mut client, &stored("a", Some(1))), Err("order"));
    assert_eq!(hear(&mut client, &spans(0x22, &[0, 1])), Err("block"));
    assert!(matches!(
        hear(&mut client, &spans(0x22, &[2, 1])),
        Ok(Some(_))
    ));
    client.close(Ok(None), &mut out);
    assert!(matches!(
        hear(&mut client, &done),
        Ok(Some((_, Answer::Done)))
    ));
    assert_eq!(client.ask(&ping, &mut out), Ok(()));
    // Done says nothing of a whole put.
    let mut whole = put(4 * BLOCK, Check::Blocks, Pace::Asked);
    assert!(matches!(
        hear(&mut whole, &spans(0x21, &[0, 4])),
        Ok(Some(_))
    ));
    whole.close(Ok(None), &mut out);
    assert_eq!(hear(&mut whole, &done), Err("order"));
}

#[test]
fn spans_that_do_not_fit_are_malformed() {
    let client = || put(3 * BLOCK + 1, Check::None, Pace::Asked);
    for good in [&[][..], &[0, 4], &[0, 1, 1, 3], &[3, 1], &[0, 1, 3, 1]] {
        assert!(matches!(
            hear(&mut client(), &spans(0x21, good)),
            Ok(Some(_))
        ));
    }
    for bad in [
        &[0, 5][..],
        &[4, 1],
        &[0, 0],
        &[1, 1, 0, 1],
        &[0, 2, 1, 1],
        &[0, 1, 0, 1],
        &[u64::MAX, 1],
        &[1, u64::MAX],
        &[u64::MAX, u64::MAX],
    ] {
        let told = hear(&mut client(), &spans(0x21, bad));
        assert_eq!(told, Err("block"), "{bad:?}");
    }
    assert_eq!(hear(&mut client(), &spans(0x21, &[0])), Err("cbor"));
    let empty = hear(&mut put(0, Check::None, Pace::Asked), &spans(0x21, &[0, 1]));
    assert_eq!(empty, Err("block"));
    let mut client = client();
    assert!(matches!(hear(&mut client, &spans(0x21, &[])), Ok(Some(_))));
    client.close(Ok(None), &mut Vec::new());
    for (numbers, cause) in [(&[][..], "block"), (&[4, 1], "block"), (&[0], "cbor")] {
        let told = hear(&mut client, &spans(0x22, numbers));
        assert_eq!(told, Err(cause));
    }
}

#[test]
fn spans_are_no_more_than_fit() {
    let count = SPANS_MAX as u64;
    let numbers: Vec<u64> = (0..=count).flat_map(|at| [2 * at, 1]).collect();
    let client = || put(3 * count * BLOCK, Check::None, Pace::Asked);
    let most = spans(0x21, &numbers[..2 * SPANS_MAX]);
    assert!(most.len() <= 7 + BODY_MAX);
    assert!(matches!(hear(&mut client(), &most), Ok(Some(_))));
    assert_eq!(hear(&mut client(), &spans(0x21, &numbers)), Err("cbor"));
    for announced in [
        &b"\xA1\x00\x9B\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFE"[..],
        b"\xA1\x00\x99\x40\x00",
        b"\xA1\x00\x82\x00",
        b"\xA1\x00\x82\x00\x20",
        b"\xA1\x00\x9F\x00\x01\xFF",
    ] {
        let told = hear(&mut client(), &raw(0x21, announced));
        assert_eq!(told, Err("cbor"), "{announced:02X?}");
    }
    for head in [&b"\x49\x7E\x21\x00\x04\x00\x01"[..], b"\x49\x7E\x21\x01"] {
        assert_eq!(hear(&mut client(), head), Err("length"));
    }
}

#[test]
fn what_was_stored_has_a_name_and_its_root() {
    let eager = |check| {
        let mut client = put(3, check, Pace::Eager);
        client.close(Ok(None), &mut Vec::new());
        client
    };
    let good = hear(&mut eager(Check::Blocks), &stored("a (1)", Some(1)));
    assert!(matches!(good, Ok(Some((_, Answer::Stored(_))))));
    let bare = stored("a", None);
    assert!(matches!(hear(&mut eager(Check::None), &bare), Ok(Some(_))));
    assert_eq!(hear(&mut eager(Check::Blocks), &bare), Err("value"));
    for name in ["", ".", "..", "a/b", "../a", "a\n", "\u{1b}[2J"] {
        let told = hear(&mut eager(Check::Blocks), &stored(name, Some(1)));
        assert_eq!(told, Err("name"), "{name:?}");
    }
    // Nothing is asked for again behind an eager put, and nothing is here.
    for kind in [0x21, 0x22] {
        let told = hear(&mut eager(Check::Blocks), &spans(kind, &[0, 1]));
        assert_eq!(told, Err("order"));
    }
    let mut unsaid = put(3, Check::Blocks, Pace::Eager);
    assert_eq!(hear(&mut unsaid, &stored("a", Some(1))), Err("order"));
    // Nor is anything stored that nobody sent.
    for request in [
        Request::List { path: "".into() },
        Request::Delete { path: "a".into() },
    ] {
        let told = hear(&mut asked(&request), &stored("a", Some(1)));
        assert_eq!(told, Err("order"));
    }
}

#[test]
fn waits_stand_before_any_answer_and_are_none() {
    let wait = raw(0x24, b"\xA2\x00\x05\x01\x19\x01\x2C");
    let waited = Answer::Wait { done: 5, of: 300 };
    let mut put = put(3, Check::None, Pace::Eager);
    let mut tree = tree(None, Detail::Values);
    let mut delete = asked(&Request::Delete { path: "a".into() });
    for client in [&mut put, &mut tree, &mut delete] {
        for _ in 0..1000 {
            let told = hear(client, &wait);
            assert_eq!(told, Ok(Some((wait.len(), waited.clone()))));
        }
    }
    assert!(matches!(hear(&mut tree, &bytes(&part(0, 2))), Ok(Some(_))));
    assert!(matches!(hear(&mut tree, &wait), Ok(Some(_))));
    assert!(matches!(hear(&mut tree, &bytes(&last(2, 4))), Ok(Some(_))));
    assert_eq!(hear(&mut tree, &wait), Err("order"));
    let done = raw(0x26, &[0xA0]);
    let told = hear(&mut delete, &done);
    assert_eq!(told, Ok(Some((done.len(), Answer::Done))));
    for body in [
        &b"\xA2\x00\x02\x01\x01"[..],
        b"\xA1\x00\x02",
        b"\xA1\x01\x02",
        b"\xA2\x00\x20\x01\x02",
        b"\xA0",
    ] {
        let told = hear(&mut put, &raw(0x24, body));
        assert_eq!(told, Err("cbor"), "{body:02X?}");
    }
}

#[test]
fn changes_are_done_or_refused() {
    let rename = Request::Rename {
        from: "a".into(),
        to: "b".into(),
    };
    let path = || "a".into();
    for (request, answer) in [
        (rename, Answer::Renamed),
        (Request::MakeFolder { path: path() }, Answer::Done),
        (Request::Delete { path: path() }, Answer::Done),
    ] {
        let mut more = b"\xA1\x18\x3F".to_vec();
        more.push(0x00);
        for body in [&[0xA0][..], &more] {
            let done = raw(0x26, body);
            let told = hear(&mut asked(&request), &done);
            assert_eq!(told, Ok(Some((done.len(), answer.clone()))));
        }
        let told = hear(&mut asked(&request), &raw(0x1D, b"\xA1\x00\x0F"));
        let refusal = Refusal::NotEmpty;
        assert!(matches!(told, Ok(Some((_, heard))) if heard == Answer::Refused { refusal }));
        for wrong in [0x13, 0x15, 0x17, 0x1A, 0x1C, 0x1F, 0x21, 0x22, 0x23, 0x29] {
            let told = hear(&mut asked(&request), &raw(wrong, &[0xA0]));
            assert_eq!(told, Err("order"), "{wrong:02X}");
        }
    }
}

#[test]
fn bodies_that_are_not_the_cddl_are_malformed() {
    let hello = || asked(&Request::Delete { path: "a".into() });
    let asked = put(3, Check::None, Pace::Asked);
    let mut sent = put(3, Check::None, Pace::Eager);
    sent.close(Ok(None), &mut Vec::new());
    for (client, kind, good) in [(asked, 0x21, &b"\x80"[..]), (sent, 0x23, b"\x61a")] {
        for body in broken(good) {
            let told = hear(&mut client.clone(), &raw(kind, &body));
            assert_eq!(told, Err("cbor"), "{kind:02X} {body:02X?}");
        }
        let with = |value: &[u8]| [&[0xA2, 0x18, 0x3F], value, &[0x00], good].concat();
        for value in harmless() {
            let told = hear(&mut client.clone(), &raw(kind, &with(&value)));
            assert!(matches!(told, Ok(Some(_))), "{value:02X?}");
        }
        for value in harmful(8_000) {
            let told = hear(&mut client.clone(), &raw(kind, &with(&value)));
            assert_eq!(told, Err("cbor"));
        }
    }
    for value in harmful(8_000) {
        let body = [&[0xA1, 0x18, 0x3F], &value[..]].concat();
        assert_eq!(hear(&mut hello(), &raw(0x26, &body)), Err("cbor"));
    }
}
