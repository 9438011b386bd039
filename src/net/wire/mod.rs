//! The dialects.

pub mod classic;
pub mod codec;
pub mod deck;
