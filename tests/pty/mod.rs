//! The binary in a real pseudo-terminal, its screen read by vt100.
//!
//! Shared by the tests that look at whole screens. Waits are on conditions
//! with one deadline, never on the clock alone.

#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "each test target uses a part of this; a test stops at the first thing that is not there"
)]

use std::io::{Read, Write};
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use portable_pty::{Child, CommandBuilder, ExitStatus, MasterPty, PtySize, native_pty_system};

/// The longest wait for anything.
pub const DEADLINE: Duration = Duration::from_secs(20);

/// Where the binary under test is.
pub fn binary() -> PathBuf {
    PathBuf::from(env!("CARGO_BIN_EXE_ferrydeck"))
}

/// A program on a terminal of its own.
pub struct Pty {
    parser: Arc<Mutex<vt100::Parser>>,
    raw: Arc<Mutex<Vec<u8>>>,
    writer: Box<dyn Write + Send>,
    master: Box<dyn MasterPty + Send>,
    child: Box<dyn Child + Send + Sync>,
}

impl Pty {
    /// Starts a program with a screen of so many columns and rows.
    pub fn start(program: &Path, args: &[&str], dir: &Path, (cols, rows): (u16, u16)) -> Self {
        Self::start_with(program, args, dir, (cols, rows), &[])
    }

    /// The same, with more in the environment.
    pub fn start_with(
        program: &Path,
        args: &[&str],
        dir: &Path,
        (cols, rows): (u16, u16),
        env: &[(&str, &str)],
    ) -> Self {
        let size = PtySize {
            rows,
            cols,
            pixel_width: 0,
            pixel_height: 0,
        };
        let pair = native_pty_system().openpty(size).unwrap();
        let mut command = CommandBuilder::new(program);
        command.args(args);
        command.cwd(dir);
        command.env("TERM", "xterm-256color");
        command.env("TZ", "UTC");
        command.env("FERRYDECK_STATE_DIR", dir.join("state"));
        for (key, value) in env {
            command.env(key, value);
        }
        let child = pair.slave.spawn_command(command).unwrap();
        drop(pair.slave);
        let parser = Arc::new(Mutex::new(parser(rows, cols)));
        let raw = Arc::new(Mutex::new(Vec::new()));
        let mut reader = pair.master.try_clone_reader().unwrap();
        let (seen, kept) = (Arc::clone(&parser), Arc::clone(&raw));
        thread::spawn(move || {
            let mut buffer = [0; 8192];
            while let Ok(read @ 1..) = reader.read(&mut buffer) {
                seen.lock().unwrap().process(&buffer[..read]);
                kept.lock().unwrap().extend_from_slice(&buffer[..read]);
            }
        });
        let writer = pair.master.take_writer().unwrap();
        Self {
            parser,
            raw,
            writer,
            master: pair.master,
            child,
        }
    }

    /// Types bytes.
    pub fn keys(&mut self, keys: &str) {
        self.writer.write_all(keys.as_bytes()).unwrap();
        self.writer.flush().unwrap();
    }

    /// What the screen shows now, line by line.
    pub fn text(&self) -> String {
        self.parser.lock().unwrap().screen().contents()
    }

    /// Everything the program ever wrote.
    pub fn raw(&self) -> Vec<u8> {
        self.raw.lock().unwrap().clone()
    }

    /// A copy of the screen.
    pub fn screen(&self) -> vt100::Screen {
        self.parser.lock().unwrap().screen().clone()
    }

    /// Whether the program holds the alternate screen.
    pub fn is_full_screen(&self) -> bool {
        self.parser.lock().unwrap().screen().alternate_screen()
    }

    /// Waits until the screen is as wanted.
    pub fn until(&self, what: &str, is: impl Fn(&str) -> bool) {
        let deadline = Instant::now() + DEADLINE;
        while !is(&self.text()) {
            assert!(
                Instant::now() < deadline,
                "waited for {what}; the screen:\n{}",
                self.text()
            );
            thread::sleep(Duration::from_millis(10));
        }
    }

    /// Waits until the screen holds a text.
    pub fn shows(&self, text: &str) {
        self.until(text, |screen| screen.contains(text));
    }

    /// Gives the terminal another size.
    pub fn resize(&self, (cols, rows): (u16, u16)) {
        self.parser
            .lock()
            .unwrap()
            .screen_mut()
            .set_size(cells(rows), cells(cols));
        let size = PtySize {
            rows,
            cols,
            pixel_width: 0,
            pixel_height: 0,
        };
        self.master.resize(size).unwrap();
    }

    /// The program's process id.
    pub fn pid(&self) -> u32 {
        self.child.process_id().unwrap()
    }

    /// Waits for the program's end.
    pub fn end(&mut self) -> ExitStatus {
        let deadline = Instant::now() + DEADLINE;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                // What it wrote last is still on its way through the terminal.
                thread::sleep(Duration::from_millis(100));
                return status;
            }
            assert!(
                Instant::now() < deadline,
                "it does not end; the screen:\n{}",
                self.text()
            );
            thread::sleep(Duration::from_millis(10));
        }
    }

    /// Whether the terminal is back in the mode a shell expects.
    pub fn is_cooked(&self) -> bool {
        self.master
            .get_termios()
            .is_some_and(|termios| termios.local_flags.bits() & ICANON == ICANON)
    }
}

/// Line by line with editing (termios(3), Linux's value): off in raw mode.
const ICANON: u32 = 0o2;

fn parser(rows: u16, cols: u16) -> vt100::Parser {
    vt100::Parser::new(cells(rows), cells(cols), 0)
}

fn cells(count: u16) -> NonZero<u16> {
    NonZero::new(count).unwrap()
}

impl Drop for Pty {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A folder of its own for a test, removed at the end.
pub struct Scratch(pub PathBuf);

impl Scratch {
    /// Makes one.
    pub fn new(name: &str) -> Self {
        let dir = std::env::temp_dir().join(format!("ferrydeck-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&dir);
        std::fs::create_dir_all(&dir).unwrap();
        Self(dir)
    }

    /// A file with content in it; folders on the way are made.
    pub fn file(&self, path: &str, content: &[u8]) -> PathBuf {
        let path = self.0.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, content).unwrap();
        path
    }

    /// An empty folder.
    pub fn dir(&self, path: &str) -> PathBuf {
        let path = self.0.join(path);
        std::fs::create_dir_all(&path).unwrap();
        path
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Whether a tool is there. Missing, it fails the test in CI and is said elsewhere.
pub fn has(tool: &str) -> bool {
    let found = std::process::Command::new("sh")
        .args(["-c", &format!("command -v {tool}")])
        .stdout(std::process::Stdio::null())
        .status()
        .is_ok_and(|status| status.success());
    if !found {
        assert!(
            std::env::var_os("FERRYDECK_REQUIRE_ALL").is_none(),
            "needs {tool}"
        );
        let _ = writeln!(std::io::stderr(), "skipped: needs {tool}");
    }
    found
}

/// A free loopback port; taken again by nobody else within a test's life, as far as luck goes.
pub fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}
