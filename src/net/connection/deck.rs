//! The requests that deck alone has, each led to the room that answers it.
//!
//! What they need is boxed: an idle connection keeps none of it. It knows the requests
//! and the rooms; it must never know a socket, a file or a byte of a wire.

use super::right::Right;
use super::small::Want;
use super::{Over, Talk};
use crate::net::hub::ConnGuard;
use crate::net::wire::codec::{After, Refusal, Reply, Request, ServerCodec};

impl Talk {
    /// Answers what only deck asks.
    pub(super) async fn answer_deck(
        &mut self,
        guard: &ConnGuard,
        codec: &mut dyn ServerCodec,
        request: Request,
    ) -> Result<After, Over> {
        match request {
            Request::Fetch {
                path,
                offset,
                until,
                version,
                check,
            } => {
                let want = Want {
                    path,
                    offset,
                    until,
                    version,
                    check,
                };
                Box::pin(self.fetch(guard, codec, want)).await
            }
            Request::Tree {
                path,
                version,
                detail,
            } => Box::pin(self.tree(guard, codec, path, version, detail)).await,
            Request::Store { path, size, terms } => {
                Box::pin(self.store(guard, codec, path, size, terms)).await
            }
            Request::MakeFolder { path } => Box::pin(self.make_folder(guard, codec, path)).await,
            Request::Rename { from, to } => Box::pin(self.move_to(guard, codec, from, to)).await,
            Request::Delete { path } => Box::pin(self.delete(guard, codec, path)).await,
            // A proof is due before hello, and none of the others comes here.
            _ => {
                self.say(guard, codec, &Reply::Refused(Refusal::Unsupported))
                    .await
            }
        }
    }

    /// Says no to who may not read.
    pub(super) async fn unread(
        &mut self,
        guard: &ConnGuard,
        codec: &mut dyn ServerCodec,
        request: Request,
    ) -> Result<After, Over> {
        let path = request.path().cloned().unwrap_or_default();
        match self.allows(Right::Read) {
            Err(denied) => self.refuse(guard, codec, path, denied).await,
            Ok(()) => Ok(After::Next),
        }
    }
}
