//! The box's identity for its broker, from a configuration that is not complete yet: its certificate is still to be signed,
//! and the broker's address may be an example's.

use std::path::{Path, PathBuf};

use serde_json::Value;

use super::outside::{SECRETS, UNIT_PREFIX, secret_name};
use base::ids::BoxId;
use program::config::{Problems, Written, credential_name};

/// Values of a configuration about the box's certificate.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Identity {
    /// `box.id`.
    pub box_id: Option<BoxId>,
    /// `broker.cert_file`. Of systemd's credentials only those that the unit loads from the folder of the secrets are files
    /// that a command can write.
    pub cert_file: Option<PathBuf>,
    /// `broker.key_file`, likewise.
    pub key_file: Option<PathBuf>,
}

/// The name of `file` in a configuration in `folder`: the unit's credential for a file in the folder of the secrets, else its
/// path.
pub fn written_name(folder: &Path, file: &Path) -> String {
    match file.file_name() {
        Some(name) if file.parent() == Some(&folder.join(SECRETS)) => {
            format!("credential:{UNIT_PREFIX}{}", name.to_string_lossy())
        }
        _ => file.display().to_string(),
    }
}

/// Reads `path` and `conf.d/*.toml` beside it, and checks only the values that it returns.
///
/// # Errors
/// Files that do not read or are not TOML, or an invalid id.
pub fn identity(path: &Path) -> Result<Identity, Problems> {
    let mut written = super::written(path);
    let text = |written: &Written, table: &str, key: &str| {
        written.root.get(table)?.get(key).and_then(Value::as_str).map(str::to_owned)
    };
    let box_id = text(&written, "box", "id").and_then(|id| {
        let parsed = id.parse().ok();
        if parsed.is_none() {
            written.wrong("box.id", format!("{id:?} is not a valid id"), "use 1 to 32 of a-z, 0-9 and -");
        }
        parsed
    });
    let file = |key: &str| {
        let text = text(&written, "broker", key)?;
        if let Some(name) = secret_name(&text) {
            return Some(written.base().join(SECRETS).join(name));
        }
        let is_file = credential_name(&text).is_none();
        is_file.then(|| written.folder(&format!("broker.{key}")).join(text))
    };
    let found = Identity { box_id, cert_file: file("cert_file"), key_file: file("key_file") };
    let mut problems = written.into_problems();
    // Other faults are for `wardwatch check`.
    problems.0.retain(|problem| problem.key.is_empty() || problem.key == "box.id");
    if problems.0.is_empty() { Ok(found) } else { Err(problems) }
}
