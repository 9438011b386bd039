//! The plan by itself: who brings what, and when enough is enough.

use super::*;

const SIZE: u64 = 10 * BLOCK + 5;

fn lots(plan: &mut Plan) -> Vec<(u64, u64, Doubt)> {
    std::iter::from_fn(|| plan.next())
        .map(|lot| (lot.first, lot.count, lot.doubt))
        .collect()
}

#[test]
fn what_is_missing_is_split_among_the_lines() {
    let mut plan = Plan::new(SIZE);
    plan.share(4);
    let all = [(0, 4), (4, 4), (8, 3)].map(|(first, count)| (first, count, Doubt::None));
    assert_eq!(lots(&mut plan), all);
    for index in [0, 1, 5, 10] {
        plan.have(index, [7; 32]);
    }
    assert_eq!(plan.done_bytes(), 3 * BLOCK + 5);
    plan.share(2);
    let rest = [(2, 3), (6, 4)].map(|(first, count)| (first, count, Doubt::None));
    assert_eq!(lots(&mut plan), rest);
    assert_eq!(plan.next(), None);
}

#[test]
fn lots_get_smaller_towards_the_end() {
    let mut plan = Plan::new(64 * BLOCK);
    plan.share(4);
    let counts: Vec<u64> = lots(&mut plan).iter().map(|(_, count, _)| *count).collect();
    assert_eq!(counts, [16, 12, 9, 7, 5, 4, 4, 4, 3]);
    // Who is alone asks once.
    plan.share(1);
    assert_eq!(lots(&mut plan), [(0, 64, Doubt::None)]);
}

#[test]
fn an_empty_file_is_asked_for_once() {
    let mut plan = Plan::new(0);
    plan.share(4);
    assert_eq!(lots(&mut plan), [(0, 0, Doubt::None)]);
    assert!(plan.is_done());
    assert_eq!(plan.root(), Some(Root(*blake3::hash(b"").as_bytes())));
}

#[test]
fn a_bad_block_comes_three_times_again_and_then_once_with_doubt() {
    let mut plan = Plan::new(SIZE);
    let mut asked = Vec::new();
    while plan.spoilt(4) == Verdict::Again {
        asked.extend(lots(&mut plan));
    }
    let once = (4, 1, Doubt::None);
    assert_eq!(asked, [once, once, once, (4, 1, Doubt::Tree)]);
    assert_eq!(lots(&mut plan), []);
}

#[test]
fn a_lost_block_is_asked_for_alone_and_with_doubt() {
    let mut plan = Plan::new(SIZE);
    for index in 0..11 {
        plan.have(index, [7; 32]);
    }
    plan.hear_root(Root([1; 32]));
    plan.lose(3);
    assert_eq!(plan.theirs(), None);
    assert_eq!(plan.missing_bytes(), BLOCK);
    plan.share(4);
    assert_eq!(lots(&mut plan), [(3, 1, Doubt::Tree)]);
    assert!(!plan.doubted());
    assert!(plan.doubted());
}

#[test]
fn the_last_lot_reaches_to_the_end() {
    let lot = |first, count| Lot {
        first,
        count,
        doubt: Doubt::None,
    };
    assert_eq!(Plan::reach(SIZE, &lot(0, 3)), (0, Some(3 * BLOCK)));
    assert_eq!(Plan::reach(SIZE, &lot(9, 2)), (9 * BLOCK, None));
    assert_eq!(Plan::reach(0, &lot(0, 0)), (0, None));
}
