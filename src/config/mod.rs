//! What the user wrote: a spanned tree, checked for shape; all problems collected with their places.

pub mod data;
pub mod file;
pub mod node;
pub mod overrides;
pub mod problem;
pub mod render;
pub mod schema;
pub mod shape;
pub mod source;
pub mod yaml;

use node::Node;
use source::Sources;

/// The configuration before it means anything: the file's tree, and above it the layer of flags and
/// environment variables, which beats every other layer.
#[derive(Debug, Clone)]
pub struct Config {
    /// The texts that spans point into.
    pub sources: Sources,
    /// The file.
    pub root: Node,
    /// Flags over environment variables: a mapping of keys that may stand in an environment.
    pub overrides: Node,
    /// The folder that paths in the file are relative to.
    pub folder: std::path::PathBuf,
}
