//! What GitHub's runner makes of the output of a step and of the files beside it: which lines it obeys, which
//! annotations it keeps, which outputs it reads. Written from how it behaves, as a judge of what we write; knows
//! nothing of loadgate.

use std::collections::BTreeMap;

/// Annotations of each kind that a step may have; a composite action is one step.
const MOST_OF_A_KIND: usize = 10;
const LONGEST_MESSAGE: usize = 4_096;
/// A summary that is larger is dropped whole.
const LARGEST_SUMMARY: usize = 1 << 20;

/// What the runner obeys, in any case of letters.
const KNOWN: [&str; 15] = [
    "add-mask",
    "add-matcher",
    "add-path",
    "debug",
    "echo",
    "endgroup",
    "error",
    "group",
    "notice",
    "remove-matcher",
    "save-state",
    "set-env",
    "set-output",
    "stop-commands",
    "warning",
];

/// A line that was obeyed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Command {
    pub name: String,
    pub properties: BTreeMap<String, String>,
    pub data: String,
}

/// What the runner made of an output.
#[derive(Debug, Default)]
pub struct Log {
    pub commands: Vec<Command>,
    /// The lines that are only shown.
    pub shown: Vec<String>,
    /// While this is set, nothing but it is obeyed.
    stopped: Option<String>,
}

impl Log {
    /// Reads an output as the runner does: a carriage return ends a line too.
    pub fn of(output: &str) -> Self {
        let mut log = Self::default();
        for line in output.replace("\r\n", "\n").split(['\n', '\r']) {
            log.take(line);
        }
        log
    }

    /// The commands of this name.
    pub fn commands(&self, name: &str) -> Vec<&Command> {
        self.commands.iter().filter(|command| command.name == name).collect()
    }

    /// What is left of the annotations of a kind: few, and not too long.
    pub fn annotations(&self, kind: &str) -> Vec<Command> {
        let kept = self.commands(kind).into_iter().take(MOST_OF_A_KIND).cloned();
        kept.map(|command| Command { data: command.data.chars().take(LONGEST_MESSAGE).collect(), ..command })
            .collect()
    }

    fn take(&mut self, line: &str) {
        let Some(command) = command(line, self.stopped.as_deref()) else {
            self.shown.push(line.to_owned());
            return;
        };
        match &self.stopped {
            Some(token) if command.name.eq_ignore_ascii_case(token) => self.stopped = None,
            Some(_) => self.shown.push(line.to_owned()),
            None => {
                if command.name == "stop-commands" {
                    self.stopped = Some(command.data.clone());
                }
                self.commands.push(command);
            }
        }
    }
}

/// The command in a line, in the new form or the old one; `token` is what would end a pause.
pub fn command(line: &str, token: Option<&str>) -> Option<Command> {
    let known = |name: &str| {
        let known = KNOWN.iter().copied().chain(token).find(|known| known.eq_ignore_ascii_case(name));
        known.map(str::to_owned)
    };
    // Once letter by letter, once as people compare, who do not see some characters: the runner does the latter
    // where its system knows languages.
    [Eyes::Exact, Eyes::Human]
        .into_iter()
        .find_map(|eyes| new_form(line, eyes, &known).or_else(|| old_form(line, eyes, &known)))
}

/// How texts are compared.
#[derive(Clone, Copy)]
enum Eyes {
    Exact,
    Human,
}

impl Eyes {
    /// Where the second text begins in the first, not before `from`; it may be longer there.
    fn find(self, text: &[char], sought: &str, from: usize) -> Option<usize> {
        (from..text.len()).find(|at| self.begins(&text[*at..], sought))
    }

    fn begins(self, text: &[char], sought: &str) -> bool {
        let seen = text.iter().filter(|c| matches!(self, Self::Exact) || !is_unseen(**c));
        seen.take(sought.chars().count()).eq(sought.chars().collect::<Vec<_>>().iter())
    }
}

fn is_unseen(c: char) -> bool {
    matches!(c, '\u{0}'..='\u{8}' | '\u{e}'..='\u{1f}' | '\u{7f}'..='\u{84}' | '\u{86}'..='\u{9f}' | '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

/// `::name key=value,key=value::data`, after white space.
fn new_form(line: &str, eyes: Eyes, known: &dyn Fn(&str) -> Option<String>) -> Option<Command> {
    let text: Vec<char> = line.trim_start().chars().collect();
    if !eyes.begins(&text, "::") {
        return None;
    }
    let end = eyes.find(&text, "::", 2)?;
    let (name, properties) = head(&text[2..end], ',');
    let unescape = |text: &str, of: &[(&str, &str)]| {
        of.iter().fold(text.to_owned(), |text, (from, to)| text.replace(from, to))
    };
    let of_data = [("%0D", "\r"), ("%0A", "\n"), ("%25", "%")];
    let of_property = [("%0D", "\r"), ("%0A", "\n"), ("%3A", ":"), ("%2C", ","), ("%25", "%")];
    let properties = properties.into_iter().map(|(key, value)| (key, unescape(&value, &of_property)));
    let data: String = text.get(end + 2..).unwrap_or_default().iter().collect();
    Some(Command { name: known(&name)?, properties: properties.collect(), data: unescape(&data, &of_data) })
}

/// `##[name key=value;key=value]data`, anywhere in a line.
fn old_form(line: &str, eyes: Eyes, known: &dyn Fn(&str) -> Option<String>) -> Option<Command> {
    let text: Vec<char> = line.chars().collect();
    let begin = eyes.find(&text, "##[", 0)?;
    let end = begin + text[begin..].iter().position(|c| *c == ']')?;
    let (name, properties) = head(text.get(begin + 3..end)?, ';');
    let data: String = text[end + 1..].iter().collect();
    Some(Command { name: known(&name)?, properties: properties.into_iter().collect(), data })
}

/// The name and what stands behind it.
fn head(text: &[char], separator: char) -> (String, Vec<(String, String)>) {
    let text: String = text.iter().collect();
    let (name, rest) = text.split_once(' ').unwrap_or((&text, ""));
    let pairs = rest.trim().split(separator).filter_map(|pair| pair.split_once('='));
    let given = pairs.filter(|(key, value)| !key.is_empty() && !value.is_empty());
    (name.to_owned(), given.map(|(key, value)| (key.to_owned(), value.to_owned())).collect())
}

/// What the runner reads of `GITHUB_OUTPUT`; an error fails the step.
pub fn outputs(text: &str) -> Result<Vec<(String, String)>, String> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some((line, after)) = next_line(rest) {
        rest = after;
        let (equals, arrows) = (line.find('='), line.find("<<"));
        match (equals, arrows) {
            _ if line.is_empty() => {}
            (equals, Some(arrows)) if equals.is_none_or(|equals| arrows < equals) => {
                let (name, delimiter) = (&line[..arrows], &line[arrows + 2..]);
                if name.is_empty() || delimiter.is_empty() {
                    return Err(format!("invalid format `{line}`"));
                }
                let (value, after) = until(rest, delimiter)?;
                rest = after;
                found.push((name.to_owned(), value.to_owned()));
            }
            (Some(equals), _) => found.push((line[..equals].to_owned(), line[equals + 1..].to_owned())),
            _ => return Err(format!("invalid format `{line}`")),
        }
    }
    Ok(found)
}

/// The text up to a line that is the delimiter, and what comes after that line.
fn until<'a>(text: &'a str, delimiter: &str) -> Result<(&'a str, &'a str), String> {
    let mut rest = text;
    while let Some((line, after)) = next_line(rest) {
        if line == delimiter {
            let value = &text[..text.len() - rest.len()];
            return Ok((value.strip_suffix('\n').unwrap_or(value), after));
        }
        rest = after;
    }
    Err(format!("matching delimiter not found `{delimiter}`"))
}

/// The first line without its end, and the rest; only a line feed ends one.
fn next_line(text: &str) -> Option<(&str, &str)> {
    if text.is_empty() {
        return None;
    }
    Some(text.split_once('\n').unwrap_or((text, "")))
}

/// What is shown of a summary: all of it, or nothing.
pub fn summary(text: &str) -> Option<&str> {
    (text.len() <= LARGEST_SUMMARY).then_some(text)
}

#[test]
fn the_runner_obeys_what_it_documents_and_nothing_else() {
    for (line, name, data) in [
        ("::error::x", "error", "x"),
        (" \t\u{3000}\u{85}::ERROR file=a,line=1::100%25%0Ax", "error", "100%\nx"),
        ("::error ::", "error", ""),
        ("text ##[warning]x", "warning", "x"),
        ("##[error file=a;line=1]x", "error", "x"),
        ("::add-mask::a::b", "add-mask", "a::b"),
    ] {
        let found = command(line, None).unwrap_or_else(|| panic!("{line:?} is a command"));
        assert_eq!((found.name.as_str(), found.data.as_str()), (name, data), "{line:?}");
    }
    for line in [
        "",
        "::",
        "::error",
        "::errors::x",
        "x ::error::x",
        "##[error",
        "##[ error]x",
        "#\u{200b}#[error]x",
        "##\u{200b}[error]x",
        "\u{200b}::error::x",
        ":\u{200b}:error::x",
        "##[[error]x",
    ] {
        assert_eq!(command(line, None), None, "{line:?}");
    }
}

#[test]
fn a_pause_ends_with_its_own_word_alone() {
    let log = Log::of("::stop-commands::abc\n::error::a\r::add-mask::b\n::ABC::\n::error::c\r\n##[notice]d");
    let names: Vec<&str> = log.commands.iter().map(|command| command.name.as_str()).collect();
    assert_eq!(names, ["stop-commands", "error", "notice"]);
    assert_eq!(log.shown, ["::error::a", "::add-mask::b"]);
}

#[test]
fn outputs_are_read_in_both_forms() {
    let read = outputs("a=1<<2\nb<<E\nx\n\ny=\nE\nc<<E\nE\n\nd<<=\n\r\n=\n").expect("outputs");
    let pairs: Vec<(&str, &str)> = read.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    assert_eq!(pairs, [("a", "1<<2"), ("b", "x\n\ny="), ("c", ""), ("d", "\r")]);
    for wrong in ["a", "<<E\nE\n", "a<<\n", "a<<E\nx\n", "a<<E\nE \n"] {
        assert!(outputs(wrong).is_err(), "{wrong:?}");
    }
}
