//! Our client against servers that lie: whatever they say, nothing is written outside
//! the target folder, no dotfile, through no link, over nothing, and never past the floor.
//!
//! The whole binary on loopback against deck written by hand, frame by frame: an honest
//! server underneath, and one lie a test on top of it.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "a test that cannot set its scene has failed"
)]

use std::collections::BTreeMap;
use std::io::{self, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::SeqCst};
use std::time::{Duration, Instant};

use assert_fs::TempDir;
use ferrydeck::net::tree::{BLOCK, BlockHasher, block_len, blocks, merge};

const BIN: &str = env!("CARGO_BIN_EXE_ferrydeck");
const DEADLINE: Duration = Duration::from_mins(1);

const LIST: u8 = 0x12;
const PAGE: u8 = 0x13;
const STAT: u8 = 0x14;
const ENTRY: u8 = 0x15;
const GET: u8 = 0x16;
const CONTENT: u8 = 0x17;
const RUN: u8 = 0x18;
const RUN_END: u8 = 0x19;
const END: u8 = 0x1A;
const REFUSED: u8 = 0x1D;
const TREE: u8 = 0x1E;
const VALUES: u8 = 0x1F;
const PUT: u8 = 0x20;
const HERE: u8 = 0x21;
const AGAIN: u8 = 0x22;
const STORED: u8 = 0x23;
const WAIT: u8 = 0x24;

/// Says why a test does nothing here; a failure where everything is required.
fn skip(lack: &str) {
    let required = std::env::var("FERRYDECK_REQUIRE_ALL").is_ok_and(|all| all == "1");
    assert!(!required, "needs {lack}");
    eprintln!("skipped: needs {lack}");
}

/// As much of CBOR as deck has.
#[derive(Clone, Debug)]
enum Item {
    Uint(u64),
    Bytes(Vec<u8>),
    Text(Vec<u8>),
    Array(Vec<Item>),
    Map(Vec<(u64, Item)>),
    Bool(bool),
}

use Item::{Array, Bool, Bytes, Map, Text, Uint};

fn text(text: &str) -> Item {
    Text(text.as_bytes().to_vec())
}

impl Item {
    fn write(&self, out: &mut Vec<u8>) {
        match self {
            Uint(value) => shortest(0, *value, out),
            Bytes(bytes) => {
                shortest(2, bytes.len() as u64, out);
                out.extend(bytes);
            }
            Text(bytes) => {
                shortest(3, bytes.len() as u64, out);
                out.extend(bytes);
            }
            Array(items) => {
                shortest(4, items.len() as u64, out);
                for item in items {
                    item.write(out);
                }
            }
            Map(items) => {
                shortest(5, items.len() as u64, out);
                for (key, item) in items {
                    shortest(0, *key, out);
                    item.write(out);
                }
            }
            Bool(value) => out.push(if *value { 0xF5 } else { 0xF4 }),
        }
    }

    fn read(input: &mut &[u8]) -> Self {
        let (&first, rest) = input.split_first().unwrap();
        *input = rest;
        let extra = match first & 31 {
            24 => 1,
            25 => 2,
            26 => 4,
            27 => 8,
            _ => 0,
        };
        let (more, rest) = input.split_at(extra);
        let value = more.iter().fold(0, |all, byte| all << 8 | u64::from(*byte));
        let value = if extra == 0 {
            u64::from(first & 31)
        } else {
            value
        };
        *input = rest;
        let len = usize::try_from(value).unwrap();
        match first >> 5 {
            0 | 1 => Uint(value),
            2 => Bytes(input.split_off(..len).unwrap().to_vec()),
            3 => Text(input.split_off(..len).unwrap().to_vec()),
            4 => Array((0..len).map(|_| Self::read(input)).collect()),
            5 => {
                let pair = |_| match (Self::read(input), Self::read(input)) {
                    (Uint(key), item) => (key, item),
                    other => panic!("{other:?}"),
                };
                Map((0..len).map(pair).collect())
            }
            _ => Bool(value == 21),
        }
    }
}

/// A head in the fewest bytes.
fn shortest(major: u8, value: u64, out: &mut Vec<u8>) {
    let bytes = value.to_be_bytes();
    let (short, from) = match value {
        0..24 => (u8::try_from(value).unwrap(), 8),
        24..0x100 => (24, 7),
        0x100..0x1_0000 => (25, 6),
        0x1_0000..0x1_0000_0000 => (26, 4),
        _ => (27, 0),
    };
    out.push(major << 5 | short);
    out.extend(&bytes[from..]);
}

/// A frame as it came.
#[derive(Clone, Debug)]
struct Ask {
    kind: u8,
    map: BTreeMap<u64, Item>,
}

impl Ask {
    fn uint(&self, key: u64) -> Option<u64> {
        match self.map.get(&key) {
            Some(Uint(value)) => Some(*value),
            _ => None,
        }
    }

    fn path(&self) -> String {
        match self.map.get(&0) {
            Some(Text(path)) => String::from_utf8(path.clone()).unwrap(),
            other => panic!("{other:?}"),
        }
    }
}

/// A client that has come.
struct Line {
    input: BufReader<TcpStream>,
    output: TcpStream,
}

impl Line {
    fn hear(&mut self) -> io::Result<Ask> {
        let mut head = [0; 7];
        self.input.read_exact(&mut head)?;
        assert_eq!(head[..2], [0x49, 0x7E]);
        let mut body =
            vec![
                0;
                usize::try_from(u32::from_be_bytes([head[3], head[4], head[5], head[6]])).unwrap()
            ];
        self.input.read_exact(&mut body)?;
        let Map(map) = Item::read(&mut &body[..]) else {
            panic!("no map");
        };
        Ok(Ask {
            kind: head[2],
            map: map.into_iter().collect(),
        })
    }

    fn say(&mut self, kind: u8, map: Vec<(u64, Item)>) -> io::Result<()> {
        let mut body = Vec::new();
        Map(map).write(&mut body);
        let mut frame = vec![0x49, 0x7E, kind];
        frame.extend(u32::try_from(body.len()).unwrap().to_be_bytes());
        frame.extend(body);
        self.output.write_all(&frame)
    }

    /// One block: what is said of it, its bytes, and the value behind.
    fn block(&mut self, said: (u64, u64), bytes: &[u8], value: Option<[u8; 32]>) -> io::Result<()> {
        self.say(RUN, vec![(0, Uint(said.0)), (1, Uint(said.1))])?;
        self.output.write_all(bytes)?;
        self.say(RUN_END, hash(0, value))
    }

    fn content(&mut self, size: u64, from: u64, version: &[u8], until: u64) -> io::Result<()> {
        let version = Bytes(version.to_vec());
        self.say(
            CONTENT,
            vec![
                (0, Uint(size)),
                (1, Uint(from)),
                (2, Uint(7)),
                (3, version),
                (4, Uint(until)),
            ],
        )
    }

    /// Takes a payload to its end.
    fn payload(&mut self) -> io::Result<()> {
        loop {
            let ask = self.hear()?;
            match ask.kind {
                RUN => {
                    let mut bytes = vec![0; usize::try_from(ask.uint(1).unwrap()).unwrap()];
                    self.input.read_exact(&mut bytes)?;
                }
                RUN_END => {}
                END => return Ok(()),
                other => panic!("{other:X}"),
            }
        }
    }
}

fn hash(key: u64, value: Option<[u8; 32]>) -> Vec<(u64, Item)> {
    let bytes = value.map(|value| (key, Bytes(value.to_vec())));
    bytes.into_iter().collect()
}

fn entry(name: &[u8], kind: u64, size: u64) -> Item {
    Map(vec![
        (0, Text(name.to_vec())),
        (1, Uint(kind)),
        (2, Uint(size)),
        (3, Uint(7)),
    ])
}

fn page(entries: Vec<Item>, more: bool) -> Vec<(u64, Item)> {
    vec![(0, Array(entries)), (2, Bool(more))]
}

fn values(content: &[u8]) -> Vec<[u8; 32]> {
    let size = content.len() as u64;
    let value = |index| {
        let from = usize::try_from(index * BLOCK).unwrap();
        let len = usize::try_from(block_len(size, index)).unwrap();
        let mut hasher = BlockHasher::new(size, index);
        hasher.update(&content[from..from + len]);
        hasher.value()
    };
    (0..blocks(size)).map(value).collect()
}

fn root(content: &[u8]) -> [u8; 32] {
    merge(content.len() as u64, &values(content)).unwrap().0
}

/// Files by their paths; folders are what leads to them.
type Files = BTreeMap<String, Vec<u8>>;

fn files(files: &[(&str, &[u8])]) -> Files {
    let own = |(path, content): &(&str, &[u8])| ((*path).to_owned(), content.to_vec());
    files.iter().map(own).collect()
}

/// The honest answer.
fn honest(line: &mut Line, files: &Files, ask: &Ask) -> io::Result<()> {
    match ask.kind {
        LIST => {
            let below = match ask.path() {
                path if path.is_empty() => path,
                path => format!("{path}/"),
            };
            let mut names = BTreeMap::new();
            for (path, content) in files {
                let Some(rest) = path.strip_prefix(&below) else {
                    continue;
                };
                let (name, kind) = rest
                    .split_once('/')
                    .map_or((rest, 0), |(name, _)| (name, 1));
                names.insert(name, (kind, content.len() as u64));
            }
            let entries = names.into_iter();
            let entries = entries.map(|(name, (kind, size))| entry(name.as_bytes(), kind, size));
            line.say(PAGE, page(entries.collect(), false))
        }
        STAT => {
            let path = ask.path();
            let name = path.rsplit('/').next().unwrap();
            let folder = format!("{path}/");
            match files.get(&path) {
                Some(content) => {
                    let Map(mut map) = entry(name.as_bytes(), 0, content.len() as u64) else {
                        unreachable!("an entry is a map");
                    };
                    map.push((4, Bytes(vec![1])));
                    line.say(ENTRY, map)
                }
                None if path.is_empty() || files.keys().any(|path| path.starts_with(&folder)) => {
                    let Map(map) = entry(name.as_bytes(), 1, 0) else {
                        unreachable!("an entry is a map");
                    };
                    line.say(ENTRY, map)
                }
                None => line.say(REFUSED, vec![(0, Uint(1))]),
            }
        }
        GET => match files.get(&ask.path()) {
            Some(content) => {
                let size = content.len() as u64;
                let until = ask.uint(3).unwrap_or(size).min(size);
                let from = ask.uint(1).unwrap();
                line.content(size, from, &[1], until)?;
                for index in from / BLOCK..blocks(until) {
                    let len = block_len(size, index);
                    let at = usize::try_from(index * BLOCK).unwrap();
                    let bytes = &content[at..at + usize::try_from(len).unwrap()];
                    line.block(
                        (index * BLOCK, len),
                        bytes,
                        Some(values(content)[usize::try_from(index).unwrap()]),
                    )?;
                }
                line.say(END, hash(0, Some(root(content))))
            }
            None => line.say(REFUSED, vec![(0, Uint(1))]),
        },
        TREE => {
            let content = &files[&ask.path()];
            let told = values(content)
                .into_iter()
                .map(|value| Bytes(value.to_vec()));
            let told = if ask.uint(2) == Some(1) {
                told.collect()
            } else {
                Vec::new()
            };
            let mut map = vec![(0, Uint(0)), (1, Array(told))];
            map.extend(hash(2, Some(root(content))));
            map.extend([(3, Uint(content.len() as u64)), (4, Bytes(vec![1]))]);
            line.say(VALUES, map)
        }
        other => panic!("nobody should ask {other:X} here"),
    }
}

/// What became of a question: answered by the lie, or still to be answered honestly.
enum Lie {
    Told,
    None,
}

/// A server: honest but for what `story` answers.
fn serve(
    files: Files,
    story: impl Fn(&mut Line, &Ask) -> io::Result<Lie> + Send + Sync + 'static,
) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap();
    let shared = Arc::new((files, story));
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let shared = Arc::clone(&shared);
            std::thread::spawn(move || {
                let output = stream?;
                let mut line = Line {
                    input: BufReader::new(output.try_clone()?),
                    output,
                };
                line.hear()?;
                line.say(0x11, vec![(0, Uint(1)), (1, text("fake")), (2, Uint(31))])?;
                loop {
                    let ask = line.hear()?;
                    if let Lie::None = (shared.1)(&mut line, &ask)? {
                        honest(&mut line, &shared.0, &ask)?;
                    }
                }
                #[expect(unreachable_code, reason = "it tells the closure's type")]
                io::Result::Ok(())
            });
        }
    });
    addr
}

/// A folder for one run: the target, beside it what must stay as it is.
struct Scene {
    dir: TempDir,
}

/// What stands somewhere: a folder, a link with its goal, or a file with its content.
type Stand = BTreeMap<PathBuf, String>;

impl Scene {
    fn new() -> Self {
        let dir = TempDir::new().unwrap();
        for folder in ["target", "beside", "state"] {
            std::fs::create_dir(dir.path().join(folder)).unwrap();
        }
        std::fs::write(dir.path().join("beside/secret"), "untouched").unwrap();
        Self { dir }
    }

    fn target(&self) -> PathBuf {
        self.dir.path().join("target")
    }

    fn beside(&self) -> PathBuf {
        self.dir.path().join("beside")
    }

    /// Runs the client to its end: whether it went well, and what it said.
    fn run(&self, args: &[&str]) -> (bool, String) {
        let said = self.dir.path().join("state/said");
        let mut child = Command::new(BIN)
            .args(args)
            .env("FERRYDECK_STATE_DIR", self.dir.path().join("state"))
            .current_dir(self.target())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(std::fs::File::create(&said).unwrap())
            .spawn()
            .unwrap();
        let began = Instant::now();
        let status = loop {
            if let Some(status) = child.try_wait().unwrap() {
                break status;
            }
            if began.elapsed() > DEADLINE {
                let _ = child.kill();
                let _ = child.wait();
                panic!(
                    "no end: {args:?}: {}",
                    std::fs::read_to_string(&said).unwrap()
                );
            }
            std::thread::sleep(Duration::from_millis(5));
        };
        let said = String::from_utf8(std::fs::read(&said).unwrap()).unwrap();
        assert!(status.code().is_some(), "it died: {status}: {said}");
        assert!(!said.contains("panicked"), "{said}");
        (status.success(), said)
    }

    /// Fetches a path.
    fn get(&self, addr: SocketAddr, path: &str, more: &[&str]) -> (bool, String) {
        let url = format!("deck://{addr}/{path}");
        let args: Vec<&str> = ["get", &url].iter().chain(more).copied().collect();
        self.run(&args)
    }

    /// What stands in the target; everything else is as it was.
    fn landed(&self) -> Stand {
        let beside = stand(&self.beside());
        let secret = (PathBuf::from("secret"), "untouched".to_owned());
        assert_eq!(beside, Stand::from([secret]), "written outside the target");
        let above: Vec<_> = std::fs::read_dir(self.dir.path()).unwrap().collect();
        assert_eq!(above.len(), 3, "{above:?}");
        stand(&self.target())
    }
}

fn stand(root: &Path) -> Stand {
    let mut found = Stand::new();
    let mut ahead = vec![root.to_owned()];
    while let Some(folder) = ahead.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let kind = std::fs::symlink_metadata(&path).unwrap().file_type();
            let what = if kind.is_symlink() {
                format!("-> {}", std::fs::read_link(&path).unwrap().display())
            } else if kind.is_dir() {
                ahead.push(path.clone());
                "/".to_owned()
            } else {
                let content = std::fs::read(&path).unwrap();
                match String::from_utf8(content) {
                    Ok(content) if content.len() < 100 => content,
                    _ => "long".to_owned(),
                }
            };
            found.insert(path.strip_prefix(root).unwrap().to_owned(), what);
        }
    }
    found
}

fn named(landed: &Stand) -> Vec<&str> {
    landed.keys().map(|path| path.to_str().unwrap()).collect()
}

/// Bytes that repeat nowhere near.
fn noise(size: u64) -> Vec<u8> {
    let mut out = vec![0; usize::try_from(size).unwrap()];
    blake3::Hasher::new().finalize_xof().fill(&mut out);
    out
}

#[test]
fn the_fake_server_is_honest_where_it_does_not_lie() {
    let scene = Scene::new();
    let large = noise(2 * BLOCK + 5);
    let content = files(&[("d/e/a", b"1"), ("d/b", b""), ("d/large", &large)]);
    let addr = serve(content, |_, _| Ok(Lie::None));
    let (well, said) = scene.get(addr, "d", &["-r"]);
    assert!(well, "{said}");
    assert_eq!(
        named(&scene.landed()),
        ["d", "d/b", "d/e", "d/e/a", "d/large"]
    );
    assert_eq!(
        std::fs::read(scene.target().join("d/large")).unwrap(),
        large
    );
}

#[test]
fn no_name_leads_out_and_none_is_hidden() {
    let long = vec![b'x'; 256];
    let outside = b"/tmp/ferrydeck-must-not-write-this";
    let names: &[&[u8]] = &[
        b"../x",
        b"..",
        b".",
        b"",
        b"/x",
        outside,
        b"a/b",
        b"a/../../x",
        b".bashrc",
        b".ferrydeck-0123456789abcdef.part",
        b".ferrydeck-x",
        b"a\0b",
        b"a\nb",
        b"a\x1b[2Jb",
        "a\u{85}b".as_bytes(),
        b"\xFF\xFE",
        &long,
    ];
    for name in names {
        for kind in [0, 1] {
            let scene = Scene::new();
            let said = name.to_vec();
            let addr = serve(files(&[("d/good", b"good")]), move |line, ask| {
                match ask.kind {
                    LIST if ask.path() == "d" => {
                        let entries = vec![entry(b"good", 0, 4), entry(&said, kind, 3)];
                        line.say(PAGE, page(entries, false))?;
                    }
                    // Whatever is below it is there.
                    LIST => line.say(PAGE, page(vec![entry(b"in", 0, 3)], false))?,
                    GET if ask.path() != "d/good" => {
                        line.content(3, 0, &[1], 3)?;
                        line.block((0, 3), b"bad", Some(root(b"bad")))?;
                        line.say(END, hash(0, Some(root(b"bad"))))?;
                    }
                    _ => return Ok(Lie::None),
                }
                Ok(Lie::Told)
            });
            let (well, said) = scene.get(addr, "d", &["-r"]);
            let shown = String::from_utf8_lossy(name);
            assert!(!well, "{shown:?} of kind {kind} went well: {said}");
            assert!(!said.contains(['\x1b', '\0', '\u{85}']), "{said:?}");
            let landed = scene.landed();
            let fine = named(&landed)
                .iter()
                .all(|name| ["d", "d/good"].contains(name));
            assert!(fine, "{shown:?}: {landed:?}");
            assert!(!Path::new("/tmp/ferrydeck-must-not-write-this").exists());
        }
    }
}

#[test]
fn no_link_is_followed_and_nothing_overwritten() {
    let good = [
        ("d/e/secret", &b"evil"[..]),
        ("d/f", b"evil"),
        ("d/g", b"evil"),
        ("d/h", b"new"),
    ];
    for clash in ["fail", "skip", "rename", "overwrite"] {
        let scene = Scene::new();
        let d = scene.target().join("d");
        std::fs::create_dir(&d).unwrap();
        symlink(scene.beside(), d.join("e")).unwrap();
        symlink(scene.beside().join("secret"), d.join("f")).unwrap();
        symlink(scene.beside().join("none"), d.join("g")).unwrap();
        std::fs::write(d.join("h"), "old").unwrap();
        let addr = serve(files(&good), |_, _| Ok(Lie::None));
        let (well, said) = scene.get(addr, "d", &["-r", "--on-clash", clash]);
        assert!(!well, "{clash}: {said}");
        let landed = scene.landed();
        let e = &landed[Path::new("d/e")];
        assert!(
            e.starts_with("-> "),
            "{clash}: a link stands where a folder is due"
        );
        let links: Vec<_> = landed
            .values()
            .filter(|what| what.starts_with("-> "))
            .collect();
        let (links_due, h) = if clash == "overwrite" {
            (1, "new")
        } else {
            (3, "old")
        };
        assert_eq!(links.len(), links_due, "{clash}: {landed:?}");
        assert_eq!(landed[Path::new("d/h")], h, "{clash}");
        let hidden = landed
            .keys()
            .any(|path| path.to_str().unwrap().contains("/."));
        assert!(!hidden, "{clash}: {landed:?}");
    }
}

#[test]
fn links_under_our_own_names_are_not_followed() {
    // Long enough to have a part, and its name is known beforehand.
    let content = noise(2 * BLOCK);
    let part = &blake3::hash(b"large").to_hex()[..16];
    for goal in ["secret", "none"] {
        let scene = Scene::new();
        for ending in ["part", "state"] {
            let own = scene.target().join(format!(".ferrydeck-{part}.{ending}"));
            symlink(scene.beside().join(goal), own).unwrap();
        }
        let addr = serve(files(&[("large", &content)]), |_, _| Ok(Lie::None));
        let (well, said) = scene.get(addr, "large", &[]);
        assert!(well, "{said}");
        assert_eq!(named(&scene.landed()), ["large"]);
    }
    // A second name of a file outside is one, too.
    let scene = Scene::new();
    for ending in ["part", "state"] {
        let own = scene.target().join(format!(".ferrydeck-{part}.{ending}"));
        std::fs::hard_link(scene.beside().join("secret"), own).unwrap();
    }
    let addr = serve(files(&[("large", &content)]), |_, _| Ok(Lie::None));
    let (well, said) = scene.get(addr, "large", &[]);
    assert!(well, "{said}");
    assert_eq!(named(&scene.landed()), ["large"]);
}

#[test]
fn names_that_come_twice_do_not_replace_each_other() {
    let scene = Scene::new();
    let asked = AtomicU64::new(0);
    let addr = serve(files(&[("d/a", b"0")]), move |line, ask| {
        match ask.kind {
            LIST if ask.path() == "d" => {
                let twice = [
                    entry(b"a", 0, 1),
                    entry(b"a", 0, 1),
                    entry(b"A", 0, 1),
                    entry(b"a", 1, 0),
                ];
                line.say(PAGE, page(twice.to_vec(), false))?;
            }
            LIST => line.say(PAGE, page(vec![entry(b"in", 0, 1)], false))?,
            GET => {
                let content = asked.fetch_add(1, SeqCst).to_string().into_bytes();
                line.content(1, 0, &[1], 1)?;
                line.block((0, 1), &content, Some(root(&content)))?;
                line.say(END, hash(0, Some(root(&content))))?;
            }
            _ => return Ok(Lie::None),
        }
        Ok(Lie::Told)
    });
    let (well, said) = scene.get(addr, "d", &["-r"]);
    assert!(!well, "{said}");
    let landed = scene.landed();
    let files = named(&landed);
    let (lower, upper) = (Path::new("d/a"), Path::new("d/A"));
    assert!(
        landed.contains_key(lower) && landed.contains_key(upper),
        "{files:?}"
    );
    if landed[lower] != "/" {
        assert_eq!(files, ["d", "d/A", "d/a"]);
    }
}

#[test]
fn folders_without_a_bottom_come_to_an_end() {
    let scene = Scene::new();
    let asked = Arc::new(AtomicU64::new(0));
    let count = Arc::clone(&asked);
    let addr = serve(files(&[("d/a", b"0")]), move |line, ask| {
        if ask.kind != LIST {
            return Ok(Lie::None);
        }
        count.fetch_add(1, SeqCst);
        line.say(PAGE, page(vec![entry(b"d", 1, 0)], false))?;
        Ok(Lie::Told)
    });
    let (well, said) = scene.get(addr, "d", &["-r"]);
    assert!(!well && said.contains("within each other"), "{said}");
    assert!(asked.load(SeqCst) < 200);
}

#[test]
fn a_listing_without_end_comes_to_an_end() {
    for args in [&["get", "-r"][..], &["ls"]] {
        let scene = Scene::new();
        let addr = serve(files(&[("d/a", b"0")]), |line, ask| {
            if ask.kind != LIST {
                return Ok(Lie::None);
            }
            let mut many = Vec::new();
            let mut body = Vec::new();
            Map(page(Vec::new(), true)).write(&mut body);
            for _ in 0..4096 {
                many.extend([0x49, 0x7E, PAGE, 0, 0, 0, u8::try_from(body.len()).unwrap()]);
                many.extend(&body);
            }
            loop {
                line.output.write_all(&many)?;
            }
        });
        let url = format!("deck://{addr}/d");
        let args: Vec<&str> = args.iter().copied().chain([url.as_str()]).collect();
        let (well, said) = scene.run(&args);
        assert!(!well && said.contains("no end"), "{said}");
    }
}

/// Fetches `large` (three blocks and a bit) and `small`, both lied about in the same
/// way; nothing may stand under their names, and it ends soon.
fn spoilt(lie: impl Fn(&mut Line, &Ask, &[u8]) -> io::Result<()> + Send + Sync + Copy + 'static) {
    let large = noise(3 * BLOCK + 17);
    let small = noise(1000);
    for (name, content) in [("large", large), ("small", small)] {
        for more in [&[][..], &["-r"]] {
            let scene = Scene::new();
            let asked = Arc::new(AtomicU64::new(0));
            let (count, told) = (Arc::clone(&asked), content.clone());
            let path = format!("d/{name}");
            let addr = serve(files(&[(&path, &content)]), move |line, ask| {
                if ask.kind != GET {
                    return Ok(Lie::None);
                }
                count.fetch_add(1, SeqCst);
                lie(line, ask, &told)?;
                Ok(Lie::Told)
            });
            let url = if more.is_empty() { path.as_str() } else { "d" };
            let (well, said) = scene.get(addr, url, more);
            assert!(!well, "{name} {more:?} went well: {said}");
            let landed = scene.landed();
            let named = named(&landed);
            assert!(!named.iter().any(|path| path.ends_with(name)), "{named:?}");
            let asked = asked.load(SeqCst);
            assert!(asked < 100, "{name} was asked for {asked} times");
        }
    }
}

fn reach(ask: &Ask, content: &[u8]) -> (u64, u64, u64) {
    let size = content.len() as u64;
    let from = ask.uint(1).unwrap();
    (size, from, ask.uint(3).unwrap_or(size).min(size))
}

/// A stretch whose blocks are passed through `each`.
fn stretch(
    line: &mut Line,
    ask: &Ask,
    content: &[u8],
    end: [u8; 32],
    each: impl Fn(u64, &mut Vec<u8>, &mut [u8; 32]),
) -> io::Result<()> {
    let (size, from, until) = reach(ask, content);
    line.content(size, from, &[1], until)?;
    for index in from / BLOCK..blocks(until) {
        let at = usize::try_from(index * BLOCK).unwrap();
        let len = block_len(size, index);
        let mut bytes = content[at..at + usize::try_from(len).unwrap()].to_vec();
        let mut value = values(content)[usize::try_from(index).unwrap()];
        each(index, &mut bytes, &mut value);
        line.block((index * BLOCK, len), &bytes, Some(value))?;
    }
    line.say(END, hash(0, Some(end)))
}

#[test]
fn a_block_that_is_bad_for_ever_is_given_up() {
    spoilt(|line, ask, content| {
        stretch(line, ask, content, root(content), |index, bytes, _| {
            if index == 0 {
                bytes[7] ^= 1;
            }
        })
    });
}

#[test]
fn a_root_that_does_not_agree_is_given_up() {
    spoilt(|line, ask, content| stretch(line, ask, content, [7; 32], |_, _, _| {}));
}

#[test]
fn another_size_than_announced_is_given_up() {
    // More, and less, each told by the content's own head.
    spoilt(|line, ask, content| {
        let (size, from, _) = reach(ask, content);
        line.content(size + 5, from, &[1], size + 5)?;
        let at = usize::try_from(from).unwrap();
        let end = content.len().min(at + usize::try_from(BLOCK).unwrap());
        line.block((from, (end - at) as u64), &content[at..end], Some([0; 32]))?;
        line.say(END, hash(0, None))
    });
    spoilt(|line, ask, content| {
        let (size, from, until) = reach(ask, content);
        line.content(size, from, &[1], until)?;
        // No block, though some are due.
        line.say(END, hash(0, Some(root(content))))
    });
}

#[test]
fn blocks_beyond_the_end_and_out_of_turn_are_given_up() {
    spoilt(|line, ask, content| {
        let (size, from, until) = reach(ask, content);
        line.content(size, from, &[1], until)?;
        line.block((size + BLOCK, 5), b"12345", Some([0; 32]))?;
        line.say(END, hash(0, Some(root(content))))
    });
    spoilt(|line, ask, content| {
        let (size, from, until) = reach(ask, content);
        line.content(size, from, &[1], until)?;
        line.block((from, 16 << 20), &noise(16 << 20), Some([0; 32]))?;
        line.say(END, hash(0, Some(root(content))))
    });
}

#[test]
fn another_version_in_the_middle_is_given_up() {
    spoilt(|line, ask, content| {
        let (size, from, until) = reach(ask, content);
        line.content(size, from, &[1], until)?;
        let len = block_len(size, from / BLOCK);
        line.say(
            RUN,
            vec![(0, Uint(from)), (1, Uint(len)), (2, Bytes(vec![9]))],
        )?;
        let at = usize::try_from(from).unwrap();
        line.output
            .write_all(&content[at..at + usize::try_from(len).unwrap()])?;
        line.say(RUN_END, vec![(1, Uint(2))])?;
        line.say(END, vec![(1, Uint(2))])
    });
}

#[test]
fn a_size_beyond_every_disk_is_refused_before_a_byte_comes() {
    let scene = Scene::new();
    for size in [1 << 63, u64::MAX, 1 << 60] {
        let asked = Arc::new(AtomicU64::new(0));
        let count = Arc::clone(&asked);
        let addr = serve(files(&[("d/a", b"0")]), move |line, ask| {
            match ask.kind {
                LIST => line.say(PAGE, page(vec![entry(b"a", 0, size)], false))?,
                STAT if ask.path() == "d/a" => {
                    let Map(mut map) = entry(b"a", 0, size) else {
                        unreachable!("an entry is a map");
                    };
                    map.push((4, Bytes(vec![1])));
                    line.say(ENTRY, map)?;
                }
                GET => {
                    count.fetch_add(1, SeqCst);
                    line.say(REFUSED, vec![(0, Uint(6))])?;
                }
                _ => return Ok(Lie::None),
            }
            Ok(Lie::Told)
        });
        for (path, more) in [("d/a", &[][..]), ("d", &["-r"])] {
            let (well, said) = scene.get(addr, path, more);
            assert!(!well && said.contains("room"), "{size}: {said}");
        }
        assert_eq!(asked.load(SeqCst), 0);
        assert!(
            scene.landed().values().all(|what| what == "/"),
            "{:?}",
            scene.landed()
        );
    }
}

/// A small disk of its own, unmounted when dropped.
struct Disk(PathBuf);

impl Disk {
    fn new(at: PathBuf) -> Option<Self> {
        let mut mount = Command::new("mount");
        mount
            .args(["-t", "tmpfs", "-o", "size=24m", "none"])
            .arg(&at);
        let mounted = mount.stderr(Stdio::null()).status();
        mounted
            .is_ok_and(|status| status.success())
            .then_some(Self(at))
    }

    fn free(&self) -> u64 {
        let stat = rustix::fs::statvfs(&self.0).unwrap();
        stat.f_bavail * stat.f_frsize
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(&self.0).status();
    }
}

#[test]
fn the_disk_is_not_filled_past_its_floor() {
    const MANY: u64 = 900;
    // Several bundles at once, each with more than there is room for.
    let small = noise(40 << 10);
    let many: Files = (0..MANY)
        .map(|n| (format!("d/{n}"), small.clone()))
        .collect();
    let large = noise(7 << 20);
    let mut both = many.clone();
    both.insert("d/large".to_owned(), large.clone());
    let three = files(&[("d/1", &large), ("d/2", &large), ("d/3", &large)]);
    let runs: [(Files, &[&str]); 4] = [
        (many, &["--parallel", "8"]),
        (both, &[]),
        (three.clone(), &[]),
        (three, &["--no-verify"]),
    ];
    for (content, more) in runs {
        let scene = Scene::new();
        let Some(disk) = Disk::new(scene.target()) else {
            return skip("the right to mount a tmpfs");
        };
        // What is announced is little: the bytes tell.
        let addr = serve(content, |line, ask| {
            if ask.kind != LIST {
                return Ok(Lie::None);
            }
            let names = (0..MANY).map(|n| n.to_string()).chain(["large".to_owned()]);
            let entries = names.map(|name| entry(name.as_bytes(), 0, 1));
            line.say(PAGE, page(entries.collect(), false))?;
            Ok(Lie::Told)
        });
        let url = format!("deck://{addr}/d");
        let mut child = Command::new(BIN)
            .args(["get", "-r", &url, "--min-free", "8MiB"])
            .args(more)
            .env("FERRYDECK_STATE_DIR", scene.dir.path().join("state"))
            .current_dir(scene.target())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut least = disk.free();
        let began = Instant::now();
        let status = loop {
            least = least.min(disk.free());
            if let Some(status) = child.try_wait().unwrap() {
                break status;
            }
            assert!(began.elapsed() < DEADLINE, "no end");
        };
        assert!(!status.success(), "more than there is room for");
        assert!(least < 20 << 20, "it has begun");
        // But for what several write at the same moment.
        assert!(
            least >= (8 << 20) - (256 << 10),
            "only {least} were left free"
        );
    }
}

#[test]
fn a_server_that_only_waits_can_be_left() {
    let scene = Scene::new();
    let waited = Arc::new(AtomicU64::new(0));
    let count = Arc::clone(&waited);
    let addr = serve(files(&[("a", b"0")]), move |line, ask| {
        if ask.kind != STAT {
            return Ok(Lie::None);
        }
        loop {
            line.say(WAIT, vec![(0, Uint(0)), (1, Uint(9))])?;
            count.fetch_add(1, SeqCst);
        }
    });
    let url = format!("deck://{addr}/a");
    let mut child = Command::new(BIN)
        .args(["get", &url])
        .env("FERRYDECK_STATE_DIR", scene.dir.path().join("state"))
        .current_dir(scene.target())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let began = Instant::now();
    while waited.load(SeqCst) < 100_000 {
        assert!(began.elapsed() < DEADLINE, "it does not read on");
        std::thread::sleep(Duration::from_millis(5));
    }
    let pid = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
    let began = Instant::now();
    while child.try_wait().unwrap().is_none() {
        assert!(began.elapsed() < DEADLINE, "it cannot be stopped");
        std::thread::sleep(Duration::from_millis(5));
    }
    assert_eq!(scene.landed(), Stand::new());
}

/// Sends a file of two blocks to a server that answers the put in its own way.
fn sent(answer: impl Fn(&mut Line) -> io::Result<()> + Send + Sync + 'static) -> String {
    let scene = Scene::new();
    let sent = scene.beside().join("secret");
    std::fs::write(&sent, noise(2 * BLOCK)).unwrap();
    let addr = serve(Files::new(), move |line, ask| {
        match ask.kind {
            PUT => answer(line)?,
            STAT => line.say(REFUSED, vec![(0, Uint(1))])?,
            other => panic!("{other:X}"),
        }
        Ok(Lie::Told)
    });
    let url = format!("deck://{addr}/");
    let (well, said) = scene.run(&["put", sent.to_str().unwrap(), &url]);
    assert!(!well, "{said}");
    assert_eq!(std::fs::read(&sent).unwrap(), noise(2 * BLOCK));
    assert_eq!(stand(&scene.target()), Stand::new());
    said
}

#[test]
fn an_upload_is_not_taken_for_stored_on_a_lie() {
    let stored = |line: &mut Line, name: &str, hash: [u8; 32]| {
        line.say(STORED, vec![(0, text(name)), (1, Bytes(hash.to_vec()))])
    };
    // With another root than what was sent.
    sent(move |line| {
        line.say(HERE, vec![(0, Array(Vec::new()))])?;
        line.payload()?;
        stored(line, "secret", [7; 32])
    });
    // Before anything was sent, and though it was never said what is here.
    sent(move |line| stored(line, "secret", root(&noise(2 * BLOCK))));
    sent(move |line| {
        line.say(HERE, vec![(0, Array(Vec::new()))])?;
        stored(line, "secret", [7; 32])
    });
    // Under a name that leads somewhere else.
    sent(move |line| {
        line.say(HERE, vec![(0, Array(Vec::new()))])?;
        line.payload()?;
        stored(line, "../secret", root(&noise(2 * BLOCK)))
    });
    // More is said to be here than there is.
    sent(|line| line.say(HERE, vec![(0, Array(vec![Uint(0), Uint(1 << 60)]))]));
    // The same block again, for ever.
    let rounds = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&rounds);
    let said = sent(move |line| {
        line.say(HERE, vec![(0, Array(Vec::new()))])?;
        for _ in 0..50 {
            line.payload()?;
            counted.fetch_add(1, SeqCst);
            line.say(AGAIN, vec![(0, Array(vec![Uint(0), Uint(1)]))])?;
        }
        Ok(())
    });
    let rounds = rounds.load(SeqCst);
    assert!((2..20).contains(&rounds), "sent {rounds} times: {said}");
}
