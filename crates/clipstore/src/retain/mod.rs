//! Owns what is deleted and what stays: the list of segments, the order of deletion, alert pins and legal holds.
//!
//! Never here: a statement of SQL (removed segments are reported to the writer), a deletion of footage on hold or of a
//! segment that is being written.
//!
//! `write` asks [`space_manager`] for space before each fragment; the command line makes and releases [`holds`].

mod age;
mod deleter;
mod disk_probe;
mod evidence_alarm;
pub mod forecast;
mod held;
pub mod holds;
mod pins;
mod retention;
mod segment_list;
pub(crate) mod space_manager;
