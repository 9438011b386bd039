//! Sending stretches of files in blocks that carry their values.
//!
//! Values that are known go out beside blocks the pump sends as fast as it can; the
//! others are made of the very bytes that leave, and kept. Requests that came together
//! are answered together (`small`). It knows the codec's words, the forest and the pump;
//! it must never know a path of the disk or how a block is written.

use std::collections::VecDeque;
use std::sync::Arc;

use futures_util::FutureExt as _;
use tokio::task::spawn_blocking;

use super::leave::{broken, finish, lost};
use super::right::Right;
use super::small::{MOST, Open, Turned, Want, take_turn};
use super::tell::{tell_growth, tell_refusal, tell_request};
use super::{Heard, Over, Talk};
use crate::entity::{Direction, Outcome, Phase, Root};
use crate::net::hub::{ConnGuard, TransferOrder, XferGuard};
use crate::net::pump::Broken;
use crate::net::store::{Fate, Source};
use crate::net::tree::{BLOCK, BlockHasher, Growing};
use crate::net::wire::codec::{After, Check, Content, Reply, Request, ServerCodec, Upcoming};

/// Bytes read ahead for requests that may have come together.
const AHEAD: usize = 16 << 10;

impl Talk {
    /// Answers a `Fetch`, and those that came right behind it.
    pub(super) async fn fetch(
        &mut self,
        guard: &ConnGuard,
        codec: &mut dyn ServerCodec,
        first: Want,
    ) -> Result<After, Over> {
        let mut wants = VecDeque::from([first]);
        self.gather(guard, codec, &mut wants)?;
        while !wants.is_empty() {
            // Each turn anew: the one before it may have been a file of many gigabytes.
            if let Err(denied) = self.still_allows(Right::Read) {
                for want in wants {
                    self.refuse(guard, codec, want.path, denied.clone()).await?;
                }
                return Ok(After::Next);
            }
            guard.dials().set_phase(Phase::Sending);
            let work = take_turn(&self.context.store, &self.context.forest, wants);
            let turn = spawn_blocking(work)
                .await
                .map_err(|gone| Over::Failed("disk", gone.to_string()))?;
            wants = turn.rest;
            let bytes = turn.content.as_deref().unwrap_or_default();
            let large = self.send_turn(guard, codec, turn.turned, bytes).await?;
            drop((turn.content, turn.room));
            if let Some(open) = large {
                self.send_large(guard, codec, open).await?;
            }
        }
        Ok(After::Next)
    }

    /// Takes further `Fetch` requests off the input, as far as they are here already.
    /// What else is found waits for its own turn.
    fn gather(
        &mut self,
        guard: &ConnGuard,
        codec: &mut dyn ServerCodec,
        wants: &mut VecDeque<Want>,
    ) -> Result<(), Over> {
        let mut looked = false;
        while wants.len() < MOST {
            match codec.upcoming(&self.input) {
                Upcoming::Fetch => {}
                Upcoming::Unclear if !looked && self.input.len() < codec.head_limit() => {
                    looked = true;
                    // Whatever the kernel has is read once; nobody is waited for.
                    match self.pipe.read_some(&mut self.input, AHEAD).now_or_never() {
                        None | Some(Ok(0)) => break,
                        Some(Ok(read)) => guard.dials().add_in(read as u64),
                        Some(Err(error)) => return Err(lost(&error)),
                    }
                    continue;
                }
                _ => break,
            }
            match codec.decode(&self.input) {
                Ok(Some((used, request))) => {
                    self.input.drain(..used);
                    guard.dials().add_request();
                    tell_request(guard, &request);
                    wants.extend(Want::of(request));
                }
                Ok(None) => break,
                Err(malformed) => {
                    // Told when what came before it has been answered.
                    self.ahead = Some(malformed);
                    break;
                }
            }
        }
        Ok(())
    }

    /// Says a whole turn in one go; hands back the stretch that was too long for it.
    async fn send_turn(
        &mut self,
        guard: &ConnGuard,
        codec: &mut dyn ServerCodec,
        turned: Vec<Turned>,
        bytes: &[u8],
    ) -> Result<Option<Open>, Over> {
        let mut sent: Vec<(XferGuard, u64)> = Vec::with_capacity(turned.len());
        let mut places = Vec::with_capacity(turned.len());
        let mut large = None;
        for one in turned {
            match one {
                Turned::Small {
                    open,
                    content,
                    value,
                    root,
                } => {
                    let xfer = self.begin_stretch(guard, codec, &open);
                    self.say_stretch(codec, &open);
                    let head = &mut self.outlet.head;
                    if !content.is_empty() {
                        codec.next_run(open.want.offset, open.len(), head);
                        places.push((head.len(), content));
                        codec.seal(value, head);
                    }
                    codec.close(Ok(root), head);
                    sent.push((xfer, open.len()));
                }
                Turned::Denied { path, denied } => {
                    tell_refusal(guard, path, &denied);
                    codec.encode(&Reply::Refused(denied.refusal), &mut self.outlet.head);
                }
                Turned::Large(open) => large = Some(open),
            }
        }
        let flushed = self.outlet.flush_around(bytes, &places).await;
        self.last = None;
        match flushed {
            Ok(()) => {
                let done = sent.into_iter().map(|(xfer, len)| {
                    xfer.add(len);
                    xfer
                });
                self.await_the_peer(done.collect());
                Ok(large)
            }
            Err(why) => {
                let over = broken(why);
                if let Over::Failed(cause, detail) = &over {
                    for (xfer, _) in sent {
                        xfer.end(Outcome::Failed, cause, detail);
                    }
                }
                Err(over)
            }
        }
    }

    /// These are sent; whether the peer has them is told by what it does next. Those
    /// before them: its next request was here, and covers them.
    pub(super) fn await_the_peer(&mut self, xfers: Vec<XferGuard>) {
        if xfers.is_empty() {
            return;
        }
        for before in std::mem::replace(&mut self.pending, xfers) {
            finish(before, Heard::Close);
        }
    }

    fn begin_stretch(
        &mut self,
        guard: &ConnGuard,
        codec: &dyn ServerCodec,
        open: &Open,
    ) -> XferGuard {
        let xfer = guard.start(TransferOrder {
            job: None,
            dialect: codec.dialect(),
            direction: Direction::Out,
            proof: match open.want.check {
                Check::None => Outcome::CompleteLength,
                Check::Blocks | Check::Anew => Outcome::CompleteHash,
            },
            path: open.want.path.clone(),
            size: Some(open.source.size),
            offset: open.want.offset,
            range: (!open.is_whole()).then_some((open.want.offset, open.until)),
        });
        self.last = Some(Arc::clone(xfer.started()));
        xfer
    }

    fn say_stretch(&mut self, codec: &mut dyn ServerCodec, open: &Open) {
        let head = Reply::Stretch {
            content: Content {
                size: open.source.size,
                offset: open.want.offset,
                mtime: Some(open.source.mtime),
                version: Some(open.source.version.clone()),
            },
            until: open.until,
        };
        codec.encode(&head, &mut self.outlet.head);
    }

    /// Sends a stretch block by block.
    async fn send_large(
        &mut self,
        guard: &ConnGuard,
        codec: &mut dyn ServerCodec,
        open: Open,
    ) -> Result<(), Over> {
        guard.dials().set_phase(Phase::Sending);
        let xfer = self.begin_stretch(guard, codec, &open);
        let sent = self.send_blocks(codec, &open, &xfer).await;
        self.last = None;
        match sent {
            Ok(Fate::Same) => self.await_the_peer(vec![xfer]),
            Ok(Fate::Grew) => {
                tell_growth(guard, &xfer);
                self.await_the_peer(vec![xfer]);
            }
            Ok(fate @ (Fate::Changed | Fate::Lost)) => {
                let cause = fate.refusal().map_or("changed", |refusal| refusal.label());
                xfer.end(Outcome::Failed, cause, "the file changed while it was sent");
            }
            Err(why) => {
                let over = broken(why);
                if let Over::Failed(cause, detail) = &over {
                    xfer.end(Outcome::Failed, cause, detail);
                }
                return Err(over);
            }
        }
        Ok(())
    }

    async fn send_blocks(
        &mut self,
        codec: &mut dyn ServerCodec,
        open: &Open,
        xfer: &XferGuard,
    ) -> Result<Fate, Broken> {
        self.say_stretch(codec, open);
        let source = &open.source;
        let checked = open.want.check != Check::None;
        // Of a file that goes out as a whole the root is known at the end, cache or not.
        let mut own = (checked && open.is_whole()).then(|| Growing::new(source.size));
        let mut at = open.want.offset;
        while at < open.until {
            let index = at / BLOCK;
            let len = (open.until - at).min(BLOCK);
            let run = codec.next_run(at, len, &mut self.outlet.head);
            let value = if checked {
                Some(self.send_valued(source, index, run, xfer).await?)
            } else {
                self.outlet.run(&source.file, at, run, xfer).await?;
                None
            };
            codec.seal(value, &mut self.outlet.head);
            if let (Some(own), Some(value)) = (&mut own, value) {
                own.set(index, value);
            }
            at += run;
            if source.fate().refusal().is_some() {
                // What is left would be worth nothing.
                break;
            }
        }
        let fate = source.fate();
        let root = own.and_then(|own| own.root());
        let root = root.or_else(|| self.kept_root(source));
        let word = match fate.refusal() {
            None => Ok(root.filter(|_| checked)),
            Some(refusal) => Err(refusal),
        };
        codec.close(word, &mut self.outlet.head);
        self.outlet.flush().await?;
        Ok(fate)
    }

    /// Sends one block; its value is the one that is kept, or that of the bytes that left.
    async fn send_valued(
        &mut self,
        source: &Source,
        index: u64,
        len: u64,
        xfer: &XferGuard,
    ) -> Result<[u8; 32], Broken> {
        let at = index * BLOCK;
        if let Some(value) = self.context.forest.trees().value(&source.version, index) {
            self.outlet.run(&source.file, at, len, xfer).await?;
            return Ok(value);
        }
        let mut hasher = BlockHasher::new(source.size, index);
        self.outlet
            .run_hashed(&source.file, at, len, xfer, &mut hasher)
            .await?;
        let value = hasher.value();
        self.context.forest.learn(source, index, value);
        Ok(value)
    }

    fn kept_root(&self, source: &Source) -> Option<Root> {
        self.context.forest.trees().root(&source.version)
    }
}

impl Want {
    /// What a `Fetch` wants; nothing of any other request.
    pub(super) fn of(request: Request) -> Option<Self> {
        match request {
            Request::Fetch {
                path,
                offset,
                until,
                version,
                check,
            } => Some(Self {
                path,
                offset,
                until,
                version,
                check,
            }),
            _ => None,
        }
    }
}

#[cfg(test)]
#[path = "checked_tests.rs"]
mod tests;
