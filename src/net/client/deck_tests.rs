//! Our client against a deck server made of memory: honest, or faulty as a test says.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot set its scene has failed"
)]

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use assert_fs::TempDir;
use tokio::time::timeout;

use super::tests::{Bench, DEADLINE, fake};
use super::*;
use crate::entity::{Dialect, Direction, Entry, Kind, Outcome, Rights, Root};
use crate::event::{Counted, Doomed, Hashed, JobState, Link, ListingState, Outgoing, Wanted};
use crate::net::tree::{BLOCK, BlockHasher, block_len, blocks, merge};
use crate::net::wire::codec::{
    Content, Page, Piece, Refusal, Reply, Request, ServerCodec, Span, Stored, Values, Version,
    Welcome,
};
use crate::net::wire::server_codec;

const WELL: (Outcome, &str) = (Outcome::CompleteHash, "");

/// What goes wrong with one answer.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Fault {
    None,
    Refuse(Refusal),
    /// One byte of this block is another.
    Flip(u64),
    /// The connection is closed behind so many bytes of payload.
    Cut(u64),
    /// Nothing comes any more behind so many bytes of payload, and nothing is closed.
    Stall(u64),
    /// The connection is closed when all has come but the end.
    Unended,
    /// All comes, and at the end it is said that it has changed meanwhile.
    Changed,
    /// Another root than the file's is told.
    Root,
    /// The file is announced with another size.
    Size,
    /// Nothing is said any more.
    Silence,
    /// A file lands and the connection breaks before that is said; a name that is there
    /// is taken.
    Unanswered,
}

type Faults = Box<dyn Fn(&World, &Request) -> Fault + Send + Sync>;

/// What the server holds, and what it was asked.
struct World {
    files: Mutex<BTreeMap<String, (Vec<u8>, u8)>>,
    folders: Mutex<Vec<String>>,
    log: Mutex<Vec<Request>>,
    conns: AtomicUsize,
    faults: Faults,
}

fn values(whole: &[u8]) -> Vec<[u8; 32]> {
    let size = whole.len() as u64;
    (0..blocks(size))
        .map(|index| {
            let mut hasher = BlockHasher::new(size, index);
            hasher.update(block(whole, index));
            hasher.value()
        })
        .collect()
}

fn block(whole: &[u8], index: u64) -> &[u8] {
    let from = usize::try_from(index * BLOCK).unwrap();
    let len = usize::try_from(block_len(whole.len() as u64, index)).unwrap();
    &whole[from..from + len]
}

fn root(whole: &[u8]) -> Root {
    Root(*blake3::hash(whole).as_bytes())
}

fn pattern(size: usize) -> Vec<u8> {
    (0..size).map(|n| u8::try_from(n % 249).unwrap()).collect()
}

impl World {
    fn serve(
        files: &[(&str, Vec<u8>)],
        faults: impl Fn(&Self, &Request) -> Fault + Send + Sync + 'static,
    ) -> (Arc<Self>, SocketAddr) {
        let files = files
            .iter()
            .map(|(name, whole)| ((*name).to_owned(), (whole.clone(), 1)));
        let world = Arc::new(Self {
            files: Mutex::new(files.collect()),
            folders: Mutex::default(),
            log: Mutex::default(),
            conns: AtomicUsize::new(0),
            faults: Box::new(faults),
        });
        let served = Arc::clone(&world);
        let addr = fake(move |_, socket| {
            served.conns.fetch_add(1, SeqCst);
            let _ = Conn::new(socket).run(&served);
        });
        (world, addr)
    }

    fn replace(&self, name: &str, whole: Vec<u8>) {
        let mut files = self.files.lock().unwrap();
        let version = files.get(name).map_or(1, |(_, version)| version + 1);
        files.insert(name.to_owned(), (whole, version));
    }

    fn file(&self, name: &str) -> Option<(Vec<u8>, Version)> {
        let files = self.files.lock().unwrap();
        let (whole, version) = files.get(name)?;
        Some((whole.clone(), Version::new(&[*version; 4]).unwrap()))
    }

    /// Every stretch asked for: from which byte, up to which, and how checked.
    fn fetches(&self) -> Vec<(u64, Option<u64>, Check)> {
        let log = self.log.lock().unwrap();
        log.iter()
            .filter_map(|request| match request {
                Request::Fetch {
                    offset,
                    until,
                    check,
                    ..
                } => Some((*offset, *until, *check)),
                _ => None,
            })
            .collect()
    }

    fn entries(&self, folder: &str) -> Vec<Entry> {
        let prefix = if folder.is_empty() {
            String::new()
        } else {
            format!("{folder}/")
        };
        let files = self.files.lock().unwrap();
        let mut found = BTreeMap::new();
        let folders = self.folders.lock().unwrap();
        let names = files.keys().map(|name| (name, Kind::File));
        for (name, kind) in names.chain(folders.iter().map(|name| (name, Kind::Dir))) {
            let Some(rest) = name.strip_prefix(&prefix).filter(|rest| !rest.is_empty()) else {
                continue;
            };
            match rest.split_once('/') {
                Some((folder, _)) => found.insert(folder.to_owned(), (Kind::Dir, 0)),
                None if kind == Kind::Dir => found.insert(rest.to_owned(), (Kind::Dir, 0)),
                None => found.insert(rest.to_owned(), (Kind::File, files[name].0.len() as u64)),
            };
        }
        found
            .into_iter()
            .map(|(name, (kind, size))| Entry {
                name: name.into(),
                kind,
                size,
                mtime: 1_000_000_000,
            })
            .collect()
    }
}

struct Conn {
    socket: TcpStream,
    codec: Box<dyn ServerCodec>,
    input: Vec<u8>,
}

impl Conn {
    fn new(socket: TcpStream) -> Self {
        Self {
            socket,
            codec: server_codec(Dialect::Deck, crate::entity::Speak::Auto),
            input: Vec::new(),
        }
    }

    fn more(&mut self) -> Option<()> {
        let mut bytes = vec![0; 64 << 10];
        let read = self.socket.read(&mut bytes).ok().filter(|&read| read > 0)?;
        self.input.extend_from_slice(&bytes[..read]);
        Some(())
    }

    fn request(&mut self) -> Option<Request> {
        loop {
            if let Some((used, request)) = self.codec.decode(&self.input).ok()? {
                self.input.drain(..used);
                return Some(request);
            }
            self.more()?;
        }
    }

    fn say(&mut self, bytes: &[u8]) -> Option<()> {
        self.socket.write_all(bytes).ok()
    }

    fn reply(&mut self, reply: &Reply) -> Option<()> {
        let mut out = Vec::new();
        self.codec.encode(reply, &mut out);
        self.say(&out)
    }

    fn run(mut self, world: &World) -> Option<()> {
        loop {
            let request = self.request()?;
            let fault = (world.faults)(world, &request);
            world.log.lock().unwrap().push(request.clone());
            match fault {
                Fault::Refuse(refusal) => {
                    self.reply(&Reply::Refused(refusal))?;
                    continue;
                }
                Fault::Silence => {
                    while self.more().is_some() {}
                    return None;
                }
                _ => {}
            }
            self.answer(world, request, &fault)?;
        }
    }

    fn answer(&mut self, world: &World, request: Request, fault: &Fault) -> Option<()> {
        let text = |path: &RemotePath| path.as_str().unwrap().to_owned();
        match request {
            Request::Hello { .. } => self.reply(&Reply::Welcome(Welcome {
                name: "fake".into(),
                rights: Rights::NEWCOMER,
            })),
            Request::Ping { token } => self.reply(&Reply::Pong { token }),
            Request::Stat { path } => self.stat(world, &text(&path)),
            Request::List { path } => {
                let entries = world.entries(&text(&path));
                self.reply(&Reply::Page(Page {
                    entries,
                    ..Page::default()
                }))
            }
            Request::Fetch {
                path,
                offset,
                until,
                version,
                check,
            } => match world.file(&text(&path)) {
                None => self.reply(&Reply::Refused(Refusal::NotFound)),
                Some((_, now)) if version.is_some_and(|version| version != now) => {
                    self.reply(&Reply::Refused(Refusal::Changed))
                }
                Some((whole, version)) => {
                    let stretch = (offset, until.unwrap_or(u64::MAX), check);
                    self.stretch(&whole, version, stretch, fault)
                }
            },
            Request::Tree { path, .. } => {
                let (whole, version) = world.file(&text(&path))?;
                let values = match fault {
                    // Only the root is wrong, or the root follows from what was asked.
                    Fault::Root => Values {
                        root: Some(Root([9; 32])),
                        ..Values::default()
                    },
                    _ => Values {
                        root: Some(root(&whole)),
                        ..Values::default()
                    },
                };
                self.reply(&Reply::Values(Values {
                    values: match &request_detail(world) {
                        Some(crate::net::wire::codec::Detail::Values) => self::values(&whole),
                        _ => Vec::new(),
                    },
                    size: whole.len() as u64,
                    version: Some(version),
                    ..values
                }))
            }
            Request::Store { path, size, terms } => {
                let eager = terms.pace == crate::net::wire::codec::Pace::Eager;
                self.store(world, &text(&path), size, eager, fault)
            }
            Request::MakeFolder { path } => {
                world.folders.lock().unwrap().push(text(&path));
                self.reply(&Reply::Done)
            }
            Request::Delete { path } => {
                let path = text(&path);
                let file = world.files.lock().unwrap().remove(&path);
                if file.is_none() && !world.entries(&path).is_empty() {
                    return self.reply(&Reply::Refused(Refusal::NotEmpty));
                }
                world
                    .folders
                    .lock()
                    .unwrap()
                    .retain(|folder| *folder != path);
                self.reply(&Reply::Done)
            }
            other => panic!("{other:?}"),
        }
    }

    fn stat(&mut self, world: &World, path: &str) -> Option<()> {
        let name = path.rsplit('/').next().unwrap_or_default();
        let entry = |kind, size| Entry {
            name: name.into(),
            kind,
            size,
            mtime: 1_000_000_000,
        };
        let reply = match world.file(path) {
            Some((whole, version)) => Reply::Stat {
                entry: entry(Kind::File, whole.len() as u64),
                version: Some(version),
            },
            None if world.entries(path).is_empty() => Reply::Refused(Refusal::NotFound),
            None => Reply::Stat {
                entry: entry(Kind::Dir, 0),
                version: None,
            },
        };
        self.reply(&reply)
    }

    fn stretch(
        &mut self,
        whole: &[u8],
        version: Version,
        (offset, until, check): (u64, u64, Check),
        fault: &Fault,
    ) -> Option<()> {
        let size = whole.len() as u64 + u64::from(*fault == Fault::Size);
        let until = until.min(size);
        self.reply(&Reply::Stretch {
            content: Content {
                size,
                offset,
                mtime: Some(1_000_000_000),
                version: Some(version),
            },
            until,
        })?;
        let mut sent = 0;
        for index in offset / BLOCK..until.div_ceil(BLOCK) {
            let mut out = Vec::new();
            let at = index * BLOCK;
            self.codec.next_run(at, until - at, &mut out);
            self.say(&out)?;
            let mut bytes = block(whole, index).to_vec();
            if *fault == Fault::Flip(index) {
                bytes[7] ^= 1;
            }
            if let Fault::Cut(cut) | Fault::Stall(cut) = fault
                && sent + bytes.len() as u64 > *cut
            {
                self.say(&bytes[..usize::try_from(cut - sent).unwrap()])?;
                while matches!(fault, Fault::Stall(_)) && self.more().is_some() {}
                return None;
            }
            sent += bytes.len() as u64;
            self.say(&bytes)?;
            let mut out = Vec::new();
            let mut hasher = BlockHasher::new(whole.len() as u64, index);
            hasher.update(block(whole, index));
            let value = hasher.value();
            self.codec
                .seal((check != Check::None).then_some(value), &mut out);
            self.say(&out)?;
        }
        let root = match fault {
            Fault::Unended => return None,
            Fault::Root => Root([9; 32]),
            _ => root(whole),
        };
        let mut out = Vec::new();
        if *fault == Fault::Changed {
            self.codec.close(Err(Refusal::Changed), &mut out);
            return self.say(&out);
        }
        // A server that has not hashed all of it by then is asked once more.
        let known = whole.len() < 32 << 20;
        self.codec.close(Ok(known.then_some(root)), &mut out);
        self.say(&out)
    }

    /// Takes a payload; the first block it has already if the file was begun before.
    fn store(
        &mut self,
        world: &World,
        path: &str,
        size: u64,
        eager: bool,
        fault: &Fault,
    ) -> Option<()> {
        let mut whole = vec![0; usize::try_from(size).unwrap()];
        let taken = *fault == Fault::Unanswered && world.file(path).is_some();
        if taken {
            if eager {
                self.payload(&mut whole, fault)?;
            }
            return self.reply(&Reply::Refused(Refusal::Exists));
        }
        if !eager {
            let begun = world.file(&format!("{path}.begun"));
            let mut here = Vec::new();
            if let Some((begun, _)) = begun {
                whole[..begun.len()].copy_from_slice(&begun);
                here.push(Span {
                    first: 0,
                    count: blocks(begun.len() as u64),
                });
            }
            self.reply(&Reply::Here { blocks: here })?;
        }
        if !self.payload(&mut whole, fault)? {
            return self.reply(&Reply::Refused(Refusal::Changed));
        }
        if let Fault::Flip(index) = fault {
            let first = *index;
            let again = Reply::Again {
                blocks: vec![Span { first, count: 1 }],
            };
            self.reply(&again)?;
            self.payload(&mut whole, fault)?;
        }
        let root = match fault {
            Fault::Root => Root([9; 32]),
            _ => root(&whole),
        };
        world.replace(path, whole);
        if *fault == Fault::Unanswered {
            return None;
        }
        let name = path.rsplit('/').next().unwrap_or_default();
        self.reply(&Reply::Stored(Stored {
            name: name.into(),
            root: Some(root),
        }))
    }

    fn payload(&mut self, whole: &mut [u8], fault: &Fault) -> Option<bool> {
        let mut taken = 0;
        loop {
            let piece = loop {
                if let Some((used, piece)) = self.codec.piece(&self.input).ok()? {
                    self.input.drain(..used);
                    break piece;
                }
                self.more()?;
            };
            match piece {
                Piece::Run { offset, len } => {
                    let (from, len) = (
                        usize::try_from(offset).unwrap(),
                        usize::try_from(len).unwrap(),
                    );
                    while self.input.len() < len {
                        self.more()?;
                    }
                    whole[from..from + len].copy_from_slice(&self.input[..len]);
                    self.input.drain(..len);
                    taken += len as u64;
                    if matches!(fault, Fault::Cut(cut) if taken > *cut) {
                        return None;
                    }
                }
                Piece::Sealed { .. } => {}
                Piece::End { .. } => return Some(true),
                Piece::GivenUp(_) => return Some(false),
            }
        }
    }
}

fn request_detail(world: &World) -> Option<crate::net::wire::codec::Detail> {
    match world.log.lock().unwrap().last()? {
        Request::Tree { detail, .. } => Some(*detail),
        _ => None,
    }
}

/// A fault for the first stretches only.
fn at_first(times: usize, fault: Fault) -> impl Fn(&World, &Request) -> Fault + Send + Sync {
    let left = AtomicUsize::new(times);
    move |_, request| {
        let meant = matches!(request, Request::Fetch { .. } | Request::Store { .. });
        let less = |left: usize| left.checked_sub(1);
        if meant && left.fetch_update(SeqCst, SeqCst, less).is_ok() {
            fault.clone()
        } else {
            Fault::None
        }
    }
}

fn bench(addr: SocketAddr) -> Bench {
    Bench::new(Dialect::Deck, addr, OnClash::Fail)
}

fn large() -> Vec<u8> {
    pattern(usize::try_from(3 * BLOCK).unwrap() + 5)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_is_complete_when_its_hash_agrees() {
    for size in [0, 1, 5_000, 3 * 4_194_304 + 5] {
        let (world, addr) = World::serve(&[("a", pattern(size))], |_, _| Fault::None);
        let mut bench = bench(addr);
        bench.fetch(&["a"]);
        assert_eq!(bench.ended(1).await, WELL, "{size}");
        assert!(bench.read("a") == pattern(size));
        assert_eq!(bench.names(), ["a"]);
        let time = std::fs::metadata(bench.dir.path().join("a"))
            .unwrap()
            .modified()
            .unwrap();
        let second = time
            .duration_since(std::time::UNIX_EPOCH)
            .unwrap()
            .as_secs();
        assert_eq!(second, 1_000_000_000);
        assert_eq!(world.fetches().len(), 1);
        bench.leave().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flipped_byte_costs_one_block() {
    let (world, addr) = World::serve(&[("a", large())], at_first(1, Fault::Flip(1)));
    let mut bench = bench(addr);
    bench.fetch(&["a"]);
    assert_eq!(bench.ended(1).await, WELL);
    assert!(bench.read("a") == large());
    let again = (BLOCK, Some(2 * BLOCK), Check::Blocks);
    assert_eq!(world.fetches(), [(0, None, Check::Blocks), again]);
    bench.leave().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_always_bad_fails_and_leaves_no_file() {
    let (world, addr) = World::serve(&[("a", large())], |_, _| Fault::Flip(1));
    let mut bench = bench(addr);
    bench.fetch(&["a"]);
    assert_eq!(bench.ended(1).await, (Outcome::Failed, "corrupt"));
    assert!(!bench.names().contains(&"a".to_owned()));
    let checks: Vec<Check> = world
        .fetches()
        .iter()
        .skip(1)
        .map(|fetch| fetch.2)
        .collect();
    let usual = Check::Blocks;
    assert_eq!(checks, [usual, usual, usual, Check::Anew]);
    bench.leave().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_root_that_never_agrees_fails() {
    let (_, addr) = World::serve(&[("a", large())], |_, request| match request {
        Request::Hello { .. } => Fault::None,
        _ => Fault::Root,
    });
    let mut bench = bench(addr);
    bench.fetch(&["a"]);
    assert_eq!(bench.ended(1).await, (Outcome::Failed, "corrupt"));
    assert!(!bench.names().contains(&"a".to_owned()));
    bench.leave().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_size_than_announced_is_refused() {
    let (_, addr) = World::serve(&[("a", vec![7; 5_000])], at_first(9, Fault::Size));
    let mut bench = bench(addr);
    bench.fetch(&["a"]);
    assert_eq!(bench.ended(1).await, (Outcome::Failed, "malformed"));
    assert_eq!(bench.names(), [""; 0]);
    bench.leave().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_changes_meanwhile_is_fetched_anew() {
    let (_, addr) = World::serve(&[("a", large())], |world, request| {
        let first = world.fetches().is_empty();
        if matches!(request, Request::Fetch { .. }) && first {
            // Between the question and the answer: the size is the same, the mark is not.
            let mut other = large();
            other.reverse();
            world.replace("a", other);
        }
        Fault::None
    });
    let mut bench = bench(addr);
    bench.fetch(&["a"]);
    assert_eq!(bench.ended(1).await, WELL);
    let mut other = large();
    other.reverse();
    assert!(bench.read("a") == other);
    bench.leave().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cut_goes_on_from_the_last_whole_block() {
    let cut = BLOCK + 1_000;
    let (world, addr) = World::serve(&[("a", large())], at_first(1, Fault::Cut(cut)));
    let mut bench = bench(addr);
    bench.fetch(&["a"]);
    assert_eq!(bench.ended(1).await, WELL);
    assert!(bench.read("a") == large());
    let offsets: Vec<u64> = world.fetches().iter().map(|fetch| fetch.0).collect();
    assert_eq!(offsets, [0, BLOCK]);
    let waited = |job: &Arc<Job>| matches!(job.state, JobState::Waiting { .. });
    assert!(bench.told.iter().any(|(_, job)| waited(job)));
    bench.leave().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_opened_again_hashes_what_is_there_and_goes_on() {
    let silent = |world: &World, request: &Request| {
        let later = matches!(request, Request::Fetch { offset, .. } if *offset > 0);
        match request {
            Request::Fetch { .. } if world.fetches().is_empty() => Fault::Cut(2 * BLOCK + 9),
            _ if later && world.fetches().len() == 1 => Fault::Silence,
            _ => Fault::None,
        }
    };
    let (world, addr) = World::serve(&[("a", large())], silent);
    let mut first = bench(addr);
    first.fetch(&["a"]);
    first
        .until(
            1,
            |state| matches!(state, JobState::Waiting { done, .. } if *done == 2 * BLOCK),
        )
        .await;
    let dir = first.abandon().await;
    // One of the two blocks is spoilt on the disk: only the other is believed.
    let part = std::fs::read_dir(dir.path())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .find(|path| path.extension().is_some_and(|ext| ext == "part"))
        .unwrap();
    let file = std::fs::OpenOptions::new().write(true).open(part).unwrap();
    std::os::unix::fs::FileExt::write_all_at(&file, &[255; 9], 3).unwrap();
    drop(file);
    let before = world.fetches().len();
    let mut second = Bench::again(Dialect::Deck, addr, dir);
    second.fetch(&["a"]);
    assert_eq!(second.ended(1).await, WELL);
    assert!(second.read("a") == large());
    assert_eq!(second.names(), ["a"]);
    let offsets: Vec<u64> = world.fetches()[before..]
        .iter()
        .map(|fetch| fetch.0)
        .collect();
    assert_eq!(offsets, [0, 2 * BLOCK]);
    second.leave().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_large_file_comes_over_four_lines() {
    let whole = pattern((64 << 20) + 3);
    let (world, addr) = World::serve(&[("a", whole.clone())], |_, _| Fault::None);
    let mut bench = bench(addr);
    bench.fetch(&["a"]);
    assert_eq!(bench.ended(1).await, WELL);
    assert!(bench.read("a") == whole);
    let mut offsets: Vec<u64> = world.fetches().iter().map(|fetch| fetch.0).collect();
    offsets.sort_unstable();
    assert_eq!(offsets, [0, 5 * BLOCK, 9 * BLOCK, 13 * BLOCK]);
    bench.leave().await;
}

/// What one file gives back, another that runs already takes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_takes_the_lines_that_another_gives_back() {
    let held = [("a", pattern(65 << 20)), ("b", pattern(130 << 20))];
    let (_, addr) = World::serve(&held, |_, _| Fault::None);
    let means = Means {
        limit: Some(60 << 20),
        ..Means::default()
    };
    let mut bench = Bench::by(Dialect::Deck, addr, OnClash::Fail, means);
    let begun = |name: &'static str| {
        move |what: &What| match what {
            What::TransferStarted(started) if started.path.as_str() == Some(name) => {
                Some(Arc::clone(started))
            }
            _ => None,
        }
    };
    bench.fetch(&["a"]);
    let first = bench.hears(begun("a")).await;
    let all = async {
        while first.progress.streams() < 4 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    timeout(DEADLINE, all).await.unwrap();
    bench.fetch(&["b"]);
    let started = bench.hears(begun("b")).await;
    let seen = tokio::spawn(async move {
        let mut seen = Vec::new();
        while started.progress.done() < 130 << 20 {
            let streams = started.progress.streams();
            if seen.last() != Some(&streams) {
                seen.push(streams);
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        seen
    });
    assert_eq!(bench.ended(1).await, WELL);
    assert_eq!(bench.ended(2).await, WELL);
    let seen = seen.await.unwrap();
    let first = seen.iter().find(|streams| **streams > 0);
    assert_eq!(first, Some(&1), "the other has all there are: {seen:?}");
    assert!(seen.contains(&4), "{seen:?}");
    bench.leave().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_nobody_checks_is_complete_by_its_length() {
    let (world, addr) = World::serve(&[("a", large())], |_, _| Fault::None);
    let means = Means {
        check: Check::None,
        ..Means::default()
    };
    let mut bench = Bench::by(Dialect::Deck, addr, OnClash::Fail, means);
    bench.fetch(&["a"]);
    assert_eq!(bench.ended(1).await, (Outcome::CompleteLength, ""));
    assert!(bench.read("a") == large());
    assert_eq!(world.fetches(), [(0, None, Check::None)]);
    bench.leave().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_nobody_checks_is_not_complete_before_its_end() {
    for (whole, again) in [(Vec::new(), 0), (large(), 3 * BLOCK)] {
        let held = [("a", whole.clone())];
        let (world, addr) = World::serve(&held, at_first(1, Fault::Unended));
        let means = Means {
            check: Check::None,
            ..Means::default()
        };
        let mut bench = Bench::by(Dialect::Deck, addr, OnClash::Fail, means);
        bench.fetch(&["a"]);
        assert_eq!(bench.ended(1).await, (Outcome::CompleteLength, ""));
        assert!(bench.read("a") == whole);
        let asked = world.fetches();
        let asked: Vec<_> = asked.iter().map(|(offset, ..)| *offset).collect();
        assert_eq!(asked, [0, again], "its last block once more");
        bench.leave().await;
    }
}

fn small(count: usize) -> Vec<(String, Vec<u8>)> {
    let file = |n: usize| (format!("f{n:04}"), pattern(n * 3));
    (0..count).map(file).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn small_files_share_lines_and_each_has_its_own_end() {
    let files = small(300);
    let held: Vec<(&str, Vec<u8>)> = files
        .iter()
        .map(|(name, whole)| (name.as_str(), whole.clone()))
        .collect();
    let flipped = AtomicUsize::new(0);
    let (world, addr) = World::serve(&held, move |_, request| match request {
        Request::Fetch { path, .. } if path.as_str() == Some("f0007") => {
            // Twice bad, then good.
            match flipped.fetch_add(1, SeqCst) {
                0 | 1 => Fault::Flip(0),
                _ => Fault::None,
            }
        }
        Request::Fetch { path, .. } if path.as_str() == Some("f0009") => {
            Fault::Refuse(Refusal::NotFound)
        }
        _ => Fault::None,
    });
    let mut bench = bench(addr);
    std::fs::write(bench.dir.path().join("f0011"), "mine").unwrap();
    bench.command(Command::Fetch(
        files
            .iter()
            .map(|(name, whole)| {
                // One is larger by now than the listing had it.
                let size = if name == "f0013" {
                    1
                } else {
                    whole.len() as u64
                };
                Wanted::file(RemotePath::from(name.as_str()), Some(size))
            })
            .collect(),
    ));
    let mut ends = BTreeMap::new();
    while ends.len() < files.len() {
        for (job, outcome) in bench.some_ends().await {
            ends.insert(job, outcome);
        }
    }
    for (at, (name, whole)) in files.iter().enumerate() {
        let due = match name.as_str() {
            "f0009" => (Outcome::Failed, "not_found"),
            "f0011" => (Outcome::Failed, "exists"),
            _ => WELL,
        };
        assert_eq!(ends[&JobId(at as u64 + 1)], due, "{name}");
        if due == WELL {
            assert!(bench.read(name) == *whole, "{name}");
        }
    }
    assert_eq!(bench.read("f0011"), b"mine");
    assert_eq!(bench.names().len(), files.len() - 1);
    assert!(world.conns.load(SeqCst) <= 4, "{:?}", world.conns);
    bench.leave().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_small_file_that_changes_for_ever_is_told_as_that() {
    let held = [("a", pattern(9)), ("b", pattern(9))];
    let (_, addr) = World::serve(&held, |_, request| match request {
        Request::Fetch { path, .. } if path.as_str() == Some("a") => Fault::Changed,
        _ => Fault::None,
    });
    let mut bench = bench(addr);
    let want = |name| Wanted::file(RemotePath::from(name), Some(9));
    bench.command(Command::Fetch(["a", "b"].map(want).into()));
    let mut ends = BTreeMap::new();
    while ends.len() < 2 {
        ends.extend(bench.some_ends().await);
    }
    let due = [(JobId(1), (Outcome::Failed, "changed")), (JobId(2), WELL)];
    assert_eq!(ends, BTreeMap::from(due));
    bench.leave().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_has_grown_since_it_was_listed_comes_by_itself() {
    let files = [("a", pattern(10)), ("b", large()), ("c", pattern(20))];
    let (_, addr) = World::serve(&files, |_, request| match request {
        // The bundle is still at it when the large one has long been begun anew.
        Request::Fetch { path, .. } if path.as_str() == Some("c") => {
            std::thread::sleep(Duration::from_millis(500));
            Fault::None
        }
        _ => Fault::None,
    });
    let mut bench = bench(addr);
    let want = |name| Wanted::file(RemotePath::from(name), Some(10));
    bench.command(Command::Fetch(vec![want("a"), want("b"), want("c")]));
    let mut ends = BTreeMap::new();
    while ends.len() < 3 {
        ends.extend(bench.some_ends().await);
    }
    assert!(ends.values().all(|end| *end == WELL), "{ends:?}");
    assert!(files.iter().all(|(name, whole)| bench.read(name) == *whole));
    bench.leave().await;
}

/// Who gives a file up is not kept waiting until the server's silence counts as one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_small_file_is_given_up_at_once_on_a_silent_line() {
    let (world, addr) = World::serve(&[], |_, request| match request {
        Request::Fetch { .. } => Fault::Silence,
        _ => Fault::None,
    });
    let mut bench = bench(addr);
    let want = |name| Wanted::file(RemotePath::from(name), Some(7));
    bench.command(Command::Fetch(["a", "b", "c"].map(want).into()));
    let asked = async {
        while world.fetches().is_empty() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    timeout(DEADLINE, asked).await.unwrap();
    bench.command(Command::Cancel(JobId(2)));
    assert_eq!(bench.ended(2).await, (Outcome::Cancelled, "cancelled"));
    assert!(!bench.has_waited(), "{:?}", bench.told);
    bench.leave().await;
}

/// The same of what is sent; its neighbours wait on, and go over a line of their own.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_small_upload_is_given_up_at_once_on_a_silent_line() {
    let heard = Arc::new(AtomicUsize::new(0));
    let stores = Arc::clone(&heard);
    let (world, addr) = World::serve(&[], move |_, request| match request {
        // The first line falls silent behind the first file that was announced on it.
        Request::Store { .. } if stores.fetch_add(1, SeqCst) == 0 => Fault::Silence,
        _ => Fault::None,
    });
    let mut bench = bench(addr);
    let outgoing = ["a", "b", "c"].map(|name| {
        let local = bench.dir.path().join(name);
        std::fs::write(&local, name).unwrap();
        Outgoing {
            local,
            path: RemotePath::from(name),
        }
    });
    bench.command(Command::Send(outgoing.into()));
    let asked = async {
        while heard.load(SeqCst) == 0 {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    timeout(DEADLINE, asked).await.unwrap();
    bench.command(Command::Cancel(JobId(2)));
    assert_eq!(bench.ended(2).await, (Outcome::Cancelled, "cancelled"));
    assert_eq!(bench.ended(1).await, WELL);
    assert_eq!(bench.ended(3).await, WELL);
    assert!(world.file("b").is_none());
    assert!(!bench.has_waited(), "{:?}", bench.told);
    bench.leave().await;
}

/// Nobody waits for a server that is not back yet, either.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_small_upload_is_given_up_while_its_server_does_not_greet() {
    let heard = Arc::new(AtomicUsize::new(0));
    let hellos = Arc::clone(&heard);
    let (_, addr) = World::serve(&[], move |_, request| match request {
        // The first is the browsing line's.
        Request::Hello { .. } if hellos.fetch_add(1, SeqCst) > 0 => Fault::Silence,
        _ => Fault::None,
    });
    let mut bench = bench(addr);
    bench.command(Command::Open(RemotePath::root()));
    let told = |what: &What| matches!(what, What::Link(Link::Ready { .. })).then_some(());
    bench.hears(told).await;
    let local = bench.dir.path().join("mine");
    std::fs::write(&local, "mine").unwrap();
    bench.send(&local, "a");
    let asked = async {
        while heard.load(SeqCst) < 2 {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    timeout(DEADLINE, asked).await.unwrap();
    bench.command(Command::Cancel(JobId(1)));
    assert_eq!(bench.ended(1).await, (Outcome::Cancelled, "cancelled"));
    assert!(!bench.has_waited(), "{:?}", bench.told);
    bench.leave().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bundle_whose_line_breaks_goes_on() {
    let files = small(100);
    let held: Vec<(&str, Vec<u8>)> = files
        .iter()
        .map(|(name, whole)| (name.as_str(), whole.clone()))
        .collect();
    let cut = AtomicUsize::new(0);
    let (_, addr) = World::serve(&held, move |_, request| match request {
        Request::Fetch { path, .. } if path.as_str() == Some("f0050") => {
            match cut.fetch_add(1, SeqCst) {
                0 => Fault::Cut(10),
                _ => Fault::None,
            }
        }
        _ => Fault::None,
    });
    let mut bench = bench(addr);
    let want = |(name, whole): &(String, Vec<u8>)| {
        Wanted::file(RemotePath::from(name.as_str()), Some(whole.len() as u64))
    };
    bench.command(Command::Fetch(files.iter().map(want).collect()));
    let mut ends = BTreeMap::new();
    while ends.len() < files.len() {
        ends.extend(bench.some_ends().await);
    }
    assert!(ends.values().all(|end| *end == WELL), "{ends:?}");
    assert!(files.iter().all(|(name, whole)| bench.read(name) == *whole));
    bench.leave().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_folder_comes_with_all_that_is_in_it() {
    let files = [
        ("d/a", pattern(10)),
        ("d/.hidden", pattern(10)),
        ("d/.ferrydeck-0.part", pattern(10)),
        ("d/deep/er/b c", pattern(300_000)),
        ("d/deep/ü", pattern(0)),
        ("other", pattern(3)),
    ];
    let (world, addr) = World::serve(&files, |_, _| Fault::None);
    world.folders.lock().unwrap().push("d/empty".to_owned());
    let mut bench = bench(addr);
    bench.command(Command::Fetch(vec![Wanted {
        path: RemotePath::from("d"),
        size: None,
        kind: Kind::Dir,
    }]));
    let mut ends = BTreeMap::new();
    while ends.len() < 6 {
        ends.extend(bench.some_ends().await);
    }
    let mut causes: Vec<&str> = ends.values().map(|(_, cause)| *cause).collect();
    causes.sort_unstable();
    assert_eq!(causes, ["", "", "", "", "name", "name"]);
    for (name, whole) in [&files[0], &files[3], &files[4]] {
        assert!(bench.read(name) == *whole, "{name}");
    }
    assert!(bench.dir.path().join("d/empty").is_dir());
    assert_eq!(bench.names(), ["d"]);
    assert!(!bench.dir.path().join("d/.hidden").exists());
    bench.leave().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_of_a_folder_is_told_with_where_it_goes() {
    let (_, addr) = World::serve(&[("in/d/deep/a", pattern(10))], |_, _| Fault::None);
    let mut bench = bench(addr);
    bench.command(Command::Fetch(vec![Wanted {
        path: RemotePath::from("in/d"),
        size: None,
        kind: Kind::Dir,
    }]));
    let told = |what: &What| match what {
        What::Job(job) if job.kind == Kind::File => Some(job.folder.to_string()),
        _ => None,
    };
    assert_eq!(bench.hears(told).await, "d/deep");
    bench.leave().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_endless_folder_has_an_end() {
    // Every folder holds another one.
    let addr = fake(|_, socket| {
        let mut conn = Conn::new(socket);
        while let Some(request) = conn.request() {
            let entry = Entry {
                name: "d".into(),
                kind: Kind::Dir,
                size: 0,
                mtime: 0,
            };
            let reply = match request {
                Request::Hello { .. } => Reply::Welcome(Welcome::default()),
                Request::Stat { .. } => Reply::Stat {
                    entry,
                    version: None,
                },
                Request::List { .. } => Reply::Page(Page {
                    entries: vec![entry],
                    ..Page::default()
                }),
                other => panic!("{other:?}"),
            };
            if conn.reply(&reply).is_none() {
                return;
            }
        }
    });
    let mut bench = bench(addr);
    bench.command(Command::Fetch(vec![Wanted {
        path: RemotePath::from("d"),
        size: None,
        kind: Kind::Dir,
    }]));
    let mut ends = BTreeMap::new();
    while !ends.contains_key(&JobId(1)) {
        ends.extend(bench.some_ends().await);
    }
    // The walk is over, and said what it did not go into.
    assert!(
        ends.values()
            .any(|(outcome, _)| *outcome == Outcome::Failed)
    );
    bench.leave().await;
}

/// A page of a thousand long names, and more to follow.
fn long_names() -> Page {
    let name = |n: usize| format!("{n:0>200}");
    Page {
        entries: (0..1_000)
            .map(|n| Entry {
                name: name(n).into(),
                kind: Kind::Dir,
                size: 0,
                mtime: 0,
            })
            .collect(),
        unlisted: 0,
        more: true,
    }
}

/// A walk of its own, as patient as any.
fn tour(addr: SocketAddr, path: RemotePath) -> walk::Tour {
    let target = Target {
        dialect: Dialect::Deck,
        host: addr.ip().to_string(),
        port: addr.port(),
        clients: None,
        keys: private::Keys::default(),
    };
    let patience = Patience::of(Dialect::Deck);
    let limit = Arc::new(Limit::new(None));
    let pool = Pool::new(target, patience, "me".into(), Manner::Brief, 0, limit);
    walk::Tour::new(Arc::new(pool), path)
}

#[tokio::test(start_paused = true)]
async fn pages_without_a_name_are_no_progress() {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let mut codec = server_codec(Dialect::Deck, crate::entity::Speak::Auto);
        let mut said = |reply: &Reply| {
            let mut out = Vec::new();
            codec.encode(reply, &mut out);
            out
        };
        let welcome = said(&Reply::Welcome(Welcome::default()));
        let page = said(&Reply::Page(Page {
            more: true,
            ..Page::default()
        }));
        loop {
            let (mut peer, _) = listener.accept().await.unwrap();
            let (welcome, page) = (welcome.clone(), page.clone());
            tokio::spawn(async move {
                peer.set_nodelay(true).unwrap();
                let _ = peer.read(&mut [0; 1_024]).await;
                let _ = peer.write_all(&welcome).await;
                while peer.write_all(&page).await.is_ok() {
                    tokio::time::sleep(Duration::from_secs(20)).await;
                }
            });
        }
    });
    let began = tokio::time::Instant::now();
    let (_, listed) = tour(addr, RemotePath::from("d"))
        .next(&|_| {})
        .await
        .unwrap();
    let why = listed.unwrap_err();
    assert_eq!(why.cause, "timeout");
    assert!(why.detail.contains("no name"), "{why}");
    // Six tries of ten minutes each; by the number of pages alone it would be weeks.
    assert!(began.elapsed() < Duration::from_hours(2));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn names_that_lie_deep_do_not_fill_the_memory() {
    let asked = Arc::new(AtomicUsize::new(0));
    let pages = Arc::clone(&asked);
    let addr = fake(move |_, socket| {
        let mut conn = Conn::new(socket);
        while let Some(request) = conn.request() {
            let fine = match request {
                Request::Hello { .. } => conn.reply(&Reply::Welcome(Welcome::default())),
                _ => loop {
                    pages.fetch_add(1, SeqCst);
                    if conn.reply(&Reply::Page(long_names())).is_none() {
                        break None;
                    }
                },
            };
            if fine.is_none() {
                return;
            }
        }
    });
    let deep = RemotePath::from(vec!["x".repeat(200); 19].join("/").as_str());
    let mut tour = tour(addr, deep);
    let (_, listed) = tour.next(&|_| {}).await.unwrap();
    assert_eq!(listed.map_err(|failure| failure.cause), Err("too_many"));
    assert!(tour.next(&|_| {}).await.is_none());
    // Their number alone would let a thousand pages in, of 4 GiB of paths.
    assert!(asked.load(SeqCst) < 200, "{}", asked.load(SeqCst));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_what_is_missing_is_sent_and_the_root_compared() {
    let begun = pattern(usize::try_from(BLOCK).unwrap());
    let (world, addr) = World::serve(&[("up/a.begun", begun)], at_first(1, Fault::Flip(2)));
    let mut bench = bench(addr);
    let local = bench.dir.path().join("mine");
    std::fs::write(&local, large()).unwrap();
    bench.send(&local, "up/a");
    assert_eq!(bench.ended(1).await, WELL);
    assert!(world.file("up/a").unwrap().0 == large());
    let last = bench.told.last().map(|(_, job)| Arc::clone(job)).unwrap();
    assert_eq!(last.direction, Direction::Out);
    bench.leave().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_upload_that_stands_there_otherwise_has_failed() {
    for size in [100, 3 * 4_194_304] {
        let (_, addr) = World::serve(&[], at_first(9, Fault::Root));
        let mut bench = bench(addr);
        let local = bench.dir.path().join("mine");
        std::fs::write(&local, pattern(size)).unwrap();
        bench.send(&local, "a");
        assert_eq!(bench.ended(1).await, (Outcome::Failed, "corrupt"), "{size}");
        bench.leave().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_upload_goes_on_after_a_cut() {
    for (size, cut) in [(5_000, 1_000), (3 * 4_194_304, 2 * BLOCK)] {
        let (world, addr) = World::serve(&[], at_first(1, Fault::Cut(cut)));
        let mut bench = bench(addr);
        let local = bench.dir.path().join("mine");
        std::fs::write(&local, pattern(size)).unwrap();
        bench.send(&local, "a");
        assert_eq!(bench.ended(1).await, WELL, "{size}");
        assert!(world.file("a").unwrap().0 == pattern(size));
        bench.leave().await;
    }
}

/// Takes whatever is said, then drips an answer that has no end.
fn drip(conn: &mut Conn) -> Option<()> {
    conn.socket.set_nonblocking(true).unwrap();
    conn.say(&[0x49, 0x7E, 0x23, 0, 0, 0x3F, 0xFF])?;
    loop {
        std::thread::sleep(Duration::from_millis(20));
        while conn.socket.read(&mut [0; 4_096]).is_ok_and(|read| read > 0) {}
        conn.say(&[0xA0])?;
    }
}

/// Why an item waits to be tried again.
fn why(state: &JobState) -> Option<String> {
    match state {
        JobState::Waiting { why, .. } => Some(why.to_string()),
        _ => None,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wait_may_come_before_any_answer() {
    let addr = fake(|_, socket| {
        let mut conn = Conn::new(socket);
        while let Some(request) = conn.request() {
            let reply = match request {
                Request::Hello { .. } => Reply::Welcome(Welcome::default()),
                Request::List { .. } => Reply::Page(Page::default()),
                _ => Reply::Refused(Refusal::NotFound),
            };
            for done in [0, 0, 1] {
                conn.reply(&Reply::Wait { done, of: 1 });
            }
            conn.reply(&reply);
        }
    });
    let mut bench = bench(addr);
    bench.command(Command::Open(RemotePath::root()));
    let names = bench.listing().await;
    assert_eq!(names, Ok(Vec::new()));
    bench.fetch(&["a"]);
    assert_eq!(bench.ended(1).await, (Outcome::Failed, "not_found"));
    bench.leave().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dripping_answer_to_a_small_upload_is_not_waited_for() {
    let addr = fake(|_, socket| {
        let mut conn = Conn::new(socket);
        while let Some(request) = conn.request() {
            if let Request::Hello { .. } = request {
                conn.reply(&Reply::Welcome(Welcome::default()));
            } else {
                drip(&mut conn);
                return;
            }
        }
    });
    let mut bench = Bench::hasty(Dialect::Deck, addr);
    let local = bench.dir.path().join("mine");
    std::fs::write(&local, pattern(100)).unwrap();
    bench.send(&local, "a");
    let state = bench.until(1, |state| why(state).is_some()).await;
    assert!(why(&state).unwrap().contains("drips"), "{state:?}");
    bench.leave().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_drips_and_never_reads_is_not_sent_to_for_ever() {
    let addr = fake(|_, socket| {
        let mut conn = Conn::new(socket);
        while let Some(request) = conn.request() {
            if let Request::Hello { .. } = request {
                conn.reply(&Reply::Welcome(Welcome::default()));
                continue;
            }
            conn.reply(&Reply::Here { blocks: Vec::new() });
            // A refusal that never ends; nothing is read meanwhile.
            let mut byte = conn.say(&[0x49, 0x7E, 0x1D, 0, 0, 0x3F, 0xFF]);
            while byte.is_some() {
                std::thread::sleep(Duration::from_millis(4));
                byte = conn.say(&[0xA0]);
            }
            return;
        }
    });
    let mut bench = Bench::hasty(Dialect::Deck, addr);
    let local = bench.dir.path().join("mine");
    let file = std::fs::File::create(&local).unwrap();
    file.set_len(64 << 20).unwrap();
    bench.send(&local, "a");
    bench.until(1, |state| why(state).is_some()).await;
    bench.leave().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_here_by_turns_is_no_progress() {
    let times = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&times);
    let addr = fake(move |_, socket| {
        let mut conn = Conn::new(socket);
        while let Some(request) = conn.request() {
            if let Request::Hello { .. } = request {
                conn.reply(&Reply::Welcome(Welcome::default()));
                continue;
            }
            let blocks = match count.fetch_add(1, SeqCst) % 2 {
                0 => vec![Span { first: 0, count: 1 }],
                _ => Vec::new(),
            };
            conn.reply(&Reply::Here { blocks });
            // Long enough for it to be heard, and nothing of the payload is.
            std::thread::sleep(Duration::from_millis(50));
            return;
        }
    });
    let bench = bench(addr);
    let local = bench.dir.path().join("mine");
    std::fs::write(&local, large()).unwrap();
    bench.send(&local, "a");
    // Pauses of 0.5, 1 and 2 s lie between four tries; it is never better than at first.
    tokio::time::sleep(Duration::from_millis(3_400)).await;
    assert!(times.load(SeqCst) <= 4, "{}", times.load(SeqCst));
    bench.leave().await;
}

/// Twelve mebibytes at eight a second take more than a second, whoever hurries.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_item_that_runs_can_be_slowed() {
    let (_, addr) = World::serve(&[("a", large())], |_, _| Fault::None);
    let slow = Means {
        limit: Some(64 << 10),
        ..Means::default()
    };
    let mut bench = Bench::again_by(Dialect::Deck, addr, TempDir::new().unwrap(), slow);
    bench.fetch(&["a"]);
    bench
        .until(1, |state| matches!(state, JobState::Running { .. }))
        .await;
    let began = std::time::Instant::now();
    let own = |rate| Command::Limit {
        job: Some(JobId(1)),
        rate,
    };
    bench.command(own(Some(8 << 20)));
    bench.command(Command::Limit {
        job: None,
        rate: None,
    });
    assert_eq!(bench.ended(1).await, WELL);
    assert!(
        began.elapsed() > Duration::from_secs(1),
        "{:?}",
        began.elapsed()
    );
    bench.leave().await;
}

/// What landed though nobody said so is found there by its hash, and is no clash.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_upload_whose_answer_was_lost_is_known_again() {
    for size in [0, 5_000, 3 * 4_194_304] {
        for (tree, end) in [
            (Fault::None, WELL),
            // Somebody else's file of that name.
            (Fault::Root, (Outcome::Failed, "exists")),
        ] {
            let (world, addr) = World::serve(&[], move |_, request| match request {
                Request::Store { .. } => Fault::Unanswered,
                Request::Tree { .. } => tree.clone(),
                _ => Fault::None,
            });
            let mut bench = bench(addr);
            let local = bench.dir.path().join("mine");
            std::fs::write(&local, pattern(size)).unwrap();
            bench.send(&local, "a");
            assert_eq!(bench.ended(1).await, end, "{size}");
            assert!(world.file("a").unwrap().0 == pattern(size));
            bench.leave().await;
        }
    }
}

/// A server may hold the part for a line that broke already: that is waited for.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_upload_waits_for_its_own_broken_line() {
    let (world, addr) = World::serve(&[], |world, request| {
        let log = world.log.lock().unwrap();
        let stores = log
            .iter()
            .filter(|old| matches!(old, Request::Store { .. }));
        match (request, stores.count()) {
            (Request::Store { .. }, 0) => Fault::Cut(BLOCK),
            (Request::Store { .. }, 1 | 2) => Fault::Refuse(Refusal::Busy),
            _ => Fault::None,
        }
    });
    let mut bench = bench(addr);
    let local = bench.dir.path().join("mine");
    std::fs::write(&local, large()).unwrap();
    bench.send(&local, "a");
    assert_eq!(bench.ended(1).await, WELL);
    assert!(world.file("a").unwrap().0 == large());
    bench.leave().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn refusals_of_an_upload_are_said() {
    for (refusal, cause) in [
        (Refusal::NoRoom, "no_room"),
        (Refusal::NotAllowed, "not_allowed"),
        (Refusal::Exists, "exists"),
    ] {
        let (world, addr) = World::serve(&[], move |_, request| match request {
            Request::Store { .. } => Fault::Refuse(refusal),
            _ => Fault::None,
        });
        let mut bench = bench(addr);
        let local = bench.dir.path().join("mine");
        std::fs::write(&local, pattern(5_000_000)).unwrap();
        bench.send(&local, "a");
        assert_eq!(bench.ended(1).await, (Outcome::Failed, cause));
        assert!(world.file("a").is_none());
        bench.leave().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pause_keeps_what_was_checked_and_a_cancel_does_not() {
    let (world, addr) = World::serve(&[("a", large())], |world, request| match request {
        Request::Fetch { .. } if world.fetches().is_empty() => Fault::Stall(BLOCK + 9),
        Request::Fetch { .. } if world.fetches().len() == 2 => Fault::Stall(9),
        _ => Fault::None,
    });
    let mut bench = bench(addr);
    bench.fetch(&["a"]);
    let running = |state: &JobState| match state {
        JobState::Running { started } => Some(Arc::clone(started)),
        _ => None,
    };
    let state = bench.until(1, |state| running(state).is_some()).await;
    let started = running(&state).unwrap();
    let verified = async {
        while started.progress.verified() < BLOCK {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    timeout(DEADLINE, verified).await.unwrap();
    bench.command(Command::Pause(JobId(1)));
    bench
        .until(
            1,
            |state| matches!(state, JobState::Paused { done } if *done == BLOCK),
        )
        .await;
    assert_eq!(bench.names().len(), 2);
    bench.command(Command::Resume(JobId(1)));
    assert_eq!(bench.ended(1).await, WELL);
    assert!(bench.read("a") == large());
    assert_eq!(world.fetches()[1].0, BLOCK);
    std::fs::remove_file(bench.dir.path().join("a")).unwrap();
    bench.fetch(&["a"]);
    bench.until(2, |state| running(state).is_some()).await;
    bench.command(Command::Cancel(JobId(2)));
    assert_eq!(bench.ended(2).await, (Outcome::Cancelled, "cancelled"));
    // What had arrived is let go of off the loop, a moment later.
    let gone = async {
        while !bench.names().is_empty() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    timeout(DEADLINE, gone).await.unwrap();
    bench.leave().await;
}

/// What was read and not sent when a line broke is sent over the next one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn small_files_outlive_their_line() {
    let first = at_first(1, Fault::Cut(0));
    let (world, addr) = World::serve(&[], move |world, request| {
        let fault = first(world, request);
        if fault != Fault::None {
            // As many as may be sent are sent, and more are ready.
            std::thread::sleep(std::time::Duration::from_millis(300));
        }
        fault
    });
    let mut bench = bench(addr);
    let files = (0..200).map(|n| {
        let local = bench.dir.path().join(format!("f{n}"));
        std::fs::write(&local, pattern(n + 1)).unwrap();
        let path = RemotePath::from(format!("f{n}").as_str());
        Outgoing { local, path }
    });
    bench.command(Command::Send(files.collect()));
    let mut ends = BTreeMap::new();
    while ends.len() < 200 {
        ends.extend(bench.some_ends().await);
    }
    let bad = ends.values().find(|(outcome, _)| !outcome.went_well());
    assert_eq!(bad, None);
    for n in 0..200 {
        assert!(world.file(&format!("f{n}")).unwrap().0 == pattern(n + 1));
    }
    bench.leave().await;
}

/// What has come and was checked lands, however long the line is silent behind it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn small_files_do_not_wait_for_a_silent_line() {
    let files = ["a", "b", "c"].map(|name| (name, pattern(9)));
    let (_, addr) = World::serve(&files, |_, request| match request {
        Request::Fetch { path, .. } if path.as_str() == Some("c") => Fault::Stall(1),
        _ => Fault::None,
    });
    let mut bench = bench(addr);
    let small = |name: &str| Wanted::file(name.into(), Some(9));
    bench.command(Command::Fetch(["a", "b", "c"].map(small).to_vec()));
    let mut ends = BTreeMap::new();
    while ends.len() < 2 {
        ends.extend(bench.some_ends().await);
    }
    assert_eq!(ends, BTreeMap::from([(JobId(1), WELL), (JobId(2), WELL)]));
    bench.leave().await;
}

/// What stands there under its name is not called cancelled.
#[test]
fn what_is_being_landed_is_landed() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .max_blocking_threads(1)
        .enable_all()
        .build()
        .unwrap();
    let (busy, release) = std::sync::mpsc::channel::<()>();
    let (busy, release) = (Mutex::new(Some(busy)), Mutex::new(Some(release)));
    let threads = runtime.handle().clone();
    // So large that its root is asked for: what is left then is to land.
    let (world, addr) = World::serve(&[("a", pattern(32 << 20))], move |_, request| {
        if matches!(request, Request::Tree { .. })
            && let Some(release) = release.lock().unwrap().take()
        {
            threads.spawn_blocking(move || release.recv());
        }
        Fault::None
    });
    runtime.block_on(async {
        let mut bench = bench(addr);
        bench.fetch(&["a"]);
        let asked = async {
            let tree = |request: &Request| matches!(request, Request::Tree { .. });
            while !world.log.lock().unwrap().iter().any(tree) {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        };
        timeout(DEADLINE, asked).await.unwrap();
        // The answer is heard, and the cancel.
        tokio::time::sleep(Duration::from_millis(200)).await;
        bench.command(Command::Cancel(JobId(1)));
        tokio::time::sleep(Duration::from_millis(200)).await;
        drop(busy.lock().unwrap().take());
        let (outcome, _) = bench.ended(1).await;
        bench.leave().await;
        assert_eq!(outcome, Outcome::CompleteHash);
    });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_folder_is_sent_with_all_that_is_in_it() {
    let (world, addr) = World::serve(&[], |_, _| Fault::None);
    let mut bench = bench(addr);
    let top = bench.dir.path().join("top");
    std::fs::create_dir_all(top.join("a/b")).unwrap();
    std::fs::create_dir(top.join("empty")).unwrap();
    for n in 0..100 {
        std::fs::write(top.join(format!("a/f{n}")), pattern(n * 7)).unwrap();
    }
    std::fs::write(top.join("a/b/large"), large()).unwrap();
    std::os::unix::fs::symlink("/etc/passwd", top.join("link")).unwrap();
    bench.send(&top, "up");
    let mut ends = BTreeMap::new();
    while ends.len() < 102 {
        ends.extend(bench.some_ends().await);
    }
    assert!(
        ends.values().all(|(outcome, _)| outcome.went_well()),
        "{ends:?}"
    );
    for n in 0..100 {
        assert!(world.file(&format!("up/a/f{n}")).unwrap().0 == pattern(n * 7));
    }
    assert!(world.file("up/a/b/large").unwrap().0 == large());
    assert!(world.file("up/link").is_none());
    let mut folders = world.folders.lock().unwrap().clone();
    folders.sort();
    assert_eq!(folders, ["up", "up/a", "up/a/b", "up/empty"]);
    bench.leave().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_choice_is_counted_and_deleted_from_the_bottom_up() {
    let files = [
        ("d/a", pattern(10)),
        ("d/e/b", pattern(20)),
        ("c", pattern(3)),
        ("kept", pattern(1)),
    ];
    let (world, addr) = World::serve(&files, |_, _| Fault::None);
    let mut bench = bench(addr);
    let choice = || {
        let doomed = |path, kind| Doomed {
            path: RemotePath::from(path),
            kind,
        };
        vec![doomed("d", Kind::Dir), doomed("c", Kind::File)]
    };
    bench.command(Command::Count {
        request: 7,
        what: choice(),
    });
    let counted = bench
        .hears(|what| match what {
            What::Counted(Counted {
                request: 7,
                walk,
                state: ListingState::Whole,
            }) => Some(Arc::clone(walk)),
            _ => None,
        })
        .await;
    assert_eq!(
        (counted.files(), counted.folders(), counted.bytes()),
        (3, 1, 33)
    );
    bench.command(Command::Delete(choice()));
    let words = bench
        .hears(|what| match what {
            What::Note(fact) if fact.cause == "deleted" => Some(fact.detail.to_string()),
            _ => None,
        })
        .await;
    assert_eq!(words, "deleted 3 files and 2 folders");
    let left: Vec<String> = world.files.lock().unwrap().keys().cloned().collect();
    assert_eq!(left, ["kept"]);
    bench.leave().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hashes_are_told_as_they_are_asked_for() {
    let (_, addr) = World::serve(
        &[("a", pattern(10)), ("b", large())],
        |_, request| match request {
            Request::Tree { path, .. } if path.as_str() == Some("c") => {
                Fault::Refuse(Refusal::NotFound)
            }
            _ => Fault::None,
        },
    );
    let mut bench = bench(addr);
    for name in ["a", "b", "c"] {
        bench.command(Command::Hash(RemotePath::from(name)));
    }
    for due in [Some(root(&pattern(10))), Some(root(&large())), None] {
        let told = bench
            .hears(|what| match what {
                What::Hashed(Hashed { root, .. }) => Some(root.clone().ok()),
                _ => None,
            })
            .await;
        assert_eq!(told, due);
    }
    bench.leave().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_went_away_is_called_again_and_read_again() {
    let (world, _) = World::serve(&[("a", pattern(10))], |_, _| Fault::None);
    let calls = AtomicUsize::new(0);
    let addr = fake(move |_, socket| {
        let mut conn = Conn::new(socket);
        if calls.fetch_add(1, SeqCst) == 0 {
            // Gone before the greeting is answered.
            let _ = conn.request();
            return;
        }
        let _ = conn.run(&world);
    });
    let means = Means {
        manner: Manner::Lasting,
        ..Means::default()
    };
    let mut bench = Bench::by(Dialect::Deck, addr, OnClash::Fail, means);
    bench.command(Command::Open(RemotePath::root()));
    let again = bench
        .hears(|what| match what {
            What::Link(Link::Lost { again, .. }) => Some(*again),
            _ => None,
        })
        .await;
    assert_eq!(again, Some(Duration::from_secs(1)));
    bench
        .hears(|what| match what {
            What::Listing(listing) if listing.state == ListingState::Whole => Some(()),
            _ => None,
        })
        .await;
    bench.leave().await;
}

/// Wants a client that waits for its server.
fn lasting(addr: SocketAddr) -> Bench {
    let means = Means {
        manner: Manner::Lasting,
        ..Means::default()
    };
    Bench::by(Dialect::Deck, addr, OnClash::Fail, means)
}

fn lost(what: &What) -> Option<(String, bool)> {
    match what {
        What::Link(Link::Lost { why, again }) => Some((why.to_string(), again.is_some())),
        _ => None,
    }
}

/// A server that says it leaves is waited for as one that is gone, whoever hears it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_leaves_is_called_again_and_what_waits_goes_on() {
    let files = [("a", large()), ("b", pattern(10))];
    let said = AtomicUsize::new(0);
    let (_, addr) = World::serve(&files, move |_, request| match request {
        Request::List { .. } if said.fetch_add(1, SeqCst) == 0 => Fault::Refuse(Refusal::Leaving),
        _ => Fault::None,
    });
    let mut bench = lasting(addr);
    bench.command(Command::Open(RemotePath::root()));
    let away = ("the server is shutting down".to_owned(), true);
    assert_eq!(bench.hears(lost).await, away);
    let listed = |what: &What| match what {
        What::Listing(listing) => (listing.state == ListingState::Whole).then_some(()),
        _ => None,
    };
    bench.hears(listed).await;
    bench.leave().await;

    // A large and a small one, each way.
    let (_, addr) = World::serve(&files, {
        let told = Mutex::new(Vec::new());
        move |_, request| {
            let path = match request {
                Request::Fetch { path, .. } | Request::Store { path, .. } => path.clone(),
                _ => return Fault::None,
            };
            let mut told = told.lock().unwrap();
            if told.contains(&path) {
                return Fault::None;
            }
            told.push(path);
            Fault::Refuse(Refusal::Leaving)
        }
    });
    let mut bench = lasting(addr);
    let want = |name: &str, size| Wanted::file(RemotePath::from(name), Some(size));
    bench.command(Command::Fetch(vec![want("a", large().len() as u64)]));
    assert_eq!(bench.ended(1).await, WELL);
    bench.command(Command::Fetch(vec![want("b", 10)]));
    assert_eq!(bench.ended(2).await, WELL);
    for (job, name, whole) in [(3, "c", large()), (4, "d", pattern(10))] {
        let local = bench.dir.path().join("mine");
        std::fs::write(&local, whole).unwrap();
        bench.send(&local, name);
        assert_eq!(bench.ended(job).await, WELL, "{name}");
    }
    bench.leave().await;
}

/// A line on which nothing is asked hears it too.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_leaves_says_so_unasked() {
    let (world, _) = World::serve(&[("a", pattern(10))], |_, _| Fault::None);
    let addr = fake(move |_, socket| {
        let mut conn = Conn::new(socket);
        for _ in 0..2 {
            let Some(request) = conn.request() else {
                return;
            };
            conn.answer(&world, request, &Fault::None);
        }
        conn.reply(&Reply::Refused(Refusal::Leaving));
    });
    let mut bench = lasting(addr);
    bench.command(Command::Open(RemotePath::root()));
    let away = ("the server is shutting down".to_owned(), true);
    assert_eq!(bench.hears(lost).await, away);
    bench.leave().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_goes_while_nobody_asks_is_missed_at_once() {
    let (world, _) = World::serve(&[("a", pattern(10))], |_, _| Fault::None);
    let calls = AtomicUsize::new(0);
    let addr = fake(move |_, socket| {
        let mut conn = Conn::new(socket);
        if calls.fetch_add(1, SeqCst) > 0 {
            let _ = conn.run(&world);
            return;
        }
        // Greeted and listed; then it is gone, long before a ping is due.
        for _ in 0..2 {
            let Some(request) = conn.request() else {
                return;
            };
            conn.answer(&world, request, &Fault::None);
        }
    });
    let means = Means {
        manner: Manner::Lasting,
        ..Means::default()
    };
    let mut bench = Bench::by(Dialect::Deck, addr, OnClash::Fail, means);
    bench.command(Command::Open(RemotePath::root()));
    let listed = |what: &What| match what {
        What::Listing(listing) if listing.state == ListingState::Whole => Some(()),
        _ => None,
    };
    bench.hears(listed).await;
    let (why, again) = bench
        .hears(|what| match what {
            What::Link(Link::Lost { why, again }) => Some((why.to_string(), *again)),
            _ => None,
        })
        .await;
    assert_eq!(why, "the server closed the connection");
    assert_eq!(again, Some(Duration::from_secs(1)));
    bench.hears(listed).await;
    bench.leave().await;
}

#[test]
fn the_systems_words_come_without_its_numbers() {
    use crate::net::words::plainly;
    for (words, due) in [
        ("Connection refused (os error 111)", "Connection refused"),
        ("a (os error 2): b (os error 13)", "a: b"),
        (
            "a file (os error x) stays (os error 5",
            "a file (os error x) stays (os error 5",
        ),
        ("", ""),
    ] {
        assert_eq!(plainly(words), due);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_queue_outlives_the_client() {
    let (_, addr) =
        World::serve(
            &[("a", large()), ("b", pattern(9))],
            |world, request| match request {
                Request::Fetch { .. } if world.fetches().len() < 2 => Fault::Silence,
                _ => Fault::None,
            },
        );
    let state = assert_fs::TempDir::new().unwrap();
    let means = || Means {
        manner: Manner::Lasting,
        queue: Some(state.path().join("queue/x.json")),
        ..Means::default()
    };
    let mut first = Bench::by(Dialect::Deck, addr, OnClash::Fail, means());
    first.fetch(&["a", "b"]);
    first
        .until(2, |state| matches!(state, JobState::Running { .. }))
        .await;
    // A second one has a queue of its own, which is not kept.
    let mut second = Bench::by(Dialect::Deck, addr, OnClash::Fail, means());
    let cause = second
        .hears(|what| match what {
            What::Note(fact) => Some(fact.cause),
            _ => None,
        })
        .await;
    assert_eq!(cause, "queue_in_use");
    second.leave().await;
    let dir = first.abandon().await;
    let mut third = Bench::again_by(Dialect::Deck, addr, dir, means());
    let saved = third
        .hears(|what| match what {
            What::Saved(saved) => Some(*saved),
            _ => None,
        })
        .await;
    assert_eq!(saved.items, 2);
    third.command(Command::Restore(crate::event::Restore::TakeUp));
    let mut ends = BTreeMap::new();
    while ends.len() < 2 {
        ends.extend(third.some_ends().await);
    }
    assert!(ends.values().all(|end| *end == WELL), "{ends:?}");
    third.leave().await;
    assert!(!state.path().join("queue/x.json").exists());
}

#[test]
fn a_root_follows_from_the_blocks() {
    assert_eq!(
        merge(large().len() as u64, &values(&large())),
        Some(root(&large()))
    );
}

impl Bench {
    fn send(&self, local: &std::path::Path, path: &str) {
        self.command(Command::Send(vec![Outgoing {
            local: local.to_owned(),
            path: RemotePath::from(path),
        }]));
    }

    /// Whether the silence of the line was ever over, and counted as one.
    fn has_waited(&self) -> bool {
        let waiting =
            |(_, told): &(JobId, Arc<Job>)| matches!(told.state, JobState::Waiting { .. });
        self.told.iter().any(waiting)
    }

    /// Waits for something to be told.
    async fn hears<T>(&mut self, meant: impl Fn(&What) -> Option<T>) -> T {
        loop {
            let event = timeout(DEADLINE, self.handle.feed.next()).await.unwrap();
            if let Some(told) = meant(&event.unwrap().what) {
                return told;
            }
        }
    }

    /// The ends the next events tell, those of a snapshot too.
    async fn some_ends(&mut self) -> Vec<(JobId, (Outcome, &'static str))> {
        let end = |job: &Arc<Job>| match &job.state {
            JobState::Ended { outcome, cause, .. } => Some((job.job, (*outcome, *cause))),
            _ => None,
        };
        let event = timeout(DEADLINE, self.handle.feed.next()).await.unwrap();
        match event.unwrap().what {
            What::Job(job) => end(&job).into_iter().collect(),
            What::Reset(snapshot) => snapshot.jobs.iter().filter_map(end).collect(),
            _ => Vec::new(),
        }
    }
}
