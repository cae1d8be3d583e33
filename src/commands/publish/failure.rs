//! An error that kept a command from its work, as a summary and as annotations. Pure but for asking where a
//! file lies in the repository.

use std::path::Path;

use crate::config::problem::Problem;
use crate::config::render::Color;
use crate::config::source::Sources;
use crate::error::Error;
use crate::github::annotation::Annotation;
use crate::github::command::Level;
use crate::github::context::Context;
use crate::report::markdown::escape::block;

/// A control character becomes `\\u{10ffff}`.
const MOST_BYTES_A_CHARACTER: usize = 10;

/// The error as it stands in a terminal.
pub fn summary(text: &str, room: usize) -> String {
    format!("# 💥 loadgate could not do its work\n\n{}", block_within(text, room))
}

/// The beginning of a text, as a block in so many bytes: what is escaped takes more than it had.
pub fn block_within(text: &str, bytes: usize) -> String {
    let shown: String = text.chars().take(bytes / MOST_BYTES_A_CHARACTER).collect();
    block(&shown)
}

/// Each thing that is wrong, on its line of the configuration.
pub fn annotations(error: &Error, job: &Context) -> Vec<Annotation> {
    match error {
        Error::Config { problems, sources } => {
            problems.iter().map(|problem| of_problem(problem, sources, job)).collect()
        }
        other => {
            let report = other.report(Color::Never);
            let message = report.trim_start_matches("error: ");
            vec![Annotation::general(Level::Error, "loadgate could not do its work", message)]
        }
    }
}

fn of_problem(problem: &Problem, sources: &Sources, job: &Context) -> Annotation {
    let place = problem.span.and_then(|span| {
        let file = job.in_repository(Path::new(&sources.of(span)?.name))?;
        Some((file, sources.line_column(span).map(|(line, _)| line)))
    });
    // Some of it may come from flags and variables.
    let title =
        if place.is_some() { "the configuration is wrong" } else { "the configuration, or a flag, is wrong" };
    let hint = problem.hint.as_ref().map_or_else(String::new, |hint| format!(". To do: {hint}"));
    Annotation {
        level: Level::Error,
        place,
        title: title.to_owned(),
        message: format!("{}{hint}", problem.message),
    }
}
