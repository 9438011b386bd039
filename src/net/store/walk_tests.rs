//! Walking: all of a tree, once each, and nothing beside it.
#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot set its scene has failed"
)]

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::symlink;

use assert_fs::TempDir;
use rustix::fs::mknodat;

use super::*;

fn told(root: &Path, dotfiles: Dotfiles) -> (Vec<(String, Kind, u64)>, Untold) {
    let mut told = Vec::new();
    let untold = walk(root, dotfiles, &mut |entry| {
        let path = entry.path.as_str().unwrap().to_owned();
        told.push((path, entry.kind, entry.size));
        Walking::On
    });
    (told, untold.unwrap())
}

#[test]
fn a_tree_is_told_whole_folders_first() {
    let dir = TempDir::new().unwrap();
    let at = |name: &str| dir.path().join(name);
    std::fs::create_dir_all(at("a/b c/日本")).unwrap();
    std::fs::create_dir(at("empty")).unwrap();
    for (name, size) in [("x", 3), ("a/y", 0), ("a/b c/日本/z", 5)] {
        std::fs::write(at(name), vec![0; size]).unwrap();
    }
    let long = format!("a/{}", "é".repeat(127));
    std::fs::write(at(&long), "").unwrap();
    File::options()
        .write(true)
        .open(at("x"))
        .unwrap()
        .set_modified(std::time::SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(77))
        .unwrap();
    let (mut entries, untold) = told(dir.path(), Dotfiles::Hidden);
    for (n, (path, kind, _)) in entries.iter().enumerate() {
        let parent = RemotePath::from(path.as_str()).parent();
        let before = &entries[..n];
        let is_told = before
            .iter()
            .any(|(path, kind, _)| parent == RemotePath::from(path.as_str()) && *kind == Kind::Dir);
        assert!(parent.is_root() || is_told, "{path} {kind:?}");
    }
    entries.sort();
    let due = [
        ("a", Kind::Dir, 0),
        ("a/b c", Kind::Dir, 0),
        ("a/b c/日本", Kind::Dir, 0),
        ("a/b c/日本/z", Kind::File, 5),
        ("a/y", Kind::File, 0),
        (&long, Kind::File, 0),
        ("empty", Kind::Dir, 0),
        ("x", Kind::File, 3),
    ];
    assert_eq!(
        entries,
        due.map(|(path, kind, size)| (path.to_owned(), kind, size))
    );
    assert_eq!(untold, Untold::default());
    walk(dir.path(), Dotfiles::Hidden, &mut |entry| {
        assert!(entry.path != RemotePath::from("x") || entry.mtime == 77);
        Walking::On
    })
    .unwrap();
}

use std::fs::File;

#[test]
fn what_cannot_be_sent_is_counted_and_links_are_not_followed() {
    let dir = TempDir::new().unwrap();
    let at = |name: &str| dir.path().join(name);
    std::fs::create_dir_all(at("in/deep")).unwrap();
    symlink("/etc", at("out")).unwrap();
    symlink(".", at("loop")).unwrap();
    symlink("nowhere", at("dangling")).unwrap();
    mknodat(
        CWD,
        at("fifo"),
        FileType::Fifo,
        Mode::from_raw_mode(0o600),
        0,
    )
    .unwrap();
    for name in [&b"no\xfftext"[..], b"bell\x07", "c1\u{9b}".as_bytes()] {
        std::fs::write(dir.path().join(OsStr::from_bytes(name)), "").unwrap();
    }
    std::fs::write(at("in/.dot"), "").unwrap();
    std::fs::create_dir(at(".git")).unwrap();
    std::fs::write(at(".git/config"), "").unwrap();
    std::fs::write(at(".ferrydeck-0.part"), "").unwrap();
    let due = Untold {
        names: 3,
        others: 4,
        ..Untold::default()
    };
    let paths = |dotfiles| {
        let (entries, untold) = told(dir.path(), dotfiles);
        assert_eq!(untold, due);
        let mut paths: Vec<_> = entries.into_iter().map(|(path, ..)| path).collect();
        paths.sort();
        paths
    };
    assert_eq!(paths(Dotfiles::Hidden), ["in", "in/deep"]);
    assert_eq!(
        paths(Dotfiles::Shown),
        [".git", ".git/config", "in", "in/.dot", "in/deep"]
    );
    // The root itself may be a link: the user has named it.
    let (entries, _) = told(&at("loop"), Dotfiles::Hidden);
    assert_eq!(entries.len(), 2);
    for none in ["nowhere", "in/.dot", "fifo"] {
        assert!(walk(&at(none), Dotfiles::Hidden, &mut |_| Walking::On).is_err());
    }
}

#[test]
fn a_walk_goes_past_and_stops_when_told() {
    let dir = TempDir::new().unwrap();
    for n in 0..20 {
        std::fs::create_dir_all(dir.path().join(format!("d{n}/below"))).unwrap();
    }
    for (walking, due) in [(Walking::On, 40), (Walking::Past, 20), (Walking::Stop, 1)] {
        let mut seen = 0;
        walk(dir.path(), Dotfiles::Hidden, &mut |_| {
            seen += 1;
            walking
        })
        .unwrap();
        assert_eq!(seen, due, "{walking:?}");
    }
}

#[test]
fn depth_has_an_end_and_what_vanishes_is_no_error() {
    let dir = TempDir::new().unwrap();
    let deep = vec!["d"; MAX_DEPTH + 3].join("/");
    std::fs::create_dir_all(dir.path().join(&deep)).unwrap();
    let (entries, untold) = told(dir.path(), Dotfiles::Hidden);
    assert_eq!((entries.len(), untold.deep), (MAX_DEPTH + 1, 1));
    // Taken away as soon as it is told: what was in it is not, and nobody stumbles.
    let untold = walk(dir.path(), Dotfiles::Hidden, &mut |entry| {
        std::fs::remove_dir_all(dir.path().join(entry.path.as_str().unwrap())).unwrap();
        Walking::On
    });
    assert_eq!(untold.unwrap().unread, 1);
}
