//! The first line and the last: what this is and how it stands; the keys.
//!
//! What does not fit is left out whole, the least important first; only the
//! subject is cut, in its middle. Badges are always there. Reads the model,
//! writes two lines.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::entity::Direction;
use crate::event::{JobState, Link};
use crate::line::Weight;
use crate::model::{Badge, Flow, Model, Role};
use crate::remote::Item;

use super::fields;
use super::format;
use super::keys::{self, Binding, Place};
use super::paint::{self, Piece};
use super::screen::{Hit, Pane, Screen};
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
        groups.push(vec![("✗ link lost".to_owned(), theme.bad()), gap()]);
    }
    let badges = badges(model, screen);
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
        // What a client's right end says is said nowhere else.
        Role::Dial => plans.push((0, &right[..])),
    }
    let least = paint::pieces_width(&subject(model, screen, LEAST_SUBJECT));
    for (shown, right) in plans {
        let mut groups = all[..shown].to_vec();
        groups.extend(hidden(shown, all.len(), screen));
        let rest = paint::pieces_width(&groups.concat()) + paint::pieces_width(right);
        if let Some(spare) = room.checked_sub(least + rest) {
            groups.insert(0, subject(model, screen, LEAST_SUBJECT + spare));
            return (groups, right.to_vec());
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
    let queued = remote.items().filter(|item| {
        matches!(
            item.job.state,
            JobState::Queued | JobState::Paused { .. } | JobState::Clash
        )
    });
    let runs = |way| {
        let runs = |item: &Item| matches!(item.job.state, JobState::Running { .. });
        remote
            .items()
            .any(|item| item.job.direction == way && runs(item))
    };
    let mut out = Vec::new();
    // Downloads are what a client is about; uploads show while they run.
    let (down, up) = (runs(Direction::In), runs(Direction::Out));
    let room = if up && down { 140 } else { 100 };
    if up {
        out.extend(flow(&model.outward, Direction::Out, theme, width >= room));
    }
    if down || !up {
        out.extend(flow(&model.inward, Direction::In, theme, width >= room));
    }
    out.push((format!("  {} running ", remote.running()), theme.dim()));
    if width >= 90 {
        out.push((format!(" {} waiting ", queued.count()), theme.dim()));
    }
    out
}

/// Draws the last line: a note, a line being typed, or the keys that are valid now.
pub(super) fn footer(
    buf: &mut Buffer,
    line: Rect,
    model: &Model,
    screen: &mut Screen,
) -> Option<(u16, u16)> {
    let place = screen.place(model);
    if place == Place::Filter {
        return Some(filter_line(buf, line, model, screen));
    }
    let theme = screen.theme;
    let mut x = 1;
    if let Some(note) = screen.noted() {
        let words = format!("{note}   ");
        x += paint::put(
            buf,
            paint::part(line, x, line.width.saturating_sub(2)),
            &words,
            theme.warn(),
        );
    }
    key_line(buf, line, x, model, screen);
    None
}

/// The keys in the table's order; the way out stands at the right and stays.
fn key_line(buf: &mut Buffer, line: Rect, from: u16, model: &Model, screen: &mut Screen) {
    let (out, bindings): (Vec<_>, Vec<_>) =
        keys::footer(screen, model).partition(|binding| binding.group == keys::LEAVE);
    let mut end = line.width.saturating_sub(1);
    for binding in out {
        let wants = key_width(binding);
        if from + wants <= end {
            end -= wants;
            draw_key(buf, paint::part(line, end, wants), binding, screen);
            end = end.saturating_sub(3);
        }
    }
    let mut x = from;
    for binding in bindings {
        let wants = key_width(binding);
        if x + wants > end {
            break;
        }
        draw_key(buf, paint::part(line, x, wants), binding, screen);
        x += wants + 3;
    }
}

/// The first of a binding's keys, as the footer writes it.
fn first_key(binding: &Binding) -> &'static str {
    binding.shown.split(' ').next().unwrap_or_default()
}

fn key_width(binding: &Binding) -> u16 {
    format::width(first_key(binding)) + 1 + format::width(binding.word)
}

fn draw_key(buf: &mut Buffer, place: Rect, binding: &Binding, screen: &mut Screen) {
    let theme = screen.theme;
    let pieces = [
        (first_key(binding).to_owned(), theme.key()),
        (format!(" {}", binding.word), theme.dim()),
    ];
    paint::pieces(buf, place, &pieces);
    screen.hit(place, Hit::Key(binding.action));
}

/// The filter while it is typed, with what it finds or what is wrong with it.
fn filter_line(buf: &mut Buffer, line: Rect, model: &Model, screen: &mut Screen) -> (u16, u16) {
    let theme = screen.theme;
    let (input, told, style) = match screen.focus {
        Pane::Table | Pane::Queue => {
            let grid = screen.grid();
            match &grid.filter.wrong {
                Some(why) => (&grid.filter.line, why.clone(), theme.bad()),
                None if grid.filter.line.is_empty() => (
                    &grid.filter.line,
                    format!("words, or {}", super::filter::FIELDS),
                    theme.dim(),
                ),
                None => (
                    &grid.filter.line,
                    format!("{} of {}", grid.rows.len(), grid.all),
                    theme.dim(),
                ),
            }
        }
        Pane::Events => (&screen.events.filter, String::new(), theme.dim()),
        Pane::Files => (
            &screen.files.filter,
            format!(
                "{} of {}",
                screen.files.rows.len(),
                model.remote.folder.entries.len()
            ),
            theme.dim(),
        ),
    };
    let told = format::cut(&told, (line.width * 2 / 3).saturating_sub(4));
    let room = line.width.saturating_sub(format::width(&told) + 6);
    let (text, cursor) = input.shown(room);
    paint::put(buf, paint::part(line, 1, 1), "/", theme.key());
    paint::put(buf, paint::part(line, 2, room), &text, theme.strong());
    paint::put_right(
        buf,
        paint::part(line, 0, line.width.saturating_sub(1)),
        &told,
        style,
    );
    (line.x + 2 + cursor, line.y)
}
