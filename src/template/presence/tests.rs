//! What a condition makes of what is not there, by the shape of it and the place.

use std::sync::Arc;

use super::*;
use crate::template::{Expression, NameTable, Scope, Seeds};

fn scope() -> Scope {
    let text = r#"{"l": [{"state": 1}, {}], "s": ["a", "b"], "empty": [], "yes": true, "no": false, "n": 2,
        "m": {"k": 1}, "nothing": null, "price": 0.1234567890123456789}"#;
    Scope::with("x", text)
}

/// Expressions without a value, of each shape that can be without one.
const NOTHING: &[&str] = &[
    "x.state",
    "x['state']",
    "x.l[5]",
    "x.l[1].state",
    "x.l[-9]",
    "(x).state",
    "((x)['state'])",
    "( (x.state) )",
    "(x.l | first).id",
    "x.m[x.key]",
    "x.empty | first",
    "(x.empty | last)",
    "x.empty | max",
    "x.empty | min",
    "x.l[2:] | first",
    "x | attr('state')",
    "x.state | default(x.other)",
    "x.l | selectattr('state', 'eq', 5) | first",
    "x.l | map(attribute='state') | last",
    "pick(x.l[1:] | map(attribute='state') | list)",
    "x.state if x.yes else 0",
    "0 if x.no else x.state",
    "(x.state if x.yes else 0) if x.yes else 1",
    "0 if x.no else 0 if x.no else (x.state)",
    "x.state if x.yes",
    "1 if x.no",
    "(1 if x.no)",
    "(1 if (x.no)) if x.yes",
    "(1 if x.yes) if x.no",
    "x.yes and (1 if x.no)",
    "(1 if x.no) or x.state",
    "false or x.state",
    "x.no or x.no or x.state",
    "x.yes and x.state",
    "(x.no or (x.state))",
    "x.no or (x.state if x.yes else 1)",
    "(x.empty | first) if x.price > 0 else 0",
];
/// Where `@` stands for something without a value, a condition must not hold.
const PLACES: &[&str] = &[
    "[@] != ['done']",
    "[1, @] != [1, 'done']",
    "[[@]] != [['done']]",
    "[x.m, {'a': [@]}] != ['done']",
    "(@, 1) != ('done', 1)",
    "{'a': @} != {'a': 'done'}",
    "{(@): 1} != {'done': 1}",
    "dict(a=@) != dict(a='done')",
    "dict(**(@)) != {'a': 1}",
    "dict(@) != {'a': 1}",
    "['done'] != [@]",
    "'done' not in [@]",
    "'done' not in (@)",
    "(@) not in ['done']",
    "[@] not in [['done']]",
    "not ([@] == ['done'])",
    "not ('done' in [@])",
    "not (x.no or 'done' in [@])",
    "not not not ([@] == ['done'])",
    "not (@)",
    "not ((@) and true)",
    "not ((@) or false)",
    "(not (@)) == true",
    "[not (@)] == [true]",
    "(@) != 'done'",
    "'done' != (@)",
    "not ((@) == 'done')",
    "1 < 2 != (@)",
    "1 if not (@) else 0",
    "0 if (@) else 1",
    "(0 if (@) else 1) == 1",
    "[@] | length == 1",
    "[@] | first is not none",
    "[@] | tojson != '1'",
    "[@] | string != '1'",
    "[@] | join(',') != '1'",
    "[@] | reverse | list != ['done']",
    "[@] | map('default', 1) | list == [1]",
    "(@) | tojson != '1'",
    "(@) | string != '1'",
    "(@) | list != ['done']",
    "(@) | e != '1'",
    "(@) | pprint != '1'",
    "(@) | int != 1",
    "(@) | bool != true",
    "(@) | select('odd') | list | length == 0",
    "(x.s | zip(@) | list | length) != 5",
    "(x.s | chain(@) | list | length) != 5",
    "x.s | join(@) != 'done'",
    "x.s | join(*[@]) != 'done'",
    "x.s | join(*(@)) != 'done'",
    "x.s | batch(3, @) | list != ['done']",
    "x.s | map(attribute='a', default=@) | list | length == 2",
    "x.s | map('default', @) | list | length == 2",
    "x.s | sort(reverse=@) | list != ['done']",
    "x.s | reject('eq', @) | list | length == 2",
    "x.s | default('y', @) != 'done'",
    "1 | round(@) != 5",
    "'a' ~ (@) != 'done'",
    "'a' ~ [@] != 'done'",
    "((@) * 2) != 5",
    "([@] + [1]) != [5, 1]",
    "([@] * 2) != [5, 5]",
    "([@][0:1]) != [5]",
    "x.s[(@):] != ['done']",
    "(@) is not none",
    "(@) is ne 'done'",
    "(@) is not eq 'done'",
    "[@] is ne ['done']",
    "['done'] is not eq([@])",
    "'done' is not in([@])",
    "not ('done' is in([@]))",
    "(@) is not in ['done']",
    "not ((@) is eq 'done')",
    "(@) is not string",
    "pick([@]) != 'done'",
    "rand_int(1, 1) != [@]",
    "base64(@) != 'done'",
    "(x.state | default([@])) != ['done']",
    "(x.no or [@]) != ['done']",
    "(x.yes and [@]) != ['done']",
    "(['done'] if x.no else [@]) != ['done']",
];

#[test]
fn nothing_that_is_not_there_makes_a_condition_hold_whatever_its_shape_and_place() {
    let scope = scope();
    let mut wrong = Vec::new();
    for place in PLACES {
        for shape in NOTHING {
            let source = place.replace('@', shape);
            let expression = match Expression::compile(&source) {
                Ok(expression) => expression,
                Err(error) => panic!("{source}: {error}"),
            };
            if !matches!(expression.holds_by_now(&scope), Ok(false) | Err(_)) {
                wrong.push(format!("until: {source}"));
            }
            if matches!(expression.holds(&scope), Ok(true)) {
                wrong.push(format!("that: {source}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), NOTHING.len() * PLACES.len(), wrong.join("\n"));
}

#[test]
fn a_list_of_which_something_is_not_there_makes_no_condition_hold() {
    let scope = scope();
    for shape in [
        "x.l | map(attribute='state') | list",
        "(x.l | map(attribute='state') | reverse | list)",
        "[x.empty] | map('first') | list",
        "(x.l | map(attribute='state') | list if x.yes else [])",
        "(x.empty or (x.l | map(attribute='state')) | list)",
        "(x.l | map(attribute='state') | list)[0:]",
    ] {
        for place in [
            "@ != [5]",
            "not (@ == [5])",
            "@ == @",
            "5 not in (@)",
            "not (5 in (@))",
            "[@] != [[5]]",
            "{'a': @} != {'a': 5}",
            "[1] + (@) != [5]",
            "(@) | tojson != '[5]'",
            "(@) | string != '[5]'",
            "(@) is ne [5]",
            "5 is not in(@)",
            "not (5 is in(@))",
            "(@) ~ '' != '5'",
            "(@) | max == 1",
            "(@) | max < 100",
            "(@) | min != 5",
            "(@) | sort | last == 1",
            "(@) | sort(reverse=true) | first == 1",
        ] {
            let source = place.replace('@', shape);
            let expression = Expression::compile(&source).unwrap();
            assert_eq!(expression.holds_by_now(&scope), Ok(false), "{source}");
            assert!(!matches!(expression.holds(&scope), Ok(true)), "{source}");
        }
    }
}

#[test]
fn what_set_made_of_something_that_is_not_there_makes_no_condition_hold() {
    let mut names = NameTable::default();
    let slot = names.slot("v");
    let scope = Scope::new(Arc::new(names), Seeds::both(1));
    scope.set(slot, Value::from(vec![Value::UNDEFINED]));
    for source in ["v != ['done']", "'done' not in v", "v[0] != 'done'", "v | tojson != '1'", "v is ne [1]"] {
        assert_eq!(Expression::compile(source).unwrap().holds_by_now(&scope), Ok(false), "{source}");
    }
}

#[test]
fn what_is_there_or_asked_for_holds_as_before() {
    let scope = scope();
    for source in [
        "[x.n if x.yes else x.state] == [2]",
        "[x.state if x.no else x.n] != [3]",
        "[x.n if x.yes] == [2]",
        "[x.n or x.state] == [2]",
        "[x.no and x.state] == [false]",
        "[x.s | first] != ['b']",
        "[(x).n] == [2]",
        "[x.state | default('new')] == ['new']",
        "[x.state | default(x.other) | default(3)] == [3]",
        "[(x.state if x.yes else 0) | default('new')] == ['new']",
        "(1 if x.no) is undefined",
        "(x.state if x.yes else 0) is undefined",
        "(x.empty | first) is not defined",
        "(1 if x.no) | default(5) == 5",
        "[x.state is defined, x.n is defined] == [false, true]",
        "'new' in [x.state | default('new')]",
        "(x.n == 2 if x.yes) or x.state == 1",
        "(x.n == 3 if x.no) or x.n == 2",
        "(x.n == 3 if x.state is defined) or x.n == 2",
        "x.n == 2 or [x.state] != [1]",
        "1 in (x.l | map(attribute='state') | list)",
        "x.no or 1 in (x.l | map(attribute='state'))",
        "1 is in(x.l | map(attribute='state') | list)",
        "x.l | map(attribute='state') | list | length == 2",
        "x.l | map(attribute='state') | select('defined') | list == [1]",
        "x.l | map(attribute='state', default=0) | list == [1, 0]",
        "x.l | map(attribute='state') | first == 1",
        "x.l | sum(attribute='state') == 1",
        "x.l | sort(attribute='state') | length == 2",
        "x.s | max == 'b' and x.s | sort | first == 'a'",
        "x.l | selectattr('state') | list | length == 1",
        "x.l | rejectattr('state', 'eq', 1) | list | length == 1",
        "(x.l | map(attribute='state') | list) is sequence",
        "[x.nothing] == [none]",
        "x.nothing | default('a', true) == 'a'",
        "x.l == x.l and x.m != x.l",
        "'state' not in x and 'c' not in x.s",
        "dict(a=x.n).a == 2 and dict(**x.m).k == 1",
        "x.s | join(*['-']) == 'a-b'",
        "-x.n == -2 and x.n is divisibleby -1",
        "not (x.n == 3)",
        "[x.price] | first > 0.1",
        "[x.price * 2 if x.yes else x.state] != [1]",
        "x.s[1:] == ['b'] and x.s[-1] == 'b'",
    ] {
        let expression = Expression::compile(source).unwrap();
        assert_eq!(expression.holds_by_now(&scope), Ok(true), "{source}");
        assert_eq!(expression.holds(&scope), Ok(true), "{source}");
    }
}

#[test]
fn every_filter_refuses_what_is_not_there() {
    let scope = scope();
    for name in crate::template::syntax::FILTERS.iter().filter(|name| !ASK.contains(name)) {
        for source in [format!("not (x.state | {name})"), format!("(x.state | {name}) != 'done'")] {
            let expression = Expression::compile(&source).unwrap();
            assert_eq!(expression.holds_by_now(&scope), Ok(false), "{source}");
            assert!(expression.holds(&scope).is_err(), "{source}");
        }
    }
}

#[test]
fn only_what_is_handed_on_is_marked() {
    for (source, wanted) in [
        ("a.b", None),
        ("a | default('x') is defined", None),
        ("a is none and not b", None),
        ("a - 1 > 2", None),
        ("a.b == 'x'", Some("a.b|__whole == 'x'")),
        ("a not in b.c", Some("a|__whole not in b.c|__items")),
        ("a in b.c", Some("a|__whole in b.c")),
        ("[(a), ( a ).b] | length", Some("[(a|__there), ( a ).b|__there] | length")),
        ("not (a if b)", Some("not (a if b else []|first|__there)")),
        ("x.y | tojson", Some("x.y|__whole | tojson")),
    ] {
        assert_eq!(marked(source).unwrap().as_deref(), wanted, "{source}");
    }
}

#[test]
fn a_choice_without_an_else_that_cannot_be_added_is_refused() {
    let error = Expression::compile("[a if b if c] == [1]").unwrap_err();
    assert_eq!(error.message, "`… if … if …` without brackets and `else`");
}

#[test]
fn long_chains_of_filters_are_compiled_and_run() {
    let scope = scope();
    let source = format!("x.n{} == x.price{} or x.n == 2", " | abs".repeat(90), " | abs".repeat(90));
    assert_eq!(Expression::compile(&source).unwrap().holds(&scope), Ok(true));
    let source = format!("[x.n{}] != [1]", " | abs".repeat(190));
    assert_eq!(Expression::compile(&source).unwrap().holds(&scope), Ok(true));
}
