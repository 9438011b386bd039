//! One accepted connection, from its first byte to its end.
//!
//! Speaks no dialect itself: bytes go to a codec, requests go to the store,
//! payload goes through the pump. It knows the hub it is registered with and
//! the limits it runs under; it never sees a path of the disk, and it returns
//! an [`End`], not an error (law 7). Waits on the peer end by the sweep's
//! sentence, except the one exact clock (`Dialect::times_request`).

use std::io;
use std::sync::Arc;
use std::time::Duration;

use socket2::SockRef;
use tokio::net::TcpStream;
use tokio::task::spawn_blocking;
use tokio::time::{Instant, timeout, timeout_at};

use crate::entity::{
    Dialect, Direction, DisplayName, End, Outcome, Phase, RemotePath, Rule, Speak,
};
use crate::event::{Fact, Started, What};
use crate::line::size_words;
use crate::net::hub::{ConnGuard, TransferOrder, XferGuard};
use crate::net::pump::{Broken, Outlet, Way, read_some};
use crate::net::server::Limits;
use crate::net::store::{Denied, Source, Store};
use crate::net::wire::codec::{
    After, Content, Malformed, Refusal, Reply, Request, Rights, ServerCodec, Version, Welcome,
};
use crate::net::wire::deck::{PAGE_BYTES, PAGE_ENTRIES};
use crate::net::wire::{Sniffed, server_codec, sniff};

/// Bytes read from a quiet connection at once; grows with what a head needs.
const READ: usize = 4 << 10;

/// Bytes that may lie unsent in the kernel before it takes more.
#[cfg(target_os = "linux")]
const UNSENT: u32 = 256 << 10;

/// What every connection of a server shares.
#[derive(Debug)]
pub struct Context {
    /// The served folder.
    pub store: Arc<Store>,
    /// The clocks and caps.
    pub limits: Limits,
    /// How payload leaves.
    pub way: Way,
    /// The server's name for itself.
    pub name: Box<str>,
}

/// Why the talk is over, with what is still to be told.
enum Over {
    /// All was said; a transfer may still wait to hear how the peer took it.
    Said(Option<XferGuard>),
    /// The answer was no and the dialect has nothing more to say.
    Refused(&'static str),
    /// No dialect is spoken here that begins like this.
    Unwelcome(&'static str, &'static str),
    /// The peer closed between requests.
    PeerClosed,
    /// The peer broke its protocol.
    Malformed(Malformed),
    /// Socket or disk failed.
    Failed(&'static str, String),
}

struct Talk {
    socket: Arc<TcpStream>,
    context: Arc<Context>,
    outlet: Outlet,
    /// Bytes read and not yet understood.
    input: Vec<u8>,
    /// What the unfinished head needs in all, once that is known.
    wants: Option<usize>,
    /// The transfer that ran last, for its bytes.
    last: Option<Arc<Started>>,
    first_byte: Option<Instant>,
}

/// Serves one connection to its end.
pub async fn serve(socket: TcpStream, mut guard: ConnGuard, speak: Speak, context: Arc<Context>) {
    // Small replies must not wait for an acknowledgement (44 ms each without it).
    let _ = socket.set_nodelay(true);
    keep_little_unsent(&socket);
    let socket = Arc::new(socket);
    let mut talk = Talk {
        outlet: Outlet::new(Arc::clone(&socket), guard.dials_arc(), context.way),
        socket,
        context,
        input: Vec::new(),
        wants: None,
        last: None,
        first_byte: None,
    };
    let cancel = guard.cancel().clone();
    let over = tokio::select! {
        biased;
        () = cancel.cancelled() => None,
        over = talk.run(&guard, speak) => Some(over),
    };
    match over {
        Some(over) => talk.leave(&mut guard, over).await,
        None => talk.obey(&mut guard),
    }
}

impl Talk {
    async fn run(&mut self, guard: &ConnGuard, speak: Speak) -> Over {
        match self.identify(guard, speak).await {
            Ok(dialect) => {
                guard.dials().set_dialect(dialect);
                if self.is_late(guard, dialect, speak) {
                    return out_of_time(guard).await;
                }
                let mut codec = server_codec(dialect);
                self.converse(guard, codec.as_mut(), speak).await
            }
            Err(over) => over,
        }
    }

    /// Reads until the dialect is told; a listener of one dialect guesses nothing.
    async fn identify(&mut self, guard: &ConnGuard, speak: Speak) -> Result<Dialect, Over> {
        if let Speak::Only(dialect) = speak {
            return Ok(dialect);
        }
        loop {
            match sniff(&self.input) {
                Sniffed::Is(dialect) => return Ok(dialect),
                Sniffed::More => {}
                Sniffed::Tls => {
                    return Err(Over::Unwelcome(
                        "tls",
                        "a TLS hello; TLS is not spoken here",
                    ));
                }
                Sniffed::Http => {
                    return Err(Over::Unwelcome(
                        "http",
                        "an HTTP request; HTTP is not spoken here",
                    ));
                }
                Sniffed::Unknown => {
                    return Err(Over::Malformed(Malformed::new(
                        "unknown_opening",
                        format!("no dialect begins with {}", quote(&self.input)),
                    )));
                }
            }
            if self.read(guard).await? == 0 {
                return Err(self.closed_early());
            }
        }
    }

    fn closed_early(&self) -> Over {
        if self.input.is_empty() {
            return Over::PeerClosed;
        }
        Over::Malformed(Malformed::new(
            "short",
            format!(
                "closed after {} bytes that say nothing yet",
                self.input.len()
            ),
        ))
    }

    async fn converse(
        &mut self,
        guard: &ConnGuard,
        codec: &mut dyn ServerCodec,
        speak: Speak,
    ) -> Over {
        loop {
            let request = match self.next_request(guard, codec, speak).await {
                Ok(request) => request,
                Err(over) => return over,
            };
            guard.dials().add_request();
            guard.dials().set_phase(Phase::Request);
            tell_request(guard, &request);
            match self.answer(guard, codec, request).await {
                Ok(After::Next) => {}
                Ok(After::Close) => return Over::Said(None),
                Err(over) => return over,
            }
            if self.input.is_empty() {
                self.outlet.rest();
            }
            guard.dials().set_phase(Phase::Idle);
        }
    }

    async fn next_request(
        &mut self,
        guard: &ConnGuard,
        codec: &mut dyn ServerCodec,
        speak: Speak,
    ) -> Result<Request, Over> {
        loop {
            if !self.input.is_empty() {
                match codec.decode(&self.input).map_err(Over::Malformed)? {
                    Some((used, request)) => {
                        self.input.drain(..used);
                        self.input.shrink_to(READ);
                        self.wants = None;
                        return Ok(request);
                    }
                    None => guard.dials().set_phase(Phase::Request),
                }
                self.wants = codec.wants(&self.input);
                if self.input.len() >= codec.head_limit() {
                    return Err(Over::Malformed(Malformed::new(
                        "length",
                        "the head is too long",
                    )));
                }
            }
            let read = match self.exact_deadline(guard, codec.dialect(), speak) {
                None => self.read(guard).await?,
                Some(deadline) => {
                    let Ok(read) = timeout_at(deadline, self.read(guard)).await else {
                        return Err(out_of_time(guard).await);
                    };
                    read?
                }
            };
            if read == 0 {
                let clean = codec.eof(&self.input);
                return Err(clean.map_or_else(Over::Malformed, |()| Over::PeerClosed));
            }
        }
    }

    /// When the whole request must be here: from accept on a port of its own,
    /// from the first byte where others are spoken too.
    fn exact_deadline(&self, guard: &ConnGuard, dialect: Dialect, speak: Speak) -> Option<Instant> {
        if !dialect.times_request() {
            return None;
        }
        let from = match speak {
            Speak::Auto => self.first_byte.unwrap_or_else(Instant::now),
            Speak::Only(_) => guard.since(),
        };
        Some(from + self.context.limits.request)
    }

    /// Whether the time was over before the bytes told the dialect, and so before
    /// anybody could set its clock. (On a port of its own the clock runs from accept.)
    fn is_late(&self, guard: &ConnGuard, dialect: Dialect, speak: Speak) -> bool {
        let deadline = self.exact_deadline(guard, dialect, speak);
        speak == Speak::Auto && deadline.is_some_and(|deadline| Instant::now() >= deadline)
    }

    async fn read(&mut self, guard: &ConnGuard) -> Result<usize, Over> {
        let read = read_some(&self.socket, &mut self.input, READ)
            .await
            .map_err(|error| lost(&error))?;
        if read > 0 {
            guard.dials().add_in(read as u64);
            self.first_byte.get_or_insert_with(Instant::now);
            if guard.dials().phase() == Phase::Opening {
                guard.dials().set_phase(Phase::Request);
            }
        }
        Ok(read)
    }

    async fn answer(
        &mut self,
        guard: &ConnGuard,
        codec: &mut dyn ServerCodec,
        request: Request,
    ) -> Result<After, Over> {
        match request {
            Request::Hello { .. } => {
                let welcome = Welcome {
                    name: self.context.name.clone(),
                    rights: Rights {
                        read: true,
                        ..Rights::default()
                    },
                };
                match self.say(guard, codec, &Reply::Welcome(welcome)).await? {
                    After::Next => Ok(After::Next),
                    After::Close => Err(no_common_version(guard)),
                }
            }
            Request::Ping { token } => self.say(guard, codec, &Reply::Pong { token }).await,
            Request::Stat { path } => {
                let store = Arc::clone(&self.context.store);
                let sought = path.clone();
                match off_loop(move || store.stat(&sought)).await {
                    Ok((entry, version)) => {
                        self.say(guard, codec, &Reply::Stat { entry, version })
                            .await
                    }
                    Err(denied) => self.refuse(guard, codec, path, denied).await,
                }
            }
            Request::List { path } => self.list(guard, codec, path).await,
            Request::Get {
                path,
                offset,
                version,
            } => self.get(guard, codec, path, offset, version).await,
        }
    }

    async fn say(
        &mut self,
        guard: &ConnGuard,
        codec: &mut dyn ServerCodec,
        reply: &Reply,
    ) -> Result<After, Over> {
        // A peer that does not read its answers stands under the stall rule.
        guard.dials().set_phase(Phase::Sending);
        let after = codec.encode(reply, &mut self.outlet.head);
        self.outlet.flush().await.map_err(broken)?;
        Ok(after)
    }

    async fn refuse(
        &mut self,
        guard: &ConnGuard,
        codec: &mut dyn ServerCodec,
        path: RemotePath,
        denied: Denied,
    ) -> Result<After, Over> {
        guard.hub().tell(What::Refused(Fact {
            path: Some(path),
            cause: denied.cause,
            detail: DisplayName::new(denied.detail.as_bytes()),
            ..guard.fact()
        }));
        match self
            .say(guard, codec, &Reply::Refused(denied.refusal))
            .await?
        {
            After::Next => Ok(After::Next),
            After::Close => Err(Over::Refused(denied.cause)),
        }
    }

    async fn list(
        &mut self,
        guard: &ConnGuard,
        codec: &mut dyn ServerCodec,
        path: RemotePath,
    ) -> Result<After, Over> {
        let store = Arc::clone(&self.context.store);
        let sought = path.clone();
        let mut lister = match off_loop(move || store.list(&sought)).await {
            Ok(lister) => lister,
            Err(denied) => return self.refuse(guard, codec, path, denied).await,
        };
        guard.dials().set_phase(Phase::Sending);
        loop {
            let turn = off_loop(move || {
                let page = lister.page(PAGE_ENTRIES, PAGE_BYTES)?;
                Ok((lister, page))
            });
            match turn.await {
                Ok((back, page)) => {
                    let more = page.more;
                    let after = self.say(guard, codec, &Reply::Page(page)).await?;
                    if !more {
                        return Ok(after);
                    }
                    lister = back;
                }
                Err(denied) => return self.refuse(guard, codec, path, denied).await,
            }
        }
    }

    async fn get(
        &mut self,
        guard: &ConnGuard,
        codec: &mut dyn ServerCodec,
        path: RemotePath,
        offset: u64,
        version: Option<Version>,
    ) -> Result<After, Over> {
        let store = Arc::clone(&self.context.store);
        let sought = path.clone();
        let limit = codec.size_limit();
        let opened = off_loop(move || admit(store.read(&sought)?, offset, version, limit)).await;
        let source = match opened {
            Ok(source) => source,
            Err(denied) => return self.refuse(guard, codec, path, denied).await,
        };
        // Before the birth is told: whoever hears of it must see a busy connection.
        guard.dials().set_phase(Phase::Sending);
        let xfer = guard.start(TransferOrder {
            job: None,
            dialect: codec.dialect(),
            direction: Direction::Out,
            path,
            size: Some(source.size),
            offset,
        });
        self.last = Some(Arc::clone(xfer.started()));
        let sent = self.send(codec, &source, offset, &xfer).await;
        self.last = None;
        settle(sent, xfer)
    }

    /// Content head, runs, ending. One-request dialects have their surplus input drained meanwhile.
    async fn send(
        &mut self,
        codec: &mut dyn ServerCodec,
        source: &Source,
        offset: u64,
        xfer: &XferGuard,
    ) -> Result<(After, Option<Refusal>), Broken> {
        let head = Reply::Content(Content {
            size: source.size,
            offset,
            mtime: Some(source.mtime),
            version: Some(source.version.clone()),
        });
        let after = codec.encode(&head, &mut self.outlet.head);
        let socket = Arc::clone(&self.socket);
        let outlet = &mut self.outlet;
        let sending = async {
            let mut at = offset;
            while at < source.size {
                let run = codec.next_run(at, source.size - at, &mut outlet.head);
                outlet.run(&source.file, at, run, xfer).await?;
                at += run;
            }
            let spoilt = match source.is_unchanged() {
                Ok(true) => None,
                Ok(false) => Some(Refusal::Changed),
                Err(_) => Some(Refusal::Failed),
            };
            let after = codec.finish(spoilt, &mut outlet.head);
            outlet.flush().await?;
            Ok((after, spoilt))
        };
        if after == After::Next {
            return sending.await;
        }
        tokio::select! {
            sent = sending => sent,
            never = drain_beside(&socket) => match never {},
        }
    }

    /// Says what is to be said of an ordinary end, lingers, and fixes it.
    async fn leave(&mut self, guard: &mut ConnGuard, over: Over) {
        let head = self.input.len() as u64;
        match over {
            Over::Said(xfer) => {
                let reaction = self.linger(guard).await;
                if let Some(xfer) = xfer {
                    finish(xfer, reaction);
                }
                guard.end(End::Done, "");
            }
            Over::Refused(cause) => {
                self.linger(guard).await;
                guard.end(End::Refused, cause);
            }
            Over::Unwelcome(cause, words) => {
                guard.hub().tell(What::Refused(Fact {
                    bytes: Some(head),
                    cause,
                    detail: DisplayName::from(words),
                    ..guard.fact()
                }));
                self.linger(guard).await;
                guard.end(End::Refused, cause);
            }
            Over::PeerClosed => guard.end(End::PeerClosed, ""),
            Over::Malformed(malformed) => {
                guard.hub().tell(What::Malformed(Fact {
                    bytes: Some(head),
                    size: self.wants.map(|wants| wants as u64),
                    cause: malformed.cause,
                    detail: DisplayName::new(malformed.detail.as_bytes()),
                    ..guard.fact()
                }));
                self.linger(guard).await;
                guard.end(End::Malformed, malformed.cause);
            }
            Over::Failed(cause, detail) => {
                let end = match cause {
                    "peer_closed" => End::PeerClosed,
                    _ => End::Failed,
                };
                guard.end(end, &detail);
            }
        }
    }

    /// Ends as sentenced: by the clock, the operator, a newcomer or the shutdown.
    fn obey(&self, guard: &mut ConnGuard) {
        let (end, rule) = guard.dials().verdict().unwrap_or((End::Shutdown, None));
        let phase = guard.dials().phase();
        let paying = matches!(phase, Phase::Sending | Phase::Receiving);
        let last = self.last.as_ref().filter(|_| paying);
        let fact = Fact {
            xfer: last.map(|started| started.xfer),
            path: last.map(|started| started.path.clone()),
            bytes: Some(last.map_or(self.input.len() as u64, |started| started.progress.done())),
            size: match last {
                Some(started) => started.size,
                None => self.wants.map(|wants| wants as u64),
            },
            cause: rule.map_or(end.label(), Rule::label),
            ..guard.fact()
        };
        let limits = &self.context.limits;
        match end {
            End::Timeout => {
                let detail = timeout_words(rule, &fact, limits);
                guard.hub().tell(What::Timeout(Fact {
                    detail: DisplayName::from(detail.as_str()),
                    ..fact
                }));
            }
            End::Displaced => guard.hub().tell(What::Displaced(Fact {
                detail: DisplayName::from("silent, and a newcomer needed the place"),
                ..fact
            })),
            End::Kicked => guard.hub().tell(What::Kicked(Fact {
                detail: DisplayName::from("by the operator"),
                ..fact
            })),
            _ => {}
        }
        guard.end(end, "");
    }

    /// Closes our half and drains the peer's for a bounded time: a close with
    /// unread input would send RST and destroy what is in flight.
    async fn linger(&mut self, guard: &ConnGuard) -> Heard {
        guard.dials().set_phase(Phase::Lingering);
        self.input = Vec::new();
        self.outlet.rest();
        let _ = SockRef::from(&*self.socket).shutdown(std::net::Shutdown::Write);
        let limits = &self.context.limits;
        let mut scratch = Vec::new();
        let mut drained = 0;
        let drain = async {
            loop {
                scratch.clear();
                match read_some(&self.socket, &mut scratch, READ).await {
                    Ok(0) => return Heard::Close,
                    Ok(read) => {
                        guard.dials().add_in(read as u64);
                        drained += read;
                        if drained >= limits.linger_bytes {
                            return Heard::Nothing;
                        }
                    }
                    Err(_) => return Heard::Reset,
                }
            }
        };
        let cancel = guard.cancel().clone();
        tokio::select! {
            heard = timeout(limits.linger, drain) => heard.unwrap_or(Heard::Nothing),
            () = cancel.cancelled() => Heard::Nothing,
        }
    }
}

/// Ends a connection by the exact clock, on the same road as every other timeout:
/// sentenced here, then obeyed; never resolves.
async fn out_of_time(guard: &ConnGuard) -> Over {
    guard.dials().condemn(End::Timeout, Some(Rule::Request));
    guard.cancel().cancel();
    std::future::pending().await
}

/// What the peer did after our last byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Heard {
    /// It closed: it has what it wanted.
    Close,
    /// It reset: something of ours was destroyed on the way.
    Reset,
    /// It kept the line open; the kernel goes on delivering.
    Nothing,
}

/// Opens the way for one transfer, or says why not.
fn admit(
    source: Source,
    offset: u64,
    version: Option<Version>,
    limit: u64,
) -> Result<Source, Denied> {
    let denied = |refusal: Refusal, detail: String| Denied {
        refusal,
        cause: refusal.label(),
        detail,
    };
    if source.size > limit {
        let detail = format!(
            "{} is more than this dialect can carry",
            size_words(source.size)
        );
        return Err(denied(Refusal::TooLarge, detail));
    }
    if version.is_some_and(|version| version != source.version) {
        return Err(denied(
            Refusal::Changed,
            "the file has changed since".into(),
        ));
    }
    if offset > source.size {
        let detail = format!("asked from byte {offset}, the file has {}", source.size);
        return Err(denied(Refusal::BadOffset, detail));
    }
    Ok(source)
}

/// How a sending went, as the talk's next step; ends the transfer unless the peer
/// still has to be heard.
fn settle(sent: Result<(After, Option<Refusal>), Broken>, xfer: XferGuard) -> Result<After, Over> {
    match sent {
        Ok((after, Some(spoilt))) => {
            let words = "the file changed while it was sent";
            xfer.end(Outcome::Failed, spoilt.label(), words);
            match after {
                After::Next => Ok(After::Next),
                After::Close => Err(Over::Said(None)),
            }
        }
        Ok((After::Next, None)) => {
            xfer.end(Outcome::CompleteLength, "", "");
            Ok(After::Next)
        }
        Ok((After::Close, None)) => Err(Over::Said(Some(xfer))),
        Err(why) => {
            let over = broken(why);
            if let Over::Failed(cause, detail) = &over {
                xfer.end(Outcome::Failed, cause, detail);
            }
            Err(over)
        }
    }
}

/// Ends a transfer whose dialect proves nothing until the peer has closed.
fn finish(xfer: XferGuard, heard: Heard) {
    match heard {
        Heard::Close | Heard::Nothing => xfer.end(Outcome::CompleteLength, "", ""),
        Heard::Reset => xfer.end(
            Outcome::Failed,
            "reset",
            "the peer reset the connection before it had everything",
        ),
    }
}

fn no_common_version(guard: &ConnGuard) -> Over {
    let refusal = Refusal::Unsupported;
    guard.hub().tell(What::Refused(Fact {
        cause: refusal.label(),
        detail: DisplayName::from("the client speaks no version that is spoken here"),
        ..guard.fact()
    }));
    Over::Refused(refusal.label())
}

fn tell_request(guard: &ConnGuard, request: &Request) {
    if matches!(request, Request::Ping { .. }) {
        // A sign of life once a minute from every client is no news, and a flood
        // of them must not push the news out.
        return;
    }
    let detail = match request {
        Request::Hello { name } => format!("from {name}"),
        Request::Get { offset, .. } if *offset > 0 => format!("from byte {offset}"),
        _ => String::new(),
    };
    guard.hub().tell(What::Request(Fact {
        path: request.path().cloned(),
        cause: request.label(),
        detail: DisplayName::new(detail.as_bytes()),
        ..guard.fact()
    }));
}

fn lost(error: &io::Error) -> Over {
    Over::Failed("peer_closed", format!("the connection broke: {error}"))
}

fn broken(why: Broken) -> Over {
    match why {
        Broken::Socket(error) => lost(&error),
        Broken::Disk(error) => Over::Failed("disk", format!("the file could not be read: {error}")),
        Broken::Shrank => Over::Failed("shrank", "the file shrank while it was sent".to_owned()),
    }
}

fn timeout_words(rule: Option<Rule>, fact: &Fact, limits: &Limits) -> String {
    let bytes = fact.bytes.unwrap_or(0);
    let so_far = match (bytes, fact.size) {
        (0, _) => "nothing came".to_owned(),
        (bytes, Some(size)) => format!("{bytes} of {size} bytes"),
        (bytes, None) => format!("{bytes} bytes"),
    };
    let after = |limit: Duration| format!("{:.1} s", limit.as_secs_f64());
    match rule {
        Some(Rule::FirstByte) => format!("said nothing for {}", after(limits.first_byte)),
        Some(Rule::Head) => format!("request incomplete after {} ({so_far})", after(limits.head)),
        Some(Rule::Request) | None => {
            format!(
                "request incomplete after {} ({so_far})",
                after(limits.request)
            )
        }
        Some(Rule::Stall) => {
            let of = fact
                .size
                .map_or(String::new(), |size| format!(" of {}", size_words(size)));
            let moved = size_words(bytes);
            format!(
                "no byte moved for {} ({moved}{of} done)",
                after(limits.stall)
            )
        }
        Some(Rule::Idle) => format!("no request for {}", after(limits.idle)),
    }
}

/// Bounds what lies in the kernel and has not left (Linux, tcp(7)). With megabytes
/// there, a slow and steady reader drains them for longer than the stall limit
/// before the next write, and looks as if it stood still.
fn keep_little_unsent(socket: &TcpStream) {
    #[cfg(target_os = "linux")]
    // Where it cannot be had the transfer works all the same.
    let _ = SockRef::from(socket).set_tcp_notsent_lowat(UNSENT);
    #[cfg(not(target_os = "linux"))]
    let _ = socket;
}

/// The first bytes of something not understood, for a person.
fn quote(bytes: &[u8]) -> String {
    let head = &bytes[..bytes.len().min(16)];
    format!("{:?}", String::from_utf8_lossy(head))
}

/// Reads and forgets what a one-request peer sends behind its request, so that
/// neither side waits for the other; never resolves.
async fn drain_beside(socket: &TcpStream) -> std::convert::Infallible {
    let mut scratch = Vec::new();
    while let Ok(1..) = read_some(socket, &mut scratch, READ).await {
        scratch.clear();
    }
    std::future::pending().await
}

/// Runs what touches the disk on a blocking thread.
async fn off_loop<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Denied> + Send + 'static,
) -> Result<T, Denied> {
    spawn_blocking(work).await.unwrap_or_else(|gone| {
        Err(Denied {
            refusal: Refusal::Failed,
            cause: "disk",
            detail: gone.to_string(),
        })
    })
}
