//! States as a disk, a crash or an enemy may leave them.
#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot set its scene has failed"
)]

use proptest::prelude::*;

use super::*;

const SIZE: u64 = 5 * BLOCK + 1;

fn mark() -> Mark {
    Mark::new(b"content").unwrap()
}

fn file(bytes: &[u8]) -> File {
    let file = tempfile();
    file.write_all_at(bytes, 0).unwrap();
    file
}

fn tempfile() -> File {
    let dir = assert_fs::TempDir::new().unwrap();
    File::options()
        .read(true)
        .write(true)
        .create_new(true)
        .open(dir.path().join("state"))
        .unwrap()
}

fn bytes(file: &File) -> Vec<u8> {
    let mut bytes = vec![0; usize::try_from(file.metadata().unwrap().len()).unwrap()];
    file.read_exact_at(&mut bytes, 0).unwrap();
    bytes
}

fn said(bytes: &[u8], mark: &Mark, size: u64) -> Option<Vec<(u64, Value)>> {
    match State::read(file(bytes), mark, size).unwrap() {
        Said::Nothing => Some(vec![]),
        Said::Ours(state) => Some(state.done.into_iter().collect()),
        Said::Others => None,
    }
}

/// A state with these blocks done.
fn whole(blocks: &[u64]) -> Vec<u8> {
    let file = tempfile();
    let mut state = State::begin(file.try_clone().unwrap(), &mark(), SIZE).unwrap();
    for &index in blocks {
        state.done(index, value(index)).unwrap();
    }
    bytes(&file)
}

fn value(index: u64) -> Value {
    *blake3::hash(&index.to_le_bytes()).as_bytes()
}

#[test]
fn what_was_noted_is_read_again_and_what_was_taken_back_is_not() {
    let kept = tempfile();
    let mut state = State::begin(kept.try_clone().unwrap(), &mark(), SIZE).unwrap();
    for index in [3, 0, 5, 3] {
        state.done(index, value(index)).unwrap();
    }
    state.undo(0).unwrap();
    state.undo(1).unwrap();
    assert!(state.done(6, value(6)).is_err(), "there are six blocks");
    assert!(state.undo(6).is_err());
    let due = vec![(3, value(3)), (5, value(5))];
    assert_eq!(said(&bytes(&kept), &mark(), SIZE), Some(due));
    assert_eq!(bytes(&kept).len(), HEADER + 6 * RECORD);
}

#[test]
fn a_state_of_another_content_is_told_from_none_at_all() {
    let state = whole(&[1]);
    let other = Mark::new(b"other").unwrap();
    assert_eq!(said(&state, &other, SIZE), None);
    assert_eq!(said(&state, &mark(), SIZE + 1), None);
    assert_eq!(said(&whole(&[]), &other, SIZE), Some(vec![]));
    assert_eq!(said(&[], &mark(), SIZE), Some(vec![]));
    assert_eq!(said(&[0; 4_096], &mark(), SIZE), Some(vec![]));
    // Records of another header behind ours: none of them counts.
    let mut mixed = whole(&[]);
    let theirs = tempfile();
    let mut state = State::begin(theirs.try_clone().unwrap(), &other, SIZE).unwrap();
    state.done(1, value(1)).unwrap();
    mixed.extend_from_slice(&bytes(&theirs)[HEADER..]);
    assert_eq!(said(&mixed, &mark(), SIZE), Some(vec![]));
}

#[test]
fn a_state_cut_anywhere_keeps_its_whole_records_and_goes_on() {
    let state = whole(&[0, 1, 2]);
    for cut in 0..=state.len() {
        let file = file(&state[..cut]);
        let records = cut.saturating_sub(HEADER) / RECORD;
        let Said::Ours(mut found) = State::read(file.try_clone().unwrap(), &mark(), SIZE).unwrap()
        else {
            assert_eq!(records, 0, "cut at {cut}");
            continue;
        };
        assert_eq!(found.done.len(), records, "cut at {cut}");
        // What comes behind a torn record is not torn by it.
        found.done(4, value(4)).unwrap();
        let again = said(&bytes(&file), &mark(), SIZE).unwrap();
        assert_eq!(again.len(), records + 1, "cut at {cut}");
    }
}

#[test]
fn a_flipped_bit_costs_one_record_or_the_whole() {
    let state = whole(&[0, 1, 2]);
    for bit in 0..state.len() * 8 {
        let mut flipped = state.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        let found = said(&flipped, &mark(), SIZE).unwrap();
        let due = if bit / 8 < HEADER { 0 } else { 2 };
        assert_eq!(found.len(), due, "bit {bit}");
        assert!(found.iter().all(|&(index, found)| found == value(index)));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn noise_claims_nothing(noise in proptest::collection::vec(any::<u8>(), 0..2_000)) {
        prop_assert_eq!(said(&noise, &mark(), SIZE), Some(vec![]));
        // Behind a header that is right, and behind records that are.
        for blocks in [&[][..], &[0, 4]] {
            let mut state = whole(blocks);
            state.extend_from_slice(&noise);
            let found = said(&state, &mark(), SIZE).unwrap();
            let found: Vec<_> = found.iter().map(|&(index, _)| index).collect();
            prop_assert_eq!(&found, blocks);
        }
    }

    #[test]
    fn records_behind_garbage_still_count(garbage in any::<[u8; RECORD]>()) {
        let mut state = whole(&[0, 1]);
        let at = HEADER + RECORD;
        state.splice(at..at, garbage);
        let due = vec![(0, value(0)), (1, value(1))];
        prop_assert_eq!(said(&state, &mark(), SIZE), Some(due));
    }
}

#[test]
fn a_state_without_end_is_read_no_further_than_its_blocks_ask() {
    let file = file(&whole(&[2]));
    // Sparse: 1 TiB that costs nothing to make and hours to read.
    file.set_len(1 << 40).unwrap();
    let Said::Ours(state) = State::read(file, &mark(), SIZE).unwrap() else {
        unreachable!("its first record is whole");
    };
    assert_eq!(state.done.len(), 1);
    assert!(state.at < 1 << 20, "{}", state.at);
}
