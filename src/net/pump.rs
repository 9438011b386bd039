//! Bytes between file and socket: the hot loop.
//!
//! Payload passes through no channel, no model and no codec (law 3). Two ways
//! out, [`Way::SendFile`] (the kernel alone) and [`Way::ReadWrite`] (one reused
//! buffer); `benches/throughput.rs` says which is the faster and [`Way::BEST`]
//! follows it. A page that is not in memory is never waited for on the loop:
//! a read that would block moves to a blocking thread. Coming in, socket and
//! disk overlap: while one buffer is written, the next fills.

mod desk;
mod intake;

use std::fs::File;
use std::io::{self, IoSlice, IoSliceMut};
use std::ops::Range;
use std::os::fd::AsFd;
use std::os::unix::fs::FileExt as _;
use std::sync::Arc;

use rustix::io::{Errno, ReadWriteFlags, preadv2};
use tokio::io::Interest;
use tokio::task::{spawn_blocking, yield_now};

pub use self::desk::Desk;
pub use self::intake::{Crowd, Intake, Order, Taken, Unreceived};
use crate::meter::Dials;
use crate::net::hub::XferGuard;
use crate::net::pipe::Pipe;
use crate::net::tree::BlockHasher;

/// Bytes read from the file and handed to the socket at once.
pub const CHUNK: usize = 128 << 10;
/// Bytes after which others get their turn. Not every chunk: a turn given is a round
/// through the scheduler, and a wake-up of a worker that finds nothing to do.
const TURN: u64 = 1 << 20;
/// Bytes one `sendfile` call may take: others want their turn.
const SENDFILE_CHUNK: usize = 1 << 20;
/// How closely residency is probed before a `sendfile`.
const PROBE: usize = 64 << 10;

/// How payload leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// `sendfile(2)`: no copy, no buffer.
    SendFile,
    /// `preadv2(2)` into one buffer, then `write(2)`.
    ReadWrite,
}

impl Way {
    /// Both.
    pub const ALL: [Self; 2] = [Self::SendFile, Self::ReadWrite];
    /// What a server uses unless told otherwise.
    pub const BEST: Self = Self::ReadWrite;
}

/// Why payload stopped.
#[derive(Debug)]
pub enum Broken {
    /// The socket failed or the peer is gone.
    Socket(io::Error),
    /// The file could not be read.
    Disk(io::Error),
    /// The file ended before its announced size.
    Shrank,
}

/// The sending end of a connection: bytes that wait to go, and one buffer for payload.
#[derive(Debug)]
pub struct Outlet {
    pipe: Arc<Pipe>,
    dials: Arc<Dials>,
    way: Way,
    /// Heads that have been said and not yet sent.
    pub head: Vec<u8>,
    buffer: Vec<u8>,
}

impl Outlet {
    /// An outlet with nothing in it; the payload buffer comes with the first payload.
    pub fn new(pipe: Arc<Pipe>, dials: Arc<Dials>, way: Way) -> Self {
        Self {
            pipe,
            dials,
            way,
            head: Vec::new(),
            buffer: Vec::new(),
        }
    }

    /// Sends every waiting head.
    pub async fn flush(&mut self) -> Result<(), Broken> {
        self.flush_around(&[], &[]).await
    }

    /// As [`flush`](Self::flush), with stretches of `payload` between the heads: each goes
    /// from where it lies, before the byte of the heads that is named with it.
    pub async fn flush_around(
        &mut self,
        payload: &[u8],
        places: &[(usize, Range<usize>)],
    ) -> Result<(), Broken> {
        let head = std::mem::take(&mut self.head);
        let mut slices = Vec::with_capacity(2 * places.len() + 1);
        let mut from = 0;
        for (at, stretch) in places {
            slices.push(IoSlice::new(&head[from..*at]));
            slices.push(IoSlice::new(&payload[stretch.clone()]));
            from = *at;
        }
        slices.push(IoSlice::new(&head[from..]));
        let mut rest = &mut slices[..];
        // Empty ones at the front go.
        IoSlice::advance_slices(&mut rest, 0);
        while !rest.is_empty() {
            let sent = self.pipe.write_slices(rest).await.map_err(Broken::Socket)?;
            self.dials.add_out(sent as u64);
            IoSlice::advance_slices(&mut rest, sent);
        }
        self.head = head;
        self.head.clear();
        Ok(())
    }

    /// Gives the payload buffer back to the allocator: a quiet connection keeps none.
    pub fn rest(&mut self) {
        self.buffer = Vec::new();
        self.head = Vec::new();
    }

    /// Sends the waiting heads and `len` bytes of the file from `at` on.
    pub async fn run(
        &mut self,
        file: &Arc<File>,
        at: u64,
        len: u64,
        xfer: &XferGuard,
    ) -> Result<(), Broken> {
        match self.way {
            // Inside TLS the kernel has nothing it could send by itself.
            Way::SendFile if !self.pipe.is_tls() => self.run_sendfile(file, at, len, xfer).await,
            Way::SendFile | Way::ReadWrite => {
                self.run_read_write(file, at, len, xfer, |_| {}).await
            }
        }
    }

    /// As [`run`](Self::run), and hashes the payload on its way out: every chunk before
    /// it is written, so it goes through our memory whatever the way.
    pub async fn run_hashed(
        &mut self,
        file: &Arc<File>,
        at: u64,
        len: u64,
        xfer: &XferGuard,
        hasher: &mut BlockHasher,
    ) -> Result<(), Broken> {
        self.run_read_write(file, at, len, xfer, |chunk| hasher.update(chunk))
            .await
    }

    /// Writes all of `bytes`; what lies behind the first `lead` is payload and counted as such.
    async fn write_all(
        &self,
        bytes: &[u8],
        lead: usize,
        count: impl Fn(u64),
    ) -> Result<(), Broken> {
        let mut sent = 0;
        while sent < bytes.len() {
            let rest = &bytes[sent..];
            let more = self.pipe.write_some(rest).await.map_err(Broken::Socket)?;
            self.dials.add_out(more as u64);
            count((sent + more).saturating_sub(sent.max(lead)) as u64);
            sent += more;
        }
        Ok(())
    }

    async fn run_read_write(
        &mut self,
        file: &Arc<File>,
        mut at: u64,
        len: u64,
        xfer: &XferGuard,
        mut look: impl FnMut(&[u8]),
    ) -> Result<(), Broken> {
        let end = at + len;
        let mut buffer = std::mem::take(&mut self.buffer);
        // Head and first data leave in one write: a small file is one segment.
        let mut lead = self.head.len();
        while at < end {
            let want = usize::try_from(end - at).unwrap_or(CHUNK).min(CHUNK);
            if buffer.len() < lead + want {
                buffer.resize(lead + want, 0);
            }
            buffer[..lead].copy_from_slice(&self.head[..lead]);
            let (back, read) = read_chunk(file, buffer, lead..lead + want, at).await;
            buffer = back;
            let read = read.map_err(Broken::Disk)?;
            if read == 0 {
                return Err(Broken::Shrank);
            }
            look(&buffer[lead..lead + read]);
            self.write_all(&buffer[..lead + read], lead, |sent| xfer.add(sent))
                .await?;
            let before = at;
            at += read as u64;
            if at / TURN != before / TURN {
                // A fast peer must not hold the worker.
                yield_now().await;
            }
            lead = 0;
            self.head.clear();
        }
        self.buffer = buffer;
        Ok(())
    }

    async fn run_sendfile(
        &mut self,
        file: &Arc<File>,
        mut at: u64,
        len: u64,
        xfer: &XferGuard,
    ) -> Result<(), Broken> {
        let end = at + len;
        self.push_head().await?;
        while at < end {
            let want = usize::try_from(end - at)
                .unwrap_or(SENDFILE_CHUNK)
                .min(SENDFILE_CHUNK);
            if !is_resident(file, at, want as u64) {
                warm(file, at, want as u64).await.map_err(Broken::Disk)?;
            }
            let mut offset = at;
            let sent = self
                .pipe
                .tcp()
                .async_io(Interest::WRITABLE, || {
                    offset = at;
                    Ok(rustix::fs::sendfile(
                        self.pipe.as_fd(),
                        file.as_fd(),
                        Some(&mut offset),
                        want,
                    )?)
                })
                .await
                .map_err(sendfile_broke)?;
            if sent == 0 {
                return Err(Broken::Shrank);
            }
            self.dials.add_out(sent as u64);
            xfer.add(sent as u64);
            at += sent as u64;
            yield_now().await;
        }
        Ok(())
    }

    /// Sends the heads with `MSG_MORE`: the payload joins their segment.
    async fn push_head(&mut self) -> Result<(), Broken> {
        let head = std::mem::take(&mut self.head);
        let mut rest = &head[..];
        while !rest.is_empty() {
            let sent = self
                .pipe
                .tcp()
                .async_io(Interest::WRITABLE, || {
                    Ok(rustix::net::send(
                        self.pipe.as_fd(),
                        rest,
                        more() | rustix::net::SendFlags::NOSIGNAL,
                    )?)
                })
                .await
                .map_err(Broken::Socket)?;
            self.dials.add_out(sent as u64);
            rest = &rest[sent..];
        }
        self.head = head;
        self.head.clear();
        Ok(())
    }
}

/// `sendfile` fails for both its ends; EIO and EINVAL are the file's.
fn sendfile_broke(error: io::Error) -> Broken {
    match error.raw_os_error().map(Errno::from_raw_os_error) {
        Some(Errno::IO | Errno::INVAL | Errno::OVERFLOW) => Broken::Disk(error),
        _ => Broken::Socket(error),
    }
}

fn more() -> rustix::net::SendFlags {
    #[cfg(target_os = "linux")]
    {
        rustix::net::SendFlags::MORE
    }
    #[cfg(not(target_os = "linux"))]
    {
        rustix::net::SendFlags::empty()
    }
}

/// Fills a stretch of the buffer from the file: at once if the pages are in
/// memory, else on a blocking thread. Hands the buffer back.
async fn read_chunk(
    file: &Arc<File>,
    mut buffer: Vec<u8>,
    slot: Range<usize>,
    at: u64,
) -> (Vec<u8>, io::Result<usize>) {
    match read_now(file, &mut buffer[slot.clone()], at) {
        Ok(read) if read > 0 => return (buffer, Ok(read)),
        // End of file, not in memory, interrupted, or a filesystem without NOWAIT.
        Ok(_) | Err(Errno::AGAIN | Errno::INTR | Errno::OPNOTSUPP | Errno::NOSYS) => {}
        Err(errno) => return (buffer, Err(errno.into())),
    }
    let file = Arc::clone(file);
    spawn_blocking(move || {
        let read = read_full(&file, &mut buffer[slot], at);
        (buffer, read)
    })
    .await
    .unwrap_or_else(|gone| (Vec::new(), Err(io::Error::other(gone))))
}

/// Reads what is in memory, or says `AGAIN`.
fn read_now(file: &File, buffer: &mut [u8], at: u64) -> rustix::io::Result<usize> {
    let mut slices = [IoSliceMut::new(buffer)];
    match preadv2(file, &mut slices, at, ReadWriteFlags::NOWAIT) {
        Err(Errno::OPNOTSUPP) if is_memory(file) => {
            preadv2(file, &mut slices, at, ReadWriteFlags::empty())
        }
        done => done,
    }
}

/// Whether a file lies on a filesystem that has nowhere to read from but memory: tmpfs
/// knows no `RWF_NOWAIT`, and a thread a chunk costs twice what the copy costs.
#[cfg(target_os = "linux")]
fn is_memory(file: &File) -> bool {
    const TMPFS: i64 = 0x0102_1994;
    rustix::fs::fstatfs(file).is_ok_and(|found| found.f_type == TMPFS)
}

/// As far as is known here, none does.
#[cfg(not(target_os = "linux"))]
const fn is_memory(_: &File) -> bool {
    false
}

fn read_full(file: &File, buffer: &mut [u8], at: u64) -> io::Result<usize> {
    let mut read = 0;
    while read < buffer.len() {
        match file.read_at(&mut buffer[read..], at + read as u64) {
            Ok(0) => break,
            Ok(n) => read += n,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(read)
}

/// Whether a stretch of the file is in memory, as far as samples tell.
fn is_resident(file: &File, at: u64, len: u64) -> bool {
    let mut byte = [0];
    let last = at + len - 1;
    (at..last).step_by(PROBE).chain([last]).all(|offset| {
        // 0 bytes is the end of the file: `sendfile` will tell, and not wait.
        read_now(file, &mut byte, offset).is_ok()
    })
}

/// Brings a stretch of the file into memory, on a blocking thread.
async fn warm(file: &Arc<File>, at: u64, len: u64) -> io::Result<()> {
    let file = Arc::clone(file);
    spawn_blocking(move || {
        let mut scratch = vec![0; CHUNK];
        let mut done = 0;
        while done < len {
            let want = usize::try_from(len - done).unwrap_or(CHUNK).min(CHUNK);
            let read = read_full(&file, &mut scratch[..want], at + done)?;
            if read == 0 {
                break;
            }
            done += read as u64;
        }
        Ok(())
    })
    .await
    .unwrap_or_else(|gone| Err(io::Error::other(gone)))
}

#[cfg(test)]
#[path = "pump_tests.rs"]
mod tests;
