//! What loadgate does: virtual users put load on a target and record what happened.

pub mod measure;
