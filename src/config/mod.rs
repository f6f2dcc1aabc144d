//! The configuration: as written, then checked.
