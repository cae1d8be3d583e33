//! How one step is performed, and what is observed of it.

pub mod address;
pub mod body;
mod charset;
pub mod coding;
pub mod connect;
pub mod cookie;
pub mod dial;
mod excerpt;
mod header;
pub mod http;
mod http1;
mod http2;
pub mod incoming;
pub mod link_local;
pub mod name;
pub mod origin;
pub mod outgoing;
mod proxy;
pub mod redirect;
pub mod response;
pub mod stream;
pub mod websocket;
