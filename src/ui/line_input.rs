//! One line being typed: the filter of a list, the name of a file to fetch.
//!
//! A thin coat over `tui-input`: keys and pastes in, clean text out. Control
//! and format characters are never taken, so what is typed may be shown. Knows
//! no screen.

use crossterm::event::Event;
use tui_input::backend::crossterm::EventHandler;
use tui_input::{Input, InputRequest};

use crate::entity::DisplayName;

use super::format;

/// Longest line taken, in characters: more is a mistaken paste.
const MOST: usize = 4_096;

/// A line of text with a cursor in it.
#[derive(Clone, Debug, Default)]
pub(super) struct LineInput {
    input: Input,
}

impl LineInput {
    /// A line that holds a text already, without what may not stand in it; the cursor at its end.
    pub(super) fn holding(text: &str) -> Self {
        let mut line = Self::default();
        for ch in text.chars().filter(|&ch| is_clean(ch)).take(MOST) {
            line.input.handle(InputRequest::InsertChar(ch));
        }
        line
    }

    /// What has been typed.
    pub(super) fn text(&self) -> &str {
        self.input.value()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.text().is_empty()
    }

    pub(super) fn clear(&mut self) {
        self.input.reset();
    }

    /// Takes a key or a paste; true if the line or its cursor changed.
    pub(super) fn take(&mut self, event: &Event) -> bool {
        match event {
            Event::Paste(text) => {
                let before = self.text().len();
                let room = MOST.saturating_sub(self.text().chars().count());
                // Only the first line: a paste must not press Enter.
                let line = text.lines().next().unwrap_or_default();
                for ch in line.chars().filter(|&ch| is_clean(ch)).take(room) {
                    self.input.handle(InputRequest::InsertChar(ch));
                }
                self.text().len() != before
            }
            Event::Key(key) => {
                if let crossterm::event::KeyCode::Char(ch) = key.code
                    && (!is_clean(ch) || self.text().chars().count() >= MOST)
                {
                    return false;
                }
                self.input.handle_event(event).is_some()
            }
            _ => false,
        }
    }

    /// The part to show in `room` columns, and the cursor's column in it.
    pub(super) fn shown(&self, room: u16) -> (String, u16) {
        let before: String = self.text().chars().take(self.input.cursor()).collect();
        let after: String = self.text().chars().skip(self.input.cursor()).collect();
        // The end of what is before the cursor stays in view, and one cell for the cursor.
        let room = room.saturating_sub(1);
        let mut used = 0;
        let mut kept: Vec<&str> = Vec::new();
        for (letter, width) in format::letters(&before).rev() {
            if used + width > room {
                break;
            }
            used += width;
            kept.push(letter);
        }
        kept.reverse();
        let mut text = kept.concat();
        let mut left = room - used;
        for (letter, width) in format::letters(&after) {
            if width > left {
                break;
            }
            left -= width;
            text.push_str(letter);
        }
        (text, used)
    }
}

/// Whether a character may stand in the line as it is.
fn is_clean(ch: char) -> bool {
    let mut bytes = [0; 4];
    let text: &str = ch.encode_utf8(&mut bytes);
    DisplayName::new(text.as_bytes()).as_str() == text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

    fn press(line: &mut LineInput, code: KeyCode) {
        line.take(&Event::Key(KeyEvent::new(code, KeyModifiers::NONE)));
    }

    #[test]
    fn a_paste_is_cleaned_and_presses_no_enter() {
        let mut line = LineInput::default();
        line.take(&Event::Paste("a\u{1b}[2Jb\u{202e}c\nrm -rf".to_owned()));
        assert_eq!(line.text(), "a[2Jbc");
    }

    #[test]
    fn the_cursor_stays_in_view() {
        let mut line = LineInput::default();
        for ch in "abcdefghij".chars() {
            press(&mut line, KeyCode::Char(ch));
        }
        assert_eq!(line.shown(5), ("ghij".to_owned(), 4));
        press(&mut line, KeyCode::Home);
        assert_eq!(line.shown(5), ("abcd".to_owned(), 0));
        for room in 0..14 {
            let (text, at) = line.shown(room);
            assert!(format::width(&text) <= room.max(1) && at <= room);
        }
        press(&mut line, KeyCode::Delete);
        assert_eq!(line.text(), "bcdefghij");
    }
}
