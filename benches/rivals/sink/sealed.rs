//! The sink inside TLS: the product's own session and pipe, as `ferrydeck get` has them.
//!
//! The keys are those of the client's state folder, which has to be paired with the
//! server already; whether the server is the one that was pinned is not looked at here.

use std::net::SocketAddr;
use std::path::PathBuf;

use ferrydeck::entity::Dialect;
use ferrydeck::net::pipe::Pipe;
use ferrydeck::net::tls::{Identity, Untrusted, know};
use ferrydeck::net::wire::client_codec;
use ferrydeck::net::wire::codec::{Answer, Request};
use tokio::net::TcpStream;

/// Bytes read at once.
const BUFFER: usize = 256 << 10;

/// Fetches a file to its end, to nowhere.
pub fn drain(addr: SocketAddr, name: &str) {
    let state = PathBuf::from(std::env::var_os("FERRYDECK_STATE_DIR").unwrap());
    let identity = Identity::open(&state).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let pipe = Pipe::plain(TcpStream::connect(addr).await.unwrap());
        let session = identity.call(None).unwrap();
        let sealed: Result<(), Untrusted> = pipe.seal(session, Vec::new(), know).await;
        sealed.unwrap();
        fetch(&pipe, name).await;
    });
}

async fn fetch(pipe: &Pipe, name: &str) {
    let mut codec = client_codec(Dialect::DeckTls);
    let mut out = Vec::new();
    codec.greet("bench", &mut out);
    let get = Request::Get {
        path: name.into(),
        offset: 0,
        version: None,
    };
    codec.ask(&get, &mut out).unwrap();
    let mut sent = 0;
    while sent < out.len() {
        sent += pipe.write_some(&out[sent..]).await.unwrap();
    }
    pipe.flush().await.unwrap();
    let (mut input, mut left) = (Vec::with_capacity(BUFFER), 0);
    loop {
        // Raw bytes are the codec's only where a run is over.
        let raw = left.min(input.len() as u64);
        input.drain(..usize::try_from(raw).unwrap());
        left -= raw;
        if left == 0
            && let Some((used, answer)) = codec.decode(&input).unwrap()
        {
            input.drain(..used);
            match answer {
                Answer::Run { len, .. } => left = len,
                Answer::End => return,
                Answer::Refused { refusal } => unreachable!("refused: {}", refusal.words()),
                _ => {}
            }
            continue;
        }
        let read = pipe.read_some(&mut input, BUFFER).await.unwrap();
        assert!(read > 0, "closed in mid-file");
    }
}
