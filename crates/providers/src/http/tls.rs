//! TLS towards the provider, without the process-wide state of the TLS library.

use std::sync::Arc;

use rustls::client::WantsClientCert;
use rustls::crypto::ring;
use rustls::{ClientConfig, ConfigBuilder, RootCertStore};
use rustls_platform_verifier::Verifier;

use super::UpstreamError;

/// The configuration for a server of that scheme. Plain `http` needs no certificates, so it does not ask for them.
pub(super) fn client_config(https: bool) -> Result<ClientConfig, UpstreamError> {
    let provider = Arc::new(ring::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| UpstreamError::Client { reason: error.to_string() })?;
    let verified: ConfigBuilder<ClientConfig, WantsClientCert> = if https {
        let verifier = Verifier::new(provider).map_err(|_| UpstreamError::NoRootCertificates)?;
        builder.dangerous().with_custom_certificate_verifier(Arc::new(verifier))
    } else {
        builder.with_root_certificates(RootCertStore::empty())
    };
    let mut config = verified.with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}
