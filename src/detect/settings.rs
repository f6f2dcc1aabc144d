//! Which detector looks, and how sure it must be.

use std::path::PathBuf;

use super::manifest::BUILT_IN;

const MOTION: &str = "motion";

/// Which detector looks at the frames.
#[derive(Debug, Clone, PartialEq)]
pub enum DetectorChoice {
    /// The built-in motion detector: needs no weights, says `moving`.
    Motion,
    /// A network: the path of its manifest (`.toml`), of a known network's file (`.onnx`), or [`BUILT_IN`].
    Network(PathBuf),
}

impl DetectorChoice {
    /// What people write: `motion`, [`BUILT_IN`], or a path.
    pub fn named(text: &str) -> Self {
        if text == MOTION { Self::Motion } else { Self::Network(text.into()) }
    }

    /// Whether `text` names a detector that is part of the program, so that there is no file to look for.
    pub fn is_built_in(text: &str) -> bool {
        text == MOTION || text == BUILT_IN
    }
}

/// Settings of detection, for the whole box.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// Which detector.
    pub detector: DetectorChoice,
    /// Detections below this score are dropped; the tracker's lower threshold, 0..=1.
    pub score_min: f32,
    /// Threads that look at frames; one inference runs on one thread.
    pub workers: usize,
}

/// The built-in network on one thread.
impl Default for Settings {
    fn default() -> Self {
        Self { detector: DetectorChoice::named(BUILT_IN), score_min: 0.25, workers: 1 }
    }
}
