//! A picture in blocks of luma: input of the motion analyser.

use super::thresholds::*;
use base::picture::Picture;

/// A picture's luma, averaged over blocks of about a hundred-and-sixtieth of its width.
#[derive(Debug)]
pub(crate) struct Blocks {
    pub(crate) columns: usize,
    pub(crate) rows: usize,
    /// Size of a block as fractions of the picture.
    pub(crate) block: (f32, f32),
    /// Mean luma of each block, row by row.
    pub(crate) luma: Vec<f32>,
    /// Mean distance of its chroma from grey, in codes: 0 for infra-red, several by day.
    pub(crate) colour: f32,
}

impl Blocks {
    /// Reads the luma plane once, and some hundreds of chroma samples.
    pub(crate) fn of(picture: &Picture) -> Self {
        let (width, height) = (picture.width() as usize, picture.height() as usize);
        // Sums of a block's column must fit 16 bits.
        let side = ((width + COLUMNS / 2) / COLUMNS).clamp(1, height.clamp(1, 256));
        // The rest at the right and bottom edge, less than a block, is left out.
        let (columns, rows) = (width / side, height / side);
        let mut luma = Vec::with_capacity(columns * rows);
        let mut sums = vec![0u16; columns * side];
        let scale = 1.0 / (side * side) as f32;
        for band in picture.luma().chunks_exact(width * side) {
            sums.fill(0);
            // Down first: that runs over memory in order, many samples at a time.
            for row in band.chunks_exact(width) {
                for (sum, sample) in sums.iter_mut().zip(row) {
                    *sum += u16::from(*sample);
                }
            }
            // A length known to the compiler makes the usual size twice as fast.
            match side {
                4 => luma.extend(sums.as_chunks::<4>().0.iter().map(|block| across(block) * scale)),
                _ => luma.extend(sums.chunks_exact(side).map(|block| across(block) * scale)),
            }
        }
        let block = (side as f32 / width as f32, side as f32 / height as f32);
        Self { columns, rows, block, luma, colour: colour(picture) }
    }
}

fn across(sums: &[u16]) -> f32 {
    sums.iter().map(|sum| u32::from(*sum)).sum::<u32>() as f32
}

fn colour(picture: &Picture) -> f32 {
    let chroma = picture.chroma();
    let (across, down) = COLOUR_SAMPLES;
    let mut sum = 0;
    for row in 0..down {
        for column in 0..across {
            let (u, v) = chroma.at(column * chroma.width() / across, row * chroma.height() / down);
            sum += u32::from(u.abs_diff(128)) + u32::from(v.abs_diff(128));
        }
    }
    sum as f32 / (across * down) as f32
}

#[cfg(test)]
mod tests {
    use super::*;
    use base::picture::{Colour, PixelFormat};

    #[test]
    fn blocks_are_means_and_grey_has_no_colour() {
        for (width, height) in [(640u32, 360u32), (1920, 1080), (163, 97), (1, 1)] {
            let (w, h) = (width as usize, height as usize);
            let luma = |at: usize| (at * 7919 % 251) as u8;
            let mut samples: Vec<u8> = (0..w * h).map(luma).collect();
            samples.resize(Picture::byte_count(width, height), 128);
            let picture = Picture::new(width, height, PixelFormat::Nv12, Colour::default(), samples).unwrap();
            let blocks = Blocks::of(&picture);
            assert_eq!(blocks.luma.len(), blocks.columns * blocks.rows);
            let side = w / blocks.columns;
            let (column, row) = (blocks.columns / 2, blocks.rows / 3);
            let inside = (0..side * side).map(|i| (row * side + i / side) * w + column * side + i % side);
            let mean = inside.map(|at| f32::from(luma(at))).sum::<f32>() / (side * side) as f32;
            assert!((blocks.luma[row * blocks.columns + column] - mean).abs() < 0.01, "{width}x{height}");
            assert_eq!(blocks.colour, 0.0);
        }
    }
}
