//! What makes a server and a client private: the porter's folder, the code of a newcomer.
//!
//! The code comes from a file, the environment or a terminal, in this order and never from
//! an argument; it is asked for before a screen is up, and only where a person sits. It
//! must never show a code, but for the one line on stderr that a server without a screen
//! tells its own with.

use std::io::{self, IsTerminal as _};
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;
use tokio::runtime::Runtime;
use zeroize::Zeroizing;

use crate::cli::{Common, Fault};
use crate::entity::{Dialect, Speak};
use crate::net::auth::Code;
use crate::net::client::Dial;
use crate::net::client::ask::knock;
use crate::net::client::dial::Failure;
use crate::net::keep;
use crate::net::porter::Porter;
use crate::net::server::Door;
use crate::system::{ask_secret, private_addresses, state_dir};

/// The environment's word for the code.
const VARIABLE: &str = "FERRYDECK_CODE";
/// How often a mistyped code may be typed again.
const TRIES: usize = 3;

/// The porter of a server that has a door for deck inside TLS, and the folder it keeps.
pub(super) fn porter(
    doors: &[Door],
    given: Option<&PathBuf>,
) -> anyhow::Result<Option<(Arc<Porter>, PathBuf)>> {
    let private: Vec<&Door> = doors
        .iter()
        .filter(|door| door.speak() == Speak::Only(Dialect::DeckTls))
        .collect();
    if private.is_empty() {
        return Ok(None);
    }
    let Some(state) = state_dir(given) else {
        let words = "no place for the server's key: there is no home folder; --state-dir names one";
        return Err(Fault::failed(words).into());
    };
    let urls = private.iter().flat_map(|door| urls(door)).collect();
    let porter = Porter::open(&state, urls).context("cannot be private")?;
    Ok(Some((Arc::new(porter), state)))
}

/// Where a door is reached; one at every address, at each of the host's private ones.
fn urls(door: &Door) -> Vec<Box<str>> {
    let addr = door.addr();
    let one = |ip: IpAddr| {
        let url = format!("deck+tls://{}", std::net::SocketAddr::new(ip, addr.port()));
        url.into_boxed_str()
    };
    if !addr.ip().is_unspecified() {
        return vec![one(addr.ip())];
    }
    let reached: Vec<IpAddr> = private_addresses()
        .into_iter()
        .filter(|ip| ip.is_ipv4() || addr.is_ipv6())
        .collect();
    if reached.is_empty() {
        return vec![one(addr.ip())];
    }
    reached.into_iter().map(one).collect()
}

/// Makes sure that a server is known, or comes to be: before anything else is up, so that
/// only here a code can be asked for. Knocks only where TLS may be spoken.
pub(super) fn meet(runtime: &Runtime, dial: &Dial, common: &Common) -> anyhow::Result<()> {
    if let Some(code) = given_code(common.code_file.as_deref())? {
        dial.target.keys.learn(code);
    }
    if !may_be_private(dial) {
        return Ok(());
    }
    let mut tries = 0;
    loop {
        let knocked = runtime.block_on(knock(&dial.target, dial.patience, &dial.name));
        let failure = match knocked {
            Err(failure) if !is_absence(&failure) => failure,
            // Who is not there is told by whoever wants something of him.
            _ => return Ok(()),
        };
        if !wants_code(&failure, tries) || tries >= TRIES || !io::stdin().is_terminal() {
            return Err(failure.into());
        }
        tries += 1;
        dial.target.keys.learn(typed_code(dial, &failure)?);
    }
}

fn is_absence(failure: &Failure) -> bool {
    matches!(failure.cause, "unreachable" | "connection" | "timeout")
}

/// Whether a code, or another one, would help. A wrong one that was not typed stays wrong.
fn wants_code(failure: &Failure, tries: usize) -> bool {
    match failure.cause {
        "code_needed" | "unpaired" => true,
        "wrong_code" => tries > 0,
        _ => false,
    }
}

/// deck to this very machine is spoken in the open.
fn may_be_private(dial: &Dial) -> bool {
    match dial.target.dialect {
        Dialect::DeckTls => true,
        Dialect::Deck => {
            let host = dial.target.host.as_str();
            let local = host
                .parse()
                .is_ok_and(|ip: IpAddr| ip.to_canonical().is_loopback());
            !local && host != "localhost"
        }
        Dialect::Classic | Dialect::Session | Dialect::Colon | Dialect::Drop => false,
    }
}

/// The code of the file, else that of the environment; an empty one is none, and a fault.
fn given_code(file: Option<&Path>) -> anyhow::Result<Option<Code>> {
    if let Some(path) = file {
        let bytes = keep::read(path).context("--code-file")?;
        let bytes = bytes.map(Zeroizing::new).ok_or_else(|| {
            Fault::failed(format!("--code-file: {} is not there", path.display()))
        })?;
        let text = std::str::from_utf8(&bytes).unwrap_or_default();
        let code = Code::parse(text)
            .map_err(|why| Fault::failed(format!("--code-file: {}: {why}", path.display())))?;
        return Ok(Some(code));
    }
    let Some(text) = std::env::var_os(VARIABLE) else {
        return Ok(None);
    };
    let text = Zeroizing::new(text.to_string_lossy().into_owned());
    let code = Code::parse(&text).map_err(|why| Fault::failed(format!("{VARIABLE}: {why}")))?;
    Ok(Some(code))
}

/// Where a person finds the code, and why nothing moves while it is typed.
const WHERE: &str = "It shows a code of 16 characters where it runs;\n\
                     what you type here is not shown. Its code: ";

fn typed_code(dial: &Dial, failure: &Failure) -> anyhow::Result<Code> {
    let place = format!("{}:{}", dial.target.host, dial.target.port);
    let mut question = match failure.cause {
        "wrong_code" => "That is not its code. Once more: ".to_owned(),
        "unpaired" => format!("{place} has forgotten this machine. {WHERE}"),
        _ => format!("{place} is not known here yet. {WHERE}"),
    };
    for _ in 0..TRIES {
        let Some(typed) = ask_secret(&question).context("cannot ask for the code")? else {
            return Err(Fault {
                code: super::INTERRUPTED,
                words: "no code was given".to_owned(),
            }
            .into());
        };
        match Code::parse(&typed) {
            Ok(code) => return Ok(code),
            Err(why) => question = format!("{why}. Its code: "),
        }
    }
    Err(Fault::failed("no code was given").into())
}
