//! Taking a file in, and giving one another name: what a peer may write.
//!
//! Rights first, names second, room third; then the payload streams through the
//! codec, which tells content from framing, into a part that has no name before
//! it is durable. Nothing is held in memory but one buffer at the socket and
//! one at the disk.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::spawn_blocking;
use tokio::time::timeout;

use super::answer::off_loop;
use super::leave::lost;
use super::right::Right;
use super::{Doubt, Over, Talk};
use crate::entity::{Direction, DisplayName, Outcome, Phase, RemotePath};
use crate::event::{Clash, Fact, What};
use crate::net::hub::{ConnGuard, TransferOrder, XferGuard};
use crate::net::pump::Desk;
use crate::net::store::Denied;
use crate::net::store::landing::{Landing, Part, Unlanded};
use crate::net::wire::codec::{After, Cue, Finale, Malformed, Refusal, Reply, ServerCodec, Take};

/// Bytes taken off the socket before they go to the disk.
const INTAKE: usize = 256 << 10;
/// How often a disk at work, or a share of the same upload, counts as a sign of life;
/// below any stall limit in use.
pub(super) const LIFE_LOOK: Duration = Duration::from_millis(100);

/// Why an upload did not come to its end.
pub(super) enum Unkept {
    /// The payload broke its dialect's rules, or says itself that there is none.
    Broken(Malformed),
    /// The socket or the disk failed.
    Lost(Over),
    /// The disk.
    Disk(Unlanded),
}

impl Talk {
    /// Takes a file in.
    pub(super) async fn put(
        &mut self,
        guard: &ConnGuard,
        codec: &mut dyn ServerCodec,
        path: RemotePath,
        size: Option<u64>,
    ) -> Result<After, Over> {
        let (landing, name) = match self.admit_write(Right::Upload, &path) {
            Ok(way) => way,
            Err(denied) => return self.refuse(guard, codec, path, denied).await,
        };
        // The announced size is a wish, or a guess: room is made as bytes come.
        let place = Arc::clone(&landing);
        let wanted = name.clone();
        let begun = off_loop(move || place.begin(&wanted, None).map_err(|error| unlanded(&error)));
        let part = match begun.await {
            Ok(part) => part,
            Err(denied) => return self.refuse(guard, codec, path, denied).await,
        };
        guard.dials().set_phase(Phase::Receiving);
        let xfer = guard.start(TransferOrder {
            job: None,
            dialect: codec.dialect(),
            direction: Direction::In,
            proof: codec.proof(),
            path,
            size,
            offset: 0,
            range: None,
        });
        self.last = Some(Arc::clone(xfer.started()));
        self.say(guard, codec, &Reply::Ready).await?;
        guard.dials().set_phase(Phase::Receiving);
        let taken = self.take_in(guard, codec, part, &xfer).await;
        self.last = None;
        self.land(guard, taken, xfer, &landing, name).await
    }

    /// Gives a file another name.
    pub(super) async fn rename(
        &mut self,
        guard: &ConnGuard,
        codec: &mut dyn ServerCodec,
        from: RemotePath,
        to: RemotePath,
    ) -> Result<After, Over> {
        let old = self.admit_write(Right::Rename, &from);
        let new = self.admit_write(Right::Rename, &to);
        let (landing, old, new) = match (old, new) {
            (Ok((landing, old)), Ok((_, new))) => (landing, old, new),
            (Err(denied), _) | (_, Err(denied)) => {
                return self.refuse(guard, codec, from, denied).await;
            }
        };
        let renamed = off_loop(move || {
            landing.rename(&old, &new).map_err(|error| Denied {
                cause: "not_renamed",
                ..unlanded(&error)
            })
        });
        match renamed.await {
            Ok(()) => {
                let words = format!("renamed to {}", to.shown());
                guard.hub().tell(What::Note(Fact {
                    path: Some(from),
                    cause: "renamed",
                    detail: DisplayName::from(words.as_str()),
                    ..guard.fact()
                }));
                self.say(guard, codec, &Reply::Renamed).await
            }
            Err(denied) => self.refuse(guard, codec, from, denied).await,
        }
    }

    /// Whether this peer may write this name now: where, and under which name.
    fn admit_write(
        &self,
        right: Right,
        path: &RemotePath,
    ) -> Result<(Arc<Landing>, String), Denied> {
        self.allows(right)?;
        let Some(landing) = self.context.landing.clone() else {
            return Err(Denied {
                refusal: Refusal::NotAllowed,
                cause: "not_allowed",
                detail: "nothing is written here".to_owned(),
            });
        };
        let name = path.as_str().unwrap_or_default();
        if let Some(why) = landing.refuses_from_peer(name) {
            return Err(Denied {
                refusal: Refusal::BadName,
                cause: "bad_name",
                detail: why.to_owned(),
            });
        }
        Ok((landing, name.to_owned()))
    }

    /// Streams the payload into the part until the codec tells its end.
    async fn take_in(
        &mut self,
        guard: &ConnGuard,
        codec: &mut dyn ServerCodec,
        part: Part,
        xfer: &XferGuard,
    ) -> Result<(Part, Finale, Cue), Unkept> {
        let mut desk = Desk::new(part);
        let mut cue = Cue::Bytes;
        loop {
            let Take { content, end } = codec.take(&self.input, cue).map_err(Unkept::Broken)?;
            if content > 0 {
                let rest = self.input.split_off(content);
                let full = std::mem::replace(&mut self.input, rest);
                xfer.add(content as u64);
                let written = at_work(guard, desk.write(full)).await;
                written.map_err(Unkept::Disk)?;
            }
            if let Some(finale) = end {
                self.input.drain(..finale.skip);
                let part = at_work(guard, desk.close()).await.map_err(Unkept::Disk)?;
                return Ok((part, finale, cue));
            }
            cue = self.next_cue(guard, codec, cue).await?;
        }
    }

    /// More bytes, a silence, or the close.
    async fn next_cue(
        &mut self,
        guard: &ConnGuard,
        codec: &mut dyn ServerCodec,
        before: Cue,
    ) -> Result<Cue, Unkept> {
        let room = INTAKE.saturating_sub(self.input.len()).max(4 << 10);
        let reading = self.pipe.read_some(&mut self.input, room);
        let read = if codec.minds_quiet() && before == Cue::Bytes {
            match timeout(self.context.limits.session_quiet, reading).await {
                Ok(read) => read,
                Err(_) => return Ok(Cue::Quiet),
            }
        } else {
            reading.await
        };
        match read {
            Ok(0) => Ok(Cue::Close),
            Ok(read) => {
                guard.dials().add_in(read as u64);
                Ok(Cue::Bytes)
            }
            // A reset is never the end of data.
            Err(error) => Err(Unkept::Lost(lost(&error))),
        }
    }

    /// Gives what came its name, and tells how it went.
    async fn land(
        &mut self,
        guard: &ConnGuard,
        taken: Result<(Part, Finale, Cue), Unkept>,
        xfer: XferGuard,
        landing: &Arc<Landing>,
        name: String,
    ) -> Result<After, Over> {
        let (part, finale, cue) = match taken {
            Ok(taken) => taken,
            Err(Unkept::Broken(malformed)) => {
                xfer.end(Outcome::Failed, malformed.cause, &malformed.detail);
                if malformed.cause == Malformed::ABSENT {
                    // No rule is broken: the peer says that it has no such file.
                    return Ok(After::Close);
                }
                return Err(Over::Malformed(malformed));
            }
            Err(Unkept::Lost(over)) => {
                if let Over::Failed(cause, detail) = &over {
                    xfer.end(Outcome::Failed, cause, detail);
                }
                return Err(over);
            }
            Err(Unkept::Disk(error)) => return Err(undone(&error, xfer)),
        };
        // What follows without a pause may be content that only looks like a command.
        self.doubt = match cue {
            Cue::Bytes => Doubt::Smuggled,
            Cue::Quiet | Cue::Close => Doubt::Clear,
        };
        self.hushed = false;
        let place = Arc::clone(landing);
        let outcome = finale.outcome;
        let landed = spawn_blocking(move || {
            let mut part = part;
            part.reshape(&place, &finale.prepend, finale.cut)?;
            part.land(&place, &name, Some(Clash::Rename))
        });
        match at_work(guard, landed).await {
            Ok(Ok(name)) => {
                let under = if xfer.started().path.as_str() == Some(name.as_str()) {
                    String::new()
                } else {
                    format!("stored as {name}: the name was taken")
                };
                xfer.end(outcome, "", &under);
            }
            Ok(Err(error)) => return Err(undone(&error, xfer)),
            Err(gone) => return Err(undone(&Unlanded::Disk(std::io::Error::other(gone)), xfer)),
        }
        Ok(match cue {
            Cue::Close => After::Close,
            Cue::Bytes | Cue::Quiet => After::Next,
        })
    }
}

impl From<Unkept> for Over {
    fn from(why: Unkept) -> Self {
        match why {
            Unkept::Broken(malformed) => Self::Malformed(malformed),
            Unkept::Lost(over) => over,
            Unkept::Disk(error) => Self::Failed("disk", error.to_string()),
        }
    }
}

/// Waits for our own disk: the peer does not stand still meanwhile, so the stall
/// rule sees life. Kick and shutdown still end the wait.
pub(super) async fn at_work<T>(guard: &ConnGuard, work: impl Future<Output = T>) -> T {
    tokio::pin!(work);
    loop {
        match timeout(LIFE_LOOK, &mut work).await {
            Ok(done) => return done,
            Err(_) => guard.dials().stir(),
        }
    }
}

/// The disk said no in the middle: a failure, told once, and nothing kept.
fn undone(error: &Unlanded, xfer: XferGuard) -> Over {
    let denied = unlanded(error);
    xfer.end(Outcome::Failed, denied.cause, &denied.detail);
    Over::Failed(denied.cause, denied.detail)
}

pub(super) fn unlanded(error: &Unlanded) -> Denied {
    let (refusal, cause) = match error {
        Unlanded::Name(_) => (Refusal::BadName, "bad_name"),
        Unlanded::Taken => (Refusal::NotAllowed, "exists"),
        Unlanded::NotEmpty => (Refusal::NotEmpty, "not_empty"),
        Unlanded::Busy => (Refusal::Busy, "busy"),
        Unlanded::Full { .. } => (Refusal::NoRoom, "no_room"),
        Unlanded::Disk(error) if error.kind() == std::io::ErrorKind::NotFound => {
            (Refusal::NotFound, "not_found")
        }
        Unlanded::Disk(error) if error.kind() == std::io::ErrorKind::StorageFull => {
            (Refusal::NoRoom, "no_room")
        }
        Unlanded::Disk(_) => (Refusal::Failed, "disk"),
    };
    Denied {
        refusal,
        cause,
        detail: error.to_string(),
    }
}
