//! Uploads, served: blocks in any order, cuts, lies, and many small ones at once.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot set its scene has failed"
)]

use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::timeout;

use super::super::bench::*;
use crate::entity::{Outcome, RemotePath, Rights};
use crate::event::{Command, What};
use crate::net::pump::Way;
use crate::net::server::Limits;
use crate::net::store::landing::Floor;
use crate::net::tree::BLOCK;
use crate::net::wire::codec::{
    Answer, Check, Pace, Refusal, Request, Stored, Taken, Terms, Version,
};

const B: usize = 4 << 20;

fn stored(name: &str, content: &[u8]) -> Answer {
    Answer::Stored(Stored {
        name: name.into(),
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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn blocks_come_in_any_order_and_the_file_lands_whole() {
    let mut bench = Bench::new(ALL);
    std::fs::create_dir(bench.dir.path().join("sub")).unwrap();
    let content = noise(2 * B + 99, 1);
    let mut deck = bench.greet().await;
    assert_eq!(deck.rights, ALL);
    for (name, last) in [("big", "big"), ("sub/big", "big")] {
        assert_eq!(deck.ask(&put(name, &content, Pace::Asked)).await, here(&[]));
        for index in [2, 0, 1] {
            deck.block(&content, index, None).await;
        }
        assert_eq!(deck.close(&content).await, stored(last, &content));
        assert!(bench.read(name) == content);
        let meta = std::fs::metadata(bench.dir.path().join(name)).unwrap();
        assert_eq!(meta.mtime(), 1_000_000_000);
        let ended = bench.ended().await;
        assert_eq!(ended.outcome, Outcome::CompleteHash);
        assert_eq!(ended.bytes, content.len() as u64);
        assert_eq!(ended.started.progress.verified(), content.len() as u64);
    }
    assert_eq!(bench.names(), ["big", "sub"]);
    // An empty file has no block, and a root all the same.
    assert_eq!(deck.ask(&put("nil", b"", Pace::Asked)).await, here(&[]));
    assert_eq!(deck.close(b"").await, stored("nil", b""));
    assert_eq!(bench.read("nil"), b"");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flipped_byte_brings_that_block_again_and_no_other() {
    let mut bench = Bench::new(ALL);
    let content = noise(3 * B, 2);
    let mut deck = bench.greet().await;
    assert_eq!(
        deck.ask(&put("big", &content, Pace::Asked)).await,
        here(&[])
    );
    deck.block(&content, 0, None).await;
    deck.block(&content, 1, Some(77)).await;
    deck.block(&content, 2, None).await;
    let blocks = vec![span(1, 1)];
    assert_eq!(deck.close(&content).await, Answer::Again { blocks });
    deck.block(&content, 1, None).await;
    assert_eq!(deck.close(&content).await, stored("big", &content));
    assert!(bench.read("big") == content);
    let ended = bench.ended().await;
    assert_eq!(ended.outcome, Outcome::CompleteHash);
    // What came twice counts once.
    assert_eq!(ended.bytes, content.len() as u64);
    assert!(bench.words().contains("note=again"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_block_that_never_agrees_is_refused_and_the_others_are_kept() {
    let mut bench = Bench::new(ALL);
    let content = noise(2 * B, 3);
    let mut deck = bench.greet().await;
    assert_eq!(
        deck.ask(&put("big", &content, Pace::Asked)).await,
        here(&[])
    );
    deck.block(&content, 0, None).await;
    for round in 0..4 {
        deck.block(&content, 1, Some(round)).await;
        let answer = deck.close(&content).await;
        if round < 3 {
            let blocks = vec![span(1, 1)];
            assert_eq!(answer, Answer::Again { blocks });
        } else {
            assert_eq!(answer, refused(Refusal::Corrupt));
        }
    }
    let ended = bench.ended().await;
    assert_eq!((ended.outcome, ended.cause), (Outcome::Failed, "corrupt"));
    // The connection goes on, and so does the upload.
    assert_eq!(
        deck.ask(&put("big", &content, Pace::Asked)).await,
        here(&[(0, 1)])
    );
    deck.block(&content, 1, None).await;
    assert_eq!(deck.close(&content).await, stored("big", &content));
    assert_eq!(bench.names(), ["big"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn good_blocks_with_another_root_are_nobodys_file() {
    let mut bench = Bench::new(ALL);
    let content = noise(B + 5, 4);
    let mut deck = bench.greet().await;
    assert_eq!(
        deck.ask(&put("big", &content, Pace::Asked)).await,
        here(&[])
    );
    deck.block(&content, 0, None).await;
    deck.block(&content, 1, None).await;
    assert_eq!(deck.close(b"another").await, refused(Refusal::Corrupt));
    assert_eq!(bench.ended().await.cause, "corrupt");
    assert_eq!(bench.names(), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cut_upload_goes_on_from_the_blocks_that_are_there() {
    let mut bench = Bench::new(ALL);
    let content = noise(4 * B + 1_000, 5);
    // Cut within a block, between two, and before the first is whole.
    for (cut, kept) in [
        (B / 2, 0),
        (B + 1_000, 1),
        (2 * B + 200, 2),
        (3 * B + B / 3, 3),
    ] {
        let mut deck = bench.greet().await;
        let answer = deck.ask(&put("big", &content, Pace::Asked)).await;
        let Answer::Here { blocks } = answer else {
            panic!("{answer:?}");
        };
        let there: u64 = blocks.iter().map(|span| span.count).sum();
        let mut out = Vec::new();
        for index in there..5 {
            out.extend(deck.block_bytes(&content, index, None));
        }
        let sent = cut - usize::try_from(there).unwrap() * B;
        deck.send(&out[..sent]).await;
        drop(deck);
        let ended = bench.ended().await;
        assert_eq!(
            (ended.outcome, ended.cause),
            (Outcome::Failed, "peer_closed")
        );
        assert_eq!(ended.started.offset, there * BLOCK);
        bench.caused("closed", "peer_closed").await;
        let mut deck = bench.greet().await;
        let answer = deck.ask(&put("big", &content, Pace::Asked)).await;
        let due: &[_] = if kept == 0 { &[] } else { &[(0, kept)] };
        assert_eq!(answer, here(due), "cut at {cut}");
        assert!(!bench.names().contains(&"big".to_owned()));
        drop(deck);
        bench.caused("closed", "peer_closed").await;
    }
    let mut deck = bench.greet().await;
    assert_eq!(
        deck.ask(&put("big", &content, Pace::Asked)).await,
        here(&[(0, 3)])
    );
    deck.block(&content, 3, None).await;
    deck.block(&content, 4, None).await;
    assert_eq!(deck.close(&content).await, stored("big", &content));
    assert!(bench.read("big") == content);
    assert_eq!(bench.names(), ["big"]);
    let ended =
        bench.until(|what| matches!(what, What::TransferEnded(ended) if ended.outcome.went_well()));
    let What::TransferEnded(ended) = ended.await else {
        panic!();
    };
    assert_eq!(
        ended.bytes,
        BLOCK + 1_000,
        "what was there did not cross again"
    );
    assert!(bench.words().contains("note=resumed"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_lies_there_is_hashed_again_before_it_is_trusted() {
    let mut bench = Bench::new(ALL);
    let content = noise(3 * B, 6);
    let mut deck = bench.greet().await;
    assert_eq!(
        deck.ask(&put("big", &content, Pace::Asked)).await,
        here(&[])
    );
    deck.block(&content, 0, None).await;
    deck.block(&content, 2, None).await;
    // The end before the last block: the middle one is asked for, so the others are in.
    let blocks = vec![span(1, 1)];
    assert_eq!(deck.close(&content).await, Answer::Again { blocks });
    drop(deck);
    bench.caused("closed", "peer_closed").await;
    let part = bench
        .names()
        .into_iter()
        .find(|name| name.contains(".part"));
    let part = std::fs::File::options()
        .write(true)
        .open(bench.dir.path().join(part.unwrap()))
        .unwrap();
    part.write_all_at(b"!", 5).unwrap();
    let mut deck = bench.greet().await;
    assert_eq!(
        deck.ask(&put("big", &content, Pace::Asked)).await,
        here(&[(2, 1)])
    );
    deck.block(&content, 0, None).await;
    deck.block(&content, 1, None).await;
    assert_eq!(deck.close(&content).await, stored("big", &content));
    assert!(bench.read("big") == content);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_content_begins_anew_and_says_so() {
    let mut bench = Bench::new(ALL);
    let old = noise(2 * B, 7);
    let new = noise(2 * B, 8);
    let mut deck = bench.greet().await;
    assert_eq!(deck.ask(&put("big", &old, Pace::Asked)).await, here(&[]));
    deck.block(&old, 0, None).await;
    let blocks = vec![span(1, 1)];
    assert_eq!(deck.close(&old).await, Answer::Again { blocks });
    drop(deck);
    bench.caused("closed", "peer_closed").await;
    let mut deck = bench.greet().await;
    let other = Terms {
        source: Version::new(b"second").unwrap(),
        ..terms(Pace::Asked)
    };
    let answer = deck.ask(&store("big", new.len() as u64, other)).await;
    assert_eq!(answer, here(&[]));
    bench.caused("note", "restarted").await;
    deck.block(&new, 0, None).await;
    deck.block(&new, 1, None).await;
    assert_eq!(deck.close(&new).await, stored("big", &new));
    assert!(bench.read("big") == new);
    assert_eq!(bench.names(), ["big"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_taken_name_is_refused_before_anything_is_sent() {
    let bench = Bench::new(ALL);
    bench.file("a", b"old");
    let mut deck = bench.greet().await;
    let with = |taken| Terms {
        taken,
        ..terms(Pace::Asked)
    };
    assert_eq!(
        deck.ask(&put("a", b"new", Pace::Asked)).await,
        refused(Refusal::Exists)
    );
    assert_eq!(bench.read("a"), b"old");
    assert_eq!(
        deck.ask(&store("a", 3, with(Taken::Rename))).await,
        here(&[])
    );
    deck.block(b"new", 0, None).await;
    assert_eq!(deck.close(b"new").await, stored("a (1)", b"new"));
    assert_eq!(
        deck.ask(&store("a", 3, with(Taken::Replace))).await,
        here(&[])
    );
    deck.block(b"NEW", 0, None).await;
    assert_eq!(deck.close(b"NEW").await, stored("a", b"NEW"));
    assert_eq!(
        (bench.read("a"), bench.read("a (1)")),
        (b"NEW".to_vec(), b"new".to_vec())
    );
    // To replace is to delete.
    let bench = Bench::new(Rights {
        delete: false,
        ..ALL
    });
    bench.file("a", b"old");
    let mut deck = bench.greet().await;
    let answer = deck.ask(&store("a", 3, with(Taken::Replace))).await;
    assert_eq!(answer, refused(Refusal::NotAllowed));
    // A free name needs no such right.
    assert_eq!(
        deck.ask(&store("b", 3, with(Taken::Replace))).await,
        here(&[])
    );
    // And one that was taken meanwhile is left alone.
    bench.file("b", b"old");
    deck.block(b"new", 0, None).await;
    assert_eq!(deck.close(b"new").await, refused(Refusal::Exists));
    assert_eq!(bench.read("b"), b"old");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn names_and_rights_are_looked_at_first() {
    let mut bench = Bench::new(ALL);
    let mut deck = bench.greet().await;
    for (name, refusal) in [
        (".hidden", Refusal::BadName),
        (".ferrydeck-x", Refusal::BadName),
        ("../up", Refusal::NotFound),
        ("none/a", Refusal::NotFound),
    ] {
        assert_eq!(
            deck.ask(&put(name, b"x", Pace::Asked)).await,
            refused(refusal),
            "{name}"
        );
        // An eager one was sent all the same: it is read, and the talk goes on.
        let mut out = deck.eager(name, b"x");
        out.extend(deck.bytes(&Request::Ping { token: 9 }));
        deck.send(&out).await;
        assert_eq!(deck.hear().await, refused(refusal), "{name}");
        assert_eq!(deck.hear().await, Answer::Pong { token: 9 });
    }
    bench.words();
    let mut bench = Bench::new(Rights::READ_ONLY);
    let mut deck = bench.greet().await;
    let no = refused(Refusal::NotAllowed);
    assert_eq!(deck.ask(&put("a", b"x", Pace::Asked)).await, no);
    let large = noise(1 << 20, 1);
    let mut out = deck.eager("a", b"x");
    out.extend(deck.eager("b", &large));
    out.extend(deck.bytes(&Request::Ping { token: 9 }));
    deck.send(&out).await;
    assert_eq!(deck.hear().await, no);
    assert_eq!(deck.hear().await, no);
    assert_eq!(deck.hear().await, Answer::Pong { token: 9 });
    drop(deck);
    bench.caused("closed", "peer_closed").await;
    let words = bench.words();
    assert!(words.contains("refused=not_allowed"), "{words}");
    assert!(!words.contains("transfer_started"), "{words}");
    assert_eq!(bench.names(), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_at_one_file_are_one_too_many() {
    let mut bench = Bench::new(ALL);
    let content = noise(2 * B, 9);
    let mut first = bench.greet().await;
    assert_eq!(
        first.ask(&put("big", &content, Pace::Asked)).await,
        here(&[])
    );
    let mut second = bench.greet().await;
    let other = Terms {
        source: Version::new(b"another").unwrap(),
        ..terms(Pace::Asked)
    };
    let answer = second.ask(&store("big", 2 * BLOCK, other)).await;
    assert_eq!(answer, refused(Refusal::Busy));
    bench.caused("refused", "busy").await;
    first.block(&content, 0, None).await;
    first.block(&content, 1, None).await;
    assert_eq!(first.close(&content).await, stored("big", &content));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_size_that_nobody_has_room_for_is_refused_at_once() {
    let mut bench = Bench::new(ALL);
    let mut deck = bench.greet().await;
    for size in [1 << 50, u64::MAX, u64::MAX - 1] {
        let answer = deck.ask(&store("big", size, terms(Pace::Asked))).await;
        assert!(
            matches!(
                answer,
                Answer::Refused {
                    refusal: Refusal::NoRoom | Refusal::Failed
                }
            ),
            "{size}: {answer:?}"
        );
    }
    bench.caused("refused", "no_room").await;
    assert_eq!(bench.names(), Vec::<String>::new());
    let bench = Bench::with(ALL, Limits::default(), Floor::Bytes(1 << 60), Way::BEST);
    let mut deck = bench.greet().await;
    assert_eq!(
        deck.ask(&put("a", b"x", Pace::Asked)).await,
        refused(Refusal::NoRoom)
    );
    let out = deck.eager("a", b"x");
    deck.send(&out).await;
    assert_eq!(deck.hear().await, refused(Refusal::NoRoom));
    assert_eq!(bench.names(), Vec::<String>::new());
}

/// Unmounts when dropped.
struct Small(std::path::PathBuf);

impl Drop for Small {
    fn drop(&mut self) {
        let mut command = std::process::Command::new("umount");
        let _ = command.arg("-l").arg(&self.0).status();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[expect(clippy::print_stderr, reason = "a test that is skipped says so")]
async fn a_disk_that_fills_up_is_said_at_once_and_what_is_there_is_kept() {
    let dir = assert_fs::TempDir::new().unwrap();
    let mounted = std::process::Command::new("mount")
        .args(["-t", "tmpfs", "-o", "size=32m", "tmpfs"])
        .arg(dir.path())
        .stderr(std::process::Stdio::null())
        .status();
    if !mounted.is_ok_and(|status| status.success()) {
        let required = std::env::var("FERRYDECK_REQUIRE_ALL").is_ok_and(|all| all == "1");
        assert!(!required, "needs root");
        eprintln!("skipped: needs root/mount");
        return;
    }
    let _small = Small(dir.path().to_owned());
    let limits = Limits::default();
    let mut bench = Bench::on(dir, ALL, limits, Floor::Bytes(0), Way::BEST);
    let content = noise(4 * B, 19);
    let mut deck = bench.greet().await;
    let answer = deck.ask(&put("big", &content, Pace::Asked)).await;
    assert_eq!(answer, here(&[]));
    // Somebody else is faster: room for one block is left.
    bench.file("filler", &vec![1; 26 << 20]);
    let mut all = Vec::new();
    for index in 0..4 {
        all.extend(deck.block_bytes(&content, index, None));
    }
    deck.codec.close(Ok(Some(root_of(&content))), &mut all);
    deck.send(&all).await;
    assert_eq!(deck.hear().await, refused(Refusal::NoRoom));
    // What was still on its way is read and forgotten; the talk goes on.
    let pong = deck.ask(&Request::Ping { token: 8 }).await;
    assert_eq!(pong, Answer::Pong { token: 8 });
    let ended = bench.ended().await;
    assert_eq!((ended.outcome, ended.cause), (Outcome::Failed, "no_room"));
    let whole = bench.dir.path().join("filler");
    std::fs::remove_file(whole).unwrap();
    let answer = deck.ask(&put("big", &content, Pace::Asked)).await;
    let Answer::Here { blocks } = answer else {
        panic!("{answer:?}");
    };
    let there: u64 = blocks.iter().map(|span| span.count).sum();
    assert_eq!(there, 1, "{blocks:?}");
    for index in 1..4 {
        deck.block(&content, index, None).await;
    }
    assert_eq!(deck.close(&content).await, stored("big", &content));
    assert!(bench.read("big") == content);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kick_keeps_what_is_there() {
    let mut bench = Bench::new(ALL);
    let content = noise(3 * B, 10);
    let mut deck = bench.greet().await;
    assert_eq!(
        deck.ask(&put("big", &content, Pace::Asked)).await,
        here(&[])
    );
    let What::TransferStarted(started) = bench
        .until(|what| matches!(what, What::TransferStarted(_)))
        .await
    else {
        panic!();
    };
    deck.block(&content, 0, None).await;
    let half = deck.block_bytes(&content, 1, None);
    deck.send(&half[..B / 2]).await;
    let arrived = async {
        while started.progress.done() < BLOCK + BLOCK / 4 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(DEADLINE, arrived).await.unwrap();
    bench
        .handle
        .commands
        .send(Command::Kick(started.conn))
        .unwrap();
    assert_eq!(bench.ended().await.outcome, Outcome::Kicked);
    bench.caused("closed", "kicked").await;
    let mut deck = bench.greet().await;
    assert_eq!(
        deck.ask(&put("big", &content, Pace::Asked)).await,
        here(&[(0, 1)])
    );
    deck.block(&content, 1, None).await;
    deck.block(&content, 2, None).await;
    assert_eq!(deck.close(&content).await, stored("big", &content));
    assert!(bench.read("big") == content);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sender_that_falls_silent_is_ended_by_the_clock() {
    let limits = Limits {
        stall: Duration::from_millis(400),
        ..Limits::default()
    };
    // Within a block, and between two.
    for sent in [B / 2, B + 100, 2 * B] {
        let mut bench = Bench::with(ALL, limits.clone(), Floor::Bytes(0), Way::BEST);
        let content = noise(3 * B, 11);
        let mut deck = bench.greet().await;
        assert_eq!(
            deck.ask(&put("big", &content, Pace::Asked)).await,
            here(&[])
        );
        let mut out = Vec::new();
        for index in 0..3 {
            out.extend(deck.block_bytes(&content, index, None));
        }
        deck.send(&out[..sent]).await;
        assert_eq!(bench.ended().await.outcome, Outcome::TimedOut);
        let fact = bench.caused("timeout", "stall_timeout").await;
        assert_eq!(fact.path, Some(RemotePath::from("big")));
        bench.caused("closed", "timeout").await;
        assert!(!bench.names().contains(&"big".to_owned()));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sender_that_gives_up_is_answered_with_its_own_word() {
    let mut bench = Bench::new(ALL);
    let content = noise(2 * B, 12);
    let mut deck = bench.greet().await;
    assert_eq!(
        deck.ask(&put("big", &content, Pace::Asked)).await,
        here(&[])
    );
    deck.block(&content, 0, None).await;
    let mut out = Vec::new();
    deck.codec.close(Err(Refusal::Changed), &mut out);
    deck.send(&out).await;
    assert_eq!(deck.hear().await, refused(Refusal::Changed));
    let ended = bench.ended().await;
    assert_eq!((ended.outcome, ended.cause), (Outcome::Failed, "changed"));
    assert_eq!(
        deck.ask(&Request::Ping { token: 1 }).await,
        Answer::Pong { token: 1 }
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_opens_and_goes_leaves_nothing() {
    let mut bench = Bench::new(ALL);
    let content = noise(3 * B, 18);
    for n in 0..200_u32 {
        let mut deck = bench.greet().await;
        let answer = deck
            .ask(&store(&format!("f{n}"), 3 * BLOCK, terms(Pace::Asked)))
            .await;
        assert_eq!(answer, here(&[]));
        if n % 3 == 0 {
            // A run begun, and never ended.
            let out = deck.block_bytes(&content, 1, None);
            deck.send(&out[..1_000]).await;
        }
        drop(deck);
        bench.caused("closed", "peer_closed").await;
    }
    assert_eq!(bench.names(), Vec::<String>::new());
    assert_eq!(
        bench.handle.feed.ready().map(|event| format!("{event:?}")),
        None
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_small_files_in_one_write_land_in_order() {
    let mut bench = Bench::new(ALL);
    std::fs::create_dir(bench.dir.path().join("sub")).unwrap();
    bench.file("f30", b"old");
    let name = |n: usize| {
        if n % 7 == 3 {
            format!("sub/f{n}")
        } else {
            format!("f{n}")
        }
    };
    let content = |n: usize| match n {
        5 => Vec::new(),
        60 => noise(200_000, 60),
        61 => noise(1 << 20, 61),
        _ => noise(500 + n * 11, u32::try_from(n).unwrap()),
    };
    let mut deck = bench.greet().await;
    let mut out = Vec::new();
    for n in 0..150 {
        let mut one = deck.eager(&name(n), &content(n));
        if n == 20 {
            // Within the content: behind it come the block's end and the end.
            let at = one.len() - 200;
            one[at] ^= 1;
        }
        out.extend(one);
    }
    out.extend(deck.bytes(&Request::Ping { token: 3 }));
    deck.send(&out).await;
    for n in 0..150 {
        let due = match n {
            20 => refused(Refusal::Corrupt),
            30 => refused(Refusal::Exists),
            n => stored(&format!("f{n}"), &content(n)),
        };
        assert_eq!(deck.hear().await, due, "{n}");
    }
    assert_eq!(deck.hear().await, Answer::Pong { token: 3 });
    for n in (0..150).filter(|n| ![20, 30].contains(n)) {
        assert!(bench.read(&name(n)) == content(n), "{n}");
        let meta = std::fs::metadata(bench.dir.path().join(name(n))).unwrap();
        assert_eq!(meta.mtime(), 1_000_000_000);
    }
    assert_eq!(bench.read("f30"), b"old");
    assert!(
        !bench.names().iter().any(|name| name.starts_with('.')),
        "{:?}",
        bench.names()
    );
    drop(deck);
    bench.caused("closed", "peer_closed").await;
    let (mut well, mut failed) = (0, 0);
    for event in &bench.told {
        if let What::TransferEnded(ended) = &event.what {
            match ended.outcome {
                Outcome::CompleteHash => well += 1,
                Outcome::Failed => failed += 1,
                other => panic!("{other:?}"),
            }
        }
    }
    assert_eq!((well, failed), (148, 2));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_eager_file_of_many_blocks_is_read_and_forgotten() {
    let bench = Bench::new(ALL);
    let content = noise(B + 1, 13);
    let mut deck = bench.greet().await;
    let mut out = deck.eager("big", &content);
    out.extend(deck.eager("small", b"x"));
    deck.send(&out).await;
    assert_eq!(deck.hear().await, refused(Refusal::TooLarge));
    assert_eq!(deck.hear().await, stored("small", b"x"));
    assert_eq!(bench.names(), ["small"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_is_read_for_ever_behind_a_no() {
    let mut bench = Bench::new(Rights::READ_ONLY);
    let mut deck = bench.greet().await;
    let block = vec![7; B];
    let mut out = deck.bytes(&store("big", 1 << 40, terms(Pace::Eager)));
    for index in 0..20 {
        deck.codec.block(index * BLOCK, BLOCK, &mut out);
        out.extend_from_slice(&block);
        deck.codec.seal(Some([1; 32]), &mut out);
    }
    // It may be cut in the middle of our sending: that is the point.
    let _ = timeout(DEADLINE, deck.peer.write_all(&out)).await.unwrap();
    drop(deck);
    bench.caused("refused", "surfeit").await;
    bench.caused("closed", "refused").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cut_within_a_batch_lands_none_that_was_not_answered() {
    let mut bench = Bench::new(ALL);
    let mut deck = bench.greet().await;
    let mut out = deck.eager("a", b"one");
    let second = deck.eager("b", b"two");
    out.extend_from_slice(&second[..second.len() - 3]);
    deck.send(&out).await;
    drop(deck);
    for _ in 0..2 {
        let ended = bench.ended().await;
        assert_eq!(
            (ended.outcome, ended.cause),
            (Outcome::Failed, "peer_closed")
        );
    }
    bench.caused("closed", "peer_closed").await;
    assert_eq!(bench.names(), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_block_that_is_there_may_come_twice_and_changes_nothing() {
    let bench = Bench::new(ALL);
    let content = noise(2 * B, 14);
    let mut deck = bench.greet().await;
    assert_eq!(
        deck.ask(&put("big", &content, Pace::Asked)).await,
        here(&[])
    );
    deck.block(&content, 0, None).await;
    // The same place, other bytes, and the value that fits them.
    deck.block(&noise(2 * B, 15), 0, None).await;
    let blocks = vec![span(1, 1)];
    assert_eq!(deck.close(&content).await, Answer::Again { blocks });
    deck.block(&content, 1, None).await;
    assert_eq!(deck.close(&content).await, stored("big", &content));
    assert!(bench.read("big") == content);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn frames_out_of_order_end_the_connection_and_keep_no_file() {
    let content = noise(B + 5, 16);
    for case in 0..4 {
        let mut bench = Bench::new(ALL);
        let mut deck = bench.greet().await;
        assert_eq!(
            deck.ask(&put("big", &content, Pace::Asked)).await,
            here(&[])
        );
        let mut out = Vec::new();
        match case {
            // A block that is none of the file's.
            0 => deck.codec.block(2 * BLOCK, 5, &mut out),
            // One that is too short.
            1 => deck.codec.block(0, 5, &mut out),
            // A request within the payload.
            2 => out.extend_from_slice(b"\x49\x7E\x1B\x00\x00\x00\x05\xA1\x00\x19\x01\x2C"),
            // More blocks than there are.
            _ => {
                for index in [0, 1, 0] {
                    out.extend(deck.block_bytes(&content, index, None));
                }
            }
        }
        // It may be closed before all of that is taken.
        let _ = timeout(DEADLINE, deck.peer.write_all(&out)).await.unwrap();
        let mut rest = Vec::new();
        let _ = timeout(DEADLINE, deck.peer.read_to_end(&mut rest))
            .await
            .unwrap();
        drop(deck);
        bench.caused("closed", "malformed").await;
        assert!(!bench.names().contains(&"big".to_owned()));
        let words = bench.words();
        assert!(words.contains("transfer_ended=failed"), "{case}: {words}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_check_length_is_the_word() {
    let mut bench = Bench::new(ALL);
    let content = noise(B + 5, 17);
    let mut deck = bench.greet().await;
    let plain = Terms {
        check: Check::None,
        ..terms(Pace::Asked)
    };
    let answer = deck.ask(&store("big", content.len() as u64, plain)).await;
    assert_eq!(answer, here(&[]));
    let mut out = Vec::new();
    for index in 0..2 {
        let (offset, bytes) = block_of(&content, index);
        deck.codec.block(offset, bytes.len() as u64, &mut out);
        out.extend(bytes);
        deck.codec.seal(None, &mut out);
    }
    deck.codec.close(Ok(None), &mut out);
    deck.send(&out).await;
    let due = Stored {
        name: "big".into(),
        root: None,
    };
    assert_eq!(deck.hear().await, Answer::Stored(due));
    assert!(bench.read("big") == content);
    assert_eq!(bench.ended().await.outcome, Outcome::CompleteLength);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn small_files_that_drip_in_do_not_fill_the_memory() {
    let bench = Bench::new(ALL);
    let mut lines = Vec::new();
    for n in 0..70 {
        let mut deck = bench.greet().await;
        let mut out = deck.eager(&n.to_string(), &noise(1_000, n));
        let rest = out.split_off(out.len() - 100);
        deck.send(&out).await;
        lines.push((n, deck, rest));
    }
    // More at once than may be held in memory: those go to the disk as they come.
    let on_disk = async {
        while !bench
            .names()
            .iter()
            .any(|name| name.starts_with(".ferrydeck-"))
        {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(DEADLINE, on_disk).await.unwrap();
    for (n, mut deck, rest) in lines {
        deck.send(&rest).await;
        let due = stored(&n.to_string(), &noise(1_000, n));
        assert_eq!(deck.hear().await, due);
    }
    assert_eq!(bench.names().len(), 70);
}
