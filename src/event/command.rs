//! What a person tells the engine to do, and the nouns an order is made of.
//!
//! The way in: whoever looks sends these, the engine obeys. It knows entities
//! and a path of this machine; it must never know who sends, who obeys, or how
//! an order ended: that comes back as an event (`super`).

use std::path::PathBuf;
use std::time::Duration;

use crate::entity::{ConnId, JobId, RemotePath};

/// What to do with a download whose local name is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Clash {
    /// Leave it and do not fetch.
    Skip,
    /// Fetch it as `name (1).ext`.
    Rename,
    /// Replace the local file once the new one is complete.
    Overwrite,
}

/// One file to fetch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// Where it is.
    pub path: RemotePath,
    /// Its size, if a listing told it.
    pub size: Option<u64>,
}

/// One file to send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outgoing {
    /// Where it is on this machine.
    pub local: PathBuf,
    /// What it is to be called on the server.
    pub path: RemotePath,
}

/// What a person tells the engine to do.
#[derive(Clone, Debug)]
pub enum Command {
    /// Server: end one connection.
    Kick(ConnId),
    /// Accept nothing more; leave when the running transfers are done or the grace is over.
    Leave {
        /// The longest wait; `None` means the engine's own.
        grace: Option<Duration>,
    },
    /// Leave now.
    Abort,
    /// Client: list a folder.
    Open(RemotePath),
    /// Client: put files at the end of the queue.
    Fetch(Vec<Wanted>),
    /// Client: put uploads at the end of the queue.
    Send(Vec<Outgoing>),
    /// Client: rename a file on the server. The answer is a note: `renamed` or `not_renamed`.
    Rename {
        /// The name it has.
        from: RemotePath,
        /// The name it gets.
        to: RemotePath,
    },
    /// Client: ask the server what can be asked. The answer is a note: `help`.
    Help,
    /// Client: hold an item.
    Pause(JobId),
    /// Client: let a held item go on.
    Resume(JobId),
    /// Client: give an item up; what has arrived is dropped.
    Cancel(JobId),
    /// Client: try a failed or cancelled item again.
    Retry(JobId),
    /// Client: move an item one place up.
    MoveUp(JobId),
    /// Client: move an item one place down.
    MoveDown(JobId),
    /// Client: take items that ended off the list.
    ClearEnded,
    /// Client: what to do with a taken name.
    Answer {
        /// The item that asked.
        job: JobId,
        /// What to do.
        clash: Clash,
        /// For every later clash too.
        scope: Scope,
    },
    /// Client: what to do with every later taken name; `None` asks again.
    Standing(Option<Clash>),
}

/// How far an answer goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// This item only.
    Once,
    /// This item and every later one.
    All,
}
