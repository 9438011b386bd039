//! What is kept, what goes first, and that the bound holds.
#![expect(clippy::unwrap_used, reason = "a test's scene")]

use std::thread;

use proptest::prelude::*;

use super::super::{BLOCK, hash_small};
use super::*;

fn mark(number: u64) -> Version {
    Version::new(&number.to_le_bytes()).unwrap()
}

fn value(index: u64) -> Value {
    let mut value = [9; 32];
    value[..8].copy_from_slice(&index.to_le_bytes());
    value
}

fn values(count: u64) -> Arc<[Value]> {
    (0..count).map(value).collect()
}

#[test]
fn only_a_whole_tree_has_values_and_a_root() {
    let trees = Trees::new(1 << 20);
    let (one, size) = (mark(1), 3 * BLOCK);
    assert_eq!((trees.root(&one), trees.value(&one, 0)), (None, None));
    for index in [2, 0] {
        trees.learn(&one, size, index, value(index));
        assert_eq!(trees.value(&one, index), Some(value(index)));
        assert!(trees.values(&one).is_none() && trees.root(&one).is_none());
    }
    assert_eq!(trees.value(&one, 1), None);
    trees.learn(&one, size, 1, value(1));
    assert_eq!(trees.values(&one).unwrap(), values(3));
    assert_eq!(trees.root(&one), merge(size, &values(3)));
    assert!(trees.root(&one).is_some());
    assert_eq!(trees.value(&one, 2), Some(value(2)));
    assert_eq!(
        (trees.value(&one, 3), trees.value(&one, u64::MAX)),
        (None, None)
    );
    trees.forget(&one);
    assert!(trees.values(&one).is_none());
    assert_eq!((trees.value(&one, 0), trees.weight()), (None, 0));
}

#[test]
fn a_finished_tree_can_be_put_in() {
    let trees = Trees::new(1 << 20);
    trees.whole(&mark(1), 5 * BLOCK - 3, values(5));
    assert_eq!(trees.root(&mark(1)), merge(5 * BLOCK - 3, &values(5)));
    trees.whole(&mark(2), 0, values(0));
    assert_eq!(trees.root(&mark(2)), Some(hash_small(b"")));
    // Neither too few nor too many are a tree.
    trees.whole(&mark(3), 5 * BLOCK, values(4));
    trees.whole(&mark(3), 5 * BLOCK, values(6));
    assert!(trees.values(&mark(3)).is_none());
    // It ends what was growing, and another size ends nothing.
    trees.learn(&mark(4), 2 * BLOCK, 1, [1; 32]);
    trees.whole(&mark(4), 3 * BLOCK, values(3));
    assert!(trees.values(&mark(4)).is_none());
    trees.whole(&mark(4), 2 * BLOCK, values(2));
    assert_eq!(trees.values(&mark(4)).unwrap(), values(2));
}

#[test]
fn another_size_and_a_block_behind_the_end_are_ignored() {
    let trees = Trees::new(1 << 20);
    let one = mark(1);
    trees.learn(&one, 2 * BLOCK, 0, value(0));
    trees.learn(&one, 2 * BLOCK, 2, value(2));
    trees.learn(&one, 2 * BLOCK + 1, 1, value(1));
    trees.learn(&one, BLOCK, 0, [1; 32]);
    assert_eq!(trees.value(&one, 0), Some(value(0)));
    assert_eq!((trees.value(&one, 1), trees.value(&one, 2)), (None, None));
    trees.learn(&one, 2 * BLOCK, 1, value(1));
    trees.learn(&one, 9 * BLOCK, 1, [1; 32]);
    assert_eq!(trees.values(&one).unwrap(), values(2));
    trees.learn(&mark(2), 0, 0, [1; 32]);
    assert_eq!(trees.value(&mark(2), 0), None);
}

/// Two honest hashings that differ: the mark did not tell two contents apart.
#[test]
fn a_contradiction_drops_what_was_kept() {
    let trees = Trees::new(1 << 20);
    let one = mark(1);
    trees.whole(&one, 3 * BLOCK, values(3));
    trees.learn(&one, 3 * BLOCK, 1, value(1));
    assert!(
        trees.values(&one).is_some(),
        "the same again is no contradiction"
    );
    trees.learn(&one, 3 * BLOCK, 1, [1; 32]);
    assert!(trees.values(&one).is_none() && trees.root(&one).is_none());
    assert_eq!(trees.value(&one, 1), Some([1; 32]));
    assert_eq!((trees.value(&one, 0), trees.value(&one, 2)), (None, None));
    trees.learn(&one, 3 * BLOCK, 0, value(0));
    trees.learn(&one, 3 * BLOCK, 0, [2; 32]);
    assert_eq!(trees.value(&one, 0), Some([2; 32]));
    assert_eq!(trees.value(&one, 1), None);
}

#[test]
fn the_longest_unused_goes_first() {
    let each = TREE_BYTES + 10 * 32;
    let trees = Trees::new(3 * each + 100);
    for number in 0..3 {
        trees.whole(&mark(number), 10 * BLOCK, values(10));
    }
    assert_eq!(trees.weight(), 3 * each);
    // Each of the three ways to read is a use.
    assert!(trees.values(&mark(0)).is_some());
    trees.whole(&mark(3), 10 * BLOCK, values(10));
    assert!(trees.values(&mark(1)).is_none(), "1 was the longest unused");
    assert!(trees.root(&mark(2)).is_some());
    trees.whole(&mark(4), 10 * BLOCK, values(10));
    assert!(trees.values(&mark(0)).is_none(), "then 0");
    assert!(trees.value(&mark(3), 7).is_some());
    trees.whole(&mark(5), 10 * BLOCK, values(10));
    assert!(trees.values(&mark(2)).is_none(), "then 2");
    for number in 3..6 {
        assert!(trees.values(&mark(number)).is_some(), "{number}");
    }
}

#[test]
fn a_tree_that_can_never_fit_drives_nothing_out() {
    let trees = Trees::new(8 << 10);
    trees.whole(&mark(1), 20 * BLOCK, values(20));
    trees.learn(&mark(2), u64::MAX, 0, value(0));
    trees.learn(&mark(3), 5000 * BLOCK, 0, value(0));
    trees.whole(&mark(4), 5000 * BLOCK, values(5000));
    for number in 2..5 {
        assert_eq!(trees.value(&mark(number), 0), None);
    }
    assert!(trees.values(&mark(1)).is_some());
    let none = Trees::new(0);
    none.learn(&mark(1), BLOCK, 0, value(0));
    none.whole(&mark(1), 0, values(0));
    assert_eq!((none.root(&mark(1)), none.weight()), (None, 0));
}

#[test]
fn a_flood_of_versions_stays_within_the_bound() {
    let bound = 256 << 10;
    let trees = Trees::new(bound);
    for number in 0..20_000_u64 {
        let size = (1 + number % 90) * BLOCK;
        trees.learn(&mark(number), size, number % 90, value(0));
        trees.learn(&mark(number / 2), size, number % 7, value(1));
        if number % 5 == 0 {
            trees.whole(&mark(number), size, values(1 + number % 90));
        }
        assert!(trees.weight() <= bound);
    }
    let shelf = trees.shelf();
    assert!(shelf.trees.len() <= bound / TREE_BYTES);
    assert_eq!(shelf.trees.len(), shelf.order.len());
    // A map gives nothing back: it must never have been large.
    assert!(shelf.trees.capacity() < 2048, "{}", shelf.trees.capacity());
    let counted: usize = shelf.trees.values().map(|kept| kept.tree.weight()).sum();
    assert_eq!(counted, shelf.weight);
}

#[derive(Clone, Debug)]
enum Step {
    Learn(u64, u64, u64, u8),
    Whole(u64, u64),
    Read(u64),
    Forget(u64),
}

fn step() -> impl Strategy<Value = Step> {
    let (mark, blocks) = (0_u64..6, 1_u64..9);
    prop_oneof![
        5 => (mark.clone(), blocks.clone(), 0_u64..9, 0_u8..2)
            .prop_map(|(mark, blocks, index, turn)| Step::Learn(mark, blocks, index, turn)),
        1 => (mark.clone(), blocks).prop_map(|(mark, blocks)| Step::Whole(mark, blocks)),
        1 => mark.clone().prop_map(Step::Read),
        1 => mark.prop_map(Step::Forget),
    ]
}

proptest! {
    /// Whatever happens in whatever order, the books are right.
    #[test]
    fn the_books_are_right(bound in 0_usize..6000, steps in prop::collection::vec(step(), 0..80)) {
        let trees = Trees::new(bound);
        for step in steps {
            match step {
                Step::Learn(number, blocks, index, turn) => {
                    trees.learn(&mark(number), blocks * BLOCK, index, [turn; 32]);
                }
                Step::Whole(number, blocks) => {
                    trees.whole(&mark(number), blocks * BLOCK, values(blocks));
                }
                Step::Read(number) => {
                    let root = trees.root(&mark(number));
                    prop_assert_eq!(root.is_some(), trees.values(&mark(number)).is_some());
                }
                Step::Forget(number) => {
                    trees.forget(&mark(number));
                    prop_assert!(trees.value(&mark(number), 0).is_none());
                }
            }
            let shelf = trees.shelf();
            prop_assert!(shelf.weight <= bound);
            let counted: usize = shelf.trees.values().map(|kept| kept.tree.weight()).sum();
            prop_assert_eq!(counted, shelf.weight);
            prop_assert_eq!(shelf.trees.len(), shelf.order.len());
            for (used, key) in &shelf.order {
                prop_assert_eq!(shelf.trees[key].used, *used);
            }
        }
    }
}

/// Four ranges of one file fill one tree while others come and go.
#[test]
fn parallel_ranges_fill_one_tree() {
    let trees = Trees::new(1 << 20);
    let blocks = 4000;
    let size = blocks * BLOCK;
    thread::scope(|scope| {
        for range in 0..4 {
            let trees = &trees;
            scope.spawn(move || {
                for index in range * 1000..(range + 1) * 1000 {
                    trees.learn(&mark(0), size, index, value(index));
                    trees.learn(&mark(1 + index), BLOCK, 0, value(index));
                    if index % 10 == 0 {
                        trees.forget(&mark(1 + index));
                    }
                }
            });
        }
    });
    assert_eq!(trees.values(&mark(0)).unwrap(), values(blocks));
    assert_eq!(trees.root(&mark(0)), merge(size, &values(blocks)));
    assert!(trees.weight() <= 1 << 20);
}

/// A thread that panicked with the lock held ends nothing for the others.
#[test]
fn a_poisoned_lock_is_no_obstacle() {
    let trees = Trees::new(1 << 20);
    trees.whole(&mark(1), BLOCK, values(1));
    thread::scope(|scope| {
        let held = scope.spawn(|| {
            let _shelf = trees.shelf.lock().unwrap();
            std::panic::resume_unwind(Box::new(()));
        });
        assert!(held.join().is_err());
    });
    assert!(trees.shelf.is_poisoned());
    assert_eq!(trees.root(&mark(1)), Some(Root(value(0))));
    trees.learn(&mark(2), BLOCK, 0, value(7));
    assert_eq!(trees.root(&mark(2)), Some(Root(value(7))));
}
