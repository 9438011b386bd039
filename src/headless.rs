//! The server without a screen: the same feed, one event a line.
//!
//! Lines are written and flushed by a thread of their own, so a reader that
//! does not read holds up nothing but its own lines: the feed then reports
//! what was lost. A closed stdout ends the lines, never the server.

use std::io::{BufWriter, Write};
use std::thread;
use std::time::Duration;

use tokio::runtime::Handle as Runtime;
use tokio::sync::oneshot;

use crate::cli::Format;
use crate::event::{Event, Fact, Invite, What};
use crate::line;
use crate::net::hub::Feed;

/// Behind a flush, so long nothing is looked at: in a flood the next events gather, and
/// not each of them wakes this thread.
const LULL: Duration = Duration::from_millis(1);
/// Lines written before they are flushed, while more events are here.
const BURST: usize = 256;

/// Starts the thread that writes every event until the engine is over.
///
/// What lets a newcomer in goes to `err` alone: it is a secret, and no event line.
///
/// The receiver resolves when the last line is written; a stuck pipe may keep
/// it from doing so for ever, so a server that has ended waits only a moment.
pub fn lines(
    feed: Feed,
    format: Format,
    out: impl Write + Send + 'static,
    err: impl Write + Send + 'static,
) -> oneshot::Receiver<()> {
    let runtime = Runtime::current();
    let (over, ended) = oneshot::channel();
    let writer = thread::Builder::new().name("lines".to_owned());
    let spawned = writer.spawn(move || {
        write_all(&runtime, feed, format, BufWriter::new(out), err);
        // Nobody may be waiting any more.
        let _ = over.send(());
    });
    // Without a thread there are no lines; the server goes on, as with a closed stdout.
    drop(spawned);
    ended
}

fn write_all(
    runtime: &Runtime,
    mut feed: Feed,
    format: Format,
    mut out: impl Write,
    mut err: impl Write,
) {
    let mut broken = false;
    let mut invited = None;
    let mut waiting = 0;
    while let Some(event) = next(runtime, &mut feed, &mut out, &mut waiting, &mut broken) {
        if let Some(invite) = invite_of(&event)
            && invited != Some(invite.turns)
        {
            invited = Some(invite.turns);
            // A secret: never among the events. Where nobody can read it, nobody can.
            let _ = writeln!(err, "{}", invite_words(invite)).and_then(|()| err.flush());
        }
        if broken {
            continue;
        }
        let Some(line) = words(&event, format) else {
            continue;
        };
        // EPIPE or a dead terminal: nobody reads any more, the server goes on.
        broken = writeln!(out, "{line}").is_err();
        waiting += 1;
    }
    let _ = out.flush();
}

/// The next event. Lines that wait are flushed before anybody waits for one, and
/// after a burst: a flood costs one write for many lines, a trickle one for each.
fn next(
    runtime: &Runtime,
    feed: &mut Feed,
    out: &mut impl Write,
    waiting: &mut usize,
    broken: &mut bool,
) -> Option<Event> {
    if *waiting < BURST
        && let Some(event) = feed.ready()
    {
        return Some(event);
    }
    if std::mem::take(waiting) > 0 && !*broken {
        *broken = out.flush().is_err();
        thread::sleep(LULL);
    }
    runtime.block_on(feed.next())
}

/// What lets a newcomer in, if it may be a new one.
fn invite_of(event: &Event) -> Option<&Invite> {
    match &event.what {
        What::Invite(invite) => Some(invite),
        What::Reset(snapshot) => snapshot.invite.as_ref(),
        _ => None,
    }
}

fn invite_words(invite: &Invite) -> String {
    let urls = invite.urls.join(" ");
    format!("ferrydeck: {urls} code {}", invite.code.reveal())
}

fn words(event: &Event, format: Format) -> Option<String> {
    let loss;
    let event = match &event.what {
        What::Reset(snapshot) => {
            let detail = format!(
                "{} events were lost: nobody read them in time",
                snapshot.lost
            );
            loss = Event {
                at: event.at,
                what: What::Note(Fact {
                    cause: "lost",
                    detail: detail.as_str().into(),
                    ..Fact::default()
                }),
            };
            &loss
        }
        _ => event,
    };
    match format {
        Format::Text => line::text(event),
        Format::Json => line::json(event),
    }
}
