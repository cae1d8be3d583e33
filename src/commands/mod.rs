//! The commands, one file each.

pub mod baseline;
pub mod before;
pub mod check;
pub mod demo_api;
pub mod grafana;
pub mod init;
pub mod judge;
pub mod onlookers;
pub mod plan;
pub mod publish;
pub mod relay;
pub mod report;
pub mod run;
pub mod selftest;
pub mod target;
pub mod target_guard;
