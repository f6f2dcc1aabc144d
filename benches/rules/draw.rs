//! Contact sheets of the scenarios, and one picture of each rule for docs/rules.md.

use std::collections::BTreeSet;
use std::path::Path;

use base::detection::Label;
use base::geometry::Point;
use image::codecs::jpeg::JpegEncoder;
use streetsim::Scene;
use streetsim::quiet::Quiet;
use streetsim::suite::Scenario;

use super::play::known;

const COLUMNS: usize = 4;
const TILES: usize = 16;

/// Writes `folder/NAME.jpg` of each: pictures evenly over its time, zones white, truths in their label's colour.
pub fn write(scenarios: &[Scenario], folder: &Path) {
    std::fs::create_dir_all(folder).unwrap();
    for scenario in scenarios {
        let file = folder.join(format!("{}.jpg", scenario.name));
        sheet(scenario).write(&file);
        println!("{:<36} {}", scenario.name, scenario.shows);
    }
}

/// Writes `folder/KIND.jpg` of each rule kind: the moment at which the first scenario's event opens.
pub fn write_rules(scenarios: &[Scenario], folder: &Path) {
    std::fs::create_dir_all(folder).unwrap();
    let mut drawn = BTreeSet::new();
    for scenario in scenarios {
        let Some(expected) = scenario.expected.first() else { continue };
        let Some(rule) = scenario.rules.iter().find(|rule| rule.id == expected.rule) else { continue };
        // A camera that sends nothing has no picture.
        if rule.kind == "camera_offline" || !drawn.insert(rule.kind.clone()) {
            continue;
        }
        let scene = Scene::new(scenario.settings.clone());
        let (w, h) = (scene.settings().width as usize, scene.settings().height as usize);
        let moment = f64::from((expected.evidence + 0.5).min(scenario.seconds) * scene.settings().fps);
        let rgb = annotated(&scene, moment as u64, &outlines(scenario, &scene));
        let mut jpeg = Vec::new();
        JpegEncoder::new_with_quality(&mut jpeg, 80)
            .encode(&rgb, w as u32, h as u32, image::ExtendedColorType::Rgb8)
            .unwrap();
        let file = folder.join(format!("{}.jpg", rule.kind));
        std::fs::write(&file, jpeg).unwrap();
        println!("{}: {}, {}", file.display(), scenario.name, scenario.shows);
    }
}

/// Writes `folder/quiet.jpg`: the quiet street, evenly over a day.
pub fn write_quiet(quiet: &Quiet, folder: &Path) {
    std::fs::create_dir_all(folder).unwrap();
    let tile = |tile: usize| quiet.picture((tile as f64 + 0.7) as u64 * 27_000 + 900 * tile as u64);
    let (w, h) = (tile(0).width() as usize, tile(0).height() as usize);
    let mut sheet = Sheet::new(w, h);
    (0..TILES).for_each(|number| sheet.put(number, &tile(number).to_rgb()));
    sheet.write(&folder.join("quiet.jpg"));
}

/// Pictures side by side.
struct Sheet {
    tile: (usize, usize),
    rgb: Vec<u8>,
}

impl Sheet {
    fn new(w: usize, h: usize) -> Self {
        Self { tile: (w, h), rgb: vec![0; w * h * TILES * 3] }
    }

    fn put(&mut self, number: usize, rgb: &[u8]) {
        let (w, h) = self.tile;
        let (left, top) = (number % COLUMNS * w, number / COLUMNS * h);
        for (y, row) in rgb.chunks_exact(w * 3).enumerate() {
            let at = ((top + y) * w * COLUMNS + left) * 3;
            self.rgb[at..at + w * 3].copy_from_slice(row);
        }
    }

    fn write(&self, file: &Path) {
        let (w, h) = (self.tile.0 * COLUMNS, self.tile.1 * TILES / COLUMNS);
        let mut jpeg = Vec::new();
        JpegEncoder::new_with_quality(&mut jpeg, 85)
            .encode(&self.rgb, w as u32, h as u32, image::ExtendedColorType::Rgb8)
            .unwrap();
        std::fs::write(file, jpeg).unwrap();
    }
}

fn sheet(scenario: &Scenario) -> Sheet {
    let scene = Scene::new(scenario.settings.clone());
    let (w, h) = (scene.settings().width as usize, scene.settings().height as usize);
    let outlines = outlines(scenario, &scene);
    let mut sheet = Sheet::new(w, h);
    let frames = f64::from(scenario.seconds * scene.settings().fps);
    for tile in 0..TILES {
        let index = (frames * (tile as f64 + 0.5) / TILES as f64) as u64;
        sheet.put(tile, &annotated(&scene, index, &outlines));
    }
    sheet
}

/// Frame `index` as RGB, with the outlines in white and the truths in their label's colour.
fn annotated(scene: &Scene, index: u64, outlines: &[(Point, Point)]) -> Vec<u8> {
    let (w, h) = (scene.settings().width as usize, scene.settings().height as usize);
    let (picture, truths) = scene.frame(index);
    let mut rgb = picture.to_rgb();
    for (a, b) in outlines {
        line(&mut rgb, (w, h), *a, *b, [255, 255, 255]);
    }
    for truth in truths {
        let colour = match truth.label {
            Label::Person => [255, 60, 60],
            Label::TwoWheeler => [60, 255, 60],
            Label::Car => [80, 140, 255],
            Label::LargeVehicle | Label::Moving => [255, 210, 60],
        };
        let (r, at) = (truth.rect, Point::new);
        let corners = [at(r.x, r.y), at(r.right(), r.y), at(r.right(), r.bottom()), at(r.x, r.bottom())];
        for i in 0..4 {
            line(&mut rgb, (w, h), corners[i], corners[(i + 1) % 4], colour);
        }
    }
    rgb
}

/// Edges of the zones and lines of this build's rules.
fn outlines(scenario: &Scenario, scene: &Scene) -> Vec<(Point, Point)> {
    use analysis::rules::RuleArea;
    // An unknown rule is about a zone all the same: a kind that every build knows stands for it.
    let stand_ins: Vec<_> = scenario.rules.iter().cloned().map(streetsim::suite::Rule::place_only).collect();
    let (rules, _) = known(scene, &stand_ins);
    let edges = |place: RuleArea| match place {
        RuleArea::Zone(zone) => zone.polygon.edges().collect(),
        RuleArea::Tripwire(wire) => vec![(wire.from, wire.to)],
        _ => Vec::new(),
    };
    rules.into_iter().flat_map(|rule| edges(rule.place)).collect()
}

fn line(rgb: &mut [u8], (w, h): (usize, usize), a: Point, b: Point, colour: [u8; 3]) {
    let steps = ((b.x - a.x) * w as f32).abs().max(((b.y - a.y) * h as f32).abs()).ceil().max(1.0);
    for step in 0..=steps as usize {
        let part = step as f32 / steps;
        let (x, y) = (a.x + (b.x - a.x) * part, a.y + (b.y - a.y) * part);
        let (x, y) = (((x * w as f32) as usize).min(w - 1), ((y * h as f32) as usize).min(h - 1));
        rgb[(y * w + x) * 3..][..3].copy_from_slice(&colour);
    }
}
