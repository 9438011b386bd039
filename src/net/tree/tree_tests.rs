//! Values and roots against BLAKE3 of the whole content.
#![expect(
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    reason = "a test that cannot set its scene has failed; its lengths are small"
)]

use blake3::CHUNK_LEN;
use proptest::prelude::*;

use super::*;

/// Bytes that repeat nowhere near: a counter through a mixer.
pub(super) fn content(len: usize, seed: u64) -> Vec<u8> {
    let mut bytes = vec![0; len];
    blake3::Hasher::new()
        .update(&seed.to_le_bytes())
        .finalize_xof()
        .fill(&mut bytes);
    bytes
}

/// The values of a content in blocks of `block` bytes, each fed in the pieces `cut` gives.
fn values_in(content: &[u8], block: u64, mut cut: impl FnMut() -> usize) -> Vec<Value> {
    let size = content.len() as u64;
    content
        .chunks(block as usize)
        .enumerate()
        .map(|(index, mut rest)| {
            let mut hasher = BlockHasher::cut(size, index as u64, block);
            assert_eq!(hasher.left(), rest.len() as u64);
            while !rest.is_empty() {
                let (piece, behind) = rest.split_at(cut().clamp(1, rest.len()));
                hasher.update(piece);
                rest = behind;
            }
            assert_eq!(hasher.left(), 0);
            hasher.value()
        })
        .collect()
}

fn values(content: &[u8]) -> Vec<Value> {
    values_in(content, BLOCK, || 300_000)
}

fn root_in(values: &[Value]) -> Root {
    match values {
        [] => hash_small(b""),
        [root] => Root(*root),
        _ => root_of(values),
    }
}

/// A small generator for lengths of pieces: deterministic, uneven.
fn uneven(mut state: u64) -> impl FnMut() -> usize {
    move || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        match state >> 62 {
            0 => 1 + (state >> 33) as usize % 7,
            1 => CHUNK_LEN,
            2 => 1 + (state >> 33) as usize % 5000,
            _ => 1 + (state >> 33) as usize % 900_000,
        }
    }
}

#[test]
fn the_root_is_what_blake3_says_of_the_whole() {
    const B: u64 = BLOCK;
    let sizes = [
        0,
        1,
        1023,
        1024,
        1025,
        B - 1,
        B,
        B + 1,
        2 * B - 1,
        2 * B,
        3 * B + 5,
        5 * B,
        7 * B,
        8 * B,
        9 * B,
        9 * B + 1023,
        123_456_789 % (6 * B),
    ];
    let longest = content(10 * B as usize, 1);
    for size in sizes {
        let content = &longest[..size as usize];
        let values = values_in(content, B, uneven(size));
        assert_eq!(values.len() as u64, blocks(size), "{size}");
        let whole = blake3::hash(content);
        assert_eq!(
            merge(size, &values),
            Some(Root(*whole.as_bytes())),
            "{size}"
        );
        assert_eq!(hash_small(content), Root(*whole.as_bytes()), "{size}");
    }
}

/// The official test vectors of BLAKE3 (`test_vectors.json`): content is 0, 1, … 250, 0, 1, …
#[test]
fn the_root_is_printed_as_b3sum_prints_it() {
    let known = [
        (
            0,
            "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262",
        ),
        (
            1,
            "2d3adedff11b61f14c886e35afa036736dcd87a74d27b5c1510225d0f592e213",
        ),
        (
            1024,
            "42214739f095a406f3fc83deb889744ac00df831c10daa55189b5d121c855af7",
        ),
        (
            102_400,
            "bc3e3d41a1146b069abffad3c0d44860cf664390afce4d9661f7902e7943e085",
        ),
    ];
    for (len, printed) in known {
        let content: Vec<u8> = (0..=250).cycle().take(len).collect();
        let root = merge(len as u64, &values(&content)).unwrap();
        assert_eq!(root.to_string(), printed, "{len}");
    }
    let content = content(2 * BLOCK as usize + 77, 9);
    let root = merge(content.len() as u64, &values(&content)).unwrap();
    assert_eq!(
        root.to_string(),
        blake3::hash(&content).to_hex().to_string()
    );
}

#[test]
fn the_pieces_a_block_comes_in_do_not_matter() {
    let content = content(2 * BLOCK as usize + 4321, 2);
    let whole = values_in(&content, BLOCK, || usize::MAX);
    for seed in 0..4 {
        assert_eq!(values_in(&content, BLOCK, uneven(seed)), whole);
    }
    for piece in [1 << 10, 128 << 10, 256 << 10, (128 << 10) - 1] {
        assert_eq!(values_in(&content, BLOCK, || piece), whole, "{piece}");
    }
}

#[test]
fn one_flipped_byte_changes_one_value_and_the_root() {
    let good = content(4 * BLOCK as usize + 9, 3);
    let before = values(&good);
    let size = good.len() as u64;
    for (at, block) in [
        (0, 0),
        (BLOCK - 1, 0),
        (BLOCK, 1),
        (3 * BLOCK + 77, 3),
        (size - 1, 4),
    ] {
        let mut bad = good.clone();
        bad[at as usize] ^= 0x10;
        let after = values(&bad);
        let changed: Vec<usize> = (0..before.len())
            .filter(|&index| before[index] != after[index])
            .collect();
        assert_eq!(changed, [block], "byte {at}");
        assert_ne!(merge(size, &before), merge(size, &after));
    }
}

#[test]
fn equal_blocks_have_values_of_their_own_place() {
    let content = vec![7; 3 * BLOCK as usize];
    let values = values(&content);
    assert_ne!(values[0], values[1]);
    assert_ne!(values[1], values[2]);
}

#[test]
fn a_wrong_number_of_values_has_no_root() {
    let value = [1; 32];
    assert_eq!(merge(0, &[value]), None);
    assert_eq!(merge(1, &[]), None);
    assert_eq!(merge(BLOCK, &[value; 2]), None);
    assert_eq!(merge(BLOCK + 1, &[value]), None);
    assert_eq!(merge(u64::MAX, &[value; 3]), None);
    assert!(merge(BLOCK + 1, &[value; 2]).is_some());
}

/// The dialect may not name this room, nor this room the dialect: they must agree all the same.
#[test]
fn a_block_is_what_the_dialect_says() {
    use crate::net::wire::deck;
    assert_eq!(BLOCK, deck::BLOCK);
    const { assert!(BLOCK <= deck::BLOCK_MAX && BLOCK.is_power_of_two()) };
    assert_eq!(BLOCK % CHUNK_LEN as u64, 0);
}

#[test]
fn blocks_are_counted_to_the_last_byte() {
    assert_eq!((blocks(0), blocks(1), blocks(BLOCK)), (0, 1, 1));
    assert_eq!((blocks(BLOCK + 1), blocks(2 * BLOCK)), (2, 2));
    assert_eq!(blocks(u64::MAX), 1 << 42);
    assert_eq!(
        (block_len(0, 0), block_len(5, 0), block_len(5, 1)),
        (0, 5, 0)
    );
    assert_eq!(block_len(2 * BLOCK + 3, 1), BLOCK);
    assert_eq!(block_len(2 * BLOCK + 3, 2), 3);
    assert_eq!(block_len(u64::MAX, u64::MAX), 0);
    assert_eq!(block_len(u64::MAX, (1 << 42) - 1), BLOCK - 1);
}

/// Whatever a peer announces, no block makes it panic.
#[test]
fn blocks_that_cannot_be_are_harmless() {
    for (size, index) in [
        (0, 0),
        (0, u64::MAX),
        (5, 1),
        (BLOCK + 1, 2),
        (u64::MAX, u64::MAX),
        (u64::MAX, (1 << 42) - 1),
    ] {
        let mut hasher = BlockHasher::new(size, index);
        let empty = hasher.value();
        assert_eq!(hasher.left(), block_len(size, index));
        if size <= BLOCK {
            assert_eq!(Root(empty), hash_small(b""));
        } else {
            assert_eq!(empty, [0; 32]);
        }
        hasher.update(&[1; 5000]);
        hasher.value();
    }
}

#[test]
fn what_lies_behind_a_blocks_end_is_left_out() {
    let content = content(BLOCK as usize + 10, 4);
    let size = content.len() as u64;
    let due = values(&content);
    let mut first = BlockHasher::new(size, 0);
    first.update(&content);
    first.update(b"and more");
    assert_eq!((first.value(), first.left()), (due[0], 0));
    let mut last = BlockHasher::new(size, 1);
    last.update(&content[BLOCK as usize..]);
    last.update(b"and more");
    assert_eq!(last.value(), due[1]);
}

proptest! {
    /// The same arithmetic over small blocks, so that trees of many shapes are tried.
    #[test]
    fn any_number_of_blocks_merges_to_the_root(
        chunks in prop::sample::select(vec![1_u64, 2, 4, 8]),
        len in 0_usize..200_000,
        seed in any::<u64>(),
    ) {
        let content = content(len, seed);
        let values = values_in(&content, chunks * CHUNK_LEN as u64, uneven(seed));
        prop_assert_eq!(root_in(&values), Root(*blake3::hash(&content).as_bytes()));
    }

    #[test]
    fn blocks_cover_the_file_exactly(size in any::<u64>(), near in 0_u64..1 << 20) {
        for size in [size, near * 7, (near * BLOCK).saturating_add(size % 3)] {
            let count = blocks(size);
            if count == 0 {
                prop_assert_eq!(size, 0);
                continue;
            }
            let last = block_len(size, count - 1);
            prop_assert!((1..=BLOCK).contains(&last));
            prop_assert_eq!((count - 1) * BLOCK + last, size);
            prop_assert_eq!(block_len(size, count), 0);
            prop_assert!(count == 1 || block_len(size, count - 2) == BLOCK);
        }
    }
}

/// The pace of hashing in pieces, for whoever chooses a buffer; figures, no verdict.
/// `cargo test --release --features heavy --lib pace -- --nocapture`
#[cfg(feature = "heavy")]
#[test]
#[expect(clippy::print_stderr, reason = "a measurement")]
fn the_pace_of_hashing_in_pieces() {
    let content = content(4 * BLOCK as usize, 5);
    let rounds = 24;
    let bytes = (rounds * content.len()) as f64;
    let pace = |work: &mut dyn FnMut()| {
        let begun = std::time::Instant::now();
        for _ in 0..rounds {
            work();
        }
        bytes / begun.elapsed().as_secs_f64() / f64::from(1 << 30)
    };
    for _ in 0..3 {
        let whole = pace(&mut || {
            std::hint::black_box(blake3::hash(&content));
        });
        eprint!("whole {whole:.2}");
        let plain = pace(&mut || {
            for block in content.chunks(BLOCK as usize) {
                let mut hasher = blake3::Hasher::new();
                hasher.update(block);
                std::hint::black_box(hasher.finalize());
            }
        });
        eprint!("  blake3 4M {plain:.2}");
        for kib in [1, 4, 16, 32, 64, 128, 256, 512, 1024, 4096] {
            let mut pieces = Vec::new();
            let rate = pace(&mut || {
                pieces = values_in(&content, BLOCK, || kib << 10);
            });
            std::hint::black_box(&pieces);
            eprint!("  {kib}K {rate:.2}");
        }
        eprintln!(" GiB/s");
    }
}
