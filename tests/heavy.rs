//! Proofs that take gigabytes and a thousand sockets, with the real binaries.
//!
//! `cargo test --release --features heavy --test heavy -- --nocapture` prints
//! what was measured.
#![cfg(feature = "heavy")]
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a proof that cannot set its scene has failed; what it measures is for reading"
)]

use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::sync::{Barrier, Mutex, PoisonError};
use std::time::{Duration, Instant};

use assert_fs::TempDir;
use serde_json::Value;

const BIN: &str = env!("CARGO_BIN_EXE_ferrydeck");
const DEADLINE: Duration = Duration::from_mins(5);
const MIB: u64 = 1 << 20;
/// What server and client may each take, in KiB.
const MEMORY: u64 = 40 << 10;

/// One at a time: each measures the machine.
static TURN: Mutex<()> = Mutex::new(());

struct Server {
    child: Child,
    addr: SocketAddr,
    lines: Receiver<Value>,
}

impl Server {
    fn start(dir: &Path, more: &[&str]) -> Self {
        let mut child = Command::new(BIN)
            .arg("serve")
            .arg(dir)
            .args(["--headless", "--format", "json", "--listen", "127.0.0.1:0"])
            .args(more)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let out = BufReader::new(child.stdout.take().unwrap());
        let (tell, lines) = mpsc::channel();
        std::thread::spawn(move || {
            for line in out.lines() {
                if tell
                    .send(serde_json::from_str(&line.unwrap()).unwrap())
                    .is_err()
                {
                    break;
                }
            }
        });
        let first: Value = lines.recv_timeout(DEADLINE).unwrap();
        let addr = first["addr"].as_str().unwrap().parse().unwrap();
        Self { child, addr, lines }
    }

    fn until(&self, event: &str) -> Value {
        loop {
            let line = self.lines.recv_timeout(DEADLINE).unwrap();
            if line["event"] == event {
                return line;
            }
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A line of /proc/PID/status in KiB; `None` once the process is gone.
fn memory(pid: u32, field: &str) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(field))?;
    line.trim_start_matches(':')
        .split_whitespace()
        .next()?
        .parse()
        .ok()
}

/// A file of holes with a few islands of data, one of them at the very end.
fn sparse(path: &Path, size: u64) {
    let file = File::create(path).unwrap();
    file.set_len(size).unwrap();
    for island in [0, 16 * MIB - 3, 1 << 30, (1 << 31) - 1, size - 70_000] {
        let bytes: Vec<u8> = (0..70_000_u64)
            .map(|n| ((n + island) % 253) as u8)
            .collect();
        file.write_all_at(
            &bytes[..usize::try_from(70_000.min(size - island)).unwrap()],
            island,
        )
        .unwrap();
    }
}

fn assert_same(one: &Path, other: &Path) {
    let (one, other) = (File::open(one).unwrap(), File::open(other).unwrap());
    let size = one.metadata().unwrap().len();
    assert_eq!(size, other.metadata().unwrap().len());
    let (mut a, mut b) = (vec![0; 4 << 20], vec![0; 4 << 20]);
    let mut at = 0;
    while at < size {
        let len = usize::try_from((size - at).min(4 * MIB)).unwrap();
        one.read_exact_at(&mut a[..len], at).unwrap();
        other.read_exact_at(&mut b[..len], at).unwrap();
        assert!(
            a[..len] == b[..len],
            "they differ within {len} bytes of {at}"
        );
        at += len as u64;
    }
}

/// Runs a client to its end: its exit code and the most memory it took, in KiB.
fn run(command: &mut Command) -> (Option<i32>, u64) {
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let mut most = 0;
    loop {
        most = memory(child.id(), "VmHWM").unwrap_or(0).max(most);
        if let Some(status) = child.try_wait().unwrap() {
            return (status.code(), most);
        }
        std::thread::sleep(Duration::from_millis(2));
    }
}

#[test]
fn three_gibibytes_arrive_identical_in_flat_memory() {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let size = 3 << 30;
    let dir = TempDir::new().unwrap();
    sparse(&dir.path().join("big"), size);
    for (dialect, word) in [("classic", "complete_length"), ("deck", "complete_hash")] {
        let server = Server::start(dir.path(), &[]);
        let to = TempDir::new().unwrap();
        let began = Instant::now();
        let (code, client) = run(Command::new(BIN)
            .args(["get", &format!("{dialect}://{}/big", server.addr)])
            .current_dir(to.path())
            .env("FERRYDECK_STATE_DIR", to.path().join("state")));
        let took = began.elapsed().as_secs_f64();
        assert_eq!(code, Some(0), "{dialect}");
        // deck brings a file of this size over several connections, a stretch on each.
        let mut crossed = 0;
        while crossed < size {
            let ended = server.until("transfer_ended");
            assert_eq!(ended["outcome"], word, "{ended}");
            crossed += ended["bytes"].as_u64().unwrap();
        }
        assert_eq!(crossed, size);
        let server_most = memory(server.child.id(), "VmHWM").unwrap();
        println!(
            "3 GiB over {dialect}: {took:.1} s, {:.0} MiB/s; VmHWM server {:.1} MiB, client {:.1} MiB",
            3_072.0 / took,
            server_most as f64 / 1_024.0,
            client as f64 / 1_024.0,
        );
        assert!(client > 0 && client < MEMORY, "client: {client} KiB");
        assert!(server_most < MEMORY, "server: {server_most} KiB");
        assert_same(&dir.path().join("big"), &to.path().join("big"));
    }
}

#[test]
fn a_thousand_connections_and_two_hundred_fetching() {
    const OPEN: usize = 1_000;
    const FETCHING: usize = 200;
    const SIZE: u64 = 8 * MIB;
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let dir = TempDir::new().unwrap();
    let content: Vec<u8> = (0..SIZE).map(|n| (n % 251) as u8).collect();
    std::fs::write(dir.path().join("file"), &content).unwrap();
    // Silent ones are meant to be here: they must not make room for each other.
    let server = Server::start(dir.path(), &["--max-unidentified", "2000"]);
    let pid = server.child.id();
    let before = memory(pid, "VmRSS").unwrap();
    let began = Instant::now();
    let silent: Vec<_> = (0..OPEN - FETCHING)
        .map(|_| TcpStream::connect(server.addr).unwrap())
        .collect();
    let fetching: Vec<_> = (0..FETCHING)
        .map(|_| TcpStream::connect(server.addr).unwrap())
        .collect();
    for _ in 0..OPEN {
        server.until("accepted");
    }
    let opened = began.elapsed();
    let idle = memory(pid, "VmRSS").unwrap();
    let start = Barrier::new(FETCHING + 1);
    let began = Instant::now();
    std::thread::scope(|scope| {
        for mut peer in fetching {
            let (start, content) = (&start, &content);
            scope.spawn(move || {
                peer.set_read_timeout(Some(DEADLINE)).unwrap();
                start.wait();
                peer.write_all(b"\x49\x7E\x01\x00\x04file").unwrap();
                let mut head = [0; 8];
                peer.read_exact(&mut head).unwrap();
                assert_eq!(head, *b"\x49\x7E\x02\x01\x00\x80\x00\x00");
                let mut buffer = vec![0; 256 << 10];
                let mut at = 0;
                loop {
                    let read = peer.read(&mut buffer).unwrap();
                    if read == 0 {
                        break;
                    }
                    assert!(buffer[..read] == content[at..at + read]);
                    at += read;
                }
                assert_eq!(at, content.len());
            });
        }
        start.wait();
    });
    let took = began.elapsed().as_secs_f64();
    let mut ended = 0;
    let mut done = 0;
    while done < FETCHING {
        let line = server.lines.recv_timeout(DEADLINE).unwrap();
        match line["event"].as_str() {
            Some("transfer_ended") => {
                assert_eq!(line["outcome"], "complete_length", "{line}");
                ended += 1;
            }
            Some("closed") => {
                assert_eq!(line["cause"], "done", "{line}");
                done += 1;
            }
            Some("request" | "transfer_started") => {}
            other => panic!("{other:?}: {line}"),
        }
    }
    assert_eq!(ended, FETCHING);
    let most = memory(pid, "VmHWM").unwrap();
    let mib = |kib: u64| kib as f64 / 1_024.0;
    println!(
        "{OPEN} connections in {:.0} ms, {FETCHING} x 8 MiB in {took:.1} s ({:.0} MiB/s); \
         server RSS {:.1} MiB alone, {:.1} MiB with them ({:.1} KiB each), VmHWM {:.1} MiB",
        opened.as_secs_f64() * 1_000.0,
        (FETCHING as u64 * SIZE / MIB) as f64 / took,
        mib(before),
        mib(idle),
        idle.saturating_sub(before) as f64 / OPEN as f64,
        mib(most),
    );
    // Those that said nothing are still there, and so is the server.
    drop(silent);
    for _ in 0..OPEN - FETCHING {
        assert_eq!(server.until("closed")["cause"], "peer_closed");
    }
}
