//! `loadgate grafana`: prints the dashboard, with the uid of the configuration.

use crate::cli::ConfigArgs;
use crate::commands::plan;
use crate::config::file::FileError;
use crate::error::Error;
use crate::report::{grafana, write};

/// Prints the dashboard; where no configuration is named and none is here, with the uid `loadgate`.
pub fn run(args: &ConfigArgs) -> Result<u8, Error> {
    let uid = match plan::configuration(args, args.overrides()) {
        Ok(config) => plan::dashboard_uid(&config)?,
        Err(Error::File(FileError::NotFound)) if args.set.is_empty() => grafana::UID.to_owned(),
        Err(error) => return Err(error),
    };
    write::json(&grafana::dashboard(&uid))?;
    Ok(0)
}
