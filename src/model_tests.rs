//! Scenarios: events and dials in, rows out, the clock turned by hand.

use super::*;
use crate::entity::{Dialect, Direction, Entry, JobId, Kind, Outcome, Peer, Phase, RemotePath};
use crate::event::{Job, JobState, Link, Listing, ListingState};
use crate::meter::{Dials, Progress};

fn about(role: Role) -> About {
    About {
        role,
        subject: DisplayName::from("/srv"),
        landing: DisplayName::default(),
        badges: Vec::new(),
        standing: None,
        limit: None,
        max_connections: 16,
    }
}

fn at(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

fn event(what: What) -> Event {
    Event {
        at: Timestamp::UNIX_EPOCH,
        what,
    }
}

fn birth(conn: u64) -> Arc<Birth> {
    let port = u16::try_from(conn).unwrap_or(u16::MAX);
    Arc::new(Birth {
        conn: ConnId(conn),
        peer: Peer(([127, 0, 0, 1], port).into()),
        addr: ([127, 0, 0, 1], 18_814).into(),
        at: Timestamp::UNIX_EPOCH,
        dials: Arc::new(Dials::default()),
        who: std::sync::OnceLock::new(),
    })
}

fn started(birth: &Birth, xfer: u64, size: Option<u64>) -> Arc<Started> {
    Arc::new(Started {
        xfer: XferId(xfer),
        conn: birth.conn,
        job: None,
        peer: birth.peer,
        dialect: Dialect::Classic,
        direction: Direction::Out,
        path: RemotePath::from("a.bin"),
        size,
        offset: 0,
        range: None,
        at: Timestamp::UNIX_EPOCH,
        progress: Arc::new(Progress::default()),
    })
}

fn ended(started: &Arc<Started>, outcome: Outcome) -> What {
    What::TransferEnded(Ended {
        started: Arc::clone(started),
        outcome,
        bytes: started.progress.done(),
        took: at(1000),
        cause: "",
        detail: DisplayName::default(),
    })
}

fn closed(conn: u64, end: End) -> What {
    What::Closed(Fact {
        conn: Some(ConnId(conn)),
        cause: end.label(),
        ..Fact::default()
    })
}

fn row(model: &Model, conn: u64) -> &Connection {
    &model.connections[&ConnId(conn)]
}

#[test]
fn a_transfer_moves_its_row_and_then_greys_out() {
    let mut model = Model::new(about(Role::Serve));
    let totals = Totals::default();
    let birth = birth(1);
    let started = started(&birth, 1, Some(10_000));
    model.apply(&event(What::Accepted(Arc::clone(&birth))), at(0));
    birth.dials.set_dialect(Dialect::Classic);
    birth.dials.set_phase(Phase::Sending);
    model.apply(&event(What::TransferStarted(Arc::clone(&started))), at(0));
    for step in 0..=4_u64 {
        model.sample(at(step * 250), &totals);
        started.progress.add(1_000);
        birth.dials.add_out(1_000);
    }
    model.sample(at(1250), &totals);
    let seen = row(&model, 1);
    assert_eq!(seen.dialect, Some(Dialect::Classic));
    assert_eq!(seen.phase, Phase::Sending);
    assert_eq!(seen.running().and_then(Transfer::ratio), Some(0.5));
    assert!((seen.rate.per_second() - 4_000.0).abs() < 1.0);
    assert_eq!(seen.eta(), Some(at(1250)));
    assert_eq!(seen.stall(at(1250)), Duration::ZERO);
    assert_eq!(model.active(), 1);
    model.sample(at(7_250), &totals);
    assert_eq!(row(&model, 1).stall(at(7_250)), at(6_000));
    assert_eq!(row(&model, 1).eta(), None, "no rate, no promise");

    model.apply(&event(ended(&started, Outcome::CompleteLength)), at(7_300));
    model.apply(&event(closed(1, End::Done)), at(7_300));
    model.sample(at(7_400), &totals);
    assert_eq!(model.living(), 0);
    assert_eq!(model.active(), 0);
    let gone = row(&model, 1).gone.as_ref().and_then(|gone| gone.end);
    assert_eq!(gone, Some(End::Done));
    assert_eq!(
        row(&model, 1).age(at(9_000)),
        at(7_300),
        "a dead row's clocks stand"
    );
    model.sample(at(7_300) + AFTERGLOW, &totals);
    assert!(model.connections.is_empty());
}

#[test]
fn what_others_carry_of_a_file_brings_its_end_nearer() {
    let mut model = Model::new(about(Role::Serve));
    let totals = Totals::default();
    let birth = birth(1);
    let whole = started(&birth, 7, Some(4_000));
    model.apply(&event(What::Accepted(Arc::clone(&birth))), at(0));
    model.apply(&event(What::TransferStarted(Arc::clone(&whole))), at(0));
    for step in 0..4_u64 {
        model.sample(at(step * 250), &totals);
        whole.progress.add(100);
        whole.progress.add_beside(300);
        birth.dials.add_out(100);
    }
    model.sample(at(1_000), &totals);
    let seen = row(&model, 1);
    assert_eq!(seen.running().and_then(Transfer::ratio), Some(0.4));
    // 400 bytes a second here and 1,200 beside.
    assert_eq!(seen.eta(), Some(at(1_500)));
}

#[test]
fn grey_rows_are_bounded() {
    let mut model = Model::new(about(Role::Serve));
    for conn in 1..=(MAX_GREY as u64 + 50) {
        model.apply(&event(What::Accepted(birth(conn))), at(0));
        model.apply(&event(closed(conn, End::PeerClosed)), at(0));
    }
    assert_eq!(model.connections.len(), MAX_GREY);
    assert_eq!(model.living(), 0);
    assert!(!model.connections.contains_key(&ConnId(1)));
}

#[test]
fn lines_are_bounded_and_numbered() {
    let mut model = Model::new(about(Role::Serve));
    for _ in 0..MAX_LINES + 10 {
        model.apply(&event(What::Note(Fact::default())), at(0));
    }
    assert_eq!(model.lines.len(), MAX_LINES);
    assert_eq!(model.lines_seen, MAX_LINES as u64 + 10);
    assert_eq!(model.lines.front().map(|entered| entered.number), Some(10));
}

/// Law 2: a reader that missed events ends where one that missed none ends.
#[test]
fn reset_after_loss_equals_replay() {
    let births: Vec<_> = (1..=6).map(birth).collect();
    let kept = started(&births[4], 9, Some(10));
    let lost = started(&births[5], 10, Some(10));
    let story: Vec<What> = births
        .iter()
        .map(|birth| What::Accepted(Arc::clone(birth)))
        .chain([
            What::TransferStarted(Arc::clone(&lost)),
            ended(&lost, Outcome::CompleteLength),
            closed(1, End::Done),
            closed(2, End::Kicked),
            What::TransferStarted(Arc::clone(&kept)),
        ])
        .collect();
    let mut whole = Model::new(about(Role::Serve));
    for what in &story {
        whole.apply(&event(what.clone()), at(0));
    }
    let mut lossy = Model::new(about(Role::Serve));
    for what in story.iter().take(7) {
        lossy.apply(&event(what.clone()), at(0));
    }
    let snapshot = Snapshot {
        lost: 4,
        births: births[2..].to_vec(),
        transfers: vec![Arc::clone(&kept)],
        ..Snapshot::default()
    };
    lossy.apply(&event(What::Reset(snapshot)), at(0));
    assert_eq!(lossy.lost, 4);
    assert_eq!(lossy.living(), whole.living());
    assert_eq!(lossy.active(), whole.active());
    let living = |model: &Model| -> Vec<ConnId> {
        let alive = model.connections.values().filter(|c| c.gone.is_none());
        alive.map(Connection::id).collect()
    };
    assert_eq!(living(&lossy), living(&whole));
    assert_eq!(
        row(&lossy, 1).gone.as_ref().map(|gone| gone.end),
        Some(None)
    );
}

#[test]
fn a_gauge_never_leaves_its_bounds() {
    assert_eq!(ratio(0, Some(0)), Some(1.0));
    assert_eq!(ratio(5, Some(0)), Some(1.0));
    assert_eq!(ratio(11, Some(10)), Some(1.0));
    assert_eq!(ratio(5, None), None);
    assert_eq!(eta(10, Some(10), 0.0), Some(Duration::ZERO));
    assert_eq!(eta(0, Some(u64::MAX), 1e-9), None);
    assert_eq!(eta(0, Some(10), f64::NAN), None);
    assert_eq!(eta(12, Some(10), 5.0), Some(Duration::ZERO));
}

fn entry(name: &str) -> Entry {
    Entry {
        name: name.into(),
        kind: Kind::File,
        size: 1,
        mtime: 0,
    }
}

fn page(request: u64, path: &str, names: &[&str], state: ListingState) -> What {
    What::Listing(Listing {
        path: RemotePath::from(path),
        request,
        entries: names.iter().map(|name| entry(name)).collect(),
        unlisted: 1,
        state,
    })
}

#[test]
fn a_folder_read_again_is_shown_until_it_is_known_anew() {
    let mut model = Model::new(about(Role::Dial));
    let names = |model: &Model| -> Vec<String> {
        let entries = model.remote.folder.entries.iter();
        entries.map(|entry| entry.name.to_string()).collect()
    };
    for (what, due) in [
        (page(1, "a", &["x"], ListingState::Whole), &["x"][..]),
        (page(2, "a", &[], ListingState::More), &["x"]),
        (page(2, "a", &["y"], ListingState::More), &["y"]),
        (page(2, "a", &["z"], ListingState::Whole), &["y", "z"]),
        (page(3, "a", &[], ListingState::More), &["y", "z"]),
        // Now it is empty.
        (page(3, "a", &[], ListingState::Whole), &[]),
        (page(4, "a", &["x"], ListingState::Whole), &["x"]),
        // Another one is nobody's to show.
        (page(5, "b", &[], ListingState::More), &[]),
    ] {
        model.apply(&event(what), Duration::ZERO);
        assert_eq!(names(&model), due);
    }
}

#[test]
fn pages_of_an_overtaken_question_are_not_mixed_in() {
    let mut model = Model::new(about(Role::Dial));
    for what in [
        page(1, "a", &["x"], ListingState::More),
        page(2, "b", &[], ListingState::More),
        page(1, "a", &["y"], ListingState::Whole),
        page(2, "b", &["z"], ListingState::Whole),
    ] {
        model.apply(&event(what), at(0));
    }
    let folder = &model.remote.folder;
    assert_eq!(folder.path, RemotePath::from("b"));
    assert_eq!(folder.entries, [entry("z")]);
    assert_eq!(folder.unlisted, 2);
    assert_eq!(folder.state, ListingState::Whole);
}

#[test]
fn a_listing_with_a_lost_page_is_never_called_whole() {
    let mut model = Model::new(about(Role::Dial));
    model.apply(&event(page(1, "", &["x"], ListingState::More)), at(0));
    let snapshot = Snapshot {
        lost: 3,
        link: Some(Link::Connecting),
        ..Snapshot::default()
    };
    model.apply(&event(What::Reset(snapshot)), at(0));
    assert!(matches!(model.remote.folder.state, ListingState::Failed(_)));
    // Nor one that was being read again.
    model.apply(&event(page(2, "", &["x"], ListingState::Whole)), at(0));
    model.apply(&event(page(3, "", &[], ListingState::More)), at(0));
    let snapshot = Snapshot {
        lost: 1,
        link: Some(Link::Connecting),
        ..Snapshot::default()
    };
    model.apply(&event(What::Reset(snapshot)), at(0));
    assert!(matches!(model.remote.folder.state, ListingState::Failed(_)));
}

fn job(job: u64, place: usize, state: JobState) -> What {
    What::Job(Arc::new(Job {
        direction: Direction::In,
        job: JobId(job),
        place,
        path: RemotePath::from("p"),
        target: DisplayName::from("p"),
        folder: DisplayName::default(),
        size: Some(100),
        resumes: true,
        kind: crate::entity::Kind::File,
        limit: None,
        state,
    }))
}

fn order(model: &Model) -> Vec<u64> {
    model.remote.items().map(|item| item.job.job.0).collect()
}

#[test]
fn the_queue_keeps_its_order_and_its_sums() {
    let mut model = Model::new(about(Role::Dial));
    let totals = Totals::default();
    for number in 0..3 {
        model.apply(
            &event(job(
                number + 1,
                usize::try_from(number).unwrap_or(0),
                JobState::Queued,
            )),
            at(0),
        );
    }
    assert_eq!(order(&model), [1, 2, 3]);
    model.apply(&event(job(3, 1, JobState::Queued)), at(0));
    model.apply(&event(job(2, 2, JobState::Queued)), at(0));
    assert_eq!(order(&model), [1, 3, 2]);

    let birth = birth(1);
    let started = started(&birth, 1, Some(100));
    started.progress.add(40);
    model.apply(&event(job(1, 0, JobState::Running { started })), at(0));
    model.apply(&event(job(3, 1, JobState::Paused { done: 10 })), at(0));
    model.sample(at(0), &totals);
    assert_eq!(model.remote.total(), (50, 300));
    assert_eq!((model.remote.running(), model.remote.queued()), (1, 1));
    assert!(model.is_busy());

    model.apply(&event(What::Removed([JobId(3)].into())), at(0));
    assert_eq!(order(&model), [1, 2]);
    assert_eq!(model.remote.total(), (40, 200));
}
