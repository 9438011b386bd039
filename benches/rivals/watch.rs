//! What a run cost: seconds, CPU seconds of both sides, and the largest memory.
//!
//! Children are waited for, so their CPU time is this process's own account of
//! them (`/proc/self/stat`, with all they waited for themselves); a server that
//! stays is asked before and after. Memory is `VmHWM`, looked at every few
//! milliseconds while a child lives and set back before each run of a server.

use std::fs;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

/// How often a child's memory is looked at.
const LOOK: Duration = Duration::from_millis(15);
/// How long a server may take to settle behind a run before it is asked for its time.
const SETTLE: Duration = Duration::from_millis(40);
/// The kernel's `USER_HZ`: 100 on every Linux there is.
const TICKS: f64 = 100.0;

/// What one run cost.
#[derive(Clone, Copy, Debug, Default)]
pub struct Cost {
    /// Wall clock, from the first child's start to the last one's end.
    pub seconds: f64,
    /// CPU seconds of the server.
    pub server: f64,
    /// CPU seconds of the children.
    pub client: f64,
    /// The server's largest memory, in bytes.
    pub server_rss: u64,
    /// The largest child's largest memory, in bytes.
    pub client_rss: u64,
}

/// Runs children and keeps the account.
pub struct Watch {
    seen: Arc<Mutex<Vec<u32>>>,
    largest: Arc<AtomicU64>,
}

impl Watch {
    /// A watch with a thread that looks at memory for as long as the bench runs.
    pub fn new() -> Self {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let largest = Arc::new(AtomicU64::new(0));
        let (looked, highest) = (Arc::clone(&seen), Arc::clone(&largest));
        thread::spawn(move || {
            loop {
                let pids: Vec<u32> = looked.lock().unwrap().clone();
                for pid in pids.iter().flat_map(|pid| family(*pid)) {
                    highest.fetch_max(memory(pid, "VmHWM:"), Ordering::Relaxed);
                }
                thread::sleep(LOOK);
            }
        });
        Self { seen, largest }
    }

    /// Runs `work`, which calls [`Self::child`] and [`Self::wait`], beside a server.
    pub fn measure(&self, server: Option<u32>, work: impl FnOnce(&Self)) -> Cost {
        self.largest.store(0, Ordering::Relaxed);
        if let Some(pid) = server {
            forget_peak(pid);
        }
        let (server_before, client_before) = (server.map_or(0.0, cpu), children());
        let start = Instant::now();
        work(self);
        let seconds = start.elapsed().as_secs_f64();
        thread::sleep(SETTLE);
        Cost {
            seconds,
            server: server.map_or(0.0, cpu) - server_before,
            client: children() - client_before,
            server_rss: server.map_or(0, |pid| memory(pid, "VmHWM:")),
            client_rss: self.largest.load(Ordering::Relaxed),
        }
    }

    /// Starts a child that is looked at.
    pub fn child(&self, mut command: Command) -> Child {
        let child = command.stdin(Stdio::null()).spawn().unwrap();
        self.seen.lock().unwrap().push(child.id());
        child
    }

    /// Waits for a child that must end well.
    pub fn wait(&self, mut child: Child) {
        let ended = child.wait().unwrap();
        self.seen.lock().unwrap().retain(|pid| *pid != child.id());
        assert!(ended.success(), "a child ended badly: {ended}");
    }

    /// Both at once.
    pub fn run(&self, command: Command) {
        self.wait(self.child(command));
    }
}

/// CPU seconds of a process, of all it waited for, and of its living children.
pub fn cpu(pid: u32) -> f64 {
    family(pid)
        .map(|pid| fields(&format!("/proc/{pid}/stat"), 11..15))
        .sum()
}

/// CPU seconds of all children this process has waited for.
fn children() -> f64 {
    fields("/proc/self/stat", 13..15)
}

/// The sum of some fields behind the name, which may hold anything (proc(5)).
fn fields(path: &str, which: std::ops::Range<usize>) -> f64 {
    let Ok(text) = fs::read_to_string(path) else {
        return 0.0;
    };
    let rest = text.rsplit(')').next().unwrap_or_default();
    let ticks: f64 = rest
        .split_whitespace()
        .skip(which.start)
        .take(which.len())
        .filter_map(|field| field.parse::<f64>().ok())
        .sum();
    ticks / TICKS
}

/// A process and its living descendants.
fn family(pid: u32) -> Box<dyn Iterator<Item = u32>> {
    let path = format!("/proc/{pid}/task/{pid}/children");
    let below = fs::read_to_string(path).unwrap_or_default();
    let below: Vec<u32> = below
        .split_whitespace()
        .filter_map(|word| word.parse().ok())
        .collect();
    Box::new(std::iter::once(pid).chain(below.into_iter().flat_map(family)))
}

/// A line of `/proc/PID/status` in bytes; 0 where there is none.
pub fn memory(pid: u32, line: &str) -> u64 {
    fs::read_to_string(format!("/proc/{pid}/status"))
        .unwrap_or_default()
        .lines()
        .find_map(|text| text.strip_prefix(line))
        .and_then(|rest| rest.split_whitespace().next()?.parse::<u64>().ok())
        .map_or(0, |kib| kib << 10)
}

/// Sets `VmHWM` back to what is used now (proc(5), `clear_refs`).
pub fn forget_peak(pid: u32) {
    let _ = fs::write(format!("/proc/{pid}/clear_refs"), "5");
}
