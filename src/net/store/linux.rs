//! The kernel's own fence: `openat2(2)` with `RESOLVE_BENEATH` (Linux 5.6).
//!
//! Links that stay inside work, links that leave are `EXDEV`, magic links are
//! `ELOOP`. What only Linux has stays in this file; `portable` is its twin.

use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::fs::{CWD, Mode, OFlags, ResolveFlags, openat, openat2};
use rustix::io::Errno;

use super::Want;

/// `EAGAIN` says that a rename raced with the walk (openat2(2)): worth a few more tries.
const TRIES: usize = 16;

/// An open root.
#[derive(Debug)]
pub(super) struct Root(OwnedFd);

impl Root {
    pub(super) fn at(dir: &Path) -> io::Result<Self> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        Ok(Self(openat(CWD, dir, flags, Mode::empty())?))
    }

    pub(super) fn open_file(&self, path: &str, flags: OFlags) -> io::Result<File> {
        let fence = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
        for _ in 0..TRIES {
            match openat2(&self.0, path, flags | OFlags::CLOEXEC, Mode::empty(), fence) {
                Ok(fd) => return Ok(File::from(fd)),
                Err(Errno::AGAIN | Errno::INTR) => {}
                Err(errno) => return Err(errno.into()),
            }
        }
        Err(Errno::AGAIN.into())
    }

    pub(super) fn open(&self, path: &str, want: Want) -> io::Result<File> {
        self.open_file(
            path,
            match want {
                // NONBLOCK: a FIFO must not hang the thread.
                Want::Read => OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY,
                Want::Folder => OFlags::RDONLY | OFlags::DIRECTORY,
            },
        )
    }
}

/// Whether this kernel has `openat2` and lets us call it.
pub(super) fn is_supported() -> bool {
    let flags = OFlags::PATH | OFlags::CLOEXEC;
    openat2(CWD, ".", flags, Mode::empty(), ResolveFlags::BENEATH).is_ok()
}
