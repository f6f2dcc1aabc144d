//! The Python that a bench's `requirements.txt` pins; made at its first use.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The interpreter with the packages of `benches/BENCH/requirements.txt`, or the reason where they cannot be had.
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
