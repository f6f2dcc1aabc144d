//! Python environments with the packages that a bench's `requirements.txt` pins. Made at the first use, and again once the file
//! has changed.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Path of the interpreter of the environment for `benches/BENCH/requirements.txt`; an error where it cannot be made.
pub fn python(bench: &str) -> Result<PathBuf, String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let made = Command::new(root.join("scripts/python"))
        .arg(root.join("benches").join(bench).join("requirements.txt"))
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| format!("scripts/python: {error}"))?;
    if !made.status.success() {
        return Err(format!("scripts/python: {}", made.status));
    }
    Ok(String::from_utf8_lossy(&made.stdout).trim().into())
}
