//! Flags of `init`. Doc comments here are the help.

use clap::{Args, ValueHint};

/// Flags of `init`.
#[derive(Debug, Clone, Args)]
pub struct InitArgs {
    /// Put load on the service at this URL; without this and --command, on the demo service
    #[arg(long, value_name = "URL", value_parser = text, value_hint = ValueHint::Url)]
    pub host: Option<String>,
    /// Let loadgate start the service: `{{ address }}` in it becomes a free 127.0.0.1:PORT, `{{ port }}` its port
    #[arg(long, value_name = "CMD", conflicts_with = "host", value_parser = text, value_hint = ValueHint::CommandString)]
    pub command: Option<String>,
}

/// A text that says something.
fn text(given: &str) -> Result<String, &'static str> {
    if given.trim().is_empty() { Err("a value is required") } else { Ok(given.to_owned()) }
}
