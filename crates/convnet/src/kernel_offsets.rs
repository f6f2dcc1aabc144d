//! Kernel offsets: the places in memory that one output sample of a convolution is computed from.

use std::ops::Range;

use super::grid::{Grid, SLACK};

/// The window that is moved over a map: sizes of rows, then columns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Window {
    /// Rows and columns of the kernel.
    pub kernel: [usize; 2],
    /// Rows and columns from one output sample to the next.
    pub stride: [usize; 2],
    /// Zeros above and on the left.
    pub before: [usize; 2],
}

impl Window {
    /// Weights of one channel's kernel.
    pub fn kernel_len(&self) -> usize {
        self.kernel[0] * self.kernel[1]
    }

    /// Row and column of each kernel weight, from the pixel under the window's anchor.
    fn reaches(&self) -> impl Iterator<Item = [isize; 2]> + '_ {
        (0..self.kernel_len()).map(|index| {
            let at = [index / self.kernel[1], index % self.kernel[1]];
            [0, 1].map(|axis| at[axis] as isize - self.before[axis] as isize)
        })
    }

    /// The margin that a map needs to be read in place.
    pub fn margin(&self) -> usize {
        match self.stride {
            [1, 1] => self.reaches().flatten().map(isize::unsigned_abs).max().unwrap_or(0),
            // Margin of the output, so that the phases' edges have their zeros.
            _ => self.phase_reach(),
        }
    }

    /// Row and column of each kernel weight in its phase's map.
    fn phase_reaches(&self) -> impl Iterator<Item = [isize; 2]> + '_ {
        self.reaches().map(|reach| [0, 1].map(|axis| reach[axis].div_euclid(self.stride[axis] as isize)))
    }

    /// Maximum distance of a kernel weight in its phase's map.
    fn phase_reach(&self) -> usize {
        self.phase_reaches().flatten().map(isize::unsigned_abs).max().unwrap_or(0)
    }
}

/// Source of a kernel's samples.
#[derive(Debug)]
pub enum Reading {
    /// The input's planes.
    InPlace {
        /// Kernel offsets of the first pixel, within a plane.
        offsets: Vec<usize>,
    },
    /// Phase maps that are made of them.
    Packed(Packing),
}

impl Reading {
    /// Returns `None` where the output's rows would need more of the input than its gaps have room for (a window without padding).
    pub fn of(window: &Window, input: &Grid, output: &Grid) -> Option<Self> {
        if output.margin == 0 || window.margin() > output.margin {
            return None;
        }
        if window.stride == [1, 1] {
            let origin = input.origin() as isize;
            let offsets = window.reaches().map(|[y, x]| origin + y * input.stride() as isize + x);
            let offsets = offsets.map(|offset| usize::try_from(offset).ok()).collect::<Option<_>>()?;
            return (input == output).then_some(Self::InPlace { offsets });
        }
        let fits = input.width <= window.stride[1] * output.width;
        fits.then(|| Self::Packed(Packing::of(window)))
    }
}

/// Packing into phase maps: the rows and columns of a map that one kernel weight meets, apart from the others.
///
/// The map of phase (py, px) has the sample (y * stride + py, x * stride + px) at (y, x); its rows are as long as the
/// output's.
#[derive(Debug)]
pub struct Packing {
    window: Window,
    /// Rows that are read above and below those of a row band.
    above: usize,
    below: usize,
    /// Samples before the first row, for the kernel weights on its left.
    lead: usize,
}

impl Packing {
    fn of(window: &Window) -> Self {
        let rows = || window.phase_reaches().map(|[row, _]| row);
        let above = rows().min().unwrap_or(0).min(0).unsigned_abs();
        let below = rows().max().unwrap_or(0).max(0).unsigned_abs();
        Self { window: window.clone(), above, below, lead: window.phase_reach() }
    }

    /// Number of maps of one plane.
    pub fn phases(&self) -> usize {
        self.window.stride[0] * self.window.stride[1]
    }

    /// Samples of the maps of one plane for `rows` rows of output, `stride` apart.
    pub fn plane_len(&self, rows: usize, stride: usize) -> usize {
        self.phases() * self.map_len(rows, stride) + SLACK
    }

    fn map_len(&self, rows: usize, stride: usize) -> usize {
        (self.above + rows + self.below) * stride + 2 * self.lead
    }

    /// Kernel offsets of the first pixel.
    pub fn offsets(&self, rows: usize, stride: usize) -> Vec<usize> {
        let map_len = self.map_len(rows, stride);
        let steps = self.window.stride.map(|stride| stride as isize);
        let mut offsets = Vec::with_capacity(self.window.kernel_len());
        for reach in self.window.reaches() {
            let phase = [0, 1].map(|axis| reach[axis].rem_euclid(steps[axis]) as usize);
            let row = (reach[0].div_euclid(steps[0]) + self.above as isize) as usize;
            let column = (reach[1].div_euclid(steps[1]) + self.lead as isize) as usize;
            offsets.push((phase[0] * self.window.stride[1] + phase[1]) * map_len + row * stride + column);
        }
        offsets
    }

    /// The rows of an input of `height` rows that these rows of the output need.
    pub fn needs(&self, rows: &Range<usize>, height: usize) -> Range<usize> {
        let Window { kernel, stride, before } = &self.window;
        let end = (rows.end * stride[0] + kernel[0]).saturating_sub(before[0] + stride[0]).min(height);
        (rows.start * stride[0]).saturating_sub(before[0]).min(end)..end
    }

    /// Fills `packed` with the parts of a plane that the output's rows need; `plane` begins with the plane's row `first_row`.
    #[inline(always)]
    pub fn pack(
        &self,
        (input, plane, first_row): (&Grid, &[f32], usize),
        packed: &mut [f32],
        rows: Range<usize>,
        output: &Grid,
    ) {
        let needed = self.needs(&rows, input.height);
        let (top, rows) = (rows.start, rows.len());
        let [step_y, step_x] = self.window.stride;
        let (stride, map_len) = (output.stride(), self.map_len(rows, output.stride()));
        for (phase_y, maps) in packed.chunks_exact_mut(step_x * map_len).take(step_y).enumerate() {
            maps.chunks_exact_mut(map_len).for_each(|map| map[..self.lead].fill(0.0));
            for row in 0..self.above + rows + self.below {
                let y = ((top + row) * step_y + phase_y).checked_sub(self.above * step_y);
                // Rows that no kernel weight meets need not be there.
                let there = y.filter(|y| needed.contains(y)).map(|y| input.row(plane, y - first_row));
                let samples = there.unwrap_or_default();
                let at = self.lead + row * stride;
                if step_x == 2 {
                    let (even, odd) = maps.split_at_mut(map_len);
                    spread_two(samples, &mut even[at..][..stride], &mut odd[at..][..stride]);
                } else {
                    for (phase_x, map) in maps.chunks_exact_mut(map_len).enumerate() {
                        let samples = samples.get(phase_x..).unwrap_or_default();
                        spread(samples, step_x, &mut map[at..][..stride]);
                    }
                }
            }
        }
    }
}

/// Copies every `step`th sample, and zeros after the last.
#[inline(always)]
fn spread(samples: &[f32], step: usize, line: &mut [f32]) {
    let (filled, rest) = line.split_at_mut(samples.len().div_ceil(step));
    filled.iter_mut().zip(samples.chunks(step)).for_each(|(to, from)| *to = from[0]);
    rest.fill(0.0);
}

/// Separates even samples from odd ones, with zeros after the last. Whole pairs have a loop of their own, which the optimiser turns
/// into whole vectors.
#[inline(always)]
fn spread_two(samples: &[f32], even: &mut [f32], odd: &mut [f32]) {
    let (pairs, last) = samples.as_chunks::<2>();
    let (even, even_rest) = even.split_at_mut(pairs.len());
    let (odd, odd_rest) = odd.split_at_mut(pairs.len());
    for ((even, odd), pair) in even.iter_mut().zip(odd).zip(pairs) {
        (*even, *odd) = (pair[0], pair[1]);
    }
    even_rest.fill(0.0);
    odd_rest.fill(0.0);
    even_rest.iter_mut().zip(last).for_each(|(to, from)| *to = *from);
}
