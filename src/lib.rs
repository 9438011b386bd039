//! ferrydeck: a file server with a live dashboard and a full-screen client, in one binary.
//!
//! # The map of the house
//!
//! Two wings and a hall. `net` moves bytes between sockets and disk and says
//! what happens as events; `ui` draws and turns keys into commands. Neither
//! knows the other: both know the flat files of the hall between them.
//!
//! ```text
//!                main · lib · launch        parse, open, bind, start
//!                      system               what the kernel is asked at the start
//!                        app                the one loop with a screen
//!          ui ∥ headless ∥ errand          what a person or a script sees
//!                  address · cli             what was typed
//!     net ∥ model, remote                   blind to each other
//!                  line · rate              words for an event; bytes a second
//!                       event               all that crosses between the wings
//!                       meter               the dials
//!                       entity              the nouns
//! ```
//!
//! Every file names only what lies below it; `tests/floors.rs` holds the table.
//!
//! # How it works, in one walk
//!
//! [`launch`] turns what was typed ([`cli`], [`address`]) into an engine and
//! starts it through the one door of [`net`]: a server (`net::server`, a task
//! a connection in `net::connection`) or a client (`net::client`). The engine
//! asks `net::store` for everything on disk, a codec of `net::wire` for every
//! byte of protocol, and `net::pump` for payload (over a `net::pipe`, in the open or
//! inside TLS), which passes through neither
//! channel nor model nor codec. What is born and what ends goes through
//! `net::hub` as an [`event::Event`]; bytes, phases and verdicts turn in dials
//! ([`meter`]) handed over at birth and read once a frame. [`app`] folds events
//! into a [`model::Model`] and lets [`ui`] draw it; [`headless`] writes the same
//! feed as lines; [`errand`] runs `get` and `ls`.
//!
//! # How deck moves a file
//!
//! By blocks of 4 MiB, each with its value in the file's BLAKE3 tree (`net::tree`). A
//! server keeps the trees it has made or sent (`net::connection`'s `forest`) and sends
//! what it does not know all the same, hashing the bytes that leave (`checked`); many
//! small answers go together (`small`, and `eager` the other way). Whoever takes a file
//! in, either side, holds it in a parcel of the landing (`net::store::landing`): a part
//! and a state beside the target, which tell after any kill what has been checked. A
//! client splits a large file among lines of its pool (`net::client`'s `pull`), sends one
//! (`push`), or moves hundreds of small ones over one line (`bundle`, `sheaf`). A folder
//! is walked (`trip`), and its files join the queue; the queue outlives the client
//! (`saved`).
//!
//! # Who is at the other end
//!
//! Where others come in, deck is spoken inside TLS 1.3 alone. A key at both ends
//! (`net::tls`, kept by `net::keep`), known by its pin; a code proved over the very
//! session at first contact (`net::auth`); from then on a file a peer or a server
//! (`net::peers`). A server's `net::porter` holds the three together, a connection
//! asks it at every request (`net::connection`'s `admit`), a client's keys are in
//! `net::client::private`. Nobody's name, date or issuer is looked at: a certificate
//! is the envelope of a key.
//!
//! # Laws worth knowing before the first change
//!
//! - No progress message anywhere: dials are read, not sent.
//! - A reader that falls behind hears [`event::What::Reset`] with all that
//!   lives, and the loss is shown: incomplete perhaps, never wrong.
//! - Birth returns a guard, death is its `Drop`; a panicking task closes its row.
//! - Every wait on a peer ends: by the 1 Hz sweep in `net::server`, by one exact
//!   clock for classic's second, or by a bound of its own (lingering, connecting).
//!   Kick, displacement, timeout and shutdown are one road: a sentence in the
//!   dials, a cancelled token.
//! - Whatever a peer or a disk names becomes an [`entity::DisplayName`] before it
//!   is shown; [`entity::RemotePath`] has no `Display` for that reason.
//! - No dialect and no connection sees a path: `net::store` gives open files or a
//!   refusal with one answer for the peer and the reason for the operator.
//!
//! # Where this differs from what one might expect
//!
//! - An accepted socket may wait for a place: with every place taken one
//!   connection more is accepted, so that the oldest waiting one can be asked
//!   to go in its favour (`net::server`).
//! - A classic transfer ends, as an event, when the peer has closed or the
//!   lingering is over: a reset in between means that it did not get everything.
//! - A file that changed while it was sent is failed, even if every announced
//!   byte went out: it may be a mixture of two contents.

pub mod address;
pub mod app;
pub mod cli;
pub mod entity;
pub mod errand;
pub mod event;
pub mod headless;
pub mod launch;
pub mod line;
pub mod meter;
pub mod model;
pub mod net;
pub mod rate;
pub mod remote;
pub mod system;
pub mod ui;
