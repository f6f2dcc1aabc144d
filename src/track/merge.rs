//! A rider and what he rides are one subject.

use crate::domain::detection::{Detection, Label};
use crate::domain::geometry::Rect;

/// Joins each person who sits on a two-wheeler (or stands in its place) with it: one two-wheeler in the box around
/// both. Whatever else there is stays as it is; the order is kept.
pub fn merge_riders(detections: &[Detection]) -> Vec<Detection> {
    let mut merged = detections.to_vec();
    let mut ridden = vec![false; merged.len()];
    for (person, gone) in ridden.iter_mut().enumerate().filter(|(i, _)| detections[*i].label == Label::Person)
    {
        let rider = detections[person].rect;
        let mounts = detections.iter().enumerate().filter(|(_, d)| d.label == Label::TwoWheeler);
        let best = mounts
            .filter(|(_, mount)| sits_on(&rider, &mount.rect))
            .max_by(|a, b| rider.intersection(&a.1.rect).total_cmp(&rider.intersection(&b.1.rect)));
        if let Some((mount, _)) = best {
            merged[mount].rect = merged[mount].rect.union(&rider);
            *gone = true;
        }
    }
    let mut gone = ridden.into_iter();
    merged.retain(|_| !gone.next().unwrap_or(false));
    merged
}

/// For networks whose two-wheelers include their riders: leaves out persons that are riders once more. Somebody who stands or
/// bends beside a machine is higher than it, or not within its box.
pub fn drop_riders(detections: &[Detection]) -> Vec<Detection> {
    let rides = |person: &Detection| {
        detections.iter().filter(|d| d.label == Label::TwoWheeler).any(|mount| {
            let inside = person.rect.intersection(&mount.rect) / person.rect.area();
            inside > 0.75 && mount.rect.h > person.rect.h
        })
    };
    detections.iter().filter(|d| d.label != Label::Person || !rides(d)).copied().collect()
}

/// A rider is above his mount's middle line, ends within it, and is of its size. Someone who walks before or behind it
/// stands lower, higher, or beside.
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
