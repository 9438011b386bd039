//! What the words look like: every style of both screens, named by meaning.
//!
//! Named ANSI colours only, so sixteen-colour terminals and light backgrounds
//! work; and none at all where `NO_COLOR` asks for that. Whether it does is the
//! app's to find out: this room reads no environment. No colour here carries
//! meaning on its own; each stands beside a word or a sign.

use ratatui::style::{Color, Modifier, Style};

use crate::entity::Direction;
use crate::line::Weight;

/// Which colours a terminal gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Colours {
    /// The sixteen named ones.
    Sixteen,
    /// None: bold, dim and reverse only.
    None,
}

/// The styles of the screens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Theme {
    colours: Colours,
}

#[expect(
    clippy::unused_self,
    reason = "a style without a colour is still the theme's to say"
)]
impl Theme {
    /// The theme for such a terminal.
    pub const fn new(colours: Colours) -> Self {
        Self { colours }
    }

    /// In the sixteen named colours.
    pub const fn ansi() -> Self {
        Self::new(Colours::Sixteen)
    }

    /// Without any colour, for `NO_COLOR`.
    pub const fn plain() -> Self {
        Self::new(Colours::None)
    }

    const fn ink(self, colour: Color) -> Style {
        match self.colours {
            Colours::Sixteen => Style::new().fg(colour),
            Colours::None => Style::new(),
        }
    }

    const fn tagged(self, colour: Color) -> Style {
        match self.colours {
            Colours::Sixteen => Style::new()
                .fg(Color::Black)
                .bg(colour)
                .add_modifier(Modifier::BOLD),
            Colours::None => Style::new().add_modifier(Modifier::REVERSED),
        }
    }

    pub(super) const fn text(self) -> Style {
        Style::new()
    }

    pub(super) const fn strong(self) -> Style {
        Style::new().add_modifier(Modifier::BOLD)
    }

    pub(super) const fn dim(self) -> Style {
        Style::new().add_modifier(Modifier::DIM)
    }

    pub(super) const fn brand(self) -> Style {
        self.ink(Color::Cyan).add_modifier(Modifier::BOLD)
    }

    pub(super) const fn border(self) -> Style {
        self.dim()
    }

    pub(super) const fn border_focused(self) -> Style {
        self.ink(Color::Cyan)
    }

    pub(super) const fn heading(self) -> Style {
        self.dim()
    }

    pub(super) const fn heading_sorted(self) -> Style {
        self.ink(Color::Cyan).add_modifier(Modifier::BOLD)
    }

    pub(super) const fn key(self) -> Style {
        self.ink(Color::Cyan).add_modifier(Modifier::BOLD)
    }

    /// The row under the cursor of the pane that has the keys.
    pub(super) const fn selected(self) -> Style {
        match self.colours {
            Colours::Sixteen => Style::new()
                .fg(Color::White)
                .bg(Color::Blue)
                .add_modifier(Modifier::BOLD),
            Colours::None => Style::new().add_modifier(Modifier::REVERSED),
        }
    }

    /// The row under the cursor of a pane that has not.
    pub(super) const fn remembered(self) -> Style {
        self.strong()
    }

    pub(super) const fn folder(self) -> Style {
        self.ink(Color::Blue).add_modifier(Modifier::BOLD)
    }

    pub(super) const fn mark(self) -> Style {
        self.ink(Color::Yellow).add_modifier(Modifier::BOLD)
    }

    pub(super) const fn flow(self, direction: Direction) -> Style {
        match direction {
            Direction::Out => self.ink(Color::Cyan),
            Direction::In => self.ink(Color::Magenta),
        }
    }

    pub(super) const fn good(self) -> Style {
        self.ink(Color::Green)
    }

    pub(super) const fn warn(self) -> Style {
        self.ink(Color::Yellow)
    }

    pub(super) const fn bad(self) -> Style {
        self.ink(Color::Red)
    }

    pub(super) const fn weight(self, weight: Weight) -> Style {
        match weight {
            Weight::Plain => self.text(),
            Weight::Good => self.good(),
            Weight::Warn => self.warn(),
            Weight::Bad => self.bad(),
        }
    }

    /// Paper and ink of a QR, the paper in the foreground: phones read dark on light alone.
    pub(super) const fn paper(self) -> Style {
        match self.colours {
            Colours::Sixteen => Style::new().fg(Color::White).bg(Color::Black),
            Colours::None => Style::new(),
        }
    }

    /// A badge that tells how things are: `READ-ONLY`.
    pub(super) const fn badge(self) -> Style {
        match self.colours {
            Colours::Sixteen => self.ink(Color::Cyan),
            Colours::None => self.strong(),
        }
    }

    /// A badge that wants to be seen: `FROZEN`.
    pub(super) const fn badge_warn(self) -> Style {
        self.tagged(Color::Yellow)
    }

    /// A badge for what is wrong: `LOST 12 EVENTS`.
    pub(super) const fn badge_bad(self) -> Style {
        self.tagged(Color::Red)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plain_theme_has_no_colour() {
        let theme = Theme::plain();
        let styles = [
            theme.text(),
            theme.brand(),
            theme.selected(),
            theme.badge(),
            theme.badge_warn(),
            theme.badge_bad(),
            theme.flow(Direction::Out),
            theme.weight(Weight::Bad),
            theme.folder(),
            theme.mark(),
        ];
        for style in styles {
            assert_eq!((style.fg, style.bg), (None, None), "{style:?}");
        }
    }
}
