//! Against servers that nobody here wrote: nginx, httpbin, and Python's `websockets`.

use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use loadgate::load::target::free_address;
use serde_json::Value;

use crate::harness::{Finished, Workspace, poll_until};

const NGINX: &str = include_str!("fixtures/nginx.conf");
const WEBSOCKETS: &str = include_str!("fixtures/websockets.py");
const HTTPBIN_SUITE: &str = include_str!("fixtures/httpbin.yaml");
const WEBSOCKET_SUITE: &str = include_str!("fixtures/websockets.yaml");

/// A server in a process of its own; ended when dropped.
struct Server {
    child: Child,
    address: String,
}

impl Server {
    fn start(mut command: Command, address: String) -> Self {
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let child = command
            .spawn()
            .unwrap_or_else(|error| panic!("{command:?}: {error}; test.sh installs what is missing"));
        let mut server = Self { child, address };
        poll_until(Duration::from_secs(30), "the server takes connections", || {
            assert!(
                server.child.try_wait().expect("a child").is_none(),
                "{command:?} ended; test.sh installs what is missing"
            );
            TcpStream::connect(&server.address).is_ok()
        });
        server
    }

    /// Debian's Python, where Debian's packages are.
    fn python(arguments: impl Fn(u16) -> Vec<String>) -> Self {
        let address = free_address().expect("a free port");
        let mut command = Command::new("/usr/bin/python3");
        command.args(arguments(address.port()));
        Self::start(command, address.to_string())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// nginx with a page, a chunked page, a dead upstream, and the same over TLS. `keepalive_requests` is 5.
fn nginx(workspace: &Workspace) -> (Server, String) {
    let authority = rcgen::KeyPair::generate().and_then(|key| {
        let mut params = rcgen::CertificateParams::new(vec![])?;
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        Ok((params.self_signed(&key)?.pem(), rcgen::Issuer::new(params, key)))
    });
    let (ca, issuer) = authority.expect("an authority");
    let key = rcgen::KeyPair::generate().expect("a key");
    let params = rcgen::CertificateParams::new(vec!["localhost".into()]).expect("a name");
    workspace.write("ca.pem", &ca);
    workspace.write("cert.pem", &params.signed_by(&key, &issuer).expect("a certificate").pem());
    workspace.write("key.pem", &key.serialize_pem());
    workspace.write("www/page.txt", &"a page\n".repeat(20_000));
    workspace.write("www/included.txt", "<!--# echo var=\"request_uri\" --> included");
    let (plain, tls) = (free_address().expect("a port"), free_address().expect("a port"));
    let root = workspace.path("");
    let config = NGINX
        .replace("@ROOT@", root.to_str().expect("a path"))
        .replace("@PLAIN@", &plain.to_string())
        .replace("@TLS@", &tls.to_string());
    let mut command = Command::new("nginx");
    command.arg("-c").arg(workspace.write("nginx.conf", &config));
    (Server::start(command, plain.to_string()), format!("https://localhost:{}", tls.port()))
}

fn nginx_suite(host: &str) -> String {
    format!(
        "version: 1\nname: nginx\nenvironments: {{here: {{host: '{host}', users: 3, run_time: 2s}}}}\nthresholds: {{error_rate: 1%}}\n\
         scenarios:\n  s:\n    users: {{u: {{wait: 10ms, tasks: {{pages: 5, dead: 1}}}}}}\n    tasks:\n      \
         pages: [{{get: /page.txt, expect: {{contains: a page}}}}, {{get: /chunked/included.txt, expect: {{contains: included}}}}, {{head: /page.txt}}]\n      \
         dead: [{{get: /dead}}]\n"
    )
}

fn result(finished: &Finished) -> Value {
    finished.result().unwrap_or_else(|| panic!("no result\n{}", finished.stderr))
}

fn endpoint<'a>(result: &'a Value, name: &str) -> &'a Value {
    let all = result["endpoints"].as_array().expect("endpoints");
    all.iter().find(|endpoint| endpoint["name"] == name).unwrap_or_else(|| panic!("no {name} in {all:?}"))
}

/// What nginx answers, over whichever connection: pages succeed, the dead upstream is a status.
fn holds_for_nginx(finished: &Finished) -> Value {
    assert_eq!(finished.code(), 3, "the dead upstream breaks the objective\n{}", finished.stdout);
    let result = result(finished);
    for page in ["GET /page.txt", "GET /chunked/included.txt", "HEAD /page.txt"] {
        assert!(endpoint(&result, page)["ok"].as_u64() > Some(10), "{page}");
        assert_eq!(endpoint(&result, page)["failed"], serde_json::json!({}), "{page}");
    }
    assert_eq!(endpoint(&result, "GET /dead")["ok"], 0);
    assert!(endpoint(&result, "GET /dead")["failed"]["status"].as_u64() > Some(0));
    let connects: u64 = opened(&result, "connect_ms");
    let requests = result["whole_run"]["ok"].as_u64().unwrap_or(0)
        + result["whole_run"]["failed"]["status"].as_u64().unwrap_or(0);
    // The server closes after five requests; nothing opens a connection more often than that.
    assert!(
        (requests / 5..=requests / 5 + 3).contains(&connects),
        "{connects} connections for {requests} requests"
    );
    result
}

fn opened(result: &Value, phase: &str) -> u64 {
    let all = result["endpoints"].as_array().expect("endpoints");
    all.iter().filter_map(|endpoint| endpoint["phases"][phase]["n"].as_u64()).sum()
}

#[test]
fn nginx_is_spoken_to_over_kept_connections() {
    let workspace = Workspace::new();
    let (server, _) = nginx(&workspace);
    workspace.write("config.yaml", &nginx_suite(&format!("http://{}", server.address)));
    let result = holds_for_nginx(&workspace.run(&["run", "--quiet"]));
    assert_eq!(opened(&result, "tls_ms"), 0);
}

#[test]
fn nginx_is_trusted_over_tls_where_its_authority_is() {
    let workspace = Workspace::new();
    let (_server, url) = nginx(&workspace);
    workspace.write("config.yaml", &nginx_suite(&url));
    let mut trusting = workspace.command(&["run", "--quiet"]);
    trusting.env("SSL_CERT_FILE", workspace.path("ca.pem"));
    let result = holds_for_nginx(&workspace.finish(trusting));
    assert_eq!(opened(&result, "tls_ms"), opened(&result, "connect_ms"));
}

#[test]
fn nginx_is_not_trusted_over_tls_where_its_authority_is_not() {
    let workspace = Workspace::new();
    let (_server, url) = nginx(&workspace);
    workspace.write("config.yaml", &nginx_suite(&url));
    let mut wary = workspace.command(&["run", "--quiet"]);
    wary.env_remove("SSL_CERT_FILE").env_remove("SSL_CERT_DIR");
    let finished = workspace.finish(wary);
    assert_eq!(finished.code(), 3, "{}", finished.stdout);
    let failed = result(&finished)["whole_run"]["failed"].clone();
    assert_eq!(failed.as_object().expect("kinds").keys().collect::<Vec<_>>(), ["tls"], "{failed}");
}

#[test]
fn httpbin_sees_what_was_meant() {
    let server = Server::python(|port| {
        vec!["-c".into(), format!("import httpbin; httpbin.app.run(port={port}, threaded=True)")]
    });
    let workspace = Workspace::with_config(&HTTPBIN_SUITE.replace("@HOST@", &server.address));
    workspace.write("accounts.csv", "email,id\na@example.com,1\nb@example.com,2\n");
    workspace.write("body.bin", "the bytes of a file");
    let mut command = workspace.command(&["run", "--quiet"]);
    command.env("SUITE_SECRET", "hush-hush-hush");
    let finished = workspace.finish(command);
    let result = result(&finished);
    let failed = result["whole_run"]["failed"].as_object().expect("kinds");
    assert_eq!(failed.keys().collect::<Vec<_>>(), ["status", "timeout"], "{}", result["failures"]);
    for (name, kind) in [("GET /status/503", "status"), ("GET /delay/5", "timeout")] {
        assert!(endpoint(&result, name)["failed"][kind].as_u64() > Some(0), "{name}");
    }
    for metric in result["metrics"].as_array().expect("metrics") {
        assert!(metric["ok"].as_u64() > Some(0), "{metric}");
    }
    let text = std::fs::read_to_string(workspace.path("reports/latest/result.json")).expect("a result");
    assert!(!text.contains("hush-hush-hush") && !finished.stdout.contains("hush-hush-hush"));
}

#[test]
fn a_python_server_of_websockets_is_understood() {
    let workspace = Workspace::new();
    let script = workspace.write("server.py", WEBSOCKETS).display().to_string();
    let server = Server::python(|port| vec![script.clone(), port.to_string()]);
    workspace.write("config.yaml", &WEBSOCKET_SUITE.replace("@HOST@", &server.address));
    let finished = workspace.run(&["run", "--quiet"]);
    let result = result(&finished);
    for name in ["WS /echo", "WS /large", "WS /fragments", "WS with a subprotocol"] {
        assert!(endpoint(&result, name)["ok"].as_u64() > Some(0), "{name}");
        assert_eq!(
            endpoint(&result, name)["failed"],
            serde_json::json!({}),
            "{name}: {}",
            result["failures"]
        );
    }
    assert!(endpoint(&result, "WS /leave")["websocket"]["unexpected_closes"].as_u64() > Some(0));
    assert!(endpoint(&result, "WS /leave")["failed"]["websocket_close"].as_u64() > Some(0));
    assert!(endpoint(&result, "WS /silence")["websocket"]["missing_messages"].as_u64() > Some(0));
    assert!(endpoint(&result, "WS /silence")["failed"]["missing_message"].as_u64() > Some(0));
    assert_eq!(endpoint(&result, "WS /forbidden")["ok"], 0);
    assert!(endpoint(&result, "WS /forbidden")["failed"]["status"].as_u64() > Some(0));
}
