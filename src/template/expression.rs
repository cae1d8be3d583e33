//! One expression of the template language, compiled.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt;
use std::sync::OnceLock;

use minijinja::value::ValueKind;
use minijinja::{Environment, Value};

use super::function::{self, language, language_of_marked};
use super::syntax::{self, Meaning};
use super::{
    RenderError, Scope, TemplateError, nesting, number, presence, product, rounding, slicing, text, tree,
};

/// A compiled expression, such as `message.seq == index`.
pub struct Expression {
    source: String,
    program: Program,
    purpose: Purpose,
}

/// What an expression is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Purpose {
    /// Its value is written: null is an error wherever a text is made of it.
    Template,
    /// It is asked whether it holds: what is not there is an error wherever it stands.
    Condition,
}

/// What an expression does.
enum Program {
    /// It reads a name, and attributes of it: the common case needs no interpreter, and little memory.
    Path(Vec<String>),
    /// Anything.
    Compiled {
        /// For the interpreter.
        compiled: minijinja::Expression<'static, 'static>,
        /// The environment variables it asks for.
        environment: BTreeSet<String>,
        /// Those of them that it writes as they are.
        written: BTreeSet<String>,
        /// Whether it calculates or compares, and so needs numbers that the language can calculate with.
        calculates: bool,
        /// The same that rounds what it calculates with, once there are numbers to be rounded; none where that cannot
        /// be written.
        rounding: OnceLock<Option<Box<minijinja::Expression<'static, 'static>>>>,
    },
}

/// Words of the language that look like names.
const WORDS: [&str; 12] =
    ["true", "True", "false", "False", "none", "None", "and", "or", "not", "in", "is", "if"];

impl fmt::Debug for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Expression").field(&self.source).finish()
    }
}

impl Expression {
    /// Compiles an expression that stands alone (`when`, `where`, `until`). What is not there is an error in it, unless
    /// it is asked for with `is defined`, `is undefined` or `default`.
    pub fn compile(source: &str) -> Result<Self, TemplateError> {
        Self::compiled(source, Purpose::Condition)
    }

    /// Compiles an expression of a template that begins at byte `offset` of a larger source.
    pub(super) fn compile_at(source: &str, offset: usize) -> Result<Self, TemplateError> {
        Self::compiled(source, Purpose::Template).map_err(|mut error| {
            let within = |at: usize| offset + at.min(source.len());
            error.range = within(error.range.start)..within(error.range.end);
            error
        })
    }

    fn compiled(source: &str, purpose: Purpose) -> Result<Self, TemplateError> {
        nesting::limit(source)?;
        let trimmed = source.trim();
        if let Some(path) = path(trimmed) {
            return Ok(Self { source: trimmed.into(), program: Program::Path(path), purpose });
        }
        // Before it is compiled: the compiler calculates what is constant, however much that is.
        let Meaning { environment, written, calculates } = syntax::meaning(source)?;
        let mut compiled = interpreted(language(), source.to_owned())?;
        if let Cow::Owned(marked) = code(source, purpose)? {
            compiled = interpreted(language_of_marked(), marked)?;
        }
        let rounding = OnceLock::new();
        let program = Program::Compiled { compiled, environment, written, calculates, rounding };
        Ok(Self { source: trimmed.into(), program, purpose })
    }

    /// Whether it needs the interpreter, and much more memory than its text.
    pub fn is_compiled(&self) -> bool {
        matches!(self.program, Program::Compiled { .. })
    }

    /// The text as written.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// The names it reads, functions left out.
    pub fn names(&self) -> BTreeSet<String> {
        let first = |path: String| path.split('.').next().map(str::to_owned);
        self.paths().into_iter().filter_map(first).collect()
    }

    /// The names it reads, each with the attributes read of it: `response.json.status`.
    pub fn paths(&self) -> BTreeSet<String> {
        match &self.program {
            Program::Path(path) => [path.join(".")].into(),
            // Not `undeclared_variables` of the language, which does not see what is sliced: `token[1:]`.
            Program::Compiled { .. } => tree::paths(&self.source),
        }
    }

    /// The environment variables it asks for.
    pub fn environment(&self) -> BTreeSet<String> {
        match &self.program {
            Program::Path(_) => BTreeSet::new(),
            Program::Compiled { environment, .. } => environment.clone(),
        }
    }

    /// The environment variables whose value it writes as it is, not handed to a function or a filter.
    pub fn written_environment(&self) -> BTreeSet<String> {
        match &self.program {
            Program::Path(_) => BTreeSet::new(),
            Program::Compiled { written, .. } => written.clone(),
        }
    }

    /// The value, which may be null.
    pub fn value(&self, scope: &Scope) -> Result<Value, RenderError> {
        match self.eval(scope) {
            Ok(value) if value.is_undefined() => Err(self.fail("undefined value")),
            Ok(value) => Ok(value),
            Err(error) => Err(self.fail(&describe(&error))),
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
        match self.eval(scope) {
            Ok(value) => Ok(value.is_true()),
            Err(error) if error.kind() == minijinja::ErrorKind::UndefinedError => Ok(false),
            // What is null by now may yet become something that can be asked.
            Err(_) if self.reads_nothing(scope) => Ok(false),
            Err(error) => Err(self.fail(&describe(&error))),
        }
    }

    /// Whether anything that it reads is null or not there.
    fn reads_nothing(&self, scope: &Scope) -> bool {
        let nothing = |value: Value| value.is_none() || value.is_undefined();
        self.paths().iter().any(|path| read(scope, path.split('.')).map_or(true, nothing))
    }

    fn eval(&self, scope: &Scope) -> Result<Value, minijinja::Error> {
        match &self.program {
            Program::Path(path) => read(scope, path.iter().map(String::as_str)),
            Program::Compiled { calculates: true, rounding, compiled, .. } if number::met_exact() => {
                match rounding.get_or_init(|| self.rounding()) {
                    Some(rounding) => rounding.eval(scope.context()),
                    None => compiled.eval(scope.rounded()),
                }
            }
            Program::Compiled { compiled, .. } => compiled.eval(scope.context()),
        }
    }

    fn rounding(&self) -> Option<Box<minijinja::Expression<'static, 'static>>> {
        let source = rounding::rounded(&code(&self.source, self.purpose).ok()?)?;
        language_of_marked().compile_expression_owned(source).ok().map(Box::new)
    }

    pub(super) fn fail(&self, message: &str) -> RenderError {
        RenderError { source_text: self.source.clone(), message: message.into() }
    }
}

/// What the interpreter runs of a source that is correct.
fn code(source: &str, purpose: Purpose) -> Result<Cow<'_, str>, TemplateError> {
    let texts = if purpose == Purpose::Template { text::checked(source) } else { None };
    let code = texts.map_or(Cow::Borrowed(source), Cow::Owned);
    let code = slicing::checked(&code).map_or(code, Cow::Owned);
    let code = product::bounded(&code).map_or(code, Cow::Owned);
    let there = if purpose == Purpose::Condition { presence::marked(&code)? } else { None };
    Ok(there.map_or(code, Cow::Owned))
}

/// A source compiled for the interpreter.
fn interpreted(
    language: &'static Environment<'static>,
    source: String,
) -> Result<minijinja::Expression<'static, 'static>, TemplateError> {
    let length = source.len();
    language.compile_expression_owned(source).map_err(|error| {
        let message = error.detail().unwrap_or("not an expression").to_owned();
        TemplateError::new(message, error.range().unwrap_or(0..length))
    })
}

/// The names of a path such as `user.id`, where a source is nothing else.
fn path(source: &str) -> Option<Vec<String>> {
    let is_name = |name: &str| {
        let first = name.bytes().next().is_some_and(|byte| byte.is_ascii_alphabetic() || byte == b'_');
        first && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
    };
    let names: Vec<&str> = source.split('.').collect();
    let head = *names.first()?;
    let is_path =
        names.iter().all(|name| is_name(name)) && !WORDS.contains(&head) && !function::NAMES.contains(&head);
    is_path.then(|| names.into_iter().map(str::to_owned).collect())
}

/// What a path leads to; the attribute of something that is not there is an error, as it is to the interpreter.
fn read<'p>(scope: &Scope, mut path: impl Iterator<Item = &'p str>) -> Result<Value, minijinja::Error> {
    let first = path.next().and_then(|name| scope.get(name)).unwrap_or(Value::UNDEFINED);
    path.try_fold(first, |value, name| value.get_attr(name))
}

fn describe(error: &minijinja::Error) -> String {
    if error.kind() == minijinja::ErrorKind::OutOfFuel {
        return "takes too many steps, or makes too many items or too much text: one expression may make about 6 MB"
            .to_owned();
    }
    match error.detail() {
        Some(product::REFUSED) => product::too_many(),
        Some(detail) => detail.to_owned(),
        None => error.kind().to_string(),
    }
}
