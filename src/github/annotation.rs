//! What speaks against a pass, as annotations: on the line of the configuration that set an objective, or of
//! the baseline that a number is worse than. Few enough that the runner shows all of them. Pure.

use crate::baseline::document;
use crate::report::comparison::{self, Standing};
use crate::report::model::{self, Rank};
use crate::report::text::shorten;
use crate::report::{sentence, text};
use crate::result::comparison::Delta;
use crate::result::schema::RunResult;
use crate::result::verdict::{Check, Status};

use super::command::{Command, Level};

/// The runner shows ten of each level in a step, and a composite action is one step. One is left for what cannot
/// be published, and the last of the others says how many more there are.
const MOST_OF_A_LEVEL: usize = 9;
/// The runner cuts after 4,096.
const LONGEST_MESSAGE: usize = 4_000;

/// Where the things stand in the repository that annotations point at.
#[derive(Debug, Clone, Default)]
pub struct Places {
    /// The path of the configuration; none where it is outside.
    pub config: Option<String>,
    /// The newest run of the baseline: its path, and its text.
    pub baseline: Option<(String, String)>,
}

/// One annotation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Annotation {
    /// How much it weighs.
    pub level: Level,
    /// In which file, and in which line of it.
    pub place: Option<(String, Option<usize>)>,
    /// Its heading.
    pub title: String,
    /// What it says.
    pub message: String,
}

impl Annotation {
    /// One that points nowhere.
    pub fn general(level: Level, title: &str, message: &str) -> Self {
        Self { level, place: None, title: title.to_owned(), message: message.to_owned() }
    }

    /// As the runner obeys it.
    pub fn command(&self) -> Command {
        let (file, line) = match &self.place {
            Some((file, line)) => (Some(file.clone()), line.map(|line| line.to_string())),
            None => (None, None),
        };
        let title = Some(text::printable(&self.title));
        let lines: Vec<_> = self.message.trim_end().lines().map(text::printable_line).collect();
        let message = shorten(&lines.join("\n"), LONGEST_MESSAGE);
        Command::annotation(self.level, &[("file", file), ("line", line), ("title", title)], &message)
    }
}

/// The annotations of a result: the verdict, then what made it, the worst first.
pub fn of(result: &RunResult, places: &Places) -> Vec<Annotation> {
    let checks = model::checks(result);
    let checks = checks.into_iter().filter_map(|check| of_check(check, places));
    let deltas = comparison::deltas(result).into_iter().filter_map(|delta| of_delta(delta, places));
    limited(&of_verdict(result).into_iter().chain(checks).chain(deltas).collect::<Vec<_>>())
}

fn of_verdict(result: &RunResult) -> Option<Annotation> {
    let verdict = result.verdict.as_ref()?;
    let level = match (verdict.status, verdict.exit_status) {
        (Status::Passed, _) => return None,
        (_, 0) => Level::Notice,
        _ => Level::Error,
    };
    let headline = sentence::headline(result);
    let next = headline.next.map_or_else(String::new, |next| format!(". Next: {next}"));
    let title = format!("loadgate: {} {} on {}", headline.word, result.scenario, result.environment);
    Some(Annotation::general(level, &title, &format!("{}{next}", headline.sentence)))
}

fn of_check(check: &Check, places: &Places) -> Option<Annotation> {
    let level = match model::rank(check) {
        Rank::Broken | Rank::Invalid => Level::Error,
        Rank::Undecided | Rank::Warned => Level::Warning,
        Rank::Fine | Rank::Elsewhere => return None,
    };
    let place = check.line.and_then(|line| Some((places.config.clone()?, Some(line))));
    Some(Annotation { level, place, title: sentence::subject(check), message: sentence::outcome(check) })
}

fn of_delta(delta: &Delta, places: &Places) -> Option<Annotation> {
    let level = match comparison::standing(delta) {
        Standing::Worse | Standing::Invalid => Level::Error,
        Standing::Unconfirmed | Standing::Open | Standing::WorseShown => Level::Warning,
        Standing::Building | Standing::Better | Standing::Same | Standing::Aside => return None,
    };
    let place = places
        .baseline
        .as_ref()
        .map(|(path, text)| (path.clone(), document::line_of(text, delta.endpoint.as_deref())));
    Some(Annotation { level, place, title: comparison::subject(delta), message: comparison::outcome(delta) })
}

/// At most nine of each level, of which the last tells how many are not shown.
pub fn limited(all: &[Annotation]) -> Vec<Annotation> {
    let levels = [Level::Error, Level::Warning, Level::Notice];
    levels
        .into_iter()
        .flat_map(|level| {
            let mut of_level: Vec<_> = all.iter().filter(|it| it.level == level).cloned().collect();
            if of_level.len() > MOST_OF_A_LEVEL {
                let more = of_level.len() - (MOST_OF_A_LEVEL - 1);
                of_level.truncate(MOST_OF_A_LEVEL - 1);
                of_level.push(Annotation::general(
                    level,
                    "loadgate",
                    &format!("+{more} more, see the summary"),
                ));
            }
            of_level
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::tests::judged;
    use crate::result::fixture;

    #[test]
    fn a_broken_objective_is_an_error_on_the_line_that_set_it() {
        let mut result = judged();
        let verdict = result.verdict.as_mut().unwrap();
        let broken = verdict.checks.iter_mut().find(|check| model::rank(check) == Rank::Broken).unwrap();
        broken.line = Some(41);
        let places = Places { config: Some("perf/config.yaml".to_owned()), baseline: None };
        let lines: Vec<_> = of(&result, &places).iter().map(|it| it.command().line().to_owned()).collect();
        assert!(lines[0].starts_with("::error title=loadgate%3A FAILED build_flow on demo::"), "{lines:#?}");
        assert!(
            lines.iter().any(|line| line.starts_with("::error file=perf/config.yaml,line=41,title=")),
            "{lines:#?}"
        );
    }

    #[test]
    fn a_pass_has_nothing_to_say() {
        assert_eq!(of(&fixture::small(), &Places::default()), []);
    }

    #[test]
    fn nine_of_a_level_are_shown_and_the_last_counts_the_others() {
        let many = |n| vec![Annotation::general(Level::Error, "t", "m"); n];
        assert_eq!(limited(&many(9)), many(9));
        let cut = limited(&[many(12), vec![Annotation::general(Level::Warning, "t", "m")]].concat());
        assert_eq!(cut.len(), 10);
        assert_eq!(cut[8].message, "+4 more, see the summary");
        assert_eq!(cut[9].level, Level::Warning);
    }
}
