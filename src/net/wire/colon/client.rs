//! colon's asking half: the header again until it is understood, then a stream.
//!
//! Knows the one request of the connection and how often it was said. It must
//! never know how long the moment behind the count is: that is the caller's.

use super::absent::Content;
use super::{Choice, DONE, ERROR, HEAD_MAX, Header, TRIES, header};
use crate::entity::{Dialect, Outcome, RemotePath};
use crate::net::wire::codec::{
    After, Answer, ClientCodec, Cue, Malformed, Payload, Refusal, Request, Take,
};

/// The asking half of colon, one a connection.
#[derive(Clone, Debug, Default)]
pub struct Client {
    /// How many clients will come, where that has to be said.
    clients: Option<u8>,
    stage: Stage,
    choice: Option<Choice>,
    /// The header as it was sent.
    header: Vec<u8>,
    /// How many `Error`s are heard, and how many of them are answered.
    errors: usize,
    repeated: usize,
    content: Content,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Stage {
    #[default]
    Silent,
    Asked,
    /// A content comes.
    Taking,
    /// A content goes.
    Sending,
    /// All is said, and our half is shut.
    Sent,
    Over,
}

impl Client {
    /// A client that says how many will come: 1 to 9, one digit.
    ///
    /// # Errors
    /// Another number.
    pub fn with_clients(clients: u8) -> Result<Self, Malformed> {
        if !(1..=9).contains(&clients) {
            let detail = format!("{clients} clients; colon counts 1 to 9");
            return Err(Malformed::new("clients", detail));
        }
        Ok(Self {
            clients: Some(clients),
            ..Self::default()
        })
    }

    /// The server does not understand, or does not want to.
    fn refused(&mut self) -> Answer {
        self.stage = Stage::Over;
        let refusal = match self.choice {
            Some(Choice::Put) => Refusal::NotAllowed,
            Some(Choice::Get) | None => Refusal::Unsupported,
        };
        Answer::Refused { refusal }
    }
}

/// The header, if it says what is meant.
fn encode(path: &RemotePath, choice: Choice) -> Result<Vec<u8>, Malformed> {
    let fault = |detail: &str| Err(Malformed::new("name", detail));
    let name = match path.as_str() {
        None => return fault("a name that is not UTF-8"),
        Some("") => return fault("a name of 0 bytes"),
        Some(name) if name.chars().any(char::is_control) => {
            return fault("a name with a control character in it");
        }
        Some(name) => name,
    };
    let bytes = format!("{name}:{}", choice.word()).into_bytes();
    if bytes.len() > HEAD_MAX {
        let detail = format!(
            "a name of {} bytes; colon takes {}",
            name.len(),
            HEAD_MAX - 4
        );
        return Err(Malformed::new("name", detail));
    }
    let meant = Header {
        name: name.as_bytes(),
        choice,
        used: bytes.len(),
    };
    if header(&bytes) != Some(meant) {
        return fault("a colon with GET or PUT behind it, or a blank at the end of the name");
    }
    Ok(bytes)
}

impl Payload for Client {
    fn take(&mut self, input: &[u8], cue: Cue) -> Result<Take, Malformed> {
        let words = "the server has no such file, or one that says exactly that";
        let taken = self.content.take(input, cue, words);
        if cue == Cue::Close {
            self.stage = Stage::Over;
        }
        taken
    }
}

impl ClientCodec for Client {
    fn dialect(&self) -> Dialect {
        Dialect::Colon
    }

    fn greet(&mut self, _name: &str, out: &mut Vec<u8>) -> bool {
        if let Some(clients) = self.clients.take() {
            out.push(b'0' + clients);
        }
        false
    }

    fn ask(&mut self, request: &Request, out: &mut Vec<u8>) -> Result<(), Malformed> {
        let (path, choice) = match request {
            Request::Get {
                path,
                offset: 0,
                version: None,
            } => (path, Choice::Get),
            Request::Get { .. } => {
                let detail = "colon fetches whole files only, as they are";
                return Err(Malformed::new("unsupported", detail));
            }
            Request::Put { path, .. } => (path, Choice::Put),
            _ => {
                let detail = format!("colon has no {}", request.label());
                return Err(Malformed::new("unsupported", detail));
            }
        };
        let header = encode(path, choice)?;
        if self.stage != Stage::Silent {
            let detail = "colon has one request a connection";
            return Err(Malformed::new("order", detail));
        }
        out.extend_from_slice(&header);
        (self.stage, self.choice, self.header) = (Stage::Asked, Some(choice), header);
        Ok(())
    }

    /// The `Error`s stay in the input until the answer behind them is whole.
    fn decode(&mut self, input: &[u8]) -> Result<Option<(usize, Answer)>, Malformed> {
        match self.stage {
            Stage::Asked => {}
            Stage::Silent | Stage::Sending | Stage::Sent if !input.is_empty() => {
                return Err(Malformed::new("order", "an answer nobody asked for"));
            }
            Stage::Silent | Stage::Sending | Stage::Sent | Stage::Taking | Stage::Over => {
                return Ok(None);
            }
        }
        let (mut rest, mut errors) = (input, 0);
        while let Some(behind) = rest.strip_prefix(ERROR) {
            (rest, errors) = (behind, errors + 1);
            if errors == TRIES {
                let answer = self.refused();
                return Ok(Some((input.len() - rest.len(), answer)));
            }
        }
        self.errors = errors;
        if let Some(behind) = rest.strip_prefix(DONE) {
            let used = input.len() - behind.len();
            let (stage, answer) = match self.choice {
                Some(Choice::Put) => (Stage::Sending, Answer::Ready),
                Some(Choice::Get) | None => (Stage::Taking, Answer::Stream),
            };
            self.stage = stage;
            return Ok(Some((used, answer)));
        }
        if DONE.starts_with(rest) || ERROR.starts_with(rest) {
            return Ok(None);
        }
        let detail = "something other than Done or Error";
        Err(Malformed::new("reply", detail))
    }

    fn again(&mut self, out: &mut Vec<u8>) {
        if self.stage == Stage::Asked && self.errors > self.repeated {
            self.repeated = self.errors;
            out.extend_from_slice(&self.header);
        }
    }

    fn finish(&mut self, _out: &mut Vec<u8>) -> After {
        self.stage = Stage::Sent;
        After::Close
    }

    fn proof(&self) -> Outcome {
        Outcome::EndedNotProvable
    }

    fn eof(&mut self, input: &[u8]) -> Result<Answer, Malformed> {
        match self.stage {
            Stage::Asked if self.errors > 0 => Ok(self.refused()),
            Stage::Asked => Err(Malformed::new(
                "short",
                format!("closed after {} bytes of the answer", input.len()),
            )),
            Stage::Taking => Err(Malformed::new("short", "closed within the content")),
            Stage::Sending => Err(Malformed::new("closed", "closed before it had everything")),
            Stage::Sent if input.is_empty() => {
                self.stage = Stage::Over;
                Ok(Answer::End)
            }
            Stage::Sent => Err(Malformed::new("order", "an answer nobody asked for")),
            Stage::Silent | Stage::Over => Err(Malformed::new("closed", "the server has closed")),
        }
    }

    /// The server never says that it has everything: when our half is shut and
    /// it is silent, there is nothing more to come.
    fn quiet(&mut self) -> Option<Answer> {
        (self.stage == Stage::Sent).then(|| {
            self.stage = Stage::Over;
            Answer::End
        })
    }

    fn head_limit(&self) -> usize {
        TRIES * ERROR.len()
    }
}

#[cfg(test)]
#[path = "client_tests.rs"]
mod tests;
