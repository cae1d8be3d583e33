//! The memory of the values that a user keeps: captured, set and appended ones, which stay until others take their place.
//! What a service sends becomes them, so they count against the budget of the run. Most are small, and are only looked
//! at.

use std::collections::VecDeque;
use std::sync::Arc;

use minijinja::Value;
use minijinja::value::ValueKind;

use super::measure::outcome::Failure;
use super::memory::{Budget, Hold};
use crate::template::{LONGEST_LIST, Slot};
use crate::units::ByteSize;

/// Bytes of a value that is not counted.
const SMALL: usize = 4 * 1024;
/// What one value needs, beside what is in it.
const VALUE: usize = 32;
/// What a list or an object needs, beside what is in it.
const CONTAINER: usize = 256;
/// What an entry of an object needs, beside its key and its value.
const ENTRY: usize = 32;

/// What the values of one user hold.
#[derive(Debug, Default)]
pub struct Kept {
    hold: Hold,
    sum: usize,
    places: Vec<Place>,
}

/// A name whose value is counted.
#[derive(Debug)]
struct Place {
    slot: Slot,
    /// The bytes of a value, or of each item that was appended.
    sizes: VecDeque<usize>,
}

impl Kept {
    /// A value takes the place of what was there; fails, and changes nothing, where there is no room for it.
    pub fn set(&mut self, budget: &Arc<Budget>, slot: Slot, value: &Value) -> Result<(), Failure> {
        let (size, at) = (size(value), self.at(slot));
        if size <= SMALL && at.is_none() {
            return Ok(());
        }
        let before: usize = at.map_or(0, |at| self.places[at].sizes.iter().sum());
        self.change(budget, (before, size))?;
        if let Some(at) = at {
            self.places.swap_remove(at);
        }
        if size > SMALL {
            self.places.push(Place { slot, sizes: VecDeque::from([size]) });
        } else {
            self.sum -= size;
        }
        Ok(())
    }

    /// A value is added to a list, from which the oldest item goes where it is full; fails, and changes nothing, where
    /// there is no room for it.
    pub fn append(&mut self, budget: &Arc<Budget>, slot: Slot, item: &Value) -> Result<(), Failure> {
        let (size, at) = (size(item), self.at(slot));
        let full = at.filter(|at| self.places[*at].sizes.len() == LONGEST_LIST);
        let oldest = full.and_then(|at| self.places[at].sizes.front().copied());
        self.change(budget, (oldest.unwrap_or(0), size))?;
        let at = at.unwrap_or_else(|| {
            self.places.push(Place { slot, sizes: VecDeque::new() });
            self.places.len() - 1
        });
        let sizes = &mut self.places[at].sizes;
        if oldest.is_some() {
            sizes.pop_front();
        }
        sizes.push_back(size);
        Ok(())
    }

    fn at(&self, slot: Slot) -> Option<usize> {
        self.places.iter().position(|place| place.slot == slot)
    }

    fn change(&mut self, budget: &Arc<Budget>, (less, more): (usize, usize)) -> Result<(), Failure> {
        let sum = self.sum.saturating_sub(less).saturating_add(more);
        let what = || format!("keep a value of {}", ByteSize(more as u64));
        self.hold.set_for(budget, sum, what)?;
        self.sum = sum;
        Ok(())
    }
}

/// About how many bytes a value holds.
fn size(value: &Value) -> usize {
    let inside: usize = match value.kind() {
        ValueKind::String => value.as_str().map_or(0, str::len),
        ValueKind::Bytes => value.as_bytes().map_or(0, <[u8]>::len),
        ValueKind::Seq | ValueKind::Iterable => {
            CONTAINER + value.try_iter().into_iter().flatten().map(|item| size(&item)).sum::<usize>()
        }
        ValueKind::Map => {
            let entry = |key: Value| ENTRY + size(&key) + value.get_item(&key).map_or(0, |item| size(&item));
            CONTAINER + value.try_iter().into_iter().flatten().map(entry).sum::<usize>()
        }
        // A number of more digits than the language has is kept as its text.
        _ if value.as_object().is_some() => value.to_string().len(),
        _ => 0,
    };
    VALUE + inside
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::measure::outcome::FailureKind;
    use crate::template::{NameTable, json_value};

    fn slots() -> (Slot, Slot) {
        let mut table = NameTable::default();
        (table.slot("a"), table.slot("b"))
    }

    #[test]
    fn large_values_count_until_others_take_their_place() {
        let (budget, (a, b)) = (Budget::new(1 << 20), slots());
        let (small, large) = (Value::from("x"), Value::from("x".repeat(600_000)));
        let mut kept = Kept::default();
        (0..1_000).for_each(|_| kept.set(&budget, a, &small).unwrap());
        assert_eq!((budget.used(), kept.places.len(), kept.sum), (0, 0, 0));
        kept.set(&budget, a, &large).unwrap();
        assert_eq!(budget.used(), 10 << 16, "600,000 bytes in steps of 64 KiB");
        let failure = kept.set(&budget, b, &large).unwrap_err();
        assert_eq!(failure.kind, FailureKind::Memory);
        assert!(failure.message.contains("needed to keep a value of 586.0 KiB"), "{}", failure.message);
        kept.set(&budget, a, &small).unwrap();
        assert_eq!((budget.used(), kept.sum), (0, 0));
        kept.set(&budget, b, &large).unwrap();
        drop(kept);
        assert_eq!(budget.used(), 0);
    }

    #[test]
    fn what_is_appended_counts_until_it_makes_room() {
        let (budget, (list, _)) = (Budget::new(1 << 30), slots());
        let (small, large) = (Value::from("x".repeat(968)), Value::from("x".repeat(1 << 20)));
        let mut kept = Kept::default();
        kept.append(&budget, list, &large).unwrap();
        (0..LONGEST_LIST - 1).for_each(|_| kept.append(&budget, list, &small).unwrap());
        assert_eq!(kept.sum, (1 << 20) + VALUE + (LONGEST_LIST - 1) * 1_000);
        kept.append(&budget, list, &small).unwrap();
        assert_eq!((kept.sum, budget.used()), (LONGEST_LIST * 1_000, 16 << 16));
        kept.set(&budget, list, &Value::from(1)).unwrap();
        assert_eq!((kept.sum, budget.used()), (0, 0));
    }

    #[test]
    fn a_value_holds_what_is_in_it_at_any_depth() {
        let text =
            format!("{{\"a\": [{{\"b\": \"{}\"}}], \"c\": {}}}", "x".repeat(10_000), "7".repeat(10_000));
        let bytes = size(&json_value(&text).unwrap());
        assert!((20_000..22_000).contains(&bytes), "{bytes}");
        assert_eq!(size(&Value::from(7)), VALUE);
    }
}
