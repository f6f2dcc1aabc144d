//! Networks as exporters write them, made here node by node: at other sizes than their own, and those that cannot run.

mod builder;

use std::path::{Path, PathBuf};

use tract_onnx::pb::ModelProto;
use tract_onnx::pb::tensor_proto::{DataLocation, DataType};
use tract_onnx::pb::{StringStringEntryProto, tensor_proto};

use super::*;
use crate::manifest::Source;
use builder::{Kind, Net, Side};

/// A manifest of the network for an input of this size, changed.
fn source(width: usize, height: usize, change: (&str, &str)) -> Source {
    let text = format!(
        "name = \"net\"\nfile = \"net.onnx\"\nsha256 = \"{}\"\nlicence = \"none\"\norigin = \"a test\"\n\
         labels = [\"red\", \"blue\"]\n[input]\nwidth = {width}\nheight = {height}\ncolour = \"bgr\"\n\
         resize = {{ kind = \"stretch\" }}\n[head]\nkind = \"yolox\"\nstrides = [8, 16]\n[classes]\nred = \"car\"\n",
        "0".repeat(64)
    );
    assert!(text.contains(change.0), "{}", change.0);
    let manifest = Manifest::parse("net.toml", &text.replacen(change.0, change.1, 1)).unwrap();
    Source { manifest, place: "net.toml".to_owned(), weights: PathBuf::from("net.onnx") }
}

const SAME: (&str, &str) = ("", "");
const ANY_SIZE: (&str, &str) = ("[input]\n", "[input]\nany_size = true\n");

fn load(source: Source, proto: &ModelProto) -> Result<Arc<Model>, DetectError> {
    Model::from_proto(source, proto, Kernels::Own)
}

fn values(model: &Model, size: InputSize) -> Vec<f32> {
    let input: Vec<f32> = (0..3 * size.width * size.height).map(|at| (at * 7919 % 251) as f32).collect();
    model.outputs(model.prepared(size, &input).unwrap()).unwrap().values().concat()
}

/// Checks that a network exported for one size and run at another computes the same as one exported for that size.
fn runs_at_other_sizes(kind: Kind) {
    for (from, to) in
        [([64, 64], [96, 64]), ([64, 64], [32, 64]), ([96, 64], [64, 32]), ([64, 32], [128, 96])]
    {
        let (side, other) = (Side { width: from[0], height: from[1] }, Side { width: to[0], height: to[1] });
        let resized = load(source(to[0], to[1], ANY_SIZE), &Net::yolox(kind, side)).unwrap();
        let exported = load(source(to[0], to[1], SAME), &Net::yolox(kind, other)).unwrap();
        let size = InputSize { width: to[0], height: to[1] };
        let (found, expected) = (values(&resized, size), values(&exported, size));
        assert_eq!(found.len(), expected.len(), "{kind:?} from {from:?} to {to:?}");
        for (found, expected) in found.iter().zip(&expected) {
            assert!(
                (found - expected).abs() < 1e-5,
                "{kind:?} from {from:?} to {to:?}: {found} for {expected}"
            );
        }
        let spread = expected.iter().fold(f32::MIN, |a, b| a.max(*b))
            - expected.iter().fold(f32::MAX, |a, b| a.min(*b));
        assert!(spread > 0.1, "{kind:?}: the network computes something");
    }
}

#[test]
fn a_network_that_states_no_sizes_runs_at_any() {
    runs_at_other_sizes(Kind::Free);
}

#[test]
fn flattened_maps_are_resized() {
    runs_at_other_sizes(Kind::Flat);
}

#[test]
fn channel_shuffles_are_resized() {
    runs_at_other_sizes(Kind::Shuffle);
    runs_at_other_sizes(Kind::ShuffleFlat);
}

#[test]
fn upsampling_to_a_stated_size_is_resized() {
    runs_at_other_sizes(Kind::ResizeTo);
}

#[test]
fn slices_and_splits_of_joined_levels_are_resized() {
    runs_at_other_sizes(Kind::SplitLevels);
    runs_at_other_sizes(Kind::SliceLevels);
}

#[test]
fn a_focus_whose_slices_state_their_end_is_resized() {
    runs_at_other_sizes(Kind::Focus);
}

#[test]
fn smaller_sizes_need_no_key_of_their_own() {
    let smaller = ("width = 64\n", "width = 64\nsmaller = [[32, 32], [32, 16]]\n");
    let model =
        load(source(64, 64, smaller), &Net::yolox(Kind::Shuffle, Side { width: 64, height: 64 })).unwrap();
    assert_eq!(model.input_sizes().len(), 3);
    let size = InputSize { width: 32, height: 16 };
    let alone =
        load(source(32, 16, SAME), &Net::yolox(Kind::Shuffle, Side { width: 32, height: 16 })).unwrap();
    assert_eq!(values(&model, size), values(&alone, size));
}

fn refused(source: Source, proto: &ModelProto) -> String {
    let message = load(source, proto).unwrap_err().to_string();
    assert!(!message.contains("panic"), "{message}");
    message
}

fn has(message: &str, words: &[&str]) {
    for word in words {
        assert!(message.contains(word), "{word:?} is not in: {message}");
    }
}

#[test]
fn another_size_is_asked_for_in_words() {
    let net = Net::yolox(Kind::Flat, Side { width: 64, height: 64 });
    let message = refused(source(96, 64, SAME), &net);
    has(
        &message,
        &[
            "1x3x64x64",
            "1x3x64x96",
            "set `input.width = 64`",
            "`input.any_size = true` to have it run at 96x64",
        ],
    );
    assert!(load(source(96, 64, ANY_SIZE), &net).is_ok());
    let at = source(64, 64, SAME).at(InputSize { width: 96, height: 64 }).unwrap();
    assert_eq!(load(at, &net).unwrap().input_sizes(), [InputSize { width: 96, height: 64 }]);
    let uneven = source(64, 64, SAME).at(InputSize { width: 100, height: 64 }).unwrap();
    has(
        &refused(uneven, &net),
        &["does not run at 100x64", "multiples of the head's largest stride, 16, such as 96x64"],
    );
    let message = source(64, 64, SAME).at(InputSize { width: 5000, height: 64 }).unwrap_err().to_string();
    has(&message, &["5000x64", "from 8 to 4096"]);
}

#[test]
fn numbers_that_belong_to_one_size_are_named() {
    for (kind, words) in [
        (Kind::Grid, &["net.toml: input.width", "does not run at 96x64"][..]),
        (Kind::Crop, &["does not run at 96x64", "crop"]),
        (Kind::CropAttribute, &["does not run at 96x64", "crop"]),
    ] {
        let net = Net::yolox(kind, Side { width: 64, height: 64 });
        has(&refused(source(96, 64, ANY_SIZE), &net), words);
        let smaller = ("width = 64\n", "width = 64\nsmaller = [[32, 32]]\n");
        has(
            &refused(source(64, 64, smaller), &net),
            &["net.toml: input.smaller", "32x32", "leave the size out"],
        );
    }
}

#[test]
fn dynamic_shapes_take_the_size_of_the_manifest() {
    for (batch, rows) in [(None, None), (Some("batch"), Some("height")), (None, Some("rows"))] {
        let mut net = Net::yolox(Kind::Free, Side { width: 64, height: 64 });
        builder::set_dims(&mut net, [batch, Some("3"), rows, rows.map(|_| "columns")]);
        let model = load(source(96, 64, SAME), &net).unwrap();
        assert_eq!(model.input_sizes(), [InputSize { width: 96, height: 64 }]);
    }
}

#[test]
fn batches_and_layouts_that_do_not_fit_are_named() {
    let net = |dims: [&str; 4]| {
        let mut net = Net::yolox(Kind::Free, Side { width: 64, height: 64 });
        builder::set_dims(&mut net, dims.map(Some));
        net
    };
    has(
        &refused(source(64, 64, SAME), &net(["2", "3", "64", "64"])),
        &["2x3x64x64", "its batch is 2", "a batch of 1"],
    );
    has(&refused(source(64, 64, SAME), &net(["8", "3", "64", "64"])), &["its batch is 8"]);
    has(&refused(source(64, 64, SAME), &net(["4", "3", "32", "32"])), &["its batch is 4"]);
    has(&refused(source(64, 64, SAME), &net(["1", "64", "64", "3"])), &["NHWC", "NCHW"]);
    has(&refused(source(64, 64, SAME), &net(["1", "1", "64", "64"])), &["3 channels"]);
}

#[test]
fn numbers_of_other_kinds_are_named() {
    let side = Side { width: 64, height: 64 };
    for (kind, word) in
        [(DataType::Float16, "f16"), (DataType::Double, "f64"), (DataType::Uint8, "8-bit integers")]
    {
        let mut net = Net::yolox(Kind::Free, side);
        builder::set_type(&mut net, kind);
        has(&refused(source(64, 64, SAME), &net), &["net.onnx", word, "f32"]);
    }
    has(&refused(source(64, 64, SAME), &Net::yolox(Kind::HalfInside, side)), &["computes in f16", "float()"]);
    has(
        &refused(source(64, 64, SAME), &Net::yolox(Kind::Integers, side)),
        &["int8", "bring the f32 network"],
    );
    // Stored as f16, computed in f32.
    assert!(load(source(64, 64, SAME), &Net::yolox(Kind::HalfWeights, side)).is_ok());
}

#[test]
fn decoded_boxes_are_read_as_the_manifest_says_or_named() {
    let side = Side { width: 128, height: 128 };
    let pixels = ("kind = \"yolox\"\n", "kind = \"yolox\"\nboxes = \"pixels\"\n");
    let decoded = Net::yolox(Kind::Decoded, side);
    has(
        &refused(source(128, 128, SAME), &decoded),
        &["decoded already, to pixels", "add `boxes = \"pixels\"`"],
    );
    let (read, raw) = (
        load(source(128, 128, pixels), &decoded).unwrap(),
        load(source(128, 128, SAME), &Net::yolox(Kind::Free, side)).unwrap(),
    );
    let picture = Picture::from_rgb(64, 64, &[120; 64 * 64 * 3]).unwrap();
    let whole = Rect::new(0.0, 0.0, 1.0, 1.0);
    let [read, raw] = [read, raw].map(|model| model.detect(&picture, whole, 0.01).unwrap());
    assert!(!raw.is_empty() && raw.len() == read.len(), "{} and {}", raw.len(), read.len());
    assert!(
        raw.iter()
            .all(|raw| read.iter().any(|read| read.rect.iou(&raw.rect) > 0.99 && read.class == raw.class))
    );
    has(&refused(source(128, 128, pixels), &Net::yolox(Kind::Free, side)), &["raw, in cells", "leave out"]);
    for (kind, words) in [
        (Kind::DecodedParts, "0 to 1"),
        (Kind::DecodedCorners, "decoded already"),
        (Kind::Logits, "sigmoids"),
    ] {
        has(&refused(source(128, 128, SAME), &Net::yolox(kind, side)), &["net.onnx", words]);
    }
}

#[test]
fn graphs_that_compute_nothing_are_named() {
    let side = Side { width: 64, height: 64 };
    let changed = |change: &dyn Fn(&mut ModelProto)| {
        let mut net = Net::yolox(Kind::Free, side);
        change(&mut net);
        refused(source(64, 64, SAME), &net)
    };
    has(&changed(&|net| net.graph.as_mut().unwrap().node.clear()), &["no operator", "export it again"]);
    has(&changed(&|net| net.graph.as_mut().unwrap().output.clear()), &["no output", "export it again"]);
    let zeroed = changed(&|net| {
        for tensor in &mut net.graph.as_mut().unwrap().initializer {
            tensor.float_data.fill(0.0);
        }
    });
    has(&zeroed, &["the same for two different pictures", "copy the network"]);
}

#[test]
fn networks_that_are_too_large_are_named_before_they_are_worked_out() {
    let side = Side { width: 64, height: 64 };
    let mut long = Net::yolox(Kind::Free, side);
    let nodes = &mut long.graph.as_mut().unwrap().node;
    *nodes = nodes.iter().cycle().take(5000).cloned().collect();
    has(&refused(source(64, 64, SAME), &long), &["it has 5000 operators", "smaller"]);

    let mut wide = TypedModel::default();
    wide.add_source("huge", f32::fact([1, 3, 100_000, 100_000])).unwrap();
    let error = super::load::check_sizes(&source(64, 64, SAME), &wide).unwrap_err().to_string();
    has(&error, &["100000", "at huge", "memory"]);
}

#[test]
fn damaged_files_are_told_from_short_ones() {
    let folder = tempfile::tempdir().unwrap();
    let weights = folder.path().join("net.onnx");
    let built_in = Manifest::resolve(Path::new(crate::manifest::BUILT_IN)).unwrap();
    let whole = built_in.read().unwrap().into_owned();
    let mut zeroed = whole.clone();
    let middle = whole.len() / 2;
    zeroed[middle..middle + 4096].fill(0);
    let message = |bytes: &[u8]| {
        std::fs::write(&weights, bytes).unwrap();
        let source = Source { weights: weights.clone(), ..built_in.clone() };
        Model::from_source(source, Kernels::Own).unwrap_err().to_string()
    };
    has(&message(b""), &["an empty one", "copy it again"]);
    has(&message(&whole[..middle]), &["cut short at", "copy it again"]);
    let message = message(&zeroed);
    assert!(!message.contains("cut short") && message.contains("copy"), "{message}");
}

/// Moves the weights of a network into a file in `folder`, as exporters do; `location` is its name in the network.
fn external(net: &mut ModelProto, folder: &Path, file: &str, location: &str) {
    let mut data = Vec::new();
    for tensor in &mut net.graph.as_mut().unwrap().initializer {
        if tensor.data_type != DataType::Float as i32 {
            continue;
        }
        let raw: Vec<u8> = tensor.float_data.drain(..).flat_map(f32::to_le_bytes).collect();
        let entry = |key: &str, value: String| StringStringEntryProto { key: key.to_owned(), value };
        tensor.external_data = vec![
            entry("location", location.to_owned()),
            entry("offset", data.len().to_string()),
            entry("length", raw.len().to_string()),
        ];
        tensor.data_location = Some(tensor_proto::DataLocation::External as i32);
        data.extend(raw);
    }
    std::fs::create_dir_all(folder.join(file).parent().unwrap()).unwrap();
    std::fs::write(folder.join(file), data).unwrap();
}

#[test]
fn weights_in_a_second_file_are_read_beside_the_network_only() {
    let folder = tempfile::tempdir().unwrap();
    let side = Side { width: 64, height: 64 };
    let at = |folder: &Path| {
        let here = source(64, 64, SAME);
        Source { weights: folder.join("net.onnx"), ..here }
    };
    let inside = folder.path().join("inside");
    let whole = load(source(64, 64, SAME), &Net::yolox(Kind::Free, side)).unwrap();
    let size = whole.input_sizes()[0];
    for location in ["net.onnx.data", "./net.data", "weights/net.data"] {
        let mut net = Net::yolox(Kind::Free, side);
        external(&mut net, &inside, location, location);
        let model = load(at(&inside), &net).unwrap();
        assert_eq!(values(&model, size), values(&whole, size), "{location}");
    }
    // The manifest may have the sha256 of that file too.
    let mut net = Net::yolox(Kind::Free, side);
    external(&mut net, &inside, "good.data", "./good.data");
    let mut data = std::fs::read(inside.join("good.data")).unwrap();
    let of_manifest = |sha256: String| {
        let mut source = at(&inside);
        source.manifest.external.insert("good.data".into(), sha256);
        source
    };
    let good = crate::manifest::sha256(&data);
    assert!(load(of_manifest(good.clone()), &net).is_ok());
    let middle = data.len() / 2;
    data[middle..middle + 8].fill(0);
    std::fs::write(inside.join("good.data"), data).unwrap();
    has(&refused(of_manifest(good.clone()), &net), &["good.data", "net.toml, external wants", &good]);

    let mut net = Net::yolox(Kind::Free, side);
    external(&mut net, &inside, "gone.data", "gone.data");
    assert_eq!(net.graph.as_ref().unwrap().initializer[0].data_location, Some(DataLocation::External as i32));
    let data = std::fs::read(inside.join("gone.data")).unwrap();
    std::fs::write(inside.join("gone.data"), &data[..data.len() - 1]).unwrap();
    has(
        &refused(at(&inside), &net),
        &["gone.data", "cut short, or of another export", "copy gone.data and this file again"],
    );
    std::fs::remove_file(inside.join("gone.data")).unwrap();
    has(
        &refused(at(&inside), &net),
        &["external data", "gone.data", "copy gone.data beside this file", "onnx.save"],
    );
    for location in ["../outside.data", "/etc/hostname", ""] {
        let mut net = Net::yolox(Kind::Free, side);
        external(&mut net, folder.path(), "outside.data", location);
        has(&refused(at(&inside), &net), &["not in its folder"]);
    }
    std::os::unix::fs::symlink("../outside.data", inside.join("link.data")).unwrap();
    let mut net = Net::yolox(Kind::Free, side);
    external(&mut net, folder.path(), "outside.data", "link.data");
    has(&refused(at(&inside), &net), &["a link out of its folder"]);
}
