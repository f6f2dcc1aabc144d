//! `wardwatch`: a roadside box that records its cameras untouched, runs detection on its own CPU, and reports events of its
//! rules to the ward post. Video never leaves the box over the network.
//!
//! ```text
//!  camera ──RTSP──► camera ──fragments──► clipstore (ring of segment files + SQLite index)
//!                     │                    ▲
//!                     └──frames──► infer ──┘   event + alert row: one transaction
//!                      (latest wins)  │        ▼
//!                                  track ► rules ► alert ──► wardlink ──MQTT/TLS──► ward post
//! ```
//!
//! The crates meet only at named types of [`base`]: encoded video (`Fragment`), pictures (`Frame`) and words
//! (`Event`, `Alert`). `run` wires them. ARCHITECTURE.md is the map.

pub mod alerts;
pub mod cli;
pub mod config;
pub mod doctor;
pub mod download;
pub mod infer;
pub mod run;
pub mod telemetry;
