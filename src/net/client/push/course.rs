//! What there is of an upload while it runs, try after try.
//!
//! The file, its transfer, our own values as they become known, and whether its end was
//! ever said. It knows blocks and values; it asks nobody anything and waits for nothing.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::entity::Root;
use crate::net::client::dial::Failure;
use crate::net::client::pull::Stop;
use crate::net::hub::XferGuard;
use crate::net::store::Source;
use crate::net::tree::{Growing, block_len, blocks};
use crate::net::wire::codec::{Span, Value};

/// What there is of an upload while it runs.
#[derive(Debug)]
pub(super) struct Course {
    pub(super) source: Arc<Source>,
    pub(super) xfer: Option<XferGuard>,
    /// Our own values, as far as they are known.
    pub(super) values: Arc<Mutex<Growing>>,
    pub(super) end: End,
}

/// Whether the server may have landed the file without our hearing of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    Unsaid,
    Said,
}

/// The values of blocks that were read again.
pub(super) type Rehashed = std::io::Result<Vec<(u64, Value)>>;

impl Course {
    pub(super) fn new(source: Source) -> Self {
        Self {
            values: Arc::new(Mutex::new(Growing::new(source.size))),
            source: Arc::new(source),
            xfer: None,
            end: End::Unsaid,
        }
    }

    pub(super) fn done(&self) -> u64 {
        self.xfer
            .as_ref()
            .map_or(0, |xfer| xfer.started().progress.done())
    }

    pub(super) fn learn(
        &self,
        hashed: Result<Rehashed, tokio::task::JoinError>,
    ) -> Result<(), Stop> {
        let local = |words: String| Stop::Failed(Failure::new("local", words));
        let hashed = hashed.map_err(|gone| local(gone.to_string()))?;
        let hashed = hashed.map_err(|error| local(format!("cannot be read: {error}")))?;
        let mut values = self.values();
        for (index, value) in hashed {
            values.set(index, value);
        }
        Ok(())
    }

    /// Our own values; held for a few instructions only.
    pub(super) fn values(&self) -> MutexGuard<'_, Growing> {
        self.values.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The root, once every value is known.
    pub(super) fn root(&self) -> Option<Root> {
        self.values().root()
    }
}

/// The numbers of the blocks in spans, ascending; a span past the end is no answer.
pub(super) fn blocks_of(spans: &[Span], size: u64) -> Result<Vec<u64>, Stop> {
    let count = blocks(size);
    let mut found = Vec::new();
    for span in spans {
        let end = span.first.saturating_add(span.count);
        let next = found.last().map_or(0, |last| last + 1);
        if span.first < next || end > count {
            return Err(Stop::Failed(Failure::unexpected()));
        }
        found.extend(span.first..end);
    }
    Ok(found)
}

pub(super) fn bytes(indices: &[u64], size: u64) -> u64 {
    let len = |index: &u64| block_len(size, *index);
    indices.iter().map(len).sum()
}
