//! The configuration: read as written, checked, and handed out as every module's own settings.
//!
//! [`load()`] reads `wardwatch.toml` and `conf.d/*.toml` beside it with [`program::config`], which checks keys and types
//! against `file`. `load`, with `calendar`, `broker`, `detector`, `cameras`, `store` and `rules`, gives the valid values
//! their types and checks the conditions that a schema cannot express. The results are `settings`. No step stops at the
//! first problem.
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
mod rules;
mod settings;
mod store;

use std::path::{Path, PathBuf};

use program::config::Written;

pub use identity::{Identity, identity};
pub use program::config::{Problem, Problems, choose};
pub use settings::{Camera, Places, Settings};

/// Remedy where a file of the configuration cannot be read.
const UNREADABLE: &str =
    "put the configuration there, readable by wardwatch, or name another file with --config";

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

/// The JSON Schema of the configuration; `deploy/config.schema.json` is this text.
pub fn json_schema() -> String {
    program::config::json_schema::<file::File>()
}

fn written(path: &Path) -> Written {
    Written::read(path, Some("conf.d"), UNREADABLE)
}
