//! The serving engine: listeners, places, commands, the 1 Hz sweep.
//!
//! Listeners are bound before the engine starts, so that a busy port is an
//! error on the command line and not an event. Every wait on a peer ends by a
//! sentence (law 8): the sweep reads the dials once a second and sentences what
//! stood still or ran over; kick, displacement and shutdown go the same road.

mod door;
mod stance;
mod sweep;

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, sleep, sleep_until, timeout_at};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub use self::door::Door;
use self::door::accept;
use self::stance::{is_busy, is_silent_person, is_unidentified, parts_by_itself};
use self::sweep::sweep;
use crate::entity::Rights;
use crate::entity::{ConnId, DisplayName, End, Phase, Speak};
use crate::event::{Command, Fact, Listening, What};
use crate::net::connection::{self, Context};
use crate::net::hub::{Closing, Hub, Living, is_loopback};
use crate::net::porter::Porter;
use crate::net::pump::Way;
use crate::net::store::Store;
use crate::net::store::landing::Landing;

/// How often a full house looks again for a place.
const PLACE_CHECK: Duration = Duration::from_millis(100);
/// How long a newcomer may be silent before another one may take its place.
const MANNERS: Duration = Duration::from_millis(250);
/// Silent ones on listeners where a person may type for minutes (they have a
/// limit of their own, and are not in the way of others).
const SILENT_PERSONS: usize = 512;
/// How often a full house says so.
const FULL_NOTE: Duration = Duration::from_secs(10);

/// The clocks and caps of a server.
#[derive(Clone, Debug)]
pub struct Limits {
    /// An `auto` peer's time to its first byte, from accept.
    pub first_byte: Duration,
    /// A head's time to be whole.
    pub head: Duration,
    /// classic's whole request.
    pub request: Duration,
    /// A transfer's longest standstill.
    pub stall: Duration,
    /// The longest pause between two requests.
    pub idle: Duration,
    /// The moment between a reply and what must come as a segment of its own.
    pub session_pause: Duration,
    /// How long a silence must be to mean something.
    pub session_quiet: Duration,
    /// What running transfers get when the server leaves.
    pub grace: Duration,
    /// The longest drain after the last byte.
    pub linger: Duration,
    /// The most bytes drained after the last byte.
    pub linger_bytes: usize,
    /// Connections in all.
    pub max_connections: usize,
    /// Connections that have not said a whole request.
    pub max_unidentified: usize,
    /// The same, from one address that is not loopback.
    pub max_unidentified_per_address: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            first_byte: Duration::from_secs(30),
            head: Duration::from_secs(10),
            request: Duration::from_secs(1),
            stall: Duration::from_secs(30),
            idle: Duration::from_mins(5),
            session_pause: Duration::from_millis(50),
            session_quiet: Duration::from_millis(200),
            grace: Duration::from_secs(5),
            linger: Duration::from_secs(2),
            linger_bytes: 1 << 20,
            max_connections: 4_096,
            max_unidentified: 256,
            max_unidentified_per_address: 32,
        }
    }
}

/// Everything a server needs; what a test cannot inject is not taken (law 10).
#[derive(Debug)]
pub struct Serve {
    /// The listeners, bound.
    pub doors: Vec<Door>,
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
    /// Who lets people in; `None` where no TLS is spoken.
    pub porter: Option<Arc<Porter>>,
    /// Words for the first notes: what was given up, what could not be.
    pub notes: Vec<(&'static str, String)>,
}

struct Engine {
    hub: Arc<Hub>,
    context: Arc<Context>,
    places: Arc<Semaphore>,
    tracker: TaskTracker,
    /// The accepting tasks.
    doors: TaskTracker,
    /// Cancelled when nothing more is accepted.
    closing: CancellationToken,
}

/// Runs a server to its end. Must be called inside a runtime.
pub async fn run(serve: Serve, hub: Arc<Hub>, commands: UnboundedReceiver<Command>) {
    let closing = CancellationToken::new();
    let engine = Arc::new(Engine {
        context: Arc::new(Context {
            store: serve.store,
            limits: serve.limits.clone(),
            way: serve.way,
            name: serve.name,
            rights: serve.rights,
            landing: serve.landing,
            forest: Arc::default(),
            crowd: Arc::default(),
            tab: Arc::default(),
            porter: serve.porter,
            leaving: closing.clone(),
        }),
        places: Arc::new(Semaphore::new(serve.limits.max_connections)),
        tracker: TaskTracker::new(),
        doors: TaskTracker::new(),
        closing,
        hub: Arc::clone(&hub),
    });
    // However this ends, a panic included: readers hear that it has.
    let _closing = Closing(Arc::clone(&hub));
    let mut open = Vec::new();
    for door in serve.doors {
        let listener = match TcpListener::from_std(door.listener) {
            Ok(listener) => listener,
            Err(error) => {
                hub.note(
                    "listener",
                    &format!("{} cannot be used: {error}", door.addr),
                );
                continue;
            }
        };
        hub.listen(Listening {
            addr: door.addr,
            speak: door.speak,
        });
        open.push((listener, door.speak));
    }
    let porter = engine.context.porter.as_ref();
    if let Some(invite) = porter.and_then(|porter| porter.invite()) {
        hub.invite(invite);
    }
    // Every listener has been told before the first connection is.
    for (listener, speak) in open {
        engine
            .doors
            .spawn(accept(Arc::clone(&engine), listener, speak));
    }
    engine.doors.close();
    for (cause, words) in &serve.notes {
        hub.note(cause, words);
    }
    let sweeping = tokio::spawn(sweep(Arc::clone(&engine)));
    engine.obey(commands).await;
    sweeping.abort();
}

impl Engine {
    /// Takes commands until the last connection is gone.
    async fn obey(&self, mut commands: UnboundedReceiver<Command>) {
        loop {
            match commands.recv().await {
                Some(Command::Kick(conn)) => self.kick(conn),
                Some(Command::Leave { grace }) => {
                    let grace = grace.unwrap_or(self.context.limits.grace);
                    return self.leave(grace, &mut commands).await;
                }
                Some(Command::Abort) => return self.leave(Duration::ZERO, &mut commands).await,
                // The client's commands mean nothing here.
                Some(_) => {}
                // Nobody steers any more: serve on.
                None => std::future::pending::<()>().await,
            }
        }
    }

    fn kick(&self, conn: ConnId) {
        if let Some(living) = self.hub.find(conn) {
            living.condemn(End::Kicked, None);
        }
    }

    /// Accepts nothing more, gives running transfers their grace, ends the rest.
    async fn leave(&self, grace: Duration, commands: &mut UnboundedReceiver<Command>) {
        self.closing.cancel();
        // From here on nobody is born whom nobody would end.
        self.doors.wait().await;
        let running = self.hub.transfers();
        self.hub.tell(What::Shutdown(Fact {
            seconds: Some(grace.as_secs_f64()),
            cause: End::Shutdown.label(),
            detail: DisplayName::from(
                match running {
                    0 => "leaving".to_owned(),
                    n => format!(
                        "leaving; {n} running transfers get up to {:.0} s",
                        grace.as_secs_f64()
                    ),
                }
                .as_str(),
            ),
            ..Fact::default()
        }));
        let deadline = Instant::now() + grace;
        loop {
            for living in self.hub.living() {
                let dials = &living.birth.dials;
                if !is_busy(dials.phase()) && !parts_by_itself(dials) {
                    living.condemn(End::Shutdown, None);
                }
            }
            if self.hub.population() == 0 || Instant::now() >= deadline {
                break;
            }
            tokio::select! {
                () = sleep(Duration::from_millis(20)) => {}
                command = commands.recv() => match command {
                    Some(Command::Abort) => break,
                    Some(Command::Kick(conn)) => self.kick(conn),
                    Some(_) => {}
                    None => sleep_until(deadline).await,
                },
            }
        }
        for living in self.hub.living() {
            living.condemn(End::Shutdown, None);
        }
        self.tracker.close();
        // A task that does not hear its sentence must not hold the program.
        let _ = timeout_at(Instant::now() + Duration::from_secs(2), self.tracker.wait()).await;
    }

    /// A place for a newcomer: at once, or that of the oldest silent connection.
    async fn place(&self) -> Option<OwnedSemaphorePermit> {
        if let Ok(place) = Arc::clone(&self.places).try_acquire_owned() {
            return Some(place);
        }
        let mut said: Option<Instant> = None;
        loop {
            let room = self.make_place();
            if !room && said.is_none_or(|at| at.elapsed() >= FULL_NOTE) {
                said = Some(Instant::now());
                let most = self.context.limits.max_connections;
                self.hub.note(
                    "full",
                    &format!(
                        "all {most} places are taken and none is only waiting; a newcomer waits"
                    ),
                );
            }
            let waiting = Arc::clone(&self.places).acquire_owned();
            tokio::select! {
                biased;
                () = self.closing.cancelled() => return None,
                place = waiting => return place.ok(),
                () = sleep(PLACE_CHECK) => {}
            }
        }
    }

    /// Makes room when too many have said nothing yet; the oldest silent one goes.
    /// Nobody goes before [`MANNERS`]: an honest crowd needs a moment to speak up,
    /// and waits for it in the kernel's queue.
    async fn displace(&self, newcomer: IpAddr, speak: Speak) {
        let limits = &self.context.limits;
        let person = matches!(speak, Speak::Only(dialect) if dialect.waits_for_a_person());
        let most = if person {
            SILENT_PERSONS
        } else {
            limits.max_unidentified
        };
        loop {
            let unidentified: Vec<Living> = self
                .hub
                .living()
                .into_iter()
                .filter(|living| is_unidentified(&living.birth.dials))
                .filter(|living| is_silent_person(&living.birth.dials) == person)
                .filter(|living| living.birth.dials.verdict().is_none())
                .collect();
            let neighbours: Vec<&Living> = unidentified
                .iter()
                .filter(|living| living.birth.peer.0.ip() == newcomer)
                .collect();
            let crowd = if !is_loopback(newcomer)
                && neighbours.len() >= limits.max_unidentified_per_address
            {
                neighbours
            } else if unidentified.len() >= most {
                unidentified.iter().collect()
            } else {
                return;
            };
            let age = crowd.iter().map(|living| living.since.elapsed()).max();
            let wait = MANNERS.saturating_sub(age.unwrap_or(MANNERS));
            if wait.is_zero() {
                displace_oldest(crowd.into_iter());
                return;
            }
            let pause = sleep(wait.min(PLACE_CHECK / 10));
            tokio::select! {
                () = pause => {}
                () = self.closing.cancelled() => return,
            }
        }
    }

    /// With every place taken: the oldest connection that is only waiting goes. False if there is none.
    fn make_place(&self) -> bool {
        let living = self.hub.living();
        let waiting = living.iter().filter(|living| {
            let dials = &living.birth.dials;
            dials.verdict().is_none() && (is_unidentified(dials) || dials.phase() == Phase::Idle)
        });
        displace_oldest(waiting)
    }

    async fn adopt(
        self: &Arc<Self>,
        socket: TcpStream,
        peer: SocketAddr,
        speak: Speak,
        place: OwnedSemaphorePermit,
    ) {
        // The socket's own answer: a listener on 0.0.0.0 is reached at many addresses.
        let addr = socket.local_addr().unwrap_or(peer);
        self.displace(peer.ip(), speak).await;
        let guard = self.hub.accept(peer, addr, CancellationToken::new());
        let context = Arc::clone(&self.context);
        self.tracker.spawn(async move {
            // Given back after the guard has told the end.
            let _place = place;
            connection::serve(socket, guard, speak, context).await;
        });
    }
}

/// Silent ones before those that have begun to speak; then the oldest.
fn displace_oldest<'l>(candidates: impl Iterator<Item = &'l Living>) -> bool {
    let oldest = candidates.min_by_key(|living| {
        let spoke = living.birth.dials.phase() != Phase::Opening;
        (spoke, living.birth.conn)
    });
    if let Some(living) = oldest {
        living.condemn(End::Displaced, None);
    }
    oldest.is_some()
}

#[cfg(test)]
#[path = "server_tests.rs"]
mod tests;
