//! Mathematics. Imports nothing of ours; every formula names its source.

pub mod histogram;
pub mod quantile;
pub mod robust;
pub mod significance;
