//! deck's asking half against servers that lie.

use super::super::tests::{broken, harmful, harmless, raw};
use super::*;
use crate::entity::{Entry, Kind};
use crate::net::wire::codec::{Check, Detail, Pace, Taken, Terms, Version};
use crate::net::wire::deck::listing;

type Heard = Result<Option<(usize, Answer)>, &'static str>;

fn hear(client: &mut Client, input: &[u8]) -> Heard {
    client.decode(input).map_err(|fault| fault.cause)
}

/// A client that was welcomed and has asked this.
fn asked(request: &Request) -> Client {
    let mut client = welcomed();
    assert_eq!(client.ask(request, &mut Vec::new()), Ok(()));
    client
}

fn welcomed() -> Client {
    let mut client = Client::default();
    assert!(client.greet("me", &mut Vec::new()));
    let welcome = raw(0x11, b"\xA2\x00\x01\x02\x01");
    assert!(matches!(hear(&mut client, &welcome), Ok(Some(_))));
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

fn cause(said: Result<(), Malformed>) -> Result<(), &'static str> {
    said.map_err(|fault| fault.cause)
}

fn prove() -> Request {
    Request::Prove {
        proof: [1; 32],
        name: "me".into(),
    }
}

fn refused(code: u8) -> Vec<u8> {
    raw(0x1D, &[0xA1, 0x00, code])
}

#[test]
fn a_proof_is_for_tls_and_comes_before_hello() {
    let ping = Request::Ping { token: 1 };
    let mut out = Vec::new();
    let mut open = Client::default();
    assert_eq!(cause(open.ask(&prove(), &mut out)), Err("order"));
    let mut client = Client::over(Dialect::DeckTls);
    assert_eq!(cause(client.ask(&ping, &mut out)), Err("order"));
    assert_eq!(out, b"");
    // A wrong code may be followed by another one.
    assert_eq!(client.ask(&prove(), &mut out), Ok(()));
    let wrong = hear(&mut client, &refused(12));
    let refusal = Refusal::WrongCode;
    assert_eq!(wrong, Ok(Some((10, Answer::Refused { refusal }))));
    assert_eq!(client.ask(&prove(), &mut out), Ok(()));
    for kind in [0x11, 0x1C, 0x26] {
        let told = hear(&mut client, &raw(kind, &[0xA0]));
        assert_eq!(told, Err("order"), "{kind:02X}");
    }
    for body in broken(&[&[0x58, 0x20][..], &[2; 32]].concat()) {
        let told = hear(&mut client, &raw(0x29, &body));
        assert_eq!(told, Err("cbor"), "{body:02X?}");
    }
    for len in [31, 33] {
        let body = [&[0xA1, 0x00, 0x58, len], &vec![2; usize::from(len)][..]].concat();
        assert_eq!(hear(&mut client, &raw(0x29, &body)), Err("cbor"));
    }
    let proof = raw(0x29, &[&b"\xA1\x00\x58\x20"[..], &[2; 32]].concat());
    for cut in 0..proof.len() {
        assert_eq!(hear(&mut client, &proof[..cut]), Ok(None));
    }
    let told = hear(&mut client, &proof);
    assert_eq!(told, Ok(Some((proof.len(), Answer::Proof([2; 32])))));
    assert_eq!(cause(client.ask(&ping, &mut out)), Err("order"));
    assert!(client.greet("me", &mut out));
    assert_eq!(cause(client.ask(&prove(), &mut out)), Err("order"));
    let welcome = raw(0x11, b"\xA2\x00\x01\x02\x18\x1F");
    assert!(matches!(hear(&mut client, &welcome), Ok(Some(_))));
    assert_eq!(cause(client.ask(&prove(), &mut out)), Err("order"));
    assert_eq!(client.ask(&ping, &mut out), Ok(()));
}

#[test]
fn a_hello_that_was_refused_may_come_again() {
    let mut out = Vec::new();
    let mut client = Client::over(Dialect::DeckTls);
    client.greet("me", &mut out);
    let refusal = Refusal::Unpaired;
    let told = hear(&mut client, &refused(11));
    assert_eq!(told, Ok(Some((10, Answer::Refused { refusal }))));
    let ping = Request::Ping { token: 1 };
    assert_eq!(cause(client.ask(&ping, &mut out)), Err("order"));
    assert_eq!(client.clone().ask(&prove(), &mut out), Ok(()));
    out.clear();
    assert!(client.greet("me", &mut out));
    assert_eq!(out.get(2), Some(&0x10));
    let welcome = raw(0x11, b"\xA2\x00\x01\x02\x18\x1F");
    assert!(matches!(hear(&mut client, &welcome), Ok(Some(_))));
    // What is refused later leaves hello said.
    assert_eq!(client.ask(&ping, &mut out), Ok(()));
    assert!(matches!(hear(&mut client, &refused(11)), Ok(Some(_))));
    assert_eq!(client.ask(&ping, &mut out), Ok(()));
}

#[test]
fn files_are_cut_alike_on_both_sides() {
    let hello = |limits: &[u8]| {
        let (mut client, mut out) = (Client::default(), Vec::new());
        client.greet("me", &mut out);
        let body = [b"\xA3\x00\x01\x02\x01\x03", limits].concat();
        hear(&mut client, &raw(0x11, &body)).map(|told| told.is_some())
    };
    assert_eq!(hello(b"\xA1\x02\x1A\x00\x40\x00\x00"), Ok(true));
    assert_eq!(hello(b"\xA2\x00\x01\x01\x02"), Ok(true));
    assert_eq!(hello(b"\xA1\x02\x1A\x00\x80\x00\x00"), Err("cbor"));
    assert_eq!(hello(b"\xA1\x02\x00"), Err("cbor"));
    assert_eq!(hello(b"\x00"), Err("cbor"));
    assert_eq!(hello(b"\xBF\xFF"), Err("cbor"));
}

fn terms(pace: Pace) -> Terms {
    Terms {
        source: Version::from([7; 56]),
        mtime: None,
        taken: Taken::Refuse,
        check: Check::None,
        pace,
    }
}

fn store(pace: Pace) -> Request {
    Request::Store {
        path: "a".into(),
        size: 3,
        terms: Box::new(terms(pace)),
    }
}

#[test]
fn a_payload_comes_before_the_next_request() {
    let ping = Request::Ping { token: 1 };
    let mut client = asked(&store(Pace::Eager));
    let mut out = Vec::new();
    assert_eq!(cause(client.ask(&ping, &mut out)), Err("order"));
    client.block(0, 3, &mut out);
    assert_eq!(cause(client.ask(&ping, &mut out)), Err("order"));
    client.seal(None, &mut out);
    assert_eq!(cause(client.ask(&ping, &mut out)), Err("order"));
    client.close(Ok(None), &mut out);
    let due = [
        raw(0x18, b"\xA2\x00\x00\x01\x03"),
        raw(0x19, &[0xA0]),
        raw(0x1A, &[0xA0]),
    ];
    assert_eq!(out, due.concat());
    // Any number of eager puts behind each other, answered in their order.
    for _ in 0..2 {
        assert_eq!(client.ask(&store(Pace::Eager), &mut out), Ok(()));
        client.close(Ok(None), &mut out);
    }
    assert_eq!(client.ask(&ping, &mut out), Ok(()));
    let stored = raw(0x23, b"\xA1\x00\x61a");
    for answer in [&stored, &refused(14), &stored] {
        assert!(matches!(hear(&mut client, answer), Ok(Some(_))));
    }
    assert_eq!(hear(&mut client, &stored), Err("order"));
    let answer = raw(0x1C, b"\xA1\x00\x01");
    assert!(matches!(hear(&mut client, &answer), Ok(Some(_))));
}

#[test]
fn nothing_is_asked_behind_an_asked_put() {
    let ping = Request::Ping { token: 1 };
    let here = raw(0x21, b"\xA1\x00\x80");
    let mut out = Vec::new();
    let mut client = asked(&store(Pace::Asked));
    assert_eq!(cause(client.ask(&ping, &mut out)), Err("order"));
    let mut refused_at_once = client.clone();
    assert!(matches!(
        hear(&mut refused_at_once, &refused(14)),
        Ok(Some(_))
    ));
    assert_eq!(refused_at_once.ask(&ping, &mut out), Ok(()));
    assert!(matches!(hear(&mut client, &here), Ok(Some(_))));
    assert_eq!(cause(client.ask(&ping, &mut out)), Err("order"));
    // Refused in mid-payload: the end is said all the same, and then it goes on.
    let mut cut = client.clone();
    out.clear();
    cut.block(0, 3, &mut out);
    assert!(matches!(hear(&mut cut, &refused(10)), Ok(Some(_))));
    assert_eq!(cause(cut.ask(&ping, &mut out)), Err("order"));
    out.clear();
    cut.close(Err(Refusal::NoRoom), &mut out);
    let due = [raw(0x19, b"\xA1\x01\x0A"), raw(0x1A, b"\xA1\x01\x0A")];
    assert_eq!(out, due.concat());
    assert_eq!(cut.ask(&ping, &mut out), Ok(()));
    client.close(Ok(None), &mut out);
    assert_eq!(cause(client.ask(&ping, &mut out)), Err("order"));
    let stored = raw(0x23, b"\xA1\x00\x61a");
    assert!(matches!(hear(&mut client, &stored), Ok(Some(_))));
    assert_eq!(client.ask(&ping, &mut out), Ok(()));
}

#[test]
fn what_deck_has_not_is_said_before_anything_is_sent() {
    let path = || "a".into();
    for request in [
        Request::Help,
        Request::Bye,
        Request::Put {
            path: path(),
            size: None,
        },
    ] {
        let mut out = Vec::new();
        let said = listing().ask(&request, &mut out);
        assert_eq!((cause(said), out), (Err("unsupported"), vec![]));
    }
    let bad = || RemotePath::new(b"\xFF");
    for request in [
        Request::MakeFolder { path: bad() },
        Request::Delete { path: bad() },
        Request::Rename {
            from: bad(),
            to: path(),
        },
        Request::Rename {
            from: path(),
            to: bad(),
        },
        Request::Tree {
            path: bad(),
            version: None,
            detail: Detail::Root,
        },
        Request::Fetch {
            path: bad(),
            offset: 0,
            until: None,
            version: None,
            check: Check::None,
        },
        Request::Store {
            path: bad(),
            size: 3,
            terms: Box::new(terms(Pace::Asked)),
        },
    ] {
        let mut out = Vec::new();
        let said = listing().ask(&request, &mut out);
        assert_eq!((cause(said), out), (Err("path"), vec![]));
    }
}

#[test]
fn a_server_says_unasked_that_it_leaves_and_nothing_else() {
    let mut client = welcomed();
    let refusal = Refusal::Leaving;
    for cut in 0..refused(7).len() {
        assert_eq!(client.decode(&refused(7)[..cut]), Ok(None));
    }
    let told = client.decode(&refused(7));
    assert_eq!(told, Ok(Some((10, Answer::Refused { refusal }))));
    assert_eq!(hear(&mut welcomed(), &refused(1)), Err("order"));
    assert_eq!(hear(&mut welcomed(), &[0x49, 0x7E, 0x1C]), Err("order"));
    // Not before it has greeted.
    assert_eq!(hear(&mut Client::default(), &refused(7)), Err("order"));
}

#[test]
fn answers_nobody_asked_for_are_malformed() {
    let mut silent = Client::default();
    assert_eq!(hear(&mut silent, b""), Ok(None));
    assert_eq!(hear(&mut silent, b"\x49"), Err("order"));
    let mut client = listing();
    let due = [0x13, 0x1D, 0x24];
    for kind in (0x10..=0x29).filter(|kind| !due.contains(kind)) {
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
    // A hash says nothing here, and does not disturb.
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
