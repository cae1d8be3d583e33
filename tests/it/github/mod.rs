//! Everything that touches GitHub, against a GitHub of our own on this machine.

mod cancelled;
mod comments;
mod contract;
mod hostile;
mod job;
mod mock;
mod relay;
mod runner;
mod words;
