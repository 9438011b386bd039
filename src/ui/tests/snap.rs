//! Whole frames against the pictures that were looked at and kept.

use ratatui::buffer::{Buffer, Cell};
use ratatui::style::Color;

use std::time::Duration;

use crate::entity::{Dialect, DisplayName, Kind, RemotePath, Rights, Root, Speak};
use crate::event::{Clash, Fact, Hashed, JobState, Link, Listening, ListingState, Saved, What};
use crate::model::Badge;

use super::keys;
use super::world::{self, World, draw, text};

const SIZES: [(u16, u16); 4] = [(80, 24), (120, 36), (200, 50), (60, 16)];

/// Draws after some keys at some sizes, and compares.
fn check(name: &str, world: &World, typed: &str, sizes: &[(u16, u16)]) {
    for &size in sizes {
        let mut screen = world::screen(world);
        draw(world, &mut screen, size);
        keys(&mut screen, world, typed);
        let frame = text(&draw(world, &mut screen, size));
        insta::with_settings!({snapshot_path => "../snapshots", prepend_module_to_snapshot => false}, {
            insta::assert_snapshot!(format!("{name}-{}x{}", size.0, size.1), frame);
        });
    }
}

#[test]
fn an_empty_server() {
    check("server-empty", &World::server(), "", &SIZES);
}

#[test]
fn a_busy_server_with_rows_that_ended() {
    let world = world::busy();
    check("server-busy", &world, "", &SIZES);
    check("server-transfers", &world, "2", &SIZES[..2]);
    check("server-events", &world, "3kk", &SIZES[..2]);
    check("server-large", &world, "e", &SIZES[..1]);
}

#[test]
fn what_lies_on_top_of_a_server() {
    let world = world::busy();
    check("server-help", &world, "?", &SIZES);
    check("server-details", &world, "\n", &SIZES);
    check("server-event", &world, "\tk\n", &SIZES[..1]);
    check("server-kick", &world, "x", &SIZES);
    check("server-sort", &world, "s", &SIZES[..1]);
}

#[test]
fn a_first_line_with_more_to_say_than_room() {
    let mut world = World::server();
    world.model.about.subject =
        DisplayName::from("/srv/projects/physics/2026/measurements/cloud-chamber/run-17");
    world.model.about.badges.push(Badge::PLAINTEXT);
    for (addr, speak) in [
        ([192, 168, 100, 200], Speak::Only(Dialect::Classic)),
        ([10, 0, 0, 1], Speak::Only(Dialect::Deck)),
    ] {
        let addr = (addr, 18_815).into();
        world.tell(What::Listening(Listening { addr, speak }));
    }
    check("server-crowded", &world, "", &SIZES);
    world.model.about.badges.push(Badge::DOTFILES);
    check("server-dotfiles", &world, "f", &SIZES[..2]);
}

/// The cells of the first line in which a text stands.
fn cells(frame: &Buffer, words: &str) -> Vec<Cell> {
    let line: Vec<Cell> = (0..frame.area.width)
        .map(|x| frame[(x, 0)].clone())
        .collect();
    let letters = words.chars().count();
    line.windows(letters)
        .find(|cells| cells.iter().map(Cell::symbol).collect::<String>() == words)
        .map(<[Cell]>::to_vec)
        .unwrap_or_default()
}

#[test]
fn badges_are_on_every_frame_and_the_bad_ones_are_red() {
    let mut world = World::server();
    world.model.about.subject = DisplayName::from("/srv/".repeat(40).as_str());
    world.model.about.badges.push(Badge::PLAINTEXT);
    for n in 1..9 {
        let addr = ([192, 168, 100, 200], 20_000 + n).into();
        let speak = Speak::Only(Dialect::Classic);
        world.tell(What::Listening(Listening { addr, speak }));
    }
    for width in 60..240 {
        for typed in ["", "f"] {
            let mut screen = world::screen(&world);
            keys(&mut screen, &world, typed);
            let frame = draw(&world, &mut screen, (width, 24));
            let bad = cells(&frame, "PLAINTEXT, ANYBODY");
            let calm = cells(&frame, "READ-ONLY");
            assert!(!bad.is_empty() && !calm.is_empty(), "{}", text(&frame));
            assert!(bad.iter().all(|cell| cell.bg == Color::Red));
            assert!(calm.iter().all(|cell| cell.bg == Color::Reset));
        }
    }
}

#[test]
fn filters_of_a_server() {
    let world = world::busy();
    check("server-filter", &world, "/peer=192 rate>1M", &SIZES[..2]);
    check("server-filter-wrong", &world, "/rate>1q", &SIZES[..2]);
    check("server-filter-none", &world, "/nobody\n", &SIZES[..1]);
}

#[test]
fn a_server_that_leaves_frozen_with_events_lost() {
    let mut world = world::busy();
    world.model.lost = 12;
    world.tell(What::Shutdown(Fact::default()));
    world.tick(3_000);
    check("server-leaving", &world, "f", &SIZES);
}

#[test]
fn a_client_that_fetches() {
    let world = world::fetching();
    check("client", &world, "j  ", &SIZES);
    check("client-queue", &world, "3jj", &SIZES[..2]);
    check("client-range", &world, "jvjj", &SIZES[..1]);
    check("client-filter", &world, "/iso", &SIZES[..1]);
    check("client-help", &world, "?", &SIZES[..2]);
    check("client-cancel", &world, "3jjx", &SIZES[..1]);
    check("client-details", &world, "3jj\n", &SIZES);
}

#[test]
fn a_client_that_is_asked() {
    let mut world = world::fetching();
    world.job(9, "notes.txt", Some(12_288), JobState::Clash);
    check("client-clash", &world, "", &SIZES);
    world.told(9, |job| job.folder = DisplayName::from("holiday/2026/raw"));
    check("client-clash-below", &world, "", &SIZES[..1]);
    let mut world = world::fetching();
    world.model.about.standing = Some(Clash::Overwrite);
    check("client-standing", &world, "3A", &SIZES);
}

#[test]
fn a_client_that_cannot_list() {
    let mut world = World::client();
    world.ready(false);
    check("client-prompt-empty", &world, "", &SIZES[..1]);
    let names = [("iso/a.iso", Kind::File, 0), ("notes.txt", Kind::File, 0)];
    world.list("", &names, ListingState::Whole);
    check("client-prompt", &world, "no", &SIZES);
}

#[test]
fn the_desks_of_the_old_dialects() {
    let session = World::desk(Dialect::Session);
    check("desk-session", &session, "", &SIZES[..2]);
    check("desk-session-put", &session, "\tu/tmp/a b", &SIZES[..2]);
    let mut renamed = World::desk(Dialect::Session);
    renamed.answer(
        "not_renamed",
        "the server knows no file `old.txt`, or may not rename it",
    );
    check(
        "desk-session-rename",
        &renamed,
        "\tmold.txt new.txt",
        &SIZES[..2],
    );
    let mut helped = World::desk(Dialect::Session);
    helped.answer(
        "help",
        "g NAME  fetches\np NAME  stores\n\nc OLD NEW  renames\n",
    );
    check("desk-session-help", &helped, "", &SIZES[..2]);
    let colon = World::desk(Dialect::Colon);
    check("desk-colon", &colon, "re", &SIZES[..2]);
    let drop = World::desk(Dialect::Drop);
    check("desk-drop", &drop, "", &SIZES[..2]);
    check("desk-drop-queue", &drop, "\t", &SIZES[..2]);
}

#[test]
fn uploads_on_both_sides() {
    let sending = world::sending();
    check("client-sending", &sending, "", &SIZES);
    check("client-sending-queue", &sending, "\tjjj", &SIZES[..2]);
    check("client-sending-details", &sending, "\tjjj\n", &SIZES[..2]);
    let taking = world::taking();
    check("server-taking", &taking, "", &SIZES);
    check("server-taking-transfers", &taking, "2", &SIZES[..2]);
    check("server-taking-details", &taking, "jj\n", &SIZES[..2]);
}

#[test]
fn a_server_that_invites() {
    let mut world = world::inviting();
    check("server-inviting", &world, "", &SIZES);
    check("server-invite", &world, "i", &SIZES);
    check("server-known", &world, "\n", &SIZES[..2]);
    check("server-stretches", &world, "2", &SIZES[..2]);
    check("server-by-name", &world, "/name=ana", &SIZES[1..2]);
    world.tell(What::Invite(world::invite(2)));
    check("server-turned", &world, "i", &SIZES[..1]);
}

#[test]
fn a_client_with_two_folders() {
    let world = world::pairing();
    check("two-folders", &world, "", &SIZES);
    check("two-local", &world, "\tj ", &SIZES);
    check("two-queue", &world, "3j", &SIZES[1..2]);
    check("two-details", &world, "3\n", &SIZES[..2]);
    check("two-resumed", &world, "3j\n", &SIZES[..1]);
    check("two-file", &world, "ji", &SIZES[..1]);
    check("two-help", &world, "?", &SIZES[2..3]);
    check("two-make", &world, "mnew", &SIZES);
    check("two-rename", &world, "jjr.bak", &SIZES[..1]);
    check("two-limit", &world, "3L", &SIZES[..1]);
    check("two-limit-wrong", &world, "L12q\n", &SIZES[..1]);
}

#[test]
fn a_client_that_may_only_read() {
    let mut world = world::pairing();
    world.ready_inside_tls(Rights::READ_ONLY);
    check("read-only", &world, "", &SIZES[..2]);
    let why = DisplayName::from("connection reset by the peer");
    let again = Some(Duration::from_secs(8));
    world.tell(What::Link(Link::Lost { why, again }));
    world.tick(3_400);
    check("lost-again", &world, "", &SIZES);
    // What no waiting mends is said beside the old list, too.
    let (old, new) = ("3f".repeat(32), "a1".repeat(32));
    let why = format!("the server's key has CHANGED: pinned {old}, now {new}");
    let why = DisplayName::from(why.as_str());
    world.tell(What::Link(Link::Lost { why, again: None }));
    check("lost-key", &world, "", &SIZES);
}

#[test]
fn what_is_asked_before_something_is_lost() {
    let mut world = world::pairing();
    check("delete-file", &world, "jjD", &SIZES[..1]);
    check("delete-counting", &world, "  jD", &SIZES[..1]);
    world.tell(What::Counted(world::counted(ListingState::Whole)));
    check("delete-counted", &world, "  jD", &SIZES);
    let why = DisplayName::from("the server said no");
    world.tell(What::Counted(world::counted(ListingState::Failed(why))));
    check("delete-uncounted", &world, "  D", &SIZES[..1]);
    world.tell(What::Saved(Saved {
        items: 12,
        bytes: 3_650_000_000,
    }));
    check("saved", &world, "", &SIZES);
}

#[test]
fn a_hash_that_was_asked_for() {
    let mut world = world::pairing();
    let mut screen = world::screen(&world);
    keys(&mut screen, &world, "jjH");
    let asked = text(&draw(&world, &mut screen, (80, 24)));
    assert!(asked.contains("the server is asked"), "{asked}");
    world.tell(What::Hashed(Hashed {
        path: RemotePath::from("iso/debian-12.9.0-amd64-DVD-1.iso"),
        root: Ok(Root(world::pin(4).0)),
    }));
    let frame = text(&draw(&world, &mut screen, (80, 24)));
    insta::with_settings!({snapshot_path => "../snapshots", prepend_module_to_snapshot => false}, {
        insta::assert_snapshot!("hash-80x24", frame);
    });
}

#[test]
fn a_client_with_nothing_to_show() {
    let mut world = World::client();
    check("client-connecting", &world, "", &SIZES[..1]);
    world.ready(true);
    world.list("", &[], ListingState::Whole);
    check("client-empty", &world, "", &SIZES[..1]);
    world.list(
        "secret",
        &[],
        ListingState::Failed(DisplayName::from("there is no such folder")),
    );
    check("client-refused", &world, "", &SIZES[..1]);
    let why = DisplayName::from("connection refused by 192.168.1.20:18814");
    world.tell(What::Link(Link::Lost { why, again: None }));
    check("client-lost", &world, "", &SIZES);
}
