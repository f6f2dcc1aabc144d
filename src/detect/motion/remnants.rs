//! What has come to stand: remembered by what its place looked like without it and with it, since the background takes it in
//! within a minute or two.
//!
//! A place is compared with both memories on every frame, in the light of the blocks around it. What hides it, looks like
//! neither; then nothing is said of it until it is in view again.

use super::background::{Background, Standing};
use super::blocks::Blocks;
use super::components::Edges;
use super::{BLOCKS_MIN, Thing};

/// What has not changed for so long has come to stand.
const STILL_SECONDS_MIN: f32 = 2.5;
/// How much it must stand out in the mean; 1 is the threshold. What is larger than this part of the picture is no thing.
const EXCESS_MIN: f32 = 1.25;
const PART_MAX: f32 = 0.15;
/// So many are remembered.
const REMNANTS_MAX: usize = 32;
/// Known by its place: so much of the smaller box lies in the other one.
const SAME_PART: f32 = 0.5;
/// Of the way from what was there before to what stands there: from here on it is there, and up to here it is gone, if what
/// is seen deviates from that way by no more than this part of it (squared).
const THERE: (f32, f32) = (0.6, 1.6);
const GONE_MAX: f32 = 0.35;
const ASIDE_MAX: f32 = 0.3;
/// Gone for so long, it does not come back; hidden for so long, nobody knows.
const GONE_SECONDS_MAX: f32 = 1.0;
const HIDDEN_SECONDS_MAX: f32 = 90.0;
/// Light is measured on this many blocks to each side, and followed within these bounds.
const MARGIN: usize = 3;
const AROUND_MIN: usize = 8;
const GAIN: (f32, f32) = (0.4, 2.5);

/// What stands on one camera's picture.
#[derive(Debug, Default)]
pub(super) struct Remnants {
    known: Vec<Known>,
}

/// Something that stands, as it is remembered.
#[derive(Debug)]
struct Known {
    edges: Edges,
    /// As it was when it came.
    thing: Thing,
    /// Its blocks: index, luma without it, and luma with it.
    members: Vec<(usize, f32, f32)>,
    /// Blocks around it, and their luma when it came.
    around: Vec<(usize, f32)>,
    /// How much brighter it is since.
    gain: f32,
    still_seconds: f32,
    gone_seconds: f32,
    hidden_seconds: f32,
}

/// What a place looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Look {
    There,
    Gone,
    Hidden,
}

impl Remnants {
    /// Takes a frame in, after the background has: what stands out of it, and what is in view of that which stands.
    pub(super) fn look(
        &mut self,
        blocks: &Blocks,
        background: &Background,
        standing: &[Standing],
        elapsed_seconds: f32,
    ) -> impl Iterator<Item = Thing> {
        for known in &mut self.known {
            known.still_seconds += elapsed_seconds;
            let look = known.look(&blocks.luma, background);
            let counted = |is_so: bool, seconds: f32| if is_so { seconds + elapsed_seconds } else { 0.0 };
            known.gone_seconds = counted(look == Look::Gone, known.gone_seconds);
            known.hidden_seconds = counted(look == Look::Hidden, known.hidden_seconds);
        }
        self.known.retain(|known| {
            known.gone_seconds < GONE_SECONDS_MAX && known.hidden_seconds < HIDDEN_SECONDS_MAX
        });
        for standing in standing {
            let is_thing = standing.still_seconds >= STILL_SECONDS_MIN
                && standing.component.blocks >= BLOCKS_MIN
                && standing.component.excess_mean >= EXCESS_MIN
                && standing.component.members.len() as f32 <= PART_MAX * blocks.luma.len() as f32;
            let is_known = || self.known.iter().any(|known| is_same(known.edges, standing.component.edges));
            if is_thing && !is_known() && self.known.len() < REMNANTS_MAX {
                self.known.push(Known::new(standing, blocks, background));
            }
        }
        let in_view = self.known.iter().filter(|known| known.gone_seconds + known.hidden_seconds <= 0.0);
        in_view.map(|known| Thing { still_seconds: known.still_seconds, ..known.thing })
    }

    /// The background was learnt anew.
    pub(super) fn forget(&mut self) {
        self.known.clear();
    }
}

impl Known {
    fn new(standing: &Standing, blocks: &Blocks, background: &Background) -> Self {
        let (luma, columns) = (&blocks.luma, blocks.columns);
        let component = &standing.component;
        let before = background.mean();
        let members = component.members.iter().map(|at| *at as usize).map(|at| (at, before[at], luma[at]));
        let (x0, y0, x1, y1) = component.edges;
        let xs = x0.saturating_sub(MARGIN)..(x1 + MARGIN).min(columns);
        let ys = y0.saturating_sub(MARGIN)..(y1 + MARGIN).min(luma.len() / columns);
        let is_inside = |x: usize, y: usize| (x0..x1).contains(&x) && (y0..y1).contains(&y);
        let around = ys.flat_map(|y| xs.clone().map(move |x| (x, y)));
        let around = around.filter(|(x, y)| !is_inside(*x, *y)).map(|(x, y)| y * columns + x);
        let around = around.filter(|at| !background.stands_out(*at)).map(|at| (at, luma[at]));
        Self {
            edges: component.edges,
            thing: super::thing(standing, blocks.block),
            members: members.collect(),
            around: around.collect(),
            gain: 1.0,
            still_seconds: standing.still_seconds,
            gone_seconds: 0.0,
            hidden_seconds: 0.0,
        }
    }

    fn look(&mut self, luma: &[f32], background: &Background) -> Look {
        let is_free = self.follow_light(luma, background);
        let (mut along, mut square, mut total) = (0.0, 0.0, 0.0);
        for (at, before, with) in &self.members {
            let (way, now) = (with - before, luma[*at] / self.gain - before);
            along += way * now;
            square += way * way;
            total += now * now;
        }
        let square = square.max(1.0);
        let part = along / square;
        let aside = total / square - part * part;
        if aside > ASIDE_MAX {
            Look::Hidden
        } else if (THERE.0..THERE.1).contains(&part) {
            Look::There
        } else if is_free && (-GONE_MAX..GONE_MAX).contains(&part) {
            Look::Gone
        } else {
            Look::Hidden
        }
    }

    /// By how much the blocks around it, where nobody stands, are brighter than they were; whether there are enough of those.
    /// Who hides it hides what is around it, too.
    fn follow_light(&mut self, luma: &[f32], background: &Background) -> bool {
        let free = self.around.iter().filter(|(at, _)| !background.stands_out(*at));
        let (count, now, then) = free
            .fold((0, 0.0, 0.0), |(count, now, then), (at, was)| (count + 1, now + luma[*at], then + was));
        let is_free = count >= AROUND_MIN && 2 * count >= self.around.len() && then > 0.0;
        if is_free {
            self.gain = (now / then).clamp(GAIN.0, GAIN.1);
        }
        is_free
    }
}

fn is_same(a: Edges, b: Edges) -> bool {
    let area = |(x0, y0, x1, y1): Edges| (x1.saturating_sub(x0) * y1.saturating_sub(y0)) as f32;
    let both = (a.0.max(b.0), a.1.max(b.1), a.2.min(b.2), a.3.min(b.3));
    area(both) >= SAME_PART * area(a).min(area(b))
}
