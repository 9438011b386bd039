//! The mouse: what was drawn where is known from the last frame.
//!
//! A click chooses a row, a pane, a tab, a column to sort by, a key of the
//! footer; a second click on the same row is Enter; the wheel scrolls what
//! lies under it.

use std::time::Duration;

use crossterm::event::{MouseButton, MouseEvent, MouseEventKind};
use ratatui::layout::{Position, Rect};

use crate::model::Model;

use super::super::keys::{Action, Place};
use super::super::select::Step;
use super::{Hit, Pane, Popup, Reaction, Screen};

/// Two clicks within this are one double click.
const DOUBLE: Duration = Duration::from_millis(400);
/// Rows a turn of the wheel moves.
const WHEEL: usize = 3;

impl Screen {
    pub(super) fn click(&mut self, mouse: MouseEvent, model: &Model) -> Reaction {
        let at = Position::new(mouse.column, mouse.row);
        let step = match mouse.kind {
            MouseEventKind::ScrollDown => Step::Down,
            MouseEventKind::ScrollUp => Step::Up,
            MouseEventKind::Down(MouseButton::Left) => return self.press_at(at, model),
            _ => return Reaction::Nothing,
        };
        if self.popup.is_none()
            && let Some((_, Hit::Rows { pane, .. } | Hit::Pane(pane))) = self.under(at)
            && !self.filter_typing()
        {
            self.look_at(pane);
        }
        for _ in 0..WHEEL {
            self.act(Action::Move(step), model);
        }
        Reaction::Redraw
    }

    /// What was drawn last at a position.
    fn under(&self, at: Position) -> Option<(Rect, Hit)> {
        self.hits
            .iter()
            .rev()
            .find(|(area, _)| area.contains(at))
            .copied()
    }

    fn press_at(&mut self, at: Position, model: &Model) -> Reaction {
        let now = model.now;
        let double = self.clicked.take().is_some_and(|(then, x, y)| {
            (x, y) == (at.x, at.y) && now.saturating_sub(then) < DOUBLE
        });
        let found = self.under(at);
        let unasked = matches!(self.place(model), Place::Clash | Place::Saved | Place::Line);
        if unasked && !matches!(found, Some((_, Hit::Key(_)))) {
            return Reaction::Nothing;
        }
        if self.popup.is_some() {
            return match found {
                Some((_, Hit::Popup)) => Reaction::Nothing,
                Some((_, Hit::MenuRow(row))) => {
                    if let Some(Popup::Sort { index } | Popup::Standing { index }) = &mut self.popup
                    {
                        *index = row;
                    }
                    self.act(Action::Enter, model)
                }
                Some((_, Hit::Key(action))) => self.act(action, model),
                _ => self.act(Action::No, model),
            };
        }
        let Some((area, hit)) = found else {
            return Reaction::Nothing;
        };
        match hit {
            Hit::Tab(view) => self.show(view),
            Hit::Pane(pane) => self.look_at(pane),
            Hit::Header(pane, by) => {
                self.look_at(pane);
                self.sort_by(by);
            }
            Hit::Key(action) => return self.act(action, model),
            Hit::Rows { pane, first } => {
                self.look_at(pane);
                self.clicked = Some((now, at.x, at.y));
                self.go(pane, first + usize::from(at.y - area.y), model);
                if double {
                    self.clicked = None;
                    return self.act(Action::Enter, model);
                }
            }
            Hit::MenuRow(_) | Hit::Popup => {}
        }
        Reaction::Redraw
    }

    fn go(&mut self, pane: Pane, row: usize, model: &Model) {
        match pane {
            Pane::Table => self.grid_mut().go(row),
            Pane::Events => self.events.go(row),
            Pane::Files => self.files.go(row, &model.remote.folder.entries),
            Pane::Local => self.local.go(row, &model.remote.here.entries),
            Pane::Queue => self.queue_go(row, model),
        }
    }
}
