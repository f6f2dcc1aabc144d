//! Scripted cameras on loopback, one behaviour each, against the client as a session uses it.
//!
//! docs/cameras.md lists the behaviours.

mod camera;
mod login;
mod manners;
mod packets;
mod setup;
