//! Mathematics. Imports nothing of ours; every formula names its source.

pub mod histogram;
pub mod significance;
