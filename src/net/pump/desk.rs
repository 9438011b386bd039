//! One buffer on its way to the disk while the next one fills.
//!
//! For payload whose length nobody knows: whoever reads hands over full
//! buffers, one write at a time keeps them in order. Knows parts and blocking
//! threads, no socket and no codec.

use std::io;

use tokio::task::JoinHandle;

use super::intake::{Load, Written, write_behind};
use crate::net::store::landing::{Part, Unlanded};

/// The writing end of one incoming file.
#[derive(Debug)]
pub struct Desk {
    part: Option<Part>,
    writing: Option<JoinHandle<Written<Part>>>,
    at: u64,
}

impl Desk {
    /// A desk for a part that is empty yet.
    pub const fn new(part: Part) -> Self {
        Self {
            part: Some(part),
            writing: None,
            at: 0,
        }
    }

    /// Bytes handed over so far.
    pub const fn at(&self) -> u64 {
        self.at
    }

    /// Hands a buffer over; waits for the one before.
    pub async fn write(&mut self, buffer: Vec<u8>) -> Result<(), Unlanded> {
        self.settle().await?;
        let load = Load {
            sink: self.part.take().ok_or_else(gone)?,
            hasher: None,
            buffer,
        };
        let at = self.at;
        self.at += load.buffer.len() as u64;
        self.writing = Some(write_behind(load, at));
        Ok(())
    }

    /// Waits for the last buffer and gives the part back.
    pub async fn close(mut self) -> Result<Part, Unlanded> {
        self.settle().await?;
        self.part.take().ok_or_else(gone)
    }

    async fn settle(&mut self) -> Result<(), Unlanded> {
        let Some(task) = self.writing.take() else {
            return Ok(());
        };
        let (load, done) = task.await.map_err(io::Error::other)?;
        self.part = Some(load.sink);
        done
    }
}

/// The thread that wrote it panicked and took the part along.
fn gone() -> Unlanded {
    Unlanded::Disk(io::Error::other("the part is gone"))
}
