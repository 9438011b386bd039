//! A file's blocks, read ahead and hashed while the bytes before them are sent.
//!
//! One read is under way on a blocking thread at any time, in the order of the
//! blocks. It knows an open file and block numbers; no socket and no server.

use std::collections::VecDeque;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::sync::Arc;

use tokio::task::{JoinHandle, spawn_blocking};

use crate::net::client::dial::Failure;
use crate::net::store::Source;
use crate::net::tree::{BLOCK, BlockHasher, block_len};
use crate::net::wire::codec::{Check, Value};

/// Bytes read at once.
const CHUNK: usize = 512 << 10;

/// A piece of a block.
#[derive(Debug)]
pub(super) struct Chunk {
    /// Of which block.
    pub(super) index: u64,
    /// Whether it is the block's first.
    pub(super) first: bool,
    pub(super) bytes: Vec<u8>,
    /// The block's value, with its last piece, where it is hashed.
    pub(super) value: Option<Value>,
    /// Whether it is the block's last.
    pub(super) last: bool,
}

/// A read that is done: the hasher comes back with the bytes.
type Read = (Option<BlockHasher>, io::Result<Chunk>);

/// The reading end of one upload.
#[derive(Debug)]
pub(super) struct Reader {
    source: Arc<Source>,
    check: Check,
    left: VecDeque<u64>,
    /// How far the block in front has been read.
    at: u64,
    hasher: Option<BlockHasher>,
    ahead: Option<JoinHandle<Read>>,
    spare: Vec<u8>,
}

impl Reader {
    pub(super) fn new(source: &Arc<Source>, check: Check) -> Self {
        Self {
            source: Arc::clone(source),
            check,
            left: VecDeque::new(),
            at: 0,
            hasher: None,
            ahead: None,
            spare: Vec::new(),
        }
    }

    /// Another block, behind those that are queued.
    pub(super) fn push(&mut self, index: u64) {
        self.left.push_back(index);
    }

    /// Blocks that are not read to their end.
    pub(super) fn queued(&self) -> usize {
        self.left.len()
    }

    /// The next piece; `None` where nothing is queued.
    pub(super) async fn next(&mut self) -> Result<Option<Chunk>, Failure> {
        if self.ahead.is_none() {
            self.read_ahead();
        }
        let Some(reading) = self.ahead.take() else {
            return Ok(None);
        };
        let (hasher, chunk) = reading
            .await
            .map_err(|gone| Failure::new("local", gone.to_string()))?;
        self.hasher = hasher;
        let chunk = chunk.map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => super::changed(),
            _ => Failure::new("local", format!("cannot be read: {error}")),
        })?;
        if chunk.last {
            self.left.pop_front();
            self.at = 0;
            self.hasher = None;
        } else {
            self.at += chunk.bytes.len() as u64;
        }
        self.read_ahead();
        Ok(Some(chunk))
    }

    /// Takes a buffer back.
    pub(super) fn give(&mut self, mut buffer: Vec<u8>) {
        buffer.clear();
        self.spare = buffer;
    }

    fn read_ahead(&mut self) {
        let Some(index) = self.left.front().copied() else {
            return;
        };
        let (size, at) = (self.source.size, self.at);
        let left = block_len(size, index) - at;
        let want = usize::try_from(left).unwrap_or(CHUNK).min(CHUNK);
        let checked = self.check != Check::None;
        let mut hasher = match self.hasher.take() {
            None if checked => Some(BlockHasher::new(size, index)),
            begun => begun,
        };
        let source = Arc::clone(&self.source);
        let mut bytes = std::mem::take(&mut self.spare);
        self.ahead = Some(spawn_blocking(move || {
            bytes.resize(want, 0);
            let read = source.file.read_exact_at(&mut bytes, index * BLOCK + at);
            if let Some(hasher) = &mut hasher {
                hasher.update(&bytes);
            }
            let last = want as u64 == left;
            let chunk = Chunk {
                index,
                first: at == 0,
                value: hasher.as_ref().filter(|_| last).map(BlockHasher::value),
                bytes,
                last,
            };
            (hasher, read.map(|()| chunk))
        }));
    }
}

/// Reads blocks again for their values alone.
pub(super) fn rehash(source: &Source, blocks: &[u64]) -> io::Result<Vec<(u64, Value)>> {
    let mut buffer = vec![0; CHUNK];
    let mut values = Vec::new();
    for &index in blocks {
        let mut hasher = BlockHasher::new(source.size, index);
        let (mut at, len) = (0, block_len(source.size, index));
        while at < len {
            let want = usize::try_from(len - at).unwrap_or(CHUNK).min(CHUNK);
            let slot = &mut buffer[..want];
            source.file.read_exact_at(slot, index * BLOCK + at)?;
            hasher.update(slot);
            at += want as u64;
        }
        values.push((index, hasher.value()));
    }
    Ok(values)
}
