//! What GitHub tells a job, and what is told to GitHub. Best effort: nothing here changes a verdict.

pub mod context;
