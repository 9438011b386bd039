//! A sender that is back while the server still holds its upload for a line that is dead.
//!
//! A network that goes away says nothing: the old connection stays until it has stalled.
//! Whoever comes with the same key or from the same address, with the same file and mark,
//! need not wait for that. It knows an [`Order`] and the tab; no payload comes here.

use std::time::Duration;

use tokio::time::sleep;

use super::incoming::{Incoming, Order};
use super::{Over, Talk};
use crate::net::hub::ConnGuard;
use crate::net::store::Denied;
use crate::net::wire::codec::{Refusal, ServerCodec};

/// An upload of which nothing has come for so long may be taken over by its own sender.
const SILENT: Duration = Duration::from_secs(3);
/// How often it is looked at: what was still on its way may come while the first look lasts.
const LOOKS: u32 = 2;
/// How often it is looked whether the old connection has let go, and how many times.
const FREE_LOOK: Duration = Duration::from_millis(50);
const FREED: u32 = 40;

impl Talk {
    /// Goes on with an upload whose own connection has fallen silent: the sender is back,
    /// and what it came over before may never be told that it broke. `busy` is what there
    /// is to say otherwise.
    pub(super) async fn take_over(
        &mut self,
        guard: &ConnGuard,
        codec: &mut dyn ServerCodec,
        order: Order,
        busy: Denied,
    ) -> Result<Result<Incoming, Denied>, Over> {
        let size = order.size;
        let Some(old) = self.context.tab.find(&order) else {
            return Ok(Err(busy));
        };
        let mut silent = false;
        for _ in 0..LOOKS {
            let (moved, quiet) = old.moved();
            let rest = sleep(SILENT.saturating_sub(quiet));
            self.waiting(guard, codec, (0, size), rest).await?;
            silent = old.moved().0 == moved;
            if silent {
                break;
            }
        }
        // Where it is over already, it has ended meanwhile, or the disk is at work.
        if !old.is_over() {
            if !silent {
                return Ok(Err(busy));
            }
            old.displace();
        }
        // It holds the part.
        drop(old);
        for _ in 0..FREED {
            match self.begin_upload(guard, order.clone()).await {
                Err(denied) if denied.refusal == Refusal::Busy => {
                    self.waiting(guard, codec, (0, size), sleep(FREE_LOOK))
                        .await?;
                }
                begun => return Ok(begun),
            }
        }
        Ok(Err(busy))
    }
}
