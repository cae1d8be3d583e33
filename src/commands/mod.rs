//! One file per command.

pub mod demo_api;
pub mod target_guard;
