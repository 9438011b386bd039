//! Shares of one upload: side by side, refused, cut off, and never in each other's way.
#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot set its scene has failed"
)]

use std::time::Duration;

use tokio::io::AsyncReadExt as _;
use tokio::time::timeout;

use super::super::bench::*;
use crate::entity::{Outcome, Rights};
use crate::event::What;
use crate::meter::Totals;
use crate::net::pump::Way;
use crate::net::server::Limits;
use crate::net::store::landing::Floor;
use crate::net::tree::BLOCK;
use crate::net::wire::codec::{Answer, Check, Pace, Refusal, Request, Stored, Terms, Version};

const B: usize = 4 << 20;

fn stored(content: &[u8]) -> Answer {
    Answer::Stored(Stored {
        name: "big".into(),
        root: Some(root_of(content)),
    })
}

const fn refused(refusal: Refusal) -> Answer {
    Answer::Refused { refusal }
}

fn here(spans: &[(u64, u64)]) -> Answer {
    let blocks = spans.iter().map(|&(first, count)| span(first, count));
    Answer::Here {
        blocks: blocks.collect(),
    }
}

fn again(first: u64, count: u64) -> Answer {
    Answer::Again {
        blocks: vec![span(first, count)],
    }
}

fn share(content: &[u8], first: u64, count: u64) -> Request {
    put("big", content, Pace::Share(span(first, count)))
}

/// A server, and a connection that has announced this content.
async fn begun(content: &[u8]) -> (Bench, Deck) {
    let bench = Bench::new(ALL);
    let mut main = bench.greet().await;
    let answer = main.ask(&put("big", content, Pace::Asked)).await;
    assert_eq!(answer, here(&[]));
    (bench, main)
}

/// A connection that is closed, and what was still said on it.
async fn gone(deck: &mut Deck) -> bool {
    let mut rest = Vec::new();
    let read = timeout(DEADLINE, deck.peer.read_to_end(&mut rest)).await;
    // A reset where something lay unread says the same.
    matches!(read.unwrap(), Ok(0) | Err(_))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn shares_come_side_by_side_and_one_file_lands() {
    let content = noise(5 * B + 9, 1);
    let (mut bench, mut main) = begun(&content).await;
    let mut one = bench.greet().await;
    let mut two = bench.greet().await;
    assert_eq!(one.ask(&share(&content, 3, 2)).await, here(&[]));
    assert_eq!(two.ask(&share(&content, 5, 1)).await, here(&[]));
    // Interleaved, none waits for another.
    main.block(&content, 1, None).await;
    one.block(&content, 4, None).await;
    two.block(&content, 5, None).await;
    one.block(&content, 3, None).await;
    assert_eq!(two.close(&content).await, Answer::Done);
    assert_eq!(one.close(&content).await, Answer::Done);
    // A connection that has brought one share brings another.
    assert_eq!(two.ask(&share(&content, 0, 1)).await, here(&[]));
    two.block(&content, 0, None).await;
    assert_eq!(two.close(&content).await, Answer::Done);
    main.block(&content, 2, None).await;
    assert_eq!(main.close(&content).await, stored(&content));
    assert!(bench.read("big") == content);
    assert_eq!(bench.names(), ["big"]);

    let mut ended = Vec::new();
    for _ in 0..4 {
        let end = bench.ended().await;
        assert_eq!(end.outcome, Outcome::CompleteHash);
        ended.push((end.started.range, end.bytes));
    }
    let whole = content.len() as u64;
    assert_eq!(
        ended,
        [
            (Some((5 * BLOCK, whole)), 9),
            (Some((3 * BLOCK, 5 * BLOCK)), 2 * BLOCK),
            (Some((0, BLOCK)), BLOCK),
            (None, 2 * BLOCK),
        ]
    );
    let totals = std::sync::Arc::clone(&bench.handle.totals);
    // One file, and every byte once.
    assert_eq!(Totals::get(&totals.files_in), 1);
    assert_eq!(Totals::get(&totals.bytes_in), whole);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_dial_of_the_whole_counts_its_shares() {
    let content = noise(3 * B, 2);
    let (mut bench, mut main) = begun(&content).await;
    let started = |what: &What| matches!(what, What::TransferStarted(_));
    let What::TransferStarted(whole) = bench.until(started).await else {
        unreachable!()
    };
    let mut one = bench.greet().await;
    assert_eq!(one.ask(&share(&content, 1, 2)).await, here(&[]));
    assert_eq!(whole.progress.streams(), 2);
    one.block(&content, 1, None).await;
    // A block that does not agree is taken back, and comes again on the same share.
    one.block(&content, 2, Some(77)).await;
    assert_eq!(one.close(&content).await, again(2, 1));
    assert_eq!(whole.progress.done(), BLOCK);
    assert_eq!(whole.progress.verified(), BLOCK);
    one.block(&content, 2, None).await;
    assert_eq!(one.close(&content).await, Answer::Done);
    assert_eq!(whole.progress.done(), 2 * BLOCK);
    assert_eq!(whole.progress.streams(), 1);
    // What is cut in the middle of a block does not count.
    let mut cut = bench.greet().await;
    assert_eq!(cut.ask(&share(&content, 0, 1)).await, here(&[]));
    let half = cut.block_bytes(&content, 0, None);
    cut.send(&half[..B / 2]).await;
    let deadline = tokio::time::Instant::now() + DEADLINE;
    while whole.progress.done() == 2 * BLOCK {
        assert!(tokio::time::Instant::now() < deadline);
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    drop(cut);
    while whole.progress.streams() > 1 {
        assert!(tokio::time::Instant::now() < deadline);
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(whole.progress.done(), 2 * BLOCK);
    main.block(&content, 0, None).await;
    assert_eq!(main.close(&content).await, stored(&content));
    assert_eq!(whole.progress.done(), 3 * BLOCK);
    assert_eq!(whole.progress.verified(), 3 * BLOCK);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_share_of_nothing_is_refused() {
    let content = noise(3 * B, 3);
    let (bench, mut main) = begun(&content).await;
    let mut one = bench.greet().await;
    let other = Terms {
        source: Version::new(b"other").unwrap(),
        ..terms(Pace::Share(span(1, 1)))
    };
    let unchecked = Terms {
        check: Check::None,
        ..terms(Pace::Share(span(1, 1)))
    };
    let size = 3 * BLOCK;
    for (name, size, terms) in [
        ("none", size, terms(Pace::Share(span(1, 1)))),
        ("big", size - 1, terms(Pace::Share(span(1, 1)))),
        ("big", size, other),
        ("big", size, unchecked),
    ] {
        let answer = one.ask(&store(name, size, terms)).await;
        assert_eq!(answer, refused(Refusal::NotFound));
    }
    assert_eq!(one.ask(&share(&content, 1, 2)).await, here(&[]));
    let mut two = bench.greet().await;
    for (first, count) in [(0, 2), (2, 1), (1, 2)] {
        let answer = two.ask(&share(&content, first, count)).await;
        assert_eq!(answer, refused(Refusal::Busy));
    }
    for index in [1, 2] {
        one.block(&content, index, None).await;
    }
    assert_eq!(one.close(&content).await, Answer::Done);
    // What is here is said, and not wanted.
    assert_eq!(one.ask(&share(&content, 0, 3)).await, here(&[(1, 2)]));
    one.block(&content, 0, None).await;
    assert_eq!(one.close(&content).await, Answer::Done);
    assert_eq!(main.close(&content).await, stored(&content));
    // It has landed: there is nothing to bring a share of.
    let late = one.ask(&share(&content, 0, 1)).await;
    assert_eq!(late, refused(Refusal::NotFound));
    assert!(bench.read("big") == content);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_the_right_there_is_no_share() {
    let bench = Bench::new(Rights {
        upload: false,
        ..ALL
    });
    let content = noise(2 * B, 4);
    let mut one = bench.greet().await;
    let answer = one.ask(&share(&content, 0, 1)).await;
    assert_eq!(answer, refused(Refusal::NotAllowed));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_share_has_in_hand_nobody_else_writes() {
    let content = noise(3 * B, 5);
    let (bench, mut main) = begun(&content).await;
    let mut one = bench.greet().await;
    assert_eq!(one.ask(&share(&content, 1, 1)).await, here(&[]));
    // The other connection sends it too, and something else: it is read and forgotten.
    let wrong = noise(3 * B, 6);
    main.block(&content, 0, None).await;
    main.block(&wrong, 1, None).await;
    main.block(&content, 2, None).await;
    // The share is left open: with the end of the whole it is cut.
    assert_eq!(main.close(&content).await, again(1, 1));
    assert!(gone(&mut one).await);
    main.block(&content, 1, None).await;
    assert_eq!(main.close(&content).await, stored(&content));
    assert!(bench.read("big") == content);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_share_ends_with_its_upload_and_what_it_brought_is_kept() {
    let content = noise(4 * B, 7);
    let (mut bench, main) = begun(&content).await;
    let mut one = bench.greet().await;
    assert_eq!(one.ask(&share(&content, 1, 3)).await, here(&[]));
    one.block(&content, 2, None).await;
    let half = one.block_bytes(&content, 3, None);
    one.send(&half[..B / 2]).await;
    let seen = std::sync::Arc::clone(&bench.handle.totals);
    let deadline = tokio::time::Instant::now() + DEADLINE;
    while Totals::get(&seen.bytes_in) < BLOCK + 1 {
        assert!(tokio::time::Instant::now() < deadline);
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    drop(main);
    assert!(gone(&mut one).await);
    bench.ended().await;
    bench.ended().await;
    // The next try goes on from what the share has brought.
    let mut next = bench.greet().await;
    let answer = loop {
        match next.ask(&put("big", &content, Pace::Asked)).await {
            Answer::Refused {
                refusal: Refusal::Busy,
            } => tokio::time::sleep(Duration::from_millis(20)).await,
            answer => break answer,
        }
    };
    assert_eq!(answer, here(&[(2, 1)]));
    for index in [0, 1, 3] {
        next.block(&content, index, None).await;
    }
    assert_eq!(next.close(&content).await, stored(&content));
    assert!(bench.read("big") == content);
    assert_eq!(bench.names(), ["big"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_waits_for_its_shares_has_not_stalled() {
    let limits = Limits {
        stall: Duration::from_millis(600),
        ..Limits::default()
    };
    let content = noise(2 * B, 8);
    let mut bench = Bench::with(ALL, limits, Floor::Bytes(0), Way::BEST);
    let mut main = bench.greet().await;
    let answer = main.ask(&put("big", &content, Pace::Asked)).await;
    assert_eq!(answer, here(&[]));
    main.block(&content, 0, None).await;
    let mut one = bench.greet().await;
    assert_eq!(one.ask(&share(&content, 1, 1)).await, here(&[]));
    // Slow and steady, for several times as long as a sender may be silent.
    let bytes = one.block_bytes(&content, 1, None);
    for piece in bytes.chunks(bytes.len() / 12) {
        one.send(piece).await;
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    assert_eq!(one.close(&content).await, Answer::Done);
    assert_eq!(main.close(&content).await, stored(&content));
    // Where nobody brings anything it has.
    let content = noise(2 * B, 9);
    let answer = main.ask(&put("other", &content, Pace::Asked)).await;
    assert_eq!(answer, here(&[]));
    bench.caused("timeout", "stall_timeout").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_block_spoils_its_share_alone() {
    let content = noise(2 * B, 10);
    let (bench, mut main) = begun(&content).await;
    let mut one = bench.greet().await;
    assert_eq!(one.ask(&share(&content, 1, 1)).await, here(&[]));
    one.block(&content, 1, Some(1)).await;
    for _ in 0..3 {
        assert_eq!(one.close(&content).await, again(1, 1));
        one.block(&content, 1, Some(1)).await;
    }
    assert_eq!(one.close(&content).await, refused(Refusal::Corrupt));
    main.block(&content, 0, None).await;
    assert_eq!(main.close(&content).await, again(1, 1));
    main.block(&content, 1, None).await;
    assert_eq!(main.close(&content).await, stored(&content));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sender_that_is_back_takes_its_silent_upload_over() {
    let content = noise(3 * B, 11);
    let (mut bench, mut main) = begun(&content).await;
    main.block(&content, 1, None).await;
    // In the middle of a block, as a network that is gone leaves it.
    let half = main.block_bytes(&content, 2, None);
    main.send(&half[..B / 2]).await;
    let mut back = bench.greet().await;
    let answer = back.ask(&put("big", &content, Pace::Asked)).await;
    assert_eq!(answer, here(&[(1, 1)]));
    assert_eq!(bench.ended().await.cause, "taken_over");
    assert!(gone(&mut main).await);
    for index in [0, 2] {
        back.block(&content, index, None).await;
    }
    assert_eq!(back.close(&content).await, stored(&content));
    assert!(bench.read("big") == content);
    assert_eq!(bench.names(), ["big"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sender_that_is_back_need_not_come_twice() {
    let content = noise(2 * B, 13);
    let (bench, mut main) = begun(&content).await;
    main.block(&content, 0, None).await;
    let mut back = bench.greet().await;
    let request = back.bytes(&put("big", &content, Pace::Asked));
    back.send(&request).await;
    // Its old line ends while it waits.
    tokio::time::sleep(Duration::from_millis(500)).await;
    drop(main);
    assert_eq!(back.hear().await, here(&[(0, 1)]));
    back.block(&content, 1, None).await;
    assert_eq!(back.close(&content).await, stored(&content));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_upload_that_moves_is_not_taken_over() {
    let content = noise(3 * B, 12);
    let (bench, mut main) = begun(&content).await;
    let mut back = bench.greet().await;
    let request = back.bytes(&put("big", &content, Pace::Asked));
    back.send(&request).await;
    let mut answer = Box::pin(back.hear());
    let blocks = (0..3).map(|index| main.block_bytes(&content, index, None));
    let bytes: Vec<u8> = blocks.collect::<Vec<_>>().concat();
    let mut busy = None;
    for piece in bytes.chunks(bytes.len() / 40) {
        main.send(piece).await;
        if busy.is_none() {
            let heard = timeout(Duration::from_millis(400), &mut answer);
            busy = heard.await.ok();
        }
    }
    assert_eq!(busy, Some(refused(Refusal::Busy)));
    assert_eq!(main.close(&content).await, stored(&content));
    // Another peer's, or another content, is not taken over at all.
    let other = Terms {
        source: Version::new(b"other").unwrap(),
        ..terms(Pace::Asked)
    };
    let answer = main.ask(&put("two", &content, Pace::Asked)).await;
    assert_eq!(answer, here(&[]));
    let mut back = bench.greet().await;
    let size = content.len() as u64;
    let began = std::time::Instant::now();
    let answer = back.ask(&store("two", size, other)).await;
    assert_eq!(answer, refused(Refusal::Busy));
    assert!(began.elapsed() < Duration::from_secs(2));
}
