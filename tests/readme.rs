//! The README's commands are run: what it promises a newcomer is so.

#![expect(
    clippy::unwrap_used,
    reason = "a test stops at the first thing that is not there"
)]

mod pty;

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use pty::{Scratch, binary, has};

fn readme() -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).unwrap()
}

/// A server without a screen, and the address it listens on.
struct Server {
    child: Child,
    addr: String,
}

impl Server {
    fn start(dir: &Path) -> Self {
        let mut child = Command::new(binary())
            .args(["serve", ".", "--listen", "127.0.0.1:0", "--allow-upload"])
            .current_dir(dir)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap());
        let mut first = String::new();
        lines.read_line(&mut first).unwrap();
        // Read on: a full pipe would only cost lines, but this is how it is used.
        std::thread::spawn(move || lines.lines().count());
        let addr = first.trim().rsplit(' ').next().unwrap().to_owned();
        Self { child, addr }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn spoken(start: &str, tool: &str, addr: &str, dir: &Path) -> Option<Vec<u8>> {
    if !has(tool) {
        return None;
    }
    let text = readme();
    let line = text.lines().find(|line| line.starts_with(start)).unwrap();
    let port = addr.rsplit(':').next().unwrap();
    let out = Command::new("sh")
        .args(["-c", &line.replace("18814", port)])
        .current_dir(dir)
        .output()
        .unwrap();
    Some(out.stdout)
}

#[test]
fn classic_is_spoken_by_hand() {
    let world = Scratch::new("readme-classic");
    world.file("a.txt", b"content of a\n");
    let server = Server::start(&world.0);
    if let Some(out) = spoken("printf '\\111", "nc", &server.addr, &world.0) {
        assert_eq!(String::from_utf8_lossy(&out), "content of a\n");
    }
}

#[test]
fn session_is_spoken_by_hand() {
    let world = Scratch::new("readme-session");
    let server = Server::start(&world.0);
    if let Some(out) = spoken("printf '%-64s", "nc", &server.addr, &world.0) {
        let out = String::from_utf8_lossy(&out).into_owned();
        assert!(
            out.starts_with("Possible Commands:\n put filename"),
            "{out}"
        );
    }
}

#[test]
fn colon_is_spoken_by_hand() {
    let world = Scratch::new("readme-colon");
    world.file("a.txt", b"content of a\n");
    let server = Server::start(&world.0);
    if let Some(out) = spoken("printf 'a.txt:GET'", "nc", &server.addr, &world.0) {
        assert_eq!(String::from_utf8_lossy(&out), "Donecontent of a\n");
    }
}

#[test]
fn drop_is_spoken_by_hand() {
    let world = Scratch::new("readme-drop");
    let server = Server::start(&world.0);
    if spoken("printf 'hello.txt", "nc", &server.addr, &world.0).is_some() {
        let stored = std::fs::read(world.0.join("hello.txt"));
        assert_eq!(stored.ok().as_deref(), Some(b"Hello".as_slice()));
    }
}

#[test]
fn deck_is_spoken_by_hand() {
    let world = Scratch::new("readme-deck");
    world.file("a.txt", b"content of a\n");
    let server = Server::start(&world.0);
    if let Some(out) = spoken("python3 -c", "python3", &server.addr, &world.0) {
        let out = String::from_utf8_lossy(&out).into_owned();
        assert!(
            out.contains("I~\\x11") && out.contains("I~\\x13") && out.contains("ea.txt"),
            "{out}"
        );
    }
}

#[test]
fn the_two_commands_of_a_newcomer_are_there_and_ci_runs_the_same() {
    let text = readme();
    assert!(
        text.lines()
            .any(|line| line == "cargo run --release -- serve .")
    );
    assert!(text.lines().any(|line| line == "cargo test"));
    let ci =
        std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(".ci/run")).unwrap();
    assert!(ci.lines().any(|line| line == "cargo test"));
}

/// Every long option the README names exists, and every picture is there.
#[test]
fn nothing_is_promised_that_is_not_there() {
    let text = readme();
    let mut help = String::new();
    for verb in [
        "serve", "connect", "get", "put", "ls", "mv", "mkdir", "rm", "peers",
    ] {
        let out = Command::new(binary())
            .args([verb, "--help"])
            .output()
            .unwrap();
        help.push_str(&String::from_utf8_lossy(&out.stdout));
    }
    // What cargo and its test programs take is not ours to explain.
    let cargos = [
        "--release",
        "--features",
        "--test",
        "--bench",
        "--open",
        "--path",
        "--nocapture",
        "--help",
    ];
    for word in text.split(|ch: char| !(ch.is_ascii_alphanumeric() || ch == '-')) {
        let option = word
            .strip_prefix("--")
            .is_some_and(|name| name.starts_with(|ch: char| ch.is_ascii_lowercase()));
        if option && !cargos.contains(&word) {
            assert!(
                help.contains(word),
                "{word} is in the README and in no help"
            );
        }
    }
    for picture in text
        .split("](")
        .skip(1)
        .filter_map(|rest| rest.split(')').next())
    {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(picture);
        assert!(path.exists(), "{picture} is missing");
    }
}
