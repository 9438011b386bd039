//! Batches: many files, one sync, each whole or not there.
#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot set its scene has failed"
)]

use std::os::unix::fs::MetadataExt as _;

use assert_fs::TempDir;

use super::super::{Floor, Make, Missing};
use super::*;
use crate::net::store::Dotfiles;

const MAKES: [Make; 2] = [Make::Best, Make::Named];

fn open(dir: &TempDir, make: Make) -> Arc<Landing> {
    let floor = Floor::Bytes(0);
    Arc::new(Landing::open(dir.path(), Dotfiles::Hidden, floor, make).unwrap())
}

fn names(dir: &TempDir) -> Vec<String> {
    let mut names: Vec<_> = std::fs::read_dir(dir.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn few_and_many_land_with_their_times_and_none_before_the_end() {
    for make in MAKES {
        // Synced one by one, and all together.
        for count in [0, 1, FEW, FEW + 1, 300] {
            let dir = TempDir::new().unwrap();
            let landing = open(&dir, make);
            let mut batch = landing.batch();
            assert!(batch.is_empty());
            for n in 0..count {
                let mtime = i64::try_from(n).unwrap() + 1_000;
                let content = vec![b'x'; n];
                batch
                    .add(&format!("f{n}"), &content, Some(mtime), None)
                    .unwrap();
                assert!(!landing.is_taken(&format!("f{n}")));
            }
            assert_eq!(batch.len(), count);
            let landed = batch.commit();
            assert_eq!(landed.len(), count);
            for (n, name) in landed.into_iter().enumerate() {
                assert_eq!(name.unwrap(), format!("f{n}"));
                let meta = dir.path().join(format!("f{n}")).metadata().unwrap();
                let mtime = i64::try_from(n).unwrap() + 1_000;
                assert_eq!((meta.len(), meta.mtime()), (n as u64, mtime));
            }
            assert_eq!(names(&dir).len(), count, "{make:?}: nothing else");
        }
    }
}

#[test]
fn a_batch_that_is_dropped_leaves_nothing() {
    for make in MAKES {
        let dir = TempDir::new().unwrap();
        let landing = open(&dir, make);
        let mut batch = landing.batch();
        for n in 0..10 {
            batch.add(&format!("f{n}"), b"x", None, None).unwrap();
        }
        assert_eq!(names(&dir).is_empty(), make == Make::Best);
        drop(batch);
        assert_eq!(names(&dir), [""; 0]);
    }
}

#[test]
fn what_fails_fails_alone() {
    for make in MAKES {
        let dir = TempDir::new().unwrap();
        let landing = open(&dir, make);
        for taken in ["t1", "t2", "t3"] {
            std::fs::write(dir.path().join(taken), "old").unwrap();
        }
        std::fs::create_dir(dir.path().join("folder")).unwrap();
        let mut batch = landing.batch();
        for name in ["", "..", "a/b", ".dot", ".ferrydeck-x", "a\tb"] {
            let refused = batch.add(name, b"new", None, None);
            assert!(matches!(refused, Err(Unlanded::Name(_))), "{name:?}");
        }
        let items = [
            ("a", None),
            ("t1", None),
            ("t2", Some(Clash::Rename)),
            ("t3", Some(Clash::Overwrite)),
            ("folder", Some(Clash::Overwrite)),
            ("a", None),
            ("a", Some(Clash::Rename)),
            ("t1", Some(Clash::Skip)),
            ("z", Some(Clash::Overwrite)),
        ];
        for (name, clash) in items {
            batch.add(name, b"new", None, clash).unwrap();
        }
        let told: Vec<_> = batch
            .commit()
            .into_iter()
            .map(|landed| landed.map_err(|error| matches!(error, Unlanded::Taken)))
            .collect();
        let due = [
            Ok("a"),
            Err(true),
            Ok("t2 (1)"),
            Ok("t3"),
            Err(false),
            Err(true),
            Ok("a (1)"),
            Err(true),
            Ok("z"),
        ];
        assert_eq!(told, due.map(|due| due.map(str::to_owned)), "{make:?}");
        for (name, due) in [
            ("t1", "old"),
            ("t2", "old"),
            ("t2 (1)", "new"),
            ("t3", "new"),
        ] {
            assert_eq!(std::fs::read_to_string(dir.path().join(name)).unwrap(), due);
        }
        let due = ["a", "a (1)", "folder", "t1", "t2", "t2 (1)", "t3", "z"];
        assert_eq!(names(&dir), due, "{make:?}");
    }
}

#[test]
fn a_tree_of_small_folders_is_one_batch() {
    for make in MAKES {
        let dir = TempDir::new().unwrap();
        let landing = open(&dir, make);
        let mut batch = landing.batch();
        for n in 0..60 {
            let folder = landing
                .folder(&format!("d{}/x", n % 7), Missing::Make)
                .unwrap();
            batch
                .add_in(&folder, &format!("f{n}"), b"x", None, None)
                .unwrap();
        }
        batch.add("top", b"x", None, None).unwrap();
        assert_eq!(batch.folders.len(), 8, "one handle a folder");
        // From elsewhere, on ground of its own.
        let other = TempDir::new().unwrap();
        let there = open(&other, make);
        let below = there.folder("new", Missing::Make).unwrap();
        batch.add_in(&below, "far", b"x", None, None).unwrap();
        assert!(batch.commit().iter().all(Result::is_ok));
        assert_eq!(
            std::fs::read_dir(dir.path().join("d0/x")).unwrap().count(),
            9
        );
        assert!(other.path().join("new/far").exists());
        for ground in [&landing.ground, &there.ground] {
            let owed = |owed: &mut dyn Iterator<Item = &Arc<OwnedFd>>| {
                assert_eq!(owed.count(), 0);
                Ok(())
            };
            ground.settle_by(owed).unwrap();
        }
    }
}

/// Free bytes of the memory disk.
fn free() -> u64 {
    let stat = rustix::fs::statvfs("/dev/shm").unwrap();
    stat.f_bavail * stat.f_frsize
}

#[test]
fn the_floor_is_kept_though_it_is_not_looked_at_for_every_file() {
    for _ in 0..10 {
        let Ok(dir) = TempDir::new_in("/dev/shm") else {
            return;
        };
        let before = free();
        let floor = Floor::Bytes(before.saturating_sub(40 << 20));
        let landing = Landing::open(dir.path(), Dotfiles::Hidden, floor, Make::Best).unwrap();
        let landing = Arc::new(landing);
        let mut batch = landing.batch();
        let content = vec![1; 1 << 20];
        let mut added = 0;
        let refused = loop {
            match batch.add(&format!("f{added}"), &content, None, None) {
                Ok(()) if added < 100 => added += 1,
                Ok(()) => break None,
                Err(refused) => break Some(refused),
            }
        };
        let ours = added as u64 * content.len() as u64;
        if before.abs_diff(free() + ours) > 2 << 20 {
            // Others take and give there as well: nothing is proved by that.
            continue;
        }
        assert!(added < 45, "40 MiB are above the floor, not {added}");
        assert!(
            matches!(refused, Some(Unlanded::Full { .. })),
            "{refused:?}"
        );
        assert_eq!(batch.commit().len(), added);
        return;
    }
    unreachable!("others never leave the memory disk alone");
}

/// `cargo test --release --features heavy --lib batch -- --nocapture` prints what it takes,
/// held against files that are merely written, in the same run.
#[cfg(feature = "heavy")]
#[test]
#[expect(clippy::print_stdout, reason = "figures are for reading")]
fn ten_thousand_small_files_cost_little_more_than_to_write_them() {
    use std::time::{Duration, Instant};
    let content = [7; 1_024];
    let (mut bare, mut durable) = (Duration::MAX, Duration::MAX);
    for _ in 0..5 {
        let dir = TempDir::new_in("/dev/shm").unwrap();
        let start = Instant::now();
        for n in 0..10_000 {
            std::fs::write(dir.path().join(format!("f{n}")), content).unwrap();
        }
        bare = bare.min(start.elapsed());
        let dir = TempDir::new_in("/dev/shm").unwrap();
        let landing = open(&dir, Make::Best);
        let start = Instant::now();
        for first in (0..10_000).step_by(250) {
            let mut batch = landing.batch();
            for n in first..first + 250 {
                batch
                    .add(&format!("f{n}"), &content, Some(n), None)
                    .unwrap();
            }
            assert!(batch.commit().iter().all(Result::is_ok));
        }
        durable = durable.min(start.elapsed());
    }
    let rate = |took: Duration| 10_000.0 / took.as_secs_f64();
    println!(
        "written: {:.0} files/s, landed: {:.0} files/s",
        rate(bare),
        rate(durable)
    );
    assert!(durable < bare * 3, "{durable:?} of {bare:?}");
}
