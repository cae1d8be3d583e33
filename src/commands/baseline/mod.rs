//! `loadgate baseline`: remember runs, accept a deliberate change, show what is remembered.

mod accept;
mod error;
mod list;
mod propose;
mod refusal;
mod shelf;
mod show;
mod update;

pub use error::Error;

use crate::cli::baseline::{BaselineArgs, BaselineCommand};

/// Does what was asked for; returns the exit status.
pub fn run(args: &BaselineArgs) -> Result<u8, crate::error::Error> {
    match &args.command {
        BaselineCommand::Update(args) => update::update(args),
        BaselineCommand::Accept(args) => accept::accept(args),
        BaselineCommand::Show(args) => show::show(args),
        BaselineCommand::List(args) => list::list(args),
    }
}
