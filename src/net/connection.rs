//! One accepted connection, from its first byte to its end.
//!
//! Speaks no dialect itself: bytes go to a codec, requests go to the store,
//! payload goes through the pump. It knows the hub it is registered with and
//! the limits it runs under; it never sees a path of the disk, and it returns
//! an [`crate::entity::End`], not an error (law 7). Waits on the peer end by the sweep's
//! sentence, except the one exact clock (`Dialect::times_request`).

mod admit;
mod answer;
#[cfg(test)]
#[path = "connection/bench_tests.rs"]
mod bench;
mod checked;
mod deck;
mod eager;
mod forest;
mod incoming;
mod joint;
mod keep;
mod leave;
mod loan;
mod opening;
mod parting;
mod pieces;
mod receive;
mod right;
mod share;
mod small;
mod store;
mod tab;
mod takeover;
mod tell;
mod tree;

use std::borrow::Cow;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_util::sync::CancellationToken;

use self::admit::Standing;
pub use self::forest::Forest;
use self::leave::{Heard, lost, out_of_time};
pub use self::tab::Tab;
use self::tell::tell_request;
use crate::entity::{Dialect, Phase, Rights, Rule, Speak};
use crate::event::Started;
use crate::net::hub::{ConnGuard, XferGuard};
use crate::net::pipe::Pipe;
use crate::net::porter::Porter;
use crate::net::pump::{Crowd, Intake, Outlet, Way};
use crate::net::server::Limits;
use crate::net::store::Store;
use crate::net::store::landing::Landing;
use crate::net::unsent::{keep_little_unsent, unsent};
use crate::net::wire::codec::{After, Cue, Malformed, Request, ServerCodec};
use crate::net::wire::server_codec;

/// Bytes read from a quiet connection at once; grows with what a head needs.
const READ: usize = 4 << 10;
/// How often a transfer's last bytes are looked after.
const LOOK: Duration = Duration::from_millis(250);

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
    /// What peers may do here.
    pub rights: Rights,
    /// Where uploads land and files are renamed; `None` where nothing is written.
    pub landing: Option<Arc<Landing>>,
    /// The trees of served files.
    pub forest: Arc<Forest>,
    /// The streams that come in.
    pub crowd: Arc<Crowd>,
    /// What peers have left unfinished.
    pub tab: Arc<Tab>,
    /// Who lets people in; `None` where no TLS is spoken.
    pub porter: Option<Arc<Porter>>,
    /// Cancelled once the server leaves.
    pub leaving: CancellationToken,
}

/// Why the talk is over, with what is still to be told.
enum Over {
    /// All was said; a transfer may still wait to hear how the peer took it.
    Said(Option<XferGuard>),
    /// What was sent is worth nothing and the dialect has no words for that.
    Spoilt(&'static str),
    /// The answer was no and the dialect has nothing more to say.
    Refused(&'static str),
    /// No dialect is spoken here that begins like this, or not with this peer.
    Unwelcome(&'static str, Cow<'static, str>),
    /// The peer closed between requests.
    PeerClosed,
    /// The peer broke its protocol.
    Malformed(Malformed),
    /// Socket or disk failed.
    Failed(&'static str, String),
}

impl Over {
    fn unwelcome(cause: &'static str, words: impl Into<Cow<'static, str>>) -> Self {
        Self::Unwelcome(cause, words.into())
    }
}

struct Talk {
    pipe: Arc<Pipe>,
    context: Arc<Context>,
    outlet: Outlet,
    /// Bytes read and not yet understood.
    input: Vec<u8>,
    /// What the unfinished head needs in all, once that is known.
    wants: Option<usize>,
    /// The transfer that ran last, for its bytes.
    last: Option<Arc<Started>>,
    first_byte: Option<Instant>,
    /// How much the first read brought, until a codec has seen just that: in colon
    /// a lone digit is a count only if it came alone.
    first_read: Option<usize>,
    /// Transfers whose last bytes the peer has yet to acknowledge.
    pending: Vec<XferGuard>,
    /// A broken frame behind requests that are answered together: told behind them.
    ahead: Option<Malformed>,
    /// The buffers of a payload that comes in blocks.
    intake: Intake,
    /// Upload data came right before: until it has been quiet, what looks like a
    /// command may be content, and writes nothing.
    doubt: Doubt,
    /// This silence has been told to the codec.
    hushed: bool,
    /// How the peer stands with us.
    standing: Standing,
}

/// Whether requests may be smuggled in the content of an upload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Doubt {
    Clear,
    Smuggled,
}

/// Serves one connection to its end.
pub async fn serve(socket: TcpStream, mut guard: ConnGuard, speak: Speak, context: Arc<Context>) {
    // Small replies must not wait for an acknowledgement (44 ms each without it).
    let _ = socket.set_nodelay(true);
    keep_little_unsent(&socket);
    let pipe = Arc::new(Pipe::plain(socket));
    let mut talk = Talk {
        outlet: Outlet::new(Arc::clone(&pipe), guard.dials_arc(), context.way),
        pipe,
        intake: Intake::among(&context.crowd),
        context,
        input: Vec::new(),
        wants: None,
        last: None,
        first_byte: None,
        first_read: None,
        pending: Vec::new(),
        ahead: None,
        doubt: Doubt::Clear,
        hushed: false,
        standing: Standing::Nobody,
    };
    let cancel = guard.cancel().clone();
    let over = tokio::select! {
        biased;
        () = cancel.cancelled() => None,
        over = talk.run(&guard, speak) => Some(over),
    };
    match over {
        Some(over) => Box::pin(talk.leave(&mut guard, over)).await,
        None => talk.obey(&mut guard),
    }
}

impl Talk {
    async fn run(&mut self, guard: &ConnGuard, speak: Speak) -> Over {
        match self.identify(guard, speak).await {
            Ok(dialect) => {
                guard.dials().set_dialect(dialect);
                if dialect == Dialect::DeckTls
                    // Boxed: nobody but a newcomer in TLS has room for a handshake.
                    && let Err(over) = Box::pin(self.secure(guard)).await
                {
                    return over;
                }
                if self.is_late(guard, dialect, speak) {
                    return out_of_time(guard, Rule::Request).await;
                }
                let mut codec = server_codec(dialect, speak);
                self.converse(guard, codec.as_mut(), speak).await
            }
            Err(over) => over,
        }
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
            // Boxed: an idle connection does not hold room for the largest answer.
            match Box::pin(self.attend(guard, codec, request)).await {
                Ok(After::Next) => {}
                Ok(After::Close) => return Over::Said(None),
                Err(over) => return over,
            }
            if self.input.is_empty() && self.ahead.is_none() {
                self.outlet.rest();
                self.intake = Intake::among(&self.context.crowd);
                self.input = Vec::new();
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
        if let Some(ahead) = self.ahead.take() {
            return Err(Over::Malformed(ahead));
        }
        loop {
            if !self.input.is_empty() {
                let seen = self.first_read.take().unwrap_or(self.input.len());
                let seen = seen.min(self.input.len());
                let mut decoded = codec.decode(&self.input[..seen]).map_err(Over::Malformed)?;
                if decoded.is_none() && seen < self.input.len() {
                    decoded = codec.decode(&self.input).map_err(Over::Malformed)?;
                }
                match decoded {
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
                    let endless = Malformed::new("length", "the head is too long");
                    return Err(Over::Malformed(endless));
                }
            }
            let read = match self.exact_deadline(guard, codec.dialect(), speak) {
                None => self.read_or_part(guard, codec).await?,
                Some(deadline) => {
                    let Ok(read) = timeout_at(deadline, self.read(guard)).await else {
                        return Err(out_of_time(guard, Rule::Request).await);
                    };
                    Some(read?)
                }
            };
            let cue = match read {
                Some(1..) => continue,
                Some(0) => Cue::Close,
                None => Cue::Quiet,
            };
            if let Some((used, request)) =
                codec.decode_on(&self.input, cue).map_err(Over::Malformed)?
            {
                self.input.drain(..used);
                self.wants = None;
                return Ok(request);
            }
            if cue == Cue::Close {
                let clean = codec.eof(&self.input);
                return Err(clean.map_or_else(Over::Malformed, |()| Over::PeerClosed));
            }
        }
    }

    /// Reads; in dialects that mind it, one silence is heard as `None` first.
    async fn read_or_quiet(
        &mut self,
        guard: &ConnGuard,
        codec: &mut dyn ServerCodec,
    ) -> Result<Option<usize>, Over> {
        let heeds = !self.input.is_empty() || self.doubt == Doubt::Smuggled;
        if codec.minds_quiet() && heeds && !self.hushed {
            let quiet = self.context.limits.session_quiet;
            let Ok(read) = timeout(quiet, self.read(guard)).await else {
                self.hushed = true;
                if self.input.is_empty() {
                    self.doubt = Doubt::Clear;
                }
                return Ok(None);
            };
            return read.map(Some);
        }
        let read = self.read(guard).await?;
        self.hushed = false;
        Ok(Some(read))
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
        let read = match self.read_heeding(guard).await {
            Ok(read) => {
                // It asks again or closes in good order: it has what was sent.
                self.told(Heard::Close);
                read
            }
            Err(error) => {
                self.told(Heard::Reset);
                return Err(lost(&error));
            }
        };
        if read > 0 {
            guard.dials().add_in(read as u64);
            if self.first_byte.is_none() {
                self.first_byte = Some(Instant::now());
                self.first_read = Some(read);
            }
            if guard.dials().phase() == Phase::Opening {
                guard.dials().set_phase(Phase::Request);
            }
        }
        Ok(read)
    }

    /// Reads; while a transfer is pending, looks now and then whether the peer's
    /// kernel has all of it.
    async fn read_heeding(&mut self, guard: &ConnGuard) -> io::Result<usize> {
        if !self.pending.is_empty() {
            // The stall rule goes on watching it.
            guard.dials().set_phase(Phase::Sending);
        }
        let mut left = None;
        while !self.pending.is_empty() {
            let look = self.pipe.read_some(&mut self.input, READ);
            if let Ok(read) = timeout(LOOK, look).await {
                return read;
            }
            let now = unsent(self.pipe.tcp()).await;
            if now != left {
                guard.dials().stir();
            }
            left = now;
            if matches!(now, None | Some(0)) {
                self.told(Heard::Close);
                guard.dials().set_phase(Phase::Idle);
            }
        }
        self.pipe.read_some(&mut self.input, READ).await
    }
}
