//! The names a scenario's templates can see: data, captured, appended and set values, and what the
//! engine itself sets.

use std::collections::{BTreeMap, BTreeSet};

use minijinja::Value as Data;

use crate::config::node::{Key, Node};
use crate::config::problem::{Problem, suggestion};
use crate::plan::user::BuiltinSlots;
use crate::template::{NameTable, Slot, is_function};

/// All names of a scenario, and what is known of the value of each.
#[derive(Debug)]
pub(super) struct Names {
    /// The table scopes are made from.
    pub table: NameTable,
    /// The names the engine sets.
    pub builtin: BuiltinSlots,
    known: BTreeMap<String, Shape>,
    /// Those that steps give a value to.
    given: BTreeSet<String>,
}

/// What is known of a value before the run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Shape {
    /// Nothing.
    Unknown,
    /// It is a list.
    List,
    /// It has these attributes and no others.
    Record(Vec<String>),
}

/// The names of the engine that can be read only in some places.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Sight {
    /// `index`: inside `repeat`.
    pub index: bool,
    /// `message`: where a WebSocket message is at hand.
    pub message: bool,
    /// `response`: after a request.
    pub response: bool,
}

impl Sight {
    /// With the message at hand.
    pub fn message(self) -> Self {
        Self { message: true, ..self }
    }

    /// With the response at hand.
    pub fn response(self) -> Self {
        Self { response: true, ..self }
    }

    fn sees(self, name: &str) -> bool {
        match name {
            "index" => self.index,
            "message" => self.message,
            "response" => self.response,
            _ => true,
        }
    }
}

impl Default for Names {
    fn default() -> Self {
        let mut table = NameTable::default();
        let builtin = BuiltinSlots {
            user: table.slot("user"),
            index: table.slot("index"),
            message: table.slot("message"),
            response: table.slot("response"),
        };
        let record = |names: &[&str]| Shape::Record(names.iter().map(|name| (*name).to_owned()).collect());
        let known = BTreeMap::from([
            ("user".to_owned(), record(&["id", "class"])),
            ("index".to_owned(), Shape::Unknown),
            ("message".to_owned(), Shape::Unknown),
            ("response".to_owned(), record(&["status", "headers", "json"])),
        ]);
        Self { table, builtin, known, given: BTreeSet::new() }
    }
}

impl Names {
    /// Adds a name of the scenario's data; a list given in the configuration is its value from the start.
    pub fn data(&mut self, key: &Key, shape: Shape, initial: Option<Data>) -> Result<Slot, Problem> {
        usable(key)?;
        self.known.insert(key.name.clone(), shape);
        Ok(match initial {
            Some(value) => self.table.slot_with(&key.name, value),
            None => self.table.slot(&key.name),
        })
    }

    /// Adds every name that steps capture, append to or set, wherever they stand.
    pub fn gather(&mut self, steps: &Node, problems: &mut Vec<Problem>) {
        for step in steps.items() {
            for holder in [Some(step), step.get("receive")].into_iter().flatten() {
                self.given(holder.get("capture"), &Data::from(()), problems);
                self.given(holder.get("append"), &Data::from(Vec::<Data>::new()), problems);
            }
            self.given(step.get("set"), &Data::from(()), problems);
            if let Some(inner) = step.get("steps").or_else(|| step.get("websocket")?.get("steps")) {
                self.gather(inner, problems);
            }
        }
    }

    /// What is wrong with reading `path`, a name with the attributes read of it, where that much can be seen.
    pub fn check(&self, path: &str, sight: Sight) -> Result<(), Unseen> {
        let (name, rest) = path.split_once('.').map_or((path, None), |(name, rest)| (name, Some(rest)));
        let Some(shape) = self.known.get(name) else {
            let visible = self.known.keys().map(String::as_str).filter(|known| sight.sees(known));
            let hint = match name {
                "null" | "NULL" | "Null" | "nil" => "write `none`".to_owned(),
                _ => suggestion(name, visible),
            };
            return Err(Unseen::new(
                name,
                format!("`{name}` is not defined anywhere in this scenario"),
                hint,
            ));
        };
        if !sight.sees(name) {
            return Err(Unseen::new(name, format!("`{name}` cannot be read here"), where_seen(name).into()));
        }
        let Some(attribute) = rest.and_then(|rest| rest.split('.').next()) else { return Ok(()) };
        match shape {
            Shape::Unknown => Ok(()),
            Shape::List => Err(Unseen::new(
                attribute,
                format!("`{name}` is a list and has no `{attribute}`"),
                format!("take one of it: `pick({name}).{attribute}`"),
            )),
            Shape::Record(columns) if columns.iter().any(|column| column == attribute) => Ok(()),
            Shape::Record(columns) => Err(Unseen::new(
                attribute,
                format!("`{name}` has no `{attribute}`"),
                suggestion(attribute, columns.iter().map(String::as_str)),
            )),
        }
    }

    /// Whether a step gives this name its value: until then it is null.
    pub fn is_given(&self, name: &str) -> bool {
        self.given.contains(name)
    }

    /// The slot of a captured or set name.
    pub fn slot(&self, name: &str) -> Option<Slot> {
        self.table.find(name)
    }

    fn given(&mut self, names: Option<&Node>, initial: &Data, problems: &mut Vec<Problem>) {
        for (key, _) in names.map_or(&[][..], Node::entries) {
            if let Err(problem) = self.give(key, initial) {
                problems.push(problem);
            }
        }
    }

    fn give(&mut self, key: &Key, initial: &Data) -> Result<(), Problem> {
        usable(key)?;
        if !matches!(self.known.get(&key.name), None | Some(Shape::Unknown)) {
            return Err(Problem::at(key.span, format!("`{}` is the name of data", key.name))
                .hint("give the value another name: data stays as it is"));
        }
        let listed = self.table.find(&key.name).is_some() && initial.is_none();
        if !listed {
            self.table.slot_with(&key.name, initial.clone());
        }
        self.known.insert(key.name.clone(), Shape::Unknown);
        self.given.insert(key.name.clone());
        Ok(())
    }
}

/// A name that cannot be read, or not so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Unseen {
    /// The word it is about.
    pub word: String,
    /// What is wrong.
    pub message: String,
    /// What would be valid.
    pub hint: String,
}

impl Unseen {
    fn new(word: &str, message: String, hint: String) -> Self {
        Self { word: word.into(), message, hint }
    }
}

/// Whether a name can be given to a value.
fn usable(key: &Key) -> Result<(), Problem> {
    let name = key.name.as_str();
    let mut letters = name.chars();
    let first = letters.next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_');
    if !first || !letters.all(|c| c.is_ascii_alphanumeric() || c == '_') {
        return Err(Problem::at(key.span, format!("`{name}` is not a name that a template can read"))
            .hint("use letters, digits and `_`, not beginning with a digit"));
    }
    let engine = ["user", "index", "message", "response"];
    if engine.contains(&name) || is_function(name) {
        return Err(Problem::at(key.span, format!("`{name}` already means something in templates"))
            .hint("choose another name"));
    }
    Ok(())
}

fn where_seen(name: &str) -> &'static str {
    match name {
        "index" => "`index` counts the rounds of `repeat`, for the steps inside it",
        "message" => "`message` is known in `where` of a `receive` step; `capture` keeps what is in it",
        _ => {
            "`response` is known in `expect.that`, `poll.until`, `when` and `set`; `capture` keeps what is in it"
        }
    }
}
