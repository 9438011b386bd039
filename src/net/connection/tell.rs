//! What the operator hears of requests and transfers besides their births and ends.
//!
//! It knows the hub and the words; it must never know a socket, a codec or a file.

use crate::entity::{DisplayName, RemotePath};
use crate::event::{Fact, What};
use crate::line::size_words;
use crate::net::hub::{ConnGuard, XferGuard};
use crate::net::store::Denied;
use crate::net::wire::codec::Request;

/// A request was understood.
pub(super) fn tell_request(guard: &ConnGuard, request: &Request) {
    if matches!(request, Request::Ping { .. }) {
        // A sign of life once a minute from every client is no news, and a flood
        // of them must not push the news out.
        return;
    }
    let detail = match request {
        Request::Hello { name } => format!("from {name}"),
        Request::Get { offset, .. } if *offset > 0 => format!("from byte {offset}"),
        _ => String::new(),
    };
    guard.hub().tell(What::Request(Fact {
        path: request.path().cloned(),
        cause: request.label(),
        detail: DisplayName::new(detail.as_bytes()),
        ..guard.fact()
    }));
}

/// Tells the operator of a no, with its true reason.
pub(super) fn tell_refusal(guard: &ConnGuard, path: RemotePath, denied: &Denied) {
    guard.hub().tell(What::Refused(Fact {
        path: Some(path),
        cause: denied.cause,
        detail: DisplayName::new(denied.detail.as_bytes()),
        ..guard.fact()
    }));
}

/// Tells that a file grew while it was sent: what was announced was sent.
pub(super) fn tell_growth(guard: &ConnGuard, xfer: &XferGuard) {
    guard.hub().tell(What::Note(Fact {
        xfer: Some(xfer.started().xfer),
        path: Some(xfer.started().path.clone()),
        cause: "grew",
        detail: DisplayName::from("it grew while it was sent; what was announced was sent"),
        ..guard.fact()
    }));
}

/// An unfinished upload of another content was there.
pub(super) fn tell_restart(guard: &ConnGuard, path: &RemotePath) {
    guard.hub().tell(What::Note(Fact {
        path: Some(path.clone()),
        cause: "restarted",
        detail: DisplayName::from("another content than the unfinished one: it begins anew"),
        ..guard.fact()
    }));
}

/// An unfinished upload goes on.
pub(super) fn tell_resumed(guard: &ConnGuard, path: &RemotePath, here: u64, size: u64) {
    let words = format!("{} of {} are here", size_words(here), size_words(size));
    guard.hub().tell(What::Note(Fact {
        path: Some(path.clone()),
        bytes: Some(here),
        size: Some(size),
        cause: "resumed",
        detail: DisplayName::from(words.as_str()),
        ..guard.fact()
    }));
}

/// Too much of a payload came that nobody wants.
pub(super) fn tell_surfeit(guard: &ConnGuard) {
    guard.hub().tell(What::Refused(Fact {
        cause: "surfeit",
        detail: DisplayName::from("it goes on and on with what was refused"),
        ..guard.fact()
    }));
}

/// Blocks have to come again.
pub(super) fn tell_again(guard: &ConnGuard, xfer: &XferGuard, blocks: u64) {
    let words = format!("{blocks} blocks do not agree with their values, and come again");
    guard.hub().tell(What::Note(Fact {
        xfer: Some(xfer.started().xfer),
        path: Some(xfer.started().path.clone()),
        cause: "again",
        detail: DisplayName::from(words.as_str()),
        ..guard.fact()
    }));
}

/// What is said where a file got another name than it was sent under.
pub(super) fn stored_words(path: &RemotePath, name: &str) -> String {
    if path.file_name() == name.as_bytes() {
        String::new()
    } else {
        format!("stored as {name}: the name was taken")
    }
}
