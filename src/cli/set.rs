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
        let formats = self.formats.as_deref().map(in_brackets);
        let typed_folder = self.output_dir.as_deref().and_then(Path::to_str);
        // What was typed, and the YAML that is made of it where that is something else.
        let flags = [
            ("host", &["host"][..], self.host.as_deref(), None),
            ("users", &["users"], self.users.as_deref(), None),
            ("spawn-rate", &["spawn_rate"], self.spawn_rate.as_deref(), None),
            ("run-time", &["run_time"], self.run_time.as_deref(), None),
            ("arrivals", &["arrivals"], self.arrivals.as_deref(), None),
            ("seed", &["seed"], self.seed.as_deref(), None),
            (
                "output-dir",
                &["reporting", "output_dir"],
                typed_folder.or(folder.as_deref()),
                folder.as_deref(),
            ),
            ("formats", &["reporting", "formats"], self.formats.as_deref(), formats.as_deref()),
        ];
        let named = flags.into_iter().filter_map(|(flag, path, typed, made)| {
            // A variable that is set to nothing is as good as unset.
            let typed = typed.filter(|typed| !typed.is_empty())?;
            Some(Override::new(&origin(flag, typed), path, made.unwrap_or(typed)))
        });
        Ok(named.chain(self.source.overrides()?).collect())
    }
}

/// A list of words as YAML. An item that is missing is an empty word, which is then told; behind the last comma there need
/// be none. Of nothing at all, nothing is made.
fn in_brackets(list: &str) -> String {
    if list.trim().is_empty() {
        return list.to_owned();
    }
    let items: Vec<&str> = list.split(',').collect();
    let item = |(at, item): (usize, &&str)| {
        let is_missing = item.trim().is_empty() && (at + 1 < items.len() || at == 0);
        if is_missing { "\"\"".to_owned() } else { (*item).to_owned() }
    };
    format!("[{}]", items.iter().enumerate().map(item).collect::<Vec<_>>().join(","))
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

#[cfg(test)]
mod tests {
    use super::in_brackets;

    #[test]
    fn a_word_that_is_missing_in_a_list_is_an_empty_one() {
        for (typed, made) in [
            ("csv", "[csv]"),
            ("csv, html", "[csv, html]"),
            ("csv,html,", "[csv,html,]"),
            ("csv,,html", "[csv,\"\",html]"),
            (",", "[\"\",]"),
            (" ", " "),
        ] {
            assert_eq!(in_brackets(typed), made);
        }
    }
}
