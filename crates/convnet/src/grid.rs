//! Memory layout of a feature map: channel planes with a margin of zeros, so that a convolution needs no edge cases.
//!
//! A row is followed by `margin` zeros, which are the right edge of one row and the left edge of the next; `margin` rows of
//! zeros stand above and below. So the rows of a plane are one long row, and vectors stay full on narrow maps.

/// Samples that a kernel may read or write beyond the last row.
pub const SLACK: usize = 64;

/// The shape of one plane.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grid {
    /// Rows of the map.
    pub height: usize,
    /// Columns of the map.
    pub width: usize,
    /// Zeros around it: rows above and below, columns between rows.
    pub margin: usize,
}

impl Grid {
    /// A map without margin, as tensors have it.
    pub fn dense(height: usize, width: usize) -> Self {
        Self { height, width, margin: 0 }
    }

    /// Samples from one row to the next.
    pub fn stride(&self) -> usize {
        self.width + self.margin
    }

    /// Index of the first row's first sample.
    pub fn origin(&self) -> usize {
        self.margin * self.stride() + self.margin
    }

    /// Samples of all rows with the gaps between them, as one row.
    pub fn span(&self) -> usize {
        self.height * self.stride()
    }

    /// Samples of one plane.
    pub fn plane_len(&self) -> usize {
        match self.margin {
            0 => self.span(),
            _ => self.origin() + self.span() + SLACK + self.origin(),
        }
    }

    /// Mask of the long row: 1 on the map, 0 on the margin, and 0 for the slack behind it.
    pub fn mask(&self) -> Vec<f32> {
        let mut mask = vec![0.0; self.span() + SLACK];
        for row in mask[..self.span()].chunks_exact_mut(self.stride()) {
            row[..self.width].fill(1.0);
        }
        mask
    }

    /// The row `y` within a plane.
    pub fn row<'a>(&self, plane: &'a [f32], y: usize) -> &'a [f32] {
        &plane[self.origin() + y * self.stride()..][..self.width]
    }

    /// The row `y` within a plane, mutable.
    pub fn row_mut<'a>(&self, plane: &'a mut [f32], y: usize) -> &'a mut [f32] {
        &mut plane[self.origin() + y * self.stride()..][..self.width]
    }
}
