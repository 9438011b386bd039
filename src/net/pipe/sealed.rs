//! The inside of a pipe that is sealed: rustls's session over a socket of tokio's.
//!
//! The session stands behind a lock that is never held across a wait, so reader and
//! writer share it. A quiet connection keeps no buffer. It knows records and a socket;
//! it must never know what the plaintext means or whose certificate is acceptable.

use std::io::{self, BufRead as _, IoSlice, Write};
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::BufMut as _;
use rustls::Connection;
use socket2::SockRef;
use tokio::io::Interest;
use tokio::net::TcpStream;

use super::Known;

/// Plaintext encrypted at once: eight records.
const SLICE: usize = 128 << 10;
/// Ciphertext taken off the socket at once, at the least and at the most.
const TAKE: (usize, usize) = (4 << 10, 256 << 10);

/// One session.
#[derive(Debug)]
pub(super) struct Sealed {
    session: Mutex<Session>,
    known: Known,
}

#[derive(Debug)]
struct Session {
    tls: Connection,
    /// Ciphertext off the socket; what lies before `at` has been taken.
    incoming: Vec<u8>,
    at: usize,
    /// Plaintext that was taken and whose writer has not been told: it comes once more.
    untold: usize,
}

impl Sealed {
    /// Shakes hands; `know` is asked before a byte of payload can pass.
    pub(super) async fn shake_hands<E: From<io::Error> + From<rustls::Error>>(
        socket: &TcpStream,
        mut tls: Connection,
        early: Vec<u8>,
        know: impl FnOnce(&Connection) -> Result<Known, E>,
    ) -> Result<Self, E> {
        tls.set_buffer_limit(Some(2 * SLICE));
        let session = Mutex::new(Session {
            tls,
            incoming: early,
            at: 0,
            untold: 0,
        });
        let mut heard = !lock(&session).incoming.is_empty();
        loop {
            push_all(&session, socket).await?;
            let turn = lock(&session).advance();
            if let Err(error) = turn {
                // The alert that says why is the last thing the peer hears.
                let _ = push_all(&session, socket).await;
                return Err(error.into());
            }
            if lock(&session).tls.wants_write() {
                continue;
            }
            if !lock(&session).tls.is_handshaking() {
                break;
            }
            if pull(&session, socket, TAKE.0).await? == 0 {
                let kind = if heard {
                    io::ErrorKind::UnexpectedEof
                } else {
                    io::ErrorKind::ConnectionAborted
                };
                return Err(io::Error::new(kind, "closed before the handshake was done").into());
            }
            heard = true;
        }
        let known = know(&lock(&session).tls);
        if known.is_err() {
            lock(&session).tls.send_close_notify();
            let _ = push_all(&session, socket).await;
        }
        Ok(Self {
            session,
            known: known?,
        })
    }

    pub(super) const fn known(&self) -> &Known {
        &self.known
    }

    pub(super) async fn read_some(
        &self,
        socket: &TcpStream,
        buffer: &mut Vec<u8>,
        limit: usize,
    ) -> io::Result<usize> {
        loop {
            if let Some(read) = lock(&self.session).open(buffer, limit)? {
                return Ok(read);
            }
            pull(&self.session, socket, limit).await?;
        }
    }

    pub(super) async fn write_some(&self, socket: &TcpStream, bytes: &[u8]) -> io::Result<usize> {
        let slice = &bytes[..bytes.len().min(SLICE)];
        self.write_slices(socket, &[IoSlice::new(slice)]).await
    }

    pub(super) async fn write_slices(
        &self,
        socket: &TcpStream,
        slices: &[IoSlice<'_>],
    ) -> io::Result<usize> {
        self.flush(socket).await?;
        let taken = lock(&self.session).seal(slices)?;
        // Whoever drops this here comes again with the same bytes: they are sealed already.
        self.flush(socket).await?;
        lock(&self.session).untold -= taken;
        Ok(taken)
    }

    pub(super) async fn flush(&self, socket: &TcpStream) -> io::Result<()> {
        push_all(&self.session, socket).await
    }

    /// Our half is at its end.
    pub(super) fn notify(&self) {
        lock(&self.session).tls.send_close_notify();
    }

    /// The same at the very end, if the kernel takes it at once. Asks no runtime: it may
    /// be gone already.
    pub(super) fn part(&self, socket: &TcpStream) {
        let mut session = lock(&self.session);
        session.tls.send_close_notify();
        while session.tls.wants_write() {
            if !matches!(session.tls.write_tls(&mut Last(socket)), Ok(1..)) {
                return;
            }
        }
    }
}

impl Session {
    /// Encrypts the front of what is here, unless that was done when it came before.
    fn seal(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        if self.untold == 0 {
            let mut room = SLICE;
            let fits = slices.iter().take_while(|slice| {
                let fits = room > 0;
                room = room.saturating_sub(slice.len());
                fits
            });
            // The last of them may be longer than the room: the session's own limit cuts it.
            let slices = &slices[..fits.count()];
            self.untold = self.tls.writer().write_vectored(slices)?;
        }
        let here: usize = slices.iter().map(|slice| slice.len()).sum();
        Ok(self.untold.min(here))
    }

    /// Gives rustls ciphertext that is here until it has a record or wants more.
    fn advance(&mut self) -> Result<(), rustls::Error> {
        while self.at < self.incoming.len() && self.tls.wants_read() {
            let mut rest = &self.incoming[self.at..];
            let had = rest.len();
            if self.tls.read_tls(&mut rest).is_err() {
                // No plaintext waits there: it is full of a message that never ends.
                return Err(rustls::Error::PeerSentOversizedRecord);
            }
            self.at += had - rest.len();
            self.tls.process_new_packets()?;
        }
        if self.at == self.incoming.len() {
            self.incoming.clear();
            self.at = 0;
        }
        Ok(())
    }

    /// Plaintext that can be had without waiting: `None` if that takes more ciphertext.
    fn open(&mut self, buffer: &mut Vec<u8>, limit: usize) -> io::Result<Option<usize>> {
        let mut read = 0;
        while read < limit {
            let mut reader = self.tls.reader();
            match reader.fill_buf() {
                // `close_notify`: no more will come.
                Ok([]) => return Ok(Some(read)),
                Ok(plain) => {
                    let take = plain.len().min(limit - read);
                    buffer.extend_from_slice(&plain[..take]);
                    reader.consume(take);
                    read += take;
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    if self.at == self.incoming.len() {
                        break;
                    }
                    self.advance().map_err(broken)?;
                }
                // What came before a cut is still to be read.
                Err(_) if read > 0 => break,
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Err(cut()),
                Err(error) => return Err(error),
            }
        }
        Ok((read > 0 || limit == 0).then_some(read))
    }

    /// Takes ciphertext off the socket, once.
    fn fill(&mut self, socket: &TcpStream, want: usize) -> io::Result<usize> {
        if self.at == self.incoming.len() {
            self.incoming = Vec::new();
            self.at = 0;
        }
        let room = want.clamp(TAKE.0, TAKE.1);
        let mut fresh = std::mem::take(&mut self.incoming);
        fresh.reserve(room);
        // Nothing there: the buffer goes back, a quiet connection keeps none.
        let read = match socket.try_read_buf(&mut (&mut fresh).limit(room)) {
            Err(error) if fresh.is_empty() => return Err(error),
            other => other,
        };
        self.incoming = fresh;
        if matches!(read, Ok(0)) {
            // rustls must know that the socket is at its end.
            let _ = self.tls.read_tls(&mut io::empty());
        }
        read
    }
}

/// Takes ciphertext off the socket as soon as there is some; 0 is its end.
async fn pull(session: &Mutex<Session>, socket: &TcpStream, want: usize) -> io::Result<usize> {
    socket
        .async_io(Interest::READABLE, || lock(session).fill(socket, want))
        .await
}

/// Sends every record that waits.
async fn push_all(session: &Mutex<Session>, socket: &TcpStream) -> io::Result<()> {
    while lock(session).tls.wants_write() {
        socket
            .async_io(Interest::WRITABLE, || {
                lock(session).tls.write_tls(&mut Outward(socket))
            })
            .await?;
    }
    Ok(())
}

fn lock(session: &Mutex<Session>) -> MutexGuard<'_, Session> {
    // No code panics while it holds the lock; were it to, rustls refuses by itself.
    session.lock().unwrap_or_else(PoisonError::into_inner)
}

fn broken(error: rustls::Error) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}

fn cut() -> io::Error {
    io::Error::new(
        io::ErrorKind::UnexpectedEof,
        "closed without TLS's close_notify: somebody may have cut it short",
    )
}

/// The socket, past its runtime.
struct Last<'s>(&'s TcpStream);

impl Write for Last<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        SockRef::from(self.0).send(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The socket as rustls writes to it: many records in one call, never waiting.
struct Outward<'s>(&'s TcpStream);

impl Write for Outward<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.try_write(bytes)
    }

    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        self.0.try_write_vectored(slices)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
