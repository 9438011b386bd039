//! Scenes of two folders: what is sent, made, renamed, deleted, held back, and who may.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use crossterm::event::{Event, KeyCode, KeyModifiers, MouseButton, MouseEvent, MouseEventKind};

use crate::entity::{Direction, DisplayName, JobId, Kind, Outcome, RemotePath, Rights, Root};
use crate::event::{
    Command, Counted, Doomed, Hashed, JobState, Link, ListingState, Restore, Saved, What,
};
use crate::meter::Walk;
use crate::ui::keys::Place;
use crate::ui::{Reaction, Screen};

use super::world::{self, MIB, World, draw, text};
use super::{ctrl, keys, press};

fn told(reaction: Reaction) -> Command {
    match reaction {
        Reaction::Tell(mut commands) if commands.len() == 1 => commands.remove(0),
        other => panic!("{other:?}"),
    }
}

fn frame(world: &World, screen: &mut Screen) -> String {
    text(&draw(world, screen, (120, 36)))
}

fn at(world: &World) -> Screen {
    let mut screen = world::screen(world);
    frame(world, &mut screen);
    screen
}

#[test]
fn what_is_marked_here_goes_to_the_folder_shown_there() {
    let world = world::pairing();
    let mut screen = at(&world);
    keys(&mut screen, &world, "2");
    assert_eq!(screen.place(&world.model), Place::Local);
    let Command::Send(outgoing) = told(keys(&mut screen, &world, " j u")) else {
        panic!("nothing was sent");
    };
    let sent: Vec<(&Path, Option<&str>)> = outgoing
        .iter()
        .map(|it| (it.local.as_path(), it.path.as_str()))
        .collect();
    assert_eq!(
        sent,
        [
            (
                Path::new("/home/ana/Downloads/holiday"),
                Some("iso/holiday")
            ),
            (
                Path::new("/home/ana/Downloads/report 2026.pdf"),
                Some("iso/report 2026.pdf")
            ),
        ]
    );
    let shown = frame(&world, &mut screen);
    assert!(
        shown.contains("queued ↑ 1 file and 1 folder to /iso"),
        "{shown}"
    );
    assert!(!shown.contains("marked"), "{shown}");
    // Enter sends a file, and goes into a folder.
    let command = told(keys(&mut screen, &world, "gg\n"));
    assert!(
        matches!(command, Command::LookLocal(to) if to == Path::new("/home/ana/Downloads/holiday"))
    );
    let shown = frame(&world, &mut screen);
    assert!(shown.contains("opening") && screen.wants_tick(), "{shown}");
}

#[test]
fn the_local_folder_is_walked_sorted_and_filtered_like_the_remote_one() {
    let mut world = world::pairing();
    let mut screen = at(&world);
    keys(&mut screen, &world, "2/photo\n");
    let shown = frame(&world, &mut screen);
    assert!(shown.contains("filter: photo  1 of 3"), "{shown}");
    keys(&mut screen, &world, "\x1bsj\n");
    let shown = frame(&world, &mut screen);
    assert!(
        shown.contains("sort: size ▼") && shown.contains("sort: name ▲"),
        "{shown}"
    );
    let command = told(press(&mut screen, &world, KeyCode::Backspace));
    assert!(matches!(command, Command::LookLocal(to) if to == Path::new("/home/ana")));
    world.look(
        "/home/ana",
        &[("a", Kind::Dir, 0), ("Downloads", Kind::Dir, 0)],
    );
    let shown = frame(&world, &mut screen);
    // It lands on the folder one came from.
    assert!(shown.contains("▸   Downloads/"), "{shown}");
    world.look("/", &[]);
    frame(&world, &mut screen);
    assert!(matches!(
        press(&mut screen, &world, KeyCode::Backspace),
        Reaction::Redraw
    ));
    world.tell(What::Local(crate::event::Local {
        path: PathBuf::from("/root"),
        entries: Arc::new([]),
        unlisted: 0,
        state: ListingState::Failed(DisplayName::from("permission denied")),
    }));
    let shown = frame(&world, &mut screen);
    assert!(shown.contains("✗ permission denied"), "{shown}");
}

#[test]
fn tab_goes_round_and_a_narrow_screen_shows_the_folder_with_the_keys() {
    let world = world::pairing();
    let mut screen = at(&world);
    let narrow = |screen: &mut Screen| text(&draw(&world, screen, (80, 24)));
    assert!(!narrow(&mut screen).contains("local /home"));
    let places = [Place::Local, Place::Queue, Place::Files];
    for place in places {
        keys(&mut screen, &world, "\t");
        assert_eq!(screen.place(&world.model), place);
        let shown = narrow(&mut screen);
        // The queue leaves the folder that was looked at last.
        assert_eq!(
            shown.contains("local /home"),
            place != Place::Files,
            "{shown}"
        );
    }
    press(&mut screen, &world, KeyCode::BackTab);
    assert_eq!(screen.place(&world.model), Place::Queue);
}

#[test]
fn a_click_in_the_local_pane_chooses_there() {
    let world = world::pairing();
    let mut screen = world::screen(&world);
    let shown = frame(&world, &mut screen);
    let y = shown
        .lines()
        .position(|line| line.contains("photo.raw  "))
        .unwrap();
    let event = Event::Mouse(MouseEvent {
        kind: MouseEventKind::Down(MouseButton::Left),
        column: 70,
        row: u16::try_from(y).unwrap(),
        modifiers: KeyModifiers::NONE,
    });
    screen.react(&event, &world.model);
    assert_eq!(screen.place(&world.model), Place::Local);
    let Command::Send(outgoing) = told(keys(&mut screen, &world, "u")) else {
        panic!("nothing was sent");
    };
    assert_eq!(outgoing[0].path, RemotePath::from("iso/photo.raw"));
}

#[test]
fn a_folder_is_made_and_a_file_renamed_under_a_name_that_can_be_one() {
    let world = world::pairing();
    let mut screen = at(&world);
    keys(&mut screen, &world, "m");
    assert_eq!(screen.place(&world.model), Place::Line);
    for wrong in ["\n", "a/b\n", "..\n"] {
        // Wrong names stay to be mended.
        assert!(
            matches!(keys(&mut screen, &world, wrong), Reaction::Redraw),
            "{wrong}"
        );
        let shown = frame(&world, &mut screen);
        assert!(shown.contains('✗'), "{shown}");
        ctrl(&mut screen, &world, 'u');
    }
    let command = told(keys(&mut screen, &world, "q n\n"));
    assert!(matches!(command, Command::MakeFolder(path) if path == RemotePath::from("iso/q n")));
    assert_eq!(screen.place(&world.model), Place::Files);
    let command = told(keys(&mut screen, &world, "Gr.old\n"));
    let Command::Rename { from, to } = command else {
        panic!("{command:?}");
    };
    assert_eq!(
        (from, to),
        ("iso/notes.txt".into(), "iso/notes.txt.old".into())
    );
    // The same name is no renaming; Esc is none either.
    assert!(matches!(keys(&mut screen, &world, "r\n"), Reaction::Redraw));
    assert!(matches!(
        keys(&mut screen, &world, "rx\x1b"),
        Reaction::Redraw
    ));
    assert_eq!(screen.place(&world.model), Place::Files);
}

#[test]
fn deleting_waits_for_the_count_of_its_own_question() {
    let mut world = world::pairing();
    let mut screen = at(&world);
    let command = told(keys(&mut screen, &world, " j D"));
    let Command::Count { request, what } = command else {
        panic!("{command:?}");
    };
    // Only what is in folders is unknown.
    assert_eq!(what.len(), 1);
    assert_eq!(what[0].path, RemotePath::from("iso/archive"));
    let walk = Arc::new(Walk::default());
    let counted = |request, state| {
        What::Counted(Counted {
            request,
            walk: Arc::clone(&walk),
            state,
        })
    };
    assert!(matches!(keys(&mut screen, &world, "y"), Reaction::Redraw));
    world.tell(counted(request, ListingState::More));
    walk.add_file(3 * MIB);
    assert!(screen.wants_tick());
    let shown = frame(&world, &mut screen);
    assert!(shown.contains("counting: 1 file, 3.00 MiB"), "{shown}");
    assert!(!shown.contains("y delete"), "{shown}");
    assert!(matches!(keys(&mut screen, &world, "y\n"), Reaction::Redraw));
    // Another question's answer is not this one's.
    world.tell(counted(request + 1, ListingState::Whole));
    assert!(matches!(keys(&mut screen, &world, "y"), Reaction::Redraw));
    world.tell(counted(request, ListingState::Whole));
    let shown = frame(&world, &mut screen);
    assert!(
        shown.contains("Delete 1 file and 1 folder with 1 file in it (4.00 GiB)?"),
        "{shown}"
    );
    let command = told(keys(&mut screen, &world, "y"));
    let Command::Delete(what) = command else {
        panic!("{command:?}");
    };
    let kinds: Vec<Kind> = what.iter().map(|doomed| doomed.kind).collect();
    assert_eq!(kinds, [Kind::Dir, Kind::File]);
    assert_eq!(screen.place(&world.model), Place::Files);
    // A file alone needs no count; no means no.
    assert!(matches!(keys(&mut screen, &world, "GD"), Reaction::Redraw));
    assert!(matches!(
        keys(&mut screen, &world, "\x1b"),
        Reaction::Redraw
    ));
    press(&mut screen, &world, KeyCode::Delete);
    let command = told(keys(&mut screen, &world, "y"));
    let only = Doomed {
        path: RemotePath::from("iso/notes.txt"),
        kind: Kind::File,
    };
    assert!(matches!(command, Command::Delete(what) if what == [only]));
}

#[test]
fn without_the_right_a_key_does_nothing_and_is_not_shown() {
    let mut world = world::pairing();
    for (rights, refused) in [
        (Rights::READ_ONLY, "mrD"),
        (Rights::default(), "mrDdH"),
        (
            Rights {
                upload: false,
                ..Rights::NEWCOMER
            },
            "m",
        ),
        (
            Rights {
                rename: false,
                ..Rights::NEWCOMER
            },
            "r",
        ),
        (
            Rights {
                delete: false,
                ..Rights::NEWCOMER
            },
            "D",
        ),
    ] {
        world.ready_inside_tls(rights);
        let mut screen = world::screen(&world);
        let footer = |screen: &mut Screen| {
            let shown = text(&draw(&world, screen, (200, 50)));
            shown.lines().last().unwrap().to_owned()
        };
        keys(&mut screen, &world, "G");
        for key in refused.chars() {
            assert!(!footer(&mut screen).contains(&format!(" {key} ")), "{key}");
            let reaction = keys(&mut screen, &world, &key.to_string());
            assert!(matches!(reaction, Reaction::Redraw), "{key}");
            assert_eq!(screen.place(&world.model), Place::Files);
        }
        keys(&mut screen, &world, "2");
        let sends = matches!(keys(&mut screen, &world, "u"), Reaction::Tell(_));
        assert_eq!(sends, rights.upload);
    }
}

#[test]
fn what_may_be_done_there_stands_in_the_last_line_of_a_narrow_terminal() {
    let mut world = world::pairing();
    let mut footer = |rights: Rights| {
        world.ready_inside_tls(rights);
        let mut screen = world::screen(&world);
        keys(&mut screen, &world, "j");
        let shown = text(&draw(&world, &mut screen, (80, 24)));
        shown.lines().last().unwrap().to_owned()
    };
    let all = ["? help", "⏎ open", "Space mark", "d download"];
    let changes = ["m folder", "r rename", "D delete"];
    let line = footer(Rights::NEWCOMER);
    for words in all.iter().chain(&changes).chain(&["q quit"]) {
        assert!(line.contains(&format!(" {words}")), "{words}: {line}");
    }
    // Whoever may not, has the room for looking around.
    let line = footer(Rights::READ_ONLY);
    for words in all.iter().chain(&["h out", "/ filter", "Tab pane"]) {
        assert!(line.contains(&format!(" {words}")), "{words}: {line}");
    }
    for words in changes {
        assert!(!line.contains(words), "{words}: {line}");
    }
    let world = world::inviting();
    let mut screen = world::screen(&world);
    let shown = text(&draw(&world, &mut screen, (80, 24)));
    let line = shown.lines().last().unwrap();
    assert!(line.contains(" i invite"), "{line}");
}

#[test]
fn a_folder_is_listed_again_after_a_change_and_not_more_often_than_once_a_second() {
    let mut world = world::pairing();
    let mut screen = at(&world);
    assert!(screen.errands().is_empty());
    let reloads = |world: &World, screen: &mut Screen| {
        frame(world, screen);
        let errands = screen.errands();
        assert!(errands.len() <= 1, "{errands:?}");
        errands
            .iter()
            .any(|errand| matches!(errand, Command::Open(path) if *path == RemotePath::from("iso")))
    };
    for cause in [
        "made",
        "not_made",
        "renamed",
        "not_renamed",
        "deleted",
        "not_deleted",
    ] {
        world.tick(2_000);
        world.answer(cause, "said so");
        assert!(reloads(&world, &mut screen), "{cause}");
        assert!(!reloads(&world, &mut screen), "{cause}");
        let shown = frame(&world, &mut screen);
        let sign = if cause.starts_with("not_") {
            "✗"
        } else {
            "✓"
        };
        assert!(shown.contains(&format!("{sign} said so")), "{shown}");
    }
    // Uploads that land one after the other: one listing a second.
    world.tick(2_000);
    let mut listed = 0;
    for n in 0..30 {
        let out = Direction::Out;
        world.item(100 + n, out, "iso/a", None, JobState::Queued);
        let state = JobState::Ended {
            cause: "",
            outcome: Outcome::CompleteHash,
            bytes: 1,
            took: Duration::ZERO,
            detail: DisplayName::default(),
        };
        world.item(100 + n, out, "iso/a", None, state);
        world.tick(100);
        listed += u32::from(reloads(&world, &mut screen));
    }
    assert!((2..=4).contains(&listed), "{listed}");
    assert!(screen.wants_tick(), "the last one would not be shown");
    // A download that landed is seen here.
    world.tick(2_000);
    frame(&world, &mut screen);
    screen.errands();
    world.job(7, "x", None, JobState::Queued);
    let state = JobState::Ended {
        cause: "",
        outcome: Outcome::CompleteLength,
        bytes: 1,
        took: Duration::ZERO,
        detail: DisplayName::default(),
    };
    world.job(7, "x", None, state);
    world.tick(2_000);
    frame(&world, &mut screen);
    assert!(matches!(&screen.errands()[..], [Command::LookLocal(_)]));
}

#[test]
fn the_first_listing_is_not_asked_for_twice() {
    let mut world = World::client();
    let mut screen = at(&world);
    // Both in one frame.
    world.ready_inside_tls(Rights::NEWCOMER);
    world.list("iso", &[("a", Kind::File, 1)], ListingState::Whole);
    frame(&world, &mut screen);
    assert!(screen.errands().is_empty());
}

#[test]
fn a_link_that_comes_back_lists_the_folder_again() {
    let mut world = world::pairing();
    let mut screen = at(&world);
    let why = DisplayName::from("reset");
    let again = Some(Duration::from_secs(4));
    world.tell(What::Link(Link::Lost { why, again }));
    let shown = frame(&world, &mut screen);
    assert!(shown.contains("again in 4 s"), "{shown}");
    world.tick(2_500);
    let shown = frame(&world, &mut screen);
    assert!(shown.contains("again in 1 s"), "{shown}");
    world.tick(9_000);
    let shown = frame(&world, &mut screen);
    assert!(shown.contains("trying again"), "{shown}");
    assert!(screen.errands().is_empty());
    world.tell(What::Link(Link::Connecting));
    frame(&world, &mut screen);
    world.ready_inside_tls(Rights::NEWCOMER);
    frame(&world, &mut screen);
    assert!(matches!(&screen.errands()[..], [Command::Open(_)]));
}

#[test]
fn a_listing_again_keeps_choice_and_marks() {
    let mut world = world::pairing();
    let mut screen = at(&world);
    keys(&mut screen, &world, "j jj");
    let entries = [
        ("a", Kind::File, 1),
        ("notes.txt", Kind::File, 12_288),
        ("old", Kind::Dir, 0),
        ("zz", Kind::File, 1),
    ];
    // The chosen one comes on the second page.
    world.list("iso", &entries[..1], ListingState::More);
    frame(&world, &mut screen);
    world.page("iso", &entries[1..], ListingState::Whole);
    let shown = frame(&world, &mut screen);
    assert!(shown.contains("▸   notes.txt"), "{shown}");
    assert!(shown.contains("● old/"), "{shown}");
}

#[test]
fn a_rate_is_asked_for_one_or_for_all() {
    let world = world::pairing();
    let mut screen = at(&world);
    let command = told(keys(&mut screen, &world, "3L10M\n"));
    assert!(matches!(
        command,
        Command::Limit {
            job: Some(JobId(0)),
            rate: Some(10_000_000)
        }
    ));
    ctrl(&mut screen, &world, 'l');
    let command = told(keys(&mut screen, &world, "2MiB\n"));
    assert!(matches!(
        command,
        Command::Limit {
            job: None,
            rate: Some(2_097_152)
        }
    ));
    let shown = frame(&world, &mut screen);
    assert!(shown.contains("all held to 2 MiB/s"), "{shown}");
    // What holds now stands in the line.
    keys(&mut screen, &world, "1L");
    let shown = frame(&world, &mut screen);
    assert!(shown.contains("▸ 2MiB"), "{shown}");
    ctrl(&mut screen, &world, 'u');
    let command = told(keys(&mut screen, &world, "0\n"));
    assert!(matches!(
        command,
        Command::Limit {
            job: None,
            rate: None
        }
    ));
    assert!(!frame(&world, &mut screen).contains("held to"));
    // What has ended needs no limit: it is for all.
    let command = told(keys(&mut screen, &world, "3GL1k\n"));
    assert!(matches!(
        command,
        Command::Limit {
            job: None,
            rate: Some(1_000)
        }
    ));
}

#[test]
fn a_left_over_queue_is_asked_about_once_and_can_be_put_off() {
    let mut world = world::pairing();
    let mut screen = at(&world);
    let saved = Saved {
        items: 12,
        bytes: 1 << 30,
    };
    world.tell(What::Saved(saved));
    frame(&world, &mut screen);
    assert_eq!(screen.place(&world.model), Place::Saved);
    // What was typed when it came was not meant for it.
    assert!(matches!(keys(&mut screen, &world, "n"), Reaction::Redraw));
    assert_eq!(screen.place(&world.model), Place::Saved);
    keys(&mut screen, &world, "\x1b");
    assert_eq!(screen.place(&world.model), Place::Files);
    world.tick(1_000);
    frame(&world, &mut screen);
    assert_eq!(screen.place(&world.model), Place::Files);
    keys(&mut screen, &world, "a");
    assert_eq!(screen.place(&world.model), Place::Saved);
    let command = told(keys(&mut screen, &world, "y"));
    assert!(matches!(command, Command::Restore(Restore::TakeUp)));
    keys(&mut screen, &world, "a");
    assert_eq!(screen.place(&world.model), Place::Files);
    world.tell(What::Saved(saved));
    frame(&world, &mut screen);
    world.tick(1_000);
    let command = told(keys(&mut screen, &world, "n"));
    assert!(matches!(command, Command::Restore(Restore::Forget)));
    // It interrupts no typing, and nothing is asked about nothing.
    keys(&mut screen, &world, "/no");
    world.tell(What::Saved(saved));
    frame(&world, &mut screen);
    assert_eq!(screen.place(&world.model), Place::Filter);
    keys(&mut screen, &world, "\n");
    assert_eq!(screen.place(&world.model), Place::Saved);
    keys(&mut screen, &world, "\x1b\x1b");
    world.tell(What::Saved(Saved { items: 0, bytes: 0 }));
    frame(&world, &mut screen);
    assert_eq!(screen.place(&world.model), Place::Files);
}

#[test]
fn a_hash_is_shown_whole_or_why_there_is_none_and_never_an_old_one() {
    let mut world = world::pairing();
    let mut screen = at(&world);
    let notes = RemotePath::from("iso/notes.txt");
    let tell = |world: &mut World, root| {
        let path = RemotePath::from("iso/notes.txt");
        world.tell(What::Hashed(Hashed { path, root }));
    };
    tell(&mut world, Ok(Root([0xab; 32])));
    let command = told(keys(&mut screen, &world, "GH"));
    assert!(matches!(command, Command::Hash(path) if path == notes));
    let shown = frame(&world, &mut screen);
    assert!(
        !shown.contains("abab") && shown.contains("is asked"),
        "{shown}"
    );
    assert!(screen.wants_tick());
    tell(&mut world, Ok(Root([0xcd; 32])));
    let shown = frame(&world, &mut screen);
    assert_eq!(shown.matches(&"cd".repeat(16)).count(), 2, "{shown}");
    told(keys(&mut screen, &world, "H"));
    tell(&mut world, Err(DisplayName::from("it changed meanwhile")));
    let shown = frame(&world, &mut screen);
    assert!(shown.contains("✗ it changed meanwhile"), "{shown}");
    // A folder has none.
    keys(&mut screen, &world, "\x1bgg");
    assert!(matches!(keys(&mut screen, &world, "H"), Reaction::Redraw));
    assert_eq!(screen.place(&world.model), Place::Files);
}

#[test]
fn what_is_checked_is_told_as_far_as_it_is() {
    let mut world = world::pairing();
    let line = |world: &World, name: &str| {
        let mut screen = world::screen(world);
        let shown = text(&draw(world, &mut screen, (200, 50)));
        let queue = shown.split_once("queue (").unwrap().1.to_owned();
        queue
            .lines()
            .find(|line| line.contains(name))
            .unwrap()
            .to_owned()
    };
    let iso = line(&world, "debian");
    assert!(
        iso.contains("4 streams") && iso.contains("✓ verified 49 %"),
        "{iso}"
    );
    let resumed = line(&world, "resumed");
    assert!(
        resumed.contains("hashing 17 %") && resumed.contains("from 1.20 GiB"),
        "{resumed}"
    );
    let held = line(&world, "photo.raw");
    assert!(held.contains("≤ 10 MB/s"), "{held}");
    assert!(line(&world, "archive/").contains("1,204 files, 2.35 GiB so far"));
    assert!(line(&world, "waits.bin").contains("waits: the server is gone"));
    assert!(line(&world, "notes.txt").contains("complete (hash)"));
    assert!(line(&world, "fast.txt").contains("complete (length)"));
    // Nothing is claimed where nothing is checked.
    let plain = world.running(20, "plain.bin", Some(9 * MIB), 0);
    plain.add(5 * MIB);
    world.tick(1_000);
    let plain = line(&world, "plain.bin");
    assert!(
        !plain.contains("verified") && !plain.contains("hashing"),
        "{plain}"
    );
}

#[test]
fn a_folder_that_is_opened_is_not_overtaken_by_the_one_listed_again() {
    let mut world = world::pairing();
    let mut screen = at(&world);
    frame(&world, &mut screen);
    world.tick(2_000);
    world.answer("made", "said so");
    // The key's own look at the model notices the change, then the key opens a folder.
    let command = told(keys(&mut screen, &world, "gg\n"));
    assert!(
        matches!(&command, Command::Open(path) if path.parent() == RemotePath::from("iso")),
        "{command:?}"
    );
    frame(&world, &mut screen);
    let errands = screen.errands();
    assert!(errands.is_empty(), "{errands:?}");
}
