//! The end of a connection: last words, lingering, and what is told of it.
//!
//! An ordinary end says its event, closes our half and drains the peer's for a
//! bounded time; a sentence (clock, operator, newcomer, shutdown) is told and
//! obeyed at once. What was sent is called complete only when the peer's kernel
//! has it, as far as that can be known.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use socket2::SockRef;
use tokio::time::timeout;

use super::{LOOK, Over, READ, Talk};
use crate::entity::{DisplayName, End, Outcome, Phase, Rule};
use crate::event::{Fact, What};
use crate::line::size_words;
use crate::net::hub::{ConnGuard, XferGuard};
use crate::net::pump::Broken;
use crate::net::server::Limits;
use crate::net::unsent::unsent;
use crate::net::wire::codec::Malformed;
use crate::net::words::plainly;

impl Talk {
    /// Says what is to be said of an ordinary end, lingers, and fixes it.
    pub(super) async fn leave(&mut self, guard: &mut ConnGuard, over: Over) {
        let head = self.input.len() as u64;
        self.told(match over {
            Over::Failed(..) => Heard::Reset,
            _ => Heard::Close,
        });
        match over {
            Over::Said(xfer) => {
                let reaction = self.linger(guard).await;
                if let Some(xfer) = xfer {
                    let reaction = self.hear_out(guard, reaction).await;
                    self.last = Some(Arc::clone(xfer.started()));
                    finish(xfer, reaction);
                    if reaction == Heard::Cut {
                        return self.obey(guard);
                    }
                }
                guard.end(End::Done, "");
            }
            Over::Spoilt(cause) => {
                // A reset: the peer must not take what it has for the whole.
                let _ = SockRef::from(self.pipe.tcp()).set_linger(Some(Duration::ZERO));
                guard.end(End::Failed, cause);
            }
            Over::Refused(cause) => {
                self.linger(guard).await;
                guard.end(End::Refused, cause);
            }
            Over::Unwelcome(cause, words) => {
                guard.hub().tell(What::Refused(Fact {
                    bytes: Some(head),
                    cause,
                    detail: DisplayName::from(&*words),
                    ..guard.fact()
                }));
                self.linger(guard).await;
                guard.end(End::Refused, cause);
            }
            Over::PeerClosed => guard.end(End::PeerClosed, ""),
            Over::Malformed(malformed) => {
                self.tell_malformed(guard, head, &malformed);
                self.linger(guard).await;
                guard.end(End::Malformed, malformed.cause);
            }
            Over::Failed(cause @ ("cut" | "tls"), detail) => {
                self.tell_malformed(guard, head, &Malformed::new(cause, detail));
                guard.end(End::Malformed, cause);
            }
            Over::Failed(cause, detail) => {
                let end = match cause {
                    "peer_closed" => End::PeerClosed,
                    _ => End::Failed,
                };
                guard.end(end, &detail);
            }
        }
    }

    fn tell_malformed(&self, guard: &ConnGuard, head: u64, malformed: &Malformed) {
        guard.hub().tell(What::Malformed(Fact {
            bytes: Some(head),
            size: self.wants.map(|wants| wants as u64),
            cause: malformed.cause,
            detail: DisplayName::new(malformed.detail.as_bytes()),
            ..guard.fact()
        }));
    }

    /// Ends as sentenced: by the clock, the operator, a newcomer or the shutdown.
    pub(super) fn obey(&mut self, guard: &mut ConnGuard) {
        if let Some(xfer) = std::mem::take(&mut self.pending).last() {
            self.last = Some(Arc::clone(xfer.started()));
        }
        let (end, rule) = guard.dials().verdict().unwrap_or((End::Shutdown, None));
        let phase = guard.dials().phase();
        let paying = matches!(phase, Phase::Sending | Phase::Receiving);
        let last = self.last.as_ref().filter(|_| paying);
        let fact = Fact {
            xfer: last.map(|started| started.xfer),
            path: last.map(|started| started.path.clone()),
            bytes: Some(last.map_or(self.input.len() as u64, |started| started.progress.done())),
            size: match last {
                Some(started) => started.size,
                None => self.wants.map(|wants| wants as u64),
            },
            cause: rule.map_or(end.label(), Rule::label),
            ..guard.fact()
        };
        let limits = &self.context.limits;
        match end {
            End::Timeout => {
                let detail = timeout_words(rule, &fact, limits);
                guard.hub().tell(What::Timeout(Fact {
                    detail: DisplayName::from(detail.as_str()),
                    ..fact
                }));
            }
            End::Displaced => guard.hub().tell(What::Displaced(Fact {
                detail: DisplayName::from("silent, and a newcomer needed the place"),
                ..fact
            })),
            End::Kicked => guard.hub().tell(What::Kicked(Fact {
                detail: DisplayName::from("by the operator"),
                ..fact
            })),
            _ => {}
        }
        guard.end(end, "");
    }

    /// The peer's next step tells how the transfers ended that it had yet to acknowledge.
    pub(super) fn told(&mut self, heard: Heard) {
        for xfer in self.pending.drain(..) {
            finish(xfer, heard);
        }
    }

    /// Where the lingering did not settle it: waits until the peer's kernel has
    /// everything, as long as that goes on, and no longer than the stall rule allows.
    async fn hear_out(&self, guard: &ConnGuard, heard: Heard) -> Heard {
        if matches!(heard, Heard::Close | Heard::Reset) {
            return heard;
        }
        let cancel = guard.cancel().clone();
        let mut left = None;
        loop {
            let now = unsent(self.pipe.tcp()).await;
            if let Ok(Some(_)) = self.pipe.tcp().take_error() {
                return Heard::Reset;
            }
            match now {
                // A FIN counts as one.
                None | Some(0 | 1) => return Heard::Nothing,
                now if now != left => guard.dials().stir(),
                _ => {}
            }
            left = now;
            // The sweep watches again, as over any sending.
            guard.dials().set_phase(Phase::Sending);
            tokio::select! {
                () = tokio::time::sleep(LOOK) => {}
                () = cancel.cancelled() => return Heard::Cut,
            }
        }
    }

    /// Closes our half and drains the peer's for a bounded time: a close with
    /// unread input would send RST and destroy what is in flight.
    async fn linger(&mut self, guard: &ConnGuard) -> Heard {
        guard.dials().set_phase(Phase::Lingering);
        self.input = Vec::new();
        self.outlet.rest();
        // A close that is here before ours is a half-close (`nc -N`), not an answer to it.
        let early = self.pipe.is_closed_by_peer();
        let closing = timeout(self.context.limits.linger, self.pipe.close());
        let cancel = guard.cancel().clone();
        tokio::select! {
            _ = closing => {}
            () = cancel.cancelled() => return Heard::Nothing,
        }
        if early {
            return Heard::Early;
        }
        let limits = &self.context.limits;
        let mut scratch = Vec::new();
        let mut drained = 0;
        let drain = async {
            loop {
                scratch.clear();
                match self.pipe.read_some(&mut scratch, READ).await {
                    Ok(0) => return Heard::Close,
                    Ok(read) => {
                        guard.dials().add_in(read as u64);
                        drained += read;
                        if drained >= limits.linger_bytes {
                            return Heard::Nothing;
                        }
                    }
                    Err(_) => return Heard::Reset,
                }
            }
        };
        tokio::select! {
            heard = timeout(limits.linger, drain) => heard.unwrap_or(Heard::Nothing),
            () = cancel.cancelled() => Heard::Nothing,
        }
    }
}

/// What the peer did after our last byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Heard {
    /// It closed: it has what it wanted.
    Close,
    /// It reset: something of ours was destroyed on the way.
    Reset,
    /// It had closed its half before our last byte: that says nothing.
    Early,
    /// It kept the line open.
    Nothing,
    /// The clock or the operator did not wait for it.
    Cut,
}

/// Ends a transfer whose dialect proves nothing until the peer has closed.
pub(super) fn finish(xfer: XferGuard, heard: Heard) {
    match heard {
        Heard::Close | Heard::Early | Heard::Nothing => {
            xfer.end_well();
        }
        // Dropped: it ends as the connection was sentenced.
        Heard::Cut => drop(xfer),
        Heard::Reset => xfer.end(
            Outcome::Failed,
            "reset",
            "the peer reset the connection before it had everything",
        ),
    }
}

/// Ends a connection by an exact clock, on the same road as every other timeout:
/// sentenced here, then obeyed; never resolves.
pub(super) async fn out_of_time(guard: &ConnGuard, rule: Rule) -> Over {
    guard.dials().condemn(End::Timeout, Some(rule));
    guard.cancel().cancel();
    std::future::pending().await
}

pub(super) fn lost(error: &io::Error) -> Over {
    match error.kind() {
        // Only inside TLS: in the open a FIN is a close like any other.
        io::ErrorKind::UnexpectedEof => Over::Failed("cut", error.to_string()),
        io::ErrorKind::InvalidData => Over::Failed("tls", format!("TLS broke: {error}")),
        _ => {
            let words = plainly(&error.to_string());
            Over::Failed("peer_closed", format!("the connection broke: {words}"))
        }
    }
}

pub(super) fn broken(why: Broken) -> Over {
    match why {
        Broken::Socket(error) => lost(&error),
        Broken::Disk(error) => Over::Failed("disk", format!("the file could not be read: {error}")),
        Broken::Shrank => Over::Failed("shrank", "the file shrank while it was sent".to_owned()),
    }
}

fn timeout_words(rule: Option<Rule>, fact: &Fact, limits: &Limits) -> String {
    let bytes = fact.bytes.unwrap_or(0);
    let so_far = match (bytes, fact.size) {
        (0, _) => "nothing came".to_owned(),
        (bytes, Some(size)) => format!("{bytes} of {size} bytes"),
        (bytes, None) => format!("{bytes} bytes"),
    };
    let after = |limit: Duration| format!("{:.1} s", limit.as_secs_f64());
    match rule {
        Some(Rule::FirstByte) => format!(
            "said nothing for {}; a person who types wants a port of its own, --listen session@…",
            after(limits.first_byte)
        ),
        Some(Rule::Head) => format!("request incomplete after {} ({so_far})", after(limits.head)),
        Some(Rule::Request) | None => {
            format!(
                "request incomplete after {} ({so_far})",
                after(limits.request)
            )
        }
        Some(Rule::Stall) => {
            let of = fact
                .size
                .map_or(String::new(), |size| format!(" of {}", size_words(size)));
            let moved = size_words(bytes);
            format!(
                "no byte moved for {} ({moved}{of} done)",
                after(limits.stall)
            )
        }
        Some(Rule::Idle) => format!("no request for {}", after(limits.idle)),
    }
}
