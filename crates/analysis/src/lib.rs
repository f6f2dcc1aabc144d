//! Motion, tracks and the ward's rules, over what is seen on frames: pure functions of pictures, detections and time.
//!
//! Owns the motion check, view quality, the crops that a network sees and its budget, tracks, and rules. Never here: I/O, a
//! thread, a clock (time is an argument), a network. `infer` asks on every frame; benches and `replay` do the same.

pub mod budget;
pub mod gate;
pub mod motion;
pub mod regions;
pub mod rules;
pub mod scenery;
pub mod track;
pub mod view_integrity;

pub use gate::{Gate, GateSettings, MotionCheck, MotionRegion};
pub use motion::Motion;
pub use scenery::Scenery;
pub use view_integrity::ViewIntegrityMonitor;
