//! One secret typed on a terminal, without an echo.
//!
//! Byte by byte, so that ctrl-c is heard here and the terminal gets its echo back whatever
//! happens. It knows stdin and stderr; it must never know what the secret is for, and it is
//! only to be called where stdin is a terminal.

use std::io::{self, Read, Write as _};

use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use zeroize::Zeroizing;

/// Bytes taken at the most.
const MOST: usize = 256;

/// Asks, and reads a line; `None` when it is given up (ctrl-c, ctrl-d on an empty line, or
/// the terminal is gone).
///
/// # Errors
/// The terminal cannot be read or set.
pub fn ask_secret(question: &str) -> io::Result<Option<Zeroizing<String>>> {
    let stdin = io::stdin();
    let silent = Silent::over(&stdin)?;
    write!(io::stderr(), "{question}")?;
    let line = read_line(&mut stdin.lock());
    drop(silent);
    // The Enter was not shown either.
    writeln!(io::stderr())?;
    line
}

fn read_line(input: &mut impl Read) -> io::Result<Option<Zeroizing<String>>> {
    let mut typed = Zeroizing::new(Vec::new());
    let mut byte = [0];
    loop {
        match input.read(&mut byte) {
            Ok(0) => return Ok(None),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        }
        match byte[0] {
            b'\n' | b'\r' => {
                let text = String::from_utf8_lossy(&typed).into_owned();
                return Ok(Some(Zeroizing::new(text)));
            }
            0x03 => return Ok(None),
            0x04 if typed.is_empty() => return Ok(None),
            0x08 | 0x7f => drop(typed.pop()),
            0x15 => typed.clear(),
            other if typed.len() < MOST => typed.push(other),
            _ => {}
        }
    }
}

/// The terminal without echo, until this is dropped.
struct Silent<'t> {
    terminal: &'t io::Stdin,
    before: Termios,
}

impl<'t> Silent<'t> {
    fn over(terminal: &'t io::Stdin) -> io::Result<Self> {
        let before = tcgetattr(terminal)?;
        let mut quiet = before.clone();
        quiet
            .local_modes
            .remove(LocalModes::ECHO | LocalModes::ICANON | LocalModes::ISIG);
        tcsetattr(terminal, OptionalActions::Flush, &quiet)?;
        Ok(Self { terminal, before })
    }
}

impl Drop for Silent<'_> {
    fn drop(&mut self) {
        let _ = tcsetattr(self.terminal, OptionalActions::Drain, &self.before);
    }
}

#[cfg(test)]
#[expect(
    clippy::unwrap_used,
    reason = "a test that cannot set its scene has failed"
)]
mod tests {
    use super::*;

    fn typed(keys: &[u8]) -> Option<String> {
        let line = read_line(&mut &*keys).unwrap();
        line.map(|line| line.to_string())
    }

    #[test]
    fn a_line_is_read_as_it_was_meant() {
        assert_eq!(typed(b"abc\nrest"), Some("abc".to_owned()));
        assert_eq!(typed(b"abx\x7fc\r"), Some("abc".to_owned()));
        assert_eq!(typed(b"wrong\x15abc\n"), Some("abc".to_owned()));
        assert_eq!(typed(b"\n"), Some(String::new()));
        assert_eq!(typed(b"ab\x03c\n"), None);
        assert_eq!(typed(b"\x04"), None);
        assert_eq!(typed(b"cut"), None);
        assert_eq!(typed(&[b'x'; 5_000]), None);
    }
}
