//! What holds for an upload in blocks, from the client's frames to the server's pieces.
//!
//! Both halves of deck, in the open and in TLS: what was said is what is heard,
//! however it is cut, in any order of blocks, over as many rounds as it takes. The
//! codecs see no payload, so most of it is left out here.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

use super::codec::{
    Answer, Check, ClientCodec, Malformed, Pace, Piece, Refusal, Reply, Request, ServerCodec, Span,
    Stored, Terms, Value,
};
use super::deck::BLOCK;
use super::laws::{Cuts, greeted, spans, terms, whole};
use super::{client_codec, server_codec};
use crate::entity::{Dialect, Root, Speak};

const DECKS: [Dialect; 2] = [Dialect::Deck, Dialect::DeckTls];

/// What a server made of a connection's bytes.
#[derive(Debug, PartialEq)]
enum Heard {
    Request(Request),
    Piece(Piece),
}

/// Whether raw bytes stand behind the heads of blocks.
#[derive(Clone, Copy, PartialEq)]
enum Raw {
    There,
    LeftOut,
}

/// A server that reads requests, and behind a put its payload.
struct Ear<'a> {
    server: &'a mut dyn ServerCodec,
    raw: Raw,
    held: Vec<u8>,
    /// Raw bytes that are still to come.
    owed: u64,
    payload_due: bool,
    heard: Vec<Heard>,
    content: Vec<u8>,
}

impl<'a> Ear<'a> {
    fn new(server: &'a mut dyn ServerCodec, raw: Raw) -> Self {
        Self {
            server,
            raw,
            held: Vec::new(),
            owed: 0,
            payload_due: false,
            heard: Vec::new(),
            content: Vec::new(),
        }
    }

    /// One step with what is held; whether there may be another.
    fn step(&mut self) -> Result<bool, Malformed> {
        if self.owed > 0 {
            let now = usize::try_from(self.owed)
                .map_or(self.held.len(), |owed| owed.min(self.held.len()));
            self.content.extend(self.held.drain(..now));
            self.owed -= now as u64;
            return Ok(self.owed == 0);
        }
        let (used, heard) = if self.payload_due {
            let Some((used, piece)) = self.server.piece(&self.held)? else {
                return Ok(self.starve());
            };
            match piece {
                Piece::Run { len, .. } if self.raw == Raw::There => self.owed = len,
                Piece::Run { .. } | Piece::Sealed { .. } => {}
                Piece::End { .. } | Piece::GivenUp(_) => self.payload_due = false,
            }
            (used, Heard::Piece(piece))
        } else {
            let Some((used, request)) = self.server.decode(&self.held)? else {
                return Ok(self.starve());
            };
            if let Request::Store { terms, .. } = &request {
                self.payload_due = terms.pace == Pace::Eager;
            }
            (used, Heard::Request(request))
        };
        self.held.drain(..used);
        self.heard.push(heard);
        Ok(true)
    }

    /// Notes that more is needed, within bounds.
    fn starve(&self) -> bool {
        assert!(self.held.len() < self.server.head_limit());
        false
    }

    fn feed(&mut self, bytes: &[u8], cuts: Cuts<'_>) -> Result<(), Malformed> {
        let mut rest = bytes;
        while !rest.is_empty() {
            let (piece, later) = rest.split_at(cuts.next().unwrap_or(1).clamp(1, rest.len()));
            rest = later;
            self.held.extend_from_slice(piece);
            while self.step()? {}
        }
        Ok(())
    }
}

const fn span(first: u64, count: u64) -> Span {
    Span { first, count }
}

fn value_of(check: Check, at: u64) -> Option<Value> {
    (check != Check::None).then(|| [u8::try_from(at % 251).unwrap_or(0); 32])
}

/// Sends one block's frames, and says what must be heard of them.
fn send(
    client: &mut dyn ClientCodec,
    (at, size): (u64, u64),
    check: Check,
    out: &mut Vec<u8>,
) -> [Heard; 2] {
    let offset = at * BLOCK;
    let len = BLOCK.min(size - offset);
    let value = value_of(check, at);
    client.block(offset, len, out);
    client.seal(value, out);
    [Piece::Run { offset, len }, Piece::Sealed { value }].map(Heard::Piece)
}

/// The blocks that stretches leave out.
fn others(spans: &[Span], blocks: u64) -> Vec<u64> {
    let within = |at: &u64| {
        spans
            .iter()
            .any(|span| (span.first..span.first + span.count).contains(at))
    };
    (0..blocks).filter(|at| !within(at)).collect()
}

fn within(spans: Vec<Span>, blocks: u64) -> Vec<Span> {
    let fits = |span: &Span| span.first + span.count <= blocks;
    spans.into_iter().filter(fits).collect()
}

fn stored(check: Check) -> Stored {
    Stored {
        name: "a.txt".into(),
        root: (check != Check::None).then_some(Root([3; 32])),
    }
}

/// Says a reply and hears it at the other end: all of it as one answer, or nothing.
fn say(
    server: &mut dyn ServerCodec,
    client: &mut dyn ClientCodec,
    reply: &Reply,
) -> Option<Answer> {
    let mut out = Vec::new();
    server.encode(reply, &mut out);
    let (used, answer) = client.decode(&out).ok().flatten()?;
    (used == out.len()).then_some(answer)
}

fn store(size: u64, terms: Box<Terms>) -> Request {
    let path = "docs/a.txt".into();
    Request::Store { path, size, terms }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 256,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    /// Small files one behind the other, and another request behind them.
    #[test]
    fn eager_payloads_are_heard_as_they_were_sent(
        files in vec((vec(any::<u8>(), 0..300), terms(Pace::Eager)), 1..5),
        cuts in vec(1_usize..400, 1..20),
        refused in any::<bool>(),
    ) {
        for dialect in DECKS {
            let (mut client, mut server) = greeted(dialect);
            let (mut bytes, mut due, mut all) = (Vec::new(), Vec::new(), Vec::new());
            for (content, terms) in &files {
                let request = store(content.len() as u64, terms.clone());
                prop_assert_eq!(client.ask(&request, &mut bytes), Ok(()));
                due.push(Heard::Request(request));
                if !content.is_empty() {
                    let (value, len) = (value_of(terms.check, 7), content.len() as u64);
                    client.block(0, len, &mut bytes);
                    bytes.extend_from_slice(content);
                    client.seal(value, &mut bytes);
                    due.push(Heard::Piece(Piece::Run { offset: 0, len }));
                    due.push(Heard::Piece(Piece::Sealed { value }));
                }
                client.close(Ok(None), &mut bytes);
                due.push(Heard::Piece(Piece::End { root: None }));
                all.extend_from_slice(content);
            }
            let ping = Request::Ping { token: 7 };
            prop_assert_eq!(client.ask(&ping, &mut bytes), Ok(()));
            due.push(Heard::Request(ping));
            let mut by_byte = greeted(dialect).1;
            for (server, cuts) in [
                (&mut server, &mut cuts.iter().copied().cycle() as Cuts<'_>),
                (&mut by_byte, &mut std::iter::repeat(1)),
            ] {
                let mut ear = Ear::new(&mut **server, Raw::There);
                prop_assert_eq!(ear.feed(&bytes, cuts), Ok(()));
                prop_assert_eq!(&ear.heard, &due);
                prop_assert_eq!(&ear.content, &all);
                prop_assert_eq!(ear.held.len(), 0);
            }
            for (_, terms) in &files {
                let stored = stored(terms.check);
                let refusal = Refusal::Exists;
                let (reply, answer) = if refused {
                    (Reply::Refused(refusal), Answer::Refused { refusal })
                } else {
                    (Reply::Stored(stored.clone()), Answer::Stored(stored))
                };
                prop_assert_eq!(say(&mut *server, &mut *client, &reply), Some(answer));
            }
            let pong = say(&mut *server, &mut *client, &Reply::Pong { token: 7 });
            prop_assert_eq!(pong, Some(Answer::Pong { token: 7 }));
        }
    }

    /// A large file, or a share of it, of which something is here, in any order, with
    /// some of it again.
    #[test]
    fn asked_payloads_are_heard_as_they_were_sent(
        blocks in 0_u64..14,
        last in 1..=BLOCK,
        terms in terms(Pace::Asked),
        share in option::of((0_u64..14, 1_u64..14)),
        here in spans(6),
        rounds in vec(spans(6), 0..3),
        order in any::<u64>(),
        cuts in vec(1_usize..90, 1..20),
        waits in 0_u64..3,
    ) {
        let size = (blocks * BLOCK).saturating_sub(BLOCK - last);
        let check = terms.check;
        let share = share.map(|(first, count)| span(first.min(blocks), count));
        let share = share.map(|it| span(it.first, it.count.min(blocks - it.first)));
        let share = share.filter(|it| it.count > 0);
        let scope = share.unwrap_or(span(0, blocks));
        let within = |spans: Vec<Span>| -> Vec<Span> {
            let spans = within(spans, scope.count).into_iter();
            spans.map(|it| span(scope.first + it.first, it.count)).collect()
        };
        let terms = match share {
            Some(share) => Box::new(Terms { pace: Pace::Share(share), ..*terms }),
            None => terms,
        };
        for dialect in DECKS {
            let (mut client, mut server) = greeted(dialect);
            let mut bytes = Vec::new();
            let request = store(size, terms.clone());
            prop_assert_eq!(client.ask(&request, &mut bytes), Ok(()));
            let heard = server.decode(&bytes);
            prop_assert_eq!(heard, Ok(Some((bytes.len(), request))));
            let here = within(here.clone());
            let mut wanted = others(&here, scope.first + scope.count);
            wanted.retain(|at| *at >= scope.first);
            let mut said = Reply::Here { blocks: here.clone() };
            let mut answer = Answer::Here { blocks: here };
            let mut rounds = rounds.iter();
            loop {
                for done in 0..waits {
                    let wait = Reply::Wait { done, of: waits };
                    let waited = say(&mut *server, &mut *client, &wait);
                    prop_assert_eq!(waited, Some(Answer::Wait { done, of: waits }));
                }
                prop_assert_eq!(say(&mut *server, &mut *client, &said), Some(answer));
                let turn = order.checked_rem(wanted.len() as u64).unwrap_or(0);
                wanted.rotate_left(usize::try_from(turn).unwrap_or(0));
                let (mut bytes, mut due) = (Vec::new(), Vec::new());
                for at in &wanted {
                    due.extend(send(&mut *client, (*at, size), check, &mut bytes));
                }
                let root = Some(Root([4; 32]));
                client.close(Ok(root), &mut bytes);
                due.push(Heard::Piece(Piece::End { root }));
                let mut ear = Ear::new(&mut *server, Raw::LeftOut);
                ear.payload_due = true;
                let cuts = &mut cuts.iter().copied().cycle();
                prop_assert_eq!(ear.feed(&bytes, cuts), Ok(()));
                prop_assert_eq!(&ear.heard, &due);
                let again = rounds.next().map(|it| within(it.clone()));
                let Some(again) = again.filter(|it| !it.is_empty()) else {
                    break;
                };
                wanted = again
                    .iter()
                    .flat_map(|span| span.first..span.first + span.count)
                    .collect();
                said = Reply::Again { blocks: again.clone() };
                answer = Answer::Again { blocks: again };
            }
            let (said, answer) = match share {
                Some(_) => (Reply::Done, Answer::Done),
                None => (Reply::Stored(stored(check)), Answer::Stored(stored(check))),
            };
            prop_assert_eq!(say(&mut *server, &mut *client, &said), Some(answer));
            let (mut ping, token) = (Vec::new(), 1);
            prop_assert_eq!(client.ask(&Request::Ping { token }, &mut ping), Ok(()));
            prop_assert!(matches!(server.decode(&ping), Ok(Some(_))));
        }
    }

    /// A proof there and back, and hello behind it.
    #[test]
    fn proofs_come_back_as_they_were_given(
        proof in any::<[u8; 32]>(),
        other in any::<[u8; 32]>(),
        name in "[a-zäöü日 .-]{0,12}",
        wrong in 0_usize..3,
    ) {
        let dialect = Dialect::DeckTls;
        let (mut client, mut server) = (client_codec(dialect), server_codec(dialect, Speak::Auto));
        let refusal = Refusal::WrongCode;
        let no = (Reply::Refused(refusal), Answer::Refused { refusal });
        let yes = (Reply::Proof(other), Answer::Proof(other));
        let attempts = std::iter::repeat_n(no, wrong).chain([yes]);
        for (reply, answer) in attempts {
            let request = Request::Prove { proof, name: name.as_str().into() };
            let mut bytes = Vec::new();
            prop_assert_eq!(client.ask(&request, &mut bytes), Ok(()));
            for cut in 0..bytes.len() {
                prop_assert_eq!(server.decode(&bytes[..cut]), Ok(None));
            }
            prop_assert_eq!(server.decode(&bytes), Ok(Some((bytes.len(), request))));
            prop_assert_eq!(say(&mut *server, &mut *client, &reply), Some(answer));
        }
        let mut hello = Vec::new();
        prop_assert!(client.greet(&name, &mut hello));
        let heard = matches!(server.decode(&hello), Ok(Some((_, Request::Hello { .. }))));
        prop_assert!(heard);
    }
}

/// A file of several blocks with all its bytes, cut within the frames between them.
#[test]
fn a_large_payload_is_heard_as_it_was_sent() {
    let size = 2 * BLOCK + 7;
    let content: Vec<u8> = (0..size)
        .map(|at| u8::try_from(at % 249).unwrap_or(0))
        .collect();
    for dialect in DECKS {
        let (mut client, mut server) = greeted(dialect);
        let mut bytes = Vec::new();
        let terms = Terms {
            source: [1; 56].into(),
            mtime: None,
            taken: super::codec::Taken::Refuse,
            check: Check::Blocks,
            pace: Pace::Eager,
        };
        let request = store(size, Box::new(terms));
        assert_eq!(client.ask(&request, &mut bytes), Ok(()));
        let step = usize::try_from(BLOCK).unwrap_or(usize::MAX);
        for (at, block) in content.chunks(step).enumerate() {
            client.block(at as u64 * BLOCK, block.len() as u64, &mut bytes);
            bytes.extend_from_slice(block);
            client.seal(Some([1; 32]), &mut bytes);
        }
        client.close(Ok(None), &mut bytes);
        let mut by_step = (1_usize..).map(|at| at * 977 % 65_536);
        let mut ear = Ear::new(&mut *server, Raw::There);
        assert_eq!(ear.feed(&bytes, &mut by_step), Ok(()));
        assert!(ear.content == content);
        assert_eq!(ear.heard.len(), 8);
        let mut other = greeted(dialect).1;
        let mut ear = Ear::new(&mut *other, Raw::There);
        assert_eq!(ear.feed(&bytes, &mut whole()), Ok(()));
        assert!(ear.content == content);
    }
}
