use std::fmt::Write as _;

use proptest::prelude::*;

use super::*;
use crate::config::render::{Color, render};
use crate::config::source::Sources;

/// The problems of a text as the user sees them.
fn shown(text: &str) -> String {
    let mut sources = Sources::default();
    let source = sources.add("config.yaml", text);
    render(&parse(source, text).unwrap_err(), &sources, Color::Never)
}

fn tree(text: &str) -> Node {
    parse(0, text).unwrap_or_else(|problems| panic!("{problems:?}"))
}

fn at(node: &Node, text: &str) -> String {
    text[node.span.start as usize..node.span.end as usize].to_owned()
}

#[test]
fn scalars_keep_their_text_and_only_plain_ones_have_a_type() {
    let node =
        tree("a: yes\nb: 010\nc: 10\nd: '10'\ne: ~\nf:\ng: \"\"\nh: true\ni: 1e3\nj: |\n  x\n  y\n404: no\n");
    let values: Vec<_> = node.entries().iter().map(|(_, node)| node.value.clone()).collect();
    let text = |text: &str| Value::Text(text.into());
    assert_eq!(
        values,
        [
            text("yes"),
            text("010"),
            Value::Number("10".into()),
            text("10"),
            Value::Null,
            Value::Null,
            text(""),
            Value::Bool(true),
            Value::Number("1e3".into()),
            text("x\ny\n"),
            text("no"),
        ]
    );
}

#[test]
fn places_are_bytes_whatever_stands_before_them() {
    let text = "\u{feff}é: 'ü€'\nlist:\n  - ß  # 🎉\n  - {k: [v, w]}\n\n# end\nlast: 1\n";
    let node = tree(text);
    assert_eq!(at(node.get("é").unwrap(), text), "'ü€'");
    let list = node.get("list").unwrap();
    assert_eq!(at(list, text), "- ß  # 🎉\n  - {k: [v, w]}");
    assert_eq!(at(&list.items()[0], text), "ß");
    assert_eq!(at(&list.items()[1], text), "{k: [v, w]}");
    let (key, value) = node.entry("last").unwrap();
    assert_eq!(&text[key.span.start as usize..key.span.end as usize], "last");
    assert_eq!(at(value, text), "1");
}

#[test]
fn aliases_carry_the_content_and_the_place_of_the_anchor() {
    let text = "a: &x {k: v}\nb: *x\nc: &y 5\n*y : six\n";
    let node = tree(text);
    assert_eq!(node.get("a"), node.get("b"));
    assert_eq!(node.get("5").and_then(Node::scalar), Some("six"));
}

#[test]
fn merged_keys_stand_behind_explicit_ones_which_win() {
    let text = "base: &b {x: 1, y: 2}\nmore: &m {y: 3, z: 4}\none: {<<: *b, y: 9}\ntwo: {<<: [*b, *m], w: 0}\nquoted: {\"<<\": 1}\n";
    let node = tree(text);
    let pairs = |key: &str| -> Vec<String> {
        let entries = node.get(key).unwrap().entries().iter();
        entries.map(|(key, node)| format!("{}={}", key.name, node.scalar().unwrap())).collect()
    };
    assert_eq!(pairs("one"), ["y=9", "x=1"]);
    assert_eq!(pairs("two"), ["w=0", "x=1", "y=2", "z=4"]);
    assert_eq!(pairs("quoted"), ["<<=1"]);
}

#[test]
fn an_unquoted_template_is_explained() {
    insta::assert_snapshot!(shown("json:\n  token: {{ token }}\n"), @r#"
    error: `{{ token }}` without quotes is a mapping to YAML
     --> config.yaml:2:10
      |
    2 |   token: {{ token }}
      |          ^^^^^^^^^^^
    hint: quote the template: "{{ token }}"
    "#);
    insta::assert_snapshot!(shown("steps: [{get: /x/{{ id }}}]\n"), @r#"
    error: `{{ id }}` without quotes is a mapping to YAML
     --> config.yaml:1:18
      |
    1 | steps: [{get: /x/{{ id }}}]
      |                  ^^^^^^^^
    hint: quote the whole text: "… {{ … }} …"
    "#);
    insta::assert_snapshot!(shown("a: {{ pick(x) }} and more\n"), @r#"
    error: `{{ pick(x) }}` without quotes is a mapping to YAML
     --> config.yaml:1:4
      |
    1 | a: {{ pick(x) }} and more
      |    ^^^^^^^^^^^^^
    hint: quote the whole text: "… {{ … }} …"
    "#);
    insta::assert_snapshot!(shown("a: [{{ x }}, {{ pick(y, 'z') }}]\n"), @r#"
    error: `{{ x }}` without quotes is a mapping to YAML
     --> config.yaml:1:5
      |
    1 | a: [{{ x }}, {{ pick(y, 'z') }}]
      |     ^^^^^^^
    hint: quote the template: "{{ x }}"
    "#);
}

#[test]
fn braces_in_a_flow_key_are_explained() {
    insta::assert_snapshot!(shown("endpoints: {GET /x/{id}: {p95: 1s}}\n"), @r#"
    error: a brace inside a key or text that is not quoted
     --> config.yaml:1:20
      |
    1 | endpoints: {GET /x/{id}: {p95: 1s}}
      |                    ^
    hint: inside `{ … }` quote the key: "GET /x/{id}"
    "#);
}

#[test]
fn tabs_in_the_indentation_are_explained() {
    insta::assert_snapshot!(shown("users:\n\tweight: 1\n"), @r"
    error: a tab in the indentation
     --> config.yaml:2:1
      |
    2 |  weight: 1
      | ^
    hint: indent with spaces
    ");
    insta::assert_snapshot!(shown("a: 1\n\tb: 1\n"), @r"
    error: a tab in the indentation
     --> config.yaml:2:1
      |
    2 |  b: 1
      | ^
    hint: indent with spaces
    ");
}

#[test]
fn a_duplicate_key_names_the_line_of_the_first() {
    insta::assert_snapshot!(shown("# one\nname: x\nversion: 1\nname: y\n"), @r"
    error: duplicate key `name`, first on line 2
     --> config.yaml:4:1
      |
    4 | name: y
      | ^^^^
    hint: keep one of them
    ");
}

#[test]
fn tags_second_documents_and_unknown_anchors_are_refused() {
    insta::assert_snapshot!(shown("a: !!str 3\nb: &token 1\nc: *tokn\n---\nd: 1\n"), @r"
    error: the tag `!!str` is not supported
     --> config.yaml:1:4
      |
    1 | a: !!str 3
      |    ^^^^^
    hint: remove it; quote a value to make it text

    error: no anchor `&tokn` before this
     --> config.yaml:3:4
      |
    3 | c: *tokn
      |    ^^^^^
    hint: did you mean `token`? known: token

    error: a second document starts here
     --> config.yaml:4:1
      |
    4 | ---
      | ^^^
    hint: keep one document per file: remove the `---`

    3 problems
    ");
}

#[test]
fn odd_keys_and_merges_of_no_mapping_are_refused() {
    insta::assert_snapshot!(shown("? [1, 2]\n: x\n: y\n<<: 5\n"), @r"
    error: a list or mapping cannot be a key
     --> config.yaml:1:3
      |
    1 | ? [1, 2]
      |   ^^^^^^
    hint: quote it to make it text

    error: a key is missing
     --> config.yaml:3:1
      |
    3 | : y
      | ^
    hint: write `key: value`

    error: `<<` merges mappings, not the number `5`
     --> config.yaml:4:5
      |
    4 | <<: 5
      |     ^
    hint: write `<<: *anchor` with the anchor of a mapping

    3 problems
    ");
}

#[test]
fn what_the_parser_stumbles_over_has_a_place_and_a_hint() {
    insta::assert_snapshot!(shown("a: b: c\n"), @r"
    error: a `: ` where no key can be
     --> config.yaml:1:5
      |
    1 | a: b: c
      |     ^
    hint: quote a text that holds `: `; check the indentation of this line and the one before
    ");
    insta::assert_snapshot!(shown("a: 'x\nb: 1\n"), @r"
    error: a quote that is never closed
     --> config.yaml:1:4
      |
    1 | a: 'x
      |    ^
    hint: close it on the same line
    ");
    insta::assert_snapshot!(shown("a: [1, 2\nb: 3\n"), @r"
    error: a `:` that belongs to no key
     --> config.yaml:2:2
      |
    2 | b: 3
      |  ^
    hint: close the bracket or brace that was opened before
    ");
    insta::assert_snapshot!(shown("a: @x\n"), @r"
    error: a text cannot start with `@`
     --> config.yaml:1:4
      |
    1 | a: @x
      |    ^
    hint: quote the text
    ");
    insta::assert_snapshot!(shown("- a\nb: 1\n"), @r"
    error: expected `- ` here
     --> config.yaml:2:1
      |
    2 | b: 1
      | ^
    hint: check the indentation of this line and the one before
    ");
}

#[test]
fn an_empty_text_is_a_problem() {
    insta::assert_snapshot!(shown("# nothing but this\n"), @r"
    error: there is nothing in this file
     --> config.yaml:1:1
      |
    1 | # nothing but this
      | ^
    hint: a configuration begins with `version: 1`, `environments:` and `scenarios:`
    ");
    for text in ["", "~", "---\n", "null\n"] {
        assert_eq!(parse(0, text).unwrap_err()[0].message, "there is nothing in this file", "{text:?}");
    }
}

#[test]
fn a_large_text_an_alias_bomb_and_deep_nesting_are_refused() {
    insta::assert_snapshot!(shown(&format!("a: {}", "x".repeat(2_100_000))), @r"
    error: the text is 2.0 MiB; at most 1 MiB
     --> config.yaml:1:1
      |
    1 | a: xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx...
      | ^
    ");
    let mut bomb = "l0: &l0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..9 {
        let aliases = vec![format!("*l{}", level - 1); 10].join(", ");
        writeln!(bomb, "l{level}: &l{level} [{aliases}]").unwrap();
    }
    insta::assert_snapshot!(shown(&bomb), @r"
    error: more than 20000 values, aliases expanded
     --> config.yaml:5:10
      |
    5 | l4: &l4 [*l3, *l3, *l3, *l3, *l3, *l3, *l3, *l3, *l3, *l3]
      |          ^^^
    hint: use fewer aliases, or move data to a file
    ");
    insta::assert_snapshot!(shown(&format!("a: {}", "[".repeat(100))), @r"
    error: nested deeper than 64 levels
     --> config.yaml:1:68
      |
    1 | a: [[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[
      |                                                                    ^
    ");
    assert!(shown(&"- ".repeat(1000)).contains("nested deeper than 64 levels"));
    assert!(parse(0, &format!("{}{}", "[".repeat(64), "]".repeat(64))).is_ok());
    assert!(shown("a: &a [*a]\n").contains("an alias inside of what it stands for"));
}

#[test]
fn aliases_do_not_hide_depth() {
    let mut text = "l0: &l0 [x]\n".to_owned();
    for level in 1..70 {
        writeln!(text, "l{level}: &l{level} [*l{}]", level - 1).unwrap();
    }
    assert!(shown(&text).contains("nested deeper than 64 levels"));
}

#[test]
fn a_value_inside_another_text_has_its_place_there() {
    let text = "load.stages=[{to: 5}]";
    let node = value(3, &text[12..], 12).unwrap();
    assert_eq!(at(&node, text), "[{to: 5}]");
    assert_eq!(at(node.items()[0].get("to").unwrap(), text), "5");
    assert_eq!(value(3, "", 12).unwrap().value, Value::Null);
    let problem = &value(3, "{{ x }}", 12).unwrap_err()[0];
    assert_eq!(problem.span, Some(Span { source: 3, start: 12, end: 19 }));
}

/// Texts of the characters that mean something to YAML, so that random ones get somewhere.
fn yaml_like() -> impl Strategy<Value = String> {
    proptest::collection::vec(
        proptest::sample::select(vec![
            "a", "b: ", "- ", "\n", "  ", "{", "}", "{{", "}}", "[", "]", ", ", "&x ", "*x", "<<: ", "'",
            "\"", "#", "\t", "é", "|\n", ">", "? ", ": ", "!!str ", "---\n", "...", "%", "\u{feff}", "\r\n",
            "\0", "1",
        ]),
        0..60,
    )
    .prop_map(|parts| parts.concat())
}

fn spans_are_in(text: &str, node: &Node) {
    assert!(text.get(node.span.start as usize..node.span.end as usize).is_some(), "{node:?}");
    node.items().iter().for_each(|item| spans_are_in(text, item));
    for (key, value) in node.entries() {
        assert!(text.get(key.span.start as usize..key.span.end as usize).is_some());
        spans_are_in(text, value);
    }
}

proptest! {
    #[test]
    fn no_text_makes_it_panic(text in prop_oneof![yaml_like(), any::<String>()]) {
        let mut sources = Sources::default();
        let source = sources.add("config.yaml", text.as_str());
        match parse(source, &text) {
            Ok(node) => spans_are_in(&text, &node),
            Err(problems) => {
                prop_assert!(!problems.is_empty());
                let shown = render(&problems, &sources, Color::Never);
                prop_assert!(shown.contains("config.yaml:"), "{}", shown);
            }
        }
    }
}
