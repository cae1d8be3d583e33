//! Text from outside made fit for markdown: a code span that nothing ends, notifies nobody and fits a
//! table. Pure; the only place that escapes markdown.

use crate::report::text::{printable, shorten};

/// The most characters of a name.
const LONGEST: usize = 120;

/// A name as a code span, also inside a table.
pub fn code(text: &str) -> String {
    let text = shorten(&printable(text), LONGEST).replace('@', "@\u{200b}").replace('|', "\\|");
    let longest = text.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest + 1);
    if text.is_empty() { "–".to_owned() } else { format!("{fence} {text} {fence}") }
}

/// A sentence with names in it, where nothing is markup.
pub fn plain(text: &str) -> String {
    let mut plain = String::new();
    for c in printable(text).chars() {
        if c.is_ascii_punctuation() && !".,;:%/'-".contains(c) {
            plain.push('\\');
        }
        plain.push(c);
        if c == '@' {
            plain.push('\u{200b}');
        }
    }
    plain.replace("://", ":\u{200b}//").replace("www.", "www\u{200b}.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_stays_in_its_cell_and_calls_nobody() {
        assert_eq!(code("a`b|c"), "`` a`b\\|c ``");
        assert_eq!(code("@me\nx"), "` @\u{200b}me\\nx `");
        assert_eq!(plain("<b>|@x"), "\\<b\\>\\|\\@\u{200b}x");
    }
}
