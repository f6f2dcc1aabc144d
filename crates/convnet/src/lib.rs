//! Convolutional networks on the CPU: kernels on planes with margins, and the program that runs them in a row.
//!
//! Pure arithmetic, for the vectors that the processor has, without unsafe code. A [`Sketch`] is built operator by operator
//! and becomes a [`Program`].
//!
//! Never here: a file format, another engine, a thread. `detector` turns ONNX graphs into programs. README.md has an example.

mod activation;
mod chain;
mod convolution;
mod depthwise;
mod grid;
mod planes;
mod program;
mod sketch;
mod taps;

#[cfg(test)]
mod tests;

pub use activation::Activation;
pub use planes::Combine;
pub use program::{Arena, Program};
pub use sketch::{Filters, NodeId, Operation, Plane, Sketch, WeightCache};
pub use taps::Window;
