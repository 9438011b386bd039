//! session's serving half: commands, words, and where an upload ends.

use super::super::put_message;
use super::*;

fn message(text: &[u8]) -> Vec<u8> {
    let mut bytes = format!("{:<64}", text.len()).into_bytes();
    bytes.extend_from_slice(text);
    bytes
}

fn hear(text: &[u8]) -> Option<Request> {
    let bytes = message(text);
    match Server::default().decode(&bytes) {
        Ok(Some((used, request))) if used == bytes.len() => Some(request),
        _ => None,
    }
}

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
        size: None,
    }
}

#[test]
fn a_text_is_a_command_or_is_answered_all_the_same() {
    let change = Request::Rename {
        from: "a".into(),
        to: "b".into(),
    };
    let table: [(&[u8], Request); 23] = [
        (b"help", Request::Help),
        (b"!DISCONNECT", Request::Bye),
        (b"p a.txt", put("a.txt")),
        (b"p a.txt b", put("a.txt")),
        (b"g a/b.txt", get("a/b.txt")),
        ("g \u{e9}".as_bytes(), get("\u{e9}")),
        (b"c a b", change.clone()),
        (b"c a b c", change),
        (b"c a", Request::Other),
        (b"c a ", Request::Other),
        (b"c  a b", Request::Other),
        (b"p", Request::Other),
        (b"p ", Request::Other),
        (b"p  a", Request::Other),
        (b"g", Request::Other),
        (b"g ", Request::Other),
        (b" ", Request::Other),
        (b"", Request::Other),
        (b"bye", Request::Other),
        (b"put a", Request::Other),
        (b"HELP", Request::Other),
        (b"g \xff", Request::Other),
        (b"help ", Request::Other),
    ];
    for (text, request) in table {
        assert_eq!(hear(text), Some(request), "{}", text.escape_ascii());
    }
}

#[test]
fn the_longest_message_is_heard() {
    let text = format!("g {}", "x".repeat(TEXT_MAX - 2));
    assert_eq!(hear(text.as_bytes()), Some(get(&text[2..])));
    let mut server = Server::default();
    assert_eq!(server.head_limit(), message(text.as_bytes()).len());
    assert_eq!(server.wants(b"20"), Some(64));
    assert_eq!(server.wants(&message(b"help")[..64]), Some(68));
    let eof = |input: &[u8]| server.eof(input).map_err(|fault| fault.cause);
    assert_eq!(eof(b""), Ok(()));
    assert_eq!(eof(b"4"), Err("short"));
    assert_eq!(eof(&message(b"help")[..67]), Err("short"));
    let many = message(b"help").repeat(3);
    assert_eq!(server.decode(&many), Ok(Some((68, Request::Help))));
}

#[test]
fn every_reply_is_said_in_the_originals_words() {
    let said = |asked: &[u8], reply: Reply| {
        let (mut server, mut out) = (Server::default(), Vec::new());
        assert!(matches!(server.decode(&message(asked)), Ok(Some(_))));
        let after = server.encode(&reply, &mut out);
        (String::from_utf8(out).unwrap_or_default(), after)
    };
    let no = || Reply::Refused(Refusal::NotAllowed);
    let own = |text: &str, after| (text.to_owned(), after);
    assert_eq!(said(b"help", Reply::Help), own(HELP, After::Next));
    assert_eq!(
        said(b"p a", Reply::Ready),
        own("[File was put]", After::Next)
    );
    assert_eq!(said(b"p a", no()), own("[File was not put]", After::Close));
    assert_eq!(said(b"g a", no()), own("", After::Close));
    assert_eq!(
        said(b"c a b", Reply::Renamed),
        own("[Name was successfully changed]", After::Next)
    );
    let refused = "[Could not change file name because file was not found]";
    assert_eq!(said(b"c a b", no()), own(refused, After::Next));
    let heard = "[Not understood, try help]";
    assert_eq!(said(b" ", Reply::Heard), own(heard, After::Next));
}

#[test]
fn a_content_leaves_apart_and_ends_with_spaces() {
    let (mut server, mut out) = (Server::default(), Vec::new());
    let content = crate::net::wire::codec::Content {
        size: 3,
        offset: 0,
        mtime: None,
        version: None,
    };
    assert_eq!(server.gait(), Gait::Apart);
    assert_eq!(
        server.encode(&Reply::Content(content), &mut out),
        After::Next
    );
    assert_eq!(out, b"[Get File]");
    out.clear();
    assert_eq!(server.next_run(0, 3, &mut out), 3);
    assert_eq!(server.finish(None, &mut out), After::Next);
    assert_eq!(out, [b' '; 1024]);
    out.clear();
    let spoilt = server.finish(Some(Refusal::Changed), &mut out);
    assert_eq!((spoilt, out.len()), (After::Close, 0));
}

/// The content and how many bytes stand behind the marker, or what is wrong.
fn taken(parts: &[&[u8]], cue: Cue) -> Result<Option<(Vec<u8>, usize)>, &'static str> {
    let input = parts.concat();
    let take = Server::default().take(&input, cue);
    let Take { content, end } = take.map_err(|fault| fault.cause)?;
    Ok(end.map(|end| {
        assert_eq!(end, Finale::new(Outcome::EndedNotProvable, 1024));
        (input[..content].to_vec(), input.len() - content - 1024)
    }))
}

const MARK: &[u8] = &[b' '; 1024];

#[test]
fn an_upload_ends_at_the_last_spaces() {
    let help = message(b"help");
    let spaces = [b' '; 3000];
    let whole = |content: &[u8], behind| Ok(Some((content.to_vec(), behind)));
    for cue in [Cue::Quiet, Cue::Close] {
        assert_eq!(taken(&[MARK], cue), whole(b"", 0));
        assert_eq!(taken(&[b"hi\n", MARK], cue), whole(b"hi\n", 0));
        assert_eq!(taken(&[b"hi  ", MARK], cue), whole(b"hi  ", 0));
        assert_eq!(taken(&[&spaces, MARK], cue), whole(&spaces, 0));
        let middle = [b"a", MARK, b"b"].concat();
        assert_eq!(taken(&[&middle, MARK], cue), whole(&middle, 0));
        // Digits that are no header: the length is too long, or text follows.
        for like in [&b"9999   "[..], b"5x", b"4 4"] {
            let middle = [b"a", MARK, like].concat();
            assert_eq!(taken(&[&middle, MARK], cue), whole(&middle, 0));
        }
    }
    for cue in [Cue::Bytes, Cue::Quiet, Cue::Close] {
        assert_eq!(taken(&[b"hi", MARK, &help], cue), whole(b"hi", 68));
        assert_eq!(taken(&[&spaces, MARK, &help], cue), whole(&spaces, 68));
        assert_eq!(taken(&[MARK, &help[..64]], cue), whole(b"", 64));
    }
}

#[test]
fn an_upload_without_its_marker_is_no_upload() {
    let help = message(b"help");
    for open in [
        &[&b"hi"[..]][..],
        &[b"hi", &MARK[..1023]],
        &[b"hi", MARK, b"x"],
        &[b"hi", MARK, &help[..63]],
        &[&MARK[..1023], &help],
        &[],
    ] {
        assert_eq!(taken(open, Cue::Bytes), Ok(None));
        assert_eq!(taken(open, Cue::Quiet), Ok(None));
        assert_eq!(taken(open, Cue::Close), Err("marker"));
    }
}

#[test]
fn no_more_is_held_back_than_may_be_marker_and_header() {
    let held = |parts: &[&[u8]]| {
        let input = parts.concat();
        let take = Server::default().take(&input, Cue::Bytes);
        take.map(|take| input.len() - take.content)
    };
    assert_eq!(held(&[&[7; 9000]]), Ok(0));
    assert_eq!(held(&[b"a", &[b' '; 9]]), Ok(9));
    assert_eq!(held(&[&[b' '; 9000]]), Ok(1024));
    assert_eq!(held(&[&[b' '; 9000], b"12 "]), Ok(1027));
    assert_eq!(held(&[&[b' '; 9000], b"12", &[b' '; 61]]), Ok(1024 + 63));
    assert_eq!(held(&[&[b' '; 9000], b"12x"]), Ok(0));
}

#[test]
fn a_message_behind_an_upload_is_the_next_request() {
    let mut server = Server::default();
    let mut bytes = b"hi ".to_vec();
    bytes.extend_from_slice(MARK);
    put_message("g a.txt", &mut bytes);
    let take = server.take(&bytes, Cue::Bytes);
    assert_eq!(take.as_ref().map(|take| take.content), Ok(3));
    let heard = server.decode(&bytes[3 + 1024..]);
    assert_eq!(heard, Ok(Some((71, get("a.txt")))));
}
