//! The serving engine, whole: port 0, literal bytes, short limits, its own events.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot set its scene has failed"
)]

use std::collections::HashMap;
use std::time::Duration;

use assert_fs::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, timeout};

use super::*;
use crate::entity::{Dialect, Outcome, RemotePath};
use crate::event::{Command, Event, Fact, What};
use crate::net::pump::CHUNK;
use crate::net::store::{Dotfiles, Store};
use crate::net::wire::client_codec;
use crate::net::wire::codec::{Answer, ClientCodec, Refusal, Request};
use crate::net::{Engine as Start, Handle, start};

const CLASSIC: Speak = Speak::Only(Dialect::Classic);
const DECK: Speak = Speak::Only(Dialect::Deck);
/// The one deadline of every wait here.
const DEADLINE: Duration = Duration::from_secs(20);
const A_TXT: &[u8] = b"\x49\x7E\x01\x00\x05a.txt";
const A_TXT_WHOLE: &[u8] = b"\x49\x7E\x02\x01\x00\x00\x00\x03hi\n";
const NOT_SERVED: &[u8] = b"\x49\x7E\x02\x00\x00\x00\x00\x00";

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// A server on a folder of its own, and all it has told.
struct Bench {
    dir: TempDir,
    addr: SocketAddr,
    handle: Handle,
    told: Vec<Event>,
}

impl Bench {
    fn new(speak: Speak, limits: Limits) -> Self {
        Self::with(speak, limits, Way::BEST)
    }

    fn with(speak: Speak, limits: Limits, way: Way) -> Self {
        let dir = TempDir::new().unwrap();
        std::fs::write(dir.path().join("a.txt"), "hi\n").unwrap();
        std::fs::write(dir.path().join("empty"), "").unwrap();
        let door = Door::bind(([127, 0, 0, 1], 0).into(), speak).unwrap();
        let addr = door.addr();
        let serve = Serve {
            rights: crate::entity::Rights::READ_ONLY,
            landing: None,
            porter: None,
            doors: vec![door],
            store: Arc::new(Store::open(dir.path(), Dotfiles::Hidden).unwrap()),
            limits,
            way,
            name: "bench".into(),
            notes: Vec::new(),
        };
        Self {
            dir,
            addr,
            handle: start(Start::Serve(serve)),
            told: Vec::new(),
        }
    }

    fn file(&self, name: &str, content: &[u8]) {
        std::fs::write(self.dir.path().join(name), content).unwrap();
    }

    /// A file that costs no disk.
    fn sparse(&self, name: &str, size: u64) -> std::fs::File {
        let file = std::fs::File::create(self.dir.path().join(name)).unwrap();
        file.set_len(size).unwrap();
        file
    }

    async fn dial(&self) -> TcpStream {
        TcpStream::connect(self.addr).await.unwrap()
    }

    /// The next event; every one is kept in `told`.
    async fn event(&mut self) -> Event {
        let event = timeout(DEADLINE, self.handle.feed.next()).await;
        let event = event.unwrap_or_else(|_| panic!("nothing more told after {}", self.words()));
        let event = event.unwrap();
        self.told.push(event.clone());
        event
    }

    /// Waits for the next event that is meant.
    async fn until(&mut self, meant: impl Fn(&What) -> bool) -> Event {
        loop {
            let event = self.event().await;
            if meant(&event.what) {
                return event;
            }
        }
    }

    async fn label(&mut self, label: &str) -> Event {
        self.until(|what| what.label() == Some(label)).await
    }

    async fn closed(&mut self) -> Fact {
        match self.label("closed").await.what {
            What::Closed(fact) => fact,
            other => panic!("{other:?}"),
        }
    }

    async fn started(&mut self) -> ConnId {
        match self.label("transfer_started").await.what {
            What::TransferStarted(started) => started.conn,
            other => panic!("{other:?}"),
        }
    }

    /// What was told since the last look: words and causes.
    fn words(&mut self) -> String {
        let told = std::mem::take(&mut self.told);
        let words: Vec<_> = told.iter().map(|event| word(&event.what)).collect();
        words.join(" ")
    }

    /// Sends bytes, closes the sending half, and reads all there is until EOF.
    async fn say(&self, bytes: &[u8]) -> std::io::Result<Vec<u8>> {
        let mut peer = self.dial().await;
        peer.write_all(bytes).await?;
        peer.shutdown().await?;
        all(&mut peer).await
    }

    /// The server still serves.
    async fn assert_alive(&mut self) {
        assert_eq!(self.say(A_TXT).await.unwrap(), A_TXT_WHOLE);
        self.closed().await;
        self.told.clear();
    }

    async fn leave(mut self, grace: Duration) -> String {
        let leave = Command::Leave { grace: Some(grace) };
        self.handle.commands.send(leave).unwrap();
        timeout(DEADLINE, &mut self.handle.task)
            .await
            .unwrap()
            .unwrap();
        while let Some(event) = self.handle.feed.next().await {
            self.told.push(event);
        }
        assert_pairs(&self.told);
        self.words()
    }
}

async fn all(peer: &mut TcpStream) -> std::io::Result<Vec<u8>> {
    let mut heard = Vec::new();
    timeout(DEADLINE, peer.read_to_end(&mut heard))
        .await
        .unwrap_or_else(|_| panic!("no end after {} bytes", heard.len()))?;
    Ok(heard)
}

fn word(what: &What) -> String {
    let label = what.label().unwrap_or("-");
    match what {
        What::TransferEnded(ended) => format!("{label}={}", ended.outcome.label()),
        What::Timeout(fact)
        | What::Malformed(fact)
        | What::Refused(fact)
        | What::Displaced(fact)
        | What::Kicked(fact)
        | What::Note(fact)
        | What::Closed(fact) => format!("{label}={}", fact.cause),
        _ => label.to_owned(),
    }
}

/// Per accepted exactly one closed, with at most one cause before it.
fn assert_pairs(told: &[Event]) {
    let mut open: HashMap<ConnId, Vec<&'static str>> = HashMap::new();
    for event in told {
        match &event.what {
            What::Accepted(birth) => {
                assert!(open.insert(birth.conn, Vec::new()).is_none());
            }
            What::Timeout(fact)
            | What::Malformed(fact)
            | What::Refused(fact)
            | What::Displaced(fact)
            | What::Kicked(fact) => {
                let label = event.what.label().unwrap();
                open.get_mut(&fact.conn.unwrap()).unwrap().push(label);
            }
            What::Closed(fact) => {
                let causes = open.remove(&fact.conn.unwrap()).unwrap();
                assert!(causes.len() <= 1, "{causes:?}");
                let by_cause = ["timeout", "malformed", "refused", "displaced", "kicked"];
                if by_cause.contains(&fact.cause) {
                    assert_eq!(causes, [fact.cause]);
                }
            }
            _ => {}
        }
    }
    assert!(open.is_empty(), "never closed: {open:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn classic_is_answered_to_the_byte() {
    for speak in [CLASSIC, Speak::Auto] {
        let mut bench = Bench::new(speak, Limits::default());
        assert_eq!(bench.say(A_TXT).await.unwrap(), A_TXT_WHOLE);
        bench.closed().await;
        assert_eq!(
            bench.words(),
            "listening accepted request transfer_started transfer_ended=complete_length closed=done"
        );
        let empty = b"\x49\x7E\x01\x00\x05empty";
        assert_eq!(
            bench.say(empty).await.unwrap(),
            b"\x49\x7E\x02\x01\x00\x00\x00\x00"
        );
        bench.closed().await;
        bench.told.clear();
        for name in ["none", "../a.txt", "/etc/passwd", "a\0b", ".", "a.txt/"] {
            let mut ask = vec![0x49, 0x7E, 1, 0, u8::try_from(name.len()).unwrap()];
            ask.extend_from_slice(name.as_bytes());
            assert_eq!(bench.say(&ask).await.unwrap(), NOT_SERVED, "{name:?}");
            bench.closed().await;
            let words = bench.words();
            assert!(words.starts_with("accepted request refused="), "{words}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_may_come_a_byte_at_a_time() {
    for speak in [CLASSIC, Speak::Auto] {
        let mut bench = Bench::new(speak, Limits::default());
        let mut peer = bench.dial().await;
        peer.set_nodelay(true).unwrap();
        for byte in A_TXT {
            peer.write_all(&[*byte]).await.unwrap();
            sleep(ms(15)).await;
        }
        assert_eq!(all(&mut peer).await.unwrap(), A_TXT_WHOLE);
        drop(peer);
        assert_eq!(bench.closed().await.cause, "done");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_malformed_head_gets_no_byte_one_event_and_a_clean_close() {
    let long = [b"\x49\x7E\x01\x04\x01".as_slice(), &[b'n'; 1_025]].concat();
    let mut heads: Vec<(Vec<u8>, &str)> = vec![
        (b"\x49\x7E\x02\x00\x05a.txt".to_vec(), "type"),
        (b"\x49\x7E\x00\x00\x05a.txt".to_vec(), "type"),
        (b"\x49\x7E\x01\x00\x00".to_vec(), "length"),
        (b"\x49\x7E\x01\x00\x00a.txt".to_vec(), "length"),
        (b"\x49\x7E\x01\x04\x01".to_vec(), "length"),
        (long, "length"),
        (b"\x49\x7E\x01\xFF\xFFa.txt".to_vec(), "length"),
        (b"\x49\x7F\x01\x00\x05a.txt".to_vec(), "magic"),
        (b"\x7E\x49\x01\x00\x05a.txt".to_vec(), "magic"),
        (b"\x00".to_vec(), "magic"),
    ];
    for cut in 1..A_TXT.len() {
        heads.push((A_TXT[..cut].to_vec(), "short"));
    }
    for speak in [CLASSIC, Speak::Auto] {
        let mut bench = Bench::new(speak, Limits::default());
        for (head, cause) in &heads {
            // RST would be an error here, and a reply a byte.
            assert_eq!(bench.say(head).await.unwrap(), b"", "{head:02X?}");
            let closed = bench.closed().await;
            assert_eq!(closed.cause, "malformed", "{head:02X?}");
            let due = match (*cause, speak) {
                ("magic", Speak::Auto) => "unknown_opening",
                (cause, _) => cause,
            };
            let words = bench.words().replacen("listening ", "", 1);
            let due = format!("accepted malformed={due} closed=malformed");
            assert_eq!(words, due, "{head:02X?}");
        }
        bench.assert_alive().await;
        bench.leave(ms(0)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_says_nothing_and_goes_broke_nothing() {
    for speak in [CLASSIC, DECK, Speak::Auto] {
        let mut bench = Bench::new(speak, Limits::default());
        assert_eq!(bench.say(b"").await.unwrap(), b"");
        assert_eq!(bench.closed().await.cause, "peer_closed");
        assert_eq!(bench.words(), "listening accepted closed=peer_closed");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bytes_behind_a_request_never_cost_the_response() {
    for way in Way::ALL {
        let mut bench = Bench::with(Speak::Auto, Limits::default(), way);
        let content: Vec<u8> = (0..3_000_000_u32).map(|n| (n % 251) as u8).collect();
        bench.file("big", &content);
        for (name, size) in [("big", content.len()), ("none", 0)] {
            for junk in [1, 5_000, 1 << 20] {
                let mut ask = vec![0x49, 0x7E, 1, 0, u8::try_from(name.len()).unwrap()];
                ask.extend_from_slice(name.as_bytes());
                ask.resize(ask.len() + junk, b'!');
                let (mut read, mut write) = bench.dial().await.into_split();
                let writing = tokio::spawn(async move {
                    write.write_all(&ask).await.unwrap();
                    write
                });
                let mut heard = Vec::new();
                timeout(DEADLINE, read.read_to_end(&mut heard))
                    .await
                    .unwrap()
                    .unwrap();
                assert_eq!(heard.len(), 8 + size, "{way:?} {name} and {junk}");
                assert!(size == 0 || heard[8..] == content);
                drop(writing.await.unwrap());
                bench.closed().await;
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn classics_second_runs_from_accept_however_bytes_drip() {
    let mut bench = Bench::new(CLASSIC, Limits::default());
    let mut peer = bench.dial().await;
    let began = Instant::now();
    let (mut read, mut write) = peer.split();
    let drip = async {
        for byte in A_TXT {
            if write.write_all(&[*byte]).await.is_err() {
                break;
            }
            sleep(ms(300)).await;
        }
    };
    let mut heard = Vec::new();
    tokio::select! {
        () = drip => panic!("it had time for the whole request"),
        read = read.read_to_end(&mut heard) => { read.unwrap(); }
    }
    let took = began.elapsed();
    assert!(ms(950) <= took && took < ms(1_600), "{took:?}");
    assert_eq!(heard, b"");
    bench.closed().await;
    let fact = bench.told.iter().find_map(|event| match &event.what {
        What::Timeout(fact) => Some(fact.clone()),
        _ => None,
    });
    let fact = fact.unwrap();
    assert_eq!(
        (fact.cause, fact.phase, fact.bytes, fact.size),
        ("request_timeout", Some(Phase::Request), Some(4), Some(5))
    );
    assert_eq!(fact.dialect, Some(Dialect::Classic));
    assert_eq!(
        bench.words(),
        "listening accepted timeout=request_timeout closed=timeout"
    );
    bench.assert_alive().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_auto_classics_time_runs_from_the_first_byte() {
    let limits = Limits {
        request: ms(400),
        ..Limits::default()
    };
    let mut bench = Bench::new(Speak::Auto, limits.clone());
    // Silence before the first byte costs nothing.
    let mut peer = bench.dial().await;
    sleep(ms(600)).await;
    peer.write_all(A_TXT).await.unwrap();
    assert_eq!(all(&mut peer).await.unwrap(), A_TXT_WHOLE);
    drop(peer);
    bench.closed().await;
    bench.told.clear();
    // Then the clock runs, also while two bytes leave the dialect open.
    for (first, rest) in [(3, 1_000), (2, 600), (1, 600)] {
        let mut peer = bench.dial().await;
        peer.write_all(&A_TXT[..first]).await.unwrap();
        sleep(ms(rest)).await;
        // Late: no answer, whatever comes.
        let _ = peer.write_all(&A_TXT[first..]).await;
        assert_eq!(all(&mut peer).await.unwrap_or_default(), b"", "{first}");
        assert_eq!(bench.closed().await.cause, "timeout");
        assert_eq!(
            bench.words(),
            "accepted timeout=request_timeout closed=timeout",
            "{first}"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_silent_peer_runs_into_the_first_byte_limit() {
    let limits = Limits {
        first_byte: ms(300),
        ..Limits::default()
    };
    let mut bench = Bench::new(Speak::Auto, limits);
    let mut peer = bench.dial().await;
    assert_eq!(all(&mut peer).await.unwrap(), b"");
    let What::Timeout(fact) = bench.label("timeout").await.what else {
        panic!("no timeout");
    };
    assert_eq!(
        (fact.cause, fact.phase, fact.bytes),
        ("first_byte_timeout", Some(Phase::Opening), Some(0))
    );
    assert_eq!(bench.closed().await.cause, "timeout");
    assert_eq!(
        bench.words(),
        "listening accepted timeout=first_byte_timeout closed=timeout"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_decks_head_has_one_time_from_accept_on_its_own_port() {
    let limits = Limits {
        head: ms(1_000),
        ..Limits::default()
    };
    let mut bench = Bench::new(DECK, limits);
    for (first_after, bytes) in [(None, 0), (Some(ms(600)), 3)] {
        let began = Instant::now();
        let mut peer = bench.dial().await;
        if let Some(wait) = first_after {
            sleep(wait).await;
            peer.write_all(&[0x49, 0x7E, 0x10]).await.unwrap();
        }
        assert_eq!(all(&mut peer).await.unwrap(), b"");
        let took = began.elapsed();
        assert!(took >= ms(900) && took < ms(1_500), "{took:?}");
        let What::Timeout(fact) = bench.label("timeout").await.what else {
            panic!("no timeout");
        };
        assert_eq!((fact.cause, fact.bytes), ("head_timeout", Some(bytes)));
        assert_eq!(bench.closed().await.cause, "timeout");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_decks_head_on_auto_and_its_silence_between_requests_end() {
    let limits = Limits {
        head: ms(300),
        idle: ms(300),
        ..Limits::default()
    };
    let mut bench = Bench::new(Speak::Auto, limits);
    let mut peer = bench.dial().await;
    peer.write_all(&[0x49, 0x7E, 0x10, 0]).await.unwrap();
    assert_eq!(all(&mut peer).await.unwrap(), b"");
    bench.closed().await;
    assert_eq!(
        bench.words(),
        "listening accepted timeout=head_timeout closed=timeout"
    );
    let mut deck = Deck::greet(bench.dial().await).await;
    let heard = timeout(DEADLINE, deck.peer.read_u8()).await.unwrap();
    assert!(heard.is_err());
    let closed = bench.closed().await;
    assert_eq!((closed.cause, closed.phase), ("timeout", Some(Phase::Idle)));
    assert_eq!(
        bench.words(),
        "accepted request timeout=idle_timeout closed=timeout"
    );
    // A second head that stops half-way is a head, too.
    let mut deck = Deck::greet(bench.dial().await).await;
    deck.peer.write_all(&[0x49, 0x7E, 0x1B]).await.unwrap();
    bench.closed().await;
    assert_eq!(
        bench.words(),
        "accepted request timeout=head_timeout closed=timeout"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_that_stops_reading_is_ended_by_the_clock() {
    for way in Way::ALL {
        let limits = Limits {
            stall: ms(400),
            ..Limits::default()
        };
        let mut bench = Bench::with(Speak::Auto, limits, way);
        bench.sparse("big", 1 << 30);
        let mut peer = bench.dial().await;
        peer.write_all(b"\x49\x7E\x01\x00\x03big").await.unwrap();
        let What::Timeout(fact) = bench.label("timeout").await.what else {
            panic!("no timeout");
        };
        assert_eq!(
            (fact.cause, fact.phase, fact.size),
            ("stall_timeout", Some(Phase::Sending), Some(1 << 30))
        );
        assert!(fact.bytes.is_some_and(|bytes| bytes > 0 && bytes < 1 << 30));
        assert_eq!(fact.path, Some(RemotePath::from("big")));
        bench.closed().await;
        assert_eq!(
            bench.words(),
            "listening accepted request transfer_started transfer_ended=timed_out \
             timeout=stall_timeout closed=timeout"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_reader_is_no_stall() {
    for way in Way::ALL {
        let limits = Limits {
            stall: ms(1_000),
            ..Limits::default()
        };
        let mut bench = Bench::with(Speak::Auto, limits, way);
        let size = 64 << 20;
        bench.sparse("big", size);
        let mut peer = bench.dial().await;
        peer.write_all(b"\x49\x7E\x01\x00\x03big").await.unwrap();
        let mut heard = 0;
        let mut buffer = vec![0; 2 << 20];
        // Longer in all than it may stand still.
        while heard < size + 8 {
            sleep(ms(40)).await;
            let read = timeout(DEADLINE, peer.read(&mut buffer)).await.unwrap();
            let read = read.unwrap_or(0) as u64;
            assert!(read > 0, "{way:?}: cut after {heard} bytes");
            heard += read;
        }
        drop(peer);
        bench.closed().await;
        assert!(bench.words().contains("transfer_ended=complete_length"));
    }
}

/// What lies in the kernel is not seen to move: there must not be so much of it that
/// a slow and steady reader looks like one that stands still.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_and_steady_reader_never_looks_stalled() {
    for way in Way::ALL {
        let limits = Limits {
            stall: ms(1_000),
            ..Limits::default()
        };
        let mut bench = Bench::with(Speak::Auto, limits, way);
        bench.sparse("big", 1 << 30);
        let socket = tokio::net::TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(64 << 10).unwrap();
        let mut peer = socket.connect(bench.addr).await.unwrap();
        peer.write_all(b"\x49\x7E\x01\x00\x03big").await.unwrap();
        bench.started().await;
        let began = Instant::now();
        let mut buffer = vec![0; 16 << 10];
        while began.elapsed() < ms(2_500) {
            sleep(ms(50)).await;
            peer.read_exact(&mut buffer).await.unwrap();
        }
        while let Some(event) = bench.handle.feed.ready() {
            assert_ne!(event.what.label(), Some("timeout"), "{way:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kick_ends_transfer_and_connection_in_order() {
    for way in Way::ALL {
        let mut bench = Bench::with(Speak::Auto, Limits::default(), way);
        bench.sparse("big", 1 << 30);
        let mut peer = bench.dial().await;
        peer.write_all(b"\x49\x7E\x01\x00\x03big").await.unwrap();
        let conn = bench.started().await;
        bench.handle.commands.send(Command::Kick(conn)).unwrap();
        bench.closed().await;
        assert_eq!(
            bench.words(),
            "listening accepted request transfer_started transfer_ended=kicked \
             kicked=kicked closed=kicked"
        );
        let mut rest = Vec::new();
        let _ = timeout(DEADLINE, peer.read_to_end(&mut rest))
            .await
            .unwrap();
        assert!(rest.len() < 1 << 30, "it was cut");
        bench.assert_alive().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_oldest_silent_one_makes_room() {
    let limits = Limits {
        max_unidentified: 2,
        ..Limits::default()
    };
    let mut bench = Bench::new(Speak::Auto, limits);
    let mut first = bench.dial().await;
    bench.label("accepted").await;
    let mut second = bench.dial().await;
    bench.label("accepted").await;
    // It has begun to speak, so it goes after those that have not.
    first.write_all(&[0x49]).await.unwrap();
    let hub_sees = async {
        loop {
            // The dial, not the clock, says when the byte was read.
            let What::Accepted(birth) = &bench.told[1].what else {
                panic!("{:?}", bench.told);
            };
            if birth.dials.bytes_in() == 1 {
                break;
            }
            sleep(ms(2)).await;
        }
    };
    timeout(DEADLINE, hub_sees).await.unwrap();
    bench.told.clear();
    let third = bench.dial().await;
    let displaced = bench.closed().await;
    assert_eq!(displaced.conn, Some(ConnId(2)));
    // The newcomer may be told before the one it displaced.
    let words = bench.words();
    assert!(
        words.contains("displaced=displaced closed=displaced"),
        "{words}"
    );
    assert_eq!(all(&mut second).await.unwrap(), b"");
    first.write_all(&A_TXT[1..]).await.unwrap();
    assert_eq!(all(&mut first).await.unwrap(), A_TXT_WHOLE);
    drop((first, third));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_has_said_a_whole_request_is_not_displaced_as_silent() {
    let limits = Limits {
        max_unidentified: 1,
        ..Limits::default()
    };
    let mut bench = Bench::new(Speak::Auto, limits);
    let mut deck = Deck::greet(bench.dial().await).await;
    let ping = deck.bytes(&Request::Ping { token: 7 });
    deck.peer.write_all(&ping[..5]).await.unwrap();
    let What::Accepted(birth) = bench.label("accepted").await.what else {
        panic!("{:?}", bench.told);
    };
    let half = async {
        while birth.dials.phase() != Phase::Request || birth.dials.requests() == 0 {
            sleep(ms(2)).await;
        }
    };
    timeout(DEADLINE, half).await.unwrap();
    let silent: Vec<_> = [bench.dial().await, bench.dial().await].into();
    let displaced = bench.closed().await;
    assert_eq!(displaced.conn, Some(ConnId(2)), "the silent one");
    deck.peer.write_all(&ping[5..]).await.unwrap();
    assert_eq!(deck.hear().await, Answer::Pong { token: 7 });
    drop(silent);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_house_lets_an_idle_one_go_but_never_a_busy_one() {
    let limits = Limits {
        max_connections: 2,
        ..Limits::default()
    };
    let mut bench = Bench::new(Speak::Auto, limits);
    bench.sparse("big", 1 << 30);
    let mut busy = bench.dial().await;
    busy.write_all(b"\x49\x7E\x01\x00\x03big").await.unwrap();
    let busy_conn = bench.started().await;
    let mut idle = Deck::greet(bench.dial().await).await;
    bench.label("request").await;
    let mut newcomer = bench.dial().await;
    newcomer.write_all(A_TXT).await.unwrap();
    assert_eq!(all(&mut newcomer).await.unwrap(), A_TXT_WHOLE);
    drop(newcomer);
    assert!(idle.peer.read_u8().await.is_err());
    let displaced = bench.closed().await;
    assert_eq!(
        (displaced.cause, displaced.conn),
        ("displaced", Some(ConnId(2)))
    );
    bench.closed().await;
    // Two busy ones: the newcomer waits, and gets in when a place is free.
    let mut other = bench.dial().await;
    other.write_all(b"\x49\x7E\x01\x00\x03big").await.unwrap();
    bench.started().await;
    let mut waiting = bench.dial().await;
    waiting.write_all(A_TXT).await.unwrap();
    let early = timeout(ms(300), waiting.read_u8()).await;
    assert!(early.is_err(), "{early:?}");
    bench
        .handle
        .commands
        .send(Command::Kick(busy_conn))
        .unwrap();
    assert_eq!(all(&mut waiting).await.unwrap(), A_TXT_WHOLE);
    drop((busy, other, waiting));
    let words = bench.leave(ms(0)).await;
    assert!(words.contains("kicked=kicked"), "{words}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_that_shrinks_fails_and_is_never_padded() {
    for way in Way::ALL {
        for speak in [CLASSIC, DECK] {
            let mut bench = Bench::with(speak, Limits::default(), way);
            let file = bench.sparse("big", 64 << 20);
            let mut peer = ask_raw(&bench, speak, "big").await;
            bench.started().await;
            peer.read_u8().await.unwrap();
            file.set_len(12 << 20).unwrap();
            let heard = all(&mut peer).await.unwrap_or_default();
            assert!(heard.len() < 14 << 20, "{way:?} {speak:?} {}", heard.len());
            let ended = bench.label("transfer_ended").await;
            let What::TransferEnded(ended) = ended.what else {
                panic!("{ended:?}");
            };
            assert_eq!((ended.outcome, ended.cause), (Outcome::Failed, "shrank"));
            bench.closed().await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_that_grows_gives_what_was_announced() {
    for way in Way::ALL {
        let mut bench = Bench::with(CLASSIC, Limits::default(), way);
        let size = 24 << 20;
        let file = bench.sparse("big", size);
        let mut peer = ask_raw(&bench, CLASSIC, "big").await;
        bench.started().await;
        peer.read_u8().await.unwrap();
        file.set_len(size + 5_000_000).unwrap();
        let heard = all(&mut peer).await.unwrap();
        assert_eq!(heard.len() as u64, size + 7, "{way:?}");
        drop(peer);
        bench.closed().await;
        // As many bytes as announced, and a note that there would be more now.
        let words = bench.words();
        assert!(
            words.contains("note=grew transfer_ended=complete_length"),
            "{words}"
        );
    }
}

/// Connects and asks for a file, reading nothing of the answer.
async fn ask_raw(bench: &Bench, speak: Speak, name: &str) -> TcpStream {
    let mut peer = bench.dial().await;
    if speak == DECK {
        let mut deck = Deck::greet(peer).await;
        let get = deck.bytes(&get(name, 0));
        deck.peer.write_all(&get).await.unwrap();
        return deck.peer;
    }
    let mut ask = vec![0x49, 0x7E, 1, 0, u8::try_from(name.len()).unwrap()];
    ask.extend_from_slice(name.as_bytes());
    peer.write_all(&ask).await.unwrap();
    peer
}

fn get(name: &str, offset: u64) -> Request {
    Request::Get {
        path: RemotePath::from(name),
        offset,
        version: None,
    }
}

/// The client's codec over a socket of its own: what is tested here is the engine.
struct Deck {
    peer: TcpStream,
    codec: Box<dyn ClientCodec>,
    input: Vec<u8>,
}

impl Deck {
    async fn greet(peer: TcpStream) -> Self {
        let mut deck = Self {
            peer,
            codec: client_codec(Dialect::Deck),
            input: Vec::new(),
        };
        let mut out = Vec::new();
        assert!(deck.codec.greet("test", &mut out));
        deck.peer.write_all(&out).await.unwrap();
        assert!(matches!(deck.hear().await, Answer::Welcome(_)));
        deck
    }

    fn bytes(&mut self, request: &Request) -> Vec<u8> {
        let mut out = Vec::new();
        self.codec.ask(request, &mut out).unwrap();
        out
    }

    async fn ask(&mut self, request: &Request) -> Answer {
        let bytes = self.bytes(request);
        self.peer.write_all(&bytes).await.unwrap();
        self.hear().await
    }

    async fn hear(&mut self) -> Answer {
        loop {
            if let Some((used, answer)) = self.codec.decode(&self.input).unwrap() {
                self.input.drain(..used);
                return answer;
            }
            self.more().await;
        }
    }

    async fn more(&mut self) {
        let read = self.peer.read_buf(&mut self.input);
        let read = timeout(DEADLINE, read).await.unwrap().unwrap();
        assert!(read > 0, "closed where an answer was due");
    }

    /// Asks for a file and takes its bytes.
    async fn get(&mut self, name: &str, offset: u64) -> Vec<u8> {
        let bytes = self.bytes(&get(name, offset));
        self.peer.write_all(&bytes).await.unwrap();
        self.content().await
    }

    /// What comes when nobody asked.
    async fn unasked(&mut self) -> Answer {
        self.more().await;
        self.hear().await
    }

    /// Takes the content that is due.
    async fn content(&mut self) -> Vec<u8> {
        let Answer::Content(content) = self.hear().await else {
            panic!("no content");
        };
        let offset = content.offset;
        let mut bytes = Vec::new();
        loop {
            match self.hear().await {
                Answer::Run { offset: at, len } => {
                    assert_eq!(at, offset + bytes.len() as u64);
                    let len = usize::try_from(len).unwrap();
                    while self.input.len() < len {
                        self.more().await;
                    }
                    bytes.extend(self.input.drain(..len));
                }
                Answer::End => {
                    assert_eq!(offset + bytes.len() as u64, content.size);
                    return bytes;
                }
                other => panic!("{other:?}"),
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn deck_lists_stats_gets_and_pings_on_one_connection() {
    let mut bench = Bench::new(DECK, Limits::default());
    std::fs::create_dir(bench.dir.path().join("many")).unwrap();
    for n in 0..2_500 {
        bench.file(&format!("many/f{n:04}"), b"");
    }
    let mut deck = Deck::greet(bench.dial().await).await;
    let list = Request::List {
        path: RemotePath::from("many"),
    };
    let mut answer = deck.ask(&list).await;
    let (mut sizes, mut names) = (Vec::new(), Vec::new());
    loop {
        let Answer::Page(page) = answer else {
            panic!("{answer:?}");
        };
        sizes.push(page.entries.len());
        names.extend(page.entries.into_iter().map(|entry| entry.name));
        if !page.more {
            break;
        }
        answer = deck.hear().await;
    }
    assert_eq!(sizes, [1_000, 1_000, 500]);
    names.sort();
    names.dedup();
    assert_eq!(names.len(), 2_500);

    let stat = Request::Stat {
        path: RemotePath::from("a.txt"),
    };
    let Answer::Stat { entry, version } = deck.ask(&stat).await else {
        panic!("no stat");
    };
    assert_eq!((&*entry.name, entry.size), ("a.txt", 3));
    assert!(version.is_some());

    for (offset, due) in [(0, "hi\n"), (2, "\n"), (3, "")] {
        assert_eq!(deck.get("a.txt", offset).await, due.as_bytes());
    }
    let right = Request::Get {
        path: RemotePath::from("a.txt"),
        offset: 3,
        version: version.clone(),
    };
    assert!(matches!(deck.ask(&right).await, Answer::Content(_)));
    assert_eq!(deck.hear().await, Answer::End);
    bench.file("a.txt", b"ho\n");
    let refused = |refusal| Answer::Refused { refusal };
    assert_eq!(deck.ask(&right).await, refused(Refusal::Changed));
    assert_eq!(
        deck.ask(&get("a.txt", 4)).await,
        refused(Refusal::BadOffset)
    );
    assert_eq!(deck.ask(&get("none", 0)).await, refused(Refusal::NotFound));
    assert_eq!(deck.ask(&get("many", 0)).await, refused(Refusal::NotFound));
    assert_eq!(deck.ask(&get("../x", 0)).await, refused(Refusal::NotFound));
    let token = u64::MAX;
    assert_eq!(
        deck.ask(&Request::Ping { token }).await,
        Answer::Pong { token }
    );
    drop(deck);
    assert_eq!(bench.closed().await.cause, "peer_closed");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn deck_requests_may_be_pipelined() {
    let bench = Bench::new(Speak::Auto, Limits::default());
    bench.file("b", &vec![b'b'; 300_000]);
    let mut deck = Deck::greet(bench.dial().await).await;
    let mut bytes = deck.bytes(&get("b", 0));
    for token in 0..50 {
        bytes.extend(deck.bytes(&Request::Ping { token }));
    }
    deck.peer.write_all(&bytes).await.unwrap();
    assert!(matches!(deck.hear().await, Answer::Content(_)));
    let Answer::Run { len: 300_000, .. } = deck.hear().await else {
        panic!("no run");
    };
    while deck.input.len() < 300_000 {
        deck.more().await;
    }
    deck.input.drain(..300_000);
    assert_eq!(deck.hear().await, Answer::End);
    for token in 0..50 {
        assert_eq!(deck.hear().await, Answer::Pong { token });
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_malformed_frame_is_one_event_and_a_clean_close() {
    fn frame(kind: u8, body: &[u8]) -> Vec<u8> {
        let len = u32::try_from(body.len()).unwrap().to_be_bytes();
        [&[0x49, 0x7E, kind], &len[..], body].concat()
    }
    let mut hello = Vec::new();
    client_codec(Dialect::Deck).greet("test", &mut hello);
    // Behind a good hello, or in its place; the words are the wire's own tests'.
    let first: [Vec<u8>; 8] = [
        frame(0x1B, &[0xA1, 0x00, 0x00]),
        frame(0x11, &[0xA0]),
        frame(0xFF, &[0xA0]),
        frame(0x10, &[0xA1, 0x00, 0x81, 0x01, 0x00]),
        frame(0x10, &[0xFF; 20]),
        frame(
            0x10,
            &[[0xA1, 0x02].as_slice(), &[0x81; 200], &[0x00]].concat(),
        ),
        [0x49, 0x7E, 0x10, 0xFF, 0xFF, 0xFF, 0xFF, 0xA0].to_vec(),
        [0x49, 0x7E, 0x10, 0x00, 0x00, 0x40, 0x01, 0xA0].to_vec(),
    ];
    let later: [Vec<u8>; 7] = [
        hello.clone(),
        frame(0x16, &[0xA1, 0x00, 0x60]),
        frame(0x16, &[0xA2, 0x00, 0x60, 0x00, 0x60]),
        frame(
            0x12,
            &[
                0xA1, 0x00, 0x7B, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF,
            ],
        ),
        frame(0x1C, &[0xA1, 0x00, 0x00]),
        b"\x49\x7E\x01\x00\x05a.txt".to_vec(),
        b"GET / HTTP/1.1\r\n\r\n".to_vec(),
    ];
    for speak in [DECK, Speak::Auto] {
        let mut bench = Bench::new(speak, Limits::default());
        for bytes in &first {
            assert_eq!(bench.say(bytes).await.unwrap(), b"", "{bytes:02X?}");
            assert_eq!(bench.closed().await.cause, "malformed");
            let words = bench.words();
            assert_eq!(
                words.matches("malformed=").count(),
                1,
                "{bytes:02X?}: {words}"
            );
        }
        for bytes in &later {
            let said = [hello.as_slice(), bytes].concat();
            let heard = bench.say(&said).await.unwrap();
            assert_eq!(heard.get(..3), Some(&[0x49, 0x7E, 0x11][..]));
            let len = u32::from_be_bytes(heard[3..7].try_into().unwrap());
            assert_eq!(heard.len(), 7 + len as usize, "the welcome and no more");
            assert_eq!(bench.closed().await.cause, "malformed");
            let words = bench.words();
            assert_eq!(
                words.matches("malformed=").count(),
                1,
                "{bytes:02X?}: {words}"
            );
        }
        // Every cut of a request is short.
        let ask = [hello.clone(), frame(0x1B, &[0xA1, 0x00, 0x00])].concat();
        for cut in (1..hello.len()).chain(hello.len() + 1..ask.len()) {
            bench.say(&ask[..cut]).await.unwrap();
            assert_eq!(bench.closed().await.cause, "malformed", "cut at {cut}");
        }
        bench.leave(ms(0)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn browsers_and_tls_are_refused_by_name() {
    let mut bench = Bench::new(Speak::Auto, Limits::default());
    for (bytes, cause) in [
        (&b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"[..], "tls"),
        (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", "http"),
        (b"POST /a.txt HTTP/1.1\r\n\r\nxxxx", "http"),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "http"),
    ] {
        assert_eq!(bench.say(bytes).await.unwrap(), b"");
        assert_eq!(bench.closed().await.cause, "refused");
        let words = bench.words().replacen("listening ", "", 1);
        assert_eq!(words, format!("accepted refused={cause} closed=refused"));
    }
    assert_eq!(bench.say(b"hello there").await.unwrap(), b"");
    assert_eq!(bench.closed().await.cause, "malformed");
    bench.assert_alive().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_ways_out_carry_the_same_bytes() {
    const BLOCK: usize = 16 << 20;
    let sizes = [
        0,
        1,
        CHUNK - 1,
        CHUNK,
        CHUNK + 1,
        (1 << 20) + 1,
        BLOCK - 1,
        BLOCK,
        BLOCK + 1,
    ];
    let content: Vec<u8> = (0..u32::try_from(BLOCK / 4 + 1).unwrap())
        .flat_map(|n| n.wrapping_mul(0x9E37_79B9).to_le_bytes())
        .collect();
    for way in Way::ALL {
        let mut bench = Bench::with(Speak::Auto, Limits::default(), way);
        for size in sizes {
            bench.file("f", &content[..size]);
            let heard = bench.say(b"\x49\x7E\x01\x00\x01f").await.unwrap();
            assert_eq!(heard.len(), size + 8, "{way:?}");
            assert!(heard[8..] == content[..size], "{way:?} classic {size}");
            assert_eq!(bench.closed().await.cause, "done");
            let mut deck = Deck::greet(bench.dial().await).await;
            assert!(
                deck.get("f", 0).await == content[..size],
                "{way:?} deck {size}"
            );
            let from = size / 3;
            assert!(
                deck.get("f", from as u64).await == content[from..size],
                "{way:?} deck {size} from {from}"
            );
            drop(deck);
            assert_eq!(bench.closed().await.cause, "peer_closed");
            let words = bench.words();
            assert_eq!(words.matches("=complete_length").count(), 3, "{words}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_running_transfer_ends_well_within_the_grace() {
    let mut bench = Bench::new(Speak::Auto, Limits::default());
    let size = 32 << 20;
    bench.sparse("big", size);
    let mut peer = bench.dial().await;
    peer.write_all(b"\x49\x7E\x01\x00\x03big").await.unwrap();
    bench.started().await;
    let idle = Deck::greet(bench.dial().await).await;
    let silent = bench.dial().await;
    bench.label("request").await;
    bench.label("accepted").await;
    let addr = bench.addr;
    let reading = tokio::spawn(async move {
        let heard = all(&mut peer).await.unwrap();
        // Nobody new gets in while the server leaves.
        assert!(TcpStream::connect(addr).await.is_err());
        heard.len() as u64
    });
    let began = Instant::now();
    let words = bench.leave(DEADLINE).await;
    assert_eq!(reading.await.unwrap(), size + 8);
    assert!(began.elapsed() < DEADLINE);
    assert!(words.contains("transfer_ended=complete_length"), "{words}");
    assert_eq!(words.matches("closed=shutdown").count(), 2, "{words}");
    assert_eq!(words.matches("closed=done").count(), 1, "{words}");
    drop((idle, silent));
}

/// What runs goes on; who asks anew, or only waits, hears why nothing more will come.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_asks_a_leaving_server_is_told_that_it_leaves() {
    let leaving = Answer::Refused {
        refusal: Refusal::Leaving,
    };
    let mut bench = Bench::new(DECK, Limits::default());
    bench.sparse("big", 32 << 20);
    let mut idle = Deck::greet(bench.dial().await).await;
    let mut busy = Deck::greet(bench.dial().await).await;
    // The second is behind the first, and asked before anybody spoke of leaving.
    let both = [busy.bytes(&get("big", 0)), busy.bytes(&get("a.txt", 0))].concat();
    busy.peer.write_all(&both).await.unwrap();
    bench.started().await;
    let leave = Command::Leave {
        grace: Some(DEADLINE),
    };
    bench.handle.commands.send(leave).unwrap();
    bench.label("shutdown").await;
    assert_eq!(idle.unasked().await, leaving);
    let began = Instant::now();
    assert_eq!(busy.content().await.len(), 32 << 20);
    assert_eq!(busy.hear().await, leaving);
    drop(busy);
    let words = bench.leave(DEADLINE).await;
    assert!(began.elapsed() < DEADLINE);
    assert!(words.contains("transfer_ended=complete_length"), "{words}");
    assert_eq!(words.matches("refused=leaving").count(), 1, "{words}");
    assert_eq!(words.matches("closed=refused").count(), 1, "{words}");
    assert_eq!(words.matches("closed=shutdown").count(), 1, "{words}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_outlasts_the_grace_is_cut_and_said() {
    for way in Way::ALL {
        let mut bench = Bench::with(Speak::Auto, Limits::default(), way);
        bench.sparse("big", 1 << 30);
        let mut peer = bench.dial().await;
        peer.write_all(b"\x49\x7E\x01\x00\x03big").await.unwrap();
        bench.started().await;
        bench
            .told
            .retain(|event| event.what.label() != Some("listening"));
        let began = Instant::now();
        let words = bench.leave(ms(200)).await;
        assert!(began.elapsed() < ms(1_500), "{:?}", began.elapsed());
        assert_eq!(
            words,
            "accepted request transfer_started shutdown transfer_ended=cancelled closed=shutdown"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_peer_that_resets_ends_a_transfer_as_failed() {
    let mut bench = Bench::new(Speak::Auto, Limits::default());
    bench.sparse("big", 1 << 30);
    let mut peer = bench.dial().await;
    peer.write_all(b"\x49\x7E\x01\x00\x03big").await.unwrap();
    bench.started().await;
    // Unread input makes the kernel say RST.
    drop(peer);
    assert_eq!(bench.closed().await.cause, "peer_closed");
    assert!(bench.words().contains("transfer_ended=failed"));
    bench.assert_alive().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_listener_is_told_before_the_first_connection() {
    let dir = TempDir::new().unwrap();
    for _ in 0..20 {
        let doors: Vec<_> = (0..100)
            .map(|_| Door::bind(([127, 0, 0, 1], 0).into(), Speak::Auto).unwrap())
            .collect();
        // In the first one's queue before the engine starts.
        let waiting: Vec<_> = (0..20)
            .map(|_| std::net::TcpStream::connect(doors[0].addr()).unwrap())
            .collect();
        let mut handle = start(Start::Serve(Serve {
            rights: crate::entity::Rights::READ_ONLY,
            landing: None,
            porter: None,
            doors,
            store: Arc::new(Store::open(dir.path(), Dotfiles::Hidden).unwrap()),
            limits: Limits::default(),
            way: Way::BEST,
            name: "bench".into(),
            notes: Vec::new(),
        }));
        for n in 0..100 {
            let event = timeout(DEADLINE, handle.feed.next()).await.unwrap();
            let label = event.unwrap().what.label();
            assert_eq!(label, Some("listening"), "after {n}");
        }
        drop(waiting);
        handle.commands.send(Command::Abort).unwrap();
        timeout(DEADLINE, handle.task).await.unwrap().unwrap();
    }
}
