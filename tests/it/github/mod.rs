//! Everything that touches GitHub, against a GitHub of our own on this machine.

mod act;
mod cancelled;
mod comments;
mod contract;
mod flows;
mod hostile;
mod job;
mod mock;
mod relay;
mod runner;
mod words;
