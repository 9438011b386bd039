//! Single words of the command line: a listener, a time, a size.
//!
//! Each takes a word and gives a value or says in one sentence what it should
//! have been; clap puts the option's name in front.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use super::{Common, Listen};
use crate::entity::{Dialect, Speak};

pub(super) fn parse_listen(word: &str) -> Result<Listen, String> {
    let (speak, addr) = match word.split_once('@') {
        None => (Speak::Auto, word),
        Some((dialect, addr)) => {
            let speak = Speak::parse(dialect).ok_or_else(|| {
                let known = Dialect::ALL.map(Dialect::label).join(", ");
                format!("no dialect is called {dialect:?}; there are auto, {known}")
            })?;
            (speak, addr)
        }
    };
    let local = addr
        .strip_prefix("localhost:")
        .and_then(|port| port.parse().ok())
        .map(|port| SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port));
    let addr = addr
        .parse()
        .ok()
        .or(local)
        .ok_or_else(|| format!("{addr:?} is not ADDR:PORT, as 127.0.0.1:18814 or [::1]:0"))?;
    Ok(Listen { speak, addr })
}

pub(super) fn parse_grace(word: &str) -> Result<Duration, String> {
    let time = humantime::parse_duration(word)
        .map_err(|error| format!("{error}; write 5s, 500ms or 2m"))?;
    if time > LONGEST {
        return Err("must be at most 7 days".to_owned());
    }
    Ok(time)
}

pub(super) fn parse_time(word: &str) -> Result<Duration, String> {
    let time = parse_grace(word)?;
    if time.is_zero() {
        return Err("must be more than 0".to_owned());
    }
    Ok(time)
}

/// No limit is longer: what waits for weeks waits for ever.
const LONGEST: Duration = Duration::from_hours(7 * 24);

pub(super) fn parse_size(word: &str) -> Result<u64, String> {
    word.parse::<bytesize::ByteSize>()
        .map(|size| size.as_u64())
        .map_err(|error| format!("{error}; write 0, 500M or 2GiB"))
}

pub(super) fn parse_rate(word: &str) -> Result<u64, String> {
    match parse_size(word)? {
        0 => Err("must be more than 0; write 500k or 10M".to_owned()),
        rate => Ok(rate),
    }
}

/// Which ports classic may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ports {
    /// Those its programs accept.
    Usual,
    /// All of them (`--any-port`).
    Any,
}

impl Ports {
    pub(super) const fn of(any_port: bool) -> Self {
        if any_port { Self::Any } else { Self::Usual }
    }
}

impl Common {
    /// Which ports classic may use.
    pub const fn ports(&self) -> Ports {
        Ports::of(self.any_port)
    }
}
