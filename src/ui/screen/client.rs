//! What the client's keys do in its two folders: walk, mark, fetch and send.
//!
//! Both panes answer the same keys; what is the remote one's alone is asked of
//! the server, the local one's of this machine. Nothing is read or changed
//! here: commands are told.

use std::path::PathBuf;

use crate::entity::{Entry, Kind, RemotePath};
use crate::event::{Command, Link, Outgoing, Wanted};
use crate::model::Model;

use super::super::format;
use super::super::keys::Action;
use super::{Pane, Popup, Reaction, Screen};

impl Screen {
    pub(super) fn act_client(&mut self, action: Action, model: &Model) -> Reaction {
        let entries = self.entries(model);
        let here = self.focus == Pane::Local;
        match action {
            Action::Out if here => return self.go_out_here(model),
            Action::Out => return self.go_out(model),
            Action::Reload if here => {
                return self.look(model.remote.here.path.clone(), None, model);
            }
            Action::Reload => return self.open(model.remote.folder.path.clone(), None, model),
            Action::Mark if here => self.local.mark(entries),
            Action::Mark => self.files.mark(entries),
            Action::MarkAll if here => self.local.mark_all(entries),
            Action::MarkAll => self.files.mark_all(entries),
            Action::Range if here => self.local.range(entries),
            Action::Range => self.files.range(entries),
            Action::Download => return self.download(model),
            Action::Upload => return self.upload(model),
            Action::MakeFolder => self.ask_folder(model),
            Action::Rename => self.ask_rename(model),
            Action::Delete => return self.ask_delete(model),
            Action::Hash => return self.ask_hash(model),
            Action::FileDetails => self.show_file(model),
            Action::Forget => return self.answer_saved(crate::event::Restore::Forget, model),
            Action::Turn(mode) => self.turn(mode, model),
            Action::AskServer => return self.ask_server(model),
            other => return self.act_queue(other, model),
        }
        Reaction::Redraw
    }

    /// The entries of the pane that has the keys.
    pub(super) fn entries<'m>(&self, model: &'m Model) -> &'m [Entry] {
        match self.focus {
            Pane::Local => &model.remote.here.entries,
            _ => &model.remote.folder.entries,
        }
    }

    /// Whether there is a folder to go out to.
    pub(in super::super) fn can_go_out(&self, model: &Model) -> bool {
        match self.focus {
            Pane::Local => model.remote.here.path.parent().is_some(),
            _ => !model.remote.folder.path.is_root(),
        }
    }

    pub(super) fn enter_client(&mut self, model: &Model) -> Reaction {
        match self.focus {
            Pane::Files if self.asks_for_names(model) => self.enter_desk(model),
            Pane::Files => self.enter_remote(model),
            Pane::Local => self.enter_local(model),
            _ => {
                self.show_details(model);
                Reaction::Redraw
            }
        }
    }

    fn enter_remote(&mut self, model: &Model) -> Reaction {
        let folder = &model.remote.folder;
        let Some(entry) = self.files.chosen(&folder.entries) else {
            return Reaction::Nothing;
        };
        match entry.kind {
            Kind::Dir => self.open(folder.path.join(&entry.name), None, model),
            Kind::File if !self.may(|rights| rights.read) => {
                self.note("the server lets us read nothing");
                Reaction::Redraw
            }
            Kind::File => {
                let name = entry.shown();
                self.note(&format!("queued {name}"));
                Reaction::Tell(vec![Command::Fetch(vec![wanted(&folder.path, entry)])])
            }
        }
    }

    fn enter_local(&mut self, model: &Model) -> Reaction {
        let here = &model.remote.here;
        let Some(entry) = self.local.chosen(&here.entries) else {
            return Reaction::Nothing;
        };
        match entry.kind {
            Kind::Dir => self.look(here.path.join(&*entry.name), None, model),
            Kind::File if self.can_upload(model) => self.upload_these(&[entry], model),
            Kind::File => {
                self.note("this server takes no uploads from us");
                Reaction::Redraw
            }
        }
    }

    fn open(&mut self, to: RemotePath, land_on: Option<Box<str>>, model: &Model) -> Reaction {
        let folder = (&model.remote.folder).into();
        self.files.depart(to.clone(), land_on, folder);
        self.seen.forget_there();
        Reaction::Tell(vec![Command::Open(to)])
    }

    fn look(&mut self, to: PathBuf, land_on: Option<Box<str>>, model: &Model) -> Reaction {
        let here = (&model.remote.here).into();
        self.local.depart(to.clone(), land_on, here);
        self.seen.forget_here();
        Reaction::Tell(vec![Command::LookLocal(to)])
    }

    fn go_out(&mut self, model: &Model) -> Reaction {
        let path = &model.remote.folder.path;
        let came_from = String::from_utf8_lossy(path.file_name()).into_owned();
        self.open(path.parent(), Some(came_from.into_boxed_str()), model)
    }

    fn go_out_here(&mut self, model: &Model) -> Reaction {
        let path = &model.remote.here.path;
        let Some(parent) = path.parent() else {
            return Reaction::Redraw;
        };
        let came_from = path.file_name().map(|name| name.to_string_lossy().into());
        self.look(parent.to_owned(), came_from, model)
    }

    fn download(&mut self, model: &Model) -> Reaction {
        let folder = &model.remote.folder;
        let entries = self.files.meant(folder.into());
        if entries.is_empty() {
            return Reaction::Redraw;
        }
        let wanted = entries.iter().map(|entry| wanted(&folder.path, entry));
        let wanted: Vec<Wanted> = wanted.collect();
        self.note(&format!("queued {}", kinds(&entries)));
        self.files.unmark();
        Reaction::Tell(vec![Command::Fetch(wanted)])
    }

    fn upload(&mut self, model: &Model) -> Reaction {
        let entries = self.local.meant((&model.remote.here).into());
        if entries.is_empty() {
            return Reaction::Redraw;
        }
        self.local.unmark();
        self.upload_these(&entries, model)
    }

    /// Queues entries of the local pane for the remote folder that is shown.
    fn upload_these(&mut self, entries: &[&Entry], model: &Model) -> Reaction {
        let (here, there) = (&model.remote.here.path, &model.remote.folder.path);
        let outgoing = entries.iter().map(|entry| Outgoing {
            local: here.join(&*entry.name),
            path: there.join(&entry.name),
        });
        let outgoing: Vec<Outgoing> = outgoing.collect();
        let to = format::cut_name(&format!("/{}", there.shown()), 40);
        self.note(&format!("queued ↑ {} to {to}", kinds(entries)));
        Reaction::Tell(vec![Command::Send(outgoing)])
    }

    /// Shows the chosen entry of the remote folder closely.
    fn show_file(&mut self, model: &Model) {
        let folder = &model.remote.folder;
        if let Some(entry) = self.files.chosen(&folder.entries) {
            self.popup = Some(Popup::File {
                entry: entry.clone(),
                path: folder.path.join(&entry.name),
                asked: None,
            });
        }
    }

    /// Tells the hash of the chosen file, or of the one that is shown closely.
    fn ask_hash(&mut self, model: &Model) -> Reaction {
        if self.popup.is_none() {
            self.show_file(model);
        }
        let Some(Popup::File { path, asked, .. }) = &mut self.popup else {
            return Reaction::Nothing;
        };
        *asked = Some(model.remote.hashes);
        Reaction::Tell(vec![Command::Hash(path.clone())])
    }

    /// Whether the link is being opened.
    pub(in super::super) fn is_connecting(model: &Model) -> bool {
        matches!(model.remote.link, Link::Connecting)
    }
}

/// How many files and folders these are, in words.
pub(super) fn kinds(entries: &[&Entry]) -> String {
    let folders = entries.iter().filter(|it| it.kind == Kind::Dir).count();
    format::kinds((entries.len() - folders) as u64, folders as u64)
}

fn wanted(folder: &RemotePath, entry: &Entry) -> Wanted {
    Wanted {
        path: folder.join(&entry.name),
        size: (entry.kind == Kind::File).then_some(entry.size),
        kind: entry.kind,
    }
}
