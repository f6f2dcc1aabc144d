//! `wardwatch`: a roadside box that records its cameras untouched, runs detection on its own CPU, and reports events of its
//! rules to the ward post. Video never leaves the box over the network.
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
//!
//! Two programs, each behind its feature: `wardwatch` on the box (`box`), and `wardpost`, which stores the alerts at the
//! ward post (`post`).

pub mod backoff;
pub mod channel;
pub mod clock;
pub mod domain;
pub mod progress;
pub mod takeover;
pub mod text;
pub mod tls;

// Parsers of encoded video, for recording and for the store.
#[cfg(feature = "box")]
mod bitstream;

pub mod cli;
pub mod health;
#[cfg(feature = "post")]
pub mod post;

// Modules of the box only: none of them is in a ward post's program.
#[cfg(feature = "box")]
pub mod agent;
#[cfg(feature = "box")]
pub mod config;
#[cfg(feature = "box")]
pub mod detect;
#[cfg(feature = "box")]
pub mod download;
#[cfg(feature = "box")]
pub mod publish;
#[cfg(feature = "box")]
pub mod rules;
#[cfg(feature = "box")]
pub mod scene;
#[cfg(feature = "box")]
pub mod store;
#[cfg(feature = "box")]
pub mod thumbnail;
#[cfg(feature = "box")]
pub mod track;
#[cfg(feature = "box")]
pub mod video;
