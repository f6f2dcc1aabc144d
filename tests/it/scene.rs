//! Scenarios of `scene`.
