//! The terminal: borrowed with `enter`, given back once, whatever happens.
//!
//! One idempotent `restore` serves `Drop`, the panic hook and suspending; it
//! ignores errors, because a dead terminal must not stop a server. The hook
//! restores only for a panic that ends the drawing: on the drawing thread and
//! outside any task. Every other panic prints nothing and becomes a note.

use std::collections::VecDeque;
use std::io::{self, BufWriter, Stdout, Write};
use std::mem::ManuallyDrop;
use std::ops::{Deref, DerefMut};
use std::os::fd::IntoRawFd as _;
use std::panic::{self, PanicHookInfo};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, Once, PoisonError};
use std::thread::{self, ThreadId};

use crossterm::event::{DisableBracketedPaste, DisableMouseCapture, EnableBracketedPaste};
use crossterm::terminal::{
    EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode,
};
use crossterm::{cursor, execute};
use ratatui::backend::CrosstermBackend;

use crate::entity::DisplayName;

/// Panics kept for the app to read; more in one frame say nothing new.
const MOST_PANICS: usize = 16;
/// Clicks and the wheel (1000) with large coordinates (1006). crossterm's own
/// `EnableMouseCapture` also reports every move: an event for every cell crossed.
const MOUSE_ON: &[u8] = b"\x1b[?1000h\x1b[?1006h";

/// Whether the terminal is ours now.
static TAKEN: AtomicBool = AtomicBool::new(false);
static DRAWING: Mutex<Option<Drawing>> = Mutex::new(None);
static PANICS: Mutex<VecDeque<String>> = Mutex::new(VecDeque::new());
static HOOK: Once = Once::new();

/// Who draws, and how to tell a task on that thread from the drawing itself.
#[derive(Clone, Copy)]
struct Drawing {
    thread: ThreadId,
    in_task: fn() -> bool,
}

type Inner = ratatui::Terminal<CrosstermBackend<BufWriter<Stdout>>>;

/// The terminal while it is ours; dropping it gives it back.
pub struct Terminal {
    // Never dropped: ratatui's `Drop` writes to stderr when the terminal is dead,
    // and `eprintln!` panics when that is dead too.
    inner: ManuallyDrop<Inner>,
}

/// Puts a pipe that never speaks in the place of a terminal that is dead.
///
/// What reads keys is a thread of crossterm's: at a terminal that hung up it reads its end
/// over and over, and takes a processor for itself as long as the program lives.
pub fn deafen() {
    let pipe = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC);
    if let Ok((silent, speaker)) = pipe
        && rustix::stdio::dup2_stdin(&silent).is_ok()
    {
        // Open for good: were it closed, the pipe would have an end as well.
        let _ = speaker.into_raw_fd();
    }
}

/// Takes the terminal: raw mode, alternate screen, mouse, bracketed paste.
///
/// `in_task` tells whether the current thread runs a spawned task just now. The
/// calling thread counts as the drawing one. On an error all is given back.
pub fn enter(in_task: fn() -> bool) -> io::Result<Terminal> {
    *lock(&DRAWING) = Some(Drawing {
        thread: thread::current().id(),
        in_task,
    });
    HOOK.call_once(hook);
    take()?;
    let backend = CrosstermBackend::new(BufWriter::with_capacity(64 * 1024, io::stdout()));
    match ratatui::Terminal::new(backend) {
        Ok(inner) => Ok(Terminal {
            inner: ManuallyDrop::new(inner),
        }),
        Err(error) => {
            restore();
            Err(error)
        }
    }
}

/// Gives the terminal back, once; does nothing when it is not ours. Errors are ignored.
pub fn restore() {
    if !TAKEN.swap(false, Ordering::SeqCst) {
        return;
    }
    let mut out = io::stdout();
    let _ = execute!(
        out,
        DisableBracketedPaste,
        DisableMouseCapture,
        LeaveAlternateScreen,
        cursor::Show
    );
    let _ = out.flush();
    let _ = disable_raw_mode();
}

/// What panicked since the last call without ending the program; clean, one line each.
pub fn panics() -> Vec<String> {
    lock(&PANICS).drain(..).collect()
}

impl Terminal {
    /// Gives the terminal to the shell for a while.
    pub fn suspend(&mut self) {
        restore();
    }

    /// Takes the terminal again; the next frame is drawn whole.
    pub fn resume(&mut self) -> io::Result<()> {
        take()?;
        self.inner.clear()
    }
}

impl Deref for Terminal {
    type Target = Inner;

    fn deref(&self) -> &Inner {
        &self.inner
    }
}

impl DerefMut for Terminal {
    fn deref_mut(&mut self) -> &mut Inner {
        &mut self.inner
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        restore();
    }
}

fn take() -> io::Result<()> {
    enable_raw_mode()?;
    TAKEN.store(true, Ordering::SeqCst);
    let mut out = io::stdout();
    let taken = execute!(
        out,
        EnterAlternateScreen,
        EnableBracketedPaste,
        cursor::Hide
    )
    .and_then(|()| out.write_all(MOUSE_ON))
    .and_then(|()| out.flush());
    if taken.is_err() {
        restore();
    }
    taken
}

fn hook() {
    let before = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        if !TAKEN.load(Ordering::SeqCst) {
            before(info);
        } else if ends_the_drawing() {
            restore();
            before(info);
        } else {
            keep(info);
        }
    }));
}

fn ends_the_drawing() -> bool {
    let drawing = *lock(&DRAWING);
    drawing.is_some_and(|it| it.thread == thread::current().id() && !(it.in_task)())
}

fn keep(info: &PanicHookInfo<'_>) {
    let mut kept = lock(&PANICS);
    if kept.len() < MOST_PANICS {
        kept.push_back(words(info));
    }
}

fn words(info: &PanicHookInfo<'_>) -> String {
    let said = info.payload_as_str().unwrap_or("no message");
    let place = info
        .location()
        .map_or_else(String::new, |at| format!(" ({}:{})", at.file(), at.line()));
    let line = said.lines().next().unwrap_or_default();
    DisplayName::from(format!("a fault in ferrydeck: {line}{place}").as_str())
        .as_str()
        .to_owned()
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // What is kept is whole at every moment: poison means nothing here.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn giving_back_what_was_not_taken_writes_nothing() {
        restore();
        restore();
        assert!(!TAKEN.load(Ordering::SeqCst));
        assert!(panics().is_empty());
    }
}
