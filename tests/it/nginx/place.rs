//! Where requests go: sockets, IPv6, several hosts at once, and the parts of opening a connection.

use super::{Nginx, USERS, all_opened};
use crate::external::{Trust, kinds, never_fails, only_fails, opened, result, run_with, whole};
use crate::harness::Finished;

#[test]
fn a_socket_is_a_host_in_the_file_and_on_the_command_line() {
    let nginx = Nginx::plain("");
    let socket = format!("unix:{}", nginx.workspace.path("a socket").display());
    let in_file = nginx.run_set(&socket, ("either", Trust::Machine, 0), &[]);
    assert!(kinds(&in_file).is_empty(), "{}", in_file["failures"]);
    let log = nginx.agrees_with(&in_file);
    assert_eq!(log.connections().len() as u64, USERS);
    assert_eq!(log.only(|line| line.host.clone()), "localhost");
    assert_eq!((opened(&in_file, "connect_ms"), opened(&in_file, "dns_ms")), (USERS, 0));

    nginx.forget();
    nginx.workspace.write("config.yaml", &nginx.suite("http://127.0.0.1:1"));
    let flags = ["--host", socket.as_str()];
    let finished = run_with(&nginx.workspace, "once", &flags, Trust::Machine);
    let by_flag = result(&finished, 0);
    never_fails(&by_flag, "GET /page.txt");
    nginx.agrees_with(&by_flag);
}

#[test]
fn a_socket_that_is_not_there_or_no_path_is_told_before_the_run() {
    let nginx = Nginx::plain("");
    let run = |host: &str| -> Finished { nginx.finish(host, ("once", Trust::Machine), &[]) };
    let finished = run(&format!("unix:{}", nginx.workspace.path("none.sock").display()));
    assert_eq!(finished.code(), 1, "{}", finished.stderr);
    assert!(finished.stderr.contains("none.sock"), "{}", finished.stderr);
    for host in ["unix:relative.sock", "unix://server/a.sock", "unix:"] {
        let finished = run(host);
        assert_eq!(finished.code(), 2, "{host}: {}", finished.stderr);
        assert!(finished.stderr.contains("config.yaml:4:16"), "{}", finished.stderr);
        assert!(finished.stderr.contains("unix:/run/app.sock"), "{}", finished.stderr);
    }
}

#[test]
fn an_address_of_ipv6_is_a_host() {
    let nginx = Nginx::plain("");
    let Some(port) = nginx.ports.six else {
        return eprintln!("skipped: this machine has no ::1");
    };
    let result = nginx.run_set(&format!("http://[::1]:{port}"), ("either", Trust::Machine, 0), &[]);
    assert!(kinds(&result).is_empty(), "{}", result["failures"]);
    let log = nginx.agrees_with(&result);
    assert_eq!(log.only(|line| line.host.clone()), format!("[::1]:{port}"));
    assert_eq!(log.connections().len() as u64, USERS);
}

#[test]
fn every_host_of_a_scenario_has_a_connection_of_each_user() {
    let nginx = Nginx::plain("");
    let result =
        nginx.run_set(&format!("http://127.0.0.1:{}", nginx.ports.plain), ("hosts", Trust::Machine, 0), &[]);
    let log = nginx.agrees_with(&result);
    assert_eq!(log.connections().len() as u64, 4 * USERS);
    for (host, protocol) in [
        (format!("127.0.0.1:{}", nginx.ports.plain), "HTTP/1.1"),
        (format!("localhost:{}", nginx.ports.plain), "HTTP/1.1"),
        (format!("localhost:{}", nginx.ports.tls), "HTTP/1.1"),
        (format!("localhost:{}", nginx.ports.both), "HTTP/2.0"),
    ] {
        let here = || log.lines.iter().filter(|line| line.host == host);
        assert!(here().count() > 0 && here().all(|line| line.protocol == protocol), "{host}");
        let target = host.starts_with("127");
        let name = if target { "GET /page.txt".into() } else { format!("GET {host}/page.txt") };
        never_fails(&result, &name);
        let asked = here().filter(|line| line.uri == "/page.txt").count();
        assert_eq!(whole(&result, &name)["ok"], asked, "{host}");
    }
    // A redirect from one host to another takes the connection that is there.
    let redirected = log.lines.iter().filter(|line| line.uri == "/page.txt?redirected");
    assert_eq!(whole(&result, "GET /elsewhere")["ok"], 2 * redirected.count());
}

#[test]
fn the_parts_of_opening_a_connection_are_told_apart() {
    let nginx = Nginx::plain("");
    let both = format!("https://localhost:{}", nginx.ports.both);
    for version in ["http.version=1.1", "http.version=2"] {
        let settings = [version, "http.keep_alive=false"];
        let result = nginx.run_set(&both, ("once", Trust::Ours, 0), &settings);
        let phases = &result["totals"]["phases"];
        // Of the name, only who waited for the lookup has a time.
        assert!((1..=USERS).contains(&opened(&result, "dns_ms")), "{version}: {phases}");
        for phase in ["dns_ms", "connect_ms", "tls_ms", "first_byte_ms"] {
            if phase != "dns_ms" {
                all_opened(&result, phase);
            }
            assert!(phases[phase]["max_ms"].as_f64().is_some_and(|time| time > 0.0), "{phase}: {phases}");
        }
        // A handshake is two ends at work, and the first byte comes after all of it.
        let longest = |phase: &str| phases[phase]["max_ms"].as_f64().expect("a time");
        assert!(longest("first_byte_ms") > longest("tls_ms"), "{version}: {phases}");
    }
}

#[test]
fn a_websocket_is_opened_with_the_cookies_of_its_user() {
    let nginx = Nginx::plain("");
    let host = format!("http://127.0.0.1:{}", nginx.ports.plain);
    // nginx opens none, and writes down what it was asked.
    let result = nginx.run_set(&host, ("socket_with_cookies", Trust::Machine, 3), &[]);
    never_fails(&result, "GET entered");
    only_fails(&result, "WS /page.txt", "status");
    let log = nginx.agrees_with(&result);
    for line in log.lines.iter().filter(|line| line.uri.starts_with("/page.txt")) {
        let user = line.uri.strip_prefix("/page.txt?user=");
        let cookie = user.map_or("mine=1".to_owned(), |user| format!("session={user}"));
        assert_eq!(line.cookie, cookie, "{line:?}");
    }
    let ignoring = ["http.cookies=false"];
    let result = nginx.run_set(&host, ("socket_with_cookies", Trust::Machine, 3), &ignoring);
    let log = nginx.agrees_with(&result);
    assert!(log.lines.iter().all(|line| ["", "mine=1"].contains(&line.cookie.as_str())));
}
