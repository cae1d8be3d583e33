//! The tests after `is`. Those of the language accept what is not there, and answer as if it were a value; here it is
//! an error, as it is to every operator, so that a condition does not hold before there is anything to look at.

use std::sync::LazyLock;

use minijinja::value::Rest;
use minijinja::{Environment, Error, ErrorKind, State, UndefinedBehavior, Value};

use super::function::FUEL;
use super::presence;

/// The tests after `is`, by name.
pub(super) const TESTS: &[&str] = &[
    "boolean",
    "defined",
    "divisibleby",
    "endingwith",
    "eq",
    "equalto",
    "escaped",
    "even",
    "false",
    "filter",
    "float",
    "ge",
    "greaterthan",
    "gt",
    "in",
    "int",
    "integer",
    "iterable",
    "le",
    "lessthan",
    "lower",
    "lt",
    "mapping",
    "ne",
    "none",
    "number",
    "odd",
    "safe",
    "sameas",
    "sequence",
    "startingwith",
    "string",
    "test",
    "true",
    "undefined",
    "upper",
];

/// How many items one step of the language looks at.
pub(super) const ITEMS_A_STEP: u64 = 2;
/// The tests that ask whether there is a value at all.
const ASK_WHETHER_THERE: &[&str] = &["defined", "undefined"];
/// The filters that ask a test of every item. An item without an attribute is left out or kept by the answer of the
/// language: lists of unlike objects are usual.
const ASK_ITEMS: [&str; 4] = ["reject", "rejectattr", "select", "selectattr"];

/// Replaces the tests of a language by those that refuse what is not there.
pub(super) fn register(language: &mut Environment<'static>) {
    for name in TESTS.iter().filter(|name| !ASK_WHETHER_THERE.contains(name)) {
        language.add_test(*name, move |state: &mut State<'_, '_>, arguments: Rest<Value>| {
            test(state, name, &arguments)
        });
    }
    for name in ASK_ITEMS {
        language.add_filter(name, move |state: &mut State<'_, '_>, arguments: Rest<Value>| {
            if arguments.iter().any(Value::is_undefined) {
                let message = format!("undefined value in `{name}`; ask `is defined` first");
                return Err(Error::new(ErrorKind::UndefinedError, message));
            }
            charge(state, arguments.first())?;
            original().empty_state().apply_filter(name, &arguments)
        });
    }
}

fn test(state: &State<'_, '_>, name: &str, arguments: &[Value]) -> Result<bool, Error> {
    let undefined = || {
        let message = format!("undefined value before `is {name}`; ask `is defined` first");
        Error::new(ErrorKind::UndefinedError, message)
    };
    // What is compared is compared with everything in it; what is looked for may be found among what is there.
    let is_compared = arguments.len() > 1;
    let lacks = if is_compared && name != "in" { presence::lacks_anything } else { Value::is_undefined };
    if arguments.iter().any(lacks) {
        return Err(undefined());
    }
    if name != "in" {
        return original().empty_state().perform_test(name, arguments);
    }
    charge(state, arguments.get(1))?;
    let found = original().empty_state().perform_test(name, arguments)?;
    if !found && arguments.iter().any(presence::lacks_anything) { Err(undefined()) } else { Ok(found) }
}

/// Charges for every item that is going to be looked at.
fn charge(state: &State<'_, '_>, items: Option<&Value>) -> Result<(), Error> {
    let items = items.and_then(Value::len).unwrap_or(0);
    state.consume_fuel(u64::try_from(items).unwrap_or(u64::MAX) / ITEMS_A_STEP)
}

/// The language as it comes.
pub(super) fn original() -> &'static Environment<'static> {
    static ORIGINAL: LazyLock<Environment<'static>> = LazyLock::new(|| {
        let mut language = Environment::new();
        language.set_undefined_behavior(UndefinedBehavior::Strict);
        language.set_fuel(Some(FUEL));
        language
    });
    &ORIGINAL
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::template::{Expression, Scope};

    fn scope(json: &str) -> Scope {
        Scope::with("json", json)
    }

    fn argument(name: &str) -> &'static str {
        match name {
            "divisibleby" => "(2)",
            "endingwith" | "eq" | "equalto" | "ge" | "greaterthan" | "gt" | "le" | "lessthan" | "lt"
            | "ne" | "sameas" | "startingwith" => "('pending')",
            "in" => "(['pending'])",
            _ => "",
        }
    }

    #[test]
    fn what_is_not_there_passes_no_test() {
        let empty = scope("{}");
        for name in TESTS.iter().filter(|name| !ASK_WHETHER_THERE.contains(name)) {
            for not in ["", "not "] {
                let source = format!("json.state is {not}{name}{}", argument(name));
                let expression = Expression::compile(&source).unwrap();
                assert!(expression.holds(&empty).is_err(), "{source}");
                assert_eq!(expression.holds_by_now(&empty), Ok(false), "{source}");
            }
        }
        for source in ["'a' is ne json.state", "'a' is not in json.state", "not (json.state is eq 1)"] {
            let expression = Expression::compile(source).unwrap();
            assert_eq!(expression.holds_by_now(&empty), Ok(false), "{source}");
        }
        for (source, holds) in [
            ("json.state is defined", false),
            ("json.state is undefined", true),
            ("json.state is defined and json.state is not none", false),
            ("json.state | default(none) is none", true),
        ] {
            assert_eq!(Expression::compile(source).unwrap().holds(&empty).unwrap(), holds, "{source}");
        }
    }

    #[test]
    fn a_condition_on_what_is_not_there_does_not_hold_by_now_unless_it_asks_whether_it_is() {
        let empty = scope(r#"{"l": [{"state": 1}, {}], "nothing": null}"#);
        for source in [
            "json.state is not none",
            "json['state'] is not none",
            "json.l[5] is not none",
            "json.l[1].state is not none",
            "(json.l | first).id is not none",
            "(json.l | selectattr('state', 'eq', 5) | first) is not none",
            "json.state != 'running'",
            "json.state is not equalto 'running'",
            "not json.state",
            "not json.a.b",
            "json.state not in ['running']",
            "json.state | string != 'running'",
            "json.state | tojson != '1'",
            "json.state | e != 'running'",
            "json.state | indent != 'running'",
            "json.state | pprint != 'running'",
            "json.state | chain | list | length == 0",
            "json.l | zip(json.state) | list | length == 0",
            "[json.state] != ['running']",
            "(json.state, 1) != ('running', 1)",
            "{'a': json.state} != {'a': 'running'}",
            "dict(a=json.state) != dict(a='running')",
            "'running' not in [json.state, json.l]",
            "[json.state] | length == 1",
            "[1, 2] | reject('eq', json.state) | list | length == 2",
            "[1, 2] | select('ne', json['state']) | list | length == 2",
            "[1, 2] | select('ne', (json.l | first).id) | list | length == 2",
            "json.l | rejectattr('state', 'eq', json.a.b) | list | length == 2",
            "json.l | selectattr('state', 'ne', json.l[5]) | list | length == 2",
            "[1, 2] | reject(json.state) | list | length == 0",
            "json.state | select('odd') | list | length == 0",
        ] {
            let expression = Expression::compile(source).unwrap();
            assert_eq!(expression.holds_by_now(&empty), Ok(false), "{source}");
            assert!(expression.holds(&empty).is_err(), "{source}");
        }
        for source in [
            "json.state is undefined",
            "json.state is not defined or [json.state] == ['done']",
            "json.state | default('new') != 'running'",
            "json.nothing is none",
            "[json.nothing] == [none]",
            "json.l is defined or [json.state] == [1]",
            "'state' not in json",
        ] {
            assert_eq!(Expression::compile(source).unwrap().holds_by_now(&empty), Ok(true), "{source}");
        }
        let error = Expression::compile("json.state is not none").unwrap().holds(&empty).unwrap_err();
        assert!(error.message.contains("ask `is defined` first"), "{error}");
    }

    #[test]
    fn what_is_there_is_tested_as_before() {
        let full = scope(r#"{"state": "done", "n": 4, "l": [{"t": 1}, {}, {"t": 2}], "nothing": null}"#);
        for (source, holds) in [
            ("json.state is ne 'pending'", true),
            ("json.state is not in ['done']", false),
            ("json.state is startingwith 'do'", true),
            ("json.state is lower", true),
            ("json.n is divisibleby 3", false),
            ("json.n is even", true),
            ("json.nothing is none", true),
            ("json.nothing is eq none", true),
            ("json.l | selectattr('t', 'eq', 1) | list | length == 1", true),
            ("json.l | rejectattr('t', 'eq', 1) | list | length == 2", true),
            ("json.l | selectattr('t') | map(attribute='t') | join == '12'", true),
            ("[1, 2, 3] | select('odd') | list == [1, 3]", true),
            ("[1, 2, 3] | reject('==', 2) | list == [1, 3]", true),
            ("'upper' is filter and 'eq' is test and 'nope' is not test", true),
        ] {
            assert_eq!(Expression::compile(source).unwrap().holds(&full), Ok(holds), "{source}");
        }
        let error = Expression::compile("json.n is divisibleby 0").unwrap().holds(&full);
        assert!(error.is_err());
    }

    #[test]
    fn a_test_of_many_items_is_bounded() {
        let full = scope(r#"{"l": [1], "n": 100000000}"#);
        for source in [
            "5 is in (json.l * json.n)",
            "(json.l * json.n) | select('odd') | list",
            "pick(json.l * json.n) == 1",
        ] {
            let message = Expression::compile(source).unwrap().holds(&full).unwrap_err().message;
            assert!(message.starts_with("a list is repeated to more than"), "{source}: {message}");
        }
    }
}
