//! Names and paths: as a peer or a disk gave them, and as they may be shown.
//!
//! The raw ones have no `Display`; [`DisplayName`] is the one way to a screen, a
//! log or a line. It knows bytes and Unicode. It must never know a file, nor
//! whether a path may be opened: that is the store's to say.

use std::fmt::{self, Write as _};

use unicode_properties::{GeneralCategory, UnicodeGeneralCategory};

use super::Kind;

/// A name or path as it may be shown: no control and no format character left in it.
///
/// Every `Cc` and `Cf` character (escape sequences, bidi and zero-width marks
/// among them), the line and paragraph separators, and every byte that is not
/// UTF-8 stand escaped. Only this type reaches the screen, the log and JSON's
/// display fields.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DisplayName(Box<str>);

impl DisplayName {
    /// Cleans whatever a peer or a disk gave.
    pub fn new(raw: &[u8]) -> Self {
        let mut clean = String::with_capacity(raw.len());
        for chunk in raw.utf8_chunks() {
            for ch in chunk.valid().chars() {
                push_clean(&mut clean, ch);
            }
            for byte in chunk.invalid() {
                // Writing to a String cannot fail.
                let _ = write!(clean, "\\x{byte:02x}");
            }
        }
        Self(clean.into_boxed_str())
    }

    /// Whether a character may be shown as it is.
    pub fn is_plain(ch: char) -> bool {
        // Nearly all there is to show; the table takes a search for each.
        if ch.is_ascii() {
            return !ch.is_ascii_control();
        }
        !matches!(
            ch.general_category(),
            GeneralCategory::Control
                | GeneralCategory::Format
                | GeneralCategory::LineSeparator
                | GeneralCategory::ParagraphSeparator
        )
    }

    /// The clean text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for DisplayName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl From<&str> for DisplayName {
    fn from(text: &str) -> Self {
        Self::new(text.as_bytes())
    }
}

fn push_clean(clean: &mut String, ch: char) {
    match ch {
        _ if DisplayName::is_plain(ch) => clean.push(ch),
        '\n' => clean.push_str("\\n"),
        '\r' => clean.push_str("\\r"),
        '\t' => clean.push_str("\\t"),
        '\0'..='\x7f' => {
            let _ = write!(clean, "\\x{:02x}", u32::from(ch));
        }
        _ => {
            let _ = write!(clean, "\\u{{{:x}}}", u32::from(ch));
        }
    }
}

/// A path on the serving side: `/` between components, no leading `/`, empty for the root.
///
/// Bytes, because a peer may send any; it has no `Display`, so it cannot reach
/// a screen by accident. Whether it may be *opened* is the store's to say.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RemotePath(Box<[u8]>);

impl RemotePath {
    /// Takes what a peer sent as it is.
    pub fn new(bytes: impl Into<Vec<u8>>) -> Self {
        Self(bytes.into().into_boxed_slice())
    }

    /// The served folder itself.
    pub fn root() -> Self {
        Self::default()
    }

    /// Whether it names the served folder itself.
    pub fn is_root(&self) -> bool {
        self.0.is_empty()
    }

    /// The bytes as they came.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The path as text, if it is UTF-8.
    pub fn as_str(&self) -> Option<&str> {
        std::str::from_utf8(&self.0).ok()
    }

    /// The form for the screen.
    pub fn shown(&self) -> DisplayName {
        DisplayName::new(&self.0)
    }

    /// The path one component deeper.
    #[must_use]
    pub fn join(&self, name: &str) -> Self {
        let mut bytes = self.0.to_vec();
        if !bytes.is_empty() {
            bytes.push(b'/');
        }
        bytes.extend_from_slice(name.as_bytes());
        Self::new(bytes)
    }

    /// The folder it is in; the root is its own parent.
    #[must_use]
    pub fn parent(&self) -> Self {
        match self.0.iter().rposition(|&b| b == b'/') {
            Some(cut) => Self::new(&self.0[..cut]),
            None => Self::root(),
        }
    }

    /// The last component; empty for the root.
    pub fn file_name(&self) -> &[u8] {
        match self.0.iter().rposition(|&b| b == b'/') {
            Some(cut) => &self.0[cut + 1..],
            None => &self.0,
        }
    }
}

impl From<&str> for RemotePath {
    fn from(text: &str) -> Self {
        Self::new(text.as_bytes())
    }
}

/// One line of a remote folder.
///
/// The name is what the peer sent and has no `Display` of its own here:
/// `shown()` is the way to the screen.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Entry {
    /// The last path component, UTF-8, not yet fit to be shown.
    pub name: Box<str>,
    /// File or folder.
    pub kind: Kind,
    /// Bytes; 0 for a folder.
    pub size: u64,
    /// Seconds since 1970 UTC.
    pub mtime: i64,
}

impl Entry {
    /// The name for the screen.
    pub fn shown(&self) -> DisplayName {
        DisplayName::new(self.name.as_bytes())
    }
}
