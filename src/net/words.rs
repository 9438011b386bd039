//! Words of the operating system and of TLS, made plain for a person.
//!
//! Text in, text out: it knows no connection and no screen, and must never decide by
//! what the words say.

/// A line inside TLS has ended without a goodbye (RFC 8446, section 6.1): a newcomer need
/// not know what that is called.
pub const CUT: &str =
    "the connection ended early: the server may have stopped, or somebody cut the line";

/// The system's words without its numbers: `(os error 111)` tells a person nothing.
pub fn plainly(words: &str) -> String {
    const NUMBER: &str = " (os error ";
    let mut out = String::with_capacity(words.len());
    let mut rest = words;
    while let Some((before, after)) = rest.split_once(NUMBER) {
        out.push_str(before);
        match after.split_once(')') {
            Some((number, behind)) if number.bytes().all(|byte| byte.is_ascii_digit()) => {
                rest = behind;
            }
            _ => {
                out.push_str(NUMBER);
                rest = after;
            }
        }
    }
    out.push_str(rest);
    out
}
