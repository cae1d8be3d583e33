//! How often an expression may repeat a list by constants alone. The language calculates what is constant when it
//! compiles, and there nothing limits how many items it looks at. What is repeated by a value of the run is looked at
//! during the run.

use minijinja::Value;
use minijinja::machinery::Span;
use minijinja::machinery::ast::{BinOp, BinOpKind, Expr, Spanned};
use minijinja::value::ValueKind;

use super::TemplateError;

/// The most items that the lists of one expression may be repeated to, those in items counted as well.
pub(super) const MOST_REPEATED: u64 = 100_000;

/// How many items the constant products of an expression have made so far.
#[derive(Debug, Default)]
pub(super) struct Repetition {
    items: u64,
}

impl Repetition {
    /// Refuses a constant list that is repeated too often. The products within its parts have been checked before.
    pub fn check(&mut self, product: &Spanned<BinOp>) -> Result<(), TemplateError> {
        if !matches!(product.op, BinOpKind::Mul) {
            return Ok(());
        }
        if let (Some(left), Some(right)) = (items(&product.left), items(&product.right)) {
            let (list, factor) = if left > 0 { (left, &product.right) } else { (right, &product.left) };
            self.items = self.items.saturating_add(list.saturating_mul(times(factor)));
        }
        if self.items <= MOST_REPEATED { Ok(()) } else { Err(too_many(product.span())) }
    }
}

/// How many items a list has that is made of constants alone; 0 where it is no list, none where the run says more.
fn items(expression: &Expr) -> Option<u64> {
    if let Some(value) = expression.as_const() {
        return Some(count(&value, MOST_REPEATED + 1));
    }
    match expression {
        // The language calculates no list whose items are calculated, yet its items can be counted.
        Expr::List(list) => list
            .items
            .iter()
            .try_fold(0_u64, |sum, item| Some(sum.saturating_add(items(item)?.saturating_add(1)))),
        Expr::BinOp(product) if matches!(product.op, BinOpKind::Mul) => {
            let (left, right) = (items(&product.left)?, items(&product.right)?);
            let factor = if left > 0 { &product.right } else { &product.left };
            Some(left.max(right).saturating_mul(times(factor)))
        }
        _ => None,
    }
}

/// How often a constant repeats a list.
fn times(factor: &Expr) -> u64 {
    let number = factor.as_const().and_then(|value| i128::try_from(value).ok());
    number.map_or(1, |number| u64::try_from(number.max(0)).unwrap_or(u64::MAX))
}

fn too_many(span: Span) -> TemplateError {
    let message = format!("a list is repeated to more than {MOST_REPEATED} items");
    TemplateError::new(message, span.start_offset as usize..span.end_offset as usize)
        .hint(format!("all lists of an expression may be repeated to {MOST_REPEATED} items"))
}

/// How many items a value has, and the values in it; counted up to `most`.
pub(super) fn count(value: &Value, most: u64) -> u64 {
    match value.kind() {
        ValueKind::Seq | ValueKind::Iterable | ValueKind::Map => {
            let mut items = 0;
            for item in value.try_iter().into_iter().flatten() {
                if items >= most {
                    break;
                }
                items += 1;
                let inner =
                    if value.kind() == ValueKind::Map { value.get_item(&item).ok() } else { Some(item) };
                items += inner.map_or(0, |inner| count(&inner, most - items));
            }
            items
        }
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use crate::template::Expression;

    #[test]
    fn a_constant_list_is_repeated_only_so_often() {
        for source in [
            "[0] * 100000000",
            "100000000 * [0]",
            "[[0] * 9999] * 9999",
            "5 in ([0, 1] * 60000)",
            "5 in (([0] or 0) * 100000000)",
            "5 in ((0 or [0]) * 100000000)",
            "5 in (([0] and [0]) * 100000000)",
            "5 in (([] + [0]) * 100000000)",
            "5 in ([0] * (10 ** 8))",
            "5 in ([0] * (100000000 or 1))",
            "5 in ((0, 0) * 60000)",
            "[0] * 60000 == [1] * 60000",
            "a or 5 in ([0] * 100000000)",
        ] {
            let error = Expression::compile(source).unwrap_err();
            assert_eq!(error.message, "a list is repeated to more than 100000 items", "{source}");
        }
        for source in [
            "[0] * 100000",
            "a * b",
            "'x' * 1000",
            "2 * 3.5 * a",
            "[1, 2] * 3 + [4]",
            "[{'sku': 1}] * rand_int(1, 20)",
            "[0] * n",
            "([0] + a) * n",
            "[0] * -5",
            "(range(9) | list) * 20",
        ] {
            assert!(Expression::compile(source).is_ok(), "{source}");
        }
    }
}
