//! What this peer may do, and the way to a name it may write.
//!
//! The server's flags first, then the peer's grant, as `admit` has looked it up for
//! this very request. It knows rights and refusals; it must never know what is done
//! behind them.

use super::{Doubt, Talk};
use crate::entity::Rights;
use crate::net::store::Denied;
use crate::net::wire::codec::Refusal;

/// What a peer wants to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Right {
    /// List and fetch.
    Read,
    /// Store files, make folders.
    Upload,
    /// Give another name.
    Rename,
    /// Delete, and replace what is there.
    Delete,
}

impl Right {
    const fn is_in(self, rights: Rights) -> bool {
        match self {
            Self::Read => rights.read,
            Self::Upload => rights.upload,
            Self::Rename => rights.rename,
            Self::Delete => rights.delete,
        }
    }

    /// What would allow it.
    const fn remedy(self) -> &'static str {
        match self {
            Self::Read => "nothing is served here",
            Self::Upload => "--allow-upload would allow it",
            Self::Rename => "--allow-rename would allow it",
            Self::Delete => "--allow-delete would allow it",
        }
    }
}

impl Talk {
    /// Whether this peer may do this now.
    pub(super) fn allows(&self, right: Right) -> Result<(), Denied> {
        let denied = |cause, detail: String| Denied {
            refusal: Refusal::NotAllowed,
            cause,
            detail,
        };
        if !right.is_in(self.context.rights) {
            let words = format!("not allowed here; {}", right.remedy());
            return Err(denied("not_allowed", words));
        }
        if !right.is_in(self.rights()) {
            let words = "not granted to this peer; `ferrydeck peers grant` would allow it";
            return Err(denied("not_granted", words.to_owned()));
        }
        if right != Right::Read && self.doubt == Doubt::Smuggled {
            let words = "right behind upload data: it may be content that looks like a command";
            return Err(denied("smuggled", words.to_owned()));
        }
        Ok(())
    }
}
