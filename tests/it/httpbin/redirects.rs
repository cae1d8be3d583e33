//! Redirects: where they lead, what is sent there, where they end.

use serde_json::Value;

use super::{Httpbin, all_fine};
use crate::external::{count, kinds, never_fails, only_fails, samples, whole};

const SUITE: &str = include_str!("../fixtures/httpbin_redirects.yaml");

fn run(scenario: &str, code: i32) -> (Httpbin, Value) {
    let httpbin = Httpbin::start("HTTP/1.1");
    let other = httpbin.server.address.replace("127.0.0.1", "localhost");
    let result = httpbin.run(&SUITE.replace("@OTHER@", &other), scenario, code);
    (httpbin, result)
}

/// How many requests of an endpoint were answered for each time its step was performed.
fn hops(result: &Value, name: &str, performed: u64) -> u64 {
    let endpoint = whole(result, name);
    let all = count(&endpoint["ok"])
        + endpoint["failed"].as_object().expect("kinds").values().map(count).sum::<u64>();
    assert!(performed > 0 && all.is_multiple_of(performed), "{name}: {all} in {performed}");
    all / performed
}

#[test]
fn each_request_of_a_redirect_is_counted_under_the_endpoint_of_its_step() {
    let (httpbin, result) = run("followed", 0);
    let names = ["GET /redirect/3", "GET /relative-redirect/2", "GET /absolute-redirect/2", "GET once"];
    all_fine(&result, &names);
    all_fine(&result, &["GET captured"]);
    for (name, path, requests) in [
        (names[0], "/redirect/3 ", 4),
        (names[1], "/relative-redirect/2 ", 3),
        (names[2], "/absolute-redirect/2 ", 3),
        (names[3], "/redirect-to?", 2),
    ] {
        // The way of the first leads over the pages of the second; only whole ways are counted.
        let performed = httpbin.asked(&format!("\"GET {path}"));
        let performed =
            if name == names[1] { performed - httpbin.asked("\"GET /redirect/3 ") } else { performed };
        assert_eq!(hops(&result, name, performed), requests, "{name}");
    }
    assert_eq!(httpbin.asked("\"GET "), count(&result["whole_run"]["ok"]), "no other request was made");
}

#[test]
fn another_host_is_told_no_secrets() {
    let (_, result) = run("abroad", 0);
    all_fine(&result, &["GET bearer", "GET basic", "GET at home"]);
}

#[test]
fn a_redirect_changes_the_method_as_browsers_do() {
    let (httpbin, result) = run("methods", 0);
    all_fine(
        &result,
        &[
            "POST 301",
            "POST 302",
            "POST 303",
            "PUT 303",
            "DELETE 303",
            "POST 307",
            "POST 308",
            "PUT 302",
            "POST parts",
            "HEAD 303",
        ],
    );
    assert_eq!(2 * httpbin.asked("\"HEAD /get "), count(&whole(&result, "HEAD 303")["ok"]));
}

#[test]
fn a_redirect_that_is_expected_or_not_to_be_followed_is_the_answer() {
    let (httpbin, result) = run("kept", 0);
    let names = ["GET none", "GET expected", "GET expected class", "GET either", "GET 304"];
    all_fine(&result, &names);
    assert_eq!(httpbin.asked("\"GET /get") + httpbin.asked("\"GET /relative-redirect"), 0);
    assert_eq!(httpbin.asked("\"GET "), count(&result["whole_run"]["ok"]));
}

#[test]
fn a_step_follows_where_its_scenario_does_not() {
    let (httpbin, result) = run("unfollowed", 0);
    all_fine(&result, &["GET none", "GET two"]);
    let ok = |name: &str| count(&whole(&result, name)["ok"]);
    assert_eq!(ok("GET two"), 3 * httpbin.asked("\"GET /get "));
    assert_eq!(
        httpbin.asked("\"GET /redirect/2 "),
        ok("GET none") + httpbin.asked("\"GET /relative-redirect/1 ")
    );
}

#[test]
fn a_redirect_that_leads_nowhere_is_a_failure_and_the_way_there_is_not() {
    let (httpbin, result) = run("limited", 3);
    assert_eq!(kinds(&result), ["connect", "protocol", "status", "timeout"]);
    let failed = |name: &str, kind: &str| {
        let endpoint = whole(&result, name);
        assert_eq!(endpoint["failed"].as_object().expect("kinds").len(), 1, "{name}: {endpoint}");
        (count(&endpoint["ok"]), count(&endpoint["failed"][kind]))
    };
    // The answer that says one time too often to go elsewhere is the failure.
    let (ok, protocol) = failed("GET too many", "protocol");
    assert!(protocol > 0 && ok == 3 * protocol, "{ok} {protocol}");
    assert_eq!(httpbin.asked("\"GET /relative-redirect/3 "), protocol);
    let (ok, protocol) = failed("GET fewer allowed", "protocol");
    assert!(protocol > 0 && ok == protocol, "{ok} {protocol}");
    for (name, says) in
        [("GET too many", "`redirects`"), ("GET nowhere", "`gopher`"), ("GET failing", "status 503")]
    {
        assert!(samples(&result, name).contains(says), "{name}: {}", result["failures"]);
    }
    only_fails(&result, "GET nowhere", "protocol");
    for (name, kind) in [("GET failing", "status"), ("GET slow", "timeout"), ("GET closed", "connect")] {
        let (ok, failures) = failed(name, kind);
        assert!(failures > 0 && ok == failures, "{name}: {ok} {failures}");
    }
    all_fine_of(&result, "GET enough", 4);
    all_fine_of(&result, "GET fine", 1);
}

fn all_fine_of(result: &Value, name: &str, requests: u64) {
    never_fails(result, name);
    assert_eq!(count(&whole(result, name)["ok"]) % requests, 0, "{name}");
}
