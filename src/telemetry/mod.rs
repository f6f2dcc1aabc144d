//! How the box is: the status registry, vitals, the state file under `/run` for operators, metrics for node_exporter.
//!
//! Never decides: it reports what the others tell it, to the broker through `wardlink` and to files on the box. Opens no port.
//! `run` starts it; `status` and `doctor` read its state file.

mod disk;
pub mod metrics;
mod registry;
pub mod state;
mod vitals;

pub use disk::Disk;
pub use registry::StatusRegistry;
pub use vitals::Telemetry;
