//! Lines 1 to 4: one large file, to nowhere and to a file, in the open and inside TLS.
//!
//! Line 1 needs a client that keeps nothing: nginx has `curl -o /dev/null`, and our
//! server has the bench's own sink, which reads once in large pieces and once as curl
//! does, because what differs between the two is the client and not the server. Lines
//! 2 to 4 compare `ferrydeck get`, which makes the file durable before it names it,
//! with `curl -o`, which does not; `curl` and `sync` stands beside it.

use std::cmp::Ordering::{Greater, Less};
use std::fs::{self, File};
use std::path::Path;
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, SystemTime};

use ferrydeck::entity::Dialect;

use super::contest::{Amount, Bound, Contest, Outcome, Runner, Who, judge};
use super::peers::{self, Server};
use super::sink::{self, Manner};
use super::{NAME, Stage, clear};

/// A file whose status changed less long ago has no tree that is kept (deck, "Verified").
const SETTLED: Duration = Duration::from_millis(2_100);

const LINE_1: Bound = bound(1.0, 1.35);
const LINE_1_CPU: Bound = bound(0.8, 0.4);
const LINE_2_MEMORY: Bound = bound(1.2, 1.9);
const LINE_2_DISK: Bound = bound(1.0, 1.2);
const LINE_3_OWN: Bound = bound(0.75, 0.85);
const LINE_3_CURL: Bound = bound(1.0, 1.0);
const LINE_4: Bound = bound(1.0, 1.2);
const LINE_4_CPU: Bound = bound(1.0, 1.0);

const fn bound(gate: f64, target: f64) -> Bound {
    Bound { gate, target }
}

/// The servers of these lines.
struct Servers {
    ours: Server,
    nginx: Option<Server>,
}

/// What this build can do.
struct Skills {
    checks: bool,
    seals: bool,
}

/// Runs those that are wanted.
pub fn lines(stage: &Stage<'_>) {
    let skills = Skills {
        checks: peers::help("get").contains("--no-verify"),
        seals: peers::help("serve").contains("deck+tls"),
    };
    let mut listeners = vec!["auto"];
    if skills.seals {
        listeners.push("deck+tls");
    }
    let servers = Servers {
        ours: peers::ferrydeck(&stage.place.source, stage.scratch, &listeners),
        nginx: peers::nginx(&stage.place.source, stage.scratch),
    };
    if stage.plan.has(1) {
        to_nowhere(stage, &servers);
    }
    if stage.plan.has(2) {
        to_a_file(stage, &servers, &skills);
    }
    if stage.plan.has(3) {
        if skills.checks {
            verified(stage, &servers);
        } else {
            println!("\nline 3: skipped, this ferrydeck has no --no-verify");
        }
    }
    if stage.plan.has(4) {
        if skills.seals {
            sealed(stage, &servers, &skills);
        } else {
            println!("\nline 4: skipped, this ferrydeck has no deck+tls");
        }
    }
}

fn title(stage: &Stage<'_>, line: u32, what: &str) {
    println!(
        "\nline {line}: one file of {} MiB {what}; {}; {} rounds taking turns; load {}",
        stage.plan.size >> 20,
        stage.place.words(),
        stage.plan.rounds,
        super::load(),
    );
}

fn to_nowhere(stage: &Stage<'_>, servers: &Servers) {
    title(stage, 1, "to nowhere, in the open");
    let mut contest = Contest::new(Amount::Bytes(stage.plan.size));
    let curl = servers.nginx.as_ref().map(|nginx| {
        let url = format!("http://{}/{NAME}", nginx.addr());
        contest.add(Runner {
            name: "nginx (sendfile) + curl -o /dev/null".to_owned(),
            ..plain(nginx, move || peers::curl(&url, Path::new("/dev/null")))
        })
    });
    let mut ours = Vec::new();
    for dialect in [Dialect::Deck, Dialect::Classic] {
        for (manner, words) in [
            (Manner::Large, "a sink of 256 KiB"),
            (Manner::LikeCurl, "a sink like curl's"),
        ] {
            let addr = servers.ours.addr();
            let who = contest.add(Runner {
                name: format!("ferrydeck {} + {words}", dialect.label()),
                ..plain(&servers.ours, move || {
                    sink::command(addr, dialect, NAME, manner)
                })
            });
            ours.push((who, format!("{}, {words}", dialect.label())));
        }
    }
    let outcome = contest.run(stage.watch, stage.plan.rounds);
    outcome.table(curl);
    for (who, words) in ours {
        versus(&outcome, &words, who, curl, LINE_1);
        spent(&outcome, &words, who, LINE_1_CPU);
    }
}

fn to_a_file(stage: &Stage<'_>, servers: &Servers, skills: &Skills) {
    title(stage, 2, "to a file, in the open, unverified");
    let mut contest = Contest::new(Amount::Bytes(stage.plan.size));
    let curl = curls(stage, servers, &mut contest, Cover::Open);
    let deck = contest.add(ours(
        stage,
        servers,
        "deck",
        skills.unverified(),
        Tree::Warm,
    ));
    contest.add(ours(stage, servers, "classic", &[], Tree::Warm));
    let outcome = contest.run(stage.watch, stage.plan.rounds);
    outcome.table(curl);
    let bound = match peers::filesystem(&stage.place.target).as_str() {
        "tmpfs" => LINE_2_MEMORY,
        _ => LINE_2_DISK,
    };
    versus(&outcome, "deck", deck, curl, bound);
}

fn verified(stage: &Stage<'_>, servers: &Servers) {
    title(stage, 3, "to a file, in the open, verified");
    let mut contest = Contest::new(Amount::Bytes(stage.plan.size));
    let curl = curls(stage, servers, &mut contest, Cover::Open);
    let plain = contest.add(ours(stage, servers, "deck", &["--no-verify"], Tree::Warm));
    let warm = contest.add(ours(stage, servers, "deck", &[], Tree::Warm));
    let cold = contest.add(ours(stage, servers, "deck", &[], Tree::Cold));
    // The first round leaves the tree behind; the server keeps it for a settled file.
    sleep(SETTLED);
    let outcome = contest.run(stage.watch, stage.plan.rounds);
    outcome.table(Some(plain));
    versus(
        &outcome,
        "warm tree, of unverified",
        warm,
        Some(plain),
        LINE_3_OWN,
    );
    versus(
        &outcome,
        "warm tree, of nginx + curl",
        warm,
        curl,
        LINE_3_CURL,
    );
    for (peer, words) in [(Some(plain), "unverified"), (curl, "nginx + curl")] {
        if let Some(peer) = peer {
            let (low, middle, high) = outcome.ratio(cold, peer);
            println!("  cold tree, of {words}: {middle:.2} ({low:.2}–{high:.2}), reported only");
        }
    }
}

fn sealed(stage: &Stage<'_>, servers: &Servers, skills: &Skills) {
    let port = servers.ours.ports[1];
    let url = format!("deck+tls://127.0.0.1:{port}/{NAME}");
    clear(&stage.place.target);
    if !peers::pair(&servers.ours, stage.scratch, &url, &stage.place.target) {
        println!("\nline 4: skipped, the pairing failed");
        return;
    }
    title(stage, 4, "to nowhere, inside TLS 1.3");
    let mut contest = Contest::new(Amount::Bytes(stage.plan.size));
    let curl = servers.nginx.as_ref().map(|nginx| {
        let url = format!("https://127.0.0.1:{}/{NAME}", nginx.ports[1]);
        contest.add(Runner {
            name: "nginx + curl -k -o /dev/null".to_owned(),
            ..plain(nginx, move || peers::curl(&url, Path::new("/dev/null")))
        })
    });
    let scratch = stage.scratch.to_owned();
    let sunk = contest.add(Runner {
        name: "ferrydeck deck+tls + a sink of 256 KiB".to_owned(),
        ..plain(&servers.ours, move || {
            let addr = ([127, 0, 0, 1], port).into();
            let mut command = sink::command(addr, Dialect::DeckTls, NAME, Manner::Large);
            peers::as_client(&mut command, &scratch);
            command
        })
    });
    let outcome = contest.run(stage.watch, stage.plan.rounds);
    outcome.table(curl);
    versus(&outcome, "deck+tls, a sink", sunk, curl, LINE_4);
    spent(&outcome, "deck+tls, a sink", sunk, LINE_4_CPU);

    title(stage, 4, "to a file, inside TLS 1.3");
    let mut contest = Contest::new(Amount::Bytes(stage.plan.size));
    let curl = curls(stage, servers, &mut contest, Cover::Tls);
    let flags = skills.unverified();
    let plain = contest.add(ours(stage, servers, "deck+tls", flags, Tree::Warm));
    let checked = contest.add(ours(stage, servers, "deck+tls", &[], Tree::Warm));
    let outcome = contest.run(stage.watch, stage.plan.rounds);
    outcome.table(curl);
    versus(&outcome, "deck+tls, unverified", plain, curl, LINE_4);
    versus(&outcome, "deck+tls, verified", checked, curl, LINE_4);
}

impl Skills {
    const fn unverified(&self) -> &'static [&'static str] {
        if self.checks { &["--no-verify"] } else { &[] }
    }
}

/// Whether the server knows the file's tree.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Tree {
    Warm,
    Cold,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Cover {
    Open,
    Tls,
}

/// `curl -o FILE`, and the same with `sync FILE`; the first is the measure.
fn curls(stage: &Stage<'_>, servers: &Servers, contest: &mut Contest, cover: Cover) -> Option<Who> {
    let nginx = servers.nginx.as_ref()?;
    let url = match cover {
        Cover::Open => format!("http://127.0.0.1:{}/{NAME}", nginx.ports[0]),
        Cover::Tls => format!("https://127.0.0.1:{}/{NAME}", nginx.ports[1]),
    };
    let file = stage.place.target.join(NAME);
    let script = format!("curl -sSfk -o '{0}' {url} && sync '{0}'", file.display());
    let (bare, dir) = (file.clone(), stage.place.target.clone());
    let curl = contest.add(Runner {
        name: "nginx (sendfile) + curl -o".to_owned(),
        ..landing(stage, nginx, move || peers::curl(&url, &bare))
    });
    contest.add(Runner {
        name: "the same, and sync".to_owned(),
        ..landing(stage, nginx, move || peers::shell(&script, &dir))
    });
    Some(curl)
}

/// `ferrydeck get`.
fn ours(
    stage: &Stage<'_>,
    servers: &Servers,
    dialect: &'static str,
    flags: &'static [&'static str],
    tree: Tree,
) -> Runner {
    let port = match dialect {
        "deck+tls" => servers.ours.ports[1],
        _ => servers.ours.ports[0],
    };
    let url = format!("{dialect}://127.0.0.1:{port}/{NAME}");
    let (scratch, target) = (stage.scratch.to_owned(), stage.place.target.clone());
    let (source, aim) = (stage.place.source.join(NAME), target.display().to_string());
    let cold = if tree == Tree::Cold {
        ", cold tree"
    } else {
        ""
    };
    Runner {
        name: ["ferrydeck get", &flags.join(" "), dialect]
            .join(" ")
            .replace("  ", " ")
            + cold,
        prepare: Box::new(move || {
            clear(&target);
            if tree == Tree::Cold {
                // Another version of the file: what is known of it is of no use.
                let file = File::options().append(true).open(&source).unwrap();
                file.set_modified(SystemTime::now()).unwrap();
                sleep(SETTLED);
            }
        }),
        ..landing(stage, &servers.ours, move || {
            let mut args = vec![url.as_str(), "-o", &aim];
            args.extend(flags);
            peers::get(&scratch, &args)
        })
    }
}

/// A runner that keeps nothing.
fn plain(server: &Server, command: impl Fn() -> Command + 'static) -> Runner {
    Runner {
        name: String::new(),
        server: Some(server.pid()),
        prepare: Box::new(|| {}),
        run: Box::new(move |watch| watch.run(command())),
        check: Box::new(|| {}),
    }
}

/// A runner that brings the file to the target.
fn landing(stage: &Stage<'_>, server: &Server, command: impl Fn() -> Command + 'static) -> Runner {
    let (target, size) = (stage.place.target.clone(), stage.plan.size);
    let file = target.join(NAME);
    Runner {
        prepare: Box::new(move || clear(&target)),
        check: Box::new(move || {
            let landed = fs::metadata(&file).map_or(0, |meta| meta.len());
            assert_eq!(landed, size, "another number of bytes came");
        }),
        ..plain(server, command)
    }
}

fn versus(outcome: &Outcome, words: &str, who: Who, peer: Option<Who>, bound: Bound) {
    match peer {
        Some(peer) => judge(words, outcome.ratio(who, peer).1, bound, Greater, 2),
        None => println!("  {words}: no verdict, nobody to compare with"),
    }
}

fn spent(outcome: &Outcome, words: &str, who: Who, bound: Bound) {
    let (server, client) = outcome.cpu(who);
    let words = format!("{words}, CPU s/GiB of both sides");
    judge(&words, server + client, bound, Less, 2);
}
