//! The gate, held shut: every kind of name and file, over every resolver.
#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot set its scene has failed"
)]

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;

use assert_fs::TempDir;
use rustix::fs::{CWD, FileType, Mode, mknodat};

use super::*;

/// A folder `root` to be served, beside things that must never be.
struct Scene {
    dir: TempDir,
}

impl Scene {
    fn new() -> Self {
        let dir = TempDir::new().unwrap();
        std::fs::create_dir_all(dir.path().join("root/sub/deep")).unwrap();
        std::fs::write(dir.path().join("secret.txt"), "secret").unwrap();
        let scene = Self { dir };
        scene.write("a.txt", "hello");
        scene.write("sub/b.txt", "nested");
        scene
    }

    fn root(&self) -> PathBuf {
        self.dir.path().join("root")
    }

    fn at(&self, name: &str) -> PathBuf {
        self.root().join(name)
    }

    fn write(&self, name: &str, content: &str) {
        std::fs::write(self.at(name), content).unwrap();
    }

    fn link(&self, to: &str, name: &str) {
        symlink(to, self.at(name)).unwrap();
    }

    /// The folder, through every resolver there is.
    fn stores(&self, dotfiles: Dotfiles) -> Vec<(Resolver, Arc<Store>)> {
        assert!(!Resolver::ALL.is_empty());
        Resolver::ALL
            .iter()
            .map(|&resolver| {
                let store = Store::open_with(&self.root(), dotfiles, resolver).unwrap();
                (resolver, Arc::new(store))
            })
            .collect()
    }
}

use std::path::PathBuf;

fn content(source: &Source) -> String {
    use std::os::unix::fs::FileExt as _;
    let mut bytes = vec![0; usize::try_from(source.size).unwrap()];
    source.file.read_exact_at(&mut bytes, 0).unwrap();
    String::from_utf8(bytes).unwrap()
}

/// Asserts that a path can neither be read nor looked at, with this cause for the
/// operator and the one answer for the peer.
fn assert_unseen(store: &Store, resolver: Resolver, path: &[u8], cause: &str) {
    let shown = String::from_utf8_lossy(path);
    let path = RemotePath::new(path);
    let denied = store.read(&path).err();
    let told = denied.as_ref().map(|denied| denied.cause);
    assert_eq!(told, Some(cause), "{resolver:?} {shown:?}: {denied:?}");
    assert_eq!(
        denied.map(|denied| denied.refusal),
        Some(Refusal::NotFound),
        "{shown:?}: the peer sees one answer"
    );
    // A folder may be looked at and listed, and nothing else of these.
    if cause != "folder" {
        assert!(store.stat(&path).is_err(), "{resolver:?} stat {shown:?}");
    }
}

#[test]
fn files_under_the_root_are_read() {
    let scene = Scene::new();
    for (resolver, store) in scene.stores(Dotfiles::Hidden) {
        for (path, due) in [("a.txt", "hello"), ("sub/b.txt", "nested")] {
            let source = store.read(&RemotePath::from(path)).unwrap();
            assert_eq!(content(&source), due, "{resolver:?} {path}");
            let (entry, version) = store.stat(&RemotePath::from(path)).unwrap();
            assert_eq!(entry.size, due.len() as u64);
            assert_eq!(entry.mtime, source.mtime);
            assert_eq!(version, Some(source.version));
        }
        let (root, version) = store.stat(&RemotePath::root()).unwrap();
        assert_eq!((root.kind, &*root.name, version), (Kind::Dir, "", None));
    }
}

#[test]
fn paths_that_tell_by_themselves_are_refused() {
    let scene = Scene::new();
    let long = "n".repeat(256);
    let fits = "n".repeat(255);
    let deep = "d/".repeat(2_100);
    let cases: [(&[u8], &str); 17] = [
        (b"../secret.txt", "outside"),
        (b"..", "outside"),
        (b"sub/../../secret.txt", "outside"),
        (b"sub/../a.txt", "outside"),
        (b"/etc/passwd", "outside"),
        (b"/", "outside"),
        (b"a\0.txt", "nul"),
        (b"a.txt\0", "nul"),
        (b"a\xff.txt", "not_utf8"),
        (b"sub//b.txt", "bad_path"),
        (b"sub/", "bad_path"),
        (b"./a.txt", "bad_path"),
        (b"sub/./b.txt", "bad_path"),
        (long.as_bytes(), "name_too_long"),
        (deep.as_bytes(), "name_too_long"),
        (fits.as_bytes(), "not_found"),
        (b"nowhere.txt", "not_found"),
    ];
    for (resolver, store) in scene.stores(Dotfiles::Hidden) {
        for (path, cause) in cases {
            assert_unseen(&store, resolver, path, cause);
        }
        // The root itself and a folder are no files.
        assert_unseen(&store, resolver, b"", "folder");
        assert_unseen(&store, resolver, b"sub", "folder");
        assert_unseen(&store, resolver, b"a.txt/x", "not_found");
    }
}

/// Who walks what is listed comes to an end.
#[test]
fn a_link_that_leads_back_is_not_listed() {
    let scene = Scene::new();
    scene.link(".", "self");
    scene.link("..", "sub/up");
    scene.link("../../sub", "sub/deep/round");
    scene.link("sub", "folder");
    for (resolver, store) in scene.stores(Dotfiles::Hidden) {
        let folders = |path: &str| -> Vec<String> {
            let mut lister = store.list(&path.into()).unwrap();
            let page = lister.page(1_000, usize::MAX).unwrap();
            let mut names: Vec<_> = page
                .entries
                .iter()
                .filter(|entry| entry.kind == Kind::Dir)
                .map(|entry| entry.name.to_string())
                .collect();
            names.sort();
            names
        };
        assert_eq!(folders(""), ["folder", "sub"], "{resolver:?}");
        assert_eq!(folders("sub"), ["deep"], "{resolver:?}");
        assert_eq!(folders("folder"), ["deep"], "{resolver:?}");
        assert!(folders("sub/deep").is_empty(), "{resolver:?}");
        assert!(folders("folder/deep").is_empty(), "{resolver:?}");
        // By its name it is reached as ever.
        assert!(store.read(&"self/sub/up/a.txt".into()).is_ok());
    }
}

#[test]
fn links_work_inside_and_never_lead_out() {
    let scene = Scene::new();
    scene.link("a.txt", "here");
    scene.link("sub/b.txt", "down");
    scene.link("../../a.txt", "sub/deep/up");
    scene.link("sub", "folder");
    scene.link("../secret.txt", "out");
    scene.link("..", "outside");
    scene.link("../../secret.txt", "sub/out");
    scene.link("/etc/passwd", "absolute");
    let inside = scene.at("a.txt");
    scene.link(inside.to_str().unwrap(), "absolute-inside");
    scene.link("loop-b", "loop-a");
    scene.link("loop-a", "loop-b");
    scene.link("/dev/zero", "device");
    scene.link("/proc/self/exe", "magic");
    scene.link("nowhere", "dangling");
    for (resolver, store) in scene.stores(Dotfiles::Hidden) {
        for (path, due) in [
            ("here", "hello"),
            ("down", "nested"),
            ("sub/deep/up", "hello"),
            ("folder/b.txt", "nested"),
            ("folder/deep/up", "hello"),
        ] {
            let source = store.read(&RemotePath::from(path)).unwrap();
            assert_eq!(content(&source), due, "{resolver:?} {path}");
        }
        for path in [
            "out",
            "outside",
            "outside/secret.txt",
            "sub/out",
            "folder/out",
            "absolute",
            "absolute-inside",
            "loop-a",
            "device",
            "magic",
        ] {
            assert_unseen(&store, resolver, path.as_bytes(), "outside");
        }
        assert_unseen(&store, resolver, b"dangling", "not_found");
        assert!(store.list(&RemotePath::from("outside")).is_err());
        assert!(store.list(&RemotePath::from("folder")).is_ok());
    }
}

#[test]
fn what_is_no_regular_file_is_refused_without_a_wait() {
    let scene = Scene::new();
    mknodat(
        CWD,
        scene.at("fifo"),
        FileType::Fifo,
        Mode::from_raw_mode(0o644),
        0,
    )
    .unwrap();
    let _socket = UnixListener::bind(scene.at("socket")).unwrap();
    scene.link("fifo", "to-fifo");
    // Only root may make a device; elsewhere the link above has shown the same.
    let device = rustix::fs::makedev(1, 5);
    let made = mknodat(
        CWD,
        scene.at("zero"),
        FileType::CharacterDevice,
        Mode::from_raw_mode(0o644),
        device,
    );
    for (resolver, store) in scene.stores(Dotfiles::Hidden) {
        for path in ["fifo", "socket", "to-fifo"] {
            assert_unseen(&store, resolver, path.as_bytes(), "not_a_file");
        }
        if made.is_ok() {
            assert!(store.read(&RemotePath::from("zero")).is_err());
            assert!(store.stat(&RemotePath::from("zero")).is_err());
        }
    }
}

#[test]
fn dotfiles_are_served_only_when_shown_and_reserved_names_never() {
    let scene = Scene::new();
    scene.write(".dot", "dot");
    std::fs::create_dir(scene.at(".git")).unwrap();
    scene.write(".git/config", "config");
    scene.write(".ferrydeck-0.part", "half");
    scene.write(".ferrydeck-0.tmp", "half");
    std::fs::create_dir(scene.at(".ferrydeck-dir")).unwrap();
    scene.write(".ferrydeck-dir/x", "half");
    let reserved = [".ferrydeck-0.part", ".ferrydeck-0.tmp", ".ferrydeck-dir/x"];
    for (resolver, store) in scene.stores(Dotfiles::Hidden) {
        assert_unseen(&store, resolver, b".dot", "hidden");
        assert_unseen(&store, resolver, b".git/config", "hidden");
        assert!(store.list(&RemotePath::from(".git")).is_err());
        for path in reserved {
            assert_unseen(&store, resolver, path.as_bytes(), "reserved");
        }
        assert_eq!(names(&store, ""), ["a.txt", "sub"]);
    }
    for (resolver, store) in scene.stores(Dotfiles::Shown) {
        for (path, due) in [(".dot", "dot"), (".git/config", "config")] {
            let source = store.read(&RemotePath::from(path)).unwrap();
            assert_eq!(content(&source), due);
        }
        for path in reserved {
            assert_unseen(&store, resolver, path.as_bytes(), "reserved");
        }
        assert!(store.list(&RemotePath::from(".ferrydeck-dir")).is_err());
        assert_eq!(names(&store, ""), [".dot", ".git", "a.txt", "sub"]);
        assert_eq!(names(&store, ".git"), ["config"]);
    }
}

/// Every name of a folder, sorted.
fn names(store: &Arc<Store>, path: &str) -> Vec<String> {
    let mut lister = store.list(&RemotePath::from(path)).unwrap();
    let mut names = Vec::new();
    loop {
        let page = lister.page(1_000, 1 << 20).unwrap();
        names.extend(page.entries.iter().map(|entry| entry.name.to_string()));
        if !page.more {
            break;
        }
    }
    names.sort();
    names
}

#[test]
fn a_listing_tells_kinds_and_leaves_out_what_cannot_be_served() {
    let scene = Scene::new();
    scene.link("a.txt", "link");
    scene.link("sub", "link-dir");
    scene.link("/etc/passwd", "absolute");
    scene.link("..", "outside");
    scene.link("nowhere", "dangling");
    mknodat(
        CWD,
        scene.at("fifo"),
        FileType::Fifo,
        Mode::from_raw_mode(0o644),
        0,
    )
    .unwrap();
    scene.link("fifo", "to-fifo");
    let _socket = UnixListener::bind(scene.at("socket")).unwrap();
    for name in [&b"no\xfftext"[..], b"bell\x07", "c1\u{9b}".as_bytes()] {
        std::fs::write(scene.root().join(OsStr::from_bytes(name)), "x").unwrap();
    }
    for (resolver, store) in scene.stores(Dotfiles::Hidden) {
        let mut lister = store.list(&RemotePath::root()).unwrap();
        let mut page = lister.page(1_000, 1 << 20).unwrap();
        page.entries.sort_by(|a, b| a.name.cmp(&b.name));
        let told: Vec<_> = page
            .entries
            .iter()
            .map(|entry| (&*entry.name, entry.kind, entry.size))
            .collect();
        assert_eq!(
            told,
            [
                ("a.txt", Kind::File, 5),
                ("link", Kind::File, 5),
                ("link-dir", Kind::Dir, 0),
                ("sub", Kind::Dir, 0),
            ],
            "{resolver:?}"
        );
        assert_eq!((page.unlisted, page.more), (3, false), "{resolver:?}");
        // What the listing offers can be had.
        for entry in &page.entries {
            let path = RemotePath::from(&*entry.name);
            assert_eq!(store.stat(&path).unwrap().0.kind, entry.kind);
        }
        let denied = store.list(&RemotePath::from("a.txt")).err().unwrap();
        assert_eq!(denied.refusal, Refusal::NotFound);
    }
}

#[test]
fn pages_end_by_count_and_by_bytes_and_the_last_says_so() {
    let scene = Scene::new();
    std::fs::create_dir(scene.at("many")).unwrap();
    for n in 0..25 {
        scene.write(&format!("many/f{n:02}"), "");
    }
    std::fs::write(scene.at("many").join(OsStr::from_bytes(b"\xff")), "").unwrap();
    for (resolver, store) in scene.stores(Dotfiles::Hidden) {
        // By count: 10, 10, 5. By bytes: 3 + 32 a name, so 4 in 140.
        for (entries, bytes, due) in [
            (10, 1 << 20, vec![10, 10, 5]),
            (25, 1 << 20, vec![25]),
            (1_000, 140, vec![4, 4, 4, 4, 4, 4, 1]),
            (5, 140, vec![4, 4, 4, 4, 4, 4, 1]),
            // Too small for any: one at a time, never none and never an endless loop.
            (1_000, 1, vec![1; 25]),
            (0, 1 << 20, vec![1; 25]),
        ] {
            let mut lister = store.list(&RemotePath::from("many")).unwrap();
            let (mut sizes, mut unlisted, mut seen) = (Vec::new(), 0, Vec::new());
            loop {
                let page = lister.page(entries, bytes).unwrap();
                sizes.push(page.entries.len());
                unlisted += page.unlisted;
                seen.extend(page.entries.into_iter().map(|entry| entry.name));
                if !page.more {
                    break;
                }
            }
            assert_eq!(sizes, due, "{resolver:?} {entries} {bytes}");
            assert_eq!(unlisted, 1);
            seen.sort();
            seen.dedup();
            assert_eq!(seen.len(), 25, "each name once");
        }
        let mut empty = store.list(&RemotePath::from("sub/deep")).unwrap();
        assert_eq!(empty.page(10, 1_000).unwrap(), Page::default());
    }
}

use crate::net::wire::codec::Page;

#[test]
fn a_folder_that_changes_while_it_is_read_is_no_error() {
    for &resolver in Resolver::ALL {
        let scene = Scene::new();
        std::fs::create_dir(scene.at("many")).unwrap();
        for n in 0..1_500 {
            scene.write(&format!("many/old{n:04}"), "");
        }
        let store = Store::open_with(&scene.root(), Dotfiles::Hidden, resolver).unwrap();
        let store = Arc::new(store);
        let mut lister = store.list(&RemotePath::from("many")).unwrap();
        let first = lister.page(10, 1 << 20).unwrap();
        assert!(first.more);
        let kept: Vec<_> = first.entries.iter().map(|e| e.name.clone()).collect();
        for n in 0..1_500 {
            let name = format!("old{n:04}");
            if !kept.iter().any(|kept| **kept == *name) {
                std::fs::remove_file(scene.at("many").join(name)).unwrap();
            }
        }
        for n in 0..100 {
            scene.write(&format!("many/new{n:04}"), "");
        }
        let mut rest = 0;
        loop {
            let page = lister.page(100, 1 << 20).unwrap();
            for entry in &page.entries {
                assert!(scene.at("many").join(&*entry.name).exists() || rest < 2);
            }
            rest += page.entries.len();
            if !page.more {
                break;
            }
        }
        // Read ahead of the removal: at most the one entry that was waiting.
        assert!(rest <= 101, "{resolver:?}: {rest} names that are gone");
        std::fs::remove_dir_all(scene.at("many")).unwrap();
        let mut gone = store.list(&RemotePath::root()).unwrap();
        assert!(!gone.page(10, 1 << 20).unwrap().more);
    }
}

#[test]
fn a_file_that_changed_grew_or_shrank_is_noticed() {
    let scene = Scene::new();
    for (resolver, store) in scene.stores(Dotfiles::Hidden) {
        type Change = fn(&Path);
        let changes: [(&str, Change); 4] = [
            ("rewritten", |path| std::fs::write(path, "HELLO").unwrap()),
            ("grown", |path| {
                std::fs::write(path, "hello and more").unwrap();
            }),
            ("shrunk", |path| std::fs::write(path, "he").unwrap()),
            ("touched", |path| {
                let file = File::options().write(true).open(path).unwrap();
                let then = std::time::SystemTime::UNIX_EPOCH;
                file.set_modified(then).unwrap();
            }),
        ];
        for (word, change) in changes {
            scene.write("changing", "hello");
            let source = store.read(&RemotePath::from("changing")).unwrap();
            assert_eq!(source.fate(), Fate::Same);
            change(&scene.at("changing"));
            assert!(source.fate() != Fate::Same, "{resolver:?} {word}");
            let anew = store.read(&RemotePath::from("changing")).unwrap();
            assert_ne!(anew.version, source.version, "{word}");
        }
        // Replaced: the open file is still what it was, the path is another.
        scene.write("replaced", "one");
        let source = store.read(&RemotePath::from("replaced")).unwrap();
        scene.write("other", "two");
        std::fs::rename(scene.at("other"), scene.at("replaced")).unwrap();
        let anew = store.read(&RemotePath::from("replaced")).unwrap();
        assert_ne!(anew.version, source.version);
        assert_eq!(content(&source), "one");
    }
}

#[test]
fn the_root_stays_the_folder_it_was() {
    let scene = Scene::new();
    for (resolver, store) in scene.stores(Dotfiles::Hidden) {
        let aside = scene.dir.path().join("aside");
        std::fs::rename(scene.root(), &aside).unwrap();
        std::fs::create_dir(scene.root()).unwrap();
        scene.write("a.txt", "another");
        let source = store.read(&RemotePath::from("a.txt")).unwrap();
        assert_eq!(content(&source), "hello", "{resolver:?}");
        std::fs::remove_dir_all(scene.root()).unwrap();
        std::fs::rename(&aside, scene.root()).unwrap();
    }
}

#[test]
fn a_root_that_is_none_is_an_error() {
    let scene = Scene::new();
    for &resolver in Resolver::ALL {
        for name in ["missing", "a.txt"] {
            let opened = Store::open_with(&scene.at(name), Dotfiles::Hidden, resolver);
            assert!(opened.is_err(), "{resolver:?} {name}");
        }
    }
}

#[test]
fn names_that_must_not_be_written_have_a_reason() {
    let long = "n".repeat(256);
    for name in [
        "",
        ".",
        "..",
        "a/b",
        "/",
        "a\nb",
        "a\0",
        "\u{9b}x",
        ".ferrydeck-x",
        &long,
    ] {
        for dotfiles in [Dotfiles::Hidden, Dotfiles::Shown] {
            assert!(unwritable(name, dotfiles).is_some(), "{name:?}");
        }
    }
    assert!(unwritable(".dot", Dotfiles::Hidden).is_some());
    for name in [".dot", "a b", "日本.txt", "-rf", &long[..255]] {
        assert_eq!(unwritable(name, Dotfiles::Shown), None, "{name:?}");
    }
}

/// Where a new name would go: the folder's own listing and the name, or the causes.
fn place(store: &Store, path: &str) -> Result<(Landing, String), (Refusal, &'static str)> {
    store
        .place(&RemotePath::from(path), Floor::Bytes(0))
        .map_err(|denied| (denied.refusal, denied.cause))
}

#[test]
fn a_new_name_goes_where_its_folder_resolves() {
    use std::os::unix::fs::FileExt as _;
    let scene = Scene::new();
    scene.link("sub/deep", "inside");
    for (round, (_, store)) in scene.stores(Dotfiles::Hidden).iter().enumerate() {
        for (at, folder) in [("", ""), ("sub/", "sub/"), ("inside/", "sub/deep/")] {
            for name in ["a b.txt", "日本", "-rf", "q\"uote'", &"é".repeat(127)] {
                let name = format!("{name}{round}");
                let (landing, last) = place(store, &format!("{at}{name}")).unwrap();
                assert_eq!(last, name);
                let mut part = landing.begin(&last, Some(1)).unwrap();
                part.file().write_all_at(b"x", 0).unwrap();
                part.land(&landing, &last, None).unwrap();
                assert!(scene.at(&format!("{folder}{name}")).is_file());
                landing.delete(&last).unwrap();
            }
        }
        let (landing, name) = place(store, "sub/new").unwrap();
        landing.make_folder(&name).unwrap();
        let (below, name) = place(store, "sub/new/x").unwrap();
        below.make_folder(&name).unwrap();
        let (there, to) = place(store, "moved").unwrap();
        landing.rename_to("new", &there, &to).unwrap();
        assert!(scene.at("moved/x").is_dir());
        std::fs::remove_dir_all(scene.at("moved")).unwrap();
    }
}

#[test]
fn a_new_name_is_refused_before_anything_is_touched() {
    let scene = Scene::new();
    std::fs::create_dir(scene.at(".git")).unwrap();
    scene.link("..", "out");
    scene.link("/tmp", "absolute");
    scene.link("nowhere", "dangling");
    let long = "n".repeat(256);
    let deep = "d/".repeat(2_100);
    let misnamed = [
        "",
        "..",
        ".",
        "sub/",
        "sub/..",
        "sub/.",
        ".dot",
        "sub/.dot",
        ".ferrydeck-x",
        "sub/.ferrydeck-0.part",
        "a\nb",
        "sub/a\u{9b}",
        "a\0b",
        "/",
        &long,
        &deep,
    ];
    let unseen = [
        ("/x", "outside"),
        ("/etc/x", "outside"),
        ("../x", "outside"),
        ("sub/../x", "outside"),
        ("out/x", "outside"),
        ("out/root/x", "outside"),
        ("absolute/x", "outside"),
        ("sub//x", "bad_path"),
        ("./x", "bad_path"),
        (".git/x", "hidden"),
        (".ferrydeck-x/x", "reserved"),
        ("nowhere/x", "not_found"),
        ("dangling/x", "not_found"),
        ("a.txt/x", "not_found"),
    ];
    for (resolver, store) in scene.stores(Dotfiles::Hidden) {
        for path in misnamed {
            let refused = place(&store, path).err();
            assert_eq!(
                refused,
                Some((Refusal::BadName, "bad_name")),
                "{resolver:?} {path:?}"
            );
        }
        for (path, cause) in unseen {
            let refused = place(&store, path).err();
            assert_eq!(
                refused,
                Some((Refusal::NotFound, cause)),
                "{resolver:?} {path:?}"
            );
        }
        let bytes = RemotePath::new(&b"sub/a\xff"[..]);
        let refused = store.place(&bytes, Floor::Usual).err().unwrap();
        assert_eq!(refused.refusal, Refusal::BadName);
        let bytes = RemotePath::new(&b"s\xff/a"[..]);
        let refused = store.place(&bytes, Floor::Usual).err().unwrap();
        assert_eq!(refused.refusal, Refusal::NotFound);
    }
    for (_, store) in scene.stores(Dotfiles::Shown) {
        let (landing, name) = place(&store, ".git/.x").unwrap();
        assert_eq!(landing.refuses(&name), None);
        assert!(place(&store, ".git/.ferrydeck-x").is_err());
    }
}

#[test]
fn a_folder_is_swept_when_a_name_is_first_placed_in_it() {
    for &resolver in Resolver::ALL {
        let scene = Scene::new();
        let store = Store::open_with(&scene.root(), Dotfiles::Hidden, resolver).unwrap();
        scene.write("sub/.ferrydeck-0.tmp", "litter");
        scene.write("sub/.ferrydeck-0123456789abcdef.part", "old");
        let old = std::fs::File::options()
            .write(true)
            .open(scene.at("sub/.ferrydeck-0123456789abcdef.part"))
            .unwrap();
        old.set_modified(std::time::SystemTime::UNIX_EPOCH).unwrap();
        place(&store, "sub/x").unwrap();
        assert!(!scene.at("sub/.ferrydeck-0.tmp").exists());
        let part = scene.at("sub/.ferrydeck-0123456789abcdef.part");
        assert!(!part.exists(), "{resolver:?}");
        // Once, not for every file that comes.
        scene.write("sub/.ferrydeck-1.tmp", "litter");
        place(&store, "sub/x").unwrap();
        assert!(scene.at("sub/.ferrydeck-1.tmp").exists());
    }
}

#[test]
fn what_has_just_changed_is_not_settled() {
    let scene = Scene::new();
    scene.write("fresh", "x");
    let read = |path: &Path| Source::open_own(path).unwrap().is_settled();
    assert!(!read(&scene.at("fresh")));
    // The time of its content does not count: that can be set.
    let file = std::fs::File::options().write(true).open(scene.at("fresh"));
    file.unwrap()
        .set_modified(std::time::SystemTime::UNIX_EPOCH)
        .unwrap();
    assert!(!read(&scene.at("fresh")));
    // It was there long before this test.
    assert!(read(Path::new("/bin/sh")));
}

/// Memory of this process now, in bytes.
#[cfg(feature = "heavy")]
fn memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:"));
    let kib: u64 = line
        .unwrap()
        .split_whitespace()
        .nth(1)
        .unwrap()
        .parse()
        .unwrap();
    kib * 1_024
}

#[cfg(feature = "heavy")]
const MILLION: &str = "FERRYDECK_TEST_MILLION";

/// The other process of the test below, so that nobody else's memory counts.
#[cfg(feature = "heavy")]
#[test]
#[expect(clippy::print_stdout, reason = "figures are for reading")]
fn child_that_lists() {
    use std::time::{Duration, Instant};
    let Some(dir) = std::env::var_os(MILLION) else {
        return;
    };
    for &resolver in Resolver::ALL {
        let store = Store::open_with(dir.as_ref(), Dotfiles::Hidden, resolver).unwrap();
        let store = Arc::new(store);
        let before = memory();
        let start = Instant::now();
        let mut lister = store.list(&RemotePath::root()).unwrap();
        let mut page = lister.page(1_000, 192 << 10).unwrap();
        let first = start.elapsed();
        let (mut names, mut most) = (page.entries.len(), 0);
        while page.more {
            page = lister.page(1_000, 192 << 10).unwrap();
            names += page.entries.len();
            most = most.max(memory().saturating_sub(before));
        }
        let all = start.elapsed();
        println!("{resolver:?}: first page {first:?}, all {all:?}, {most} bytes more");
        assert_eq!(names, 1_000_000);
        assert!(first < Duration::from_millis(200), "{first:?}");
        assert!(most < 8 << 20, "{most}");
    }
}

/// `cargo test --release --features heavy --lib a_million -- --nocapture` prints figures.
#[cfg(feature = "heavy")]
#[test]
fn a_million_names_come_in_pages_at_once_and_take_no_memory() {
    let dir = TempDir::new_in("/dev/shm").unwrap();
    for n in 0..1_000_000 {
        std::fs::File::create(dir.path().join(format!("entry-{n:07}.txt"))).unwrap();
    }
    let status = std::process::Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "net::store::tests::child_that_lists",
            "--nocapture",
        ])
        .env(MILLION, dir.path())
        .status();
    assert!(status.unwrap().success());
}
