//! A frame costs what the screen costs, not what the world costs.

use std::time::{Duration, Instant};

use crate::entity::{Dialect, Direction, Kind, Phase};
use crate::event::{Command, ListingState};
use crate::ui::{Reaction, Screen};

use super::world::{World, draw, screen, text};
use super::{keys, press};
use crossterm::event::KeyCode;
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

/// A client with so many files in view.
fn folder_of(count: u64) -> World {
    let names: Vec<String> = (0..count)
        .map(|n| format!("Run-{}.dat", n ^ 0x55))
        .collect();
    let entries: Vec<_> = names
        .iter()
        .map(|name| (name.as_str(), Kind::File, 1000))
        .collect();
    let mut world = World::client();
    world.ready(true);
    world.list("runs", &entries, ListingState::Whole);
    world.tick(1_000);
    world
}

/// The shortest of a few keys with the frame that answers each.
fn key_and_frame(world: &World, screen: &mut Screen, code: KeyCode) -> Duration {
    let mut terminal = Terminal::new(TestBackend::new(200, 50)).unwrap();
    let mut best = Duration::MAX;
    for _ in 0..10 {
        let begun = Instant::now();
        press(screen, world, code);
        terminal
            .draw(|frame| crate::ui::view(frame, &world.model, screen))
            .unwrap();
        best = best.min(begun.elapsed());
    }
    best
}

#[test]
fn a_key_among_many_marks_costs_what_the_screen_costs() {
    let world = folder_of(100_000);
    let mut screen = screen(&world);
    draw(&world, &mut screen, (200, 50));
    keys(&mut screen, &world, "v");
    while screen.files.cursor.index() < 40_000 {
        press(&mut screen, &world, KeyCode::PageDown);
    }
    keys(&mut screen, &world, "v");
    let frame = text(&draw(&world, &mut screen, (200, 50)));
    assert!(frame.contains("● 40,0"), "{frame}");
    let most = Duration::from_millis(if cfg!(debug_assertions) { 30 } else { 3 });
    for code in [KeyCode::Down, KeyCode::Char(' '), KeyCode::Up] {
        let took = key_and_frame(&world, &mut screen, code);
        assert!(took < most, "{code:?}: {took:?}");
    }
    let Reaction::Tell(commands) = keys(&mut screen, &world, "d") else {
        panic!("nothing was told");
    };
    assert!(matches!(&commands[..], [Command::Fetch(files)] if files.len() > 40_000));
}

#[test]
fn pages_that_stream_in_are_put_in_order_a_few_times_a_second() {
    let mut world = World::client();
    world.ready(true);
    world.list("runs", &[("b", Kind::File, 1)], ListingState::More);
    let mut screen = screen(&world);
    let (mut orders, mut before) = (0, 0);
    for n in 0..100 {
        let name = format!("a{n}");
        world.page("runs", &[(&name, Kind::File, 1)], ListingState::More);
        world.tick(10);
        let frame = text(&draw(&world, &mut screen, (120, 200)));
        let rows = frame.lines().filter(|line| line.contains("2026-")).count();
        orders += usize::from(rows != before);
        before = rows;
        assert!(screen.wants_tick(), "the rest would not be shown");
    }
    assert!((3..=5).contains(&orders), "{orders}");
    // The end of the listing shows all of it at once.
    world.page("runs", &[("z", Kind::File, 1)], ListingState::Whole);
    let frame = text(&draw(&world, &mut screen, (120, 200)));
    assert!(frame.contains("a99") && frame.contains(" z "), "{frame}");
    let first = frame.find(" a0 ").unwrap();
    assert!(first < frame.find(" a10 ").unwrap() && frame.contains("(102)"));
}
