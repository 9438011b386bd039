//! How an errand hears: events in bursts, not one by one.
//!
//! Thousands of small files are several events each, and a thread that is woken for
//! every one of them costs more than what the events say. It knows the feed and how many
//! items are open. What an event means is not its to know.

use std::io::{self, Write};
use std::time::Duration;

use tokio::time::sleep;

use super::Errand;
use crate::event::Event;
use crate::net::Handle;

/// Events heard before what they had to say is flushed.
const BURST: usize = 256;
/// With more items open than these, a burst may gather before it is heard,
const MANY: usize = 64;
/// for so long.
const LULL: Duration = Duration::from_millis(1);

impl Errand {
    /// The next event. Cancel safe.
    pub(super) async fn next(&self, handle: &mut Handle) -> Option<Event> {
        if let Some(event) = handle.feed.ready() {
            return Some(event);
        }
        if self.known.len().saturating_sub(self.ended.len()) > MANY {
            sleep(LULL).await;
        }
        handle.feed.next().await
    }

    /// Hears an event and those that are here behind it; their lines leave together.
    pub(super) async fn hear_burst(
        &mut self,
        handle: &mut Handle,
        first: Event,
        out: &mut (dyn Write + Send),
        err: &mut (dyn Write + Send),
    ) -> io::Result<()> {
        self.hear(handle, &first, out, err).await?;
        for _ in 0..BURST {
            let more = (!self.is_over()).then(|| handle.feed.ready());
            let Some(event) = more.flatten() else { break };
            self.hear(handle, &event, out, err).await?;
        }
        out.flush()
    }
}
