//! Trees that are made: once for all who ask, and only while somebody does.
#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot set its scene has failed"
)]

use std::collections::VecDeque;
use std::time::Duration;

use assert_fs::TempDir;
use tokio::time::timeout;

use super::*;
use crate::net::connection::bench::{DEADLINE, noise, root_of, value_of};
use crate::net::connection::small::{Turned, Want, turn};
use crate::net::store::{Dotfiles, Store};
use crate::net::tree::BLOCK;
use crate::net::wire::codec::Check;

fn store(name: &str, content: &[u8]) -> (TempDir, Store) {
    let dir = TempDir::new().unwrap();
    std::fs::write(dir.path().join(name), content).unwrap();
    let store = Store::open(dir.path(), Dotfiles::Hidden).unwrap();
    (dir, store)
}

async fn settled(store: &Store, name: &str) -> Source {
    let wait = async {
        loop {
            let source = store.read(&name.into()).unwrap();
            if source.is_settled() {
                return source;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    timeout(DEADLINE, wait).await.unwrap()
}

async fn whole(asker: &mut Asker) -> Result<Root, Refusal> {
    let end = async {
        loop {
            if let Some(over) = asker.news().await.over {
                return over;
            }
        }
    };
    timeout(DEADLINE, end).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_who_ask_share_one_work_and_what_is_settled_is_kept() {
    let content = noise(3 * 4 * 1024 * 1024 + 7, 1);
    let (_dir, store) = store("big", &content);
    let forest = Arc::new(Forest::default());
    let young = store.read(&"big".into()).unwrap();
    let version = young.version.clone();
    // Not before all have asked.
    let seats = [forest.seat().await, forest.seat().await];
    let mut askers = vec![forest.ask(young)];
    for _ in 0..5 {
        askers.push(forest.ask(store.read(&"big".into()).unwrap()));
        assert_eq!(lock(&forest.making).len(), 1);
    }
    drop(seats);
    for asker in &mut askers {
        assert_eq!(whole(asker).await, Ok(root_of(&content)));
        let values: Vec<_> = (0..4).map(|index| value_of(&content, index)).collect();
        assert_eq!(
            (asker.values(0, 9), asker.values(3, 9)),
            (values.clone(), values[3..].to_vec())
        );
    }
    assert!(lock(&forest.making).is_empty());
    // It was too young to be kept, or it is right.
    assert!(
        forest
            .trees()
            .root(&version)
            .is_none_or(|root| root == root_of(&content))
    );
    let old = settled(&store, "big").await;
    assert_eq!(whole(&mut forest.ask(old)).await, Ok(root_of(&content)));
    assert_eq!(forest.trees().root(&version), Some(root_of(&content)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_waits_and_the_work_stops() {
    let dir = TempDir::new().unwrap();
    for name in ["a", "b", "c"] {
        let file = std::fs::File::create(dir.path().join(name)).unwrap();
        file.set_len(1 << 43).unwrap();
    }
    let store = Store::open(dir.path(), Dotfiles::Hidden).unwrap();
    let forest = Arc::new(Forest::default());
    let askers: Vec<_> = ["a", "b", "c"]
        .map(|name| forest.ask(store.read(&name.into()).unwrap()))
        .into();
    assert_eq!(lock(&forest.making).len(), 3);
    drop(askers);
    let stopped = async {
        while !lock(&forest.making).is_empty() || forest.seats.available_permits() < SEATS {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(DEADLINE, stopped).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_that_changes_meanwhile_has_no_tree() {
    let (dir, store) = store("big", &noise(1 << 20, 3));
    let forest = Arc::new(Forest::default());
    let seats = [forest.seat().await, forest.seat().await];
    let mut asker = forest.ask(store.read(&"big".into()).unwrap());
    std::fs::write(dir.path().join("big"), b"another").unwrap();
    drop(seats);
    assert_eq!(whole(&mut asker).await, Err(Refusal::Changed));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_doubted_tree_is_dropped_and_made_anew() {
    let content = noise(2 * 4 * 1024 * 1024, 4);
    let (_dir, store) = store("big", &content);
    let source = settled(&store, "big").await;
    let forest = Forest::default();
    forest.learn(&source, 0, [7; 32]);
    assert_eq!(forest.trees().value(&source.version, 0), Some([7; 32]));
    let want = |check| Want {
        path: "big".into(),
        offset: 0,
        until: Some(BLOCK),
        version: None,
        check,
    };
    let _ = turn(&store, &forest, [want(Check::Blocks)].into());
    assert_eq!(forest.trees().value(&source.version, 0), Some([7; 32]));
    let _ = turn(&store, &forest, [want(Check::Anew)].into());
    assert_eq!(forest.trees().value(&source.version, 0), None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_short_file_has_its_turn_beside_endless_ones() {
    let content = noise(100, 5);
    let (dir, store) = store("short", &content);
    let names: Vec<String> = (0..=SEATS).map(|n| n.to_string()).collect();
    for name in &names {
        let file = std::fs::File::create(dir.path().join(name)).unwrap();
        file.set_len(1 << 43).unwrap();
    }
    let forest = Arc::new(Forest::default());
    let ask = |name: &str| forest.ask(store.read(&name.into()).unwrap());
    let mut endless: Vec<_> = names.iter().map(|name| ask(name)).collect();
    // Every seat is taken.
    for asker in endless.iter_mut().take(SEATS) {
        timeout(DEADLINE, asker.news()).await.unwrap();
    }
    assert_eq!(whole(&mut ask("short")).await, Ok(root_of(&content)));
    assert!(endless.iter().all(|asker| asker.told().over.is_none()));
}

#[tokio::test]
async fn where_memory_is_short_small_files_go_the_road_of_large_ones() {
    let (_dir, store) = store("a", b"small");
    let forest = Forest::default();
    let wants = || {
        let want = Want {
            path: "a".into(),
            offset: 0,
            until: None,
            version: None,
            check: Check::Blocks,
        };
        VecDeque::from([want.clone(), want])
    };
    let held: Vec<_> = (0..TURNS).map_while(|_| forest.turn()).collect();
    assert_eq!(held.len(), TURNS);
    let turned = turn(&store, &forest, wants());
    assert!(matches!(turned.turned[..], [Turned::Large(_)]));
    assert!(turned.content.is_none());
    assert_eq!(turned.rest.len(), 1);
    drop(held);
    let turned = turn(&store, &forest, wants());
    let places = turned.turned.iter().map(|one| match one {
        Turned::Small { content, .. } => Some(content.clone()),
        Turned::Denied { .. } | Turned::Large(_) => None,
    });
    assert_eq!(places.collect::<Vec<_>>(), [Some(0..5), Some(5..10)]);
    let content = turned.content.as_deref().unwrap();
    assert_eq!((&content[..10], turned.rest.len()), (&b"smallsmall"[..], 0));
    assert_eq!(forest.turns.available_permits(), TURNS - 1);
    drop(turned);
    assert_eq!(forest.turns.available_permits(), TURNS);
}
