//! Either version of HTTP: which one is spoken, and that everything holds over both.

use std::process::Command;

use super::{LARGE, Line, Nginx, USERS, all_opened, program};
use crate::external::{Trust, count, kinds, only_fails, opened, samples, steady, whole};

const ONE: &str = "http.version=1.1";
const TWO: &str = "http.version=2";
const AUTO: &str = "http.version=auto";

fn protocol(line: &Line) -> String {
    line.protocol.clone()
}

/// An address over which this version is spoken.
fn speaking(nginx: &Nginx, version: &str) -> String {
    let port = if version == TWO { nginx.ports.clear } else { nginx.ports.plain };
    format!("http://127.0.0.1:{port}")
}

#[test]
fn the_version_is_the_one_that_server_and_configuration_agree_on() {
    let nginx = Nginx::plain("");
    let (plain, clear) = (speaking(&nginx, ONE), speaking(&nginx, TWO));
    let tls = format!("https://localhost:{}", nginx.ports.tls);
    let both = format!("https://localhost:{}", nginx.ports.both);
    let socket = format!("unix:{}", nginx.workspace.path("clear.sock").display());
    for (host, version, spoken) in [
        (&plain, AUTO, "HTTP/1.1"),
        (&clear, TWO, "HTTP/2.0"),
        (&socket, TWO, "HTTP/2.0"),
        (&tls, AUTO, "HTTP/1.1"),
        (&both, AUTO, "HTTP/2.0"),
        (&both, ONE, "HTTP/1.1"),
        (&both, TWO, "HTTP/2.0"),
    ] {
        let result = nginx.run_set(host, ("either", Trust::Ours, 0), &[version]);
        assert!(kinds(&result).is_empty(), "{host} {version}: {}", result["failures"]);
        let log = nginx.agrees_with(&result);
        assert_eq!(log.only(protocol), spoken, "{host} {version}");
        assert_eq!(log.connections().len() as u64, USERS, "{host} {version}: one for every user");
        assert_eq!(opened(&result, "connect_ms"), USERS);
        assert!(log.lines.iter().any(|line| line.nth == "9"), "{host} {version}: many on each");
    }
}

#[test]
fn a_server_that_does_not_speak_the_version_is_a_failure_that_says_so() {
    let nginx = Nginx::plain("");
    let tls = format!("https://localhost:{}", nginx.ports.tls);
    for (host, version, kind, says) in [
        (speaking(&nginx, ONE), TWO, "protocol", "HTTP/2"),
        (tls, TWO, "tls", "HTTP/2"),
        (format!("https://localhost:{}", nginx.ports.plain), AUTO, "tls", "TLS with localhost"),
        (format!("http://localhost:{}", nginx.ports.both), AUTO, "status", "status 400"),
    ] {
        let result = nginx.run_set(&host, ("once", Trust::Ours, 3), &[version]);
        only_fails(&result, "GET /page.txt", kind);
        assert!(samples(&result, "GET /page.txt").contains(says), "{version}: {}", result["failures"]);
    }
}

#[test]
fn a_server_that_speaks_nothing_but_http2_is_no_server_for_http1() {
    if detects_versions() {
        return eprintln!("skipped: since 1.25.1 nginx speaks either version on the same port");
    }
    let nginx = Nginx::plain("");
    let result = nginx.run_set(&speaking(&nginx, TWO), ("once", Trust::Machine, 3), &[ONE]);
    only_fails(&result, "GET /page.txt", "protocol");
    let said = samples(&result, "GET /page.txt");
    assert!(said.contains("HTTP/2") && said.contains("version: 2"), "{said}");
}

/// Whether this nginx tells the versions apart by what a client sends first.
fn detects_versions() -> bool {
    let said = Command::new(program()).arg("-v").output().expect("nginx says its version");
    let said = String::from_utf8_lossy(&said.stderr).into_owned();
    let numbers = said.split(['/', '.', ' ', '\n']).filter_map(|word| word.parse().ok());
    numbers.collect::<Vec<u32>>() >= vec![1, 25, 1]
}

#[test]
fn large_bodies_pass_both_ways_over_either_version() {
    let nginx = Nginx::plain("");
    for version in [ONE, TWO] {
        let host = speaking(&nginx, version);
        let result = nginx.run_set(&host, ("upload", Trust::Machine, 0), &[version]);
        assert!(kinds(&result).is_empty(), "{version}: {}", result["failures"]);
        let log = nginx.agrees_with(&result);
        let puts = log.lines.iter().filter(|line| line.method == "PUT");
        let shortest = puts.map(|line| line.length.parse::<usize>().expect("a length")).min();
        assert!(shortest.expect("a request") >= LARGE, "{version}: {shortest:?}");
        let read = steady(&result, "GET /large/{}.bin");
        assert!(count(&read["bytes_in"]) >= count(&read["ok"]) * LARGE as u64, "{version}: {read}");
        let written = steady(&result, "PUT /large/{}.bin");
        assert!(count(&written["bytes_out"]) >= count(&written["ok"]) * LARGE as u64, "{version}: {written}");
        for user in 1..=USERS {
            let stored = nginx.workspace.path(&format!("www/large/{user}.bin"));
            let (stored, sent) = (std::fs::read(stored), std::fs::read(nginx.workspace.path("large.bin")));
            assert!(
                stored.expect("a file") == sent.expect("a file"),
                "{version}: what arrived is what was sent"
            );
        }
    }
}

#[test]
fn without_keep_alive_every_request_has_a_connection_of_its_own() {
    let nginx = Nginx::plain("");
    for version in [ONE, TWO] {
        let settings = [version, "http.keep_alive=false"];
        let result = nginx.run_set(&speaking(&nginx, version), ("either", Trust::Machine, 0), &settings);
        assert!(kinds(&result).is_empty(), "{version}: {}", result["failures"]);
        let log = nginx.agrees_with(&result);
        assert_eq!(log.only(|line| line.nth.clone()), "1", "{version}");
        assert_eq!(log.connections().len(), log.lines.len(), "{version}");
        all_opened(&result, "connect_ms");
    }
}

#[test]
fn a_connection_that_the_server_ends_is_replaced_over_either_version() {
    let nginx = Nginx::plain("keepalive_requests 5;");
    for version in [ONE, TWO] {
        let result = nginx.run_set(&speaking(&nginx, version), ("either", Trust::Machine, 0), &[version]);
        assert!(kinds(&result).is_empty(), "{version}: {}", result["failures"]);
        let log = nginx.agrees_with(&result);
        let fewest = (log.lines.len() as u64).div_ceil(5);
        let connections = log.connections().len() as u64;
        assert!((fewest..fewest + USERS).contains(&connections), "{version}: {connections}, {fewest}");
    }
    let nginx = Nginx::plain("keepalive_timeout 20ms;");
    for version in [ONE, TWO] {
        let result = nginx.run_set(&speaking(&nginx, version), ("once", Trust::Machine, 0), &[version]);
        assert!(kinds(&result).is_empty(), "{version}: {}", result["failures"]);
        assert!(nginx.agrees_with(&result).connections().len() as u64 > USERS, "{version}");
    }
}

#[test]
fn faults_are_of_the_same_kinds_over_either_version() {
    let nginx = Nginx::plain("");
    for version in [ONE, TWO] {
        let host = speaking(&nginx, version);
        let result = nginx.run_set(&host, ("faults_of_either", Trust::Machine, 3), &[version]);
        let log = nginx.agrees_with(&result);
        for (name, kind, logged) in [
            ("GET /gone", "reset", "444 GET /gone"),
            ("GET /missing", "status", "404 GET /missing"),
            ("POST /too-large", "status", "413 POST /too-large"),
            ("GET /large.bin", "protocol", "200 GET /large.bin"),
        ] {
            only_fails(&result, name, kind);
            let endpoint = whole(&result, name);
            // What nginx closes without a word, on a kept connection, is sent again.
            let seen = count(&endpoint["failed"][kind]) + count(&endpoint["retried_on_close"]);
            assert_eq!(seen, log.requests()[logged], "{version}: {name}");
        }
        assert!(samples(&result, "GET /missing").contains("404 Not Found"), "{}", result["failures"]);
        assert!(samples(&result, "GET /large.bin").contains("max_body"), "{}", result["failures"]);
    }
}

#[test]
fn a_compression_is_asked_for_only_when_configured_and_read_over_either_version() {
    let nginx = Nginx::plain("");
    for (version, encoding, heard) in [
        (ONE, None, ""),
        (ONE, Some("http.accept_encoding=gzip"), "gzip"),
        (TWO, Some("http.accept_encoding=[gzip, deflate]"), "gzip, deflate"),
    ] {
        let settings: Vec<&str> = [version].into_iter().chain(encoding).collect();
        let result = nginx.run_set(&speaking(&nginx, version), ("packed", Trust::Machine, 0), &settings);
        assert!(kinds(&result).is_empty(), "{version}: {}", result["failures"]);
        assert_eq!(nginx.agrees_with(&result).only(|line| line.encoding.clone()), heard);
        // 140,000 bytes of the same line are a few hundred when packed.
        let page = steady(&result, "GET /packed/page.txt");
        let each = count(&page["bytes_in"]) / count(&page["ok"]);
        assert_eq!(each < 10_000, encoding.is_some(), "{version}: {each}");
    }
}
