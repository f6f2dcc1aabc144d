//! Changes a graph that was exported for one input size to another: the sizes of feature maps that stand in it as numbers are
//! replaced. Changes targets of reshapes, resizes, slices, splits and broadcasts, and nothing else.
//!
//! The graph's shapes are inferred twice, node by node: at the old size and at the new one. Where they differ and a number is
//! the same in both, that number belongs to the old size.

use std::collections::BTreeMap;

use tract_onnx::prelude::*;
use tract_onnx::tract_core::internal::{DimLike, TractResult, bail, tensor1};
use tract_onnx::tract_hir::infer::{Factoid, InferenceOp};
use tract_onnx::tract_hir::internal::InletId;
use tract_onnx::tract_hir::ops::source::Source;

/// Returns the network for an input of `to` rows and columns; `graph` is for `from`.
///
/// # Errors
/// A number of the graph depends on its input's size in a way that is not understood.
pub(super) fn resized(
    graph: &InferenceModel,
    from: [usize; 2],
    to: [usize; 2],
) -> TractResult<InferenceModel> {
    let (mut old, mut new) = (graph.clone(), graph.clone());
    for (model, [rows, columns]) in [(&mut old, from), (&mut new, to)] {
        model.set_input_fact(0, f32::fact([1, 3, rows, columns]).into())?;
    }
    let mut sizes = Sizes::default();
    for id in graph.eval_order()? {
        infer(&mut old, id)?;
        for (slot, numbers) in rewritten(&old, &new, id, &sizes)? {
            let name = format!("{}.size.{slot}", new.node(id).name);
            let outlet = new.add_const(name, tensor1(&numbers))?;
            new.add_edge(outlet, InletId::new(id, slot))?;
        }
        infer(&mut new, id)?;
        sizes.learn(&old, &new, id);
    }
    Ok(new)
}

/// Brings the facts of a node's outputs up to date with those of its inputs.
fn infer(model: &mut InferenceModel, id: usize) -> TractResult<()> {
    let node = model.node(id);
    if node.op_is::<Source>() {
        return Ok(());
    }
    let observed = node.op.observe_outlets(model, node)?;
    let observed = observed.iter().map(|outlet| model.outlet_fact(*outlet).cloned());
    let observed: Vec<InferenceFact> = observed.collect::<TractResult<_>>()?;
    let (inputs, outputs) = model.node_facts(id)?;
    let inputs: Vec<InferenceFact> = inputs.into_iter().cloned().collect();
    let outputs: Vec<InferenceFact> = outputs.into_iter().cloned().collect();
    let name = node.name.clone();
    let op: &mut Box<dyn InferenceOp> = &mut model.node_mut(id).op;
    let inferred = op.infer(inputs.iter().collect(), outputs.iter().collect(), observed.iter().collect());
    let (_, outputs, _) = inferred.map_err(|error| error.context(format!("at {name}")))?;
    for (slot, fact) in outputs.into_iter().enumerate() {
        model.set_outlet_fact(OutletId::new(id, slot), fact)?;
    }
    Ok(())
}

/// The concrete shape of an outlet.
fn shape(model: &InferenceModel, outlet: OutletId) -> Option<Vec<usize>> {
    let dims = model.outlet_fact(outlet).ok()?.shape.concretize()?;
    dims.iter().map(|dim| dim.to_usize().ok()).collect()
}

/// The integers of an outlet whose value is known.
fn numbers(model: &InferenceModel, outlet: OutletId) -> Option<Vec<i64>> {
    let value = model.outlet_fact(outlet).ok()?.value.concretize()?;
    if value.datum_type().is_float() || value.rank() > 1 {
        return None;
    }
    Some(value.cast_to::<i64>().ok()?.try_as_plain_ram().ok()?.as_slice::<i64>().ok()?.to_vec())
}

/// A node in both graphs.
struct Both<'a> {
    old: &'a InferenceModel,
    new: &'a InferenceModel,
    id: usize,
}

impl Both<'_> {
    fn outlet(&self, slot: usize) -> Option<OutletId> {
        self.old.node(self.id).inputs.get(slot).copied()
    }

    /// The shapes of an input at the old and at the new size.
    fn shapes(&self, slot: usize) -> Option<[Vec<usize>; 2]> {
        let outlet = self.outlet(slot)?;
        Some([shape(self.old, outlet)?, shape(self.new, outlet)?])
    }

    /// The numbers of an input that are the same at both sizes.
    fn fixed(&self, slot: usize) -> Option<Vec<i64>> {
        let outlet = self.outlet(slot)?;
        numbers(self.old, outlet).filter(|old| numbers(self.new, outlet).as_ref() == Some(old))
    }
}

/// The inputs of a node that are numbers of the old size, with those of the new one.
fn rewritten(
    old: &InferenceModel,
    new: &InferenceModel,
    id: usize,
    sizes: &Sizes,
) -> TractResult<Vec<(usize, Vec<i64>)>> {
    let node = Both { old, new, id };
    let Some([from, to]) = node.shapes(0).filter(|[from, to]| from != to) else { return Ok(Vec::new()) };
    let name = old.node(id).op.name();
    let inputs = old.node(id).inputs.len();
    let result = match name.as_ref() {
        "Reshape" => {
            let Some(target) = node.fixed(1) else { return Ok(Vec::new()) };
            let out = shape(old, OutletId::new(id, 0));
            out.and_then(|out| reshaped(&from, &to, &out, &target, sizes)).map(|target| vec![(1, target)])
        }
        "Resize" | "MultiBroadcastTo" => {
            let out = shape(old, OutletId::new(id, 0));
            let size = (1..inputs).find(|slot| {
                let numbers = node.fixed(*slot);
                numbers.is_some_and(|n| n.len() == from.len() && (n.iter().any(|n| *n > 1)))
            });
            match (size, out) {
                (Some(slot), Some(out)) => scaled(&from, &to, &out, sizes).map(|target| vec![(slot, target)]),
                _ => return Ok(Vec::new()),
            }
        }
        "StridedSlice" => sliced(&node, &from, &to, sizes),
        "Split13" => match node.fixed(1) {
            Some(parts) => split(&from, &to, &parts, sizes).map(|parts| vec![(1, parts)]),
            None => return Ok(Vec::new()),
        },
        // These have their numbers as attributes.
        "Slice1" | "Split" => sliced_by_attributes(old, id, &from).then(Vec::new),
        _ => return Ok(Vec::new()),
    };
    match result {
        Some(changes) => Ok(changes),
        None => bail!("the numbers of {} ({name}) are for one size of the input", old.node(id).name),
    }
}

/// Returns true if nothing of a changed axis is cut: such a cut would be right at the old size only.
fn sliced_by_attributes(old: &InferenceModel, id: usize, from: &[usize]) -> bool {
    let out = shape(old, OutletId::new(id, 0)).unwrap_or_default();
    out.len() == from.len() && out.iter().zip(from).skip(2).all(|(out, from)| out == from)
}

/// The target of a reshape. Dimensions are grouped so that each group has as many elements before as after: `[1, 116, 52, 52]`
/// to `[1, 2, 58, 52, 52]` is 1 to 1, 116 to 2x58, 52 to 52, 52 to 52.
fn reshaped(from: &[usize], to: &[usize], out: &[usize], target: &[i64], sizes: &Sizes) -> Option<Vec<i64>> {
    let mut new: Vec<usize> = Vec::new();
    let (mut i, mut j) = (0, 0);
    while i < from.len() || j < out.len() {
        let (first_in, first_out) = (i, j);
        let take = |at: &mut usize, dims: &[usize]| {
            let dim = dims.get(*at).copied();
            *at += usize::from(dim.is_some());
            dim.unwrap_or(1)
        };
        let (mut before, mut after) = (take(&mut i, from), take(&mut j, out));
        while before != after {
            if before < after && i < from.len() {
                before *= take(&mut i, from);
            } else if after < before && j < out.len() {
                after *= take(&mut j, out);
            } else {
                return None;
            }
        }
        let (was, is, parts) = (&from[first_in..i], &to[first_in..i], &out[first_out..j]);
        match parts {
            _ if was == is => new.extend(parts),
            [_] => new.push(is.iter().product()),
            _ => new.extend(sizes.parts(parts, is.iter().product())?),
        }
    }
    (new.len() == target.len()).then(|| {
        // -1 and 0 are worked out from the input, at any size.
        let pairs = target.iter().zip(&new);
        pairs.map(|(target, new)| if *target > 0 { *new as i64 } else { *target }).collect()
    })
}

/// The target of a resize or a broadcast: a known map's size, or a multiple of the input's.
fn scaled(from: &[usize], to: &[usize], out: &[usize], sizes: &Sizes) -> Option<Vec<i64>> {
    let rank = from.len();
    if rank < 3 || out.len() != rank {
        return None;
    }
    let map = sizes.map([out[rank - 2], out[rank - 1]]);
    (0..rank)
        .map(|axis| match map {
            Some(map) if axis >= rank - 2 => Some(map[axis + 2 - rank] as i64),
            _ if from[axis] == to[axis] => Some(out[axis] as i64),
            _ => out[axis].is_multiple_of(from[axis]).then(|| (to[axis] * (out[axis] / from[axis])) as i64),
        })
        .collect()
}

/// The begins and ends of a slice.
fn sliced(node: &Both<'_>, from: &[usize], to: &[usize], sizes: &Sizes) -> Option<Vec<(usize, Vec<i64>)>> {
    let axes = match node.fixed(3) {
        Some(axes) => axes,
        None => (0..from.len() as i64).collect(),
    };
    let steps = node.fixed(4);
    let mut changes = Vec::new();
    for slot in [1, 2] {
        let Some(mut bounds) = node.fixed(slot) else { continue };
        let before = bounds.clone();
        for (at, bound) in bounds.iter_mut().enumerate() {
            let axis = axis(*axes.get(at)?, from.len())?;
            let step = steps.as_ref().and_then(|steps| steps.get(at).copied()).unwrap_or(1);
            // From the end, beyond the end, or the phase of a subsampling: right at any size.
            let stays = *bound <= 0 || *bound > from[axis] as i64 || *bound < step;
            if from[axis] != to[axis] && !stays {
                *bound = sizes.mark(from[axis], to[axis], *bound as usize)? as i64;
            }
        }
        if bounds != before {
            changes.push((slot, bounds));
        }
    }
    Some(changes)
}

/// The lengths of the parts of a split; they add up to one axis.
fn split(from: &[usize], to: &[usize], parts: &[i64], sizes: &Sizes) -> Option<Vec<i64>> {
    let total: i64 = parts.iter().sum();
    let axis = (0..from.len()).find(|axis| from[*axis] as i64 == total && from[*axis] != to[*axis]);
    let Some(axis) = axis else { return Some(parts.to_vec()) };
    let (mut end, mut before) = (0, 0);
    let part = |part: &i64| {
        end += *part as usize;
        let mark = sizes.mark(from[axis], to[axis], end)?;
        let len = mark.checked_sub(before)?;
        before = mark;
        Some(len as i64)
    };
    parts.iter().map(part).collect()
}

fn axis(axis: i64, rank: usize) -> Option<usize> {
    let axis = if axis < 0 { axis + rank as i64 } else { axis };
    usize::try_from(axis).ok().filter(|axis| *axis < rank)
}

/// New sizes by old ones, as far as the walk has come. `None`: one old size has two new ones.
#[derive(Default)]
struct Sizes {
    /// Rows and columns of feature maps.
    maps: BTreeMap<[usize; 2], Option<[usize; 2]>>,
    /// Ends of the parts of an axis along which maps were joined, by its old and its new length.
    marks: BTreeMap<[usize; 2], BTreeMap<usize, usize>>,
}

impl Sizes {
    fn learn(&mut self, old: &InferenceModel, new: &InferenceModel, id: usize) {
        let outlet = OutletId::new(id, 0);
        let (Some(was), Some(is)) = (shape(old, outlet), shape(new, outlet)) else { return };
        if was.len() != is.len() {
            return;
        }
        if let ([.., rows, columns], [.., new_rows, new_columns]) = (&was[..], &is[..])
            && was.len() >= 4
        {
            let map = Some([*new_rows, *new_columns]);
            let known = self.maps.entry([*rows, *columns]).or_insert(map);
            *known = known.filter(|known| Some(*known) == map);
        }
        if old.node(id).op.name() == "InferenceConcat" {
            self.learn_joint(old, new, id, &was, &is);
        }
    }

    fn learn_joint(
        &mut self,
        old: &InferenceModel,
        new: &InferenceModel,
        id: usize,
        was: &[usize],
        is: &[usize],
    ) {
        let node = Both { old, new, id };
        let parts: Option<Vec<_>> = (0..old.node(id).inputs.len()).map(|slot| node.shapes(slot)).collect();
        let Some(parts) = parts else { return };
        for axis in (0..was.len()).filter(|axis| was[*axis] != is[*axis]) {
            let ends = parts.iter().scan([0, 0], |end, [was, is]| {
                *end = [end[0] + was.get(axis)?, end[1] + is.get(axis)?];
                Some(*end)
            });
            let ends: BTreeMap<usize, usize> = ends.map(|[was, is]| (was, is)).collect();
            if ends.last_key_value() == Some((&was[axis], &is[axis])) {
                self.marks.entry([was[axis], is[axis]]).or_default().extend(ends);
            }
        }
    }

    fn map(&self, old: [usize; 2]) -> Option<[usize; 2]> {
        self.maps.get(&old).copied().flatten()
    }

    /// The place of `bound` on an axis of the new length.
    fn mark(&self, old: usize, new: usize, bound: usize) -> Option<usize> {
        match bound {
            0 => Some(0),
            bound if bound == old => Some(new),
            bound => self.marks.get(&[old, new])?.get(&bound).copied(),
        }
    }

    /// The new sizes of `parts`, which are a known map and unchanged dimensions; all together `product`.
    fn parts(&self, parts: &[usize], product: usize) -> Option<Vec<usize>> {
        (0..parts.len().checked_sub(1)?).find_map(|at| {
            let map = self.map([parts[at], parts[at + 1]])?;
            let mut new = parts.to_vec();
            new[at..at + 2].copy_from_slice(&map);
            (new.iter().product::<usize>() == product).then_some(new)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of_416_at_640x384() -> Sizes {
        let maps = [([52, 52], [48, 80]), ([26, 26], [24, 40]), ([13, 13], [12, 20])];
        let marks = BTreeMap::from([(2704, 3840), (3380, 4800), (3549, 5040)]);
        Sizes {
            maps: maps.into_iter().map(|(old, new)| (old, Some(new))).collect(),
            marks: BTreeMap::from([([3549, 5040], marks)]),
        }
    }

    #[test]
    fn a_reshape_keeps_channels_and_changes_maps() {
        let sizes = of_416_at_640x384();
        let reshape = |from: &[usize], to: &[usize], out: &[usize], target: &[i64]| {
            reshaped(from, to, out, target, &sizes)
        };
        let (old, new) = ([1, 116, 52, 52], [1, 116, 48, 80]);
        let shuffled = reshape(&old, &new, &[1, 2, 58, 52, 52], &[1, 2, 58, 52, 52]);
        assert_eq!(shuffled, Some(vec![1, 2, 58, 48, 80]));
        assert_eq!(reshape(&old, &new, &[1, 116, 2704], &[1, 116, 2704]), Some(vec![1, 116, 3840]));
        assert_eq!(reshape(&old, &new, &[1, 116, 2704], &[0, 116, -1]), Some(vec![0, 116, -1]));
        let pairs = reshape(&old, &new, &[58, 2, 2704], &[58, 2, 2704]);
        assert_eq!(pairs, Some(vec![58, 2, 3840]), "channels may be split across the batch");
        let apart = reshape(&[2, 58, 2704], &[2, 58, 3840], &[2, 1, 58, 52, 52], &[2, -1, 58, 52, 52]);
        assert_eq!(apart, Some(vec![2, -1, 58, 48, 80]), "rows and columns come back from their product");
        assert_eq!(
            reshape(&[1, 52, 52, 52], &[1, 52, 48, 80], &[52, 52, 52], &[52, 52, 52]),
            Some(vec![52, 48, 80])
        );
        assert_eq!(
            reshape(&old, &new, &[1, 58, 52, 104], &[1, 58, 52, 104]),
            None,
            "across channels and columns"
        );
    }

    #[test]
    fn slices_and_splits_of_joined_maps_follow_their_ends() {
        let sizes = of_416_at_640x384();
        assert_eq!(
            split(&[1, 3549, 85], &[1, 5040, 85], &[2704, 676, 169], &sizes),
            Some(vec![3840, 960, 240])
        );
        assert_eq!(split(&[1, 3549, 85], &[1, 5040, 85], &[5, 80], &sizes), Some(vec![5, 80]));
        assert_eq!(split(&[1, 3549, 85], &[1, 5040, 85], &[3000, 549], &sizes), None);
        assert_eq!(sizes.mark(3549, 5040, 3380), Some(4800));
        assert_eq!(sizes.mark(3549, 5040, 3549), Some(5040));
    }

    #[test]
    fn a_resize_goes_to_a_known_map_or_by_a_factor() {
        let sizes = of_416_at_640x384();
        let (from, to) = ([1, 96, 26, 26], [1, 96, 24, 40]);
        assert_eq!(scaled(&from, &to, &[1, 96, 52, 52], &sizes), Some(vec![1, 96, 48, 80]));
        assert_eq!(scaled(&from, &to, &[1, 96, 104, 104], &sizes), Some(vec![1, 96, 96, 160]));
        assert_eq!(scaled(&from, &to, &[1, 96, 51, 51], &sizes), None);
    }

    #[test]
    fn one_old_size_with_two_new_ones_is_not_guessed() {
        let mut sizes = of_416_at_640x384();
        sizes.maps.insert([52, 52], None);
        assert_eq!(sizes.parts(&[52, 52], 3840), None);
        assert_eq!(sizes.parts(&[26, 26], 960), Some(vec![24, 40]));
    }
}
