//! One peer, one server: what is written of them, and how it is read back.
//!
//! A few lines of TOML. Keys that are not known are left out, those that are missing or
//! make no sense are told: a file that was bent must not widen a right. It knows names,
//! pins and rights and nothing of where the file is.

use std::path::Path;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::entity::{DisplayName, Pin, Rights};
use crate::net::keep::Unsound;

/// Characters a name has at the most.
const NAME: usize = 64;

/// A peer that may come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer {
    /// Its key.
    pub pin: Pin,
    /// The name it gave, or the one it was given here; clean.
    pub name: DisplayName,
    /// What it is granted; the server's own flags hold beside it.
    pub granted: Rights,
    /// When it was paired, UTC.
    pub since: Timestamp,
    /// When it was last here, UTC, to about a minute.
    pub seen: Timestamp,
}

#[derive(Deserialize, Serialize)]
struct PeerText {
    name: String,
    granted: Vec<String>,
    since: String,
    seen: String,
}

impl Peer {
    /// A peer as of now; its name is cut and cleaned.
    pub fn new(pin: Pin, name: &str, granted: Rights, now: Timestamp) -> Self {
        Self {
            pin,
            name: clean(name),
            granted,
            since: now,
            seen: now,
        }
    }

    /// Gives it another name; cut and cleaned.
    pub fn call(&mut self, name: &str) {
        self.name = clean(name);
    }

    pub(super) fn read(path: &Path, pin: Pin, bytes: &[u8]) -> Result<Self, Unsound> {
        let text: PeerText = toml_of(path, bytes)?;
        let mut granted = 0;
        for word in &text.granted {
            let bit = Rights::WORDS.iter().position(|known| known == word);
            granted |=
                1 << bit.ok_or_else(|| Unsound::content(path, "grants what does not exist"))?;
        }
        Ok(Self {
            pin,
            name: clean(&text.name),
            granted: Rights::from_bits(granted),
            since: time_of(path, &text.since)?,
            seen: time_of(path, &text.seen)?,
        })
    }

    pub(super) fn write(&self) -> String {
        text_of(&PeerText {
            name: self.name.as_str().to_owned(),
            granted: self.granted.words().map(str::to_owned).collect(),
            since: self.since.to_string(),
            seen: self.seen.to_string(),
        })
    }
}

/// A server that was paired with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    /// Its host, as it was called.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// Its key.
    pub pin: Pin,
    /// When it was paired with, UTC.
    pub since: Timestamp,
}

#[derive(Deserialize, Serialize)]
struct ServerText {
    host: String,
    port: u16,
    pin: String,
    since: String,
}

impl Server {
    pub(super) fn new(host: &str, port: u16, pin: Pin, since: Timestamp) -> Self {
        Self {
            host: host.to_owned(),
            port,
            pin,
            since,
        }
    }

    pub(super) fn read(path: &Path, bytes: &[u8]) -> Result<Self, Unsound> {
        let text: ServerText = toml_of(path, bytes)?;
        let pin = Pin::parse(&text.pin);
        Ok(Self {
            host: text.host,
            port: text.port,
            pin: pin.ok_or_else(|| Unsound::content(path, "holds no whole pin"))?,
            since: time_of(path, &text.since)?,
        })
    }

    pub(super) fn write(&self) -> String {
        text_of(&ServerText {
            host: self.host.clone(),
            port: self.port,
            pin: self.pin.to_string(),
            since: self.since.to_string(),
        })
    }
}

fn time_of(path: &Path, text: &str) -> Result<Timestamp, Unsound> {
    text.parse()
        .map_err(|_| Unsound::content(path, "holds a time that is none"))
}

fn toml_of<T: for<'t> Deserialize<'t>>(path: &Path, bytes: &[u8]) -> Result<T, Unsound> {
    let text = std::str::from_utf8(bytes).ok();
    text.and_then(|text| toml::from_str(text).ok())
        .ok_or_else(|| Unsound::content(path, "is not what ferrydeck wrote, or not all of it"))
}

fn text_of<T: Serialize>(item: &T) -> String {
    // Strings, numbers and lists of them: all of that TOML can say. Were it not to,
    // the reader refuses the empty file.
    toml::to_string(item).unwrap_or_default()
}

fn clean(name: &str) -> DisplayName {
    let cut: String = name.trim().chars().take(NAME).collect();
    DisplayName::from(cut.as_str())
}
