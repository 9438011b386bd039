//! The loop with a screen. Until the screens exist, everything runs without one.

use crate::model::About;
use crate::net::Handle;

/// How a run with a screen ended.
#[derive(Debug)]
pub enum Exit {
    /// The program is over.
    Code(u8),
    /// The terminal could not be taken over.
    NoScreen(String),
    /// The terminal is gone; the engine runs on.
    ScreenLost(Box<Handle>),
}

/// Runs an engine under a screen to its end.
pub fn run_on_terminal(handle: Handle, _about: &About) -> impl Future<Output = Exit> {
    std::future::ready(Exit::ScreenLost(Box::new(handle)))
}
