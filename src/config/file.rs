//! Finding and reading the configuration file.

use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

use super::node::{Node, Span, Value};
use super::problem::Problem;
use super::source::Sources;
use super::{Config, yaml};

/// The names looked for where none is given, in this order.
const NAMES: [&str; 3] = ["config.yaml", "loadgate.yaml", "loadgate.yml"];

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
    /// It is text, but no YAML that can be used.
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
            Self::NotFound => {
                Some("name one with `--config`, or try the built-in one: `loadgate run --demo`")
            }
            Self::Unreadable { .. } | Self::Malformed { .. } => None,
            Self::NotText { .. } => Some("save the file as UTF-8"),
        }
    }
}

/// Reads a configuration; without a path, the first of the known names in the working folder.
pub fn read(path: Option<&Path>) -> Result<Config, FileError> {
    let found = || NAMES.iter().map(PathBuf::from).find(|name| name.exists()).ok_or(FileError::NotFound);
    let path = path.map_or_else(found, |path| Ok(path.to_owned()))?;
    let bytes =
        std::fs::read(&path).map_err(|source| FileError::Unreadable { path: path.clone(), source })?;
    let text = String::from_utf8(bytes)
        .map_err(|error| FileError::NotText { path: path.clone(), at: error.utf8_error().valid_up_to() })?;
    let folder = path.parent().filter(|folder| *folder != Path::new("")).unwrap_or(Path::new("."));
    parse(&path.display().to_string(), text, folder)
}

/// The built-in configuration; its paths are relative to the working folder.
pub fn demo() -> Result<Config, FileError> {
    parse("built-in config.yaml", DEMO.to_owned(), Path::new("."))
}

/// A configuration from its text.
pub fn parse(name: &str, text: String, folder: &Path) -> Result<Config, FileError> {
    let mut sources = Sources::default();
    let index = sources.add(name, text.clone());
    match yaml::parse(index, &text) {
        Ok(root) => {
            let overrides =
                Node { span: Span { source: index, start: 0, end: 0 }, value: Value::Map(Vec::new()) };
            Ok(Config { sources, root, overrides, folder: folder.to_owned() })
        }
        Err(problems) => Err(FileError::Malformed { name: name.into(), problems, sources }),
    }
}
