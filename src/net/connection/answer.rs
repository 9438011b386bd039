//! Answering one request: the store is asked, the codec says it, the pump sends.
//!
//! The talk (`super`) has understood the request; how the connection ends
//! afterwards is `leave`'s. No path of the disk comes here: the store gives an
//! open file or a refusal.

use std::sync::Arc;

use tokio::task::spawn_blocking;
use tokio::time::sleep;

use super::leave::broken;
use super::right::Right;
use super::tell::{tell_growth, tell_refusal};
use super::{Over, READ, Talk};
use crate::entity::{Direction, DisplayName, Outcome, Phase, RemotePath};
use crate::event::{Fact, What};
use crate::line::size_words;
use crate::net::hub::{ConnGuard, TransferOrder, XferGuard};
use crate::net::pipe::Pipe;
use crate::net::pump::Broken;
use crate::net::store::{Denied, Fate, Source};
use crate::net::wire::codec::{
    After, Content, Gait, Refusal, Reply, Request, ServerCodec, Version, Welcome,
};
use crate::net::wire::deck::{PAGE_BYTES, PAGE_ENTRIES};

/// Surplus bytes behind a one-request peer's request that are read and forgotten
/// while the answer goes out; more wait in the kernel until the lingering.
const SURPLUS: usize = 16 << 20;

impl Talk {
    pub(super) async fn answer(
        &mut self,
        guard: &ConnGuard,
        codec: &mut dyn ServerCodec,
        request: Request,
    ) -> Result<After, Over> {
        match request {
            Request::Hello { .. } => {
                let welcome = Welcome {
                    name: self.context.name.clone(),
                    rights: self.rights(),
                };
                match self.say(guard, codec, &Reply::Welcome(welcome)).await? {
                    After::Next => Ok(After::Next),
                    After::Close => Err(no_common_version(guard)),
                }
            }
            Request::Ping { token } => self.say(guard, codec, &Reply::Pong { token }).await,
            Request::List { .. } | Request::Stat { .. } | Request::Get { .. }
                if self.allows(Right::Read).is_err() =>
            {
                self.unread(guard, codec, request).await
            }
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
            Request::Put { path, size } => self.put(guard, codec, path, size).await,
            Request::Rename { from, to } if !codec.dialect().is_deck() => {
                self.rename(guard, codec, from, to).await
            }
            Request::Help => self.say(guard, codec, &Reply::Help).await,
            Request::Bye => Ok(After::Close),
            Request::Aside => Ok(After::Next),
            Request::Other => self.say(guard, codec, &Reply::Heard).await,
            Request::List { path } => self.list(guard, codec, path).await,
            Request::Get {
                path,
                offset,
                version,
            } => self.get(guard, codec, path, offset, version).await,
            Request::Prove { .. }
            | Request::Fetch { .. }
            | Request::Tree { .. }
            | Request::Store { .. }
            | Request::MakeFolder { .. }
            | Request::Rename { .. }
            | Request::Delete { .. } => self.answer_deck(guard, codec, request).await,
        }
    }

    pub(super) async fn say(
        &mut self,
        guard: &ConnGuard,
        codec: &mut dyn ServerCodec,
        reply: &Reply,
    ) -> Result<After, Over> {
        // A peer that does not read its answers stands under the stall rule.
        guard.dials().set_phase(Phase::Sending);
        let after = codec.encode(reply, &mut self.outlet.head);
        self.outlet.flush().await.map_err(broken)?;
        codec.epilogue(&mut self.outlet.head);
        if !self.outlet.head.is_empty() {
            sleep(self.context.limits.session_pause).await;
            self.outlet.flush().await.map_err(broken)?;
        }
        Ok(after)
    }

    pub(super) async fn refuse(
        &mut self,
        guard: &ConnGuard,
        codec: &mut dyn ServerCodec,
        path: RemotePath,
        denied: Denied,
    ) -> Result<After, Over> {
        tell_refusal(guard, path, &denied);
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
            Err(denied) => match codec.second_guess() {
                // Asked once a request: the guess of a guess is none.
                Some(Request::Get {
                    path,
                    offset,
                    version,
                }) => {
                    return Box::pin(self.get(guard, codec, path, offset, version)).await;
                }
                _ => return self.refuse(guard, codec, path, denied).await,
            },
        };
        // Before the birth is told: whoever hears of it must see a busy connection.
        guard.dials().set_phase(Phase::Sending);
        let xfer = guard.start(TransferOrder {
            job: None,
            dialect: codec.dialect(),
            direction: Direction::Out,
            proof: codec.proof(),
            path,
            size: Some(source.size),
            offset,
            range: None,
        });
        self.last = Some(Arc::clone(xfer.started()));
        let sent = self.send(codec, &source, offset, &xfer).await;
        self.last = None;
        if let Ok((_, Fate::Grew)) = sent {
            tell_growth(guard, &xfer);
        }
        if let Some(xfer) = settle(sent, xfer)? {
            self.await_the_peer(vec![xfer]);
        }
        Ok(After::Next)
    }

    /// Content head, runs, ending. One-request dialects have their surplus input drained meanwhile.
    async fn send(
        &mut self,
        codec: &mut dyn ServerCodec,
        source: &Source,
        offset: u64,
        xfer: &XferGuard,
    ) -> Result<(After, Fate), Broken> {
        let head = Reply::Content(Content {
            size: source.size,
            offset,
            mtime: Some(source.mtime),
            version: Some(source.version.clone()),
        });
        let after = codec.encode(&head, &mut self.outlet.head);
        let apart = codec.gait() == Gait::Apart;
        let pause = self.context.limits.session_pause;
        let pipe = Arc::clone(&self.pipe);
        let outlet = &mut self.outlet;
        let sending = async {
            if apart {
                // The peer reads head and payload with one receive each.
                outlet.flush().await?;
                sleep(pause).await;
            }
            let mut at = offset;
            while at < source.size {
                let run = codec.next_run(at, source.size - at, &mut outlet.head);
                outlet.run(&source.file, at, run, xfer).await?;
                at += run;
            }
            let fate = source.fate();
            let after = codec.finish(fate.refusal(), &mut outlet.head);
            outlet.flush().await?;
            Ok((after, fate))
        };
        if after == After::Next {
            return sending.await;
        }
        tokio::select! {
            sent = sending => sent,
            never = drain_beside(&pipe) => match never {},
        }
    }
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
fn settle(sent: Result<(After, Fate), Broken>, xfer: XferGuard) -> Result<Option<XferGuard>, Over> {
    let (after, fate) = match sent {
        Ok(done) => done,
        Err(why) => {
            let over = broken(why);
            if let Over::Failed(cause, detail) = &over {
                xfer.end(Outcome::Failed, cause, detail);
            }
            return Err(over);
        }
    };
    match (after, fate.refusal()) {
        (After::Next, None) => Ok(Some(xfer)),
        (After::Close, None) => Err(Over::Said(Some(xfer))),
        (after, Some(spoilt)) => {
            let words = "the file changed while it was sent";
            xfer.end(Outcome::Failed, spoilt.label(), words);
            match after {
                After::Next => Ok(None),
                After::Close => Err(Over::Spoilt(spoilt.label())),
            }
        }
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

/// Reads and forgets what a one-request peer sends behind its request, so that
/// neither side waits for the other; never resolves.
async fn drain_beside(pipe: &Pipe) -> std::convert::Infallible {
    let mut scratch = Vec::new();
    let mut drained = 0;
    while drained < SURPLUS
        && let Ok(read @ 1..) = pipe.read_some(&mut scratch, READ).await
    {
        drained += read;
        scratch.clear();
    }
    std::future::pending().await
}

/// Runs what touches the disk on a blocking thread.
pub(super) async fn off_loop<T: Send + 'static>(
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
