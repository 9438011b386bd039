//! A frame costs what the screen costs, not what the world costs.
#![expect(
    clippy::print_stdout,
    reason = "the figures are for whoever asks with --nocapture"
)]

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::entity::{Dialect, Direction, DisplayName, Entry, Kind, Outcome, Phase, RemotePath};
use crate::event::{Command, JobState, Listing, ListingState, What};
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

/// The shortest frame of a few, dials read as the app does.
fn sampled_frame(world: &mut World, screen: &mut Screen) -> Duration {
    let mut terminal = Terminal::new(TestBackend::new(200, 50)).unwrap();
    let mut best = Duration::MAX;
    for _ in 0..20 {
        world.now += Duration::from_millis(33);
        let begun = Instant::now();
        world.model.sample(world.now, &world.totals);
        terminal
            .draw(|frame| crate::ui::view(frame, &world.model, screen))
            .unwrap();
        best = best.min(begun.elapsed());
    }
    best
}

#[test]
fn forty_thousand_waiting_items_cost_what_forty_cost() {
    let mut world = World::client();
    world.ready(true);
    world.list("", &[], ListingState::Whole);
    for n in 0..40_000 {
        let state = match n % 4 {
            0 => JobState::Ended {
                cause: "",
                outcome: Outcome::CompleteHash,
                bytes: 1_000,
                took: Duration::from_secs(1),
                detail: DisplayName::default(),
            },
            _ => JobState::Queued,
        };
        world.job(n, "some/file.bin", Some(1_000), state);
    }
    let running: Vec<_> = (40_000..40_008)
        .map(|n| world.running(n, "some/big.bin", Some(1 << 40), 0))
        .collect();
    world.job(40_100, "asked.bin", None, JobState::Clash);
    let mut screen = screen(&world);
    keys(&mut screen, &world, "3");
    running[0].add(5);
    world.tick(1_000);
    let frame = sampled_frame(&mut world, &mut screen);
    keys(&mut screen, &world, "\x1bG");
    let at_the_end = sampled_frame(&mut world, &mut screen);
    let begun = Instant::now();
    for n in (1..4_000).filter(|n| n % 4 != 0) {
        world.job(n, "some/file.bin", Some(1_000), JobState::Asking);
    }
    let told = begun.elapsed() / 3_000;
    println!("40,000 items: a frame {frame:?}, at the end {at_the_end:?}, an event {told:?}");
    let most = Duration::from_millis(if cfg!(debug_assertions) { 25 } else { 2 });
    assert!(
        frame < most && at_the_end < most,
        "{frame:?} {at_the_end:?}"
    );
    assert!(told < Duration::from_millis(1), "{told:?}");
    assert_eq!(world.model.remote.running(), 8 + 3_000);
}

/// So many entries in no order, with names as they are.
fn scattered(count: u32) -> Vec<Entry> {
    let entry = |n: u32| {
        let mixed = n.wrapping_mul(2_654_435_761).rotate_left(7);
        Entry {
            name: format!("IMG_{mixed:010}_holiday.jpeg").into(),
            kind: Kind::File,
            size: u64::from(mixed),
            mtime: 1_700_000_000 + i64::from(n),
        }
    };
    (0..count).map(entry).collect()
}

fn page_of(world: &mut World, entries: &[Entry], state: ListingState) {
    world.tell(What::Listing(Listing {
        path: RemotePath::from("photos"),
        request: 1,
        entries: Arc::from(entries),
        unlisted: 0,
        state,
    }));
}

/// What this thread has computed so far: a busy machine makes no frame longer.
fn computed() -> Duration {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let nanos = stat.split(' ').next().and_then(|word| word.parse().ok());
    Duration::from_nanos(nanos.unwrap_or(0))
}

fn computed_since(begun: Duration) -> Duration {
    computed().saturating_sub(begun)
}

/// Frames until every row has its place; the longest of them.
fn catch_up(world: &mut World, screen: &mut Screen, took: &mut Vec<Duration>) -> u32 {
    let mut terminal = Terminal::new(TestBackend::new(120, 36)).unwrap();
    let mut frames = 0;
    loop {
        world.tick(16);
        let begun = computed();
        terminal
            .draw(|frame| crate::ui::view(frame, &world.model, screen))
            .unwrap();
        took.push(computed_since(begun));
        frames += 1;
        if !screen.is_behind() {
            return frames;
        }
        assert!(frames < 10_000, "it never catches up");
    }
}

#[test]
fn a_million_entries_arrive_are_sorted_and_scrolled_without_a_stall() {
    let count: u32 = if cfg!(debug_assertions) {
        20_000
    } else {
        1_000_000
    };
    let entries = scattered(count);
    let mut world = World::client();
    world.ready(true);
    let mut screen = screen(&world);
    let mut terminal = Terminal::new(TestBackend::new(120, 36)).unwrap();
    let begun = computed();
    let mut took = Vec::new();
    let chosen = "IMG_";
    for page in entries.chunks(1_000) {
        page_of(&mut world, page, ListingState::More);
        world.tick(10);
        let begun = computed();
        terminal
            .draw(|frame| crate::ui::view(frame, &world.model, &mut screen))
            .unwrap();
        took.push(computed_since(begun));
        // Keys are answered meanwhile, and the choice is kept by its name.
        let begun = computed();
        press(&mut screen, &world, KeyCode::Down);
        took.push(computed_since(begun));
    }
    page_of(&mut world, &[], ListingState::Whole);
    catch_up(&mut world, &mut screen, &mut took);
    let arrived = computed_since(begun);
    assert_eq!(screen.files.rows.len(), entries.len());
    let at = |screen: &Screen| {
        screen
            .files
            .chosen(&world.model.remote.folder.entries)
            .unwrap()
            .clone()
    };
    let held = at(&screen);
    assert!(held.name.starts_with(chosen));

    // Another order; a filter; the end: each in frames none of which is long.
    let begun = computed();
    keys(&mut screen, &world, "sj\n");
    let frames = catch_up(&mut world, &mut screen, &mut took);
    let sorted = computed_since(begun);
    assert_eq!(
        screen.files.chosen(&world.model.remote.folder.entries),
        Some(&held)
    );
    keys(&mut screen, &world, "/00 7_H\n");
    catch_up(&mut world, &mut screen, &mut took);
    let found = screen.files.rows.len();
    assert!(found > 0 && found < entries.len() / 3, "{found}");
    keys(&mut screen, &world, "\x1b");
    catch_up(&mut world, &mut screen, &mut took);
    for code in [
        KeyCode::End,
        KeyCode::Home,
        KeyCode::PageDown,
        KeyCode::Down,
    ] {
        took.push(key_and_frame(&world, &mut screen, code));
    }
    let sizes: Vec<u64> = screen
        .files
        .rows
        .iter()
        .map(|at| entries[at].size)
        .collect();
    assert!(sizes.is_sorted_by(|a, b| a >= b) && sizes.len() == entries.len());
    took.sort();
    // Of three thousand a few meet what the kernel does for others meanwhile.
    let (longest, usual) = (took[took.len() - 1], took[took.len() - 4]);
    println!(
        "{count} entries: arrived in {arrived:?}, sorted anew in {sorted:?} ({frames} frames), \
         the longest frame or key {longest:?}, the fourth {usual:?}, {} B an entry",
        bytes_an_entry(&world, &screen)
    );
    let (all, one) = if cfg!(debug_assertions) {
        (60, 600)
    } else {
        (6, 30)
    };
    assert!(arrived < Duration::from_secs(all), "{arrived:?}");
    assert!(usual < Duration::from_millis(one), "{usual:?}");
    assert!(bytes_an_entry(&world, &screen) <= 200);
}

/// Bytes a listed entry takes in model and look: its record, its name with what an
/// allocator adds to that, its row. What a growing list holds twice for a moment is counted.
fn bytes_an_entry(world: &World, screen: &Screen) -> usize {
    let entries = &world.model.remote.folder.entries;
    let record = entries.capacity() * size_of::<Entry>();
    let names: usize = entries
        .iter()
        .map(|entry| (entry.name.len() + 8).next_multiple_of(16).max(32))
        .sum();
    let moving = record / 2;
    (record + moving + names + screen.files.rows.bytes()) / entries.len()
}
