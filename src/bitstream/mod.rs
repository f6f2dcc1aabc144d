//! NAL units of H.264 and H.265, and parameter sets: what a recorder reads of a camera's bits.
//!
//! Pure, and never trusts a length. `video` makes samples with it, `store` holds samples against their header.

pub(crate) mod bits;
pub(crate) mod nal;
pub(crate) mod sets;
pub(crate) mod sps;

pub(crate) use sets::{Parameters, Sets};
