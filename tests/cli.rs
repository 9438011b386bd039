//! The binary, from outside: words, exit codes, signals, lines and files.
//!
//! Ports are the kernel's choice, waits are on conditions. What a machine may
//! lack (setpriv, python3) is skipped with a word, unless
//! `FERRYDECK_REQUIRE_ALL=1` makes its lack a failure.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "a test that cannot set its scene has failed"
)]

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::time::{Duration, Instant};

use assert_fs::TempDir;
use rustix::process::{Pid, Signal, geteuid, kill_process};
use serde_json::Value;

const BIN: &str = env!("CARGO_BIN_EXE_ferrydeck");
const DEADLINE: Duration = Duration::from_secs(20);

/// Says why a test does nothing here; a failure where everything is required.
fn skip(lack: &str) {
    let required = std::env::var("FERRYDECK_REQUIRE_ALL").is_ok_and(|all| all == "1");
    assert!(!required, "needs {lack}");
    eprintln!("skipped: needs {lack}");
}

fn has(program: &str) -> bool {
    let found = Command::new(program)
        .arg("--version")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    found.is_ok_and(|status| status.success())
}

fn ferrydeck(state: &Path) -> Command {
    let mut command = Command::new(BIN);
    command
        .env("FERRYDECK_STATE_DIR", state)
        .current_dir(state)
        .stdin(Stdio::null());
    command
}

/// Runs to the end: exit code, stdout, stderr.
fn run(dir: &Path, args: &[&str]) -> (Option<i32>, String, String) {
    said(&ferrydeck(dir).args(args).output().unwrap())
}

fn said(output: &Output) -> (Option<i32>, String, String) {
    (
        output.status.code(),
        String::from_utf8(output.stdout.clone()).unwrap(),
        String::from_utf8(output.stderr.clone()).unwrap(),
    )
}

/// A folder with a few files, everybody may look into.
fn folder() -> TempDir {
    let dir = TempDir::new().unwrap();
    std::fs::set_permissions(dir.path(), PermissionsExt::from_mode(0o755)).unwrap();
    std::fs::create_dir(dir.path().join("sub")).unwrap();
    std::fs::write(dir.path().join("a.txt"), "hi\n").unwrap();
    std::fs::write(dir.path().join("sub/b c.txt"), "nested").unwrap();
    std::fs::write(dir.path().join("empty"), "").unwrap();
    dir
}

/// A headless server, killed when dropped.
struct Server {
    child: Child,
    addr: SocketAddr,
    lines: Receiver<Value>,
    seen: Vec<Value>,
}

impl Server {
    fn start(dir: &Path) -> Self {
        Self::with(dir, &["--listen", "auto@127.0.0.1:0"])
    }

    fn with(dir: &Path, more: &[&str]) -> Self {
        let mut command = Command::new(BIN);
        Self::spawn(command.arg("serve").arg(dir).args(more))
    }

    fn spawn(command: &mut Command) -> Self {
        let mut child = command
            .args(["--headless", "--format", "json"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .unwrap();
        let out = BufReader::new(child.stdout.take().unwrap());
        let (tell, lines) = mpsc::channel();
        std::thread::spawn(move || {
            for line in out.lines() {
                let line = line.unwrap();
                // Every line is one object.
                let value: Value = serde_json::from_str(&line).unwrap();
                assert!(value.is_object(), "{line}");
                if tell.send(value).is_err() {
                    break;
                }
            }
        });
        let first = lines.recv_timeout(DEADLINE).unwrap();
        assert_eq!(first["event"], "listening", "{first}");
        let addr = first["addr"].as_str().unwrap().parse().unwrap();
        let server = Self {
            child,
            addr,
            lines,
            seen: vec![first],
        };
        server.catches_signals();
        server
    }

    /// Waits until the handlers of SIGINT and SIGTERM are there.
    fn catches_signals(&self) {
        let wanted = 1 << 1 | 1 << 14;
        let status = format!("/proc/{}/status", self.child.id());
        if !Path::new(&status).exists() {
            return;
        }
        wait_for("signal handlers", || {
            let status = std::fs::read_to_string(&status).unwrap();
            let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:"));
            let caught = u64::from_str_radix(caught.unwrap().trim(), 16).unwrap();
            caught & wanted == wanted
        });
    }

    fn url(&self, dialect: &str, path: &str) -> String {
        format!("{dialect}://{}/{path}", self.addr)
    }

    /// Waits for an event by its word; all on the way are kept.
    fn until(&mut self, event: &str) -> Value {
        loop {
            let value = self.lines.recv_timeout(DEADLINE);
            let value = value.unwrap_or_else(|_| panic!("no {event} after {:#?}", self.seen));
            self.seen.push(value.clone());
            if value["event"] == event {
                return value;
            }
        }
    }

    fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(i32::try_from(self.child.id()).unwrap()).unwrap();
        kill_process(pid, signal).unwrap();
    }

    fn exit_code(&mut self) -> Option<i32> {
        let mut status = None;
        wait_for("the server's end", || {
            status = self.child.try_wait().unwrap();
            status.is_some()
        });
        status.unwrap().code()
    }

    /// Everything told, to the end of the lines.
    fn rest(&mut self) -> Vec<Value> {
        while let Ok(value) = self.lines.recv_timeout(DEADLINE) {
            self.seen.push(value);
        }
        std::mem::take(&mut self.seen)
    }

    fn get_raw(&self, bytes: &[u8]) -> Vec<u8> {
        let mut peer = TcpStream::connect(self.addr).unwrap();
        peer.set_read_timeout(Some(DEADLINE)).unwrap();
        peer.write_all(bytes).unwrap();
        let mut heard = Vec::new();
        peer.read_to_end(&mut heard).unwrap();
        heard
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn wait_for(what: &str, mut there: impl FnMut() -> bool) {
    let began = Instant::now();
    while !there() {
        assert!(began.elapsed() < DEADLINE, "waited for {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

const A_TXT: &[u8] = b"\x49\x7E\x01\x00\x05a.txt";
const A_TXT_WHOLE: &[u8] = b"\x49\x7E\x02\x01\x00\x00\x00\x03hi\n";

#[test]
fn what_must_not_start_says_why_in_one_line() {
    let dir = folder();
    let cases: [(&[&str], i32, &[&str]); 21] = [
        (&["serve", "missing"], 1, &["missing"]),
        (&["serve", "a.txt"], 1, &["a.txt"]),
        (
            &["serve", "--listen", "deck@192.168.1.5:1"],
            2,
            &[
                "127.0.0.1:1",
                "classic@192.168.1.5:1",
                "deck+tls@192.168.1.5:1",
            ],
        ),
        (
            &["serve", "--listen", "deck@[::]:0"],
            2,
            &["deck+tls@[::]:0", "classic@[::]:0"],
        ),
        (&["get", "h:1/x#0123-4567-89AB-CDEF"], 2, &["--code-file"]),
        (
            &["serve", "--listen", "classic@127.0.0.1:80"],
            1,
            &["80", "1024..=64000", "--any-port"],
        ),
        (
            &["serve", "--listen", "classic@127.0.0.1:64001"],
            1,
            &["64001", "--any-port"],
        ),
        (&["get", "classic://127.0.0.1:80/x"], 1, &["--any-port"]),
        (&["get", "127.0.0.1", "80", "x"], 1, &["1024..=64000"]),
        (&["get", "127.0.0.1", "64001", "x"], 1, &["1024..=64000"]),
        (&["get", "127.0.0.1", "70000", "x"], 1, &["1024..=64000"]),
        (&["get", "127.0.0.1", "5000"], 2, &["three words"]),
        (&["get", "127.0.0.1", "5000", "x", "y"], 2, &["three words"]),
        (&["get", "127.0.0.1", "5000", ""], 2, &["NAME"]),
        (&["get", "deck://127.0.0.1:1"], 2, &["names no file"]),
        (&["get", "deck+tls://h"], 2, &["names no file"]),
        (&["get", "ftp://h/x"], 2, &["ftp"]),
        (&["ls", "classic://127.0.0.1:2000"], 1, &["list"]),
        (&["ls", "deck://h:0/"], 2, &["port"]),
        (&["connect", "deck://127.0.0.1:1"], 2, &["terminal"]),
        (
            &["get", "-o", "missing", "deck://127.0.0.1:1/x"],
            1,
            &["missing"],
        ),
    ];
    for (args, code, words) in cases {
        let (exit, out, err) = run(dir.path(), args);
        assert_eq!(exit, Some(code), "{args:?}: {err}");
        assert_eq!(out, "", "{args:?}");
        assert_eq!(err.lines().count(), 1, "{args:?}: {err}");
        assert!(err.starts_with("ferrydeck: "), "{args:?}: {err}");
        for word in words {
            assert!(err.contains(word), "{args:?}: {word:?} in {err}");
        }
    }
}

#[test]
fn wrong_usage_is_exit_2_and_never_touches_stdout() {
    let dir = folder();
    let cases: [(&[&str], &str); 10] = [
        (&[], "Usage"),
        (&["fly"], "fly"),
        (&["serve", "--frobnicate"], "--frobnicate"),
        (&["serve", "--listen", "nowhere"], "nowhere"),
        (&["serve", "--listen", "gopher@127.0.0.1:0"], "gopher"),
        (&["serve", "--stall-timeout", "0s"], "0"),
        (&["serve", "--max-connections", "0"], "0"),
        (&["get"], "URL"),
        (&["get", "--on-clash", "maybe", "deck://h/x"], "maybe"),
        (&["get", "--min-free", "lots", "deck://h/x"], "lots"),
    ];
    for (args, word) in cases {
        let (exit, out, err) = run(dir.path(), args);
        assert_eq!((exit, out.as_str()), (Some(2), ""), "{args:?}: {err}");
        assert!(err.contains(word), "{args:?}: {word:?} in {err}");
        let lines = err.lines().count();
        assert!(
            lines == 1 || args.is_empty(),
            "{args:?}: one clear line: {err}"
        );
    }
    for args in [&["--help"][..], &["--version"], &["serve", "--help"]] {
        let (exit, out, err) = run(dir.path(), args);
        assert_eq!((exit, err.as_str()), (Some(0), ""), "{args:?}");
        assert!(!out.is_empty());
    }
}

#[test]
fn a_hostile_word_reaches_stderr_escaped() {
    let dir = folder();
    let (_, _, err) = run(dir.path(), &["serve", "mis\x1b[2Jsing\nline"]);
    assert_eq!(err.lines().count(), 1, "{err}");
    assert!(!err.contains('\x1b') && err.contains("\\x1b[2J"), "{err}");
}

#[test]
fn a_busy_port_is_one_line_and_exit_1() {
    let dir = folder();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = taken.local_addr().unwrap().to_string();
    let (exit, out, err) = run(dir.path(), &["serve", "--headless", "--listen", &addr]);
    assert_eq!((exit, out.as_str()), (Some(1), ""));
    assert_eq!(err.lines().count(), 1, "{err}");
    assert!(err.contains(&addr) && err.contains("in use"), "{err}");
}

#[test]
fn an_unreachable_server_is_one_line_and_exit_1() {
    let dir = folder();
    let free = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = free.local_addr().unwrap();
    drop(free);
    let port = addr.port().to_string();
    let deck = format!("deck://{addr}/x");
    let classic = format!("classic://{addr}/x");
    for args in [
        &["get", deck.as_str()][..],
        &["get", &classic],
        &["ls", &deck],
        &["get", "127.0.0.1", &port, "x"],
        &["get", "deck://no-such-host.invalid/x"],
    ] {
        let (exit, out, err) = run(dir.path(), args);
        assert_eq!((exit, out.as_str()), (Some(1), ""), "{args:?}: {err}");
        assert_eq!(err.lines().count(), 1, "{args:?}: {err}");
    }
    assert!(!dir.path().join("x").exists());
}

#[test]
fn any_port_opens_the_others_to_classic() {
    let dir = folder();
    let port = (64_001..65_535)
        .find(|&port| TcpListener::bind(("127.0.0.1", port)).is_ok())
        .unwrap();
    let listen = format!("classic@127.0.0.1:{port}");
    let server = Server::with(dir.path(), &["--any-port", "--listen", &listen]);
    assert_eq!(server.seen[0]["dialect"], "classic");
    assert_eq!(server.addr.port(), port);
    let to = TempDir::new().unwrap();
    let url = server.url("classic", "a.txt");
    assert_eq!(run(to.path(), &["get", &url]).0, Some(1));
    assert_eq!(run(to.path(), &["get", "--any-port", &url]).0, Some(0));
    assert_eq!(std::fs::read(to.path().join("a.txt")).unwrap(), b"hi\n");
}

#[test]
fn every_listener_is_told_with_its_address() {
    let dir = folder();
    let mut server = Server::with(
        dir.path(),
        &[
            "--listen",
            "classic@127.0.0.1:0",
            "--listen",
            "deck@127.0.0.1:0",
            "--listen",
            "localhost:0",
        ],
    );
    let (deck, auto) = (server.until("listening"), server.until("listening"));
    let told = [&server.seen[0], &deck, &auto].map(|line| line["dialect"].as_str().unwrap());
    assert_eq!(told, ["classic", "deck", "auto"]);
    assert_eq!(server.get_raw(A_TXT), A_TXT_WHOLE);
    let deck: SocketAddr = deck["addr"].as_str().unwrap().parse().unwrap();
    let (exit, out, _) = run(dir.path(), &["ls", &format!("{deck}")]);
    assert_eq!(exit, Some(0));
    assert_eq!(out.lines().count(), 3, "{out}");
}

#[test]
fn json_lines_have_the_fields_and_come_in_pairs() {
    let dir = folder();
    let mut server = Server::start(dir.path());
    assert_eq!(server.get_raw(A_TXT), A_TXT_WHOLE);
    server.until("closed");
    assert_eq!(
        server.get_raw(b"\x49\x7E\x01\x00\x04none"),
        b"\x49\x7E\x02\x00\0\0\0\0"
    );
    server.until("closed");
    assert_eq!(server.get_raw(b"\x49\x7E\x07"), b"");
    server.until("closed");
    assert_eq!(server.get_raw(b"GET / HTTP/1.0\r\n\r\n"), b"");
    server.until("closed");
    // Half a request: classic's second is over.
    assert_eq!(server.get_raw(&A_TXT[..7]), b"");
    server.until("closed");
    assert_eq!(server.get_raw(b"\x49\x7E\x01\x00\x03\xff\x1b["), {
        b"\x49\x7E\x02\x00\0\0\0\0"
    });
    server.until("closed");
    server.signal(Signal::TERM);
    assert_eq!(server.exit_code(), Some(0));
    let told = server.rest();
    for line in &told {
        let ts = line["ts"].as_str().unwrap();
        assert_eq!(ts.len(), "2026-11-20T09:12:46.123Z".len(), "{ts}");
        assert!(ts.ends_with('Z') && ts.as_bytes()[19] == b'.', "{ts}");
        assert!(line["event"].is_string());
        for (field, value) in line.as_object().unwrap() {
            let known = [
                "ts",
                "event",
                "conn",
                "xfer",
                "peer",
                "dialect",
                "addr",
                "phase",
                "direction",
                "path",
                "path_raw",
                "bytes",
                "size",
                "seconds",
                "rate",
                "cause",
                "detail",
                "outcome",
            ];
            assert!(known.contains(&field.as_str()), "{field}: {value}");
        }
    }
    let of =
        |conn: u64| -> Vec<&Value> { told.iter().filter(|line| line["conn"] == conn).collect() };
    let words = |conn| -> Vec<&str> {
        of(conn)
            .into_iter()
            .map(|line| line["event"].as_str().unwrap())
            .collect()
    };
    let got = "accepted request transfer_started transfer_ended closed";
    assert_eq!(words(1).join(" "), got);
    let ended = of(1)[3];
    assert_eq!(ended["outcome"], "complete_length");
    assert_eq!((&ended["bytes"], &ended["size"]), (&3.into(), &3.into()));
    assert_eq!(
        (&ended["path"], &ended["direction"]),
        (&"a.txt".into(), &"out".into())
    );
    assert_eq!(ended["xfer"], of(1)[2]["xfer"]);
    assert!(ended["seconds"].is_number());
    let accepted = of(1)[0];
    assert_eq!(accepted["addr"], server.addr.to_string());
    let peer: SocketAddr = accepted["peer"].as_str().unwrap().parse().unwrap();
    assert!(peer.ip().is_loopback());
    assert_eq!(words(2).join(" "), "accepted request refused closed");
    assert_eq!(words(3).join(" "), "accepted malformed closed");
    assert_eq!(of(3)[1]["cause"], "type");
    assert_eq!(words(4).join(" "), "accepted refused closed");
    assert_eq!(words(5).join(" "), "accepted timeout closed");
    let timeout = of(5)[1];
    assert_eq!(timeout["cause"], "request_timeout");
    assert_eq!(timeout["phase"], "request");
    assert_eq!(
        (&timeout["bytes"], &timeout["size"]),
        (&7.into(), &10.into())
    );
    // A name that is no text: shown escaped, and whole in base64.
    let refused = of(6)[2];
    assert_eq!(refused["path"], "\\xff\\x1b[");
    assert_eq!(refused["path_raw"], "/xtb");
    assert_eq!(refused["cause"], "not_utf8");
    assert!(told.iter().any(|line| line["event"] == "shutdown"));
}

#[test]
fn sigint_and_sigterm_leave_with_0_and_sighup_means_nothing() {
    for signal in [Signal::INT, Signal::TERM] {
        let dir = folder();
        let mut server = Server::start(dir.path());
        server.signal(Signal::HUP);
        assert_eq!(server.get_raw(A_TXT), A_TXT_WHOLE);
        server.until("closed");
        server.signal(signal);
        assert_eq!(server.exit_code(), Some(0), "{signal:?}");
        assert!(server.rest().iter().any(|line| line["event"] == "shutdown"));
        assert!(TcpStream::connect(server.addr).is_err());
    }
}

/// Asks for more than any buffer takes, and reads none of it.
fn hold(server: &mut Server, dir: &Path) -> TcpStream {
    let file = std::fs::File::create(dir.join("big")).unwrap();
    file.set_len(1 << 30).unwrap();
    let mut peer = TcpStream::connect(server.addr).unwrap();
    peer.write_all(b"\x49\x7E\x01\x00\x03big").unwrap();
    server.until("transfer_started");
    peer
}

#[test]
fn the_grace_ends_a_transfer_and_the_server_still_leaves_with_0() {
    let dir = folder();
    let listen = ["--grace", "300ms", "--listen", "auto@127.0.0.1:0"];
    let mut server = Server::with(dir.path(), &listen);
    let _peer = hold(&mut server, dir.path());
    server.signal(Signal::TERM);
    assert_eq!(server.exit_code(), Some(0));
    let told = server.rest();
    let ended = told.iter().find(|line| line["event"] == "transfer_ended");
    let ended = ended.unwrap();
    assert_eq!(
        (&ended["outcome"], &ended["cause"]),
        (&"cancelled".into(), &"shutdown".into())
    );
    assert_eq!(told.last().unwrap()["event"], "closed");
}

#[test]
fn a_second_interrupt_is_130_now() {
    let dir = folder();
    let listen = ["--grace", "10m", "--listen", "auto@127.0.0.1:0"];
    let mut server = Server::with(dir.path(), &listen);
    let _peer = hold(&mut server, dir.path());
    server.signal(Signal::INT);
    server.until("shutdown");
    assert!(server.child.try_wait().unwrap().is_none(), "it has grace");
    server.signal(Signal::INT);
    assert_eq!(server.exit_code(), Some(130));
}

#[test]
fn a_closed_stdout_does_not_stop_the_server() {
    let dir = folder();
    let mut child = Command::new(BIN)
        .arg("serve")
        .arg(dir.path())
        .args(["--headless", "--format", "json", "--listen", "127.0.0.1:0"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    out.read_line(&mut line).unwrap();
    drop(out);
    let first: Value = serde_json::from_str(&line).unwrap();
    let (_, lines) = mpsc::channel();
    let mut server = Server {
        child,
        addr: first["addr"].as_str().unwrap().parse().unwrap(),
        lines,
        seen: Vec::new(),
    };
    server.catches_signals();
    for _ in 0..20 {
        assert_eq!(server.get_raw(A_TXT), A_TXT_WHOLE);
    }
    server.signal(Signal::TERM);
    assert_eq!(server.exit_code(), Some(0));
}

#[test]
fn text_lines_are_for_a_person() {
    let dir = folder();
    let mut child = Command::new(BIN)
        .args(["serve", "--listen", "127.0.0.1:0"])
        .current_dir(dir.path())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    // No terminal: lines by themselves.
    let mut line = String::new();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    out.read_line(&mut line).unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(
        line.contains(" listening ") && line.contains("auto on 127.0.0.1:"),
        "{line}"
    );
}

#[test]
fn get_fetches_in_every_form() {
    let dir = folder();
    let server = Server::start(dir.path());
    let port = server.addr.port().to_string();
    let to = TempDir::new().unwrap();
    let out_dir = TempDir::new().unwrap();
    let into = out_dir.path().to_str().unwrap();
    let deck = server.url("deck", "a.txt");
    let (exit, out, err) = run(to.path(), &["get", &deck]);
    assert_eq!((exit, err.as_str()), (Some(0), ""));
    assert_eq!(out.lines().count(), 1);
    assert!(
        out.contains("a.txt") && out.contains("complete (hash)"),
        "{out}"
    );
    let nested = server.url("classic", "sub/b%20c.txt");
    assert_eq!(run(to.path(), &["get", "-o", into, &nested]).0, Some(0));
    let bare = format!("{}/empty", server.addr);
    assert_eq!(run(to.path(), &["get", &bare]).0, Some(0));
    let three = ["get", "-o", into, "127.0.0.1", &port, "a.txt"];
    assert_eq!(run(to.path(), &three).0, Some(0));
    assert_eq!(std::fs::read(to.path().join("a.txt")).unwrap(), b"hi\n");
    assert_eq!(std::fs::read(to.path().join("empty")).unwrap(), b"");
    assert_eq!(
        std::fs::read(out_dir.path().join("a.txt")).unwrap(),
        b"hi\n"
    );
    assert_eq!(
        std::fs::read(out_dir.path().join("b c.txt")).unwrap(),
        b"nested"
    );
    // classic's own form fails on a taken name, whatever else is said.
    std::fs::write(out_dir.path().join("a.txt"), "mine").unwrap();
    let three = [
        "get",
        "--on-clash",
        "overwrite",
        "-o",
        into,
        "127.0.0.1",
        &port,
        "a.txt",
    ];
    let (exit, _, err) = run(to.path(), &three);
    assert_eq!((exit, err.lines().count()), (Some(1), 1), "{err}");
    assert_eq!(
        std::fs::read(out_dir.path().join("a.txt")).unwrap(),
        b"mine"
    );
}

#[test]
fn each_failure_is_one_line_and_stops_no_other() {
    let dir = folder();
    let server = Server::start(dir.path());
    let to = TempDir::new().unwrap();
    let urls = [
        server.url("deck", "none"),
        server.url("deck", "a.txt"),
        server.url("classic", "..%2Fnone"),
        server.url("classic", "empty"),
        "deck://127.0.0.1:1/x".to_owned(),
    ];
    let args: Vec<&str> = ["get"]
        .into_iter()
        .chain(urls.iter().map(String::as_str))
        .collect();
    let (exit, out, err) = run(to.path(), &args);
    assert_eq!(exit, Some(1));
    assert_eq!(out.lines().count(), 2, "{out}");
    assert_eq!(err.lines().count(), 3, "{err}");
    assert!(to.path().join("a.txt").exists() && to.path().join("empty").exists());
    // With --json stdout holds every end, failures too.
    let to = TempDir::new().unwrap();
    let args: Vec<&str> = ["get", "--json"]
        .into_iter()
        .chain(urls.iter().map(String::as_str))
        .collect();
    let (exit, out, _) = run(to.path(), &args);
    assert_eq!(exit, Some(1));
    let lines: Vec<Value> = out
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let ends = |outcome: &str| {
        lines
            .iter()
            .filter(|line| line["event"] == "transfer_ended" && line["outcome"] == outcome)
            .count()
    };
    let well = ends("complete_length") + ends("complete_hash");
    assert_eq!((well, ends("failed")), (2, 3), "{out}");
    let starts = lines
        .iter()
        .filter(|line| line["event"] == "transfer_started");
    assert_eq!(starts.count(), 2);
    for line in &lines {
        assert_eq!(line["direction"], "in");
        assert!(
            line["path"].is_string() && line.get("size").is_some(),
            "{line}"
        );
    }
}

#[test]
fn a_taken_name_is_treated_as_told() {
    let dir = folder();
    let server = Server::start(dir.path());
    let url = server.url("deck", "a.txt");
    for (how, code, content, other) in [
        (None, 1, "mine", None),
        (Some("fail"), 1, "mine", None),
        (Some("ask"), 1, "mine", None),
        (Some("skip"), 0, "mine", None),
        (Some("rename"), 0, "mine", Some("a (1).txt")),
        (Some("overwrite"), 0, "hi\n", None),
    ] {
        let to = TempDir::new().unwrap();
        std::fs::write(to.path().join("a.txt"), "mine").unwrap();
        let clash = how.map(|how| format!("--on-clash={how}"));
        let args: Vec<&str> = ["get", url.as_str()]
            .into_iter()
            .chain(clash.as_deref())
            .collect();
        let (exit, _, err) = run(to.path(), &args);
        assert_eq!(exit, Some(code), "{how:?}: {err}");
        assert_eq!(
            err.lines().count(),
            usize::from(code == 1),
            "{how:?}: {err}"
        );
        let found = std::fs::read_to_string(to.path().join("a.txt")).unwrap();
        assert_eq!(found, content, "{how:?}");
        let names = std::fs::read_dir(to.path()).unwrap().count();
        assert_eq!(names, 1 + usize::from(other.is_some()), "{how:?}");
        if let Some(other) = other {
            assert_eq!(std::fs::read(to.path().join(other)).unwrap(), b"hi\n");
        }
    }
}

#[test]
fn ls_lists_folders_first_and_as_json() {
    let dir = folder();
    let server = Server::start(dir.path());
    let (exit, out, err) = run(dir.path(), &["ls", &server.url("deck", "")]);
    assert_eq!((exit, err.as_str()), (Some(0), ""));
    let names: Vec<_> = out
        .lines()
        .map(|line| line.rsplit("  ").next().unwrap())
        .collect();
    assert_eq!(names, ["sub/", "a.txt", "empty"]);
    let (exit, out, _) = run(dir.path(), &["ls", "--json", &server.url("deck", "")]);
    assert_eq!(exit, Some(0));
    let rows: Vec<Value> = out
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(
        (&rows[0]["name"], &rows[0]["kind"]),
        (&"sub".into(), &"dir".into())
    );
    assert_eq!(
        (&rows[1]["name"], &rows[1]["size"]),
        (&"a.txt".into(), &3.into())
    );
    assert!(rows[1]["mtime"].as_str().unwrap().ends_with('Z'));
    let (exit, out, _) = run(dir.path(), &["ls", &server.url("deck", "sub/b%20c.txt")]);
    assert_eq!(exit, Some(0));
    assert_eq!(out.lines().count(), 1, "{out}");
    assert!(out.ends_with("  b c.txt\n"), "{out}");
    let (exit, out, _) = run(dir.path(), &["ls", "--json", &server.url("deck", "a.txt")]);
    assert_eq!(exit, Some(0));
    let row: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(
        (&row["name"], &row["kind"], &row["size"]),
        (&"a.txt".into(), &"file".into(), &3.into())
    );
    for path in ["none", "a.txt/none", "..%2F"] {
        let (exit, out, err) = run(dir.path(), &["ls", &server.url("deck", path)]);
        assert_eq!((exit, out.as_str()), (Some(1), ""), "{path}");
        assert_eq!(err.lines().count(), 1, "{path}: {err}");
    }
}

#[test]
fn a_reader_that_goes_away_ends_ls_quietly() {
    let dir = folder();
    for n in 0..5_000 {
        std::fs::write(dir.path().join(format!("a-rather-long-name-{n:06}")), "").unwrap();
    }
    let server = Server::start(dir.path());
    let mut child = ferrydeck(dir.path())
        .args(["ls", &server.url("deck", "")])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    let mut out = BufReader::with_capacity(64, child.stdout.take().unwrap());
    out.read_line(&mut line).unwrap();
    drop(out);
    let (exit, _, err) = said(&child.wait_with_output().unwrap());
    assert_eq!((exit, err.as_str()), (Some(0), ""));
    assert!(line.ends_with("sub/\n"), "{line}");
}

#[test]
fn an_interrupted_get_is_130_and_leaves_nothing() {
    let dir = folder();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap();
    let child = ferrydeck(dir.path())
        .args(["get", &format!("deck://{addr}/x")])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // It waits for a welcome that never comes.
    let (mut peer, _) = listener.accept().unwrap();
    peer.read_exact(&mut [0; 7]).unwrap();
    let pid = Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap();
    kill_process(pid, Signal::INT).unwrap();
    let (exit, out, err) = said(&child.wait_with_output().unwrap());
    assert_eq!((exit, out.as_str()), (Some(130), ""));
    assert_eq!(
        err,
        "ferrydeck: interrupted; the same command goes on from what was checked\n"
    );
    assert!(!dir.path().join("x").exists());
}

#[test]
fn an_interrupt_is_heard_before_a_put_has_begun() {
    let dir = folder();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap();
    let child = ferrydeck(dir.path())
        .arg("put")
        .arg(dir.path().join("a.txt"))
        .arg(format!("deck://{addr}/x"))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    // It asks whether x is a folder, and is never told.
    let (mut peer, _) = listener.accept().unwrap();
    peer.read_exact(&mut [0; 7]).unwrap();
    let began = Instant::now();
    let pid = Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap();
    kill_process(pid, Signal::INT).unwrap();
    let (exit, ..) = said(&child.wait_with_output().unwrap());
    assert_eq!(exit, Some(130));
    // A silent server is waited for ten seconds and more.
    assert!(began.elapsed() < Duration::from_secs(9));
}

#[test]
fn what_the_server_may_not_read_is_not_served() {
    let dir = folder();
    for name in ["secret", "private"] {
        std::fs::write(dir.path().join(name), "secret").unwrap();
        let mode = PermissionsExt::from_mode(0o000);
        std::fs::set_permissions(dir.path().join(name), mode).unwrap();
    }
    std::fs::create_dir(dir.path().join("closed")).unwrap();
    let mode = PermissionsExt::from_mode(0o000);
    std::fs::set_permissions(dir.path().join("closed"), mode).unwrap();
    // root reads everything: become nobody.
    let mut command = if geteuid().is_root() {
        if !has("setpriv") {
            return skip("setpriv");
        }
        let mut command = Command::new("setpriv");
        command.args(["--reuid=65534", "--regid=65534", "--clear-groups", BIN]);
        command
    } else {
        Command::new(BIN)
    };
    command
        .args(["serve", "--listen", "127.0.0.1:0"])
        .arg(dir.path());
    let mut server = Server::spawn(&mut command);
    assert_eq!(
        server.get_raw(b"\x49\x7E\x01\x00\x06secret"),
        b"\x49\x7E\x02\x00\0\0\0\0"
    );
    let refused = server.until("refused");
    assert_eq!(refused["cause"], "not_readable", "{refused}");
    assert_eq!(server.get_raw(A_TXT), A_TXT_WHOLE);
    let (exit, _, err) = run(dir.path(), &["ls", &server.url("deck", "closed")]);
    assert_eq!(exit, Some(1), "{err}");
    let mode = PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(dir.path().join("closed"), mode).unwrap();
}

#[test]
fn a_server_that_may_write_nothing_says_so() {
    let dir = folder();
    let mut server = Server::start(dir.path());
    let note = server.until("note");
    assert_eq!(note["cause"], "fence");
    assert!(note["detail"].as_str().unwrap().starts_with("read-only"));
}

#[test]
fn a_python_program_is_a_classic_client() {
    if !has("python3") {
        return skip("python3");
    }
    let dir = folder();
    let server = Server::start(dir.path());
    let program = "
import socket, struct, sys
s = socket.create_connection(('127.0.0.1', int(sys.argv[1])))
name = b'sub/b c.txt'
s.sendall(struct.pack('>HBH', 0x497E, 1, len(name)) + name)
head = s.recv(8, socket.MSG_WAITALL)
magic, kind, status, size = struct.unpack('>HBBI', head)
assert (magic, kind, status) == (0x497E, 2, 1), head
data = s.recv(size, socket.MSG_WAITALL)
assert s.recv(1) == b''
sys.stdout.write(data.decode())
";
    let port = server.addr.port().to_string();
    let output = Command::new("python3")
        .args(["-c", program, &port])
        .output()
        .unwrap();
    let (exit, out, err) = said(&output);
    assert_eq!((exit, out.as_str()), (Some(0), "nested"), "{err}");
}

#[test]
fn a_peer_that_closes_its_half_is_answered() {
    let dir = folder();
    let server = Server::start(dir.path());
    let mut peer = TcpStream::connect(server.addr).unwrap();
    peer.write_all(A_TXT).unwrap();
    peer.shutdown(Shutdown::Write).unwrap();
    let mut heard = Vec::new();
    peer.read_to_end(&mut heard).unwrap();
    assert_eq!(heard, A_TXT_WHOLE);
}
