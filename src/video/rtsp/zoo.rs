//! Scripted cameras.
