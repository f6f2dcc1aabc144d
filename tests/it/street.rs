//! The built-in network sees what it is trained for: drawn streets by their truth, a real junction by its labels.

use std::collections::BTreeMap;
use std::path::Path;

use base::detection::Label;
use base::geometry::Rect;
use base::ids::Epoch;
use base::picture::{Frame, Picture};
use base::time::{ClockState, Monotonic, Pts, Stamp, WallTime};
use detector::{BUILT_IN, Model, eval};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use streetsim::{self, Light, Scene, Truth};
use wardwatch::infer::{DetectorChoice, Factory, Settings};

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
        Settings { detector: DetectorChoice::named(BUILT_IN), score_min: Some(0.45), ..Settings::default() };
    let mut detector = Factory::new(&settings).unwrap().for_camera(&[]);
    let (mut asked, mut seen) = (BTreeMap::<Label, usize>::new(), BTreeMap::<Label, usize>::new());
    let (mut said, mut wrong) = (0, 0);
    // None of these is a street of the training.
    for (seed, light, rain) in
        [(900_001, Light::Day, false), (900_002, Light::Night, true), (900_003, Light::Dusk, false)]
    {
        let scene = Scene::new(streetsim::Settings { seed, light, rain, ..streetsim::Settings::default() });
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

/// Detections of the built-in network on one drawn picture, down to a score of 0.3.
#[derive(Debug, Serialize, Deserialize)]
struct Golden {
    seed: u64,
    index: u64,
    light: Light,
    rain: bool,
    /// Digest of the picture's samples.
    sha256: String,
    detections: Vec<Found>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Found {
    label: String,
    score: f32,
    #[serde(rename = "box")]
    rect: Rect,
}

/// Returns true if the two are one detection: processors add in different orders, and some round less often.
fn same(a: &Found, b: &Found) -> bool {
    a.label == b.label && a.rect.iou(&b.rect) >= 0.98 && (a.score - b.score).abs() <= 0.01
}

/// One file for x86, ARM of 64 bits and ARM of 32: training and tuning on one of them hold on the others.
/// `WARDWATCH_WRITE_GOLDENS=1` writes it anew, after the network has changed.
#[test]
fn the_built_in_network_sees_the_same_on_every_processor() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/goldens/detect/street-nano.json");
    let model = Model::load(Path::new(BUILT_IN)).unwrap();
    let labels = &model.manifest().labels;
    let see = |(seed, index, light, rain): (u64, u64, Light, bool)| {
        let scene = Scene::new(streetsim::Settings { seed, light, rain, ..streetsim::Settings::default() });
        let (picture, _) = scene.frame(index);
        let found = model.detect(&picture, Rect::new(0.0, 0.0, 1.0, 1.0), 0.3).unwrap();
        let found =
            found.iter().map(|raw| (labels[raw.class as usize].as_str().to_owned(), raw.score, raw.rect));
        let detections = found.map(|(label, score, rect)| Found { label, score, rect }).collect();
        let sha256 = Sha256::digest(picture.samples()).iter().map(|byte| format!("{byte:02x}")).collect();
        Golden { seed, index, light, rain, sha256, detections }
    };
    if std::env::var_os("WARDWATCH_WRITE_GOLDENS").is_some() {
        let places = [
            (900_001, 160, Light::Day, false),
            (900_002, 260, Light::Night, true),
            (900_003, 360, Light::Dusk, false),
            (900_004, 410, Light::InfraRed, false),
        ];
        let goldens: Vec<_> = places.map(see).into();
        std::fs::write(&path, serde_json::to_string_pretty(&goldens).unwrap() + "\n").unwrap();
    }
    let goldens: Vec<Golden> = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
    let mut compared = 0;
    for golden in goldens {
        let now = see((golden.seed, golden.index, golden.light, golden.rain));
        assert_eq!(now.sha256, golden.sha256, "{} {}: another picture", golden.seed, golden.index);
        for (ours, theirs) in [(&now, &golden), (&golden, &now)] {
            // A detection near the threshold may be on either side of it.
            for one in ours.detections.iter().filter(|one| one.score >= 0.32) {
                compared += 1;
                let found = theirs.detections.iter().any(|other| same(one, other));
                assert!(found, "{} {}: {one:?} is not in {theirs:?}", golden.seed, golden.index);
            }
        }
    }
    assert!(compared > 40, "{compared}");
}
