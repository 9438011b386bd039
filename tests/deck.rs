//! deck from outside: our client against our server, both killed and lied to.
//!
//! Everything that arrives is held against BLAKE3. Ports are the kernel's choice, and
//! waits are on conditions with one deadline.
#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot set its scene has failed"
)]

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime};

use assert_fs::TempDir;
use serde_json::Value;

const BIN: &str = env!("CARGO_BIN_EXE_ferrydeck");
const DEADLINE: Duration = Duration::from_mins(1);
const BLOCK: u64 = 4 << 20;

/// A headless server that may do everything, killed when dropped.
struct Server {
    child: Child,
    addr: SocketAddr,
}

impl Server {
    fn start(dir: &Path) -> Self {
        Self::at(dir, "127.0.0.1:0")
    }

    fn at(dir: &Path, addr: &str) -> Self {
        let began = Instant::now();
        loop {
            let mut child = Command::new(BIN)
                .arg("serve")
                .arg(dir)
                .args(["--listen", &format!("deck@{addr}")])
                .args(["--headless", "--format", "json", "--min-free", "0"])
                .args(["--allow-upload", "--allow-rename", "--allow-delete"])
                .stdin(Stdio::null())
                .stdout(Stdio::piped())
                .stderr(Stdio::null())
                .spawn()
                .unwrap();
            let mut out = BufReader::new(child.stdout.take().unwrap());
            let mut line = String::new();
            if out.read_line(&mut line).unwrap() > 0 {
                let first: Value = serde_json::from_str(&line).unwrap();
                let addr = first["addr"].as_str().unwrap().parse().unwrap();
                std::thread::spawn(move || std::io::copy(&mut out, &mut std::io::sink()));
                return Self { child, addr };
            }
            // A port that was ours a moment ago may not be free at once.
            let _ = child.wait();
            assert!(began.elapsed() < DEADLINE, "cannot listen on {addr}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn url(&self, path: &str) -> String {
        url(self.addr, path)
    }

    fn kill(mut self) -> SocketAddr {
        let _ = self.child.kill();
        let _ = self.child.wait();
        self.addr
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn url(addr: SocketAddr, path: &str) -> String {
    format!("deck://{addr}/{path}")
}

fn client(state: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(BIN);
    command
        .args(args)
        .env("FERRYDECK_STATE_DIR", state)
        .current_dir(state)
        .stdin(Stdio::null());
    command
}

fn run(state: &Path, args: &[&str]) -> Output {
    client(state, args).output().unwrap()
}

/// Runs what must go well; stdout.
fn well(state: &Path, args: &[&str]) -> String {
    let output = run(state, args);
    let err = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{args:?}: {err}");
    String::from_utf8(output.stdout).unwrap()
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// Bytes that repeat nowhere near.
fn noise(size: u64, seed: u64) -> Vec<u8> {
    let mut out = vec![0; usize::try_from(size).unwrap()];
    let mut hasher = blake3::Hasher::new();
    hasher.update(&seed.to_le_bytes());
    hasher.finalize_xof().fill(&mut out);
    out
}

fn hash(path: &Path) -> String {
    blake3::hash(&std::fs::read(path).unwrap())
        .to_hex()
        .to_string()
}

/// Every file below a folder: its hash and its time in seconds; and every folder.
fn tree(root: &Path) -> BTreeMap<String, Option<(String, u64)>> {
    let mut found = BTreeMap::new();
    let mut ahead = vec![root.to_owned()];
    while let Some(folder) = ahead.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = text(path.strip_prefix(root).unwrap()).to_owned();
            let meta = std::fs::symlink_metadata(&path).unwrap();
            if meta.is_dir() {
                found.insert(name, None);
                ahead.push(path);
            } else {
                let time = meta.modified().unwrap();
                let time = time.duration_since(SystemTime::UNIX_EPOCH).unwrap();
                found.insert(name, Some((hash(&path), time.as_secs())));
            }
        }
    }
    found
}

fn wait_for(what: &str, mut ready: impl FnMut() -> bool) {
    let began = Instant::now();
    while !ready() {
        assert!(began.elapsed() < DEADLINE, "{what} did not come");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Whether the state of a part in a folder tells of two blocks at the least.
fn some_blocks(dir: &Path) -> bool {
    let mut names = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap());
    let state = names.find(|entry| entry.path().extension().is_some_and(|end| end == "state"));
    state.is_some_and(|state| state.metadata().unwrap().len() > 440)
}

/// A tree with everything a name may be, and one large file.
fn plant(root: &Path) {
    let levels: Vec<String> = (1..=12).map(|n| format!("level {n}")).collect();
    let deep = levels.join("/");
    std::fs::create_dir_all(root.join(&deep)).unwrap();
    std::fs::create_dir_all(root.join("empty folder")).unwrap();
    let long = "x".repeat(255);
    let names = [
        "plain",
        "with blank",
        "ünïcödé 日本",
        "quotes \"'`",
        "back\\slash",
        "semi;colon&",
        "-dash",
        "#hash?",
        "100%41",
        &long,
    ];
    for (at, name) in names.iter().enumerate() {
        let at = at as u64;
        std::fs::write(root.join(name), noise(at * 1_000, at)).unwrap();
        std::fs::write(root.join(&deep).join(name), noise(at * 77, at)).unwrap();
    }
    for n in 0..300 {
        std::fs::write(root.join("level 1").join(format!("f{n}")), noise(n, n)).unwrap();
    }
    std::fs::write(root.join("large"), noise(5 * BLOCK + 17, 5)).unwrap();
    let old = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000);
    let file = std::fs::File::options()
        .write(true)
        .open(root.join("large"))
        .unwrap();
    file.set_modified(old).unwrap();
}

#[test]
fn whole_trees_are_identical_both_ways() {
    let (shared, state) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let out = state.path().join("out");
    std::fs::create_dir(&out).unwrap();
    plant(&shared.path().join("tree"));
    let server = Server::start(shared.path());
    let whole = tree(&shared.path().join("tree"));
    well(
        state.path(),
        &["get", "-r", &server.url("tree"), "-o", text(&out)],
    );
    assert_eq!(tree(&out.join("tree")), whole);
    well(
        state.path(),
        &["put", "-r", text(&out.join("tree")), &server.url("back")],
    );
    assert_eq!(tree(&shared.path().join("back")), whole.clone());
    // Again: a folder that is there is where it goes, and nothing in it is touched.
    well(
        state.path(),
        &["put", "-r", text(&out.join("tree")), &server.url("back")],
    );
    assert_eq!(tree(&shared.path().join("back/tree")), whole);
    std::fs::remove_dir_all(shared.path().join("back/tree")).unwrap();
    assert_eq!(tree(&shared.path().join("back")), whole);
}

#[test]
fn a_port_that_speaks_tls_is_told_as_that() {
    let state = TempDir::new().unwrap();
    let door = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = door.local_addr().unwrap();
    let served = std::thread::spawn(move || {
        let (mut socket, _) = door.accept().unwrap();
        let _ = socket.read(&mut [0; 64]);
        // A fatal alert: unexpected message.
        let _ = socket.write_all(&[0x15, 3, 3, 0, 2, 2, 10]);
        let _ = socket.read(&mut [0; 64]);
    });
    let out = run(state.path(), &["ls", &url(addr, "")]);
    let said = String::from_utf8_lossy(&out.stderr).into_owned();
    assert_eq!(out.status.code(), Some(1), "{said}");
    assert!(said.contains("speaks TLS only: deck+tls://"), "{said}");
    served.join().unwrap();
}

#[test]
fn get_r_says_what_it_cannot_fetch() {
    use std::os::unix::ffi::OsStrExt as _;
    let (shared, state) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let below = shared.path().join("a/b");
    std::fs::create_dir_all(&below).unwrap();
    std::fs::write(below.join("plain"), "x").unwrap();
    for raw in [b"\xff".as_slice(), b"\xfe.txt"] {
        std::fs::write(below.join(std::ffi::OsStr::from_bytes(raw)), "y").unwrap();
    }
    let server = Server::start(shared.path());
    let out = run(state.path(), &["get", "-r", &server.url("a")]);
    let said = String::from_utf8_lossy(&out.stderr).into_owned();
    assert_eq!(out.status.code(), Some(0), "{said}");
    assert!(
        said.contains("2 names in a are not fetched: no plain text"),
        "{said}"
    );
    assert!(state.path().join("a/b/plain").exists());
}

#[test]
fn put_r_makes_the_folders_its_target_lies_in() {
    let (shared, state) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let photos = state.path().join("photos");
    std::fs::create_dir_all(photos.join("day one")).unwrap();
    std::fs::write(photos.join("day one/a b.jpg"), noise(1_000, 1)).unwrap();
    std::fs::write(photos.join("c.jpg"), noise(99, 2)).unwrap();
    let server = Server::start(shared.path());
    let whole = tree(&photos);
    // Into a folder, with its name; as a folder, under another; and where half the way is there.
    for (goal, lands) in [
        ("new/", "new/photos"),
        ("new/er/still/", "new/er/still/photos"),
        ("some/where/else", "some/where/else"),
    ] {
        let out = run(
            state.path(),
            &["put", "-r", text(&photos), &server.url(goal)],
        );
        assert_eq!(out.status.code(), Some(0), "{goal}: {out:?}");
        assert_eq!(tree(&shared.path().join(lands)), whole, "{goal}");
        let said = String::from_utf8_lossy(&out.stdout).into_owned();
        let line = format!("{lands}/day one/a b.jpg  1000 bytes  complete (hash)");
        assert!(said.contains(&line), "{said}");
    }
    // A single file makes no folders.
    let one = photos.join("c.jpg");
    let out = run(
        state.path(),
        &["put", text(&one), &server.url("not/there/")],
    );
    assert_eq!(out.status.code(), Some(1), "{out:?}");
    assert!(!shared.path().join("not").exists());
}

#[test]
fn a_client_killed_goes_on_from_what_it_had_checked() {
    let (shared, state) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let size = 12 * BLOCK + 99;
    std::fs::write(shared.path().join("a"), noise(size, 1)).unwrap();
    let server = Server::start(shared.path());
    let (through, relayed) = relay(server.addr, |_, _| {});
    let args = ["get", &url(through, "a"), "--limit", "20M"];
    let mut first = client(state.path(), &args)
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let noted = || some_blocks(state.path());
    wait_for("a few blocks", noted);
    first.kill().unwrap();
    first.wait().unwrap();
    assert!(!state.path().join("a").exists());
    let before = relayed.load(SeqCst);
    well(state.path(), &["get", &url(through, "a")]);
    assert_eq!(
        hash(&state.path().join("a")),
        hash(&shared.path().join("a"))
    );
    let came = relayed.load(SeqCst) - before;
    assert!(came < size - 2 * BLOCK, "{came} of {size} came again");
    let names: Vec<_> = std::fs::read_dir(state.path()).unwrap().collect();
    assert_eq!(names.len(), 1, "{names:?}");
}

#[test]
fn a_server_killed_is_waited_for() {
    let (shared, state) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let size = 12 * BLOCK + 99;
    std::fs::write(shared.path().join("a"), noise(size, 1)).unwrap();
    std::fs::write(state.path().join("b"), noise(size, 2)).unwrap();
    for args in [["get", "a"], ["put", "b"]] {
        let server = Server::start(shared.path());
        let target = server.url(args[1]);
        let words: &[&str] = match args[0] {
            "get" => &["get", &target, "--limit", "30M"],
            _ => &["put", "b", &target, "--limit", "30M"],
        };
        let mut child = client(state.path(), words)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let dir = match args[0] {
            "get" => state.path(),
            _ => shared.path(),
        };
        let begun = || some_blocks(dir);
        wait_for("a few blocks", begun);
        let addr = server.kill();
        let server = Server::at(shared.path(), &addr.to_string());
        wait_for("the client's end", || child.try_wait().unwrap().is_some());
        assert!(child.wait().unwrap().success(), "{args:?}");
        drop(server);
        let (one, other) = (shared.path().join(args[1]), state.path().join(args[1]));
        assert_eq!(hash(&one), hash(&other), "{args:?}");
        let left = std::fs::read_dir(dir).unwrap();
        let left = left.filter(|entry| {
            let name = entry.as_ref().unwrap().file_name();
            name.to_str().unwrap().starts_with(".ferrydeck")
        });
        assert_eq!(left.count(), 0);
    }
}

#[test]
fn an_upload_killed_goes_on_from_what_was_checked() {
    let (shared, state) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let size = 12 * BLOCK + 99;
    let local = state.path().join("a");
    std::fs::write(&local, noise(size, 1)).unwrap();
    let server = Server::start(shared.path());
    let target = server.url("b");
    let args = ["put", text(&local), &target, "--limit", "20M"];
    let mut first = client(state.path(), &args).spawn().unwrap();
    let noted = || some_blocks(shared.path());
    wait_for("a few blocks", noted);
    first.kill().unwrap();
    first.wait().unwrap();
    assert!(!shared.path().join("b").exists());
    // The server lets go of the part when it has seen the end of the line.
    let mut said = String::new();
    wait_for("the second try", || {
        let again = run(state.path(), &["put", text(&local), &target, "--json"]);
        said = String::from_utf8(again.stdout).unwrap();
        again.status.success()
    });
    assert_eq!(hash(&shared.path().join("b")), hash(&local));
    let ended = said.lines().last().unwrap();
    let ended: Value = serde_json::from_str(ended).unwrap();
    assert_eq!(ended["outcome"], "complete_hash", "{said}");
    let names: Vec<_> = std::fs::read_dir(shared.path()).unwrap().collect();
    assert_eq!(names.len(), 1, "{names:?}");
}

/// A relay in front of a server that may spoil what the server says; it counts that.
fn relay(
    server: SocketAddr,
    spoil: impl Fn(usize, (u64, &mut [u8])) + Send + Sync + 'static,
) -> (SocketAddr, Arc<AtomicU64>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap();
    let relayed = Arc::new(AtomicU64::new(0));
    let (counter, spoil) = (Arc::clone(&relayed), Arc::new(spoil));
    let lines = AtomicUsize::new(0);
    std::thread::spawn(move || {
        for near in listener.incoming() {
            let Ok(near) = near else { break };
            let line = lines.fetch_add(1, SeqCst);
            let far = TcpStream::connect(server).unwrap();
            let (mut up, mut to) = (near.try_clone().unwrap(), far.try_clone().unwrap());
            std::thread::spawn(move || {
                let _ = std::io::copy(&mut up, &mut to);
                let _ = to.shutdown(std::net::Shutdown::Write);
            });
            let (counter, spoil) = (Arc::clone(&counter), Arc::clone(&spoil));
            std::thread::spawn(move || down(&far, &near, &counter, |at| spoil(line, at)));
        }
    });
    (addr, relayed)
}

fn down(
    mut far: &TcpStream,
    mut near: &TcpStream,
    counter: &AtomicU64,
    spoil: impl Fn((u64, &mut [u8])),
) {
    let mut buffer = vec![0; 64 << 10];
    let mut at = 0;
    while let Ok(read @ 1..) = far.read(&mut buffer) {
        spoil((at, &mut buffer[..read]));
        at += read as u64;
        counter.fetch_add(read as u64, SeqCst);
        if near.write_all(&buffer[..read]).is_err() {
            break;
        }
    }
    let _ = near.shutdown(std::net::Shutdown::Both);
    let _ = far.shutdown(std::net::Shutdown::Both);
}

#[test]
fn a_byte_flipped_on_the_wire_costs_exactly_one_block() {
    let (shared, state) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let size = 5 * BLOCK + 17;
    std::fs::write(shared.path().join("a"), noise(size, 1)).unwrap();
    let server = Server::start(shared.path());
    // In the middle of the second block of the first line.
    let spoilt = 6 << 20;
    let (addr, relayed) = relay(server.addr, move |line, (at, bytes)| {
        let within = |at: u64| usize::try_from(spoilt - at).unwrap();
        if line == 0 && (at..at + bytes.len() as u64).contains(&spoilt) {
            bytes[within(at)] ^= 0x10;
        }
    });
    let said = well(state.path(), &["get", &url(addr, "a")]);
    assert!(said.contains("complete (hash)"), "{said}");
    assert_eq!(
        hash(&state.path().join("a")),
        hash(&shared.path().join("a"))
    );
    // The file, one block of it again, and a few frames around.
    let over = relayed.load(SeqCst) - size;
    assert!((BLOCK..BLOCK + 4_096).contains(&over), "{over} bytes more");
}

/// A relay that counts what goes up on each line, and cuts a line behind so many bytes.
fn upward(
    server: SocketAddr,
    cut: impl Fn(usize) -> Option<u64> + Send + 'static,
) -> (SocketAddr, Arc<Mutex<Vec<u64>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap();
    let counts = Arc::new(Mutex::new(Vec::new()));
    let counted = Arc::clone(&counts);
    std::thread::spawn(move || {
        for near in listener.incoming() {
            let Ok(near) = near else { break };
            let Ok(far) = TcpStream::connect(server) else {
                continue;
            };
            let line = {
                let mut counts = counted.lock().unwrap();
                counts.push(0);
                counts.len() - 1
            };
            let (cut, counted) = (cut(line), Arc::clone(&counted));
            let (mut back, mut to) = (far.try_clone().unwrap(), near.try_clone().unwrap());
            std::thread::spawn(move || std::io::copy(&mut back, &mut to));
            std::thread::spawn(move || {
                let (mut near, mut far) = (near, far);
                let mut buffer = vec![0; 64 << 10];
                while let Ok(read @ 1..) = near.read(&mut buffer) {
                    let up = {
                        let mut counts = counted.lock().unwrap();
                        counts[line] += read as u64;
                        counts[line]
                    };
                    if cut.is_some_and(|cut| up > cut) || far.write_all(&buffer[..read]).is_err() {
                        break;
                    }
                }
                let _ = near.shutdown(std::net::Shutdown::Both);
                let _ = far.shutdown(std::net::Shutdown::Both);
            });
        }
    });
    (addr, counts)
}

/// Sends a file of 80 MiB through such a relay; the bytes that went up on each line. The
/// first line has announced it.
fn sent_through(cut: impl Fn(usize) -> Option<u64> + Send + 'static) -> (u64, Vec<u64>) {
    let (shared, state) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let size = 20 * BLOCK + 99;
    std::fs::write(state.path().join("a"), noise(size, 1)).unwrap();
    let server = Server::start(shared.path());
    // One looks first whether the target is a folder, and says no more than that.
    let cut = move |line: usize| line.checked_sub(1).and_then(&cut);
    let (through, counts) = upward(server.addr, cut);
    let args = ["put", "a", &url(through, "a"), "--limit", "80M"];
    let said = well(state.path(), &args);
    assert!(said.contains("complete (hash)"), "{said}");
    assert_eq!(
        hash(&shared.path().join("a")),
        hash(&state.path().join("a"))
    );
    let names: Vec<_> = std::fs::read_dir(shared.path()).unwrap().collect();
    assert_eq!(names.len(), 1, "{names:?}");
    let mut counts = counts.lock().unwrap().clone();
    assert!(counts.remove(0) < 100);
    (size, counts)
}

#[test]
fn a_large_upload_goes_over_four_lines() {
    let (size, lines) = sent_through(|_| None);
    assert_eq!(lines.len(), 4, "{lines:?}");
    assert!(lines.iter().all(|up| *up > BLOCK), "{lines:?}");
    let all: u64 = lines.iter().sum();
    assert!((size..size + (16 << 10)).contains(&all), "{lines:?}");
}

#[test]
fn a_line_that_breaks_leaves_its_share_to_the_others() {
    let (size, lines) = sent_through(|line| (line == 2).then_some(6 << 20));
    assert!(lines.len() >= 4, "{lines:?}");
    let all: u64 = lines.iter().sum();
    // Its broken block, and what the kernel had taken on the way.
    assert!(all < size + 4 * BLOCK, "{lines:?}");
}

#[test]
fn an_upload_whose_first_line_breaks_goes_on() {
    let (size, lines) = sent_through(|line| (line == 0).then_some(6 << 20));
    assert!(lines.len() >= 5, "{lines:?}");
    let all: u64 = lines.iter().sum();
    // Of each line a block that was not whole, and what the kernel had taken.
    assert!(all < size + 4 * 3 * BLOCK, "{lines:?}");
}

#[test]
fn who_may_have_one_line_sends_over_one() {
    let (size, lines) = sent_through(|line| (line > 0).then_some(0));
    let first = lines[0];
    assert!(first > size && first < size + (16 << 10), "{lines:?}");
}

#[test]
fn what_is_replaced_with_the_same_size_and_time_is_noticed() {
    let (shared, state) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let size = 12 * BLOCK;
    let path = shared.path().join("a");
    let old = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000);
    let write = |seed| {
        std::fs::write(&path, noise(size, seed)).unwrap();
        let file = std::fs::File::options().write(true).open(&path).unwrap();
        file.set_modified(old).unwrap();
    };
    write(1);
    let server = Server::start(shared.path());
    let target = server.url("a");
    let args = ["get", &target, "--limit", "20M"];
    let mut first = client(state.path(), &args).spawn().unwrap();
    let noted = || some_blocks(state.path());
    wait_for("a few blocks", noted);
    first.kill().unwrap();
    first.wait().unwrap();
    write(2);
    let again = run(state.path(), &["get", &target]);
    assert!(again.status.success(), "{again:?}");
    let words = String::from_utf8(again.stderr).unwrap();
    assert!(words.contains("has changed on the server"), "{words}");
    assert_eq!(hash(&state.path().join("a")), hash(&path));
}

/// Slower than told is no fault, faster is: each of these takes a second at the least.
#[test]
fn a_limit_is_kept_both_ways_by_large_and_small() {
    let (shared, state) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    std::fs::create_dir(shared.path().join("many")).unwrap();
    for n in 0..40 {
        std::fs::write(shared.path().join(format!("many/{n}")), noise(100_000, n)).unwrap();
    }
    std::fs::write(shared.path().join("one"), noise(4_000_000, 1)).unwrap();
    let server = Server::start(shared.path());
    let here = state.path();
    let (many, one) = (server.url("many"), server.url("one"));
    let (back, other) = (server.url("back"), server.url("other"));
    let runs: [&[&str]; 4] = [
        &["get", "-r", &many],
        &["get", &one],
        &["put", "-r", "many", &back],
        &["put", "one", &other],
    ];
    for args in runs {
        let began = Instant::now();
        well(here, &[args, &["--limit", "3M"]].concat());
        let took = began.elapsed();
        assert!(took > Duration::from_secs(1), "{args:?}: {took:?}");
    }
    assert_eq!(
        tree(&shared.path().join("back")),
        tree(&shared.path().join("many"))
    );
}

/// A folder has no end of its own in what a script reads: its files have.
#[test]
fn a_folder_is_no_transfer_in_json() {
    let (shared, state) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    std::fs::create_dir_all(shared.path().join("d/e")).unwrap();
    std::fs::write(shared.path().join("d/a"), b"a").unwrap();
    std::fs::write(shared.path().join("d/e/b"), noise(BLOCK + 1, 1)).unwrap();
    let server = Server::start(shared.path());
    let url = server.url("d");
    let back = server.url("back");
    for args in [["get", "-r", &url], ["put", "-r", "d"]] {
        let to: &[&str] = if args[0] == "put" { &[&back] } else { &[] };
        let said = well(state.path(), &[&args[..], to, &["--json"]].concat());
        let events: Vec<Value> = said
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        let ended = events.iter().filter(|e| e["event"] == "transfer_ended");
        let mut ends: Vec<(&str, u64)> = ended
            .map(|end| {
                assert_eq!(end["outcome"], "complete_hash", "{end}");
                assert_eq!(end["bytes"], end["size"], "{end}");
                (
                    end["path"].as_str().unwrap(),
                    end["bytes"].as_u64().unwrap(),
                )
            })
            .collect();
        ends.sort_unstable();
        let sizes: Vec<u64> = ends.iter().map(|end| end.1).collect();
        assert_eq!(sizes, [1, BLOCK + 1], "{said}");
        let started = events.iter().filter(|e| e["event"] == "transfer_started");
        assert_eq!(started.count(), 2, "{said}");
    }
}

#[test]
fn hashes_folders_names_and_deletions() {
    let (shared, state) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    for n in 0..100 {
        std::fs::write(shared.path().join(format!("f{n}")), noise(n * 1_000, n)).unwrap();
    }
    std::fs::write(shared.path().join("large"), noise(2 * BLOCK + 1, 5)).unwrap();
    let server = Server::start(shared.path());
    let (state, at) = (state.path(), |path: &str| server.url(path));
    let said = well(state, &["ls", "--hash", "--json", &at("")]);
    assert_eq!(said.lines().count(), 101);
    for line in said.lines() {
        let row: Value = serde_json::from_str(line).unwrap();
        let name = row["name"].as_str().unwrap();
        assert_eq!(row["hash"], hash(&shared.path().join(name)), "{name}");
    }
    well(state, &["mkdir", &at("d")]);
    well(state, &["mkdir", &at("d/e")]);
    std::fs::write(shared.path().join("d/e/one"), "one").unwrap();
    for path in ["large", "d/e/one"] {
        let said = well(state, &["ls", "--hash", "--json", &at(path)]);
        let row: Value = serde_json::from_str(&said).unwrap();
        assert_eq!(row["hash"], hash(&shared.path().join(path)), "{path}");
    }
    std::fs::remove_file(shared.path().join("d/e/one")).unwrap();
    assert_eq!(run(state, &["mkdir", &at("d")]).status.code(), Some(1));
    well(state, &["mv", &at("large"), "/d/e/moved"]);
    assert!(shared.path().join("d/e/moved").exists());
    let refused = run(state, &["rm", &at("d")]);
    assert_eq!(refused.status.code(), Some(1));
    let words = String::from_utf8(refused.stderr).unwrap();
    assert!(words.contains("not empty"), "{words}");
    let said = well(state, &["rm", "-r", &at("d")]);
    assert_eq!(said, "deleted 1 file and 2 folders\n");
    assert!(!shared.path().join("d").exists());
    well(state, &["rm", &at("f7")]);
    assert!(!shared.path().join("f7").exists());
}

#[test]
fn a_taken_name_there_is_treated_as_told() {
    let (shared, state) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    for size in [100, BLOCK + 5] {
        let (old, new) = (noise(size, 1), noise(size, 2));
        let there = shared.path().join("a");
        std::fs::write(&there, &old).unwrap();
        std::fs::write(state.path().join("a"), &new).unwrap();
        let server = Server::start(shared.path());
        let put = |clash: &[&str]| {
            let target = server.url("");
            run(state.path(), &[&["put", "a", &target], clash].concat())
        };
        let refused = put(&[]);
        assert_eq!(refused.status.code(), Some(1));
        assert!(std::fs::read(&there).unwrap() == old);
        assert!(put(&["--on-clash", "skip"]).status.success());
        assert!(std::fs::read(&there).unwrap() == old);
        assert!(put(&["--on-clash", "rename"]).status.success());
        assert!(std::fs::read(shared.path().join("a (1)")).unwrap() == new);
        assert!(put(&["--on-clash", "overwrite"]).status.success());
        assert!(std::fs::read(&there).unwrap() == new);
        std::fs::remove_file(shared.path().join("a (1)")).unwrap();
    }
}

#[test]
fn a_folder_is_not_moved_by_mistake() {
    let (shared, state) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    std::fs::create_dir(shared.path().join("d")).unwrap();
    std::fs::create_dir(state.path().join("d")).unwrap();
    let server = Server::start(shared.path());
    for args in [vec!["get", "URL"], vec!["put", "d", "URL"]] {
        let url = server.url("d");
        let args: Vec<&str> = args
            .iter()
            .map(|word| if *word == "URL" { url.as_str() } else { word })
            .collect();
        let refused = run(state.path(), &[&args[..], &["--on-clash", "fail"]].concat());
        assert_eq!(refused.status.code(), Some(1), "{args:?}");
    }
    std::fs::remove_dir(state.path().join("d")).unwrap();
    let refused = run(state.path(), &["get", &server.url("d")]);
    let words = String::from_utf8(refused.stderr).unwrap();
    assert!(words.contains("-r fetches it"), "{words}");
}
