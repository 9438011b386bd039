//! The note beside an unfinished part: whose it is, and which blocks are done.
//!
//! A header that names the content, then one record a block, appended as blocks come.
//! What is torn, foreign or garbage is ignored record by record, and what it claims is
//! hashed again by the caller before it is trusted: a lie costs time, never content.
//! It must never know what a block holds, nor where its bytes come from.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileExt as _;

use super::ground;
use crate::net::store::BLOCK;
use crate::net::wire::codec::Value;

/// `"ferrydk"` and the form's number.
const MAGIC: [u8; 8] = *b"ferrydk\x01";
/// Bytes of the header: magic, size, block size, the mark's length and bytes, BLAKE3 of all that.
const HEADER: usize = 8 + 8 + 8 + 8 + Mark::MAX + 32;
/// Bytes of a record: block, flag, check, value.
const RECORD: usize = 40;
/// Records looked at for each block there is: done, undone and done again.
const PER_BLOCK: u64 = 4;

const DONE: u8 = 1;
const UNDONE: u8 = 2;

/// Which content an unfinished part belongs to: opaque, at most 256 bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mark(Box<[u8]>);

impl Mark {
    /// Bytes at the most.
    pub const MAX: usize = 256;

    /// Takes a mark; `None` when it is longer than [`Self::MAX`].
    pub fn new(bytes: &[u8]) -> Option<Self> {
        (bytes.len() <= Self::MAX).then(|| Self(bytes.into()))
    }
}

/// What a state file says.
#[derive(Debug)]
pub(super) enum Said {
    /// Nothing of use.
    Nothing,
    /// Blocks of this content.
    Ours(State),
    /// Blocks of another content.
    Others,
}

/// A state being kept. One writer at a time: the part's lock sees to that.
#[derive(Debug)]
pub(super) struct State {
    file: File,
    /// The header's hash: records of another header do not pass.
    seal: [u8; 32],
    /// Where the next record goes.
    at: u64,
    blocks: u64,
    done: BTreeMap<u64, Value>,
}

impl State {
    /// Whether this is what stands under a name.
    pub(super) fn is_at(&self, dir: &OwnedFd, name: &str) -> bool {
        rustix::fs::fstat(&self.file).is_ok_and(|stat| ground::names(dir, name, &stat))
    }

    /// Reads what a state file says of this content.
    pub(super) fn read(file: File, mark: &Mark, size: u64) -> io::Result<Said> {
        let mut found = [0; HEADER];
        match file.read_exact_at(&mut found, 0) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(Said::Nothing),
            Err(error) => return Err(error),
        }
        let Some(theirs) = size_of(&found) else {
            return Ok(Said::Nothing);
        };
        let is_ours = found == header(mark, size);
        let mut state = Self::of(file, &found, if is_ours { size } else { theirs });
        state.load()?;
        Ok(if state.done.is_empty() {
            Said::Nothing
        } else if is_ours {
            Said::Ours(state)
        } else {
            Said::Others
        })
    }

    /// Begins anew in a state file, whatever it held.
    pub(super) fn begin(file: File, mark: &Mark, size: u64) -> io::Result<Self> {
        file.set_len(0)?;
        let header = header(mark, size);
        file.write_all_at(&header, 0)?;
        Ok(Self::of(file, &header, size))
    }

    fn of(file: File, header: &[u8; HEADER], size: u64) -> Self {
        let mut seal = [0; 32];
        seal.copy_from_slice(&header[HEADER - 32..]);
        Self {
            file,
            seal,
            at: HEADER as u64,
            blocks: size.div_ceil(BLOCK),
            done: BTreeMap::new(),
        }
    }

    fn load(&mut self) -> io::Result<()> {
        let most = self.blocks.saturating_mul(PER_BLOCK).saturating_add(1_024);
        let mut buffer = vec![0; RECORD * 1_024];
        for _ in 0..most.div_ceil(1_024) {
            let got = fill(&self.file, &mut buffer, self.at)?;
            let (records, _torn) = buffer[..got].as_chunks::<RECORD>();
            for record in records {
                self.take(record);
            }
            self.at += (records.len() * RECORD) as u64;
            if got < buffer.len() {
                break;
            }
        }
        Ok(())
    }

    fn take(&mut self, record: &[u8; RECORD]) {
        let index = u64::from(u32::from_le_bytes([
            record[0], record[1], record[2], record[3],
        ]));
        let mut value = [0; 32];
        value.copy_from_slice(&record[8..]);
        if index >= self.blocks || self.record(index, record[4], &value) != Some(*record) {
            return;
        }
        if record[4] == DONE {
            self.done.insert(index, value);
        } else {
            self.done.remove(&index);
        }
    }

    /// A record's bytes; `None` for a block beyond 2³² (16 PiB), which is not kept.
    fn record(&self, index: u64, flag: u8, value: &Value) -> Option<[u8; RECORD]> {
        if !matches!(flag, DONE | UNDONE) {
            return None;
        }
        let mut record = [0; RECORD];
        record[..4].copy_from_slice(&u32::try_from(index).ok()?.to_le_bytes());
        record[4] = flag;
        record[8..].copy_from_slice(value);
        let mut hasher = blake3::Hasher::new_keyed(&self.seal);
        hasher.update(&record);
        record[5..8].copy_from_slice(&hasher.finalize().as_bytes()[..3]);
        Some(record)
    }

    fn write(&mut self, index: u64, flag: u8, value: &Value) -> io::Result<()> {
        if index >= self.blocks {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "no block of this file",
            ));
        }
        if let Some(record) = self.record(index, flag, value) {
            // At a place of its own: one that was torn by a full disk is written over.
            self.file.write_all_at(&record, self.at)?;
            self.at += RECORD as u64;
        }
        Ok(())
    }

    /// Notes a block as done.
    pub(super) fn done(&mut self, index: u64, value: Value) -> io::Result<()> {
        self.write(index, DONE, &value)?;
        self.done.insert(index, value);
        Ok(())
    }

    /// Takes that back.
    pub(super) fn undo(&mut self, index: u64) -> io::Result<()> {
        self.write(index, UNDONE, &[0; 32])?;
        self.done.remove(&index);
        Ok(())
    }

    /// The blocks noted as done, in order.
    pub(super) const fn blocks(&self) -> &BTreeMap<u64, Value> {
        &self.done
    }
}

/// The size a header tells, if it is whole.
fn size_of(header: &[u8; HEADER]) -> Option<u64> {
    let (body, seal) = header.split_last_chunk::<32>()?;
    let whole = header.starts_with(&MAGIC) && blake3::hash(body).as_bytes() == seal;
    let (size, _) = header[8..].split_first_chunk()?;
    whole.then(|| u64::from_le_bytes(*size))
}

fn header(mark: &Mark, size: u64) -> [u8; HEADER] {
    let mut header = [0; HEADER];
    header[..8].copy_from_slice(&MAGIC);
    header[8..16].copy_from_slice(&size.to_le_bytes());
    header[16..24].copy_from_slice(&BLOCK.to_le_bytes());
    header[24..32].copy_from_slice(&(mark.0.len() as u64).to_le_bytes());
    header[32..32 + mark.0.len()].copy_from_slice(&mark.0);
    let seal = blake3::hash(&header[..HEADER - 32]);
    header[HEADER - 32..].copy_from_slice(seal.as_bytes());
    header
}

/// Reads until the buffer is full or the file over.
fn fill(file: &File, buffer: &mut [u8], at: u64) -> io::Result<usize> {
    let mut got = 0;
    while got < buffer.len() {
        match file.read_at(&mut buffer[got..], at + got as u64) {
            Ok(0) => break,
            Ok(more) => got += more,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(got)
}

#[cfg(test)]
#[path = "state_tests.rs"]
mod tests;
