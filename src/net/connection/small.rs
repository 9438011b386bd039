//! Many small answers in one turn: what several `Fetch` requests ask for, read and
//! hashed on one blocking thread and sent in one go.
//!
//! Stretches that are too long for that are only opened here and go the ordinary road
//! (`checked`). It knows the store's gate and the trees; it must never know a codec or
//! a socket, and it never holds more than [`BYTES`] of content.

use std::collections::VecDeque;
use std::ops::Range;
use std::os::unix::fs::FileExt as _;
use std::sync::Arc;

use tokio::sync::OwnedSemaphorePermit;

use super::forest::Forest;
use super::loan::Loan;
use super::tree::changed;
use crate::entity::{RemotePath, Root};
use crate::line::size_words;
use crate::net::store::{Denied, Fate, Source, Store};
use crate::net::tree::{BLOCK, BlockHasher};
use crate::net::wire::codec::{Check, Refusal, Value, Version};

/// The longest stretch that counts as small, in bytes.
const SMALL: u64 = 256 << 10;
/// Content of all stretches of a turn, in bytes.
const BYTES: usize = 1 << 20;
/// Stretches of a turn.
pub(super) const MOST: usize = 64;

/// A stretch of a file that a peer wants.
#[derive(Clone, Debug)]
pub(super) struct Want {
    pub path: RemotePath,
    pub offset: u64,
    pub until: Option<u64>,
    pub version: Option<Version>,
    pub check: Check,
}

/// A file that is open, and the stretch of it that was found right.
#[derive(Debug)]
pub(super) struct Open {
    pub want: Want,
    pub source: Source,
    /// The byte behind the last one.
    pub until: u64,
}

impl Open {
    /// Whether the stretch is the whole file.
    pub const fn is_whole(&self) -> bool {
        self.want.offset == 0 && self.until == self.source.size
    }

    /// Bytes of the stretch.
    pub const fn len(&self) -> u64 {
        self.until - self.want.offset
    }
}

/// What became of one request.
#[derive(Debug)]
pub(super) enum Turned {
    /// Its content lies there in the turn's buffer.
    Small {
        open: Open,
        content: Range<usize>,
        value: Option<Value>,
        root: Option<Root>,
    },
    /// No.
    Denied { path: RemotePath, denied: Denied },
    /// Too long for a turn: the turn ends with it.
    Large(Open),
}

/// One turn: as many requests as fit.
#[derive(Debug, Default)]
pub(super) struct Turn {
    pub turned: Vec<Turned>,
    /// The content of all of it, one behind the other; lent with the first of it.
    pub content: Option<Loan>,
    /// What has to wait for the next one.
    pub rest: VecDeque<Want>,
    /// To be held as long as the content is.
    pub room: Option<OwnedSemaphorePermit>,
}

/// Reads what is wanted, in order, until something is too long or the turn is full.
pub(super) fn turn(store: &Store, forest: &Forest, wants: VecDeque<Want>) -> Turn {
    let mut turn = Turn {
        rest: wants,
        room: forest.turn(),
        ..Turn::default()
    };
    let mut used = 0;
    let small = if turn.room.is_some() { SMALL } else { 0 };
    while let Some(want) = turn.rest.pop_front() {
        let path = want.path.clone();
        let open = match admit(store, want) {
            Ok(open) => open,
            Err(denied) => {
                turn.turned.push(Turned::Denied { path, denied });
                continue;
            }
        };
        if open.want.check == Check::Anew {
            forest.trees().forget(&open.source.version);
        }
        if open.len() > small {
            turn.turned.push(Turned::Large(open));
            break;
        }
        let content = turn.content.get_or_insert_with(|| forest.lend(BYTES));
        let len = usize::try_from(open.len()).unwrap_or(usize::MAX);
        match read(forest, open, &mut content[used..][..len], used) {
            Ok(small) => {
                turn.turned.push(small);
                used += len;
            }
            Err(denied) => turn.turned.push(Turned::Denied { path, denied }),
        }
        if used > BYTES - usize::try_from(SMALL).unwrap_or(BYTES) {
            break;
        }
    }
    turn
}

/// Opens a file and looks whether the stretch can be had of it.
fn admit(store: &Store, want: Want) -> Result<Open, Denied> {
    let source = store.read(&want.path)?;
    let bad = |detail: String| Denied {
        refusal: Refusal::BadOffset,
        cause: Refusal::BadOffset.label(),
        detail,
    };
    if want.version.as_ref().is_some_and(|v| *v != source.version) {
        return Err(changed());
    }
    let size = source.size;
    if want.offset > size {
        let detail = format!(
            "asked from byte {}, the file has {}",
            want.offset,
            size_words(size)
        );
        return Err(bad(detail));
    }
    let until = want.until.unwrap_or(size).min(size);
    if until < want.offset {
        return Err(bad("the stretch ends before it begins".to_owned()));
    }
    let whole = |at: u64| at == size || at.is_multiple_of(BLOCK);
    if !whole(want.offset) || !whole(until) {
        return Err(bad("the stretch is not one of whole blocks".to_owned()));
    }
    Ok(Open {
        want,
        source,
        until,
    })
}

/// Reads and hashes one short stretch, one block or none, into its place in the turn's
/// buffer, which begins at `from`.
fn read(forest: &Forest, open: Open, place: &mut [u8], from: usize) -> Result<Turned, Denied> {
    let source = &open.source;
    let done = source.file.read_exact_at(place, open.want.offset);
    let spoilt = match (done, source.fate()) {
        (Ok(()), Fate::Same | Fate::Grew) => None,
        (Err(error), Fate::Same) => Some(Denied {
            refusal: Refusal::Failed,
            cause: "disk",
            detail: error.to_string(),
        }),
        _ => Some(changed()),
    };
    if let Some(denied) = spoilt {
        return Err(denied);
    }
    let checked = open.want.check != Check::None;
    let value = (checked && !place.is_empty()).then(|| {
        let index = open.want.offset / BLOCK;
        let mut hasher = BlockHasher::new(source.size, index);
        hasher.update(place);
        let value = hasher.value();
        // A small file is hashed again faster than its tree is kept.
        if source.size > SMALL {
            forest.learn(source, index, value);
        }
        value
    });
    let root = match value {
        _ if !checked => None,
        Some(value) if source.size <= BLOCK => Some(Root(value)),
        None if source.size == 0 => crate::net::tree::merge(0, &[]),
        _ => forest.trees().root(&source.version),
    };
    Ok(Turned::Small {
        open,
        content: from..from + place.len(),
        value,
        root,
    })
}

/// The store and the forest of a server, for a blocking thread.
pub(super) fn take_turn(
    store: &Arc<Store>,
    forest: &Arc<Forest>,
    wants: VecDeque<Want>,
) -> impl FnOnce() -> Turn + Send + use<> {
    let (store, forest) = (Arc::clone(store), Arc::clone(forest));
    move || turn(&store, &forest, wants)
}
