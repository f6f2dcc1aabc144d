//! The clip store: the only user of SQLite and of the clip files.

mod settings;

pub use settings::Settings;
