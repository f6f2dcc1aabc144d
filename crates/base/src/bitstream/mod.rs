//! Parsing of a camera's H.264 or H.265 stream as far as a recorder needs it: NAL units and parameter sets.
//!
//! Pure, and never trusts a length. `video` makes samples with it; `store` compares samples with their file's header.

pub mod bits;
pub mod nal;
pub mod sets;
pub mod sps;

pub use sets::{Parameters, Sets};
