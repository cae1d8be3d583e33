//! Everything that touches GitHub, against a GitHub of our own on this machine.

mod act;
mod cancelled;
mod comments;
mod contract;
mod errors;
mod events;
mod flows;
mod hostile;
mod issues;
mod job;
mod mock;
mod nightly;
mod proposal;
mod relay;
mod runner;
mod secrets;
mod words;
