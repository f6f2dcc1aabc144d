//! A network: read, checked against its manifest, made ready, and run. Only this folder names tract.

mod exports;
mod fused_operator;
mod load;
mod lower;
mod probe;
mod profile;
mod quiet;
mod resize;
mod rewrite;
#[cfg(test)]
mod tests;
mod work;

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use tract_onnx::pb::ModelProto;
use tract_onnx::prelude::*;

pub use profile::Cost;

use super::error::DetectError;
use super::heads::RawDetection;
use super::manifest::{Input, Manifest, Source, Work};
use super::nms;
use super::preprocess::{Mapping, preprocess};
use base::detector::InputSize;
use base::geometry::Rect;
use base::picture::Picture;

/// A network that is ready to run. Shared by all threads that run inferences.
pub struct Model {
    manifest: Manifest,
    sizes: Vec<InputSize>,
    /// One for each of `sizes`.
    variants: Vec<Variant>,
    work: Work,
}

/// Code that does the arithmetic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kernels {
    /// The product's own kernels where they understand the network, tract for the rest.
    Own,
    /// tract alone, to compare with.
    Tract,
}

/// The network for one size of its input.
struct Variant {
    /// The manifest's input, of this size.
    input: Input,
    plan: Arc<TypedRunnableModel>,
    /// The index of the output that the head takes in each place.
    outputs: Vec<usize>,
    /// Input tensors that are free.
    tensors: Mutex<Vec<Arc<Tensor>>>,
}

/// An input tensor, and its place on the picture.
pub struct Prepared {
    tensor: Arc<Tensor>,
    mapping: Mapping,
    size: InputSize,
}

/// A network's output tensors.
pub struct Outputs(TVec<TValue>);

impl Outputs {
    /// Values of each tensor.
    pub fn values(&self) -> Vec<Vec<f32>> {
        self.0
            .iter()
            .map(|output| floats(output).expect("outputs were f32 when the network was loaded"))
            .collect()
    }
}

/// Values of a tensor; `None` if they are not f32 in memory.
fn floats(output: &TValue) -> Option<Vec<f32>> {
    Some(output.try_as_plain_ram().ok()?.as_slice::<f32>().ok()?.to_vec())
}

impl Model {
    /// Reads the network of `path` (a manifest, or a known network's file), checks it and makes it ready.
    ///
    /// Takes some 100 ms to seconds of CPU. A hostile file is an error, whatever it makes tract do short of exhausting
    /// memory or stack.
    pub fn load(path: &Path) -> Result<Arc<Self>, DetectError> {
        Self::from_source(Manifest::resolve(path)?, Kernels::Own)
    }

    /// Loads a network for an input of `size`, if given: it takes precedence over that of the manifest and of the file.
    pub fn load_at(path: &Path, size: Option<InputSize>) -> Result<Arc<Self>, DetectError> {
        let source = Manifest::resolve(path)?;
        let source = match size {
            Some(size) => source.at(size)?,
            None => source,
        };
        Self::from_source(source, Kernels::Own)
    }

    /// Loads a network of a manifest that was read already.
    pub fn from_source(source: Source, kernels: Kernels) -> Result<Arc<Self>, DetectError> {
        let proto = load::read(&source)?;
        Self::from_proto(source, &proto, kernels)
    }

    /// Loads a network of a file that was read already.
    fn from_proto(source: Source, proto: &ModelProto, kernels: Kernels) -> Result<Arc<Self>, DetectError> {
        let (variants, work) = load::variants(&source, proto, kernels)?;
        let sizes = variants
            .iter()
            .map(|variant| InputSize { width: variant.input.width, height: variant.input.height })
            .collect();
        let model = Self { manifest: source.manifest, sizes, variants, work };
        probe::check(&model, &source.weights)?;
        Ok(Arc::new(model))
    }

    /// Its multiplications at its largest size, in millions.
    pub fn work(&self) -> Work {
        self.work
    }

    /// The manifest.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// The sizes that its input can have, the largest first: that of the manifest's `input`, for whole pictures, then the
    /// manifest's smaller ones, for parts.
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

    /// The first half of an inference: pixels into the input tensor, which has one of [`Model::input_sizes`]; another size
    /// counts as the first.
    pub fn prepare(&self, picture: &Picture, crop: Rect, size: InputSize) -> Result<Prepared, DetectError> {
        let variant = self.variant(size);
        let mut mapping = None;
        let tensor = self.filled(variant, |values| {
            mapping = Some(preprocess(picture, crop, &variant.input, values));
        })?;
        let mapping = mapping.expect("the tensor was filled");
        Ok(Prepared { tensor, mapping, size })
    }

    /// The second half: the tensor through the network and its head. Nothing is suppressed yet.
    pub fn infer(&self, prepared: Prepared, score_min: f32) -> Result<Vec<RawDetection>, DetectError> {
        let Prepared { tensor, mapping, size } = prepared;
        let variant = self.variant(size);
        let outputs = self.run(variant, tensor)?;
        let views = variant.outputs.iter().map(|at| outputs[*at].try_as_plain_ram()?.as_slice::<f32>());
        let views: Vec<&[f32]> =
            views.collect::<TractResult<_>>().map_err(|error| self.failed(text(&error)))?;
        let mut found = Vec::new();
        self.manifest.head.decoder().decode(&views, &variant.input, score_min, &mut found);
        for detection in &mut found {
            detection.rect = mapping.to_picture(detection.rect);
        }
        // Also drops rectangles that are not numbers.
        found.retain(|detection| detection.rect.area() > 0.0);
        Ok(found)
    }

    /// Takes an input of 3 planes of `size` as it is, for comparisons; its detections lie on the whole picture.
    pub fn prepared(&self, size: InputSize, input: &[f32]) -> Result<Prepared, DetectError> {
        let tensor = self.filled(self.variant(size), |values| values.copy_from_slice(input))?;
        let mapping = Mapping::whole(size.width, size.height);
        Ok(Prepared { tensor, mapping, size })
    }

    /// The network's outputs as they are, in their order in its file, for comparisons.
    pub fn outputs(&self, prepared: Prepared) -> Result<Outputs, DetectError> {
        self.run(self.variant(prepared.size), prepared.tensor).map(Outputs)
    }

    /// Measures the cost of each operator of one inference, in the order in which they run; `clock` returns the CPU time that
    /// this thread has used.
    pub fn profile(
        &self,
        prepared: Prepared,
        clock: &dyn Fn() -> std::time::Duration,
    ) -> Result<Vec<Cost>, DetectError> {
        let variant = self.variant(prepared.size);
        guarded(|| profile::of(&variant.plan, prepared.tensor, clock)).map_err(|problem| self.failed(problem))
    }

    fn variant(&self, size: InputSize) -> &Variant {
        let at = self.sizes.iter().position(|known| *known == size);
        debug_assert!(at.is_some(), "{size:?} is one of the network's sizes");
        &self.variants[at.unwrap_or(0)]
    }

    /// An input tensor that `fill` has written: all of it, since it may have been used before.
    fn filled(&self, variant: &Variant, fill: impl FnOnce(&mut [f32])) -> Result<Arc<Tensor>, DetectError> {
        let Input { width, height, .. } = variant.input;
        let free = variant.tensors.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let filled = || {
            let mut tensor = match free {
                Some(tensor) => tensor,
                None => Arc::new(Tensor::zero::<f32>(&[1, 3, height, width])?),
            };
            let mut view = Arc::make_mut(&mut tensor).try_as_plain_ram_mut()?;
            fill(view.as_slice_mut::<f32>()?);
            Ok(tensor)
        };
        filled().map_err(|error: TractError| self.failed(text(&error)))
    }

    fn run(&self, variant: &Variant, mut tensor: Arc<Tensor>) -> Result<TVec<TValue>, DetectError> {
        let outputs = guarded(|| variant.plan.run(tvec!(Arc::clone(&tensor).into_tvalue())));
        // A network may hand its input out as an output.
        if Arc::get_mut(&mut tensor).is_some() {
            variant.tensors.lock().unwrap_or_else(PoisonError::into_inner).push(tensor);
        }
        outputs.map_err(|problem| self.failed(problem))
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

fn text(error: &TractError) -> String {
    format!("{error:#}")
}

/// Runs a piece of tract; its errors and its panics become text.
fn guarded<T>(run: impl FnOnce() -> TractResult<T>) -> Result<T, String> {
    match quiet::silently(|| catch_unwind(AssertUnwindSafe(run))) {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) => Err(text(&error)),
        Err(panic) => {
            let text = panic.downcast_ref::<String>().map(String::as_str);
            let text = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no reason given");
            Err(format!("panic: {text}"))
        }
    }
}
