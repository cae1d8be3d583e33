//! The commands, one file each.

pub mod baseline;
pub mod check;
pub mod demo_api;
pub mod plan;
pub mod run;
pub mod target;
pub mod target_guard;
