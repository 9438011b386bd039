//! ferrydeck: a terminal file-transfer dashboard.

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
pub mod ui;
