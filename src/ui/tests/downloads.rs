//! Scenes of the client's queue: names as typed, details, taken names, pauses.

use std::time::Duration;

use crossterm::event::KeyCode;

use crate::entity::{Direction, DisplayName, JobId, Kind, Outcome, Rights};
use crate::event::{Clash, Command, JobState, Link, ListingState};
use crate::ui::keys::Place;
use crate::ui::{Reaction, Screen};

use super::world::{self, World, draw, text};
use super::{ctrl, keys, press};

fn told(reaction: Reaction) -> Vec<Command> {
    match reaction {
        Reaction::Tell(commands) => commands,
        other => panic!("{other:?}"),
    }
}

fn frame(world: &World, screen: &mut Screen) -> String {
    text(&draw(world, screen, (100, 30)))
}

#[test]
fn a_typed_name_is_taken_as_it_is() {
    let mut world = World::client();
    world.ready(false);
    world.list("", &[], ListingState::Whole);
    let mut screen = world::screen(&world);
    draw(&world, &mut screen, (80, 24));
    for typed in [" a b.txt  ", " "] {
        let commands = told(keys(&mut screen, &world, &format!("{typed}\n")));
        let [Command::Fetch(files)] = &commands[..] else {
            panic!("{commands:?}");
        };
        assert_eq!(files[0].path.as_bytes(), typed.as_bytes());
    }
    assert!(!matches!(
        keys(&mut screen, &world, "\n"),
        Reaction::Tell(_)
    ));
}

/// Its files have lines of their own: nothing more is promised of it.
#[test]
fn a_folder_that_was_searched_is_at_its_end() {
    let mut world = World::client();
    world.ready(true);
    let ended = JobState::Ended {
        outcome: Outcome::CompleteLength,
        bytes: 0,
        took: Duration::from_secs(2),
        cause: "",
        detail: DisplayName::default(),
    };
    world.job(1, "photos", Some(3 << 20), ended);
    world.told(1, |job| job.kind = Kind::Dir);
    let mut screen = world::screen(&world);
    let frame = text(&draw(&world, &mut screen, (100, 30)));
    let line = frame.lines().find(|line| line.contains("photos/"));
    let line = line.unwrap_or_else(|| panic!("{frame}"));
    for word in ["✓", "searched ", "3.00 MiB", "0:02"] {
        assert!(line.contains(word), "{word}: {line}");
    }
    for word in ["follow", "0 B", "/s"] {
        assert!(!line.contains(word), "{word}: {line}");
    }
    keys(&mut screen, &world, "3\n");
    let about = text(&draw(&world, &mut screen, (100, 30)));
    assert!(about.contains("state       searched"), "{about}");
    assert!(!about.contains("complete"), "{about}");
    let commands = told(keys(&mut screen, &world, "\x1bc"));
    assert!(matches!(commands[..], [Command::ClearEnded]));
}

/// Where the file really is, not where most things land.
#[test]
fn a_taken_name_is_asked_about_with_its_own_folder() {
    let mut world = World::client();
    world.ready(true);
    world.job(1, "notes.txt", Some(1), JobState::Clash);
    world.told(1, |job| job.folder = DisplayName::from("photos/2026"));
    let mut screen = world::screen(&world);
    let asked = frame(&world, &mut screen);
    let words = "notes.txt exists in /home/ana/Downloads/photos/2026";
    assert!(asked.contains(words), "{asked}");
    keys(&mut screen, &world, "\x1b3\n");
    let about = frame(&world, &mut screen);
    assert!(about.contains("/home/ana/Downloads/photos/2026"), "{about}");
}

#[test]
fn an_item_that_waits_for_an_answer_cannot_be_paused() {
    let mut world = world::fetching();
    world.job(9, "notes.txt", None, JobState::Clash);
    world.tick(1_000);
    let mut screen = world::screen(&world);
    draw(&world, &mut screen, (200, 50));
    keys(&mut screen, &world, "\x1b3G");
    assert_eq!(screen.place(&world.model), Place::Queue);
    let line = |frame: &str| frame.lines().last().unwrap().to_owned();
    let footer = line(&text(&draw(&world, &mut screen, (200, 50))));
    assert!(!footer.contains("p pause"), "{footer}");
    assert!(footer.contains("x cancel"), "{footer}");
    assert!(matches!(keys(&mut screen, &world, "p"), Reaction::Redraw));
    // 7 was given up, 6 waits for its turn.
    let commands = told(keys(&mut screen, &world, "kkp"));
    assert!(matches!(commands[..], [Command::Pause(JobId(6))]));
}

#[test]
fn the_answer_that_stands_is_shown_and_can_be_changed() {
    let mut world = world::fetching();
    world.job(9, "notes.txt", None, JobState::Clash);
    let mut screen = world::screen(&world);
    draw(&world, &mut screen, (100, 30));
    keys(&mut screen, &world, "A");
    world.tick(1_000);
    assert!(!frame(&world, &mut screen).contains("every taken name"));
    keys(&mut screen, &world, "o");
    assert!(!frame(&world, &mut screen).contains("every taken name"));
    keys(&mut screen, &world, "O");
    world.job(9, "notes.txt", None, JobState::Queued);
    let shown = frame(&world, &mut screen);
    assert!(shown.contains("every taken name: overwrite"), "{shown}");
    keys(&mut screen, &world, "A");
    assert_eq!(screen.place(&world.model), Place::Standing);
    let shown = frame(&world, &mut screen);
    assert!(shown.contains("● overwrite"), "{shown}");
    let commands = told(keys(&mut screen, &world, "k\n"));
    assert!(matches!(
        commands[..],
        [Command::Standing(Some(Clash::Rename))]
    ));
    let shown = frame(&world, &mut screen);
    assert!(shown.contains("every taken name: rename"), "{shown}");
    keys(&mut screen, &world, "A\x1b");
    let commands = told(keys(&mut screen, &world, "Agg\n"));
    assert!(matches!(commands[..], [Command::Standing(None)]));
    let shown = frame(&world, &mut screen);
    assert!(!shown.contains("every taken name"), "{shown}");
    keys(&mut screen, &world, "A");
    assert_eq!(screen.place(&world.model), Place::Files);
}

#[test]
fn an_answer_told_at_the_start_is_shown_too() {
    let mut world = world::fetching();
    world.model.about.standing = Some(Clash::Skip);
    let mut screen = world::screen(&world);
    let shown = frame(&world, &mut screen);
    assert!(shown.contains("every taken name: skip"), "{shown}");
    let commands = told(keys(&mut screen, &world, "3AG\n"));
    assert!(matches!(
        commands[..],
        [Command::Standing(Some(Clash::Overwrite))]
    ));
}

#[test]
fn what_an_earlier_run_fetched_is_in_no_rate() {
    let mut world = World::client();
    world.ready(true);
    world.resumed(1, "resumed.tar", 100 << 20, 60 << 20);
    let state = JobState::Ended {
        outcome: Outcome::CompleteHash,
        bytes: 100 << 20,
        took: Duration::from_secs(4),
        cause: "",
        detail: DisplayName::from(""),
    };
    world.job(1, "resumed.tar", Some(100 << 20), state);
    let mut screen = world::screen(&world);
    let shown = frame(&world, &mut screen);
    assert!(shown.contains("10.0 MiB/s"), "{shown}");
    keys(&mut screen, &world, "3\n");
    let shown = frame(&world, &mut screen);
    assert!(shown.contains("10.0 MiB/s since it began"), "{shown}");
}

#[test]
fn enter_on_a_download_shows_all_of_it() {
    let mut world = world::fetching();
    let why = "the server closed the connection after 3.00 MiB of 9.00 MiB, in the middle of a \
               block, and said nothing about why it did that to us";
    let state = JobState::Ended {
        outcome: Outcome::Failed,
        bytes: 3 << 20,
        took: Duration::from_secs(2),
        cause: "cut_short",
        detail: DisplayName::from(why),
    };
    world.job(1, "lost.bin", Some(9 << 20), state);
    let mut screen = world::screen(&world);
    draw(&world, &mut screen, (80, 24));
    keys(&mut screen, &world, "3j\n");
    assert_eq!(screen.place(&world.model), Place::Details);
    let shown = text(&draw(&world, &mut screen, (80, 24)));
    for words in [
        "lost.bin",
        "that to us",
        "cut short",
        "1.50 MiB/s since it began",
    ] {
        assert!(shown.contains(words), "{words}: {shown}");
    }
    keys(&mut screen, &world, "\x1bj\n");
    let shown = frame(&world, &mut screen);
    for words in [
        "over the last 3 s",
        "since it began",
        "4.00 GiB",
        "/home/ana/Downloads",
    ] {
        assert!(shown.contains(words), "{words}: {shown}");
    }
    // It follows the download, and stays when that goes off the list.
    world.job(
        2,
        "debian-12.9.0-amd64-DVD-1.iso",
        Some(4 << 30),
        JobState::Queued,
    );
    let shown = frame(&world, &mut screen);
    assert!(shown.contains("waits for its turn"), "{shown}");
    world.tell(crate::event::What::Removed([JobId(2)].into()));
    let shown = frame(&world, &mut screen);
    assert!(shown.contains("off the list"), "{shown}");
    press(&mut screen, &world, KeyCode::Enter);
    assert_eq!(screen.place(&world.model), Place::Queue);
}

#[test]
fn nothing_is_counted_while_nothing_has_arrived() {
    let mut world = World::client();
    let mut screen = world::screen(&world);
    let mut counts = |world: &World| {
        let shown = frame(world, &mut screen);
        shown.lines().nth(1).unwrap().contains("(0)")
    };
    assert!(!counts(&world));
    world.ready(true);
    world.list("iso", &[], ListingState::More);
    assert!(!counts(&world));
    world.page("iso", &[], ListingState::Whole);
    assert!(counts(&world));
    let why = DisplayName::from("gone");
    world.tell(crate::event::What::Link(Link::Lost { why, again: None }));
    assert!(!counts(&world));
}

#[test]
fn a_name_taken_there_is_not_said_to_be_taken_here() {
    let mut world = world::fetching();
    world.item(9, Direction::Out, "photo.jpg", None, JobState::Clash);
    world.tick(1_000);
    let mut screen = world::screen(&world);
    let shown = frame(&world, &mut screen);
    assert!(shown.contains("photo.jpg exists on the server"), "{shown}");
    world.job(9, "photo.jpg", None, JobState::Clash);
    let shown = frame(&world, &mut screen);
    assert!(shown.contains("photo.jpg exists in "), "{shown}");
}

#[test]
fn the_pause_key_says_what_it_does_now() {
    let mut world = world::fetching();
    world.job(9, "held.bin", Some(9), JobState::Paused { done: 3 });
    let mut screen = world::screen(&world);
    let mut footer = |world: &World, typed: &str| {
        frame(world, &mut screen);
        keys(&mut screen, world, typed);
        let shown = frame(world, &mut screen);
        shown.lines().last().unwrap().to_owned()
    };
    let shown = footer(&world, "3G");
    assert!(shown.contains("p go on"), "{shown}");
    world.job(9, "held.bin", Some(9), JobState::Queued);
    let shown = footer(&world, "");
    assert!(shown.contains("p pause"), "{shown}");
}

#[test]
fn a_limit_told_at_the_start_is_shown_too() {
    let mut world = world::fetching();
    world.model.about.limit = Some(10 << 20);
    let mut screen = world::screen(&world);
    let shown = frame(&world, &mut screen);
    assert!(shown.contains("all held to 10 MiB/s"), "{shown}");
    ctrl(&mut screen, &world, 'l');
    let shown = frame(&world, &mut screen);
    assert!(shown.contains("▸ 10MiB"), "{shown}");
}

#[test]
fn an_empty_queue_offers_what_the_server_lets_us_do() {
    for (rights, sends) in [(Rights::READ_ONLY, false), (Rights::NEWCOMER, true)] {
        let mut world = World::client();
        world.ready_inside_tls(rights);
        world.list("", &[], ListingState::Whole);
        let mut screen = world::screen(&world);
        frame(&world, &mut screen);
        let shown = frame(&world, &mut screen);
        assert!(
            shown.contains("d downloads what is chosen there"),
            "{shown}"
        );
        assert_eq!(shown.contains("u sends"), sends, "{shown}");
    }
}
