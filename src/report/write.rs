//! Where texts leave the process: standard output is data, standard error is conversation. And
//! `result.json`, which is written whatever the verdict.

use std::io::{self, Write};
use std::path::PathBuf;

use crate::result::file::{FileError, RunFolder};
use crate::result::schema::RunResult;

/// Writes data. A reader that has seen enough is no error.
pub fn stdout(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        outcome => outcome,
    }
}

/// Says something. When nobody can hear it, there is nobody to tell that.
pub fn stderr(text: &str) {
    let mut out = io::stderr().lock();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

/// Writes `result.json` into the folder of the run, and points `latest` at it.
pub fn json(folder: &RunFolder, result: &RunResult) -> Result<PathBuf, FileError> {
    let path = folder.write_result(result)?;
    folder.point_latest()?;
    Ok(path)
}
