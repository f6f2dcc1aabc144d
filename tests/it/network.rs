//! Scenarios of networks run by the box's own kernels: against tract alone, at every size, from many threads.

use std::path::{Path, PathBuf};
use std::time::Duration;

use base::detector::InputSize;
use base::geometry::Rect;
use base::picture::Picture;
use detector::{Kernels, Manifest, Model, catalogue};

use crate::support;

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/goldens/detect").join(name)
}

/// Returns numbers from 0 to `scale`, the same each time.
fn noise(count: usize, scale: f32) -> Vec<f32> {
    let mut state = 1u32;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as f32 / (1u32 << 24) as f32 * scale
    };
    (0..count).map(|_| next()).collect()
}

fn outputs(model: &Model, size: InputSize, input: &[f32]) -> Vec<Vec<f32>> {
    model.outputs(model.prepared(size, input).unwrap()).unwrap().values()
}

/// Operators of tract that are convolutions, before and after its optimiser.
const OF_TRACT: &[&str] =
    &["Conv", "EinSum", "MatMul", "DepthWise", "LazyIm2col", "Im2col", "DirectSpatialConv"];

/// Asserts that both compute the same at every size, and that no convolution is left to tract.
fn hold_against_tract(path: &Path, scale: f32) {
    let source = Manifest::resolve(path).unwrap();
    let name = source.manifest.name.clone();
    let ours = Model::from_source(source.clone(), Kernels::Own).unwrap();
    let tract = Model::from_source(source, Kernels::Tract).unwrap();
    for size in ours.input_sizes() {
        let input = noise(3 * size.width * size.height, scale);
        // The second run is in memory that was used before.
        outputs(&ours, *size, &noise(input.len(), 7.0 * scale));
        let (found, expected) = (outputs(&ours, *size, &input), outputs(&tract, *size, &input));
        assert_eq!(found.len(), expected.len());
        for (found, expected) in found.iter().flatten().zip(expected.iter().flatten()) {
            // PicoDet-XS ends in a square root, which makes much of little.
            let bound = 2e-3 * (1.0 + expected.abs());
            assert!((found - expected).abs() <= bound, "{name} at {size:?}: {found} for {expected}");
        }
    }
    let picture = Picture::from_rgb(16, 16, &[100; 768]).unwrap();
    let prepared = ours.prepare(&picture, Rect::new(0.0, 0.0, 1.0, 1.0), ours.input_sizes()[0]).unwrap();
    let costs = ours.profile(prepared, &|| Duration::ZERO).unwrap();
    assert!(costs.iter().any(|cost| cost.operator == "convolution"), "{name}: {costs:?}");
    let left = costs.iter().filter(|cost| OF_TRACT.iter().any(|operator| cost.operator.contains(operator)));
    let left: Vec<_> = left.collect();
    assert!(left.is_empty(), "{name}: {left:?}");
}

#[test]
fn a_network_of_all_parts_is_computed_as_tract_does_at_every_size() {
    hold_against_tract(&golden("all_parts.toml"), 1.0);
    hold_against_tract(&golden("tiny_yolox.toml"), 255.0);
}

#[test]
fn known_networks_are_computed_as_tract_does() {
    let Some(shared) = support::shared("models") else { return };
    let files: Vec<_> = catalogue().into_iter().map(|(_, manifest)| shared.join(manifest.file)).collect();
    let there: Vec<_> = files.iter().filter(|file| file.exists()).collect();
    assert!(there.len() > 5, "{there:?}");
    there.into_iter().for_each(|file| hold_against_tract(file, 255.0));
}

#[test]
fn a_small_look_has_a_small_input() {
    let model = Model::load(&golden("all_parts.toml")).unwrap();
    let sizes: Vec<_> = model.input_sizes().iter().map(|size| (size.width, size.height)).collect();
    assert_eq!(
        sizes,
        [(96, 64), (64, 64), (64, 32), (16, 16)],
        "the manifest's first, then its smaller ones"
    );
    let picture =
        Picture::from_rgb(64, 64, &noise(64 * 64 * 3, 255.0).iter().map(|x| *x as u8).collect::<Vec<_>>());
    let (picture, part) = (picture.unwrap(), Rect::new(0.25, 0.5, 0.5, 0.25));
    for size in model.input_sizes() {
        let prepared = model.prepare(&picture, part, *size).unwrap();
        for found in model.infer(prepared, 0.0).unwrap() {
            assert!(found.rect.intersection(&part) > 0.99 * found.rect.area(), "{size:?}: {found:?}");
        }
    }
}

#[test]
fn many_threads_share_a_network() {
    let model = Model::load(&golden("all_parts.toml")).unwrap();
    let inputs: Vec<Vec<f32>> = (1..5u8).map(|scale| noise(3 * 96 * 64, f32::from(scale))).collect();
    let size = InputSize { width: 96, height: 64 };
    let expected: Vec<_> = inputs.iter().map(|input| outputs(&model, size, input)).collect();
    std::thread::scope(|scope| {
        for (input, expected) in inputs.iter().zip(&expected) {
            let model = &model;
            scope.spawn(move || {
                for _ in 0..20 {
                    assert!(outputs(model, size, input) == *expected, "the same as alone");
                }
            });
        }
    });
}

/// The file states 16 cells, for 32x32.
#[test]
fn a_stated_number_of_cells_becomes_that_of_each_size() {
    let folder = tempfile::tempdir().unwrap();
    let text = std::fs::read_to_string(golden("tiny_yolox.toml")).unwrap();
    let changed = text.replace("width = 32", "width = 32\nsmaller = [[24, 16]]");
    let manifest = folder.path().join("tiny.toml");
    std::fs::write(&manifest, changed).unwrap();
    std::fs::copy(golden("tiny_yolox.onnx"), folder.path().join("tiny_yolox.onnx")).unwrap();
    hold_against_tract(&manifest, 255.0);
    let model = Model::load(&manifest).unwrap();
    let size = InputSize { width: 24, height: 16 };
    assert_eq!(outputs(&model, size, &noise(3 * 24 * 16, 255.0))[0].len(), 6 * 7);
}
