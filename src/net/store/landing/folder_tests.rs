//! Folders: found and made beneath, moved and removed, and never led astray.
#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot set its scene has failed"
)]

use std::os::unix::fs::{FileExt as _, symlink};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use assert_fs::TempDir;

use super::super::{Floor, Make, Mark};
use super::*;
use crate::net::store::Dotfiles;

const DEADLINE: Duration = Duration::from_mins(1);
const MAKES: [Make; 2] = [Make::Best, Make::Named];

fn open(dir: &TempDir, make: Make) -> Landing {
    Landing::open(dir.path(), Dotfiles::Hidden, Floor::Bytes(0), make).unwrap()
}

fn land(landing: &Landing, name: &str, content: &[u8]) {
    let mut part = landing.begin(name, Some(content.len() as u64)).unwrap();
    part.file().write_all_at(content, 0).unwrap();
    part.land(landing, name, None).unwrap();
}

fn is_name(result: &Result<impl Sized, Unlanded>) -> bool {
    matches!(result, Err(Unlanded::Name(_)))
}

fn is_missing(result: &Result<impl Sized, Unlanded>) -> bool {
    matches!(result, Err(Unlanded::Disk(error)) if error.kind() == std::io::ErrorKind::NotFound)
}

#[test]
fn folders_are_made_on_the_way_and_files_land_in_them() {
    for make in MAKES {
        let dir = TempDir::new().unwrap();
        let root = open(&dir, make);
        assert!(is_missing(&root.folder("a", Missing::Refuse)));
        assert!(is_missing(&root.folder("a/b", Missing::Refuse)));
        let deep = root.folder("a/b/a b/日本", Missing::Make).unwrap();
        land(&deep, "x", b"deep");
        land(&root.folder("a/b", Missing::Refuse).unwrap(), "x", b"b");
        land(&root.folder("", Missing::Refuse).unwrap(), "x", b"root");
        let again = deep.resume("y", &Mark::new(b"").unwrap(), 0).unwrap().0;
        again.land(&deep, "y", None, None).unwrap();
        for (path, due) in [("a/b/a b/日本/x", "deep"), ("a/b/x", "b"), ("x", "root")] {
            let found = std::fs::read_to_string(dir.path().join(path)).unwrap();
            assert_eq!(found, due, "{make:?}");
        }
        assert!(dir.path().join("a/b/a b/日本/y").exists());
        assert!(
            root.ground
                .settle_by(|owed| {
                    assert_eq!(owed.count(), 0, "landed: nothing is owed");
                    Ok(())
                })
                .is_ok()
        );
    }
}

#[test]
fn a_new_folder_is_owed_until_something_lands() {
    let dir = TempDir::new().unwrap();
    let root = open(&dir, Make::Best);
    let owed = || {
        let mut count = 0;
        let failed: std::io::Result<()> = root.ground.settle_by(|owed| {
            count = owed.count();
            Err(std::io::Error::other("not yet"))
        });
        assert!(failed.is_err());
        count
    };
    let below = root.folder("a/b", Missing::Make).unwrap();
    root.make_folder("c").unwrap();
    assert_eq!(owed(), 2, "the root and a hold new names");
    assert_eq!(owed(), 2, "what failed is still owed");
    land(&below, "x", b"");
    assert_eq!(owed(), 0);
    // However many are made, only so many are held open.
    for n in 0..200 {
        root.folder(&format!("n{n}/x"), Missing::Make).unwrap();
    }
    assert!(owed() < 64, "{}", owed());
}

#[test]
fn no_path_leads_out_or_through_a_link() {
    for make in MAKES {
        let dir = TempDir::new().unwrap();
        let outside = TempDir::new().unwrap();
        let root = open(&dir, make);
        std::fs::create_dir(dir.path().join("real")).unwrap();
        std::fs::write(dir.path().join("file"), "").unwrap();
        symlink(outside.path(), dir.path().join("out")).unwrap();
        symlink("real", dir.path().join("in")).unwrap();
        symlink("nowhere", dir.path().join("dangling")).unwrap();
        for missing in [Missing::Make, Missing::Refuse] {
            for path in [
                "..",
                ".",
                "real/..",
                "real/../x",
                "/",
                "/etc",
                "real/",
                "real//x",
                "a\0b",
                "out",
                "out/x",
                "in",
                "in/x",
                "dangling",
                "dangling/x",
                "file",
                "file/x",
                ".git",
                "real/.x",
                ".ferrydeck-x",
                "real/.ferrydeck-0.tmp/x",
                "a\nb",
            ] {
                let found = root.folder(path, missing);
                assert!(is_name(&found), "{path:?} {missing:?}: {found:?}");
            }
            assert!(is_name(&root.folder(&"n".repeat(256), missing)));
        }
        assert_eq!(std::fs::read_dir(outside.path()).unwrap().count(), 0);
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 5);
        let long = root.folder(&"é".repeat(127), Missing::Make);
        assert!(long.is_ok(), "{long:?}");
    }
    let dir = TempDir::new().unwrap();
    let floor = Floor::Bytes(0);
    let shown = Landing::open(dir.path(), Dotfiles::Shown, floor, Make::Best).unwrap();
    shown.folder(".git/x", Missing::Make).unwrap();
    assert!(is_name(&shown.folder(".ferrydeck-x", Missing::Make)));
}

#[test]
fn depth_has_an_end() {
    let dir = TempDir::new().unwrap();
    let root = open(&dir, Make::Best);
    let path = vec!["d"; MAX_DEPTH].join("/");
    root.folder(&path, Missing::Make).unwrap();
    let refused = root.folder(&format!("{path}/d"), Missing::Make);
    assert!(is_name(&refused), "{refused:?}");
}

/// Somebody swaps a folder for a link again and again: nothing ever lands outside.
#[test]
fn a_folder_swapped_for_a_link_is_never_left() {
    let dir = TempDir::new().unwrap();
    let outside = TempDir::new().unwrap();
    let root = open(&dir, Make::Best);
    let at = dir.path().join("a");
    std::fs::create_dir(&at).unwrap();
    symlink(outside.path(), dir.path().join("link")).unwrap();
    let aside = dir.path().join("aside");
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                std::fs::rename(&at, &aside).unwrap();
                std::fs::rename(dir.path().join("link"), &at).unwrap();
                std::fs::rename(&at, dir.path().join("link")).unwrap();
                // Somebody else may have made one meanwhile.
                let _ = std::fs::remove_dir_all(&at);
                std::fs::rename(&aside, &at).unwrap();
            }
        });
        let mut landed = 0;
        // Until both were seen often: on a busy machine the threads take turns.
        let began = Instant::now();
        for n in 0_u32.. {
            if n >= 2_000 && landed > 0 || began.elapsed() > DEADLINE {
                break;
            }
            let Ok(folder) = root.folder("a", Missing::Refuse) else {
                continue;
            };
            let name = format!("f{n}");
            let Ok(mut part) = folder.begin(&name, None) else {
                continue;
            };
            landed += u32::from(part.land(&folder, &name, None).is_ok());
        }
        over.store(true, Ordering::Relaxed);
        assert!(landed > 0);
    });
    assert_eq!(std::fs::read_dir(outside.path()).unwrap().count(), 0);
}

#[test]
fn many_that_make_one_folder_all_get_it() {
    let dir = TempDir::new().unwrap();
    let root = open(&dir, Make::Best);
    std::thread::scope(|scope| {
        for n in 0..4 {
            let root = &root;
            scope.spawn(move || {
                for round in 0..50 {
                    let folder = root.folder(&format!("r{round}/x"), Missing::Make).unwrap();
                    land(&folder, &format!("f{n}"), b"x");
                }
            });
        }
    });
    for round in 0..50 {
        let path = dir.path().join(format!("r{round}/x"));
        assert_eq!(std::fs::read_dir(path).unwrap().count(), 4);
    }
}

#[test]
fn a_folder_is_made_once() {
    let dir = TempDir::new().unwrap();
    let root = open(&dir, Make::Best);
    root.make_folder("a").unwrap();
    std::fs::write(dir.path().join("file"), "").unwrap();
    symlink("nowhere", dir.path().join("link")).unwrap();
    for taken in ["a", "file", "link"] {
        let made = root.make_folder(taken);
        assert!(matches!(made, Err(Unlanded::Taken)), "{taken}: {made:?}");
    }
    for name in ["", ".", "..", "a/b", ".dot", ".ferrydeck-x", "a\u{1b}b"] {
        assert!(is_name(&root.make_folder(name)), "{name:?}");
    }
    assert!(!dir.path().join("nowhere").exists());
}

#[test]
fn only_files_and_empty_folders_are_deleted() {
    let dir = TempDir::new().unwrap();
    let outside = TempDir::new().unwrap();
    let root = open(&dir, Make::Best);
    let at = |name: &str| dir.path().join(name);
    std::fs::write(at("file"), "").unwrap();
    std::fs::create_dir_all(at("full/x")).unwrap();
    std::fs::create_dir(at("hidden")).unwrap();
    std::fs::write(at("hidden/.x"), "").unwrap();
    std::fs::write(outside.path().join("kept"), "").unwrap();
    symlink(outside.path(), at("link")).unwrap();
    symlink(outside.path().join("kept"), at("to-file")).unwrap();
    std::fs::write(at(".dot"), "").unwrap();
    std::fs::write(at(".ferrydeck-x"), "").unwrap();
    for full in ["full", "hidden"] {
        let deleted = root.delete(full);
        assert!(matches!(deleted, Err(Unlanded::NotEmpty)), "{deleted:?}");
    }
    for none in ["link", "to-file", "nowhere"] {
        assert!(is_missing(&root.delete(none)), "{none}");
    }
    for name in [".dot", ".ferrydeck-x", "..", ".", "", "full/x", "../x"] {
        assert!(is_name(&root.delete(name)), "{name:?}");
    }
    root.folder("full", Missing::Refuse)
        .unwrap()
        .delete("x")
        .unwrap();
    root.delete("full").unwrap();
    root.delete("file").unwrap();
    let mut left: Vec<_> = std::fs::read_dir(dir.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    left.sort();
    assert_eq!(left, [".dot", ".ferrydeck-x", "hidden", "link", "to-file"]);
    assert!(outside.path().join("kept").exists());
}

#[test]
fn files_and_folders_move_and_replace_nothing() {
    let dir = TempDir::new().unwrap();
    let root = open(&dir, Make::Best);
    let at = |name: &str| dir.path().join(name);
    let one = root.folder("one", Missing::Make).unwrap();
    let two = root.folder("two/deep", Missing::Make).unwrap();
    land(&one, "file", b"1");
    one.rename_to("file", &two, "other").unwrap();
    assert_eq!(std::fs::read(at("two/deep/other")).unwrap(), b"1");
    root.rename_to("one", &two, "moved").unwrap();
    assert!(at("two/deep/moved").is_dir() && !at("one").exists());
    // The handle is the folder's, wherever it stands.
    land(&one, "late", b"2");
    assert_eq!(std::fs::read(at("two/deep/moved/late")).unwrap(), b"2");
    std::fs::create_dir(at("empty")).unwrap();
    std::fs::write(at("taken"), "old").unwrap();
    symlink("nowhere", at("link")).unwrap();
    for (from, to) in [
        ("two", "empty"),
        ("two", "taken"),
        ("two", "link"),
        ("taken", "empty"),
        ("taken", "link"),
        ("taken", "taken"),
        ("empty", "two"),
    ] {
        let moved = root.rename_to(from, &root, to);
        assert!(
            matches!(moved, Err(Unlanded::Taken)),
            "{from} {to}: {moved:?}"
        );
    }
    assert_eq!(std::fs::read(at("taken")).unwrap(), b"old");
    for (from, there, to) in [
        ("two", &two, "x"),
        ("two", &root.folder("two", Missing::Refuse).unwrap(), "x"),
    ] {
        let moved = root.rename_to(from, there, to);
        assert!(is_name(&moved), "into itself: {moved:?}");
    }
    assert!(at("two/deep/moved").is_dir());
    for name in ["..", "", "a/b", ".dot", ".ferrydeck-x"] {
        assert!(is_name(&root.rename_to("taken", &root, name)), "{name:?}");
        assert!(is_name(&root.rename_to(name, &root, "x")), "{name:?}");
    }
    for none in ["link", "nowhere"] {
        assert!(is_missing(&root.rename_to(none, &root, "x")), "{none}");
    }
}

#[test]
fn where_the_kernel_cannot_refuse_to_replace_an_empty_folder_holds_the_name() {
    let dir = TempDir::new().unwrap();
    let root = open(&dir, Make::Best);
    let inner = root.folder("a/b/c", Missing::Make).unwrap();
    root.make_folder("d").unwrap();
    assert!(
        root.is_within("a", &inner)
            && root.is_within("a", &root.folder("a", Missing::Refuse).unwrap())
    );
    assert!(!root.is_within("d", &inner) && !root.is_within("a", &root));
    assert_eq!(root.swap_in("a", &root, "d").err(), Some(Errno::EXIST));
    root.swap_in("a", &root, "e").unwrap();
    assert!(dir.path().join("e/b/c").is_dir() && !dir.path().join("a").exists());
    assert!(root.swap_in("nowhere", &root, "f").is_err());
    assert!(!dir.path().join("f").exists());
}

#[test]
fn two_that_move_to_one_name_lose_nothing() {
    let dir = TempDir::new().unwrap();
    let root = open(&dir, Make::Best);
    for round in 0..100 {
        for side in ["x", "y"] {
            std::fs::write(dir.path().join(side), side).unwrap();
        }
        let to = format!("r{round}");
        let won: Vec<_> = std::thread::scope(|scope| {
            let runs = ["x", "y"].map(|side| {
                let (root, to) = (&root, &to);
                scope.spawn(move || root.rename_to(side, root, to).is_ok())
            });
            runs.into_iter().map(|run| run.join().unwrap()).collect()
        });
        assert_eq!(won.iter().filter(|&&won| won).count(), 1);
        let (winner, loser) = if won[0] { ("x", "y") } else { ("y", "x") };
        assert_eq!(
            std::fs::read_to_string(dir.path().join(&to)).unwrap(),
            winner
        );
        assert_eq!(
            std::fs::read_to_string(dir.path().join(loser)).unwrap(),
            loser
        );
    }
}

#[test]
fn folders_keep_the_floor_too() {
    let dir = TempDir::new().unwrap();
    std::fs::create_dir(dir.path().join("old")).unwrap();
    let floor = Floor::Bytes(u64::MAX);
    let landing = Landing::open(dir.path(), Dotfiles::Hidden, floor, Make::Best).unwrap();
    let full = |done: Result<(), Unlanded>| matches!(done, Err(Unlanded::Full { .. }));
    assert!(full(landing.make_folder("new")));
    assert!(full(landing.folder("new/er", Missing::Make).map(drop)));
    assert!(!dir.path().join("new").exists());
    // What is there takes nothing.
    assert!(matches!(landing.make_folder("old"), Err(Unlanded::Taken)));
    assert!(landing.folder("old", Missing::Make).is_ok());
}
