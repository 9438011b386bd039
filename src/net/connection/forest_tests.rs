//! The forest.
