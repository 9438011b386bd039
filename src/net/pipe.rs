//! A TCP connection, in the open or inside TLS: one pipe for everybody above.
//!
//! It begins in the open and may be sealed once, before or behind the first bytes.
//! In the open every call is the kernel's own; inside TLS plaintext goes in large
//! slices straight into the encryption buffer, and what comes is taken off the
//! socket in large pieces. It knows a socket and a session of rustls. It must never
//! know who the peer is or may be, a dialect, or a deadline: callers bound their waits.

mod sealed;

use std::io::{self, IoSlice};
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::OnceLock;

use bytes::BufMut as _;
use rustls::Connection;
use socket2::SockRef;
use tokio::io::Interest;
use tokio::net::TcpStream;

use self::sealed::Sealed;
use crate::entity::Pin;

/// A connection; shared by whoever reads and whoever writes.
#[derive(Debug)]
pub struct Pipe {
    socket: TcpStream,
    sealed: OnceLock<Box<Sealed>>,
}

impl Pipe {
    /// A connection in the open.
    pub const fn plain(socket: TcpStream) -> Self {
        Self {
            socket,
            sealed: OnceLock::new(),
        }
    }

    /// Shakes hands and goes on inside TLS. `early` is what has been read already; `know`
    /// looks at the session once the hands are shaken and says whose key is at the other end.
    ///
    /// # Errors
    /// The socket broke, the peer broke TLS, or `know` refused; the peer has been sent
    /// the alert that fits.
    pub async fn seal<E: From<io::Error> + From<rustls::Error>>(
        &self,
        session: Connection,
        early: Vec<u8>,
        know: impl FnOnce(&Connection) -> Result<Known, E>,
    ) -> Result<(), E> {
        let sealed = Sealed::shake_hands(&self.socket, session, early, know).await?;
        // A second seal would be a fault of ours; the first one stands.
        let _ = self.sealed.set(Box::new(sealed));
        Ok(())
    }

    /// Reads once to the end of `buffer`, at most `limit` bytes (inside TLS: of plaintext).
    /// 0 is the peer's close in good order: a FIN, inside TLS behind a `close_notify`.
    ///
    /// # Errors
    /// The socket's, or the record's that is broken; `UnexpectedEof` for a FIN without
    /// `close_notify`: what came may not be all.
    pub async fn read_some(&self, buffer: &mut Vec<u8>, limit: usize) -> io::Result<usize> {
        if let Some(sealed) = self.sealed.get() {
            return sealed.read_some(&self.socket, buffer, limit).await;
        }
        // A connection that waits with nothing read keeps no memory for what may come.
        let bare = buffer.capacity() == 0;
        self.socket
            .async_io(Interest::READABLE, || {
                buffer.reserve(limit);
                // Into spare capacity: nothing is zeroed first.
                let read = self.socket.try_read_buf(&mut (&mut *buffer).limit(limit));
                if bare && read.is_err() {
                    *buffer = Vec::new();
                }
                read
            })
            .await
    }

    /// Writes some of `bytes` and says how many. Inside TLS all that it took has left
    /// for the kernel when it returns. May be dropped at any await by who then comes again
    /// with the same bytes, more of them or fewer, or writes nothing any more.
    ///
    /// # Errors
    /// The socket's.
    pub async fn write_some(&self, bytes: &[u8]) -> io::Result<usize> {
        if let Some(sealed) = self.sealed.get() {
            return sealed.write_some(&self.socket, bytes).await;
        }
        self.socket
            .async_io(Interest::WRITABLE, || self.socket.try_write(bytes))
            .await
    }

    /// As [`Self::write_some`], of several slices that follow each other.
    ///
    /// # Errors
    /// The socket's.
    pub async fn write_slices(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        if let Some(sealed) = self.sealed.get() {
            return sealed.write_slices(&self.socket, slices).await;
        }
        self.socket
            .async_io(Interest::WRITABLE, || {
                self.socket.try_write_vectored(slices)
            })
            .await
    }

    /// Waits until nothing is held back here (inside TLS: records that did not leave yet).
    ///
    /// # Errors
    /// The socket's.
    pub async fn flush(&self) -> io::Result<()> {
        match self.sealed.get() {
            Some(sealed) => sealed.flush(&self.socket).await,
            None => Ok(()),
        }
    }

    /// Closes our half in good order: `close_notify` inside TLS, then a FIN.
    ///
    /// # Errors
    /// The peer is gone already.
    pub async fn close(&self) -> io::Result<()> {
        if let Some(sealed) = self.sealed.get() {
            sealed.notify();
            sealed.flush(&self.socket).await?;
        }
        SockRef::from(&self.socket).shutdown(std::net::Shutdown::Write)
    }

    /// Whether the peer's close is here and nothing before it, without waiting. Takes a
    /// byte away: only for a connection whose input is worth nothing any more. Never
    /// true inside TLS, where a half-close is not in use.
    pub fn is_closed_by_peer(&self) -> bool {
        !self.is_tls() && matches!(self.socket.try_read(&mut [0; 1]), Ok(0))
    }

    /// The socket itself, for its addresses and options.
    pub const fn tcp(&self) -> &TcpStream {
        &self.socket
    }

    /// Whether it goes on inside TLS.
    pub fn is_tls(&self) -> bool {
        self.sealed.get().is_some()
    }

    /// The key at the other end, inside TLS.
    pub fn peer_pin(&self) -> Option<Pin> {
        self.sealed.get().map(|sealed| sealed.known().pin)
    }

    /// Whose key is at the other end and what marks the session, inside TLS.
    pub fn known(&self) -> Option<&Known> {
        self.sealed.get().map(|sealed| sealed.known())
    }

    /// What binds a proof to this very session (RFC 8446, section 7.5), inside TLS.
    pub fn exporter(&self) -> Option<[u8; 32]> {
        self.sealed.get().map(|sealed| sealed.known().exporter)
    }
}

impl Drop for Pipe {
    /// The kernel sends the FIN by itself; what goes before it inside TLS is ours to say.
    fn drop(&mut self) {
        if let Some(sealed) = self.sealed.get() {
            sealed.part(&self.socket);
        }
    }
}

impl AsFd for Pipe {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// Whose key is at the other end of a session, and what marks the session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Known {
    /// SHA-256 of the peer's public key.
    pub pin: Pin,
    /// The public key itself: `SubjectPublicKeyInfo`, DER.
    pub key: Box<[u8]>,
    /// The session's exporter.
    pub exporter: [u8; 32],
}
