//! Chains of convolutions with maps in between that no other node reads. A chain runs by row bands:
//! those maps are never whole, and a link's output is in the cache when the next one reads it.

use std::ops::Range;

use pulp::Arch;

use super::convolution::{Convolution, Part, Target};
use super::grid::Grid;

/// Samples of all row bands at one time: they stay in the second level cache.
const ROW_BANDS_LEN: usize = 128 << 10;

/// Two or more convolutions, each of which reads the one before it.
#[derive(Debug)]
pub struct Chain {
    links: Vec<Convolution>,
    /// Rows of the last link's output that are made at once.
    rows: usize,
    /// The shape of the row band behind each link but the last.
    row_bands: Vec<Grid>,
}

impl Chain {
    /// Gives the links back where there are too few, or where one after the first needs all of its input at once.
    pub fn new(links: Vec<Convolution>) -> Result<Self, Vec<Convolution>> {
        let Some(last) = links.last().filter(|_| links.len() > 1) else { return Err(links) };
        let height = last.output().height;
        for rows in (1..=height).rev() {
            let Some(row_bands) = row_band_grids(&links, rows) else { continue };
            let samples = row_bands.iter().zip(&links).map(|(grid, link)| grid.plane_len() * link.channels());
            if samples.sum::<usize>() <= ROW_BANDS_LEN || rows == 1 {
                return Ok(Self { links, rows, row_bands });
            }
        }
        Err(links)
    }

    /// Writes `output`, planes one after the other, from the first link's `planes`. `scratch` and `buffers` may hold
    /// anything.
    pub fn run(
        &self,
        arch: Arch,
        planes: &[&[f32]],
        output: &mut [f32],
        scratch: &mut Vec<f32>,
        buffers: &mut Vec<Vec<f32>>,
    ) {
        buffers.resize_with(self.row_bands.len().max(buffers.len()), Vec::new);
        for ((buffer, grid), link) in buffers.iter_mut().zip(&self.row_bands).zip(&self.links) {
            buffer.resize((grid.plane_len() * link.channels()).max(buffer.len()), 0.0);
        }
        let Some((last, before)) = self.links.split_last() else { return };
        let mut there = vec![0..0; before.len()];
        for top in (0..last.output().height).step_by(self.rows) {
            let rows = top..(top + self.rows).min(last.output().height);
            let wanted = wanted(&self.links, &rows).unwrap_or_default();
            for (at, link) in before.iter().enumerate() {
                let grid = &self.row_bands[at];
                let (done, rest) = buffers.split_at_mut(at);
                let len = grid.plane_len() * link.channels();
                keep(&mut rest[0][..len], grid, &there[at], &wanted[at]);
                let new = there[at].end.max(wanted[at].start)..wanted[at].end;
                let target =
                    Target { output: &mut rest[0], plane_len: grid.plane_len(), first_row: wanted[at].start };
                let source = self.part(planes, done);
                let part = Part { planes: &source, first_row: first_row(at, &wanted) };
                link.run_rows(arch, part, new, &[], target, scratch);
                there[at] = wanted[at].clone();
            }
            let source = self.part(planes, &buffers[..before.len()]);
            let part = Part { planes: &source, first_row: first_row(before.len(), &wanted) };
            let target = Target { output: &mut *output, plane_len: last.output().plane_len(), first_row: 0 };
            last.run_rows(arch, part, rows, &[], target, scratch);
        }
    }

    /// Input of the link behind `done`: its last row band, or else the chain's input.
    fn part<'a>(&self, planes: &[&'a [f32]], done: &'a [Vec<f32>]) -> Vec<&'a [f32]> {
        match done.len().checked_sub(1) {
            Some(at) => done[at]
                .chunks_exact(self.row_bands[at].plane_len())
                .take(self.links[at].channels())
                .collect(),
            None => planes.to_vec(),
        }
    }
}

/// The row with which the input of link `at` begins.
fn first_row(at: usize, wanted: &[Range<usize>]) -> usize {
    at.checked_sub(1).map_or(0, |before| wanted[before].start)
}

/// The rows behind each link but the last that these rows of the last need.
fn wanted(links: &[Convolution], rows: &Range<usize>) -> Option<Vec<Range<usize>>> {
    let mut wanted = vec![rows.clone()];
    for link in links[1..].iter().rev() {
        wanted.push(link.needs(wanted.last()?)?);
    }
    wanted.reverse();
    wanted.pop();
    Some(wanted)
}

/// The shape of the row bands if `rows` rows of the last output are made at once.
fn row_band_grids(links: &[Convolution], rows: usize) -> Option<Vec<Grid>> {
    let height = links.last()?.output().height;
    let mut grids: Vec<Grid> =
        links[..links.len() - 1].iter().map(|link| Grid { height: 0, ..link.output().clone() }).collect();
    for top in (0..height).step_by(rows) {
        for (grid, wanted) in grids.iter_mut().zip(wanted(links, &(top..(top + rows).min(height)))?) {
            grid.height = grid.height.max(wanted.len());
        }
    }
    Some(grids)
}

/// Moves the rows that are wanted again to the beginning of each plane.
fn keep(buffer: &mut [f32], grid: &Grid, there: &Range<usize>, wanted: &Range<usize>) {
    if wanted.start >= there.end || wanted.start == there.start {
        return;
    }
    let from = grid.origin() + (wanted.start - there.start) * grid.stride();
    let len = (there.end - wanted.start) * grid.stride();
    for plane in buffer.chunks_exact_mut(grid.plane_len()) {
        plane.copy_within(from..from + len, grid.origin());
    }
}
