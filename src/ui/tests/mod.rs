//! The screens: drawn and compared, driven by keys, fed with what is hostile.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot go on has failed"
)]

mod cost;
mod deeds;
mod desk;
mod downloads;
mod hostile;
mod react;
mod snap;
mod table;
mod world;

use crossterm::event::{Event, KeyCode, KeyEvent, KeyModifiers};

use crate::ui::{Reaction, Screen};
use world::World;

/// Presses one key.
fn press(screen: &mut Screen, world: &World, code: KeyCode) -> Reaction {
    let event = Event::Key(KeyEvent::new(code, KeyModifiers::NONE));
    screen.react(&event, &world.model)
}

/// Presses ctrl and a letter.
fn ctrl(screen: &mut Screen, world: &World, ch: char) -> Reaction {
    let event = Event::Key(KeyEvent::new(KeyCode::Char(ch), KeyModifiers::CONTROL));
    screen.react(&event, &world.model)
}

/// Types letters; `\n` is Enter, `\t` Tab, `\x1b` Esc. Gives the last reaction.
fn keys(screen: &mut Screen, world: &World, text: &str) -> Reaction {
    let mut last = Reaction::Nothing;
    for ch in text.chars() {
        let code = match ch {
            '\n' => KeyCode::Enter,
            '\t' => KeyCode::Tab,
            '\x1b' => KeyCode::Esc,
            ch => KeyCode::Char(ch),
        };
        last = press(screen, world, code);
    }
    last
}
