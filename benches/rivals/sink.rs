//! A client that throws away what it fetches, as a process of its own.
//!
//! The bench starts itself again for it, so that its CPU seconds and memory are
//! accounted like curl's. It asks with the product's own codec and reads either in
//! large pieces, or as `curl -o /dev/null` does: 16 KiB at a time, each written.

mod sealed;

use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::Command;

use ferrydeck::entity::Dialect;
use ferrydeck::net::wire::client_codec;
use ferrydeck::net::wire::codec::{Answer, ClientCodec, Request};

/// The order to be a sink: address, dialect, name, manner.
const ORDER: &str = "FERRYDECK_BENCH_SINK";

/// How a sink reads.
#[derive(Clone, Copy)]
pub enum Manner {
    /// 256 KiB at a time, dropped.
    Large,
    /// 16 KiB at a time, written to `/dev/null`: what curl 7 does.
    LikeCurl,
}

impl Manner {
    const fn word(self) -> &'static str {
        match self {
            Self::Large => "large",
            Self::LikeCurl => "curl",
        }
    }

    const fn buffer(self) -> usize {
        match self {
            Self::Large => 256 << 10,
            Self::LikeCurl => 16 << 10,
        }
    }
}

/// A sink for one file.
pub fn command(addr: SocketAddr, dialect: Dialect, name: &str, manner: Manner) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    let order = format!("{addr} {} {} {name}", dialect.label(), manner.word());
    command.env(ORDER, order);
    command
}

/// Obeys, if that is what this process was started for.
pub fn obey() -> bool {
    let Ok(order) = std::env::var(ORDER) else {
        return false;
    };
    let words: Vec<&str> = order.splitn(4, ' ').collect();
    let [addr, dialect, manner, name] = words[..] else {
        unreachable!("an order of four words");
    };
    if dialect == Dialect::DeckTls.label() {
        sealed::drain(addr.parse().unwrap(), name);
        return true;
    }
    let dialect = [Dialect::Classic, Dialect::Deck]
        .into_iter()
        .find(|known| known.label() == dialect)
        .unwrap();
    let manner = [Manner::Large, Manner::LikeCurl]
        .into_iter()
        .find(|known| known.word() == manner)
        .unwrap();
    let mut line = open(addr.parse().unwrap(), dialect);
    ask(&mut line, name);
    assert!(drain(&mut line, manner, u64::MAX) > 0, "nothing came");
    true
}

/// A connection with a codec.
pub struct Line {
    /// The connection.
    pub socket: TcpStream,
    codec: Box<dyn ClientCodec>,
    input: Vec<u8>,
    greeting: Vec<u8>,
}

/// Connects; what is to be greeted with goes along with the first question.
pub fn open(addr: SocketAddr, dialect: Dialect) -> Line {
    let mut codec = client_codec(dialect);
    let mut greeting = Vec::new();
    codec.greet("bench", &mut greeting);
    Line {
        socket: TcpStream::connect(addr).unwrap(),
        codec,
        input: Vec::new(),
        greeting,
    }
}

/// Greets and waits for the welcome.
pub fn greet(line: &mut Line) {
    let greeting = std::mem::take(&mut line.greeting);
    line.socket.write_all(&greeting).unwrap();
    assert!(
        matches!(hear(line), Answer::Welcome(_)),
        "something else than a welcome"
    );
}

/// Asks for a file.
pub fn ask(line: &mut Line, name: &str) {
    let get = Request::Get {
        path: name.into(),
        offset: 0,
        version: None,
    };
    let mut out = std::mem::take(&mut line.greeting);
    line.codec.ask(&get, &mut out).unwrap();
    line.socket.write_all(&out).unwrap();
}

fn hear(line: &mut Line) -> Answer {
    loop {
        if let Some((used, answer)) = line.codec.decode(&line.input).unwrap() {
            line.input.drain(..used);
            return answer;
        }
        let mut head = [0; 512];
        match line.socket.read(&mut head).unwrap() {
            0 => return line.codec.eof(&line.input).unwrap(),
            read => line.input.extend_from_slice(&head[..read]),
        }
    }
}

/// Reads a file to its end, or at least `most` bytes of it; says how many came.
pub fn drain(line: &mut Line, manner: Manner, most: u64) -> u64 {
    let mut buffer = vec![0; manner.buffer()];
    let mut null: Option<File> = match manner {
        Manner::Large => None,
        Manner::LikeCurl => OpenOptions::new().write(true).open("/dev/null").ok(),
    };
    let mut got = 0;
    while got < most {
        match hear(line) {
            Answer::Run { len, .. } => {
                let here = len.min(line.input.len() as u64);
                line.input.drain(..usize::try_from(here).unwrap());
                let mut left = len - here;
                while left > 0 {
                    let want = usize::try_from(left.min(buffer.len() as u64)).unwrap();
                    let read = line.socket.read(&mut buffer[..want]).unwrap();
                    assert!(read > 0, "closed in mid-file");
                    if let Some(null) = &mut null {
                        null.write_all(&buffer[..read]).unwrap();
                    }
                    left -= read as u64;
                }
                got += len;
            }
            Answer::End => return got,
            Answer::Refused { refusal } => {
                unreachable!("refused: {}", refusal.words());
            }
            _ => {}
        }
    }
    got
}
