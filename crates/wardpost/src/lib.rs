//! The ward post: stores the boxes' messages, acknowledges them once they are on the disk, and words them for people.
//!
//! Four parts that know nothing of each other's inside: [`storage`], the database, which others than the receiver read, too;
//! [`Receiver`], which fills it from the broker; [`presentation`], the text of a stored alert for a person; [`cli`], the
//! program. The post sends the boxes only acknowledgements.
//!
//! Never here: GStreamer, networks, video. The program `wardpost` and the demonstration use it.

pub mod arrival;
pub mod cli;
mod connection;
mod demo;
pub mod duty;
pub mod events;
pub mod health;
pub mod hook;
pub mod page;
pub mod people;
pub mod presence;
pub mod presentation;
mod receiver;
pub mod settings;
pub mod storage;
pub mod twins;

pub use duty::{Duty, DutyError};
pub use receiver::{Receiver, ReceiverError};
pub use settings::{Settings, SettingsError};
pub use storage::{Storage, StorageError};
