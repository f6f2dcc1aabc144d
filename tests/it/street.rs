//! The built-in network sees what it is trained for: drawn streets by their truth, a real junction by its labels.

use std::collections::BTreeMap;
use std::path::Path;

use wardwatch::detect::{BUILT_IN, DetectorChoice, Factory, Model, Settings, eval};
use wardwatch::domain::detection::Label;
use wardwatch::domain::ids::Epoch;
use wardwatch::domain::picture::{Frame, Picture};
use wardwatch::domain::time::{ClockState, Monotonic, Pts, Stamp, WallTime};
use wardwatch::scene::{self, Light, Scene, Truth};

use crate::support;

fn frame(picture: Picture) -> Frame {
    let at = Stamp {
        wall: WallTime::from_micros(0),
        monotonic: Monotonic::from_nanos(1),
        clock: ClockState::Synced,
    };
    Frame { camera: "c1".parse().unwrap(), epoch: Epoch(1), pts: Pts(0), at, picture }
}

#[test]
fn the_built_in_network_sees_drawn_streets() {
    let settings =
        Settings { detector: DetectorChoice::named(BUILT_IN), score_min: 0.35, ..Settings::default() };
    let mut detector = Factory::new(&settings).unwrap().for_camera(&[]);
    let (mut asked, mut seen) = (BTreeMap::<Label, usize>::new(), BTreeMap::<Label, usize>::new());
    let (mut said, mut wrong) = (0, 0);
    // None of these is a street of the training.
    for (seed, light, rain) in
        [(900_001, Light::Day, false), (900_002, Light::Night, true), (900_003, Light::Dusk, false)]
    {
        let scene = Scene::new(scene::Settings { seed, light, rain, ..scene::Settings::default() });
        for index in (60..460).step_by(50) {
            let (picture, truths) = scene.frame(index);
            let found = detector.detect(&frame(picture)).unwrap();
            let clear = |truth: &&Truth| truth.visible >= 0.6 && truth.rect.h * 360.0 >= 16.0;
            for truth in truths.iter().filter(clear) {
                *asked.entry(truth.label).or_default() += 1;
                let hit = found.iter().any(|d| d.label == truth.label && d.rect.iou(&truth.rect) >= 0.5);
                *seen.entry(truth.label).or_default() += usize::from(hit);
            }
            said += found.len();
            wrong += found.iter().filter(|d| !truths.iter().any(|t| t.rect.iou(&d.rect) >= 0.4)).count();
        }
    }
    assert!(asked.values().sum::<usize>() > 100 && asked.len() == 4, "{asked:?}");
    for (label, asked) in &asked {
        assert!(seen[label] * 100 >= asked * 80, "{label}: {} of {asked} seen", seen[label]);
    }
    assert!(wrong * 100 <= said * 10, "{wrong} of {said} boxes are on nobody");
}

#[test]
fn the_built_in_network_sees_the_labelled_junction() {
    let Some(folder) = support::shared("datasets/vn_vehicles/val") else { return };
    let model = Model::load(Path::new(BUILT_IN)).unwrap();
    let (two_wheeler, car, large) = (Label::TwoWheeler, Label::Car, Label::LargeVehicle);
    let map = BTreeMap::from([(0, two_wheeler), (1, car), (2, large), (3, large)]);
    let options = eval::Options { map: Some(map), as_one: vec![car, large], threads: 2 };
    let report = eval::run(&model, &folder, &options, &|_| ()).unwrap();
    let ap_50: Vec<_> = report.classes.iter().map(|class| (class.label.as_str(), class.ap_50)).collect();
    let [("two-wheeler", two), ("car or large-vehicle", four)] = ap_50[..] else { panic!("{ap_50:?}") };
    assert!(two >= 0.60 && four >= 0.75, "two-wheelers {two:.3}, four-wheelers {four:.3}");
}
