//! Peers and servers: kept, changed live, read with suspicion.
#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot set its scene has failed"
)]

use std::os::unix::fs::MetadataExt as _;

use assert_fs::TempDir;

use super::*;

const PIN: Pin = Pin([0xab; 32]);

fn file(dir: &TempDir) -> PathBuf {
    dir.path().join("peers").join(PIN.to_string())
}

#[test]
fn a_peer_is_kept_and_every_change_holds_at_the_next_look() {
    let dir = TempDir::new().unwrap();
    let peers = Peers::open(dir.path()).unwrap();
    assert_eq!(peers.look(PIN).unwrap(), None);
    let paired = peers.pair(PIN, "laptop").unwrap();
    assert_eq!(paired.granted, Rights::NEWCOMER);
    assert_eq!(std::fs::metadata(file(&dir)).unwrap().mode() & 0o777, 0o600);
    assert_eq!(peers.look(PIN).unwrap().unwrap(), paired);
    // Another process takes something away: no word passes between the two.
    let other = Peers::open(dir.path()).unwrap();
    let less = |peer: &mut Peer| peer.granted = Rights::READ_ONLY;
    assert!(other.change(PIN, less).unwrap());
    assert_eq!(peers.look(PIN).unwrap().unwrap().granted, Rights::READ_ONLY);
    assert!(other.change(PIN, |peer| peer.call("desk")).unwrap());
    let now = peers.look(PIN).unwrap().unwrap();
    assert_eq!(
        (now.name.as_str(), now.granted),
        ("desk", Rights::READ_ONLY)
    );
    // To pair again gives nothing back.
    assert_eq!(
        peers.pair(PIN, "laptop").unwrap().granted,
        Rights::READ_ONLY
    );
    assert!(other.forget(PIN).unwrap());
    assert_eq!(peers.look(PIN).unwrap(), None);
    assert!(!other.forget(PIN).unwrap());
    assert!(!other.change(PIN, |_| {}).unwrap());
}

#[test]
fn a_name_is_clean_and_short() {
    let dir = TempDir::new().unwrap();
    let peers = Peers::open(dir.path()).unwrap();
    let hostile = format!("\u{1b}[2J\"\n{}", "x".repeat(1_000));
    peers.pair(PIN, &hostile).unwrap();
    let name = Peers::open(dir.path()).unwrap().look(PIN).unwrap().unwrap();
    assert!(!name.name.as_str().contains(['\u{1b}', '\n']));
    assert!(name.name.as_str().chars().count() < 100);
}

#[test]
fn last_seen_is_written_once_a_minute() {
    let dir = TempDir::new().unwrap();
    let peers = Peers::open(dir.path()).unwrap();
    peers.pair(PIN, "a").unwrap();
    let before = peers.look(PIN).unwrap().unwrap();
    peers.seen(PIN).unwrap();
    assert_eq!(peers.look(PIN).unwrap().unwrap(), before);
    let old = before.seen - SignedDuration::from_hours(1);
    peers.change(PIN, |peer| peer.seen = old).unwrap();
    peers.seen(PIN).unwrap();
    assert!(peers.look(PIN).unwrap().unwrap().seen >= before.seen);
}

#[test]
fn a_bent_file_stops_the_start_and_lets_nobody_in() {
    let dir = TempDir::new().unwrap();
    let peers = Peers::open(dir.path()).unwrap();
    peers.pair(PIN, "a").unwrap();
    let whole = std::fs::read_to_string(file(&dir)).unwrap();
    for bad in [
        String::new(),
        whole[..whole.len() / 2].to_owned(),
        whole.replace("delete", "everything"),
        whole.replace("since", "sinse"),
        "granted = 31".to_owned(),
    ] {
        std::fs::write(file(&dir), &bad).unwrap();
        assert!(peers.look(PIN).is_err(), "{bad}");
        assert!(Peers::open(dir.path()).is_err(), "{bad}");
    }
    std::fs::write(file(&dir), whole).unwrap();
    std::fs::write(dir.path().join("peers/nopin"), "x").unwrap();
    let why = Peers::open(dir.path()).unwrap_err().to_string();
    assert!(why.contains("nopin"), "{why}");
}

#[test]
fn a_server_is_known_by_host_and_port() {
    let dir = TempDir::new().unwrap();
    let servers = Servers::open(dir.path()).unwrap();
    assert_eq!(servers.look("host", 1).unwrap(), None);
    servers.pin("Host.", 1, PIN).unwrap();
    assert_eq!(servers.look("host", 1).unwrap(), Some(PIN));
    assert_eq!(servers.look("host", 2).unwrap(), None);
    // A pin is never replaced in silence.
    servers.pin("host", 1, Pin([1; 32])).unwrap();
    assert_eq!(servers.look("HOST", 1).unwrap(), Some(PIN));
    servers.pin("fd00:0::1", 1, PIN).unwrap();
    assert_eq!(servers.look("fd00::1", 1).unwrap(), Some(PIN));
    assert_eq!(servers.all().unwrap().len(), 2);
    assert_eq!(servers.forget(PIN).unwrap(), 2);
    assert_eq!(servers.look("host", 1).unwrap(), None);
}

#[test]
fn a_bent_server_file_is_never_an_unknown_server() {
    let dir = TempDir::new().unwrap();
    let servers = Servers::open(dir.path()).unwrap();
    servers.pin("host", 1, PIN).unwrap();
    let file = std::fs::read_dir(dir.path().join("servers"))
        .unwrap()
        .next()
        .unwrap()
        .unwrap()
        .path();
    for bad in ["", "pin = \"ab\"", "nonsense"] {
        std::fs::write(&file, bad).unwrap();
        assert!(servers.look("host", 1).is_err(), "{bad}");
    }
}
