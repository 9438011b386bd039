//! The browsing connection: listings, apart from every transfer.
//!
//! One task, one connection, asked over a channel. A newer question overtakes
//! an older one that is still being answered. While nobody asks, a ping now
//! and then keeps the line open and notices when it is gone; a server that went
//! away is called again by itself, and the last folder read again when it is back.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until};

use super::busy::{Busy, nameless};
use super::dial::{Failure, Line, Patience, Target};
use super::memory::Memory;
use super::pool::{Manner, is_passing};
use crate::entity::{DisplayName, Entry, Kind, RemotePath};
use crate::event::{Link, Listing, ListingState, Offers, What};
use crate::net::hub::Hub;
use crate::net::wire::codec::{Answer, Page, Refusal, Request};

/// Well below any server's idle limit.
const PING_EVERY: Duration = Duration::from_mins(1);
/// Names taken of one folder: a server that never ends its answer must not fill the memory.
const NAMES_MAX: usize = 1_000_000;
/// Pages taken of one folder: empty ones come to an end too.
const PAGES_MAX: usize = NAMES_MAX / 64;
/// The first pause before a server is called again, and the longest.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// The newest question: which folder, and its number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// Counts up.
    pub request: u64,
    /// Which folder.
    pub path: RemotePath,
}

/// Everything the browsing task needs.
#[derive(Debug)]
pub struct Browse {
    pub(super) target: Target,
    pub(super) patience: Patience,
    pub(super) client: Box<str>,
    pub(super) hub: Arc<Hub>,
    pub(super) questions: watch::Receiver<Option<Question>>,
    pub(super) away: Away,
}

/// A server that is not there: when it is called again.
#[derive(Clone, Copy, Debug)]
pub struct Away {
    manner: Manner,
    pause: Duration,
    again: Option<Instant>,
}

impl Away {
    pub(super) const fn new(manner: Manner) -> Self {
        Self {
            manner,
            pause: FIRST_PAUSE,
            again: None,
        }
    }

    /// It was there.
    const fn back(&mut self) {
        self.pause = FIRST_PAUSE;
        self.again = None;
    }

    /// It is gone; in how long it is called again, if it is.
    fn gone(&mut self) -> Option<Duration> {
        if self.manner == Manner::Brief {
            return None;
        }
        let pause = self.pause;
        self.pause = (pause * 2).min(LONGEST_PAUSE);
        self.again = Some(Instant::now() + pause);
        Some(pause)
    }
}

/// Waits until a server is to be called again; for ever where it is not.
async fn call_again(again: Option<Instant>) {
    match again {
        Some(again) => sleep_until(again).await,
        None => std::future::pending().await,
    }
}

impl Browse {
    /// Answers questions until nobody can ask any more.
    pub async fn run(mut self) {
        let mut line: Option<Line> = None;
        loop {
            let mut pinging = false;
            tokio::select! {
                asked = self.questions.changed() => if asked.is_err() {
                    return;
                },
                () = call_again(self.away.again) => {
                    self.call(&mut line).await;
                    continue;
                }
                alive = keep_alive(&mut line, &mut pinging) => {
                    if let Err(failure) = alive {
                        line = None;
                        self.lost(&failure);
                    }
                    continue;
                }
            }
            if pinging {
                // Its answer is still due and would be taken for the next one.
                line = None;
            }
            let question = self.questions.borrow_and_update().clone();
            if let Some(question) = question {
                self.answer(&mut line, &question).await;
            }
        }
    }

    /// Calls a server that went away, and reads again what was looked at last.
    async fn call(&mut self, line: &mut Option<Line>) {
        self.away.again = None;
        match self.open().await {
            Ok(open) => *line = Some(open),
            Err(failure) => return self.lost(&failure),
        }
        let question = self.questions.borrow_and_update().clone();
        if let Some(question) = question {
            self.answer(line, &question).await;
        }
    }

    async fn answer(&mut self, line: &mut Option<Line>, question: &Question) {
        self.page(question, Page::default(), ListingState::More);
        let mut newer = self.questions.clone();
        let outcome = tokio::select! {
            outcome = self.list(line, question) => outcome,
            // Overtaken: the rest of the old answer is not worth reading.
            _ = newer.changed() => {
                *line = None;
                return;
            }
        };
        if let Err(failure) = outcome {
            let words = DisplayName::from(failure.detail.as_str());
            self.page(question, Page::default(), ListingState::Failed(words));
            if !is_refusal(&failure) {
                *line = None;
                self.lost(&failure);
            }
        }
    }

    async fn list(&mut self, line: &mut Option<Line>, question: &Question) -> Result<(), Failure> {
        // A line that has been idle may be dead without our knowing: try once more, anew.
        let mut fresh = line.is_none();
        loop {
            if line.is_none() {
                *line = Some(self.open().await?);
            }
            let Some(open) = line.as_mut() else { continue };
            let mut heard = 0;
            match self.read_pages(open, question, &mut heard).await {
                Err(failure)
                    if !fresh && heard == 0 && !is_refusal(&failure) && !leaves(&failure) =>
                {
                    *line = None;
                    fresh = true;
                }
                // A screen that looks at folders has no use for a file.
                Err(failure)
                    if failure.cause == Refusal::NotFound.label()
                        && self.away.manner == Manner::Brief =>
                {
                    match file(open, &question.path).await {
                        Ok(Some(entry)) => {
                            self.show_file(question, entry);
                            return Ok(());
                        }
                        Ok(None) => {}
                        // Its answer may still come: nothing else is to be asked there.
                        Err(_) => *line = None,
                    }
                    return Err(failure);
                }
                done => return done,
            }
        }
    }

    async fn open(&mut self) -> Result<Line, Failure> {
        self.hub.link(Link::Connecting);
        let line = Line::open(&self.target, self.patience, &self.client).await?;
        let server = line
            .welcome
            .as_ref()
            .map_or_else(DisplayName::default, |welcome| {
                DisplayName::new(welcome.name.as_bytes())
            });
        let rights = line.welcome.as_ref().map(|welcome| welcome.rights);
        let offers = Offers::of(self.target.dialect);
        self.away.back();
        self.hub.link(Link::Ready {
            server,
            offers: rights.map_or(offers, |rights| offers.within(rights)),
            rights,
            pin: line.pipe.peer_pin(),
        });
        Ok(line)
    }

    async fn read_pages(
        &self,
        line: &mut Line,
        question: &Question,
        heard: &mut usize,
    ) -> Result<(), Failure> {
        line.ask(&Request::List {
            path: question.path.clone(),
        })
        .await?;
        let mut room = NAMES_MAX;
        let mut names = Busy::default();
        loop {
            match line.hear().await? {
                Answer::Page(page) => {
                    *heard += 1;
                    let left = room.checked_sub(page.entries.len());
                    room = left.filter(|_| *heard <= PAGES_MAX).ok_or_else(too_many)?;
                    names.hear((NAMES_MAX - room) as u64).map_err(nameless)?;
                    let more = page.more;
                    let state = if more {
                        ListingState::More
                    } else {
                        ListingState::Whole
                    };
                    self.page(question, page, state);
                    if !more {
                        return Ok(());
                    }
                }
                Answer::Refused { refusal } => return Err(Failure::refused(refusal)),
                _ => return Err(Failure::unexpected()),
            }
        }
    }

    /// A file is all that is listed, of the folder it is in.
    fn show_file(&self, question: &Question, entry: Entry) {
        let folder = Question {
            path: question.path.parent(),
            ..*question
        };
        let page = Page {
            entries: vec![entry],
            ..Page::default()
        };
        self.page(&folder, page, ListingState::Whole);
    }

    fn page(&self, question: &Question, page: Page, state: ListingState) {
        self.hub.tell(What::Listing(Listing {
            path: question.path.clone(),
            request: question.request,
            entries: page.entries.into(),
            unlisted: page.unlisted,
            state,
        }));
    }

    fn lost(&mut self, failure: &Failure) {
        // Only what passes by itself is waited for: no code, no key, no version does.
        let again = if is_passing(failure) {
            self.away.gone()
        } else {
            None
        };
        self.hub.link(Link::Lost {
            why: DisplayName::from(failure.detail.as_str()),
            again,
        });
    }
}

/// What cannot be listed may be a file.
async fn file(line: &mut Line, path: &RemotePath) -> Result<Option<Entry>, Failure> {
    let path = path.clone();
    line.ask(&Request::Stat { path }).await?;
    match line.hear().await? {
        Answer::Stat { entry, .. } => Ok(Some(entry).filter(|it| it.kind == Kind::File)),
        Answer::Refused { .. } => Ok(None),
        _ => Err(Failure::unexpected()),
    }
}

fn too_many() -> Failure {
    let words = format!("the folder has more than {NAMES_MAX} names, or no end");
    Failure::new("too_many", words)
}

/// Whether it is an answer: the line is as good as before. A server that leaves takes
/// the line with it.
fn is_refusal(failure: &Failure) -> bool {
    Refusal::ALL
        .iter()
        .any(|refusal| refusal.label() == failure.cause && *refusal != Refusal::Leaving)
}

fn leaves(failure: &Failure) -> bool {
    failure.cause == Refusal::Leaving.label()
}

/// Pings an open line once in a while and notices its end at once; waits for ever where
/// there is none.
/// `pinging` is set while an answer is due.
async fn keep_alive(line: &mut Option<Line>, pinging: &mut bool) -> Result<(), Failure> {
    let Some(line) = line else {
        return std::future::pending().await;
    };
    tokio::select! {
        () = sleep(PING_EVERY) => {}
        gone = line.hear_nothing() => return Err(gone),
    }
    *pinging = true;
    line.ask(&Request::Ping { token: 0 }).await?;
    match line.hear().await? {
        Answer::Pong { .. } => Ok(()),
        _ => Err(Failure::unexpected()),
    }
}

/// What stands in for browsing where a dialect cannot list: the names that worked.
#[derive(Debug)]
pub struct Remembered {
    memory: Memory,
    hub: Arc<Hub>,
    offers: Offers,
    request: u64,
}

impl Remembered {
    pub(super) fn new(memory: Memory, hub: Arc<Hub>, offers: Offers) -> Self {
        Self {
            memory,
            hub,
            offers,
            request: 0,
        }
    }

    /// Shows what is remembered.
    pub(super) fn show(&mut self) {
        self.request += 1;
        self.hub.link(Link::Ready {
            server: DisplayName::default(),
            offers: self.offers,
            rights: None,
            pin: None,
        });
        self.hub.tell(What::Listing(Listing {
            path: RemotePath::root(),
            request: self.request,
            entries: self.memory.entries().into(),
            unlisted: 0,
            state: ListingState::Whole,
        }));
    }

    /// A name worked.
    pub(super) fn learn(&mut self, path: &RemotePath, size: u64) {
        self.memory.learn(path, size);
        self.show();
    }
}
