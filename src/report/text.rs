//! Foreign texts made fit for a terminal: nothing that moves the cursor, nothing too long.

use std::fmt::Write;

/// The most characters of a name.
const LONGEST_NAME: usize = 120;

/// The text with every character that could move the cursor or hide others written as an escape.
pub fn printable(text: &str) -> String {
    printable_line(text.trim())
}

/// The same, with the space at both ends.
pub fn printable_line(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_control() || is_invisible(c) {
            // Writing to a string cannot fail.
            let _ = write!(clean, "{}", c.escape_default());
        } else {
            clean.push(c);
        }
    }
    clean
}

/// Zero-width characters, marks of writing direction, line separators.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

/// The text with nothing in it that the runner of a job obeys: it looks for `##[` anywhere in a line, and for
/// `::` at its beginning, whatever white space stands before that.
pub fn inert(text: &str) -> String {
    let mut inert = String::with_capacity(text.len());
    let mut at_start = true;
    for c in text.chars() {
        if (c == ':' && at_start && inert.ends_with(':')) || (c == '[' && inert.ends_with("##")) {
            inert.push('\u{200b}');
        }
        at_start = match c {
            '\n' | '\r' => true,
            ':' => at_start && !inert.ends_with([':', '\u{200b}']),
            _ => at_start && c.is_whitespace(),
        };
        inert.push(c);
    }
    inert
}

/// At most `width` characters; what is left out of the middle is an ellipsis. Beginning and end tell
/// endpoints apart.
pub fn shorten(text: &str, width: usize) -> String {
    let length = text.chars().count();
    if length <= width {
        return text.to_owned();
    }
    let kept = width.saturating_sub(1);
    let head: String = text.chars().take(kept / 2).collect();
    let tail: String = text.chars().skip(length - (kept - kept / 2)).collect();
    if width == 0 { String::new() } else { format!("{head}…{tail}") }
}

/// A name as it stands in a sentence or a table.
pub fn name(text: &str) -> String {
    shorten(text, LONGEST_NAME)
}

/// A sentence with a capital at its beginning.
pub fn capital(text: &str) -> String {
    let mut rest = text.chars();
    rest.next().map_or_else(String::new, |first| first.to_uppercase().chain(rest).collect())
}

/// Words that stay with the number before them.
const UNITS: [&str; 8] = ["%", "pp", "µs", "ms", "s", "min", "h", "MB"];

/// Lines of at most `width` characters, broken between words, and not between a number and its unit; what
/// is longer has its own line.
pub fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in words(text) {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= width => {
                line.push(' ');
                line.push_str(&word);
            }
            _ => lines.push(word),
        }
    }
    lines
}

/// The text with numbers that no line end parts from their units.
pub fn glued(text: &str) -> String {
    words(text).into_iter().map(|word| word.replace(' ', "\u{a0}")).collect::<Vec<_>>().join(" ")
}

/// A word for a POSIX shell; what no shell can be given is left out. One that begins with a dash would be read
/// as a flag: no configuration has such a name.
pub fn quoted(text: &str) -> String {
    shlex::try_quote(text).map_or_else(|_| "…".to_owned(), std::borrow::Cow::into_owned)
}

/// The words of a text, a number and its unit as one.
fn words(text: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        // A unit may carry the punctuation after it.
        let unit = UNITS.contains(&word.trim_end_matches([',', '.', ';', ':', ')']));
        match words.last_mut() {
            Some(number) if unit && number.ends_with(|c: char| c.is_ascii_digit()) => {
                number.push(' ');
                number.push_str(word);
            }
            _ => words.push(word.to_owned()),
        }
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_moves_the_cursor() {
        assert_eq!(printable("a\u{1b}[31mb\r\nc\u{202e}d"), "a\\u{1b}[31mb\\r\\nc\\u{202e}d");
        assert_eq!(printable("größe 漢字 ok\n"), "größe 漢字 ok");
    }

    #[test]
    fn nothing_in_it_is_a_command() {
        for (text, inert_text) in [
            ("::error::x", ":\u{200b}:error::x"),
            ("  \u{a0}::a::\n\t::b::", "  \u{a0}:\u{200b}:a::\n\t:\u{200b}:b::"),
            ("a ::b::", "a ::b::"),
            (":::x", ":\u{200b}::x"),
            ("x\r::y::", "x\r:\u{200b}:y::"),
            ("a ##[error]b ###[c", "a ##\u{200b}[error]b ###\u{200b}[c"),
            (": :x", ": :x"),
        ] {
            assert_eq!(inert(text), inert_text, "{text}");
        }
    }

    #[test]
    fn long_names_keep_their_ends() {
        assert_eq!(shorten("GET /api/v1/builds/{id}/code", 20), "GET /api/…/{id}/code");
        assert_eq!(shorten("short", 5), "short");
        assert_eq!((shorten("abc", 1), shorten("abc", 0)), ("…".into(), String::new()));
    }

    #[test]
    fn a_number_stays_with_its_unit() {
        assert_eq!(
            glued("+20 % on 9.86 ms (10 % tolerated)"),
            "+20\u{a0}% on 9.86\u{a0}ms (10\u{a0}% tolerated)"
        );
    }

    #[test]
    fn lines_are_broken_between_words() {
        assert_eq!(wrap("one two three", 8), ["one two", "three"]);
        assert_eq!(wrap("a verylongword b", 5), ["a", "verylongword", "b"]);
        assert_eq!(wrap("some 10 %, not s", 7), ["some", "10 %,", "not s"]);
    }
}
