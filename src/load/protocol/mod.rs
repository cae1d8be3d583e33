//! How one step is performed, and what is observed of it.

pub mod connect;
pub mod http;
pub mod origin;
pub mod response;
pub mod websocket;
