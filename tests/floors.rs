//! The house: who may name whom, held against every path in src.
//!
//! A small tokenizer strips comments, strings and lifetimes; then every `use`
//! tree and every path in between, inside macros too, is resolved (`crate`,
//! `self`, `super`, renamed and glob imports, child modules) and held against
//! the tables below. What is compiled for tests only is left out. Violations
//! are planted as strings and must be caught.
#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot read the sources has failed"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// The floors, bottom up. A room may name itself and every room on a lower floor.
const FLOORS: [&[&str]; 13] = [
    &["entity"],
    &["meter"],
    &["event"],
    &["line", "rate"],
    // Blind to each other: the two wings' foundations.
    &["net", "remote"],
    &["model"],
    &["address"],
    &["cli"],
    &["ui", "headless", "errand"],
    &["app"],
    // Asked at the start, by who starts.
    &["system"],
    &["launch"],
    &["main"],
];

/// What the floors alone would allow, and must not be: who, whom.
const BLIND: [(&str, &str); 12] = [
    ("ui", "net"),
    ("ui", "cli"),
    ("ui", "address"),
    ("model", "net"),
    ("address", "net"),
    ("address", "model"),
    ("address", "remote"),
    ("cli", "net"),
    ("cli", "model"),
    ("cli", "remote"),
    ("headless", "model"),
    ("headless", "remote"),
];

/// Rooms within a room that may name less than the whole: who, and all they may name.
const NARROW: [(&str, &[&str]); 12] = [
    ("system", &["system"]),
    ("net::wire", &["entity", "net::wire"]),
    // Arithmetic: no disk, no clock, no peer.
    ("net::tree", &["entity", "net::wire::codec", "net::tree"]),
    (
        "net::store",
        &["entity", "event", "line", "net::store", "net::wire::codec"],
    ),
    ("net::hub", &["entity", "meter", "event", "net::hub"]),
    (
        "net::pump",
        &[
            "meter",
            "net::hub",
            "net::pipe",
            "net::store",
            "net::tree",
            "net::pump",
        ],
    ),
    ("net::pipe", &["entity", "net::pipe"]),
    ("net::keep", &["net::keep"]),
    (
        "net::tls",
        &["entity", "net::keep", "net::pipe", "net::tls"],
    ),
    ("net::auth", &["net::wire::codec", "net::auth"]),
    (
        "net::porter",
        &[
            "entity",
            "event",
            "net::auth",
            "net::keep",
            "net::peers",
            "net::pipe",
            "net::tls",
            "net::wire::codec",
            "net::porter",
        ],
    ),
    ("net::peers", &["entity", "net::keep", "net::peers"]),
];

/// Names from outside that a room must not know: the room (empty for all), the name, and
/// the rooms that may all the same.
const STRANGERS: [(&str, &[&str], &[&str]); 18] = [
    // tokio's own file loses the error of a full disk; its copy goes through no pump.
    ("", &["tokio::fs", "tokio::io::copy"], &[]),
    ("", &["println", "print", "eprintln", "eprint", "dbg"], &[]),
    // One gate to the disk.
    (
        "",
        &["std::fs", "cap_std"],
        // The kernel's own tables are no disk: net::unsent, system::addresses.
        &[
            "net::store",
            "net::client::memory",
            "net::client::saved",
            "net::client::orders",
            "net::keep",
            "launch",
            "net::pump",
            "net::unsent",
            "system::addresses",
        ],
    ),
    ("net::pump", &["cap_std"], &[]),
    // They are told, and wait for nobody.
    ("net::auth", &["tokio", "std::fs", "std::thread"], &[]),
    ("net::keep", &["tokio", "std::net"], &[]),
    ("net::peers", &["tokio"], &[]),
    ("net::porter", &["tokio", "std::fs"], &[]),
    ("net::tls", &["tokio", "std::net"], &[]),
    (
        "net",
        &[
            "ratatui",
            "crossterm",
            "tui_input",
            "indicatif",
            "clap",
            "anyhow",
            "humantime",
        ],
        &[],
    ),
    (
        "net::wire",
        &[
            "tokio",
            "tokio_util",
            "socket2",
            "rustix",
            "cap_std",
            "std::net",
            "std::fs",
            "std::time",
            "std::io",
            "std::thread",
            "std::env",
            "jiff",
        ],
        &[],
    ),
    (
        "net::tree",
        &[
            "tokio",
            "tokio_util",
            "socket2",
            "rustix",
            "cap_std",
            "std::net",
            "std::fs",
            "std::io",
            "std::time",
            "std::thread",
            "std::env",
            "jiff",
        ],
        &[],
    ),
    // It blocks: whoever calls it leaves the loop first.
    ("net::store", &["tokio", "tokio_util", "std::net"], &[]),
    ("ui", &["tokio", "tokio_util", "socket2", "std::fs"], &[]),
    (
        "model",
        &[
            "tokio",
            "tokio_util",
            "ratatui",
            "crossterm",
            "rustix",
            "std::fs",
            "std::time::Instant",
            "std::time::SystemTime",
            "std::thread",
            "std::env",
        ],
        &[],
    ),
    (
        "remote",
        &[
            "tokio",
            "ratatui",
            "crossterm",
            "rustix",
            "std::fs",
            "std::time::Instant",
            "std::time::SystemTime",
        ],
        &[],
    ),
    (
        "rate",
        &[
            "tokio",
            "ratatui",
            "crossterm",
            "std::time::Instant",
            "std::time::SystemTime",
        ],
        &[],
    ),
    ("cli", &["tokio", "ratatui", "crossterm", "std::fs"], &[]),
];

/// The lowest rooms know no runtime, no terminal, no file and no clock.
const LOWEST: [&str; 4] = ["entity", "meter", "line", "event"];
const TOO_HIGH: [&str; 8] = [
    "tokio",
    "ratatui",
    "crossterm",
    "rustix",
    "std::fs",
    "std::thread",
    "std::time::Instant",
    "std::time::SystemTime",
];

#[derive(Clone, Debug, PartialEq, Eq)]
enum Token {
    Word(String),
    /// `::`
    Sep,
    Mark(char),
}

/// Source without comments, strings, characters, numbers and lifetimes.
fn tokens(source: &str) -> Vec<Token> {
    let text: Vec<char> = source.chars().collect();
    let mut tokens = Vec::new();
    let mut at = 0;
    while let Some(&ch) = text.get(at) {
        let rest = &text[at..];
        at += match ch {
            '/' if rest.get(1) == Some(&'/') => until_line_end(rest),
            '/' if rest.get(1) == Some(&'*') => comment(rest),
            '"' => string(rest),
            '\'' => quoted(rest),
            'r' | 'b' | 'c' if prefixed(rest) > 0 => prefixed(rest),
            ':' if rest.get(1) == Some(&':') => {
                tokens.push(Token::Sep);
                2
            }
            _ if ch.is_alphanumeric() || ch == '_' => {
                let word: String = rest.iter().take_while(|ch| is_word(**ch)).collect();
                let len = word.chars().count();
                if ch.is_numeric() {
                    tokens.push(Token::Mark('0'));
                } else {
                    tokens.push(Token::Word(word));
                }
                len
            }
            _ if ch.is_whitespace() => 1,
            _ => {
                tokens.push(Token::Mark(ch));
                1
            }
        };
    }
    tokens
}

fn is_word(ch: char) -> bool {
    ch.is_alphanumeric() || ch == '_'
}

fn until_line_end(rest: &[char]) -> usize {
    rest.iter().position(|&ch| ch == '\n').unwrap_or(rest.len())
}

/// A block comment; they nest.
fn comment(rest: &[char]) -> usize {
    let (mut depth, mut at) = (0, 0);
    while at < rest.len() {
        match (rest[at], rest.get(at + 1)) {
            ('/', Some('*')) => {
                depth += 1;
                at += 2;
            }
            ('*', Some('/')) => {
                depth -= 1;
                at += 2;
            }
            _ => at += 1,
        }
        if depth == 0 {
            break;
        }
    }
    at
}

fn string(rest: &[char]) -> usize {
    let mut at = 1;
    while at < rest.len() && rest[at] != '"' {
        at += if rest[at] == '\\' { 2 } else { 1 };
    }
    at + 1
}

/// A character or a lifetime.
fn quoted(rest: &[char]) -> usize {
    match (rest.get(1), rest.get(2)) {
        (Some('\\'), _) => {
            let end = rest.iter().skip(3).position(|&ch| ch == '\'');
            end.map_or(rest.len(), |end| end + 4)
        }
        (Some(_), Some('\'')) => 3,
        _ => 1 + rest[1..].iter().take_while(|ch| is_word(**ch)).count(),
    }
}

/// `r"…"`, `r#"…"#`, `b"…"`, `b'…'`, `br"…"`, `r#word`; 0 if it is a mere word.
fn prefixed(rest: &[char]) -> usize {
    let letters = rest
        .iter()
        .take_while(|ch| matches!(ch, 'r' | 'b' | 'c'))
        .count();
    let raw = rest[..letters].contains(&'r');
    let hashes = rest[letters..].iter().take_while(|ch| **ch == '#').count();
    let after = letters + hashes;
    match rest.get(after) {
        Some('"') if raw => {
            let close: Vec<char> = ['"'].into_iter().chain(vec!['#'; hashes]).collect();
            let body = &rest[after + 1..];
            let end = body.windows(close.len()).position(|window| window == close);
            after + 1 + end.map_or(body.len(), |end| end + close.len())
        }
        Some('"') if letters <= 2 && hashes == 0 => letters + string(&rest[letters..]),
        Some('\'') if letters == 1 && rest[0] == 'b' => 1 + quoted(&rest[1..]),
        // A raw word: the word itself follows.
        Some(ch) if letters == 1 && raw && hashes == 1 && is_word(*ch) => 2,
        _ => 0,
    }
}

/// A path as written, and the name it gets.
#[derive(Debug)]
struct Named {
    path: Vec<String>,
    alias: String,
    /// In which module, inline ones included.
    module: Vec<String>,
    import: bool,
}

/// Everything one file names, and the modules it declares for tests only.
#[derive(Debug, Default)]
struct Found {
    named: Vec<Named>,
    test_only: Vec<Vec<String>>,
}

struct Reader<'t> {
    tokens: &'t [Token],
    at: usize,
    found: Found,
    /// The module, and the depth of braces at which each inline one ends.
    module: Vec<String>,
    inline: Vec<usize>,
    depth: usize,
}

fn read(module: &[String], source: &str) -> Found {
    let tokens = tokens(source);
    let mut reader = Reader {
        tokens: &tokens,
        at: 0,
        found: Found::default(),
        module: module.to_vec(),
        inline: Vec::new(),
        depth: 0,
    };
    while reader.at < tokens.len() {
        reader.step();
    }
    reader.found
}

impl Reader<'_> {
    fn peek(&self, ahead: usize) -> Option<&Token> {
        self.tokens.get(self.at + ahead)
    }

    fn word(&self, ahead: usize) -> Option<&str> {
        match self.peek(ahead) {
            Some(Token::Word(word)) => Some(word),
            _ => None,
        }
    }

    fn mark(&self, ahead: usize) -> Option<char> {
        match self.peek(ahead) {
            Some(Token::Mark(mark)) => Some(*mark),
            _ => None,
        }
    }

    fn step(&mut self) {
        match self.peek(0) {
            Some(Token::Mark('#')) if self.is_for_tests() => self.skip_item(),
            Some(Token::Mark('{')) => {
                self.depth += 1;
                self.at += 1;
            }
            Some(Token::Mark('}')) => {
                self.depth = self.depth.saturating_sub(1);
                if self.inline.last() == Some(&self.depth) {
                    self.inline.pop();
                    self.module.pop();
                }
                self.at += 1;
            }
            Some(Token::Word(word)) if word == "use" && self.mark(1) != Some('<') => {
                self.at += 1;
                self.tree(&[]);
            }
            Some(Token::Word(word)) if word == "mod" && self.mark(2) == Some('{') => {
                let name = self.word(1).unwrap_or_default().to_owned();
                self.module.push(name);
                self.inline.push(self.depth);
                self.at += 2;
            }
            Some(Token::Word(_)) => self.path(),
            _ => self.at += 1,
        }
    }

    /// `#[cfg(test)]` and its kin, but not `cfg(not(test))`.
    fn is_for_tests(&self) -> bool {
        if self.mark(1) != Some('[') || self.word(2) != Some("cfg") {
            return false;
        }
        let attribute = &self.tokens[self.at..];
        let end = attribute
            .iter()
            .position(|token| *token == Token::Mark(']'));
        let words = &attribute[..end.unwrap_or(attribute.len())];
        let has = |word: &str| words.contains(&Token::Word(word.to_owned()));
        has("test") && !has("not") && !has("any")
    }

    /// Passes over attributes and the item behind them.
    fn skip_item(&mut self) {
        while self.mark(0) == Some('#') {
            self.skip_brackets();
        }
        let mut ahead = 0;
        while matches!(self.word(ahead), Some("pub" | "crate"))
            || matches!(self.mark(ahead), Some('(' | ')'))
        {
            ahead += 1;
        }
        if self.word(ahead) == Some("mod") {
            let name = self.word(ahead + 1).unwrap_or_default().to_owned();
            let module = self.module.iter().cloned().chain([name]).collect();
            self.found.test_only.push(module);
        }
        let mut depth = 0_usize;
        while let Some(token) = self.peek(0) {
            let token = token.clone();
            self.at += 1;
            match token {
                Token::Mark('{' | '(' | '[') => depth += 1,
                Token::Mark(')' | ']') => depth -= 1,
                Token::Mark('}') => {
                    depth -= 1;
                    if depth == 0 {
                        return;
                    }
                }
                Token::Mark(';') if depth == 0 => return,
                _ => {}
            }
        }
    }

    fn skip_brackets(&mut self) {
        let mut depth = 0_usize;
        while let Some(token) = self.peek(0) {
            let token = token.clone();
            self.at += 1;
            match token {
                Token::Mark('[') => depth += 1,
                Token::Mark(']') => {
                    depth -= 1;
                    if depth == 0 {
                        return;
                    }
                }
                _ => {}
            }
        }
    }

    /// A `use` tree, from where a path may begin.
    fn tree(&mut self, prefix: &[String]) {
        let mut path = prefix.to_vec();
        if self.peek(0) == Some(&Token::Sep) {
            self.at += 1;
        }
        loop {
            match self.peek(0).cloned() {
                Some(Token::Word(word)) => {
                    self.at += 1;
                    path.push(word);
                    if self.peek(0) == Some(&Token::Sep) {
                        self.at += 1;
                        continue;
                    }
                    break;
                }
                Some(Token::Mark('{')) => {
                    self.at += 1;
                    while self.mark(0) != Some('}') && self.peek(0).is_some() {
                        let before = self.at;
                        self.tree(&path);
                        if self.mark(0) == Some(',') || self.at == before {
                            self.at += 1;
                        }
                    }
                    self.at += 1;
                    return;
                }
                Some(Token::Mark('*')) => {
                    self.at += 1;
                    path.push("*".to_owned());
                    break;
                }
                _ => break,
            }
        }
        // `use a::{self}` names `a`.
        if path.len() > 1 && path.last().is_some_and(|last| last == "self") {
            path.pop();
        }
        let mut alias = path.last().cloned().unwrap_or_default();
        if self.word(0) == Some("as") {
            self.word(1).unwrap_or("_").clone_into(&mut alias);
            self.at += 2;
        }
        self.keep(path, alias, true);
    }

    /// A path in the open, with `!` behind it if it calls a macro.
    fn path(&mut self) {
        let before = self.at.checked_sub(1).and_then(|at| self.tokens.get(at));
        let mut path = Vec::new();
        while let Some(word) = self.word(0) {
            path.push(word.to_owned());
            self.at += 1;
            if self.peek(0) == Some(&Token::Sep) && self.word(1).is_some() {
                self.at += 1;
            } else {
                break;
            }
        }
        // A field or method of something.
        if before == Some(&Token::Mark('.')) {
            return;
        }
        let calls = self.mark(0) == Some('!') && self.mark(1) != Some('=');
        if calls && let Some(last) = path.last() {
            self.keep(vec![last.clone()], String::new(), true);
        }
        if path.len() > 1 {
            self.keep(path, String::new(), false);
        }
    }

    fn keep(&mut self, path: Vec<String>, alias: String, import: bool) {
        let module = self.module.clone();
        self.found.named.push(Named {
            path,
            alias,
            module,
            import,
        });
    }
}

/// Where a path leads: into the house (without `crate`), or out of it.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Place {
    House(Vec<String>),
    Outside(Vec<String>),
}

struct House {
    modules: BTreeSet<Vec<String>>,
}

impl House {
    fn is_module(&self, path: &[String]) -> bool {
        self.modules.contains(path)
    }

    fn children(&self, module: &[String]) -> impl Iterator<Item = &Vec<String>> {
        let len = module.len() + 1;
        self.modules
            .iter()
            .filter(move |path| path.len() == len && path.starts_with(module))
    }

    fn resolve(
        &self,
        named: &Named,
        path: &[String],
        aliases: &BTreeMap<String, Place>,
        depth: usize,
    ) -> Place {
        let (first, rest) = path.split_first().unwrap();
        let join = |base: &[String]| Place::House(base.iter().chain(rest).cloned().collect());
        match first.as_str() {
            "crate" | "ferrydeck" => join(&[]),
            "self" => join(&named.module),
            "super" => {
                let supers = path.iter().take_while(|word| *word == "super").count();
                let keep = named.module.len().saturating_sub(supers);
                let base = &named.module[..keep];
                Place::House(base.iter().chain(&path[supers..]).cloned().collect())
            }
            _ if depth < 4
                && aliases.contains_key(first)
                && (!rest.is_empty() || !named.import) =>
            {
                match &aliases[first] {
                    Place::House(base) => join(base),
                    Place::Outside(base) if base.first() == Some(first) => {
                        Place::Outside(base.iter().chain(rest).cloned().collect())
                    }
                    Place::Outside(base) => {
                        let path: Vec<_> = base.iter().chain(rest).cloned().collect();
                        self.resolve(named, &path, aliases, depth + 1)
                    }
                }
            }
            _ => {
                let child: Vec<_> = named
                    .module
                    .iter()
                    .cloned()
                    .chain([first.clone()])
                    .collect();
                if self.is_module(&child) {
                    join(&child)
                } else {
                    Place::Outside(path.to_vec())
                }
            }
        }
    }

    /// What one file's imports are called in it.
    fn aliases(&self, found: &Found) -> BTreeMap<String, Place> {
        let mut aliases = BTreeMap::new();
        // Twice, so that an import through another import is understood.
        for _ in 0..2 {
            for named in found
                .named
                .iter()
                .filter(|named| named.import && !named.alias.is_empty())
            {
                if named.alias == "*" {
                    let place =
                        self.resolve(named, &named.path[..named.path.len() - 1], &aliases, 0);
                    if let Place::House(base) = place {
                        for child in self.children(&base) {
                            let name = child.last().unwrap().clone();
                            aliases.entry(name).or_insert(Place::House(child.clone()));
                        }
                    }
                    continue;
                }
                let place = self.resolve(named, &named.path, &aliases, 0);
                aliases.insert(named.alias.clone(), place);
            }
        }
        aliases
    }

    /// Everything one file must not name.
    fn violations(&self, module: &str, source: &str) -> BTreeSet<String> {
        let module: Vec<String> = split(module);
        let found = read(&module, source);
        let aliases = self.aliases(&found);
        let mut bad = BTreeSet::new();
        for named in &found.named {
            let place = self.resolve(named, &named.path, &aliases, 0);
            let who = module.join("::");
            let fault = match &place {
                Place::House(path) => house_fault(&who, path),
                Place::Outside(path) => outside_fault(&who, path),
            };
            if let Some(fault) = fault {
                bad.insert(format!("{who} names {}: {fault}", named.path.join("::")));
            }
        }
        bad
    }
}

fn split(path: &str) -> Vec<String> {
    path.split("::")
        .filter(|word| !word.is_empty())
        .map(str::to_owned)
        .collect()
}

/// Whether a path is this name or lies under it.
fn under(path: &[String], name: &str) -> bool {
    path.starts_with(&split(name))
}

fn floor(room: &str) -> Option<usize> {
    FLOORS.iter().position(|rooms| rooms.contains(&room))
}

fn house_fault(who: &str, path: &[String]) -> Option<String> {
    let from = split(who);
    let own = from.first()?;
    let room = path.first()?;
    // lib.rs holds them all, and an item at the root is no room.
    let (Some(here), Some(there)) = (floor(own), floor(room)) else {
        return None;
    };
    if let Some((_, allowed)) = NARROW.iter().find(|(narrow, _)| under(&from, narrow))
        && !allowed.iter().any(|allowed| under(path, allowed))
    {
        return Some("not among what this room may name".to_owned());
    }
    if own == room {
        return None;
    }
    if BLIND.contains(&(own, room)) {
        return Some(format!("{own} is blind to {room}"));
    }
    (there >= here).then(|| format!("{room} is not below {own}"))
}

fn outside_fault(who: &str, path: &[String]) -> Option<String> {
    let from = split(who);
    for (room, names, but) in STRANGERS {
        if !under(&from, room) || but.iter().any(|but| under(&from, but)) {
            continue;
        }
        for name in names {
            // `copy` stands for `copy_buf` and `copy_bidirectional` too.
            let copies = *name == "tokio::io::copy"
                && under(path, "tokio::io")
                && path.get(2).is_some_and(|word| word.starts_with("copy"));
            if under(path, name) || copies {
                return Some(format!("{name} is not for this room"));
            }
        }
    }
    let lowest = from
        .first()
        .is_some_and(|room| LOWEST.contains(&room.as_str()));
    let high = TOO_HIGH.iter().find(|name| under(path, name));
    // The pump holds an open file; what it is called is the store's to know.
    if under(&from, "net::pump") && under(path, "std::fs") && !under(path, "std::fs::File") {
        return Some("only an open file is for the pump".to_owned());
    }
    high.filter(|_| lowest)
        .map(|name| format!("{name} is not for the lowest rooms"))
}

/// Every source file with its module.
fn sources() -> Vec<(PathBuf, Vec<String>, String)> {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    let mut open = vec![src.clone()];
    while let Some(dir) = open.pop() {
        for entry in std::fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let relative = path.strip_prefix(&src).unwrap().with_extension("");
                let mut module: Vec<String> = relative
                    .iter()
                    .map(|word| word.to_str().unwrap().to_owned())
                    .collect();
                if module.last().is_some_and(|last| last == "mod") || module == ["lib"] {
                    module.pop();
                }
                let source = std::fs::read_to_string(&path).unwrap();
                files.push((path, module, source));
            }
        }
    }
    files.sort();
    files
}

fn house(files: &[(PathBuf, Vec<String>, String)]) -> House {
    let modules = files.iter().map(|(_, module, _)| module.clone());
    House {
        modules: modules.filter(|module| !module.is_empty()).collect(),
    }
}

#[test]
fn nobody_names_whom_they_must_not() {
    let files = sources();
    let house = house(&files);
    let test_only: Vec<Vec<String>> = files
        .iter()
        .flat_map(|(_, module, source)| read(module, source).test_only)
        .collect();
    let mut bad = BTreeSet::new();
    let mut read = 0;
    for (path, module, source) in &files {
        let is_test = path.to_string_lossy().ends_with("_tests.rs")
            || test_only.iter().any(|test| module.starts_with(test));
        if !is_test {
            read += 1;
            bad.extend(house.violations(&module.join("::"), source));
        }
    }
    assert!(read > 30, "only {read} files were read");
    assert!(bad.is_empty(), "{bad:#?}");
}

#[test]
fn every_room_stands_on_a_floor() {
    for (path, module, _) in sources() {
        if let Some(room) = module.first() {
            assert!(
                floor(room).is_some() || room.ends_with("_tests"),
                "{} has no place in the house",
                path.display()
            );
        }
    }
}

#[test]
fn every_file_says_what_it_is_for() {
    for (path, _, source) in sources() {
        assert!(
            source.starts_with("//! "),
            "{} does not open with //!",
            path.display()
        );
    }
}

/// Who, the source, and what of it must be caught.
const PLANTED: &[(&str, &str, &str)] = &[
    ("ui", "use crate::net::Handle;", "crate::net::Handle"),
    (
        "ui::queue",
        "use crate::{model::Model, net::{self, hub::{Feed, RING}}};",
        "crate::net::hub::RING",
    ),
    ("ui", "use crate::{net::hub};", "crate::net::hub"),
    (
        "ui",
        "fn f() { crate::net::start(e); }",
        "crate::net::start",
    ),
    (
        "ui::keys",
        "fn f() { super::super::net::start(e); }",
        "super::super::net::start",
    ),
    (
        "ui",
        "fn f() { super::net::start(e); }",
        "super::net::start",
    ),
    ("ui", "use super::net;", "super::net"),
    (
        "ui",
        "use crate as c;\nfn f() { c::net::start(e); }",
        "c::net::start",
    ),
    (
        "ui",
        "use crate::*;\nfn f() { net::start(e); }",
        "net::start",
    ),
    (
        "ui",
        "fn f() { assert!(matches!(x, crate::net::Engine::Serve(_))); }",
        "crate::net::Engine::Serve",
    ),
    (
        "ui",
        "macro_rules! m { () => { $crate::net::start() } }",
        "crate::net::start",
    ),
    (
        "ui",
        "macro_rules! m { () => { use crate::{net::x}; } }",
        "crate::net::x",
    ),
    (
        "ui",
        "mod inner { fn f() { super::super::net::start(e); } }",
        "super::super::net::start",
    ),
    (
        "ui",
        "fn f() -> Vec<crate::net::Handle> { Vec::<tokio::time::Instant>::new() }",
        "tokio::time::Instant",
    ),
    ("ui", "fn f() { ::tokio::spawn(x); }", "tokio::spawn"),
    ("ui", "use tokio as t;\nfn f() { t::spawn(x); }", "t::spawn"),
    (
        "ui",
        "fn f(x: impl Into<<crate::net::Handle as T>::X>) {}",
        "crate::net::Handle",
    ),
    (
        "ui",
        "#[cfg(not(test))]\nuse crate::net::Handle;",
        "crate::net::Handle",
    ),
    (
        "ui",
        "#[cfg(test)]\nmod tests { use crate::net::x; }\nuse crate::net::y;",
        "crate::net::y",
    ),
    (
        "ui",
        "#[cfg(test)]\nfn f() { a[0]; }\nuse crate::net::y;",
        "crate::net::y",
    ),
    (
        "ui",
        "fn f() { let x = \"\\\"\"; crate::net::start(e); }",
        "crate::net::start",
    ),
    (
        "ui",
        "fn f() { let x = '\"'; crate::net::start(e); }",
        "crate::net::start",
    ),
    (
        "ui",
        "fn f<'a>() { crate::net::start(e); let y = 'b'; }",
        "crate::net::start",
    ),
    ("ui", "/* /* */ */ use crate::net::x;", "crate::net::x"),
    ("ui", "use crate::r#net::x;", "crate::net::x"),
    ("net", "use crate::model::Model;", "crate::model::Model"),
    (
        "net::client",
        "use crate::remote::Remote;",
        "crate::remote::Remote",
    ),
    ("net::server", "use crate::ui::view;", "crate::ui::view"),
    (
        "net::hub",
        "use ratatui::style::Color;",
        "ratatui::style::Color",
    ),
    (
        "net::server",
        "fn f() { crossterm::execute!(x); }",
        "crossterm::execute",
    ),
    (
        "net::wire::deck",
        "use tokio::net::TcpStream;",
        "tokio::net::TcpStream",
    ),
    (
        "net::wire",
        "use std::net::SocketAddr;",
        "std::net::SocketAddr",
    ),
    (
        "net::wire::classic",
        "use std::{fmt, time::Duration};",
        "std::time::Duration",
    ),
    (
        "net::wire::classic",
        "fn f() { std::fs::read(p); }",
        "std::fs::read",
    ),
    (
        "net::wire::codec",
        "use rustix::io::Errno;",
        "rustix::io::Errno",
    ),
    (
        "net::wire",
        "use crate::net::store::Store;",
        "crate::net::store::Store",
    ),
    ("net::wire", "use super::hub::Hub;", "super::hub::Hub"),
    (
        "net::tree",
        "use crate::net::store::Source;",
        "crate::net::store::Source",
    ),
    (
        "net::tree",
        "use crate::net::wire::deck::Server;",
        "crate::net::wire::deck::Server",
    ),
    (
        "net::tree::kept",
        "use std::time::Instant;",
        "std::time::Instant",
    ),
    (
        "net::store",
        "use tokio::task::spawn_blocking;",
        "tokio::task::spawn_blocking",
    ),
    (
        "net::store",
        "use crate::net::hub::Hub;",
        "crate::net::hub::Hub",
    ),
    ("net::connection", "use std::fs::File;", "std::fs::File"),
    (
        "net::connection",
        "use std::fs;\nfn f() { fs::read(p); }",
        "std::fs",
    ),
    ("net::pump", "fn f() { std::fs::read(p); }", "std::fs::read"),
    ("net::pump", "use tokio::fs::File;", "tokio::fs::File"),
    (
        "net::pump",
        "use tokio::io::{self, copy_bidirectional};",
        "tokio::io::copy_bidirectional",
    ),
    (
        "net::pump",
        "use tokio::io;\nfn f() { io::copy(a, b); }",
        "io::copy",
    ),
    (
        "net",
        "mod pump; fn f() { crate::app::run(); }",
        "crate::app::run",
    ),
    ("model", "use crate::net::hub::Hub;", "crate::net::hub::Hub"),
    (
        "model",
        "use std::time::{Duration, Instant};",
        "std::time::Instant",
    ),
    ("model", "use ratatui::Frame;", "ratatui::Frame"),
    ("remote", "use crate::model::Model;", "crate::model::Model"),
    ("rate", "use std::time::Instant;", "std::time::Instant"),
    ("entity", "use crate::event::Event;", "crate::event::Event"),
    ("meter", "use crate::event::Event;", "crate::event::Event"),
    ("event", "use tokio::sync::mpsc;", "tokio::sync::mpsc"),
    ("event", "use crate::line::Line;", "crate::line::Line"),
    ("line", "use crate::model::Model;", "crate::model::Model"),
    ("cli", "use crate::launch::run;", "crate::launch::run"),
    (
        "cli",
        "use crate::net::server::Limits;",
        "crate::net::server::Limits",
    ),
    ("address", "use crate::cli::Cli;", "crate::cli::Cli"),
    ("headless", "use crate::ui::view;", "crate::ui::view"),
    ("errand", "use crate::app::Exit;", "crate::app::Exit"),
    ("app", "use crate::launch;", "crate::launch"),
    (
        "app",
        "use crate::system::Signals;",
        "crate::system::Signals",
    ),
    (
        "system",
        "use crate::entity::Phase;",
        "crate::entity::Phase",
    ),
    ("launch", "fn f() { println!(\"x\"); }", "println"),
    ("launch", "fn f() { std::eprintln!(\"x\"); }", "eprintln"),
    ("line", "fn f() { dbg!(x); }", "dbg"),
];

#[test]
fn planted_violations_are_caught() {
    let house = house(&sources());
    for (module, source, named) in PLANTED {
        let bad = house.violations(module, source);
        let due = format!("{module} names {named}: ");
        assert!(
            bad.iter().any(|fault| fault.starts_with(&due)),
            "{due} not caught in {source:?}: {bad:?}"
        );
    }
}

#[test]
fn what_only_looks_like_a_violation_is_none() {
    let house = house(&sources());
    let clean = [
        (
            "ui",
            "// use crate::net::x;\n/// crate::net::start\nfn f() {}",
        ),
        ("ui", "/* use crate::net::x; /* tokio::spawn */ */"),
        ("ui", "const X: &str = \"crate::net::start tokio::spawn\";"),
        ("ui", "const X: &str = r#\"a \" crate::net::start\"#;"),
        (
            "ui",
            "const X: &[u8] = b\"crate::net::start\"; const Y: u8 = b'\\'';",
        ),
        (
            "ui",
            "#[cfg(test)]\nmod tests { use crate::net::hub::Hub; }",
        ),
        (
            "ui",
            "#[cfg(test)]\n#[path = \"x.rs\"]\nmod tests;\nfn f() {}",
        ),
        ("ui", "#[cfg(all(test, unix))]\nuse crate::net::Handle;"),
        (
            "ui",
            "use crate::{model::Model, event::{self, What}, line};",
        ),
        ("ui", "fn f(x: X) { x.net; x.print(); net(1); }"),
        ("ui", "fn f() -> impl Sized + use<> { 1 }"),
        ("net", "use crate::{entity, event, line, meter};"),
        (
            "net::wire::deck",
            "use super::codec::Request; use crate::entity::Entry;",
        ),
        ("net::pump", "use std::fs::File; use tokio::io::Interest;"),
        (
            "net::server",
            "use std::time::Duration; use tokio::time::Instant;",
        ),
        (
            "model",
            "use crate::remote::Remote; use std::time::Duration;",
        ),
        (
            "launch",
            "use crate::{app, cli, net, headless}; fn f() { writeln!(x); }",
        ),
        (
            "main",
            "fn main() { ferrydeck::launch::run(ferrydeck::cli::Cli::parse()) }",
        ),
    ];
    for (module, source) in clean {
        let bad = house.violations(module, source);
        assert!(bad.is_empty(), "{source:?}: {bad:?}");
    }
}
