//! What changes the server's folder: make, rename, delete; and lines typed on top.
//!
//! Nothing is asked that the server has no request for or that we have no right
//! to; what deletes names how much first. Whether it succeeded is told by the
//! engine's notes, after which the folder is listed again (`watch`).

use crossterm::event::Event;

use crate::entity::{JobId, Kind, Rights};
use crate::event::{Command, Doomed, ListingState};
use crate::model::Model;

use super::super::format;
use super::super::line_input::LineInput;
use super::super::standing::Told;
use super::{Doom, Goal, LineAsk, Pane, Popup, Reaction, Screen};

impl Screen {
    /// Whether the server lets us, as far as it said.
    pub(super) fn may(&self, right: fn(Rights) -> bool) -> bool {
        self.desk.rights.is_none_or(right)
    }

    pub(in super::super) fn can_download(&self, model: &Model) -> bool {
        self.has_choice(model) && self.may(|rights| rights.read)
    }

    /// Whether files of this machine can go to the folder that is shown.
    pub(in super::super) fn takes_uploads(&self, model: &Model) -> bool {
        let offers = self.desk.offers;
        !self.asks_for_names(model)
            && (offers.puts || offers.keeps)
            && self.may(|rights| rights.upload)
    }

    pub(in super::super) fn can_upload(&self, model: &Model) -> bool {
        self.local.cursor.current().is_some() && self.takes_uploads(model)
    }

    pub(in super::super) fn can_make(&self, _: &Model) -> bool {
        self.desk.offers.keeps && self.may(|rights| rights.upload)
    }

    pub(in super::super) fn can_rename_there(&self, model: &Model) -> bool {
        let offers = self.desk.offers;
        self.has_choice(model)
            && (offers.keeps || offers.renames)
            && self.may(|rights| rights.rename)
    }

    pub(in super::super) fn can_delete(&self, model: &Model) -> bool {
        self.has_choice(model) && self.desk.offers.keeps && self.may(|rights| rights.delete)
    }

    /// Whether a file's hash can be asked for: of the chosen one, or of the one shown closely.
    pub(in super::super) fn can_hash(&self, model: &Model) -> bool {
        let file = match &self.popup {
            Some(Popup::File { entry, .. }) => Some(entry),
            Some(_) => None,
            None => self.files.chosen(&model.remote.folder.entries),
        };
        file.is_some_and(|entry| entry.kind == Kind::File)
            && self.desk.offers.keeps
            && self.may(|rights| rights.read)
    }

    pub(super) fn ask_folder(&mut self, model: &Model) {
        let goal = Goal::Folder(model.remote.folder.path.clone());
        self.ask_line(goal, LineInput::default());
    }

    pub(super) fn ask_rename(&mut self, model: &Model) {
        let folder = &model.remote.folder;
        if let Some(entry) = self.files.chosen(&folder.entries) {
            let goal = Goal::Rename(folder.path.join(&entry.name));
            self.ask_line(goal, LineInput::holding(&entry.name));
        }
    }

    /// Asks for a rate: for the chosen item where there is one, else for all.
    pub(super) fn ask_limit(&mut self, job: Option<JobId>, model: &Model) {
        let now = match job {
            Some(job) => model.remote.item(job).and_then(|item| item.job.limit),
            None => self.limit_of_all(model),
        };
        let text = now.map_or_else(String::new, format::write_limit);
        self.ask_line(Goal::Limit(job), LineInput::holding(&text));
    }

    /// What all transfers together are held to, as it was started or told since.
    pub(in super::super) const fn limit_of_all(&self, model: &Model) -> Option<u64> {
        match self.limit {
            Told::AsStarted => model.about.limit,
            Told::Now(rate) => rate,
        }
    }

    fn ask_line(&mut self, goal: Goal, line: LineInput) {
        let wrong = None;
        self.popup = Some(Popup::Line(LineAsk { line, goal, wrong }));
    }

    /// Gives an input to the line on top.
    pub(super) fn type_line(&mut self, input: &Event) -> bool {
        let Some(Popup::Line(ask)) = &mut self.popup else {
            return false;
        };
        let changed = ask.line.take(input);
        if changed {
            ask.wrong = None;
        }
        changed
    }

    /// Does what the typed line says, or says what is wrong with it.
    pub(super) fn enter_line(&mut self) -> Reaction {
        let Some(Popup::Line(mut ask)) = self.popup.take() else {
            return Reaction::Nothing;
        };
        let text = ask.line.text();
        let command = match &ask.goal {
            Goal::Folder(folder) => component(text).map(|()| {
                let path = folder.join(text);
                Some(Command::MakeFolder(path))
            }),
            Goal::Rename(from) if from.file_name() == text.as_bytes() => Ok(None),
            Goal::Rename(from) => component(text).map(|()| {
                let to = from.parent().join(text);
                let from = from.clone();
                Some(Command::Rename { from, to })
            }),
            Goal::Limit(job) => format::read_limit(text)
                .map(|rate| Some(Command::Limit { job: *job, rate }))
                .map_err(|_| "write a rate a second: 10M, 500k, 2MiB; 0 for none"),
        };
        match command {
            Ok(command) => {
                if let Some(Command::Limit { job: None, rate }) = command {
                    self.limit = Told::Now(rate);
                }
                command.map_or(Reaction::Redraw, |command| Reaction::Tell(vec![command]))
            }
            Err(wrong) => {
                ask.wrong = Some(wrong.to_owned());
                self.popup = Some(Popup::Line(ask));
                Reaction::Redraw
            }
        }
    }

    /// Asks whether to delete what is marked or chosen; the server counts meanwhile.
    pub(super) fn ask_delete(&mut self, model: &Model) -> Reaction {
        let folder = &model.remote.folder;
        let entries = self.files.meant(folder.into());
        if entries.is_empty() {
            return Reaction::Redraw;
        }
        let bytes = entries.iter().filter(|it| it.kind == Kind::File);
        let bytes = bytes.fold(0_u64, |sum, it| sum.saturating_add(it.size));
        let what = entries.iter().map(|entry| Doomed {
            path: folder.path.join(&entry.name),
            kind: entry.kind,
        });
        let what: Vec<Doomed> = what.collect();
        let dirs = what.iter().filter(|doomed| doomed.kind == Kind::Dir);
        let dirs: Vec<Doomed> = dirs.cloned().collect();
        self.dooms += 1;
        let request = self.dooms;
        let counts = !dirs.is_empty();
        let folders = dirs.len();
        self.popup = Some(Popup::Delete(Doom {
            // What a listing has shown needs no counting.
            request: counts.then_some(request),
            files: what.len() - folders,
            folders,
            bytes,
            what,
        }));
        if counts {
            let what = dirs;
            Reaction::Tell(vec![Command::Count { request, what }])
        } else {
            Reaction::Redraw
        }
    }

    /// Whether yes may be said: not before all is counted that would go.
    pub(in super::super) fn can_say_yes(&self, model: &Model) -> bool {
        match &self.popup {
            Some(Popup::Delete(doom)) => doom.is_counted(model),
            _ => true,
        }
    }

    /// Deletes what was asked about.
    pub(super) fn delete(&mut self, doom: Doom) -> Reaction {
        self.files.unmark();
        let words = format::kinds(doom.files as u64, doom.folders as u64);
        self.note(&format!("asked to delete {words}"));
        Reaction::Tell(vec![Command::Delete(doom.what)])
    }

    /// The item of the queue a limit would be for.
    pub(super) fn limited(&self, model: &Model) -> Option<JobId> {
        let item = self.job(model).filter(|item| item.is_unfinished())?;
        (self.focus == Pane::Queue).then_some(item.job.job)
    }
}

impl Doom {
    /// Whether all is counted that would go.
    pub(in super::super) fn is_counted(&self, model: &Model) -> bool {
        self.request.is_none_or(|request| {
            let counted = model.remote.counted.as_ref();
            counted.is_some_and(|counted| {
                counted.request == request && counted.state == ListingState::Whole
            })
        })
    }
}

/// Whether a name can be one in a folder of a server.
fn component(name: &str) -> Result<(), &'static str> {
    match name {
        "" => Err("a name is needed"),
        "." | ".." => Err("that is no name"),
        _ if name.contains('/') => Err("one name is needed, without a /"),
        _ if name.len() > 255 => Err("that is too long: 255 bytes at the most"),
        _ => Ok(()),
    }
}
