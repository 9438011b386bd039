//! A deck server on a folder of its own, and a peer that speaks by the codec alone.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot set its scene has failed"
)]

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use assert_fs::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::entity::{Dialect, RemotePath, Rights, Root, Speak};
use crate::event::{Event, Fact, What};
use crate::net::pump::Way;
use crate::net::server::{Door, Limits, Serve};
use crate::net::store::landing::{Floor, Landing, Make};
use crate::net::store::{Dotfiles, Store};
use crate::net::tree::{BLOCK, BlockHasher, block_len, blocks};
use crate::net::wire::client_codec;
use crate::net::wire::codec::{
    Answer, Check, ClientCodec, Content, Pace, Refusal, Request, Span, Taken, Terms, Value, Version,
};
use crate::net::{Engine, Handle, start};

/// The one deadline of every wait here.
pub(super) const DEADLINE: Duration = Duration::from_secs(30);

/// What a server allows that allows everything.
pub(super) const ALL: Rights = Rights::NEWCOMER;

pub(super) struct Bench {
    pub dir: TempDir,
    pub addr: SocketAddr,
    pub handle: Handle,
    pub told: Vec<Event>,
}

impl Bench {
    pub fn new(rights: Rights) -> Self {
        Self::with(rights, Limits::default(), Floor::Bytes(0), Way::BEST)
    }

    pub fn with(rights: Rights, limits: Limits, floor: Floor, way: Way) -> Self {
        Self::on(TempDir::new().unwrap(), rights, limits, floor, way)
    }

    /// On a folder that is there.
    pub fn on(dir: TempDir, rights: Rights, limits: Limits, floor: Floor, way: Way) -> Self {
        let door = Door::bind(([127, 0, 0, 1], 0).into(), Speak::Only(Dialect::Deck)).unwrap();
        let addr = door.addr();
        let writes = rights.upload || rights.rename || rights.delete;
        let landing = writes.then(|| {
            let landing = Landing::open(dir.path(), Dotfiles::Hidden, floor, Make::Best);
            Arc::new(landing.unwrap())
        });
        let handle = start(Engine::Serve(Serve {
            rights,
            porter: None,
            landing,
            doors: vec![door],
            store: Arc::new(Store::open(dir.path(), Dotfiles::Hidden).unwrap()),
            limits,
            way,
            name: "bench".into(),
            notes: Vec::new(),
        }));
        Self {
            dir,
            addr,
            handle,
            told: Vec::new(),
        }
    }

    pub fn file(&self, name: &str, content: &[u8]) {
        std::fs::write(self.dir.path().join(name), content).unwrap();
    }

    pub fn read(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.dir.path().join(name)).unwrap()
    }

    /// Every name in the folder, the reserved ones too, in order.
    pub fn names(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.dir.path()).unwrap();
        let name = |entry: std::io::Result<std::fs::DirEntry>| entry.unwrap().file_name();
        let mut names: Vec<_> = entries
            .map(|entry| name(entry).into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    /// A file that costs no disk.
    pub fn sparse(&self, name: &str, size: u64) -> std::fs::File {
        let file = std::fs::File::create(self.dir.path().join(name)).unwrap();
        file.set_len(size).unwrap();
        file
    }

    /// Waits until a file is old enough for its tree to be kept.
    pub async fn settled(&self, name: &str) {
        let store = Store::open(self.dir.path(), Dotfiles::Hidden).unwrap();
        let settled = async {
            while !store.read(&name.into()).unwrap().is_settled() {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        timeout(DEADLINE, settled).await.unwrap();
    }

    pub async fn greet(&self) -> Deck {
        Deck::greet(TcpStream::connect(self.addr).await.unwrap()).await
    }

    /// Waits for the next event that is meant; every one is kept in `told`.
    pub async fn until(&mut self, meant: impl Fn(&What) -> bool) -> What {
        loop {
            let event = timeout(DEADLINE, self.handle.feed.next()).await;
            let event = event.unwrap_or_else(|_| panic!("nothing more after {}", self.words()));
            let event = event.unwrap();
            self.told.push(event.clone());
            if meant(&event.what) {
                return event.what;
            }
        }
    }

    /// The next event of this label and cause.
    pub async fn caused(&mut self, label: &str, cause: &str) -> Fact {
        let is = |what: &What| {
            what.label() == Some(label) && fact(what).is_some_and(|f| f.cause == cause)
        };
        let what = self.until(is).await;
        fact(&what).unwrap().clone()
    }

    /// The next end of a transfer: its outcome and cause.
    pub async fn ended(&mut self) -> crate::event::Ended {
        match self
            .until(|what| matches!(what, What::TransferEnded(_)))
            .await
        {
            What::TransferEnded(ended) => ended,
            other => panic!("{other:?}"),
        }
    }

    /// What was told since the last look: words and causes.
    pub fn words(&mut self) -> String {
        let told = std::mem::take(&mut self.told);
        let words: Vec<_> = told.iter().map(|event| word(&event.what)).collect();
        words.join(" ")
    }
}

fn fact(what: &What) -> Option<&Fact> {
    match what {
        What::Request(fact)
        | What::Timeout(fact)
        | What::Malformed(fact)
        | What::Refused(fact)
        | What::Displaced(fact)
        | What::Kicked(fact)
        | What::Note(fact)
        | What::Closed(fact) => Some(fact),
        _ => None,
    }
}

fn word(what: &What) -> String {
    let label = what.label().unwrap_or("-");
    match what {
        What::TransferEnded(ended) => format!("{label}={}", ended.outcome.label()),
        _ => fact(what).map_or_else(
            || label.to_owned(),
            |fact| format!("{label}={}", fact.cause),
        ),
    }
}

/// A stretch as it came.
#[derive(Debug, PartialEq)]
pub(super) struct Stretch {
    pub content: Content,
    pub until: u64,
    pub bytes: Vec<u8>,
    pub values: Vec<Option<Value>>,
    pub end: Result<Option<Root>, Refusal>,
}

/// The client's codec over a socket: what is tested here is the engine.
pub(super) struct Deck {
    pub peer: TcpStream,
    pub codec: Box<dyn ClientCodec>,
    pub input: Vec<u8>,
    pub rights: Rights,
    /// Everything that came, since this was emptied last.
    pub heard: Vec<u8>,
}

impl Deck {
    async fn greet(peer: TcpStream) -> Self {
        let mut deck = Self {
            peer,
            codec: client_codec(Dialect::Deck),
            input: Vec::new(),
            rights: Rights::default(),
            heard: Vec::new(),
        };
        let mut out = Vec::new();
        assert!(deck.codec.greet("test", &mut out));
        deck.peer.write_all(&out).await.unwrap();
        let Answer::Welcome(welcome) = deck.hear().await else {
            panic!("no welcome");
        };
        deck.rights = welcome.rights;
        deck
    }

    pub fn bytes(&mut self, request: &Request) -> Vec<u8> {
        let mut out = Vec::new();
        self.codec.ask(request, &mut out).unwrap();
        out
    }

    pub async fn ask(&mut self, request: &Request) -> Answer {
        let bytes = self.bytes(request);
        self.send(&bytes).await;
        self.hear().await
    }

    pub async fn send(&mut self, bytes: &[u8]) {
        let sent = timeout(DEADLINE, self.peer.write_all(bytes)).await;
        sent.unwrap().unwrap();
    }

    /// The next answer, `Wait` left out.
    pub async fn hear(&mut self) -> Answer {
        loop {
            match self.hear_all().await {
                Answer::Wait { .. } => {}
                answer => return answer,
            }
        }
    }

    pub async fn hear_all(&mut self) -> Answer {
        loop {
            if let Some((used, answer)) = self.codec.decode(&self.input).unwrap() {
                self.input.drain(..used);
                return answer;
            }
            self.more().await;
        }
    }

    async fn more(&mut self) {
        let before = self.input.len();
        let read = self.peer.read_buf(&mut self.input);
        let read = timeout(DEADLINE, read).await.unwrap().unwrap();
        assert!(read > 0, "closed where an answer was due");
        self.heard.extend_from_slice(&self.input[before..]);
    }

    pub async fn take(&mut self, len: u64) -> Vec<u8> {
        let len = usize::try_from(len).unwrap();
        while self.input.len() < len {
            self.more().await;
        }
        self.input.drain(..len).collect()
    }

    pub async fn fetch(&mut self, request: &Request) -> Result<Stretch, Refusal> {
        let bytes = self.bytes(request);
        self.send(&bytes).await;
        self.stretch().await
    }

    /// Hears a stretch to its end.
    pub async fn stretch(&mut self) -> Result<Stretch, Refusal> {
        let (content, until) = match self.hear().await {
            Answer::Stretch { content, until } => (content, until),
            Answer::Refused { refusal } => return Err(refusal),
            other => panic!("{other:?}"),
        };
        let mut stretch = Stretch {
            content,
            until,
            bytes: Vec::new(),
            values: Vec::new(),
            end: Ok(None),
        };
        loop {
            match self.hear().await {
                Answer::Run { offset, len } => {
                    let at = stretch.content.offset + stretch.bytes.len() as u64;
                    assert_eq!(offset, at);
                    let run = self.take(len).await;
                    stretch.bytes.extend(run);
                }
                Answer::Sealed { value } => stretch.values.push(value),
                Answer::Closed { root } => {
                    stretch.end = Ok(root);
                    return Ok(stretch);
                }
                Answer::Refused { refusal } => {
                    stretch.end = Err(refusal);
                    return Ok(stretch);
                }
                other => panic!("{other:?}"),
            }
        }
    }

    /// Sends one block with its value; `spoil` says which byte to flip.
    pub async fn block(&mut self, content: &[u8], index: u64, spoil: Option<usize>) {
        let out = self.block_bytes(content, index, spoil);
        self.send(&out).await;
    }

    pub fn block_bytes(&mut self, content: &[u8], index: u64, spoil: Option<usize>) -> Vec<u8> {
        let (offset, mut bytes) = block_of(content, index);
        let value = value_of(content, index);
        if let Some(at) = spoil {
            bytes[at] ^= 1;
        }
        let mut out = Vec::new();
        self.codec.block(offset, bytes.len() as u64, &mut out);
        out.extend(bytes);
        self.codec.seal(Some(value), &mut out);
        out
    }

    /// Says that all was sent, with the root of this.
    pub async fn close(&mut self, content: &[u8]) -> Answer {
        let mut out = Vec::new();
        self.codec.close(Ok(Some(root_of(content))), &mut out);
        self.send(&out).await;
        self.hear().await
    }

    /// A small file, all of it at once.
    pub fn eager(&mut self, name: &str, content: &[u8]) -> Vec<u8> {
        let mut out = self.bytes(&put(name, content, Pace::Eager));
        for index in 0..blocks(content.len() as u64) {
            out.extend(self.block_bytes(content, index, None));
        }
        self.codec.close(Ok(Some(root_of(content))), &mut out);
        out
    }
}

pub(super) fn root_of(content: &[u8]) -> Root {
    Root(*blake3::hash(content).as_bytes())
}

pub(super) fn block_of(content: &[u8], index: u64) -> (u64, Vec<u8>) {
    let offset = index * BLOCK;
    let len = block_len(content.len() as u64, index);
    let range = usize::try_from(offset).unwrap()..usize::try_from(offset + len).unwrap();
    (offset, content[range].to_vec())
}

pub(super) fn value_of(content: &[u8], index: u64) -> Value {
    let mut hasher = BlockHasher::new(content.len() as u64, index);
    hasher.update(&block_of(content, index).1);
    hasher.value()
}

/// Content that repeats nowhere near a block's length.
pub(super) fn noise(len: usize, seed: u32) -> Vec<u8> {
    let mut state = seed.wrapping_mul(2_654_435_761).max(1);
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        state.to_le_bytes()
    };
    let mut noise: Vec<u8> = (0..len.div_ceil(4)).flat_map(|_| next()).collect();
    noise.truncate(len);
    noise
}

pub(super) fn fetch(name: &str, offset: u64, until: Option<u64>) -> Request {
    Request::Fetch {
        path: RemotePath::from(name),
        offset,
        until,
        version: None,
        check: Check::Blocks,
    }
}

pub(super) fn terms(pace: Pace) -> Terms {
    Terms {
        source: Version::new(b"first").unwrap(),
        mtime: Some(1_000_000_000),
        taken: Taken::Refuse,
        check: Check::Blocks,
        pace,
    }
}

pub(super) fn put(name: &str, content: &[u8], pace: Pace) -> Request {
    store(name, content.len() as u64, terms(pace))
}

pub(super) fn store(name: &str, size: u64, terms: Terms) -> Request {
    Request::Store {
        path: RemotePath::from(name),
        size,
        terms: Box::new(terms),
    }
}

pub(super) fn span(first: u64, count: u64) -> Span {
    Span { first, count }
}
