//! What can be looked at while a run lasts. Nothing here is measured or judged, and nothing here may hold
//! up the load.

pub mod exporter;
pub mod server;
