//! Whether blocks that stand out are somebody, the background in another light, or a place that somebody has left.

use super::components::Component;

/// What a component is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Something that was not there before; also whatever cannot be told.
    Somebody,
    /// What was there before, brighter or darker.
    Light,
    /// What was seen there before is gone.
    Left,
}

/// Components below so many blocks are not asked whether they are light: whoever is small fills no window.
const LIGHT_BLOCKS_MIN: usize = 60;
/// A window is so many blocks to each side of its middle; every so many blocks one is looked at.
const REACH: usize = 2;
const STEP: usize = 3;
/// So many of its 25 blocks must belong to the component.
const WINDOW_BLOCKS_MIN: usize = 20;
/// Variance per block from which a window has texture.
const TEXTURE_MIN: f32 = 6.0;
/// Squared correlation from which two windows show the same.
const SAME_MIN: f32 = 0.75;
/// So many windows must have texture, and this part of them show the same.
const WINDOWS_MIN: usize = 4;
const SAME_PART: f32 = 0.75;
/// One factor within these bounds must be what at least so many blocks changed by, and what their differences changed
/// by, but for this part; they must vary by this much, and correlate (squared) by so much.
const DIMMED: (f32, f32) = (0.4, 2.5);
const DIMMED_BLOCKS_MIN: usize = 12;
const DIMMED_SLOPE: f32 = 0.3;
const DIMMED_VARIANCE_MIN: f32 = 100.0;
const DIMMED_SAME_MIN: f32 = 0.85;
/// A place was left when what is there now differs from its surroundings by less than this part of what was there.
const LEFT_PART: f32 = 0.5;
/// Pairs of blocks that must have been compared for that, and by how much what was there must have differed.
const PAIRS_MIN: usize = 8;
const LEFT_DIFFERENCE_MIN: f32 = 6.0;

/// What is judged, and by what.
pub(super) struct Scene<'a> {
    pub(super) columns: usize,
    /// The background, and the picture, block by block.
    pub(super) before: &'a [f32],
    pub(super) now: &'a [f32],
    /// Which blocks stand out at all.
    pub(super) clean: &'a [bool],
}

/// Two windows held against each other, each without its slope: light falls off over a window, texture does not.
struct Windows {
    texture_before: f32,
    texture_now: f32,
    covariance: f32,
}

impl Scene<'_> {
    /// `still`: it has not changed for a while.
    pub(super) fn judge(&self, component: &Component, still: bool) -> Verdict {
        let is_lit =
            self.is_dimmed(component) || component.blocks >= LIGHT_BLOCKS_MIN && self.is_light(component);
        if is_lit {
            return Verdict::Light;
        }
        if still && self.is_left(component) {
            return Verdict::Left;
        }
        Verdict::Somebody
    }

    /// Whether one factor makes all of it what it was before, and it was anything but plain: what stands before a plain
    /// wall may well be plain, too.
    fn is_dimmed(&self, component: &Component) -> bool {
        let members = || component.members.iter().map(|at| *at as usize);
        let count = component.members.len() as f32;
        if component.members.len() < DIMMED_BLOCKS_MIN {
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
        // What it varies by changes by the same factor.
        let slope = covariance / variance_before.max(1.0);
        (DIMMED.0..DIMMED.1).contains(&gain)
            && variance_now.min(variance_before) >= DIMMED_VARIANCE_MIN
            && (slope / gain - 1.0).abs() <= DIMMED_SLOPE
            && covariance * covariance >= DIMMED_SAME_MIN * variance_now * variance_before
    }

    /// Texture stays when light comes or goes (its contrast changes), and goes when something stands before it.
    fn is_light(&self, component: &Component) -> bool {
        let rows = self.before.len() / self.columns;
        let (x0, y0, x1, y1) = component.edges;
        let (mut textured, mut same) = (0usize, 0usize);
        for y in (y0.max(REACH)..y1.min(rows.saturating_sub(REACH))).step_by(STEP) {
            for x in (x0.max(REACH)..x1.min(self.columns.saturating_sub(REACH))).step_by(STEP) {
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
        textured >= WINDOWS_MIN && same as f32 >= SAME_PART * textured as f32
    }

    /// The two windows around a block; `None` where too few of its blocks stand out.
    fn windows(&self, x: usize, y: usize) -> Option<Windows> {
        const SIDE: usize = 2 * REACH + 1;
        const COUNT: f32 = (SIDE * SIDE) as f32;
        /// Sum of squared distances from the middle, over the window.
        const SPREAD: f32 = 50.0;
        let corner = (y - REACH) * self.columns + x - REACH;
        let mut out = 0;
        let (mut a, mut b) = ([0.0f32; 3], [0.0f32; 3]);
        let (mut aa, mut bb, mut ab) = (0.0f32, 0.0f32, 0.0f32);
        for dy in 0..SIDE {
            let row = corner + dy * self.columns..corner + dy * self.columns + SIDE;
            out += self.clean[row.clone()].iter().filter(|clean| **clean).count();
            for (dx, (before, now)) in self.before[row.clone()].iter().zip(&self.now[row]).enumerate() {
                let (right, down) = (dx as f32 - REACH as f32, dy as f32 - REACH as f32);
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

    /// Whoever stands somewhere differs from what is around him; a place that was left looks like its surroundings, and
    /// it is the background that differs.
    fn is_left(&self, component: &Component) -> bool {
        let (columns, rows) = (self.columns, self.before.len() / self.columns);
        let (mut before, mut now, mut pairs) = (0.0, 0.0, 0);
        let mut compare = |inside: usize, outside: usize| {
            if !self.clean[outside] {
                before += (self.before[inside] - self.before[outside]).abs();
                now += (self.now[inside] - self.now[outside]).abs();
                pairs += 1;
            }
        };
        // The block beside the rim is half of each.
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
