//! The first thing that a JSONPath finds. The library makes a list of all that every step of a path finds, and `..` finds
//! everything: of a large text that would be more than the text itself. So a path is taken apart into its steps, and what
//! comes first is followed to its end before anything else is looked for.

use std::ops::Range;
use std::sync::Arc;

use serde_json::Value as Json;
use serde_json_path::{JsonPath, ParseError};

/// A JSONPath (RFC 9535). Cloning shares it.
#[derive(Debug, Clone)]
pub struct Query(Arc<Parsed>);

#[derive(Debug)]
struct Parsed {
    whole: JsonPath,
    /// None where a step depends on more than on what the one before it found: a filter that asks for `$`.
    steps: Option<Vec<Step>>,
}

/// One step of a path.
#[derive(Debug)]
struct Step {
    reach: Reach,
    /// The step as a path of its own, from what the one before it found.
    path: JsonPath,
}

/// Of what a step looks at the values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reach {
    /// Of what was found.
    Child,
    /// Of it and of all that is in it.
    Descendant,
}

impl PartialEq for Query {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || self.0.whole == other.0.whole
    }
}

impl Query {
    /// Parses a path.
    pub fn parse(text: &str) -> Result<Self, ParseError> {
        let whole = JsonPath::parse(text)?;
        Ok(Self(Arc::new(Parsed { whole, steps: steps(text) })))
    }

    /// The first thing it finds.
    pub(super) fn first<'d>(&self, tree: &'d Json) -> Option<&'d Json> {
        match &self.0.steps {
            Some(steps) => first(tree, steps),
            None => self.0.whole.query(tree).first(),
        }
    }
}

fn first<'d>(mut node: &'d Json, mut steps: &[Step]) -> Option<&'d Json> {
    while let Some((step, rest)) = steps.split_first() {
        if step.reach == Reach::Descendant {
            return descend(node, step, rest);
        }
        let found = step.path.query(node).all();
        let [only] = found[..] else {
            return found.into_iter().find_map(|node| first(node, rest));
        };
        (node, steps) = (only, rest);
    }
    Some(node)
}

fn descend<'d>(node: &'d Json, step: &Step, rest: &[Step]) -> Option<&'d Json> {
    let mut found = step.path.query(node).all().into_iter();
    found.find_map(|node| first(node, rest)).or_else(|| match node {
        Json::Array(items) => items.iter().find_map(|item| descend(item, step, rest)),
        Json::Object(entries) => entries.values().find_map(|item| descend(item, step, rest)),
        _ => None,
    })
}

/// A path taken apart; none where that cannot be.
fn steps(text: &str) -> Option<Vec<Step>> {
    pieces(text)?
        .into_iter()
        .map(|piece| {
            let piece = text[piece].trim_end();
            let (reach, selector) = match piece.strip_prefix("..") {
                Some(name) if name.starts_with('[') => (Reach::Descendant, name.to_owned()),
                Some(name) => (Reach::Descendant, format!(".{name}")),
                None => (Reach::Child, piece.to_owned()),
            };
            Some(Step { reach, path: JsonPath::parse(&format!("${selector}")).ok()? })
        })
        .collect()
}

/// Where the steps of a path stand in it; none where one of them asks for `$`.
fn pieces(text: &str) -> Option<Vec<Range<usize>>> {
    let bytes = text.as_bytes();
    let (mut begins, mut depth, mut quote, mut at) = (Vec::new(), 0_usize, None, 1);
    while let Some(byte) = bytes.get(at) {
        match (byte, quote) {
            (b'\\', Some(_)) => at += 1,
            (_, Some(open)) => quote = quote.filter(|_| *byte != open),
            (b'"' | b'\'', None) => quote = Some(*byte),
            (b'$', None) => return None,
            (b'[', None) if depth == 0 => {
                begins.push(at);
                depth = 1;
            }
            (b'[' | b'(', None) => depth += 1,
            (b']' | b')', None) => depth = depth.saturating_sub(1),
            (b'.', None) if depth == 0 => {
                begins.push(at);
                // `..` and its bracket are one step.
                at += usize::from(bytes.get(at + 1) == Some(&b'.'));
                if bytes[at - 1..].starts_with(b"..[") {
                    at += 1;
                    depth = 1;
                }
            }
            _ => {}
        }
        at += 1;
    }
    let ends = begins.iter().skip(1).copied().chain([text.len()]);
    Some(begins.iter().copied().zip(ends).map(|(begin, end)| begin..end).collect())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_comes_first_is_the_first_of_all_that_a_path_finds() {
        let trees = [
            json!({"a": [{"b": 1}, {"b": [2, {"a": {"c": 3}}], "a": {"x": {"a": [7, {"b": 8}]}}}], "c": {"a": null},
                "a.b": 4, "it's": {"[x]": 5, "..": 6}, "ä": 9}),
            json!([[[], [1, [2, {"a": [{"b": {"b": 3}}]}]]], {"b": [{"a": 1}, {"a": 2}]}]),
            json!({}),
            json!("text"),
            json!(null),
        ];
        let mut found = 0;
        for path in [
            "$",
            "$.a",
            "$.a.b",
            "$..a",
            "$..b",
            "$..a..b",
            "$..a..*",
            "$..*..*",
            "$..*",
            "$.*",
            "$.*.*.*",
            "$[*]",
            "$..[*]",
            "$..[0]",
            "$..[-1]",
            "$.a[0].b",
            "$.a[1:]..a",
            "$..a[?@.b]",
            "$..[?@.a == 2]",
            "$[?@.b[0].a == 1].b[1]",
            "$['a.b']",
            "$['it\\'s']['[x]']",
            "$[\"it's\"]['..']",
            "$..['b','a']",
            "$['c','a']..a",
            "$ .a [0] .b",
            "$.ä",
            "$..['..']",
            "$[?@.a == $.a]",
            "$..[?count(@..b) > 1]",
            "$..[?match(@.x, '[a].*')]",
            "$..a.x..b",
            "$..nope..*",
            "$.a[::2]",
            "$..b[1]",
            "$[?@['a.b'] == 4]",
            "$..*.b",
            "$..x.*",
        ] {
            let query = Query::parse(path).unwrap_or_else(|error| panic!("{path}: {error}"));
            assert_eq!(query.0.steps.is_none(), path.contains("== $"), "{path}");
            for tree in &trees {
                let wanted = JsonPath::parse(path).unwrap().query(tree).first();
                let first = query.first(tree);
                assert!(
                    match (first, wanted) {
                        (Some(first), Some(wanted)) => std::ptr::eq(first, wanted),
                        (first, wanted) => first.is_none() && wanted.is_none(),
                    },
                    "{path} of {tree}: {first:?}, not {wanted:?}"
                );
                found += usize::from(first.is_some());
            }
        }
        assert!(found > 50, "{found}");
    }

    #[test]
    fn a_path_of_many_steps_and_a_deep_text_need_little_stack() {
        let deep = (0..120).fold(json!({"b": 1}), |inner, _| json!({"a": inner}));
        assert_eq!(Query::parse("$..a..b").unwrap().first(&deep), Some(&json!(1)));
        let long = Query::parse(&format!("${}", ".*".repeat(2_000))).unwrap();
        assert_eq!(long.first(&deep), None);
        let list = json!((0..100).map(|_| deep.clone()).collect::<Vec<_>>());
        assert_eq!(long.first(&list), None);
    }
}
