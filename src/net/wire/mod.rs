//! The dialects.

pub mod codec;
