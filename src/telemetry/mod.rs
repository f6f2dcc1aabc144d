//! State of the box: the status registry, vitals, the state file under `/run` for operators, metrics for node_exporter.
//!
//! Never decides: it passes on reports of the others, to the broker through `wardlink` and to files on the box. Opens no port.
//! `run` starts it; `status` and `doctor` read its state file.

pub mod configuration;
mod disk;
pub mod metrics;
mod registry;
pub mod state;
mod vitals;

pub use disk::Disk;
pub use registry::StatusRegistry;
pub use vitals::Telemetry;
