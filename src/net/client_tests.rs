//! Our client against servers made of literal bytes: honest, broken and hostile ones.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot set its scene has failed"
)]

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Mutex;
use std::sync::mpsc as std_mpsc;

use assert_fs::TempDir;
use tokio::time::timeout;

use super::*;
use crate::entity::{Dialect, Entry, Kind, Outcome, RemotePath, Rights};
use crate::event::{JobState, Listing, ListingState, Scope, Wanted};
use crate::net::client::private::Keys;
use crate::net::store::Dotfiles;
use crate::net::store::landing::{Floor, Make};
use crate::net::wire::codec::{Page, Refusal, Reply, Request, ServerCodec, Welcome};
use crate::net::wire::server_codec;
use crate::net::{Engine, Handle, start};

pub(super) const DEADLINE: Duration = Duration::from_mins(1);
/// The client's patience here; its own is longer.
const GAP: Duration = Duration::from_millis(300);

/// A server of threads: every connection is handed to `serve`, with its number from 0.
pub(super) fn fake(serve: impl Fn(usize, TcpStream) + Send + Sync + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap();
    let serve = Arc::new(serve);
    std::thread::spawn(move || {
        for (n, peer) in listener.incoming().enumerate() {
            let Ok(peer) = peer else { break };
            peer.set_read_timeout(Some(DEADLINE)).unwrap();
            peer.set_write_timeout(Some(DEADLINE)).unwrap();
            let serve = Arc::clone(&serve);
            std::thread::spawn(move || serve(n, peer));
        }
    });
    addr
}

/// Reads one classic request: the name asked for.
fn classic_request(peer: &mut TcpStream) -> String {
    let mut head = [0; 5];
    peer.read_exact(&mut head).unwrap();
    assert_eq!(head[..3], [0x49, 0x7E, 1]);
    let mut name = vec![0; usize::from(u16::from_be_bytes([head[3], head[4]]))];
    peer.read_exact(&mut name).unwrap();
    String::from_utf8(name).unwrap()
}

/// Waits until the peer has closed.
fn until_closed(peer: &mut TcpStream) {
    let mut rest = [0; 1_024];
    while matches!(peer.read(&mut rest), Ok(1..)) {}
}

fn response(len: u32, content: &[u8]) -> Vec<u8> {
    [b"\x49\x7E\x02\x01", &len.to_be_bytes()[..], content].concat()
}

/// What a bench is made of.
struct Scene {
    dialect: Dialect,
    addr: SocketAddr,
    on_clash: OnClash,
    parallel: usize,
    make: Make,
    means: Means,
    dir: TempDir,
    gap: Duration,
}

/// Only classic ends by silence: a slow machine must not look like one.
fn gap(dialect: Dialect) -> Duration {
    match dialect {
        Dialect::Deck => GAP * 10,
        _ => GAP,
    }
}

pub(super) struct Bench {
    pub(super) dir: TempDir,
    pub(super) handle: Handle,
    /// Every state of every item, in order.
    pub(super) told: Vec<(JobId, Arc<Job>)>,
}

impl Bench {
    pub(super) fn new(dialect: Dialect, addr: SocketAddr, on_clash: OnClash) -> Self {
        Self::with(dialect, addr, on_clash, 3, Make::Best)
    }

    fn with(
        dialect: Dialect,
        addr: SocketAddr,
        on_clash: OnClash,
        parallel: usize,
        make: Make,
    ) -> Self {
        let dir = TempDir::new().unwrap();
        Self::start(Scene {
            dialect,
            addr,
            on_clash,
            parallel,
            make,
            means: Means::default(),
            dir,
            gap: gap(dialect),
        })
    }

    /// With other means than the usual.
    pub(super) fn by(dialect: Dialect, addr: SocketAddr, on_clash: OnClash, means: Means) -> Self {
        Self::start(Scene {
            dialect,
            addr,
            on_clash,
            parallel: 3,
            make: Make::Best,
            means,
            dir: TempDir::new().unwrap(),
            gap: gap(dialect),
        })
    }

    /// Without patience: only for servers that are meant to try it.
    pub(super) fn hasty(dialect: Dialect, addr: SocketAddr) -> Self {
        Self::start(Scene {
            dialect,
            addr,
            on_clash: OnClash::Fail,
            parallel: 3,
            make: Make::Best,
            means: Means::default(),
            dir: TempDir::new().unwrap(),
            gap: GAP,
        })
    }

    /// Another client on the folder of an earlier one.
    pub(super) fn again(dialect: Dialect, addr: SocketAddr, dir: TempDir) -> Self {
        Self::again_by(dialect, addr, dir, Means::default())
    }

    /// The same, with other means than the usual.
    pub(super) fn again_by(dialect: Dialect, addr: SocketAddr, dir: TempDir, means: Means) -> Self {
        Self::start(Scene {
            dialect,
            addr,
            on_clash: OnClash::Fail,
            parallel: 3,
            make: Make::Best,
            means,
            dir,
            gap: gap(dialect),
        })
    }

    fn start(scene: Scene) -> Self {
        let Scene { dir, addr, .. } = scene;
        let landing =
            Landing::open(dir.path(), Dotfiles::Hidden, Floor::Bytes(0), scene.make).unwrap();
        let dial = Dial {
            target: Target {
                clients: None,
                dialect: scene.dialect,
                host: addr.ip().to_string(),
                port: addr.port(),
                keys: Keys::default(),
            },
            patience: Patience {
                connect: DEADLINE,
                gap: scene.gap,
            },
            landing: Some(Arc::new(landing)),
            on_clash: scene.on_clash,
            parallel: scene.parallel,
            name: "bench".into(),
            state: None,
            means: scene.means,
        };
        Self {
            handle: start(Engine::Dial(dial)),
            dir,
            told: Vec::new(),
        }
    }

    /// Leaves as a client does and keeps the folder.
    pub(super) async fn abandon(self) -> TempDir {
        self.command(Command::Abort);
        timeout(DEADLINE, self.handle.task).await.unwrap().unwrap();
        self.dir
    }

    pub(super) fn command(&self, command: Command) {
        self.handle.commands.send(command).unwrap();
    }

    pub(super) fn fetch(&self, names: &[&str]) {
        let wanted = names
            .iter()
            .map(|name| Wanted::file(RemotePath::from(*name), None));
        self.command(Command::Fetch(wanted.collect()));
    }

    /// Waits for an item to stand as meant.
    pub(super) async fn until(&mut self, job: u64, meant: impl Fn(&JobState) -> bool) -> JobState {
        loop {
            let event = timeout(DEADLINE, self.handle.feed.next()).await;
            let event = event.unwrap_or_else(|_| panic!("#{job} after {:?}", self.told));
            if let What::Job(told) = event.unwrap().what {
                self.told.push((told.job, Arc::clone(&told)));
                if told.job == JobId(job) && meant(&told.state) {
                    return told.state.clone();
                }
            }
        }
    }

    /// Waits for an item's end: the outcome and the cause.
    pub(super) async fn ended(&mut self, job: u64) -> (Outcome, &'static str) {
        match self
            .until(job, |state| matches!(state, JobState::Ended { .. }))
            .await
        {
            JobState::Ended { outcome, cause, .. } => (outcome, cause),
            other => panic!("{other:?}"),
        }
    }

    pub(super) fn names(&self) -> Vec<String> {
        let mut names: Vec<_> = std::fs::read_dir(self.dir.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    pub(super) fn read(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.dir.path().join(name)).unwrap()
    }

    /// Waits for a listing's end: its names, or why there is none.
    pub(super) async fn listing(&mut self) -> Result<Vec<String>, String> {
        let mut names = Vec::new();
        loop {
            let event = timeout(DEADLINE, self.handle.feed.next()).await.unwrap();
            if let What::Listing(Listing { entries, state, .. }) = event.unwrap().what {
                names.extend(entries.iter().map(|entry| entry.name.to_string()));
                match state {
                    ListingState::More => {}
                    ListingState::Whole => return Ok(names),
                    ListingState::Failed(why) => return Err(why.to_string()),
                }
            }
        }
    }

    pub(super) async fn leave(self) {
        self.command(Command::Abort);
        timeout(DEADLINE, self.handle.task).await.unwrap().unwrap();
    }
}

const WELL: (Outcome, &str) = (Outcome::CompleteLength, "");

#[test]
fn classics_patience_is_one_second() {
    let patience = Patience::of(Dialect::Classic);
    assert_eq!(patience.connect, Duration::from_secs(1));
    assert_eq!(patience.gap, Duration::from_secs(1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_classic_answer_that_is_not_right_leaves_nothing() {
    // Bytes of the server, whether it closes then, and what the item ends with.
    let cases: Vec<(&str, Vec<u8>, bool, &str)> = vec![
        (
            "status 0",
            b"\x49\x7E\x02\x00\0\0\0\0".to_vec(),
            true,
            "not_found",
        ),
        (
            "status 0 with content",
            b"\x49\x7E\x02\x00\0\0\0\x01x".to_vec(),
            true,
            "malformed",
        ),
        (
            "status 2",
            b"\x49\x7E\x02\x02\0\0\0\x01x".to_vec(),
            true,
            "malformed",
        ),
        (
            "wrong magic",
            b"\x49\x7F\x02\x01\0\0\0\x01x".to_vec(),
            true,
            "malformed",
        ),
        (
            "a request",
            b"\x49\x7E\x01\x00\x05a.txt".to_vec(),
            true,
            "malformed",
        ),
        ("nothing", Vec::new(), true, "malformed"),
        (
            "half a head",
            b"\x49\x7E\x02\x01\0\0".to_vec(),
            true,
            "malformed",
        ),
        ("no content", response(5, b""), true, "short"),
        ("fewer bytes", response(5, b"hell"), true, "short"),
        (
            "fewer of many",
            response(3_000_000, &[b'x'; 2_999_999]),
            true,
            "short",
        ),
        ("more bytes", response(5, b"hello!"), true, "malformed"),
        (
            "more, later",
            response(1, &[b'x'; 100_000]),
            true,
            "malformed",
        ),
        ("more than nothing", response(0, b"x"), true, "malformed"),
        ("silence", Vec::new(), false, "timeout"),
        (
            "silence in the head",
            b"\x49\x7E\x02".to_vec(),
            false,
            "timeout",
        ),
        (
            "silence in the content",
            response(5, b"he"),
            false,
            "timeout",
        ),
    ];
    for make in [Make::Best, Make::Named] {
        for (word, bytes, closes, cause) in &cases {
            let (bytes, closes) = (bytes.clone(), *closes);
            let addr = fake(move |_, mut peer| {
                classic_request(&mut peer);
                let _ = peer.write_all(&bytes);
                if closes {
                    let _ = peer.shutdown(Shutdown::Write);
                }
                until_closed(&mut peer);
            });
            let mut bench = Bench::with(Dialect::Classic, addr, OnClash::Fail, 1, make);
            bench.fetch(&["a.txt"]);
            assert_eq!(bench.ended(1).await, (Outcome::Failed, *cause), "{word}");
            assert_eq!(bench.names(), [""; 0], "{make:?} {word}");
            bench.leave().await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_classic_server_that_never_closes_has_said_everything() {
    for content in [&b"hello"[..], b""] {
        let addr = fake(move |_, mut peer| {
            classic_request(&mut peer);
            let len = u32::try_from(content.len()).unwrap();
            peer.write_all(&response(len, content)).unwrap();
            until_closed(&mut peer);
        });
        let mut bench = Bench::new(Dialect::Classic, addr, OnClash::Fail);
        bench.fetch(&["sub/a.txt"]);
        assert_eq!(bench.ended(1).await, WELL);
        assert_eq!(bench.read("a.txt"), content);
        assert_eq!(bench.names(), ["a.txt"]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_whole_number_of_bytes_is_no_proof_for_a_retry() {
    let addr = fake(|n, mut peer| {
        classic_request(&mut peer);
        let answer = match n {
            0 => response(5, b"wrong, and too long"),
            _ => b"\x49\x7E\x02\x00\0\0\0\0".to_vec(),
        };
        let _ = peer.write_all(&answer);
        let _ = peer.shutdown(Shutdown::Write);
        until_closed(&mut peer);
    });
    let mut bench = Bench::new(Dialect::Classic, addr, OnClash::Fail);
    bench.fetch(&["a.txt"]);
    assert_eq!(bench.ended(1).await, (Outcome::Failed, "malformed"));
    bench.command(Command::Retry(JobId(1)));
    assert_eq!(bench.ended(1).await, (Outcome::Failed, "not_found"));
    assert_eq!(bench.names(), [""; 0]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_there_is_a_failure_and_a_retry_works() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = free.local_addr().unwrap();
    drop(free);
    for dialect in Dialect::ALL {
        let mut bench = Bench::new(dialect, addr, OnClash::Fail);
        bench.fetch(&["a.txt"]);
        assert_eq!(bench.ended(1).await, (Outcome::Failed, "unreachable"));
    }
    let addr = fake(|n, mut peer| {
        let name = classic_request(&mut peer);
        let short = usize::from(n == 0);
        let len = u32::try_from(name.len()).unwrap();
        let _ = peer.write_all(&response(len, &name.as_bytes()[short..]));
    });
    let mut bench = Bench::new(Dialect::Classic, addr, OnClash::Fail);
    bench.fetch(&["a.txt"]);
    assert_eq!(bench.ended(1).await.0, Outcome::Failed);
    bench.command(Command::Retry(JobId(1)));
    assert_eq!(bench.ended(1).await, WELL);
    assert_eq!(bench.read("a.txt"), b"a.txt");
}

/// Answers every classic request with the name itself; `bad…` names are refused.
fn echo() -> SocketAddr {
    fake(|_, mut peer| {
        let name = classic_request(&mut peer);
        let answer = if name.starts_with("bad") {
            b"\x49\x7E\x02\x00\0\0\0\0".to_vec()
        } else {
            response(u32::try_from(name.len()).unwrap(), name.as_bytes())
        };
        let _ = peer.write_all(&answer);
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_taken_name_is_treated_as_told() {
    let cases = [
        (OnClash::Fail, (Outcome::Failed, "exists"), "old", None),
        (
            OnClash::Always(Clash::Skip),
            (Outcome::Cancelled, "exists"),
            "old",
            None,
        ),
        (
            OnClash::Always(Clash::Rename),
            WELL,
            "old",
            Some("a (1).txt"),
        ),
        (OnClash::Always(Clash::Overwrite), WELL, "a.txt", None),
    ];
    for (on_clash, due, content, other) in cases {
        let mut bench = Bench::new(Dialect::Classic, echo(), on_clash);
        std::fs::write(bench.dir.path().join("a.txt"), "old").unwrap();
        bench.fetch(&["a.txt"]);
        assert_eq!(bench.ended(1).await, due, "{on_clash:?}");
        assert_eq!(bench.read("a.txt"), content.as_bytes(), "{on_clash:?}");
        let names: Vec<_> = other.into_iter().chain(["a.txt"]).collect();
        assert_eq!(bench.names(), names);
        if let Some(other) = other {
            assert_eq!(bench.read(other), b"a.txt");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_question_is_asked_once_or_for_all() {
    let mut bench = Bench::with(Dialect::Classic, echo(), OnClash::Ask, 3, Make::Named);
    for name in ["a", "b", "c"] {
        std::fs::write(bench.dir.path().join(name), "old").unwrap();
    }
    bench.fetch(&["a", "b", "c", "d"]);
    let clash = |state: &JobState| matches!(state, JobState::Clash);
    bench.until(1, clash).await;
    // Unanswered, it holds up nobody: the last may have ended before the first one asked.
    let ended = |(job, told): &(JobId, Arc<Job>)| {
        *job == JobId(4) && matches!(told.state, JobState::Ended { .. })
    };
    if !bench.told.iter().any(ended) {
        assert_eq!(bench.ended(4).await, WELL);
    }
    assert_eq!(bench.read("d"), b"d");
    let answer = |job, clash, scope| Command::Answer {
        job: JobId(job),
        clash,
        scope,
    };
    bench.command(answer(1, Clash::Overwrite, Scope::Once));
    assert_eq!(bench.ended(1).await, WELL);
    assert_eq!(bench.read("a"), b"a");
    assert_eq!(bench.read("b"), b"old");
    bench.command(answer(2, Clash::Rename, Scope::All));
    assert_eq!(bench.ended(3).await, WELL);
    // A later one is not asked about any more.
    bench.fetch(&["c"]);
    assert_eq!(bench.ended(5).await, WELL);
    assert_eq!(
        bench.names(),
        ["a", "b", "b (1)", "c", "c (1)", "c (2)", "d"]
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_name_taken_while_the_bytes_came_is_a_clash_and_costs_no_second_fetch() {
    let (taken, go) = std_mpsc::channel::<()>();
    let go = Mutex::new(go);
    let asked = Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    let addr = fake(move |_, mut peer| {
        classic_request(&mut peer);
        count.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        peer.write_all(&response(2, b"n")).unwrap();
        go.lock().unwrap().recv().unwrap();
        peer.write_all(b"w").unwrap();
    });
    let mut bench = Bench::new(Dialect::Classic, addr, OnClash::Ask);
    bench.fetch(&["a"]);
    bench
        .until(1, |state| matches!(state, JobState::Running { .. }))
        .await;
    std::fs::write(bench.dir.path().join("a"), "old").unwrap();
    taken.send(()).unwrap();
    bench
        .until(1, |state| matches!(state, JobState::Clash))
        .await;
    assert_eq!(bench.read("a"), b"old");
    bench.command(Command::Answer {
        job: JobId(1),
        clash: Clash::Rename,
        scope: Scope::Once,
    });
    assert_eq!(bench.ended(1).await, WELL);
    assert_eq!(bench.read("a (1)"), b"nw");
    assert_eq!(asked.load(std::sync::atomic::Ordering::SeqCst), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failing_item_stops_no_other() {
    for parallel in [1, 3] {
        let mut bench = Bench::with(
            Dialect::Classic,
            echo(),
            OnClash::Fail,
            parallel,
            Make::Best,
        );
        bench.fetch(&["a", "bad1", ".hidden", "b", "bad2", "c"]);
        let mut ends = HashMap::new();
        while ends.len() < 6 {
            let event = timeout(DEADLINE, bench.handle.feed.next()).await.unwrap();
            if let What::Job(job) = event.unwrap().what
                && let JobState::Ended { outcome, cause, .. } = job.state
            {
                ends.insert(job.job.0, (outcome, cause));
            }
        }
        for well in [1, 4, 6] {
            assert_eq!(ends[&well], WELL);
        }
        assert_eq!(ends[&2], (Outcome::Failed, "not_found"));
        assert_eq!(ends[&3], (Outcome::Failed, "name"));
        assert_eq!(ends[&5], (Outcome::Failed, "not_found"));
        assert_eq!(bench.names(), ["a", "b", "c"]);
        bench.command(Command::ClearEnded);
        let mut removed = 0;
        while removed < 6 {
            let event = timeout(DEADLINE, bench.handle.feed.next()).await.unwrap();
            if let What::Removed(jobs) = event.unwrap().what {
                removed += jobs.len();
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_queue_runs_in_the_order_it_is_moved_into() {
    let (release, gate) = std_mpsc::channel::<()>();
    let gate = Mutex::new(gate);
    let order = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&order);
    let addr = fake(move |n, mut peer| {
        let name = classic_request(&mut peer);
        seen.lock().unwrap().push(name.clone());
        if n == 0 {
            // The head keeps the client patient for one gap; it is released before.
            gate.lock().unwrap().recv().unwrap();
        }
        let _ = peer.write_all(&response(1, b"x"));
    });
    let mut bench = Bench::with(Dialect::Classic, addr, OnClash::Fail, 1, Make::Best);
    bench.fetch(&["a", "b", "c", "d"]);
    bench.command(Command::MoveUp(JobId(4)));
    bench.command(Command::MoveUp(JobId(4)));
    bench.command(Command::MoveDown(JobId(2)));
    bench.command(Command::Pause(JobId(3)));
    bench
        .until(3, |state| matches!(state, JobState::Paused { .. }))
        .await;
    release.send(()).unwrap();
    assert_eq!(bench.ended(2).await, WELL);
    bench.command(Command::Resume(JobId(3)));
    assert_eq!(bench.ended(3).await, WELL);
    assert_eq!(*order.lock().unwrap(), ["a", "d", "b", "c"]);
}

/// A deck server's end of one connection, honest unless told otherwise.
struct Peer {
    socket: TcpStream,
    codec: Box<dyn ServerCodec>,
    input: Vec<u8>,
}

impl Peer {
    fn greet(socket: TcpStream) -> Option<Self> {
        let mut peer = Self {
            socket,
            codec: server_codec(Dialect::Deck, crate::entity::Speak::Auto),
            input: Vec::new(),
        };
        peer.request()?;
        let rights = Rights {
            read: true,
            ..Rights::default()
        };
        peer.reply(&Reply::Welcome(Welcome {
            name: "fake".into(),
            rights,
        }));
        Some(peer)
    }

    fn request(&mut self) -> Option<Request> {
        loop {
            if let Ok(Some((used, request))) = self.codec.decode(&self.input) {
                self.input.drain(..used);
                return Some(request);
            }
            let mut bytes = [0; 4_096];
            let read = self.socket.read(&mut bytes).ok().filter(|&read| read > 0)?;
            self.input.extend_from_slice(&bytes[..read]);
        }
    }

    fn reply(&mut self, reply: &Reply) {
        let mut out = Vec::new();
        self.codec.encode(reply, &mut out);
        let _ = self.socket.write_all(&out);
    }

    fn frame(&mut self, kind: u8, body: &[u8]) -> std::io::Result<()> {
        let len = u32::try_from(body.len()).unwrap().to_be_bytes();
        let frame = [&[0x49, 0x7E, kind], &len[..], body].concat();
        self.socket.write_all(&frame)
    }
}

fn pattern(size: u32) -> Vec<u8> {
    (0..size).map(|n| (n % 249) as u8).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cancel_and_leaving_leave_nothing() {
    for make in [Make::Best, Make::Named] {
        {
            let dialect = Dialect::Classic;
            let addr = fake(move |_, mut socket| {
                classic_request(&mut socket);
                let _ = socket.write_all(&response(1_000_000, &pattern(600_000)));
                until_closed(&mut socket);
            });
            let mut bench = Bench::with(dialect, addr, OnClash::Fail, 3, make);
            bench.fetch(&["a", "b"]);
            let running = |state: &JobState| matches!(state, JobState::Running { .. });
            bench.until(1, running).await;
            bench.command(Command::Cancel(JobId(1)));
            assert_eq!(bench.ended(1).await, (Outcome::Cancelled, "cancelled"));
            bench.command(Command::Cancel(JobId(2)));
            assert_eq!(bench.ended(2).await.0, Outcome::Cancelled);
            // What had arrived is let go of off the loop, a moment later.
            let gone = async {
                while !bench.names().is_empty() {
                    tokio::time::sleep(Duration::from_millis(2)).await;
                }
            };
            timeout(DEADLINE, gone).await.unwrap();
            bench.command(Command::Retry(JobId(1)));
            bench.until(1, running).await;
            bench.command(Command::Abort);
            timeout(DEADLINE, bench.handle.task).await.unwrap().unwrap();
            let left = std::fs::read_dir(bench.dir.path()).unwrap().count();
            assert_eq!(left, 0, "{make:?} {dialect:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_listing_is_heard_to_its_end() {
    let addr = fake(|_, socket| {
        let Some(mut peer) = Peer::greet(socket) else {
            return;
        };
        while let Some(Request::List { path }) = peer.request() {
            if path == RemotePath::from("none") {
                peer.reply(&Reply::Refused(Refusal::NotFound));
                continue;
            }
            for n in 0..3 {
                let entry = Entry {
                    name: format!("f{n}").into(),
                    kind: Kind::File,
                    size: n,
                    mtime: 0,
                };
                peer.reply(&Reply::Page(Page {
                    entries: vec![entry],
                    unlisted: 0,
                    more: n < 2,
                }));
            }
        }
    });
    let mut bench = Bench::new(Dialect::Deck, addr, OnClash::Fail);
    bench.command(Command::Open(RemotePath::root()));
    assert_eq!(bench.listing().await.unwrap(), ["f0", "f1", "f2"]);
    bench.command(Command::Open(RemotePath::from("none")));
    assert_eq!(
        bench.listing().await.unwrap_err(),
        "not found, or not served"
    );
    bench.command(Command::Open(RemotePath::root()));
    assert_eq!(bench.listing().await.unwrap().len(), 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hostile_listings_are_refused() {
    // A page of one entry, named `../x`, `a/b`, `..`, or with a control character.
    for name in [&b"../x"[..], b"a/b", b"..", b"", b"a\x1b[2J"] {
        let mut body = vec![
            0xA1,
            0x00,
            0x81,
            0xA4,
            0x00,
            0x60 | u8::try_from(name.len()).unwrap(),
        ];
        body.extend_from_slice(name);
        body.extend_from_slice(&[0x01, 0x00, 0x02, 0x03, 0x03, 0x07]);
        let addr = fake(move |_, socket| {
            let Some(mut peer) = Peer::greet(socket) else {
                return;
            };
            let _ = peer.request();
            let _ = peer.frame(0x13, &body);
            until_closed(&mut peer.socket);
        });
        let mut bench = Bench::new(Dialect::Deck, addr, OnClash::Fail);
        bench.command(Command::Open(RemotePath::root()));
        let why = bench.listing().await.unwrap_err();
        assert!(why.contains("protocol"), "{name:?}: {why}");
    }
}

/// The body of a page that says whether another follows.
fn page(entries: u16, more: &[u8]) -> Vec<u8> {
    let mut body = vec![0xA2, 0x00, 0x99];
    body.extend_from_slice(&entries.to_be_bytes());
    for n in 0..entries {
        body.extend_from_slice(&[0xA4, 0x00, 0x68]);
        body.extend_from_slice(format!("{n:08}").as_bytes());
        body.extend_from_slice(&[0x01, 0x00, 0x02, 0x03, 0x03, 0x07]);
    }
    body.push(0x02);
    body.extend_from_slice(more);
    body
}

const MORE: &[u8] = &[0xF5];
const LAST: &[u8] = &[0xF4];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_million_names_are_heard_and_not_one_more() {
    for (pages, whole) in [(1_000, true), (1_001, false)] {
        let addr = fake(move |_, socket| {
            let Some(mut peer) = Peer::greet(socket) else {
                return;
            };
            let _ = peer.request();
            let (more, last) = (page(1_000, MORE), page(1_000, LAST));
            for n in 1..=pages {
                let body = if n == pages { &last } else { &more };
                if peer.frame(0x13, body).is_err() {
                    return;
                }
            }
            while peer.request().is_some() {}
        });
        let mut bench = Bench::new(Dialect::Deck, addr, OnClash::Fail);
        bench.command(Command::Open(RemotePath::root()));
        let heard = bench.listing().await;
        assert_eq!(heard.is_ok(), whole, "{pages}");
        assert_eq!(heard.map_or(1_000_000, |names| names.len()), 1_000_000);
        bench.leave().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_endless_listing_has_an_end() {
    const MANY: u64 = 2_000_000;
    // Full pages of long names, then empty ones: neither may go on for ever.
    for entries in [0, 1_000] {
        let body = page(entries, MORE);
        let (over, stopped) = std_mpsc::channel();
        let addr = fake(move |_, socket| {
            let Some(mut peer) = Peer::greet(socket) else {
                return;
            };
            let _ = peer.request();
            let mut pages = 0_u64;
            // More of them than the kernel holds: a server may be far ahead of its reader.
            while pages < MANY && peer.frame(0x13, &body).is_ok() {
                pages += 1;
            }
            let _ = over.send(pages);
        });
        let bench = Bench::new(Dialect::Deck, addr, OnClash::Fail);
        bench.command(Command::Open(RemotePath::root()));
        let pages = tokio::task::spawn_blocking(move || stopped.recv_timeout(DEADLINE))
            .await
            .unwrap();
        assert!(
            pages.is_ok_and(|pages| pages < MANY),
            "{entries}: {pages:?}"
        );
        bench.leave().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_line_that_died_unseen_is_opened_anew() {
    let addr = fake(|_, socket| {
        let Some(mut peer) = Peer::greet(socket) else {
            return;
        };
        // One answer a connection, then gone.
        let _ = peer.request();
        peer.reply(&Reply::Page(Page::default()));
    });
    let mut bench = Bench::new(Dialect::Deck, addr, OnClash::Fail);
    for _ in 0..3 {
        bench.command(Command::Open(RemotePath::root()));
        assert_eq!(bench.listing().await.unwrap(), [""; 0]);
    }
}
