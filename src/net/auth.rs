//! The code that lets a newcomer in: what it is, how it is proved, and how guessing ends.
//!
//! Pure: random bytes come from ring, time from the caller. Both proofs are bound to the
//! very session and to both keys, so none can be replayed, reflected or relayed. It knows
//! keys and macs; it must never know a socket, a file or an event, nor show a code in an
//! error or a `Debug`.

mod gatekeeper;

use std::fmt;

use ring::rand::{SecureRandom as _, SystemRandom};
use ring::{hkdf, hmac};
use subtle::ConstantTimeEq as _;
use zeroize::Zeroize;

pub use self::gatekeeper::{BAN, Gatekeeper, PATIENCE, TURN, Verdict};
use crate::net::wire::codec::Mac;

/// Crockford's 32 digits: no I, L, O, U.
const DIGITS: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
/// Digits of a code; 5 bits each.
const LENGTH: usize = 16;

/// A pairing code: 80 random bits, shown as 16 characters in groups of four.
#[derive(Clone, PartialEq, Eq)]
pub struct Code([u8; 10]);

/// Why a word is no code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoCode {
    /// Not 16 characters.
    #[error("a code has 16 characters, this has {0}")]
    Length(usize),
    /// A character no code has.
    #[error("a code has digits and letters only, and no U")]
    Digit,
}

impl Code {
    /// A new one; `None` if the system has no random bytes.
    pub fn make() -> Option<Self> {
        let mut bits = [0; 10];
        SystemRandom::new().fill(&mut bits).ok()?;
        Some(Self(bits))
    }

    /// Reads one as people type it: case, hyphens and blanks are ignored, O is 0, I and L are 1.
    ///
    /// # Errors
    /// Not 16 characters, or one that no code has.
    pub fn parse(text: &str) -> Result<Self, NoCode> {
        let typed: Vec<char> = text
            .chars()
            .filter(|ch| *ch != '-' && !ch.is_whitespace())
            .collect();
        if typed.len() != LENGTH {
            return Err(NoCode::Length(typed.len()));
        }
        let mut bits: u128 = 0;
        for ch in typed {
            let digit = match ch.to_ascii_uppercase() {
                'O' => '0',
                'I' | 'L' => '1',
                other => other,
            };
            let known = u8::try_from(digit).ok();
            let value = known.and_then(|digit| DIGITS.iter().position(|known| *known == digit));
            bits = bits << 5 | value.ok_or(NoCode::Digit)? as u128;
        }
        let mut code = Self([0; 10]);
        code.0.copy_from_slice(&bits.to_be_bytes()[6..]);
        Ok(code)
    }

    /// As people read it: `XXXX-XXXX-XXXX-XXXX`. For the one place that shows it.
    pub fn reveal(&self) -> String {
        let bits = self
            .0
            .iter()
            .fold(0_u128, |bits, byte| bits << 8 | u128::from(*byte));
        let mut text = String::with_capacity(LENGTH + 3);
        for at in 0..LENGTH {
            if at > 0 && at % 4 == 0 {
                text.push('-');
            }
            let digit = bits >> (5 * (LENGTH - 1 - at)) & 31;
            text.push(DIGITS.get(digit as usize).copied().map_or('0', char::from));
        }
        text
    }

    /// What this end proves that it knows the code with, in this session.
    pub fn prove(&self, side: Side, session: &Session<'_>) -> Mac {
        let mut context = hmac::Context::with_key(&self.key());
        for part in [
            side.label(),
            session.exporter.as_slice(),
            session.server,
            session.client,
        ] {
            context.update(part);
        }
        let mut mac = [0; 32];
        mac.copy_from_slice(context.sign().as_ref());
        mac
    }

    /// Whether a proof is the other end's, in constant time.
    pub fn is_proved(&self, side: Side, session: &Session<'_>, proof: &Mac) -> bool {
        self.prove(side, session).ct_eq(proof).into()
    }

    /// HKDF-SHA-256 over the 16 characters, no salt and no info (RFC 5869).
    fn key(&self) -> hmac::Key {
        let mut digits = self.reveal();
        digits.retain(|ch| ch != '-');
        let drawn = hkdf::Salt::new(hkdf::HKDF_SHA256, &[]).extract(digits.as_bytes());
        digits.zeroize();
        match drawn.expand(&[], hmac::HMAC_SHA256) {
            Ok(expanded) => expanded.into(),
            // Only for more than 255 hashes of output: never.
            Err(_) => hmac::Key::new(hmac::HMAC_SHA256, &self.0),
        }
    }
}

impl Drop for Code {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Code(…)")
    }
}

/// Who proves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// Who called.
    Client,
    /// Who was called.
    Server,
}

impl Side {
    const fn label(self) -> &'static [u8] {
        match self {
            Self::Client => b"client",
            Self::Server => b"server",
        }
    }
}

/// What a proof is bound to.
#[derive(Clone, Copy, Debug)]
pub struct Session<'s> {
    /// The TLS session's exporter.
    pub exporter: [u8; 32],
    /// The server's public key (`SubjectPublicKeyInfo`, DER).
    pub server: &'s [u8],
    /// The client's public key.
    pub client: &'s [u8],
}

#[cfg(test)]
#[path = "auth_tests.rs"]
mod tests;
