//! The sentence in place of a content, told from content that begins like it.
//!
//! Knows how much of a payload has passed. It must never know which way it goes.

use super::SENTENCE;
use crate::entity::Outcome;
use crate::net::wire::codec::{Cue, Finale, Malformed, Take};

/// A payload that ends with the close and may be the sentence.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Content {
    begun: Begun,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Begun {
    /// All that came may still be the sentence.
    #[default]
    No,
    Yes,
}

impl Content {
    /// As `Payload::take`; `words` say what the sentence means here.
    pub(super) fn take(
        &mut self,
        input: &[u8],
        cue: Cue,
        words: &'static str,
    ) -> Result<Take, Malformed> {
        let alone = self.begun == Begun::No;
        let close = cue == Cue::Close;
        if alone && close && input == SENTENCE {
            return Err(Malformed::new(Malformed::ABSENT, words));
        }
        if alone && !close && SENTENCE.starts_with(input) {
            return Ok(Take {
                content: 0,
                end: None,
            });
        }
        self.begun = Begun::Yes;
        Ok(Take {
            content: input.len(),
            end: close.then(|| Finale::new(Outcome::EndedNotProvable, 0)),
        })
    }
}
