//! Health of the programs, for the machine that they run on: readiness and watchdog for systemd, the box's state under
//! `/run` for operators, its metrics for node_exporter. Opens no port, decides nothing; `agent` and `cli` call it.

pub mod metrics;
pub mod service;
pub mod state;
