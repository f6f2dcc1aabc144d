//! Dense convolutions without im2col: a register tile of output channels by pixels, over input channels and kernel offsets.
//!
//! A convolution of stride 1 reads its input in place, since its margin is there already. One of a larger stride first
//! packs a row band into a map per phase (even and odd rows and columns apart): then its loads are contiguous, too,
//! and the same tile does it.

use std::ops::Range;
use std::sync::Arc;

use pulp::{Arch, Simd, WithSimd};

use super::activation::Activation;
use super::grid::{Grid, SLACK};
use super::kernel_offsets::{Reading, Window};

/// Samples of a row band that is packed at once: it stays in the second level cache.
const ROW_BAND_LEN: usize = 64 << 10;

/// Weights in the order in which the tile reads them, shared between the sizes of a network.
#[derive(Debug, PartialEq)]
pub struct Weights {
    /// Per block of output channels, input channel and kernel offset: one weight for each channel of the block.
    packed: Vec<f32>,
    /// One for each output channel, the last block filled up.
    bias: Vec<f32>,
    outputs: usize,
}

impl Weights {
    /// Packs `outputs` x `inputs` x `kernel_len` weights in that order.
    pub fn pack(arch: Arch, weights: &[f32], bias: &[f32], kernel_len: usize) -> Self {
        let (outputs, block) = (bias.len(), arch.dispatch(Block));
        let inputs = weights.len() / (outputs * kernel_len);
        let mut packed = Vec::with_capacity(outputs.next_multiple_of(block) * inputs * kernel_len);
        for first in (0..outputs).step_by(block) {
            for at in 0..inputs * kernel_len {
                for output in first..first + block {
                    // The last block is filled up with zeros.
                    packed.push(weights.get(output * inputs * kernel_len + at).copied().unwrap_or(0.0));
                }
            }
        }
        let mut bias = bias.to_vec();
        bias.resize(outputs.next_multiple_of(block), 0.0);
        Self { packed, bias, outputs }
    }
}

/// Output channels of a tile: three quarters of the registers are its sums.
const fn block<S: Simd>() -> usize {
    if S::REGISTER_COUNT >= 32 { 8 } else { 4 }
}

struct Block;

impl WithSimd for Block {
    type Output = usize;

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> usize {
        block::<S>()
    }
}

/// A convolution between maps of two shapes.
#[derive(Debug)]
pub struct Convolution {
    weights: Arc<Weights>,
    reading: Reading,
    activation: Activation,
    input: Grid,
    output: Grid,
    mask: Arc<[f32]>,
}

impl Convolution {
    /// Returns `None` where the shapes do not allow it; see [`Reading::of`]. `mask` is that of `output`.
    pub fn new(
        weights: Arc<Weights>,
        window: &Window,
        activation: Activation,
        input: Grid,
        output: Grid,
        mask: Arc<[f32]>,
    ) -> Option<Self> {
        let reading = Reading::of(window, &input, &output)?;
        Some(Self { weights, reading, activation, input, output, mask })
    }

    /// Writes `output`, planes one after the other, from `planes`, one for each input channel; `added` are planes that are
    /// added after the activation, or none. `scratch` may hold anything.
    pub fn run(
        &self,
        arch: Arch,
        planes: &[&[f32]],
        added: &[&[f32]],
        output: &mut [f32],
        scratch: &mut Vec<f32>,
    ) {
        let target = Target { output, plane_len: self.output.plane_len(), first_row: 0 };
        self.run_rows(arch, Part { planes, first_row: 0 }, 0..self.output.height, added, target, scratch);
    }

    /// Writes some rows of the output, from a part of the input that has all rows they need.
    pub fn run_rows(
        &self,
        arch: Arch,
        from: Part<'_>,
        rows: Range<usize>,
        added: &[&[f32]],
        target: Target<'_>,
        scratch: &mut Vec<f32>,
    ) {
        arch.dispatch(Run { convolution: self, from, rows, added, target, scratch });
    }

    /// The shape of its output.
    pub fn output(&self) -> &Grid {
        &self.output
    }

    /// Channels of its output.
    pub fn channels(&self) -> usize {
        self.weights.outputs
    }

    /// The rows of its input that these rows of its output need; `None` if it must have all of it.
    pub fn needs(&self, rows: &Range<usize>) -> Option<Range<usize>> {
        match &self.reading {
            Reading::InPlace { .. } => None,
            Reading::Packed(packing) => Some(packing.needs(rows, self.input.height)),
        }
    }
}

/// Planes from one of their rows on.
#[derive(Clone, Copy)]
pub struct Part<'a> {
    /// One for each channel.
    pub planes: &'a [&'a [f32]],
    /// The map's row that stands in the place of the first.
    pub first_row: usize,
}

/// Destination of outputs: planes from one of their rows on.
pub struct Target<'a> {
    /// One plane after the other.
    pub output: &'a mut [f32],
    /// Samples of each.
    pub plane_len: usize,
    /// The map's row that stands in the place of the first.
    pub first_row: usize,
}

struct Run<'a> {
    convolution: &'a Convolution,
    from: Part<'a>,
    rows: Range<usize>,
    added: &'a [&'a [f32]],
    target: Target<'a>,
    scratch: &'a mut Vec<f32>,
}

impl WithSimd for Run<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { convolution, from, rows, added, target, scratch } = self;
        let Convolution { reading, input, output, .. } = convolution;
        let (stride, count) = (output.stride(), from.planes.len());
        let step = match reading {
            Reading::InPlace { .. } => output.height,
            Reading::Packed(packing) => {
                (ROW_BAND_LEN / (count * packing.phases() * stride)).clamp(2, output.height.max(2))
            }
        };
        for top in rows.clone().step_by(step) {
            let count_rows = step.min(rows.end - top);
            let (packed, planes);
            let offsets: Vec<usize> = match reading {
                Reading::InPlace { offsets } => {
                    planes = from.planes;
                    offsets.iter().map(|offset| offset + top * stride).collect()
                }
                Reading::Packed(packing) => {
                    let len = packing.plane_len(count_rows, stride);
                    scratch.resize((count * len).max(scratch.len()), 0.0);
                    for (plane, packed) in from.planes.iter().zip(scratch.chunks_exact_mut(len)) {
                        packing.pack((input, plane, from.first_row), packed, top..top + count_rows, output);
                    }
                    packed = scratch.chunks_exact(len).take(count).collect::<Vec<&[f32]>>();
                    planes = &packed[..];
                    packing.offsets(count_rows, stride)
                }
            };
            let target = Target { output: &mut *target.output, ..target };
            let mut row_band =
                RowBand { convolution, planes, offsets: &offsets, added, target, first: top * stride };
            row_band.run(simd, count_rows * stride);
        }
    }
}

/// A part of the long row, read from planes of its own.
struct RowBand<'a> {
    convolution: &'a Convolution,
    planes: &'a [&'a [f32]],
    /// Kernel offsets, from the row band's beginning.
    offsets: &'a [usize],
    added: &'a [&'a [f32]],
    target: Target<'a>,
    /// Place of the row band's beginning in the long row of the output.
    first: usize,
}

impl RowBand<'_> {
    /// Computes tiles of three vectors, and the rest in narrower ones, the last drawn back into the one before it.
    #[inline(always)]
    fn run<S: Simd>(&mut self, simd: S, len: usize) {
        let (lanes, block) = (S::F32_LANES, block::<S>());
        let mut at = 0;
        while at < len {
            let vectors = (len - at).div_ceil(lanes).min(3);
            let from = at.min(len.saturating_sub(vectors * lanes));
            for first in (0..self.convolution.weights.outputs).step_by(block) {
                match (block, vectors) {
                    (8, 3) => tile_8x3(simd, self, from, first),
                    (8, 2) => tile_8x2(simd, self, from, first),
                    (8, _) => tile_8x1(simd, self, from, first),
                    (_, 3) => tile_4x3(simd, self, from, first),
                    (_, 2) => tile_4x2(simd, self, from, first),
                    _ => tile_4x1(simd, self, from, first),
                }
            }
            at += vectors * lanes;
        }
    }
}

/// Repeats `$body` for each number, which is a constant in it.
macro_rules! each {
    ($name:ident in [$($at:literal)*] $body:block) => { $( { const $name: usize = $at; $body } )* };
}

/// A tile of `$rows` output channels by `$columns` vectors at `at` of the row band, from output channel `first` on. Written
/// out, so that its sums are registers whatever the optimiser decides.
macro_rules! tile {
    ($name:ident, $rows:literal $row_list:tt, $columns:literal $column_list:tt) => {
        #[expect(non_upper_case_globals, reason = "rows and columns are constants of their loops")]
        #[inline(always)]
        fn $name<S: Simd>(simd: S, row_band: &mut RowBand<'_>, at: usize, first: usize) {
            let Convolution { weights, activation, output: grid, mask, .. } = row_band.convolution;
            let width = $columns * S::F32_LANES;
            let bias = &weights.bias[first..][..$rows];
            let mut sums = [[simd.splat_f32s(0.0); $columns]; $rows];
            each!(row in $row_list { sums[row] = [simd.splat_f32s(bias[row]); $columns]; });
            let block_len = $rows * row_band.offsets.len() * row_band.planes.len();
            let mut kernel = weights.packed[first / $rows * block_len..][..block_len].chunks_exact($rows);
            for plane in row_band.planes {
                let plane = &plane[at..];
                for offset in row_band.offsets {
                    let Some(kernel_weights) = kernel.next() else { return };
                    let (pixels, _) = S::as_simd_f32s(&plane[*offset..][..width]);
                    each!(row in $row_list {
                        let weight = simd.splat_f32s(kernel_weights[row]);
                        each!(column in $column_list {
                            sums[row][column] = simd.mul_add_f32s(weight, pixels[column], sums[row][column]);
                        });
                    });
                }
            }
            let place = grid.origin() + row_band.first + at;
            let stored = place - row_band.target.first_row * grid.stride();
            let (mask, _) = S::as_simd_f32s(&mask[row_band.first + at..][..width]);
            let plane_len = row_band.target.plane_len;
            let (low, high) = activation.clamp().unwrap_or((f32::NEG_INFINITY, f32::INFINITY));
            let (low, high) = (simd.splat_f32s(low), simd.splat_f32s(high));
            let mut targets = row_band.target.output.chunks_exact_mut(plane_len).take(weights.outputs).skip(first);
            each!(row in $row_list {
                if let Some(target) = targets.next() {
                    let (target, _) = S::as_mut_simd_f32s(&mut target[stored..][..width]);
                    each!(column in $column_list {
                        let value = simd.min_f32s(simd.max_f32s(sums[row][column], low), high);
                        target[column] = simd.mul_f32s(value, mask[column]);
                    });
                }
            });
            if activation.clamp().is_none() || !row_band.added.is_empty() {
                let targets = row_band.target.output.chunks_exact_mut(plane_len).take(weights.outputs);
                for (output, target) in targets.enumerate().skip(first).take($rows) {
                    let target = &mut target[stored..][..width];
                    let added = row_band.added.get(output).map(|plane| &plane[place..][..width]);
                    finish(simd, *activation, target, mask, added);
                }
            }
        }
    };
}

tile!(tile_8x3, 8 [0 1 2 3 4 5 6 7], 3 [0 1 2]);
tile!(tile_8x2, 8 [0 1 2 3 4 5 6 7], 2 [0 1]);
tile!(tile_8x1, 8 [0 1 2 3 4 5 6 7], 1 [0]);
tile!(tile_4x3, 4 [0 1 2 3], 3 [0 1 2]);
tile!(tile_4x2, 4 [0 1 2 3], 2 [0 1]);
tile!(tile_4x1, 4 [0 1 2 3], 1 [0]);

/// Applies the activation to sums that were stored, and adds `added` after it.
#[inline(always)]
pub fn finish<S: Simd>(
    simd: S,
    activation: Activation,
    target: &mut [f32],
    mask: &[S::f32s],
    added: Option<&[f32]>,
) {
    let (target, _) = S::as_mut_simd_f32s(target);
    if activation.clamp().is_none() {
        for (value, mask) in target.iter_mut().zip(mask) {
            *value = simd.mul_f32s(activation.apply(simd, *value), *mask);
        }
    }
    if let Some(added) = added {
        let (added, _) = S::as_simd_f32s(added);
        for (value, added) in target.iter_mut().zip(added) {
            *value = simd.add_f32s(*value, *added);
        }
    }
}

const _: () = assert!(SLACK >= 3 * 16, "a tile of the widest vectors fits into the slack");
