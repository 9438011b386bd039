//! Whole frames against the pictures that were looked at and kept.

use crate::entity::{DisplayName, Kind};
use crate::event::{Fact, JobState, Link, ListingState, What};

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
    check("client-queue", &world, "\tjj", &SIZES[..2]);
    check("client-range", &world, "jvjj", &SIZES[..1]);
    check("client-filter", &world, "/iso", &SIZES[..1]);
    check("client-help", &world, "?", &SIZES[..2]);
    check("client-cancel", &world, "\tjjx", &SIZES[..1]);
}

#[test]
fn a_client_that_is_asked() {
    let mut world = world::fetching();
    world.job(9, "notes.txt", Some(12_288), JobState::Clash);
    check("client-clash", &world, "", &SIZES);
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
    world.tell(What::Link(Link::Lost { why }));
    check("client-lost", &world, "", &SIZES);
}
