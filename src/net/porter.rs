//! Who lets people in: the server's identity, its code and the peers it knows.
//!
//! What listeners and connections share of it; a server without it speaks no TLS. It knows
//! keys, proofs and the state folder. It must never know a socket, and it shows the code
//! to a screen alone, as an [`Invite`].

use std::net::IpAddr;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use crate::entity::Pin;
use crate::event::{Invite, Secret};
use crate::net::auth::{Code, Gatekeeper, Session, Verdict};
use crate::net::keep::Unsound;
use crate::net::peers::Peers;
use crate::net::pipe::Known;
use crate::net::tls::Identity;
use crate::net::wire::codec::Mac;

/// One server's.
#[derive(Debug)]
pub struct Porter {
    identity: Identity,
    peers: Peers,
    gate: Mutex<Gatekeeper>,
    urls: Vec<Box<str>>,
}

impl Porter {
    /// With the identity and the peers of a state folder and a new code. `urls` say where
    /// the server is reached, without a path.
    ///
    /// # Errors
    /// The folder or a file in it cannot be used: then the server must not start.
    pub fn open(state: &Path, urls: Vec<Box<str>>) -> Result<Self, Unsound> {
        let code = Code::make().ok_or_else(|| {
            Unsound::content(state, "gets no code: the system has no random bytes")
        })?;
        Ok(Self {
            identity: Identity::open(state)?,
            peers: Peers::open(state)?,
            gate: Mutex::new(Gatekeeper::new(code)),
            urls,
        })
    }

    /// Our end of every session.
    pub const fn identity(&self) -> &Identity {
        &self.identity
    }

    /// The peers that may come.
    pub const fn peers(&self) -> &Peers {
        &self.peers
    }

    /// Our own pin.
    pub const fn pin(&self) -> Pin {
        self.identity.pin()
    }

    /// Looks at the proof that somebody sends from there, in this session.
    pub fn judge(&self, from: IpAddr, who: &Known, proof: &Mac, now: Instant) -> Verdict {
        let session = Session {
            exporter: who.exporter,
            server: self.identity.key(),
            client: &who.key,
        };
        self.gate().judge(from, &session, proof, now)
    }

    /// What lets a newcomer in right now; `None` where nothing does.
    pub fn invite(&self) -> Option<Invite> {
        let gate = self.gate();
        let code = gate.code()?.reveal();
        let first = self.urls.first()?;
        Some(Invite {
            qr: Secret::new(format!("{first}/#{code}")),
            urls: self.urls.clone(),
            code: Secret::new(code),
            turns: gate.turns(),
        })
    }

    fn gate(&self) -> MutexGuard<'_, Gatekeeper> {
        // No code panics while it holds the lock.
        self.gate.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
