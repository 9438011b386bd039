//! Names that command terminals, sizes that fit nothing, numbers that lie.

use std::time::Duration;

use ratatui::buffer::{Buffer, CellWidth};

use crate::entity::{Dialect, Direction, DisplayName, Kind, Outcome, Phase, Rights};
use crate::event::{Fact, JobState, Link, ListingState, Saved, Secret, What};

use super::world::{self, World, draw, text};
use super::{ctrl, keys};

const NAMES: [&str; 10] = [
    "\u{1b}[2J\u{1b}[Hgone.txt",
    "\u{9b}31mred",
    "invoice\u{202e}txt.exe",
    "zero\u{200b}\u{200d}\u{feff}width",
    "日本語のとても長いファイル名です、本当に長いので切られます.txt",
    "e\u{301}\u{302}\u{303}\u{304}\u{305}\u{306}\u{307}\u{308}\u{309}\u{30a}\u{30b}vil.txt",
    "👩\u{200d}👩\u{200d}👧 family 🏳️\u{200d}🌈.png",
    "ｶﾞｷﾞ\u{1100}\u{1161}\u{11a8}.txt",
    "new\nline\ttab\r.txt",
    "\u{301}starts with an accent",
];

fn long() -> String {
    "x".repeat(251) + ".iso"
}

fn check_cells(frame: &Buffer) {
    for cell in frame.content() {
        let symbol = cell.symbol();
        assert!(!symbol.contains(char::is_control), "{symbol:?}");
        assert!(
            !symbol
                .chars()
                .any(|ch| "\u{202e}\u{200b}\u{200d}\u{feff}".contains(ch))
        );
    }
}

/// Every line between the top and the bottom border ends in a border where the frame ends.
fn check_borders(frame: &Buffer) {
    let (width, height) = (frame.area.width, frame.area.height);
    // The line for newcomers has no border: panes begin at the first corner.
    let corner = |y: &u16| frame[(0, *y)].symbol() == "┌";
    let first = (1..height).find(corner).unwrap_or(1);
    for y in first..height - 1 {
        let mut x = 0;
        let mut last = String::new();
        while x < width {
            let symbol = frame[(x, y)].symbol();
            last = symbol.to_owned();
            x += symbol.cell_width().max(1);
        }
        assert_eq!(x, width, "line {y} is too wide:\n{}", text(frame));
        assert!(
            "│┐┤┘".contains(&last),
            "line {y} ends in {last:?}:\n{}",
            text(frame)
        );
    }
}

fn hostile_server() -> World {
    let mut world = World::server();
    let long = long();
    for (n, name) in (1u64..).zip(NAMES.into_iter().chain([long.as_str()])) {
        world.accept(n, [10, 0, 0, 1]);
        world.phase(n, Dialect::Deck, Phase::Sending);
        world.start(n, n, Direction::Out, name, Some(1000));
        world.flow(n, n * 50);
        let detail = world.fact(n, "not_found", name);
        world.tell(What::Refused(detail));
    }
    world.know(1, NAMES[0], 1, Rights::default());
    world.know(2, NAMES[4], 2, Rights::NEWCOMER);
    world.know(3, &long, 3, Rights::NEWCOMER);
    let mut invite = world::invite(3);
    invite.urls = NAMES.iter().map(|name| (*name).into()).collect();
    invite.code = Secret::new(NAMES[0]);
    invite.qr = Secret::new(NAMES.concat());
    world.tell(What::Invite(invite));
    world.tick(1_000);
    world
}

/// Both folders, a question about each, and answers that command.
fn hostile_pair() -> World {
    let mut world = world::pairing();
    let long = long();
    let names: Vec<&str> = NAMES.into_iter().chain([long.as_str()]).collect();
    let entries: Vec<_> = names
        .iter()
        .zip([Kind::Dir, Kind::File].into_iter().cycle())
        .map(|(name, kind)| (*name, kind, u64::MAX / 9))
        .collect();
    world.list(NAMES[0], &entries, ListingState::Whole);
    world.look(NAMES[0], &entries);
    let why = DisplayName::from(NAMES[0]);
    let done = u64::MAX / 3;
    world.job(30, NAMES[2], Some(1), JobState::Waiting { why, done });
    world.answer("not_made", &names.join("\n"));
    world.tell(What::Counted(world::counted(ListingState::Failed(
        DisplayName::from(NAMES[0]),
    ))));
    world.tick(1_000);
    world
}

fn hostile_client() -> World {
    let mut world = World::client();
    world.ready(true);
    let long = long();
    let names: Vec<&str> = NAMES.into_iter().chain([long.as_str()]).collect();
    let entries: Vec<_> = names.iter().map(|name| (*name, Kind::File, 1000)).collect();
    world.list(NAMES[0], &entries, ListingState::Whole);
    for (n, name) in (0u64..).zip(&names) {
        world.running(n, name, Some(1000), n * 50);
    }
    world.job(50, NAMES[0], None, JobState::Clash);
    world
}

/// A desk whose server answers with what is hostile; long enough to scroll.
fn hostile_desk() -> World {
    let mut world = World::desk(Dialect::Session);
    let names = NAMES.join("\n").repeat(9);
    world.answer("help", &names);
    world.answer("not_renamed", &names);
    for (n, name) in (0u64..).zip(NAMES) {
        world.moving(n, Direction::Out, name, None, n * 50);
    }
    world.tick(1_000);
    world
}

#[test]
fn hostile_names_neither_command_nor_push_the_terminal() {
    for size in [(60, 16), (80, 24), (120, 36), (200, 50)] {
        for world in [
            hostile_server(),
            hostile_client(),
            hostile_desk(),
            hostile_pair(),
        ] {
            for typed in [
                "", "\t", "2", "v", "e", "a", "\tm", "\tH", "i", "Gr", "m", " \u{20}D", "GH", "3L",
                "GiH",
            ] {
                let mut screen = world::screen(&world);
                draw(&world, &mut screen, size);
                keys(&mut screen, &world, typed);
                let frame = draw(&world, &mut screen, size);
                check_cells(&frame);
                check_borders(&frame);
                keys(&mut screen, &world, "\n");
                let frame = draw(&world, &mut screen, size);
                check_cells(&frame);
                check_borders(&frame);
            }
        }
    }
}

#[test]
fn columns_stand_still_while_values_change() {
    let columns = |frame: &Buffer| -> Vec<String> {
        text(frame)
            .lines()
            .filter(|line| line.contains("peer") && line.contains("phase"))
            .map(str::to_owned)
            .collect()
    };
    let units = |frame: &Buffer, y: u16| -> Vec<u16> {
        let cells = 0..frame.area.width;
        cells.filter(|&x| frame[(x, y)].symbol() == "/").collect()
    };
    let mut world = World::server();
    world.accept(1, [10, 0, 0, 1]);
    world.phase(1, Dialect::Deck, Phase::Sending);
    world.start(1, 1, Direction::Out, "a.iso", Some(u64::MAX / 2));
    let mut screen = world::screen(&world);
    world.flow(1, 20);
    world.tick(1_000);
    world.flow(1, 20);
    world.tick(1_000);
    let first = draw(&world, &mut screen, (120, 36));
    for bytes in [5, 999, 1_000, 70_000, 2_000_000, 900 << 30, 1 << 60] {
        world.flow(1, bytes);
        world.tick(1_000);
        let frame = draw(&world, &mut screen, (120, 36));
        assert_eq!(columns(&first), columns(&frame));
        let row = (0..36).find(|&y| frame[(1, y)].symbol() == "▸").unwrap();
        assert_eq!(units(&frame, row).len(), 1, "{}", text(&frame));
        check_borders(&frame);
    }
}

/// A client that is asked about an earlier run's queue while its link is lost.
fn left_over() -> World {
    let mut world = world::pairing();
    let why = DisplayName::from("gone");
    let again = Some(Duration::MAX);
    world.tell(What::Link(Link::Lost { why, again }));
    world.tell(What::Saved(Saved {
        items: u64::MAX,
        bytes: u64::MAX,
    }));
    world
}

fn worlds() -> Vec<World> {
    let mut leaving = world::busy();
    leaving.model.lost = 3;
    leaving.tell(What::Shutdown(Fact::default()));
    let mut asking = world::fetching();
    asking.job(9, "notes.txt", None, JobState::Clash);
    let mut prompt = World::client();
    prompt.ready(false);
    prompt.list("", &[("a", Kind::File, 0)], ListingState::Whole);
    let mut lost = World::client();
    let why = DisplayName::from("it is not there, and it will not come back either");
    lost.tell(What::Link(Link::Lost { why, again: None }));
    let mut part = world::fetching();
    part.page("iso", &[], ListingState::Failed(DisplayName::from("cut")));
    vec![
        World::server(),
        world::busy(),
        leaving,
        hostile_server(),
        World::client(),
        world::fetching(),
        hostile_client(),
        asking,
        prompt,
        lost,
        part,
        hostile_desk(),
        world::sending(),
        world::taking(),
        world::inviting(),
        world::pairing(),
        hostile_pair(),
        left_over(),
    ]
}

#[test]
fn no_size_panics_in_any_state() {
    let small = (1..=60).flat_map(|w| (1..=20).map(move |h| (w, h)));
    let odd = [
        (1, 200),
        (300, 1),
        (61, 17),
        (79, 23),
        (100, 16),
        (160, 16),
        (500, 120),
        (60, 100),
    ];
    let sizes: Vec<(u16, u16)> = small.chain(odd).collect();
    for world in worlds() {
        for typed in [
            "", "?", "s", "\n", "x", "e", "3", "/stall>", "\t", "vj", "\tu", "\tH", "i", "mx", "r",
            " D", "GD", "GH", "L1", "2u", "3\n",
        ] {
            let mut screen = world::screen(&world);
            keys(&mut screen, &world, typed);
            for &size in &sizes {
                // Below the least size one sentence is drawn whatever the state.
                if typed.is_empty() || size.0 >= 60 {
                    draw(&world, &mut screen, size);
                }
            }
        }
    }
}

#[test]
fn a_frame_too_small_says_so_and_can_be_left() {
    let world = World::server();
    let mut screen = world::screen(&world);
    let frame = text(&draw(&world, &mut screen, (40, 10)));
    assert!(frame.contains("too small"), "{frame}");
    assert!(matches!(
        keys(&mut screen, &world, "q"),
        crate::ui::Reaction::Leave
    ));
    assert!(matches!(
        ctrl(&mut screen, &world, 'c'),
        crate::ui::Reaction::Leave
    ));
    draw(&world, &mut screen, (1, 1));
}

#[test]
fn gauges_take_whatever_numbers_come() {
    let mut world = World::client();
    world.ready(true);
    world.list("", &[], ListingState::Whole);
    let grew = world.running(0, "grew", Some(10), 0);
    grew.add(1_000);
    world.running(1, "empty", Some(0), 0);
    world.running(2, "unknown", None, 5);
    world.job(3, "over", Some(1), JobState::Paused { done: u64::MAX / 4 });
    world.job(
        4,
        "instant",
        Some(0),
        JobState::Ended {
            cause: "",
            outcome: Outcome::CompleteLength,
            bytes: 0,
            took: Duration::ZERO,
            detail: DisplayName::default(),
        },
    );
    world.tick(500);
    let mut screen = world::screen(&world);
    let frame = text(&draw(&world, &mut screen, (100, 30)));
    let line = |name: &str| {
        frame
            .lines()
            .find(|line| line.contains(name))
            .unwrap()
            .to_owned()
    };
    assert!(line("grew").contains("100 %"), "{frame}");
    assert!(line("empty").contains("100 %"), "{frame}");
    assert!(line("unknown").contains("–"), "{frame}");
    assert!(line("instant").contains("complete (length)"), "{frame}");
}
