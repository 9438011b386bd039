//! deck, whole: what must hold whatever is cut, killed or thrown at it, with the real binaries.
//!
//! `cargo test --release --features heavy --test proofs -- --nocapture` prints
//! what was measured. Every transfer is compared by BLAKE3, and by its times.
#![cfg(feature = "heavy")]
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a proof that cannot set its scene has failed; what it measures is for reading"
)]

use std::collections::BTreeMap;
use std::fs::{self, File, FileTimes};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use assert_fs::TempDir;
use ferrydeck::entity::{Dialect, RemotePath};
use ferrydeck::net::wire::client_codec;
use ferrydeck::net::wire::codec::{Answer, Request};
use serde_json::Value;

const BIN: &str = env!("CARGO_BIN_EXE_ferrydeck");
const DEADLINE: Duration = Duration::from_mins(5);
const MIB: u64 = 1 << 20;
/// What deck cuts files into; what is verified is verified by these.
const BLOCK: u64 = 4 * MIB;

/// One at a time: each takes the whole machine.
static TURN: Mutex<()> = Mutex::new(());

fn turn() -> MutexGuard<'static, ()> {
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// In the open or inside TLS.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Cover {
    Plain,
    Tls,
}

impl Cover {
    const BOTH: [Self; 2] = [Self::Plain, Self::Tls];

    const fn scheme(self) -> &'static str {
        match self {
            Self::Plain => "deck",
            Self::Tls => "deck+tls",
        }
    }
}

/// A place of its own for two sides that know nothing of each other.
struct Scene {
    dir: TempDir,
    cover: Cover,
    port: u16,
    server: Option<Server>,
}

struct Server {
    child: Child,
    lines: Receiver<Value>,
    code: Option<String>,
}

impl Scene {
    fn new(cover: Cover) -> Self {
        let dir = TempDir::new().unwrap();
        for side in ["served", "here", "state-server", "state-client"] {
            fs::create_dir(dir.path().join(side)).unwrap();
        }
        let port = TcpListener::bind(("127.0.0.1", 0))
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        let mut scene = Self {
            dir,
            cover,
            port,
            server: None,
        };
        scene.serve();
        scene
    }

    fn served(&self) -> PathBuf {
        self.dir.path().join("served")
    }

    fn here(&self) -> PathBuf {
        self.dir.path().join("here")
    }

    fn url(&self, path: &str) -> String {
        format!("{}://127.0.0.1:{}/{path}", self.cover.scheme(), self.port)
    }

    /// Starts the server, again on the same port.
    fn serve(&mut self) {
        let listen = format!("{}@127.0.0.1:{}", self.cover.scheme(), self.port);
        let mut child = Command::new(BIN)
            .arg("serve")
            .arg(self.served())
            .args(["--headless", "--format", "json", "--listen", &listen])
            .args(["--allow-upload", "--allow-rename", "--allow-delete"])
            .env("FERRYDECK_STATE_DIR", self.dir.path().join("state-server"))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let (tell, lines) = mpsc::channel();
        let out = BufReader::new(child.stdout.take().unwrap());
        std::thread::spawn(move || {
            for line in out.lines().map_while(Result::ok) {
                if tell.send(serde_json::from_str(&line).unwrap()).is_err() {
                    break;
                }
            }
        });
        let (said, heard) = mpsc::channel();
        let err = BufReader::new(child.stderr.take().unwrap());
        std::thread::spawn(move || {
            for line in err.lines().map_while(Result::ok) {
                let _ = said.send(line);
            }
        });
        let first: Value = lines.recv_timeout(DEADLINE).unwrap();
        let addr: SocketAddr = first["addr"].as_str().unwrap().parse().unwrap();
        assert_eq!(addr.port(), self.port);
        let code = (self.cover == Cover::Tls).then(|| {
            loop {
                let line = heard.recv_timeout(DEADLINE).unwrap();
                if let Some(code) = line.split_whitespace().find(|word| is_code(word)) {
                    break code.to_owned();
                }
            }
        });
        self.server = Some(Server { child, lines, code });
    }

    fn kill_server(&mut self) {
        if let Some(mut server) = self.server.take() {
            server.child.kill().unwrap();
            server.child.wait().unwrap();
        }
    }

    /// Bytes of transfers that ended well since this was asked last, as the server tells.
    fn crossed(&self) -> u64 {
        let server = self.server.as_ref().unwrap();
        let mut bytes = 0;
        while let Ok(line) = server.lines.recv_timeout(Duration::from_millis(300)) {
            if line["event"] == "transfer_ended" && line["outcome"] == "complete_hash" {
                bytes += line["bytes"].as_u64().unwrap();
            }
        }
        bytes
    }

    fn client(&self, words: &[&str]) -> Command {
        let mut command = Command::new(BIN);
        command
            .args(words)
            .current_dir(self.here())
            .env("FERRYDECK_STATE_DIR", self.dir.path().join("state-client"))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        if let Some(code) = self.server.as_ref().and_then(|server| server.code.as_ref()) {
            command.env("FERRYDECK_CODE", code);
        }
        command
    }

    fn run(&self, words: &[&str]) -> Output {
        self.client(words).output().unwrap()
    }

    fn well(&self, words: &[&str]) -> Output {
        let output = self.run(words);
        assert!(
            output.status.success(),
            "{words:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        output
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        self.kill_server();
    }
}

fn is_code(word: &str) -> bool {
    let groups: Vec<&str> = word.split('-').collect();
    groups.len() == 4
        && groups
            .iter()
            .all(|group| group.len() == 4 && group.bytes().all(|byte| byte.is_ascii_alphanumeric()))
}

/// A source of bytes and moments that is the same in every run.
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, most: u64) -> u64 {
        self.next() % most
    }
}

/// A file of bytes that nothing can guess, with a time in the past.
fn write(path: &Path, size: u64, dice: &mut Dice) {
    let mut file = File::create(path).unwrap();
    let mut chunk = vec![0; usize::try_from(size.min(MIB)).unwrap()];
    let mut left = size;
    while left > 0 {
        let len = usize::try_from(left.min(MIB)).unwrap();
        for word in chunk[..len].chunks_mut(8) {
            let bytes = dice.next().to_le_bytes();
            word.copy_from_slice(&bytes[..word.len()]);
        }
        file.write_all(&chunk[..len]).unwrap();
        left -= len as u64;
    }
    let past = Duration::from_secs(1_000_000_000 + dice.below(500_000_000));
    let times = FileTimes::new().set_modified(SystemTime::UNIX_EPOCH + past);
    file.set_times(times).unwrap();
}

/// What a tree holds: path, hash, seconds of its time. Folders end in a slash.
fn tree(root: &Path) -> BTreeMap<String, (String, u64)> {
    let mut found = BTreeMap::new();
    let mut open = vec![root.to_owned()];
    while let Some(dir) = open.pop() {
        for entry in fs::read_dir(&dir).unwrap() {
            let entry = entry.unwrap();
            let path = entry.path();
            let name = path
                .strip_prefix(root)
                .unwrap()
                .to_str()
                .unwrap()
                .to_owned();
            let meta = entry.metadata().unwrap();
            if meta.is_dir() {
                found.insert(format!("{name}/"), (String::new(), 0));
                open.push(path);
            } else {
                let mut hasher = blake3::Hasher::new();
                hasher.update_reader(File::open(&path).unwrap()).unwrap();
                let time = meta.modified().unwrap();
                let time = time.duration_since(SystemTime::UNIX_EPOCH).unwrap();
                found.insert(name, (hasher.finalize().to_string(), time.as_secs()));
            }
        }
    }
    found
}

/// Names that ferrydeck keeps for itself, wherever they lie.
fn litter(root: &Path) -> Vec<String> {
    let mut names: Vec<String> = tree(root).into_keys().collect();
    names.retain(|name| name.contains(".ferrydeck-"));
    names
}

fn assert_same(one: &Path, other: &Path) {
    let (one, other) = (tree(one), tree(other));
    let differ: Vec<_> = one
        .keys()
        .chain(other.keys())
        .filter(|name| one.get(*name) != other.get(*name))
        .take(5)
        .collect();
    assert!(differ.is_empty(), "they differ: {differ:?}");
}

/// Everything one side may have to send.
fn fill(kind: &str, root: &Path) {
    let mut dice = Dice(0x9E37_79B9_7F4A_7C15);
    match kind {
        "1 × 4 GiB" => write(&root.join("large.bin"), 4 << 30, &mut dice),
        "1,000 × 1 MiB" => {
            for n in 0..1_000 {
                write(&root.join(format!("{n:04}.bin")), MIB, &mut dice);
            }
        }
        "10,000 × 1 KiB" => {
            for n in 0..10_000 {
                write(&root.join(format!("{n:05}.txt")), 1 << 10, &mut dice);
            }
        }
        "a tree" => {
            let (mut dir, mut made) = (root.to_owned(), 0);
            for depth in 0..12 {
                for n in 0..415 {
                    let name = dir.join(format!("f{n:03}"));
                    if n % 40 == 39 {
                        fs::create_dir(name).unwrap();
                    } else {
                        let size = dice.below(3_000);
                        write(&name, size, &mut dice);
                    }
                    made += 1;
                }
                dir = dir.join(format!("level {depth}"));
                fs::create_dir(&dir).unwrap();
                made += 1;
            }
            assert!(made >= 4_990);
        }
        _ => {
            let long = "ö".repeat(127) + "x";
            assert_eq!(long.len(), 255);
            for name in [
                "with blanks in it",
                "'quotes\" and `ticks`",
                "snowman ☃ 日本語 ñ",
                "back\\slash",
                "percent%20#?&*|<>:",
                "-rf",
                " leading and trailing ",
                "e\u{301}combining",
                "two..dots",
                &long,
            ] {
                write(&root.join(name), 100 + dice.below(BLOCK * 2), &mut dice);
            }
            write(&root.join("empty"), 0, &mut dice);
            write(&root.join("one block"), BLOCK, &mut dice);
            write(&root.join("a block and a byte"), BLOCK + 1, &mut dice);
        }
    }
}

#[test]
fn everything_arrives_both_ways_in_the_open_and_inside_tls() {
    let _turn = turn();
    for kind in [
        "names",
        "a tree",
        "1,000 × 1 MiB",
        "10,000 × 1 KiB",
        "1 × 4 GiB",
    ] {
        for cover in Cover::BOTH {
            let scene = Scene::new(cover);
            let source = scene.served().join("set");
            fs::create_dir(&source).unwrap();
            fill(kind, &source);
            let begun = Instant::now();
            let url = scene.url("set");
            let got = scene.well(&["get", "-r", &url, "--json"]);
            let down = begun.elapsed();
            let ends: Vec<Value> = String::from_utf8_lossy(&got.stdout)
                .lines()
                .map(|line| serde_json::from_str(line).unwrap())
                .filter(|line: &Value| line["event"] == "transfer_ended")
                .collect();
            assert!(
                ends.iter().all(|line| line["outcome"] == "complete_hash"),
                "{kind} {cover:?}"
            );
            assert_same(&source, &scene.here().join("set"));
            fs::create_dir(scene.served().join("up")).unwrap();
            let begun = Instant::now();
            scene.well(&["put", "-r", "set", &scene.url("up/")]);
            let up = begun.elapsed();
            assert_same(&source, &scene.served().join("up/set"));
            assert_eq!(litter(scene.dir.path()), Vec::<String>::new());
            println!(
                "{kind:>16} {:>8}: down {:6.2} s, up {:6.2} s",
                cover.scheme(),
                down.as_secs_f64(),
                up.as_secs_f64()
            );
        }
    }
}

/// One of the two, at a moment nobody chose.
fn killed(down: bool, cover: Cover, rounds: u64, dice: &mut Dice) -> (u64, u64) {
    let mut scene = Scene::new(cover);
    let size = 48 * BLOCK + 12_345;
    let (from, to) = if down {
        (scene.served(), scene.here())
    } else {
        (scene.here(), scene.served())
    };
    write(&from.join("victim.bin"), size, dice);
    let whole = tree(&from);
    let url = scene.url(if down { "victim.bin" } else { "" });
    let (mut resumed, mut kills) = (0, 0);
    for round in 0..rounds {
        let mut words = if down {
            vec!["get", &url]
        } else {
            vec!["put", "victim.bin", &url]
        };
        words.extend(["--json", "--limit", "250MiB"]);
        let mut client = scene.client(&words).spawn().unwrap();
        std::thread::sleep(Duration::from_millis(30 + dice.below(900)));
        let server_dies = round % 2 == 0;
        if server_dies {
            scene.kill_server();
            // It would wait for the server to come back.
            std::thread::sleep(Duration::from_millis(20));
        }
        client.kill().unwrap();
        client.wait().unwrap();
        kills += 1;
        // A server that lives hears of it, and may land what it had whole.
        std::thread::sleep(Duration::from_millis(200));
        let landed = tree(&to);
        if let Some(there) = landed.get("victim.bin") {
            // It was quicker than the blow: then it is whole.
            assert_eq!(there, &whole["victim.bin"], "round {round}");
        }
        if server_dies {
            scene.serve();
        }
        let verified = claimed(&to, size);
        // What ended by the blow is told by now, and is not what comes after it.
        scene.crossed();
        words.truncate(words.len() - 2);
        let again = scene.run(&words);
        let said = String::from_utf8_lossy(&again.stdout).into_owned();
        if landed.contains_key("victim.bin") {
            fs::remove_file(to.join("victim.bin")).unwrap();
            continue;
        }
        assert!(
            again.status.success(),
            "round {round}: {}",
            String::from_utf8_lossy(&again.stderr)
        );
        assert_eq!(
            tree(&to)["victim.bin"],
            whole["victim.bin"],
            "round {round}"
        );
        assert_eq!(
            litter(scene.dir.path()),
            Vec::<String>::new(),
            "round {round}"
        );
        let end: Value = said
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .find(|line: &Value| line["event"] == "transfer_ended")
            .unwrap();
        assert_eq!(end["outcome"], "complete_hash");
        // As the other side counts it, which knows nothing of this one's state.
        let crossed = scene.crossed();
        assert!(
            crossed <= size - verified,
            "round {round}: {verified} bytes were verified, and {crossed} of {size} came again"
        );
        resumed += verified;
        fs::remove_file(to.join("victim.bin")).unwrap();
    }
    (kills, resumed)
}

/// Bytes in blocks that a state file lists as done: what was verified before the blow.
/// Its header has 320 bytes, a record 40: the block's number, a flag, a check, the value.
fn claimed(dir: &Path, size: u64) -> u64 {
    let states = fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|ext| ext == "state"));
    states
        .flat_map(|path| {
            let bytes = fs::read(path).unwrap();
            let records = bytes.get(320..).unwrap_or_default().chunks_exact(40);
            records
                .filter(|record| record[4] == 1)
                .map(|record| u64::from(u32::from_le_bytes(record[..4].try_into().unwrap())))
                .collect::<std::collections::BTreeSet<u64>>()
        })
        .map(|block| (size - block * BLOCK).min(BLOCK))
        .sum()
}

#[test]
fn fifty_kills_lose_nothing_and_repeat_nothing() {
    let _turn = turn();
    let mut dice = Dice(0x1234_5678_9ABC_DEF1);
    let (mut kills, mut resumed) = (0, 0);
    for (down, cover, rounds) in [
        (true, Cover::Plain, 13),
        (true, Cover::Tls, 13),
        (false, Cover::Plain, 12),
        (false, Cover::Tls, 12),
    ] {
        let (these, bytes) = killed(down, cover, rounds, &mut dice);
        kills += these;
        resumed += bytes;
    }
    assert_eq!(kills, 50);
    assert!(resumed > 0, "no blow fell in the middle");
    println!(
        "50 kills: {} MiB had been verified and did not cross again",
        resumed / MIB
    );
}

#[test]
fn a_million_names() {
    let _turn = turn();
    let scene = Scene::new(Cover::Plain);
    let dir = scene.served().join("many");
    fs::create_dir(&dir).unwrap();
    for n in 0..1_000_000 {
        File::create(dir.join(format!("file-{n:07}.txt"))).unwrap();
    }
    let server = scene.server.as_ref().unwrap();
    let before = peak(server.child.id());
    let (first, whole) = pages(scene.port);
    let begun = Instant::now();
    let listed = scene.well(&["ls", &scene.url("many")]);
    let took = begun.elapsed();
    let count = listed.stdout.split(|byte| *byte == b'\n').count() - 1;
    let after = peak(server.child.id());
    assert_eq!(count, 1_000_000);
    println!(
        "1,000,000 names: first page after {first:?}, the last after {whole:?}, `ls` {took:?}; server peak {before} -> {after} KiB"
    );
    assert!(first < Duration::from_millis(200));
    assert!(after - before <= 8 << 10);
    assert!(
        server
            .lines
            .try_iter()
            .all(|line| line["event"] != "malformed")
    );
}

/// How long the first page of a listing takes, and the last.
fn pages(port: u16) -> (Duration, Duration) {
    let mut socket = TcpStream::connect(("127.0.0.1", port)).unwrap();
    let mut codec = client_codec(Dialect::Deck);
    let (mut out, mut input, mut chunk) = (Vec::new(), Vec::new(), vec![0; 1 << 20]);
    codec.greet("proof", &mut out);
    let path = "many".into();
    let mut asked = Vec::new();
    let (mut begun, mut first) = (Instant::now(), None);
    socket.write_all(&out).unwrap();
    loop {
        while let Some((used, answer)) = codec.decode(&input).unwrap() {
            input.drain(..used);
            match answer {
                Answer::Welcome(_) => {
                    let list = Request::List {
                        path: RemotePath::clone(&path),
                    };
                    codec.ask(&list, &mut asked).unwrap();
                    begun = Instant::now();
                    socket.write_all(&asked).unwrap();
                }
                Answer::Page(page) => {
                    let first = *first.get_or_insert_with(|| begun.elapsed());
                    if !page.more {
                        return (first, begun.elapsed());
                    }
                }
                other => unreachable!("{other:?}"),
            }
        }
        let read = socket.read(&mut chunk).unwrap();
        assert!(read > 0);
        input.extend_from_slice(&chunk[..read]);
    }
}

fn peak(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM"));
    let number = line.unwrap().split_whitespace().nth(1);
    number.unwrap().parse().unwrap()
}
