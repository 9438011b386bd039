//! Two ends, real sockets, real handshakes: who comes through and who does not.
#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot set its scene has failed"
)]

use std::io::{IoSlice, Read as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::time::Duration;

use assert_fs::TempDir;
use rustls::pki_types::PrivatePkcs8KeyDer;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

use super::*;
use crate::net::pipe::Pipe;

fn identity() -> Arc<Identity> {
    let dir = TempDir::new().unwrap();
    Arc::new(Identity::open(dir.path()).unwrap())
}

async fn sockets() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    let (near, far) = tokio::join!(TcpStream::connect(addr), listener.accept());
    (near.unwrap(), far.unwrap().0)
}

type Sealed = (Result<Pipe, Untrusted>, Result<Pipe, Untrusted>);

async fn seal(pipe: Pipe, session: Connection) -> Result<Pipe, Untrusted> {
    let done = timeout(
        Duration::from_secs(20),
        pipe.seal(session, Vec::new(), know),
    );
    done.await.unwrap()?;
    Ok(pipe)
}

/// Both ends of a session: the client's, the server's.
async fn shake(client: Connection, server: Connection) -> Sealed {
    let (near, far) = sockets().await;
    tokio::join!(
        seal(Pipe::plain(near), client),
        seal(Pipe::plain(far), server)
    )
}

async fn pair() -> (Pipe, Pipe) {
    let (client, server) = (identity(), identity());
    let ends = shake(client.call(None).unwrap(), server.accept().unwrap()).await;
    (ends.0.unwrap(), ends.1.unwrap())
}

#[tokio::test]
async fn both_ends_know_each_others_key_and_one_exporter() {
    let (client, server) = (identity(), identity());
    let pinned = client.call(Some(server.pin())).unwrap();
    let (near, far) = shake(pinned, server.accept().unwrap()).await;
    let (near, far) = (near.unwrap(), far.unwrap());
    assert_eq!(near.peer_pin(), Some(server.pin()));
    assert_eq!(far.peer_pin(), Some(client.pin()));
    assert_eq!(&*near.known().unwrap().key, server.key());
    assert_eq!(&*far.known().unwrap().key, client.key());
    assert_eq!(near.exporter(), far.exporter());
    let (again, _) = shake(client.call(None).unwrap(), server.accept().unwrap()).await;
    assert_ne!(near.exporter(), again.unwrap().exporter(), "one a session");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn megabytes_cross_both_ways_at_once() {
    let (near, far) = pair().await;
    let (near, far) = (Arc::new(near), Arc::new(far));
    let flood = |pipe: Arc<Pipe>, salt: u8| async move {
        let bytes: Vec<u8> = (0..5_000_000_u32)
            .map(|at| at.to_le_bytes()[0] ^ salt)
            .collect();
        let mut rest = &bytes[..];
        while !rest.is_empty() {
            let sent = pipe.write_some(rest).await.unwrap();
            rest = &rest[sent..];
        }
        pipe.close().await.unwrap();
    };
    let drain = |pipe: Arc<Pipe>| async move {
        let mut got = Vec::new();
        let mut limit = 1;
        while pipe.read_some(&mut got, limit).await.unwrap() > 0 {
            // Of every size, odd ones too.
            limit = limit * 7 % 300_007;
        }
        got
    };
    let work = async {
        tokio::join!(
            tokio::spawn(flood(Arc::clone(&near), 1)),
            tokio::spawn(flood(Arc::clone(&far), 2)),
            tokio::spawn(drain(near)),
            tokio::spawn(drain(far)),
        )
    };
    let (_, _, at_near, at_far) = timeout(Duration::from_mins(1), work).await.unwrap();
    for (got, salt) in [(at_near.unwrap(), 2), (at_far.unwrap(), 1)] {
        assert_eq!(got.len(), 5_000_000);
        assert!(
            got.iter()
                .zip(0_u32..)
                .all(|(byte, at)| *byte == at.to_le_bytes()[0] ^ salt)
        );
    }
}

/// Who writes and listens at once gives a write up as soon as something comes.
#[tokio::test]
async fn a_write_that_is_given_up_and_taken_up_again_sends_nothing_twice() {
    let (near, far) = pair().await;
    let bytes: Vec<u8> = (0..2_000_000_u32).flat_map(u32::to_le_bytes).collect();
    let (mut sent, mut got) = (0, Vec::new());
    let work = async {
        while got.len() < bytes.len() {
            // Of any length: a limit may have come in between.
            let most = bytes.len().min(sent + 1 + (got.len() * 7) % 300_000);
            tokio::select! {
                biased;
                wrote = near.write_some(&bytes[sent..most]), if sent < most => {
                    let wrote = wrote.unwrap();
                    assert!(wrote <= most - sent, "{wrote}");
                    sent += wrote;
                }
                read = far.read_some(&mut got, 100_000) => assert!(read.unwrap() > 0),
            }
        }
    };
    timeout(Duration::from_mins(1), work).await.unwrap();
    assert_eq!(sent, bytes.len());
    assert!(got == bytes, "what arrived is not what was sent");
}

#[tokio::test]
async fn slices_cross_in_their_order() {
    let (near, far) = pair().await;
    let bytes: Vec<u8> = (0..900_000_u32).map(|at| at.to_le_bytes()[1]).collect();
    let mut slices = Vec::new();
    let (mut rest, mut len) = (&bytes[..], 1);
    while !rest.is_empty() {
        let (slice, behind) = rest.split_at(len.min(rest.len()));
        slices.extend([IoSlice::new(slice), IoSlice::new(&[])]);
        // From one byte to more than is encrypted at once.
        (rest, len) = (behind, len * 7 % 400_009);
    }
    let mut left = &mut slices[..];
    let sending = async {
        while !left.is_empty() {
            let sent = near.write_slices(left).await.unwrap();
            IoSlice::advance_slices(&mut left, sent);
        }
        near.close().await.unwrap();
    };
    let mut got = Vec::new();
    let reading = async { while far.read_some(&mut got, 70_000).await.unwrap() > 0 {} };
    let both = async { tokio::join!(sending, reading) };
    timeout(Duration::from_mins(1), both).await.unwrap();
    assert!(got == bytes);
}

#[tokio::test]
async fn a_close_is_told_from_a_cut() {
    let (near, far) = pair().await;
    near.write_some(b"last").await.unwrap();
    near.close().await.unwrap();
    let mut got = Vec::new();
    assert_eq!(far.read_some(&mut got, 100).await.unwrap(), 4);
    assert_eq!(far.read_some(&mut got, 100).await.unwrap(), 0);

    let (near, far) = pair().await;
    near.write_some(b"last").await.unwrap();
    socket2::SockRef::from(near.tcp())
        .shutdown(std::net::Shutdown::Write)
        .unwrap();
    let mut got = Vec::new();
    assert_eq!(far.read_some(&mut got, 100).await.unwrap(), 4);
    let cut = far.read_some(&mut got, 100).await.unwrap_err();
    assert_eq!(cut.kind(), std::io::ErrorKind::UnexpectedEof);
    assert!(cut.to_string().contains("close_notify"), "{cut}");
}

/// A pipe that goes out of use says so, as the kernel does for a plain one.
#[tokio::test]
async fn a_dropped_pipe_is_closed_in_good_order() {
    let (near, far) = pair().await;
    drop(near);
    assert_eq!(far.read_some(&mut Vec::new(), 100).await.unwrap(), 0);
}

#[tokio::test]
async fn a_byte_changed_on_the_way_is_noticed() {
    let (client, server) = (identity(), identity());
    let (near, mut near_proxy) = sockets().await;
    let (mut far_proxy, far) = sockets().await;
    // A proxy that hands everything on, and bends one byte of what comes last.
    let proxy = tokio::spawn(async move {
        use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
        let (mut up_in, mut up_out) = far_proxy.split();
        let (mut down_in, mut down_out) = near_proxy.split();
        let (mut up, mut down) = ([0; 4096], [0; 4096]);
        loop {
            tokio::select! {
                read = down_in.read(&mut down) => match read {
                    Ok(read @ 1..) => {
                        if down[0] == 23 && read > 1_000 {
                            down[read - 1] ^= 1;
                        }
                        up_out.write_all(&down[..read]).await.unwrap();
                    }
                    _ => return,
                },
                read = up_in.read(&mut up) => match read {
                    Ok(read @ 1..) => down_out.write_all(&up[..read]).await.unwrap(),
                    _ => return,
                },
            }
        }
    });
    let (near, far) = tokio::join!(
        seal(Pipe::plain(near), client.call(None).unwrap()),
        seal(Pipe::plain(far), server.accept().unwrap())
    );
    let (near, far) = (near.unwrap(), far.unwrap());
    near.write_some(&[7; 1_500]).await.unwrap();
    let mut got = Vec::new();
    let reading = timeout(Duration::from_secs(20), far.read_some(&mut got, 4096));
    let bent = reading.await.unwrap().unwrap_err();
    assert_eq!(bent.kind(), std::io::ErrorKind::InvalidData);
    proxy.abort();
}

#[tokio::test]
async fn another_key_than_the_pinned_one_is_a_hard_stop() {
    let (client, server, other) = (identity(), identity(), identity());
    let pinned = client.call(Some(other.pin())).unwrap();
    let (near, far) = shake(pinned, server.accept().unwrap()).await;
    let stopped = near.unwrap_err();
    assert_eq!(stopped.cause, "changed_key");
    assert!(
        stopped.detail.contains(&other.pin().to_string()),
        "{stopped}"
    );
    assert!(
        stopped.detail.contains(&server.pin().to_string()),
        "{stopped}"
    );
    // The server never learned who called.
    assert!(far.is_err());
}

fn client_config(of: &Identity) -> ClientConfig {
    let mut config = ClientConfig::builder_with_provider(Arc::clone(&of.provider))
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(AnyKey::of(&of.provider, None)))
        .with_client_cert_resolver(Arc::clone(&of.chain) as _);
    config.alpn_protocols = vec![ALPN.to_vec()];
    config
}

fn calling(config: ClientConfig) -> Connection {
    let name = ServerName::try_from("x").unwrap();
    ClientConnection::new(Arc::new(config), name)
        .unwrap()
        .into()
}

fn answering(config: ServerConfig) -> Connection {
    ServerConnection::new(Arc::new(config)).unwrap().into()
}

#[tokio::test]
async fn a_client_of_another_protocol_or_of_none_is_refused() {
    let (client, server) = (identity(), identity());
    for (offered, words) in [
        (
            vec![b"h2".to_vec(), b"http/1.1".to_vec()],
            "another protocol",
        ),
        (vec![], "names no protocol"),
    ] {
        let mut config = client_config(&client);
        config.alpn_protocols = offered;
        let (_, far) = shake(calling(config), server.accept().unwrap()).await;
        let refused = far.unwrap_err();
        assert_eq!(refused.cause, "alpn");
        assert!(refused.detail.contains(words), "{refused}");
    }
}

#[tokio::test]
async fn a_server_of_another_protocol_or_of_none_is_refused() {
    let (client, server) = (identity(), identity());
    for (spoken, words) in [
        (vec![b"h2".to_vec()], "another protocol"),
        (vec![], "names no protocol"),
    ] {
        let mut config = server_config(&server.provider, &server.chain).unwrap();
        config.alpn_protocols = spoken;
        let (near, _) = shake(client.call(None).unwrap(), answering(config)).await;
        let refused = near.unwrap_err();
        assert_eq!(refused.cause, "alpn");
        assert!(refused.detail.contains(words), "{refused}");
    }
}

#[tokio::test]
async fn a_client_without_a_certificate_is_refused() {
    let (client, server) = (identity(), identity());
    let mut config = ClientConfig::builder_with_provider(Arc::clone(&client.provider))
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(AnyKey::of(&client.provider, None)))
        .with_no_client_auth();
    config.alpn_protocols = vec![ALPN.to_vec()];
    let (_, far) = shake(calling(config), server.accept().unwrap()).await;
    assert_eq!(far.unwrap_err().cause, "no_certificate");
}

/// A certificate is no secret: who has copied one cannot sign with its key.
#[tokio::test]
async fn a_copied_certificate_is_worth_nothing() {
    #[derive(Debug)]
    struct Copied(Arc<CertifiedKey>);
    impl rustls::client::ResolvesClientCert for Copied {
        fn resolve(&self, _: &[&[u8]], _: &[rustls::SignatureScheme]) -> Option<Arc<CertifiedKey>> {
            Some(Arc::clone(&self.0))
        }
        fn has_certs(&self) -> bool {
            true
        }
    }
    let server = identity();
    let own = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap();
    let dir = TempDir::new().unwrap();
    let victim = Identity::open(dir.path()).unwrap();
    let pem = std::fs::read(dir.path().join(FILE)).unwrap();
    let cert = CertificateDer::from_pem_slice(&pem).unwrap();
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(own.serialize_der()));
    let key = provider::sign::any_supported_type(&key).unwrap();
    let copied = CertifiedKey::new(vec![cert], key);
    let mut config = ClientConfig::builder_with_provider(Arc::clone(&victim.provider))
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(AnyKey::of(&victim.provider, None)))
        .with_client_cert_resolver(Arc::new(Copied(Arc::new(copied))));
    config.alpn_protocols = vec![ALPN.to_vec()];
    let (_, far) = shake(calling(config), server.accept().unwrap()).await;
    let refused = far.unwrap_err();
    assert_eq!(refused.cause, "bad_certificate", "{refused}");
}

#[tokio::test]
async fn what_is_no_tls_is_told_so() {
    let server = identity();
    for (said, cause) in [
        (&b"\x49\x7e\x10\x00\x00\x00\x01\xa0"[..], "tls"),
        (b"GET / HTTP/1.1\r\n\r\n", "tls"),
        (b"\x16\x03\x01", "cut"),
    ] {
        let (near, far) = sockets().await;
        let mut near = near.into_std().unwrap();
        near.set_nonblocking(false).unwrap();
        near.write_all(said).unwrap();
        near.shutdown(std::net::Shutdown::Write).unwrap();
        let refused = seal(Pipe::plain(far), server.accept().unwrap())
            .await
            .unwrap_err();
        assert_eq!(refused.cause, cause, "{refused}");
        let mut heard = Vec::new();
        let _ = near.read_to_end(&mut heard);
        assert!(
            heard.is_empty() || heard[0] == 21,
            "nothing but an alert: {heard:?}"
        );
    }
}

#[tokio::test]
async fn a_message_without_end_is_not_told_as_no_tls() {
    use tokio::io::AsyncWriteExt as _;

    let (mut near, far) = sockets().await;
    // A hello of 16 MiB; a chain of certificates may be as long.
    let mut record = vec![0x16, 3, 1, 0x40, 0, 1, 0xFF, 0xFF, 0xFF];
    record.resize(5 + 0x4000, 0);
    near.write_all(&record).await.unwrap();
    let served = seal(Pipe::plain(far), identity().accept().unwrap()).await;
    let why = served.unwrap_err();
    assert_eq!(why.cause, "tls");
    assert!(why.detail.contains("too long"), "{why}");
}

#[test]
fn the_identity_is_made_once_and_is_ours_alone() {
    let dir = TempDir::new().unwrap();
    let state = dir.path().join("state");
    let first = Identity::open(&state).unwrap();
    assert_eq!(std::fs::metadata(&state).unwrap().mode() & 0o777, 0o700);
    let file = std::fs::metadata(state.join(FILE)).unwrap();
    assert_eq!(file.mode() & 0o777, 0o600);
    assert_eq!(Identity::open(&state).unwrap().pin(), first.pin());
    assert_eq!(pin_of(first.key()), first.pin());
}

#[test]
fn many_processes_at_once_make_one_identity() {
    let dir = TempDir::new().unwrap();
    let pins: Vec<Pin> = std::thread::scope(|scope| {
        let makers: Vec<_> = (0..8)
            .map(|_| scope.spawn(|| Identity::open(dir.path()).unwrap().pin()))
            .collect();
        makers
            .into_iter()
            .map(|maker| maker.join().unwrap())
            .collect()
    });
    assert!(pins.windows(2).all(|pair| pair[0] == pair[1]));
}

#[test]
fn a_broken_identity_stops_the_start() {
    let dir = TempDir::new().unwrap();
    Identity::open(dir.path()).unwrap();
    let path = dir.path().join(FILE);
    let whole = std::fs::read_to_string(&path).unwrap();
    let half = &whole[..whole.len() / 2];
    let other = make_pem().unwrap();
    let cert_at = whole.find("-----BEGIN CERTIFICATE").unwrap();
    let others_cert = &other[other.find("-----BEGIN CERTIFICATE").unwrap()..];
    let mixed = format!("{}{others_cert}", &whole[..cert_at]);
    for bad in [
        "",
        "\n",
        "not a key",
        half,
        &whole[..cert_at],
        &whole[cert_at..],
        &mixed,
    ] {
        std::fs::write(&path, bad).unwrap();
        let why = Identity::open(dir.path()).unwrap_err().to_string();
        assert!(why.contains(FILE), "{why}");
        assert!(!why.contains("BEGIN"), "{why}");
        assert_eq!(
            std::fs::read_to_string(&path).unwrap(),
            bad,
            "never made anew"
        );
    }
    std::fs::write(&path, &whole).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
    let why = Identity::open(dir.path()).unwrap_err().to_string();
    assert!(why.contains("640"), "{why}");
}
