//! Whether a file stands on the server already, just as it was sent.
//!
//! A line that breaks behind a file's last byte leaves in doubt whether the file has
//! landed; sent again, it finds its own name taken. Its root tells. It knows lines and
//! roots; what follows from the answer it must never know.

use crate::entity::{RemotePath, Root};
use crate::net::client::dial::Failure;
use crate::net::client::pool::{Pool, is_passing};
use crate::net::wire::codec::{Answer, Detail, Request};

/// Asks for the root of what stands there. A server that does not tell has not got it.
pub(in crate::net::client) async fn stands(
    pool: &Pool,
    path: &RemotePath,
    root: Root,
) -> Result<bool, Failure> {
    let mut tap = pool.line().await?;
    let request = Request::Tree {
        path: path.clone(),
        version: None,
        detail: Detail::Root,
    };
    match tap.ask_for(&request).await {
        Ok(Answer::Values(values)) => {
            pool.keep(tap);
            Ok(values.root == Some(root))
        }
        Ok(_) => Err(Failure::unexpected()),
        Err(failure) if is_passing(&failure) => Err(failure),
        Err(_) => Ok(false),
    }
}
