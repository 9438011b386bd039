//! What the keys do to the queue: pause, give up, try again, hold back, answer.
//!
//! Every key is about the item the cursor is on, or about all of them. Nothing
//! is changed here: commands are.

use crate::entity::{Direction, JobId};
use crate::event::{Clash, Command, JobState, Scope};
use crate::model::Model;
use crate::remote::Item;

use super::super::format;
use super::super::keys::Action;
use super::super::select::Step;
use super::super::standing::{self, Standing};
use super::{Ask, Deed, Pane, Popup, Reaction, Screen, job_in};

impl Screen {
    pub(super) fn act_queue(&mut self, action: Action, model: &Model) -> Reaction {
        match action {
            Action::Pause => return self.pause(model),
            Action::PauseAll => return Self::pause_all(model),
            Action::Cancel => self.ask_cancel(model),
            Action::Retry => return self.tell(model, Command::Retry),
            Action::RetryAll => {
                return tell_all(Self::failed(model).map(|item| Command::Retry(item.job.job)));
            }
            Action::Earlier => return self.tell(model, Command::MoveUp),
            Action::Later => return self.tell(model, Command::MoveDown),
            Action::ClearEnded => return Reaction::Tell(vec![Command::ClearEnded]),
            Action::Limit => self.ask_limit(self.limited(model), model),
            Action::LimitAll => self.ask_limit(None, model),
            Action::AnswerAgain => self.answer_again(model),
            Action::Postpone if matches!(self.popup, Some(Popup::Saved { .. })) => {
                self.popup = None;
                self.note("they wait; a asks again");
            }
            Action::Postpone => {
                self.postponed = model.remote.clash().map(|item| item.job.job);
                self.note(if self.prompting(model) {
                    "the download waits; Tab and a ask again"
                } else {
                    "the download waits; a asks again"
                });
            }
            Action::Answer(clash, scope) => return self.answer(model, clash, scope),
            // Every other action is the server's or both's and was done before.
            _ => return Reaction::Nothing,
        }
        Reaction::Redraw
    }

    /// The download the cursor is on.
    pub(super) fn job<'m>(&self, model: &'m Model) -> Option<&'m Item> {
        match self.focus {
            Pane::Queue => model.remote.item(*self.queue.current()?),
            _ => None,
        }
    }

    /// Whether the chosen download has not ended.
    pub(in super::super) fn can_cancel(&self, model: &Model) -> bool {
        self.job(model).is_some_and(Item::is_unfinished)
    }

    /// Whether the chosen download can be paused, or let go on.
    pub(in super::super) fn can_pause(&self, model: &Model) -> bool {
        self.job(model)
            .is_some_and(|item| item.is_unfinished() && !matches!(item.job.state, JobState::Clash))
    }

    /// Whether the chosen transfer stands still by our will.
    pub(in super::super) fn is_paused(&self, model: &Model) -> bool {
        self.job(model)
            .is_some_and(|item| matches!(item.job.state, JobState::Paused { .. }))
    }

    /// Whether the chosen download ended badly.
    pub(in super::super) fn can_retry(&self, model: &Model) -> bool {
        self.job(model).is_some_and(is_failed)
    }

    /// All downloads that ended badly.
    pub(in super::super) fn failed(model: &Model) -> impl Iterator<Item = &Item> {
        model.remote.items().filter(|item| item.broke_down())
    }

    fn tell(&self, model: &Model, command: fn(JobId) -> Command) -> Reaction {
        self.job(model).map_or(Reaction::Nothing, |item| {
            Reaction::Tell(vec![command(item.job.job)])
        })
    }

    fn pause(&mut self, model: &Model) -> Reaction {
        let Some(item) = self.job(model) else {
            return Reaction::Nothing;
        };
        let job = item.job.job;
        match item.job.state {
            JobState::Paused { .. } => Reaction::Tell(vec![Command::Resume(job)]),
            JobState::Running { .. } if !item.job.resumes && item.done > 0 => {
                let done = format::size_words(item.done);
                let lines = vec![
                    "This server cannot go on from where it stopped:".to_owned(),
                    match item.job.direction {
                        Direction::In => format!("{done} would be fetched again. Pause anyway?"),
                        Direction::Out => format!("{done} would be sent again. Pause anyway?"),
                    },
                ];
                self.ask("pause", lines, Command::Pause(job));
                Reaction::Redraw
            }
            _ => Reaction::Tell(vec![Command::Pause(job)]),
        }
    }

    /// Pauses what can be paused without a loss; if there is nothing, lets all go on.
    fn pause_all(model: &Model) -> Reaction {
        let to_pause: Vec<Command> = model
            .remote
            .items()
            .filter(|item| match item.job.state {
                JobState::Running { .. } => item.job.resumes,
                JobState::Queued | JobState::Asking | JobState::Waiting { .. } => true,
                _ => false,
            })
            .map(|item| Command::Pause(item.job.job))
            .collect();
        if !to_pause.is_empty() {
            return Reaction::Tell(to_pause);
        }
        let held = |item: &&Item| matches!(item.job.state, JobState::Paused { .. });
        tell_all(
            model
                .remote
                .items()
                .filter(held)
                .map(|item| Command::Resume(item.job.job)),
        )
    }

    fn ask_cancel(&mut self, model: &Model) {
        let Some(item) = self.job(model) else { return };
        let mut lines = vec![format!(
            "Give up {}?",
            format::cut_name(item.job.target.as_str(), 50)
        )];
        if item.done > 0 {
            let done = format::size_words(item.done);
            lines.push(match item.job.direction {
                Direction::In => format!("The {done} that arrived are dropped."),
                Direction::Out => format!("The {done} that were sent make no file there."),
            });
        }
        self.popup = Some(Popup::Confirm(Ask {
            title: "cancel",
            lines,
            deed: Deed::Tell(vec![Command::Cancel(item.job.job)]),
        }));
    }

    fn answer(&mut self, model: &Model, clash: Clash, scope: Scope) -> Reaction {
        let Some(item) = model.remote.clash() else {
            return Reaction::Nothing;
        };
        if scope == Scope::All {
            self.standing = Standing::Told(Some(clash));
        }
        let job = item.job.job;
        Reaction::Tell(vec![Command::Answer { job, clash, scope }])
    }

    /// What every later taken name is answered with; `None` asks.
    pub(in super::super) fn standing_answer(&self, model: &Model) -> Option<Clash> {
        match self.standing {
            Standing::AsStarted => model.about.standing,
            Standing::Told(clash) => clash,
        }
    }

    /// Whether later taken names are answered without asking.
    pub(in super::super) fn has_standing(&self, model: &Model) -> bool {
        self.standing_answer(model).is_some()
    }

    /// The row of the menu that stands now.
    pub(in super::super) fn standing_index(&self, model: &Model) -> usize {
        let now = self.standing_answer(model);
        let mut choices = standing::CHOICES.iter();
        choices.position(|(clash, _)| *clash == now).unwrap_or(0)
    }

    /// Takes a row of the menu.
    pub(super) fn stand(&mut self, row: usize) -> Reaction {
        let Some((clash, _)) = standing::CHOICES.get(row) else {
            return Reaction::Redraw;
        };
        self.standing = Standing::Told(*clash);
        Reaction::Tell(vec![Command::Standing(*clash)])
    }

    pub(super) fn queue_step(&mut self, step: Step, model: &Model) {
        self.queue.step(step, |row| job_in(model, row));
    }

    pub(super) fn queue_go(&mut self, row: usize, model: &Model) {
        self.queue.go(row, |row| job_in(model, row));
    }
}

fn is_failed(item: &Item) -> bool {
    matches!(&item.job.state, JobState::Ended { outcome, .. } if !outcome.went_well())
}

fn tell_all(commands: impl Iterator<Item = Command>) -> Reaction {
    let commands: Vec<Command> = commands.collect();
    if commands.is_empty() {
        Reaction::Nothing
    } else {
        Reaction::Tell(commands)
    }
}
