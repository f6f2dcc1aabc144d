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
