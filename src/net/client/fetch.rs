//! One download: from the question to the name on the disk.
//!
//! The part it writes outlives it: stopped or failed, what has arrived is handed
//! back, and the next attempt goes on from there where the dialect can. Nothing
//! stands under the final name before the last byte is durable.

mod stream;

use std::sync::Arc;
use std::time::Duration;

use tokio::task::spawn_blocking;
use tokio_util::sync::CancellationToken;

use super::dial::{Failure, Line, Patience, Target, broke};
use crate::entity::{Direction, JobId, Outcome, RemotePath};
use crate::event::{Clash, Started};
use crate::net::hub::{Hub, TransferOrder, XferGuard};
use crate::net::pump::{Intake, Order, Taken, Unreceived};
use crate::net::store::landing::{Landing, Part, Unlanded};
use crate::net::wire::codec::{Answer, Content, Refusal, Request, Version};

/// What has arrived of a file, kept for the next attempt.
#[derive(Debug)]
pub struct Kept {
    pub(super) part: Part,
    /// Bytes that are there, from the first.
    pub(super) at: u64,
    size: u64,
    version: Option<Version>,
    stage: Stage,
}

/// Whether the server has said that what is kept is all of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// Not yet; as many bytes as announced prove nothing before the end is told.
    Open,
    /// It has: only the name is missing.
    Told,
}

/// One download to be done.
#[derive(Debug)]
pub struct Fetch {
    pub(super) job: JobId,
    pub(super) path: RemotePath,
    /// The local name.
    pub(super) name: String,
    /// What to do if it is taken; `None` asks.
    pub(super) clash: Option<Clash>,
    pub(super) kept: Option<Kept>,
    pub(super) target: Target,
    pub(super) patience: Patience,
    pub(super) client: Box<str>,
    pub(super) landing: Arc<Landing>,
    pub(super) hub: Arc<Hub>,
    pub(super) stop: CancellationToken,
    /// How sure the end is; the codec says.
    pub(super) proof: Outcome,
}

/// How an attempt ended.
#[derive(Debug)]
pub enum Finish {
    /// It stands under this name.
    Landed {
        /// The name it got.
        name: String,
        /// Bytes of the whole file.
        bytes: u64,
        /// How sure that is.
        outcome: Outcome,
    },
    /// The name is taken and somebody has to say what to do.
    Clash,
    /// The name is taken and the answer was to leave it.
    Skipped,
    /// It was told to stop.
    Stopped,
    /// A folder whose files have joined the queue.
    Walked {
        /// Bytes in them.
        bytes: u64,
    },
    /// It is not what it was taken for: a file that has to come by itself.
    Alone {
        /// Its bytes.
        size: u64,
    },
    /// It did not work.
    Failed(Failure),
}

/// Tells the queue that bytes flow.
pub type Begun = Box<dyn Fn(Arc<Started>) + Send + Sync>;

impl Fetch {
    /// Runs the attempt. What has arrived comes back unless it landed.
    pub async fn run(mut self, begun: Begun) -> (Finish, Option<Kept>) {
        match self.attempt(&begun).await {
            Ok(finish) => (finish, self.kept),
            Err(failure) => (Finish::Failed(failure), self.kept),
        }
    }

    async fn attempt(&mut self, begun: &Begun) -> Result<Finish, Failure> {
        if let Some(finish) = self.look_first().await? {
            return Ok(finish);
        }
        if self.is_whole() {
            // Everything was here before; only the name was missing.
            return self.land().await;
        }
        let stop = self.stop.clone();
        let reach = self.reach();
        let reached = tokio::select! {
            reached = reach => reached?,
            () = stop.cancelled() => return Ok(Finish::Stopped),
        };
        let (mut line, coming) = reached;
        let (peer, addr) = line.ends()?;
        let guard = self.hub.dial(peer, addr);
        let xfer = guard.start(TransferOrder {
            job: Some(self.job),
            dialect: self.target.dialect,
            direction: Direction::In,
            proof: line.codec.proof(),
            path: self.path.clone(),
            size: coming.as_ref().map(|content| content.size),
            offset: coming.as_ref().map_or(0, |content| content.offset),
            range: None,
        });
        begun(Arc::clone(xfer.started()));
        self.proof = line.codec.proof();
        let taken = match coming {
            Some(content) => self.take(&mut line, &content, &xfer).await,
            None => self.take_stream(&mut line, &xfer).await,
        };
        drop(line);
        self.close(taken, xfer).await
    }

    /// A taken name is noticed before the server is asked.
    async fn look_first(&self) -> Result<Option<Finish>, Failure> {
        let landing = Arc::clone(&self.landing);
        let name = self.name.clone();
        let looked = spawn_blocking(move || (landing.refuses(&name), landing.is_taken(&name)));
        let (refused, taken) = looked
            .await
            .map_err(|gone| Failure::new("disk", gone.to_string()))?;
        if let Some(why) = refused {
            return Err(Failure::new("name", why));
        }
        Ok(match (taken, self.clash) {
            (true, None) => Some(Finish::Clash),
            (true, Some(Clash::Skip)) => Some(Finish::Skipped),
            _ => None,
        })
    }

    fn is_whole(&self) -> bool {
        let told = |kept: &Kept| kept.stage == Stage::Told;
        self.kept.as_ref().is_some_and(told)
    }

    /// Asks for the file, from where we are. If it has changed since, from the start.
    async fn reach(&mut self) -> Result<(Line, Option<Content>), Failure> {
        let mut line = Line::open(&self.target, self.patience, &self.client).await?;
        // Without a mark nobody can tell whether the rest belongs to what is here.
        self.kept.take_if(|kept| kept.version.is_none());
        loop {
            let (offset, version) = match &self.kept {
                Some(kept) => (kept.at, kept.version.clone()),
                None => (0, None),
            };
            line.ask(&Request::Get {
                path: self.path.clone(),
                offset,
                version,
            })
            .await?;
            let content = match line.hear().await? {
                Answer::Content(content) => content,
                Answer::Stream => {
                    self.kept = Some(self.begin(None, None).await?);
                    return Ok((line, None));
                }
                Answer::Refused {
                    refusal: Refusal::Changed | Refusal::BadOffset,
                } if self.kept.is_some() => {
                    self.kept = None;
                    let path = self.path.shown();
                    self.hub.note(
                        "changed",
                        &format!("{path} has changed on the server: starting again"),
                    );
                    continue;
                }
                Answer::Refused { refusal } => return Err(Failure::refused(refusal)),
                _ => return Err(Failure::unexpected()),
            };
            match &self.kept {
                None => {
                    let version = content.version.clone();
                    self.kept = Some(self.begin(Some(content.size), version).await?);
                }
                Some(kept) if kept.size == content.size => {}
                Some(_) => {
                    self.kept = None;
                    let words = "the server announced another size for the same content";
                    return Err(Failure::new("malformed", words));
                }
            }
            return Ok((line, Some(content)));
        }
    }

    async fn begin(&self, size: Option<u64>, version: Option<Version>) -> Result<Kept, Failure> {
        let (landing, name) = (Arc::clone(&self.landing), self.name.clone());
        let part = spawn_blocking(move || landing.begin(&name, size))
            .await
            .map_err(|gone| Failure::new("disk", gone.to_string()))?
            .map_err(|error| unlanded(&error))?;
        Ok(Kept {
            part,
            at: 0,
            size: size.unwrap_or(0),
            version,
            stage: Stage::Open,
        })
    }

    /// Takes every run until the server has said the end.
    async fn take(
        &mut self,
        line: &mut Line,
        content: &Content,
        xfer: &XferGuard,
    ) -> Result<(), Stop> {
        let mut intake = Intake::default();
        loop {
            let stop = self.stop.clone();
            let answer = tokio::select! {
                answer = line.hear() => answer.map_err(Stop::Failed)?,
                () = stop.cancelled() => return Err(Stop::Told),
            };
            match answer {
                Answer::Run { offset, len } => {
                    let order = Order {
                        at: offset,
                        len,
                        patience: self.patience.gap,
                        stop: &stop,
                        count: |bytes| xfer.add(bytes),
                        hasher: None,
                    };
                    self.take_run(line, &mut intake, order).await?;
                }
                Answer::End => {
                    if let Some(kept) = &mut self.kept {
                        kept.stage = Stage::Told;
                    }
                    return Ok(());
                }
                Answer::Refused {
                    refusal: Refusal::Changed,
                } => {
                    // What came is a mixture of two contents: none of it is worth keeping.
                    self.kept = None;
                    let words = "the file changed on the server while it was sent";
                    return Err(Stop::Failed(Failure::new("changed", words)));
                }
                Answer::Refused { refusal } => return Err(Stop::Failed(Failure::refused(refusal))),
                _ => return Err(Stop::Failed(Failure::unexpected())),
            }
            debug_assert!(
                self.kept
                    .as_ref()
                    .is_none_or(|kept| kept.at <= content.size)
            );
        }
    }

    /// Takes one run into the part.
    async fn take_run(
        &mut self,
        line: &mut Line,
        intake: &mut Intake,
        order: Order<'_, impl Fn(u64)>,
    ) -> Result<(), Stop> {
        let Some(kept) = self.kept.take() else {
            return Err(Stop::Failed(Failure::unexpected()));
        };
        let gap = order.patience;
        let (size, version) = (kept.size, kept.version);
        let Taken {
            part, at, outcome, ..
        } = intake
            .run(&line.pipe, &mut line.input, kept.part, order)
            .await;
        self.kept = part.map(|part| Kept {
            part,
            at,
            size,
            version,
            stage: Stage::Open,
        });
        outcome.map_err(|why| stop_of(why, at, size, gap))
    }

    /// Lands what came, or tells why not; ends the transfer with the same word.
    async fn close(&mut self, taken: Result<(), Stop>, xfer: XferGuard) -> Result<Finish, Failure> {
        let landed = match taken {
            Ok(()) => self.land().await,
            Err(Stop::Told) => Ok(Finish::Stopped),
            Err(Stop::Failed(failure)) => Err(failure),
        };
        if !self.target.dialect.resumes() && !self.is_whole() {
            // Such a server always begins at the first byte.
            self.kept = None;
        }
        match &landed {
            Ok(Finish::Landed { .. }) => xfer.end(self.proof, "", ""),
            Ok(Finish::Clash | Finish::Skipped) => {
                xfer.end(Outcome::Cancelled, "exists", "the name is taken");
            }
            Ok(_) => xfer.end(Outcome::Cancelled, "stopped", "stopped here"),
            Err(failure) => xfer.end(Outcome::Failed, failure.cause, &failure.detail),
        }
        landed
    }

    async fn land(&mut self) -> Result<Finish, Failure> {
        let Some(mut kept) = self.kept.take() else {
            return Err(Failure::unexpected());
        };
        let (landing, name, clash) = (Arc::clone(&self.landing), self.name.clone(), self.clash);
        let bytes = kept.size;
        let landed = spawn_blocking(move || {
            let landed = kept.part.land(&landing, &name, clash);
            (kept, landed)
        });
        let (kept, landed) = landed
            .await
            .map_err(|gone| Failure::new("disk", gone.to_string()))?;
        match landed {
            Ok(name) => Ok(Finish::Landed {
                name,
                bytes,
                outcome: self.proof,
            }),
            Err(Unlanded::Taken) if self.clash == Some(Clash::Skip) => Ok(Finish::Skipped),
            Err(Unlanded::Taken) => {
                self.kept = Some(kept);
                Ok(Finish::Clash)
            }
            Err(error) => {
                self.kept = Some(kept);
                Err(unlanded(&error))
            }
        }
    }
}

enum Stop {
    Told,
    Failed(Failure),
}

fn stop_of(why: Unreceived, at: u64, size: u64, gap: Duration) -> Stop {
    Stop::Failed(match why {
        Unreceived::Stopped => return Stop::Told,
        Unreceived::Socket(error) => broke(&error),
        Unreceived::Short => Failure::new(
            "short",
            format!("the server closed after {at} of {size} bytes"),
        ),
        Unreceived::Stalled => Failure::new(
            "timeout",
            format!(
                "the server was silent for {:.0} s at {at} of {size} bytes",
                gap.as_secs_f64()
            ),
        ),
        Unreceived::Disk(error) => unlanded(&error),
    })
}

pub(super) fn unlanded(error: &Unlanded) -> Failure {
    let cause = match error {
        Unlanded::Name(_) => "name",
        Unlanded::Taken => "exists",
        Unlanded::NotEmpty => "not_empty",
        Unlanded::Busy => "busy",
        Unlanded::Full { .. } => "no_room",
        Unlanded::Disk(_) => "disk",
    };
    Failure::new(cause, format!("cannot be stored: {error}"))
}
