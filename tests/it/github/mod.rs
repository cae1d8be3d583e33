//! Everything that touches GitHub, against a GitHub of our own on this machine.

mod comments;
mod contract;
mod job;
mod mock;
mod runner;
mod words;
