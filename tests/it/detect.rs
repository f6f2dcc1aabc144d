//! Scenarios of `detect`.
