//! How connections are made and HTTP is spoken on them.

use std::sync::Arc;

use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::proxy::ProxyChoice;

/// How HTTP is spoken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Http {
    /// Which version.
    pub version: Version,
    /// Whether connections outlive a request.
    pub keep_alive: KeepAlive,
    /// How many redirects are followed, one after the other.
    pub redirects: u32,
    /// The origins besides the target that get what it would get after a redirect: bodies, and headers that hold
    /// secrets.
    pub redirects_to: Vec<url::Url>,
    /// What is said about proxies.
    pub proxy: ProxyChoice,
    /// Whether users keep cookies.
    pub cookies: Cookies,
    /// The value of `accept-encoding`, where something is asked for.
    pub accept_encoding: Option<String>,
}

/// The most redirects that are followed where nothing is said.
pub const REDIRECTS: u32 = 10;

impl Default for Http {
    fn default() -> Self {
        Self {
            version: Version::Auto,
            keep_alive: KeepAlive::Kept,
            redirects: REDIRECTS,
            redirects_to: Vec::new(),
            proxy: ProxyChoice::OfEnvironment,
            cookies: Cookies::Kept,
            accept_encoding: None,
        }
    }
}

/// Which version of HTTP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Version {
    /// Over TLS what the server chooses, else 1.1.
    Auto,
    /// 1.1.
    One,
    /// 2; without TLS by prior knowledge (RFC 9113, 3.3).
    Two,
}

/// Whether connections outlive a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeepAlive {
    /// They do.
    Kept,
    /// Every request opens its own.
    Closed,
}

/// Whether users keep cookies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cookies {
    /// Every user has a jar.
    Kept,
    /// None is kept or sent.
    Ignored,
}

/// Whose certificates are believed, and which one is shown.
#[derive(Debug, Default)]
pub struct Tls {
    /// Believed beside those of the machine.
    pub roots: Vec<CertificateDer<'static>>,
    /// What the client shows a server that asks.
    pub identity: Option<Identity>,
    /// Whether certificates of servers are checked.
    pub verification: Verification,
}

/// A client's certificate.
#[derive(Debug, Clone)]
pub struct Identity {
    /// The certificate and the ones that vouch for it.
    pub chain: Vec<CertificateDer<'static>>,
    /// Its private key.
    pub key: Arc<PrivateKeyDer<'static>>,
}

impl Identity {
    /// Whether the key can be used and is that of the certificate.
    pub fn check(&self) -> Result<(), rustls::Error> {
        let provider = rustls::crypto::ring::default_provider();
        rustls::sign::CertifiedKey::from_der(self.chain.clone(), self.key.clone_key(), &provider).map(drop)
    }
}

/// Whether certificates of servers are checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Verification {
    /// They are.
    #[default]
    Checked,
    /// Any will do.
    Anything,
}
