//! Parsing of a camera's H.264 or H.265 stream as far as a recorder needs it: NAL units and parameter sets.
//!
//! Pure, and never trusts a length. `video` makes samples with it; `store` compares samples with their file's header.

pub(crate) mod bits;
pub(crate) mod nal;
pub(crate) mod sets;
pub(crate) mod sps;

pub(crate) use sets::{Parameters, Sets};
