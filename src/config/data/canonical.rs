//! JSON in its canonical form: without spaces, the keys of an object sorted, of a key that stands twice the last value,
//! numbers as 64 bits hold them. It is written while the text is read: a tree of it would take many times its memory.

use std::fmt;
use std::ops::Range;

use serde::Serialize;
use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

/// The canonical form of one value.
#[derive(Debug, Default)]
pub(super) struct Canonical {
    text: Vec<u8>,
    /// The keys of all objects that are being read, one after another, as they mean.
    keys: String,
    entries: Vec<Entry>,
    depth: usize,
    names: Option<Vec<Range<usize>>>,
}

/// An entry of an object.
#[derive(Debug, Clone)]
struct Entry {
    /// Where its key stands among the keys.
    key: Range<usize>,
    /// Where key and value stand in the text.
    place: Range<usize>,
}

impl Canonical {
    /// Forgets everything, to read the next value.
    pub fn clear(&mut self) {
        self.text.clear();
        self.keys.clear();
        self.entries.clear();
        (self.depth, self.names) = (0, None);
    }

    /// The value that was read.
    pub fn text(&self) -> &[u8] {
        &self.text
    }

    /// The names in the value that was read, sorted; none where it is no object.
    pub fn names(&self) -> Option<impl Iterator<Item = &str>> {
        self.names.as_ref().map(|names| names.iter().filter_map(|name| self.keys.get(name.clone())))
    }

    fn write<E: Error>(&mut self, value: &(impl Serialize + ?Sized)) -> Result<(), E> {
        serde_json::to_writer(&mut self.text, value).map_err(E::custom)
    }

    /// Ends the object whose entries are those from `first` on, and whose keys those from `keys` on.
    fn finish(&mut self, first: usize, keys: usize) {
        let key = |all: &str, entry: &Entry| all.get(entry.key.clone()).unwrap_or_default().to_owned();
        let texts = &self.keys;
        let in_order = |pair: &[Entry]| texts.get(pair[0].key.clone()) < texts.get(pair[1].key.clone());
        if !self.entries[first..].windows(2).all(in_order) {
            let begin = self.entries[first].place.start;
            self.entries[first..].sort_by_cached_key(|entry| key(texts, entry));
            // Of those with the same key, the last one counts, which sorting leaves behind the others.
            let mut sorted: Vec<Entry> = Vec::with_capacity(self.entries.len() - first);
            for entry in self.entries.drain(first..) {
                match sorted.last_mut() {
                    Some(before) if texts.get(before.key.clone()) == texts.get(entry.key.clone()) => {
                        *before = entry;
                    }
                    _ => sorted.push(entry),
                }
            }
            self.reorder(begin, &sorted);
            self.entries.extend(sorted);
        }
        self.text.push(b'}');
        if self.depth == 0 {
            self.names = Some(self.entries[first..].iter().map(|entry| entry.key.clone()).collect());
        } else {
            self.keys.truncate(keys);
        }
        self.entries.truncate(first);
    }

    /// Writes the entries that begin there again, in this order.
    fn reorder(&mut self, begin: usize, sorted: &[Entry]) {
        let mut again = Vec::with_capacity(self.text.len() - begin);
        for (index, entry) in sorted.iter().enumerate() {
            again.extend_from_slice(if index > 0 { b"," } else { b"" });
            again.extend_from_slice(&self.text[entry.place.clone()]);
        }
        self.text.truncate(begin);
        self.text.extend_from_slice(&again);
    }
}

impl<'de> DeserializeSeed<'de> for &mut Canonical {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for &mut Canonical {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("any JSON value")
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        self.write(&())
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<(), E> {
        self.write(&value)
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<(), E> {
        self.write(&value)
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<(), E> {
        self.write(&value)
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<(), E> {
        self.write(&value)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<(), E> {
        self.write(text)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        self.text.push(b'[');
        self.depth += 1;
        let begin = self.text.len();
        loop {
            let before = self.text.len();
            if before > begin {
                self.text.push(b',');
            }
            if items.next_element_seed(&mut *self)?.is_none() {
                self.text.truncate(before);
                break;
            }
        }
        self.depth -= 1;
        self.text.push(b']');
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<(), A::Error> {
        let (first, keys) = (self.entries.len(), self.keys.len());
        self.text.push(b'{');
        self.depth += 1;
        while let Some(key) = entries.next_key_seed(Key(self))? {
            if self.entries.len() > first {
                self.text.push(b',');
            }
            let start = self.text.len();
            serde_json::to_writer(&mut self.text, &self.keys[key.clone()]).map_err(A::Error::custom)?;
            self.text.push(b':');
            entries.next_value_seed(&mut *self)?;
            self.entries.push(Entry { key, place: start..self.text.len() });
        }
        self.depth -= 1;
        self.finish(first, keys);
        Ok(())
    }
}

/// Reads a key, and tells where it stands among the keys.
struct Key<'c>(&'c mut Canonical);

impl<'de> DeserializeSeed<'de> for Key<'_> {
    type Value = Range<usize>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Range<usize>, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Key<'_> {
    type Value = Range<usize>;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E>(self, key: &str) -> Result<Range<usize>, E> {
        let start = self.0.keys.len();
        self.0.keys.push_str(key);
        Ok(start..self.0.keys.len())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value as Json;

    use super::*;

    fn canonical(text: &str) -> serde_json::Result<(String, Option<Vec<String>>)> {
        let mut canonical = Canonical::default();
        let mut parser = serde_json::Deserializer::from_str(text);
        canonical.deserialize(&mut parser)?;
        parser.end()?;
        let names = canonical.names().map(|names| names.map(str::to_owned).collect());
        Ok((String::from_utf8(canonical.text().to_vec()).unwrap(), names))
    }

    #[test]
    fn it_is_what_a_tree_of_it_would_be_written_as() {
        for text in [
            "null",
            " [ ] ",
            "{ }",
            "[1, -2, 3.50, 1e3, -0, 0.1, 18446744073709551615, 99999999999999999999, 1e-7]",
            r#"{"b": 1, "a": {"z": [], "y": {"b": 2, "a": 1}}, "b": {"a": 3}, "\u0000": "\u00e9\n\"", "ä": true}"#,
            r#"[{"b": 1, "a": 2, "b": 3, "a": 4, "b": 5}, {"a": {"a": {"b": 1, "a": 1}}}, "x", [[[{"b": 1, "a": [{}]}]]]]"#,
            r#"{"a\"": 1, "a!": 2, "a\u0001": 3, "": 4}"#,
        ] {
            let tree: Json = serde_json::from_str(text).unwrap();
            let names = tree.as_object().map(|entries| entries.keys().cloned().collect::<Vec<_>>());
            assert_eq!(canonical(text).unwrap(), (tree.to_string(), names), "{text}");
        }
        let deep = format!("{}1{}", "[".repeat(200), "]".repeat(200));
        for text in ["[1", "{\"a\"}", "{1: 2}", "[1,]", "nul", "1e999", "\"\\ud800\"", "{} {}", "", &deep] {
            let told = serde_json::from_str::<Json>(text).unwrap_err().to_string();
            assert_eq!(canonical(text).unwrap_err().to_string(), told, "{text}");
        }
    }

    fn json() -> impl Strategy<Value = Json> {
        let leaf = prop_oneof![
            Just(Json::Null),
            any::<bool>().prop_map(Json::from),
            any::<i64>().prop_map(Json::from),
            any::<f64>().prop_map(Json::from),
            "[a-c\"\\\\é\n]{0,4}".prop_map(Json::from),
        ];
        leaf.prop_recursive(4, 32, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Json::from),
                prop::collection::vec(("[a-c\"\n]{0,2}", inner), 0..4)
                    .prop_map(|entries| Json::Object(entries.into_iter().collect())),
            ]
        })
    }

    /// A text of a value, with the entries of its objects turned round and each of them twice.
    fn written(value: &Json) -> String {
        match value {
            Json::Array(items) => {
                format!("[ {} ]", items.iter().map(written).collect::<Vec<_>>().join(" , "))
            }
            Json::Object(entries) => {
                let first = entries.keys().map(|key| format!("{}: [0]", Json::from(key.as_str())));
                let last = entries.iter().rev();
                let last = last.map(|(key, item)| format!("{} :{}", Json::from(key.as_str()), written(item)));
                format!("{{{}}}", first.chain(last).collect::<Vec<_>>().join(","))
            }
            leaf => leaf.to_string(),
        }
    }

    proptest! {
        #[test]
        fn however_it_is_written(value in json()) {
            let text = written(&value);
            let tree: Json = serde_json::from_str(&text).unwrap();
            prop_assert_eq!(canonical(&text).unwrap().0, tree.to_string());
        }
    }
}
