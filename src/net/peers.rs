//! Whom we know: the peers that may come, and the servers we have been to.
//!
//! One small file each in the state folder, under the key it is about, so that several
//! processes share them and a change holds at the next request. It knows pins, names and
//! rights; it must never know a socket, and takes no name from a peer or a file as it is.

mod item;

use std::collections::HashMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use jiff::{SignedDuration, Timestamp};
use ring::digest::{SHA256, digest};

pub use self::item::{Peer, Server};
use crate::entity::{Pin, Rights};
use crate::net::keep::{self, Made, Stamp, Unsound};

/// Peers whose files are remembered between two requests.
const REMEMBERED: usize = 4_096;
/// How old "last seen" may become before it is written again.
const SEEN: SignedDuration = SignedDuration::from_mins(1);
/// Hex digits a beginning of a pin must have to stand for it.
pub const PREFIX: usize = 8;

/// The peers that may come to this server.
#[derive(Debug)]
pub struct Peers {
    folder: PathBuf,
    known: Mutex<HashMap<Pin, (Stamp, Arc<Peer>)>>,
}

impl Peers {
    /// The peers in a state folder; all of them must be readable.
    ///
    /// # Errors
    /// The folder, or one of the files, cannot be used.
    pub fn open(state: &Path) -> Result<Self, Unsound> {
        let folder = state.join("peers");
        keep::folder(state)?;
        keep::folder(&folder)?;
        let peers = Self {
            folder,
            known: Mutex::default(),
        };
        peers.all()?;
        Ok(peers)
    }

    /// What is known under a key, as it stands now. A `stat` where nothing has changed.
    ///
    /// # Errors
    /// Its file cannot be used.
    pub fn look(&self, pin: Pin) -> Result<Option<Arc<Peer>>, Unsound> {
        let path = self.path(pin);
        let stamp = keep::stamp(&path)?;
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(stamp) = stamp else {
            known.remove(&pin);
            return Ok(None);
        };
        if let Some((at, peer)) = known.get(&pin)
            && *at == stamp
        {
            return Ok(Some(Arc::clone(peer)));
        }
        let Some(bytes) = keep::read(&path)? else {
            known.remove(&pin);
            return Ok(None);
        };
        let peer = Arc::new(Peer::read(&path, pin, &bytes)?);
        if known.len() >= REMEMBERED {
            known.clear();
        }
        known.insert(pin, (stamp, Arc::clone(&peer)));
        Ok(Some(peer))
    }

    /// Pins a key that has proved the code; what is known under it already stays.
    ///
    /// # Errors
    /// The disk's.
    pub fn pair(&self, pin: Pin, name: &str) -> Result<Arc<Peer>, Unsound> {
        let path = self.path(pin);
        let peer = Peer::new(pin, name, Rights::NEWCOMER, Timestamp::now());
        match keep::create(&path, peer.write().as_bytes())? {
            Made::New => Ok(Arc::new(peer)),
            Made::There => Ok(self.look(pin)?.unwrap_or_else(|| Arc::new(peer))),
        }
    }

    /// Writes down that a peer is here now, at most once a minute.
    ///
    /// # Errors
    /// The disk's.
    pub fn seen(&self, pin: Pin) -> Result<(), Unsound> {
        let now = Timestamp::now();
        if let Some(peer) = self.look(pin)?
            && now.duration_since(peer.seen) >= SEEN
        {
            self.change(pin, |peer| peer.seen = now)?;
        }
        Ok(())
    }

    /// Every peer, in the order of their pins.
    ///
    /// # Errors
    /// One of the files cannot be used.
    pub fn all(&self) -> Result<Vec<Peer>, Unsound> {
        let mut peers = Vec::new();
        for name in keep::names(&self.folder)? {
            let path = self.folder.join(&name);
            let Some(pin) = Pin::parse(&name) else {
                return Err(Unsound::content(&path, "has a name that is no pin"));
            };
            if let Some(bytes) = keep::read(&path)? {
                peers.push(Peer::read(&path, pin, &bytes)?);
            }
        }
        Ok(peers)
    }

    /// Changes what is known under a key. False if nothing is.
    ///
    /// # Errors
    /// Its file cannot be used.
    pub fn change(&self, pin: Pin, change: impl FnOnce(&mut Peer)) -> Result<bool, Unsound> {
        let path = self.path(pin);
        keep::change(&path, |bytes| {
            let mut peer = Peer::read(&path, pin, &bytes)?;
            change(&mut peer);
            Ok(Some(peer.write().into_bytes()))
        })
    }

    /// Forgets a peer. False if it was not known.
    ///
    /// # Errors
    /// The disk's.
    pub fn forget(&self, pin: Pin) -> Result<bool, Unsound> {
        keep::remove(&self.path(pin))
    }

    fn path(&self, pin: Pin) -> PathBuf {
        self.folder.join(pin.to_string())
    }
}

/// The servers this client has been to.
#[derive(Debug)]
pub struct Servers {
    folder: PathBuf,
}

impl Servers {
    /// The servers in a state folder.
    ///
    /// # Errors
    /// The folder cannot be used.
    pub fn open(state: &Path) -> Result<Self, Unsound> {
        let folder = state.join("servers");
        keep::folder(state)?;
        keep::folder(&folder)?;
        Ok(Self { folder })
    }

    /// The key of a server; `None` if it is not known yet.
    ///
    /// # Errors
    /// Its file cannot be used: never taken for a server nobody knows.
    pub fn look(&self, host: &str, port: u16) -> Result<Option<Pin>, Unsound> {
        let path = self.path(host, port);
        let Some(bytes) = keep::read(&path)? else {
            return Ok(None);
        };
        Server::read(&path, &bytes).map(|server| Some(server.pin))
    }

    /// Pins the key of a server that has proved the code. A key that is there stays:
    /// another one is for the caller to refuse.
    ///
    /// # Errors
    /// The disk's.
    pub fn pin(&self, host: &str, port: u16, pin: Pin) -> Result<(), Unsound> {
        let server = Server::new(&canonical(host), port, pin, Timestamp::now());
        keep::create(&self.path(host, port), server.write().as_bytes()).map(drop)
    }

    /// Every server, in the order of their addresses.
    ///
    /// # Errors
    /// One of the files cannot be used.
    pub fn all(&self) -> Result<Vec<Server>, Unsound> {
        let mut servers = Vec::new();
        for name in keep::names(&self.folder)? {
            let path = self.folder.join(name);
            if let Some(bytes) = keep::read(&path)? {
                servers.push(Server::read(&path, &bytes)?);
            }
        }
        servers.sort_by(|a, b| (&a.host, a.port).cmp(&(&b.host, b.port)));
        Ok(servers)
    }

    /// Forgets every server of this key; how many there were.
    ///
    /// # Errors
    /// The disk's.
    pub fn forget(&self, pin: Pin) -> Result<usize, Unsound> {
        let mut gone = 0;
        for server in self.all()? {
            if server.pin == pin && keep::remove(&self.path(&server.host, server.port))? {
                gone += 1;
            }
        }
        Ok(gone)
    }

    /// A host may hold what no file name can: its hash is the name.
    fn path(&self, host: &str, port: u16) -> PathBuf {
        let place = format!("{}:{port}", canonical(host));
        let hash = digest(&SHA256, place.as_bytes());
        let name = hash
            .as_ref()
            .iter()
            .take(16)
            .fold(String::new(), |mut name, byte| {
                // Writing to a string cannot fail.
                let _ = write!(name, "{byte:02x}");
                name
            });
        self.folder.join(name)
    }
}

/// One spelling a host: names know no case.
fn canonical(host: &str) -> String {
    match host.parse::<std::net::IpAddr>() {
        Ok(addr) => addr.to_canonical().to_string(),
        Err(_) => host.trim_end_matches('.').to_ascii_lowercase(),
    }
}

#[cfg(test)]
#[path = "peers_tests.rs"]
mod tests;
