//! session's asking half: what it says, hears, and refuses to say.

use super::super::HEADER;
use super::*;

fn get(name: &str) -> Request {
    Request::Get {
        path: name.into(),
        offset: 0,
        version: None,
    }
}

fn put(name: &str) -> Request {
    Request::Put {
        path: name.into(),
        size: Some(3),
    }
}

fn change() -> Request {
    Request::Rename {
        from: "a".into(),
        to: "b".into(),
    }
}

fn asked(request: &Request) -> (Client, Vec<u8>) {
    let (mut client, mut out) = (Client::default(), Vec::new());
    assert_eq!(client.ask(request, &mut out), Ok(()));
    (client, out)
}

fn refused(refusal: Refusal) -> Answer {
    Answer::Refused { refusal }
}

#[test]
fn a_get_asks_for_help_right_behind_it() {
    let (_, out) = asked(&get("a.txt"));
    let due = format!("{:<64}g a.txt{:<64}help", 7, 4);
    assert_eq!(String::from_utf8(out), Ok(due));
    assert_eq!(asked(&put("a.txt")).1[HEADER..], *b"p a.txt");
    assert_eq!(asked(&change()).1[HEADER..], *b"c a b");
    assert_eq!(asked(&Request::Bye).1[HEADER..], *b"!DISCONNECT");
}

#[test]
fn what_it_cannot_carry_is_refused_before_it_is_sent() {
    let name = |name: &str| (get(name), "name");
    let long = "x".repeat(TEXT_MAX - 1);
    let offset = Request::Get {
        path: "a".into(),
        offset: 1,
        version: None,
    };
    let both = Request::Rename {
        from: "a".into(),
        to: "b c".into(),
    };
    for (request, cause) in [
        name(""),
        name("a b"),
        name("a\n"),
        name("a\u{85}"),
        name(&long),
        (put("a b"), "name"),
        (both, "name"),
        (offset, "unsupported"),
        (Request::Ping { token: 1 }, "unsupported"),
        (Request::Other, "unsupported"),
    ] {
        let (mut client, mut out) = (Client::default(), Vec::new());
        let fault = client.ask(&request, &mut out).map_err(|fault| fault.cause);
        assert_eq!((fault, out.len()), (Err(cause), 0), "{request:?}");
    }
    let (mut client, _) = asked(&get("a"));
    let fault = client.ask(&Request::Help, &mut Vec::new());
    assert_eq!(fault.map_err(|fault| fault.cause), Err("order"));
}

#[test]
fn the_content_may_be_glued_to_its_line() {
    let (mut client, _) = asked(&get("a"));
    assert_eq!(client.decode(b"[Get Fil"), Ok(None));
    assert_eq!(
        client.decode(b"[Get File]data"),
        Ok(Some((10, Answer::Stream)))
    );
    let (mut client, _) = asked(&get("a"));
    let fault = client.decode(b"[Got").map_err(|fault| fault.cause);
    assert_eq!(fault, Err("reply"));
}

#[test]
fn a_close_without_a_word_is_all_that_is_said_of_a_missing_file() {
    let (mut client, _) = asked(&get("a"));
    assert_eq!(client.eof(b""), Ok(refused(Refusal::NotFound)));
    let (mut client, _) = asked(&get("a"));
    assert_eq!(
        client.eof(b"[Get").map_err(|fault| fault.cause),
        Err("short")
    );
}

/// The content, if it ends.
fn taken(parts: &[&[u8]], cue: Cue) -> Result<Option<Vec<u8>>, &'static str> {
    let input = parts.concat();
    let take = Client::default().take(&input, cue);
    let Take { content, end } = take.map_err(|fault| fault.cause)?;
    Ok(end.map(|end| {
        assert_eq!(end.skip, input.len() - content);
        assert_eq!(end.outcome, Outcome::EndedNotProvable);
        input[..content].to_vec()
    }))
}

#[test]
fn a_download_ends_with_spaces_and_help_and_then_nothing() {
    const MARK: &[u8] = &[b' '; 1024];
    let help = HELP.as_bytes();
    let twice = [b"hi", MARK, help, b"more"].concat();
    for cue in [Cue::Quiet, Cue::Close] {
        assert_eq!(taken(&[MARK, help], cue), Ok(Some(Vec::new())));
        assert_eq!(taken(&[b"hi ", MARK, help], cue), Ok(Some(b"hi ".to_vec())));
        let spaces = vec![b' '; 3000];
        assert_eq!(taken(&[&spaces, MARK, help], cue), Ok(Some(spaces)));
        assert_eq!(taken(&[&twice, MARK, help], cue), Ok(Some(twice.clone())));
    }
    for open in [
        &[&b"hi"[..]][..],
        &[b"hi", MARK],
        &[b"hi", MARK, &help[..help.len() - 1]],
        &[b"hi", &MARK[1..], help],
        &[b"hi", MARK, help, b"x"],
    ] {
        assert_eq!(taken(open, Cue::Bytes), Ok(None));
        assert_eq!(taken(open, Cue::Quiet), Ok(None));
        assert_eq!(taken(open, Cue::Close), Err("marker"));
    }
    assert_eq!(taken(&[b"hi", MARK, help], Cue::Bytes), Ok(None));
}

#[test]
fn a_put_waits_for_its_line() {
    let (mut client, _) = asked(&put("a"));
    assert_eq!(client.decode(b"[File was "), Ok(None));
    assert_eq!(client.answer_on(b"[File was ", Cue::Quiet), Ok(None));
    assert_eq!(
        client.decode(b"[File was put]"),
        Ok(Some((14, Answer::Ready)))
    );
    let mut out = Vec::new();
    assert_eq!(client.finish(&mut out), After::Next);
    assert_eq!(out, [b' '; 1024]);
    assert_eq!(client.ask(&Request::Help, &mut out), Ok(()));

    let no = refused(Refusal::NotAllowed);
    let (mut client, _) = asked(&put("a"));
    assert_eq!(client.decode(b"[File was not put]"), Ok(None));
    let told = client.answer_on(b"[File was not put]", Cue::Quiet);
    assert_eq!(told, Ok(Some((18, no.clone()))));
    let (mut client, _) = asked(&put("a"));
    assert_eq!(client.eof(b""), Ok(no));
}

#[test]
fn lines_say_how_a_change_went() {
    let no = b"[Could not change file name because file was not found]";
    let (mut client, _) = asked(&change());
    assert_eq!(
        client.decode(b"[Name was successfully changed]"),
        Ok(Some((31, Answer::Renamed)))
    );
    let (mut client, _) = asked(&change());
    let missing = refused(Refusal::NotFound);
    assert_eq!(client.decode(no), Ok(Some((no.len(), missing))));
    let (mut client, _) = asked(&change());
    assert_eq!(client.decode(b"what?"), Ok(None));
    let other = refused(Refusal::Unsupported);
    assert_eq!(client.answer_on(b"what?", Cue::Quiet), Ok(Some((5, other))));
}

#[test]
fn help_is_whatever_the_server_says() {
    let (mut client, _) = asked(&Request::Help);
    assert_eq!(client.decode(b"any words"), Ok(None));
    let text = "any words".to_owned();
    let told = client.answer_on(b"any words", Cue::Quiet);
    assert_eq!(told, Ok(Some((9, Answer::Help { text }))));
    let (mut client, _) = asked(&Request::Help);
    let endless = client.decode(&[b'x'; 5000]);
    assert!(matches!(endless, Ok(Some((2048, Answer::Help { .. })))));
    let (mut client, _) = asked(&Request::Help);
    assert_eq!(client.answer_on(b"", Cue::Quiet), Ok(None));
    assert_eq!(client.eof(b"").map_err(|fault| fault.cause), Err("short"));
}

#[test]
fn spaces_in_a_row_are_found_across_chunks() {
    let at = |chunks: &[&[u8]]| {
        let (mut client, mut at) = (Client::default(), 0);
        for chunk in chunks {
            if let Err(fault) = client.vet(chunk, at) {
                assert_eq!(fault.cause, "spaces");
                return Some(fault.detail);
            }
            at += chunk.len() as u64;
        }
        None
    };
    let says = |offset: u64, told: Option<String>| {
        let words = format!("from byte {offset} on");
        assert!(told.is_some_and(|told| told.contains(&words)), "{words}");
    };
    let spaces = |len| vec![b' '; len];
    assert_eq!(at(&[&spaces(1023)]), None);
    assert_eq!(at(&[&spaces(1023), b"x", &spaces(1023)]), None);
    assert_eq!(at(&[b"x", &spaces(600), b"", &spaces(423), b"x"]), None);
    says(0, at(&[&spaces(1024)]));
    says(1, at(&[b"x", &spaces(3000)]));
    says(3, at(&[b"abc", &spaces(600), &spaces(423), b" "]));
    says(
        5,
        at(&[b"abcd", &[b"x", &spaces(500)[..]].concat(), &spaces(524)]),
    );
    // Another file begins anew.
    let mut client = Client::default();
    assert_eq!(client.vet(&spaces(1000), 0), Ok(()));
    assert_eq!(client.vet(&spaces(1000), 0), Ok(()));
    assert!(client.vet(&spaces(24), 1000).is_err());
}
