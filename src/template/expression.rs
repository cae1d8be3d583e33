//! One expression of the template language, compiled.

use std::collections::BTreeSet;
use std::fmt;

use minijinja::Value;
use minijinja::value::ValueKind;

use super::function::{self, language};
use super::{RenderError, Scope, TemplateError};

/// A compiled expression, such as `message.seq == index`.
pub struct Expression {
    source: String,
    compiled: minijinja::Expression<'static, 'static>,
    /// The one name it consists of, where it does: the common case needs no interpreter.
    name: Option<String>,
}

impl fmt::Debug for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Expression").field(&self.source).finish()
    }
}

impl Expression {
    /// Compiles an expression that stands alone (`when`, `where`, `until`).
    pub fn compile(source: &str) -> Result<Self, TemplateError> {
        Self::compile_at(source, 0)
    }

    /// Compiles an expression that begins at byte `offset` of a larger source.
    pub(super) fn compile_at(source: &str, offset: usize) -> Result<Self, TemplateError> {
        let fail = |message: String, range: std::ops::Range<usize>| TemplateError {
            message,
            range: offset + range.start.min(source.len())..offset + range.end.min(source.len()),
        };
        let compiled = language().compile_expression_owned(source.to_owned()).map_err(|error| {
            let message = error.detail().unwrap_or("not an expression").to_owned();
            fail(message, error.range().unwrap_or(0..source.len()))
        })?;
        if let Some((name, range)) = function::unknown_call(source) {
            let known = function::NAMES.join(", ");
            return Err(fail(format!("unknown function `{name}`; known: {known}"), range));
        }
        if let Some(range) = function::computed_environment(source) {
            return Err(fail(
                "`env` takes one quoted name, so that it can be looked up before the run".into(),
                range,
            ));
        }
        let trimmed = source.trim();
        let plain = !trimmed.is_empty()
            && trimmed.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
            && compiled.undeclared_variables(false).contains(trimmed);
        Ok(Self { source: trimmed.into(), compiled, name: plain.then(|| trimmed.into()) })
    }

    /// The text as written.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// The names it reads, functions left out.
    pub fn names(&self) -> BTreeSet<String> {
        let function = |name: &String| function::NAMES.contains(&name.as_str());
        self.compiled.undeclared_variables(false).into_iter().filter(|name| !function(name)).collect()
    }

    /// The names it reads, each with the attributes read of it: `response.json.status`.
    pub fn paths(&self) -> BTreeSet<String> {
        let function = |path: &String| function::NAMES.contains(&path.split('.').next().unwrap_or(path));
        self.compiled.undeclared_variables(true).into_iter().filter(|path| !function(path)).collect()
    }

    /// The environment variables it asks for.
    pub fn environment(&self) -> BTreeSet<String> {
        function::environment(&self.source)
    }

    /// The value, which may be null.
    pub fn value(&self, scope: &Scope) -> Result<Value, RenderError> {
        let found = match &self.name {
            Some(name) => scope.get(name).ok_or_else(|| "undefined value".to_owned()),
            None => self.compiled.eval(scope.context()).map_err(|error| describe(&error)),
        };
        match found {
            Ok(value) if value.is_undefined() => Err(self.fail("undefined value")),
            Ok(value) => Ok(value),
            Err(message) => Err(self.fail(&message)),
        }
    }

    /// The value, where null is an error as well.
    pub fn present(&self, scope: &Scope) -> Result<Value, RenderError> {
        let value = self.value(scope)?;
        if value.kind() == ValueKind::None {
            Err(self.fail("is null: nothing was captured yet"))
        } else {
            Ok(value)
        }
    }

    /// Whether it holds: empty text, empty lists, zero and null do not.
    pub fn holds(&self, scope: &Scope) -> Result<bool, RenderError> {
        self.value(scope).map(|value| value.is_true())
    }

    /// Whether it holds by now: a value that is not there yet does not hold, whatever the expression makes of it.
    /// Other errors stay errors.
    pub fn holds_by_now(&self, scope: &Scope) -> Result<bool, RenderError> {
        match self.compiled.eval(scope.context()) {
            Ok(value) => Ok(value.is_true()),
            Err(error) if error.kind() == minijinja::ErrorKind::UndefinedError => Ok(false),
            Err(error) => Err(self.fail(&describe(&error))),
        }
    }

    fn fail(&self, message: &str) -> RenderError {
        RenderError { source_text: self.source.clone(), message: message.into() }
    }
}

fn describe(error: &minijinja::Error) -> String {
    match error.detail() {
        Some(detail) => detail.to_owned(),
        None => error.kind().to_string(),
    }
}
