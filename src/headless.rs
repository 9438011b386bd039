//! The server without a screen: the same feed, one event a line.
//!
//! Lines are written and flushed by a thread of their own, so a reader that
//! does not read holds up nothing but its own lines: the feed then reports
//! what was lost. A closed stdout ends the lines, never the server.

use std::io::Write;
use std::thread;

use tokio::runtime::Handle as Runtime;
use tokio::sync::oneshot;

use crate::cli::Format;
use crate::event::{Event, Fact, What};
use crate::line;
use crate::net::hub::Feed;

/// Starts the thread that writes every event until the engine is over.
///
/// The receiver resolves when the last line is written; a stuck pipe may keep
/// it from doing so for ever, so a server that has ended waits only a moment.
pub fn lines(
    feed: Feed,
    format: Format,
    out: impl Write + Send + 'static,
) -> oneshot::Receiver<()> {
    let runtime = Runtime::current();
    let (over, ended) = oneshot::channel();
    let writer = thread::Builder::new().name("lines".to_owned());
    let spawned = writer.spawn(move || {
        write_all(&runtime, feed, format, out);
        // Nobody may be waiting any more.
        let _ = over.send(());
    });
    // Without a thread there are no lines; the server goes on, as with a closed stdout.
    drop(spawned);
    ended
}

fn write_all(runtime: &Runtime, mut feed: Feed, format: Format, mut out: impl Write) {
    let mut broken = false;
    while let Some(event) = runtime.block_on(feed.next()) {
        if broken {
            continue;
        }
        let Some(line) = words(&event, format) else {
            continue;
        };
        // EPIPE or a dead terminal: nobody reads any more, the server goes on.
        broken = writeln!(out, "{line}").and_then(|()| out.flush()).is_err();
    }
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
