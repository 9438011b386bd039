//! The small desk of a server that cannot list: what the typed line is for, and what it says.
//!
//! A mode is one thing the dialect offers; only such a mode can be on. The line
//! is read here into words and into what is to be told, for keys and tests
//! alike. Draws nothing, opens nothing: a path stays as it was typed.

use std::path::PathBuf;

use crate::entity::{RemotePath, Rights};
use crate::event::{Command, Link, Offers, Outgoing, Wanted};

/// What the typed line is for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Mode {
    /// A name to fetch.
    #[default]
    Get,
    /// A local file to send.
    Put,
    /// A name and its new name.
    Rename,
}

impl Mode {
    const ALL: [Self; 3] = [Self::Get, Self::Put, Self::Rename];

    /// What stands before the line.
    pub(super) const fn label(self) -> &'static str {
        match self {
            Self::Get => "name to fetch: ",
            Self::Put => "file to send: ",
            Self::Rename => "rename (old new): ",
        }
    }

    /// Whether a dialect has a request for it.
    pub(super) const fn is_offered(self, offers: Offers) -> bool {
        match self {
            Self::Get => offers.gets,
            Self::Put => offers.puts,
            Self::Rename => offers.renames,
        }
    }
}

/// The state of the desk.
#[derive(Clone, Debug, Default)]
pub(super) struct Desk {
    pub mode: Mode,
    /// What the server offered when it was last there.
    pub offers: Offers,
    /// What it said then that we may do; `None` where it said nothing.
    pub rights: Option<Rights>,
    /// How many answers have been shown.
    pub heard: u64,
}

impl Desk {
    /// Follows the link; a mode that is not offered gives way to one that is.
    pub(super) fn refresh(&mut self, link: &Link) {
        if let Link::Ready { offers, rights, .. } = link {
            (self.offers, self.rights) = (*offers, *rights);
        }
        if !self.mode.is_offered(self.offers) {
            let first = Mode::ALL
                .into_iter()
                .find(|mode| mode.is_offered(self.offers));
            self.mode = first.unwrap_or_default();
        }
    }
}

/// What a line asks for, and the words that say so.
#[derive(Clone, Debug)]
pub(super) struct Order {
    pub command: Command,
    pub said: String,
}

/// Reads a line of a mode; an error says what is wrong with it. `None` for an empty line.
pub(super) fn read(mode: Mode, line: &str) -> Option<Result<Order, String>> {
    if mode == Mode::Get {
        // Blanks at its ends are part of a name too.
        return (!line.is_empty()).then(|| Ok(fetch(RemotePath::from(line))));
    }
    let words = match words(line) {
        Ok(words) => words,
        Err(wrong) => return Some(Err(wrong.to_owned())),
    };
    match (mode, &words[..]) {
        (_, []) => None,
        (Mode::Put, [file]) => Some(send(file, None)),
        (Mode::Put, [file, name]) => Some(send(file, Some(name))),
        (Mode::Put, _) => Some(Err(
            "too many words: a FILE, or a FILE and a NAME; blanks go into quotes".to_owned(),
        )),
        (_, [old, new]) if !old.is_empty() && !new.is_empty() => Some(Ok(Order {
            said: format!("asked to rename {old} to {new}"),
            command: Command::Rename {
                from: RemotePath::from(old.as_str()),
                to: RemotePath::from(new.as_str()),
            },
        })),
        _ => Some(Err("two names are needed: the old and the new".to_owned())),
    }
}

/// To fetch a name as it is.
pub(super) fn fetch(path: RemotePath) -> Order {
    Order {
        said: format!("queued {}", path.shown()),
        command: Command::Fetch(vec![Wanted::file(path, None)]),
    }
}

fn send(file: &str, name: Option<&String>) -> Result<Order, String> {
    let local = PathBuf::from(file);
    let last = local.file_name().and_then(std::ffi::OsStr::to_str);
    let Some(name) = name.map_or(last, |name| Some(name)) else {
        return Err(format!("{file} does not end in a file's name"));
    };
    if name.is_empty() || file.ends_with('/') {
        return Err("a file and its name are needed, not a folder".to_owned());
    }
    let path = RemotePath::from(name);
    Ok(Order {
        said: format!("queued ↑ {name}"),
        command: Command::Send(vec![Outgoing { local, path }]),
    })
}

/// Words as a shell would part them: at blanks that are neither in quotes nor behind a `\`.
fn words(line: &str) -> Result<Vec<String>, &'static str> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote: Option<char> = None;
    let mut letters = line.chars();
    while let Some(letter) = letters.next() {
        match (letter, quote) {
            (_, Some(open)) if letter == open => quote = None,
            ('\'' | '"', None) => {
                quote = Some(letter);
                word.get_or_insert_default();
            }
            ('\\', None | Some('"')) => match letters.next() {
                Some(next) => word.get_or_insert_default().push(next),
                None => return Err("there is nothing behind the last \\"),
            },
            (' ', None) => words.extend(word.take()),
            _ => word.get_or_insert_default().push(letter),
        }
    }
    if quote.is_some() {
        return Err("a quote is open; \\' and \\\" are letters of a name");
    }
    words.extend(word);
    Ok(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_parted_as_a_shell_parts_them() {
        let parted = |line| words(line).unwrap_or_default();
        assert_eq!(parted("  a  b "), ["a", "b"]);
        assert_eq!(parted("'my file.txt' x"), ["my file.txt", "x"]);
        assert_eq!(parted("my\\ file.txt \"it's\""), ["my file.txt", "it's"]);
        assert_eq!(parted("'it'\\''s' ''"), ["it's", ""]);
        assert!(parted("   ").is_empty());
        for open in ["'a b", "a\"", "a\\"] {
            assert!(words(open).is_err(), "{open}");
        }
    }

    #[test]
    fn what_cannot_be_meant_is_told() {
        for line in ["dir/", "..", "a b c", "''", "a ''", "'a"] {
            assert!(matches!(read(Mode::Put, line), Some(Err(_))), "{line}");
        }
        for line in ["a", "a b c", "a ''"] {
            assert!(matches!(read(Mode::Rename, line), Some(Err(_))), "{line}");
        }
        for mode in [Mode::Put, Mode::Rename] {
            assert!(read(mode, "  ").is_none());
        }
        assert!(read(Mode::Get, "").is_none());
    }
}
