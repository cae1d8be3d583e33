//! Bodies packed and in parts, streams and ranges, statuses and credentials, and what comes too slowly.

use super::{Httpbin, all_fine};
use crate::external::{count, kinds, never_fails, only_fails, samples, steady};

const SUITE: &str = include_str!("../fixtures/httpbin_bodies.yaml");

/// Runs a scenario in which nothing fails.
fn fine(scenario: &str, names: &[&str]) {
    let httpbin = Httpbin::start("HTTP/1.1");
    std::fs::write(httpbin.workspace.path("bytes.bin"), b"\x00\xff\r\n--\x00").expect("a file");
    httpbin.workspace.write("deep/folder.txt", "deep");
    let result = httpbin.run(SUITE, scenario, 0);
    all_fine(&result, names);
}

#[test]
fn what_looks_at_a_packed_body_sees_what_was_packed() {
    fine("packed", &["GET /gzip", "GET of gzip", "GET /deflate", "GET unread", "GET own", "GET /headers"]);
}

#[test]
fn no_packing_is_asked_for_where_nothing_is_said() {
    fine("plain", &["GET /headers", "GET /gzip"]);
}

#[test]
fn the_parts_of_a_form_arrive_each_with_its_name_and_type() {
    fine("parts", &["POST texts", "POST file", "POST bytes", "POST parts", "PUT parts"]);
}

#[test]
fn streams_ranges_and_bytes_are_read_to_their_end() {
    fine(
        "streams",
        &[
            "GET /stream/20",
            "GET streamed bytes",
            "GET bytes",
            "GET no bytes",
            "GET /range/100",
            "GET part",
            "GET no part",
            "GET drip",
            "GET /encoding/utf8",
            "GET /image/png",
        ],
    );
}

#[test]
fn a_status_that_is_expected_is_no_failure_and_credentials_are_sent_as_given() {
    fine(
        "statuses",
        &[
            "GET /status/200",
            "GET /status/204",
            "GET /status/304",
            "GET /status/404",
            "GET /status/418",
            "POST /status/500",
            "DELETE /status/404",
            "GET /basic-auth/ann/pw",
            "GET wrong password",
            "GET odd user",
            "GET /bearer",
            "GET no bearer",
        ],
    );
}

#[test]
fn what_is_slower_than_its_timeout_is_one_and_the_step_may_allow_more() {
    let httpbin = Httpbin::start("HTTP/1.1");
    let result = httpbin.run(SUITE, "slow", 3);
    assert_eq!(kinds(&result), ["timeout"]);
    for name in ["GET /delay/2", "GET slow drip", "GET late drip", "GET slow range"] {
        only_fails(&result, name, "timeout");
        assert!(samples(&result, name).contains("within 150ms"), "{}", result["failures"]);
        let slow = steady(&result, name);
        assert_eq!(count(&slow["response_time"]["n"]), count(&slow["failed"]["timeout"]), "{name}");
        let longest = slow["response_time"]["max_ms"].as_f64().expect("a time");
        assert!(longest >= 149.0, "{name}: it took at least as long as allowed, {longest}");
    }
    for name in ["GET allowed", "GET fine"] {
        never_fails(&result, name);
    }
}
