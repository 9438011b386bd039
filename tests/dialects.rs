//! The old dialects against the binary: faithful imitations of their programs
//! (`dialects/peers.py`), and what no honest program would send.
//!
//! Ports are the kernel's choice, waits are on conditions. What a machine may
//! lack (python3, root) is skipped with a word, unless
//! `FERRYDECK_REQUIRE_ALL=1` makes its lack a failure.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "a test that cannot set its scene has failed"
)]

use std::collections::HashMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use assert_fs::TempDir;
use serde_json::Value;
use socket2::{Domain, SockRef, Socket, Type};

const BIN: &str = env!("CARGO_BIN_EXE_ferrydeck");
const PEERS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/dialects/peers.py");
const DEADLINE: Duration = Duration::from_mins(1);
const SENTENCE: &[u8] = b"File not found. Try again.";
const RIGHTS: [&str; 2] = ["--allow-upload", "--allow-rename"];

/// The same, for a machine so busy that a client may not receive for a while.
const UNHURRIED: [&str; 4] = [RIGHTS[0], RIGHTS[1], "--session-pause", "250ms"];

fn marker() -> Vec<u8> {
    vec![b' '; 1024]
}

/// Says why a test does nothing here; a failure where everything is required.
fn skip(lack: &str) {
    let required = std::env::var("FERRYDECK_REQUIRE_ALL").is_ok_and(|all| all == "1");
    assert!(!required, "needs {lack}");
    eprintln!("skipped: needs {lack}");
}

fn has_python() -> bool {
    let found = Command::new("python3")
        .arg("--version")
        .stdout(Stdio::null())
        .status();
    let found = found.is_ok_and(|status| status.success());
    if !found {
        skip("python3");
    }
    found
}

/// What every dialect has to carry.
fn contents() -> Vec<(&'static str, Vec<u8>)> {
    let text = |length| noise(length, 7);
    let mut ends = b"ends in spaces".to_vec();
    ends.extend([b' '; 77]);
    let mut middle = b"before".to_vec();
    middle.extend(marker());
    middle.extend(b"behind");
    vec![
        ("empty.bin", Vec::new()),
        ("one.bin", b"x".to_vec()),
        ("k-1.bin", text(1023)),
        ("k.bin", text(1024)),
        ("k1.bin", text(1025)),
        ("large.bin", text(5 << 20)),
        ("spaces.bin", vec![b' '; 3000]),
        ("ends.bin", ends),
        ("middle.bin", middle),
    ]
}

/// Bytes without rhyme, the same every time; the first is no digit.
fn noise(length: usize, seed: u64) -> Vec<u8> {
    let mut state = 0x9E37_79B9_7F4A_7C15 ^ seed;
    let mut bytes: Vec<u8> = std::iter::repeat_with(|| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[3]
    })
    .take(length)
    .collect();
    if let Some(first) = bytes.first_mut() {
        *first = b'N';
    }
    bytes
}

/// A headless server on a port a dialect, killed when dropped.
struct Server {
    child: Child,
    ports: HashMap<String, SocketAddr>,
    seen: Arc<Mutex<Vec<Value>>>,
    dir: PathBuf,
    own: Option<TempDir>,
}

impl Server {
    fn start(more: &[&str]) -> Self {
        let own = TempDir::new().unwrap();
        let mut server = Self::at(own.path(), more);
        server.own = Some(own);
        server
    }

    fn at(dir: &Path, more: &[&str]) -> Self {
        let speaks = ["session", "colon", "drop", "auto"];
        let mut command = Command::new(BIN);
        command.arg("serve").arg(dir);
        for speak in speaks {
            command.args(["--listen", &format!("{speak}@127.0.0.1:0")]);
        }
        let mut child = command
            .args(["--headless", "--format", "json"])
            .args(more)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let out = BufReader::new(child.stdout.take().unwrap());
        let seen = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&seen);
        thread::spawn(move || {
            for line in out.lines() {
                let value: Value = serde_json::from_str(&line.unwrap()).unwrap();
                kept.lock().unwrap().push(value);
            }
        });
        let mut server = Self {
            child,
            ports: HashMap::new(),
            seen,
            dir: dir.to_owned(),
            own: None,
        };
        wait_for("listeners", || server.all("listening").len() == 4);
        for event in server.all("listening") {
            let addr = event["addr"].as_str().unwrap().parse().unwrap();
            let speak = event["dialect"].as_str().unwrap().to_owned();
            server.ports.insert(speak, addr);
        }
        server
    }

    fn port(&self, speak: &str) -> String {
        self.ports[speak].port().to_string()
    }

    fn dial(&self, speak: &str) -> TcpStream {
        let peer = TcpStream::connect(self.ports[speak]).unwrap();
        peer.set_nodelay(true).unwrap();
        peer.set_read_timeout(Some(DEADLINE)).unwrap();
        peer.set_write_timeout(Some(DEADLINE)).unwrap();
        peer
    }

    /// Says something, closes its half, and hears the rest.
    fn tell(&self, speak: &str, bytes: &[u8]) -> Vec<u8> {
        let mut peer = self.dial(speak);
        let _ = peer.write_all(bytes);
        let _ = peer.shutdown(Shutdown::Write);
        rest(&mut peer)
    }

    fn all(&self, event: &str) -> Vec<Value> {
        self.matching(|value| value["event"] == event)
    }

    fn matching(&self, is: impl Fn(&Value) -> bool) -> Vec<Value> {
        let seen = self.seen.lock().unwrap();
        seen.iter().filter(|value| is(value)).cloned().collect()
    }

    /// Waits for an event as wanted.
    fn until(&self, what: &str, is: impl Fn(&Value) -> bool) -> Value {
        let began = Instant::now();
        loop {
            if let Some(found) = self.matching(&is).pop() {
                return found;
            }
            if began.elapsed() >= DEADLINE {
                let all = self.matching(|_| true);
                let last = &all[all.len().saturating_sub(8)..];
                panic!("no {what}; the last: {last:#?}");
            }
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// The outcome of the only transfer of a path in a direction.
    fn outcome(&self, direction: &str, path: &str) -> String {
        let ended = self.until(&format!("end of {path}"), |value| {
            value["event"] == "transfer_ended"
                && value["direction"] == direction
                && value["path"] == path
        });
        ended["outcome"].as_str().unwrap().to_owned()
    }

    fn caused(&self, event: &str, cause: &str) -> Value {
        self.until(&format!("{event} {cause}"), |value| {
            value["event"] == event && value["cause"] == cause
        })
    }

    /// Everything that lies in the folder, temporaries too.
    fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = std::fs::read_dir(&self.dir)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    fn read(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.dir.join(name)).unwrap_or_else(|why| panic!("{name}: {why}"))
    }

    fn file(&self, name: &str, content: &[u8]) {
        std::fs::write(self.dir.join(name), content).unwrap();
    }

    fn resident(&self) -> u64 {
        let status = format!("/proc/{}/status", self.child.id());
        let status = std::fs::read_to_string(status).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let words = line.unwrap().split_whitespace().next().unwrap();
        words.parse::<u64>().unwrap() << 10
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        drop(self.own.take());
    }
}

fn wait_for(what: &str, mut there: impl FnMut() -> bool) {
    let began = Instant::now();
    while !there() {
        assert!(began.elapsed() < DEADLINE, "waited for {what}");
        thread::sleep(Duration::from_millis(5));
    }
}

fn rest(peer: &mut TcpStream) -> Vec<u8> {
    let mut heard = Vec::new();
    // A reset behind the words does not unsay them.
    let _ = peer.read_to_end(&mut heard);
    heard
}

/// One receive, as the old clients do it.
fn reply(peer: &mut TcpStream) -> String {
    let mut buffer = [0; 2048];
    let read = peer.read(&mut buffer).unwrap();
    String::from_utf8(buffer[..read].to_vec()).unwrap()
}

fn message(text: &str) -> Vec<u8> {
    format!("{:<64}{text}", text.len()).into_bytes()
}

fn joined(parts: &[&[u8]]) -> Vec<u8> {
    parts.concat()
}

/// Runs an imitated program in a folder; what it says.
fn old(dir: &Path, args: &[&str]) -> String {
    let output = Command::new("python3")
        .arg(PEERS)
        .args(args)
        .current_dir(dir)
        .output()
        .unwrap();
    let err = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{args:?}: {err}");
    String::from_utf8(output.stdout).unwrap()
}

/// Every content on a dialect's own port and on `auto`, a few at a time.
fn each(dialect: &str, work: impl Fn(&str, &str, &[u8]) + Sync) {
    let cases: Vec<(String, String, Vec<u8>)> = [dialect, "auto"]
        .into_iter()
        .flat_map(|speak| {
            contents()
                .into_iter()
                .map(move |(name, bytes)| (speak.to_owned(), format!("{speak}-{name}"), bytes))
        })
        .collect();
    let queue = Mutex::new(cases);
    thread::scope(|scope| {
        for _ in 0..6 {
            scope.spawn(|| {
                loop {
                    let Some((speak, name, bytes)) = queue.lock().unwrap().pop() else {
                        return;
                    };
                    work(&speak, &name, &bytes);
                }
            });
        }
    });
}

#[test]
fn session_programs_put_get_and_change() {
    if !has_python() {
        return;
    }
    let server = Server::start(&UNHURRIED);
    each("session", |speak, name, bytes| {
        let port = server.port(speak);
        let there = TempDir::new().unwrap();
        std::fs::write(there.path().join(name), bytes).unwrap();
        let changed = format!("new-{name}");
        let put = format!("put:{name}");
        let change = format!("change:{name}:{changed}");
        let steps = [
            "session", &port, &put, "wait:0.5", &change, &change, "help", "say: ", "say:what",
            "bye",
        ];
        let said = old(there.path(), &steps);
        let lines: Vec<&str> = said.lines().collect();
        assert_eq!(lines.len(), 7, "{said}");
        assert_eq!(lines[0], "reply [File was put]");
        assert_eq!(lines[1], "reply [Name was successfully changed]");
        assert_eq!(
            lines[2],
            "reply [Could not change file name because file was not found]"
        );
        assert_eq!(
            lines[3],
            "reply 'Possible Commands:\\n put filename\\n get filename\\n change oldfilename newfilename \\n help\\n bye'"
        );
        assert!(lines[4].len() > "reply ".len(), "{said}");
        assert_eq!(lines[4], lines[5]);
        assert_eq!(lines[6], "closed");
        assert!(server.read(&changed) == bytes, "{changed} differs");
        assert_eq!(server.outcome("in", name), "ended_not_provable");

        let here = TempDir::new().unwrap();
        let said = old(here.path(), &["session", &port, &format!("get:{changed}")]);
        assert!(said.starts_with("reply [Get File]\nanswer"), "{said}");
        let saved = std::fs::read(here.path().join(&changed)).unwrap();
        let whole = joined(&[bytes, &marker()]);
        assert!(whole.starts_with(&saved), "{name}");
        if name.ends_with("spaces.bin") || name.ends_with("middle.bin") {
            // Its own client stops at the first receive of nothing but spaces.
            return;
        }
        assert!(saved.len() > bytes.len(), "{name}: {}", saved.len());
        assert_eq!(server.outcome("out", &changed), "ended_not_provable");
    });
    assert!(server.all("malformed").is_empty());
}

#[test]
fn session_programs_hear_of_a_missing_file_by_a_close() {
    if !has_python() {
        return;
    }
    let server = Server::start(&RIGHTS);
    let here = TempDir::new().unwrap();
    let said = old(here.path(), &["session", &server.port("session"), "get:no"]);
    assert_eq!(said, "dropped\n");
    server.caused("refused", "not_found");
}

#[test]
fn colon_programs_put_and_get() {
    if !has_python() {
        return;
    }
    let server = Server::start(&UNHURRIED);
    each("colon", |speak, name, bytes| {
        let port = server.port(speak);
        let there = TempDir::new().unwrap();
        std::fs::write(there.path().join(name), bytes).unwrap();
        let stuck = format!("stuck-{name}");
        std::fs::write(there.path().join(&stuck), bytes).unwrap();
        for (name, more) in [(name, "bytes"), (&stuck, "stick")] {
            let said = old(there.path(), &["colon", &port, "put", name, more]);
            assert_eq!(said, "reply Done\n", "{name}");
            assert_eq!(server.outcome("in", name), "ended_not_provable");
            assert!(server.read(name) == bytes, "{name} differs");
        }
        let few = name.ends_with("one.bin") || name.ends_with("k1.bin");
        let ways = ["plain", "blanks", "apart:2", "glued:2"];
        for &more in &ways[..if few { 4 } else { 1 }] {
            if (speak, more) == ("auto", "blanks") {
                // With a space before its colon it is told from nothing else there.
                continue;
            }
            let here = TempDir::new().unwrap();
            let said = old(here.path(), &["colon", &port, "get", name, more]);
            assert_eq!(said, "reply Done\n", "{name} {more}");
            let saved = std::fs::read(here.path().join(name)).unwrap();
            assert!(saved == bytes, "{name} {more} differs");
        }
        assert_eq!(server.outcome("out", name), "ended_not_provable");
    });
    assert!(server.all("malformed").is_empty());
}

#[test]
fn colon_programs_hear_of_what_is_missing_and_store_nothing_for_it() {
    if !has_python() {
        return;
    }
    let server = Server::start(&UNHURRIED);
    server.file("2notes.txt", b"with the digit");
    server.file("notes.txt", b"without");
    let here = TempDir::new().unwrap();
    for speak in ["colon", "auto"] {
        let port = server.port(speak);
        let said = old(here.path(), &["colon", &port, "get", "absent"]);
        assert_eq!(said, "reply Done\nnot found\n");
        // The client's file is missing.
        assert_eq!(
            old(here.path(), &["colon", &port, "put", "mine"]),
            "reply Done\n"
        );
        assert_eq!(server.outcome("in", "mine"), "failed");
        let args = ["colon", &port, "get", "notes.txt", "glued:2"];
        assert_eq!(old(here.path(), &args), "reply Done\n");
        let saved = std::fs::read(here.path().join("notes.txt")).unwrap();
        assert_eq!(saved, b"with the digit");
    }
    assert_eq!(server.names(), ["2notes.txt", "notes.txt"]);
    std::fs::write(here.path().join("up"), "up").unwrap();
    let args = ["colon", &server.port("colon"), "put", "up", "glued:7"];
    assert_eq!(old(here.path(), &args), "reply Done\n");
    assert_eq!(server.outcome("in", "7up"), "ended_not_provable");
    assert_eq!(server.read("7up"), b"up");
}

#[test]
fn drop_programs_put() {
    if !has_python() {
        return;
    }
    let server = Server::start(&RIGHTS);
    each("drop", |speak, name, bytes| {
        let port = server.port(speak);
        let there = TempDir::new().unwrap();
        for more in ["plain", "glued", "bytes"] {
            let name = format!("{more}-{name}");
            std::fs::write(there.path().join(&name), bytes).unwrap();
            let said = old(there.path(), &["drop", &port, &name, more]);
            assert_eq!(said, "heard 0\n");
            assert_eq!(server.outcome("in", &name), "complete_length");
            assert!(server.read(&name) == bytes, "{name} differs");
        }
    });
    // Digits right behind the size: the one reading that fits, and no proof.
    let there = TempDir::new().unwrap();
    for (name, digits) in [("few", "12345"), ("many", "9999999999999")] {
        std::fs::write(there.path().join(name), digits).unwrap();
        let args = ["drop", &server.port("drop"), name, "glued"];
        old(there.path(), &args);
        assert_eq!(server.outcome("in", name), "ended_not_provable");
        assert_eq!(server.read(name), digits.as_bytes());
    }
}

#[test]
fn without_rights_nothing_is_created_and_each_is_refused_in_its_words() {
    let server = Server::start(&[]);
    server.file("a.txt", b"a");
    let put = joined(&[&message("p new.txt"), b"data", &marker()]);
    for speak in ["session", "auto"] {
        let said = String::from_utf8(server.tell(speak, &put)).unwrap();
        assert!(!said.is_empty() && said.len() < 80, "{said}");
        assert!(!said.contains("[File was put]") && !said.contains('\n'));
        let said = server.tell(speak, &message("c a.txt b.txt"));
        assert_eq!(
            said,
            b"[Could not change file name because file was not found]"
        );
    }
    for speak in ["colon", "auto"] {
        assert_eq!(server.tell(speak, b"new.txt:PUT"), b"Error");
        assert_eq!(server.tell(speak, b"new.txt:PUTdata"), b"Error");
    }
    for speak in ["drop", "auto"] {
        assert_eq!(server.tell(speak, b"new.txt 4data"), b"");
    }
    wait_for("every refusal", || server.all("refused").len() >= 10);
    for refused in server.all("refused") {
        assert_eq!(refused["cause"], "not_allowed", "{refused}");
    }
    assert_eq!(server.names(), ["a.txt"]);
    assert!(server.all("transfer_started").is_empty());
}

#[test]
fn renaming_is_a_right_of_its_own() {
    let server = Server::start(&["--allow-upload"]);
    server.file("a.txt", b"a");
    server.tell("session", &message("c a.txt b.txt"));
    server.caused("refused", "not_allowed");
    assert_eq!(server.names(), ["a.txt"]);

    let server = Server::start(&["--allow-rename"]);
    server.file("a.txt", b"a");
    server.file("taken.txt", b"t");
    let said = server.tell("session", &message("c a.txt taken.txt"));
    assert!(said.starts_with(b"[Could not"), "{said:?}");
    assert_eq!(server.names(), ["a.txt", "taken.txt"]);
    let said = server.tell("session", &message("c a.txt b.txt"));
    assert_eq!(said, b"[Name was successfully changed]");
    server.tell("session", &joined(&[&message("p x"), b"x", &marker()]));
    assert_eq!(server.names(), ["b.txt", "taken.txt"]);
}

#[test]
fn commands_behind_upload_data_write_nothing_until_it_was_quiet() {
    let server = Server::start(&RIGHTS);
    server.file("keep.txt", b"keep");
    let mut peer = server.dial("session");
    peer.write_all(&message("p up.txt")).unwrap();
    assert_eq!(reply(&mut peer), "[File was put]");
    let smuggled = message("c keep.txt gone.txt");
    peer.write_all(&joined(&[b"data", &marker(), &smuggled]))
        .unwrap();
    assert!(reply(&mut peer).starts_with("[Could not"));
    let cause = server.caused("refused", "smuggled");
    assert_eq!(cause["path"], "keep.txt");
    peer.write_all(&message("help")).unwrap();
    assert!(reply(&mut peer).starts_with("Possible Commands"));
    peer.write_all(&message("g keep.txt")).unwrap();
    assert_eq!(reply(&mut peer), "[Get File]");
    let mut got = vec![0; 4 + 1024];
    peer.read_exact(&mut got).unwrap();
    assert!(got.starts_with(b"keep"));
    thread::sleep(Duration::from_millis(500));
    peer.write_all(&smuggled).unwrap();
    assert_eq!(reply(&mut peer), "[Name was successfully changed]");
    assert_eq!(server.read("up.txt"), b"data");

    let mut peer = server.dial("session");
    peer.write_all(&message("p up2.txt")).unwrap();
    reply(&mut peer);
    let evil = joined(&[
        b"data",
        &marker(),
        &message("p evil.txt"),
        b"evil",
        &marker(),
    ]);
    peer.write_all(&evil).unwrap();
    let said = String::from_utf8(rest(&mut peer)).unwrap();
    assert!(
        !said.is_empty() && !said.contains("[File was put]"),
        "{said}"
    );
    assert_eq!(server.names(), ["gone.txt", "up.txt", "up2.txt"]);
}

/// A command whose end is left for the next honest message to bring began in the
/// upload all the same.
#[test]
fn a_command_that_began_behind_upload_data_stays_suspect_over_a_silence() {
    let server = Server::start(&RIGHTS);
    server.file("keep.txt", b"keep");
    let mut peer = server.dial("session");
    peer.write_all(&message("p up.txt")).unwrap();
    reply(&mut peer);
    let (begun, end) = {
        let whole = message("c keep.txt gone.txt");
        (whole[..70].to_vec(), whole[70..].to_vec())
    };
    peer.write_all(&joined(&[b"data", &marker(), &begun]))
        .unwrap();
    server.outcome("in", "up.txt");
    thread::sleep(Duration::from_millis(500));
    peer.write_all(&end).unwrap();
    assert!(reply(&mut peer).starts_with("[Could not"));
    server.caused("refused", "smuggled");
    assert_eq!(server.names(), ["keep.txt", "up.txt"]);
}

#[test]
fn a_reset_is_never_an_end() {
    let server = Server::start(&RIGHTS);
    let cases: [(&str, Vec<u8>); 3] = [
        ("session", message("p r.bin")),
        ("colon", b"r.bin:PUT".to_vec()),
        ("drop", b"r.bin 4".to_vec()),
    ];
    for (dialect, head) in cases {
        for speak in [dialect, "auto"] {
            let mut peer = server.dial(speak);
            let began = server.all("transfer_started").len();
            peer.write_all(&head).unwrap();
            wait_for("the transfer", || {
                server.all("transfer_started").len() > began
            });
            peer.write_all(b"data").unwrap();
            thread::sleep(Duration::from_millis(50));
            SockRef::from(&peer)
                .set_linger(Some(Duration::ZERO))
                .unwrap();
            drop(peer);
            wait_for("the end", || {
                server.all("transfer_ended").len() == began + 1
            });
        }
    }
    for ended in server.all("transfer_ended") {
        assert_eq!(ended["outcome"], "failed", "{ended}");
    }
    assert!(server.names().is_empty(), "{:?}", server.names());
}

#[test]
fn what_is_cut_short_stores_nothing() {
    let server = Server::start(&RIGHTS);
    let put = message("p cut.bin");
    let short = vec![b' '; 1023];
    let cases: [(&str, Vec<u8>); 6] = [
        ("drop", b"cut.bin 10123".to_vec()),
        ("drop", b"cut.bin 5data".to_vec()),
        ("colon", joined(&[b"cut.bin:PUT", SENTENCE])),
        ("session", joined(&[&put, b"data"])),
        ("session", joined(&[&put, b"data", &short])),
        ("session", put.clone()),
    ];
    let mut count = 0;
    for (dialect, bytes) in &cases {
        for speak in [dialect, "auto"] {
            server.tell(speak, bytes);
            count += 1;
            wait_for("its end", || server.all("transfer_ended").len() == count);
        }
    }
    for ended in server.all("transfer_ended") {
        assert_eq!(ended["outcome"], "failed", "{ended}");
    }
    assert!(server.names().is_empty(), "{:?}", server.names());
}

#[test]
fn every_limit_of_a_head_holds_and_says_so() {
    let server = Server::start(&RIGHTS);
    let digits = "1".repeat(5000);
    let head = |length: &str| format!("{length:<64}p n").into_bytes();
    let cases: Vec<(&str, Vec<u8>)> = vec![
        ("drop", b"n 18446744073709551616".to_vec()),
        ("drop", b"n -4data".to_vec()),
        ("drop", b"n +4data".to_vec()),
        ("drop", b"n  4data".to_vec()),
        ("drop", "n \u{665}data".as_bytes().to_vec()),
        ("drop", format!("n {digits}").into_bytes()),
        ("drop", format!("{} 4data", "n".repeat(5000)).into_bytes()),
        ("drop", b" 4data".to_vec()),
        ("drop", b"n\x07 4data".to_vec()),
        ("drop", b"\xFF\xFE 4data".to_vec()),
        ("session", head("18446744073709551616")),
        ("session", head("-3")),
        ("session", head("+3")),
        ("session", head(" 3")),
        ("session", head("3 3")),
        ("session", head("2049")),
        ("session", head("3.0")),
        ("session", head("0x3")),
        ("session", format!("{:<63}p n", "\u{663}").into_bytes()),
        ("session", digits.clone().into_bytes()),
        ("session", b"3\t".to_vec()),
        ("colon", vec![b'n'; 5000]),
        ("colon", format!("{}:PUT", "n".repeat(4096)).into_bytes()),
    ];
    for (dialect, bytes) in &cases {
        let before = server.all("closed").len();
        server.tell(dialect, bytes);
        wait_for("its close", || server.all("closed").len() > before);
        let closed = server.all("closed").pop().unwrap();
        let conn = closed["conn"].clone();
        let told = server.matching(|value| {
            value["conn"] == conn
                && (value["event"] == "malformed"
                    || value["event"] == "refused"
                    || value["outcome"] == "failed")
        });
        let start = String::from_utf8_lossy(&bytes[..bytes.len().min(24)]).into_owned();
        assert!(!told.is_empty(), "{dialect} {start:?}: {closed}");
        let malformed = told.iter().filter(|value| value["event"] == "malformed");
        assert!(malformed.count() <= 1, "{told:#?}");
        server.tell("auto", bytes);
        assert!(
            server.names().is_empty(),
            "{dialect} {start:?} {:?}",
            server.names()
        );
    }
    assert_eq!(server.tell("session", &message("nonsense")).len(), 26);
}

#[test]
fn five_errors_are_enough() {
    let server = Server::start(&RIGHTS);
    let mut peer = server.dial("colon");
    for _ in 0..5 {
        peer.write_all(b"what").unwrap();
        assert_eq!(reply(&mut peer), "Error");
    }
    assert_eq!(rest(&mut peer), b"");
}

#[test]
fn a_flood_of_help_that_nobody_reads_costs_one_event_and_little_memory() {
    if !Path::new("/proc/self/status").exists() {
        return skip("/proc");
    }
    let server = Server::start(&["--stall-timeout", "2s"]);
    server.tell("session", &message("help"));
    let before = server.resident();
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    socket.connect(&server.ports["session"].into()).unwrap();
    let mut flood = TcpStream::from(socket);
    let writer = thread::spawn(move || {
        flood
            .set_write_timeout(Some(Duration::from_secs(4)))
            .unwrap();
        let _ = flood.write_all(&message("help").repeat(20_000));
        flood
    });
    let began = Instant::now();
    let mut most = 0;
    while server.all("timeout").is_empty() {
        let asked = Instant::now();
        assert!(
            server
                .tell("session", &message("help"))
                .starts_with(b"Poss")
        );
        assert!(asked.elapsed() < Duration::from_secs(2));
        most = most.max(server.resident());
        assert!(began.elapsed() < DEADLINE, "it is never ended");
        thread::sleep(Duration::from_millis(20));
    }
    drop(writer.join().unwrap());
    let grown = most.saturating_sub(before);
    assert!(grown < 24 << 20, "{grown} bytes more");
    let conn = server.all("timeout")[0]["conn"].clone();
    wait_for("its close", || {
        let closed = |value: &Value| value["event"] == "closed" && value["conn"] == conn;
        !server.matching(closed).is_empty()
    });
    let usual = ["accepted", "request", "closed"];
    let unusual = server.matching(|value| {
        value["conn"] == conn && !usual.contains(&value["event"].as_str().unwrap_or_default())
    });
    assert_eq!(unusual.len(), 1, "{unusual:#?}");
    assert_eq!(unusual[0]["cause"], "stall_timeout");
}

#[test]
fn two_who_drop_the_same_name_at_once_both_keep_theirs() {
    let server = Server::start(&RIGHTS);
    let sides = [noise(70_000, 1), noise(90_001, 2)];
    for round in 0..100 {
        let name = format!("same{round}.bin");
        thread::scope(|scope| {
            for side in &sides {
                let (server, name) = (&server, &name);
                scope.spawn(move || {
                    let opening = format!("{name} {}", side.len());
                    let heard = server.tell("drop", &joined(&[opening.as_bytes(), side]));
                    assert_eq!(heard, b"");
                });
            }
        });
        let second = format!("same{round} (1).bin");
        let stored = [server.read(&name), server.read(&second)];
        let crossed = [sides[1].clone(), sides[0].clone()];
        assert!(stored == sides || stored == crossed, "round {round}");
    }
    assert_eq!(server.names().len(), 200);
    wait_for("every end", || server.all("transfer_ended").len() == 200);
    for ended in server.all("transfer_ended") {
        assert_eq!(ended["outcome"], "complete_length", "{ended}");
    }
}

/// A filesystem of 1 MiB; gone when dropped.
struct Small(TempDir);

impl Small {
    fn mount() -> Option<Self> {
        let dir = TempDir::new().unwrap();
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=1m", "tmpfs"])
            .arg(dir.path())
            .stderr(Stdio::null())
            .status();
        if mounted.is_ok_and(|status| status.success()) {
            return Some(Self(dir));
        }
        skip("root");
        None
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.0.path()).status();
    }
}

#[test]
fn a_disk_that_fills_up_fails_the_upload_and_keeps_nothing() {
    let Some(small) = Small::mount() else {
        return;
    };
    let server = Server::at(
        small.0.path(),
        &["--allow-upload", "--min-free", "0", "--stall-timeout", "5s"],
    );
    let large = noise(3 << 20, 5);
    let small = noise(100_000, 6);
    let session =
        |name: &str, bytes: &[u8]| joined(&[&message(&format!("p {name}")), bytes, &marker()]);
    let colon = |name: &str, bytes: &[u8]| joined(&[format!("{name}:PUT").as_bytes(), bytes]);
    server.tell("session", &session("big.bin", &large));
    assert_eq!(server.outcome("in", "big.bin"), "failed");
    server.tell("colon", &colon("big2.bin", &large));
    assert_eq!(server.outcome("in", "big2.bin"), "failed");
    let head = format!("big3.bin {}", large.len());
    server.tell("drop", &joined(&[head.as_bytes(), &large]));
    assert_eq!(server.outcome("in", "big3.bin"), "failed");
    let ended = server.all("transfer_ended");
    assert!(
        ended.iter().all(|end| end["cause"] == "no_room"),
        "{ended:#?}"
    );
    assert!(server.names().is_empty(), "{:?}", server.names());
    server.tell("session", &session("s.bin", &small));
    assert_eq!(server.outcome("in", "s.bin"), "ended_not_provable");
    server.tell("colon", &colon("c.bin", &small));
    assert_eq!(server.outcome("in", "c.bin"), "ended_not_provable");
    let head = format!("d.bin {}", small.len());
    server.tell("drop", &joined(&[head.as_bytes(), &small]));
    assert_eq!(server.outcome("in", "d.bin"), "complete_length");
    assert_eq!(server.names(), ["c.bin", "d.bin", "s.bin"]);
    for name in server.names() {
        assert!(server.read(&name) == small, "{name} differs");
    }
}

#[test]
fn a_browsers_post_creates_nothing() {
    let server = Server::start(&RIGHTS);
    let body = joined(&[&message("p evil.txt"), b"evil", &marker()]);
    for line in ["POST /", "PUT /evil.txt", "POST /evil.txt:PUT"] {
        let head = format!(
            "{line} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: text/plain\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        let said = server.tell("auto", &joined(&[head.as_bytes(), &body]));
        assert_eq!(said, b"");
        server.caused("refused", "http");
    }
    assert!(server.names().is_empty(), "{:?}", server.names());
    assert!(server.all("transfer_started").is_empty());
}

#[test]
fn a_person_may_be_silent_on_a_session_port_for_the_idle_limit() {
    let server = Server::start(&["--head-timeout", "300ms", "--idle-timeout", "2s"]);
    let mut peer = server.dial("session");
    thread::sleep(Duration::from_millis(1200));
    peer.write_all(&message("help")).unwrap();
    assert!(reply(&mut peer).starts_with("Possible"));
    thread::sleep(Duration::from_secs(1));
    peer.write_all(&message("help")).unwrap();
    assert!(reply(&mut peer).starts_with("Possible"));
    let mut silent = server.dial("session");
    assert_eq!(rest(&mut silent), b"");
    assert_eq!(rest(&mut peer), b"");
    wait_for("both timeouts", || server.all("timeout").len() == 2);
    for event in server.all("timeout") {
        assert_eq!(event["cause"], "idle_timeout", "{event}");
    }
}

#[test]
fn names_that_are_not_portable_are_refused() {
    let server = Server::start(&RIGHTS);
    server.file("a.txt", b"a");
    let names = [
        "CON",
        "nul.txt",
        "a*b",
        "a?b",
        "a|b",
        "a<b",
        ".x",
        "..",
        "x.",
        "sub/x",
        "../x",
        "/x",
        "x\\y",
        ".ferrydeck-0.tmp",
        "q\"q",
    ];
    for name in names {
        let put = joined(&[&message(&format!("p {name}")), b"x", &marker()]);
        server.tell("session", &put);
        server.tell("session", &message(&format!("c a.txt {name}")));
        server.tell("colon", format!("{name}:PUTx").as_bytes());
        server.tell("drop", format!("{name} 1x").as_bytes());
        assert_eq!(server.names(), ["a.txt"], "{name}");
    }
    server.tell("drop", b"a:b 1x");
    wait_for("every refusal", || {
        server.all("refused").len() == names.len() * 4 + 1
    });
    for refused in server.all("refused") {
        assert_eq!(refused["cause"], "bad_name", "{refused}");
    }
    assert_eq!(server.names(), ["a.txt"]);
}

#[test]
fn a_taken_name_is_left_alone() {
    let server = Server::start(&RIGHTS);
    server.file("a.txt", b"first");
    let session = joined(&[&message("p a.txt"), b"session", &marker()]);
    server.tell("session", &session);
    server.tell("colon", b"a.txt:PUTcolon");
    wait_for("colon", || server.names().len() == 3);
    server.tell("drop", b"a.txt 4drop");
    assert_eq!(
        server.names(),
        ["a (1).txt", "a (2).txt", "a (3).txt", "a.txt"]
    );
    assert_eq!(server.read("a.txt"), b"first");
    assert_eq!(server.read("a (1).txt"), b"session");
    assert_eq!(server.read("a (2).txt"), b"colon");
    assert_eq!(server.read("a (3).txt"), b"drop");
}

#[test]
fn silent_persons_on_a_session_port_give_way_only_beyond_512() {
    let server = Server::start(&[]);
    let mut crowd: Vec<TcpStream> = (0..512).map(|_| server.dial("session")).collect();
    wait_for("the crowd", || server.all("accepted").len() == 512);
    thread::sleep(Duration::from_millis(300));
    assert!(server.all("displaced").is_empty());
    // They are not in the way of others.
    assert_eq!(server.tell("auto", b"no:GET"), joined(&[b"Done", SENTENCE]));
    assert!(server.all("displaced").is_empty());
    let mut newcomer = server.dial("session");
    newcomer.write_all(&message("help")).unwrap();
    assert!(reply(&mut newcomer).starts_with("Possible"));
    assert_eq!(rest(&mut crowd[0]), b"");
    wait_for("its event", || server.all("displaced").len() == 1);
}

/// An imitated server in a folder of its own, killed when dropped.
struct Old {
    child: Child,
    port: String,
    dir: TempDir,
}

impl Old {
    fn serve(kind: &str) -> Self {
        let dir = TempDir::new().unwrap();
        let mut child = Command::new("python3")
            .args([PEERS, "serve", kind])
            .arg(dir.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut port = String::new();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        out.read_line(&mut port).unwrap();
        let port = port.trim().to_owned();
        Self { child, port, dir }
    }

    fn url(&self, dialect: &str, name: &str) -> String {
        format!("{dialect}://127.0.0.1:{}/{name}", self.port)
    }

    fn file(&self, name: &str, content: &[u8]) {
        std::fs::write(self.dir.path().join(name), content).unwrap();
    }

    /// Waits until a file is there as sent: its program writes it after the close.
    fn stores(&self, name: &str, content: &[u8]) {
        let path = self.dir.path().join(name);
        wait_for(name, || {
            std::fs::read(&path).is_ok_and(|stored| stored == content)
        });
    }

    fn is_empty(&self) -> bool {
        std::fs::read_dir(self.dir.path()).unwrap().next().is_none()
    }
}

impl Drop for Old {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs ferrydeck in a folder: exit code, stdout, stderr.
fn ferrydeck(dir: &Path, args: &[&str]) -> (Option<i32>, String, String) {
    let state = TempDir::new().unwrap();
    let output = Command::new(BIN)
        .args(args)
        .env("FERRYDECK_STATE_DIR", state.path())
        .current_dir(dir)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    (
        output.status.code(),
        String::from_utf8(output.stdout).unwrap(),
        String::from_utf8(output.stderr).unwrap(),
    )
}

/// Runs it with `--json`: the outcome of the one transfer.
fn outcome(dir: &Path, args: &[&str]) -> String {
    let (code, out, err) = ferrydeck(dir, args);
    let ended: Vec<Value> = out
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .filter(|value: &Value| value["event"] == "transfer_ended")
        .collect();
    assert_eq!(ended.len(), 1, "{args:?}: {code:?} {out} {err}");
    let outcome = ended[0]["outcome"].as_str().unwrap().to_owned();
    assert_eq!(
        code == Some(0),
        outcome != "failed",
        "{args:?}: {out} {err}"
    );
    outcome
}

#[test]
fn get_from_the_old_servers_brings_every_content() {
    if !has_python() {
        return;
    }
    thread::scope(|scope| {
        for dialect in ["session", "colon"] {
            scope.spawn(move || {
                let server = Old::serve(dialect);
                let here = TempDir::new().unwrap();
                for (name, bytes) in contents() {
                    server.file(name, &bytes);
                    let url = server.url(dialect, name);
                    let outcome = outcome(here.path(), &["get", "--json", &url]);
                    assert_eq!(outcome, "ended_not_provable", "{dialect} {name}");
                    let saved = std::fs::read(here.path().join(name)).unwrap();
                    assert!(saved == bytes, "{dialect} {name} differs");
                }
                let url = server.url(dialect, "absent");
                let (code, _, err) = ferrydeck(here.path(), &["get", &url]);
                assert_eq!(code, Some(1), "{err}");
                let words = if dialect == "session" {
                    "not found"
                } else {
                    "no such file"
                };
                assert!(err.contains(words), "{dialect}: {err}");
                let left = std::fs::read_dir(here.path()).unwrap().count();
                assert_eq!(left, contents().len(), "{dialect}");
            });
        }
    });
}

/// Sends every content the dialect can carry to an imitated server.
fn puts(dialect: &str, word: &str) {
    let server = Old::serve(dialect);
    let here = TempDir::new().unwrap();
    for (name, bytes) in contents() {
        std::fs::write(here.path().join(name), &bytes).unwrap();
        if dialect == "session" && ["spaces.bin", "middle.bin"].contains(&name) {
            // Not to be carried: the test below.
            continue;
        }
        let url = server.url(dialect, name);
        let outcome = outcome(here.path(), &["put", "--json", name, &url]);
        assert_eq!(outcome, word, "{dialect} {name}");
        server.stores(name, &bytes);
    }
}

#[test]
fn put_to_old_session_servers() {
    if has_python() {
        puts("session", "ended_not_provable");
    }
}

#[test]
fn put_to_old_colon_servers() {
    if has_python() {
        puts("colon", "ended_not_provable");
    }
}

#[test]
fn put_to_old_drop_servers() {
    if has_python() {
        puts("drop", "complete_length");
    }
}

#[test]
fn session_put_refuses_a_content_that_holds_its_end_mark() {
    if !has_python() {
        return;
    }
    let server = Old::serve("session");
    let here = TempDir::new().unwrap();
    let spaces = |before: usize| joined(&[&noise(before, 3), &marker(), b"behind"]);
    for (name, offset) in [("a", 0), ("b", 6), ("c", 70_000), ("d", 1 << 20)] {
        std::fs::write(here.path().join(name), spaces(offset)).unwrap();
        let url = server.url("session", name);
        let (code, _, err) = ferrydeck(here.path(), &["put", name, &url]);
        assert_eq!(code, Some(1), "{err}");
        let shown = err.replace(',', "");
        assert!(shown.contains(&format!(" {offset}")), "{offset}: {err}");
    }
    assert!(server.is_empty());
}

#[test]
fn mv_renames_at_an_old_session_server() {
    if !has_python() {
        return;
    }
    let server = Old::serve("session");
    let here = TempDir::new().unwrap();
    server.file("a.txt", b"a");
    let url = server.url("session", "a.txt");
    let (code, _, err) = ferrydeck(here.path(), &["mv", &url, "b.txt"]);
    assert_eq!(code, Some(0), "{err}");
    server.stores("b.txt", b"a");
    let (code, _, err) = ferrydeck(here.path(), &["mv", &url, "c.txt"]);
    assert_eq!(code, Some(1), "{err}");
    assert_eq!(err.lines().count(), 1, "{err}");
}

#[test]
fn colon_servers_that_count_or_do_not_understand_at_once() {
    if !has_python() {
        return;
    }
    let here = TempDir::new().unwrap();
    std::fs::write(here.path().join("up"), "up").unwrap();
    for (kind, more) in [("counting", &["--clients", "2"][..]), ("deaf", &[])] {
        let server = Old::serve(kind);
        let up = server.url("colon", "up");
        let args = [&["put", "--json", "up", &up], more].concat();
        assert_eq!(outcome(here.path(), &args), "ended_not_provable", "{kind}");
        server.stores("up", b"up");
        server.file(kind, b"down");
        let down = server.url("colon", kind);
        let args = [&["get", "--json", &down], more].concat();
        assert_eq!(outcome(here.path(), &args), "ended_not_provable", "{kind}");
        assert_eq!(std::fs::read(here.path().join(kind)).unwrap(), b"down");
    }
}

#[test]
fn a_colon_content_that_is_the_sentence_is_said_to_be_doubtful() {
    if !has_python() {
        return;
    }
    let server = Old::serve("colon");
    server.file("odd", SENTENCE);
    let here = TempDir::new().unwrap();
    let (code, _, err) = ferrydeck(here.path(), &["get", &server.url("colon", "odd")]);
    assert_eq!(code, Some(1), "{err}");
    assert!(err.contains("or one that says exactly that"), "{err}");
}

#[test]
fn what_a_dialect_cannot_do_is_said_before_anything_is_sent() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let port = listener.local_addr().unwrap().port();
    let here = TempDir::new().unwrap();
    std::fs::write(here.path().join("x"), "x").unwrap();
    let url = |dialect: &str| format!("{dialect}://127.0.0.1:{port}/x");
    let (drop, colon, classic) = (url("drop"), url("colon"), url("classic"));
    let there = url("session");
    let spaced = there.replace("/x", "/x y");
    let cases: [&[&str]; 7] = [
        &["get", &drop],
        &["mv", &drop, "y"],
        &["mv", &colon, "y"],
        &["mv", &classic, "y"],
        &["put", "x", &classic],
        &["ls", &there],
        &["put", "x", &spaced],
    ];
    for args in cases {
        let (code, out, err) = ferrydeck(here.path(), args);
        assert!(matches!(code, Some(1 | 2)), "{args:?}: {out} {err}");
        assert!(!err.is_empty(), "{args:?}");
        assert!(listener.accept().is_err(), "{args:?} was sent");
    }
}
