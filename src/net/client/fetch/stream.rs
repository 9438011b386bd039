//! A download whose length nobody announced: taken until the codec tells its end.
//!
//! The end may be bytes, a silence or the close; which, only the codec knows.
//! What is called content goes to the desk and is never held here. It knows the
//! line and the part of the download (`super`); under which name that lands, it
//! must not know.

use tokio::time::timeout;

use super::{Fetch, Kept, Stage, Stop, unlanded};
use crate::net::client::dial::{Failure, Line, QUIET, broke};
use crate::net::hub::XferGuard;
use crate::net::pump::Desk;
use crate::net::wire::codec::{Cue, Take};

/// Bytes taken off the socket before they go to the disk, of a stream.
const STREAM: usize = 256 << 10;

impl Fetch {
    /// Takes a payload whose length nobody announced, until the codec tells its end.
    pub(super) async fn take_stream(
        &mut self,
        line: &mut Line,
        xfer: &XferGuard,
    ) -> Result<(), Stop> {
        let Some(kept) = self.kept.take() else {
            return Err(Stop::Failed(Failure::unexpected()));
        };
        let mut desk = Desk::new(kept.part);
        let mut cue = Cue::Bytes;
        let finale = loop {
            let Take { content, end } = line
                .codec
                .take(&line.input, cue)
                .map_err(|broken| Stop::Failed(broken.into()))?;
            if content > 0 {
                let rest = line.input.split_off(content);
                let full = std::mem::replace(&mut line.input, rest);
                xfer.add(content as u64);
                desk.write(full)
                    .await
                    .map_err(|error| Stop::Failed(unlanded(&error)))?;
            }
            if let Some(finale) = end {
                break finale;
            }
            cue = self.next_cue(line, cue).await?;
        };
        let size = desk.at();
        let part = desk
            .close()
            .await
            .map_err(|error| Stop::Failed(unlanded(&error)))?;
        self.proof = finale.outcome;
        self.kept = Some(Kept {
            part,
            at: size,
            size,
            version: None,
            stage: Stage::Told,
        });
        Ok(())
    }

    /// More bytes, a silence where it means something, or the close.
    async fn next_cue(&self, line: &mut Line, before: Cue) -> Result<Cue, Stop> {
        let room = STREAM.saturating_sub(line.input.len()).max(4 << 10);
        let minds = line.codec.minds_quiet() && before == Cue::Bytes;
        let gap = self.patience.gap;
        let wait = if minds { QUIET } else { gap };
        let read = tokio::select! {
            read = timeout(wait, line.pipe.read_some(&mut line.input, room)) => read,
            () = self.stop.cancelled() => return Err(Stop::Told),
        };
        match read {
            Ok(Ok(0)) => Ok(Cue::Close),
            Ok(Ok(_)) => Ok(Cue::Bytes),
            Ok(Err(error)) => Err(Stop::Failed(broke(&error))),
            Err(_) if minds => Ok(Cue::Quiet),
            Err(_) => {
                let words = format!("the server was silent for {:.0} s", gap.as_secs_f64());
                Err(Stop::Failed(Failure::new("timeout", words)))
            }
        }
    }
}
