//! Owns reading: lists of clips and alerts, the check of a store, and the access log of footage.
//!
//! Never here: a change of clip files or rows, but for the repair that `recover` carries out on request.
//!
//! The command line, `export` and the daemon's own threads read here, also in other processes while the daemon writes.

pub mod access;
pub(crate) mod catalogue;
pub mod inspect;
