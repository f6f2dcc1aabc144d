//! The box's certificates and keys, in the configuration's words.

use std::sync::Arc;

use rustls::ClientConfig;

use super::error::PublishError;
use super::settings::Tls;
use crate::tls::{self, Files, TlsError};

/// TLS 1.2 and 1.3 with ring. Trusts what is in `ca_file` and nothing else.
pub(super) fn client_config(tls: &Tls) -> Result<Arc<ClientConfig>, PublishError> {
    let files = Files {
        ca_file: &tls.ca_file,
        identity: tls.identity.as_ref().map(|own| (own.cert_file.as_path(), own.key_file.as_path())),
        chain: "a PEM file with this box's certificate chain",
    };
    tls::client_config(files).map_err(|error| match error {
        TlsError::File { key, path, reason, wanted } => PublishError::File { key, path, reason, wanted },
        TlsError::Identity(error) => PublishError::Identity(error),
    })
}
