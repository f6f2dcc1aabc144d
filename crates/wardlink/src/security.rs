//! The box's certificates and keys, with errors in the configuration's words.

use std::path::Path;
use std::sync::Arc;

use rustls::ClientConfig;

use super::error::PublishError;
use super::settings::Tls;
use crate::tls::{self, Files, TlsError};
use base::ids::BoxId;
use base::time::WallTime;

const CHAIN: &str = "a PEM file with this box's certificate chain";

/// TLS 1.2 and 1.3 with ring. Trusts the authorities in `ca_file` and no others.
pub(super) fn client_config(tls: &Tls) -> Result<Arc<ClientConfig>, PublishError> {
    let files = Files {
        ca_file: &tls.ca_file,
        identity: tls.identity.as_ref().map(|own| (own.cert_file.as_path(), own.key_file.as_path())),
        chain: CHAIN,
    };
    tls::client_config(files).map_err(of_the_box)
}

/// Checks that the certificate names this box. With another box's certificate the broker would take it for that one.
pub(super) fn check_name(cert_file: &Path, box_id: &BoxId) -> Result<(), PublishError> {
    match tls::names_another(cert_file, CHAIN, box_id.as_str()).map_err(of_the_box)? {
        None => Ok(()),
        Some(name) => {
            Err(PublishError::OtherBox { path: cert_file.to_owned(), name, box_id: box_id.to_string() })
        }
    }
}

/// End of validity of the certificate in `cert_file`; `None` where its date cannot be read.
pub(super) fn ends_at(cert_file: &Path) -> Result<Option<WallTime>, PublishError> {
    Ok(tls::ends_at(cert_file, CHAIN).map_err(of_the_box)?.map(WallTime::from_timestamp))
}

fn of_the_box(error: TlsError) -> PublishError {
    match error {
        TlsError::File { key, path, reason, wanted } => PublishError::File { key, path, reason, wanted },
        TlsError::Identity(error) => PublishError::Identity(error),
    }
}
