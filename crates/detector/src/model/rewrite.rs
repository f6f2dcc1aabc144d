//! Replaces parts of tract's graph by fused operators ([`FusedOperator`]), and keeps the rest.
//!
//! Nodes are put into an order in which those that are understood stand together. Such a run of nodes is convex (no path
//! leaves it and comes back), so it can become one node.

use std::collections::{BTreeSet, HashMap};

use pulp::Arch;
use tract_onnx::prelude::*;
use tract_onnx::tract_core::internal::bail;
use tract_onnx::tract_core::ops::konst::Const;
use tract_onnx::tract_core::ops::source::TypedSource;
use tract_onnx::tract_core::optim::Optimizer;

use super::fused_operator::FusedOperator;
use super::lower::Lowering;
use convnet::WeightCache;

/// A piece of the new graph, in order.
enum Segment {
    Node(usize),
    FusedOperator { nodes: Vec<usize> },
}

/// Returns the network with fused operators. The graph must not be decluttered yet: that takes convolutions apart.
pub(super) fn with_fused_operators(mut model: TypedModel, cache: &WeightCache) -> TractResult<TypedModel> {
    // Biases come as casts of constants.
    Optimizer::prop_consts().optimize(&mut model)?;
    let segments = segments(&model)?;
    let mut new = TypedModel { symbols: model.symbols.clone(), ..TypedModel::default() };
    let mut wires: HashMap<OutletId, OutletId> = HashMap::new();
    for segment in segments {
        match segment {
            Segment::Node(id) => copy(&model, model.node(id), &mut new, &mut wires)?,
            Segment::FusedOperator { nodes } => fuse(&model, &nodes, cache, &mut new, &mut wires)?,
        }
    }
    let (inputs, outputs) = (wired(&wires, model.input_outlets()?)?, wired(&wires, model.output_outlets()?)?);
    new.set_input_outlets(&inputs)?;
    new.select_output_outlets(&outputs)?;
    Ok(new)
}

/// The new graph's outlets for those of the old one. An input that nothing reads has none.
fn wired(wires: &HashMap<OutletId, OutletId>, outlets: &[OutletId]) -> TractResult<Vec<OutletId>> {
    let mut new = Vec::with_capacity(outlets.len());
    for outlet in outlets {
        match wires.get(outlet) {
            Some(outlet) => new.push(*outlet),
            None => bail!("nothing in it leads from node {} to an output", outlet.node),
        }
    }
    Ok(new)
}

/// Finds as few fused operators as a greedy walk gives. One takes up all nodes that it can. Then all nodes that none could take
/// are done, and the next one begins.
fn segments(model: &TypedModel) -> TractResult<Vec<Segment>> {
    let order = model.eval_order()?;
    let mut waiting: BTreeSet<usize> = (0..order.len()).collect();
    let mut done = vec![false; model.nodes().len()];
    let mut segments = Vec::new();
    while !waiting.is_empty() {
        let mut lowering = Lowering::new(model);
        let nodes = drain(model, &order, &mut waiting, &mut done, |node| lowering.take(node));
        match lowering.worthwhile {
            true => segments.push(Segment::FusedOperator { nodes }),
            false => segments.extend(nodes.into_iter().map(Segment::Node)),
        }
        let others = drain(model, &order, &mut waiting, &mut done, |node| !Lowering::new(model).take(node));
        segments.extend(others.into_iter().map(Segment::Node));
    }
    Ok(segments)
}

/// Takes the nodes that are ready and `wanted` out of `waiting`, until there is none.
fn drain(
    model: &TypedModel,
    order: &[usize],
    waiting: &mut BTreeSet<usize>,
    done: &mut [bool],
    mut wanted: impl FnMut(&TypedNode) -> bool,
) -> Vec<usize> {
    let mut taken = Vec::new();
    loop {
        let before = taken.len();
        for at in waiting.iter().copied().collect::<Vec<_>>() {
            let node = model.node(order[at]);
            if node.inputs.iter().all(|input| done[input.node]) && wanted(node) {
                waiting.remove(&at);
                done[node.id] = true;
                taken.push(node.id);
            }
        }
        if taken.len() == before {
            return taken;
        }
    }
}

fn copy(
    model: &TypedModel,
    node: &TypedNode,
    new: &mut TypedModel,
    wires: &mut HashMap<OutletId, OutletId>,
) -> TractResult<()> {
    let outlets = if node.op_is::<TypedSource>() {
        tvec!(new.add_source(&node.name, node.outputs[0].fact.clone())?)
    } else if let Some(constant) = node.op_as::<Const>() {
        tvec!(new.add_const(&node.name, constant.val().clone())?)
    } else {
        let inputs = wired(wires, &node.inputs)?;
        new.wire_node(&node.name, node.op.clone(), &inputs)?
    };
    for (slot, outlet) in outlets.into_iter().enumerate() {
        let old = OutletId::new(node.id, slot);
        if let Some(label) = model.outlet_label(old) {
            new.set_outlet_label(outlet, label.to_owned())?;
        }
        wires.insert(old, outlet);
    }
    Ok(())
}

/// Adds `nodes` to the new graph as one fused operator, or as they are if no program can be made of them.
fn fuse(
    model: &TypedModel,
    nodes: &[usize],
    cache: &WeightCache,
    new: &mut TypedModel,
    wires: &mut HashMap<OutletId, OutletId>,
) -> TractResult<()> {
    let mut lowering = Lowering::new(model);
    let inside: BTreeSet<usize> = nodes.iter().copied().collect();
    for id in nodes {
        if !lowering.take(model.node(*id)) {
            bail!("{} was understood once, and is not any more", model.node(*id).name);
        }
    }
    let mut exports: Vec<OutletId> = nodes.iter().map(|id| OutletId::new(*id, 0)).collect();
    exports.retain(|outlet| {
        let readers = &model.node(outlet.node).outputs[0].successors;
        readers.iter().any(|inlet| !inside.contains(&inlet.node)) || model.outputs.contains(outlet)
    });
    let planes: Option<Vec<_>> = exports.iter().map(|outlet| lowering.planes(*outlet)).collect();
    let shapes =
        exports.iter().map(|outlet| Some(model.outlet_fact(*outlet).ok()?.shape.as_concrete()?.to_vec()));
    let (Some(planes), Some(shapes)) = (planes, shapes.collect::<Option<Vec<_>>>()) else {
        bail!("outputs of a fused operator have no shapes");
    };
    let imports = wired(wires, &lowering.imports)?;
    match lowering.graph.compile(Arch::new(), &planes, cache) {
        Some(program) => {
            let name = exports.first().map_or("", |outlet| &model.node(outlet.node).name);
            let outlets =
                new.wire_node(format!("fused.{name}"), FusedOperator::new(program, shapes), &imports)?;
            wires.extend(exports.into_iter().zip(outlets));
            Ok(())
        }
        None => nodes.iter().try_for_each(|id| copy(model, model.node(*id), new, wires)),
    }
}
