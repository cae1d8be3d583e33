//! Environment variables: the one place they are read, beside what GitHub says about a job.

use crate::config::render::Color;
use crate::runner::Image;

/// The value of a variable, if it is set and is text.
pub fn lookup(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// The image of a hosted runner.
pub fn image() -> Image {
    Image { os: lookup("ImageOS"), version: lookup("ImageVersion") }
}

/// Whether colour is welcome: unless `NO_COLOR` says otherwise. Only a terminal shows it.
pub fn color() -> Color {
    if lookup("NO_COLOR").is_none_or(|value| value.is_empty()) { Color::Always } else { Color::Never }
}
