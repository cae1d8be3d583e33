//! Problems as text for a person: the message, the place, the source line underlined, the remedy.
//! Pure; what it writes holds no control character that came from a source.

use std::borrow::Cow;
use std::cmp::Reverse;
use std::collections::HashSet;
use std::ops::Range;
use std::sync::LazyLock;

use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{
    Annotation, AnnotationKind, Group, Level, Renderer, Snippet, normalize_untrusted_str,
};

use regex::{Captures, Regex};

use super::node::Span;
use super::problem::Problem;
use super::source::Sources;

/// The columns a source line is cut to.
const WIDTH: usize = 120;

/// The most problems that are shown: nobody reads more of them at once.
const MOST_SHOWN: usize = 100;

/// Whether the text may hold colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Color {
    /// Escape sequences for a terminal.
    Always,
    /// Plain text.
    Never,
}

/// All problems, in the order of their places, and how many they are if more than one.
pub fn render(problems: &[Problem], sources: &Sources, color: Color) -> String {
    let renderer = match color {
        Color::Always => Renderer::styled(),
        Color::Never => Renderer::plain(),
    }
    .decor_style(DecorStyle::Ascii)
    .term_width(WIDTH);
    let problems = sorted(problems);
    let shown = problems.iter().take(MOST_SHOWN);
    let mut blocks: Vec<String> = shown.map(|problem| one(problem, sources, &renderer)).collect();
    match problems.len() {
        0 | 1 => {}
        count if count > MOST_SHOWN => {
            blocks.push(format!("{count} problems, the first {MOST_SHOWN} of which are shown\n"));
        }
        count => blocks.push(format!("{count} problems\n")),
    }
    blocks.join("\n")
}

/// Each problem once: those without a place first, then by source and place.
fn sorted(problems: &[Problem]) -> Vec<&Problem> {
    let mut told = HashSet::new();
    let mut list: Vec<&Problem> = problems.iter().filter(|problem| told.insert(*problem)).collect();
    list.sort_by_key(|problem| problem.span.map(|span| (span.source, span.start, Reverse(span.end))));
    list
}

fn one(problem: &Problem, sources: &Sources, renderer: &Renderer) -> String {
    let title = Level::ERROR.primary_title(normalize_untrusted_str(&problem.message));
    let excerpt = problem.span.and_then(|span| Excerpt::of(span, sources));
    let mut group = Group::with_title(title);
    if let Some(excerpt) = &excerpt {
        group = group.element(excerpt.snippet());
    }
    let hint = problem.hint.as_ref().map(|hint| format!("hint: {}\n", normalize_untrusted_str(hint)));
    format!("{}\n{}", renderer.render(&[group]), hint.unwrap_or_default())
}

/// The line of a source that is shown.
struct Excerpt {
    path: String,
    line: usize,
    text: String,
    marked: Range<usize>,
}

impl Excerpt {
    fn of(span: Span, sources: &Sources) -> Option<Self> {
        let source = sources.of(span)?;
        let (line, column) = sources.line_column(span)?;
        let whole = source.text.split('\n').nth(line - 1)?.trim_end_matches('\r');
        let typed = source.text.get(span.start as usize..span.end as usize).unwrap_or("");
        let length = typed.split(['\n', '\r']).next().unwrap_or("").chars().count();
        let (text, marked) = tidy(&without_passwords(whole), column - 1, length);
        Some(Self { path: source.name.clone(), line, text, marked })
    }

    fn snippet(&self) -> Snippet<'_, Annotation<'_>> {
        Snippet::source(self.text.as_str())
            .path(self.path.as_str())
            .line_start(self.line)
            .annotation(AnnotationKind::Primary.span(self.marked.clone()))
    }
}

/// The line with `*` in place of each character of the user and the password of a URL: who reads a log need not know
/// them, and every column stays. A password may hold what ends the host of a URL, so this goes to the last `@` of a
/// word; and white space, where a colon stands before it.
fn without_passwords(line: &str) -> Cow<'_, str> {
    static USERINFO: LazyLock<Option<Regex>> =
        LazyLock::new(|| Regex::new(r#"://(\S+|[^\s/?\#"':@]+:[^",}\]]*)@"#).ok());
    let Some(pattern) = USERINFO.as_ref() else { return line.into() };
    pattern.replace_all(line, |found: &Captures<'_>| format!("://{}@", "*".repeat(found[1].chars().count())))
}

/// The line without control characters and without what lies far behind the place; and the bytes that
/// `length` characters from `start` take in it.
fn tidy(line: &str, start: usize, length: usize) -> (String, Range<usize>) {
    let length = length.min(WIDTH);
    let clean: String =
        line.chars().take(start + length + WIDTH).map(|c| if c.is_control() { ' ' } else { c }).collect();
    let byte = |at: usize| clean.char_indices().nth(at).map_or(clean.len(), |(byte, _)| byte);
    let marked = byte(start)..byte(start + length);
    (clean, marked)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(start: u32, end: u32, message: &str) -> Problem {
        Problem::at(Span { source: 0, start, end }, message)
    }

    fn sources(text: &str) -> Sources {
        let mut sources = Sources::default();
        sources.add("config.yaml", text);
        sources
    }

    #[test]
    fn a_line_is_shown_without_passwords_and_with_the_same_columns() {
        for (line, shown) in [
            ("host: http://alice:p@ss@a.example/x", "host: http://**********@a.example/x"),
            ("- get: 'https://u:é@b'", "- get: 'https://***@b'"),
            ("proxy: http://u:pa#s/s?@p:80", "proxy: http://*********@p:80"),
            ("host: \"http://u:a'b c@h\"", "host: \"http://*******@h\""),
            ("{host: http://b:80, mail: x@y}", "{host: http://b:80, mail: x@y}"),
            ("mail: a@b", "mail: a@b"),
        ] {
            assert_eq!(without_passwords(line), shown);
        }
    }

    #[test]
    fn a_problem_shows_its_line_and_what_to_do() {
        let text = "thresholds:\n  p95th: 2s\n";
        let problem = problem(14, 19, "unknown percentile `p95th`").hint("did you mean `p95`?");
        insta::assert_snapshot!(render(&[problem], &sources(text), Color::Never), @r"
        error: unknown percentile `p95th`
         --> config.yaml:2:3
          |
        2 |   p95th: 2s
          |   ^^^^^
        hint: did you mean `p95`?
        ");
    }

    #[test]
    fn several_problems_stand_in_the_order_of_their_places_and_are_counted_once() {
        let list = [
            problem(5, 6, "second"),
            problem(0, 1, "first"),
            Problem::general("no file says this").hint("say it"),
            problem(5, 6, "second"),
        ];
        insta::assert_snapshot!(render(&list, &sources("a: b\nc: d\n"), Color::Never), @r"
        error: no file says this
        hint: say it

        error: first
         --> config.yaml:1:1
          |
        1 | a: b
          | ^

        error: second
         --> config.yaml:2:1
          |
        2 | c: d
          | ^

        3 problems
        ");
    }

    #[test]
    fn a_long_line_is_cut_around_the_place() {
        let text = format!("{}: ü{}!{}\n", "a".repeat(90), "b".repeat(90), "c".repeat(5000));
        let at = text.find('!').unwrap() as u32;
        insta::assert_snapshot!(render(&[problem(at, at + 1, "here")], &sources(&text), Color::Never), @r"
        error: here
         --> config.yaml:1:184
          |
        1 | ...bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb!ccccccccccccccccccccccccccccccccccccccccccccccccccccccc...
          |                                                          ^
        ");
    }

    #[test]
    fn no_control_character_of_a_source_reaches_the_terminal() {
        let text = "a: \u{1b}[31mred\u{7}\u{9b}\u{202e}\r\nb\n";
        for color in [Color::Never, Color::Always] {
            let shown = render(&[problem(3, 9, "odd \u{1b}]0;title").hint("\u{1b}c")], &sources(text), color);
            assert!(
                !shown.contains("\u{1b}[31mred") && !shown.contains("\u{1b}]") && !shown.contains("\u{1b}c")
            );
            assert!(!shown.contains(['\u{7}', '\u{9b}', '\u{202e}', '\r']), "{shown:?}");
        }
    }

    #[test]
    fn the_end_of_the_text_and_an_empty_text_have_a_place_too() {
        for (text, at) in [("", 0), ("a: b", 4), ("a: b\n", 5)] {
            let shown = render(&[problem(at, at, "here")], &sources(text), Color::Never);
            assert!(shown.contains("config.yaml:"), "{shown}");
        }
    }
}
