//! From a file to plans: every step that can fail is an error that names the place and the remedy.

use std::sync::{Arc, Mutex};

use tract_onnx::pb::ModelProto;
use tract_onnx::prelude::*;
use tract_onnx::tract_core::internal::DimLike;
use tract_onnx::tract_hir::infer::Factoid;

use super::{Kernels, Variant, guarded, rewrite};
use crate::detect::error::DetectError;
use crate::detect::manifest::{Input, Manifest, Source, sha256};
use crate::detect::network::WeightCache;

/// The network for each size of its manifest, the main one first. They share their packed weights.
pub(super) fn variants(source: &Source, kernels: Kernels) -> Result<Vec<Variant>, DetectError> {
    let bytes = source.read()?;
    let proto = parse(source, &bytes)?;
    let unsupported = |problem| DetectError::Unsupported { path: source.weights.clone(), problem };
    let graph = guarded(|| tract_onnx::onnx().model_for_proto_model(&proto)).map_err(unsupported)?;
    check_input(source, &graph)?;
    let cache = WeightCache::default();
    let main = &source.manifest.input;
    let plan = make_ready(main, graph, kernels, &cache).map_err(unsupported)?;
    let outputs = match_outputs(source, &output_shapes(source, &plan)?)?;
    let mut variants = vec![variant(main.clone(), plan, outputs)];
    for [width, height] in main.smaller.iter().copied() {
        let input = Input { width, height, ..main.clone() };
        let wrong = |problem| DetectError::Size { manifest: source.place.clone(), width, height, problem };
        // What the file says of shapes is said of its own size.
        let parser = || tract_onnx::onnx().with_ignore_output_shapes(true).with_ignore_value_info(true);
        let graph = guarded(|| parser().model_for_proto_model(&proto)).map_err(wrong)?;
        let plan = make_ready(&input, graph, kernels, &cache).map_err(wrong)?;
        let shapes = output_shapes(source, &plan)?;
        let expected = source.manifest.head.decoder().shapes(&input, source.manifest.labels.len());
        let outputs = order(&shapes, &expected).ok_or_else(|| {
            wrong(format!("its outputs are {}, its head expects {}", list(&shapes), list(&expected)))
        })?;
        variants.push(variant(input, plan, outputs));
    }
    Ok(variants)
}

fn variant(input: Input, plan: Arc<TypedRunnableModel>, outputs: Vec<usize>) -> Variant {
    Variant { input, plan, outputs, tensors: Mutex::default() }
}

/// The graph of `bytes`, which must be the manifest's.
fn parse(source: &Source, bytes: &[u8]) -> Result<ModelProto, DetectError> {
    let path = source.weights.clone();
    let found = sha256(bytes);
    let known = found == source.manifest.sha256;
    // Of the wrong file, too: "cut short" is a better answer than "another file".
    let proto = guarded(|| tract_onnx::onnx().proto_model_for_read(&mut &*bytes));
    match proto {
        Ok(proto) if known => Ok(proto),
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
fn make_ready(
    input: &Input,
    graph: InferenceModel,
    kernels: Kernels,
    cache: &WeightCache,
) -> Result<Arc<TypedRunnableModel>, String> {
    let shape = [1, 3, input.height, input.width];
    let typed = guarded(|| graph.with_input_fact(0, f32::fact(shape).into())?.into_typed())?;
    if kernels == Kernels::Own {
        match guarded(|| rewrite::with_islands(typed.clone(), cache)?.into_optimized()?.into_runnable()) {
            Ok(plan) => return Ok(plan),
            // What tract alone can run, it runs, whatever becomes of the rest.
            Err(problem) => tracing::warn!(problem, "this network runs without kernels of the box's own"),
        }
    }
    guarded(|| typed.into_optimized()?.into_runnable())
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
    let matching = |labels: usize| order(shapes, &head.decoder().shapes(input, labels));
    if let Some(order) = matching(labels.len()) {
        return Ok(order);
    }
    let manifest = source.place.clone();
    // Were it the labels alone, another number of them would match.
    if let Some(found) = (1..=4096).find(|labels| matching(*labels).is_some()) {
        return Err(DetectError::LabelCount { manifest, found, expected: labels.len() });
    }
    let expected = list(&head.decoder().shapes(input, labels.len()));
    Err(DetectError::Outputs { manifest, kind: head.kind(), found: list(shapes), expected })
}

/// Where each of `wanted` is in `shapes`, which must be the same ones.
fn order(shapes: &[Vec<usize>], wanted: &[Vec<usize>]) -> Option<Vec<usize>> {
    let mut taken: Vec<usize> = Vec::new();
    for wanted in wanted {
        taken.push((0..shapes.len()).find(|at| shapes[*at] == *wanted && !taken.contains(at))?);
    }
    (taken.len() == shapes.len()).then_some(taken)
}

fn list(shapes: &[Vec<usize>]) -> String {
    shapes.iter().map(|shape| by(shape)).collect::<Vec<_>>().join(", ")
}

fn by(shape: &[usize]) -> String {
    shape.iter().map(usize::to_string).collect::<Vec<_>>().join("x")
}
