//! Landing: nothing half, nothing lost, nothing replaced that nobody named.
#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot set its scene has failed"
)]

use std::os::unix::fs::FileExt as _;
use std::sync::Barrier;

use assert_fs::TempDir;

use super::*;
use crate::event::Clash;

const MAKES: [Make; 2] = [Make::Best, Make::Named];

fn landing(dir: &TempDir, make: Make) -> Landing {
    Landing::open(dir.path(), Dotfiles::Hidden, Floor::Bytes(0), make).unwrap()
}

fn part(landing: &Landing, name: &str, content: &[u8]) -> Part {
    let mut part = landing.begin(name, Some(content.len() as u64)).unwrap();
    part.make_room(content.len() as u64).unwrap();
    part.file().write_all_at(content, 0).unwrap();
    part
}

/// Every name in the folder, hidden ones included, sorted.
fn names(dir: &TempDir) -> Vec<String> {
    let mut names: Vec<_> = std::fs::read_dir(dir.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

fn read(dir: &TempDir, name: &str) -> String {
    std::fs::read_to_string(dir.path().join(name)).unwrap()
}

#[test]
fn nothing_stands_under_its_name_before_it_is_complete() {
    for make in MAKES {
        let dir = TempDir::new().unwrap();
        let landing = landing(&dir, make);
        let mut part = part(&landing, "a.txt", b"whole");
        assert!(!dir.path().join("a.txt").exists(), "{make:?}");
        assert!(!landing.is_taken("a.txt"));
        let temporaries = names(&dir);
        assert!(temporaries.iter().all(|name| name.starts_with(RESERVED)));
        assert_eq!(
            temporaries.is_empty(),
            make == Make::Best,
            "{temporaries:?}"
        );
        assert_eq!(part.land(&landing, "a.txt", None).unwrap(), "a.txt");
        drop(part);
        assert_eq!(names(&dir), ["a.txt"], "{make:?}");
        assert_eq!(read(&dir, "a.txt"), "whole");
    }
}

#[test]
fn a_dropped_part_leaves_nothing() {
    for make in MAKES {
        let dir = TempDir::new().unwrap();
        let landing = landing(&dir, make);
        drop(part(&landing, "a.txt", b"half"));
        assert_eq!(names(&dir), [""; 0], "{make:?}");
    }
}

#[test]
fn what_was_reserved_beyond_the_end_is_given_back() {
    use std::os::unix::fs::MetadataExt as _;
    for make in MAKES {
        let dir = TempDir::new().unwrap();
        let landing = landing(&dir, make);
        let mut part = landing.begin("a", None).unwrap();
        part.make_room(5).unwrap();
        part.file().write_all_at(b"hello", 0).unwrap();
        part.land(&landing, "a", None).unwrap();
        let meta = dir.path().join("a").metadata().unwrap();
        assert_eq!(meta.len(), 5);
        assert!(meta.blocks() * 512 < 1 << 20, "{} blocks", meta.blocks());
    }
}

#[test]
fn a_taken_name_is_an_error_and_another_answer_can_follow() {
    for make in MAKES {
        for (clash, due) in [
            (Clash::Rename, vec![("a (1).txt", "new"), ("a.txt", "old")]),
            (Clash::Overwrite, vec![("a.txt", "new")]),
        ] {
            let dir = TempDir::new().unwrap();
            let landing = landing(&dir, make);
            std::fs::write(dir.path().join("a.txt"), "old").unwrap();
            assert!(landing.is_taken("a.txt"));
            let mut part = part(&landing, "a.txt", b"new");
            for answer in [None, Some(Clash::Skip)] {
                let refused = part.land(&landing, "a.txt", answer);
                assert!(matches!(refused, Err(Unlanded::Taken)), "{refused:?}");
                assert_eq!(read(&dir, "a.txt"), "old");
            }
            let name = part.land(&landing, "a.txt", Some(clash)).unwrap();
            assert_eq!(name, due[0].0);
            drop(part);
            let found: Vec<_> = names(&dir)
                .into_iter()
                .map(|name| (name.clone(), read(&dir, &name)))
                .collect();
            let due: Vec<_> = due
                .into_iter()
                .map(|(name, text)| (name.to_owned(), text.to_owned()))
                .collect();
            assert_eq!(found, due, "{make:?} {clash:?}");
        }
    }
}

#[test]
fn a_dangling_link_takes_a_name_and_is_never_followed() {
    for make in MAKES {
        let dir = TempDir::new().unwrap();
        let landing = landing(&dir, make);
        std::os::unix::fs::symlink("elsewhere", dir.path().join("a")).unwrap();
        assert!(landing.is_taken("a"));
        let mut part = part(&landing, "a", b"new");
        assert!(matches!(
            part.land(&landing, "a", None),
            Err(Unlanded::Taken)
        ));
        assert_eq!(
            part.land(&landing, "a", Some(Clash::Overwrite)).unwrap(),
            "a"
        );
        assert!(dir.path().join("a").symlink_metadata().unwrap().is_file());
        assert!(!dir.path().join("elsewhere").exists());
    }
}

#[test]
fn overwriting_a_folder_is_an_error_and_nothing_is_lost() {
    for make in MAKES {
        let dir = TempDir::new().unwrap();
        let landing = landing(&dir, make);
        std::fs::create_dir(dir.path().join("a")).unwrap();
        std::fs::write(dir.path().join("a/inside"), "kept").unwrap();
        let mut part = part(&landing, "a", b"new");
        let refused = part.land(&landing, "a", Some(Clash::Overwrite));
        assert!(matches!(refused, Err(Unlanded::Disk(_))), "{refused:?}");
        assert_eq!(read(&dir, "a/inside"), "kept");
        // The download is still there and can get another name.
        let name = part.land(&landing, "a", Some(Clash::Rename)).unwrap();
        assert_eq!(
            (name.as_str(), read(&dir, "a (1)")),
            ("a (1)", "new".into())
        );
        drop(part);
        assert_eq!(names(&dir), ["a", "a (1)"], "{make:?}");
    }
}

#[test]
fn a_new_name_counts_up_and_stays_within_255_bytes() {
    assert_eq!(numbered("a.txt", 1), "a (1).txt");
    assert_eq!(numbered("a.tar.gz", 2), "a.tar (2).gz");
    assert_eq!(numbered("noext", 3), "noext (3)");
    assert_eq!(numbered(".dot", 1), ".dot (1)");
    let long = format!("{}.txt", "n".repeat(251));
    assert_eq!(numbered(&long, 12).len(), 255);
    assert!(numbered(&long, 12).ends_with("n (12).txt"));
    for at in 0..4 {
        // Four bytes a character: the cut must not fall into one.
        let wide = format!("{}{}", "n".repeat(at), "🦀".repeat(62));
        let wide = format!("{wide}.txt");
        assert!(wide.len() <= 255);
        let name = numbered(&wide, 1);
        assert!(name.len() <= 255 && name.ends_with("🦀 (1).txt"), "{name}");
    }
    // What looks like an extension and is longer than any: part of the name.
    let dotted = format!("a.{}", "x".repeat(253));
    let name = numbered(&dotted, 1);
    assert!(name.len() <= 255 && name.ends_with(" (1)"), "{name}");
}

#[test]
fn a_long_name_that_is_taken_lands_beside_itself() {
    for make in MAKES {
        for name in [
            "n".repeat(255),
            format!("{}.txt", "n".repeat(251)),
            format!("a.{}", "x".repeat(253)),
            format!("{}.txt", "é".repeat(125)),
        ] {
            let dir = TempDir::new().unwrap();
            let landing = landing(&dir, make);
            std::fs::write(dir.path().join(&name), "old").unwrap();
            let mut part = part(&landing, &name, b"new");
            let landed = part.land(&landing, &name, Some(Clash::Rename)).unwrap();
            assert_ne!(landed, name);
            assert_eq!(read(&dir, &landed), "new");
            assert_eq!(read(&dir, &name), "old");
        }
    }
}

#[test]
fn many_of_one_name_are_numbered_without_a_gap() {
    for make in MAKES {
        let dir = TempDir::new().unwrap();
        let landing = landing(&dir, make);
        let start = Barrier::new(8);
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    let mut part = part(&landing, "a.txt", b"whole");
                    start.wait();
                    part.land(&landing, "a.txt", Some(Clash::Rename)).unwrap();
                });
            }
        });
        let due: Vec<_> = (1..8)
            .map(|n| format!("a ({n}).txt"))
            .chain(["a.txt".to_owned()])
            .collect();
        assert_eq!(names(&dir), due, "{make:?}");
    }
}

#[test]
fn two_landings_of_one_fresh_name_are_each_whole() {
    for make in MAKES {
        let dir = TempDir::new().unwrap();
        let landing = landing(&dir, make);
        for round in 0..100 {
            let name = format!("r{round}");
            let start = Barrier::new(2);
            let landed: Vec<_> = std::thread::scope(|scope| {
                let runs: Vec<_> = [b'x', b'y']
                    .into_iter()
                    .map(|byte| {
                        let (name, landing, start) = (&name, &landing, &start);
                        scope.spawn(move || {
                            let mut part = part(landing, name, &[byte; 4_096]);
                            start.wait();
                            part.land(landing, name, None).is_ok()
                        })
                    })
                    .collect();
                runs.into_iter().map(|run| run.join().unwrap()).collect()
            });
            assert_eq!(landed.iter().filter(|&&won| won).count(), 1);
            let found = std::fs::read(dir.path().join(&name)).unwrap();
            let byte = if landed[0] { b'x' } else { b'y' };
            assert_eq!(found, [byte; 4_096], "{make:?}: the winner's, whole");
        }
        assert_eq!(names(&dir).len(), 100);
    }
}

#[test]
fn overwriting_replaces_at_once() {
    for make in MAKES {
        let dir = TempDir::new().unwrap();
        let landing = landing(&dir, make);
        let path = dir.path().join("a");
        std::fs::write(&path, [0; 4_096]).unwrap();
        let over = std::sync::atomic::AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                for byte in 1..=50 {
                    let mut part = part(&landing, "a", &[byte; 4_096]);
                    part.land(&landing, "a", Some(Clash::Overwrite)).unwrap();
                }
                over.store(true, std::sync::atomic::Ordering::Relaxed);
            });
            while !over.load(std::sync::atomic::Ordering::Relaxed) {
                // Never missing, never a mixture.
                let found = std::fs::read(&path).unwrap();
                assert_eq!(found.len(), 4_096);
                assert!(found.iter().all(|&byte| byte == found[0]));
            }
        });
        assert_eq!(std::fs::read(&path).unwrap(), [50; 4_096]);
        assert_eq!(names(&dir), ["a"], "{make:?}");
    }
}

#[test]
fn litter_nobody_holds_is_swept_and_what_is_held_stays() {
    let dir = TempDir::new().unwrap();
    let at = |name: &str| dir.path().join(name);
    std::fs::write(at(".ferrydeck-0123.tmp"), "litter").unwrap();
    std::fs::write(at(".ferrydeck-0123.part"), "resumable").unwrap();
    std::fs::write(at("ferrydeck-0123.tmp"), "a person's").unwrap();
    std::fs::write(at("x.tmp"), "a person's").unwrap();
    let held = std::fs::File::create(at(".ferrydeck-4567.tmp")).unwrap();
    flock(&held, FlockOperation::NonBlockingLockExclusive).unwrap();
    let first = landing(&dir, Make::Named);
    let mut part = part(&first, "a", b"whole");
    let second = landing(&dir, Make::Named);
    let kept = names(&dir);
    assert!(
        !kept.contains(&".ferrydeck-0123.tmp".to_owned()),
        "{kept:?}"
    );
    for name in [
        ".ferrydeck-0123.part",
        ".ferrydeck-4567.tmp",
        "ferrydeck-0123.tmp",
        "x.tmp",
    ] {
        assert!(kept.contains(&name.to_owned()), "{name} of {kept:?}");
    }
    // The other's part is alive and lands.
    part.land(&second, "a", None).unwrap();
    assert_eq!(read(&dir, "a"), "whole");
}

/// A folder may be opened, and so swept, at any moment of another's work.
#[test]
fn a_sweep_never_takes_a_living_part() {
    for make in MAKES {
        let dir = TempDir::new().unwrap();
        let landing = landing(&dir, make);
        std::fs::write(dir.path().join("a"), "old").unwrap();
        let over = std::sync::atomic::AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while !over.load(std::sync::atomic::Ordering::Relaxed) {
                    super::ground::sweep(&landing.dir);
                }
            });
            let failed = (0..150).find_map(|_| match landing.begin("a", Some(1)) {
                Ok(mut part) => part.land(&landing, "a", Some(Clash::Overwrite)).err(),
                Err(error) => Some(error),
            });
            over.store(true, std::sync::atomic::Ordering::Relaxed);
            assert!(failed.is_none(), "{make:?}: {failed:?}");
        });
        assert_eq!(names(&dir), ["a"]);
    }
}

#[test]
fn a_disk_below_its_floor_takes_nothing() {
    for make in MAKES {
        let dir = TempDir::new().unwrap();
        let open = |floor| Landing::open(dir.path(), Dotfiles::Hidden, floor, make).unwrap();
        let full = open(Floor::Bytes(u64::MAX)).begin("a", Some(1));
        assert!(matches!(full, Err(Unlanded::Full { .. })), "{full:?}");
        let full = open(Floor::Bytes(u64::MAX)).begin("a", None);
        assert!(matches!(full, Err(Unlanded::Full { .. })), "{full:?}");
        let vast = open(Floor::Bytes(0)).begin("a", Some(u64::MAX));
        assert!(matches!(vast, Err(Unlanded::Full { .. })), "{vast:?}");
        assert!(open(Floor::Usual).begin("a", Some(1)).is_ok());
        assert_eq!(names(&dir), [""; 0]);
    }
}

#[test]
fn names_that_must_not_be_written_begin_nothing() {
    for make in MAKES {
        let dir = TempDir::new().unwrap();
        let landing = landing(&dir, make);
        for name in [
            "",
            ".",
            "..",
            "../x",
            "/x",
            "a\nb",
            ".dot",
            ".ferrydeck-x.tmp",
        ] {
            let refused = landing.begin(name, Some(1));
            assert!(matches!(refused, Err(Unlanded::Name(_))), "{name:?}");
            assert!(landing.refuses(name).is_some());
        }
        let shown = Landing::open(dir.path(), Dotfiles::Shown, Floor::Bytes(0), make).unwrap();
        let mut part = part(&shown, ".dot", b"x");
        assert_eq!(part.land(&shown, ".dot", None).unwrap(), ".dot");
    }
}

#[test]
fn a_folder_that_is_none_cannot_be_opened() {
    let dir = TempDir::new().unwrap();
    std::fs::write(dir.path().join("file"), "").unwrap();
    for name in ["missing", "file"] {
        let opened = Landing::open(
            &dir.path().join(name),
            Dotfiles::Hidden,
            Floor::Bytes(0),
            Make::Best,
        );
        assert!(opened.is_err(), "{name}");
    }
}
