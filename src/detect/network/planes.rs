//! What is done to planes besides convolving them.

use pulp::{Arch, Simd, WithSimd};

use super::activation::Activation;
use super::grid::Grid;
use super::taps::Window;

/// Each value through `activation`; planes of `grid` on both sides.
pub fn activate(
    arch: Arch,
    activation: Activation,
    grid: &Grid,
    mask: &[f32],
    planes: &[&[f32]],
    output: &mut [f32],
) {
    let (at, len) = (grid.origin(), mask.len());
    for (plane, target) in planes.iter().zip(output.chunks_exact_mut(grid.plane_len())) {
        let (from, to) = (&plane[at..][..len], &mut target[at..][..len]);
        arch.dispatch(Activate { activation, from, to, mask });
    }
}

struct Activate<'a> {
    activation: Activation,
    from: &'a [f32],
    to: &'a mut [f32],
    mask: &'a [f32],
}

impl WithSimd for Activate<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let (from, from_rest) = S::as_simd_f32s(self.from);
        let (to, to_rest) = S::as_mut_simd_f32s(self.to);
        let (mask, mask_rest) = S::as_simd_f32s(self.mask);
        for ((to, from), mask) in to.iter_mut().zip(from).zip(mask) {
            *to = simd.mul_f32s(self.activation.apply(simd, *from), *mask);
        }
        if !to_rest.is_empty() {
            let value = self.activation.apply(simd, simd.partial_load_f32s(from_rest));
            simd.partial_store_f32s(to_rest, simd.mul_f32s(value, simd.partial_load_f32s(mask_rest)));
        }
    }
}

/// Two values into one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Combine {
    /// Their sum.
    Add,
    /// Their product.
    Multiply,
}

/// Each plane of `left` with that of `right`, both of `grid`. A single value, a plane of `one`, counts for its whole plane.
pub fn combine(
    combine: Combine,
    grid: &Grid,
    mask: &[f32],
    left: &[&[f32]],
    right: (&Grid, &[&[f32]]),
    output: &mut [f32],
) {
    let (at, len) = (grid.origin(), mask.len());
    let (right_grid, right) = right;
    let targets = output.chunks_exact_mut(grid.plane_len());
    for ((left, right), target) in left.iter().zip(right).zip(targets) {
        let (left, target) = (&left[at..][..len], &mut target[at..][..len]);
        if right_grid != grid {
            let value = right[right_grid.origin()];
            let each = target.iter_mut().zip(left).zip(mask);
            match combine {
                Combine::Add => each.for_each(|((to, left), mask)| *to = (left + value) * mask),
                Combine::Multiply => each.for_each(|((to, left), _)| *to = left * value),
            }
            continue;
        }
        let each = target.iter_mut().zip(left.iter().zip(&right[at..][..len]));
        match combine {
            Combine::Add => each.for_each(|(to, (left, right))| *to = left + right),
            Combine::Multiply => each.for_each(|(to, (left, right))| *to = left * right),
        }
    }
}

/// Rows of one kind of map into rows of another of the same size.
pub fn copy(from: &Grid, planes: &[&[f32]], to: &Grid, output: &mut [f32]) {
    for (plane, target) in planes.iter().zip(output.chunks_exact_mut(to.plane_len())) {
        for y in 0..from.height {
            to.row_mut(target, y).copy_from_slice(from.row(plane, y));
        }
    }
}

/// Each sample `scale` times in both directions.
pub fn upsample(scale: [usize; 2], from: &Grid, planes: &[&[f32]], to: &Grid, output: &mut [f32]) {
    for (plane, target) in planes.iter().zip(output.chunks_exact_mut(to.plane_len())) {
        for y in 0..from.height {
            let first = y * scale[0];
            let line = to.row_mut(target, first);
            for (to, from) in line.chunks_exact_mut(scale[1]).zip(from.row(plane, y)) {
                to.fill(*from);
            }
            let line = to.origin() + first * to.stride();
            for copy in 1..scale[0] {
                target.copy_within(line..line + to.width, line + copy * to.stride());
            }
        }
    }
}

/// The mean of each plane, as a map of one sample.
pub fn average(from: &Grid, planes: &[&[f32]], to: &Grid, output: &mut [f32]) {
    let count = (from.height * from.width) as f32;
    for (plane, target) in planes.iter().zip(output.chunks_exact_mut(to.plane_len())) {
        // Rows by themselves: their sums stay small.
        let sum: f32 = (0..from.height).map(|y| from.row(plane, y).iter().sum::<f32>()).sum();
        target[to.origin()] = sum / count;
    }
}

/// The greatest value under a window that is moved over the map; what is outside does not count.
pub fn pool_max(
    window: &Window,
    from: &Grid,
    planes: &[&[f32]],
    to: &Grid,
    output: &mut [f32],
    scratch: &mut Vec<f32>,
) {
    scratch.resize(from.width.max(scratch.len()), 0.0);
    let reach = |axis: usize, at: usize, len: usize| {
        let first = (at * window.stride[axis]).saturating_sub(window.before[axis]);
        let end = (at * window.stride[axis] + window.kernel[axis]).saturating_sub(window.before[axis]);
        first.min(len)..end.min(len)
    };
    for (plane, target) in planes.iter().zip(output.chunks_exact_mut(to.plane_len())) {
        for y in 0..to.height {
            let column_max = &mut scratch[..from.width];
            column_max.fill(f32::NEG_INFINITY);
            for row in reach(0, y, from.height) {
                column_max.iter_mut().zip(from.row(plane, row)).for_each(|(max, x)| *max = max.max(*x));
            }
            for (x, to) in to.row_mut(target, y).iter_mut().enumerate() {
                let under = &column_max[reach(1, x, from.width)];
                *to = under.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            }
        }
    }
}
