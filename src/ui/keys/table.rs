//! The table itself: every key, where it means something, what it does, its words.
//!
//! The footer shows its lines from the top, as many as fit and are valid; the
//! help shows all of a role. No two lines may hold one key in one place.

use crossterm::event::KeyCode;

use super::Key::{Char, Code, Ctrl, Twice};
use super::{Action, Binding, Mode, Pane, Place, Screen, Step, View, bind};
use crate::event::{Clash, Scope};

pub(super) const LOOK: &str = "Looking around";
pub(super) const MOVE: &str = "Moving";
pub(super) const DO: &str = "Doing";
/// The heading of the ways out.
pub const LEAVE: &str = "Leaving";
pub(super) const ASKED: &str = "On top of the screen";

const LISTS: &[Place] = &[
    Place::Table,
    Place::Events,
    Place::Files,
    Place::Local,
    Place::Queue,
];
const PANES: &[Place] = &[
    Place::Table,
    Place::Events,
    Place::Files,
    Place::Local,
    Place::Queue,
    Place::Prompt,
];
/// Both folders.
const FOLDERS: &[Place] = &[Place::Files, Place::Local];
/// All that a client shows of a server that lists.
const CLIENT: &[Place] = &[Place::Files, Place::Local, Place::Queue];
/// What scrolls with single letters.
const SCROLLS: &[Place] = &[
    Place::Table,
    Place::Events,
    Place::Files,
    Place::Local,
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
    Place::Local,
    Place::Queue,
    Place::Help,
    Place::Details,
    Place::Sort,
    Place::Standing,
    Place::Prompt,
    Place::Filter,
];
const SORTED: &[Place] = &[Place::Table, Place::Files, Place::Local, Place::Sort];
const NARROWED: &[Place] = &[Place::Table, Place::Events, Place::Files, Place::Local];
const SERVER: &[Place] = &[Place::Table, Place::Events];

/// Every key there is. The footer shows them in this order.
#[rustfmt::skip] // A table is read by its columns.
pub static TABLE: &[Binding] = &[
    bind(ASKED, &[Char('y'), Code(KeyCode::Enter)], &[Place::Confirm], Action::Yes, "y ⏎", "yes", "say yes").when(Screen::can_say_yes).foot(),
    bind(ASKED, &[Char('n'), Code(KeyCode::Esc), Char('q')], &[Place::Confirm], Action::No, "n Esc", "no", "say no").foot(),
    bind(ASKED, &[Char('s')], &[Place::Clash], Action::Answer(Clash::Skip, Scope::Once), "s", "skip", "leave the local file and do not fetch").foot(),
    bind(ASKED, &[Char('r')], &[Place::Clash], Action::Answer(Clash::Rename, Scope::Once), "r", "rename", "fetch it under a name that is free").foot(),
    bind(ASKED, &[Char('o')], &[Place::Clash], Action::Answer(Clash::Overwrite, Scope::Once), "o", "overwrite", "replace the local file once the new one is complete").foot(),
    bind(ASKED, &[Char('S')], &[Place::Clash], Action::Answer(Clash::Skip, Scope::All), "S", "skip all", "skip this one and every later one").foot(),
    bind(ASKED, &[Char('R')], &[Place::Clash], Action::Answer(Clash::Rename, Scope::All), "R", "rename all", "rename this one and every later one").foot(),
    bind(ASKED, &[Char('O')], &[Place::Clash], Action::Answer(Clash::Overwrite, Scope::All), "O", "overwrite all", "overwrite this one and every later one").foot(),
    bind(ASKED, &[Code(KeyCode::Esc)], &[Place::Clash], Action::Postpone, "Esc", "later", "answer later; the download waits").foot(),
    bind(ASKED, &[Char('y'), Code(KeyCode::Enter)], &[Place::Saved], Action::Yes, "y ⏎", "take up", "go on with what an earlier run left").foot(),
    bind(ASKED, &[Char('n')], &[Place::Saved], Action::Forget, "n", "forget", "forget what an earlier run left; its parts go").foot(),
    bind(ASKED, &[Code(KeyCode::Esc)], &[Place::Saved], Action::Postpone, "Esc", "later", "decide about it later").foot(),
    bind(ASKED, &[Code(KeyCode::Enter)], &[Place::Line], Action::Enter, "⏎", "do it", "do what the typed line says").foot(),
    bind(ASKED, &[Code(KeyCode::Esc)], &[Place::Line], Action::No, "Esc", "leave it", "close the line; nothing is done").foot(),
    bind(ASKED, &[Char('a')], CLIENT, Action::AnswerAgain, "a", "answer", "answer what was put off").when(|screen, model| model.remote.clash().is_some() || screen.saved_waits(model)).foot(),
    bind(LOOK, &[Char('?'), Code(KeyCode::F(1))], LISTS, Action::Help, "? F1", "help", "this help").foot(),
    bind(LOOK, &[Code(KeyCode::F(1))], &[Place::Prompt], Action::Help, "F1", "help", "this help, also while typing").foot(),
    bind(ASKED, &[Code(KeyCode::Enter)], &[Place::Sort, Place::Standing, Place::Filter], Action::Enter, "⏎", "keep", "take the choice, keep the filter").foot(),
    bind(LOOK, &[Code(KeyCode::Enter)], &[Place::Table, Place::Events], Action::Enter, "⏎", "details", "all that is known about the row").when(Screen::has_choice).foot(),
    bind(DO, &[Code(KeyCode::Enter), Char('l'), Code(KeyCode::Right)], &[Place::Files], Action::Enter, "⏎ l", "open", "open the folder, download the file").when(Screen::has_choice).foot(),
    bind(DO, &[Code(KeyCode::Enter), Char('l'), Code(KeyCode::Right)], &[Place::Local], Action::Enter, "⏎ l", "open", "open the folder, send the file").when(Screen::has_choice).foot(),
    bind(DO, &[Code(KeyCode::Enter)], &[Place::Prompt], Action::Enter, "⏎", "go", "fetch, send or rename what was typed or chosen").when(Screen::has_order).foot(),
    bind(DO, &[Code(KeyCode::F(2))], &[Place::Prompt], Action::Turn(Mode::Get), "F2", "fetch", "type a name to fetch").when(Screen::can_get).foot(),
    bind(DO, &[Code(KeyCode::F(3))], &[Place::Prompt], Action::Turn(Mode::Put), "F3", "send", "type a file to send").when(Screen::can_put).foot(),
    bind(DO, &[Code(KeyCode::F(4))], &[Place::Prompt], Action::Turn(Mode::Rename), "F4", "rename", "type a name and its new name").when(Screen::can_rename).foot(),
    bind(DO, &[Code(KeyCode::F(5))], &[Place::Prompt], Action::AskServer, "F5", "ask server", "ask the server what can be asked").when(Screen::can_ask_server).foot(),
    bind(DO, &[Char(' ')], FOLDERS, Action::Mark, "Space", "mark", "mark or unmark, and go down").when(Screen::has_choice).foot(),
    bind(DO, &[Char('d')], &[Place::Files], Action::Download, "d", "download", "download what is marked, or what is chosen").when(Screen::can_download).foot(),
    bind(DO, &[Char('u')], &[Place::Local], Action::Upload, "u", "upload", "send what is marked or chosen to the server").when(Screen::can_upload).foot(),
    bind(DO, &[Char('m'), Code(KeyCode::F(7))], &[Place::Files], Action::MakeFolder, "m F7", "folder", "make a folder there").when(Screen::can_make).foot(),
    bind(DO, &[Char('r'), Code(KeyCode::F(6))], &[Place::Files], Action::Rename, "r F6", "rename", "give the chosen one another name").when(Screen::can_rename_there).foot(),
    bind(DO, &[Char('D'), Code(KeyCode::Delete), Code(KeyCode::F(8))], &[Place::Files], Action::Delete, "D F8", "delete", "delete what is marked or chosen; counts and asks").when(Screen::can_delete).foot(),
    bind(DO, &[Code(KeyCode::Backspace), Char('h'), Code(KeyCode::Left), Ctrl('h')], FOLDERS, Action::Out, "h", "out", "out to the parent folder").when(Screen::can_go_out).foot(),
    bind(DO, &[Char('x')], &[Place::Table], Action::Kick, "x", "kick", "end the chosen connection; asks first").when(Screen::can_kick).foot(),
    bind(LOOK, &[Char('i')], SERVER, Action::Invite, "i", "invite", "where newcomers connect: the code and its QR").when(|_, model| model.invite.is_some()).foot(),
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
    bind(ASKED, &[Char('A')], CLIENT, Action::Standing, "A", "taken names", "what to do with every later name that is taken").when(Screen::has_standing).foot(),
    bind(DO, &[Char('J')], &[Place::Queue], Action::Later, "J", "later", "move it down the queue").when(Screen::can_cancel),
    bind(DO, &[Char('K')], &[Place::Queue], Action::Earlier, "K", "earlier", "move it up the queue").when(Screen::can_cancel),
    bind(DO, &[Ctrl('a')], FOLDERS, Action::MarkAll, "ctrl-a", "mark all", "mark all files, or none"),
    bind(DO, &[Char('v')], FOLDERS, Action::Range, "v", "range", "mark from here to where you go; v again ends it"),
    bind(DO, &[Ctrl('r'), Code(KeyCode::F(5))], FOLDERS, Action::Reload, "ctrl-r", "reload", "list the folder again"),
    bind(LOOK, &[Char('/')], NARROWED, Action::Filter, "/", "filter", "show only what matches").foot(),
    bind(LOOK, &[Code(KeyCode::Tab)], PANES, Action::NextPane, "Tab", "pane", "go to the next pane").foot(),
    bind(LOOK, &[Char('i')], &[Place::Files], Action::FileDetails, "i", "details", "all that is known about the chosen one").when(Screen::has_choice).foot(),
    bind(LOOK, &[Char('H')], &[Place::Files, Place::File], Action::Hash, "H", "hash", "ask for the file's BLAKE3 hash").when(Screen::can_hash).foot(),
    bind(DO, &[Char('L')], CLIENT, Action::Limit, "L", "limit", "so many bytes a second for the chosen transfer").foot(),
    bind(DO, &[Ctrl('l')], &[Place::Files, Place::Local, Place::Queue, Place::Prompt], Action::LimitAll, "ctrl-l", "limit all", "so many bytes a second for all together"),
    bind(LEAVE, &[Char('q')], LISTS, Action::Quit, "q", "quit", "leave; asks when something runs").foot(),
    bind(LOOK, &[Char('s')], &[Place::Table, Place::Files, Place::Local], Action::SortMenu, "s", "sort", "choose what to sort by").foot(),
    bind(LOOK, &[Char('S')], SORTED, Action::Reverse, "S", "reverse", "sort the other way round"),
    bind(LOOK, &[Code(KeyCode::BackTab)], PANES, Action::PreviousPane, "S-Tab", "pane back", "go to the pane before"),
    bind(LOOK, &[Char('1')], SERVER, Action::View(View::Connections), "1", "connections", "the table of connections"),
    bind(LOOK, &[Char('2')], SERVER, Action::View(View::Transfers), "2", "transfers", "the table of transfers"),
    bind(LOOK, &[Char('3')], SERVER, Action::View(View::Events), "3", "events", "all of the events"),
    bind(LOOK, &[Char('1')], CLIENT, Action::Pane(Pane::Files), "1", "remote", "to the remote folder"),
    bind(LOOK, &[Char('2')], CLIENT, Action::Pane(Pane::Local), "2", "local", "to the folder of this machine").when(|screen, model| !screen.asks_for_names(model)),
    bind(LOOK, &[Char('3')], CLIENT, Action::Pane(Pane::Queue), "3", "queue", "to the queue"),
    bind(LOOK, &[Char('e')], LISTS, Action::Enlarge, "e", "enlarge", "give the pane the whole screen, and back").foot(),
    bind(LOOK, &[Char('f')], LISTS, Action::Freeze, "f", "freeze", "let the picture stand still; the work goes on").foot(),
    bind(LOOK, &[Code(KeyCode::Esc)], &[Place::Table, Place::Events, Place::Files, Place::Local, Place::Queue, Place::Prompt, Place::Filter], Action::Escape, "Esc", "clear", "clear filter, marks, text; leave the large pane").when(Screen::has_escape).foot(),
    bind(ASKED, &[Code(KeyCode::Esc), Char('q')], &[Place::Sort, Place::Standing, Place::Help, Place::Details, Place::File], Action::Escape, "Esc q", "close", "close it without a change").foot(),
    bind(ASKED, &[Char('?'), Code(KeyCode::F(1))], &[Place::Help], Action::Escape, "? F1", "close", "close the help"),
    bind(ASKED, &[Code(KeyCode::Enter)], &[Place::Details, Place::File], Action::Escape, "⏎", "close", "close the details"),
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
