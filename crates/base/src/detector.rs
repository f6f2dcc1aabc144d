//! The border between a detector and its callers: the trait, the parts of a picture that they ask for, the result.

use crate::alert::ModelRef;
use crate::detection::Detection;
use crate::fault::ErrorKind;
use crate::geometry::Rect;
use crate::picture::Frame;

/// The whole picture.
pub const WHOLE: Rect = Rect::new(0.0, 0.0, 1.0, 1.0);

/// A part of the picture, and the size at which a network sees it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct InferenceArea {
    /// The part, as fractions of the picture.
    pub crop: Rect,
    /// The network's input: one of [`Detector::input_sizes`].
    pub size: InputSize,
}

impl InferenceArea {
    /// The whole picture at the network's largest input.
    pub fn whole(sizes: &[InputSize]) -> Self {
        Self { crop: WHOLE, size: sizes.first().copied().unwrap_or(InputSize { width: 1, height: 1 }) }
    }

    /// Number of pixels of the network's input.
    pub fn pixels(&self) -> u64 {
        (self.size.width * self.size.height) as u64
    }
}

/// A size that a network's input can have, in pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InputSize {
    /// Columns.
    pub width: usize,
    /// Rows.
    pub height: usize,
}

/// Error of an inference, with its cause and the remedy.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct InferenceError {
    kind: ErrorKind,
    message: String,
}

impl InferenceError {
    /// An error of this kind; `message` names what happened and what to do.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into() }
    }

    /// The supervisor's class of this error.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }
}

/// Detects subjects on the frames of one camera, in order.
pub trait Detector: Send {
    /// Returns the detections on `frame`, best first. Runs on the caller's thread, for as long as one inference takes.
    ///
    /// An error leaves the detector fit for the next frame.
    fn detect(&mut self, frame: &Frame) -> Result<Vec<Detection>, InferenceError>;

    /// Runs one inference on each of these parts of `frame`. The provided method is for a detector without
    /// [`Detector::input_sizes`]: it analyses the whole frame whatever they are.
    fn infer(&mut self, frame: &Frame, areas: &[InferenceArea]) -> Result<InferenceResult, InferenceError> {
        let _ = areas;
        Ok(InferenceResult { detections: self.detect(frame)?, cut: Vec::new() })
    }

    /// The input sizes that an inference can have, the largest first; none for a detector that costs as little as a motion check.
    fn input_sizes(&self) -> &[InputSize] {
        &[]
    }

    /// Returns true if a rider and the two-wheeler are one detection.
    fn includes_riders(&self) -> bool {
        false
    }

    /// Name and hash of this detector, for alerts.
    fn model(&self) -> ModelRef;
}

/// Result of the inferences on parts of a frame.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct InferenceResult {
    /// Detections, best first.
    pub detections: Vec<Detection>,
    /// Estimated extents of detections that a crop's edge has cut and no other crop shows whole.
    pub cut: Vec<Rect>,
}
