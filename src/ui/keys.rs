//! The one table of keys: dispatch, footer and help popup all read it.
//!
//! A binding says which keys, in which places, when it makes sense, what it
//! does, and the words for it. A key that is not in here does nothing; a word
//! that is not in here is not shown. Holds no state.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use crate::event::{Clash, Scope};
use crate::model::{Model, Role};

use super::desk::Mode;
use super::screen::{Screen, View};
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
    /// A question with yes and no.
    Confirm,
    /// The sort menu.
    Sort,
    /// The question about a taken name.
    Clash,
    /// The menu of what to do with every later taken name.
    Standing,
}

impl Place {
    /// Every place there is.
    pub const ALL: [Self; 12] = [
        Self::Table,
        Self::Events,
        Self::Files,
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
            Self::Files | Self::Prompt | Self::Queue | Self::Clash | Self::Standing => {
                matches!(role, Role::Dial)
            }
            _ => true,
        }
    }

    /// Whether letters are text there.
    pub const fn types(self) -> bool {
        matches!(self, Self::Prompt | Self::Filter)
    }
}

/// What a key does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Action {
    Move(Step),
    NextPane,
    PreviousPane,
    View(View),
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

const LOOK: &str = "Looking around";
const MOVE: &str = "Moving";
const DO: &str = "Doing";
/// The heading of the ways out.
pub const LEAVE: &str = "Leaving";
const ASKED: &str = "On top of the screen";

const LISTS: &[Place] = &[Place::Table, Place::Events, Place::Files, Place::Queue];
const PANES: &[Place] = &[
    Place::Table,
    Place::Events,
    Place::Files,
    Place::Queue,
    Place::Prompt,
];
/// What scrolls with single letters.
const SCROLLS: &[Place] = &[
    Place::Table,
    Place::Events,
    Place::Files,
    Place::Queue,
    Place::Help,
    Place::Details,
    Place::Sort,
    Place::Standing,
];
/// What moves with arrows: letters are text in the last two.
const ARROWS: &[Place] = &[
    Place::Table,
    Place::Events,
    Place::Files,
    Place::Queue,
    Place::Help,
    Place::Details,
    Place::Sort,
    Place::Standing,
    Place::Prompt,
    Place::Filter,
];
const SORTED: &[Place] = &[Place::Table, Place::Files, Place::Sort];
const NARROWED: &[Place] = &[Place::Table, Place::Events, Place::Files];
const SERVER: &[Place] = &[Place::Table, Place::Events];

use Key::{Char, Code, Ctrl, Twice};

/// Every key there is. The footer shows them in this order.
#[rustfmt::skip] // A table is read by its columns.
pub static TABLE: &[Binding] = &[
    bind(ASKED, &[Char('y'), Code(KeyCode::Enter)], &[Place::Confirm], Action::Yes, "y ⏎", "yes", "say yes").foot(),
    bind(ASKED, &[Char('n'), Code(KeyCode::Esc), Char('q')], &[Place::Confirm], Action::No, "n Esc", "no", "say no").foot(),
    bind(ASKED, &[Char('s')], &[Place::Clash], Action::Answer(Clash::Skip, Scope::Once), "s", "skip", "leave the local file and do not fetch").foot(),
    bind(ASKED, &[Char('r')], &[Place::Clash], Action::Answer(Clash::Rename, Scope::Once), "r", "rename", "fetch it under a name that is free").foot(),
    bind(ASKED, &[Char('o')], &[Place::Clash], Action::Answer(Clash::Overwrite, Scope::Once), "o", "overwrite", "replace the local file once the new one is complete").foot(),
    bind(ASKED, &[Char('S')], &[Place::Clash], Action::Answer(Clash::Skip, Scope::All), "S", "skip all", "skip this one and every later one").foot(),
    bind(ASKED, &[Char('R')], &[Place::Clash], Action::Answer(Clash::Rename, Scope::All), "R", "rename all", "rename this one and every later one").foot(),
    bind(ASKED, &[Char('O')], &[Place::Clash], Action::Answer(Clash::Overwrite, Scope::All), "O", "overwrite all", "overwrite this one and every later one").foot(),
    bind(ASKED, &[Code(KeyCode::Esc)], &[Place::Clash], Action::Postpone, "Esc", "later", "answer later; the download waits").foot(),
    bind(ASKED, &[Char('a')], &[Place::Files, Place::Queue], Action::AnswerAgain, "a", "answer", "answer about a name that is taken").when(|_, model| model.remote.clash().is_some()).foot(),
    bind(LOOK, &[Char('?'), Code(KeyCode::F(1))], LISTS, Action::Help, "? F1", "help", "this help").foot(),
    bind(LOOK, &[Code(KeyCode::F(1))], &[Place::Prompt], Action::Help, "F1", "help", "this help, also while typing").foot(),
    bind(ASKED, &[Code(KeyCode::Enter)], &[Place::Sort, Place::Standing, Place::Filter], Action::Enter, "⏎", "keep", "take the choice, keep the filter").foot(),
    bind(LOOK, &[Code(KeyCode::Enter)], &[Place::Table, Place::Events], Action::Enter, "⏎", "details", "all that is known about the row").when(Screen::has_choice).foot(),
    bind(DO, &[Code(KeyCode::Enter), Char('l'), Code(KeyCode::Right)], &[Place::Files], Action::Enter, "⏎ l", "open", "open the folder, download the file").when(Screen::has_choice).foot(),
    bind(DO, &[Code(KeyCode::Enter)], &[Place::Prompt], Action::Enter, "⏎", "go", "fetch, send or rename what was typed or chosen").when(Screen::has_order).foot(),
    bind(DO, &[Code(KeyCode::F(2))], &[Place::Prompt], Action::Turn(Mode::Get), "F2", "fetch", "type a name to fetch").when(Screen::can_get).foot(),
    bind(DO, &[Code(KeyCode::F(3))], &[Place::Prompt], Action::Turn(Mode::Put), "F3", "send", "type a file to send").when(Screen::can_put).foot(),
    bind(DO, &[Code(KeyCode::F(4))], &[Place::Prompt], Action::Turn(Mode::Rename), "F4", "rename", "type a name and its new name").when(Screen::can_rename).foot(),
    bind(DO, &[Code(KeyCode::F(5))], &[Place::Prompt], Action::AskServer, "F5", "ask server", "ask the server what can be asked").when(Screen::can_ask_server).foot(),
    bind(DO, &[Code(KeyCode::Backspace), Char('h'), Code(KeyCode::Left), Ctrl('h')], &[Place::Files], Action::Out, "h", "out", "out to the parent folder").when(|_, model| !Screen::folder(model).is_root()).foot(),
    bind(DO, &[Char(' ')], &[Place::Files], Action::Mark, "Space", "mark", "mark or unmark, and go down").when(Screen::has_choice).foot(),
    bind(DO, &[Char('d')], &[Place::Files], Action::Download, "d", "download", "download what is marked, or the chosen file").when(Screen::has_choice).foot(),
    bind(DO, &[Char('x')], &[Place::Table], Action::Kick, "x", "kick", "end the chosen connection; asks first").when(Screen::can_kick).foot(),
    bind(DO, &[Char('p')], &[Place::Queue], Action::Pause, "p", "pause", "pause the transfer, or let it go on").when(Screen::can_pause).foot(),
    bind(DO, &[Char('x'), Code(KeyCode::Delete)], &[Place::Queue], Action::Cancel, "x", "cancel", "give the transfer up; asks first").when(Screen::can_cancel).foot(),
    bind(DO, &[Char('r')], &[Place::Queue], Action::Retry, "r", "retry", "try it again").when(Screen::can_retry).foot(),
    bind(DO, &[Char('R')], &[Place::Queue], Action::RetryAll, "R", "retry all", "try all again that failed").when(|_, model| Screen::failed(model).next().is_some()).foot(),
    bind(DO, &[Char('P')], &[Place::Queue], Action::PauseAll, "P", "pause all", "pause all, or let all go on").when(|_, model| model.remote.unfinished() > 0).foot(),
    bind(DO, &[Char('c')], &[Place::Queue], Action::ClearEnded, "c", "clear", "take what has ended off the list").when(|_, model| model.remote.items().len() > model.remote.unfinished()).foot(),
    bind(LOOK, &[Code(KeyCode::Enter)], &[Place::Queue], Action::Enter, "⏎", "details", "all that is known about the transfer").when(Screen::has_choice).foot(),
    bind(DO, &[Char('d'), Code(KeyCode::F(2))], &[Place::Queue], Action::Turn(Mode::Get), "d F2", "fetch", "go to the line, type a name to fetch").when(Screen::can_get).foot(),
    bind(DO, &[Char('u'), Code(KeyCode::F(3))], &[Place::Queue], Action::Turn(Mode::Put), "u F3", "send", "go to the line, type a file to send").when(Screen::can_put).foot(),
    bind(DO, &[Char('m'), Code(KeyCode::F(4))], &[Place::Queue], Action::Turn(Mode::Rename), "m F4", "rename", "go to the line, type a name and its new name").when(Screen::can_rename).foot(),
    bind(DO, &[Char('H'), Code(KeyCode::F(5))], &[Place::Queue], Action::AskServer, "H F5", "ask server", "ask the server what can be asked").when(Screen::can_ask_server).foot(),
    bind(ASKED, &[Char('A')], &[Place::Files, Place::Queue], Action::Standing, "A", "taken names", "what to do with every later name that is taken").when(Screen::has_standing).foot(),
    bind(DO, &[Char('J')], &[Place::Queue], Action::Later, "J", "later", "move it down the queue").when(Screen::can_cancel),
    bind(DO, &[Char('K')], &[Place::Queue], Action::Earlier, "K", "earlier", "move it up the queue").when(Screen::can_cancel),
    bind(DO, &[Ctrl('a')], &[Place::Files], Action::MarkAll, "ctrl-a", "mark all", "mark all files, or none"),
    bind(DO, &[Char('v')], &[Place::Files], Action::Range, "v", "range", "mark from here to where you go; v again ends it"),
    bind(DO, &[Ctrl('r'), Code(KeyCode::F(5))], &[Place::Files], Action::Reload, "ctrl-r", "reload", "list the folder again"),
    bind(LOOK, &[Char('/')], NARROWED, Action::Filter, "/", "filter", "show only what matches").foot(),
    bind(LEAVE, &[Char('q')], LISTS, Action::Quit, "q", "quit", "leave; asks when something runs").foot(),
    bind(LOOK, &[Char('s')], &[Place::Table, Place::Files], Action::SortMenu, "s", "sort", "choose what to sort by").foot(),
    bind(LOOK, &[Char('S')], SORTED, Action::Reverse, "S", "reverse", "sort the other way round"),
    bind(LOOK, &[Code(KeyCode::Tab)], PANES, Action::NextPane, "Tab", "pane", "go to the next pane").foot(),
    bind(LOOK, &[Code(KeyCode::BackTab)], PANES, Action::PreviousPane, "S-Tab", "pane back", "go to the pane before"),
    bind(LOOK, &[Char('1')], SERVER, Action::View(View::Connections), "1", "connections", "the table of connections"),
    bind(LOOK, &[Char('2')], SERVER, Action::View(View::Transfers), "2", "transfers", "the table of transfers"),
    bind(LOOK, &[Char('3')], SERVER, Action::View(View::Events), "3", "events", "all of the events"),
    bind(LOOK, &[Char('e')], LISTS, Action::Enlarge, "e", "enlarge", "give the pane the whole screen, and back").foot(),
    bind(LOOK, &[Char('f')], LISTS, Action::Freeze, "f", "freeze", "let the picture stand still; the work goes on").foot(),
    bind(LOOK, &[Code(KeyCode::Esc)], &[Place::Table, Place::Events, Place::Files, Place::Queue, Place::Prompt, Place::Filter], Action::Escape, "Esc", "clear", "clear filter, marks, text; leave the large pane").when(Screen::has_escape).foot(),
    bind(ASKED, &[Code(KeyCode::Esc), Char('q')], &[Place::Sort, Place::Standing, Place::Help, Place::Details], Action::Escape, "Esc q", "close", "close it without a change").foot(),
    bind(ASKED, &[Char('?'), Code(KeyCode::F(1))], &[Place::Help], Action::Escape, "? F1", "close", "close the help"),
    bind(ASKED, &[Code(KeyCode::Enter)], &[Place::Details], Action::Escape, "⏎", "close", "close the details"),
    bind(MOVE, &[Char('j')], SCROLLS, Action::Move(Step::Down), "j", "down", "down"),
    bind(MOVE, &[Char('k')], SCROLLS, Action::Move(Step::Up), "k", "up", "up"),
    bind(MOVE, &[Code(KeyCode::Down)], ARROWS, Action::Move(Step::Down), "↓", "down", "down, also while typing"),
    bind(MOVE, &[Code(KeyCode::Up)], ARROWS, Action::Move(Step::Up), "↑", "up", "up, also while typing"),
    bind(MOVE, &[Twice('g'), Code(KeyCode::Home)], SCROLLS, Action::Move(Step::First), "gg Home", "top", "to the top"),
    bind(MOVE, &[Char('G'), Code(KeyCode::End)], SCROLLS, Action::Move(Step::Last), "G End", "bottom", "to the bottom; events follow again"),
    bind(MOVE, &[Ctrl('d')], SCROLLS, Action::Move(Step::HalfDown), "ctrl-d", "half down", "half a page down"),
    bind(MOVE, &[Ctrl('u')], SCROLLS, Action::Move(Step::HalfUp), "ctrl-u", "half up", "half a page up"),
    bind(MOVE, &[Code(KeyCode::PageDown)], ARROWS, Action::Move(Step::PageDown), "PgDn", "page down", "a page down"),
    bind(MOVE, &[Code(KeyCode::PageUp)], ARROWS, Action::Move(Step::PageUp), "PgUp", "page up", "a page up"),
    bind(LEAVE, &[Ctrl('c')], &Place::ALL, Action::Interrupt, "ctrl-c", "quit", "leave without asking; twice: at once").when(Screen::wants_interrupt).foot(),
    bind(LEAVE, &[Ctrl('z')], &Place::ALL, Action::Suspend, "ctrl-z", "suspend", "back to the shell; fg returns"),
];

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
