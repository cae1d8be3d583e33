//! Where something stands in a text: line and column, for a person to look it up. Pure.

/// Line and column, both from 1; a column is a character.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// The line.
    pub line: usize,
    /// The column.
    pub column: usize,
}

impl Place {
    /// The place of a byte.
    pub fn of(text: &str, byte: usize) -> Self {
        let before = text.get(..byte).unwrap_or(text);
        let begin = before.rfind('\n').map_or(0, |end| end + 1);
        Self { line: 1 + before.matches('\n').count(), column: 1 + before[begin..].chars().count() }
    }

    /// The place of the value under these keys, in a text that is known to be JSON.
    pub fn under(text: &str, keys: &[&str]) -> Option<Self> {
        let mut rest = Rest { text, at: 0 };
        for key in keys {
            rest.enter(key)?;
        }
        rest.skip_space();
        Some(Self::of(text, rest.at))
    }
}

/// A text from a byte on.
struct Rest<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Rest<'a> {
    /// Goes to the value of a key of the mapping that begins here.
    fn enter(&mut self, wanted: &str) -> Option<()> {
        self.skip_space();
        self.byte(b'{')?;
        loop {
            self.skip_space();
            let key = self.string()?;
            self.skip_space();
            self.byte(b':')?;
            if serde_json::from_str::<String>(key).is_ok_and(|key| key == wanted) {
                return Some(());
            }
            self.skip_value()?;
            self.byte(b',')?;
        }
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn byte(&mut self, wanted: u8) -> Option<()> {
        (self.peek()? == wanted).then(|| self.at += 1)
    }

    fn skip_space(&mut self) {
        while self.peek().is_some_and(|byte| byte.is_ascii_whitespace()) {
            self.at += 1;
        }
    }

    /// A string with its quotes.
    fn string(&mut self) -> Option<&'a str> {
        let begin = self.at;
        self.byte(b'"')?;
        while self.peek()? != b'"' {
            self.at += if self.peek()? == b'\\' { 2 } else { 1 };
        }
        self.at += 1;
        self.text.get(begin..self.at)
    }

    /// Goes to the comma or bracket behind the value that begins here.
    fn skip_value(&mut self) -> Option<()> {
        let mut depth = 0_usize;
        loop {
            match self.peek()? {
                b'"' => {
                    self.string()?;
                    continue;
                }
                b'{' | b'[' => depth += 1,
                b'}' | b']' if depth > 0 => depth -= 1,
                b'}' | b']' => return Some(()),
                b',' if depth == 0 => return Some(()),
                _ => {}
            }
            self.at += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_found_below_its_keys() {
        let text = "{\n  \"a\\\"}\": [1, {\"b\": \"}\"}],\n  \"ä\": {\"x\": {}, \"b\": -3}, \"c\": null\n}\n";
        for (keys, place) in [
            (&[][..], Some((1, 1))),
            (&["a\"}"], Some((2, 11))),
            (&["ä"], Some((3, 8))),
            (&["ä", "b"], Some((3, 23))),
            (&["c"], Some((3, 33))),
            (&["d"], None),
            (&["c", "d"], None),
            (&["ä", "c"], None),
        ] {
            let found = Place::under(text, keys).map(|place| (place.line, place.column));
            assert_eq!(found, place, "{keys:?}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_text_makes_it_panic(text in ".{0,60}", key in "[a-c\"{}]{0,2}") {
            let _ = Place::under(&text, &[&key, &key]);
        }
    }
}
