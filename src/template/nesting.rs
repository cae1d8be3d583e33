//! How deep and how long an expression may be, looked at before it is parsed: the language would exhaust the stack.

use super::TemplateError;

/// The deepest nesting of an expression; each operator of a chain counts, for the language nests them.
const DEEPEST: usize = 200;
/// The longest expression, in bytes.
const LONGEST: usize = 256 << 10;
/// The operators of two characters.
const PAIRS: [&[u8; 2]; 6] = [b"==", b"!=", b"<=", b">=", b"**", b"//"];
/// The words that are operators between whole terms; each term begins a count of its own.
const JOINING: [&str; 4] = ["and", "or", "if", "else"];
/// The words that are operators within a term.
const WITHIN: [&str; 3] = ["not", "in", "is"];

/// Refuses what is nested so deeply that the language would exhaust the stack.
pub(super) fn limit(source: &str) -> Result<(), TemplateError> {
    if source.len() > LONGEST {
        let message = format!("an expression of {} KiB; at most {} KiB", source.len() >> 10, LONGEST >> 10);
        return Err(TemplateError::new(message, 0..source.len())
            .hint("put long lists under `data` of the scenario, or into a data file"));
    }
    let mut depth = Depth::default();
    let (mut quote, mut escaped, mut word, mut paired) = (None, false, None, false);
    for (at, byte) in source.bytes().enumerate() {
        if let Some(open) = quote {
            quote = Some(open).filter(|_| escaped || byte != open);
            escaped = byte == b'\\' && !escaped;
            continue;
        }
        let is_word = byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80;
        if is_word {
            word.get_or_insert(at);
        } else if let Some(start) = word.take() {
            depth.word(&source[start..at]);
        }
        if paired {
            paired = false;
            continue;
        }
        match byte {
            b'"' | b'\'' => quote = Some(byte),
            b'(' | b'[' | b'{' => depth.open(),
            b')' | b']' | b'}' => depth.close(),
            b',' => depth.next(),
            _ if !is_word && !byte.is_ascii_whitespace() => {
                let next = source.as_bytes().get(at + 1).copied().unwrap_or_default();
                paired = PAIRS.contains(&&[byte, next]);
                depth.operator();
            }
            _ => {}
        }
        if depth.deepest > DEEPEST {
            let message = format!("an expression that is nested deeper than {DEEPEST} levels");
            return Err(TemplateError::new(message, at..at + 1)
                .hint("each bracket and each operator of a chain is a level: use `set` for parts of it"));
        }
    }
    Ok(())
}

/// What is open at one level of brackets, since the last comma.
#[derive(Debug, Default, Clone, Copy)]
struct Level {
    /// The operators between whole terms.
    joining: usize,
    /// The operators of the term that stands here, and the brackets in it.
    within: usize,
}

impl Level {
    fn depth(self) -> usize {
        self.joining + self.within
    }
}

/// How deep an expression is nested, counted from its signs: open brackets, and the operators since the last
/// comma within each of them. A chain of terms is as deep as it has terms, and as its deepest term.
#[derive(Debug, Default)]
struct Depth {
    outer: Vec<Level>,
    sum: usize,
    here: Level,
    deepest: usize,
}

impl Depth {
    fn open(&mut self) {
        // What stands behind a bracket may be a chain of them: `a[0][0]`.
        self.here.within += 1;
        self.sum += self.here.depth();
        self.outer.push(self.here);
        self.here = Level::default();
        self.note();
    }

    fn close(&mut self) {
        self.here = self.outer.pop().unwrap_or_default();
        self.sum -= self.here.depth();
    }

    fn next(&mut self) {
        self.here = Level::default();
    }

    fn operator(&mut self) {
        self.here.within += 1;
        self.note();
    }

    fn word(&mut self, word: &str) {
        // The language ends a number where its letters begin: `1or 2` is `1 or 2`.
        let digits = word.starts_with(|first: char| first.is_ascii_digit());
        let is = |operator: &&str| if digits { word.ends_with(*operator) } else { word == *operator };
        if JOINING.iter().any(is) {
            self.here = Level { joining: self.here.joining + 1, within: 0 };
            self.note();
        } else if WITHIN.iter().any(is) {
            self.operator();
        }
    }

    fn note(&mut self) {
        self.deepest = self.deepest.max(self.sum + self.here.depth());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::template::Expression;

    #[test]
    fn an_expression_is_nested_only_so_deep() {
        let n = 100_000;
        for source in [
            format!("{}1{}", "(".repeat(n), ")".repeat(n)),
            format!("{}1{}", "[".repeat(n), "]".repeat(n)),
            format!("{}a", "not ".repeat(n)),
            format!("{}1", "-".repeat(n)),
            format!("a{}", ".b".repeat(n)),
            format!("a{}", "[0]".repeat(n)),
            format!("a{}", "()".repeat(n)),
            format!("1{}", " + 1".repeat(n)),
            format!("1{}", " if 1 else 1".repeat(n)),
            format!("a{}", "|abs".repeat(n)),
            format!("a{}", " is odd".repeat(n)),
            format!("{}1", "{'a':".repeat(n)),
            format!("1{}", " == 1 or 1".repeat(n)),
            format!("1{}", "==1".repeat(n)),
            format!("1{}", "**1".repeat(n)),
            // The language ends a number where a letter begins.
            format!("{}1", "1or ".repeat(n)),
            format!("{}1", "1and ".repeat(n)),
            format!("{}1", "1if ".repeat(n)),
            format!("{}1", "1if 1else ".repeat(n)),
            format!("{}1", "1.5or ".repeat(n)),
            format!("{}1", "0x1for ".repeat(n)),
            format!("{}1", "1e5or ".repeat(n)),
            format!("{}1", "1in ".repeat(n)),
            format!("1{}", "is eq 1".repeat(n)),
            format!("'a'{}", "or'a'".repeat(n)),
        ] {
            let source = &source[..source.len().min(LONGEST)];
            let message = Expression::compile(source).unwrap_err().message;
            assert_eq!(message, "an expression that is nested deeper than 200 levels", "{}", &source[..20]);
        }
    }

    #[test]
    fn what_is_long_but_not_deep_is_accepted() {
        for source in [
            format!("pick([{}])", "{'id': 1.5, 'n': -1},".repeat(5_000)),
            format!("'{}' ~ a", ".".repeat(10_000)),
            // 150 terms of 3 levels each; a chain is as deep as it has terms.
            format!("a.b.c == 0{}", " or a.b.c == 1".repeat(150)),
            format!("a.b >= 0{}", " and a['b'] != 1e5".repeat(150)),
            format!("[{}]", "0x1f, 1_000, 1e9,".repeat(1_000)),
        ] {
            let expression = Expression::compile(&source);
            assert!(expression.is_ok(), "{}: {expression:?}", &source[..20]);
        }
        let huge = format!("'{}'", "x".repeat(LONGEST));
        assert_eq!(
            Expression::compile(&huge).unwrap_err().message,
            "an expression of 256 KiB; at most 256 KiB"
        );
    }
}
