//! The hub under a flood: the picture may be incomplete, never wrong.

use super::*;
use crate::entity::{Dialect, Direction, Outcome, RemotePath};
use crate::model::{About, Model, Role};
use std::time::Duration;

fn local(port: u16) -> SocketAddr {
    ([127, 0, 0, 1], port).into()
}

fn model() -> Model {
    Model::new(About {
        role: Role::Serve,
        subject: DisplayName::from("/srv"),
        landing: DisplayName::default(),
        badges: Vec::new(),
        standing: None,
        limit: None,
        max_connections: 16,
    })
}

fn drain(feed: &mut Feed, model: &mut Model) {
    while let Some(event) = feed.ready() {
        model.apply(&event, Duration::ZERO);
    }
}

fn order(path: &str) -> TransferOrder {
    TransferOrder {
        job: None,
        dialect: Dialect::Deck,
        direction: Direction::Out,
        proof: Outcome::CompleteLength,
        path: RemotePath::from(path),
        size: Some(10),
        offset: 0,
        range: None,
    }
}

#[tokio::test]
async fn after_a_flood_the_living_equal_the_registry() {
    let hub = Hub::new(8);
    let mut feed = hub.feed();
    let mut model = model();
    let mut kept = Vec::new();
    for port in 0..500 {
        let guard = hub.accept(local(port + 1), local(1), CancellationToken::new());
        if port % 50 == 7 {
            let xfer = guard.start(order("kept"));
            kept.push((guard, xfer));
        }
    }
    drain(&mut feed, &mut model);
    assert!(model.lost > 400, "the loss is shown: {}", model.lost);
    assert_eq!(model.living(), kept.len());
    assert_eq!(model.active(), kept.len());
    kept.truncate(3);
    drain(&mut feed, &mut model);
    assert_eq!(model.living(), 3);
    drop(kept);
    drain(&mut feed, &mut model);
    assert_eq!(model.living(), 0);
    assert_eq!(hub.population(), 0);
    assert_eq!(hub.transfers(), 0);
}

#[tokio::test]
async fn what_follows_a_resynchronisation_is_heard_in_order() {
    let hub = Hub::new(4);
    let mut feed = hub.feed();
    for _ in 0..20 {
        hub.note("x", "flood");
    }
    let first = feed.next().await.map(|event| event.what);
    assert!(matches!(
        first,
        Some(What::Reset(Snapshot { lost: 20, .. }))
    ));
    hub.note("after", "");
    let next = feed.next().await.map(|event| event.what);
    assert!(matches!(
        next,
        Some(What::Note(Fact { cause: "after", .. }))
    ));
    hub.close();
    assert!(feed.next().await.is_none());
}

#[tokio::test]
async fn a_panicking_task_closes_its_row_with_a_note() {
    let hub = Hub::new(64);
    let mut feed = hub.feed();
    let guard = hub.accept(local(1), local(2), CancellationToken::new());
    let other = hub.accept(local(3), local(2), CancellationToken::new());
    let task = tokio::spawn(async move {
        let _guard = guard;
        assert!(std::hint::black_box(false), "a planted fault");
    });
    assert!(task.await.is_err());
    let mut words = Vec::new();
    while let Some(event) = feed.ready() {
        if let What::Note(fact) | What::Closed(fact) = &event.what {
            words.push((event.what.label().unwrap_or(""), fact.cause, fact.conn));
        }
    }
    assert_eq!(
        words,
        [
            ("note", "panicked", Some(ConnId(1))),
            ("closed", "panicked", Some(ConnId(1)))
        ]
    );
    assert_eq!(hub.population(), 1);
    drop(other);
}

#[tokio::test]
async fn a_transfer_that_is_dropped_has_failed() {
    let hub = Hub::new(64);
    let mut feed = hub.feed();
    let guard = hub.accept(local(1), local(2), CancellationToken::new());
    drop(guard.start(order("a")));
    let mut seen = None;
    while let Some(event) = feed.ready() {
        if let What::TransferEnded(ended) = event.what {
            seen = Some((ended.outcome, ended.cause));
        }
    }
    assert_eq!(seen, Some((Outcome::Failed, "aborted")));
    assert_eq!(Totals::get(&hub.totals().failed), 1);
}

#[tokio::test]
async fn a_file_over_several_streams_is_one_file() {
    let hub = Hub::new(64);
    let guard = hub.accept(local(1), local(2), CancellationToken::new());
    for range in [Some((0, 4)), Some((4, 8)), Some((8, 10))] {
        guard
            .start(TransferOrder {
                range,
                ..order("a")
            })
            .end_well();
    }
    assert_eq!(Totals::get(&hub.totals().files_out), 1);
    guard.start(order("b")).end_well();
    assert_eq!(Totals::get(&hub.totals().files_out), 2);
}
