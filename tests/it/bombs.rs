//! Small inputs that stand for something enormous: each is refused with its place and its limit, never by a signal.

use serde_json::Value;

use crate::harness::Workspace;

/// A configuration with this as its only step.
fn config(step: &str) -> String {
    format!(
        "version: 1\nenvironments: {{e: {{host: 'http://127.0.0.1:9', users: 1, run_time: 1s}}}}\n\
         scenarios:\n  s:\n    users:\n      u:\n        steps:\n          - {step}\n"
    )
}

/// Checks a configuration, beside this file, and expects that it is refused in few words, these among them.
fn refused(text: &str, file: Option<(&str, &str)>, said: &[&str]) {
    let workspace = Workspace::with_config(text);
    if let Some((name, content)) = file {
        workspace.write(name, content);
    }
    let finished = workspace.run(&["check"]);
    let shown: String = finished.stderr.chars().take(2_000).collect();
    assert_eq!(finished.code(), 2, "{shown}");
    assert!(finished.stderr.len() < 100_000, "{} bytes are said:\n{shown}", finished.stderr.len());
    for part in said {
        assert!(finished.stderr.contains(part), "`{part}` is missing in\n{shown}");
    }
}

fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}

#[test]
fn expressions() {
    let n = 50_000;
    for expression in [
        format!("{}1{}", "(".repeat(n), ")".repeat(n)),
        format!("{}user", "not ".repeat(n)),
        format!("user{}", ".b".repeat(n)),
        format!("1{}", " + 1".repeat(n)),
        format!("1{}", "|abs".repeat(n)),
    ] {
        let template = format!("{{{{ {expression} }}}}");
        let said = ["config.yaml:8:", "nested deeper than 200 levels", "hint: "];
        refused(&config(&format!("{{post: /a, raw: {}}}", quoted(&template))), None, &said);
        refused(&config(&format!("{{get: /a, when: {}}}", quoted(&expression))), None, &said);
    }
    for expression in ["[0] * 100000000", "5 in ([0] * 100000000)"] {
        let said = ["config.yaml:8:", "more than 100000 items", "hint: "];
        refused(&config(&format!("{{get: /a, when: {}}}", quoted(expression))), None, &said);
    }
    let many = "{{1}}".repeat(20_000);
    refused(
        &config(&format!("{{post: /a, raw: {}}}", quoted(&many))),
        None,
        &["config.yaml:8:", "more than 10000 expressions", "hint: "],
    );
}

#[test]
fn paths_and_patterns() {
    let capture = |source: &str| config(&format!("{{get: /a, capture: {{x: {source}}}}}"));
    for path in [
        format!("$[?{}@.a{}]", "(".repeat(4_000 / 2), ")".repeat(4_000 / 2)),
        format!("$[?{}@.a{}]", "!(".repeat(1_000), ")".repeat(1_000)),
        format!("${}{}", "[?@".repeat(1_000), "]".repeat(1_000)),
    ] {
        let said = ["config.yaml:8:", "nested deeper than", "hint: "];
        refused(&capture(&quoted(&path)), None, &said);
        let expect = format!("{{get: /a, expect: {{json: {{{}: 1}}}}}}", quoted(&path[..900]));
        refused(&config(&expect), None, &said);
    }
    refused(&capture(&quoted(&format!("${}", ".a".repeat(9_000)))), None, &["at most 4096", "hint: "]);
    for pattern in ["(a{1000}){1000}", "((a{100}){100}){100}", "a{999999999}", "\\w{100000}"] {
        refused(
            &capture(&format!("{{regex: {}}}", quoted(pattern))),
            None,
            &["config.yaml:8:", "takes too much memory", "hint: "],
        );
    }
}

#[test]
fn tasks_that_run_each_other() {
    let tasks = (0..40)
        .map(|at| format!("      t{at}: [{{run: t{0}}}, {{run: t{0}}}]\n", at + 1))
        .collect::<Vec<_>>()
        .concat();
    let text = format!(
        "version: 1\nenvironments: {{e: {{host: 'http://127.0.0.1:9', users: 1, run_time: 1s}}}}\n\
         scenarios:\n  s:\n    users: {{u: {{tasks: {{t0: 1}}}}}}\n    tasks:\n{tasks}      t40: [{{get: /a}}]\n"
    );
    refused(&text, None, &["config.yaml:", "more than 100000 steps", "hint: "]);
}

#[test]
fn yaml() {
    let laughs = (1..20)
        .map(|at| format!("a{at}: &a{at} [{}]\n", vec![format!("*a{}", at - 1); 9].join(",")))
        .collect::<Vec<_>>()
        .concat();
    let keys = (0..9_000).map(|at| format!("k{at}: 1\n")).collect::<Vec<_>>().concat();
    for (text, said) in [
        ("[".repeat(500_000), "nested deeper than 64 levels"),
        ("{a: ".repeat(200_000), "nested deeper than 64 levels"),
        ("- ".repeat(300_000), "nested deeper than 64 levels"),
        (format!("a0: &a0 [x]\n{laughs}"), "more than 20000 values"),
        (format!("{}\n", "k: 1\n".repeat(50_000)), "more than 20000 values"),
        (keys, "the first 100 of which are shown"),
        (
            config("{get: /a}").replace("run_time: 1s", &format!("run_time: {}s", "9".repeat(500_000))),
            "hours",
        ),
    ] {
        refused(&text, None, &["config.yaml:", said]);
    }
}

#[test]
fn data_files() {
    let with = |file: &str| {
        config("{get: '/a?{{ d }}'}")
            .replace("    users:\n", &format!("    data: {{d: {{file: {file}}}}}\n    users:\n"))
    };
    let columns: Vec<String> = (0..200_000).map(|at| format!("c{at}")).collect();
    let cells = vec!["1"; 200_000].join(",");
    refused(
        &with("d.csv"),
        Some(("d.csv", &format!("{}\n{cells}\n", columns.join(",")))),
        &["config.yaml:", "line 1 has more than 16384 columns", "hint: "],
    );
    refused(
        &with("d.json"),
        Some(("d.json", &"[".repeat(1_000_000))),
        &["config.yaml:", "nested deeper than 127 levels", "hint: "],
    );
    refused(
        &with("d.csv"),
        Some(("d.csv", &format!("a\n\"{}", "\"\"".repeat(1_000_000)))),
        &["never closed"],
    );
}

#[test]
fn flags() {
    let workspace = Workspace::with_config(&config("{get: /a}"));
    let (deep, long) = (format!("thresholds={}", "[".repeat(60_000)), format!("{}s", "9".repeat(60_000)));
    for (arguments, said) in [
        (["--set", &deep], "nested deeper than 64 levels"),
        (["--run-time", &long], "longer than"),
        (["--users", &long], "not a whole number"),
    ] {
        let finished = workspace.run(&[&["check"], &arguments[..]].concat());
        assert_eq!(finished.code(), 2);
        assert!(finished.stderr.len() < 10_000 && finished.stderr.contains(said), "{}", finished.stderr);
    }
}
