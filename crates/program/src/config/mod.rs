//! Configuration files of both programs: reading, merging, and the check of their keys and types.
//!
//! [`Written`] merges the files into one tree that knows the file and line of every key. [`parse`] checks the tree against
//! the JSON Schema of its type and leaves out invalid values. No step stops at the first problem. It knows no key, and
//! shows no password. The box's `config` and the post's `settings` call it, and check the values that come out.

mod problem;
mod shape;
mod written;

use std::io;
use std::path::{Path, PathBuf};

use base::secret::Secret;
use base::text;

pub use problem::{Problem, Problems, choose};
pub use shape::{json_schema, parse};
pub use written::{Written, quoted, toml_files};

/// Name of the systemd credential that `path` means, in the form `credential:NAME`.
pub fn credential_name(path: &str) -> Option<&str> {
    path.strip_prefix("credential:")
}

/// The absolute form of a configuration's path, which holds in any working folder.
pub fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

/// Password in a file that holds nothing else; line ends behind it do not count.
///
/// # Errors
/// Those of [`text::read`].
pub fn password(file: &Path) -> io::Result<Secret> {
    Ok(Secret::new(text::read(file)?.trim_end_matches(['\r', '\n']).to_owned()))
}
