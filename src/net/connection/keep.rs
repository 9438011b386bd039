//! Keeping the folder in order: new folders, other names, away for good.
//!
//! Rights first, then the gate, then the disk, off the loop; each that went well is a
//! note with its path. It knows the store's places and its refusals; it must never know
//! a path of the disk, and it replaces nothing.

use std::sync::Arc;

use super::answer::off_loop;
use super::incoming::kept;
use super::receive::at_work;
use super::right::Right;
use super::{Over, Talk};
use crate::entity::{DisplayName, Phase, RemotePath};
use crate::event::{Fact, What};
use crate::net::hub::ConnGuard;
use crate::net::store::landing::{Landing, Missing};
use crate::net::store::{Denied, Store};
use crate::net::wire::codec::{After, Refusal, Reply, ServerCodec};

impl Talk {
    /// Makes a folder; its parent must be there.
    pub(super) async fn make_folder(
        &mut self,
        guard: &ConnGuard,
        codec: &mut dyn ServerCodec,
        path: RemotePath,
    ) -> Result<After, Over> {
        let sought = path.clone();
        let work = move |gate: &Gate| {
            let (landing, name) = gate.place(&sought)?;
            landing.make_folder(&name).map_err(|error| kept(&error))
        };
        let done = self.change(guard, Right::Upload, work).await;
        let told = (path, "made", String::new());
        self.answer_change(guard, codec, told, done, &Reply::Done)
            .await
    }

    /// Deletes a file or an empty folder.
    pub(super) async fn delete(
        &mut self,
        guard: &ConnGuard,
        codec: &mut dyn ServerCodec,
        path: RemotePath,
    ) -> Result<After, Over> {
        let sought = path.clone();
        let work = move |gate: &Gate| {
            let (landing, name) = gate.own_place(&sought)?;
            landing.delete(&name).map_err(|error| kept(&error))
        };
        let done = self.change(guard, Right::Delete, work).await;
        let told = (path, "deleted", String::new());
        self.answer_change(guard, codec, told, done, &Reply::Done)
            .await
    }

    /// Gives a file or a folder another name, in its folder or in another one.
    pub(super) async fn move_to(
        &mut self,
        guard: &ConnGuard,
        codec: &mut dyn ServerCodec,
        from: RemotePath,
        to: RemotePath,
    ) -> Result<After, Over> {
        let words = format!("renamed to {}", to.shown());
        let old = from.clone();
        let work = move |gate: &Gate| {
            let (here, old) = gate.place(&old)?;
            let (there, new) = gate.place(&to)?;
            here.rename_to(&old, &there, &new)
                .map_err(|error| kept(&error))
        };
        let done = self.change(guard, Right::Rename, work).await;
        self.answer_change(
            guard,
            codec,
            (from, "renamed", words),
            done,
            &Reply::Renamed,
        )
        .await
    }

    /// Changes something on the disk, if this peer may.
    async fn change(
        &mut self,
        guard: &ConnGuard,
        right: Right,
        work: impl FnOnce(&Gate) -> Result<(), Denied> + Send + 'static,
    ) -> Result<(), Denied> {
        self.allows(right)?;
        // The disk may take its time, and the peer waits: the stall rule sees life.
        guard.dials().set_phase(Phase::Sending);
        let gate = self.gate();
        at_work(guard, off_loop(move || work(&gate))).await
    }

    async fn answer_change(
        &mut self,
        guard: &ConnGuard,
        codec: &mut dyn ServerCodec,
        (path, cause, words): (RemotePath, &'static str, String),
        done: Result<(), Denied>,
        reply: &Reply,
    ) -> Result<After, Over> {
        if let Err(denied) = done {
            return self.refuse(guard, codec, path, denied).await;
        }
        guard.hub().tell(What::Note(Fact {
            path: Some(path),
            cause,
            detail: DisplayName::from(words.as_str()),
            ..guard.fact()
        }));
        self.say(guard, codec, reply).await
    }

    /// The way to places that may be written, to be taken off the loop.
    pub(super) fn gate(&self) -> Gate {
        Gate {
            store: Arc::clone(&self.context.store),
            landing: self.context.landing.clone(),
        }
    }
}

/// The way to places that may be written.
#[derive(Clone, Debug)]
pub(super) struct Gate {
    store: Arc<Store>,
    landing: Option<Arc<Landing>>,
}

impl Gate {
    /// The folder a name is in, and the name.
    pub(super) fn place(&self, path: &RemotePath) -> Result<(Landing, String), Denied> {
        self.store.place(path, self.root()?.floor())
    }

    /// The same for what is to go for good, and no link on the way: who walks a folder to
    /// delete it sees what a link in it leads to, and must not lose that.
    fn own_place(&self, path: &RemotePath) -> Result<(Arc<Landing>, String), Denied> {
        let (_, name) = self.place(path)?;
        let parent = path.parent();
        let folder = parent.as_str().unwrap_or_default();
        let found = self.root()?.folder(folder, Missing::Refuse);
        Ok((found.map_err(|error| kept(&error))?, name))
    }

    fn root(&self) -> Result<&Landing, Denied> {
        self.landing.as_deref().ok_or_else(|| Denied {
            refusal: Refusal::NotAllowed,
            cause: "not_allowed",
            detail: "nothing is written here".to_owned(),
        })
    }
}

#[cfg(test)]
#[path = "keep_tests.rs"]
mod tests;
