//! Mistakes in what the user wrote: exit 2, all of them at once, each with its place and what would be valid.

use crate::harness::Workspace;

/// A configuration in which one thing can be spoilt.
const GOOD: &str = r#"version: 1
name: shop
environments:
  here: {host: "http://127.0.0.1:9", users: 2, run_time: 1s}
thresholds: {p95: 1s}
scenarios:
  browse:
    users:
      visitor: {wait: 10ms, tasks: {look: 1}}
    tasks:
      look: [{get: /items}]
"#;

/// Checks a configuration, expects exit 2, returns what was said.
fn refused(config: &str) -> String {
    let finished = Workspace::with_config(config).run(&["check"]);
    assert_eq!(finished.code(), 2, "{}\n{}", finished.stdout, finished.stderr);
    assert_eq!(finished.stdout, "", "nothing but data belongs on stdout");
    finished.stderr
}

fn said(said: &str, all: &[&str]) {
    for part in all {
        assert!(said.contains(part), "`{part}` is missing in\n{said}");
    }
}

#[test]
fn a_good_configuration_is_explained() {
    let finished = Workspace::with_config(GOOD).run(&["check"]);
    assert_eq!(finished.code(), 0, "{}", finished.stderr);
    said(&finished.stdout, &["browse", "visitor", "GET /items", "p95"]);
}

#[test]
fn one_mistake_is_told_with_its_place_and_what_would_be_valid() {
    for (good, bad, parts) in [
        (
            "thresholds:",
            "threshholds:",
            &["config.yaml:5:1", "`threshholds`", "did you mean `thresholds`"][..],
        ),
        ("p95: 1s", "p95th: 1s", &["config.yaml:5:14", "did you mean `p95`"]),
        ("users: 2,", "users: many,", &["config.yaml:4:45", "`many`"]),
        ("run_time: 1s", "run_time: 5 parsecs", &["config.yaml:4", "`5 parsecs`", "`500ms`"]),
        (
            "thresholds:",
            "timeout: 3000000000000000h\nthresholds:",
            &["config.yaml:5:10", "`3000000000000000h` is longer than 10000 hours", "write `10000h` or less"],
        ),
        ("wait: 10ms", "wait: 1s..10001h", &["config.yaml:9", "`10001h` is longer", "`10000h` or less"]),
        (
            "wait: 10ms",
            "wait: {throughput: 0.00000000000000000001/s}",
            &["config.yaml:9", "`0.00000000000000000001/s` is less than one start in 10000 hours", "`10/s`"],
        ),
        ("{get: /items}", "{get: '/items/{{ itme }}'}", &["config.yaml:11", "`itme`"]),
        ("tasks: {look: 1}", "tasks: {lok: 1}", &["config.yaml:9", "`lok`", "did you mean `look`"]),
        ("tasks: {look: 1}", "tasks: {look: 0}", &["config.yaml:9", "zero"]),
        ("users: 2,", "users: 2, arrivals: 5/s,", &["config.yaml:4", "arrivals"]),
        (
            "{get: /items}",
            "{get: /items, headers: {A: \"{{ env('NOT_SET_HERE') }}\"}}",
            &["config.yaml:11", "NOT_SET_HERE"],
        ),
        ("    users:\n", "    data: {rows: {file: no.csv}}\n    users:\n", &["config.yaml:8", "no.csv"]),
        ("{get: /items}", "{get: {{ x }}}", &["config.yaml:11", "quote"]),
    ] {
        said(&refused(&GOOD.replacen(good, bad, 1)), parts);
    }
}

#[test]
fn a_way_to_speak_http_that_there_is_not_is_pointed_at() {
    for (bad, parts) in [
        ("{version: 3}", &["config.yaml:5:17", "`3`", "known: auto, 1.1, 2"][..]),
        ("{keep_alive: always}", &["config.yaml:5:20", "`always`"]),
        ("{redirects: -1}", &["config.yaml:5:19", "`-1`"]),
        ("{redirects: 51}", &["config.yaml:5:19", "`51`", "50"]),
        ("{accept_encoding: [gzip, br]}", &["config.yaml:5:32", "`br`", "gzip"]),
        ("{cookie: false}", &["config.yaml:5:8", "did you mean `cookies`"]),
        ("[auto]", &["config.yaml:5:7", "a list"]),
    ] {
        said(&refused(&GOOD.replace("thresholds:", &format!("http: {bad}\nthresholds:"))), parts);
    }
    for (bad, parts) in [
        ("multipart: {a: b}, json: {}", &["config.yaml:11", "multipart", "json"][..]),
        ("multipart: {a: {text: b, file: c}}", &["config.yaml:11", "text", "file"]),
        ("multipart: {a: {file: none.bin}}", &["config.yaml:11", "none.bin"]),
        ("multipart: {a: \"{{ itme }}\"}", &["config.yaml:11", "`itme`"]),
        ("redirects: many", &["config.yaml:11", "`many`"]),
        ("timeout: soon", &["config.yaml:11", "`soon`"]),
    ] {
        let step = format!("{{post: /items, {bad}}}");
        said(&refused(&GOOD.replace("{get: /items}", &step)), parts);
    }
}

#[test]
fn all_mistakes_are_told_at_once() {
    let bad = GOOD
        .replace("wait: 10ms", "wiat: 10ms")
        .replace("p95: 1s", "p96: 1s")
        .replace("{look: 1}", "{look: 1, lok: 2}");
    said(&refused(&bad), &["`wiat`", "`p96`", "`lok`", "3 problems"]);
}

#[test]
fn a_load_that_is_wrong_is_not_called_missing_too() {
    for (bad, part) in [
        ("users: many,", "`many` is not a whole number"),
        ("users: [2],", "expected a whole number, found a list"),
        ("users: 2, load: {arrivals: 5/s},", "both `load` and `users`"),
    ] {
        let stderr = refused(&GOOD.replace("users: 2,", bad));
        said(&stderr, &["config.yaml:4", part]);
        assert!(!stderr.contains("nothing says") && !stderr.contains("problems"), "{stderr}");
    }
    said(&refused(&GOOD.replace("users: 2,", "users: null,")), &["nothing says how much load"]);
}

#[test]
fn a_variable_of_the_environment_is_pointed_at_by_its_name() {
    let workspace = Workspace::with_config(GOOD);
    let mut command = workspace.command(&["check"]);
    command.env("LOADGATE_USERS", "ten");
    let finished = workspace.finish(command);
    assert_eq!(finished.code(), 2);
    said(&finished.stderr, &["LOADGATE_USERS:1:1", "`ten`"]);
    assert!(!finished.stderr.contains("nothing says"), "{}", finished.stderr);
}

#[test]
fn a_column_that_the_data_file_does_not_have_is_found() {
    let config = GOOD
        .replacen("    users:\n", "    data: {accounts: {file: accounts.csv}}\n    users:\n", 1)
        .replace("/items}", "'/items?u={{ accounts.emial }}'}");
    let workspace = Workspace::with_config(&config);
    workspace.write("accounts.csv", "email,id\na@example.com,1\n");
    let finished = workspace.run(&["check"]);
    assert_eq!(finished.code(), 2, "{}", finished.stderr);
    said(&finished.stderr, &["emial", "email"]);
}

#[test]
fn bombs_and_floods_are_refused_quickly() {
    let bomb = (1..12).fold("a0: &a0 [x, x, x, x, x, x, x, x, x]\n".to_owned(), |text, level| {
        let aliases = vec![format!("*a{}", level - 1); 9].join(", ");
        format!("{text}a{level}: &a{level} [{aliases}]\n")
    });
    said(&refused(&bomb), &["config.yaml:", "aliases"]);
    said(&refused(&"# flood\n".repeat(262_144)), &["2 MiB", "at most 1 MiB"]);
}

#[test]
fn unknown_names_on_the_command_line_say_what_there_is() {
    for (arguments, parts) in [
        (&["check", "brwose"][..], &["`brwose`", "did you mean `browse`"][..]),
        (&["check", "-e", "heer"], &["`heer`", "did you mean `here`"]),
        (&["check", "--set", "thresholds.p95"], &["KEY=VALUE"]),
        (&["check", "--users", "ten"], &["--users", "`ten`"]),
    ] {
        let finished = Workspace::with_config(GOOD).run(arguments);
        assert_eq!(finished.code(), 2, "{}", finished.stderr);
        said(&finished.stderr, parts);
    }
}

#[test]
fn without_a_configuration_the_way_to_one_is_shown() {
    let finished = Workspace::new().run(&["run"]);
    assert_eq!(finished.code(), 2);
    said(&finished.stderr, &["config.yaml", "loadgate init", "loadgate run --demo"]);
}

#[test]
fn a_protected_environment_must_be_allowed_by_hand() {
    let workspace = Workspace::with_config(&GOOD.replace("users: 2,", "users: 2, protected: true,"));
    let finished = workspace.run(&["run"]);
    assert_eq!(finished.code(), 2);
    said(&finished.stderr, &["protected", "--allow-protected"]);
    // Allowed, it goes on to find that nobody listens there.
    assert_eq!(workspace.run(&["run", "--allow-protected"]).code(), 1);
}

#[test]
fn a_client_key_in_another_form_is_named_with_the_command_that_converts_it() {
    let config = GOOD
        .replace("http://127.0.0.1:9", "https://127.0.0.1:9")
        .replace("run_time: 1s}", "run_time: 1s, tls: {certificate: cert.pem, key: client.key}}");
    let certified = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
    let key = certified.signing_key.serialize_der();
    // The beginning of RFC 7292: a sequence whose first member is the version, 3.
    let pkcs12 = [&[0x30, 0x82, 0x03, 0xe8, 0x02, 0x01, 0x03][..], &[0; 100]].concat();
    let encrypted = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMAA=\n-----END ENCRYPTED PRIVATE KEY-----\n";
    let openssh = "-----BEGIN OPENSSH PRIVATE KEY-----\nMAA=\n-----END OPENSSH PRIVATE KEY-----\n";
    for (content, what, command) in [
        (&pkcs12[..], "is PKCS#12", "openssl pkcs12 -in client.key -nodes"),
        (&key, "is a private key in DER", "openssl pkey -inform DER -in client.key"),
        (encrypted.as_bytes(), "is encrypted", "openssl pkey -in client.key"),
        (openssh.as_bytes(), "is a key of OpenSSH", "ssh-keygen -p -m PEM -f client.key"),
    ] {
        let workspace = Workspace::with_config(&config);
        workspace.write("cert.pem", &certified.cert.pem());
        std::fs::write(workspace.path("client.key"), content).expect("a file");
        let finished = workspace.run(&["check"]);
        assert_eq!(finished.code(), 2);
        said(&finished.stderr, &["config.yaml:4:", "client.key", what, command]);
    }
    let workspace = Workspace::with_config(&config);
    workspace.write("cert.pem", &certified.cert.pem());
    workspace.write("client.key", &certified.signing_key.serialize_pem());
    assert_eq!(workspace.run(&["check"]).code(), 0);
}

#[test]
fn words_of_other_tools_are_told_what_does_the_same() {
    for (good, bad, parts) in [
        ("p95: 1s", "p9999: 1s", &["config.yaml:5:14", "`p9999`", "p50, p75, p90, p95, p99, p999"][..]),
        ("p95: 1s", "p99.5: 1s", &["`p99.5`", "`p999` is 99.9 %"]),
        ("p95: 1s", "errors: 5", &["`errors`", "`error_rate: 1%`"]),
        ("{get: /items}", "{grpc: a.B/c}", &["config.yaml:11", "`grpc`", "not spoken in this version"]),
        ("{get: /items}", "{graphql: '{a}'}", &["`graphql`", "`post: /graphql`"]),
        ("{get: /items}", "{events: /a}", &["`events`", "server-sent events"]),
        ("{get: /items}", "{get: /a, events: 3}", &["`events`", "server-sent events"]),
        (
            "{get: /items}",
            "{request: PURGE, url: /a}",
            &["`request`", "write `request: {method: PURGE, path: /…}`"],
        ),
    ] {
        said(&refused(&GOOD.replacen(good, bad, 1)), parts);
    }
}
