//! Lists that are repeated by values of the run. The language makes nothing of a repeated list until somebody looks at its
//! items, and not everything that does counts its steps: comparisons, for one. So before an expression is evaluated, it
//! is looked at how large its products would be.

use minijinja::Value;
use minijinja::machinery::ast::{BinOpKind, Expr};

use super::repetition::{MOST_REPEATED, count};
use super::{Expression, Scope, tree};

/// A part of a product, as far as its size can be told before anything is calculated.
#[derive(Debug)]
pub(super) enum Factor {
    /// A name, or an attribute or item of one.
    Value(Box<Expression>),
    /// It is the same every time.
    Constant(Value),
    /// A list that is written out.
    List(Vec<Factor>),
    /// A product.
    Product(Box<(Factor, Factor)>),
    /// What only its calculation tells.
    Unknown,
}

/// What a factor does to a product.
#[derive(Debug, Clone, Copy)]
struct Size {
    /// The items of a list, those in its items counted as well; 0 where it is none.
    items: u64,
    /// How often it repeats a list; 1 where it is no number.
    times: u64,
}

impl Factor {
    /// The factor that an expression within this source is.
    pub fn of(source: &str, expression: &Expr) -> Self {
        if let Some(value) = expression.as_const() {
            return Self::Constant(value);
        }
        match expression {
            Expr::BinOp(binary) if matches!(binary.op, BinOpKind::Mul) => {
                Self::Product(Box::new((Self::of(source, &binary.left), Self::of(source, &binary.right))))
            }
            Expr::List(list) => Self::List(list.items.iter().map(|item| Self::of(source, item)).collect()),
            Expr::Var(_) | Expr::GetAttr(_) | Expr::GetItem(_) => {
                let path = tree::path(source, expression);
                let compiled = path.and_then(|path| Expression::compile_at(path, 0).ok());
                compiled.map_or(Self::Unknown, |path| Self::Value(Box::new(path)))
            }
            _ => Self::Unknown,
        }
    }

    /// Whether it makes a list of more items than one may have.
    pub fn is_too_large(&self, scope: &Scope) -> bool {
        self.size(scope).items > MOST_REPEATED
    }

    fn size(&self, scope: &Scope) -> Size {
        match self {
            Self::Value(path) => path.value(scope).map_or(Size::UNKNOWN, |value| Size::of(&value)),
            Self::Constant(value) => Size::of(value),
            Self::List(items) => {
                let sum =
                    |sum: u64, item: &Self| sum.saturating_add(item.size(scope).items.saturating_add(1));
                Size { items: items.iter().fold(0, sum), times: 1 }
            }
            Self::Product(factors) => {
                let (left, right) = (factors.0.size(scope), factors.1.size(scope));
                match (left.items, right.items) {
                    (0, 0) => Size { items: 0, times: left.times.saturating_mul(right.times) },
                    (0, items) => Size { items: items.saturating_mul(left.times), times: 1 },
                    (items, _) => Size { items: items.saturating_mul(right.times), times: 1 },
                }
            }
            Self::Unknown => Size::UNKNOWN,
        }
    }
}

impl Size {
    const UNKNOWN: Self = Self { items: 0, times: 1 };

    fn of(value: &Value) -> Self {
        let number = i128::try_from(value.clone()).ok();
        let times = number.map_or(1, |number| u64::try_from(number.max(0)).unwrap_or(u64::MAX));
        Self { items: count(value, MOST_REPEATED + 1), times }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::template::{NameTable, Seeds, json_value};

    #[test]
    fn a_list_is_repeated_by_values_only_so_often() {
        let mut names = NameTable::default();
        let slot = names.slot("x");
        let scope = Scope::new(Arc::new(names), Seeds::both(1));
        let text = r#"{"l": [1, [2]], "n": 100000000, "m": 3000, "few": 3, "price": 2.5, "s": "ab", "zero": 0, "minus": -4}"#;
        scope.set(slot, json_value(text).unwrap());
        for source in [
            "x.l * x.m * x.m == x.l * x.m * x.m",
            "x.l * x.n == x.l",
            "(x.l * (x.m * x.m)) | tojson",
            "(x.m * x.l * x.m) | string",
            "([x.l * x.m] * x.m) | pprint",
            "([[x.few] * x.m] * x.m) is eq x.l",
            "([0] * x.n) | length",
            "5 in x.l * x['n']",
            "dict(a=x.l * x.m * x.m) == x.l",
            "pick(x.l * x.m * x.m)",
        ] {
            let message = Expression::compile(source).unwrap().holds(&scope).expect_err(source).message;
            assert!(
                message.starts_with("a list is repeated to more than 100000 items"),
                "{source}: {message}"
            );
        }
        for (source, wanted) in [
            ("(x.l * x.few) | length == 6", true),
            ("x.few * x.l == x.l * x.few", true),
            ("x.n * x.n == 10000000000000000", true),
            ("x.price * x.n == 250000000", true),
            ("x.s * x.few == 'ababab'", true),
            ("x.l * x.zero == [] and x.l * x.minus == []", true),
            ("([{'id': x.few}] * rand_int(3, 3)) | length == x.few", true),
            ("x.zero > 1 and x.n * 2 > 1", false),
        ] {
            assert_eq!(Expression::compile(source).unwrap().holds(&scope), Ok(wanted), "{source}");
        }
    }
}
