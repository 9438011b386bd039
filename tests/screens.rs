//! The whole program on a terminal: start, browse, fetch, kick, resize, leave.
//!
//! And the pictures of the README: `FERRYDECK_PICTURES=1 cargo test --test
//! screens pictures` draws both screens anew, from real frames of real
//! transfers, into assets/.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test stops at the first thing that is not there"
)]

mod pty;

use std::fmt::Write as _;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::time::{Duration, Instant};

use pty::{DEADLINE, Pty, Scratch, binary, free_port, has};

fn serve(world: &Scratch, size: (u16, u16), port: u16) -> Pty {
    let listen = format!("127.0.0.1:{port}");
    let pty = Pty::start(
        &binary(),
        &["serve", "srv", "--listen", &listen],
        &world.0,
        size,
    );
    pty.shows("listening");
    pty
}

fn connect(world: &Scratch, size: (u16, u16), url: &str) -> Pty {
    world.dir("dl");
    Pty::start(&binary(), &["connect", url, "-o", "dl"], &world.0, size)
}

/// Asks for a file over classic and reads nothing.
fn stalled_reader(port: u16, name: &str) -> TcpStream {
    let mut socket = TcpStream::connect(("127.0.0.1", port)).unwrap();
    let mut request = vec![0x49, 0x7E, 1];
    request.extend_from_slice(&u16::try_from(name.len()).unwrap().to_be_bytes());
    request.extend_from_slice(name.as_bytes());
    socket.write_all(&request).unwrap();
    socket
}

fn sparse(path: &Path, size: u64) {
    std::fs::File::create(path).unwrap().set_len(size).unwrap();
}

#[test]
fn a_folder_is_browsed_and_a_file_fetched_while_the_server_watches() {
    let world = Scratch::new("browse");
    world.file("srv/notes.txt", b"twelve bytes");
    world.file("srv/iso/inside.bin", &vec![7; 300_000]);
    world.file("srv/\u{1b}[31mred.txt", b"x");
    world.file("srv/bidi\u{202e}fdp.exe", b"x");
    let port = free_port();
    let mut server = serve(&world, (120, 36), port);
    let mut client = connect(&world, (100, 30), &format!("127.0.0.1:{port}"));
    client.shows("notes.txt");
    client.shows("bidi\\u{202e}fdp.exe");
    server.shows("deck");
    client.keys("gg\r");
    client.shows("inside.bin");
    client.keys("d");
    client.shows("complete (hash)");
    server.shows("complete (hash)");
    assert_eq!(
        std::fs::read(world.0.join("dl/inside.bin")).unwrap(),
        vec![7; 300_000]
    );
    // Out again: the selection stands on the folder we came from.
    client.keys("h");
    client.shows("notes.txt");
    for pty in [&server, &client] {
        let raw = pty.raw();
        assert!(
            !String::from_utf8_lossy(&raw).contains('\u{202e}'),
            "a raw bidi mark reached the terminal"
        );
    }
    client.keys("q");
    assert!(client.end().success());
    assert!(!client.is_full_screen());
    server.keys("q");
    assert!(server.end().success());
    assert!(!server.is_full_screen());
}

#[test]
fn a_stalled_reader_is_kicked_with_a_confirm_that_names_it() {
    let world = Scratch::new("kick");
    world.dir("srv");
    sparse(&world.0.join("srv/big.bin"), 256 << 20);
    let port = free_port();
    let mut server = serve(&world, (120, 36), port);
    let mut reader = stalled_reader(port, "big.bin");
    let peer = reader.local_addr().unwrap().to_string();
    server.shows("sending");
    server.keys("x");
    server.until("a question that names the peer", |screen| {
        screen.contains("kick") && screen.matches(&peer).count() >= 2
    });
    server.keys("n");
    server.keys("x");
    server.keys("y");
    server.shows("kicked");
    reader.set_read_timeout(Some(DEADLINE)).unwrap();
    let mut sink = vec![0; 1 << 20];
    let ended = loop {
        match reader.read(&mut sink) {
            Ok(0) | Err(_) => break true,
            Ok(_) => {}
        }
    };
    assert!(ended, "the kicked peer sees the end of its connection");
}

#[test]
fn every_size_is_drawn_and_the_columns_come_back() {
    let world = Scratch::new("resize");
    world.file("srv/a.txt", b"a");
    let port = free_port();
    let mut server = serve(&world, (120, 36), port);
    server.shows("connections");
    for size in [
        (80, 24),
        (1, 1),
        (20, 5),
        (60, 16),
        (59, 15),
        (200, 50),
        (120, 36),
    ] {
        server.resize(size);
        // A key after each: the program must have lived through the size.
        server.keys("j");
        std::thread::sleep(Duration::from_millis(30));
    }
    server.until("the whole screen again", |screen| {
        screen.contains("connections") && screen.contains("READ-ONLY") && screen.contains("help")
    });
    server.keys("\u{3}");
    assert!(server.end().success());
    assert!(!server.is_full_screen());
}

#[test]
fn leaving_asks_while_something_runs_and_drains() {
    let world = Scratch::new("drain");
    world.dir("srv");
    sparse(&world.0.join("srv/big.bin"), 64 << 20);
    let port = free_port();
    let mut server = serve(&world, (120, 36), port);
    let mut reader = stalled_reader(port, "big.bin");
    server.shows("sending");
    server.keys("q");
    server.until("a question", |screen| {
        screen.contains("[y]") || screen.contains("y ")
    });
    server.keys("n");
    server.shows("sending");
    server.keys("q");
    server.keys("y");
    // The transfer still runs; now it is read to its end within the grace.
    let drain = std::thread::spawn(move || {
        let mut all = Vec::new();
        reader.read_to_end(&mut all).map(|_| all.len())
    });
    assert!(server.end().success());
    assert_eq!(drain.join().unwrap().unwrap(), 8 + (64 << 20));
    assert!(!server.is_full_screen());
}

/// What a client sees of it: why, and when it calls again; what is listed stays.
#[test]
fn a_client_is_told_that_its_server_leaves() {
    let world = Scratch::new("parting");
    world.dir("srv");
    sparse(&world.0.join("srv/big.bin"), 64 << 20);
    let port = free_port();
    let mut server = serve(&world, (120, 36), port);
    let reader = stalled_reader(port, "big.bin");
    server.shows("sending");
    let mut client = connect(&world, (80, 24), &format!("127.0.0.1:{port}"));
    client.shows("big.bin");
    server.keys("q");
    server.keys("y");
    let said = [
        "the server is shutting down",
        "link lost, again in",
        "big.bin",
    ];
    client.until("why and when", |screen| {
        said.iter().all(|words| screen.contains(words))
    });
    drop(reader);
    assert!(server.end().success());
    let _server = serve(&world, (120, 36), port);
    client.until("the server again", |screen| !screen.contains("link lost"));
    client.shows("big.bin");
    client.keys("q");
    assert!(client.end().success());
}

/// Starts what is named on a terminal, takes the terminal away, and tells how much of a
/// processor that takes (in hundredths of a second, of one and a half) and whether it serves.
const HANGUP: &str = r#"
import fcntl, os, pty, select, socket, struct, sys, termios, time
pid, fd = pty.fork()
if pid == 0:
    time.sleep(0.2)
    os.execv(sys.argv[2], sys.argv[2:])
def ticks():
    with open(f"/proc/{pid}/stat") as stat:
        return sum(map(int, stat.read().rsplit(")", 1)[1].split()[11:13]))
try:
    fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", 36, 120, 0, 0))
    seen = b""
    while b"connections" not in seen:
        seen += os.read(fd, 65536)
    end = time.time() + 1
    while time.time() < end:
        if select.select([fd], [], [], 0.1)[0]:
            os.read(fd, 65536)
    os.close(fd)
    time.sleep(0.7)
    before = ticks()
    time.sleep(1.5)
    spent = ticks() - before
    peer = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
    peer.sendall(bytes.fromhex("497E1000000008A200810101626D65"))
    serves = peer.recv(3)[:2] == bytes.fromhex("497E")
finally:
    os.kill(pid, 15)
status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
print(spent, serves, status)
"#;

#[test]
fn a_server_whose_terminal_died_serves_on_and_rests() {
    if !has("python3") {
        return;
    }
    let world = Scratch::new("hangup");
    world.file("srv/a.txt", b"a");
    let port = free_port();
    let out = std::process::Command::new("python3")
        .args(["-c", HANGUP, &port.to_string()])
        .arg(binary())
        .args(["serve", "srv", "--listen", &format!("127.0.0.1:{port}")])
        .current_dir(&world.0)
        .env("TERM", "xterm-256color")
        .env("FERRYDECK_STATE_DIR", world.0.join("state"))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&out.stdout);
    let mut words = said.split_whitespace();
    let spent: u32 = words.next().unwrap().parse().unwrap();
    assert!(spent < 30, "{said}");
    assert_eq!(words.collect::<Vec<_>>(), ["True", "0"], "{said}");
}

#[test]
fn sigterm_gives_the_screen_back() {
    let world = Scratch::new("sigterm");
    world.file("srv/a.txt", b"a");
    let port = free_port();
    let mut server = serve(&world, (100, 30), port);
    assert!(server.is_full_screen() && !server.is_cooked());
    signal(server.pid(), "TERM");
    assert!(server.end().success());
    assert!(!server.is_full_screen() && server.is_cooked());
}

#[test]
fn a_second_ctrl_c_leaves_at_once_with_130() {
    let world = Scratch::new("abort");
    world.dir("srv");
    sparse(&world.0.join("srv/big.bin"), 256 << 20);
    let port = free_port();
    let mut server = serve(&world, (100, 30), port);
    let _reader = stalled_reader(port, "big.bin");
    server.shows("sending");
    server.keys("\u{3}");
    server.until("leaving", |screen| {
        screen.to_lowercase().contains("leaving")
    });
    let start = Instant::now();
    server.keys("\u{3}");
    assert_eq!(server.end().exit_code(), 130);
    assert!(start.elapsed() < Duration::from_secs(3));
    assert!(!server.is_full_screen() && server.is_cooked());
}

/// A child that takes the terminal and panics on the drawing thread: run below, in a terminal.
#[test]
fn a_panic_on_the_drawing_thread_gives_the_screen_back() {
    const CHILD: &str = "FERRYDECK_TEST_PANIC";
    const NAME: &str = "a_panic_on_the_drawing_thread_gives_the_screen_back";
    match std::env::var(CHILD).as_deref() {
        Ok("drawing") => {
            let _terminal = ferrydeck::ui::terminal::enter(|| false).unwrap();
            panic!("planted on the drawing thread");
        }
        Ok("helper") => {
            let _terminal = ferrydeck::ui::terminal::enter(|| false).unwrap();
            let helper = std::thread::spawn(|| panic!("planted on a helper"));
            assert!(helper.join().is_err());
            // Still ours: only a note is left.
            assert_eq!(ferrydeck::ui::terminal::panics().len(), 1);
            std::io::stdout().write_all(b"still drawing").unwrap();
            std::io::stdout().flush().unwrap();
            std::thread::sleep(Duration::from_secs(30));
        }
        _ => {
            let world = Scratch::new("panic");
            let me = std::env::current_exe().unwrap();
            let args = ["--exact", NAME, "--nocapture", "--test-threads=1"];
            let mut drawing =
                Pty::start_with(&me, &args, &world.0, (100, 30), &[(CHILD, "drawing")]);
            assert!(!drawing.end().success());
            assert!(!drawing.is_full_screen() && drawing.is_cooked());
            assert!(
                drawing.text().contains("planted on the drawing thread"),
                "{}",
                drawing.text()
            );
            let helper = Pty::start_with(&me, &args, &world.0, (100, 30), &[(CHILD, "helper")]);
            helper.shows("still drawing");
            assert!(helper.is_full_screen() && !helper.is_cooked());
            assert!(
                !helper.text().contains("planted"),
                "a helper's panic prints nothing"
            );
        }
    }
}

#[test]
fn a_server_that_cannot_list_is_asked_by_name_and_remembered() {
    let world = Scratch::new("ask");
    world.file("srv/a.txt", b"hello");
    let port = free_port();
    let _server = serve(&world, (100, 30), port);
    let mut client = connect(&world, (100, 30), &format!("classic://127.0.0.1:{port}"));
    client.shows("name to fetch");
    client.keys("a.txt\r");
    client.shows("complete (length)");
    assert_eq!(std::fs::read(world.0.join("dl/a.txt")).unwrap(), b"hello");
    client.keys("\u{3}");
    assert!(client.end().success());
    let again = connect(&world, (100, 30), &format!("classic://127.0.0.1:{port}"));
    again.until("the name that worked", |screen| screen.contains("a.txt"));
}

#[test]
fn wrong_starts_never_flash_a_screen() {
    let world = Scratch::new("wrong");
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let busy = taken.local_addr().unwrap().to_string();
    for (args, code) in [
        (vec!["serve", "missing"], 1),
        (vec!["serve", ".", "--listen", &busy], 1),
        (vec!["serve", ".", "--listen", "deck@192.168.1.5:1"], 2),
        (vec!["connect", "ftp://x"], 2),
        (vec!["connect", "classic://127.0.0.1:80"], 1),
        (vec!["connect", "127.0.0.1:1"], 1),
        (vec!["connect", "session://127.0.0.1:1"], 1),
    ] {
        let mut pty = Pty::start(&binary(), &args, &world.0, (100, 30));
        assert_eq!(pty.end().exit_code(), code, "{args:?}");
        let raw = String::from_utf8_lossy(&pty.raw()).into_owned();
        assert!(!raw.contains("\u{1b}[?1049h"), "{args:?} flashed a screen");
        assert!(
            raw.contains("ferrydeck:") || raw.contains("error:"),
            "{args:?}: {raw}"
        );
    }
}

fn signal(pid: u32, name: &str) {
    let status = std::process::Command::new("kill")
        .args([format!("-{name}"), pid.to_string()])
        .status()
        .unwrap();
    assert!(status.success());
}

/// Draws the README's pictures when asked to, else proves that they can be drawn.
#[test]
fn pictures() {
    let mut world = Scratch::new("pictures");
    if asked() {
        // A path that can be read in a title.
        let short = std::env::temp_dir().join("ferrydeck");
        std::fs::rename(&world.0, &short).unwrap();
        world = Scratch(short);
    }
    world.dir("srv/iso");
    // Sparse and as large as in life for a picture; a proof needs no gigabytes.
    let unit = if asked() { 1 << 20 } else { 1 << 10 };
    for (path, units) in [
        ("srv/iso/debian-12.iso", 650),
        ("srv/iso/alpine-3.22.iso", 210),
        ("srv/iso/arch-2026.11.iso", 1_180),
        ("srv/backup-2026-11.tar.zst", 2_400),
    ] {
        sparse(&world.0.join(path), units * unit);
    }
    world.file("srv/iso/SHA256SUMS", &[b'x'; 512]);
    world.file("srv/iso/MIRRORS", &[b'x'; 2_310]);
    world.file("srv/notes.txt", &[b'x'; 12_288]);
    let (port, secret) = (free_port(), free_port());
    let [open, private] = [
        format!("auto@127.0.0.1:{port}"),
        format!("deck+tls@127.0.0.1:{secret}"),
    ];
    let args = [
        "serve",
        "srv",
        "--listen",
        &private,
        "--listen",
        &open,
        "--allow-upload",
    ];
    let server = Pty::start(&binary(), &args, &world.0, (120, 32));
    server.until("both doors and the code", |screen| {
        screen.matches("listening").count() == 2 && code(screen).is_some()
    });
    let code = code(&server.text()).unwrap();
    let stop = Arc::new(AtomicBool::new(false));
    for (name, pace) in [
        ("backup-2026-11.tar.zst", 90),
        ("iso/debian-12.iso", 22),
        ("iso/arch-2026.11.iso", 41),
    ] {
        slow_reader(port, name, pace, &stop);
    }
    let mut half = TcpStream::connect(("127.0.0.1", port)).unwrap();
    half.write_all(&[0x49, 0x7E, 1, 0, 9, b'n']).unwrap();
    let _missing = stalled_reader(port, "no-such-file.txt");
    let paced = slow_proxy(secret, &stop);
    let url = format!("deck+tls://127.0.0.1:{paced}");
    world.file("dl/report 2026.pdf", &vec![b'x'; 81_920]);
    let mut client = Pty::start_with(
        &binary(),
        &["connect", &url, "-o", "dl"],
        &world.0,
        (120, 32),
        &[("FERRYDECK_CODE", &code)],
    );
    client.shows("notes.txt");
    client.keys("2Gu");
    client.shows("complete (hash)");
    client.keys("1");
    client.keys("gg\r");
    client.shows("alpine");
    client.keys("\u{1}d");
    client.until("a download that is verified", |screen| {
        screen.matches("complete (hash)").count() >= 2
    });
    server.shows("timeout");
    std::thread::sleep(Duration::from_secs(if asked() { 7 } else { 0 }));
    let (ours, theirs) = (svg(&server.screen()), svg(&client.screen()));
    stop.store(true, SeqCst);
    assert!(ours.contains("UPLOADS") && ours.contains(&code) && ours.contains("deck+tls"));
    assert!(theirs.contains("TLS pinned") && theirs.contains("report 2026.pdf"));
    if asked() {
        let assets = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets");
        std::fs::write(assets.join("server.svg"), ours).unwrap();
        std::fs::write(assets.join("client.svg"), theirs).unwrap();
    }
}

/// The code a dashboard shows: four groups of four.
fn code(screen: &str) -> Option<String> {
    let is_code = |word: &&str| word.len() == 19 && word.split('-').all(|part| part.len() == 4);
    screen.split_whitespace().find(is_code).map(str::to_owned)
}

fn asked() -> bool {
    std::env::var_os("FERRYDECK_PICTURES").is_some()
}

/// Reads a file over classic at about `pace` MiB a second, until told to stop.
fn slow_reader(port: u16, name: &str, pace: usize, stop: &Arc<AtomicBool>) {
    let mut socket = stalled_reader(port, name);
    let stop = Arc::clone(stop);
    std::thread::spawn(move || {
        let mut buffer = vec![0; pace << 15];
        while !stop.load(SeqCst) && socket.read_exact(&mut buffer).is_ok() {
            std::thread::sleep(Duration::from_millis(32));
        }
    });
}

/// Stands between client and server and lets the answers through slowly,
/// every connection at a pace of its own.
fn slow_proxy(port: u16, stop: &Arc<AtomicBool>) -> u16 {
    let door = TcpListener::bind("127.0.0.1:0").unwrap();
    let here = door.local_addr().unwrap().port();
    let stop = Arc::clone(stop);
    std::thread::spawn(move || {
        for (socket, pace) in door
            .incoming()
            .zip([8, 30, 19, 47, 25, 33].into_iter().cycle())
        {
            let (Ok(mut near), Ok(mut far)) = (socket, TcpStream::connect(("127.0.0.1", port)))
            else {
                return;
            };
            let (mut ask, mut asked) = (near.try_clone().unwrap(), far.try_clone().unwrap());
            std::thread::spawn(move || std::io::copy(&mut ask, &mut asked));
            let stop = Arc::clone(&stop);
            std::thread::spawn(move || {
                let mut buffer = vec![0; pace << 15];
                while let Ok(read @ 1..) = far.read(&mut buffer) {
                    if stop.load(SeqCst) || near.write_all(&buffer[..read]).is_err() {
                        return;
                    }
                    let share = read as f64 / (pace << 20) as f64;
                    std::thread::sleep(Duration::from_secs_f64(share));
                }
            });
        }
    });
    here
}

/// A screen as an SVG: one text run for each stretch of equal style.
fn svg(screen: &vt100::Screen) -> String {
    const CELL: (u16, u16) = (9, 19);
    let (rows, cols) = screen.size();
    let (rows, cols) = (rows.get(), cols.get());
    let (width, height) = (cols * CELL.0 + 20, rows * CELL.1 + 20);
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {width} {height}\">\n\
         <rect width=\"100%\" height=\"100%\" rx=\"8\" fill=\"#14161a\"/>\n\
         <g font-family=\"DejaVu Sans Mono, Menlo, Consolas, monospace\" font-size=\"15\" xml:space=\"preserve\">\n"
    );
    for row in 0..rows {
        let mut col = 0;
        while col < cols {
            let Some(cell) = screen.cell(row, col) else {
                break;
            };
            let style = Style::of(cell);
            let start = col;
            let mut text = String::new();
            while col < cols {
                let Some(cell) = screen
                    .cell(row, col)
                    .filter(|cell| Style::of(cell) == style)
                else {
                    break;
                };
                if !cell.is_wide_continuation() {
                    text.push_str(if cell.has_contents() {
                        cell.contents()
                    } else {
                        " "
                    });
                }
                col += 1;
            }
            style.draw(
                &mut out,
                &text,
                (start * CELL.0 + 10, row * CELL.1 + 10),
                (col - start) * CELL.0,
            );
        }
    }
    out.push_str("</g>\n</svg>\n");
    out
}

#[derive(PartialEq)]
struct Style {
    fg: String,
    bg: Option<String>,
    bold: bool,
    dim: bool,
    underline: bool,
}

impl Style {
    fn of(cell: &vt100::Cell) -> Self {
        let fg = colour(cell.fgcolor()).unwrap_or("#d0d3d4").to_owned();
        let bg = colour(cell.bgcolor()).map(str::to_owned);
        let (fg, bg) = if cell.inverse() {
            (bg.unwrap_or_else(|| "#14161a".to_owned()), Some(fg))
        } else {
            (fg, bg)
        };
        Self {
            fg,
            bg,
            bold: cell.bold(),
            dim: cell.dim(),
            underline: cell.underline(),
        }
    }

    fn draw(&self, out: &mut String, text: &str, (x, y): (u16, u16), width: u16) {
        if let Some(bg) = &self.bg {
            let _ = writeln!(
                out,
                "<rect x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"19\" fill=\"{bg}\"/>"
            );
        }
        if text.trim().is_empty() {
            return;
        }
        let clean = text
            .replace('&', "&amp;")
            .replace('<', "&lt;")
            .replace('>', "&gt;");
        let weight = if self.bold {
            " font-weight=\"bold\""
        } else {
            ""
        };
        let dim = if self.dim { " opacity=\"0.6\"" } else { "" };
        let line = if self.underline {
            " text-decoration=\"underline\""
        } else {
            ""
        };
        let (base, fg) = (y + 15, &self.fg);
        let _ = writeln!(
            out,
            "<text x=\"{x}\" y=\"{base}\" textLength=\"{width}\" lengthAdjust=\"spacing\" fill=\"{fg}\"{weight}{dim}{line}>{clean}</text>"
        );
    }
}

/// The sixteen named colours; others are not used by the screens.
fn colour(colour: vt100::Color) -> Option<&'static str> {
    const BASE: [&str; 16] = [
        "#1d1f21", "#cc6666", "#a3be5c", "#e0b050", "#5f9fd6", "#b27fc0", "#5fbfb7", "#c5c8c6",
        "#666a70", "#e07a7a", "#b9d87a", "#f0c674", "#81b4e8", "#c99ad8", "#8ad8d0", "#ffffff",
    ];
    match colour {
        vt100::Color::Idx(index) => BASE.get(usize::from(index)).copied(),
        vt100::Color::Default | vt100::Color::Rgb(..) => None,
    }
}
