//! One question to a server, over a connection of its own.
//!
//! For those who ask once and leave: a rename, what can be asked, whether anybody is
//! there. It knows lines; no queue, no screen and no file.

use super::dial::{Failure, Line, Patience, Target, codec_of, connect};
use crate::entity::RemotePath;
use crate::net::wire::codec::{Answer, Request};

/// Renames a file on the server, over a connection of its own.
pub async fn rename(
    target: &Target,
    patience: Patience,
    name: &str,
    from: &RemotePath,
    to: &RemotePath,
) -> Result<(), Failure> {
    let request = Request::Rename {
        from: from.clone(),
        to: to.clone(),
    };
    // What the dialect cannot ask is said before anybody is called.
    let mut codec = codec_of(target)?;
    codec.greet("", &mut Vec::new());
    codec
        .ask(&request, &mut Vec::new())
        .map_err(|cannot| Failure::new("unsupported", cannot.detail))?;
    let mut line = Line::open(target, patience, name).await?;
    line.ask(&request).await?;
    match line.hear().await? {
        Answer::Renamed | Answer::Done => Ok(()),
        Answer::Refused { refusal } => Err(Failure::refused(refusal)),
        _ => Err(Failure::unexpected()),
    }
}

/// Asks what can be asked: the server's own words, which may be dirty.
pub async fn help(target: &Target, patience: Patience, name: &str) -> Result<String, Failure> {
    let mut line = Line::open(target, patience, name).await?;
    line.ask(&Request::Help).await?;
    match line.hear().await? {
        Answer::Help { text } => Ok(text),
        Answer::Refused { refusal } => Err(Failure::refused(refusal)),
        _ => Err(Failure::unexpected()),
    }
}

/// Whether the server is there: connects, greets where one greets, and leaves.
pub async fn knock(target: &Target, patience: Patience, name: &str) -> Result<(), Failure> {
    if target.dialect.lists() {
        Line::open(target, patience, name).await.map(drop)
    } else {
        connect(target, patience).await.map(drop)
    }
}
