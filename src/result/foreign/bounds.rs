//! How much JSON may hold before it becomes anything: depth, lengths, sizes of numbers. One pass over the
//! text, in which nothing is kept.

use std::cell::Cell;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

/// A result is eight deep.
const DEEPEST: usize = 16;
/// Everything in it. An hour of a hundred endpoints has two million.
const MOST_VALUES: usize = 5_000_000;
/// Endpoints, tasks, metrics, warnings.
const MOST: usize = 10_000;
/// A number or a failure for each of several reasons of an endpoint.
const MOST_ROWS: usize = 50_000;
/// Moments of a run, of which there are at most 3,600 before two become one, and windows likewise.
const MOST_MOMENTS: usize = 20_000;
/// Bytes of a name.
const LONGEST_NAME: usize = 500;
/// Bytes of any other text: of a command, of a failure.
const LONGEST_TEXT: usize = 4_000;
/// Bytes of a histogram as text; a full one has 700,000.
const LONGEST_HISTOGRAM: usize = 1 << 20;
/// Whole numbers up to here are whole as floating point too.
const MOST_COUNTED: u64 = 1 << 53;
/// Of two numbers below it, sum and product are finite.
const LARGEST: f64 = 1e15;

/// What a field holds, by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Name,
    Histogram,
    Seed,
    Rows,
    Moments,
    Other,
}

impl Kind {
    fn of(field: &str) -> Self {
        match field {
            "name" | "scenario" | "environment" | "endpoint" | "user_class" | "task" | "metric" => Self::Name,
            "histogram" => Self::Histogram,
            "seed" => Self::Seed,
            "checks" | "deltas" | "failures" | "flagged" => Self::Rows,
            "series" | "points" => Self::Moments,
            _ => Self::Other,
        }
    }

    fn longest_text(self) -> usize {
        match self {
            Self::Name => LONGEST_NAME,
            Self::Histogram => LONGEST_HISTOGRAM,
            _ => LONGEST_TEXT,
        }
    }

    fn most_elements(self) -> usize {
        match self {
            Self::Rows => MOST_ROWS,
            Self::Moments => MOST_MOMENTS,
            _ => MOST,
        }
    }
}

/// Whether a text is JSON within bounds.
pub(super) fn check(bytes: &[u8]) -> serde_json::Result<()> {
    let left = Cell::new(MOST_VALUES);
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    Bounded { kind: Kind::Other, depth: 0, left: &left }.deserialize(&mut reader)?;
    reader.end()
}

/// A value that is looked at.
#[derive(Clone, Copy)]
struct Bounded<'a> {
    kind: Kind,
    depth: usize,
    /// So many values may come yet.
    left: &'a Cell<usize>,
}

impl Bounded<'_> {
    /// One level down.
    fn inner<E: Error>(self, kind: Kind) -> Result<Self, E> {
        if self.depth == DEEPEST {
            return Err(E::custom(format_args!("more than {DEEPEST} levels")));
        }
        Ok(Self { kind, depth: self.depth + 1, ..self })
    }

    /// One element more in a list or an object.
    fn counted<E: Error>(self, elements: &mut usize) -> Result<(), E> {
        *elements += 1;
        let most = self.kind.most_elements();
        if *elements > most {
            return Err(E::custom(format_args!("more than {most} elements")));
        }
        Ok(())
    }
}

impl<'de> DeserializeSeed<'de> for Bounded<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        let left = self.left.get().checked_sub(1);
        self.left.set(left.ok_or_else(|| D::Error::custom("too many values"))?);
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Bounded<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<(), E> {
        bounded(value <= MOST_COUNTED || self.kind == Kind::Seed)
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<(), E> {
        bounded(value.unsigned_abs() <= MOST_COUNTED)
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<(), E> {
        bounded(value.abs() <= LARGEST)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<(), E> {
        short(text, self.kind.longest_text())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        let inner = self.inner(Kind::Other)?;
        let mut elements = 0;
        while list.next_element_seed(inner)?.is_some() {
            self.counted(&mut elements)?;
        }
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<(), A::Error> {
        let mut elements = 0;
        while let Some(kind) = object.next_key_seed(Field)? {
            self.counted(&mut elements)?;
            object.next_value_seed(self.inner(kind)?)?;
        }
        Ok(())
    }
}

/// The name of a field.
struct Field;

impl<'de> DeserializeSeed<'de> for Field {
    type Value = Kind;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Kind, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Field {
    type Value = Kind;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name")
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<Kind, E> {
        short(name, LONGEST_NAME)?;
        Ok(Kind::of(name))
    }
}

fn bounded<E: Error>(holds: bool) -> Result<(), E> {
    if holds { Ok(()) } else { Err(E::custom("a number beyond any that is measured")) }
}

fn short<E: Error>(text: &str, longest: usize) -> Result<(), E> {
    if text.len() <= longest {
        return Ok(());
    }
    Err(E::custom(format_args!("a text of more than {longest} bytes")))
}
