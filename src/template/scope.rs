//! What a template can see: named values of one virtual user, its random numbers, the environment.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use minijinja::Value;
use minijinja::value::{Object, ValueKind};
use rand::SeedableRng;
use rand::rngs::Xoshiro256PlusPlus;

use super::number;

/// The name under which functions find the random numbers; nobody can type it.
pub(super) const RANDOM: &str = "@random";
/// The name under which `env` finds its values.
pub(super) const ENVIRONMENT: &str = "@environment";

/// The most items that `append` keeps.
pub const LONGEST_LIST: usize = 1_000;

/// The place of a name in every scope made from the same table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Slot(usize);

/// All names a scenario uses, each with its slot, and the values of `env`.
#[derive(Debug, Default, Clone)]
pub struct NameTable {
    slots: HashMap<String, Slot>,
    initial: Vec<Value>,
    environment: Value,
}

impl NameTable {
    /// The slot of a name; a new name gets one, and is undefined until set.
    pub fn slot(&mut self, name: &str) -> Slot {
        let next = Slot(self.initial.len());
        let slot = *self.slots.entry(name.to_owned()).or_insert(next);
        if slot == next {
            self.initial.push(Value::UNDEFINED);
        }
        slot
    }

    /// The slot of a name that begins with a value in every new scope.
    pub fn slot_with(&mut self, name: &str, initial: Value) -> Slot {
        let slot = self.slot(name);
        self.initial[slot.0] = initial;
        slot
    }

    /// The slot of a name, if it has one.
    pub fn find(&self, name: &str) -> Option<Slot> {
        self.slots.get(name).copied()
    }

    /// All names.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.slots.keys().map(String::as_str)
    }

    /// What `env("NAME")` answers.
    pub fn set_environment(&mut self, values: BTreeMap<String, String>) {
        self.environment = Value::from_pairs(values);
    }
}

/// The values one virtual user's templates see. Cloning shares them.
#[derive(Debug, Clone)]
pub struct Scope(Arc<Values>);

#[derive(Debug)]
struct Values {
    table: Arc<NameTable>,
    slots: Mutex<Vec<Value>>,
    random: Value,
}

/// What the random numbers of one scope derive from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seeds {
    /// `pick` and `rand_int`.
    pub choices: u64,
    /// `uuid`. It is apart from the choices, so that identifiers can be new in every run while the load stays
    /// the same.
    pub identifiers: u64,
}

impl Seeds {
    /// Everything derives from one seed.
    pub fn both(seed: u64) -> Self {
        Self { choices: seed, identifiers: seed }
    }
}

/// A user's random numbers, reachable from the functions of the language.
#[derive(Debug)]
pub(super) struct Random {
    choices: Mutex<Xoshiro256PlusPlus>,
    identifiers: Mutex<Xoshiro256PlusPlus>,
}

impl Object for Random {}

impl Random {
    fn new(seeds: Seeds) -> Self {
        let generator = |seed| Mutex::new(Xoshiro256PlusPlus::seed_from_u64(seed));
        Self { choices: generator(seeds.choices), identifiers: generator(seeds.identifiers) }
    }

    /// The generator of `pick` and `rand_int`; a user is one task, so nobody ever waits here.
    pub(super) fn choices(&self) -> MutexGuard<'_, Xoshiro256PlusPlus> {
        self.choices.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The generator of `uuid`.
    pub(super) fn identifiers(&self) -> MutexGuard<'_, Xoshiro256PlusPlus> {
        self.identifiers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
impl Scope {
    /// A scope for tests in which one name has this JSON as its value.
    pub fn with(name: &str, json: &str) -> Self {
        let mut names = NameTable::default();
        let slot = names.slot(name);
        let scope = Self::new(Arc::new(names), Seeds::both(1));
        scope.set(slot, super::json_value(json).expect("JSON"));
        scope
    }
}

impl Scope {
    /// A scope with every name at its initial value, and random numbers from `seeds`.
    pub fn new(table: Arc<NameTable>, seeds: Seeds) -> Self {
        let slots = Mutex::new(table.initial.clone());
        let random = Value::from_object(Random::new(seeds));
        Self(Arc::new(Values { table, slots, random }))
    }

    /// Sets a value.
    pub fn set(&self, slot: Slot, value: Value) {
        if let Some(place) = self.0.lock().get_mut(slot.0) {
            *place = value;
        }
    }

    /// Adds to a list, which keeps its newest [`LONGEST_LIST`] items: a long run must not grow.
    pub fn append(&self, slot: Slot, value: Value) {
        let mut values = self.0.lock();
        let Some(place) = values.get_mut(slot.0) else { return };
        let mut items: Vec<Value> = place.try_iter().map(Iterator::collect).unwrap_or_default();
        if items.len() == LONGEST_LIST {
            items.remove(0);
        }
        items.push(value);
        *place = Value::from(items);
    }

    /// The value of a name, if it has one.
    pub fn get(&self, name: &str) -> Option<Value> {
        let slot = self.0.table.find(name)?;
        self.0.lock().get(slot.0).filter(|value| value.kind() != ValueKind::Undefined).cloned()
    }

    /// The scope as the language sees it.
    pub(super) fn context(&self) -> Value {
        Value::from_dyn_object(self.0.clone())
    }

    /// The same with numbers that can be calculated with: those of more digits are rounded.
    pub(super) fn rounded(&self) -> Value {
        Value::from_object(Rounded(self.0.clone()))
    }
}

/// The texts and numbers in a value, at any depth.
pub fn collect_texts(value: &Value, texts: &mut Vec<String>) {
    match value.kind() {
        // A plain object is a number with more digits than those of the language.
        ValueKind::String | ValueKind::Number | ValueKind::Plain => texts.push(value.to_string()),
        ValueKind::Seq | ValueKind::Iterable => {
            value.try_iter().into_iter().flatten().for_each(|item| collect_texts(&item, texts));
        }
        ValueKind::Map => {
            for key in value.try_iter().into_iter().flatten() {
                if let Ok(item) = value.get_item(&key) {
                    collect_texts(&item, texts);
                }
            }
        }
        _ => {}
    }
}

impl Values {
    fn lock(&self) -> MutexGuard<'_, Vec<Value>> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The values of a scope, rounded to numbers of the language.
#[derive(Debug)]
struct Rounded(Arc<Values>);

impl Object for Rounded {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        self.get_value_by_str(key.as_str()?)
    }

    fn get_value_by_str(self: &Arc<Self>, key: &str) -> Option<Value> {
        self.0.get_value_by_str(key).map(number::rounded)
    }
}

impl Object for Values {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        self.get_value_by_str(key.as_str()?)
    }

    fn get_value_by_str(self: &Arc<Self>, key: &str) -> Option<Value> {
        match key {
            RANDOM => Some(self.random.clone()),
            ENVIRONMENT => Some(self.table.environment.clone()),
            _ => Scope(self.clone()).get(key),
        }
    }
}
