//! The configuration: read as written, checked, and handed out as every module's own settings.
//!
//! [`load()`] reads `wardwatch.toml` and `conf.d/*.toml` beside it with [`program::config`], which checks keys and types
//! against `file`. `load`, with `calendar`, `broker`, `detector`, `cameras`, `store` and `rules`, gives the valid values
//! their types and checks the conditions that a schema cannot express. The results are `settings`. No step stops at the
//! first problem. [`part`] is for a box that has to go on with faults, [`struct@Copy`] for the last configuration without one.
//!
//! It never opens a connection, and never shows a password. `cli`, `run` and `doctor` call it; a reload that
//! fails leaves its caller with the settings it has.

mod broker;
mod calendar;
mod cameras;
mod copy;
mod detector;
mod doubts;
mod file;
mod identity;
mod load;
mod outside;
pub mod part;
mod reader;
mod rules;
mod settings;
mod store;

use std::path::Path;

use program::config::Written;

pub use copy::Copy;
pub use identity::{Identity, identity, written_name};
use outside::Outside;
pub use part::Part;
pub use program::config::{Problem, Problems, choose};
pub use reader::{Reader, UnknownUser};
pub use settings::{Camera, Places, Settings};

/// Folder beside the configuration whose files belong to it.
const FOLDER: &str = "conf.d";
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
    load_for(path, Reader::Process)
}

/// The same, where `reader` is the user who must be able to read the files.
///
/// # Errors
/// All problems, at once, in the order of files and lines.
pub fn load_for(path: &Path, reader: Reader) -> Result<Settings, Problems> {
    load::load(written(path), &Outside::of_process(reader))
}

/// The part of `path` and `conf.d/*.toml` beside it that has no fault.
///
/// # Errors
/// All problems, where nothing can run with them.
pub fn part_of(path: &Path) -> Result<Part, Problems> {
    part::of(written(path), &Outside::of_process(Reader::Process))
}

/// The JSON Schema of the configuration; `deploy/config.schema.json` is this text.
pub fn json_schema() -> String {
    program::config::json_schema::<file::File>()
}

fn written(path: &Path) -> Written {
    Written::read(path, Some(FOLDER), UNREADABLE)
}
