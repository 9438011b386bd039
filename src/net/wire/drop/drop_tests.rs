//! drop, byte for byte: headers, readings, and what an older client sends.

use super::*;
use crate::entity::{Dialect, Outcome, RemotePath, Speak};
use crate::net::wire::codec::{
    After, Answer, ClientCodec, Cue, Payload, Refusal, Reply, Request, ServerCodec,
};

type Heard = Result<Option<(usize, String, Option<u64>)>, &'static str>;

fn hear(server: &mut Server, input: &[u8]) -> Heard {
    match server.decode(input).map_err(|fault| fault.cause)? {
        Some((used, Request::Put { path, size })) => {
            let name = path.as_str().unwrap_or_default().to_owned();
            Ok(Some((used, name, size)))
        }
        _ => Ok(None),
    }
}

fn shared() -> Server {
    Server::new(Speak::Auto)
}

#[test]
fn a_header_is_a_name_a_space_and_digits() {
    let put = |used, name: &str, size| Ok(Some((used, name.to_owned(), size)));
    let long = |len: usize| [vec![b'x'; len], b" 5".to_vec()].concat();
    let name = "x".repeat(HEAD_MAX - 1);
    let table: [(&[u8], Heard); 29] = [
        (b"", Ok(None)),
        (b"a.txt", Ok(None)),
        (b"a.txt ", Ok(None)),
        (b"a.txt 5", put(7, "a.txt", Some(5))),
        (b"a.txt 5hello", put(7, "a.txt", Some(5))),
        (b"a.txt 512345", put(12, "a.txt", Some(512_345))),
        (b"a.txt 5 6", put(7, "a.txt", Some(5))),
        (b"a.txt 0005hello", put(10, "a.txt", Some(5))),
        (b"5 5", put(3, "5", Some(5))),
        ("\u{e9} 5".as_bytes(), put(4, "\u{e9}", Some(5))),
        (b"n 9999999999999999999", put(21, "n", Some(SIZE_MAX))),
        (b"n 18446744073709551616", Ok(None)),
        (b"n 18446744073709551616x", put(21, "n", None)),
        (b"n -1", Err("length")),
        (b"n +1", Err("length")),
        (b"n  5", Err("length")),
        (b"n x", Err("length")),
        (b"n :5", Err("length")),
        ("n \u{ff15}".as_bytes(), Err("length")),
        (b" 5", Err("name")),
        (b"\xff 5", Err("name")),
        (b"\xc3 5", Err("name")),
        (b"a\tb 5", Err("name")),
        (b"a\0", Err("name")),
        (b"a\r\n", Err("name")),
        (&long(HEAD_MAX - 1), put(HEAD_MAX + 1, &name, Some(5))),
        (&long(HEAD_MAX), Err("length")),
        (&[b'9'; 5000], Err("length")),
        (&[b"n ", &[b'9'; 30][..]].concat(), Ok(None)),
    ];
    for (input, means) in table {
        assert_eq!(
            hear(&mut shared(), input),
            means,
            "{}",
            input.escape_ascii()
        );
    }
    let eof = |input: &[u8]| shared().eof(input).map_err(|fault| fault.cause);
    assert_eq!((eof(b""), eof(b"a.txt")), (Ok(()), Err("short")));
    assert_eq!(eof(b"n 18446744073709551616"), Err("length"));
}

#[test]
fn a_size_that_nobody_can_have_is_told_by_silence() {
    let told = |digits: usize, cue| {
        let input = [b"n ".to_vec(), vec![b'1'; digits]].concat();
        shared().decode_on(&input, cue).map_err(|fault| fault.cause)
    };
    for cue in [Cue::Quiet, Cue::Close] {
        assert_eq!(told(20, cue), Err("length"));
        assert_eq!(told(39, cue), Err("length"));
        // So many are content, whatever their size is.
        assert_eq!(told(40, cue), Ok(None));
    }
    assert_eq!(told(20, Cue::Bytes), Ok(None));
}

/// What is stored of reads that come one by one, and how it ended.
fn stored(reads: &[&[u8]]) -> Result<(String, Outcome), &'static str> {
    let (mut server, mut held, mut content) = (shared(), Vec::new(), Vec::new());
    let mut begun = false;
    for read in reads {
        held.extend_from_slice(read);
        if !begun {
            let Some((used, ..)) = hear(&mut server, &held)? else {
                continue;
            };
            held.drain(..used);
            begun = true;
        }
        let take = server
            .take(&held, Cue::Bytes)
            .map_err(|fault| fault.cause)?;
        assert_eq!((take.content, take.end), (held.len(), None));
        content.append(&mut held);
    }
    if !begun {
        return server
            .eof(&held)
            .map_err(|fault| fault.cause)
            .and(Err("open"));
    }
    let take = server
        .take(&held, Cue::Close)
        .map_err(|fault| fault.cause)?;
    let end = take.end.ok_or("open")?;
    content.drain(..usize::try_from(end.cut).unwrap_or(usize::MAX));
    content.splice(..0, end.prepend);
    Ok((String::from_utf8_lossy(&content).into_owned(), end.outcome))
}

#[test]
fn at_the_close_the_one_reading_that_fits_is_the_size() {
    let whole = |content: &str| Ok((content.to_owned(), Outcome::CompleteLength));
    let open = |content: &str| Ok((content.to_owned(), Outcome::EndedNotProvable));
    let ten = "0123456789".repeat(10);
    assert_eq!(stored(&[b"a.txt 5hello"]), whole("hello"));
    assert_eq!(stored(&[b"a.txt 5", b"hello"]), whole("hello"));
    assert_eq!(stored(&[b"a.txt 5", b"hel", b"lo"]), whole("hello"));
    assert_eq!(stored(&[b"a.txt 1", b"1hello world"]), whole("hello world"));
    assert_eq!(stored(&[b"a.t", b"xt ", b"5", b"hello"]), whole("hello"));
    assert_eq!(stored(&[b"a.txt 0005hello"]), whole("hello"));
    assert_eq!(stored(&[b"a.txt 0"]), whole(""));
    assert_eq!(stored(&[b"a.txt 000"]), whole(""));
    assert_eq!(stored(&[b"a.txt 512345"]), open("12345"));
    assert_eq!(stored(&[b"a.txt 5", b"12345"]), open("12345"));
    assert_eq!(stored(&[b"a.txt 512", b"345"]), open("12345"));
    assert_eq!(stored(&[b"a.txt 51234x"]), open("1234x"));
    assert_eq!(stored(&[b"a.txt 100", ten.as_bytes()]), open(&ten));
    let glued = format!("a.txt 100{ten}");
    assert_eq!(stored(&[glued.as_bytes()]), open(&ten));
    let timed = format!("a.txt 1026{} {}", "1".repeat(25), "y".repeat(1000));
    assert_eq!(stored(&[timed.as_bytes()]), open(&timed[10..]));
    assert_eq!(stored(&[b"a.txt 5hell"]), Err("short"));
    assert_eq!(stored(&[b"a.txt 5"]), Err("short"));
    assert_eq!(stored(&[b"a.txt 5hello!"]), Err("excess"));
    assert_eq!(stored(&[b"a.txt 512346x"]), Err("short"));
    assert_eq!(stored(&[b"n 9999999999999999999"]), Err("short"));
    assert_eq!(stored(&[b"n 18446744073709551616"]), Err("length"));
    assert_eq!(
        stored(&[&[b"n ", &[b'9'; 4000][..]].concat()]),
        Err("length")
    );
}

#[test]
fn an_older_client_sends_a_name_alone_on_a_port_of_its_own() {
    let own = || Server::new(Speak::Only(Dialect::Drop));
    let name = Ok(Some((5, "a.txt".to_owned(), None)));
    let mut server = own();
    assert_eq!(hear(&mut server, b"a.txt"), name);
    let take = server.take(b"5 hello", Cue::Close);
    let end = take.map(|take| (take.content, take.end.map(|end| end.outcome)));
    assert_eq!(end, Ok((7, Some(Outcome::EndedNotProvable))));
    assert_eq!(
        hear(&mut own(), b"a.txt 5"),
        Ok(Some((7, "a.txt".to_owned(), Some(5))))
    );
    assert_eq!(hear(&mut own(), b"a.txt "), Ok(None));
    assert_eq!(hear(&mut own(), b"my file"), Err("length"));
    assert_eq!(hear(&mut own(), b"a\n"), Err("name"));
    assert_eq!(hear(&mut own(), b"\xc3"), Ok(None));
    assert_eq!(hear(&mut shared(), b"a.txt"), Ok(None));
}

#[test]
fn the_server_says_nothing_ever() {
    for refusal in Refusal::ALL {
        let mut out = Vec::new();
        let after = shared().encode(&Reply::Refused(refusal), &mut out);
        assert_eq!((after, out.len()), (After::Close, 0));
    }
    let mut out = Vec::new();
    let after = shared().encode(&Reply::Ready, &mut out);
    assert_eq!((after, out.len()), (After::Next, 0));
    let early = shared().take(b"x", Cue::Bytes).map_err(|fault| fault.cause);
    assert_eq!(early, Err("order"));
}

fn put(name: &str, size: Option<u64>) -> Request {
    let path = RemotePath::from(name);
    Request::Put { path, size }
}

#[test]
fn the_examples_of_the_specification_are_what_is_sent() {
    let spec = include_str!("../drop.rs");
    for (what, content) in [
        ("`a.txt` of 3 bytes, `hi\\n`", &b"hi\n"[..]),
        ("`a.txt`, empty", b""),
        ("`a.txt` of 5 bytes, `12345`", b"12345"),
    ] {
        let (mut client, mut out) = (Client::default(), Vec::new());
        let request = put("a.txt", Some(content.len() as u64));
        assert_eq!(client.ask(&request, &mut out), Ok(()));
        out.extend_from_slice(content);
        let hex: Vec<_> = out.iter().map(|byte| format!("{byte:02X}")).collect();
        let row = format!("| {what} | `{}` |", hex.join(" "));
        assert!(spec.contains(&row), "{row}");
    }
}

#[test]
fn a_client_sends_one_file_and_closes() {
    let (mut client, mut out) = (Client::default(), Vec::new());
    assert_eq!(client.decode(b""), Ok(None));
    assert_eq!(client.ask(&put("a", Some(3)), &mut out), Ok(()));
    assert_eq!(client.decode(b""), Ok(Some((0, Answer::Ready))));
    assert_eq!(client.decode(b""), Ok(None));
    assert_eq!(
        client.decode(b"x").map_err(|fault| fault.cause),
        Err("order")
    );
    assert_eq!(
        client.clone().eof(b"").map_err(|it| it.cause),
        Err("closed")
    );
    assert_eq!(client.finish(&mut out), After::Close);
    assert_eq!(out, b"a 3");
    assert_eq!(client.proof(), Outcome::CompleteLength);
    assert_eq!(client.clone().quiet(), Some(Answer::End));
    assert_eq!(client.eof(b""), Ok(Answer::End));
}

#[test]
fn what_it_cannot_carry_is_refused_before_it_is_sent() {
    let get = Request::Get {
        path: "a".into(),
        offset: 0,
        version: None,
    };
    for (request, cause) in [
        (put("", Some(1)), "name"),
        (put("a b", Some(1)), "name"),
        (put("a\n", Some(1)), "name"),
        (put(&"x".repeat(HEAD_MAX), Some(1)), "name"),
        (put("a", None), "length"),
        (put("a", Some(SIZE_MAX + 1)), "length"),
        (get, "unsupported"),
        (Request::Help, "unsupported"),
    ] {
        let (mut client, mut out) = (Client::default(), Vec::new());
        let fault = client.ask(&request, &mut out).map_err(|fault| fault.cause);
        assert_eq!((fault, out.len()), (Err(cause), 0), "{request:?}");
    }
}
