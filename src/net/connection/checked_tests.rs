//! Stretches and trees, served: what goes out, cold and warm, whole and in parts.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot set its scene has failed"
)]

use std::collections::HashSet;
use std::io::Write as _;
use std::os::unix::fs::FileExt as _;
use std::time::Duration;

use tokio::time::timeout;

use super::super::bench::*;
use crate::entity::{Outcome, RemotePath, Rights};
use crate::event::What;
use crate::net::pump::Way;
use crate::net::server::Limits;
use crate::net::store::landing::Floor;
use crate::net::tree::BLOCK;
use crate::net::wire::codec::{Answer, Check, Detail, Refusal, Request, Version};

const B: usize = 4 << 20;

fn with_check(request: Request, check: Check) -> Request {
    match request {
        Request::Fetch {
            path,
            offset,
            until,
            version,
            ..
        } => Request::Fetch {
            path,
            offset,
            until,
            version,
            check,
        },
        other => other,
    }
}

fn of_version(request: Request, mark: &Version) -> Request {
    match request {
        Request::Fetch {
            path,
            offset,
            until,
            check,
            ..
        } => Request::Fetch {
            path,
            offset,
            until,
            version: Some(mark.clone()),
            check,
        },
        other => other,
    }
}

fn tree(name: &str, detail: Detail) -> Request {
    Request::Tree {
        path: RemotePath::from(name),
        version: None,
        detail,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cold_tree_and_a_warm_one_send_the_same_bytes() {
    for way in Way::ALL {
        let bench = Bench::with(Rights::READ_ONLY, Limits::default(), Floor::Bytes(0), way);
        let content = noise(2 * B + 12_345, 7);
        bench.file("big", &content);
        let mut deck = bench.greet().await;
        // Too young to be kept, then cold, then warm.
        let mut heard = Vec::new();
        for _ in 0..3 {
            deck.heard.clear();
            let stretch = deck.fetch(&fetch("big", 0, None)).await.unwrap();
            assert!(stretch.bytes == content);
            assert_eq!(stretch.end, Ok(Some(root_of(&content))));
            for (index, value) in (0..).zip(&stretch.values) {
                assert_eq!(*value, Some(value_of(&content, index)));
            }
            assert_eq!(stretch.values.len(), 3);
            heard.push(std::mem::take(&mut deck.heard));
            bench.settled("big").await;
        }
        assert!(heard[0] == heard[1] && heard[1] == heard[2], "{way:?}");
    }
}

/// Who hashed it all first would be at it for minutes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_first_byte_waits_for_no_hashing() {
    let bench = Bench::new(Rights::READ_ONLY);
    bench.sparse("vast", 1 << 40);
    let mut deck = bench.greet().await;
    let Answer::Stretch { content, until } = deck.ask(&fetch("vast", 0, None)).await else {
        panic!("no stretch");
    };
    assert_eq!((content.size, until), (1 << 40, 1 << 40));
    let Answer::Run { offset, len } = deck.hear_all().await else {
        panic!("no block");
    };
    assert_eq!((offset, len), (0, BLOCK));
    assert_eq!(deck.take(len).await, vec![0; B]);
    let Answer::Sealed { value: Some(_) } = deck.hear_all().await else {
        panic!("no value");
    };
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stretch_is_a_part_of_the_file_and_its_event_says_which() {
    let mut bench = Bench::new(Rights::READ_ONLY);
    let content = noise(2 * B + 5, 3);
    bench.file("big", &content);
    bench.settled("big").await;
    let mut deck = bench.greet().await;
    let mid = deck
        .fetch(&fetch("big", BLOCK, Some(2 * BLOCK)))
        .await
        .unwrap();
    assert!(mid.bytes == content[B..2 * B]);
    assert_eq!(mid.values, [Some(value_of(&content, 1))]);
    // Two of three values are unknown: so is the root.
    assert_eq!((mid.until, mid.end), (2 * BLOCK, Ok(None)));
    let What::TransferStarted(started) = bench
        .until(|what| matches!(what, What::TransferStarted(_)))
        .await
    else {
        panic!();
    };
    assert_eq!(started.range, Some((BLOCK, 2 * BLOCK)));
    assert_eq!(
        (started.offset, started.size),
        (BLOCK, Some(content.len() as u64))
    );
    // The rest makes the tree whole, whoever fetched it.
    let mut other = bench.greet().await;
    let tail = other
        .fetch(&fetch("big", 2 * BLOCK, Some(u64::MAX / BLOCK * BLOCK)))
        .await;
    assert_eq!(tail.unwrap().bytes, content[2 * B..]);
    let head = other.fetch(&fetch("big", 0, Some(BLOCK))).await.unwrap();
    assert_eq!(head.end, Ok(Some(root_of(&content))));
    let empty = other
        .fetch(&fetch("big", content.len() as u64, None))
        .await
        .unwrap();
    assert_eq!(
        (empty.bytes.len(), empty.end),
        (0, Ok(Some(root_of(&content))))
    );
    drop((deck, other));
    for _ in 0..4 {
        let ended = bench.ended().await;
        assert_eq!(ended.outcome, Outcome::CompleteHash);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stretch_that_cannot_be_is_refused_and_the_talk_goes_on() {
    let bench = Bench::new(Rights::READ_ONLY);
    bench.file("big", &noise(B + 9, 1));
    bench.file("small", b"hi\n");
    let mut deck = bench.greet().await;
    let cases = [
        (fetch("big", 1, None), Refusal::BadOffset),
        (fetch("big", 2 * BLOCK, None), Refusal::BadOffset),
        (fetch("big", 0, Some(1)), Refusal::BadOffset),
        (fetch("big", BLOCK, Some(0)), Refusal::BadOffset),
        (fetch("none", 0, None), Refusal::NotFound),
        (fetch("", 0, None), Refusal::NotFound),
        (fetch("../big", 0, None), Refusal::NotFound),
    ];
    for (request, refusal) in cases {
        // The client's own codec refuses what it sees is wrong; the bytes are what counts.
        let mut out = Vec::new();
        if deck.codec.ask(&request, &mut out).is_err() {
            continue;
        }
        deck.send(&out).await;
        assert_eq!(deck.stretch().await.unwrap_err(), refusal, "{request:?}");
    }
    let small = deck.fetch(&fetch("small", 0, None)).await.unwrap();
    assert_eq!(small.bytes, b"hi\n");
    assert_eq!(small.end, Ok(Some(root_of(b"hi\n"))));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_check_there_are_no_values_and_the_word_is_length() {
    let mut bench = Bench::new(Rights::READ_ONLY);
    let content = noise(B + 77, 5);
    bench.file("big", &content);
    bench.file("small", b"x");
    let mut deck = bench.greet().await;
    for (name, content) in [("big", content.as_slice()), ("small", b"x")] {
        let request = with_check(fetch(name, 0, None), Check::None);
        let stretch = deck.fetch(&request).await.unwrap();
        assert!(stretch.bytes == content);
        assert!(stretch.values.iter().all(Option::is_none));
        assert_eq!(stretch.end, Ok(None));
    }
    drop(deck);
    for _ in 0..2 {
        assert_eq!(bench.ended().await.outcome, Outcome::CompleteLength);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_source_replaced_between_two_ranges_is_noticed() {
    let bench = Bench::new(Rights::READ_ONLY);
    let content = noise(2 * B, 11);
    bench.file("big", &content);
    let path = bench.dir.path().join("big");
    let modified = std::fs::metadata(&path).unwrap().modified().unwrap();
    let mut deck = bench.greet().await;
    let first = deck.fetch(&fetch("big", 0, Some(BLOCK))).await.unwrap();
    let mark = first.content.version.unwrap();
    // Same name, same size, same time; another file.
    let mut other = std::fs::File::create(bench.dir.path().join("new")).unwrap();
    other.write_all(&noise(2 * B, 12)).unwrap();
    other.set_modified(modified).unwrap();
    std::fs::rename(bench.dir.path().join("new"), &path).unwrap();
    let second = deck
        .fetch(&of_version(fetch("big", BLOCK, None), &mark))
        .await;
    assert_eq!(second.unwrap_err(), Refusal::Changed);
    let tree = Request::Tree {
        path: RemotePath::from("big"),
        version: Some(mark),
        detail: Detail::Root,
    };
    let refusal = Refusal::Changed;
    assert_eq!(deck.ask(&tree).await, Answer::Refused { refusal });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_source_that_changes_while_it_is_sent_ends_as_changed() {
    let mut bench = Bench::new(Rights::READ_ONLY);
    let size = 256 << 20;
    let file = bench.sparse("big", size);
    let mut deck = bench.greet().await;
    let request = deck.bytes(&fetch("big", 0, None));
    deck.send(&request).await;
    bench
        .until(|what| matches!(what, What::TransferStarted(_)))
        .await;
    file.write_all_at(b"!", size - 1).unwrap();
    let stretch = deck.stretch().await.unwrap();
    assert_eq!(stretch.end, Err(Refusal::Changed));
    // It stops at the block's end, not at the file's.
    assert!((stretch.bytes.len() as u64) < size);
    let ended = bench.ended().await;
    assert_eq!((ended.outcome, ended.cause), (Outcome::Failed, "changed"));
    // The connection goes on.
    let again = deck.fetch(&fetch("big", size - BLOCK, None)).await.unwrap();
    assert_eq!(again.bytes.last(), Some(&b'!'));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_small_requests_in_one_write_are_answered_in_order() {
    let mut bench = Bench::new(Rights::READ_ONLY);
    let size = |n: usize| match n {
        17 => 0,
        40 => 300_000,
        41 => B + 1,
        _ => 1_000 + n * 37,
    };
    for n in 0..150 {
        bench.file(
            &format!("f{n}"),
            &noise(size(n), 100 + u32::try_from(n).unwrap()),
        );
    }
    let mut deck = bench.greet().await;
    let mut asked = Vec::new();
    for n in 0..150 {
        let name = if n % 50 == 9 {
            "none".to_owned()
        } else {
            format!("f{n}")
        };
        asked.extend(deck.bytes(&fetch(&name, 0, None)));
    }
    asked.extend(deck.bytes(&Request::Ping { token: 5 }));
    deck.send(&asked).await;
    for n in 0..150 {
        let stretch = deck.stretch().await;
        if n % 50 == 9 {
            assert_eq!(stretch.unwrap_err(), Refusal::NotFound);
            continue;
        }
        let content = noise(size(n), 100 + u32::try_from(n).unwrap());
        let stretch = stretch.unwrap();
        assert!(stretch.bytes == content, "{n}");
        assert_eq!(stretch.end, Ok(Some(root_of(&content))), "{n}");
    }
    assert_eq!(deck.hear().await, Answer::Pong { token: 5 });
    drop(deck);
    bench.caused("closed", "peer_closed").await;
    // Each has its pair.
    let (mut open, mut ended) = (HashSet::new(), 0);
    for event in &bench.told {
        match &event.what {
            What::TransferStarted(started) => assert!(open.insert(started.xfer)),
            What::TransferEnded(end) => {
                assert_eq!(end.outcome, Outcome::CompleteHash);
                assert_eq!(Some(end.bytes), end.started.size);
                assert!(open.remove(&end.started.xfer));
                ended += 1;
            }
            _ => {}
        }
    }
    assert_eq!((open.len(), ended), (0, 147));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broken_frame_behind_good_ones_is_told_behind_their_answers() {
    let mut bench = Bench::new(Rights::READ_ONLY);
    bench.file("a", b"one");
    let mut deck = bench.greet().await;
    let mut asked = deck.bytes(&fetch("a", 0, None));
    asked.extend(deck.bytes(&fetch("a", 0, None)));
    asked.extend_from_slice(b"\x49\x7E\x12\x00\x00\x00\x01\xFF");
    deck.send(&asked).await;
    for _ in 0..2 {
        assert_eq!(deck.stretch().await.unwrap().bytes, b"one");
    }
    drop(deck);
    bench.caused("closed", "malformed").await;
    let words = bench.words();
    assert!(
        words.contains("transfer_ended=complete_hash transfer_ended=complete_hash"),
        "{words}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tree_is_told_in_pages_cold_and_warm() {
    let bench = Bench::new(Rights::READ_ONLY);
    let content = noise(3 * B + 1, 21);
    bench.file("big", &content);
    bench.file("empty", b"");
    let mut deck = bench.greet().await;
    for round in 0..3 {
        for detail in [Detail::Root, Detail::Values] {
            let mut answer = deck.ask(&tree("big", detail)).await;
            let (mut values, mut pages) = (Vec::new(), 0);
            let root = loop {
                let Answer::Values(told) = answer else {
                    panic!("{answer:?}");
                };
                assert_eq!(
                    (told.first, told.size),
                    (values.len() as u64, content.len() as u64)
                );
                values.extend(told.values);
                pages += 1;
                if !told.more {
                    break told.root;
                }
                answer = deck.hear().await;
            };
            assert_eq!(root, Some(root_of(&content)), "{round}");
            let due: Vec<_> = match detail {
                Detail::Root => Vec::new(),
                Detail::Values => (0..4).map(|index| value_of(&content, index)).collect(),
            };
            // Three a page here: see PAGE.
            assert_eq!((pages, values), (due.len().div_ceil(3).max(1), due));
        }
        bench.settled("big").await;
    }
    let Answer::Values(told) = deck.ask(&tree("empty", Detail::Values)).await else {
        panic!();
    };
    assert_eq!((told.root, told.values.len()), (Some(root_of(b"")), 0));
    let Answer::Refused { refusal } = deck.ask(&tree("none", Detail::Root)).await else {
        panic!();
    };
    assert_eq!(refusal, Refusal::NotFound);
}

/// A tree that takes long is no silence, and nobody's work goes on for nobody.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_waits_for_a_long_tree_hears_of_it_and_keeps_nobody_waiting() {
    let bench = Bench::new(Rights::READ_ONLY);
    bench.sparse("endless", 1 << 43);
    bench.sparse("boundless", 1 << 43);
    bench.file("a", b"one");
    let mut hogs = Vec::new();
    for name in ["endless", "boundless", "endless"] {
        let mut deck = bench.greet().await;
        let asked = deck.bytes(&tree(name, Detail::Root));
        deck.send(&asked).await;
        hogs.push(deck);
    }
    for hog in &mut hogs {
        let Answer::Wait { of, .. } = hog.hear_all().await else {
            panic!();
        };
        assert_eq!(of, 1 << 43);
    }
    let mut deck = bench.greet().await;
    let asked = deck.bytes(&tree("a", Detail::Root));
    deck.send(&asked).await;
    let Answer::Values(told) = timeout(Duration::from_secs(20), deck.hear()).await.unwrap() else {
        panic!();
    };
    assert_eq!(told.root, Some(root_of(b"one")));
    // One of the two that share a file leaves: the file is still wanted.
    hogs.pop();
    for hog in &mut hogs {
        let Answer::Wait { .. } = hog.hear_all().await else {
            panic!("the shared work was dropped");
        };
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_may_not_read_reads_nothing() {
    let mut bench = Bench::new(Rights::default());
    bench.file("a", b"one");
    let mut deck = bench.greet().await;
    assert_eq!(deck.rights, Rights::default());
    let path = || RemotePath::from("a");
    let requests = [
        Request::Stat { path: path() },
        Request::List {
            path: RemotePath::root(),
        },
        Request::Get {
            path: path(),
            offset: 0,
            version: None,
        },
        fetch("a", 0, None),
        tree("a", Detail::Root),
    ];
    for request in requests {
        let refusal = Refusal::NotAllowed;
        assert_eq!(deck.ask(&request).await, Answer::Refused { refusal });
        bench.caused("refused", "not_allowed").await;
    }
}
