//! Operations on channel planes other than convolutions.

use pulp::{Arch, Simd, WithSimd};

use super::activation::Activation;
use super::grid::Grid;
use super::kernel_offsets::Window;

/// Applies `activation` to each value; planes of `grid` on both sides.
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

/// Combination of two values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Combine {
    /// Their sum.
    Add,
    /// Their product.
    Multiply,
}

/// Combines each plane of `left` with that of `right`, both of `grid`. A plane of a single value counts for its whole plane.
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

/// Copies rows of one kind of map into rows of another of the same size.
pub fn copy(from: &Grid, planes: &[&[f32]], to: &Grid, output: &mut [f32]) {
    for (plane, target) in planes.iter().zip(output.chunks_exact_mut(to.plane_len())) {
        for y in 0..from.height {
            to.row_mut(target, y).copy_from_slice(from.row(plane, y));
        }
    }
}

/// Repeats each sample `scale` times in both directions.
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

/// Computes the mean of each plane, as a map of one sample.
pub fn average(from: &Grid, planes: &[&[f32]], to: &Grid, output: &mut [f32]) {
    let count = (from.height * from.width) as f32;
    for (plane, target) in planes.iter().zip(output.chunks_exact_mut(to.plane_len())) {
        // Rows by themselves: their sums stay small.
        let sum: f32 = (0..from.height).map(|y| from.row(plane, y).iter().sum::<f32>()).sum();
        target[to.origin()] = sum / count;
    }
}

/// Enlarges by `scale` in both directions, by linear interpolation between the middles of pixels (half-pixel centres).
pub fn upsample_linear(
    scale: [usize; 2],
    from: &Grid,
    planes: &[&[f32]],
    to: &Grid,
    output: &mut [f32],
    scratch: &mut Vec<f32>,
) {
    /// The sample before a place, the one behind it, and the weight of the latter.
    fn neighbours(scale: usize, len: usize) -> Vec<(usize, usize, f32)> {
        let places =
            (0..len * scale).map(|at| ((at as f32 + 0.5) / scale as f32 - 0.5).clamp(0.0, (len - 1) as f32));
        places
            .map(|place| {
                let low = place as usize;
                (low, (low + 1).min(len - 1), place - low as f32)
            })
            .collect()
    }
    let (rows, columns) = (neighbours(scale[0], from.height), neighbours(scale[1], from.width));
    scratch.resize(from.width.max(scratch.len()), 0.0);
    let blended = &mut scratch[..from.width];
    for (plane, target) in planes.iter().zip(output.chunks_exact_mut(to.plane_len())) {
        for (y, (low, high, weight)) in rows.iter().enumerate() {
            let pairs = from.row(plane, *low).iter().zip(from.row(plane, *high));
            blended.iter_mut().zip(pairs).for_each(|(to, (low, high))| *to = low + (high - low) * weight);
            for (to, (low, high, weight)) in to.row_mut(target, y).iter_mut().zip(&columns) {
                *to = blended[*low] + (blended[*high] - blended[*low]) * weight;
            }
        }
    }
}

/// Copies every so many rows and columns, from an offset on.
pub fn pick(
    step: [usize; 2],
    offset: [usize; 2],
    from: &Grid,
    planes: &[&[f32]],
    to: &Grid,
    output: &mut [f32],
) {
    for (plane, target) in planes.iter().zip(output.chunks_exact_mut(to.plane_len())) {
        for y in 0..to.height {
            let line = &from.row(plane, y * step[0] + offset[0])[offset[1]..];
            let target = to.row_mut(target, y);
            match step[1] {
                1 => target.copy_from_slice(&line[..to.width]),
                _ => target.iter_mut().zip(line.chunks(step[1])).for_each(|(to, from)| *to = from[0]),
            }
        }
    }
}

/// Computes the greatest value under a window that is moved over the map; values outside do not count.
pub fn pool_max(
    window: &Window,
    from: &Grid,
    planes: &[&[f32]],
    to: &Grid,
    output: &mut [f32],
    scratch: &mut Vec<f32>,
) {
    let ([rows, columns], [step_y, step_x], [above, left]) = (window.kernel, window.stride, window.before);
    // The greatest value of each column, with room on both sides for the window.
    let len = left + from.width + columns + step_x;
    scratch.resize(len.max(scratch.len()), 0.0);
    let greatest = &mut scratch[..len];
    greatest.fill(f32::NEG_INFINITY);
    let max = |to: &mut f32, from: f32| *to = if from > *to { from } else { *to };
    for (plane, target) in planes.iter().zip(output.chunks_exact_mut(to.plane_len())) {
        for y in 0..to.height {
            let column = &mut greatest[left..][..from.width];
            column.fill(f32::NEG_INFINITY);
            let end = (y * step_y + rows).saturating_sub(above).min(from.height);
            for row in (y * step_y).saturating_sub(above)..end {
                column.iter_mut().zip(from.row(plane, row)).for_each(|(to, from)| max(to, *from));
            }
            let target = to.row_mut(target, y);
            target.fill(f32::NEG_INFINITY);
            for reach in 0..columns {
                let under = &greatest[reach..];
                match step_x {
                    1 => target.iter_mut().zip(under).for_each(|(to, from)| max(to, *from)),
                    2 => target
                        .iter_mut()
                        .zip(under.as_chunks::<2>().0)
                        .for_each(|(to, from)| max(to, from[0])),
                    _ => target.iter_mut().zip(under.chunks(step_x)).for_each(|(to, from)| max(to, from[0])),
                }
            }
        }
    }
}
