//! deck inside TLS, from outside: codes, pins, peers, and everybody who must not come in.
//!
//! The whole binary on loopback, with state folders of its own, against itself and against
//! peers written by hand on rustls and, where it is there, Python's ssl. What must be
//! refused is looked for twice: what the peer hears, and what the operator is told.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "a test that cannot set its scene has failed"
)]

mod pty;

use std::collections::BTreeSet;
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::{IpAddr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::sync::mpsc::{self, Receiver};
use std::time::{Duration, Instant};

use assert_fs::TempDir;
use ferrydeck::entity::{Dialect, RemotePath, Rights};
use ferrydeck::net::auth::{Code, Session, Side};
use ferrydeck::net::pipe::Known;
use ferrydeck::net::tls::{Identity, know};
use ferrydeck::net::wire::client_codec;
use ferrydeck::net::wire::codec::{
    Answer, Check, ClientCodec, Detail, Mac, Pace, Refusal, Request, Taken, Terms, Version,
};
use rustix::process::{Pid, Signal, kill_process};
use rustls::Connection;
use serde_json::Value;

const BIN: &str = env!("CARGO_BIN_EXE_ferrydeck");
const DEADLINE: Duration = Duration::from_secs(20);
const WRONG: &str = "0000-0000-0000-0000";

/// Says why a test does nothing here; a failure where everything is required.
fn skip(lack: &str) {
    let required = std::env::var("FERRYDECK_REQUIRE_ALL").is_ok_and(|all| all == "1");
    assert!(!required, "needs {lack}");
    eprintln!("skipped: needs {lack}");
}

/// Three folders: what is served, the server's state, the client's.
struct Scene {
    dir: TempDir,
}

impl Scene {
    fn new() -> Self {
        let dir = TempDir::new().unwrap();
        std::fs::create_dir(dir.path().join("served")).unwrap();
        std::fs::write(dir.path().join("served/a.txt"), "hi\n").unwrap();
        Self { dir }
    }

    fn served(&self) -> PathBuf {
        self.dir.path().join("served")
    }

    fn servers(&self) -> PathBuf {
        self.dir.path().join("server state")
    }

    fn clients(&self) -> PathBuf {
        self.dir.path().join("client state")
    }

    fn serve(&self, more: &[&str]) -> Server {
        Server::start(&self.served(), &self.servers(), more)
    }

    /// The client: exit code, stdout, stderr.
    fn run(&self, args: &[&str], env: &[(&str, &str)]) -> (Option<i32>, String, String) {
        run(&self.clients(), self.dir.path(), args, env)
    }

    /// The operator, at the server's state.
    fn peers(&self, args: &[&str]) -> (Option<i32>, String, String) {
        let words: Vec<&str> = ["peers"].iter().chain(args).copied().collect();
        run(&self.servers(), self.dir.path(), &words, &[])
    }

    fn peer_files(&self) -> usize {
        files(&self.servers().join("peers"))
    }

    fn server_files(&self) -> usize {
        files(&self.clients().join("servers"))
    }
}

fn files(folder: &Path) -> usize {
    std::fs::read_dir(folder).map_or(0, Iterator::count)
}

fn run(
    state: &Path,
    dir: &Path,
    args: &[&str],
    env: &[(&str, &str)],
) -> (Option<i32>, String, String) {
    let output = Command::new(BIN)
        .args(args)
        .env("FERRYDECK_STATE_DIR", state)
        .envs(env.iter().copied())
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

/// A headless server, killed when dropped.
struct Server {
    child: Child,
    addrs: Vec<SocketAddr>,
    lines: Receiver<Value>,
    errors: Receiver<String>,
    code: String,
    seen: Vec<Value>,
}

impl Server {
    fn start(folder: &Path, state: &Path, more: &[&str]) -> Self {
        let listens = more.iter().filter(|word| **word == "--listen").count();
        let usual: &[&str] = match listens {
            0 => &["--listen", "deck+tls@127.0.0.1:0"],
            _ => &[],
        };
        let mut child = Command::new(BIN)
            .arg("serve")
            .arg(folder)
            .args(usual)
            .args(more)
            .args(["--headless", "--format", "json"])
            .env("FERRYDECK_STATE_DIR", state)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let out = BufReader::new(child.stdout.take().unwrap());
        let (tell, lines) = mpsc::channel();
        std::thread::spawn(move || {
            for line in out.lines() {
                let value: Value = serde_json::from_str(&line.unwrap()).unwrap();
                if tell.send(value).is_err() {
                    break;
                }
            }
        });
        let err = BufReader::new(child.stderr.take().unwrap());
        let (tell, errors) = mpsc::channel();
        std::thread::spawn(move || {
            for line in err.lines() {
                if tell.send(line.unwrap()).is_err() {
                    break;
                }
            }
        });
        let mut server = Self {
            child,
            addrs: Vec::new(),
            lines,
            errors,
            code: String::new(),
            seen: Vec::new(),
        };
        for _ in 0..listens.max(1) {
            let told = server.until(|told| told["event"] == "listening");
            server
                .addrs
                .push(told["addr"].as_str().unwrap().parse().unwrap());
        }
        server
    }

    fn addr(&self) -> SocketAddr {
        self.addrs[0]
    }

    fn url(&self, path: &str) -> String {
        format!("deck+tls://{}/{path}", self.addr())
    }

    /// The next line on stderr that holds a code.
    fn next_code(&mut self) -> String {
        let line = self.errors.recv_timeout(DEADLINE).unwrap();
        let (before, code) = line.split_once(" code ").unwrap();
        assert!(
            before.contains(&self.url("")[..self.url("").len() - 1]),
            "{line}"
        );
        code.clone_into(&mut self.code);
        self.code.clone()
    }

    /// Waits for an event that is meant; all on the way are kept.
    fn until(&mut self, meant: impl Fn(&Value) -> bool) -> Value {
        loop {
            let value = self.lines.recv_timeout(DEADLINE);
            let value = value.unwrap_or_else(|_| panic!("not told after {:#?}", self.seen));
            self.seen.push(value.clone());
            if meant(&value) {
                return value;
            }
        }
    }

    fn cause(&mut self, event: &str, cause: &str) -> Value {
        self.until(|told| told["event"] == event && told["cause"] == cause)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A key of its own.
fn stranger() -> Identity {
    let dir = TempDir::new().unwrap();
    Identity::open(dir.path()).unwrap()
}

/// One end of a session, written by hand: plain blocking rustls.
struct Peer {
    tcp: TcpStream,
    tls: Connection,
    known: Known,
    codec: Box<dyn ClientCodec>,
    input: Vec<u8>,
}

impl Peer {
    fn over(mut tcp: TcpStream, mut tls: Connection) -> io::Result<Self> {
        tcp.set_read_timeout(Some(DEADLINE)).unwrap();
        tcp.set_nodelay(true).unwrap();
        while tls.is_handshaking() {
            tls.complete_io(&mut tcp)?;
        }
        let known = know(&tls).map_err(io::Error::other)?;
        Ok(Self {
            tcp,
            tls,
            known,
            codec: client_codec(Dialect::DeckTls),
            input: Vec::new(),
        })
    }

    fn call(addr: SocketAddr, identity: &Identity) -> Self {
        let tcp = TcpStream::connect(addr).unwrap();
        Self::over(tcp, identity.call(None).unwrap()).unwrap()
    }

    fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.tls.writer().write_all(bytes)?;
        while self.tls.wants_write() {
            self.tls.write_tls(&mut self.tcp)?;
        }
        Ok(())
    }

    /// Bytes that are here, at least one; none at a close in good order.
    fn hear(&mut self) -> io::Result<Vec<u8>> {
        loop {
            match self.tls.reader().into_first_chunk() {
                Ok(heard) => {
                    let heard = heard.to_vec();
                    self.tls.reader().consume(heard.len());
                    return Ok(heard);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
            self.tls.read_tls(&mut self.tcp)?;
            self.tls.process_new_packets().map_err(io::Error::other)?;
        }
    }

    fn say(&mut self, request: &Request) {
        let mut out = Vec::new();
        self.codec.ask(request, &mut out).unwrap();
        self.send(&out).unwrap();
    }

    fn answer(&mut self) -> Option<Answer> {
        loop {
            if let Some((used, answer)) = self.codec.decode(&self.input).unwrap() {
                self.input.drain(..used);
                return Some(answer);
            }
            match self.hear() {
                Ok(heard) if !heard.is_empty() => self.input.extend(heard),
                _ => return None,
            }
        }
    }

    /// What comes though nothing was asked.
    fn answer_unasked(&mut self) -> Option<Answer> {
        let heard = self.hear().ok().filter(|heard| !heard.is_empty())?;
        self.input.extend(heard);
        self.answer()
    }

    fn ask(&mut self, request: &Request) -> Option<Answer> {
        self.say(request);
        self.answer()
    }

    /// What a client with this key proves over this session.
    fn proof(&self, code: &str, identity: &Identity) -> Mac {
        let session = Session {
            exporter: self.known.exporter,
            server: &self.known.key,
            client: identity.key(),
        };
        Code::parse(code).unwrap().prove(Side::Client, &session)
    }

    fn prove(&mut self, proof: Mac) -> Option<Answer> {
        self.ask(&prove(proof))
    }
}

fn prove(proof: Mac) -> Request {
    Request::Prove {
        proof,
        name: "by hand".into(),
    }
}

fn hello() -> Request {
    Request::Hello {
        name: "by hand".into(),
    }
}

fn list() -> Request {
    Request::List {
        path: RemotePath::root(),
    }
}

fn refusal(answer: Option<Answer>) -> Refusal {
    match answer {
        Some(Answer::Refused { refusal }) => refusal,
        other => panic!("{other:?}"),
    }
}

/// A server written by hand: one connection after another.
fn fake(mut serve: impl FnMut(Peer) + Send + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap();
    let identity = stranger();
    std::thread::spawn(move || {
        for tcp in listener.incoming() {
            if let Ok(peer) = Peer::over(tcp.unwrap(), identity.accept().unwrap()) {
                serve(peer);
            }
        }
    });
    addr
}

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().mode() & 0o777
}

/// Every file and folder below, with its mode.
fn modes(folder: &Path) -> BTreeSet<(u32, bool)> {
    let mut found = BTreeSet::from([(mode(folder), true)]);
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(modes(&path));
        } else {
            found.insert((mode(&path), false));
        }
    }
    found
}

#[test]
fn the_code_is_asked_for_once_and_then_keys_are_known() {
    let scene = Scene::new();
    let mut server = scene.serve(&[]);
    let code = server.next_code();
    let url = server.url("");
    let (exit, out, err) = scene.run(&["ls", &url], &[]);
    assert_eq!((exit, out.as_str()), (Some(1), ""));
    assert!(
        err.contains("FERRYDECK_CODE") && err.contains("--code-file"),
        "{err}"
    );
    assert_eq!((scene.peer_files(), scene.server_files()), (0, 0));

    let typed = code.to_lowercase().replace('-', " ");
    let (exit, out, err) = scene.run(&["ls", &url], &[("FERRYDECK_CODE", &typed)]);
    assert_eq!(exit, Some(0), "{err}");
    assert!(out.contains("a.txt"), "{out}");
    assert_eq!((scene.peer_files(), scene.server_files()), (1, 1));
    let paired = server.cause("note", "paired");
    assert_eq!(paired["dialect"], "deck+tls");

    let (exit, _, err) = scene.run(&["get", &server.url("a.txt")], &[]);
    assert_eq!(exit, Some(0), "{err}");
    let got = std::fs::read_to_string(scene.dir.path().join("a.txt"));
    assert_eq!(got.unwrap(), "hi\n");

    // Another client, by a file.
    let other = Scene::new();
    let file = other.dir.path().join("code");
    std::fs::write(&file, format!("{code}\n")).unwrap();
    std::fs::set_permissions(&file, PermissionsExt::from_mode(0o600)).unwrap();
    let words = ["ls", &url, "--code-file", file.to_str().unwrap()];
    let (exit, _, err) = other.run(&words, &[]);
    assert_eq!(exit, Some(0), "{err}");
    assert_eq!(scene.peer_files(), 2);

    for state in [scene.servers(), scene.clients()] {
        assert_eq!(
            modes(&state),
            BTreeSet::from([(0o600, false), (0o700, true)])
        );
    }
    // The code is no event, and neither is a key of ours.
    server.cause("note", "paired");
    let told = format!("{:?}", server.seen);
    assert!(!told.contains(&code) && !told.contains(&code.replace('-', "")));
    assert!(!told.contains("PRIVATE"));
    assert!(server.errors.try_recv().is_err(), "one line on stderr");

    // A server started anew has a new code, and knows its peers.
    drop(server);
    let mut server = scene.serve(&["--listen", &format!("deck+tls@{}", &url[11..url.len() - 1])]);
    assert_ne!(server.next_code(), code);
    let (exit, _, err) = scene.run(&["ls", &url], &[]);
    assert_eq!(exit, Some(0), "{err}");
}

#[test]
fn a_code_is_typed_without_an_echo() {
    let scene = Scene::new();
    let mut server = scene.serve(&[]);
    let code = server.next_code();
    let url = server.url("");
    let mut terminal = pty::Pty::start(Path::new(BIN), &["ls", &url], scene.dir.path(), (100, 20));
    terminal.until("the question", |text| text.contains("Its code:"));
    terminal.keys("nonsense\r");
    terminal.until("what is wrong", |text| text.contains("this has 8"));
    terminal.keys(&format!("{WRONG}\r"));
    terminal.until("once more", |text| text.contains("not its code"));
    terminal.keys(&format!("{code}\r"));
    terminal.until("the listing", |text| text.contains("a.txt"));
    let shown = String::from_utf8_lossy(&terminal.raw()).into_owned();
    assert!(!shown.contains(&code) && !shown.contains(WRONG), "{shown}");
    // On a screen of its own: asked before it is up.
    std::fs::remove_dir_all(scene.dir.path().join("state")).unwrap();
    let mut terminal = pty::Pty::start(
        Path::new(BIN),
        &["connect", &url],
        scene.dir.path(),
        (100, 20),
    );
    terminal.until("the question", |text| text.contains("Its code:"));
    assert!(!terminal.is_full_screen());
    terminal.keys(&format!("{code}\r"));
    terminal.until("the screen", |text| text.contains("a.txt"));
    assert!(terminal.is_full_screen());
    terminal.keys("q");
}

#[test]
fn a_wrong_code_pins_nobody_and_five_are_a_ban() {
    let scene = Scene::new();
    let mut server = scene.serve(&[]);
    let code = server.next_code();
    let (exit, _, err) = scene.run(&["ls", &server.url("")], &[("FERRYDECK_CODE", WRONG)]);
    assert_eq!(exit, Some(1));
    assert!(err.contains("code is not right"), "{err}");
    server.cause("refused", "wrong_code");
    let identity = stranger();
    let mut guessing: Vec<Peer> = (0..4)
        .map(|_| Peer::call(server.addr(), &identity))
        .collect();
    for peer in &mut guessing {
        let proof = peer.proof(WRONG, &identity);
        peer.say(&prove(proof));
        server.cause("refused", "wrong_code");
    }
    // Even the right one now; and side by side gained nothing.
    let mut late = Peer::call(server.addr(), &identity);
    let proof = late.proof(&code, &identity);
    assert_eq!(refusal(late.prove(proof)), Refusal::Banned);
    assert_eq!(late.answer(), None, "and that is the end of it");
    server.cause("refused", "banned");
    let (exit, _, err) = scene.run(&["ls", &server.url("")], &[("FERRYDECK_CODE", &code)]);
    assert_eq!(exit, Some(1));
    assert!(err.contains("too many wrong codes"), "{err}");
    assert_eq!((scene.peer_files(), scene.server_files()), (0, 0));
}

#[test]
fn a_hundred_wrong_codes_cost_the_code() {
    let scene = Scene::new();
    let mut server = scene.serve(&[]);
    let old = server.next_code();
    let identity = stranger();
    let mut guessing = Vec::new();
    for guess in 0..100_u8 {
        let from = SocketAddr::from(([127, 0, 1, guess + 1], 0));
        let Ok(socket) = call_from(from, server.addr()) else {
            return skip("all of 127/8 on loopback");
        };
        let mut peer = Peer::over(socket, identity.call(None).unwrap()).unwrap();
        let proof = peer.proof(WRONG, &identity);
        peer.say(&prove(proof));
        guessing.push(peer);
    }
    server.cause("note", "code_rotated");
    let new = server.next_code();
    assert_ne!(old, new);
    let (exit, _, _) = scene.run(&["ls", &server.url("")], &[("FERRYDECK_CODE", &old)]);
    assert_eq!(exit, Some(1));
    let (exit, _, err) = scene.run(&["ls", &server.url("")], &[("FERRYDECK_CODE", &new)]);
    assert_eq!(exit, Some(0), "{err}");
    assert!(!format!("{:?}", server.seen).contains(&new));
}

fn call_from(from: SocketAddr, to: SocketAddr) -> io::Result<TcpStream> {
    use socket2::{Domain, Socket, Type};
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    socket.bind(&from.into())?;
    socket.connect(&to.into())?;
    Ok(socket.into())
}

#[test]
fn a_replayed_proof_is_worth_nothing() {
    let scene = Scene::new();
    let mut server = scene.serve(&[]);
    let code = server.next_code();
    let identity = stranger();
    let mut first = Peer::call(server.addr(), &identity);
    let proof = first.proof(&code, &identity);
    // The same key, the same server, another session.
    let mut second = Peer::call(server.addr(), &identity);
    assert_eq!(refusal(second.prove(proof)), Refusal::WrongCode);
    server.cause("refused", "wrong_code");
    // Another key in a session of its own.
    let other = stranger();
    let mut third = Peer::call(server.addr(), &other);
    assert_eq!(refusal(third.prove(proof)), Refusal::WrongCode);
    assert_eq!(scene.peer_files(), 0);
    // Where it belongs, it is right.
    assert!(matches!(first.prove(proof), Some(Answer::Proof(_))));
    assert_eq!(scene.peer_files(), 1);
}

#[test]
fn a_server_that_sends_the_proof_back_is_no_server() {
    let scene = Scene::new();
    let addr = fake(|mut peer| {
        // The frame of a client's proof, taken for the server's: all it has.
        let Ok(heard) = peer.hear() else { return };
        let mut reflected = b"\x49\x7e\x29\x00\x00\x00\x24\xa1\x00\x58\x20".to_vec();
        reflected.extend_from_slice(&heard[11..43]);
        let _ = peer.send(&reflected);
        let _ = peer.hear();
    });
    let url = format!("deck+tls://{addr}/");
    let (exit, _, err) = scene.run(&["ls", &url], &[("FERRYDECK_CODE", WRONG)]);
    assert_eq!(exit, Some(1));
    assert!(err.contains("does not know the code"), "{err}");
    assert_eq!(scene.server_files(), 0);
}

#[test]
fn somebody_in_between_gets_nothing_through() {
    let scene = Scene::new();
    let mut server = scene.serve(&[]);
    let code = server.next_code();
    let target = server.addr();
    let relay = stranger();
    // Hands every frame on, both ways, over two sessions of its own.
    let addr = fake(move |mut near| {
        let mut far = Peer::call(target, &relay);
        while let Ok(asked) = near.hear() {
            if asked.is_empty() || far.send(&asked).is_err() {
                return;
            }
            match far.hear() {
                Ok(answer) if !answer.is_empty() => near.send(&answer).unwrap(),
                _ => return,
            }
        }
    });
    let url = format!("deck+tls://{addr}/");
    let (exit, _, err) = scene.run(&["ls", &url], &[("FERRYDECK_CODE", &code)]);
    assert_eq!(exit, Some(1));
    assert!(err.contains("code is not right"), "{err}");
    server.cause("refused", "wrong_code");
    assert_eq!((scene.peer_files(), scene.server_files()), (0, 0));
}

#[test]
fn a_server_with_a_new_key_is_a_hard_stop_that_shows_both() {
    let scene = Scene::new();
    let mut server = scene.serve(&[]);
    let code = server.next_code();
    let (addr, url) = (server.addr(), server.url(""));
    let (exit, _, err) = scene.run(&["ls", &url], &[("FERRYDECK_CODE", &code)]);
    assert_eq!(exit, Some(0), "{err}");
    let old = Identity::open(&scene.servers()).unwrap().pin();
    drop(server);
    std::fs::remove_file(scene.servers().join("identity.pem")).unwrap();
    let mut server = scene.serve(&["--listen", &format!("deck+tls@{addr}")]);
    let new = Identity::open(&scene.servers()).unwrap().pin();
    let code = server.next_code();
    for args in [["ls", &url], ["get", &server.url("a.txt")]] {
        // The right code does not help: this is for a person to look at.
        let (exit, out, err) = scene.run(&args, &[("FERRYDECK_CODE", &code)]);
        assert_eq!((exit, out.as_str()), (Some(1), ""));
        assert!(
            err.contains(&old.to_string()) && err.contains(&new.to_string()),
            "{err}"
        );
        let told = server.until(|told| told["event"] == "closed");
        assert_eq!(told["cause"], "refused", "{told}");
    }
    assert!(
        !server.seen.iter().any(|told| told["event"] == "request"),
        "nothing was said"
    );
    // A person has looked.
    let (exit, _, err) = scene.run(&["peers", "forget", &old.to_string()[..8]], &[]);
    assert_eq!(exit, Some(0), "{err}");
    let (exit, _, err) = scene.run(&["ls", &url], &[("FERRYDECK_CODE", &code)]);
    assert_eq!(exit, Some(0), "{err}");
}

/// A peer that is paired, and has said hello.
fn paired(server: &mut Server, identity: &Identity) -> (Peer, Rights) {
    let code = match server.code.as_str() {
        "" => server.next_code(),
        code => code.to_owned(),
    };
    let mut peer = Peer::call(server.addr(), identity);
    let proof = peer.proof(&code, identity);
    assert!(matches!(peer.prove(proof), Some(Answer::Proof(_))));
    let rights = welcome(peer.ask(&hello()));
    (peer, rights)
}

fn welcome(answer: Option<Answer>) -> Rights {
    match answer {
        Some(Answer::Welcome(welcome)) => welcome.rights,
        other => panic!("{other:?}"),
    }
}

#[test]
fn who_is_not_paired_may_ask_for_nothing() {
    let scene = Scene::new();
    let mut server = scene.serve(&[]);
    let code = server.next_code();
    let identity = stranger();
    let mut peer = Peer::call(server.addr(), &identity);
    assert_eq!(refusal(peer.ask(&hello())), Refusal::Unpaired);
    server.cause("refused", "unpaired");
    // And may prove the code then.
    let proof = peer.proof(&code, &identity);
    assert!(matches!(peer.prove(proof), Some(Answer::Proof(_))));
    welcome(peer.ask(&hello()));
    assert!(matches!(peer.ask(&list()), Some(Answer::Page(_))));
}

/// A small file that is sent unasked, frames and all.
fn eager(codec: &mut dyn ClientCodec, name: &str, content: &[u8], out: &mut Vec<u8>) {
    let put = Request::Store {
        path: RemotePath::from(name),
        size: content.len() as u64,
        terms: Box::new(Terms {
            source: Version::from([7; 56]),
            mtime: None,
            taken: Taken::Refuse,
            check: Check::None,
            pace: Pace::Eager,
        }),
    };
    codec.ask(&put, out).unwrap();
    codec.block(0, content.len() as u64, out);
    out.extend_from_slice(content);
    codec.seal(None, out);
    codec.close(Ok(None), out);
}

#[test]
fn what_a_stranger_sends_unasked_is_refused_and_no_fault() {
    let scene = Scene::new();
    let mut server = scene.serve(&["--allow-upload"]);
    let identity = stranger();
    let mut peer = Peer::call(server.addr(), &identity);
    // All at once, as a client does that counts on being known.
    let mut out = Vec::new();
    peer.codec.greet("by hand", &mut out);
    peer.codec.ask(&list(), &mut out).unwrap();
    eager(&mut *peer.codec, "sent", b"unasked", &mut out);
    eager(&mut *peer.codec, "more", b"unasked", &mut out);
    peer.send(&out).unwrap();
    assert_eq!(refusal(peer.answer()), Refusal::Unpaired);
    assert_eq!(refusal(peer.answer()), Refusal::Unpaired);
    assert_eq!(refusal(peer.answer()), Refusal::Unpaired);
    assert_eq!(peer.answer(), None, "closed: nobody reads its payload");
    let closed = server.until(|event| event["event"] == "closed");
    assert_eq!(closed["detail"], "unpaired", "{closed}");
    assert!(
        server
            .seen
            .iter()
            .all(|event| event["event"] != "malformed"),
        "{:?}",
        server.seen
    );
    assert!(!scene.served().join("sent").exists());
}

#[test]
fn grants_hold_at_the_next_request_and_never_beyond_the_flags() {
    let scene = Scene::new();
    let mut server = scene.serve(&["--allow-upload"]);
    let identity = stranger();
    let (mut peer, rights) = paired(&mut server, &identity);
    let flags = Rights {
        upload: true,
        ..Rights::READ_ONLY
    };
    assert_eq!(
        rights, flags,
        "all is granted but to operate, and the flags say less"
    );
    let pin = identity.pin().to_string();
    let short = &pin[..8];
    assert!(matches!(peer.ask(&list()), Some(Answer::Page(_))));
    assert_eq!(scene.peers(&["revoke", short, "read", "upload"]).0, Some(0));
    assert_eq!(refusal(peer.ask(&list())), Refusal::NotAllowed);
    server.cause("refused", "not_granted");
    let mut again = Peer::call(server.addr(), &identity);
    assert_eq!(welcome(again.ask(&hello())).bits(), 0);
    assert_eq!(scene.peers(&["grant", short, "read", "operate"]).0, Some(0));
    assert!(matches!(peer.ask(&list()), Some(Answer::Page(_))));
    let mut again = Peer::call(server.addr(), &identity);
    assert_eq!(welcome(again.ask(&hello())), Rights::READ_ONLY);
    assert_eq!(scene.peers(&["forget", short]).0, Some(0));
    assert_eq!(refusal(peer.ask(&list())), Refusal::Unpaired);
    assert_eq!(peer.answer(), None, "and the connection is closed");
    server.cause("refused", "forgotten");
    assert_eq!(scene.peer_files(), 0);
}

impl Peer {
    /// Drops raw bytes that were announced.
    fn skip(&mut self, mut len: usize) {
        loop {
            let here = len.min(self.input.len());
            self.input.drain(..here);
            len -= here;
            if len == 0 {
                return;
            }
            let heard = self.hear().unwrap();
            assert!(!heard.is_empty(), "closed in the middle");
            self.input.extend(heard);
        }
    }

    /// Reads one stretch to its end: how many bytes it had, or the refusal.
    fn stretch(&mut self) -> Result<u64, Refusal> {
        let mut bytes = 0;
        loop {
            match self.answer() {
                Some(Answer::Stretch { .. } | Answer::Sealed { .. }) => {}
                Some(Answer::Run { len, .. }) => {
                    self.skip(usize::try_from(len).unwrap());
                    bytes += len;
                }
                Some(Answer::Closed { .. }) => return Ok(bytes),
                other => return Err(refusal(other)),
            }
        }
    }
}

fn fetch(name: &str) -> Request {
    Request::Fetch {
        path: RemotePath::from(name),
        offset: 0,
        until: None,
        version: None,
        check: Check::None,
    }
}

#[test]
fn what_was_asked_for_ahead_does_not_outlive_a_revoke() {
    const LARGE: u64 = 64 << 20;
    let scene = Scene::new();
    let large = std::fs::File::create(scene.served().join("large")).unwrap();
    large.set_len(LARGE).unwrap();
    let mut server = scene.serve(&[]);
    let identity = stranger();
    let (mut peer, _) = paired(&mut server, &identity);
    let mut out = Vec::new();
    for name in ["large", "large", "a.txt"] {
        peer.codec.ask(&fetch(name), &mut out).unwrap();
    }
    peer.send(&out).unwrap();
    // Under way, and far more than lies in any buffer is to come.
    assert!(matches!(peer.answer(), Some(Answer::Stretch { .. })));
    let pin = identity.pin().to_string();
    assert_eq!(scene.peers(&["revoke", &pin[..8], "read"]).0, Some(0));
    assert_eq!(peer.stretch(), Ok(LARGE), "what is under way comes whole");
    assert_eq!(peer.stretch(), Err(Refusal::NotAllowed));
    assert_eq!(peer.stretch(), Err(Refusal::NotAllowed));
    server.cause("refused", "not_granted");
}

#[test]
fn an_upload_under_way_does_not_land_behind_a_revoke() {
    let scene = Scene::new();
    let mut server = scene.serve(&["--allow-upload", "--min-free", "0"]);
    for (name, small) in [("small", true), ("large", false)] {
        let identity = stranger();
        let (mut peer, _) = paired(&mut server, &identity);
        let content = vec![7; if small { 100 } else { 1 << 20 }];
        let mut out = Vec::new();
        eager(&mut *peer.codec, name, &content, &mut out);
        let (most, rest) = out.split_at(out.len() - 20);
        for some in most.chunks(16 << 10) {
            peer.send(some).unwrap();
        }
        server.until(|event| event["event"] == "transfer_started");
        let pin = identity.pin().to_string();
        assert_eq!(scene.peers(&["revoke", &pin[..8], "upload"]).0, Some(0));
        peer.send(rest).unwrap();
        assert_eq!(refusal(peer.answer()), Refusal::NotAllowed, "{name}");
        let ended = server.cause("transfer_ended", "not_granted");
        assert_eq!(ended["outcome"], "failed", "{ended}");
        assert!(!scene.served().join(name).exists());
    }
}

/// Whatever the flags allow: without its grant each request is refused, and nothing is done.
#[test]
fn no_request_goes_beyond_its_grant() {
    let scene = Scene::new();
    let mut server = scene.serve(&["--allow-upload", "--allow-rename", "--allow-delete"]);
    let identity = stranger();
    let (mut peer, rights) = paired(&mut server, &identity);
    assert_eq!(rights, Rights::NEWCOMER);
    let pin = identity.pin().to_string();
    let grants = |word: &str, rights: &[&str]| {
        let words = [&[word, &pin[..8]], rights].concat();
        assert_eq!(scene.peers(&words).0, Some(0));
    };
    grants("revoke", &["read", "upload", "rename", "delete"]);
    let path = || RemotePath::from("a.txt");
    let fresh = || RemotePath::from("b");
    let store = |pace| Request::Store {
        path: fresh(),
        size: 0,
        terms: Box::new(Terms {
            source: Version::new(b"mark").unwrap(),
            mtime: None,
            taken: Taken::Refuse,
            check: Check::Blocks,
            pace,
        }),
    };
    let requests = [
        list(),
        Request::Stat { path: path() },
        Request::Get {
            path: path(),
            offset: 0,
            version: None,
        },
        Request::Fetch {
            path: path(),
            offset: 0,
            until: None,
            version: None,
            check: Check::Blocks,
        },
        Request::Tree {
            path: path(),
            version: None,
            detail: Detail::Root,
        },
        store(Pace::Asked),
        Request::MakeFolder { path: fresh() },
        Request::Rename {
            from: path(),
            to: fresh(),
        },
        Request::Delete { path: path() },
    ];
    for request in &requests {
        assert_eq!(refusal(peer.ask(request)), Refusal::NotAllowed);
        server.cause("refused", "not_granted");
    }
    let mut eager = Vec::new();
    peer.codec.ask(&store(Pace::Eager), &mut eager).unwrap();
    peer.codec.close(Ok(None), &mut eager);
    peer.send(&eager).unwrap();
    assert_eq!(refusal(peer.answer()), Refusal::NotAllowed);
    server.cause("refused", "not_granted");
    let names: Vec<_> = std::fs::read_dir(scene.served())
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert_eq!(names, ["a.txt"]);
    // The same connection, granted again.
    grants("grant", &["rename"]);
    assert!(matches!(peer.ask(&requests[7]), Some(Answer::Renamed)));
}

#[test]
fn the_server_that_forgot_us_gets_its_code_again() {
    let scene = Scene::new();
    let mut server = scene.serve(&[]);
    let code = server.next_code();
    let url = server.url("");
    scene.run(&["ls", &url], &[("FERRYDECK_CODE", &code)]);
    let pin = Identity::open(&scene.clients()).unwrap().pin().to_string();
    assert_eq!(scene.peers(&["forget", &pin]).0, Some(0));
    let (exit, _, err) = scene.run(&["ls", &url], &[]);
    assert_eq!(exit, Some(1));
    assert!(err.contains("asks for its code"), "{err}");
    let (exit, _, err) = scene.run(&["ls", &url], &[("FERRYDECK_CODE", &code)]);
    assert_eq!(exit, Some(0), "{err}");
    assert_eq!(scene.run(&["ls", &url], &[]).0, Some(0));
}

#[test]
fn peers_are_listed_named_and_told_apart() {
    let scene = Scene::new();
    let mut server = scene.serve(&[]);
    let identity = stranger();
    drop(paired(&mut server, &identity));
    let pin = identity.pin().to_string();
    let (exit, out, _) = scene.peers(&["list", "--json"]);
    assert_eq!(exit, Some(0));
    let peer: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(
        (&peer["kind"], &peer["name"]),
        (&"peer".into(), &"by hand".into())
    );
    assert_eq!(peer["pin"], pin);
    let rights: Vec<&str> = Rights::NEWCOMER.words().collect();
    assert_eq!(peer["rights"], Value::from(rights));
    let (_, out, _) = scene.peers(&["list"]);
    assert!(out.contains(&pin[..16]) && out.contains("by hand"), "{out}");
    assert_eq!(
        scene
            .peers(&["name", &pin[..8].to_uppercase(), "lab\u{1b}[2J"])
            .0,
        Some(0)
    );
    let (_, out, _) = scene.peers(&["list"]);
    assert!(
        out.contains("lab\\x1b[2J") && !out.contains('\u{1b}'),
        "{out}"
    );
    let unknown = if pin.starts_with('0') {
        "11111111"
    } else {
        "00000000"
    };
    for (args, exit, words) in [
        (&["forget", &pin[..7]][..], 2, "8 to 64"),
        (&["forget", "nothexno"], 2, "hex"),
        (&["forget", unknown], 1, "nobody"),
        (&["grant", &pin[..8]], 2, "RIGHT"),
        (&["grant", &pin[..8], "all"], 2, "all"),
        (&["name", &pin[..8], " "], 2, "empty"),
        (&["revoke", unknown, "read"], 1, "nobody"),
    ] {
        let (code, out, err) = scene.peers(args);
        assert_eq!((code, out.as_str()), (Some(exit), ""), "{args:?}: {err}");
        assert_eq!(err.lines().count(), 1, "{err}");
        assert!(err.contains(words), "{args:?}: {err}");
    }
}

#[test]
fn files_that_are_not_as_they_should_be_stop_the_start() {
    let scene = Scene::new();
    let mut server = scene.serve(&[]);
    let code = server.next_code();
    let url = server.url("");
    assert_eq!(
        scene.run(&["ls", &url], &[("FERRYDECK_CODE", &code)]).0,
        Some(0)
    );
    let serve = [
        "serve",
        "served",
        "--headless",
        "--listen",
        "deck+tls@127.0.0.1:0",
    ];
    let start = || run(&scene.servers(), scene.dir.path(), &serve, &[]);
    let pin = Identity::open(&scene.clients()).unwrap().pin().to_string();
    let known = std::fs::read_dir(scene.clients().join("servers")).unwrap();
    let known = known.map(|entry| entry.unwrap().path()).next().unwrap();
    for (file, client) in [
        (scene.servers().join("identity.pem"), false),
        (scene.servers().join("peers").join(pin), false),
        (scene.clients().join("identity.pem"), true),
        (known, true),
    ] {
        let whole = std::fs::read(&file).unwrap();
        let start = || {
            if client {
                scene.run(&["ls", &url], &[("FERRYDECK_CODE", &code)])
            } else {
                start()
            }
        };
        for bad in [&b""[..], &whole[..whole.len() / 2], b"something else"] {
            std::fs::write(&file, bad).unwrap();
            let (exit, out, err) = start();
            assert_eq!(
                (exit, out.as_str()),
                (Some(1), ""),
                "{}: {err}",
                file.display()
            );
            assert_eq!(err.lines().count(), 1, "{err}");
            let name = file.file_name().unwrap().to_str().unwrap();
            assert!(err.contains(name), "{err}");
        }
        std::fs::write(&file, &whole).unwrap();
        std::fs::set_permissions(&file, PermissionsExt::from_mode(0o644)).unwrap();
        let (exit, _, err) = start();
        assert_eq!(exit, Some(1));
        assert!(err.contains("chmod 600"), "{err}");
        std::fs::set_permissions(&file, PermissionsExt::from_mode(0o600)).unwrap();
    }
    assert_eq!(scene.run(&["ls", &url], &[]).0, Some(0), "all is as it was");
}

#[test]
fn a_code_that_is_none_stops_the_client() {
    let scene = Scene::new();
    let file = scene.dir.path().join("code");
    let path = file.to_str().unwrap();
    let words = ["ls", "deck+tls://127.0.0.1:1/", "--code-file", path];
    let refused = |why: &str, env: &[(&str, &str)]| {
        let (exit, out, err) = scene.run(&words, env);
        assert_eq!((exit, out.as_str()), (Some(1), ""), "{err}");
        assert_eq!(err.lines().count(), 1, "{err}");
        assert!(err.contains(why), "{err}");
        assert!(!err.contains("SECRET"), "{err}");
    };
    refused("not there", &[]);
    for (content, why) in [
        (&b""[..], "empty"),
        (b"SECRET", "16 characters"),
        (b"SECRETSECRETSECU", "no U"),
        (b"\xff\xfe", "16 characters"),
    ] {
        std::fs::write(&file, content).unwrap();
        std::fs::set_permissions(&file, PermissionsExt::from_mode(0o600)).unwrap();
        refused(why, &[]);
    }
    std::fs::write(&file, "0123-4567-89AB-CDEF").unwrap();
    std::fs::set_permissions(&file, PermissionsExt::from_mode(0o644)).unwrap();
    refused("chmod 600", &[]);
    for (code, why) in [("", "16 characters"), ("SECRET", "16 characters")] {
        let (exit, _, err) = scene.run(&words[..2], &[("FERRYDECK_CODE", code)]);
        assert_eq!(exit, Some(1));
        assert!(err.contains(why) && !err.contains("SECRET"), "{err}");
    }
    // Where everybody can read it.
    for verb in ["ls", "get", "connect"] {
        let (exit, _, err) = scene.run(&[verb, "deck+tls://h/#0123-4567-89AB-CDEF"], &[]);
        assert_eq!(exit, Some(2));
        assert!(
            err.contains("FERRYDECK_CODE") && !err.contains("0123"),
            "{err}"
        );
    }
}

#[test]
fn a_cut_is_no_close_on_either_side() {
    let scene = Scene::new();
    let mut server = scene.serve(&[]);
    let identity = stranger();
    let (mut peer, _) = paired(&mut server, &identity);
    assert!(matches!(peer.ask(&list()), Some(Answer::Page(_))));
    peer.tcp.shutdown(Shutdown::Write).unwrap();
    let told = server.cause("malformed", "cut");
    assert!(
        told["detail"].as_str().unwrap().contains("close_notify"),
        "{told}"
    );
    let (mut peer, _) = paired(&mut server, &identity);
    peer.tls.send_close_notify();
    peer.send(b"").unwrap();
    peer.tcp.shutdown(Shutdown::Write).unwrap();
    let told = server.until(|told| told["event"] == "closed" && told["cause"] != "malformed");
    assert_eq!(told["cause"], "peer_closed");

    let addr = fake(|mut peer| {
        let _ = peer.hear();
        let _ = peer.tcp.shutdown(Shutdown::Write);
        let _ = peer.hear();
    });
    let url = format!("deck+tls://{addr}/");
    let (exit, _, err) = scene.run(&["ls", &url], &[("FERRYDECK_CODE", WRONG)]);
    assert_eq!(exit, Some(1));
    assert!(err.contains("the connection ended early"), "{err}");
    assert!(!err.contains("close_notify"), "{err}");
}

/// Inside TLS too: a word, then a close in good order.
#[test]
fn a_server_that_leaves_says_so_to_who_waits() {
    let scene = Scene::new();
    let mut server = scene.serve(&[]);
    let (mut peer, _) = paired(&mut server, &stranger());
    assert!(matches!(peer.ask(&list()), Some(Answer::Page(_))));
    let pid = Pid::from_raw(i32::try_from(server.child.id()).unwrap()).unwrap();
    kill_process(pid, Signal::TERM).unwrap();
    let refusal = Refusal::Leaving;
    assert_eq!(peer.answer_unasked(), Some(Answer::Refused { refusal }));
    assert_eq!(peer.hear().unwrap(), b"");
    let told = server.until(|told| told["event"] == "closed");
    assert_eq!(told["cause"], "shutdown");
    assert!(server.child.wait().unwrap().success());
}

#[test]
fn an_auto_port_takes_tls_where_the_server_has_a_key() {
    let scene = Scene::new();
    let both = [
        "--listen",
        "deck+tls@127.0.0.1:0",
        "--listen",
        "127.0.0.1:0",
    ];
    let mut server = scene.serve(&both);
    let code = server.next_code();
    let auto = server.addrs[1];
    let (exit, out, err) = scene.run(
        &["ls", &format!("deck+tls://{auto}/")],
        &[("FERRYDECK_CODE", &code)],
    );
    assert_eq!(exit, Some(0), "{err}");
    assert!(out.contains("a.txt"));
    let (exit, out, err) = scene.run(&["ls", &format!("deck://{auto}/")], &[]);
    assert_eq!(exit, Some(0), "{err}");
    assert!(out.contains("a.txt"), "in the open, on this machine");
    let mut plain = scene.serve(&["--listen", "127.0.0.1:0"]);
    let (exit, _, err) = scene.run(
        &["ls", &format!("deck+tls://{}/", plain.addr())],
        &[("FERRYDECK_CODE", &code)],
    );
    assert_eq!(exit, Some(1));
    assert!(err.contains("TLS"), "{err}");
    plain.cause("refused", "tls");
    assert!(
        plain.errors.try_recv().is_err(),
        "no code where there is no TLS"
    );
}

#[test]
fn a_server_without_tls_keeps_no_state() {
    let scene = Scene::new();
    let server = scene.serve(&["--listen", "127.0.0.1:0"]);
    let (exit, _, err) = scene.run(&["ls", &format!("deck://{}/", server.addr())], &[]);
    assert_eq!(exit, Some(0), "{err}");
    assert!(!scene.servers().exists(), "nothing was kept");
}

#[test]
fn a_handshake_has_the_heads_time() {
    let scene = Scene::new();
    let both = [
        "--listen",
        "deck+tls@127.0.0.1:0",
        "--listen",
        "127.0.0.1:0",
    ];
    let short = ["--head-timeout", "300ms"];
    let mut server = scene.serve(&[&both[..], &short[..]].concat());
    for addr in server.addrs.clone() {
        let mut slow = TcpStream::connect(addr).unwrap();
        // The beginning of a hello, and then nothing.
        slow.write_all(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03")
            .unwrap();
        let told = server.cause("timeout", "head_timeout");
        assert_eq!(
            (&told["phase"], &told["dialect"]),
            (&"opening".into(), &"deck+tls".into())
        );
        slow.set_read_timeout(Some(DEADLINE)).unwrap();
        let _ = slow.read_to_end(&mut Vec::new());
    }
}

#[test]
fn plain_bytes_at_a_private_door_are_told_so() {
    let scene = Scene::new();
    let mut server = scene.serve(&[]);
    for said in [
        &b"\x49\x7e\x10\x00\x00\x00\x01\xa0"[..],
        b"GET / HTTP/1.1\r\n\r\n",
    ] {
        let mut peer = TcpStream::connect(server.addr()).unwrap();
        peer.write_all(said).unwrap();
        let told = server.cause("refused", "tls");
        assert!(
            told["detail"].as_str().unwrap().contains("no TLS"),
            "{told}"
        );
        peer.set_read_timeout(Some(DEADLINE)).unwrap();
        let _ = peer.read_to_end(&mut Vec::new());
    }
}

const PYTHON: &str = r#"
import socket, ssl, sys
port, cert, alpn, version, frame = int(sys.argv[1]), sys.argv[2], sys.argv[3], sys.argv[4], sys.argv[5]
context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
if version == "1.2":
    context.maximum_version = ssl.TLSVersion.TLSv1_2
if cert: context.load_cert_chain(cert)
if alpn: context.set_alpn_protocols([alpn])
try:
    with socket.create_connection(("127.0.0.1", port), 20) as plain:
        with context.wrap_socket(plain) as tls:
            print(tls.version(), tls.selected_alpn_protocol(), tls.cipher()[0])
            tls.sendall(bytes.fromhex(frame))
            print(tls.recv(100).hex())
except (ssl.SSLError, OSError) as error:
    print("refused", error)
"#;

/// Somebody else's TLS: OpenSSL comes through where it is right and nowhere else.
#[test]
fn openssl_is_heard_where_it_plays_by_the_rules() {
    let python = Command::new("python3").args(["-c", "import ssl"]).status();
    if !python.is_ok_and(|status| status.success()) {
        return skip("python3 with ssl");
    }
    let scene = Scene::new();
    let mut server = scene.serve(&[]);
    stranger_in(&scene.dir.path().join("other"));
    let cert = scene.dir.path().join("other/identity.pem");
    let cert = cert.to_str().unwrap();
    let port = server.addr().port().to_string();
    let hello = "497e1000000007a2008101016161";
    let say = |cert: &str, alpn: &str, version: &str| {
        let output = Command::new("python3")
            .args(["-c", PYTHON, &port, cert, alpn, version, hello])
            .output()
            .unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    let heard = say(cert, "deck/1", "1.3");
    // Refused, but in deck: this key has to prove the code.
    assert!(
        heard.starts_with("TLSv1.3 deck/1 TLS_AES_128_GCM_SHA256\n497e"),
        "{heard}"
    );
    server.cause("refused", "unpaired");
    for (cert, alpn, version, cause) in [
        (cert, "h2", "1.3", "alpn"),
        (cert, "", "1.3", "alpn"),
        ("", "deck/1", "1.3", "no_certificate"),
        (cert, "deck/1", "1.2", "tls_version"),
    ] {
        let heard = say(cert, alpn, version);
        assert!(!heard.contains("497e"), "{heard}");
        server.cause("refused", cause);
    }
}

fn stranger_in(state: &Path) {
    Identity::open(state).unwrap();
}

/// `--lan` where there is a private address; elsewhere it says that there is none.
#[test]
fn the_lan_is_served_inside_tls() {
    let scene = Scene::new();
    let (exit, _, err) = run(
        &scene.servers(),
        scene.dir.path(),
        &[
            "serve",
            "served",
            "--listen",
            "127.0.0.1:0",
            "--lan=0",
            "--headless",
            "--grace",
            "nonsense",
        ],
        &[],
    );
    assert_eq!(exit, Some(2), "{err}");
    let private: Vec<IpAddr> = ferrydeck::system::private_addresses();
    let Some(ip) = private.first() else {
        let words = ["serve", "served", "--lan=0", "--headless"];
        let (exit, _, err) = run(&scene.servers(), scene.dir.path(), &words, &[]);
        assert_eq!(exit, Some(1));
        assert!(err.contains("private address"), "{err}");
        return;
    };
    let mut server = scene.serve(&["--listen", "127.0.0.1:0", "--lan=0"]);
    let told = server.until(|told| told["event"] == "listening");
    assert_eq!(told["dialect"], "deck+tls");
    let addr: SocketAddr = told["addr"].as_str().unwrap().parse().unwrap();
    assert_eq!(addr.ip(), *ip);
    let line = server.errors.recv_timeout(DEADLINE).unwrap();
    let code = line.split_once(" code ").unwrap().1.to_owned();
    // deck:// means TLS there, and so does no scheme at all.
    let (exit, out, err) = scene.run(&["ls", &format!("{addr}")], &[("FERRYDECK_CODE", &code)]);
    assert_eq!(exit, Some(0), "{err}");
    assert!(out.contains("a.txt"));
    assert_eq!(
        scene.run(&["ls", &format!("deck://{addr}/")], &[]).0,
        Some(0)
    );
    server.cause("note", "paired");
}

#[test]
fn no_argument_of_a_running_client_holds_the_code() {
    let scene = Scene::new();
    let mut server = scene.serve(&[]);
    let code = server.next_code();
    let url = server.url("");
    let mut terminal = pty::Pty::start(
        Path::new(BIN),
        &["connect", &url],
        scene.dir.path(),
        (100, 20),
    );
    terminal.until("the question", |text| text.contains("Its code:"));
    terminal.keys(&format!("{code}\r"));
    terminal.until("the screen", |text| text.contains("a.txt"));
    let began = Instant::now();
    let mut looked = 0;
    for entry in std::fs::read_dir("/proc").unwrap().flatten() {
        let typed = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
        let typed = String::from_utf8_lossy(&typed).into_owned();
        assert!(!typed.contains(&code), "{typed}");
        looked += usize::from(typed.contains(&url));
    }
    assert!(looked > 0 && began.elapsed() < DEADLINE);
    terminal.keys("q");
}

/// A relay that flips one bit, once, behind so many bytes of one direction; it counts
/// what passes in both.
fn flipping(server: SocketAddr, behind: u64) -> (SocketAddr, Arc<AtomicU64>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap();
    let (passed, flipped) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    let total = Arc::clone(&passed);
    std::thread::spawn(move || {
        for near in listener.incoming().map_while(Result::ok) {
            let far = TcpStream::connect(server).unwrap();
            for (from, to) in [(&near, &far), (&far, &near)] {
                let (mut from, mut to) = (from.try_clone().unwrap(), to.try_clone().unwrap());
                let (total, flipped) = (Arc::clone(&total), Arc::clone(&flipped));
                std::thread::spawn(move || {
                    let (mut buffer, mut at) = (vec![0; 64 << 10], 0);
                    while let Ok(read @ 1..) = from.read(&mut buffer) {
                        at += read as u64;
                        if at > behind && flipped.swap(1, SeqCst) == 0 {
                            buffer[read / 2] ^= 4;
                        }
                        total.fetch_add(read as u64, SeqCst);
                        if to.write_all(&buffer[..read]).is_err() {
                            break;
                        }
                    }
                    let _ = to.shutdown(Shutdown::Both);
                    let _ = from.shutdown(Shutdown::Both);
                });
            }
        }
    });
    (addr, passed)
}

#[test]
fn a_bit_flipped_inside_tls_ends_the_line_and_the_transfer_goes_on() {
    const BLOCK: usize = 4 << 20;
    let scene = Scene::new();
    let content: Vec<u8> = (0..5 * BLOCK)
        .map(|n| u8::try_from(n / 7 % 251).unwrap())
        .collect();
    std::fs::write(scene.served().join("down"), &content).unwrap();
    std::fs::write(scene.dir.path().join("up"), &content).unwrap();
    let mut server = scene.serve(&["--allow-upload", "--min-free", "0"]);
    let code = server.next_code();
    for get in [true, false] {
        let (addr, passed) = flipping(server.addr(), 10 << 20);
        let url = |name: &str| format!("deck+tls://{addr}/{name}");
        let args = if get {
            vec!["get".to_owned(), url("down")]
        } else {
            vec!["put".to_owned(), "up".to_owned(), url("")]
        };
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        let (exit, out, err) = scene.run(&args, &[("FERRYDECK_CODE", &code)]);
        assert_eq!(exit, Some(0), "{out}{err}");
        assert!(out.contains("complete (hash)"), "{out}");
        assert!(err.contains("trying again"), "{err}");
        // Who sends may see the close before it hears why.
        assert!(!get || err.contains("TLS broke"), "{err}");
        let (name, from) = if get {
            ("down", scene.dir.path().to_owned())
        } else {
            ("up", scene.served())
        };
        assert!(std::fs::read(from.join(name)).unwrap() == content, "{name}");
        // What was checked before is not sent again: at most what was under way.
        let over = passed.load(SeqCst) - content.len() as u64;
        assert!(over < 3 * BLOCK as u64, "{name}: {over} bytes more");
    }
    let told = server.cause("malformed", "tls");
    assert!(told["detail"].to_string().contains("TLS broke"), "{told}");
}
