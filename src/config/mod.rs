//! The configuration: read as written, checked, and handed out as every module's own settings.
//!
//! [`load()`] reads `wardwatch.toml` and `conf.d/*.toml` beside it in these steps, none of which stops at the first
//! problem. `written` merges the files into one tree that knows the line of every key. `shape` checks the tree against
//! the JSON Schema of `file` and removes invalid values. `load`, with `calendar`, `broker`, `detector`, `cameras`, `store` and
//! `rules`, gives the rest its types and checks the conditions that a schema cannot express. The results are `settings`.
//! [`part`] is for a box that has to go on with faults, [`Copy`] for the last configuration without one.
//!
//! It never opens a connection, and never shows a password. `cli`, `run` and `doctor` call it; a reload that
//! fails leaves its caller with the settings it has.

mod broker;
mod calendar;
mod cameras;
mod copy;
mod detector;
mod file;
mod identity;
mod load;
mod outside;
pub mod part;
mod problem;
mod reader;
mod rules;
mod settings;
mod shape;
mod store;
mod written;

use std::path::{Path, PathBuf};

pub use copy::Copy;
pub use identity::{Identity, identity, written_name};
use outside::Outside;
pub use part::Part;
pub(crate) use problem::choose;
pub use problem::{Problem, Problems};
pub use reader::{Reader, UnknownUser};
pub use settings::{Camera, Settings};
pub use shape::json_schema;
use written::Written;

/// Default path of a box's configuration.
pub const DEFAULT_PATH: &str = "/etc/wardwatch/wardwatch.toml";

/// Reads and checks `path` and `conf.d/*.toml` beside it; blocks on the disk. Systemd credentials are looked for in
/// `$CREDENTIALS_DIRECTORY`.
///
/// # Errors
/// All problems, at once, in the order of files and lines.
pub fn load(path: &Path) -> Result<Settings, Problems> {
    load_for(path, Reader::Process)
}

/// The same, where `reader` is the user who must be able to read the files.
///
/// # Errors
/// All problems, at once, in the order of files and lines.
pub fn load_for(path: &Path, reader: Reader) -> Result<Settings, Problems> {
    load::load(Written::read(path), &Outside::of_process(reader))
}

/// The part of `path` and `conf.d/*.toml` beside it that has no fault.
///
/// # Errors
/// All problems, where nothing can run with them.
pub fn part_of(path: &Path) -> Result<Part, Problems> {
    part::of(Written::read(path), &Outside::of_process(Reader::Process))
}

/// The absolute form of a configuration's path, which holds in any working folder.
fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}
