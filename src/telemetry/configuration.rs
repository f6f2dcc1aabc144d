//! The configuration in force, for an operator at the box: one small file beside the box's state, written each time the daemon
//! has read its configuration. `wardwatch reload` waits for it; `wardwatch status` reads it where nothing else runs.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::state::{StateError, replace};
use base::time::WallTime;

/// The value of `schema` in every file of this version.
pub const SCHEMA: &str = "wardwatch.configuration/1";

/// The file in a runtime directory.
const FILE: &str = "configuration.json";

/// The part of the configuration that is in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Extent {
    /// All of the files.
    Whole,
    /// An earlier configuration; the files as they are now were refused.
    Earlier,
    /// The part of the files without a fault.
    Part,
    /// None of it: the daemon waits for files that it can use.
    Nothing,
}

/// The configuration in force.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Configuration {
    /// Always [`SCHEMA`].
    pub schema: String,
    /// The daemon's process.
    pub pid: u32,
    /// Time at which the files were read last.
    pub read_at: WallTime,
    /// The same in nanoseconds since boot: a clock that nobody sets.
    pub read_at_nanos: u64,
    /// The part of it that is in force.
    pub in_force: Extent,
    /// Everything that is not in force and why, for a person; empty for [`Extent::Whole`].
    pub faults: Vec<String>,
}

/// Writes it into `directory`, whole or not at all; others than the daemon may read it.
///
/// # Errors
/// The system's error; an earlier file stays.
pub fn write(directory: &Path, configuration: &Configuration) -> io::Result<()> {
    let text = serde_json::to_string(configuration).map_err(io::Error::other)?;
    replace(&path(directory), &text)
}

/// Removes it, since the daemon stops.
pub fn remove(directory: &Path) {
    if let Err(error) = fs::remove_file(path(directory))
        && error.kind() != io::ErrorKind::NotFound
    {
        tracing::debug!("{}: {error}", path(directory).display());
    }
}

/// Reads it.
///
/// # Errors
/// There is none, or none that this version understands.
pub fn read(directory: &Path) -> Result<Configuration, StateError> {
    super::state::read_json(path(directory))
}

fn path(directory: &Path) -> PathBuf {
    directory.join(FILE)
}
