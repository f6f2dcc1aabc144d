//! Certificates and keys as a TLS configuration, and diagnosis of failed connections by them. A leaf, since box and
//! ward post prove their identity to their broker in the same way. Reads files, and opens no connection.

mod certificate;
mod handshake;
mod refusal;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::Timestamp;
use rustls::client::verify_server_name;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::server::ParsedCertificate;
use rustls::{ClientConfig, RootCertStore, ServerConfig};

pub use handshake::{Attempt, HandshakeError, Party, has_hung_up};
pub use refusal::Refusal;

use base::text::{self, Foreign};

const CA: &str = "a PEM file with the certificate of the authority that signed the broker's";
const KEY: &str = "a PEM file with the private key, without a password";

/// Files of a TLS configuration.
#[derive(Debug, Clone, Copy)]
pub struct Files<'a> {
    /// PEM file of the authority that signed the broker's certificate.
    pub ca_file: &'a Path,
    /// PEM files of the own certificate chain and private key, for mutual TLS.
    pub identity: Option<(&'a Path, &'a Path)>,
    /// Description of the chain file for a person: "a PEM file with this box's certificate chain".
    pub chain: &'static str,
}

/// Fault of a certificate or a key.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A certificate or key file does not read.
    #[error("{key} {}: {reason}; give the path of {wanted}", path.display())]
    File {
        /// The key in the configuration: `ca_file`, `cert_file`, `key_file`.
        key: &'static str,
        /// The file.
        path: PathBuf,
        /// Reason for which the file does not read.
        reason: String,
        /// Contents that the file should have.
        wanted: &'static str,
    },
    /// Certificate and key do not go together, or are of a kind that is not supported.
    #[error("cert_file and key_file cannot be used: {0}; give a certificate and its own key")]
    Identity(rustls::Error),
}

/// The cryptography of every connection: ring.
pub fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

/// TLS 1.2 and 1.3 with ring. Trusts the authorities in `ca_file` and no others.
///
/// # Errors
/// A file does not read, or certificate and key do not match.
pub fn client_config(files: Files<'_>) -> Result<Arc<ClientConfig>, TlsError> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates("ca_file", files.ca_file, CA)? {
        roots
            .add(certificate)
            .map_err(|error| file_error("ca_file", files.ca_file, CA)(error.to_string()))?;
    }
    let builder = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .expect("ring does TLS 1.2 and 1.3")
        .with_root_certificates(roots);
    let config = match files.identity {
        None => builder.with_no_client_auth(),
        Some((cert_file, key_file)) => {
            let chain = certificates("cert_file", cert_file, files.chain)?;
            builder.with_client_auth_cert(chain, private_key(key_file)?).map_err(TlsError::Identity)?
        }
    };
    Ok(Arc::new(config))
}

/// TLS 1.2 and 1.3 with ring, for a server of HTTP/1.1 with this certificate chain. Asks clients for no certificate.
///
/// # Errors
/// A file does not read, or certificate and key do not match.
pub fn server_config(cert_file: &Path, key_file: &Path) -> Result<Arc<ServerConfig>, TlsError> {
    let chain = certificates("cert_file", cert_file, "a PEM file with the page's certificate chain")?;
    let builder = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .expect("ring does TLS 1.2 and 1.3")
        .with_no_client_auth();
    let mut config = builder.with_single_cert(chain, private_key(key_file)?).map_err(TlsError::Identity)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

/// Common name of the first certificate in `cert_file`, which brokers take for the user's name, or "nobody" without one.
/// `None` where the certificate is for `name`, by common name or by DNS name.
///
/// # Errors
/// The file does not read.
pub fn names_another(cert_file: &Path, wanted: &'static str, name: &str) -> Result<Option<String>, TlsError> {
    let chain = certificates("cert_file", cert_file, wanted)?;
    let common_name = certificate::common_name(&chain[0]);
    let is_dns_name = || {
        let parsed = ParsedCertificate::try_from(&chain[0]).ok()?;
        verify_server_name(&parsed, &ServerName::try_from(name).ok()?).ok()
    };
    if common_name.as_deref() == Some(name) || is_dns_name().is_some() {
        return Ok(None);
    }
    Ok(Some(common_name.unwrap_or_else(|| "nobody".to_owned())))
}

/// End of validity of the first certificate in `cert_file`; `None` where its date cannot be read.
///
/// # Errors
/// The file does not read.
pub fn ends_at(cert_file: &Path, wanted: &'static str) -> Result<Option<Timestamp>, TlsError> {
    let chain = certificates("cert_file", cert_file, wanted)?;
    Ok(certificate::ends_at(&chain[0]))
}

fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>, TlsError> {
    let wrong = |reason| file_error("key_file", path, KEY)(reason);
    let pem = read_pem(path).map_err(wrong)?;
    let wrong = |reason| file_error("key_file", path, KEY)(reason);
    PrivateKeyDer::from_pem_slice(&pem).map_err(|error| wrong(format!("no private key: {error}")))
}

fn certificates(
    key: &'static str,
    path: &Path,
    wanted: &'static str,
) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let wrong = |reason| file_error(key, path, wanted)(reason);
    let pem = read_pem(path).map_err(wrong)?;
    let certificates: Vec<_> = CertificateDer::pem_slice_iter(&pem)
        .collect::<Result<_, _>>()
        .map_err(|error| wrong(error.to_string()))?;
    if certificates.is_empty() { Err(wrong("no certificate in it".to_owned())) } else { Ok(certificates) }
}

/// The bytes of a PEM file. Text before a PEM block may be in any encoding of one byte a letter.
fn read_pem(path: &Path) -> Result<Vec<u8>, String> {
    let pem = fs::read(path).map_err(|error| error.to_string())?;
    match text::foreign(&pem) {
        None | Some(Foreign::EightBit { .. }) => Ok(pem),
        Some(foreign) => Err(format!("{foreign}; {}", text::REMEDY)),
    }
}

fn file_error(
    key: &'static str,
    path: &Path,
    wanted: &'static str,
) -> impl FnOnce(String) -> TlsError + use<> {
    let path = path.to_owned();
    move |reason| TlsError::File { key, path, reason, wanted }
}
