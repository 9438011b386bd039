//! The private half of a line: TLS, the server's pin, and the code at first contact.
//!
//! Nothing of ours is said before the server's key is the pinned one, or has proved the
//! code. It knows the state folder through the rooms that keep it. It must never ask a
//! person: whoever started the client has the code or gets it, and hands it over here.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::OnceCell;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use super::dial::{Failure, Line, Target};
use crate::entity::Pin;
use crate::net::auth::{Code, Session, Side};
use crate::net::keep::Unsound;
use crate::net::peers::Servers;
use crate::net::tls::{Identity, Untrusted, know};
use crate::net::wire::codec::{Answer, Refusal, Request};

/// What a client needs to be private: an identity, the servers it knows, a code.
///
/// Opened when it is first needed: who only ever calls his own machine in the open has no
/// identity. It tells no two servers apart, so it does not count where targets are compared.
#[derive(Clone, Default)]
pub struct Keys(Arc<Bunch>);

#[derive(Default)]
struct Bunch {
    state: Option<PathBuf>,
    ring: OnceCell<Ring>,
    code: Mutex<Option<Code>>,
}

/// What is in the state folder.
#[derive(Debug)]
struct Ring {
    identity: Identity,
    servers: Servers,
}

impl Keys {
    /// Those of a state folder, which need not be there yet; `None` where there is no home.
    pub fn at(state: Option<PathBuf>) -> Self {
        Self(Arc::new(Bunch {
            state,
            ..Bunch::default()
        }))
    }

    /// From here on this code is proved where one is asked for.
    pub fn learn(&self, code: Code) {
        *self.0.code.lock().unwrap_or_else(PoisonError::into_inner) = Some(code);
    }

    fn code(&self) -> Option<Code> {
        let code = self.0.code.lock().unwrap_or_else(PoisonError::into_inner);
        code.clone()
    }

    async fn ring(&self) -> Result<&Ring, Failure> {
        let open = || async {
            let state = self.0.state.clone();
            let opened = spawn_blocking(move || {
                let state = state.ok_or_else(homeless)?;
                Ok(Ring {
                    identity: Identity::open(&state).map_err(|why| unsound(&why))?,
                    servers: Servers::open(&state).map_err(|why| unsound(&why))?,
                })
            });
            let gone = |gone: tokio::task::JoinError| Failure::new("identity", gone.to_string());
            opened.await.map_err(gone)?
        };
        self.0.ring.get_or_try_init(open).await
    }
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Keys(…)")
    }
}

impl PartialEq for Keys {
    fn eq(&self, _other: &Self) -> bool {
        true
    }
}

impl Eq for Keys {}

impl Hash for Keys {
    fn hash<H: Hasher>(&self, _state: &mut H) {}
}

fn homeless() -> Failure {
    Failure::new(
        "identity",
        "no place for our key: there is no home folder; --state-dir names one",
    )
}

fn unsound(why: &Unsound) -> Failure {
    Failure::new("identity", why.to_string())
}

impl From<Untrusted> for Failure {
    fn from(why: Untrusted) -> Self {
        Self::new(why.cause, why.detail)
    }
}

impl Line {
    /// Goes on inside TLS, and makes sure that it is the server we know, or the one that
    /// knows the code.
    pub(super) async fn secure(&mut self, target: &Target, name: &str) -> Result<(), Failure> {
        let ring = target.keys.ring().await?;
        let pinned = ring
            .servers
            .look(&target.host, target.port)
            .map_err(|why| unsound(&why))?;
        if pinned.is_none() && target.keys.code().is_none() {
            return Err(code_needed(target));
        }
        let session = ring.identity.call(pinned)?;
        let shaking = self.pipe.seal(session, Vec::new(), know);
        let shaken: Result<(), Untrusted> = timeout(self.gap, shaking)
            .await
            .map_err(|_| Failure::new("timeout", "the server does not finish the handshake"))?;
        shaken?;
        match pinned {
            Some(_) => Ok(()),
            None => self.prove(target, name).await,
        }
    }

    /// Proves the code and has it proved, then pins the server.
    pub(super) async fn prove(&mut self, target: &Target, name: &str) -> Result<(), Failure> {
        let ring = target.keys.ring().await?;
        let code = target.keys.code().ok_or_else(|| code_needed(target))?;
        let Some(known) = self.pipe.known().cloned() else {
            return Err(Failure::unexpected());
        };
        let session = Session {
            exporter: known.exporter,
            server: &known.key,
            client: ring.identity.key(),
        };
        self.ask(&Request::Prove {
            proof: code.prove(Side::Client, &session),
            name: name.into(),
        })
        .await?;
        match self.hear().await? {
            Answer::Proof(proof) if code.is_proved(Side::Server, &session, &proof) => {
                let pin = |pin: Pin| ring.servers.pin(&target.host, target.port, pin);
                pin(known.pin).map_err(|why| unsound(&why))
            }
            Answer::Proof(_) => Err(Failure::new(
                "wrong_proof",
                "the server does not know the code it asks for: it is not the one that showed \
                 it, and nothing was pinned",
            )),
            Answer::Refused { refusal } => Err(Failure::refused(refusal)),
            _ => Err(Failure::unexpected()),
        }
    }

    /// Whether this no means that the server has forgotten us, and we can prove the code.
    pub(super) fn may_prove(&self, target: &Target, refusal: Refusal) -> bool {
        refusal == Refusal::Unpaired && self.pipe.is_tls() && target.keys.code().is_some()
    }
}

fn code_needed(target: &Target) -> Failure {
    Failure::new(
        "code_needed",
        format!(
            "{}:{} is not known here yet: its code is needed (in FERRYDECK_CODE, in a --code-file, \
             or typed on a terminal)",
            target.host, target.port
        ),
    )
}
