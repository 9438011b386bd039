//! Scenes: keys go in, what they do comes out.

use crossterm::event::{
    Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers, MouseButton, MouseEvent, MouseEventKind,
};

use crate::entity::{ConnId, Dialect, Direction, End, JobId, Kind, Phase, RemotePath, Speak};
use crate::event::{Clash, Command, JobState, Listening, ListingState, Scope, Wanted, What};
use crate::model::Role;
use crate::ui::keys::Place;
use crate::ui::{Reaction, Screen};

use super::world::{self, MIB, World, draw, text};
use super::{ctrl, keys, press};

fn told(reaction: Reaction) -> Vec<Command> {
    match reaction {
        Reaction::Tell(commands) => commands,
        other => panic!("{other:?}"),
    }
}

/// The text of the line the cursor is on; so narrow that one folder shows.
fn chosen(world: &World, screen: &mut Screen) -> String {
    let frame = text(&draw(world, screen, (98, 36)));
    let line = frame.lines().find(|line| line.contains("▸"));
    line.unwrap_or_default().to_owned()
}

fn two_connections() -> World {
    let mut world = World::server();
    for (n, addr) in [(1, [10, 0, 0, 1]), (2, [10, 0, 0, 2]), (3, [10, 0, 0, 3])] {
        world.accept(n, addr);
        world.phase(n, Dialect::Deck, Phase::Sending);
        world.start(n, n, Direction::Out, "a.iso", Some(1 << 40));
    }
    world.tick(1_000);
    world
}

#[test]
fn a_kick_is_confirmed_and_hits_the_chosen_one_even_after_a_new_order() {
    let mut world = two_connections();
    let mut screen = world::screen(&world);
    assert!(chosen(&world, &mut screen).contains("10.0.0.1"));
    keys(&mut screen, &world, "j");
    assert!(chosen(&world, &mut screen).contains("10.0.0.2"));
    keys(&mut screen, &world, "x");
    let frame = text(&draw(&world, &mut screen, (120, 36)));
    assert!(frame.contains("End connection #2 of 10.0.0.2"), "{frame}");
    for _ in 0..5 {
        world.flow(3, 900 * MIB);
        world.flow(2, MIB);
        world.tick(1_000);
        draw(&world, &mut screen, (120, 36));
    }
    let commands = told(keys(&mut screen, &world, "y"));
    assert!(matches!(commands[..], [Command::Kick(ConnId(2))]));
    assert!(matches!(keys(&mut screen, &world, "x"), Reaction::Redraw));
    assert!(matches!(keys(&mut screen, &world, "n"), Reaction::Redraw));
    assert_eq!(screen.place(&world.model), Place::Table);
}

#[test]
fn the_order_by_rate_follows_the_rates_and_the_choice_its_row() {
    let mut world = two_connections();
    let mut screen = world::screen(&world);
    chosen(&world, &mut screen);
    for _ in 0..4 {
        world.flow(3, 900 * MIB);
        world.tick(1_000);
        draw(&world, &mut screen, (120, 36));
    }
    assert!(chosen(&world, &mut screen).contains("10.0.0.1"));
    keys(&mut screen, &world, "gg");
    assert!(chosen(&world, &mut screen).contains("10.0.0.3"));
}

#[test]
fn a_choice_that_is_removed_moves_to_its_neighbour() {
    let mut world = two_connections();
    let mut screen = world::screen(&world);
    chosen(&world, &mut screen);
    keys(&mut screen, &world, "jj");
    world.close(3, End::Done);
    draw(&world, &mut screen, (120, 36));
    // Greyed it stays where it is, and cannot be kicked.
    assert!(chosen(&world, &mut screen).contains("10.0.0.3"));
    keys(&mut screen, &world, "x");
    assert_eq!(screen.place(&world.model), Place::Table);
    world.tick(6_000);
    assert!(chosen(&world, &mut screen).contains("10.0.0.2"));
}

#[test]
fn a_filter_narrows_while_it_is_typed_and_escape_widens() {
    let world = two_connections();
    let mut screen = world::screen(&world);
    keys(&mut screen, &world, "/10.0.0.3");
    let frame = text(&draw(&world, &mut screen, (120, 36)));
    assert!(
        frame.contains("10.0.0.3:50003") && frame.contains("1 of 3"),
        "{frame}"
    );
    assert_eq!(frame.matches("↑ sending").count(), 1);
    assert_eq!(screen.place(&world.model), Place::Filter);
    keys(&mut screen, &world, "\n");
    assert_eq!(screen.place(&world.model), Place::Table);
    let frame = text(&draw(&world, &mut screen, (120, 36)));
    assert_eq!(frame.matches("↑ sending").count(), 1);
    keys(&mut screen, &world, "\x1b");
    let frame = text(&draw(&world, &mut screen, (120, 36)));
    assert_eq!(frame.matches("↑ sending").count(), 3);
    keys(&mut screen, &world, "/rate<");
    let frame = text(&draw(&world, &mut screen, (120, 36)));
    assert!(frame.contains("a value is missing after `rate`"), "{frame}");
    assert_eq!(frame.matches("↑ sending").count(), 3);
}

#[test]
fn sorting_by_menu_by_key_and_by_a_click() {
    let world = two_connections();
    let mut screen = world::screen(&world);
    draw(&world, &mut screen, (120, 36));
    keys(&mut screen, &world, "sgg\n");
    let frame = text(&draw(&world, &mut screen, (120, 36)));
    assert!(frame.contains("sort: id ▲"), "{frame}");
    keys(&mut screen, &world, "S");
    let frame = text(&draw(&world, &mut screen, (120, 36)));
    assert!(frame.contains("sort: id ▼"), "{frame}");
    let (y, line) = frame
        .lines()
        .enumerate()
        .find(|(_, line)| line.contains("dialect"))
        .unwrap();
    let x = line.chars().count() - line.split_once("dialect").unwrap().1.chars().count() - 1;
    click(&mut screen, &world, x, y);
    let frame = text(&draw(&world, &mut screen, (120, 36)));
    assert!(frame.contains("sort: dialect ▲"), "{frame}");
}

fn click(screen: &mut Screen, world: &World, x: usize, y: usize) -> Reaction {
    let event = MouseEvent {
        kind: MouseEventKind::Down(MouseButton::Left),
        column: u16::try_from(x).unwrap(),
        row: u16::try_from(y).unwrap(),
        modifiers: KeyModifiers::NONE,
    };
    screen.react(&Event::Mouse(event), &world.model)
}

#[test]
fn a_click_chooses_and_a_second_one_enters() {
    let mut world = world::fetching();
    let mut screen = world::screen(&world);
    let frame = text(&draw(&world, &mut screen, (120, 36)));
    let y = frame
        .lines()
        .position(|line| line.contains("old/"))
        .unwrap();
    click(&mut screen, &world, 20, y);
    assert!(chosen(&world, &mut screen).contains("old/"));
    let commands = told(click(&mut screen, &world, 20, y));
    assert!(matches!(&commands[..], [Command::Open(path)] if *path == RemotePath::from("iso/old")));
    let y = frame
        .lines()
        .position(|line| line.contains("paused.tar"))
        .unwrap();
    world.tick(1_000);
    draw(&world, &mut screen, (120, 36));
    click(&mut screen, &world, 20, y);
    assert_eq!(screen.place(&world.model), Place::Queue);
    let commands = told(keys(&mut screen, &world, "p"));
    assert!(matches!(commands[..], [Command::Resume(JobId(4))]));
}

#[test]
fn folders_are_walked_and_the_way_back_lands_where_one_was() {
    let mut world = world::fetching();
    let mut screen = world::screen(&world);
    keys(&mut screen, &world, "j");
    let commands = told(keys(&mut screen, &world, "\n"));
    assert!(matches!(&commands[..], [Command::Open(path)] if *path == RemotePath::from("iso/old")));
    let frame = text(&draw(&world, &mut screen, (120, 36)));
    assert!(
        frame.contains("opening /iso/old") && screen.wants_tick(),
        "{frame}"
    );
    world.list(
        "iso/old",
        &[("a", Kind::File, 1), ("b", Kind::File, 1)],
        ListingState::Whole,
    );
    assert!(chosen(&world, &mut screen).contains(" a "));
    let commands = told(press(&mut screen, &world, KeyCode::Backspace));
    assert!(matches!(&commands[..], [Command::Open(path)] if *path == RemotePath::from("iso")));
    // The listing comes in two pages; the folder one came from is on the second.
    world.list("iso", &[("new", Kind::Dir, 0)], ListingState::More);
    draw(&world, &mut screen, (120, 36));
    world.page("iso", &[("old", Kind::Dir, 0)], ListingState::Whole);
    assert!(chosen(&world, &mut screen).contains("old/"));
    let frame = text(&draw(&world, &mut screen, (120, 36)));
    assert!(!frame.contains("opening"), "{frame}");
}

#[test]
fn marks_are_downloaded_folders_with_all_that_is_in_them() {
    let world = world::fetching();
    let mut screen = world::screen(&world);
    // archive/ old/ debian… empty notes.txt
    keys(&mut screen, &world, "j  ");
    let commands = told(keys(&mut screen, &world, "d"));
    let folder = Wanted {
        path: RemotePath::from("iso/old"),
        size: None,
        kind: Kind::Dir,
    };
    let file = Wanted {
        path: RemotePath::from("iso/debian-12.9.0-amd64-DVD-1.iso"),
        size: Some(4 << 30),
        kind: Kind::File,
    };
    assert!(matches!(&commands[..], [Command::Fetch(wanted)] if *wanted == [folder, file]));
    let frame = text(&draw(&world, &mut screen, (120, 36)));
    assert!(frame.contains("queued 1 file and 1 folder"), "{frame}");
    assert!(!frame.contains("● 2 marked"), "{frame}");
    keys(&mut screen, &world, "gg");
    let commands = told(keys(&mut screen, &world, "d"));
    assert!(matches!(&commands[..], [Command::Fetch(wanted)] if wanted[0].kind == Kind::Dir));
    ctrl(&mut screen, &world, 'a');
    let frame = text(&draw(&world, &mut screen, (120, 36)));
    assert!(frame.contains("● 5 marked"), "{frame}");
    keys(&mut screen, &world, "\x1b");
    keys(&mut screen, &world, "Gvkk");
    let commands = told(keys(&mut screen, &world, "d"));
    assert!(matches!(&commands[..], [Command::Fetch(files)] if files.len() == 3));
}

#[test]
fn a_name_is_typed_or_chosen_where_nothing_is_listed() {
    let mut world = World::client();
    world.ready(false);
    world.list(
        "",
        &[("iso/a.iso", Kind::File, 0), ("q", Kind::File, 0)],
        ListingState::Whole,
    );
    let mut screen = world::screen(&world);
    draw(&world, &mut screen, (80, 24));
    assert_eq!(screen.place(&world.model), Place::Prompt);
    let commands = told(keys(&mut screen, &world, "jq?.txt\n"));
    let name = |commands: &[Command]| match commands {
        [Command::Fetch(files)] => files[0].path.as_str().unwrap().to_owned(),
        other => panic!("{other:?}"),
    };
    assert_eq!(name(&commands), "jq?.txt");
    press(&mut screen, &world, KeyCode::Down);
    let commands = told(keys(&mut screen, &world, "\n"));
    assert_eq!(name(&commands), "iso/a.iso");
    screen.react(&Event::Paste("b\u{1b}.txt\nrm".to_owned()), &world.model);
    let commands = told(keys(&mut screen, &world, "\n"));
    assert_eq!(name(&commands), "b.txt");
    assert!(matches!(
        keys(&mut screen, &world, "\n"),
        Reaction::Redraw | Reaction::Nothing
    ));
}

#[test]
fn the_queue_is_minded() {
    let world = world::fetching();
    let mut screen = world::screen(&world);
    keys(&mut screen, &world, "3jj");
    assert!(matches!(
        told(keys(&mut screen, &world, "p"))[..],
        [Command::Pause(JobId(2))]
    ));
    assert!(matches!(
        told(keys(&mut screen, &world, "J"))[..],
        [Command::MoveDown(JobId(2))]
    ));
    assert!(matches!(
        told(keys(&mut screen, &world, "K"))[..],
        [Command::MoveUp(JobId(2))]
    ));
    assert!(matches!(
        told(keys(&mut screen, &world, "c"))[..],
        [Command::ClearEnded]
    ));
    assert!(matches!(
        told(keys(&mut screen, &world, "P"))[..],
        [_, _, _, _]
    ));
    keys(&mut screen, &world, "x");
    assert!(matches!(
        told(keys(&mut screen, &world, "\n"))[..],
        [Command::Cancel(JobId(2))]
    ));
    assert!(matches!(
        told(keys(&mut screen, &world, "R"))[..],
        // Number 7 was given up by its user, and stays so.
        [Command::Retry(JobId(1))]
    ));
    keys(&mut screen, &world, "k");
    assert!(matches!(
        told(keys(&mut screen, &world, "r"))[..],
        [Command::Retry(JobId(1))]
    ));
    // A thing that has ended is not cancelled.
    keys(&mut screen, &world, "x");
    assert_eq!(screen.place(&world.model), Place::Queue);
}

#[test]
fn a_clash_asks_waits_a_moment_and_can_be_put_off() {
    let mut world = world::fetching();
    let mut screen = world::screen(&world);
    draw(&world, &mut screen, (80, 24));
    world.job(9, "notes.txt", None, JobState::Clash);
    draw(&world, &mut screen, (80, 24));
    assert_eq!(screen.place(&world.model), Place::Clash);
    // What was typed when it came was not meant for it.
    assert!(matches!(keys(&mut screen, &world, "o"), Reaction::Redraw));
    world.tick(500);
    let commands = told(keys(&mut screen, &world, "O"));
    assert!(matches!(
        commands[..],
        [Command::Answer {
            job: JobId(9),
            clash: Clash::Overwrite,
            scope: Scope::All
        }]
    ));
    keys(&mut screen, &world, "\x1b");
    assert_eq!(screen.place(&world.model), Place::Files);
    keys(&mut screen, &world, "a");
    assert_eq!(screen.place(&world.model), Place::Clash);
    keys(&mut screen, &world, "\x1b/o");
    assert_eq!(screen.place(&world.model), Place::Filter);
}

#[test]
fn leaving_asks_when_something_runs_and_never_for_ctrl_c() {
    let idle = World::server();
    let mut screen = world::screen(&idle);
    assert!(matches!(keys(&mut screen, &idle, "q"), Reaction::Leave));
    let busy = world::busy();
    let mut screen = world::screen(&busy);
    assert!(matches!(keys(&mut screen, &busy, "q"), Reaction::Redraw));
    let frame = text(&draw(&busy, &mut screen, (80, 24)));
    assert!(frame.contains("2 running transfers"), "{frame}");
    assert!(matches!(keys(&mut screen, &busy, "y"), Reaction::Leave));
    assert!(matches!(ctrl(&mut screen, &busy, 'c'), Reaction::Leave));
    assert!(matches!(ctrl(&mut screen, &busy, 'c'), Reaction::Abort));
    assert!(matches!(ctrl(&mut screen, &busy, 'z'), Reaction::Suspend));
    let mut screen = world::screen(&busy);
    keys(&mut screen, &busy, "x");
    assert!(matches!(ctrl(&mut screen, &busy, 'c'), Reaction::Leave));
}

#[test]
fn releases_are_not_keys_and_half_a_double_key_is_forgotten() {
    let world = two_connections();
    let mut screen = world::screen(&world);
    let mut release = KeyEvent::new(KeyCode::Char('q'), KeyModifiers::NONE);
    release.kind = KeyEventKind::Release;
    assert!(matches!(
        screen.react(&Event::Key(release), &world.model),
        Reaction::Nothing
    ));
    keys(&mut screen, &world, "G");
    assert!(chosen(&world, &mut screen).contains("10.0.0.3"));
    keys(&mut screen, &world, "gkg");
    assert!(chosen(&world, &mut screen).contains("10.0.0.2"));
    keys(&mut screen, &world, "g");
    assert!(chosen(&world, &mut screen).contains("10.0.0.1"));
}

#[test]
fn a_frozen_screen_says_so_and_still_answers() {
    let world = two_connections();
    let mut screen = world::screen(&world);
    keys(&mut screen, &world, "f");
    assert!(screen.is_frozen());
    let frame = text(&draw(&world, &mut screen, (80, 24)));
    assert!(frame.contains("FROZEN"), "{frame}");
    keys(&mut screen, &world, "j");
    assert!(chosen(&world, &mut screen).contains("10.0.0.2"));
    keys(&mut screen, &world, "f");
    assert!(!screen.is_frozen());
}

#[test]
fn a_note_stands_a_while() {
    let mut world = World::server();
    let mut screen = world::screen(&world);
    screen.note("a fault\u{1b}[2J");
    let frame = text(&draw(&world, &mut screen, (80, 24)));
    assert!(
        frame.contains("a fault\\x1b[2J") && screen.wants_tick(),
        "{frame}"
    );
    world.tick(10_000);
    let frame = text(&draw(&world, &mut screen, (80, 24)));
    assert!(
        !frame.contains("a fault") && !screen.wants_tick(),
        "{frame}"
    );
}

#[test]
fn events_follow_until_one_scrolls_and_their_numbers_survive_the_front() {
    let mut world = World::server();
    for n in 1..=30 {
        world.accept(n, [10, 0, 0, 1]);
    }
    let mut screen = world::screen(&world);
    keys(&mut screen, &world, "3");
    let frame = text(&draw(&world, &mut screen, (80, 24)));
    assert!(frame.contains("#30 "), "{frame}");
    keys(&mut screen, &world, "kkkkk");
    let before = chosen_event(&world, &mut screen);
    for n in 31..=2_015 {
        world.accept(n, [10, 0, 0, 1]);
    }
    assert_eq!(before, chosen_event(&world, &mut screen));
    keys(&mut screen, &world, "G");
    let frame = text(&draw(&world, &mut screen, (80, 24)));
    assert!(frame.contains("#2015 "), "{frame}");
}

/// What Enter shows of the chosen event.
fn chosen_event(world: &World, screen: &mut Screen) -> String {
    keys(screen, world, "\n");
    let frame = text(&draw(world, screen, (80, 24)));
    keys(screen, world, "\x1b");
    frame
        .lines()
        .find(|line| line.contains("whose"))
        .unwrap()
        .to_owned()
}

#[test]
fn a_long_event_scrolls() {
    let mut world = World::server();
    world.accept(1, [10, 0, 0, 1]);
    let words: Vec<String> = (0..300).map(|n| format!("word{n}")).collect();
    let note = world.fact(1, "note", &words.join(" "));
    world.tell(What::Note(note));
    let mut screen = world::screen(&world);
    keys(&mut screen, &world, "3G\n");
    let frame = text(&draw(&world, &mut screen, (80, 24)));
    assert!(
        frame.contains("j k scroll") && frame.contains("word0 "),
        "{frame}"
    );
    keys(&mut screen, &world, "jjjjj");
    let frame = text(&draw(&world, &mut screen, (80, 24)));
    assert!(!frame.contains("word0 "), "{frame}");
    keys(&mut screen, &world, "G");
    let frame = text(&draw(&world, &mut screen, (80, 24)));
    assert!(frame.contains("word299"), "{frame}");
    keys(&mut screen, &world, "gg");
    let frame = text(&draw(&world, &mut screen, (80, 24)));
    assert!(frame.contains("word0 "), "{frame}");
}

#[test]
fn an_empty_table_names_a_way_in_that_works() {
    let classic = Speak::Only(Dialect::Classic);
    let deck = Speak::Only(Dialect::Deck);
    for (speaks, words) in [
        (vec![classic], "ferrydeck get 127.0.0.1 20000 NAME"),
        (
            vec![classic, deck],
            "ferrydeck connect deck://127.0.0.1:20001/",
        ),
        (
            vec![classic, classic, Speak::Auto],
            "ferrydeck connect deck://127.0.0.1:20002/",
        ),
    ] {
        let mut world = World::new(Role::Serve);
        for (port, speak) in (20_000..).zip(speaks) {
            let addr = ([127, 0, 0, 1], port).into();
            world.tell(What::Listening(Listening { addr, speak }));
        }
        let mut screen = world::screen(&world);
        let frame = text(&draw(&world, &mut screen, (80, 24)));
        assert!(frame.contains(words), "{words}: {frame}");
    }
}
