//! The net wing's one door.

pub mod wire;
