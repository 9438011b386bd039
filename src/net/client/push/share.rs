//! Another line for a large file: it takes lot after lot of what is still to be sent.
//!
//! What the server does not want brought this way, or a line that breaks, leaves its lot
//! to the others: nothing is lost by trying. It knows a file's freight and a pool; how
//! the whole comes out it must never know.

use std::sync::Arc;

use super::ROUNDS;
use super::course::{blocks_of, bytes};
use super::freight::{Freight, Hand, Supply};
use super::local::terms;
use crate::net::client::dial::Failure;
use crate::net::client::pool::Pool;
use crate::net::client::pull::Stop;
use crate::net::client::tap::Tap;
use crate::net::wire::codec::{Answer, Pace, Request, Span};

/// One line more for a file.
#[derive(Debug)]
pub(super) struct Share {
    pub(super) freight: Arc<Freight>,
    pub(super) pool: Arc<Pool>,
    /// How many lines there are beside the first.
    pub(super) lines: usize,
}

/// How a lot came out.
enum Lot {
    Brought,
    /// The server will not have it from here.
    Unwanted,
}

/// Counts a line in as long as it lives.
struct Joined<'f>(&'f Freight);

impl Drop for Joined<'_> {
    fn drop(&mut self) {
        self.0.meter.started.progress.part();
    }
}

impl Share {
    /// Brings lots until none is left, or nobody wants any from here. Only what spoils
    /// the whole file is a failure.
    pub(super) async fn run(self) -> Result<(), Stop> {
        match self.bring().await {
            Err(Stop::Broke(_)) => Ok(()),
            done => done,
        }
    }

    async fn bring(&self) -> Result<(), Stop> {
        let freight = &*self.freight;
        let mut tap = self.pool.line().await?;
        freight.meter.started.progress.join();
        let _joined = Joined(freight);
        loop {
            let Some(lot) = freight.lots().lot(self.lines) else {
                break;
            };
            let all = lot.first..lot.first + lot.count;
            let mut hand = Hand::new(freight, all, Supply::None);
            match self.lot(&mut tap, lot, &mut hand).await? {
                Lot::Brought => {}
                Lot::Unwanted => break,
            }
        }
        self.pool.keep(tap);
        Ok(())
    }

    async fn lot(&self, tap: &mut Tap, lot: Span, hand: &mut Hand<'_>) -> Result<Lot, Stop> {
        let freight = &*self.freight;
        let source = &freight.source;
        tap.ask(&Request::Store {
            path: freight.path.clone(),
            size: source.size,
            terms: Box::new(terms(source, None, freight.check, Pace::Share(lot))),
        })
        .await?;
        match tap.hear().await? {
            Answer::Here { blocks } => hand.refill(missing(lot, &blocks)),
            Answer::Refused { .. } => {
                tap.close();
                return Ok(Lot::Unwanted);
            }
            _ => return Err(Stop::Failed(Failure::unexpected())),
        }
        for _ in 0..=ROUNDS {
            let refused = match freight.send(tap, hand).await? {
                None => freight.end(tap, Ok(None)).await?,
                refused => refused,
            };
            if refused.is_some() {
                // Its payload would be owed to the end: another line is cheaper.
                return Err(Stop::Broke(Failure::new("cut", "a share was refused")));
            }
            match tap.hear().await? {
                Answer::Done => {
                    tap.close();
                    return Ok(Lot::Brought);
                }
                Answer::Again { blocks } => {
                    let again = blocks_of(&blocks, source.size)?;
                    let bytes = bytes(&again, source.size);
                    freight.meter.started.progress.take_back(bytes);
                    hand.refill(again);
                }
                Answer::Refused { .. } => {
                    tap.close();
                    return Ok(Lot::Unwanted);
                }
                _ => return Err(Stop::Failed(Failure::unexpected())),
            }
        }
        Err(Stop::Broke(Failure::new(
            "corrupt",
            "the server wants the same blocks again and again",
        )))
    }
}

/// What of a lot is not there yet.
fn missing(lot: Span, here: &[Span]) -> Vec<u64> {
    let is_here = |index: u64| {
        let holds = |span: &Span| (span.first..span.first + span.count).contains(&index);
        here.iter().any(holds)
    };
    (lot.first..lot.first + lot.count)
        .filter(|index| !is_here(*index))
        .collect()
}
