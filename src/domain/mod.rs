//! Types shared by all parts of the box: no I/O, no clock reading, no threads.
//!
//! A module meets its siblings only through these types, on channels that `agent` wires.

pub mod ack;
pub mod alert;
pub mod appearance;
pub mod detection;
pub mod event;
pub mod fault;
pub mod fragment;
pub mod geometry;
pub mod ground;
pub mod ids;
pub mod optics;
pub mod picture;
pub mod remnant;
pub mod secret;
pub mod status;
pub mod time;
pub mod track;
pub mod vitals;
pub mod zone;
