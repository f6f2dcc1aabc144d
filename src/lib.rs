//! `wardwatch`: a roadside box that records its cameras untouched, looks at them on its own CPU, and tells the ward
//! post what its rules say. Video never leaves the box over the network.
//!
//! ```text
//!  camera ──RTSP──► video ──fragments──► store (ring of segment files + SQLite index)
//!                     │                    ▲
//!                     └──frames──► detect ─┘   event + alert row: one transaction
//!                      (latest wins)  │        ▼
//!                                   track ► rules ► alert ──► publish ──MQTT/TLS──► ward post
//! ```
//!
//! Three planes meet only at named types of [`domain`]: encoded video (`Fragment`), pictures (`Frame`) and words
//! (`Event`, `Alert`). Modules never import their siblings; `agent` wires them. ARCHITECTURE.md is the map.

pub mod backoff;
pub mod channel;
pub mod clock;
pub mod domain;

pub mod agent;
pub mod cli;
pub mod config;
pub mod detect;
pub mod publish;
pub mod rules;
pub mod scene;
pub mod store;
pub mod thumbnail;
pub mod track;
pub mod video;
