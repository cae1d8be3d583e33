//! Text from outside made fit for markdown: a code span that nothing ends, notifies nobody and fits a
//! table. Pure; the only place that escapes markdown.

use crate::report::text::{name, printable, printable_line, shorten};

/// The most characters of a sentence: names in it may be long.
const LONGEST_SENTENCE: usize = 4_000;

/// A name as a code span; a table needs a [`cell`].
pub fn code(text: &str) -> String {
    span(&name(&printable(text)))
}

/// A name as a code span in a table, where alone a bar can be escaped, and must be.
pub fn cell(text: &str) -> String {
    // A backslash before the one that escapes the bar would escape that one.
    span(&name(&printable(text)).replace("\\|", "\\\u{200b}|").replace('|', "\\|"))
}

fn span(text: &str) -> String {
    let text = text.replace('@', "@\u{200b}");
    let longest = text.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest + 1);
    if text.is_empty() { "–".to_owned() } else { format!("{fence} {text} {fence}") }
}

/// Lines as they are, as a block of code that nothing in them ends.
pub fn block(text: &str) -> String {
    let lines: Vec<_> = text.lines().map(|line| printable_line(line).replace('@', "@\u{200b}")).collect();
    let longest = lines.iter().flat_map(|line| line.split(|c| c != '`')).map(str::len).max().unwrap_or(0);
    let fence = "`".repeat((longest + 1).max(3));
    format!("{fence}text\n{}\n{fence}\n", lines.join("\n"))
}

/// A sentence with names in it, where nothing is markup.
pub fn plain(text: &str) -> String {
    let text = shorten(&printable(text), LONGEST_SENTENCE);
    let mut plain = String::new();
    for (at, c) in text.char_indices() {
        // At the beginning, these would begin a list.
        let numbered = || {
            let (before, after) = (&text[..at], text[at + 1..].chars().next());
            before.chars().all(|c| c.is_ascii_digit()) && after.is_none_or(char::is_whitespace)
        };
        let lists = (c == '-' && at == 0) || (c == '.' && numbered());
        if lists || (c.is_ascii_punctuation() && !".,;:%/'-".contains(c)) {
            plain.push('\\');
        }
        plain.push(c);
        // Who or what is mentioned is found after escapes are gone.
        if "@#".contains(c) || (c == '-' && is_of_an_issue(&text[..at])) {
            plain.push('\u{200b}');
        }
    }
    plain.replace("://", ":\u{200b}//").replace("www.", "www\u{200b}.")
}

/// Whether a dash after it could begin `GH-1`.
fn is_of_an_issue(before: &str) -> bool {
    before
        .len()
        .checked_sub(2)
        .and_then(|at| before.get(at..))
        .is_some_and(|it| it.eq_ignore_ascii_case("gh"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_stays_in_its_cell_and_calls_nobody() {
        assert_eq!((cell("a`b|c"), code("a`b|c")), ("`` a`b\\|c ``".into(), "`` a`b|c ``".into()));
        assert_eq!((cell("a\\|c"), code("a\\|c")), ("` a\\\u{200b}\\|c `".into(), "` a\\|c `".into()));
        assert_eq!(code("@me\nx"), "` @\u{200b}me\\nx `");
        assert_eq!(plain("<b>|@x"), "\\<b\\>\\|\\@\u{200b}x");
        assert_eq!(
            (plain("- x"), plain("1. x"), plain("a-b. c")),
            ("\\- x".into(), "1\\. x".into(), "a-b. c".into())
        );
        assert_eq!(plain("GH-1 a#1"), "GH-\u{200b}1 a\\#\u{200b}1");
        assert_eq!(code(&"x".repeat(500)).chars().count(), 120 + 4);
    }
}
