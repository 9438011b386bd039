//! An upload in several hands: no block in two of them, and an end for all.
#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot set its scene has failed"
)]

use futures_util::FutureExt as _;

use super::*;
use crate::net::connection::bench::{span, terms};
use crate::net::connection::tab::Whose;
use crate::net::store::Dotfiles;
use crate::net::store::landing::{Floor, Landing, Make, Mark};
use crate::net::wire::codec::Pace;

const SIZE: u64 = 9 * BLOCK + 7;

fn joint() -> (assert_fs::TempDir, Arc<Joint>) {
    let dir = assert_fs::TempDir::new().unwrap();
    let landing = Landing::open(dir.path(), Dotfiles::Hidden, Floor::Bytes(0), Make::Best).unwrap();
    let (parcel, _) = landing
        .resume("a", &Mark::new(b"m").unwrap(), SIZE)
        .unwrap();
    let joint = Joint::new(&order(SIZE), Arc::new(parcel), &CancellationToken::new());
    (dir, Arc::new(joint))
}

fn order(size: u64) -> Order {
    Order {
        path: "a".into(),
        size,
        terms: Box::new(terms(Pace::Asked)),
        whose: Whose::Address([127, 0, 0, 1].into()),
    }
}

#[test]
fn no_block_is_in_two_hands() {
    let (_dir, joint) = joint();
    let share = joint.hold(span(2, 3)).unwrap();
    for taken in [span(0, 3), span(4, 1), span(2, 3), span(3, 5)] {
        assert!(joint.hold(taken).is_none(), "{taken:?}");
    }
    assert!(joint.hold_missing(4).is_none());
    let one = joint.hold_missing(5).unwrap();
    assert!(joint.hold(span(5, 2)).is_none());
    drop((share, one));
    joint.learn(5, [1; 32]);
    // What is here is wanted from nobody.
    assert!(joint.hold_missing(5).is_none());
    assert!(joint.hold(span(2, 8)).is_some());
}

#[test]
fn hands_are_no_more_than_so_many() {
    let (_dir, joint) = joint();
    let hands: Vec<_> = (0..20).map_while(|_| joint.hold(span(9, 0))).collect();
    assert_eq!(hands.len(), SHARES + 1);
}

#[test]
fn what_is_missing_is_told_for_a_share() {
    let (_dir, joint) = joint();
    for index in [0, 3, 4, 9] {
        joint.learn(index, [1; 32]);
    }
    assert_eq!(joint.missing(joint.all()), [span(1, 2), span(5, 4)]);
    assert_eq!(joint.missing(span(2, 4)), [span(2, 1), span(5, 1)]);
    assert_eq!(joint.here(span(2, 4)), [span(3, 2)]);
    assert_eq!(
        joint.here(joint.all()),
        [span(0, 1), span(3, 2), span(9, 1)]
    );
    assert_eq!(joint.missing(span(3, 2)), []);
    assert_eq!(joint.here(span(3, 2)), [span(3, 2)]);
    assert_eq!(joint.bytes(&[span(0, 1), span(9, 1)]), BLOCK + 7);
}

#[tokio::test]
async fn the_end_waits_for_every_hand() {
    let (_dir, joint) = joint();
    let hand = joint.hold(span(0, 1)).unwrap();
    assert!(joint.over().now_or_never().is_none());
    let mut closing = Box::pin(joint.close());
    assert!((&mut closing).now_or_never().is_none());
    assert!(joint.is_over());
    assert!(joint.over().now_or_never().is_some());
    drop(hand);
    closing.await;
}

#[test]
fn a_share_is_of_the_same_content() {
    let (_dir, joint) = joint();
    assert!(joint.is_for(&order(SIZE)));
    assert!(!joint.is_for(&order(SIZE + 1)));
    let mut other = order(SIZE);
    other.terms.check = Check::None;
    assert!(!joint.is_for(&other));
    let mut other = order(SIZE);
    other.terms.source = Version::from([9; 56]);
    assert!(!joint.is_for(&other));
}
