//! What the server's keys do: look closer at a row (a download's too), end a connection.

use crate::event::Command;
use crate::model::{Connection, Model};

use super::super::format;
use super::{Pane, Popup, Screen};

impl Screen {
    /// The connection the cursor is on.
    fn chosen<'m>(&self, model: &'m Model) -> Option<&'m Connection> {
        match self.focus {
            Pane::Table => self.grid().chosen(model),
            _ => None,
        }
    }

    /// Whether the chosen row is a connection that still lives.
    pub(in super::super) fn can_kick(&self, model: &Model) -> bool {
        self.chosen(model).is_some_and(|row| row.gone.is_none())
    }

    pub(super) fn ask_kick(&mut self, model: &Model) {
        let Some(row) = self.chosen(model).filter(|row| row.gone.is_none()) else {
            self.note("that connection is gone");
            return;
        };
        let whose = row.who().map_or_else(
            || row.peer().to_string(),
            |who| {
                format!(
                    "{}, {}",
                    format::cut_name(who.name.as_str(), 24),
                    row.peer()
                )
            },
        );
        let mut lines = vec![format!("End connection #{} of {whose}?", row.id().0)];
        if let Some(transfer) = row.running() {
            lines.push(format!(
                "It is {} {} ({} so far).",
                row.phase.label(),
                format::cut_name(transfer.path.as_str(), 40),
                format::size_words(transfer.done),
            ));
        }
        self.ask("kick", lines, Command::Kick(row.id()));
    }

    pub(super) fn show_details(&mut self, model: &Model) {
        self.popup = match self.focus {
            Pane::Table => self.chosen(model).map(|row| Popup::Details {
                row: Box::new(row.clone()),
                top: 0,
            }),
            Pane::Events => self.events.chosen(model).map(|entered| Popup::Event {
                entered: Box::new(entered.clone()),
                top: 0,
            }),
            Pane::Queue => self.job(model).map(|item| Popup::Item {
                item: Box::new(item.clone()),
                top: 0,
            }),
            Pane::Files | Pane::Local => None,
        };
    }
}
