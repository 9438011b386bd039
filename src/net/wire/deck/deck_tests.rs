//! deck's specification held against its code: the examples, the table of types, the bounds.

use super::*;
use crate::entity::{Dialect, Entry, Kind, RemotePath, Rights, Root};
use crate::net::wire::codec::{
    Check, ClientCodec, Content, Detail, Pace, Page, Refusal, Reply, Request, ServerCodec, Span,
    Stored, Taken, Terms, Values, Version, Welcome,
};
use frame::Type;

/// The specification without its comment marks, every gap one blank.
fn specification() -> String {
    include_str!("../deck.rs")
        .lines()
        .filter_map(|line| line.strip_prefix("//!"))
        .flat_map(str::split_whitespace)
        .collect::<Vec<_>>()
        .join(" ")
}

#[track_caller]
fn stands(label: &str, bytes: &[u8]) {
    let hex: Vec<_> = bytes.iter().map(|byte| format!("{byte:02X}")).collect();
    let line = format!("{label} {}", hex.join(" "));
    assert!(specification().contains(&line), "{line}");
}

#[track_caller]
fn asks(label: &str, request: &Request) {
    let (mut client, mut out) = (Client::default(), Vec::new());
    client.greet("me", &mut out);
    out.clear();
    assert_eq!(client.ask(request, &mut out), Ok(()));
    stands(label, &out);
}

#[track_caller]
fn says(label: &str, reply: &Reply) {
    let mut out = Vec::new();
    Server::default().encode(reply, &mut out);
    stands(label, &out);
}

fn entry(name: &str, kind: Kind, size: u64, mtime: i64) -> Entry {
    Entry {
        name: name.into(),
        kind,
        size,
        mtime,
    }
}

#[test]
fn the_examples_of_requests_are_what_is_sent() {
    let mut hello = Vec::new();
    assert!(Client::default().greet("me", &mut hello));
    stands("hello, version 1, \"me\"", &hello);
    let path = RemotePath::from("a.txt");
    asks(
        "list of the root",
        &Request::List {
            path: RemotePath::root(),
        },
    );
    asks("stat of a.txt", &Request::Stat { path: path.clone() });
    asks(
        "get a.txt from 0",
        &Request::Get {
            path,
            offset: 0,
            version: None,
        },
    );
    asks("ping 300", &Request::Ping { token: 300 });
}

#[test]
fn the_examples_of_answers_are_what_is_sent() {
    let rights = Rights {
        read: true,
        ..Rights::default()
    };
    let name = "srv".into();
    says(
        "welcome, \"srv\", may read",
        &Reply::Welcome(Welcome { name, rights }),
    );
    let page = Page {
        entries: vec![entry("a.txt", Kind::File, 3, 7)],
        ..Page::default()
    };
    says("page: a.txt, 3 bytes, at 7", &Reply::Page(page));
    let unlisted = Page {
        unlisted: 2,
        ..Page::default()
    };
    says("the last page, 2 unlisted", &Reply::Page(unlisted));
    let more = Page {
        more: true,
        ..Page::default()
    };
    says("a page, and more follow", &Reply::Page(more));
    says(
        "entry: folder d, version CA",
        &Reply::Stat {
            entry: entry("d", Kind::Dir, 0, -1),
            version: Version::new(&[0xCA]),
        },
    );
    says("pong 300", &Reply::Pong { token: 300 });
    says("refused, not found", &Reply::Refused(Refusal::NotFound));
}

#[test]
fn the_examples_of_payload_are_what_is_sent() {
    let content = Content {
        size: 3,
        offset: 0,
        mtime: Some(7),
        version: Version::new(&[0xCA]),
    };
    says("content: 3 bytes, from 0", &Reply::Content(content.clone()));
    let (mut server, mut out) = (Server::default(), Vec::new());
    server.encode(&Reply::Content(content), &mut out);
    out.clear();
    assert_eq!(server.next_run(0, 3, &mut out), 3);
    stands("block: 3 bytes at 0", &out);
    let mut spoilt = server.clone();
    out.clear();
    server.finish(None, &mut out);
    let (block_end, end) = out.split_at(8);
    stands("block-end", block_end);
    stands("end", end);
    out.clear();
    spoilt.finish(Some(Refusal::Changed), &mut out);
    let (block_end, end) = out.split_at(10);
    stands("block-end, changed", block_end);
    stands("end, changed", end);
}

/// The value of a file that says "hi" and is one block: its root.
fn hi() -> [u8; 32] {
    *blake3::hash(b"hi\n").as_bytes()
}

fn ca() -> Option<Version> {
    Version::new(&[0xCA])
}

fn mark(bytes: &[u8]) -> Version {
    Version::new(bytes).unwrap_or_else(|| Version::from([0; 56]))
}

#[test]
fn the_examples_of_stretches_are_what_is_sent() {
    let fetch = |offset, until, version, check| Request::Fetch {
        path: "a.txt".into(),
        offset,
        until,
        version,
        check,
    };
    asks(
        "get all blocks of a.txt",
        &fetch(0, None, None, Check::Blocks),
    );
    asks(
        "get its second, anew",
        &fetch(BLOCK, Some(2 * BLOCK), ca(), Check::Anew),
    );
    let content = Content {
        size: 3,
        offset: 0,
        mtime: Some(7),
        version: ca(),
    };
    let stretch = Reply::Stretch { content, until: 3 };
    says("content: all blocks", &stretch);
    let (mut server, mut out) = (Server::default(), Vec::new());
    server.encode(&stretch, &mut out);
    out.clear();
    assert_eq!(server.next_run(0, 3, &mut out), 3);
    stands("block: the first and last", &out);
    out.clear();
    server.seal(Some(hi()), &mut out);
    stands("block-end, its value", &out);
    out.clear();
    server.close(Ok(Some(Root(hi()))), &mut out);
    stands("end, the root", &out);
}

#[test]
fn the_examples_of_trees_are_what_is_sent() {
    let tree = |version, detail| Request::Tree {
        path: "a.txt".into(),
        version,
        detail,
    };
    asks("tree of a.txt: the root", &tree(None, Detail::Root));
    asks("tree of CA: the values", &tree(ca(), Detail::Values));
    let last = Values {
        values: vec![hi()],
        root: Some(Root(hi())),
        size: 3,
        version: ca(),
        ..Values::default()
    };
    says("values: one, and the root", &Reply::Values(last));
    let part = Values {
        first: 2,
        values: vec![hi()],
        size: 4 * BLOCK,
        more: true,
        ..Values::default()
    };
    says("values: block 2, and more", &Reply::Values(part));
}

#[test]
fn the_examples_of_uploads_are_what_is_sent() {
    let put = |mtime, taken, check, pace| Request::Store {
        path: "a.txt".into(),
        size: 3,
        terms: Box::new(Terms {
            source: mark(&[0xCA]),
            mtime,
            taken,
            check,
            pace,
        }),
    };
    let asked = put(Some(7), Taken::Replace, Check::Blocks, Pace::Asked);
    asks("put a.txt, replacing", &asked);
    let eager = put(None, Taken::Refuse, Check::Blocks, Pace::Eager);
    asks("put a.txt, eager", &eager);
    asks(
        "put a.txt, unchecked",
        &put(None, Taken::Rename, Check::None, Pace::Asked),
    );
    let Request::Store { path, terms, .. } = put(
        None,
        Taken::Refuse,
        Check::Blocks,
        Pace::Share(Span { first: 1, count: 2 }),
    ) else {
        unreachable!()
    };
    let size = 3 * BLOCK;
    asks(
        "put, its 2nd and 3rd block",
        &Request::Store { path, size, terms },
    );
    let (mut client, mut out) = (Client::default(), Vec::new());
    client.greet("me", &mut out);
    assert_eq!(client.ask(&eager, &mut out), Ok(()));
    out.clear();
    client.block(0, 3, &mut out);
    stands("block: the first and last", &out);
    out.clear();
    client.seal(Some(hi()), &mut out);
    stands("block-end, its value", &out);
    out.clear();
    client.close(Ok(Some(Root(hi()))), &mut out);
    stands("end, the root", &out);

    let mut server = greeted(size_put(5 * BLOCK));
    let span = |first, count| Span { first, count };
    let mut said = |label: &str, reply: &Reply| {
        let mut out = Vec::new();
        server.encode(reply, &mut out);
        stands(label, &out);
        assert!(matches!(server.piece(&raw(0x1A, &[0xA0])), Ok(Some(_))));
    };
    let here = vec![span(0, 2), span(4, 1)];
    said("here: 0, 1 and 4", &Reply::Here { blocks: here });
    let again = vec![span(2, 1)];
    said("again: 2", &Reply::Again { blocks: again });
    let stored = |root| {
        Reply::Stored(Stored {
            name: "a.txt".into(),
            root,
        })
    };
    says("stored, with its root", &stored(Some(Root(hi()))));
    says("stored, unchecked", &stored(None));
    says("wait: 5 of 300", &Reply::Wait { done: 5, of: 300 });
}

/// A put of an unchecked file of this size.
fn size_put(size: u64) -> Vec<u8> {
    let mut out = Vec::new();
    let terms = Terms {
        source: mark(b"s"),
        mtime: None,
        taken: Taken::Refuse,
        check: Check::None,
        pace: Pace::Asked,
    };
    upload::put_put("a", size, &terms, &mut out);
    out
}

/// A server that was greeted and has heard this request.
fn greeted(request: Vec<u8>) -> Server {
    let mut server = Server::default();
    for bytes in [raw(0x10, b"\xA1\x00\x81\x01"), request] {
        assert!(matches!(server.decode(&bytes), Ok(Some((used, _))) if used == bytes.len()));
    }
    server
}

#[test]
fn the_examples_of_the_rest_are_what_is_sent() {
    let path = RemotePath::from("d");
    asks("mkdir d", &Request::MakeFolder { path: path.clone() });
    says("done", &Reply::Done);
    says("done", &Reply::Renamed);
    asks("delete d", &Request::Delete { path: path.clone() });
    let to = "e".into();
    asks("rename d to e", &Request::Rename { from: path, to });
    says("refused, taken", &Reply::Refused(Refusal::Exists));
    let (mut client, mut out) = (Client::over(Dialect::DeckTls), Vec::new());
    let prove = Request::Prove {
        proof: [0xAB; 32],
        name: "me".into(),
    };
    assert_eq!(client.ask(&prove, &mut out), Ok(()));
    stands("prove, \"me\"", &out);
    says("prove, the server", &Reply::Proof([0xCD; 32]));
}

#[test]
fn every_code_has_its_cell_in_the_specification() {
    let specification = specification();
    for refusal in Refusal::ALL {
        let cell = format!("| {} | ", value::code(refusal));
        assert!(specification.contains(&cell), "{cell}");
    }
}

#[test]
fn every_type_has_its_row_in_the_specification() {
    let specification = specification();
    for byte in 0..=0xFF_u8 {
        let measured = frame::measure(&[0x49, 0x7E, byte], &[]);
        let known = measured.is_err_and(|fault| fault.cause == "order");
        assert_eq!(known, (0x10..=0x29).contains(&byte), "{byte:02X}");
    }
    for (at, kind) in [
        Type::Hello,
        Type::Welcome,
        Type::List,
        Type::Page,
        Type::Stat,
        Type::Entry,
    ]
    .into_iter()
    .chain([
        Type::Get,
        Type::Content,
        Type::Block,
        Type::BlockEnd,
        Type::End,
    ])
    .chain([Type::Ping, Type::Pong, Type::Refused])
    .chain([Type::Tree, Type::Values, Type::Put, Type::Here, Type::Again])
    .chain([Type::Stored, Type::Wait, Type::Mkdir, Type::Done])
    .chain([Type::Rename, Type::Delete, Type::Prove])
    .enumerate()
    {
        let row = format!("| {:02X} | {} |", 0x10 + at, kind.label());
        assert!(specification.contains(&row), "{row}");
    }
}

#[test]
fn the_bounds_of_the_specification_are_the_bounds() {
    assert_eq!((BODY_MAX, SMALL_BODY_MAX), (262_144, 16_384));
    assert_eq!((BLOCK_MAX, PAGE_ENTRIES), (16_777_216, 1000));
    assert_eq!((BLOCK, SPANS_MAX, VALUES_MAX), (4_194_304, 8192, 4096));
    assert_eq!(Version::MAX, 64);
    assert_eq!(Server::default().dialect(), Dialect::Deck);
    assert_eq!(Server::default().head_limit(), 2 * (7 + 16_384));
    assert_eq!(Client::default().head_limit(), 7 + 262_144);
    assert_eq!(Server::default().size_limit(), u64::MAX);
}

#[test]
fn a_name_is_listable_or_not() {
    for name in [
        "a",
        "..a",
        "a b",
        "\u{85}",
        "ü",
        &"x".repeat(255),
        "...",
        "a\\b",
    ] {
        assert!(listable(name), "{name:?}");
    }
    for name in [
        "",
        ".",
        "..",
        "a/b",
        "/",
        "a\0",
        "\u{1b}[2J",
        "\x7f",
        &"x".repeat(256),
    ] {
        assert!(!listable(name), "{name:?}");
    }
}

/// A frame with this type and body, whatever they are.
pub(super) fn raw(kind: u8, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len()).unwrap_or(u32::MAX);
    [&[0x49, 0x7E, kind], &length.to_be_bytes()[..], body].concat()
}

/// Values of an unknown key that must be passed over.
pub(super) fn harmless() -> Vec<Vec<u8>> {
    let mut values: Vec<Vec<u8>> = vec![
        vec![0x00],
        vec![0x38, 0x64],
        vec![0x1B, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF],
        vec![0x43, 1, 2, 3],
        vec![0x63, b'a', b'b', b'c'],
        vec![0x80],
        vec![0xA0],
        vec![0xF6],
        vec![0xF7],
        vec![0xF5],
        vec![0xF9, 0x3C, 0x00],
        vec![0xFA, 0, 0, 0, 0],
        vec![0xFB, 0, 0, 0, 0, 0, 0, 0, 0],
        vec![0xF8, 0xFF],
        vec![0xC0, 0x60],
        // Keys of skipped maps may be anything.
        vec![0xA2, 0x61, b'x', 0x01, 0x80, 0x82, 0x01, 0x02],
    ];
    values.push([vec![0x81; 8], vec![0x00]].concat());
    values.push([vec![0xC1; 8], vec![0x00]].concat());
    values
}

/// Values of an unknown key that must not be passed over; `deep` is how deep the nested ones are.
pub(super) fn harmful(deep: usize) -> Vec<Vec<u8>> {
    let mut values: Vec<Vec<u8>> = vec![
        vec![],
        vec![0x18],
        vec![0x1C],
        vec![0xFF],
        vec![0x9F, 0xFF],
        vec![0xBF, 0xFF],
        vec![0x5F, 0xFF],
        vec![0x7F, 0xFF],
        vec![0x9F],
        vec![0x81, 0x9F, 0xFF],
        vec![0x81],
        vec![0x82, 0x00],
        vec![0x9A, 0xFF, 0xFF, 0xFF, 0xFF],
        vec![0x9B, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x00],
        vec![
            0xBB, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x00, 0x00,
        ],
        vec![0x5B, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x00],
        vec![0x7A, 0x7F, 0xFF, 0xFF, 0xFF, 0x00],
        vec![0x62, 0xC3, 0x28],
        vec![0xC1],
    ];
    values.push([vec![0x81; 9], vec![0x00]].concat());
    values.push([vec![0xC1; 9], vec![0x00]].concat());
    values.push([vec![0x81; deep], vec![0x00]].concat());
    values.push([vec![0xC1; deep], vec![0x00]].concat());
    values.push([[0xA1, 0x00].repeat(deep), vec![0x00]].concat());
    values.push([[0xA1, 0x81].repeat(deep), vec![0x00]].concat());
    values.push(vec![0x81; deep]);
    values
}

/// Bodies that are no body for a map with the one key 0, whose value is `good`.
pub(super) fn broken(good: &[u8]) -> Vec<Vec<u8>> {
    let with = |before: &[u8], after: &[u8]| [before, good, after].concat();
    vec![
        vec![],
        vec![0x00],
        vec![0x80],
        vec![0xF6],
        vec![0xA0],
        vec![0xA1],
        vec![0xA1, 0x00],
        with(&[], &[]),
        with(&[0xBF, 0x00], &[0xFF]),
        with(&[0xA1, 0x00], &[0x00]),
        with(&[0xA1, 0x00], &[0xA0]),
        with(&[0xA2, 0x00], &[]),
        with(&[0xA2, 0x00], &with(&[0x00], &[])),
        with(&[0xA3, 0x00], &[0x17, 0x00, 0x17, 0x00]),
        with(&[0xA2, 0x00], &[0x18, 0x40, 0x00]),
        with(&[0xA2, 0x00], &[0x1B, 0, 0, 0, 1, 0, 0, 0, 0, 0x00]),
        with(&[0xA2, 0x00], &[0x20, 0x00]),
        with(&[0xA2, 0x00], &[0x61, b'x', 0x00]),
        with(
            &[0xBB, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x00],
            &[],
        ),
        with(&[0xA1, 0x17], &[]),
        vec![0xA1, 0x00, 0xF4],
        vec![0xA1, 0x00, 0x5F, 0xFF],
        vec![0xA1, 0x00, 0x7F, 0xFF],
        vec![0xA1, 0x00, 0x9F, 0xFF],
    ]
}
