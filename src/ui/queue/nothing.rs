//! The queue while it is empty: what fills it, and what an earlier run left.
//!
//! Offers only what the server lets us do. Reads the model, writes two lines; knows
//! no item and asks nothing.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::model::Model;

use super::super::desk::Mode;
use super::super::format;
use super::super::paint;
use super::super::screen::Screen;

/// Draws what to do where nothing is queued, and what waits from last time.
pub(super) fn draw(buf: &mut Buffer, inner: Rect, model: &Model, screen: &Screen) {
    let theme = screen.theme;
    let how = match (screen.asks_for_names(model), screen.desk.mode) {
        (true, Mode::Put) => "type the path of a file and press Enter",
        (true, Mode::Get) => "type a name and press Enter",
        (true, Mode::Rename) => "type a name and its new name, and press Enter",
        (false, _) if screen.takes_uploads(model) => {
            "d downloads what is chosen there, u sends what is chosen here"
        }
        (false, _) => "d downloads what is chosen there",
    };
    let left = model.remote.saved.filter(|_| screen.saved_waits(model));
    let first = left.map_or_else(
        || "nothing is queued".to_owned(),
        |told| {
            let items = format::plural(told.saved.items, "unfinished transfer");
            format!("{items} from last time: a answers")
        },
    );
    let lines = [(first.as_str(), theme.text()), (how, theme.dim())];
    paint::message(buf, inner, &lines);
}
