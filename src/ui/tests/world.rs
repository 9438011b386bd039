//! A small world to draw: models made by hand from events and dials.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::buffer::{Buffer, CellWidth};

use crate::entity::{
    ConnId, Dialect, Direction, DisplayName, End, Entry, JobId, Kind, Outcome, Peer, Phase,
    RemotePath, Speak, XferId,
};
use crate::event::{
    Birth, Ended, Event, Fact, Job, JobState, Link, Listening, Listing, ListingState, Offers,
    Started, What,
};
use crate::meter::{Dials, Progress, Totals};
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
        let entries = entries
            .iter()
            .enumerate()
            .map(|(n, &(name, kind, size))| Entry {
                name: name.into(),
                kind,
                size,
                mtime: 1_790_000_000 - 86_400 * i64::try_from(n).unwrap(),
            })
            .collect();
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
