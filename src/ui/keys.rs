//! The one table of keys: dispatch, footer and help popup all read it.
//!
//! A binding says which keys, in which places, when it makes sense, what it
//! does, and the words for it. A key that is not in here does nothing; a word
//! that is not in here is not shown. Holds no state.

mod table;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use self::table::{ASKED, DO, LOOK, MOVE};
pub use self::table::{LEAVE, TABLE};
use crate::event::{Clash, Scope};
use crate::model::{Model, Role};

use super::desk::Mode;
use super::screen::{Pane, Screen, View};
use super::select::Step;

/// A key as the table knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Key {
    /// A character; capitals are their own.
    Char(char),
    /// A character with ctrl.
    Ctrl(char),
    /// A key with a name.
    Code(KeyCode),
    /// A character twice in a row.
    Twice(char),
}

impl Key {
    /// The table's name for a key that was pressed.
    pub fn of(event: &KeyEvent) -> Option<Self> {
        let modifiers = event.modifiers;
        if modifiers.intersects(KeyModifiers::ALT | KeyModifiers::SUPER | KeyModifiers::META) {
            return None;
        }
        let ctrl = modifiers.contains(KeyModifiers::CONTROL);
        Some(match event.code {
            KeyCode::Char(ch) if ctrl => Self::Ctrl(ch.to_ascii_lowercase()),
            KeyCode::Char(ch) => Self::Char(ch),
            code => Self::Code(code),
        })
    }
}

/// Who has the keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// The server's table.
    Table,
    /// The server's events.
    Events,
    /// The remote folder.
    Files,
    /// The folder of this machine.
    Local,
    /// The desk's line, where nothing can be listed.
    Prompt,
    /// The queue.
    Queue,
    /// A filter being typed.
    Filter,
    /// The help popup.
    Help,
    /// The popup about one row.
    Details,
    /// The popup about an entry of the remote folder.
    File,
    /// A question with yes and no.
    Confirm,
    /// A line being typed on top.
    Line,
    /// The question about a queue that was left over.
    Saved,
    /// The sort menu.
    Sort,
    /// The question about a taken name.
    Clash,
    /// The menu of what to do with every later taken name.
    Standing,
}

impl Place {
    /// Every place there is.
    pub const ALL: [Self; 16] = [
        Self::Table,
        Self::Events,
        Self::Files,
        Self::Local,
        Self::File,
        Self::Line,
        Self::Saved,
        Self::Prompt,
        Self::Queue,
        Self::Filter,
        Self::Help,
        Self::Details,
        Self::Confirm,
        Self::Sort,
        Self::Clash,
        Self::Standing,
    ];

    /// Whether a program of this role has such a place.
    pub const fn exists(self, role: &Role) -> bool {
        match self {
            Self::Table | Self::Events => matches!(role, Role::Serve),
            Self::Files
            | Self::Local
            | Self::File
            | Self::Prompt
            | Self::Queue
            | Self::Clash
            | Self::Line
            | Self::Saved
            | Self::Standing => {
                matches!(role, Role::Dial)
            }
            _ => true,
        }
    }

    /// Whether letters are text there.
    pub const fn types(self) -> bool {
        matches!(self, Self::Prompt | Self::Filter | Self::Line)
    }
}

/// What a key does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Action {
    Move(Step),
    NextPane,
    PreviousPane,
    View(View),
    /// Client: to one of its panes.
    Pane(Pane),
    /// Server: what lets a newcomer in.
    Invite,
    Enter,
    Out,
    Filter,
    Escape,
    SortMenu,
    Reverse,
    Freeze,
    Enlarge,
    Help,
    Quit,
    Interrupt,
    Suspend,
    Kick,
    Mark,
    MarkAll,
    Range,
    Download,
    Upload,
    MakeFolder,
    Rename,
    Delete,
    Hash,
    FileDetails,
    /// A rate for the chosen transfer, or for all.
    Limit,
    LimitAll,
    /// Client: an earlier run's queue is not wanted.
    Forget,
    Reload,
    Pause,
    PauseAll,
    Cancel,
    Retry,
    RetryAll,
    Earlier,
    Later,
    ClearEnded,
    AnswerAgain,
    Standing,
    Yes,
    No,
    Answer(Clash, Scope),
    /// Client: what the desk's line is for.
    Turn(Mode),
    AskServer,
    Postpone,
}

/// One line of the table.
pub struct Binding {
    /// The heading it stands under in the help.
    pub group: &'static str,
    /// Any of these.
    pub keys: &'static [Key],
    /// Where they mean this.
    pub places: &'static [Place],
    /// How the keys are written.
    pub shown: &'static str,
    /// A word or two for the footer.
    pub word: &'static str,
    /// A sentence for the help.
    pub help: &'static str,
    pub(super) action: Action,
    /// Whether it makes sense now.
    pub(super) valid: fn(&Screen, &Model) -> bool,
    pub(super) in_footer: bool,
}

impl Binding {
    const fn when(mut self, valid: fn(&Screen, &Model) -> bool) -> Self {
        self.valid = valid;
        self
    }

    const fn foot(mut self) -> Self {
        self.in_footer = true;
        self
    }
}

const fn bind(
    group: &'static str,
    keys: &'static [Key],
    places: &'static [Place],
    action: Action,
    shown: &'static str,
    word: &'static str,
    help: &'static str,
) -> Binding {
    Binding {
        group,
        keys,
        places,
        shown,
        word,
        help,
        action,
        valid: always,
        in_footer: false,
    }
}

fn always(_: &Screen, _: &Model) -> bool {
    true
}

/// The binding of a key in a place.
pub fn find(key: Key, place: Place) -> Option<&'static Binding> {
    TABLE
        .iter()
        .find(|binding| binding.keys.contains(&key) && binding.places.contains(&place))
}

/// Whether a key may be the first half of a double one there.
pub fn begins(key: Key, place: Place) -> bool {
    matches!(key, Key::Char(ch) if find(Key::Twice(ch), place).is_some())
}

/// What the footer shows: the bindings that make sense now, in the table's order.
pub(super) fn footer<'a>(
    screen: &'a Screen,
    model: &'a Model,
) -> impl Iterator<Item = &'static Binding> + 'a {
    let place = screen.place(model);
    TABLE.iter().filter(move |binding| {
        binding.in_footer
            && binding.places.contains(&place)
            && (binding.valid)(screen, model)
            && !screen.is_on(binding.action)
    })
}

/// In which pane of a client a binding means what it says, where one key means two things.
pub(super) fn pane_of(binding: &Binding) -> &'static str {
    let within = |panes: &[Place]| binding.places.iter().all(|place| panes.contains(place));
    match () {
        () if within(&[Place::Files, Place::File]) => "remote",
        () if within(&[Place::Local]) => "local",
        () if within(&[Place::Files, Place::Local]) => "folders",
        () if within(&[Place::Queue]) => "queue",
        () if within(&[Place::Prompt]) => "line",
        () => "",
    }
}

/// Whether a screen that asks for names, or one that lists, has no use for a binding ever.
pub(super) fn is_foreign(binding: &Binding, asks: bool) -> bool {
    let desk = matches!(binding.action, Action::Turn(_) | Action::AskServer);
    match pane_of(binding) {
        "remote" | "local" | "folders" => asks,
        "line" => !asks,
        _ => desk && !asks,
    }
}

/// What the help shows, in the order of its headings.
pub fn help(role: &Role) -> Vec<(&'static str, Vec<&'static Binding>)> {
    [LOOK, MOVE, DO, ASKED, LEAVE]
        .into_iter()
        .map(|group| {
            let lines = TABLE
                .iter()
                .filter(|binding| {
                    binding.group == group && binding.places.iter().any(|place| place.exists(role))
                })
                .collect();
            (group, lines)
        })
        .collect()
}
