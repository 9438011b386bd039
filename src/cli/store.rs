//! `put`, `mv`, `mkdir` and `rm`: what was typed and what was meant.
//!
//! What a dialect cannot do is refused here, before anything is opened. Like
//! the rest of the command line it binds nothing and reads no file.

use std::path::{Path, PathBuf};

use clap::Args;

use super::{ClashArg, Common, Fault, MeansArgs, StreamsArgs, url};
use crate::address::Url;
use crate::entity::{Dialect, RemotePath};
use crate::event::Outgoing;

/// `ferrydeck put`.
#[derive(Args, Debug)]
pub struct PutArgs {
    /// The files to send, and behind them where to: a URL that ends in / or has no
    /// path takes any number, another one names the target of one FILE
    #[arg(required = true, num_args = 2.., value_name = "FILE... URL")]
    pub what: Vec<String>,
    /// Send folders with all that is in them (deck)
    #[arg(short, long)]
    pub recursive: bool,
    /// What to do when a name is taken there (deck) [default: fail]
    #[arg(long, value_enum)]
    pub on_clash: Option<ClashArg>,
    /// Send names that begin with a dot too, where a folder is sent
    #[arg(long)]
    pub hidden: bool,
    /// How deck moves payload.
    #[command(flatten)]
    pub means: MeansArgs,
    /// How many connections a file may have.
    #[command(flatten)]
    pub streams: StreamsArgs,
    /// One JSON object an event on stdout
    #[arg(long)]
    pub json: bool,
    /// Uploads at once
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u8).range(1..=64))]
    pub parallel: u8,
    /// What clients share.
    #[command(flatten)]
    pub common: Common,
}

/// `ferrydeck mv`.
#[derive(Args, Debug)]
pub struct MvArgs {
    /// The file's URL
    pub url: String,
    /// Its new name: without a / it stays in its folder, with a leading / it counts from the root
    pub newname: String,
    /// What clients share.
    #[command(flatten)]
    pub common: Common,
}

/// `ferrydeck mkdir`.
#[derive(Args, Debug)]
pub struct MkdirArgs {
    /// The new folder's URL; the folder it lies in must be there
    pub url: String,
    /// What clients share.
    #[command(flatten)]
    pub common: Common,
}

/// `ferrydeck rm`.
#[derive(Args, Debug)]
pub struct RmArgs {
    /// The URL of a file or an empty folder
    pub url: String,
    /// Delete a folder with all that is in it
    #[arg(short, long)]
    pub recursive: bool,
    /// What clients share.
    #[command(flatten)]
    pub common: Common,
}

impl MkdirArgs {
    /// The server and the folder's path.
    pub fn plan(&self) -> Result<Url, Fault> {
        keeping(&self.url, &self.common, "make folders")
    }
}

impl RmArgs {
    /// The server and the path.
    pub fn plan(&self) -> Result<Url, Fault> {
        keeping(&self.url, &self.common, "delete")
    }
}

/// A URL below the root of a server that can be asked for this.
fn keeping(word: &str, common: &Common, what: &str) -> Result<Url, Fault> {
    let url = url(word, common.ports())?;
    if !url.dialect.is_deck() {
        let words = format!("{} has no way to {what}", url.dialect.label());
        return Err(Fault::failed(words));
    }
    if url.path.is_root() {
        return Err(Fault::usage(format!("{word} names nothing below the root")));
    }
    Ok(url)
}

impl PutArgs {
    /// The server, and what goes there under which name.
    pub fn plan(&self) -> Result<(Url, Vec<Outgoing>), Fault> {
        let Some((word, files)) = self.what.split_last() else {
            return Err(Fault::usage("put takes FILE... URL"));
        };
        let url = url(word, self.common.ports())?;
        if !url.dialect.puts() {
            let words = format!("{} has no way to store files", url.dialect.label());
            return Err(Fault::failed(words));
        }
        admit_clients(url.dialect, self.common.clients)?;
        self.means.admit(url.dialect)?;
        if self.recursive && !url.dialect.is_deck() {
            let words = format!("{} has no way to make folders", url.dialect.label());
            return Err(Fault::failed(words));
        }
        let folder = url.path.is_root() || word.ends_with('/');
        if !folder && files.len() > 1 {
            return Err(Fault::usage(format!(
                "{word} names one file, and there are {}; end it in / to put them all there",
                files.len()
            )));
        }
        let outgoing = files.iter().map(|file| {
            let path = if folder {
                url.path.join(last_component(file)?)
            } else {
                url.path.clone()
            };
            Ok(Outgoing {
                local: PathBuf::from(file),
                path,
            })
        });
        Ok((url.clone(), outgoing.collect::<Result<_, Fault>>()?))
    }
}

fn last_component(file: &str) -> Result<&str, Fault> {
    Path::new(file)
        .file_name()
        .and_then(|name| name.to_str())
        .ok_or_else(|| Fault::usage(format!("{file:?} names no file")))
}

impl MvArgs {
    /// The server, the old path and the new one.
    pub fn plan(&self) -> Result<(Url, RemotePath, RemotePath), Fault> {
        let url = url(&self.url, self.common.ports())?;
        if !url.dialect.renames() {
            let words = format!("{} has no way to rename files", url.dialect.label());
            return Err(Fault::failed(words));
        }
        if url.path.is_root() {
            return Err(Fault::usage(format!("{} names no file", self.url)));
        }
        let to = match self.newname.strip_prefix('/') {
            Some(path) => RemotePath::from(path),
            None => url.path.parent().join(&self.newname),
        };
        if to.is_root() {
            return Err(Fault::usage("the new name is empty"));
        }
        let from = url.path.clone();
        Ok((url, from, to))
    }
}

/// Whether a dialect can say how many clients will come.
pub(super) fn admit_clients(dialect: Dialect, clients: Option<u8>) -> Result<(), Fault> {
    match clients {
        Some(_) if dialect != Dialect::Colon => {
            let words = format!(
                "{} counts no clients; --clients is colon's",
                dialect.label()
            );
            Err(Fault::usage(words))
        }
        _ => Ok(()),
    }
}
