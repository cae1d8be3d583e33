//! Where texts leave the process: standard output is data, standard error is conversation.

use std::borrow::Cow;
use std::io::{self, IsTerminal, Write};
use std::path::Path;
use std::sync::OnceLock;

use thiserror::Error;

use crate::config::render::Color;
use crate::plan::Plan;
use crate::result::schema::RunResult;

use super::terminal::{self, Screen};
use super::text;

/// Where nobody says how wide the screen is: in a log.
const LOG_WIDTH: usize = 100;
/// Wider lines are hard to read, narrower screens wrap by themselves.
const WIDTHS: std::ops::RangeInclusive<usize> = 72..=120;

/// Who reads what is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reader {
    /// A person, or a program that was given the data.
    Anybody,
    /// The runner of a job, which obeys some of what it reads.
    Runner,
}

static READER: OnceLock<Reader> = OnceLock::new();

/// Says who reads, once, before anything is written.
pub fn begin(reader: Reader) {
    // Whoever said it first knows.
    let _ = READER.set(reader);
}

/// The text for whoever reads it.
fn fit(text: &str) -> Cow<'_, str> {
    match READER.get() {
        Some(Reader::Runner) => Cow::Owned(text::inert(text)),
        _ => Cow::Borrowed(text),
    }
}

/// A line to the user.
pub fn note(line: &str) {
    // A closed stderr is nobody listening, no reason to stop.
    let _ = writeln!(io::stderr(), "{}", fit(line));
}

/// What went wrong, rendered for where it is shown.
pub fn error(color: Color, render: impl FnOnce(Color) -> String) {
    note(&render(shown(color, &io::stderr())));
}

/// Data did not reach whoever reads stdout.
#[derive(Debug, Error)]
#[error("cannot write to standard output")]
pub struct OutputError(#[source] io::Error);

/// Data for whoever reads stdout. A reader that has seen enough and left is no error.
pub fn data(text: &str) -> Result<(), OutputError> {
    raw(&fit(text))
}

/// JSON for whoever reads stdout: it says the same to every reader.
pub fn json(text: &str) -> Result<(), OutputError> {
    match READER.get() {
        // Only a string can hold it, and there this is the same character.
        Some(Reader::Runner) => raw(&text.replace("##[", "#\\u0023[")),
        _ => raw(text),
    }
}

fn raw(text: &str) -> Result<(), OutputError> {
    let mut out = io::stdout();
    let written = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    match written {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(OutputError(error)),
        _ => Ok(()),
    }
}

/// What is to be known of a plan before it runs: what is probably not meant, and what is configured and not done by
/// this version.
pub fn plan_notes(plan: &Plan) {
    for text in &plan.notes {
        note(&format!("note: {text}"));
    }
    if !plan.inactive.is_empty() {
        note(&format!("note: not active yet in this version: {}", plan.inactive.join(", ")));
    }
}

/// The report of a run, as wide as the terminal.
pub fn summary(result: &RunResult, folder: Option<&Path>, color: Color) -> Result<(), OutputError> {
    let color = shown(color, &io::stdout());
    let screen = Screen { width: width(), color, folder: folder.map(|folder| folder.display().to_string()) };
    data(&terminal::render(result, &screen))
}

/// The same for a file.
pub fn plain_summary(result: &RunResult) -> String {
    terminal::render(result, &Screen { width: LOG_WIDTH, color: Color::Never, folder: None })
}

/// Text from outside, on one line and without anything a terminal would obey.
pub fn plain(text: &str) -> String {
    text::printable(text)
}

fn shown(color: Color, stream: &impl IsTerminal) -> Color {
    if stream.is_terminal() { color } else { Color::Never }
}

fn width() -> usize {
    let out = io::stdout();
    let size = out.is_terminal().then(|| rustix::termios::tcgetwinsize(&out).ok()).flatten();
    let columns = size.map(|size| usize::from(size.ws_col)).filter(|columns| *columns > 0);
    columns.map_or(LOG_WIDTH, |columns| columns.clamp(*WIDTHS.start(), *WIDTHS.end()))
}
