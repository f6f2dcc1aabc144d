//! Detections into tracks: pure.
