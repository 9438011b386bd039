//! A deck line as it is read: answers and payload in turn, without a copy too many.
//!
//! Small files come hundreds to a buffer, so nothing is moved to the front before
//! the buffer is spent. `Wait` frames are heard and counted here: a server that
//! only says it is busy comes to its end. It knows a line and the clock; what is
//! asked and where payload goes it must never know.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, timeout, timeout_at};

pub(super) use super::busy::Busy;
use super::busy::drips;
use super::dial::{Failure, Line, broke};
use crate::entity::Dialect;
use crate::net::pipe::Pipe;
use crate::net::wire::codec::{Answer, ClientCodec, Request};

/// Bytes read at once while answers are read.
const READ: usize = 64 << 10;
/// Bytes read with the end of a small payload: room for what stands between two files.
const BEHIND: usize = 4 << 10;
/// The longest an answer's head may take, from its first byte to its last.
const ANSWER: Duration = Duration::from_secs(30);

/// A line on which answers are read.
#[derive(Debug)]
pub(super) struct Tap {
    pub(super) line: Line,
    /// How far the input has been read.
    at: usize,
    gap: Duration,
    /// Requests that are asked and not answered to the end, by the caller's count.
    open: usize,
}

impl Tap {
    pub(super) const fn new(line: Line, gap: Duration) -> Self {
        Self {
            line,
            at: 0,
            gap,
            open: 0,
        }
    }

    pub(super) fn pipe(&self) -> &Arc<Pipe> {
        &self.line.pipe
    }

    pub(super) fn codec(&mut self) -> &mut dyn ClientCodec {
        &mut *self.line.codec
    }

    /// What is spoken: in the open or inside TLS.
    pub(super) fn dialect(&self) -> Dialect {
        self.line.codec.dialect()
    }

    pub(super) const fn gap(&self) -> Duration {
        self.gap
    }

    /// Whether nothing is asked and nothing unread.
    pub(super) fn is_still(&self) -> bool {
        self.open == 0 && self.at == self.line.input.len()
    }

    /// Bytes that are here and not read yet.
    pub(super) fn unread(&self) -> usize {
        self.line.input.len() - self.at
    }

    /// Appends a request's bytes to what is to be sent; it counts as open until
    /// [`Self::close`].
    pub(super) fn put(&mut self, request: &Request, out: &mut Vec<u8>) -> Result<(), Failure> {
        self.line
            .codec
            .ask(request, out)
            .map_err(|cannot| Failure::new("unsupported", cannot.detail))?;
        self.open += 1;
        Ok(())
    }

    /// Asks.
    pub(super) async fn ask(&mut self, request: &Request) -> Result<(), Failure> {
        let mut out = Vec::new();
        self.put(request, &mut out)?;
        self.line.send(&out).await
    }

    /// A request has had its whole answer.
    pub(super) const fn close(&mut self) {
        self.open = self.open.saturating_sub(1);
    }

    /// Asks what has one answer, and hears it. A refusal is the failure it names.
    pub(super) async fn ask_for(&mut self, request: &Request) -> Result<Answer, Failure> {
        self.ask(request).await?;
        let answer = self.hear().await?;
        match answer {
            Answer::Refused { refusal } => {
                self.close();
                Err(Failure::refused(refusal))
            }
            Answer::Values(ref values) if values.more => Ok(answer),
            Answer::Page(ref page) if page.more => Ok(answer),
            answer => {
                self.close();
                Ok(answer)
            }
        }
    }

    /// The answer that lies in the input already, if there is a whole one.
    pub(super) fn here(&mut self) -> Result<Option<Answer>, Failure> {
        let input = self.line.input.get(self.at..).unwrap_or_default();
        let Some((used, answer)) = self.line.codec.decode(input)? else {
            return Ok(None);
        };
        self.at += used;
        Ok(Some(answer))
    }

    /// The next answer, waits left out.
    pub(super) async fn hear(&mut self) -> Result<Answer, Failure> {
        let mut busy = Busy::default();
        let mut whole_by = Instant::now() + ANSWER.max(self.gap);
        loop {
            match self.here()? {
                Some(Answer::Wait { done, .. }) => {
                    busy.hear(done)?;
                    whole_by = Instant::now() + ANSWER.max(self.gap);
                }
                Some(answer) => return Ok(answer),
                None => timeout_at(whole_by, self.more())
                    .await
                    .unwrap_or_else(|_| Err(drips()))?,
            }
        }
    }

    /// Waits for the server to say something, for as long as it takes. Cancel safe.
    pub(super) async fn listen(&mut self) -> Result<(), Failure> {
        self.more_within(Duration::MAX).await
    }

    /// Reads once into the input. Cancel safe.
    pub(super) async fn more(&mut self) -> Result<(), Failure> {
        self.more_within(self.gap).await
    }

    async fn more_within(&mut self, gap: Duration) -> Result<(), Failure> {
        if self.at == self.line.input.len() {
            self.line.input.clear();
            self.at = 0;
        } else if self.at >= READ {
            self.line.input.drain(..self.at);
            self.at = 0;
        }
        if self.line.input.len() - self.at > self.line.codec.head_limit() {
            return Err(Failure::new("malformed", "the server's answer has no end"));
        }
        let read = self.line.pipe.read_some(&mut self.line.input, READ);
        let read = timeout(gap, read).await;
        let read = read.map_err(|_| self.silent())?;
        match read.map_err(|error| broke(&error))? {
            0 => Err(self.closed()),
            _ => Ok(()),
        }
    }

    /// Takes payload that lies in the input already: at most `most` bytes of it.
    pub(super) fn take(&mut self, most: usize, into: &mut Vec<u8>) -> usize {
        let rest = self.line.input.get(self.at..).unwrap_or_default();
        let taken = rest.len().min(most);
        into.extend_from_slice(&rest[..taken]);
        self.at += taken;
        taken
    }

    /// As [`Self::read`], all that is left of a small payload: what lies right behind it
    /// comes with it and waits in the input, and is no call to the kernel of its own.
    pub(super) async fn read_out(
        &mut self,
        left: usize,
        into: &mut Vec<u8>,
    ) -> Result<usize, Failure> {
        let end = into.len() + left;
        let read = self.read_within(left, left + BEHIND, into).await?;
        if let Some(behind) = into.get(end..).filter(|behind| !behind.is_empty()) {
            // Nothing unread lay there, or it would have been taken instead.
            self.line.input.clear();
            self.line.input.extend_from_slice(behind);
            self.at = 0;
            into.truncate(end);
        }
        Ok(read.min(left))
    }

    /// Reads payload straight into a buffer: once, at most `most` bytes.
    pub(super) async fn read(&mut self, most: usize, into: &mut Vec<u8>) -> Result<usize, Failure> {
        self.read_within(most, most, into).await
    }

    /// At most `most` bytes of what lies in the input, or of the socket's at most `limit`.
    async fn read_within(
        &mut self,
        most: usize,
        limit: usize,
        into: &mut Vec<u8>,
    ) -> Result<usize, Failure> {
        let taken = self.take(most, into);
        if taken > 0 {
            return Ok(taken);
        }
        let read = timeout(self.gap, self.line.pipe.read_some(into, limit)).await;
        match read
            .map_err(|_| self.silent())?
            .map_err(|error| broke(&error))?
        {
            0 => Err(self.closed()),
            read => Ok(read),
        }
    }

    fn silent(&self) -> Failure {
        let words = format!("the server was silent for {:.0} s", self.gap.as_secs_f64());
        Failure::new("timeout", words)
    }

    fn closed(&mut self) -> Failure {
        let rest = self.line.input.get(self.at..).unwrap_or_default();
        // The codec knows what is missing; that something is, is the connection's fault.
        let words = match self.line.codec.eof(rest) {
            Err(malformed) => malformed.detail,
            Ok(_) => "closed".to_owned(),
        };
        Failure::new("connection", format!("the connection broke: {words}"))
    }
}
