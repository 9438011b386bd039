//! A file of this machine as a server hears of it: opened, marked, and its terms.
//!
//! Knows the file's own marks and what the wire says of one. Where the file lies here
//! must never leave this machine.

use std::path::PathBuf;

use crate::event::Clash;
use crate::net::client::dial::Failure;
use crate::net::client::pull::off_the_loop;
use crate::net::store::Source;
use crate::net::wire::codec::{Check, Pace, Taken, Terms, Version};

/// Opens a file of this machine for sending.
pub(in crate::net::client) async fn open(local: PathBuf) -> Result<Source, Failure> {
    off_the_loop(move || Source::open_own(&local))
        .await?
        .map_err(|denied| Failure::new("local", format!("cannot be read: {}", denied.detail)))
}

/// What is said of a file that is to be stored.
pub(in crate::net::client) fn terms(
    source: &Source,
    clash: Option<Clash>,
    check: Check,
    pace: Pace,
) -> Terms {
    // Where the file lies here is nobody's business: a hash marks it as well.
    let mark = blake3::hash(source.version.as_bytes());
    Terms {
        source: Version::new(mark.as_bytes()).unwrap_or_else(|| source.version.clone()),
        mtime: Some(source.mtime),
        taken: match clash {
            None | Some(Clash::Skip) => Taken::Refuse,
            Some(Clash::Rename) => Taken::Rename,
            Some(Clash::Overwrite) => Taken::Replace,
        },
        check,
        pace,
    }
}

pub(in crate::net::client) fn changed() -> Failure {
    Failure::new("changed", "the file changed while it was sent")
}
