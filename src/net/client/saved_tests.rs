//! The queue's file by itself: what is written is read, and nothing else is believed.
#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot set its scene has failed"
)]

use std::os::unix::fs::PermissionsExt as _;

use super::*;
use crate::entity::Outcome;

fn row(path: &str) -> Row {
    Row {
        path: path.to_owned(),
        local: None,
        folder: "d/e".to_owned(),
        size: Some(7),
        dir: false,
    }
}

#[test]
fn what_is_written_is_read() {
    let dir = assert_fs::TempDir::new().unwrap();
    let file = dir.path().join("queue/x.json");
    let keep = open(file.clone()).unwrap().unwrap();
    assert!(keep.earlier.is_empty());
    assert!(open(file.clone()).unwrap().is_none());
    let mut rows = vec![row("a"), row("b/c")];
    rows[1].local = Some(PathBuf::from("/x/y"));
    rows[1].dir = true;
    write(&file, &rows).unwrap();
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&file), 0o600);
    assert_eq!(mode(file.parent().unwrap()), 0o700);
    drop(keep);
    assert_eq!(open(file.clone()).unwrap().unwrap().earlier, rows);
    let item = rows[1].clone().item();
    assert_eq!((item.direction, item.kind), (Direction::Out, Kind::Dir));
    write(&file, &[]).unwrap();
    write(&file, &[]).unwrap();
    assert!(!file.exists());
}

#[test]
fn a_folder_that_others_may_write_in_keeps_no_queue() {
    let dir = assert_fs::TempDir::new().unwrap();
    let file = dir.path().join("queue/x.json");
    std::fs::create_dir(dir.path().join("queue")).unwrap();
    let open_to_all = std::fs::Permissions::from_mode(0o777);
    std::fs::set_permissions(dir.path().join("queue"), open_to_all).unwrap();
    write(&file, &[row("a")]).unwrap();
    let why = open(file.clone()).unwrap_err().to_string();
    assert!(why.contains("queue"), "{why}");
    let closed = std::fs::Permissions::from_mode(0o700);
    std::fs::set_permissions(dir.path().join("queue"), closed).unwrap();
    assert_eq!(open(file).unwrap().unwrap().earlier, [row("a")]);
}

#[test]
fn a_damaged_file_is_nothing() {
    let dir = assert_fs::TempDir::new().unwrap();
    let file = dir.path().join("x.json");
    for text in ["", "[", "[{\"path\":1}]", "{}", "\u{0}"] {
        std::fs::write(&file, text).unwrap();
        assert!(read(&file).is_empty(), "{text:?}");
    }
}

#[test]
fn only_what_is_not_at_its_end_is_kept() {
    let path = RemotePath::from("a/b");
    let mut item = Item::new(Direction::In, path, "b".to_owned(), Kind::File, Some(7));
    item.folder = "d/e".to_owned();
    assert_eq!(Row::of(&item), Some(row("a/b")));
    item.end(Outcome::CompleteHash, 7, "", "");
    assert_eq!(Row::of(&item), None);
}

#[test]
fn a_queue_belongs_to_a_server_and_a_folder() {
    let target = |port| Target {
        dialect: crate::entity::Dialect::Deck,
        host: "h".to_owned(),
        port,
        clients: None,
        keys: crate::net::client::private::Keys::default(),
    };
    let state = Path::new("/state");
    let file = |port, dir: &str| queue_file(state, &target(port), Path::new(dir)).unwrap();
    assert_eq!(file(1, "/a"), file(1, "/a"));
    assert_ne!(file(1, "/a"), file(2, "/a"));
    assert_ne!(file(1, "/a"), file(1, "/b"));
    assert!(file(1, "/a").starts_with("/state/queue"));
}

#[tokio::test]
async fn the_last_word_is_written_behind_a_write_under_way() {
    let dir = assert_fs::TempDir::new().unwrap();
    let file = dir.path().join("queue/x.json");
    let target = Target {
        dialect: crate::entity::Dialect::Colon,
        host: "h".to_owned(),
        port: 1,
        clients: None,
        keys: crate::net::client::private::Keys::default(),
    };
    let dial = super::super::Dial {
        patience: super::super::Patience::of(target.dialect),
        target,
        landing: None,
        on_clash: super::super::OnClash::Fail,
        parallel: 1,
        name: "me".into(),
        state: None,
        means: super::super::Means {
            queue: Some(file.clone()),
            ..super::super::Means::default()
        },
    };
    let (reports, _heard) = tokio::sync::mpsc::unbounded_channel();
    let (ask, _questions) = tokio::sync::watch::channel(None);
    let hub = crate::net::hub::Hub::new(8);
    let tracker = tokio_util::task::TaskTracker::new();
    let mut queue = Queue::new(dial, hub, tracker, reports, ask);
    queue.open_saved().await;
    let path = RemotePath::from("b/c");
    let item = Item::new(Direction::In, path, "c".to_owned(), Kind::File, Some(7));
    let _: JobId = queue.put(item);
    let (over, under_way) = tokio::sync::oneshot::channel::<()>();
    if let Some(keep) = &mut queue.keep {
        keep.writing = Some(tokio::spawn(async move { drop(under_way.await) }));
    }
    tokio::join!(queue.close(), async { drop(over) });
    assert_eq!(read(&file).len(), 1);
}
