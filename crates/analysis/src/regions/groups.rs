//! Groups needs into crops: joined while that is no dearer, cut to the maximum cost of a frame.

use super::thresholds::*;
use super::{InferenceArea, Need, PlannerInput, WHOLE, contains};
use base::detector::InputSize;
use base::geometry::Rect;
use base::time::Monotonic;

/// Needs that share a crop.
#[derive(Debug, Clone, Copy)]
struct Group {
    rect: Rect,
    shrink_max: f32,
    due_at: Monotonic,
    area: InferenceArea,
}

/// Makes one or two inferences of all due needs, and of others that they can show at no further cost.
pub(super) fn areas(needs: &[Need], view: &PlannerInput) -> Vec<InferenceArea> {
    if let Some(area) = enlarged(needs, view) {
        return vec![area];
    }
    let whole = vec![InferenceArea::whole(view.sizes)];
    let due = needs.iter().filter(|need| need.due);
    let mut groups: Vec<Group> =
        due.map(|need| Group::new(need.rect, need.shrink_max, need.due_at, view)).collect();
    if groups.len() > NEEDS_MAX {
        return whole;
    }
    while let Some((a, b, joined)) = best_join(&groups, view).filter(|(.., saved)| saved.1 >= 0).map(flat) {
        join(&mut groups, a, b, joined);
    }
    for need in needs.iter().filter(|need| !need.due) {
        take_along(&mut groups, need, view);
    }
    let dearest = InferenceArea::whole(view.sizes).pixels();
    while groups.len() > AREAS_MAX
        && let Some((a, b, (joined, saved))) = best_join(&groups, view)
        && total_pixels(&groups) as i64 - saved <= dearest as i64
    {
        join(&mut groups, a, b, joined);
    }
    let fits = groups.len() <= AREAS_MAX && total_pixels(&groups) as f32 <= WHOLE_FROM * dearest as f32;
    if fits {
        return groups.iter().map(|group| group.area).collect();
    }
    if shrink_of_whole(view) <= HARDLY_SHRUNK || groups.iter().any(|group| group.area.crop == WHOLE) {
        return whole;
    }
    groups.sort_by_key(|group| group.due_at);
    let mut left = dearest;
    let mut chosen = Vec::new();
    for group in groups {
        if chosen.len() < AREAS_MAX && group.area.pixels() <= left {
            left -= group.area.pixels();
            chosen.push(group.area);
        } else {
            // The longest due group is never passed over for a small one.
            break;
        }
    }
    chosen
}

/// Pixels that the inferences of all groups take.
fn total_pixels(groups: &[Group]) -> u64 {
    groups.iter().map(|group| group.area.pixels()).sum()
}

/// Factor by which `rect` may be shrunk, so that it keeps `side_pixels_min` (the root of its area).
pub(super) fn shrink_max(rect: &Rect, side_pixels_min: f32, view: &PlannerInput) -> f32 {
    let side = (rect.area() * view.picture.0 as f32 * view.picture.1 as f32).sqrt();
    (side / side_pixels_min).clamp(1.0, SHRINK_MAX)
}

fn flat((a, b, (joined, _)): (usize, usize, (Group, i64))) -> (usize, usize, Group) {
    (a, b, joined)
}

/// Finds the pair whose common crop saves most, or costs least more.
fn best_join(groups: &[Group], view: &PlannerInput) -> Option<(usize, usize, (Group, i64))> {
    let pairs = (0..groups.len()).flat_map(|a| (a + 1..groups.len()).map(move |b| (a, b)));
    let joins = pairs.map(|(a, b)| {
        let joined = groups[a].with(&groups[b], view);
        let apart = groups[a].area.pixels() + groups[b].area.pixels();
        (a, b, (joined, apart as i64 - joined.area.pixels() as i64))
    });
    joins.max_by_key(|(.., (_, saved))| *saved)
}

fn join(groups: &mut Vec<Group>, a: usize, b: usize, joined: Group) {
    groups[a] = joined;
    groups.swap_remove(b);
}

/// Lets a crop show `need` too, where that costs nothing.
fn take_along(groups: &mut [Group], need: &Need, view: &PlannerInput) {
    if groups.iter().any(|group| contains(&group.area.crop, &need.rect)) {
        return;
    }
    let more = Group::new(need.rect, need.shrink_max, need.due_at, view);
    for group in groups {
        let due_at = group.due_at;
        let joined = group.with(&more, view);
        if joined.area.pixels() <= group.area.pixels() {
            *group = Group { due_at, ..joined };
            return;
        }
    }
}

impl Group {
    fn new(rect: Rect, shrink_max: f32, due_at: Monotonic, view: &PlannerInput) -> Self {
        Self { rect, shrink_max, due_at, area: area_of(&rect, shrink_max, view) }
    }

    fn with(&self, other: &Self, view: &PlannerInput) -> Self {
        let shrink_max = self.shrink_max.min(other.shrink_max);
        Self::new(self.rect.union(&other.rect), shrink_max, self.due_at.min(other.due_at), view)
    }
}

/// Factor by which a whole inference shrinks the picture.
fn shrink_of_whole(view: &PlannerInput) -> f32 {
    let size = InferenceArea::whole(view.sizes).size;
    (view.picture.0 as f32 / size.width as f32).max(view.picture.1 as f32 / size.height as f32)
}

/// The cheapest inference that shows `rect`, not shrunk by more than `shrink_max` if there is one; not enlarged, unless the
/// whole picture is smaller than the input.
fn area_of(rect: &Rect, shrink_max: f32, view: &PlannerInput) -> InferenceArea {
    let picture = (view.picture.0.max(1) as f32, view.picture.1.max(1) as f32);
    let needed = (rect.w * picture.0 + ALIGN_PIXELS, rect.h * picture.1 + ALIGN_PIXELS);
    let shrink = |size: &InputSize| {
        let shrink = (needed.0 / size.width as f32).max(needed.1 / size.height as f32).max(1.0);
        // It need not be larger than the picture.
        let fits =
            needed.0.min(picture.0) <= size.width as f32 && needed.1.min(picture.1) <= size.height as f32;
        if fits { 1.0 } else { shrink }
    };
    let enough = view.sizes.iter().rev().find(|size| shrink(size) <= shrink_max);
    let Some(size) = enough.or(view.sizes.first()) else { return InferenceArea::whole(view.sizes) };
    let shrink = shrink(size);
    let width = (size.width as f32 * shrink).min(picture.0);
    let height = (size.height as f32 * shrink).min(picture.1);
    // A crop that is shrunk nearly as much as the whole picture shows hardly more of its part and nothing else.
    if enough.is_none() && shrink > PART_OF_WHOLE * shrink_of_whole(view) {
        return InferenceArea::whole(view.sizes);
    }
    let is_all = width >= picture.0 && height >= picture.1;
    let crop = if is_all { WHOLE } else { around(rect, (width, height), picture) };
    InferenceArea { crop, size: *size }
}

/// Shows the due needs as large as one inference can, for a network of one size, every inference of which costs the same.
/// `None` where that is no larger than on the whole picture.
fn enlarged(needs: &[Need], view: &PlannerInput) -> Option<InferenceArea> {
    let &[size] = view.sizes else { return None };
    let due = needs.iter().filter(|need| need.due).map(|need| need.rect);
    let rect = due.reduce(|all, rect| all.union(&rect))?;
    let picture = (view.picture.0.max(1) as f32, view.picture.1.max(1) as f32);
    let sides = [(rect.w * picture.0, size.width), (rect.h * picture.1, size.height)];
    let shrink = sides.map(|(needed, side)| (needed + ALIGN_PIXELS) / side as f32);
    let shrink = shrink.into_iter().fold(1.0 / ENLARGE_MAX, f32::max);
    let part = (size.width as f32 * shrink, size.height as f32 * shrink);
    let is_part = part.0 <= PART_OF_WHOLE * picture.0 && part.1 <= PART_OF_WHOLE * picture.1;
    (is_part && shrink <= 1.0).then(|| InferenceArea { crop: around(&rect, part, picture), size })
}

/// A part of so many pixels of the picture around the middle of `rect`, moved into the picture.
fn around(rect: &Rect, (width, height): (f32, f32), picture: (f32, f32)) -> Rect {
    let from = |centre: f32, length: f32, whole: f32| {
        let start = (centre * whole - length / 2.0).clamp(0.0, whole - length);
        // At the far edge the crop ends with the picture.
        if start >= whole - length { start } else { ((start / 2.0).round() * 2.0).min(whole - length) }
    };
    let centre = rect.centre();
    let (x, y) = (from(centre.x, width, picture.0), from(centre.y, height, picture.1));
    Rect::new(x / picture.0, y / picture.1, width / picture.0, height / picture.1)
}
