//! How connections are made: the version of HTTP, redirects and cookies; certificates and keys from files.

use std::sync::Arc;

use rustls::RootCertStore;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use url::Url;

use crate::config::node::{Node, Value};
use crate::config::problem::Problem;
use crate::config::{Config, data};
use crate::plan::connection::{Cookies, Http, Identity, KeepAlive, REDIRECTS, Tls, Verification, Version};
use crate::plan::credentials;
use crate::plan::proxy::{ProxyChoice, ProxyServer};
use crate::plan::step::Redirects;

use super::layer::{Layer, Layers};
use super::unit;

/// The most redirects that are followed, one after the other.
const MOST_REDIRECTS: u32 = 50;

/// How HTTP is spoken.
pub(super) fn http(layers: &Layers) -> Http {
    let said = layers.inside("http");
    let word = |key: &str| said.get(key).and_then(Node::scalar);
    let encodings = said.get("accept_encoding").map(|node| match node.scalar() {
        Some(one) => one.to_owned(),
        None => node.items().iter().filter_map(Node::scalar).collect::<Vec<_>>().join(", "),
    });
    let redirects = said.iter().fold(Redirects::default(), |below, layer| {
        let above = layer.node.get("redirects").map(self::redirects).unwrap_or_default();
        Redirects { most: above.most.or(below.most), to: above.to.or(below.to) }
    });
    Http {
        version: match word("version") {
            Some("1.1") => Version::One,
            Some("2") => Version::Two,
            _ => Version::Auto,
        },
        keep_alive: if word("keep_alive") == Some("false") { KeepAlive::Closed } else { KeepAlive::Kept },
        redirects: redirects.most.unwrap_or(REDIRECTS),
        redirects_to: redirects.to.unwrap_or_default(),
        proxy: said.get("proxy").and_then(|node| proxy(node).ok()).unwrap_or_default(),
        cookies: if word("cookies") == Some("false") { Cookies::Ignored } else { Cookies::Kept },
        accept_encoding: encodings.filter(|text| !text.is_empty()),
    }
}

/// What is said of a proxy: its URL, or `none`.
fn proxy(node: &Node) -> Result<ProxyChoice, Problem> {
    let typed = node.scalar().unwrap_or("");
    if typed == "none" {
        return Ok(ProxyChoice::Direct);
    }
    if typed.contains("{{") {
        return Err(Problem::at(node.span, "`http.proxy` is no template").hint(
            "leave it out, and set the environment variables `HTTP_PROXY` and `HTTPS_PROXY` for the run: \
             a password in them stays out of the file",
        ));
    }
    let url_or_none = "write `http://HOST:PORT`, or `none` to connect directly";
    let no_proxy = |hint: &str| {
        Err(Problem::at(node.span, format!("`http.proxy`: `{typed}` is not the URL of a proxy")).hint(hint))
    };
    match typed.to_lowercase().as_str() {
        "none" | "no" | "off" | "false" | "direct" => return no_proxy("write `none` to connect directly"),
        "yes" | "on" | "true" => {
            return no_proxy(
                "write `http://HOST:PORT`, or leave the key out for the proxy that `HTTP_PROXY` and `HTTPS_PROXY` name",
            );
        }
        _ => {}
    }
    let server = ProxyServer::parse(typed, "`http.proxy`")
        .map_err(|why| Problem::at(node.span, why.to_string()).hint(url_or_none))?;
    let rest = typed.split_once("://").map_or(typed, |(_, rest)| rest);
    if rest.find(['/', '?', '#', '\\']).is_some_and(|end| &rest[end..] != "/") {
        return Err(
            Problem::at(node.span, "`http.proxy`: a proxy has no path, query or fragment").hint(url_or_none)
        );
    }
    Ok(ProxyChoice::Server(Arc::new(server)))
}

/// What is wrong with the key `http` of a layer, taken alone.
pub(super) fn check(layer: Layer<'_>) -> Vec<Problem> {
    let http = layer.node.get("http");
    let wrong = http.and_then(|http| http.get("proxy")).and_then(|node| proxy(node).err());
    let redirects = http.and_then(|http| http.get("redirects"));
    wrong.into_iter().chain(redirects.into_iter().flat_map(wrong_redirects)).collect()
}

/// What is said of redirects: a number, or a mapping. What is wrong with it, [`wrong_redirects`] tells.
pub(super) fn redirects(node: &Node) -> Redirects {
    let most = if node.entries().is_empty() { Some(node) } else { node.get("most") };
    let to = node.get("to").map(|to| to.items().iter().filter_map(|item| origin(item).ok()).collect());
    Redirects { most: unit::parsed(most), to }
}

/// What is wrong with what is said of redirects.
pub(super) fn wrong_redirects(node: &Node) -> Vec<Problem> {
    let (most, wanted) = match &node.value {
        Value::Map(_) => (node.get("most"), "a number of redirects from 0 to 50"),
        _ => (Some(node), "a number of redirects from 0 to 50, or `{most, to}`"),
    };
    let is_number = |node: &Node| matches!(&node.value, Value::Number(raw) if raw.parse().is_ok_and(|most: u32| most <= MOST_REDIRECTS));
    let wrong = most.filter(|most| !is_number(most)).map(|most| {
        Problem::at(most.span, format!("expected {wanted}, found {}", most.describe()))
            .hint("write such as `10`, which is the default; `0` follows none")
    });
    let listed = node.get("to").map_or(&[][..], Node::items);
    wrong.into_iter().chain(listed.iter().filter_map(|item| origin(item).err())).collect()
}

/// An origin: scheme, host and port.
fn origin(node: &Node) -> Result<Url, Problem> {
    let typed = node.scalar().unwrap_or("");
    let shown = credentials::hidden(typed);
    let fail = |message: String, hint: &str| Err(Problem::at(node.span, message).hint(hint));
    let url = Url::parse(typed).ok();
    let host = match &url {
        Some(url) => url.host_str().unwrap_or_default(),
        // Behind an `@`, it may be a password that has the `*`.
        None => {
            if typed.contains('@') {
                ""
            } else {
                typed
            }
        }
    };
    if host.contains('*') {
        let hint = "name each origin by itself, such as `https://cdn.example.com`";
        return fail(format!("`{shown}` stands for many origins"), hint);
    }
    let has_userinfo = |url: &Url| !url.username().is_empty() || url.password().is_some();
    if url.as_ref().is_some_and(has_userinfo) || credentials::is_cut_off(typed) {
        let hint = "write scheme and host alone, such as `https://cdn.example.com`; a request takes user and password \
                    along in its URL, in `bearer` or in `basic`";
        return fail("an origin has neither user nor password".into(), hint);
    }
    let is_origin = |url: &Url| {
        let bare = url.path() == "/" && url.query().is_none() && url.fragment().is_none();
        bare && ["http", "https", "ws", "wss"].contains(&url.scheme()) && url.has_host()
    };
    match url.filter(is_origin) {
        Some(url) => Ok(url),
        None => fail(
            format!("`{shown}` is not an origin"),
            "write scheme and host, and the port where it is not the usual one: `https://cdn.example.com`",
        ),
    }
}

/// Whose certificates are believed, and which one is shown; all problems of the files at once.
pub(super) fn tls(config: &Config, layers: &Layers) -> Result<Tls, Vec<Problem>> {
    let said = layers.inside("tls");
    let pem = Pem { config };
    let mut problems = Vec::new();
    let roots = said.get("ca").map_or(Ok(Vec::new()), |node| pem.certificates(node));
    let identity = match (said.get("certificate"), said.get("key")) {
        (Some(certificate), Some(key)) => pem.identity(certificate, key).map(Some),
        (Some(one), None) => Err(lonely(one, "certificate", "key")),
        (None, Some(one)) => Err(lonely(one, "key", "certificate")),
        (None, None) => Ok(None),
    };
    let roots = roots.map_err(|problem| problems.push(problem)).unwrap_or_default();
    let identity = identity.map_err(|problem| problems.push(problem)).unwrap_or_default();
    let anything = said.get("insecure").and_then(Node::scalar) == Some("true");
    let verification = if anything { Verification::Anything } else { Verification::Checked };
    if problems.is_empty() { Ok(Tls { roots, identity, verification }) } else { Err(problems) }
}

fn lonely(node: &Node, one: &str, other: &str) -> Problem {
    Problem::at(node.span, format!("`tls.{one}` without `tls.{other}`"))
        .hint("a client shows a certificate and proves with its key that it is its own: name both files")
}

/// Reads PEM files named in a configuration.
struct Pem<'a> {
    config: &'a Config,
}

impl Pem<'_> {
    fn certificates(&self, node: &Node) -> Result<Vec<CertificateDer<'static>>, Problem> {
        let bytes = self.bytes(node)?;
        let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&bytes).collect();
        match found {
            Ok(found) if !found.is_empty() => {
                let mut store = RootCertStore::empty();
                match found.iter().try_for_each(|one| store.add(one.clone())) {
                    Ok(()) => Ok(found),
                    Err(error) => Err(unusable(
                        node,
                        &format!("has a broken certificate: {error}"),
                        "-----BEGIN CERTIFICATE-----",
                    )),
                }
            }
            Ok(_) => Err(otherwise(node, &bytes)
                .unwrap_or_else(|| unusable(node, "has no certificate", "-----BEGIN CERTIFICATE-----"))),
            Err(error) => Err(otherwise(node, &bytes).unwrap_or_else(|| {
                unusable(
                    node,
                    &format!("is not a PEM file: {}", reason(&error)),
                    "-----BEGIN CERTIFICATE-----",
                )
            })),
        }
    }

    fn identity(&self, certificate: &Node, key: &Node) -> Result<Identity, Problem> {
        let chain = self.certificates(certificate)?;
        let bytes = self.bytes(key)?;
        let path = key.scalar().unwrap_or("");
        // Traditional keys (RFC 1421) and those of PKCS#8 say in the clear that they are encrypted.
        if contains(&bytes, b"ENCRYPTED") {
            return Err(Problem::at(key.span, format!("the private key `{path}` is encrypted"))
                .hint(format!("decrypt it before the run: `openssl pkey -in {path} -out plain.pem`")));
        }
        let parsed = PrivateKeyDer::from_pem_slice(&bytes).map_err(|error| {
            otherwise(key, &bytes).unwrap_or_else(|| {
                unusable(
                    key,
                    &format!("has no private key: {}", reason(&error)),
                    "-----BEGIN PRIVATE KEY-----",
                )
            })
        })?;
        let identity = Identity { chain, key: Arc::new(parsed) };
        identity.check().map_err(|error| {
            Problem::at(key.span, format!("certificate and key cannot be used together: {error}"))
                .hint("the key must be the one the certificate was made for, and not encrypted")
        })?;
        Ok(identity)
    }

    /// A path in the file is relative to the file, one in a flag to the working folder.
    fn bytes(&self, node: &Node) -> Result<Vec<u8>, Problem> {
        let path = node.scalar().unwrap_or("");
        let in_file = node.span.source == self.config.root.span.source;
        let path = if in_file { self.config.folder.join(path) } else { path.into() };
        data::bytes(&path).map_err(|error| Problem::at(node.span, error.to_string()).hint(error.hint()))
    }
}

/// Why a file is not PEM, without anything of the file: an error of the library quotes the line, and the line may be
/// the key.
fn reason(error: &pem::Error) -> &'static str {
    match error {
        pem::Error::MissingSectionEnd { .. } => {
            "it begins a block that never ends; were its line breaks lost?"
        }
        pem::Error::IllegalSectionStart { .. } => {
            "a line that begins a block does not end in `-----`; were its line breaks lost?"
        }
        pem::Error::Base64Decode(_) => "the text of a block is not base64",
        pem::Error::Io(_) => "it cannot be read",
        pem::Error::NoItemsFound => "it has no block of this kind",
        pem::Error::SectionTooLarge => "a block is longer than 256 MB",
        _ => "its blocks cannot be read",
    }
}

fn contains(bytes: &[u8], word: &[u8]) -> bool {
    bytes.windows(word.len()).any(|found| found == word)
}

/// What a file is that is not PEM, with the command that makes PEM of it.
fn otherwise(node: &Node, bytes: &[u8]) -> Option<Problem> {
    let path = node.scalar().unwrap_or("");
    let problem = |what: &str| Problem::at(node.span, format!("`{path}` is {what}, and not PEM"));
    if contains(bytes, b"OPENSSH PRIVATE KEY") {
        return Some(
            problem("a key of OpenSSH")
                .hint(format!("convert a copy of it before the run: `ssh-keygen -p -m PEM -f {path}`")),
        );
    }
    // DER (X.690) begins with a sequence, and its length in one or more bytes.
    let content = match bytes {
        [0x30, 0x82, _, _, content @ ..] | [0x30, 0x81, _, content @ ..] => content,
        [0x30, length, content @ ..] if *length < 0x80 => content,
        _ => return None,
    };
    match content {
        // The version of PKCS#12 is 3 (RFC 7292), that of a private key 0 or 1.
        [2, 1, 3, ..] => Some(problem("PKCS#12").hint(format!(
            "convert it before the run: `openssl pkcs12 -in {path} -nodes -out client.pem`, and name that file as \
             `certificate` and as `key`"
        ))),
        [2, 1, 0 | 1, ..] => Some(
            problem("a private key in DER")
                .hint(format!("convert it before the run: `openssl pkey -inform DER -in {path} -out key.pem`")),
        ),
        [0x30, ..] => Some(problem("DER").hint(format!(
            "convert it before the run: a certificate with `openssl x509 -inform DER -in {path} -out client.pem`, a key \
             with `openssl pkey -inform DER -in {path} -out key.pem`"
        ))),
        _ => None,
    }
}

fn unusable(node: &Node, why: &str, begin: &str) -> Problem {
    Problem::at(node.span, format!("`{}` {why}", node.scalar().unwrap_or("")))
        .hint(format!("a PEM file has a block that begins with `{begin}`"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_a_broken_key_is_told() {
        let secret = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASC";
        for (text, wanted) in [
            (
                format!("-----BEGIN PRIVATE KEY----- {secret} -----END PRIVATE KEY-----\n"),
                "were its line breaks lost?",
            ),
            (format!("-----BEGIN PRIVATE KEY-----{secret}\n"), "were its line breaks lost?"),
            (format!("-----BEGIN PRIVATE KEY-----\n{secret}\n"), "never ends"),
            (format!("-----BEGIN {secret}-----\n{secret}\n"), "never ends"),
            (format!("-----BEGIN PRIVATE KEY-----\n{secret}!\n-----END PRIVATE KEY-----\n"), "not base64"),
            (secret.to_owned(), "no block of this kind"),
        ] {
            let error = PrivateKeyDer::from_pem_slice(text.as_bytes()).unwrap_err();
            let told = reason(&error);
            assert!(told.contains(wanted), "{told}");
            // The library tells the line as text or as a list of its bytes.
            let bytes = format!("{:?}", secret.as_bytes());
            let bytes = bytes.trim_matches(['[', ']']);
            assert!(!told.contains(secret) && !told.contains(bytes), "{told}");
        }
    }
}
