//! What is asked on top of the client: a line to type, whether to delete, what was left over.
//!
//! A question names what it is about, in numbers where there are any. Its keys
//! stand in the footer and again below it, because it came by itself or is
//! worth a second look. Draws; decides nothing.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

use crate::entity::{DisplayName, Kind};
use crate::event::{Counted, ListingState};
use crate::model::Model;

use super::format;
use super::header::spinner;
use super::paint;
use super::popup;
use super::screen::{Doom, Goal, LineAsk, Popup, Screen};

/// Names a question about deleting shows.
const NAMES: usize = 4;

/// Whether a spinner turns in a question.
pub(super) fn spins(model: &Model, screen: &Screen) -> bool {
    match &screen.popup {
        Some(Popup::Delete(doom)) => !doom.is_counted(model),
        Some(Popup::File { path, asked, .. }) => asked.is_some_and(|asked| {
            let told = model.remote.hashed.as_ref();
            model.remote.hashes <= asked || told.is_none_or(|told| told.path != *path)
        }),
        _ => false,
    }
}

/// Lines of a popup, each with its look, above a line of keys.
fn ask(
    buf: &mut Buffer,
    area: Rect,
    title: &str,
    lines: &[(String, Style)],
    keys: &[(&str, &str)],
    screen: &mut Screen,
) {
    let theme = screen.theme;
    let room = area.width.saturating_sub(4).clamp(1, 70);
    let wrapped: Vec<(String, Style)> = lines
        .iter()
        .flat_map(|(line, style)| paint::wrap(line, room).into_iter().map(|it| (it, *style)))
        .collect();
    let widest = wrapped.iter().map(|(line, _)| format::width(line)).max();
    let size = (widest.unwrap_or(0).max(34), wrapped.len() + 2);
    let inner = popup::open(buf, area, size, title, screen);
    for (n, (line, style)) in (0u16..).zip(&wrapped) {
        paint::put(buf, paint::row(inner, n), line, *style);
    }
    let mut pieces = Vec::new();
    for (key, word) in keys {
        pieces.push(((*key).to_owned(), theme.key()));
        pieces.push((format!(" {word}     "), theme.text()));
    }
    let last = paint::row(inner, inner.height.saturating_sub(1));
    paint::pieces(buf, last, &pieces);
}

/// Asks whether to delete; until all is counted only no can be said.
pub(super) fn delete(
    buf: &mut Buffer,
    area: Rect,
    doom: &Doom,
    model: &Model,
    screen: &mut Screen,
) {
    let theme = screen.theme;
    let counted = model.remote.counted.as_ref();
    let counted = counted.filter(|counted| Some(counted.request) == doom.request);
    let chosen = format::kinds(doom.files as u64, doom.folders as u64);
    let ready = doom.is_counted(model);
    let question = if ready {
        deletion(&chosen, doom, counted)
    } else {
        format!("Delete {chosen}?")
    };
    let mut lines = vec![(question, theme.strong())];
    lines.extend(names(doom, area).into_iter().map(|it| (it, theme.text())));
    match counted.map(|counted| &counted.state) {
        Some(ListingState::Failed(why)) => {
            let words = format!("✗ what is in them could not be counted: {why}");
            lines.push((words, theme.bad()));
        }
        _ if ready => lines.push(("There is no way back.".to_owned(), theme.warn())),
        _ => {
            let (files, bytes) = within(counted);
            let files = format::plural(files, "file");
            let bytes = format::size_words(bytes);
            let words = format!("{} counting: {files}, {bytes} so far", spinner(model));
            lines.push((words, theme.warn()));
        }
    }
    let keys: &[(&str, &str)] = if ready {
        &[("y", "delete"), ("n", "keep")]
    } else {
        &[("n", "keep")]
    };
    ask(buf, area, "delete", &lines, keys, screen);
}

/// `Delete 3 files and 2 folders with 1,204 files in them (3.10 GiB)?`
fn deletion(chosen: &str, doom: &Doom, counted: Option<&Counted>) -> String {
    let size = |bytes| format::size_words(bytes);
    if doom.request.is_none() {
        return format!("Delete {chosen} ({})?", size(doom.bytes));
    }
    let (within, bytes) = within(counted);
    let them = if doom.folders == 1 { "it" } else { "them" };
    let within = format::plural(within, "file");
    let bytes = size(doom.bytes.saturating_add(bytes));
    format!("Delete {chosen} with {within} in {them} ({bytes})?")
}

/// Files in the chosen folders, and their bytes, as far as they are counted.
fn within(counted: Option<&Counted>) -> (u64, u64) {
    counted.map_or((0, 0), |it| (it.walk.files(), it.walk.bytes()))
}

fn names(doom: &Doom, area: Rect) -> Vec<String> {
    let room = area.width.saturating_sub(10).clamp(8, 60);
    let shown = doom.what.iter().take(NAMES).map(|doomed| {
        let name = DisplayName::new(doomed.path.file_name());
        let slash = if doomed.kind == Kind::Dir { "/" } else { "" };
        format!("  {}{slash}", format::cut_name(name.as_str(), room))
    });
    let mut out: Vec<String> = shown.collect();
    if let Some(more @ 1..) = doom.what.len().checked_sub(NAMES) {
        out.push(format!("  and {} more", format::count(more as u64)));
    }
    out
}

/// Asks what to do with what an earlier run left.
pub(super) fn saved(buf: &mut Buffer, area: Rect, model: &Model, screen: &mut Screen) {
    let theme = screen.theme;
    let Some(told) = model.remote.saved else {
        return;
    };
    let items = format::plural(told.saved.items, "unfinished transfer");
    let them = if told.saved.items == 1 { "it" } else { "them" };
    let size = match told.saved.bytes {
        0 => String::new(),
        bytes => format!(", {}", format::size_words(bytes)),
    };
    let lines = [
        (format!("{items} from last time{size}."), theme.strong()),
        (
            format!("To take {them} up goes on from what is here already;"),
            theme.text(),
        ),
        (
            format!("to forget {them} deletes the parts that are here."),
            theme.text(),
        ),
    ];
    let keys = [("y", "take up"), ("n", "forget"), ("Esc", "later")];
    ask(buf, area, "left over", &lines, &keys, screen);
}

/// A line to be typed; tells where the terminal's cursor belongs.
pub(super) fn line(
    buf: &mut Buffer,
    area: Rect,
    asked: &LineAsk,
    model: &Model,
    screen: &mut Screen,
) -> (u16, u16) {
    let theme = screen.theme;
    let shown = |raw: &[u8]| format::cut_name(DisplayName::new(raw).as_str(), 44);
    let (title, about) = match &asked.goal {
        Goal::Folder(folder) => {
            let path = format!("/{}", folder.shown());
            (
                "make a folder",
                format!("in {}", format::cut_name(&path, 44)),
            )
        }
        Goal::Rename(from) => (
            "rename",
            format!("{} gets the name", shown(from.file_name())),
        ),
        Goal::Limit(None) => (
            "limit",
            "at most so much a second for all together:".to_owned(),
        ),
        Goal::Limit(Some(job)) => {
            let name = model.remote.item(*job).map(|item| &item.job.target);
            let name = name.map_or("", DisplayName::as_str);
            let name = format::cut_name(name, 24);
            ("limit", format!("at most so much a second for {name}:"))
        }
    };
    let (hint, style) = match (&asked.wrong, &asked.goal) {
        (Some(wrong), _) => (format!("✗ {wrong}"), theme.bad()),
        (None, Goal::Limit(_)) => ("10M, 500k, 2MiB; 0 for no limit".to_owned(), theme.dim()),
        (None, _) => ("⏎ does it, Esc leaves it".to_owned(), theme.dim()),
    };
    let inner = popup::open(buf, area, (56, 5), title, screen);
    paint::put(buf, paint::row(inner, 0), &about, theme.text());
    let place = paint::row(inner, 2);
    paint::put(buf, paint::part(place, 0, 2), "▸ ", theme.key());
    let place = paint::part(place, 2, place.width);
    let (text, cursor) = asked.line.shown(place.width);
    paint::put(buf, place, &text, theme.strong());
    paint::put(buf, paint::row(inner, 4), &hint, style);
    (place.x + cursor, place.y)
}
