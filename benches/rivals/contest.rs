//! Runners that take turns, and what their turns say: medians of paired ratios.
//!
//! Every round each runner has its turn; the first round warms caches and is not
//! counted. A ratio is taken within a round and the median over the rounds, with the
//! spread beside it; CPU seconds are summed over all rounds, memory is the largest.

use std::cell::Cell;

use super::watch::{Cost, Watch};

/// How much one run moves.
#[derive(Clone, Copy)]
pub enum Amount {
    /// So many bytes of one file.
    Bytes(u64),
    /// So many files.
    Files(u64),
}

/// One way to bring the payload over.
pub struct Runner {
    /// Who, for the table.
    pub name: String,
    /// The server that stays between runs.
    pub server: Option<u32>,
    /// Makes ready; not measured.
    pub prepare: Box<dyn Fn()>,
    /// The run.
    pub run: Box<dyn Fn(&Watch)>,
    /// Says whether all came; not measured.
    pub check: Box<dyn Fn()>,
}

/// A line of the list, at one place.
pub struct Contest {
    amount: Amount,
    runners: Vec<Runner>,
}

/// Which runner.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Who(usize);

/// What came of it.
pub struct Outcome {
    amount: Amount,
    names: Vec<String>,
    costs: Vec<Vec<Cost>>,
}

/// A bound, as it is said in the list: what must be, and what is hoped for.
#[derive(Clone, Copy)]
pub struct Bound {
    /// Missed, the line is missed.
    pub gate: f64,
    /// Missed, it is only said.
    pub target: f64,
}

thread_local! {
    static MISSED: Cell<u32> = const { Cell::new(0) };
}

/// Gates missed so far.
pub fn missed() -> u32 {
    MISSED.get()
}

/// Holds a figure against its bound and says it; `Less` where less is better.
pub fn judge(what: &str, figure: f64, bound: Bound, better: std::cmp::Ordering, digits: usize) {
    let is_met = |edge: f64| figure.total_cmp(&edge) == better || (figure - edge).abs() < 1e-9;
    let word = |met: bool| if met { "pass" } else { "miss" };
    let sign = if better.is_lt() { "≤" } else { "≥" };
    if !is_met(bound.gate) {
        MISSED.set(MISSED.get() + 1);
    }
    println!(
        "  {what}: {figure:.digits$}; gate {sign} {:.digits$} {}; target {sign} {:.digits$} {}",
        bound.gate,
        word(is_met(bound.gate)),
        bound.target,
        word(is_met(bound.target)),
    );
}

impl Contest {
    /// One with nobody in it.
    pub const fn new(amount: Amount) -> Self {
        Self {
            amount,
            runners: Vec::new(),
        }
    }

    /// Takes one more in.
    pub fn add(&mut self, runner: Runner) -> Who {
        self.runners.push(runner);
        Who(self.runners.len() - 1)
    }

    /// Lets them take turns.
    pub fn run(self, watch: &Watch, rounds: u64) -> Outcome {
        let mut costs = vec![Vec::new(); self.runners.len()];
        for round in 0..=rounds {
            for (runner, costs) in self.runners.iter().zip(&mut costs) {
                (runner.prepare)();
                let cost = watch.measure(runner.server, |watch| (runner.run)(watch));
                (runner.check)();
                if round > 0 || rounds == 0 {
                    costs.push(cost);
                }
            }
        }
        Outcome {
            amount: self.amount,
            names: self.runners.into_iter().map(|one| one.name).collect(),
            costs,
        }
    }
}

impl Outcome {
    /// Prints a row a runner; ratios are against `peer`.
    pub fn table(&self, peer: Option<Who>) {
        let (speed, cpu) = match self.amount {
            Amount::Bytes(_) => ("GiB/s", "CPU s/GiB"),
            Amount::Files(_) => ("files/s", "CPU µs a file"),
        };
        let against = match peer {
            Some(Who(peer)) => format!("ratios against {}", self.names[peer]),
            None => "nobody to compare with".to_owned(),
        };
        let cpu = format!("{cpu} (server + client)");
        println!(
            "  {against:<46} {speed:>8}  {:<18} {cpu:<31} peak MB, server, client",
            "ratio (spread)"
        );
        for (index, name) in self.names.iter().enumerate() {
            let ratio = match peer {
                Some(peer) if peer != Who(index) => {
                    let (low, middle, high) = self.ratio(Who(index), peer);
                    format!("{middle:5.2} ({low:.2}–{high:.2})")
                }
                _ => String::new(),
            };
            let (server, client) = self.cpu(Who(index));
            let sides = format!("{:.2} ({server:.2} + {client:.2})", server + client);
            let (at_server, at_client) = self.memory(Who(index));
            let speed = match self.amount {
                Amount::Bytes(_) => format!("{:.2}", self.speed(Who(index))),
                Amount::Files(_) => format!("{:.0}", self.speed(Who(index))),
            };
            println!(
                "  {name:<46} {speed:>8}  {ratio:<18} {sides:<31} {at_server:7.1} {at_client:6.1}"
            );
        }
    }

    /// How often as fast as the other: the slowest round, the median, the fastest.
    pub fn ratio(&self, who: Who, other: Who) -> (f64, f64, f64) {
        let paired = self.costs[who.0].iter().zip(&self.costs[other.0]);
        let mut ratios: Vec<f64> = paired.map(|(one, two)| two.seconds / one.seconds).collect();
        ratios.sort_by(f64::total_cmp);
        (ratios[0], median(&ratios), ratios[ratios.len() - 1])
    }

    /// CPU seconds a GiB, or microseconds a file: of the server and of the client.
    pub fn cpu(&self, who: Who) -> (f64, f64) {
        let costs = &self.costs[who.0];
        let (per, scale) = match self.amount {
            Amount::Bytes(bytes) => (bytes as f64 / f64::from(1 << 30), 1.0),
            Amount::Files(count) => (count as f64, 1e6),
        };
        let part = |of: fn(&Cost) -> f64| {
            costs.iter().map(of).sum::<f64>() * scale / (per * costs.len() as f64)
        };
        (part(|cost| cost.server), part(|cost| cost.client))
    }

    /// The largest memory, in MB: of the server and of the client.
    pub fn memory(&self, who: Who) -> (f64, f64) {
        let most = |of: fn(&Cost) -> u64| {
            let most = self.costs[who.0].iter().map(of).max();
            most.unwrap_or(0) as f64 / 1e6
        };
        (most(|cost| cost.server_rss), most(|cost| cost.client_rss))
    }

    fn speed(&self, who: Who) -> f64 {
        let mut times: Vec<f64> = self.costs[who.0].iter().map(|cost| cost.seconds).collect();
        times.sort_by(f64::total_cmp);
        let middle = median(&times);
        match self.amount {
            Amount::Bytes(bytes) => bytes as f64 / f64::from(1 << 30) / middle,
            Amount::Files(count) => count as f64 / middle,
        }
    }
}

/// The middle of what is sorted: between the two in the middle where they are even.
fn median(sorted: &[f64]) -> f64 {
    let half = sorted.len() / 2;
    if sorted.len().is_multiple_of(2) {
        f64::midpoint(sorted[half - 1], sorted[half])
    } else {
        sorted[half]
    }
}
