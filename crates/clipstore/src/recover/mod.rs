//! Owns the repair of a store: index and clip files are made to agree, and a damaged index is built again from the files.
//!
//! Never here: footage is deleted that a player could show. Files of another origin are moved to `aside/`.
//!
//! [`Store::open`](crate::Store::open) calls [`rebuild`] before anything is written, `write` when its index turns out
//! damaged, and `wardwatch store repair` through `read::inspect`.

mod damaged_index;
pub(crate) mod directory_scan;
pub(crate) mod identity;
pub(crate) mod rebuild;
pub(crate) mod reconcile;
pub(crate) mod reconciled;
