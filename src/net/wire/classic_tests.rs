//! classic, byte for byte: the tables of its specification, and what breaks it.

use super::super::codec::Version;
use super::*;

type Heard = Result<Option<(usize, Request)>, &'static str>;

fn serve(input: &[u8]) -> Heard {
    Server.decode(input).map_err(|fault| fault.cause)
}

fn get(name: &[u8]) -> Request {
    Request::Get {
        path: RemotePath::new(name),
        offset: 0,
        version: None,
    }
}

/// A request's head with this length, and as many bytes `x` of name.
fn request(name_len: u16) -> Vec<u8> {
    let mut bytes = vec![0x49, 0x7E, 1];
    bytes.extend(name_len.to_be_bytes());
    bytes.resize(REQUEST_HEAD + usize::from(name_len), b'x');
    bytes
}

fn asked(name: &str) -> (Client, Vec<u8>) {
    let (mut client, mut out) = (Client::default(), Vec::new());
    let done = client.ask(&get(name.as_bytes()), &mut out);
    assert_eq!(done, Ok(()));
    (client, out)
}

fn content(size: u64) -> Answer {
    Answer::Content(Content {
        size,
        offset: 0,
        mtime: None,
        version: None,
    })
}

fn hex(bytes: &[u8]) -> String {
    let words: Vec<_> = bytes.iter().map(|byte| format!("{byte:02X}")).collect();
    words.join(" ")
}

#[test]
fn the_examples_of_the_specification_are_what_is_sent() {
    let examples = |bytes: &[u8]| include_str!("classic.rs").contains(&format!("`{}`", hex(bytes)));
    assert!(examples(&asked("a.txt").1));
    for (size, payload) in [(3, b"hi\n".as_slice()), (0, b"")] {
        let mut out = Vec::new();
        let reply = Reply::Content(Content {
            size,
            offset: 0,
            mtime: Some(7),
            version: Version::new(b"v"),
        });
        assert_eq!(Server.encode(&reply, &mut out), After::Close);
        if size > 0 {
            assert_eq!(Server.next_run(0, size, &mut out), size);
        }
        out.extend(payload);
        assert_eq!(Server.finish(None, &mut out), After::Close);
        assert!(examples(&out), "{}", hex(&out));
    }
    for refusal in Refusal::ALL {
        let mut out = Vec::new();
        let after = Server.encode(&Reply::Refused(refusal), &mut out);
        assert_eq!(
            (out.as_slice(), after),
            (&b"\x49\x7E\x02\0\0\0\0\0"[..], After::Close)
        );
        assert!(examples(&out));
    }
}

#[test]
fn a_request_is_heard_and_nothing_behind_it() {
    let whole = request(3);
    for more in [&b""[..], b"\x49", b"garbage behind it"] {
        let bytes = [&whole, more].concat();
        assert_eq!(serve(&bytes), Ok(Some((8, get(b"xxx")))));
    }
    let names: [&[u8]; 4] = [b"a\0b", b"\xFF\xFE", b"../x", b"/"];
    for name in names {
        let mut bytes = request(u16::try_from(name.len()).unwrap_or(0));
        bytes.truncate(REQUEST_HEAD);
        bytes.extend(name);
        assert_eq!(serve(&bytes), Ok(Some((bytes.len(), get(name)))));
    }
    let longest = request(1024);
    assert_eq!(serve(&longest).map(|it| it.map(|it| it.0)), Ok(Some(1029)));
    assert_eq!(longest.len(), Server.head_limit());
}

#[test]
fn a_wrong_byte_is_heard_at_once() {
    let cases: [(&[u8], &str); 15] = [
        (b"\x00", "magic"),
        (b"\x48\x7E\x01\0\x05", "magic"),
        (b"\x7E\x49", "magic"),
        (b"\x49\x7F", "magic"),
        (b"\x49\x49\x7E", "magic"),
        (b"GET / HTTP/1.1\r\n", "magic"),
        (b"\x49\x7E\x00", "type"),
        (b"\x49\x7E\x02", "type"),
        (b"\x49\x7E\x10\0\0", "type"),
        (b"\x49\x7E\x01\x00\x00", "length"),
        (b"\x49\x7E\x01\x00\x00abc", "length"),
        (b"\x49\x7E\x01\x04\x01", "length"),
        (b"\x49\x7E\x01\x05", "length"),
        (b"\x49\x7E\x01\xFF\xFF", "length"),
        (b"\x49\x7E\x01\xFF", "length"),
    ];
    for (bytes, cause) in cases {
        assert_eq!(serve(bytes), Err(cause), "{}", hex(bytes));
        assert_eq!(Server.wants(bytes), None, "{}", hex(bytes));
    }
    assert_eq!(serve(&request(1025)), Err("length"));
    assert_eq!(serve(&request(65535)), Err("length"));
}

#[test]
fn a_request_byte_by_byte_says_what_it_lacks() {
    let whole = b"\x49\x7E\x01\x00\x05a.txt";
    assert_eq!(Server.eof(b""), Ok(()));
    for cut in 0..whole.len() {
        let part = &whole[..cut];
        let want = if cut < 5 { 5 } else { 10 };
        assert_eq!(serve(part), Ok(None));
        assert_eq!(Server.wants(part), Some(want));
        if cut > 0 {
            let detail = format!("request incomplete: {cut} of {want} bytes");
            assert_eq!(Server.eof(part), Err(Malformed::new("short", detail)));
        }
    }
    assert_eq!(serve(whole), Ok(Some((10, get(b"a.txt")))));
    assert_eq!(Server.eof(whole), Ok(()));
}

#[test]
fn what_classic_cannot_carry_is_said_as_no() {
    let cases = [(0, 1 << 32), (1, 5)];
    for (offset, size) in cases {
        let mut out = Vec::new();
        let reply = Reply::Content(Content {
            size,
            offset,
            mtime: None,
            version: None,
        });
        assert_eq!(Server.encode(&reply, &mut out), After::Close);
        assert_eq!(out, b"\x49\x7E\x02\0\0\0\0\0");
    }
    let mut out = Vec::new();
    assert_eq!(
        Server.encode(&Reply::Pong { token: 1 }, &mut out),
        After::Close
    );
    assert_eq!(out, b"");
    assert_eq!(Server.size_limit(), 0xFFFF_FFFF);
}

#[test]
fn a_client_refuses_what_it_cannot_ask() {
    let cases = [
        (Request::List { path: "".into() }, "unsupported"),
        (Request::Stat { path: "a".into() }, "unsupported"),
        (Request::Ping { token: 1 }, "unsupported"),
        (Request::Hello { name: "me".into() }, "unsupported"),
        (get(b""), "name"),
        (get(&[b'x'; 1025]), "name"),
        (get(&vec![b'x'; 70_000]), "name"),
        (get(b"a\0"), "name"),
        (
            Request::Get {
                path: "a".into(),
                offset: 1,
                version: None,
            },
            "unsupported",
        ),
        (
            Request::Get {
                path: "a".into(),
                offset: 0,
                version: Version::new(b"v"),
            },
            "unsupported",
        ),
    ];
    for (request, cause) in cases {
        let (mut client, mut out) = (Client::default(), Vec::new());
        let said = client.ask(&request, &mut out).map_err(|fault| fault.cause);
        assert_eq!(
            (said, out.as_slice()),
            (Err(cause), &b""[..]),
            "{request:?}"
        );
    }
    let (mut client, mut out) = asked("a");
    let again = client.ask(&get(b"a"), &mut out);
    assert_eq!(again.map_err(|fault| fault.cause), Err("order"));
    assert!(!Client::default().greet("me", &mut out));
}

#[test]
fn a_client_hears_a_file_whole() {
    let (mut client, _) = asked("a.txt");
    let response = b"\x49\x7E\x02\x01\x00\x00\x01\x03";
    for cut in 0..response.len() {
        assert_eq!(client.decode(&response[..cut]), Ok(None));
    }
    assert_eq!(client.decode(response), Ok(Some((8, content(259)))));
    let run = Answer::Run {
        offset: 0,
        len: 259,
    };
    assert_eq!(client.clone().decode(b""), Ok(Some((0, run.clone()))));
    assert_eq!(client.decode(b"data"), Ok(Some((0, run))));
    assert_eq!(client.decode(b""), Ok(None));
    let excess = Malformed::new("excess", "more bytes than announced");
    assert_eq!(client.clone().decode(b"!"), Err(excess.clone()));
    assert_eq!(client.clone().eof(b"!"), Err(excess));
    assert_eq!(client.eof(b""), Ok(Answer::End));
    assert_eq!(client.eof(b"").map_err(|fault| fault.cause), Err("closed"));
}

#[test]
fn a_client_hears_an_empty_file_and_a_refusal() {
    let (mut client, _) = asked("a");
    let heard = client.decode(b"\x49\x7E\x02\x01\0\0\0\0");
    assert_eq!(heard, Ok(Some((8, content(0)))));
    assert_eq!(client.decode(b""), Ok(None));
    assert_eq!(client.eof(b""), Ok(Answer::End));

    let (mut client, _) = asked("a");
    let refused = Answer::Refused {
        refusal: Refusal::NotFound,
    };
    let heard = client.decode(b"\x49\x7E\x02\0\0\0\0\0");
    assert_eq!(heard, Ok(Some((8, refused))));
    assert_eq!(client.decode(b""), Ok(None));
    let more = client.decode(b"x").map_err(|fault| fault.cause);
    assert_eq!(more, Err("excess"));
}

#[test]
fn a_client_refuses_a_broken_response() {
    let cases: [(&[u8], &str); 9] = [
        (b"\x48", "magic"),
        (b"\x49\x7F", "magic"),
        (b"\x49\x7E\x01", "type"),
        (b"\x49\x7E\x03", "type"),
        (b"\x49\x7E\x02\x02", "status"),
        (b"\x49\x7E\x02\xFF", "status"),
        (b"\x49\x7E\x02\x00\x01", "length"),
        (b"\x49\x7E\x02\x00\x00\x00\x00\x01", "length"),
        (b"HTTP/1.1 400 Bad Request", "magic"),
    ];
    for (bytes, cause) in cases {
        let (mut client, _) = asked("a");
        let heard = client.decode(bytes).map_err(|fault| fault.cause);
        assert_eq!(heard, Err(cause), "{}", hex(bytes));
    }
    let early = Client::default()
        .decode(b"\x49")
        .map_err(|fault| fault.cause);
    assert_eq!(early, Err("order"));
}

#[test]
fn a_client_says_what_is_missing() {
    let (mut client, _) = asked("a");
    let short = |detail: &str| Err(Malformed::new("short", detail));
    assert_eq!(
        client.eof(b"\x49\x7E\x02"),
        short("response incomplete: 3 of 8 bytes")
    );
    assert!(client.decode(b"\x49\x7E\x02\x01\0\0\0\x09").is_ok());
    assert_eq!(
        client.eof(b"abc"),
        short("content incomplete: 3 of 9 bytes")
    );
}
