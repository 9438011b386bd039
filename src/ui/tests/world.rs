//! A small world to draw: models made by hand from events and dials.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::buffer::{Buffer, CellWidth};

use crate::entity::{
    ConnId, Dialect, Direction, DisplayName, End, Entry, JobId, Kind, Outcome, Peer, Phase, Pin,
    RemotePath, Rights, Speak, XferId,
};
use crate::event::{
    Birth, Counted, Ended, Event, Fact, Invite, Job, JobState, Link, Listening, Listing,
    ListingState, Local, Offers, Secret, Started, What, Who,
};
use crate::meter::{Dials, Progress, Totals, Walk};
use crate::model::{About, Badge, Model, Role};
use crate::ui::{Screen, theme::Theme};

pub const MIB: u64 = 1 << 20;
pub const GIB: u64 = 1 << 30;

/// A model, the dials behind it, and its clock.
pub struct World {
    pub model: Model,
    pub totals: Totals,
    pub now: Duration,
    pub births: Vec<Arc<Birth>>,
    pub started: Vec<Arc<Started>>,
    request: u64,
}

impl World {
    pub fn new(role: Role) -> Self {
        let (subject, badges) = match role {
            Role::Serve => ("/srv/outbox", vec![Badge::READ_ONLY]),
            Role::Dial => ("deck://192.168.1.20:18814/", Vec::new()),
        };
        Self {
            model: Model::new(About {
                role,
                subject: DisplayName::from(subject),
                landing: DisplayName::from("/home/ana/Downloads"),
                badges,
                standing: None,
                limit: None,
                max_connections: 4096,
            }),
            totals: Totals::default(),
            now: Duration::ZERO,
            births: Vec::new(),
            started: Vec::new(),
            request: 0,
        }
    }

    pub fn server() -> Self {
        let mut world = Self::new(Role::Serve);
        world.tell(What::Listening(Listening {
            addr: ([127, 0, 0, 1], 18_814).into(),
            speak: Speak::Auto,
        }));
        world
    }

    pub fn client() -> Self {
        Self::new(Role::Dial)
    }

    pub fn at(&self) -> Timestamp {
        let seconds = 1_790_949_730 + i64::try_from(self.now.as_secs()).unwrap();
        Timestamp::from_second(seconds).unwrap()
    }

    pub fn tell(&mut self, what: What) {
        let at = self.at();
        self.model.apply(&Event { at, what }, self.now);
    }

    pub fn tick(&mut self, ms: u64) {
        self.now += Duration::from_millis(ms);
        self.model.sample(self.now, &self.totals);
    }

    pub fn accept(&mut self, conn: u64, addr: [u8; 4]) {
        let port = 50_000 + u16::try_from(conn % 10_000).unwrap();
        let birth = Arc::new(Birth {
            conn: ConnId(conn),
            peer: Peer((addr, port).into()),
            addr: ([192, 168, 1, 1], 18_814).into(),
            at: self.at(),
            dials: Arc::new(Dials::default()),
            who: std::sync::OnceLock::new(),
        });
        self.births.push(Arc::clone(&birth));
        Totals::add(&self.totals.accepted, 1);
        self.tell(What::Accepted(birth));
    }

    pub fn dials(&self, conn: u64) -> &Dials {
        &self
            .births
            .iter()
            .find(|it| it.conn.0 == conn)
            .unwrap()
            .dials
    }

    pub fn phase(&self, conn: u64, dialect: Dialect, phase: Phase) {
        self.dials(conn).set_dialect(dialect);
        self.dials(conn).set_phase(phase);
    }

    pub fn start(&mut self, xfer: u64, conn: u64, way: Direction, path: &str, size: Option<u64>) {
        let birth = self.births.iter().find(|it| it.conn.0 == conn).unwrap();
        let started = Arc::new(Started {
            xfer: XferId(xfer),
            conn: ConnId(conn),
            job: None,
            peer: birth.peer,
            dialect: birth.dials.dialect().unwrap_or(Dialect::Classic),
            direction: way,
            path: RemotePath::from(path),
            size,
            offset: 0,
            range: None,
            at: self.at(),
            progress: Arc::new(Progress::default()),
        });
        self.dials(conn).set_phase(match way {
            Direction::Out => Phase::Sending,
            Direction::In => Phase::Receiving,
        });
        self.started.push(Arc::clone(&started));
        self.tell(What::TransferStarted(started));
    }

    /// Who is at the other end of a connection.
    pub fn know(&self, conn: u64, name: &str, byte: u8, granted: Rights) {
        let birth = self.births.iter().find(|it| it.conn.0 == conn).unwrap();
        let who = Who {
            pin: pin(byte),
            name: DisplayName::from(name),
            granted,
        };
        birth.who.set(who).unwrap();
    }

    /// One of several streams of a file.
    pub fn stretch(&mut self, xfer: u64, conn: u64, path: &str, size: u64, range: (u64, u64)) {
        let birth = self.births.iter().find(|it| it.conn.0 == conn).unwrap();
        let started = Arc::new(Started {
            xfer: XferId(xfer),
            conn: ConnId(conn),
            job: None,
            peer: birth.peer,
            dialect: Dialect::DeckTls,
            direction: Direction::Out,
            path: RemotePath::from(path),
            size: Some(size),
            offset: range.0,
            range: Some(range),
            at: self.at(),
            progress: Arc::new(Progress::starting_at(range.0)),
        });
        self.dials(conn).set_phase(Phase::Sending);
        self.started.push(Arc::clone(&started));
        self.tell(What::TransferStarted(started));
    }

    /// A download that goes on where an earlier one stopped.
    pub fn resumed(&mut self, job: u64, name: &str, size: u64, offset: u64) -> Arc<Progress> {
        let progress = Arc::new(Progress::starting_at(offset));
        progress.verify(offset);
        let started = Arc::new(Started {
            xfer: XferId(job),
            conn: ConnId(1),
            job: Some(JobId(job)),
            peer: Peer(([192, 168, 1, 20], 18_814).into()),
            dialect: Dialect::DeckTls,
            direction: Direction::In,
            path: RemotePath::from(name),
            size: Some(size),
            offset,
            range: None,
            at: self.at(),
            progress: Arc::clone(&progress),
        });
        let state = JobState::Running { started };
        self.item(job, Direction::In, name, Some(size), state);
        progress
    }

    pub fn flow(&self, xfer: u64, bytes: u64) {
        let started = self.xfer(xfer);
        started.progress.add(bytes);
        match started.direction {
            Direction::Out => {
                self.dials(started.conn.0).add_out(bytes);
                Totals::add(&self.totals.bytes_out, bytes);
            }
            Direction::In => {
                self.dials(started.conn.0).add_in(bytes);
                Totals::add(&self.totals.bytes_in, bytes);
            }
        }
    }

    pub fn xfer(&self, xfer: u64) -> &Arc<Started> {
        self.started.iter().find(|it| it.xfer.0 == xfer).unwrap()
    }

    pub fn end(&mut self, xfer: u64, outcome: Outcome, detail: &str) {
        let started = Arc::clone(self.xfer(xfer));
        let bytes = started.progress.done();
        if outcome.went_well() {
            let files = match started.direction {
                Direction::Out => &self.totals.files_out,
                Direction::In => &self.totals.files_in,
            };
            Totals::add(files, 1);
        } else {
            Totals::add(&self.totals.failed, 1);
        }
        self.tell(What::TransferEnded(Ended {
            started,
            outcome,
            bytes,
            took: Duration::from_millis(1_500),
            cause: "",
            detail: DisplayName::from(detail),
        }));
    }

    pub fn fact(&self, conn: u64, cause: &'static str, detail: &str) -> Fact {
        let birth = self.births.iter().find(|it| it.conn.0 == conn).unwrap();
        Fact {
            conn: Some(ConnId(conn)),
            peer: Some(birth.peer),
            dialect: birth.dials.dialect(),
            cause,
            detail: DisplayName::from(detail),
            ..Fact::default()
        }
    }

    pub fn close(&mut self, conn: u64, end: End) {
        let fact = self.fact(conn, end.label(), "");
        self.tell(What::Closed(fact));
    }

    pub fn ready(&mut self, lists: bool) {
        self.tell(What::Link(Link::Ready {
            server: DisplayName::from("outbox on hera"),
            offers: Offers {
                lists,
                gets: true,
                ..Offers::default()
            },
            rights: None,
            pin: None,
        }));
    }

    /// A server of a dialect that cannot list.
    pub fn desk(dialect: Dialect) -> Self {
        let mut world = Self::client();
        let subject = format!("{}://192.168.1.20/", dialect.label());
        world.model.about.subject = DisplayName::from(subject.as_str());
        world.tell(What::Link(Link::Ready {
            server: DisplayName::default(),
            offers: Offers::of(dialect),
            rights: None,
            pin: None,
        }));
        if dialect.gets() {
            let names = [("report.pdf", Kind::File, 0), ("notes.txt", Kind::File, 0)];
            world.list("", &names, ListingState::Whole);
        }
        world
    }

    /// Inside TLS, with rights as the server says them.
    pub fn ready_inside_tls(&mut self, rights: Rights) {
        let subject = "deck+tls://192.168.1.20:18814/";
        self.model.about.subject = DisplayName::from(subject);
        self.tell(What::Link(Link::Ready {
            server: DisplayName::from("outbox on hera"),
            offers: Offers::of(Dialect::DeckTls),
            rights: Some(rights),
            pin: Some(pin(7)),
        }));
    }

    /// Reads a folder of this machine.
    pub fn look(&mut self, path: &str, entries: &[(&str, Kind, u64)]) {
        self.tell(What::Local(Local {
            path: PathBuf::from(path),
            entries: listed(entries),
            unlisted: 0,
            state: ListingState::Whole,
        }));
    }

    /// The same as it stands in a client's queue, changed before it is told.
    pub fn told(&mut self, job: u64, change: impl FnOnce(&mut Job)) {
        let known = self.model.remote.item(JobId(job)).unwrap();
        let mut job = Job::clone(&known.job);
        change(&mut job);
        self.tell(What::Job(Arc::new(job)));
    }

    /// A note that answers a command.
    pub fn answer(&mut self, cause: &'static str, detail: &str) {
        self.tell(What::Note(Fact {
            cause,
            detail: DisplayName::from(detail),
            ..Fact::default()
        }));
    }

    pub fn list(&mut self, path: &str, entries: &[(&str, Kind, u64)], state: ListingState) {
        self.request += 1;
        self.page(path, entries, state);
    }

    pub fn page(&mut self, path: &str, entries: &[(&str, Kind, u64)], state: ListingState) {
        let entries = listed(entries);
        self.tell(What::Listing(Listing {
            path: RemotePath::from(path),
            request: self.request,
            entries,
            unlisted: 0,
            state,
        }));
    }

    pub fn job(&mut self, job: u64, name: &str, size: Option<u64>, state: JobState) {
        self.item(job, Direction::In, name, size, state);
    }

    pub fn item(
        &mut self,
        job: u64,
        direction: Direction,
        name: &str,
        size: Option<u64>,
        state: JobState,
    ) {
        self.tell(What::Job(Arc::new(Job {
            direction,
            job: JobId(job),
            place: usize::try_from(job).unwrap(),
            path: RemotePath::from(name),
            target: DisplayName::from(name),
            folder: DisplayName::default(),
            size,
            resumes: direction == Direction::In,
            kind: Kind::File,
            limit: None,
            state,
        })));
    }

    pub fn running(&mut self, job: u64, name: &str, size: Option<u64>, done: u64) -> Arc<Progress> {
        self.moving(job, Direction::In, name, size, done)
    }

    pub fn moving(
        &mut self,
        job: u64,
        direction: Direction,
        name: &str,
        size: Option<u64>,
        done: u64,
    ) -> Arc<Progress> {
        let progress = Arc::new(Progress::starting_at(done));
        let started = Arc::new(Started {
            xfer: XferId(job),
            conn: ConnId(1),
            job: Some(JobId(job)),
            peer: Peer(([192, 168, 1, 20], 18_814).into()),
            dialect: Dialect::Deck,
            direction,
            path: RemotePath::from(name),
            size,
            offset: 0,
            range: None,
            at: self.at(),
            progress: Arc::clone(&progress),
        });
        self.item(job, direction, name, size, JobState::Running { started });
        progress
    }
}

/// Entries a day apart.
fn listed(entries: &[(&str, Kind, u64)]) -> Arc<[Entry]> {
    let entry = |(n, &(name, kind, size)): (usize, &(&str, Kind, u64))| Entry {
        name: name.into(),
        kind,
        size,
        mtime: 1_790_000_000 - 86_400 * i64::try_from(n).unwrap(),
    };
    entries.iter().enumerate().map(entry).collect()
}

/// A key made of one byte.
pub fn pin(byte: u8) -> Pin {
    Pin(std::array::from_fn(|at| {
        byte.wrapping_mul(31)
            .wrapping_add(u8::try_from(at).unwrap() * 7)
    }))
}

/// What lets a newcomer in.
pub fn invite(turns: u64) -> Invite {
    Invite {
        urls: vec![
            "deck+tls://192.168.1.20:18814/".into(),
            "deck+tls://[fd00::1a2b:3c4d]:18814/".into(),
        ],
        code: Secret::new("7K3QW9XMB2HTRC4V"),
        qr: Secret::new("deck+tls://192.168.1.20:18814/#7K3QW9XMB2HTRC4V"),
        turns,
    }
}

/// The answer to the first question of a screen how much something holds.
pub fn counted(state: ListingState) -> Counted {
    let walk = Arc::new(Walk::default());
    for _ in 0..1_204 {
        walk.add_file(2 * MIB + 700_000);
    }
    Counted {
        request: 1,
        walk,
        state,
    }
}

/// A server that takes newcomers: two paired peers, one of them in four streams.
pub fn inviting() -> World {
    let mut world = World::server();
    world.model.about.badges = vec![Badge::UPLOADS];
    world.tell(What::Listening(Listening {
        addr: ([0, 0, 0, 0], 18_814).into(),
        speak: Speak::Only(Dialect::DeckTls),
    }));
    world.tell(What::Invite(invite(0)));
    world.tick(60_000);
    for n in 1..=6 {
        world.accept(n, [192, 168, 1, u8::try_from(n).unwrap() + 20]);
        let tls = if n == 6 {
            Dialect::Deck
        } else {
            Dialect::DeckTls
        };
        world.phase(n, tls, Phase::Idle);
    }
    for n in 0..4_u64 {
        world.know(n + 1, "ana's laptop", 3, Rights::NEWCOMER);
        let quarter = (n * GIB, (n + 1) * GIB);
        world.stretch(n + 1, n + 1, "iso/debian-12.iso", 4 * GIB, quarter);
    }
    world.know(5, "tablet", 9, Rights::READ_ONLY);
    world.start(5, 5, Direction::Out, "notes.txt", Some(90 * MIB));
    for second in 0..10 {
        for n in 1..=4 {
            world.flow(n, (10 * n + second) * MIB);
        }
        world.flow(5, MIB);
        world.tick(1_000);
    }
    world
}

/// A client of a paired server: two folders, a queue of all that is new.
pub fn pairing() -> World {
    let mut world = World::client();
    world.ready_inside_tls(Rights::NEWCOMER);
    world.list(
        "iso",
        &[
            ("debian-12.9.0-amd64-DVD-1.iso", Kind::File, 4 * GIB),
            ("old", Kind::Dir, 0),
            ("notes.txt", Kind::File, 12_288),
            ("archive", Kind::Dir, 0),
        ],
        ListingState::Whole,
    );
    world.look(
        "/home/ana/Downloads",
        &[
            ("holiday", Kind::Dir, 0),
            ("report 2026.pdf", Kind::File, 3 * MIB),
            ("photo.raw", Kind::File, 40 * MIB),
        ],
    );
    let iso = world.running(0, "debian-12.9.0-amd64-DVD-1.iso", Some(4 * GIB), 0);
    let again = world.resumed(1, "resumed.tar", 8 * GIB, GIB + GIB / 5);
    let up = world.moving(2, Direction::Out, "photo.raw", Some(40 * MIB), 0);
    world.told(2, |job| job.limit = Some(10_000_000));
    let walk = Arc::new(Walk::default());
    for n in 0..1_204 {
        walk.add_file(2 * MIB + n);
    }
    for _ in 0..17 {
        walk.add_folder();
    }
    world.job(3, "archive", None, JobState::Walking { walk });
    world.told(3, |job| job.kind = Kind::Dir);
    let why = DisplayName::from("the server is gone");
    let done = 30 * MIB;
    world.job(
        4,
        "waits.bin",
        Some(90 * MIB),
        JobState::Waiting { why, done },
    );
    let ended = |outcome| JobState::Ended {
        cause: "",
        outcome,
        bytes: 12_288,
        took: Duration::from_millis(120),
        detail: DisplayName::default(),
    };
    world.job(5, "notes.txt", Some(12_288), ended(Outcome::CompleteHash));
    world.job(6, "fast.txt", Some(12_288), ended(Outcome::CompleteLength));
    for _ in 0..4 {
        iso.join();
    }
    for second in 0..10_u64 {
        iso.add((200 + second) * MIB);
        iso.verify((200 + second) * MIB);
        again.add(90 * MIB);
        again.verify(20 * MIB);
        up.add(MIB);
        up.verify(MIB);
        Totals::add(&world.totals.bytes_in, (290 + second) * MIB);
        Totals::add(&world.totals.bytes_out, MIB);
        world.tick(1_000);
    }
    world
}

/// A server in the middle of its day: every phase, ends of every kind, an hour up.
pub fn busy() -> World {
    let mut world = World::server();
    Totals::add(&world.totals.bytes_out, 418 * GIB);
    Totals::add(&world.totals.files_out, 9_412);
    Totals::add(&world.totals.bytes_in, 3 * GIB);
    Totals::add(&world.totals.files_in, 37);
    Totals::add(&world.totals.accepted, 10_204);
    Totals::add(&world.totals.refused, 17);
    world.tick(8_049_000);
    world.accept(38, [10, 0, 0, 7]);
    world.accept(39, [10, 0, 0, 9]);
    world.accept(40, [192, 168, 1, 23]);
    world.accept(41, [192, 168, 1, 9]);
    world.accept(42, [192, 168, 1, 30]);
    world.accept(43, [192, 168, 100, 200]);
    world.phase(38, Dialect::Classic, Phase::Request);
    world.phase(39, Dialect::Classic, Phase::Sending);
    world.phase(40, Dialect::Deck, Phase::Idle);
    world.phase(41, Dialect::Deck, Phase::Sending);
    world.phase(42, Dialect::Deck, Phase::Receiving);
    let iso = "iso/debian-12.9.0-amd64-DVD-1.iso";
    world.start(1, 39, Direction::Out, "notes.txt", Some(12_288));
    world.start(2, 41, Direction::Out, iso, Some(4 * GIB));
    world.start(
        3,
        42,
        Direction::In,
        "incoming/results-2026-10.tar.zst",
        Some(900 * MIB),
    );
    world.tick(100);
    for second in 0..60u64 {
        let wave = (second * 7) % 23 + 4;
        world.flow(2, wave * 3 * MIB);
        world.flow(3, wave * MIB / 2);
        world.tick(1000);
    }
    world.flow(1, 12_288);
    world.end(1, Outcome::CompleteLength, "");
    world.close(39, End::Done);
    world.dials(38).add_in(3);
    let timeout = world.fact(
        38,
        "request_timeout",
        "request incomplete after 1.0 s (3 of 10 bytes)",
    );
    world.tell(What::Timeout(timeout));
    world.close(38, End::Timeout);
    Totals::add(&world.totals.timeouts, 3);
    Totals::add(&world.totals.failed, 2);
    world.tick(100);
    world
}

/// A client with a folder and downloads in every state.
pub fn fetching() -> World {
    let mut world = World::client();
    world.ready(true);
    world.list(
        "iso",
        &[
            ("debian-12.9.0-amd64-DVD-1.iso", Kind::File, 4 * GIB),
            ("old", Kind::Dir, 0),
            ("notes.txt", Kind::File, 12_288),
            ("SHA256SUMS", Kind::File, 512),
            ("archive", Kind::Dir, 0),
            ("empty", Kind::File, 0),
            ("日本語のファイル.txt", Kind::File, 77_000),
        ],
        ListingState::Whole,
    );
    world.look(
        "/home/ana/Downloads",
        &[("holiday", Kind::Dir, 0), ("notes.txt", Kind::File, 12_288)],
    );
    let ended = |outcome, bytes, detail: &str| JobState::Ended {
        cause: "",
        outcome,
        bytes,
        took: Duration::from_millis(2_500),
        detail: DisplayName::from(detail),
    };
    world.job(
        0,
        "notes.txt",
        Some(12_288),
        ended(Outcome::CompleteLength, 12_288, ""),
    );
    world.job(
        1,
        "lost.bin",
        Some(9 * MIB),
        ended(Outcome::Failed, 3 * MIB, "the server closed after 3.00 MiB"),
    );
    let iso = world.running(2, "debian-12.9.0-amd64-DVD-1.iso", Some(4 * GIB), 0);
    let odd = world.running(3, "no-size.log", None, 0);
    world.job(
        4,
        "paused.tar",
        Some(100 * MIB),
        JobState::Paused { done: 40 * MIB },
    );
    world.job(5, "asking.tar", Some(7 * MIB), JobState::Asking);
    world.job(6, "later.tar", Some(8 * MIB), JobState::Queued);
    world.job(
        7,
        "given-up.tar",
        Some(8 * MIB),
        ended(Outcome::Cancelled, 0, ""),
    );
    for second in 0..20u64 {
        iso.add((90 + second) * MIB);
        odd.add(MIB);
        Totals::add(&world.totals.bytes_in, (91 + second) * MIB);
        world.tick(1000);
    }
    world
}

/// A server that takes uploads in the three old dialects, sizes known and not.
pub fn taking() -> World {
    let mut world = World::server();
    world.model.about.badges = vec![Badge::UPLOADS, Badge::RENAMES];
    world.tick(60_000);
    for n in 1..=6 {
        world.accept(n, [10, 0, 0, u8::try_from(n).unwrap()]);
    }
    world.phase(1, Dialect::Session, Phase::Idle);
    world.phase(2, Dialect::Session, Phase::Opening);
    world.phase(3, Dialect::Session, Phase::Idle);
    world.phase(4, Dialect::Colon, Phase::Opening);
    world.phase(5, Dialect::Drop, Phase::Opening);
    world.phase(6, Dialect::Colon, Phase::Opening);
    world.start(1, 3, Direction::In, "typed.log", None);
    world.start(2, 4, Direction::In, "results.tar", None);
    world.start(3, 5, Direction::In, "photo.raw", Some(90 * MIB));
    world.start(4, 6, Direction::In, "done.bin", None);
    for second in 0..20 {
        world.flow(1, 900 + second);
        world.flow(2, (3 + second % 4) * MIB);
        world.flow(3, 2 * MIB);
        world.tick(1_000);
    }
    world.flow(4, 700);
    world.end(4, Outcome::EndedNotProvable, "");
    world.close(6, End::Done);
    world.tick(100);
    world
}

/// A session client whose queue goes both ways.
pub fn sending() -> World {
    let mut world = World::desk(Dialect::Session);
    let ended = |outcome, bytes, detail: &str| JobState::Ended {
        cause: "",
        outcome,
        bytes,
        took: Duration::from_millis(2_500),
        detail: DisplayName::from(detail),
    };
    let out = Direction::Out;
    let state = ended(Outcome::EndedNotProvable, 12_288, "");
    world.item(0, out, "notes.txt", Some(12_288), state);
    let state = ended(Outcome::CompleteLength, 700, "");
    world.item(1, out, "dropped.bin", Some(700), state);
    let state = ended(Outcome::Failed, MIB, "the server takes no uploads");
    world.item(2, out, "refused.bin", Some(9 * MIB), state);
    let big = world.moving(3, out, "holiday-2026.tar", Some(2 * GIB), 0);
    let live = world.moving(4, out, "live.log", None, 0);
    world.item(5, out, "later.tar", Some(8 * MIB), JobState::Queued);
    world.job(6, "report.pdf", None, JobState::Queued);
    for second in 0..20 {
        big.add((40 + second) * MIB);
        live.add(MIB);
        Totals::add(&world.totals.bytes_out, (41 + second) * MIB);
        world.tick(1_000);
    }
    world
}

pub fn screen(world: &World) -> Screen {
    Screen::new(world.model.about.role.clone(), Theme::ansi(), TimeZone::UTC)
}

/// Draws one frame of a size.
pub fn draw(world: &World, screen: &mut Screen, size: (u16, u16)) -> Buffer {
    let mut terminal = Terminal::new(TestBackend::new(size.0, size.1)).unwrap();
    terminal
        .draw(|frame| crate::ui::view(frame, &world.model, screen))
        .unwrap();
    terminal.backend().buffer().clone()
}

/// The letters of a frame, a line each, without blanks at the ends.
pub fn text(buffer: &Buffer) -> String {
    let width = usize::from(buffer.area.width);
    let mut out = String::new();
    for cells in buffer.content().chunks(width) {
        let mut line = String::new();
        let mut skip = 0;
        for cell in cells {
            if skip == 0 {
                line.push_str(cell.symbol());
                skip = cell.symbol().cell_width().max(1);
            }
            skip -= 1;
        }
        out.push_str(line.trim_end());
        out.push('\n');
    }
    out
}
