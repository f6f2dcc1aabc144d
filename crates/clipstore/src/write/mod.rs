//! Owns the writing of footage and alerts: the queue, the store's one thread, the files being written and their format.
//!
//! Never here: a choice of which footage is deleted (`retain`), a repair of files (`recover`), a statement of SQL
//! (`index`), a wait for the disk by the caller that hands in a fragment.
//!
//! [`Store`](crate::Store) starts the [`writer`] and fills its [`queue`]; all that read clip files use [`container`].

pub(crate) mod container;
mod live_index;
mod open_segments;
mod outbox_changes;
pub(crate) mod queue;
mod segment;
pub(crate) mod writer;
