//! Settings of detection: the detector, its least score, and its share of the machine.

use std::path::PathBuf;

use base::detector::InputSize;
use detector::BUILT_IN;

const MOTION: &str = "motion";

/// The detector for all frames.
#[derive(Debug, Clone, PartialEq)]
pub enum DetectorChoice {
    /// The built-in motion detector: needs no weights, reports `moving`.
    Motion,
    /// A network: the path of its manifest (`.toml`), of a known network's file (`.onnx`), or [`BUILT_IN`].
    Network(PathBuf),
}

impl DetectorChoice {
    /// Reads the name that people write: `motion`, [`BUILT_IN`], or a path.
    pub fn named(text: &str) -> Self {
        if text == MOTION { Self::Motion } else { Self::Network(text.into()) }
    }

    /// Returns true if `text` names a detector that is part of the program, so that there is no file to look for.
    pub fn is_built_in(text: &str) -> bool {
        text == MOTION || text == BUILT_IN
    }
}

/// Settings of detection, for the whole box.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// The detector.
    pub detector: DetectorChoice,
    /// The network's input has this size, not that of its manifest.
    pub input_size: Option<InputSize>,
    /// Detections below this score are dropped; the tracker's lower threshold, 0..=1. `None`: as the network's manifest says.
    pub score_min: Option<f32>,
    /// Threads that run inferences; one inference runs on one thread.
    pub workers: usize,
    /// The part of all cores that a network may take, above 0, at most 1. The motion detector has no limit.
    pub cpu_share_max: f32,
    /// Temperature of the box from which a network gets less, in degrees Celsius.
    pub temperature_celsius_max: f32,
    /// A network sees every frame whole, without a gate: the reference for measuring the pipeline.
    pub every_frame: bool,
}

impl Settings {
    /// The shares of a fresh box, one worker.
    pub fn new(detector: DetectorChoice) -> Self {
        Self {
            detector,
            input_size: None,
            score_min: None,
            workers: 1,
            cpu_share_max: 0.5,
            temperature_celsius_max: 80.0,
            every_frame: false,
        }
    }
}

/// The built-in network on one thread.
impl Default for Settings {
    fn default() -> Self {
        Self::new(DetectorChoice::named(BUILT_IN))
    }
}
