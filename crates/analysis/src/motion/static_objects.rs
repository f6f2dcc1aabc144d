//! Static objects: each is remembered by the luma of its place without it and with it, since the background takes it in
//! within a minute or two.
//!
//! A place is compared with both memories on every frame, in the light of the blocks around it. A hidden place looks like
//! neither; then nothing is reported of it until it is in view again.

use super::background::{Background, ForegroundComponent};
use super::blocks::Blocks;
use super::components::Edges;
use super::thresholds::*;
use super::{BLOCKS_MIN, ForegroundObject};

/// Static objects on one camera's picture.
#[derive(Debug, Default)]
pub(super) struct StaticObjects {
    known: Vec<KnownObject>,
}

/// A static object as it is remembered.
#[derive(Debug)]
struct KnownObject {
    edges: Edges,
    /// The object as it was when it came.
    object: ForegroundObject,
    /// Its blocks: index, luma without it, and luma with it.
    members: Vec<(usize, f32, f32)>,
    /// Blocks around it, and their luma when it came.
    around: Vec<(usize, f32)>,
    /// Its brightness as a factor of that when it came.
    gain: f32,
    still_seconds: f32,
    gone_seconds: f32,
    hidden_seconds: f32,
}

/// State of a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Presence {
    There,
    Gone,
    Hidden,
}

impl StaticObjects {
    /// Takes a frame in, after the background has; `foreground` are its components that stand out. Returns the objects in view.
    pub(super) fn update(
        &mut self,
        blocks: &Blocks,
        background: &Background,
        foreground: &[ForegroundComponent],
        elapsed_seconds: f32,
    ) -> impl Iterator<Item = ForegroundObject> {
        for known in &mut self.known {
            known.still_seconds += elapsed_seconds;
            let presence = known.presence(&blocks.luma, background);
            let counted = |is_so: bool, seconds: f32| if is_so { seconds + elapsed_seconds } else { 0.0 };
            known.gone_seconds = counted(presence == Presence::Gone, known.gone_seconds);
            known.hidden_seconds = counted(presence == Presence::Hidden, known.hidden_seconds);
        }
        self.known.retain(|known| {
            known.gone_seconds < GONE_SECONDS_MAX && known.hidden_seconds < HIDDEN_SECONDS_MAX
        });
        for found in foreground {
            let is_object = found.still_seconds >= STILL_SECONDS_MIN
                && found.component.blocks >= BLOCKS_MIN
                && found.component.excess_mean >= EXCESS_MIN
                && found.component.members.len() as f32 <= PART_MAX * blocks.luma.len() as f32;
            let edges = found.component.edges;
            if is_object
                && self.known.len() < OBJECTS_MAX
                && !self.known.iter().any(|known| is_same(known.edges, edges))
            {
                self.known.push(KnownObject::new(found, blocks, background));
            }
        }
        let in_view = self.known.iter().filter(|known| known.gone_seconds + known.hidden_seconds <= 0.0);
        in_view.map(|known| ForegroundObject { still_seconds: known.still_seconds, ..known.object })
    }

    /// Forgets all objects: the background was learnt anew.
    pub(super) fn forget(&mut self) {
        self.known.clear();
    }
}

impl KnownObject {
    fn new(found: &ForegroundComponent, blocks: &Blocks, background: &Background) -> Self {
        let (luma, columns) = (&blocks.luma, blocks.columns);
        let component = &found.component;
        let before = background.mean();
        let members = component.members.iter().map(|at| *at as usize).map(|at| (at, before[at], luma[at]));
        let (x0, y0, x1, y1) = component.edges;
        let xs = x0.saturating_sub(LIGHT_MARGIN)..(x1 + LIGHT_MARGIN).min(columns);
        let ys = y0.saturating_sub(LIGHT_MARGIN)..(y1 + LIGHT_MARGIN).min(luma.len() / columns);
        let around = ys.flat_map(|y| xs.clone().map(move |x| (x, y)));
        let around = around.filter(|(x, y)| !((x0..x1).contains(x) && (y0..y1).contains(y)));
        let around = around.map(|(x, y)| y * columns + x);
        let around = around.filter(|at| !background.stands_out(*at)).map(|at| (at, luma[at]));
        Self {
            edges: component.edges,
            object: super::foreground_object(found, blocks.block),
            members: members.collect(),
            around: around.collect(),
            gain: 1.0,
            still_seconds: found.still_seconds,
            gone_seconds: 0.0,
            hidden_seconds: 0.0,
        }
    }

    fn presence(&mut self, luma: &[f32], background: &Background) -> Presence {
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
            Presence::Hidden
        } else if (THERE.0..THERE.1).contains(&part) {
            Presence::There
        } else if is_free && (-GONE_MAX..GONE_MAX).contains(&part) {
            Presence::Gone
        } else {
            Presence::Hidden
        }
    }

    /// Updates the gain from the blocks around it that do not stand out; returns true if there are enough of those. A subject
    /// that hides the object hides the blocks around it, too.
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
    area(both) >= OBJECT_SAME_PART * area(a).min(area(b))
}
