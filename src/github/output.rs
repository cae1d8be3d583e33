//! Outputs of a step: what later steps of a job read. Appended to the file that the runner names, in the
//! form that holds any value.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::path::Path;

use crate::report::live::token::unguessable;
use crate::result::comparison::DeltaStatus;
use crate::result::schema::RunResult;
use crate::result::verdict::{CheckSeverity, CheckStatus, Status};

/// Names and values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outputs(Vec<(&'static str, String)>);

/// The files of a run that later steps may want, as paths.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Paths {
    /// The folder of the run.
    pub folder: String,
    /// Its `result.json`.
    pub result: String,
    /// Its page; empty where none was made.
    pub report: String,
}

/// Why there is no result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// The command could not do its work.
    Error,
    /// It was stopped before the load began.
    Interrupted,
}

impl Outputs {
    /// What is told about a result.
    pub fn of(result: &RunResult, paths: &Paths) -> Self {
        let verdict = result.verdict.as_ref();
        let deltas = || verdict.iter().flat_map(|verdict| &verdict.deltas).filter(|delta| delta.gated);
        let checks = verdict.iter().flat_map(|verdict| &verdict.checks);
        let violations = checks
            .filter(|check| check.status == CheckStatus::Fail && check.severity == CheckSeverity::Fail)
            .count();
        let comparison = verdict.and_then(|it| it.comparison.as_ref());
        let confirm = comparison.is_some_and(|it| it.confirm);
        let compared = comparison.map_or(0, |it| it.checks);
        Self(vec![
            ("verdict", verdict.map_or("error", |verdict| verdict.status.name()).to_owned()),
            ("exit-status", verdict.map_or(0, |verdict| verdict.exit_status).to_string()),
            (
                "regressions",
                deltas().filter(|delta| delta.status == DeltaStatus::Regression).count().to_string(),
            ),
            ("sla-violations", violations.to_string()),
            ("compared", compared.to_string()),
            ("confirm", confirm.to_string()),
            ("result", paths.result.clone()),
            ("report", paths.report.clone()),
            ("folder", paths.folder.clone()),
        ])
    }

    /// What is told where there is no result. The folder may hold what says why.
    pub fn without_result(ended: Ended, exit_status: u8, folder: &str) -> Self {
        let verdict = match ended {
            Ended::Error => "error",
            Ended::Interrupted => Status::Interrupted.name(),
        };
        Self(vec![
            ("verdict", verdict.to_owned()),
            ("exit-status", exit_status.to_string()),
            ("regressions", "0".to_owned()),
            ("sla-violations", "0".to_owned()),
            ("compared", "0".to_owned()),
            ("confirm", "false".to_owned()),
            ("result", String::new()),
            ("report", String::new()),
            ("folder", folder.to_owned()),
        ])
    }

    /// What is told of a pull request that runs are proposed in: its address.
    pub fn of_pull_request(url: &str) -> Self {
        Self(vec![("pull-request", url.to_owned())])
    }

    /// Adds them to the file.
    pub fn append(&self, path: &Path) -> io::Result<()> {
        let delimiter = format!("loadgate_{}", unguessable().map_err(io::Error::other)?);
        OpenOptions::new().append(true).create(true).open(path)?.write_all(self.text(&delimiter).as_bytes())
    }

    /// As the runner reads them; no value may hold the delimiter, which is random.
    fn text(&self, delimiter: &str) -> String {
        let one = |(name, value): &(&str, String)| format!("{name}<<{delimiter}\n{value}\n{delimiter}\n");
        self.0.iter().map(one).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::tests::judged;
    use crate::result::fixture;

    #[test]
    fn outputs_are_appended_each_between_delimiters_of_its_own() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("output");
        std::fs::write(&path, "before=1\n").unwrap();
        let paths = Paths { folder: "reports/x".into(), ..Paths::default() };
        Outputs::of(&judged(), &paths).append(&path).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.starts_with("before=1\nverdict<<loadgate_"), "{text}");
        let delimiter = text.lines().nth(1).unwrap().split_once("<<").unwrap().1;
        let plain = text.replace(delimiter, "X");
        assert!(plain.contains("verdict<<X\nfailed\nX\nexit-status<<X\n3\nX\n"), "{plain}");
        assert!(plain.ends_with("report<<X\n\nX\nfolder<<X\nreports/x\nX\n"), "{plain}");
    }

    #[test]
    fn an_error_and_a_result_have_the_same_outputs() {
        let names = |outputs: Outputs| outputs.0.into_iter().map(|(name, _)| name).collect::<Vec<_>>();
        assert_eq!(
            names(Outputs::without_result(Ended::Error, 2, "")),
            names(Outputs::of(&fixture::small(), &Paths::default()))
        );
    }
}
