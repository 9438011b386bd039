//! Folders made, names changed, files deleted: with the right, and without.
#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot set its scene has failed"
)]

use super::super::bench::*;
use crate::entity::{RemotePath, Rights};
use crate::net::wire::codec::{Answer, Refusal, Request};

fn folder(path: &str) -> Request {
    Request::MakeFolder { path: path.into() }
}

fn delete(path: &str) -> Request {
    Request::Delete { path: path.into() }
}

fn rename(from: &str, to: &str) -> Request {
    Request::Rename {
        from: from.into(),
        to: to.into(),
    }
}

const fn no(refusal: Refusal) -> Answer {
    Answer::Refused { refusal }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn folders_are_made_and_things_moved_and_deleted() {
    let mut bench = Bench::new(ALL);
    bench.file("a", b"one");
    let mut deck = bench.greet().await;
    assert_eq!(deck.ask(&folder("sub")).await, Answer::Done);
    assert_eq!(deck.ask(&folder("sub/deep")).await, Answer::Done);
    let made = bench.caused("note", "made").await;
    assert_eq!(made.path, Some(RemotePath::from("sub")));
    assert_eq!(deck.ask(&rename("a", "sub/deep/b")).await, Answer::Renamed);
    let renamed = bench.caused("note", "renamed").await;
    assert_eq!(renamed.path, Some(RemotePath::from("a")));
    assert_eq!(renamed.detail.as_str(), "renamed to sub/deep/b");
    assert_eq!(bench.read("sub/deep/b"), b"one");
    // Folders too, with all that is in them.
    assert_eq!(deck.ask(&rename("sub/deep", "top")).await, Answer::Renamed);
    assert_eq!(bench.read("top/b"), b"one");
    assert_eq!(deck.ask(&delete("top")).await, no(Refusal::NotEmpty));
    assert_eq!(deck.ask(&delete("top/b")).await, Answer::Done);
    let deleted = bench.caused("note", "deleted").await;
    assert_eq!(deleted.path, Some(RemotePath::from("top/b")));
    for path in ["top", "sub"] {
        assert_eq!(deck.ask(&delete(path)).await, Answer::Done);
    }
    assert_eq!(bench.names(), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_replaced_and_nothing_outside_is_touched() {
    let bench = Bench::new(ALL);
    for name in ["a", "b", ".secret"] {
        bench.file(name, name.as_bytes());
    }
    std::fs::create_dir(bench.dir.path().join("sub")).unwrap();
    let outside = assert_fs::TempDir::new().unwrap();
    std::fs::write(outside.path().join("x"), b"x").unwrap();
    std::os::unix::fs::symlink(outside.path(), bench.dir.path().join("way")).unwrap();
    let before = bench.names();
    let mut deck = bench.greet().await;
    let cases = [
        (rename("a", "b"), Refusal::Exists),
        (rename("a", "sub"), Refusal::Exists),
        (rename("sub", "sub/in"), Refusal::BadName),
        (rename("none", "c"), Refusal::NotFound),
        (rename("a", "none/c"), Refusal::NotFound),
        (rename("a", ".c"), Refusal::BadName),
        (rename(".secret", "c"), Refusal::BadName),
        (rename("a", "way/c"), Refusal::NotFound),
        (rename("a", "../c"), Refusal::NotFound),
        (folder("sub"), Refusal::Exists),
        (folder("a"), Refusal::Exists),
        (folder("none/c"), Refusal::NotFound),
        (folder(".c"), Refusal::BadName),
        (folder(".ferrydeck-c"), Refusal::BadName),
        (folder("way/c"), Refusal::NotFound),
        (delete("none"), Refusal::NotFound),
        (delete(".secret"), Refusal::BadName),
        (delete("way/x"), Refusal::NotFound),
        (delete("../a"), Refusal::NotFound),
    ];
    for (request, refusal) in cases {
        assert_eq!(deck.ask(&request).await, no(refusal), "{request:?}");
    }
    assert_eq!(bench.names(), before);
    assert_eq!(
        (bench.read("a"), bench.read("b")),
        (b"a".to_vec(), b"b".to_vec())
    );
    assert!(outside.path().join("x").exists());
}

/// Who deletes a folder with all that is in it asks for what he has been listed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_deleted_through_a_link() {
    let bench = Bench::new(ALL);
    for folder in ["kept", "old", "old/deep"] {
        std::fs::create_dir(bench.dir.path().join(folder)).unwrap();
    }
    for name in ["kept/x", "old/deep/y"] {
        bench.file(name, b"one");
    }
    std::os::unix::fs::symlink("../kept", bench.dir.path().join("old/way")).unwrap();
    let mut deck = bench.greet().await;
    let list = Request::List {
        path: "old/way".into(),
    };
    let Answer::Page(page) = deck.ask(&list).await else {
        unreachable!("a link that stays inside is listed");
    };
    assert_eq!(page.entries.len(), 1);
    for (path, answer) in [
        ("old/way/x", no(Refusal::BadName)),
        ("old/way", no(Refusal::NotFound)),
        ("old/deep/y", Answer::Done),
        ("old/deep", Answer::Done),
        ("old", no(Refusal::NotEmpty)),
    ] {
        assert_eq!(deck.ask(&delete(path)).await, answer, "{path}");
    }
    assert_eq!(bench.read("kept/x"), b"one");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_needs_its_own_right() {
    for bits in 0..16 {
        let rights = Rights::from_bits(bits);
        let mut bench = Bench::new(rights);
        bench.file("a", b"a");
        bench.file("b", b"b");
        let mut deck = bench.greet().await;
        assert_eq!(deck.rights, rights);
        for (request, allowed, done) in [
            (folder("new"), rights.upload, Answer::Done),
            (rename("a", "c"), rights.rename, Answer::Renamed),
            (delete("b"), rights.delete, Answer::Done),
        ] {
            let due = if allowed {
                done
            } else {
                no(Refusal::NotAllowed)
            };
            assert_eq!(deck.ask(&request).await, due, "{rights:?}");
            if !allowed {
                bench.caused("refused", "not_allowed").await;
            }
        }
        let there = |name: &str| bench.dir.path().join(name).exists();
        assert_eq!(
            (there("new"), there("c"), there("b")),
            (rights.upload, rights.rename, !rights.delete)
        );
    }
}
