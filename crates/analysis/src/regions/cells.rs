//! Worth of inferences: a coarse grid over the picture, of motion and of detections there.

use std::time::Duration;

use super::Plan;
use super::thresholds::*;
use base::geometry::Rect;
use base::time::Monotonic;

#[derive(Debug, Clone, Copy, Default)]
struct Cell {
    inferred_at: Option<Monotonic>,
    moved_at: Monotonic,
    in_vain: u8,
}

/// The grid.
#[derive(Debug, Clone)]
pub(super) struct Cells([Cell; COLUMNS * ROWS]);

impl Default for Cells {
    fn default() -> Self {
        Self([Cell::default(); COLUMNS * ROWS])
    }
}

impl Cells {
    /// Notes motion in `rect`.
    pub(super) fn moved(&mut self, at: Monotonic, rect: &Rect) {
        for index in touched(rect) {
            let cell = &mut self.0[index];
            if at.since(cell.moved_at) >= FORGET {
                cell.in_vain = 0;
            }
            cell.moved_at = at;
        }
    }

    /// Time from which motion in `rect` is worth an inference.
    pub(super) fn due_at(&self, rect: &Rect) -> Monotonic {
        touched(rect)
            .map(|index| {
                let Cell { inferred_at, in_vain, .. } = self.0[index];
                let wait = WAIT_SECONDS[usize::from(in_vain).min(WAIT_SECONDS.len() - 1)];
                let inferred_at = inferred_at.filter(|_| in_vain > 0);
                inferred_at.map_or(Monotonic::default(), |at| at + Duration::from_secs_f32(wait))
            })
            .min()
            .unwrap_or_default()
    }

    /// Takes in that `plan` was carried out: `unexplained` is the motion it showed that belonged to no track, and `found` are
    /// the boxes that move there now.
    pub(super) fn inferred(&mut self, at: Monotonic, plan: &Plan, unexplained: &[Rect], found: &[Rect]) {
        for (index, cell) in self.0.iter_mut().enumerate() {
            let rect = cell_rect(index);
            if plan.covers(&rect) {
                cell.inferred_at = Some(at);
            }
            if found.iter().any(|found| found.intersection(&rect) > 0.0) {
                cell.in_vain = 0;
            }
        }
        for index in unexplained.iter().flat_map(touched) {
            let rect = cell_rect(index);
            let cell = &mut self.0[index];
            // A cell at a crop's edge counts as well: its motion was shown.
            cell.inferred_at = Some(at);
            if !found.iter().any(|found| found.intersection(&rect) > 0.0) {
                cell.in_vain = cell.in_vain.saturating_add(1).min(WAIT_SECONDS.len() as u8 - 1);
            }
        }
    }
}

fn cell_rect(index: usize) -> Rect {
    let (w, h) = (1.0 / COLUMNS as f32, 1.0 / ROWS as f32);
    Rect::new((index % COLUMNS) as f32 * w, (index / COLUMNS) as f32 * h, w, h)
}

fn cell_of(x: f32, y: f32) -> usize {
    let column = ((x * COLUMNS as f32) as usize).min(COLUMNS - 1);
    let row = ((y * ROWS as f32) as usize).min(ROWS - 1);
    row * COLUMNS + column
}

/// Cells of a part of the picture: that of its middle, and those of which it covers a fair part.
fn touched(rect: &Rect) -> impl Iterator<Item = usize> {
    let centre = rect.centre();
    let middle = cell_of(centre.x, centre.y);
    let rect = *rect;
    let (first, last) = (cell_of(rect.x, rect.y), cell_of(rect.right(), rect.bottom()));
    let rows = first / COLUMNS..=last / COLUMNS;
    let all = rows
        .flat_map(move |row| (first % COLUMNS..=last % COLUMNS).map(move |column| row * COLUMNS + column));
    all.filter(move |index| {
        let cell = cell_rect(*index);
        *index == middle || cell.intersection(&rect) >= TOUCHED * cell.area()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_of_the_picture_is_in_its_cells() {
        let all: Vec<usize> = touched(&Rect::new(0.0, 0.0, 1.0, 1.0)).collect();
        assert_eq!(all, (0..COLUMNS * ROWS).collect::<Vec<_>>());
        assert_eq!(touched(&Rect::new(0.99, 0.99, 0.01, 0.01)).collect::<Vec<_>>(), [COLUMNS * ROWS - 1]);
        // A hair over the border to the second column.
        assert_eq!(touched(&Rect::new(0.02, 0.02, 0.045, 0.05)).collect::<Vec<_>>(), [0]);
    }
}
