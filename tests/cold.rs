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
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use pty::{Scratch, binary};

/// What strace adds to every blocking read.
const CRAWL: Duration = Duration::from_secs(1);

struct Server {
    child: Child,
    addr: String,
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

fn serve_slowly(world: &Scratch) -> Server {
    let inject = format!("inject=pread64:delay_enter={}", CRAWL.as_micros());
    let mut child = Command::new("strace")
        .args([
            "-f",
            "-qq",
            "-o",
            "/dev/null",
            "-e",
            "trace=pread64",
            "-e",
            &inject,
        ])
        .arg(binary())
        .args(["serve", "srv", "--headless", "--listen", "127.0.0.1:0"])
        .current_dir(&world.0)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap());
    let mut first = String::new();
    lines.read_line(&mut first).unwrap();
    std::thread::spawn(move || lines.lines().count());
    let addr = first.trim().rsplit(' ').next().unwrap().to_owned();
    Server { child, addr }
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

fn has(tool: &str) -> bool {
    let found = Command::new("sh")
        .args(["-c", &format!("command -v {tool}")])
        .stdout(Stdio::null())
        .status()
        .is_ok_and(|status| status.success());
    if !found {
        assert!(
            std::env::var_os("FERRYDECK_REQUIRE_ALL").is_none(),
            "needs {tool}"
        );
        let _ = writeln!(std::io::stderr(), "skipped: needs {tool}");
    }
    found
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
    let server = serve_slowly(&world);
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
