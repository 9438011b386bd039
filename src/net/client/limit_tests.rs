//! The buckets under a paused clock: what leaves in five seconds is what may.

use super::*;

fn limits(all: Option<u64>, own: Option<u64>) -> Limits {
    Limits {
        all: Arc::new(Limit::new(all)),
        own: Arc::new(Limit::new(own)),
    }
}

/// Moves as much as `limits` let through until `until`; in bytes.
async fn pour(limits: Limits, until: Instant) -> u64 {
    let mut moved = 0;
    while Instant::now() < until {
        let slice = limits.slice(256 << 10) as u64;
        moved += slice;
        limits.spend(slice).await;
    }
    moved
}

#[tokio::test(start_paused = true)]
async fn a_rate_is_kept_within_five_in_a_hundred() {
    for rate in [1_000, 100_000, 10_000_000] {
        let until = Instant::now() + Duration::from_secs(5);
        let moved = pour(limits(Some(rate), None), until).await;
        let due = rate * 5;
        assert!(moved.abs_diff(due) * 20 <= due, "{moved} of {due}");
    }
}

#[tokio::test(start_paused = true)]
async fn several_streams_share_one_rate() {
    let limits = limits(Some(1_000_000), None);
    let until = Instant::now() + Duration::from_secs(5);
    let streams = (0..4).map(|_| tokio::spawn(pour(limits.clone(), until)));
    let mut moved = 0;
    for stream in streams.collect::<Vec<_>>() {
        moved += stream.await.unwrap_or(0);
    }
    let due = 5_000_000_u64;
    assert!(moved.abs_diff(due) * 20 <= due, "{moved} of {due}");
}

#[tokio::test(start_paused = true)]
async fn the_tighter_of_two_holds_and_may_be_let_go() {
    let both = limits(Some(1_000_000), Some(100_000));
    let until = Instant::now() + Duration::from_secs(5);
    let moved = pour(both.clone(), until).await;
    assert!(moved.abs_diff(500_000) * 20 <= 500_000, "{moved}");
    both.own.set(None);
    let until = Instant::now() + Duration::from_secs(5);
    let moved = pour(both.clone(), until).await;
    assert!(moved.abs_diff(5_000_000) * 20 <= 5_000_000, "{moved}");
    assert_eq!(both.own.rate(), None);
    both.all.set(None);
    assert_eq!(both.slice(4_096), 4_096);
}

#[tokio::test(start_paused = true)]
async fn a_pause_is_not_caught_up() {
    let limits = limits(Some(1_000_000), None);
    tokio::time::advance(Duration::from_mins(1)).await;
    let until = Instant::now() + Duration::from_secs(5);
    let moved = pour(limits, until).await;
    assert!(moved.abs_diff(5_000_000) * 20 <= 5_000_000, "{moved}");
}
