//! Who is at the other end, and whether that is somebody: TLS, the pin, the code.
//!
//! A handshake first, under the head's deadline; then every request is held against what
//! is known of the peer at that moment, so that a revoked right or a forgotten peer counts
//! at once. It knows the porter and the talk. In the open everybody is nobody and has the
//! server's own flags; no path of the disk comes here.

use std::time::Instant;

use tokio::task::spawn_blocking;
use tokio::time::sleep;

use super::right::Right;
use super::{Over, Talk};
use crate::entity::{DisplayName, Phase, Rights};
use crate::event::{Fact, What, Who};
use crate::net::auth::Verdict;
use crate::net::hub::ConnGuard;
use crate::net::peers::Peer;
use crate::net::porter::Porter;
use crate::net::store::Denied;
use crate::net::tls::know;
use crate::net::wire::codec::{After, Mac, Pace, Refusal, Reply, Request, ServerCodec};

/// How this peer stands with us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// Outside TLS: nobody in particular.
    Nobody,
    /// Inside TLS, under a key we do not know.
    Stranger,
    /// Inside TLS, and granted this when it asked last.
    Known(Rights),
}

/// Why a request is not even looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Bar {
    /// The key is not known: the code has to be proved first.
    Unpaired,
    /// It was known when this connection began.
    Forgotten,
    /// What is known of it cannot be read: that is nobody's right to anything.
    Unreadable,
    /// To list and to fetch is not granted to it.
    Unread,
}

impl Bar {
    const fn cause(self) -> &'static str {
        match self {
            Self::Unpaired => "unpaired",
            Self::Forgotten => "forgotten",
            Self::Unreadable => "pin_unreadable",
            Self::Unread => "not_granted",
        }
    }

    const fn words(self) -> &'static str {
        match self {
            Self::Unpaired => "its key is not known here; it has to prove the code first",
            Self::Forgotten => "its key has been forgotten while it was here",
            Self::Unreadable => "what is known of its key cannot be read",
            Self::Unread => "not granted to this peer; `ferrydeck peers grant` would allow it",
        }
    }

    const fn refusal(self) -> Refusal {
        match self {
            Self::Unpaired | Self::Forgotten => Refusal::Unpaired,
            Self::Unreadable => Refusal::Failed,
            Self::Unread => Refusal::NotAllowed,
        }
    }
}

impl Talk {
    /// Goes on inside TLS: what has been read already is the beginning of its hello.
    pub(super) async fn secure(&mut self, guard: &ConnGuard) -> Result<(), Over> {
        let Some(porter) = self.context.porter.clone() else {
            return Err(Over::unwelcome("tls", "TLS is not spoken here"));
        };
        guard.dials().set_phase(Phase::Opening);
        let early = std::mem::take(&mut self.input);
        self.first_read = None;
        let sealed = match porter.identity().accept() {
            Ok(session) => self.pipe.seal(session, early, know).await,
            Err(fault) => Err(fault),
        };
        sealed.map_err(|why| match why.cause {
            // Nothing came, or it is gone: no fault of anybody's.
            "connection" => Over::Failed("peer_closed", why.detail),
            cause => Over::unwelcome(cause, why.detail),
        })?;
        self.standing = Standing::Stranger;
        if let Some(pin) = self.pipe.peer_pin()
            && let Ok(Some(peer)) = porter.peers().look(pin)
        {
            self.standing = Standing::Known(peer.granted);
            guard.meet(who(&peer));
            // Nobody waits for it, and where it fails nothing is lost but a time.
            drop(spawn_blocking(move || porter.peers().seen(pin)));
        }
        Ok(())
    }

    /// What this peer may do, as of this request: the server's flags and its grant.
    pub(super) fn rights(&self) -> Rights {
        match self.standing {
            Standing::Nobody => self.context.rights,
            Standing::Stranger => Rights::from_bits(0),
            Standing::Known(granted) => self.context.rights.and(granted),
        }
    }

    /// Answers a request if this peer may ask at all.
    pub(super) async fn attend(
        &mut self,
        guard: &ConnGuard,
        codec: &mut dyn ServerCodec,
        request: Request,
    ) -> Result<After, Over> {
        if self.is_too_late(codec) {
            return self.turn_away(guard, codec, &request).await;
        }
        if let Request::Prove { proof, name } = request {
            return self.prove(guard, codec, &proof, &name).await;
        }
        let Some(bar) = self.bar(&request) else {
            return self.answer(guard, codec, request).await;
        };
        guard.hub().tell(What::Refused(Fact {
            path: request.path().cloned(),
            cause: bar.cause(),
            detail: DisplayName::from(bar.words()),
            ..guard.fact()
        }));
        let eager = matches!(&request, Request::Store { terms, .. } if terms.pace == Pace::Eager);
        let after = self
            .say(guard, codec, &Reply::Refused(bar.refusal()))
            .await?;
        match (bar, after) {
            // Behind it comes a payload, and nobody reads one for a stranger.
            (Bar::Unpaired, _) if eager => Err(Over::Refused(bar.cause())),
            (Bar::Unpaired | Bar::Unread, After::Next) => Ok(After::Next),
            _ => Err(Over::Refused(bar.cause())),
        }
    }

    /// What stands against a request, looked up anew.
    fn bar(&mut self, request: &Request) -> Option<Bar> {
        if let Some(bar) = self.look_again() {
            return Some(bar);
        }
        let Standing::Known(granted) = self.standing else {
            return None;
        };
        let reads = matches!(
            request,
            Request::List { .. }
                | Request::Stat { .. }
                | Request::Get { .. }
                | Request::Fetch { .. }
                | Request::Tree { .. }
        );
        (reads && !granted.read).then_some(Bar::Unread)
    }

    /// Looks up what is known of this peer now; what stands against it whatever it asks.
    fn look_again(&mut self) -> Option<Bar> {
        let before = self.standing;
        if before == Standing::Nobody {
            return None;
        }
        let pin = self.pipe.peer_pin()?;
        let known = self.context.porter.as_ref()?.peers().look(pin);
        let Ok(known) = known else {
            self.standing = Standing::Stranger;
            return Some(Bar::Unreadable);
        };
        let Some(peer) = known else {
            self.standing = Standing::Stranger;
            return Some(match before {
                Standing::Known(_) => Bar::Forgotten,
                Standing::Nobody | Standing::Stranger => Bar::Unpaired,
            });
        };
        self.standing = Standing::Known(peer.granted);
        None
    }

    /// Whether this peer may do this now, for one of many requests that came together:
    /// those before it may have taken their time.
    pub(super) fn still_allows(&mut self, right: Right) -> Result<(), Denied> {
        let Some(bar) = self.look_again() else {
            return self.allows(right);
        };
        Err(Denied {
            refusal: bar.refusal(),
            cause: bar.cause(),
            detail: bar.words().to_owned(),
        })
    }

    /// Looks at a proof of the code; who has it is pinned.
    async fn prove(
        &mut self,
        guard: &ConnGuard,
        codec: &mut dyn ServerCodec,
        proof: &Mac,
        name: &str,
    ) -> Result<After, Over> {
        let (Some(porter), Some(known)) = (self.context.porter.clone(), self.pipe.known()) else {
            // The codec lets none through outside TLS.
            return self
                .say(guard, codec, &Reply::Refused(Refusal::Unsupported))
                .await;
        };
        let from = guard.peer().0.ip();
        match porter.judge(from, known, proof, Instant::now()) {
            Verdict::Right(answer) => {
                let (keeper, pin, name) = (porter, known.pin, name.to_owned());
                let paired = spawn_blocking(move || keeper.peers().pair(pin, &name)).await;
                let Ok(Ok(peer)) = paired else {
                    return self.unpinned(guard, codec).await;
                };
                self.standing = Standing::Known(peer.granted);
                guard.meet(who(&peer));
                tell_paired(guard, &peer);
                self.say(guard, codec, &Reply::Proof(answer)).await
            }
            Verdict::Wrong {
                wait,
                count,
                turned,
            } => {
                tell_wrong(guard, count);
                if turned {
                    tell_turned(guard, &porter);
                }
                sleep(wait).await;
                self.say(guard, codec, &Reply::Refused(Refusal::WrongCode))
                    .await
            }
            Verdict::Banned(left) => {
                let minutes = left.as_secs().div_ceil(60);
                let words =
                    format!("too many wrong codes from there: banned for {minutes} more minutes");
                refused(guard, Refusal::Banned, &words);
                self.say(guard, codec, &Reply::Refused(Refusal::Banned))
                    .await?;
                Err(Over::Refused(Refusal::Banned.label()))
            }
        }
    }

    /// The proof is right and cannot be written down: who is not pinned is not in.
    async fn unpinned(
        &mut self,
        guard: &ConnGuard,
        codec: &mut dyn ServerCodec,
    ) -> Result<After, Over> {
        refused(
            guard,
            Refusal::Failed,
            "the code was right, but its key could not be written down",
        );
        self.say(guard, codec, &Reply::Refused(Refusal::Failed))
            .await
    }
}

fn who(peer: &Peer) -> Who {
    Who {
        pin: peer.pin,
        name: peer.name.clone(),
        granted: peer.granted,
    }
}

fn refused(guard: &ConnGuard, refusal: Refusal, words: &str) {
    guard.hub().tell(What::Refused(Fact {
        cause: refusal.label(),
        detail: DisplayName::from(words),
        ..guard.fact()
    }));
}

fn tell_wrong(guard: &ConnGuard, count: u32) {
    let words = format!("a wrong code, number {count} from there");
    refused(guard, Refusal::WrongCode, &words);
}

fn tell_paired(guard: &ConnGuard, peer: &Peer) {
    let words = format!(
        "{} has proved the code: key {}",
        peer.name,
        peer.pin.short()
    );
    guard.hub().tell(What::Note(Fact {
        cause: "paired",
        detail: DisplayName::from(words.as_str()),
        ..guard.fact()
    }));
}

fn tell_turned(guard: &ConnGuard, porter: &Porter) {
    guard.hub().tell(What::Note(Fact {
        cause: "code_rotated",
        detail: DisplayName::from("too many wrong codes in all: there is a new one"),
        ..guard.fact()
    }));
    if let Some(invite) = porter.invite() {
        guard.hub().invite(invite);
    }
}
