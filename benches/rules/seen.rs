//! Detector results on the scenarios' whole pictures.

use std::collections::BTreeMap;

use base::detection::{Detection, Label};
use streetsim::script::{Body, Riders, Script};
use streetsim::suite::Scenario;
use streetsim::{Light, Scene, Truth};

use super::Asked;
use super::play::frame;

/// Minimum visible part of a subject that is asked for.
const VISIBLE_MIN: f32 = 0.6;
/// Minimum height of such a subject, in pixels.
const HEIGHT_MIN: f32 = 16.0;

/// Prints, by light and by subject, the numbers asked for and found (overlap 0.5).
pub fn print(asked: &Asked) {
    let mut detector = asked.factory().for_camera(&[]);
    let mut found = BTreeMap::<(String, String), (u32, u32, u32)>::new();
    let (mut said, mut in_vain) = (0, 0);
    for scenario in asked.scenarios() {
        let scene = Scene::new(scenario.settings.clone());
        let fps = scene.settings().fps;
        for second in (2..scenario.seconds as u64).step_by(3) {
            let (picture, truths) = scene.frame((second as f32 * fps) as u64);
            let detections = detector.detect(&frame(second as f64, 1, picture)).unwrap();
            let sure: Vec<_> = detections.iter().filter(|d| d.score >= 0.35).collect();
            for truth in truths.iter().filter(|t| t.visible >= VISIBLE_MIN && t.rect.h * 360.0 >= HEIGHT_MIN)
            {
                let is_on = |d: &Detection| d.rect.iou(&truth.rect) >= 0.5;
                let hit = sure.iter().any(|d| d.label == truth.label && is_on(d));
                let misnamed = !hit && sure.iter().any(|d| is_on(d));
                let key = (format!("{:?}", light(&scenario, second as f32)), sort(&scenario, truth));
                let count = found.entry(key).or_default();
                *count = (count.0 + 1, count.1 + u32::from(hit), count.2 + u32::from(misnamed));
            }
            said += sure.len();
            in_vain += sure.iter().filter(|d| !truths.iter().any(|t| t.rect.iou(&d.rect) >= 0.4)).count();
        }
    }
    println!("{:<10} {:<28} asked  found  under another name", "light", "subject");
    for ((light, sort), (asked, hits, misnamed)) in found {
        let part = |count: u32| f64::from(count) * 100.0 / f64::from(asked);
        println!("{light:<10} {sort:<28} {asked:>5}  {:>4.0}%  {:>4.0}%", part(hits), part(misnamed));
    }
    println!("{in_vain} of {said} boxes are on nobody");
}

fn light(scenario: &Scenario, second: f32) -> Light {
    use streetsim::script::Effect;
    let is_on = |cue: &streetsim::script::Cue| (cue.from..cue.until).contains(&second);
    let grey = scenario.settings.script.cues.iter().any(|cue| cue.effect == Effect::InfraRed && is_on(cue));
    if grey { Light::InfraRed } else { scenario.settings.light }
}

fn sort(scenario: &Scenario, truth: &Truth) -> String {
    let parts = &scenario.settings.script.parts;
    let part = (0..parts.len()).find(|part| Script::id(*part) == truth.id).map(|part| &parts[part]);
    match part.map(streetsim::script::Part::body) {
        Some(Body::TwoWheeler(Riders::None)) => "two-wheeler without rider".to_owned(),
        None | Some(Body::TwoWheeler(_)) if truth.label == Label::TwoWheeler => "two-wheeler".to_owned(),
        _ => truth.label.to_string(),
    }
}
