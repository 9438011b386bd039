//! The one loop with a screen: inputs, feed, frames. Both modes.
//!
//! After the first event it hears only keys until the next frame is due, then
//! drains the feed and draws: at a trickle every event has its frame, in a
//! flood a frame is a snapshot, on one code path. It draws on change, and once
//! a second for the clocks. Nothing in it waits for a peer or a disk.

use std::io;
use std::time::Duration;

use crossterm::event::{Event as Input, EventStream};
use futures_util::{Stream, StreamExt as _};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc::{self, UnboundedReceiver};
use tokio::time::{Instant, sleep_until, timeout};

use crate::event::Command;
use crate::model::{About, Model, Role};
use crate::net::Handle;
use crate::net::hub::RING;
use crate::ui;
use crate::ui::screen::{Reaction, Screen};
use crate::ui::terminal::{self, Terminal};
use crate::ui::theme::Theme;

/// The shortest time between two frames that events ask for: 15 a second.
const FRAME: Duration = Duration::from_millis(66);
/// The shortest time between two frames that keys ask for: 60 a second.
const KEY_FRAME: Duration = Duration::from_millis(16);
/// Between frames while dials turn without events.
const MOVING: Duration = Duration::from_millis(200);
/// Between frames while only clocks turn.
const RESTING: Duration = Duration::from_secs(1);
/// What an engine gets to end once it was told to end at once.
const LAST_MOMENT: Duration = Duration::from_secs(1);

/// How a run with a screen ended.
#[derive(Debug)]
pub enum Exit {
    /// The program is over.
    Code(u8),
    /// The terminal could not be taken over.
    NoScreen(io::Error),
    /// The terminal is gone; the engine runs on.
    ScreenLost(Box<Handle>),
}

/// Where frames go: the real terminal, or a test's.
pub trait Stage {
    /// Draws one frame.
    fn draw(&mut self, model: &Model, screen: &mut Screen) -> io::Result<()>;
    /// Gives the terminal to the shell until we are continued.
    fn suspend(&mut self) -> io::Result<()>;
}

impl Stage for Terminal {
    fn draw(&mut self, model: &Model, screen: &mut Screen) -> io::Result<()> {
        (**self)
            .draw(|frame| ui::view(frame, model, screen))
            .map(drop)
    }

    fn suspend(&mut self) -> io::Result<()> {
        Self::suspend(self);
        let stopped =
            rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::TSTP);
        self.resume()?;
        Ok(stopped?)
    }
}

/// What the system tells the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Word {
    /// SIGINT or SIGTERM: leave.
    Leave,
    /// SIGHUP: nobody looks any more.
    HangUp,
}

/// Runs an engine under a screen on the real terminal, to its end.
pub async fn run_on_terminal(handle: Handle, about: &About) -> Exit {
    let words = match system_words() {
        Ok(words) => words,
        Err(error) => return Exit::NoScreen(error),
    };
    let stage = match terminal::enter(|| tokio::task::try_id().is_some()) {
        Ok(stage) => stage,
        Err(error) => return Exit::NoScreen(error),
    };
    // The NO_COLOR convention: present and not empty, whatever its value.
    let plain = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let theme = if plain { Theme::plain() } else { Theme::ansi() };
    let screen = Screen::new(about.role.clone(), theme, jiff::tz::TimeZone::system());
    let app = App::new(stage, handle, about.clone(), screen);
    let exit = app.run(EventStream::new(), words).await;
    if let Exit::ScreenLost(_) = &exit {
        terminal::deafen();
    }
    exit
}

fn system_words() -> io::Result<UnboundedReceiver<Word>> {
    let (say, words) = mpsc::unbounded_channel();
    for (kind, word) in [
        (SignalKind::interrupt(), Word::Leave),
        (SignalKind::terminate(), Word::Leave),
        (SignalKind::hangup(), Word::HangUp),
    ] {
        let mut signals = signal(kind)?;
        let say = say.clone();
        tokio::spawn(
            async move { while signals.recv().await.is_some() && say.send(word).is_ok() {} },
        );
    }
    Ok(words)
}

/// A screen over an engine.
#[derive(Debug)]
pub struct App<S> {
    stage: S,
    handle: Handle,
    model: Model,
    screen: Screen,
    /// What is shown while the display is frozen; the model goes on.
    frozen: Option<Box<Model>>,
    epoch: Instant,
    drawn: Option<Instant>,
    /// When the next frame is due, if something has changed.
    due: Option<Instant>,
    leaving: bool,
}

/// Why the loop ended.
enum Over {
    Engine,
    Abort,
    Screen,
}

impl<S: Stage> App<S> {
    /// An app that has drawn nothing yet.
    pub fn new(stage: S, handle: Handle, about: About, screen: Screen) -> Self {
        let now = Instant::now();
        Self {
            stage,
            handle,
            model: Model::new(about),
            screen,
            frozen: None,
            epoch: now,
            drawn: None,
            due: Some(now),
            leaving: false,
        }
    }

    /// Runs to the end of the engine, of the terminal, or of the user's patience.
    pub async fn run(
        mut self,
        inputs: impl Stream<Item = io::Result<Input>> + Unpin,
        words: UnboundedReceiver<Word>,
    ) -> Exit {
        let over = self.turn(inputs, words).await;
        let role = self.model.about.role.clone();
        let Self {
            stage, mut handle, ..
        } = self;
        drop(stage);
        match over {
            // An engine that panicked has ended, too: not in good order.
            Over::Engine => match timeout(LAST_MOMENT, &mut handle.task).await {
                Ok(Err(_)) => Exit::Code(1),
                _ => Exit::Code(0),
            },
            Over::Screen if role == Role::Serve => Exit::ScreenLost(Box::new(handle)),
            Over::Screen | Over::Abort => {
                let _ = handle.commands.send(Command::Abort);
                let _ = timeout(LAST_MOMENT, &mut handle.task).await;
                Exit::Code(if matches!(over, Over::Abort) { 130 } else { 1 })
            }
        }
    }

    async fn turn(
        &mut self,
        mut inputs: impl Stream<Item = io::Result<Input>> + Unpin,
        mut words: UnboundedReceiver<Word>,
    ) -> Over {
        loop {
            if self.due.is_some_and(|due| due <= Instant::now()) {
                match self.frame() {
                    Ok(()) => continue,
                    Err(over) => return over,
                }
            }
            // Once something has changed only keys are heard until its frame.
            let primed = self.due.is_some();
            let frame_at = self.due.unwrap_or_else(|| self.next_tick());
            let step = tokio::select! {
                biased;
                input = inputs.next() => match input {
                    Some(Ok(input)) => self.hear(&input),
                    Some(Err(_)) | None => Err(Over::Screen),
                },
                Some(word) = words.recv() => self.obey(word),
                () = sleep_until(frame_at) => self.frame(),
                event = self.handle.feed.next(), if !primed => match event {
                    Some(event) => {
                        self.model.apply(&event, self.now());
                        self.want(FRAME);
                        Ok(())
                    }
                    None => Err(Over::Engine),
                },
            };
            if let Err(over) = step {
                return over;
            }
        }
    }

    fn now(&self) -> Duration {
        self.epoch.elapsed()
    }

    /// Asks for a frame, no sooner than `gap` after the last one.
    fn want(&mut self, gap: Duration) {
        let now = Instant::now();
        let at = self.drawn.map_or(now, |drawn| (drawn + gap).max(now));
        self.due = Some(self.due.map_or(at, |due| due.min(at)));
    }

    /// When the next frame is due though nothing has been heard.
    fn next_tick(&self) -> Instant {
        let gap = if self.model.is_moving() || self.screen.wants_tick() {
            MOVING
        } else {
            RESTING
        };
        self.drawn.map_or_else(Instant::now, |drawn| drawn + gap)
    }

    /// Drains the feed, reads the dials, draws.
    fn frame(&mut self) -> Result<(), Over> {
        let now = self.now();
        // Bounded: a flood must not keep the frame from being drawn.
        for _ in 0..RING * 2 {
            let Some(event) = self.handle.feed.ready() else {
                break;
            };
            self.model.apply(&event, now);
        }
        for panic in terminal::panics() {
            self.screen.note(&format!("a task panicked: {panic}"));
        }
        self.model.sample(now, &self.handle.totals);
        let model = self.frozen.as_deref().unwrap_or(&self.model);
        let drawn = self.stage.draw(model, &mut self.screen);
        self.drawn = Some(Instant::now());
        self.due = None;
        for errand in self.screen.errands() {
            let _ = self.handle.commands.send(errand);
        }
        if self.screen.is_behind() {
            // A long folder is put in order a part a frame.
            self.want(KEY_FRAME);
        }
        drawn.map_err(|_| Over::Screen)
    }

    fn hear(&mut self, input: &Input) -> Result<(), Over> {
        let model = self.frozen.as_deref().unwrap_or(&self.model);
        let reaction = self.screen.react(input, model);
        match (self.screen.is_frozen(), &self.frozen) {
            (true, None) => self.frozen = Some(Box::new(self.model.clone())),
            (false, Some(_)) => self.frozen = None,
            _ => {}
        }
        match reaction {
            Reaction::Nothing => return Ok(()),
            Reaction::Redraw => {}
            Reaction::Tell(commands) => {
                for command in commands {
                    let _ = self.handle.commands.send(command);
                }
            }
            Reaction::Suspend => self.stage.suspend().map_err(|_| Over::Screen)?,
            Reaction::Leave => self.leave(),
            Reaction::Abort => return Err(Over::Abort),
        }
        self.want(KEY_FRAME);
        Ok(())
    }

    fn obey(&mut self, word: Word) -> Result<(), Over> {
        match word {
            Word::HangUp => Err(Over::Screen),
            Word::Leave if self.leaving => Err(Over::Abort),
            Word::Leave => {
                self.leave();
                Ok(())
            }
        }
    }

    fn leave(&mut self) {
        if !std::mem::replace(&mut self.leaving, true) {
            let _ = self.handle.commands.send(Command::Leave { grace: None });
        }
        self.want(KEY_FRAME);
    }
}

#[cfg(test)]
#[path = "app_tests.rs"]
mod tests;
