//! Change of the whole picture at once: of the light, as a gain and an offset, and of the camera's direction, as a shift.

use super::thresholds::*;

/// `now = gain * before + offset`, seen `shift` blocks further right and down in `before`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct ViewChange {
    pub(super) gain: f32,
    pub(super) offset: f32,
    pub(super) shift: (f32, f32),
}

/// One block: its change, and its change per unit of each parameter.
struct Witness {
    change: f32,
    slopes: [f32; 4],
}

impl ViewChange {
    pub(super) const SAME: Self = Self { gain: 1.0, offset: 0.0, shift: (0.0, 0.0) };

    /// Finds the change that explains most blocks: least squares over the blocks near it, begun at the median change, so that
    /// moving objects have no say.
    pub(super) fn between(before: &[f32], now: &[f32], columns: usize) -> Self {
        let witnesses = witnesses(before, now, columns);
        let rows = before.len().checked_div(columns).unwrap_or(0);
        if witnesses.len() < 16 || witnesses.len() * SAMPLE_STEP * SAMPLE_STEP * 4 < columns * rows {
            return Self::SAME;
        }
        let mut fit = [0.0, median(&witnesses), 0.0, 0.0];
        for reach in REACHES {
            let Some(better) = refined(&witnesses, &fit, reach) else { break };
            fit = better;
        }
        let [gain, offset, dx, dy] = fit;
        let gain = gain.clamp(-0.6, 1.5) + 1.0;
        // The slope was measured around middle grey.
        let offset = offset + MIDDLE * (1.0 - gain);
        let shift = |by: f32| if by.abs() < 0.04 { 0.0 } else { by.clamp(-SHIFT_MAX, SHIFT_MAX) };
        // The slopes are those of the light before.
        Self { gain, offset, shift: (shift(dx / gain), shift(dy / gain)) }
    }

    /// Returns true if the light is the same but for the estimate's noise.
    pub(super) fn is_same_light(&self) -> bool {
        (self.gain - 1.0).abs() < 0.004 && self.brighter(MIDDLE).abs() < 0.4
    }

    /// Increase of `luma` in this light.
    fn brighter(&self, luma: f32) -> f32 {
        luma * (self.gain - 1.0) + self.offset
    }

    /// Luma of a block in this light: above 255 where the sensor only reads white, so that it comes back as it was.
    pub(super) fn apply(self, luma: f32) -> f32 {
        (luma * self.gain + self.offset).clamp(0.0, BRIGHTEST)
    }
}

fn witnesses(before: &[f32], now: &[f32], columns: usize) -> Vec<Witness> {
    let rows = before.len().checked_div(columns).unwrap_or(0);
    let usable = |luma: f32| luma > CLIPPED.0 && luma < CLIPPED.1;
    let mut witnesses = Vec::with_capacity(columns * rows / (SAMPLE_STEP * SAMPLE_STEP));
    for y in (1..rows.saturating_sub(1)).step_by(SAMPLE_STEP) {
        for x in (1..columns.saturating_sub(1)).step_by(SAMPLE_STEP) {
            let at = y * columns + x;
            if usable(before[at]) && usable(now[at]) {
                let across = (before[at + 1] - before[at - 1]) / 2.0;
                let down = (before[at + columns] - before[at - columns]) / 2.0;
                let slopes = [before[at] - MIDDLE, 1.0, across, down];
                witnesses.push(Witness { change: now[at] - before[at], slopes });
            }
        }
    }
    witnesses
}

fn median(witnesses: &[Witness]) -> f32 {
    let mut counts = [0usize; 512];
    for witness in witnesses {
        counts[(witness.change + 256.0).clamp(0.0, 511.0) as usize] += 1;
    }
    let mut left = witnesses.len() / 2;
    for (bin, count) in counts.iter().enumerate() {
        if *count > left {
            return bin as f32 - 255.5;
        }
        left -= count;
    }
    0.0
}

/// Least squares over the witnesses within `reach` of `fit`; `None` where those are too few.
fn refined(witnesses: &[Witness], fit: &[f32; 4], reach: f32) -> Option<[f32; 4]> {
    let mut normal = [[0f32; 5]; 4];
    let mut count = 0.0;
    for Witness { change, slopes } in witnesses {
        let expected: f32 = slopes.iter().zip(fit).map(|(slope, by)| slope * by).sum();
        if (change - expected).abs() > reach {
            continue;
        }
        count += 1.0;
        for (row, slope) in normal.iter_mut().zip(slopes) {
            for (cell, other) in row.iter_mut().zip(slopes.iter().chain([change])) {
                *cell += slope * other;
            }
        }
    }
    if count < 0.25 * witnesses.len() as f32 {
        return None;
    }
    // A view of one grey has neither gain nor shift to measure: without this they would be arbitrary.
    for (parameter, ridge) in [(0, 9.0), (1, 0.01), (2, 1.0), (3, 1.0)] {
        normal[parameter][parameter] += ridge * count;
    }
    Some(solved(normal))
}

/// Gauss's elimination. The matrix is positive definite, so that no pivot is zero.
fn solved(mut m: [[f32; 5]; 4]) -> [f32; 4] {
    for pivot in 0..4 {
        let upper = m[pivot];
        for row in &mut m[pivot + 1..] {
            let factor = row[pivot] / upper[pivot];
            row.iter_mut().zip(upper).for_each(|(cell, above)| *cell -= factor * above);
        }
    }
    let mut solution = [0.0; 4];
    for row in (0..4).rev() {
        let known: f32 = (row + 1..4).map(|column| m[row][column] * solution[column]).sum();
        solution[row] = (m[row][4] - known) / m[row][row];
    }
    solution
}

#[cfg(test)]
mod tests {
    use super::*;

    const COLUMNS: usize = 90;

    /// A texture of slow waves.
    fn texture(x: f32, y: f32) -> f32 {
        110.0 + 40.0 * (x / 3.1).sin() * (y / 4.3).cos() + 25.0 * (x / 7.7 + y / 5.9).sin()
    }

    fn blocks(of: impl Fn(f32, f32) -> f32) -> Vec<f32> {
        (0..COLUMNS * 50).map(|at| of((at % COLUMNS) as f32, (at / COLUMNS) as f32)).collect()
    }

    #[test]
    fn finds_light_and_shift_beside_a_third_of_something_else() {
        let before = blocks(texture);
        let now = blocks(|x, y| if x < 30.0 { 200.0 } else { texture(x + 0.5, y - 0.3) * 0.8 + 10.0 });
        let view = ViewChange::between(&before, &now, COLUMNS);
        assert!((view.gain - 0.8).abs() < 0.05 && (view.apply(100.0) - 90.0).abs() < 2.0, "{view:?}");
        assert!((view.shift.0 - 0.5).abs() < 0.1 && (view.shift.1 + 0.3).abs() < 0.1, "{view:?}");
    }

    #[test]
    fn what_cannot_be_measured_is_taken_as_unchanged() {
        let now = blocks(texture);
        assert_eq!(ViewChange::between(&vec![0.0; now.len()], &now, COLUMNS), ViewChange::SAME);
        assert_eq!(ViewChange::between(&[], &[], 0), ViewChange::SAME);
        let grey = ViewChange::between(&vec![90.0; now.len()], &vec![95.0; now.len()], COLUMNS);
        assert!((grey.apply(90.0) - 95.0).abs() < 0.6 && grey.shift == (0.0, 0.0), "{grey:?}");
        let same = ViewChange::between(&now, &now, COLUMNS);
        assert!(same.is_same_light() && same.shift == (0.0, 0.0), "{same:?}");
    }
}
