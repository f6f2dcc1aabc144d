//! Translates nodes of tract's graph into a [`Graph`], one by one, as long as they are understood.

use std::sync::Arc;

use pulp::Arch;
use tract_onnx::prelude::*;
use tract_onnx::tract_core::internal::{HashMap, TypedOp};
use tract_onnx::tract_core::ops::binary::TypedBinOp;
use tract_onnx::tract_core::ops::cnn::{Conv, KernelFormat, MaxPool, PoolSpec};
use tract_onnx::tract_core::ops::element_wise::ElementWiseOp;
use tract_onnx::tract_core::ops::math::{Add, Div, Max, Min, Mul, Sub};
use tract_onnx::tract_core::ops::nn::{DataFormat, HardSwish, LeakyRelu, Reduce, Reducer, Sigmoid, Silu};

use convnet::{Activation, ChannelPlane, Combine, Filters, Graph, NodeId, Operation, WeightCache, Window};

/// Operators that move values and change none.
const MOVERS: &[&str] =
    &["AddAxis", "RmAxis", "MoveAxis", "Reshape", "Concat", "Slice", "StridedSlice", "Gather"];

/// Maximum index: beyond it, an f32 does not tell two neighbours apart.
const INDEX_MAX: usize = 1 << 24;

/// A part of tract's graph on its way to a [`Graph`].
pub(super) struct Lowering<'a> {
    model: &'a TypedModel,
    pub graph: Graph,
    values: HashMap<OutletId, Value>,
    /// Outlets of tract's graph that are the inputs of `graph`, in their order.
    pub imports: Vec<OutletId>,
    /// True if there is a convolution in it.
    pub worthwhile: bool,
}

/// An outlet of tract's graph: its channel planes in the order in which they lie in the tensor.
#[derive(Clone)]
struct Value {
    planes: Vec<ChannelPlane>,
    shape: Vec<usize>,
}

impl<'a> Lowering<'a> {
    pub fn new(model: &'a TypedModel) -> Self {
        let (graph, values, imports) = (Graph::default(), HashMap::default(), Vec::new());
        Self { model, graph, values, imports, worthwhile: false }
    }

    /// Takes up `node`; its inputs are here or come from outside. Returns false, and changes nothing, if it is not understood.
    pub fn take(&mut self, node: &TypedNode) -> bool {
        let (nodes, imports) = (self.graph.len(), self.imports.len());
        let Some(value) = self.lower(node) else {
            self.graph.truncate(nodes);
            for import in self.imports.drain(imports..) {
                self.values.remove(&import);
            }
            return false;
        };
        self.worthwhile |= node.op_is::<Conv>();
        self.values.insert(node.id.into(), value);
        true
    }

    /// The planes of an outlet that was taken up.
    pub fn planes(&self, outlet: OutletId) -> Option<Vec<ChannelPlane>> {
        self.values.get(&outlet).map(|value| value.planes.clone())
    }

    fn lower(&mut self, node: &TypedNode) -> Option<Value> {
        if node.outputs.len() != 1 {
            return None;
        }
        let op: &dyn TypedOp = node.op.as_ref();
        if let Some(conv) = op.downcast_ref::<Conv>() {
            return self.convolution(node, conv);
        }
        if let Some(pool) = op.downcast_ref::<MaxPool>() {
            let window = window(&pool.pool_spec, self.shape(node.inputs[0])?.get(2..)?)?;
            if pool.with_index_outputs.is_some() {
                return None;
            }
            return self.add(node, Operation::PoolMax(window), &[node.inputs[0]]);
        }
        if let Some(reduce) = op.downcast_ref::<Reduce>() {
            return self.sum(node, reduce);
        }
        if let Some(function) = op.downcast_ref::<ElementWiseOp>() {
            return self.add(node, Operation::Activate(activation(function)?), &[node.inputs[0]]);
        }
        if let Some(binary) = op.downcast_ref::<TypedBinOp>() {
            return self.binary(node, binary);
        }
        if op.name() == "Resize" || op.name() == "NearestUpsample" {
            return self.upsample(node);
        }
        MOVERS.contains(&op.name().as_ref()).then(|| self.moved(node)).flatten()
    }

    /// The concrete shape of an f32 outlet.
    fn shape(&self, outlet: OutletId) -> Option<Vec<usize>> {
        let fact = self.model.outlet_fact(outlet).ok()?;
        (fact.datum_type == f32::datum_type()).then(|| fact.shape.as_concrete().map(<[usize]>::to_vec))?
    }

    fn constant(&self, outlet: OutletId) -> Option<Arc<Tensor>> {
        self.model.outlet_fact(outlet).ok()?.konst.clone()
    }

    fn constant_f32(&self, outlet: OutletId) -> Option<Vec<f32>> {
        let tensor = self.constant(outlet)?;
        Some(tensor.try_as_plain_ram().ok()?.as_slice::<f32>().ok()?.to_vec())
    }

    /// Returns a value that is here, or else takes it from outside: one batch of maps.
    fn value(&mut self, outlet: OutletId) -> Option<Value> {
        if let Some(value) = self.values.get(&outlet) {
            return Some(value.clone());
        }
        let shape = self.shape(outlet)?;
        let [1, channels, height, width] = shape[..] else { return None };
        if self.constant(outlet).is_some() || channels * height * width == 0 {
            return None;
        }
        let name = &self.model.node(outlet.node).name;
        let input = self.graph.add(name, Operation::Input, Vec::new(), [channels, height, width]);
        self.imports.push(outlet);
        let value = Value { planes: self.graph.whole(input), shape };
        self.values.insert(outlet, value.clone());
        Some(value)
    }

    /// The planes of one batch of maps.
    fn maps(&mut self, outlet: OutletId) -> Option<Vec<ChannelPlane>> {
        let value = self.value(outlet)?;
        let [height, width] = self.graph.size(value.planes.first()?.node);
        (value.shape == [1, value.planes.len(), height, width]).then_some(value.planes)
    }

    fn add(&mut self, node: &TypedNode, operation: Operation, inputs: &[OutletId]) -> Option<Value> {
        let inputs = inputs.iter().map(|input| self.maps(*input)).collect::<Option<_>>()?;
        self.add_read(node, operation, inputs)
    }

    fn add_read(
        &mut self,
        node: &TypedNode,
        operation: Operation,
        inputs: Vec<Vec<ChannelPlane>>,
    ) -> Option<Value> {
        let shape = self.shape(node.id.into())?;
        let [1, channels, height, width] = shape[..] else { return None };
        let id = self.graph.add(&node.name, operation, inputs, [channels, height, width]);
        Some(Value { planes: self.graph.whole(id), shape })
    }

    fn convolution(&mut self, node: &TypedNode, conv: &Conv) -> Option<Value> {
        let [input, kernel, bias] = node.inputs[..] else { return None };
        let (from, to) = (self.shape(input)?, self.shape(node.id.into())?);
        let ([1, channels, in_height, in_width], [1, outputs, height, width]) = (&from[..], &to[..]) else {
            return None;
        };
        let depthwise = conv.group > 1 && conv.group == *channels && conv.group == *outputs;
        let plain = conv.kernel_fmt == KernelFormat::OIHW && conv.q_params.is_none();
        let window = window(&conv.pool_spec, &from[2..])?;
        let fits = Graph::can_convolve(&window, [*in_height, *in_width], [*height, *width]);
        if !plain || !fits || !(depthwise || conv.group == 1) {
            return None;
        }
        let weights = self.constant_f32(kernel)?;
        let mut biases = self.constant_f32(bias)?;
        if biases.len() == 1 {
            biases.resize(*outputs, biases[0]);
        }
        let inputs = if depthwise { 1 } else { *channels };
        if weights.len() != outputs * inputs * window.kernel_len() || biases.len() != *outputs {
            return None;
        }
        let (weights, bias, activation) = (weights.into(), biases.into(), Activation::NONE);
        self.add(
            node,
            Operation::Convolution(Filters { weights, bias, window, depthwise, activation }),
            &[input],
        )
    }

    /// A sum over each map: its mean, times its size.
    fn sum(&mut self, node: &TypedNode, reduce: &Reduce) -> Option<Value> {
        if reduce.reducer != Reducer::Sum || reduce.axes[..] != [2, 3] {
            return None;
        }
        let from = self.maps(node.inputs[0])?;
        let [height, width] = self.graph.size(from.first()?.node);
        let mean = self.add_read(node, Operation::Average, vec![from])?;
        let times = Ramp::LINE.multiplied((height * width) as f32)?;
        self.add_read(node, Operation::Activate(times.activation()), vec![mean.planes])
    }

    fn binary(&mut self, node: &TypedNode, op: &TypedBinOp) -> Option<Value> {
        let [left, right] = node.inputs[..] else { return None };
        for (value, scalar, first) in [(left, right, true), (right, left, false)] {
            match self.constant_f32(scalar).as_deref() {
                Some([scalar]) if self.shape(value)? == self.shape(node.id.into())? => {
                    return self.with_scalar(node, op, value, *scalar, first);
                }
                Some(_) => return None,
                None => (),
            }
        }
        if op.0.is::<Mul>()
            && let Some(value) = self.times_argument(node, left, right)
        {
            return Some(value);
        }
        let combine = match () {
            () if op.0.is::<Add>() => Combine::Add,
            () if op.0.is::<Mul>() => Combine::Multiply,
            () => return None,
        };
        let to = self.shape(node.id.into())?;
        let sides = [self.shape(left)?, self.shape(right)?];
        let inputs = match sides.each_ref().map(|side| *side == to) {
            [true, true] => [left, right],
            [true, false] if sides[1] == [1, to[1], 1, 1] => [left, right],
            [false, true] if sides[0] == [1, to[1], 1, 1] => [right, left],
            _ => return None,
        };
        self.add(node, Operation::Combine(combine), &inputs)
    }

    /// Extends a function of one value by a step: a longer function of the same argument takes its place.
    fn with_scalar(
        &mut self,
        node: &TypedNode,
        op: &TypedBinOp,
        value: OutletId,
        scalar: f32,
        value_first: bool,
    ) -> Option<Value> {
        let planes = self.maps(value)?;
        let step = |ramp: Ramp| match () {
            () if op.0.is::<Add>() => ramp.added(scalar),
            () if op.0.is::<Mul>() => ramp.multiplied(scalar),
            () if op.0.is::<Max>() => ramp.at_least(scalar),
            () if op.0.is::<Min>() => ramp.at_most(scalar),
            () if op.0.is::<Sub>() && value_first => ramp.added(-scalar),
            () if op.0.is::<Div>() && value_first => ramp.multiplied(1.0 / scalar),
            () => None,
        };
        let before = self.function_of(&planes);
        let longer = before.and_then(|(activation, from)| Some((step(Ramp::of(activation)?)?, from)));
        let (ramp, from) = match longer {
            Some(longer) => longer,
            None => (step(Ramp::LINE)?, planes),
        };
        self.add_read(node, Operation::Activate(ramp.activation()), vec![from])
    }

    /// Makes `x * f(x)` one function, for the `f` that have one.
    fn times_argument(&mut self, node: &TypedNode, left: OutletId, right: OutletId) -> Option<Value> {
        let (left, right) = (self.maps(left)?, self.maps(right)?);
        for (value, factor) in [(&left, &right), (&right, &left)] {
            let Some((activation, from)) = self.function_of(factor) else { continue };
            let product = match activation {
                Activation::Sigmoid => Some(Activation::Silu),
                other => Ramp::of(other).and_then(Ramp::times_argument).map(Ramp::activation),
            };
            if let Some(product) = product.filter(|_| from == *value) {
                return self.add_read(node, Operation::Activate(product), vec![from]);
            }
        }
        None
    }

    /// The function that made `planes`, and its argument.
    fn function_of(&self, planes: &[ChannelPlane]) -> Option<(Activation, Vec<ChannelPlane>)> {
        let node: NodeId = self.graph.whole_of(planes)?;
        match self.graph.operation(node) {
            Operation::Activate(activation) => Some((*activation, self.graph.inputs(node)[0].clone())),
            _ => None,
        }
    }

    /// Recognises an upsampling by its result for known values, since its attributes have many spellings.
    ///
    /// The node is run once on values that lie on no line. Then each of the two upsamplings of this crate runs on the same values.
    /// The one with the same result, if any, takes the node's place. Example: a row `0, 8` that is doubled becomes `0, 0, 8, 8` by
    /// repetition and `0, 2, 6, 8` by linear interpolation.
    fn upsample(&mut self, node: &TypedNode) -> Option<Value> {
        let (from, to) = (self.shape(node.inputs[0])?, self.shape(node.id.into())?);
        let ([1, channels, height, width], [1, ..]) = (&from[..], &to[..]) else { return None };
        let scale = [to[2] / height, to[3] / width];
        if to != [1, *channels, height * scale[0], width * scale[1]] {
            return None;
        }
        // Indices times a prime, modulo another one: no two neighbours are on a line.
        let uneven = |index: usize| (index * 7919 % 1009) as f32;
        let values: Vec<f32> = (0..channels * height * width).map(uneven).collect();
        let [scaled] = &self.through(node, &uneven)?[..] else { return None };
        for operation in [Operation::Upsample(scale), Operation::UpsampleLinear(scale)] {
            let mut trial = Graph::default();
            let input = trial.add("", Operation::Input, Vec::new(), [*channels, *height, *width]);
            let reads = vec![trial.whole(input)];
            let output = trial.add("", operation.clone(), reads, [*channels, to[2], to[3]]);
            let outputs = [trial.whole(output)];
            let program = trial.compile(Arch::new(), &outputs, &WeightCache::default())?;
            let (mut arena, mut found) = (program.arena(), vec![0.0; scaled.len()]);
            program.run(&mut arena, &[&values]);
            program.output(0, &arena, &[&values], &mut found);
            if found.iter().zip(scaled).all(|(found, scaled)| (found - scaled).abs() < 1e-2) {
                return self.add(node, operation, &node.inputs[..1]);
            }
        }
        None
    }

    /// Recognises an operator that only moves values, by running it on indices.
    ///
    /// Each input value is its own index, counted over all inputs of the node. Each output value then names the input value that
    /// it is a copy of. Three results are possible, shown for two planes of 2x2 (values `0 1 2 3` and `4 5 6 7`):
    ///
    /// - `4 5 6 7 0 1 2 3`: whole planes in another order. No step is needed: readers get the list of planes `[1, 0]`.
    /// - `1 3 5 7`: the second column of each plane. It becomes [`Operation::Pick`] with step `[1, 2]` and offset `[0, 1]`.
    /// - `0 4 1 5 2 6 3 7`: planes torn apart. The node stays with tract.
    fn moved(&mut self, node: &TypedNode) -> Option<Value> {
        let inputs: Vec<OutletId> =
            node.inputs.iter().copied().filter(|input| self.constant(*input).is_none()).collect();
        let values: Vec<Value> = inputs.iter().map(|input| self.value(*input)).collect::<Option<_>>()?;
        let planes: Vec<ChannelPlane> =
            values.iter().flat_map(|value| value.planes.iter().copied()).collect();
        let [height, width] = self.graph.size(planes.first()?.node);
        let [moved] = &self.through(node, &|index| index as f32)?[..] else { return None };
        let len = height * width;
        let shape = self.shape(node.id.into())?;
        if let ([input], [1, channels, rows, columns]) = (&inputs[..], &shape[..])
            && let Some(pick) = picked(moved, [height, width], [*channels, *rows, *columns])
        {
            return self.add(node, pick, &[*input]);
        }
        let same_size = planes.iter().all(|plane| self.graph.size(plane.node) == [height, width]);
        if !same_size || !moved.len().is_multiple_of(len) {
            return None;
        }
        let mut reordered = Vec::with_capacity(moved.len() / len);
        for chunk in moved.chunks_exact(len) {
            let first = chunk[0] as usize;
            let in_order = chunk.iter().enumerate().all(|(at, index)| *index as usize == first + at);
            if !first.is_multiple_of(len) || !in_order {
                return None;
            }
            reordered.push(planes[first / len]);
        }
        (!reordered.is_empty()).then_some(Value { planes: reordered, shape })
    }

    /// Runs `node` on inputs of `value(0), value(1), ...`, counted over all inputs that are no constants, and returns its outputs.
    fn through(&self, node: &TypedNode, value: &dyn Fn(usize) -> f32) -> Option<Vec<Vec<f32>>> {
        let mut first = 0;
        let mut inputs = TVec::<TValue>::new();
        for input in &node.inputs {
            if let Some(constant) = self.constant(*input) {
                inputs.push(constant.into_tvalue());
                continue;
            }
            let shape = self.shape(*input)?;
            let len: usize = shape.iter().product();
            if first + len > INDEX_MAX {
                return None;
            }
            let values: Vec<f32> = (first..first + len).map(value).collect();
            inputs.push(Tensor::from_shape(&shape, &values).ok()?.into());
            first += len;
        }
        let outputs = node.op.eval_out_of_plan(inputs).ok()??;
        let mut values = Vec::with_capacity(outputs.len());
        for output in &outputs {
            values.push(output.try_as_plain_ram().ok()?.as_slice::<f32>().ok()?.to_vec());
        }
        Some(values)
    }
}

/// Recognises regular rows and columns of each plane, and not all of them, in the indices `moved`. Example: from planes of 2x4,
/// `1 3 9 11` is every second column from the second on, of the first row.
fn picked(moved: &[f32], [height, width]: [usize; 2], [_, rows, columns]: [usize; 3]) -> Option<Operation> {
    let index = |at: usize| moved.get(at).map(|index| *index as usize);
    let first = index(0)?;
    let step_x = if columns > 1 { index(1)?.checked_sub(first)? } else { 1 };
    let step_y = if rows > 1 { index(columns)?.checked_sub(first)? / width } else { 1 };
    let offset = [first / width, first % width];
    let inside = offset[0] + (rows - 1) * step_y < height && offset[1] + (columns - 1) * step_x < width;
    let same = moved.iter().enumerate().all(|(at, index)| {
        let (plane, y, x) = (at / (rows * columns), at / columns % rows, at % columns);
        *index as usize == (plane * height + offset[0] + y * step_y) * width + offset[1] + x * step_x
    });
    let fewer = [rows, columns] != [height, width];
    (inside && same && fewer && step_x > 0).then_some(Operation::Pick { step: [step_y, step_x], offset })
}

/// The window of a convolution or a pool over maps of `size`.
fn window(spec: &PoolSpec, size: &[usize]) -> Option<Window> {
    let [rows, columns] = spec.kernel_shape[..] else { return None };
    if spec.data_format != DataFormat::NCHW || spec.dilations().iter().any(|dilation| *dilation != 1) {
        return None;
    }
    let padding = spec.computed_padding(size);
    Some(Window {
        kernel: [rows, columns],
        stride: [spec.stride(0), spec.stride(1)],
        before: [padding[0].pad_before, padding[1].pad_before],
    })
}

fn activation(function: &ElementWiseOp) -> Option<Activation> {
    if let Some(LeakyRelu { alpha }) = function.0.downcast_ref() {
        return Some(Activation::Leaky { slope: *alpha });
    }
    match () {
        () if function.0.is::<Sigmoid>() => Some(Activation::Sigmoid),
        () if function.0.is::<Silu>() => Some(Activation::Silu),
        () if function.0.is::<HardSwish>() => {
            let ramp = Ramp::LINE.multiplied(1.0 / 6.0)?.added(0.5)?.at_most(1.0)?.at_least(0.0)?;
            ramp.times_argument().map(Ramp::activation)
        }
        () => None,
    }
}

/// `clamp(gain * x + offset, low, high) * scale`, times `x` if `times_x`, as it grows step by step.
#[derive(Clone, Copy)]
struct Ramp {
    gain: f32,
    offset: f32,
    low: f32,
    high: f32,
    times_x: bool,
    scale: f32,
}

impl Ramp {
    const LINE: Self = Self {
        gain: 1.0,
        offset: 0.0,
        low: f32::NEG_INFINITY,
        high: f32::INFINITY,
        times_x: false,
        scale: 1.0,
    };

    fn of(activation: Activation) -> Option<Self> {
        match activation {
            Activation::Clamp { low, high } => Some(Self { low, high, ..Self::LINE }),
            Activation::Ramp { gain, offset, low, high, times_x, scale } => {
                Some(Self { gain, offset, low, high, times_x, scale })
            }
            _ => None,
        }
    }

    fn activation(self) -> Activation {
        let Self { gain, offset, low, high, times_x, scale } = self;
        match (gain, offset, times_x, scale) {
            (1.0, 0.0, false, 1.0) => Activation::Clamp { low, high },
            _ => Activation::Ramp { gain, offset, low, high, times_x, scale },
        }
    }

    /// Returns it if nothing came after the clamp yet.
    fn open(self) -> Option<Self> {
        (!self.times_x && self.scale == 1.0).then_some(self)
    }

    fn added(self, scalar: f32) -> Option<Self> {
        let Self { offset, low, high, .. } = self.open()?;
        Some(Self { offset: offset + scalar, low: low + scalar, high: high + scalar, ..self })
    }

    fn multiplied(self, scalar: f32) -> Option<Self> {
        if !scalar.is_finite() {
            return None;
        }
        match self.open() {
            Some(Self { gain, offset, low, high, .. }) if scalar > 0.0 => Some(Self {
                gain: gain * scalar,
                offset: offset * scalar,
                low: low * scalar,
                high: high * scalar,
                ..self
            }),
            _ => Some(Self { scale: self.scale * scalar, ..self }),
        }
    }

    fn at_least(self, scalar: f32) -> Option<Self> {
        let Self { low, high, .. } = self.open()?;
        Some(Self { low: low.max(scalar), high: high.max(scalar), ..self })
    }

    fn at_most(self, scalar: f32) -> Option<Self> {
        let Self { low, high, .. } = self.open()?;
        Some(Self { low: low.min(scalar), high: high.min(scalar), ..self })
    }

    fn times_argument(self) -> Option<Self> {
        (!self.times_x).then_some(Self { times_x: true, ..self })
    }
}
