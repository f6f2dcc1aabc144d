//! Scenarios of `publish`.
