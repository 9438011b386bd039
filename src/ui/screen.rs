//! What the user looks at: focus, choice, sort, filter, popup. Never what is.
//!
//! The model is what is; this holds only how one person looks at it, by key
//! and not by place, so both may change freely. `react` (in `screen/react.rs`)
//! turns a key into a [`Reaction`] for the app. No clock: time is `model.now`.

mod client;
mod deeds;
mod desk;
mod mouse;
mod parts;
mod react;
mod server;
mod transfers;
mod watch;

use std::path::PathBuf;
use std::time::Duration;

use jiff::tz::TimeZone;
use ratatui::layout::Rect;

use crate::entity::{DisplayName, JobId};
use crate::event::{Command, Link};
use crate::model::{Model, Role};

pub use self::parts::Reaction;
pub(super) use self::parts::{Ask, Deed, Doom, Goal, Hit, LineAsk, Pane, Popup, SortBy, View};
use self::watch::Seen;
use super::desk::Desk;
use super::events::EventList;
use super::fields::Field;
use super::file_list::FileList;
use super::file_sort::FileSort;
use super::grid::Grid;
use super::keys::Place;
use super::select::{Cursor, Found};
use super::standing::{Standing, Told};
use super::theme::Theme;

/// How long a note stands.
const NOTE_STANDS: Duration = Duration::from_secs(6);
/// How long a popup that came by itself takes no key: they were meant for something else.
const POPUP_DEAF: Duration = Duration::from_millis(400);

#[derive(Clone, Debug)]
struct Note {
    text: String,
    since: Option<Duration>,
}

/// What one person looks at.
#[expect(
    clippy::struct_excessive_bools,
    reason = "four things that are or are not, each on its own"
)]
#[derive(Clone, Debug)]
pub struct Screen {
    pub(super) role: Role,
    pub(super) theme: Theme,
    pub(super) tz: TimeZone,
    pub(super) focus: Pane,
    pub(super) view: View,
    pub(super) large: bool,
    pub(super) popup: Option<Popup>,
    pub(super) connections: Grid,
    pub(super) transfers: Grid,
    pub(super) events: EventList,
    pub(super) files: FileList,
    pub(super) local: FileList<PathBuf>,
    /// Which of the two file panes shows where there is room for one.
    pub(super) side: Pane,
    pub(super) desk: Desk,
    pub(super) queue: Cursor<JobId>,
    pub(super) standing: Standing,
    /// The rate last told for all transfers together.
    pub(super) limit: Told,
    pub(super) hits: Vec<(Rect, Hit)>,
    pub(super) spins: bool,
    frozen: bool,
    interrupted: bool,
    /// The first half of a double key.
    half: Option<char>,
    note: Option<Note>,
    /// What has been noticed of the model, and what is to be told because of it.
    seen: Seen,
    /// Choices counted so far.
    dooms: u64,
    postponed: Option<JobId>,
    clash_since: Option<(JobId, Duration)>,
    clicked: Option<(Duration, u16, u16)>,
}

impl Screen {
    /// A fresh look for a program of this role; event times are shown in `tz`.
    pub fn new(role: Role, theme: Theme, tz: TimeZone) -> Self {
        let focus = match role {
            Role::Serve => Pane::Table,
            Role::Dial => Pane::Files,
        };
        Self {
            role,
            theme,
            tz,
            focus,
            view: View::Connections,
            large: false,
            popup: None,
            connections: Grid::new(Field::Rate),
            transfers: Grid::new(Field::Rate),
            events: EventList::default(),
            files: FileList::default(),
            local: FileList::default(),
            side: Pane::Files,
            desk: Desk::default(),
            queue: Cursor::default(),
            standing: Standing::AsStarted,
            limit: Told::AsStarted,
            hits: Vec::new(),
            spins: false,
            frozen: false,
            interrupted: false,
            half: None,
            note: None,
            seen: Seen::default(),
            dooms: 0,
            postponed: None,
            clash_since: None,
            clicked: None,
        }
    }

    /// Whether the picture stands still; the app then passes a clone of the model.
    pub const fn is_frozen(&self) -> bool {
        self.frozen
    }

    /// Whether something on the last picture moves by itself: a spinner, or a note that will go.
    pub const fn wants_tick(&self) -> bool {
        (self.spins || self.note.is_some() || self.seen.is_stale()) && !self.frozen
    }

    /// Whether the last picture was drawn before all rows had their place: the next is due soon.
    pub const fn is_behind(&self) -> bool {
        (self.files.is_behind() || self.local.is_behind()) && !self.frozen
    }

    /// What has become to be told since the last call without a key: a folder to list again.
    pub fn errands(&mut self) -> Vec<Command> {
        self.seen.take()
    }

    /// Shows a line for a few seconds, or until the next key.
    pub fn note(&mut self, text: &str) {
        self.note = Some(Note {
            text: DisplayName::from(text).as_str().to_owned(),
            since: None,
        });
    }

    /// The note that stands.
    pub(super) fn noted(&self) -> Option<&str> {
        self.note.as_ref().map(|note| note.text.as_str())
    }

    /// Brings choice and order of rows up to date with the model. Before each frame and each
    /// key; so many entries of a long folder get their place.
    pub(super) fn refresh(&mut self, model: &Model, work: usize) {
        match self.role {
            Role::Serve => {
                self.connections.refresh(model, |_| true);
                self.transfers.refresh(model, |row| row.transfer.is_some());
                self.events.refresh(model);
            }
            Role::Dial => {
                let remote = &model.remote;
                self.files.asks = self.asks_for_names(model);
                self.desk.refresh(&remote.link);
                self.hear_answer(model);
                self.watch(model);
                if matches!(remote.link, Link::Lost { .. }) {
                    self.files.give_up_opening();
                }
                self.files.refresh((&remote.folder).into(), model.now, work);
                self.local.refresh((&remote.here).into(), model.now, work);
                if self.focus == Pane::Local && self.files.asks {
                    self.look_at(Pane::Files);
                }
                let row = self.queue.held().and_then(|job| remote.queue.row(*job));
                let found = row.map_or(Found::Gone, Found::At);
                self.queue
                    .settle_at(remote.queue.len(), found, |row| job_in(model, row));
            }
        }
        self.refresh_popup(model);
        self.refresh_clash(model);
        self.refresh_saved(model);
        if let Some(note) = &mut self.note {
            let since = *note.since.get_or_insert(model.now);
            if model.now.saturating_sub(since) >= NOTE_STANDS {
                self.note = None;
            }
        }
    }

    /// A popup about a row keeps its last state when the row goes.
    fn refresh_popup(&mut self, model: &Model) {
        match &mut self.popup {
            Some(Popup::Details { row, .. }) => {
                if let Some(now) = model.connections.get(&row.id()) {
                    **row = now.clone();
                }
            }
            Some(Popup::Item { item, .. }) => {
                if let Some(now) = model.remote.item(item.job.job) {
                    **item = now.clone();
                }
            }
            _ => {}
        }
    }

    fn refresh_clash(&mut self, model: &Model) {
        let Some(job) = model.remote.clash().map(|item| item.job.job) else {
            (self.postponed, self.clash_since) = (None, None);
            return;
        };
        if self.postponed.is_some_and(|postponed| postponed != job) {
            self.postponed = None;
        }
        match self.clash_since {
            Some((since, _)) if since == job => {}
            _ => self.clash_since = Some((job, model.now)),
        }
        if !self.clash_shows(model) {
            self.clash_since = None;
        }
    }

    /// Whether the question about a taken name lies on top; it never interrupts typing.
    pub(super) fn clash_shows(&self, model: &Model) -> bool {
        self.popup.is_none()
            && !self.is_typing(model)
            && model
                .remote
                .clash()
                .is_some_and(|item| self.postponed != Some(item.job.job))
    }

    /// Whether a line is being typed in a pane.
    fn is_typing(&self, model: &Model) -> bool {
        self.filter_typing() || (self.prompting(model) && !self.files.prompt.is_empty())
    }

    /// Whether a popup came so lately that a key was not meant for it.
    fn clash_is_deaf(&self, model: &Model) -> bool {
        let new = self
            .clash_since
            .is_none_or(|(_, since)| model.now.saturating_sub(since) < POPUP_DEAF);
        new && !self.frozen
    }

    /// Who has the keys now.
    pub fn place(&self, model: &Model) -> Place {
        match &self.popup {
            Some(Popup::Help { .. }) => return Place::Help,
            Some(
                Popup::Details { .. }
                | Popup::Event { .. }
                | Popup::Item { .. }
                | Popup::Invite
                | Popup::Told { .. },
            ) => return Place::Details,
            Some(Popup::Confirm(_) | Popup::Delete(_)) => return Place::Confirm,
            Some(Popup::File { .. }) => return Place::File,
            Some(Popup::Line(_)) => return Place::Line,
            Some(Popup::Saved { .. }) => return Place::Saved,
            Some(Popup::Sort { .. }) => return Place::Sort,
            Some(Popup::Standing { .. }) => return Place::Standing,
            None => {}
        }
        if self.clash_shows(model) {
            return Place::Clash;
        }
        if self.filter_typing() {
            return Place::Filter;
        }
        match self.focus {
            Pane::Table => Place::Table,
            Pane::Events => Place::Events,
            Pane::Queue => Place::Queue,
            Pane::Local => Place::Local,
            Pane::Files if self.asks_for_names(model) => Place::Prompt,
            Pane::Files => Place::Files,
        }
    }

    pub(super) const fn filter_typing(&self) -> bool {
        match self.focus {
            Pane::Table => self.grid().filter.typing,
            Pane::Events => self.events.typing,
            Pane::Files => self.files.typing,
            Pane::Local => self.local.typing,
            Pane::Queue => false,
        }
    }

    /// The table the view shows.
    pub(super) const fn grid(&self) -> &Grid {
        match self.view {
            View::Transfers => &self.transfers,
            View::Connections | View::Events => &self.connections,
        }
    }

    pub(super) const fn grid_mut(&mut self) -> &mut Grid {
        match self.view {
            View::Transfers => &mut self.transfers,
            View::Connections | View::Events => &mut self.connections,
        }
    }

    /// What the sort menu offers, and which is chosen now.
    pub(super) fn sort_choices(&self) -> (Vec<(SortBy, &'static str)>, SortBy) {
        match self.focus {
            Pane::Files | Pane::Local | Pane::Queue => {
                let choices = FileSort::ALL.map(|by| (SortBy::File(by), by.name()));
                let now = match self.focus {
                    Pane::Local => self.local.sort,
                    _ => self.files.sort,
                };
                (choices.into(), SortBy::File(now))
            }
            Pane::Table | Pane::Events => {
                let columns = match self.view {
                    View::Transfers => super::transfers::COLUMNS,
                    _ => super::connections::COLUMNS,
                };
                let choices = columns
                    .iter()
                    .map(|column| (SortBy::Field(column.field), column.field.name()))
                    .collect();
                (choices, SortBy::Field(self.grid().sort))
            }
        }
    }

    pub(super) fn hit(&mut self, area: Rect, hit: Hit) {
        self.hits.push((area, hit));
    }

    /// Gives a pane the keys.
    pub(super) fn look_at(&mut self, pane: Pane) {
        self.focus = pane;
        if matches!(pane, Pane::Files | Pane::Local) {
            self.side = pane;
        }
    }
}

/// The item in a row of the queue.
fn job_in(model: &Model, row: usize) -> JobId {
    let item = model.remote.queue.at(row);
    item.map_or(JobId(0), |item| item.job.job)
}
