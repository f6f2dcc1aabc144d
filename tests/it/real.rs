//! The pure pieces of the bench of real footage, and the truth that it reads.

#[path = "../../benches/real/tally.rs"]
mod tally;
#[path = "../../benches/real/truth.rs"]
mod truth;

use base::detection::{Detection, Label};
use base::geometry::{Rect, Side};

use tally::{Crossed, crossed, found};
use truth::{crossings, keys, map, read, trained_on};

#[test]
fn a_box_is_of_one_subject_of_its_kind() {
    let at = |label, x| Detection { label, score: 1.0, rect: Rect::new(x, 0.2, 0.2, 0.2) };
    let subjects = [at(Label::Car, 0.1), at(Label::Car, 0.14), at(Label::Person, 0.6)];
    let boxes = |boxes: &[(Label, f32)]| -> Vec<(Label, Rect)> {
        boxes.iter().map(|(label, x)| (*label, at(*label, *x).rect)).collect()
    };
    let one = boxes(&[(Label::LargeVehicle, 0.13), (Label::TwoWheeler, 0.6)]);
    assert_eq!(found(&subjects, &one), [false, true, false]);
    let two = boxes(&[(Label::LargeVehicle, 0.13), (Label::Car, 0.12), (Label::Person, 0.62)]);
    assert_eq!(found(&subjects, &two), [true, true, true]);
    assert_eq!(found(&subjects, &boxes(&[(Label::Person, 0.75)])), [false; 3], "too far");
}

#[test]
fn a_told_crossing_is_right_once_in_its_time_and_to_its_side() {
    let by_eye = [(5.0, Side::Left), (5.4, Side::Left), (9.0, Side::Right)];
    let told = |told: &[(f64, Side)]| crossed(&by_eye, told);
    assert_eq!(told(&[(5.6, Side::Left), (5.8, Side::Left)]), Crossed { hit: 2, wrong: 0 });
    assert_eq!(told(&[(5.6, Side::Left), (5.6, Side::Right)]), Crossed { hit: 1, wrong: 1 });
    assert_eq!(told(&[(12.1, Side::Right), (7.9, Side::Right)]), Crossed { hit: 0, wrong: 2 });
    assert_eq!(told(&[(8.5, Side::Right), (9.5, Side::Right)]), Crossed { hit: 1, wrong: 1 });
}

#[test]
fn the_files_are_read_as_they_are() {
    let keys = keys(&read("keys.txt"));
    let subjects: usize = keys.iter().map(|key| key.subjects.len()).sum();
    assert_eq!((keys.len(), subjects), (33, 162));
    assert!(keys.iter().all(|key| key.subjects.iter().all(|seen| {
        let Rect { x, y, .. } = seen.rect;
        x >= 0.0 && y >= 0.0 && seen.rect.right() <= 1.001 && seen.rect.bottom() <= 1.001
    })));
    let lines = crossings(&read("crossings.txt"));
    assert_eq!(lines.iter().map(|line| line.crossings.len()).sum::<usize>(), 72);
}

#[test]
fn a_set_says_what_its_classes_mean_and_who_was_trained_on_it() {
    let sets = read("sets.txt");
    assert_eq!(trained_on(&sets, "street_val/pets_vtest"), "no");
    let clips: std::collections::BTreeSet<String> =
        keys(&read("keys.txt")).into_iter().map(|key| key.clip).collect();
    assert!(clips.iter().all(|clip| !trained_on(&sets, &format!("clips/{clip}")).is_empty()));
    assert_eq!(map("0=person,7=large-vehicle"), [(0, Label::Person), (7, Label::LargeVehicle)].into());
}

#[test]
fn a_way_on_the_picture_is_a_side_of_the_line() {
    let text = "a 0.5 0.1 0.5 0.9\n1.5 right # who\n2.0 left\n\nb 0.1 0.5 0.9 0.5\n3 down\n4 up\n";
    let found = crossings(text);
    // Looking down the picture, its right is at the left hand.
    assert_eq!(found[0].crossings, [(1.5, Side::Left), (2.0, Side::Right)]);
    assert_eq!(found[1].crossings, [(3.0, Side::Right), (4.0, Side::Left)]);
}
