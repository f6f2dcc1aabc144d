//! The configuration: read as written, checked, and handed out as every module's own settings.
//!
//! [`load()`] reads `wardwatch.toml` and `conf.d/*.toml` beside it in these steps, none of which stops at the first
//! problem. `written` merges the files into one tree that knows the line of every key. `shape` checks the tree against
//! the JSON Schema of `file` and removes invalid values. `load`, with `calendar`, `broker`, `detector`, `cameras`, `store` and
//! `rules`, gives the rest its types and checks the conditions that a schema cannot express. The results are `settings`.
//!
//! It never writes, never opens a connection, and never shows a password. `cli`, `run` and `doctor` call it; a reload that
//! fails leaves its caller with the settings it has.

mod broker;
mod calendar;
mod cameras;
mod detector;
mod doubts;
mod file;
mod identity;
mod load;
mod outside;
mod problem;
mod rules;
mod settings;
mod shape;
mod store;
mod written;

use std::path::{Path, PathBuf};

pub use identity::{Identity, identity};
pub(crate) use problem::choose;
pub use problem::{Problem, Problems};
pub use settings::{Camera, Places, Settings};
pub use shape::json_schema;

/// Default path of a box's configuration.
pub const DEFAULT_PATH: &str = "/etc/wardwatch/wardwatch.toml";

/// Reads and checks `path` and `conf.d/*.toml` beside it; blocks on the disk. Systemd credentials are looked for in
/// `$CREDENTIALS_DIRECTORY`.
///
/// # Errors
/// All problems, at once, in the order of files and lines.
pub fn load(path: &Path) -> Result<Settings, Problems> {
    let credentials_directory = std::env::var_os("CREDENTIALS_DIRECTORY").map(PathBuf::from);
    load::load(path, credentials_directory.as_deref())
}
