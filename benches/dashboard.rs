//! What the dashboard costs: first frame, idle, and under a thousand connections.
//!
//! The real binary in a real pseudo-terminal. `cargo bench --bench dashboard`;
//! under load 800 connections wait and 200 fetch, keys are timed, and the
//! drawing thread's CPU is set against the CPU of the whole run, clients
//! included. Throughput with and without the screen takes turns, 24 rounds.
//!
//! One such run (2026-11-20, 2 cores): first frame 5 ms, 0.06 % of a core idle;
//! with a thousand connections 3.6 GiB/s, the drawing thread 0.7 % of the run's
//! CPU, a key answered in 3 ms (11 ms at most), 45 MB resident; throughput with
//! the screen over without 0.97, middle half 0.88 to 1.05.

#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a bench talks, and stops at the first thing that is not there"
)]

#[path = "../tests/pty/mod.rs"]
mod pty;

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use pty::{Pty, Scratch, binary, free_port};

const SIZE: (u16, u16) = (120, 36);

fn main() {
    if !std::env::args().any(|arg| arg == "--bench") {
        return;
    }
    let world = Scratch::new("bench");
    world.dir("srv");
    let big = std::fs::File::create(world.0.join("srv/big.bin")).unwrap();
    // The most classic can carry.
    big.set_len((4 << 30) - 1).unwrap();
    let one = std::fs::File::create(world.0.join("srv/one.bin")).unwrap();
    one.set_len(512 << 20).unwrap();
    first_frame(&world);
    idle(&world);
    load(&world);
    rounds(&world);
}

fn serve(world: &Scratch) -> (Pty, u16) {
    let port = free_port();
    let listen = format!("127.0.0.1:{port}");
    let pty = Pty::start(
        &binary(),
        &["serve", "srv", "--listen", &listen],
        &world.0,
        SIZE,
    );
    (pty, port)
}

fn first_frame(world: &Scratch) {
    let mut times: Vec<f64> = (0..9)
        .map(|_| {
            let start = Instant::now();
            let (pty, _) = serve(world);
            while !pty.text().contains("connections") {
                std::thread::sleep(Duration::from_micros(200));
            }
            start.elapsed().as_secs_f64() * 1e3
        })
        .collect();
    times.sort_by(f64::total_cmp);
    println!(
        "first frame: {:.0} ms (median of 9, {:.0}–{:.0})",
        times[4], times[0], times[8]
    );
}

fn idle(world: &Scratch) {
    let (pty, _) = serve(world);
    pty.shows("listening");
    let before = cpu(&format!("/proc/{}/task", pty.pid()));
    std::thread::sleep(Duration::from_secs(10));
    let after = cpu(&format!("/proc/{}/task", pty.pid()));
    println!(
        "idle: {:.2} % of a core over 10 s, {} KiB resident",
        (after - before) * 10.0,
        resident(pty.pid())
    );
}

/// CPU seconds of every thread below a task folder.
fn cpu(tasks: &str) -> f64 {
    let threads = std::fs::read_dir(tasks).unwrap();
    threads
        .flatten()
        .map(|thread| thread_cpu(&thread.path().join("schedstat")))
        .sum()
}

/// CPU seconds of one thread: the first word of its schedstat is nanoseconds.
fn thread_cpu(path: &std::path::Path) -> f64 {
    let stat = std::fs::read_to_string(path).unwrap_or_default();
    let nanos = stat
        .split(' ')
        .next()
        .and_then(|word| word.parse::<f64>().ok());
    nanos.unwrap_or(0.0) / 1e9
}

fn resident(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

fn ask(port: u16, name: &str) -> TcpStream {
    let mut socket = TcpStream::connect(("127.0.0.1", port)).unwrap();
    let mut request = vec![0x49, 0x7E, 1];
    request.extend_from_slice(&u16::try_from(name.len()).unwrap().to_be_bytes());
    request.extend_from_slice(name.as_bytes());
    socket.write_all(&request).unwrap();
    socket
}

fn load(world: &Scratch) {
    let (mut pty, port) = serve(world);
    pty.shows("listening");
    let hello = [
        0x49, 0x7E, 0x10, 0, 0, 0, 8, 0xA2, 0, 0x81, 1, 1, 0x62, 0x6D, 0x65,
    ];
    let waiting: Vec<TcpStream> = (0..800)
        .map(|_| {
            let mut socket = TcpStream::connect(("127.0.0.1", port)).unwrap();
            socket.write_all(&hello).unwrap();
            socket
        })
        .collect();
    let stop = Arc::new(AtomicBool::new(false));
    let moved = Arc::new(AtomicU64::new(0));
    // Four threads for 200 sockets: what is loaded is to be the server, not the scheduler.
    let readers: Vec<_> = (0..4)
        .map(|_| {
            let mut sockets: Vec<TcpStream> = (0..50).map(|_| ask(port, "big.bin")).collect();
            let (stop, moved) = (Arc::clone(&stop), Arc::clone(&moved));
            std::thread::spawn(move || {
                let mut buffer = vec![0; 64 << 10];
                let mut whole = 0;
                while !stop.load(Relaxed) {
                    whole = 0;
                    for socket in &mut sockets {
                        if let Ok(read @ 1..) = socket.read(&mut buffer) {
                            moved.fetch_add(read as u64, Relaxed);
                            whole += 1;
                        }
                    }
                }
                whole
            })
        })
        .collect();
    pty.until("a thousand connections", |screen| {
        screen.contains("1,000 / ")
    });
    let pid = pty.pid();
    let drawing = format!("/proc/{pid}/task/{pid}/schedstat");
    let mark = || {
        (
            thread_cpu(drawing.as_ref()),
            cpu(&format!("/proc/{pid}/task")),
            cpu("/proc/self/task"),
        )
    };
    let (drawn, server, clients) = mark();
    let (start, bytes) = (Instant::now(), moved.load(Relaxed));
    let mut answers = Vec::new();
    while start.elapsed() < Duration::from_secs(10) {
        answers.push(answer_time(&mut pty));
        std::thread::sleep(Duration::from_millis(150));
    }
    let took = start.elapsed().as_secs_f64();
    let gib = (moved.load(Relaxed) - bytes) as f64 / f64::from(1 << 30);
    let (drawn, server, clients) = {
        let after = mark();
        (after.0 - drawn, after.1 - server, after.2 - clients)
    };
    let rss = resident(pid);
    stop.store(true, Relaxed);
    let whole: usize = readers
        .into_iter()
        .map(|reader| reader.join().unwrap())
        .sum();
    drop(waiting);
    answers.sort_by(f64::total_cmp);
    println!(
        "1,000 connections, 200 fetching, {took:.0} s: {:.2} GiB/s; none of the fetches failed: {}\n\
         \x20 drawing thread {drawn:.2} s of {:.2} CPU s of the run = {:.1} %; server RSS {rss} KiB\n\
         \x20 a key is answered in {:.0} ms (median of {}), {:.0} ms at most",
        gib / took,
        whole == 200,
        server + clients,
        100.0 * drawn / (server + clients),
        answers[answers.len() / 2],
        answers.len(),
        answers[answers.len() - 1],
    );
}

/// Opens the help and closes it again; milliseconds until it stood on the screen.
fn answer_time(pty: &mut Pty) -> f64 {
    let start = Instant::now();
    pty.keys("?");
    while !pty.text().contains("this help") {
        assert!(
            start.elapsed() < pty::DEADLINE,
            "no answer to a key:\n{}",
            pty.text()
        );
        std::thread::sleep(Duration::from_micros(200));
    }
    let took = start.elapsed().as_secs_f64() * 1e3;
    pty.keys("?");
    while pty.text().contains("this help") {
        assert!(
            start.elapsed() < pty::DEADLINE,
            "the help does not close:\n{}",
            pty.text()
        );
        std::thread::sleep(Duration::from_micros(200));
    }
    took
}

/// The same transfer from a server with a screen and one without, taking turns.
fn rounds(world: &Scratch) {
    const ROUNDS: usize = 24;
    let (pty, seen) = serve(world);
    pty.shows("listening");
    let blind = free_port();
    let mut child = Command::new(binary())
        .args([
            "serve",
            "srv",
            "--headless",
            "--listen",
            &format!("127.0.0.1:{blind}"),
        ])
        .current_dir(&world.0)
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    while TcpStream::connect(("127.0.0.1", blind)).is_err() {
        std::thread::sleep(Duration::from_millis(10));
    }
    let time = |port| {
        let start = Instant::now();
        let mut socket = ask(port, "one.bin");
        let mut buffer = vec![0; 256 << 10];
        let mut got = 0;
        while let Ok(read @ 1..) = socket.read(&mut buffer) {
            got += read;
        }
        assert_eq!(got, 8 + (512 << 20));
        start.elapsed().as_secs_f64()
    };
    time(seen);
    time(blind);
    let mut ratios: Vec<f64> = (0..ROUNDS)
        .map(|round| {
            // Who goes first takes turns too.
            let (with, without) = if round % 2 == 0 {
                let with = time(seen);
                (with, time(blind))
            } else {
                let without = time(blind);
                (time(seen), without)
            };
            without / with
        })
        .collect();
    ratios.sort_by(f64::total_cmp);
    println!(
        "throughput with the screen over without, {ROUNDS} paired rounds of 512 MiB: {:.2} (middle half {:.2}–{:.2})",
        ratios[ROUNDS / 2],
        ratios[ROUNDS / 4],
        ratios[ROUNDS * 3 / 4],
    );
    let _ = child.kill();
    let _ = child.wait();
}
