//! colon's header, byte for byte: the table of its specification.

use super::*;

fn found(input: &[u8]) -> Option<(&[u8], Choice, usize)> {
    header(input).map(|it| (it.name, it.choice, it.used))
}

#[test]
fn a_header_ends_at_the_first_colon_with_a_choice() {
    use Choice::{Get, Put};
    type Row<'a> = (&'a [u8], Option<(&'a [u8], Choice, usize)>);
    let table: [Row<'_>; 20] = [
        (b"", None),
        (b"a.txt", None),
        (b"a.txt:", None),
        (b"a.txt:GE", None),
        (b"a.txt:GET", Some((b"a.txt", Get, 9))),
        (b"a.txt:get", Some((b"a.txt", Get, 9))),
        (b"a.txt:pUt", Some((b"a.txt", Put, 9))),
        (b"a.txt : GET", Some((b"a.txt", Get, 11))),
        (b"a.txt  :   put", Some((b"a.txt", Put, 14))),
        (b"a b:GET", Some((b"a b", Get, 7))),
        (b"a:b:GET", Some((b"a:b", Get, 7))),
        (b"a::GET", Some((b"a:", Get, 6))),
        (b"a:GETTING:PUT", Some((b"a", Get, 5))),
        (b"a:PUThello:GET", Some((b"a", Put, 5))),
        (b"a:\tGET", None),
        (b"a:G ET", None),
        (b":GET", Some((b"", Get, 4))),
        (b" : GET", Some((b"", Get, 6))),
        (b"\xff:GET", Some((b"\xff", Get, 5))),
        (b"2a:GET", Some((b"2a", Get, 6))),
    ];
    for (input, means) in table {
        assert_eq!(found(input), means, "{}", input.escape_ascii());
    }
    let long = |len: usize| [vec![b'x'; len], b":GET".to_vec()].concat();
    assert!(found(&long(HEAD_MAX - 4)).is_some());
    assert!(found(&long(HEAD_MAX - 3)).is_none());
}

#[test]
fn the_examples_of_the_specification_are_its_bytes() {
    let spec = include_str!("../colon.rs");
    for (what, bytes) in [
        ("two clients will come", &b"2"[..]),
        ("get `a.txt`", b"a.txt:GET"),
        ("put `a.txt`", b"a.txt:PUT"),
        ("understood", DONE),
        ("not understood", ERROR),
    ] {
        let hex: Vec<_> = bytes.iter().map(|byte| format!("{byte:02X}")).collect();
        let row = format!("| {what} | `{}` |", hex.join(" "));
        assert!(spec.contains(&row), "{row}");
    }
    assert_eq!(SENTENCE, b"File not found. Try again.");
}
