//! What queries mean, and what is said about those that mean nothing.

use super::*;

fn wrong(text: &str) -> String {
    Query::parse(text).err().unwrap_or_default()
}

#[test]
fn a_query_is_words_comparisons_and_joints() {
    let parsed = Query::parse("peer=10.0 and rate<10k stall > 5s or Sending");
    let expected = Query {
        any: vec![
            vec![
                Term::Text(TextField::Peer, Same::Has, "10.0".to_owned()),
                Term::Number(NumberField::Rate, Compare::Less, 10_000.0),
                Term::Number(NumberField::Stall, Compare::More, 5.0),
            ],
            vec![Term::Word("sending".to_owned())],
        ],
    };
    assert_eq!(parsed, Ok(expected));
    assert!(Query::parse("   ").is_ok_and(|query| query.is_empty()));
    assert_eq!(
        Query::parse("\"peer=1 and\" size>=1.5GiB"),
        Ok(Query {
            any: vec![vec![
                Term::Word("peer=1 and".to_owned()),
                Term::Number(NumberField::Size, Compare::AtLeast, 1.5 * 1_073_741_824.0),
            ]],
        })
    );
}

#[test]
fn units_are_those_of_the_command_line() {
    let cases = [
        ("10", 10.0),
        ("10k", 1e4),
        ("10KiB", 10_240.0),
        ("2M", 2e6),
        ("1.5g", 1.5e9),
    ];
    for (text, value) in cases {
        assert_eq!(read_bytes(text), Some(value), "{text}");
    }
    let cases = [
        ("5", 5.0),
        ("5s", 5.0),
        ("2m", 120.0),
        ("1h", 3600.0),
        ("1d", 86_400.0),
    ];
    for (text, value) in cases {
        assert_eq!(seconds(text), Some(value), "{text}");
    }
    assert_eq!(read_bytes("10q"), None);
    assert_eq!(read_bytes("k"), None);
    assert_eq!(seconds("1.2.3"), None);
}

#[test]
fn a_wrong_query_says_why() {
    let cases = [
        ("rate<", "a value is missing after `rate`"),
        ("<5", "a field is missing"),
        ("colour=red", "there is no field `colour`"),
        ("peer<5", "knows only = and !="),
        ("rate<fast", "`fast` is no rate"),
        ("id=x", "`x` is no id"),
        ("a and", "missing after `and`"),
        ("or a", "missing before `or`"),
        ("a and or b", "missing before `or`"),
        ("\"open", "closing"),
    ];
    for (query, why) in cases {
        assert!(wrong(query).contains(why), "{query}: {}", wrong(query));
    }
}

#[test]
fn no_text_makes_the_parser_stumble() {
    for text in [
        "=", "!=", "!", "a!=", "a!b", "é=é", "=<>", "\"", "\"\"", "a\"b\"c", "日本<5", "or", "and",
    ] {
        let _ = Query::parse(text);
    }
}
