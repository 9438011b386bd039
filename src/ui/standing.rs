//! The answer that stands: what is done with every later taken name.
//!
//! The engine keeps it; the screen remembers what it told. Words for the menu
//! and the queue's title. Draws nothing.

use crate::event::Clash;

/// What the screen knows of the answer that stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// Nothing was told yet: as the program was started.
    AsStarted,
    /// What was told last.
    Told(Option<Clash>),
}

/// What the screen knows of the limit for all transfers together, in bytes a second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Told {
    /// Nothing was told yet: as the program was started.
    AsStarted,
    /// What was told last.
    Now(Option<u64>),
}

/// What the menu offers, and its words.
pub(super) const CHOICES: [(Option<Clash>, &str); 4] = [
    (None, "ask again"),
    (Some(Clash::Skip), word(Clash::Skip)),
    (Some(Clash::Rename), word(Clash::Rename)),
    (Some(Clash::Overwrite), word(Clash::Overwrite)),
];

/// An answer's word.
pub(super) const fn word(clash: Clash) -> &'static str {
    match clash {
        Clash::Skip => "skip",
        Clash::Rename => "rename",
        Clash::Overwrite => "overwrite",
    }
}
