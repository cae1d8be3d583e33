//! JSON with templates in it, flattened at compile time to text and holes.

use std::collections::BTreeSet;

use super::{RenderError, Scope, Template, write};

/// JSON as the configuration has it: every text may be a template.
#[derive(Debug)]
pub enum JsonSource {
    /// Numbers, booleans, null: written as they are.
    Literal(String),
    /// A text, which may be a template.
    Text(Template),
    /// A list.
    List(Vec<JsonSource>),
    /// An object; keys are no templates.
    Object(Vec<(String, JsonSource)>),
}

/// JSON ready to be written: constant stretches and the values between them.
#[derive(Debug, Default)]
pub struct JsonTemplate(Vec<Part>);

#[derive(Debug)]
enum Part {
    Text(String),
    Value(Template),
}

impl JsonTemplate {
    /// Flattens a source.
    pub fn new(source: JsonSource) -> Self {
        let mut template = Self::default();
        template.add(source);
        template
    }

    /// The whole document, where nothing in it changes.
    pub fn constant(&self) -> Option<&str> {
        if let [Part::Text(text)] = self.0.as_slice() { Some(text) } else { None }
    }

    /// The templates in it.
    pub fn templates(&self) -> impl Iterator<Item = &Template> {
        self.0.iter().filter_map(|part| if let Part::Value(template) = part { Some(template) } else { None })
    }

    /// The names it reads.
    pub fn names(&self) -> BTreeSet<String> {
        self.templates().flat_map(Template::names).collect()
    }

    /// Renders the document; a template that is one `{{ … }}` keeps its value's type.
    pub fn render(&self, scope: &Scope) -> Result<String, RenderError> {
        let mut out = String::new();
        for part in &self.0 {
            match part {
                Part::Text(text) => out.push_str(text),
                Part::Value(template) => {
                    write::json(&template.value(scope)?, &mut out).map_err(|message| RenderError {
                        source_text: template.source().to_owned(),
                        message,
                    })?;
                }
            }
        }
        Ok(out)
    }

    fn add(&mut self, source: JsonSource) {
        match source {
            JsonSource::Literal(text) => self.text(&text),
            JsonSource::Text(template) => match template.constant() {
                Some(text) => self.text(&quoted(text)),
                None => self.0.push(Part::Value(template)),
            },
            JsonSource::List(items) => self.sequence(('[', ']'), items, Self::add),
            JsonSource::Object(entries) => self.sequence(('{', '}'), entries, |this, (key, value)| {
                this.text(&quoted(&key));
                this.text(":");
                this.add(value);
            }),
        }
    }

    fn sequence<T>(&mut self, ends: (char, char), items: Vec<T>, mut add: impl FnMut(&mut Self, T)) {
        self.text(ends.0.encode_utf8(&mut [0; 4]));
        for (index, item) in items.into_iter().enumerate() {
            if index > 0 {
                self.text(",");
            }
            add(self, item);
        }
        self.text(ends.1.encode_utf8(&mut [0; 4]));
    }

    fn text(&mut self, text: &str) {
        if let Some(Part::Text(last)) = self.0.last_mut() {
            last.push_str(text);
        } else {
            self.0.push(Part::Text(text.into()));
        }
    }
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    use super::super::{NameTable, Scope};
    use super::*;

    #[test]
    fn a_number_stays_a_number_and_text_is_escaped() {
        let mut names = NameTable::default();
        let (id, name) = (names.slot("id"), names.slot("name"));
        let scope = Scope::new(std::sync::Arc::new(names), crate::template::Seeds::both(1));
        scope.set(id, 7.into());
        scope.set(name, "a\"b".into());
        let text = |source: &str| JsonSource::Text(Template::compile(source).unwrap());
        let template = JsonTemplate::new(JsonSource::Object(vec![
            ("id".into(), text("{{ id }}")),
            ("name".into(), text("<{{ name }}>")),
            ("list".into(), JsonSource::List(vec![JsonSource::Literal("1".into()), text("q\"")])),
        ]));
        assert_eq!(template.render(&scope).unwrap(), r#"{"id":7,"name":"<a\"b>","list":[1,"q\""]}"#);
        assert_eq!(template.constant(), None);
        assert_eq!(JsonTemplate::new(JsonSource::List(vec![])).constant(), Some("[]"));
    }
}
