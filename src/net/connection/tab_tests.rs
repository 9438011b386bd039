//! What a peer has left unfinished: remembered, struck, bounded.

use super::*;

fn left(path: &str) -> Left {
    Left {
        path: path.into(),
        mark: Mark::new(b"mark").unwrap_or_else(|| unreachable!()),
        size: 9,
    }
}

fn who(last: u8) -> Whose {
    Whose::Address([10, 0, 0, last].into())
}

#[test]
fn the_oldest_goes_when_there_are_too_many() {
    let tab = Tab::default();
    for n in 0..MOST + 5 {
        tab.note(who(1), left(&format!("f{n}")));
    }
    let old = tab.settle(who(1), &"other".into());
    let old: Vec<_> = old.iter().map(|left| left.path.clone()).collect();
    // One place is for the one that begins.
    let due: Vec<RemotePath> = (0..6).map(|n| format!("f{n}").as_str().into()).collect();
    assert_eq!(old, due);
    assert!(tab.settle(who(1), &"other".into()).len() <= 1);
}

#[test]
fn what_goes_on_is_struck_whosever_it_was() {
    let tab = Tab::default();
    for n in 0..MOST {
        tab.note(who(1), left(&format!("f{n}")));
    }
    assert!(tab.settle(who(2), &"f0".into()).is_empty());
    // There is room again: nothing is too old.
    assert!(tab.settle(who(1), &"other".into()).is_empty());
    // The same file twice is one.
    for _ in 0..2 * MOST {
        tab.note(who(3), left("same"));
    }
    assert!(tab.settle(who(3), &"other".into()).is_empty());
}

#[test]
fn no_crowd_makes_it_grow_without_end() {
    let tab = Tab::default();
    for n in 0..u32::try_from(2 * PEERS).unwrap_or(0) {
        let peer = Whose::Address(std::net::Ipv4Addr::from(n).into());
        tab.note(peer, left("f"));
    }
    assert_eq!(lock(&tab.left).len(), PEERS);
    tab.settle(who(1), &"f".into());
    assert_eq!(lock(&tab.left).len(), 0);
}
