//! A file that is not in memory must not hold up anybody else.
//!
//! The server runs under strace, which makes every `pread64` take a second: that
//! is the call a blocking thread uses for pages that have to come from the disk.
//! Pages in memory are read with `preadv2(RWF_NOWAIT)` and are not slowed. While
//! the cold file crawls, small warm ones must be answered at once.

#![expect(
    clippy::unwrap_used,
    reason = "a test stops at the first thing that is not there"
)]

mod pty;

use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Shutdown, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use pty::{Scratch, binary, has};

/// What strace adds to every blocking read.
const CRAWL: Duration = Duration::from_secs(1);

struct Server {
    child: Child,
    addr: String,
    /// Every line it has written so far.
    lines: Arc<Mutex<String>>,
}

impl Drop for Server {
    fn drop(&mut self) {
        // strace hands the signal on and ends with its child.
        let pid = self.child.id().to_string();
        let _ = Command::new("pkill").args(["-KILL", "-P", &pid]).status();
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A server under strace, with one system call made slow.
fn serve_slowly(world: &Scratch, call: &str, more: &[&str]) -> Server {
    let inject = format!("inject={call}:delay_enter={}", CRAWL.as_micros());
    let mut child = Command::new("strace")
        .args(["-f", "-qq", "-o", "/dev/null", "-e"])
        .args([&format!("trace={call}"), "-e", &inject])
        .arg(binary())
        .args(["serve", "srv", "--headless", "--listen", "127.0.0.1:0"])
        .args(more)
        .current_dir(&world.0)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    let mut first = String::new();
    out.read_line(&mut first).unwrap();
    let addr = first.trim().rsplit(' ').next().unwrap().to_owned();
    let lines = Arc::new(Mutex::new(first));
    let kept = Arc::clone(&lines);
    std::thread::spawn(move || {
        for line in out.lines().map_while(Result::ok) {
            let mut kept = kept.lock().unwrap();
            kept.push_str(&line);
            kept.push('\n');
        }
    });
    Server { child, addr, lines }
}

fn fetch(addr: &str, name: &str) -> Vec<u8> {
    let mut socket = TcpStream::connect(addr).unwrap();
    let mut request = vec![0x49, 0x7E, 1, 0, u8::try_from(name.len()).unwrap()];
    request.extend_from_slice(name.as_bytes());
    socket.write_all(&request).unwrap();
    let mut heard = Vec::new();
    socket.read_to_end(&mut heard).unwrap();
    heard.split_off(8)
}

#[test]
fn a_file_outside_the_page_cache_stalls_nobody_else() {
    if !has("strace") || !has("pkill") {
        return;
    }
    let world = Scratch::new("cold");
    let content: Vec<u8> = (0..=250u8).cycle().take(3 << 20).collect();
    let cold = world.file("srv/cold.bin", &content);
    world.file("srv/warm.txt", b"warm");
    let file = File::open(&cold).unwrap();
    rustix::fs::fsync(&file).unwrap();
    let server = serve_slowly(&world, "pread64", &[]);
    // The page cache forgets it: only clean pages can be dropped, hence the fsync.
    rustix::fs::fadvise(&file, 0, None, rustix::fs::Advice::DontNeed).unwrap();
    drop(file);
    let addr = server.addr.clone();
    let crawling = std::thread::spawn(move || {
        let start = Instant::now();
        (fetch(&addr, "cold.bin"), start.elapsed())
    });
    let mut slowest = Duration::ZERO;
    let mut answered = 0;
    while !crawling.is_finished() {
        let start = Instant::now();
        assert_eq!(fetch(&server.addr, "warm.txt"), b"warm");
        slowest = slowest.max(start.elapsed());
        answered += 1;
        std::thread::sleep(Duration::from_millis(10));
    }
    let (heard, took) = crawling.join().unwrap();
    assert!(heard == content, "the cold file arrives whole");
    if took < CRAWL {
        // A filesystem that keeps its pages (tmpfs) cannot show anything here.
        let _ = writeln!(
            std::io::stderr(),
            "skipped: needs a filesystem that forgets pages"
        );
        return;
    }
    assert!(
        answered >= 5,
        "only {answered} warm fetches beside the cold one"
    );
    assert!(
        slowest < CRAWL / 2,
        "a warm fetch took {slowest:?} beside a cold one of {took:?}"
    );
}

/// The disk is not the peer: however long it takes to make an upload durable, the
/// peer is not said to have stood still, and what landed is called complete.
#[test]
fn a_slow_disk_is_no_stalled_peer() {
    if !has("strace") || !has("pkill") {
        return;
    }
    let world = Scratch::new("slow-disk");
    world.dir("srv");
    let more = ["--allow-upload", "--stall-timeout", "300ms"];
    let server = serve_slowly(&world, "fsync", &more);
    let mut socket = TcpStream::connect(&server.addr).unwrap();
    socket.write_all(b"slow.txt 5hello").unwrap();
    socket.shutdown(Shutdown::Write).unwrap();
    socket.read_to_end(&mut Vec::new()).unwrap();
    let deadline = Instant::now() + pty::DEADLINE;
    while !server.lines.lock().unwrap().contains("closed") {
        assert!(Instant::now() < deadline, "it never closed");
        std::thread::sleep(Duration::from_millis(10));
    }
    let lines = server.lines.lock().unwrap().clone();
    assert!(
        lines.contains("complete (length)") && !lines.contains("timeout"),
        "{lines}"
    );
    assert_eq!(
        std::fs::read(world.0.join("srv/slow.txt")).unwrap(),
        b"hello"
    );
}
