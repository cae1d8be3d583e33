//! What GitHub tells a job, and what is told to GitHub. Best effort: nothing here changes a verdict.

pub mod annotation;
pub mod artifact;
pub mod client;
pub mod command;
pub mod comment;
pub mod context;
pub mod event;
pub mod issue;
pub mod marker;
pub mod output;
pub mod proposal;
pub mod relay;
pub mod repository;
mod sticky;
pub mod summary;
pub mod token;
pub mod trail;
