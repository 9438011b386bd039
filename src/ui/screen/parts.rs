//! The words of a screen: panes, popups, questions, what a click means, what the app hears.
//!
//! Plain data, no behaviour: `screen` holds it, its rooms turn it. It knows
//! commands and nouns; it must never know how anything is drawn.

use std::time::Duration;

use crate::entity::{Entry, JobId, RemotePath};
use crate::event::{Command, Doomed};
use crate::model::{Connection, Entered};
use crate::remote::Item;

use super::super::fields::Field;
use super::super::file_sort::FileSort;
use super::super::keys::Action;
use super::super::line_input::LineInput;

/// What the app has to do after an input.
#[derive(Clone, Debug)]
pub enum Reaction {
    /// Nothing changed.
    Nothing,
    /// The picture changed.
    Redraw,
    /// The engine is to be told; the picture may have changed too.
    Tell(Vec<Command>),
    /// Give the terminal back and stop until continued.
    Suspend,
    /// Leave in good order.
    Leave,
    /// Leave at once.
    Abort,
}

/// What the server's main pane shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum View {
    Connections,
    Transfers,
    Events,
}

/// A pane that can have the keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Pane {
    Table,
    Events,
    /// The remote folder, or the desk.
    Files,
    /// A folder of this machine.
    Local,
    Queue,
}

/// What lies on top.
#[derive(Clone, Debug)]
pub(in super::super) enum Popup {
    Help {
        top: usize,
    },
    Details {
        row: Box<Connection>,
        top: usize,
    },
    Event {
        entered: Box<Entered>,
        top: usize,
    },
    Item {
        item: Box<Item>,
        top: usize,
    },
    /// What the server said that can be asked; the model has the words.
    Told {
        top: usize,
    },
    /// What lets a newcomer in; the model has it.
    Invite,
    /// An entry of the remote folder.
    File {
        entry: Entry,
        path: RemotePath,
        /// How many hashes had been told when its own was asked for.
        asked: Option<u64>,
    },
    Confirm(Ask),
    /// A question that is asked while the server is still counting.
    Delete(Doom),
    /// One line to be typed.
    Line(LineAsk),
    /// What an earlier run left unfinished; it came by itself at that time.
    Saved {
        since: Duration,
    },
    Sort {
        index: usize,
    },
    Standing {
        index: usize,
    },
}

/// A question, and what yes means.
#[derive(Clone, Debug)]
pub(in super::super) struct Ask {
    pub title: &'static str,
    pub lines: Vec<String>,
    pub deed: Deed,
}

#[derive(Clone, Debug)]
pub(in super::super) enum Deed {
    Leave,
    Tell(Vec<Command>),
}

/// What is to be deleted, and which count belongs to it.
#[derive(Clone, Debug)]
pub(in super::super) struct Doom {
    /// The number of the count that tells what is in the folders; `None` without folders.
    pub request: Option<u64>,
    pub files: usize,
    pub folders: usize,
    /// Of the chosen files.
    pub bytes: u64,
    pub what: Vec<Doomed>,
}

/// A line that is asked for, and what it is for.
#[derive(Clone, Debug)]
pub(in super::super) struct LineAsk {
    pub line: LineInput,
    pub goal: Goal,
    /// What is wrong with what was typed.
    pub wrong: Option<String>,
}

/// What a line is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in super::super) enum Goal {
    /// The name of a new folder in this one.
    Folder(RemotePath),
    /// The new name of this one.
    Rename(RemotePath),
    /// A rate for this item, or for all.
    Limit(Option<JobId>),
}

/// An entry of the sort menu.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum SortBy {
    Field(Field),
    File(FileSort),
}

/// What a click on a part of the screen means.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(in super::super) enum Hit {
    Pane(Pane),
    Rows {
        pane: Pane,
        first: usize,
    },
    Header(Pane, SortBy),
    Tab(View),
    Key(Action),
    /// A row of the menu on top.
    MenuRow(usize),
    Popup,
}
