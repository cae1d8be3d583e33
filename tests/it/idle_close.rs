//! The close of an idle connection that meets a request on the way, in every way in which a connection can end.

use serde_json::{Value, json};

use crate::external::{Server, Trust, certify, count, kinds, names, result, run, whole};
use crate::harness::Workspace;
use loadgate::load::target::free_address;

const SERVER: &str = include_str!("fixtures/idle_close.py");
const ROUNDS: u64 = 3;

/// Runs rounds of a request that leaves a connection, and one that meets its close.
fn close_in(workspace: &Workspace, host: &str, ways: &[&str]) -> Value {
    let steps = ways.iter().flat_map(|way| [json!({"get": "/fine"}), json!({"get": way})]);
    let config = json!({
        "version": 1, "name": "closes",
        "environments": {"here": {"host": host, "users": 1, "run_time": "3s"}},
        "scenarios": {"s": {"users": {"u": {
            "wait": "10s",
            "steps": [{"repeat": ROUNDS, "steps": steps.collect::<Vec<_>>()}],
        }}}},
    });
    workspace.write("config.yaml", &config.to_string());
    result(&run(workspace, "s", Trust::Ours), 0)
}

#[test]
fn a_request_is_sent_again_however_the_idle_connection_ended() {
    let workspace = Workspace::new();
    certify(&workspace, &names(&["localhost"]));
    let tls_port = free_address().expect("a free port").port().to_string();
    let paths = ["cert.pem", "key.pem", "closing.sock"].map(|name| workspace.path(name));
    let [certificate, key, socket] = paths.each_ref().map(|path| path.to_str().expect("a path"));
    let server = Server::python(&workspace, SERVER, &[&tls_port, certificate, key, socket]);
    for (host, ways) in [
        (format!("http://{}", server.address), vec!["/fin", "/rst"]),
        // With and without a goodbye of TLS.
        (format!("https://localhost:{tls_port}"), vec!["/notify", "/fin", "/rst"]),
        (format!("unix:{socket}"), vec!["/fin"]),
    ] {
        let result = close_in(&workspace, &host, &ways);
        assert!(kinds(&result).is_empty(), "{host}: {}", result["failures"]);
        // What was sent again is the first on its connection, so each `/fine` behind it meets the close as well.
        for way in &ways {
            let endpoint = whole(&result, &format!("GET {way}"));
            assert_eq!(count(&endpoint["ok"]), ROUNDS, "{host} {way}");
            assert_eq!(count(&endpoint["retried_on_close"]), ROUNDS, "{host} {way}");
        }
    }
}
