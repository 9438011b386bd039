//! `get`, `put` and `ls` without a screen: a client engine and what it says, as lines.
//!
//! Progress bars where a person looks, plain lines or JSON otherwise. Each
//! failure is one line on stderr and exit 1; a reader that has gone away ends
//! the errand quietly. Knows the feed and the commands; opens no socket itself.

mod burst;
mod listing;

use std::collections::{HashMap, HashSet};
use std::io::{self, BufRead as _, Write};
use std::sync::Arc;
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use tokio::time::{MissedTickBehavior, interval};

pub use self::listing::{Listing, Shown, ls};
use crate::entity::{JobId, Kind, Outcome, RemotePath};
use crate::event::{Clash, Command, Event, Job, JobState, Outgoing, Scope, Started, Wanted, What};
use crate::line;
use crate::net::Handle;

/// How an errand ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Done {
    /// All of it worked: exit 0.
    Well,
    /// Something failed and has been said: exit 1.
    Badly,
    /// The reader of our lines has gone: nothing more to do, exit 0.
    Unheard,
}

/// How a `get` talks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Voice {
    /// Bars, and questions about taken names: somebody sits there.
    Bars,
    /// One line a file.
    Plain,
    /// One JSON object an event.
    Json,
}

/// Fetches files from one server, and folders with all that is in them, and tells how
/// each file ended.
pub async fn get(
    handle: &mut Handle,
    wanted: Vec<Wanted>,
    voice: Voice,
    out: &mut (dyn Write + Send),
    err: &mut (dyn Write + Send),
) -> Done {
    let ordered = wanted.iter().map(|one| one.path.clone()).collect();
    let command = Command::Fetch(wanted);
    see_through(handle, command, ordered, voice, out, err).await
}

/// Sends files to one server and tells how each ended.
pub async fn put(
    handle: &mut Handle,
    outgoing: Vec<Outgoing>,
    voice: Voice,
    out: &mut (dyn Write + Send),
    err: &mut (dyn Write + Send),
) -> Done {
    let ordered = outgoing.iter().map(|one| one.path.clone()).collect();
    let command = Command::Send(outgoing);
    see_through(handle, command, ordered, voice, out, err).await
}

/// Gives an order for some files or folders and stays until each has ended, and
/// each file that was found in one.
async fn see_through(
    handle: &mut Handle,
    command: Command,
    ordered: Vec<RemotePath>,
    voice: Voice,
    out: &mut (dyn Write + Send),
    err: &mut (dyn Write + Send),
) -> Done {
    let _ = handle.commands.send(command);
    let mut errand = Errand {
        voice,
        due: ordered.len(),
        ordered: ordered.into_iter().collect(),
        known: HashSet::new(),
        ended: HashSet::new(),
        away: Away::No,
        standing: None,
        begun: HashMap::new(),
        bars: HashMap::new(),
        board: MultiProgress::new(),
        done: Done::Well,
    };
    let mut frame = interval(Duration::from_millis(100));
    frame.set_missed_tick_behavior(MissedTickBehavior::Skip);
    while !errand.is_over() {
        tokio::select! {
            event = errand.next(handle) => {
                let Some(event) = event else { break };
                if let Err(error) = errand.hear_burst(handle, event, out, err).await {
                    return unheard(&error, err);
                }
            }
            _ = frame.tick(), if voice == Voice::Bars => errand.turn(),
        }
    }
    if !errand.is_over() {
        // The engine ended before its work did.
        return Done::Badly;
    }
    errand.done
}

struct Errand {
    voice: Voice,
    /// Items that were ordered; more may be found in folders.
    due: usize,
    /// Their paths on the server.
    ordered: HashSet<RemotePath>,
    known: HashSet<JobId>,
    ended: HashSet<JobId>,
    away: Away,
    /// The answer given for all taken names.
    standing: Option<Clash>,
    /// The transfer of each item that has begun.
    begun: HashMap<JobId, Arc<Started>>,
    bars: HashMap<JobId, ProgressBar>,
    board: MultiProgress,
    done: Done,
}

/// Whether it was said that the server has gone away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Away {
    No,
    Said,
}

/// Files of at most so many bytes have no bar: they are over before one is seen.
const NO_BAR: u64 = 1 << 20;

impl Errand {
    /// A folder's files are known before the folder itself is at its end.
    fn is_over(&self) -> bool {
        self.known.len() >= self.due && self.ended.len() == self.known.len()
    }

    async fn hear(
        &mut self,
        handle: &Handle,
        event: &Event,
        out: &mut (dyn Write + Send),
        err: &mut (dyn Write + Send),
    ) -> io::Result<()> {
        match &event.what {
            What::Job(job) => self.hear_job(handle, event, job, out, err).await,
            What::Reset(snapshot) => {
                for job in &snapshot.jobs {
                    self.hear_job(handle, event, job, out, err).await?;
                }
                Ok(())
            }
            What::TransferStarted(_) | What::Note(_) if self.voice == Voice::Json => {
                line::json(event).map_or(Ok(()), |line| writeln!(out, "{line}"))
            }
            What::Note(fact) => {
                self.quietly(|| say(err, &format!("ferrydeck: {}", fact.detail)));
                Ok(())
            }
            _ => Ok(()),
        }
    }

    async fn hear_job(
        &mut self,
        handle: &Handle,
        event: &Event,
        job: &Job,
        out: &mut (dyn Write + Send),
        err: &mut (dyn Write + Send),
    ) -> io::Result<()> {
        self.known.insert(job.job);
        match &job.state {
            JobState::Running { started } => {
                self.away = Away::No;
                self.begun.insert(job.job, Arc::clone(started));
                let large = started.size.is_none_or(|size| size > NO_BAR);
                if self.voice == Voice::Bars && large {
                    self.draw(job, started);
                }
                Ok(())
            }
            JobState::Waiting { why, .. } if self.away == Away::No => {
                self.away = Away::Said;
                if self.voice != Voice::Json {
                    self.quietly(|| say(err, &format!("ferrydeck: {why}; trying again")));
                }
                Ok(())
            }
            JobState::Clash => {
                let (clash, scope) = match self.standing {
                    // Asked before the answer for all had reached the queue.
                    Some(clash) => (clash, Scope::Once),
                    None => self.ask(&self.label(job)).await,
                };
                if scope == Scope::All {
                    self.standing = Some(clash);
                }
                let answer = Command::Answer {
                    job: job.job,
                    clash,
                    scope,
                };
                let _ = handle.commands.send(answer);
                Ok(())
            }
            JobState::Ended { .. } if self.ended.insert(job.job) => {
                if let Some(bar) = self.bars.remove(&job.job) {
                    bar.finish_and_clear();
                }
                self.tell_end(event, job, out, err)
            }
            _ => Ok(()),
        }
    }

    fn tell_end(
        &mut self,
        event: &Event,
        job: &Job,
        out: &mut (dyn Write + Send),
        err: &mut (dyn Write + Send),
    ) -> io::Result<()> {
        let JobState::Ended {
            outcome,
            bytes,
            took,
            cause,
            detail,
        } = &job.state
        else {
            return Ok(());
        };
        if job.kind == Kind::Dir && outcome.went_well() {
            // Its files have said all there is to say.
            return Ok(());
        }
        // A file left alone on request is not a failure.
        let left = *outcome == Outcome::Cancelled && *cause == "exists";
        if !outcome.went_well() && !left {
            self.done = Done::Badly;
            let words = if detail.as_str().is_empty() {
                outcome.words()
            } else {
                detail.as_str()
            };
            let hint = match *cause {
                "exists" => " (--on-clash skip, rename or overwrite would go on)",
                _ => "",
            };
            let path = job.path.shown();
            self.quietly(|| say(err, &format!("ferrydeck: {path}: {words}{hint}")));
        }
        if self.voice == Voice::Json {
            let started = self.begun.get(&job.job).map(Arc::as_ref);
            return line::json_of_job(event.at, job, started)
                .map_or(Ok(()), |line| writeln!(out, "{line}"));
        }
        let words = if outcome.went_well() {
            let seconds = took.as_secs_f64();
            let much = match self.voice {
                Voice::Bars => line::size_words(*bytes),
                _ => format!("{bytes} bytes"),
            };
            format!(
                "{}  {much}  {}  {seconds:.1} s",
                self.label(job),
                outcome.words()
            )
        } else if left {
            format!("{}  skipped: exists already", self.label(job))
        } else {
            return Ok(());
        };
        if self.voice != Voice::Bars {
            return writeln!(out, "{words}");
        }
        // Before the bars are drawn again below it.
        let mut said = Ok(());
        self.board.suspend(|| said = say(out, &words));
        said
    }

    /// What a file is called in our lines: its name; where it was found in a folder, with
    /// the way to it on the server.
    fn label(&self, job: &Job) -> String {
        let folder = job.path.parent();
        if self.ordered.contains(&job.path) || folder.is_root() {
            return job.target.to_string();
        }
        format!("{}/{}", folder.shown(), job.target)
    }

    /// Stderr may be closed; that is no reason to stop.
    fn quietly(&self, say: impl FnOnce() -> io::Result<()>) {
        self.board.suspend(|| {
            let _ = say();
        });
    }

    fn draw(&mut self, job: &Job, started: &Started) {
        if self.bars.contains_key(&job.job) {
            return;
        }
        let bar = ProgressBar::new(started.size.unwrap_or(0))
            .with_style(style(started.size))
            .with_message(self.label(job));
        let bar = self.board.add(bar);
        bar.set_position(started.progress.done());
        bar.reset_eta();
        self.bars.insert(job.job, bar);
    }

    fn turn(&self) {
        for (job, bar) in &self.bars {
            if let Some(started) = self.begun.get(job) {
                bar.set_position(started.progress.done());
            }
        }
    }

    /// Asks about a taken name, on the terminal.
    async fn ask(&self, name: &str) -> (Clash, Scope) {
        let board = self.board.clone();
        let question =
            format!("{name} exists already: [s]kip, [r]ename, [o]verwrite (capital: for all)? ");
        let asked = tokio::task::spawn_blocking(move || board.suspend(|| ask_person(&question)));
        asked.await.unwrap_or((Clash::Skip, Scope::All))
    }
}

fn ask_person(question: &str) -> (Clash, Scope) {
    let mut err = io::stderr();
    loop {
        let asked = err
            .write_all(question.as_bytes())
            .and_then(|()| err.flush());
        let mut word = String::new();
        let read = io::stdin().lock().read_line(&mut word);
        if asked.is_err() || !matches!(read, Ok(1..)) {
            // Nobody there after all: touch nothing.
            return (Clash::Skip, Scope::All);
        }
        return match word.trim() {
            "s" => (Clash::Skip, Scope::Once),
            "S" => (Clash::Skip, Scope::All),
            "r" => (Clash::Rename, Scope::Once),
            "R" => (Clash::Rename, Scope::All),
            "o" => (Clash::Overwrite, Scope::Once),
            "O" => (Clash::Overwrite, Scope::All),
            _ => continue,
        };
    }
}

/// A bar's line: what is not told leaves its room to the name, at 80 columns 27 of them.
fn style(size: Option<u64>) -> ProgressStyle {
    let template = match size {
        Some(_) => {
            "{wide_msg} {bar:16} {percent:>3} % {binary_total_bytes:>10} {binary_bytes_per_sec:>13} {eta:>4}"
        }
        None => "{wide_msg} {binary_bytes:>10} {binary_bytes_per_sec:>13}",
    };
    // The template is a constant; the default is only for the compiler.
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}

/// Our lines could not be written: a reader that has gone away is no failure of
/// ours, a full disk is.
fn unheard(error: &io::Error, err: &mut (dyn Write + Send)) -> Done {
    if error.kind() == io::ErrorKind::BrokenPipe {
        return Done::Unheard;
    }
    let _ = say(err, &format!("ferrydeck: cannot write to stdout: {error}"));
    Done::Badly
}

fn say(out: &mut (dyn Write + Send), line: &str) -> io::Result<()> {
    writeln!(out, "{line}")?;
    out.flush()
}
