//! Connections kept and closed, every way to end a body, methods, faults, TLS.

use super::{LARGE, Nginx, USERS, sent};
use crate::external::{Trust, count, kinds, names, never_fails, only_fails, opened, samples, steady, whole};

#[test]
fn a_user_keeps_one_connection_whatever_answers_look_like() {
    let nginx = Nginx::plain("");
    let result = nginx.run("pages", 0);
    assert!(kinds(&result).is_empty(), "{}", result["failures"]);
    let log = nginx.agrees_with(&result);
    assert_eq!(log.connections().len() as u64, USERS);
    assert_eq!(opened(&result, "connect_ms"), USERS);
    assert_eq!(opened(&result, "tls_ms"), 0);
    for (name, logged) in [
        ("GET /chunked/included.txt", "200 GET /chunked/included.txt"),
        ("GET /proxied/included.txt", "200 GET /proxied/included.txt"),
        ("HEAD /page.txt", "200 HEAD /page.txt"),
        ("GET unmodified", "304 GET /page.txt"),
        ("GET part", "206 GET /page.txt"),
        ("GET /moved", "301 GET /moved"),
        ("OPTIONS /nothing", "204 OPTIONS /nothing"),
        ("POST /nothing", "204 POST /nothing"),
    ] {
        never_fails(&result, name);
        assert_eq!(whole(&result, name)["ok"], log.requests()[logged], "{name}");
    }
    for name in ["PUT /files/{}.txt", "GET /files/{}.txt", "DELETE /files/{}.txt", "GET deleted"] {
        never_fails(&result, name);
    }
}

#[test]
fn a_connection_that_the_server_closes_after_five_requests_is_opened_again() {
    let nginx = Nginx::plain("keepalive_requests 5;");
    let result = nginx.run("pages", 0);
    assert!(kinds(&result).is_empty(), "{}", result["failures"]);
    let connections = nginx.agrees_with(&result).connections().len() as u64;
    // Every user fills its connections one after the other; only its last may hold fewer than five.
    let fewest = sent(&result).div_ceil(5);
    assert!((fewest..fewest + USERS).contains(&connections), "{connections} for {}", sent(&result));
    // What the last requests opened may have ended after the steady phase.
    assert!((connections - USERS..=connections).contains(&opened(&result, "connect_ms")));
}

#[test]
fn a_connection_that_the_server_closes_while_idle_is_no_failure() {
    let nginx = Nginx::plain("keepalive_timeout 50ms;");
    let result = nginx.run("idle", 0);
    assert!(kinds(&result).is_empty(), "{}", result["failures"]);
    assert!(nginx.agrees_with(&result).connections().len() as u64 > USERS);
}

#[test]
fn faults_are_counted_by_kind_as_often_as_nginx_saw_them() {
    let nginx = Nginx::plain("");
    let result = nginx.run("faults", 3);
    assert_eq!(kinds(&result), ["reset", "status"]);
    // Only what nginx closed on a kept connection, without a word, was sent again: it is in the log twice.
    let log = nginx.agrees_with(&result);
    for (name, kind, logged) in [
        ("GET /dead", "status", "502 GET /dead"),
        ("GET /gone", "reset", "444 GET /gone"),
        ("GET /missing", "status", "404 GET /missing"),
        ("POST /too-large", "status", "413 POST /too-large"),
    ] {
        only_fails(&result, name, kind);
        let endpoint = whole(&result, name);
        let seen = count(&endpoint["failed"][kind]) + count(&endpoint["retried_on_close"]);
        assert_eq!(seen, log.requests()[logged], "{name}");
        assert_eq!(endpoint["retried_on_close"] != 0, name == "GET /gone", "{name}");
    }
    assert!(samples(&result, "GET /dead").contains("status 502"), "{}", result["failures"]);
    never_fails(&result, "GET /page.txt");
    never_fails(&result, "GET /nothing");
}

#[test]
fn a_large_body_is_read_whole_unless_it_is_larger_than_allowed() {
    let nginx = Nginx::plain("");
    let result = nginx.run("large", 0);
    never_fails(&result, "GET /large.bin");
    let page = steady(&result, "GET /large.bin");
    assert!(count(&page["bytes_in"]) >= count(&page["ok"]) * LARGE as u64, "{page}");
    let limited = nginx.run("small_only", 3);
    only_fails(&limited, "GET /large.bin", "protocol");
    assert!(samples(&limited, "GET /large.bin").contains("max_body"), "{}", limited["failures"]);
    never_fails(&limited, "GET /page.txt");
}

#[test]
fn an_authority_that_is_trusted_is_enough_for_each_version_of_tls() {
    for (protocol, host) in [("TLSv1.2", "localhost"), ("TLSv1.3", "127.0.0.1")] {
        let nginx = Nginx::start("keepalive_requests 5;", protocol, &names(&[host]));
        let url = format!("https://{host}:{}", nginx.ports.tls);
        let result = nginx.run_on(&url, ("pages", Trust::Ours), 0);
        assert!(kinds(&result).is_empty(), "{protocol}: {}", result["failures"]);
        assert!(opened(&result, "tls_ms") > USERS, "{protocol}: handshakes have their own times");
        assert_eq!(opened(&result, "tls_ms"), opened(&result, "connect_ms"), "{protocol}");
        nginx.agrees_with(&result);
    }
}

#[test]
fn a_certificate_that_cannot_be_trusted_is_a_failure_of_tls() {
    let mut expired = names(&["localhost"]);
    expired.not_before = rcgen::date_time_ymd(2001, 1, 1);
    expired.not_after = rcgen::date_time_ymd(2002, 1, 1);
    for (certificate, trust, says) in [
        (names(&["localhost"]), Trust::Machine, "UnknownIssuer"),
        (names(&["another.example"]), Trust::Ours, "not valid for name"),
        (expired, Trust::Ours, "expired"),
    ] {
        let nginx = Nginx::start("", "TLSv1.2 TLSv1.3", &certificate);
        let result = nginx.run_on(&format!("https://localhost:{}", nginx.ports.tls), ("idle", trust), 3);
        only_fails(&result, "GET /page.txt", "tls");
        assert!(samples(&result, "GET /page.txt").contains(says), "{}", result["failures"]);
        assert_eq!(nginx.log().lines.len(), 0, "nothing was asked of a server that is not trusted");
    }
}
