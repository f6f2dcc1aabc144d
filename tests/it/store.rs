//! Scenarios of `store`.
