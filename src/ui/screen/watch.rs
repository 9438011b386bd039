//! What a screen notices by itself: a folder that may be another now, a queue left over.
//!
//! After a change of ours, an upload that landed, a link that came back, the
//! folder shown is listed again; a download that landed has the local one read
//! again. What is to be told waits here for the app, which asks after each
//! frame. No clock: time is `model.now`.

use std::time::Duration;

use crate::entity::Direction;
use crate::event::{Command, Link, ListingState, Restore};
use crate::model::Model;

use super::{POPUP_DEAF, Popup, Reaction, Screen};

/// A folder is not listed again by itself more often than this.
const GAP: Duration = Duration::from_secs(1);

/// What has been noticed so far.
#[derive(Clone, Debug, Default)]
pub(super) struct Seen {
    errands: Vec<Command>,
    changes: u64,
    sent: u64,
    fetched: u64,
    /// The link was lost and has not come back yet.
    was_lost: bool,
    /// The remote, the local folder may hold something else.
    there: Stale,
    here: Stale,
    /// The left-over queue that was asked about, and the one that was answered.
    asked: u64,
    answered: u64,
}

/// Whether a folder is to be listed again, and when that was last done.
#[derive(Clone, Copy, Debug, Default)]
struct Stale {
    is: bool,
    since: Option<Duration>,
}

impl Stale {
    /// Whether its time has come; then it is fresh.
    fn due(&mut self, now: Duration) -> bool {
        let rested = |since| now.saturating_sub(since) >= GAP;
        let due = self.is && self.since.is_none_or(rested);
        if due {
            *self = Self {
                is: false,
                since: Some(now),
            };
        }
        due
    }
}

impl Seen {
    pub(super) fn take(&mut self) -> Vec<Command> {
        std::mem::take(&mut self.errands)
    }

    /// Another remote folder is opened: listing this one again would overtake that.
    pub(super) fn forget_there(&mut self) {
        self.there.is = false;
        self.errands
            .retain(|errand| !matches!(errand, Command::Open(_)));
    }

    /// The same of the local folder.
    pub(super) fn forget_here(&mut self) {
        self.here.is = false;
        self.errands
            .retain(|errand| !matches!(errand, Command::LookLocal(_)));
    }

    pub(super) const fn is_stale(&self) -> bool {
        self.there.is || self.here.is
    }
}

impl Screen {
    /// Notices what has changed since the last look.
    pub(super) fn watch(&mut self, model: &Model) {
        let (remote, seen) = (&model.remote, &mut self.seen);
        let sent = remote.queue.landed(Direction::Out);
        let fetched = remote.queue.landed(Direction::In);
        let away = !matches!(remote.link, Link::Ready { .. });
        let listed = remote.folder.request > 0;
        let changed = seen.changes != remote.changes || seen.sent != sent;
        seen.was_lost |= matches!(remote.link, Link::Lost { .. });
        let back = seen.was_lost && !away;
        seen.there.is |= listed && (changed || back);
        seen.here.is |= remote.here.edition > 0 && seen.fetched != fetched;
        (seen.changes, seen.sent, seen.fetched) = (remote.changes, sent, fetched);
        seen.was_lost &= away;
        if self.files.asks {
            // Names that worked are no folder; nothing local is shown there.
            (seen.there.is, seen.here.is) = (false, false);
            return;
        }
        let under_way = self.files.opening.is_some()
            || (matches!(remote.folder.state, ListingState::More) && !back);
        if !away && !under_way && seen.there.due(model.now) {
            let path = remote.folder.path.clone();
            seen.errands.push(Command::Open(path));
        }
        if self.local.opening.is_none() && seen.here.due(model.now) {
            let path = remote.here.path.clone();
            seen.errands.push(Command::LookLocal(path));
        }
    }

    /// Asks about a queue that an earlier run left, once nothing else has the keys.
    pub(super) fn refresh_saved(&mut self, model: &Model) {
        let Some(told) = model.remote.saved.filter(|told| told.saved.items > 0) else {
            return;
        };
        let new = told.number > self.seen.asked;
        if new && self.popup.is_none() && !self.is_typing(model) && !self.clash_shows(model) {
            self.seen.asked = told.number;
            self.popup = Some(Popup::Saved { since: model.now });
        }
    }

    /// Whether an earlier run's queue waits for an answer.
    pub(in super::super) fn saved_waits(&self, model: &Model) -> bool {
        let saved = model.remote.saved.filter(|told| told.saved.items > 0);
        saved.is_some_and(|told| told.number > self.seen.answered)
    }

    /// Asks again about what was put off.
    pub(super) fn answer_again(&mut self, model: &Model) {
        self.postponed = None;
        if model.remote.clash().is_none() && self.saved_waits(model) {
            // It was asked for: there is nothing to be deaf for.
            let since = model.now.saturating_sub(POPUP_DEAF);
            self.popup = Some(Popup::Saved { since });
        }
    }

    /// Whether the question came so lately that a key was not meant for it.
    pub(super) fn saved_is_deaf(&self, model: &Model) -> bool {
        let Some(Popup::Saved { since }) = self.popup else {
            return false;
        };
        // A question on the very first picture was there before any key.
        let begun = since > Duration::ZERO;
        begun && model.now.saturating_sub(since) < POPUP_DEAF && !self.is_frozen()
    }

    pub(super) fn answer_saved(&mut self, answer: Restore, model: &Model) -> Reaction {
        if !matches!(self.popup, Some(Popup::Saved { .. })) || self.saved_is_deaf(model) {
            return Reaction::Redraw;
        }
        self.popup = None;
        let told = model.remote.saved;
        self.seen.answered = told.map_or(0, |told| told.number);
        self.note(match answer {
            Restore::TakeUp => "the unfinished transfers go on",
            Restore::Forget => "the unfinished transfers are forgotten",
        });
        Reaction::Tell(vec![Command::Restore(answer)])
    }
}
