//! What loadgate does: virtual users put load on a target and record what happened. It knows nothing
//! of objectives and reports.

pub mod arrivals;
pub mod deck;
pub mod measure;
pub mod pacing;
pub mod timer;
