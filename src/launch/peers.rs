//! `ferrydeck peers`: the pins in the state folder, listed and changed.
//!
//! What is written here holds at a running server's next request; no word passes between
//! the two. It knows the rooms that keep pins and shows only clean names.

use std::io::{self, Write as _};
use std::process::ExitCode;

use jiff::Timestamp;
use serde_json::json;

use crate::cli::{Fault, PeersArgs, PeersVerb, RightArg};
use crate::entity::{DisplayName, Pin, Rights};
use crate::net::peers::{PREFIX, Peer, Peers, Server, Servers};
use crate::system::state_dir;

/// Does what was typed.
pub(super) fn peers(args: &PeersArgs) -> anyhow::Result<ExitCode> {
    let Some(state) = state_dir(args.state_dir.as_ref()) else {
        return Err(Fault::failed("there is no home folder; --state-dir names one").into());
    };
    let (peers, servers) = (Peers::open(&state)?, Servers::open(&state)?);
    match &args.verb {
        PeersVerb::List { json } => {
            let shape = if *json { Shape::Json } else { Shape::Text };
            list(&peers.all()?, &servers.all()?, shape);
        }
        PeersVerb::Name { pin, name } => {
            if name.trim().is_empty() {
                return Err(Fault::usage("the name is empty").into());
            }
            let pin = peer_of(&peers, pin)?;
            found(peers.change(pin, |peer| peer.call(name))?)?;
        }
        PeersVerb::Grant { pin, rights } => {
            let (pin, more) = (peer_of(&peers, pin)?, RightArg::together(rights));
            let grant = |peer: &mut Peer| {
                peer.granted = Rights::from_bits(peer.granted.bits() | more.bits());
            };
            found(peers.change(pin, grant)?)?;
        }
        PeersVerb::Revoke { pin, rights } => {
            let (pin, less) = (peer_of(&peers, pin)?, RightArg::together(rights));
            let revoke = |peer: &mut Peer| {
                peer.granted = Rights::from_bits(peer.granted.bits() & !less.bits());
            };
            found(peers.change(pin, revoke)?)?;
        }
        PeersVerb::Forget { pin } => {
            let known = peers.all()?.into_iter().map(|peer| peer.pin);
            let known = known.chain(servers.all()?.into_iter().map(|server| server.pin));
            let pin = meant(known, pin)?;
            let gone = peers.forget(pin)?;
            found(servers.forget(pin)? > 0 || gone)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn peer_of(peers: &Peers, typed: &str) -> anyhow::Result<Pin> {
    meant(peers.all()?.into_iter().map(|peer| peer.pin), typed)
}

/// The one pin that begins like this.
fn meant(known: impl Iterator<Item = Pin>, typed: &str) -> anyhow::Result<Pin> {
    let typed = typed.to_ascii_lowercase();
    let hex = typed.bytes().all(|digit| digit.is_ascii_hexdigit());
    if !hex || typed.len() < PREFIX || typed.len() > 64 {
        let words = format!("a PIN is {PREFIX} to 64 hex digits, as `ferrydeck peers list` shows");
        return Err(Fault::usage(words).into());
    }
    let mut fits: Vec<Pin> = known
        .filter(|pin| pin.to_string().starts_with(&typed))
        .collect();
    fits.sort_unstable();
    fits.dedup();
    match fits[..] {
        [pin] => Ok(pin),
        [] => Err(Fault::failed(format!("nobody is known whose key begins with {typed}")).into()),
        _ => {
            let words = format!("several keys begin with {typed}; give more digits");
            Err(Fault::failed(words).into())
        }
    }
}

/// It was there a moment ago.
fn found(there: bool) -> anyhow::Result<()> {
    if there {
        return Ok(());
    }
    Err(Fault::failed("it has just been forgotten").into())
}

/// How a list is written.
#[derive(Clone, Copy)]
enum Shape {
    Text,
    Json,
}

fn list(peers: &[Peer], servers: &[Server], shape: Shape) {
    if peers.is_empty() && servers.is_empty() {
        // To scripts an empty answer is the answer.
        let _ = writeln!(io::stderr(), "ferrydeck: nobody is known here yet");
    }
    let mut out = io::stdout().lock();
    let lines = peers
        .iter()
        .map(|peer| peer_line(peer, shape))
        .chain(servers.iter().map(|server| server_line(server, shape)));
    for line in lines {
        if writeln!(out, "{line}").is_err() {
            // Nobody reads any more.
            return;
        }
    }
}

fn peer_line(peer: &Peer, shape: Shape) -> String {
    let rights: Vec<&str> = peer.granted.words().collect();
    match shape {
        Shape::Json => json!({
            "kind": "peer",
            "pin": peer.pin.to_string(),
            "name": peer.name.as_str(),
            "rights": rights,
            "since": time(peer.since),
            "seen": time(peer.seen),
        })
        .to_string(),
        Shape::Text => format!(
            "peer    {}  {:<24} {:<32} seen {}",
            peer.pin.short(),
            peer.name,
            if rights.is_empty() {
                "-".to_owned()
            } else {
                rights.join(",")
            },
            time(peer.seen),
        ),
    }
}

fn server_line(server: &Server, shape: Shape) -> String {
    let host = DisplayName::from(server.host.as_str());
    match shape {
        Shape::Json => json!({
            "kind": "server",
            "pin": server.pin.to_string(),
            "host": host.as_str(),
            "port": server.port,
            "since": time(server.since),
        })
        .to_string(),
        Shape::Text => format!(
            "server  {}  {:<24} {:<32} since {}",
            server.pin.short(),
            format!("{host}:{}", server.port),
            "",
            time(server.since),
        ),
    }
}

fn time(at: Timestamp) -> String {
    format!("{at:.0}")
}
