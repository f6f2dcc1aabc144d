//! Kernels in a row, and the memory that they work in.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use pulp::Arch;

use super::activation::Activation;
use super::chain::Chain;
use super::convolution::Convolution;
use super::depthwise::Depthwise;
use super::grid::Grid;
use super::kernel_offsets::Window;
use super::planes::{self, Combine};

/// Place of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stored {
    /// A tensor from outside, by its number.
    Input(usize),
    /// A buffer of the arena.
    Buffer(usize),
}

/// Places of channel planes.
pub(super) type Places = Vec<(Stored, Range<usize>)>;

/// Kernel of a step.
#[derive(Debug)]
pub(super) enum Kernel {
    Convolution(Convolution),
    Chain(Chain),
    Depthwise(Depthwise),
    Activate(Activation, Arc<[f32]>),
    Combine(Combine, Arc<[f32]>),
    Upsample([usize; 2]),
    UpsampleLinear([usize; 2]),
    Pick { step: [usize; 2], offset: [usize; 2] },
    Average,
    PoolMax(Window),
    Copy,
}

#[derive(Debug)]
pub(super) struct Step {
    pub name: String,
    pub kernel: Kernel,
    pub inputs: Vec<Places>,
    /// Grid of the last input.
    pub input_grid: Grid,
    pub buffer: usize,
    pub output: Grid,
    pub channels: usize,
}

/// A network, or a part of one, for inputs of one size. It is shared; each run has an [`Arena`].
#[derive(Debug)]
pub struct Program {
    arch: Arch,
    steps: Vec<Step>,
    outputs: Vec<(Places, Grid)>,
    buffer_lens: Vec<usize>,
}

/// Memory that a run of a program writes to. It is made once and used again.
#[derive(Debug)]
pub struct Arena {
    buffers: Vec<Vec<f32>>,
    scratch: Vec<f32>,
    /// Row bands of the maps between a chain's links.
    row_bands: Vec<Vec<f32>>,
}

impl Program {
    pub(super) fn new(
        arch: Arch,
        steps: Vec<Step>,
        outputs: Vec<(Places, Grid)>,
        buffer_lens: Vec<usize>,
    ) -> Self {
        Self { arch, steps, outputs, buffer_lens }
    }

    /// Memory for one run at a time.
    pub fn arena(&self) -> Arena {
        let buffers = self.buffer_lens.iter().map(|len| vec![0.0; *len]).collect();
        Arena { buffers, scratch: Vec::new(), row_bands: Vec::new() }
    }

    /// Runs all steps; `inputs` are the tensors of the graph's inputs. The arena may hold anything, as long as it is this
    /// program's.
    pub fn run(&self, arena: &mut Arena, inputs: &[&[f32]]) {
        self.steps.iter().for_each(|step| self.step(step, arena, inputs));
    }

    /// Runs all steps, and calls `each` after every step with its name and kind. `clock` returns the time spent so far.
    pub fn run_timed(
        &self,
        arena: &mut Arena,
        inputs: &[&[f32]],
        clock: &dyn Fn() -> Duration,
        each: &mut dyn FnMut(&str, &'static str, Duration),
    ) {
        for step in &self.steps {
            let begun = clock();
            self.step(step, arena, inputs);
            each(&step.name, step.kind(), clock().saturating_sub(begun));
        }
    }

    /// Copies output number `at` of a run: its planes one after the other, without margins.
    pub fn output(&self, at: usize, arena: &Arena, inputs: &[&[f32]], tensor: &mut [f32]) {
        let (places, grid) = &self.outputs[at];
        let dense = Grid::dense(grid.height, grid.width);
        planes::copy(grid, &resolve(places, &arena.buffers, inputs), &dense, tensor);
    }

    fn step(&self, step: &Step, arena: &mut Arena, inputs: &[&[f32]]) {
        let Arena { buffers, scratch, row_bands } = arena;
        // A step never reads the buffer that it writes.
        let mut written = std::mem::take(&mut buffers[step.buffer]);
        let output = &mut written[..step.channels * step.output.plane_len()];
        let first = resolve(&step.inputs[0], buffers, inputs);
        let second = step.inputs.get(1).map(|places| resolve(places, buffers, inputs)).unwrap_or_default();
        match &step.kernel {
            Kernel::Convolution(kernel) => kernel.run(self.arch, &first, &second, output, scratch),
            Kernel::Chain(kernel) => kernel.run(self.arch, &first, output, scratch, row_bands),
            Kernel::Depthwise(kernel) => kernel.run(self.arch, &first, &second, output, scratch),
            Kernel::Activate(activation, mask) => {
                planes::activate(self.arch, *activation, &step.output, mask, &first, output);
            }
            Kernel::Combine(combine, mask) => {
                planes::combine(*combine, &step.output, mask, &first, (&step.input_grid, &second), output);
            }
            Kernel::Upsample(scale) => {
                planes::upsample(*scale, &step.input_grid, &first, &step.output, output)
            }
            Kernel::UpsampleLinear(scale) => {
                planes::upsample_linear(*scale, &step.input_grid, &first, &step.output, output, scratch);
            }
            Kernel::Pick { step: every, offset } => {
                planes::pick(*every, *offset, &step.input_grid, &first, &step.output, output);
            }
            Kernel::Average => planes::average(&step.input_grid, &first, &step.output, output),
            Kernel::PoolMax(window) => {
                planes::pool_max(window, &step.input_grid, &first, &step.output, output, scratch);
            }
            Kernel::Copy => planes::copy(&step.input_grid, &first, &step.output, output),
        }
        arena.buffers[step.buffer] = written;
    }
}

fn resolve<'a>(places: &Places, buffers: &'a [Vec<f32>], inputs: &[&'a [f32]]) -> Vec<&'a [f32]> {
    let planes = places.iter().map(|(stored, range)| match stored {
        Stored::Input(at) => &inputs[*at][range.clone()],
        Stored::Buffer(at) => &buffers[*at][range.clone()],
    });
    planes.collect()
}

impl Step {
    fn kind(&self) -> &'static str {
        match self.kernel {
            Kernel::Convolution(_) => "convolution",
            Kernel::Chain(_) => "convolutions",
            Kernel::Depthwise(_) => "depthwise convolution",
            Kernel::Activate(..) => "activation",
            Kernel::Combine(Combine::Add, _) => "sum",
            Kernel::Combine(Combine::Multiply, _) => "product",
            Kernel::Upsample(_) | Kernel::UpsampleLinear(_) => "upsampling",
            Kernel::Pick { .. } => "selection",
            Kernel::Average => "mean",
            Kernel::PoolMax(_) => "maximum",
            Kernel::Copy => "copy",
        }
    }
}
