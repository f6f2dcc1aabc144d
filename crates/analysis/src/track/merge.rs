//! Merges a rider and the vehicle he rides into one subject.

use super::thresholds::*;
use base::detection::{Detection, Label};
use base::geometry::Rect;

/// Returns one detection for each subject. `riders_included` says if the network's two-wheelers include their riders.
pub fn subjects(detections: &[Detection], riders_included: bool) -> Vec<Detection> {
    if riders_included { drop_riders(detections) } else { merge_riders(detections) }
}

/// Joins the persons who sit on a two-wheeler (or stand in its place) with it: one two-wheeler in the box around it
/// and the surest of them; the others go into it. A box around several who ride behind each other gives way to them.
/// Of two boxes of one two-wheeler, with its rider and without, the larger stays, and of two names of one vehicle the
/// surer. All other detections stay as they are; the order is kept.
fn merge_riders(detections: &[Detection]) -> Vec<Detection> {
    let detections = &without_parts(&without_groups(&without_aliases(detections)));
    let mut merged = detections.clone();
    let mut ridden = vec![false; merged.len()];
    // The surest rider of each sets the extent of both.
    let mut riders = vec![None; merged.len()];
    for (person, gone) in ridden.iter_mut().enumerate().filter(|(i, _)| detections[*i].label == Label::Person)
    {
        let rider = detections[person];
        let mounts = detections.iter().enumerate().filter(|(_, d)| d.label == Label::TwoWheeler);
        let best = mounts
            .filter(|(_, mount)| sits_on(&rider.rect, &mount.rect))
            .max_by(|a, b| rider.rect.intersection(&a.1.rect).total_cmp(&rider.rect.intersection(&b.1.rect)));
        if let Some((mount, _)) = best {
            let surest = riders[mount].get_or_insert(rider);
            if rider.score > surest.score {
                *surest = rider;
            }
            *gone = true;
        }
    }
    for (mount, rider) in merged.iter_mut().zip(&riders) {
        mount.rect = rider.map_or(mount.rect, |rider| mount.rect.union(&rider.rect));
    }
    let mut gone = ridden.into_iter();
    merged.retain(|_| !gone.next().unwrap_or(false));
    merged
}

/// Leaves out two-wheelers that are several, one behind another: each rider found in that box stands on other ground.
fn without_groups(detections: &[Detection]) -> Vec<Detection> {
    detections.iter().filter(|d| d.label != Label::TwoWheeler || !is_group(d, detections)).copied().collect()
}

/// Returns true if riders found in the box of `whole` are apart from each other.
fn is_group(whole: &Detection, detections: &[Detection]) -> bool {
    let riders = detections.iter().filter(|d| {
        d.label == Label::Person
            && d.score >= GROUP_SCORE * whole.score
            && d.rect.intersection(&whole.rect) > GROUP_WITHIN * d.rect.area()
            && d.rect.h > GROUP_HEIGHT * whole.rect.h
            && d.rect.w < GROUP_WIDTH * whole.rect.w
    });
    let ones: Vec<Rect> = riders.map(|d| d.rect).collect();
    ones.iter().any(|a| ones.iter().any(|b| are_apart(a, b, &whole.rect)))
}

/// Returns true if two riders within `whole` stand on other ground and share little of their boxes.
fn are_apart(a: &Rect, b: &Rect, whole: &Rect) -> bool {
    (a.bottom() - b.bottom()).abs() > GROUP_FEET * whole.h
        && a.intersection(b) < GROUP_SHARED * a.area().min(b.area())
}

/// Calls narrow cars two-wheelers where there is evidence for it, and leaves out other names of a surer box's
/// subject. A rider is no other name of the vehicle he rides.
///
/// A narrow car may be a two-wheeler, seen from before or behind. It may also be a car that comes near, is cut by the
/// picture's edge or stands behind another one. It is a two-wheeler if the network calls it that as well, in a box that
/// overlaps by [`NARROW_IOU`], or if a person sits on it. Of narrow cars on labelled pictures of six sources that are
/// one or the other, 114 of 131 are two-wheelers with such evidence, and 15 of 149 without it.
fn without_aliases(detections: &[Detection]) -> Vec<Detection> {
    let mut named: Vec<Named> = Vec::with_capacity(detections.len());
    for detection in detections {
        let renamed = is_two_wheeler(detection, detections);
        let label = if renamed { Label::TwoWheeler } else { detection.label };
        named.push(Named { detection: Detection { label, ..*detection }, renamed });
    }
    let kept = named.iter().filter(|one| !named.iter().any(|other| one.is_alias_of(other)));
    kept.map(|one| one.detection).collect()
}

/// Returns true if a narrow car is called a two-wheeler as well, or a person sits on it.
fn is_two_wheeler(d: &Detection, detections: &[Detection]) -> bool {
    d.label == Label::Car
        && d.rect.h > NARROW * d.rect.w
        && detections.iter().any(|other| match other.label {
            Label::TwoWheeler => other.rect.iou(&d.rect) > NARROW_IOU,
            Label::Person => sits_on(&other.rect, &d.rect),
            _ => false,
        })
}

/// A detection, and whether [`without_aliases`] has called it a two-wheeler.
struct Named {
    detection: Detection,
    renamed: bool,
}

impl Named {
    /// Returns true if `other` is surer and of the same subject, under this name or another one.
    fn is_alias_of(&self, other: &Self) -> bool {
        let (d, surer) = (&self.detection, &other.detection);
        let labels = [d.label, surer.label];
        let is_ridden = labels.contains(&Label::Person) && labels.contains(&Label::TwoWheeler);
        let twins = d.label == surer.label && (self.renamed || other.renamed);
        let aliases = d.label != surer.label && !is_ridden;
        let iou = d.rect.iou(&surer.rect);
        surer.score > d.score && ((twins && iou > NARROW_IOU) || (aliases && iou > ALIAS_IOU))
    }
}

/// Leaves out two-wheelers that are the lower part of another one. That one takes the higher score of both.
fn without_parts(detections: &[Detection]) -> Vec<Detection> {
    let mut wholes = detections.to_vec();
    let mut is_part = vec![false; wholes.len()];
    let mounts = || (0..detections.len()).filter(|i| detections[*i].label == Label::TwoWheeler);
    for part in mounts() {
        let rect = &detections[part].rect;
        let whole = mounts()
            .filter(|other| {
                let other = &detections[*other].rect;
                other.area() > rect.area() && is_lower_part(rect, other)
            })
            .max_by(|a, b| detections[*a].rect.area().total_cmp(&detections[*b].rect.area()));
        if let Some(whole) = whole {
            is_part[part] = true;
            wholes[whole].score = wholes[whole].score.max(detections[part].score);
        }
    }
    let mut is_part = is_part.into_iter();
    wholes.retain(|_| !is_part.next().unwrap_or(false));
    wholes
}

/// Returns true if `part` lies within `whole`, and stands where that stands.
fn is_lower_part(part: &Rect, whole: &Rect) -> bool {
    part.intersection(whole) > 0.7 * part.area()
        && (part.centre().x - whole.centre().x).abs() < 0.3 * whole.w.max(part.w)
        && (part.bottom() - whole.bottom()).abs() < 0.15 * whole.h
}

/// For networks whose two-wheelers include their riders: leaves out persons that are riders once more. A person who
/// stands or bends beside a machine is higher than it, or not within its box.
fn drop_riders(detections: &[Detection]) -> Vec<Detection> {
    detections.iter().filter(|d| d.label != Label::Person || !is_rider(d, detections)).copied().collect()
}

/// Returns true if a two-wheeler is higher than `person` and has nearly all of them in its box.
fn is_rider(person: &Detection, detections: &[Detection]) -> bool {
    detections.iter().filter(|d| d.label == Label::TwoWheeler).any(|mount| {
        let inside = person.rect.intersection(&mount.rect) / person.rect.area();
        inside > 0.75 && mount.rect.h > person.rect.h
    })
}

/// Returns true if the rider is above his mount's middle line, ends within it, and is of its size. A person who walks
/// before or behind it stands lower, higher, or beside.
fn sits_on(rider: &Rect, mount: &Rect) -> bool {
    let beside = (rider.centre().x - mount.centre().x).abs();
    let ends = (rider.bottom() - mount.y) / mount.h;
    let shared = rider.intersection(mount) / rider.area().min(mount.area());
    beside < 0.3 * mount.w.max(rider.w)
        && (0.45..1.06).contains(&ends)
        && shared > 0.3
        && (0.35..2.2).contains(&(rider.h / mount.h))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(label: Label, x: f32, y: f32, w: f32, h: f32) -> Detection {
        Detection { label, score: 0.8, rect: Rect::new(x, y, w, h) }
    }

    #[test]
    fn a_rider_in_his_two_wheelers_box_is_dropped_and_who_stands_beside_it_is_not() {
        let both = seen(Label::TwoWheeler, 0.40, 0.42, 0.08, 0.20);
        let rider = seen(Label::Person, 0.41, 0.43, 0.06, 0.15);
        assert_eq!(drop_riders(&[rider, both]), [both]);
        let parked = seen(Label::TwoWheeler, 0.40, 0.50, 0.10, 0.12);
        let beside = seen(Label::Person, 0.42, 0.44, 0.05, 0.18);
        let crouched = seen(Label::Person, 0.46, 0.52, 0.05, 0.11);
        assert_eq!(drop_riders(&[parked, beside, crouched]), [parked, beside, crouched]);
    }

    #[test]
    fn a_rider_becomes_part_of_the_two_wheeler() {
        let bike = seen(Label::TwoWheeler, 0.40, 0.50, 0.08, 0.12);
        let rider = seen(Label::Person, 0.41, 0.42, 0.06, 0.16);
        let passenger = seen(Label::Person, 0.42, 0.43, 0.05, 0.14);
        let merged = merge_riders(&[rider, bike, passenger]);
        assert_eq!(merged.len(), 1);
        assert_eq!(merged[0].label, Label::TwoWheeler);
        assert!((merged[0].rect.y - 0.42).abs() < 1e-6 && (merged[0].rect.bottom() - 0.62).abs() < 1e-6);
        let same_place = seen(Label::Person, 0.40, 0.50, 0.08, 0.12);
        let merged = merge_riders(&[bike, same_place]);
        assert!(merged.len() == 1 && merged[0].rect.iou(&bike.rect) > 0.99, "{merged:?}");
    }

    #[test]
    fn of_two_boxes_of_one_two_wheeler_the_larger_stays_with_the_better_score() {
        let whole = Detection { score: 0.3, ..seen(Label::TwoWheeler, 0.40, 0.40, 0.06, 0.24) };
        let machine = seen(Label::TwoWheeler, 0.405, 0.52, 0.055, 0.12);
        assert_eq!(merge_riders(&[machine, whole]), [Detection { score: 0.8, ..whole }]);
        let neighbour = seen(Label::TwoWheeler, 0.45, 0.52, 0.055, 0.12);
        let behind = seen(Label::TwoWheeler, 0.40, 0.36, 0.05, 0.10);
        assert_eq!(merge_riders(&[whole, neighbour, behind]), [whole, neighbour, behind]);
    }

    #[test]
    fn a_box_around_two_who_ride_behind_each_other_is_neither() {
        let around = seen(Label::TwoWheeler, 0.40, 0.40, 0.08, 0.24);
        let before = seen(Label::Person, 0.40, 0.48, 0.05, 0.16);
        let behind = seen(Label::Person, 0.45, 0.40, 0.03, 0.11);
        assert_eq!(merge_riders(&[around, before, behind]), [before, behind]);
        let unsure = Detection { score: 0.4, ..behind };
        assert_eq!(merge_riders(&[around, before, unsure]).len(), 2, "it may be nothing");
        // Two persons beside each other on one, seen from its side, sit on the same ground.
        let (driver, passenger) =
            (seen(Label::Person, 0.40, 0.40, 0.035, 0.14), seen(Label::Person, 0.44, 0.40, 0.035, 0.14));
        let merged = merge_riders(&[around, driver, passenger]);
        assert!(merged.len() == 1 && merged[0].rect.iou(&around.rect) > 0.99, "{merged:?}");
    }

    #[test]
    fn the_surest_rider_says_how_far_both_reach() {
        let machine = seen(Label::TwoWheeler, 0.40, 0.50, 0.06, 0.12);
        let rider = seen(Label::Person, 0.405, 0.42, 0.05, 0.14);
        let taller = Detection { score: 0.3, ..seen(Label::Person, 0.405, 0.34, 0.05, 0.22) };
        let merged = merge_riders(&[taller, machine, rider]);
        assert!(merged.len() == 1 && (merged[0].rect.y - 0.42).abs() < 1e-6, "{merged:?}");
    }

    #[test]
    fn one_vehicle_has_one_name() {
        let bus = Detection { score: 0.6, ..seen(Label::LargeVehicle, 0.2, 0.3, 0.2, 0.3) };
        let car = Detection { score: 0.5, ..seen(Label::Car, 0.2, 0.32, 0.2, 0.28) };
        assert_eq!(merge_riders(&[bus, car]), [bus]);
        let beside = seen(Label::Car, 0.35, 0.32, 0.2, 0.28);
        assert_eq!(merge_riders(&[bus, beside]), [bus, beside]);
    }

    /// Boxes as YOLOX-nano and PicoDet-S gave them on real footage.
    #[test]
    fn a_narrow_car_is_a_two_wheeler_only_where_something_else_says_so() {
        let whole = |left: f32, top: f32, right: f32, bottom: f32| {
            let rect = Rect::from_corners(left, top, right, bottom);
            Detection { label: Label::Car, score: 0.75, rect }
        };
        // Cut by the left and by the right edge, behind a parked one, and near the camera.
        let cars = [
            whole(0.0, 0.24, 0.13, 0.53),
            whole(0.94, 0.62, 1.0, 0.77),
            whole(0.51, 0.31, 0.55, 0.41),
            whole(0.15, 0.47, 0.36, 1.0),
        ];
        for car in cars {
            assert!(car.rect.h > NARROW * car.rect.w);
            assert_eq!(merge_riders(&[car]), [car]);
            // A person who walks past it.
            let beside = seen(Label::Person, car.rect.right(), car.rect.y, 0.03, 0.15);
            assert_eq!(merge_riders(&[car, beside]), [car, beside]);
        }
        let narrow = seen(Label::Car, 0.7, 0.3, 0.04, 0.12);
        let renamed = Detection { label: Label::TwoWheeler, ..narrow };
        let weak = Detection { score: 0.2, ..seen(Label::TwoWheeler, 0.702, 0.32, 0.038, 0.10) };
        assert_eq!(merge_riders(&[narrow, weak]), [renamed]);
        let rider = seen(Label::Person, 0.705, 0.25, 0.03, 0.13);
        let merged = merge_riders(&[narrow, rider]);
        assert!(merged.len() == 1 && merged[0].label == Label::TwoWheeler, "{merged:?}");
    }

    #[test]
    fn people_beside_before_and_behind_stay_people() {
        let bike = seen(Label::TwoWheeler, 0.40, 0.50, 0.08, 0.16);
        let beside = seen(Label::Person, 0.47, 0.46, 0.05, 0.18);
        let before = seen(Label::Person, 0.41, 0.55, 0.05, 0.20);
        let far_behind = seen(Label::Person, 0.42, 0.40, 0.04, 0.12);
        let car = seen(Label::Car, 0.40, 0.50, 0.08, 0.16);
        let all = [bike, beside, before, far_behind, car];
        assert_eq!(merge_riders(&all), all);
    }
}
