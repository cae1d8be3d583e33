//! What we write for the runner, read by the runner's own rules: any text survives, and is nothing but text. The
//! writers are called directly here; whole runs are elsewhere.

use std::sync::LazyLock;

use loadgate::github::annotation::{self, Annotation};
use loadgate::github::command::{Command, Level};
use loadgate::github::output::{Outputs, Paths};
use loadgate::result::schema::RunResult;
use proptest::prelude::*;

use super::runner::{self, Log};
use crate::reports;

/// Pieces that mean something to the runner, to shells, terminals or people.
const PIECES: [&str; 22] = [
    "::",
    "::error::",
    "::error file=a::",
    "##[error]",
    "##[",
    "]",
    "::add-mask::",
    "::stop-commands::",
    "::endgroup::",
    "%",
    "%0A",
    "%25",
    "\n",
    "\r",
    ":",
    ",",
    "=",
    "<<",
    "\u{200b}",
    "\u{1b}[31m",
    " ",
    "ä",
];

/// Any text, and often one of such pieces.
fn text() -> impl Strategy<Value = String> {
    let piece =
        prop_oneof![3 => proptest::sample::select(&PIECES[..]).prop_map(str::to_owned), 1 => any::<String>()];
    proptest::collection::vec(piece, 0..8).prop_map(|pieces| pieces.concat())
}

static RESULT: LazyLock<RunResult> = LazyLock::new(reports::rich_result);

proptest! {
    #[test]
    fn a_command_survives_whatever_it_says(message in text(), title in text(), name in text()) {
        let properties = [("file", Some(name.clone())), ("title", Some(title.clone()))];
        let said = Command::annotation(Level::Warning, &properties, &message);
        let log = Log::of(said.line());
        prop_assert_eq!(log.commands.len(), 1, "{:?}", said.line());
        let [command] = log.commands.try_into().expect("one");
        prop_assert_eq!((command.name.as_str(), &command.data), ("warning", &message));
        let given = |key: &str| command.properties.get(key).map_or("", |value| value.trim());
        // The runner takes blanks off the first and the last property.
        prop_assert_eq!((given("file"), given("title")), (name.trim(), title.trim()));
    }

    #[test]
    fn a_mask_hides_the_secret_itself(secret in text()) {
        if let Some(said) = Command::mask(&secret) {
            let log = Log::of(said.line());
            prop_assert_eq!(log.commands.len(), 1);
            prop_assert_eq!((log.commands[0].name.as_str(), &log.commands[0].data), ("add-mask", &secret));
        }
    }

    #[test]
    fn outputs_survive_whatever_they_hold(folder in text(), result_path in text(), report in text()) {
        let place = tempfile::tempdir().expect("a folder");
        let file = place.path().join("output");
        std::fs::write(&file, "before=1\n").expect("written");
        let paths = Paths { folder: folder.clone(), result: result_path.clone(), report: report.clone() };
        Outputs::of(&RESULT, &paths).append(&file).expect("appended");
        let read = runner::outputs(&std::fs::read_to_string(&file).expect("text")).expect("outputs");
        let names: Vec<&str> = read.iter().map(|(name, _)| name.as_str()).collect();
        prop_assert_eq!(
            names,
            ["before", "verdict", "exit-status", "regressions", "sla-violations", "compared", "confirm", "result", "report", "folder"]
        );
        let value = |name: &str| read.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone());
        prop_assert_eq!((value("folder"), value("result"), value("report")), (Some(folder), Some(result_path), Some(report)));
    }

    #[test]
    fn annotations_stay_below_what_the_runner_drops(count in 0_usize..40, message in text()) {
        let one = Annotation::general(Level::Error, &message, &message.repeat(200));
        let all = annotation::limited(&vec![one; count]);
        let said: Vec<String> = all.iter().map(|one| one.command().line().to_owned()).collect();
        let log = Log::of(&said.join("\n"));
        prop_assert_eq!(log.commands.len(), all.len());
        prop_assert_eq!(&log.annotations("error"), &log.commands);
    }
}
