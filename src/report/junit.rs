//! The run, its checks and its gated numbers as test cases, for whatever lists test results: the elements and
//! attributes that Jenkins' schema `junit-10.xsd` knows, and no others. Pure.

use std::io;

use quick_xml::Writer;
use quick_xml::events::{BytesDecl, Event};

use crate::result::comparison::Delta;
use crate::result::schema::RunResult;
use crate::result::verdict::{Check, CheckSeverity, CheckStatus, Status};

use super::comparison::{self, Standing};
use super::text::printable;
use super::{model, sentence};

const FAILURE: &str = "failure";
const ERROR: &str = "error";
const SKIPPED: &str = "skipped";

/// Names and values of an element.
type Attributes = Vec<(&'static str, String)>;

/// One test case. How long it took nobody measures: the suite has the time of the run.
struct Case {
    name: String,
    /// The part of the class after scenario and environment.
    class: &'static str,
    outcome: Outcome,
}

/// What became of a case, and why.
enum Outcome {
    Passed,
    Failed(String),
    Errored(String),
    Skipped(String),
}

impl Outcome {
    /// The element that says so, and what it says.
    fn element(&self) -> Option<(&'static str, &str)> {
        match self {
            Self::Passed => None,
            Self::Failed(said) => Some((FAILURE, said)),
            Self::Errored(said) => Some((ERROR, said)),
            Self::Skipped(said) => Some((SKIPPED, said)),
        }
    }
}

/// A case of the run itself, one per check, and one per number that is compared. Times are in seconds.
pub fn render(result: &RunResult) -> io::Result<String> {
    let cases = cases(result);
    let counts = counts(result, &cases);
    let mut writer = Writer::new_with_indent(Vec::new(), b' ', 2);
    writer.write_event(Event::Decl(BytesDecl::new("1.0", Some("UTF-8"), None)))?;
    let whole = writer.create_element("testsuites").with_attribute(("name", "loadgate"));
    whole.with_attributes(pairs(&counts)).write_inner_content(|writer| {
        let its_own = suite(result, &cases);
        let suite = writer.create_element("testsuite").with_attributes(pairs(&its_own));
        suite.with_attributes(pairs(&counts)).write_inner_content(|writer| {
            write_properties(writer, result)?;
            cases.iter().try_for_each(|case| write_case(writer, result, case))
        })?;
        Ok(())
    })?;
    String::from_utf8(writer.into_inner()).map(|text| text + "\n").map_err(io::Error::other)
}

fn cases(result: &RunResult) -> Vec<Case> {
    let run = ("the run".to_owned(), "run", run(result));
    let checks = model::checks(result).into_iter().map(|it| (sentence::subject(it), "objectives", check(it)));
    let deltas = comparison::deltas(result);
    let deltas = deltas.into_iter().map(|it| (comparison::subject(it), "baseline", delta(it)));
    let all = std::iter::once(run).chain(checks).chain(deltas);
    all.map(|(name, class, outcome)| Case { name, class, outcome }).collect()
}

/// What the whole and its only suite both say, unless it is lost of a half-written result.
fn counts(result: &RunResult, cases: &[Case]) -> Attributes {
    let mut attributes = vec![
        ("tests", cases.len().to_string()),
        ("failures", count(cases, FAILURE)),
        ("errors", count(cases, ERROR)),
    ];
    if result.has("duration_s") {
        attributes.push(("time", format!("{:.3}", result.duration_s)));
    }
    attributes
}

/// What only a suite may say.
fn suite(result: &RunResult, cases: &[Case]) -> Attributes {
    let name = clean(&format!("{} on {}", result.scenario, model::environment(result)));
    let mut attributes = vec![("name", name), ("skipped", count(cases, SKIPPED))];
    if result.has("started_at") {
        attributes.push(("timestamp", clean(&result.started_at)));
    }
    attributes
}

fn count(cases: &[Case], element: &str) -> String {
    let such = cases.iter().filter(|case| case.outcome.element().is_some_and(|(name, _)| name == element));
    such.count().to_string()
}

fn write_properties(writer: &mut Writer<Vec<u8>>, result: &RunResult) -> io::Result<()> {
    writer.create_element("properties").write_inner_content(|writer| {
        for (name, value) in properties(result) {
            let property = [("name", name), ("value", &clean(&value))];
            writer.create_element("property").with_attributes(property).write_empty()?;
        }
        Ok(())
    })?;
    Ok(())
}

fn write_case(writer: &mut Writer<Vec<u8>>, result: &RunResult, case: &Case) -> io::Result<()> {
    let class = clean(&format!("{}.{}.{}", result.scenario, model::environment(result), case.class));
    let attributes = [("name", clean(&case.name)), ("classname", class), ("time", "0.000".to_owned())];
    let element = writer.create_element("testcase").with_attributes(pairs(&attributes));
    match case.outcome.element() {
        None => element.write_empty()?,
        Some((name, said)) => element.write_inner_content(|writer| {
            let said = ("message", clean(said));
            writer.create_element(name).with_attributes(pairs(&[said])).write_empty()?;
            Ok(())
        })?,
    };
    Ok(())
}

fn pairs<'a>(attributes: &'a [(&'static str, String)]) -> impl Iterator<Item = (&'a str, &'a str)> {
    attributes.iter().map(|(name, value)| (*name, value.as_str()))
}

fn properties(result: &RunResult) -> Attributes {
    let fields = [
        ("seed", result.seed.to_string()),
        ("plan_digest", result.plan_digest.clone()),
        ("environment", result.environment.clone()),
    ];
    let exit_status = result.verdict.as_ref().map(|verdict| ("exit_status", verdict.exit_status.to_string()));
    let verdict = ("verdict", sentence::headline(result).word.to_owned());
    let known = fields.into_iter().filter(|(field, _)| result.has(field));
    [verdict].into_iter().chain(exit_status).chain(known).collect()
}

/// Never green where the run as a whole says nothing.
fn run(result: &RunResult) -> Outcome {
    let headline = sentence::headline(result);
    let said = format!("{}: {}", headline.word, headline.sentence);
    let ends_the_job = result.verdict.as_ref().is_some_and(|verdict| verdict.exit_status != 0);
    match result.verdict.as_ref().map(|verdict| verdict.status) {
        _ if result.is_partial() => Outcome::Errored(said),
        None | Some(Status::Invalid | Status::Interrupted) => Outcome::Errored(said),
        Some(Status::Failed) => Outcome::Failed(said),
        Some(Status::Inconclusive) if ends_the_job => Outcome::Failed(said),
        Some(Status::Inconclusive) => Outcome::Skipped(said),
        Some(Status::Passed) => Outcome::Passed,
    }
}

fn check(check: &Check) -> Outcome {
    let said = sentence::outcome(check);
    match (check.status, check.severity) {
        (CheckStatus::Pass, _) => Outcome::Passed,
        (CheckStatus::Fail, CheckSeverity::Fail) => Outcome::Failed(said),
        (CheckStatus::Fail, CheckSeverity::Warn) => {
            Outcome::Skipped(format!("broken, and only a warning: {said}"))
        }
        (CheckStatus::Undecided | CheckStatus::NotApplicable, _) => Outcome::Skipped(said),
        (CheckStatus::Invalid, CheckSeverity::Warn) => {
            Outcome::Skipped(format!("invalid, and only a warning: {said}"))
        }
        (CheckStatus::Invalid, CheckSeverity::Fail) => Outcome::Errored(said),
    }
}

fn delta(delta: &Delta) -> Outcome {
    let said = comparison::outcome(delta);
    match comparison::standing(delta) {
        Standing::Worse => Outcome::Failed(said),
        Standing::Invalid => Outcome::Errored(said),
        Standing::WorseShown => Outcome::Skipped(format!("worse, and only shown: {said}")),
        Standing::Unconfirmed | Standing::Open | Standing::Building | Standing::Aside => {
            Outcome::Skipped(said)
        }
        Standing::Better | Standing::Same => Outcome::Passed,
    }
}

/// Only characters that XML 1.0 allows.
fn clean(text: &str) -> String {
    printable(text).replace(['\u{fffe}', '\u{ffff}'], "\u{fffd}")
}

#[cfg(test)]
mod tests;
