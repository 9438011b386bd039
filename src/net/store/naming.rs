//! Which names may be written: here at all, and so that they survive a move.
//!
//! Told from the name alone. It knows the reserved prefix, the longest component
//! and whether dotfiles are shown; it must never look at the disk, and what is
//! *read* under which name is the store's own affair (`super`).

use super::{Dotfiles, MAX_COMPONENT, RESERVED};

/// Why a name must not be written here, if it must not: one component of at most
/// 255 bytes, no `/`, no control character, not `.`, `..` or reserved, and a leading
/// dot only where dotfiles are shown.
pub fn unwritable(name: &str, dotfiles: Dotfiles) -> Option<&'static str> {
    match name {
        "" => Some("an empty name"),
        "." | ".." => Some("not a file's name"),
        _ if name.len() > MAX_COMPONENT => Some("the name is longer than 255 bytes"),
        _ if name.contains('/') => Some("the name holds a `/`"),
        _ if name.chars().any(char::is_control) => Some("the name holds a control character"),
        _ if name.starts_with(RESERVED) => Some("the name is one of ferrydeck's own"),
        _ if name.starts_with('.') && dotfiles == Dotfiles::Hidden => {
            Some("the name begins with a dot; --hidden allows that")
        }
        _ => None,
    }
}

/// Why a name would not survive a move to another system, if it would not: what
/// peers of the old dialects write must.
pub fn unportable(name: &str) -> Option<&'static str> {
    const DEVICES: [&str; 4] = ["CON", "PRN", "AUX", "NUL"];
    let stem = name.split('.').next().unwrap_or(name).trim_end();
    let upper = stem.to_ascii_uppercase();
    let numbered = |prefix: &str| {
        upper.strip_prefix(prefix).is_some_and(|tail| {
            tail.chars().count() == 1 && tail.chars().all(|ch| "123456789¹²³".contains(ch))
        })
    };
    if name.starts_with('.') {
        Some("the name begins with a dot")
    } else if name.ends_with(['.', ' ']) {
        Some("the name ends in a dot or a blank")
    } else if name.contains(['\\', '/', ':', '*', '?', '"', '<', '>', '|']) {
        Some("the name holds one of \\ / : * ? \" < > |")
    } else if DEVICES.contains(&upper.as_str()) || numbered("COM") || numbered("LPT") {
        Some("the name is a device's on Windows")
    } else {
        None
    }
}
