//! Finding and reading the configuration file.

use std::io::{self, Read};
use std::path::{Path, PathBuf};

use thiserror::Error;

use super::node::{Node, Span, Value};
use super::problem::Problem;
use super::source::Sources;
use super::{Config, shape, yaml};
use crate::units::ByteSize;

/// The names looked for where none is given, in this order.
pub const NAMES: [&str; 3] = ["config.yaml", "loadgate.yaml", "loadgate.yml"];

/// The configuration of the main job, built in.
const DEMO: &str = include_str!("../../config.yaml");

/// Why there is no configuration.
#[derive(Debug, Error)]
pub enum FileError {
    /// None was named, and none is here.
    #[error("no configuration here: looked for {}", NAMES.join(", "))]
    NotFound,
    /// It cannot be read.
    #[error("cannot read `{}`", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// It is no text.
    #[error("`{}` is not UTF-8: byte {at} is no character", path.display())]
    NotText {
        /// The file.
        path: PathBuf,
        /// The first byte that is not.
        at: usize,
    },
    /// It is too large to be a configuration.
    #[error("`{}` is {}; at most {}", path.display(), ByteSize(*bytes), ByteSize(yaml::MAX_BYTES as u64))]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// Its size.
        bytes: u64,
    },
    /// It is text, but not of the form that it must have.
    #[error("`{name}` has {} problem(s)", problems.len())]
    Malformed {
        /// The file.
        name: String,
        /// Everything wrong with it.
        problems: Vec<Problem>,
        /// The texts the problems point into.
        sources: Sources,
    },
}

impl FileError {
    /// The remedy.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::NotFound => Some(
                "make one with `loadgate init`, name one with `--config`, or see it work with `loadgate run --demo`",
            ),
            Self::Unreadable { .. } | Self::Malformed { .. } => None,
            Self::NotText { .. } => Some("save the file as UTF-8"),
            Self::TooLarge { .. } => Some("move data into CSV or JSON files"),
        }
    }
}

/// Reads a configuration; without a path, the first of the known names in the working folder.
pub fn read(path: Option<&Path>) -> Result<Config, FileError> {
    let path = locate(path).ok_or(FileError::NotFound)?;
    let bytes = bytes_of(&path)?;
    let text = String::from_utf8(bytes)
        .map_err(|error| FileError::NotText { path: path.clone(), at: error.utf8_error().valid_up_to() })?;
    let folder = path.parent().filter(|folder| *folder != Path::new("")).unwrap_or(Path::new("."));
    parse(&path.display().to_string(), &text, folder)
}

/// Where the configuration is: where it is said to be, or under the first of the known names that is there.
pub fn locate(path: Option<&Path>) -> Option<PathBuf> {
    path.map(Path::to_owned).or_else(|| NAMES.iter().map(PathBuf::from).find(|name| name.exists()))
}

/// The built-in configuration; its paths are relative to the working folder.
pub fn demo() -> Result<Config, FileError> {
    parse("built-in config.yaml", DEMO, Path::new("."))
}

/// A configuration from its text. What is wrong with its form is told by whoever asks what it means,
/// together with that; where the text is no YAML nobody can ask, so here.
pub fn parse(name: &str, text: &str, folder: &Path) -> Result<Config, FileError> {
    let mut sources = Sources::default();
    let index = sources.add(name, text);
    let (root, mut problems) = yaml::read(index, text);
    if !problems.is_empty() {
        problems.extend(root.iter().flat_map(shape::check));
    }
    match root {
        Some(root) if problems.is_empty() => {
            let overrides =
                Node { span: Span { source: index, start: 0, end: 0 }, value: Value::Map(Vec::new()) };
            Ok(Config { sources, root, overrides, folder: folder.to_owned() })
        }
        _ => Err(FileError::Malformed { name: name.into(), problems, sources }),
    }
}

fn bytes_of(path: &Path) -> Result<Vec<u8>, FileError> {
    let unreadable = |source| FileError::Unreadable { path: path.to_owned(), source };
    let file = std::fs::File::open(path).map_err(unreadable)?;
    let length = file.metadata().map_err(unreadable)?.len();
    let mut bytes = Vec::new();
    file.take(yaml::MAX_BYTES as u64 + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() > yaml::MAX_BYTES {
        return Err(FileError::TooLarge { path: path.to_owned(), bytes: length.max(bytes.len() as u64) });
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::render::{Color, render};

    /// What is said about a file of these bytes.
    fn refused(bytes: &[u8]) -> String {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config.yaml");
        std::fs::write(&path, bytes).unwrap();
        let text = match read(Some(&path)).unwrap_err() {
            FileError::Malformed { problems, sources, .. } => render(&problems, &sources, Color::Never),
            error => format!("{error}\nhint: {}", error.hint().unwrap_or("none")),
        };
        text.replace(&format!("{}/", folder.path().display()), "")
    }

    #[test]
    fn the_built_in_configuration_is_right() {
        let config = demo().unwrap();
        assert_eq!(config.root.get("name").and_then(Node::scalar), Some("hyperkit"));
    }

    #[test]
    fn the_folder_of_the_file_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("loadgate.yml");
        std::fs::write(&path, "version: 1\nenvironments: {}\nscenarios: {}\n").unwrap();
        assert_eq!(read(Some(&path)).unwrap().folder, folder.path());
        assert!(FileError::NotFound.hint().unwrap().starts_with("make one with `loadgate init`"));
    }

    #[test]
    fn what_is_no_configuration_is_refused() {
        insta::assert_snapshot!(refused(&vec![b'a'; 2_100_000]), @r"
        `config.yaml` is 2.0 MiB; at most 1 MiB
        hint: move data into CSV or JSON files
        ");
        insta::assert_snapshot!(refused(b"a: 1\nb: \xff\n"), @r"
        `config.yaml` is not UTF-8: byte 8 is no character
        hint: save the file as UTF-8
        ");
        insta::assert_snapshot!(refused(b""), @r"
        error: there is nothing in this file
         --> config.yaml:1:1
          |
        1 |
          | ^
        hint: a configuration begins with `version: 1`, `environments:` and `scenarios:`
        ");
    }

    #[test]
    fn mistakes_of_yaml_and_of_form_are_told_together() {
        let text = "version: 1\nversion: 2\nenvironments: {e: {hots: x}}\n\
            scenarios: {s: {users: {u: {steps: [{get: {{ x }}}]}}}}\n";
        insta::assert_snapshot!(refused(text.as_bytes()), @r#"
        error: duplicate key `version`, first on line 1
         --> config.yaml:2:1
          |
        2 | version: 2
          | ^^^^^^^
        hint: keep one of them

        error: unknown key `hots`
         --> config.yaml:3:20
          |
        3 | environments: {e: {hots: x}}
          |                    ^^^^
        hint: did you mean `host`? known: description, host, target, protected, thresholds, load, baseline, reporting, timeout, max_body, max_memory, http, tls, ab, users, spawn_rate, run_time, arrivals

        error: `{{ x }}` without quotes is a mapping to YAML
         --> config.yaml:4:43
          |
        4 | scenarios: {s: {users: {u: {steps: [{get: {{ x }}}]}}}}
          |                                           ^^^^^^^
        hint: quote the template: "{{ x }}"

        3 problems
        "#);
    }
}
