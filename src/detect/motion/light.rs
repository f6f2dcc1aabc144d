//! A change of light over the whole picture, as a gain and an offset.

/// `luma = gain * before + offset`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Light {
    gain: f32,
    offset: f32,
}

/// Blocks at the ends of the range are clipped and say nothing of the light.
const CLIPPED: (f32, f32) = (4.0, 251.0);

impl Light {
    /// The change that explains most blocks: a line fitted to what lies near it, begun at the median difference, so
    /// that what moves has no say.
    pub(super) fn between(before: &[f32], now: &[f32]) -> Self {
        let usable = |luma: f32| luma > CLIPPED.0 && luma < CLIPPED.1;
        let pairs: Vec<(f32, f32)> = before
            .iter()
            .copied()
            .zip(now.iter().copied())
            .filter(|(before, now)| usable(*before) && usable(*now))
            .collect();
        if pairs.len() * 4 < before.len() {
            return Self { gain: 1.0, offset: 0.0 };
        }
        let mut light = Self { gain: 1.0, offset: median(pairs.iter().map(|(before, now)| now - before)) };
        for reach in [24.0, 12.0] {
            light = light.refined(&pairs, reach);
        }
        light
    }

    /// What `luma` becomes in this light.
    pub(super) fn apply(self, luma: f32) -> f32 {
        (luma * self.gain + self.offset).clamp(0.0, 255.0)
    }

    /// Least squares over the pairs within `reach` of this line.
    fn refined(self, pairs: &[(f32, f32)], reach: f32) -> Self {
        let near = pairs.iter().filter(|(before, now)| (self.apply(*before) - now).abs() <= reach);
        let (mut n, mut x, mut y, mut xx, mut xy) = (0f64, 0f64, 0f64, 0f64, 0f64);
        for (before, now) in near {
            let (before, now) = (f64::from(*before), f64::from(*now));
            n += 1.0;
            x += before;
            y += now;
            xx += before * before;
            xy += before * now;
        }
        if n < 0.25 * pairs.len() as f64 {
            return self;
        }
        let variance = xx / n - (x / n).powi(2);
        // A view of one grey has no slope to measure.
        let gain = if variance > 25.0 { (xy / n - x / n * (y / n)) / variance } else { 1.0 };
        let gain = gain.clamp(0.4, 2.5);
        Self { gain: gain as f32, offset: (y / n - gain * x / n) as f32 }
    }
}

fn median(values: impl Iterator<Item = f32>) -> f32 {
    let mut values: Vec<f32> = values.collect();
    let middle = values.len() / 2;
    *values.select_nth_unstable_by(middle, f32::total_cmp).1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_gain_and_offset_beside_a_third_of_something_else() {
        let before: Vec<f32> = (0..900).map(|i| 40.0 + (i * 7 % 120) as f32).collect();
        let seen = |(i, luma): (usize, &f32)| if i < 300 { 200.0 } else { luma * 0.8 + 10.0 };
        let now: Vec<f32> = before.iter().enumerate().map(seen).collect();
        let light = Light::between(&before, &now);
        assert!((light.gain - 0.8).abs() < 0.05 && (light.apply(100.0) - 90.0).abs() < 2.0, "{light:?}");
        let dark = Light::between(&[0.0; 900], &now);
        assert_eq!(dark, Light { gain: 1.0, offset: 0.0 }, "nothing to measure by");
    }
}
