//! What holds for every dialect, held against every dialect.
//!
//! Round trip; cut at every byte, same result; two requests in one buffer; no
//! panic on noise; bounded buffers; every refusal has words or a close; no
//! opening claimed by two. The laws know the two traits and must never name a
//! dialect's bytes: those are the tables' beside each dialect.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

use super::codec::{
    After, Answer, ClientCodec, Content, Malformed, Page, Refusal, Reply, Request, Rights,
    ServerCodec, Version, Welcome,
};
use super::{SNIFF_LIMIT, Sniffed, client_codec, server_codec, sniff};
use crate::entity::{Dialect, Entry, Kind, RemotePath};

/// Which way a connection's bytes are cut.
type Cuts<'a> = &'a mut dyn Iterator<Item = usize>;

/// A client that has been welcomed, where the dialect has that, and its server.
fn greeted(dialect: Dialect) -> (Box<dyn ClientCodec>, Box<dyn ServerCodec>) {
    let (mut client, mut server) = (client_codec(dialect), server_codec(dialect));
    let mut hello = Vec::new();
    if client.greet("me", &mut hello) {
        assert!(matches!(server.decode(&hello), Ok(Some((used, _))) if used == hello.len()));
        let mut out = Vec::new();
        server.encode(&Reply::Welcome(Welcome::default()), &mut out);
        assert!(matches!(client.decode(&out), Ok(Some((used, _))) if used == out.len()));
    }
    (client, server)
}

/// Feeds a server in pieces, and checks that it never asks for more than its limit.
fn serve(
    server: &mut dyn ServerCodec,
    bytes: &[u8],
    cuts: Cuts<'_>,
) -> (Vec<Request>, Result<(), Malformed>) {
    let (mut heard, mut held, mut rest) = (Vec::new(), Vec::new(), bytes);
    while !rest.is_empty() {
        let (piece, later) = rest.split_at(cuts.next().unwrap_or(1).clamp(1, rest.len()));
        rest = later;
        held.extend_from_slice(piece);
        loop {
            match server.decode(&held) {
                Err(fault) => return (heard, Err(fault)),
                Ok(None) => {
                    assert!(held.len() < server.head_limit());
                    let wants = server.wants(&held);
                    assert!(wants.is_some_and(|it| it > held.len() && it <= server.head_limit()));
                    break;
                }
                Ok(Some((used, request))) => {
                    assert!(used > 0 && used <= server.head_limit());
                    held.drain(..used);
                    heard.push(request);
                    let mut words = Vec::new();
                    let no = Reply::Refused(Refusal::NotFound);
                    // One request a connection: the rest is drained, not decoded.
                    if server.encode(&no, &mut words) == After::Close {
                        return (heard, Ok(()));
                    }
                }
            }
        }
    }
    (heard, server.eof(&held))
}

/// What a client made of a connection.
#[derive(Debug, PartialEq)]
struct Told {
    answers: Vec<Answer>,
    payload: Vec<u8>,
    end: Result<Answer, Malformed>,
}

/// Feeds a client in pieces, takes the runs off the stream, and closes at the end.
fn listen(client: &mut dyn ClientCodec, bytes: &[u8], cuts: Cuts<'_>) -> Told {
    let (mut answers, mut payload) = (Vec::new(), Vec::new());
    let (mut held, mut owed, mut rest) = (Vec::new(), 0_usize, bytes);
    loop {
        loop {
            let now = owed.min(held.len());
            payload.extend(held.drain(..now));
            owed -= now;
            if owed > 0 {
                break;
            }
            match client.decode(&held) {
                Err(fault) => {
                    let end = Err(fault);
                    return Told {
                        answers,
                        payload,
                        end,
                    };
                }
                Ok(None) => {
                    assert!(held.len() < client.head_limit());
                    break;
                }
                Ok(Some((used, answer))) => {
                    held.drain(..used);
                    if let Answer::Run { len, .. } = answer {
                        owed = usize::try_from(len).unwrap_or(usize::MAX);
                    }
                    answers.push(answer);
                }
            }
        }
        if rest.is_empty() {
            break;
        }
        let (piece, later) = rest.split_at(cuts.next().unwrap_or(1).clamp(1, rest.len()));
        rest = later;
        held.extend_from_slice(piece);
    }
    let end = match owed {
        0 => client.eof(&held),
        _ => Err(Malformed::new("short", "closed within a run")),
    };
    Told {
        answers,
        payload,
        end,
    }
}

fn whole() -> impl Iterator<Item = usize> {
    std::iter::repeat(usize::MAX)
}

/// What a server says to a request, payload and end included.
fn answer(server: &mut dyn ServerCodec, reply: &Reply, payload: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    server.encode(reply, &mut out);
    let Reply::Content(content) = reply else {
        return out;
    };
    let (mut at, mut rest) = (content.offset, payload);
    while !rest.is_empty() {
        let run = server.next_run(at, rest.len() as u64, &mut out);
        assert!(run > 0 && run <= rest.len() as u64);
        let (now, later) = rest.split_at(usize::try_from(run).unwrap_or(usize::MAX));
        out.extend_from_slice(now);
        at += run;
        rest = later;
    }
    server.finish(None, &mut out);
    out
}

fn name() -> impl Strategy<Value = String> {
    "[a-zäöü日 .-]{0,12}[a-z0-9]"
}

fn version() -> impl Strategy<Value = Option<Version>> {
    option::of(vec(any::<u8>(), 0..=64)).prop_map(|it| it.and_then(|it| Version::new(&it)))
}

fn path() -> impl Strategy<Value = RemotePath> {
    prop_oneof![
        Just(RemotePath::root()),
        vec(name(), 1..4).prop_map(|parts| RemotePath::new(parts.join("/"))),
        vec(any::<u8>(), 1..2000).prop_map(RemotePath::new),
    ]
}

fn request() -> impl Strategy<Value = Request> {
    let offset = prop_oneof![Just(0), any::<u64>()];
    prop_oneof![
        path().prop_map(|path| Request::List { path }),
        path().prop_map(|path| Request::Stat { path }),
        path().prop_map(|path| Request::Get {
            path,
            offset: 0,
            version: None,
        }),
        (path(), offset, version()).prop_map(|(path, offset, version)| Request::Get {
            path,
            offset,
            version,
        }),
        any::<u64>().prop_map(|token| Request::Ping { token }),
    ]
}

fn entry() -> impl Strategy<Value = Entry> {
    let kind = prop_oneof![Just(Kind::Dir), Just(Kind::File)];
    (name(), kind, any::<u64>(), any::<i64>()).prop_map(|(name, kind, size, mtime)| Entry {
        name: name.into(),
        kind,
        size,
        mtime,
    })
}

fn refusal() -> impl Strategy<Value = Refusal> {
    (0..Refusal::ALL.len()).prop_map(|at| Refusal::ALL[at])
}

/// A question, what is said to it, and the payload where there is one.
type Exchange = (Request, Reply, Vec<u8>);

fn exchange() -> impl Strategy<Value = Exchange> {
    let listed = (vec(entry(), 0..6), any::<u64>()).prop_map(|(entries, unlisted)| {
        let path = RemotePath::root();
        let page = Page {
            entries,
            unlisted,
            more: false,
        };
        (Request::List { path }, Reply::Page(page), Vec::new())
    });
    let found = (entry(), version()).prop_map(|(entry, version)| {
        let path = "some/thing".into();
        (
            Request::Stat { path },
            Reply::Stat { entry, version },
            Vec::new(),
        )
    });
    let ponged =
        any::<u64>().prop_map(|token| (Request::Ping { token }, Reply::Pong { token }, Vec::new()));
    let refused = (request(), refusal())
        .prop_map(|(request, refusal)| (request, Reply::Refused(refusal), Vec::new()));
    prop_oneof![listed, found, ponged, refused, fetched(), fetched()]
}

fn fetched() -> impl Strategy<Value = Exchange> {
    let offset = prop_oneof![Just(0), 0..u64::from(u32::MAX)];
    let about = (offset, option::of(any::<i64>()), version(), version());
    (about, vec(any::<u8>(), 0..600)).prop_map(|((offset, mtime, asked, has), payload)| {
        let content = Content {
            size: offset + payload.len() as u64,
            offset,
            mtime,
            version: asked.clone().or(has),
        };
        let request = Request::Get {
            path: "some/thing".into(),
            offset,
            version: asked,
        };
        (request, Reply::Content(content), payload)
    })
}

/// The answer a client must make of a reply that its dialect carries whole.
fn same(reply: &Reply, answer: &Answer) -> bool {
    match (reply, answer) {
        (Reply::Welcome(said), Answer::Welcome(heard)) => said == heard,
        (Reply::Page(said), Answer::Page(heard)) => said == heard,
        (Reply::Pong { token: said }, Answer::Pong { token: heard }) => said == heard,
        (
            Reply::Stat { entry, version },
            Answer::Stat {
                entry: heard,
                version: mark,
            },
        ) => (entry, version) == (heard, mark),
        // A dialect may know neither times nor versions, and one word for no.
        (Reply::Content(said), Answer::Content(heard)) => {
            said.size == heard.size
                && said.offset == heard.offset
                && (heard.mtime.is_none() || said.mtime == heard.mtime)
                && (heard.version.is_none() || said.version == heard.version)
        }
        (Reply::Refused(said), Answer::Refused { refusal }) => {
            said == refusal || *refusal == Refusal::NotFound
        }
        _ => false,
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 256,
        // What is found becomes a row of a table, not a file of seeds.
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn a_question_comes_back_as_it_was_asked(request in request()) {
        for dialect in Dialect::ALL {
            let (mut client, mut server) = greeted(dialect);
            let mut out = Vec::new();
            if client.ask(&request, &mut out).is_err() {
                prop_assert_eq!(out.len(), 0);
                continue;
            }
            let heard = server.decode(&out);
            prop_assert_eq!(heard, Ok(Some((out.len(), request.clone()))));
        }
    }

    #[test]
    fn an_answer_comes_back_as_it_was_given(
        (request, reply, payload) in exchange(),
        cuts in vec(1_usize..40, 1..30),
    ) {
        for dialect in Dialect::ALL {
            let (mut client, mut server) = greeted(dialect);
            if client.ask(&request, &mut Vec::new()).is_err() {
                continue;
            }
            let bytes = answer(&mut *server, &reply, &payload);
            let told = listen(&mut *client, &bytes, &mut cuts.iter().copied().cycle());
            prop_assert!(same(&reply, &told.answers[0]), "{:?}", told.answers);
            prop_assert_eq!(&told.payload, &payload);
            if matches!(reply, Reply::Content(_)) {
                let end = told.answers.last() == Some(&Answer::End) || told.end == Ok(Answer::End);
                prop_assert!(end, "{:?}", told);
            }
        }
    }

    #[test]
    fn many_requests_in_one_buffer_are_heard_one_by_one(
        requests in vec(request(), 1..5),
        cuts in vec(1_usize..60, 1..30),
    ) {
        for dialect in Dialect::ALL {
            let (mut client, mut server) = greeted(dialect);
            let (mut asked, mut bytes) = (Vec::new(), Vec::new());
            for request in &requests {
                if client.ask(request, &mut bytes).is_ok() {
                    asked.push(request.clone());
                }
            }
            let heard = serve(&mut *server, &bytes, &mut cuts.iter().copied().cycle());
            prop_assert_eq!(heard, (asked, Ok(())));
        }
    }

    #[test]
    fn noise_is_refused_and_never_panics(noise in vec(any::<u8>(), 0..300), skip in 0_usize..12) {
        for dialect in Dialect::ALL {
            let (mut client, mut server) = greeted(dialect);
            // The start of something true lets the noise in deeper.
            let mut bytes = Vec::new();
            let path = "a".into();
            let request = Request::Get { path, offset: 0, version: None };
            prop_assert_eq!(client.ask(&request, &mut bytes), Ok(()));
            bytes.truncate(skip);
            bytes.extend_from_slice(&noise);
            let _ = serve(&mut *server, &bytes, &mut whole());
            let content = Content { size: 40, offset: 0, mtime: None, version: None };
            let mut bytes = answer(&mut *server, &Reply::Content(content), &[7; 40]);
            bytes.truncate(skip * 6);
            bytes.extend_from_slice(&noise);
            listen(&mut *client, &bytes, &mut whole());
        }
    }

    #[test]
    fn one_wrong_byte_is_heard_alike_however_it_is_cut(
        (request, reply, payload) in exchange(),
        at in any::<prop::sample::Index>(),
        wrong in any::<u8>(),
    ) {
        for dialect in Dialect::ALL {
            let (mut client, mut server) = greeted(dialect);
            let mut bytes = Vec::new();
            if client.ask(&request, &mut bytes).is_err() {
                continue;
            }
            let mut reply = answer(&mut *server, &reply, &payload);
            let place = at.index(bytes.len());
            bytes[place] = wrong;
            let at_once = serve(&mut *greeted(dialect).1, &bytes, &mut whole());
            let by_byte = serve(&mut *greeted(dialect).1, &bytes, &mut std::iter::repeat(1));
            prop_assert_eq!(at_once, by_byte);

            let place = at.index(reply.len());
            reply[place] = wrong;
            let mut twin = greeted(dialect).0;
            prop_assert_eq!(twin.ask(&request, &mut Vec::new()), Ok(()));
            let at_once = listen(&mut *client, &reply, &mut whole());
            let by_byte = listen(&mut *twin, &reply, &mut std::iter::repeat(1));
            prop_assert_eq!(at_once, by_byte);
        }
    }

    #[test]
    fn first_bytes_never_change_their_meaning(first in vec(any::<u8>(), 0..12)) {
        let mut verdict = Sniffed::More;
        for cut in 0..=first.len() {
            let now = sniff(&first[..cut]);
            prop_assert!(verdict == Sniffed::More || verdict == now);
            prop_assert!(now != Sniffed::More || cut < SNIFF_LIMIT);
            verdict = now;
        }
    }
}

/// One request and one answer with payload of each dialect, cut once at every byte.
#[test]
fn a_cut_at_every_byte_changes_nothing() {
    for dialect in Dialect::ALL {
        let request = Request::Get {
            path: "docs/a.txt".into(),
            offset: 0,
            version: None,
        };
        let (mut client, mut server) = greeted(dialect);
        let mut bytes = Vec::new();
        assert_eq!(client.ask(&request, &mut bytes), Ok(()));
        for cut in 0..=bytes.len() {
            let mut pieces = [cut].into_iter().chain(whole());
            let heard = serve(&mut *greeted(dialect).1, &bytes, &mut pieces);
            assert_eq!(
                heard,
                (vec![request.clone()], Ok(())),
                "{dialect:?} at {cut}"
            );
            // Nothing that was cut short passes for a request.
            let (heard, end) = serve(&mut *greeted(dialect).1, &bytes[..cut], &mut whole());
            assert_eq!(heard.len(), usize::from(cut == bytes.len()));
            assert_eq!(end.is_ok(), cut == 0 || cut == bytes.len());
        }
        let content = Reply::Content(Content {
            size: 90,
            offset: 0,
            mtime: Some(1),
            version: Version::new(b"v"),
        });
        let bytes = answer(&mut *server, &content, &[7; 90]);
        let twin = || {
            let mut twin = greeted(dialect).0;
            assert_eq!(twin.ask(&request, &mut Vec::new()), Ok(()));
            twin
        };
        let told = listen(&mut *twin(), &bytes, &mut whole());
        for cut in 0..=bytes.len() {
            let mut pieces = [cut].into_iter().chain(whole());
            assert_eq!(listen(&mut *twin(), &bytes, &mut pieces), told);
            if cut < bytes.len() {
                let part = listen(&mut *twin(), &bytes[..cut], &mut whole());
                let ended = part.answers.contains(&Answer::End) || part.end.is_ok();
                assert!(!ended, "{dialect:?} cut at {cut} passes for whole");
            }
        }
    }
}

#[test]
fn every_refusal_has_words_or_a_close() {
    for dialect in Dialect::ALL {
        for refusal in Refusal::ALL {
            let (mut client, mut server) = greeted(dialect);
            let request = Request::Get {
                path: "a".into(),
                offset: 0,
                version: None,
            };
            assert_eq!(client.ask(&request, &mut Vec::new()), Ok(()));
            let mut out = Vec::new();
            let after = server.encode(&Reply::Refused(refusal), &mut out);
            assert!(!out.is_empty() || after == After::Close);
            if !out.is_empty() {
                let heard = client.decode(&out);
                assert!(matches!(heard, Ok(Some((_, Answer::Refused { .. })))));
            }
        }
    }
}

#[test]
fn every_dialect_opens_as_itself() {
    for dialect in Dialect::ALL {
        let (mut client, mut out) = (client_codec(dialect), Vec::new());
        if !client.greet("me", &mut out) {
            let request = Request::Get {
                path: "a".into(),
                offset: 0,
                version: None,
            };
            assert_eq!(client.ask(&request, &mut out), Ok(()));
        }
        assert_eq!(sniff(&out), Sniffed::Is(dialect));
        assert_eq!(client.dialect(), dialect);
        assert_eq!(server_codec(dialect).dialect(), dialect);
    }
}

#[test]
fn rights_come_back_as_they_were_given() {
    for dialect in Dialect::ALL {
        for bits in 0..16_u8 {
            let (mut client, mut server) = (client_codec(dialect), server_codec(dialect));
            let mut hello = Vec::new();
            if !client.greet("me", &mut hello) {
                continue;
            }
            assert!(server.decode(&hello).is_ok());
            let reply = Reply::Welcome(Welcome {
                name: "srv".into(),
                rights: Rights {
                    read: bits & 1 != 0,
                    upload: bits & 2 != 0,
                    rename: bits & 4 != 0,
                    delete: bits & 8 != 0,
                },
            });
            let mut out = Vec::new();
            server.encode(&reply, &mut out);
            let heard = client.decode(&out);
            assert!(matches!(heard, Ok(Some((_, heard))) if same(&reply, &heard)));
        }
    }
}
