//! Background of one camera, and the components that stand out of it.
//!
//! A running mean and deviation per block. A change of the whole picture ([`ViewChange`]) is taken out before a block is compared
//! with its mean, then slow drift in one part of the picture. Afterwards, components that show the background itself in
//! another light, and those that show a place that something has left, are taken into the background at once.

use super::blocks::Blocks;
use super::component_kind::{self, ComponentKind};
use super::components::{self, Component};
use super::thresholds::*;
use super::view_change::ViewChange;
use base::ids::Epoch;
use base::time::Monotonic;

/// A component that stands out, and the time for which it has not changed.
#[derive(Debug)]
pub(super) struct ForegroundComponent {
    pub(super) component: Component,
    /// Time for which all but two of its blocks have looked the same.
    pub(super) still_seconds: f32,
}

/// Result of one picture.
#[derive(Debug, Default)]
pub(super) struct BackgroundUpdate {
    pub(super) foreground: Vec<ForegroundComponent>,
    pub(super) began_again: bool,
}

#[derive(Debug)]
pub(super) struct Background {
    epoch: Epoch,
    columns: usize,
    rows: usize,
    mean: Vec<f32>,
    /// Mean absolute difference from the expected luma.
    deviation: Vec<f32>,
    /// Luma of each block when it last changed, and the time since then.
    last_luma: Vec<f32>,
    still_seconds: Vec<f32>,
    /// Side of its mean on which a block stood out last (0: none), and number of recent changes of side.
    side: Vec<i8>,
    restless: Vec<f32>,
    /// Blocks that do not count; empty if all count.
    masked: Vec<bool>,
    colour: f32,
    /// Part of the picture that stood out last.
    part: f32,
    /// Times of the background's beginning, and of the last frame.
    since: Monotonic,
    last: Monotonic,
    /// Difference of each block from its expected luma, and its threshold. Their memory is used again.
    differences: Vec<f32>,
    thresholds: Vec<f32>,
}

impl Background {
    /// `masked` has an entry per block, or none at all.
    pub(super) fn new(blocks: Blocks, masked: Vec<bool>, epoch: Epoch, at: Monotonic) -> Self {
        let Blocks { columns, rows, luma, colour, .. } = blocks;
        let count = luma.len();
        Self {
            epoch,
            columns,
            rows,
            deviation: vec![DEVIATION_FIRST; count],
            last_luma: luma.clone(),
            mean: luma,
            still_seconds: vec![0.0; count],
            side: vec![0; count],
            restless: vec![0.0; count],
            masked,
            colour,
            part: 0.0,
            since: at,
            last: at,
            differences: vec![0.0; count],
            thresholds: vec![0.0; count],
        }
    }

    /// Returns true if the background applies to such a frame at that time.
    pub(super) fn fits(&self, blocks: &Blocks, epoch: Epoch, at: Monotonic) -> bool {
        (self.columns, self.rows, self.epoch) == (blocks.columns, blocks.rows, epoch)
            && at >= self.last
            && at.since(self.last) <= GAP_MAX
    }

    /// Time from the last frame to `at`.
    pub(super) fn seconds_since_last(&self, at: Monotonic) -> f32 {
        at.since(self.last).as_secs_f32()
    }

    /// Luma while nothing moves, block by block.
    pub(super) fn mean(&self) -> &[f32] {
        &self.mean
    }

    /// Returns true if a block stood out on the last picture, if only weakly.
    pub(super) fn stands_out(&self, at: usize) -> bool {
        self.differences[at].abs() >= WEAK * self.thresholds[at]
    }

    /// Takes a picture in, and returns the components that stand out of it.
    pub(super) fn update(&mut self, blocks: &Blocks, at: Monotonic) -> BackgroundUpdate {
        let elapsed_seconds = at.since(self.last).as_secs_f32();
        let age_seconds = at.since(self.since).as_secs_f32();
        self.last = at;
        let colour_changed = self.colour_changed(blocks.colour, elapsed_seconds);
        let view = ViewChange::between(&self.mean, &blocks.luma, self.columns);
        if !view.is_same_light() {
            self.mean.iter_mut().for_each(|mean| *mean = view.apply(*mean));
            self.last_luma.iter_mut().for_each(|last_luma| *last_luma = view.apply(*last_luma));
        }
        self.hold_against(&blocks.luma, view.shift);
        self.follow_drift();
        let is_shaken = view.shift.0.abs() + view.shift.1.abs() >= SHAKEN_BLOCKS;
        let mut excess = self.excess(&blocks.luma, is_shaken, elapsed_seconds);
        if colour_changed || self.is_another_view(&excess) {
            self.begin_again(blocks, at);
            return BackgroundUpdate { foreground: Vec::new(), began_again: true };
        }
        let warm = age_seconds >= WARM_UP_SECONDS;
        let mut foreground = Vec::new();
        let mut lit = Vec::new();
        if warm {
            self.look_still(&blocks.luma, elapsed_seconds);
            let (components, outstanding) = components::find(&excess, self.columns, WEAK);
            foreground = self.judged(components, &outstanding, &blocks.luma, &mut lit);
        }
        // Before the rest is learnt: the differences of these blocks are not the street's noise.
        self.take_in(&lit, &blocks.luma, &mut excess, elapsed_seconds);
        self.learn(&blocks.luma, &excess, elapsed_seconds, (!warm).then_some(age_seconds));
        BackgroundUpdate { foreground, began_again: false }
    }

    /// Returns true if the camera has gone over to infra-red or back.
    fn colour_changed(&mut self, colour: f32, elapsed_seconds: f32) -> bool {
        let (low, high) = if colour < self.colour { (colour, self.colour) } else { (self.colour, colour) };
        let changed = high >= COLOUR_MIN && low < COLOUR_PART * high;
        let rate = if changed { 1.0 } else { rate(elapsed_seconds, BACKGROUND_SECONDS) };
        self.colour += (colour - self.colour) * rate;
        changed
    }

    /// Computes the difference of each block from its expected luma, and its threshold.
    fn hold_against(&mut self, luma: &[f32], shift: (f32, f32)) {
        let (columns, last_row) = (self.columns, self.rows.saturating_sub(1));
        for y in 0..self.rows {
            let row = |y: usize| y * columns..(y + 1) * columns;
            let around = Around {
                above: &self.mean[row(y.saturating_sub(1))],
                here: &self.mean[row(y)],
                below: &self.mean[row((y + 1).min(last_row))],
            };
            let (differences, thresholds) = (&mut self.differences[row(y)], &mut self.thresholds[row(y)]);
            around.hold(&luma[row(y)], &self.deviation[row(y)], shift, differences, thresholds);
        }
    }

    /// Takes the change of brightness that most blocks of a cell share out of the differences, and into the mean.
    fn follow_drift(&mut self) {
        let (across, down) = (self.columns.div_ceil(CELL), self.rows.div_ceil(CELL));
        // Of each cell: blocks, those that agree, the sum of their differences, and the sum of their means.
        let mut cells = vec![[0f32; 4]; across * down];
        for y in 0..self.rows {
            let row = y * self.columns..(y + 1) * self.columns;
            let cells = &mut cells[y / CELL * across..][..across];
            let blocks = self.differences[row.clone()].iter().zip(&self.thresholds[row.clone()]);
            for (x, ((difference, threshold), mean)) in blocks.zip(&self.mean[row]).enumerate() {
                let agrees = if difference.abs() < AGREEING * threshold { 1.0 } else { 0.0 };
                let [all, agreeing, differences, means] = &mut cells[x / CELL];
                *all += 1.0;
                *agreeing += agrees;
                *differences += agrees * difference;
                *means += agrees * mean;
            }
        }
        for (at, [all, agreeing, differences, means]) in cells.into_iter().enumerate() {
            // Of a cell that something covers, the drift is unknown.
            if agreeing < AGREEING_PART * all || differences.abs() < DRIFT_MIN * agreeing {
                continue;
            }
            // Light multiplies. A black cell shows no drift.
            let drift = differences / means.max(10.0 * agreeing);
            let (cx, cy) = (at % across * CELL, at / across * CELL);
            for y in cy..(cy + CELL).min(self.rows) {
                for at in y * self.columns + cx..y * self.columns + (cx + CELL).min(self.columns) {
                    let brighter = self.mean[at] * drift;
                    self.mean[at] += brighter;
                    self.last_luma[at] += self.last_luma[at] * drift;
                    self.differences[at] -= brighter;
                }
            }
        }
    }

    /// Excess of each block: 1 is the threshold.
    fn excess(&mut self, luma: &[f32], is_shaken: bool, elapsed_seconds: f32) -> Vec<f32> {
        let mut excess: Vec<f32> =
            self.differences.iter().zip(&self.thresholds).map(|(d, threshold)| d.abs() / threshold).collect();
        for (excess, masked) in excess.iter_mut().zip(&self.masked) {
            *excess = if *masked { 0.0 } else { *excess };
        }
        let calming = (-elapsed_seconds / RESTLESS_SECONDS).exp();
        self.restless.iter_mut().for_each(|restless| *restless *= calming);
        for at in 0..excess.len() {
            if excess[at] < WEAK {
                self.side[at] = 0;
                continue;
            }
            let side = if self.differences[at] > 0.0 { 1 } else { -1 };
            if side != self.side[at] {
                self.side[at] = side;
                self.restless[at] += 1.0;
            }
            if is_shaken || self.restless[at] >= RESTLESS {
                let part = if self.restless[at] >= RESTLESS { 1.0 } else { SHAKEN_PART };
                excess[at] = excess[at].min(self.beyond_neighbours(luma[at], at, part) / self.thresholds[at]);
            }
        }
        excess
    }

    /// Distance of `luma` from the block's usual luma, beyond `part` of the way to its eight neighbours.
    fn beyond_neighbours(&self, luma: f32, at: usize, part: f32) -> f32 {
        let (x, y) = (at % self.columns, at / self.columns);
        let (mut low, mut high) = (f32::MAX, f32::MIN);
        for y in y.saturating_sub(1)..(y + 2).min(self.rows) {
            let row = &self.mean[y * self.columns..][x.saturating_sub(1)..(x + 2).min(self.columns)];
            (low, high) = row.iter().fold((low, high), |(low, high), mean| (low.min(*mean), high.max(*mean)));
        }
        let own = self.mean[at];
        (own + (low - own) * part - luma).max(luma - own - (high - own) * part).max(0.0)
    }

    /// Returns true if so much stands out that it cannot be motion.
    fn is_another_view(&mut self, excess: &[f32]) -> bool {
        let counted = excess.len() - self.masked.iter().filter(|masked| **masked).count();
        let part = excess.iter().filter(|excess| **excess >= 1.0).count() as f32 / counted.max(1) as f32;
        let before = std::mem::replace(&mut self.part, part);
        if part > MOVING_PART_MAX {
            return true;
        }
        if part < SUDDEN_PART || before > SUDDEN_PART / 2.0 {
            return false;
        }
        let across = self.columns.div_ceil(CELL);
        let mut cells = vec![0usize; across * self.rows.div_ceil(CELL)];
        for (at, _) in excess.iter().enumerate().filter(|(_, excess)| **excess >= 1.0) {
            cells[at / self.columns / CELL * across + at % self.columns / CELL] += 1;
        }
        let touched = cells.iter().filter(|count| **count * 10 >= CELL * CELL).count();
        touched as f32 > SPREAD_PART * cells.len() as f32
    }

    /// Notes the blocks that look other than they did.
    fn look_still(&mut self, luma: &[f32], elapsed_seconds: f32) {
        let state = self.last_luma.iter_mut().zip(&mut self.still_seconds);
        for ((last_luma, still), (luma, threshold)) in state.zip(luma.iter().zip(&self.thresholds)) {
            if (luma - *last_luma).abs() > 0.8 * threshold {
                (*last_luma, *still) = (*luma, 0.0);
            } else {
                *still = (*still + elapsed_seconds).min(1e5);
            }
        }
    }

    /// Joins the components of subjects; blocks of the others go to `lit`, with the time constant of learning them.
    fn judged(
        &self,
        components: Vec<Component>,
        outstanding: &[bool],
        luma: &[f32],
        lit: &mut Vec<(u32, f32)>,
    ) -> Vec<ForegroundComponent> {
        let scene =
            component_kind::Scene { columns: self.columns, before: &self.mean, now: luma, outstanding };
        let mut kept = Vec::new();
        for component in components {
            let still = self.still_seconds_of(&component.members) >= GHOST_STILL_SECONDS;
            let seconds = match scene.judge(&component, still) {
                ComponentKind::Subject => {
                    kept.push(component);
                    continue;
                }
                ComponentKind::Light => LIT_SECONDS,
                // At once.
                ComponentKind::Left => 0.0,
            };
            lit.extend(component.members.iter().map(|at| (*at, seconds)));
        }
        components::joined(kept)
            .into_iter()
            .map(|component| {
                let still_seconds = self.still_seconds_of(&component.members);
                ForegroundComponent { component, still_seconds }
            })
            .collect()
    }

    /// Time for which all but two of these blocks have looked the same: one or two change by noise alone.
    fn still_seconds_of(&self, members: &[u32]) -> f32 {
        let mut least = [f32::MAX; 3];
        for at in members {
            let mut seconds = self.still_seconds[*at as usize];
            for place in &mut least {
                if seconds < *place {
                    std::mem::swap(&mut seconds, place);
                }
            }
        }
        let nth = members.len().min(3) - 1;
        least[nth]
    }

    fn take_in(&mut self, lit: &[(u32, f32)], luma: &[f32], excess: &mut [f32], elapsed_seconds: f32) {
        for (at, seconds) in lit {
            let at = *at as usize;
            let rate = if *seconds > 0.0 { rate(elapsed_seconds, *seconds) } else { 1.0 };
            self.mean[at] += (luma[at] - self.mean[at]) * rate;
            self.differences[at] = luma[at] - self.mean[at];
            excess[at] = 0.0;
        }
    }

    /// Moves the background towards the picture. While warming up it is the mean of all pictures so far.
    fn learn(&mut self, luma: &[f32], excess: &[f32], elapsed_seconds: f32, warming_up_seconds: Option<f32>) {
        let (still, moving) = match warming_up_seconds {
            Some(age) => (rate(elapsed_seconds, age.max(0.2)), rate(elapsed_seconds, age.max(0.2))),
            None => (rate(elapsed_seconds, BACKGROUND_SECONDS), rate(elapsed_seconds, FOREGROUND_SECONDS)),
        };
        let state = self.mean.iter_mut().zip(&mut self.deviation);
        let seen = luma.iter().zip(excess).zip(&self.differences);
        for ((mean, deviation), ((luma, excess), difference)) in state.zip(seen) {
            let rate = if *excess >= WEAK { moving } else { still };
            if *luma >= WHITE && *mean > *luma {
                continue;
            }
            *mean += (luma - *mean) * rate;
            *deviation += (difference.abs().min(DEVIATION_MAX) - *deviation) * rate;
        }
    }

    /// Begins again after a change that is no motion: with the present view, and a second of learning.
    fn begin_again(&mut self, blocks: &Blocks, at: Monotonic) {
        self.mean.copy_from_slice(&blocks.luma);
        self.last_luma.copy_from_slice(&blocks.luma);
        self.still_seconds.fill(0.0);
        self.side.fill(0);
        self.restless.fill(0.0);
        self.colour = blocks.colour;
        self.part = 0.0;
        self.since = at;
    }
}

/// A row of the mean, with the rows above and below.
struct Around<'a> {
    above: &'a [f32],
    here: &'a [f32],
    below: &'a [f32],
}

impl Around<'_> {
    /// The row's part of [`Background::hold_against`]. All slices are as long as the row.
    fn hold(
        &self,
        luma: &[f32],
        deviation: &[f32],
        (dx, dy): (f32, f32),
        differences: &mut [f32],
        thresholds: &mut [f32],
    ) {
        let columns = luma.len();
        let one = |x: usize, left: f32, right: f32| {
            let here = self.here[x];
            let (across, down) = ((right - left) / 2.0, (self.below[x] - self.above[x]) / 2.0);
            // Luma beyond the sensor's range reads as white; the mean keeps the real brightness.
            let expected = (here + dx * across + dy * down).clamp(0.0, 255.0);
            let floor = FLOOR.0 + (FLOOR.1 - FLOOR.0) / FLOOR_BRIGHT * here.min(FLOOR_BRIGHT);
            let edge = EDGE_PART * (across.abs() + down.abs());
            (luma[x] - expected, (deviation[x] * DEVIATIONS).max(floor) + edge)
        };
        // Blocks at the ends have one neighbour only.
        for x in [0, columns - 1] {
            (differences[x], thresholds[x]) = one(x, self.here[x], self.here[x]);
        }
        if columns > 2 {
            let beside = self.here.iter().zip(&self.here[2..]);
            let out = differences[1..].iter_mut().zip(&mut thresholds[1..]);
            for (x, ((left, right), (difference, threshold))) in (1..).zip(beside.zip(out)) {
                (*difference, *threshold) = one(x, *left, *right);
            }
        }
    }
}

/// Part of the way covered after `elapsed_seconds` by an average with the time constant `seconds`.
fn rate(elapsed_seconds: f32, seconds: f32) -> f32 {
    1.0 - (-elapsed_seconds / seconds).exp()
}
