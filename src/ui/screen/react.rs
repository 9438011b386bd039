//! From a key to a reaction: finds the key in the table and does what it says.
//!
//! Which key means what is `keys`' alone; what it does to the look is here and
//! in the two files beside it. Nothing here waits, draws or knows a clock.

use crossterm::event::{Event, KeyEvent, KeyEventKind};

use crate::event::{Command, Restore};
use crate::model::{Model, Role};

use super::super::file_list::KEY_WORK;
use super::super::keys::{self, Action, Key, Place};
use super::super::select::Step;
use super::super::standing;
use super::{Ask, Deed, Pane, Popup, Reaction, Screen, SortBy, View};

impl Screen {
    /// Takes one input; tells what the app has to do about it.
    pub fn react(&mut self, input: &Event, model: &Model) -> Reaction {
        match input {
            Event::Key(key) if key.kind == KeyEventKind::Release => Reaction::Nothing,
            Event::Key(key) => {
                self.refresh(model, KEY_WORK);
                let reaction = self.press(key, input, model);
                self.refresh(model, KEY_WORK);
                reaction
            }
            Event::Mouse(mouse) => self.click(*mouse, model),
            Event::Paste(_) => self.type_in(input, model),
            Event::Resize(..) | Event::FocusGained => Reaction::Redraw,
            Event::FocusLost => Reaction::Nothing,
        }
    }

    fn press(&mut self, event: &KeyEvent, input: &Event, model: &Model) -> Reaction {
        let place = self.place(model);
        let noted = self.note.take().is_some();
        let half = self.half.take();
        let Some(key) = Key::of(event) else {
            return self.type_in(input, model);
        };
        if let (Some(half), Key::Char(ch)) = (half, key)
            && half == ch
            && let Some(binding) = keys::find(Key::Twice(ch), place)
        {
            return self.act(binding.action, model);
        }
        if let Key::Char(ch) = key
            && keys::begins(key, place)
        {
            self.half = Some(ch);
            return Reaction::Redraw;
        }
        let Some(binding) = keys::find(key, place) else {
            return match self.type_in(input, model) {
                Reaction::Nothing if noted => Reaction::Redraw,
                reaction => reaction,
            };
        };
        if place == Place::Clash
            && matches!(binding.action, Action::Answer(..))
            && self.clash_is_deaf(model)
        {
            return Reaction::Redraw;
        }
        // ctrl-c is shown only where nothing better is, but works everywhere.
        if !(binding.valid)(self, model) && binding.action != Action::Interrupt {
            match binding.action {
                Action::Escape => {}
                Action::Yes => self.note("not before all of it is counted"),
                Action::Upload if !self.takes_uploads(model) => {
                    self.note("this server takes no uploads from us");
                }
                _ => self.note(&format!(
                    "{}: nothing to {} here",
                    binding.shown, binding.word
                )),
            }
            return Reaction::Redraw;
        }
        self.act(binding.action, model)
    }

    /// Gives an input to the line that is being typed, if one is.
    fn type_in(&mut self, input: &Event, model: &Model) -> Reaction {
        let changed = match (self.place(model), self.focus) {
            (Place::Prompt, _) => self.files.type_name(input),
            (Place::Filter, Pane::Table) => {
                let filter = &mut self.grid_mut().filter;
                let changed = filter.line.take(input);
                filter.read();
                changed
            }
            (Place::Filter, Pane::Events) => self.events.filter.take(input),
            (Place::Filter, Pane::Files) => self.files.filter.take(input),
            (Place::Filter, Pane::Local) => self.local.filter.take(input),
            (Place::Line, _) => self.type_line(input),
            _ => false,
        };
        if changed {
            self.refresh(model, KEY_WORK);
            Reaction::Redraw
        } else {
            Reaction::Nothing
        }
    }

    pub(super) fn act(&mut self, action: Action, model: &Model) -> Reaction {
        match action {
            Action::Move(step) => self.step(step, model),
            Action::NextPane => self.other_pane(1, model),
            Action::PreviousPane => self.other_pane(-1, model),
            Action::View(view) => self.show(view),
            Action::Pane(pane) => self.look_at(pane),
            Action::Invite => self.popup = Some(Popup::Invite),
            Action::Enter => return self.enter(model),
            Action::Filter => self.begin_filter(),
            Action::Escape => self.escape(),
            Action::SortMenu => {
                let (choices, now) = self.sort_choices();
                let index = choices.iter().position(|(by, _)| *by == now).unwrap_or(0);
                self.popup = Some(Popup::Sort { index });
            }
            Action::Reverse => self.reverse(),
            Action::Freeze => self.frozen = !self.frozen,
            Action::Enlarge => self.large = !self.large,
            Action::Help => self.popup = Some(Popup::Help { top: 0 }),
            Action::Quit => return self.quit(model),
            Action::Interrupt => return self.interrupt(model),
            Action::Suspend => return Reaction::Suspend,
            Action::Yes => return self.say_yes(model),
            Action::No => self.popup = None,
            Action::Kick => self.ask_kick(model),
            Action::Standing => {
                let index = self.standing_index(model);
                self.popup = Some(Popup::Standing { index });
            }
            other => return self.act_client(other, model),
        }
        Reaction::Redraw
    }

    fn step(&mut self, step: Step, model: &Model) {
        let choices = match &self.popup {
            Some(Popup::Standing { .. }) => standing::CHOICES.len(),
            _ => self.sort_choices().0.len(),
        };
        let blind = self.desk_is_blind(model);
        match (&mut self.popup, self.focus) {
            (
                Some(
                    Popup::Help { top }
                    | Popup::Details { top, .. }
                    | Popup::Event { top, .. }
                    | Popup::Item { top, .. }
                    | Popup::Told { top },
                ),
                _,
            ) => scroll(top, step),
            (Some(Popup::Sort { index } | Popup::Standing { index }), _) => {
                scroll(index, step);
                *index = (*index).min(choices.saturating_sub(1));
            }
            (
                Some(
                    Popup::Confirm(_)
                    | Popup::Delete(_)
                    | Popup::Line(_)
                    | Popup::Saved { .. }
                    | Popup::Invite
                    | Popup::File { .. },
                ),
                _,
            ) => {}
            (None, Pane::Table) => self.grid_mut().step(step),
            (None, Pane::Events) => self.events.step(step),
            // Only what is fetched is chosen from names that worked.
            (None, Pane::Files) if blind => {}
            (None, Pane::Files) => self.files.step(step, &model.remote.folder.entries),
            (None, Pane::Local) => self.local.step(step, &model.remote.here.entries),
            (None, Pane::Queue) => self.queue_step(step, model),
        }
    }

    /// Gives the keys to the pane so many places further, round and round.
    fn other_pane(&mut self, further: isize, model: &Model) {
        let panes: &[Pane] = match self.role {
            Role::Serve => &[Pane::Table, Pane::Events],
            Role::Dial if self.asks_for_names(model) => &[Pane::Files, Pane::Queue],
            Role::Dial => &[Pane::Files, Pane::Local, Pane::Queue],
        };
        let now = panes.iter().position(|pane| *pane == self.focus);
        let to = now.unwrap_or(0).wrapping_add_signed(further);
        // Before the first is the last.
        let to = if to == usize::MAX {
            panes.len() - 1
        } else {
            to
        };
        self.look_at(panes[to % panes.len()]);
        if self.focus == Pane::Table && self.view == View::Events {
            self.view = View::Connections;
        }
    }

    pub(super) fn show(&mut self, view: View) {
        self.view = view;
        self.focus = match view {
            View::Events => Pane::Events,
            View::Connections | View::Transfers => Pane::Table,
        };
    }

    fn enter(&mut self, model: &Model) -> Reaction {
        if let Some(Popup::Sort { index }) = self.popup {
            self.popup = None;
            let (choices, now) = self.sort_choices();
            if let Some((by, _)) = choices.get(index)
                && *by != now
            {
                self.sort_by(*by);
            }
            return Reaction::Redraw;
        }
        if let Some(Popup::Standing { index }) = self.popup {
            self.popup = None;
            return self.stand(index);
        }
        if let Some(Popup::Line(_)) = self.popup {
            return self.enter_line();
        }
        if self.filter_typing() {
            self.end_filter();
            return Reaction::Redraw;
        }
        match self.role {
            Role::Serve => self.show_details(model),
            Role::Dial => return self.enter_client(model),
        }
        Reaction::Redraw
    }

    pub(super) fn sort_by(&mut self, by: SortBy) {
        match by {
            SortBy::Field(field) => self.grid_mut().sort_by(field),
            SortBy::File(field) if self.focus == Pane::Local => self.local.sort_by(field),
            SortBy::File(field) => self.files.sort_by(field),
        }
    }

    fn reverse(&mut self) {
        match self.focus {
            Pane::Files | Pane::Queue => self.files.order = self.files.order.reversed(),
            Pane::Local => self.local.order = self.local.order.reversed(),
            Pane::Table | Pane::Events => {
                let grid = self.grid_mut();
                grid.order = grid.order.reversed();
            }
        }
    }

    fn begin_filter(&mut self) {
        match self.focus {
            Pane::Table => self.grid_mut().filter.typing = true,
            Pane::Events => self.events.typing = true,
            Pane::Files => self.files.typing = true,
            Pane::Local => self.local.typing = true,
            Pane::Queue => {}
        }
    }

    fn end_filter(&mut self) {
        self.grid_mut().filter.typing = false;
        self.events.typing = false;
        self.files.typing = false;
        self.local.typing = false;
    }

    fn escape(&mut self) {
        if self.popup.take().is_some() {
            return;
        }
        let cleared = match self.focus {
            Pane::Table => {
                let filter = &mut self.grid_mut().filter;
                let had = filter.typing || !filter.line.is_empty();
                filter.clear();
                had
            }
            Pane::Events => self.events.escape(),
            Pane::Files => self.files.escape(),
            Pane::Local => self.local.escape(),
            Pane::Queue => false,
        };
        if !cleared {
            self.large = false;
        }
    }

    /// Whether Esc would change something in the pane.
    pub(in super::super) fn has_escape(&self, _: &Model) -> bool {
        let pane = match self.focus {
            Pane::Table => {
                let filter = &self.grid().filter;
                filter.typing || !filter.line.is_empty()
            }
            Pane::Events => self.events.typing || !self.events.filter.is_empty(),
            Pane::Files => self.files.has_escape(),
            Pane::Local => self.local.has_escape(),
            Pane::Queue => false,
        };
        pane || self.large
    }

    /// Whether there is a row to choose.
    pub(in super::super) fn has_choice(&self, _: &Model) -> bool {
        match self.focus {
            Pane::Table => self.grid().cursor.current().is_some(),
            Pane::Events => self.events.cursor.current().is_some(),
            Pane::Files => self.files.cursor.current().is_some(),
            Pane::Local => self.local.cursor.current().is_some(),
            Pane::Queue => self.queue.current().is_some(),
        }
    }

    /// Whether the footer has to name ctrl-c, because q is text or the program leaves already.
    pub(in super::super) fn wants_interrupt(&self, model: &Model) -> bool {
        model.leaving.is_some() || self.place(model) == Place::Prompt
    }

    fn quit(&mut self, model: &Model) -> Reaction {
        if model.leaving.is_some() || !model.is_busy() {
            return Reaction::Leave;
        }
        let line = match self.role {
            Role::Serve => super::super::format::plural(model.active() as u64, "running transfer"),
            Role::Dial => Self::unfinished_words(model),
        };
        self.popup = Some(Popup::Confirm(Ask {
            title: "quit",
            lines: vec![format!("{line}."), "Leave anyway?".to_owned()],
            deed: Deed::Leave,
        }));
        Reaction::Redraw
    }

    fn interrupt(&mut self, model: &Model) -> Reaction {
        if self.interrupted || model.leaving.is_some() {
            return Reaction::Abort;
        }
        self.interrupted = true;
        self.popup = None;
        Reaction::Leave
    }

    fn say_yes(&mut self, model: &Model) -> Reaction {
        if let Some(Popup::Saved { .. }) = self.popup {
            return self.answer_saved(Restore::TakeUp, model);
        }
        match self.popup.take() {
            Some(Popup::Delete(doom)) => self.delete(doom),
            Some(Popup::Confirm(Ask { deed, .. })) => match deed {
                Deed::Leave => Reaction::Leave,
                Deed::Tell(commands) => Reaction::Tell(commands),
            },
            other => {
                self.popup = other;
                Reaction::Nothing
            }
        }
    }

    pub(super) fn ask(&mut self, title: &'static str, lines: Vec<String>, tell: Command) {
        self.popup = Some(Popup::Confirm(Ask {
            title,
            lines,
            deed: Deed::Tell(vec![tell]),
        }));
    }
}

/// Moves a scroll position; whoever draws keeps it from running past the end.
pub(super) fn scroll(top: &mut usize, step: Step) {
    *top = match step {
        Step::Up => top.saturating_sub(1),
        Step::Down => *top + 1,
        Step::HalfUp | Step::PageUp => top.saturating_sub(8),
        Step::HalfDown | Step::PageDown => *top + 8,
        Step::First => 0,
        // Drawing brings it back to the last line.
        Step::Last => usize::MAX / 2,
    };
}
