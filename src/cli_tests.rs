//! What was typed, and what it means: listeners, goals, times and sizes.
#![expect(
    clippy::panic,
    clippy::unwrap_used,
    reason = "a word that is not understood where it must be has failed the test"
)]

use std::net::IpAddr;

use super::*;
use crate::entity::{RemotePath, Speak};

fn typed(words: &[&str]) -> Verb {
    let words = ["ferrydeck"].iter().chain(words);
    match Cli::try_parse_from(words) {
        Ok(cli) => cli.verb,
        Err(error) => panic!("{error}"),
    }
}

fn serve(words: &[&str]) -> ServeArgs {
    let words: Vec<&str> = ["serve"].iter().chain(words).copied().collect();
    match typed(&words) {
        Verb::Serve(args) => args,
        other => panic!("{other:?}"),
    }
}

fn get(words: &[&str]) -> GetArgs {
    let words: Vec<&str> = ["get"].iter().chain(words).copied().collect();
    match typed(&words) {
        Verb::Get(args) => args,
        other => panic!("{other:?}"),
    }
}

fn code<T>(done: Result<T, Fault>) -> u8 {
    done.map_or_else(|fault| fault.code, |_| 0)
}

#[test]
fn clap_finds_no_fault_in_the_table_of_words() {
    use clap::CommandFactory as _;
    Cli::command().debug_assert();
}

#[test]
fn the_usual_listener_is_auto_on_loopback() {
    let listeners = serve(&[]).listeners(&[]);
    let due = Listen {
        speak: Speak::Auto,
        addr: ([127, 0, 0, 1], 18_814).into(),
    };
    assert_eq!(listeners, Ok(vec![due]));
}

#[test]
fn a_listener_is_admitted_by_dialect_address_and_port() {
    for (word, exit) in [
        ("127.0.0.1:0", 0),
        ("auto@127.0.0.1:1", 0),
        ("deck@[::1]:80", 0),
        ("auto@[::ffff:127.0.0.1]:80", 0),
        ("localhost:0", 0),
        ("classic@127.0.0.1:0", 0),
        ("classic@127.0.0.1:1024", 0),
        ("classic@127.0.0.1:64000", 0),
        ("classic@192.168.1.5:18814", 0),
        ("classic@127.0.0.1:1023", 1),
        ("classic@127.0.0.1:64001", 1),
        ("classic@0.0.0.0:64001", 1),
        ("deck@192.168.1.5:1", 2),
        ("deck@0.0.0.0:0", 2),
        ("deck+tls@192.168.1.5:1", 0),
        ("deck+tls@127.0.0.1:1", 0),
        ("auto@0.0.0.0:1", 0),
        ("[::]:1", 0),
    ] {
        assert_eq!(
            code(serve(&["--listen", word]).listeners(&[])),
            exit,
            "{word}"
        );
        let any = serve(&["--any-port", "--listen", word]).listeners(&[]);
        assert_eq!(code(any), if exit == 1 { 0 } else { exit }, "{word}");
    }
    // One that must not be refuses them all.
    let both = ["--listen", "127.0.0.1:0", "--listen", "deck@10.0.0.1:1"];
    assert_eq!(code(serve(&both).listeners(&[])), 2);
}

#[test]
fn auto_means_tls_where_others_come_in() {
    let tls = Speak::Only(Dialect::DeckTls);
    for (word, meant) in [
        ("127.0.0.1:1", Speak::Auto),
        ("[::1]:1", Speak::Auto),
        ("10.0.0.1:1", tls),
        ("auto@0.0.0.0:1", tls),
        ("[::]:1", tls),
        ("[fe80::1]:1", tls),
        ("classic@10.0.0.1:2000", Speak::Only(Dialect::Classic)),
    ] {
        let listeners = serve(&["--listen", word]).listeners(&[]).unwrap();
        assert_eq!(listeners[0].speak, meant, "{word}");
    }
}

#[test]
fn the_lan_is_every_private_address_beside_what_was_typed() {
    let private: [IpAddr; 2] = [[10, 0, 0, 7].into(), [192, 168, 1, 7].into()];
    let shown = |words: &[&str]| -> Vec<String> {
        let listeners = serve(words).listeners(&private).unwrap();
        let word = |l: &Listen| format!("{}@{}", l.speak.label(), l.addr);
        listeners.iter().map(word).collect()
    };
    assert_eq!(
        shown(&["--lan"]),
        [
            "auto@127.0.0.1:18814",
            "deck+tls@10.0.0.7:18814",
            "deck+tls@192.168.1.7:18814"
        ]
    );
    assert_eq!(
        shown(&["--lan=99", "--listen", "classic@127.0.0.1:2000"])[1..],
        ["deck+tls@10.0.0.7:99", "deck+tls@192.168.1.7:99"]
    );
    assert_eq!(shown(&[]).len(), 1);
    assert_eq!(code(serve(&["--lan"]).listeners(&[])), 1);
    // The folder is not taken for a port.
    assert_eq!(serve(&["--lan", "here"]).dir, std::path::Path::new("here"));
}

#[test]
fn rights_are_typed_by_their_words() {
    use clap::ValueEnum as _;
    let words: Vec<String> = RightArg::value_variants()
        .iter()
        .filter_map(|right| Some(right.to_possible_value()?.get_name().to_owned()))
        .collect();
    assert_eq!(words, crate::entity::Rights::WORDS);
    for (at, right) in RightArg::value_variants().iter().enumerate() {
        assert_eq!(RightArg::together(&[*right]).bits(), 1 << at);
    }
    let both = RightArg::together(&[RightArg::Read, RightArg::Operate]);
    assert_eq!(both.words().collect::<Vec<_>>(), ["read", "operate"]);
}

#[test]
fn words_that_are_no_listener_are_not_understood() {
    for word in [
        "",
        "127.0.0.1",
        ":80",
        "host:80",
        "tls@127.0.0.1:80",
        "Classic@127.0.0.1:2000",
        "@127.0.0.1:80",
        "127.0.0.1:65536",
    ] {
        let words = ["ferrydeck", "serve", "--listen", word];
        assert!(Cli::try_parse_from(words).is_err(), "{word:?}");
    }
}

#[test]
fn three_words_are_classics_own_form() {
    let goals = get(&["[::1]", "2000", "a%20b/../c"]).goals();
    let due = Goal {
        url: Url {
            dialect: Dialect::Classic,
            host: "::1".to_owned(),
            port: 2_000,
            // As it is: nothing is decoded.
            path: RemotePath::from("a%20b/../c"),
        },
        never_clash: true,
    };
    assert_eq!(goals, Ok(vec![due]));
    for (words, exit) in [
        (&["h", "1024", "x"][..], 0),
        (&["h", "64000", "x"], 0),
        (&["h", "1023", "x"], 1),
        (&["h", "64001", "x"], 1),
        (&["h", "0", "x"], 1),
        (&["h", "99999999999", "x"], 1),
        (&["--any-port", "h", "80", "x"], 0),
        (&["h", "2000"], 2),
        (&["h", "2000", "x", "y"], 2),
        (&["h", "2000", ""], 2),
    ] {
        assert_eq!(code(get(words).goals()), exit, "{words:?}");
    }
}

#[test]
fn urls_are_goals_in_their_order() {
    let goals = get(&["h/a%2fb", "classic://h:2000/x", "deck://h:80/y/"]).goals();
    let told: Vec<_> = goals
        .unwrap_or_default()
        .into_iter()
        .map(|goal| (goal.url.to_string(), goal.url.path, goal.never_clash))
        .collect();
    let due = [
        ("deck://h:18814", "a/b"),
        ("classic://h:2000", "x"),
        ("deck://h:80", "y"),
    ];
    let due = due.map(|(server, path)| (server.to_owned(), RemotePath::from(path), false));
    assert_eq!(told, due);
    for (word, exit) in [
        ("deck://h", 2),
        ("deck://h/", 2),
        ("classic://h:80/x", 1),
        ("h/a?b", 2),
        ("ftp://h/x", 2),
    ] {
        assert_eq!(code(get(&[word]).goals()), exit, "{word}");
        // A bad one among good ones: nothing starts.
        assert_eq!(code(get(&["h/x", word]).goals()), exit, "{word}");
    }
}

#[test]
fn times_and_sizes_are_read_and_bounded() {
    let args = serve(&[
        "--stall-timeout",
        "1500ms",
        "--idle-timeout",
        "2m",
        "--grace",
        "0s",
    ]);
    assert_eq!(args.stall_timeout, Duration::from_millis(1_500));
    assert_eq!(args.idle_timeout, Duration::from_mins(2));
    assert_eq!(args.grace, Duration::ZERO);
    for word in ["0s", "8days", "-1s", "soon", "5", ""] {
        assert!(parse_time(word).is_err(), "{word:?}");
    }
    assert_eq!(parse_time("7days"), Ok(Duration::from_hours(7 * 24)));
    assert_eq!(parse_size("0"), Ok(0));
    assert_eq!(parse_size("500M"), Ok(500_000_000));
    assert_eq!(parse_size("2GiB"), Ok(2 << 30));
    assert!(parse_size("lots").is_err());
    assert_eq!(get(&["--parallel", "64", "h/x"]).landing.parallel, 64);
    for word in ["0", "65"] {
        let words = ["ferrydeck", "get", "--parallel", word, "h/x"];
        assert!(Cli::try_parse_from(words).is_err(), "{word}");
    }
}

#[test]
fn the_defaults_are_those_that_are_promised() {
    let args = serve(&[]);
    let seconds = |time: Duration| time.as_secs();
    assert_eq!(
        [
            args.first_byte_timeout,
            args.head_timeout,
            args.request_timeout,
            args.stall_timeout,
            args.idle_timeout,
            args.grace,
        ]
        .map(seconds),
        [30, 10, 1, 30, 300, 5]
    );
    assert_eq!(
        (args.max_unidentified, args.max_unidentified_per_address),
        (256, 32)
    );
    assert_eq!(args.max_connections, None);
    assert!(!args.hidden && !args.any_port && !args.headless);
}

#[test]
fn what_only_deck_can_is_refused_to_the_others() {
    let parse = |words: &[&str]| {
        let typed = ["ferrydeck"].iter().chain(words).copied();
        match Cli::try_parse_from(typed).map(|cli| cli.verb) {
            Ok(Verb::Get(args)) => args.goals().map(drop),
            Ok(Verb::Put(args)) => args.plan().map(drop),
            Ok(Verb::Mkdir(args)) => args.plan().map(drop),
            Ok(Verb::Rm(args)) => args.plan().map(drop),
            other => Err(Fault::usage(format!("{other:?}"))),
        }
    };
    let code = |words: &[&str]| parse(words).map_err(|fault| fault.code);
    for word in ["--no-verify", "--limit=10M", "-r"] {
        assert_eq!(code(&["get", "deck://h/a", word]), Ok(()), "{word}");
        assert_eq!(code(&["put", "a", "deck://h/a", word]), Ok(()), "{word}");
        assert!(code(&["get", "session://h/a", word]).is_err(), "{word}");
        assert!(
            code(&["put", "a", "session://h/a", word]).is_err(),
            "{word}"
        );
    }
    assert_eq!(code(&["get", "-r", "deck://h/"]), Ok(()));
    assert_eq!(code(&["get", "deck://h/"]), Err(2));
    assert_eq!(code(&["get", "deck://h/a", "--limit", "0"]), Err(2));
    assert_eq!(code(&["mkdir", "deck://h/a"]), Ok(()));
    assert_eq!(code(&["mkdir", "session://h/a"]), Err(1));
    assert_eq!(code(&["rm", "deck://h/"]), Err(2));
}
