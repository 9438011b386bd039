//! Why a handshake came to nothing: one word for scripts, a sentence for a person.
//!
//! It reads rustls's errors and says what they mean for somebody who has ferrydeck at one
//! end. It must never show a peer's bytes that have not been bounded; whoever prints the
//! sentence cleans it.

use std::io;

use rustls::{
    AlertDescription, CertificateError, Error, InvalidMessage, PeerIncompatible, PeerMisbehaved,
};

use super::verify::Changed;

/// A session that is not to be trusted, or never came to be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{detail}")]
pub struct Untrusted {
    /// One fixed word: `tls`, `tls_version`, `alpn`, `no_certificate`, `bad_certificate`,
    /// `changed_key`, `cut`, `connection`.
    pub cause: &'static str,
    /// The sentence.
    pub detail: String,
}

impl Untrusted {
    fn new(cause: &'static str, detail: impl Into<String>) -> Self {
        Self {
            cause,
            detail: detail.into(),
        }
    }

    /// The other end speaks something else inside TLS, or does not say what.
    pub(super) fn foreign_protocol(alpn: Option<&[u8]>) -> Self {
        let words = match alpn {
            None => "TLS, but the other end names no protocol (ALPN); deck/1 is spoken here".into(),
            Some(other) => {
                let other = String::from_utf8_lossy(&other[..other.len().min(32)]);
                format!("TLS for another protocol (ALPN {other:?}); deck/1 is spoken here")
            }
        };
        Self::new("alpn", words)
    }

    pub(super) fn no_certificate() -> Self {
        let words = "the other end showed no certificate; without one nobody knows who it is";
        Self::new("no_certificate", words)
    }

    /// Not the peer's doing.
    pub(super) fn fault() -> Self {
        Self::new("tls", "TLS could not be set up")
    }
}

impl From<io::Error> for Untrusted {
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::UnexpectedEof {
            return Self::new(
                "cut",
                "closed in the middle of the TLS handshake; perhaps no TLS is spoken there",
            );
        }
        Self::new(
            "connection",
            format!("the TLS handshake broke off: {error}"),
        )
    }
}

impl From<Error> for Untrusted {
    fn from(error: Error) -> Self {
        match &error {
            Error::NoApplicationProtocol
            | Error::AlertReceived(AlertDescription::NoApplicationProtocol)
            | Error::PeerMisbehaved(PeerMisbehaved::SelectedUnofferedApplicationProtocol) => {
                let words = "TLS for another protocol (ALPN); deck/1 is spoken here";
                Self::new("alpn", words)
            }
            Error::NoCertificatesPresented => Self::no_certificate(),
            Error::InvalidCertificate(CertificateError::Other(other)) => {
                match other.0.downcast_ref::<Changed>() {
                    Some(changed) => Self::new("changed_key", changed_words(changed)),
                    None => Self::new("bad_certificate", error.to_string()),
                }
            }
            Error::InvalidCertificate(_) => {
                let words = format!("the other end's certificate is no good: {error}");
                Self::new("bad_certificate", words)
            }
            Error::PeerIncompatible(
                PeerIncompatible::SupportedVersionsExtensionRequired
                | PeerIncompatible::Tls12NotOffered
                | PeerIncompatible::Tls12NotOfferedOrEnabled
                | PeerIncompatible::ServerDoesNotSupportTls12Or13
                | PeerIncompatible::ServerTlsVersionIsDisabledByOurConfig,
            )
            | Error::AlertReceived(AlertDescription::ProtocolVersion) => Self::new(
                "tls_version",
                "the other end speaks no TLS 1.3, and nothing older is spoken here",
            ),
            Error::InvalidMessage(
                InvalidMessage::HandshakePayloadTooLarge
                | InvalidMessage::CertificatePayloadTooLarge,
            ) => Self::new(
                "tls",
                "the TLS handshake failed: one of its messages is too long, perhaps the certificate",
            ),
            Error::InvalidMessage(_) => Self::new(
                "tls",
                "what came is no TLS; deck is spoken inside TLS only here",
            ),
            Error::AlertReceived(alert) => {
                Self::new("tls", format!("the other end broke off TLS: {alert:?}"))
            }
            _ => Self::new("tls", format!("the TLS handshake failed: {error}")),
        }
    }
}

fn changed_words(changed: &Changed) -> String {
    format!(
        "the server's key has CHANGED: pinned {}, now {}. Somebody may be in between, or the \
         server was set up anew; nothing was sent. If you know why, `ferrydeck peers forget {}` \
         and pair again",
        changed.pinned,
        changed.shown,
        changed.pinned.short(),
    )
}
