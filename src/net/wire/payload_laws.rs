//! What holds for the payload of every dialect whose ends are not lengths.
//!
//! Whole uploads and downloads, from the client's bytes to what is stored:
//! identical, however they are cut, with little held back, and an end that is
//! said to be no surer than it is.

use proptest::collection::vec;
use proptest::prelude::*;

use super::codec::{After, Content, Cue, Finale, Malformed, Reply, Request, ServerCodec, Take};
use super::laws::{Cuts, HOLD_MAX, answer_all, greeted, listen, whole};
use crate::entity::{Dialect, Outcome};

/// What a server made of an upload.
#[derive(Clone, Debug, PartialEq)]
struct Stored {
    content: Vec<u8>,
    end: Result<Outcome, Malformed>,
    /// What it has not looked at: the next request, perhaps.
    left: Vec<u8>,
}

struct Store<'a> {
    server: &'a mut dyn ServerCodec,
    held: Vec<u8>,
    content: Vec<u8>,
    begun: bool,
}

impl Store<'_> {
    fn hear(&mut self, cue: Cue) -> Result<Option<Outcome>, Malformed> {
        if !self.begun {
            let Some((used, request)) = self.server.decode(&self.held)? else {
                self.server.decode_on(&self.held, cue)?;
                return Ok(None);
            };
            assert!(matches!(request, Request::Put { .. }), "{request:?}");
            let after = self.server.encode(&Reply::Ready, &mut Vec::new());
            assert_eq!(after, After::Next);
            self.held.drain(..used);
            self.begun = true;
        }
        let Take { content, end } = self.server.take(&self.held, cue)?;
        assert!(end.is_some() || self.held.len() - content <= HOLD_MAX);
        self.content.extend(self.held.drain(..content));
        let Some(end) = end else {
            return Ok(None);
        };
        let Finale {
            skip,
            outcome,
            prepend,
            cut,
        } = end;
        self.held.drain(..skip);
        self.content
            .drain(..usize::try_from(cut).unwrap_or(usize::MAX));
        self.content.splice(..0, prepend);
        Ok(Some(outcome))
    }

    fn all(&mut self, bytes: &[u8], cuts: Cuts<'_>, last: Cue) -> Result<Outcome, Malformed> {
        let mut rest = bytes;
        while !rest.is_empty() {
            let (piece, later) = rest.split_at(cuts.next().unwrap_or(1).clamp(1, rest.len()));
            rest = later;
            self.held.extend_from_slice(piece);
            if let Some(outcome) = self.hear(Cue::Bytes)? {
                self.held.extend_from_slice(rest);
                return Ok(outcome);
            }
        }
        for cue in [last, Cue::Close] {
            if let Some(outcome) = self.hear(cue)? {
                return Ok(outcome);
            }
        }
        Err(Malformed::new("open", "a close was no end"))
    }
}

/// Feeds a server an upload in pieces; `last` is what comes behind them.
fn store(server: &mut dyn ServerCodec, bytes: &[u8], cuts: Cuts<'_>, last: Cue) -> Stored {
    let mut store = Store {
        server,
        held: Vec::new(),
        content: Vec::new(),
        begun: false,
    };
    let end = store.all(bytes, cuts, last);
    Stored {
        content: store.content,
        end,
        left: store.held,
    }
}

/// What the dialects look for in a content, and what only looks like it.
fn content() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        4 => vec(any::<u8>(), 0..40),
        3 => (0_usize..40).prop_map(|len| vec![b' '; len]),
        2 => (1000_usize..1050).prop_map(|len| vec![b' '; len]),
        1 => (2040_usize..3100).prop_map(|len| vec![b' '; len]),
        3 => vec(b'0'..=b'9', 1..30),
        1 => Just(b"File not found. Try again.".to_vec()),
        1 => Just(b"Possible Commands:\n put filename\n".to_vec()),
        1 => Just(b":GET".to_vec()),
    ];
    vec(piece, 0..6).prop_map(|pieces| pieces.concat())
}

fn put(size: usize) -> Request {
    let path = "docs/a.txt".into();
    let size = Some(size as u64);
    Request::Put { path, size }
}

/// An upload's bytes, and what comes behind them; `None` if the dialect cannot carry it.
fn upload(dialect: Dialect, content: &[u8], chunk: usize) -> Option<(Vec<u8>, Cue)> {
    let (mut client, mut bytes) = (greeted(dialect).0, Vec::new());
    let mut at = 0;
    let vets = client.vets();
    for chunk in content.chunks(chunk).filter(|_| vets) {
        client.vet(chunk, at).ok()?;
        at += chunk.len() as u64;
    }
    assert_eq!(client.ask(&put(content.len()), &mut bytes), Ok(()));
    bytes.extend_from_slice(content);
    match client.finish(&mut bytes) {
        After::Next => Some((bytes, Cue::Quiet)),
        After::Close => Some((bytes, Cue::Close)),
    }
}

/// What a dialect cannot carry and says so when it arrives: named in its room.
fn is_excepted(dialect: Dialect, content: &[u8]) -> bool {
    let digits = content.len().to_string().len() + content.len();
    match dialect {
        Dialect::Colon => content == b"File not found. Try again.",
        // All digits: a size that nobody can have.
        Dialect::Drop => content.iter().all(u8::is_ascii_digit) && (20..40).contains(&digits),
        Dialect::Classic | Dialect::Deck | Dialect::DeckTls | Dialect::Session => false,
    }
}

fn storing() -> impl Iterator<Item = Dialect> {
    Dialect::ALL
        .into_iter()
        .filter(|dialect| dialect.puts() && !dialect.is_deck())
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 256,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn an_upload_is_stored_as_it_was(
        content in content(),
        cuts in vec(1_usize..1500, 1..20),
        chunk in 1_usize..1200,
    ) {
        for dialect in storing() {
            let Some((bytes, last)) = upload(dialect, &content, chunk) else {
                let long = content.windows(1024).any(|it| it.iter().all(|&b| b == b' '));
                prop_assert!(long);
                continue;
            };
            if is_excepted(dialect, &content) {
                continue;
            }
            let mut cuts = cuts.iter().copied().cycle();
            let stored = store(&mut *greeted(dialect).1, &bytes, &mut cuts, last);
            prop_assert_eq!(&stored.content, &content, "{:?}", dialect);
            let digit = content.first().is_some_and(u8::is_ascii_digit);
            let proof = match dialect {
                Dialect::Drop if !digit => Outcome::CompleteLength,
                _ => Outcome::EndedNotProvable,
            };
            prop_assert_eq!(stored.end, Ok(proof));
            prop_assert_eq!(stored.left, Vec::<u8>::new());
        }
    }

    /// Whatever follows a header: an original's own content, noise, half an upload.
    #[test]
    fn an_upload_is_heard_alike_however_it_is_cut(
        content in content(),
        size in 0_usize..60,
        cuts in vec(1_usize..80, 1..20),
        silent in any::<bool>(),
        marker in any::<bool>(),
    ) {
        for dialect in storing() {
            let (mut client, mut bytes) = (greeted(dialect).0, Vec::new());
            prop_assert_eq!(client.ask(&put(size), &mut bytes), Ok(()));
            bytes.extend_from_slice(&content);
            if marker {
                client.finish(&mut bytes);
                bytes.extend_from_slice(b"4               ");
            }
            let all_digits = content.iter().all(u8::is_ascii_digit);
            if dialect == Dialect::Drop && all_digits && content.len() < 40 {
                continue;
            }
            let last = if silent { Cue::Quiet } else { Cue::Close };
            let at_once = store(&mut *greeted(dialect).1, &bytes, &mut whole(), last);
            let mut cuts = cuts.iter().copied().cycle();
            let cut = store(&mut *greeted(dialect).1, &bytes, &mut cuts, last);
            let by_byte = store(&mut *greeted(dialect).1, &bytes, &mut std::iter::repeat(1), last);
            prop_assert_eq!(&at_once.end, &cut.end);
            prop_assert_eq!(&at_once.end, &by_byte.end);
            // What is left of a failed upload is thrown away.
            if at_once.end.is_ok() {
                prop_assert_eq!(&at_once, &cut);
                prop_assert_eq!(&at_once, &by_byte);
            }
        }
    }

    #[test]
    fn a_download_is_heard_as_it_was(
        content in content(),
        cuts in vec(1_usize..1500, 1..20),
    ) {
        for dialect in Dialect::ALL.into_iter().filter(|dialect| dialect.gets()) {
            if is_excepted(dialect, &content) {
                continue;
            }
            let (mut client, mut server) = greeted(dialect);
            let path = "a.txt".into();
            let mut asked = Vec::new();
            let get = Request::Get { path, offset: 0, version: None };
            prop_assert_eq!(client.ask(&get, &mut asked), Ok(()));
            let head = Reply::Content(Content {
                size: content.len() as u64,
                offset: 0,
                mtime: None,
                version: None,
            });
            let bytes = answer_all(&mut *server, &asked, &head, &content);
            let told = listen(&mut *client, &bytes, &mut cuts.iter().copied().cycle());
            prop_assert_eq!(&told.payload, &content, "{:?}", dialect);
            let streams = told.outcome.is_some();
            prop_assert!(!streams || told.outcome == Some(Outcome::EndedNotProvable));
        }
    }
}
