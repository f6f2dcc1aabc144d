//! Which detector looks, and how sure it must be.

use std::path::PathBuf;

/// Which detector looks at the frames.
#[derive(Debug, Clone, PartialEq)]
pub enum DetectorChoice {
    /// The built-in motion detector: needs no weights, says `moving`.
    Motion,
    /// A network: the path of its manifest (`.toml`), or of a known network's file (`.onnx`).
    Network(PathBuf),
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
