//! Everything that touches GitHub, against a GitHub of our own on this machine.

mod contract;

mod mock;
mod runner;
mod words;
