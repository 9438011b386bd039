//! Parcels: what is done stays done, whatever is killed, planted or full.
#![expect(clippy::print_stderr, reason = "a test says why it does nothing here")]
#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot set its scene has failed"
)]

use std::os::unix::fs::{MetadataExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use assert_fs::TempDir;
use blake3::hazmat::{HasherExt as _, Mode as Tree, merge_subtrees_root};
use rustix::fs::{CWD, mknodat};

use super::super::Make;
use super::*;
use crate::net::store::Dotfiles;

const MIB: usize = 1 << 20;
/// Two blocks and a bit.
const SIZE: usize = 9 * MIB + 7;

fn landing(dir: &TempDir) -> Landing {
    Landing::open(dir.path(), Dotfiles::Hidden, Floor::Bytes(0), Make::Best).unwrap()
}

fn mark(text: &str) -> Mark {
    Mark::new(text.as_bytes()).unwrap()
}

/// Content that differs in every block.
fn content(size: usize) -> Vec<u8> {
    let mut bytes = vec![0; size];
    blake3::Hasher::new().finalize_xof().fill(&mut bytes);
    bytes
}

fn block(content: &[u8], index: u64) -> &[u8] {
    let at = usize::try_from(index * BLOCK).unwrap();
    let end = content.len().min(at + usize::try_from(BLOCK).unwrap());
    &content[at..end]
}

fn value(content: &[u8], index: u64) -> Value {
    if content.len() as u64 <= BLOCK {
        return *blake3::hash(content).as_bytes();
    }
    let mut hasher = blake3::Hasher::new();
    hasher.set_input_offset(index * BLOCK);
    hasher.update(block(content, index));
    hasher.finalize_non_root()
}

fn blocks(content: &[u8]) -> u64 {
    (content.len() as u64).div_ceil(BLOCK)
}

/// Writes a block and notes it as done.
fn put(parcel: &Parcel, content: &[u8], index: u64) {
    let bytes = block(content, index);
    let at = index * BLOCK;
    parcel.make_room(at, at + bytes.len() as u64).unwrap();
    parcel.file().write_all_at(bytes, at).unwrap();
    parcel.done(index, value(content, index)).unwrap();
}

fn names(dir: &TempDir) -> Vec<String> {
    let mut names: Vec<_> = std::fs::read_dir(dir.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

/// Where the part and the state of a name stand.
fn beside(dir: &TempDir, name: &str) -> [PathBuf; 2] {
    let hash = blake3::hash(name.as_bytes()).to_hex();
    ["part", "state"].map(|end| {
        let name = format!("{RESERVED}{}.{end}", &hash[..16]);
        dir.path().join(name)
    })
}

fn begin(landing: &Landing, name: &str, size: usize) -> (Parcel, Found) {
    landing.resume(name, &mark("m"), size as u64).unwrap()
}

/// Begins a file and leaves its first block behind.
fn leave_one(dir: &TempDir, name: &str, content: &[u8]) {
    let (parcel, found) = begin(&landing(dir), name, content.len());
    assert_eq!(found, Found::Fresh);
    put(&parcel, content, 0);
}

#[test]
fn blocks_of_several_streams_become_one_file_with_its_time() {
    let dir = TempDir::new().unwrap();
    let landing = landing(&dir);
    let content = content(17 * MIB + 1);
    let (parcel, found) = begin(&landing, "a.bin", content.len());
    assert_eq!(found, Found::Fresh);
    std::thread::scope(|scope| {
        for stream in 0..2 {
            let (parcel, content) = (&parcel, &content);
            let of_stream = (0..blocks(content)).filter(move |index| index % 2 == stream);
            scope.spawn(move || {
                of_stream
                    .rev()
                    .for_each(|index| put(parcel, content, index));
            });
        }
    });
    assert!(!dir.path().join("a.bin").exists());
    assert_eq!(parcel.claims().len(), 5);
    let landed = parcel.land(&landing, "a.bin", None, Some(1_234_567_890));
    assert_eq!(landed.unwrap(), "a.bin");
    assert!(parcel.land(&landing, "b.bin", None, None).is_err(), "once");
    drop(parcel);
    assert_eq!(names(&dir), ["a.bin"]);
    assert_eq!(std::fs::read(dir.path().join("a.bin")).unwrap(), content);
    let meta = dir.path().join("a.bin").metadata().unwrap();
    assert_eq!((meta.mtime(), meta.nlink()), (1_234_567_890, 1));
}

#[test]
fn a_block_on_disk_is_held_against_its_value() {
    let dir = TempDir::new().unwrap();
    let landing = landing(&dir);
    for size in [1, MIB, 4 * MIB, 4 * MIB + 1, 8 * MIB] {
        let content = content(size);
        let (parcel, _) = begin(&landing, "a", size);
        let last = blocks(&content) - 1;
        assert!(!parcel.recheck(last, &value(&content, last)).unwrap());
        for index in 0..=last {
            put(&parcel, &content, index);
            assert!(parcel.recheck(index, &value(&content, index)).unwrap());
        }
        parcel.file().write_all_at(b"!", size as u64 - 1).unwrap();
        assert!(!parcel.recheck(last, &value(&content, last)).unwrap());
        assert!(!parcel.recheck(last + 1, &value(&content, last)).unwrap());
        parcel.discard();
    }
    // The values are BLAKE3's own: two of them make the root.
    let content = content(8 * MIB);
    let root = merge_subtrees_root(&value(&content, 0), &value(&content, 1), Tree::Hash);
    assert_eq!(root, blake3::hash(&content));
}

#[test]
fn what_is_left_without_a_block_is_nothing_and_with_one_is_found_again() {
    let dir = TempDir::new().unwrap();
    let content = content(SIZE);
    let (parcel, _) = begin(&landing(&dir), "a", SIZE);
    parcel.file().write_all_at(b"half a block", 0).unwrap();
    assert_eq!(names(&dir).len(), 2);
    drop(parcel);
    assert_eq!(names(&dir), [""; 0]);
    leave_one(&dir, "a", &content);
    assert_eq!(names(&dir).len(), 2);
    let (parcel, found) = begin(&landing(&dir), "a", SIZE);
    assert_eq!(found, Found::Unfinished);
    assert_eq!(parcel.claims(), [(0, value(&content, 0))]);
    assert!(parcel.recheck(0, &value(&content, 0)).unwrap());
    put(&parcel, &content, 2);
    put(&parcel, &content, 1);
    parcel.undo(1).unwrap();
    drop(parcel);
    let (parcel, _) = begin(&landing(&dir), "a", SIZE);
    assert_eq!(
        parcel.claims(),
        [(0, value(&content, 0)), (2, value(&content, 2))]
    );
    for index in [0, 2] {
        parcel.undo(index).unwrap();
    }
    drop(parcel);
    assert_eq!(
        names(&dir),
        [""; 0],
        "all taken back: nothing worth keeping"
    );
}

#[test]
fn another_content_begins_anew_and_says_so() {
    let content = content(SIZE);
    for (other, size) in [("n", SIZE), ("m", SIZE - 1), ("m", 0), ("", SIZE)] {
        let dir = TempDir::new().unwrap();
        leave_one(&dir, "a", &content);
        let begun = landing(&dir).resume("a", &mark(other), size as u64);
        let (parcel, found) = begun.unwrap();
        assert_eq!((found, parcel.claims()), (Found::Changed, vec![]));
        assert_eq!(parcel.file().metadata().unwrap().len(), 0);
        drop(parcel);
        assert_eq!(names(&dir), [""; 0]);
    }
    assert!(Mark::new(&[0; 256]).is_some() && Mark::new(&[0; 257]).is_none());
}

#[test]
fn a_part_or_a_state_alone_begins_anew() {
    let content = content(SIZE);
    for lost in 0..2 {
        let dir = TempDir::new().unwrap();
        leave_one(&dir, "a", &content);
        std::fs::remove_file(&beside(&dir, "a")[lost]).unwrap();
        let landing = landing(&dir);
        let (parcel, found) = begin(&landing, "a", SIZE);
        assert_eq!((found, parcel.claims()), (Found::Fresh, vec![]));
        assert_eq!(parcel.file().metadata().unwrap().len(), 0);
        (0..3).for_each(|index| put(&parcel, &content, index));
        parcel.land(&landing, "a", None, None).unwrap();
        assert_eq!(names(&dir), ["a"]);
    }
}

#[test]
fn an_empty_file_lands() {
    let dir = TempDir::new().unwrap();
    let landing = landing(&dir);
    let (parcel, _) = begin(&landing, "a", 0);
    assert!(parcel.done(0, [0; 32]).is_err(), "it has no block");
    parcel.make_room(0, 0).unwrap();
    parcel.land(&landing, "a", None, Some(-1)).unwrap();
    drop(parcel);
    assert_eq!(names(&dir), ["a"]);
    let meta = dir.path().join("a").metadata().unwrap();
    assert_eq!((meta.len(), meta.mtime()), (0, -1));
}

#[test]
fn one_writer_at_a_time() {
    let dir = TempDir::new().unwrap();
    let content = content(SIZE);
    let first = landing(&dir);
    let (parcel, _) = begin(&first, "a", SIZE);
    put(&parcel, &content, 0);
    for other in ["m", "n"] {
        let busy = landing(&dir).resume("a", &mark(other), SIZE as u64);
        assert!(matches!(busy, Err(Unlanded::Busy)), "{busy:?}");
    }
    // Another name is another file.
    begin(&first, "b", SIZE);
    // A stream that still writes keeps the rest out.
    let writing = Arc::clone(parcel.file());
    drop(parcel);
    let busy = first.resume("a", &mark("m"), SIZE as u64);
    assert!(matches!(busy, Err(Unlanded::Busy)), "{busy:?}");
    drop(writing);
    assert_eq!(begin(&first, "a", SIZE).1, Found::Unfinished);
}

#[test]
fn what_is_planted_under_the_reserved_names_is_neither_followed_nor_written() {
    type Plant = fn(&Path, &Path);
    let plants: [(&str, Plant); 5] = [
        ("link", |victim, at| symlink(victim, at).unwrap()),
        ("dangling link", |_, at| symlink("nowhere", at).unwrap()),
        ("hard link", |victim, at| {
            std::fs::hard_link(victim, at).unwrap();
        }),
        ("fifo", |_, at| {
            mknodat(CWD, at, FileType::Fifo, Mode::from_raw_mode(0o600), 0).unwrap();
        }),
        ("foreign file", |_, at| {
            std::fs::write(at, "theirs").unwrap();
            // Only root may give away a file; elsewhere it is just an old part.
            let _ = std::os::unix::fs::chown(at, Some(65_534), Some(65_534));
        }),
    ];
    let content = content(SIZE);
    for (what, plant) in plants {
        for planted in 0..2 {
            let dir = TempDir::new().unwrap();
            let victim = dir.path().join("victim");
            std::fs::write(&victim, "kept").unwrap();
            let landing = landing(&dir);
            plant(&victim, &beside(&dir, "a")[planted]);
            let (parcel, found) = begin(&landing, "a", SIZE);
            assert_eq!(found, Found::Fresh, "{what}");
            (0..3).for_each(|index| put(&parcel, &content, index));
            parcel.land(&landing, "a", None, None).unwrap();
            assert_eq!(std::fs::read(&victim).unwrap(), b"kept", "{what}");
            let landed = dir.path().join("a").symlink_metadata().unwrap();
            assert!(landed.is_file() && landed.nlink() == 1, "{what}");
            assert_eq!(landed.uid(), rustix::process::geteuid().as_raw());
            assert_eq!(std::fs::read(dir.path().join("a")).unwrap(), content);
            assert_eq!(names(&dir), ["a", "victim"], "{what}");
        }
    }
    let dir = TempDir::new().unwrap();
    std::fs::create_dir(&beside(&dir, "a")[0]).unwrap();
    let refused = landing(&dir).resume("a", &mark("m"), 1);
    assert!(matches!(refused, Err(Unlanded::Disk(_))), "{refused:?}");
}

/// A filesystem without renames that replace nothing gets a link and an unlink: a kill
/// in between leaves both names of one complete file.
#[test]
fn a_part_that_has_landed_already_is_not_written_again() {
    let dir = TempDir::new().unwrap();
    let content = content(SIZE);
    let landing = landing(&dir);
    let (parcel, _) = begin(&landing, "a", SIZE);
    (0..3).for_each(|index| put(&parcel, &content, index));
    drop(parcel);
    std::fs::hard_link(&beside(&dir, "a")[0], dir.path().join("a")).unwrap();
    let (parcel, found) = begin(&landing, "a", SIZE);
    assert_eq!(found, Found::Fresh);
    parcel.file().write_all_at(b"another", 0).unwrap();
    assert_eq!(std::fs::read(dir.path().join("a")).unwrap(), content);
    parcel.discard();
    assert_eq!(names(&dir), ["a"]);
}

#[test]
fn names_of_255_bytes_land_and_do_not_mix() {
    let dir = TempDir::new().unwrap();
    let landing = landing(&dir);
    let alike: Vec<String> = [
        "🦀".repeat(63) + "abc",
        "é".repeat(127) + "x",
        "n".repeat(255),
    ]
    .into_iter()
    .collect();
    let content = content(SIZE);
    let parcels: Vec<_> = alike
        .iter()
        .map(|name| {
            assert_eq!(name.len(), 255);
            begin(&landing, name, SIZE).0
        })
        .collect();
    for (parcel, name) in parcels.iter().zip(&alike) {
        (0..3).for_each(|index| put(parcel, &content, index));
        assert_eq!(parcel.land(&landing, name, None, None).unwrap(), *name);
    }
    assert_eq!(names(&dir).len(), 3);
    for name in [
        "",
        "..",
        "a/b",
        ".dot",
        "a\nb",
        ".ferrydeck-x",
        &"n".repeat(256),
    ] {
        let refused = landing.resume(name, &mark("m"), 1);
        assert!(matches!(refused, Err(Unlanded::Name(_))), "{name:?}");
        let (parcel, _) = begin(&landing, "fine", 0);
        let refused = parcel.land(&landing, name, Some(Clash::Overwrite), None);
        assert!(matches!(refused, Err(Unlanded::Name(_))), "{name:?}");
    }
}

#[test]
fn a_taken_name_keeps_the_part_for_another_answer() {
    for (clash, due) in [(Clash::Rename, "a (1).txt"), (Clash::Overwrite, "a.txt")] {
        let dir = TempDir::new().unwrap();
        let landing = landing(&dir);
        std::fs::write(dir.path().join("a.txt"), "old").unwrap();
        let content = content(SIZE);
        let (parcel, _) = begin(&landing, "a.txt", SIZE);
        (0..2).for_each(|index| put(&parcel, &content, index));
        let short = parcel.land(&landing, "a.txt", Some(clash), None);
        assert!(matches!(short, Err(Unlanded::Disk(_))), "{short:?}");
        put(&parcel, &content, 2);
        for answer in [None, Some(Clash::Skip)] {
            let refused = parcel.land(&landing, "a.txt", answer, Some(1));
            assert!(matches!(refused, Err(Unlanded::Taken)), "{refused:?}");
        }
        assert_eq!(std::fs::read(dir.path().join("a.txt")).unwrap(), b"old");
        // Kept over a break as well: the time that was set makes it no litter.
        drop(parcel);
        let (parcel, found) = begin(&super::tests::landing(&dir), "a.txt", SIZE);
        assert_eq!((found, parcel.claims().len()), (Found::Unfinished, 3));
        let landed = parcel.land(&landing, "a.txt", Some(clash), Some(1));
        assert_eq!(landed.unwrap(), due);
        assert_eq!(std::fs::read(dir.path().join(due)).unwrap(), content);
        assert!(names(&dir).iter().all(|name| !name.starts_with('.')));
    }
}

#[test]
fn overwriting_a_folder_fails_and_keeps_the_part() {
    let dir = TempDir::new().unwrap();
    let landing = landing(&dir);
    std::fs::create_dir(dir.path().join("a")).unwrap();
    let content = content(5);
    let (parcel, _) = begin(&landing, "a", 5);
    put(&parcel, &content, 0);
    let refused = parcel.land(&landing, "a", Some(Clash::Overwrite), None);
    assert!(matches!(refused, Err(Unlanded::Disk(_))), "{refused:?}");
    assert_eq!(
        parcel
            .land(&landing, "a", Some(Clash::Rename), None)
            .unwrap(),
        "a (1)"
    );
    assert_eq!(names(&dir), ["a", "a (1)"]);
}

#[test]
fn two_that_race_for_a_name_are_each_whole() {
    let dir = TempDir::new().unwrap();
    let landing = landing(&dir);
    for round in 0..50 {
        let name = format!("r{round}");
        let (parcel, _) = begin(&landing, &name, 5);
        put(&parcel, b"first", 0);
        let mut part = landing.begin(&name, Some(5)).unwrap();
        part.file().write_all_at(b"other", 0).unwrap();
        let (first, other) = std::thread::scope(|scope| {
            let first = scope.spawn(|| parcel.land(&landing, &name, None, None).is_ok());
            let other = scope.spawn(|| part.land(&landing, &name, None).is_ok());
            (first.join().unwrap(), other.join().unwrap())
        });
        assert!(first != other, "one of them");
        let due = if first { "first" } else { "other" };
        assert_eq!(
            std::fs::read(dir.path().join(&name)).unwrap(),
            due.as_bytes()
        );
        parcel.discard();
    }
    assert_eq!(names(&dir).len(), 50);
}

#[test]
fn room_is_asked_for_ahead_by_each_stream_and_never_beyond_the_end() {
    let dir = TempDir::new().unwrap();
    let landing = landing(&dir);
    let size = 1_u64 << 30;
    let (parcel, _) = landing.resume("a", &mark("m"), size).unwrap();
    // In whole MiB: the filesystem adds a page of its own notes.
    let asked = || parcel.file().metadata().unwrap().blocks() >> 11 << 20;
    parcel.make_room(0, 1).unwrap();
    if asked() == 0 {
        eprintln!("skipped: needs a filesystem that reserves");
        return;
    }
    assert_eq!(asked(), AHEAD);
    for _ in 0..2 {
        parcel.make_room(0, AHEAD).unwrap();
        parcel.make_room(AHEAD - 1, AHEAD).unwrap();
        assert_eq!(asked(), AHEAD);
    }
    parcel.make_room(AHEAD - 1, AHEAD + 1).unwrap();
    assert_eq!(asked(), 2 * AHEAD);
    // Another stream, whose room ends where the end is.
    parcel.make_room(size - BLOCK, size).unwrap();
    assert_eq!(asked(), 2 * AHEAD + BLOCK);
    // And one that runs into what is asked for already.
    parcel.make_room(size - 2 * BLOCK, size - BLOCK).unwrap();
    assert_eq!(asked(), 2 * AHEAD + 2 * BLOCK);
    parcel.make_room(size - 3 * BLOCK, size).unwrap();
    assert_eq!(asked(), 2 * AHEAD + 3 * BLOCK);
    assert!(parcel.make_room(size - 1, size + 1).is_err());
    assert_eq!(parcel.file().metadata().unwrap().len(), 0);
    assert_eq!(lock(&parcel.reserved).len(), 2);
}

#[test]
fn a_disk_below_its_floor_takes_no_more() {
    let dir = TempDir::new().unwrap();
    let open = |floor| Landing::open(dir.path(), Dotfiles::Hidden, floor, Make::Best).unwrap();
    let full = open(Floor::Bytes(u64::MAX)).resume("a", &mark("m"), 1);
    assert!(matches!(full, Err(Unlanded::Full { .. })), "{full:?}");
    let vast = open(Floor::Bytes(0)).resume("a", &mark("m"), 1 << 60);
    assert!(matches!(vast, Err(Unlanded::Full { .. })), "{vast:?}");
    assert_eq!(names(&dir), [""; 0], "nothing begun, nothing left");
    // With blocks done it is kept for a day with more room.
    leave_one(&dir, "a", &content(SIZE));
    let full = open(Floor::Bytes(u64::MAX)).resume("a", &mark("m"), SIZE as u64);
    assert!(matches!(full, Err(Unlanded::Full { .. })), "{full:?}");
    assert_eq!(begin(&landing(&dir), "a", SIZE).1, Found::Unfinished);
}

/// A filesystem of 16 MiB; gone when dropped.
struct Small(TempDir);

impl Small {
    fn mount() -> Option<Self> {
        let dir = TempDir::new().unwrap();
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=16m", "tmpfs"])
            .arg(dir.path())
            .stderr(Stdio::null())
            .status();
        if mounted.is_ok_and(|status| status.success()) {
            return Some(Self(dir));
        }
        let required = std::env::var("FERRYDECK_REQUIRE_ALL").is_ok_and(|all| all == "1");
        assert!(!required, "needs root");
        eprintln!("skipped: needs root/mount");
        None
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.0.path()).status();
    }
}

#[test]
fn a_disk_that_fills_up_keeps_what_is_done() {
    let Some(small) = Small::mount() else {
        return;
    };
    let dir = &small.0;
    let content = content(SIZE);
    let landing = landing(dir);
    let (parcel, _) = begin(&landing, "a", SIZE);
    // Somebody else takes the rest of the disk.
    let stat = rustix::fs::statvfs(dir.path()).unwrap();
    let free = usize::try_from(stat.f_bavail * stat.f_frsize).unwrap();
    let hog = dir.path().join("hog");
    std::fs::write(&hog, vec![1; free - 5 * MIB]).unwrap();
    put(&parcel, &content, 0);
    let full = parcel.make_room(BLOCK, 2 * BLOCK);
    assert!(matches!(full, Err(Unlanded::Full { .. })), "{full:?}");
    // Every last page: no block is noted any more, and what was noted stays whole.
    let rest = std::fs::File::create(dir.path().join("rest")).unwrap();
    let mut at = 0;
    while rest.write_at(&[1; 4_096], at).is_ok() {
        at += 4_096;
    }
    let mut noted = 1;
    while noted < 4_096 && parcel.done(1, [1; 32]).is_ok() {
        noted += 1;
    }
    assert!(noted < 4_096, "the disk is full and the state grows");
    std::fs::remove_file(&hog).unwrap();
    parcel.undo(1).unwrap();
    drop(parcel);
    let (parcel, found) = begin(&landing, "a", SIZE);
    assert_eq!(found, Found::Unfinished);
    assert_eq!(parcel.claims(), [(0, value(&content, 0))]);
    (1..3).for_each(|index| put(&parcel, &content, index));
    parcel.land(&landing, "a", None, None).unwrap();
    assert_eq!(std::fs::read(dir.path().join("a")).unwrap(), content);
}

#[test]
fn old_parts_and_orphaned_states_are_swept_and_the_rest_stays() {
    let week = Duration::from_hours(7 * 24);
    let age = |path: &Path, age: Duration| {
        let file = File::options().write(true).open(path).unwrap();
        let then = std::time::SystemTime::now() - age;
        file.set_modified(then).unwrap();
    };
    let content = content(5);
    let dir = TempDir::new().unwrap();
    for name in ["old", "young", "half", "held", "landed"] {
        leave_one(&dir, name, &content);
    }
    for path in beside(&dir, "old").iter().chain(&beside(&dir, "held")) {
        age(path, week + Duration::from_mins(1));
    }
    for path in &beside(&dir, "young") {
        age(path, week.checked_sub(Duration::from_mins(1)).unwrap());
    }
    // The time of the content, not of the work on it.
    age(&beside(&dir, "half")[0], 100 * week);
    std::fs::remove_file(&beside(&dir, "landed")[0]).unwrap();
    let held = File::open(&beside(&dir, "held")[0]).unwrap();
    flock(&held, FlockOperation::NonBlockingLockExclusive).unwrap();
    // Like ours and not ours.
    for name in [
        ".ferrydeck-x.part",
        ".ferrydeck-0123456789abcdeg.state",
        "x.part",
    ] {
        std::fs::write(dir.path().join(name), "").unwrap();
        age(&dir.path().join(name), 100 * week);
    }
    Landing::open(dir.path(), Dotfiles::Hidden, Floor::Bytes(0), Make::Best).unwrap();
    let stays = |name| beside(&dir, name).map(|path| path.exists());
    assert_eq!(stays("old"), [false; 2]);
    assert_eq!(stays("young"), [true; 2]);
    assert_eq!(stays("half"), [true; 2]);
    assert_eq!(stays("held"), [true; 2]);
    assert_eq!(stays("landed"), [false; 2], "what landed has no state");
    assert!(names(&dir).len() >= 9);
}

#[test]
fn a_sweep_never_takes_a_living_parcel() {
    let dir = TempDir::new().unwrap();
    let landing = landing(&dir);
    let over = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !over.load(std::sync::atomic::Ordering::Relaxed) {
                ground::sweep(&landing.dir);
            }
        });
        let failed = (0..300).find_map(|_| {
            let landed = landing.resume("a", &mark("m"), 1).and_then(|(parcel, _)| {
                parcel.done(0, [0; 32])?;
                parcel.file().write_all_at(b"x", 0)?;
                assert!(beside(&dir, "a")[1].exists(), "its state is there");
                parcel.land(&landing, "a", Some(Clash::Overwrite), None)
            });
            // A sweep that looks at the remains of the last round is busy with them.
            landed
                .err()
                .filter(|error| !matches!(error, Unlanded::Busy))
        });
        over.store(true, std::sync::atomic::Ordering::Relaxed);
        assert!(failed.is_none(), "{failed:?}");
    });
}

const CHILD: &str = "FERRYDECK_TEST_PARCEL";

/// The other process of the test below: lands a file block by block until it is killed.
#[test]
fn child_that_is_killed() {
    let Some(path) = std::env::var_os(CHILD) else {
        return;
    };
    let landing =
        Landing::open(path.as_ref(), Dotfiles::Hidden, Floor::Bytes(0), Make::Best).unwrap();
    let content = content(33 * MIB);
    let (parcel, _) = begin(&landing, "a", content.len());
    for index in 0..blocks(&content) {
        if !parcel.recheck(index, &value(&content, index)).unwrap() {
            put(&parcel, &content, index);
        }
    }
    parcel.land(&landing, "a", None, Some(7)).unwrap();
}

fn child(dir: &TempDir) -> std::process::Child {
    let test = "net::store::landing::parcel::tests::child_that_is_killed";
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test])
        .env(CHILD, dir.path())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

#[test]
fn killed_at_any_moment_nothing_half_has_the_name_and_the_next_goes_on() {
    let content = content(33 * MIB);
    let dir = TempDir::new().unwrap();
    let landed = dir.path().join("a");
    let [_, state] = beside(&dir, "a");
    let noted = || state.metadata().map_or(0, |meta| meta.len());
    let mut before = 0;
    while !landed.exists() {
        let at = noted().max(320);
        let mut child = child(&dir);
        let deadline = Instant::now() + Duration::from_mins(1);
        // One more block, or the end.
        while noted() <= at && child.try_wait().unwrap().is_none() {
            assert!(Instant::now() < deadline, "no block within a minute");
            std::thread::yield_now();
        }
        child.kill().unwrap();
        child.wait().unwrap();
        if landed.exists() {
            break;
        }
        let (parcel, found) = begin(&landing(&dir), "a", content.len());
        assert_eq!(found, Found::Unfinished);
        let claims = parcel.claims();
        assert!(
            claims.len() > before || claims.len() == 9,
            "{before} and no more"
        );
        before = claims.len();
        for (index, claimed) in claims {
            assert_eq!(claimed, value(&content, index));
            assert!(parcel.recheck(index, &claimed).unwrap(), "block {index}");
        }
        drop(parcel);
        if before == 9 {
            assert!(self::child(&dir).wait().unwrap().success());
        }
    }
    // Whatever the last kill left behind goes when the folder is next used.
    landing(&dir);
    assert_eq!(names(&dir), ["a"]);
    assert_eq!(std::fs::read(&landed).unwrap(), content);
    assert_eq!(landed.metadata().unwrap().mtime(), 7);
}

/// Between a name and the end of its note, the next try for that name may begin.
#[test]
fn who_lands_leaves_the_next_ones_state_alone() {
    let dir = TempDir::new().unwrap();
    let landing = landing(&dir);
    let content = content(SIZE);
    let (parcel, _) = landing.resume("a", &mark("m"), SIZE as u64).unwrap();
    for index in 0..blocks(&content) {
        put(&parcel, &content, index);
    }
    let [_, state] = beside(&dir, "a");
    std::fs::remove_file(&state).unwrap();
    std::fs::write(&state, b"the next one's").unwrap();
    parcel.land(&landing, "a", None, None).unwrap();
    assert_eq!(std::fs::read(&state).unwrap(), b"the next one's");
    assert_eq!(std::fs::read(dir.path().join("a")).unwrap(), content);
}
