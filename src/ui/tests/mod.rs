//! The screens, drawn and compared, and driven by keys.

mod world;
