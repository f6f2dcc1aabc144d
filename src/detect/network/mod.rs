//! Convolutional networks on the CPU: kernels on planes with margins, and the program that runs them in a row.
//!
//! Pure arithmetic, for the vectors that the processor has. Knows no file format and no other engine: `model` turns graphs
//! into programs.

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
