//! Scenes of the desk: what the old dialects offer can be asked for, and nothing else.

use std::path::Path;

use crossterm::event::KeyCode;

use crate::entity::{Dialect, Direction, DisplayName, RemotePath};
use crate::event::{Command, JobState, Link, What};
use crate::ui::keys::Place;
use crate::ui::{Reaction, Screen};

use super::world::{self, World, draw, text};
use super::{keys, press};

fn at(world: &World) -> Screen {
    let mut screen = world::screen(world);
    draw(world, &mut screen, (80, 24));
    screen
}

fn told(reaction: Reaction) -> Command {
    match reaction {
        Reaction::Tell(mut commands) if commands.len() == 1 => commands.remove(0),
        other => panic!("{other:?}"),
    }
}

fn frame(world: &World, screen: &mut Screen) -> String {
    text(&draw(world, screen, (100, 30)))
}

#[test]
fn put_sends_the_path_as_typed_under_its_last_name() {
    let world = World::desk(Dialect::Session);
    let mut screen = at(&world);
    for (typed, local, remote) in [
        ("/tmp/a/report.pdf", "/tmp/a/report.pdf", "report.pdf"),
        ("~/x.txt", "~/x.txt", "x.txt"),
        ("b/c.txt other.txt", "b/c.txt", "other.txt"),
        ("'my file.txt' new\\ name", "my file.txt", "new name"),
    ] {
        press(&mut screen, &world, KeyCode::F(3));
        let command = told(keys(&mut screen, &world, &format!("{typed}\n")));
        let Command::Send(files) = command else {
            panic!("{command:?}");
        };
        assert_eq!(files.len(), 1);
        assert_eq!(files[0].local, Path::new(local));
        assert_eq!(files[0].path, RemotePath::from(remote));
    }
    // What is wrong is told, and what was typed stays.
    keys(&mut screen, &world, "a b c\n");
    let shown = frame(&world, &mut screen);
    assert!(
        shown.contains("too many words") && shown.contains("a b c"),
        "{shown}"
    );
}

#[test]
fn rename_and_help_are_asked_and_their_answers_shown() {
    let mut world = World::desk(Dialect::Session);
    let mut screen = at(&world);
    press(&mut screen, &world, KeyCode::F(4));
    let command = told(keys(&mut screen, &world, "old.txt new.txt\n"));
    let Command::Rename { from, to } = command else {
        panic!("{command:?}");
    };
    assert_eq!((from, to), ("old.txt".into(), "new.txt".into()));
    world.answer("renamed", "old.txt is new.txt now");
    let shown = frame(&world, &mut screen);
    assert_eq!(
        shown.matches("old.txt is new.txt now").count(),
        2,
        "{shown}"
    );
    assert!(matches!(
        told(press(&mut screen, &world, KeyCode::F(5))),
        Command::Help
    ));
    assert_eq!(screen.place(&world.model), Place::Prompt);
    world.answer("help", "g NAME\r\np \u{1b}[2JNAME\n");
    let shown = frame(&world, &mut screen);
    assert_eq!(screen.place(&world.model), Place::Details);
    assert!(
        shown.contains("g NAME ") && shown.contains("p \\x1b[2JNAME "),
        "{shown}"
    );
    assert!(!shown.contains("\\n") && !shown.contains("\\r"), "{shown}");
    keys(&mut screen, &world, "\x1b");
    draw(&world, &mut screen, (80, 24));
    assert_eq!(screen.place(&world.model), Place::Prompt);
    // It stays readable, and typing is not interrupted by a new one.
    press(&mut screen, &world, KeyCode::F(5));
    assert_eq!(screen.place(&world.model), Place::Details);
    keys(&mut screen, &world, "\x1babc");
    world.answer("help", "other words");
    let shown = frame(&world, &mut screen);
    assert_eq!(screen.place(&world.model), Place::Prompt);
    assert!(!shown.contains("other words"), "{shown}");
    assert!(shown.contains("F5 shows it"), "{shown}");
    keys(&mut screen, &world, "\t");
    assert!(matches!(
        told(keys(&mut screen, &world, "H")),
        Command::Help
    ));
    assert!(frame(&world, &mut screen).contains("other words"));
}

#[test]
fn nothing_a_dialect_does_not_offer_can_be_reached() {
    for dialect in Dialect::ALL.into_iter().filter(|dialect| !dialect.lists()) {
        let world = World::desk(dialect);
        let ways = ["F1", "F2", "F3", "F4", "F5", "\td", "\tu", "\tm", "\tH"];
        for way in ways {
            let mut screen = at(&world);
            let mut reactions = vec![match way.strip_prefix('F') {
                Some(n) => press(&mut screen, &world, KeyCode::F(n.parse().unwrap())),
                None => keys(&mut screen, &world, way),
            }];
            press(&mut screen, &world, KeyCode::Esc);
            if screen.place(&world.model) == Place::Queue {
                keys(&mut screen, &world, "\t");
            }
            reactions.push(keys(&mut screen, &world, "a b\n"));
            for reaction in reactions {
                let Reaction::Tell(commands) = reaction else {
                    continue;
                };
                for command in commands {
                    let offered = match command {
                        Command::Fetch(_) => dialect.gets(),
                        Command::Send(_) => dialect.puts(),
                        Command::Rename { .. } | Command::Help => dialect.renames(),
                        _ => false,
                    };
                    assert!(offered, "{dialect:?} {way}: {command:?}");
                }
            }
        }
        let mut screen = at(&world);
        for focus in ["", "\t"] {
            keys(&mut screen, &world, focus);
            let shown = frame(&world, &mut screen);
            let footer = shown.lines().last().unwrap();
            assert_eq!(footer.contains("rename"), dialect.renames(), "{footer}");
            assert_eq!(footer.contains("ask server"), dialect.renames(), "{footer}");
            assert!(dialect.puts() || !footer.contains("send"), "{footer}");
            assert!(dialect.gets() || !footer.contains("fetch"), "{footer}");
        }
    }
}

#[test]
fn a_drop_desk_sends_and_a_lost_link_changes_nothing() {
    let mut world = World::desk(Dialect::Drop);
    let mut screen = at(&world);
    let shown = frame(&world, &mut screen);
    assert!(shown.contains("file to send: "), "{shown}");
    assert!(!shown.contains("name to fetch"), "{shown}");
    let why = DisplayName::from("gone");
    world.tell(What::Link(Link::Lost { why, again: None }));
    draw(&world, &mut screen, (80, 24));
    assert!(matches!(
        told(keys(&mut screen, &world, "a.bin\n")),
        Command::Send(_)
    ));
    assert!(!matches!(
        keys(&mut screen, &world, "\n"),
        Reaction::Tell(_)
    ));
}

#[test]
fn names_are_chosen_only_where_one_fetches() {
    let world = World::desk(Dialect::Colon);
    let mut screen = at(&world);
    press(&mut screen, &world, KeyCode::F(3));
    press(&mut screen, &world, KeyCode::Down);
    assert!(!matches!(
        keys(&mut screen, &world, "\n"),
        Reaction::Tell(_)
    ));
    press(&mut screen, &world, KeyCode::F(2));
    press(&mut screen, &world, KeyCode::Down);
    assert!(matches!(
        told(keys(&mut screen, &world, "\n")),
        Command::Fetch(_)
    ));
}

#[test]
fn a_folder_that_lists_has_no_desk() {
    let mut world = World::client();
    world.ready(true);
    let mut screen = at(&world);
    for way in ["3d", "3u", "3m", "3H", "2u", "1m", "1r", "1D", "1H"] {
        assert!(!matches!(keys(&mut screen, &world, way), Reaction::Tell(_)));
        keys(&mut screen, &world, "1");
        assert_eq!(screen.place(&world.model), Place::Files);
        screen = at(&world);
    }
}

#[test]
fn questions_about_uploads_are_about_uploads() {
    let mut world = World::desk(Dialect::Drop);
    let big = world.moving(1, Direction::Out, "a.bin", Some(1 << 30), 0);
    big.add(1 << 20);
    world.tick(1_000);
    let mut screen = at(&world);
    for (key, words) in [
        ("\tp", "would be sent again"),
        ("x", "that were sent make no file there"),
        ("q", "1 unfinished upload."),
    ] {
        keys(&mut screen, &world, key);
        let shown = frame(&world, &mut screen);
        assert!(shown.contains(words), "{words}: {shown}");
        keys(&mut screen, &world, "n");
    }
    world.job(2, "b", None, JobState::Queued);
    keys(&mut screen, &world, "q");
    let shown = frame(&world, &mut screen);
    assert!(shown.contains("2 unfinished transfers."), "{shown}");
}
