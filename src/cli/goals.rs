//! What `get` is to fetch: URLs, or classic's own three words.
//!
//! From words to goals, in order; what cannot be fetched is refused here. Like the rest
//! of the command line it binds nothing and reads no file.

use super::{ConnectArgs, Fault, GetArgs, admit_classic_port, store, url};
use crate::address::Url;
use crate::entity::{Dialect, RemotePath};

/// Where a client goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Goal {
    /// The server and the path on it.
    pub url: Url,
    /// Whether a taken local name always fails (classic's own three words).
    pub never_clash: bool,
}

impl GetArgs {
    /// What is to be fetched, in order.
    pub fn goals(&self) -> Result<Vec<Goal>, Fault> {
        if let Some(goal) = self.three_words()? {
            self.means.admit(goal.url.dialect)?;
            return Ok(vec![goal]);
        }
        self.what
            .iter()
            .map(|word| {
                let url = url(word, self.common.ports())?;
                if !url.dialect.gets() {
                    let words = format!("{} has no way to fetch files", url.dialect.label());
                    return Err(Fault::failed(words));
                }
                store::admit_clients(url.dialect, self.common.clients)?;
                self.means.admit(url.dialect)?;
                if self.recursive && !url.dialect.lists() {
                    let words = format!("{} has no way to list folders", url.dialect.label());
                    return Err(Fault::failed(words));
                }
                if url.path.file_name().is_empty() && !self.recursive {
                    return Err(Fault::usage(format!("{word} names no file")));
                }
                Ok(Goal {
                    url,
                    never_clash: false,
                })
            })
            .collect()
    }

    /// `HOST PORT NAME`: told by a second word that is all digits.
    fn three_words(&self) -> Result<Option<Goal>, Fault> {
        let digits = |word: &String| !word.is_empty() && word.bytes().all(|b| b.is_ascii_digit());
        if !self.what.get(1).is_some_and(digits) {
            return Ok(None);
        }
        let [host, port, name] = &self.what[..] else {
            return Err(Fault::usage("HOST PORT NAME takes exactly three words"));
        };
        let port: u16 = port
            .parse()
            .map_err(|_| Fault::failed(format!("port {port} is outside 1024..=64000")))?;
        admit_classic_port(port, self.common.ports())?;
        if name.is_empty() {
            return Err(Fault::usage("the NAME is empty"));
        }
        let host = host.trim_start_matches('[').trim_end_matches(']');
        Ok(Some(Goal {
            url: Url {
                dialect: Dialect::Classic,
                host: host.to_owned(),
                port,
                path: RemotePath::from(name.as_str()),
            },
            never_clash: true,
        }))
    }
}

impl ConnectArgs {
    /// The server, and the folder to begin in.
    pub fn goal(&self) -> Result<Url, Fault> {
        let url = url(&self.url, self.common.ports())?;
        self.means.admit(url.dialect)?;
        Ok(url)
    }
}
