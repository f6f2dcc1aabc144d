use super::script::{Body, Item, Part, Riders};
use super::*;

fn small(settings: Settings) -> Scene {
    Scene::new(Settings { width: 320, height: 180, ..settings })
}

#[test]
fn a_frame_depends_on_nothing_but_its_number() {
    let settings = Settings { rain: true, light: Light::Dusk, ..Settings::default() };
    let (one, other) = (small(settings.clone()), small(settings.clone()));
    let forwards: Vec<_> = [40, 90, 140].map(|n| one.frame(n)).into();
    let backwards: Vec<_> = [140, 90, 40].map(|n| other.frame(n)).into();
    assert!(forwards.iter().eq(backwards.iter().rev()));
    let reseeded = small(Settings { seed: 2, ..settings });
    assert!(reseeded.frame(90) != forwards[1]);
}

#[test]
fn the_street_is_empty_at_first_and_lively_later() {
    let scene = small(Settings::default());
    for index in 0..15 {
        assert_eq!(scene.frame(index).1, []);
    }
    let labels: std::collections::BTreeSet<Label> =
        (0..60).flat_map(|n| scene.boxes(n * 10)).map(|truth| truth.label).collect();
    let all = [Label::Person, Label::TwoWheeler, Label::Car, Label::LargeVehicle];
    assert_eq!(labels, all.into());
    let share = |label| (0..60).flat_map(|n| scene.boxes(n * 10)).filter(|t| t.label == label).count();
    assert!(share(Label::TwoWheeler) > 2 * share(Label::Car), "motorbikes are most of the traffic");
}

#[test]
fn a_truth_is_where_the_picture_differs_from_the_empty_street() {
    for light in [Light::Day, Light::Night] {
        let settings = Settings { noise: 0.0, light, ..Settings::default() };
        let (scene, empty) =
            (Scene::new(settings.clone()), Scene::new(Settings { density: 0.0, ..settings }));
        let background = empty.frame(0).0.to_rgb();
        let mut checked = 0;
        for index in [90, 140, 200, 260] {
            let (picture, truths) = scene.frame(index);
            let rgb = picture.to_rgb();
            for truth in truths.iter().filter(|t| t.visible > 0.8 && t.rect.h > 0.1) {
                let (x0, y0) = ((truth.rect.x * 640.0) as usize, (truth.rect.y * 360.0) as usize);
                let (w, h) = ((truth.rect.w * 640.0) as usize, (truth.rect.h * 360.0) as usize);
                let pixels = (y0..y0 + h).flat_map(|y| (x0..x0 + w).map(move |x| (y * 640 + x) * 3));
                let changed =
                    pixels.filter(|at| (0..3).any(|c| rgb[at + c].abs_diff(background[at + c]) > 8));
                assert!(changed.count() * 3 > w * h, "{light:?} frame {index}: {truth:?}");
                checked += 1;
            }
        }
        assert!(checked >= 10, "only {checked} subjects were large enough to check");
    }
}

#[test]
fn truths_stay_on_the_picture_and_know_what_hides_them() {
    let scene = small(Settings { density: 2.0, ..Settings::default() });
    let mut hidden = 0;
    for index in (0..600).step_by(15) {
        for truth in scene.frame(index).1 {
            let Rect { x, y, .. } = truth.rect;
            assert!(x >= 0.0 && y >= 0.0 && truth.rect.right() <= 1.0 && truth.rect.bottom() <= 1.0);
            assert!(truth.rect.area() > 0.0 && (0.0..=1.0).contains(&truth.visible), "{truth:?}");
            hidden += usize::from(truth.visible < 0.5);
        }
    }
    assert!(hidden > 20, "in dense traffic some hide others: {hidden}");
}

#[test]
fn the_demonstration_has_something_to_report_early() {
    let scene = Scene::new(Settings::default());
    let early = scene.expectations(0..200);
    let count = |wanted: fn(&Expected) -> bool| early.iter().filter(|e| wanted(e)).count();
    assert!(count(|e| e.kind == ExpectedKind::Intrusion && e.label == Label::Person) >= 1);
    assert!(count(|e| e.kind == ExpectedKind::Tripwire(Side::Left)) >= 3);
    assert!(count(|e| e.kind == ExpectedKind::Tripwire(Side::Right)) >= 2);
    let later = scene.expectations(0..1200);
    assert!(later.iter().filter(|e| e.kind == ExpectedKind::Intrusion).count() >= 4);
    assert!(later.windows(2).all(|pair| pair[0].frame <= pair[1].frame));
}

#[test]
fn any_size_can_be_drawn() {
    for (width, height) in [(16, 16), (641, 361), (352, 288), (1280, 720), (0, 0)] {
        let scene = Scene::new(Settings { width, height, rain: true, ..Settings::default() });
        let (picture, _) = scene.frame(140);
        assert_eq!((picture.width(), picture.height()), (width.max(16), height.max(16)));
        scene.places();
    }
}

fn staged(script: Script) -> Scene {
    small(Settings { density: 0.0, noise: 0.0, fps: 5.0, script, ..Settings::default() })
}

fn parked_two_wheeler() -> Script {
    Script::default().with(Part::parked(Body::TwoWheeler(Riders::None), 3, (7.0, 14.0), 60.0))
}

/// Roughness of a picture's luma: the mean difference of neighbours.
fn roughness(picture: &Picture) -> f64 {
    let luma = picture.luma();
    luma.windows(2).map(|pair| f64::from(pair[0].abs_diff(pair[1]))).sum::<f64>() / luma.len() as f64
}

#[test]
fn what_is_parked_stays_and_what_is_no_subject_has_no_truth() {
    let thing = Part::parked(Body::Thing(Item::Carton), 4, (6.5, 16.0), 0.0);
    let scene = staged(parked_two_wheeler().with(thing));
    let (first, truths) = scene.frame(0);
    assert_eq!(truths.iter().map(|truth| truth.label).collect::<Vec<_>>(), [Label::TwoWheeler]);
    assert!(truths[0].visible > 0.95 && truths[0].id == Script::id(0));
    assert!(scene.frame(400) == (first.clone(), truths));
    assert!(staged(parked_two_wheeler()).frame(0).0 != first, "the carton is on the picture");
}

#[test]
fn a_body_fills_its_box_from_every_side() {
    for body in
        [Body::TwoWheeler(Riders::None), Body::TwoWheeler(Riders::Two), Body::Car, Body::Truck, Body::Lorry]
    {
        for degrees in [0.0, 45.0, 90.0, 180.0, 250.0] {
            let scene = staged(Script::default().with(Part::parked(body, 9, (1.0, 22.0), degrees)));
            let (rgb, empty) = (scene.frame(0).0.to_rgb(), staged(Script::default()).frame(0).0.to_rgb());
            let truth = scene.frame(0).1[0];
            let (x0, y0) = ((truth.rect.x * 320.0) as usize, (truth.rect.y * 180.0) as usize);
            let (w, h) = ((truth.rect.w * 320.0) as usize, (truth.rect.h * 180.0) as usize);
            let differs = |x: usize, y: usize| {
                (0..3).any(|c| rgb[(y * 320 + x) * 3 + c].abs_diff(empty[(y * 320 + x) * 3 + c]) > 8)
            };
            // Each quarter of the box, so that none is larger than its content.
            for (left, top) in [(0, 0), (w / 2, 0), (0, h / 2), (w / 2, h / 2)] {
                let changed = (0..h / 2).flat_map(|y| (0..w / 2).map(move |x| (x0 + left + x, y0 + top + y)));
                let changed = changed.filter(|(x, y)| differs(*x, *y)).count();
                assert!(changed * 8 > (w / 2) * (h / 2), "{body:?} at {degrees}: {changed} of {w}x{h}");
            }
        }
    }
}

#[test]
fn a_photograph_stands_where_the_figure_would_and_the_truth_is_around_it() {
    use photograph::{Aspect, Photograph, Photographs, Sitter};
    assert_eq!(Photograph::new(3, vec![0; 10]), None, "no whole rows");
    // Its left half is red, its right half blue.
    let rows =
        (0..40).flat_map(|_| (0..24).flat_map(|x| if x < 12 { [250, 0, 0, 255] } else { [0, 0, 250, 255] }));
    let mut photographs = Photographs::default();
    photographs.add(Sitter::TwoWheeler, Aspect::Right, Photograph::new(24, rows.collect()).unwrap());
    let photographs = Some(Arc::new(photographs));
    let seen = |degrees: f32, photographs: &Option<Arc<Photographs>>| {
        let script =
            Script::default().with(Part::parked(Body::TwoWheeler(Riders::One), 3, (3.0, 16.0), degrees));
        let scene = small(Settings {
            density: 0.0,
            noise: 0.0,
            fps: 5.0,
            script,
            photographs: photographs.clone(),
            ..Settings::default()
        });
        let (picture, truths) = scene.frame(0);
        (picture.to_rgb(), truths[0])
    };
    for (degrees, left_is_red) in [(90.0, true), (270.0, false)] {
        let (rgb, truth) = seen(degrees, &photographs);
        let drawn = seen(degrees, &None).1;
        assert!(
            (truth.rect.h - drawn.rect.h).abs() < 1e-4
                && (truth.rect.foot().x - drawn.rect.foot().x).abs() < 0.01
        );
        assert!(truth.visible > 0.95, "{truth:?}");
        let red = |part: f32| {
            let (x, y) = (truth.rect.x + part * truth.rect.w, truth.rect.centre().y);
            let at = ((y * 180.0) as usize * 320 + (x * 320.0) as usize) * 3;
            rgb[at] > rgb[at + 2]
        };
        assert_eq!((red(0.2), red(0.8)), (left_is_red, !left_is_red), "at {degrees}");
    }
    assert!(seen(0.0, &photographs) == seen(0.0, &None), "there is none from behind: it is drawn");
}

#[test]
fn night_mode_is_grey_from_its_second_on() {
    let scene = staged(parked_two_wheeler().cue(Effect::InfraRed, 4.0, 100.0));
    let are_grey = [0, 19, 20, 60].map(|index| {
        let (picture, _) = scene.frame(index);
        let (u, v) = picture.chroma().planes();
        u.iter().chain(v).all(|sample| *sample == 128)
    });
    assert_eq!(are_grey, [false, false, true, true]);
}

#[test]
fn a_swaying_pole_takes_the_truth_along() {
    let (still, scene) =
        (staged(parked_two_wheeler()), staged(parked_two_wheeler().cue(Effect::Shake(6.0), -9.0, 99.0)));
    let at = still.frame(0).1[0].rect;
    let mut most = 0.0f32;
    for index in 0..40 {
        let (picture, truths) = scene.frame(index);
        let (dx, dy) = ((truths[0].rect.x - at.x) * 320.0, (truths[0].rect.y - at.y) * 180.0);
        assert!(dx.abs() <= 3.01 && dy.abs() <= 1.81, "{dx}, {dy}");
        most = most.max(dx.abs());
        // The picture is where the truth says it is: moved back, it is the still one but for its edges.
        let (moved, plain) = (picture.luma(), still.frame(0).0);
        let (dx, dy) = (dx.round() as isize, dy.round() as isize);
        let apart = |sx: isize, sy: isize| -> f64 {
            let pixels = (20..160isize).flat_map(|y| (20..300isize).map(move |x| (x, y)));
            let off = pixels.map(|(x, y)| {
                let (here, there) =
                    (plain.luma()[(y * 320 + x) as usize], moved[((y + sy) * 320 + x + sx) as usize]);
                f64::from(here.abs_diff(there))
            });
            off.sum()
        };
        assert!(apart(dx, dy) <= apart(-dx, -dy), "frame {index}: shifted by {dx}, {dy}");
    }
    assert!(most > 2.0, "{most}");
}

#[test]
fn sabotage_takes_the_picture_away() {
    let with = |effect| staged(parked_two_wheeler().cue(effect, 4.0, 40.0));
    let before = roughness(&with(Effect::Black).frame(0).0);
    for effect in [Effect::Covered, Effect::Sprayed, Effect::Defocused(9.0), Effect::Black] {
        let scene = with(effect);
        assert!(scene.frame(0) == staged(parked_two_wheeler()).frame(0));
        let (picture, truths) = scene.frame(100);
        assert!(roughness(&picture) * 2.0 < before, "{effect:?}: {} of {before}", roughness(&picture));
        let is_hidden = truths.iter().all(|truth| truth.visible < 0.2);
        assert!(is_hidden || matches!(effect, Effect::Defocused(_)), "{effect:?}: {truths:?}");
        assert!(scene.frame(201).0 == staged(parked_two_wheeler()).frame(201).0, "it is over");
    }
    let turned = with(Effect::Turned(25.0));
    assert!(turned.frame(100).1.first().map(|truth| truth.rect) != turned.frame(0).1.first().map(|t| t.rect));
    assert!(turned.frame(201).0 == turned.frame(0).0, "turned back");
}

#[test]
fn a_frozen_picture_is_one_picture_and_lost_frames_are_named() {
    let settings = Settings { fps: 5.0, quiet_seconds: 0.0, ..Settings::default() };
    let script = Script::default().cue(Effect::Frozen, 10.0, 14.0).cue(Effect::Lost, 20.0, 21.0);
    let scene = small(Settings { script, ..settings });
    assert!(scene.frame(50) == scene.frame(69) && scene.frame(50).0 != scene.frame(70).0);
    assert!(scene.frame(48).0 != scene.frame(49).0);
    let lost: Vec<u64> = (0..200).filter(|index| scene.is_lost(*index)).collect();
    assert_eq!(lost, [100, 101, 102, 103, 104]);
}

#[test]
fn another_cast_plays_the_same_scenario() {
    let staged =
        suite::scenarios().into_iter().find(|scenario| scenario.name == "loitering-beside-parked").unwrap();
    let play = |cast| small(staged.clone().cast(cast).settings);
    let [original, same, other] =
        [staged.settings.clone(), staged.clone().cast(0).settings, staged.clone().cast(1).settings];
    assert!(original == same && original != other);
    let ((first, truths), (second, others)) = (play(0).frame(60), play(1).frame(60));
    assert!(first != second, "the same pictures");
    assert!(truths.len() > 3 && truths.len() == others.len());
    for (one, other) in truths.iter().zip(&others) {
        let apart = (one.rect.foot().x - other.rect.foot().x).hypot(one.rect.foot().y - other.rect.foot().y);
        assert!(one.label == other.label && apart < 0.03, "{one:?} is at {other:?}");
        assert_eq!(one.id, other.id);
    }
}
