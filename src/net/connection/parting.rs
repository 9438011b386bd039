//! A server that leaves, as one connection sees it.
//!
//! deck has a word for it: who asks anew hears it in place of an answer, and who only
//! waits hears it unasked before the line is closed, so that nobody takes the end for a
//! broken line. What is under way goes on. It knows the talk and its dials; when the
//! server leaves is not its to say.

use std::time::Duration;

use tokio::time::sleep;

use super::{Over, Talk};
use crate::entity::{DisplayName, End, Phase};
use crate::event::{Fact, What};
use crate::net::hub::ConnGuard;
use crate::net::wire::codec::{After, Refusal, Reply, Request, ServerCodec};

/// How often it is looked whether a connection has got its last answer.
const LOOK: Duration = Duration::from_millis(20);

impl Talk {
    /// Reads what comes between requests; where the server leaves meanwhile, it is said.
    pub(super) async fn read_or_part(
        &mut self,
        guard: &ConnGuard,
        codec: &mut dyn ServerCodec,
    ) -> Result<Option<usize>, Over> {
        let leaving = self.context.leaving.clone();
        let says_so = codec.dialect().is_deck();
        let dismissed = async {
            leaving.cancelled().await;
            // Idle is who has said hello and has had all that was asked for.
            while guard.dials().phase() != Phase::Idle {
                sleep(LOOK).await;
            }
        };
        tokio::select! {
            biased;
            read = self.read_or_quiet(guard, codec) => return read,
            () = dismissed, if says_so => {}
        }
        self.say(guard, codec, &Reply::Refused(Refusal::Leaving))
            .await?;
        // All is said: it ends as everybody else who waits does.
        guard.dials().condemn(End::Shutdown, None);
        guard.cancel().cancel();
        std::future::pending().await
    }

    /// Whether a request comes too late: the server leaves.
    pub(super) fn is_too_late(&self, codec: &dyn ServerCodec) -> bool {
        self.context.leaving.is_cancelled() && codec.dialect().is_deck()
    }

    /// Says no to a request that comes too late.
    pub(super) async fn turn_away(
        &mut self,
        guard: &ConnGuard,
        codec: &mut dyn ServerCodec,
        request: &Request,
    ) -> Result<After, Over> {
        let refusal = Refusal::Leaving;
        guard.hub().tell(What::Refused(Fact {
            path: request.path().cloned(),
            cause: refusal.label(),
            detail: DisplayName::from(refusal.words()),
            ..guard.fact()
        }));
        self.say(guard, codec, &Reply::Refused(refusal)).await?;
        Err(Over::Refused(refusal.label()))
    }
}
