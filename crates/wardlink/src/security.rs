//! The box's certificates and keys, with errors in the configuration's words.

use std::path::Path;

use super::error::PublishError;
use super::settings::Tls;
use crate::tls::{self, Files};
use base::ids::BoxId;
use base::time::WallTime;

const CHAIN: &str = "a PEM file with this box's certificate chain";

/// Files of the box's TLS configuration.
pub(super) fn files(tls: &Tls) -> Files<'_> {
    Files {
        ca_file: &tls.ca_file,
        identity: tls.identity.as_ref().map(|own| (own.cert_file.as_path(), own.key_file.as_path())),
        chain: CHAIN,
    }
}

/// Checks that the certificates and the key read, and go together.
pub(super) fn check(tls: &Tls) -> Result<(), PublishError> {
    tls::client_config(files(tls))?;
    Ok(())
}

/// Checks that the certificate names this box. With another box's certificate the broker would take it for that one.
pub(super) fn check_name(cert_file: &Path, box_id: &BoxId) -> Result<(), PublishError> {
    match tls::names_another(cert_file, CHAIN, box_id.as_str())? {
        None => Ok(()),
        Some(name) => {
            Err(PublishError::OtherBox { path: cert_file.to_owned(), name, box_id: box_id.to_string() })
        }
    }
}

/// End of validity of the certificate in `cert_file`; `None` where its date cannot be read.
pub(super) fn ends_at(cert_file: &Path) -> Result<Option<WallTime>, PublishError> {
    Ok(tls::ends_at(cert_file, CHAIN)?.map(WallTime::from_timestamp))
}
