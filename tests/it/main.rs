//! Scenarios against real parts: GStreamer, an RTSP server, Mosquitto, SQLite files, child processes.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(clippy::print_stderr, reason = "a skipped test says why")]

mod architecture;
mod asyncapi;
mod brokers;
mod certificates;
mod clips;
mod clock;
#[path = "../../benches/detect/conditions.rs"]
mod conditions;
mod config;
mod daemon;
mod detect;
mod documents;
mod faults;
mod gate;
mod get;
mod inspect;
mod manual;
mod network;
mod outbox;
mod post;
mod publish;
mod purge;
mod real;
mod reconcile;
mod retention;
mod rights;
mod scene;
mod store;
mod street;
mod support;
mod system;
mod units;
mod upgrade;
mod video;
mod view_integrity;
mod zoo;
