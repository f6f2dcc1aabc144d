//! Convolutions of each channel by itself.

use std::sync::Arc;

use pulp::{Arch, Simd, WithSimd};

use super::activation::Activation;
use super::convolution::finish;
use super::grid::Grid;
use super::kernel_offsets::{Reading, Window};

/// Vectors that are summed at once.
const WIDE: usize = 4;

/// A convolution with one filter for each channel.
#[derive(Debug)]
pub struct Depthwise {
    /// Channels by kernel offsets.
    weights: Arc<[f32]>,
    bias: Arc<[f32]>,
    reading: Reading,
    activation: Activation,
    input: Grid,
    output: Grid,
    mask: Arc<[f32]>,
}

impl Depthwise {
    /// Returns `None` where the shapes do not allow it; see [`Reading::of`]. `mask` is that of `output`.
    pub fn new(
        (weights, bias): (Arc<[f32]>, Arc<[f32]>),
        window: &Window,
        activation: Activation,
        input: Grid,
        output: Grid,
        mask: Arc<[f32]>,
    ) -> Option<Self> {
        let reading = Reading::of(window, &input, &output)?;
        Some(Self { weights, bias, reading, activation, input, output, mask })
    }

    /// Writes `output`, planes one after the other, one for each of `planes`; `added` are planes that are added after the
    /// activation, or none. `scratch` may hold anything.
    pub fn run(
        &self,
        arch: Arch,
        planes: &[&[f32]],
        added: &[&[f32]],
        output: &mut [f32],
        scratch: &mut Vec<f32>,
    ) {
        arch.dispatch(Run { depthwise: self, planes, added, output, scratch });
    }
}

struct Run<'a> {
    depthwise: &'a Depthwise,
    planes: &'a [&'a [f32]],
    added: &'a [&'a [f32]],
    output: &'a mut [f32],
    scratch: &'a mut Vec<f32>,
}

impl WithSimd for Run<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Depthwise { weights, bias, reading, input, output, .. } = self.depthwise;
        let kernel_len = weights.len() / bias.len();
        let packed_offsets;
        let (offsets, packed_len) = match reading {
            Reading::InPlace { offsets } => (offsets, 0),
            Reading::Packed(packing) => {
                packed_offsets = packing.offsets(output.height, output.stride());
                (&packed_offsets, packing.plane_len(output.height, output.stride()))
            }
        };
        self.scratch.resize(packed_len.max(self.scratch.len()), 0.0);
        let targets = self.output.chunks_exact_mut(output.plane_len());
        for (channel, (plane, target)) in self.planes.iter().zip(targets).enumerate() {
            let plane = match reading {
                Reading::InPlace { .. } => *plane,
                Reading::Packed(packing) => {
                    packing.pack(
                        (input, plane, 0),
                        &mut self.scratch[..packed_len],
                        0..output.height,
                        output,
                    );
                    &self.scratch[..packed_len]
                }
            };
            let weights = &weights[channel * kernel_len..][..kernel_len];
            let added = self.added.get(channel).map(|plane| &plane[output.origin()..]);
            let target = &mut target[output.origin()..];
            let mut row = Row { depthwise: self.depthwise, plane, offsets, weights, added, target };
            row.run(simd, bias[channel]);
        }
    }
}

/// The long row of one channel.
struct Row<'a> {
    depthwise: &'a Depthwise,
    plane: &'a [f32],
    offsets: &'a [usize],
    weights: &'a [f32],
    added: Option<&'a [f32]>,
    target: &'a mut [f32],
}

impl Row<'_> {
    #[inline(always)]
    fn run<S: Simd>(&mut self, simd: S, bias: f32) {
        let (len, lanes) = (self.depthwise.output.span(), S::F32_LANES);
        let mut at = 0;
        while at + WIDE * lanes <= len {
            self.piece_4(simd, at, bias);
            at += WIDE * lanes;
        }
        while at < len {
            // Drawn back into finished samples, where there are that many.
            at = at.min(len.max(lanes) - lanes);
            self.piece_1(simd, at, bias);
            at += lanes;
        }
    }

    #[inline(always)]
    fn piece_4<S: Simd>(&mut self, simd: S, at: usize, bias: f32) {
        let width = WIDE * S::F32_LANES;
        let bias = simd.splat_f32s(bias);
        let (mut a, mut b, mut c, mut d) = (bias, bias, bias, bias);
        for (offset, weight) in self.offsets.iter().zip(self.weights) {
            let weight = simd.splat_f32s(*weight);
            let (pixels, _) = S::as_simd_f32s(&self.plane[at + offset..][..width]);
            a = simd.mul_add_f32s(weight, pixels[0], a);
            b = simd.mul_add_f32s(weight, pixels[1], b);
            c = simd.mul_add_f32s(weight, pixels[2], c);
            d = simd.mul_add_f32s(weight, pixels[3], d);
        }
        self.store(simd, at, &[a, b, c, d]);
    }

    #[inline(always)]
    fn piece_1<S: Simd>(&mut self, simd: S, at: usize, bias: f32) {
        let mut sum = simd.splat_f32s(bias);
        for (offset, weight) in self.offsets.iter().zip(self.weights) {
            let (pixels, _) = S::as_simd_f32s(&self.plane[at + offset..][..S::F32_LANES]);
            sum = simd.mul_add_f32s(simd.splat_f32s(*weight), pixels[0], sum);
        }
        self.store(simd, at, &[sum]);
    }

    #[inline(always)]
    fn store<S: Simd>(&mut self, simd: S, at: usize, sums: &[S::f32s]) {
        let width = sums.len() * S::F32_LANES;
        let target = &mut self.target[at..][..width];
        let (mask, _) = S::as_simd_f32s(&self.depthwise.mask[at..][..width]);
        let (low, high) = self.depthwise.activation.clamp().unwrap_or((f32::NEG_INFINITY, f32::INFINITY));
        let (low, high) = (simd.splat_f32s(low), simd.splat_f32s(high));
        let (values, _) = S::as_mut_simd_f32s(target);
        for ((value, sum), mask) in values.iter_mut().zip(sums).zip(mask) {
            *value = simd.mul_f32s(simd.min_f32s(simd.max_f32s(*sum, low), high), *mask);
        }
        let added = self.added.map(|added| &added[at..][..width]);
        finish(simd, self.depthwise.activation, target, mask, added);
    }
}
