//! Where a server listens: what was typed, and what it means where it stands.
//!
//! On loopback everything goes. Where others come in, deck is spoken inside TLS, and a
//! plaintext dialect only by its name. It binds nothing and asks the host nothing: which
//! private addresses there are, it is told.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use super::{Fault, Listen, Ports, ServeArgs, admit_classic_port};
use crate::entity::{Dialect, Speak};

impl ServeArgs {
    /// The listeners meant: those typed, or the default one; with --lan, these addresses
    /// of the host beside them.
    pub fn listeners(&self, private: &[IpAddr]) -> Result<Vec<Listen>, Fault> {
        let default = Listen {
            speak: Speak::Auto,
            addr: SocketAddr::from((Ipv4Addr::LOCALHOST, Dialect::Deck.default_port())),
        };
        let mut meant = if self.listen.is_empty() {
            vec![default]
        } else {
            self.listen.clone()
        };
        for listen in &mut meant {
            *listen = admit_listener(*listen, Ports::of(self.any_port))?;
        }
        if let Some(port) = self.lan {
            if private.is_empty() {
                return Err(Fault::failed(
                    "--lan: this host has no private address (10.x, 172.16-31.x, 192.168.x, fdxx:); \
                     --listen deck+tls@ADDR:PORT names one",
                ));
            }
            meant.extend(private.iter().map(|ip| Listen {
                speak: Speak::Only(Dialect::DeckTls),
                addr: SocketAddr::new(*ip, port),
            }));
        }
        Ok(meant)
    }
}

/// What a listener means where it stands: where others come in, `auto` is deck inside TLS.
fn admit_listener(listen: Listen, ports: Ports) -> Result<Listen, Fault> {
    let Listen { speak, addr } = listen;
    let home = addr.ip().to_canonical().is_loopback();
    let speak = match speak {
        Speak::Auto if !home => Speak::Only(Dialect::DeckTls),
        Speak::Only(Dialect::Deck) if !home => {
            return Err(Fault::usage(format!(
                "deck@{addr} would be open to others: off loopback deck is spoken inside TLS only. \
                 Use --listen deck+tls@{addr}, a loopback address (127.0.0.1:{}), or name a \
                 plaintext dialect: --listen classic@{addr}",
                addr.port(),
            )));
        }
        Speak::Auto | Speak::Only(_) => speak,
    };
    if speak == Speak::Only(Dialect::Classic) && addr.port() != 0 {
        admit_classic_port(addr.port(), ports)?;
    }
    Ok(Listen { speak, addr })
}
