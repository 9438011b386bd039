//! The one gate to the disk (law 11): no dialect and no connection sees a path.
//!
//! The served folder and the client's landing folder are each an open directory
//! handle, and everything is resolved under it by the kernel. The caller gets
//! an open file or a [`Denied`], which carries one answer for the peer and the
//! true reason for the operator. Everything here blocks: call it off the loop.

pub mod landing;
#[cfg(target_os = "linux")]
mod linux;
mod list;
mod naming;
mod portable;
mod source;
pub mod walk;

use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::sync::Arc;

pub use list::Lister;
pub use naming::{unportable, unwritable};
pub use source::{Fate, Source};

use self::landing::{Floor, Ground, Landing, Make};
use self::source::version;
use crate::entity::{Entry, Kind, RemotePath};
use crate::net::wire::codec::{Refusal, Version};

/// Names ferrydeck keeps for itself: no peer may list, read, write or rename one.
pub const RESERVED: &str = ".ferrydeck-";
/// Bytes of the blocks that files are checked by; the last one of a file is shorter.
const BLOCK: u64 = 4 << 20;
/// Bytes a path component may have (Linux `NAME_MAX`).
pub const MAX_COMPONENT: usize = 255;
/// Bytes a whole path may have (Linux `PATH_MAX`, less its NUL).
pub const MAX_PATH: usize = 4_095;

/// What is done with names that begin with a dot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dotfiles {
    /// Not listed, not served, not written.
    Hidden,
    /// Like any other name.
    Shown,
}

/// Which way paths are resolved under the root.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resolver {
    /// Linux `openat2(2)` with `RESOLVE_BENEATH`: the kernel holds the fence.
    #[cfg(target_os = "linux")]
    Kernel,
    /// cap-std, component by component.
    Portable,
}

impl Resolver {
    /// Every resolver of this platform, the best first.
    pub const ALL: &'static [Self] = &[
        #[cfg(target_os = "linux")]
        Self::Kernel,
        Self::Portable,
    ];
}

/// No, with one answer for the peer and the reason for the operator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Denied {
    /// What the peer may know.
    pub refusal: Refusal,
    /// The true reason: one fixed word for scripts.
    pub cause: &'static str,
    /// The true reason, for the operator; may quote a name, so it is cleaned before it is shown.
    pub detail: String,
}

impl Denied {
    /// To the peer: there is no such file.
    fn unseen(cause: &'static str, detail: impl Into<String>) -> Self {
        Self {
            refusal: Refusal::NotFound,
            cause,
            detail: detail.into(),
        }
    }

    fn of_error(error: &io::Error) -> Self {
        use rustix::io::Errno;
        let errno = error.raw_os_error().map(Errno::from_raw_os_error);
        match errno {
            Some(Errno::NOENT | Errno::NOTDIR) => Self::unseen("not_found", "not there"),
            Some(Errno::ACCESS | Errno::PERM) => {
                Self::unseen("not_readable", "this server may not read it")
            }
            Some(Errno::XDEV) => Self::unseen("outside", "leads out of the served folder"),
            Some(Errno::LOOP) => Self::unseen("outside", "too many links, or a magic one"),
            Some(Errno::NAMETOOLONG) => Self::unseen("name_too_long", "the name is too long"),
            Some(Errno::NXIO | Errno::OPNOTSUPP | Errno::NODEV) => {
                Self::unseen("not_a_file", "a socket or a device")
            }
            _ if error.kind() == io::ErrorKind::PermissionDenied => {
                // cap-std's own refusal of a path that leaves its root has no errno.
                Self::unseen("outside", "leads out of the served folder")
            }
            _ => Self {
                refusal: Refusal::Failed,
                cause: "disk",
                detail: error.to_string(),
            },
        }
    }
}

/// A folder that is served or landed in.
#[derive(Debug)]
pub struct Store {
    root: Root,
    dotfiles: Dotfiles,
    ground: Arc<Ground>,
}

#[derive(Debug)]
enum Root {
    #[cfg(target_os = "linux")]
    Kernel(linux::Root),
    Portable(portable::Root),
}

/// What an open is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Want {
    /// A file's content; also opens what is not a file, which `fstat` then tells.
    Read,
    /// A folder's names.
    Folder,
}

impl Root {
    /// Whether the folder itself still has a place in the tree.
    fn is_there(&self) -> bool {
        let root = self
            .open(".", Want::Folder)
            .and_then(|root| root.metadata());
        root.is_ok_and(|meta| meta.nlink() > 0)
    }

    fn open(&self, path: &str, want: Want) -> io::Result<File> {
        match self {
            #[cfg(target_os = "linux")]
            Self::Kernel(root) => root.open(path, want),
            Self::Portable(root) => root.open(path, want),
        }
    }
}

impl Store {
    /// Opens a folder, with the best resolver this system has.
    ///
    /// # Errors
    /// The folder is not there, is none, or may not be read.
    pub fn open(dir: &Path, dotfiles: Dotfiles) -> io::Result<Self> {
        #[cfg(target_os = "linux")]
        if linux::is_supported() {
            return Self::open_with(dir, dotfiles, Resolver::Kernel);
        }
        Self::open_with(dir, dotfiles, Resolver::Portable)
    }

    /// Opens a folder with a resolver by name, so that tests run every one.
    pub fn open_with(dir: &Path, dotfiles: Dotfiles, resolver: Resolver) -> io::Result<Self> {
        let root = match resolver {
            #[cfg(target_os = "linux")]
            Resolver::Kernel => Root::Kernel(linux::Root::at(dir)?),
            Resolver::Portable => Root::Portable(portable::Root::at(dir)?),
        };
        Ok(Self {
            root,
            dotfiles,
            ground: Arc::default(),
        })
    }

    /// Opens a file for sending.
    pub fn read(&self, path: &RemotePath) -> Result<Source, Denied> {
        let name = self.admit(path)?;
        if name.is_empty() {
            return Err(Denied::unseen("folder", "the served folder itself"));
        }
        let file = self
            .root
            .open(name, Want::Read)
            .map_err(|error| Denied::of_error(&error))?;
        Source::new(file)
    }

    /// What a path stands for: a regular file with its mark, or a folder.
    pub fn stat(&self, path: &RemotePath) -> Result<(Entry, Option<Version>), Denied> {
        let name = self.admit(path)?;
        let file = self
            .root
            .open(if name.is_empty() { "." } else { name }, Want::Read)
            .map_err(|error| Denied::of_error(&error))?;
        let meta = file.metadata().map_err(|error| Denied::of_error(&error))?;
        let last = std::str::from_utf8(path.file_name()).unwrap_or_default();
        if last.chars().any(char::is_control) {
            // Not listed either: see `list`.
            return Err(Denied::unseen("unlisted", "a name with control characters"));
        }
        let entry = |kind, size| Entry {
            name: last.into(),
            kind,
            size,
            mtime: meta.mtime(),
        };
        if meta.is_dir() {
            Ok((entry(Kind::Dir, 0), None))
        } else if meta.is_file() {
            Ok((entry(Kind::File, meta.len()), Some(version(&meta))))
        } else {
            Err(Denied::unseen("not_a_file", "not a regular file"))
        }
    }

    /// Opens a folder for listing.
    pub fn list(self: &Arc<Self>, path: &RemotePath) -> Result<Lister, Denied> {
        let name = self.admit(path)?;
        if !self.root.is_there() {
            return Err(Denied::unseen(
                "root_gone",
                "the served folder itself is gone",
            ));
        }
        let dir = self
            .root
            .open(if name.is_empty() { "." } else { name }, Want::Folder)
            .map_err(|error| Denied::of_error(&error))?;
        Lister::new(Arc::clone(self), path.clone(), dir)
    }

    /// The folder a new name goes into, or an old one is taken from, and the last
    /// component: the folder resolved like any read, the name fit to be written.
    pub fn place(&self, path: &RemotePath, floor: Floor) -> Result<(Landing, String), Denied> {
        let misnamed = |why: &str| Denied {
            refusal: Refusal::BadName,
            cause: "bad_name",
            detail: why.into(),
        };
        let Ok(name) = std::str::from_utf8(path.file_name()) else {
            return Err(misnamed("the name is not UTF-8"));
        };
        if let Some(why) = unwritable(name, self.dotfiles) {
            return Err(misnamed(why));
        }
        if path.as_bytes().len() > MAX_PATH {
            return Err(misnamed("the path is too long"));
        }
        if path.as_bytes().starts_with(b"/") {
            return Err(Denied::unseen("outside", "an absolute path"));
        }
        let deny = |error: io::Error| Denied::of_error(&error);
        let parent = path.parent();
        let folder = self.admit(&parent)?;
        let folder = if folder.is_empty() { "." } else { folder };
        let dir = self.root.open(folder, Want::Folder).map_err(deny)?;
        let ground = Arc::clone(&self.ground);
        let landing = Landing::on(dir, self.dotfiles, floor, Make::Best, ground).map_err(deny)?;
        Ok((landing, name.to_owned()))
    }

    /// What can be told from the path alone; the kernel says the rest.
    fn admit<'p>(&self, path: &'p RemotePath) -> Result<&'p str, Denied> {
        let text = path
            .as_str()
            .ok_or_else(|| Denied::unseen("not_utf8", "the name is not UTF-8"))?;
        if text.len() > MAX_PATH {
            return Err(Denied::unseen("name_too_long", "the path is too long"));
        }
        if text.contains('\0') {
            return Err(Denied::unseen("nul", "the name holds a NUL"));
        }
        if text.starts_with('/') {
            return Err(Denied::unseen("outside", "an absolute path"));
        }
        if text.is_empty() {
            return Ok(text);
        }
        for component in text.split('/') {
            self.admit_component(component)?;
        }
        Ok(text)
    }

    fn admit_component(&self, component: &str) -> Result<(), Denied> {
        match component {
            ".." => Err(Denied::unseen("outside", "the path holds `..`")),
            "" | "." => Err(Denied::unseen("bad_path", "an empty or `.` component")),
            _ if component.len() > MAX_COMPONENT => {
                Err(Denied::unseen("name_too_long", "a component is too long"))
            }
            _ if component.starts_with(RESERVED) => {
                Err(Denied::unseen("reserved", "ferrydeck's own name"))
            }
            _ if component.starts_with('.') && self.dotfiles == Dotfiles::Hidden => Err(
                Denied::unseen("hidden", "a dotfile; --hidden would serve it"),
            ),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
#[path = "store_tests.rs"]
mod tests;
