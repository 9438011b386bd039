//! The little query language of the tables: `peer=10.0 and rate<10k and stall>5s`.
//!
//! Plain words match anywhere in peer, dialect, phase and file; `field op value`
//! compares one field; `and` may be left out and binds closer than `or`. A
//! query that makes no sense says why and narrows nothing. Pure: text in,
//! yes or no out.

use std::time::Duration;

use crate::model::Connection;

use super::fields;
use super::format::{read_bytes, split_unit};

/// A query that was understood.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Query {
    /// One of these has to hold, and all terms of that one; none at all holds always.
    any: Vec<Vec<Term>>,
}

#[derive(Clone, Debug, PartialEq)]
enum Term {
    Word(String),
    Text(TextField, Same, String),
    Number(NumberField, Compare, f64),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum TextField {
    Peer,
    Name,
    Pin,
    Dialect,
    Phase,
    File,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum NumberField {
    Id,
    Rate,
    Size,
    Done,
    Stall,
    Age,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Same {
    Has,
    HasNot,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Compare {
    Equal,
    Other,
    Less,
    More,
    AtMost,
    AtLeast,
}

/// The fields a query may name, for messages and help.
pub(super) const FIELDS: &str = "id peer name pin dialect phase file rate size done stall age";
/// The comparisons there are, longest first: they are looked for in this order.
const OPERATORS: [(&str, Compare); 6] = [
    ("!=", Compare::Other),
    ("<=", Compare::AtMost),
    (">=", Compare::AtLeast),
    ("=", Compare::Equal),
    ("<", Compare::Less),
    (">", Compare::More),
];

#[derive(Clone, Debug, PartialEq)]
enum Token {
    Word(String),
    Quoted(String),
    Operator(Compare),
}

impl Query {
    /// Understands a query, or says in a few words what is wrong with it.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let tokens = tokens(text)?;
        let mut any = Vec::new();
        let mut all = Vec::new();
        let mut joined = None;
        let mut rest = tokens.as_slice();
        while let Some((term, left)) = take(rest)? {
            rest = left;
            match term {
                Taken::Term(term) => {
                    all.push(term);
                    joined = None;
                }
                Taken::Joint(word) => {
                    if all.is_empty() || joined.is_some() {
                        return Err(format!("something is missing before `{word}`"));
                    }
                    if word == "or" {
                        any.push(std::mem::take(&mut all));
                    }
                    joined = Some(word);
                }
            }
        }
        if let Some(word) = joined {
            return Err(format!("something is missing after `{word}`"));
        }
        if !all.is_empty() {
            any.push(all);
        }
        Ok(Self { any })
    }

    /// Whether it narrows anything.
    pub(super) fn is_empty(&self) -> bool {
        self.any.is_empty()
    }

    /// Whether a row is wanted.
    pub(super) fn matches(&self, row: &Connection, now: Duration) -> bool {
        self.any.is_empty()
            || self
                .any
                .iter()
                .any(|all| all.iter().all(|term| term.holds(row, now)))
    }
}

impl Term {
    fn holds(&self, row: &Connection, now: Duration) -> bool {
        match self {
            Self::Word(word) => [
                TextField::Peer,
                TextField::Name,
                TextField::Pin,
                TextField::Dialect,
                TextField::Phase,
                TextField::File,
            ]
            .into_iter()
            .any(|field| field.of(row).contains(word)),
            Self::Text(field, same, value) => field.of(row).contains(value) == (*same == Same::Has),
            Self::Number(field, compare, value) => field
                .of(row, now)
                .is_some_and(|known| compare.holds(known, *value)),
        }
    }
}

impl TextField {
    fn of(self, row: &Connection) -> String {
        match self {
            Self::Peer => row.peer().to_string(),
            Self::Name => row
                .who()
                .map_or_else(String::new, |who| who.name.as_str().to_lowercase()),
            Self::Pin => row
                .who()
                .map_or_else(String::new, |who| who.pin.to_string()),
            Self::Dialect => row
                .dialect
                .map_or_else(String::new, |dialect| dialect.label().to_owned()),
            Self::Phase => fields::phase_words(row),
            Self::File => row
                .transfer
                .as_ref()
                .map_or_else(String::new, |it| it.path.as_str().to_lowercase()),
        }
    }
}

impl NumberField {
    /// In ids, bytes, bytes a second or seconds; `None` where the row has none.
    fn of(self, row: &Connection, now: Duration) -> Option<f64> {
        let transfer = row.transfer.as_ref();
        match self {
            Self::Id => Some(row.id().0 as f64),
            Self::Rate => Some(row.rate.per_second()),
            Self::Size => transfer
                .and_then(|it| it.started.size)
                .map(|size| size as f64),
            Self::Done => transfer.map(|it| it.done as f64),
            Self::Stall => Some(row.stall(now).as_secs_f64()),
            Self::Age => Some(row.age(now).as_secs_f64()),
        }
    }

    fn value(self, name: &str, text: &str) -> Result<f64, String> {
        let (value, example) = match self {
            Self::Id => (text.trim_start_matches('#').parse().ok(), "41"),
            Self::Rate => (read_bytes(text.trim_end_matches("/s")), "10k"),
            Self::Size | Self::Done => (read_bytes(text), "1.5G"),
            Self::Stall | Self::Age => (seconds(text), "5s"),
        };
        value.ok_or_else(|| format!("`{text}` is no {name}; write for example {name}>{example}"))
    }
}

impl Compare {
    fn holds(self, known: f64, value: f64) -> bool {
        // Nobody types a rate to the last byte: equal means equal as shown, in whole units.
        let equal = (known.floor() - value.floor()).abs() < 0.5;
        match self {
            Self::Equal => equal,
            Self::Other => !equal,
            Self::Less => known < value,
            Self::More => known > value,
            Self::AtMost => known <= value,
            Self::AtLeast => known >= value,
        }
    }
}

enum Taken {
    Term(Term),
    Joint(&'static str),
}

/// One term or joint off the front.
fn take(tokens: &[Token]) -> Result<Option<(Taken, &[Token])>, String> {
    let taken = match tokens {
        [] => return Ok(None),
        [Token::Operator(_), ..] => {
            return Err(format!(
                "a field is missing before the comparison: {FIELDS}"
            ));
        }
        [Token::Word(field), Token::Operator(compare), rest @ ..] => {
            let (Some(Token::Word(value) | Token::Quoted(value)), Some(after)) =
                (rest.first(), rest.get(1..))
            else {
                return Err(format!("a value is missing after `{field}`"));
            };
            (Taken::Term(comparison(field, *compare, value)?), after)
        }
        [Token::Word(word), rest @ ..] if word.eq_ignore_ascii_case("and") => {
            (Taken::Joint("and"), rest)
        }
        [Token::Word(word), rest @ ..] if word.eq_ignore_ascii_case("or") => {
            (Taken::Joint("or"), rest)
        }
        [Token::Word(word) | Token::Quoted(word), rest @ ..] => {
            (Taken::Term(Term::Word(word.to_lowercase())), rest)
        }
    };
    Ok(Some(taken))
}

fn comparison(name: &str, compare: Compare, value: &str) -> Result<Term, String> {
    let number = |field: NumberField| {
        let value = field.value(name, value)?;
        Ok(Term::Number(field, compare, value))
    };
    let text = |field: TextField| match compare {
        Compare::Equal => Ok(Term::Text(field, Same::Has, value.to_lowercase())),
        Compare::Other => Ok(Term::Text(field, Same::HasNot, value.to_lowercase())),
        _ => Err(format!("`{name}` is text: it knows only = and !=")),
    };
    match name.to_lowercase().as_str() {
        "id" => number(NumberField::Id),
        "rate" => number(NumberField::Rate),
        "size" => number(NumberField::Size),
        "done" => number(NumberField::Done),
        "stall" => number(NumberField::Stall),
        "age" => number(NumberField::Age),
        "peer" => text(TextField::Peer),
        "name" => text(TextField::Name),
        "pin" => text(TextField::Pin),
        "dialect" => text(TextField::Dialect),
        "phase" => text(TextField::Phase),
        "file" => text(TextField::File),
        _ => Err(format!("there is no field `{name}`; there are {FIELDS}")),
    }
}

fn tokens(text: &str) -> Result<Vec<Token>, String> {
    let mut out = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        if first == '"' {
            let Some((quoted, after)) = rest[1..].split_once('"') else {
                return Err("the closing \" is missing".to_owned());
            };
            out.push(Token::Quoted(quoted.to_owned()));
            rest = after.trim_start();
            continue;
        }
        let operator = OPERATORS.iter().find(|(sign, _)| rest.starts_with(sign));
        if let Some((sign, compare)) = operator {
            out.push(Token::Operator(*compare));
            rest = rest[sign.len()..].trim_start();
            continue;
        }
        let end = rest
            .char_indices()
            .skip(1)
            .find(|&(at, ch)| {
                ch.is_whitespace() || "=<>\"".contains(ch) || rest[at..].starts_with("!=")
            })
            .map_or(rest.len(), |(at, _)| at);
        out.push(Token::Word(rest[..end].to_owned()));
        rest = rest[end..].trim_start();
    }
    Ok(out)
}

fn seconds(text: &str) -> Option<f64> {
    let (number, unit) = split_unit(text)?;
    let scale = match unit.as_str() {
        "" | "s" => 1.0,
        "m" | "min" => 60.0,
        "h" => 3600.0,
        "d" => 86_400.0,
        _ => return None,
    };
    Some(number * scale)
}

#[cfg(test)]
#[path = "filter_tests.rs"]
mod tests;
