//! Every block is here: does the file's root agree with the server's?
//!
//! The server says it behind the last block or is asked for it. Where the roots differ
//! though every block agreed with its value, the whole tree tells which to doubt. It
//! knows a download and its plan; what is done with a good file it must never know.

use std::sync::Arc;

use super::stretch::Goods;
use super::{Pull, Stop, off_the_loop};
use crate::entity::Root;
use crate::net::client::dial::Failure;
use crate::net::client::fetch::unlanded;
use crate::net::client::tap::Tap;
use crate::net::tree::{block_len, blocks};
use crate::net::wire::codec::{Answer, Check, Detail, Refusal, Request, Values};

impl Pull {
    /// Fetches what is missing, then holds the root against the server's.
    pub(super) async fn round(&self, goods: &Arc<Goods>, first: Option<Tap>) -> Result<(), Stop> {
        let mut first = first;
        loop {
            self.gather(goods, first.take()).await?;
            if self.check == Check::None {
                return Ok(());
            }
            let Some(own) = goods.plan().root() else {
                return Err(Stop::Failed(Failure::unexpected()));
            };
            let known = goods.plan().theirs();
            let theirs = match known {
                Some(root) => root,
                None => self.ask_root(goods).await?,
            };
            if own == theirs {
                return Ok(());
            }
            // The second time ends it.
            self.doubt(goods).await?;
        }
    }

    async fn ask_root(&self, goods: &Goods) -> Result<Root, Stop> {
        let values = self.tree(goods, Detail::Root, &mut |_| {}).await?;
        values.ok_or_else(|| Stop::Failed(Failure::unexpected()))
    }

    /// The roots differ though every block agreed with its value: whose is wrong, the
    /// values of the whole tree tell. Those blocks come again; without any, or a
    /// second time, the transfer has failed.
    async fn doubt(&self, goods: &Goods) -> Result<(), Stop> {
        let corrupt = || {
            let words = "what arrived does not agree with the file's hash";
            Stop::Failed(Failure::new("corrupt", words))
        };
        if goods.plan().doubted() {
            return Err(corrupt());
        }
        let mut bad = Vec::new();
        let each = &mut |values: &Values| {
            let plan = goods.plan();
            for (index, value) in (values.first..).zip(&values.values) {
                if index < blocks(goods.seen.size) && plan.value(index) != Some(*value) {
                    bad.push(index);
                }
            }
        };
        self.tree(goods, Detail::Values, each).await?;
        if bad.is_empty() {
            return Err(corrupt());
        }
        for index in bad {
            goods.plan().lose(index);
            let len = block_len(goods.seen.size, index);
            goods.meter.started.progress.take_back(len);
            let parcel = Arc::clone(&goods.parcel);
            let undone = off_the_loop(move || parcel.undo(index)).await?;
            undone.map_err(|error| Stop::Failed(unlanded(&error)))?;
        }
        Ok(())
    }

    /// Asks for the tree, hands each part on and returns the root.
    async fn tree(
        &self,
        goods: &Goods,
        detail: Detail,
        each: &mut (dyn FnMut(&Values) + Send),
    ) -> Result<Option<Root>, Stop> {
        let mut tap = self.pool.line().await?;
        let request = Request::Tree {
            path: self.path.clone(),
            version: goods.seen.version.clone(),
            detail,
        };
        tap.ask(&request).await?;
        // As many parts as there can be, and then no more.
        for _ in 0..=blocks(goods.seen.size) {
            match tap.hear().await? {
                Answer::Values(values) => {
                    each(&values);
                    if !values.more {
                        tap.close();
                        self.pool.keep(tap);
                        return Ok(values.root);
                    }
                }
                Answer::Refused {
                    refusal: Refusal::Changed,
                } => return Err(Stop::Changed),
                Answer::Refused { refusal } => return Err(Failure::refused(refusal).into()),
                _ => return Err(Stop::Failed(Failure::unexpected())),
            }
        }
        Err(Stop::Failed(Failure::unexpected()))
    }
}
