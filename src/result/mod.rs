//! What happened, as one document: everything that judges or reports reads it, and nothing else.

pub mod comparison;
pub mod consistency;
pub mod endpoint;
pub mod file;
pub mod foreign;
pub mod left_out;
pub mod machine;
pub mod merged;
pub mod salvage;
pub mod schema;
pub mod stretch;
pub mod summary;
pub mod verdict;
mod whole_run;
pub mod window;

#[cfg(test)]
pub mod fixture;
#[cfg(test)]
mod tests;
