//! The ward post: keeps what the boxes send, acknowledges it once it is on the disk, and words it for people.
//!
//! Three parts that know nothing of each other's inside: [`storage`], the database, which also others than the receiver
//! read; [`Receiver`], which fills it from the broker; [`presentation`], what a stored alert looks like to a person.
//! It shows nothing itself and never talks to a box but in acknowledgements. `cli::wardpost` builds and runs it.

pub mod arrival;
mod client;
pub mod presence;
pub mod presentation;
mod receiver;
pub mod settings;
pub mod storage;
pub mod twins;

pub use receiver::{Receiver, ReceiverError};
pub use settings::{Settings, SettingsError};
pub use storage::{Storage, StorageError};
