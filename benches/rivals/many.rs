//! Line 5: a folder of 10,000 small files.
//!
//! `ferrydeck get -r` beside `rsync -aW` from a daemon, tar over nc, and curl with 32
//! transfers at once. Ours is durable when it ends; each of the others is measured as
//! people run it and again with `sync -f` behind it.

use std::cmp::Ordering::Greater;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Command;

use super::contest::{Amount, Bound, Contest, Runner, Who, judge};
use super::peers::{self, Server};
use super::{Stage, clear, write_payload};

const AGAINST_RSYNC: Bound = Bound {
    gate: 1.5,
    target: 1.5,
};
const AGAINST_TAR: Bound = Bound {
    gate: 0.0,
    target: 1.0,
};

/// Runs it for files of one size.
pub fn line(stage: &Stage<'_>, bytes: u64) {
    let files = stage.plan.files;
    let name = format!("many-{bytes}");
    let folder = stage.place.source.join(&name);
    make(&folder, files, bytes);
    println!(
        "\nline 5: {files} files of {} KiB; {}; {} rounds taking turns; load {}",
        bytes >> 10,
        stage.place.words(),
        stage.plan.rounds,
        super::load(),
    );
    let mut contest = Contest::new(Amount::Files(files));
    let rsyncd = peers::rsync(&stage.place.source, stage.scratch);
    let nginx = peers::nginx(&stage.place.source, stage.scratch);
    let served = peers::ferrydeck(&stage.place.source, stage.scratch, &["auto"]);
    let rsync = rsyncd
        .as_ref()
        .map(|server| rsync(stage, &name, server, &mut contest));
    let tar =
        (peers::has("tar") && peers::has("nc")).then(|| tar(stage, &name, bytes, &mut contest));
    if let Some(nginx) = &nginx {
        curl(stage, &name, bytes, nginx, &mut contest);
    }
    let ours = peers::help("get").contains("-r,").then(|| {
        let url = format!("deck://{}/{name}", served.addr());
        let (scratch, target) = (stage.scratch.to_owned(), stage.place.target.clone());
        contest.add(runner(
            stage,
            bytes,
            "ferrydeck get -r",
            Some(&served),
            move || {
                let target = target.display().to_string();
                peers::get(&scratch, &["-r", &url, "-o", &target])
            },
        ))
    });
    let outcome = contest.run(stage.watch, stage.plan.rounds);
    outcome.table(rsync);
    let Some(ours) = ours else {
        println!("  skipped: this ferrydeck has no get -r");
        let _ = fs::remove_dir_all(&folder);
        return;
    };
    if let Some(rsync) = rsync {
        judge(
            "of rsync -aW",
            outcome.ratio(ours, rsync).1,
            AGAINST_RSYNC,
            Greater,
            2,
        );
    }
    if let Some(tar) = tar {
        judge(
            "of tar over nc",
            outcome.ratio(ours, tar).1,
            AGAINST_TAR,
            Greater,
            2,
        );
    }
    let _ = fs::remove_dir_all(&folder);
}

/// As it is, and with `sync -f`; the first is the measure.
fn twice(
    stage: &Stage<'_>,
    bytes: u64,
    words: &str,
    server: Option<&Server>,
    script: &str,
    contest: &mut Contest,
) -> Who {
    let scripts = [
        (words.to_owned(), script.to_owned()),
        (
            format!("{words}, and sync -f"),
            format!("{script} && sync -f ."),
        ),
    ];
    let mut first = None;
    for (words, script) in scripts {
        let target = stage.place.target.clone();
        let who = contest.add(runner(stage, bytes, &words, server, move || {
            peers::shell(&script, &target)
        }));
        first.get_or_insert(who);
    }
    first.unwrap()
}

fn rsync(stage: &Stage<'_>, name: &str, server: &Server, contest: &mut Contest) -> Who {
    let bytes = bytes_of(name);
    let script = format!("rsync -aW rsync://{}/m/{name} .", server.addr());
    twice(
        stage,
        bytes,
        "rsync daemon, rsync -aW",
        Some(server),
        &script,
        contest,
    )
}

fn tar(stage: &Stage<'_>, name: &str, bytes: u64, contest: &mut Contest) -> Who {
    let source = stage.place.source.display().to_string();
    let mut whos = Vec::new();
    for (words, behind) in [
        ("tar over nc", ""),
        ("tar over nc, and sync -f", " && sync -f ."),
    ] {
        let (source, name, target) = (source.clone(), name.to_owned(), stage.place.target.clone());
        let mut tar = runner(stage, bytes, words, None, || Command::new("true"));
        tar.run = Box::new(move |watch| {
            let port = peers::free_port();
            let taking = format!("nc -l 127.0.0.1 {port} | tar x{behind}");
            let giving = format!("tar c -C '{source}' {name} | nc -N 127.0.0.1 {port}");
            let taker = watch.child(peers::shell(&taking, &target));
            peers::await_listener(port);
            watch.run(peers::shell(&giving, &target));
            watch.wait(taker);
        });
        whos.push(contest.add(tar));
    }
    whos[0]
}

fn curl(stage: &Stage<'_>, name: &str, bytes: u64, nginx: &Server, contest: &mut Contest) {
    let mut list = String::new();
    for file in 0..stage.plan.files {
        let url = format!("http://{}/{name}/{file}", nginx.addr());
        let _ = write!(list, "url = {url}\noutput = {name}/{file}\n");
    }
    let path = stage.scratch.join("urls");
    fs::write(&path, list).unwrap();
    let script = format!(
        "curl -sSf --no-progress-meter -Z --parallel-max 32 --create-dirs -K '{}'",
        path.display()
    );
    let words = "nginx, curl -Z --parallel-max 32";
    twice(stage, bytes, words, Some(nginx), &script, contest);
}

/// A runner that fills the target with the folder.
fn runner(
    stage: &Stage<'_>,
    bytes: u64,
    words: &str,
    server: Option<&Server>,
    command: impl Fn() -> Command + 'static,
) -> Runner {
    let (empty, full) = (stage.place.target.clone(), stage.place.target.clone());
    let files = stage.plan.files;
    Runner {
        name: words.to_owned(),
        server: server.map(Server::pid),
        prepare: Box::new(move || clear(&empty)),
        run: Box::new(move |watch| watch.run(command())),
        check: Box::new(move || assert_eq!(count(&full), (files, files * bytes))),
    }
}

fn bytes_of(name: &str) -> u64 {
    name.trim_start_matches("many-").parse().unwrap()
}

/// Files below a folder, and their bytes.
fn count(dir: &Path) -> (u64, u64) {
    let (mut files, mut bytes) = (0, 0);
    for entry in fs::read_dir(dir).unwrap() {
        let entry = entry.unwrap();
        let meta = entry.metadata().unwrap();
        let (more, many) = if meta.is_dir() {
            count(&entry.path())
        } else {
            (1, meta.len())
        };
        files += more;
        bytes += many;
    }
    (files, bytes)
}

fn make(folder: &Path, files: u64, bytes: u64) {
    fs::create_dir_all(folder).unwrap();
    let first = folder.join("0");
    write_payload(&first, bytes);
    let content = fs::read(&first).unwrap();
    for file in 1..files {
        fs::write(folder.join(file.to_string()), &content).unwrap();
    }
    clear(&folder.with_extension("none"));
    let _ = fs::remove_dir(folder.with_extension("none"));
}
