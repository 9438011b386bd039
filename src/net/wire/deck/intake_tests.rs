//! The payload of a put from clients that lie: whole blocks of the file, no more than wanted.

use proptest::collection::vec;
use proptest::prelude::*;

use super::super::BLOCK;
use super::super::tests::{broken, harmful, harmless, raw};
use super::*;
use crate::net::wire::codec::{Reply, Request, ServerCodec, Stored, Taken, Version};
use crate::net::wire::deck::Server;

type Told = Result<Option<(usize, Piece)>, &'static str>;

const HELLO: &[u8] = b"\x49\x7E\x10\0\0\0\x04\xA1\x00\x81\x01";
const SIZE: u64 = 2 * BLOCK + 7;

fn hear(server: &mut Server, input: &[u8]) -> Told {
    server.piece(input).map_err(|fault| fault.cause)
}

fn terms(check: Check, pace: Pace) -> Terms {
    Terms {
        source: Version::from([7; 56]),
        mtime: Some(-1),
        taken: Taken::Rename,
        check,
        pace,
    }
}

/// A server that was greeted and has heard a put.
fn put(size: u64, check: Check, pace: Pace) -> Server {
    let mut server = Server::default();
    assert!(matches!(server.decode(HELLO), Ok(Some(_))));
    let mut out = Vec::new();
    upload::put_put("a", size, &terms(check, pace), &mut out);
    let request = Request::Store {
        path: "a".into(),
        size,
        terms: Box::new(terms(check, pace)),
    };
    assert_eq!(server.decode(&out), Ok(Some((out.len(), request))));
    server
}

fn span(first: u64, count: u64) -> Span {
    Span { first, count }
}

fn say(server: &mut Server, reply: &Reply) -> Vec<u8> {
    let mut out = Vec::new();
    server.encode(reply, &mut out);
    out
}

fn here(server: &mut Server, blocks: &[Span]) {
    let blocks = blocks.to_vec();
    let out = say(server, &Reply::Here { blocks });
    assert_eq!(out.get(2), Some(&0x21));
}

fn again(server: &mut Server, blocks: &[Span]) -> Vec<u8> {
    let blocks = blocks.to_vec();
    say(server, &Reply::Again { blocks })
}

fn block(offset: u64, len: u64) -> Vec<u8> {
    let mut out = Vec::new();
    payload::put_block(offset, len, None, &mut out);
    out
}

fn ending(kind: Type, ending: payload::Ending) -> Vec<u8> {
    let mut out = Vec::new();
    payload::put_end(kind, ending, &mut out);
    out
}

fn seal() -> Vec<u8> {
    ending(Type::BlockEnd, Ok(Some([1; 32])))
}

fn end() -> Vec<u8> {
    ending(Type::End, Ok(Some([9; 32])))
}

fn refused(refusal: Refusal) -> Vec<u8> {
    let mut out = Vec::new();
    super::super::body::put_refused(refusal, &mut out);
    out
}

#[track_caller]
fn tells(server: &mut Server, bytes: &[u8], due: Piece) {
    for cut in 0..bytes.len() {
        assert_eq!(hear(server, &bytes[..cut]), Ok(None), "cut at {cut}");
        let wants = server.wants(&bytes[..cut]);
        assert!(wants.is_some_and(|it| it > cut && it <= bytes.len()));
        let short = server.eof(&bytes[..cut]).map_err(|fault| fault.cause);
        assert_eq!(short, Err("short"));
    }
    let more = [bytes, &[0x00]].concat();
    assert_eq!(hear(server, &more), Ok(Some((bytes.len(), due))));
}

const fn run(offset: u64, len: u64) -> Piece {
    Piece::Run { offset, len }
}

const SEALED: Piece = Piece::Sealed {
    value: Some([1; 32]),
};
const END: Piece = Piece::End {
    root: Some(Root([9; 32])),
};

/// Blocks in this order and the end.
fn blocks(server: &mut Server, order: &[(u64, u64)]) {
    for &(offset, len) in order {
        tells(server, &block(offset, len), run(offset, len));
        tells(server, &seal(), SEALED);
    }
    tells(server, &end(), END);
}

#[test]
fn a_payload_is_told_piece_by_piece_in_any_order() {
    let mut server = put(SIZE, Check::Blocks, Pace::Asked);
    assert_eq!(hear(&mut server, &block(0, BLOCK)), Err("order"));
    assert_eq!(server.eof(b""), Ok(()));
    here(&mut server, &[span(1, 1)]);
    blocks(&mut server, &[(2 * BLOCK, 7), (0, BLOCK)]);
    for bytes in [block(0, BLOCK), seal(), end(), vec![]] {
        assert_eq!(hear(&mut server, &bytes), Err("order"));
    }
    assert_eq!(server.eof(b""), Ok(()));
    assert_eq!(
        again(&mut server, &[span(0, 1)]),
        raw(0x22, b"\xA1\x00\x82\x00\x01")
    );
    blocks(&mut server, &[(0, BLOCK)]);
    let stored = Stored {
        name: "a".into(),
        root: None,
    };
    say(&mut server, &Reply::Stored(stored));
    assert_eq!(hear(&mut server, &block(0, BLOCK)), Err("order"));
    let ping = raw(0x1B, b"\xA1\x00\x05");
    assert!(matches!(server.decode(&ping), Ok(Some(_))));
}

#[test]
fn an_eager_payload_follows_at_once() {
    let mut server = put(SIZE, Check::Blocks, Pace::Eager);
    // Nothing is said to one who did not wait for it.
    let blocks_here = vec![span(0, 1)];
    let said = say(
        &mut server,
        &Reply::Here {
            blocks: blocks_here,
        },
    );
    assert_eq!(said, b"");
    let ping = raw(0x1B, b"\xA1\x00\x05");
    let early = server.decode(&ping).map_err(|fault| fault.cause);
    assert_eq!(early, Err("order"));
    assert_eq!(hear(&mut server, &ping), Err("order"));
    blocks(&mut server, &[(0, BLOCK), (BLOCK, BLOCK), (2 * BLOCK, 7)]);
    // The next request stands behind it: what does not agree cannot come again.
    let said = again(&mut server, &[span(0, 1)]);
    assert_eq!(said, refused(Refusal::Corrupt));
    assert_eq!(hear(&mut server, &block(0, BLOCK)), Err("order"));
    assert!(matches!(server.decode(&ping), Ok(Some(_))));
    let mut empty = put(0, Check::Blocks, Pace::Eager);
    assert_eq!(hear(&mut empty, &block(0, 0)), Err("block"));
    blocks(&mut empty, &[]);
}

#[test]
fn a_share_takes_its_own_blocks_alone() {
    let share = || {
        let mut server = put(SIZE, Check::Blocks, Pace::Share(span(1, 2)));
        here(&mut server, &[]);
        server
    };
    assert_eq!(hear(&mut share(), &block(0, BLOCK)), Err("block"));
    let mut server = share();
    blocks(&mut server, &[(2 * BLOCK, 7), (BLOCK, BLOCK)]);
    assert_eq!(
        again(&mut server, &[span(2, 1)]),
        raw(0x22, b"\xA1\x00\x82\x02\x01")
    );
    blocks(&mut server, &[(2 * BLOCK, 7)]);
    assert_eq!(say(&mut server, &Reply::Done), raw(0x26, b"\xA0"));
    let ping = raw(0x1B, b"\xA1\x00\x05");
    assert!(matches!(server.decode(&ping), Ok(Some(_))));
    // No more of them than the share has.
    let mut server = share();
    for _ in 0..2 {
        tells(&mut server, &block(BLOCK, BLOCK), run(BLOCK, BLOCK));
        tells(&mut server, &seal(), SEALED);
    }
    assert_eq!(hear(&mut server, &block(BLOCK, BLOCK)), Err("block"));
}

#[test]
fn a_refusal_leaves_what_is_on_its_way() {
    let ping = raw(0x1B, b"\xA1\x00\x05");
    let no = Reply::Refused(Refusal::NoRoom);
    let mut asked = put(SIZE, Check::Blocks, Pace::Asked);
    assert_eq!(say(&mut asked, &no), refused(Refusal::NoRoom));
    assert_eq!(hear(&mut asked, &block(0, BLOCK)), Err("order"));
    assert!(matches!(asked.decode(&ping), Ok(Some(_))));
    let mut begun = put(SIZE, Check::Blocks, Pace::Asked);
    here(&mut begun, &[]);
    let eager = put(SIZE, Check::Blocks, Pace::Eager);
    for mut server in [begun, eager] {
        tells(&mut server, &block(0, BLOCK), run(0, BLOCK));
        say(&mut server, &no);
        tells(&mut server, &seal(), SEALED);
        let given_up = ending(Type::End, Err(Refusal::Leaving));
        let mut patient = server.clone();
        tells(&mut server, &given_up, Piece::GivenUp(Refusal::Leaving));
        blocks(&mut patient, &[(BLOCK, BLOCK), (2 * BLOCK, 7)]);
        for server in [&mut server, &mut patient] {
            assert_eq!(hear(server, &end()), Err("order"));
            assert!(matches!(server.decode(&ping), Ok(Some(_))));
        }
    }
}

#[test]
fn a_sender_that_gives_up_says_why() {
    let spoilt = |kind| ending(kind, Err(Refusal::Changed));
    let gave_up = Piece::GivenUp(Refusal::Changed);
    let mut server = put(SIZE, Check::Blocks, Pace::Eager);
    tells(&mut server.clone(), &spoilt(Type::End), gave_up.clone());
    tells(&mut server, &block(0, BLOCK), run(0, BLOCK));
    let good = [spoilt(Type::BlockEnd), end()].concat();
    assert_eq!(hear(&mut server.clone(), &good), Err("end"));
    let next = [spoilt(Type::BlockEnd), block(BLOCK, BLOCK)].concat();
    assert_eq!(hear(&mut server.clone(), &next), Err("order"));
    let both = [spoilt(Type::BlockEnd), spoilt(Type::End)].concat();
    tells(&mut server, &both, gave_up);
    assert_eq!(hear(&mut server, &end()), Err("order"));
}

#[test]
fn a_block_that_is_none_of_the_file_is_malformed() {
    for (offset, len) in [
        (1, BLOCK),
        (BLOCK - 1, 1),
        (0, 0),
        (0, 1),
        (0, BLOCK - 1),
        (0, BLOCK + 1),
        (0, SIZE),
        (0, u64::MAX),
        (2 * BLOCK, 6),
        (2 * BLOCK, 8),
        (2 * BLOCK, BLOCK),
        (SIZE, 0),
        (SIZE, 1),
        (3 * BLOCK, BLOCK),
        (u64::MAX, 1),
        (u64::MAX - u64::MAX % BLOCK, BLOCK),
    ] {
        let mut server = put(SIZE, Check::Blocks, Pace::Eager);
        let told = hear(&mut server, &block(offset, len));
        assert_eq!(told, Err("block"), "{offset} {len}");
    }
    // The last block of the largest file there can be.
    let start = u64::MAX - u64::MAX % BLOCK;
    let mut server = put(u64::MAX, Check::Blocks, Pace::Eager);
    tells(&mut server, &block(start, BLOCK - 1), run(start, BLOCK - 1));
}

#[test]
fn no_block_more_than_was_wanted() {
    let mut server = put(SIZE, Check::None, Pace::Asked);
    here(&mut server, &[span(0, 1)]);
    for _ in 0..2 {
        tells(&mut server, &block(0, BLOCK), run(0, BLOCK));
        tells(&mut server, &seal(), SEALED);
    }
    assert_eq!(hear(&mut server, &block(0, BLOCK)), Err("block"));
    tells(&mut server, &end(), END);
    again(&mut server, &[span(1, 1)]);
    tells(&mut server, &block(BLOCK, BLOCK), run(BLOCK, BLOCK));
    tells(&mut server, &seal(), SEALED);
    assert_eq!(hear(&mut server, &block(BLOCK, BLOCK)), Err("block"));
    let mut server = put(SIZE, Check::None, Pace::Asked);
    here(&mut server, &[span(0, 3)]);
    assert_eq!(hear(&mut server, &block(0, BLOCK)), Err("block"));
}

#[test]
fn a_checked_block_has_its_value() {
    let bare = ending(Type::BlockEnd, Ok(None));
    let mut server = put(SIZE, Check::Blocks, Pace::Eager);
    tells(&mut server, &block(0, BLOCK), run(0, BLOCK));
    assert_eq!(hear(&mut server, &bare), Err("value"));
    assert_eq!(hear(&mut server, &end()), Err("order"));
    assert_eq!(hear(&mut server, &block(BLOCK, BLOCK)), Err("order"));
    let mut server = put(SIZE, Check::None, Pace::Eager);
    tells(&mut server, &block(0, BLOCK), run(0, BLOCK));
    tells(&mut server, &bare, Piece::Sealed { value: None });
    let rootless = ending(Type::End, Ok(None));
    tells(&mut server, &rootless, Piece::End { root: None });
}

#[test]
fn more_stretches_than_fit_are_said_safely() {
    let count = SPANS_MAX as u64 + 10;
    let many: Vec<Span> = (0..count).map(|at| span(2 * at, 1)).collect();
    let size = 3 * count * BLOCK;
    let mut server = put(size, Check::None, Pace::Asked);
    let said = say(
        &mut server,
        &Reply::Here {
            blocks: many.clone(),
        },
    );
    let left_out = upload::spans(&said[frame::HEAD..]);
    assert_eq!(left_out.as_deref(), Ok(&many[..SPANS_MAX]));
    tells(&mut server, &end(), END);
    let said = again(&mut server, &many);
    let wider = upload::spans(&said[frame::HEAD..]).unwrap_or_default();
    assert_eq!(wider.len(), SPANS_MAX);
    assert_eq!(wider[..SPANS_MAX - 1], many[..SPANS_MAX - 1]);
    assert_eq!(wider.last(), Some(&span(2 * SPANS_MAX as u64 - 2, 21)));
    assert!(said.len() <= frame::HEAD + super::super::BODY_MAX);
}

#[test]
fn bodies_that_are_not_the_cddl_are_malformed() {
    let server = || put(SIZE, Check::None, Pace::Eager);
    for body in broken(b"\x00") {
        let told = hear(&mut server(), &raw(0x18, &body));
        assert_eq!(told, Err("cbor"), "{body:02X?}");
    }
    let with = |value: &[u8]| raw(0x1A, &[&[0xA1, 0x18, 0x3F], value].concat());
    for value in harmless() {
        assert!(matches!(hear(&mut server(), &with(&value)), Ok(Some(_))));
    }
    for value in harmful(8_000) {
        assert_eq!(hear(&mut server(), &with(&value)), Err("cbor"));
    }
    for head in [
        &b"\x49\x7E\x18\x00\x00\x41"[..],
        b"\x49\x7E\x1A\x01",
        b"\x49\x7E\x18\x00\x00\x40\x01",
    ] {
        assert_eq!(hear(&mut server(), head), Err("length"));
        assert_eq!(server().wants(head), None);
    }
    for kind in [0x10, 0x12, 0x16, 0x19, 0x1D, 0x20, 0x23, 0x29] {
        let told = hear(&mut server(), &[0x49, 0x7E, kind]);
        assert_eq!(told, Err("order"), "{kind:02X}");
    }
}

/// Frames of a payload, true and not so true.
fn frames() -> impl Strategy<Value = Vec<u8>> {
    let one = prop_oneof![
        4 => (0_u64..4).prop_map(|at| block(at * BLOCK, BLOCK)),
        2 => Just(block(2 * BLOCK, 7)),
        1 => (any::<u64>(), any::<u64>()).prop_map(|(offset, len)| block(offset, len)),
        5 => Just(seal()),
        1 => Just(ending(Type::BlockEnd, Err(Refusal::Failed))),
        1 => Just(ending(Type::BlockEnd, Ok(None))),
        1 => Just(end()),
        1 => Just(ending(Type::End, Err(Refusal::Failed))),
        1 => (any::<u8>(), vec(any::<u8>(), 0..40)).prop_map(|(kind, body)| raw(kind, &body)),
        1 => vec(any::<u8>(), 0..20),
    ];
    vec(one, 0..12).prop_map(|all| all.concat())
}

/// Feeds a payload's frames in pieces, without the raw bytes between them.
fn feed(server: &mut Server, bytes: &[u8], cut: usize) -> (Vec<Piece>, Option<&'static str>) {
    let (mut told, mut held) = (Vec::new(), Vec::new());
    for part in bytes.chunks(cut) {
        held.extend_from_slice(part);
        loop {
            match hear(server, &held) {
                Err(cause) => return (told, Some(cause)),
                Ok(None) => {
                    assert!(held.len() < server.head_limit());
                    let wants = server.wants(&held);
                    assert!(wants.is_some_and(|it| it > held.len() && it <= server.head_limit()));
                    break;
                }
                Ok(Some((used, piece))) => {
                    held.drain(..used);
                    let over = matches!(piece, Piece::End { .. } | Piece::GivenUp(_));
                    told.push(piece);
                    if over {
                        return (told, None);
                    }
                }
            }
        }
    }
    (told, None)
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 512,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn noise_in_a_payload_is_heard_alike_however_it_is_cut(
        bytes in frames(),
        wrong in any::<prop::sample::Index>(),
        byte in any::<u8>(),
        mend in any::<bool>(),
        size in prop_oneof![Just(SIZE), Just(4 * BLOCK), Just(0), any::<u64>()],
        checked in any::<bool>(),
    ) {
        let check = if checked { Check::Blocks } else { Check::None };
        let mut bytes = bytes;
        if !mend && !bytes.is_empty() {
            let at = wrong.index(bytes.len());
            bytes[at] = byte;
        }
        let server = put(size, check, Pace::Eager);
        let whole = feed(&mut server.clone(), &bytes, usize::MAX);
        prop_assert_eq!(&feed(&mut server.clone(), &bytes, 1), &whole);
        prop_assert_eq!(&feed(&mut server.clone(), &bytes, 7), &whole);
        let mut runs = 0;
        for piece in &whole.0 {
            if let Piece::Run { offset, len } = piece {
                runs += 1;
                prop_assert!(offset.is_multiple_of(BLOCK) && *len > 0);
                prop_assert!(*len == (size - offset).min(BLOCK));
            }
            if let Piece::Sealed { value: None } = piece {
                prop_assert_eq!(check, Check::None);
            }
        }
        prop_assert!(runs <= count(size));
    }
}
