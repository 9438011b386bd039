//! A door: an address bound, what may be spoken there, and who knocks.
//!
//! Bound before the engine starts, so that a busy port is an error on the
//! command line. It knows sockets and that every newcomer needs a place. It must
//! never know what a connection says or how it ends.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::TcpListener;
use tokio::time::{Instant, timeout};

use super::Engine;
use crate::entity::Speak;

/// Connections the kernel may hold for us before accept.
const BACKLOG: i32 = 1_024;
/// First and longest pause when the system has no more descriptors.
const BACK_OFF: (Duration, Duration) = (Duration::from_millis(10), Duration::from_secs(1));

/// A bound listener.
#[derive(Debug)]
pub struct Door {
    pub(super) listener: std::net::TcpListener,
    pub(super) addr: SocketAddr,
    pub(super) speak: Speak,
}

impl Door {
    /// Binds an address. Port 0 takes any free one.
    ///
    /// # Errors
    /// The address is in use, not this machine's, or not permitted.
    pub fn bind(addr: SocketAddr, speak: Speak) -> io::Result<Self> {
        let socket = Socket::new(Domain::for_address(addr), Type::STREAM, Some(Protocol::TCP))?;
        // A restart must not wait for the last run's TIME_WAIT.
        socket.set_reuse_address(true)?;
        socket.set_nonblocking(true)?;
        socket.bind(&addr.into())?;
        socket.listen(BACKLOG)?;
        let listener = std::net::TcpListener::from(socket);
        let addr = listener.local_addr()?;
        Ok(Self {
            listener,
            addr,
            speak,
        })
    }

    /// The address as bound.
    pub const fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// What it takes.
    pub const fn speak(&self) -> Speak {
        self.speak
    }
}

/// One listener: a place first, then accept.
pub(super) async fn accept(engine: Arc<Engine>, listener: TcpListener, speak: Speak) {
    let mut back_off = BACK_OFF.0;
    let mut last_note: Option<Instant> = None;
    loop {
        // All places taken is no reason to leave a newcomer in the queue while
        // others only sit there: accept, then ask the oldest waiting one to go.
        let accepted = tokio::select! {
            biased;
            () = engine.closing.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((socket, peer)) => {
                back_off = BACK_OFF.0;
                let Some(place) = engine.place().await else {
                    return;
                };
                engine.adopt(socket, peer, speak, place).await;
            }
            Err(error) if is_peers_fault(&error) => {}
            Err(error) => {
                // Out of descriptors: a naive loop burns a core and floods the log.
                if last_note.is_none_or(|at| at.elapsed() >= Duration::from_secs(1)) {
                    last_note = Some(Instant::now());
                    engine
                        .hub
                        .note("accept", &format!("cannot accept: {error}"));
                }
                let _ = timeout(back_off, engine.closing.cancelled()).await;
                back_off = (back_off * 2).min(BACK_OFF.1);
            }
        }
    }
}

/// The newcomer was gone before it was accepted (accept(2), "Error handling").
fn is_peers_fault(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionRefused
            | io::ErrorKind::Interrupted
    )
}
