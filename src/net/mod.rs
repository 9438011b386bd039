//! The net wing's one door: start an engine, get a feed and a way to command it.
//!
//! Below this door sockets, files and tokio tasks; above it screens and lines.
//! The wing never names `ui`, `model`, ratatui or crossterm: what it has to say
//! goes out as events, what it is to do comes in as commands.

pub mod auth;
pub mod client;
pub mod connection;
pub mod fence;
pub mod hub;
pub mod keep;
pub mod peers;
pub mod pipe;
pub mod porter;
pub mod pump;
pub mod server;
pub mod store;
pub mod tls;
pub mod tree;
pub mod unsent;
pub mod wire;
pub mod words;

use std::sync::Arc;

use tokio::sync::mpsc::{self, UnboundedSender};
use tokio::task::JoinHandle;

use crate::event::Command;
use crate::meter::Totals;
use hub::{Feed, Hub, RING};

/// Which engine to start.
#[derive(Debug)]
pub enum Engine {
    /// A server.
    Serve(server::Serve),
    /// A client.
    Dial(client::Dial),
}

/// A running engine.
#[derive(Debug)]
pub struct Handle {
    /// What happens.
    pub feed: Feed,
    /// What it is told.
    pub commands: UnboundedSender<Command>,
    /// What it has done in all.
    pub totals: Arc<Totals>,
    /// Resolves when it is over.
    pub task: JoinHandle<()>,
}

/// Starts an engine. Must be called inside a runtime.
pub fn start(engine: Engine) -> Handle {
    let hub = Hub::new(RING);
    let feed = hub.feed();
    let totals = Arc::clone(hub.totals());
    let (commands, orders) = mpsc::unbounded_channel();
    let task = match engine {
        Engine::Serve(serve) => tokio::spawn(server::run(serve, hub, orders)),
        Engine::Dial(dial) => tokio::spawn(client::run(dial, hub, orders)),
    };
    Handle {
        feed,
        commands,
        totals,
        task,
    }
}
