//! Workflow commands: lines that the runner obeys. The only place of this room that prints. They go to
//! standard error, which the runner reads as it reads standard output: that one is data.

use std::io::{self, Write};

/// Shorter values are no secrets: masked, they would be everywhere. As in redacted texts.
const SHORTEST_SECRET: usize = 4;

/// How much an annotation weighs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Something failed.
    Error,
    /// Something to look at.
    Warning,
    /// Something to know.
    Notice,
}

impl Level {
    fn name(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Notice => "notice",
        }
    }
}

/// A line that the runner obeys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Command(String);

impl Command {
    /// A command of this name; properties without a value are left out.
    pub fn new(name: &str, properties: &[(&str, Option<String>)], message: &str) -> Self {
        let given = properties
            .iter()
            .filter_map(|(key, value)| Some(format!("{key}={}", property(value.as_deref()?))));
        let given = given.collect::<Vec<_>>().join(",");
        let space = if given.is_empty() { "" } else { " " };
        Self(format!("::{name}{space}{given}::{}", data(message)))
    }

    /// An annotation of this level.
    pub fn annotation(level: Level, properties: &[(&str, Option<String>)], message: &str) -> Self {
        Self::new(level.name(), properties, message)
    }

    /// Hides a secret from the log, with each of its lines; none for what hides too much.
    pub fn mask(secret: &str) -> Option<Self> {
        let longest = secret.lines().map(|line| line.trim().len()).max().unwrap_or(0);
        (longest >= SHORTEST_SECRET).then(|| Self::new("add-mask", &[], secret))
    }

    /// The line, without its end.
    pub fn line(&self) -> &str {
        &self.0
    }

    /// Says it to the runner.
    pub fn say(&self) {
        // A closed stderr is nobody listening, no reason to stop.
        let _ = writeln!(io::stderr(), "{}", self.0);
    }
}

/// A message: the percent sign first, for it is what the others become.
fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// The value of a property, which colon or comma would end.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_one_line_and_what_is_in_it_stays_in_it() {
        let place = [("file", Some("a,b:c.yaml".to_owned())), ("line", Some("7".to_owned())), ("col", None)];
        let command = Command::annotation(Level::Error, &place, "100 %\r\n::warning::x");
        assert_eq!(command.line(), "::error file=a%2Cb%3Ac.yaml,line=7::100 %25%0D%0A::warning::x");
        assert_eq!(Command::annotation(Level::Notice, &[("file", None)], "x").line(), "::notice::x");
    }

    #[test]
    fn a_secret_is_masked_whole_and_what_is_none_is_not() {
        assert_eq!(Command::mask("hunter2\nline%2").unwrap().line(), "::add-mask::hunter2%0Aline%252");
        for short in ["", "\n", "80", "a\nb\nc"] {
            assert_eq!(Command::mask(short), None, "{short:?}");
        }
    }
}
