//! ferrydeck, the binary, beside the programs people use instead: nginx with curl, an
//! rsync daemon, tar over nc. All in one run, taking turns, because only such ratios
//! mean anything on a shared machine.
//!
//! `cargo bench --bench rivals` measures what the project promises (lines 1 to 6) and
//! says pass or miss for each; a program that is not installed is named and skipped,
//! and so is what this build of ferrydeck cannot do. CPU seconds of both sides and peak
//! memory stand beside every ratio. Every figure printed was taken in this run.
//!
//! | variable | meaning | usual |
//! |---|---|---|
//! | `FERRYDECK_BENCH_MIB` | size of the large file | 1024 |
//! | `FERRYDECK_BENCH_ROUNDS` | rounds that count | 7 |
//! | `FERRYDECK_BENCH_LINES` | which lines, as `1,2,5` | all |
//! | `FERRYDECK_BENCH_DIR` | where, as `DIR:DIR`, or `SOURCE=TARGET` for two disks | `/dev/shm` and the temporary folder |
//! | `FERRYDECK_BENCH_GATE` | `1`: exit 1 if a gate is missed | |

#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a bench talks, and stops at the first thing that is not there"
)]

mod contest;
mod few;
mod many;
mod memory;
mod peers;
mod sink;
mod watch;

use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use peers::Place;
use watch::Watch;

/// The large file.
pub const NAME: &str = "payload.bin";

/// What was asked for.
pub struct Plan {
    /// Bytes of the large file.
    pub size: u64,
    /// Rounds that count.
    pub rounds: u64,
    /// Files of a folder of many.
    pub files: u64,
    lines: Vec<u32>,
}

impl Plan {
    /// Whether a line is wanted.
    pub fn has(&self, line: u32) -> bool {
        self.lines.contains(&line)
    }
}

/// What a line needs to be run.
pub struct Stage<'s> {
    /// What was asked for.
    pub plan: &'s Plan,
    /// Where.
    pub place: &'s Place,
    /// For certificates, states and lists; empty at first.
    pub scratch: &'s Path,
    /// The account.
    pub watch: &'s Watch,
}

fn main() -> ExitCode {
    if sink::obey() {
        return ExitCode::SUCCESS;
    }
    // `cargo test --benches` calls this too: then a small round shows that it runs.
    let measure = std::env::args().any(|arg| arg == "--bench");
    let plan = Plan {
        size: number("FERRYDECK_BENCH_MIB", if measure { 1024 } else { 4 }) << 20,
        rounds: number("FERRYDECK_BENCH_ROUNDS", if measure { 7 } else { 0 }),
        files: if measure { 10_000 } else { 50 },
        lines: text("FERRYDECK_BENCH_LINES").map_or_else(
            || (1..=6).collect(),
            |lines| {
                let numbers = lines.split(',').map(|line| line.trim().parse().unwrap());
                numbers.collect()
            },
        ),
    };
    let watch = Watch::new();
    for (number, (source, target)) in places().into_iter().enumerate() {
        let name = format!("ferrydeck-rivals-{}-{number}", std::process::id());
        let (source, target) = (source.join(&name), target.join(&name));
        let place = Place {
            source: source.join("from"),
            target: target.join("to"),
        };
        let scratch = std::env::temp_dir().join(format!("{name}-scratch"));
        for dir in [&place.source, &place.target, &scratch] {
            fs::create_dir_all(dir).unwrap();
        }
        let stage = Stage {
            plan: &plan,
            place: &place,
            scratch: &scratch,
            watch: &watch,
        };
        run(&stage, number == 0);
        for dir in [&source, &target, &scratch] {
            let _ = fs::remove_dir_all(dir);
        }
    }
    let missed = contest::missed();
    println!("\n{missed} gates missed; load at the end {}", load());
    if missed > 0 && text("FERRYDECK_BENCH_GATE").as_deref() == Some("1") {
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

fn run(stage: &Stage<'_>, is_first: bool) {
    println!("\n# {}; load {}", stage.place.words(), load());
    if [1, 2, 3, 4].iter().any(|line| stage.plan.has(*line)) {
        write_payload(&stage.place.source.join(NAME), stage.plan.size);
        few::lines(stage);
        fs::remove_file(stage.place.source.join(NAME)).unwrap();
    }
    if stage.plan.has(5) {
        many::line(stage, 1 << 10);
        many::line(stage, 64 << 10);
    }
    // Memory is the same wherever files lie.
    if stage.plan.has(6) && is_first {
        memory::line(stage);
    }
}

/// Where to measure: pairs of a source and a target folder.
fn places() -> Vec<(PathBuf, PathBuf)> {
    let usual = || {
        let disk = std::env::temp_dir().display().to_string();
        if Path::new("/dev/shm").is_dir() {
            format!("/dev/shm:{disk}")
        } else {
            disk
        }
    };
    let pair = |word: &str| {
        let (from, to) = word.split_once('=').unwrap_or((word, word));
        (PathBuf::from(from), PathBuf::from(to))
    };
    text("FERRYDECK_BENCH_DIR")
        .unwrap_or_else(usual)
        .split(':')
        .map(pair)
        .collect()
}

fn text(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

fn number(name: &str, usual: u64) -> u64 {
    text(name)
        .and_then(|value| value.parse().ok())
        .unwrap_or(usual)
}

/// The load of the last minute, as the system says it.
fn load() -> String {
    let line = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    line.split(' ').next().unwrap_or_default().to_owned()
}

/// Bytes that no filesystem and no hash finds easier than others.
fn write_payload(path: &Path, size: u64) {
    let mut file = File::create(path).unwrap();
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let mut block = vec![0; 1 << 20];
    let mut left = size;
    while left > 0 {
        for word in block.chunks_exact_mut(8) {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            word.copy_from_slice(&state.to_le_bytes());
        }
        let take = usize::try_from(left.min(1 << 20)).unwrap();
        file.write_all(&block[..take]).unwrap();
        left -= take as u64;
    }
    file.sync_all().unwrap();
}

/// Empties a folder and writes out what its filesystem still holds back, so that no
/// runner pays for the one before.
fn clear(target: &Path) {
    let _ = fs::remove_dir_all(target);
    fs::create_dir_all(target).unwrap();
    let _ = rustix::fs::syncfs(File::open(target).unwrap());
}
