//! TLS as deck wears it: version 1.3 alone, ALPN `deck/1`, a certificate at both ends.
//!
//! Certificates are self-signed and stand for nothing but their key; whose key that is,
//! pins and codes say. Every handshake signature is verified, nothing is resumed, and no
//! byte goes out early. It knows rustls and the file with our key; it must never know a
//! socket, a peer's rights or the code.

use std::path::Path;
use std::sync::Arc;

use ring::digest::{SHA256, digest};
use rustls::client::Resumption;
use rustls::crypto::CryptoProvider;
use rustls::crypto::ring as provider;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::server::NoServerSessionStorage;
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{ClientConfig, ClientConnection, Connection, ServerConfig, ServerConnection};
use webpki::EndEntityCert;

mod verify;
mod words;

use self::verify::AnyKey;
pub use self::words::Untrusted;
use crate::entity::Pin;
use crate::net::keep::{self, Made, Unsound};
use crate::net::pipe::Known;

/// The protocol's name in the handshake (RFC 7301).
pub const ALPN: &[u8] = b"deck/1";
/// What marks a session for proofs (RFC 8446, section 7.5; DESIGN section 6).
const EXPORTER: &[u8] = b"EXPORTER-ferrydeck-deck-1";
/// The file of our identity, in the state folder.
const FILE: &str = "identity.pem";

/// Our key and the certificate around it, and what TLS needs of them.
#[derive(Debug)]
pub struct Identity {
    pin: Pin,
    /// The public key: `SubjectPublicKeyInfo`, DER.
    key: Box<[u8]>,
    chain: Arc<SingleCertAndKey>,
    provider: Arc<CryptoProvider>,
    server: Arc<ServerConfig>,
}

impl Identity {
    /// The identity in a state folder; made there if there is none.
    ///
    /// # Errors
    /// The folder or the file cannot be used: open to others, empty, short, not a key.
    pub fn open(state: &Path) -> Result<Self, Unsound> {
        keep::folder(state)?;
        let path = state.join(FILE);
        if let Some(pem) = keep::read(&path)? {
            return Self::from_pem(&path, &pem);
        }
        let unmade = |_| Unsound::content(&path, "cannot be made: no key could be generated");
        let pem = make_pem().map_err(unmade)?;
        match keep::create(&path, pem.as_bytes())? {
            Made::New => Self::from_pem(&path, pem.as_bytes()),
            // Another process was faster: its key is ours.
            Made::There => match keep::read(&path)? {
                Some(pem) => Self::from_pem(&path, &pem),
                None => Err(Unsound::content(&path, "comes and goes")),
            },
        }
    }

    fn from_pem(path: &Path, pem: &[u8]) -> Result<Self, Unsound> {
        let unsound = |why| Unsound::content(path, why);
        let key = PrivateKeyDer::from_pem_slice(pem).map_err(|_| {
            unsound("holds no whole private key; remove it to begin with a new one")
        })?;
        let cert = CertificateDer::from_pem_slice(pem).map_err(|_| {
            unsound("holds no whole certificate; remove it to begin with a new one")
        })?;
        let misfit = "does not hold a key and the certificate around it";
        let provider = Arc::new(suites());
        let certified = CertifiedKey::from_der(vec![cert.clone()], key, &provider)
            .map_err(|_| unsound(misfit))?;
        let public = public_key(&cert).ok_or_else(|| unsound(misfit))?;
        let chain = Arc::new(SingleCertAndKey::from(certified));
        let server = server_config(&provider, &chain).map_err(|_| unsound(misfit))?;
        Ok(Self {
            pin: pin_of(&public),
            key: public,
            chain,
            provider,
            server: Arc::new(server),
        })
    }

    /// What others know us by.
    pub const fn pin(&self) -> Pin {
        self.pin
    }

    /// Our public key: `SubjectPublicKeyInfo`, DER.
    pub fn key(&self) -> &[u8] {
        &self.key
    }

    /// The serving end of a session.
    ///
    /// # Errors
    /// rustls's own, before a byte is exchanged.
    pub fn accept(&self) -> Result<Connection, Untrusted> {
        Ok(ServerConnection::new(Arc::clone(&self.server))?.into())
    }

    /// The calling end of a session. A server whose key is not `pinned` is refused before
    /// anything of ours has been sent but the first hello; `None` takes any key, to be
    /// proved by the code.
    ///
    /// # Errors
    /// rustls's own, before a byte is exchanged.
    pub fn call(&self, pinned: Option<Pin>) -> Result<Connection, Untrusted> {
        let verifier = AnyKey::of(&self.provider, pinned);
        let resolver = Arc::clone(&self.chain);
        let mut config = ClientConfig::builder_with_provider(Arc::clone(&self.provider))
            .with_protocol_versions(&[&rustls::version::TLS13])?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier))
            .with_client_cert_resolver(resolver);
        config.alpn_protocols = vec![ALPN.to_vec()];
        config.resumption = Resumption::disabled();
        config.enable_sni = false;
        let name = ServerName::try_from("ferrydeck").map_err(|_| Untrusted::fault())?;
        Ok(ClientConnection::new(Arc::new(config), name)?.into())
    }
}

/// Whose key is at the other end, once hands are shaken.
///
/// # Errors
/// The peer speaks no deck (ALPN), or has shown no certificate.
pub fn know(session: &Connection) -> Result<Known, Untrusted> {
    match session.alpn_protocol() {
        Some(ALPN) => {}
        Some(other) => return Err(Untrusted::foreign_protocol(Some(other))),
        None => return Err(Untrusted::foreign_protocol(None)),
    }
    let shown = session.peer_certificates().and_then(<[_]>::first);
    let cert = shown.ok_or_else(Untrusted::no_certificate)?;
    let key = public_key(cert).ok_or_else(Untrusted::no_certificate)?;
    let exporter = session.export_keying_material([0; 32], EXPORTER, None)?;
    Ok(Known {
        pin: pin_of(&key),
        key,
        exporter,
    })
}

/// What a key is known by: the SHA-256 of its `SubjectPublicKeyInfo`.
pub fn pin_of(key: &[u8]) -> Pin {
    let mut pin = [0; 32];
    pin.copy_from_slice(digest(&SHA256, key).as_ref());
    Pin(pin)
}

fn public_key(cert: &CertificateDer<'_>) -> Option<Box<[u8]>> {
    let parsed = EndEntityCert::try_from(cert).ok()?;
    Some(parsed.subject_public_key_info().as_ref().into())
}

/// TLS 1.3's suites, the fastest first: every processor we meet has AES.
fn suites() -> CryptoProvider {
    use provider::cipher_suite::{
        TLS13_AES_128_GCM_SHA256, TLS13_AES_256_GCM_SHA384, TLS13_CHACHA20_POLY1305_SHA256,
    };
    CryptoProvider {
        cipher_suites: vec![
            TLS13_AES_128_GCM_SHA256,
            TLS13_AES_256_GCM_SHA384,
            TLS13_CHACHA20_POLY1305_SHA256,
        ],
        ..provider::default_provider()
    }
}

fn server_config(
    provider: &Arc<CryptoProvider>,
    chain: &Arc<SingleCertAndKey>,
) -> Result<ServerConfig, rustls::Error> {
    let resolver = Arc::clone(chain);
    let mut config = ServerConfig::builder_with_provider(Arc::clone(provider))
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_client_cert_verifier(Arc::new(AnyKey::of(provider, None)))
        .with_cert_resolver(resolver);
    config.alpn_protocols = vec![ALPN.to_vec()];
    // Nothing to resume: every connection shows its certificate.
    config.send_tls13_tickets = 0;
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.max_early_data_size = 0;
    // Ours is the choice: the order above, not the client's.
    config.ignore_client_order = true;
    Ok(config)
}

fn make_pem() -> Result<String, rcgen::Error> {
    let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256)?;
    let mut params = rcgen::CertificateParams::new(vec!["ferrydeck".to_owned()])?;
    let mut name = rcgen::DistinguishedName::new();
    name.push(rcgen::DnType::CommonName, "ferrydeck");
    params.distinguished_name = name;
    let cert = params.self_signed(&key)?;
    Ok(format!("{}{}", key.serialize_pem(), cert.pem()))
}

#[cfg(test)]
#[path = "tls_tests.rs"]
mod tests;
