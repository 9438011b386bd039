//! What lets a newcomer in: a calm line under the header, and a popup with the QR.
//!
//! The code is a secret of the screen: it is drawn here and goes nowhere else.
//! The QR is black on white by its own colours, whatever the theme, with four
//! modules of quiet around it; where it does not fit, words say so.

use qrcode::{Color as Module, EcLevel, QrCode};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::entity::DisplayName;
use crate::event::Invite;
use crate::model::Model;

use super::format;
use super::paint;
use super::popup;
use super::screen::Screen;

/// Modules left free around a QR (ISO/IEC 18004, 9.1).
const QUIET: usize = 4;
/// Columns that the words beside a QR need.
const WORDS: u16 = 36;

/// Draws the line, if anybody may come; gives the area below it.
pub(super) fn strip(buf: &mut Buffer, area: Rect, model: &Model, screen: &Screen) -> Rect {
    let Some(invite) = &model.invite else {
        return area;
    };
    let theme = screen.theme;
    let line = paint::row(area, 0);
    let hint = "i QR ";
    let code = code(invite);
    let fixed = 11 + format::width(&code) + 4 + format::width(hint);
    let url = invite.urls.first().map_or("", |url| url);
    let url = DisplayName::from(url);
    let url = format::cut_name(url.as_str(), line.width.saturating_sub(fixed).min(60));
    let pieces = [
        (" newcomers ".to_owned(), theme.dim()),
        (code, theme.strong()),
        ("  at ".to_owned(), theme.dim()),
        (url, theme.text()),
    ];
    let room = paint::part(line, 0, line.width.saturating_sub(format::width(hint) + 1));
    paint::pieces(buf, room, &pieces);
    paint::put_right(buf, line, hint, theme.dim());
    Rect::new(
        area.x,
        area.y.saturating_add(1),
        area.width,
        area.height.saturating_sub(1),
    )
}

/// The code in groups of four, however it came.
fn code(invite: &Invite) -> String {
    let letters = invite.code.reveal().chars().filter(|ch| *ch != '-');
    let mut out = String::new();
    for (at, letter) in letters.take(64).enumerate() {
        if at > 0 && at % 4 == 0 {
            out.push('-');
        }
        out.push(letter);
    }
    DisplayName::from(out.as_str()).as_str().to_owned()
}

/// Where the QR stands, seen from the words.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Layout {
    Beside,
    Below,
    Without,
}

/// The popup: URLs, code, QR.
pub(super) fn draw(buf: &mut Buffer, area: Rect, model: &Model, screen: &mut Screen) {
    let Some(invite) = &model.invite else {
        let size = (30, 1);
        let inner = popup::open(buf, area, size, "invite", screen);
        let words = "nobody new can come now";
        paint::put(buf, paint::row(inner, 0), words, screen.theme.text());
        return;
    };
    let lines = words(invite, WORDS);
    let tall = words(invite, area.width.saturating_sub(4).clamp(1, 60));
    let room = (area.width.saturating_sub(4), area.height.saturating_sub(2));
    let found = picture(invite, |(width, height)| {
        if width + WORDS + 2 <= room.0 && height <= room.1 {
            Some(Layout::Beside)
        } else if width <= room.0 && height + length(&tall) < room.1 {
            Some(Layout::Below)
        } else {
            None
        }
    });
    let (qr, layout) = match &found {
        Some((qr, layout)) => (Some(qr), *layout),
        None => (None, Layout::Without),
    };
    let (width, height) = qr.map_or((0, 0), Picture::size);
    let (size, shown) = match layout {
        Layout::Beside => ((width + 2 + WORDS, height.max(length(&lines))), &lines),
        Layout::Below => (
            (width.max(widest(&tall)), height + length(&tall) + 1),
            &tall,
        ),
        Layout::Without => ((widest(&tall).max(40), length(&tall) + 2), &tall),
    };
    let inner = popup::open(buf, area, (size.0, usize::from(size.1)), "invite", screen);
    let theme = screen.theme;
    let beside = match layout {
        Layout::Beside => width + 2,
        Layout::Below | Layout::Without => 0,
    };
    say(buf, paint::part(inner, beside, inner.width), shown, screen);
    let top = match layout {
        Layout::Beside => 0,
        Layout::Below | Layout::Without => length(shown) + 1,
    };
    let below = paint::row(inner, top);
    if let Some(qr) = qr {
        let place = Rect::new(inner.x, below.y, width, height);
        qr.draw(buf, place, screen);
    } else {
        let words = "too little room here for the QR";
        paint::put(buf, below, words, theme.dim());
    }
}

fn say(buf: &mut Buffer, place: Rect, lines: &[(String, Look)], screen: &Screen) {
    let theme = screen.theme;
    for (n, (line, look)) in (0u16..).zip(lines) {
        let style = match look {
            Look::Strong => theme.strong(),
            Look::Plain => theme.text(),
            Look::Dim => theme.dim(),
        };
        paint::put(buf, paint::row(place, n), line, style);
    }
}

/// How a line of the popup looks.
#[derive(Clone, Copy)]
enum Look {
    Strong,
    Plain,
    Dim,
}

fn words(invite: &Invite, room: u16) -> Vec<(String, Look)> {
    let mut out = vec![("newcomers type ferrydeck connect".to_owned(), Look::Dim)];
    if invite.urls.len() > 1 {
        out.push(("and one of".to_owned(), Look::Dim));
    }
    for url in &invite.urls {
        let url = DisplayName::from(&**url);
        let lines = paint::wrap(url.as_str(), room);
        out.extend(lines.into_iter().map(|line| (line, Look::Plain)));
    }
    out.push((String::new(), Look::Plain));
    out.push(("and, when asked, the code".to_owned(), Look::Dim));
    out.push((code(invite), Look::Strong));
    out.push((String::new(), Look::Plain));
    let turned = match invite.turns {
        0 => "asked once; then both keys are pinned".to_owned(),
        1 => "a new code since the start: the old one was tried too often".to_owned(),
        turns => format!("the code has changed {turns} times: tried too often"),
    };
    let lines = paint::wrap(&turned, room);
    out.extend(lines.into_iter().map(|line| (line, Look::Dim)));
    out
}

fn length(lines: &[(String, Look)]) -> u16 {
    u16::try_from(lines.len()).unwrap_or(u16::MAX)
}

fn widest(lines: &[(String, Look)]) -> u16 {
    let widths = lines.iter().map(|(line, _)| format::width(line));
    widths.max().unwrap_or(0)
}

/// A QR with its quiet zone.
struct Picture {
    modules: Vec<Module>,
    width: usize,
}

/// The most robust QR of the invite for which `fits` finds a place.
fn picture<T>(invite: &Invite, fits: impl Fn((u16, u16)) -> Option<T>) -> Option<(Picture, T)> {
    [EcLevel::M, EcLevel::L].into_iter().find_map(|level| {
        let code = QrCode::with_error_correction_level(invite.qr.reveal(), level).ok()?;
        let picture = Picture {
            width: code.width(),
            modules: code.into_colors(),
        };
        let place = fits(picture.size())?;
        Some((picture, place))
    })
}

impl Picture {
    /// Columns and lines: a line holds two modules.
    fn size(&self) -> (u16, u16) {
        let modules = self.width + 2 * QUIET;
        let cells = |count: usize| u16::try_from(count).unwrap_or(u16::MAX);
        (cells(modules), cells(modules.div_ceil(2)))
    }

    fn is_light(&self, x: usize, y: usize) -> bool {
        let at = |n: usize| n.checked_sub(QUIET).filter(|n| *n < self.width);
        let (Some(x), Some(y)) = (at(x), at(y)) else {
            return true;
        };
        let module = self.modules.get(y * self.width + x);
        module.is_none_or(|module| *module == Module::Light)
    }

    /// Draws it light in the foreground's colour, dark in the background's.
    fn draw(&self, buf: &mut Buffer, place: Rect, screen: &Screen) {
        let style = screen.theme.paper();
        for row in 0..place.height {
            let y = usize::from(row) * 2;
            let line: String = (0..usize::from(place.width))
                .map(|x| match (self.is_light(x, y), self.is_light(x, y + 1)) {
                    (true, true) => '█',
                    (true, false) => '▀',
                    (false, true) => '▄',
                    (false, false) => ' ',
                })
                .collect();
            paint::put(buf, paint::row(place, row), &line, style);
        }
    }
}
