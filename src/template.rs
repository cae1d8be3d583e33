//! Compiled templates and expressions: text with `{{ … }}`, and the conditions of `when`, `where`,
//! `until`. Compiled once, rendered for every request; an undefined name is an error, never empty.

mod document;
mod expression;
mod function;
mod json;
mod nesting;
mod number;
mod place;
mod predicate;
mod presence;
mod product;
mod query;
mod repetition;
mod rounding;
mod scope;
mod slicing;
mod slip;
mod syntax;
mod table;
mod text;
mod tree;
mod write;

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::ops::Range;

use minijinja::Value;
use thiserror::Error;

pub use document::{Document, Found, json_value};
pub use expression::Expression;
pub use json::{JsonSource, JsonTemplate};
pub use query::Query;
pub use scope::{LONGEST_LIST, NameTable, Scope, Seeds, Slot, collect_texts};
pub use table::{Rows, Table};

/// A template or expression that cannot be compiled.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{message}")]
pub struct TemplateError {
    /// Lower case, no full stop.
    pub message: String,
    /// Bytes of the source it is about.
    pub range: Range<usize>,
    /// What would be valid.
    pub remedy: Option<Remedy>,
}

/// What would be valid in place of something in a template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Remedy {
    /// One of these names, where another one was typed.
    Known {
        /// What was typed.
        typed: String,
        /// What there is.
        names: &'static [&'static str],
    },
    /// Said in words.
    Words(String),
}

impl TemplateError {
    fn new(message: impl Into<String>, range: Range<usize>) -> Self {
        Self { message: message.into(), range, remedy: None }
    }

    fn hint(mut self, words: impl Into<String>) -> Self {
        self.remedy = Some(Remedy::Words(words.into()));
        self
    }

    fn known(mut self, typed: &str, names: &'static [&'static str]) -> Self {
        self.remedy = Some(Remedy::Known { typed: typed.into(), names });
        self
    }
}

/// A template that could not be rendered: an undefined or null value, a failing function.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("`{source_text}`: {message}")]
pub struct RenderError {
    /// The template as written.
    pub source_text: String,
    /// What went wrong.
    pub message: String,
}

/// Text with `{{ … }}`. One that is a single `{{ … }}` keeps the type of its value.
#[derive(Debug)]
pub struct Template {
    source: String,
    parts: Vec<Part>,
}

#[derive(Debug)]
enum Part {
    Text(String),
    Expression(Box<Expression>),
}

impl Template {
    /// Compiles a text.
    pub fn compile(source: &str) -> Result<Self, TemplateError> {
        let parts = split(source)?
            .into_iter()
            .map(|(is_code, range)| {
                let text = &source[range.clone()];
                if is_code {
                    let compiled = Expression::compile_at(text, range.start);
                    let compiled = compiled.map_err(|error| slip::explained((text, range.start), error));
                    compiled.map(Box::new).map(Part::Expression)
                } else {
                    Ok(Part::Text(text.into()))
                }
            })
            .collect::<Result<_, _>>()?;
        Ok(Self { source: source.into(), parts })
    }

    /// The text as written.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// The whole text, where nothing in it changes.
    pub fn constant(&self) -> Option<&str> {
        match self.parts.as_slice() {
            [] => Some(""),
            [Part::Text(text)] => Some(text),
            _ => None,
        }
    }

    /// The names it reads, functions left out.
    pub fn names(&self) -> BTreeSet<String> {
        self.expressions().flat_map(Expression::names).collect()
    }

    /// The names it reads, each with the attributes read of it: `accounts.email`.
    pub fn paths(&self) -> BTreeSet<String> {
        self.expressions().flat_map(Expression::paths).collect()
    }

    /// The environment variables it asks for with `env("NAME")`.
    pub fn environment(&self) -> BTreeSet<String> {
        self.expressions().flat_map(Expression::environment).collect()
    }

    /// Those of them whose value it writes as it is, not handed to a function or a filter.
    pub fn written_environment(&self) -> BTreeSet<String> {
        self.expressions().flat_map(Expression::written_environment).collect()
    }

    /// The text with each `{{ … }}` written `{}`: how an endpoint is named.
    pub fn pattern(&self) -> String {
        self.parts.iter().map(|part| if let Part::Text(text) = part { text } else { "{}" }).collect()
    }

    /// Renders as text.
    pub fn render(&self, scope: &Scope) -> Result<String, RenderError> {
        let mut text = String::with_capacity(self.source.len());
        self.render_into(scope, &mut text)?;
        Ok(text)
    }

    /// Renders as text; what is constant is borrowed.
    pub fn text<'t>(&'t self, scope: &Scope) -> Result<Cow<'t, str>, RenderError> {
        match self.constant() {
            Some(text) => Ok(Cow::Borrowed(text)),
            None => self.render(scope).map(Cow::Owned),
        }
    }

    /// Renders as text, appended to `out`.
    pub fn render_into(&self, scope: &Scope, out: &mut String) -> Result<(), RenderError> {
        for part in &self.parts {
            match part {
                Part::Text(text) => out.push_str(text),
                Part::Expression(expression) => {
                    write::text(&expression.present(scope)?, out)
                        .map_err(|message| expression.fail(&message))?;
                }
            }
        }
        Ok(())
    }

    /// Renders, keeping the type of a single `{{ … }}`.
    pub fn value(&self, scope: &Scope) -> Result<Value, RenderError> {
        match self.parts.as_slice() {
            [Part::Expression(expression)] => expression.present(scope),
            _ => self.render(scope).map(Value::from),
        }
    }

    /// How many of its expressions need the interpreter.
    pub fn programs(&self) -> usize {
        self.expressions().filter(|expression| expression.is_compiled()).count()
    }

    fn expressions(&self) -> impl Iterator<Item = &Expression> {
        self.parts.iter().filter_map(|part| {
            if let Part::Expression(expression) = part { Some(&**expression) } else { None }
        })
    }
}

/// Compiles the expression of a condition, which stands alone.
pub fn condition(source: &str) -> Result<Expression, TemplateError> {
    Expression::compile(source).map_err(|error| slip::explained((source, 0), error))
}

/// The first text in quotes of an expression that looks like a template, and stays as it is.
pub fn quoted_template(source: &str) -> Option<&str> {
    slip::quoted_template(source)
}

/// Whether a name is one of the functions templates can call.
pub fn is_function(name: &str) -> bool {
    function::NAMES.contains(&name)
}

/// A value as JSON, for messages.
pub fn json_text(value: &Value) -> String {
    let mut out = String::new();
    match write::json(value, &mut out) {
        Ok(()) => out,
        Err(message) => message,
    }
}

/// Cuts a source into text and the code between `{{` and `}}`. Quotes and brackets inside the code
/// are respected, so `{{ {"a": {"b": 1}}.a }}` ends where it should.
fn split(source: &str) -> Result<Vec<(bool, Range<usize>)>, TemplateError> {
    let mut pieces = Vec::new();
    let mut at = 0;
    while let Some(open) = source[at..].find("{{").map(|offset| at + offset) {
        let Some(close) = code_end(source, open + 2) else {
            return Err(TemplateError::new("`{{` without its `}}`", open..source.len()));
        };
        if open > at {
            pieces.push((false, at..open));
        }
        pieces.push((true, open + 2..close));
        at = close + 2;
    }
    if at < source.len() {
        pieces.push((false, at..source.len()));
    }
    Ok(pieces)
}

/// The position of the `}}` that ends the code which begins at `start`.
fn code_end(source: &str, start: usize) -> Option<usize> {
    let bytes = source.as_bytes();
    let (mut depth, mut quote, mut at) = (0_usize, None, start);
    while at < bytes.len() {
        match (bytes[at], quote) {
            (b'\\', Some(_)) => at += 1,
            (byte, Some(open)) => quote = quote.filter(|_| byte != open),
            (b'"' | b'\'', None) => quote = Some(bytes[at]),
            (b'{' | b'[' | b'(', None) => depth += 1,
            (b'}', None) if depth == 0 => return (bytes.get(at + 1) == Some(&b'}')).then_some(at),
            (b'}' | b']' | b')', None) => depth = depth.saturating_sub(1),
            _ => {}
        }
        at += 1;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scope(values: &[(&str, Value)]) -> Scope {
        let mut names = NameTable::default();
        let slots: Vec<Slot> = values.iter().map(|(name, _)| names.slot(name)).collect();
        let scope = Scope::new(std::sync::Arc::new(names), Seeds::both(1));
        for (slot, (_, value)) in slots.into_iter().zip(values) {
            scope.set(slot, value.clone());
        }
        scope
    }

    fn text(source: &str, values: &[(&str, Value)]) -> String {
        Template::compile(source).unwrap().render(&scope(values)).unwrap()
    }

    #[test]
    fn text_without_braces_is_a_constant() {
        assert_eq!(Template::compile("/health").unwrap().constant(), Some("/health"));
        assert_eq!(Template::compile("").unwrap().constant(), Some(""));
        assert_eq!(Template::compile("{{ x }}").unwrap().constant(), None);
    }

    #[test]
    fn values_are_written_the_way_json_and_urls_expect() {
        let values = [
            ("yes", Value::from(true)),
            ("n", Value::from(7)),
            ("list", Value::from(vec![1, 2])),
            ("s", Value::from("a\"b")),
        ];
        assert_eq!(text("{{ yes }} {{ n }} {{ list }} {{ s }}", &values), "true 7 [1,2] a\"b");
        assert_eq!(text("{{ {\"a\": {\"b\": n}}.a.b + 1 }}{{ '}}' }}", &values), "8}}");
    }

    #[test]
    fn a_single_expression_keeps_its_type() {
        let template = Template::compile("{{ n + 1 }}").unwrap();
        assert!(template.value(&scope(&[("n", Value::from(1))])).unwrap().is_number());
        let template = Template::compile("{{ n }}!").unwrap();
        assert_eq!(template.value(&scope(&[("n", Value::from(1))])).unwrap().as_str(), Some("1!"));
    }

    #[test]
    fn urlencode_is_the_encoding_of_a_component() {
        let values = [("s", Value::from("a/b c?d=é&(e)!~*'+%")), ("n", Value::from(1.5))];
        assert_eq!(text("{{ s | urlencode }}", &values), "a%2Fb%20c%3Fd%3D%C3%A9%26(e)!~*'%2B%25");
        assert_eq!(text("{{ n | urlencode }}", &values), "1.5");
        assert_eq!(
            text("{{ {'a b': s, 'n': 1} | urlencode }}", &[("s", Value::from("x&y"))]),
            "a%20b=x%26y&n=1"
        );
        let null =
            Template::compile("{{ s | urlencode }}").unwrap().render(&scope(&[("s", Value::from(()))]));
        assert!(null.unwrap_err().message.contains("null"));
    }

    #[test]
    fn null_and_undefined_are_errors_and_never_empty() {
        let template = Template::compile("/b/{{ id }}").unwrap();
        let null = template.render(&scope(&[("id", Value::from(()))])).unwrap_err();
        assert_eq!(null.to_string(), "`id`: is null: nothing was captured yet");
        let undefined = template.render(&scope(&[])).unwrap_err();
        assert_eq!(undefined.to_string(), "`id`: undefined value");
    }

    #[test]
    fn names_environment_and_pattern_are_known_before_anything_runs() {
        let template = Template::compile("/b/{{ pick(builds) }}/{{ env('TOKEN') }}{{ user.id }}").unwrap();
        assert_eq!(template.names().into_iter().collect::<Vec<_>>(), ["builds", "user"]);
        assert_eq!(template.environment().into_iter().collect::<Vec<_>>(), ["TOKEN"]);
        assert_eq!(template.pattern(), "/b/{}/{}{}");
    }

    #[test]
    fn mistakes_say_where_they_are() {
        let error = Template::compile("abc {{ 1 + }}").unwrap_err();
        assert!(error.range.start >= 6 && error.range.end <= 13, "{error:?}");
        assert_eq!(Template::compile("x {{ y").unwrap_err().message, "`{{` without its `}}`");
        assert_eq!(Template::compile("{{ nope(1) }}").unwrap_err().message, "unknown function `nope`");
        assert!(Template::compile("{{ env(name) }}").unwrap_err().message.contains("env"));
    }

    #[test]
    fn what_is_not_there_yet_does_not_hold_by_now() {
        let body = |json: &str| {
            let json: serde_json::Value = serde_json::from_str(json).unwrap();
            scope(&[("response", Value::from(minijinja::value::Serde(json)))])
        };
        let until = |source: &str, json: &str| {
            Expression::compile(source).unwrap().holds_by_now(&body(json)).map_err(|error| error.message)
        };
        for (json, holds) in [
            ("{}", false),
            (r#"{"json": null}"#, false),
            (r#"{"json": {"id": 1}}"#, false),
            (r#"{"json": {"state": "new"}}"#, false),
            (r#"{"json": {"state": "done"}}"#, true),
        ] {
            assert_eq!(until("response.json.state == 'done'", json), Ok(holds), "{json}");
        }
        // Whatever is asked of it: a state that is not there is not one that is other than pending.
        assert_eq!(until("response.json.state != 'pending'", r#"{"json": {}}"#), Ok(false));
        assert_eq!(until("response.json.items | length > 2", r#"{"json": {}}"#), Ok(false));
        assert_eq!(until("response.json.items | length > 2", r#"{"json": {"items": null}}"#), Ok(false));
        // What can never be answered stays an error.
        assert!(until("response.json.id - 'a'", r#"{"json": {"id": 1}}"#).is_err());
    }

    #[test]
    fn identifiers_have_a_seed_of_their_own() {
        let draw = |choices, identifiers| {
            let scope = Scope::new(std::sync::Arc::new(NameTable::default()), Seeds { choices, identifiers });
            ["{{ rand_int(1, 1000000) }}", "{{ uuid() }}"]
                .map(|source| Template::compile(source).unwrap().render(&scope).unwrap())
        };
        let (first, second) = (draw(7, 1), draw(7, 2));
        assert_eq!(first[0], second[0]);
        assert_ne!(first[1], second[1]);
        assert_eq!(draw(8, 1)[1], first[1]);
    }

    #[test]
    fn the_same_seed_picks_the_same_values() {
        let draw = |seed| {
            let scope = Scope::new(std::sync::Arc::new(NameTable::default()), Seeds::both(seed));
            let template =
                Template::compile("{{ pick([1,2,3,4,5]) }} {{ rand_int(1, 1000) }} {{ uuid() }}").unwrap();
            (0..4).map(|_| template.render(&scope).unwrap()).collect::<Vec<_>>()
        };
        assert_eq!(draw(7), draw(7));
        assert_ne!(draw(7), draw(8));
    }
}
