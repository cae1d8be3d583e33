//! How a result is told. Renderers are pure: a result in, a text out.

pub mod number;
pub mod progress;
pub mod trace;
pub mod write;
