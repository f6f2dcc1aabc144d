//! Certificates and keys into a TLS configuration.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};

use super::error::PublishError;
use super::settings::{Identity, Tls};

/// TLS 1.2 and 1.3 with ring. Trusts what is in `ca_file` and nothing else.
pub(super) fn client_config(tls: &Tls) -> Result<Arc<ClientConfig>, PublishError> {
    let mut roots = RootCertStore::empty();
    const CA: &str = "a PEM file with the certificate of the authority that signed the broker's";
    for certificate in certificates("ca_file", &tls.ca_file, CA)? {
        roots.add(certificate).map_err(|error| file_error("ca_file", &tls.ca_file, CA)(error.to_string()))?;
    }
    let builder = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("ring does TLS 1.2 and 1.3")
        .with_root_certificates(roots);
    let config = match &tls.identity {
        None => builder.with_no_client_auth(),
        Some(identity) => {
            let (chain, key) = own(identity)?;
            builder.with_client_auth_cert(chain, key).map_err(PublishError::Identity)?
        }
    };
    Ok(Arc::new(config))
}

fn own(identity: &Identity) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>), PublishError> {
    const CERT: &str = "a PEM file with this box's certificate chain";
    const KEY: &str = "a PEM file with the private key, without a password";
    let chain = certificates("cert_file", &identity.cert_file, CERT)?;
    let wrong = |reason| file_error("key_file", &identity.key_file, KEY)(reason);
    let pem = fs::read(&identity.key_file).map_err(|error| wrong(error.to_string()))?;
    let key =
        PrivateKeyDer::from_pem_slice(&pem).map_err(|error| wrong(format!("no private key: {error}")))?;
    Ok((chain, key))
}

fn certificates(
    key: &'static str,
    path: &Path,
    wanted: &'static str,
) -> Result<Vec<CertificateDer<'static>>, PublishError> {
    let wrong = |reason| file_error(key, path, wanted)(reason);
    let pem = fs::read(path).map_err(|error| wrong(error.to_string()))?;
    let certificates: Vec<_> = CertificateDer::pem_slice_iter(&pem)
        .collect::<Result<_, _>>()
        .map_err(|error| wrong(error.to_string()))?;
    if certificates.is_empty() { Err(wrong("no certificate in it".to_owned())) } else { Ok(certificates) }
}

fn file_error(
    key: &'static str,
    path: &Path,
    wanted: &'static str,
) -> impl FnOnce(String) -> PublishError + use<> {
    let path = path.to_owned();
    move |reason| PublishError::File { key, path, reason, wanted }
}
