//! Whether bytes are text: UTF-8 without control characters.
//!
//! Shared by those who guess a dialect and those who read a name. It must never
//! know what the text says.

/// What some bytes are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Text {
    /// Text.
    Whole,
    /// Text, but for a character at the end that is not whole.
    Begun,
    /// No text, whatever follows.
    No,
}

/// Looks at all of `bytes`.
pub(super) fn text(bytes: &[u8]) -> Text {
    let (valid, verdict) = match std::str::from_utf8(bytes) {
        Ok(text) => (text, Text::Whole),
        Err(fault) if fault.error_len().is_some() => return Text::No,
        Err(fault) => {
            let valid = std::str::from_utf8(&bytes[..fault.valid_up_to()]);
            (valid.unwrap_or_default(), Text::Begun)
        }
    };
    if valid.chars().any(char::is_control) {
        return Text::No;
    }
    verdict
}
