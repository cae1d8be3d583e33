//! loadgate puts load on a service, measures it, and judges the run.
//!
//! Data flows through the rooms from left to right, and imports point left only:
//! `config → plan → load → result → baseline → gate → report → github`. This library exists for the
//! binary, its tests, benches and fuzz targets; it is not a public API.

pub mod baseline;
pub mod cli;
pub mod clock;
pub mod commands;
pub mod config;
pub mod demo;
pub mod error;
pub mod gate;
pub mod github;
pub mod load;
pub mod metric;
pub mod plan;
pub mod report;
pub mod result;
pub mod runner;
pub mod stats;
pub mod template;
pub mod units;
