//! A frame costs what the screen costs, not what the world costs.

use std::time::{Duration, Instant};

use crate::entity::{Dialect, Direction, Phase};

use super::world::{World, screen};
use ratatui::Terminal;
use ratatui::backend::TestBackend;

/// `cargo test --release ui::tests::cost -- --nocapture` tells the figure.
#[test]
fn ten_thousand_connections_are_drawn_in_a_few_milliseconds() {
    let mut world = World::server();
    for n in 1..=10_000u64 {
        let [.., a, b] = n.to_be_bytes();
        world.accept(n, [10, 0, a, b]);
        if n % 3 == 0 {
            // `start` and `phase` search; the last one born is at the end.
            let birth = world.births.last().unwrap();
            birth.dials.set_dialect(Dialect::Deck);
            birth.dials.set_phase(Phase::Sending);
            birth.dials.add_out(n * 1000);
        }
    }
    world.start(1, 1, Direction::Out, "a.iso", Some(1 << 40));
    world.tick(1_000);
    let mut screen = screen(&world);
    let mut terminal = Terminal::new(TestBackend::new(200, 50)).unwrap();
    let mut best = Duration::MAX;
    for _ in 0..20 {
        world.now += Duration::from_millis(33);
        world.model.now = world.now;
        let begun = Instant::now();
        terminal
            .draw(|frame| crate::ui::view(frame, &world.model, &mut screen))
            .unwrap();
        best = best.min(begun.elapsed());
    }
    // A frame in debug costs about ten times as much; this catches a build of every row.
    let most = if cfg!(debug_assertions) { 120 } else { 5 };
    assert!(best < Duration::from_millis(most), "{best:?}");
}
