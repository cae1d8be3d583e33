//! TLS clients: the one cryptography provider of the process, whom a client believes, what it offers.

use std::sync::{Arc, OnceLock};

use rustls::client::Resumption;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, Error, SignatureScheme};
use rustls_platform_verifier::Verifier;
use tokio_rustls::TlsConnector;

use crate::plan::Plan;
use crate::plan::connection::{Tls, Verification, Version};

/// HTTP/2 over TLS (RFC 7301, RFC 9113).
pub const H2: &[u8] = b"h2";
const HTTP_1_1: &[u8] = b"http/1.1";

/// Makes ring the provider of every TLS client; to be called before the first one is built, as often as
/// convenient.
pub fn install_provider() {
    static INSTALLED: OnceLock<()> = OnceLock::new();
    INSTALLED.get_or_init(|| {
        // It fails only where a provider is installed already.
        let _ = ring::default_provider().install_default();
    });
}

/// The TLS clients of a run, shared by its workers; made when something is first encrypted, for reading all
/// certificates of a machine takes its time.
pub struct Trust {
    make: Box<dyn Fn() -> Result<Clients, Error> + Send + Sync>,
    made: OnceLock<Result<Clients, Error>>,
}

impl Trust {
    /// Makes clients when they are needed.
    pub fn new(make: impl Fn() -> Result<Clients, Error> + Send + Sync + 'static) -> Self {
        Self { make: Box::new(make), made: OnceLock::new() }
    }

    /// Those of a plan.
    pub fn of(plan: Arc<Plan>) -> Self {
        Self::new(move || Clients::new(&plan.tls, plan.http.version))
    }

    /// The clients. Fails where the machine has no certificates that can be believed.
    pub fn clients(&self) -> Result<&Clients, &Error> {
        self.made.get_or_init(&self.make).as_ref()
    }
}

/// TLS clients, one for each purpose.
pub struct Clients {
    http: TlsConnector,
    websocket: TlsConnector,
}

/// What a connection is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Requests.
    Http,
    /// Requests over HTTP/2 without asking whether it is spoken.
    PriorKnowledge,
    /// A WebSocket, which begins as HTTP/1.1.
    WebSocket,
}

impl Clients {
    /// Clients for a plan. Fails where the machine has no certificates that can be believed.
    ///
    /// Sessions are not resumed: they would be shared between users, which makes handshakes cheaper than
    /// those of as many real clients.
    pub fn new(tls: &Tls, version: Version) -> Result<Self, Error> {
        let provider = Arc::new(ring::default_provider());
        let builder =
            ClientConfig::builder_with_provider(provider.clone()).with_safe_default_protocol_versions()?;
        let builder = builder.dangerous().with_custom_certificate_verifier(match tls.verification {
            Verification::Checked => {
                Arc::new(Verifier::new_with_extra_roots(tls.roots.iter().cloned(), provider)?)
            }
            Verification::Anything => Arc::new(Anything(provider)),
        });
        let mut config = match &tls.identity {
            Some(identity) => {
                builder.with_client_auth_cert(identity.chain.clone(), identity.key.clone_key())?
            }
            None => builder.with_no_client_auth(),
        };
        config.resumption = Resumption::disabled();
        let offering = |protocols: &[&[u8]]| {
            let mut offering = config.clone();
            offering.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
            TlsConnector::from(Arc::new(offering))
        };
        let http = match version {
            Version::Auto => offering(&[H2, HTTP_1_1]),
            Version::One => offering(&[HTTP_1_1]),
            Version::Two => offering(&[H2]),
        };
        Ok(Self { http, websocket: offering(&[HTTP_1_1]) })
    }

    /// The client for a purpose.
    pub fn client(&self, purpose: Purpose) -> &TlsConnector {
        match purpose {
            Purpose::Http | Purpose::PriorKnowledge => &self.http,
            Purpose::WebSocket => &self.websocket,
        }
    }
}

/// Believes any certificate, but not a wrong signature.
#[derive(Debug)]
struct Anything(Arc<CryptoProvider>);

impl ServerCertVerifier for Anything {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
