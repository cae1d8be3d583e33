//! Environment variables: the one place they are read, beside what GitHub says about a job.

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

use crate::config::render::Color;
use crate::runner::Image;

/// The value of a variable, if it is set and is text.
pub fn lookup(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// The value of a variable, if it is set, whether or not it is text.
pub fn bytes(name: &str) -> Option<OsString> {
    std::env::var_os(name)
}

/// The value of a variable, if it is set; what is no text in it cannot be read, and is not passed over.
pub fn lossy(name: &str) -> Option<String> {
    bytes(name).map(|value| value.to_string_lossy().into_owned())
}

/// The variables whose names begin so and whose values are no text.
pub fn not_text(beginning: &str) -> Vec<String> {
    let found = std::env::vars_os().filter(|(_, value)| value.to_str().is_none());
    let names = found.map(|(name, _)| name.to_string_lossy().into_owned());
    names.filter(|name| name.starts_with(beginning)).collect()
}

/// All variables of this process.
pub fn all() -> Vec<(OsString, OsString)> {
    std::env::vars_os().collect()
}

/// Whether a variable is set to nothing.
pub fn is_empty(name: &OsStr) -> bool {
    std::env::var_os(name).is_some_and(|value| value.is_empty())
}

/// The image of a hosted runner.
pub fn image() -> Image {
    Image { os: lookup("ImageOS"), version: lookup("ImageVersion") }
}

/// The folder of a job of Actions that its runner empties when the job is over.
pub fn runner_temp() -> Option<PathBuf> {
    std::env::var_os("RUNNER_TEMP").filter(|folder| !folder.is_empty()).map(PathBuf::from)
}

/// Whether colour is welcome: unless `NO_COLOR` says otherwise. Only a terminal shows it.
pub fn color() -> Color {
    if lookup("NO_COLOR").is_none_or(|value| value.is_empty()) { Color::Always } else { Color::Never }
}

/// What a variable says that stands for a flag without a value; set to nothing it is as good as unset. A slip is
/// an error: it must not switch anything on.
pub fn switch(text: &str) -> Result<bool, String> {
    match text.trim().to_lowercase().as_str() {
        "" | "0" | "false" | "no" | "off" | "n" | "f" => Ok(false),
        "1" | "true" | "yes" | "on" | "y" | "t" => Ok(true),
        _ => Err("valid: true, false".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_switches_nothing_on() {
        assert_eq!((switch("true"), switch("ON"), switch("")), (Ok(true), Ok(true), Ok(false)));
        assert!(switch("flase").is_err() && switch("maybe").is_err());
    }
}
