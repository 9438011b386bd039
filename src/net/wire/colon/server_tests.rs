//! colon's serving half: counts, second guesses, errors, and uploads.

use super::*;

type Heard = Result<Option<(usize, Request)>, &'static str>;

fn put(name: &str) -> Request {
    Request::Put {
        path: name.into(),
        size: None,
    }
}

fn asked(name: &str) -> Request {
    get(name.into())
}

/// What each read in turn makes of what is held.
fn reads(server: &mut Server, reads: &[&[u8]]) -> Vec<Heard> {
    let (mut held, mut heard) = (Vec::new(), Vec::new());
    for read in reads {
        held.extend_from_slice(read);
        let now = server.decode(&held).map_err(|fault| fault.cause);
        if let Ok(Some((used, _))) = &now {
            held.drain(..used);
        }
        heard.push(now);
    }
    heard
}

fn fresh(bytes: &[&[u8]]) -> Vec<Heard> {
    reads(&mut Server::default(), bytes)
}

#[test]
fn one_digit_alone_in_the_first_read_is_the_count() {
    let count = Ok(Some((1, Request::Aside)));
    let due = |used, request| Ok(Some((used, request)));
    assert_eq!(
        fresh(&[b"2", b"a.txt:GET"]),
        [count.clone(), due(9, asked("a.txt"))]
    );
    assert_eq!(fresh(&[b"2", b"3:PUT"]), [count, due(5, put("3"))]);
    assert_eq!(fresh(&[b"22", b"a:GET"]), [Ok(None), due(7, asked("22a"))]);
    assert_eq!(fresh(&[b"x", b"2:GET"]), [Ok(None), due(6, asked("x2"))]);
    // One alone later is not.
    let mut server = Server::default();
    assert_eq!(reads(&mut server, &[b"2", b"3"])[1], Ok(None));
}

#[test]
fn a_glued_digit_is_the_name_first_and_the_count_second() {
    let second = |bytes: &[&[u8]]| {
        let mut server = Server::default();
        reads(&mut server, bytes);
        (server.second_guess(), server.second_guess())
    };
    assert_eq!(
        second(&[b"2notes.txt:GET"]),
        (Some(asked("notes.txt")), None)
    );
    assert_eq!(
        second(&[b"2no", b"tes.txt:GET"]).0,
        Some(asked("notes.txt"))
    );
    assert_eq!(second(&[b"2notes.txt:PUT"]).0, None);
    assert_eq!(second(&[b"notes.txt:GET"]).0, None);
    assert_eq!(second(&[b"22:GET"]).0, Some(asked("2")));
    assert_eq!(second(&[b"2:GET"]).0, None);
    assert_eq!(second(&[b"2", b"3notes.txt:GET"]).0, None);
    assert_eq!(
        fresh(&[b"2notes.txt:PUT"]),
        [Ok(Some((14, put("2notes.txt"))))]
    );
}

#[test]
fn what_is_not_understood_is_an_error_five_times_over() {
    let mut server = Server::default();
    assert_eq!(server.decode(b"hello"), Ok(None));
    assert_eq!(server.decode_on(b"", Cue::Quiet), Ok(None));
    assert_eq!(server.decode_on(b"hello", Cue::Close), Ok(None));
    for turn in 1..=5 {
        let other = server.decode_on(b"hello", Cue::Quiet);
        assert_eq!(other, Ok(Some((5, Request::Other))));
        let mut out = Vec::new();
        let after = server.encode(&Reply::Heard, &mut out);
        assert_eq!(out, b"Error");
        assert_eq!(after, if turn < 5 { After::Next } else { After::Close });
    }
    assert_eq!(fresh(&[b":GET"]), [Ok(Some((4, Request::Other)))]);
}

#[test]
fn a_header_has_a_limit_and_must_not_be_cut_short() {
    assert_eq!(fresh(&[&[b'x'; HEAD_MAX]]), [Err("length")]);
    assert_eq!(fresh(&[&[b'7'; 5000]]), [Err("length")]);
    assert_eq!(fresh(&[&[b'x'; HEAD_MAX - 1]]), [Ok(None)]);
    let eof = |input: &[u8]| Server::default().eof(input).map_err(|fault| fault.cause);
    assert_eq!(eof(b""), Ok(()));
    assert_eq!(eof(b"a.txt:GE"), Err("short"));
}

fn said(server: &mut Server, reply: &Reply) -> (Vec<u8>, Vec<u8>, After) {
    let (mut out, mut behind) = (Vec::new(), Vec::new());
    let after = server.encode(reply, &mut out);
    server.epilogue(&mut behind);
    (out, behind, after)
}

#[test]
fn a_refused_get_is_done_and_then_the_sentence() {
    let mut server = Server::default();
    reads(&mut server, &[b"a.txt:GET"]);
    let (out, behind, after) = said(&mut server, &Reply::Refused(Refusal::NotFound));
    assert_eq!(out, b"Done");
    assert_eq!(behind, b"File not found. Try again.");
    assert_eq!((after, server.gait()), (After::Close, Gait::Apart));
    let again = said(&mut server, &Reply::Ready).1;
    assert_eq!(again, b"");
}

#[test]
fn a_refused_put_is_an_error_and_content_behind_it_is_no_header() {
    let no = Reply::Refused(Refusal::NotAllowed);
    let mut server = Server::default();
    for turn in 1..=5 {
        reads(&mut server, &[b"a.txt:PUT"]);
        let after = if turn < 5 { After::Next } else { After::Close };
        assert_eq!(
            said(&mut server, &no),
            (b"Error".to_vec(), Vec::new(), after)
        );
    }
    let mut server = Server::default();
    reads(&mut server, &[b"a.txt:PUTevil:PUT"]);
    assert_eq!(said(&mut server, &no).2, After::Close);
}

fn taken(reads: &[&[u8]]) -> Result<(Vec<u8>, Outcome), &'static str> {
    let (mut server, mut held, mut content) = (Server::default(), Vec::new(), Vec::new());
    for read in reads {
        held.extend_from_slice(read);
        for cue in [Cue::Bytes, Cue::Quiet] {
            let take = server.take(&held, cue).map_err(|fault| fault.cause)?;
            assert_eq!(take.end, None);
            content.extend(held.drain(..take.content));
        }
        assert!(held.len() <= SENTENCE.len());
    }
    let take = server
        .take(&held, Cue::Close)
        .map_err(|fault| fault.cause)?;
    content.extend(held.drain(..take.content));
    let outcome = take.end.map(|end| end.outcome);
    Ok((content, outcome.unwrap_or(Outcome::Failed)))
}

#[test]
fn an_upload_ends_with_the_close_and_may_be_no_file() {
    let whole = |content: &[u8]| Ok((content.to_vec(), Outcome::EndedNotProvable));
    assert_eq!(taken(&[]), whole(b""));
    assert_eq!(taken(&[b"hi\n"]), whole(b"hi\n"));
    assert_eq!(taken(&[SENTENCE]), Err("absent"));
    let (front, back) = SENTENCE.split_at(9);
    assert_eq!(taken(&[front, back]), Err("absent"));
    assert_eq!(taken(&[front]), whole(front));
    assert_eq!(taken(&[front, b"x"]), whole(&[front, b"x"].concat()));
    assert_eq!(
        taken(&[SENTENCE, b"\n"]),
        whole(b"File not found. Try again.\n")
    );
    assert_eq!(
        taken(&[b"x", SENTENCE]),
        whole(b"xFile not found. Try again.")
    );
}
