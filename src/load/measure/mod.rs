//! What is measured and how it is added up. Merging is associative: windows and workers may be
//! merged in any order.

pub mod censored;
pub mod outcome;
pub mod phases;
pub mod recorder;
pub mod recording;
pub mod run;
pub mod sample;
pub mod standstill;
pub mod times;
