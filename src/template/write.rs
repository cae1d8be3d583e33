//! Writing values: as JSON, and as people and URLs expect them. What is written is bounded, for a few letters of
//! the language can stand for any amount of text.

use minijinja::Value;
use minijinja::value::ValueKind;

use super::number;

/// The most text that one template may write.
const MOST_TEXT: usize = 32 << 20;
/// The most items of lists and mappings that one value may have.
const MOST_ITEMS: usize = 2_000_000;

/// Writes a value as people and URLs expect it: text bare, everything else as JSON. An error says which limit
/// it exceeds.
pub(super) fn text(value: &Value, out: &mut String) -> Result<(), String> {
    match value.as_str() {
        Some(text) => Writer::new(out).push(text),
        None => json(value, out),
    }
}

/// Writes a value as JSON; numbers that JSON has no word for become `null`. An error says which limit it exceeds.
pub(super) fn json(value: &Value, out: &mut String) -> Result<(), String> {
    Writer::new(out).value(value)
}

struct Writer<'o> {
    out: &'o mut String,
    items: usize,
}

impl<'o> Writer<'o> {
    fn new(out: &'o mut String) -> Self {
        Self { out, items: 0 }
    }

    fn value(&mut self, value: &Value) -> Result<(), String> {
        match value.kind() {
            ValueKind::Seq | ValueKind::Iterable => self.list(value),
            ValueKind::Map => self.map(value),
            ValueKind::Plain if let Some(number) = number::exact_text(value) => self.push(number),
            _ => self.push(&serde_json::to_string(value).unwrap_or_else(|_| "null".into())),
        }
    }

    fn list(&mut self, value: &Value) -> Result<(), String> {
        self.push("[")?;
        for (index, item) in value.try_iter().into_iter().flatten().enumerate() {
            self.item(index)?;
            self.value(&item)?;
        }
        self.push("]")
    }

    fn map(&mut self, value: &Value) -> Result<(), String> {
        self.push("{")?;
        for (index, (key, item)) in number::entries(value).enumerate() {
            self.item(index)?;
            let key = match key.as_str() {
                Some(key) => serde_json::to_string(key),
                None => serde_json::to_string(&key.to_string()),
            };
            self.push(&key.unwrap_or_default())?;
            self.push(":")?;
            self.value(&item)?;
        }
        self.push("}")
    }

    fn item(&mut self, index: usize) -> Result<(), String> {
        self.items += 1;
        if self.items > MOST_ITEMS {
            return Err(format!("has more than {MOST_ITEMS} items, which is the most that is written"));
        }
        if index > 0 { self.push(",") } else { Ok(()) }
    }

    fn push(&mut self, text: &str) -> Result<(), String> {
        if self.out.len() + text.len() > MOST_TEXT {
            let limit = MOST_TEXT >> 20;
            return Err(format!("makes more than {limit} MiB of text, which is the most that is written"));
        }
        self.out.push_str(text);
        Ok(())
    }
}
