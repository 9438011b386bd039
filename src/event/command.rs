//! What a person tells the engine to do, and the nouns an order is made of.
//!
//! The way in: whoever looks sends these, the engine obeys. It knows entities
//! and a path of this machine; it must never know who sends, who obeys, or how
//! an order ended: that comes back as an event (`super`).

use std::path::PathBuf;
use std::time::Duration;

use crate::entity::{ConnId, JobId, Kind, RemotePath};

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
    /// A file, or a folder with all that is in it.
    pub kind: Kind,
}

impl Wanted {
    /// A file of which nothing more is known.
    pub const fn file(path: RemotePath, size: Option<u64>) -> Self {
        Self {
            path,
            size,
            kind: Kind::File,
        }
    }
}

/// One thing to delete on the server: a file, or a folder with all that is in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Doomed {
    /// Where it is.
    pub path: RemotePath,
    /// A file or a folder.
    pub kind: Kind,
}

/// What to do with the queue of an earlier run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Restore {
    /// Put its items into the queue.
    TakeUp,
    /// Forget it; parts of its files go too.
    Forget,
}

/// One file, or one folder with all that is in it, to send.
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
    /// Client: make a folder on the server. The answer is a note: `made` or `not_made`.
    MakeFolder(RemotePath),
    /// Client: delete on the server, folders with all that is in them. The answer is a
    /// note: `deleted` or `not_deleted`.
    Delete(Vec<Doomed>),
    /// Client: count what a choice holds; told as `What::Counted` with this number.
    Count {
        /// Counts up.
        request: u64,
        /// The choice.
        what: Vec<Doomed>,
    },
    /// Client: tell a remote file's hash; told as `What::Hashed`.
    Hash(RemotePath),
    /// Client: read a folder of this machine; told as `What::Local`. A relative path
    /// counts from the program's own folder.
    LookLocal(PathBuf),
    /// Client: hold the transfers back to so many bytes a second; `None` lets them run.
    Limit {
        /// One item, or all of them together.
        job: Option<JobId>,
        /// Bytes a second, at least 1.
        rate: Option<u64>,
    },
    /// Client: what to do with the queue of an earlier run.
    Restore(Restore),
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
