//! What comes in, when the disk fails under it.
#![expect(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a test that cannot set its scene has failed"
)]

use std::path::Path;
use std::time::Duration;

use assert_fs::TempDir;
use tokio::io::AsyncWriteExt as _;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

use super::intake::INTAKE;
use super::*;
use crate::net::store::Dotfiles;
use crate::net::store::landing::{Floor, Landing, Make, Unlanded};

/// Disk is asked for 64 MiB ahead; the second piece is to find too little of it.
const AHEAD: u64 = 64 << 20;

/// What arrived is only what the disk took: a resumed download must never go on
/// behind a hole.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failed_write_is_not_counted_and_nothing_is_written_behind_it() {
    let memory = Path::new("/dev/shm");
    let Ok(dir) = TempDir::new_in(memory) else {
        eprintln!("skipped: needs /dev/shm");
        return;
    };
    let stat = rustix::fs::statvfs(dir.path()).unwrap();
    let free = stat.f_bavail * stat.f_frsize;
    // Room for one reservation and about half of what comes behind it.
    let floor = Floor::Bytes(free - AHEAD - (4 << 20));
    let landing = Landing::open(dir.path(), Dotfiles::Hidden, floor, Make::Best).unwrap();
    let part = landing.begin("a", None).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut peer = TcpStream::connect(listener.local_addr().unwrap())
        .await
        .unwrap();
    let (socket, _) = listener.accept().await.unwrap();
    let pipe = Pipe::plain(socket);
    let sending = tokio::spawn(async move {
        let _ = peer.write_all(&vec![7; 8 << 20]).await;
        peer
    });
    let at = AHEAD - 2 * INTAKE as u64;
    let stop = CancellationToken::new();
    let order = Order {
        at,
        len: 8 << 20,
        patience: Duration::from_secs(20),
        stop: &stop,
        count: |_| {},
    };
    let taken = Intake::default()
        .run(&pipe, &mut Vec::new(), part, order)
        .await;
    assert!(
        matches!(taken.outcome, Err(Unreceived::Disk(Unlanded::Full { .. }))),
        "{:?}",
        taken.outcome
    );
    assert!(
        taken.at >= AHEAD,
        "two pieces fitted, and more than was reserved ahead"
    );
    let part = taken.part.unwrap();
    assert_eq!(part.file().metadata().unwrap().len(), taken.at);
    drop(pipe);
    sending.await.unwrap();
}
