//! Line 6: how much memory the server takes, for one, for the idle, for the busy.
//!
//! `VmHWM` and `VmRSS` of the server process; what the kernel keeps for sockets is not
//! in them, for anybody. nginx stands beside it with the same number of connections.

use std::cmp::Ordering::Less;
use std::fs::File;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::thread;
use std::time::Duration;

use ferrydeck::entity::Dialect;

use super::contest::{Bound, judge};
use super::peers::{self, Server};
use super::sink::{self, Line, Manner};
use super::watch::{forget_peak, memory};
use super::{NAME, Stage};

/// Connections before those that are counted.
const FIRST: usize = 20;
const IDLE: usize = 1_000;
const BUSY: usize = 100;
/// Bytes each busy connection takes before the server's memory is looked at.
const ENOUGH: u64 = 24 << 20;
/// The large file: holes alone, so that it costs no memory of the machine's.
const LARGE: u64 = 4 << 30;

const ONE: Bound = bound(10.0, 10.0);
const AN_IDLE: Bound = bound(8.0, 2.0);
const ALL_BUSY: Bound = bound(30.0, 30.0);

const fn bound(gate: f64, target: f64) -> Bound {
    Bound { gate, target }
}

/// Runs it.
pub fn line(stage: &Stage<'_>) {
    let file = File::create(stage.place.source.join(NAME)).unwrap();
    file.set_len(LARGE).unwrap();
    println!(
        "\nline 6: memory of the server; a file of 4 GiB (holes) on {}; load {}",
        stage.place.words(),
        super::load(),
    );
    ferrydeck::system::raise_descriptors();
    let ours = peers::ferrydeck(&stage.place.source, stage.scratch, &["auto"]);
    println!("  at start: {:.1} MB", megabytes(&ours, "VmRSS:"));
    one(&ours);
    drop(ours);
    // A process of its own each: what was freed is not always given back.
    let ours = peers::ferrydeck(&stage.place.source, stage.scratch, &["auto"]);
    idle(&ours);
    if let Some(nginx) = peers::nginx(&stage.place.source, stage.scratch) {
        idle_nginx(&nginx);
    }
    drop(ours);
    let ours = peers::ferrydeck(&stage.place.source, stage.scratch, &["auto"]);
    busy(&ours);
}

fn one(ours: &Server) {
    forget_peak(ours.pid());
    let mut line = sink::open(ours.addr(), Dialect::Deck);
    sink::ask(&mut line, NAME);
    assert_eq!(sink::drain(&mut line, Manner::Large, u64::MAX), LARGE);
    judge(
        "peak at one transfer, MB",
        megabytes(ours, "VmHWM:"),
        ONE,
        Less,
        1,
    );
}

fn idle(ours: &Server) {
    let call = |count: usize| -> Vec<Line> {
        let lines = (0..count).map(|_| {
            let mut line = sink::open(ours.addr(), Dialect::Deck);
            sink::greet(&mut line);
            line
        });
        lines.collect()
    };
    // The first ones bring the program itself into memory.
    let first = call(FIRST);
    thread::sleep(Duration::from_millis(500));
    let before = memory(ours.pid(), "VmRSS:");
    let lines = call(IDLE);
    thread::sleep(Duration::from_millis(500));
    let kib = (memory(ours.pid(), "VmRSS:") - before) as f64 / 1024.0 / IDLE as f64;
    judge(
        "an idle connection, behind its hello, KiB",
        kib,
        AN_IDLE,
        Less,
        2,
    );
    drop((first, lines));
}

/// The same number of connections that are kept alive behind one small request.
fn idle_nginx(nginx: &Server) {
    let before = memory(nginx.pid(), "VmRSS:");
    let sockets: Vec<TcpStream> = (0..IDLE)
        .map(|_| {
            let mut socket = TcpStream::connect(nginx.addr()).unwrap();
            socket
                .write_all(b"HEAD /none HTTP/1.1\r\nHost: a\r\n\r\n")
                .unwrap();
            assert!(socket.read(&mut [0; 4096]).unwrap() > 0);
            socket
        })
        .collect();
    thread::sleep(Duration::from_millis(500));
    let kib = (memory(nginx.pid(), "VmRSS:") - before) as f64 / 1024.0 / IDLE as f64;
    println!("  nginx, an idle connection behind one request, KiB: {kib:.2}");
    drop(sockets);
}

fn busy(ours: &Server) {
    forget_peak(ours.pid());
    let mut lines: Vec<Line> = (0..BUSY)
        .map(|_| {
            let mut line = sink::open(ours.addr(), Dialect::Deck);
            sink::ask(&mut line, NAME);
            line
        })
        .collect();
    thread::scope(|scope| {
        for line in &mut lines {
            scope.spawn(move || sink::drain(line, Manner::Large, ENOUGH));
        }
    });
    judge(
        "peak at 100 transfers, MB",
        megabytes(ours, "VmHWM:"),
        ALL_BUSY,
        Less,
        1,
    );
}

fn megabytes(server: &Server, line: &str) -> f64 {
    memory(server.pid(), line) as f64 / 1e6
}
