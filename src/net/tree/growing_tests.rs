//! Values in any order, held against a plain map.
#![expect(clippy::unwrap_used, reason = "a test's scene")]

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::super::{BLOCK, hash_small};
use super::*;

fn value(index: u64, turn: u8) -> Value {
    let mut value = [turn; 32];
    value[..8].copy_from_slice(&index.to_le_bytes());
    value
}

fn span(first: u64, count: u64) -> Span {
    Span { first, count }
}

#[derive(Clone, Debug)]
enum Step {
    Set(u64, u8),
    Clear(u64),
}

fn steps(blocks: u64) -> impl Strategy<Value = Vec<Step>> {
    let index = 0..blocks + 2;
    let step = prop_oneof![
        4 => (index.clone(), any::<u8>()).prop_map(|(index, turn)| Step::Set(index, turn)),
        1 => index.prop_map(Step::Clear),
    ];
    prop::collection::vec(step, 0..120)
}

/// The spans that are not in the map, the slow way.
fn gaps(known: &BTreeMap<u64, Value>, blocks: u64) -> Vec<Span> {
    let mut gaps: Vec<Span> = Vec::new();
    for index in (0..blocks).filter(|index| !known.contains_key(index)) {
        match gaps.last_mut() {
            Some(gap) if gap.first + gap.count == index => gap.count += 1,
            _ => gaps.push(span(index, 1)),
        }
    }
    gaps
}

proptest! {
    #[test]
    fn it_knows_what_a_map_knows(
        (blocks, steps) in (0_u64..24).prop_flat_map(|blocks| (Just(blocks), steps(blocks))),
    ) {
        let size = (blocks * BLOCK).saturating_sub(5);
        let mut growing = Growing::new(size);
        let mut known = BTreeMap::new();
        for step in steps {
            match step {
                Step::Set(index, turn) => {
                    growing.set(index, value(index, turn));
                    if index < blocks {
                        known.insert(index, value(index, turn));
                    }
                }
                Step::Clear(index) => {
                    growing.clear(index);
                    known.remove(&index);
                }
            }
            prop_assert_eq!(growing.known(), known.len() as u64);
            prop_assert_eq!(growing.missing(), gaps(&known, blocks));
            for index in 0..blocks + 2 {
                prop_assert_eq!(growing.get(index), known.get(&index).copied());
            }
            let all: Vec<Value> = known.values().copied().collect();
            let whole = known.len() as u64 == blocks;
            prop_assert_eq!(growing.is_whole(), whole);
            prop_assert_eq!(growing.values(), whole.then_some(&all[..]));
            prop_assert_eq!(growing.root(), if whole { merge(size, &all) } else { None });
            prop_assert!(growing.weight() >= known.len() * 32);
        }
    }
}

#[test]
fn ranges_that_come_side_by_side_end_as_one() {
    let blocks = 40_000;
    let mut growing = Growing::new(blocks * BLOCK);
    // Four streams, the third one backwards.
    for step in 0..10_000 {
        for (stream, at) in [step, step, 9_999 - step, step].into_iter().enumerate() {
            let index = stream as u64 * 10_000 + at;
            growing.set(index, value(index, 1));
        }
        assert!(growing.missing().len() <= 5);
    }
    assert_eq!(growing.missing(), []);
    let all: Vec<Value> = (0..blocks).map(|index| value(index, 1)).collect();
    assert_eq!(growing.values(), Some(&all[..]));
    assert_eq!(growing.root(), merge(blocks * BLOCK, &all));
    assert!(growing.root().is_some());
}

#[test]
fn an_empty_file_is_whole_and_a_small_one_is_its_root() {
    let mut empty = Growing::new(0);
    assert_eq!((empty.missing(), empty.values()), (vec![], Some(&[][..])));
    assert_eq!(empty.root(), Some(hash_small(b"")));
    empty.set(0, [1; 32]);
    empty.clear(0);
    assert_eq!((empty.known(), empty.get(0)), (0, None));
    let mut small = Growing::new(5);
    assert_eq!((small.missing(), small.root()), (vec![span(0, 1)], None));
    small.set(0, hash_small(b"hello").0);
    assert_eq!(small.root(), Some(hash_small(b"hello")));
}

#[test]
fn a_block_taken_back_is_missing_and_can_come_again() {
    let mut growing = Growing::new(5 * BLOCK);
    for index in 0..5 {
        growing.set(index, value(index, 0));
    }
    let root = growing.root().unwrap();
    growing.clear(2);
    assert_eq!(
        (growing.missing(), growing.root()),
        (vec![span(2, 1)], None)
    );
    growing.clear(2);
    growing.clear(9);
    growing.clear(4);
    assert_eq!(growing.missing(), [span(2, 1), span(4, 1)]);
    growing.set(4, value(4, 0));
    growing.set(2, value(2, 1));
    assert_ne!(growing.root().unwrap(), root);
    growing.set(2, value(2, 0));
    assert_eq!(growing.root(), Some(root));
}

/// A hostile peer announces what it likes: memory follows what is here.
#[test]
fn an_announced_length_takes_no_memory() {
    let mut growing = Growing::new(u64::MAX);
    assert_eq!(growing.missing(), [span(0, 1 << 42)]);
    growing.set((1 << 42) - 1, [1; 32]);
    growing.set(1 << 40, [2; 32]);
    growing.set(u64::MAX, [3; 32]);
    assert_eq!(growing.known(), 2);
    assert!(growing.weight() < 1024, "{}", growing.weight());
    assert_eq!(
        growing.missing(),
        [
            span(0, 1 << 40),
            span((1 << 40) + 1, (1 << 42) - (1 << 40) - 2)
        ]
    );
    assert_eq!((growing.root(), growing.values()), (None, None));
}

/// 32 bytes a block once all is here: no room is kept that nothing will fill.
#[test]
fn a_whole_file_takes_32_bytes_a_block() {
    let mut growing = Growing::new(1000 * BLOCK);
    for index in (0..1000).rev() {
        growing.set(index, value(index, 0));
    }
    let run = growing.runs.get(&0).unwrap();
    assert_eq!(growing.runs.len(), 1);
    assert!(run.capacity() <= 1024, "{}", run.capacity());
}
