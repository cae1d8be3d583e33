//! Certificates: an authority of one's own, a client that shows one, servers that are believed whatever they
//! show, and files that cannot be used.

use std::process::Command;

use loadgate::load::target::free_address;
use serde_json::Value;

use super::{Nginx, Ports, USERS, suite};
use crate::external::{
    Server, Trust, certify, kinds, names, never_fails, only_fails, opened, result, run_with, samples,
};
use crate::harness::Workspace;

const CA: &str = "tls.ca=ca.pem";
const SHOWN: [&str; 3] = [CA, "tls.certificate=cert.pem", "tls.key=key.pem"];

fn with_certificate(nginx: &Nginx) -> String {
    format!("https://localhost:{}", nginx.ports.both)
}

fn mutual(nginx: &Nginx) -> String {
    format!("https://localhost:{}", nginx.ports.mutual)
}

/// Runs the shortest scenario.
fn once(nginx: &Nginx, host: &str, settings: &[&str], code: i32) -> Value {
    nginx.run_set(host, ("once", Trust::Machine, code), settings)
}

#[test]
fn an_authority_named_in_the_configuration_is_believed_beside_those_of_the_machine() {
    let nginx = Nginx::plain("");
    let result = once(&nginx, &with_certificate(&nginx), &[CA], 0);
    never_fails(&result, "GET /page.txt");
    assert_eq!(opened(&result, "tls_ms"), USERS);
    let refused = once(&nginx, &with_certificate(&nginx), &[], 3);
    only_fails(&refused, "GET /page.txt", "tls");
    assert!(samples(&refused, "GET /page.txt").contains("UnknownIssuer"), "{}", refused["failures"]);
}

#[test]
fn an_authority_in_the_file_is_relative_to_the_file_and_closer_layers_win() {
    let nginx = Nginx::plain("");
    let host = with_certificate(&nginx);
    nginx.workspace.write("deep/ca.pem", &read(&nginx.workspace, "ca.pem"));
    let suite = nginx
        .suite(&host)
        .replace("environments:", "tls: {ca: no-such-file.pem}\nenvironments:")
        .replace("  once:", "  once:\n    tls: {ca: ca.pem}");
    nginx.workspace.write("deep/config.yaml", &suite);
    let flags = ["--config", "deep/config.yaml", "--output-dir", "reports"];
    let finished = run_with(&nginx.workspace, "once", &flags, Trust::Machine);
    never_fails(&result(&finished, 0), "GET /page.txt");
}

#[test]
fn a_client_shows_its_certificate_to_a_server_that_asks_over_either_version() {
    let nginx = Nginx::plain("");
    for version in ["http.version=1.1", "http.version=2"] {
        let settings = [&SHOWN[..], &[version]].concat();
        let result = once(&nginx, &mutual(&nginx), &settings, 0);
        never_fails(&result, "GET /page.txt");
        assert_eq!(nginx.agrees_with(&result).only(|line| line.verified.clone()), "SUCCESS", "{version}");
    }
    let shown = once(&nginx, &with_certificate(&nginx), &SHOWN, 0);
    assert_eq!(nginx.agrees_with(&shown).only(|line| line.verified.clone()), "NONE", "nobody asked");
}

#[test]
fn a_server_that_asks_for_a_certificate_refuses_none_and_another_authority_s() {
    let nginx = Nginx::plain("");
    let other = Workspace::new();
    certify(&other, &names(&["localhost"]));
    for file in ["cert.pem", "key.pem"] {
        nginx.workspace.write(&format!("other/{file}"), &read(&other, file));
    }
    let foreign = [CA, "tls.certificate=other/cert.pem", "tls.key=other/key.pem"];
    for (settings, verified, says) in [
        (&[CA][..], "NONE", "No required SSL certificate was sent"),
        (&foreign[..], "FAILED:", "The SSL certificate error"),
    ] {
        let result = once(&nginx, &mutual(&nginx), settings, 3);
        only_fails(&result, "GET /page.txt", "status");
        let said = samples(&result, "GET /page.txt");
        assert!(said.contains("status 400") && said.contains(says), "{said}");
        let seen = nginx.agrees_with(&result).only(|line| line.verified.clone());
        assert!(seen.starts_with(verified), "{seen}");
    }
}

/// Another server than nginx: it breaks off what nginx answers, and agrees to no version of HTTP.
fn s_server(workspace: &Workspace, flags: &[&str]) -> Server {
    let address = free_address().expect("a free port");
    let mut command = Command::new("openssl");
    command.args(["s_server", "-quiet", "-www", "-cert", "cert.pem", "-key", "key.pem", "-CAfile", "ca.pem"]);
    command.args(["-accept", &address.to_string()]).args(flags).current_dir(workspace.path(""));
    Server::start(command, address.to_string())
}

/// Runs the shortest scenario on a server that is not nginx.
fn once_on(workspace: &Workspace, server: &Server, settings: &[&str], code: i32) -> Value {
    let host = format!("https://{}", server.address.replace("127.0.0.1", "localhost"));
    workspace.write("config.yaml", &suite(&host, &Ports::free()));
    let set: Vec<&str> = settings.iter().flat_map(|setting| ["--set", setting]).collect();
    result(&run_with(workspace, "once", &set, Trust::Machine), code)
}

#[test]
fn a_server_that_breaks_off_for_want_of_a_certificate_is_a_failure_of_tls() {
    let workspace = Workspace::new();
    certify(&workspace, &names(&["localhost"]));
    // In TLS 1.3 the client hears of it only after the handshake.
    for version in ["-tls1_2", "-tls1_3"] {
        let server = s_server(&workspace, &["-Verify", "1", "-verify_return_error", version]);
        let refused = once_on(&workspace, &server, &[CA], 3);
        only_fails(&refused, "GET /page.txt", "tls");
        assert!(samples(&refused, "GET /page.txt").contains("alert"), "{}", refused["failures"]);
        never_fails(&once_on(&workspace, &server, &SHOWN, 0), "GET /page.txt");
    }
}

#[test]
fn a_server_that_agrees_to_nothing_is_not_spoken_to_in_http2() {
    let workspace = Workspace::new();
    certify(&workspace, &names(&["localhost"]));
    let server = s_server(&workspace, &[]);
    let result = once_on(&workspace, &server, &[CA, "http.version=2"], 3);
    only_fails(&result, "GET /page.txt", "protocol");
    let said = samples(&result, "GET /page.txt");
    assert!(said.contains("did not agree to HTTP/2") && said.contains("version: auto"), "{said}");
}

#[test]
fn a_certificate_that_signs_itself_is_believed_only_where_anything_is() {
    let nginx = Nginx::start("", "TLSv1.2 TLSv1.3", &names(&["another.example"]));
    for version in ["http.version=1.1", "http.version=2"] {
        let believed = once(&nginx, &with_certificate(&nginx), &["tls.insecure=true", version], 0);
        never_fails(&believed, "GET /page.txt");
        let refused = once(&nginx, &with_certificate(&nginx), &["tls.insecure=false", version], 3);
        only_fails(&refused, "GET /page.txt", "tls");
        assert!(kinds(&refused) == ["tls"] && nginx.log().lines.is_empty(), "nothing was asked");
    }
}

#[test]
fn a_file_of_certificates_that_cannot_be_used_is_pointed_at() {
    let workspace = Workspace::new();
    certify(&workspace, &names(&["localhost"]));
    workspace.write("other.pem", &rcgen::KeyPair::generate().expect("a key").serialize_pem());
    workspace.write("text.pem", "not what it seems\n");
    workspace.write("torn.pem", "-----BEGIN CERTIFICATE-----\nMIIB\n");
    for (tls, parts) in [
        ("ca: none.pem", &["config.yaml:5:11", "none.pem"][..]),
        ("ca: text.pem", &["config.yaml:5:11", "`text.pem` has no certificate", "BEGIN CERTIFICATE"]),
        ("ca: torn.pem", &["config.yaml:5:11", "`torn.pem`", "it begins a block that never ends"]),
        ("ca: key.pem", &["config.yaml:5:11", "`key.pem` has no certificate"]),
        ("certificate: cert.pem, key: other.pem", &["config.yaml:5:35", "certificate and key"]),
        ("certificate: cert.pem, key: cert.pem", &["config.yaml:5:35", "`cert.pem` has no private key"]),
        ("certificate: cert.pem", &["config.yaml:5:20", "`tls.certificate` without `tls.key`"]),
        ("key: key.pem", &["config.yaml:5:12", "`tls.key` without `tls.certificate`"]),
        ("cert: cert.pem", &["config.yaml:5:7", "`cert`", "certificate"]),
        ("insecure: perhaps", &["config.yaml:5:17", "`perhaps`"]),
        ("ca: none.pem, key: key.pem", &["none.pem", "`tls.key` without", "2 problems"]),
    ] {
        let good = suite("http://localhost", &Ports::free());
        let spoilt = good.replace("thresholds:", &format!("tls: {{{tls}}}\nthresholds:"));
        workspace.write("config.yaml", &spoilt);
        let finished = workspace.run(&["check", "once"]);
        assert_eq!(finished.code(), 2, "{tls}: {}", finished.stderr);
        for part in parts {
            let stderr = &finished.stderr;
            assert!(stderr.contains(part), "{tls}: `{part}` is missing in\n{stderr}");
        }
    }
}

fn read(workspace: &Workspace, file: &str) -> String {
    std::fs::read_to_string(workspace.path(file)).expect("a file")
}
