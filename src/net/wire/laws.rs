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
    After, Answer, Check, ClientCodec, Content, Cue, Detail, Malformed, Pace, Page, Refusal, Reply,
    Request, ServerCodec, Span, Take, Taken, Terms, Values, Version, Welcome,
};
use super::deck::BLOCK;
use super::{SNIFF_LIMIT, Sniffed, client_codec, server_codec, sniff};
use crate::entity::{Dialect, Entry, Kind, Outcome, RemotePath, Rights, Root, Speak};

/// Which way a connection's bytes are cut.
pub(super) type Cuts<'a> = &'a mut dyn Iterator<Item = usize>;

/// The most a payload may hold back, in bytes.
pub(super) const HOLD_MAX: usize = 4096;

/// Dialects that read one request a connection and nothing behind it.
fn asks_once(dialect: Dialect) -> bool {
    match dialect {
        Dialect::Classic | Dialect::Colon | Dialect::Drop => true,
        Dialect::Deck | Dialect::DeckTls | Dialect::Session => false,
    }
}

/// A request that the dialect has, whichever it is.
fn probe(dialect: Dialect) -> Request {
    let path = "docs/a.txt".into();
    if dialect.gets() {
        let (offset, version) = (0, None);
        return Request::Get {
            path,
            offset,
            version,
        };
    }
    let size = Some(90);
    Request::Put { path, size }
}

/// A request without what hangs on segmentation: drop's guess at the size.
fn settled(request: Request) -> Request {
    match request {
        Request::Put { path, .. } => Request::Put { path, size: None },
        other => other,
    }
}

/// What a friendly server that has no files says.
fn reply_to(request: &Request) -> Option<Reply> {
    match request {
        Request::Help => Some(Reply::Help),
        Request::Rename { .. } => Some(Reply::Renamed),
        Request::Other => Some(Reply::Heard),
        Request::Bye | Request::Aside => None,
        _ => Some(Reply::Refused(Refusal::NotFound)),
    }
}

/// A client that has been welcomed, where the dialect has that, and its server.
pub(super) fn greeted(dialect: Dialect) -> (Box<dyn ClientCodec>, Box<dyn ServerCodec>) {
    let mut client = client_codec(dialect);
    let mut server = server_codec(dialect, Speak::Auto);
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
                    assert!(wants.is_none_or(|it| it > held.len() && it <= server.head_limit()));
                    break;
                }
                Ok(Some((used, request))) => {
                    assert!(used > 0 && used <= server.head_limit());
                    held.drain(..used);
                    let reply = reply_to(&request);
                    heard.push(settled(request));
                    let after = reply.map(|it| server.encode(&it, &mut Vec::new()));
                    // One request a connection: the rest is drained, not decoded.
                    if after == Some(After::Close) {
                        return (heard, Ok(()));
                    }
                }
            }
        }
    }
    (heard, server.eof(&held))
}

/// What a client made of a connection.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Told {
    pub answers: Vec<Answer>,
    pub payload: Vec<u8>,
    /// How a stream ended, if one did.
    pub outcome: Option<Outcome>,
    pub end: Option<Result<Answer, Malformed>>,
}

impl Told {
    /// Whether the file passes for a whole one.
    fn ended(&self) -> bool {
        self.outcome.is_some()
            || self.answers.contains(&Answer::End)
            || matches!(self.answers.last(), Some(Answer::Closed { .. }))
            || self.end == Some(Ok(Answer::End))
    }
}

/// Whose turn the next bytes are.
#[derive(Clone, Copy)]
enum Turn {
    Answer,
    Run(usize),
    Stream,
}

struct Ear<'a> {
    client: &'a mut dyn ClientCodec,
    held: Vec<u8>,
    turn: Turn,
    told: Told,
}

impl Ear<'_> {
    /// One step with what is held; whether there may be another.
    fn step(&mut self, cue: Cue) -> Result<bool, Malformed> {
        match self.turn {
            Turn::Run(owed) => {
                let now = owed.min(self.held.len());
                self.told.payload.extend(self.held.drain(..now));
                self.turn = match owed - now {
                    0 => Turn::Answer,
                    owed if cue == Cue::Close => {
                        let detail = format!("closed within a run, {owed} missing");
                        return Err(Malformed::new("short", detail));
                    }
                    owed => Turn::Run(owed),
                };
                Ok(matches!(self.turn, Turn::Answer))
            }
            Turn::Stream => {
                let Take { content, end } = self.client.take(&self.held, cue)?;
                assert!(end.is_some() || self.held.len() - content <= HOLD_MAX);
                self.told.payload.extend(self.held.drain(..content));
                let Some(end) = end else {
                    return Ok(false);
                };
                self.held.drain(..end.skip);
                self.told.outcome = Some(end.outcome);
                self.turn = Turn::Answer;
                Ok(cue != Cue::Close)
            }
            Turn::Answer => {
                let mut heard = self.client.decode(&self.held)?;
                if heard.is_none() {
                    assert!(self.held.len() < self.client.head_limit());
                    self.client.again(&mut Vec::new());
                    heard = self.client.answer_on(&self.held, cue)?;
                }
                let Some((used, answer)) = heard else {
                    return Ok(false);
                };
                self.held.drain(..used);
                self.turn = match answer {
                    Answer::Run { len, .. } => {
                        Turn::Run(usize::try_from(len).unwrap_or(usize::MAX))
                    }
                    Answer::Stream => Turn::Stream,
                    _ => Turn::Answer,
                };
                self.told.answers.push(answer);
                Ok(true)
            }
        }
    }

    fn hear(&mut self, cue: Cue) -> Result<(), Malformed> {
        while self.step(cue)? {}
        Ok(())
    }

    fn all(&mut self, bytes: &[u8], cuts: Cuts<'_>) -> Result<Option<Answer>, Malformed> {
        self.hear(Cue::Bytes)?;
        let mut rest = bytes;
        while !rest.is_empty() {
            let (piece, later) = rest.split_at(cuts.next().unwrap_or(1).clamp(1, rest.len()));
            rest = later;
            self.held.extend_from_slice(piece);
            self.hear(Cue::Bytes)?;
        }
        if self.client.minds_quiet() {
            self.hear(Cue::Quiet)?;
        }
        self.hear(Cue::Close)?;
        if self.told.outcome.is_some() {
            return Ok(None);
        }
        self.client.eof(&self.held).map(Some)
    }
}

/// Feeds a client in pieces, takes the payload off the stream, falls silent and
/// closes at the end.
pub(super) fn listen(client: &mut dyn ClientCodec, bytes: &[u8], cuts: Cuts<'_>) -> Told {
    let mut ear = Ear {
        client,
        held: Vec::new(),
        turn: Turn::Answer,
        told: Told::default(),
    };
    let end = ear.all(bytes, cuts).transpose();
    Told { end, ..ear.told }
}

/// What a server says to all that a client asked in one go: `reply` to the first,
/// and what is natural to the rest.
pub(super) fn answer_all(
    server: &mut dyn ServerCodec,
    asked: &[u8],
    reply: &Reply,
    payload: &[u8],
) -> Vec<u8> {
    let (mut out, mut rest, mut first) = (Vec::new(), asked, Some(reply));
    while let Ok(Some((used, request))) = server.decode(rest) {
        rest = &rest[used..];
        let after = match first.take() {
            Some(reply) => {
                let (bytes, after) = answer(server, reply, payload);
                out.extend(bytes);
                after
            }
            None => reply_to(&request).map_or(After::Next, |it| server.encode(&it, &mut out)),
        };
        if after == After::Close || matches!(request, Request::Put { .. }) || rest.is_empty() {
            break;
        }
    }
    out
}

pub(super) fn whole() -> impl Iterator<Item = usize> {
    std::iter::repeat(usize::MAX)
}

/// What a server says to a request, payload and end included.
fn answer(server: &mut dyn ServerCodec, reply: &Reply, payload: &[u8]) -> (Vec<u8>, After) {
    let mut out = Vec::new();
    let after = server.encode(reply, &mut out);
    let (Reply::Content(content) | Reply::Stretch { content, .. }) = reply else {
        server.epilogue(&mut out);
        return (out, after);
    };
    let (mut at, mut rest) = (content.offset, payload);
    while !rest.is_empty() {
        let run = server.next_run(at, rest.len() as u64, &mut out);
        assert!(run > 0 && run <= rest.len() as u64);
        let (now, later) = rest.split_at(usize::try_from(run).unwrap_or(usize::MAX));
        out.extend_from_slice(now);
        at += run;
        rest = later;
        server.seal(Some(VALUE), &mut out);
    }
    if let Reply::Stretch { .. } = reply {
        server.close(Ok(Some(Root(VALUE))), &mut out);
        return (out, after);
    }
    let after = server.finish(None, &mut out);
    (out, after)
}

/// Every block's value, and every root.
const VALUE: [u8; 32] = [0xA5; 32];

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
        (path(), option::of(any::<u64>())).prop_map(|(path, size)| Request::Put { path, size }),
        (path(), path()).prop_map(|(from, to)| Request::Rename { from, to }),
        name().prop_map(|name| Request::Put {
            path: RemotePath::new(name.replace(' ', "")),
            size: Some(7),
        }),
        (name(), name()).prop_map(|(from, to)| Request::Rename {
            from: RemotePath::new(from.replace(' ', "")),
            to: RemotePath::new(to.replace(' ', "")),
        }),
        Just(Request::Help),
        Just(Request::Bye),
        any::<u64>().prop_map(|token| Request::Ping { token }),
        in_blocks(),
    ]
}

pub(super) fn check() -> impl Strategy<Value = Check> {
    prop_oneof![Just(Check::None), Just(Check::Blocks), Just(Check::Anew)]
}

/// Terms of a put; nothing can be made anew of a file that is yet to come.
pub(super) fn terms(pace: Pace) -> impl Strategy<Value = Box<Terms>> {
    let taken = prop_oneof![
        Just(Taken::Refuse),
        Just(Taken::Rename),
        Just(Taken::Replace)
    ];
    let check = prop_oneof![Just(Check::None), Just(Check::Blocks)];
    let source = version().prop_map(|it| it.unwrap_or_else(|| Version::from([7; 56])));
    let whole = (source, option::of(any::<i64>()), taken, check);
    whole.prop_map(move |(source, mtime, taken, check)| {
        Box::new(Terms {
            source,
            mtime,
            taken,
            check,
            pace,
        })
    })
}

/// What only deck has, whose files are cut in blocks.
fn in_blocks() -> impl Strategy<Value = Request> {
    let detail = prop_oneof![Just(Detail::Root), Just(Detail::Values)];
    let until = option::of(any::<u64>());
    prop_oneof![
        (path(), any::<u64>(), until, version(), check()).prop_map(
            |(path, offset, until, version, check)| Request::Fetch {
                path,
                offset,
                until,
                version,
                check,
            }
        ),
        (path(), version(), detail).prop_map(|(path, version, detail)| Request::Tree {
            path,
            version,
            detail,
        }),
        (path(), any::<u64>(), terms(Pace::Asked)).prop_map(|(path, size, terms)| Request::Store {
            path,
            size,
            terms
        }),
        path().prop_map(|path| Request::MakeFolder { path }),
        path().prop_map(|path| Request::Delete { path }),
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
    let renamed = (name(), name()).prop_map(|(from, to)| {
        let [from, to] = [from, to].map(|name| RemotePath::new(name.replace(' ', "")));
        (Request::Rename { from, to }, Reply::Renamed, Vec::new())
    });
    let helped = Just((Request::Help, Reply::Help, Vec::new()));
    let done = (name(), any::<bool>()).prop_map(|(name, is_new)| {
        let path = RemotePath::new(name);
        let request = if is_new {
            Request::MakeFolder { path }
        } else {
            Request::Delete { path }
        };
        (request, Reply::Done, Vec::new())
    });
    prop_oneof![
        done,
        treed(),
        wanted(),
        stretched(),
        stretched(),
        listed,
        found,
        ponged,
        refused,
        renamed,
        helped,
        fetched(),
        fetched()
    ]
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

fn stretched() -> impl Strategy<Value = Exchange> {
    let about = (0_u64..9, option::of(any::<i64>()), version(), version());
    let until = prop_oneof![Just(None), Just(Some(u64::MAX)), Just(Some(9 * BLOCK))];
    let asked = (until, check());
    (about, asked, vec(any::<u8>(), 0..600)).prop_map(
        |((at, mtime, asked, has), (until, check), payload)| {
            let offset = at * BLOCK;
            let size = offset + payload.len() as u64;
            let content = Content {
                size,
                offset,
                mtime,
                version: asked.clone().or(has),
            };
            let request = Request::Fetch {
                path: "some/thing".into(),
                offset,
                until,
                version: asked,
                check,
            };
            let reply = Reply::Stretch {
                content,
                until: size,
            };
            (request, reply, payload)
        },
    )
}

fn treed() -> impl Strategy<Value = Exchange> {
    let about = (vec(any::<[u8; 32]>(), 0..9), version(), any::<bool>());
    about.prop_map(|(values, version, is_all)| {
        let detail = if is_all { Detail::Values } else { Detail::Root };
        let size = values.len() as u64 * BLOCK;
        let reply = Values {
            first: 0,
            values: if is_all { values } else { Vec::new() },
            root: Some(Root(VALUE)),
            size,
            version,
            more: false,
        };
        let path = "some/thing".into();
        let version = reply.version.clone();
        let request = Request::Tree {
            path,
            version,
            detail,
        };
        (request, Reply::Values(reply), Vec::new())
    })
}

/// Stretches of blocks as they may be: ascending, apart or side by side.
pub(super) fn spans(most: usize) -> impl Strategy<Value = Vec<Span>> {
    vec((0_u64..3, 1_u64..4), 0..most).prop_map(|steps| {
        let mut next = 0;
        let step = |(gap, count)| {
            let first = next + gap;
            next = first + count;
            Span { first, count }
        };
        steps.into_iter().map(step).collect()
    })
}

fn wanted() -> impl Strategy<Value = Exchange> {
    (spans(9), terms(Pace::Asked)).prop_map(|(blocks, terms)| {
        let path = "some/thing".into();
        let size = 60 * BLOCK;
        let request = Request::Store { path, size, terms };
        (request, Reply::Here { blocks }, Vec::new())
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
        (
            Reply::Stretch { content, until },
            Answer::Stretch {
                content: heard,
                until: to,
            },
        ) => (content, until) == (heard, to),
        (Reply::Values(said), Answer::Values(heard)) => said == heard,
        (Reply::Here { blocks: said }, Answer::Here { blocks: heard }) => said == heard,
        (Reply::Content(_), Answer::Stream)
        | (Reply::Renamed, Answer::Renamed)
        | (Reply::Done, Answer::Done)
        | (Reply::Help, Answer::Help { .. }) => true,
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

/// Whether a client heard a no, in whatever form its dialect has for it.
fn is_refusal(told: &Told) -> bool {
    let no = |answer: &Answer| matches!(answer, Answer::Refused { .. });
    match &told.end {
        _ if told.answers.iter().any(no) => true,
        Some(Ok(answer)) => no(answer),
        Some(Err(fault)) => fault.cause == Malformed::ABSENT,
        None => false,
    }
}

fn opening() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        vec(any::<u8>(), 0..12),
        "[0-9]{1,4} {50,70}[a-z]{0,3}".prop_map(String::into_bytes),
        "[0-9aPé :]{0,9}".prop_map(String::into_bytes),
        "(GET|POST|PU)[ :]?[0-9/]{0,2}".prop_map(String::into_bytes),
    ]
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
            // A client may ask more behind it, to hear where the answer ends.
            let heard = server.decode(&out).map(|it| it.map(|(_, heard)| settled(heard)));
            prop_assert_eq!(heard, Ok(Some(settled(request.clone()))));
        }
    }

    #[test]
    fn an_answer_comes_back_as_it_was_given(
        (request, reply, payload) in exchange(),
        cuts in vec(1_usize..40, 1..30),
    ) {
        for dialect in Dialect::ALL {
            let (mut client, mut server) = greeted(dialect);
            let mut asked = Vec::new();
            if client.ask(&request, &mut asked).is_err() {
                continue;
            }
            let bytes = answer_all(&mut *server, &asked, &reply, &payload);
            let told = listen(&mut *client, &bytes, &mut cuts.iter().copied().cycle());
            if let Reply::Refused(_) = reply {
                prop_assert!(bytes.is_empty() || is_refusal(&told), "{:?} {:?}", dialect, told);
                continue;
            }
            prop_assert!(same(&reply, &told.answers[0]), "{:?}", told.answers);
            prop_assert_eq!(&told.payload, &payload);
            if matches!(reply, Reply::Content(_) | Reply::Stretch { .. }) {
                prop_assert!(told.ended(), "{:?}", told);
            }
            if let Reply::Stretch { .. } = reply {
                let value = Some(VALUE);
                let sealed = told.answers.contains(&Answer::Sealed { value });
                prop_assert_eq!(sealed, !payload.is_empty());
                let root = Some(Root(VALUE));
                prop_assert_eq!(told.answers.last(), Some(&Answer::Closed { root }));
            }
        }
    }

    #[test]
    fn a_wait_before_an_answer_changes_nothing(
        (request, reply, payload) in exchange(),
        done in any::<u64>(),
        more in any::<u64>(),
    ) {
        for dialect in [Dialect::Deck, Dialect::DeckTls] {
            let (mut client, mut server) = greeted(dialect);
            let mut asked = Vec::new();
            if client.ask(&request, &mut asked).is_err() {
                continue;
            }
            let wait = Reply::Wait { done, of: done.saturating_add(more) };
            let mut bytes = Vec::new();
            server.encode(&wait, &mut bytes);
            let at_once = answer_all(&mut *server, &asked, &reply, &payload);
            bytes.extend_from_slice(&at_once);
            let mut twin = greeted(dialect).0;
            prop_assert_eq!(twin.ask(&request, &mut Vec::new()), Ok(()));
            let told = listen(&mut *client, &bytes, &mut whole());
            let due = listen(&mut *twin, &at_once, &mut whole());
            let of = done.saturating_add(more);
            prop_assert_eq!(&told.answers[0], &Answer::Wait { done, of });
            prop_assert_eq!(&told.answers[1..], &due.answers[..]);
            prop_assert_eq!((told.payload, told.end), (due.payload, due.end));
        }
    }

    #[test]
    fn many_requests_in_one_buffer_are_heard_one_by_one(
        requests in vec(request(), 1..5),
        cuts in vec(1_usize..60, 1..30),
    ) {
        for dialect in Dialect::ALL {
            let mut server = greeted(dialect).1;
            let (mut asked, mut bytes) = (Vec::new(), Vec::new());
            for request in &requests {
                let over = asked.last().is_some_and(|last| {
                    let no = matches!(last, Request::Get { .. } | Request::Put { .. });
                    asks_once(dialect) || no && dialect == Dialect::Session
                });
                if !over && greeted(dialect).0.ask(request, &mut bytes).is_ok() {
                    asked.push(settled(request.clone()));
                }
            }
            // A digit alone in the first read is colon's count: excepted by name.
            let first = (dialect == Dialect::Colon).then_some(2);
            let mut cuts = first.into_iter().chain(cuts.iter().copied().cycle());
            let heard = serve(&mut *server, &bytes, &mut cuts);
            prop_assert_eq!(heard, (asked, Ok(())));
        }
    }

    #[test]
    fn noise_is_refused_and_never_panics(noise in vec(any::<u8>(), 0..300), skip in 0_usize..12) {
        for dialect in Dialect::ALL {
            let (mut client, mut server) = greeted(dialect);
            // The start of something true lets the noise in deeper.
            let mut bytes = Vec::new();
            prop_assert_eq!(client.ask(&probe(dialect), &mut bytes), Ok(()));
            bytes.truncate(skip * 6);
            bytes.extend_from_slice(&noise);
            let _ = serve(&mut *server, &bytes, &mut whole());
            let content = Content { size: 40, offset: 0, mtime: None, version: None };
            let mut bytes = answer(&mut *server, &Reply::Content(content), &[7; 40]).0;
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
            let mut reply = answer_all(&mut *server, &bytes, &reply, &payload);
            let place = at.index(bytes.len());
            bytes[place] = wrong;
            // A digit alone in the first read is colon's count: excepted by name.
            if dialect == Dialect::Colon {
                bytes.insert(0, b'x');
            }
            let at_once = serve(&mut *greeted(dialect).1, &bytes, &mut whole());
            let by_byte = serve(&mut *greeted(dialect).1, &bytes, &mut std::iter::repeat(1));
            prop_assert_eq!(at_once, by_byte);

            if !reply.is_empty() {
                let place = at.index(reply.len());
                reply[place] = wrong;
            }
            let mut twin = greeted(dialect).0;
            prop_assert_eq!(twin.ask(&request, &mut Vec::new()), Ok(()));
            let at_once = listen(&mut *client, &reply, &mut whole());
            let by_byte = listen(&mut *twin, &reply, &mut std::iter::repeat(1));
            prop_assert_eq!(at_once, by_byte);
        }
    }

    #[test]
    fn first_bytes_never_change_their_meaning(first in opening()) {
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
        let request = probe(dialect);
        let (mut client, mut server) = greeted(dialect);
        let mut bytes = Vec::new();
        assert_eq!(client.ask(&request, &mut bytes), Ok(()));
        let first = greeted(dialect).1.decode(&bytes);
        let whole_at = first.map(|it| it.map_or(0, |(used, _)| used));
        for cut in 0..=bytes.len() {
            let mut pieces = [cut].into_iter().chain(whole());
            let heard = serve(&mut *greeted(dialect).1, &bytes, &mut pieces);
            let due = (vec![settled(request.clone())], Ok(()));
            assert_eq!(heard, due, "{dialect:?} at {cut}");
            // Nothing that was cut short passes for a request; but a size that was
            // cut short is a size: drop is excepted, its payload tells at the close.
            if dialect == Dialect::Drop {
                continue;
            }
            let (heard, end) = serve(&mut *greeted(dialect).1, &bytes[..cut], &mut whole());
            let is_whole = whole_at.as_ref().is_ok_and(|&at| at <= cut);
            assert_eq!(heard.len(), usize::from(is_whole), "{dialect:?} at {cut}");
            assert_eq!(end.is_ok(), cut == 0 || is_whole, "{dialect:?} at {cut}");
        }
        if !dialect.gets() {
            continue;
        }
        let content = Reply::Content(Content {
            size: 90,
            offset: 0,
            mtime: Some(1),
            version: Version::new(b"v"),
        });
        let bytes = answer_all(&mut *server, &bytes, &content, &[7; 90]);
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
                // Where only the close tells the end, a cut is an end: colon.
                let passes = part.ended() && dialect != Dialect::Colon;
                assert!(!passes, "{dialect:?} cut at {cut} passes for whole");
                assert_ne!(part.outcome, Some(Outcome::CompleteLength));
            }
        }
    }
}

#[test]
fn every_refusal_has_words_or_a_close() {
    for dialect in Dialect::ALL {
        let path: RemotePath = "a".into();
        let get = Request::Get {
            path: path.clone(),
            offset: 0,
            version: None,
        };
        let put = Request::Put {
            path,
            size: Some(1),
        };
        for (request, refusal) in [get, put]
            .iter()
            .flat_map(|request| Refusal::ALL.map(|refusal| (request, refusal)))
        {
            let (mut client, mut server) = greeted(dialect);
            let mut asked = Vec::new();
            if client.ask(request, &mut asked).is_err() {
                continue;
            }
            assert!(matches!(server.decode(&asked), Ok(Some(_))));
            let mut out = Vec::new();
            let after = server.encode(&Reply::Refused(refusal), &mut out);
            assert!(!out.is_empty() || after == After::Close);
            server.epilogue(&mut out);
            if !out.is_empty() {
                let told = listen(&mut *client, &out, &mut whole());
                assert!(is_refusal(&told), "{dialect:?} {told:?}");
            }
        }
    }
}

#[test]
fn every_dialect_opens_as_itself() {
    for dialect in Dialect::ALL {
        let (mut client, mut out) = (client_codec(dialect), Vec::new());
        if !client.greet("me", &mut out) {
            assert_eq!(client.ask(&probe(dialect), &mut out), Ok(()));
        }
        // What lies around it is told by the listener, not by these bytes.
        let open = match dialect {
            Dialect::DeckTls => Dialect::Deck,
            other => other,
        };
        assert_eq!(sniff(&out), Sniffed::Is(open));
        assert_eq!(client.dialect(), dialect);
        let alone = server_codec(dialect, Speak::Only(dialect));
        assert_eq!(alone.dialect(), dialect);
    }
}

#[test]
fn rights_come_back_as_they_were_given() {
    for dialect in Dialect::ALL {
        for bits in 0..32_u8 {
            let (mut client, mut server) =
                (client_codec(dialect), server_codec(dialect, Speak::Auto));
            let mut hello = Vec::new();
            if !client.greet("me", &mut hello) {
                continue;
            }
            assert!(server.decode(&hello).is_ok());
            let reply = Reply::Welcome(Welcome {
                name: "srv".into(),
                rights: Rights::from_bits(bits),
            });
            let mut out = Vec::new();
            server.encode(&reply, &mut out);
            let heard = client.decode(&out);
            assert!(matches!(heard, Ok(Some((_, heard))) if same(&reply, &heard)));
        }
    }
}
