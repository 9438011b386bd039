//! One connection to a server, seen from the client: ask, hear.
//!
//! Finds the address, opens the socket, greets, and turns bytes into answers
//! with the codec of the dialect. Every wait is bounded by the dialect's own
//! patience. It knows nothing of queues, files or screens.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpStream, lookup_host};
use tokio::time::{sleep, timeout};

use super::busy::{Busy, drips};
use super::private::Keys;
use crate::entity::Dialect;
use crate::net::hub::is_loopback;
use crate::net::pipe::Pipe;
use crate::net::wire::client_codec_counting;
use crate::net::wire::codec::{Answer, ClientCodec, Cue, Malformed, Refusal, Request, Welcome};
use crate::net::words::{CUT, plainly};

/// Bytes read at once while heads are read.
const READ: usize = 64 << 10;
/// The same while nothing is due.
const IDLE: usize = 4 << 10;
/// How long a silence must be to mean something (`--session-quiet`'s default).
pub(super) const QUIET: Duration = Duration::from_millis(200);
/// What lies behind a word that must come as a segment of its own (dialects, "colon").
pub(super) const APART: Duration = Duration::from_millis(300);
/// The longest an answer's head may take, from the first wait to its last byte.
const ANSWER: Duration = Duration::from_secs(30);
/// The longest wait for a name server.
const LOOK_UP: Duration = Duration::from_secs(10);

/// Where a server is and what it speaks.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Target {
    /// Its dialect.
    pub dialect: Dialect,
    /// A name to resolve or an address, without brackets.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// How many clients will come, where the dialect says that (colon, `--clients`).
    pub clients: Option<u8>,
    /// What it takes to be private with it.
    pub keys: Keys,
}

/// How long a client waits.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// For a connection.
    pub connect: Duration,
    /// For the next byte.
    pub gap: Duration,
}

impl Patience {
    /// The dialect's own: classic's is 1 s for both (dialects, "classic", client).
    pub const fn of(dialect: Dialect) -> Self {
        match dialect {
            Dialect::Classic => Self {
                connect: Duration::from_secs(1),
                gap: Duration::from_secs(1),
            },
            Dialect::Deck
            | Dialect::DeckTls
            | Dialect::Session
            | Dialect::Colon
            | Dialect::Drop => Self {
                connect: Duration::from_secs(10),
                gap: Duration::from_secs(30),
            },
        }
    }
}

/// Why something did not come to be: one word for scripts, a sentence for a person.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{detail}")]
pub struct Failure {
    /// One fixed word.
    pub cause: &'static str,
    /// The sentence.
    pub detail: String,
}

impl Failure {
    pub(super) fn new(cause: &'static str, detail: impl Into<String>) -> Self {
        Self {
            cause,
            detail: detail.into(),
        }
    }

    pub(super) fn refused(refusal: Refusal) -> Self {
        Self::new(refusal.label(), refusal.words())
    }

    pub(super) fn unexpected() -> Self {
        Self::new("malformed", "the server answered something else")
    }
}

impl From<Malformed> for Failure {
    fn from(malformed: Malformed) -> Self {
        if malformed.cause == Malformed::ABSENT {
            // The server says so itself: no rule is broken.
            return Self::new("not_found", malformed.detail);
        }
        Self::new(
            "malformed",
            format!("the server broke the protocol: {}", malformed.detail),
        )
    }
}

/// An open connection.
pub struct Line {
    pub(super) pipe: Arc<Pipe>,
    pub(super) input: Vec<u8>,
    pub(super) codec: Box<dyn ClientCodec>,
    pub(super) gap: Duration,
    /// How the server greeted, in dialects that greet.
    pub welcome: Option<Welcome>,
}

impl std::fmt::Debug for Line {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Line")
            .field("pipe", &self.pipe)
            .finish_non_exhaustive()
    }
}

impl Line {
    /// Connects and greets. A host's addresses are tried in turn.
    pub async fn open(target: &Target, patience: Patience, name: &str) -> Result<Self, Failure> {
        let (socket, dialect) = connect(target, patience).await?;
        let _ = socket.set_nodelay(true);
        let mut line = Self {
            pipe: Arc::new(Pipe::plain(socket)),
            input: Vec::new(),
            codec: codec_speaking(dialect, target)?,
            gap: patience.gap,
            welcome: None,
        };
        if dialect == Dialect::DeckTls {
            line.secure(target, name).await?;
        }
        match line.greet(name).await? {
            // It has forgotten us: the code helps, if we have one.
            Some(refusal) if line.may_prove(target, refusal) => {
                line.prove(target, name).await?;
                match line.greet(name).await? {
                    None => Ok(line),
                    Some(refusal) => Err(Failure::refused(refusal)),
                }
            }
            Some(refusal) => Err(Failure::refused(refusal)),
            None => Ok(line),
        }
    }

    /// Says who we are, where the dialect does; what the server says against it.
    async fn greet(&mut self, name: &str) -> Result<Option<Refusal>, Failure> {
        let mut out = Vec::new();
        if self.codec.greet(name, &mut out) {
            self.send(&out).await?;
            match self.hear().await? {
                Answer::Welcome(welcome) => self.welcome = Some(welcome),
                Answer::Refused { refusal } => return Ok(Some(refusal)),
                _ => return Err(Failure::unexpected()),
            }
        } else if !out.is_empty() {
            // A segment of its own; the server must not read it with the request.
            self.send(&out).await?;
            sleep(APART).await;
        }
        Ok(None)
    }

    /// Both ends of the connection: the server's and ours.
    pub fn ends(&self) -> Result<(SocketAddr, SocketAddr), Failure> {
        let ends = self
            .pipe
            .tcp()
            .peer_addr()
            .and_then(|peer| Ok((peer, self.pipe.tcp().local_addr()?)));
        ends.map_err(|error| broke(&error))
    }

    /// Asks. What the dialect cannot ask is refused before a byte is sent.
    pub async fn ask(&mut self, request: &Request) -> Result<(), Failure> {
        let mut out = Vec::new();
        self.codec
            .ask(request, &mut out)
            .map_err(|cannot| Failure::new("unsupported", cannot.detail))?;
        self.send(&out).await
    }

    /// The next answer, waits left out; each whole within 30 s however it drips.
    pub async fn hear(&mut self) -> Result<Answer, Failure> {
        let mut busy = Busy::default();
        loop {
            let heard = timeout(ANSWER.max(self.gap), self.hear_on()).await;
            match heard.unwrap_or_else(|_| Err(drips()))? {
                Answer::Wait { done, .. } => busy.hear(done)?,
                answer => return Ok(answer),
            }
        }
    }

    /// Waits for the end of a line on which nothing was asked. Whatever comes is its end:
    /// a server says nothing unasked but that it goes. May be dropped at any await.
    pub(super) async fn hear_nothing(&mut self) -> Failure {
        let mut read = Ok(1);
        while matches!(read, Ok(1..)) {
            read = self.pipe.read_some(&mut self.input, IDLE).await;
            match self.codec.decode(&self.input) {
                Ok(None) => {}
                Ok(Some((_, Answer::Refused { refusal }))) => return Failure::refused(refusal),
                _ => break,
            }
        }
        match read {
            Ok(_) => Failure::new("connection", "the server closed the connection"),
            Err(error) => broke(&error),
        }
    }

    async fn hear_on(&mut self) -> Result<Answer, Failure> {
        let mut hushed = false;
        loop {
            let heard = self.codec.decode(&self.input);
            if let Some((used, answer)) = heard.map_err(|fault| self.misheard(fault))? {
                self.input.drain(..used);
                return Ok(answer);
            }
            let mut again = Vec::new();
            self.codec.again(&mut again);
            self.send(&again).await?;
            if self.input.len() >= self.codec.head_limit() {
                return Err(Failure::new("malformed", "the server's answer has no end"));
            }
            let minds = self.codec.minds_quiet() && !hushed && !self.input.is_empty();
            let wait = if minds { QUIET } else { self.gap };
            let read = timeout(wait, self.pipe.read_some(&mut self.input, READ)).await;
            hushed = minds && read.is_err();
            match read {
                Err(_) if minds => {
                    if let Some(answer) = self.answer_on(Cue::Quiet)? {
                        return Ok(answer);
                    }
                }
                Err(_) => {
                    let silent =
                        format!("the server was silent for {:.0} s", self.gap.as_secs_f64());
                    return self
                        .codec
                        .quiet()
                        .ok_or_else(|| Failure::new("timeout", silent));
                }
                // A server that drops us with our bytes unread resets: to a question
                // that has no answer yet that is a close like any other.
                Ok(Err(error)) if self.input.is_empty() && is_reset(&error) => {
                    return self.codec.eof(&[]).map_err(|_| broke(&error));
                }
                Ok(Err(error)) => return Err(broke(&error)),
                Ok(Ok(0)) => {
                    if let Some(answer) = self.answer_on(Cue::Close)? {
                        return Ok(answer);
                    }
                    return self.codec.eof(&self.input).map_err(|cut| self.cut(cut));
                }
                Ok(Ok(_)) => {}
            }
        }
    }

    /// What cannot be read; a server that answers with an alert of TLS is told apart.
    fn misheard(&self, fault: Malformed) -> Failure {
        const ALERT: [u8; 2] = [0x15, 3];
        if self.input.starts_with(&ALERT) && !self.pipe.is_tls() {
            return Failure::new("malformed", "this port speaks TLS only: deck+tls:// it is");
        }
        fault.into()
    }

    /// A close before the end: in deck, whose ends are told, the connection's fault.
    fn cut(&self, cut: Malformed) -> Failure {
        if self.codec.dialect().is_deck() {
            let words = format!("the connection broke: {}", cut.detail);
            return Failure::new("connection", words);
        }
        cut.into()
    }

    fn answer_on(&mut self, cue: Cue) -> Result<Option<Answer>, Failure> {
        let answered = self.codec.answer_on(&self.input, cue)?;
        Ok(answered.map(|(used, answer)| {
            self.input.drain(..used);
            answer
        }))
    }

    pub(super) async fn send(&self, mut bytes: &[u8]) -> Result<(), Failure> {
        while !bytes.is_empty() {
            let sent = timeout(self.gap, self.pipe.write_some(bytes))
                .await
                .map_err(|_| Failure::new("timeout", "the server does not read"))?
                .map_err(|error| broke(&error))?;
            bytes = &bytes[sent..];
        }
        Ok(())
    }
}

/// The codec for a target, as it is to be spoken to.
pub(super) fn codec_of(target: &Target) -> Result<Box<dyn ClientCodec>, Failure> {
    codec_speaking(target.dialect, target)
}

fn codec_speaking(dialect: Dialect, target: &Target) -> Result<Box<dyn ClientCodec>, Failure> {
    client_codec_counting(dialect, target.clients)
        .map_err(|cannot| Failure::new("unsupported", cannot.detail))
}

fn is_reset(error: &std::io::Error) -> bool {
    error.kind() == std::io::ErrorKind::ConnectionReset
}

pub(super) fn broke(error: &std::io::Error) -> Failure {
    match error.kind() {
        // Only inside TLS: in the open a FIN is a close like any other.
        ErrorKind::UnexpectedEof => Failure::new("cut", CUT),
        // A record that was spoilt on its way: that line is over, another may do.
        ErrorKind::InvalidData => Failure::new("cut", format!("TLS broke: {error}")),
        _ => {
            let words = plainly(&error.to_string());
            Failure::new("connection", format!("the connection broke: {words}"))
        }
    }
}

/// A socket to the server, and what is spoken over it: deck in the open stays on this machine.
pub(super) async fn connect(
    target: &Target,
    patience: Patience,
) -> Result<(TcpStream, Dialect), Failure> {
    let Target {
        dialect,
        host,
        port,
        ..
    } = target;
    let found = timeout(LOOK_UP, lookup_host((host.as_str(), *port))).await;
    let addrs: Vec<SocketAddr> = match found {
        Err(_) => {
            return Err(Failure::new(
                "unreachable",
                format!("no answer about the name {host}"),
            ));
        }
        Ok(Err(error)) => {
            return Err(Failure::new(
                "unreachable",
                format!("cannot resolve {host}: {}", plainly(&error.to_string())),
            ));
        }
        Ok(Ok(addrs)) => addrs.collect(),
    };
    let mut why = Failure::new("unreachable", format!("{host} has no address"));
    for addr in addrs {
        let spoken = match dialect {
            Dialect::Deck if !is_loopback(addr.ip()) => Dialect::DeckTls,
            other => *other,
        };
        match timeout(patience.connect, TcpStream::connect(addr)).await {
            Ok(Ok(socket)) => return Ok((socket, spoken)),
            Ok(Err(error)) => {
                why = Failure::new(
                    "unreachable",
                    format!("cannot connect to {addr}: {}", plainly(&error.to_string())),
                );
            }
            Err(_) => {
                let waited = patience.connect.as_secs_f64();
                why = Failure::new(
                    "unreachable",
                    format!("cannot connect to {addr}: no answer in {waited:.0} s"),
                );
            }
        }
    }
    Err(why)
}
