//! What the desk's keys do: choose what the line is for, and tell what it says.
//!
//! Nothing the dialect has no request for can be chosen or told, whatever is
//! pressed or clicked. Answers that belong to no item of the queue come in here.

use crate::entity::Direction;
use crate::event::{Command, Link};
use crate::model::Model;

use super::super::desk::{self, Mode};
use super::super::format;
use super::super::keys::Action;
use super::{Pane, Popup, Reaction, Screen};

impl Screen {
    /// Whether the server cannot list, so names are asked for.
    pub(in super::super) fn asks_for_names(&self, model: &Model) -> bool {
        matches!(model.remote.link, Link::Ready { offers, .. } if !offers.lists)
            || (self.files.asks && !matches!(model.remote.link, Link::Ready { .. }))
    }

    /// Whether letters go into the desk's line.
    pub(super) fn prompting(&self, model: &Model) -> bool {
        self.focus == Pane::Files && self.asks_for_names(model)
    }

    /// Whether something is typed or chosen that Enter could tell.
    pub(in super::super) fn has_order(&self, _: &Model) -> bool {
        self.desk.mode.is_offered(self.desk.offers)
            && (self.files.picking || !self.files.prompt.is_empty())
    }

    /// Whether the desk shows no names to choose from.
    pub(super) fn desk_is_blind(&self, model: &Model) -> bool {
        self.asks_for_names(model) && self.desk.mode != Mode::Get
    }

    pub(in super::super) fn can_get(&self, model: &Model) -> bool {
        self.can_turn(Mode::Get, model)
    }

    pub(in super::super) fn can_put(&self, model: &Model) -> bool {
        self.can_turn(Mode::Put, model)
    }

    pub(in super::super) fn can_rename(&self, model: &Model) -> bool {
        self.can_turn(Mode::Rename, model)
    }

    /// Whether the server can be asked what can be asked.
    pub(in super::super) fn can_ask_server(&self, model: &Model) -> bool {
        self.asks_for_names(model) && self.desk.offers.helps
    }

    fn can_turn(&self, mode: Mode, model: &Model) -> bool {
        self.asks_for_names(model) && mode.is_offered(self.desk.offers)
    }

    /// Whether the footer need not name a key: the line is for that already.
    pub(in super::super) fn is_on(&self, action: Action) -> bool {
        self.focus == Pane::Files && action == Action::Turn(self.desk.mode)
    }

    /// Makes the line be for something else; what was typed stays.
    pub(super) fn turn(&mut self, mode: Mode, model: &Model) {
        if self.can_turn(mode, model) {
            self.desk.mode = mode;
            self.files.picking = false;
            self.look_at(Pane::Files);
        }
    }

    /// Asks for the server's help; what it said before is shown meanwhile.
    pub(super) fn ask_server(&mut self, model: &Model) -> Reaction {
        if !self.can_ask_server(model) {
            return Reaction::Nothing;
        }
        match model.remote.help {
            Some(_) => self.popup = Some(Popup::Told { top: 0 }),
            None => self.note("asked the server what can be asked"),
        }
        Reaction::Tell(vec![Command::Help])
    }

    /// Shows an answer that has come since the last look.
    pub(super) fn hear_answer(&mut self, model: &Model) {
        let Some(answer) = &model.remote.answer else {
            return;
        };
        if answer.number == self.desk.heard {
            return;
        }
        self.desk.heard = answer.number;
        if answer.cause != "help" {
            let sign = if answer.cause.starts_with("not_") {
                "✗"
            } else {
                "✓"
            };
            self.note(&format!("{sign} {}", answer.detail));
            return;
        }
        // A line that is being typed is not interrupted.
        if self.popup.is_none() && self.files.prompt.is_empty() && !self.clash_shows(model) {
            self.popup = Some(Popup::Told { top: 0 });
            self.note("the server said what can be asked");
        } else if !matches!(self.popup, Some(Popup::Told { .. })) {
            self.note("the server said what can be asked; F5 shows it");
        }
    }

    /// Tells what was typed or chosen.
    pub(super) fn enter_desk(&mut self, model: &Model) -> Reaction {
        if !self.has_order(model) {
            return Reaction::Nothing;
        }
        let folder = &model.remote.folder;
        let picked = self.files.picking && self.desk.mode == Mode::Get;
        let chosen = self.files.chosen(&folder.entries).filter(|_| picked);
        let order = match chosen {
            Some(entry) => Some(Ok(desk::fetch(folder.path.join(&entry.name)))),
            None => desk::read(self.desk.mode, self.files.prompt.text()),
        };
        match order {
            None => Reaction::Nothing,
            Some(Err(wrong)) => {
                self.note(&wrong);
                Reaction::Redraw
            }
            Some(Ok(order)) => {
                self.note(&order.said);
                self.files.prompt.clear();
                self.files.picking = false;
                Reaction::Tell(vec![order.command])
            }
        }
    }

    /// How much of the queue is left, for the question whether to leave.
    pub(super) fn unfinished_words(model: &Model) -> String {
        let items = || model.remote.items().filter(|item| item.is_unfinished());
        let goes = |way| items().any(|item| item.job.direction == way);
        let noun = match (goes(Direction::In), goes(Direction::Out)) {
            (_, false) => "unfinished download",
            (false, true) => "unfinished upload",
            (true, true) => "unfinished transfer",
        };
        format::plural(items().count() as u64, noun)
    }
}
