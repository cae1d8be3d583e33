//! The embedded demo service: a small build API with two sockets, whose latency, failures, capacity and
//! freezes follow a seeded script. It is what tests, examples and the gate's own trial put load on, so it
//! is cheap per request, bounded in memory and steady. It knows nothing of the rest of the program.

mod answer;
mod auth;
mod builds;
mod capacity;
mod chance;
mod course;
mod endpoint;
mod freeze;
mod handshake;
mod request;
mod routes;
mod script;
mod server;
mod service;
mod settings;
mod timer;
mod view;
mod websocket;

pub use capacity::Capacity;
pub use endpoint::Endpoint;
pub use freeze::Freeze;
pub use script::{Delay, ErrorShare, Slowdown};
pub use server::{bind, serve};
pub use settings::{SettingError, Settings};

#[cfg(test)]
mod tests;
