//! Judges components that stand out: a subject, the background in another light, or a place that a subject has left.

use super::components::Component;
use super::thresholds::*;

/// Judgement on a component.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ComponentKind {
    /// Something that was not there before; also any component that cannot be judged.
    Subject,
    /// The background, brighter or darker.
    Light,
    /// A place that an object has left; the background still shows the object.
    Left,
}

/// Input of a judgement.
pub(super) struct Scene<'a> {
    pub(super) columns: usize,
    /// Luma of the background, and of the picture, block by block.
    pub(super) before: &'a [f32],
    pub(super) now: &'a [f32],
    /// Blocks that stand out at all.
    pub(super) outstanding: &'a [bool],
}

/// Texture of two windows, each without its slope: light falls off over a window, texture does not.
struct Windows {
    texture_before: f32,
    texture_now: f32,
    covariance: f32,
}

impl Scene<'_> {
    /// Judges a component; `still`: it has not changed for a while.
    pub(super) fn judge(&self, component: &Component, still: bool) -> ComponentKind {
        let is_lit = self.has_other_brightness(component)
            || component.blocks >= LIGHT_BLOCKS_MIN && self.is_light(component);
        if is_lit {
            return ComponentKind::Light;
        }
        if still && self.is_left(component) {
            return ComponentKind::Left;
        }
        ComponentKind::Subject
    }

    /// Returns true if one factor explains the change of all blocks, and the place was anything but plain before: a subject in
    /// front of a plain wall may be plain, too.
    fn has_other_brightness(&self, component: &Component) -> bool {
        let members = || component.members.iter().map(|at| *at as usize);
        let count = component.members.len() as f32;
        if component.members.len() < BRIGHTNESS_BLOCKS_MIN {
            return false;
        }
        let [now, before] =
            members().fold([0f32; 2], |[now, before], at| [now + self.now[at], before + self.before[at]]);
        let (now, before) = (now / count, before / count);
        let gain = now / before.max(1.0);
        let (mut variance_now, mut variance_before, mut covariance) = (0.0, 0.0, 0.0);
        for at in members() {
            let (now, before) = (self.now[at] - now, self.before[at] - before);
            variance_now += now * now / count;
            variance_before += before * before / count;
            covariance += now * before / count;
        }
        // Its variation changes by the same factor.
        let slope = covariance / variance_before.max(1.0);
        (BRIGHTNESS_GAIN.0..BRIGHTNESS_GAIN.1).contains(&gain)
            && variance_now.min(variance_before) >= BRIGHTNESS_VARIANCE_MIN
            && (slope / gain - 1.0).abs() <= BRIGHTNESS_SLOPE
            && covariance * covariance >= BRIGHTNESS_SAME_MIN * variance_now * variance_before
    }

    /// Returns true if the texture stayed. Light changes the contrast of texture; a subject in front of it hides it.
    fn is_light(&self, component: &Component) -> bool {
        let rows = self.before.len() / self.columns;
        let (x0, y0, x1, y1) = component.edges;
        let (mut textured, mut same) = (0usize, 0usize);
        for y in (y0.max(WINDOW_REACH)..y1.min(rows.saturating_sub(WINDOW_REACH))).step_by(WINDOW_STEP) {
            for x in
                (x0.max(WINDOW_REACH)..x1.min(self.columns.saturating_sub(WINDOW_REACH))).step_by(WINDOW_STEP)
            {
                let Some(windows) = self.windows(x, y) else { continue };
                let Windows { texture_before, texture_now, covariance } = windows;
                if texture_before.max(texture_now) < TEXTURE_MIN {
                    continue;
                }
                textured += 1;
                let is_same =
                    covariance > 0.0 && covariance * covariance >= SAME_MIN * texture_before * texture_now;
                same += usize::from(is_same);
            }
        }
        textured >= WINDOWS_MIN && same as f32 >= WINDOWS_SAME_PART * textured as f32
    }

    /// The window around a block, in the background and in the picture; `None` where too few of its blocks stand out.
    fn windows(&self, x: usize, y: usize) -> Option<Windows> {
        const SIDE: usize = 2 * WINDOW_REACH + 1;
        const COUNT: f32 = (SIDE * SIDE) as f32;
        /// Sum of squared distances from the middle, over the window.
        const SPREAD: f32 = 50.0;
        let corner = (y - WINDOW_REACH) * self.columns + x - WINDOW_REACH;
        let mut out = 0;
        let (mut a, mut b) = ([0.0f32; 3], [0.0f32; 3]);
        let (mut aa, mut bb, mut ab) = (0.0f32, 0.0f32, 0.0f32);
        for dy in 0..SIDE {
            let row = corner + dy * self.columns..corner + dy * self.columns + SIDE;
            out += self.outstanding[row.clone()].iter().filter(|outstanding| **outstanding).count();
            for (dx, (before, now)) in self.before[row.clone()].iter().zip(&self.now[row]).enumerate() {
                let (right, down) = (dx as f32 - WINDOW_REACH as f32, dy as f32 - WINDOW_REACH as f32);
                a = [a[0] + before, a[1] + before * right, a[2] + before * down];
                b = [b[0] + now, b[1] + now * right, b[2] + now * down];
                (aa, bb, ab) = (aa + before * before, bb + now * now, ab + before * now);
            }
        }
        let without = |sum: f32, a: &[f32; 3], b: &[f32; 3]| {
            (sum - a[0] * b[0] / COUNT - (a[1] * b[1] + a[2] * b[2]) / SPREAD) / COUNT
        };
        (out >= WINDOW_BLOCKS_MIN).then(|| Windows {
            texture_before: without(aa, &a, &a).max(0.0),
            texture_now: without(bb, &b, &b).max(0.0),
            covariance: without(ab, &a, &b),
        })
    }

    /// Returns true if a subject has left: the place looks like its surroundings, and the background does not. A subject that is
    /// there differs from its surroundings.
    fn is_left(&self, component: &Component) -> bool {
        let (columns, rows) = (self.columns, self.before.len() / self.columns);
        let (mut before, mut now, mut pairs) = (0.0, 0.0, 0);
        let mut compare = |inside: usize, outside: usize| {
            if !self.outstanding[outside] {
                before += (self.before[inside] - self.before[outside]).abs();
                now += (self.now[inside] - self.now[outside]).abs();
                pairs += 1;
            }
        };
        // The block beside the rim shows a half of each.
        const AWAY: usize = 2;
        for inside in component.members.iter().map(|at| *at as usize) {
            let (x, y) = (inside % columns, inside / columns);
            if x >= AWAY {
                compare(inside, inside - AWAY);
            }
            if x + AWAY < columns {
                compare(inside, inside + AWAY);
            }
            if y >= AWAY {
                compare(inside, inside - AWAY * columns);
            }
            if y + AWAY < rows {
                compare(inside, inside + AWAY * columns);
            }
        }
        pairs >= PAIRS_MIN && before >= LEFT_DIFFERENCE_MIN * pairs as f32 && now < LEFT_PART * before
    }
}
