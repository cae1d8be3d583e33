//! The one cryptography provider of the process.

use std::sync::OnceLock;

/// Makes ring the provider of every TLS client; to be called before the first one is built, as often as
/// convenient.
pub fn install_provider() {
    static INSTALLED: OnceLock<()> = OnceLock::new();
    INSTALLED.get_or_init(|| {
        // It fails only where a provider is installed already.
        let _ = rustls::crypto::ring::default_provider().install_default();
    });
}
