//! The opening of a connection: which dialect its first bytes tell.
//!
//! Reads until the sniffer is sure, minding one silence and the close; a listener
//! of one dialect guesses nothing. It knows the talk's input (`super`); it must
//! never know a request, the store or a transfer, and takes no byte away from
//! the codec that comes after.

use tokio::time::timeout;

use super::{Over, Talk};
use crate::entity::{Dialect, Speak};
use crate::net::hub::ConnGuard;
use crate::net::wire::codec::{Cue, Malformed};
use crate::net::wire::{Sniffed, sniff_on};

impl Talk {
    /// Reads until the dialect is told; a listener of one dialect guesses nothing.
    pub(super) async fn identify(
        &mut self,
        guard: &ConnGuard,
        speak: Speak,
    ) -> Result<Dialect, Over> {
        if let Speak::Only(dialect) = speak {
            return Ok(dialect);
        }
        let mut cue = Cue::Bytes;
        loop {
            match sniff_on(&self.input, cue) {
                Sniffed::Is(dialect) => return Ok(dialect),
                Sniffed::More | Sniffed::Unknown if cue == Cue::Close => {
                    return Err(self.closed_early());
                }
                Sniffed::More => {}
                Sniffed::Tls if self.context.porter.is_some() => return Ok(Dialect::DeckTls),
                Sniffed::Tls => {
                    return Err(Over::unwelcome(
                        "tls",
                        "a TLS hello; TLS is not spoken here",
                    ));
                }
                Sniffed::Http => {
                    return Err(Over::unwelcome(
                        "http",
                        "an HTTP request; HTTP is not spoken here",
                    ));
                }
                Sniffed::Unknown => {
                    return Err(Over::Malformed(Malformed::new(
                        "unknown_opening",
                        format!("no dialect begins with {}", quote(&self.input)),
                    )));
                }
            }
            cue = self.opening_cue(guard, cue).await?;
        }
    }

    /// More bytes, one silence once something has come, or the close.
    async fn opening_cue(&mut self, guard: &ConnGuard, before: Cue) -> Result<Cue, Over> {
        let read = if before == Cue::Bytes && !self.input.is_empty() {
            let quiet = self.context.limits.session_quiet;
            match timeout(quiet, self.read(guard)).await {
                Ok(read) => read?,
                Err(_) => return Ok(Cue::Quiet),
            }
        } else {
            self.read(guard).await?
        };
        Ok(if read == 0 { Cue::Close } else { Cue::Bytes })
    }

    fn closed_early(&self) -> Over {
        if self.input.is_empty() {
            return Over::PeerClosed;
        }
        Over::Malformed(Malformed::new(
            "short",
            format!(
                "closed after {} bytes that say nothing yet",
                self.input.len()
            ),
        ))
    }
}

/// The first bytes of something not understood, for a person.
fn quote(bytes: &[u8]) -> String {
    let head = &bytes[..bytes.len().min(16)];
    format!("{:?}", String::from_utf8_lossy(head))
}
