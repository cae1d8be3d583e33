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

/// The error as it stands in a terminal.
pub fn summary(text: &str, room: usize) -> String {
    let shown: String = text.chars().take(room / 8).collect();
    format!("# ❌ loadgate could not do its work\n\n{}", block(&shown))
}

/// Each thing that is wrong, on its line of the configuration.
pub fn annotations(error: &Error, job: &Context) -> Vec<Annotation> {
    match error {
        Error::Config { problems, sources } => {
            problems.iter().map(|problem| of_problem(problem, sources, job)).collect()
        }
        other => {
            let message = in_short(&other.report(Color::Never));
            vec![Annotation::general(Level::Error, "loadgate could not do its work", &message)]
        }
    }
}

/// What happened and what to do, of a message that may show more.
fn in_short(report: &str) -> String {
    let what = report.lines().next().unwrap_or_default().trim_start_matches("error: ");
    let hint = report.lines().rev().find_map(|line| line.strip_prefix("hint: "));
    hint.map_or_else(|| what.to_owned(), |hint| format!("{what}. To do: {hint}"))
}

fn of_problem(problem: &Problem, sources: &Sources, job: &Context) -> Annotation {
    let place = problem.span.and_then(|span| {
        let file = job.in_repository(Path::new(&sources.of(span)?.name))?;
        Some((file, sources.line_column(span).map(|(line, _)| line)))
    });
    let hint = problem.hint.as_ref().map_or_else(String::new, |hint| format!(". To do: {hint}"));
    Annotation {
        level: Level::Error,
        place,
        title: "the configuration is wrong".to_owned(),
        message: format!("{}{hint}", problem.message),
    }
}
