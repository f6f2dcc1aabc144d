//! Loads a file into plans: every step that can fail is an error that names the place and the remedy.

use std::path::Path;
use std::sync::{Arc, Mutex};

use tract_onnx::Onnx;
use tract_onnx::data_resolver::FopenDataResolver;
use tract_onnx::pb::ModelProto;
use tract_onnx::prelude::*;
use tract_onnx::tract_core::internal::{DimLike, bail};
use tract_onnx::tract_core::optim::Optimizer;
use tract_onnx::tract_hir::infer::Factoid;

use super::{Kernels, Variant, exports, guarded, resize, rewrite, work};
use crate::error::DetectError;
use crate::manifest::{Input, Manifest, Source, Work, sha256};
use convnet::WeightCache;

/// The network for each size of its manifest, the main one first, and its multiplications at that one. The variants share
/// their packed weights.
pub(super) fn variants(
    source: &Source,
    proto: &ModelProto,
    kernels: Kernels,
) -> Result<(Vec<Variant>, Work), DetectError> {
    exports::check_graph(&source.weights, proto)?;
    exports::check_inputs(&source.weights, proto)?;
    exports::check_external_data(source, proto)?;
    let graph = guarded(|| graph(source, proto)).map_err(|problem| unsupported(source, proto, problem))?;
    let exported = check_input(source, &graph)?;
    if exports::is_quantised(proto) {
        let network = source.weights.display();
        tracing::warn!(%network, "this network computes in int8, which is slower here than f32: bring the f32 network");
    }
    let loading = Loading { source, proto, graph, exported, kernels, cache: WeightCache::default() };
    let main = &source.manifest.input;
    let (first, work) = loading.variant("input.width, input.height", main.clone())?;
    let mut variants = vec![first];
    for [width, height] in main.smaller.iter().copied() {
        let input = Input { width, height, ..main.clone() };
        variants.push(loading.variant("input.smaller", input)?.0);
    }
    Ok((variants, work))
}

/// A file on its way to plans.
struct Loading<'a> {
    source: &'a Source,
    proto: &'a ModelProto,
    graph: InferenceModel,
    /// Rows and columns of the input that the file is for, where it says so.
    exported: Option<[usize; 2]>,
    kernels: Kernels,
    cache: WeightCache,
}

impl Loading<'_> {
    /// The network for an input that `key` of the manifest asks for.
    fn variant(&self, key: &'static str, input: Input) -> Result<(Variant, Work), DetectError> {
        let Self { source, proto, exported, .. } = self;
        let is_as_exported =
            input == source.manifest.input && exported.is_none_or(|size| size == [input.height, input.width]);
        let wrong_size = |problem| {
            let (manifest, width, height) = (source.place.clone(), input.width, input.height);
            let stride = source.manifest.head.decoder().stride_max();
            DetectError::Size { manifest, key, width, height, stride, problem }
        };
        let wrong = |problem| match is_as_exported {
            true => unsupported(source, proto, problem),
            false => wrong_size(problem),
        };
        let (plan, work) = self.make_ready(&input).map_err(|error| match error {
            Unready::Computes(error) => error,
            Unready::Tract(problem) => wrong(problem),
        })?;
        let shapes = output_shapes(&plan).map_err(|problem| wrong(problem.to_owned()))?;
        let outputs = match is_as_exported {
            true => match_outputs(source, &shapes)?,
            false => {
                let expected = source.manifest.head.decoder().shapes(&input, source.manifest.labels.len());
                let problem =
                    || format!("its outputs are {}, its head expects {}", list(&shapes), list(&expected));
                order(&shapes, &expected).ok_or_else(|| wrong_size(problem()))?
            }
        };
        Ok((Variant { input, plan, outputs, tensors: Mutex::default() }, work))
    }

    /// Fixes the input's shape and optimises.
    fn make_ready(&self, input: &Input) -> Result<(Arc<TypedRunnableModel>, Work), Unready> {
        let size = [input.height, input.width];
        let typed = guarded(|| {
            let graph = match self.exported.filter(|exported| *exported != size) {
                Some(exported) => resize::resized(&self.graph, exported, size)?,
                None => {
                    let shape = [1, 3, input.height, input.width];
                    self.graph.clone().with_input_fact(0, f32::fact(shape).into())?
                }
            };
            graph.into_typed()
        });
        let mut typed = typed.map_err(Unready::Tract)?;
        // Before anything of that size is computed.
        check_sizes(self.source, &typed).map_err(Unready::Computes)?;
        guarded(|| Optimizer::prop_consts().optimize(&mut typed)).map_err(Unready::Tract)?;
        check_types(self.source, &typed).map_err(Unready::Computes)?;
        let work = work::of(&typed);
        if self.kernels == Kernels::Own {
            let plan = guarded(|| {
                rewrite::with_fused_operators(typed.clone(), &self.cache)?.into_optimized()?.into_runnable()
            });
            match plan {
                Ok(plan) => return Ok((plan, work)),
                // A network that tract alone can run still runs.
                Err(problem) => tracing::warn!(problem, "this network runs without kernels of the box's own"),
            }
        }
        guarded(|| typed.into_optimized()?.into_runnable()).map(|plan| (plan, work)).map_err(Unready::Tract)
    }
}

/// tract's graph of a file. Shapes that the file states are of one size, and are worked out anew.
fn graph(source: &Source, proto: &ModelProto) -> TractResult<InferenceModel> {
    let provider = Arc::new(FopenDataResolver);
    let parser = Onnx { provider, ..tract_onnx::onnx() };
    let parser = parser.with_ignore_output_shapes(true).with_ignore_value_info(true);
    let folder = source.weights.parent().and_then(Path::to_str);
    let parsed = parser.parse(proto, folder)?;
    match parsed.unresolved_inputs.first() {
        Some(input) => bail!("nothing in it makes {input}"),
        None => Ok(parsed.model),
    }
}

fn unsupported(source: &Source, proto: &ModelProto, problem: String) -> DetectError {
    let path = source.weights.clone();
    if exports::is_quantised(proto) {
        let problem = format!("it computes in int8, and its operators are not known here: {problem}");
        return DetectError::Export { path, problem, remedy: exports::NOT_QUANTISED.to_owned() };
    }
    DetectError::Unsupported { path, problem }
}

/// The graph of a network's file, which must be the manifest's.
pub(super) fn read(source: &Source) -> Result<ModelProto, DetectError> {
    let bytes = source.read()?;
    let path = source.weights.clone();
    let found = sha256(&bytes);
    let known = found == source.manifest.sha256;
    // Also read from a wrong file: "cut short" is a better answer than "another file".
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
        Err(_) if bytes.first() == Some(&0x08) => Err(match exports::is_cut_short(&bytes) {
            true => DetectError::Truncated { path, bytes: bytes.len() },
            false => DetectError::Export {
                path,
                problem: format!(
                    "this network is damaged: it is whole by its length ({} bytes), and does not read",
                    bytes.len()
                ),
                remedy: "copy it again from its origin".to_owned(),
            },
        }),
        _ => match exports::of_another_kind(&bytes) {
            Some((problem, remedy)) => {
                Err(DetectError::Export { path, problem: problem.to_owned(), remedy: remedy.to_owned() })
            }
            None => Err(DetectError::NotOnnx { path }),
        },
    }
}

/// Checks for one input, of the manifest's name and shape. Returns the size that the file was exported for: rows, columns.
fn check_input(source: &Source, graph: &InferenceModel) -> Result<Option<[usize; 2]>, DetectError> {
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
    let wanted = input.name.as_deref();
    let remedy = match names[..] {
        [name] => wanted
            .filter(|wanted| *wanted != name)
            .map(|_| format!("correct `input.name`: the network calls it {name:?}")),
        _ => Some(
            "a network with several inputs is not supported: export it without post-processing".to_owned(),
        ),
    };
    if let Some(remedy) = remedy {
        let expected = wanted.map_or("one input".to_owned(), |wanted| format!("{wanted:?}"));
        return Err(wrong("input.name", format!("{names:?}"), expected, remedy));
    }
    let expected = [1, 3, input.height, input.width];
    let Ok(fact) = graph.input_fact(0) else { return Ok(None) };
    let found: Vec<Option<usize>> =
        fact.shape.dims().map(|dim| dim.concretize().and_then(|dim| dim.to_usize().ok())).collect();
    if fact.shape.is_open() && found.is_empty() {
        return Ok(None);
    }
    let remedy = match found[..] {
        [None | Some(1), None | Some(3), rows, columns] => {
            let differ = [(rows, input.height), (columns, input.width)]
                .into_iter()
                .any(|(found, side)| found.is_some_and(|found| found != side));
            match rows.zip(columns) {
                _ if !differ || input.any_size => return Ok(rows.zip(columns).map(|(h, w)| [h, w])),
                Some((h, w)) => format!(
                    "set `input.width = {w}` and `input.height = {h}`, or add `input.any_size = true` to have it run at \
                     {}x{}",
                    input.width, input.height
                ),
                None => "set `input.width` and `input.height` as the network has them".to_owned(),
            }
        }
        [Some(batch), ..] if found.len() == 4 && batch != 1 => format!(
            "its batch is {batch}: export it with a batch of 1 (in torch: an example input of 1x3x{}x{}), or with a batch that \
             is not fixed",
            input.height, input.width
        ),
        [_, _, _, Some(3)] => {
            "its layout is rows, columns, channels (NHWC): export it as channels, rows, columns (NCHW)"
                .to_owned()
        }
        _ => "export the network with an input of batch 1, 3 channels, rows, columns".to_owned(),
    };
    let sizes = found.iter().map(|dim| dim.map_or_else(|| "?".to_owned(), |dim| dim.to_string()));
    Err(wrong("input.width, input.height", sizes.collect::<Vec<_>>().join("x"), by(&expected), remedy))
}

/// Reason for which a graph cannot be made ready.
enum Unready {
    /// tract's message.
    Tract(String),
    /// Error of a network that could run, and must not.
    Computes(DetectError),
}

/// Most numbers of one tensor, 256 MB of f32: sixteen times the largest of the known networks.
const TENSOR_MAX: usize = 1 << 26;

/// Refuses a network with a tensor that no box has the memory for.
pub(super) fn check_sizes(source: &Source, typed: &TypedModel) -> Result<(), DetectError> {
    for node in typed.nodes() {
        for shape in node.outputs.iter().filter_map(|output| output.fact.shape.as_concrete()) {
            let numbers = shape.iter().try_fold(1, |product: usize, side| product.checked_mul(*side));
            if numbers.is_none_or(|numbers| numbers > TENSOR_MAX) {
                return Err(DetectError::Export {
                    path: source.weights.clone(),
                    problem: format!(
                        "it makes {shape:?} numbers (at {}), which no box has memory for",
                        node.name
                    ),
                    remedy: exports::SMALLER.to_owned(),
                });
            }
        }
    }
    Ok(())
}

/// Refuses a network that computes in f16: the processor does not, and emulating it takes a hundred times as long.
fn check_types(source: &Source, typed: &TypedModel) -> Result<(), DetectError> {
    let of_f16 = typed.nodes().iter().find(|node| {
        let mut computed = node.outputs.iter().filter(|output| output.fact.konst.is_none());
        computed.any(|output| output.fact.datum_type == f16::datum_type())
    });
    match of_f16 {
        None => Ok(()),
        Some(node) => Err(DetectError::Export {
            path: source.weights.clone(),
            problem: format!(
                "it computes in f16 (at {}), which takes some hundred times as long here",
                node.name
            ),
            remedy: exports::F32.to_owned(),
        }),
    }
}

fn output_shapes(plan: &TypedRunnableModel) -> Result<Vec<Vec<usize>>, &'static str> {
    let model = plan.model();
    let shape = |at| {
        let fact = model.output_fact(at).ok().filter(|fact| fact.datum_type == f32::datum_type());
        fact.and_then(|fact| fact.shape.as_concrete()).map(<[usize]>::to_vec)
    };
    let count = model.output_outlets().map_or(0, <[_]>::len);
    let shapes: Option<_> = (0..count).map(shape).collect();
    shapes.ok_or(
        "an output is not f32, or its shape depends on the picture, or a constant in it is for another size",
    )
}

/// Chooses an output for each place of the head: the first of the right shape that is not taken yet.
fn match_outputs(source: &Source, shapes: &[Vec<usize>]) -> Result<Vec<usize>, DetectError> {
    let Manifest { input, head, labels, .. } = &source.manifest;
    let matching = |labels: usize| order(shapes, &head.decoder().shapes(input, labels));
    if let Some(order) = matching(labels.len()) {
        return Ok(order);
    }
    let manifest = source.place.clone();
    // If the labels alone are wrong, another number of them matches.
    if let Some(found) = (1..=4096).find(|labels| matching(*labels).is_some()) {
        return Err(DetectError::LabelCount { manifest, found, expected: labels.len() });
    }
    let expected = list(&head.decoder().shapes(input, labels.len()));
    Err(DetectError::Outputs { manifest, kind: head.kind(), found: list(shapes), expected })
}

/// Place of each of `wanted` in `shapes`, which must be the same ones.
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
