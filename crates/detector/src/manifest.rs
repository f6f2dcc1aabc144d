//! A model's manifest: its file, the preparation of its input, its head, and the labels that matter.
//!
//! The manifests of `models/` are compiled in as the catalogue, so that a known network needs no manifest beside it.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use sha2::{Digest, Sha256};

use super::error::DetectError;
use super::heads::Head;
use base::alert::ModelRef;
use base::detection::{Label, SCORE_SURE};
use base::detector::InputSize;
use base::text;

/// The network that is part of the program, by its name: the default of a fresh box.
pub const BUILT_IN: &str = "street-nano";
const BUILT_IN_BYTES: &[u8] = include_bytes!("../../../models/street-nano.onnx");

/// The least score of a network whose manifest says nothing.
pub const SCORE_MIN: f32 = 0.25;

const CATALOGUE: &[(&str, &str)] = &[
    ("models/street-nano.toml", include_str!("../../../models/street-nano.toml")),
    ("models/yolox_nano_416.toml", include_str!("../../../models/yolox_nano_416.toml")),
    ("models/yolox_nano_384x640.toml", include_str!("../../../models/yolox_nano_384x640.toml")),
    ("models/picodet_s_320.toml", include_str!("../../../models/picodet_s_320.toml")),
    ("models/picodet_xs_416.toml", include_str!("../../../models/picodet_xs_416.toml")),
    ("models/picodet_s_384x640.toml", include_str!("../../../models/picodet_s_384x640.toml")),
    ("models/nanodet_plus_m_416.toml", include_str!("../../../models/nanodet_plus_m_416.toml")),
    (
        "models/nanodet_plus_m_416_original.toml",
        include_str!("../../../models/nanodet_plus_m_416_original.toml"),
    ),
    ("models/fastestdet_352.toml", include_str!("../../../models/fastestdet_352.toml")),
    ("models/fastestdet_352_original.toml", include_str!("../../../models/fastestdet_352_original.toml")),
];

/// Description of a network.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Name in alerts.
    pub name: String,
    /// The network's file, relative to the manifest.
    pub file: PathBuf,
    /// The file's sha256, 64 hexadecimal digits.
    pub sha256: String,
    /// Files with weights beside the network's (external data), relative to it, and the sha256 of each.
    #[serde(default)]
    pub external: BTreeMap<PathBuf, String>,
    /// Licence of the weights (SPDX).
    pub licence: String,
    /// Origin of the weights, for people.
    pub origin: String,
    /// Preparation of the input tensor.
    pub input: Input,
    /// Head that reads the output.
    pub head: Head,
    /// The network's own labels, in the order of its classes.
    pub labels: Vec<String>,
    /// The product's label for each of them; labels that are not named are dropped.
    pub classes: BTreeMap<String, Label>,
    /// Overlap (IoU) of two boxes of one label above which only the surer stays.
    #[serde(default = "nms_iou")]
    pub nms_iou: f32,
    /// Score from which a bounding box of this network is sure: it becomes [`SCORE_SURE`]. The score of a clear subject depends
    /// on the network's training.
    #[serde(default = "score_sure")]
    pub score_sure: f32,
    /// Detections below this score are dropped, where the configuration says nothing; after [`Manifest::score_power`].
    #[serde(default = "score_min")]
    pub score_min: f32,
    /// Representation of riders.
    #[serde(default)]
    pub riders: Riders,
    /// Average precision of persons at IoU 0.5 on street pictures of other cameras, in percent, where it was measured. `doctor`
    /// recommends by it.
    pub persons: Option<f32>,
    /// Public origin of its file; only for networks of the catalogue.
    pub download: Option<Download>,
    /// Its multiplications at its own size, in millions; only for networks of the catalogue, which is asked before
    /// the file is there.
    pub work: Option<Work>,
}

/// Public origin of a known network's file.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Download {
    /// Its name for `wardwatch model get`.
    pub name: String,
    /// The public address of the file.
    pub origin_url: String,
    /// The file's length, where it is known before.
    pub bytes: Option<u64>,
    /// The size at which it is best run on a box: columns and rows.
    pub size: [usize; 2],
}

/// Multiplications of one inference, in millions.
#[derive(Debug, Clone, Copy, PartialEq, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Work {
    /// Multiplications of convolutions over all channels.
    pub dense: f64,
    /// Multiplications of convolutions over single channels, each of which takes longer.
    pub depthwise: f64,
}

/// Representation of riders and their machines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Default)]
#[serde(rename_all = "kebab-case")]
pub enum Riders {
    /// A person and a two-wheeler, as in COCO.
    #[default]
    Apart,
    /// The two-wheeler's box goes around both.
    Included,
}

fn nms_iou() -> f32 {
    0.5
}

fn score_sure() -> f32 {
    SCORE_SURE
}

fn score_min() -> f32 {
    SCORE_MIN
}

/// Preparation of a network's input tensor from a picture.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Input {
    /// The input's name in the graph; where it is left out, the only input.
    pub name: Option<String>,
    /// Columns.
    pub width: usize,
    /// Rows.
    pub height: usize,
    /// The network runs at any size: `width` and `height` take precedence over those of its file.
    #[serde(default)]
    pub any_size: bool,
    /// Further sizes, for parts of a picture: columns and rows of each, from large to small.
    #[serde(default)]
    pub smaller: Vec<[usize; 2]>,
    /// Order of the axes.
    #[serde(default)]
    pub layout: Layout,
    /// Order of the channels.
    pub colour: ColourOrder,
    /// Range of the channels before mean and deviation.
    #[serde(default)]
    pub scale: Scale,
    /// Subtracted from each channel, in the order of `colour`, in units of `scale`.
    #[serde(default)]
    pub mean: [f32; 3],
    /// Then each channel is divided by this.
    #[serde(default = "ones")]
    pub std: [f32; 3],
    /// Fitting of a picture of another shape.
    pub resize: Resize,
}

fn ones() -> [f32; 3] {
    [1.0; 3]
}

/// Order of an input's axes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Layout {
    /// Batch, channel, row, column.
    #[default]
    Nchw,
}

/// Order of an input's channels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ColourOrder {
    /// Blue first, as OpenCV has it.
    Bgr,
    /// Red first.
    Rgb,
}

/// Range of an input's channels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
pub enum Scale {
    /// 0 to 255.
    #[default]
    #[serde(rename = "0-255")]
    Bytes,
    /// 0 to 1.
    #[serde(rename = "0-1")]
    Unit,
}

/// Fitting of a picture into the input.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase", deny_unknown_fields)]
pub enum Resize {
    /// Keeps its shape: at the top left, the rest filled.
    Letterbox {
        /// Value of the rest, on every channel, 0..=255.
        pad: u8,
    },
    /// Fills the input, whatever its shape.
    Stretch {},
}

/// A manifest and the file it stands for.
#[derive(Debug, Clone, PartialEq)]
pub struct Source {
    /// The manifest.
    pub manifest: Manifest,
    /// The manifest's place, for messages.
    pub place: String,
    /// The network's file; of the built-in network its name.
    pub weights: PathBuf,
}

impl Source {
    /// The same network for an input of this size; smaller sizes of the manifest that do not fit into it are left out.
    ///
    /// # Errors
    /// No network has such a size.
    pub fn at(mut self, size: InputSize) -> Result<Self, DetectError> {
        let InputSize { width, height } = size;
        if [width, height].iter().any(|side| !(8..=4096).contains(side)) {
            let problem = format!("{width}x{height}: both must be from 8 to 4096");
            return Err(DetectError::Value { manifest: self.place, key: "input size".to_owned(), problem });
        }
        let input = &mut self.manifest.input;
        (input.width, input.height, input.any_size) = (width, height, true);
        input.smaller.retain(|[w, h]| *w <= width && *h <= height && [*w, *h] != [width, height]);
        Ok(self)
    }

    /// The network's bytes.
    pub(super) fn read(&self) -> Result<Cow<'static, [u8]>, DetectError> {
        if self.weights.as_os_str() == BUILT_IN {
            return Ok(Cow::Borrowed(BUILT_IN_BYTES));
        }
        read(&self.weights).map(Cow::Owned)
    }
}

impl Manifest {
    /// Finds the manifest and the network that `path` means: a manifest (`.toml`), a known network (`.onnx`), or
    /// [`BUILT_IN`].
    pub fn resolve(path: &Path) -> Result<Source, DetectError> {
        if path.as_os_str() == BUILT_IN {
            let (place, manifest) = catalogue().swap_remove(0);
            return Ok(Source { manifest, place: place.to_owned(), weights: path.to_owned() });
        }
        match path.extension().and_then(|extension| extension.to_str()) {
            Some("toml") => {
                let written = text::decode(read(path)?).map_err(|foreign| {
                    let source = std::io::Error::other(format!("{foreign}; {}", text::REMEDY));
                    DetectError::Unreadable { path: path.to_owned(), source }
                })?;
                let place = path.display().to_string();
                let manifest = Self::parse(&place, &written)?;
                let weights = path.parent().unwrap_or(Path::new("")).join(&manifest.file);
                Ok(Source { manifest, place, weights })
            }
            Some("onnx") => {
                let sha256 = sha256(&read(path)?);
                let known = catalogue().into_iter().find(|(_, manifest)| manifest.sha256 == sha256);
                let (place, manifest) =
                    known.ok_or(DetectError::UnknownNetwork { path: path.to_owned(), sha256 })?;
                Ok(Source { manifest, place: place.to_owned(), weights: path.to_owned() })
            }
            _ => Err(DetectError::NoModelPath(path.to_owned())),
        }
    }

    /// Reads a manifest's text; `place` is its place, for messages.
    pub fn parse(place: &str, text: &str) -> Result<Self, DetectError> {
        let manifest: Self = toml::from_str(text).map_err(|error| syntax(place, text, &error))?;
        match manifest.problem() {
            None => Ok(manifest),
            Some((key, problem)) => {
                Err(DetectError::Value { manifest: place.to_owned(), key: key.to_owned(), problem })
            }
        }
    }

    /// This network's name and hash, for alerts.
    pub fn model_ref(&self) -> ModelRef {
        ModelRef { name: self.name.clone(), sha256: Some(self.sha256.clone()) }
    }

    /// The product's label for each class of the network, by index; `None` if the class is dropped.
    pub fn class_labels(&self) -> Vec<Option<Label>> {
        self.labels.iter().map(|label| self.classes.get(label).copied()).collect()
    }

    /// The power to which its scores are taken, so that [`Manifest::score_sure`] becomes [`SCORE_SURE`], 0 stays 0 and 1
    /// stays 1.
    pub fn score_power(&self) -> f32 {
        SCORE_SURE.ln() / self.score_sure.ln()
    }

    fn problem(&self) -> Option<(&str, String)> {
        if !is_sha256(&self.sha256) {
            return Some((
                "sha256",
                "must be 64 lower-case hexadecimal digits, as sha256sum prints them".into(),
            ));
        }
        if let Some((file, _)) = self.external.iter().find(|(_, sha256)| !is_sha256(sha256)) {
            let problem = format!(
                "{}: must be 64 lower-case hexadecimal digits, as sha256sum prints them",
                file.display()
            );
            return Some(("external", problem));
        }
        if !(1..=4096).contains(&self.labels.len()) {
            return Some(("labels", format!("there are {}; list 1 to 4096", self.labels.len())));
        }
        let mut seen = HashSet::new();
        if let Some(twice) = self.labels.iter().find(|label| !seen.insert(label.as_str())) {
            return Some(("labels", format!("\"{twice}\" is listed twice; a label names one class")));
        }
        if let Some(unknown) = self.classes.keys().find(|class| !self.labels.contains(class)) {
            return Some((
                "classes",
                format!("\"{unknown}\" is none of `labels`; use the network's own words"),
            ));
        }
        if self.classes.is_empty() {
            return Some((
                "classes",
                "is empty: nothing would ever be seen; map a label, as person = \"person\"".into(),
            ));
        }
        if !(self.nms_iou > 0.0 && self.nms_iou <= 1.0) {
            return Some(("nms_iou", format!("{} must be above 0 and at most 1", self.nms_iou)));
        }
        if !(0.05..=0.95).contains(&self.score_sure) {
            return Some(("score_sure", format!("{} must be from 0.05 to 0.95", self.score_sure)));
        }
        if !(0.0..=1.0).contains(&self.score_min) {
            return Some(("score_min", format!("{} must be from 0 to 1", self.score_min)));
        }
        self.input.problem().or_else(|| self.head.decoder().problem()).or_else(|| self.smaller_problem())
    }

    fn smaller_problem(&self) -> Option<(&'static str, String)> {
        let stride = self.head.decoder().stride_max();
        let Input { width, height, smaller, .. } = &self.input;
        let mut above = [*width, *height];
        for size in smaller {
            let [width, height] = *size;
            if size.iter().any(|side| *side < 8 || side % stride != 0) {
                let problem =
                    format!("{width}x{height}: both must be multiples of {stride}, the largest stride");
                return Some(("input.smaller", problem));
            }
            if width > above[0] || height > above[1] || *size == above {
                let [above_width, above_height] = above;
                let problem = format!(
                    "{width}x{height} does not fit into {above_width}x{above_height} before it: list sizes from large to \
                     small, each smaller than `width` and `height`"
                );
                return Some(("input.smaller", problem));
            }
            above = *size;
        }
        None
    }
}

impl Input {
    fn problem(&self) -> Option<(&'static str, String)> {
        for (key, side) in [("input.width", self.width), ("input.height", self.height)] {
            if !(8..=4096).contains(&side) {
                return Some((key, format!("{side} must be from 8 to 4096")));
            }
        }
        if self.std.iter().any(|std| !(*std > 0.0 && std.is_finite())) {
            return Some(("input.std", format!("{:?} must be above 0", self.std)));
        }
        (!self.mean.iter().all(|mean| mean.is_finite()))
            .then(|| ("input.mean", format!("{:?} must be numbers", self.mean)))
    }

    #[cfg(test)]
    pub(super) fn for_tests(width: usize, height: usize) -> Self {
        Self {
            name: None,
            width,
            height,
            any_size: false,
            smaller: Vec::new(),
            layout: Layout::Nchw,
            colour: ColourOrder::Rgb,
            scale: Scale::Bytes,
            mean: [0.0; 3],
            std: [1.0; 3],
            resize: Resize::Stretch {},
        }
    }
}

/// The networks that are known by their file alone, with the place of each one's manifest in the source tree.
pub fn catalogue() -> Vec<(&'static str, Manifest)> {
    let parse = |(place, text): &(&'static str, &str)| {
        let manifest = Manifest::parse(place, text).expect("a test reads every shipped manifest");
        (*place, manifest)
    };
    CATALOGUE.iter().map(parse).collect()
}

/// Reads a whole file.
pub(super) fn read(path: &Path) -> Result<Vec<u8>, DetectError> {
    std::fs::read(path).map_err(|source| DetectError::Unreadable { path: path.to_owned(), source })
}

/// Returns true for 64 lower-case hexadecimal digits.
fn is_sha256(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
}

/// SHA-256 in lower-case hexadecimal.
pub(super) fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().fold(String::with_capacity(64), |mut text, byte| {
        // Writing to a string does not fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// The parser's message with the line it is about: it does not always name the key itself.
fn syntax(place: &str, text: &str, error: &toml::de::Error) -> DetectError {
    let at = error.span().map_or(0, |span| span.start.min(text.len()));
    let line = text.as_bytes()[..at].iter().filter(|byte| **byte == b'\n').count();
    let words = text.lines().nth(line).unwrap_or("").trim();
    let words: String = words.chars().take(60).collect();
    DetectError::Syntax {
        place: format!("{place}, line {}", line + 1),
        problem: format!("`{words}`: {}", error.message()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn changed(from: &str, to: &str) -> String {
        let text = CATALOGUE[1].1;
        assert!(text.contains(from), "{from} is not in the manifest");
        let error = Manifest::parse("m.toml", &text.replace(from, to)).unwrap_err();
        assert_eq!(error.kind(), base::fault::ErrorKind::Config);
        error.to_string()
    }

    #[test]
    fn every_shipped_manifest_reads_and_names_itself() {
        for (place, manifest) in catalogue() {
            assert_eq!(place, format!("models/{}.toml", manifest.name));
            let (labels, classes, two_wheeler) =
                if manifest.name == BUILT_IN { (4, 4, 1) } else { (80, 6, 3) };
            assert_eq!((manifest.labels.len(), manifest.classes.len()), (labels, classes));
            assert_eq!(manifest.class_labels()[two_wheeler], Some(Label::TwoWheeler), "a motorcycle");
        }
        let built_in = Manifest::resolve(Path::new(BUILT_IN)).unwrap();
        assert_eq!(
            sha256(&built_in.read().unwrap()),
            built_in.manifest.sha256,
            "the manifest is this file's"
        );
        let names: HashSet<_> = catalogue().into_iter().map(|(_, manifest)| manifest.sha256).collect();
        assert_eq!(names.len(), CATALOGUE.len());
    }

    #[test]
    fn a_network_is_sure_from_its_own_score_on() {
        for (_, manifest) in catalogue() {
            assert!((manifest.score_sure.powf(manifest.score_power()) - SCORE_SURE).abs() < 1e-6);
        }
        let built_in = Manifest::resolve(Path::new(BUILT_IN)).unwrap().manifest;
        assert_eq!(built_in.score_power(), 1.0, "its scores are as they are");
    }

    #[test]
    fn messages_name_the_line_or_key_and_what_would_be_right() {
        let message = changed("nms_iou = 0.65", "nms_oui = 0.65");
        assert!(message.starts_with("m.toml, line 6: `nms_oui = 0.65`: unknown field"), "{message}");
        assert!(message.contains("models/README.md"), "{message}");
        let message = changed("width = 416", "width = \"416\"");
        assert!(message.contains("`width = \"416\"`: invalid type"), "{message}");
        let message = changed("pad = 114", "pat = 114");
        assert!(message.contains("pat"), "{message}");
        let message = changed("strides = [8, 16, 32]", "stride = 8");
        assert!(message.contains("stride"), "{message}");
        let message = changed("kind = \"yolox\"", "kind = \"yolo\"");
        assert!(message.contains("`yolox`"), "{message}");
        let message = changed("car = \"car\"", "lorry = \"car\"");
        assert_eq!(message, "m.toml: classes: \"lorry\" is none of `labels`; use the network's own words");
        let message = changed("car = \"car\"", "car = \"auto\"");
        assert!(message.contains("two-wheeler"), "{message}");
        let message = changed("nms_iou = 0.65", "nms_iou = 65");
        assert_eq!(message, "m.toml: nms_iou: 65 must be above 0 and at most 1");
        let message = changed("score_sure = 0.45", "score_sure = 1.0");
        assert_eq!(message, "m.toml: score_sure: 1 must be from 0.05 to 0.95");
        let message = changed("score_min = 0.25", "score_min = -0.25");
        assert_eq!(message, "m.toml: score_min: -0.25 must be from 0 to 1");
        assert!(changed("std = [1.0, 1.0, 1.0]", "std = [1.0, 0.0, 1.0]").contains("input.std"));
        assert!(changed("width = 416", "width = 0").contains("input.width: 0 must be from 8 to 4096"));
        let smaller = |sizes| changed("width = 416", &format!("width = 416\nsmaller = {sizes}"));
        assert!(smaller("[[320, 200]]").contains("input.smaller: 320x200: both must be multiples of 32"));
        assert!(smaller("[[448, 416]]").contains("448x416 does not fit into 416x416 before it"));
        assert!(smaller("[[416, 416]]").contains("416x416 does not fit into 416x416"));
        assert!(smaller("[[224, 224], [320, 192]]").contains("320x192 does not fit into 224x224"));
        assert!(changed("\"bicycle\", \"car\"", "\"car\", \"car\"").contains("\"car\" is listed twice"));
        assert!(changed("sha256 = \"c", "sha256 = \"C").contains("lower-case"));
        let message = changed("nms_iou = 0.65", "nms_iou = 0.65\nexternal = { \"w.data\" = \"12\" }");
        assert!(message.starts_with("m.toml: external: w.data: must be 64"), "{message}");
    }

    #[test]
    fn a_path_is_a_manifest_or_a_known_network() {
        let folder = tempfile::tempdir().unwrap();
        let stranger = folder.path().join("stranger.onnx");
        std::fs::write(&stranger, b"abc").unwrap();
        let message = Manifest::resolve(&stranger).unwrap_err().to_string();
        assert!(
            message.contains("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
            "{message}"
        );
        assert!(message.contains("stranger.onnx") && message.contains("write a manifest"), "{message}");
        let missing = Manifest::resolve(&folder.path().join("none.toml")).unwrap_err().to_string();
        assert!(
            missing.contains("none.toml: cannot be read") && missing.contains("check the path"),
            "{missing}"
        );
        assert!(Manifest::resolve(folder.path()).is_err());
        let manifest = folder.path().join("m.toml");
        std::fs::write(&manifest, CATALOGUE[1].1).unwrap();
        let source = Manifest::resolve(&manifest).unwrap();
        assert_eq!(source.weights, folder.path().join("yolox_nano_416.onnx"), "beside its manifest");
    }
}
