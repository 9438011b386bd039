//! How fast the server sends over loopback, beside a raw socket loop and, where
//! they are installed, nginx with curl: all in one run, taking turns, because only
//! such ratios mean anything on a shared machine.
//!
//! `cargo bench` measures; `FERRYDECK_BENCH_MIB` and `FERRYDECK_BENCH_ROUNDS` set
//! size and rounds (1024 and 5). Every figure printed was taken in this run.
//!
//! One such run (2026-11-20, 2 cores, Linux 6.18, medians of 5, times a raw loop of
//! `pread` + `write` in the same run), and what was chosen by it:
//!
//! | | disk, cache warm | tmpfs |
//! |---|---|---|
//! | classic, sendfile | 1.94 | 0.54 |
//! | classic, pread + write | 1.16 | 0.55 |
//! | deck, sendfile | 1.83 | 0.73 |
//! | deck, pread + write | 1.02 | 0.56 |
//! | classic, sendfile, reader pauses (slowest round) | 0.37 (0.07) | 0.17 (0.15) |
//! | classic, pread + write, reader pauses (slowest round) | 0.36 (0.32) | 0.24 (0.21) |
//! | nginx with sendfile, curl | 0.76 | 0.65 |
//!
//! A steady reader on the same machine likes sendfile. A reader that pauses is
//! what a network has, and there sendfile's many small pages fill its window so
//! badly that single transfers crawl: 24 MiB to a reader that pauses for 100 ms
//! between reads took 26 s with sendfile and 1.7 s with `pread` + `write`. Hence
//! `Way::BEST` is the second, at 128 KiB a running transfer.

#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a bench talks, and stops at the first thing that is not there"
)]

use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use ferrydeck::entity::Rights;
use ferrydeck::entity::{Dialect, Speak};
use ferrydeck::line::Weight;
use ferrydeck::net::pump::Way;
use ferrydeck::net::server::{Door, Limits, Serve};
use ferrydeck::net::store::{Dotfiles, Store};
use ferrydeck::net::wire::client_codec;
use ferrydeck::net::wire::codec::{Answer, Request};
use ferrydeck::net::{self, Engine};

/// One way to bring the payload over, with its name; returns the bytes that came.
type Runner = (String, Box<dyn Fn() -> u64>);

const NAME: &str = "payload.bin";
const BUFFER: usize = 256 << 10;

fn main() {
    // `cargo test --benches` calls this too: then a small round shows that it runs.
    let measure = std::env::args().any(|arg| arg == "--bench");
    let mib = setting("FERRYDECK_BENCH_MIB", if measure { 1_024 } else { 8 });
    let rounds = setting("FERRYDECK_BENCH_ROUNDS", if measure { 5 } else { 1 });
    for (place, dir) in places() {
        run(place, &dir, mib, rounds);
        let _ = fs::remove_dir_all(&dir);
    }
}

fn setting(name: &str, usual: u64) -> u64 {
    std::env::var(name)
        .ok()
        .and_then(|value| value.parse().ok())
        .unwrap_or(usual)
}

/// A folder in memory and one on the disk.
fn places() -> Vec<(&'static str, PathBuf)> {
    let name = format!("ferrydeck-bench-{}", std::process::id());
    let mut places = vec![("disk (page cache warm)", std::env::temp_dir().join(&name))];
    if Path::new("/dev/shm").is_dir() {
        places.push(("tmpfs", Path::new("/dev/shm").join(&name)));
    }
    places
}

fn run(place: &str, dir: &Path, mib: u64, rounds: u64) {
    fs::create_dir_all(dir).unwrap();
    let size = mib << 20;
    write_payload(&dir.join(NAME), size);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let mut runners: Vec<Runner> = Vec::new();
    let raw = raw_loop(dir.join(NAME));
    runners.push((
        "raw socket loop, 256 KiB pread + write".to_owned(),
        Box::new(move || drain(raw)),
    ));
    for way in Way::ALL {
        // The two that announce a length: the others end on silence or close.
        for dialect in [Dialect::Classic, Dialect::Deck] {
            let addr = serve(&runtime, dir, way, dialect);
            runners.push((
                format!("ferrydeck {} {way:?}", dialect.label()),
                Box::new(move || fetch(addr, dialect)),
            ));
        }
    }
    for way in Way::ALL {
        let addr = serve(&runtime, dir, way, Dialect::Classic);
        let name = format!("ferrydeck classic {way:?}, reader pauses");
        runners.push((name, Box::new(move || fetch_in_gulps(addr, size))));
    }
    let nginx = Nginx::start(dir);
    if let Some(nginx) = &nginx {
        let url = nginx.url.clone();
        runners.push((
            "nginx (sendfile) + curl".to_owned(),
            Box::new(move || curl(&url)),
        ));
    }
    println!("\n{place}: one file of {mib} MiB to nowhere, {rounds} rounds taking turns");
    report(&runners, size, rounds);
    if nginx.is_none() {
        println!("  skipped: nginx + curl (needs both installed)");
    }
    drop(nginx);
    runtime.shutdown_timeout(Duration::from_secs(1));
}

fn report(runners: &[Runner], size: u64, rounds: u64) {
    let mut times = vec![Vec::new(); runners.len()];
    for round in 0..=rounds {
        for ((name, run), times) in runners.iter().zip(&mut times) {
            let start = Instant::now();
            let got = run();
            let took = start.elapsed().as_secs_f64();
            assert_eq!(got, size, "{name} brought another number of bytes");
            // The first round warms caches and is not counted.
            if round > 0 {
                times.push(took);
            }
        }
    }
    let base = median(&times[0]);
    for ((name, _), times) in runners.iter().zip(&times) {
        let middle = median(times);
        let low = times.iter().copied().fold(f64::INFINITY, f64::min);
        let high = times.iter().copied().fold(0.0, f64::max);
        let gib = |seconds: f64| size as f64 / seconds / f64::from(1 << 30);
        println!(
            "  {name:<42} {:6.2} GiB/s  ({:.2}–{:.2})  {:.2} × raw",
            gib(middle),
            gib(high),
            gib(low),
            base / middle,
        );
    }
}

fn median(times: &[f64]) -> f64 {
    let mut sorted = times.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted[sorted.len() / 2]
}

fn write_payload(path: &Path, size: u64) {
    let mut file = File::create(path).unwrap();
    let block: Vec<u8> = (0..=255u8).cycle().take(1 << 20).collect();
    let mut left = size;
    while left > 0 {
        let take = usize::try_from(left.min(1 << 20)).unwrap();
        file.write_all(&block[..take]).unwrap();
        left -= take as u64;
    }
}

/// What the kernel gives a plain blocking program: the measure of all others.
fn raw_loop(path: PathBuf) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        let mut buffer = vec![0; BUFFER];
        for socket in listener.incoming() {
            let (Ok(mut socket), Ok(file)) = (socket, File::open(&path)) else {
                return;
            };
            let mut at = 0;
            while let Ok(read @ 1..) = file.read_at(&mut buffer, at) {
                if socket.write_all(&buffer[..read]).is_err() {
                    break;
                }
                at += read as u64;
            }
        }
    });
    addr
}

fn serve(runtime: &tokio::runtime::Runtime, dir: &Path, way: Way, dialect: Dialect) -> SocketAddr {
    let door = Door::bind(([127, 0, 0, 1], 0).into(), Speak::Only(dialect)).unwrap();
    let addr = door.addr();
    let serve = Serve {
        rights: Rights::READ_ONLY,
        landing: None,
        porter: None,
        doors: vec![door],
        store: Arc::new(Store::open(dir, Dotfiles::Hidden).unwrap()),
        limits: Limits::default(),
        way,
        name: "bench".into(),
        notes: Vec::new(),
    };
    runtime.spawn(async move {
        let mut handle = net::start(Engine::Serve(serve));
        while let Some(event) = handle.feed.next().await {
            // A bench must not be slow for a reason nobody sees.
            if let Some(line) = ferrydeck::line::line(&event)
                && line.weight == Weight::Bad
            {
                println!("  {}: {} {}", line.word, line.who, line.said);
            }
        }
    });
    addr
}

/// Reads to the end and forgets.
fn drain(addr: SocketAddr) -> u64 {
    let mut socket = TcpStream::connect(addr).unwrap();
    sink(&mut socket, u64::MAX)
}

fn sink(socket: &mut TcpStream, most: u64) -> u64 {
    let mut buffer = vec![0; BUFFER];
    let mut got = 0;
    while got < most {
        let want = usize::try_from(most - got).unwrap_or(BUFFER).min(BUFFER);
        match socket.read(&mut buffer[..want]).unwrap() {
            0 => break,
            read => got += read as u64,
        }
    }
    got
}

/// Fetches the payload with the dialect's own codec and a blocking socket.
fn fetch(addr: SocketAddr, dialect: Dialect) -> u64 {
    let mut socket = TcpStream::connect(addr).unwrap();
    let mut codec = client_codec(dialect);
    let mut out = Vec::new();
    codec.greet("bench", &mut out);
    let get = Request::Get {
        path: NAME.into(),
        offset: 0,
        version: None,
    };
    codec.ask(&get, &mut out).unwrap();
    socket.write_all(&out).unwrap();
    let (mut input, mut got) = (Vec::new(), 0);
    loop {
        let Some((used, answer)) = codec.decode(&input).unwrap() else {
            let mut head = [0; 512];
            match socket.read(&mut head).unwrap() {
                0 => {
                    assert_eq!(codec.eof(&input).unwrap(), Answer::End);
                    return got;
                }
                read => input.extend_from_slice(&head[..read]),
            }
            continue;
        };
        input.drain(..used);
        match answer {
            Answer::Run { len, .. } => {
                let buffered = len.min(input.len() as u64);
                input.drain(..usize::try_from(buffered).unwrap());
                got += buffered + sink(&mut socket, len - buffered);
            }
            Answer::End => return got,
            _ => {}
        }
    }
}

/// A reader that is busy with other things: 3 MiB at most, then 20 ms of nothing, for
/// the first 24 MiB. How a way of sending fills such a reader's window shows here.
fn fetch_in_gulps(addr: SocketAddr, size: u64) -> u64 {
    let mut socket = TcpStream::connect(addr).unwrap();
    let mut request = vec![0x49, 0x7E, 1, 0, 11];
    request.extend_from_slice(NAME.as_bytes());
    socket.write_all(&request).unwrap();
    let mut gulp = vec![0; 3 << 20];
    let mut got = 0;
    while got < (24 << 20).min(size) {
        std::thread::sleep(Duration::from_millis(20));
        got += socket.read(&mut gulp).unwrap() as u64;
    }
    got + sink(&mut socket, u64::MAX) - 8
}

struct Nginx {
    child: Child,
    dir: PathBuf,
    url: String,
}

impl Nginx {
    fn start(served: &Path) -> Option<Self> {
        for tool in ["nginx", "curl"] {
            Command::new(tool)
                .arg("-V")
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .status()
                .ok()?;
        }
        let port = TcpListener::bind("127.0.0.1:0")
            .ok()?
            .local_addr()
            .ok()?
            .port();
        let dir = std::env::temp_dir().join(format!("ferrydeck-nginx-{}", std::process::id()));
        fs::create_dir_all(&dir).ok()?;
        let conf = format!(
            "daemon off; worker_processes 1; pid {0}/pid; error_log {0}/error.log; user root;\n\
             events {{ worker_connections 64; }}\n\
             http {{ access_log off; sendfile on; tcp_nopush on; client_body_temp_path {0}/a;\n\
             proxy_temp_path {0}/b; fastcgi_temp_path {0}/c; uwsgi_temp_path {0}/d; scgi_temp_path {0}/e;\n\
             server {{ listen 127.0.0.1:{port}; root {1}; }} }}\n",
            dir.display(),
            served.display(),
        );
        fs::write(dir.join("conf"), conf).ok()?;
        let child = Command::new("nginx")
            .arg("-c")
            .arg(dir.join("conf"))
            .stderr(Stdio::null())
            .spawn()
            .ok()?;
        let nginx = Self {
            child,
            dir,
            url: format!("http://127.0.0.1:{port}/{NAME}"),
        };
        let deadline = Instant::now() + Duration::from_secs(5);
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            if Instant::now() > deadline {
                return None;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Some(nginx)
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        let pid = self.child.id().to_string();
        let _ = Command::new("kill").args(["-QUIT", &pid]).status();
        let _ = self.child.wait();
        let _ = fs::remove_dir_all(&self.dir);
    }
}

fn curl(url: &str) -> u64 {
    let out = Command::new("curl")
        .args(["-s", "-o", "/dev/null", "-w", "%{size_download}", url])
        .output()
        .unwrap();
    String::from_utf8_lossy(&out.stdout).parse().unwrap_or(0)
}
