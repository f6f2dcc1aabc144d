//! Convolutional networks on the CPU: kernels on channel planes with margins, and the program that runs them in a row.
//!
//! Pure arithmetic, for the vectors that the processor has, without unsafe code. A [`Graph`] is built operator by operator
//! and becomes a [`Program`].
//!
//! Never here: a file format, another engine, a thread. `detector` turns ONNX graphs into programs. README.md has an example.

mod activation;
mod chain;
mod code_generation;
mod convolution;
mod depthwise;
mod graph;
mod grid;
mod kernel_offsets;
mod planes;
mod program;

#[cfg(test)]
mod tests;

pub use activation::Activation;
pub use graph::{ChannelPlane, Filters, Graph, NodeId, Operation, WeightCache};
pub use kernel_offsets::Window;
pub use planes::Combine;
pub use program::{Arena, Program};
/// Instruction set that a program is made for; `Arch::new()` is the best one of this processor.
pub use pulp::Arch;

/// The example of the README, as a test.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
