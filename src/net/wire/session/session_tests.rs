//! session's header and text, byte for byte: the table of its specification.

use super::*;

type Told = Result<Option<usize>, &'static str>;

fn cause(input: &[u8]) -> Told {
    header(input).map_err(|fault| fault.cause)
}

#[test]
fn a_header_is_digits_and_then_spaces() {
    let padded = |digits: &str| format!("{digits:<64}").into_bytes();
    let table: [(&[u8], Told); 22] = [
        (b"", Ok(None)),
        (b"4", Ok(None)),
        (b"4 ", Ok(None)),
        (&padded("4")[..63], Ok(None)),
        (&padded("4"), Ok(Some(4))),
        (&padded("0"), Ok(Some(0))),
        (&padded("0004"), Ok(Some(4))),
        (&padded("2048"), Ok(Some(2048))),
        (&padded("2049"), Err("length")),
        (&padded("18446744073709551616"), Err("length")),
        (&[b'9'; 5000], Err("length")),
        (&[b'0'; 64], Ok(Some(0))),
        (&padded("-1"), Err("header")),
        (&padded("+1"), Err("header")),
        (&padded(" 5"), Err("header")),
        (&padded(""), Err("header")),
        (&padded("5 5"), Err("header")),
        (&padded("0x5"), Err("header")),
        (&padded("\u{ff15}"), Err("header")),
        (b"5\t", Err("header")),
        (b"\n", Err("header")),
        (b"help", Err("header")),
    ];
    for (input, means) in table {
        assert_eq!(cause(input), means, "{}", input.escape_ascii());
    }
}

#[test]
fn the_examples_of_the_specification_are_what_is_sent() {
    let spec = include_str!("../session.rs");
    for (row, text) in [
        (
            "| the message `help` | `34`, 63 times `20`, `68 65 6C 70` |",
            "help",
        ),
        (
            "| the message `p a.txt` | `37`, 63 times `20`, `70 20 61 2E 74 78 74` |",
            "p a.txt",
        ),
        (
            "| the message of one space | `31`, 63 times `20`, `20` |",
            " ",
        ),
    ] {
        assert!(spec.contains(row), "{row}");
        let mut out = Vec::new();
        put_message(text, &mut out);
        let mut hex = row
            .split('`')
            .rev()
            .filter(|it| it.len() > 1 && !it.contains('|'));
        let bytes: Vec<_> = text.bytes().map(|byte| format!("{byte:02X}")).collect();
        assert!(text == " " || hex.any(|it| it == bytes.join(" ")), "{row}");
        assert_eq!(out[0], b'0' + u8::try_from(text.len()).unwrap_or(0));
        assert_eq!(out[1..HEADER], [b' '; 63]);
        assert_eq!(&out[HEADER..], text.as_bytes());
    }
    let shown = HELP.replace("newfilename ", "newfilename\u{2423}");
    for line in shown.lines() {
        assert!(spec.contains(&format!("//! {line}\n")), "{line}");
    }
    assert_eq!(
        HELP,
        "Possible Commands:\n put filename\n get filename\n change oldfilename newfilename \n help\n bye"
    );
}
