//! Inference: which detector the box runs, for which camera, on which part of which frame, and when.
//!
//! Owns the threads that run inferences, the analysis of each camera, and the decode mode of a stream. Never reads a
//! stream, never stores or sends: events go to `alerts`. `run` starts it; `replay` runs the same analysis over a file.

mod analysis;
mod decode_mode;
mod factory;
pub mod replay;
mod scheduler;
mod settings;

pub use self::analysis::{Analysis, InferenceOutcome, MotionOutcome};
pub use decode_mode::DecodeModeController;
pub use factory::Factory;
pub use scheduler::{Count, Counts, Input, Scheduler};
pub use settings::{DetectorChoice, Settings};
