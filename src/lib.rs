//! ferrydeck: a terminal file-transfer dashboard.

pub mod entity;
pub mod event;
pub mod line;
pub mod meter;
pub mod model;
pub mod net;
pub mod rate;
pub mod remote;
pub mod ui;
