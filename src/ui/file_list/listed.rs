//! A folder as a file pane gets it from the model: one shape for remote and local.
//!
//! References only; what differs between the two is the kind of their paths.
//! It knows the model's folders and nothing of rows or looks.

use std::path::PathBuf;

use crate::entity::{Entry, RemotePath};
use crate::event::ListingState;
use crate::remote::{Folder, Here};

/// A folder as a pane gets it from the model.
pub(in super::super) struct Listed<'m, P> {
    pub path: &'m P,
    /// Another number, another listing.
    pub request: u64,
    pub entries: &'m [Entry],
    pub state: &'m ListingState,
}

// Not derived: a path is no `Copy`, a reference to one is.
impl<P> Clone for Listed<'_, P> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<P> Copy for Listed<'_, P> {}

impl<'m> From<&'m Folder> for Listed<'m, RemotePath> {
    fn from(folder: &'m Folder) -> Self {
        Self {
            path: &folder.path,
            request: folder.request,
            entries: &folder.entries,
            state: &folder.state,
        }
    }
}

impl<'m> From<&'m Here> for Listed<'m, PathBuf> {
    fn from(here: &'m Here) -> Self {
        Self {
            path: &here.path,
            request: here.edition,
            entries: &here.entries,
            state: &here.state,
        }
    }
}
