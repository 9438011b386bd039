//! A file on its way out, as every line that carries it sees it.
//!
//! Bytes are read and hashed while those before them are sent, and while they are sent
//! the server is heard: one that has refused may read no more. It knows a line, the
//! file's blocks and who takes which; what the answers lead to it must never know.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::time::{Instant, timeout, timeout_at};

use super::lots::Lots;
use super::reader::{Chunk, Reader};
use crate::entity::{RemotePath, Root};
use crate::net::client::dial::{Failure, broke};
use crate::net::client::limit::Limits;
use crate::net::client::pull::{Meter, Stop};
use crate::net::client::tap::{Busy, Tap};
use crate::net::store::Source;
use crate::net::tree::{BLOCK, Growing, block_len};
use crate::net::wire::codec::{Answer, Check, Refusal, Value};

/// What every line of one file shares.
#[derive(Debug)]
pub(super) struct Freight {
    pub(super) path: RemotePath,
    pub(super) source: Arc<Source>,
    pub(super) check: Check,
    pub(super) limits: Limits,
    pub(super) meter: Meter,
    /// What nobody has taken yet.
    pub(super) lots: Mutex<Lots>,
    /// Our own values, as far as they are known.
    pub(super) values: Arc<Mutex<Growing>>,
}

impl Freight {
    /// What is still to be taken; held for a few instructions only.
    pub(super) fn lots(&self) -> MutexGuard<'_, Lots> {
        self.lots.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn learn(&self, index: u64, value: Value) {
        let values = self.values.lock();
        values
            .unwrap_or_else(PoisonError::into_inner)
            .set(index, value);
    }

    /// Sends what the hand takes until there is no more; a refusal in the middle comes back.
    pub(super) async fn send(
        &self,
        tap: &mut Tap,
        hand: &mut Hand<'_>,
    ) -> Result<Option<Refusal>, Stop> {
        let mut reader = Reader::new(&self.source, self.check);
        let mut part = Part {
            freight: self,
            bytes: 0,
        };
        let mut head = Vec::new();
        loop {
            // One is sent, one is read ahead.
            while reader.queued() < 2
                && let Some(index) = hand.next()
            {
                reader.push(index);
            }
            let Some(chunk) = reader.next().await? else {
                break;
            };
            let Chunk {
                index,
                first,
                bytes,
                value,
                last,
            } = chunk;
            if first {
                let len = block_len(self.source.size, index);
                tap.codec().block(index * BLOCK, len, &mut head);
            }
            let refused = self.write(tap, &head, None).await?;
            head.clear();
            if refused.is_some() {
                return Ok(refused);
            }
            if let Some(refusal) = self.write(tap, &bytes, Some(&mut part)).await? {
                return Ok(Some(refusal));
            }
            reader.give(bytes);
            if last {
                tap.codec().seal(value, &mut head);
                // From here on it counts as sent: were it lost, it is asked for again.
                part.bytes = 0;
                hand.sent();
                if let Some(value) = value {
                    self.learn(index, value);
                }
            }
        }
        self.write(tap, &head, None).await
    }

    /// Says that these were all.
    pub(super) async fn end(
        &self,
        tap: &mut Tap,
        end: Result<Option<Root>, Refusal>,
    ) -> Result<Option<Refusal>, Stop> {
        let mut out = Vec::new();
        tap.codec().close(end, &mut out);
        self.write(tap, &out, None).await
    }

    /// Writes, and hears meanwhile.
    async fn write(
        &self,
        tap: &mut Tap,
        mut bytes: &[u8],
        mut payload: Option<&mut Part<'_>>,
    ) -> Result<Option<Refusal>, Stop> {
        let pipe = Arc::clone(tap.pipe());
        let gap = tap.gap();
        let mut busy = Busy::default();
        // What is heard meanwhile moves nothing: only what leaves is a sign of life.
        let mut by = Instant::now() + gap;
        while !bytes.is_empty() {
            let room = match payload {
                Some(_) => self.limits.slice(bytes.len()),
                None => bytes.len(),
            };
            let write = timeout_at(by, pipe.write_some(&bytes[..room]));
            let sent = tokio::select! {
                biased;
                sent = write => sent,
                heard = tap.more() => {
                    heard?;
                    if let Some(refusal) = amid(tap, &mut busy)? {
                        return Ok(Some(refusal));
                    }
                    continue;
                }
            };
            let sent = sent.map_err(|_| unread())?.map_err(|error| broke(&error))?;
            bytes = &bytes[sent..];
            if let Some(part) = &mut payload {
                self.meter.add(sent as u64);
                part.bytes += sent as u64;
                self.limits.spend(sent as u64).await;
            }
            by = Instant::now() + gap;
        }
        timeout(gap, pipe.flush())
            .await
            .map_err(|_| unread())?
            .map_err(|error| broke(&error))?;
        Ok(None)
    }
}

/// Bytes of a block that is not sent whole; they are taken back if it comes to nothing.
struct Part<'f> {
    freight: &'f Freight,
    bytes: u64,
}

impl Drop for Part<'_> {
    fn drop(&mut self) {
        self.freight.meter.started.progress.take_back(self.bytes);
    }
}

/// What one line has taken; what of it was not sent goes back when it is dropped.
pub(super) struct Hand<'f> {
    freight: &'f Freight,
    /// Not begun yet.
    queue: VecDeque<u64>,
    /// Begun and not sent.
    begun: VecDeque<u64>,
    supply: Supply,
}

/// Whether a line takes more when it has sent what it had.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Supply {
    /// Block by block, as long as there are any.
    Lots,
    /// It has its own.
    None,
}

impl<'f> Hand<'f> {
    pub(super) fn new(
        freight: &'f Freight,
        blocks: impl IntoIterator<Item = u64>,
        supply: Supply,
    ) -> Self {
        Self {
            freight,
            queue: blocks.into_iter().collect(),
            begun: VecDeque::new(),
            supply,
        }
    }

    /// What has to come again.
    pub(super) fn refill(&mut self, blocks: Vec<u64>) {
        self.queue = blocks.into();
    }

    fn next(&mut self) -> Option<u64> {
        let more = || match self.supply {
            Supply::Lots => self.freight.lots().block(),
            Supply::None => None,
        };
        let index = self.queue.pop_front().or_else(more)?;
        self.begun.push_back(index);
        Some(index)
    }

    fn sent(&mut self) {
        self.begun.pop_front();
    }
}

impl Drop for Hand<'_> {
    fn drop(&mut self) {
        let left: Vec<u64> = self.begun.drain(..).chain(self.queue.drain(..)).collect();
        if !left.is_empty() {
            self.freight.lots().give_back(&left);
        }
    }
}

/// What the server says within a payload; only a refusal ends it.
pub(super) fn amid(tap: &mut Tap, busy: &mut Busy) -> Result<Option<Refusal>, Stop> {
    match tap.here()? {
        None => Ok(None),
        Some(Answer::Wait { done, .. }) => {
            busy.hear(done)?;
            Ok(None)
        }
        Some(Answer::Refused { refusal }) => Ok(Some(refusal)),
        Some(_) => Err(Stop::Failed(Failure::unexpected())),
    }
}

fn unread() -> Failure {
    Failure::new("timeout", "the server does not read")
}
