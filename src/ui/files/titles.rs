//! What stands in the top border of a file pane: which folder, how much, how it is shown.
//!
//! The path is cut in its middle, marks and filter give way last. Reads the
//! model and the look; draws one line.

use std::hash::Hash;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::entity::DisplayName;
use crate::event::{Link, ListingState};
use crate::model::Model;

use super::super::file_list::{FileList, Listed};
use super::super::format;
use super::super::header::spinner;
use super::super::paint::{self, Piece};
use super::super::screen::{Pane, Screen};
use super::is_loading;

/// `remote /iso (48)` at the left; marks, filter and sort at the right.
pub(super) fn remote(buf: &mut Buffer, area: Rect, model: &Model, screen: &Screen) {
    let (theme, folder) = (screen.theme, &model.remote.folder);
    let lost = matches!(model.remote.link, Link::Lost { .. });
    let path = format!("/{}", folder.path.shown());
    let mut left = name(area, "remote ", &path, Pane::Files, screen);
    // An empty folder counts 0 only when that is known.
    let whole = folder.request > 0 && folder.state == ListingState::Whole && !lost;
    count(&mut left, folder.entries.len(), whole, screen);
    unlisted(&mut left, folder.unlisted, screen);
    if let Some((to, _)) = &screen.files.opening {
        let to = format::cut_name(&format!("/{}", to.shown()), 30);
        left.push((format!("  {} opening {to}", spinner(model)), theme.warn()));
    } else if is_loading(model) && !folder.entries.is_empty() {
        left.push((format!("  {} loading", spinner(model)), theme.warn()));
    }
    let folder = Listed::from(folder);
    right(buf, area, &left, (&screen.files, folder), screen);
}

/// The same of the local folder.
pub(super) fn local(buf: &mut Buffer, area: Rect, model: &Model, screen: &Screen) {
    let (theme, here) = (screen.theme, &model.remote.here);
    let path = DisplayName::new(here.path.as_os_str().as_encoded_bytes());
    let mut left = name(area, "local ", path.as_str(), Pane::Local, screen);
    let whole = here.state == ListingState::Whole;
    count(&mut left, here.entries.len(), whole, screen);
    unlisted(&mut left, here.unlisted, screen);
    if screen.local.opening.is_some() {
        left.push((format!("  {} opening", spinner(model)), theme.warn()));
    }
    right(buf, area, &left, (&screen.local, here.into()), screen);
}

fn name(area: Rect, what: &str, path: &str, pane: Pane, screen: &Screen) -> Vec<Piece> {
    let theme = screen.theme;
    let room = (area.width / 2).saturating_sub(8).max(10);
    let style = if screen.focus == pane {
        theme.strong()
    } else {
        theme.text()
    };
    vec![
        (what.to_owned(), theme.dim()),
        (format::cut_name(path, room), style),
    ]
}

fn count(left: &mut Vec<Piece>, count: usize, is_whole: bool, screen: &Screen) {
    if count > 0 || is_whole {
        let words = format!(" ({})", format::count(count as u64));
        left.push((words, screen.theme.text()));
    }
}

fn unlisted(left: &mut Vec<Piece>, unlisted: u64, screen: &Screen) {
    if unlisted > 0 {
        let words = format!("  {} not plain text, not listed", format::count(unlisted));
        left.push((words, screen.theme.warn()));
    }
}

/// Draws the title: what is known of the folder, then of the look; the sort gives way first.
fn right<P: Clone + Eq + Hash>(
    buf: &mut Buffer,
    area: Rect,
    left: &[Piece],
    (files, folder): (&FileList<P>, Listed<'_, P>),
    screen: &Screen,
) {
    let after = paint::title(buf, area, 1, left);
    let mut pieces = state(files, folder, screen);
    while !pieces.is_empty() {
        let spaced = paint::apart(pieces.clone());
        if after + paint::pieces_width(&spaced) + 4 <= area.width {
            paint::title_right(buf, area, after, &spaced);
            return;
        }
        pieces.pop();
    }
}

/// Marks, filter and sort in words; the sort last.
fn state<P: Clone + Eq + Hash>(
    files: &FileList<P>,
    folder: Listed<'_, P>,
    screen: &Screen,
) -> Vec<Piece> {
    let theme = screen.theme;
    let mut out: Vec<Piece> = Vec::new();
    let marked = files.marks.count() as u64;
    if marked > 0 {
        let size = format::size_words(files.marks.bytes());
        let words = format!("● {} marked, {size}", format::count(marked));
        out.push((words, theme.mark()));
    } else if files.is_ranging() {
        out.push(("range: v ends it".to_owned(), theme.mark()));
    }
    if !files.filter.is_empty() {
        let text = format::cut(files.filter.text(), 20);
        let (rows, all) = (files.rows.len(), folder.entries.len());
        out.push((format!("filter: {text}  {rows} of {all}"), theme.warn()));
    }
    let sort = if files.is_behind() {
        "putting in order".to_owned()
    } else {
        format!("sort: {} {}", files.sort.name(), files.order.sign())
    };
    out.push((sort, theme.dim()));
    out
}
