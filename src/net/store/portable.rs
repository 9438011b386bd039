//! The fence where the kernel has none: cap-std, component by component.
//!
//! The twin of `linux`, and run by the same tests.

use std::fs::File;
use std::io;
use std::path::Path;

use cap_std::ambient_authority;
use cap_std::fs::{Dir, OpenOptions, OpenOptionsExt as _};
use rustix::fs::OFlags;

use super::Want;

/// An open root.
#[derive(Debug)]
pub(super) struct Root(Dir);

impl Root {
    pub(super) fn at(dir: &Path) -> io::Result<Self> {
        Ok(Self(Dir::open_ambient_dir(dir, ambient_authority())?))
    }

    pub(super) fn open(&self, path: &str, want: Want) -> io::Result<File> {
        if want == Want::Folder || path == "." {
            // `read` of a folder handle needs a descriptor of its own: cap-std keeps O_PATH ones.
            let dir = self.0.open_dir(path)?;
            let fd = rustix::fs::openat(
                &dir,
                ".",
                OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC,
                rustix::fs::Mode::empty(),
            )?;
            return Ok(File::from(fd));
        }
        let flags = OFlags::NONBLOCK | OFlags::NOCTTY;
        let mut options = OpenOptions::new();
        options.read(true).custom_flags(flags.bits().cast_signed());
        Ok(self.0.open_with(path, &options)?.into_std())
    }
}
