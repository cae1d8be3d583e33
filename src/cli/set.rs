//! From flags and variables to keys of the configuration.

use std::path::Path;

use super::variables;
use super::{ConfigArgs, PlanArgs};
use crate::config::overrides::{Override, parse_set};

impl ConfigArgs {
    /// Every key that `--set` sets. An error names what is no KEY=VALUE.
    pub fn overrides(&self) -> Result<Vec<Override>, String> {
        self.set.iter().map(|text| parse_set(text)).collect()
    }
}

impl PlanArgs {
    /// Every key that is set from outside; `--set` beats the flags of its own. An error names what is no
    /// KEY=VALUE.
    pub fn overrides(&self) -> Result<Vec<Override>, String> {
        let folder = self.output_dir.as_deref().map(absolute);
        let formats = self.formats.as_deref().map(|list| format!("[{list}]"));
        let flags = [
            ("host", &["host"][..], self.host.as_deref()),
            ("users", &["users"], self.users.as_deref()),
            ("spawn-rate", &["spawn_rate"], self.spawn_rate.as_deref()),
            ("run-time", &["run_time"], self.run_time.as_deref()),
            ("arrivals", &["arrivals"], self.arrivals.as_deref()),
            ("seed", &["seed"], self.seed.as_deref()),
            ("output-dir", &["reporting", "output_dir"], folder.as_deref()),
            ("formats", &["reporting", "formats"], formats.as_deref()),
        ];
        // A variable that is set to nothing is as good as unset.
        let given = flags.into_iter().filter(|(_, _, value)| value.is_none_or(|value| !value.is_empty()));
        let named =
            given.filter_map(|(flag, path, value)| Some(Override::new(&origin(flag, value?), path, value?)));
        Ok(named.chain(self.source.overrides()?).collect())
    }
}

/// What set a flag: the flag itself, or the variable of the same name.
fn origin(flag: &str, value: &str) -> String {
    let variable = format!("LOADGATE_{}", flag.replace('-', "_").to_uppercase());
    if variables::lookup(&variable).is_some_and(|found| found == value) {
        variable
    } else {
        format!("--{flag}")
    }
}

/// Flags are relative to the working folder, the file to itself. Quoted, so that it is text to YAML.
fn absolute(folder: &Path) -> String {
    let path = std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned());
    serde_json::Value::from(path.to_string_lossy()).to_string()
}
