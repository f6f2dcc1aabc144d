//! Files as exporters write them: number formats, quantisation, weights in a second file. Checks the file's own words before
//! tract does, as tract's messages are about its insides. Reads no weights.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path, PathBuf};

use tract_onnx::pb::tensor_proto::{DataLocation, DataType};
use tract_onnx::pb::{AttributeProto, GraphProto, ModelProto, TensorProto, ValueInfoProto, type_proto};

use crate::error::DetectError;
use crate::manifest::{self, Source, sha256};

/// Operators that only quantised networks have.
const QUANTISED: &[&str] = &[
    "QuantizeLinear",
    "DynamicQuantizeLinear",
    "QLinearConv",
    "QLinearMatMul",
    "ConvInteger",
    "MatMulInteger",
];

/// Most operators of a network: several times those of the known ones. Reading takes longer than in proportion.
const NODES_MAX: usize = 3000;

/// Remedy for a network that is too large.
pub(super) const SMALLER: &str = "bring a smaller network, as `wardwatch model list` names them";
/// Remedy for f16.
pub(super) const F32: &str = "export it in f32 (in torch: `network.float()` before `torch.onnx.export`), or bring the f32 file \
                              that it was made of";
/// Remedy for int8.
pub(super) const NOT_QUANTISED: &str =
    "bring the f32 network that it was made of, which is faster here (models/README.md)";

/// Names a file that people mistake for an ONNX file, and the remedy.
pub(super) fn of_another_kind(bytes: &[u8]) -> Option<(&'static str, &'static str)> {
    if bytes.is_empty() {
        return Some(("this is no ONNX file but an empty one", "copy it again from its origin"));
    }
    const KINDS: &[(&[u8], &str, &str)] = &[
        (
            b"version https://git-lfs",
            "this is no ONNX file but a pointer of Git LFS to one",
            "run `git lfs pull` where it came from, or download the file itself",
        ),
        (
            b"PK\x03\x04",
            "this is no ONNX file but an archive, as PyTorch saves its networks",
            "export the network with `torch.onnx.export`",
        ),
    ];
    KINDS.iter().find(|(head, ..)| bytes.starts_with(head)).map(|(_, problem, remedy)| (*problem, *remedy))
}

/// Returns true if a field of the file, which is one protobuf message, ends behind the file's end.
pub(super) fn is_cut_short(bytes: &[u8]) -> bool {
    let mut rest = bytes;
    while !rest.is_empty() {
        let Some(tag) = number(&mut rest) else { return true };
        let length = match tag & 7 {
            0 => match number(&mut rest) {
                Some(_) => 0,
                None => return true,
            },
            1 => 8,
            2 => match number(&mut rest) {
                Some(length) => length,
                None => return true,
            },
            5 => 4,
            _ => return false,
        };
        match usize::try_from(length).ok().and_then(|length| rest.get(length..)) {
            Some(behind) => rest = behind,
            None => return true,
        }
    }
    false
}

/// Takes a number of protobuf off the start; `None` if it does not end there.
fn number(rest: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for (at, byte) in rest.iter().take(10).enumerate() {
        value |= u64::from(byte & 0x7f).checked_shl(7 * at as u32)?;
        if byte & 0x80 == 0 {
            *rest = &rest[at + 1..];
            return Some(value);
        }
    }
    None
}

/// Refuses a graph that computes nothing: without an operator, or without an output.
pub(super) fn check_graph(path: &Path, proto: &ModelProto) -> Result<(), DetectError> {
    let nodes = proto.graph.as_ref().map_or(0, |graph| graph.node.len());
    if nodes > NODES_MAX {
        return Err(DetectError::Export {
            path: path.to_owned(),
            problem: format!("it has {nodes} operators, and {NODES_MAX} are the most that are read here"),
            remedy: SMALLER.to_owned(),
        });
    }
    let missing = match &proto.graph {
        None => "graph",
        Some(graph) if graph.node.is_empty() => "operator",
        Some(graph) if graph.output.is_empty() => "output",
        Some(_) => return Ok(()),
    };
    Err(DetectError::Export {
        path: path.to_owned(),
        problem: format!("there is no {missing} in this network"),
        remedy: "export it again, whole, or copy it again from its origin".to_owned(),
    })
}

/// Tells a network that computes in int8.
pub(super) fn is_quantised(proto: &ModelProto) -> bool {
    let nodes = proto.graph.iter().flat_map(|graph| &graph.node);
    nodes.into_iter().any(|node| QUANTISED.contains(&node.op_type.as_str()))
}

/// Refuses inputs that are not f32.
pub(super) fn check_inputs(path: &Path, proto: &ModelProto) -> Result<(), DetectError> {
    let Some(graph) = &proto.graph else { return Ok(()) };
    let weights: BTreeSet<&str> = graph.initializer.iter().map(|tensor| tensor.name.as_str()).collect();
    let inputs = graph.input.iter().filter(|input| !weights.contains(input.name.as_str()));
    for input in inputs.filter(|_| is_one_input(graph, &weights)) {
        let (word, remedy) = match data_type(input) {
            None | Some(DataType::Float) => continue,
            Some(DataType::Float16) => ("f16", F32),
            Some(DataType::Bfloat16) => ("bf16", F32),
            Some(DataType::Double) => ("f64", F32),
            Some(DataType::Uint8 | DataType::Int8) => {
                ("8-bit integers", "export it with an input of f32, 0 to 255")
            }
            Some(_) => ("of another type than f32", "export it with an input of f32"),
        };
        let problem = format!("its input {:?} is {word}, and f32 is what it is given", input.name);
        return Err(DetectError::Export { path: path.to_owned(), problem, remedy: remedy.to_owned() });
    }
    Ok(())
}

/// Several inputs are another mistake, which is named elsewhere.
fn is_one_input(graph: &GraphProto, weights: &BTreeSet<&str>) -> bool {
    graph.input.iter().filter(|input| !weights.contains(input.name.as_str())).count() == 1
}

fn data_type(value: &ValueInfoProto) -> Option<DataType> {
    let type_proto::Value::TensorType(tensor) = value.r#type.as_ref()?.value.as_ref()?;
    DataType::try_from(tensor.elem_type).ok()
}

/// Checks that every file with weights is there, inside the network's folder, long enough, and the one that the manifest
/// means. tract reads them.
pub(super) fn check_external_data(source: &Source, proto: &ModelProto) -> Result<(), DetectError> {
    let path = &source.weights;
    let Some(graph) = &proto.graph else { return Ok(()) };
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let mut tensors: Vec<&TensorProto> = Vec::new();
    collect(graph, &mut tensors);
    let mut files = BTreeMap::new();
    for tensor in
        tensors.into_iter().filter(|tensor| tensor.data_location == Some(DataLocation::External as i32))
    {
        let (location, file) = check_tensor(path, folder, tensor)?;
        files.insert(location, file);
    }
    files.iter().try_for_each(|(location, file)| check_sha256(source, location, file))
}

/// Compares a file with weights with the manifest's sha256 of it.
fn check_sha256(source: &Source, location: &Path, file: &Path) -> Result<(), DetectError> {
    let found = sha256(&manifest::read(file)?);
    match source.manifest.external.get(location) {
        Some(expected) if *expected == found => Ok(()),
        Some(expected) => Err(DetectError::WrongSha256 {
            path: file.to_owned(),
            manifest: format!("{}, external", source.place),
            expected: expected.clone(),
            found,
        }),
        None => {
            tracing::warn!(
                "{}: `sha256` does not cover the weights in {}: add at the manifest's top, once this copy is known to be good: \
                 external = {{ {:?} = \"{found}\" }}",
                source.place,
                file.display(),
                location.display().to_string()
            );
            Ok(())
        }
    }
}

/// Every tensor of a graph: initializers, and constants among its nodes.
fn collect<'a>(graph: &'a GraphProto, tensors: &mut Vec<&'a TensorProto>) {
    tensors.extend(&graph.initializer);
    for AttributeProto { t, tensors: more, g, .. } in graph.node.iter().flat_map(|node| &node.attribute) {
        tensors.extend(t.iter().chain(more));
        if let Some(graph) = g {
            collect(graph, tensors);
        }
    }
}

/// Checks the place of a tensor's weights. Returns their file as the network and as the disk name it.
fn check_tensor(path: &Path, folder: &Path, tensor: &TensorProto) -> Result<(PathBuf, PathBuf), DetectError> {
    let entry =
        |key: &str| tensor.external_data.iter().find(|entry| entry.key == key).map(|entry| &entry.value[..]);
    let wrong =
        |problem: String, remedy: String| DetectError::Export { path: path.to_owned(), problem, remedy };
    let location = entry("location").unwrap_or_default();
    let name = location.rsplit('/').next().unwrap_or_default();
    let one_file = || {
        format!(
            "copy {name} beside this file, under this name, or write both as one: \
             python3 -c 'import onnx; onnx.save(onnx.load(\"{}\"), \"one.onnx\")'",
            path.file_name().unwrap_or_default().to_string_lossy()
        )
    };
    let relative = Path::new(location);
    let is_inside =
        relative.components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir))
            && !name.is_empty();
    if !is_inside {
        let problem = format!("its weights are in {location:?}, which is not in its folder");
        return Err(wrong(problem, one_file()));
    }
    let file = resolved(folder, relative).map_err(|source| {
        let problem = format!(
            "its weights (external data) are in {location:?}, which cannot be read beside it: {source}"
        );
        wrong(problem, one_file())
    })?;
    let Some(file) = file else {
        let problem = format!("its weights are in {location:?}, a link out of its folder");
        return Err(wrong(problem, one_file()));
    };
    let number = |key: &str| entry(key).map_or(Some(0), |text| text.parse::<u64>().ok());
    let end = number("offset").zip(number("length")).and_then(|(offset, length)| offset.checked_add(length));
    let bytes = std::fs::metadata(&file).map_or(0, |file| file.len());
    match end {
        Some(end) if end <= bytes => {
            let parts = relative.components().filter(|part| *part != Component::CurDir);
            Ok((parts.collect(), file))
        }
        _ => {
            let problem = format!(
                "{} has {bytes} bytes, and its weights {:?} end beyond them: it is cut short, or of another export",
                file.display(),
                tensor.name
            );
            Err(wrong(problem, format!("copy {name} and this file again, from the same export")))
        }
    }
}

/// The file itself, `None` if a link leads out of `folder`.
fn resolved(folder: &Path, relative: &Path) -> std::io::Result<Option<PathBuf>> {
    let folder = folder.canonicalize()?;
    let file = folder.join(relative).canonicalize()?;
    if !file.is_file() {
        return Err(std::io::Error::other("it is no file"));
    }
    std::fs::File::open(&file)?;
    Ok(file.starts_with(&folder).then_some(file))
}
