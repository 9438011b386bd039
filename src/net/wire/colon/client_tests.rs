//! colon's asking half: headers, patience, and what it refuses to say.

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

fn asked(request: &Request) -> (Client, Vec<u8>) {
    let (mut client, mut out) = (Client::default(), Vec::new());
    assert_eq!(client.ask(request, &mut out), Ok(()));
    (client, out)
}

#[test]
fn no_count_is_said_unless_told_to() {
    let mut out = Vec::new();
    assert!(!Client::default().greet("me", &mut out));
    assert_eq!(out, b"");
    let counts = [0, 1, 9, 10].map(|clients| {
        let mut out = Vec::new();
        let mut client = Client::with_clients(clients).ok()?;
        client.greet("me", &mut out);
        Some(out)
    });
    assert_eq!(
        counts,
        [None, Some(b"1".to_vec()), Some(b"9".to_vec()), None]
    );
}

#[test]
fn what_a_header_cannot_carry_is_refused_before_it_is_sent() {
    assert_eq!(asked(&get("a:b c")).1, b"a:b c:GET");
    assert_eq!(asked(&put("2a")).1, b"2a:PUT");
    assert_eq!(asked(&get("a::")).1, b"a:::GET");
    let long = "x".repeat(HEAD_MAX - 3);
    let offset = Request::Get {
        path: "a".into(),
        offset: 1,
        version: None,
    };
    for (request, cause) in [
        (get(""), "name"),
        (get("a:get b"), "name"),
        (get("a: PUT"), "name"),
        (get("a "), "name"),
        (get("a\0"), "name"),
        (get(&long), "name"),
        (offset, "unsupported"),
        (Request::Help, "unsupported"),
    ] {
        let (mut client, mut out) = (Client::default(), Vec::new());
        let fault = client.ask(&request, &mut out).map_err(|fault| fault.cause);
        assert_eq!((fault, out.len()), (Err(cause), 0), "{request:?}");
    }
    let (mut client, _) = asked(&get("a"));
    let fault = client.ask(&get("a"), &mut Vec::new());
    assert_eq!(fault.map_err(|fault| fault.cause), Err("order"));
}

#[test]
fn the_header_is_said_again_until_it_is_understood() {
    let (mut client, _) = asked(&get("a"));
    let (mut held, mut said) = (Vec::new(), 0);
    for _ in 0..4 {
        for &byte in ERROR {
            held.push(byte);
            assert_eq!(client.decode(&held), Ok(None));
            let mut out = Vec::new();
            client.again(&mut out);
            said += out.len();
        }
    }
    assert_eq!(said, 4 * b"a:GET".len());
    held.extend_from_slice(b"Donedata");
    assert_eq!(client.decode(&held), Ok(Some((24, Answer::Stream))));
}

#[test]
fn five_errors_or_a_close_behind_one_are_a_no() {
    let no = |request: &Request, refusal: Refusal| {
        let told = Answer::Refused { refusal };
        let (mut client, _) = asked(request);
        let heard = client.decode(&ERROR.repeat(5));
        assert_eq!(heard, Ok(Some((25, told.clone()))));
        let (mut client, _) = asked(request);
        assert_eq!(client.decode(ERROR), Ok(None));
        assert_eq!(client.eof(ERROR), Ok(told));
    };
    no(&get("a"), Refusal::Unsupported);
    no(&put("a"), Refusal::NotAllowed);
    let (mut client, _) = asked(&get("a"));
    assert_eq!(client.eof(b"Do").map_err(|fault| fault.cause), Err("short"));
    let (mut client, _) = asked(&get("a"));
    assert_eq!(
        client.decode(b"Dx").map_err(|fault| fault.cause),
        Err("reply")
    );
}

#[test]
fn a_put_is_sent_and_ends_with_our_close() {
    let (mut client, _) = asked(&put("a"));
    assert_eq!(client.decode(b"Done"), Ok(Some((4, Answer::Ready))));
    assert_eq!(client.eof(b"").map_err(|fault| fault.cause), Err("closed"));
    let mut out = Vec::new();
    assert_eq!((client.finish(&mut out), out.len()), (After::Close, 0));
    assert_eq!(client.proof(), Outcome::EndedNotProvable);
    assert_eq!(client.clone().quiet(), Some(Answer::End));
    assert_eq!(client.eof(b""), Ok(Answer::End));
}

#[test]
fn a_content_that_is_the_sentence_is_a_no() {
    let take = |content: &[u8]| {
        let (mut client, _) = asked(&get("a"));
        assert_eq!(client.decode(b"Done"), Ok(Some((4, Answer::Stream))));
        client.take(content, Cue::Close)
    };
    let fault = take(b"File not found. Try again.").map(|take| take.content);
    let words = "the server has no such file, or one that says exactly that";
    assert_eq!(fault, Err(Malformed::new(Malformed::ABSENT, words)));
    assert_eq!(take(b"").map(|take| take.content), Ok(0));
    assert_eq!(take(b"File").map(|take| take.content), Ok(4));
}
