//! What every peer has left unfinished here, so that nobody litters without end.
//!
//! An upload that was cut keeps what it has brought, to go on from; of each peer only
//! the last [`MOST`] are kept, older ones go when it begins another. It also tells which
//! of a peer's uploads are under way, for those who bring shares of one. It knows paths and
//! marks; it must never know a socket or a dialect. It forgets with the program: parts
//! of an earlier run are nobody's, and stay until their file is sent again.

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::incoming::Order;
use super::joint::Joint;
use crate::entity::{Pin, RemotePath};
use crate::net::store::landing::Mark;

/// Unfinished uploads that are kept of one peer.
pub(super) const MOST: usize = 64;
/// Peers that are remembered; what more of them leave is nobody's.
const PEERS: usize = 1_024;

/// Whose upload it is: a key's, or an address's in the open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Whose {
    /// Whoever holds this key.
    Key(Pin),
    /// Whoever comes from there.
    Address(IpAddr),
}

/// An unfinished upload.
#[derive(Clone, Debug)]
pub(super) struct Left {
    pub path: RemotePath,
    pub mark: Mark,
    pub size: u64,
}

/// The unfinished uploads of every peer, the oldest first.
#[derive(Debug, Default)]
pub struct Tab {
    left: Mutex<HashMap<Whose, VecDeque<Left>>>,
    open: Arc<Uploads>,
}

/// The uploads under way that take shares; of one path there is one at most.
type Uploads = Mutex<HashMap<(Whose, RemotePath), Arc<Joint>>>;

/// An upload that takes shares until this is dropped.
#[derive(Debug)]
pub(super) struct Open {
    all: Arc<Uploads>,
    key: (Whose, RemotePath),
    joint: Arc<Joint>,
}

impl Drop for Open {
    fn drop(&mut self) {
        let mut all = lock(&self.all);
        // It may be another's by now: this one has landed, and was begun anew.
        if all
            .get(&self.key)
            .is_some_and(|joint| Arc::ptr_eq(joint, &self.joint))
        {
            all.remove(&self.key);
        }
        drop(all);
        self.joint.cut();
    }
}

impl Tab {
    /// Notes an upload that was cut.
    pub(super) fn note(&self, whose: Whose, left: Left) {
        let mut all = lock(&self.left);
        if all.len() >= PEERS && !all.contains_key(&whose) {
            return;
        }
        let his = all.entry(whose).or_default();
        his.retain(|other| other.path != left.path);
        his.push_back(left);
    }

    /// Strikes an upload that goes on now, whosever it was, and hands over what is too
    /// old to be kept of this peer.
    pub(super) fn settle(&self, whose: Whose, path: &RemotePath) -> Vec<Left> {
        let mut all = lock(&self.left);
        for left in all.values_mut() {
            left.retain(|left| left.path != *path);
        }
        let old = all.get_mut(&whose).map_or_else(Vec::new, |his| {
            // One place is for the one that begins.
            let most = (his.len() + 1).saturating_sub(MOST);
            his.drain(..most).collect()
        });
        all.retain(|_, left| !left.is_empty());
        old
    }

    /// Shares of this upload are taken from here on.
    pub(super) fn open(&self, whose: Whose, path: RemotePath, joint: &Arc<Joint>) -> Open {
        let key = (whose, path);
        lock(&self.open).insert(key.clone(), Arc::clone(joint));
        Open {
            all: Arc::clone(&self.open),
            key,
            joint: Arc::clone(joint),
        }
    }

    /// The upload that somebody wants to bring a share of, if it is under way.
    pub(super) fn find(&self, order: &Order) -> Option<Arc<Joint>> {
        let all = lock(&self.open);
        let joint = all.get(&(order.whose, order.path.clone()))?;
        joint.is_for(order).then(|| Arc::clone(joint))
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // No code panics while it holds the lock; were it to, the data is still whole.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
#[path = "tab_tests.rs"]
mod tests;
