//! The whole language of config.yaml as one table: every key, its kind and what it means. The check of
//! the shape and the JSON Schema both come from it; it holds no logic.

mod http;
mod judging;
mod load;
mod reporting;
mod root;
mod step;
mod user;

pub use root::{OVERRIDES, ROOT};

/// A mapping with known keys.
#[derive(Debug)]
pub struct Shape {
    /// Its name, unique in the language.
    pub name: &'static str,
    /// What it is, as a sentence.
    pub doc: &'static str,
    /// Its keys, in groups that shapes share.
    pub keys: &'static [&'static [Key]],
    /// What must hold between its keys.
    pub rules: &'static [Rule],
}

/// A key of a mapping.
#[derive(Debug)]
pub struct Key {
    /// As it is written.
    pub name: &'static str,
    /// What its value must be.
    pub kind: Kind,
    /// What it means.
    pub doc: &'static str,
    /// Whether the mapping needs it.
    pub need: Need,
}

/// Whether a mapping needs a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// Its absence is a problem.
    Required,
    /// It may be absent.
    Optional,
    /// It may be absent, but not be there without a value, and neither may the entries of its mapping: what is left of it
    /// would look as if it did something. The text is an example.
    Valued(&'static str),
    /// And neither may its value be empty: what it asks for would hold whatever happens.
    Filled(&'static str),
}

/// What must hold between the keys of a mapping.
#[derive(Debug)]
pub enum Rule {
    /// One of them, and no other.
    ExactlyOne(&'static [&'static str]),
    /// One of them or none.
    AtMostOne(&'static [&'static str]),
    /// The first stands without any of the others.
    Excludes(&'static str, &'static [&'static str]),
}

/// A mapping whose shape depends on which key it has.
#[derive(Debug)]
pub struct Choice {
    /// Its name, unique in the language.
    pub name: &'static str,
    /// What it is, as a sentence.
    pub doc: &'static str,
    /// What it can be.
    pub variants: &'static [Variant],
}

/// One of the shapes a [`Choice`] can have.
#[derive(Debug)]
pub struct Variant {
    /// The keys that select it; exactly one of them is there.
    pub by: &'static [&'static str],
    /// Its shape.
    pub shape: &'static Shape,
}

/// What a value must be. A null stands for an absent value everywhere.
#[derive(Debug)]
pub enum Kind {
    /// Any scalar, as text.
    Text,
    /// Any scalar; `{{ … }}` in it is rendered.
    Template,
    /// An expression, as in `when`.
    Expression,
    /// `500ms`, `2s`, `1h30m`, or `0`.
    Duration,
    /// `1%` or `0.01`.
    Ratio,
    /// `10/s` or `600/m`.
    Rate,
    /// A number of bytes, or `64MiB`.
    Size,
    /// `1s..3s`, or one duration.
    Range,
    /// A whole number of at least `min` and at most `max`.
    Integer {
        /// The smallest.
        min: u64,
        /// The largest.
        max: u64,
    },
    /// `true` or `false`.
    Bool,
    /// `true`, as a key that needs no value.
    True,
    /// One of these words.
    OneOf(&'static [&'static str]),
    /// The name of a judged number.
    Metric,
    /// A status code, or a class of them such as `2xx`.
    Status,
    /// `null`, where it means something.
    Nothing,
    /// Anything.
    Any,
    /// A mapping with known keys.
    Object(&'static Shape),
    /// A mapping whose shape depends on a key.
    Choice(&'static Choice),
    /// A mapping with free keys.
    Map(&'static Kind),
    /// A mapping whose keys name things that become parts of file names.
    Named(&'static Kind),
    /// A mapping of judged numbers.
    PerMetric(&'static Kind),
    /// A sequence.
    List(&'static Kind),
    /// One of these; which one is told by the form of the value.
    Either(&'static [Kind]),
}

impl Kind {
    /// A whole number that is not negative.
    pub const COUNT: Self = Self::Integer { min: 0, max: u32::MAX as u64 };
    /// A whole number from 1.
    pub const POSITIVE: Self = Self::Integer { min: 1, max: u32::MAX as u64 };
}

impl Shape {
    /// All keys, in the order of the table.
    pub fn all(&self) -> impl Iterator<Item = &'static Key> + Clone + use<> {
        self.keys.iter().flat_map(|group| group.iter())
    }

    /// The key of this name.
    pub fn key(&self, name: &str) -> Option<&'static Key> {
        self.all().find(|key| key.name == name)
    }
}

/// An optional key.
const fn key(name: &'static str, kind: Kind, doc: &'static str) -> Key {
    Key { name, kind, doc, need: Need::Optional }
}

/// An optional key that is not there without a value, such as `example`.
const fn valued(name: &'static str, kind: Kind, doc: &'static str, example: &'static str) -> Key {
    Key { name, kind, doc, need: Need::Valued(example) }
}

/// An optional key that is not there without a value that holds something, such as `example`.
const fn filled(name: &'static str, kind: Kind, doc: &'static str, example: &'static str) -> Key {
    Key { name, kind, doc, need: Need::Filled(example) }
}

/// A key its mapping needs.
const fn required(name: &'static str, kind: Kind, doc: &'static str) -> Key {
    Key { name, kind, doc, need: Need::Required }
}

#[cfg(test)]
mod tests {
    use super::judging::METRICS;
    use super::*;
    use crate::metric::{Metric, Unit};

    #[test]
    fn the_metrics_of_the_table_are_the_closed_list_with_their_units() {
        let names: Vec<_> = METRICS.iter().map(|key| key.name).collect();
        assert_eq!(names, Metric::ALL.map(Metric::name));
        for (key, metric) in METRICS.iter().zip(Metric::ALL) {
            let Kind::Either([scalar, Kind::Object(_)]) = &key.kind else { panic!("{}", key.name) };
            let fits = match metric.unit() {
                Unit::Milliseconds => matches!(scalar, Kind::Duration),
                Unit::Ratio => matches!(scalar, Kind::Ratio),
                Unit::PerSecond => matches!(scalar, Kind::Rate),
                Unit::Count => matches!(scalar, Kind::Integer { .. }),
            };
            assert!(fits, "{}", key.name);
        }
    }
}
