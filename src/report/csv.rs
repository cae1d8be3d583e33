//! Tables for spreadsheets and scripts: plain numbers with their unit in the column's name. Pure.

use thiserror::Error;

use crate::result::endpoint::failures;
use crate::result::schema::RunResult;

/// Why no table could be made.
#[derive(Debug, Error)]
pub enum RowError {
    /// A row could not be written.
    #[error(transparent)]
    Row(#[from] csv::Error),
    /// The table could not be completed.
    #[error("the table could not be completed")]
    Unfinished,
}

/// A row an endpoint.
pub fn endpoints(result: &RunResult) -> Result<String, RowError> {
    let mut table = csv::Writer::from_writer(Vec::new());
    table.write_record(["endpoint", "ok", "failed"])?;
    for endpoint in &result.endpoints {
        table.write_record([
            endpoint.name.as_str(),
            &endpoint.ok.to_string(),
            &failures(&endpoint.failed).to_string(),
        ])?;
    }
    finish(table)
}

/// A row a second and endpoint.
pub fn series(result: &RunResult) -> Result<String, RowError> {
    let mut table = csv::Writer::from_writer(Vec::new());
    table.write_record(["t_s", "endpoint", "ok"])?;
    for point in &result.series {
        for (name, endpoint) in &point.endpoints {
            table.write_record([point.t_s.to_string().as_str(), name, &endpoint.ok.to_string()])?;
        }
    }
    finish(table)
}

fn finish(table: csv::Writer<Vec<u8>>) -> Result<String, RowError> {
    let bytes = table.into_inner().map_err(|_| RowError::Unfinished)?;
    String::from_utf8(bytes).map_err(|_| RowError::Unfinished)
}
