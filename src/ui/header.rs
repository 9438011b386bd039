//! The first line: what this is and how it stands.
//!
//! What does not fit is left out whole, the least important first; only the
//! subject is cut, in its middle. Badges are always there. Reads the model,
//! writes one line.

use std::time::Duration;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::entity::{Direction, Rights};
use crate::event::Link;
use crate::line::Weight;
use crate::model::{Badge, Flow, Model, Role};

use super::fields;
use super::format;
use super::paint::{self, Piece};
use super::screen::Screen;
use super::theme::Theme;
use super::throughput;

/// Frames of the spinner; picked by the model's time.
const SPINNER: [&str; 4] = ["◐", "◓", "◑", "◒"];

/// The spinner's sign for this moment.
pub(super) fn spinner(model: &Model) -> &'static str {
    let step = model.now.as_millis() / 120 % SPINNER.len() as u128;
    SPINNER[usize::try_from(step).unwrap_or(0)]
}

/// The least columns a long subject is cut to before a listener is hidden.
const LEAST_SUBJECT: u16 = 12;
/// The least columns a client's URL is cut to before the server's name is hidden.
const LEAST_URL: u16 = 30;
/// The least columns in which a host can still be told from another.
const FAIR_URL: u16 = 20;
/// The most columns a subject gets.
const MOST_SUBJECT: u16 = 60;

/// Draws the first line.
///
/// What must be seen has its place first: the name, the alarms, the badges.
/// What is left goes to the subject and the listeners; the subject is cut in
/// its middle before a listener is hidden.
pub(super) fn draw(buf: &mut Buffer, line: Rect, model: &Model, screen: &mut Screen) {
    let theme = screen.theme;
    let mut groups: Vec<Vec<Piece>> = vec![vec![(" ferrydeck  ".to_owned(), theme.brand())]];
    let alarms = alarms(model, screen, line.width);
    groups.extend(alarms.into_iter().map(|alarm| vec![alarm, gap()]));
    if matches!(model.remote.link, Link::Lost { .. }) {
        // Of all that could be said now this matters most.
        let words = match model.remote.again(model.now) {
            Some(left) => format!("✗ link lost, {}", again(left)),
            None => "✗ link lost".to_owned(),
        };
        groups.push(vec![(words, theme.bad()), gap()]);
    }
    let mut badges = badges(model, screen);
    badges.extend(terms(model, screen, line.width));
    let must = paint::pieces_width(&groups.concat()) + paint::pieces_width(&badges.concat());
    let right = match screen.role {
        Role::Serve => vec![(format!("up {} ", format::uptime(model.now)), theme.dim())],
        Role::Dial => client_right(model, screen, line.width),
    };
    let (middle, right) = middle(model, screen, line.width.saturating_sub(must), right);
    groups.extend(middle);
    groups.extend(badges);
    let mut x = 0;
    for group in groups {
        let wants = paint::pieces_width(&group);
        if x + wants <= line.width {
            x += paint::pieces(buf, paint::part(line, x, wants), &group);
        }
    }
    let wants = paint::pieces_width(&right);
    if x + wants <= line.width {
        paint::pieces(buf, paint::part(line, line.width - wants, wants), &right);
    }
}

/// Subject and listeners (client: link) in `room` columns, and of the right end what still fits.
///
/// A first listener is worth more than the uptime, and the uptime more than a second one.
fn middle(
    model: &Model,
    screen: &Screen,
    room: u16,
    right: Vec<Piece>,
) -> (Vec<Vec<Piece>>, Vec<Piece>) {
    let all = match screen.role {
        Role::Serve => listeners(model, screen),
        Role::Dial => vec![link(model, screen)],
    };
    let first = usize::from(!all.is_empty());
    let mut plans: Vec<(usize, &[Piece])> = (first..=all.len())
        .rev()
        .map(|shown| (shown, &right[..]))
        .collect();
    match screen.role {
        Role::Serve => plans.extend([(first, &[][..]), (0, &right[..]), (0, &[][..])]),
        // What a client's right end says is said nowhere else; but which server
        // was lost is worth more than that nothing moves.
        Role::Dial => {
            plans.push((0, &right[..]));
            if matches!(model.remote.link, Link::Lost { .. }) {
                plans.push((0, &[][..]));
            }
        }
    }
    let leasts: &[u16] = match screen.role {
        Role::Serve => &[LEAST_SUBJECT],
        // A URL says what the server's own name only repeats.
        Role::Dial => &[LEAST_URL, FAIR_URL, LEAST_SUBJECT],
    };
    for &letters in leasts {
        let least = paint::pieces_width(&subject(model, screen, letters));
        for &(shown, right) in &plans {
            let mut groups = all[..shown].to_vec();
            groups.extend(hidden(shown, all.len(), screen));
            let rest = paint::pieces_width(&groups.concat()) + paint::pieces_width(right);
            if let Some(spare) = room.checked_sub(least + rest) {
                groups.insert(0, subject(model, screen, letters + spare));
                return (groups, right.to_vec());
            }
        }
    }
    let around = paint::pieces_width(&subject(model, screen, 0));
    let groups = match room.saturating_sub(around) {
        // So few letters of a path say nothing.
        0..6 => Vec::new(),
        spare => vec![subject(model, screen, spare)],
    };
    (groups, right)
}

/// How many listeners there are beside the ones shown.
fn hidden(shown: usize, all: usize, screen: &Screen) -> Option<Vec<Piece>> {
    let words = match (screen.role.clone(), shown, all - shown) {
        (Role::Dial, ..) | (.., 0) | (_, 0, 1) => return None,
        (_, 0, count) => format::plural(count as u64, "listener"),
        (_, _, count) => format!("+{count}"),
    };
    Some(vec![
        (words, screen.theme.dim()),
        ("   ".to_owned(), screen.theme.text()),
    ])
}

/// Rights and warnings, the loudest first.
fn badges(model: &Model, screen: &Screen) -> Vec<Vec<Piece>> {
    let theme = screen.theme;
    let mut badges = model.about.badges.clone();
    badges.sort_by_key(|badge| std::cmp::Reverse(badge.weight));
    let piece = |badge: &Badge| match badge.weight {
        Weight::Plain | Weight::Good => (badge.words.to_owned(), theme.badge()),
        Weight::Warn => (format!(" {} ", badge.words), theme.badge_warn()),
        Weight::Bad => (format!(" {} ", badge.words), theme.badge_bad()),
    };
    badges
        .iter()
        .map(|badge| vec![piece(badge), gap()])
        .collect()
}

fn gap() -> Piece {
    ("  ".to_owned(), ratatui::style::Style::new())
}

/// What has to be seen first: leaving, frozen, lost events.
fn alarms(model: &Model, screen: &Screen, width: u16) -> Vec<Piece> {
    let theme = screen.theme;
    let mut out = Vec::new();
    if let Some(since) = model.leaving {
        let seconds = model.now.saturating_sub(since).as_secs();
        out.push((format!(" LEAVING {seconds} s "), theme.badge_warn()));
    }
    if screen.is_frozen() {
        out.push((" FROZEN ".to_owned(), theme.badge_warn()));
    }
    if model.lost > 0 {
        let lost = format::count(model.lost);
        let words = match width {
            0..80 => format!(" LOST {lost} "),
            _ => format!(" {lost} EVENTS LOST "),
        };
        out.push((words, theme.badge_bad()));
    }
    out
}

/// The served folder or the URL, itself in at most `room` columns.
fn subject(model: &Model, screen: &Screen, room: u16) -> Vec<Piece> {
    let theme = screen.theme;
    let word = match screen.role {
        Role::Serve => "serve ",
        Role::Dial => "",
    };
    let subject = format::cut_name(model.about.subject.as_str(), room.min(MOST_SUBJECT));
    vec![
        (word.to_owned(), theme.dim()),
        (subject, theme.strong()),
        ("   ".to_owned(), theme.text()),
    ]
}

fn listeners(model: &Model, screen: &Screen) -> Vec<Vec<Piece>> {
    let theme = screen.theme;
    model
        .listening
        .iter()
        .map(|listening| {
            vec![
                (format!("{} ", listening.speak.label()), theme.dim()),
                (listening.addr.to_string(), theme.text()),
                ("   ".to_owned(), theme.text()),
            ]
        })
        .collect()
}

fn link(model: &Model, screen: &Screen) -> Vec<Piece> {
    let theme = screen.theme;
    let (sign, words, style) = match &model.remote.link {
        Link::Connecting => (spinner(model), "connecting".to_owned(), theme.warn()),
        Link::Ready { server, offers, .. } => {
            let name = match (server.as_str(), offers.lists) {
                ("", true) => "connected".to_owned(),
                ("", false) => "ready".to_owned(),
                (name, _) => format::cut(name, 30),
            };
            ("●", name, theme.good())
        }
        Link::Lost { why, .. } => (
            "✗",
            format!("lost: {}", format::cut(why.as_str(), 40)),
            theme.bad(),
        ),
    };
    vec![
        (format!("{sign} {words}"), style),
        ("   ".to_owned(), theme.text()),
    ]
}

/// How private the link is and what we may do there: always seen, in the fewest words that fit.
fn terms(model: &Model, screen: &Screen, width: u16) -> Vec<Vec<Piece>> {
    let theme = screen.theme;
    let Link::Ready { rights, pin, .. } = &model.remote.link else {
        return Vec::new();
    };
    let private = match (pin, width) {
        (Some(pin), 150..) => Some((format!("TLS pinned {}", pin.short()), theme.good())),
        (Some(_), 110..) => Some(("TLS pinned".to_owned(), theme.good())),
        (Some(_), _) => Some(("TLS".to_owned(), theme.good())),
        (None, 110..) => Some(("plain".to_owned(), theme.dim())),
        // The URL's scheme says so, too.
        (None, _) => None,
    };
    let rights = rights.map(rights_words).filter(|_| width >= 80);
    let rights = rights.map(|words| (words, theme.text()));
    let pieces = private.into_iter().chain(rights);
    pieces.map(|piece| vec![piece, gap()]).collect()
}

/// When a lost link is tried again.
pub(super) fn again(left: Duration) -> String {
    match left.as_secs() {
        0 => "trying again".to_owned(),
        seconds => format!("again in {seconds} s"),
    }
}

/// What we may do, in a few words.
pub(super) fn rights_words(rights: Rights) -> String {
    let able = Rights {
        operate: false,
        ..rights
    };
    match able {
        Rights::READ_ONLY => "read-only".to_owned(),
        Rights::NEWCOMER => "read-write".to_owned(),
        _ if able.bits() == 0 => "no rights".to_owned(),
        _ => able.words().collect::<Vec<_>>().join(" "),
    }
}

/// A rate with its arrow, and the last minute of it where there is room.
fn flow(flow: &Flow, way: Direction, theme: Theme, with_graph: bool) -> Vec<Piece> {
    let rate = flow.rate.per_second();
    let now = if rate < 0.5 {
        theme.dim()
    } else {
        theme.strong()
    };
    let ink = theme.flow(way);
    let mut out = vec![
        (format!("{} ", fields::arrow(way)), ink),
        (format::rate(rate), now),
    ];
    if with_graph {
        let spark = throughput::sparkline(&flow.history, 8);
        out.push((format!(" {spark:<8}"), ink));
    }
    out
}

fn client_right(model: &Model, screen: &Screen, width: u16) -> Vec<Piece> {
    let theme = screen.theme;
    let remote = &model.remote;
    let counts = remote.queue.counts();
    let waits = counts.queued + counts.paused + counts.clashing + counts.waiting;
    let runs = |way| remote.queue.flowing().any(|item| item.job.direction == way);
    let mut out = Vec::new();
    // Downloads are what a client is about; uploads show while they run.
    let (down, up) = (runs(Direction::In), runs(Direction::Out));
    let room = if up && down { 140 } else { 100 };
    if up {
        out.extend(flow(&model.outward, Direction::Out, theme, width >= room));
        if down {
            out.push(gap());
        }
    }
    if down || !up {
        out.extend(flow(&model.inward, Direction::In, theme, width >= room));
    }
    if up && down && width < 100 {
        // Both rates are worth more than how many there are of each.
        return out;
    }
    let running = (remote.running() + counts.walking) as u64;
    let running = format::count(running);
    out.push((format!("  {running} running "), theme.dim()));
    if width >= 90 {
        let waits = format::count(waits as u64);
        out.push((format!(" {waits} waiting "), theme.dim()));
    }
    out
}
