//! Marks that stand for something large: a peer's key, a file's content.
//!
//! Thirty-two bytes each, shown in hex. How they are computed is the wings'
//! (`net::tls`, `net::tree`); here they are only carried, compared and shown.

use std::fmt;

/// A peer's public key, as the SHA-256 of its `SubjectPublicKeyInfo` (RFC 5280, 4.1.2.7).
///
/// `Display` is the whole pin in hex, as `ferrydeck peers` takes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Pin(pub [u8; 32]);

impl Pin {
    /// The first 16 hex digits: enough to tell peers apart on a screen.
    pub fn short(&self) -> String {
        hex(&self.0[..8])
    }

    /// Reads 64 hex digits of either case.
    pub fn parse(text: &str) -> Option<Self> {
        unhex(text).map(Self)
    }
}

impl fmt::Display for Pin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&hex(&self.0))
    }
}

/// The BLAKE3 hash of a whole file: what `b3sum` prints.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Root(pub [u8; 32]);

impl fmt::Display for Root {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&hex(&self.0))
    }
}

fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    bytes
        .iter()
        .flat_map(|byte| [byte >> 4, byte & 15])
        .map(|digit| char::from(DIGITS[usize::from(digit)]))
        .collect()
}

fn unhex(text: &str) -> Option<[u8; 32]> {
    let digits: Vec<u8> = text
        .chars()
        .map(|ch| ch.to_digit(16).and_then(|digit| u8::try_from(digit).ok()))
        .collect::<Option<_>>()?;
    let bytes: Vec<u8> = digits
        .chunks_exact(2)
        .map(|pair| pair[0] << 4 | pair[1])
        .collect();
    (digits.len() == 64)
        .then(|| bytes.try_into().ok())
        .flatten()
}

/// What a peer may do here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "five rights, each its own")]
pub struct Rights {
    /// List and fetch.
    pub read: bool,
    /// Store new files, make folders.
    pub upload: bool,
    /// Rename.
    pub rename: bool,
    /// Delete.
    pub delete: bool,
    /// Watch and steer the server.
    pub operate: bool,
}

impl Rights {
    /// Their words, in the order of [`Self::bits`].
    pub const WORDS: [&'static str; 5] = ["read", "upload", "rename", "delete", "operate"];

    /// What a peer that has just been paired is granted: everything but to operate.
    pub const NEWCOMER: Self = Self {
        read: true,
        upload: true,
        rename: true,
        delete: true,
        operate: false,
    };

    /// Only to look and to fetch.
    pub const READ_ONLY: Self = Self {
        read: true,
        upload: false,
        rename: false,
        delete: false,
        operate: false,
    };

    /// One bit each, from the lowest: read, upload, rename, delete, operate.
    pub const fn bits(self) -> u8 {
        (self.read as u8)
            | (self.upload as u8) << 1
            | (self.rename as u8) << 2
            | (self.delete as u8) << 3
            | (self.operate as u8) << 4
    }

    /// From bits; those that mean nothing are left out.
    pub const fn from_bits(bits: u8) -> Self {
        Self {
            read: bits & 1 != 0,
            upload: bits & 2 != 0,
            rename: bits & 4 != 0,
            delete: bits & 8 != 0,
            operate: bits & 16 != 0,
        }
    }

    /// What both allow: a server's flags and a peer's grant.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self::from_bits(self.bits() & other.bits())
    }

    /// Their words, in order.
    pub fn words(self) -> impl Iterator<Item = &'static str> {
        Self::WORDS
            .into_iter()
            .enumerate()
            .filter(move |(at, _)| self.bits() & (1 << at) != 0)
            .map(|(_, word)| word)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pin_is_read_as_it_is_shown() {
        let pin = Pin(std::array::from_fn(|at| {
            u8::try_from(at * 7 % 256).unwrap_or(0)
        }));
        let shown = pin.to_string();
        assert_eq!(shown.len(), 64);
        assert_eq!(Pin::parse(&shown), Some(pin));
        assert_eq!(Pin::parse(&shown.to_uppercase()), Some(pin));
        assert_eq!(Pin::parse(&shown[1..]), None);
        assert_eq!(Pin::parse(&format!("{shown}0")), None);
        assert_eq!(Pin::parse(&shown.replace('0', "g")), None);
        assert!(shown.starts_with(&pin.short()));
    }

    #[test]
    fn rights_are_their_bits() {
        for bits in 0..32 {
            assert_eq!(Rights::from_bits(bits).bits(), bits);
            assert_eq!(
                Rights::from_bits(bits).words().count(),
                bits.count_ones() as usize
            );
        }
        let both = Rights::NEWCOMER.and(Rights::READ_ONLY);
        assert_eq!(both, Rights::READ_ONLY);
    }
}
