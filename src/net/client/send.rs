//! One upload: from the local file to the server's silence.
//!
//! What the dialect cannot carry (the request, the name, the size, the content)
//! is said before a connection is opened. The file is one open descriptor; what
//! goes out is what was announced, and a file that changed meanwhile is said to
//! have failed. It knows the line and the pump, and no queue.

use std::os::unix::fs::FileExt as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::spawn_blocking;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::dial::{APART, Failure, Line, Patience, QUIET, Target, broke, codec_of};
use super::fetch::{Begun, Finish};
use crate::entity::{Direction, JobId, Outcome, RemotePath};
use crate::net::hub::{Hub, TransferOrder, XferGuard};
use crate::net::pump::{Broken, Outlet, Way};
use crate::net::store::{Fate, Source};
use crate::net::wire::codec::{After, Answer, Gait, Request};

/// Bytes sent between two looks at the clock.
const SLICE: u64 = 256 << 10;
/// The longest wait for the server to close behind the last byte.
const LAST_WORD: Duration = Duration::from_secs(10);

/// One upload to be done.
#[derive(Debug)]
pub struct Send {
    pub(super) job: JobId,
    pub(super) local: PathBuf,
    /// What it is to be called on the server.
    pub(super) path: RemotePath,
    pub(super) target: Target,
    pub(super) patience: Patience,
    pub(super) client: Box<str>,
    pub(super) hub: Arc<Hub>,
    pub(super) stop: CancellationToken,
}

impl Send {
    /// Runs the attempt.
    pub async fn run(self, begun: Begun) -> Finish {
        let stop = self.stop.clone();
        tokio::select! {
            biased;
            () = stop.cancelled() => Finish::Stopped,
            done = self.attempt(&begun) => done.unwrap_or_else(Finish::Failed),
        }
    }

    async fn attempt(&self, begun: &Begun) -> Result<Finish, Failure> {
        let source = self.open().await?;
        let mut line = Line::open(&self.target, self.patience, &self.client).await?;
        line.ask(&self.request(source.size)).await?;
        match line.hear().await? {
            Answer::Ready => {}
            Answer::Refused { refusal } => return Err(Failure::refused(refusal)),
            _ => return Err(Failure::unexpected()),
        }
        let (peer, addr) = line.ends()?;
        let guard = self.hub.dial(peer, addr);
        let proof = line.codec.proof();
        let xfer = guard.start(TransferOrder {
            job: Some(self.job),
            dialect: self.target.dialect,
            direction: Direction::Out,
            proof,
            path: self.path.clone(),
            size: Some(source.size),
            offset: 0,
            range: None,
        });
        begun(Arc::clone(xfer.started()));
        if line.codec.gait() == Gait::Apart {
            sleep(APART).await;
        }
        let mut outlet = Outlet::new(Arc::clone(&line.pipe), guard.dials_arc(), Way::BEST);
        match self.send(&mut line, &mut outlet, &source, &xfer).await {
            Ok(()) => {
                xfer.end_well();
                Ok(Finish::Landed {
                    name: self.path.shown().as_str().to_owned(),
                    bytes: source.size,
                    outcome: proof,
                })
            }
            Err(failure) => {
                xfer.end(Outcome::Failed, failure.cause, &failure.detail);
                Err(failure)
            }
        }
    }

    fn request(&self, size: u64) -> Request {
        Request::Put {
            path: self.path.clone(),
            size: Some(size),
        }
    }

    /// Opens the file and looks whether the dialect can carry it at all.
    async fn open(&self) -> Result<Source, Failure> {
        let (local, request) = (self.local.clone(), self.request(0));
        let mut codec = codec_of(&self.target)?;
        let opened = spawn_blocking(move || {
            let source = Source::open_own(&local).map_err(|denied| {
                Failure::new("local", format!("cannot be read: {}", denied.detail))
            })?;
            let cannot = |detail: String| Failure::new("unsupported", detail);
            let request = match request {
                Request::Put { path, .. } => Request::Put {
                    path,
                    size: Some(source.size),
                },
                other => other,
            };
            codec.greet("", &mut Vec::new());
            codec
                .ask(&request, &mut Vec::new())
                .map_err(|fault| cannot(fault.detail))?;
            if source.size > codec.size_limit() {
                return Err(cannot(
                    "the file is larger than this protocol can carry".to_owned(),
                ));
            }
            if codec.vets() {
                let mut chunk = vec![0; 1 << 20];
                let mut at = 0;
                while at < source.size {
                    let read = source
                        .file
                        .read_at(&mut chunk, at)
                        .map_err(|error| Failure::new("local", error.to_string()))?;
                    if read == 0 {
                        break;
                    }
                    codec
                        .vet(&chunk[..read], at)
                        .map_err(|fault| cannot(fault.detail))?;
                    at += read as u64;
                }
            }
            Ok(source)
        });
        opened
            .await
            .map_err(|gone| Failure::new("local", gone.to_string()))?
    }

    async fn send(
        &self,
        line: &mut Line,
        outlet: &mut Outlet,
        source: &Source,
        xfer: &XferGuard,
    ) -> Result<(), Failure> {
        let gap = self.patience.gap;
        let mut at = 0;
        while at < source.size {
            let run = SLICE.min(source.size - at);
            timeout(gap, outlet.run(&source.file, at, run, xfer))
                .await
                .map_err(|_| {
                    Failure::new(
                        "timeout",
                        format!("the server took nothing for {:.0} s", gap.as_secs_f64()),
                    )
                })?
                .map_err(broken)?;
            at += run;
        }
        if !matches!(source.fate(), Fate::Same | Fate::Grew) {
            return Err(Failure::new(
                "changed",
                "the file changed while it was sent",
            ));
        }
        let after = line.codec.finish(&mut outlet.head);
        outlet.flush().await.map_err(broken)?;
        if after == After::Next {
            // The end is told in band: silence makes sure of it before we leave.
            sleep(QUIET * 2).await;
            let mut bye = Vec::new();
            if line.codec.ask(&Request::Bye, &mut bye).is_ok() {
                line.send(&bye).await?;
            }
        }
        timeout(gap, line.pipe.close())
            .await
            .map_err(|_| Failure::new("timeout", "the server does not read"))?
            .map_err(|error| broke(&error))?;
        hear_out(line).await
    }
}

/// Waits for the server's close: a reset means that it did not take everything.
async fn hear_out(line: &Line) -> Result<(), Failure> {
    let mut scratch = Vec::new();
    let hearing = async {
        loop {
            scratch.clear();
            match line.pipe.read_some(&mut scratch, 4 << 10).await {
                Ok(0) => return Ok(()),
                Ok(_) => {}
                Err(error) => return Err(broke(&error)),
            }
        }
    };
    // A server that keeps the line open has said all it ever will.
    timeout(LAST_WORD, hearing).await.unwrap_or(Ok(()))
}

fn broken(why: Broken) -> Failure {
    match why {
        Broken::Socket(error) => broke(&error),
        Broken::Disk(error) => Failure::new("local", format!("cannot be read: {error}")),
        Broken::Shrank => Failure::new("local", "the file shrank while it was sent"),
    }
}
