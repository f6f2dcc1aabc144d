//! A network: read, checked against its manifest, made ready, and run. The only file that names tract.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;

use tract_onnx::prelude::*;
use tract_onnx::tract_core::internal::DimLike;
use tract_onnx::tract_hir::infer::Factoid;

use super::error::DetectError;
use super::heads::RawDetection;
use super::manifest::{Manifest, Source, sha256};
use super::nms;
use super::preprocess::{Mapping, preprocess};
use crate::domain::geometry::Rect;
use crate::domain::picture::Picture;

/// A network that is ready to run. Shared by every thread that looks.
pub struct Model {
    manifest: Manifest,
    plan: Arc<TypedRunnableModel>,
    /// The index of the output that the head takes in each place.
    outputs: Vec<usize>,
    sizes: Vec<InputSize>,
}

/// A size that a network's input can have, in pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InputSize {
    /// Columns.
    pub width: usize,
    /// Rows.
    pub height: usize,
}

/// An input tensor, and where it lies on the picture.
pub struct Prepared {
    tensor: Tensor,
    mapping: Mapping,
}

impl Model {
    /// Reads the network of `path` (a manifest, or a known network's file), checks it and makes it ready.
    ///
    /// Takes some 100 ms to seconds of CPU. A hostile file is an error, whatever it makes tract do short of exhausting
    /// memory or stack.
    pub fn load(path: &Path) -> Result<Arc<Self>, DetectError> {
        Self::from_source(Manifest::resolve(path)?)
    }

    /// The same, of a manifest that was read already.
    pub fn from_source(source: Source) -> Result<Arc<Self>, DetectError> {
        let bytes = source.read()?;
        let graph = parse(&source, &bytes)?;
        check_input(&source, &graph)?;
        let plan = make_ready(&source, graph)?;
        let outputs = match_outputs(&source, &output_shapes(&source, &plan)?)?;
        let sizes =
            vec![InputSize { width: source.manifest.input.width, height: source.manifest.input.height }];
        Ok(Arc::new(Self { manifest: source.manifest, plan, outputs, sizes }))
    }

    /// What this network is.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// The sizes that its input can have, the largest first: that of the manifest's `input`, for whole pictures.
    pub fn input_sizes(&self) -> &[InputSize] {
        &self.sizes
    }

    /// Boxes with a score of at least `score_min` in the part `crop` of a picture, best first, suppressed within each
    /// of the network's classes; as fractions of the whole picture, cut to `crop`.
    pub fn detect(
        &self,
        picture: &Picture,
        crop: Rect,
        score_min: f32,
    ) -> Result<Vec<RawDetection>, DetectError> {
        let found = self.infer(self.prepare(picture, crop, self.sizes[0])?, score_min)?;
        Ok(nms::suppress(found, self.manifest.nms_iou, |class| class))
    }

    /// The first half of an inference: pixels into the input tensor, which has one of [`Model::input_sizes`].
    pub fn prepare(&self, picture: &Picture, crop: Rect, size: InputSize) -> Result<Prepared, DetectError> {
        debug_assert!(self.sizes.contains(&size));
        let input = &self.manifest.input;
        let failed = |error: TractError| self.failed(format!("{error:#}"));
        let mut tensor = Tensor::zero::<f32>(&[1, 3, input.height, input.width]).map_err(failed)?;
        let mut view = tensor.try_as_plain_ram_mut().map_err(failed)?;
        let mapping = preprocess(picture, crop, input, view.as_slice_mut::<f32>().map_err(failed)?);
        Ok(Prepared { tensor, mapping })
    }

    /// The second half: the tensor through the network and its head. Nothing is suppressed yet.
    pub fn infer(&self, prepared: Prepared, score_min: f32) -> Result<Vec<RawDetection>, DetectError> {
        let Prepared { tensor, mapping } = prepared;
        let outputs =
            guarded(|| self.plan.run(tvec!(tensor.into()))).map_err(|problem| self.failed(problem))?;
        let views = self.outputs.iter().map(|at| outputs[*at].try_as_plain_ram()?.as_slice::<f32>());
        let views: Vec<&[f32]> =
            views.collect::<TractResult<_>>().map_err(|error| self.failed(format!("{error:#}")))?;
        let mut found = Vec::new();
        self.manifest.head.decoder().decode(&views, &self.manifest.input, score_min, &mut found);
        for detection in &mut found {
            detection.rect = mapping.to_picture(detection.rect);
        }
        // Also drops what is not a number.
        found.retain(|detection| detection.rect.area() > 0.0);
        Ok(found)
    }

    fn failed(&self, problem: String) -> DetectError {
        DetectError::Inference { name: self.manifest.name.clone(), problem }
    }
}

impl fmt::Debug for Model {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Model({})", self.manifest.name)
    }
}

/// Runs a piece of tract; its errors and its panics become text.
fn guarded<T>(run: impl FnOnce() -> TractResult<T>) -> Result<T, String> {
    match catch_unwind(AssertUnwindSafe(run)) {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) => Err(format!("{error:#}")),
        Err(panic) => {
            let text = panic.downcast_ref::<String>().map(String::as_str);
            let text = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no reason given");
            Err(format!("panic: {text}"))
        }
    }
}

/// The graph of `bytes`, which must be the manifest's.
fn parse(source: &Source, bytes: &[u8]) -> Result<InferenceModel, DetectError> {
    let path = source.weights.clone();
    let found = sha256(bytes);
    let known = found == source.manifest.sha256;
    // Of the wrong file, too: "cut short" is a better answer than "another file".
    let proto = guarded(|| tract_onnx::onnx().proto_model_for_read(&mut &*bytes));
    match proto {
        Ok(proto) if known => {
            let graph = guarded(|| tract_onnx::onnx().model_for_proto_model(&proto));
            graph.map_err(|problem| DetectError::Unsupported { path, problem })
        }
        Ok(proto) if proto.graph.is_some() => Err(DetectError::WrongSha256 {
            path,
            manifest: source.place.clone(),
            expected: source.manifest.sha256.clone(),
            found,
        }),
        // Every ONNX file begins with the field `ir_version`.
        Err(_) if bytes.first() == Some(&0x08) => Err(DetectError::Truncated { path, bytes: bytes.len() }),
        _ => Err(DetectError::NotOnnx { path }),
    }
}

/// One input, of the manifest's name and shape.
fn check_input(source: &Source, graph: &InferenceModel) -> Result<(), DetectError> {
    let input = &source.manifest.input;
    let wrong = |key, found: String, expected: String, remedy: String| DetectError::Input {
        manifest: source.place.clone(),
        key,
        found,
        expected,
        remedy,
    };
    let outlets = graph.input_outlets().unwrap_or_default();
    let names: Vec<&str> = outlets.iter().map(|outlet| graph.node(outlet.node).name.as_str()).collect();
    if names != [input.name.as_str()] {
        let remedy = "correct `input.name`; a network with several inputs is not supported".to_owned();
        return Err(wrong("input.name", format!("{names:?}"), format!("{:?}", input.name), remedy));
    }
    let expected = [1, 3, input.height, input.width];
    let Ok(fact) = graph.input_fact(0) else { return Ok(()) };
    let found: Vec<Option<usize>> =
        fact.shape.dims().map(|dim| dim.concretize().and_then(|dim| dim.to_usize().ok())).collect();
    let differs = |(found, expected): (&Option<usize>, &usize)| found.is_some_and(|found| found != *expected);
    let open = fact.shape.is_open() && found.is_empty();
    if !open && (found.len() != 4 || found.iter().zip(&expected).any(differs)) {
        let sizes: Vec<String> =
            found.iter().map(|dim| dim.map_or_else(|| "?".to_owned(), |dim| dim.to_string())).collect();
        let remedy = match found[..] {
            [_, Some(3), Some(h), Some(w)] => format!("set `input.width = {w}` and `input.height = {h}`"),
            _ => "export the network with an input of batch 1, 3 channels, rows, columns".to_owned(),
        };
        return Err(wrong("input.width, input.height", sizes.join("x"), by(&expected), remedy));
    }
    Ok(())
}

/// Fixes the input's shape and optimises.
fn make_ready(source: &Source, graph: InferenceModel) -> Result<Arc<TypedRunnableModel>, DetectError> {
    let input = &source.manifest.input;
    let shape = [1, 3, input.height, input.width];
    guarded(|| graph.with_input_fact(0, f32::fact(shape).into())?.into_optimized()?.into_runnable())
        .map_err(|problem| DetectError::Unsupported { path: source.weights.clone(), problem })
}

fn output_shapes(source: &Source, plan: &TypedRunnableModel) -> Result<Vec<Vec<usize>>, DetectError> {
    let model = plan.model();
    let shape = |at| {
        let fact = model.output_fact(at).ok().filter(|fact| fact.datum_type == f32::datum_type());
        fact.and_then(|fact| fact.shape.as_concrete()).map(<[usize]>::to_vec)
    };
    let count = model.output_outlets().map_or(0, <[_]>::len);
    (0..count).map(shape).collect::<Option<_>>().ok_or_else(|| DetectError::Unsupported {
        path: source.weights.clone(),
        problem: "an output is not f32, or its shape depends on the picture".to_owned(),
    })
}

/// Which output the head takes in each place: the first of the right shape that is not taken yet.
fn match_outputs(source: &Source, shapes: &[Vec<usize>]) -> Result<Vec<usize>, DetectError> {
    let Manifest { input, head, labels, .. } = &source.manifest;
    let matching = |labels: usize| -> Option<Vec<usize>> {
        let mut taken: Vec<usize> = Vec::new();
        for wanted in head.decoder().shapes(input, labels) {
            taken.push((0..shapes.len()).find(|at| shapes[*at] == wanted && !taken.contains(at))?);
        }
        (taken.len() == shapes.len()).then_some(taken)
    };
    if let Some(order) = matching(labels.len()) {
        return Ok(order);
    }
    let manifest = source.place.clone();
    // Were it the labels alone, another number of them would match.
    if let Some(found) = (1..=4096).find(|labels| matching(*labels).is_some()) {
        return Err(DetectError::LabelCount { manifest, found, expected: labels.len() });
    }
    let list = |shapes: &[Vec<usize>]| shapes.iter().map(|shape| by(shape)).collect::<Vec<_>>().join(", ");
    let expected = list(&head.decoder().shapes(input, labels.len()));
    Err(DetectError::Outputs { manifest, kind: head.kind(), found: list(shapes), expected })
}

fn by(shape: &[usize]) -> String {
    shape.iter().map(usize::to_string).collect::<Vec<_>>().join("x")
}
