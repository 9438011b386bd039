//! What a server keeps of the trees it has computed, within a bound.
//!
//! Keyed by the content's version; partial trees are kept too, so that ranges of one
//! file over several connections fill one. The longest unused goes first. It may know
//! versions and values; it must never know a path or a peer, and it believes whoever
//! hashed the bytes: callers tell it only of sources that are settled.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use super::{Growing, blocks, merge};
use crate::entity::Root;
use crate::net::wire::codec::{Value, Version};

/// What a tree takes beside its values, in bytes, at the most: its version, its places
/// in the map and in the order, and the room a map keeps free.
const TREE_BYTES: usize = 512;
/// While a tree grows a value takes twice its length.
const VALUE_BYTES: usize = 2 * size_of::<Value>();

/// The trees of files that were read, by version: the last used ones, in so many bytes.
#[derive(Debug)]
pub struct Trees {
    bound: usize,
    shelf: Mutex<Shelf>,
}

#[derive(Debug, Default)]
struct Shelf {
    trees: HashMap<Arc<Version>, Kept>,
    /// From the longest unused to the last used.
    order: BTreeMap<u64, Arc<Version>>,
    clock: u64,
    weight: usize,
}

#[derive(Debug)]
struct Kept {
    used: u64,
    weight: usize,
    tree: Tree,
}

#[derive(Debug)]
enum Tree {
    Growing(Growing),
    Whole(Arc<Whole>),
}

/// A finished tree; its root is made when it is first asked for, outside the lock.
#[derive(Debug)]
struct Whole {
    size: u64,
    values: Arc<[Value]>,
    root: OnceLock<Option<Root>>,
}

impl Trees {
    /// Keeps at most so many bytes, all told; a tree that would not fit alone is not kept.
    pub fn new(bytes: usize) -> Self {
        Self {
            bound: bytes,
            shelf: Mutex::default(),
        }
    }

    /// Every value of a content whose tree is whole.
    pub fn values(&self, version: &Version) -> Option<Arc<[Value]>> {
        Some(Arc::clone(&self.finished(version)?.values))
    }

    /// The value of one block, also while the tree grows.
    pub fn value(&self, version: &Version, index: u64) -> Option<Value> {
        self.shelf().touch(version)?.tree.value(index)
    }

    /// The root of a content whose tree is whole.
    pub fn root(&self, version: &Version) -> Option<Root> {
        let whole = self.finished(version)?;
        // Some milliseconds for a large file: not under the lock.
        *whole.root.get_or_init(|| merge(whole.size, &whole.values))
    }

    /// Keeps the value of one block of a content of `size` bytes.
    ///
    /// Another size than the kept one, and a block behind the end, are ignored. Another
    /// value than the kept one means that the version did not tell two contents apart:
    /// what was kept goes, and the tree begins anew with this one.
    pub fn learn(&self, version: &Version, size: u64, index: u64, value: Value) {
        if index < blocks(size) && self.fits(size) {
            self.change(|shelf| shelf.learn(version, size, index, value));
        }
    }

    /// Keeps a finished tree, in place of what was kept of the same size; ignored if the
    /// number of values is not the size's.
    pub fn whole(&self, version: &Version, size: u64, values: Arc<[Value]>) {
        if values.len() as u64 == blocks(size) && self.fits(size) {
            let tree = Tree::Whole(Arc::new(Whole::new(size, values)));
            self.change(|shelf| shelf.finish(version, tree));
        }
    }

    /// Drops what is kept of a content.
    pub fn forget(&self, version: &Version) {
        let gone = self.shelf().take(version);
        drop(gone);
    }

    /// Bytes kept, counted as the bound counts them: never more than the bound.
    pub fn weight(&self) -> usize {
        self.shelf().weight
    }

    /// Changes the shelf and brings it back within the bound, under one lock.
    fn change(&self, work: impl FnOnce(&mut Shelf)) {
        let mut held = self.shelf();
        work(&mut held);
        let gone = held.shrink(self.bound);
        // Given back to the allocator outside the lock.
        drop(held);
        drop(gone);
    }

    fn finished(&self, version: &Version) -> Option<Arc<Whole>> {
        match &self.shelf().touch(version)?.tree {
            Tree::Growing(_) => None,
            Tree::Whole(whole) => Some(Arc::clone(whole)),
        }
    }

    /// Whether a tree of this size could ever be kept as a whole: no room is made for
    /// one that could not.
    fn fits(&self, size: u64) -> bool {
        usize::try_from(blocks(size)).is_ok_and(|blocks| {
            let due = blocks.saturating_mul(VALUE_BYTES);
            due.saturating_add(TREE_BYTES) <= self.bound
        })
    }

    fn shelf(&self) -> MutexGuard<'_, Shelf> {
        // A thread that panicked elsewhere with it held left it usable: every change of
        // the shelf is made of steps that leave it whole.
        self.shelf.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shelf {
    /// Finds a tree and makes it the last used one.
    fn touch(&mut self, version: &Version) -> Option<&mut Kept> {
        let kept = self.trees.get_mut(version)?;
        if let Some(key) = self.order.remove(&kept.used) {
            self.clock += 1;
            kept.used = self.clock;
            self.order.insert(self.clock, key);
        }
        Some(kept)
    }

    fn learn(&mut self, version: &Version, size: u64, index: u64, value: Value) {
        let Some(kept) = self.touch(version) else {
            self.put(version, Tree::begun(size, index, value));
            return;
        };
        if kept.tree.size() != size {
            return;
        }
        match kept.tree.value(index) {
            Some(known) if known == value => return,
            Some(_) => kept.tree = Tree::begun(size, index, value),
            None => kept.tree.set(index, value),
        }
        let after = kept.tree.weight();
        let before = std::mem::replace(&mut kept.weight, after);
        self.weight = self.weight - before + after;
    }

    fn finish(&mut self, version: &Version, tree: Tree) {
        let kept = self.trees.get(version).map(|kept| kept.tree.size());
        if kept.is_none_or(|kept| kept == tree.size()) {
            self.take(version);
            self.put(version, tree);
        }
    }

    /// Keeps the tree of a version that has none.
    fn put(&mut self, version: &Version, tree: Tree) {
        let key = Arc::new(version.clone());
        self.clock += 1;
        let kept = Kept {
            used: self.clock,
            weight: tree.weight(),
            tree,
        };
        self.weight += kept.weight;
        self.order.insert(self.clock, Arc::clone(&key));
        self.trees.insert(key, kept);
    }

    fn take(&mut self, version: &Version) -> Option<Kept> {
        let kept = self.trees.remove(version)?;
        self.order.remove(&kept.used);
        self.weight -= kept.weight;
        Some(kept)
    }

    /// Takes the longest unused ones until the rest is within the bound.
    fn shrink(&mut self, bound: usize) -> Vec<Kept> {
        let mut gone = Vec::new();
        while self.weight > bound {
            let Some(oldest) = self.order.values().next().map(Arc::clone) else {
                break;
            };
            gone.extend(self.take(&oldest));
        }
        gone
    }
}

impl Tree {
    /// A tree of which one value is known.
    fn begun(size: u64, index: u64, value: Value) -> Self {
        let mut tree = Self::Growing(Growing::new(size));
        tree.set(index, value);
        tree
    }

    fn size(&self) -> u64 {
        match self {
            Self::Growing(growing) => growing.size(),
            Self::Whole(whole) => whole.size,
        }
    }

    fn value(&self, index: u64) -> Option<Value> {
        match self {
            Self::Growing(growing) => growing.get(index),
            Self::Whole(whole) => whole.values.get(usize::try_from(index).ok()?).copied(),
        }
    }

    /// Adds a value that is not known; the last one makes the tree whole.
    fn set(&mut self, index: u64, value: Value) {
        let Self::Growing(growing) = self else {
            return;
        };
        growing.set(index, value);
        if let Some(values) = growing.values() {
            *self = Self::Whole(Arc::new(Whole::new(growing.size(), values.into())));
        }
    }

    fn weight(&self) -> usize {
        TREE_BYTES
            + match self {
                Self::Growing(growing) => growing.weight(),
                Self::Whole(whole) => size_of_val(&*whole.values),
            }
    }
}

impl Whole {
    fn new(size: u64, values: Arc<[Value]>) -> Self {
        Self {
            size,
            values,
            root: OnceLock::new(),
        }
    }
}

#[cfg(test)]
#[path = "kept_tests.rs"]
mod tests;
