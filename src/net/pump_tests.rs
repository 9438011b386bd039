//! Payload both ways: hashed on its way, and when the disk fails under it.
#![expect(
    clippy::unwrap_used,
    clippy::print_stderr,
    clippy::cast_possible_truncation,
    reason = "a test that cannot set its scene has failed"
)]

use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::sync::Mutex;
use std::time::Duration;

use assert_fs::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

use super::intake::{INTAKE, Sink};
use super::*;
use crate::entity::{Dialect, Direction, Outcome, RemotePath};
use crate::net::hub::{ConnGuard, Hub, TransferOrder};
use crate::net::store::Dotfiles;
use crate::net::store::landing::{Floor, Found, Landing, Make, Mark, Part, Unlanded};
use crate::net::tree::{BLOCK, block_len, blocks, merge};
use crate::net::wire::codec::Value;

/// Disk is asked for 8 MiB ahead; the second piece is to find too little of it.
const AHEAD: u64 = 8 << 20;

/// What arrived is only what the disk took: a resumed download must never go on
/// behind a hole.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failed_write_is_not_counted_and_nothing_is_written_behind_it() {
    let memory = Path::new("/dev/shm");
    for _ in 0..10 {
        let Ok(dir) = TempDir::new_in(memory) else {
            eprintln!("skipped: needs /dev/shm");
            return;
        };
        let free = || {
            let stat = rustix::fs::statvfs(memory).unwrap();
            stat.f_bavail * stat.f_frsize
        };
        let before = free();
        // Room for one reservation and about half of what comes behind it.
        let floor = Floor::Bytes(before - AHEAD - (4 << 20));
        let landing = Landing::open(dir.path(), Dotfiles::Hidden, floor, Make::Best).unwrap();
        let part = landing.begin("a", None).unwrap();
        let (mut peer, pipe) = ends().await;
        let sending = tokio::spawn(async move {
            let _ = peer.write_all(&vec![7; 8 << 20]).await;
            peer
        });
        let at = AHEAD - 2 * INTAKE as u64;
        let stop = CancellationToken::new();
        let order = Order {
            at,
            len: 8 << 20,
            patience: PATIENCE,
            stop: &stop,
            count: |_| {},
            hasher: None,
        };
        let taken = Intake::default()
            .run(&pipe, &mut Vec::new(), part, order)
            .await;
        drop(pipe);
        sending.await.unwrap();
        let part = taken.part.unwrap();
        let written = part.file().metadata().unwrap();
        if before.abs_diff(free() + written.blocks() * 512) > 1 << 20 {
            // Others take and give there as well: nothing is proved by that.
            continue;
        }
        assert!(
            matches!(taken.outcome, Err(Unreceived::Disk(Unlanded::Full { .. }))),
            "{:?}",
            taken.outcome
        );
        assert!(
            taken.at >= AHEAD,
            "two pieces fitted, and more than was reserved ahead"
        );
        assert_eq!(written.len(), taken.at);
        return;
    }
    unreachable!("others never leave the memory disk alone");
}

/// Long enough for every test: only a failure waits for it.
const PATIENCE: Duration = Duration::from_secs(20);

/// Bytes that repeat nowhere near.
fn content(len: usize) -> Arc<[u8]> {
    let mut bytes = vec![0; len];
    blake3::Hasher::new().finalize_xof().fill(&mut bytes);
    bytes.into()
}

/// The value of one block, in one go.
fn value(content: &[u8], index: u64) -> Value {
    let mut hasher = BlockHasher::new(content.len() as u64, index);
    hasher.update(&content[(index * BLOCK) as usize..]);
    hasher.value()
}

/// Two ends of a connection.
async fn ends() -> (TcpStream, Pipe) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let peer = TcpStream::connect(listener.local_addr().unwrap())
        .await
        .unwrap();
    let (socket, _) = listener.accept().await.unwrap();
    (peer, Pipe::plain(socket))
}

fn part(dir: &TempDir) -> Part {
    Landing::open(dir.path(), Dotfiles::Hidden, Floor::Bytes(0), Make::Best)
        .unwrap()
        .begin("a", None)
        .unwrap()
}

/// A stretch with a hasher, counted nowhere.
fn order(
    at: u64,
    len: u64,
    stop: &CancellationToken,
    hasher: BlockHasher,
) -> Order<'_, impl Fn(u64) + use<>> {
    Order {
        at,
        len,
        patience: PATIENCE,
        stop,
        count: |_| {},
        hasher: Some(hasher),
    }
}

/// Several streams fill it; from a given offset on the disk is full.
#[derive(Debug)]
struct Shelf {
    file: Arc<File>,
    full_from: u64,
    asked: Mutex<Vec<(u64, u64)>>,
}

impl Shelf {
    fn new(dir: &TempDir, full_from: u64) -> Arc<Self> {
        let path = dir.path().join("shared");
        let file = File::options()
            .read(true)
            .write(true)
            .create_new(true)
            .open(path)
            .unwrap();
        Arc::new(Self {
            file: Arc::new(file),
            full_from,
            asked: Mutex::default(),
        })
    }
}

impl Sink for Arc<Shelf> {
    fn file(&self) -> &Arc<File> {
        &self.file
    }

    fn make_room(&mut self, from: u64, to: u64) -> Result<(), Unlanded> {
        self.asked.lock().unwrap().push((from, to));
        if to > self.full_from {
            let full = io::Error::from(io::ErrorKind::StorageFull);
            return Err(Unlanded::Disk(full));
        }
        Ok(())
    }
}

/// Every length around a buffer's border, with and without bytes that came early.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_comes_in_is_hashed_at_every_border_of_a_buffer() {
    let dir = TempDir::new().unwrap();
    let stop = CancellationToken::new();
    let mut intake = Intake::default();
    let (mut peer, pipe) = ends().await;
    let one = INTAKE as u64;
    let last = [1, 1023, one - 1, one, one + 1, 2 * one - 1, 2 * one];
    let early = [0, 1, 70_000, INTAKE, INTAKE + 1, 3 * INTAKE];
    for (turn, len) in last.into_iter().chain([3 * one + 7, BLOCK]).enumerate() {
        // The second block of a file, so that its place is in the value.
        let content = content((BLOCK + len) as usize);
        let early = early[turn % early.len()].min(len as usize);
        let mut input = content[BLOCK as usize..][..early].to_vec();
        // And what does not belong to it: it stays where it is.
        let behind = early == len as usize;
        if behind {
            input.extend(b"next");
        }
        let all = Arc::clone(&content);
        let sending = tokio::spawn(async move {
            peer.write_all(&all[BLOCK as usize + early..])
                .await
                .unwrap();
            peer
        });
        let hasher = BlockHasher::new(content.len() as u64, 1);
        let taken = intake
            .run(
                &pipe,
                &mut input,
                part(&dir),
                order(BLOCK, len, &stop, hasher),
            )
            .await;
        taken.outcome.unwrap();
        assert_eq!(taken.at, BLOCK + len);
        let hasher = taken.hasher.unwrap();
        assert_eq!(hasher.left(), 0, "{len}");
        assert_eq!(hasher.value(), value(&content, 1), "{len}");
        assert_eq!(input, if behind { &b"next"[..] } else { b"" });
        let mut written = vec![0; len as usize];
        let part = taken.part.unwrap();
        part.file().read_exact_at(&mut written, BLOCK).unwrap();
        assert!(written == content[BLOCK as usize..], "{len}");
        assert!(intake.held() <= 2 * INTAKE, "{}", intake.held());
        peer = sending.await.unwrap();
    }
}

/// A block may come in two stretches: the hasher that came back goes on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hasher_that_came_back_goes_on_where_it_was() {
    let dir = TempDir::new().unwrap();
    let content = content(BLOCK as usize - 5);
    let size = content.len() as u64;
    for cut in [1, INTAKE - 3, INTAKE, 2 * INTAKE + 9] {
        let stop = CancellationToken::new();
        let (mut peer, pipe) = ends().await;
        peer.write_all(&content[..cut]).await.unwrap();
        peer.shutdown().await.unwrap();
        let mut intake = Intake::default();
        let whole = order(0, size, &stop, BlockHasher::new(size, 0));
        let taken = intake.run(&pipe, &mut Vec::new(), part(&dir), whole).await;
        assert!(matches!(taken.outcome, Err(Unreceived::Short)));
        assert_eq!(taken.at, cut as u64);
        let hasher = taken.hasher.unwrap();
        assert_eq!(hasher.left(), size - cut as u64);

        let (mut peer, pipe) = ends().await;
        let rest = content[cut..].to_vec();
        let sending = tokio::spawn(async move { peer.write_all(&rest).await });
        let rest = order(taken.at, size - taken.at, &stop, hasher);
        let taken = intake
            .run(&pipe, &mut Vec::new(), taken.part.unwrap(), rest)
            .await;
        taken.outcome.unwrap();
        let value = taken.hasher.unwrap().value();
        assert_eq!(value, *blake3::hash(&content).as_bytes());
        sending.await.unwrap().unwrap();
    }
}

/// The peer stays silent while we are told to stop: what came is written and hashed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_came_before_the_stop_is_written_and_hashed() {
    let dir = TempDir::new().unwrap();
    let content = content(INTAKE + 100);
    let size = content.len() as u64;
    let (mut peer, pipe) = ends().await;
    let stop = CancellationToken::new();
    peer.write_all(&content[..INTAKE + 60]).await.unwrap();
    let seen = std::sync::atomic::AtomicU64::new(0);
    let order = Order {
        at: 0,
        len: size,
        patience: PATIENCE,
        stop: &stop,
        count: |bytes| {
            let before = seen.fetch_add(bytes, std::sync::atomic::Ordering::Relaxed);
            if before + bytes == INTAKE as u64 + 60 {
                stop.cancel();
            }
        },
        hasher: Some(BlockHasher::new(size, 0)),
    };
    let taken = Intake::default()
        .run(&pipe, &mut Vec::new(), part(&dir), order)
        .await;
    assert!(matches!(taken.outcome, Err(Unreceived::Stopped)));
    assert_eq!(taken.at, INTAKE as u64 + 60);
    let mut hasher = taken.hasher.unwrap();
    hasher.update(&content[INTAKE + 60..]);
    assert_eq!(hasher.value(), value(&content, 0));
}

/// A hasher that has seen bytes which the disk has not is worth nothing: it is gone.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failed_write_takes_the_hasher_and_stops_the_stretch() {
    let dir = TempDir::new().unwrap();
    let one = INTAKE as u64;
    let shelf = Shelf::new(&dir, 2 * one);
    let content = content(6 * INTAKE);
    let (mut peer, pipe) = ends().await;
    let all = Arc::clone(&content);
    let sending = tokio::spawn(async move {
        let _ = peer.write_all(&all).await;
    });
    let stop = CancellationToken::new();
    let hasher = BlockHasher::new(6 * one, 0);
    let taken = Intake::default()
        .run(
            &pipe,
            &mut Vec::new(),
            Arc::clone(&shelf),
            order(0, 6 * one, &stop, hasher),
        )
        .await;
    let told = matches!(&taken.outcome, Err(Unreceived::Disk(Unlanded::Disk(error)))
        if error.kind() == io::ErrorKind::StorageFull);
    assert!(told, "{:?}", taken.outcome);
    assert!(taken.hasher.is_none());
    assert_eq!(taken.at, 2 * one);
    // Nothing behind it was so much as tried.
    let asked = shelf.asked.lock().unwrap().clone();
    assert_eq!(asked, [(0, one), (one, 2 * one), (2 * one, 3 * one)]);
    assert_eq!(shelf.file.metadata().unwrap().len(), 2 * one);
    drop(pipe);
    sending.await.unwrap();
}

/// Brings every fourth block over a connection of its own, from `stream` on, and says
/// their values.
async fn bring<S: Sink + Clone>(stream: u64, content: Arc<[u8]>, sink: S) -> Vec<(u64, Value)> {
    let size = content.len() as u64;
    let stop = CancellationToken::new();
    let mut intake = Intake::default();
    let mut values = Vec::new();
    let (mut peer, pipe) = ends().await;
    for index in (stream..blocks(size)).step_by(4) {
        let (at, len) = (index * BLOCK, block_len(size, index));
        let all = Arc::clone(&content);
        let sending = tokio::spawn(async move {
            let block = &all[at as usize..(at + len) as usize];
            peer.write_all(block).await.unwrap();
            peer
        });
        let order = order(at, len, &stop, BlockHasher::new(size, index));
        let taken = intake
            .run(&pipe, &mut Vec::new(), sink.clone(), order)
            .await;
        taken.outcome.unwrap();
        values.push((index, taken.hasher.unwrap().value()));
        peer = sending.await.unwrap();
    }
    values
}

/// Four connections bring blocks of one file, each its own, into one parcel; it lands as
/// what was sent, and its state could have been gone on from.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn streams_side_by_side_fill_one_parcel() {
    let dir = TempDir::new().unwrap();
    let landing = Landing::open(dir.path(), Dotfiles::Hidden, Floor::Bytes(0), Make::Best).unwrap();
    let content = content(6 * BLOCK as usize + 321);
    let size = content.len() as u64;
    let mark = Mark::new(b"one").unwrap();
    let (parcel, found) = landing.resume("a", &mark, size).unwrap();
    assert_eq!(found, Found::Fresh);
    let parcel = Arc::new(parcel);
    let streams = (0..4).map(|stream| bring(stream, Arc::clone(&content), Arc::clone(&parcel)));
    let streams: tokio::task::JoinSet<_> = streams.collect();
    let mut values = streams.join_all().await.concat();
    values.sort_unstable();
    for (index, value) in &values {
        assert!(parcel.recheck(*index, value).unwrap(), "{index}");
        parcel.done(*index, *value).unwrap();
    }
    assert_eq!(parcel.claims(), values);
    let values: Vec<Value> = values.into_iter().map(|(_, value)| value).collect();
    let root = merge(size, &values).unwrap();
    assert_eq!(
        root.to_string(),
        blake3::hash(&content).to_hex().to_string()
    );
    parcel.land(&landing, "a", None, None).unwrap();
    assert!(std::fs::read(dir.path().join("a")).unwrap() == *content);
}

/// One stream runs into a full disk; what the others brought stays as it is.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_under_one_stream_harms_no_other() {
    let dir = TempDir::new().unwrap();
    let content = content(3 * BLOCK as usize);
    let size = content.len() as u64;
    let shelf = Shelf::new(&dir, 2 * BLOCK + INTAKE as u64);
    let others = (0..2).map(|stream| {
        let content = Arc::from(&content[..2 * BLOCK as usize]);
        bring(stream, content, Arc::clone(&shelf))
    });
    let others: tokio::task::JoinSet<_> = others.collect();
    let (mut peer, pipe) = ends().await;
    let all = Arc::clone(&content);
    let sending = tokio::spawn(async move {
        let _ = peer.write_all(&all[2 * BLOCK as usize..]).await;
    });
    let stop = CancellationToken::new();
    let last = order(2 * BLOCK, BLOCK, &stop, BlockHasher::new(size, 2));
    let taken = Intake::default()
        .run(&pipe, &mut Vec::new(), Arc::clone(&shelf), last)
        .await;
    assert!(matches!(taken.outcome, Err(Unreceived::Disk(_))));
    assert_eq!(taken.at, 2 * BLOCK + INTAKE as u64);
    assert!(taken.part.is_some());
    assert_eq!(others.join_all().await.concat().len(), 2);
    let mut written = vec![0; taken.at as usize];
    shelf.file.read_exact_at(&mut written, 0).unwrap();
    assert!(written == content[..taken.at as usize]);
    assert_eq!(shelf.file.metadata().unwrap().len(), taken.at);
    drop(pipe);
    sending.await.unwrap();
}

fn guard() -> ConnGuard {
    let local = ([127, 0, 0, 1], 1).into();
    Hub::new(8).accept(local, local, CancellationToken::new())
}

fn sent(size: u64) -> TransferOrder {
    TransferOrder {
        job: None,
        dialect: Dialect::Deck,
        direction: Direction::Out,
        proof: Outcome::CompleteHash,
        path: RemotePath::from("a"),
        size: Some(size),
        offset: 0,
        range: None,
    }
}

/// Whatever the way: what leaves is hashed, and leaves behind its head.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_goes_out_is_hashed_on_its_way() {
    let dir = TempDir::new().unwrap();
    let content = content(2 * BLOCK as usize + CHUNK + 1);
    let size = content.len() as u64;
    let path = dir.path().join("a");
    std::fs::write(&path, &content).unwrap();
    let file = Arc::new(File::open(&path).unwrap());
    for way in Way::ALL {
        let (mut peer, pipe) = ends().await;
        let guard = guard();
        let xfer = guard.start(sent(size));
        let reading = tokio::spawn(async move {
            let mut all = Vec::new();
            peer.read_to_end(&mut all).await.unwrap();
            all
        });
        let mut outlet = Outlet::new(Arc::new(pipe), guard.dials_arc(), way);
        let mut expected: Vec<u8> = Vec::new();
        for index in 0..blocks(size) {
            let (at, len) = (index * BLOCK, block_len(size, index));
            let head = format!("block {index}:").into_bytes();
            outlet.head.extend(&head);
            expected.extend(&head);
            expected.extend(&content[at as usize..(at + len) as usize]);
            let mut hasher = BlockHasher::new(size, index);
            outlet
                .run_hashed(&file, at, len, &xfer, &mut hasher)
                .await
                .unwrap();
            assert_eq!(hasher.left(), 0);
            assert_eq!(hasher.value(), value(&content, index), "{way:?} {index}");
        }
        drop(outlet);
        assert!(reading.await.unwrap() == expected, "{way:?}");
        assert_eq!(xfer.started().progress.done(), size);
    }
}

/// A file that has become shorter is told, and its value is not taken for one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_that_shrank_is_told_while_it_is_hashed() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("a");
    std::fs::write(&path, content(CHUNK + 10)).unwrap();
    let file = Arc::new(File::open(&path).unwrap());
    let (mut peer, pipe) = ends().await;
    let guard = guard();
    let size = 3 * CHUNK as u64;
    let xfer = guard.start(sent(size));
    let reading = tokio::spawn(async move {
        let mut all = Vec::new();
        peer.read_to_end(&mut all).await.unwrap();
        all.len()
    });
    let mut outlet = Outlet::new(Arc::new(pipe), guard.dials_arc(), Way::BEST);
    let mut hasher = BlockHasher::new(size, 0);
    let sent = outlet.run_hashed(&file, 0, size, &xfer, &mut hasher).await;
    assert!(matches!(sent, Err(Broken::Shrank)), "{sent:?}");
    assert_eq!(hasher.left(), size - CHUNK as u64 - 10);
    drop(outlet);
    assert_eq!(reading.await.unwrap(), CHUNK + 10);
}

#[tokio::test]
async fn payload_stands_where_it_belongs_between_the_heads() {
    let payload = content(900_000);
    let (mut peer, pipe) = ends().await;
    let reading = tokio::spawn(async move {
        let mut all = Vec::new();
        peer.read_to_end(&mut all).await.unwrap();
        all
    });
    let dials = Arc::new(Dials::default());
    let mut outlet = Outlet::new(Arc::new(pipe), Arc::clone(&dials), Way::BEST);
    outlet.head.extend(b"one two last");
    let places = [
        (0, 5..5),
        (4, 0..700_001),
        (4, 700_001..700_002),
        (8, 700_002..900_000),
    ];
    outlet.flush_around(&payload, &places).await.unwrap();
    outlet.flush().await.unwrap();
    assert!(outlet.head.is_empty());
    drop(outlet);
    let parts: [&[u8]; 5] = [
        b"one ",
        &payload[..700_002],
        b"two ",
        &payload[700_002..],
        b"last",
    ];
    let got = reading.await.unwrap();
    assert!(got == parts.concat());
    assert_eq!(dials.bytes_out(), got.len() as u64);
}
