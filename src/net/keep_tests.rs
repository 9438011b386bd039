//! Private files: whole, durable, and nobody else's.
#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot set its scene has failed"
)]

use std::os::unix::fs::PermissionsExt as _;

use assert_fs::TempDir;

use super::*;

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().mode() & 0o777
}

#[test]
fn folders_and_files_are_ours_alone() {
    let dir = TempDir::new().unwrap();
    let state = dir.path().join("a/b");
    folder(&state).unwrap();
    assert_eq!(mode(&state), 0o700);
    let item = state.join("item");
    assert_eq!(create(&item, b"one").unwrap(), Made::New);
    assert_eq!(mode(&item), 0o600);
    assert_eq!(create(&item, b"two").unwrap(), Made::There);
    assert_eq!(read(&item).unwrap().unwrap(), b"one");
    replace(&item, b"three").unwrap();
    assert_eq!(mode(&item), 0o600);
    assert_eq!(read(&item).unwrap().unwrap(), b"three");
    assert_eq!(names(&state).unwrap(), ["item"]);
    assert_eq!(
        fs::read_dir(&state).unwrap().count(),
        1,
        "no temporary is left"
    );
    assert!(remove(&item).unwrap());
    assert!(!remove(&item).unwrap());
    assert_eq!(read(&item).unwrap(), None);
}

#[test]
fn what_others_may_read_is_not_used() {
    let dir = TempDir::new().unwrap();
    let item = dir.path().join("item");
    fs::write(&item, "secret").unwrap();
    for bits in [0o640, 0o604, 0o660, 0o602] {
        fs::set_permissions(&item, fs::Permissions::from_mode(bits)).unwrap();
        let why = read(&item).unwrap_err();
        assert!(matches!(why, Unsound::Open { .. }), "{bits:o}: {why}");
        assert!(!why.to_string().contains("secret"));
    }
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o770)).unwrap();
    assert!(matches!(folder(dir.path()), Err(Unsound::Open { .. })));
}

#[test]
fn empty_huge_and_strange_files_are_told() {
    let dir = TempDir::new().unwrap();
    let item = dir.path().join("item");
    create(&item, b"").unwrap();
    assert!(matches!(read(&item), Err(Unsound::Empty(_))));
    replace(&item, &vec![b'x'; 65 << 10]).unwrap();
    assert!(matches!(read(&item), Err(Unsound::Content { .. })));
    assert!(matches!(read(dir.path()), Err(Unsound::Kind { .. })));
    let fifo = dir.path().join("fifo");
    rustix::fs::mknodat(
        rustix::fs::CWD,
        &fifo,
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR,
        0,
    )
    .unwrap();
    assert!(matches!(read(&fifo), Err(Unsound::Kind { .. })));
}

#[test]
fn changes_of_one_item_are_not_lost() {
    let dir = TempDir::new().unwrap();
    let item = dir.path().join("count");
    create(&item, b"0").unwrap();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..25 {
                    let more = |old: Vec<u8>| {
                        let count: u32 = String::from_utf8(old).unwrap().parse().unwrap();
                        Ok(Some((count + 1).to_string().into_bytes()))
                    };
                    assert!(change(&item, more).unwrap());
                }
            });
        }
    });
    assert_eq!(read(&item).unwrap().unwrap(), b"100");
    let before = stamp(&item).unwrap();
    assert!(change(&item, |_| Ok(None)).unwrap());
    assert_eq!(stamp(&item).unwrap(), before);
    replace(&item, b"100").unwrap();
    assert_ne!(
        stamp(&item).unwrap(),
        before,
        "the same words, another file"
    );
    assert!(!change(&dir.path().join("none"), |_| Ok(None)).unwrap());
}
