//! Scenarios of `detect`: networks against the Python reference, and the errors for bad ones.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use base::detection::Label;
use base::detector::InputSize;
use base::fault::ErrorKind;
use base::geometry::Rect;
use base::ids::Epoch;
use base::picture::{Frame, Picture};
use base::time::{ClockState, Monotonic, Pts, Stamp, WallTime};
use detector::{DetectError, Model, catalogue, eval};
use serde::Deserialize;
use wardwatch::infer::{DetectorChoice, Factory, Settings};

use crate::support;

const WHOLE: Rect = Rect::new(0.0, 0.0, 1.0, 1.0);

fn goldens() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/goldens/detect")
}

/// Detections of tests/reference/detect.py on one picture, best first, down to a score of 0.3.
#[derive(Deserialize)]
struct Golden {
    picture: String,
    detections: Vec<Found>,
}

#[derive(Debug, Clone, Deserialize)]
struct Found {
    label: String,
    score: f32,
    #[serde(rename = "box")]
    rect: Rect,
}

/// Returns true if the two agree on a detection: one label, IoU >= 0.95 and scores within 0.03.
fn agree(a: &Found, b: &Found) -> bool {
    a.label == b.label && a.rect.iou(&b.rect) >= 0.95 && (a.score - b.score).abs() <= 0.03
}

/// Returns true if the two mean the same subject: one label, IoU >= 0.8 and scores within 0.1.
fn resemble(a: &Found, b: &Found) -> bool {
    a.label == b.label && a.rect.iou(&b.rect) >= 0.8 && (a.score - b.score).abs() <= 0.1
}

/// Compares a network with the reference on ten pictures, in both directions.
///
/// Both see 4:2:0, rounded to whole codes at different places. That can move a bounding box of a few pixels, and decide
/// which of two anchors with equal scores wins. So of the detections with a score of at least 0.4 `percent_min` must
/// agree, and every one with at least 0.7 must at least resemble one of the other side.
fn hold_against_goldens(name: &str, percent_min: usize) {
    let Some(shared) = support::shared("models") else { return };
    let Some(pictures) = support::shared("datasets/coco_val128/images") else { return };
    let known = catalogue().into_iter().find(|(_, manifest)| manifest.name == name);
    let model = Model::load(&shared.join(known.unwrap().1.file)).unwrap();
    let text = std::fs::read_to_string(goldens().join(format!("{name}.json"))).unwrap();
    let goldens: Vec<Golden> = serde_json::from_str(&text).unwrap();
    assert_eq!(goldens.len(), 10);
    let (mut compared, mut agreed) = (0, 0);
    for golden in goldens {
        let found = found_by(&model, &pictures.join(&golden.picture));
        for (ours, theirs) in [(&found, &golden.detections), (&golden.detections, &found)] {
            for one in ours.iter().filter(|one| one.score >= 0.4) {
                compared += 1;
                agreed += usize::from(theirs.iter().any(|other| agree(one, other)));
                let resembled = one.score < 0.7 || theirs.iter().any(|other| resemble(one, other));
                assert!(resembled, "{name}, {}: {one:?} is not in {theirs:?}", golden.picture);
            }
        }
    }
    assert!(compared > 40, "{name}: {compared}");
    assert!(agreed * 100 >= compared * percent_min, "{name}: {agreed} of {compared} agree");
}

fn found_by(model: &Model, picture: &Path) -> Vec<Found> {
    let labels = &model.manifest().labels;
    let found = model.detect(&eval::picture(picture).unwrap(), WHOLE, 0.3).unwrap();
    found
        .iter()
        .map(|raw| Found { label: labels[raw.class as usize].clone(), score: raw.score, rect: raw.rect })
        .collect()
}

macro_rules! against_goldens {
    ($($name:ident $percent_min:literal,)*) => { $(
        #[test]
        fn $name() {
            hold_against_goldens(stringify!($name), $percent_min);
        }
    )* };
}

against_goldens! {
    yolox_nano_416 97,
    yolox_nano_384x640 99,
    picodet_xs_416 97,
    picodet_s_384x640 96,
    nanodet_plus_m_416 99,
    // Its bounding boxes hang on single pixels of its one coarse feature map.
    fastestdet_352 86,
    fastestdet_352_original 86,
}

/// A file of `models`, run at `size`.
fn at(models: &Path, file: &str, [width, height]: [usize; 2]) -> Arc<Model> {
    Model::load_at(&models.join(file), Some(InputSize { width, height })).unwrap()
}

#[test]
fn one_file_serves_other_sizes_as_a_file_of_that_size_does() {
    let Some(models) = support::shared("models") else { return };
    let resized = at(&models, "yolox_nano_416.onnx", [640, 384]);
    let exported = Model::load(&models.join("yolox_nano_384x640.onnx")).unwrap();
    let size = exported.input_sizes()[0];
    assert_eq!(resized.input_sizes(), [size]);
    let input: Vec<f32> = (0..3 * size.width * size.height).map(|at| (at * 7919 % 256) as f32).collect();
    let outputs = |model: &Model| model.outputs(model.prepared(size, &input).unwrap()).unwrap().values();
    let (found, expected) = (outputs(&resized), outputs(&exported));
    assert_eq!((found.len(), found[0].len()), (1, 5040 * 85));
    for (found, expected) in found[0].iter().zip(&expected[0]) {
        assert!((found - expected).abs() <= 1e-4 * (1.0 + expected.abs()), "{found} for {expected}");
    }
}

/// At another size a network finds most of the detections that it is sure of at its own, and at the same places.
#[test]
fn resized_networks_find_the_same_subjects() {
    let Some(models) = support::shared("models") else { return };
    let Some(pictures) = support::shared("datasets/coco_val128/images") else { return };
    for (name, file, size) in [
        ("picodet_s_384x640", "picodet_s_384x640.onnx", [448, 448]),
        ("nanodet_plus_m_416", "nanodet_plus_m_416.onnx", [448, 384]),
        ("picodet_xs_416", "picodet_xs_416_clean.onnx", [448, 384]),
        ("fastestdet_352", "fastestdet_nosm_352.onnx", [384, 352]),
    ] {
        let model = at(&models, file, size);
        let text = std::fs::read_to_string(goldens().join(format!("{name}.json"))).unwrap();
        let goldens: Vec<Golden> = serde_json::from_str(&text).unwrap();
        let (mut sure, mut seen) = (0, 0);
        for golden in &goldens {
            let found = found_by(&model, &pictures.join(&golden.picture));
            for one in golden.detections.iter().filter(|one| one.score >= 0.6) {
                sure += 1;
                seen +=
                    usize::from(found.iter().any(|f| f.label == one.label && f.rect.iou(&one.rect) >= 0.6));
            }
        }
        assert!(sure > 10 && seen * 100 >= sure * 85, "{name} at {size:?}: {seen} of {sure}");
    }
}

#[test]
fn precision_is_as_the_reference_has_it() {
    let (Some(models), Some(folder)) = (support::shared("models"), support::shared("datasets/coco_val128"))
    else {
        return;
    };
    let model = Model::load(&models.join("fastestdet_nosm_352.onnx")).unwrap();
    let options = eval::Options { threads: 2, ..eval::Options::default() };
    let report = eval::run(&model, &folder, &options, &|_| ()).unwrap();
    assert_eq!(report.pictures, 128);
    assert!((report.map_50_95 - 0.212).abs() < 0.01, "{}", report.map_50_95);
    assert!((report.map_50 - 0.363).abs() < 0.01, "{}", report.map_50);
}

/// A street of 64x64 pixels, black but for a red and a blue square of 16.
fn squares() -> Picture {
    let mut rgb = vec![0u8; 64 * 64 * 3];
    for (at, pixel) in rgb.chunks_exact_mut(3).enumerate() {
        match (at % 64 / 16, at / 64 / 16) {
            (1, 0) => pixel.copy_from_slice(&[255, 180, 180]),
            (2, 3) => pixel.copy_from_slice(&[180, 180, 255]),
            _ => (),
        }
    }
    Picture::from_rgb(64, 64, &rgb).unwrap()
}

fn frame(picture: Picture) -> Frame {
    let at = Stamp {
        wall: WallTime::from_micros(0),
        monotonic: Monotonic::from_nanos(1),
        clock: ClockState::Synced,
    };
    Frame { camera: "c1".parse().unwrap(), epoch: Epoch(1), pts: Pts(0), at, picture }
}

#[test]
fn a_network_sees_in_the_words_of_the_box_from_many_threads() {
    let settings = Settings {
        detector: DetectorChoice::Network(goldens().join("tiny_yolox.toml")),
        score_min: Some(0.3),
        workers: 2,
        ..Settings::new(DetectorChoice::Motion)
    };
    let factory = Factory::new(&settings).unwrap();
    assert_eq!(factory.model().name, "tiny_yolox");
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                let mut detector = factory.for_camera(&[]);
                let found = detector.detect(&frame(squares())).unwrap();
                let mut places: Vec<_> = found.iter().map(|d| (d.label, d.rect)).collect();
                places.sort_by_key(|place| place.0);
                let expected = [
                    (Label::Person, Rect::new(0.5, 0.75, 0.25, 0.25)),
                    (Label::Car, Rect::new(0.25, 0.0, 0.25, 0.25)),
                ];
                assert_eq!(places, expected);
            });
        }
    });
    let unsure = Settings { score_min: Some(1.0), ..settings };
    let found = Factory::new(&unsure).unwrap().for_camera(&[]).detect(&frame(squares())).unwrap();
    assert_eq!(found, [], "score_min holds");
}

#[test]
fn a_part_of_the_picture_is_found_where_it_lies_on_the_whole() {
    let model = Model::load(&goldens().join("tiny_yolox.toml")).unwrap();
    let found = model.detect(&squares(), Rect::new(0.5, 0.5, 0.5, 0.5), 0.3).unwrap();
    assert!(!found.is_empty());
    let blue = Rect::new(0.5, 0.75, 0.25, 0.25);
    assert!(found.iter().all(|raw| raw.class == 1 && raw.rect.intersection(&blue) > 0.99 * raw.rect.area()));
}

/// Loads the tiny network after `change` to its manifest and `cut` to its file.
fn load_changed(change: (&str, &str), cut: impl Fn(Vec<u8>) -> Vec<u8>) -> Result<Arc<Model>, DetectError> {
    let folder = tempfile::tempdir().unwrap();
    let text = std::fs::read_to_string(goldens().join("tiny_yolox.toml")).unwrap();
    assert!(text.contains(change.0), "{}", change.0);
    std::fs::write(folder.path().join("tiny.toml"), text.replace(change.0, change.1)).unwrap();
    let network = cut(std::fs::read(goldens().join("tiny_yolox.onnx")).unwrap());
    std::fs::write(folder.path().join("tiny_yolox.onnx"), network).unwrap();
    Model::load(&folder.path().join("tiny.toml"))
}

fn refused(change: (&str, &str), cut: impl Fn(Vec<u8>) -> Vec<u8>, words: &[&str]) -> ErrorKind {
    let error = load_changed(change, cut).unwrap_err();
    let message = error.to_string();
    for word in words {
        assert!(message.contains(word), "{word:?} is not in: {message}");
    }
    error.kind()
}

#[test]
fn a_bad_network_is_refused_with_place_and_remedy() {
    let same = ("", "");
    let kind = refused(
        same,
        |bytes: Vec<u8>| bytes[..bytes.len() / 2].to_vec(),
        &["tiny_yolox.onnx", "cut short at", "copy it again"],
    );
    assert_eq!(kind, ErrorKind::Corrupt);
    refused(
        same,
        |_| b"<html>404 not found</html>".to_vec(),
        &["tiny_yolox.onnx", "no ONNX file", "correct the path"],
    );
    refused(same, |_| Vec::new(), &["tiny_yolox.onnx", "no ONNX file"]);
    let pointer = |_| b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n".to_vec();
    refused(same, pointer, &["tiny_yolox.onnx", "no ONNX file", "pointer of Git LFS", "git lfs pull"]);
    refused(
        same,
        |_| b"PK\x03\x04archive/data.pkl".to_vec(),
        &["tiny_yolox.onnx", "no ONNX file", "torch.onnx.export"],
    );
    let another = |mut bytes: Vec<u8>| {
        let at = bytes.windows(4).position(|name| name == b"tiny").unwrap();
        bytes[at] = b'T';
        bytes
    };
    let words = ["tiny_yolox.onnx", "its sha256 is", "tiny.toml wants", "copy the right file"];
    assert_eq!(refused(same, another, &words), ErrorKind::Corrupt);
    refused(("tiny_yolox.onnx", "none.onnx"), |b| b, &["none.onnx: cannot be read", "check the path"]);
}

#[test]
fn a_manifest_that_does_not_fit_is_refused_with_key_and_remedy() {
    let whole = |bytes: Vec<u8>| bytes;
    refused(("nms_iou", "nms"), whole, &["tiny.toml, line 6", "unknown field `nms`", "models/README.md"]);
    let labels = ("[\"red\", \"blue\"]", "[\"red\", \"blue\", \"green\"]");
    refused(labels, whole, &["tiny.toml: labels", "tells 2 labels apart", "lists 3", "in their order"]);
    let words = ["tiny.toml: input.width", "1x3x32x32", "1x3x32x64", "set `input.width = 32`"];
    refused(("width = 32", "width = 64"), whole, &words);
    refused(("\"in\"", "\"images\""), whole, &["tiny.toml: input.name", "\"in\"", "correct `input.name`"]);
    let words = ["tiny.toml: head", "1x16x7", "fastestdet head", "correct `head.kind`"];
    refused(("\"yolox\"\nstrides = [8]", "\"fastestdet\""), whole, &words);
    assert!(load_changed(("", ""), whole).is_ok(), "unchanged it loads");
}

/// With the right sha256, so that the bytes reach tract: every outcome is a value, never a panic.
#[test]
fn damaged_networks_are_errors_never_panics() {
    use sha2::{Digest, Sha256};
    let original = std::fs::read(goldens().join("tiny_yolox.onnx")).unwrap();
    let text = std::fs::read_to_string(goldens().join("tiny_yolox.toml")).unwrap();
    let manifest_sha = text.lines().find(|line| line.starts_with("sha256")).unwrap().to_owned();
    let mut refused = 0;
    for at in (0..original.len()).filter(|at| *at < 200 || at % 97 == 0 || *at > original.len() - 200) {
        let mut damaged = original.clone();
        damaged[at] ^= 0x15;
        let sha: String = Sha256::digest(&damaged).iter().map(|byte| format!("{byte:02x}")).collect();
        let result = load_changed((&manifest_sha, &format!("sha256 = \"{sha}\"")), |_| damaged.clone());
        refused += usize::from(result.and_then(|model| model.detect(&squares(), WHOLE, 0.3)).is_err());
    }
    assert!(refused > 50, "{refused}");
}
